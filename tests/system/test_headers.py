"""--headers: packet by packet against a plain capture of the same traffic, cut by a plain dissector and by tshark."""

import fcntl
import os
import re
import socket
import struct
import xml.etree.ElementTree

import pytest

from archive import Pcap, pcap_file
from capture import Capture, run
from odd import (EN10MB, IEEE802_11, IPV4, LOOP, NULL, ODD_IP, PAYLOAD, RAW, SLL, SLL2, TOO_MANY, TYPED, UNSOUND_IPV4,
                 UNSOUND_TCP, datagrams, extension, ipv4, ping, tcp)
from process import sh, wait_until
from wire import MAC_A, MAC_B, frame, in_namespace, udp, udp_port

UNKNOWN = 128


# --- a dissector ------------------------------------------------------------------------------------------------

class Ends(Exception):
    """The packet does, within its headers."""


class Dissector:
    def __init__(self, data):
        self.data = data

    def u8(self, at):
        if at >= len(self.data):
            raise Ends
        return self.data[at]

    def u16(self, at):
        return self.u8(at) << 8 | self.u8(at + 1)

    def upper(self, protocol, at):
        for _ in range(6):
            if protocol in (0, 43, 60):
                self.u8(at + 7)
                protocol, at = self.u8(at), at + 8 + 8 * self.u8(at + 1)
            elif protocol == 51:
                self.u8(at + 7)
                protocol, at = self.u8(at), at + 8 + 4 * self.u8(at + 1)
            elif protocol == 44:
                self.u8(at + 7)
                if self.u16(at + 2) & 0xfff8:
                    return at + 8
                protocol, at = self.u8(at), at + 8
        if protocol == 6:
            return at + max(20, (self.u8(at + 12) >> 4) * 4)
        if protocol == 1:
            kind = self.u8(at)
            if kind in (0, 8):
                return at + 8
            return at + 16 + (self.u8(at + 8) & 15) * 4 if kind in (3, 4, 5, 11, 12) else at + UNKNOWN
        if protocol == 58:
            kind = self.u8(at)
            return at + (56 if kind < 128 else 8 if kind < 130 else UNKNOWN)
        return at + {17: 8, 136: 8, 50: 8, 132: 28, 59: 0}.get(protocol, UNKNOWN)

    def ip(self, at):
        self.u8(at + 19)
        version, words = self.u8(at) >> 4, self.u8(at) & 15
        if version == 6:
            self.u8(at + 39)
            return self.upper(self.u8(at + 6), at + 40)
        if version != 4 or words < 5:
            return at + UNKNOWN
        if self.u16(at + 6) & 0x1fff:
            return at + 4 * words
        return self.upper(self.u8(at + 9), at + 4 * words)

    def ethertype(self, kind, at):
        tags = 0
        while kind in (0x8100, 0x88a8, 0x9100) and tags < 3:
            kind, at, tags = self.u16(at + 2), at + 4, tags + 1
        return self.ip(at) if kind in (0x0800, 0x86dd) else at + UNKNOWN

    def link(self, linktype):
        if linktype == EN10MB:
            return self.ethertype(self.u16(12), 14)
        if linktype in (SLL, SLL2):
            return self.ethertype(self.u16(14), 16) if linktype == SLL else self.ethertype(self.u16(0), 20)
        if linktype in (RAW, IPV4):
            return self.ip(0)
        return self.ip(4) if linktype in (NULL, LOOP) else UNKNOWN


def header_length(data, linktype=EN10MB):
    try:
        return min(len(data), Dissector(data).link(linktype))
    except Ends:
        return len(data)


# --- odd packets ------------------------------------------------------------------------------------------------

def lengths(packet):
    """Every length as far as the headers can go and some behind."""
    return [*range(min(150, len(packet))), *range(150, len(packet), 11), len(packet)]


# --- comparing --------------------------------------------------------------------------------------------------

