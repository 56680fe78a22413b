"""Incidents that real sockets play, all at the same time, each with a server's address of its own.

Whose packets are whose says that address: it is in them, or in what an ICMP message quotes.
"""

import concurrent.futures
import contextlib
import socket
import struct
import threading
import time

from capture import Capture
from incidents import client_hello, SECOND
from talk import address, packed
from traffic import query
from wire import MAC_A, MAC_B, Wire, in_namespace

SERVERS = 256  # the first number of a server
PLAYED = {}    # name: (kind, number of its address, function of a Stage); on which stage is that number's business
KEPT_OPEN = 1.0  # seconds that a server keeps an idle connection


def played(kind, stage="servers"):
    def note(function):
        PLAYED[function.__name__] = (kind, SERVERS + 10 + len(PLAYED), function, stage)
        return function
    return note


class Stage:
    """One incident's view of the wire: its address, in one IP version."""

    def __init__(self, wire, version, number):
        self.wire, self.version, self.number = wire, version, number
        self.family = socket.AF_INET if version == 4 else socket.AF_INET6
        self.address = address(version, number)

    def made(self, namespace, kind=socket.SOCK_STREAM):
        made = in_namespace(namespace, lambda: socket.socket(self.family, kind))
        made.settimeout(15)
        return made

    def client(self, kind=socket.SOCK_STREAM, port=80, patience=15):
        client = self.made(self.wire.a, kind)
        client.settimeout(patience)
        client.connect((self.address, port))
        return client

    def listen(self, serve, port=80, kind=socket.SOCK_STREAM):
        """serve(connection) in a thread for each; of datagrams serve(socket)."""
        server = self.made(self.wire.b, kind)
        server.bind((self.address, port))
        server.settimeout(None)
        if kind == socket.SOCK_STREAM:
            server.listen()

        def work():
            with contextlib.suppress(OSError):
                while kind == socket.SOCK_STREAM:
                    peer, _ = server.accept()
                    threading.Thread(target=serve, args=(peer,), daemon=True).start()
                serve(server)
        threading.Thread(target=work, daemon=True).start()


def quiet(function):
    """In a thread, where a connection's end is no failure."""
    def work(*arguments):
        with contextlib.suppress(OSError):
            function(*arguments)
    return work


# --- connections ------------------------------------------------------------------------------------------------

@played("refused")
def refused(stage):
    for _ in range(3):
        with contextlib.suppress(ConnectionRefusedError):
            stage.client(port=81)


@played("reset")
def reset(stage):
    def serve(peer):
        peer.recv(4096)
        peer.sendall(bytes(3000))
        peer.recv(4096)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    stage.listen(quiet(serve))
    for _ in range(2):
        with stage.client() as client, contextlib.suppress(ConnectionResetError):
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            for _ in range(3000):
                client.recv(1)
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            client.recv(1)


@played("zero-window")
def reader_that_sleeps(stage):
    stage.listen(quiet(lambda peer: (peer.sendall(bytes(1 << 20)), peer.close())))
    client = stage.made(stage.wire.a)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    client.connect((stage.address, 80))
    time.sleep(2)
    while client.recv(1 << 16):
        pass


@played("slow-server")
def slow_server(stage):
    stage.listen(quiet(lambda peer: (peer.recv(100), time.sleep(2.5), peer.sendall(b"ok"), peer.close())))
    clients = [stage.client() for _ in range(3)]
    for client in clients:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    for client in clients:
        while client.recv(100):
            pass
        client.close()


@played("idle-timeout")
def keep_alive(stage):
    """The server closes what has been idle; the next request is on its way just then."""
    def serve(peer):
        peer.recv(100)
        peer.sendall(b"ok")
        time.sleep(KEPT_OPEN)
        peer.close()
    stage.listen(quiet(serve))
    clients = [stage.client() for _ in range(3)]
    for client in clients:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        client.recv(100)
    time.sleep(KEPT_OPEN + 0.3)
    for client in clients:
        with contextlib.suppress(OSError):
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")


@played("no-answer")
def black_hole(stage):
    """b throws away what is for this address: whoever asks hears nothing."""
    stage.wire.ip(stage.wire.b, "route", "add", "blackhole", stage.address)
    with contextlib.suppress(OSError):
        stage.client(patience=3.5)


# --- ICMP -------------------------------------------------------------------------------------------------------

@played("icmp-error")
def rejected(stage):
    stage.wire.ip(stage.wire.b, "route", "add", "prohibit", stage.address)
    with contextlib.suppress(OSError):
        stage.client()


@played("icmp-error")
def unreachable(stage):
    stage.wire.ip(stage.wire.b, "route", "add", "unreachable", stage.address)
    with contextlib.suppress(OSError):
        stage.client()


@played("refused")
def udp_refused(stage):
    for _ in range(3):
        with stage.client(socket.SOCK_DGRAM, 8125) as client:
            client.send(b"counter:1|c")
            with contextlib.suppress(ConnectionRefusedError):
                client.recv(1)


# --- names and TLS ----------------------------------------------------------------------------------------------

