"""The files of k8s/, read and checked offline."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from plugin import BASELINE, K8S, LEAST, NO_NEW_PRIVS, PLUGIN, ROOT
from process import TARCAP, TOP, VERSION
from wireshark import EXTCAP

yaml = pytest.importorskip("yaml", reason="needs python3-yaml")


def documents(name):
    return [document for document in yaml.safe_load_all((K8S / name).read_text()) if document]


def document(name):
    [only] = documents(name)
    return only


def quantity(text):
    number, unit = re.fullmatch(r"(\d+)(Ki|Mi|Gi|M|G)?", text).groups()
    return int(number) << {None: 0, "Ki": 10, "Mi": 20, "Gi": 30, "M": 20, "G": 30}[unit]  # tarcap's M is Mi


def test_every_file_is_checked_here():
    """A new file needs a test."""
    known = {"debug-profile.yaml", "debug-profile-baseline.yaml", "debug-profile-no-new-privs.yaml",
             "debug-profile-ceilings.yaml", "debug-profile-encrypted.yaml", "sidecar.yaml", "sidecar-plain.yaml", "sidecar-recorder.yaml",
             "sidecar-volume.yaml", "rbac.yaml",
             "rbac-node.yaml", "admission-policy.yaml", "krew.yaml", "kubectl-tarcap", "tarcap-extcap", "kubectl_complete-tarcap",
             "plugin",  # which tests/lint compares with kubectl-tarcap
             "README.md"}  # which test_manual.py reads
    assert {path.name for path in K8S.iterdir()} == known


def test_one_version_everywhere():
    """The version of src/base/version.h, wherever an image or the plugin's own version is named; and never :latest."""
    for path in filter(Path.is_file, K8S.rglob("*")):
        text = path.read_text()
        assert set(re.findall(r"\btarcap:(\d[\w.]*)", text)) <= {VERSION}, path
        assert "latest" not in re.findall(r"\btarcap:(\w+)", text), path
    for program in (PLUGIN, EXTCAP):
        assert f"\nversion={VERSION} " in program.read_text()
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
    ("debug-profile-encrypted.yaml", LEAST, {"env"}),
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


def test_recorder_sidecar():
    """Its memory fits into the container's, with what a hold and a recorder take besides."""
    spec, containers, volumes = check_pod(document("sidecar-recorder.yaml"))
    [sidecar] = spec["initContainers"]
    assert sidecar["restartPolicy"] == "Always" and not volumes
    command = sidecar["command"]
    assert command[:2] == ["tarcap", "hold"] and command[command.index("--ttl") + 1] == "0"
    record = quantity(command[command.index("--record") + 1])
    assert record + (16 << 20) <= quantity(sidecar["resources"]["requests"]["memory"])


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
    for name in ("sidecar.yaml", "sidecar-plain.yaml", "sidecar-recorder.yaml", "sidecar-volume.yaml"):
        for one in document(name)["spec"].get("initContainers", []) + document(name)["spec"]["containers"]:
            if one.get("command", [])[1:2] == ["hold"]:
                words = one["command"] + ["--"]
                mine, behind = words[1:words.index("--")], words[words.index("--") + 1:-1]
                for command in ([*mine, "--help"], [*behind, "-d", "tcp"]):
                    done = subprocess.run([TARCAP, *command], capture_output=True, text=True)
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


def test_encrypted_profile_is_that_of_the_ceilings_and_a_recipient():
    """As it stands it captures nothing; with a recipient, nothing that others can read."""
    ceilings, profile = (document(f"debug-profile-{name}.yaml")["env"] for name in ("ceilings", "encrypted"))
    assert profile == [*ceilings, {"name": "TARCAP_TO", "value": "age1..."}]
    assert "'TARCAP_TO=age1...'" in (K8S / "admission-policy.yaml").read_text()
    environment = {one["name"]: one["value"] for one in profile}
    recipient = "age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryef"
    for value, status in [("age1...", 2), (recipient, 0)]:
        done = subprocess.run([TARCAP, "-d", "tcp"], env={**os.environ, **environment, "TARCAP_TO": value},
                              capture_output=True, text=True)
        assert done.returncode == status, done.stderr


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
        assert platform["files"]  # test_release.py compares them with the archive that they come out of
    if "example.invalid" in spec["platforms"][0]["uri"]:
        assert "NOT YET PUBLISHED" in (K8S / "krew.yaml").read_text()
