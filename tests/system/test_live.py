"""Capture from real interfaces, in namespaces of our own, with exactly known traffic."""

import os
import re
import socket
import struct
import subprocess
import threading
import time

import pytest

from archive import Pcap
from capture import Capture, run
from process import TARCAP, patience, sh, wait_until
from wire import MAC_A, MAC_B, Flood, frame, in_namespace, number_of, numbered, raw_socket, udp, udp_port


# --- nothing is lost, nothing is made up ------------------------------------------------------------------------

def test_every_packet_once_and_in_order(wire):
    capture = Capture(wire)
    before = wire.received()
    flood = Flood(wire.a, "tc1", 300_000, 60)
    flood.wait()
    archive = capture.end().whole()
    assert archive.lost() == {}
    assert wire.received() - before == len(archive.records) == 300_000
    assert archive.numbers() == list(range(300_000))


def test_bytes_and_lengths_are_those_sent(wire):
    sizes = [14, 15, 59, 60, 61, 511, 512, 513, 1499, 1500, 1513, 1514]
    frames = [MAC_B + MAC_A + b"\x88\xb5" + os.urandom(size - 14) for size in sizes * 20]
    capture = Capture(wire)
    wire.send(frames)
    archive = capture.end().whole()
    assert [record.data for record in archive.records] == frames
    assert all(record.caplen == record.length == len(record.data) for record in archive.records)


def test_times_are_those_of_the_packets(wire):
    capture = Capture(wire)
    before = time.time_ns()
    wire.send(numbered(100))
    after = time.time_ns()
    times = [record.time for record in capture.end().whole().records]
    assert before - 1000 <= min(times) and max(times) <= after and times == sorted(times)


@pytest.mark.parametrize("wait", [0, 0.05, 0.2, 0.5])
def test_200_packets_then_sigint(wire, wait):
    for _ in range(5):
        capture = Capture(wire)
        wire.send(numbered(200))
        time.sleep(wait)
        archive = capture.end().whole()
        assert archive.numbers() == list(range(200))
        assert archive.lost() == {}


def test_first_packet_after_readiness_is_never_lost(wire):
    for number in range(30):
        capture = Capture(wire)
        wire.send([frame(number)])
        assert capture.end().whole().numbers() == [number]


def test_no_unfiltered_packet_while_traffic_flows(wire):
    flood = Flood(wire.a, "tc1", 3_000_000, 60, port=9)
    wait_until(lambda: wire.received() > 1000)
    for _ in range(8):
        capture = Capture(wire, "udp port 5000")
        wire.send(udp(number) for number in range(100))
        archive = capture.end().whole()
        assert [udp_port(record.data) for record in archive.records] == [5000] * 100
        assert archive.lost() == {}
    assert flood.process.poll() is None, "the flood ended too early for this to show anything"
    flood.stop()


def test_filter_that_matches_nothing(wire):
    capture = Capture(wire, "udp port 5000")
    wire.send(numbered(1000))
    archive = capture.end().whole()
    assert archive.files == [] and archive.account["received_by_filter"] == 0


def test_filter_from_file_with_comments(wire, tmp_path):
    path = tmp_path / "filter"
    path.write_text("# which ports\nudp port 5000 # the one\nor udp port 5001\n#or udp\n")
    capture = Capture(wire, "-F", path)
    wire.send(udp(number, 4999 + number % 4) for number in range(400))
    archive = capture.end().whole()
    assert [udp_port(record.data) for record in archive.records] == [5000, 5001] * 100
    assert archive.capture["filter"].split() == "udp port 5000 or udp port 5001".split()


@pytest.fixture
def too_long(tmp_path):
    """A filter for UDP port 5000 of more than 4096 instructions, all of which look at frames of 100 bytes."""
    path = tmp_path / "filter"
    path.write_text("udp port 5000 or " +
                    " or ".join(f"ether[{46 + n // 220}] = {1 + n % 220}" for n in range(2300)))
    return path


def test_too_long_filter_is_said_and_still_right(wire, too_long):
    capture = Capture(wire, "-F", too_long)
    assert any("too long for the kernel" in line for line in capture.err)
    wire.send(udp(number % 2, 5000 + number % 2, size=100) for number in range(1000))
    archive = capture.end().whole()
    assert [udp_port(record.data) for record in archive.records] == [5000] * 500
    assert archive.capture["filter_in_user_space"] is True
    assert archive.lost() == {"filtered_in_user_space": 500}