def ask_for_names(stage, code, after):
    """Three names of a server that answers with a code after so long; None: never."""
    def serve(server):
        while True:
            asked, peer = server.recvfrom(512)
            if after is not None:
                answer = asked[:2] + struct.pack("!H", 0x8180 | code) + asked[4:]
                threading.Timer(after, server.sendto, (answer, peer)).start()
    stage.listen(serve, 53, socket.SOCK_DGRAM)
    for number in range(3):
        with stage.client(socket.SOCK_DGRAM, 53) as client:
            client.settimeout(1.2 if after is None else 10)
            client.send(query(number, f"db{number}.example"))
            with contextlib.suppress(TimeoutError):
                client.recv(512)


@played("dns-unanswered")
def silent_dns(stage):
    ask_for_names(stage, 0, None)


@played("dns-slow")
def slow_dns(stage):
    ask_for_names(stage, 0, 1.1)


@played("dns-failure")
def failing_dns(stage):
    ask_for_names(stage, 2, 0)


def greet(stage, serve):
    stage.listen(quiet(serve), 443)
    for _ in range(2):
        with stage.client(port=443) as client, contextlib.suppress(OSError):
            client.settimeout(1)
            client.sendall(client_hello("web.example"))
            client.recv(100)


@played("tls-failure")
def silent_tls(stage):
    greet(stage, lambda peer: (peer.recv(1000), peer.recv(1000)))


@played("tls-failure")
def tls_alert(stage):
    greet(stage, lambda peer: (peer.recv(1000), peer.sendall(b"\x15\3\3\0\2\2\x28"), peer.close()))


# --- on a wire with ARP, and a receiver with a smaller MTU -----------------------------------------------------------

@played("mtu", "small")
def small_mtu(stage):
    """A receiver drops what is larger than its MTU, although its MSS says otherwise; ICMP never comes."""
    stage.listen(quiet(lambda peer: peer.recv(1 << 16)))
    client = stage.client()
    client.sendall(b"GET / HTTP/1.1\r\n")
    time.sleep(0.2)
    client.sendall(bytes(4000))
    time.sleep(3.5)


@played("arp-unanswered", "small")
def arp_to_nobody(stage):
    with contextlib.suppress(OSError):
        stage.client()


# --- the wires --------------------------------------------------------------------------------------------------

def prepare(wire, small):
    """Two hosts, and the servers' addresses behind b; small: with ARP, and b takes no more than 1300 bytes."""
    for version, mask, end in ((4, "/16", "/32"), (6, "/64", "/128")):
        for name, interface, number in ((wire.a, "tc1", 1), (wire.b, "tc0", 2)):
            words = ["nodad"] if version == 6 else []
            wire.ip(name, "address", "add", address(version, number) + mask, "dev", interface, *words)
            wire.ip(name, "link", "set", "lo", "up")
        for _, number, _, stage in PLAYED.values():
            if stage == "servers" and not small:
                wire.ip(wire.a, "route", "add", address(version, number) + end, "via", address(version, 2))
        if not small:
            for name, interface, peer, mac in ((wire.a, "tc1", 2, MAC_B), (wire.b, "tc0", 1, MAC_A)):
                wire.ip(name, "neigh", "replace", address(version, peer), "lladdr", mac.hex(":"), "dev", interface)
    wire.within(wire.b, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
    wire.within(wire.b, "sh", "-c", "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit; echo 0 > /proc/sys/net/ipv6/icmp/ratelimit")


def answer_for(wire, version, name, number, small):
    """b has the incident's address, unless nobody is to have it."""
    if name not in ("arp_to_nobody", "black_hole", "rejected", "unreachable"):
        words = ["nodad"] if version == 6 else []
        wire.ip(wire.b, "address", "add", address(version, number) + ("/32" if version == 4 else "/128"), "dev", "tc0" if small else "lo", *words)


def make_small(wire):
    wire.ip(wire.a, "link", "set", "tc1", "arp", "on")
    wire.ip(wire.b, "link", "set", "tc0", "arp", "on")
    wire.ip(wire.a, "link", "set", "tc1", "gso_max_segs", "1")


def shrink(wire):
    """Routes keep saying 1500, so the MSS does too."""
    wire.ip(wire.b, "link", "set", "tc0", "mtu", "1300")
    for version, mask in ((4, "/32"), (6, "/128")):
        wire.ip(wire.b, "route", "replace", address(version, 1) + mask, "dev", "tc0", "advmss", "1460" if version == 4 else "1440")


def play_on(small):
    """{(name, version): frames}, of all incidents of one wire, which play at the same time."""
    wire = Wire(ipv6=True)
    try:
        if small:
            make_small(wire)
        prepare(wire, small)
        chosen = [(name, number, function, version) for name, (_, number, function, stage) in PLAYED.items()
                  for version in (4, 6) if (stage == "small") == small]
        for name, number, _, version in chosen:
            answer_for(wire, version, name, number, small)
        if small:
            shrink(wire)
        capture = Capture(wire, namespace=wire.a, interface="tc1")
        threads = [threading.Thread(target=function, args=(Stage(wire, version, number),))
                   for _, number, function, version in chosen]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        records = capture.end().whole().records
        return {(name, version): [(record.time, bytes(record.data)) for record in records if packed(version, number) in record.data]
                for name, number, _, version in chosen}
    finally:
        wire.close()


def play():
    with concurrent.futures.ThreadPoolExecutor() as pool:
        large, small = pool.map(play_on, (False, True))
    return large | small


def at(frames, background):
    """The background's frames, moved so that these lie within."""
    shift = frames[0][0] - background[0][0] - SECOND
    return [(time_ + shift, frame) for time_, frame in background]
