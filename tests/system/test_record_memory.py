"""The memory that packets lie in: who could write to it where the kernel seals less, and that no core dump has it."""

import fcntl
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from capture import Capture, run
from hold import Hold
from process import TOP, start_process
from test_snapshot import AS_NOBODY, RECORD, Recorder
from wire import frame, numbered

MIB = 1 << 20
SECRET = b"no core dump has this"
F_GET_SEALS, SEAL, SHRINK, GROW, FUTURE_WRITE = 1034, 1, 2, 4, 16


def refused(what):
    """What runs a program where the kernel refuses it: see support/refused.py."""
    return [sys.executable, "-B", str(TOP / "tests/support/refused.py"), what]


# --- kernels that seal less -------------------------------------------------------------------------------------

def test_before_linux_5_1_it_records_and_only_its_own_user_could_write(wire):
    """Nobody can change the size, on which a reader would die; and what is written there is not believed (unit/area.c)."""
    recorder = Recorder(wire, before=refused("future-write"))
    wire.send(numbered(100))
    assert recorder.snapshot().whole().numbers() == list(range(100))
    path = f"/proc/{recorder.pid}/fd/{recorder.area()}"
    with open(path, "r+b", buffering=0) as area:
        assert fcntl.fcntl(area, F_GET_SEALS) == SEAL | SHRINK | GROW
        for size in (100, 64 * MIB):
            with pytest.raises(PermissionError):
                area.truncate(size)
        area.seek(4 * MIB - 1)
        area.write(b"\0")
    for mode in ("if", "of"):
        other = {"if": "of=/dev/null", "of": "if=/dev/zero"}[mode]
        done = recorder.call(*AS_NOBODY, "dd", f"{mode}=/proc/1/fd/{recorder.area()}", other, "conv=notrunc", "count=1")
        assert done.status != 0 and done.said("Permission denied"), done.err
    assert recorder.snapshot().whole().numbers() == list(range(100))


def test_check_says_who_could_write_to_it(wire):
    words = ("check", "--record", "4M", "-i", "tc0")
    assert b"4M, which nobody else can write to" in run(*words, namespace=wire.b).out
    assert b"4M, which its uid can write to (Linux 5.1 could seal it)" in run(
        *words, namespace=wire.b, before=refused("future-write")).out


@pytest.mark.parametrize("what, words", [("seals", "--record: cannot seal the memory"), ("memfd", "--record: memfd_create")])
def test_without_seals_or_memory_that_has_them_nothing_begins(wire, what, words):
    """A reader of a size that can change could be killed by it: then there is no recorder."""
    result = run("-i", "tc0", "--record", "4M", namespace=wire.b, before=refused(what))
    assert result.status == 1 and result.out == b"" and len(result.err) == 1 and result.said(words), result.err
    hold = Hold(wire, *RECORD, "--", "-i", "tc0", ready=False, before=refused(what))
    assert hold.wait(5) == 1 and len(hold.err) == 1 and words in hold.err[0], hold.err


# --- core dumps -------------------------------------------------------------------------------------------------

def mappings(pid):
    """(name, begin, end, flags) of each that can be written to."""
    head = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+ *(.*)$")
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if found := head.match(line):
            name, begin, end = found[3].split()[0] if found[3] else "", int(found[1], 16), int(found[2], 16)
        elif line.startswith("VmFlags:") and "wr" in line.split():
            yield name, begin, end, line.split()[1:]


def where_it_is(pid):
    """The mappings that have the secret; and those of them that a core dump would have."""
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        def has(begin, end):
            memory.seek(begin)
            return SECRET in memory.read(end - begin)
        found = [(name, end - begin, "dd" in flags) for name, begin, end, flags in mappings(pid)
                 if not name.startswith("socket:") and has(begin, end)]
    return found, [one for one in found if not one[2]]


def send_secrets(wire, count=3000):
    """Some are stored, some are in an open file and in the ring."""
    for n in range(count):
        wire.socket.send(frame(n, 60)[:60] + os.urandom(700) + SECRET + os.urandom(600))
    time.sleep(0.3)


@pytest.mark.parametrize("compress", ["none", "zstd"])
@pytest.mark.parametrize("arguments", [["--record", "4M"], ["--record", "4M", "--keep", "1h"], []], ids=["record", "keep", "plain"])
def test_what_has_packets_is_in_no_core_dump(wire, arguments, compress):
    with open(os.devnull, "wb") as out:
        capture = Capture(wire, *arguments, "--compress", compress, "-C", "400k", stdout=out)
        send_secrets(wire)
        found, dumped = where_it_is(capture.pid)
        rings = [flags for name, *_, flags in mappings(capture.pid) if name.startswith("socket:")]
        capture.end()
    assert found and not dumped, (found, dumped)
    assert rings and all("dd" in flags for flags in rings)
    assert ("/memfd:tarcap-record" in {name for name, *_ in found}) == ("--record" in arguments)


def test_the_recorder_of_a_hold_has_nothing_in_a_core_dump_and_the_hold_has_nothing(wire):
    recorder = Recorder(wire, behind=("-i", "tc0", "--compress", "none"))
    send_secrets(wire)
    found, dumped = where_it_is(recorder.recorder)
    assert {name for name, *_ in found} == {"", "/memfd:tarcap-record"} and not dumped, found
    assert where_it_is(recorder.pid) == ([], [])


@pytest.mark.parametrize("more", [[], ["--record", "4M"]])
def test_who_dies_leaves_no_core(wire, tmp_path, more):
    """It is not dumpable, whatever the limit is and wherever cores go."""
    out = tmp_path / "x.tar"
    with out.open("wb") as file:
        capture = Capture(wire, *more, stdout=file, cwd=tmp_path,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)))
        os.kill(capture.pid, signal.SIGSEGV)
        status = capture.process.wait(5)
    assert status == -signal.SIGSEGV
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar"]


def test_a_core_would_be_there(tmp_path):
    """Of a program that is dumpable, so that the test above means something; where cores go elsewhere it does not."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text()
    process = start_process(["sleep", "60"], cwd=tmp_path, stdin=subprocess.DEVNULL,
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)))
    time.sleep(0.2)
    process.send_signal(signal.SIGSEGV)
    process.wait(5)
    assert pattern.startswith(("|", "/")) or list(tmp_path.iterdir())
