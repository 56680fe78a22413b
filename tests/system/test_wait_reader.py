"""--wait-reader: nothing is written before the reader comes, and everything when it does."""

import os
import pty
import socket
import subprocess
import time

import pytest

from archive import Archive, check_flood, packets_in, pcap_file
from capture import Capture, Peak, run
from process import TARCAP, patience, start_process, wait_until
from wire import Flood, frame, numbered

MIB = 1 << 20
PROMPT = "press Enter to start the download, Ctrl-D to end"


# --- --wait-reader: nothing before the reader -------------------------------------------------------------------

class Waiting(Capture):
    """A capture with --wait-reader and a pipe as its stdin."""

    def __init__(self, wire, *arguments, **more):
        theirs, self.ours = os.pipe()
        super().__init__(wire, "--wait-reader", *arguments, stdin=theirs, **more)
        os.close(theirs)

    def enter(self):
        os.write(self.ours, b"\n")

    def eof(self):
        os.close(self.ours)
        self.ours = None

    def count(self, words):
        return sum(words in line for line in self.err)

    def wait(self, timeout=10):
        result = super().wait(timeout)
        if self.ours is not None:
            self.eof()
        return result


@pytest.mark.alone
def test_nothing_is_written_before_the_reader(wire):
    capture = Waiting(wire)
    capture.heard(PROMPT, timeout=0.3)
    Flood(wire.a, "tc1", 60_000, 200, per_second=40_000).wait()
    assert capture.out == b"" and capture.count("listening on") == 1
    capture.enter()
    wait_until(lambda: capture.count("listening on") == 2, 0.5)
    wait_until(lambda: len(capture.out) > 0, 0.5)
    archive = capture.end().whole()
    assert archive.numbers() == list(range(60_000))
    assert archive.lost() == {}


def test_prompt_is_repeated_until_the_reader_comes(wire):
    capture = Waiting(wire)
    times = []
    for number in range(1, 4):
        wait_until(lambda: capture.count(PROMPT) == number, 2.5)
        times.append(time.monotonic())
    assert all(1.8 < b - a < 2.3 for a, b in zip(times, times[1:])), times
    assert capture.out == b""
    capture.enter()
    wait_until(lambda: capture.count("listening on") == 2, 0.5)
    time.sleep(2.3)
    assert capture.count(PROMPT) == 3
    capture.end().whole()


def test_prompt_is_said_with_q_too(wire):
    """It is the only way to know what to do."""
    capture = Waiting(wire, "-q", ready=False)
    capture.heard(PROMPT)
    wire.send(numbered(5))
    time.sleep(0.2)
    capture.enter()
    capture.kill()
    assert capture.wait().whole().numbers() == list(range(5))


def test_reader_comes_late(wire):
    capture = Waiting(wire)
    wire.send(numbered(500))
    time.sleep(3)
    wire.send(numbered(500, first=500))
    capture.enter()
    wait_until(lambda: len(packets_in(bytes(capture.out))) >= 500, 2)
    wire.send(numbered(500, first=1000))
    archive = capture.end().whole()
    assert archive.numbers() == list(range(1500))


@pytest.mark.parametrize("typed_after", [0, 0.5, 1.2, 4])
def test_eof_after_the_byte_counts_at_once(wire, typed_after):
    """Whoever typed Enter held it open: a client that is killed right then must not leave the capture running."""
    capture = Waiting(wire)
    wire.send(numbered(100))
    time.sleep(typed_after)
    capture.enter()
    capture.eof()
    start = time.monotonic()
    archive = capture.wait(4).whole()
    assert time.monotonic() - start < 2 * patience()
    assert archive.cause == "stdin closed" and archive.numbers() == list(range(100))
    assert not any("stdin is closed" in line for line in capture.err)


@pytest.mark.parametrize("wait", [0.2, 2])
def test_early_eof_before_any_byte_tells_nothing(wire, wait):
    """As with </dev/null, which attaching hands through up to 1.2 s later: the reader is there, the capture goes on."""
    capture = Waiting(wire, "-c", 200)
    wire.send(numbered(100))
    time.sleep(wait)
    assert capture.out == b""
    capture.eof()
    capture.heard("stdin is closed: going on without it; ends after 1m (--duration sets another time)")
    wait_until(lambda: capture.count("listening on") == 2, 0.5)
    wait_until(lambda: len(packets_in(bytes(capture.out))) == 100, 2.5)
    capture.rests(0.5)
    assert capture.process.poll() is None
    wire.send(numbered(100, first=100))
    archive = capture.wait().whole()
    assert archive.cause == "packet count" and archive.numbers() == list(range(200))


