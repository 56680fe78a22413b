"""Odd packets: of every link type, with every header, sound and unsound; datagrams and pings of the kernel's own."""

import socket
import struct

from wire import MAC_A, in_namespace

EN10MB, NULL, RAW, LOOP, SLL, IPV4, SLL2, IEEE802_11 = 1, 0, 101, 108, 113, 228, 276, 105
PAYLOAD = b"payload!" * 25


def ipv4(protocol, rest, fragment=0, options=b"", words=None):
    first = 0x40 | (words if words is not None else 5 + len(options) // 4)
    return struct.pack("!BBHHHBBH4s4s", first, 0, 20 + len(options) + len(rest), 7, fragment, 64, protocol, 0,
                       bytes((10, 9, 0, 1)), bytes((10, 9, 0, 2))) + options + rest


def ipv6(following, rest):
    return struct.pack("!IHBB16s16s", 6 << 28, len(rest), following, 64, b"\xfd" + bytes(14) + b"\1",
                       b"\xfd" + bytes(14) + b"\2") + rest


def tcp(options=b"", words=None):
    words = 5 + len(options) // 4 if words is None else words
    return struct.pack("!HHIIBBHHH", 4000, 443, 1, 2, words << 4, 16, 65535, 0, 0) + options + PAYLOAD


def extension(following, units=0):
    return bytes((following, units, 1, 4 + 8 * units)) + bytes(4 + 8 * units)


def fragment_header(following, offset, more=0):
    return struct.pack("!BBHI", following, 0, offset << 3 | more, 42)


UDP = struct.pack("!HHHH", 4000, 53, 8 + len(PAYLOAD), 0) + PAYLOAD
AH = struct.pack("!BBHII", 17, 4, 0, 1, 2) + bytes(12)
STAMPS = struct.pack("!BBBBII", 1, 1, 8, 10, 1, 2)
# Too small a length, twice; more extension headers than any program without loops follows.
UNSOUND_TCP, UNSOUND_IPV4 = tcp(words=3), ipv4(17, UDP, words=4)
TOO_MANY = extension(60) * 6 + extension(17) + UDP
ODD_IP = [
    ipv4(6, tcp()), ipv4(6, tcp(STAMPS)), ipv4(6, tcp(STAMPS * 3 + b"\1\1\1\1")), ipv4(6, UNSOUND_TCP),
    ipv4(6, tcp(), options=b"\x94\4\0\0" * 10), ipv4(17, UDP), ipv4(136, UDP), UNSOUND_IPV4,
    ipv4(132, struct.pack("!HHII", 1, 2, 3, 4) + bytes((0, 3, 0, 100)) + bytes(12) + PAYLOAD), ipv4(50, UDP),
    ipv4(51, AH + UDP), ipv4(47, PAYLOAD), ipv4(4, ipv4(17, UDP)), ipv4(41, ipv6(17, UDP)), ipv4(89, PAYLOAD),
    ipv4(17, UDP, fragment=0x2000), ipv4(17, PAYLOAD, fragment=0x00b9), ipv4(6, PAYLOAD, 0x20b9, b"\1\1\1\0"),
    *(ipv4(1, bytes((kind, 1, 0, 0, 0, 0, 0, 0)) + ipv4(6, tcp(), options=b"\1\1\1\0"))
      for kind in (0, 3, 4, 5, 8, 9, 11, 12, 13)),
    ipv6(6, tcp(STAMPS)), ipv6(17, UDP), ipv6(59, PAYLOAD), ipv6(135, PAYLOAD), ipv6(50, PAYLOAD),
    ipv6(0, extension(17) + UDP), ipv6(60, b"\x11\xff" + PAYLOAD), ipv6(51, AH + UDP),
    ipv6(0, extension(60) + extension(43, 2) + extension(44, 2) + fragment_header(51, 0, 1) + AH[:0] +
         bytes((60,)) + AH[1:] + extension(6) + tcp(STAMPS)),
    ipv6(60, TOO_MANY), ipv6(44, fragment_header(6, 1) + PAYLOAD),
    ipv6(44, fragment_header(6, 0, 1) + tcp()), ipv6(0, extension(44) + fragment_header(17, 100, 1) + PAYLOAD),
    *(ipv6(58, bytes((kind, 0, 0, 0, 0, 0, 0, 0)) + ipv6(17, UDP)) for kind in (1, 2, 3, 4, 127, 128, 129, 134, 135)),
]
ARP = bytes.fromhex("0001080006040001") + MAC_A + bytes((10, 9, 0, 1)) + bytes(6) + bytes((10, 9, 0, 2)) + PAYLOAD


def ethertype(packet):
    return b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"


# An ethertype and what follows it.
TYPED = ([ethertype(packet) + packet for packet in ODD_IP] +
         [tags + ethertype(packet) + packet for packet in ODD_IP[::5]
          for tags in (b"\x81\0\0\5", b"\x88\xa8\0\5\x81\0\0\6", b"\x88\xa8\0\5\x91\0\0\6\x81\0\0\7")] +
         [b"\x08\x06" + ARP, b"\x81\0\0\5\x08\x06" + ARP, b"\x08\0\x55" + PAYLOAD, b"\x88\x47" + PAYLOAD,
          b"\x88\xb5" + PAYLOAD, b"\0\x26\x42\x42\3" + PAYLOAD, b"\x86\xdd" + bytes(50)])


def datagrams(namespace, family, address, options=()):
    """To a port where somebody listens, to one where nobody does, in fragments, and with IPv6 extension headers."""
    def send():
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.sendto(PAYLOAD, (address, 5000))
            sock.sendto(PAYLOAD, (address, 5001))
            sock.sendto(PAYLOAD * 30, (address, 5000))
            for option, value in options:
                sock.setsockopt(socket.IPPROTO_IPV6, option, value)
                sock.sendto(PAYLOAD, (address, 5000))
                sock.sendto(PAYLOAD * 30, (address, 5000))
    in_namespace(namespace, send)


def ping(namespace, family, address):
    def send():
        protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
        with socket.socket(family, socket.SOCK_RAW, protocol) as sock:
            body = bytes((8 if family == socket.AF_INET else 128, 0)) + b"\0\0\0\1\0\1" + PAYLOAD
            total = sum(struct.unpack(f"!{len(body) // 2}H", body))
            total = (total & 0xffff) + (total >> 16)
            sock.sendto(body[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + body[4:], (address, 0))
            sock.settimeout(5)
            sock.recv(2000)
    in_namespace(namespace, send)
