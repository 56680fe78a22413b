"""Real traffic with everything in it that one looks for: resets, retransmissions, slow answers, DNS that fails.

Run as a program it captures that with tarcap: traffic.py OUT.tar
"""

import contextlib
import http.server
import socket
import struct
import sys
import threading
import time

from capture import Capture
from process import kill_all_started, wait_until
from wire import MAC_A, MAC_B, Wire, in_namespace

CLIENT, SERVER, NOBODY = "10.9.0.1", "10.9.0.2", "10.9.0.3"
SLOW = 0.6  # seconds
# What the name server answers: (code, seconds until then), or nothing.
NAMES = {"web.example": (0, 0), "slow.example": (0, SLOW), "missing.example": (3, 0), "broken.example": (2, 0),
         "silent.example": None}
RETRANSMITTED = 1.2  # seconds after which a SYN without an answer has been sent a second time


class Web(http.server.BaseHTTPRequestHandler):
    """/slow takes its time; any other page comes at once."""

    def do_GET(self):
        if self.path == "/slow":
            time.sleep(SLOW)
        self.send_response(200 if self.path in ("/", "/slow") else 404)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *_):
        pass

    def handle(self):
        with contextlib.suppress(ConnectionResetError):
            super().handle()


class Names:
    """A name server that knows NAMES."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((SERVER, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                query, peer = self.socket.recvfrom(512)
                threading.Thread(target=self.answer, args=(query, peer), daemon=True).start()

    def answer(self, query, peer):
        answer = NAMES[name_of(query)]
        if answer is None:
            return
        code, seconds = answer
        time.sleep(seconds)
        head = query[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, int(code == 0), 0, 0)
        address = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton(SERVER)
        self.socket.sendto(head + query[12:] + (address if code == 0 else b""), peer)


def query(number, name):
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + question + struct.pack("!HH", 1, 1)


def name_of(message):
    """The name that a DNS message asks for."""
    parts, at = [], 12
    while message[at]:
        parts.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(parts)


def arp():
    """A question of the client for the server's address, which it knows."""
    return (b"\xff" * 6 + MAC_A + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + MAC_A
            + socket.inet_aton(CLIENT) + bytes(6) + socket.inet_aton(SERVER)).ljust(60, b"\0")


def no_room():
    """A receiver's zero window, to an address that the other end throws away."""
    tcp = struct.pack("!HHIIBBHHH", 9000, 80, 1, 1, 0x50, 0x10, 0, 0, 0)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, socket.inet_aton(CLIENT), socket.inet_aton("127.0.0.9"))
    return MAC_B + MAC_A + b"\x08\x00" + (ip + tcp).ljust(46, b"\0")


class Scene:
    """A web server, a name server and an SSH server at 10.9.0.2 on a wire, and one who talks to them from 10.9.0.1."""

    def __init__(self, wire):
        self.wire = wire
        wire.addresses()
        # To nobody's address: the client would send it on where forwarding is on, as it is beside a container engine.
        wire.ip(wire.b, "neigh", "replace", NOBODY, "lladdr", "02:00:00:00:00:03", "dev", "tc0")
        self.web = in_namespace(wire.b, lambda: http.server.ThreadingHTTPServer((SERVER, 80), Web))
        self.local = in_namespace(wire.b, lambda: http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Web))
        for server in (self.web, self.local):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.names = in_namespace(wire.b, Names)
        self.ssh = in_namespace(wire.b, lambda: socket.create_server((SERVER, 22)))

    def client(self, port, kind=socket.SOCK_STREAM, namespace=None, address=SERVER):
        def connect():
            made = socket.socket(socket.AF_INET, kind)
            made.settimeout(5)
            made.connect((address, port))
            return made
        return in_namespace(namespace or self.wire.a, connect)

    def get(self, path, **more):
        with self.client(**{"port": 80, **more}) as sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: web.example\r\nConnection: close\r\n\r\n".encode())
            while sock.recv(4096):
                pass

    def ask(self, number, name):
        with self.client(53, socket.SOCK_DGRAM) as sock:
            sock.send(query(number, name))
            if NAMES[name]:
                sock.recv(512)

    def call_nobody(self):
        """A connection out of the server's own pod that nobody answers: the SYN is sent twice."""
        def call():
            with socket.socket() as sock:
                sock.settimeout(RETRANSMITTED)
                with contextlib.suppress(OSError):
                    sock.connect((NOBODY, 8080))
        in_namespace(self.wire.b, call)

    def break_off(self):
        """The client ends a connection with a reset, with a request unanswered."""
        with self.client(80) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(b"GET /slow HTTP/1.1\r\n")

    def play(self):
        """All of it, at the same time where it takes time."""
        waiting = [threading.Thread(target=task) for task in (
            self.call_nobody, lambda: self.get("/slow"), lambda: self.ask(2, "slow.example"))]
        for thread in waiting:
            thread.start()
        self.wire.send([arp(), no_room()])
        for path in ("/", "/missing"):
            self.get(path)
        for number, name in enumerate(NAMES, 10):
            if name != "slow.example":
                self.ask(number, name)
        with self.client(22) as sock:
            sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        with contextlib.suppress(ConnectionRefusedError):
            self.client(81)  # nobody listens: the server's pod refuses it
        self.break_off()
        self.get("/local", port=8080, namespace=self.wire.b, address="127.0.0.1")
        for thread in waiting:
            thread.join()

    def close(self):
        for server in (self.web, self.local):
            server.shutdown()
            server.server_close()
        self.names.socket.close()
        self.ssh.close()


def captured(wire, *arguments, interface="tc0"):
    """An archive of all of it."""
    scene = Scene(wire)
    try:
        before = wire.received()
        capture = Capture(wire, *arguments, interface=interface)
        scene.play()
        wait_until(lambda: wire.received() > before)
        return capture.end().whole()
    finally:
        scene.close()


if __name__ == "__main__":
    made = Wire()
    try:
        with open(sys.argv[1], "wb") as file:
            file.write(captured(made).data)
    finally:
        kill_all_started()
        made.close()
