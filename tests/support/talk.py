"""Packets as two hosts would have sent them, made without a kernel: addresses of either IP version, TCP with its numbers."""

import socket
import struct

from archive import pcap_file
from wire import MAC_A, MAC_B

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MS = 10**6  # ns
START = 1_800_000_000 * 10**9
TCP, UDP = 6, 17


def address(version, number):
    """Host number of the tests' network."""
    return f"10.9.{number >> 8}.{number & 255}" if version == 4 else f"fd00:9::{number:x}"


def packed(version, number):
    return socket.inet_pton(socket.AF_INET if version == 4 else socket.AF_INET6, address(version, number))


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def ip(version, source, to, protocol, upper, ttl=64):
    if version == 4:
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(upper), 0, 0x4000, ttl, protocol, 0, packed(4, source),
                           packed(4, to))
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + upper
    return struct.pack("!IHBB", 6 << 28, len(upper), protocol, ttl) + packed(6, source) + packed(6, to) + upper


def ethernet(packet, mac=MAC_A, to=MAC_B):
    return to + mac + (b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd") + packet


class Tape:
    """Frames with their times, in whatever order they were made."""

    def __init__(self, version=4, start=START):
        self.version, self.now, self.frames = version, start, []

    def wait(self, nanoseconds):
        self.now += nanoseconds

    def add(self, frame, interface=0):
        self.frames.append((self.now, frame))

    def ip(self, source, to, protocol, upper, ttl=64):
        self.add(ethernet(ip(self.version, source, to, protocol, upper, ttl)))

    def udp(self, source, source_port, to, port, payload):
        self.ip(source, to, UDP, struct.pack("!HHHH", source_port, port, 8 + len(payload), 0) + payload)

    def pcap(self, *others, keep=None):
        return pcap_of(self.frames, *(other.frames for other in others), keep=keep)


def pcap_of(*lists, keep=None):
    """A file of all frames by time; keep: how many bytes of each are stored."""
    frames = sorted((frame for frames in lists for frame in frames), key=lambda frame: frame[0])
    return pcap_file([(time // 10**9, time % 10**9, frame[:keep], len(frame)) for time, frame in frames], nano=True)


class Side:
    def __init__(self, number, port, sequence, ttl):
        self.number, self.port, self.sequence, self.ttl, self.window = number, port, sequence, ttl, 64240


class Connection:
    """A TCP connection on a tape: client (0) and server (1). delay: one way, in ns; what is lost is not on the tape."""

    def __init__(self, tape, client=1, server=2, port=80, client_port=40000, delay=MS // 10, first=(1000, 9000), mss=1448, ttl=64):
        self.tape, self.delay, self.mss = tape, delay, mss
        self.sides = (Side(client, client_port, first[0], 64), Side(server, port, first[1], ttl))

    def segment(self, side, flags=ACK, payload=b"", sequence=None, lost=False, ttl=None, window=None, options=b"", acknowledged=None):
        """Without a sequence it is the next one; with one it has been sent before."""
        ours, theirs = self.sides[side], self.sides[not side]
        number = ours.sequence if sequence is None else sequence
        if acknowledged is None:
            acknowledged = theirs.sequence if flags & ACK else 0
        if not lost:
            header = struct.pack("!HHIIBBHHH", ours.port, theirs.port, number & 0xffffffff, acknowledged & 0xffffffff,
                                 (5 + len(options) // 4) << 4, flags, ours.window if window is None else window, 0, 0)
            self.tape.ip(ours.number, theirs.number, TCP, header + options + payload, ttl or ours.ttl)
        if sequence is None:
            ours.sequence += len(payload) + bool(flags & SYN) + bool(flags & FIN)
        return number

    def open(self):
        options = struct.pack("!BBHBBBBBB", 2, 4, self.mss, 4, 2, 1, 3, 3, 7) + b"\1\1"
        self.segment(0, SYN, options=options)
        self.tape.wait(self.delay)
        self.segment(1, SYN | ACK, options=options)
        self.tape.wait(self.delay)
        self.segment(0)
        return self

    def send(self, side, size, payload=b"x", acknowledge=True):
        """So many bytes in segments of the MSS, each second one acknowledged, and the last."""
        data = (payload * (size // len(payload) + 1))[:size]
        for number, at in enumerate(range(0, size, self.mss)):
            self.segment(side, ACK | PSH, data[at:at + self.mss])
            if acknowledge and (number % 2 or at + self.mss >= size):
                self.tape.wait(self.delay)
                self.segment(not side)

    def ask(self, answer=500, think=MS, request=120):
        self.send(0, request)
        self.tape.wait(think)
        self.send(1, answer)

    def close(self, first=0):
        for side in (first, not first):
            self.segment(side, FIN | ACK)
            self.tape.wait(self.delay)
        self.segment(first)


def background(count=1000, version=4):
    """Healthy connections of many clients to some servers, one after the other, some at once; for a minute."""
    tape = Tape(version, START)
    for number in range(count):
        tape.now = START + number * 60 * 10**9 // count
        connection = Connection(tape, client=300 + number % 50, server=600 + number % 7, port=(80, 8080, 5432)[number % 3],
                                client_port=20000 + number, first=(number * 7919, number * 104729)).open()
        for _ in range(1 + number % 3):
            connection.ask(answer=200 + number % 5 * 700)
            tape.wait(5 * MS)
        connection.close(number % 2)
    return tape
