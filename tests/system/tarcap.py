"""What the system tests share: running tarcap, sending known frames in a namespace, reading archives back.

Run as a program, it is the traffic generator: tarcap.py flood NAMESPACE INTERFACE COUNT SIZE [PER_SECOND] [PORT]
or tarcap.py bursts NAMESPACE INTERFACE MILLISECONDS SIZE ON OFF
or tarcap.py step_load NAMESPACE INTERFACE
"""

import ctypes
import io
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
TARCAP = os.path.abspath(os.environ.get("TARCAP", TOP / "build/dev/tarcap"))

IDENTITY = ("written", "dropped_by_kernel", "dropped_at_stop", "dropped_output_failed", "after_limit",
            "filtered_in_user_space")
# For names that no other process of the tests has: in a PID namespace (tests/system/worker) its number alone is no name.
OWN = f"{os.stat('/proc/self/ns/pid').st_ino:x}-{os.getpid()}"
CLONE_NEWNET = 0x40000000
MAC_A, MAC_B = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")


# --- namespaces -------------------------------------------------------------------------------------------------

def in_namespace(name, function):
    """function()'s result, called in the network namespace; a socket it returns stays in there."""
    result, failure = [], []

    def work():
        try:
            with open(f"/run/netns/{name}") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) < 0:
                    raise OSError(ctypes.get_errno(), "setns")
            result.append(function())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def raw_socket(namespace, interface):
    def make():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.bind((interface, 0))
        return sock
    return in_namespace(namespace, make)


def sh(*command, check=True, timeout=20, **more):
    return subprocess.run(command, check=check, timeout=timeout, capture_output=True, text=True, **more)


class Wire:
    """Two namespaces with a cable: tc1 in .a, where the tests send, and tc0 in .b, where tarcap listens."""

    count = 0

    def __init__(self, ipv6=False):
        Wire.count += 1
        self.a, self.b = (f"tc{OWN}-{Wire.count}{end}" for end in "ab")
        for name in (self.a, self.b):
            sh("ip", "netns", "add", name)
            if not ipv6:
                self.within(name, "sh", "-c", "echo 1 | tee /proc/sys/net/ipv6/conf/*/disable_ipv6")
        sh("ip", "link", "add", "tc1", "netns", self.a, "type", "veth", "peer", "name", "tc0", "netns", self.b)
        # Without ARP the kernel itself says nothing on the wire.
        self.ip(self.a, "link", "set", "tc1", "address", MAC_A.hex(":"), "arp", "off", "up")
        self.ip(self.b, "link", "set", "tc0", "address", MAC_B.hex(":"), "arp", "off", "up")
        self.socket = raw_socket(self.a, "tc1")

    @staticmethod
    def within(name, *command, **more):
        return sh("nsenter", f"--net=/run/netns/{name}", *command, **more)

    def ip(self, name, *arguments):
        return sh("ip", "-n", name, *arguments)

    def addresses(self):
        """10.9.0.1 on a, 10.9.0.2 on b, and on loopback too; still without ARP."""
        for name, interface, address, peer, mac in ((self.a, "tc1", "10.9.0.1", "10.9.0.2", MAC_B),
                                                    (self.b, "tc0", "10.9.0.2", "10.9.0.1", MAC_A)):
            self.ip(name, "address", "add", f"{address}/24", "dev", interface)
            self.ip(name, "neigh", "replace", peer, "lladdr", mac.hex(":"), "dev", interface)
            self.ip(name, "link", "set", "lo", "up")

    def send(self, frames):
        count = 0
        for data in frames:
            self.socket.send(data)
            count += 1
        return count

    def received(self):
        """What arrived on tc0 by the interface's own count."""
        [link] = json.loads(sh("ip", "-n", self.b, "-j", "-s", "link", "show", "tc0").stdout)
        return link["stats64"]["rx"]["packets"]

    def close(self):
        self.socket.close()
        for name in (self.a, self.b):
            sh("ip", "netns", "del", name, check=False)


# --- frames -----------------------------------------------------------------------------------------------------

def frame(number, size=60):
    """A frame of an experimental ethertype that carries its number and a filling that depends on it."""
    head = MAC_B + MAC_A + b"\x88\xb5" + struct.pack("!I", number)
    return head + bytes([number * 7 & 255]) * (size - len(head))


def numbered(count, size=60, first=0):
    return (frame(number, size) for number in range(first, first + count))


def number_of(data):
    assert data[12:14] == b"\x88\xb5"
    return struct.unpack("!I", data[14:18])[0]


