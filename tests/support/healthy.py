"""Traffic with nothing wrong in it, though it may look so: a function each, of a tape."""

import struct

from incidents import SECOND, arp, client_hello, dns, icmp
from talk import ACK, FIN, MS, PSH, RST, SYN, Connection, Tape, ethernet, ip, pcap_of
from traffic import query
from wire import MAC_A, MAC_B

HEALTHY = {}


def healthy(function):
    HEALTHY[function.__name__] = function
    return function


# --- connections ------------------------------------------------------------------------------------------------

@healthy
def download(tape):
    connection = Connection(tape).open()
    connection.send(0, 120)
    connection.send(1, 300_000)
    connection.close(1)


@healthy
def upload(tape):
    connection = Connection(tape).open()
    connection.send(0, 300_000)
    connection.send(1, 100)
    connection.close()


@healthy
def keep_alive(tape):
    connection = Connection(tape).open()
    for _ in range(6):
        connection.ask()
        tape.wait(10 * SECOND)
    connection.close()


@healthy
def keep_alive_probes(tape):
    connection = Connection(tape).open()
    connection.ask()
    for _ in range(5):
        tape.wait(15 * SECOND)
        connection.segment(0, ACK, sequence=connection.sides[0].sequence - 1)
        tape.wait(MS // 5)
        connection.segment(1)
    connection.ask()
    connection.close()


@healthy
def idle_websocket(tape):
    connection = Connection(tape).open()
    connection.ask()
    for _ in range(3):
        tape.wait(55 * SECOND)
        connection.send(1, 40)
    connection.close()


@healthy
def banner_first(tape):
    connection = Connection(tape, port=22).open()
    connection.send(1, 41)
    connection.send(0, 30)
    connection.send(1, 900)
    connection.close()


@healthy
def port_reuse(tape):
    for number in range(4):
        connection = Connection(tape, first=(1000 + number * 50_000_000, 9000 + number * 70_000_000)).open()
        connection.ask()
        connection.close()
        tape.wait(90 * SECOND)


@healthy
def wrap_around(tape):
    connection = Connection(tape, first=(0xffffff00, 0xfffff000)).open()
    for _ in range(5):
        connection.ask(20_000)
    connection.close()


@healthy
def gso(tape):
    connection = Connection(tape, mss=60_000).open()
    connection.send(0, 120)
    connection.send(1, 1_200_000)
    connection.close(1)


@healthy
def begins_in_the_middle(tape):
    connection = Connection(tape).open()
    connection.send(0, 120)
    del tape.frames[:]
    connection.send(1, 100_000)
    connection.ask()
    connection.close()


@healthy
def ends_in_the_middle(tape):
    connection = Connection(tape).open()
    connection.send(0, 120)
    connection.send(1, 100_000)
    Connection(tape, client_port=40001).open().send(0, 120)


@healthy
def opened_at_the_end(tape):
    Connection(tape).open().ask()
    Connection(tape, client_port=40001).segment(0, SYN)


@healthy
def half_closed(tape):
    connection = Connection(tape).open()
    connection.send(0, 120)
    connection.segment(0, FIN | ACK)
    tape.wait(MS)
    connection.segment(1)
    for _ in range(5):
        tape.wait(SECOND // 2)
        connection.send(1, 3000)
    connection.segment(1, FIN | ACK)
    connection.segment(0)


@healthy
def closed_by_both(tape):
    connection = Connection(tape).open()
    connection.ask()
    connection.segment(0, FIN | ACK)
    connection.segment(1, FIN | ACK, acknowledged=connection.sides[0].sequence - 1)
    tape.wait(MS)
    connection.segment(0)
    connection.segment(1)


@healthy
def reset_after_the_end(tape):
    """A client that does not read what comes behind the end."""
    for port in range(40001, 40006):
        connection = Connection(tape, client_port=port).open()
        connection.ask()
        connection.segment(1, FIN | ACK)
        tape.wait(MS)
        connection.segment(0, RST | ACK)


@healthy
def health_checks(tape):
    """A load balancer that opens and resets, as haproxy does."""
    for port in range(40001, 40020):
        connection = Connection(tape, client_port=port).open()
        connection.segment(0, RST | ACK)
        tape.wait(2 * SECOND)


@healthy
def a_bit_out_of_order(tape):
    connection = Connection(tape).open()
    connection.send(0, 120)
    for number in range(200):
        connection.segment(1, ACK | PSH, bytes(1448))
        tape.wait(MS // 20)
        if number % 100 == 50:
            late, frame = tape.frames.pop(-1)
            connection.segment(1, ACK | PSH, bytes(1448))
            tape.wait(MS // 20)
            tape.add(frame)
        connection.segment(0)
    connection.close()


@healthy
def far_but_normal(tape):
    for port in range(40001, 40005):
        connection = Connection(tape, client_port=port, delay=40 * MS).open()
        connection.ask(20_000)
        connection.close()


@healthy
def ecn(tape):
    connection = Connection(tape)
    connection.segment(0, SYN | 0xc0)
    tape.wait(MS)
    connection.segment(1, SYN | ACK | 0x40)
    connection.segment(0)
    connection.ask()
    connection.close()


@healthy
def small_window(tape):
    connection = Connection(tape).open()
    connection.sides[0].window = 30
    connection.send(0, 120)
    connection.send(1, 20_000)
    connection.close()


@healthy
def one_slow_answer(tape):
    connection = Connection(tape).open()
    for number in range(60):
        connection.ask(think=600 * MS if number == 30 else MS)
    connection.close()


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


@healthy
def tagged(tape):
    keep_alive(tape)
    tape.frames[:] = [(time, frame[:12] + b"\x81\0\0\5" + frame[12:]) for time, frame in tape.frames]


# --- files ------------------------------------------------------------------------------------------------------

def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def two_interfaces(tape, skew):
    """pcapng of two interfaces that both see all, the second so much later, and one interface after the other."""
    parts = [block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1))]
    for interface in (0, 1):
        parts.append(block(1, struct.pack("<HHIHH4sHHBxxxHH", 1, 0, 0, 2, 4, b"eth%d" % interface, 9, 1, 9, 0, 0)))
    for interface in (0, 1):
        for time, frame in tape.frames:
            time += interface * skew
            parts.append(block(6, struct.pack("<IIIII", interface, time >> 32, time & 0xffffffff, len(frame), len(frame)) + frame))
    return b"".join(parts)


def scenes():
    """{name: bytes of a file}"""
    files = {}
    for version in (4, 6):
        for name, function in HEALTHY.items():
            tape = Tape(version)
            function(tape)
            files[f"{name}-{version}"] = tape.pcap()
            if name in ("download", "keep_alive", "gso", "names"):
                files[f"{name}-{version}-headers-only"] = tape.pcap(keep=14 + (20 if version == 4 else 40) + 32)
                files[f"{name}-{version}-two-interfaces"] = two_interfaces(tape, 20_000)
            if name in ("download", "gso"):
                files[f"{name}-{version}-acknowledgements-only"] = pcap_of([frame for frame in tape.frames if len(frame[1]) < 100])
    return files
