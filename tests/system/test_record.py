"""--record: what came before the end, in memory of one size; the oldest is overwritten, and everything is counted."""

import os
import random
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from archive import pcap_file, tar_members
from capture import Capture, read_paced, run
from process import patience, wait_until
from test_interfaces import Cables
from test_signals import child_of
from wire import Flood, frame, number_of, numbered, udp, udp_port

LARGE = 1400
MANY = 6000  # of them are twice what 4M hold


def noisy(count, size=LARGE, first=0):
    """Numbered frames that no compressor makes smaller."""
    for number in range(first, first + count):
        yield frame(number, 18) + random.Random(number).randbytes(size - 18)


def has_read(capture, count):
    """Wait until it holds, or has overwritten, so many packets."""
    def counted():
        capture.kill(signal.SIGUSR1)
        time.sleep(0.05)
        return any(re.search(rf"holds \d+ s, {count} packets? ", line) for line in capture.err)
    wait_until(counted, 20, f"{count} packets held")


def newest(archive, sent):
    """What is there are the newest, without a gap, and the rest was overwritten."""
    numbers = archive.numbers()
    assert numbers == list(range(sent - len(numbers), sent))
    assert archive.manifest["overwritten"]["packets"] == sent - len(numbers)
    assert archive.manifest["tarcap_manifest"] == archive.capture["tarcap_capture"] == 2
    return numbers


# --- how it ends --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_sends_all_of_it(wire, name):
    capture = Capture(wire, "--record", "4M")
    wire.send(numbered(500))
    has_read(capture, 500)
    before = [name for name, _, _ in tar_members(bytes(capture.out))[0]]
    assert before[0].endswith("/capture.json") and any("/context/start/" in name for name in before)
    assert not any(".pcap" in name or "/context/end/" in name for name in before)
    archive = capture.end(getattr(signal, name)).whole()
    assert newest(archive, 500) == list(range(500))
    assert archive.manifest["ended_by"] == {"cause": "signal", "detail": name}
    [file] = archive.files
    assert file.name.endswith(".pcap.zst") and file.stored < len(file.data)


def test_stdin_that_closes_sends_all_of_it(wire):
    capture = Capture(wire, "--record", "4M", stdin=subprocess.PIPE)
    wire.send(numbered(500))
    has_read(capture, 500)
    time.sleep(1.1)  # an earlier end would tell nothing
    capture.process.stdin.close()
    archive = capture.wait().whole()
    assert newest(archive, 500) == list(range(500))
    assert archive.cause == "stdin closed"


def test_stdin_that_was_never_open_ends_nothing(wire):
    """Not even after 60 s: it is no capture that somebody forgot."""
    capture = Capture(wire, "--record", "4M", stdin=subprocess.PIPE)
    capture.process.stdin.close()
    capture.heard("stdin is closed: going on without it; ends after 1h")
    wire.send(numbered(5))
    has_read(capture, 5)
    assert capture.end().whole().cause == "signal"


@pytest.mark.parametrize("limit, cause, count", [(["-c", "300"], "packet count", 300), (["--duration", "1500ms"], "duration", 500)])
def test_a_limit_sends_all_of_it(wire, limit, cause, count):
    capture = Capture(wire, "--record", "4M", *limit)
    wire.send(numbered(500))
    archive = capture.wait().whole()
    assert archive.cause == cause
    assert newest(archive, count) == list(range(count))


def test_an_interface_that_vanishes_sends_all_of_it(wire):
    capture = Capture(wire, "--record", "4M")
    wire.send(numbered(500))
    has_read(capture, 500)
    wire.ip(wire.b, "link", "del", "tc0")
    result = capture.wait()
    assert result.status == 0 and result.archive().check().cause == "interface gone"
    assert newest(result.archive(), 500) == list(range(500))


def test_without_a_packet(wire):
    result = Capture(wire, "--record", "4M").end()
    archive = result.whole()
    assert archive.files == [] and archive.manifest["window"] is None
    assert result.said("window: no packet") and result.said("0 packets overwritten")


