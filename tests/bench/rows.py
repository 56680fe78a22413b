"""The benchmark's rows: python3 rows.py [ROW]... (all without a name; --list names them). See tests/README.md."""

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from functools import cache
from typing import Callable, NamedTuple

from bench import (FLOOR, NO_LIMITS, OUT, OWN, READY, RESULTS, RUN, SHARED, TARCAP, TIME, TOOLS, Table, Tool, cpu_of, cpus, has_flag,
                   load, measure, middle, offered, packets_in, ratios, rounds, take_ignored_signals, told,
                   wait_until, wakings_of, write_results)
from offline import both, encrypt, join, summary
from wire import Wire

CAPTURES = ["tarcap", "tcpdump", "tcpdump -U", "tcpdump -B", "tcpdump -B -U", "dumpcap", "dumpcap -B"]
DEFAULTS = ["tarcap", "tcpdump", "tcpdump -U", "tcpdump -B", "dumpcap"]
GSO = 54 + 45 * 1448  # a frame as TCP makes it with an MTU of 1500, 65,214 bytes
FLOORS = ["floor drain", "floor write", "floor copy"]
UNCOPIED = "floor vector"
LOSS_TIME = 0.4 * TIME  # at the highest rate many times what a ring of 32 MiB holds

# "The benchmark" in tests/README.md says what each is for.
TARGETS = {
    ("cpu-64", "tcpdump"): 0.6, ("cpu-64", "tcpdump -U"): 0.12, ("cpu-64", "dumpcap"): 0.05,
    ("cpu-1472", "tcpdump"): 0.8, ("cpu-1472", "tcpdump -U"): 0.5, ("cpu-1472", "dumpcap"): 0.4,
}


# --- processor time ---------------------------------------------------------------------------------------------

@cache
def idle_runs():
    """Nanoseconds that each tool takes of the time before and after the traffic, and for its end: the same for all sizes."""
    near, far = cpus()
    wire = Wire()
    try:
        idle = rounds([*CAPTURES, *FLOORS, UNCOPIED],
                      lambda name: measure(wire, TOOLS[name], None, cpu=far, reader_cpu=near)["cpu"], 2)
    finally:
        wire.close()
    return {name: statistics.median(values) for name, values in idle.items()}


def cpu(row, size, rate, seconds):
    """Sender and reader on one processor, the tool on the other; what an idle run takes is taken off."""
    near, far = cpus()
    idle, names = idle_runs(), CAPTURES + FLOORS + ([UNCOPIED] if size == GSO else [])
    wire = Wire()
    try:
        traffic = ["-s", size, "-r", rate, "-n", int(rate * seconds * TIME)]
        results = rounds(names, lambda name: measure(wire, TOOLS[name], traffic, cpu=far, reader_cpu=near))
    finally:
        wire.close()
    per_packet = {name: [(sample["cpu"] - idle[name]) / sample["distinct"] for sample in samples]
                  for name, samples in results.items()}
    table = Table(row, f"processor time per packet of {size} bytes",
                  "ns per packet", "tarcap's share of it", "its share of tarcap's", "target for tarcap", "lost %")
    for name in names:
        target, ours = TARGETS.get((row, name)), name == "tarcap"
        table.row(name, middle(per_packet[name]),
                  "" if ours else middle(ratios(per_packet["tarcap"], per_packet[name]), "{:.2f}"),
                  "" if ours else middle(ratios(per_packet[name], per_packet["tarcap"]), "{:.2f}"),
                  f"<= {target}" if target else "", middle((sample["loss"] for sample in results[name]), "{:.1f}"))
    table.note(offered(results))
    table.note("idle runs, taken off: " + ", ".join(f"{name} {value / 1e6:.1f} ms" for name, value in idle.items()))
    if size >= 1472:
        table.note("target for the share of tarcap's that the floors (write, copy) have: >= 0.85")
    table.show()


def cpu_64():
    cpu("cpu-64", 64, 100000, 1)


def cpu_1472():
    cpu("cpu-1472", 1472, 60000, 0.6)


def cpu_gso():
    cpu("cpu-gso", GSO, 4000, 0.8)


