"""What tests/k8s/kubectl runs: a stand-in for kubectl and a cluster behind it, with the local Docker engine.

A pod is a container that idles and holds the network, and the pod's containers beside it in that network; exec,
attach and logs are docker's. So everything inside the containers is real: image, processes, capabilities, namespaces,
streams. The cluster is not: there is no API server, no RBAC, no admission, no kubelet that restarts or evicts.

Rule: what it cannot do as a cluster would, it refuses with status 99 and a line that begins 'stand-in:'. Fields,
flags and kinds it doesn't know are refused too. README.md beside this file's directory lists what differs all the same.

Environment:
  STAND_IN_STATE   directory of its state (required; empty at first)
  STAND_IN_PAUSE   image of the container that holds a pod's network: tarcap's (it runs 'tarcap join' on an open stdin)
  STAND_IN_DENY    what nobody may: "patch pods/ephemeralcontainers,create pods/exec"; 'auth can-i' says no to it, and
                   get, watch, debug and create refuse it in the API server's words
  STAND_IN_LOG     a file that gets a line for each command: its words, as JSON
  STAND_IN_REFUSE  'NET_RAW': 'debug' refuses the capability, in the words of Pod Security baseline;
                   'allowPrivilegeEscalation': it refuses all but false, in words like Kyverno's; or both, with a comma
  STAND_IN_RUNTIME what the pods' containers seem to be run by (docker); it changes nothing but their containerID
  STAND_IN_WITHOUT a capability that the runtime does not give by itself: NET_RAW, as with CRI-O
  STAND_IN_OLD     'custom' or 'profile': 'debug' knows no --custom, or no --profile either, as older clients
"""

