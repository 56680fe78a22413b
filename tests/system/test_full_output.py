"""Outputs that take no more: a full disk, a limit on a file's size. What was written before must stay good."""

import os
import random
import re
import resource
import subprocess
import time

import pytest

from archive import Archive, packets_in, pcap_file, tar_members
from capture import Capture, run
from process import TARCAP, sh
from wire import Flood, frame, number_of, numbered

MIB = 1 << 20
FULL, LARGE = "No space left on device", "File too large"


@pytest.fixture
def disk(tmp_path):
    """disk(bytes): an empty file system of that size."""
    mounted = []

    def make(size):
        mounted.append(tmp_path / f"disk{len(mounted)}")
        mounted[-1].mkdir()
        sh("mount", "-t", "tmpfs", "-o", f"size={size}", "tarcap-test", mounted[-1])
        return mounted[-1]
    yield make
    for path in mounted:
        sh("umount", "-l", path)


def one_line(result, word):
    """Status 1, and besides what was lost one line, that gives the reason: above all none that puts it on a reader."""
    assert result.status == 1, (result.status, result.err)
    said = [line for line in result.err if not re.fullmatch(r"\d+ packets dropped.*", line)]
    assert len(said) == 1 and word in said[0], result.err


def closed_archive(data):
    """An archive that ended because of its output: whole, and it says how much is missing."""
    archive = Archive(data).check()
    account = archive.account
    assert archive.cause == "output failed"
    assert archive.numbers() == list(range(len(archive.records)))
    assert set(archive.lost()) <= {"dropped_output_failed", "dropped_by_kernel"}
    assert account["dropped_output_failed"] + account["dropped_by_kernel"] > 0
    return archive


# --- a disk that fills up ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("way", ["-w", ">"])
@pytest.mark.parametrize("size", [300_000, 1 << 20, 5_000_000, 9 << 20])
def test_disk_that_fills_up(wire, disk, way, size):
    path = disk(size) / "x.tar"
    with (path.open("wb") if way == ">" else open(os.devnull, "wb")) as out:
        capture = Capture(wire, *(["-w", path] if way == "-w" else []), "-q", "-C", "300k", ready=False, stdout=out)
        capture.listens()
        Flood(wire.a, "tc1", 10_000, 1400, per_second=20_000).wait()
        result = capture.wait(5)
    one_line(result, FULL)
    archive = closed_archive(path.read_bytes())
    assert archive.manifest["ended_by"]["detail"] == FULL
    assert len(archive.data) > size - 310 * 1024, "more could have been kept"
    assert archive.account["dropped_output_failed"] > 0


def test_end_of_a_full_disk_is_said(wire, disk):
    path = disk(MIB) / "x.tar"
    capture = Capture(wire, "-w", path, "-C", "300k")
    wire.send(numbered(2000, 1400))
    result = capture.wait(5)
    assert result.status == 1
    archive = closed_archive(path.read_bytes())
    dropped, written = archive.account["dropped_output_failed"], archive.account["written"]
    assert f"{written} packets captured" in result.err
    assert f"{dropped} packets dropped: the output failed" in result.err
    [line] = [line for line in result.err if FULL in line]
    assert f"after {len(archive.files)} complete files" in line


def test_slow_traffic_and_a_full_disk(wire, disk):
    """Small files, one each 100 ms: their table is larger than what the last of them leaves."""
    path = disk(64 << 10) / "x.tar"
    capture = Capture(wire, "-w", path, "-q", "-G", "100ms", ready=False)
    capture.listens()
    number = 0
    while capture.process.poll() is None and number < 300:
        wire.send([frame(number, 1000)])
        number += 1
        time.sleep(0.03)
    one_line(capture.wait(3), FULL)
    closed_archive(path.read_bytes())


def test_disk_that_is_full_already(wire, disk):
    where = disk(MIB)
    try:
        with (where / "other").open("wb") as other:
            while True:
                other.write(bytes(4096))
                other.flush()
    except OSError:
        pass
    capture = Capture(wire, "-w", where / "x.tar", "-q", ready=False)
    wire.send(numbered(10))
    one_line(capture.wait(3), FULL)
    assert (where / "x.tar").read_bytes() == b""


