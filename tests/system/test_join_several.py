"""tarcap join of several inputs: one pcapng file by time, an interface for each of theirs; each is checked on its own."""

import os
import resource
import subprocess

import pytest

from altered import START, captured, records
from archive import Archive, Pcapng, pcap_file
from capture import run
from process import TARCAP
from wire import frame, number_of


@pytest.fixture
def pair(tmp_path):
    """Two archives of one name, even and odd numbers, the second compressed; and a file of packets in between."""
    even = captured(tmp_path, pcap_file(records(range(0, 4000, 2), 300)), "-G", "100ms")
    odd = captured(tmp_path, pcap_file(records(range(1, 4000, 2), 300)), "-G", "100ms", "--compress", "zstd")
    plain = pcap_file([(START + second, 500, frame(10_000 + second)) for second in range(4)])
    paths = [tmp_path / name for name in ("even.tar", "odd.tar", "seen.pcap")]
    for path, data in zip(paths, (even, odd, plain)):
        path.write_bytes(data)
    return paths


def joined(*arguments, status=0, **more):
    result = run("join", *arguments, **more)
    assert result.status == status, result.err
    result.file = Pcapng("out", result.out) if result.out else None
    return result


def names(result):
    return [interface["name"] for interface in result.file.interfaces]


def times(result):
    return [record.time for record in result.file.records]


def test_all_packets_by_time_each_on_its_interface(pair):
    result = joined(*pair)
    assert names(result) == ["web/eth0", "web-2/eth0", "seen.pcap"]
    assert times(result) == sorted(times(result)) and len(times(result)) == 4004
    for record in result.file.records:
        number = number_of(record.data)
        assert record.interface is result.file.interfaces[2 if number >= 10_000 else number % 2]
    assert [line.split(": ", 1)[1].partition(":")[0] for line in result.err] == list(map(str, pair))


def test_each_has_its_counters(pair):
    result = joined(*pair[:2])
    assert [(found["interface"]["name"], found["delivered"]) for found in result.file.statistics] == [("web/eth0", 2000), ("web-2/eth0", 2000)]


def test_a_directory_means_its_archives_by_name(pair, tmp_path):
    (tmp_path / "c.tar").mkdir()
    (tmp_path / "c.tar" / "b.tar").write_bytes(pair[0].read_bytes())
    (tmp_path / "c.tar" / "a.tar").write_bytes(pair[1].read_bytes())
    (tmp_path / "c.tar" / "x.pcap").write_bytes(pair[2].read_bytes())
    result = joined(tmp_path / "c.tar")
    assert [number_of(record.data) % 2 for record in result.file.records[:2]] == [0, 1]
    assert [line.rpartition("/")[2].partition(":")[0] for line in result.err] == ["a.tar", "b.tar"]


def test_one_of_them_is_stdin(pair):
    result = joined(pair[0], "-", stdin=pair[1].read_bytes())
    assert len(times(result)) == 4000 and result.err[1].startswith("tarcap: stdin: whole: ")
    assert run("join", "-", "-").status == 2


def test_one_that_is_not_whole_is_used_and_named(pair):
    data = pair[0].read_bytes()
    pair[0].write_bytes(data[:len(data) // 2])
    result = joined(*pair, status=1)
    assert "even.tar: not whole: it is cut " in result.err[0] and ": whole: " in result.err[1]
    assert result.err[-1] == f"tarcap: 1 of 3 inputs is not whole: {pair[0]}"
    assert 2900 < len(times(result)) < 3100 and times(result) == sorted(times(result))


def test_what_is_nothing_is_named_and_the_others_are_joined(pair, tmp_path):
    (tmp_path / "nothing").write_bytes(os.urandom(5000))
    result = joined(pair[0], tmp_path / "nothing", status=1)
    assert len(times(result)) == 2000 and "nothing: no tarcap archive" in result.err[1]


def test_without_any_packet_it_is_still_a_file(tmp_path):
    empty = tmp_path / "empty.tar"
    empty.write_bytes(captured(tmp_path, pcap_file([])))
    result = joined(empty, empty)
    assert not result.file.records and len(result.file.interfaces) == 1


def test_check_writes_nothing(pair):
    result = joined("--check", *pair)
    assert result.out == b"" and len(result.err) == 3
    assert joined("--check", "-q", *pair).err == []


def test_bounds(pair):
    result = run("join", *[pair[0]] * 65)
    assert result.status == 2 and "at most 64 FILEs are allowed" in result.err[0]
    assert len(times(joined(*[pair[2]] * 64))) == 256


def test_long_names_stay_apart(pair, tmp_path):
    name = "n" * 64
    for path in pair[:2]:
        path.write_bytes(captured(tmp_path, pcap_file(records(range(3))), name=name))
    assert names(joined(*pair[:2])) == [f"{name}/eth0", f"{name}-2/eth0"]


def test_sorted_within_little_memory(tmp_path):
    """Each is far larger than the window, and one comes out of much compression."""
    paths = [tmp_path / f"{number}.tar" for number in range(4)]
    for number, path in enumerate(paths):
        data = pcap_file(records(range(number, 40_000, 4), 1000))
        path.write_bytes(captured(tmp_path, data, *(["--compress", "zstd"] if number % 2 else [])))
    result = joined("--memory", "4M", *paths)
    assert times(result) == sorted(times(result)) and len(times(result)) == 40_000
    assert not result.said("too late")
    assert Archive(paths[1].read_bytes()).check()


def test_a_reader_that_leaves(pair):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([TARCAP, "join", *pair], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert done.returncode == 3


def test_few_descriptors_are_said(pair):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (5, 5))
    result = run("join", *pair, preexec_fn=few)
    assert result.status == 1
    assert result.err[0].endswith((": No file descriptors available", ": Too many open files"))  # musl's words, and glibc's
