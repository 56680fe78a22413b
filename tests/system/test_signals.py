"""Signals: those that end a capture, those that do not, those as process 1, those at a bad moment."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from capture import Capture
from process import patience, sh, wait_until
from wire import Flood, frame, numbered


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_end_it_cleanly(wire, name):
    capture = Capture(wire)
    wire.send(numbered(50))
    archive = capture.end(getattr(signal, name)).whole()
    assert archive.numbers() == list(range(50))
    assert archive.manifest["ended_by"] == {"cause": "signal", "detail": name}


def test_sighup_is_ignored_under_nohup(wire):
    capture = Capture(wire, before=["nohup"])
    capture.kill(signal.SIGHUP)
    time.sleep(0.3)
    assert capture.process.poll() is None
    wire.send(numbered(5))
    assert capture.end(signal.SIGTERM).whole().numbers() == list(range(5))


def child_of(pid):
    def find():
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    wait_until(find, what="a child")
    return int(find()[0])


def test_sigint_in_the_background_of_a_script(wire):
    """A shell without job control starts background jobs with SIGINT ignored."""
    inherited = sh("sh", "-c", "grep SigIgn /proc/self/status & wait").stdout
    assert int(inherited.split()[1], 16) & 2, "then this shows nothing"
    shell = Capture(wire, before=["sh", "-c", '"$@" & wait', "sh"])
    pid = child_of(shell.pid)
    wire.send(numbered(10))
    os.kill(pid, signal.SIGINT)
    archive = shell.wait().archive().check()
    assert archive.numbers() == list(range(10))
    assert archive.manifest["ended_by"]["detail"] == "SIGINT"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_as_pid_1(wire, number):
    capture = Capture(wire, before=["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
    pid = child_of(capture.pid)
    assert re.search(r"NSpid:\s+\d+\s+1\n", Path(f"/proc/{pid}/status").read_text())
    wire.send(numbered(10))
    os.kill(pid, number)
    assert capture.wait().whole().numbers() == list(range(10))


def test_signal_while_it_starts_as_pid_1(wire):
    """The kernel throws away what PID 1 has no handler for: a stop during a slow start must not be forgotten."""
    # One that has to be compiled as a whole, as each value leaves its qualifier out.
    slow = "port " + " or ".join(str(6000 + 2 * number) for number in range(130))
    capture = Capture(wire, "--duration", "8s", slow, before=["unshare", "--pid", "--fork", "--kill-child"], ready=False)
    pid = child_of(capture.pid)
    wait_until(lambda: "tarcap" in Path(f"/proc/{pid}/comm").read_text())
    time.sleep(0.3)
    assert not capture.is_listening(), "it started too quickly for this to show anything"
    os.kill(pid, signal.SIGTERM)
    capture.process.wait(6)
    assert capture.process.poll() is not None


@pytest.mark.parametrize("limit", [("-c", 500), ("--max-bytes", 500 * 76), ("-C", "40k", "-W", 1, "-s", 60)])
def test_limit_holds_while_the_ring_is_emptied(wire, limit):
    """The signal is seen first, and more than was asked for is in the ring."""
    capture = Capture(wire, *limit)
    capture.kill(signal.SIGSTOP)
    wire.send(numbered(1000))
    capture.kill(signal.SIGINT)
    capture.kill(signal.SIGCONT)
    archive = capture.wait().whole()
    expected = (40960 - 24) // 76 if "-W" in limit else 500
    assert archive.numbers() == list(range(expected))
    assert archive.cause in ("packet count", "byte limit", "segment count")
    assert archive.lost() == {"after_limit": 1000 - expected}


def test_second_signal_ends_at_once(wire):
    capture = Capture(wire, "--memory", "2M", read=False)
    wire.send(numbered(3000, 1500))
    time.sleep(0.3)
    capture.kill()
    time.sleep(0.3)
    assert capture.process.poll() is None
    start = time.monotonic()
    capture.kill()
    result = capture.wait(2)
    assert time.monotonic() - start < 0.3 * patience()
    assert result.status == 3 and result.said("second signal")


def test_sigusr1_prints_counters_and_goes_on(wire):
    capture = Capture(wire)
    wire.send(numbered(123))
    time.sleep(0.3)
    capture.kill(signal.SIGUSR1)
    capture.heard("123 packets")
    assert capture.end().whole().numbers() == list(range(123))


def test_sigusr2_seals_now(wire):
    capture = Capture(wire, "-G", "1h")
    for round_ in (1, 2):
        wire.send([frame(round_)])
        time.sleep(0.3)
        assert bytes(capture.out).count(b".pcap\0") == round_ - 1
        capture.kill(signal.SIGUSR2)
        wait_until(lambda: bytes(capture.out).count(b".pcap\0") == round_, 0.5)
    capture.kill(signal.SIGUSR2)  # nothing is open: no empty file
    time.sleep(0.1)
    archive = capture.end().whole()
    assert archive.numbers() == [1, 2] and len(archive.files) == 2


def test_sigusr2_counts_for_w(wire):
    capture = Capture(wire, "-G", "1h", "-W", 1)
    wire.send([frame(0)])
    time.sleep(0.3)
    capture.kill(signal.SIGUSR2)
    assert capture.wait(2).whole().cause == "segment count"


def test_stop_and_continue_under_traffic(wire):
    capture = Capture(wire, "-B", 4096)
    flood = Flood(wire.a, "tc1", 200_000, 60, per_second=100_000)
    time.sleep(0.3)
    capture.kill(signal.SIGSTOP)
    time.sleep(1)
    capture.kill(signal.SIGCONT)
    flood.wait()
    archive = capture.end().whole()
    assert archive.account["received_by_filter"] == 200_000
    assert archive.account["dropped_by_kernel"] > 0, "no loss: this shows nothing"
    assert set(archive.lost()) == {"dropped_by_kernel"}
    assert archive.numbers() == sorted(set(archive.numbers()))


def test_signals_at_a_bad_moment(wire):
    """SIGTERM while it is starting: it must end, with a manifest or without, and never hang."""
    for wait in range(0, 30, 2):
        capture = Capture(wire, ready=False)
        time.sleep(wait / 1000)
        capture.kill(signal.SIGTERM)
        status = capture.process.wait(5)
        assert status in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
        if status == 0:
            capture.wait().archive().check()