def test_late_eof_before_any_byte_is_the_end_too(wire):
    """What was captured is sent."""
    capture = Waiting(wire)
    wire.send(numbered(100))
    time.sleep(3.2)
    assert capture.out == b""
    start = time.monotonic()
    capture.eof()
    archive = capture.wait(4).whole()
    assert time.monotonic() - start < 2 * patience()
    assert archive.cause == "stdin closed" and archive.numbers() == list(range(100))


def test_without_stdin_it_ends_after_60_s(wire):
    """Nobody's end of stdin would end it. Such an end is a limit's: a slow reader gets everything, however late."""
    theirs, ours = os.pipe()
    os.close(ours)
    start = time.monotonic()
    capture = Capture(wire, "--memory", "8M", "--stall", "90s", stdin=theirs, read=False)
    os.close(theirs)
    capture.heard("stdin is closed: going on without it; ends after 1m (--duration sets another time)")
    wire.send(numbered(4000, 1400))
    time.sleep(57 - (time.monotonic() - start))
    assert capture.process.poll() is None
    time.sleep(7)
    capture.collect()
    archive = capture.wait(10).whole()
    assert archive.manifest["ended_by"] == {"cause": "duration", "detail": "60 s without stdin"}
    assert archive.numbers() == list(range(4000)) and archive.lost() == {}
    assert archive.manifest["limits"]["duration_seconds"] == 300


def test_ctrl_d_ends_it(wire):
    capture = Waiting(wire)
    wire.send(numbered(10))
    time.sleep(0.2)
    capture.enter()
    wait_until(lambda: capture.count("listening on") == 2, 0.5)
    wire.send(numbered(10, first=10))
    time.sleep(0.2)
    capture.eof()
    start = time.monotonic()
    archive = capture.wait(4).whole()
    assert 0.9 < time.monotonic() - start < 2.5 * patience()
    assert archive.cause == "stdin closed" and archive.numbers() == list(range(20))


def test_more_bytes_mean_nothing(wire):
    capture = Waiting(wire)
    capture.enter()
    wait_until(lambda: capture.count("listening on") == 2, 1)
    for _ in range(10):
        capture.enter()
    time.sleep(1.1)
    capture.enter()
    assert capture.count("listening on") == 2 and capture.process.poll() is None
    capture.end().whole()


@pytest.mark.parametrize("redirect", ["</dev/null", "<&-"])
def test_stdin_that_nobody_can_type_on(wire, redirect):
    """It is at its end: the reader is there."""
    capture = Capture(wire, "--wait-reader", "--duration", "2500ms",
                      before=["sh", "-c", f'exec "$0" "$@" {redirect}'])
    wire.send(numbered(10))
    wait_until(lambda: len(capture.out) > 0, 1)
    capture.rests(1)
    archive = capture.wait(6).whole()
    assert archive.cause == "duration" and archive.numbers() == list(range(10))
    assert capture.heard("stdin is closed: going on without it; ends after 2500ms (--duration)") is None


def test_stdin_a_file_with_bytes(wire):
    """They are the sign, and behind them is the end."""
    capture = Capture(wire, "--wait-reader", before=["sh", "-c", 'exec "$0" "$@" <"$0"'])
    assert capture.wait(4).whole().cause == "stdin closed"


def test_stdin_a_file_with_no_bytes(wire, tmp_path):
    (tmp_path / "empty").touch()
    with (tmp_path / "empty").open() as stdin:
        capture = Capture(wire, "--wait-reader", "-c", 10, stdin=stdin)
    wire.send(numbered(10))
    assert capture.wait().whole().numbers() == list(range(10))


def test_stdin_a_terminal(wire):
    """Enter starts it, Ctrl-D ends it: what the prompt says, on a real terminal."""
    ours, theirs = pty.openpty()
    capture = Capture(wire, "--wait-reader", stdin=theirs)
    os.close(theirs)
    wire.send(numbered(10))
    time.sleep(1.2)
    assert capture.out == b""
    os.write(ours, b"\n")
    wait_until(lambda: len(capture.out) > 0, 1)
    time.sleep(1.3)
    os.write(ours, b"\x04")
    archive = capture.wait(4).whole()
    assert archive.cause == "stdin closed" and archive.numbers() == list(range(10))
    os.close(ours)


