"""The stand-in's pods: containers of the local Docker engine, and what is known of them (stand_in.py has the rules)."""

import fcntl
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path


NODE = "stand-in"
ATTACH_DELAY = 0.4  # a real client connects 0.2 to 1.2 s after the process has started


def denied(verb, resource):
    return f"{verb} {resource}" in os.environ.get("STAND_IN_DENY", "").split(",")


def may(verb, resource, namespace, name=""):
    """As the API server refuses who has no role."""
    if denied(verb, resource):
        kind, about = resource.partition("/")[0], f' "{name}"' if name else ""
        fail(f'Error from server (Forbidden): {kind}{about} is forbidden: User "somebody" cannot {verb} resource '
             f'"{resource}" in API group "" in the namespace "{namespace}"')


def refuse(text):
    """Something that a cluster can and this cannot."""
    print(f"stand-in: {text}", file=sys.stderr)
    sys.exit(99)


def fail(text, status=1):
    """An error as kubectl has it."""
    print(text, file=sys.stderr)
    sys.exit(status)


def docker(*words, check=True, **more):
    more = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 120, **more}
    done = subprocess.run(["docker", *map(str, words)], **more)
    if check and done.returncode != 0:
        refuse(f"docker {' '.join(map(str, words))}: {done.stderr.strip()}")
    return done


def engine_socket():
    return os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