# --- loss -------------------------------------------------------------------------------------------------------

def loss(row, title, cases, names):
    """cases: [(label, load's arguments)]. Everyone's defaults; nothing is pinned but the sender."""
    wire = Wire()
    table = Table(row, title, "offered/s as achieved", *names)
    try:
        for label, traffic in cases:
            results = rounds(names, lambda name: measure(wire, TOOLS[name], traffic))
            table.row(label, middle(sample["per_second"] for samples in results.values() for sample in samples),
                      *(middle((sample["loss"] for sample in results[name]), "{:.1f}") for name in names))
    finally:
        wire.close()
    table.note("lost % of what arrived at the interface, counted at the reader")
    table.show()


def loss_64():
    loss("loss-64", "loss over offered rate, 64 bytes",
         [(f"{rate // 1000} k/s", ["-s", 64, "-r", rate, "-n", int(rate * LOSS_TIME)])
          for rate in (50000, 100000, 200000, 400000, 800000)], DEFAULTS)


def loss_1472():
    loss("loss-1472", "loss over offered rate, 1472 bytes",
         [(f"{rate // 1000} k/s", ["-s", 1472, "-r", rate, "-n", int(rate * LOSS_TIME)])
          for rate in (25000, 50000, 100000, 200000, 400000)], DEFAULTS)


def loss_gso():
    bursts = [("20 k/s for 0.1 s", 20000, 0.1), ("20 k/s for 0.4 s", 20000, 0.4)]
    cases = [(label, ["-s", GSO, "-r", rate, "-n", int(rate * seconds)]) for label, rate, seconds in bursts]
    steady = [(f"{rate // 1000} k/s", ["-s", GSO, "-r", rate, "-n", int(rate * LOSS_TIME)])
              for rate in (2000, 5000, 10000)]
    gaps = [("20 k/s, 20 ms of each 100", ["-s", GSO, "-r", 20000, "-b", "20:80", "-n", int(4000 * LOSS_TIME)])]
    loss("loss-gso", "loss of 64 KiB frames (GSO), bursts and steady", cases + gaps + steady, DEFAULTS)


def neighbour():
    """What the kernel does for a capture is done in the sender's time: how fast it goes with one beside it, and what a frame costs it.

    A frame that the kernel drops costs the sender next to nothing, so whoever loses more has the faster sender. Hence the
    loss beside; and, of the large frames, the same at a rate that nobody has to lose of."""
    names, commands = ["nobody", "tarcap", "tcpdump", "tcpdump -B", "floor drain"], {**TOOLS, "nobody": ["sleep", "100"]}
    if has_flag("--headers"):
        names.insert(2, "tarcap --headers")
        commands["tarcap --headers"] = [*TOOLS["tarcap"], "--headers"]
    wire = Wire()
    table = Table("neighbour", "one sender beside a capture", "frames per second", "share of nobody's", "sender's ns per frame", "times nobody's",
                  "lost %")
    try:
        for size, rate in ((64, 0), (GSO, 0), (GSO, 4000)):
            traffic = (["-s", size, "-r", rate, "-n", int(rate * 0.5 * TIME)] if rate else
                       ["-s", size, "-t", 0.5 * TIME, "-n", 10**8])
            results = rounds(names, lambda name: measure(wire, commands[name], traffic, ready=name != "nobody"))
            rates = {name: [sample["per_second"] for sample in results[name]] for name in names}
            costs = {name: [sample["sender_cpu"] / sample["sent"] for sample in results[name]] for name in names}
            for name in names:
                table.row(f"{name}, {size} B" + (f", {rate}/s" if rate else ""),
                          middle(rates[name]), middle(ratios(rates[name], rates["nobody"]), "{:.2f}"),
                          middle(costs[name]), middle(ratios(costs[name], costs["nobody"]), "{:.2f}"),
                          middle((sample["loss"] for sample in results[name]), "{:.1f}") if name != "nobody" else "")
    finally:
        wire.close()
    table.show()