def test_too_long_filter_knows_vlans_and_the_snaplen(wire, too_long):
    too_long.write_text(too_long.read_text() + " or vlan 42")
    tagged = [MAC_B + MAC_A + bytes.fromhex("8100002a88b5") + struct.pack("!I", number) + bytes(100)
              for number in range(100)]
    capture = Capture(wire, "-s", 64, "-F", too_long)
    wire.send(tagged)
    wire.send(numbered(100, size=122))
    archive = capture.end().whole()
    plain = [record for record in archive.records if record.data[12:14] == b"\x88\xb5"]
    assert [record.data for record in archive.records if record not in plain] == [data[:64] for data in tagged]
    # Of the plain frames those whose filling the filter's first 2300 values name.
    assert [number_of(record.data) for record in plain] == [n for n in range(100) if 1 <= n * 7 & 255 <= 220]


@pytest.mark.alone
def test_too_long_filter_does_not_deafen(wire, too_long):
    """While packets come faster than user space can throw them away, a signal must still be heard."""
    capture = Capture(wire, "-F", too_long)
    flood = Flood(wire.a, "tc1", 10_000_000, 100, port=9)
    wait_until(lambda: wire.received() > 300_000)
    start = time.monotonic()
    result = capture.end(timeout=15)
    took = time.monotonic() - start
    assert flood.process.poll() is None
    flood.stop()
    assert took < 6
    assert result.status == 0 and result.archive().check().records == []


# --- limits -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("count", [1, 2, 999, 100_000])
def test_count_is_exact_under_load(wire, count):
    capture = Capture(wire, "-c", count)
    flood = Flood(wire.a, "tc1", count + 50_000, 60)
    archive = capture.wait().whole()
    flood.wait()
    assert archive.numbers() == list(range(count))
    assert archive.cause == "packet count"
    assert set(archive.lost()) <= {"after_limit", "dropped_by_kernel"}


def test_byte_limit_is_exact_and_never_exceeded(wire):
    for size, count in ((10 * 116, 10), (10 * 116 - 1, 9), (10 * 116 + 1, 10), (115, 0)):
        capture = Capture(wire, "--max-bytes", size)
        wire.send(numbered(50, size=100))
        archive = capture.wait().whole()
        assert archive.numbers() == list(range(count))
        assert archive.cause == "byte limit"


def test_segment_count_with_size(wire):
    capture = Capture(wire, "-C", "4k", "-s", 96, "-W", 3, "-G", "1h")
    wire.send(numbered(1000, size=96))
    archive = capture.wait().whole()
    per_file = (4096 - 24) // 112
    assert [len(file.records) for file in archive.files] == [per_file] * 3
    assert all(len(file.data) <= 4096 for file in archive.files)
    assert archive.numbers() == list(range(3 * per_file))
    assert archive.cause == "segment count"


def test_segment_count_with_time(wire):
    capture = Capture(wire, "-G", "300ms", "-W", 2)
    for number in range(20):
        wire.send([frame(number)])
        time.sleep(0.05)
    archive = capture.wait().whole()
    assert len(archive.files) == 2
    assert archive.numbers() == list(range(len(archive.records)))
    assert archive.cause == "segment count"


def test_segment_count_with_time_and_silence(wire):
    capture = Capture(wire, "-G", "200ms", "-W", 1)
    wire.send([frame(0)])
    start = time.monotonic()
    assert capture.wait(3).whole().numbers() == [0]
    assert time.monotonic() - start < 1 * patience()


def test_duration_under_load(wire):
    capture = Capture(wire, "--duration", "1s")
    start = time.monotonic()
    flood = Flood(wire.a, "tc1", 10_000_000, 60, per_second=200_000)
    result = capture.wait(10)
    assert 0.9 < time.monotonic() - start < 2.5 * patience()
    flood.stop()
    assert result.archive().check().cause == "duration"
    assert set(result.archive().lost()) <= {"dropped_by_kernel"}
    assert result.status == 0


# --- cutting ----------------------------------------------------------------------------------------------------

def pcaps_in(capture):
    return bytes(capture.out).count(b".pcap\0")


def after_a_quiet_spell(wire):
    """A packet, and seven more when it has been read: the ring hands over a block after 100 ms."""
    time.sleep(1.1)
    wire.send(numbered(1))
    time.sleep(0.15)
    wire.send(numbered(7, first=1))