class Pair:
    """Two captures of the same, one of them with --headers, and with -s if that is given."""

    def __init__(self, wire, *arguments, snaplen=None, **more):
        self.snaplen, self.cut = snaplen or 262144, ["--headers"] + (["-s", snaplen] if snaplen else [])
        self.plain = Capture(wire, *arguments, **more)
        self.headers = Capture(wire, *self.cut, *arguments, **more)

    def end(self, count=None, ordered=True):
        """The plain records and the cut ones; the latter are what the former say, and what -r makes of them."""
        plain, cut = self.plain.end().whole(), self.headers.end().whole()
        assert cut.account["headers"] is True and plain.account["headers"] is False
        assert {*cut.lost(), *plain.lost()} <= {"filtered_in_user_space"}
        assert all(r.caplen == r.length for r in plain.records)
        linktype = cut.account["link_type_number"]
        arrange = list if ordered else sorted
        expected = arrange((r.length, r.data[:min(header_length(r.data, linktype), self.snaplen)])
                           for r in plain.records)
        assert expected == arrange((r.length, r.data) for r in cut.records)
        assert count is None or len(expected) == count
        whole = pcap_file([(r.seconds, r.fraction, r.data) for r in plain.records], linktype)
        again = run("-r", "-", *self.cut, stdin=whole).whole().records
        assert expected == arrange((r.length, r.data) for r in again)
        return plain.records, cut.records


def tun(namespace, name, arphrd=None):
    """What is written to the descriptor comes in through interface name: IP, or, of type arphrd, anything."""
    TUNSETIFF, TUNSETLINK, IFF_TUN, IFF_NO_PI = 0x400454ca, 0x400454cd, 1, 0x1000
    if not os.path.exists("/dev/net/tun"):
        os.makedirs("/dev/net", exist_ok=True)
        os.mknod("/dev/net/tun", 0o20600, os.makedev(10, 200))

    def make():
        fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | (0 if arphrd else IFF_NO_PI)))
        if arphrd:
            fcntl.ioctl(fd, TUNSETLINK, arphrd)
        return fd
    fd = in_namespace(namespace, make)
    sh("ip", "-n", namespace, "link", "set", name, "up")
    return fd


# --- the odd ones, through the kernel ---------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, snaplen", [([], None), ([], 70), (["vlan or not tcp"], None)])
def test_odd_frames(wire, arguments, snaplen):
    frames = [MAC_B + MAC_A + typed[:length] for typed in TYPED for length in lengths(typed) if length >= 2]
    pair = Pair(wire, *arguments, snaplen=snaplen)
    wire.send(frames)
    plain, _ = pair.end()
    # The kernel itself throws away what ends within a tag.
    assert len(plain) > (0.3 if arguments else 0.9) * len(frames)


def test_tshark_agrees_on_the_sound_ones(wire, tmp_path):
    sound = [typed for typed in TYPED if all(odd not in typed for odd in (UNSOUND_TCP, UNSOUND_IPV4, TOO_MANY))]
    pair = Pair(wire)
    wire.send(MAC_B + MAC_A + typed for typed in sound)
    kinds = check_by_tshark(tmp_path, *pair.end(len(sound)))
    assert kinds["tcp"] >= 8 and kinds["udp"] >= 12 and kinds["fragment"] >= 3 and kinds["tunnel"] >= 2, kinds


def test_odd_packets_without_a_link_header(wire):
    fd = tun(wire.b, "tun0")
    pair = Pair(wire, interface="tun0")
    assert any("link-type RAW" in line for line in pair.headers.err)
    packets = [packet[:length] for packet in ODD_IP for length in lengths(packet) if length >= 1]
    for packet in packets:
        os.write(fd, packet)
    pair.end(len(packets))
    os.close(fd)


