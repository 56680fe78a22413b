"""k8s/: its files, read and checked offline; the plugin, line by line; the Kubernetes suite over the stand-in."""

import importlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from archive import Archive
from engine import docker
from process import TARCAP, TOP, VERSION, patience, sh, start_process, wait_until

yaml = pytest.importorskip("yaml", reason="needs python3-yaml")

K8S = TOP / "k8s"
STAND_IN = TOP / "tests/k8s"
PLUGIN = K8S / "kubectl-tarcap"
SHELLS = [["dash"], ["busybox", "sh"]]
ALL_SHELLS = [*SHELLS, ["bash", "--posix"]]  # what sh is on a Mac; it tells of each process that was killed
DEFAULT_CAPABILITIES = {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
                        "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}  # of containerd, of Docker
USER = {"runAsUser": 65532, "runAsNonRoot": True}  # the image's own
LEAST = {
    **USER,
    "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]},
    "readOnlyRootFilesystem": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
BASELINE = {**LEAST, "capabilities": {"drop": sorted(DEFAULT_CAPABILITIES - {"NET_RAW"})}}
NO_NEW_PRIVS = {"allowPrivilegeEscalation": False}
ROOT = {"runAsUser": 0, "runAsNonRoot": False}


def documents(name):
    return [document for document in yaml.safe_load_all((K8S / name).read_text()) if document]


def document(name):
    [only] = documents(name)
    return only


def quantity(text):
    number, unit = re.fullmatch(r"(\d+)(Ki|Mi|Gi|M|G)?", text).groups()
    return int(number) << {None: 0, "Ki": 10, "Mi": 20, "Gi": 30, "M": 20, "G": 30}[unit]  # tarcap's M is Mi


# --- the files --------------------------------------------------------------------------------------------------

def test_every_file_is_checked_here():
    """A new file needs a test."""
    known = {"debug-profile.yaml", "debug-profile-baseline.yaml", "debug-profile-no-new-privs.yaml",
             "debug-profile-ceilings.yaml", "sidecar.yaml", "sidecar-plain.yaml", "sidecar-volume.yaml", "rbac.yaml",
             "rbac-node.yaml", "admission-policy.yaml", "krew.yaml", "kubectl-tarcap",
             "plugin",  # which tests/lint compares with kubectl-tarcap
             "README.md"}  # which test_manual.py reads
    assert {path.name for path in K8S.iterdir()} == known


def test_one_version_everywhere():
    """The version of src/base/version.h, wherever an image or the plugin's own version is named; and never :latest."""
    for path in filter(Path.is_file, K8S.rglob("*")):
        text = path.read_text()
        assert set(re.findall(r"\btarcap:(\d[\w.]*)", text)) <= {VERSION}, path
        assert "latest" not in re.findall(r"\btarcap:(\w+)", text), path
    assert f"\nversion={VERSION} " in PLUGIN.read_text()
    assert document("krew.yaml")["spec"]["version"] == f"v{VERSION}"


def no_key_twice(node):
    """yaml would take the last one silently."""
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), keys
        for _, value in node.value:
            no_key_twice(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            no_key_twice(value)


@pytest.mark.parametrize("path", sorted(K8S.glob("*.yaml")), ids=lambda path: path.name)
def test_no_key_stands_twice(path):
    for node in yaml.compose_all(path.read_text()):
        no_key_twice(node)


@pytest.mark.parametrize("name, security, fields", [
    ("debug-profile.yaml", LEAST, set()),
    ("debug-profile-ceilings.yaml", LEAST, {"env"}),
    ("debug-profile-no-new-privs.yaml", {**LEAST, **NO_NEW_PRIVS, **ROOT}, set()),
    ("debug-profile-baseline.yaml", BASELINE, set()),
])
def test_debug_profiles(name, security, fields):
    profile = document(name)
    assert set(profile) == {"stdin", "stdinOnce", "securityContext"} | fields
    assert profile["stdin"] is True and profile["stdinOnce"] is True
    assert profile["securityContext"] == security


def check_pod(pod):
    assert (pod["apiVersion"], pod["kind"]) == ("v1", "Pod")
    spec = pod["spec"]
    assert set(spec) <= {"initContainers", "containers", "volumes", "restartPolicy"}
    everyone = spec.get("initContainers", []) + spec["containers"]
    names = [one["name"] for one in everyone]
    assert len(set(names)) == len(names)
    volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
    for volume in volumes.values():
        assert "sizeLimit" in volume["emptyDir"]
    for one in everyone:
        assert set(one) <= {"name", "image", "command", "env", "resources", "securityContext", "volumeMounts",
                            "restartPolicy"}
        for mount in one.get("volumeMounts", []):
            assert mount["name"] in volumes and mount["mountPath"].startswith("/")
        if not one["image"].startswith("tarcap:"):
            continue
        assert one["image"] == f"tarcap:{VERSION}"
        assert one["securityContext"] == LEAST
        assert one["command"][0] == "tarcap" and all(isinstance(word, str) for word in one["command"])
        requests, limits = one["resources"]["requests"], one["resources"]["limits"]
        assert {"cpu", "memory"} == set(requests) == set(limits)
        # tarcap's pool is 16 MiB, and its pipe and code take some.
        assert 64 << 20 <= quantity(limits["memory"]) <= 128 << 20
        assert quantity(requests["memory"]) <= quantity(limits["memory"])
    return spec, {one["name"]: one for one in everyone}, volumes


def test_native_sidecar():
    spec, containers, volumes = check_pod(document("sidecar.yaml"))
    [sidecar] = spec["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["command"] == ["tarcap", "hold", "--ttl", "0"]
    assert quantity(volumes["captures"]["emptyDir"]["sizeLimit"]) > quantity(sidecar["env"][0]["value"])
    assert [one["name"] for one in spec["containers"]] == ["app"]


def test_plain_sidecar():
    spec, containers, volumes = check_pod(document("sidecar-plain.yaml"))
    assert "initContainers" not in spec and not volumes
    assert containers["tarcap"]["command"] == ["tarcap", "hold", "--ttl", "0"]


def test_volume_sidecar():
    spec, containers, volumes = check_pod(document("sidecar-volume.yaml"))
    assert spec["restartPolicy"] == "Never"  # else an ended capture would begin again over its file
    command = containers["capture"]["command"]
    assert command[command.index("--duration") + 1] == "0"
    limit = quantity(command[command.index("--max-bytes") + 1])
    room = quantity(volumes["captures"]["emptyDir"]["sizeLimit"])
    assert 0.5 * room < limit < 0.95 * room
    [mount] = containers["capture"]["volumeMounts"]
    assert command[command.index("-w") + 1].startswith(mount["mountPath"] + "/")
    assert containers["tarcap"]["volumeMounts"] == [{**mount, "readOnly": True}]


def test_sidecar_commands_are_accepted():
    """What the examples run is what this tarcap takes: options, values, ranges."""
    for name in ("sidecar.yaml", "sidecar-plain.yaml", "sidecar-volume.yaml"):
        for one in document(name)["spec"].get("initContainers", []) + document(name)["spec"]["containers"]:
            if one.get("command", [])[1:2] == ["hold"]:
                done = subprocess.run([TARCAP, *one["command"][1:], "--help"], capture_output=True, text=True)
                assert done.returncode == 0, done.stderr
            elif one["image"].startswith("tarcap:"):
                words = one["command"][1:-2]  # without -w, and with what needs no privilege
                done = subprocess.run([TARCAP, *words, "-d", "tcp"], capture_output=True, text=True)
                assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file, name, rules", [
    ("rbac.yaml", "tarcap-capture", [("pods", ["get", "list", "watch"]), ("pods/ephemeralcontainers", ["patch"]),
                                     ("pods/exec", ["create"])]),
    ("rbac-node.yaml", "tarcap-node", [("pods", ["get", "watch", "create", "delete"]), ("pods/exec", ["create"])]),
])
def test_rbac(file, name, rules):
    role, binding = documents(file)
    assert (role["kind"], binding["kind"]) == ("Role", "RoleBinding")
    assert {role["apiVersion"], binding["apiVersion"]} == {"rbac.authorization.k8s.io/v1"}
    assert [(rule["apiGroups"], rule["resources"], rule["verbs"]) for rule in role["rules"]] == \
        [([""], [resource], verbs) for resource, verbs in rules]
    assert role["metadata"]["name"] == name
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    assert binding["subjects"] == [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name}]
    text = (K8S / file).read_text()
    assert "WARNING" in text and "every byte" in text


def test_admission_policy():
    policies = documents("admission-policy.yaml")
    assert [one["kind"] for one in policies] == ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] * 2
    for policy, binding in zip(policies[::2], policies[1::2]):
        assert policy["apiVersion"] == binding["apiVersion"] == "admissionregistration.k8s.io/v1"
        assert binding["spec"]["policyName"] == policy["metadata"]["name"]
        assert binding["spec"]["validationActions"] == ["Deny"]
        assert binding["spec"]["matchResources"]["namespaceSelector"]["matchLabels"] == {"tarcap-captures": "limited"}
        assert policy["spec"]["failurePolicy"] == "Fail"
        assert policy["spec"]["matchConditions"] == [
            {"name": "of-the-group", "expression": "'tarcap-capture' in request.userInfo.groups"}]
        for rule in policy["spec"]["validations"]:
            assert rule["message"]
            check_expression(rule["expression"])
        for variable in policy["spec"].get("variables", []):
            check_expression(variable["expression"])
    [added] = policies[0]["spec"]["matchConstraints"]["resourceRules"]
    assert (added["operations"], added["resources"]) == (["UPDATE"], ["pods/ephemeralcontainers"])
    [execed] = policies[2]["spec"]["matchConstraints"]["resourceRules"]
    assert (execed["operations"], execed["resources"]) == (["CONNECT"], ["pods/exec", "pods/attach"])
    text = " ".join(rule["expression"] for rule in policies[0]["spec"]["validations"])
    assert f"c.image == 'tarcap:{VERSION}'" in text
    assert "capabilities.drop == ['ALL']" in text and "capabilities.add == ['NET_RAW']" in text
    assert text.count("c.securityContext.runAsNonRoot)") == 2  # that it is said, and true
    ceilings = [f"{one['name']}={one['value']}" for one in document("debug-profile-ceilings.yaml")["env"]]
    assert re.findall(r"'(TARCAP_MAX_\w+=\w+)'", text) == ceilings
    assert f"c.env.size() == {len(ceilings)}" in text


