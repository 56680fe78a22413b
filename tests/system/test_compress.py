"""--compress zstd: each file by itself, in a tar that stays plain; what does not shrink is stored as it is."""

import os
import random
import re
import signal
import struct
import time

import pytest

from archive import Archive, expanded, pcap_file, tar_members
from capture import Capture, read_paced, run
from payload import Traffic, http, noise, with_number
from process import TARCAP, sh
from wire import frame

MIB = 1 << 20
START = 1_800_000_000
ZSTD = ("--compress", "zstd")


# --- traffic ----------------------------------------------------------------------------------------------------

def small(number, chance):
    return with_number(number, chance.randbytes(10))


def times(frames, step=1):
    """Records, step microseconds apart."""
    return [(START + number * step // 10**6, number * step % 10**6, data) for number, data in enumerate(frames)]


def traffic(kind):
    chance = random.Random(7)
    if kind == "mixed":  # some files of each: text, then noise, then both
        return ([http(n, chance) for n in range(1500)] + [noise(n, chance) for n in range(1500, 1540)] +
                [(noise if n % 2 else http)(n, chance) for n in range(1540, 1580)])
    makes, count = {"http": (http, 4000), "noise": (noise, 60), "small": (small, 20_000), "one": (http, 1),
                    "none": (http, 0)}[kind]
    return [makes(n, chance) for n in range(count)]


@pytest.fixture
def source(tmp_path):
    """source(kind): a file of that traffic"""
    def write(kind, step=1):
        path = tmp_path / "in.pcap"
        path.write_bytes(pcap_file(times(traffic(kind), step)))
        return path
    return write


def joined(data, *arguments):
    return run("join", "-q", *arguments, stdin=data)


def kinds(archive):
    """Of each file, whether it is compressed."""
    return [file.name.endswith(".zst") for file in archive.files]


# --- what is written --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind, expected", [("http", {True}), ("noise", {False}), ("small", {True}),
                                            ("mixed", {True, False}), ("one", None), ("none", set())])
def test_same_packets_as_without(source, kind, expected):
    path, arguments = source(kind), ("--name", "web", "-C", "300k")
    plain, archive = (run("-r", path, *arguments, *more).whole() for more in ((), ZSTD))
    assert expected is None or set(kinds(archive)) == expected
    assert kinds(plain) == [False] * len(plain.files) and len(archive.files) == len(plain.files)
    # But for the end, the names are the same, and so is what is in them.
    assert [file.name.removesuffix(".zst") for file in archive.files] == [file.name for file in plain.files]
    assert [file.data for file in archive.files] == [file.data for file in plain.files]
    assert archive.manifest["totals"] == plain.manifest["totals"]
    assert all(file.stored <= len(file.data) for file in archive.files)
    out = joined(archive.data)
    assert out.status == 0 and out.out == joined(plain.data).out, out.err
    assert joined(archive.data, "--check").status == 0


def test_text_is_a_third_and_noise_is_no_larger(source):
    for kind, most in (("http", 0.34), ("small", 0.75), ("noise", 1.0)):
        archive = run("-r", source(kind), *ZSTD).whole()
        part = sum(file.stored for file in archive.files) / archive.manifest["totals"]["bytes"]
        assert part <= most, (kind, part)


def test_a_file_that_would_fill_as_many_blocks_stays_plain(tmp_path):
    """One packet of 100 bytes takes a block of the tar either way."""
    path = tmp_path / "in.pcap"
    for size, compressed in ((100, False), (400, False), (600, True), (3000, True)):
        path.write_bytes(pcap_file([(START, 0, frame(7, size))]))
        [file] = run("-r", path, *ZSTD).whole().files
        assert file.name.endswith(".zst") == compressed, size


def test_what_was_asked_for_is_recorded(source):
    path = source("http")
    archive = run("-r", path, "--compress", "zstd").whole()
    assert archive.capture["compression"] == {"format": "zstd", "level": 2}
    for memory in (archive.capture["memory"], archive.manifest["memory"]):
        assert memory["compressor_bytes"] == memory["segment_bytes"] + MIB
    for arguments in ((), ("--compress", "none"), (*ZSTD, "--compress", "none")):
        archive = run("-r", path, *arguments).whole()
        assert archive.capture["compression"] is None and archive.capture["memory"]["compressor_bytes"] == 0
        assert not any(kinds(archive))


def test_limits_count_what_was_captured(source):
    """-C, --max-bytes and -c mean packets, not what becomes of them."""
    path = source("http")
    archive = run("-r", path, *ZSTD, "-C", "300k", "--max-bytes", "1M").whole()
    assert archive.cause == "byte limit"
    assert MIB - 2000 < sum(16 + record.caplen for record in archive.records) <= MIB
    assert all(290 * 1024 < len(file.data) <= 300 * 1024 for file in archive.files[:-1])
    assert len(run("-r", path, *ZSTD, "-c", "17").whole().records) == 17