# --- overwriting --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("more", [["--compress", "none"], [], ["--format", "pcapng"], ["-C", "300k", "-s", "2000"],
                                  ["--headers", "--format", "pcapng", "--compress", "none", "-C", "40k", "-s", "60"]])
def test_the_oldest_is_overwritten(wire, more):
    """Sizes that the memory is no multiple of, so that a file lies in two pieces."""
    small = "--headers" in more
    count, sent = (90_000 if small else MANY), 0
    capture = Capture(wire, "--record", "4M", *more)
    while sent < count:
        piece = min(2000 if not small else 10_000, count - sent)
        sent += wire.send(numbered(piece, 60, sent) if small else noisy(piece, LARGE, sent))
        time.sleep(0.02)
    wait_until(lambda: wire.received() == count, 20, "all to come")
    result = capture.end()
    archive = result.whole()
    numbers = newest(archive, count)
    stored = sum(file.stored for file in archive.files)
    assert 2.5 * 2**20 < stored < 2**22 and count / 3 < len(numbers) + archive.account["overwritten"]["packets"] / 3
    first = archive.listed()[0]["name"]
    assert int(re.search(r"_(\d{5})_", first)[1]) == archive.account["overwritten"]["files"] + 1
    assert result.said(f"{count - len(numbers)} packets overwritten: the oldest")
    assert result.said("window: ", archive.manifest["window"]["from"], archive.manifest["window"]["to"])


def test_max_bytes_leaves_out_the_oldest(wire):
    capture = Capture(wire, "--record", "4M", "--max-bytes", "200k", "-C", "30k", "-s", "100")
    wire.send(numbered(10_000, 100))
    wait_until(lambda: wire.received() == 10_000, 20, "all to come")
    archive = capture.end().whole()
    kept = sum(16 + record.caplen for record in newest(archive, 10_000) and archive.records)
    assert 170 * 1024 < kept <= 200 * 1024