def tail():
    """So many packets, all of them arrived; so much later the tool is asked to end."""
    names, count, delays = DEFAULTS, 1000, (0, 50, 100, 250, 500)
    table = Table("tail", f"delivered of the last {count} packets, the least, the stop coming so much later",
                  *(f"{delay} ms" for delay in delays))
    wire = Wire()

    def run(name, delay):
        tool = Tool(wire, TOOLS[name])
        try:
            time.sleep(0.1)
            before = packets_in(wire.b)
            load(wire, "-n", count, "-s", 200)
            wait_until(lambda: packets_in(wire.b) - before >= count)
            time.sleep(delay / 1000)
        except BaseException:
            tool.end(signal.SIGKILL)
            raise
        return tool.end()["distinct"]

    try:
        columns = [rounds(names, lambda name: run(name, delay)) for delay in delays]
    finally:
        wire.close()
    for name in names:
        table.row(name, *(min(column[name]) for column in columns))
    table.note("target for tarcap: all")
    table.show()


def readers():
    """Readers that are slow, or stop for a while."""
    slow = ["-s", 1472, "-r", 20000, "-n", int(30000 * TIME)]
    short, long = (["-s", 200, "-r", 100000, "-n", int(count * TIME)] for count in (70000, 170000)) # until it is back
    cases = [
        ("30 MB/s to a reader of 10 MB/s", slow, ["-r", 10e6]),
        ("30 MB/s to a reader of 20 MB/s", slow, ["-r", 20e6]),
        ("22 MB/s, reader away for 0.5 s", short, ["-p", "1000000:500"]),
        ("22 MB/s, reader away for 1.5 s", long, ["-p", "1000000:1500"]),
    ]
    wire = Wire()
    table = Table("readers", "loss with slow and stalling readers", *DEFAULTS)
    try:
        for label, traffic, reader in cases:
            results = rounds(DEFAULTS, lambda name: measure(wire, TOOLS[name], traffic, reader=reader))
            table.row(label, *(middle((sample["loss"] for sample in results[name]), "{:.1f}") for name in DEFAULTS))
    finally:
        wire.close()
    table.note("lost % of what arrived at the interface, counted at the reader")
    table.show()


# --- start ------------------------------------------------------------------------------------------------------

def with_capability(place):
    """A copy of the binary that may capture without root, as the image has it."""
    os.chmod(place, 0o755)
    copy = shutil.copy(TARCAP, place)
    subprocess.run(["setcap", "cap_net_raw=p", copy], check=True)
    return copy


