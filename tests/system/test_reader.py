"""Readers that are slow, stop, die or come late, under load; and --wait-reader, for readers that attach."""

import os
import pty
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from archive import Archive, check_flood, packets_in, pcap_file, tar_members
from capture import Capture, read_paced, run
from process import TARCAP, patience, start_process, wait_until, work
from wire import Flood, frame, number_of, numbered

MIB = 1 << 20
PROMPT = "press Enter to start the download, Ctrl-D to end"


def seed():
    """Printed, so that a failure can be had again: SEED=n pytest ..."""
    value = int(os.environ.get("SEED", random.randrange(10**9)))
    print(f"SEED={value}")
    return random.Random(value)


class Peak:
    """The largest resident size of a capture while the block runs."""

    def __init__(self, capture):
        self.capture, self.rss, self.over = capture, 0, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        while not self.over.wait(0.05):
            try:
                self.rss = max(self.rss, self.capture.rss() or 0)
            except (OSError, ValueError):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(5)


# --- readers of every speed -------------------------------------------------------------------------------------

@pytest.mark.alone
@pytest.mark.parametrize("speed", [10, 50, 100])
def test_reader_at_so_many_megabytes_per_second(wire, speed):
    """About 100 MB/s are offered: what is too much is lost in the kernel, counted, and nowhere else."""
    count, size = 110_000, 1400
    capture = Capture(wire, "-B", 8192, "--memory", "8M", read=False)
    read_paced(capture, speed * 1_000_000)
    with Peak(capture) as peak:
        Flood(wire.a, "tc1", count, size, per_second=72_000).wait()
        time.sleep(0.3)
    capture.kill(signal.SIGINT)
    archive = check_flood(capture.wait(15).whole(), count)
    account = archive.account
    print(f"{speed} MB/s: dropped {account['dropped_by_kernel']}, of these while the reader was slow "
          f"{account['dropped_by_kernel_while_reader_slow']}, RSS {peak.rss >> 10} KiB")
    assert peak.rss <= (8 + 8 + 4) * MIB
    assert all(record.data == frame(number_of(record.data), size) for record in archive.records[::97])
    if speed == 10:
        assert account["dropped_by_kernel"] > count / 2, "hardly any loss: this shows nothing"
        assert account["dropped_by_kernel_while_reader_slow"] > 0.8 * account["dropped_by_kernel"]


def gaps(archive, sent):
    """For each file, how many numbers are missing after the file before it up to its own last."""
    found, expected = [], 0
    for file in archive.files:
        numbers = [number_of(record.data) for record in file.records]
        found.append(numbers[-1] + 1 - expected - len(numbers))
        expected = numbers[-1] + 1
    return found, sent - expected


def test_manifest_says_where_the_gap_is(wire):
    """files[].dropped: the kernel's drops before or within that file. The file must be the right one, or next to it."""
    sent = 33_000
    capture = Capture(wire, "-B", 8192, "--memory", "4M", "-C", "512k", "-G", "1h", read=False)
    Flood(wire.a, "tc1", 30_000, 1400).wait()
    capture.collect()
    wait_until(lambda: len(capture.out) > 10 * MIB, what="the end of the stall")
    time.sleep(0.3)
    wire.send(numbered(3000, 1400, first=30_000))
    archive = check_flood(capture.end().whole(), sent)
    dropped = [entry["dropped"] for entry in archive.manifest["files"]]
    real, rest = gaps(archive, sent)
    assert sum(real) > 0, "no gap: this shows nothing"
    assert sum(dropped) == sum(real) and rest == 0
    # A count that straddles a cut may be charged to the file after it.
    seen = told = 0
    for number, (gap, drop) in enumerate(zip(real, dropped)):
        before = sum(real[:max(0, number - 1)])
        seen, told = seen + gap, told + drop
        assert before <= told <= sum(real[:number + 2]), \
            f"file {number}: dropped said {dropped}, missing {real}"