# --- who else reads it ------------------------------------------------------------------------------------------

def test_other_programs_read_the_files(source, tmp_path):
    frames = traffic("mixed")
    archive = run("-r", source("mixed"), *ZSTD, "-C", "300k", "--name", "web", "-w", tmp_path / "x.tar")
    archive = Archive((tmp_path / "x.tar").read_bytes()).check()
    for tar in ("tar", "bsdtar"):
        out = tmp_path / tar
        out.mkdir()
        sh(tar, "xf", tmp_path / "x.tar", "-C", out)
        assert sorted(path.name for path in (out / "web").iterdir()) == sorted(n[4:] for n in archive.names)
    assert len(archive.records) == len(frames) and len(set(kinds(archive))) == 2
    for file in (archive.files[kinds(archive).index(True)], archive.files[kinds(archive).index(False)]):
        path = tmp_path / "tar" / file.name
        # Wireshark's reader opens it as it is, and zstd makes a file for tcpdump of it.
        read = [number for number in sh("tshark", "-r", path, "-T", "fields", "-e", "frame.number").stdout.split()]
        assert len(read) == len(file.records)
        if path.suffix == ".zst":
            sh("zstd", "-dq", path)
            path = path.with_suffix("")
        assert path.read_bytes() == file.data
        assert sh("tcpdump", "--count", "-r", path).stdout == f"{len(file.records)} packet{'s' * (len(file.records) != 1)}\n"


# --- cut and damaged --------------------------------------------------------------------------------------------

def test_cut_anywhere(source):
    """Complete files are there, and join gives all that the cut one still gives."""
    data = run("-r", source("mixed"), *ZSTD, "-C", "300k").whole().data
    whole, chance = joined(data).out, random.Random(3)
    end = tar_members(data)[0][-1]
    for cut in [chance.randrange(1024, len(data) - 1024 - (-len(end[1]) % 512)) for _ in range(12)]:
        members = expanded(tar_members(data[:cut])[0])
        result = run("join", stdin=data[:cut])
        assert result.status == 1 and any("not whole" in line for line in result.err), (cut, result.err)
        assert whole.startswith(result.out)
        assert len(result.out) >= 24 + sum(len(content) - 24 for _, content, _ in members) if members else True


def test_changed_payload_is_noticed(source):
    """Of a plain file nobody could tell; a frame has a checksum."""
    archive = run("-r", source("http"), *ZSTD, "-C", "300k").whole()
    chance = random.Random(5)
    spans = [(archive.data.index(text), len(text), name) for name, text in archive.members if name.endswith(".zst")]
    for at, size, name in chance.sample(spans, 4):
        for _ in range(5):
            data = bytearray(archive.data)
            data[at + chance.randrange(20, size)] ^= 1 << chance.randrange(8)
            result = run("join", stdin=bytes(data))
            assert result.status == 1 and name.partition("/")[2] in result.err[-1], (name, result.err)


# --- live -------------------------------------------------------------------------------------------------------

def sequence(archive):
    return [struct.unpack("!I", record.data[14:18])[0] for record in archive.records]


def accounted(archive, sent, *causes):
    """Once, in order, and all of it but for these causes."""
    numbers = sequence(archive)
    assert numbers == sorted(set(numbers))
    assert archive.account["received_by_filter"] == sent
    assert set(archive.lost()) <= set(causes), archive.account
    return archive


def test_live(wire):
    capture = Capture(wire, *ZSTD)
    [line] = [line for line in capture.err if "listening on" in line]
    assert line.endswith("ring 32M, pool 16M, compressor 1536k, context 1M")
    Traffic(wire, 20_000, 40_000).wait()
    archive = accounted(capture.end().whole(), 20_000, "dropped_by_kernel")
    assert all(kinds(archive)) and len(archive.data) < sum(len(file.data) for file in archive.files) / 2


def test_slow_reader(wire):
    """What a reader of 3 MB/s does not get, the kernel has dropped, and the manifest says so."""
    capture = Capture(wire, *ZSTD, "--memory", "2M", "-B", "2048", read=False)
    read_paced(capture, 3_000_000)
    Traffic(wire, 30_000, 30_000, "noise").wait()
    archive = accounted(capture.end().whole(), 30_000, "dropped_by_kernel")
    assert archive.account["dropped_by_kernel_while_reader_slow"] > 0


def test_memory_stays_what_was_said(wire):
    capture = Capture(wire, *ZSTD, "--memory", "8M", "-B", "2048")
    Traffic(wire, 30_000, 30_000).wait()
    most = capture.rss()
    capture.end(timeout=30).whole()
    assert most <= (2 + 8 + 3 + 4) * MIB, most