def start():
    """From exec to the line that says listening, an end of nothing captured, and a wait: time, processor time, system calls, wakings."""
    from counts import calls_until_ready
    names = ["tarcap", "tarcap, ring of 2 MiB", "tarcap without -i", "tarcap with context", "tcpdump", "tcpdump -B", "dumpcap"]
    alone = [*TOOLS["tarcap"], "--no-context"]
    commands = {**TOOLS, "tarcap": alone, "tarcap with context": TOOLS["tarcap"], "tarcap, ring of 2 MiB": [*alone, "-B", "2048"],
                "tarcap without -i": [item for item in alone if item not in ("-i", "tc0")]}
    wire = Wire()

    def run(name):
        before = time.monotonic()
        process = subprocess.Popen(["nsenter", f"--net=/run/netns/{wire.b}", *commands[name]],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        text = b""
        while not READY.search(text):
            text += os.read(process.stderr.fileno(), 4096)
        sample = {"line": (time.monotonic() - before) * 1000, "cpu": cpu_of(process.pid) / 1e6}
        time.sleep(0.05)  # what it does behind the line
        waiting = cpu_of(process.pid) / 1e6
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        process.stderr.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        whole = (usage.ru_utime + usage.ru_stime) * 1000
        return {**sample, "end": whole - waiting, "whole": whole}

    def wait(seconds=5):
        """All beside each other, as none does anything: (processor time in ms, wakings) per second."""
        tools = {name: Tool(wire, commands[name]) for name in names}
        time.sleep(1)
        before = {name: (cpu_of(tool.pid), wakings_of(tool.pid)) for name, tool in tools.items()}
        time.sleep(seconds)
        after = {name: (cpu_of(tool.pid), wakings_of(tool.pid)) for name, tool in tools.items()}
        for tool in tools.values():
            tool.end()
        return {name: ((after[name][0] - before[name][0]) / 1e6 / seconds, (after[name][1] - before[name][1]) / seconds) for name in names}

    def cells(name, what):
        return [sample[what] for sample in results[name]]

    try:
        results = rounds(names, run)
        waited = wait()
        calls = {name: calls_until_ready(wire, commands[name]) for name in names}
        with tempfile.TemporaryDirectory() as place:
            as_in_the_image = calls_until_ready(wire, [with_capability(place), *alone[1:]], "nobody")
    finally:
        wire.close()
    table = Table("start", "exec to listening, an end, and waiting in between", "ms until it listens", "of tcpdump -B's",
                  "processor time until then, ms", "of the end, ms", "whole, ms", "whole, of tcpdump -B's",
                  "of a second of waiting, ms", "wakings", "system calls until it listens", "of tcpdump's calls")
    for name in names:
        line, processor, end, whole = (middle(cells(name, what), "{:.1f}") for what in ("line", "cpu", "end", "whole"))
        share_of_line, share_of_whole = (middle(ratios(cells(name, what), cells("tcpdump -B", what)), "{:.2f}") for what in ("line", "whole"))
        table.row(name, line, share_of_line, processor, end, whole, share_of_whole, f"{waited[name][0]:.2f}",
                  f"{waited[name][1]:.1f}", calls[name], f"{calls[name] / calls['tcpdump']:.2f}")
    table.row("tarcap as in the image", *8 * [""], as_in_the_image, f"{as_in_the_image / calls['tcpdump']:.2f}")
    table.note("as in the image: without root and with the file capability, there is a bounding set that it cannot empty")
    table.note("target for tarcap's share of tcpdump's system calls: <= 0.3")
    table.show()


# --- memory -----------------------------------------------------------------------------------------------------

class Cgroup:
    """A memory control group of its own, of whichever version the machine has."""

    def __init__(self):
        one = "/sys/fs/cgroup/memory"
        self.version = 1 if os.path.isdir(one) else 2
        self.path = f"{one if self.version == 1 else '/sys/fs/cgroup'}/tarcap-bench-{OWN}"
        os.mkdir(self.path)

    def enter(self):
        self.write("cgroup.procs", os.getpid())

    def write(self, name, value):
        with open(f"{self.path}/{name}", "w", encoding="ascii") as file:
            file.write(str(value))

    def read(self, name):
        with open(f"{self.path}/{name}", encoding="ascii") as file:
            return int(file.read())

    def peak(self):
        return self.read("memory.max_usage_in_bytes" if self.version == 1 else "memory.peak")

    def now(self):
        return self.read("memory.usage_in_bytes" if self.version == 1 else "memory.current")

    def close(self):
        wait_until(lambda: not open(f"{self.path}/cgroup.procs", encoding="ascii").read())
        os.rmdir(self.path)


def mapped(pid):
    """(resident bytes without the ring, the ring's size)."""
    resident = ring = size = 0
    with open(f"/proc/{pid}/smaps", encoding="ascii") as maps:
        for line in maps:
            if re.match("[0-9a-f]+-[0-9a-f]+ ", line):
                is_ring = "socket:" in line
            elif line.startswith("Size:"):
                size = int(line.split()[1]) * 1024
                ring += size if is_ring else 0
            elif line.startswith("Rss:") and not is_ring:
                resident += int(line.split()[1]) * 1024
    return resident, ring


def memory():
    names = ["tarcap", "tcpdump", "tcpdump -B", "dumpcap"]
    wire = Wire()

    def run(name, traffic):
        group = Cgroup()
        try:
            def look(tool):
                resident, ring = mapped(tool.pid)
                return {"resident": resident, "ring": ring, "charged": group.peak()}
            return measure(wire, TOOLS[name], traffic, into=group.enter, look=look)
        finally:
            group.close()

    table = Table("memory", "memory in MiB while the reader keeps up", "resident without ring", "ring",
                  "charged to its cgroup, peak", "lost %")
    try:
        for label, size, rate in (("idle", 0, 0), ("64 B", 64, 100000), ("1472 B", 1472, 60000), ("64 KiB", GSO, 4000)):
            traffic = ["-s", size, "-r", rate, "-n", int(rate * 0.7 * TIME)] if size else None
            for name, samples in rounds(names, lambda name: run(name, traffic)).items():
                mib = {key: middle((sample[key] / 2**20 for sample in samples), "{:.1f}")
                       for key in ("resident", "ring", "charged")}
                table.row(f"{name}, {label}", mib["resident"], mib["ring"], mib["charged"],
                          middle((sample["loss"] for sample in samples), "{:.1f}"))
    finally:
        wire.close()
    table.note("target: tarcap's charge <= 3 MiB, never above 4 (a ring is the kernel's memory and charged to nobody)")
    table.show()


# --- what does not drift ----------------------------------------------------------------------------------------

def counts():
    """System calls and user instructions per packet, by the difference of two runs."""
    from counts import calls_per_packet, instructions_per_packet
    wire = Wire()
    names = ["tarcap", "tcpdump", "tcpdump -U", "dumpcap"]
    table = Table("counts", "per 1,000 packets system calls, per packet user instructions; by the difference of two runs",
                  "calls, 64 B", "calls, 1472 B", "instructions, 64 B", "share of tcpdump's, 64 B", "instructions, 1472 B",
                  "share of tcpdump's, 1472 B")
    try:
        calls = {(name, size): calls_per_packet(wire, name, size) for name in names for size in (64, 1472)}
        instructions = {(name, size): instructions_per_packet(wire, name, size)
                        for name in names for size in (64, 1472)}
    finally:
        wire.close()
    for name in names:
        table.row(name, *(f"{1000 * calls[name, size]:.1f}" for size in (64, 1472)), *(
            text for size in (64, 1472) for text in (f"{instructions[name, size]:.0f}",
                                                     f"{instructions[name, size] / instructions['tcpdump', size]:.2f}")))
    table.note("target for tarcap's share of tcpdump's instructions: <= 0.45 at 64 B")
    table.show()


# --- does it stay flat? -----------------------------------------------------------------------------------------

def flat(row, title, first, commands, traffic, wires):
    """Processor time per packet of each command, and how it compares with the first one's."""
    near, far = cpus()

    def run(name, sends=True):
        wire, senders = wires[name]
        tool = Tool(wire, commands[name], cpu=far, reader_cpu=near)
        time.sleep(0.15)
        before = cpu_of(tool.pid)
        sent = load(wire, *traffic, interfaces=senders) if sends else {"sent": 0, "per_second": 0}
        time.sleep(0.25)
        result = tool.end()
        return {**sent, **result, "cpu": tool.cpu - before}

    names = list(commands)
    idle = rounds(names, lambda name: run(name, False)["cpu"], 2)
    results = rounds(names, run)
    per_packet = {name: [(sample["cpu"] - statistics.median(idle[name])) / sample["distinct"] for sample in samples]
                  for name, samples in results.items()}
    table = Table(row, title, "ns per packet", f"of {first}'s", "idle ms", "lost %")
    table.note(offered(results))
    for name in names:
        table.row(name, middle(per_packet[name]), middle(ratios(per_packet[name], per_packet[first]), "{:.2f}"),
                  f"{statistics.median(idle[name]) / 1e6:.1f}",
                  middle((100 * (1 - sample["distinct"] / sample["sent"]) for sample in results[name]), "{:.1f}"))
    return table


def more_cables(wire, count):
    """count cables more; the names of their senders' ends."""
    for number in range(count):
        wire.ip(wire.a, "link", "add", f"w{number}", "type", "veth", "peer", "name", f"v{number}", "netns", wire.b)
        wire.ip(wire.a, "link", "set", f"w{number}", "arp", "off", "up")
        wire.ip(wire.b, "link", "set", f"v{number}", "arp", "off", "up")
    return [f"w{number}" for number in range(count)]


def interfaces():
    """The floor has a hundred in one file, whatever their link types."""
    wires, commands = {}, {}
    try:
        for count in (1, 10, 100):
            wire = Wire()
            name = f"{count} interface{'s' if count > 1 else ''}"
            wires[name] = (wire, ["tc1"])
            wires[name] = (wire, ["tc1", *more_cables(wire, count - 1)])
            commands[name] = [TARCAP, "-i", "all", *NO_LIMITS]
        wires["floor copy, 100"] = wires["100 interfaces"]
        commands["floor copy, 100"] = [FLOOR, "copy", "tc0", *(f"v{number}" for number in range(99))]
        flat("interfaces", "-i all: processor time per packet of 64 bytes, spread over all", "1 interface",
             commands, ["-s", 64, "-r", 100000, "-n", int(100000 * TIME)], wires).show()
    finally:
        for name in wires:
            if name != "floor copy, 100":
                wires[name][0].close()


def variants(row, title, first, options):
    wire = Wire()
    try:
        flat(row, title, first, {name: [*TOOLS["tarcap"], *words] for name, words in options.items()},
             ["-s", 64, "-r", 100000, "-n", int(100000 * TIME)], {name: (wire, ["tc1"]) for name in options}).show()
    finally:
        wire.close()


def filters():
    """None of the hosts but the last is the sender's, so that each packet passes by all terms."""
    def hosts(count):
        return [" or ".join([f"host 10.{200 + n // 65536}.{n // 256 % 256}.{n % 256}" for n in range(count - 1)] +
                            ["tcp"])]
    variants("filters", "processor time per packet of 64 bytes, the tool's own (the kernel filters in the sender's time)",
             "no filter", {"no filter": [], "10 terms": hosts(10), "1,000 terms": hosts(1000)})


def formats():
    options = {"pcap": [], "pcap, nanoseconds": ["--nano"]}
    if has_flag("--format"):
        options["pcapng"] = ["--format", "pcapng"]
    variants("formats", "processor time per packet of 64 bytes, target <= 1.1", "pcap", options)


def steady():
    """One capture for BENCH_STEADY seconds (18), in six parts: flat, and each packet written or counted as dropped."""
    seconds, rate, size, parts = int(os.environ.get("BENCH_STEADY", 18)), 10000, 512, 6
    count = rate * seconds // parts
    group, wire = Cgroup(), Wire()
    near, far = cpus()
    table = Table("steady" if seconds < 3600 else "steady/hour", f"one capture of {seconds} s, {rate} packets of {size} bytes a second", "ns per packet",
                  "of the first part", "resident KiB without ring", "charged KiB", "descriptors", "offered/s as achieved",
                  "sent", "written", "dropped")

    def enter():
        group.enter()
        os.sched_setaffinity(0, {far})

    try:
        tool = Tool(wire, TOOLS["tarcap"], into=enter, reader_cpu=near)
        costs = []
        for part in range(parts):
            before = cpu_of(tool.pid)
            sent = load(wire, "-s", size, "-r", rate, "-n", count)
            costs.append((cpu_of(tool.pid) - before) / sent["sent"])
            table.row(f"part {part + 1}", f"{costs[-1]:.0f}", f"{costs[-1] / costs[0]:.2f}", mapped(tool.pid)[0] >> 10,
                      group.now() >> 10, len(os.listdir(f"/proc/{tool.pid}/fd")), f"{sent['per_second']:.0f}")
        arrived, peak = packets_in(wire.b), group.peak()
        result = tool.end()
    finally:
        wire.close()
        group.close()
    written, received, dropped = (told(result["said"], words) for words in (
        "captured", "received by filter", "dropped by kernel$"))
    whole = count * parts == arrived == received == written + dropped and written == result["packets"]
    table.row("all", middle(costs), "", "", peak >> 10, "", "", count * parts, written, dropped)
    table.note("all: charged is the peak. " + ("Every packet is accounted for." if whole else "NOT EVERY PACKET IS ACCOUNTED FOR: ") + (
        "" if whole else f"arrived {arrived}, received {received}, at the reader {result['packets']}"))
    table.note(f"load average of the last 15 minutes: {os.getloadavg()[2]:.1f}")
    table.show()


def record():
    from record import record as recorded
    recorded()


def delivered():
    from containers import delivered as through_docker
    through_docker()


class Row(NamedTuple):
    """How often everything in a row runs, and how long that is planned to take on two quiet processors."""
    measure: Callable
    rounds: int     # unless BENCH_ROUNDS says otherwise
    each: float     # seconds that a round takes
    beside: float   # seconds that the row takes besides: what is made first, idle runs, what is counted once

    def planned(self, rounds_of_it=None):
        return (rounds_of_it or self.rounds) * self.each + self.beside


ROWS = {
    "cpu-64": Row(cpu_64, 4, 15, 12), "cpu-1472": Row(cpu_1472, 3, 11, 1), "cpu-gso": Row(cpu_gso, 3, 14, 1),
    "loss-64": Row(loss_64, 2, 27, 1), "loss-1472": Row(loss_1472, 2, 25, 1), "loss-gso": Row(loss_gso, 2, 25, 1),
    "neighbour": Row(neighbour, 3, 24, 1), "tail": Row(tail, 2, 10, 1), "readers": Row(readers, 1, 36, 1),
    "start": Row(start, 7, 0.8, 10), "memory": Row(memory, 2, 16, 1), "counts": Row(counts, 1, 50, 0),
    "interfaces": Row(interfaces, 3, 8, 15), "filters": Row(filters, 2, 4, 4), "formats": Row(formats, 3, 4, 4),
    "encrypt": Row(encrypt, 3, 2.5, 2), "steady": Row(steady, 1, 19, 0), "delivered": Row(delivered, 1, 108, 12),
    "record": Row(record, 2, 17, 49), "summary": Row(summary, 3, 3, 3), "both": Row(both, 1, 24, 3), "join": Row(join, 3, 2, 4),
}


def machine():
    """What the numbers are of."""
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = re.search(r"^(?:model name|CPU part)\s*: (.*)$", file.read(), re.MULTILINE)
    versions = [subprocess.run(command, capture_output=True, text=True, check=True) for command in (
        [TARCAP, "--version"], ["tcpdump", "--version"], ["dumpcap", "--version"])]
    words = [(done.stdout or done.stderr).splitlines()[0] for done in versions]
    load_average = os.getloadavg()[0]
    RESULTS["machine"] = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "kernel": os.uname().release,
                          "processors": os.cpu_count(), "processor": model[1] if model else os.uname().machine,
                          "load": round(load_average, 1), "programs": words}
    return (f"{time.strftime('%Y-%m-%d', time.gmtime())}, Linux {os.uname().release}, {os.cpu_count()} x "
            f"{model[1] if model else os.uname().machine}, load average before: {load_average:.1f}\n"
            f"{', '.join(word.split(' (Git')[0] for word in words)}: median (least-greatest)\n")