def test_reader_that_stops_and_comes_back_again_and_again(wire):
    """2 s of standing still, twice, while packets come."""
    count = 280_000
    capture = Capture(wire, "-B", 4096, "--memory", "4M", read=False)
    done = threading.Event()

    def work():
        stream = os.dup(capture.process.stdout.fileno())
        stop_at, stops = time.monotonic() + 0.3, 0
        while data := os.read(stream, MIB):
            capture.out += data
            if stops < 2 and time.monotonic() > stop_at:
                time.sleep(2)
                stop_at, stops = time.monotonic() + 0.3, stops + 1
        os.close(stream)
        done.set()
    capture.readers.append(threading.Thread(target=work, daemon=True))
    capture.readers[-1].start()
    with Peak(capture) as peak:
        Flood(wire.a, "tc1", count, 1000, per_second=60_000).wait()
    archive = check_flood(capture.end().whole(), count)
    account = archive.account
    assert account["dropped_by_kernel_while_reader_slow"] > 0.5 * account["dropped_by_kernel"] > 0
    assert archive.numbers()[-1] == count - 1
    assert peak.rss <= (4 + 4 + 4) * MIB


def test_reader_that_takes_a_byte_at_a_time(wire):
    """2000 bytes one by one, then as they come: no byte is lost or doubled, and it costs no busy loop."""
    capture = Capture(wire, "-c", 3000, "--memory", "2M", read=False)
    wire.send(numbered(3000, 1400))
    stream = capture.process.stdout.fileno()
    _, before = work(capture.pid)
    for _ in range(2000):
        capture.out += os.read(stream, 1)
        time.sleep(0.0002)
    assert work(capture.pid)[1] - before < 200  # not one for each byte
    capture.rests(0.5)
    capture.collect()
    assert capture.wait().whole().numbers() == list(range(3000))