def test_terminal_that_hangs_up(wire):
    """Its end is closed after the reader came: read() says EIO."""
    ours, theirs = pty.openpty()
    capture = Capture(wire, "--wait-reader", stdin=theirs)
    os.close(theirs)
    os.write(ours, b"\n")
    time.sleep(1.3)
    os.close(ours)
    assert capture.wait(4).whole().cause == "stdin closed"


def test_stdin_a_socket(wire):
    ours, theirs = socket.socketpair()
    capture = Capture(wire, "--wait-reader", stdin=theirs)
    theirs.close()
    wire.send(numbered(10))
    time.sleep(0.5)
    assert capture.out == b""
    ours.send(b"x")
    time.sleep(1.2)
    ours.close()
    archive = capture.wait(4).whole()
    assert archive.cause == "stdin closed" and archive.numbers() == list(range(10))


def test_stdin_ignore_waits_but_does_not_end(wire):
    capture = Waiting(wire, "--stdin", "ignore", "--duration", "4s")
    wire.send(numbered(10))
    time.sleep(0.5)
    assert capture.out == b""
    capture.enter()
    time.sleep(1.2)
    capture.eof()
    archive = capture.wait(8).whole()
    assert archive.cause == "duration" and archive.numbers() == list(range(10))
    assert not any("stdin is closed" in line for line in capture.err)


# --- --wait-reader: the end comes first -------------------------------------------------------------------------

@pytest.mark.parametrize("limit", [["-c", 100], ["--duration", "500ms"]])
def test_limit_before_the_reader_comes(wire, limit):
    capture = Waiting(wire, *limit)
    wire.send(numbered(100))
    time.sleep(0.5)
    capture.rests(1.5)
    assert capture.process.poll() is None and capture.out == b""
    capture.enter()
    archive = capture.wait(4).whole()
    assert archive.numbers() == list(range(100))
    assert archive.cause == ("packet count" if limit[0] == "-c" else "duration")


@pytest.mark.parametrize("limit", [["-c", 100], ["--duration", "500ms"]])
def test_limit_and_no_reader_ever(wire, limit):
    capture = Waiting(wire, *limit, "--stall", "1500ms")
    wire.send(numbered(100))
    start = time.monotonic()
    result = capture.wait(5)
    assert 1.3 < time.monotonic() - start < 3 * patience()
    assert result.status == 3 and result.said("no reader has come") and result.out == b""


def test_stall_does_not_hit_while_capturing(wire):
    """It is for a reader that takes nothing though it is there, or for an archive that is complete."""
    capture = Waiting(wire, "--stall", "500ms")
    wire.send(numbered(5000, 1400))
    time.sleep(2)
    assert capture.process.poll() is None
    capture.enter()
    assert capture.end().whole().numbers() == list(range(5000))