def test_disk_that_others_fill_and_free(wire, disk):
    """The end is the end: it does not go on when there is room again."""
    where = disk(2 * MIB)
    capture = Capture(wire, "-w", where / "x.tar", "-q", "-C", "300k", ready=False)
    capture.listens()
    wire.send(numbered(300, 1400))
    time.sleep(1.2)
    (where / "other").write_bytes(bytes(MIB))
    wire.send(numbered(2000, 1400, first=300))
    result = capture.wait(5)
    (where / "other").unlink()
    one_line(result, FULL)
    assert len(closed_archive((where / "x.tar").read_bytes()).records) >= 300


def test_signal_while_the_disk_is_full(wire, disk):
    """Both at once, at many moments: a whole archive, or a whole archive that says it is not all."""
    for wait in range(0, 60, 6):
        path = disk(MIB) / "x.tar"
        capture = Capture(wire, "-w", path, "-q", "-C", "300k", ready=False)
        capture.listens()
        wire.send(numbered(1500, 1400))
        time.sleep(wait / 1000)
        if capture.process.poll() is None:
            capture.kill()
        one_line(capture.wait(4), FULL)
        closed_archive(path.read_bytes())


def test_dev_full(wire):
    for way in ("-w", ">"):
        with open("/dev/full" if way == ">" else os.devnull, "wb") as out:
            capture = Capture(wire, *(["-w", "/dev/full"] if way == "-w" else []), "-q", ready=False, stdout=out)
            one_line(capture.wait(3), FULL)


def test_appending_leaves_what_is_there(wire, disk):
    """'>>': what was there before is not ours to cut; behind it stands a whole archive, as everywhere."""
    path = disk(2 * MIB) / "x.tar"
    before = os.urandom(100_001)
    path.write_bytes(before)
    with path.open("ab") as out:
        capture = Capture(wire, "-C", "300k", stdout=out)
        wire.send(numbered(3000, 1400))
        result = capture.wait(5)
    data = path.read_bytes()
    assert data[:len(before)] == before
    archive = closed_archive(data[len(before):])
    assert result.status == 1 and len(archive.records) > 100
    assert result.said(f"which now ends after {len(archive.files)} complete files: {FULL}"), result.err


def test_appending_beside_somebody_else(wire, tmp_path):
    """What lies behind our last whole file is theirs, too: it stays, and nobody is told that our archive is whole."""
    path = tmp_path / "x.tar"
    before, theirs = os.urandom(100_001), b"theirs"
    path.write_bytes(before)
    with path.open("ab") as out:
        capture = Capture(wire, "-C", "300k", stdout=out,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB)))
        out.write(theirs)
        out.flush()
        wire.send(numbered(3000, 1400))
        result = capture.wait(5)
    data = path.read_bytes()
    assert result.status == 1 and data[:len(before)] == before and theirs in data[len(before):] and len(data) == MIB
    files = [name for name, _, _ in tar_members(data[len(before):].replace(theirs, b"", 1))[0] if name.endswith(".pcap")]
    assert result.said(f"which now ends within a file, after {len(files)} complete ones: {LARGE}"), result.err