def test_stop_with_a_stuck_reader(wire):
    """Nothing is taken: 3 s after the signal what has not begun to leave is dropped, and then the reader comes back."""
    capture = Capture(wire, *ZSTD, "-G", "100ms", read=False)
    Traffic(wire, 20_000, 30_000, "noise").wait()
    capture.kill(signal.SIGINT)
    time.sleep(3.3)
    capture.collect()
    result = capture.wait(5)
    archive = accounted(Archive(result.out).check(), 20_000, "dropped_at_stop", "dropped_by_kernel")
    assert result.status == 3 and archive.lost()["dropped_at_stop"] > 0


def test_disk_that_fills_up(wire, tmp_path):
    """Cut back to its last complete file, by the sizes that are stored."""
    sh("mount", "-t", "tmpfs", "-o", "size=1000000", "tarcap-test", tmp_path)
    try:
        capture = Capture(wire, *ZSTD, "-w", tmp_path / "x.tar", "-q", "-C", "300k", ready=False)
        capture.listens()
        Traffic(wire, 40_000, 30_000).wait()
        result = capture.wait(5)
        data = (tmp_path / "x.tar").read_bytes()
    finally:
        sh("umount", "-l", tmp_path)
    assert result.status == 1 and any("No space left on device" in line for line in result.err)
    archive = Archive(data).check()
    assert archive.cause == "output failed" and archive.account["dropped_output_failed"] > 0
    assert sequence(archive) == list(range(len(archive.records))) and len(data) > 600_000
    assert len(archive.records) * 800 > len(data), "it held no more than without"


# --- the loop ---------------------------------------------------------------------------------------------------

def test_a_large_segment_is_compressed_in_turns(tmp_path):
    """Signals, the reader and the ring get theirs after each MiB of it, not at its end."""
    path, log = tmp_path / "in.pcap", tmp_path / "log"
    path.write_bytes(pcap_file(times([frame(number, 60_000) for number in range(260)])))  # 15 MiB

    def polls(*arguments):
        sh("strace", "-o", log, "-e", "trace=poll", TARCAP, "-q", "-r", path, "-w", "/dev/null", "-C", "16M", "--memory",
           "64M", *arguments)
        return log.read_text().count("poll(")
    assert polls(*ZSTD) >= polls() + 13


# --- the command line -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, words", [
    (["--compress", "gzip"], ["--compress 'gzip'", "none|zstd"]), (["--compress", ""], ["--compress ''"]),
    (["--compress"], ["--compress", "needs an argument"]), (["--compress", "zstd:3"], ["zstd:3"]),
    (["--raw", *ZSTD], ["--raw", "--compress"]),
])
def test_refused(arguments, words):
    result = run("-r", "/dev/null", *arguments)
    assert result.status == 2 and result.out == b"" and len(result.err) == 1
    assert all(word in result.err[0] for word in words), result.err


def test_raw_without_compression_is_none(source):
    path = source("small")
    assert run("-r", path, "--raw", "--compress", "none", "-q").out == path.read_bytes()


def size(text):
    number, unit = re.fullmatch(r"(\d+)([kMG]?)", text).groups()
    return int(number) << {"": 0, "k": 10, "M": 20, "G": 30}[unit]


@pytest.mark.parametrize("ceiling", ["4M", "6M", "8M", "16M", "54M", "100M"])
def test_ceiling_on_memory_holds_for_all_of_it(wire, ceiling):
    limit = size(ceiling)
    environment = {"env": {**os.environ, "TARCAP_MAX_MEMORY": ceiling}}
    for ring, pool, segment in ((0, 0, 0), (2048, 0, 0), (0, 2, 0), (0, 16, 0), (4096, 8, 0), (0, 0, 300), (0, 4, 1024)):
        arguments = ["-B", ring] * bool(ring) + ["--memory", f"{pool}M"] * bool(pool) + \
            ["-C", f"{segment}k"] * bool(segment)
        one = segment << 10 or max(min(MIB // 2, (pool or 2) * MIB // 4), 266240)
        least = ((ring << 10) or 2 * MIB) + (pool or 2) * MIB + one + MIB
        if least > limit:
            result = run("-i", "tc0", *ZSTD, *arguments, namespace=wire.b, **environment)
            [line] = result.err
            assert result.status == 2 and "--compress zstd" in line and f"TARCAP_MAX_MEMORY, {ceiling}" in line
            continue
        capture = Capture(wire, *ZSTD, *arguments, **environment)
        [line] = [line for line in capture.err if "listening on" in line]
        memory = capture.end().whole().manifest["memory"]
        total = memory["ring_bytes"] + memory["pool_bytes"] + memory["compressor_bytes"]
        said = re.search(r"ring (\w+), pool (\w+), compressor (\w+), context 1M( \(TARCAP_MAX_MEMORY\))?$", line)
        assert sum(size(said[n]) for n in (1, 2, 3)) == total <= limit, (arguments, memory)
        assert memory["compressor_bytes"] == memory["segment_bytes"] + MIB
        if not (ring and pool) and said[4]:
            assert total >= 0.7 * limit, (arguments, memory)
