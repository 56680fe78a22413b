"""Two network namespaces, and a router between them in user space that loses, rewrites and makes packets on command.

What it did is its own record, and the truth of the tests: of each packet that it dropped or made, the ends, sequence number
and bytes. Run as a program, it is the router: between.py ROUTER ORDERS, with JSON orders; it prints what it did as JSON.
"""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

from process import OWN, sh, start_process
from wire import in_namespace, raw_socket

PROGRAM = __file__
ETHERNET, MTU = 14, 1500
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


# --- packets ----------------------------------------------------------------------------------------------------

def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Segment:
    """A TCP segment in an IPv4 packet without options, taken apart and put together again."""

    def __init__(self, frame):
        ip = frame[ETHERNET:]
        self.ethernet, self.head = frame[:ETHERNET], bytearray(ip[:20])
        tcp = ip[20:struct.unpack("!H", ip[2:4])[0]]
        self.source, self.target = bytes(ip[12:16]), bytes(ip[16:20])
        self.ports = list(struct.unpack("!HH", tcp[:4]))
        self.sequence, self.acknowledged = struct.unpack("!II", tcp[4:12])
        size = (tcp[12] >> 4) * 4
        self.flags, self.rest = tcp[13], bytes(tcp[14:16])
        self.options, self.payload = bytearray(tcp[20:size]), bytes(tcp[size:])

    def pieces(self):
        """As a network card makes them of what is longer than the MTU."""
        room = MTU - 40 - len(self.options)
        first = struct.unpack("!H", self.head[4:6])[0]
        for number, at in enumerate(range(0, max(1, len(self.payload)), room)):
            yield at, self.payload[at:at + room], (first + number) & 0xffff

    def packed(self, at=0, payload=None, identity=None, flags=None):
        payload = self.payload if payload is None else payload
        tcp = struct.pack("!HHII", *self.ports, (self.sequence + at) & 0xffffffff, self.acknowledged)
        tcp += bytes(((20 + len(self.options)) // 4 << 4, self.flags if flags is None else flags)) + self.rest + bytes(4)
        tcp += bytes(self.options) + payload
        pseudo = self.source + self.target + struct.pack("!HH", 6, len(tcp))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
        head = bytearray(self.head)
        head[2:4] = struct.pack("!H", 20 + len(tcp))
        if identity is not None:
            head[4:6] = struct.pack("!H", identity)
        head[8] -= 1
        head[10:12], head[12:16], head[16:20] = b"\0\0", self.source, self.target
        head[10:12] = struct.pack("!H", checksum(bytes(head)))
        return self.ethernet + bytes(head) + tcp

    def clamp(self, most):
        at = 0
        while at < len(self.options) and self.options[at]:
            if self.options[at] == 2:
                mss = min(most, struct.unpack("!H", self.options[at + 2:at + 4])[0])
                self.options[at + 2:at + 4] = struct.pack("!H", mss)
            at += 1 if self.options[at] == 1 else self.options[at + 1]


class Datagram:
    """UDP in an IPv4 packet without options, the same."""

    def __init__(self, frame):
        ip = frame[ETHERNET:]
        self.ethernet, self.head = frame[:ETHERNET], bytearray(ip[:20])
        udp = ip[20:struct.unpack("!H", ip[2:4])[0]]
        self.source, self.target = bytes(ip[12:16]), bytes(ip[16:20])
        self.ports, self.payload = list(struct.unpack("!HH", udp[:4])), bytes(udp[8:])
        self.sequence = struct.unpack("!H", ip[4:6])[0]

    def packed(self):
        udp = struct.pack("!HHHH", *self.ports, 8 + len(self.payload), 0) + self.payload
        head = bytearray(self.head)
        head[8] -= 1
        head[10:12], head[12:16], head[16:20] = b"\0\0", self.source, self.target
        head[10:12] = struct.pack("!H", checksum(bytes(head)))
        return self.ethernet + bytes(head) + udp


# --- the router ---------------------------------------------------------------------------------------------------

class Router:
    """orders, each for every so many: drop (of those with data from the client, or from side 1), acks (without data, from the
    server), datagrams (UDP, each way), forged (the same: one more to the server), late (of those with data, which are kept back),
    resets (connections); nat, mss; kept: seconds that all is kept back."""

    def __init__(self, sockets, macs, orders):
        self.sockets, self.macs, self.orders = sockets, macs, orders
        self.dropped, self.made = [], []
        self.datagrams, self.counts, self.acks, self.late = [], [0, 0], 0, 0
        self.data, self.seen, self.reset = 0, set(), set()
        self.kept = []  # when, to which side, what
        self.nat = [socket.inet_aton(address) for address in orders.get("nat", [])]

    def translate(self, segment, side):
        if not self.nat:
            return
        client, outside, shift = *self.nat[:2], 1000
        if side == 0 and segment.source == client:
            segment.source, segment.ports[0] = outside, segment.ports[0] ^ shift
        elif side == 1 and segment.target == outside:
            segment.target, segment.ports[1] = client, segment.ports[1] ^ shift

    def note(self, segment, at, length):
        return [socket.inet_ntoa(segment.source), segment.ports[0], socket.inet_ntoa(segment.target), segment.ports[1],
                (segment.sequence + at) & 0xffffffff, length]

    def wants_drop(self, segment, at, payload):
        """Never what was sent before: so each is sent again, once."""
        key = (segment.ports[0], segment.sequence + at)
        if not payload or not self.orders.get("drop") or len(self.dropped) >= self.orders.get("drops", 1 << 30) or key in self.seen:
            return False
        self.seen.add(key)
        self.data += 1
        return self.data % self.orders["drop"] == 0

    def inject(self, segment):
        """To the client, in the server's name."""
        connection = (*segment.ports, segment.acknowledged)  # ports come again
        if not self.orders.get("resets") or not segment.payload or connection in self.reset:
            return
        self.reset.add(connection)
        forged = Segment(self.sockets_frame(segment))
        forged.source, forged.target = segment.target, segment.source
        forged.ports = segment.ports[::-1]
        forged.sequence, forged.acknowledged = segment.acknowledged, (segment.sequence + len(segment.payload)) & 0xffffffff
        forged.options, forged.payload = bytearray(), b""
        self.made.append(self.note(forged, 0, 0))
        self.send(0, forged.packed(flags=RST | ACK))

    @staticmethod
    def sockets_frame(segment):
        return segment.packed()

    def send(self, side, frame):
        if self.orders.get("kept"):
            self.kept.append((time.monotonic() + self.orders["kept"], side, frame))
        else:
            self.put(side, frame)

    def put(self, side, frame):
        self.sockets[side].send(self.macs[side] + frame[12:])

    def pass_datagram(self, side, frame):
        original, datagram = Datagram(frame), Datagram(frame)
        self.counts[side] += 1
        if self.orders.get("datagrams") and self.counts[side] % self.orders["datagrams"] == 0 and \
                len(self.datagrams) < self.orders.get("drops", 1 << 30):
            self.datagrams.append(self.note(original, 0, len(original.payload)))
            return
        self.translate(datagram, side)
        self.send(1 - side, datagram.packed())
        if side == 0 and self.orders.get("forged") and self.counts[side] % self.orders["forged"] == 0:
            datagram.payload = datagram.payload[::-1]
            datagram.head[4:6] = struct.pack("!H", datagram.sequence ^ 0x8000)
            datagram.sequence ^= 0x8000
            self.made.append(self.note(datagram, 0, len(datagram.payload)))
            self.send(1, datagram.packed())

    def wants_ack_drop(self, side, segment):
        if side == 0 or not self.orders.get("acks") or segment.payload or segment.flags != ACK:
            return False
        self.acks += 1
        return self.acks % self.orders["acks"] != 0

    def is_late(self, side, segment):
        """Never what was sent before, as above."""
        key = (segment.ports[0], segment.sequence)
        if side != 0 or not self.orders.get("late") or not segment.payload or key in self.seen:
            return False
        self.seen.add(key)
        self.late += 1
        return self.late % self.orders["late"] == 0

    def release(self):
        while self.kept and self.kept[0][0] <= time.monotonic():
            self.put(*self.kept.pop(0)[1:])

    def forward(self, side, frame):
        if frame[12:14] != b"\x08\x00":
            return
        if frame[ETHERNET + 9] == 17:
            self.pass_datagram(side, frame)
        if frame[ETHERNET + 9] != 6:
            return
        segment = Segment(frame)
        if side == 0 and segment.flags & ACK:
            self.inject(segment)
        original = Segment(frame)
        if self.orders.get("mss") and segment.flags & SYN:
            segment.clamp(self.orders["mss"])
        if self.wants_ack_drop(side, original):
            return
        self.translate(segment, side)
        for at, payload, identity in segment.pieces():
            if side == self.orders.get("side", 0) and self.wants_drop(original, at, payload):
                self.dropped.append(self.note(original, at, len(payload)))
                continue
            last = at + len(payload) == len(segment.payload)
            packed = segment.packed(at, payload, identity, segment.flags & (0xff if last else ~(FIN | PSH)))
            if self.is_late(side, segment):
                self.kept.append((time.monotonic() + 1, 1 - side, packed))
            else:
                self.send(1 - side, packed)


def route(orders):
    orders = json.loads(orders)
    sockets = []
    for name in ("r0", "r1"):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        sock.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        sock.bind((name, 0))
        sockets.append(sock)
    router = Router(sockets, [bytes.fromhex(mac.replace(":", "")) for mac in orders["macs"]], orders)
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    print("ready", flush=True)
    while not ended:
        router.release()
        for sock in select.select(sockets, [], [], 0.002 if router.kept else 0.2)[0]:
            frame, address = sock.recvfrom(1 << 17)
            if address[2] != socket.PACKET_OUTGOING:
                router.forward(sockets.index(sock), frame)
    print(json.dumps({"dropped": router.dropped, "made": router.made, "datagrams": router.datagrams}), flush=True)


# --- the namespaces -------------------------------------------------------------------------------------------------

class Ends:
    """client - router - server: 10.7.0.1 and 10.8.0.2, each with the interface e0."""

    count = 0

    def __init__(self):
        Ends.count += 1
        self.client, self.router, self.server = (f"te{OWN}-{Ends.count}{end}" for end in "crs")
        self.names = (self.client, self.router, self.server)
        for name in self.names:
            sh("ip", "netns", "add", name)
            self.within(name, "sh", "-c", "echo 1 | tee /proc/sys/net/ipv6/conf/*/disable_ipv6")
        self.macs = []
        for number, (name, address, route) in enumerate(((self.client, "10.7.0.1", "10.8.0.0"), (self.server, "10.8.0.2", "10.7.0.0"))):
            sh("ip", "link", "add", "e0", "netns", name, "type", "veth", "peer", "name", f"r{number}", "netns", self.router)
            mac, gateway = f"02:00:00:00:07:0{number + 1}", f"02:00:00:00:08:0{number + 1}"
            sh("ip", "-n", name, "link", "set", "e0", "address", mac, "up")
            sh("ip", "-n", self.router, "link", "set", f"r{number}", "address", gateway, "promisc", "on", "up")
            sh("ip", "-n", name, "address", "add", f"{address}/24", "dev", "e0")
            sh("ip", "-n", name, "neigh", "replace", address.rpartition(".")[0] + ".254", "lladdr", gateway, "dev", "e0")
            sh("ip", "-n", name, "route", "add", "default", "via", address.rpartition(".")[0] + ".254")
            self.macs.append(mac.replace(":", "") + gateway.replace(":", ""))

    @staticmethod
    def within(name, *command, **more):
        return sh("nsenter", f"--net=/run/netns/{name}", *command, **more)

    def route(self, **orders):
        command = ["nsenter", f"--net=/run/netns/{self.router}", sys.executable, "-B", PROGRAM, json.dumps(orders | {"macs": self.macs})]
        self.process = start_process(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def forward(self, commands):
        """By the kernel instead, after these commands in the router's namespace."""
        sh("image/need", "iptables", timeout=300)
        for number in range(2):
            sh("ip", "-n", self.router, "address", "add", f"10.{7 + number}.0.254/24", "dev", f"r{number}")
        self.within(self.router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv4/icmp_ratelimit")
        for command in commands:
            self.within(self.router, *command)

    def truth(self):
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=20)
        return json.loads(out)

    def close(self):
        for name in self.names:
            sh("ip", "netns", "del", name, check=False)


if __name__ == "__main__":
    route(sys.argv[1])