@pytest.mark.parametrize("arguments", [[], ["-G", "1s"]])
def test_a_quiet_spell_is_no_reason_to_cut(wire, arguments):
    """The beat that went by while nothing came must not cut behind the first packet after it, nor make the next longer."""
    capture = Capture(wire, *arguments)
    after_a_quiet_spell(wire)
    archive = capture.end().whole()
    assert [len(file.records) for file in archive.files] == [8]


def test_a_quiet_spell_is_no_segment(wire):
    """-W counts those that have packets, each as long as -G says."""
    capture = Capture(wire, "-G", "1s", "-W", "1")
    after_a_quiet_spell(wire)
    archive = capture.wait(5).whole()
    assert archive.cause == "segment count" and archive.numbers() == list(range(8))


@pytest.mark.parametrize("arguments, limit", [([], 1.7), (["-G", "2"], 2.7), (["-G", "200ms"], 0.9)])
def test_time_cut_with_no_traffic(wire, arguments, limit):
    capture = Capture(wire, *arguments)
    start = time.monotonic()
    wire.send([frame(0)])
    wait_until(lambda: pcaps_in(capture) == 1, limit, "the first file")
    # Silence for longer than the beat: what comes then must not wait either.
    time.sleep(1.2)
    wire.send([frame(1)])
    wait_until(lambda: pcaps_in(capture) == 2, limit + 1, "the second file")
    time.sleep(0.3)
    archive = capture.end().whole()
    assert archive.numbers() == [0, 1] and len(archive.files) == 2, time.monotonic() - start


def test_time_cut_doubles(wire):
    """1 s, then 2 s, then 4 s: with steady traffic 6 s give two or three files."""
    capture = Capture(wire)
    for number in range(60):
        wire.send([frame(number)])
        time.sleep(0.1)
    archive = capture.end().whole()
    assert archive.numbers() == list(range(60))
    assert len(archive.files) in (2, 3)


def test_size_cut(wire):
    capture = Capture(wire, "-C", "300k", "--memory", "2M", "-G", "1h")
    wire.send(numbered(2000, size=1514))
    archive = capture.end().whole()
    assert archive.numbers() == list(range(2000))
    per_file = (300 * 1024 - 24) // 1530
    full, rest = divmod(2000, per_file)
    assert [len(file.records) for file in archive.files] == [per_file] * full + [rest] * bool(rest)
    assert archive.manifest["memory"]["pool_bytes"] <= 2 << 20
    assert archive.manifest["memory"]["segment_bytes"] == 300 * 1024


def test_names_follow_dumpcap(wire):
    capture = Capture(wire, "-C", "4k", "-s", 96)
    wire.send(numbered(200))
    archive = capture.end().whole()
    host = os.uname().nodename
    for number, file in enumerate(archive.files, 1):
        when = time.strftime("%Y%m%d%H%M%S", time.gmtime(file.records[0].seconds))
        assert file.name == f"{host}/tc0_{number:05}_{when}.pcap"


# --- what is asked of the interface -----------------------------------------------------------------------------

@pytest.mark.parametrize("snaplen", [1, 14, 64, 96, 1500])
def test_snaplen(wire, snaplen):
    sizes = [60, 64, 65, 96, 97, 1514] * 10
    capture = Capture(wire, "-s", snaplen)
    wire.send(frame(number, size) for number, size in enumerate(sizes))
    archive = capture.end().whole()
    assert [record.length for record in archive.records] == sizes
    assert [record.caplen for record in archive.records] == [min(size, snaplen) for size in sizes]
    assert all(file.snaplen == snaplen for file in archive.files)
    whole = [frame(number, size) for number, size in enumerate(sizes)]
    assert [record.data for record in archive.records] == [data[:snaplen] for data in whole]


@pytest.mark.parametrize("direction, seen", [("in", [0, 2]), ("out", [1, 3]), ("inout", [0, 1, 2, 3])])
def test_direction(wire, direction, seen):
    back = raw_socket(wire.b, "tc0")
    capture = Capture(wire, "-Q", direction)
    for number in range(400):
        (back if number % 2 else wire.socket).send(frame(number))
    back.close()
    archive = capture.end().whole()
    assert archive.numbers() == [number for number in range(400) if number % 4 in seen]
    assert archive.lost() == {}
    assert archive.capture["direction"] == direction