def test_odd_packets_of_a_cooked_device(wire):
    """A GRE tunnel's type, which libpcap doesn't know: the kernel then sees no link header, the file has SLL's."""
    ARPHRD_IPGRE = 778
    fd = tun(wire.b, "tun0", ARPHRD_IPGRE)
    pair = Pair(wire, interface="tun0")
    assert any("link-type LINUX_SLL " in line for line in pair.headers.err)
    # Of a second tag the kernel's own sll_protocol is made up here, where it takes the device for an Ethernet.
    packets = [typed[:length] for typed in TYPED if typed[:2] != b"\x88\xa8"
               for length in lengths(typed) if length >= 3]
    for packet in packets:
        os.write(fd, b"\0\0" + packet)
    plain, _ = pair.end()
    assert len(plain) > 0.9 * len(packets)
    os.close(fd)


@pytest.mark.parametrize("linktype", [EN10MB, NULL, RAW, LOOP, SLL, IPV4, SLL2, IEEE802_11])
@pytest.mark.parametrize("order", ["<", ">"])
def test_odd_packets_from_files(linktype, order):
    """Also of packets that were longer than what the file kept of them."""
    link = {EN10MB: bytes(12), SLL: bytes(14), NULL: b"\2\0\0\0", LOOP: b"\0\0\0\2"}.get(linktype, b"")
    packets = ODD_IP
    if linktype in (EN10MB, SLL, SLL2):
        packets = [typed[:2] + bytes(18 if linktype == SLL2 else 0) + typed[2:] for typed in TYPED]
    kept = [(1_800_000_000, 0, (link + packet)[:length], more + len(link + packet)) for packet in packets
            for length in lengths(link + packet) for more in (0, 1000)]
    records = run("-r", "-", "--headers", stdin=pcap_file(kept, linktype, order=order)).whole().records
    assert [(r.length, r.data) for r in records] == [(length, data[:header_length(data, linktype)])
                                                     for _, _, data, length in kept]


# --- real traffic -----------------------------------------------------------------------------------------------

