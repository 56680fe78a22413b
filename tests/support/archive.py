"""Archives, and the pcap and pcapng files in them, read back strictly: to their last byte."""

import io
import json
import struct
import subprocess
import tarfile
from datetime import datetime, timezone

from schema import check_schema
from wire import number_of

IDENTITY = ("written", "dropped_by_kernel", "dropped_at_stop", "dropped_output_failed", "after_limit",
            "filtered_in_user_space")


# --- members ----------------------------------------------------------------------------------------------------

def tar_members(data):
    """[(name, payload, header)] of the complete members by our own reading, and where the rest begins."""
    members, at = [], 0
    while at + 512 <= len(data) and any(data[at:at + 512]):
        header = data[at:at + 512]
        size = int(header[124:136].rstrip(b"\0 ") or b"0", 8)
        if at + 512 + size > len(data):
            break
        prefix, name = (header[a:b].split(b"\0")[0].decode("ascii") for a, b in ((345, 500), (0, 100)))
        members.append((f"{prefix}/{name}" if prefix else name, data[at + 512:at + 512 + size], header))
        at += 512 + (size + 511) // 512 * 512
    return members, at


def frame_size(frame):
    """What a zstd frame's header says of its content's size; tarcap's always do, and have a checksum (RFC 8878, 3.1.1.1)."""
    assert frame[:4] == b"\x28\xb5\x2f\xfd" and frame[4] & 4
    length, single = (frame[4] >> 6 and 1 << (frame[4] >> 6)) or frame[4] >> 5 & 1, frame[4] >> 5 & 1
    assert length
    at = 5 + (not single)
    return int.from_bytes(frame[at:at + length], "little") + (256 if length == 2 else 0)


def expanded(members):
    """[(name, content, stored)] of those that are packets, compressed or not; by one run of zstd."""
    found = [(name, text) for name, text, *_ in members if name.endswith((".pcap", ".pcapng", ".pcap.zst", ".pcapng.zst"))]
    frames = [text for name, text in found if name.endswith(".zst")]
    content, at, result = b"", 0, []
    if frames:
        content = subprocess.run(["zstd", "-dcq"], input=b"".join(frames), capture_output=True, check=True).stdout
    for name, text in found:
        size = frame_size(text) if name.endswith(".zst") else 0
        assert not name.endswith(".zst") or len(text) < size
        result.append((name, content[at:at + size] if size else text, len(text)))
        at += size
    assert at == len(content)
    return result


class Record:
    def __init__(self, seconds, fraction, caplen, length, data, tick=1000):
        self.seconds, self.fraction, self.caplen, self.length, self.data = seconds, fraction, caplen, length, data
        self.time = seconds * 10**9 + fraction * tick


class Pcap:
    """A pcap file, read strictly: to its last byte."""

    def __init__(self, name, data, stored=None):
        self.name, self.data, self.stored = name, data, stored
        magic, major, minor, _, _, self.snaplen, self.linktype = struct.unpack("<IHHiIII", data[:24])
        assert magic in (0xa1b2c3d4, 0xa1b23c4d) and (major, minor) == (2, 4)
        self.tick = 1000 if magic == 0xa1b2c3d4 else 1
        self.records, at = [], 24
        while at < len(data):
            seconds, fraction, caplen, length = struct.unpack_from("<IIII", data, at)
            assert at + 16 + caplen <= len(data), f"{name} is torn"
            self.records.append(Record(seconds, fraction, caplen, length, data[at + 16:at + 16 + caplen], self.tick))
            at += 16 + caplen


