"""What reads an archive, and what reads its files: the table of src/doc/formats.md, as it comes out of trying."""

import io
import re
import shutil
import socket
import subprocess
import sys
import tarfile

import dpkt
import pytest

from archive import Pcap, packet_file, pcap_file, tar_members
from capture import Capture, run
from process import TOP
from wire import in_namespace, numbered, udp

sys.path.insert(0, str(TOP / "tests/k8s"))

import stand_in  # noqa: E402

# What is captured with; a new format is a row here, and one in formats.md.
VARIANTS = {
    "plain": [],
    "`--nano`": ["--nano"],
    "`--headers`": ["--headers"],
    "many files (`-C`)": ["-C", "300k"],
    "`--compress zstd`": ["--compress", "zstd"],
    "`--compress zstd --nano`": ["--compress", "zstd", "--nano"],
    "`-i all`": ["-i", "all"],
    "`--format pcapng`": ["--format", "pcapng"],
    "`-i all --format pcapng`": ["-i", "all", "--format", "pcapng"],
    "`--format pcapng --compress zstd`": ["--format", "pcapng", "--compress", "zstd"],
}


def call(*command, **more):
    return subprocess.run([str(word) for word in command], capture_output=True, timeout=60, **more)


# --- archives ---------------------------------------------------------------------------------------------------

def by_program(*command):
    def read(data, directory):
        assert call(*command, input=data, cwd=directory).returncode == 0
    return read


def by_tarfile(data, directory):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        tar.extractall(directory)


def by_kubectl(data, directory):
    """Its rules: only files below the path that was asked for, which is the archive's directory."""
    assert stand_in.unpack(io.BytesIO(data), "capture", str(directory / "capture")) == 0


TARS = {
    "GNU tar": by_program("tar", "xf", "-"),
    "bsdtar": by_program("bsdtar", "xf", "-"),
    "busybox tar": by_program("busybox", "tar", "xf", "-"),
    "Python's tarfile": by_tarfile,
    "kubectl cp": by_kubectl,
}


