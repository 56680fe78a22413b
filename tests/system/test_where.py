"""src/doc/where.md: what it says to type on a plain machine is run, and each row says how it is known."""

import os
import re
import signal
import subprocess

import pytest

from archive import Archive
from process import TARCAP, TOP, kill_all_started, start_process, wait_until
from wire import Wire, number_of, numbered

PAGE = (TOP / "src/doc/where.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")][1:]


def typed(where):
    [row] = [row for row in ROWS if row[0].startswith(where)]
    assert row[2] == "tested"
    return re.match(r"`([^`]+)`", row[1])[1]


@pytest.fixture
def wire():
    wire = Wire()
    yield wire
    kill_all_started()
    wire.close()


@pytest.fixture
def process(wire):
    """One that only waits, in the namespace: the target."""
    target = start_process(["nsenter", f"--net=/run/netns/{wire.b}", "sleep", "600"])
    wait_until(lambda: os.readlink(f"/proc/{target.pid}/ns/net") != os.readlink("/proc/self/ns/net"), 5, "the target")
    return str(target.pid)


def captured(wire, command, directory, before=()):
    """Type it in a shell, send ten packets, press Ctrl-C."""
    env = {**os.environ, "PATH": f"{directory / 'bin'}:{os.environ['PATH']}"}
    (directory / "bin").mkdir()
    (directory / "bin/tarcap").symlink_to(TARCAP)
    with (directory / "err").open("wb") as err:
        shell = start_process([*before, "sh", "-c", command], cwd=directory, env=env, stdin=subprocess.DEVNULL, stderr=err,
                              start_new_session=True)
    wait_until(lambda: "listening on" in (directory / "err").read_text(), 10, "the capture")
    wire.send(numbered(10))
    os.killpg(shell.pid, signal.SIGINT)
    shell.wait(10)
    [out] = directory.glob("*.tar")
    records = Archive(out.read_bytes()).check().records_of("tc0")
    return [number_of(record.data) for record in records]


def test_a_namespace_with_a_name(wire, tmp_path):
    command = typed("a network namespace with a name")
    assert "netns exec blue" in command
    assert captured(wire, command.replace("blue", wire.b), tmp_path) == list(range(10))


def test_a_process(wire, process, tmp_path):
    command = typed("a process")
    assert "--target PID" in command
    assert captured(wire, command.replace("PID", process), tmp_path) == list(range(10))


def test_a_machine(wire, tmp_path):
    command = typed("a Linux machine")
    assert "-i eth0" in command
    before = ["nsenter", f"--net=/run/netns/{wire.b}"]
    assert captured(wire, command.replace("eth0", "tc0"), tmp_path, before) == list(range(10))


def test_every_row_says_how_it_is_known():
    """A platform that nobody ran it on has a link to what it was read in."""
    names = {row[0].partition(",")[0] for row in ROWS}
    assert {"Docker", "Compose", "podman", "Nomad", "ECS on EC2", "Fargate", "Cloud Run", "Azure Container Apps",
            "GKE Autopilot"} <= names
    for name, what, known in ROWS:
        assert "`" in what, name
        assert re.match(r"tested|measured|untried|documents|the image is loaded .* but not run", known), name
        assert ("](https://" in known) == known.startswith("documents"), name
    assert re.search(r"As of \d{1,2} [A-Z][a-z]+ 20\d\d\.", PAGE)
