"""Files that others wrote, through summary, -r and join: read as capinfos and tcpdump read them, in whatever form."""

import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile

import pytest

from altered import compressed, compressed_stream
from archive import pcap_file
from capture import run
from join import join, whole
from process import TOP, sh
from summary import fact, page, summary
from wire import frame

START = 1_700_000_000
PACKETS = [(START + n, n, frame(n, 60 + n)) for n in range(5)]


@pytest.fixture(scope="module", autouse=True)
def tools():
    sh(TOP / "image/need", "zstd", "tshark", timeout=300)


# --- files made by hand -----------------------------------------------------------------------------------------

def pcap(packets, magic=0xa1b2c3d4, version=(2, 4), zone=0, accuracy=0, snaplen=65535, linktype=1, order="<", swapped=False):
    parts = [struct.pack(order + "IHHiIII", magic, *version, zone, accuracy, snaplen, linktype)]
    for seconds, fraction, data in packets:
        lengths = (len(data) + 4, len(data)) if swapped else (len(data), len(data) + 4)
        parts += [struct.pack(order + "IIII", seconds, fraction, *lengths),
                  b"\0\0\0\2\x08\0\0\0" if magic == 0xa1b2cd34 else b"", data]
    return b"".join(parts)


class Blocks:
    """pcapng, in either byte order."""

    def __init__(self, order="<"):
        self.order, self.parts = order, []

    def block(self, kind, body):
        body += bytes(-len(body) % 4)
        size = struct.pack(self.order + "I", len(body) + 12)
        self.parts.append(struct.pack(self.order + "I", kind) + size + body + size)
        return self

    def option(self, code, value):
        return struct.pack(self.order + "HH", code, len(value)) + value + bytes(-len(value) % 4)

    def section(self):
        return self.block(0x0a0d0d0a, struct.pack(self.order + "IHHq", 0x1a2b3c4d, 1, 0, -1))

    def interface(self, linktype=1, snaplen=0, resolution=6):
        return self.block(1, struct.pack(self.order + "HHI", linktype, 0, snaplen) +
                          self.option(9, bytes([resolution])) + self.option(0, b""))

    def packet(self, number, time, data):
        return self.block(6, struct.pack(self.order + "IIIII", number, time >> 32, time & 0xffffffff, len(data),
                                         len(data)) + data)

    def obsolete(self, number, time, data, drops=0xffff):
        return self.block(2, struct.pack(self.order + "HHIIII", number, drops, time >> 32, time & 0xffffffff,
                                         len(data), len(data)) + data)

    def simple(self, data, length=None):
        return self.block(3, struct.pack(self.order + "I", length or len(data)) + data)

    def counters(self, number, **counters):
        body = struct.pack(self.order + "III", number, 0, 0)
        for name, value in counters.items():
            body += self.option({"ifdrop": 5, "osdrop": 7}[name], struct.pack(self.order + "Q", value))
        return self.block(5, body + self.option(0, b""))

    def data(self):
        return b"".join(self.parts)


def micro(seconds, fraction):
    return seconds * 10**6 + fraction


def of_packets(kind, order="<"):
    blocks = Blocks(order).section().interface()
    for seconds, fraction, data in PACKETS:
        {"packet": lambda: blocks.packet(0, micro(seconds, fraction), data),
         "obsolete": lambda: blocks.obsolete(0, micro(seconds, fraction), data),
         "simple": lambda: blocks.simple(data)}[kind]()
    return blocks.data()


def many_interfaces(count, order="<"):
    blocks = Blocks(order).section()
    for _ in range(count):
        blocks.interface()
    for n, (seconds, fraction, data) in enumerate(PACKETS):
        blocks.packet(count - 1 - n, micro(seconds, fraction), data)
    return blocks.data()