import ctypes
import fcntl
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import yaml

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
        of_image = docker("image", "inspect", "--format", "{{.Config.User}}", container["image"]).stdout.strip()
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
        if docker("image", "inspect", container["image"], check=False).returncode != 0:
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
    address = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", sandbox).stdout.strip()
    subprocess.Popen([sys.executable, "-B", __file__, "--probe", sandbox, address, str(probe["tcpSocket"]["port"]),
                      str(probe.get("periodSeconds", 10))], start_new_session=True, stdin=subprocess.DEVNULL,
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def probe(sandbox, address, port, period):
    rounds = 0
    while rounds % 5 or docker("inspect", sandbox, check=False).returncode == 0:
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
            done = docker("inspect", "--format", "{{json .State}}", identity, check=False)
            state = json.loads(done.stdout) if done.returncode == 0 else {"Running": False, "ExitCode": 137}
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
    done = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", sandbox, check=False)
    if done.stdout.strip():
        status["podIP"] = done.stdout.strip()
    return {**pod, "status": status}


# --- jsonpath ---------------------------------------------------------------------------------------------------

STEP = re.compile(r"""\.(?P<field>\w+)|\[\?\(@\.(?P<key>\w+)\s*==\s*"(?P<value>[^"]*)"\)\]|\[(?P<index>\*|\d+)\]""")


def select_path(node, path):
    """All that a path like .a.b[*].c[?(@.name=="x")] leads to."""
    found, at = [node], 0
    while at < len(path):
        step = STEP.match(path, at)
        if not step:
            refuse(f"jsonpath: {path[at:]} is not known")
        at = step.end()
        if step["field"]:
            found = [one[step["field"]] for one in found if isinstance(one, dict) and step["field"] in one]
            continue
        found = [item for one in found if isinstance(one, list) for item in one] if step["index"] != "0" else \
            [one[0] for one in found if isinstance(one, list) and one]
        if step["key"]:
            found = [item for item in found if item.get(step["key"]) == step["value"]]
    return found


def text_of(value):
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def jsonpath(template, root):
    pieces = re.findall(r'\{(?:[^{}"]|"(?:\\.|[^"\\])*")*\}|[^{]+', template)

    def produce(pieces, node):
        out, at = "", 0
        while at < len(pieces):
            piece = pieces[at]
            at += 1
            inner = piece[1:-1].strip() if piece.startswith("{") else None
            if inner is None:
                out += piece
            elif inner.startswith("range "):
                depth, end = 1, at
                while depth:
                    word = pieces[end].strip("{} ")
                    depth += word.startswith("range ") - (word == "end")
                    end += 1
                for item in select_path(node, inner[6:].strip()):
                    out += produce(pieces[at:end - 1], item)
                at = end
            elif inner.startswith('"'):
                out += json.loads(inner)
            else:
                out += " ".join(map(text_of, select_path(node, inner)))
        return out
    return produce(pieces, root)


def show(found, how, kind):
    """What 'get' prints: found is one object or a list of them."""
    if how == "json":
        print(json.dumps(found, indent=4))
    elif how == "name":
        for one in found.get("items", [found]):
            print(f"{kind}/{one['metadata']['name']}")
    elif how.startswith("jsonpath="):
        sys.stdout.write(jsonpath(how[9:], found))
    elif how:
        refuse(f"get -o {how}")
    else:
        for one in found.get("items", [found]):
            print(one["metadata"]["name"], one.get("status", {}).get("phase", ""))


# --- the command line -------------------------------------------------------------------------------------------

class Arguments:
    """Flags of one command; valued and switches say which there are."""

    GLOBAL = {"-n": "--namespace", "--namespace": "--namespace", "--context": "--context",
              "--request-timeout": "--request-timeout"}

    def __init__(self, words, valued=(), switches=(), short=None):
        short = short or {}
        self.flags, self.words, self.command = {}, [], []
        words = list(words)
        while words:
            word = words.pop(0)
            if word == "--":
                self.command = words
                break
            if not word.startswith("-") or word == "-":
                self.words.append(word)
                continue
            flag, equals, value = word.partition("=")
            if re.fullmatch(r"-[a-z]{2,}", flag):  # -qi
                words = [f"-{letter}" for letter in flag[1:]] + words
                continue
            flag = short.get(flag, self.GLOBAL.get(flag, flag))
            if flag in switches:
                self.flags[flag] = value if equals else "true"
            elif flag in valued or flag in self.GLOBAL:
                if not equals and not words:
                    fail(f"error: flag needs an argument: {flag}")
                self.flags[flag] = value if equals else words.pop(0)
            else:
                refuse(f"the flag {flag} is not known")
        self.namespace = self.flags.get("--namespace", "default")

    def has(self, flag):
        return self.flags.get(flag, "false") == "true"

    def get(self, flag, default=""):
        return self.flags.get(flag, default)


def named_pod(word):
    """(namespace or None, name) of what names a pod."""
    kind, slash, name = word.rpartition("/")
    if slash and kind not in ("pod", "pods", "po"):
        refuse(f"'{word}' is not a pod")
    return name


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: kubectl would be one process


def stream(*words, **more):
    """A docker client that is one with us: a signal reaches only us, and when we are killed, it is."""
    return subprocess.Popen(["docker", *words], preexec_fn=die_with_parent, start_new_session=True, **more)


def duration(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)?", text).groups()
    return int(number) * {"ms": 0.001, None: 1, "s": 1, "m": 60, "h": 3600}[unit]


# --- commands ---------------------------------------------------------------------------------------------------

def version(state, words):
    Arguments(words, valued=["-o"])
    print(json.dumps({"clientVersion": {"gitVersion": "v0.0.0-stand-in"},
                      "serverVersion": {"gitVersion": "v0.0.0-stand-in"}}))


def auth(state, words):
    given = Arguments(words, valued=["--subresource"], switches=["-q"])
    if given.words[:1] != ["can-i"] or len(given.words) != 3:
        refuse(f"auth {' '.join(words)}")
    _, verb, resource = given.words
    if given.get("--subresource"):
        resource += "/" + given.get("--subresource")
    no = denied(verb, resource)
    print("no" if no else "yes")
    return int(no)


def selected(pods, selector):
    wanted = dict(pair.split("=", 1) for pair in selector.replace("==", "=").split(",")) if selector else {}
    return [pod for _, pod in sorted(pods.items())
            if wanted.items() <= pod["metadata"].get("labels", {}).items()]


def get(state, words):
    given = Arguments(words, valued=["-o", "-l", "--field-selector"], switches=["--ignore-not-found", "-w"],
                      short={"--output": "-o", "--selector": "-l", "--watch": "-w"})
    kind, _, name = given.words[0].partition("/")
    names = [name] if name else given.words[1:]
    if kind in ("node", "nodes"):
        get_nodes(names, given)
    elif kind in ("pod", "pods"):
        may("list" if not names else "get", "pods", given.namespace, *names[:1])
        get_pods(state, names, given)
    elif kind in ("event", "events"):
        may("list", "events", given.namespace)
        show({"items": events(state, given)}, given.get("-o"), "event")
    elif kind in ("namespace", "namespaces"):
        for namespace in names:
            if namespace not in state.read():
                fail(f'Error from server (NotFound): namespaces "{namespace}" not found')
    else:
        refuse(f"get {kind}")


def get_nodes(names, given):
    for name in names:
        if name != NODE:
            fail(f'Error from server (NotFound): nodes "{name}" not found')
    node = {"metadata": {"name": NODE}, "status": {}}
    show(node if names else {"items": [node]}, given.get("-o"), "node")


def get_pods(state, names, given):
    if given.has("-w"):
        watch(state, names, given)
    elif len(names) == 1:
        show(with_status(state.pod(given.namespace, names[0])), given.get("-o"), "pod")
    else:
        pods = state.read().get(given.namespace, {})
        found = [pods[name] for name in names if name in pods] if names else selected(pods, given.get("-l"))
        show({"items": [with_status(pod) for pod in found]}, given.get("-o"), "pod")
        missing = [f'Error from server (NotFound): pods "{name}" not found' for name in names if name not in pods]
        if missing:
            fail("\n".join(missing))


def watch(state, names, given):
    """Each state of one pod, until --request-timeout or the end of whoever reads."""
    if len(names) != 1 or not given.get("-o"):
        refuse("get --watch is for one pod here, with -o")
    may("watch", "pods", given.namespace, names[0])
    timeout, last = duration(given.get("--request-timeout", "0")), None
    end = time.monotonic() + (timeout or 3600)
    while time.monotonic() < end:
        pod = with_status(state.pod(given.namespace, names[0]))
        if pod != last:
            show(pod, given.get("-o"), "pod")
            sys.stdout.flush()
            last = pod
        time.sleep(0.1)


def events(state, given):
    """What a kubelet would have said of containers that cannot start."""
    wanted = dict(pair.split("=") for pair in given.get("--field-selector").split(","))
    known({"involvedObject.name", "reason"}, wanted, "--field-selector")
    pod = state.read().get(given.namespace, {}).get(wanted["involvedObject.name"], {"spec": {}})
    return [{"metadata": {"name": container["name"]}, "message": f'Failed to pull image "{container["image"]}": '
             f'{container["cannot-start"]["message"]}'} for field in ("containers", "ephemeralContainers")
            for container in pod["spec"].get(field, []) if "cannot-start" in container]


def store(state, namespace, item):
    """One object of a manifest."""
    metadata = item["metadata"]
    if item["kind"] == "Namespace":
        with state.change() as content:
            content.setdefault(metadata["name"], {})
        print(f"namespace/{metadata['name']} created")
        return
    if item["kind"] != "Pod":
        refuse(f"there is no {item['kind']} here: only a cluster has that")
    metadata.setdefault("namespace", namespace)
    with state.change() as content:
        if metadata["namespace"] not in content:
            fail(f'Error from server (NotFound): namespaces "{metadata["namespace"]}" not found')
        if metadata["name"] in content[metadata["namespace"]]:
            fail(f'Error from server (AlreadyExists): pods "{metadata["name"]}" already exists')
        make_pod(item)
        content[metadata["namespace"]][metadata["name"]] = item
    print(f"pod/{metadata['name']} created")


def create(state, words):
    given = Arguments(words, valued=["-f", "-o", "--dry-run", "--validate"])
    if given.words[:1] == ["namespace"]:
        return store(state, "", {"kind": "Namespace", "metadata": {"name": given.words[1]}})
    if given.words or not given.get("-f"):
        refuse(f"create {' '.join(words)}")
    may("create", "pods", given.namespace)
    text = sys.stdin.read() if given.get("-f") == "-" else Path(given.get("-f")).read_text()
    if given.get("--dry-run"):
        return pretend(state, given, [item for item in yaml.safe_load_all(text) if item])
    for item in yaml.safe_load_all(text):
        if item:
            store(state, given.namespace, item)


def apply(state, words):
    if any(word.startswith("--dry-run") for word in words):
        refuse("apply --dry-run needs an API server")
    return create(state, words)


def pretend(state, given, items):
    """--dry-run=server, as far as it needs no API server: for a pod that could be made here."""
    for item in items:
        if given.get("--dry-run") != "server" or item["kind"] != "Pod" or "name" not in item["metadata"]:
            refuse(f"--dry-run={given.get('--dry-run')} of a {item['kind']} needs an API server")
        known(POD_FIELDS, item["spec"], "spec")
        for container in item["spec"]["containers"]:
            known(CONTAINER_FIELDS, container, "container")
        if given.namespace not in state.read():
            fail(f'Error from server (NotFound): namespaces "{given.namespace}" not found')
        print(f"pod/{item['metadata']['name']}")


def remove(pods):
    """End all containers of these pods together, each with its pod's grace, and remove what they had."""
    ends = []
    for pod in pods:
        label = f"label=stand-in={pod['metadata']['namespace']}/{pod['metadata']['name']}"
        sandbox = container_id(pod["metadata"]["namespace"], pod["metadata"]["name"], "pod")
        found = docker("ps", "-q", "--format", "{{.Names}}", "--filter", label).stdout.split()
        found = [name for name in found if name != sandbox]
        grace = str(pod["spec"].get("terminationGracePeriodSeconds", 30))
        for identity in found:
            # (The one that holds the network ends last; its process 1 ignores SIGTERM.)
            ends.append(subprocess.Popen(["docker", "stop", "-t", grace, identity], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    for end in ends:
        end.wait(120)
    left, volumes = [], []
    for pod in pods:
        label = f"label=stand-in={pod['metadata']['namespace']}/{pod['metadata']['name']}"
        sandbox = container_id(pod["metadata"]["namespace"], pod["metadata"]["name"], "pod")
        left += docker("ps", "-aq", "--filter", label).stdout.split()
        volumes += [f"{sandbox}-{volume['name']}" for volume in pod["spec"].get("volumes", [])]
    if left:
        docker("rm", "-f", *left, check=False)
    if volumes:
        docker("volume", "rm", "-f", *volumes, check=False)


def delete(state, words):
    given = Arguments(words, valued=["--wait", "--grace-period", "--timeout"],
                      switches=["--ignore-not-found", "--now", "--force"])
    kind, _, name = given.words[0].partition("/")
    names = [name] if name else given.words[1:]
    with state.change() as content:
        if kind in ("pod", "pods"):
            gone = []
            for name in names:
                pod = content.get(given.namespace, {}).pop(name, None)
                if pod is None and not given.has("--ignore-not-found"):
                    fail(f'Error from server (NotFound): pods "{name}" not found')
                if pod is not None:
                    gone.append(pod)
                    print(f'pod "{name}" deleted')
        elif kind == "namespace":
            gone = [pod for name in names for pod in content.pop(name, {}).values()]
        else:
            refuse(f"delete {kind}")
    if given.get("--wait", "true") == "false" and os.fork():
        return 0
    if given.get("--wait", "true") == "false":
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
    remove(gone)
    return 0


def await_jsonpath(state, given, pod, path):
    path, equals, value = re.fullmatch(r"(\{.*\})(=?)(.*)", path).groups()
    end = time.monotonic() + duration(given.get("--timeout", "30s"))
    while True:
        found = jsonpath(path, with_status(state.pod(given.namespace, pod)))
        if found == value if equals else found != "":
            print(f"pod/{pod} condition met")
            return 0
        if time.monotonic() > end:
            fail(f"error: timed out waiting for the condition on pods/{pod}")
        time.sleep(0.1)


def wait(state, words):
    given = Arguments(words, valued=["--for", "--timeout"])
    kind, _, path = given.get("--for").partition("=")
    if kind != "jsonpath":
        refuse(f"wait --for={given.get('--for')}")
    for pod in given.words:
        if pod not in ("pod", "pods"):
            await_jsonpath(state, given, named_pod(pod), path)


DEBUG_HELP = """Debug cluster resources (stand-in).
Options:
"""


def debug(state, words):
    old = os.environ.get("STAND_IN_OLD", "")
    if "--help" in words:
        print(DEBUG_HELP + ("" if old == "profile" else "    --profile='legacy':\n") +
              ("" if old else "    --custom='':\n"))
        return 0
    given = Arguments(words, valued=["--image", "--profile", "--custom", "-c", "--target", "--env"],
                      switches=["-q", "-i", "--attach"],
                      short={"--quiet": "-q", "--stdin": "-i", "--container": "-c"})
    for flag, unknown in (("--custom", old), ("--profile", old == "profile")):
        if given.get(flag) and unknown:
            fail(f"error: unknown flag: {flag}\nSee 'kubectl debug --help' for usage.")
    if not (given.get("-c") and given.has("-q")):
        refuse("debug without -c NAME and -q: kubectl's stdout would carry chatter")
    if given.words[0].startswith("node/"):
        refuse("debug node/: only for pods")
    container = {"name": given.get("-c"), "image": given.get("--image"), "command": given.command}
    profile = given.get("--profile", "legacy")
    if profile == "netadmin":
        container["securityContext"] = {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}}
    elif profile == "sysadmin":
        container["securityContext"] = {"privileged": True}
    elif profile == "restricted":
        container["securityContext"] = {"capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
                                        "allowPrivilegeEscalation": False,
                                        "seccompProfile": {"type": "RuntimeDefault"}}
    elif profile not in ("legacy", "general", "baseline"):
        fail(f"error: unknown profile: {profile}")
    if profile == "general":
        container["securityContext"] = {"capabilities": {"add": ["SYS_PTRACE"]}}
    if given.get("--env"):
        name, _, value = given.get("--env").partition("=")
        container["env"] = [{"name": name, "value": value}]
    if given.get("--custom"):
        custom = yaml.safe_load(Path(given.get("--custom")).read_text())
        for field in ("name", "command", "image", "lifecycle", "volumeDevices"):
            if field in custom:
                fail(f"error: invalid custom profile: {field} cannot be set")
        context = {**container.get("securityContext", {}), **custom.pop("securityContext", {})}
        container.update(custom)
        container["securityContext"] = context
    if given.has("-i"):
        container["stdin"] = True
    if given.get("--target"):
        container["targetContainerName"] = given.get("--target")
    added = container.get("securityContext", {}).get("capabilities", {}).get("add", [])
    pod = named_pod(given.words[0])
    may("patch", "pods/ephemeralcontainers", given.namespace, pod)
    refused = os.environ.get("STAND_IN_REFUSE", "").split(",")
    if "NET_RAW" in refused and "NET_RAW" in added:
        fail(f'Error from server (Forbidden): pods "{pod}" is forbidden: violates PodSecurity "baseline:latest": '
             f'non-default capabilities (container "{container["name"]}" must not include "NET_RAW" in '
             'securityContext.capabilities.add)')
    if "allowPrivilegeEscalation" in refused and \
            container.get("securityContext", {}).get("allowPrivilegeEscalation") is not False:
        fail('Error from server: admission webhook "validate.kyverno.svc-fail" denied the request:\n\n'
             f"resource Pod/{given.namespace}/{pod} was blocked due to the following policies\n\n"
             "disallow-privilege-escalation:\n"
             "  privilege-escalation: 'validation error: Privilege escalation is disallowed. The fields "
             "spec.ephemeralContainers[*].securityContext.allowPrivilegeEscalation must be set to `false`.'")
    known(CONTAINER_FIELDS, container, "container")
    add_ephemeral(state, given.namespace, pod, container)
    if given.has("-i") or given.has("--attach"):
        time.sleep(ATTACH_DELAY)
        return attach_to(container_id(given.namespace, pod, container["name"]), given.has("-i"), container)
    return 0


def add_ephemeral(state, namespace, pod_name, container):
    with state.change() as content:
        pod = content.get(namespace, {}).get(pod_name)
        if pod is None:
            fail(f'Error from server (NotFound): pods "{pod_name}" not found')
        lists = ("containers", "initContainers", "ephemeralContainers")
        if any(one["name"] == container["name"] for field in lists for one in pod["spec"].get(field, [])):
            fail(f'error: container name "{container["name"]}" is already in use')
        start_container(pod, container)
        pod["spec"].setdefault("ephemeralContainers", []).append(container)


def find_container(state, namespace, name, wanted):
    """The docker name and the settings of a running container."""
    pod = state.pod(namespace, name)
    everyone = [one for field in ("containers", "initContainers", "ephemeralContainers")
                for one in pod["spec"].get(field, [])]
    wanted = wanted or pod["spec"]["containers"][0]["name"]
    for container in everyone:
        if container["name"] == wanted:
            return container_id(namespace, name, wanted), container
    fail(f"error: container {wanted} is not valid for pod {name}")


def is_running(identity):
    done = docker("inspect", "--format", "{{.State.Running}}", identity, check=False)
    return done.stdout.strip() == "true"


def execute(state, words):
    given = Arguments(words, valued=["-c"], switches=["-i", "-q"],
                      short={"--container": "-c", "--stdin": "-i", "--quiet": "-q"})
    if not given.command:
        refuse("exec without -- COMMAND")
    pod = named_pod(given.words[0])
    identity, _ = find_container(state, given.namespace, pod, given.get("-c"))
    if not is_running(identity):
        fail(f'error: Internal error occurred: unable to upgrade connection: container not found ("{given.get("-c")}")')
    interactive = given.has("-i")
    client = stream("exec", *(["-i"] if interactive else []), identity, *given.command,
                    stdin=None if interactive else subprocess.DEVNULL)
    status = client.wait()
    if status == 126 or status == 127:
        fail("error: Internal error occurred: failed to start the command", 1)
    if status:
        print(f"command terminated with exit code {status}", file=sys.stderr)
    return status


def at_end_of_file(descriptor):
    ready, _, _ = select.select([descriptor], [], [], 0)
    return ready and not os.isatty(descriptor) and os.path.realpath(f"/proc/self/fd/{descriptor}") == "/dev/null"


def attach_to(identity, interactive, container):
    if interactive and at_end_of_file(0) and not container.get("stdinOnce"):
        refuse("attach with an stdin at its end, without stdinOnce: containerd drops the output then, docker doesn't")
    if not is_running(identity):  # as kubectl does, silently
        return stream("logs", identity, stderr=subprocess.STDOUT).wait()
    client = stream("attach", "--sig-proxy=false", *([] if interactive else ["--no-stdin"]), identity)
    status = client.wait()
    if status:
        print(f"command terminated with exit code {status}", file=sys.stderr)
    return status


def attach(state, words):
    given = Arguments(words, valued=["-c"], switches=["-i", "-q"],
                      short={"--container": "-c", "--stdin": "-i", "--quiet": "-q"})
    pod = named_pod(given.words[0])
    identity, container = find_container(state, given.namespace, pod, given.get("-c"))
    if given.has("-i") and not container.get("stdin"):
        fail(f"error: Unable to use a TTY - container {container['name']} did not allocate one")
    time.sleep(ATTACH_DELAY)
    return attach_to(identity, given.has("-i"), container)


def logs(state, words):
    given = Arguments(words, valued=["-c", "--tail"])
    identity, _ = find_container(state, given.namespace, named_pod(given.words[0]), given.get("-c"))
    # stdout and stderr of the container are one log, which kubectl writes to its stdout.
    return stream("logs", identity, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT).wait()


def unpack(source, prefix, destination):
    """As kubectl: only members below what was asked for, no links. Returns its exit status."""
    with tarfile.open(fileobj=source, mode="r|") as tar:
        for member in tar:
            if not member.name.startswith(prefix):
                print("error: tar contents corrupted", file=sys.stderr)
                return 1
            rest = os.path.normpath(member.name[len(prefix):].lstrip("/"))
            target = os.path.normpath(os.path.join(destination, rest)) if rest != "." else destination
            if target != destination and not target.startswith(os.path.join(os.path.normpath(destination), "")):
                print(f"warning: file {target} is outside target destination, skipping", file=sys.stderr)
            elif member.isdir():
                os.makedirs(target, exist_ok=True)
            elif not member.isreg():
                print(f"warning: skipping symlink: {target}", file=sys.stderr)
            else:
                os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
                with open(target, "wb") as file:
                    shutil.copyfileobj(tar.extractfile(member), file)
    return 0


def copy(state, words):
    given = Arguments(words, valued=["-c", "--retries"], short={"--container": "-c"})
    source, destination = given.words
    pod, colon, path = source.partition(":")
    if not colon:
        refuse("cp into a container")
    namespace, slash, pod = pod.rpartition("/")
    identity, _ = find_container(state, namespace if slash else given.namespace, pod, given.get("-c"))
    if given.get("--retries", "0") != "0":
        command = ["sh", "-c", f"tar cf - {path} | tail -c+1"]
    else:
        command = ["tar", "cf", "-", path]
    client = stream("exec", identity, *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE)

    # What the command says on stderr comes out of kubectl's stdout.
    def tell():
        for line in client.stderr:
            sys.stdout.write(line.decode("utf-8", "replace"))
            sys.stdout.flush()
    teller = threading.Thread(target=tell)
    teller.start()
    try:
        status = unpack(client.stdout, path.lstrip("/"), destination)
    except tarfile.ReadError as error:  # nothing came, or it was cut
        status = 0 if "empty" in str(error) else 1
        if status:
            print(f"error: {error}", file=sys.stderr)
    client.stdout.close()
    client.wait()
    teller.join(5)
    return status


COMMANDS = {"version": version, "auth": auth, "get": get, "create": create, "apply": apply, "delete": delete,
            "wait": wait, "debug": debug, "exec": execute, "attach": attach, "logs": logs, "cp": copy}


def main(words):
    if words[:1] == ["--probe"]:
        return probe(*words[1:])
    # Global flags may stand before the command.
    leading = []
    while words and words[0].startswith("-"):
        many = 1 if "=" in words[0] else 2
        leading, words = leading + words[:many], words[many:]
    if not words or words[0] not in COMMANDS:
        refuse(f"the command {' '.join(words[:1])} is not known")
    if os.environ.get("STAND_IN_LOG"):
        with open(os.environ["STAND_IN_LOG"], "a", encoding="utf-8") as log:
            log.write(json.dumps(words) + "\n")
    command, words = words[0], words[1:]
    cut = words.index("--") if "--" in words else len(words)
    words = words[:cut] + leading + words[cut:]
    return COMMANDS[command](State(), words) or 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