def reading_a_file(path, *arguments):
    """(the process, what it waits on): a file larger than the pool"""
    path.write_bytes(pcap_file([(1000, number, frame(number, 60_000)) for number in range(200)]))
    theirs, ours = os.pipe()
    process = start_process([TARCAP, "-r", path, "--wait-reader", "--memory", "2M", *arguments], stdin=theirs,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(theirs)
    return process, ours


def test_reading_a_file_waits_for_no_reader_for_ever(tmp_path):
    """A file has no time limit, and this one no end while the pool is full: --stall must end it."""
    process, ours = reading_a_file(tmp_path / "x.pcap", "--stall", "1s")
    try:
        assert process.wait(4) == 3
    finally:
        os.close(ours)


def test_reading_a_file_waits_for_the_reader(tmp_path):
    process, ours = reading_a_file(tmp_path / "x.pcap")
    time.sleep(0.7)
    os.set_blocking(process.stdout.fileno(), False)
    assert process.stdout.read(1) is None and process.poll() is None
    os.set_blocking(process.stdout.fileno(), True)
    os.write(ours, b"\n")
    out, err = process.communicate(timeout=8)
    assert process.returncode == 0, err
    assert Archive(out).check().numbers() == list(range(200))
    os.close(ours)


def test_signal_before_the_reader_comes(wire):
    """Nobody comes: dropped at 3 s, over at 5 s."""
    capture = Waiting(wire)
    wire.send(numbered(100))
    time.sleep(0.3)
    start = time.monotonic()
    result = capture.end(timeout=8)
    assert 4.5 < time.monotonic() - start < 6.5 * patience()
    assert result.status == 3 and result.out == b""
    assert "100 packets dropped at stop: the reader did not take them in time" in result.err
    assert "0 packets captured" in result.err


@pytest.mark.parametrize("wait, whole", [(1, True), (4, False)])
def test_reader_comes_after_the_signal(wire, wait, whole):
    capture = Waiting(wire)
    wire.send(numbered(100))
    time.sleep(0.3)
    capture.kill()
    time.sleep(wait)
    capture.enter()
    result = capture.wait(5)
    archive = result.archive().check()
    assert archive.numbers() == (list(range(100)) if whole else [])
    assert archive.lost() == ({} if whole else {"dropped_at_stop": 100})
    assert result.status == (0 if whole else 3)


def test_second_signal_before_the_reader_comes(wire):
    capture = Waiting(wire)
    capture.kill()
    time.sleep(0.2)
    start = time.monotonic()
    capture.kill()
    assert capture.wait(3).status == 3 and time.monotonic() - start < 0.5 * patience()


def test_pool_and_ring_full_while_waiting(wire):
    """Memory is bounded; what does not fit is the kernel's drop, and put on the reader."""
    count = 40_000
    capture = Waiting(wire, "-B", 8192, "--memory", "8M")
    with Peak(capture) as peak:
        # Until the pool is full, no more than the ring takes by itself: what is lost there on a busy machine is not the reader's.
        for first in (0, 3300):
            Flood(wire.a, "tc1", 3300, 1400, first=first).wait()
            capture.rests(1)
        Flood(wire.a, "tc1", count - 6600, 1400, first=6600).wait()
        capture.rests(1)
    assert capture.out == b"" and peak.rss <= (8 + 8 + 4) * MIB
    capture.enter()
    time.sleep(0.5)
    wire.send(numbered(1000, first=count))
    archive = check_flood(capture.end().whole(), count + 1000)
    account = archive.account
    assert account["dropped_by_kernel"] == account["dropped_by_kernel_while_reader_slow"] > 0
    kept = archive.numbers()
    assert kept[:9000] == list(range(9000)) and kept[-1000:] == list(range(count, count + 1000))


def test_waiting_costs_nothing(wire):
    capture = Waiting(wire)
    wire.send(numbered(10))
    time.sleep(1.2)
    capture.rests(3)
    capture.enter()
    capture.end().whole()


def trailer_read(capture):
    wait_until(lambda: len(capture.out) > 2048 and capture.out.endswith(bytes(1024)) and b"manifest.json" in
               capture.out, 5, "the trailer")
    return time.monotonic()


def test_it_lingers(wire):
    """An attached stream is cut when its process ends at once."""
    capture = Waiting(wire, "-c", 10)
    capture.enter()
    wire.send(numbered(10))
    seen = trailer_read(capture)
    time.sleep(0.7)
    assert capture.process.poll() is None
    assert capture.wait(3).whole().numbers() == list(range(10))
    assert 0.8 < time.monotonic() - seen < 1.8 * patience()


def test_signal_ends_the_lingering(wire):
    capture = Waiting(wire, "-c", 10)
    capture.enter()
    wire.send(numbered(10))
    trailer_read(capture)
    time.sleep(0.2)
    start = time.monotonic()
    assert capture.end().status == 0 and time.monotonic() - start < 0.4 * patience()


def test_reader_that_has_everything_may_go(wire):
    reader, writer = os.pipe()
    capture = Waiting(wire, "-c", 10, stdout=writer)
    os.close(writer)
    capture.enter()
    wire.send(numbered(10))
    got = b""
    while not (got.endswith(bytes(1024)) and b"manifest.json" in got):
        got += os.read(reader, 65536)
    os.close(reader)
    start = time.monotonic()
    assert capture.wait(3).status == 0 and time.monotonic() - start < 0.5 * patience()
    Archive(got).check()


def test_reader_goes_before_it_has_come(wire):
    reader, writer = os.pipe()
    capture = Waiting(wire, stdout=writer)
    os.close(writer)
    os.close(reader)
    assert capture.wait(3).status == 3


def test_wait_reader_takes_stdout_and_stdin(wire, tmp_path):
    for arguments in (["-w", tmp_path / "x.tar"], ["-r", "-"]):
        result = run("--wait-reader", *arguments, namespace=wire.b)
        assert result.status == 2 and len(result.err) == 1 and "--wait-reader" in result.err[0], result.err
    assert not (tmp_path / "x.tar").exists()