def rounds_of(name):
    return int(os.environ.get("BENCH_ROUNDS", ROWS[name].rounds))


def show_plan(taken):
    """What each row is planned to take, and what it took, if it ran."""
    planned = {name: ROWS[name].planned(rounds_of(name)) for name in taken or ROWS}
    for name, seconds in [*planned.items(), ("all", sum(planned.values()))]:
        took = taken.get(name, sum(taken.values()) if taken and name == "all" else None)
        print(f"{name:<10} {seconds:4.0f} s planned" + ("" if took is None else f", {took:4.0f} s taken"))


def main(names):
    if names in (["--list"], ["--plan"]):
        print("\n".join(ROWS)) if names == ["--list"] else show_plan({})
        return 0
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        print(f"bench: {unknown[0]}: no such row; there are: {' '.join(ROWS)}", file=sys.stderr)
        return 2
    take_ignored_signals()
    head = machine()
    print(head)
    with open(OUT / "results.txt", "a" if names else "w", encoding="ascii") as results:
        results.write(head + "\n")
    failed = []
    with SHARED:
        for name in names or ROWS:
            started = time.monotonic()
            RUN.rounds = rounds_of(name)
            try:
                ROWS[name].measure()
            except Exception:  # whatever it is, the other rows' figures are worth having
                traceback.print_exc()
                failed.append(name)
            RESULTS["seconds"][name] = round(time.monotonic() - started, 1)
            write_results()
    show_plan(RESULTS["seconds"])
    if failed:
        print(f"bench: failed, and without figures: {' '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