def connect(wire, listener, family, address, size, within=None):
    server = in_namespace(listener, lambda: socket.create_server((address, 443), family=family))
    client = in_namespace(within or wire.a, lambda: socket.create_connection((address, 443), timeout=5))
    end, _ = server.accept()
    end.settimeout(5)
    client.sendall(b"payload!" * (size // 8))
    taken = 0
    while taken < size:
        taken += len(end.recv(1 << 20))
    end.sendall(PAYLOAD)
    for sock in (client, end, server):
        sock.close()


def tshark_ends(path):
    """What tshark says of each packet: its protocol, or "fragment" for a later one, and where its header ends."""
    pdml = sh("tshark", "-n", "-r", path, "-T", "pdml", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE",
              timeout=60).stdout
    for packet in xml.etree.ElementTree.fromstring(pdml):
        ends = [(proto.get("name"), int(proto.get("pos")) + int(proto.get("size"))) for proto in packet.iter("proto")
                if proto.get("pos")]
        names = [name for name, _ in ends]
        if names.count("ip") + names.count("ipv6") > 1 and "icmp" not in names and "icmpv6" not in names:
            yield "tunnel", None
            continue
        found = [end for end in ends if end[0] in ("tcp", "udp", "icmp", "icmpv6", "arp")]
        later = any(field.get("show") != "0" for field in packet.iter("field")
                    if field.get("name") in ("ip.frag_offset", "ipv6.fraghdr.offset"))
        if found or not later:
            yield found[0] if found else ("other", None)
        else:
            yield "fragment", max(end for name, end in ends if name in ("ip", "ipv6.fraghdr"))


def check_by_tshark(tmp_path, plain, cut):
    """In whatever order the two captures have them. Returns how many there are of each kind."""
    path = tmp_path / "plain.pcap"
    path.write_bytes(pcap_file([(r.seconds, r.fraction, r.data) for r in plain]))
    kinds, have = {}, {(r.length, r.data) for r in cut}
    for record, (kind, end) in zip(plain, tshark_ends(path), strict=True):
        kinds[kind] = kinds.get(kind, 0) + 1
        # Of ICMP tshark takes all of the packet for the header.
        if kind in ("tcp", "udp", "fragment"):
            assert (record.length, record.data[:end]) in have, (kind, end, record.data.hex())
    return kinds


def without_payload(records, known=("payload!",)):
    return not any(word.encode() * 2 in record.data for record in records for word in known)


def test_real_traffic(wire6, tmp_path):
    wire = wire6
    wire.addresses()
    for name, interface, address in ((wire.a, "tc1", "fd00::1"), (wire.b, "tc0", "fd00::2")):
        wire.ip(name, "link", "set", interface, "arp", "on")
        wire.ip(name, "neigh", "flush", "all")
        wire.ip(name, "address", "add", f"{address}/64", "dev", interface, "nodad")
    listening = [in_namespace(wire.b, lambda: (lambda s: s.bind(("::", 5000)) or s)(
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)))]
    # Not what the kernel says of itself at times that nobody chooses.
    pair = Pair(wire, "host 10.9.0.1 or host fd00::1")
    connect(wire, wire.b, socket.AF_INET, "10.9.0.2", 400_000)
    connect(wire, wire.b, socket.AF_INET6, "fd00::2", 400_000)
    datagrams(wire.a, socket.AF_INET, "10.9.0.2")
    options = [(socket.IPV6_DSTOPTS, extension(0)), (socket.IPV6_HOPOPTS, extension(0, 1))]
    datagrams(wire.a, socket.AF_INET6, "fd00::2", options)
    ping(wire.a, socket.AF_INET, "10.9.0.2")
    ping(wire.a, socket.AF_INET6, "fd00::2")
    plain, cut = pair.end(ordered=False)
    for sock in listening:
        sock.close()
    kinds = check_by_tshark(tmp_path, plain, cut)
    assert kinds["tcp"] > 20 and kinds["udp"] > 5 and kinds["fragment"] > 5 and kinds["arp"] >= 2, kinds
    assert kinds["icmp"] >= 3 and kinds["icmpv6"] >= 5, kinds  # echo, its answer, port unreachable, neighbours
    assert max(r.length for r in cut) > 10_000, "no segment that is left to the device to cut"
    assert not without_payload(plain) and without_payload(cut)
    assert sum(r.caplen for r in cut) < sum(r.caplen for r in plain) / 20


def test_loopback(wire):
    wire.addresses()
    pair = Pair(wire, interface="lo")
    connect(wire, wire.b, socket.AF_INET, "127.0.0.1", 100_000, within=wire.b)
    datagrams(wire.b, socket.AF_INET, "127.0.0.1")
    plain, cut = pair.end(ordered=False)
    assert len(plain) > 10 and not without_payload(plain) and without_payload(cut)


@pytest.mark.parametrize("arguments, ports", [
    (["-Q", "in"], {5000, 5001}), (["-Q", "out"], {6000}), (["udp port 5000 or udp port 6000"], {5000, 6000}),
    (["--exclude-stream", "on"], {5000, 5001, 6000}), (["-Q", "in", "--exclude-stream", "on", "udp port 5001"], {5001}),
])
def test_with_direction_exclusion_and_filter(wire, arguments, ports):
    wire.addresses()
    pair = Pair(wire, *arguments)
    wire.send(udp(number, port, size=300) for number in range(20) for port in (5000, 5001, 22))
    wire.send(MAC_B + MAC_A + b"\x08\0" + ipv4(6, struct.pack("!HH", 22, 22) + tcp()[4:]) for _ in range(20))

    def answer():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for _ in range(20):
                sock.sendto(PAYLOAD, ("10.9.0.1", 6000))
    in_namespace(wire.b, answer)
    wait_until(lambda: wire.received() >= 80, what="all frames' arrival")
    plain, cut = pair.end()
    assert {udp_port(r.data) for r in cut if r.data[23] == 17} - {22} == ports
    assert any(r.data[23] == 6 for r in cut) == (arguments == ["-Q", "in"])
    assert {r.caplen for r in cut if r.data[23] == 17} == {42}


# --- where the cut happens --------------------------------------------------------------------------------------

def ring_of(capture):
    """The bytes of the packet ring, as the process has it mapped."""
    with open(f"/proc/{capture.pid}/maps") as maps, open(f"/proc/{capture.pid}/mem", "rb", 0) as memory:
        parts = []
        for line in maps:
            if "socket:[" in line:
                start, end = (int(text, 16) for text in line.split()[0].split("-"))
                memory.seek(start)
                parts.append(memory.read(end - start))
    assert parts
    return b"".join(parts)


def test_payload_never_reaches_the_ring(wire):
    pair = Pair(wire, "-B", 4096)
    for number in range(100):
        wire.send([udp(number, 5000, size=46) + b"payload!" * 100])
    rings = [ring_of(capture) for capture in (pair.plain, pair.headers)]
    assert rings[0].count(b"payload!") == 100 * 100 and rings[1].count(b"payload!") == 0
    assert rings[1].count(udp(0)[:12]) >= 100
    pair.end(100)


def filter_of(terms):
    """A filter for UDP to port 5000, which looks at frames of 100 bytes, two instructions and a bit for each term."""
    return "udp port 5000 or " + " or ".join(f"ether[{46 + n // 220}] = {1 + n % 220}" for n in range(terms))


@pytest.mark.parametrize("terms, said", [(2100, "to cut"), (2300, "filtered here")])
def test_long_filters(wire, tmp_path, terms, said):
    """Of nearly 4096 instructions, to which the cut's are too many; and of more than that alone."""
    path = tmp_path / "filter"
    path.write_text(filter_of(terms))
    pair = Pair(wire, "-F", path)
    assert any("too long" in line and said in line for line in pair.headers.err), pair.headers.err
    wire.send(udp(number % 2, 5000 + number % 2, size=100) for number in range(200))
    wire.send(frame(1, 100) for number in range(100))
    _, cut = pair.end(200)
    assert [r.caplen for r in cut] == [42] * 100 + [100] * 100


# --- what is said -----------------------------------------------------------------------------------------------

def test_dumped_program_is_the_kernels(wire):
    def returns(*arguments):
        lines = run("-d", *arguments, namespace=wire.b).out.decode().splitlines()
        return len(lines), {line.split("ret", 1)[1].strip() for line in lines if " ret" in line}

    plain, cut = returns("tcp port 443"), returns("--headers", "tcp port 443")
    assert plain[1] == {"#0", "#262144"} and cut[1] == {"#0", "#262144", ""}  # "ret a"
    assert cut[0] - plain[0] == returns("--headers")[0] - returns()[0] == 359
    assert returns("--headers", "-i", "tc0", "-s", "99", "tcp port 443") == (cut[0], {"#0", "#99", ""})
    capture = Capture(wire, "--headers", "tcp port 443")
    shown = sh("nsenter", f"--net=/run/netns/{wire.b}", "ss", "-0", "-b", "-n").stdout
    capture.end()
    [attached] = re.findall(r"bpf filter \((\d+)\)", shown)
    assert int(attached) == cut[0]


def test_it_is_said(wire):
    capture = Capture(wire, "--headers", "-s", 90)
    assert any("snapshot length 90 bytes, headers only; " in line for line in capture.err), capture.err
    archive = capture.end().whole()
    assert archive.capture["interfaces"][0]["headers"] is True
    result = run("-r", "-", "--headers", stdin=pcap_file([(1, 0, frame(0))]))
    assert result.said("snapshot length 262144, headers only; ")


def test_raw_and_join(wire, tmp_path):
    capture = Capture(wire, "--headers", "--raw")
    wire.send([udp(1, size=500)] * 3)
    result = capture.end()
    assert [(r.caplen, r.length) for r in Pcap("raw", result.out).records] == [(42, 500)] * 3
    capture = Capture(wire, "--headers")
    wire.send([udp(1, size=500)] * 3)
    joined = run("join", stdin=capture.end().out)
    assert joined.status == 0
    assert [(r.caplen, r.length) for r in Pcap("joined", joined.out).records] == [(42, 500)] * 3