@pytest.mark.parametrize("words, seen", [("inbound", 0), ("outbound", 1), ("ether proto 0x88b5 and outbound", 1)])
def test_direction_in_the_filter(wire, words, seen):
    back = raw_socket(wire.b, "tc0")
    capture = Capture(wire, words)
    for number in range(400):
        (back if number % 2 else wire.socket).send(frame(number))
    back.close()
    archive = capture.end().whole()
    assert archive.numbers() == [number for number in range(400) if number % 2 == seen]
    assert archive.lost() == {}


def test_direction_out_with_too_long_filter_is_refused(wire, too_long):
    result = run("-i", "tc0", "-Q", "out", "-F", too_long, namespace=wire.b)
    assert result.status == 1 and len(result.err) == 1 and "too long" in result.err[0], result.err


def test_loopback_shows_each_packet_once(wire):
    wire.addresses()
    capture = Capture(wire, "udp", interface="lo")

    def send():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for number in range(500):
                sock.sendto(struct.pack("!I", number), ("127.0.0.1", 5000))
    in_namespace(wire.b, send)
    archive = capture.end().whole()
    assert [struct.unpack("!I", record.data[42:46])[0] for record in archive.records] == list(range(500))
    assert archive.lost() == {}


@pytest.mark.parametrize("words", ["", "vlan 42", "vlan 42 and ether proto 0x88b5"])
def test_vlan_tag_is_there(wire, words):
    tagged = [MAC_B + MAC_A + b"\x81\x00\x00\x2a\x88\xb5" + struct.pack("!I", number) + bytes(60)
              for number in range(100)]
    capture = Capture(wire, *words.split())
    wire.send(tagged)
    archive = capture.end().whole()
    assert [record.data for record in archive.records] == tagged
    assert archive.lost() == {}


def test_vlan_tag_does_not_exceed_the_snaplen(wire):
    tagged = [MAC_B + MAC_A + b"\x81\x00\x00\x2a\x88\xb5" + struct.pack("!I", number) + bytes(100)
              for number in range(20)]
    capture = Capture(wire, "-s", 64)
    wire.send(tagged)
    archive = capture.end().whole()
    assert [record.data for record in archive.records] == [data[:64] for data in tagged]
    assert all(record.length == 122 for record in archive.records)


def test_vlan_filter_says_no_to_the_untagged(wire):
    capture = Capture(wire, "vlan")
    wire.send(numbered(100))
    archive = capture.end().whole()
    assert archive.records == [] and archive.lost() == {}


def test_promiscuous_is_recorded_only_where_it_is(wire):
    """libpcap does not do it with -i any, and says so by a warning."""
    capture = Capture(wire, "--promiscuous", interface="any")
    archive = capture.end().whole()
    assert archive.capture["promiscuous"] is False
    [line] = [line for line in capture.err if "promiscuous" in line and "asked for" not in line]
    assert "any: " in line
    plain = Capture(wire, interface="any").end()
    assert not any("promiscuous" in line for line in plain.err) and plain.archive().capture["promiscuous"] is False


def test_promiscuous_only_when_asked(wire):
    def flags():
        return "PROMISC" in sh("ip", "-n", wire.b, "link", "show", "tc0").stdout or \
            "promiscuity 1" in sh("ip", "-n", wire.b, "-d", "link", "show", "tc0").stdout
    for arguments, promiscuous in (([], False), (["-p"], False), (["--promiscuous"], True)):
        capture = Capture(wire, *arguments)
        assert flags() is promiscuous
        archive = capture.end().whole()
        assert archive.capture["promiscuous"] is promiscuous
        assert not flags()


# --- very large frames ------------------------------------------------------------------------------------------

def transfer(wire, family, server, client, size):
    """size patterned bytes over TCP from b to a; returns them."""
    data = os.urandom(1 << 20) * (size >> 20)
    listener = in_namespace(wire.a, lambda: socket.create_server((server, 7000), family=family))
    got = bytearray()

    def receive():
        connection, _ = listener.accept()
        with connection:
            while piece := connection.recv(1 << 20):
                got.extend(piece)
    thread = threading.Thread(target=receive, daemon=True)
    thread.start()

    def connect():
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(10)
        sock.connect((server, 7000))
        return sock
    with in_namespace(wire.b, connect) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        thread.join(10)
    listener.close()
    assert bytes(got) == data
    return data


