"""tarcap join: archives that tarcap wrote become one pcap file, in order, and it says that they are whole."""

import json
import os
import random
import select
import signal
import struct
import subprocess
import time

import pytest

from altered import START, archive_of, captured, records, with_manifest
from archive import Archive, Pcap, packet_file, pcap_file
from capture import Capture, run
from join import SANITIZED, bad, join, large, numbers, small, verdict, whole  # noqa: F401 (fixtures)
from process import TARCAP, TOP, lines, sh, start_process
from wire import frame, number_of


@pytest.fixture(scope="module", autouse=True)
def tools():
    sh(TOP / "image/need", "zstd", "tcpdump", "tshark", timeout=300)


# --- link types -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("listed", [101, 12])
def test_the_link_type_of_files_and_libpcaps_own_are_the_same(tmp_path, listed):
    """Raw IP: manifests of earlier versions have libpcap's number, and without packets it is all that tells."""
    archive = captured(tmp_path, pcap_file([(1, 0, bytes(20))], linktype=101), "ip6")
    old = archive.replace(b'"link_type_number": 101', f'"link_type_number": {listed:>3}'.encode())
    assert old.count(b'"link_type_number"') == 2
    assert Pcap("x", whole(old).out).linktype == 101


# --- what is whole ----------------------------------------------------------------------------------------------

def test_a_whole_archive_becomes_the_file_it_was_made_of(tmp_path):
    given = pcap_file(records(range(3000)))
    data = captured(tmp_path, given, "-G", "100ms")
    result = join(data)
    assert result.status == 0
    assert result.out == given
    files = len(Archive(data).files)
    assert result.err == [f"tarcap: stdin: whole: {files} files, 3000 packets; nothing lost; ended by end of file"]


def test_a_file_by_name_and_quietly(tmp_path, small):
    path = tmp_path / "web.tar"
    path.write_bytes(small)
    result = run("join", path)
    assert result.err[-1].startswith(f"tarcap: {path}: whole: 5 files, 20 packets; nothing lost; ended by ")
    assert numbers(result) == list(range(20))
    for stdin in (None, small):
        quiet = run("join", "-q", path if stdin is None else "-", stdin=stdin)
        assert (quiet.status, quiet.out, quiet.err) == (0, result.out, [])


