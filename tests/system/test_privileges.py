"""Who may capture, in the real image under a real engine: each cell captures, or names its cause and its cure.

The cures are taken from the sentence itself and tried.
"""

import itertools
import json
import re
import subprocess

import pytest
import yaml

from archive import Archive
from capture import Capture
from engine import BINARY
from process import TARCAP, lines
from wire import numbered

USERS = {"root": ["--user", "0:0"], "65532": []}
CAPABILITIES = {"default": [], "none": ["--cap-drop", "ALL"], "NET_RAW": ["--cap-drop", "ALL", "--cap-add", "NET_RAW"]}
NO_NEW_PRIVS = {"may-gain": [], "no-new-privs": ["--security-opt", "no-new-privileges"]}
ROOTS = {"rw": [], "read-only": ["--read-only"]}
IN_CONTAINER = ["-i", "lo", "--duration", "100ms"]


def container(options, *words):
    done = subprocess.run(["docker", "run", "--rm", "--network", "none", *options, "tarcap", *words],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    return done.returncode, done.stdout, lines(done.stderr)


def expected_cause(user, capabilities, no_new_privs):
    if user == "root":
        return "started without the capability NET_RAW" if capabilities == "none" else None
    if capabilities == "none":
        return "started without the capability NET_RAW" + (", and with no_new_privs" if no_new_privs else "")
    return "no_new_privs keeps a user that is not root" if no_new_privs else None


def as_docker(security_context):
    """A Kubernetes securityContext as docker's flags."""
    flags = []
    for name in security_context.get("capabilities", {}).get("add", []):
        flags += ["--cap-add", name]
    if "runAsUser" in security_context:
        flags += ["--user", str(security_context["runAsUser"])]
    return flags


def cures(sentence):
    """The first cure for docker, and Kubernetes' as docker's flags."""
    found = re.fullmatch(r"tarcap: (\S+): no permission to capture: (.*); docker run: (.*); Kubernetes: (.*)", sentence)
    assert found, sentence
    flags = re.split(r", or | \(or ", found[3])[0].split()
    security = yaml.safe_load(re.split(r" or (?=\{)", found[4])[0])
    return flags, as_docker(security["securityContext"])


@pytest.mark.parametrize("user, capabilities, no_new_privs, root",
                         itertools.product(USERS, CAPABILITIES, NO_NEW_PRIVS, ROOTS))
def test_each_cell_captures_or_names_its_cure(image, user, capabilities, no_new_privs, root):  # noqa: F811
    options = USERS[user] + CAPABILITIES[capabilities] + NO_NEW_PRIVS[no_new_privs] + ROOTS[root]
    cause = expected_cause(user, capabilities, no_new_privs == "no-new-privs")
    status, out, err = container(options, *IN_CONTAINER)
    checked, rows, check_err = container(options, "check", "-i", "lo")
    if not cause:
        assert status == 0, err
        assert Archive(out).check().cause == "duration"
        assert checked == 0 and rows.endswith(b"a capture would work\n") and check_err == []
        return
    assert (status, out, len(err)) == (1, b"", 1) and cause in err[0]
    assert checked == 1 and b"would work" not in rows and check_err == err
    for cure in cures(err[0]):
        status, out, err = container(options + cure, *IN_CONTAINER)
        assert status == 0, (cure, err)
        Archive(out).check()


def test_check_shows_each_cell_as_a_table(image):  # noqa: F811
    status, rows, _ = container(["--cap-drop", "ALL", "--cap-add", "NET_RAW"], "check", "-i", "lo")
    table = dict(re.split(r"\s+", line, maxsplit=1) for line in rows.decode().splitlines())
    assert status == 0
    assert table["user"] == "65532:65532" and table["no_new_privs"] == "no"
    assert table["NET_RAW"] == "effective no, permitted yes, in the container's bounding set yes"
    assert table["seccomp"] == "the container's filter"
    assert table["sandbox"].startswith("no capabilities, no_new_privs, ") and "no seccomp" not in table["sandbox"]
    status, rows, _ = container(["--memory", "100m", "--user", "0"], "check", "-i", "lo")
    assert b"\nmemory limit   100M\n" in rows


def test_a_copy_without_the_file_capability(image):  # noqa: F811
    status, _, err = container(["-v", f"{BINARY}:/copy:ro", "--entrypoint", "/copy"], *IN_CONTAINER)
    assert status == 1 and "the binary brings no file capability" in err[0]
    status, _, err = container(["-v", f"{BINARY}:/copy:ro", "--entrypoint", "/copy", *cures(err[0])[0]], *IN_CONTAINER)
    assert status == 0, err


def test_a_policy_that_refuses_packet_sockets(image, tmp_path):  # noqa: F811
    profile = tmp_path / "seccomp.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 17, "op": "SCMP_CMP_EQ"}]}]}))
    status, _, err = container(["--security-opt", f"seccomp={profile}"], *IN_CONTAINER)
    assert status == 1 and "policy refuses packet sockets" in err[0]
    status, _, err = container(cures_of_policy(err[0]), *IN_CONTAINER)
    assert status == 0, err


def cures_of_policy(sentence):
    return re.search(r"docker run: (--security-opt seccomp=unconfined)", sentence)[1].split()


@pytest.mark.parametrize("before, cause", [
    (["unshare", "--user", "--map-root-user"], "belongs to another user namespace"),
    (["setpriv", "--securebits=+noroot,+noroot_locked", "--inh-caps=-all"], "gave NET_RAW up before"),
    (["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"], "started without the capability NET_RAW"),
])
def test_causes_that_docker_does_not_make(wire, before, cause):
    done = subprocess.run(["nsenter", f"--net=/run/netns/{wire.b}", *before, TARCAP, "-i", "tc0"],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert done.returncode == 1 and done.stdout == b""
    [said] = lines(done.stderr)
    assert cause in said, said


# --- without /proc: what can't be seen is not claimed ------------------------------------------------------------

NO_PROC = ["unshare", "--mount", "sh", "-c", 'while umount -l /proc 2>/dev/null; do :; done; exec "$@"', "no-proc"]


def without_proc(wire, *words, before=()):
    done = subprocess.run(["nsenter", f"--net=/run/netns/{wire.b}", *NO_PROC, *before, TARCAP, *words],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    return done.returncode, dict(re.split(r"\s+", line, maxsplit=1) for line in done.stdout.splitlines()), done.stderr


def test_a_ring_that_cannot_be_seen_is_not_said_to_be_none(wire):
    capture = Capture(wire, "-B", 4096, before=NO_PROC)
    wire.send(numbered(100))
    result = capture.end()
    archive = result.whole()
    assert archive.numbers() == list(range(100)) and result.said("; ring at most 4M, pool 16M")
    assert archive.manifest["memory"]["ring_bytes"] is archive.capture["memory"]["ring_bytes"] is None
    status, table, _ = without_proc(wire, "check", "-i", "tc0", "-B", "4096")
    assert status == 0 and table["memory"] == "ring unknown, at most 4M of 4M, pool 16M"


def test_privileges_are_not_said_to_be_missing_because_nobody_can_read_them(wire):
    status, table, _ = without_proc(wire, "check", "-i", "tc0")
    assert status == 0 and table["NET_RAW"] == "effective yes, permitted yes, in the container's bounding set yes"
    assert table["no_new_privs"] == "no" and table["seccomp"] == "none"
    status, table, err = without_proc(wire, "check", "-i", "tc0", before=["setpriv", "--bounding-set=-net_raw", "--no-new-privs"])
    assert status == 1 and table["NET_RAW"].endswith("in the container's bounding set no") and table["no_new_privs"] == "yes"
    assert "without the capability NET_RAW" in err


def test_a_host_network_is_not_ruled_out_because_nobody_can_see_it(wire):
    capture = Capture(wire, before=NO_PROC)
    assert capture.end().said("leaving out what may carry the archive away")


def test_stop_does_not_say_that_nothing_captures_where_it_cannot_look(wire):
    status, _, err = without_proc(wire, "stop")
    assert status == 1 and err == "tarcap: stop: /proc is not there, and nothing else tells which processes to end\n"
