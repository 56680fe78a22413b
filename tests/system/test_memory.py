"""Memory that is short: a container's limit, a small stack."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from archive import Archive, pcap_file
from capture import Capture, run
from engine import docker
from process import OWN, TARCAP, kill_all_started, lines, patience, sh, start_process, wait_until
from wire import Flood, frame, numbered

MIB = 1 << 20

STACK = 64  # KiB
SMALL = ["sh", "-c", f'ulimit -s {STACK} && exec "$@"', "small"]


# --- the container's limit ---------------------------------------------------------------------------------------

class Group:
    """A control group with a limit on its memory, of version 1 or 2; whatever is begun by .before is in it."""

    def __init__(self, limit):
        first = Path("/sys/fs/cgroup/memory").is_dir()
        self.path = Path("/sys/fs/cgroup/memory" if first else "/sys/fs/cgroup", f"tarcap-test-{OWN}-{time.monotonic_ns()}")
        self.path.mkdir()
        (self.path / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(limit))
        self.used = self.path / ("memory.usage_in_bytes" if first else "memory.current")
        self.before = ["sh", "-c", f'echo $$ >{self.path}/cgroup.procs && exec "$@"', "group"]

    def close(self):
        wait_until(lambda: not (self.path / "cgroup.procs").read_text())
        self.path.rmdir()


@pytest.fixture
def group():
    made = []

    def make(limit):
        made.append(Group(limit))
        return made[-1]
    yield make
    kill_all_started()
    for each in made:
        each.close()


def stuck(wire, group, *arguments):
    """A capture whose reader does not read, until ring and pool are full, however long that takes."""
    capture = Capture(wire, *arguments, "--duration", "0", read=False, before=group.before)
    chance = os.urandom(8 * MIB)  # what does not compress
    number = 0
    while not any("because the reader takes too little" in line for line in capture.err):
        wire.send(frame(number + n, 18) + chance[(number + n) * 1382 % (7 * MIB):][:1382] for n in range(1000))
        number += 1000
        assert number < 200_000
    return capture


@pytest.mark.parametrize("options", [[], ["--compress", "zstd"]])
def test_a_slow_reader_gets_no_capture_killed(wire, group, options):
    """Not in a container of 16 MiB, which the defaults would be above; the readiness line says what has lowered them."""
    group = group(16 * MIB)
    capture = stuck(wire, group, *options)
    assert int(group.used.read_text()) < 14 * MIB
    capture.collect()
    wait_until(lambda: len(capture.out) > 8 * MIB, 20, "what waited leaving")
    size = -1
    while size != len(capture.out):  # all of it, before the 3 s begin that a signal allows
        size = len(capture.out)
        time.sleep(patience())
    result = capture.end()
    memory = result.whole().manifest["memory"]
    [line] = [line for line in result.err if "listening on" in line]
    assert line.endswith(" (the container's limit, 16M)"), line
    assert 6 * MIB <= memory["pool_bytes"] < 11 * MIB and 12 * MIB <= memory["ring_bytes"] <= 16 * MIB
    assert not any("killed" in line for line in result.err)


def test_what_the_container_uses_already_is_not_planned_with(wire, group):
    group = group(32 * MIB)
    other = start_process([*group.before, "/usr/bin/python3", "-c", "x = b'x' * (17 << 20); print(flush=True); input()"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    other.stdout.readline()
    capture = Capture(wire, before=group.before)
    archive = capture.end().whole()
    assert archive.manifest["memory"]["pool_bytes"] < 7 * MIB


def test_a_roomy_container_changes_nothing(wire, group):
    capture = Capture(wire, before=group(64 * MIB).before)
    result = capture.end()
    memory = result.whole().manifest["memory"]
    assert memory["pool_bytes"] == 16 * MIB and memory["ring_bytes"] == 32 * MIB
    assert not any("limit, " in line for line in result.err)


@pytest.mark.parametrize("options, said", [
    (["--memory", "16M"], r"the container's memory limit, 16M, leaves \w+ to the pool \(--memory\), which may take 16M: .*"),
    (["-B", "65536"], r"-B/--buffer-size 64M: more than the container's memory limit, 16M, leaves; .*"),
    (["-B", "65536", "--memory", "16M"], r"the container's .* may take 16M; its ring \(-B/--buffer-size\), 64M, is above .*"),
    (["-C", "4M"], r"the container's memory limit, 16M, leaves \w+ to the pool .*"),
    (["--memory", "4M", "-B", "8192"], None)])
@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_what_is_asked_for_above_the_limit_is_one_warning(wire, group, options, said, quiet):
    """And it is had: whoever asks may know more than can be seen from inside."""
    capture = Capture(wire, *options, "--duration", "200ms", *quiet, before=group(16 * MIB).before, ready=False)
    result = capture.wait()
    memory, warnings = result.whole().manifest["memory"], [line for line in result.err if "limit, 16M, leaves" in line and "listening" not in line]
    assert len(warnings) == (said is not None), result.err
    assert said is None or re.fullmatch("tarcap: " + said, warnings[0]), warnings
    asked = 4 if "4M" in options and "--memory" in options else 16 if "4M" in options or "16M" in options else 0
    segment = memory["segment_bytes"]
    assert memory["pool_bytes"] == (asked * MIB or memory["pool_bytes"] // segment * segment)


def test_check_and_a_file_know_the_limit_too(wire, group, tmp_path):
    group = group(16 * MIB)
    done = sh(*group.before, "nsenter", f"--net=/run/netns/{wire.b}", TARCAP, "check", "-i", "tc0")
    assert "\nmemory limit   16M\n" in done.stdout
    assert re.search(r"\nmemory         ring \w+ of \w+, pool \w+ \(the container's limit, 16M\)\n", done.stdout), done.stdout
    done = subprocess.run([*group.before, TARCAP, "-r", "-"], input=pcap_file([(1, 0, frame(0))]), capture_output=True)
    assert Archive(done.stdout).check().manifest["memory"]["pool_bytes"] < 11 * MIB


def test_in_a_container_of_16_mib(image, tmp_path):  # noqa: F811
    """The real image: nobody reads, the pool fills up, and the container lives to send it all."""
    name = f"tarcap-test-{OWN}-{time.monotonic_ns()}"
    capture = start_process(["docker", "run", "-i", "--name", name, "--log-driver", "none", "--network", "none", "--memory", "16m",
                                    "tarcap", "-i", "lo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=(tmp_path / "err").open("wb"))
    try:
        wait_until(lambda: b"listening on" in (tmp_path / "err").read_bytes(), 20)
        listening = time.monotonic()
        pid = docker("inspect", "--format", "{{.State.Pid}}", name).stdout.strip()
        assert Path(f"/proc/{pid}/oom_score_adj").read_text() == "1000\n"
        assert os.stat(f"/proc/{pid}/environ").st_uid == 0  # not dumpable
        sh("ip", "netns", "attach", name, pid)
        Flood(name, "lo", 150_000, 1400).wait()
        pool = lambda: int(re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) * 1024
        wait_until(lambda: pool() > 8 * MIB, 20)
        time.sleep(max(0, listening + 1.2 - time.monotonic()))  # an end of stdin within the first second does not count
        assert docker("inspect", "--format", "{{.State.Running}} {{.State.OOMKilled}}", name).stdout == "true false\n"
        out, _ = capture.communicate(timeout=30)  # closes stdin, which ends it
    finally:
        capture.kill()  # with a client that does not read, the engine cannot remove it
        docker("rm", "-f", name, check=False)
        sh("ip", "netns", "del", name, check=False)
    err = lines((tmp_path / "err").read_bytes())
    archive = Archive(out).check()
    assert capture.returncode == 0 and archive.account["dropped_by_kernel"] > 0, err
    assert sum("(the container's limit, 16M)" in line for line in err) == 1, err
    assert any(re.search("(because the reader takes|while the reader took) too little", line) for line in err), err


# --- the stack --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [[], ["--compress", "zstd", "--headers"], ["--format", "pcapng"], ["-v", "udp port 9"]])
def test_a_capture_needs_no_large_stack(wire, options):
    wire.addresses()
    capture = Capture(wire, "-i", "all", *options, before=SMALL)
    wire.ip(wire.b, "link", "add", "name", "late0", "type", "veth", "peer", "name", "late1")
    wire.ip(wire.b, "link", "set", "late0", "up")
    capture.heard("late0: came up after the start")
    wire.send(numbered(100))
    archive = capture.end().whole()
    assert archive.numbers() == ([] if "udp port 9" in options else list(range(100)))


@pytest.mark.parametrize("words", [["check", "-i", "tc0"], ["-i", "tc0", "-L"], ["-i", "tc0", "-dd", "tcp port 80"], ["-D"],
                                   ["hold", "--ttl", "100ms"], ["stop"], ["tar", "cf", "-", "/etc/hosts"],
                                   ["-i", "tc0", "--raw", "--duration", "100ms"], ["--help"], ["--version"]])
def test_nothing_else_needs_a_large_stack(wire, words):
    done = subprocess.run([*SMALL, "nsenter", f"--net=/run/netns/{wire.b}", TARCAP, *words],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert done.returncode == 0, done


@pytest.mark.parametrize("command", [["join"], ["summary"], ["summary", "--json"], ["-r", "-"]])
def test_reading_needs_no_large_stack(command):
    packets = pcap_file([(1_700_000_000 + number * 40_000, number, frame(number, 300)) for number in range(500)])
    archive = packets if command[0] == "-r" else run("-r", "-", "--compress", "zstd", "-C", "16k", "-s", "300", stdin=packets).out
    done = subprocess.run([*SMALL, TARCAP, *command], input=archive, capture_output=True, timeout=20)
    assert done.returncode == 0 and done.stdout, done