def udp(number, port=5000, size=60):
    payload = struct.pack("!I", number) + bytes(max(0, size - 46))
    length = 20 + 8 + len(payload)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, number & 0xffff, 0, 64, 17, 0, bytes((10, 9, 0, 1)),
                     bytes((10, 9, 0, 2)))
    total = sum(struct.unpack("!10H", ip))
    total = (total & 0xffff) + (total >> 16)
    ip = ip[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + ip[12:]
    return MAC_B + MAC_A + b"\x08\x00" + ip + struct.pack("!HHHH", 4000, port, length - 20, 0) + payload


def udp_port(data):
    return struct.unpack("!H", data[36:38])[0]


def on_one_processor():
    """The last, where nothing else runs; not all the same one where tests run beside each other."""
    processors = sorted(os.sched_getaffinity(0))
    beside = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    os.sched_setaffinity(0, {processors[-1 - beside % len(processors)]})


def flood(namespace, interface, count, size, per_second=0, port=0):
    """Send count numbered frames from one CPU, so that nothing overtakes."""
    on_one_processor()
    send = raw_socket(namespace, interface).send
    start = time.monotonic()
    for number in range(count):
        send(udp(number, port, size) if port else frame(number, size))
        if per_second and number % 100 == 99:
            time.sleep(max(0, start + number / per_second - time.monotonic()))


def bursts(namespace, interface, milliseconds, size, on, off):
    """Numbered frames as fast as they go for on ms, then none for off ms, and so on; 0 and 0: at random, the same."""
    on_one_processor()
    send = raw_socket(namespace, interface).send
    end, number, chance = time.monotonic() + milliseconds / 1000, 0, random.Random(1)
    while time.monotonic() < end:
        stop = time.monotonic() + (on or chance.randrange(10, 1000)) / 1000
        while time.monotonic() < stop:
            for _ in range(100):
                send(frame(number, size))
                number += 1
        time.sleep((off or chance.randrange(10, 1000)) / 1000)


def step_load(namespace, interface):
    """1,514-byte frames at 7.6 MB/s for 0.31 s, then 65,214-byte frames at 6,000/s for 0.22 s: few, but large. Says how many."""
    on_one_processor()
    send, number = raw_socket(namespace, interface).send, 0
    for size, per_second, seconds in ((1514, 7_600_000 / 1514, 0.31), (65214, 6000, 0.22)):
        start = time.monotonic()
        for sent in range(int(per_second * seconds)):
            time.sleep(max(0, start + sent / per_second - time.monotonic()))
            send(frame(number, size))
            number += 1
    print(number)


class Flood:
    """flood() in a process of its own."""

    def __init__(self, namespace, interface, count, size, per_second=0, port=0):
        self.process = start_process([sys.executable, __file__, "flood", namespace, interface] +
                                     [str(n) for n in (count, size, per_second, port)])

    def wait(self, timeout=30):
        assert self.process.wait(timeout) == 0

    def stop(self):
        self.process.kill()
        self.process.wait(10)


# --- processes --------------------------------------------------------------------------------------------------

started = []


def start_process(command, **more):
    """A process in a group of its own, so that what it starts can be ended with it."""
    process = subprocess.Popen(command, **{"start_new_session": True, **more})
    started.append(process)
    return process


def kill_all_started():
    for process in started:
        # Also when it has ended itself: a child that holds its stderr open would keep us waiting below.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait(10)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                try:
                    stream.close()
                except OSError:
                    pass
    started.clear()


def patience():
    """What a limit of time is multiplied by: it is meant for a machine that has time; four times where many share one."""
    average, _, _, running, _ = Path("/proc/loadavg").read_text().split()
    busy = max(float(average), int(running.partition("/")[0])) / os.cpu_count()
    return min(4, max(1, busy))


def wait_until(condition, timeout=5, what="it"):
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < timeout * patience(), f"{what} did not happen within {timeout} s"
        time.sleep(0.005)


def work(pid):
    """Seconds of processor time so far, to the nanosecond, and how often it has begun to wait."""
    ran = int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    [waits] = re.findall(r"\nvoluntary_ctxt_switches:\s(\d+)", Path(f"/proc/{pid}/status").read_text())
    return ran / 1e9, int(waits)


def rests(pid, seconds, wakings=4):
    """It waits for all of this time and wakes seldom, per second. What runs beside it makes that no more; and where
    twenty share two processors, a busy loop would still get four times the processor time that is allowed here."""
    before = work(pid)
    time.sleep(seconds)
    ran, woken = (after - earlier for after, earlier in zip(work(pid), before))
    assert woken <= 2 + wakings * seconds and ran < 0.025 * seconds, (woken, ran)


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def archive(self):
        return Archive(self.out)

    def whole(self):
        assert self.status == 0, (self.status, self.err)
        return self.archive().check()

    def said(self, *words):
        return any(all(word in line for word in words) for line in self.err)


def lines(data):
    return data.decode("utf-8", "replace").splitlines()


def run(*arguments, stdin=None, timeout=20, namespace=None, before=(), **more):
    """Run it to its end; before is what runs it."""
    command = [*before, TARCAP, *(item if isinstance(item, bytes) else str(item) for item in arguments)]
    if namespace:
        command = ["nsenter", f"--net=/run/netns/{namespace}"] + command
    given = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    done = subprocess.run(command, **given, capture_output=True, timeout=timeout, **more)
    return Result(done.returncode, done.stdout, lines(done.stderr))


class Capture:
    """tarcap at work on tc0 of a wire. Its stdout is collected unless a descriptor is given, or read=False."""

    def __init__(self, wire, *arguments, stdout=None, stdin=subprocess.DEVNULL, read=True, ready=True,
                 namespace=None, interface="tc0", before=(), binary=TARCAP, stderr_to=None, **more):
        arguments = [str(argument) for argument in arguments]
        if interface and "-i" not in arguments:
            arguments = ["-i", interface] + arguments
        command = [f"--net=/run/netns/{namespace or wire.b}", *before, binary] + arguments
        self.out, self.err = bytearray(), []
        self.ready = threading.Event()
        self.process = start_process(["nsenter"] + command, stdin=stdin,
                                     stdout=subprocess.PIPE if stdout is None else stdout,
                                     stderr=subprocess.PIPE if stderr_to is None else stderr_to, **more)
        self.pid = self.process.pid
        self.readers = [] if stderr_to else [threading.Thread(target=self._listen, daemon=True)]
        if stdout is None and read:
            self.readers.append(threading.Thread(target=self._collect, daemon=True))
        for reader in self.readers:
            reader.start()
        if ready:
            assert self.ready.wait(10 * patience()) and self.is_listening(), self.err

    def is_listening(self):
        return any("listening on" in line for line in self.err)

    def _listen(self):
        for line in self.process.stderr:
            self.err.append(line.decode("utf-8", "replace").rstrip("\n"))
            if "listening on" in self.err[-1]:
                self.ready.set()
        self.ready.set()

    def _collect(self):
        stream = os.dup(self.process.stdout.fileno())
        while data := os.read(stream, 1 << 20):
            self.out += data
        os.close(stream)

    def collect(self):
        """Begin to read, where read=False kept it from that."""
        self.readers.append(threading.Thread(target=self._collect, daemon=True))
        self.readers[-1].start()

    def kill(self, number=signal.SIGINT):
        os.kill(self.pid, number)

    def heard(self, *words, timeout=5):
        wait_until(lambda: any(all(word in line for word in words) for line in self.err), timeout, f"'{words}'")

    def wait(self, timeout=10):
        status = self.process.wait(timeout * patience())
        for reader in self.readers:
            reader.join(5 * patience())
        return Result(status, bytes(self.out), self.err)

    def end(self, number=signal.SIGINT, timeout=10):
        self.kill(number)
        return self.wait(timeout)

    def cpu(self):
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rests(self, seconds, wakings=4):
        rests(self.pid, seconds, wakings)

    def rss(self):
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024


def read_paced(capture, bytes_per_second, piece=None):
    """Read what capture (with read=False) writes, at this speed, and piece bytes at a time if that is given."""
    piece = piece or max(1, bytes_per_second // 100)

    def work():
        start, stream = time.monotonic(), os.dup(capture.process.stdout.fileno())
        while data := os.read(stream, piece):
            capture.out += data
            time.sleep(max(0, start + len(capture.out) / bytes_per_second - time.monotonic()))
        os.close(stream)
    capture.readers.append(threading.Thread(target=work, daemon=True))
    capture.readers[-1].start()


# --- archives ---------------------------------------------------------------------------------------------------

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

    def listed(self):
        """The manifest's table of files, its parts included."""
        parts = [self.json(f"manifest_{part:05}.json") for part in range(1, self.manifest["parts"] + 1)]
        return [entry for part in [*parts, self.manifest] for entry in part["files"]]

    def lost(self):
        """What the account says is not in the files."""
        return {name: self.account[name] for name in IDENTITY[1:] if self.account[name]}

    def numbers(self):
        return [number_of(record.data) for record in self.records]

    def check(self):
        """All that must hold in every archive that is whole."""
        first, last = self.names[0], self.names[-1]
        assert first.endswith("/capture.json") and last.endswith("/manifest.json"), self.names
        assert len({name.partition("/")[0] for name in self.names}) == 1
        assert len(set(self.names)) == len(self.names)
        members, end = tar_members(self.data)
        assert [name for name, _, _ in members] == self.names
        assert self.data[end:] == bytes(1024)

        listed = self.listed()
        for name, account in self.accounts().items():
            files = [entry for entry in listed if entry["interface"] == name]
            assert account["received_by_filter"] == sum(account[cause] for cause in IDENTITY), account
            assert account["dropped_by_kernel_while_reader_slow"] <= account["dropped_by_kernel"]
            assert account["written"] == sum(entry["packets"] for entry in files)
            assert sum(entry["dropped"] for entry in files) <= account["dropped_by_kernel"]
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


if __name__ == "__main__":
    {"flood": flood, "bursts": bursts, "step_load": step_load}[sys.argv[1]](*sys.argv[2:4], *map(int, sys.argv[4:]))
