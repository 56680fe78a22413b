"""The rows of a recorder that are of moments: what looks at each packet, a snapshot, an event. Called by record.py."""

import json
import os
import re
import signal
import socket
import subprocess
import tarfile
import time

from bench import NO_LIMITS, OUT, RUN, TARCAP, TIME, Table, load, middle, packets_in, rounds
from containers import TARGET, Target, docker, engine
from process import wait_until
from wire import frame, in_namespace

NAMES = ("reset", "unreachable", "dns-failure", "http-5xx", "tls-alert")
CONNECTIONS = 10_000
RECORDER = f"{TARGET}-recorder"
EVENT = "udp port 5000"


def looks():
    """Processor time in user space for each packet of a file, beyond a plain capture's, in pairs."""
    count = int(2e6 * min(TIME, 1))
    path = f"/dev/shm/{TARGET}-{os.getpid()}.pcap"
    commands = {"plain": [], "--first 16K": ["--first", "16K"], **{f"--until {name}": ["--until", name] for name in NAMES},
                "all five": [word for name in NAMES for word in ("--until", name)]}

    def run(name):
        process = subprocess.Popen([TARCAP, "-q", "-r", path, "-w", "/dev/null", *commands[name]])
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        assert status == 0
        return usage.ru_utime * 1e9 / count

    try:
        with open(path, "wb") as file:
            subprocess.run([OUT / "talk", str(count), str(CONNECTIONS)], stdout=file, check=True)
        results = rounds(list(commands), run)
    finally:
        os.unlink(path)
    table = Table("record/looks", f"ns of processor time a packet, {CONNECTIONS} connections, read from a file",
                  "ns", "beyond plain, in pairs", "target")
    for name, values in results.items():
        beyond = [a - b for a, b in zip(values, results["plain"])]
        target = {"plain": "", "--first 16K": "<= 60", "all five": "<= 60"}.get(name, "<= 30")
        table.row(name, middle(values), middle(beyond) if target else "", target)
    table.note("tests/bench/gate.py counts instructions, which a busy machine does not change")
    table.show()


def fill(wire):
    """More than the memory holds, of what does not get smaller."""
    load(wire, "-s", 1400, "-k", "random", "-r", 20_000, "-n", 60_000)


def manifest_of(path):
    with tarfile.open(path) as tar:
        return json.load(tar.extractfile(next(name for name in tar.getnames() if name.endswith("/manifest.json"))))


def snapshot(wire):
    """A full memory through docker exec, while 100,000 packets a second go on."""
    path = OUT / "record.tar"
    docker("run", "-d", "--rm", "--network", f"container:{TARGET}", "--name", RECORDER, "tarcap", "hold", "--record", "64M",
           "--", "-i", "tc0")
    try:
        wait_until(lambda: "listening on" in docker_log(), 10)
        fill(wire)
        flood = subprocess.Popen(["nsenter", f"--net=/run/netns/{wire.a}", OUT / "load", "-s", "1400", "-k", "random", "-r",
                                  "100000", "-n", "250000", "tc1"], stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        started = time.monotonic()
        with open(path, "wb") as out:
            done = subprocess.run(["docker", "exec", RECORDER, "tarcap", "snapshot", "-q"], stdout=out, check=False)
        seconds = time.monotonic() - started
        assert done.returncode == 0
        size = path.stat().st_size
        flood.wait()
        with open(path, "wb") as out:
            subprocess.run(["docker", "exec", RECORDER, "tarcap", "snapshot", "-q", "--last", "1s"], stdout=out, check=True)
        dropped = sum(one["dropped_by_kernel"] for one in manifest_of(path)["interfaces"])
    finally:
        docker("rm", "-f", RECORDER)
        path.unlink(missing_ok=True)
    return seconds, size, dropped


def docker_log():
    return subprocess.run(["docker", "logs", RECORDER], capture_output=True, text=True, check=True).stderr


def event(wire):
    """From the event's packet to the end of the client, without --after."""
    path = OUT / "record.tar"
    udp = frame(1, 60)[:12] + b"\x08\x00" + bytes.fromhex("4500001c00000000401166cf0a0000010a000002") + bytes.fromhex(
        "1388138800080000")
    with open(path, "wb") as out, open(OUT / "record.said", "w+b") as said:
        client = subprocess.Popen(["docker", "run", "--rm", "-i", "--name", RECORDER, "--network", f"container:{TARGET}",
                                   "--log-driver", "none", "tarcap", "-i", "tc0", "--record", "64M", "--until", EVENT,
                                   "--after", "0", *NO_LIMITS], stdin=subprocess.PIPE, stdout=out, stderr=said)
        try:
            wait_until(lambda: re.search(b"listening on", os.pread(said.fileno(), 1 << 16, 0)), 30)
            fill(wire)
            time.sleep(1)
            sender = in_namespace(wire.a, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
            sender.bind(("tc1", 0))
            started = time.monotonic()
            sender.send(udp)
            client.wait(60)
            seconds = time.monotonic() - started
            sender.close()
        finally:
            client.send_signal(signal.SIGKILL)
            client.stdin.close()
            subprocess.run(["docker", "rm", "-f", RECORDER], capture_output=True, check=False)
    told, size = manifest_of(path), path.stat().st_size
    path.unlink()
    assert client.returncode == 0 and told["event"]["what"] == EVENT
    return seconds, size


def through_docker():
    table = Table("record/docker", "64 MiB full of random bytes, through Docker", "seconds", "target", "bytes",
                  "dropped by the kernel")
    engine()
    wire = Target()
    try:
        before = packets_in(wire.b)
        shots, events = ([of(wire) for _ in range(RUN.rounds)] for of in (snapshot, event))
        assert packets_in(wire.b) > before
    finally:
        wire.close()
    table.row("snapshot by docker exec, 100,000 packets/s meanwhile", middle([one[0] for one in shots], "{:.2f}"), "<= 2",
              middle([one[1] for one in shots]), middle([one[2] for one in shots]))
    table.row("docker run, from the event to the last byte", middle([one[0] for one in events], "{:.2f}"), "<= 2",
              middle([one[1] for one in events]), "")
    table.show()
