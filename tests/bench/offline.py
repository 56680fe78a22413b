"""The rows of the benchmark that read files, and capture nothing: encrypt, summary, both, join. Called by rows.py."""

import json
import os
import subprocess
import sys
import tempfile
from functools import cache

from archive import pcap_file
from bench import NO_LIMITS, OUT, SHARED, TARCAP, TIME, Table, cpus, middle, pinned, rounds


def encrypt():
    """A file's packets to nowhere, as they are and encrypted: the difference is what encryption takes."""
    from age import Key
    size = int(256e6 * TIME)
    recipients = [word for _ in range(16) for word in ("--to", Key().recipient)]
    commands = {"plain": [], "--to": recipients[:2], "--to, 16 recipients": recipients, "--to, --compress zstd":
                [*recipients[:2], "--compress", "zstd"], "--compress zstd": ["--compress", "zstd"]}
    base = {"--to, --compress zstd": "--compress zstd"}

    def run(name):
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen([TARCAP, "-r", path, *commands[name]], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=said, preexec_fn=pinned(cpus()[1]))
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0, (name, process.returncode, os.pread(said.fileno(), 4096, 0))
            return usage.ru_utime + usage.ru_stime

    with tempfile.TemporaryDirectory(dir=OUT) as place:
        path = os.path.join(place, "x.pcap")
        with open(path, "wb") as file:
            records = [(at // 1000, at % 1000, os.urandom(1400)) for at in range(10000)]
            file.write(pcap_file([]))
            for _ in range(max(1, size // 14_160_000)):
                file.write(pcap_file(records)[24:])
        size = os.path.getsize(path)
        results = rounds(list(commands), run)
    table = Table("encrypt", f"{size >> 20} MiB of 1400-byte packets, read from a file, written to nowhere", "ms",
                  "MB/s of processor time for encryption alone")
    for name, times in results.items():
        other = results[base.get(name, "plain")]
        speeds = [size / 1e6 / (a - b) for a, b in zip(times, other) if a > b]
        table.row(name, middle((value * 1e3 for value in times)), middle(speeds) if "--to" in name and speeds else "")
    table.note("target >= 500 MB/s, with AVX2 or SSSE3")
    table.show()


# --- summary ----------------------------------------------------------------------------------------------------

def programs_to_compare():
    before = os.environ.get("BENCH_BEFORE")
    return {"tarcap": TARCAP, **({"tarcap before": before} if before else {})}


# A process of its own, and a small one: a child's greatest size is at least that of who started it (getrusage(2)).
WATCH = """import json, os, subprocess, sys, time
started = time.monotonic()
process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(json.dumps({"status": status, "time": time.monotonic() - started, "cpu": usage.ru_utime + usage.ru_stime,
                  "resident": usage.ru_maxrss / 1024}))"""


def took(program, command, *paths):
    """How long a command takes with these files, and what memory."""
    result = json.loads(subprocess.run([sys.executable, "-S", "-c", WATCH, program, command, *paths], capture_output=True,
                                       check=True).stdout)
    assert result["status"] == 0
    return result


@cache
def talk(packets, connections, *arguments):
    """(a file of packets of healthy connections, its GiB), the same for all rows."""
    place = SHARED.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm"))
    path = os.path.join(place, "talk.pcap")
    with open(path, "wb") as file:
        subprocess.run([OUT / "talk", str(int(packets * min(TIME, 1))), str(connections), *arguments], stdout=file, check=True)
    return path, os.path.getsize(path) / 2**30


def show_pages(name, text, results, target):
    table = Table(name, text, "s", "s of processor time", "MiB resident")
    for of, samples in results.items():
        table.row(of, *(middle([sample[key] for sample in samples], "{:.2f}") for key in ("time", "cpu", "resident")))
    table.note(target)
    table.show()


# 1 GiB each, or BENCH_TIME of it: headers alone are ten times as many packets.
HEADERS, WHOLE = (13_000_000, 120_000), (1_330_000, 12_000, "whole")


def summary():
    """A page of 1 GiB: 13 million packets of 120,000 connections. BENCH_BEFORE: another tarcap, beside it."""
    programs = programs_to_compare()
    path, size = talk(*HEADERS)
    results = rounds(list(programs), lambda name: took(programs[name], "summary", path))
    show_pages("summary", f"a page of {size:.2f} GiB, 13,000,000 packets of 120,000 connections", results,
               "targets, of the whole: <= 3.0 s where the page without findings takes 2.8 s; <= 64 MiB")


def both():
    """A page of two ends, 1 GiB each: of whole packets, and of headers alone, which are ten times as many."""
    files = {"whole packets": talk(*WHOLE), "headers alone": talk(*HEADERS)}
    results = {}
    for kind, (path, _) in files.items():
        other = f"{path}.b"
        os.link(path, other)
        results.update(rounds([kind], lambda _, pair=(path, other): took(TARCAP, "summary", *pair)))
        os.unlink(other)
    sizes = ", ".join(f"{kind} {size:.2f} GiB" for kind, (_, size) in files.items())
    show_pages("both", f"a page of two ends, each of {sizes}", results, "target: <= 8 s and <= 128 MiB for 1 GiB + 1 GiB")


# --- join -------------------------------------------------------------------------------------------------------

def join():
    """MB of an archive a second of processor time, to nowhere. BENCH_BEFORE: another tarcap, beside it."""
    programs = programs_to_compare()
    table = Table("join", "MB of an archive a second of processor time, packets in order", "MB/s", "MB")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        archive = os.path.join(place, "talk.tar")
        for kind, of in {"headers alone": HEADERS, "whole packets": WHOLE}.items():
            with open(archive, "wb") as file:
                subprocess.run([TARCAP, "-q", "-r", talk(*of)[0], *NO_LIMITS], stdout=file, check=True)
            size = os.path.getsize(archive) / 1e6
            for name, samples in rounds(list(programs), lambda name: took(programs[name], "join", archive)).items():
                table.row(f"{kind}, {name}", middle([size / sample["cpu"] for sample in samples], "{:.0f}"), f"{size:.0f}")
    table.show()
