"""tarcap join: archives that tarcap wrote, whole and in every state of damage, into one pcap file."""

import io
import json
import os
import random
import resource
import select
import signal
import struct
import subprocess
import tarfile
import time

import pytest

from altered import (START, archive_of, captured, compressed_stream, member, records, taken_apart, with_manifest,
                     with_zstd)
from archive import Archive, Pcap, packet_file, pcap_file, tar_members
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


# --- junk -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("junk", [b"x", b"If you don't see a command prompt, try pressing enter.\n", b"ustar" * 300,
                                  bytes(512), bytes(1024), random.Random(1).randbytes(5000), b"a" * 700001],
                         ids=lambda junk: f"{junk[:5].hex()}x{len(junk)}")
def test_junk_before_and_behind_is_no_fault(small, junk):
    result = whole(junk + small + junk)
    assert numbers(result) == list(range(20))
    assert f"tarcap: skipped {len(junk)} bytes before the archive begins" in result.err
    behind = len(junk) - junk.count(0)
    assert result.said(f"{behind} bytes after the end are ignored") == (behind > 0)
    assert join(junk + small + junk, "-q").err == []


@pytest.mark.parametrize("amount", [1, 38, 511, 512, 513, 5000])
def test_junk_in_between(small, amount):
    members, _ = tar_members(small)
    at = len(archive_of([(name, text) for name, text, _ in members[:3]])) - 1024
    result = bad(small[:at] + b"#" * amount + small[at:], f"{amount} bytes are damaged at 1 place")
    assert numbers(result) == list(range(20))
    assert "5 files, 20 packets were good" in verdict(result)


