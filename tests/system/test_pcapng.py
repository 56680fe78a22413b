"""--format pcapng: what is written, live and from a file, as other programs read it; and join, both ways."""

import os
import signal
import struct
import subprocess
import time

import pytest

from archive import Pcapng, pcap_file, tar_members
from capture import Capture, run
from process import TOP, sh, wait_until
from wire import MAC_A, MAC_B, Flood, frame, number_of, numbered, raw_socket, udp

PCAPNG = ["--format", "pcapng"]


@pytest.fixture(scope="module", autouse=True)
def tools():
    sh(TOP / "image/need", "zstd", "tcpdump", "tshark", timeout=300)


def tshark(path, *fields, where=()):
    """The packets' fields, by tshark."""
    wanted = [word for field in fields for word in ("-e", field)]
    done = sh("tshark", "-r", str(path), *where, "-T", "fields", *wanted, timeout=60)
    return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


def blocks(path, *fields):
    """What Wireshark's own dissector of pcapng says of the blocks: each field's values."""
    wanted = [word for field in fields for word in ("-e", field)]
    done = sh("tshark", "-r", str(path), "-X", "read_format:MIME Files Format", "-T", "fields", "-E", "aggregator=,",
              *wanted, timeout=60)
    return [column.split(",") if column else [] for column in done.stdout.rstrip("\n").split("\t")]


