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

from bench import (NO_LIMITS, OUT, OWN, READY, RESULTS, ROUNDS, TARCAP, TIME, TOOLS, Table, Tool, cpu_of, cpus, has_flag, load, measure, middle, offered, packets_in,
                   pinned, ratios, rounds, wait_until,
                   wakings_of, write_results)
from archive import pcap_file
from wire import Wire

CAPTURES = ["tarcap", "tcpdump", "tcpdump -U", "tcpdump -B", "tcpdump -B -U", "dumpcap", "dumpcap -B"]
DEFAULTS = ["tarcap", "tcpdump", "tcpdump -U", "tcpdump -B", "dumpcap"]
GSO = 54 + 45 * 1448  # a frame as TCP makes it with an MTU of 1500, 65,214 bytes
FLOORS = ["floor drain", "floor write", "floor copy"]

# "The benchmark" in tests/README.md says what each is for.
TARGETS = {
    ("cpu-64", "tcpdump"): 0.6, ("cpu-64", "tcpdump -U"): 0.12, ("cpu-64", "dumpcap"): 0.05,
    ("cpu-1472", "tcpdump"): 0.8, ("cpu-1472", "tcpdump -U"): 0.5, ("cpu-1472", "dumpcap"): 0.4,
}


# --- processor time ---------------------------------------------------------------------------------------------

def cpu(row, size, rate):
    """Sender and reader on one processor, the tool on the other; what an idle run takes is taken off."""
    near, far = cpus()
    places = {"cpu": far, "reader_cpu": near}
    wire = Wire()
    try:
        traffic = ["-s", size, "-r", rate, "-n", int(rate * 1.5 * TIME)]
        names = CAPTURES + FLOORS
        idle = rounds(names, lambda name: measure(wire, TOOLS[name], None, **places)["cpu"], 3)
        idle = {name: statistics.median(values) for name, values in idle.items()}
        results = rounds(names, lambda name: measure(wire, TOOLS[name], traffic, **places))
    finally:
        wire.close()
    per_packet = {name: [(sample["cpu"] - idle[name]) / sample["distinct"] for sample in samples]
                  for name, samples in results.items()}
    table = Table(row, f"processor time per packet of {size} bytes, {offered(results)}",
                  "ns per packet", "tarcap's share of it", "target", "lost %")
    for name in names:
        share = middle(ratios(per_packet["tarcap"], per_packet[name]), "{:.2f}") if name != "tarcap" else ""
        target = TARGETS.get((row, name))
        table.row(name, middle(per_packet[name]), share, f"<= {target}" if target else "",
                  middle((sample["loss"] for sample in results[name]), "{:.1f}"))
    table.note("idle runs, taken off: " + ", ".join(f"{name} {value / 1e6:.1f} ms" for name, value in idle.items()))
    if size >= 1472:
        for floor in FLOORS[1:]:
            table.note(f"of the floor ({floor.split()[1]}): " + middle(
                ratios(per_packet[floor], per_packet["tarcap"]), "{:.2f}") + ", target >= 0.85")
    table.show()


def cpu_64():
    cpu("cpu-64", 64, 100000)


def cpu_1472():
    cpu("cpu-1472", 1472, 60000)


def cpu_gso():
    cpu("cpu-gso", GSO, 4000)


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
         [(f"{rate // 1000} k/s", ["-s", 64, "-r", rate, "-n", int(rate * TIME)])
          for rate in (50000, 100000, 200000, 400000, 800000)], DEFAULTS)


def loss_1472():
    loss("loss-1472", "loss over offered rate, 1472 bytes",
         [(f"{rate // 1000} k/s", ["-s", 1472, "-r", rate, "-n", int(rate * TIME)])
          for rate in (25000, 50000, 100000, 200000, 400000)], DEFAULTS)


def loss_gso():
    bursts = [("20 k/s for 0.1 s", 20000, 0.1), ("20 k/s for 0.4 s", 20000, 0.4)]
    cases = [(label, ["-s", GSO, "-r", rate, "-n", int(rate * seconds)]) for label, rate, seconds in bursts]
    steady = [(f"{rate // 1000} k/s for {TIME:g} s", ["-s", GSO, "-r", rate, "-n", int(rate * TIME)])
              for rate in (2000, 5000, 10000)]
    gaps = [("20 k/s, 20 ms of each 100", ["-s", GSO, "-r", 20000, "-b", "20:80", "-n", int(4000 * TIME)])]
    loss("loss-gso", "loss of 64 KiB frames (GSO), bursts and steady", cases + gaps + steady, DEFAULTS)