def tcp_payloads(records, ip_length):
    """(sequence number, payload) of each packet to port 7000, from IP packets behind an Ethernet header."""
    for record in records:
        assert record.caplen == record.length == len(record.data)
        at = 14 + ip_length(record.data)
        _, port, sequence, _, offset = struct.unpack_from("!HHIIB", record.data, at)
        if port == 7000:
            yield sequence, record.data[at + (offset >> 4) * 4:]


def reassembled(payloads, size):
    payloads = [(sequence, payload) for sequence, payload in payloads if payload]
    start = payloads[0][0]
    stream = bytearray(size)
    for sequence, payload in payloads:
        at = (sequence - start) & 0xffffffff
        stream[at:at + len(payload)] = payload
    return bytes(stream)


def test_64k_gso_frames_and_a_tiny_segment_size(wire):
    wire.addresses()
    capture = Capture(wire, "-C", "1k", "tcp port 7000")
    assert any("-C" in line and "raised to" in line for line in capture.err), capture.err
    data = transfer(wire, socket.AF_INET, "10.9.0.1", None, 8 << 20)
    archive = capture.end().whole()
    assert archive.lost() == {}
    assert max(record.length for record in archive.records) > 60_000, "no GSO frame: this shows nothing"
    assert reassembled(tcp_payloads(archive.records, lambda ip: (ip[14] & 15) * 4), len(data)) == data
    assert archive.manifest["memory"]["segment_bytes"] >= 262144 + 40


def test_big_tcp_192k_frames(wire6):
    for name, interface, address in ((wire6.a, "tc1", "fd00::1"), (wire6.b, "tc0", "fd00::2")):
        wire6.ip(name, "link", "set", interface, "gso_max_size", "200000", "gro_max_size", "200000")
        wire6.ip(name, "link", "set", interface, "arp", "on")
        wire6.ip(name, "address", "add", f"{address}/64", "dev", interface, "nodad")
    capture = Capture(wire6, "-C", "1k", "-B", 65536, "ip6")

    data = transfer(wire6, socket.AF_INET6, "fd00::1", None, 8 << 20)
    archive = capture.end().whole()
    assert archive.lost() == {}
    assert max(record.length for record in archive.records) > 100_000, "no BIG TCP frame: this shows nothing"

    # A jumbogram may have a hop-by-hop header (0) in front of TCP (6).
    tcp = [record for record in archive.records if record.data[20] in (0, 6)]
    payloads = tcp_payloads(tcp, lambda ip: 40 + (8 if ip[20] == 0 else 0))
    assert reassembled(payloads, len(data)) == data


# --- several, sizes, interfaces ---------------------------------------------------------------------------------

def test_two_captures_at_once(wire):
    first, second = Capture(wire), Capture(wire, "ether[17] & 1 = 1")
    flood = Flood(wire.a, "tc1", 50_000, 60)
    flood.wait()
    assert first.end().whole().numbers() == list(range(50_000))
    assert second.end().whole().numbers() == list(range(1, 50_000, 2))


def test_capture_does_not_see_its_own_words(wire):
    """Nothing that tarcap says or writes may end up on the wire it listens on."""
    for closed in ("0<&-", "1>&-", "2>&-", "0<&- 2>&-"):
        watcher = Capture(wire)
        shell = subprocess.run(["nsenter", f"--net=/run/netns/{wire.b}", "sh", "-c",
                                f'"$0" -i tc0 --duration 300ms {closed}', TARCAP],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=10)
        archive = watcher.end().whole()
        assert [record.data for record in archive.records] == [], (closed, shell.stderr)


@pytest.mark.parametrize("kib", [2048, 4096, 32768, 100_000])
def test_ring_size_is_what_was_asked_and_said(wire, kib):
    capture = Capture(wire, "-B", kib)
    [line] = [line for line in capture.err if "listening on" in line]
    wire.send(numbered(1000))
    archive = capture.end().whole()
    ring = archive.capture["memory"]["ring_bytes"]
    assert 0.8 * kib * 1024 <= ring <= kib * 1024 + (256 << 10)  # whole blocks
    text = re.search(r"ring (\d+)([kM]?)\b", line)
    assert int(text[1]) << {"": 0, "k": 10, "M": 20}[text[2]] == ring
    assert archive.numbers() == list(range(1000))