def infos(path):
    done = sh("capinfos", str(path), timeout=60)
    pairs = (line.replace(" = ", ": ", 1).partition(": ") for line in done.stdout.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def saved(tmp_path, data, name="x.pcapng"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def concatenated(tmp_path, data):
    """What the pipe of the manual gives: all members, one behind the other, by GNU tar."""
    archive = saved(tmp_path, data, "x.tar")
    done = subprocess.run(["tar", "xOf", archive, "--wildcards", "*.pcapng"], capture_output=True, check=True)
    return saved(tmp_path, done.stdout)


def numbers(path):
    """By tshark, whose payload of an unknown ethertype begins with our number."""
    return [int(data[:8], 16) for (data,) in tshark(path, "data.data")]


# --- live -------------------------------------------------------------------------------------------------------

def test_many_members_are_one_capture(wire, tmp_path):
    capture = Capture(wire, *PCAPNG, "-C", "64k", "-s", "1500", "--reason", "slow, since noon", "--name", "web-7d4f",
                      "ether proto 0x88b5")
    wire.send(numbered(3000))
    archive = capture.end().whole()
    assert len(archive.files) >= 4 and archive.numbers() == list(range(3000))
    assert all(f.name.startswith("web-7d4f/tc0_0") and f.name.endswith(".pcapng") for f in archive.files)
    assert all(len(f.data) <= 65536 for f in archive.files)
    assert archive.capture["format"] == archive.manifest["format"] == "pcapng"
    assert archive.account["time_stamp_precision"] == "nano"

    path = concatenated(tmp_path, archive.data)
    assert numbers(path) == list(range(3000))
    assert {name for (name,) in tshark(path, "frame.interface_name")} == {"tc0"}
    assert len(sh("tcpdump", "-nr", str(path), "-t", timeout=60).stdout.split("88b5")) == 3001
    counts = sh("capinfos", "-Tc", str(path)).stdout.split()
    assert counts[-1] == "3000"
    # mergecap reads each member by itself.
    for number, file in enumerate(archive.files):
        saved(tmp_path, file.data, f"{number}.pcapng")
    merged = tmp_path / "merged.pcapng"
    sh("mergecap", "-w", str(merged), *(str(tmp_path / f"{n}.pcapng") for n in range(len(archive.files))))
    assert numbers(merged) == list(range(3000))
    assert run("join", "--check", stdin=archive.data).said(": whole: ")


def test_what_the_blocks_tell(wire, tmp_path):
    capture = Capture(wire, *PCAPNG, "-s", "200", "--reason", "slow, since noon", "--name", "web-7d4f", "ether proto 0x88b5")
    wire.send(numbered(5, size=300))
    archive = capture.end().whole()
    [file] = archive.files
    path = saved(tmp_path, file.data)
    told = infos(path)
    host = os.uname().nodename
    version = run("--version").out.decode().split()[1]
    assert told["Capture comment"] == f"host: {host}; reason: slow, since noon; version: tarcap {version}"
    assert told["Capture application"] == f"tarcap {version}"
    assert told["Capture oper-sys"] == f"Linux {os.uname().release}"
    assert (told["Name"], told["Description"]) == ("tc0", "tc0 on web-7d4f")
    assert told["Filter string"] == "ether proto 0x88b5"
    assert told["Capture length"] == "200" and told["Time precision"] == "nanoseconds (9)"
    assert told["Number of stat entries"] == "1"
    assert tshark(path, "frame.cap_len", "frame.len") == [("200", "300")] * 5
    # Real nanoseconds.
    assert any(record.time % 1000 for record in file.records)
    [interface] = file.interfaces
    assert (interface["linktype"], interface["snaplen"]) == (1, 200)


def test_directions(wire, tmp_path):
    """Also where libpcap has moved the data, to put a VLAN tag back in."""
    capture = Capture(wire, *PCAPNG)
    tag = b"\x81\x00\x00\x05"
    everybody, group, other = b"\xff" * 6, bytes.fromhex("01005e000001"), bytes.fromhex("020000000009")
    for target in (MAC_B, everybody, group, other):
        wire.send([target + MAC_A + b"\x88\xb5" + bytes(50), target + MAC_A + tag + b"\x88\xb5" + bytes(50)])
    with raw_socket(wire.b, "tc0") as out:
        out.send(MAC_A + MAC_B + b"\x88\xb5" + bytes(50))
        out.send(MAC_A + MAC_B + tag + b"\x88\xb5" + bytes(50))
    result = capture.end().whole()
    [file] = result.files
    flags = tshark(saved(tmp_path, file.data), "frame.packet_flags_direction", "frame.packet_flags_reception_type")
    into = [("1", kind) for kind in "1324" for _ in range(2)] # unicast, broadcast, multicast, promiscuous
    assert [(str(int(way, 16)), kind) for way, kind in flags] == into + [("2", "0")] * 2


@pytest.mark.parametrize("more", [["-Q", "in"], ["--headers"], ["-s", "60"], ["--compress", "zstd"]])
def test_directions_under_load(wire, more):
    capture = Capture(wire, *PCAPNG, *more)
    Flood(wire.a, "tc1", 20_000, 200, per_second=40_000).wait()
    archive = capture.end().whole()
    assert archive.numbers() == list(range(20_000))
    assert {record.flags for record in archive.records} == {5}
    assert {record.caplen for record in archive.records} == {{"--headers": 142, "-s": 60}.get(more[0], 200)}


def test_loopback_and_what_has_no_link_header(wire, tmp_path):
    wire.addresses()
    wire.within(wire.b, "ip", "tuntap", "add", "tun7", "mode", "tun")
    wire.within(wire.b, "ip", "link", "set", "tun7", "up")
    tun = Capture(wire, *PCAPNG, interface="tun7")
    lo = Capture(wire, *PCAPNG, interface="lo")
    wire.within(wire.b, "/usr/bin/python3", "-c", "import socket; s = socket.socket(2, 2); s.sendto(b'x', ('10.9.0.2', 9))")
    archive = lo.end().whole()
    assert {record.flags for record in archive.records} <= {5} and archive.records
    assert tun.end().whole().files == []


def several(wire):
    """Traffic on two of three interfaces, of two link types."""
    wire.addresses()
    wire.within(wire.b, "ip", "tuntap", "add", "tun7", "mode", "tun")
    wire.within(wire.b, "ip", "link", "set", "tun7", "up")

    def send(first):
        wire.send(numbered(10, first=first))
        wire.within(wire.b, "/usr/bin/python3", "-c", "import socket; s = socket.socket(2, 2)\n"
                    "for n in range(10): s.sendto(b'x', ('10.9.0.2', 9))")
    return send


def test_all_interfaces(wire, tmp_path):
    """A series each, and each its own section; join makes one section of them."""
    send = several(wire)
    capture = Capture(wire, "-i", "all", *PCAPNG)
    send(0)
    result = capture.end()
    assert result.status == 0, result.err
    archive = result.archive()
    assert {interface["name"] for file in archive.files for interface in file.interfaces} == {"tc0", "lo"}
    for file in archive.files:
        [interface] = file.interfaces
        assert file.name.partition("/")[2].startswith(interface["name"] + "_0") and len(file.statistics) == 1
    joined = run("join", stdin=result.out)
    assert joined.status == 0, joined.err
    file = Pcapng("joined", joined.out)
    assert [record.time for record in file.records] == sorted(record.time for record in archive.records)
    of_wire = [record for record in file.records if record.interface["name"] == "tc0"]
    assert [number_of(record.data) for record in of_wire] == list(range(10))
    assert {entry["interface"]["name"]: entry["delivered"] for entry in file.statistics} == {
        account["name"]: account["written"] for account in archive.manifest["interfaces"] if account["written"]}
    names = [name for (name,) in tshark(saved(tmp_path, joined.out), "frame.interface_name")]
    assert names == [record.interface["name"] for record in file.records] and set(names) == {"tc0", "lo"}


def test_all_interfaces_in_one_stream(wire, tmp_path):
    send = several(wire)
    assert run("-i", "all", "--raw", namespace=wire.b).said("--raw: a pcap file has one link type", "--format pcapng")
    capture = Capture(wire, "-i", "all", *PCAPNG, "--raw")
    send(0)
    result = capture.end()
    assert result.status == 0
    file = Pcapng("raw", result.out)
    assert len(file.sections) == 1 and {interface["name"] for interface in file.interfaces} == {"tc0", "lo", "tun7"}
    assert {interface["linktype"] for interface in file.interfaces} == {1, 101}
    of_wire = [record for record in file.records if record.interface["name"] == "tc0"]
    assert [number_of(record.data) for record in of_wire] == list(range(10))
    counted = {entry["interface"]["name"]: entry["delivered"] for entry in file.statistics}
    assert counted == {name: sum(record.interface["name"] == name for record in file.records) for name in counted}
    assert len(counted) == 3 and counted["lo"] >= 10
    names = [name for (name,) in tshark(saved(tmp_path, result.out), "frame.interface_name")]
    assert names == [record.interface["name"] for record in file.records]


def test_any_has_directions_too(wire):
    capture = Capture(wire, *PCAPNG, interface="any")
    wire.send(numbered(3))
    with raw_socket(wire.b, "tc0") as out:
        out.send(frame(3))
    [file] = capture.end().archive().files
    assert file.linktype == 276 and [record.flags for record in file.records] == [5, 5, 5, 2]


def test_drop_counters_are_the_manifests(wire, tmp_path):
    """A reader that takes nothing, until the ring is full; then one more segment."""
    capture = Capture(wire, *PCAPNG, "-B", "2048", "--memory", "2M", "--stdin", "ignore", read=False)
    Flood(wire.a, "tc1", 60_000, 1400).wait()
    capture.kill(signal.SIGUSR1)
    capture.heard("packets dropped by kernel")
    capture.collect()
    wait_until(lambda: len(capture.out) > 3 << 20)
    wire.send(numbered(10, first=60_000))
    time.sleep(0.3)
    archive = capture.end().whole()
    dropped = archive.account["dropped_by_kernel"]
    assert dropped > 1000
    # Cumulative, and the last is the account.
    found = [entry for file in archive.files for entry in file.statistics]
    assert len(found) == len(archive.files)
    for name in ("osdrop", "ifdrop", "accepted", "delivered", "end"):
        values = [entry[name] for entry in found]
        assert values == sorted(values)
    assert found[-1]["osdrop"] == found[-1]["ifdrop"] == dropped
    assert found[-1]["accepted"] == archive.account["received_by_filter"]
    assert found[-1]["delivered"] == archive.account["written"]
    assert found[0]["start"] < archive.records[0].time and found[-1]["end"] > archive.records[-1].time
    path = concatenated(tmp_path, archive.data)
    at = "pcapng.options.option.data.interface."
    columns = blocks(path, at + "dropped", at + "dropped_by_os", at + "accepted_by_filter", at + "delivered_to_user")
    account = archive.account
    assert [int(column[-1]) for column in columns] == [dropped, dropped, account["received_by_filter"], account["written"]]


def test_the_limits_count_blocks(wire):
    size = 28 + 60 + 16
    capture = Capture(wire, *PCAPNG, "--max-bytes", str(500 * size))
    wire.send(numbered(600))
    archive = capture.wait().whole()
    assert archive.numbers() == list(range(500)) and archive.cause == "byte limit"


def test_too_small_a_segment_grows(wire):
    capture = Capture(wire, *PCAPNG, "-C", "1k", "-s", "65535", "--memory", "2M")
    wire.send(numbered(3, size=1500))
    result = capture.end()
    assert result.said("-C/--segment-size: raised to")
    assert result.whole().numbers() == list(range(3))


# --- one stream -------------------------------------------------------------------------------------------------

def test_a_stream_is_read_as_it_comes(wire, tmp_path):
    capture = Capture(wire, *PCAPNG, "--raw", "ether proto 0x88b5")
    wait_until(lambda: len(capture.out) > 100)
    front = Pcapng("front", bytes(capture.out))
    assert len(front.sections) == 1 and len(front.interfaces) == 1 and not front.records
    waits = []
    for number in range(10):
        before, start = len(capture.out), time.monotonic()
        wire.send([frame(number)])
        wait_until(lambda: len(capture.out) > before)
        waits.append(time.monotonic() - start)
    # 200 ms is what is promised; the machine may have other things to do.
    assert sorted(waits)[5] < 0.25, waits
    result = capture.end()
    assert result.status == 0
    file = Pcapng("raw", result.out)
    assert len(file.sections) == 1 and [number_of(record.data) for record in file.records] == list(range(10))
    [statistics] = file.statistics
    assert (statistics["accepted"], statistics["osdrop"], statistics["delivered"]) == (10, 0, 10)
    assert numbers(saved(tmp_path, result.out)) == list(range(10))


def test_tshark_reads_along(wire):
    capture = Capture(wire, *PCAPNG, "--raw", read=False)
    reader = subprocess.Popen(["tshark", "-lnr", "-", "-c", "20", "-T", "fields", "-e", "data.data"], text=True,
                              stdin=capture.process.stdout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    capture.process.stdout.close()
    capture.process.stdout = None
    wire.send(numbered(20))
    out, _ = reader.communicate(timeout=20)
    assert [int(line[:8], 16) for line in out.split()] == list(range(20))
    wire.send(numbered(20))
    assert capture.wait(5).status == 3


# --- from a file ------------------------------------------------------------------------------------------------

START = 1_800_000_000


def same(records, source):
    return [(r.seconds, r.fraction, r.length, r.data) for r in records] == \
        [(second, fraction, (length or [len(data)])[0], data) for second, fraction, data, *length in source]


@pytest.mark.parametrize("more", [[], ["--compress", "zstd"], ["-C", "16k", "-s", "2000"]])
def test_from_a_file_packet_for_packet(tmp_path, more):
    source = [(START + n // 500, n % 500 * 1_999_999, frame(n, 60 + n % 97), 60 + n) for n in range(2000)]
    path = saved(tmp_path, pcap_file(source, linktype=1, nano=True), "in.pcap")
    archive = run("-r", path, *PCAPNG, "-G", "1s", *more).whole()
    assert same(archive.records, source)
    assert {record.flags for record in archive.records} == {0}
    assert all((".pcapng.zst" in f.name) == ("zstd" in more) for f in archive.files if f.stored < len(f.data))
    assert [len(f.statistics) for f in archive.files] == [1] * len(archive.files)
    assert [f.statistics[0]["end"] for f in archive.files] == [f.records[-1].time for f in archive.files]
    # What pcapng gives back as pcapng is the same once more.
    again = saved(tmp_path, run("join", "-q", stdin=archive.data).out)
    assert same(Pcapng("x", again.read_bytes()).records, source)
    assert same(run("-r", again, *PCAPNG).whole().records, source)
    assert same(run("-r", again, "--nano").whole().records, source)


def test_link_types_are_those_of_files(tmp_path):
    """libpcap's number for raw IP is 12, a file's is 101."""
    path = saved(tmp_path, pcap_file([(START, 0, udp(1)[14:])], linktype=101), "in.pcap")
    archive = run("-r", path, *PCAPNG).whole()
    [file] = archive.files
    assert file.linktype == 101
    assert archive.account["link_type_number"] == archive.capture["interfaces"][0]["link_type_number"] == 101
    assert infos(saved(tmp_path, file.data))["File encapsulation"].startswith("Raw IP")


@pytest.mark.parametrize("count", [5, 45])
def test_a_raw_stream_whose_front_or_end_is_long(wire, count):
    """Five descriptions with a long filter are more than 4 KiB, and so are the counters of 45 interfaces."""
    names = [f"d{number}" for number in range(count)]
    sh("ip", "-n", wire.b, "-batch", "-", input="".join(
        f"link add {name} type veth peer name {name}p netns {wire.a}\nlink set {name} arp off up\n" for name in names))
    words = " or ".join(f"ether host 02:00:00:00:{n:02x}:01" for n in range(60)) + " or ether proto 0x88b5"
    capture = Capture(wire, "-i", "all", *PCAPNG, "--raw", words)
    wire.send(numbered(10))
    result = capture.end()
    assert result.status == 0, result.err
    file = Pcapng("raw", result.out)
    assert {interface["name"] for interface in file.interfaces} >= {"tc0", *names}
    assert [number_of(record.data) for record in file.records] == list(range(10))
    assert len(file.statistics) == len(file.interfaces) > count


def test_long_texts_are_cut(tmp_path):
    path = saved(tmp_path, pcap_file([(START, 0, frame(1))]), "in.pcap")
    filters = " or ".join(f"ether host 02:00:00:00:{n:02x}:01" for n in range(60)) + " or ether proto 0x88b5"
    reason = "ä" * 500
    [file] = run("-r", path, *PCAPNG, "--reason", reason, filters).whole().files
    assert reason in file.sections[0][1]
    text = file.interfaces[0]["filter"]
    assert text[:1] == b"\0" and text.endswith(b"...") and len(text) == 1024 and filters.encode().startswith(text[1:-3])
    assert infos(saved(tmp_path, file.data))["Number of packets"] == "1"


def test_microseconds_are_refused():
    for flags in (["--micro"], ["--time-stamp-precision", "micro"]):
        result = run("-r", "x", *PCAPNG, *flags)
        assert result.status == 2 and result.said("--time-stamp-precision micro cannot be combined with --format pcapng")
    assert run("-r", "x", *PCAPNG, "--nano").status == 1
    result = run("--format", "pcap-ng")
    assert result.status == 2 and result.said("--format 'pcap-ng': allowed is pcap|pcapng")


# --- join -------------------------------------------------------------------------------------------------------

def test_join_keeps_what_the_blocks_tell(wire, tmp_path):
    capture = Capture(wire, *PCAPNG, "-C", "64k", "-s", "1500", "--reason", "why not", "ether proto 0x88b5")
    wire.send(numbered(2000))
    archive = capture.end().whole()
    result = run("join", stdin=archive.data)
    assert result.status == 0 and result.said(": whole: ", f"{len(archive.files)} files, 2000 packets")
    file = Pcapng("joined", result.out)
    assert len(file.sections) == len(file.interfaces) == 1
    assert [r.data for r in file.records] == [r.data for r in archive.records]
    assert [r.time for r in file.records] == [r.time for r in archive.records]
    assert {r.flags for r in file.records} == {5}
    assert file.sections[0] == archive.files[0].sections[0]
    assert file.interfaces[0] == archive.files[0].interfaces[0]
    [statistics] = file.statistics
    assert (statistics["accepted"], statistics["osdrop"], statistics["delivered"]) == (2000, 0, 2000)
    assert numbers(saved(tmp_path, result.out)) == list(range(2000))


def test_join_of_nothing_is_a_file_without_packets(tmp_path):
    path = saved(tmp_path, pcap_file([], linktype=113), "in.pcap")
    result = run("join", stdin=run("-r", path, *PCAPNG).whole().data)
    assert result.status == 0
    file = Pcapng("empty", result.out)
    assert file.linktype == 113 and not file.records
    assert infos(saved(tmp_path, result.out))["Number of packets"] == "0"


def test_join_finds_what_is_wrong(wire):
    capture = Capture(wire, *PCAPNG, "-C", "64k", "-s", "1500")
    wire.send(numbered(2000))
    archive = capture.end().whole()
    name, text, _ = next(member for member in tar_members(archive.data)[0] if member[0].endswith(".pcapng"))
    at = archive.data.index(text)
    cut = run("join", stdin=archive.data[:at + len(text) // 2])
    assert cut.status == 1 and cut.said("cut inside ") and Pcapng("cut", cut.out).records
    # A block's size, in the middle.
    block = at + text.index(struct.pack("<II", 6, 104), len(text) // 2)
    for damage in (b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x6c\x00\x00\x00"):
        data = archive.data[:block + 4] + damage + archive.data[block + 8:]
        result = run("join", stdin=data)
        assert result.status == 1 and result.said(f"{name.partition('/')[2]} is damaged after ")
        assert len(Pcapng("damaged", result.out).records) > 1000
