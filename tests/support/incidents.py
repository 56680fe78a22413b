"""Incidents, a function each: what is wrong, as packets on a tape. played.py has those of real sockets."""

import random
import struct

import talk
from talk import ACK, FIN, MS, PSH, RST, SYN, Connection, Tape
from traffic import query
from wire import MAC_B

SECOND = 1000 * MS
INCIDENTS = {}  # name: (kind, function of a tape)


def incident(kind):
    def note(function):
        INCIDENTS[function.__name__] = (kind, function)
        return function
    return note


# --- connections ------------------------------------------------------------------------------------------------

@incident("no-answer")
def nobody_answers(tape):
    for port in (40001, 40002):
        connection = Connection(tape, client_port=port)
        first = connection.segment(0, SYN)
        for seconds in (1, 2, 4):
            tape.wait(seconds * SECOND)
            connection.segment(0, SYN, sequence=first)


@incident("refused")
def nothing_listens(tape):
    for port in (40001, 40002, 40003):
        connection = Connection(tape, client_port=port)
        connection.segment(0, SYN)
        tape.wait(MS)
        connection.segment(1, RST | ACK, sequence=0)
        tape.wait(SECOND)


@incident("reset")
def reset_in_the_middle(tape):
    for port in (40001, 40002):
        connection = Connection(tape, client_port=port).open()
        connection.ask(5000)
        connection.send(0, 120)
        tape.wait(20 * MS)
        connection.segment(1, RST | ACK)
        tape.wait(SECOND)


@incident("reset-injected")
def reset_by_another(tape):
    for port in (40001, 40002, 40003):
        connection = Connection(tape, client_port=port, ttl=52).open()
        connection.ask(3000)
        connection.send(0, 400)
        tape.wait(2 * MS)
        connection.segment(1, RST | ACK, ttl=63)
        tape.wait(SECOND)


@incident("idle-timeout")
def keep_alive_race(tape):
    for port in (40001, 40002, 40003):
        connection = Connection(tape, client_port=port).open()
        connection.ask()
        tape.wait(60 * SECOND)
        connection.segment(1, FIN | ACK)
        tape.wait(40 * MS)
        connection.segment(0)
        tape.wait(SECOND)
        connection.segment(0, ACK | PSH, b"GET / HTTP/1.1\r\n\r\n")
        tape.wait(MS)
        connection.segment(1, RST)
        tape.wait(SECOND)


@incident("idle-timeout")
def forgotten_by_nat(tape):
    for port in (40001, 40002):
        connection = Connection(tape, client_port=port).open()
        connection.ask()
        tape.wait(350 * SECOND)
        connection.send(0, 120, acknowledge=False)
        tape.wait(MS)
        connection.segment(1, RST, sequence=connection.sides[1].sequence)
        tape.wait(SECOND)