def test_a_file_is_recorded_by_its_packets_times(tmp_path):
    path = tmp_path / "in.pcap"
    path.write_bytes(pcap_file((1000 + number // 10, 0, data) for number, data in enumerate(noisy(MANY))))
    archive = run("-r", path, "--record", "4M").whole()
    assert 2000 < len(newest(archive, MANY)) < 3500
    kept = run("-r", path, "--record", "16M", "--keep", "60s").whole()
    assert 450 <= len(newest(kept, MANY)) <= 601  # at 10 a second; what is cut is cut each 15 s
    assert kept.capture["keep_seconds"] == 60 and kept.capture["segment_seconds"] == 15


def hourly(count):
    return pcap_file([(1_800_000_000 + 3600 * n, 0, frame(n)) for n in range(count)])


def test_one_packet_an_hour_is_a_file_each_and_as_many_as_there_are_places(tmp_path):
    """Each is stored in no more than 4 KiB on average, whatever its own size: 4 MiB have about a thousand places."""
    archive = run("-r", "-", "--record", "4M", stdin=hourly(3000)).whole()
    numbers = newest(archive, 3000)
    assert 900 < len(numbers) == len(archive.files) < 1024
    assert archive.manifest["window"] == {"from": archive.listed()[0]["first"], "to": archive.listed()[-1]["last"]}
    kept = run("-r", "-", "--record", "4M", "--keep", "24h", stdin=hourly(200)).whole()
    assert 24 <= len(newest(kept, 200)) <= 25


def test_no_file_can_be_larger_than_the_memory():
    """The least memory is four of the largest files; unit/recorder.c has what would come of another."""
    assert run("-r", "-", "--record", "4M", "-C", "1M", stdin=hourly(2)).whole().numbers() == [0, 1]
    for arguments in (["--record", "4M", "-C", "1025k"], ["--record", "3M"]):
        result = run("-r", "-", *arguments, stdin=hourly(2))
        assert result.status == 2 and len(result.err) == 1 and result.said(arguments[-2], "allowed"), result.err


def test_a_hundred_interfaces_share_the_memory(wire):
    cables = Cables(wire, 100)
    try:
        capture = Capture(wire, "--record", "4M", "--compress", "none", "-s", "1500", interface="all")
        for turn in range(4):
            for name in cables.names:
                cables.send(name, numbered(20, LARGE, first=20 * turn))
            time.sleep(0.1)
        archive = capture.end().whole()
    finally:
        cables.close()
    for name in cables.names:
        numbers = [number_of(record.data) for record in archive.records_of(name)]
        assert numbers == list(range(80 - len(numbers), 80))
        assert archive.accounts()[name]["overwritten"]["packets"] == 80 - len(numbers)
    assert 0 < archive.manifest["overwritten"]["packets"] < 8000


# --- events -------------------------------------------------------------------------------------------------------

def test_what_came_before_an_event_and_after(wire):
    capture = Capture(wire, "--record", "4M", "--until", "udp port 53", "--after", "300ms")
    wire.send(numbered(200))
    has_read(capture, 200)
    assert not any(".pcap" in name for name, _, _ in tar_members(bytes(capture.out))[0])
    wire.send([udp(1, 53)])
    wire.send(numbered(50, first=200))
    archive = capture.wait().whole()
    event, file = archive.manifest["event"], archive.files[0]
    assert archive.cause == "event" and archive.manifest["events"] == 1
    assert [event["what"], event["interface"], event["packet"]] == ["udp port 53", "tc0", 201]
    assert file.name.endswith(event["member"]) and udp_port(file.records[200].data) == 53
    assert len(archive.records) == 251


@pytest.mark.parametrize("cause, arguments", [("signal", []), ("stdin closed", []), ("duration", ["--duration", "2500ms"])])
def test_what_ends_it_after_the_event_does_not_wait(wire, cause, arguments):
    """The event is told all the same."""
    capture = Capture(wire, "--record", "4M", "--until", "udp port 53", "--after", "1h", *arguments, stdin=subprocess.PIPE)
    wire.send([*numbered(10), udp(1, 53)])
    capture.heard("event: udp port 53")
    if cause == "signal":
        capture.kill()
    elif cause == "stdin closed":
        time.sleep(1.1)
        capture.process.stdin.close()
    archive = capture.wait().whole()
    assert archive.cause == cause and archive.manifest["event"]["packet"] == 11 and len(archive.records) == 11


def test_a_reader_that_goes_away_between_the_event_and_the_end(wire):
    capture = Capture(wire, "--record", "4M", "--until", "udp port 53", "--after", "1h", read=False)
    wire.send([udp(1, 53)])
    capture.heard("event: udp port 53")
    capture.process.stdout.close()
    result = capture.wait(5)
    assert result.status == 3 and result.said("the reader has gone away")


def test_without_an_event_it_ends_as_ever_and_says_so(wire):
    capture = Capture(wire, "--record", "4M", "--until", "udp port 53", "--duration", "1s")
    wire.send(numbered(20))
    result = capture.wait()
    archive = result.whole()
    assert newest(archive, 20) and archive.cause == "duration" and archive.manifest["event"] is None
    assert result.said("no event came")


def test_an_event_that_was_overwritten_is_told_all_the_same(tmp_path):
    path = tmp_path / "in.pcap"
    frames = [udp(1, 53), *noisy(MANY)]
    path.write_bytes(pcap_file((1000, number, data) for number, data in enumerate(frames)))
    archive = run("-r", path, "--record", "4M", "--until", "udp port 53", "--after", "1h").whole()
    event = archive.manifest["event"]
    assert event["what"] == "udp port 53" and event["member"] is None and event["packet"] is None
    assert archive.manifest["overwritten"]["packets"] > 1000


# --- signals that follow ------------------------------------------------------------------------------------------

def full(wire, *more):
    """A recorder with more than a pipe takes, whose reader takes nothing."""
    capture = Capture(wire, "--record", "4M", "--no-context", *more, read=False)
    wire.send(noisy(2000))
    has_read(capture, 2000)
    return capture


def test_after_the_first_signal_a_slow_reader_gets_all(wire):
    """There are no 5 seconds: sending goes on as long as the reader takes something."""
    capture = full(wire)
    capture.kill()
    time.sleep(5.3)
    assert capture.process.poll() is None
    read_paced(capture, 20_000_000)
    assert newest(capture.wait(20).whole(), 2000) == list(range(2000))


def test_a_second_signal_drops_what_has_not_left(wire):
    capture = full(wire)
    capture.kill()
    time.sleep(0.5)
    capture.kill(signal.SIGTERM)
    time.sleep(0.3)
    assert capture.process.poll() is None
    capture.collect()
    result = capture.wait()
    assert result.status == 3
    archive = result.archive().check()
    numbers = archive.numbers()
    assert 0 < len(numbers) < 2000 and archive.lost() == {"dropped_at_stop": 2000 - len(numbers)}


def test_a_third_signal_ends_at_once(wire):
    capture = full(wire)
    for _ in range(2):
        capture.kill()
        time.sleep(0.3)
    assert capture.process.poll() is None
    start = time.monotonic()
    capture.kill()
    result = capture.wait(2)
    assert time.monotonic() - start < 0.3 * patience()
    assert result.status == 3 and result.said("third signal")


def test_stop_twice(wire):
    """The first only lets it begin to send; the second has it drop the rest. In a process namespace of its own."""
    capture = Capture(wire, "--record", "4M", "--no-context", read=False,
                      before=["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
    capture.pid = child_of(capture.pid)
    wire.send(noisy(2000))
    has_read(capture, 2000)
    inside = ["nsenter", "--target", str(capture.pid), "--pid", "--mount"]
    first = run("stop", before=inside)
    assert first.status == 1 and first.said("a recorder is still sending what it has")
    assert capture.process.poll() is None
    second = threading.Thread(target=run, args=("stop",), kwargs={"before": inside})
    second.start()
    time.sleep(0.3)
    capture.collect()
    result = capture.wait()
    second.join(10)
    assert result.status == 3 and result.archive().check().lost()["dropped_at_stop"] > 0


# --- readers ------------------------------------------------------------------------------------------------------

def test_a_reader_that_goes_away_ends_it(wire):
    capture = Capture(wire, "--record", "4M", read=False)
    wire.send(numbered(50))
    has_read(capture, 50)
    capture.process.stdout.close()
    result = capture.wait(5)
    assert result.status == 3 and result.said("the reader has gone away")


def test_a_reader_that_goes_away_while_it_sends(wire):
    capture = full(wire)
    capture.kill()
    time.sleep(0.3)
    capture.process.stdout.close()
    result = capture.wait(5)
    assert result.status == 3 and result.said("the reader has gone away")


def test_a_reader_that_takes_nothing_is_given_up(wire):
    capture = full(wire, "--stall", "1s")
    time.sleep(1.2)  # while it records nobody has to take anything
    assert capture.process.poll() is None
    capture.kill()
    result = capture.wait()
    assert result.status == 3 and result.said("the reader has stalled")


def test_a_reader_that_attaches_is_no_event(wire):
    capture = Capture(wire, "--record", "4M", "--wait-reader", stdin=subprocess.PIPE)
    wire.send(numbered(100))
    has_read(capture, 100)
    assert not capture.out
    capture.process.stdin.write(b"\n")
    capture.process.stdin.flush()
    wait_until(lambda: capture.out, 5, "capture.json")
    wire.send(numbered(100, first=100))
    has_read(capture, 200)
    assert not any(".pcap" in name for name, _, _ in tar_members(bytes(capture.out))[0])
    capture.process.stdin.close()
    assert newest(capture.wait().whole(), 200) == list(range(200))


def test_nothing_is_lost_or_slow_while_the_reader_sleeps(wire):
    """The pool never waits for it: everything goes into the memory."""
    capture = Capture(wire, "--record", "16M", read=False)
    flood = Flood(wire.a, "tc1", 40_000, 1000, 20_000)
    flood.wait()
    has_read(capture, 40_000)
    capture.collect()
    archive = capture.end().whole()
    assert archive.account["dropped_by_kernel_while_reader_slow"] == 0
    assert newest(archive, 40_000) and archive.lost() == {}


# --- idleness, memory, words --------------------------------------------------------------------------------------

@pytest.mark.parametrize("more", [[], ["--keep", "1h"]])
def test_idleness_costs_nothing(wire, more):
    capture = Capture(wire, "--record", "4M", *more)
    capture.rests(2)
    wire.send(numbered(1))
    has_read(capture, 1)
    time.sleep(0.3)
    capture.rests(2)
    assert newest(capture.end().whole(), 1) == [0]


def memory_of(pid, what):
    """Where these bytes are in the process's memory, but for the kernel's ring."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            at, access, *_, name = line.split(maxsplit=5) if len(line.split()) > 5 else (*line.split()[:2], "")
            if "r" not in access or name.startswith(("socket:", "[v")):
                continue
            start, end = (int(part, 16) for part in at.split("-"))
            memory.seek(start)
            if what in memory.read(end - start):
                found.append(line)
    return found


@pytest.mark.parametrize("compress", ["none", "zstd"])
def test_what_is_too_old_is_zeros(wire, compress):
    """Within a second, without traffic; in the memory, the pool and the compressor's output."""
    capture = Capture(wire, "--record", "4M", "--keep", "2s", "--compress", compress)
    secret = random.Random(7).randbytes(64)
    wire.send([frame(0, 18) + secret])
    has_read(capture, 1)
    sent = time.monotonic()
    if compress == "none":
        wait_until(lambda: any("tarcap-record" in line for line in memory_of(capture.pid, secret)), 3, "it in the memory")
    time.sleep(max(0, sent + 3.3 - time.monotonic()))
    wait_until(lambda: memory_of(capture.pid, secret) == [], 2, "zeros")
    wire.send(numbered(1, first=1))
    time.sleep(0.3)
    archive = capture.end().whole()
    assert newest(archive, 2) == [1] and archive.account["overwritten"]["files"] == 1


def test_keep_keeps_what_is_newer(wire):
    capture = Capture(wire, "--record", "4M", "--keep", "2s")
    start = time.monotonic()
    for number in range(30):
        wire.send(numbered(1, first=number))
        time.sleep(0.1)
    took = time.monotonic() - start
    archive = capture.end().whole()
    numbers = newest(archive, 30)
    window = (archive.records[-1].time - archive.records[0].time) / 1e9
    assert 0.9 < window < 3.2 and len(numbers) >= 9 and took > 3


def test_memory_is_taken_at_the_start_and_printed(wire):
    capture = Capture(wire, "--record", "24M")
    [line] = [line for line in capture.err if "listening on" in line]
    assert "ends after 1h; ring 32M, record 24M, pool 4M, compressor 1536k, context 1M" in line
    maps = Path(f"/proc/{capture.pid}/smaps").read_text()
    area = maps[maps.index("tarcap-record"):]
    flags = re.search("VmFlags: (.*)", area)[1].split()
    assert "dd" in flags and "sh" in flags  # not in a core dump
    assert not [path for path in Path(f"/proc/{capture.pid}/fd").iterdir() if "tarcap-record" in os.readlink(path)]
    archive = capture.end().whole()
    assert archive.manifest["memory"]["record_bytes"] == 24 << 20
    assert archive.manifest["limits"] == {"duration_seconds": 3600, "max_bytes": None, "packets": None, "segments": None}


@pytest.mark.parametrize("arguments, words", [
    (["--record", "4M", "--raw"], "--record cannot be combined with --raw"),
    (["--record", "4M", "-W", "3"], "--record cannot be combined with -W"),
    (["--keep", "5s"], "--keep takes --record SIZE"),
    (["--record", "3M"], "--record '3M': allowed is 4M to 2G"),
    (["--record", "4M", "--keep", "10ms"], "--keep '10ms': allowed is 1s to 8784h"),
    (["--record", "256M"], "--record 256M: allowed is at most 250M, which with ring and pool is below the ceiling "
                           "TARCAP_MAX_MEMORY, 256M (its default)"),
    (["--record", "64M", "--memory", "5M"], "--memory 5M: with --record, where nothing waits in it, at most 4M"),
])
def test_what_is_refused(arguments, words):
    result = run(*arguments, "-i", "lo")
    assert result.status == 2 and len(result.err) == 1 and words in result.err[0], result.err


def test_the_ceiling_counts_all_of_it(wire, monkeypatch):
    monkeypatch.setenv("TARCAP_MAX_MEMORY", "48M")
    capture = Capture(wire, "--record", "32M")
    [line] = [line for line in capture.err if "listening on" in line]
    sizes = {name: int(size) for name, size in re.findall(r"(ring|record|pool|compressor) (\d+)M", line)}
    assert sizes["record"] == 32 and sum(sizes.values()) <= 48 and "TARCAP_MAX_MEMORY" in line
    capture.end().whole()


def test_a_file_that_is_there_stays(tmp_path):
    path = tmp_path / "in.pcap"
    path.write_bytes(pcap_file([(1, 0, frame(0))]))
    for name, expected in (("x.tar", "x.tar"), ("x.tar", "x-2.tar"), ("x.tar", "x-3.tar"), ("y", "y"), ("y", "y-2")):
        before = {file: file.read_bytes() for file in tmp_path.iterdir()}
        result = run("-r", path, "--record", "4M", "-w", tmp_path / name)
        assert result.status == 0 and result.said("writing to", expected) == (name != expected)
        assert {file: file.read_bytes() for file in before} == before
        assert [file.name for file in tmp_path.iterdir() if file not in before] == [expected]


def test_a_fifo_is_written_to_as_it_is(tmp_path):
    path, fifo = tmp_path / "in.pcap", tmp_path / "x.tar"
    path.write_bytes(pcap_file([(1, 0, frame(0))]))
    os.mkfifo(fifo)
    reader = subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE)
    assert run("-r", path, "--record", "4M", "-w", fifo).status == 0
    assert len(reader.communicate(timeout=10)[0]) > 1024
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in.pcap", "x.tar"]


def test_a_second_without_room_says_so(wire):
    """A limit on memory that cannot be taken is an error at the start, and no capture that ends later."""
    result = run("--record", "64M", "-i", "tc0", namespace=wire.b, before=["prlimit", "--as=60000000"])
    assert result.status == 1 and "--record: cannot " in result.err[0], result.err


def test_sigusr2_seals_and_nothing_leaves(wire):
    capture = Capture(wire, "--record", "4M")
    for number in range(3):
        wire.send(numbered(10, first=10 * number))
        has_read(capture, 10 * number + 10)
        capture.kill(signal.SIGUSR2)
        time.sleep(0.1)
    assert not any(".pcap" in name for name, _, _ in tar_members(bytes(capture.out))[0])
    archive = capture.end().whole()
    assert newest(archive, 30) and [len(file.records) for file in archive.files] == [10, 10, 10]


def test_the_line_of_progress_says_what_is_held(wire):
    capture = Capture(wire, "--record", "4M")
    wire.send(numbered(100))
    has_read(capture, 100)
    [line, *_] = [line for line in capture.err if "holds" in line and "100 packets" in line]
    assert re.search(r"\d+ s: holds 0 s, 100 packets in \d+\w*, 0 packets dropped by kernel", line)
    capture.end().whole()
