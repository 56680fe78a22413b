"""Each kind of finding, by a capture that lost packets, that began in mid-connection, and that has headers alone.

What its sentence says of that is all that differs from what it says of the whole; where nothing is open, nothing is said.
"""

import json
import struct

import pytest

import healthy
from altered import archive_of, captured, taken_apart, with_manifest
from incidents import INCIDENTS, SECOND, client_hello, icmp
from summary import summary
from talk import ACK, MS, PSH, RST, SYN, Connection, Tape
from traffic import query

LOST, BEGUN = " (the capture lost 7 packets, {})", "; begun before the capture: {}"
WHY, MORE, SOME, NAMES = "which may be why", "there may be more of it", "maybe some of these", "maybe other queries and answers"
SIDE = "who serves whom is told by the lower port"
CUT_ICMP = " (1 ICMP error is cut before what is quoted, which may be this)"
CUT_DNS = " (1 DNS message is cut, and not looked into)"
# kind: what it says of lost packets, of a connection that had begun, and of packets that are cut; None: nothing is open.
KINDS = {
    "no-answer": (WHY, "it may have been sent before, too", CUT_ICMP),
    "one-way": (WHY, "both directions may have passed until then", CUT_ICMP),
    "refused": (MORE, None, None),  # its SYN is there
    "icmp-error": (MORE, "it may have worked until then", " (1 more is cut before what is quoted)"),
    "reset": (MORE, "what it had carried until then is not counted", None),
    "reset-injected": (MORE, "TTLs until then are not known", None),
    "idle-timeout": ("so it may not have been idle all the time", SIDE, None),
    "loss": (WHY, "what was sent until then may count as lost", " (1 SACK is cut: more may have arrived all the same)"),
    "mtu": (WHY, "larger ones may have passed until then", CUT_ICMP),
    "zero-window": ("which may have opened it sooner", "it may have been zero for longer", None),
    "slow-server": ("maybe the first of an answer", SIDE, None),
    "slow-network": ("which may make handshakes look longer", None, None),  # of handshakes that are there
    "dns-unanswered": ("maybe answers", None, CUT_DNS),  # from here on: no connections
    "dns-slow": ("maybe earlier answers", None, CUT_DNS),
    "dns-failure": (NAMES, None, CUT_DNS),
    "dns-search": (NAMES, None, CUT_DNS),
    "tls-failure": ("maybe the answer, or more of it", "TLS may have been spoken until then", " (1 TLS hello is cut, of which nothing is said)"),
    "arp-unanswered": ("maybe answers", None, None),
    "address-conflict": (MORE, None, None),
    "kernel-drops": (SOME, None, None),
    "listen-overflow": (SOME, None, None),
    "checksum": (SOME, None, " (packets are cut: Wireshark cannot check theirs)"),
    "capture-loss": (WHY, "what was missed until then is not counted", None),
}
COUNTERS = {"kernel-drops": ("Udp", "RcvbufErrors"), "listen-overflow": ("TcpExt", "ListenOverflows"), "checksum": ("Udp", "InCsumErrors")}


# --- scenes -----------------------------------------------------------------------------------------------------

def stopped(tape):
    """A small segment, again and again."""
    connection = Connection(tape).open()
    connection.ask()
    first = connection.segment(0, ACK | PSH, b"x" * 100)
    for exponent in range(5):
        tape.wait((200 << exponent) * MS)
        connection.segment(0, ACK | PSH, b"x" * 100, sequence=first)


def missed(tape):
    """What is acknowledged never came here."""
    connection = Connection(tape).open()
    connection.ask()
    connection.segment(1, ACK | PSH, bytes(1448), lost=True)
    connection.segment(0)


def rejected(tape):
    """Of a connection that goes on."""
    connection = Connection(tape).open()
    connection.ask()
    connection.segment(0, ACK | PSH, b"x" * 100)
    icmp(tape, 254, 1, 3, 13, tape.frames[-1][1])


