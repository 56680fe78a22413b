"""What a page leaves open says that it does: packets that are lost, cut or not there; and no payload is on it."""

import json
import random
import re
import struct
import string

import pytest

import healthy
from capture import run
from incidents import SECOND, client_hello, dns
from summary import fact, page, summary
from talk import ACK, MS, PSH, RST, SYN, Connection, Tape
from traffic import query


def sentences(data, kind):
    return [finding["sentence"] for finding in summary(data)["findings"] if finding["kind"] == kind]


# --- what a capture does not have ---------------------------------------------------------------------------------

def test_interfaces_without_names_are_two():
    """One that forwards sees each packet at two: none of them was sent again."""
    tape = Tape()
    connection = Connection(tape).open()
    connection.ask(answer=60000)
    connection.close()
    found = summary(healthy.two_interfaces(tape, 20_000, named=False))
    assert [(one["name"], one["packets"]) for one in found["interfaces"]] == [(f"interface {number}", len(tape.frames)) for number in (0, 1)]
    assert found["findings"] == []


def test_dns_in_one_direction():
    tape = Tape()
    for number in range(3):
        tape.udp(1, 41000 + number, 53, 53, query(number, "web.example"))
        tape.wait(5 * SECOND)
    [sentence] = sentences(tape.pcap(), "dns-unanswered")
    assert sentence.endswith(" (no answer to anything is in this capture)")


def test_begun_before_the_capture():
    tape = Tape()
    connection = Connection(tape)
    connection.ask(5000)
    connection.send(0, 120)
    tape.wait(20 * MS)
    connection.segment(1, RST | ACK)
    [sentence] = sentences(tape.pcap(), "reset")
    assert sentence.endswith("; begun before the capture: what it had carried until then is not counted")


@pytest.mark.parametrize("keep, said", [(None, False), (66, True)])
def test_nothing_unusual_where_packets_were_cut(keep, said):
    tape = Tape()
    Connection(tape).open().ask()
    text = page(tape.pcap(keep=keep))
    assert "Nothing unusual" in text
    assert ("of DNS, TLS and HTTP nothing is known" in fact(text, "findings")) == said


def test_what_is_cut_is_said_behind_findings():
    tape = Tape()
    connection = Connection(tape)
    connection.segment(0, SYN)
    connection.segment(1, RST | ACK, sequence=0)
    Connection(tape, client=3, server=4).open().ask()
    assert fact(page(tape.pcap()), "cut") is None
    text = page(tape.pcap(keep=66))
    assert re.search("^error .* refused ", text, re.M)
    assert fact(text, "cut").startswith("packets were cut (a snaplen, or --headers): of DNS, TLS and HTTP nothing is known")


def test_nothing_unusual_where_packets_were_lost():
    """By the counters of a pcapng file: Interface Statistics Block, isb_ifdrop."""
    tape = Tape()
    Connection(tape).open().ask()
    counters = healthy.block(5, struct.pack("<IIIHHQHH", 0, 0, 0, 5, 8, 7, 0, 0))
    text = page(healthy.two_interfaces(tape, 0) + counters)
    assert "the capture itself lost 7 packets" in text


# --- names at most ------------------------------------------------------------------------------------------------

CHANCE = random.Random(22)


def secret():
    """What nobody may read on a page, with what no terminal may get."""
    word = "".join(CHANCE.choices(string.ascii_letters + string.digits, k=12))
    return word, CHANCE.choice([b"%s", b"\x1b]0;%s\x07", b"\0%s\n", b"\r\n%s: x\x9b31m", b"%s\xe2\x80\xae", b"<%s>&\"'"]) % word.encode()


def hostile(version, secrets):
    """Connections and names of which everything that is no name is secret."""
    def payload():
        word, data = secret()
        secrets.append(word)
        return data
    tape = Tape(version)
    for number in range(12):
        connection = Connection(tape, port=CHANCE.choice([80, 443, 25, 53, 8080]), client_port=40000 + number).open()
        request = CHANCE.choice([b"GET /%s HTTP/1.1\r\nCookie: %s\r\n\r\n", b"POST /%s HTTP/1.0\r\n\r\n%s", b"\x17\3\3\0\x40%s%s"])
        connection.segment(0, ACK | PSH, request % (payload(), payload()))
        tape.wait(CHANCE.choice([MS, 2 * SECOND]))
        connection.segment(1, ACK | PSH, CHANCE.choice([b"HTTP/1.1 503 %s\r\nX: %s\r\n\r\n", b"HTTP/1.1 200 %s\r\n\r\n%s", b"\x15\3\3\0\2\2\x28%s%s"])
                           % (payload(), payload()))
        connection.segment(1, CHANCE.choice([RST | ACK, ACK]), CHANCE.choice([b"", payload()]))
    for number in range(6):
        asked = query(number, "web.example")
        text = payload()
        tape.udp(1, 41000 + number, 53, 53, asked)
        tape.wait(MS)
        tape.udp(53, 53, 1, 41000 + number, asked[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + asked[12:] + b"\xc0\x0c\0\x10\0\1\0\0\0\x3c" +
                 struct.pack("!HB", len(text) + 1, len(text)) + text)
        tape.udp(1, 42000 + number, 2, 9999, payload())
    return tape.pcap()


@pytest.mark.parametrize("round_", range(25))
def test_no_payload(round_):
    secrets = []
    data = hostile(4 if round_ % 2 else 6, secrets)
    text = page(data) + run("summary", "--json", stdin=data).out.decode("ascii")
    assert len(secrets) > 50 and [word for word in secrets if word in text] == []


def strange_name():
    return "".join(chr(CHANCE.choice([*range(1, 32), 127, *range(128, 256), *range(33, 127)])) for _ in range(CHANCE.randint(1, 40))).replace(".", "-")


@pytest.mark.parametrize("round_", range(25))
def test_no_control_character_of_a_name(round_):
    """Names that are asked for are shown: what they consist of is printable all the same."""
    tape = Tape()
    for number in range(8):
        name = strange_name().encode("latin-1")
        asked = query(number, "x")[:12] + bytes([len(name)]) + name + b"\0\0\1\0\1"
        for code in CHANCE.choice([(), (0,), (2,), (3, 3)]):
            tape.udp(1, 41000 + number, 53, 53, asked)
            tape.wait(MS)
            tape.udp(53, 53, 1, 41000 + number, asked[:2] + bytes((0x81, 0x80 | code)) + asked[4:])
        connection = Connection(tape, port=443, client_port=40000 + number).open()
        connection.segment(0, ACK | PSH, client_hello("x" * len(name)).replace(b"x" * len(name), name))
        tape.wait(MS)
        connection.segment(1, ACK | PSH, b"\x15\3\3\0\2\2\x28")
    data = tape.pcap()
    page(data)  # printable ASCII alone
    out = run("summary", "--json", stdin=data).out.decode("ascii")
    assert not re.search(r"[^\n -~]", out)
    for value in walk(json.loads(out)):
        assert re.fullmatch(r"[ -~]*", value), value


def walk(value):
    """All texts in it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for one in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from walk(one)


def test_names_are_there():
    """Else the two above would prove nothing."""
    tape = Tape()
    dns(tape, 1, "db.example", code=2)
    assert "db.example" in page(tape.pcap())