class OverSocket(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(engine_socket())


def inspected(path):
    """What 'docker inspect' prints of a container or an image, as an object, or None where there is none. A watch asks
    ten times a second: that is asked of the engine itself, which takes a tenth of what its client takes to start."""
    engine = OverSocket("engine", timeout=120)
    try:
        engine.request("GET", f"/{path}/json")
        answer = engine.getresponse()
        content = json.load(answer)
    finally:
        engine.close()
    if answer.status not in (200, 404):
        refuse(f"{path}: {content}")
    return content if answer.status == 200 else None


def container_state(identity):
    found = inspected(f"containers/{identity}")
    return found and found["State"]


def address_of(identity):
    found = inspected(f"containers/{identity}")
    return found["NetworkSettings"]["IPAddress"] if found else ""


# --- state ------------------------------------------------------------------------------------------------------

class State:
    """{namespace: {pod: object}} in a file; only while the lock is held can it change."""

    def __init__(self):
        if not os.environ.get("STAND_IN_STATE"):
            refuse("STAND_IN_STATE names no directory")
        self.directory = Path(os.environ["STAND_IN_STATE"])
        self.directory.mkdir(parents=True, exist_ok=True)
        self.path = self.directory / "pods.json"

    def read(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {"default": {}}

    @contextmanager
    def change(self):
        with open(self.directory / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            content = self.read()
            yield content
            new = self.path.with_suffix(".new")
            new.write_text(json.dumps(content, indent=1))
            new.rename(self.path)

    def pod(self, namespace, name):
        try:
            return self.read()[namespace][name]
        except KeyError:
            fail(f'Error from server (NotFound): pods "{name}" not found')


def container_id(namespace, pod, name):
    return f"standin-{namespace}-{pod}-{name}"


def labels(namespace, pod):
    """Whose container it is: of which pod, and of which stand-in, as there may be several on one engine."""
    return [f"--label=stand-in={namespace}/{pod}", f"--label=stand-in-state={os.environ['STAND_IN_STATE']}"]


# --- pods -------------------------------------------------------------------------------------------------------

# Every field that is known; False: it has no effect here, and needs none in the tests.
POD_FIELDS = {"containers": True, "initContainers": True, "volumes": True, "hostNetwork": True, "nodeName": True,
              "restartPolicy": True, "securityContext": True, "shareProcessNamespace": True,
              "terminationGracePeriodSeconds": True, "automountServiceAccountToken": False, "tolerations": False,
              "enableServiceLinks": False, "activeDeadlineSeconds": False}
CONTAINER_FIELDS = {"name", "image", "command", "args", "env", "securityContext", "resources", "volumeMounts", "stdin",
                    "stdinOnce", "readinessProbe", "restartPolicy", "targetContainerName", "imagePullPolicy"}
SECURITY_FIELDS = {"capabilities", "runAsUser", "runAsGroup", "runAsNonRoot", "allowPrivilegeEscalation",
                   "readOnlyRootFilesystem", "seccompProfile", "privileged"}


def known(fields, given, what):
    for field in given:
        if field not in fields:
            refuse(f"{what}: the field {field} is not known")


class CannotStart(Exception):
    def __init__(self, reason, message):
        super().__init__(reason)
        self.reason, self.message = reason, message


def security_options(pod, container):
    """docker's options for the settings that apply to this container."""
    context = {**{field: value for field, value in pod["spec"].get("securityContext", {}).items()
                  if field != "fsGroup"}, **container.get("securityContext", {})}
    known(SECURITY_FIELDS, context, "securityContext")
    options = []
    capabilities = context.get("capabilities", {})
    known({"add", "drop"}, capabilities, "capabilities")
    without = os.environ.get("STAND_IN_WITHOUT")
    if without and without not in capabilities.get("add", []):
        options.append(f"--cap-drop={without}")
    for name in capabilities.get("drop", []):
        options.append(f"--cap-drop={name}")
    for name in capabilities.get("add", []):
        options.append(f"--cap-add={name}")
    user = context.get("runAsUser")
    if user is not None:  # without a group it is the one of the image's /etc/passwd, or 0
        group = f":{context['runAsGroup']}" if "runAsGroup" in context else ""
        options.append(f"--user={user}{group}")
    if context.get("runAsNonRoot"):
        if user == 0:
            raise CannotStart("CreateContainerConfigError", "container's runAsUser breaks non-root policy")
        of_image = inspected(f"images/{container['image']}")["Config"]["User"]
        if user is None and of_image.split(":")[0] in ("", "0", "root"):
            raise CannotStart("CreateContainerConfigError",
                              "container has runAsNonRoot and image will run as root")
    if context.get("allowPrivilegeEscalation") is False:
        options.append("--security-opt=no-new-privileges")
    if context.get("readOnlyRootFilesystem"):
        options.append("--read-only")
    if context.get("privileged"):
        options.append("--privileged")
    # Without a profile Kubernetes confines nothing; docker's own default is what RuntimeDefault is elsewhere.
    kind = context.get("seccompProfile", {}).get("type", "Unconfined")
    if kind == "Unconfined":
        options.append("--security-opt=seccomp=unconfined")
    elif kind != "RuntimeDefault":
        refuse(f"seccompProfile {kind}")
    return options


def quantity(text):
    number, unit = re.fullmatch(r"(\d+)([KMG]i|[kMG])?", str(text)).groups()
    return int(number) * {None: 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30,
                          "k": 10**3, "M": 10**6, "G": 10**9}[unit]


def cpus(text):
    return float(text[:-1]) / 1000 if str(text).endswith("m") else float(text)


def container_options(pod, container):
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    sandbox = container_id(namespace, name, "pod")
    options = ["--init=false", f"--network=container:{sandbox}", *labels(namespace, name)]
    options += security_options(pod, container)
    if container.get("targetContainerName"):
        options.append(f"--pid=container:{container_id(namespace, name, container['targetContainerName'])}")
    elif pod["spec"].get("shareProcessNamespace"):
        options.append(f"--pid=container:{sandbox}")
    for variable in container.get("env", []):
        known({"name", "value"}, variable, "env")
        options.append(f"--env={variable['name']}={variable['value']}")
    resources = container.get("resources", {})
    limits = resources.get("limits", {})
    known({"memory", "cpu", "ephemeral-storage"}, limits, "limits")
    if "memory" in limits:
        options.append(f"--memory={quantity(limits['memory'])}")
    if "cpu" in limits:
        options.append(f"--cpus={cpus(limits['cpu'])}")
    volumes = {volume["name"] for volume in pod["spec"].get("volumes", [])}
    for mount in container.get("volumeMounts", []):
        known({"name", "mountPath", "readOnly"}, mount, "volumeMounts")
        if mount["name"] not in volumes:
            fail(f"The Pod is invalid: volumeMounts.name: Not found: {mount['name']}")
        options.append(f"--volume={sandbox}-{mount['name']}:{mount['mountPath']}" +
                       (":ro" if mount.get("readOnly") else ""))
    return options


def start_container(pod, container):
    """Make and start one container of a pod. What stops it from starting becomes its status, as with a kubelet."""
    known(CONTAINER_FIELDS, container, "container")
    identity = container_id(pod["metadata"]["namespace"], pod["metadata"]["name"], container["name"])
    try:
        if not inspected(f"images/{container['image']}"):
            raise CannotStart("ErrImagePull", f'failed to pull and unpack image "docker.io/{container["image"]}": pull '
                                              'access denied, repository does not exist or may require authorization')
        words = ["--name", identity, *container_options(pod, container)]
        command = container.get("command", [])
        if command:
            words += ["--entrypoint", command[0]]
        words += [container["image"], *command[1:], *container.get("args", [])]
        if container.get("stdin") and not container.get("stdinOnce"):
            done = docker("run", "-d", "-i", *words, check=False)
        else:  # 'create -i' alone gives stdinOnce
            done = docker("create", *(["-i"] if container.get("stdin") else []), *words, check=False)
            if done.returncode == 0:
                done = docker("start", identity, check=False)
        if done.returncode != 0:
            raise CannotStart("RunContainerError", done.stderr.strip().splitlines()[-1])
    except CannotStart as error:
        container["cannot-start"] = {"reason": error.reason, "message": error.message}


def volume_options(volume):
    known({"name", "emptyDir"}, volume, "volume")
    known({"sizeLimit", "medium"}, volume["emptyDir"], "emptyDir")
    # Where a kubelet evicts the pod that goes over the limit, here the disk is full: what stays below fits in both.
    size = f",size={quantity(volume['emptyDir']['sizeLimit'])}" if "sizeLimit" in volume["emptyDir"] else ""
    return ["--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", f"o=mode=777{size}"]


def make_pod(pod):
    """All containers of a new pod, in the order in which a kubelet starts them."""
    spec, metadata = pod["spec"], pod["metadata"]
    spec.setdefault("nodeName", NODE)
    known(POD_FIELDS, spec, "spec")
    known({"name", "namespace", "labels", "annotations"}, metadata, "metadata")
    if spec["nodeName"] != NODE:
        refuse(f"there is no node {spec['nodeName']}")
    sandbox = container_id(metadata["namespace"], metadata["name"], "pod")
    network = "host" if spec.get("hostNetwork") else "bridge"
    names = [] if network == "host" else ["--hostname", metadata["name"]]
    docker("run", "-d", "-i", "--name", sandbox, "--network", network, *names,
           *labels(metadata["namespace"], metadata["name"]), "--user=65534", "--cap-drop=ALL",
           "--entrypoint=/usr/bin/tarcap", os.environ.get("STAND_IN_PAUSE", "tarcap:latest"), "join", "--check")
    for volume in spec.get("volumes", []):
        docker("volume", "create", *volume_options(volume), f"{sandbox}-{volume['name']}")
    for container in spec.get("initContainers", []):
        if container.get("restartPolicy") != "Always":
            refuse("an initContainer that isn't a sidecar")
        start_container(pod, container)
    for container in spec["containers"]:
        start_container(pod, container)
    for container in spec["containers"]:
        if "readinessProbe" in container:
            start_probe(sandbox, container["readinessProbe"])


def start_probe(sandbox, probe):
    """A kubelet's probes are traffic: a process of our own connects to the pod until the pod is gone."""
    known({"tcpSocket", "periodSeconds"}, probe, "readinessProbe")
    address = address_of(sandbox)
    subprocess.Popen([sys.executable, "-B", Path(__file__).with_name("stand_in.py"), "--probe", sandbox, address,
                      str(probe["tcpSocket"]["port"]), str(probe.get("periodSeconds", 10))], start_new_session=True,
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def probe(sandbox, address, port, period):
    rounds = 0
    while rounds % 5 or container_state(sandbox):
        rounds += 1
        try:
            socket.create_connection((address, int(port)), timeout=1).close()
        except OSError:
            pass
        time.sleep(float(period))


def statuses(pod, containers):
    made = []
    for container in containers:
        status = {"name": container["name"], "image": container["image"], "restartCount": 0}
        if "cannot-start" in container:
            status["state"] = {"waiting": container["cannot-start"]}
        else:
            identity = container_id(pod["metadata"]["namespace"], pod["metadata"]["name"], container["name"])
            status["containerID"] = f"{os.environ.get('STAND_IN_RUNTIME', 'docker')}://{identity}"
            state = container_state(identity) or {"Running": False, "ExitCode": 137}
            if state["Running"]:
                status["state"] = {"running": {"startedAt": state["StartedAt"]}}
            else:
                code = state["ExitCode"]
                status["state"] = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}
        made.append(status)
    return made


def with_status(pod):
    """The object as 'get' shows it."""
    spec = pod["spec"]
    main = statuses(pod, spec["containers"])
    status = {"containerStatuses": main,
              "initContainerStatuses": statuses(pod, spec.get("initContainers", [])),
              "ephemeralContainerStatuses": statuses(pod, spec.get("ephemeralContainers", []))}
    if any("waiting" in one["state"] for one in main + status["initContainerStatuses"]):
        status["phase"] = "Pending"
    elif any("running" in one["state"] for one in main):
        status["phase"] = "Running"
    elif spec.get("restartPolicy", "Always") != "Never":
        refuse(f"pod {pod['metadata']['name']} has ended, and a kubelet would restart it")
    else:
        failed = any(one["state"]["terminated"]["exitCode"] for one in main)
        status["phase"] = "Failed" if failed else "Succeeded"
    sandbox = container_id(pod["metadata"]["namespace"], pod["metadata"]["name"], "pod")
    address = address_of(sandbox)
    if address:
        status["podIP"] = address
    return {**pod, "status": status}
