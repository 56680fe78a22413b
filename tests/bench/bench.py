"""What the rows of the benchmark share: the tools that are compared, one measured run of one of them, rounds, tables."""

import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD") or TOP / "build").resolve()
OUT = BUILD / "bench"
os.environ.setdefault("TARCAP", str(BUILD / "tarcap"))
sys.path.insert(0, str(TOP / "tests/support"))

from process import OWN, TARCAP, sh, take_ignored_signals, wait_until  # noqa: E402
from wire import in_namespace  # noqa: E402

RUN = SimpleNamespace(rounds=1)    # of the row that is being measured; rows.py has them
SHARED = contextlib.ExitStack()    # what more than one row needs, until all are done
TIME = float(os.environ.get("BENCH_TIME", 1))  # seconds of traffic in a run
LOAD, COUNT, FLOOR = (str(OUT / name) for name in ("load", "count", "floor"))
RING = 32768  # KiB: tarcap's default

# Neither time nor bytes end it; the rest is as it comes.
NO_LIMITS = ["--duration", "0", "--max-bytes", "0"]
TOOLS = {
    "tarcap": [TARCAP, "-i", "tc0", *NO_LIMITS],
    "tcpdump": ["tcpdump", "-i", "tc0", "-w", "-"],
    "tcpdump -U": ["tcpdump", "-i", "tc0", "-U", "-w", "-"],
    "tcpdump -B": ["tcpdump", "-i", "tc0", "-B", str(RING), "-w", "-"],
    "tcpdump -B -U": ["tcpdump", "-i", "tc0", "-B", str(RING), "-U", "-w", "-"],
    "dumpcap": ["dumpcap", "-i", "tc0", "-P", "-q", "-w", "-"],
    "dumpcap -B": ["dumpcap", "-i", "tc0", "-P", "-q", "-B", str(RING // 1024), "-w", "-"],
    "floor drain": [FLOOR, "drain", "tc0"],
    "floor write": [FLOOR, "write", "tc0"],
    "floor copy": [FLOOR, "copy", "tc0"],
    "floor vector": [FLOOR, "vector", "tc0"],
}
READY = re.compile(rb"listening on|File: -")


def has_flag(flag):
    return flag in sh(TARCAP, "--help").stdout


# --- processes --------------------------------------------------------------------------------------------------

def cpu_of(pid):
    """Nanoseconds of processor time of a whole process so far. (The clock's number: clock_getcpuclockid(3).)"""
    return time.clock_gettime_ns((~pid << 3) | 2)


def wakings_of(pid):
    """How often it has waited for something so far, as the kernel counts it (proc(5))."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.MULTILINE)[1])


def pinned(cpu):
    return (lambda: os.sched_setaffinity(0, {cpu})) if cpu is not None else None


def cpus():
    """Where the sender and the reader run, and where the tool does; two is all we count on."""
    all_cpus = sorted(os.sched_getaffinity(0))
    return all_cpus[0], all_cpus[-1]


def packets_in(namespace, interface="tc0"):
    """How many packets the interface has received by its own count; Docker's namespaces go by a process's path."""
    def read():
        for line in Path("/proc/thread-self/net/dev").read_text().splitlines():
            name, _, counters = line.partition(":")
            if name.strip() == interface:
                return int(counters.split()[1])
        raise LookupError(interface)
    return in_namespace(namespace, read)


def load(wire, *arguments, cpu=None, interfaces=("tc1",)):
    """Send, on the interfaces in turn, and return what the sender says of it."""
    command = [f"--net=/run/netns/{wire.a}", LOAD, "-c", str(cpus()[0] if cpu is None else cpu)]
    done = sh("nsenter", *command, *(str(item) for item in arguments), *interfaces, timeout=7200)
    return json.loads(done.stdout)


def told(said, words):
    """How many packets tarcap says it has done that with, at its end."""
    return int(re.search(rf"^(?:tarcap: )?(\d+) packets? {words}", said, re.MULTILINE)[1])


class Tool:
    """A tool at work on tc0, with a reader that counts what comes."""

    def __init__(self, wire, command, reader=(), cpu=None, reader_cpu=None, before=(), into=None, env=None, ready=True):
        self.said = tempfile.TemporaryFile(buffering=0)
        read_end, write_end = os.pipe()
        self.started = time.monotonic()
        self.process = subprocess.Popen(["nsenter", f"--net=/run/netns/{wire.b}", *before, *command],
                                        stdin=subprocess.DEVNULL, stdout=write_end, stderr=self.said,
                                        preexec_fn=into or pinned(cpu), env={**os.environ, **(env or {})})
        self.reader = subprocess.Popen([COUNT, *map(str, reader)], stdin=read_end, stdout=subprocess.PIPE,
                                       preexec_fn=pinned(reader_cpu))
        os.close(read_end)
        os.close(write_end)
        self.pid, self.is_floor = self.process.pid, command[0] == FLOOR
        if not ready:
            return
        try:
            wait_until(lambda: READY.search(self.text()) or self.process.poll() is not None, 30, "listening")
            assert self.process.poll() is None, self.text()
        except AssertionError:
            self.end(signal.SIGKILL)
            raise

    def text(self):
        return os.pread(self.said.fileno(), 1 << 16, 0)

    def end(self, number=signal.SIGINT):
        """What the reader counted; and cpu, the nanoseconds that the tool took in all. With 0 it ends by itself."""
        if self.process.returncode is None:
            if number:
                os.kill(self.pid, number)
            _, status, usage = os.wait4(self.pid, 0)
            self.process.returncode = os.waitstatus_to_exitcode(status)
            self.cpu = int((usage.ru_utime + usage.ru_stime) * 1e9)
        out, _ = self.reader.communicate(timeout=120)
        result = json.loads(out)
        if self.is_floor: # nothing of its packets reaches the reader
            result["distinct"] = int(re.search(rb"(\d+) packets captured", self.text())[1])
        result["said"] = self.text().decode(errors="replace")
        self.said.close()
        return result


def measure(wire, command, traffic, settle=0.15, rest=0.25, look=None, **more):
    """One run: start the tool, send, look(tool), end the tool. traffic: load's arguments, or None to send nothing."""
    tool = Tool(wire, command, **more)
    try:
        time.sleep(settle)
        before, cpu = packets_in(wire.b), cpu_of(tool.pid)
        sent = load(wire, *traffic) if traffic else {"sent": 0, "per_second": 0}
        time.sleep(rest)
        arrived = packets_in(wire.b) - before
        seen = look(tool) if look else {}
    except BaseException:
        tool.end(signal.SIGKILL)
        raise
    result = tool.end()
    return {**sent, **result, **seen, "arrived": arrived, "cpu": tool.cpu - cpu,
            "loss": 100 * (1 - result["distinct"] / arrived) if arrived else 0}


# --- rounds -----------------------------------------------------------------------------------------------------

def rounds(names, run, count=None):
    """{name: [run(name), …]}: all of them in turn, every other round backwards (A B B A), so that drift hits all."""
    results = {name: [] for name in names}
    for number in range(count or RUN.rounds):
        for name in names if number % 2 == 0 else list(reversed(names)):
            results[name].append(run(name))
    return results


def middle(values, form="{:.0f}"):
    """The median with the least and the greatest."""
    values = list(values)
    texts = [form.format(value) for value in (statistics.median(values), min(values), max(values))]
    return texts[0] if texts[1] == texts[2] else f"{texts[0]} ({texts[1]}-{texts[2]})"


def ratios(ours, theirs):
    """Of each round."""
    return [a / b for a, b in zip(ours, theirs) if b]


def offered(results):
    rates = [sample["per_second"] for samples in results.values() for sample in samples]
    return f"offered as achieved {middle(rates)} packets/s"


# --- the table --------------------------------------------------------------------------------------------------

RESULTS = {"machine": {}, "seconds": {}, "tables": []}  # seconds: what each row took; results.py reads it


def write_results():
    (OUT / "results.json").write_text(json.dumps(RESULTS, indent=1) + "\n", encoding="ascii")


class Table:
    """Printed at once, appended to the results, and put into results.json. A name is that of the row, or ROW/PART."""

    def __init__(self, name, title, *columns):
        self.name, self.title, self.columns, self.lines, self.notes = name, title, columns, [], []

    def row(self, *cells):
        self.lines.append([str(cell) for cell in cells])

    def note(self, text):
        self.notes.append(text)

    def text(self):
        lines = [["", *self.columns], *self.lines]
        widths = [max(len(line[at]) for line in lines if at < len(line)) for at in range(len(self.columns) + 1)]
        out = [f"{self.name}: {self.title} ({RUN.rounds} round{'s' if RUN.rounds > 1 else ''})"]
        out += ["  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
        return "\n".join(out + ["  " + note for note in self.notes]) + "\n"

    def show(self):
        print(self.text(), flush=True)
        with open(OUT / "results.txt", "a", encoding="ascii") as results:
            results.write(self.text() + "\n")
        RESULTS["tables"].append({"name": self.name, "title": self.title, "rounds": RUN.rounds, "columns": self.columns,
                                  "rows": {line[0]: line[1:] for line in self.lines}, "notes": self.notes})
        write_results()
