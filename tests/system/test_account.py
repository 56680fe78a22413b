"""What stderr says of the place and of the outcome: whose addresses these are, and why nothing was captured."""

import pytest

from capture import Capture
from process import sh
from wire import frame, numbered


def line_of(result, words):
    [line] = [line for line in result.err if words in line]
    return line


def test_the_readiness_line_names_the_addresses(wire):
    """Whoever forgot --network container:web sees that they are not web's; tcpdump's words stay."""
    wire.addresses()
    sh("ip", "-n", wire.b, "address", "add", "10.9.7.7/32", "dev", "tc0")
    result = Capture(wire).end()
    assert line_of(result, "listening").startswith("tarcap: listening on tc0 (10.9.0.2, 10.9.7.7), link-type EN10MB (Ethernet), "
                                                   "snapshot length 262144 bytes; ")


def test_link_local_addresses_only_where_there_are_no_others(wire6):
    sh("ip", "-n", wire6.b, "address", "add", "fe80::7/64", "dev", "tc0", "nodad")
    assert "listening on tc0 (fe80::" in line_of(Capture(wire6).end(), "listening")
    sh("ip", "-n", wire6.b, "address", "add", "fd00::7/64", "dev", "tc0", "nodad")
    assert "listening on tc0 (fd00::7), " in line_of(Capture(wire6).end(), "listening")
    sh("ip", "-n", wire6.b, "address", "add", "10.9.0.2/24", "dev", "tc0")
    assert "listening on tc0 (10.9.0.2, fd00::7), " in line_of(Capture(wire6).end(), "listening")


def test_many_addresses_are_cut(wire):
    for n in range(1, 60):
        sh("ip", "-n", wire.b, "address", "add", f"10.99.{n}.{n}/32", "dev", "tc0")
    line = line_of(Capture(wire).end(), "listening")
    assert "(10.99.1.1, 10.99.2.2, " in line and len(line) < 400 and "; ring 32M, pool 16M" in line


def test_addresses_of_several(wire):
    wire.addresses()
    line = line_of(Capture(wire, "-i", "all").end(), "listening")
    assert "tc0 (EN10MB, 10.9.0.2)" in line and "lo (EN10MB, 127.0.0.1)" in line


def test_an_interface_without_an_address(wire):
    assert "listening on tc0 (no address), link-type" in line_of(Capture(wire).end(), "listening")
    assert "listening on any, link-type" in line_of(Capture(wire, "-i", "any").end(), "listening")


def test_only_lo(wire):
    sh("ip", "-n", wire.b, "link", "set", "lo", "up")
    sh("ip", "-n", wire.b, "link", "set", "tc0", "down")
    assert Capture(wire, interface=None).end().said("no interface but lo is up here", "--network container:NAME")
    assert not Capture(wire, interface="lo").end().said("no interface but lo")
    result = Capture(wire, "-q", "--duration", "300ms", interface=None, ready=False).wait()
    assert (result.status, result.err) == (0, [])


# --- nothing captured -------------------------------------------------------------------------------------------

def test_idle(wire):
    result = Capture(wire).end()
    assert result.status == 0 and line_of(result, "idle") == "tarcap: tc0: idle: no packet passed"
    # tcpdump's lines stay the last.
    assert result.err[-3:] == ["0 packets captured", "0 packets received by filter", "0 packets dropped by kernel"]
    assert result.err[-4] == "tarcap: tc0: idle: no packet passed"


@pytest.mark.parametrize("arguments", [[], ["-i", "any"], ["-i", "all"], ["--no-context"], ["--raw"], ["--format", "pcapng"]],
                         ids=" ".join)
def test_nothing_matched_the_filter(wire, arguments):
    capture = Capture(wire, *arguments, "udp port 9")
    wire.send(numbered(7))
    result = capture.end()
    name = "the interfaces" if "-i" in arguments and "any" in arguments else "tc0"
    assert result.said(f"tarcap: {name}: 7 packets passed, and none matched the filter udp port 9"), result.err


def test_one_packet_is_one(wire):
    capture = Capture(wire, "-Q", "out")
    wire.send([frame(1)])
    assert capture.end().said("tc0: 1 packet passed, and none matched the filter")


def test_what_was_captured_needs_no_reason(wire):
    capture = Capture(wire, "ether proto 0x88b5")
    wire.send([frame(1)])
    result = capture.end()
    assert result.status == 0 and not result.said("passed") and not result.said("idle")


def test_quiet_is_quiet(wire):
    result = Capture(wire, "-q", "--duration", "300ms", "udp", ready=False).wait()
    assert (result.status, result.err) == (0, [])


def test_an_interface_that_is_gone_tells_nothing(wire):
    capture = Capture(wire, "udp port 9")
    wire.send([frame(1)])
    sh("ip", "-n", wire.b, "link", "del", "tc0")
    result = capture.wait()
    assert result.status == 4 and not result.said("passed") and not result.said("idle")