def test_readiness_line_says_limits_and_memory(wire):
    capture = Capture(wire, "--duration", "90s", "--max-bytes", "3M", "-s", "100", "--memory", "4M")
    asked, line = capture.err
    assert asked.startswith("tarcap: asked for by uid 0: ") and asked.endswith("-s 100 --memory 4M")
    assert line.startswith("tarcap: listening on tc0 (no address), link-type EN10MB (Ethernet), snapshot length 100 bytes")
    assert "90s" in line and "3M" in line and "pool 4M" in line
    capture.end().whole()


@pytest.mark.parametrize("flags", [["--nano"], ["--micro", "--time-stamp-precision", "nano"]])
def test_nanoseconds(wire, tmp_path, flags):
    capture = Capture(wire, *flags)
    before = time.time_ns()
    wire.send(numbered(50))
    archive = capture.end().whole()
    times = [record.time for record in archive.records]
    assert before <= times[0] and times[-1] <= time.time_ns() and times == sorted(times)
    assert len({moment % 1000 for moment in times}) > 10  # not microseconds with noughts
    assert archive.account["time_stamp_precision"] == archive.capture["interfaces"][0]["time_stamp_precision"] == "nano"
    path = tmp_path / "x.pcap"
    path.write_bytes(run("join", stdin=archive.data).out)
    assert Pcap("joined", path.read_bytes()).tick == 1
    printed = sh("tcpdump", "--nano", "-tt", "-nr", path).stdout.splitlines()
    assert [int(line.split()[0].replace(".", "")) for line in printed
            if not line.startswith("\t")] == times
    micro = run("-r", path)
    assert [record.time for record in micro.whole().records] == [moment // 1000 * 1000 for moment in times]
    assert [record.time for record in run("--nano", "-r", path).whole().records] == times


def test_end_is_said_in_tcpdumps_words(wire):
    capture = Capture(wire)
    wire.send(numbered(7))
    assert capture.end().err[-3:] == ["7 packets captured", "7 packets received by filter",
                                      "0 packets dropped by kernel"]


def test_default_interface(wire):
    wire.ip(wire.b, "link", "set", "lo", "up")
    capture = Capture(wire, interface=None)
    assert "listening on tc0" in capture.err[-1]
    wire.send(numbered(10))
    assert capture.end().whole().numbers() == list(range(10))
    wire.ip(wire.b, "link", "set", "tc0", "down")
    capture = Capture(wire, interface=None)
    assert "listening on lo" in capture.err[-1]
    capture.end().whole()
    wire.ip(wire.b, "link", "set", "lo", "down")
    result = run(namespace=wire.b)
    assert result.status == 1 and len(result.err) == 1 and result.out == b""


def test_interface_that_is_down(wire):
    wire.ip(wire.b, "link", "set", "tc0", "down")
    result = run("-i", "tc0", namespace=wire.b)
    assert result.status == 1 and result.out == b""
    assert len(result.err) == 1 and "tc0" in result.err[0] and "down" in result.err[0]


def test_name_with_odd_characters(wire):
    wire.ip(wire.b, "link", "set", "tc0", "down")
    wire.ip(wire.b, "link", "set", "tc0", "name", 'a"b_\u00e9\\')
    wire.ip(wire.b, "link", "set", 'a"b_\u00e9\\', "up")
    capture = Capture(wire, interface='a"b_\u00e9\\')
    wire.send(numbered(3))
    archive = capture.end().whole()
    assert archive.account["name"] == 'a"b_\u00e9\\'
    assert re.fullmatch(r"[A-Za-z0-9.-]+_00001_\d{14}\.pcap", archive.files[0].name.partition("/")[2])


def test_link_type_of_a_tunnel(wire):
    """An interface without link-layer headers: RAW."""
    sh("ip", "-n", wire.b, "tuntap", "add", "tun0", "mode", "tun")
    wire.ip(wire.b, "link", "set", "tun0", "up")
    capture = Capture(wire, interface="tun0")
    assert "RAW" in capture.err[-1]
    archive = capture.end().whole()
    assert archive.account["link_type"] == "RAW"


def test_many_starts_and_stops_while_traffic_flows(wire):
    flood = Flood(wire.a, "tc1", 1_000_000, 60, per_second=100_000)
    for _ in range(10):
        capture = Capture(wire, "-s", 64)
        capture.took()
        archive = capture.end().whole()
        numbers = archive.numbers()
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert archive.lost() == {}
    flood.stop()