def check_expression(text):
    """No CEL here; but brackets and quotes must close, and a folded line must not have lost a word."""
    bare = re.sub(r"'[^']*'", "''", text)
    stack = []
    for letter in bare:
        if letter in "([":
            stack.append(letter)
        elif letter in ")]":
            assert stack and stack.pop() + letter in ("()", "[]"), text
    assert not stack and "\n" not in text.strip(), text
    assert not re.search(r"(?<!\|)\|(?!\|)|(?<!&)&(?!&)|(?<![=!<>])=(?!=)", bare), text
    assert not re.search(r"\w\s+(?!in\b)\w", re.sub(r"\bin\b", "&&", bare)), text


def test_ceilings_are_accepted():
    """tarcap takes the ceilings that the profile sets, and they are ceilings."""
    profile = document("debug-profile-ceilings.yaml")
    environment = {one["name"]: one["value"] for one in profile["env"]}
    assert sorted(environment) == ["TARCAP_MAX_BYTES", "TARCAP_MAX_DURATION", "TARCAP_MAX_MEMORY", "TARCAP_MAX_SNAPLEN"]
    assert all(isinstance(value, str) for value in environment.values())
    for words, status in [(["-d", "tcp"], 0), (["--duration", "2h", "-d", "tcp"], 2),
                          (["--max-bytes", "5G", "-d", "tcp"], 2), (["--memory", "200M", "-d", "tcp"], 2)]:
        done = subprocess.run([TARCAP, *words], env={**os.environ, **environment}, capture_output=True, text=True)
        assert done.returncode == status, (words, done.stderr)


def test_krew_manifest():
    manifest = document("krew.yaml")
    assert (manifest["apiVersion"], manifest["kind"]) == ("krew.googlecontainertools.github.com/v1alpha2", "Plugin")
    assert manifest["metadata"] == {"name": "tarcap"}
    spec = manifest["spec"]
    assert {"version", "shortDescription", "description", "homepage", "platforms"} <= set(spec)
    assert len(spec["shortDescription"]) <= 50 and not spec["shortDescription"].endswith(".")
    for platform in spec["platforms"]:
        assert {"selector", "uri", "sha256", "bin", "files"} <= set(platform)
        assert re.fullmatch(r"[0-9a-f]{64}", platform["sha256"])
        assert platform["bin"] == "kubectl-tarcap"
        for file in platform["files"]:
            assert (TOP / file["from"]).exists()
    if "example.invalid" in spec["platforms"][0]["uri"]:
        assert "NOT YET PUBLISHED" in (K8S / "krew.yaml").read_text()


# --- the plugin, without a cluster ------------------------------------------------------------------------------

@pytest.fixture(params=SHELLS, ids=lambda words: words[0])
def shell(request):
    return request.param


