"""TCP segments and UDP datagrams of one's own making, on every link type, and what --first has to keep of them."""

import struct

from odd import EN10MB, IPV4, LOOP, NULL, RAW, SLL, SLL2, ethertype, ipv4, ipv6
from wire import MAC_A, MAC_B

SYN, RST, PSH, ACK = 2, 4, 8, 16
LINKS = (EN10MB, NULL, RAW, LOOP, SLL, IPV4, SLL2)
TAG = b"\x81\0\0\5"


def tcp(sequence, payload=b"", flags=ACK, ports=(4000, 443), options=b""):
    return struct.pack("!HHIIBBHHH", *ports, sequence & 0xffffffff, 2, 5 + len(options) // 4 << 4, flags, 65535, 0,
                       0) + options + payload


def udp(payload=b"", ports=(4000, 5000)):
    return struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload


def dns(code, answer=True):
    """A message of 12 bytes."""
    return struct.pack("!HHHHHH", 7, (0x8180 if answer else 0x0100) | code, 0, 0, 0, 0)


def linked(packet, link=EN10MB, tag=b""):
    """An IP packet behind the header of a link type."""
    kind = tag + ethertype(packet)
    if link == EN10MB:
        return MAC_B + MAC_A + kind + packet
    if link == SLL:
        return struct.pack("!HHH8s", 0, 1, 6, MAC_A) + kind + packet
    if link == SLL2:
        return kind[:2] + struct.pack("!HIHBB8s", 0, 2, 1, 0, 6, MAC_A) + kind[2:] + packet
    if link in (NULL, LOOP):
        family = 2 if packet[0] >> 4 == 4 else 10
        return struct.pack("<I" if link == NULL else "!I", family) + packet
    return packet


def over(version, protocol, rest):
    """An IP packet."""
    return ipv4(protocol, rest) if version == 4 else ipv6(protocol, rest)


def frame(rest, protocol=6, version=4, **more):
    return linked(over(version, protocol, rest), **more)