@incident("loss")
def lost_before_us(tape):
    """A download of which every 25th segment never came here, and was sent again."""
    connection = Connection(tape).open()
    connection.send(0, 120)
    for number in range(400):
        lost = number % 25 == 24
        first = connection.segment(1, ACK | PSH, bytes(1448), lost=lost)
        tape.wait(MS // 10)
        if not lost:
            connection.segment(0)
            continue
        for _ in range(4):
            connection.segment(1, ACK | PSH, bytes(1448))
            tape.wait(MS // 10)
            connection.segment(0, acknowledged=first)
        tape.wait(2 * MS)
        connection.segment(1, ACK | PSH, bytes(1448), sequence=first)
        connection.segment(0)
        tape.wait(MS)
    connection.close(1)


@incident("loss")
def lost_behind_us(tape):
    connection = Connection(tape).open()
    chance = random.Random(3)
    for _ in range(300):
        first = connection.segment(0, ACK | PSH, bytes(1448))
        tape.wait(MS // 10)
        if chance.random() < 0.05:
            tape.wait(210 * MS)
            connection.segment(0, ACK | PSH, bytes(1448), sequence=first)
            tape.wait(MS // 10)
        connection.segment(1)
    connection.close()


@incident("mtu")
def black_hole(tape):
    """Large segments are sent and sent again; what is small passes."""
    for port in (40001, 40002):
        connection = Connection(tape, client_port=port).open()
        connection.send(0, 200)
        first = connection.segment(1, ACK, bytes(1448))
        connection.segment(1, ACK | PSH, bytes(1448))
        for exponent in range(5):
            tape.wait((200 << exponent) * MS)
            connection.segment(1, ACK, bytes(1448), sequence=first)


@incident("zero-window")
def reader_sleeps(tape):
    connection = Connection(tape).open()
    connection.send(0, 120)
    for _ in range(3):
        connection.send(1, 14480)
        connection.segment(0, window=0)
        for exponent in range(4):
            tape.wait((200 << exponent) * MS)
            connection.segment(1, ACK, sequence=connection.sides[1].sequence - 1)
            connection.segment(0, window=0)
        tape.wait(100 * MS)
        connection.segment(0)
        tape.wait(MS)
    connection.close()


@incident("slow-server")
def server_thinks(tape):
    for port in range(40001, 40007):
        connection = Connection(tape, client_port=port).open()
        connection.ask(think=3 * SECOND)
        connection.close()


@incident("slow-network")
def far_away(tape):
    for port in range(40001, 40007):
        connection = Connection(tape, client_port=port, delay=400 * MS).open()
        connection.ask()
        connection.close()


@incident("one-way")
def answers_go_elsewhere(tape):
    """A server's answers come by here, and are sent again; nothing of the client does."""
    for port in (40001, 40002):
        connection = Connection(tape, client_port=port)
        connection.sides[0].sequence = 5000
        first = connection.segment(1, ACK | PSH, bytes(1000))
        for exponent in range(5):
            tape.wait((300 << exponent) * MS)
            connection.segment(1, ACK | PSH, bytes(1000), sequence=first)


# --- names ------------------------------------------------------------------------------------------------------

def dns(tape, number, name, code=0, after=5 * MS, port=None, server=53):
    """A question, and its answer unless after is None."""
    port = port or 41000 + number
    asked = query(number, name)
    tape.udp(1, port, server, 53, asked)
    if after is not None:
        tape.wait(after)
        answer = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes(4) if code == 0 else b""
        tape.udp(server, 53, 1, port, asked[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, int(code == 0), 0, 0) + asked[12:] + answer)


@incident("dns-unanswered")
def silent_name_server(tape):
    for number in (1, 1, 2, 2):
        dns(tape, number, "db.example", after=None)
        tape.wait(5 * SECOND)


@incident("dns-unanswered")
def some_names_silent(tape):
    for number in range(1, 40):
        dns(tape, number, "web.example", after=None if number % 8 == 0 else 3 * MS)
        tape.wait(300 * MS)
    tape.wait(2 * SECOND)
    dns(tape, 99, "web.example")


@incident("dns-slow")
def slow_name_server(tape):
    for number in range(1, 20):
        dns(tape, number, "db.example", after=1200 * MS)
        tape.wait(SECOND)


@incident("dns-failure")
def name_server_fails(tape):
    for number in range(1, 10):
        dns(tape, number, "db.example", code=2)
        tape.wait(SECOND)


@incident("dns-failure")
def no_such_name(tape):
    for number in range(1, 4):
        dns(tape, number, "dbb.example", code=3)
        tape.wait(SECOND)


@incident("dns-search")
def search_list(tape):
    for number in range(1, 40, 4):
        for step, ending in enumerate((".shop.svc.cluster.local", ".svc.cluster.local", ".cluster.local", "")):
            dns(tape, number + step, "api.example.com" + ending, code=3 if ending else 0, after=MS)
        tape.wait(SECOND)


# --- TLS --------------------------------------------------------------------------------------------------------

def client_hello(name):
    server = struct.pack("!HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name.encode()
    body = b"\3\3" + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0" + struct.pack("!H", len(server)) + server
    return b"\x16\3\1" + struct.pack("!H", len(body) + 4) + b"\1" + struct.pack("!I", len(body))[1:] + body


@incident("tls-failure")
def hello_unanswered(tape):
    for port in (40001, 40002):
        connection = Connection(tape, port=443, client_port=port).open()
        connection.segment(0, ACK | PSH, client_hello("web.example"))
        tape.wait(MS)
        connection.segment(1)
        tape.wait(10 * SECOND)
        connection.close()


@incident("tls-failure")
def alert(tape):
    """The client does not know who has signed the server's certificate."""
    for port in (40001, 40002):
        connection = Connection(tape, port=443, client_port=port).open()
        connection.segment(0, ACK | PSH, client_hello("web.example"))
        tape.wait(MS)
        connection.segment(1, ACK | PSH, b"\x16\3\3\x05\0\2\0\0\x56\3\3" + bytes(1200))
        tape.wait(MS)
        connection.segment(0, ACK | PSH, b"\x15\3\3\0\2\2\x30")
        tape.wait(MS)
        connection.close()


# --- ICMP, and neighbours -----------------------------------------------------------------------------------------

def icmp(tape, by, to, kind, code, quoted, rest=b"\0\0\0\0"):
    body = bytes((kind, code)) + b"\0\0" + rest + quoted[14:14 + 128]
    tape.ip(by, to, 1 if tape.version == 4 else 58, body)


@incident("icmp-error")
def firewall_rejects(tape):
    kind, code = (3, 13) if tape.version == 4 else (1, 1)
    for port in (40001, 40002, 40003):
        Connection(tape, client_port=port).segment(0, SYN)
        syn = tape.frames[-1][1]
        tape.wait(MS)
        icmp(tape, 254, 1, kind, code, syn)
        tape.wait(SECOND)


@incident("icmp-error")
def host_unreachable(tape):
    kind, code = (3, 1) if tape.version == 4 else (1, 3)
    connection = Connection(tape)
    first = connection.segment(0, SYN)
    syn = tape.frames[-1][1]
    for seconds in (1, 2):
        tape.wait(seconds * SECOND)
        icmp(tape, 254, 1, kind, code, syn)
        connection.segment(0, SYN, sequence=first)
    icmp(tape, 254, 1, kind, code, syn)


@incident("refused")
def udp_port_closed(tape):
    kind, code = (3, 3) if tape.version == 4 else (1, 4)
    for port in (40001, 40002):
        tape.udp(1, port, 2, 8125, b"counter:1|c")
        sent = tape.frames[-1][1]
        tape.wait(MS)
        icmp(tape, 2, 1, kind, code, sent)


@incident("mtu")
def too_big_in_vain(tape):
    """The router says so, the sender does not hear it."""
    kind, code = (3, 4) if tape.version == 4 else (2, 0)
    connection = Connection(tape).open()
    connection.send(0, 200)
    first = connection.segment(1, ACK, bytes(1448))
    large = tape.frames[-1][1]
    for exponent in range(5):
        tape.wait((200 << exponent) * MS)
        icmp(tape, 254, 2, kind, code, large, struct.pack("!I", 1400))
        connection.segment(1, ACK, bytes(1448), sequence=first)


def arp(tape, sender, mac, target, reply=False):
    if tape.version == 4:
        tape.add((MAC_B if reply else b"\xff" * 6) + mac + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2 if reply else 1) + mac +
                 talk.packed(4, sender) + bytes(6) + talk.packed(4, target))
        return
    # Neighbour discovery says in its answer whose address it is.
    named = sender if reply else target
    body = bytes((136 if reply else 135, 0, 0, 0, 0x60 if reply else 0, 0, 0, 0)) + talk.packed(6, named) + bytes((2 if reply else 1, 1)) + mac
    packet = talk.ip(6, sender, target, 58, body, ttl=255)
    if not reply:
        packet = packet[:24] + b"\xff\2" + bytes(9) + b"\1\xff" + packet[37:]
    tape.add(talk.ethernet(packet, mac))


@incident("arp-unanswered")
def nobody_has_it(tape):
    for _ in range(2):
        for _ in range(3):
            arp(tape, 1, b"\2\0\0\0\0\1", 77)
            tape.wait(SECOND)


@incident("address-conflict")
def two_have_it(tape):
    for _ in range(3):
        arp(tape, 1, b"\2\0\0\0\0\1", 77)
        tape.wait(MS)
        arp(tape, 77, b"\2\0\0\0\0\x0a", 1, reply=True)
        arp(tape, 77, b"\2\0\0\0\0\x0b", 1, reply=True)
        tape.wait(20 * SECOND)


def made(name, version):
    """The incident's frames, in the middle of the background's minute."""
    tape = Tape(version, talk.START + 3 * SECOND)
    INCIDENTS[name][1](tape)
    return tape
