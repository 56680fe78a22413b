"""What tarcap says of each TCP segment of real traffic, of frames that the card was to cut, is what tshark says of it."""

import re
import signal
import socket
import threading

import pytest

from capture import Capture, run
from process import TOP, lines, sh, wait_until
from wire import Wire, in_namespace


def upload(wire, port, size, held=None):
    """size bytes from a to b; b begins to read when held() comes back."""
    server = in_namespace(wire.b, lambda: socket.create_server(("10.9.0.2", port)))
    client = in_namespace(wire.a, lambda: socket.create_connection(("10.9.0.2", port), timeout=30))
    other, _ = server.accept()
    sender = threading.Thread(target=lambda: (client.sendall(bytes(size)), client.shutdown(socket.SHUT_WR)))
    sender.start()
    if held:
        held(client)
    while other.recv(1 << 18):
        pass
    sender.join()
    other.close()
    client.close()
    server.close()


def window_is_full(client):
    """Until nothing goes out any more, and that window has been asked for."""
    def asks():
        # tcp_info's fourth byte: probes that were not answered by an open window.
        return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[3] > 0
    wait_until(asks)


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """{kind: (tshark's, tarcap's, both)}, segments, those in which they agree, what was printed."""
    sh(TOP / "image/need", "tshark", timeout=300)
    sh("make", "-C", TOP, "--no-print-directory", "-s", "build/asan/verdicts", timeout=600)
    wire = Wire()
    wire.addresses()
    capture = Capture(wire, "-s", "128", "-B", "32M")
    upload(wire, 5001, 8 << 20)
    # A queue that is too short: what does not fit into it is lost before it comes here.
    sh("tc", "-n", wire.a, "qdisc", "replace", "dev", "tc1", "root", "tbf", "rate", "200mbit", "burst", "64k", "limit", "90k")
    upload(wire, 5003, 12 << 20)
    sh("tc", "-n", wire.a, "qdisc", "del", "dev", "tc1", "root")
    upload(wire, 5002, 16 << 20, window_is_full)
    result = capture.end(signal.SIGTERM)
    wire.close()
    path = tmp_path_factory.mktemp("agreement") / "joined.pcap"
    path.write_bytes(run("join", stdin=result.out).out)
    text = sh(TOP / "tests/agreement", path, timeout=120).stdout
    kinds = {name: tuple(map(int, numbers)) for name, *numbers in re.findall(r"^(\w[\w -]*?) +(\d+) +(\d+) +(\d+)$", text, re.M)}
    agreed, segments = map(int, re.search(r"^everything: they agree in (\d+) of (\d+) ", text, re.M).groups())
    return kinds, segments, agreed, text, path


def test_of_the_segments(counted):
    kinds, segments, agreed, text, _ = counted
    assert segments > 300 and agreed >= 0.99 * segments, text


@pytest.mark.parametrize("kind", ["retransmission", "gap before it", "duplicate ACK", "zero window"])
def test_of_each_kind(counted, kind):
    """There is some of it, and the two differ in few."""
    theirs, ours, both = counted[0][kind]
    assert theirs > 0 and abs(theirs - both) + abs(ours - both) <= max(2, 0.05 * theirs), counted[3]


def test_frames_are_larger_than_segments(counted):
    out = sh("tshark", "-n", "-r", counted[4], "-T", "fields", "-e", "frame.len", timeout=60).stdout
    assert max(map(int, lines(out.encode()))) > 20000
