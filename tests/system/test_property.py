"""Random captures: whatever is asked and whatever comes, the archive is whole and its account is right.

Each round prints its seed; SEED=n runs that one alone, PROPERTY_TIME=s sets the seconds that are spent (default 40).
"""

import os
import random
import signal
import struct
import subprocess
import sys
import time

import pytest

import age
import random_packets
from archive import Pcap, packet_file, packets_in, pcap_file, rfc3339, tar_members
from capture import Capture, read_paced, run
from process import TARCAP, start_process
from random_packets import packet
from summary import summary

SECONDS = float(os.environ.get("PROPERTY_TIME", 40))


def rounds(share, least=1):
    """Seeds, for that share of the time; or the one that was asked for."""
    if "SEED" in os.environ:
        yield int(os.environ["SEED"])
        return
    end, count = time.monotonic() + SECONDS * share, 0
    while time.monotonic() < end or count < least:
        yield random.randrange(10**9)
        count += 1
    print(f"{count} rounds")


# --- live -------------------------------------------------------------------------------------------------------


class Plan:
    """What one round asks for, all from its seed."""

    def __init__(self, seed):
        chance = self.chance = random.Random(seed)
        self.memory = chance.choice((2, 4, 8, 16)) << 20
        self.snaplen = chance.choice((262144, 262144, 64, 96, 1500))
        self.count = chance.choice((0, 0, 0, 1, 100, 5000))
        self.max_bytes = chance.choice((0, 0, 0, 10_000, 1_000_000))
        self.size = chance.choice((0, 0, 4096, 30_000, 300 * 1024, self.memory // 4))
        self.time = chance.choice((0, 0, 0.1, 0.25, 3600))
        self.segments = chance.choice((0, 0, 0, 1, 3, 20))
        self.filter = chance.choice(("", "", "udp", "udp port 5000", "udp port 5000 or udp port 5002", "tcp"))
        self.direction = chance.choice(("", "", "in", "inout"))
        self.ring = chance.choice((2048, 4096, 32768))
        self.speed = chance.choice((0, 0, 0, 3_000_000, 20_000_000))
        self.end = chance.choice(("SIGINT", "SIGTERM", "stdin", "duration"))
        self.exclude = chance.choice(("auto", "on", "off"))
        self.time_to_end = chance.uniform(0.1, 1.0)
        if self.end == "stdin":
            self.time_to_end += 1.1
        self.hints = chance.randrange(3)  # SIGUSR2s on the way
        self.compress = chance.choice(("none", "zstd"))
        self.key = age.Key() if chance.random() < 0.3 else None

    def arguments(self):
        given = ["--memory", self.memory, "-B", self.ring, "-s", self.snaplen, "--exclude-stream", self.exclude]
        given += ["--compress", self.compress]
        given += ["--to", self.key.recipient] if self.key else []
        given += ["-c", self.count] if self.count else []
        given += ["--max-bytes", self.max_bytes] if self.max_bytes else []
        given += ["-C", f"{self.size // 1024}k"] if self.size else []
        given += ["-G", f"{int(self.time * 1000)}ms"] if self.time else []
        given += ["-W", self.segments] if self.segments else []
        given += ["-Q", self.direction] if self.direction else []
        given += ["--duration", f"{int(self.time_to_end * 1000)}ms"] if self.end == "duration" else []
        return given + ([self.filter] if self.filter else [])

    def wants(self, port):
        return self.filter in ("", "udp") or str(port) in self.filter

    def causes(self):
        limits = {"packet count": self.count, "byte limit": self.max_bytes, "segment count": self.segments}
        return {name for name, limit in limits.items() if limit} | {
            {"stdin": "stdin closed", "duration": "duration"}.get(self.end, "signal")}


def number_in(record):
    return struct.unpack("!I", record.data[42:46])[0]


def end_by(plan, capture, stdin):
    """The end, and the hints before it."""
    for _ in range(plan.hints):
        time.sleep(plan.time_to_end / (plan.hints + 1))
        if capture.process.poll() is None:
            capture.kill(signal.SIGUSR2)
    time.sleep(plan.time_to_end / (plan.hints + 1))
    if plan.end.startswith("SIG") and capture.process.poll() is None:
        capture.kill(getattr(signal, plan.end))
    elif plan.end == "stdin":
        os.close(stdin)


def check_limits(plan, archive):
    files, records = archive.files, archive.records
    used = sum(16 + record.caplen for record in records)
    segment = archive.manifest["memory"]["segment_bytes"]
    assert archive.cause in plan.causes()
    assert all(len(file.data) <= segment and file.snaplen == plan.snaplen for file in files)
    assert all(record.caplen == min(record.length, plan.snaplen) for record in records)
    if plan.count:
        assert len(records) <= plan.count and (archive.cause != "packet count" or len(records) == plan.count)
    if plan.max_bytes:
        assert used <= plan.max_bytes and (archive.cause != "byte limit" or used > plan.max_bytes - 1600)
    if plan.segments:
        assert len(files) <= plan.segments and (archive.cause != "segment count" or len(files) == plan.segments)


def check_packets(plan, seed, archive, sent):
    """What is there is what was sent, in order; what is not is in the account, or came after the end."""
    numbers = [number_in(record) for record in archive.records]
    assert numbers == sorted(set(numbers))
    for number, record in zip(numbers, archive.records):
        data, port = packet(seed, number)
        assert plan.wants(port) and record.length == len(data) and record.data == data[:plan.snaplen]
    wanted = [number for number in range(sent) if plan.wants(packet(seed, number)[1])]
    received = archive.account["received_by_filter"]
    assert received <= len(wanted)
    if not archive.lost():
        assert numbers == wanted[:received]
    if numbers:
        missing = sum(number <= numbers[-1] for number in wanted) - len(numbers)
        assert missing <= archive.account["dropped_by_kernel"], archive.account
    allowed = {"dropped_by_kernel"} | ({"after_limit"} if archive.cause in ("packet count", "byte limit",
                                                                           "segment count") else set())
    assert set(archive.lost()) <= allowed, archive.account


def check_cuts(chance, data):
    whole, _ = tar_members(data)
    full = [record.data for record in packets_in(data)]
    for cut in [chance.randrange(len(data)) for _ in range(4)]:
        members, _ = tar_members(data[:cut])
        assert members == whole[:len(members)]
        part = [record.data for record in packets_in(data[:cut])]
        assert part == full[:len(part)]


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces take root")
def test_random_live_captures(wire):
    for seed in rounds(0.45):
        plan = Plan(seed)
        stdin, ours = os.pipe()
        print(f"SEED={seed}", *plan.arguments(), f"reader {plan.speed}, end {plan.end}")
        capture = Capture(wire, *plan.arguments(), stdin=stdin, read=not plan.speed)
        os.close(stdin)
        if plan.speed:
            read_paced(capture, plan.speed)
        milliseconds = int(plan.time_to_end * 1000 * plan.chance.choice((0.5, 1, 1.3)))
        generator = start_process([sys.executable, random_packets.__file__, wire.a, str(seed), str(milliseconds)],
                                  stdout=subprocess.PIPE)
        end_by(plan, capture, ours)
        sent = int(generator.communicate(timeout=30)[0])
        result = capture.wait(25)
        if plan.end != "stdin":
            os.close(ours)
        if plan.key:
            result.out = age.opened(result.out, plan.key)
        archive = result.whole()
        check_limits(plan, archive)
        check_packets(plan, seed, archive, sent)
        check_cuts(plan.chance, result.out)


# --- a recorder -------------------------------------------------------------------------------------------------

HEADERS = 42  # of a packet, which --first leaves


class Recording:
    """What one round asks a recorder for, all from its seed; and what it does not ask for is an ordinary capture."""

    def __init__(self, seed):
        chance = self.chance = random.Random(seed)
        self.record = chance.choice((None, "4M", "4M", "5M", "8M"))
        self.first = chance.choice((0, 0, 1, 100, 5000, 1_000_000))
        self.until = chance.choice((None, "udp port 5002", "greater 1513", "icmp", "silence=120ms"))
        if not (self.record or self.first or self.until):
            self.record = "4M"
        self.count = chance.choice((0, 0, 0, 1, 3000))
        self.time_to_end = chance.uniform(0.2, 1.2)
        self.end = chance.choice(("SIGINT", "SIGTERM", "duration"))
        self.given = ["-B", 32768, "--compress", chance.choice(("none", "zstd")), "--format", chance.choice(("pcap", "pcapng"))]
        self.given += ["-G", chance.choice(("100ms", "200ms", "60s")), "-C", chance.choice(("300k", "1M"))]
        self.given += ["--record", self.record] if self.record else []
        self.given += ["--keep", chance.choice(("1s", "2s"))] if self.record and chance.random() < 0.3 else []
        self.given += ["--first", self.first] if self.first else []
        self.given += ["--until", self.until, "--after", chance.choice(("0", "50ms", "300ms"))] if self.until else []
        self.given += ["-c", self.count] if self.count else []
        self.given += ["--duration", f"{int(self.time_to_end * 1000)}ms"] if self.end == "duration" else []

    def is_event(self, sent):
        data, port = sent
        return {"udp port 5002": port == 5002, "greater 1513": len(data) >= 1513}.get(self.until, False)


def check_recorded(plan, seed, archive):
    """The newest of what came, each whole or cut to its headers; of each port whole ones first, unless some are gone."""
    gone = archive.manifest.get("overwritten", {"packets": 0})["packets"]
    assert plan.record or not gone
    if archive.lost().keys() - {"after_limit"}:
        return
    cut = {}
    for number, record in enumerate(archive.records, gone):
        data, port = packet(seed, number)
        assert record.length == len(data) and record.data == data[:record.caplen]
        assert record.caplen == len(data) or (plan.first and record.caplen == HEADERS), record.caplen
        # What is an event stays whole.
        assert record.caplen < len(data) or not cut.get(port) or plan.is_event((data, port))
        cut[port] = cut.get(port, 0) + (record.caplen < len(data))
    if plan.first and not gone and not archive.lost():
        assert archive.manifest["cut_by_first"]["packets"] == sum(cut.values())


def check_event(plan, seed, archive, result):
    """The first that there was, and, where it is in the archive, the frame that join's output has under its number."""
    event, gone = archive.manifest["event"], archive.manifest.get("overwritten", {"packets": 0})["packets"]
    assert (event is None) == (archive.manifest["events"] == 0) and (archive.cause != "event" or event)
    if event is None or event["member"] is None:
        return
    [file] = [file for file in archive.files if file.name.endswith("/" + event["member"])]
    record = file.records[event["packet"] - 1]
    assert rfc3339(record.time) == event["time"] and event["what"] == plan.until
    joined = packet_file("joined", run("join", "-q", stdin=result.out).out).records
    shown = joined[summary(result.out)["event"]["joined_packet"] - 1]
    assert (shown.time, shown.data) == (record.time, record.data)
    place = archive.records.index(record)
    if not archive.lost().keys() - {"after_limit"}:
        first = next(number for number in range(gone + place + 1) if plan.is_event(packet(seed, number)))
        assert first == gone + place


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces take root")
def test_random_recorders(wire):
    """Archives of version 2: join finds each whole, and what is cut of it is not."""
    for seed in rounds(0.25):
        plan = Recording(seed)
        print(f"SEED={seed}", *plan.given, f"end {plan.end}")
        capture = Capture(wire, *plan.given)
        generator = start_process([sys.executable, random_packets.__file__, wire.a, str(seed),
                                   str(int(plan.time_to_end * 1000 * plan.chance.choice((0.5, 1, 1.3))))],
                                  stdout=subprocess.PIPE)
        time.sleep(plan.time_to_end)
        if plan.end.startswith("SIG") and capture.process.poll() is None:
            capture.kill(getattr(signal, plan.end))
        result = capture.wait(25)
        sent = int(generator.communicate(timeout=30)[0])
        archive = result.whole()
        assert archive.account["received_by_filter"] <= sent
        assert archive.manifest["tarcap_manifest"] == 2
        checked = run("join", "--check", stdin=result.out)
        assert checked.status == 0, checked.err
        check_recorded(plan, seed, archive)
        if plan.until:
            check_event(plan, seed, archive, result)
        cut_at = plan.chance.randrange(512, len(result.out) - 2048)
        assert run("join", "--check", stdin=result.out[:cut_at]).status == 1
        check_cuts(plan.chance, result.out)


# --- from a file ------------------------------------------------------------------------------------------------

def random_file(chance):
    """[(seconds, fraction, data, length)]: times that stand, run and jump, lengths from none on."""
    at, records = chance.choice((0, 1_000_000_000, 4_000_000_000)) * 1_000_000 + chance.randrange(1_000_000), []
    for _ in range(chance.choice((0, 1, 2, 50, 400))):
        at += chance.choice((0, 1, 1000, 1_000_000, 30_000_000))
        if chance.random() < 0.05:
            at = max(0, at - chance.randrange(200_000_000))
        size = chance.choice((0, 1, 14, 60, 95, 96, 97, 1500, chance.randrange(3000)))
        length = size + chance.choice((0, 0, 0, 1, 100_000))
        records.append((at // 1_000_000, at % 1_000_000, random.Random(at).randbytes(size), length))
    return records


def file_arguments(chance):
    snaplen = chance.choice((262144, 1, 96, 1500))
    count, max_bytes = chance.choice((0, 0, 1, 49, 50, 51)), chance.choice((0, 0, 1, 16, 5000, 50_000))
    given = ["-s", snaplen] + (["-c", count] if count else []) + (["--max-bytes", max_bytes] if max_bytes else [])
    given += chance.choice(([], [], ["-G", "100ms"], ["-G", "1h"]))
    given += chance.choice(([], [], ["-C", "4k"], ["-C", "300k"])) + ["--memory", chance.choice(("2M", "16M"))]
    given += chance.choice(([], ["--compress", "zstd"]))
    return given, snaplen, count, max_bytes


def expected_of(records, snaplen, count, max_bytes):
    kept, used = [], 0
    for seconds, fraction, data, length in records:
        used += 16 + min(len(data), snaplen)
        if (count and len(kept) == count) or (max_bytes and used > max_bytes):
            break
        kept.append((seconds, fraction, length, data[:snaplen]))
    return kept


def fields(records):
    return [(record.seconds, record.fraction, record.length, record.data) for record in records]


def test_random_files(tmp_path):
    path = tmp_path / "in.pcap"
    for seed in rounds(0.15):
        chance = random.Random(seed)
        records = random_file(chance)
        arguments, snaplen, count, max_bytes = file_arguments(chance)
        print(f"SEED={seed}", *arguments)
        path.write_bytes(pcap_file(records))
        result = run("-r", path, *arguments)
        archive = result.whole()
        kept = expected_of(records, snaplen, count, max_bytes)
        assert fields(archive.records) == kept
        assert archive.cause in ("end of file", "packet count", "byte limit")
        assert set(archive.lost()) <= {"after_limit"}
        segment = archive.manifest["memory"]["segment_bytes"]
        assert all(len(file.data) <= segment and file.snaplen == snaplen for file in archive.files)
        check_cuts(chance, result.out)


# --- join -------------------------------------------------------------------------------------------------------

def has_join():
    """This binary has it: what it says of a word that is a filter to one without it is something else."""
    done = subprocess.run([TARCAP, "join", "--check", "/nonexistent"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    return done.returncode == 1 and "nonexistent" in done.stderr


def join(path, *arguments):
    done = subprocess.run([TARCAP, "join", *arguments, str(path)], capture_output=True, timeout=20,
                          stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").splitlines()


def joined(data):
    return fields(Pcap("joined", data).records) if data else []


def test_random_files_joined(tmp_path):
    """join gives what went in, by time; and of a stream that was cut, what is there, with status 1."""
    if not has_join():
        pytest.skip("no join in this binary")
    source, whole, cut = (tmp_path / name for name in ("in.pcap", "whole.tar", "cut.tar"))
    for seed in rounds(0.15):
        chance = random.Random(seed)
        # A record of nothing but zeros is what join takes for a tar's padding.
        records = [record for record in random_file(chance) if any(record[:2]) or any(record[2:])]
        arguments, snaplen, count, max_bytes = file_arguments(chance)
        print(f"SEED={seed}", *arguments)
        source.write_bytes(pcap_file(records))
        result = run("-r", source, *arguments)
        result.whole()
        whole.write_bytes(result.out)
        status, out, err = join(whole)
        assert status == 0, err
        kept = expected_of(records, snaplen, count, max_bytes)
        assert joined(out) == sorted(kept, key=lambda record: record[:2])
        assert join(whole, "--check")[0] == 0
        # Anywhere before the manifest's last byte: behind it only zero bytes are missing.
        end = tar_members(result.out)[0][-1]
        cut_at = chance.randrange(len(result.out) - 1024 - (-len(end[1]) % 512))
        cut.write_bytes(result.out[:cut_at])
        status, out, err = join(cut)
        assert status == 1 and err, (cut_at, status, err)
        part = joined(out)
        # All complete files, and what there is of the one that is cut.
        assert len(packets_in(result.out[:cut_at])) <= len(part)
        assert part == sorted(kept[:len(part)], key=lambda record: record[:2])
        assert join(cut, "--check")[0] == 1
