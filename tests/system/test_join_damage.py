"""tarcap join: archives in every state of damage: what is still good comes out, and what is not is said."""

import io
import json
import os
import random
import resource
import struct
import subprocess
import tarfile

import pytest

from altered import START, archive_of, captured, compressed_stream, member, records, taken_apart, with_manifest, with_zstd
from archive import Archive, Pcap, pcap_file, tar_members
from join import SANITIZED, bad, join, large, numbers, small, some, verdict, whole  # noqa: F401 (fixtures)
from process import TARCAP, TOP, sh, start_process
from recorded import overwritten, with_event
from wire import frame, number_of


@pytest.fixture(scope="module", autouse=True)
def tools():
    sh(TOP / "image/need", "zstd", "tcpdump", "tshark", timeout=300)


@pytest.fixture(params=["ordinary", "recorder"])
def each(request, tmp_path):
    """Five files with four packets each; a recorder's with two files before them that it has overwritten, and an event."""
    if request.param == "ordinary":
        return request.getfixturevalue("small")
    order = [100, 101, 102, 103, 104, 105, 106, 107, *range(20)]
    packets = [(START, at * 25_000, frame(number, 100)) for at, number in enumerate(order)]
    data = with_event(overwritten(captured(tmp_path, pcap_file(packets), "-G", "100ms"), 2), "reset", 13)
    assert len(Archive(data).files) == 5
    return data


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


def test_prefixes(each):
    """Around each edge, and between them; tests/unit/join.c has every one there is."""
    for size in some(n for n in range(len(each)) if n % 512 < 12 or n % 512 > 507 or n % 41 == 0):
        check_cut(each, size)


def test_random_prefixes_of_a_large_one(large):
    chance = random.Random(int(os.environ.get("SEED", "1")))
    for _ in range(100):
        check_cut(large, chance.randrange(len(large)))


def test_single_flips(each):
    """Each is found, or it has changed nothing but a packet's bytes, or nothing at all."""
    chance = random.Random(int(os.environ.get("SEED", "1")))
    good = Pcap("good", join(each).out)
    counts = {"found": 0, "payload": 0, "nothing": 0}
    for _ in range(300):
        at = chance.randrange(len(each))
        data = bytearray(each)
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
def test_tarred_again(tmp_path, each, how):
    """By another tar: the manifest may come first, and there may be directories, './' and extended headers."""
    with tarfile.open(fileobj=io.BytesIO(each)) as tar:
        tar.extractall(tmp_path / "again")
    names = {"gnu": ["--format=gnu", "web/manifest.json", "web"], "pax": ["--format=pax", "web"],
             "dot": ["."], "bare": ["-C", "web", "manifest.json", *sorted(os.listdir(tmp_path / "again/web"))]}[how]
    data = subprocess.run(["tar", "cf", "-", "--sort=name", *names], cwd=tmp_path / "again", capture_output=True,
                          check=True).stdout
    result = join(data)
    assert result.status == 0 and "whole: 5 files, 20 packets" in verdict(result), result.err
    assert numbers(result) == list(range(20))


def test_the_manifest_first(each):
    members = taken_apart(each)
    result = whole(archive_of(members[-1:] + members[:-1]))
    assert numbers(result) == list(range(20))
    result = bad(archive_of(members[-1:] + members[:3]), f"{members[3][0][4:]} is missing (and 2 more)")
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
    (("tarcap_manifest",), 7, "not verified: it was written by another version of tarcap (manifest version 7, here 2)"),
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
