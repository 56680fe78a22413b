"""--first: the first bytes of each connection and direction, then headers; byte by byte against what was sent."""

import random
import struct
from collections import Counter

import pytest

from archive import pcap_file
from capture import Capture, run
from odd import AH, EN10MB, PAYLOAD, RAW, extension, fragment_header, ipv4, ipv6
from segments import ACK, LINKS, RST, SYN, TAG, frame, linked, tcp, udp
from test_until import Servers

START = 1_800_000_000
KILO = bytes(range(250)) * 4 # 1000 bytes


def kept(frames, first, link=EN10MB, times=None, arguments=()):
    """How many bytes of each frame are kept; and the archive."""
    times = times or [number / 1000 for number in range(len(frames))]
    data = pcap_file([(START + int(time), round(time % 1 * 10**6), frame) for time, frame in zip(times, frames)], link)
    archive = run("-r", "-", "--first", first, *arguments, stdin=data).whole()
    assert [record.length for record in archive.records] == [len(frame) for frame in frames]
    assert all(frame.startswith(record.data) for frame, record in zip(frames, archive.records))
    cut = [len(frame) - record.caplen for frame, record in zip(frames, archive.records)]
    expected = {"packets": sum(1 for bytes in cut if bytes), "bytes": sum(cut)}
    assert archive.manifest["cut_by_first"] == archive.account["cut_by_first"] == expected
    assert archive.manifest["tarcap_manifest"] == archive.capture["tarcap_capture"] == 2
    return [record.caplen for record in archive.records]


def whole_or_headers(frames, first, **more):
    """True for each that is whole; all others must be cut to their headers of an Ethernet frame with plain IPv4 and TCP."""
    sizes = kept(frames, first, **more)
    assert all(size in (len(frame), 54) for size, frame in zip(sizes, frames))
    return [size == len(frame) for size, frame in zip(sizes, frames)]


# --- what is counted --------------------------------------------------------------------------------------------

def test_a_packet_is_whole_until_so_many_bytes_have_passed():
    frames = [frame(tcp(1 + 1000 * number, KILO)) for number in range(5)]
    assert whole_or_headers(frames, 1) == [True] + [False] * 4
    assert whole_or_headers(frames, 2000) == [True, True, False, False, False]
    assert whole_or_headers(frames, 2001) == [True, True, True, False, False]
    assert whole_or_headers(frames, "1G") == [True] * 5


def test_a_retransmission_counts_once_and_so_does_a_part_of_one():
    first, second, third = (frame(tcp(1 + 1000 * number, KILO)) for number in range(3))
    both = frame(tcp(501, KILO))
    assert whole_or_headers([first, first, first, second, third], 2000) == [True] * 4 + [False]
    assert whole_or_headers([first, both, second, third], 2000) == [True] * 3 + [False]
    # What comes again of the first bytes is whole again, also when they have passed.
    assert whole_or_headers([first, second, third, first, third], 2000) == [True, True, False, True, False]


def test_what_is_missing_counts():
    assert whole_or_headers([frame(tcp(1, KILO)), frame(tcp(5001, KILO))], 4000) == [True, False]


@pytest.mark.parametrize("start", [2**32 - 1500, 2**32 - 1000, 2**32 - 1, 2**31 - 1500, 0])
def test_sequence_numbers_wrap_around(start):
    frames = [frame(tcp(start + 1000 * number, KILO)) for number in range(5)]
    assert whole_or_headers(frames, 3000) == [True, True, True, False, False]


def test_a_stream_of_more_than_4_gib_is_cut_to_its_end():
    step = 2**30 - 70000
    frames = [frame(tcp(1 + step * number, KILO)) for number in range(12)]
    assert whole_or_headers(frames, 1000) == [True] + [False] * 11
    # Where the count stops, what follows at once is still behind the first bytes.
    frames = [one for number in range(12) for one in (frame(tcp(1 + step * number + place, KILO)) for place in (0, 1000))]
    assert whole_or_headers(frames, 1000) == [True] + [False] * 23


def test_a_syn_begins_anew_and_takes_a_number_itself():
    syn, data, more = frame(tcp(99, flags=SYN)), frame(tcp(100, KILO)), frame(tcp(1100, KILO))
    assert whole_or_headers([syn, data, more, syn, data, more], 1000) == [True, True, False] * 2
    assert whole_or_headers([syn, data, more], 1001) == [True] * 3
    other = [frame(tcp(50_000_099, flags=SYN)), frame(tcp(50_000_100, KILO)), frame(tcp(50_001_100, KILO))]
    assert whole_or_headers([syn, data, more, *other], 1000) == [True, True, False] * 2
    with_data = frame(tcp(99, KILO, flags=SYN))
    assert whole_or_headers([with_data, more], 1000) == [True, False]