def test_reader_is_killed_under_load(wire):
    """SIGKILL of the reader, however much it had: status 3 at once, and what it had is whole members."""
    chance = seed()
    for _ in range(5):
        wanted = chance.randrange(100_000, 20_000_000)
        reader = subprocess.Popen(["head", "-c", str(wanted)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        capture = Capture(wire, "-C", "300k", stdout=reader.stdin)
        reader.stdin.close()
        flood = Flood(wire.a, "tc1", 1_000_000, 1400, per_second=60_000)
        got = reader.stdout.read(wanted - chance.randrange(1, 100_000))
        reader.kill()
        result = capture.wait(3)
        flood.stop()
        got += reader.stdout.read()
        reader.stdout.close()
        reader.wait()
        assert result.status == 3 and result.said("reader", "gone")
        numbers = [number_of(record.data) for record in packets_in(got)]
        assert numbers == list(range(len(numbers)))
        [line] = [line for line in result.err if "complete files were delivered" in line]
        # It says no less than arrived: some of it was still in the pipe.
        assert int(re.search(r"(\d+) packets in \d+ complete files", line)[1]) >= len(numbers)


def test_tarcap_stopped_for_3_s(wire):
    """SIGSTOP and SIGCONT under traffic: what the ring could not hold is accounted for, and not put on the reader."""
    count = 200_000
    capture = Capture(wire, "-B", 4096)
    flood = Flood(wire.a, "tc1", count, 200, per_second=50_000)
    time.sleep(0.3)
    capture.kill(signal.SIGSTOP)
    time.sleep(3)
    capture.kill(signal.SIGCONT)
    flood.wait()
    archive = check_flood(capture.end().whole(), count)
    assert archive.account["dropped_by_kernel"] > 50_000, "hardly any loss: this shows nothing"
    assert archive.account["dropped_by_kernel_while_reader_slow"] == 0
    assert archive.numbers()[-1] == count - 1


# --- every prefix is good ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [["-C", "4k", "-s", 96], ["-C", "300k"], []])
def test_every_prefix_holds_complete_members_only(wire, arguments, tmp_path):
    """Cut anywhere: each complete member is a valid pcap, and their packets are consecutive."""
    chance = seed()
    capture = Capture(wire, *arguments)
    Flood(wire.a, "tc1", 20_000, 600, per_second=50_000).wait()
    data = capture.end().out
    whole, _ = tar_members(data)
    edges = [data.find(header) for _, _, header in whole]
    cuts = [chance.randrange(len(data)) for _ in range(60)]
    cuts += [max(0, chance.choice(edges) + chance.choice((-513, -512, -1, 0, 1, 511, 512, 513))) for _ in range(60)]
    for cut in cuts:
        members, _ = tar_members(data[:cut])
        assert members == whole[:len(members)]
        numbers = [number_of(record.data) for record in packets_in(data[:cut])]
        assert numbers == list(range(len(numbers)))
        # No more than the last one is missing.
        assert cut - sum(512 + (len(text) + 511) // 512 * 512 for _, text, _ in members) < 5 * MIB
    # Other people's tools see the same.
    (tmp_path / "cut.tar").write_bytes(data[:cuts[0]])
    names = subprocess.run(["bsdtar", "tf", tmp_path / "cut.tar"], capture_output=True, text=True).stdout.split()
    expected = [name for name, _, _ in tar_members(data[:cuts[0]])[0]]
    assert names[:len(expected)] == expected and len(names) <= len(expected) + 1


# --- stops are exact under load ---------------------------------------------------------------------------------

SIZE = 400  # of the frames; a record has 16 bytes more
FAST, SLOW = 0, 10_000_000

LIMITS = {
    "-c": ["-c", 30_000],
    "--max-bytes": ["--max-bytes", 30_000 * (SIZE + 16) + 17],
    "--duration": ["--duration", "800ms"],
    "-W -C": ["-W", 20, "-C", "300k", "-G", "1h"],
    "-W -G": ["-W", 3, "-G", "300ms"],
    "SIGINT": [],
    "stdin": [],
}


def check_limit(limit, archive):
    files, records = archive.files, archive.records
    span = (records[-1].time - records[0].time) / 1e9
    cause = {"-c": "packet count", "--max-bytes": "byte limit", "--duration": "duration", "SIGINT": "signal",
             "stdin": "stdin closed"}.get(limit, "segment count")
    assert archive.cause == cause
    if limit in ("-c", "--max-bytes"):
        assert len(records) == 30_000
    elif limit == "--duration":
        assert span < 0.8 + 0.3
    elif limit == "-W -C":
        # Full but for less than a packet, except where SIGUSR2 cut.
        assert len(files) == 20 and max(len(file.data) for file in files) <= 300 * 1024
        assert sum(len(file.data) + SIZE + 16 > 300 * 1024 for file in files) >= 18
    elif limit == "-W -G":
        assert len(files) == 3 and span < 0.9 + 0.3
    assert set(archive.lost()) <= {"dropped_by_kernel", "after_limit"}
    if limit in ("--duration", "SIGINT", "stdin"):
        assert archive.account["after_limit"] == 0


@pytest.mark.parametrize("speed", [FAST, SLOW], ids=["fast", "slow"])
@pytest.mark.parametrize("limit", LIMITS)
def test_stop_is_exact_under_load(wire, limit, speed):
    """With SIGUSR2 in between; whoever reads slowly gets the same."""
    theirs, ours = os.pipe()
    memory = ["--memory", "4M", "-B", 16384] if speed else []
    capture = Capture(wire, *memory, *LIMITS[limit], stdin=theirs, read=not speed)
    os.close(theirs)
    started = time.monotonic()
    if speed:
        read_paced(capture, speed)
    flood = Flood(wire.a, "tc1", 2_000_000, SIZE, per_second=50_000)
    time.sleep(0.25)
    capture.kill(signal.SIGUSR2)
    if limit == "SIGINT":
        time.sleep(0.6)
        capture.kill()
    elif limit == "stdin":
        time.sleep(max(0, started + 1.2 - time.monotonic()))
        os.close(ours)
    archive = capture.wait(15).whole()
    flood.stop()
    if limit != "stdin":
        os.close(ours)
    numbers = archive.numbers()
    assert numbers == sorted(set(numbers))
    missing = numbers[-1] + 1 - len(numbers)
    assert missing <= archive.account["dropped_by_kernel"]
    if not archive.account["dropped_by_kernel"]:
        assert numbers == list(range(len(numbers)))
    check_limit(limit, archive)


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
        Flood(wire.a, "tc1", count, 1400).wait()
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
