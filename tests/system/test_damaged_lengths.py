"""tarcap join: a packet's two lengths, each changed by itself, are not believed."""

import signal
import struct

import pytest

from altered import archive_of, captured, records, taken_apart
from archive import pcap_file
from capture import Capture, run
from join import bad, numbers, some, whole
from wire import frame


def packets_at(text):
    """Where the enhanced packet blocks of a pcapng file of ours begin."""
    found, at = [], 0
    while at < len(text):
        kind, size = struct.unpack_from("<II", text, at)
        found += [at] * (kind == 6)
        at += size
    return found


def with_number(data, which, at, number):
    """The archive with 4 bytes of a file of packets changed."""
    members = taken_apart(data)
    index = [i for i, (name, _) in enumerate(members) if ".pcap" in name][which]
    text = bytearray(members[index][1])
    struct.pack_into("<I", text, at, number)
    members[index] = (members[index][0], bytes(text))
    return archive_of(members)


def every_other_length(data, size, unseen=()):
    text = next(text for name, text in taken_apart(data) if ".pcap" in name)
    at = packets_at(text)[1]
    assert struct.unpack_from("<II", text, at + 20) == (size, size)
    for caplen in some(n for n in range(size + 40) if n != size and n not in unseen):
        bad(with_number(data, 0, at + 20, caplen), "is damaged after 1 packet;", arguments=["--check"])
    for length in (0, 1, size - 4, size - 1):
        bad(with_number(data, 0, at + 24, length), "is damaged after 1 packet;", arguments=["--check"])


@pytest.mark.parametrize("size", [96, 97, 98, 99])
def test_a_block_without_options(tmp_path, size):
    """What is left behind a captured length that is too small is no option."""
    data = captured(tmp_path, pcap_file(records(range(4), size)), "--format", "pcapng")
    whole(data, "--check")
    every_other_length(data, size)


def test_a_block_with_flags(wire):
    capture = Capture(wire, "--format", "pcapng")
    wire.send(frame(number, 98) for number in range(4))
    data = capture.end(signal.SIGINT).whole().data
    whole(data, "--check")
    every_other_length(data, 98)


def test_zeros_are_no_options(tmp_path):
    """Nor an empty list of them, which tarcap never writes."""
    path = tmp_path / "eth0.pcap"
    path.write_bytes(pcap_file([(1_800_000_000, n, frame(n, 60)[:14] + bytes(46)) for n in range(4)]))
    data = run("-r", path, "--name", "web", "--format", "pcapng").whole().data
    # Up to three bytes of its end may be padding: a packet's bytes nobody has counted.
    every_other_length(data, 60, unseen=(57, 58, 59))


def test_a_record_of_pcap(tmp_path):
    data = captured(tmp_path, pcap_file(records(range(4), 100)))
    for length in (0, 1, 99):
        result = bad(with_number(data, 0, 24 + 116 + 12, length), "is damaged after 1 packet;")
        assert numbers(result) == [0]