FILES = {
    "big-endian": pcap(PACKETS, order=">"),
    "modified": pcap(PACKETS, magic=0xa1b2cd34),
    "modified, big-endian": pcap(PACKETS, magic=0xa1b2cd34, order=">"),
    "nanoseconds, big-endian": pcap(PACKETS, magic=0xa1b23c4d, order=">"),
    "snapshot length 0": pcap(PACKETS, snaplen=0),
    "snapshot length 524288": pcap(PACKETS, snaplen=524288),
    "snapshot length of all bits": pcap(PACKETS, snaplen=0xffffffff),
    "longer than the snapshot length": pcap(PACKETS, snaplen=32),
    "a zone and digits": pcap(PACKETS, zone=3600, accuracy=6),
    "FCS bits beside the link type": pcap(PACKETS, linktype=0x30000001),
    "version 2.3": pcap(PACKETS, version=(2, 3)),
    "version 2.3, lengths swapped": pcap(PACKETS, version=(2, 3), swapped=True),
    "version 2.2, lengths swapped": pcap(PACKETS, version=(2, 2), swapped=True),
    "raw IP, as 12": pcap([(s, f, data[14:]) for s, f, data in PACKETS], linktype=12),
    "records of zeros": pcap([]) + bytes(48),
    "records of zeros in between": pcap(PACKETS[:2]) + bytes(160) + pcap(PACKETS[2:])[24:],
    "simple blocks": of_packets("simple"),
    "simple blocks, big-endian": of_packets("simple", ">"),
    "obsolete blocks": of_packets("obsolete"),
    "obsolete blocks, big-endian": of_packets("obsolete", ">"),
    "simple blocks, cut": Blocks().section().interface(snaplen=40).simple(bytes(40), 100).data(),
    "300 interfaces": many_interfaces(300),
    "4096 interfaces": many_interfaces(4096),
    "a section alone": Blocks().section().data(),
    "no packet": Blocks().section().interface().data(),
    "longer than the interface's snapshot length": Blocks().section().interface(snaplen=10).packet(
        0, micro(START, 5), bytes(60)).data(),
    "beyond 32 bits of seconds": Blocks().section().interface().packet(0, micro(2**32 + 4, 0), bytes(60)).data(),
    "two sections": of_packets("packet") + of_packets("packet", ">"),
}


def microseconds(text):
    """Of capinfos; None where it has none."""
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 10**6 + int(fraction[:6]) if fraction else None


def of_span(found, end):
    import datetime
    if not found["span"]:
        return None
    seconds, _, fraction = found["span"][end].rstrip("Z").partition(".")
    return round((datetime.datetime.fromisoformat(seconds) - datetime.datetime(1970, 1, 1)).total_seconds()) * 10**6 + \
        int(fraction[:6])


@pytest.mark.parametrize("name", FILES)
def test_read_as_capinfos_reads_it(tmp_path, name):
    path = tmp_path / "x.pcap"
    path.write_bytes(FILES[name])
    line = sh("capinfos", "-TmrcSdae", path).stdout.strip().split("\n")[-1].split(",")
    found = summary(FILES[name])
    assert (found["packets"], found["bytes"]) == tuple(map(int, line[-4:-2]))
    assert [of_span(found, "first"), of_span(found, "last")] == [microseconds(one) for one in line[-2:]]
    assert fact(page(FILES[name]), "complete") == "the file ends with a whole packet"


@pytest.mark.parametrize("name", FILES)
def test_what_r_writes_join_reads(tmp_path, name):
    path = tmp_path / "x.pcap"
    path.write_bytes(FILES[name])
    expected = summary(FILES[name])["packets"]
    for arguments in ([], ["--format", "pcapng"], ["--compress", "zstd"]):
        archive = run("-r", path, *arguments)
        # libpcap is what reads it.
        assert (archive.status == 0) == (sh("tcpdump", "-nr", path, check=False).returncode == 0), archive.err
        if archive.status == 0:
            assert summary(whole(archive.out).out)["packets"] == expected


def test_raw_ip_is_looked_into():
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 24, 0, 0, 64, 17, 0, b"\x0a\x09\0\1", b"\x0a\x09\0\2") + b"\0\1\0\2"
    for linktype in (12, 14, 101, 228):
        found = summary(pcap_file([(START, 1, ip)], linktype))
        assert found["conversations"]["total"] == 1 and "raw IP" in fact(page(pcap_file([(START, 1, ip)], linktype)),
                                                                        "interface")


# --- what is not whole ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", [0x0bad, 0x40000bad, 0x204, 0x7fffffff])
def test_a_block_that_may_hold_packets_is_not_passed_over_in_silence(kind):
    blocks = Blocks().section().interface().packet(0, 1, bytes(60)).block(kind, bytes(20))
    found = summary(blocks.data(), status=1)
    assert found["packets"] == 1
    assert found["not_whole"] == f"1 block of an unknown type (0x{kind:08x}), which may hold packets, was passed over"


@pytest.mark.parametrize("kind", [4, 9, 10, 0x80000001])
def test_a_block_that_holds_no_packets_is_no_fault(kind):
    assert summary(Blocks().section().interface().packet(0, 1, bytes(60)).block(kind, bytes(20)).data())["packets"] == 1


