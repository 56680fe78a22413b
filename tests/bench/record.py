"""The rows of a recorder: how much time it holds, and whether it keeps up. Called by rows.py."""

import json
import os
import random
import struct
import subprocess
import tarfile
import tempfile
import time

from bench import NO_LIMITS, TARCAP, TIME, Table, load, packets_in, told
from payload import http
from process import lines, start_process, wait_until
from record_moments import looks, through_docker
from wire import Wire

MIB = 1 << 20
SIZE = max(4, int(64 * TIME)) * MIB  # of the memory
RATE = 10_000_000                    # bytes a second, of all mixes: what counts is their ratio
HEAD = bytes(range(12)) + b"\x08\x00"
PAYLOAD = 1400

# By bytes: JSON over HTTP in connections of 8 to 64 KiB, random bytes in connections of 10 MiB, packets below 200 bytes.
# Then how much there is of it, in sizes of the memory; and the targets, in times of a ring of plain pcap.
MIXES = {"mixed": ((40, 50, 10), 20, 10), "bulk": ((10, 90, 0), 80, 30)}


class Mix:
    """pcap records of a mix, as one stream."""

    def __init__(self, shares, seed=1):
        self.chance, self.shares = random.Random(seed), shares
        self.text = b"".join(http(number, self.chance)[18:] for number in range(20_000))
        self.noise = self.chance.randbytes(24 * MIB)
        self.sent, self.packets, self.ports = [0, 0, 0], 0, 1024
        self.open = [None, None, None]

    def connection(self, kind):
        self.ports = self.ports + 1 if self.ports < 65000 else 1024
        size = (self.chance.randrange(8192, 65536), 10 * MIB, self.chance.randrange(20, 140))[kind]
        pool = (self.text, self.noise, self.text)[kind]
        return [self.ports, size, pool, self.chance.randrange(len(pool) - PAYLOAD), self.chance.getrandbits(31)]

    def packet(self, kind):
        begins = not self.open[kind] or self.open[kind][1] == 0
        open_ = self.open[kind] = self.connection(kind) if begins else self.open[kind]
        port, left, pool, at, sequence = open_
        size = 0 if begins else min(PAYLOAD, left, len(pool) - at)
        self.packets += 1
        header = HEAD + struct.pack("!BBHHHBBH8sHHIIBBHHH", 0x45, 0, 40 + size, self.packets & 0xffff, 0x4000, 64, 6, 0,
                                    b"\x0a\0\0\1\x0a\0\0\2", 443, port, sequence & 0xffffffff, 1, 0x50, 0x02 if begins else 0x10, 501, 0, 0)
        open_[1], open_[3], open_[4] = left - size, (at + size) % len(pool), sequence + (size or 1)
        return header + pool[at:at + size]

    def records(self, total):
        """Of so many bytes in all."""
        done = 0
        while done < total:
            kind = min((0, 1, 2), key=lambda kind: self.sent[kind] / self.shares[kind] if self.shares[kind] else 1e30)
            frame = self.packet(kind)
            at = done / RATE
            self.sent[kind] += len(frame)
            done += len(frame) + 16
            yield struct.pack("<IIII", 1_800_000_000 + int(at), int(at % 1 * 1e6), len(frame), len(frame)) + frame


def held_of(shares, total, *arguments):
    """Seconds that a recorder of SIZE has at the end of the mix, and what of it is stored; all of it packed as one."""
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/x.tar"
        recorder = start_process([TARCAP, "-q", "-r", "-", "--record", str(SIZE), "-w", path, *arguments],
                                 stdin=subprocess.PIPE)
        recorder.stdin.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        batch = []
        for record in Mix(shares).records(total):
            batch.append(record)
            if len(batch) == 500:
                recorder.stdin.write(b"".join(batch))
                batch = []
        recorder.stdin.write(b"".join(batch))
        recorder.stdin.close()
        assert recorder.wait(600) == 0
        with tarfile.open(path) as tar:
            manifest = json.load(tar.extractfile(next(name for name in tar.getnames() if name.endswith("/manifest.json"))))
        assert manifest["overwritten"]["packets"] > 0, "the mix is too short to fill the memory"
        command = f"tar xOf {path} --wildcards '*.pcap' '*.pcap.zst' 2>/dev/null | zstd -dcf | zstd -2 -c | wc -c"
        as_one = int(subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout)
    first, last = (seconds_of(manifest["window"][name]) for name in ("from", "to"))
    return last - first, as_one


def seconds_of(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction}")


def history():
    plain = SIZE / RATE
    table = Table("record/history", f"seconds that {SIZE // MIB} MiB hold, of a mix with {RATE // 1_000_000} MB/s",
                  "seconds", "times plain pcap", "target", "of what it takes packed as one")
    for name, (shares, sizes, target) in MIXES.items():
        held, as_one = held_of(shares, sizes * SIZE, "--first", "16K")
        table.row(f"{name}, --first 16K", f"{held:.1f}", f"{held / plain:.1f}", f">= {target}", f"{as_one / SIZE:.2f}")
    held, as_one = held_of((100, 0, 0), 9 * SIZE)
    table.row("JSON, whole", f"{held:.1f}", f"{held / plain:.1f}", ">= 4", f"{as_one / SIZE:.2f}")
    table.note("a ring of plain pcap of as much holds " + f"{plain:.1f} s; the last column's target is >= 0.90")
    table.show()


def keeps_up():
    """100,000 packets a second of 1,400 bytes: nothing is lost, and everything is counted."""
    count = int(100_000 * 10 * min(TIME, 1))
    table = Table("record/keeps-up", "recording packets of 1400 bytes, 100,000 a second offered", "as achieved",
                  "dropped by kernel", "overwritten", "identity")
    for kind in ("json", "random"):
        wire = Wire()
        try:
            with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as out:
                recorder = start_process(["nsenter", f"--net=/run/netns/{wire.b}", TARCAP, "-i", "tc0", "--record", "64M",
                                          *NO_LIMITS], stdin=subprocess.DEVNULL, stdout=out, stderr=said)
                wait_until(lambda: b"listening" in os.pread(said.fileno(), 4096, 0), 10, "listening")
                before = packets_in(wire.b)
                sent = load(wire, "-s", 1400, "-r", 100_000, "-n", count, "-k", kind)
                arrived = packets_in(wire.b) - before
                recorder.terminate()
                assert recorder.wait(60) == 0
                text = "\n".join(lines(os.pread(said.fileno(), 1 << 20, 0)))
        finally:
            wire.close()
        captured, received, dropped, overwritten = (told(text, words) for words in (
            "captured", "received by filter", "dropped by kernel$", "overwritten"))
        whole = received == captured + dropped + overwritten and received == arrived
        table.row(kind, f"{sent['per_second']:.0f}", dropped, overwritten, "holds" if whole else f"{received} != {arrived}")
    table.show()


def record():
    history()
    keeps_up()
    looks()
    through_docker()