def reads_archive(read, data, directory):
    directory.mkdir()
    try:
        read(data, directory)
    except (AssertionError, tarfile.TarError):
        return "no"
    found = {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    return "yes" if found == {name: content for name, content, _ in tar_members(data)[0]} else "no"


# --- files ------------------------------------------------------------------------------------------------------

def nanoseconds(text):
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0")[:9])


def by_tcpdump(path, _):
    done = call("tcpdump", "-r", path, "-n", "-e", "-tt", "--time-stamp-precision", "nano", text=True)
    assert done.returncode == 0
    return [(nanoseconds(time), int(length)) for time, length in
            re.findall(r"^(\d+\.\d+) .*?, length (\d+): ", done.stdout, re.M)]


def by_tshark(path, _):
    done = call("tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len", "-e",
                "frame.cap_len", text=True)
    assert done.returncode == 0
    return [(nanoseconds(time), int(length), int(caplen)) for time, length, caplen in
            (line.split() for line in done.stdout.splitlines())]


def by_capinfos(path, _):
    done = call("capinfos", "-T", "-r", "-m", "-c", "-d", "-a", "-e", "-S", path, text=True)
    assert done.returncode == 0
    _, count, data, first, last = done.stdout.strip().split(",")
    return [(int(count), int(data), nanoseconds(first), nanoseconds(last))]


def by_mergecap(path, directory):
    """Merged, which is with itself alone, and all its bytes read back."""
    merged = directory / "merged.pcap"
    assert call("mergecap", "-F", "nsecpcap", "-w", merged, path).returncode == 0
    return [(record.time, record.length, record.data) for record in Pcap("merged", merged.read_bytes()).records]


class Near(int):
    """A microsecond more or less is the same: dpkt's times are often floating point numbers, with no room for more."""

    def __eq__(self, other):
        return abs(int(self) - int(other)) <= 1

    __hash__ = int.__hash__


def by_dpkt(path, _):
    try:
        with open(path, "rb") as file:
            return [(Near(time * 10**6), data) for time, data in dpkt.pcap.UniversalReader(file)]
    except ValueError:
        raise AssertionError("is no pcap for it") from None


# How each is asked, and what of the records it is to say.
READERS = {
    "tcpdump": (by_tcpdump, lambda records: [(record.time, record.length) for record in records]),
    "tshark, Wireshark": (by_tshark, lambda records: [(record.time, record.length, record.caplen) for record in records]),
    "capinfos": (by_capinfos, lambda records: [(len(records), sum(record.length for record in records),
                                                records[0].time, records[-1].time)]),
    "mergecap": (by_mergecap, lambda records: [(record.time, record.length, record.data) for record in records]),
    "dpkt": (by_dpkt, lambda records: [((record.time + 500) // 1000, record.data) for record in records]),
}


def reads_file(reader, path, directory):
    """As it is, or only when zstd has expanded it, or not at all."""
    ask, expected = READERS[reader]
    plain = path
    if path.suffix == ".zst":
        plain = directory / path.stem
        plain.write_bytes(call("zstd", "-dcq", path).stdout)
    records = packet_file(plain.name, plain.read_bytes()).records
    for attempt, word in ((path, "yes"), (plain, "after zstd -d")):
        try:
            if ask(attempt, directory) == expected(records):
                return word
        except AssertionError:
            pass
    return "no"


def worst(words):
    """Of all files of an archive."""
    return max(words, key=["yes", "after zstd -d", "no"].index)


# --- the table --------------------------------------------------------------------------------------------------

def captured(words, directory, wire):
    """From a file, or where there are interfaces to choose from, from them."""
    if "-i" not in words:
        return run("--name", "capture", *words, "-r", directory / "all.pcap")
    capture = Capture(wire, "--name", "capture", *words, interface=None)
    wire.send(numbered(100))
    with in_namespace(wire.b, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.sendto(b"over loopback", ("127.0.0.1", 9))
    result = capture.end()
    assert {name.split("/")[1].split("_")[0] for name in result.whole().names if ".pcap" in name} == {"lo", "tc0"}
    return result


def row(variant, directory, wire):
    made = captured(VARIANTS[variant], directory, wire)
    archive = made.whole()
    assert len(archive.files) >= (3 if "-C" in VARIANTS[variant] else 1)
    assert all(name.endswith(".zst") for name in archive.names if ".pcap" in name) == ("zstd" in variant)
    cells = [reads_archive(read, made.out, directory / name.replace(" ", "-")) for name, read in TARS.items()]
    files = sorted((directory / "GNU-tar/capture").glob("*.pcap*"))
    assert len(files) == len(archive.files)
    cells += [worst(reads_file(reader, path, directory) for path in files) for reader in READERS]
    for name in TARS:
        shutil.rmtree(directory / name.replace(" ", "-"))
    return f"| {variant} | " + " | ".join(cells) + " |"


@pytest.fixture
def directory(tmp_path):
    """With packets of all sizes, in nanoseconds, over some seconds."""
    packets = [(1700000000 + number // 200, number % 200 * 5_000_000 + number % 300, udp(number, size=60 + number % 1400))
               for number in range(1000)]
    (tmp_path / "all.pcap").write_bytes(pcap_file(packets, nano=True))
    return tmp_path


def test_table_of_readers(directory, wire):
    table = [f"| | {' | '.join([*TARS, *READERS])} |", "|---" * (1 + len(TARS) + len(READERS)) + "|"]
    wire.addresses()
    table += [row(variant, directory, wire) for variant in VARIANTS]
    text = (TOP / "src/doc/formats.md").read_text().partition("\n## What reads it\n")[2].partition("\n## ")[0]
    assert [line for line in text.splitlines() if line.startswith("|")] == table, "\n" + "\n".join(table)
    # Through join everybody reads everything.
    assert not any(cell.strip() == "no" for line in table for cell in line.split("|"))