def test_more_interfaces_than_there_is_room_for():
    found = summary(many_interfaces(4098), status=1)
    assert found["packets"] == 3
    assert found["not_whole"] == "2 packets, longer than 262144 bytes or of more than 4096 interfaces, were passed over"


def test_packets_too_long_to_hold():
    long = pcap([(START, 1, bytes(60)), (START, 2, bytes(300000)), (START, 3, bytes(60))], linktype=249)
    found = summary(long, status=1)
    assert found["packets"] == 2 and found["not_whole"].startswith("1 packets, longer than 262144 bytes")


def test_times_that_cannot_be_told():
    blocks = Blocks().section().interface(resolution=0).simple(frame(1)).packet(0, START, frame(2))
    data = blocks.packet(0, 2**63, frame(3)).data()
    found = summary(data)
    assert (found["packets"], found["packets_without_time"]) == (3, 2)
    assert found["span"]["first"] == found["span"]["last"] == "2023-11-14T22:13:20.000000000Z"
    assert sum(one["packets"] for one in found["histogram"]["buckets"]) == 1
    assert fact(page(data), "span").endswith("without 2 packets that have no time, or none from 1970 to 2554")
    assert fact(page(of_packets("simple")), "span") == "unknown: no packet has a time"


def test_bytes_beyond_32_bits():
    """A packet's length is what its header says; the sum has 64 bits."""
    file = pcap([]) + struct.pack("<IIII", START, 0, 0, 0xffffffff) * 3
    assert summary(file)["bytes"] == 3 * 0xffffffff


