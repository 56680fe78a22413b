"""Traffic with nothing wrong in it, though it may look so: a function each, of a tape."""

import struct

from healthy_names import HEALTHY, healthy
from incidents import SECOND
from talk import ACK, FIN, MS, PSH, RST, SYN, Connection, Tape, pcap_of


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


@healthy
def tagged(tape):
    keep_alive(tape)
    tape.frames[:] = [(time, frame[:12] + b"\x81\0\0\5" + frame[12:]) for time, frame in tape.frames]


# --- files ------------------------------------------------------------------------------------------------------

def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def two_interfaces(tape, skew, named=True):
    """pcapng of two interfaces that both see all, the second so much later, and one interface after the other."""
    parts = [block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1))]
    for interface in (0, 1):
        name = struct.pack("<HH4s", 2, 4, b"eth%d" % interface) if named else b""
        parts.append(block(1, struct.pack("<HHI", 1, 0, 0) + name + struct.pack("<HHBxxxHH", 9, 1, 9, 0, 0)))
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
                files[f"{name}-{version}-two-without-names"] = two_interfaces(tape, 20_000, named=False)
            if name in ("download", "gso"):
                files[f"{name}-{version}-acknowledgements-only"] = pcap_of([frame for frame in tape.frames if len(frame[1]) < 100])
    return files
