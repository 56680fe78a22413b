"""What the kernel knows of a connection's own sockets stands behind the finding that is about it: read back from real ones."""

import contextlib
import re
import socket
import struct
import threading

import pytest

from capture import Capture
from process import wait_until
from summary import summary
from wire import MAC_A, Wire, in_namespace

FAMILIES = (socket.AF_INET, socket.AF_INET6)


@pytest.fixture
def hosts():
    wire = Wire(ipv6=True)
    for name, interface, number in ((wire.a, "tc1", 1), (wire.b, "tc0", 2)):
        wire.ip(name, "link", "set", interface, "arp", "on")
        wire.ip(name, "address", "add", f"10.9.0.{number}/24", "dev", interface)
        wire.ip(name, "address", "add", f"fd00:9::{number}/64", "dev", interface, "nodad")
    yield wire
    wire.close()


def ends(family, sock):
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"


def connected(family, listens, where, calls):
    """A server's end in one namespace, and a client's in the other."""
    host = "fd00:9::%d" if family == socket.AF_INET6 else "10.9.0.%d"
    address = (host % where, 5001)
    server = in_namespace(listens, lambda: socket.create_server(address, family=family))
    client = in_namespace(calls, lambda: socket.create_connection(address, timeout=15))
    peer, _ = server.accept()
    server.close()
    return peer, client


def info(sock, at, form):
    """A field of tcp_info."""
    return struct.unpack_from(form, sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), at)[0]


def fill(client):
    """Send until the other's window is zero."""
    def work():
        with contextlib.suppress(OSError):
            client.sendall(bytes(1 << 24))
    threading.Thread(target=work, daemon=True).start()
    wait_until(lambda: info(client, 3, "B") > 0, what="a probe of the window")


def sentence_of(archive, kind):
    return next(finding["sentence"] for finding in summary(archive.data)["findings"] if finding["kind"] == kind)


@pytest.mark.parametrize("family", FAMILIES)
def test_who_does_not_read(hosts, family):
    """Zero window: the reader's socket has what its program does not take."""
    capture = Capture(hosts, "-s", "128")
    peer, client = connected(family, hosts.b, 2, hosts.a)
    fill(client)
    archive = capture.end().whole()
    sentence = sentence_of(archive, "zero-window")
    told = re.search(r"; the kernel's socket (\S+): (?:no round trip yet|round trip [\d.]+ m?s), (\d+) bytes not read at the end", sentence)
    assert told and told[1] == ends(family, peer) and int(told[2]) > 10000, sentence
    client.shutdown(socket.SHUT_RDWR)
    peer.close()
    client.close()


@pytest.mark.parametrize("family", FAMILIES)
def test_who_is_not_heard(hosts, family):
    """The kernel's count of what was sent again against what is here; what was sent again before is none of it."""
    for address in "10.9.0.1", "fd00:9::1":  # on a busy machine it may take so long that b would ask for a's address again
        hosts.ip(hosts.b, "neigh", "replace", address, "lladdr", MAC_A.hex(":"), "dev", "tc0", "nud", "permanent")
    peer, client = connected(family, hosts.a, 1, hosts.b)
    client.sendall(b"x")
    peer.recv(1)
    capture = Capture(hosts)
    client.sendall(b"x")
    peer.recv(1)
    hosts.ip(hosts.a, "link", "set", "tc1", "address", "02:00:00:00:00:09")  # from here on a hears nothing
    client.sendall(bytes(100))
    wait_until(lambda: info(client, 100, "I") >= 3, timeout=10, what="retransmissions")  # tcpi_total_retrans
    archive = capture.end().whole()
    sentence = sentence_of(archive, "no-answer")
    told = re.search(r"; the kernel's socket (\S+): round trip [\d.]+ m?s, (\d+) segments sent again meanwhile \((\d+) with data here\), 100 bytes not acknowledged", sentence)
    assert told and told[1] == ends(family, client), sentence
    assert 3 <= int(told[2]) and int(told[2]) - 1 <= int(told[3]) <= int(told[2]), sentence
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    peer.close()


def test_a_socket_that_is_not_in_the_context(hosts):
    capture = Capture(hosts, "--no-context")
    peer, client = connected(socket.AF_INET, hosts.b, 2, hosts.a)
    fill(client)
    assert "the kernel's socket" not in sentence_of(capture.end().whole(), "zero-window")
    client.shutdown(socket.SHUT_RDWR)
    peer.close()
    client.close()