def test_what_is_said_to_be_complete_is_there(tmp_path):
    """Also when files had to go, so that the manifest has room."""
    arguments = ["-r", source(tmp_path, 100, 1501), "-G", "20s"]
    whole, path = run(*arguments).whole(), tmp_path / "x.tar"
    for limit in range(len(whole.data) - 90_000, len(whole.data) - 1023, 9_000):
        for way in ("wb", "ab"):
            with path.open(way) as out:
                out.truncate(0)
                done = subprocess.run([TARCAP, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=out,
                                      stderr=subprocess.PIPE, text=True, timeout=4,
                                      preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
            archive = closed_archive(path.read_bytes())
            assert f"which now ends after {len(archive.files)} complete files: {LARGE}\n" in done.stderr, (limit, way)


def test_after_what_others_wrote_to_the_same_file(wire, disk):
    """'(echo ...; tarcap) > file': ours begins where theirs ended."""
    path = disk(2 * MIB) / "x.tar"
    before = os.urandom(100_001)
    with path.open("wb") as out:
        out.write(before)
        out.flush()
        capture = Capture(wire, "-q", "-C", "300k", ready=False, stdout=out)
        capture.listens()
        wire.send(numbered(3000, 1400))
        one_line(capture.wait(5), FULL)
        # Else what others write next would leave a hole.
        assert os.lseek(out.fileno(), 0, os.SEEK_CUR) == path.stat().st_size
    data = path.read_bytes()
    assert data[:len(before)] == before
    closed_archive(data[len(before):])


def test_into_the_middle_of_a_file(wire, tmp_path):
    """'1<>file': what lies behind is not ours either."""
    path = tmp_path / "x.bin"
    content = os.urandom(4 * MIB)
    path.write_bytes(content)
    with path.open("r+b") as out:
        out.seek(100_000)
        capture = Capture(wire, "-q", "-C", "300k", ready=False, stdout=out,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB)))
        capture.listens()
        wire.send(numbered(3000, 1400))
        result = capture.wait(5)
    assert result.status == 1
    data = path.read_bytes()
    assert data[:100_000] == content[:100_000]
    assert data[MIB:] == content[MIB:], "what was never written to has been cut off"


def test_fifo_is_not_touched_by_it(wire, tmp_path):
    """There is no cutting back a pipe, and no limit on its size."""
    os.mkfifo(tmp_path / "fifo")
    cat = subprocess.Popen(["cat", tmp_path / "fifo"], stdout=subprocess.PIPE)
    capture = Capture(wire, "-w", tmp_path / "fifo", "-c", 2000,
                      preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)))
    wire.send(numbered(2000, 1400))
    out, _ = cat.communicate(timeout=10)
    assert capture.wait().status == 0
    assert Archive(out).check().numbers() == list(range(2000))


# --- a limit to the byte: RLIMIT_FSIZE, reading a file ----------------------------------------------------------

def limited(size, *arguments, **more):
    return run(*arguments, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)), **more)


def source(tmp_path, packets, size):
    path = tmp_path / "source.pcap"
    path.write_bytes(pcap_file([(1000 + number, 0, frame(number, size)) for number in range(packets)]))
    return path