def script(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def links(directory, *names):
    """A directory of a PATH that has these programs and no others."""
    directory.mkdir(exist_ok=True)
    for name in names:
        (directory / name).symlink_to(shutil.which(name))
    return directory


# All that the plugin runs; and what the stand-in does.
UTILITIES = ("awk", "basename", "cat", "chmod", "date", "dirname", "docker", "grep", "head", "ls", "mkdir", "mkfifo",
             "mktemp", "rm", "sed", "sleep", "tail", "tar", "tr", "wc")


@pytest.fixture
def no_kubectl(tmp_path):
    """A PATH in which kubectl says that it was called, and fails: what needs no cluster must not ask one."""
    path = script(tmp_path / "bin/kubectl", "echo CALLED >&2\nexit 1")
    return {**os.environ, "PATH": f"{path.parent}:{os.environ['PATH']}"}


def plugin(shell, *words, env=None, cwd=None, timeout=60, **more):
    return subprocess.run([*shell, PLUGIN, *map(str, words)], stdin=subprocess.DEVNULL, text=True, capture_output=True,
                          env=env, cwd=cwd, timeout=timeout, **more)


def test_help(shell, no_kubectl):
    done = plugin(shell, "--help", env=no_kubectl)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: kubectl tarcap POD")
    assert all(len(line) <= 120 for line in done.stdout.splitlines())
    assert f"tarcap:{VERSION}" in done.stdout
    done = plugin(shell, "--version", env=no_kubectl)
    assert (done.returncode, done.stdout) == (0, f"kubectl-tarcap {VERSION}\n")


@pytest.mark.parametrize("words, says", [
    ([], "name a POD"),
    (["web", "-l", "app=web"], "not two"),
    (["web", "--node", "n"], "not two"),
    (["deploy/web"], "only pods"),
    (["We_b"], "no name that Kubernetes allows"),
    (["-web"], "unknown flag '-web'"),
    (["web", "--nonsense"], "--nonsense"),
    (["web", "--nonsense", "x"], "--nonsense"),
    (["web", "--nonsense=x"], "--nonsense"),
    (["web", "--force=x"], "--force"),
    (["web", "-n"], "its value is missing"),
    (["web", "-c", "10"], "--count 10"),
    (["web", "--parallel", "0"], "--parallel '0'"),
    (["web", "--parallel", "x"], "--parallel 'x'"),
    (["web", "--timeout", "99999999"], "--timeout"),
    (["web", "--custom", "/no/such"], "cannot be read"),
    (["web", "--image="], "--image"),
    (["--node", "n", "--profile", "netadmin"], "--node"),
    (["web", "api", "-o", "-"], "-o -"),
    (["-l", "app=web", "-o", "-"], "-o -"),
    (["web", "--raw"], "--raw: is what --wireshark asks for"),
    (["web", "--wireshark", "-o", "x.tar"], "--wireshark: writes no file"),
    (["web", "--live", "-o", "-"], "--live: writes no file"),
    (["web", "api", "--live"], "--live: is for one pod"),
    (["-l", "app=web", "--wireshark"], "--wireshark: is for one pod"),
    (["web", "--wireshark=x"], "--wireshark"),
    (["web", "-w", "x.tar"], "-o"),
    (["web", "-r", "x.pcap"], "by hand"),
    (["web", "-D"], "by hand"),
    (["web", "-F", "x"], "after --"),
    (["web", "-it"], "terminal"),
    (["web", "-A"], "-n"),
    (["web", "tcp", "port", "443"], "'tcp' begins a filter and is no pod: put -- before the filter: -- tcp port 443"),
    (["web", "api", "tcp port 443"], "-- tcp port 443"),
    (["web", "-i", "lo", "not", "port", "22"], "-- not port 22"),
    (["web", "host", "10.0.0.1"], "-- host 10.0.0.1"),
    (["web", "(tcp", "or", "udp)"], "-- (tcp or udp)"),
    (["-l", "app=web", "udp"], "'udp' begins a filter"),
    (["--node", "n", "icmp"], "'icmp' begins a filter"),
    (["port", "443"], "'port' begins a filter"),
])
def test_usage_errors(shell, no_kubectl, words, says):
    done = plugin(shell, *words, env=no_kubectl)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    line, hint = done.stderr.splitlines()
    assert line.startswith("kubectl tarcap: ") and says in line
    assert hint == "kubectl tarcap: try 'kubectl tarcap --help'"


def test_a_pod_may_have_the_name_of_a_protocol(no_kubectl):
    done = plugin(["dash"], "--dry-run", "pod/tcp", "web", env=no_kubectl)
    assert done.returncode == 0 and "kubectl exec -i tcp " in done.stdout, done.stdout + done.stderr


def test_every_flag_of_tarcap_is_known(no_kubectl):
    """Passed on, or refused with a hint: a flag that tarcap gains must not be 'unknown' here."""
    text = subprocess.run([TARCAP, "--help"], capture_output=True, text=True, check=True).stdout
    flags = {flag for line in text.splitlines() if re.match(r" +-", line)
             for flag in re.findall(r"(?<![\w-])(--?[A-Za-z][\w-]*)", re.split(r"  +", line.strip(), maxsplit=1)[0])}
    # Flags that share a line there have no long names on it.
    for letter, name, kind in re.findall(r"^\t\{(0|'.'), (NULL|\"[a-z-]+\"), (KIND_\w+)",
                                         (TOP / "src/request/options.c").read_text(), re.M):
        if kind not in ("KIND_NOTHING", "KIND_REFUSED"):
            flags |= {word for word in (f"-{letter[1:2]}", f"--{name[1:-1]}") if len(word) > 1 and word != "--UL"}
    assert {"-i", "--interface", "--duration", "-s", "--list-interfaces", "-O", "--linktype"} <= flags
    for flag in flags - {"-n", "-l", "-Z", "-q", "--quiet", "-c", "-h"}:  # those are kubectl's, or ours
        done = plugin(["dash"], "web", "--dry-run", flag, "1", env=no_kubectl)
        assert "unknown flag" not in done.stderr, (flag, done.stderr)
        if done.returncode == 0 and f"-- tarcap {flag}" not in done.stdout:
            assert flag in ("--version", "--help"), flag


def test_dry_run_asks_no_cluster(shell, no_kubectl):
    done = plugin(shell, "web", "-n", "demo", "--context=prod", "--dry-run", "-ieth0", "--count", 10, "--", "tcp port 443",
                  "and host o'neil", env=no_kubectl)
    assert (done.returncode, done.stderr) == (0, "")
    [name] = set(re.findall(r"tarcap-\d{10}-\d+", done.stdout))
    assert [line for line in done.stdout.splitlines() if line.startswith("kubectl ")] == [
        "kubectl --context=prod -n demo auth can-i create pods --subresource=exec",
        "kubectl --context=prod -n demo auth can-i patch pods --subresource=ephemeralcontainers",
        f"kubectl --context=prod -n demo debug -q web -c {name} --image=tarcap:{VERSION} --profile=baseline "
        "--custom=tarcap-profile.json -- tarcap hold",
        "kubectl --context=prod -n demo wait --timeout=60s "
        f"""'--for=jsonpath={{.status.ephemeralContainerStatuses[?(@.name=="{name}")].state.running}}' pod/web""",
        f"kubectl --context=prod -n demo exec -i web -c {name} -- tarcap -i eth0 -c 10 -- 'tcp port 443' "
        r"'and host o'\''neil' > web.tar",
    ]


def test_dry_run_of_a_selector_and_a_node(shell, no_kubectl):
    done = plugin(shell, "-l", "app in (a,b)", "--dry-run", "-o", "out/", env=no_kubectl)
    assert done.returncode == 0
    assert "kubectl get pods -l 'app in (a,b)' -o name\n" in done.stdout and " > out/POD.tar\n" in done.stdout
    # A directory that is not there is made, as without --dry-run; and nobody else may read what comes.
    assert "\numask 077\nmkdir -p out/\n" in done.stdout
    done = plugin(shell, "web", "--dry-run", "-o", "new/", env=no_kubectl)
    assert "\numask 077\nmkdir -p new/\n" in done.stdout and " > new/web.tar\n" in done.stdout
    done = plugin(shell, "--node", "n1", "--dry-run", "--ttl", "10m", env=no_kubectl)
    assert done.returncode == 0
    [pod] = yaml.safe_load_all(re.search(r"<<'END'\n(.*?)\nEND\n", done.stdout, re.S).group(1))
    assert pod["spec"]["hostNetwork"] is True and pod["spec"]["nodeName"] == "n1"
    assert pod["spec"]["automountServiceAccountToken"] is False and pod["spec"]["activeDeadlineSeconds"] > 3600
    assert not {"hostPID", "hostIPC", "volumes"} & set(pod["spec"])
    [container] = pod["spec"]["containers"]
    assert container["securityContext"] == LEAST
    assert container["command"] == ["tarcap", "hold", "--ttl", "10m"]
    assert "-- tarcap --exclude-stream on > n1.tar" in done.stdout
    assert f"kubectl delete pod {pod['metadata']['name']}" in done.stdout


def test_dry_run_of_a_live_view(shell, tmp_path):
    env = {"PATH": str(links(tmp_path / "bin", "sed", "awk", "date", "cat")), "DISPLAY": ":0"}
    shell = [shutil.which(shell[0]), *shell[1:]]
    for words in (["web"], ["--node", "n1"]):
        done = plugin(shell, *words, "--live", "-i", "eth0", "--dry-run", "--", "port 53", env=env)
        assert (done.returncode, done.stderr) == (0, "")
        excluded = " --exclude-stream on" if words != ["web"] else ""
        assert f" -- tarcap --raw -i eth0{excluded} -- 'port 53' | wireshark -k -i -\n" in done.stdout
        assert "whole?" not in done.stdout
    script(tmp_path / "bin/tshark", "exit 1")
    done = plugin(shell, "web", "--live", "--dry-run", env=env)
    assert " -- tarcap --raw | tshark -l -r -\n" in done.stdout
    # With Wireshark, too, where it could show no window.
    script(tmp_path / "bin/wireshark", "exit 1")
    for name, program in (("DISPLAY", "wireshark -k -i"), ("WAYLAND_DISPLAY", "wireshark -k -i"), ("TERM", "tshark -l -r")):
        done = plugin(shell, "web", "--live", "--dry-run", env={"PATH": env["PATH"], name: "x"})
        assert f" -- tarcap --raw | {program} -\n" in done.stdout, name


def test_dry_run_says_how_to_check(tmp_path):
    """With what is here: tarcap if it is, else tar."""
    env = {"PATH": str(links(tmp_path / "bin", "dash", "sed", "awk", "date", "cat", "tar"))}
    done = plugin([shutil.which("dash")], "web", "--dry-run", "-o", "my file", env=env)
    assert done.stdout.endswith("\ntar tf 'my file' | tail -n 1\n") and "join" not in done.stdout
    (tmp_path / "bin/tarcap").symlink_to(TARCAP)
    done = plugin([shutil.which("dash")], "web", "--dry-run", "-o", "my file", env=env)
    assert done.stdout.endswith("\n# whole?\ntarcap join --check 'my file'\n") and "tar tf" not in done.stdout


def test_no_viewer(shell, no_kubectl, tmp_path):
    """Said before a cluster is asked."""
    path = links(tmp_path / "bin", *UTILITIES)
    shell = [shutil.which(shell[0]), *shell[1:]]
    done = plugin(shell, "web", "--wireshark", env={**no_kubectl, "PATH": str(path)})
    assert done.returncode == 1
    assert done.stderr == "kubectl tarcap: --wireshark: neither wireshark nor tshark is installed here, or in PATH\n"
    script(path / "wireshark", "exit 1")
    env = {name: value for name, value in no_kubectl.items() if not name.endswith("DISPLAY")}
    done = plugin(shell, "web", "--wireshark", env={**env, "PATH": str(path)})
    assert done.returncode == 1
    assert done.stderr == "kubectl tarcap: --wireshark: wireshark has no display here (DISPLAY and WAYLAND_DISPLAY are " \
                          "not set), and tshark is not installed\n"


@pytest.mark.parametrize("words", [["web"], ["-l", "app=web"], ["--node", "n1"]], ids=["pod", "selector", "node"])
def test_kubectl_that_cannot_ask(shell, no_kubectl, tmp_path, words):
    done = plugin(shell, *words, env=no_kubectl, cwd=tmp_path)
    assert done.returncode == 1
    assert "CALLED" in done.stderr and "cannot ask the cluster" in done.stderr
    assert not list(tmp_path.glob("*.tar"))


SAYS = "kubectl tarcap: {}: asking the cluster; a {} of tarcap:" + VERSION + " is {}\n"


@pytest.mark.parametrize("words, what, added, where", [
    (["web", "api"], "web api", "container", "added where no hold runs"),
    (["web", "-n", "shop"], "web in namespace shop", "container", "added where no hold runs"),
    (["-l", "app=web"], "pods that match 'app=web'", "container", "added where no hold runs"),
    (["--node", "n1"], "node n1", "pod", "made there"),
], ids=["pods", "namespace", "selector", "node"])
def test_something_is_said_before_the_cluster_answers(shell, tmp_path, words, what, added, where):
    """A kubectl takes seconds: of which pods, with which image. And a Ctrl-C then is answered, too."""
    path = script(tmp_path / "bin/kubectl", "exec sleep 60")
    env = {**os.environ, "PATH": f"{path.parent}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    process = start_process([*shell, str(PLUGIN), *words], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                            env=env, cwd=tmp_path)
    assert process.stderr.readline() == SAYS.format(what, added, where)
    time.sleep(0.2)  # into the question to the cluster
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(5) == 130
    assert process.stderr.read() == "kubectl tarcap: stopped: nothing was added to the cluster, and no file written\n"
    assert not list(tmp_path.glob("tarcap.*"))


def many_pods(count):
    """What kubectl answers to the question for this many pods."""
    return "".join(f"N web-{n}\\nP Running \\nH n\\nC \\n" for n in range(1, count + 1))


def test_who_waits_for_a_turn_is_said(shell, tmp_path):
    """50 pods at a time; the others before Ctrl-C, and with it."""
    path = script(tmp_path / "bin/kubectl", f"case \" $* \" in *' get pods '*) printf '{many_pods(60)}';; "
                                            "*' auth '*) echo yes;; *) exec sleep 60;; esac")
    env = {**os.environ, "PATH": f"{path.parent}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    with (tmp_path / "stderr").open("w") as stderr:
        process = start_process([*shell, str(PLUGIN), "-l", "app=web"], stdin=subprocess.DEVNULL, stderr=stderr, env=env,
                                cwd=tmp_path)
    waiting = " ".join(f"web-{n}" for n in range(51, 61))

    def said():
        return (tmp_path / "stderr").read_text()
    wait_until(lambda: f"50 pods at a time (--parallel 50), 10 waiting for one to end: {waiting}\n" in said(), 20,
               "who waits")
    os.killpg(process.pid, signal.SIGINT)
    wait_until(lambda: f"kubectl tarcap: not started: {waiting}\n" in said(), 5, "who was not started")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 130, said()
    assert "illed" not in said()


def test_seconds_are_the_clocks(shell, tmp_path):
    """A sleep that takes long, as on a busy machine: neither the waiting nor the seconds shown may be loops."""
    sleep = shutil.which("sleep")
    path = script(tmp_path / "bin/kubectl", "case \" $* \" in *' get pods '*) printf 'N web\\nP Running \\nC \\n';; "
                                            "*' auth '*) echo yes;; esac")
    script(tmp_path / "bin/sleep", f'exec "{sleep}" 3')
    env = {**os.environ, "PATH": f"{path.parent}:{os.environ['PATH']}"}
    before = time.monotonic()
    done = plugin(shell, "web", "--timeout", "14", env=env, cwd=tmp_path)
    passed = time.monotonic() - before
    assert done.returncode == 1 and "the container does not run after 14 s" in done.stderr, done.stderr
    assert 13 < passed < 14 + 3 * 3 + 2, (passed, done.stderr)
    assert re.search("^kubectl tarcap: 1[0-5] s, waiting for the container to run$", done.stderr, re.M), done.stderr


def test_no_kubectl(tmp_path):
    directory = links(tmp_path / "bin", "dash", "sed", "awk", "date", "cat")
    done = plugin([shutil.which("dash")], "web", env={"PATH": str(directory)})
    assert done.returncode == 1
    assert "kubectl is not installed" in done.stderr


# --- the plugin with a real kubectl, up to exec ------------------------------------------------------------------

@pytest.fixture
def api(tmp_path):
    """An environment in which kubectl asks tests/k8s/api.py."""
    if not shutil.which("kubectl"):
        pytest.skip("needs a kubectl in PATH")
    sys.path.insert(0, str(STAND_IN))
    server = importlib.import_module("api").start()
    sys.path.remove(str(STAND_IN))
    (tmp_path / "kubeconfig").write_text(sys.modules["api"].kubeconfig(server))
    yield {**os.environ, "KUBECONFIG": str(tmp_path / "kubeconfig"), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    server.closing = True
    server.shutdown()
    server.server_close()
    assert not list(tmp_path.glob("tarcap.*"))


EXEC = r'.*/namespaces/default/pods/{}/exec\?command=tarcap&command=-c&command=1&container={}&stderr=true&stdin=true&.*'
ROLES = {"pod": "k8s/rbac.yaml has the role to ask for, tarcap-capture",
         "node": "k8s/rbac-node.yaml has the role to ask for, tarcap-node"}


@pytest.mark.parametrize("words, says", [
    (["web"], "kubectl tarcap: web: " + EXEC.format("web", r"tarcap-\d+-\d+")),
    (["web-2", "--image", "tarcap:1"], "kubectl tarcap: web-2: " + EXEC.format("web-2", "old")),
    (["web", "web-2", "nosuch", "--image", "tarcap:1"], 'nosuch  failed     0B  pods "nosuch" not found'),
    (["-l", "app=web", "--image", "tarcap:1"], "web-2  failed     0B  " + EXEC.format("web-2", "old")),
    (["nosuch"], 'kubectl tarcap: pods "nosuch" not found'),
    (["web", "-n", "nosuchns"], 'kubectl tarcap: namespaces "nosuchns" not found'),
    (["web", "--image", "none:1"], r"kubectl tarcap: web: the node cannot get the image none:1 \(ErrImagePull\): --image "
                                   r"names one that it can. pull access denied \| twice"),
    (["web", "--image", "never:1", "--timeout", "3"],
     r"kubectl tarcap: web: the container does not run after 3 s \(ContainerCreating\); --timeout waits longer"),
    (["web", "--image", "denied:1"], "kubectl tarcap: web: no tarcap hold runs there, and you may not patch "
                                     f"pods/ephemeralcontainers; {ROLES['pod']}"),
    (["--node", "n1"], f"kubectl tarcap: you may not create pods; {ROLES['node']}"),
], ids=["adds", "uses", "names", "selector", "no pod", "no namespace", "no image", "never runs", "denied", "node"])
def test_a_real_kubectl_understands(api, tmp_path, words, says):
    before = time.monotonic()
    done = plugin(["dash"], *words, "--count", 1, env=api, cwd=tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(says, done.stderr.splitlines()[-1]), done.stderr
    assert time.monotonic() - before < 30 and not list(tmp_path.glob("*.tar"))


# --- the plugin over the stand-in -------------------------------------------------------------------------------

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"app": "web"}},
       "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
                "containers": [{"name": "app", "image": "tarcap-web",
                                "readinessProbe": {"tcpSocket": {"port": 9}, "periodSeconds": 1}}]}}


class Cluster:
    """A stand-in of one test module, with a pod called web, and another in a namespace for each test."""

    def __init__(self, directory):
        self.directory = directory
        self.env = {**os.environ, "PATH": f"{STAND_IN}:{os.environ['PATH']}", "STAND_IN_STATE": str(directory / "state"),
                    "STAND_IN_PAUSE": f"tarcap:{VERSION}", "TMPDIR": str(directory / "tmp"), "DISPLAY": ":0"}
        (directory / "tmp").mkdir()
        self.count = 0

    def kubectl(self, *words, check=True, **more):
        return sh("kubectl", *words, env=self.env, check=check, **more)

    def make(self, **pod):
        """A namespace with a pod of its own."""
        self.count += 1
        namespace = f"p{os.getpid()}-{self.count}"
        self.kubectl("create", "namespace", namespace)
        path = self.directory / "pod.json"
        path.write_text(json.dumps({**POD, **pod}))
        self.kubectl("-n", namespace, "apply", "-f", path)
        return namespace

    def request(self, namespace, count):
        """Requests to the pod web, until they are answered."""
        address = self.kubectl("-n", namespace, "get", "pod", "web", "-o", "jsonpath={.status.podIP}").stdout
        docker("run", "--rm", "tarcap-web", "get", address, count)

    def containers(self, namespace):
        pod = json.loads(self.kubectl("-n", namespace, "get", "pod", "web", "-o", "json").stdout)
        return pod["spec"].get("ephemeralContainers", [])

    def start(self, shell, *words, cwd, path=None, **more):
        """The plugin in a session of its own, as a terminal's foreground job: a group that gets Ctrl-C."""
        out, err = (open(cwd / name, "wb") for name in ("stdout", "stderr"))
        process = start_process([*shell, str(PLUGIN), *map(str, words)], stdin=subprocess.DEVNULL, cwd=cwd,
                                env={**self.env, "PATH": path or self.env["PATH"]},
                                **{"stdout": out, "stderr": err, **more})
        process.said = lambda: (cwd / "stderr").read_text()
        return process

    def close(self):
        pods = self.directory / "state/pods.json"
        if pods.exists():  # else no test has made one
            self.kubectl("delete", "namespace", *json.loads(pods.read_text()))
        mine = f"label=stand-in-state={self.env['STAND_IN_STATE']}"
        # A pod on a node is deleted without waiting for that.
        wait_until(lambda: not docker("ps", "-aq", "--filter", mine).stdout, 30, "the end of all containers")
        # What the plugin had for itself is gone too, however it ended.
        assert not list((self.directory / "tmp").iterdir())


@pytest.fixture(scope="module")
def cluster(image, web_image, tmp_path_factory):  # noqa: F811
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def web(cluster):
    """A namespace that the tests share; its pod gets one container, which they use again."""
    return cluster.make()


def whole(path):
    return Archive(Path(path).read_bytes()).check()


def test_interrupt_of_the_process_group(shell, cluster, web, tmp_path):
    """Ctrl-C: kubectl, in a group of its own, goes on until the manifest is there."""
    process = cluster.start(shell, "web", "-n", web, cwd=tmp_path)
    wait_until(lambda: "listening on" in process.said(), 20, "a capture")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 0, process.said()
    assert whole(tmp_path / "web.tar").cause == "stdin closed"
    assert "web.tar is whole" in process.said()


@pytest.mark.parametrize("way", [["perl"], []], ids=["perl", "neither"])
def test_interrupt_without_setsid(cluster, web, tmp_path, way):
    """As on macOS: kubectl gets its process group from perl; without that too it starts with SIGINT ignored."""
    directory = links(tmp_path / "bin", *UTILITIES, *way)
    process = cluster.start([shutil.which("dash")], "web", "-n", web, cwd=tmp_path, path=f"{STAND_IN}:{directory}")
    wait_until(lambda: "listening on" in process.said(), 20, "a capture")
    [client] = [Path(f"/proc/{pid}") for pid in re.findall(r"\d+", subprocess.run(
        ["pgrep", "-f", f"stand_in.py --namespace={web} exec"], capture_output=True, text=True).stdout)]
    group = int((client / "stat").read_text().rpartition(")")[2].split()[2])
    assert (group == process.pid) == (way == [])
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 0, process.said()
    whole(tmp_path / "web.tar")


def test_with_nothing_but_busybox(cluster, web, tmp_path):
    """As on Alpine: every utility is busybox's."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in sh("busybox", "--list").stdout.split():
        (directory / name).symlink_to(shutil.which("busybox"))
    (directory / "docker").symlink_to(shutil.which("docker"))
    env = {**cluster.env, "PATH": f"{STAND_IN}:{directory}"}
    done = plugin([directory / "sh"], "web", "-n", web, "--duration", "1s", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "web.tar is whole" in done.stderr
    whole(tmp_path / "web.tar")


@pytest.mark.parametrize("shell", ALL_SHELLS, indirect=True, ids=" ".join)
def test_second_interrupt_gives_up(shell, cluster, web, tmp_path):
    process = cluster.start(shell, "web", "-n", web, cwd=tmp_path)
    wait_until(lambda: "listening on" in process.said(), 20, "a capture")
    os.killpg(process.pid, signal.SIGINT)
    wait_until(lambda: "again to give up" in process.said(), 5, "its answer")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) == 130, process.said()
    assert "given up" in process.said()
    # And no word of the shell's about what it has killed.
    assert all(re.match("kubectl tarcap: |tarcap: ", line) for line in process.said().splitlines()), process.said()


@pytest.mark.parametrize("shell", ALL_SHELLS, indirect=True, ids=" ".join)
def test_interrupt_before_the_capture_begins(shell, cluster, tmp_path):
    """While the container is waited for: the wait ends at once, and what stays is named."""
    namespace = cluster.make()
    path = script(tmp_path / "bin/kubectl", "case \" $* \" in *' --watch '*) exec sleep 60;; esac\n"
                                            f'exec "{STAND_IN}/kubectl" "$@"')
    process = cluster.start(shell, "web", "-n", namespace, "-c", "tarcap-x", cwd=tmp_path,
                            path=f"{path.parent}:{cluster.env['PATH']}")
    wait_until(lambda: cluster.containers(namespace), 20, "the container")
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) == 1, process.said()
    assert "kubectl tarcap: stopping before the capture has begun (again to give up)\n" in process.said()
    assert all(line.startswith("kubectl tarcap: ") for line in process.said().splitlines()), process.said()
    assert process.said().endswith("stopped before the capture began; the container tarcap-x stays there, idle, until its "
                                   "--ttl\n")
    assert not list(tmp_path.glob("*.tar"))


def test_questions_to_the_cluster(shell, cluster, tmp_path):
    """Each costs a person who waits a third of a second: so many, and no more, until it listens."""
    namespace, log = cluster.make(), tmp_path / "log"
    env = {**cluster.env, "STAND_IN_LOG": str(log)}
    done = plugin(shell, "web", "-n", namespace, "--count", 1, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr

    def asked():
        commands = sorted(json.loads(line) for line in log.read_text().splitlines())
        log.unlink()
        return [" ".join(words[:2]) for words in commands], commands
    kinds, commands = asked()
    assert kinds == ["auth can-i", "debug -q", "exec -i", "get pod", "get pods"]
    assert "--watch" in commands[3]
    done = plugin(shell, "web", "-n", namespace, "--count", 1, "--force", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert asked()[0] == ["auth can-i", "exec -i", "get pods"]


def test_flags_of_the_questions_are_kubectls(cluster, tmp_path):
    """What the stand-in was asked, put to a real kubectl: with --help it still refuses a flag that it does not know."""
    kubectl = shutil.which("kubectl")
    if not kubectl:
        pytest.skip("needs a kubectl in PATH")
    log = tmp_path / "log"
    env, namespace = {**cluster.env, "STAND_IN_LOG": str(log)}, cluster.make()
    for words, status in [(["web", "--count", 1], 0), (["--node", "stand-in", "-i", "lo", "--duration", "1s"], 0),
                          (["-l", "app=web", "--image", "nowhere/tarcap:1", "-o", "other.tar/"], 1), (["nosuch"], 1)]:
        done = plugin(["dash"], *words, "-n", namespace, env=env, cwd=tmp_path)
        assert done.returncode == status, done.stderr
    asked = {tuple(json.loads(line)) for line in log.read_text().splitlines()}
    assert len({words[:2] for words in asked}) >= 8
    for words in asked:
        cut = words.index("--") if "--" in words else len(words)
        done = sh(kubectl, *words[:cut], "--help", check=False)
        assert done.returncode == 0, (words, done.stderr)
    assert sh(kubectl, "get", "pods", "--no-such-flag", "--help", check=False).returncode != 0


def test_who_may_not_watch_captures_all_the_same(cluster, tmp_path):
    done = plugin(["dash"], "web", "-n", cluster.make(), "--count", 1, env={**cluster.env, "STAND_IN_DENY": "watch pods"},
                  cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    whole(tmp_path / "web.tar")


def test_terminate_ends_cleanly_too(cluster, web, tmp_path):
    process = cluster.start(["dash"], "web", "-n", web, cwd=tmp_path)
    wait_until(lambda: "listening on" in process.said(), 20, "a capture")
    process.terminate()
    assert process.wait(20) == 0, process.said()
    whole(tmp_path / "web.tar")


def test_killed_client_leaves_no_capture(cluster, web, tmp_path):
    """SIGKILL: the FIFO's only writer is gone, so the captures end."""
    process = cluster.start(["dash"], "web", "-n", web, cwd=tmp_path)
    wait_until(lambda: "listening on" in process.said(), 20, "a capture")
    time.sleep(1.5)
    process.kill()
    wait_until(lambda: (tmp_path / "web.tar").read_bytes()[-1024:] == bytes(1024), 10, "the archive's end")
    whole(tmp_path / "web.tar")
    for left in Path(cluster.env["TMPDIR"]).iterdir():
        shutil.rmtree(left)  # nobody was there to do it


def test_no_word_from_the_plugin_on_stdout(cluster, web, tmp_path):
    """-o -: nothing but the archive."""
    process = cluster.start(["dash"], "web", "-n", web, "--duration", "2s", "-o", "-", cwd=tmp_path)
    assert process.wait(20) == 0, process.said()
    whole(tmp_path / "stdout")
    assert not list(tmp_path.glob("*.tar"))


def test_output_names(cluster, web, tmp_path):
    (tmp_path / "there").mkdir()
    for words, path in [([], "web.tar"), (["-o", "there"], "there/web.tar"), (["-o", "made/"], "made/web.tar"),
                        (["-o", "my.tar"], "my.tar")]:
        done = plugin(["dash"], "web", "-n", web, "--duration", "300ms", *words, env=cluster.env, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        assert f"{path} is whole" in done.stderr
        whole(tmp_path / path)
    before = (tmp_path / "web.tar").read_bytes()
    done = plugin(["dash"], "web", "-n", web, env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1 and "web.tar is there already" in done.stderr
    assert (tmp_path / "web.tar").read_bytes() == before
    done = plugin(["dash"], "web", "-n", web, "--duration", "300ms", "--force", "-q", env=cluster.env, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "web.tar").read_bytes() != before
    done = plugin(["dash"], "web", "-n", web, "-o", "/no/such/x.tar", env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1 and "cannot write /no/such/x.tar" in done.stderr, done.stderr
    done = plugin(["dash"], "web", "-n", web, "--duration", "300ms", "-o", "/dev/null", env=cluster.env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_files_are_for_no_other_eyes(shell, cluster, web, tmp_path):
    """As with tarcap's -w: the archives, the directory made for them, and what was readable before --force."""
    (tmp_path / "old").write_text("")
    (tmp_path / "old").chmod(0o644)
    (tmp_path / "link").symlink_to("old")
    for words, path in [([], "web.tar"), (["-o", "made/deep/"], "made/deep/web.tar"), (["-o", "old", "--force"], "old"),
                        (["-o", "link"], "old")]:
        done = plugin(shell, "web", "-n", web, "--count", 1, *words, env=cluster.env, cwd=tmp_path, umask=0o022)
        assert done.returncode == 0, done.stderr
        whole(tmp_path / path)
        assert (tmp_path / path).stat().st_mode & 0o777 == 0o600, path
        (tmp_path / "old").chmod(0o644)
    assert (tmp_path / "made/deep").stat().st_mode & 0o777 == 0o700 and (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("words", [["web"], ["nosuch"], ["web", "nosuch"], ["--node", "stand-in"], ["-l", "app=web"]],
                         ids=["pod", "no pod", "pods", "node", "selector"])
def test_wrong_namespace_is_what_is_wrong(cluster, tmp_path, words):
    """Not that there is a file of the pod's name already; and no directory is made for it."""
    for name in ("web", "stand-in"):
        (tmp_path / f"{name}.tar").touch()
    done = plugin(["dash"], *words, "-n", "nosuchns", "-o", "x/", env=cluster.env, cwd=tmp_path)
    done_here = plugin(["dash"], *words, "-n", "nosuchns", env=cluster.env, cwd=tmp_path)
    assert done.returncode == done_here.returncode == 1
    assert done.stderr == done_here.stderr and not (tmp_path / "x").exists()
    wanted = "no running pod matches 'app=web' in namespace nosuchns" if "-l" in words else 'namespaces "nosuchns" not found'
    assert done.stderr.splitlines()[-1] == f"kubectl tarcap: {wanted}"


def test_one_container_for_many_captures(cluster, web, tmp_path):
    for _ in range(2):
        done = plugin(["dash"], "web", "-n", web, "--duration", "300ms", "--force", env=cluster.env, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert len(cluster.containers(web)) == 1
    assert "using the hold that runs in container tarcap-" in done.stderr
    # Another image is another container.
    docker("tag", f"tarcap:{VERSION}", "other/tarcap:2")
    done = plugin(["dash"], "web", "-n", web, "--duration", "300ms", "--force", "--image", "other/tarcap:2",
                  env=cluster.env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "using the hold" not in done.stderr
    docker("rmi", "other/tarcap:2", check=False)


def test_status_and_words_of_tarcap(cluster, web, tmp_path):
    done = plugin(["dash"], "web", "-n", web, "--", "no such filter", env=cluster.env, cwd=tmp_path)
    assert done.returncode == 2
    assert "filter" in done.stderr.splitlines()[-1]
    assert not list(tmp_path.glob("*.tar"))


@pytest.mark.parametrize("kept", ["2000", "-1100"], ids=["early", "in the manifest"])
def test_file_that_is_cut(cluster, web, tmp_path, kept):
    """A kubectl that dies on the way: what came is kept, and called cut."""
    path = script(tmp_path / "bin/kubectl",
                  f'case " $* " in *" exec "*) "{STAND_IN}/kubectl" "$@" | head -c {kept}; exit 0;; esac\n'
                  f'exec "{STAND_IN}/kubectl" "$@"')
    env = {**cluster.env, "PATH": f"{path.parent}:{cluster.env['PATH']}"}
    done = plugin(["dash"], "web", "-n", web, "--duration", "2s", env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert "web.tar is cut" in done.stderr
    assert (tmp_path / "web.tar").stat().st_size >= 2000


@pytest.mark.parametrize("deny, says", [
    ("create pods/exec", "you may not create pods/exec"),
    ("get pods", "you may not get pods"),
])
def test_permissions_are_asked_for_first(cluster, web, tmp_path, deny, says):
    before = len(cluster.containers(web))
    done = plugin(["dash"], "web", "-n", web, env={**cluster.env, "STAND_IN_DENY": deny}, cwd=tmp_path)
    assert done.returncode == 1
    first, line = done.stderr.splitlines()
    assert says in line and line.endswith("k8s/rbac.yaml has the role to ask for, tarcap-capture")
    assert len(cluster.containers(web)) == before


@pytest.mark.parametrize("deny", ["create pods/exec", "create pods", "delete pods"])
def test_permissions_for_a_node_are_asked_for_first(cluster, web, tmp_path, deny):
    """And it is another role that has them."""
    env = {**cluster.env, "STAND_IN_DENY": deny, "STAND_IN_LOG": str(tmp_path / "log")}
    done = plugin(["dash"], "--node", "stand-in", "-n", web, env=env, cwd=tmp_path)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line == f"kubectl tarcap: you may not {deny} in namespace {web}; k8s/rbac-node.yaml has the role to ask for, " \
                   "tarcap-node"
    log = (tmp_path / "log").read_text()
    assert '"create", "--dry-run=server"' in log and '"create", "--validate' not in log


def test_who_may_only_exec_uses_a_hold_that_is_there(cluster, web, tmp_path):
    env = {**cluster.env, "STAND_IN_DENY": "patch pods/ephemeralcontainers"}
    fresh = cluster.make()
    done = plugin(["dash"], "web", "-n", fresh, env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert "no tarcap hold runs there, and you may not patch pods/ephemeralcontainers" in done.stderr
    plugin(["dash"], "web", "-n", fresh, "--duration", "300ms", env=cluster.env, cwd=tmp_path, check=True)
    done = plugin(["dash"], "web", "-n", fresh, "--duration", "300ms", "--force", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("old, refuse, words, security, says", [
    ("", "", [], LEAST, "asked for by uid 65532:"),
    ("", "NET_RAW", [], BASELINE, "Pod Security refuses to add NET_RAW"),
    ("", "allowPrivilegeEscalation", [], {**LEAST, **NO_NEW_PRIVS, **ROOT}, "trying with that, as root"),
    ("", "NET_RAW,allowPrivilegeEscalation", [], {**BASELINE, **NO_NEW_PRIVS, **ROOT}, "asked for by uid 0:"),
    ("custom", "", [], None, "knows no --custom"),
    ("profile", "", [], None, "knows no --custom"),
    ("", "", ["--profile", "netadmin"], {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}}, "by uid 65532:"),
    ("", "", ["--custom", K8S / "debug-profile-ceilings.yaml"], LEAST, "ends after 5m or 1G"),
], ids=["least", "pod-security", "no-new-privs", "both", "no-custom", "no-profile", "netadmin", "ceilings"])
def test_privileges_of_the_container(cluster, tmp_path, old, refuse, words, security, says):
    namespace = cluster.make()
    env = {**cluster.env, "STAND_IN_OLD": old, "STAND_IN_REFUSE": refuse}
    done = plugin(["dash"], "web", "-n", namespace, "--max-bytes", "1G", "-c", "tarcap-x", *words, "--count", "1",
                  env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert says in done.stderr
    [added] = cluster.containers(namespace)
    assert added["name"] == "tarcap-x" and added["command"] == ["tarcap", "hold"]
    assert added.get("securityContext") == security


@pytest.mark.parametrize("words", [[], ["--live"]], ids=["file", "live"])
def test_advice_is_not_what_was_refused(cluster, tmp_path, words):
    """Pod Security refuses to add NET_RAW, and the runtime does not give it: no container there can capture."""
    env = {**cluster.env, "STAND_IN_REFUSE": "NET_RAW", "STAND_IN_WITHOUT": "NET_RAW"}
    done = plugin(["dash"], "web", "-n", cluster.make(), *words, env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "kubectl tarcap: web: no container can capture in a pod of this namespace: Pod Security refuses to add NET_RAW, and "
        "this runtime does not give it by itself. From a namespace with Pod Security privileged you can: kubectl tarcap "
        "--node stand-in -n NAMESPACE")
    assert "add: [NET_RAW]" not in done.stderr and "-c NAME" not in done.stderr


def test_no_new_privs_on_containerd(cluster, tmp_path):
    """
    There the image's user can capture in spite of it, as measured. Here it is Docker's that the container really has:
    so tarcap itself says what is wrong, and the plugin that the next try takes another container.
    """
    namespace = cluster.make()
    env = {**cluster.env, "STAND_IN_REFUSE": "allowPrivilegeEscalation", "STAND_IN_RUNTIME": "containerd"}
    done = plugin(["dash"], "web", "-n", namespace, "--duration", "1s", env=env, cwd=tmp_path)
    [added] = cluster.containers(namespace)
    assert added["securityContext"] == {**LEAST, **NO_NEW_PRIVS}
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("kubectl tarcap: web: eth0: no permission to capture: no_new_privs keeps a user")
    assert "runAsUser: 0" in last and last.endswith("-c NAME adds another")
    assert not list(tmp_path.glob("*.tar"))


@pytest.mark.parametrize("user, asked_by", [
    ({"runAsUser": 0}, 0), ({"runAsUser": 1000}, 1000), ({"runAsUser": 1000, "runAsNonRoot": True}, 1000),
], ids=["root", "1000", "non-root"])
def test_old_kubectl_in_a_pod_with_a_user(cluster, tmp_path, user, asked_by):
    """Without --custom tarcap's container is the pod's user; any can capture."""
    namespace = cluster.make(spec={**POD["spec"], "securityContext": user})
    env = {**cluster.env, "STAND_IN_OLD": "custom"}
    done = plugin(["dash"], "web", "-n", namespace, "--duration", "300ms", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"asked for by uid {asked_by}:" in done.stderr
    whole(tmp_path / "web.tar")


def test_policy_that_refuses_all(cluster, tmp_path):
    """What can't be cured by asking for less is said in the policy's own words."""
    refusal = 'Error from server (Forbidden): pods "web" is forbidden: violates PodSecurity "restricted:latest": ' \
              'allowPrivilegeEscalation != false, unrestricted capabilities'
    path = script(tmp_path / "bin/kubectl", f"case \" $* \" in *' debug -q '*) echo '{refusal}' >&2; exit 1;; esac\n"
                                            f'exec "{STAND_IN}/kubectl" "$@"')
    done = plugin(["dash"], "web", "-n", cluster.make(), cwd=tmp_path,
                  env={**cluster.env, "PATH": f"{path.parent}:{cluster.env['PATH']}"})
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert 'violates PodSecurity "restricted:latest"' in line
    assert line.endswith("No container can capture under that. From a namespace with Pod Security privileged you can: "
                         "kubectl tarcap --node stand-in -n NAMESPACE")


def test_why_it_does_not_run(cluster, web, tmp_path):
    done = plugin(["dash"], "web", "-n", web, "--image", "nowhere/tarcap:9", env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()[-1:]
    assert "nowhere/tarcap:9 (ErrImagePull)" in line and "--image" in line and line.endswith("may require authorization")
    done = plugin(["dash"], "web", "-n", web, "-c", "tarcap-bad", "--ttl", "soon", env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1
    assert "ended at once" in done.stderr and "--ttl" in done.stderr.splitlines()[-1]
    # The reason alone is in the state, the sentence in the events.
    path = script(tmp_path / "bin/kubectl", f"""
case " $* " in *' --watch '*) "{STAND_IN}/kubectl" "$@" | sed -u 's/|ErrImagePull|.*/|ImagePullBackOff|||Back-off pulling/';;
*) exec "{STAND_IN}/kubectl" "$@";; esac""")
    path.write_text(path.read_text().replace("Back-off pulling", 'Back-off pulling image "nowhere\\/tarcap:9"'))
    before = time.monotonic()
    done = plugin(["dash"], "web", "-n", web, "--image", "nowhere/tarcap:9", cwd=tmp_path,
                  env={**cluster.env, "PATH": f"{path.parent}:{cluster.env['PATH']}"})
    assert done.returncode == 1 and time.monotonic() - before < 20 * patience()
    line = done.stderr.splitlines()[-1]
    assert "(ImagePullBackOff)" in line and line.endswith("may require authorization"), line
    done = plugin(["dash"], "no-such-pod", "-n", web, env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1 and 'pods "no-such-pod" not found' in done.stderr


def test_one_of_three_pods_fails(cluster, tmp_path):
    namespace = cluster.make()
    for number, picture in ((2, "tarcap-web"), (3, "no-such-image:1")):
        pod = json.loads(json.dumps(POD))
        pod["metadata"]["name"] = f"web-{number}"
        pod["spec"]["containers"][0]["image"] = picture
        (tmp_path / "pod.json").write_text(json.dumps(pod))
        cluster.kubectl("-n", namespace, "apply", "-f", tmp_path / "pod.json")
    done = plugin(["dash"], "-l", "app=web", "-n", namespace, "--parallel", 2, "--duration", "1s", "-o", "out",
                  env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1
    table = done.stderr[done.stderr.index("POD "):].splitlines()
    assert re.fullmatch(r"POD +RESULT +BYTES +FILE OR REASON", table[0])
    assert re.fullmatch(r"web +whole +[\d.]+K +out/web.tar", table[1])
    assert re.fullmatch(r"web-2 +whole +[\d.]+K +out/web-2.tar", table[2])
    assert re.fullmatch(r"web-3 +failed +0B +the pod is Pending, not Running", table[3])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["web-2.tar", "web.tar"]
    for path in (tmp_path / "out").iterdir():
        whole(path)
    # Each line of tarcap's says whose it is.
    assert all(re.match(r"(web(-\d)?: |kubectl tarcap: )", line)
               for line in done.stderr[:done.stderr.index("POD ")].splitlines())


def test_interrupt_of_several(cluster, web, tmp_path):
    """Those that capture end cleanly; those that wait for their turn don't start."""
    namespace = cluster.make()
    for number in (2, 3):
        pod = json.loads(json.dumps(POD))
        pod["metadata"]["name"] = f"web-{number}"
        (tmp_path / "pod.json").write_text(json.dumps(pod))
        cluster.kubectl("-n", namespace, "apply", "-f", tmp_path / "pod.json")
    process = cluster.start(["dash"], "web", "web-2", "web-3", "-n", namespace, "--parallel", 2, cwd=tmp_path)
    wait_until(lambda: process.said().count("listening on") == 2, 20, "two captures")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 1, process.said()
    whole(tmp_path / "web.tar")
    whole(tmp_path / "web-2.tar")
    assert re.search(r"^web-3 +failed +0B +not started$", process.said(), re.M), process.said()


@pytest.mark.parametrize("end", ["duration", "interrupt", "given up"])
def test_pod_on_a_node_is_gone_afterwards(cluster, web, tmp_path, end):
    process = cluster.start(["dash"], "--node", "stand-in", "-n", web, "-i", "lo",
                            "--duration", "1s" if end == "duration" else "60s", cwd=tmp_path)
    wait_until(lambda: "listening on" in process.said(), 20, "a capture")
    assert "tarcap-node-" in cluster.kubectl("-n", web, "get", "pods", "-o", "name").stdout
    if end != "duration":
        os.killpg(process.pid, signal.SIGINT)
    if end == "given up":
        wait_until(lambda: "again to give up" in process.said(), 5, "its answer")
        os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == (130 if end == "given up" else 0), process.said()
    if end != "given up":
        whole(tmp_path / "stand-in.tar")
        assert "10250" in json.dumps(Archive((tmp_path / "stand-in.tar").read_bytes()).capture)
    assert "tarcap-node-" not in cluster.kubectl("-n", web, "get", "pods", "-o", "name").stdout


def test_node_that_is_not_there(cluster, web, tmp_path):
    """Known before there is a pod for it, which nothing would ever start."""
    log = tmp_path / "log"
    done = plugin(["dash"], "--node", "elsewhere", "-n", web, env={**cluster.env, "STAND_IN_LOG": str(log)}, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == 'kubectl tarcap: nodes "elsewhere" not found'
    assert '"create", "--validate' not in log.read_text()


@pytest.mark.parametrize("words", [["web"], ["--node", "stand-in", "-i", "lo"], ["web", "--live"]],
                         ids=["pod", "node", "live"])
def test_dry_run_can_be_run_by_hand(cluster, web, tmp_path, words):
    directory = wireshark(tmp_path).parent
    (directory / "tarcap").symlink_to(TARCAP)
    env = {**cluster.env, "PATH": f"{directory}:{cluster.env['PATH']}"}
    done = plugin(["dash"], *words, "-n", web, "--dry-run", "--duration", "2s", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / "commands").write_text(done.stdout)
    run = sh("sh", "-eu", "commands", cwd=tmp_path, env=env)
    if "--live" in words:
        assert pcap_lines(directory / "got")
        return
    name = "web" if words == ["web"] else "stand-in"
    assert whole(tmp_path / f"{name}.tar").cause == "duration"
    assert "whole" in run.stderr, run.stderr


# --- the hold in the real image, as whoever runs it -------------------------------------------------------------

DOCKER_LEAST = ["--cap-drop=ALL", "--cap-add=NET_RAW", "--read-only"]


@pytest.fixture
def hold(image):  # noqa: F811
    """Starts a container that holds, with these options of docker run; its name."""
    names = []

    def start(*options, ttl="1h"):
        names.append(f"tarcap-test-hold-{os.getpid()}-{time.monotonic_ns()}")
        docker("run", "-d", "--name", names[-1], "--network=none", *options, f"tarcap:{VERSION}", "hold", "--ttl", ttl)
        return names[-1]
    yield start
    docker("rm", "-f", *names)


class Exec:
    """docker exec of a capture, once it listens."""

    def __init__(self, directory, name, *words):
        self.out, err = directory / f"{name}.tar", directory / f"{name}.err"
        with self.out.open("wb") as stdout, err.open("wb") as stderr:
            self.process = start_process(["docker", "exec", name, "tarcap", *words], stdin=subprocess.DEVNULL,
                                         stdout=stdout, stderr=stderr)
        wait_until(lambda: "listening on" in err.read_text(), 10, "a capture")

    def archive(self):
        assert self.process.wait(10) == 0
        return whole(self.out)


@pytest.mark.parametrize("options, uid", [
    ([], 65532), (DOCKER_LEAST, 65532), ([*DOCKER_LEAST, "--user=1000:1000"], 1000),
    ([*DOCKER_LEAST, "--user=0", "--security-opt=no-new-privileges"], 0),
], ids=["as it is", "least", "1000", "no-new-privs"])
def test_hold_knows_its_captures(hold, tmp_path, options, uid):
    """Their processes have file capabilities, so little of /proc shows: it is enough to log them, and to end them."""
    name = hold(*options)
    long = Exec(tmp_path, name, "--reason", "ticket 12")
    copied = subprocess.run(["docker", "exec", name, "tar", "cf", "-", "/capture/300ms"], stdin=subprocess.DEVNULL,
                            capture_output=True, timeout=20)
    assert copied.returncode == 0, copied.stderr
    with tarfile.open(fileobj=io.BytesIO(copied.stdout)) as tar:
        assert tar.getnames()[-1] == "capture/300ms/manifest.json"
    docker("exec", name, "tarcap", "stop")
    assert long.archive().cause == "signal"
    assert docker("wait", name).stdout == "0\n"
    logged = docker("logs", name)
    assert logged.stdout == ""
    said = [re.sub(r"process \d+", "process N", line).removeprefix("tarcap: ") for line in logged.stderr.splitlines()]
    assert said[0].startswith("holding for 1h; ")
    assert said[1:4] == [f"process N captures, for uid {uid}: tarcap --reason 'ticket 12'",
                         f"process N captures, for uid {uid}: tar cf - /capture/300ms",
                         "process N has ended, after 0 s"]
    assert re.fullmatch(r"process N has ended, after \d s", said[4]) and said[5:] == ["ended by a signal"]


def test_hold_whose_time_is_over_waits_for_its_capture(hold, tmp_path):
    name = hold(*DOCKER_LEAST, ttl="2s")
    assert Exec(tmp_path, name, "--duration", "3s").archive().cause == "duration"
    assert docker("wait", name).stdout == "0\n"
    assert "--ttl reached; waiting for 1 capture to end" in docker("logs", name).stderr


# --- the live view ----------------------------------------------------------------------------------------------

def wireshark(tmp_path, after="", instead=""):
    """A window that keeps what it gets in 'got' beside itself."""
    return script(tmp_path / "viewers/wireshark",
                  f'cd "${{0%/*}}"\necho $$ >pid\necho "$*" >words\n{instead or "cat >got"}\n{after}')


def pcap_lines(path):
    """One line a packet; tcpdump fails when the file is no pcap, or torn."""
    return sh("tcpdump", "-n", "-r", path).stdout.splitlines()


def start_live(cluster, web, tmp_path, *words, shell=("dash",), viewers=None, **more):
    """The plugin with --wireshark, up to the readiness line."""
    path = f"{viewers or tmp_path / 'viewers'}:{cluster.env['PATH']}"
    process = cluster.start(shell, "web", "-n", web, "--wireshark", *words, cwd=tmp_path, path=path, **more)
    wait_until(lambda: "listening on" in process.said(), 20, "a capture")
    return process


def test_packets_come_live_into_wireshark(shell, cluster, web, tmp_path):
    """Within a second, while the capture runs; Ctrl-C ends that, and not the window."""
    got = wireshark(tmp_path, after="exec sleep 60").with_name("got")
    process = start_live(cluster, web, tmp_path, "--", "tcp port 80", shell=shell)
    wait_until(lambda: got.exists() and got.stat().st_size == 24, 2, "the pcap's header")
    assert got.with_name("words").read_text() == "-k -i -\n"
    cluster.request(web, 3)
    wait_until(lambda: b"GET /page/3 HTTP" in got.read_bytes(), 1, "packets")
    assert process.poll() is None
    time.sleep(1)
    cluster.request(web, 5)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) == 0, process.said()
    assert "ending the capture (again to give up)" in process.said()
    assert "web: the capture has ended; wireshark shows what came" in process.said().splitlines()[-1]
    window = int(got.with_name("pid").read_text())
    assert "sleep" in Path(f"/proc/{window}/cmdline").read_text()
    os.kill(window, signal.SIGKILL)
    # One pcap, whole, with every request.
    assert [int(page) for line in pcap_lines(got) for page in re.findall(r"GET /page/(\d+) HTTP", line)] == \
        [1, 2, 3, 1, 2, 3, 4, 5]
    assert f"{len(pcap_lines(got))} packets captured" in process.said()
    assert (tmp_path / "stdout").read_text() == "" and not list(tmp_path.glob("*.tar"))


@pytest.fixture(params=[["dash"], ["busybox", "sh"]], ids=["dash", "busybox"])
def only_tshark(request, tmp_path):
    """A shell, and a PATH without Wireshark."""
    directory = links(tmp_path / "bin", *UTILITIES, "setsid", "tshark")
    return [shutil.which(request.param[0]), *request.param[1:]], f"{STAND_IN}:{directory}"


def test_packets_come_live_through_tshark(only_tshark, cluster, web, tmp_path):
    shell, path = only_tshark
    process = cluster.start(shell, "web", "-n", web, "--live", "--", "tcp port 80", cwd=tmp_path, path=path)
    wait_until(lambda: "listening on" in process.said(), 20, "a capture")
    time.sleep(1.5)
    cluster.request(web, 3)
    shown = tmp_path / "stdout"
    wait_until(lambda: "GET /page/3 HTTP" in shown.read_text(), 1, "packets")
    assert process.poll() is None
    cluster.request(web, 5)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) == 0, process.said()
    # All of it is there when the prompt is.
    assert re.findall(r"GET /page/(\d+) HTTP", shown.read_text()) == list("12312345")
    assert f"{len(shown.read_text().splitlines())} packets captured" in process.said()
    assert "so far" not in process.said() and "tshark" not in process.said()


def test_tshark_shows_all_of_a_capture_that_ends_by_itself(only_tshark, cluster, web, tmp_path):
    shell, path = only_tshark
    done = plugin(shell, "web", "-n", web, "--live", "--count", 2, "-q", env={**cluster.env, "PATH": path})
    assert done.returncode == 0 and "captured" not in done.stderr and "listening" not in done.stderr, done.stderr
    assert len(done.stdout.splitlines()) == 2
    done = plugin(shell, "web", "-n", web, "--live", "--duration", "1s", "--", "port 12345",
                  env={**cluster.env, "PATH": path})
    assert (done.returncode, done.stdout) == (0, "")
    assert "0 packets captured" in done.stderr


def test_whoever_reads_tshark_goes(only_tshark, cluster, web, tmp_path):
    """As in kubectl tarcap web --live | head -n 1"""
    shell, path = only_tshark
    process = cluster.start(shell, "web", "-n", web, "--live", "--reason", tmp_path.name, cwd=tmp_path, path=path,
                            stdout=subprocess.PIPE)
    assert b" \xe2\x86\x92 " in process.stdout.readline()
    process.stdout.close()
    assert process.wait(15) == 0, process.said()
    assert "tshark has ended: ending the capture" in process.said()
    assert_no_capture(tmp_path.name)


def captures(reason):
    return subprocess.run(["pgrep", "-af", f"^tarcap --raw .*--reason {reason}$"], capture_output=True, text=True).stdout


def assert_no_capture(reason):
    """In the container. Else it would go on to its limits: nothing shows there that nobody reads."""
    wait_until(lambda: not captures(reason), 2, "the capture's end")


@pytest.mark.parametrize("instead, status, says", [
    ("exit 0", 0, None),
    ("head -c 24 >got", 0, None),
    ("echo 'no memory' >&2; exit 1", 1, "wireshark failed (status 1): no memory"),
    ("kill -s SEGV $$", 1, "wireshark failed (status 139)"),
], ids=["at once", "later", "fails", "crashes"])
def test_viewer_that_ends_ends_the_capture(cluster, web, tmp_path, instead, status, says):
    wireshark(tmp_path, instead=instead)
    process = start_live(cluster, web, tmp_path, "--reason", tmp_path.name)
    assert captures(tmp_path.name)
    assert process.wait(10) == status, process.said()
    assert "wireshark has ended: ending the capture" in process.said()
    assert says is None or says in process.said().splitlines()[-1]
    assert_no_capture(tmp_path.name)


@pytest.mark.parametrize("display, says", [
    ("", "no display for wireshark here (DISPLAY and WAYLAND_DISPLAY are not set): tshark shows the packets"),
    (":99", "wireshark cannot open a window here: tshark shows the packets (qt.qpa.xcb: could not connect to display :99)"),
], ids=["none", "dead"])
def test_without_a_display_tshark_shows_the_packets(shell, cluster, web, tmp_path, display, says):
    """All of them, though Wireshark was started first."""
    wireshark(tmp_path, instead="echo 'qt.qpa.xcb: could not connect to display :99' >&2; exit 134")
    env = {**cluster.env, "DISPLAY": display, "PATH": f"{tmp_path}/viewers:{cluster.env['PATH']}"}
    done = plugin(shell, "web", "-n", web, "--live", "--count", 3, env=env)
    assert done.returncode == 0, done.stderr
    assert f"kubectl tarcap: {says}\n" in done.stderr
    assert len(done.stdout.splitlines()) == 3
    assert (tmp_path / "viewers/pid").exists() == (display != "")


def test_window_stays_when_the_capture_is_given_up(cluster, web, tmp_path):
    path = wireshark(tmp_path, after="exec sleep 60")
    process = start_live(cluster, web, tmp_path, "--reason", tmp_path.name)
    wait_until(path.with_name("pid").exists, 2, "the viewer")
    time.sleep(1.2)  # a stdin that closes before is ignored: see ready_for_the_end
    os.killpg(process.pid, signal.SIGINT)
    wait_until(lambda: "again to give up" in process.said(), 5, "its answer")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) == 130, process.said()
    assert_no_capture(tmp_path.name)
    os.kill(int(path.with_name("pid").read_text()), signal.SIGKILL)


def test_no_window_for_a_capture_that_cannot_begin(cluster, web, tmp_path):
    path = wireshark(tmp_path)
    env = {**cluster.env, "PATH": f"{path.parent}:{cluster.env['PATH']}"}
    done = plugin(["dash"], "web", "-n", web, "--live", "--", "no such filter", env=env, cwd=tmp_path)
    assert done.returncode == 2 and "filter" in done.stderr
    done = plugin(["dash"], "no-such-pod", "-n", web, "--live", env=env, cwd=tmp_path)
    assert done.returncode == 1 and 'pods "no-such-pod" not found' in done.stderr
    assert not path.with_name("pid").exists()


def test_live_view_of_a_node(cluster, web, tmp_path):
    got = wireshark(tmp_path).with_name("got")
    env = {**cluster.env, "PATH": f"{got.parent}:{cluster.env['PATH']}"}
    done = plugin(["dash"], "--node", "stand-in", "-n", web, "-i", "lo", "--live", "--duration", "1s", env=env)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: got.exists() and got.stat().st_size >= 24, 2, "the pcap's header")
    assert "tarcap-node-" not in cluster.kubectl("-n", web, "get", "pods", "-o", "name").stdout


# --- the suite --------------------------------------------------------------------------------------------------

def test_suite_over_the_stand_in(image, web_image):  # noqa: F811
    before = docker("ps", "-aq").stdout.split()
    done = sh("tests/k8s/run", "--stand-in", check=False, timeout=400,
              env={**os.environ, "STAND_IN_IMAGES_MADE": "yes", "PLUGIN_SHELL": "busybox sh", "K8S_PARALLEL": "6"})
    print(done.stdout[-6000:])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed, failed, skipped = map(int, re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped",
                                                    done.stdout.splitlines()[-1]).groups())
    assert failed == 0
    # What only a cluster has, by name: one more that is skipped would otherwise go unnoticed.
    assert sorted(re.findall(r"^skipped: (\w+)", done.stdout, re.M)) == [
        "admission_policy_lets_only_this_pass", "examples_are_accepted_by_the_server", "exec_client_killed_without_i",
        "plugin_listens_soon", "pod_security_baseline", "pod_security_restricted", "rbac_for_nodes_is_enough",
        "rbac_is_enough_and_no_more"]
    assert skipped == 8 and passed >= 43
    assert set(docker("ps", "-aq").stdout.split()) <= set(before)


@pytest.mark.parametrize("words, status", [
    (["get", "secrets"], 99), (["debug", "node/n", "-q", "-c", "x", "--image=y"], 99), (["top", "pods"], 99),
    (["apply", "-f", K8S / "rbac.yaml"], 99), (["get", "pods", "--as=somebody"], 99), (["debug", "web"], 99),
    (["apply", "--dry-run=server", "-f", K8S / "sidecar.yaml"], 99), (["get", "pod", "none"], 1),
])
def test_stand_in_refuses_what_it_cannot_do(cluster, words, status):
    done = cluster.kubectl(*words, check=False)
    assert done.returncode == status
    assert done.stdout == ""
    assert ("stand-in: " in done.stderr) == (status == 99)