def test_a_pipe_that_gives_single_bytes(small):
    process = start_process([TARCAP, "join"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for at in range(0, len(small), 7):
        process.stdin.write(small[at:at + 7])
        process.stdin.flush()
    process.stdin.close()
    out = process.stdout.read()
    assert process.wait(10) == 0
    assert out == join(small).out


def test_other_programs_read_it(tmp_path):
    given = pcap_file(records(range(100), step=30))
    data = captured(tmp_path, given, "-G", "1s")
    out = tmp_path / "out.pcap"
    out.write_bytes(whole(data).out)
    shown = sh("tcpdump", "-r", out, "-tt", "-n").stdout.splitlines()
    assert len([line for line in shown if line[0] != "\t"]) == 100
    assert out.read_bytes() == given
    assert "Number of packets:   100" in sh("capinfos", "-c", out).stdout


def test_live(wire):
    capture = Capture(wire, "-C", "8k", "-s", 3000, "--name", "pod")
    wire.send(frame(number) for number in range(500))
    data = capture.end(signal.SIGINT).whole().data
    result = whole(data)
    assert numbers(result) == list(range(500))
    assert verdict(result).endswith("; nothing lost; ended by signal (SIGINT)")


def test_an_archive_without_packets_is_a_pcap_file_without_packets(tmp_path):
    result = whole(captured(tmp_path, pcap_file([], linktype=113)))
    assert Pcap("out", result.out).linktype == 113
    assert numbers(result) == []


def test_losses_that_are_accounted_for_are_told(small):
    def change(manifest):
        [account] = manifest["interfaces"]
        account["dropped_by_kernel"] += 12
        account["dropped_at_stop"] += 1
        account["dropped_output_failed"] = account.get("dropped_output_failed", 0) + 2
        account["received_by_filter"] += 15
        account["dropped_before_no_file"] = 12
    for quiet in ([], ["-q"]):
        result = join(with_manifest(small, change), *quiet)
        assert result.status == 0
        assert result.said("tarcap: 12 packets were dropped by the kernel")
        assert result.said("tarcap: 1 packet was dropped at the stop")
        assert result.said("tarcap: 2 packets were dropped because the output failed")
        assert result.said("15 packets lost") == (not quiet)


def test_check_writes_nothing(small, large):
    assert join(large, "--check").out == b""
    result = join(small, "--check")
    assert (result.status, result.out) == (0, b"")
    assert "whole: 5 files, 20 packets" in verdict(result)
    result = join(small[:-3000], "--check")
    assert (result.status, result.out) == (1, b"")
    # Not even where nothing can be written.
    with open("/dev/full", "wb") as full:
        done = subprocess.run([TARCAP, "join", "--check"], input=small, stdout=full, stderr=subprocess.PIPE, timeout=20)
        assert done.returncode == 0


def test_no_path_is_made(tmp_path, small):
    data = small.replace(b"web/", b"../x")
    place = tmp_path / "a" / "b"
    place.mkdir(parents=True)
    join(data, cwd=place)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")) == ["a", "a/b", "eth0.pcap"]


# --- order ------------------------------------------------------------------------------------------------------

REQUEST = {"tarcap_capture": 1, "name": "web", "started": "", "user": {}, "command": []}


def two_series(odd, even, capture=json.dumps(REQUEST).encode()):
    """Two interfaces' files by turns in one archive, with the manifest that belongs to it."""
    members, listed, accounts = [("web/capture.json", capture)], [], []
    for series in ("eth0", "eth1"):
        accounts.append({"name": series, "link_type": "EN10MB", "link_type_number": 1, "snapshot_length": 262144,
                         "received_by_filter": 0, "written": 0, "dropped_by_kernel": 0, "dropped_at_stop": 0,
                         "after_limit": 0, "filtered_in_user_space": 0})
    for number, pair in enumerate(zip(odd, even)):
        for account, part in zip(accounts, pair):
            if not part:
                continue
            data = pcap_file(records(part))
            name = f"{account['name']}_{number + 1:05}_20270115080000.pcap"
            times = [rfc3339_of(n) for n in (min(part), max(part))]
            members.append((f"web/{name}", data))
            listed.append({"name": name, "interface": account["name"], "packets": len(part), "bytes": len(data),
                           "stored_bytes": len(data), "first": times[0], "last": times[1], "dropped": 0})
            account["received_by_filter"] += len(part)
            account["written"] += len(part)
    manifest = {"tarcap_manifest": 1, "ended_by": {"cause": "duration", "detail": None}, "interfaces": accounts,
                "totals": {key: sum(file[key] for file in listed) for key in ("packets", "bytes")},
                "parts": 0, "files": listed}
    manifest["totals"]["files"] = len(listed)
    return archive_of(members + [("web/manifest.json", json.dumps(manifest).encode())])


def rfc3339_of(number):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(START + number // 1000)) + f".{number % 1000:03}000000Z"


def test_two_interfaces_are_sorted_into_one(tmp_path):
    odd = [range(n + 1, n + 100, 2) for n in range(0, 5000, 100)]
    even = [range(n, n + 100, 2) for n in range(0, 5000, 100)]
    result = whole(two_series(odd, even))
    assert numbers(result) == list(range(5000))
    assert len(result.err) == 1
    # One section, in which each packet names its interface; the counters are the manifest's.
    file = packet_file("out", result.out)
    assert len(file.sections) == 1 and [i["name"] for i in file.interfaces] == ["eth0", "eth1"]
    assert all(record.interface["name"] == f"eth{1 - number_of(record.data) % 2}" for record in file.records)
    assert [(s["interface"]["name"], s["accepted"], s["osdrop"], s["delivered"]) for s in file.statistics] == [
        ("eth0", 2500, 0, 2500), ("eth1", 2500, 0, 2500)]
    path = tmp_path / "joined.pcapng"
    path.write_bytes(result.out)
    read = sh("tshark", "-r", str(path), "-T", "fields", "-e", "frame.interface_name", "-e", "data.data", timeout=60)
    assert [(f"eth{1 - n % 2}", n) for n in range(5000)] == [
        (name, int(data[:8], 16)) for name, data in (line.split("\t") for line in read.stdout.splitlines())]
    assert len(sh("tcpdump", "-qtnr", str(path), timeout=60).stdout.split("length")) == 5001


def test_an_interface_that_comes_late():
    """Its first packet comes behind more than the window holds: there is room for it when capture.json tells of it."""
    quiet = [[]] * 29 + [range(30_000, 30_010)]
    busy = [range(n, n + 1000) for n in range(0, 30_000, 1000)]
    kind = {"link_type": "EN10MB", "link_type_number": 1, "snapshot_length": 262144}
    told = json.dumps({**REQUEST, "interfaces": [{"name": name, **kind} for name in ("eth0", "eth1")]}).encode()
    result = whole(two_series(busy, quiet, told), "--memory", "2M")
    assert numbers(result) == list(range(30_010))
    assert [interface["name"] for interface in packet_file("out", result.out).interfaces] == ["eth0", "eth1"]
    for capture in (b"{}", b"[", b""):
        result = bad(two_series(busy, quiet, capture), "eth1_00030_20270115080000.pcap is left out (the output has begun "
                     "as a pcap file, of one interface)", arguments=["--memory", "2M"])
        assert numbers(result) == list(range(30_000))


def test_equal_times_keep_their_order(tmp_path):
    given = pcap_file([(START + number // 100, 0, frame(number)) for number in range(1000)])
    assert join(captured(tmp_path, given, "-G", "1s")).out == given
    # Also where there is something to sort. (musl's qsort is not stable, glibc's is.)
    order = list(range(1000))
    random.Random(6).shuffle(order)
    mixed = pcap_file([(START + number // 100, 0, frame(number)) for number in order])
    assert numbers(whole(captured(tmp_path, mixed, "-G", "168h"))) == sorted(order, key=lambda number: number // 100)


def test_nanoseconds_count_as_such():
    order = list(range(1000))
    random.Random(7).shuffle(order)
    file = pcap_file([(START + number // 10, number % 10 * 10**8, frame(number)) for number in order], nano=True)
    result = bad(archive_of([("web/eth0_00001_20270115080000.pcap", file)]), "not whole: manifest.json is missing, capture.json is missing; 1 file")
    assert result.out[:24] == file[:24]
    assert [number_of(record[1]) for record in struct_records(result.out)] == list(range(1000))


def struct_records(data):
    """[(caplen, data)] of a file that may count nanoseconds."""
    found, at = [], 24
    while at < len(data):
        caplen = struct.unpack_from("<I", data, at + 8)[0]
        found.append((caplen, data[at + 16:at + 16 + caplen]))
        at += 16 + caplen
    return found


def test_any_order_within_the_window_is_sorted(tmp_path):
    order = list(range(4000))
    random.Random(5).shuffle(order)
    data = captured(tmp_path, pcap_file(records(order)), "-C", "16k", "-G", "168h", "-s", 9000)
    result = whole(data)
    assert numbers(result) == sorted(order)


def test_what_comes_too_late_keeps_its_place_and_is_counted(tmp_path):
    late = [7, 3, 5]
    order = list(range(10, 6010)) + late + list(range(6010, 6020))
    data = captured(tmp_path, pcap_file(records(order, 1000)), "-C", "1M", "-G", "168h", "-s", 9000)
    result = whole(data, "--memory", "2M")
    came = numbers(result)
    assert [n for n in came if n < 10] == late
    assert [n for n in came if n >= 10] == list(range(10, 6020))
    assert "tarcap: 3 packets came too late to be sorted within --memory 2M" in result.err
    assert numbers(whole(data)) == sorted(order)


# --- input and output -------------------------------------------------------------------------------------------

def test_no_archive(tmp_path):
    for data in (b"", b"x" * 100, bytes(10240), b"?" + os.urandom(100000)):
        result = join(data)
        assert (result.status, result.out) == (1, b"")
        assert result.err == ["tarcap: stdin: no tarcap archive" +
                              ("" if data else ", but nothing at all (stdin through docker or kubectl needs -i)")]


def test_what_cannot_be_read(tmp_path):
    result = run("join", tmp_path)
    assert result.status == 2 and "is a directory" in result.err[0]
    result = run("join", tmp_path / "nothing")
    assert (result.status, result.err) == (1, [f"tarcap: {tmp_path}/nothing: No such file or directory"])


def test_a_reader_that_leaves(large):
    process = start_process([TARCAP, "join"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    try:
        process.stdin.write(large)
        process.stdin.close()
    except BrokenPipeError:
        pass
    assert process.wait(10) == 3
    assert lines(process.stderr.read()) == ["tarcap: the reader has gone away"]


def test_a_full_disk(large):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([TARCAP, "join"], input=large, stdout=full, stderr=subprocess.PIPE, timeout=20)
    assert done.returncode == 1
    assert lines(done.stderr) == ["tarcap: cannot write to stdout: No space left on device"]


def test_a_slow_reader_on_a_nonblocking_pipe(large):
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    process = start_process([TARCAP, "join", "-q", "-"], stdin=subprocess.PIPE, stdout=theirs)
    os.close(theirs)
    process.stdin.write(large)
    process.stdin.close()
    out = b""
    while select.select([ours], [], [], 10)[0] and (data := os.read(ours, 3000)):
        out += data
    os.close(ours)
    assert process.wait(10) == 0
    assert out == join(large).out


@pytest.mark.parametrize("arguments,said", [
    (["--memory", "1M"], "--memory '1M': allowed is 2M to 1G (bytes, or with k, M or G)"),
    (["--memory", "2G"], "--memory '2G': allowed is 2M to 1G (bytes, or with k, M or G)"),
    (["--memory=x"], "--memory 'x': allowed is 2M to 1G (bytes, or with k, M or G)"),
    (["--memory"], "--memory: needs an argument, N"),
    (["--frob"], "unknown flag --frob (see tarcap join --help)"),
    (["-x"], "unknown flag -x (see tarcap join --help)"),
    (["--check=1"], "--check=1: --check takes no value (see tarcap join --help)"),
    (["-", "-"], "join '-': stdin can be read once"),
])
def test_wrong_usage(arguments, said):
    result = run("join", *arguments)
    assert (result.status, result.out, result.err) == (2, b"", [f"tarcap: {said}"])


def test_help():
    for flag in ("-h", "--help"):
        result = run("join", flag)
        assert result.status == 0 and result.err == []
        assert result.out.startswith(b"usage: tarcap join ") and b"--check" in result.out


def test_a_terminal_is_refused(tmp_path, small):
    path = tmp_path / "web.tar"
    path.write_bytes(small)
    done = subprocess.run(["script", "-qec", f"{TARCAP} join {path}", "/dev/null"], capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=20)
    assert done.returncode == 2
    assert b"stdout is a terminal" in done.stdout and b"> packets.pcap" in done.stdout
    done = subprocess.run(["script", "-qec", f"{TARCAP} join --check {path}", "/dev/null"], capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=20)
    assert done.returncode == 0 and b": whole: " in done.stdout


def test_only_the_first_word_is_a_command(tmp_path):
    """What comes later is a filter's."""
    path = tmp_path / "in.pcap"
    path.write_bytes(pcap_file(records(range(3))))
    assert run("-r", path, "join").status == 2
