"""tarcap summary: what it says of archives and files in every state, its page, its bounds, the command."""

import collections
import json
import os
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import threading

import pytest

import odd
from altered import START, archive_of, compressed, member, taken_apart, with_manifest, with_zstd
from archive import Archive, pcap_file
from capture import Capture, run
from join import SANITIZED
from process import TARCAP, TOP, lines, sh, start_process
from referee import as_rfc3339, check_page
from summary import fact, page, summary
from wire import MAC_A, MAC_B, Flood, frame


@pytest.fixture(scope="module", autouse=True)
def tools():
    sh(TOP / "image/need", "zstd", "tshark", timeout=300)


# --- states of an archive ---------------------------------------------------------------------------------------

def tcp_frame(a, b, port, flags=2, size=0):
    """From 10.0.x.x to 10.1.x.x, port 80."""
    ip = struct.pack("!BBHHHBBHIIHHIIBBHHH", 0x45, 0, 40 + size, 7, 0, 64, 6, 0, 0x0a000000 + a, 0x0a010000 + b, port, 80,
                     1, 2, 0x50, flags, 1000, 0, 0)
    return MAC_B + MAC_A + b"\x08\x00" + ip + bytes(size)


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "eth0.pcap"
    path.write_bytes(pcap_file([(START + n // 4, n % 4 * 1000, tcp_frame(n % 3, 1, 4000, size=n)) for n in range(20)]))
    return run("-r", path, "-G", "1s", "--name", "web", "--reason", "x \x1b[2J y", "tcp port 80").whole().data


def test_whole(small):
    found, text = summary(small), page(small)
    check_page(text, found)
    assert found["content"] == "archive" and found["packets"] == 20 and found["whole_files"] == 5
    assert fact(text, "complete") == "yes (matches the manifest)" and fact(text, "lost") == "nothing"
    assert fact(text, "ended by") == found["ended_by"] == "end of file"
    assert fact(text, "capture") == "web, filter: tcp port 80" and found["filter"] == "tcp port 80"
    assert fact(text, "reason") == found["reason"] == "x ?[2J y"
    assert fact(text, "packets") == "20 packets in 5 files"
    assert fact(text, "file") == f"tar, {len(small)} bytes" and (found["format"], found["file_bytes"]) == ("tar", len(small))
    assert fact(text, "interface") == f"eth0: Ethernet, 20 packets, {found['bytes']} bytes, 0 lost"
    again = json.dumps(summary(with_zstd(small))).replace(".pcap.zst", ".pcap")
    assert {**json.loads(again), "file_bytes": len(small)} == found


def test_number_of_a_packet_in_joins_output(small):
    """What is said of a member's packet holds of that packet of join's file, too."""
    with_number = 0
    joined = run("join", stdin=small).out
    times, at = [], 24
    while at < len(joined):
        seconds, fraction, kept, _ = struct.unpack_from("<IIII", joined, at)
        times.append(seconds * 10**9 + fraction * 1000)
        at += 16 + kept
    for finding in summary(small)["findings"]:
        first = finding["first"]
        if first and first["joined_packet"]:
            with_number += 1
            assert times[first["joined_packet"] - 1] == as_rfc3339(first["time"]), first
            assert first["packet"] == (first["joined_packet"] - 1) % 4 + 1, first  # four in each file
    assert with_number > 0


def test_every_cut(small):
    """All packets before the cut are in it, the sentence is join's, and what a whole page says of the end is missing."""
    for size in [*range(512, len(small) - 1024, 509)]:
        found = summary(small[:size], status=1)
        joined = run("join", stdin=small[:size])
        text = page(small[:size], status=1)
        assert fact(text, "INCOMPLETE") == found["not_whole"]
        assert f"not whole: {found['not_whole']};" in joined.err[-1]
        if "manifest.json is missing" in found["not_whole"]:
            assert found["lost"] is None and found["ended_by"] is None
            assert fact(text, "lost") == "unknown: the manifest would say" and fact(text, "ended by") is None
        assert f", {found['packets']} packet" in joined.err[-1] and f" {found['whole_files']} file" in joined.err[-1]
        result = run("summary", stdin=small[:size])
        assert result.err == [f"tarcap: stdin: not whole: {found['not_whole']}"]


@pytest.mark.parametrize("damage", ["hole", "gone", "doubled", "torn", "junk"])
def test_damaged(small, damage):
    members = taken_apart(small)
    data = {"hole": small[:5000] + bytes(700) + small[5700:], "gone": archive_of(members[:2] + members[3:]),
            "doubled": archive_of(members[:4] + members[1:]),
            "torn": archive_of(members[:2] + [(members[2][0], members[2][1][:200])] + members[2:]), "junk": b"Defaulted container\n" * 9 + small}[damage]
    status = int(damage != "junk")
    found = summary(data, status=status)
    joined = run("join", stdin=data)
    assert joined.status == status and f", {found['packets']} packets" in joined.err[-1]
    if damage == "junk":
        assert found["junk_bytes"] == 180 and fact(page(data), "ignored").startswith("180 bytes before the archive")
    else:
        assert f"not whole: {found['not_whole']};" in joined.err[-1]
    assert found["packets"] == {"hole": found["packets"], "gone": 16}.get(damage, 20)


def test_loss(small):
    """What the manifest accounts for as lost, by cause, by interface and by file."""
    def change(manifest):
        account = manifest["interfaces"][0]
        account.update(dropped_by_kernel=70, dropped_at_stop=6, dropped_output_failed=4, dropped_before_no_file=5)
        account["received_by_filter"] += 80
        for file, lost in zip(manifest["files"], (0, 5, 50, 1, 9)):
            file["dropped"] = lost
        manifest["ended_by"] = {"cause": "signal", "detail": "SIGTERM"}
    data = with_manifest(small, change)
    found, text = summary(data), page(data)
    assert found["lost"] == {"dropped_by_kernel": 70, "dropped_at_stop": 6, "dropped_output_failed": 4,
                             "interfaces": [{"name": "eth0", "packets": 80}], "files": 4, "before_files": 65,
                             "most_before": [{"name": f"eth0_{n:05}_{20270115080000 + n - 1}.pcap", "packets": lost}
                                             for n, lost in ((3, 50), (5, 9), (2, 5), (4, 1))]}
    assert fact(text, "lost").startswith("80 packets (80.0 %): 70 dropped by the kernel, 6 at the stop, 4 because the output "
                                         "failed 50 before eth0_00003_20270115080002.pcap 9 before eth0_00005_")
    assert fact(text, "ended by") == "signal (SIGTERM)" and ", 80 lost" in fact(text, "interface")
    assert fact(text, "complete")


def test_loss_for_real(wire):
    """A ring that is too small while the reader stands still: what is said is what the manifest says."""
    ours, theirs = os.pipe()
    capture = Capture(wire, "-B", "2048", "--memory", "2M", "-C", "64k", stdout=theirs)
    os.close(theirs)
    Flood(wire.a, "tc1", 40000, 300).wait()
    data, reader = bytearray(), os.fdopen(ours, "rb")
    collector = threading.Thread(target=lambda: data.extend(reader.read()))
    collector.start()
    Flood(wire.a, "tc1", 500, 300, 1000).wait()
    capture.end(signal.SIGTERM)
    collector.join()
    reader.close()
    archive = Archive(bytes(data)).check()
    found = summary(bytes(data))
    assert found["lost"]["dropped_by_kernel"] == archive.account["dropped_by_kernel"] > 0
    assert found["lost"]["before_files"] == sum(file["dropped"] for file in archive.manifest["files"]) > 0
    assert f"{found['lost']['dropped_by_kernel']} dropped by the kernel" in fact(page(bytes(data)), "lost")
    assert found["packets"] == archive.account["written"] and found["ended_by"] == "signal"


def test_no_packets(wire):
    result = Capture(wire).end(signal.SIGTERM)
    found, text = summary(result.out), page(result.out)
    assert fact(text, "interface") == "tc0: 0 packets"
    assert found["packets"] == 0 and found["span"] is None and found["conversations"] == {"total": 0, "list": []}
    assert fact(text, "span") == "no packets" and fact(text, "ended by").startswith("signal")
    assert fact(page(pcap_file([])), "span") == "no packets"
    assert fact(text, "findings") == "nothing to look at: no packets"


def test_series_of_several_interfaces(small, tmp_path):
    """Each interface has files of its own; link types may differ."""
    path = tmp_path / "lo.pcap"
    path.write_bytes(pcap_file([(START + n, 0, odd.ipv4(17, odd.UDP)) for n in range(7)], odd.RAW))
    other = run("-r", path, "--name", "web").whole()

    def change(manifest):
        manifest["files"] += other.manifest["files"]
        account = {**other.manifest["interfaces"][0], "dropped_by_kernel": 3, "dropped_before_no_file": 3}
        account["received_by_filter"] += 3
        manifest["interfaces"].append(account)
        for key in manifest["totals"]:
            manifest["totals"][key] += other.manifest["totals"][key]
    (name, text), *members = taken_apart(small)
    request = json.loads(text)
    request["interfaces"] += other.manifest["interfaces"]
    data = archive_of([(name, json.dumps(request).encode())] + members[:-1] + other.members[1:-1] +
                      [taken_apart(with_manifest(small, change))[-1]])
    found, text = summary(data), page(data)
    assert found["not_whole"] is None and found["packets"] == 27
    # join sorts them: then nothing is known of their numbers there.
    assert {finding["first"]["joined_packet"] for finding in found["findings"] if finding["first"]} == {None}
    assert [(one["name"], one["link_type_number"], one["packets"]) for one in found["interfaces"]] == \
        [("eth0", 1, 20), ("lo", 101, 7)]
    assert found["lost"]["interfaces"] == [{"name": "eth0", "packets": 0}, {"name": "lo", "packets": 3}]
    assert f"interface  lo: raw IP, 7 packets, {found['interfaces'][1]['bytes']} bytes, 3 lost\n" in text


def test_a_series_of_several_link_types(small):
    """What came later under the same name is told apart."""
    raw = pcap_file([(START, 0, odd.ipv4(17, odd.UDP))], odd.RAW)
    found = summary(archive_of(taken_apart(small)[:3] + [("web/eth0_00003_20270115080002.pcap", raw)]), status=1)
    assert [(one["name"], one["link_type_number"], one["packets"]) for one in found["interfaces"]] == \
        [("eth0", 1, 8), ("eth0", 101, 1)]
    assert found["of_these"]["ipv4"]["packets"] == 9


def test_all_interfaces_for_real(wire):
    """-i all: each interface's packets and bytes are those of its files, which tshark can read one by one."""
    wire.addresses()
    capture = Capture(wire, "-i", "all", interface=None)
    odd.datagrams(wire.a, socket.AF_INET, "10.9.0.2")
    odd.ping(wire.b, socket.AF_INET, "127.0.0.1")
    archive = capture.end(signal.SIGTERM).whole()
    found, text = summary(archive.data), page(archive.data)
    amounts = collections.Counter()
    for file in archive.files:
        series = file.name.partition("/")[2].partition("_")[0]
        amounts[series, "packets"] += len(file.records)
        amounts[series, "bytes"] += sum(record.length for record in file.records)
    assert {(one["name"], key): one[key] for one in found["interfaces"] for key in ("packets", "bytes")} == amounts
    assert {one["name"] for one in found["interfaces"]} == {"lo", "tc0"} and found["not_whole"] is None
    written = {one["name"]: one["written"] for one in archive.manifest["interfaces"]}
    assert all(written[one["name"]] == one["packets"] for one in found["interfaces"])
    for one in found["interfaces"]:
        assert f"interface  {one['name']}: Ethernet, {one['packets']} packets, {one['bytes']} bytes, 0 lost\n" in text


def test_a_great_many_interfaces(small):
    """More than the table has: their packets are counted."""
    text = taken_apart(small)[1][1]
    data = archive_of([(f"web/i{n}_00001_20270115080000.pcap", text) for n in range(300)])
    found = summary(data, status=1)
    assert len(found["interfaces"]) == 256 and found["packets_of_other_interfaces"] == 4 * 44
    assert f"and {4 * 296} packets on others: see --json" in page(data, status=1)


# --- files of packets -------------------------------------------------------------------------------------------

def test_files_of_packets(tmp_path):
    records = [(START, n, tcp_frame(n, 1, 4000)) for n in range(9)]
    plain = pcap_file(records)
    found = summary(plain)
    assert found["content"] == "packets" and found["packets"] == 9 and found["lost"] is None
    text = page(plain)
    assert fact(text, "lost") == "unknown: this file of packets does not say" and fact(text, "complete") == "the file ends with a whole packet"
    assert found["format"] == "pcap" and found["file_bytes"] == len(plain)
    assert summary(compressed(plain)) == {**found, "file_bytes": len(compressed(plain))}
    nano = summary(pcap_file([(s, n * 1000, data) for s, n, data in records], nano=True))
    assert nano == found
    path = tmp_path / "x.pcap"
    path.write_bytes(plain)
    result = run("summary", "--json", path)
    assert json.loads(result.out) == {**found, "source": str(path)}
    # Some writers say of the frame check sequence in the link type's upper bits.
    assert summary(plain[:20] + struct.pack("<I", 0x24000001) + plain[24:])["conversations"]["total"] == 9


def test_files_of_packets_that_are_cut():
    plain = pcap_file([(START, n, tcp_frame(n, 1, 4000)) for n in range(9)])
    for size in range(4, len(plain)):
        count = max(0, (size - 24) // 70)
        if size >= 24 and (size - 24) % 70 == 0:
            assert summary(plain[:size])["packets"] == count
        elif size % 7 == 0:
            found = summary(plain[:size], status=1)
            assert found["packets"] == count and found["not_whole"] == f"it is cut after {count} packet{'' if count == 1 else 's'}"
    found = summary(plain[:24 + 70 * 3 + 8] + b"\xff" * 8 + plain, status=1)
    assert found["not_whole"] == "it is damaged after 3 packets"
    noise = random.Random(1)
    large = compressed(pcap_file([(START, n, noise.randbytes(1000)) for n in range(400)]))
    found = summary(large[:-200], status=1)
    assert 0 < found["packets"] < 400 and found["not_whole"] == f"it is cut after {found['packets']} packets"
    result = run("summary", stdin=compressed(plain)[:-20])
    assert (result.status, result.err) == (1, ["tarcap: no tarcap archive, and no pcap file, but a zstd file that is cut "
                                              "before anything of it can be read"])


@pytest.mark.parametrize("data, said", [
    (b"", "no tarcap archive, and no pcap file, but nothing at all (stdin through docker or kubectl needs -i)"), (b"\xd4", "no tarcap archive, and no pcap file"),
    (b"hello" * 1000, "no tarcap archive, and no pcap file")])
def test_what_is_neither(data, said):
    for arguments in ([], ["--json"]):
        result = run("summary", *arguments, stdin=data)
        assert (result.status, result.out, result.err) == (1, b"", [f"tarcap: {said}"])


# --- the page ---------------------------------------------------------------------------------------------------

def test_a_full_page(tmp_path):
    """Of everything more than fits: at most 60 lines, and each list says how much there is of it."""
    records = [(START + n % 90, n, tcp_frame(n % 50, 1, 4000 + n % 50, 2 if n < 100 else 18 if n % 2 else 16, n % 900))
               for n in range(3000)]
    records += [(START, 0, MAC_B + MAC_A + struct.pack("!H", 0x9200 + n) + bytes(50)) for n in range(20)]
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file(sorted(records, key=lambda r: r[:2])))
    data = run("-r", path, "--reason", "why " * 100).out
    text = page(data)
    assert 50 <= text.count("\n") <= 60, text
    assert "others (see --json)" in text and re.search(r"^ +\d of +50 or the first packet\)", text, re.M), text
    check_page(text, summary(data))


def test_long_addresses_fit():
    long = [bytes.fromhex("20010db8123456789abcdef0123456") + bytes((n,)) for n in range(0x80, 0x9a)]
    records = [(START + 300 * n, 0, MAC_B + MAC_A + b"\x86\xdd" + struct.pack("!IHBB16s16s", 6 << 28, 20, 6, 64, a, long[0]) +
                struct.pack("!HHIIBBHHH", 60000 + n, 50443, 1, 2, 0x50, 2, 1000, 0, 0)) for n, a in enumerate(long[1:])]
    data = pcap_file(records)
    check_page(page(data), summary(data))
    assert "TCP [2001:db8:1234:5678:9abc:def0:1234:5681]:60000 > [2001:db8:1234:5678:9abc:def0:1234:5680]:50443\n" in page(data)


def test_long_spans():
    """Rows of a round width, with the date where there are several days."""
    for span, width in ((1, 1), (29, 1), (200, 10), (3000, 120), (80000, 3600), (86400 * 20, 86400), (2**31 - 1, None)):
        data = pcap_file([(START - START % 86400, 0, frame(1)), (START - START % 86400 + span, 0, frame(2))] if width else
                         [(0, 1, frame(1)), (2**32 - 1, 0, frame(2))])
        text = page(data)
        [shown] = re.findall(r"^EVERY (\d+) s", text, re.M)
        assert width is None or int(shown) == width, text
        assert text.count("\n") <= 62
        assert ("2027-01-15 00:00:00 " in text) == (width == 3600 and span > 86400) and \
            ("2027-01-15  " in text) == (width == 86400), text


def test_names_cannot_speak(small):
    """Whatever an archive says is one printable line."""
    def change(manifest):
        manifest["ended_by"] = {"cause": "\x1b[31msignal\n\n", "detail": "\u202e" * 40}
        manifest["files"][0]["dropped"] = 5
        manifest["files"][0]["name"] = "\x1b]0;x\x07" + "n" * 300
        manifest["interfaces"][0]["name"] = "\r" * 500
    members = taken_apart(with_manifest(small, change))
    request = {"name": "a\nb" * 100, "filter": "\x00" + "f" * 70000, "reason": "\x9b" * 5000}
    data = archive_of([(members[0][0], json.dumps(request).encode())] + members[1:])
    page(data, status=1)
    summary(data, status=1)
    for text in (b"", b"[]", b"{}", b"\xff", b"[" * 100000, b" " * (5 << 20), b'{"name": 1, "filter": [], "reason": {}}'):
        data = archive_of([(members[0][0], text)] + taken_apart(small)[1:])
        found = summary(data, status=1)
        assert found["name"] is None and found["packets"] == 20
        assert found["not_whole"].startswith("capture.json is damaged (")
        assert (fact(page(data, status=1), "capture") or "").startswith("capture.json cannot be read: ") == (text[:1] not in (b"{", b"["))\
            or text[:2] == b"[["


# --- bounds -----------------------------------------------------------------------------------------------------

def test_memory_stays_flat_with_many_conversations(tmp_path):
    """150,000 of them: the table is full, and what is not attributed is said."""
    count, room = 150000, 131072
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(START, n, tcp_frame(n & 0xffff, n >> 16, 4000)) for n in range(count)]))

    def limited():
        if not SANITIZED:
            resource.setrlimit(resource.RLIMIT_AS, (128 << 20, 128 << 20))
    result = run("summary", "--json", path, preexec_fn=limited)
    found = json.loads(result.out)
    assert found["conversations"]["total"] == room and found["packets_not_attributed"] == count - room
    assert found["syn_never_answered"]["total"] == room and len(found["syn_never_answered"]["list"]) == 1000
    assert found["packets"] == count and found["protocols"][0]["packets"] == count
    assert f"\nNOT ATTRIBUTED: {count - room} packets of further conversations: " in page(path.read_bytes())
    assert SANITIZED or peak_of(path) < 60 << 10


def peak_of(path):
    """KiB that were resident at most: read while it waits for more on its stdin."""
    process = start_process([TARCAP, "summary"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process.stdin.write(path.read_bytes())
    process.stdin.flush()
    with open(f"/proc/{process.pid}/status") as status:
        [peak] = [int(line.split()[1]) for line in status if line.startswith("VmHWM")]
    process.stdin.close()
    process.wait(20)
    return peak


def test_no_claim_takes_memory(small):
    def limited():
        if not SANITIZED:
            resource.setrlimit(resource.RLIMIT_AS, (192 << 20, 192 << 20))
    members = taken_apart(small)
    nested = b"[[]" + b",[]" * ((4 << 20) // 3 - 10) + b"]"
    for data in (member("web/eth0_00001_20270115080000.pcap", b"", size=0o77777777777) + small,
                 archive_of([(members[0][0], nested)] + members[1:-1] + [(members[-1][0], nested)]),
                 archive_of([(f"web/eth{n}_{n:05}_20270115080000.pcap", b"") for n in range(20000)])):
        result = run("summary", stdin=data, preexec_fn=limited)
        assert result.status == 1 and "not whole: " in result.err[-1] and result.out, result.err


# --- the command ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, said", [
    (["--frob"], "unknown flag --frob (see tarcap summary --help)"),
    (["--json=1"], "--json=1: --json takes no value (see tarcap summary --help)"),
    (["-q"], "unknown flag -q (see tarcap summary --help)"),
    (["-", "-"], "summary '-': stdin can be read once"),
])
def test_wrong_usage(arguments, said):
    result = run("summary", *arguments)
    assert (result.status, result.out, result.err) == (2, b"", [f"tarcap: {said}"])


def test_what_cannot_be_read(tmp_path):
    result = run("summary", tmp_path)
    assert (result.status, result.out) == (2, b"") and "is a directory" in result.err[0]
    result = run("summary", tmp_path / "x")
    assert (result.status, result.out, result.err) == (1, b"", [f"tarcap: {tmp_path}/x: No such file or directory"])


def test_outputs(small, tmp_path):
    """A terminal is as good as any; a full disk and a reader that has gone are told."""
    path = tmp_path / "web.tar"
    path.write_bytes(small)
    done = subprocess.run(["script", "-qec", f"{TARCAP} summary {path}", "/dev/null"], capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=20)
    assert done.returncode == 0 and b"    3 of     3 or the first packet" in done.stdout
    done = subprocess.run(["script", "-qec", f"{TARCAP} summary", "/dev/null"], capture_output=True, timeout=20,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and b"stdin is a terminal: add '< capture.tar', or name the FILE" in done.stdout
    with open("/dev/full", "wb") as full:
        done = subprocess.run([TARCAP, "summary", path], stdout=full, stderr=subprocess.PIPE, timeout=20)
    assert done.returncode == 1 and lines(done.stderr) == ["tarcap: cannot write to stdout: No space left on device"]
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run([TARCAP, "summary", "--json", path], stdout=theirs, stderr=subprocess.PIPE, timeout=20)
    os.close(theirs)
    assert done.returncode == 3 and lines(done.stderr) == ["tarcap: the reader has gone away"]


def test_the_same_page_each_time(small, tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(START, n, tcp_frame(n, 1, 4000)) for n in range(400)]))
    for arguments in ([], ["--json"]):
        assert len({run("summary", *arguments, path).out for _ in range(4)}) == 1
