"""Readers: of every speed, that stall, go away and come back; what they have got is good wherever it ends."""

import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from archive import Archive, check_flood, packets_in, tar_members
from capture import Capture, Peak, read_paced
from process import patience, wait_until, work
from wire import Flood, frame, number_of, numbered

MIB = 1 << 20


def seed():
    """Printed, so that a failure can be had again: SEED=n pytest ..."""
    value = int(os.environ.get("SEED", random.randrange(10**9)))
    print(f"SEED={value}")
    return random.Random(value)


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
    capture.drained(200_000)
    wire.send(numbered(100, first=200_000))
    archive = check_flood(capture.end().whole(), 200_100)
    assert archive.account["dropped_by_kernel_while_reader_slow"] > 0
    assert set(archive.lost()) == {"dropped_by_kernel"}
    assert archive.numbers()[-100:] == list(range(200_000, 200_100)), "what came after the stall must be there"


def read_slowly(capture, bytes_per_second):
    def work():
        start = time.monotonic()
        while data := os.read(capture.process.stdout.fileno(), bytes_per_second // 50):
            capture.out += data
            time.sleep(max(0, start + len(capture.out) / bytes_per_second - time.monotonic()))
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    capture.readers.append(thread)


@pytest.mark.parametrize("limit", [["-c", 10_000], ["--duration", "2s"], ["--max-bytes", 10_000 * 1516]])
def test_slow_reader_gets_everything_after_a_limit(wire, limit):
    """The time a stop allows is for signals: when a limit ends it, everything captured is delivered."""
    flood = Flood(wire.a, "tc1", 10_000 + (limit[0] == "--max-bytes"), 1500, held=True)
    capture = Capture(wire, "-B", 32768, "--memory", "2M", "-C", "300k", *limit, read=False)
    read_slowly(capture, 3_000_000)
    flood.go()
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
    capture.drained(count)
    wire.send([frame(count)])
    archive = check_flood(capture.end().whole(), count + 1)
    account = archive.account
    assert account["dropped_by_kernel_while_reader_slow"] > 0.5 * account["dropped_by_kernel"] > 0
    assert archive.numbers()[-1] == count
    assert peak.rss <= (4 + 4 + 4) * MIB


def read_in_spells(capture, away):
    """Read 3 MiB, stay away for so many seconds, and so on: each time somewhere within a member."""
    def work():
        stream, left = os.dup(capture.process.stdout.fileno()), 3 * MIB
        while data := os.read(stream, min(left, MIB)):
            capture.out += data
            left -= len(data)
            if not left:
                time.sleep(away)
                left = 3 * MIB
        os.close(stream)
    capture.readers.append(threading.Thread(target=work, daemon=True))
    capture.readers[-1].start()


@pytest.mark.parametrize("options", [[], ["--format", "pcapng"], ["--compress", "zstd"], ["-c", 700], ["-C", "300k", "-W", 90]],
                         ids=["pcap", "pcapng", "zstd", "count", "files"])
def test_large_frames_are_whole_however_the_reader_stands_still(wire, options):
    """They wait in the ring meanwhile, and the end, which comes while they do, takes all that is in it."""
    for name, interface in ((wire.a, "tc1"), (wire.b, "tc0")):
        wire.ip(name, "link", "set", interface, "mtu", "65535")
    capture = Capture(wire, *options, read=False)
    read_in_spells(capture, 0.03)
    Flood(wire.a, "tc1", 1000, 60_000, per_second=3000).wait()
    archive = (capture.wait() if "-c" in options or "-W" in options else capture.end(signal.SIGTERM)).whole()
    numbers = archive.numbers()
    assert all(record.data == frame(number, 60_000) for number, record in zip(numbers, archive.records))
    assert numbers[:100] == list(range(100)), "nothing had filled the ring by then"
    if "-c" in options:
        assert len(numbers) == 700
    elif "-W" in options:
        assert len(archive.manifest["files"]) == 90
    else:
        check_flood(archive, 1000)


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


def test_tarcap_stopped_for_4_s(wire):
    """SIGSTOP and SIGCONT under traffic: what the ring could not hold is accounted for, and not put on the reader."""
    count = 200_000
    capture = Capture(wire, "-B", 4096)
    flood = Flood(wire.a, "tc1", count, 200, per_second=50_000)
    capture.took()
    capture.kill(signal.SIGSTOP)
    flood.wait()
    capture.kill(signal.SIGCONT)
    wire.send(frame(number, 200) for number in range(count, count + 1000))
    capture.drained(count + 1000)
    wire.send([frame(count + 1000)])
    archive = check_flood(capture.end().whole(), count + 1001)
    assert archive.account["dropped_by_kernel"] > 50_000, "hardly any loss: this shows nothing"
    assert archive.account["dropped_by_kernel_while_reader_slow"] == 0
    assert archive.numbers()[-1] == count + 1000


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
    flood = Flood(wire.a, "tc1", 2_000_000, SIZE, per_second=50_000, held=True)
    theirs, ours = os.pipe()
    memory = ["--memory", "4M", "-B", 16384] if speed else []
    capture = Capture(wire, *memory, *LIMITS[limit], stdin=theirs, read=not speed)
    os.close(theirs)
    started = time.monotonic()
    if speed:
        read_paced(capture, speed)
    flood.go()
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