def neighbour():
    """What the kernel does for a capture is done in the sender's time: how fast it goes with one beside it."""
    names, commands = ["nobody", *DEFAULTS], {**TOOLS, "nobody": ["sleep", "100"]}
    if has_flag("--headers"):
        names.insert(2, "tarcap --headers")
        commands["tarcap --headers"] = [*TOOLS["tarcap"], "--headers"]
    wire = Wire()
    table = Table("neighbour", "frames per second that one sender reaches while captured by", *names)
    try:
        for size in (64, 1472, GSO):
            traffic = ["-s", size, "-t", TIME, "-n", 10**8]
            results = rounds(names, lambda name: measure(wire, commands[name], traffic, ready=name != "nobody"))
            table.row(f"{size} B", *(middle(sample["per_second"] for sample in results[name]) for name in names))
    finally:
        wire.close()
    table.show()


def tail():
    """So many packets, all of them arrived; so much later the tool is asked to end."""
    names, count, delays = DEFAULTS, 1000, (0, 50, 100, 250, 500)
    table = Table("tail", f"delivered of the last {count} packets (least of {ROUNDS}), the stop coming so much later",
                  *(f"{delay} ms" for delay in delays))
    wire = Wire()

    def run(name, delay):
        tool = Tool(wire, TOOLS[name])
        try:
            time.sleep(0.25)
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
    slow = ["-s", 1472, "-r", 20000, "-n", int(40000 * TIME)]
    pause = ["-s", 200, "-r", 100000, "-n", int(200000 * TIME)]
    cases = [
        ("30 MB/s to a reader of 10 MB/s", slow, ["-r", 10e6]),
        ("30 MB/s to a reader of 20 MB/s", slow, ["-r", 20e6]),
        ("22 MB/s, reader away for 0.5 s", pause, ["-p", "1000000:500"]),
        ("22 MB/s, reader away for 1.5 s", pause, ["-p", "1000000:1500"]),
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

    try:
        results = rounds(names, run, 2 * ROUNDS)
        waited = wait()
        calls = {name: calls_until_ready(wire, commands[name]) for name in names}
        with tempfile.TemporaryDirectory() as place:
            as_in_the_image = calls_until_ready(wire, [with_capability(place), *alone[1:]], "nobody")
    finally:
        wire.close()
    table = Table("start", "exec to listening, an end, and waiting in between", "ms until it listens", "processor time until then, ms", "of the end, ms",
                  "whole, ms", "of a second of waiting, ms", "wakings", "system calls until it listens")
    for name in names:
        table.row(name, *(middle([sample[what] for sample in results[name]], "{:.1f}") for what in ("line", "cpu", "end", "whole")),
                  f"{waited[name][0]:.2f}", f"{waited[name][1]:.1f}", calls[name])
    for name in "tarcap", "tarcap with context":
        shares = [middle(ratios(*([sample[what] for sample in results[each]] for each in (name, "tcpdump -B"))), "{:.2f}")
                  for what in ("line", "whole")]
        table.note(f"{name}, share of tcpdump's with the same ring: until it listens {shares[0]}, processor time in all {shares[1]}")
    table.note(f"as in the image, without root and with the file capability, tarcap takes {as_in_the_image} system calls, "
               f"{calls['tarcap'] - as_in_the_image} fewer, for a bounding set that it cannot empty")
    table.note(f"tarcap's share of tcpdump's system calls: as root {calls['tarcap'] / calls['tcpdump']:.2f}, as in the "
               f"image {as_in_the_image / calls['tcpdump']:.2f}, target <= 0.3")
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

    def close(self):
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
            wait_until(lambda: not open(f"{group.path}/cgroup.procs", encoding="ascii").read())
            group.close()

    table = Table("memory", "memory in MiB while the reader keeps up", "resident without ring", "ring",
                  "charged to its cgroup, peak", "lost %")
    try:
        for label, size, rate in (("idle", 0, 0), ("64 B", 64, 100000), ("1472 B", 1472, 60000)):
            traffic = ["-s", size, "-r", rate, "-n", int(rate * TIME)] if size else None
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
    table = Table("counts", "per packet, by the difference of two runs", "system calls, 64 B", "1472 B",
                  "user instructions, 64 B", "1472 B")
    try:
        calls = {(name, size): calls_per_packet(wire, name, size) for name in names for size in (64, 1472)}
        instructions = {(name, size): instructions_per_packet(wire, name, size)
                        for name in names for size in (64, 1472)}
    finally:
        wire.close()
    for name in names:
        table.row(name, *(f"{calls[name, size]:.4f}" for size in (64, 1472)),
                  *(f"{instructions[name, size]:.1f}" for size in (64, 1472)))
    table.note("tarcap's share of tcpdump's instructions: " + ", ".join(
        f"{instructions['tarcap', size] / instructions['tcpdump', size]:.2f} at {size} B" for size in (64, 1472)) +
        "; target <= 0.45 at 64 B")
    table.show()


# --- does it stay flat? -----------------------------------------------------------------------------------------

def flat(row, title, first, commands, traffic, wires):
    """Processor time per packet of each command, and how it compares with the first one's."""
    near, far = cpus()

    def run(name, sends=True):
        wire, senders = wires[name]
        tool = Tool(wire, commands[name], cpu=far, reader_cpu=near)
        time.sleep(0.25)
        before = cpu_of(tool.pid)
        sent = load(wire, *traffic, interfaces=senders) if sends else {"sent": 0, "per_second": 0}
        time.sleep(0.25)
        result = tool.end()
        return {**sent, **result, "cpu": tool.cpu - before}

    names = list(commands)
    idle = rounds(names, lambda name: run(name, False)["cpu"], 3)
    results = rounds(names, run)
    per_packet = {name: [(sample["cpu"] - statistics.median(idle[name])) / sample["distinct"] for sample in samples]
                  for name, samples in results.items()}
    table = Table(row, f"{title}, {offered(results)}", "ns per packet", f"of {first}'s", "idle ms", "lost %")
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
    wires = {}
    try:
        for count in (1, 10, 100):
            wire = Wire()
            name = f"{count} interface{'s' if count > 1 else ''}"
            wires[name] = (wire, ["tc1"])
            wires[name] = (wire, ["tc1", *more_cables(wire, count - 1)])
        command = [TARCAP, "-i", "all", *NO_LIMITS]
        flat("interfaces", "-i all: processor time per packet of 64 bytes, spread over all", "1 interface",
             {name: command for name in wires}, ["-s", 64, "-r", 100000, "-n", int(150000 * TIME)], wires).show()
    finally:
        for wire, _ in wires.values():
            wire.close()


def variants(row, title, first, options):
    wire = Wire()
    try:
        flat(row, title, first, {name: [*TOOLS["tarcap"], *words] for name, words in options.items()},
             ["-s", 64, "-r", 100000, "-n", int(150000 * TIME)], {name: (wire, ["tc1"]) for name in options}).show()
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
            assert process.returncode == 0, said.read()
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


def steady():
    """One capture for BENCH_STEADY seconds (60), in six parts."""
    seconds, rate, parts = int(os.environ.get("BENCH_STEADY", 60)), 10000, 6
    wire = Wire()
    near, far = cpus()
    table = Table("steady", f"one capture of {seconds} s, {rate} packets of 200 bytes a second", "ns per packet",
                  "resident KiB without ring", "of the first part")
    try:
        tool = Tool(wire, TOOLS["tarcap"], cpu=far, reader_cpu=near)
        costs = []
        for part in range(parts):
            before = cpu_of(tool.pid)
            sent = load(wire, "-s", 200, "-r", rate, "-n", rate * seconds // parts)["sent"]
            costs.append((cpu_of(tool.pid) - before) / sent)
            table.row(f"part {part + 1}", f"{costs[-1]:.0f}", mapped(tool.pid)[0] >> 10, f"{costs[-1] / costs[0]:.2f}")
        lost = rate * seconds // parts * parts - tool.end()["packets"] # each part begins with number 0
    finally:
        wire.close()
    table.note(f"lost: {lost}")
    table.show()


def record():
    from record import record as recorded
    recorded()


def delivered():
    from containers import delivered as through_docker
    through_docker()


# --- summary ----------------------------------------------------------------------------------------------------

def programs_to_compare():
    before = os.environ.get("BENCH_BEFORE")
    return {"tarcap": TARCAP, **({"tarcap before": before} if before else {})}


def took(program, command, *paths):
    """How long a command takes with these files, and what memory."""
    started = time.monotonic()
    process = subprocess.Popen([program, command, *paths], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    assert status == 0
    return {"time": time.monotonic() - started, "cpu": usage.ru_utime + usage.ru_stime, "resident": usage.ru_maxrss / 1024}


def talk(place, name, packets, connections, *arguments):
    """(a file of packets of healthy connections, its GiB)"""
    path = os.path.join(place, name)
    with open(path, "wb") as file:
        subprocess.run([OUT / "talk", str(packets), str(connections), *arguments], stdout=file, check=True)
    return path, os.path.getsize(path) / 2**30


def show_pages(name, text, results, target):
    table = Table(name, text, "s", "s of processor time", "MiB resident")
    for of, samples in results.items():
        table.row(of, *(middle([sample[key] for sample in samples], "{:.2f}") for key in ("time", "cpu", "resident")))
    table.note(target)
    table.show()


def summary():
    """A page of 1 GiB: 13 million packets of 120,000 connections. BENCH_BEFORE: another tarcap, beside it."""
    programs = programs_to_compare()
    packets = int(13e6 * min(TIME, 1))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        path, size = talk(place, "talk.pcap", packets, 120000)
        results = rounds(list(programs), lambda name: took(programs[name], "summary", path))
    show_pages("summary", f"a page of {size:.2f} GiB, {packets} packets of 120,000 connections", results,
               "targets, of the whole: <= 3.0 s where the page without findings takes 2.8 s; <= 64 MiB")


def both():
    """A page of two ends, 1 GiB each: of whole packets, and of headers alone, which are ten times as many."""
    kinds = {"whole packets": (1_330_000, 12_000, "whole"), "headers alone": (13_000_000, 120_000)}
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        results, sizes = {}, []
        for kind, (packets, connections, *whole) in kinds.items():
            path, size = talk(place, "a.pcap", int(packets * min(TIME, 1)), connections, *whole)
            other = os.path.join(place, "b.pcap")
            os.link(path, other)
            results.update(rounds([kind], lambda _, pair=(path, other): took(TARCAP, "summary", *pair)))
            os.unlink(path)
            os.unlink(other)
            sizes.append(f"{kind}: {packets} packets of {connections} connections, {size:.2f} GiB")
    show_pages("both", f"a page of two ends, each of {'; '.join(sizes)}", results,
               "target: <= 8 s and <= 128 MiB for 1 GiB + 1 GiB")


# --- join -------------------------------------------------------------------------------------------------------

def join():
    """MB of an archive a second of processor time, to nowhere. BENCH_BEFORE: another tarcap, beside it."""
    programs = programs_to_compare()
    kinds = {"headers alone": (13_000_000, 120_000), "whole packets": (1_330_000, 12_000, "whole")}
    table = Table("join", "MB of an archive a second of processor time, packets in order", "MB/s", "MB")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        for kind, (packets, connections, *whole) in kinds.items():
            path, _ = talk(place, "talk.pcap", int(packets * min(TIME, 1)), connections, *whole)
            archive = os.path.join(place, "talk.tar")
            with open(archive, "wb") as file:
                subprocess.run([TARCAP, "-q", "-r", path, *NO_LIMITS], stdout=file, check=True)
            os.unlink(path)
            size = os.path.getsize(archive) / 1e6
            for name, samples in rounds(list(programs), lambda name: took(programs[name], "join", archive)).items():
                table.row(f"{kind}, {name}", middle([size / sample["cpu"] for sample in samples], "{:.0f}"), f"{size:.0f}")
    table.show()


ROWS = {"cpu-64": cpu_64, "cpu-1472": cpu_1472, "cpu-gso": cpu_gso, "loss-64": loss_64, "loss-1472": loss_1472,
        "loss-gso": loss_gso, "neighbour": neighbour, "tail": tail, "readers": readers, "start": start, "memory": memory, "counts": counts,
        "interfaces": interfaces, "filters": filters, "formats": formats, "encrypt": encrypt, "steady": steady,
        "delivered": delivered, "record": record, "summary": summary, "both": both, "join": join}


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
                          "load": round(load_average, 1), "programs": words, "rounds": ROUNDS}
    return (f"{time.strftime('%Y-%m-%d', time.gmtime())}, Linux {os.uname().release}, {os.cpu_count()} x "
            f"{model[1] if model else os.uname().machine}, load average before: {load_average:.1f}\n"
            f"{', '.join(word.split(' (Git')[0] for word in words)}; {ROUNDS} rounds: median (least-greatest)\n")


def main(names):
    if names == ["--list"]:
        print(*ROWS, sep="\n")
        return 0
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        print(f"bench: {unknown[0]}: no such row; there are: {' '.join(ROWS)}", file=sys.stderr)
        return 2
    head = machine()
    print(head)
    with open(OUT / "results.txt", "a" if names else "w", encoding="ascii") as results:
        results.write(head + "\n")
    for name in names or ROWS:
        started = time.monotonic()
        ROWS[name]()
        taken = RESULTS["seconds"][name] = round(time.monotonic() - started)
        print(f"{name} took {taken} s\n", flush=True)
    write_results()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