def test_bytes_put_into_and_taken_out_of_a_file(small):
    members, _ = tar_members(small)
    at = small.index(members[3][1]) + 300  # in the third packet of the third file
    whole_ones = [n for n in range(20) if n // 4 != 2]
    for data in (small[:at] + b"#" * 77 + small[at:], small[:at] + small[at + 77:]):
        result = bad(data, "at 1 place", "eth0_00003_20270115080000.pcap is damaged after", "4 files, ")
        assert [n for n in numbers(result) if n in whole_ones] == whole_ones
        assert {8, 9} <= set(n for n in (number_of(r.data) for r in Pcap("out", result.out).records
                                         if r.data[12:14] == b"\x88\xb5"))


def test_a_hole_of_zeros_is_not_the_end(small):
    members, _ = tar_members(small)
    at = small.index(members[2][2])
    result = bad(small[:at] + bytes(1024) + small[at + 1024:], "eth0_00002_20270115080000.pcap is missing", "at 1 place")
    assert numbers(result) == [n for n in range(20) if n // 4 != 1]


# --- cuts and flips ---------------------------------------------------------------------------------------------

def complete_records(data):
    """The numbers of the packets that are complete in a prefix of an archive, and whether there is a file header."""
    found, header = [], False
    at = 0
    while at + 512 <= len(data) and any(data[at:at + 512]):
        size = int(data[at + 124:at + 135], 8)
        name = data[at:at + 100].rstrip(b"\0")
        body = data[at + 512:at + 512 + size]
        if name.endswith(b".pcap"):
            header |= len(body) >= 24
            place = 24
            while place + 16 <= len(body):
                caplen = struct.unpack_from("<I", body, place + 8)[0]
                if place + 16 + caplen > len(body):
                    break
                found.append(number_of(body[place + 16:place + 16 + caplen]))
                place += 16 + caplen
        at += 512 + (size + 511) // 512 * 512
    return found, header


def check_cut(data, size):
    prefix = data[:size]
    result = join(prefix)
    assert result.status == 1
    if size < 512:
        assert result.err[0].startswith("tarcap: stdin: no tarcap archive") and result.out == b""
        return
    said = verdict(result)
    expected, header = complete_records(prefix)
    assert len(result.out) >= 24 if header or b"manifest.json" in prefix else result.out == b""
    assert numbers(result) == expected
    assert f"{len(expected)} packet" in said
    members, at = tar_members(prefix)
    inside = at + 512 <= size and any(prefix[at:at + 512])
    if inside:
        name = prefix[at:at + 100].rstrip(b"\0").decode().partition("/")[2]
        assert f"it is cut inside {name}" in said, said
    else:
        assert f"it is cut after {members[-1][0].partition('/')[2]}" in said, said
    assert ("manifest.json is missing" in said) == (not members or not members[-1][0].endswith("manifest.json"))


def test_prefixes(small):
    """Around each edge, and between them; tests/unit/join.c has every one there is."""
    for size in range(len(small)):
        if size % 512 < 12 or size % 512 > 507 or size % 41 == 0:
            check_cut(small, size)


def test_random_prefixes_of_a_large_one(large):
    chance = random.Random(int(os.environ.get("SEED", "1")))
    for _ in range(100):
        check_cut(large, chance.randrange(len(large)))


def test_single_flips(small):
    """Each is found, or it has changed nothing but a packet's bytes, or nothing at all."""
    chance = random.Random(int(os.environ.get("SEED", "1")))
    good = Pcap("good", join(small).out)
    counts = {"found": 0, "payload": 0, "nothing": 0}
    for _ in range(300):
        at = chance.randrange(len(small))
        data = bytearray(small)
        data[at] ^= 1 << chance.randrange(8)
        result = join(bytes(data))
        assert result.status in (0, 1), result.err
        out = Pcap("out", result.out)
        if result.status == 1:
            verdict(result)
            counts["found"] += 1
        elif result.out == good.data:
            counts["nothing"] += 1
        else:
            assert len(out.records) == len(good.records)
            # The manifest has each file's first and last time, but not those in between.
            assert [record.caplen for record in out.records] == [record.caplen for record in good.records]
            counts["payload"] += 1
    assert all(counts.values()), counts


# --- members that are gone, double, in another order --------------------------------------------------------------

def test_a_removed_member(small):
    members = taken_apart(small)
    result = bad(archive_of(members[:2] + members[3:]), "eth0_00002_20270115080000.pcap is missing;")
    assert numbers(result) == [n for n in range(20) if n // 4 != 1]
    bad(archive_of(members[:2] + members[4:]), "eth0_00002_20270115080000.pcap is missing (and 1 more);")


def test_without_its_manifest(small):
    result = bad(archive_of(taken_apart(small)[:-1]), "not whole: manifest.json is missing; 5 files, 20 packets")
    assert numbers(result) == list(range(20))


def test_swapped_members(small):
    members = taken_apart(small)
    members[2], members[3] = members[3], members[2]
    result = whole(archive_of(members))
    assert result.said("tarcap: 1 file stands in another order than written, first eth0_00002_20270115080000.pcap: ")
    assert numbers(result) == list(range(20))


def test_a_doubled_member(small):
    members = taken_apart(small)
    result = bad(archive_of(members[:3] + members[2:]), "not whole: eth0_00002_20270115080000.pcap came twice; 5 files")
    assert numbers(result) == list(range(20))


def test_a_second_copy_gives_what_the_first_lacks(small):
    members = taken_apart(small)
    name, text = members[2]
    torn = bytearray(text)
    struct.pack_into("<I", torn, 24 + 2 * 116 + 8, 300000)  # the third record's caplen
    result = bad(archive_of(members[:2] + [(name, bytes(torn)), (name, text)] + members[3:]),
                 "eth0_00002_20270115080000.pcap is damaged after 2 packets", "came twice", "5 files, 20 packets")
    assert numbers(result) == list(range(20))


def test_a_damaged_record_keeps_what_came_before(small):
    for caplen in (262145, 0xffffffff, 101, 200000):
        members = taken_apart(small)
        name, text = members[3]
        torn = bytearray(text)
        struct.pack_into("<I", torn, 24 + 3 * 116 + 8, caplen)
        members[3] = (name, bytes(torn))
        result = bad(archive_of(members), "not whole: eth0_00003_20270115080000.pcap is damaged after 3 packets; 4 files")
        assert numbers(result) == [n for n in range(20) if n != 11]


@pytest.mark.parametrize("header", [{"linktype": 113}, {"nano": True}, {"snaplen": 1000}])
def test_another_file_header_is_left_out(small, header):
    members = taken_apart(small)
    members[2] = (members[2][0], pcap_file(records(range(4, 8), 100, step=25), **header))
    result = bad(archive_of(members), "eth0_00002_20270115080000.pcap is left out", "4 files, 16 packets")
    assert numbers(result) == [n for n in range(20) if n // 4 != 1]


def test_other_members_are_passed_over(small):
    members = taken_apart(small)
    data = (member("web/", b"", type=tarfile.DIRTYPE) + member("web/deeper/start/x.pcap", b"no packets") +
            member("web/notes.txt", bytes(3000)) +
            member("web/link", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd") + archive_of(members[:1])[:-1024] +
            member("else/eth0_00001_20270115080000.pcap", b"others") + archive_of(members[1:]))
    assert numbers(whole(data)) == list(range(20))
    assert len(members) == 7


def test_a_file_that_is_not_listed(small):
    members = taken_apart(small)
    extra = ("web/eth0_00006_20270115080000.pcap", pcap_file(records(range(20, 24), 100, step=25)))
    result = bad(archive_of(members[:-1] + [extra] + members[-1:]),
                 "not whole: eth0_00006_20270115080000.pcap is not in the manifest;")
    assert numbers(result) == list(range(24))


@pytest.mark.parametrize("how", ["gnu", "pax", "dot", "bare"])
def test_tarred_again(tmp_path, small, how):
    """By another tar: the manifest may come first, and there may be directories, './' and extended headers."""
    with tarfile.open(fileobj=io.BytesIO(small)) as tar:
        tar.extractall(tmp_path / "again")
    names = {"gnu": ["--format=gnu", "web/manifest.json", "web"], "pax": ["--format=pax", "web"],
             "dot": ["."], "bare": ["-C", "web", "manifest.json", *sorted(os.listdir(tmp_path / "again/web"))]}[how]
    data = subprocess.run(["tar", "cf", "-", "--sort=name", *names], cwd=tmp_path / "again", capture_output=True,
                          check=True).stdout
    result = join(data)
    assert result.status == 0 and "whole: 5 files, 20 packets" in verdict(result), result.err
    assert numbers(result) == list(range(20))


def test_the_manifest_first(small):
    members = taken_apart(small)
    result = whole(archive_of(members[-1:] + members[:-1]))
    assert numbers(result) == list(range(20))
    result = bad(archive_of(members[-1:] + members[:3]), "eth0_00003_20270115080000.pcap is missing (and 2 more)")
    assert numbers(result) == list(range(8))


# --- the manifest -----------------------------------------------------------------------------------------------

def set_in(path, value):
    def change(manifest):
        place = manifest
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value(place[path[-1]]) if callable(value) else value
    return change


@pytest.mark.parametrize("path,value,said", [
    (("files", 1, "packets"), 5, "eth0_00002_20270115080000.pcap has 4 packets where 5 are listed"),
    (("files", 1, "bytes"), 487, "has 488 bytes where 487 are listed"),
    (("files", 1, "stored_bytes"), 489, "has 488 stored bytes where 489 are listed"),
    (("files", 1, "first"), "2027-01-15T08:00:00.100000001Z", "begins at another time than listed"),
    (("files", 1, "last"), "2027-01-15T08:00:00.176000000Z", "ends at another time than listed"),
    (("files", 1, "name"), "eth0_00002_20270115080001.pcap", "eth0_00002_20270115080001.pcap is missing, "
     "eth0_00002_20270115080000.pcap is not in the manifest"),
    (("files", 1, "interface"), "eth9", "the account of eth0 has 20 packets where 16 are listed"),
    (("totals", "files"), 6, "its totals say 6"),
    (("totals", "packets"), 21, "its totals say 5 with 21"),
    (("totals", "bytes"), 1, "its totals say"),
    (("interfaces", 0, "received_by_filter"), 21, "the account of eth0 does not add up"),
    (("interfaces", 0, "after_limit"), 1, "the account of eth0 does not add up"),
    (("interfaces", 0, "dropped_output_failed"), 1, "the account of eth0 does not add up"),
    (("parts",), 2, "manifest_00001.json is missing (and 1 more)"),
    (("parts",), "none", "manifest.json is damaged (a field is missing)"),
    (("files",), lambda files: files + files[:1], "eth0_00001_20270115080000.pcap is listed twice"),
    (("tarcap_manifest",), 7, "not verified: it was written by another version of tarcap (manifest version 7, here 1)"),
])
def test_a_manifest_that_says_something_else(small, path, value, said):
    def change(manifest):
        if path[-1] == "dropped_output_failed":
            manifest["interfaces"][0].setdefault(path[-1], 0)
        set_in(path, value)(manifest)
    result = bad(with_manifest(small, change), said)
    assert numbers(result) == list(range(20))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100000, b"[[]" + b",[]" * 1000000 + b"]",
                                  b'{"tarcap_manifest": 1}', b" " * 5000000], ids=lambda text: f"{text[:5].hex()}x{len(text)}")
def test_a_manifest_that_is_none(small, text):
    members = taken_apart(small)
    result = bad(archive_of(members[:-1] + [(members[-1][0], text)]), "manifest.json is damaged (")
    assert numbers(result) == list(range(20))


def test_names_in_the_archive_cannot_speak(small):
    """Names are cut, and what would move the cursor is blanked."""
    members = taken_apart(small)
    evil = "web/\x1b[2J\n" + "e" * 40 + "_00009_20270115080000.pcap"
    result = bad(archive_of(members[:-1] + [(evil, b"no pcap at all")] + members[-1:]), "is damaged after 0 packets")
    assert all(ord(c) >= 32 for line in result.err for c in line)
    assert len(result.err) == 1


def test_parts(tmp_path):
    """More than 4096 files: the list is in parts."""
    count = 9000
    data = captured(tmp_path, pcap_file(records(range(count), step=100)), "-G", "100ms")
    parts = [name for name, _ in taken_apart(data) if "manifest" in name]
    assert parts == ["web/manifest_00001.json", "web/manifest_00002.json", "web/manifest.json"]
    result = whole(data)
    assert numbers(result) == list(range(count))
    assert f"whole: {count} files" in verdict(result)

    members = taken_apart(data)
    without = [item for item in members if item[0] != "web/manifest_00001.json"]
    result = bad(archive_of(without), "manifest_00001.json is missing;", f"{count} files, {count} packets")
    assert numbers(result) == list(range(count))
    lost = [item for item in members if "_00007_" not in item[0] and "_08500_" not in item[0]]
    result = bad(archive_of(lost), "not whole: eth0_00007_20270115080000.pcap is missing (and 1 more)")
    # Files first, lists at the end: more than the table takes.
    last = [item for item in members if "manifest" in item[0]]
    result = bad(archive_of([item for item in members if item not in last] + last), "not verified: there are too many files")
    assert numbers(result) == list(range(count))


# --- compressed members -----------------------------------------------------------------------------------------

def test_zstd(small, large):
    for data, count in ((small, 20), (large, 5000)):
        assert whole(with_zstd(data)).out == join(data).out
        assert whole(with_zstd(data, "-19", "--no-check")).out == join(data).out
        assert whole(with_zstd(data, only=lambda number: number % 2)).out == join(data).out


def test_zstd_that_expands_to_much_more(tmp_path):
    """More at once than any buffer on the way."""
    data = captured(tmp_path, pcap_file(records(range(3000), 1000)), "-G", "168h", "-C", "4M")
    assert len(Archive(data).files) == 1
    small = with_zstd(data)
    assert len(small) < len(data) / 20
    assert whole(small).out == join(data).out


def test_zstd_that_is_damaged(large):
    data = with_zstd(large)
    members = taken_apart(data)
    name, text = members[3]
    short = name.partition("/")[2]
    for change in (text[:-1], text + b"x", b"no zstd" + text, text[:len(text) // 2], text[:300] + b"###" + text[303:]):
        result = bad(archive_of(members[:3] + [(name, change)] + members[4:]), f"{short} is damaged after")
        assert set(numbers(result)) >= set(range(5000)) - set(number_of(r.data) for r in Archive(large).files[2].records)
    # Cut in the middle: what has come of it is there.
    at = data.index(text)
    result = bad(data[:at + len(text) // 2], f"it is cut inside {short}")
    assert numbers(result) == list(range(len(numbers(result))))


def test_zstd_with_a_large_window_is_refused(small):
    members = taken_apart(small)
    name, text = members[2]
    result = bad(archive_of(members[:2] + [(name + ".zst", compressed_stream(text))] + members[3:]),
                 "is damaged after 0 packets")
    assert numbers(result) == [n for n in range(20) if n // 4 != 1]


# --- hostile sizes ----------------------------------------------------------------------------------------------

def limited():
    if not SANITIZED:  # AddressSanitizer reserves terabytes
        resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))


def test_no_claim_takes_memory(small):
    def huge(name):
        return member(name, b"", size=0o77777777777)

    members = taken_apart(small)
    many = [{"name": f"eth0_{n:05}_20270115080000.pcap", "interface": f"i{n}", "packets": 2**62, "bytes": 2**62,
             "stored_bytes": 2**62, "first": "", "last": ""} for n in range(20000)]
    crowded = json.dumps({"tarcap_manifest": 1, "files": many}).encode()
    nested = b"[[]" + b",[]" * ((4 << 20) // 3 - 10) + b"]"
    for data, words in (
            (huge("web/eth0_00001_20270115080000.pcap") + small, "it is cut inside eth0_00001"),
            (huge("web/manifest.json") + small, "it is cut inside manifest.json"),
            (archive_of(members[:1])[:-1024] + huge("web/other") + small, "it is cut inside other"),
            (archive_of(members[:-1] + [("web/manifest.json", crowded)]), "manifest.json is damaged (too large)"),
            (archive_of(members[:-1] + [("web/manifest.json", nested)]), "manifest.json is damaged (too large)"),
            (archive_of([(f"web/eth0_{n:05}_20270115080000.pcap", b"") for n in range(20000)]), "too many files"),
            (archive_of([("web/eth0_00001_20270115080000.pcap.zst", compressed_stream(bytes(1 << 20)))]), "damaged")):
        result = join(data, preexec_fn=limited)
        assert result.status == 1, result.err
        assert words in "".join(result.err), result.err
    assert join(small, "--memory", "128M", preexec_fn=limited).status == 0
    if not SANITIZED:
        result = join(small, "--memory", "1G", preexec_fn=limited)
        assert result.status == 1 and "memory for sorting: " in result.err[0]


def test_memory_stays_small(tmp_path):
    """60 MB of packets, sorted in 2 MiB."""
    data = captured(tmp_path, pcap_file(records(range(60000), 1000)))
    path = tmp_path / "web.tar"
    path.write_bytes(data)
    process = start_process([TARCAP, "join", "--memory", "2M", "-q", path], stdout=subprocess.PIPE)
    got = 0
    while got < 58 << 20:
        got += len(process.stdout.read(1 << 20))
    with open(f"/proc/{process.pid}/status") as status:
        [peak] = [int(line.split()[1]) for line in status if line.startswith("VmHWM")]
    assert SANITIZED or peak < 8 << 10
    got += len(process.stdout.read())
    assert process.wait(10) == 0 and got == 24 + 60000 * 1016


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
    (["a.tar", "b.tar"], "join 'b.tar': allowed is one FILE (see tarcap join --help)"),
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
