"""The profile for Wireshark, in tshark on real traffic: its columns, and what each of its buttons selects."""

import csv
import os
import re
import shutil
import struct
import subprocess
import tarfile
from datetime import datetime, timezone
from xml.etree import ElementTree

import pytest

import traffic
from archive import Pcap
from capture import run
from engine import docker
from process import TOP

PROFILES = TOP / "image/root/usr/share/tarcap/wireshark"
PAGE = TOP / "src/doc/reading.md"
NAMES = ["tarcap", "tarcap-utc"]
HOUR = 3600 * 10**9
SLOW = 10**9 // 2
FIN, SYN, RST = 1, 2, 4


class Packet:
    """As much of a frame as the buttons ask for."""

    def __init__(self, number, record):
        self.number, self.time, data = number, record.time, record.data
        self.arp = data[12:14] == b"\x08\x06"
        self.source = self.destination = self.ports = self.stream = self.back = self.tcp = self.dns = None
        if data[12:14] != b"\x08\x00":
            return
        ip, protocol = data[14:14 + struct.unpack("!H", data[16:18])[0]], data[23]
        self.source, self.destination = (".".join(map(str, ip[at:at + 4])) for at in (12, 16))
        body = ip[(ip[0] & 15) * 4:]
        self.ports = struct.unpack("!HH", body[:4])
        self.stream = (self.source, self.destination, *self.ports)
        self.back = (self.destination, self.source, *self.ports[::-1])
        if protocol == 6:
            self.tcp, self.sequence = body[13], struct.unpack("!I", body[4:8])[0]
            [self.window] = struct.unpack("!H", body[14:16])
            self.payload = body[(body[12] >> 4) * 4:]
        elif 53 in self.ports:
            self.dns = body[8:]


def selected(packets):
    """What each button is to select, from the frames alone."""
    def answered_late(packet):
        asked = [other.time for other in packets if other.time < packet.time and other.ports
                 and other.stream == packet.back and (other.dns or other.tcp and other.payload)]
        answers = packet.dns and packet.dns[2] & 0x80 or packet.tcp and packet.payload and packet.ports[0] < packet.ports[1]
        return answers and asked and packet.time - asked[-1] >= SLOW

    def sent_again(packet):
        return packet.tcp and (packet.payload or packet.tcp & (SYN | FIN)) and any(
            other.tcp and other.stream == packet.stream and other.sequence == packet.sequence
            and other.number < packet.number and (other.payload or other.tcp & (SYN | FIN)) for other in packets)

    def failed(packet):
        if not packet.dns:
            return False
        if packet.dns[2] & 0x80:
            return packet.dns[3] & 15
        return not any(other.dns and other.stream == packet.back and other.dns[:2] == packet.dns[:2] for other in packets)
    rules = {
        "no SSH": lambda packet: not (packet.tcp and 22 in packet.ports),
        "no ARP": lambda packet: not packet.arp,
        "Resets": lambda packet: packet.tcp and packet.tcp & RST,
        "Retransmissions": sent_again,
        "Zero window": lambda packet: packet.tcp and packet.tcp & 7 == 0 and packet.window == 0,
        "Slow responses": answered_late,
        "DNS failures": failed,
    }
    return {label: [packet.number for packet in packets if rule(packet)] for label, rule in rules.items()}


def buttons(name):
    """{label: filter} of a profile."""
    lines = [line for line in (PROFILES / name / "dfilter_buttons").read_text().splitlines() if line[:1] != "#"]
    rows = list(csv.reader(lines))
    assert all(len(row) == 4 and row[0] == "TRUE" for row in rows)
    return {label: text for _, label, text, _ in rows}


