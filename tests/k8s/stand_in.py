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

import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from stand_in_pods import (ATTACH_DELAY, CONTAINER_FIELDS, NODE, POD_FIELDS, State, container_id, container_state, denied,
                           docker, fail, known, make_pod, may, probe, refuse, start_container, with_status)
from stand_in_words import Arguments, duration, jsonpath, named_pod, show, stream


def documents(text):
    import yaml  # half of what it takes to start, for a few commands
    return list(yaml.safe_load_all(text))


# --- commands ---------------------------------------------------------------------------------------------------

def version(state, words):
    Arguments(words, valued=["-o"])
    print(json.dumps({"clientVersion": {"gitVersion": "v0.0.0-stand-in"},
                      "serverVersion": {"gitVersion": "v0.0.0-stand-in"}}))


def config(state, words):
    if words != ["current-context"]:
        refuse(f"config {' '.join(words)}")
    print("stand-in")


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
        if not names:
            show({"items": [{"metadata": {"name": name}} for name in sorted(state.read())]}, given.get("-o"), "namespace")
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
        return pretend(state, given, [item for item in documents(text) if item])
    for item in documents(text):
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
        custom = documents(Path(given.get("--custom")).read_text())[0]
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
    state = container_state(identity)
    return bool(state and state["Running"])


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
    import shutil # a thousand starts need neither
    import tarfile
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


COMMANDS = {"version": version, "config": config, "auth": auth, "get": get, "create": create, "apply": apply, "delete": delete,
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
