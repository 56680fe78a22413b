"""How a capture ends, and what it survives: signals, readers, stdin, limits, interfaces, disks."""

import os
import pty
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from archive import Archive, Pcap, pcap_file, tar_members
from capture import Capture, run
from process import TARCAP, patience, sh, start_process, wait_until
from wire import Flood, frame, numbered

MIB = 1 << 20


# --- signals ----------------------------------------------------------------------------------------------------

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


# --- the reader -------------------------------------------------------------------------------------------------

def way_out(kind, tmp_path):
    """(descriptor to write to, descriptor to read from)"""
    if kind == "pipe":
        return os.pipe()[::-1]
    if kind == "socket":
        ours, theirs = socket.socketpair()
        return theirs.detach(), ours.detach()
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY)
    os.set_blocking(reader, True)
    return writer, reader


KINDS = pytest.mark.parametrize("kind", ["pipe", "fifo", "socket"])


@KINDS
@pytest.mark.parametrize("traffic", [False, True])
def test_reader_goes_away(wire, tmp_path, kind, traffic):
    writer, reader = way_out(kind, tmp_path)
    capture = Capture(wire, stdout=writer)
    os.close(writer)
    os.read(reader, 65536)
    flood = Flood(wire.a, "tc1", 100_000, 60, per_second=50_000) if traffic else None
    time.sleep(0.2)
    os.close(reader)
    start = time.monotonic()
    result = capture.wait(3)
    assert time.monotonic() - start < 1 * patience()
    assert result.status == 3 and result.said("reader", "gone")
    if flood:
        flood.stop()


@KINDS
def test_reader_goes_away_while_it_stalls(wire, tmp_path, kind):
    writer, reader = way_out(kind, tmp_path)
    capture = Capture(wire, "--memory", "2M", stdout=writer)
    os.close(writer)
    wire.send(numbered(4000, 1500))
    time.sleep(1.2)
    os.close(reader)
    assert capture.wait(1).status == 3


@KINDS
def test_reader_was_never_there(wire, tmp_path, kind):
    writer, reader = way_out(kind, tmp_path)
    os.close(reader)
    capture = Capture(wire, stdout=writer, ready=False)
    os.close(writer)
    assert capture.wait(2).status == 3


@KINDS
def test_flags_of_a_shared_description_are_restored(wire, tmp_path, kind):
    writer, reader = way_out(kind, tmp_path)
    capture = Capture(wire, stdout=writer)
    got = bytearray()

    def collect():
        while data := os.read(reader, 1 << 16):
            got.extend(data)
    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    wire.send(numbered(100))
    assert capture.end().status == 0
    assert os.get_blocking(writer)
    os.close(writer)
    thread.join(5)
    os.close(reader)
    assert Archive(bytes(got)).check().numbers() == list(range(100))


def test_flags_are_restored_after_a_cut_too(wire, tmp_path):
    writer, reader = way_out("fifo", tmp_path)
    capture = Capture(wire, "--memory", "2M", stdout=writer)
    wire.send(numbered(4000, 1500))
    time.sleep(0.3)
    capture.kill()
    time.sleep(0.1)
    capture.kill()
    assert capture.wait(2).status == 3
    assert os.get_blocking(writer)
    os.close(writer)
    os.close(reader)


def test_reader_that_never_reads(wire):
    """Memory stays bounded, all is accounted for on stderr, and a signal ends it in time."""
    capture = Capture(wire, "-B", 8192, "--memory", "8M", read=False)
    flood = Flood(wire.a, "tc1", 40_000, 1500)
    flood.wait()
    time.sleep(0.5)
    assert capture.rss() < (8 + 8 + 4) * MIB
    start = time.monotonic()
    capture.kill()
    result = capture.wait(8)
    assert 2.5 < time.monotonic() - start < 6 * patience()
    assert result.status == 3
    text = "\n".join(result.err)
    received = int(re.search(r"(\d+) packets received by filter", text)[1])
    captured, dropped, at_stop = (int(re.search(rf"(\d+) packets {what}", text)[1])
                                  for what in ("captured", "dropped by kernel", "dropped at stop"))
    assert received == 40_000 == captured + dropped + at_stop
    assert dropped > 0 and at_stop > 0


def test_reader_that_resumes_too_late_for_all_but_the_manifest(wire):
    capture = Capture(wire, "-B", 8192, "--memory", "8M", read=False)
    flood = Flood(wire.a, "tc1", 40_000, 1500)
    flood.wait()
    time.sleep(0.5)
    capture.kill()
    time.sleep(4)
    capture.collect()
    result = capture.wait(3)
    archive = result.archive().check()
    assert result.status == 3
    assert archive.account["received_by_filter"] == 40_000
    assert archive.account["dropped_at_stop"] > 0 and archive.account["written"] > 0
    assert archive.numbers() == list(range(len(archive.records)))


