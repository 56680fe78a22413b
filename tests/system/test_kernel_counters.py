"""What the kernel counted while it was captured is told first: real overflows, drops and damage, read back from the context."""

import re
import socket
import struct

import pytest

from capture import Capture
from process import wait_until
from summary import fact, page, summary
from wire import MAC_A, MAC_B, Wire, in_namespace

BACKLOG, WANTED = 1, 8
VARIANTS = ("IPv4", "IPv6", "behind others")
HEALTHY = 1000


@pytest.fixture
def hosts():
    wire = Wire(ipv6=True)
    wire.addresses()
    wire.ip(wire.b, "address", "add", "fd00:9::2/64", "dev", "tc0", "nodad")
    wire.ip(wire.a, "address", "add", "fd00:9::1/64", "dev", "tc1", "nodad")
    wire.ip(wire.a, "neigh", "replace", "fd00:9::2", "lladdr", MAC_B.hex(":"), "dev", "tc1")
    wire.ip(wire.b, "neigh", "replace", "fd00:9::1", "lladdr", MAC_A.hex(":"), "dev", "tc0")
    yield wire
    wire.close()


def address_of(variant, host):
    return f"fd00:9::{host}" if variant == "IPv6" else f"10.9.0.{host}"


def family_of(variant):
    return socket.AF_INET6 if variant == "IPv6" else socket.AF_INET


def made(wire, name, variant, kind):
    return in_namespace(name, lambda: socket.socket(family_of(variant), kind))


def counter(wire, group, name):
    """As the kernel says it now."""
    text = wire.within(wire.b, "sh", "-c", "cat /proc/net/snmp /proc/net/netstat; sed 's/6/6: /' /proc/net/snmp6").stdout
    if group.endswith("6"):
        return int(re.search(rf"^{group}: {name}\s+(\d+)$", text, re.M)[1])
    names, numbers = re.findall(rf"^{group}: (.*)$", text, re.M)
    return int(dict(zip(names.split(), numbers.split()))[name])


# --- what is wrong ----------------------------------------------------------------------------------------------

def listen_overflow(wire, variant):
    """A server that never accepts."""
    server = made(wire, wire.b, variant, socket.SOCK_STREAM)
    server.bind((address_of(variant, 2), 8080))
    server.listen(BACKLOG)
    clients = [made(wire, wire.a, variant, socket.SOCK_STREAM) for _ in range(WANTED)]
    for client in clients:
        client.setblocking(False)
        client.connect_ex((address_of(variant, 2), 8080))
    wait_until(lambda: counter(wire, "TcpExt", "ListenOverflows") >= WANTED - BACKLOG - 1, what="the overflow")
    return [server, *clients]


def kernel_drops(wire, variant):
    """A reader of datagrams that sleeps."""
    reader = made(wire, wire.b, variant, socket.SOCK_DGRAM)
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.bind((address_of(variant, 2), 8125))
    sender = made(wire, wire.a, variant, socket.SOCK_DGRAM)
    for _ in range(100):
        sender.sendto(bytes(500), (address_of(variant, 2), 8125))
    wait_until(lambda: counter(wire, "Udp6" if variant == "IPv6" else "Udp", "RcvbufErrors") >= 50, what="drops")
    return [reader, sender]


def checksum(wire, variant):
    """Datagrams that something has changed on their way."""
    reader = made(wire, wire.b, variant, socket.SOCK_DGRAM)
    reader.bind((address_of(variant, 2), 8125))
    payload = b"\x12\x34" * 20
    header = struct.pack("!HHHH", 9999, 8125, 8 + len(payload), 0x1234)
    ends = [socket.inet_pton(family_of(variant), address_of(variant, host)) for host in (1, 2)]
    if variant == "IPv6":
        front = b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, 8 + len(payload), 17, 64)
    else:
        front = b"\x08\0" + header_of(ends, 28 + len(payload))
    frame = MAC_B + MAC_A + front + (b"".join(ends) if variant == "IPv6" else b"") + header + payload
    wire.send([frame] * 7)
    wait_until(lambda: counter(wire, "Udp6" if variant == "IPv6" else "Udp", "InCsumErrors") == 7, what="wrong checksums")
    return [reader]