def parts_of(data):
    """[(name, header, data, padding, end)] as offsets"""
    parts, at = [], 0
    for name, text, _ in tar_members(data)[0]:
        body = at + 512
        parts.append((name.partition("/")[2], at, body, body + len(text), body + (len(text) + 511) // 512 * 512))
        at = parts[-1][-1]
    return parts


def fails_at(tmp_path, limit, *arguments, way="-w"):
    """(what is in the file, the line that was said)"""
    path = tmp_path / "x.tar"
    if way == "-w":
        result = limited(limit, "-w", path, "-q", *arguments, timeout=4)
    else:
        with path.open("wb") as out:
            done = subprocess.run([TARCAP, "-q", *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=subprocess.PIPE, text=True, timeout=4,
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        assert done.returncode == 1
        result = None
    if result:
        one_line(result, LARGE)
    data = path.read_bytes()
    assert len(data) <= limit
    return data


@pytest.fixture(params=["none", "zstd"])
def whole(request, tmp_path):
    """(arguments, the archive without a limit): five files of some 30 KB, whose sizes leave padding"""
    arguments = ["-r", source(tmp_path, 100, 1501), "-G", "20s", "--compress", request.param]
    return arguments, run(*arguments).whole().data


def edges(parts, names):
    for name, header, body, padding, end in parts:
        if names(name):
            middle = (body + padding) // 2
            yield from ((name, at) for at in (header, header + 1, header + 511, body, body + 1, middle, padding - 1,
                                              padding, padding + 1, end - 1))


def test_limit_within_a_file(tmp_path, whole):
    """Header, data, padding: the files before it are whole, and the manifest says what is missing."""
    arguments, data = whole
    parts, failed = parts_of(data), []
    for name, limit in edges(parts, lambda name: ".pcap" in name):
        got = fails_at(tmp_path, limit, *arguments)
        fits = limit >= parts[0][-1] + 4096  # capture.json and an almost empty manifest
        try:
            archive = closed_archive(got)
            assert archive.numbers() == list(range(20 * len(archive.files)))
        except (AssertionError, TypeError) as error:
            if fits:
                failed.append((name, limit, str(error)[:60]))
    assert not failed


@pytest.mark.parametrize("way", ["-w", ">"])
def test_limit_within_the_first_member(tmp_path, whole, way):
    """Not even capture.json fits: an empty file, or nothing that pretends to be more."""
    arguments, data = whole
    for limit in (1, 511, 512, 513, 1000, 1535):
        assert limit < parts_of(data)[0][-1]
        assert fails_at(tmp_path, limit, *arguments, way=way) == b""


def test_limit_within_the_manifest(tmp_path, whole):
    """All files fit, the manifest does not: one file less, and it does."""
    arguments, data = whole
    failed = []
    for name, limit in edges(parts_of(data), lambda name: name == "manifest.json"):
        got = fails_at(tmp_path, limit, *arguments)
        assert [name for name, _, _ in tar_members(got)[0]][0].endswith("capture.json")
        if not any(name.endswith("/manifest.json") for name, _, _ in tar_members(got)[0]):
            failed.append(limit)
        else:
            closed_archive(got)
    assert not failed, "no manifest, though there is room for one after a file less"


def test_limit_within_the_end(tmp_path, whole):
    """The manifest has been written; the 1024 zero bytes behind it have not all."""
    arguments, data = whole
    for limit in (len(data) - 1, len(data) - 511, len(data) - 512, len(data) - 1023, len(data) - 1024):
        got = fails_at(tmp_path, limit, *arguments)
        members, end = tar_members(got)
        assert members[-1][0].endswith("/manifest.json") and not any(got[end:])


def test_limit_within_a_part(tmp_path):
    """More than 4096 files: a part's table is large. When it does not fit, its files are the manifest's again."""
    arguments = ["-r", source(tmp_path, 4300, 60), "-G", "1s"]
    data = run(*arguments, timeout=30).whole().data
    parts = parts_of(data)
    for name, limit in list(edges(parts, lambda name: name == "manifest_00001.json"))[1::4]:
        got = fails_at(tmp_path, limit, *arguments)
        archive = closed_archive(got)
        assert archive.manifest["parts"] == 0 and 2000 < len(archive.files) <= 4096
        assert archive.numbers() == list(range(len(archive.records)))


def test_limit_behind_a_part(tmp_path):
    """The part has been written: the manifest must name it."""
    arguments = ["-r", source(tmp_path, 4300, 1000), "-G", "1s"]
    data = run(*arguments, timeout=30).whole().data
    [part] = [part for part in parts_of(data) if part[0] == "manifest_00001.json"]
    got = fails_at(tmp_path, part[-1] + 100 * 2048 + 700, *arguments)
    archive = closed_archive(got)
    assert archive.manifest["parts"] == 1 and len(archive.files) >= 4096


def test_many_limits_at_random(tmp_path, whole):
    """Anywhere: never a torn member, never a wrong account."""
    arguments, data = whole
    value = int(os.environ.get("SEED", random.randrange(10**9)))
    print(f"SEED={value}")
    chance = random.Random(value)
    for _ in range(60):
        limit = chance.randrange(1, len(data) - 1024)
        got = fails_at(tmp_path, limit, *arguments)
        members, end = tar_members(got)
        assert not any(got[end:]), (limit, "a member that is cut")
        if any(name.endswith("/manifest.json") for name, _, _ in members):
            closed_archive(got)
        numbers = [number_of(record.data) for record in packets_in(got)]
        assert numbers == list(range(len(numbers)))


def test_live_with_a_limit(wire, tmp_path):
    path = tmp_path / "x.tar"
    for limit in (200_001, 1_000_003):
        capture = Capture(wire, "-w", path, "-q", "-C", "300k", ready=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        capture.listens()
        wire.send(numbered(2000, 1400))
        result = capture.wait(5)
        one_line(result, LARGE)
        assert len(path.read_bytes()) <= limit
        closed_archive(path.read_bytes())
