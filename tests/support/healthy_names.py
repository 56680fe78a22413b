"""Traffic with nothing wrong in it: names, TLS, ICMP, neighbours, datagrams. healthy.py has connections, and the files."""

import struct

from incidents import SECOND, arp, client_hello, dns, icmp
from talk import ACK, MS, PSH, Connection
from traffic import query
from wire import MAC_A, MAC_B

HEALTHY = {}


def healthy(function):
    HEALTHY[function.__name__] = function
    return function


# --- names, TLS -------------------------------------------------------------------------------------------------

@healthy
def names(tape):
    for number in range(30):
        dns(tape, number, f"n{number % 5}.example", after=(2 + number % 40) * MS)
        tape.wait(100 * MS)


@healthy
def no_reverse_name(tape):
    for number in range(5):
        asked = query(number, "1.0.9.10.in-addr.arpa")[:-4] + b"\0\x0c\0\1"
        tape.udp(1, 41000 + number, 53, 53, asked)
        tape.wait(3 * MS)
        tape.udp(53, 53, 1, 41000 + number, asked[:2] + b"\x81\x83" + asked[4:])


@healthy
def name_with_one_ending(tape):
    for number in range(0, 10, 2):
        dns(tape, number, "web.shop.svc.cluster.local", code=0)
        dns(tape, number + 1, "db.other.shop.svc.cluster.local", code=3)
        dns(tape, number + 20, "db.other.svc.cluster.local", code=0)


@healthy
def multicast_names(tape):
    for number in range(4):
        tape.udp(1, 5353, 99, 5353, query(0, "printer.local"))
        tape.udp(1, 50000 + number, 98, 5355, query(number, "wpad"))
        tape.wait(SECOND)


@healthy
def cut_answer_then_tcp(tape):
    asked = query(7, "big.example")
    tape.udp(1, 41000, 53, 53, asked)
    tape.wait(MS)
    tape.udp(53, 53, 1, 41000, asked[:2] + b"\x83\x80" + asked[4:])
    connection = Connection(tape, server=53, port=53).open()
    connection.segment(0, ACK | PSH, struct.pack("!H", len(asked)) + asked)
    tape.wait(MS)
    connection.segment(1, ACK | PSH, struct.pack("!H", len(asked)) + asked[:2] + b"\x81\x80" + asked[4:])
    connection.segment(0)
    connection.close()


@healthy
def asked_at_the_end(tape):
    dns(tape, 1, "web.example")
    tape.wait(SECOND)
    dns(tape, 2, "web.example", after=None)


def tls(tape, port, pieces):
    connection = Connection(tape, port=443, client_port=port).open()
    hello = client_hello("web.example")
    for at in range(0, len(hello), pieces):
        connection.segment(0, ACK | PSH, hello[at:at + pieces])
    tape.wait(MS)
    connection.segment(1, ACK | PSH, b"\x16\3\3\x05\0\2\0\0\x56\3\3" + bytes(1200))
    connection.segment(0)
    connection.segment(0, ACK | PSH, b"\x17\3\3\0\x20" + bytes(32))
    connection.segment(1, ACK | PSH, b"\x17\3\3\0\x20" + bytes(32))
    connection.segment(0)
    connection.segment(0, ACK | PSH, b"\x15\3\3\0\x02\1\0")  # close_notify
    connection.close()


@healthy
def handshakes(tape):
    for port in range(40001, 40006):
        tls(tape, port, 2000)


@healthy
def handshakes_in_pieces(tape):
    for port in range(40001, 40006):
        tls(tape, port, 40)


# --- ICMP, neighbours, others -------------------------------------------------------------------------------------

@healthy
def traceroute(tape):
    version4 = tape.version == 4
    for hop in range(1, 9):
        tape.udp(1, 45000, 2, 33434 + hop, bytes(32))
        sent = tape.frames[-1][1]
        tape.wait(5 * MS)
        kind, code = ((11, 0) if version4 else (3, 0)) if hop < 8 else ((3, 3) if version4 else (1, 4))
        icmp(tape, 200 + hop if hop < 8 else 2, 1, kind, code, sent)


@healthy
def ping(tape):
    for number in range(5):
        for kind, one, other in (((8, 0) if tape.version == 4 else (128, 129))[0], 1, 2), (0 if tape.version == 4 else 129, 2, 1):
            tape.ip(one, other, 1 if tape.version == 4 else 58, struct.pack("!BBHHH", kind, 0, 0, 77, number) + bytes(56))
            tape.wait(MS)
        tape.wait(SECOND)


@healthy
def learns_the_mtu(tape):
    """Too big, said once; from then on smaller."""
    connection = Connection(tape).open()
    connection.send(0, 200)
    first = connection.segment(1, ACK | PSH, bytes(1448))
    icmp(tape, 254, 2, *((3, 4) if tape.version == 4 else (2, 0)), tape.frames[-1][1], struct.pack("!I", 1400))
    tape.wait(2 * MS)
    connection.segment(1, ACK, bytes(1348), sequence=first)
    connection.segment(1, ACK | PSH, bytes(100), sequence=first + 1348)
    tape.wait(MS)
    connection.segment(0)
    connection.mss = 1348
    connection.send(1, 100_000)
    connection.close()


@healthy
def late_answer(tape):
    """Who asked has gone when the answer comes."""
    dns(tape, 1, "web.example", after=30 * MS)
    icmp(tape, 1, 53, *((3, 3) if tape.version == 4 else (1, 4)), tape.frames[-1][1])


@healthy
def neighbours(tape):
    for number in range(2, 9):
        arp(tape, 1, MAC_A, number)
        tape.wait(MS)
        arp(tape, number, MAC_B[:-1] + bytes([number + 8]), 1, reply=True)
        tape.wait(20 * SECOND)


@healthy
def others_ask(tape):
    for _ in range(3):
        for number in range(20, 40):
            arp(tape, number, MAC_B[:-1] + bytes([number]), number + 60)
        tape.wait(20 * SECOND)


@healthy
def a_pair_of_which_one_asks(tape):
    """Which of the two was captured? The answer may have gone to the other one."""
    Connection(tape, client=1, server=2).open().ask()
    for _ in range(2):
        arp(tape, 2, MAC_B, 77)
        tape.wait(SECOND)


@healthy
def cookie_first(tape):
    """A code that only says: once more, with the cookie (RFC 7873)."""
    dns(tape, 1, "web.example", code=7)
    dns(tape, 2, "web.example")


@healthy
def hello_and_gone(tape):
    connection = Connection(tape, port=443).open()
    connection.segment(0, ACK | PSH, client_hello("web.example"))
    tape.wait(MS)
    connection.segment(1)
    connection.close()


@healthy
def moved_once(tape):
    """A virtual address goes to another host, as keepalived does it."""
    for last in (10, 11):
        for _ in range(2):
            arp(tape, 77, MAC_B[:-1] + bytes([last]), 1, reply=True)
            tape.wait(30 * SECOND)


@healthy
def datagrams_one_way(tape):
    for number in range(50):
        tape.udp(1, 40000, 2, 8125, b"counter:1|c")
        tape.wait(100 * MS)


@healthy
def calls(tape):
    for _ in range(100):
        tape.udp(1, 16384, 2, 16390, bytes(172))
        tape.udp(2, 16390, 1, 16384, bytes(172))
        tape.wait(20 * MS)