def test_file_that_has_not_begun_to_leave_is_taken_back(wire):
    """A socket takes a small file whole or not at all, so one waits whose header has not left."""
    writer, reader = way_out("socket", None)
    capture = Capture(wire, "-s", 64, "-C", "4k", "--memory", "2M", stdout=writer)
    os.close(writer)
    wire.send(numbered(20_000))
    time.sleep(0.3)
    capture.kill()
    time.sleep(3.5)
    got = bytearray()
    while data := os.read(reader, MIB):
        got += data
    os.close(reader)
    assert capture.wait(2).status == 3
    archive = Archive(bytes(got)).check()
    assert archive.account["received_by_filter"] == 20_000
    assert 0 < archive.account["dropped_at_stop"] == 20_000 - len(archive.records)
    assert archive.numbers() == list(range(len(archive.records)))


def test_reader_that_resumes_in_time_gets_everything(wire):
    """1 s after the signal is within the 3 s that a stop waits: nothing of what was captured may be lost."""
    capture = Capture(wire, "-B", 32768, "--memory", "2M", "-C", "300k", read=False)
    flood = Flood(wire.a, "tc1", 10_000, 1500)
    flood.wait()
    capture.kill()
    time.sleep(1)
    capture.collect()
    archive = capture.wait(6).whole()
    assert archive.lost() == {}
    assert archive.numbers() == list(range(10_000))


def test_reader_that_stalls_and_resumes(wire):
    capture = Capture(wire, "-B", 8192, "--memory", "8M", read=False)
    flood = Flood(wire.a, "tc1", 200_000, 1500, per_second=50_000)
    time.sleep(1.5)
    capture.collect()
    flood.wait()
    archive = capture.end().whole()
    account = archive.account
    assert account["received_by_filter"] == 200_000
    assert account["dropped_by_kernel_while_reader_slow"] > 0
    assert set(archive.lost()) == {"dropped_by_kernel"}
    assert archive.numbers() == sorted(set(archive.numbers()))
    assert archive.numbers()[-1] == 199_999, "what came after the stall must be there"