def test_numbers_that_do_not_go_on_begin_anew_after_a_minute_and_those_that_do_not():
    frames = [frame(tcp(1, KILO)), frame(tcp(1001, KILO)), frame(tcp(700_000_001, KILO))]
    assert whole_or_headers(frames, 1000, times=[0, 1, 62]) == [True, False, True]
    assert whole_or_headers(frames, 1000, times=[0, 1, 60]) == [True, False, False]
    again = [frame(tcp(1, KILO)), frame(tcp(1001, KILO)), frame(tcp(2001, KILO))]
    assert whole_or_headers(again, 1000, times=[0, 1, 4000]) == [True, False, False]
    far = [frame(tcp(1, KILO)), frame(tcp(1001, KILO)), frame(tcp(2**31, KILO))]
    assert whole_or_headers(far, 1000, times=[0, 1, 2]) == [True, False, True]


def test_ports_that_are_used_again_without_a_syn_get_hardly_more():
    """Of one that was seen from 700,000,001 on; lower numbers would never have come to its first bytes."""
    old = [frame(tcp(700_000_001 + 1000 * number, KILO)) for number in range(2)]
    again = [frame(tcp(5_000_001 + 1000 * number, KILO)) for number in range(5)]
    assert whole_or_headers([*old, *again], 2000) == [True] * 4 + [False] * 3
    late = [frame(tcp(700_000_001 - 1000 * number, KILO)) for number in (3, 2, 1)]
    assert whole_or_headers([*old, *late, old[1], frame(tcp(700_002_001, KILO))], 2000) == [True] * 6 + [False]


def test_a_reset_that_comes_first_says_nothing_of_the_numbers():
    frames = [frame(tcp(0, flags=RST)), frame(tcp(500_000_001, KILO)), frame(tcp(500_001_001, KILO))]
    assert whole_or_headers(frames, 1000) == [True, True, False]


def test_without_payload_nothing_counts_and_nothing_is_cut():
    # 6 bytes of filling behind each, as Ethernet has it.
    empty = [frame(tcp(1001, flags=ACK)) + bytes(6)] * 3
    data = [frame(tcp(1 + 1000 * number, KILO)) for number in range(2)]
    assert kept([data[0], *empty, data[1], *empty], 1000) == [1054, 60, 60, 60, 54, 60, 60, 60]


def test_directions_and_connections_count_by_themselves():
    frames = [frame(tcp(1 + 1000 * number, KILO, ports=ports)) for number in range(2)
              for ports in ((4000, 443), (443, 4000), (4001, 443), (4000, 444))]
    assert whole_or_headers(frames, 1000) == [True] * 4 + [False] * 4


def test_udp_counts_as_it_comes_and_begins_anew_after_30_seconds():
    frames = [frame(udp(KILO), 17)] * 6
    assert kept(frames, 1500, times=[0, 1, 2, 31.9, 62, 63]) == [1042, 1042, 42, 42, 1042, 1042]


def test_fragments_but_the_first_and_what_has_no_ports_stay_whole():
    later = linked(ipv4(6, KILO, fragment=0x00b9))
    last6 = linked(ipv6(44, fragment_header(6, 100) + KILO))
    ping, sctp = frame(b"\x08\0\0\0\0\0\0\0" + KILO, 1), frame(udp(KILO), 132)
    others = [later, last6, ping, sctp]
    data = frame(tcp(1, KILO))
    assert kept([data, *others * 3, frame(tcp(1001, KILO))], 1000) == \
        [1054] + [len(frame) for frame in others] * 3 + [54]
    # The first fragment has ports, and what it has of the payload counts.
    first = linked(ipv4(17, udp(KILO), fragment=0x2000))
    assert kept([first, first], 1000) == [len(first), 42]


# --- where it is found ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("link", LINKS)
def test_every_link_type_version_tag_and_extension(link):
    ways = [(lambda rest: ipv4(6, rest), b""), (lambda rest: ipv6(6, rest), b""),
            (lambda rest: ipv4(6, rest, options=b"\1\1\1\0"), b""),
            (lambda rest: ipv6(0, extension(60) + extension(43, 2) + extension(6) + rest), b""),
            (lambda rest: ipv6(44, fragment_header(6, 0, 1) + rest), b""),
            (lambda rest: ipv4(51, bytes((6,)) + AH[1:] + rest), b"")]
    if link not in (0, 101, 108, 228):
        ways += [(ways[0][0], TAG), (ways[1][0], b"\x88\xa8\0\5" + TAG)]
    for way, tag in ways:
        frames = [linked(way(tcp(number, PAYLOAD, options=b"\1\1\1\0")), link, tag) for number in (1, 201, 401)]
        header = len(frames[0]) - len(PAYLOAD)
        assert kept(frames, 200, link) == [len(frames[0]), header, header]