@pytest.fixture
def tshark(tmp_path):
    """tshark of somebody who has the profiles, for a while nine hours ahead of UTC."""
    shutil.copytree(PROFILES, tmp_path / "home/.config/wireshark/profiles")
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("XDG_", "WIRESHARK_"))}

    def call(*arguments):
        done = subprocess.run(["tshark", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                              env={**environment, "HOME": str(tmp_path / "home"), "TZ": "Asia/Tokyo"})
        warnings = [line for line in done.stderr.splitlines() if not line.startswith("Running as user")]
        assert done.returncode == 0 and warnings == [], done.stderr
        return done.stdout
    return call


def joined(archive, path):
    result = run("join", stdin=archive.data)
    assert result.status == 0, result.err
    path.write_bytes(result.out)
    return [Packet(number, record) for number, record in enumerate(Pcap("joined", result.out).records, 1)]


def test_profiles_on_a_capture(wire, tshark, tmp_path):
    path = tmp_path / "x.pcap"
    packets = joined(traffic.captured(wire), path)
    expected = selected(packets)
    # Each of them has something to select, and something to leave out.
    assert all(0 < len(numbers) < len(packets) for numbers in expected.values()), expected
    assert len(expected["Resets"]) == 2 and len(expected["DNS failures"]) == 3, expected
    for name in NAMES:
        check_columns(tshark("-C", name, "-r", path, "-T", "psml"), packets, name)
        assert list(buttons(name)) == list(expected)
        for label, text in buttons(name).items():
            # Twice through the file, as Wireshark does it: that a query has an answer is known at the end.
            out = tshark("-C", name, "-2", "-r", path, "-Y", text, "-T", "fields", "-e", "frame.number")
            assert [int(number) for number in out.split()] == expected[label], label


def check_columns(psml, packets, name):
    root = ElementTree.fromstring(psml)
    titles = [section.text for section in root.find("structure")]
    utc = name == "tarcap-utc"
    assert titles == ["No.", "Time (UTC)" if utc else "Time", "Source", "Src Port", "Destination", "Dest Port",
                      "Protocol", "Length", "Info"]
    rows = [[section.text for section in packet] for packet in root.findall("packet")]
    assert len(rows) == len(packets)
    for row, packet in zip(rows, packets):
        shown = packet.time + (0 if utc else 9 * HOUR)
        assert row[1] == datetime.fromtimestamp(shown // 10**9, timezone.utc).strftime("%Y-%m-%d %H:%M:%S") \
            + f".{shown % 10**9 // 1000:06}"
        if packet.ports:
            assert row[2:6] == [packet.source, str(packet.ports[0]), packet.destination, str(packet.ports[1])]


def test_profiles_differ_in_the_time_alone():
    assert sorted(path.name for path in PROFILES.iterdir()) == NAMES
    first, second = ([line for line in (PROFILES / name / "preferences").read_text().splitlines() if line[:1] != "#"]
                     for name in NAMES)
    assert [pair for pair in zip(first, second) if pair[0] != pair[1]] == [
        ('\t"Time", "%Yt",', '\t"Time (UTC)", "%Yut",')] and len(first) == len(second)
    assert buttons(NAMES[0]) == buttons(NAMES[1])


def test_picture_is_small():
    """tests/demo/picture makes it; somebody has looked at it."""
    [path] = re.findall(r"!\[.*\]\((\S*tests/demo/\S+\.png)\)", PAGE.read_text())
    data = (PAGE.parent / path).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) < 150_000


# --- on its way to the person -----------------------------------------------------------------------------------

def commands_of_the_page():
    text = PAGE.read_text()
    [commands] = re.findall(r"^    (mkdir -p \S+/wireshark/profiles)\n    (docker run .* \| tar x.*)$", text, re.M)
    return "\n".join(commands)


def same_files(below):
    def files(top):
        return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}
    return files(below) == files(PROFILES) != {}


def test_a_directory_comes_out_of_tar(tmp_path):
    result = run("tar", "cf", "-", PROFILES)
    assert result.status == 0 and result.err == []
    (tmp_path / "x.tar").write_bytes(result.out)
    with tarfile.open(tmp_path / "x.tar") as tar:
        tar.extractall(tmp_path)
    assert same_files(tmp_path / str(PROFILES).lstrip("/"))


def test_profiles_come_out_of_the_image(image, tmp_path):  # noqa: F811
    """As the page has it, into a home that has no Wireshark yet."""
    done = subprocess.run(["sh", "-euc", commands_of_the_page()], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "HOME": str(tmp_path)})
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert same_files(tmp_path / ".config/wireshark/profiles")
    assert docker("run", "--rm", "tarcap", "tar", "cf", "-", "/usr/share/nosuch", check=False).returncode == 2