def read_slowly(capture, bytes_per_second):
    def work():
        start = time.monotonic()
        while data := os.read(capture.process.stdout.fileno(), bytes_per_second // 50):
            capture.out += data
            time.sleep(max(0, start + len(capture.out) / bytes_per_second - time.monotonic()))
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    capture.readers.append(thread)


@pytest.mark.parametrize("limit", [["-c", 10_000], ["--duration", "1s"], ["--max-bytes", 10_000 * 1516]])
def test_slow_reader_gets_everything_after_a_limit(wire, limit):
    """The time a stop allows is for signals: when a limit ends it, everything captured is delivered."""
    capture = Capture(wire, "-B", 32768, "--memory", "2M", "-C", "300k", *limit, read=False)
    read_slowly(capture, 3_000_000)
    flood = Flood(wire.a, "tc1", 10_000 + (limit[0] == "--max-bytes"), 1500)
    flood.wait()
    archive = capture.wait(15).whole()
    assert archive.numbers() == list(range(10_000))
    assert set(archive.lost()) <= {"after_limit"}


@pytest.mark.parametrize("arguments", [[], ["--memory", "2M", "-C", "300k"]])
def test_stall_limit(wire, arguments):
    capture = Capture(wire, "--stall", "1s", *arguments, read=False)
    start = time.monotonic()
    wire.send(numbered(8000, 1500))
    result = capture.wait(6)
    assert 0.9 < time.monotonic() - start < 3.5 * patience()
    assert result.status == 3 and result.said("stalled")


def test_stall_limit_does_not_hit_a_slow_reader(wire):
    capture = Capture(wire, "--stall", "1s", "-c", 3000, read=False)
    read_slowly(capture, 1_500_000)
    wire.send(numbered(3000, 1500))
    assert capture.wait(10).whole().numbers() == list(range(3000))


def test_stall_limit_does_not_count_our_own_sleep(wire):
    """Stopped while bytes wait, for longer than --stall; meanwhile the reader takes what there is."""
    capture = Capture(wire, "--stall", "1s", read=False)
    wire.send(numbered(3000, 1500))  # more than a segment, and than a pipe holds
    time.sleep(0.3)
    capture.kill(signal.SIGSTOP)
    capture.collect()
    time.sleep(1.5)
    capture.kill(signal.SIGCONT)
    time.sleep(0.3)
    assert capture.end().whole().numbers() == list(range(3000))


def test_stall_limit_does_not_hit_silence(wire):
    capture = Capture(wire, "--stall", "300ms", "--duration", "1500ms")
    assert capture.wait(5).whole().cause == "duration"


# --- stdin ------------------------------------------------------------------------------------------------------

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


# --- stdout and stderr ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("interface", ["tc0", "lo"])
def test_stdout_closed(wire, interface):
    """The packet socket must not become standard output: the archive would be sent to the network."""
    wire.ip(wire.b, "link", "set", "lo", "up")
    done = sh("nsenter", f"--net=/run/netns/{wire.b}", "sh", "-c", 'exec "$0" -i "$1" --duration 300ms >&-',
              TARCAP, interface, check=False)
    assert done.returncode in (1, 2), done
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_stdout_closed_reading_a_file(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(8) + b"\x00\x00\x04\x00\x01\x00\x00\x00")
    done = sh("sh", "-c", 'exec "$0" -r "$1" >&-', TARCAP, path, check=False)
    assert done.returncode in (1, 2) and len(done.stderr.splitlines()) == 1, done


def test_stdout_a_terminal(wire):
    master, slave = pty.openpty()
    capture = Capture(wire, stdout=slave, ready=False)
    os.close(slave)
    result = capture.wait(3)
    assert result.status == 2 and len(result.err) == 1
    assert "terminal" in result.err[0] and "> " in result.err[0]
    os.set_blocking(master, False)
    with pytest.raises(OSError):  # EIO or EAGAIN: nothing was written
        assert not os.read(master, 1)
    os.close(master)


def test_stdout_a_terminal_is_no_matter_with_w(wire, tmp_path):
    master, slave = pty.openpty()
    capture = Capture(wire, "-w", tmp_path / "x.tar", stdout=slave)
    wire.send(numbered(10))
    assert capture.end().status == 0
    assert Archive((tmp_path / "x.tar").read_bytes()).check().numbers() == list(range(10))
    os.close(slave)
    os.close(master)


def test_stderr_that_nobody_reads(wire):
    """A full pipe on stderr costs words, not the capture."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while os.write(writer, bytes(4096)):
            pass
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)
    start = time.monotonic()
    process = start_process(["nsenter", f"--net=/run/netns/{wire.b}", TARCAP, "-i", "tc0", "--duration", "1s"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=writer)
    os.close(writer)
    out, _ = process.communicate(timeout=5)
    assert time.monotonic() - start < 2.5 * patience()
    assert process.returncode == 0 and Archive(out).check().cause == "duration"
    os.close(reader)


def test_stderr_whose_reader_has_gone(wire):
    reader, writer = os.pipe()
    os.close(reader)
    process = start_process(["nsenter", f"--net=/run/netns/{wire.b}", TARCAP, "-i", "tc0", "--duration", "500ms"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=writer)
    os.close(writer)
    out, _ = process.communicate(timeout=5)
    assert process.returncode == 0 and Archive(out).check().cause == "duration"


# --- limits with no traffic -------------------------------------------------------------------------------------

def test_duration_with_no_traffic(wire):
    capture = Capture(wire, "--duration", "2s")
    start = time.monotonic()
    archive = capture.wait(5).whole()
    assert 1.5 < time.monotonic() - start < 2.5 * patience()
    assert archive.cause == "duration" and archive.files == []


def test_duration_ends_it_with_a_stuck_reader_too(wire):
    """Then the reader has --stall to come back, and no more."""
    capture = Capture(wire, "--duration", "1s", "--stall", "1500ms", read=False)
    wire.send(numbered(3000, 1500))
    start = time.monotonic()
    assert capture.wait(6).status == 3
    assert time.monotonic() - start < 4 * patience()


def test_idle_costs_nothing(wire):
    capture = Capture(wire)
    time.sleep(0.3)
    capture.rests(3)
    capture.end().whole()


def test_waiting_costs_nothing(wire):
    """Neither with a stuck reader, with the pool full and packets coming, nor with the interface down."""
    capture = Capture(wire, "--memory", "2M", "-C", "300k", "-B", 2048, read=False)
    wire.send(numbered(5000, 1500))
    time.sleep(1.5)
    flood = Flood(wire.a, "tc1", 30_000, 60, per_second=20_000)
    capture.rests(1.5)
    flood.wait()
    capture.collect()
    time.sleep(0.5)
    wire.ip(wire.b, "link", "set", "tc0", "down")
    time.sleep(0.3)
    capture.rests(1.5)
    capture.end().whole()


def test_descriptors_do_not_leak(wire):
    """None is inherited by accident, and a long life opens no more."""
    capture = Capture(wire)
    listing = Path(f"/proc/{capture.pid}/fd")
    before = sorted(os.listdir(listing))
    for number in range(5):
        wire.send(numbered(100))
        capture.kill(signal.SIGUSR2)
        capture.kill(signal.SIGUSR1)
        time.sleep(0.05)
    assert sorted(os.listdir(listing)) == before
    assert len(before) < 10 + 12 # the context's files and its socket
    capture.end().whole()


@pytest.mark.alone
def test_memory_while_the_reader_keeps_up(wire, tmp_path):
    """One or two segments stay hot, whatever the pool could hold; the ring is apart. A file always keeps up."""
    capture = Capture(wire, "-B", 4096, "-w", tmp_path / "x.tar")
    flood = Flood(wire.a, "tc1", 100_000, 1500, per_second=40_000)
    flood.wait()
    assert capture.rss() < (4 + 2 * 4 + 4) * MIB
    assert capture.end().status == 0
    assert Archive((tmp_path / "x.tar").read_bytes()).check().lost() == {}


# --- interfaces -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("where", ["its own end", "the peer"])
def test_interface_removed_with_packets(wire, where):
    capture = Capture(wire)
    wire.send(numbered(500))
    if where == "the peer":
        wire.ip(wire.a, "link", "del", "tc1")
    else:
        wire.ip(wire.b, "link", "del", "tc0")
    archive = capture.wait(3).whole()
    assert archive.cause == "interface gone"
    assert archive.numbers() == list(range(500))
    assert archive.lost() == {}


def test_interface_removed_with_nothing_captured(wire):
    capture = Capture(wire, "udp")
    wire.ip(wire.b, "link", "del", "tc0")
    result = capture.wait(3)
    assert result.status == 4
    assert result.archive().check().cause == "interface gone"


def test_interface_removed_while_down(wire):
    capture = Capture(wire)
    wire.send(numbered(10))
    wire.ip(wire.b, "link", "set", "tc0", "down")
    capture.heard("down")
    wire.ip(wire.b, "link", "del", "tc0")
    assert capture.wait(3).whole().numbers() == list(range(10))


def test_interface_removed_while_the_reader_is_slow(wire):
    capture = Capture(wire, "--memory", "2M", "-C", "300k", read=False)
    wire.send(numbered(5000, 1500))
    time.sleep(0.2)
    wire.ip(wire.b, "link", "del", "tc0")
    time.sleep(1)
    capture.collect()
    archive = capture.wait(5).whole()
    assert archive.numbers() == list(range(5000))


def test_interface_down_and_up_again(wire):
    capture = Capture(wire)
    for first in range(0, 300, 100):
        wire.send(frame(number) for number in range(first, first + 100))
        wire.ip(wire.b, "link", "set", "tc0", "down")
        time.sleep(0.2)
        wire.ip(wire.b, "link", "set", "tc0", "up")
    wire.send(frame(number) for number in range(300, 400))
    archive = capture.end().whole()
    assert archive.numbers() == list(range(400))
    assert capture.process.returncode == 0


def test_interface_flaps_under_traffic(wire):
    capture = Capture(wire)
    flood = Flood(wire.a, "tc1", 1_000_000, 60, per_second=100_000)
    batch = "link set tc0 down\nlink set tc0 up\n" * 20
    for _ in range(5):
        sh("ip", "-n", wire.b, "-batch", "-", input=batch)
        time.sleep(0.05)
    time.sleep(0.2)
    assert capture.process.poll() is None, capture.err
    flood.stop()
    time.sleep(0.1)
    wire.send([frame(5_000_000)])
    archive = capture.end().whole()
    assert archive.numbers()[-1] == 5_000_000
    assert archive.numbers() == sorted(set(archive.numbers()))


def test_interface_renamed(wire):
    capture = Capture(wire)
    wire.send(frame(number) for number in range(100))
    for step in (["down"], ["name", "other0"], ["up"]):
        wire.ip(wire.b, "link", "set", "other0" if step == ["up"] else "tc0", *step)
    wire.ip(wire.b, "link", "set", "other0", "arp", "off")
    wire.send(frame(number) for number in range(100, 200))
    time.sleep(0.2)
    archive = capture.end().whole()
    assert archive.numbers() == list(range(200))
    assert archive.account["name"] == "tc0"


def test_another_interface_takes_the_name(wire):
    capture = Capture(wire)
    wire.send(numbered(10))
    sh("ip", "-n", wire.b, "-batch", "-",
       input="link del tc0\nlink add tc0 type veth peer tc9\nlink set tc9 up\nlink set tc0 up\n")
    archive = capture.wait(3).whole()
    assert archive.cause == "interface gone" and archive.numbers() == list(range(10))


def test_namespace_deleted(wire):
    """The process keeps the namespace alive, so nothing changes until it ends."""
    capture = Capture(wire)
    wire.send(numbered(10))
    sh("ip", "netns", "del", wire.b)
    wire.send(frame(number) for number in range(10, 20))
    assert capture.end().whole().numbers() == list(range(20))


def test_interface_moved_to_another_namespace(wire):
    capture = Capture(wire)
    wire.send(numbered(10))
    wire.ip(wire.b, "link", "set", "tc0", "netns", wire.a)
    assert capture.wait(3).whole().numbers() == list(range(10))


# --- -w ---------------------------------------------------------------------------------------------------------

def test_w_file(wire, tmp_path):
    path = tmp_path / "x.tar"
    os.umask(0)
    capture = Capture(wire, "-w", path)
    wire.send(numbered(1000))
    result = capture.end()
    os.umask(0o022)
    assert result.status == 0 and result.out == b""
    assert Archive(path.read_bytes()).check().numbers() == list(range(1000))
    assert path.stat().st_mode & 0o7777 == 0o600


def test_w_file_replaces_a_longer_one(wire, tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(b"x" * MIB)
    assert Capture(wire, "-w", path).end().status == 0
    Archive(path.read_bytes()).check()


def test_w_does_not_touch_the_file_when_it_cannot_capture(wire, tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(b"precious")
    assert run("-i", "nosuch0", "-w", path, namespace=wire.b).status == 1
    assert run("-i", "tc0", "-w", path, "this is no filter", namespace=wire.b).status == 2
    assert path.read_bytes() == b"precious"


@pytest.mark.parametrize("path", ["/dev/full", "/nonexistent/x.tar", "/"])
def test_w_that_cannot_be_written(wire, path):
    capture = Capture(wire, "-w", path, "-q", ready=False)
    result = capture.wait(3)
    assert result.status == 1 and len(result.err) == 1, result.err


def test_disk_full(wire, tmp_path):
    """A file system of 1 MiB that only this process sees."""
    capture = Capture(wire, "-w", tmp_path / "x.tar", "-q", "-C", "300k", ready=False, before=[
        "unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o size=1m none "{tmp_path}" && exec "$0" "$@"'])
    time.sleep(0.3)
    wire.send(numbered(5000, 1500))
    result = capture.wait(5)
    assert result.status == 1
    # It gives the reason; above all nothing puts it on a reader.
    assert "No space left" in result.err[-1] and not result.said("reader"), result.err


def test_w_fifo_without_a_reader_can_be_ended(wire, tmp_path):
    """Opening it waits for a reader, who may never come."""
    os.mkfifo(tmp_path / "fifo")
    capture = Capture(wire, "-w", tmp_path / "fifo", ready=False)
    time.sleep(0.5)
    if capture.process.poll() is None:
        capture.kill(signal.SIGTERM)
    assert capture.process.wait(3) is not None


def test_w_fifo_with_a_reader(wire, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    cat = start_process(["cat", tmp_path / "fifo"], stdout=subprocess.PIPE)
    capture = Capture(wire, "-w", tmp_path / "fifo", "-c", 100)
    wire.send(numbered(100))
    out, _ = cat.communicate(timeout=10)
    assert capture.wait().status == 0
    assert Archive(out).check().numbers() == list(range(100))


# --- what is on the wire when it is cut -------------------------------------------------------------------------

def test_a_killed_capture_leaves_complete_members(wire):
    """SIGKILL at any moment: what has arrived is whole members and at most one that is cut."""
    capture = Capture(wire, "-s", 64, "-C", "4k")
    flood = Flood(wire.a, "tc1", 100_000, 60, per_second=100_000)
    time.sleep(0.4)
    capture.kill(signal.SIGKILL)
    out = capture.wait().out
    flood.stop()
    members, _ = tar_members(out)
    numbers = [int.from_bytes(record.data[14:18], "big") for name, data, _ in members if name.endswith(".pcap")
               for record in Pcap(name, data).records]
    assert len(numbers) > 1000 and numbers == list(range(len(numbers)))
