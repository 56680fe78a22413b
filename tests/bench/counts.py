"""What does not drift: system calls and instructions, counted by strace and callgrind, by the difference of two runs."""

import os
import re
import signal
import time

from bench import OUT, RING, TOOLS, Tool, load, packets_in, wait_until

CALLGRIND = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={OUT}/callgrind.%p"]
LACKEY = ["valgrind", "--tool=lackey", "--basic-counts=no", "--detailed-counts=yes", f"--log-file={OUT}/lackey.log"]
OPEN = str(OUT / "tarcap-open")  # the same objects, without the sandbox that valgrind's own work would need to pass


def calls_until_ready(wire, command, user="root", env=None):
    """System calls from exec to the one that writes the line."""
    log = OUT / "start.strace"
    tool = Tool(wire, ["strace", "-u", user, "-f", "-s", "200", "-o", str(log), *command], env=env)
    end_child(tool)
    lines = log.read_text(errors="replace").splitlines()
    # dumpcap's line comes in a write of its own; tcpdump has it in a buffer with another.
    ready = [at for at, line in enumerate(lines) if re.search(r"write(v\(|\()2, .*(listening on|File: -)", line)]
    return sum(1 for line in lines[:ready[0]] if "resumed>" not in line and "(" in line)


def end_child(tool):
    """The tool below strace or the like, which itself would not pass the signal on."""
    for child in open(f"/proc/{tool.pid}/task/{tool.pid}/children", encoding="ascii").read().split():
        os.kill(int(child), signal.SIGINT)
    return tool.end(0)


def counted(wire, command, traffic, count, env=None, by_itself=False):
    """The tool with so many packets; then it ends, by itself or asked to. How many it delivered, and its process id."""
    tool = Tool(wire, command, env=env)
    try:
        time.sleep(0.2)
        before = packets_in(wire.b)
        load(wire, *traffic, "-n", count)
        wait_until(lambda: packets_in(wire.b) - before >= count)
        time.sleep(0 if by_itself else 0.5)
    except BaseException:
        tool.end(signal.SIGKILL)
        raise
    result = tool.end(0) if by_itself else end_child(tool) if command[0] == "strace" else tool.end()
    return result["distinct"], tool.pid


def difference(of, fewer, more):
    """Per packet; of() returns how many there were, and one number."""
    (few, less), (many, much) = of(fewer), of(more)
    return (much - less) / (many - few)


def strace_total(log):
    return int(log.read_text().splitlines()[-1].split()[3])


def calls_per_packet(wire, name, size):
    """At the same rate, for the longer time."""
    def calls(count):
        log = OUT / "calls.strace"
        delivered, _ = counted(wire, ["strace", "-f", "-c", "-o", str(log), *with_our_ring(name)],
                               ["-s", size, "-r", 40000 if size < 500 else 10000], count)
        return delivered, strace_total(log)
    return difference(calls, 10000, 30000) if size < 500 else difference(calls, 2000, 8000)


def callgrind_total(pid):
    """Instructions, and calls of malloc and the like by anybody; the file is gone afterwards."""
    file, names, into = OUT / f"callgrind.{pid}", {}, None
    allocations = total = 0
    for line in file.read_text().splitlines():
        if line.startswith(("totals:", "summary:")):
            total = int(line.split()[1])
        elif line.startswith(("fn=", "cfn=")):
            number, _, name = line.partition("=")[2].partition(" ")
            into = names.setdefault(number, name)
        elif line.startswith("calls=") and re.match(r"(__libc_)?(malloc|calloc|realloc|aligned_alloc)", into):
            allocations += int(line[6:].split()[0])
    file.unlink()
    return {"instructions": total, "allocations": allocations}


def with_our_ring(name):
    """Its command, with a ring that holds what comes while it is slowed down, and without a change of user."""
    command = list(TOOLS[name])
    if name.startswith("tcpdump"):
        command += ["-B", str(RING), "-Z", "root"]
    elif name == "dumpcap":
        command += ["-B", str(RING // 1024)]
    return command


def instructions_per_packet(wire, name, size):
    def instructions(count):
        traffic = ["-s", size, "-r", 20000 if size < 500 else 5000]
        command = [OPEN, *TOOLS[name][1:]] if name == "tarcap" else with_our_ring(name)
        delivered, pid = counted(wire, CALLGRIND + command, traffic, count)
        return delivered, callgrind_total(pid)["instructions"]
    return difference(instructions, 5000, 20000) if size < 500 else difference(instructions, 2000, 8000)


def stored_total(log):
    """Bytes that were stored by all instructions, whatever did it: memcpy, a loop, a call's saved registers."""
    sizes = {"I8": 1, "I16": 2, "I32": 4, "I64": 8, "I128": 16, "F32": 4, "F64": 8, "V128": 16, "V256": 32}
    counts = re.findall(r"==\s+([IFV]\d+)\s+[\d,]+\s+([\d,]+)", log.read_text())
    return sum(sizes.get(kind, 0) * int(stores.replace(",", "")) for kind, stores in counts)
