"""Captures of both ends of connections through the router of between.py, and what tarcap summary says of them together."""

import itertools
import json
import signal
import socket
import struct
import threading
import time

from archive import Archive
from between import Ends
from capture import Capture, run
from schema import check_together
from wire import in_namespace


words = itertools.count(1000)


def listener(name):
    def make():
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("10.8.0.2", 80))
        sock.listen(2000)
        return sock
    return in_namespace(name, make)


def serve(sock):
    """Reads all that comes, of any number of connections one after the other, and answers with a word."""
    def work():
        while True:
            try:
                connection, _ = sock.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection):
        with connection:
            try:
                while connection.recv(1 << 16):
                    pass
                connection.sendall(b"thanks")
            except OSError:
                pass
    threading.Thread(target=work, daemon=True).start()


def echo(name):
    """Sends each datagram back whose first byte is not zero."""
    def make():
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.bind(("10.8.0.2", 53))
        return sock
    sock = in_namespace(name, make)

    def work():
        while True:
            try:
                data, address = sock.recvfrom(1 << 16)
                if data[:1] != b"\0":
                    sock.sendto(data[::-1], address)
            except OSError:
                return
    threading.Thread(target=work, daemon=True).start()
    return sock


def get_through(sock):
    """
    The router may be behind: until what is sent last has come back, as often as it takes, and how often that was. Each
    is another word, and a long one: what is short, or was sent twice, nobody can tell behind a NAT.
    """
    sock.settimeout(1)
    for tries in range(1, 21):
        word = b"\1last%d" % next(words) + bytes(80)
        try:
            sock.send(word)
            while sock.recv(1 << 16) != word[::-1]:
                pass
            return tries
        except OSError:
            pass  # lost, or an ICMP error that came back
    raise AssertionError("nothing comes through")


def talk(name, count, size=100, sockets=1, answered=True, pause=0.0):
    """So many datagrams, no two the same, over so many sockets in turns; waits for no answer but the last."""
    def make():
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.connect(("10.8.0.2", 53))
        return sock
    sockets = [in_namespace(name, make) for _ in range(sockets)]
    get_through(sockets[0])  # what is lost before anything comes through may have been before the other capture began
    for number in range(count):
        try:
            sockets[number % len(sockets)].send(bytes([answered]) + number.to_bytes(4, "big") + bytes(size - 5))
        except OSError:
            pass  # an ICMP error that came back
        time.sleep(pause)
    get_through(sockets[0])
    time.sleep(1.2)  # what comes to an end sooner may not have come there
    while get_through(sockets[0]) > 1:
        time.sleep(1.2)
    for sock in sockets:
        sock.close()


def client(name):
    return in_namespace(name, socket.socket)


def upload(name, size):
    with client(name) as sock:
        sock.settimeout(120)
        sock.connect(("10.8.0.2", 80))
        sock.sendall(bytes(size))
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100) == b"thanks"


def greet(name, count):
    """So many short connections; one that is reset is as good."""
    for _ in range(count):
        with client(name) as sock:
            sock.settimeout(20)
            try:
                sock.connect(("10.8.0.2", 80))
                sock.sendall(b"hello")
                sock.shutdown(socket.SHUT_WR)
                sock.recv(100)
            except OSError:
                pass


class Story:
    """What both captures have, in files, and what the router did. kernel: the router is the kernel's, with these commands."""

    def __init__(self, directory, work, client_flags=(), server_flags=(), stopped=None, expression="tcp", kernel=None, **orders):
        ends = Ends()
        try:
            sock = listener(ends.server)
            serve(sock)
            datagrams = echo(ends.server)
            captures = [Capture(None, *flags, expression, namespace=name, interface="e0")
                        for name, flags in ((ends.client, client_flags), (ends.server, server_flags))]
            if kernel is None:
                ends.route(**orders)
            else:
                ends.forward(kernel)
            if stopped is not None:
                captures[stopped].kill(signal.SIGSTOP)
            work(ends.client)
            if stopped is not None:
                captures[stopped].kill(signal.SIGCONT)
                time.sleep(1.5)  # of the capture's own time: what ends sooner may not have come
                greet(ends.client, 1)
            # The router last: what it does not pass on because it has ended would be lost, and not be in its record.
            self.data = [capture.end().out for capture in captures]
            self.truth = ends.truth() if kernel is None else {}
            sock.close()
            datagrams.close()
        finally:
            ends.close()
        self.paths = [directory / "client.tar", directory / "server.tar"]
        for path, data in zip(self.paths, self.data):
            path.write_bytes(data)

    def page(self):
        return run("summary", *self.paths, timeout=60).out.decode("ascii")


def together(paths, status=0):
    result = run("summary", "--json", *paths, timeout=60)
    assert result.status == status, result.err
    both = check_together(json.loads(result.out))
    page = run("summary", *paths, timeout=60).out.decode("ascii")
    assert max(map(len, page.splitlines())) <= 100
    return both


def ends_of(row):
    return (row["connection"]["from"], row["connection"]["to"], row["sequence"], row["bytes"])


def truth_of(rows):
    return sorted((f"{source}:{port}", f"{target}:{other}", sequence, length) for source, port, target, other, sequence, length in rows)


def kinds(both):
    return [finding["kind"] for finding in both["findings"]]


def named(between, kind):
    return sorted(ends_of(row) for row in between["only_in_one"] if row["kind"] == kind)


def rewritten(path, target, name, change):
    """The same capture with other packets: change gets a record's time and bytes, and gives both, or None."""
    records = []
    for record in Archive(path.read_bytes()).records:
        done = change(record.time, bytearray(record.data))
        if done:
            records.append((done[0] // 10**9, done[0] % 10**9 // 1000, bytes(done[1]), record.length))
    target.with_suffix(".pcap").write_bytes(pcap_of_lengths(sorted(records, key=lambda record: record[:2])))
    target.write_bytes(run("-r", target.with_suffix(".pcap"), "--name", name, timeout=60).out)
    return target


def shifted(path, target, nanoseconds):
    """The same capture by a clock that is off."""
    return rewritten(path, target, "server", lambda time, data: (time + nanoseconds, data))


def pcap_of_lengths(records):
    head = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1)
    return head + b"".join(struct.pack("<IIII", seconds, micro, len(data), length) + data for seconds, micro, data, length in records)


def unconnected(name, count):
    """The same datagram so many times, by a socket that gives no id: it does not say whom to, and must not be cut."""
    sock = in_namespace(name, lambda: socket.socket(type=socket.SOCK_DGRAM))
    sock.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
    with sock:
        for _ in range(count):
            sock.sendto(bytes(41), ("10.8.0.2", 53))
            time.sleep(0.002)
        time.sleep(0.3)