def header_of(ends, length):
    """IPv4's, of UDP, with its own checksum right."""
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 1, 0, 64, 17, 0, *ends)
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xffff) + (total >> 16)
    return header[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + header[12:]


def talk(wire, count):
    """Healthy connections."""
    server = in_namespace(wire.b, lambda: socket.create_server(("10.9.0.2", 80), backlog=count))
    client = None
    for _ in range(count):
        client = in_namespace(wire.a, lambda: socket.create_connection(("10.9.0.2", 80), timeout=15))
        peer, _ = server.accept()
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        peer.recv(100)
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        client.recv(100)
        client.close()
        peer.recv(100)
        peer.close()
    server.close()


INCIDENTS = {"listen-overflow": listen_overflow, "kernel-drops": kernel_drops, "checksum": checksum}


def archive_of(wire, *plays):
    capture = Capture(wire)
    kept = [each for play in plays for each in play()]
    archive = capture.end().whole()
    for each in kept:
        each.close()
    return archive


@pytest.mark.parametrize("kind", list(INCIDENTS))
@pytest.mark.parametrize("variant", VARIANTS)
def test_is_the_first_finding(hosts, kind, variant):
    def others():
        talk(hosts, HEALTHY if variant == "behind others" else 1)
        return []
    archive = archive_of(hosts, others, lambda: INCIDENTS[kind](hosts, variant))
    found = summary(archive.data)
    [finding, *_] = found["findings"]
    assert finding["kind"] == kind, found["findings"]
    assert finding["severity"] in ("error", "warning") and finding["next"] and finding["display_filter"]
    moved = found["kernel"]["moved"]
    name = {"listen-overflow": "TcpExt.ListenOverflows", "kernel-drops": "Udp.RcvbufErrors", "checksum": "Udp.InCsumErrors"}[kind]
    if variant == "IPv6":
        name = name.replace("Udp.", "Udp6.")
    assert finding["count"] == moved[name] > 0 and name in finding["sentence"]
    if kind == "listen-overflow":
        assert finding["sentence"].endswith(f"Full at the end: {'[fd00:9::2]' if variant == 'IPv6' else '10.9.0.2'}:8080")
    text = page(archive.data)
    assert finding["sentence"][:40] in text and len(text.splitlines()) <= 60


# --- what is said beside ----------------------------------------------------------------------------------------

def test_retransmitted_and_how_much_of_it_is_here(hosts):
    """Of the kernel's own segments alone, although the other end sends again, too."""
    server = in_namespace(hosts.a, lambda: socket.create_server(("10.9.0.1", 80)))
    client = in_namespace(hosts.b, lambda: socket.create_connection(("10.9.0.1", 80), timeout=15))
    peer, _ = server.accept()
    capture = Capture(hosts)
    hosts.ip(hosts.a, "link", "set", "tc1", "address", "02:00:00:00:00:09")  # from here on a hears nothing
    client.sendall(bytes(100))
    peer.sendall(bytes(100))
    wait_until(lambda: counter(hosts, "Tcp", "RetransSegs") >= 2, what="retransmissions")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    archive = capture.end().whole()
    told = summary(archive.data)["kernel"]
    count = counter(hosts, "Tcp", "RetransSegs")
    assert told == {"moved": {"Tcp.RetransSegs": count}, "retransmissions_here": count}
    assert fact(page(archive.data), "kernel") == (
        f"retransmitted {count} segments (kernel's count), {count} of them with data are in this capture")
    peer.close()
    server.close()


def test_nothing_is_said_where_nothing_moved(hosts):
    archive = archive_of(hosts, lambda: talk(hosts, 3) or [])
    found = summary(archive.data)
    assert found["kernel"]["moved"].keys() <= {"Tcp.PassiveOpens"} and not fact(page(archive.data), "kernel")
    assert [one for one in found["findings"] if one["severity"] != "note"] == []


def test_no_word_without_both_moments(hosts):
    capture = Capture(hosts, "--no-context")
    kept = checksum(hosts, "IPv4")
    archive = capture.end().whole()
    found = summary(archive.data)
    assert found["kernel"] is None and "checksum" not in [one["kind"] for one in found["findings"]]
    for each in kept:
        each.close()
