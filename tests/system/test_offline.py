"""Known packets in through -r, and what has to come out; the tar as other programs see it."""

import io
import json
import os
import re
import signal
import struct
import subprocess
import tarfile
import time

import pytest

from archive import Archive, Pcap, pcap_file, tar_members
from capture import run
from process import TARCAP, sh, start_process
from wire import frame, udp, udp_port

START = 1_800_000_000


def records(count, size=60, step_us=1000, start=START):
    """count numbered frames, step_us apart."""
    return [(start + number * step_us // 10**6, number * step_us % 10**6, frame(number, size))
            for number in range(count)]


def written(tmp_path, data, name="in.pcap"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def read(tmp_path, data, *arguments):
    return run("-r", written(tmp_path, data), *arguments)


def as_tuples(archive):
    return [(r.seconds, r.fraction, r.data, r.length) for r in archive.records]


# --- round trip -------------------------------------------------------------------------------------------------

def test_one_file_comes_out_byte_for_byte(tmp_path):
    data = pcap_file(records(500))
    archive = read(tmp_path, data).whole()
    assert [file.data for file in archive.files] == [data]
    assert archive.cause == "end of file"
    assert archive.lost() == {}


def test_cut_files_join_to_the_input(tmp_path):
    data = pcap_file(records(3000))
    archive = read(tmp_path, data, "-C", "10k", "-s", 65535).whole()
    assert len(archive.files) > 1
    assert data[24:] == b"".join(file.data[24:] for file in archive.files)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_byte_orders_and_nanoseconds(tmp_path, order, nano):
    given = [(START, number * (1000 if nano else 1), frame(number)) for number in range(100)]
    archive = read(tmp_path, pcap_file(given, order=order, nano=nano)).whole()
    assert as_tuples(archive) == [(START, number, frame(number), 60) for number in range(100)]


def test_pcapng_input(tmp_path):
    plain = written(tmp_path, pcap_file(records(200)))
    sh("editcap", "-F", "pcapng", plain, tmp_path / "in.pcapng")
    archive = run("-r", tmp_path / "in.pcapng").whole()
    assert archive.numbers() == list(range(200))
    assert [r.time for r in archive.records] == [r.time for r in Pcap("", plain.read_bytes()).records]


@pytest.mark.parametrize("linktype", [0, 101, 113, 127, 147, 228, 276])
def test_link_types_stay(tmp_path, linktype):
    data = pcap_file([(START, 0, bytes(range(64)))] * 3, linktype=linktype)
    archive = read(tmp_path, data).whole()
    assert [file.data for file in archive.files] == [data]


@pytest.mark.parametrize("snaplen", [0, 1, 64, 65535, 262144])
def test_snaplen_of_the_file(tmp_path, snaplen):
    kept = [(START, 0, frame(0)[:snaplen or 60], 60)]
    archive = read(tmp_path, pcap_file(kept, snaplen=snaplen)).whole()
    assert as_tuples(archive) == [(START, 0, frame(0)[:snaplen or 60], 60)]
    assert all(record.caplen <= file.snaplen for file in archive.files for record in file.records)


def test_snaplen_cuts(tmp_path):
    archive = read(tmp_path, pcap_file(records(10, size=200)), "-s", 50).whole()
    assert as_tuples(archive) == [(s, us, data[:50], 200) for s, us, data in records(10, size=200)]


def test_odd_records(tmp_path):
    """Nothing kept at all, one byte, the largest packet there can be, and lengths that make no sense."""
    odd = [(START, 0, b"", 60), (START, 1, b"x", 1), (START, 2, os.urandom(262144), 262144),
           (START, 3, b"", 0), (START, 4, b"abc", 2**32 - 1), (START, 5, os.urandom(262144), 400_000)]
    for arguments in ([], ["-C", "1k"], ["--memory", "2M"]):
        assert as_tuples(read(tmp_path, pcap_file(odd), *arguments).whole()) == [
            record if len(record) == 4 else (*record, len(record[2])) for record in odd]


def test_odd_times(tmp_path):
    """The epoch, the last second there is, going backwards, and fractions of a second that are none."""
    times = [(0, 0), (2**32 - 1, 999_999), (START, 5), (START, 4), (START - 5000, 0), (2**31, 0), (0, 1)]
    given = [(seconds, us, frame(number), 60) for number, (seconds, us) in enumerate(times)]
    for arguments in ([], ["-G", "1"], ["-G", "7h"], ["-C", "1k", "-s", 60]):
        archive = read(tmp_path, pcap_file(given), *arguments).whole()
        assert as_tuples(archive) == given


def test_absurd_fraction(tmp_path):
    archive = read(tmp_path, pcap_file([(START, 4_000_000_000, frame(0)), (START, 1, frame(1))]))
    assert archive.status == 0 and archive.archive().check().numbers() == [0, 1]


def test_empty_capture_file(tmp_path):
    archive = read(tmp_path, pcap_file([])).whole()
    assert archive.files == [] and archive.cause == "end of file"


def test_default_limits_are_off(tmp_path):
    """More than 5 minutes; the byte limit is tested where it is given."""
    archive = read(tmp_path, pcap_file(records(361, step_us=10 * 10**6))).whole()
    assert archive.numbers() == list(range(361))
    assert archive.manifest["limits"] == {"duration_seconds": None, "max_bytes": None, "packets": None,
                                          "segments": None}


# --- limits and cuts, by packet time ----------------------------------------------------------------------------

def test_filter(tmp_path):
    given = [(START, number, udp(number, 5000 + number % 3)) for number in range(300)]
    archive = read(tmp_path, pcap_file(given), "udp port 5001").whole()
    assert [udp_port(record.data) for record in archive.records] == [5001] * 100


def test_time_cut(tmp_path):
    archive = read(tmp_path, pcap_file(records(100, step_us=100_000)), "-G", "2").whole()
    assert [len(file.records) for file in archive.files] == [20] * 5
    archive = read(tmp_path, pcap_file(records(100, step_us=100_000))).whole()
    assert [len(file.records) for file in archive.files] == [10, 20, 40, 30]


def test_time_cut_over_a_gap(tmp_path):
    given = records(5) + records(5, start=START + 10**6)
    archive = read(tmp_path, pcap_file(given), "-G", "1").whole()
    assert [len(file.records) for file in archive.files] == [5, 5]


def test_time_cuts_fall_on_a_fixed_beat(tmp_path):
    """Counted from the first packet, wherever the later ones fall."""
    times = [0.5, 2.2, 2.4, 2.6, 3.4, 9.4, 9.6]
    given = [(START + int(time_), round(time_ % 1 * 10**6), frame(number)) for number, time_ in enumerate(times)]
    archive = read(tmp_path, pcap_file(given), "-G", "1").whole()
    assert [[record.data[17] for record in file.records] for file in archive.files] == [[0], [1, 2], [3, 4], [5], [6]]


def test_size_cut_is_exact(tmp_path):
    """24 bytes of header and 76 a packet: 53 fit into 4 KiB, and with a packet more of 28 it is full to the last."""
    archive = read(tmp_path, pcap_file(records(200)), "-C", "4k", "-s", 100).whole()
    assert [len(file.records) for file in archive.files] == [53, 53, 53, 41]
    for extra, sizes in ((28, [54, 1]), (29, [53, 2])):
        given = records(53) + [(START + 1, 0, bytes(extra))] + [(START + 1, 0, frame(99))]
        archive = read(tmp_path, pcap_file(given), "-C", "4k", "-s", 100, "-G", "1h").whole()
        assert [len(file.records) for file in archive.files] == sizes


def test_count(tmp_path):
    for count in (1, 99, 100):
        archive = read(tmp_path, pcap_file(records(100)), "-c", count).whole()
        assert archive.numbers() == list(range(count)) and archive.cause == "packet count"
    assert read(tmp_path, pcap_file(records(100)), "-c", 101).whole().cause == "end of file"


def test_byte_limit(tmp_path):
    for limit, count in ((76, 1), (75, 0), (760, 10), (759, 9), (76 * 100, 100)):
        archive = read(tmp_path, pcap_file(records(100)), "--max-bytes", limit).whole()
        assert archive.numbers() == list(range(count))
        assert archive.cause == ("byte limit" if count < 100 else "end of file")


def test_duration(tmp_path):
    archive = read(tmp_path, pcap_file(records(100, step_us=100_000)), "--duration", "3s").whole()
    assert archive.numbers() == list(range(30)) and archive.cause == "duration"


def test_segment_limit(tmp_path):
    archive = read(tmp_path, pcap_file(records(200)), "-C", "4k", "-s", 100, "-W", 2).whole()
    assert [len(file.records) for file in archive.files] == [53, 53] and archive.cause == "segment count"
    archive = read(tmp_path, pcap_file(records(100, step_us=100_000)), "-G", "2", "-W", 2).whole()
    assert [len(file.records) for file in archive.files] == [20, 20] and archive.cause == "segment count"
    archive = read(tmp_path, pcap_file(records(10)), "-W", 1).whole()
    assert archive.numbers() == list(range(10)) and archive.cause == "end of file"


# --- stdin ------------------------------------------------------------------------------------------------------

def test_from_stdin(tmp_path):
    data = pcap_file(records(1000))
    for more in ([], ["--stdin", "auto"], ["--stdin", "ignore"]):
        archive = run("-r", "-", *more, stdin=data).whole()
        assert [file.data for file in archive.files] == [data]
        assert archive.cause == "end of file"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("rest", [b"", b"\0" * 10])
def test_signal_while_stdin_is_silent(name, rest):
    """All whole packets that came are there, also when half a record follows them."""
    process = start_process([TARCAP, "-r", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    process.stdin.write(pcap_file(records(1000)) + rest)
    process.stdin.flush()
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(getattr(signal, name))
    process.wait(2)
    archive = Archive(process.stdout.read()).check()
    assert process.returncode == 0
    assert archive.numbers() == list(range(1000))
    assert archive.manifest["ended_by"] == {"cause": "signal", "detail": name}


def test_signal_before_the_first_byte():
    process = start_process([TARCAP, "-r", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.wait(2) != 0
    assert len(process.stderr.read().splitlines()) == 1


def test_reader_goes_away_before_the_first_byte():
    process = start_process([TARCAP, "-r", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    time.sleep(0.3)
    process.stdout.close()
    process.stdout = None
    assert process.wait(2) == 3
    assert b"the reader went away" in process.stderr.read()


def test_reader_goes_away_while_stdin_is_silent():
    process = start_process([TARCAP, "-r", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    process.stdin.write(pcap_file(records(10)))
    process.stdin.flush()
    time.sleep(0.3)
    process.stdout.close()
    process.stdout = None
    assert process.wait(2) == 3


def test_reader_that_stalls(tmp_path):
    """A file larger than the pool waits for the reader, without turning in circles."""
    path = written(tmp_path, pcap_file(records(40_000, size=1000)))
    process = start_process([TARCAP, "-r", path, "--memory", "2M"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(1)
    with open(f"/proc/{process.pid}/stat") as stat:
        used = sum(map(int, stat.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")
    assert used < 0.1
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0 and Archive(out).check().numbers() == list(range(40_000))


# --- bad input --------------------------------------------------------------------------------------------------

def test_truncated_at_every_byte(tmp_path):
    whole = pcap_file(records(3, size=20))
    for cut in range(24, len(whole)):
        result = read(tmp_path, whole[:cut])
        good, rest = divmod(cut - 24, 36)
        archive = result.archive().check()
        assert archive.numbers() == list(range(good)), cut
        assert result.status == (1 if rest else 0)
        if rest:
            assert archive.cause == "input failed"
            assert "in.pcap" in result.err[-1] and f"{good} packets" in result.err[-1], result.err
    for cut in range(24):
        result = read(tmp_path, whole[:cut])
        assert result.status == 1 and len(result.err) == 1 and result.out == b"", (cut, result.err)


FOREIGN = {
    "empty": b"",
    "text": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10,
    "zeros": bytes(10_000),
    "ones": b"\xff" * 10_000,
    "gzip": b"\x1f\x8b\x08\x00" + bytes(100),
    "magic only": b"\xd4\xc3\xb2\xa1",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_file(tmp_path, kind):
    result = read(tmp_path, FOREIGN[kind])
    assert result.status == 1 and len(result.err) == 1 and "in.pcap" in result.err[0], result.err
    assert result.out == b""


def test_a_tar_is_foreign(tmp_path):
    """Our own output, which a person may well try."""
    archive = read(tmp_path, pcap_file(records(5))).out
    result = read(tmp_path, archive)
    assert result.status == 1 and len(result.err) == 1


@pytest.mark.parametrize("path", ["nosuch.pcap", ".", "/proc/self/mem"])
def test_unreadable_file(tmp_path, path):
    result = run("-r", path, cwd=tmp_path)
    assert result.status == 1 and len(result.err) == 1 and path in result.err[0]


def test_garbage_after_good_packets(tmp_path):
    result = read(tmp_path, pcap_file(records(5)) + b"\xff" * 100)
    assert result.status == 1
    assert result.archive().check().numbers() == list(range(5))
    assert result.archive().cause == "input failed"


def test_absurd_caplen(tmp_path):
    for caplen in (262145, 2**31, 2**32 - 1):
        bad = struct.pack("<IIII", START, 0, caplen, caplen)
        result = read(tmp_path, pcap_file(records(5)) + bad + bytes(300_000))
        assert result.archive().check().numbers()[:5] == list(range(5))
        assert result.status == 1 and len(result.out) < 2 << 20


def test_pcapng_of_two_link_types(tmp_path):
    """libpcap refuses the second."""
    for name, linktype in (("a", 1), ("b", 101)):
        written(tmp_path, pcap_file(records(5), linktype=linktype), name)
    sh("mergecap", "-a", "-F", "pcapng", "-w", tmp_path / "both", tmp_path / "a", tmp_path / "b")
    result = run("-r", tmp_path / "both")
    assert result.status == 1 and "101" in result.err[-1]
    result.archive().check()


# --- the tar ----------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    path = tmp_path_factory.mktemp("sample") / "in.pcap"
    path.write_bytes(pcap_file(records(500, size=300)))
    return run("-r", path, "-C", "50k", "-s", 300, "--name", "a-name.of_64").out


READERS = {
    "GNU tar": ["tar", "-tvf"],
    "bsdtar": ["bsdtar", "-tvf"],
    "busybox tar": ["busybox", "tar", "-tvf"],
}


@pytest.mark.parametrize("reader", READERS)
def test_other_tars_list_it(sample, tmp_path, reader):
    path = written(tmp_path, sample, "x.tar")
    listing = sh(*READERS[reader], path, env={**os.environ, "TZ": "UTC", "LC_ALL": "C"})
    assert listing.stderr == ""
    rows = listing.stdout.splitlines()
    members, _ = tar_members(sample)
    assert len(rows) == len(members) == 6
    for row, (name, data, _) in zip(rows, members):
        assert row.startswith("-rw-------") and row.endswith(" " + name), row
        assert re.search(rf"\s{len(data)}\s", row), row


@pytest.mark.parametrize("reader", READERS)
def test_other_tars_extract_it(sample, tmp_path, reader):
    path = written(tmp_path, sample, "x.tar")
    sh(*READERS[reader][:-1], "-xf", path, "-C", tmp_path)
    for name, data, _ in tar_members(sample)[0]:
        assert (tmp_path / name).read_bytes() == data


def test_python_reads_it(sample):
    archive = Archive(sample).check()
    with tarfile.open(fileobj=io.BytesIO(sample)) as tar:
        assert tar.pax_headers == {}
        for member in tar:
            assert member.type == tarfile.REGTYPE and member.mode == 0o600
            assert (member.uid, member.gid) == (0, 0) and member.pax_headers == {}
    assert archive.numbers() == list(range(500))


def test_headers_are_ustar(sample):
    for name, _, header in tar_members(sample)[0]:
        assert header[257:265] == b"ustar\x0000"
        assert header[156:157] == b"0"
        assert header[100:108].rstrip(b"\0 ") in (b"000600", b"0000600")
        assert int(header[108:116].rstrip(b"\0 "), 8) == int(header[116:124].rstrip(b"\0 "), 8) == 0
        assert sum(header[:148] + b" " * 8 + header[156:]) == int(header[148:156].rstrip(b"\0 "), 8)
        assert abs(int(header[136:148].rstrip(b"\0 "), 8) - (START if ".pcap" in name else time.time())) < 60


def test_names(sample):
    names = [name for name, _, _ in tar_members(sample)[0]]
    assert names[0] == "a-name.of_64/capture.json" and names[-1] == "a-name.of_64/manifest.json"
    for number, name in enumerate(names[1:-1], 1):
        assert re.fullmatch(rf"a-name\.of_64/in_{number:05}_\d{{14}}\.pcap", name)


def test_longest_name(tmp_path):
    path = written(tmp_path, pcap_file(records(5)), "x" * 200 + ".pcap")
    out = run("-r", path, "--name", "n" * 64).whole()
    listing = sh("tar", "-tf", written(tmp_path, out.data, "x.tar")).stdout.splitlines()
    assert listing == out.names


@pytest.mark.parametrize("name", ["a b.pcap", "_.pcap", "..pcap", "\u00e9.pcap", ".pcap", "a/../b.pcap", "x\ny",
                                  "-x.pcap"])
def test_odd_file_names(tmp_path, name):
    (tmp_path / "a").mkdir()
    (tmp_path / name).write_bytes(pcap_file(records(5)))
    result = run("-r", f"./{name}", cwd=tmp_path)
    archive = result.whole()
    assert re.fullmatch(r"[A-Za-z0-9.-]+_00001_\d{14}\.pcap", archive.files[0].name.partition("/")[2])
    assert len(result.err) == 4, result.err


def test_every_prefix_holds_complete_members(sample):
    members, _ = tar_members(sample)
    ends, at = [], 0
    for _, data, _ in members:
        at += 512 + len(data)
        ends.append(at)
        at = -(-at // 512) * 512
    for cut in range(0, len(sample) + 1, 512):
        found, _ = tar_members(sample[:cut])
        assert len(found) == sum(end <= cut for end in ends), cut
        for name, data, _ in found:
            if name.endswith(".pcap"):
                Pcap(name, data)
            else:
                json.loads(data)
        whole = any(name.endswith("/manifest.json") for name, _, _ in found)
        assert whole == (cut >= ends[-1])


def test_tcpdump_and_capinfos_agree(tmp_path):
    archive = read(tmp_path, pcap_file(records(3000, size=100)), "-C", "100k", "-s", 65535).whole()
    for file, entry in zip(archive.files, archive.manifest["files"]):
        path = written(tmp_path, file.data, "one.pcap")
        printed = sh("tcpdump", "-n", "-q", "-r", path).stdout.splitlines()
        assert sum(not line.startswith("\t") for line in printed) == entry["packets"]
        row = sh("capinfos", "-T", "-M", "-r", "-c", "-s", path).stdout.split("\t")
        assert [int(field) for field in row[1:3]] == [entry["packets"], entry["bytes"]]
        first, last = (sh("capinfos", "-T", "-M", "-r", "-S", flag, path, env={**os.environ, "TZ": "UTC"})
                       .stdout.strip().split("\t")[1] for flag in ("-a", "-e"))
        records_ = file.records
        assert float(first) == pytest.approx(records_[0].time / 1e9, abs=1e-5)
        assert float(last) == pytest.approx(records_[-1].time / 1e9, abs=1e-5)


def test_5000_files_make_a_part(tmp_path):
    given = records(5000, step_us=200_000)
    archive = read(tmp_path, pcap_file(given), "-G", "200ms").whole()
    assert len(archive.files) == 5000
    assert archive.manifest["parts"] == 1 and archive.manifest["totals"]["files"] == 5000
    part = archive.json("manifest_00001.json")
    assert part["part"] == 1 and len(part["files"]) == 4096 and len(archive.manifest["files"]) == 904
    assert archive.numbers() == list(range(5000))


def test_exactly_as_many_files_as_the_table_holds(tmp_path):
    for count, parts in ((4095, 0), (4096, 0), (4097, 1), (8193, 2)):
        archive = read(tmp_path, pcap_file(records(count, step_us=200_000)), "-G", "200ms").whole()
        assert archive.manifest["parts"] == parts and len(archive.files) == count


def test_many_files_from_a_long_path(tmp_path):
    """The path stands in the manifest: once or 4096 times, it must fit."""
    deep = tmp_path.joinpath(*["d" * 200] * 5)
    deep.mkdir(parents=True)
    archive = read(deep, pcap_file(records(4096, step_us=200_000)), "-G", "200ms").whole()
    assert archive.manifest["totals"]["files"] == 4096


def test_two_runs_give_the_same_bytes(tmp_path):
    path = written(tmp_path, pcap_file(records(1000)))
    first, second = (run("-r", path, "-C", "10k", "-s", 65535) for _ in range(2))
    for (name, one, head_one), (_, two, head_two) in zip(tar_members(first.out)[0], tar_members(second.out)[0],
                                                         strict=True):
        if name.endswith(".json"):
            one, two = (re.sub(rb'("(started|ended|clock_[a-z_]*)": )"[^"]*"', rb"\1", text) for text in (one, two))
        else:
            assert head_one == head_two
        assert one == two, name


def test_capture_json(tmp_path):
    archive = read(tmp_path, pcap_file(records(5)), "-s", 1000, "--name", "n", "udp or not udp").whole()
    capture = archive.capture
    assert capture["source"] == "file" and capture["name"] == "n" and capture["filter"] == "udp or not udp"
    assert capture["interfaces"][0]["link_type"] == "EN10MB" and capture["interfaces"][0]["snapshot_length"] == 1000
    assert capture["user"] == {"uid": os.getuid(), "gid": os.getgid()}
    for key, text in ((capture, "started"), (archive.manifest, "ended")):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", key[text])
