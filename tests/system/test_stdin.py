"""stdin: when it closes, the capture ends; when nobody can close it, it says so; what it carries means nothing."""

import os
import socket
import subprocess
import time

import pytest

from archive import Archive, pcap_file
from capture import Capture
from process import TARCAP, patience, start_process, wait_until
from wire import Flood, frame, numbered


def stdin_of(kind):
    """(descriptor for tarcap, the other end)"""
    if kind == "pipe":
        return os.pipe()
    ours, theirs = socket.socketpair()
    return theirs.detach(), ours.detach()


STDINS = pytest.mark.parametrize("kind", ["pipe", "socket"])


@STDINS
def test_stdin_that_closes_ends_it_cleanly(wire, kind):
    theirs, ours = stdin_of(kind)
    capture = Capture(wire, stdin=theirs)
    os.close(theirs)
    time.sleep(1.1)
    wire.send(numbered(20))
    os.close(ours)
    start = time.monotonic()
    archive = capture.wait(3).whole()
    assert time.monotonic() - start < 1 * patience()
    assert archive.numbers() == list(range(20))
    assert archive.cause == "stdin closed"


@STDINS
@pytest.mark.parametrize("wait", [None, 0, 0.5])
def test_stdin_that_closes_early_does_not_end_it(wire, kind, wait):
    theirs, ours = stdin_of(kind)
    if wait is None:
        os.close(ours)
    capture = Capture(wire, "-c", 10, stdin=theirs)
    os.close(theirs)
    if wait is not None:
        time.sleep(wait)
        os.close(ours)
    capture.heard("stdin is closed: going on without it; ends after 1m (--duration sets another time)")
    capture.rests(1.2)
    assert capture.process.poll() is None
    wire.send(numbered(10))
    assert capture.wait(3).whole().manifest["ended_by"] == {"cause": "packet count", "detail": None}


@pytest.mark.parametrize("count, lingers", [(40_000, True), (200, False)])
def test_stream_of_full_speed_that_stdin_ends_stays_for_a_second(wire, count, lingers):
    """Under heavy load kubectl lost the end of one of 22 that ended at once. A quiet one is over at once."""
    theirs, ours = os.pipe()
    capture = Capture(wire, stdin=theirs)
    os.close(theirs)
    Flood(wire.a, "tc1", count, 1400, per_second=20_000 if lingers else 100).wait()
    os.close(ours)
    start = time.monotonic()
    wait_until(lambda: capture.out.endswith(bytes(1024)) and b"manifest.json" in capture.out[-200_000:], 5, "the end")
    assert capture.wait(4).whole().cause == "stdin closed"
    assert (time.monotonic() - start > 0.9) == lingers


def without_stdin(wire, *arguments, **more):
    """A capture whose stdin is a pipe at its end, and the line that it says of that."""
    theirs, ours = os.pipe()
    os.close(ours)
    capture = Capture(wire, *arguments, stdin=theirs, **more)
    os.close(theirs)
    capture.heard("stdin is closed: going on without it")
    [line] = [line for line in capture.err if "stdin is closed" in line]
    return capture, line.partition("going on without it")[2]


@pytest.mark.parametrize("words, environment, line", [
    (["--duration", "2s"], {}, "; ends after 2s (--duration)"),
    (["--duration", "10m"], {}, "; ends after 10m (--duration)"),
    (["--duration", "0"], {}, "; no time limit: a signal ends it, or another limit"),
    (["--max-bytes", "2G"], {}, "; ends after 1m (--duration sets another time)"),
    ([], {"TARCAP_MAX_DURATION": "90s"}, "; ends after 1m (--duration sets another time)"),
    ([], {"TARCAP_MAX_DURATION": "30s"}, "; ends after 30s (--duration sets another time)"),
    (["--duration", "0"], {"TARCAP_MAX_DURATION": "90s"}, "; ends after 90s (--duration)"),
])
def test_without_stdin_it_says_when_it_ends(wire, words, environment, line):
    capture, said = without_stdin(wire, *words, env={**os.environ, **environment})
    assert said == line
    if "2s" in words:
        assert capture.wait(4).whole().manifest["ended_by"] == {"cause": "duration", "detail": None}
    else:
        assert capture.end().whole().manifest["ended_by"] == {"cause": "signal", "detail": "SIGINT"}


def test_without_stdin_the_reader_keeps_its_stall(wire):
    """The 5 s are for an end of stdin that was the capture's: here a reader may stand still for --stall."""
    capture, _ = without_stdin(wire, "--duration", "1500ms", "--memory", "8M", read=False)
    wire.send(numbered(4000, 1400))
    time.sleep(8)
    assert capture.process.poll() is None
    capture.collect()
    archive = capture.wait(5).whole()
    assert archive.cause == "duration" and archive.numbers() == list(range(4000)) and archive.lost() == {}


def test_reading_a_file_without_stdin(tmp_path):
    """It ends by itself, however long that takes."""
    os.mkfifo(tmp_path / "fifo")
    theirs, ours = os.pipe()
    os.close(ours)
    process = start_process([TARCAP, "-r", tmp_path / "fifo"], stdin=theirs, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    os.close(theirs)
    with (tmp_path / "fifo").open("wb") as fifo:
        fifo.write(pcap_file([(1000, number, frame(number)) for number in range(10)]))
        fifo.flush()
        line = b""
        while b"stdin" not in line:
            line = process.stderr.readline()
            assert line
        assert b"stdin is closed: going on without it, to the end of the file" in line
    out, err = process.communicate(timeout=8)
    assert process.returncode == 0 and Archive(out).check().numbers() == list(range(10)), err


def test_bytes_on_stdin_mean_nothing(wire):
    theirs, ours = os.pipe()
    capture = Capture(wire, stdin=theirs)
    os.close(theirs)
    for _ in range(20):
        os.write(ours, b"q\n\x03\x04" * 10_000)
    time.sleep(1.1)
    os.write(ours, b"\x04")
    wire.send(numbered(10))
    time.sleep(0.2)
    assert capture.process.poll() is None
    archive = capture.end().whole()
    assert archive.numbers() == list(range(10)) and archive.cause == "signal"
    os.close(ours)


def test_stdin_ignore(wire):
    theirs, ours = os.pipe()
    capture = Capture(wire, "--stdin", "ignore", "--duration", "2s", stdin=theirs)
    os.close(theirs)
    time.sleep(1.2)
    os.close(ours)
    assert capture.wait(4).whole().cause == "duration"


@pytest.mark.parametrize("redirect", ["</dev/null", "<&-", '<"$0"'])
def test_stdin_that_is_no_pipe_means_nothing(wire, redirect):
    capture = Capture(wire, "--duration", "1500ms", before=["sh", "-c", f'exec "$0" "$@" {redirect}'])
    wire.send(numbered(10))
    archive = capture.wait(4).whole()
    assert archive.cause == "duration" and archive.numbers() == list(range(10))
    assert len(capture.err) == 5, capture.err


def test_stdin_closing_while_the_reader_is_stuck(wire):
    """The reader has gone with it, most likely: it must not wait for the long stall limit."""
    theirs, ours = os.pipe()
    capture = Capture(wire, stdin=theirs, read=False)
    os.close(theirs)
    wire.send(numbered(3000, 1500))
    time.sleep(1.2)
    os.close(ours)
    assert capture.wait(7).status == 3