def test_the_other_members_of_a_tar():
    """A tar of other people's files is no archive of ours."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name in ("a.pcap", "deeper/b.pcap"):
            info = tarfile.TarInfo(name)
            info.size = len(FILES["big-endian"])
            tar.addfile(info, io.BytesIO(FILES["big-endian"]))
    result = join(stream.getvalue())
    assert (result.status, result.err) == (1, ["tarcap: stdin: no tarcap archive"])


def test_bytes_missing_where_records_of_zeros_would_be(tmp_path):
    """What is missing in a member is not made up from the padding behind it."""
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(START + n, n, frame(n, 64)) for n in range(20)]))
    archive = run("-r", path).out
    at = archive.rindex(b"\xd4\xc3\xb2\xa1") + 24 + 80
    for missing in (16, 32, 80):
        result = join(archive[:at] + archive[at + missing:])
        assert result.status == 1
        found = summary(result.out)
        assert found["span"]["first"].startswith("2023-") and found["packets"] < 20, result.err
        assert found["bytes"] == 64 * found["packets"]


# --- what was lost ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("counters, lost, said", [
    ([(0, {"ifdrop": 7, "osdrop": 7})], 7, "7 packets, by the file's counters"),
    ([(0, {"ifdrop": 7})], 7, "7 packets, by the file's counters"),
    ([(0, {"ifdrop": 4, "osdrop": 3})], 7, "7 packets, by the file's counters"),
    ([(0, {"ifdrop": 5}), (0, {"ifdrop": 7})], 7, "7 packets, by the file's counters"),
    ([(0, {"ifdrop": 0})], 0, "nothing, by the file's counters"),
    ([(0, {})], None, "unknown: this file of packets does not say"),
    ([(0, {"ifdrop": 2**64 - 1, "osdrop": 1})], 2**63 - 1, f"{2**64 - 1} packets, by the file's counters"),
])
def test_losses_by_counters(counters, lost, said):
    blocks = Blocks().section().interface().packet(0, 1, bytes(60))
    for number, values in counters:
        blocks.counters(number, **values)
    found = summary(blocks.data())["lost"]
    assert (found and found["by_counters"]) == lost
    assert fact(page(blocks.data()), "lost") == said


def test_losses_of_some_interfaces():
    data = Blocks().section().interface().interface().counters(1, ifdrop=3).data()
    assert fact(page(data), "lost") == "3 packets, by the file's counters, which are of 1 of 2 interfaces"


def test_our_own_pcapng_says_what_it_lost(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(PACKETS))
    joined = whole(run("-r", path, "--format", "pcapng").out).out
    assert fact(page(joined), "lost") == "nothing, by the file's counters"


# --- compressed, and what cannot be read ------------------------------------------------------------------------

@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("foreign") / "x.pcap"
    path.write_bytes(pcap(PACKETS))
    return run("-r", path).out


def test_a_compressed_archive(archive):
    plain = join(archive)
    for arguments in ((), ("--no-check",), ("-19",)):
        result = join(compressed(archive, *arguments))
        assert (result.status, result.out, result.err) == (0, plain.out, plain.err)
    assert summary(compressed(archive)) == {**summary(archive), "file_bytes": len(compressed(archive))}
    two = compressed(archive[:1000]) + compressed(archive[1000:])
    assert join(two).out == plain.out


def test_a_compressed_archive_that_is_cut_or_damaged(tmp_path):
    path = tmp_path / "x.pcap"
    # Random bytes don't shrink, so that each piece of it has packets.
    noise = random.Random(1)
    path.write_bytes(pcap([(START, n, noise.randbytes(1000)) for n in range(1000)]))
    data = compressed(run("-r", path).out)
    for size in (5, 200, 300000, len(data) - 10):
        result = join(data[:size])
        assert result.status == 1 and ("the zstd file around it is cut" in result.err[0] or size < 1000), result.err
    assert "the zstd file around it is cut" in summary(data[:300000], status=1)["not_whole"]
    torn = bytearray(data)
    torn[500000:500100] = bytes(100)
    result = join(bytes(torn))
    assert result.status == 1 and "the zstd file around it is damaged" in result.err[0]


HINTS = {
    "an xz file: xz -dc FILE": lzma.compress(bytes(100)),
    "a bzip2 file: bzip2 -dc FILE": bz2.compress(bytes(100)),
    "a gzip file: gzip -dc FILE": gzip.compress(bytes(100)),
    "an lz4 file: lz4 -dc FILE": b"\x04\x22\x4d\x18" + bytes(100),
    "a zip file: unzip -p FILE": b"PK\3\4" + bytes(100),
    "an age file: age -d -i KEY FILE": b"age-encryption.org/v1\n-> X25519 " + bytes(100),
    "a snoop file: editcap -F pcapng FILE -": b"snoop\0\0\0\0\0\0\2" + bytes(100),
}


@pytest.mark.parametrize("hint", HINTS)
def test_what_cannot_be_read_is_named_with_the_command_that_helps(hint):
    for command, what in (("join", "stdin: no tarcap archive"), ("summary", "no tarcap archive, and no pcap file")):
        result = run(command, stdin=HINTS[hint])
        assert (result.status, result.out) == (1, b"")
        assert result.err == [f"tarcap: {what}, but {hint} | tarcap {command}"]


def test_what_r_cannot_read_is_named_too(tmp_path):
    for hint, data in {**HINTS, "a zstd file: zstd -dc --long=31 FILE": compressed(pcap(PACKETS))}.items():
        path = tmp_path / "x"
        path.write_bytes(data)
        result = run("-r", path)
        assert (result.status, result.err) == (1, [f"tarcap: -r {path}: it is {hint} | tarcap -r -"])


def test_zstd_with_a_large_window_is_named(archive):
    result = join(compressed_stream(archive))
    assert result.err == ["tarcap: stdin: no tarcap archive, but a zstd file that is damaged, or needs more than 16 MiB: "
                          "zstd -dc --long=31 FILE | tarcap join"]


def test_a_file_of_packets_given_to_join():
    for data in (pcap(PACKETS), pcap(PACKETS, order=">"), of_packets("packet"), compressed(pcap(PACKETS))):
        result = join(data)
        assert (result.status, result.out) == (1, b"")
        assert result.err == ["tarcap: stdin: no tarcap archive, but a capture file already: tarcap summary reads it, "
                              "and mergecap puts several together"]


# --- -r ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [(), ("tcp",)])
def test_an_unknown_link_type_is_no_filters_fault(tmp_path, arguments):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(PACKETS, linktype=9999))
    result = run("-r", path, *arguments)
    assert result.status == 1
    assert result.err == [f"tarcap: -r {path}: no file can be made of it, as its link type 9999 is not known to libpcap; "
                          "tarcap summary counts its packets"]
    assert summary(path.read_bytes())["packets"] == 5


@pytest.mark.parametrize("format", ["pcap", "pcapng"])
def test_a_packet_longer_than_on_the_wire_is_mended(tmp_path, format):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(START, 1, bytes(60), 20), (START, 2, bytes(60), 90)]))
    joined = whole(run("-r", path, "--format", format).out).out
    assert summary(joined)["bytes"] == 60 + 90