SCENES = {"no-answer": stopped, "capture-loss": missed, "icmp-error": rejected}


def scene(kind):
    """And something that was answered."""
    tape = Tape()
    Connection(tape, client=5, server=6).open().ask()
    if kind not in COUNTERS:
        (SCENES.get(kind) or next(function for of, function in INCIDENTS.values() if of == kind))(tape)
    return tape


# --- files ------------------------------------------------------------------------------------------------------

def pcapng(frames, lost=0):
    """frames: [(time, bytes that are there, length)]"""
    block = healthy.block
    parts = [block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1)), block(1, struct.pack("<HHIHHBxxxHH", 1, 0, 0, 9, 1, 9, 0, 0))]
    parts += [block(6, struct.pack("<IIIII", 0, time >> 32, time & 0xffffffff, len(frame), length) + frame) for time, frame, length in frames]
    return b"".join(parts) + block(5, struct.pack("<IIIHHQHH", 0, 0, 0, 5, 8, lost, 0, 0))


def with_counters(kind, data, lost, tmp_path):
    """An archive of it whose namespace counted."""
    def dropped(manifest):
        for account in manifest["interfaces"]:
            account["dropped_at_stop"] += lost
    members = taken_apart(with_manifest(captured(tmp_path, data), dropped))
    directory = members[0][0].partition("/")[0]
    group, name = COUNTERS[kind]
    return archive_of([*members[:-1], *((f"{directory}/context/{moment}/counters.json", json.dumps({group: {name: value}}).encode())
                                        for moment, value in (("start", 1), ("end", 9))), members[-1]])


def sentence(kind, frames, tmp_path, lost=0):
    data = pcapng(frames, lost)
    if kind in COUNTERS:
        found = summary(with_counters(kind, data, lost, tmp_path), status=1)
    else:
        found = summary(data)
    # What tells of the loss itself names no connection.
    return [one["sentence"] for one in found["findings"] if one["kind"] == kind and (kind != "capture-loss" or one["connections"])][0]


def whole(tape):
    return [(time, frame, len(frame)) for time, frame in tape.frames]


def is_syn(frame):
    return frame[12:14] == b"\x08\0" and frame[23] == 6 and frame[47] & SYN


def add_cut(tape):
    """One more of each that says nothing once it is cut: (frame, bytes that are left)."""
    more = Tape(start=tape.now + 40 * SECOND)
    other = Connection(more, client=7, server=8, client_port=47000)
    other.open()
    icmp(more, 254, 9, 3, 1, more.frames[0][1])
    more.udp(9, 41999, 53, 53, query(77, "cut.example"))
    other.segment(0, ACK | PSH, client_hello("cut.example"))
    other.segment(1, options=b"\1\1\x05\x12" + bytes(16))
    lengths = [None] * 3 + [14 + 20 + 8 + 12, 14 + 20 + 8 + 14, 14 + 20 + 20 + 30, 14 + 20 + 20 + 4]
    return [(time, frame[:keep], len(frame)) for (time, frame), keep in zip(more.frames, lengths)]


# --- the table --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", KINDS)
def test_lost(kind, tmp_path):
    frames = whole(scene(kind))
    assert sentence(kind, frames, tmp_path, 7) == sentence(kind, frames, tmp_path) + LOST.format(KINDS[kind][0])


@pytest.mark.parametrize("kind", [kind for kind, words in KINDS.items() if words[1]])
def test_begun_before(kind, tmp_path):
    frames = [one for one in whole(scene(kind)) if not is_syn(one[1])]
    assert BEGUN.format(KINDS[kind][1]) in sentence(kind, frames, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_headers_only(kind, tmp_path):
    tape = scene(kind)
    frames, cut = whole(tape), add_cut(tape)
    said = sentence(kind, frames + [(time, frame, len(frame)) for time, frame, _ in cut], tmp_path)
    assert sentence(kind, frames + cut, tmp_path) == said + (KINDS[kind][2] or "")