def test_a_link_type_that_is_not_known_is_said():
    data = pcap_file([(START, 0, bytes(1000))] * 3, 105)
    result = run("-r", "-", "--first", 10, stdin=data)
    assert [record.caplen for record in result.whole().records] == [1000] * 3
    assert result.said("IEEE802_11", "not looked into", "--first keeps them whole")


@pytest.mark.parametrize("size", [*range(14, 60), 100])
def test_a_packet_that_is_cut_within_its_headers_is_kept_as_it_is(size):
    frames = [frame(tcp(1 + 1000 * number, KILO)) for number in range(3)]
    archive = run("-r", "-", "--first", 1000, "-s", size, stdin=pcap_file([(START, 0, one) for one in frames])).whole()
    assert [record.caplen for record in archive.records] == [size, min(size, 54), min(size, 54)]


# --- a model ----------------------------------------------------------------------------------------------------

class Model:
    """What --first has to do, with numbers that never wrap: each stream's place is its own, and known."""

    def __init__(self, first):
        self.first, self.seen = first, {}

    def is_whole(self, key, place, size):
        start = self.seen.setdefault(key, place)
        return not size or place - start < self.first


@pytest.mark.parametrize("seed", range(4))
def test_random_streams_against_a_model(seed):
    chance = random.Random(seed)
    first = chance.choice((1, 700, 5000, 16384))
    model, streams, frames, expected = Model(first), {}, [], []
    for _ in range(4000):
        ports, version = (chance.randrange(1, 40), chance.choice((80, 443))), chance.choice((4, 6))
        key = (ports, version)
        offset, place = streams.setdefault(key, (chance.randrange(2**32), 0))
        back = chance.choice((0, 0, 0, 0, chance.randrange(3000)))
        size = chance.choice((0, 1, 100, 1400, 1400))
        at = max(0, place - back)
        streams[key] = (offset, max(place, at + size))
        frames.append(frame(tcp(offset + at, bytes(size), ports=ports), version=version))
        expected.append(len(frames[-1]) if model.is_whole(key, at, size) else len(frames[-1]) - size)
    assert kept(frames, first) == expected


# --- live -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("more", [[], ["--format", "pcapng"], ["--compress", "zstd"]])
def test_real_connections_beside_a_plain_capture(wire, more):
    servers = Servers(wire)
    try:
        plain, first = Capture(wire, *more), Capture(wire, "--first", "16k", *more)
        for _ in range(3):
            servers.download(300_000)
        plain, first = plain.end().whole(), first.end()
    finally:
        servers.close()
    cut = first.whole()
    # The two may see packets of both directions in another order, and one the last of a connection alone.
    seen, seen_cut = (Counter((r.length, r.data[:54]) for r in archive.records) for archive in (plain, cut))
    assert sum(((seen - seen_cut) + (seen_cut - seen)).values()) <= 4
    passed = {}
    for packet in cut.records:
        # Ports and numbers of plain IPv4: the kernel sends no other TCP here.
        header = 14 + 20 + (packet.data[46] >> 4) * 4
        key, sequence = packet.data[26:38], struct.unpack("!I", packet.data[38:42])[0]
        if packet.data[47] & SYN:
            passed[key] = sequence + 1
        whole = packet.length == header or sequence - passed[key] < 16384
        assert packet.caplen == (packet.length if whole else header)
    assert cut.manifest["cut_by_first"]["bytes"] > 3 * 250_000
    assert first.said("cut by --first", str(cut.manifest["cut_by_first"]["packets"]))


def test_a_raw_stream_is_cut_too():
    frames = [frame(tcp(1 + 1000 * number, KILO)) for number in range(3)]
    result = run("-r", "-", "--raw", "--first", 1000, stdin=pcap_file([(START, 0, one) for one in frames]))
    assert result.status == 0 and len(result.out) == 24 + 3 * 16 + 1054 + 54 + 54


# --- the command line -------------------------------------------------------------------------------------------

def test_it_is_refused_where_it_means_nothing():
    for arguments, words in ((["--first", "1k", "--headers"], ("--first", "--headers")),
                             (["--first", "0"], ("--first", "0")), (["--first", "2G"], ("--first", "2G"))):
        result = run(*arguments)
        assert result.status == 2 and result.said(*words), result.err


def test_its_table_is_printed_and_counts_against_the_ceiling():
    data = pcap_file([(START, 0, bytes(100))], RAW)
    assert run("-r", "-", "--first", "1k", stdin=data).said("connections 1M")
    assert run("-r", "-", "--first", "1k", "--memory", "8M", stdin=data, env={"TARCAP_MAX_MEMORY": "8M"}).status == 2