def pcapng_options(data):
    """[(code, value)], read strictly."""
    options, at = [], 0
    while at < len(data):
        code, size = struct.unpack_from("<HH", data, at)
        options.append((code, data[at + 4:at + 4 + size]))
        assert at + 4 + size <= len(data) and not any(data[at + 4 + size:at + 4 + (size + 3) // 4 * 4])
        at += 4 + (size + 3) // 4 * 4
    assert not options or options.pop() == (0, b"")
    return options


def pcapng_blocks(data):
    """[(type, body)], read strictly."""
    blocks, at = [], 0
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        assert size % 4 == 0 and size >= 12 and data[at + size - 4:at + size] == struct.pack("<I", size)
        blocks.append((kind, data[at + 8:at + size - 4]))
        at += size
    return blocks


class Pcapng:
    """A pcapng file as tarcap writes it, read strictly: sections, interfaces, packets and statistics, as they come."""

    tick = 1

    def __init__(self, name, data, stored=None):
        self.name, self.data, self.stored = name, data, stored
        self.sections, self.interfaces, self.records, self.statistics = [], [], [], []
        for kind, body in pcapng_blocks(data):
            {0x0a0d0d0a: self._section, 1: self._interface, 5: self._statistics, 6: self._packet}[kind](body)
        assert self.sections

    def _section(self, body):
        assert struct.unpack_from("<IHHq", body) == (0x1a2b3c4d, 1, 0, -1)
        self.sections.append({code: value.decode() for code, value in pcapng_options(body[16:])})
        self.section_interfaces = []

    def _interface(self, body):
        linktype, zero, snaplen = struct.unpack_from("<HHI", body)
        options = dict(pcapng_options(body[8:]))
        assert zero == 0 and options[9] == b"\x09"
        self.linktype, self.snaplen = linktype, snaplen
        self.interfaces.append({"linktype": linktype, "snaplen": snaplen, "name": options[2].decode(),
                                "description": options.get(3, b"").decode(), "filter": options.get(11, b"")})
        self.section_interfaces.append(self.interfaces[-1])

    def _packet(self, body):
        number, high, low, caplen, length = struct.unpack_from("<IIIII", body)
        time, padded = high << 32 | low, (caplen + 3) // 4 * 4
        assert not any(body[20 + caplen:20 + padded])
        record = Record(time // 10**9, time % 10**9, caplen, length, body[20:20 + caplen], 1)
        record.interface = self.section_interfaces[number]
        [record.flags] = [struct.unpack("<I", value)[0] for code, value in pcapng_options(body[20 + padded:])
                          if code == 2] or [0]
        self.records.append(record)

    def _statistics(self, body):
        number, high, low = struct.unpack_from("<III", body)
        found = {"interface": self.section_interfaces[number], "time": high << 32 | low}
        for code, value in pcapng_options(body[12:]):
            if code in (2, 3):
                high, low = struct.unpack("<II", value)
                found["start" if code == 2 else "end"] = high << 32 | low
            else:
                found[{5: "ifdrop", 6: "accepted", 7: "osdrop", 8: "delivered"}[code]] = struct.unpack("<Q", value)[0]
        self.statistics.append(found)


def packet_file(name, data, stored=None):
    return (Pcapng if data[:4] == b"\n\r\r\n" else Pcap)(name, data, stored)


def rfc3339(nanoseconds):
    text = datetime.fromtimestamp(nanoseconds // 10**9, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{nanoseconds % 10**9:09}Z"


class Archive:
    def __init__(self, data):
        self.data = data
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            self.members = [(member.name, tar.extractfile(member).read()) for member in tar]
        self.names = [name for name, _ in self.members]
        self.files = [packet_file(*member) for member in expanded(self.members)]
        self.records = [record for file in self.files for record in file.records]
        self.capture = self._json("capture.json")
        self.manifest = self._json("manifest.json")

    def _json(self, name):
        for full, text in self.members:
            if full.partition("/")[2] == name:
                return json.loads(text)
        return None

    def json(self, name):
        return self._json(name)

    @property
    def cause(self):
        return self.manifest["ended_by"]["cause"]

    @property
    def account(self):
        [interface] = self.manifest["interfaces"]
        return interface

    def accounts(self):
        """Each interface's, by its name."""
        return {interface["name"]: interface for interface in self.manifest["interfaces"]}

    def files_of(self, interface):
        names = [entry["name"] for entry in self.listed() if entry["interface"] == interface]
        return [file for file in self.files if file.name.partition("/")[2] in names]

    def records_of(self, interface):
        return [record for file in self.files_of(interface) for record in file.records]

    def parts(self):
        return [self.json(f"manifest_{part:05}.json") for part in range(1, self.manifest["parts"] + 1)]

    def listed(self):
        """The manifest's table of files, its parts included."""
        return [entry for part in [*self.parts(), self.manifest] for entry in part["files"]]

    def lost(self):
        """What the account says is not in the files."""
        return {name: self.account[name] for name in IDENTITY[1:] if self.account[name]}

    def numbers(self):
        return [number_of(record.data) for record in self.records]

    def check_record(self, account):
        """What a recorder's has more, for all (account is the manifest) or for an interface. Returns what it overwrote."""
        overwritten = account["overwritten"]
        assert bool(overwritten["files"]) == bool(overwritten["packets"]) == bool(overwritten["bytes"])
        return overwritten["packets"] + account.get("not_yet_stored", 0)

    def check_window(self):
        window, times = self.manifest["window"], [record.time for record in self.records]
        assert window == ({"from": rfc3339(min(times)), "to": rfc3339(max(times))} if times else None)
        sums = {name: sum(account["overwritten"][name] for account in self.accounts().values())
                for name in self.manifest["overwritten"]}
        assert self.manifest["overwritten"] == sums

    def check(self):
        """All that must hold in every archive that is whole."""
        first, last = self.names[0], self.names[-1]
        assert first.endswith("/capture.json") and last.endswith("/manifest.json"), self.names
        assert len({name.partition("/")[0] for name in self.names}) == 1
        assert len(set(self.names)) == len(self.names)
        members, end = tar_members(self.data)
        assert [name for name, _, _ in members] == self.names
        assert self.data[end:] == bytes(1024)
        check_schema("capture", self.capture)
        for text in [self.manifest, *self.parts()]:
            check_schema("manifest", text)

        recorded = "window" in self.manifest
        if recorded:
            self.check_window()
        listed = self.listed()
        for name, account in self.accounts().items():
            files = [entry for entry in listed if entry["interface"] == name]
            overwritten = self.check_record(account) if recorded else 0
            assert account["received_by_filter"] == sum(account[cause] for cause in IDENTITY) + overwritten, account
            assert account["dropped_by_kernel_while_reader_slow"] <= account["dropped_by_kernel"]
            assert account["written"] == sum(entry["packets"] for entry in files)
            charged = sum(entry["dropped"] for entry in files) + account.get("overwritten", {}).get("dropped", 0)
            assert charged + account["dropped_before_no_file"] == account["dropped_by_kernel"]
        assert [f["name"] for f in listed] == [f.name.partition("/")[2] for f in self.files]
        for entry, file in zip(listed, self.files):
            times = [record.time for record in file.records]
            assert entry["packets"] == len(file.records) > 0
            assert (entry["bytes"], entry["stored_bytes"]) == (len(file.data), file.stored)
            assert (entry["first"], entry["last"]) == (rfc3339(min(times)), rfc3339(max(times)))
        context = {entry["name"]: entry["stored_bytes"] for entry in self.manifest["context"]
                   if not entry.get("left_out")}
        came = {name.partition("/")[2]: len(text) for name, text in self.members}
        assert context == {name: size for name, size in came.items() if name.startswith("context/")}
        totals = self.manifest["totals"]
        written = sum(account["written"] for account in self.accounts().values())
        assert totals["packets"] == written == len(self.records)
        assert totals["files"] == len(self.files)
        assert totals["bytes"] == sum(len(file.data) for file in self.files)
        return self


def packets_in(data):
    """The records of all complete pcap members of a stream, however it was cut."""
    return [record for name, text, _ in expanded(tar_members(data)[0]) for record in packet_file(name, text).records]


def check_flood(archive, sent, lost=("dropped_by_kernel",)):
    """All of a flood is in the archive, once and in order, but for what the account gives as lost."""
    numbers = archive.numbers()
    assert numbers == sorted(set(numbers))
    assert archive.account["received_by_filter"] == sent, archive.account
    assert set(archive.lost()) <= set(lost), archive.account
    assert len(numbers) == sent - sum(archive.lost().values()), archive.account
    return archive


# --- pcap files to read -----------------------------------------------------------------------------------------

def pcap_file(records, linktype=1, snaplen=262144, order="<", nano=False):
    """records: (seconds, fraction, data) or (seconds, fraction, data, length)"""
    parts = [struct.pack(order + "IHHiIII", 0xa1b23c4d if nano else 0xa1b2c3d4, 2, 4, 0, 0, snaplen, linktype)]
    for seconds, fraction, data, *length in records:
        parts += [struct.pack(order + "IIII", seconds, fraction, len(data), *(length or [len(data)])), data]
    return b"".join(parts)
