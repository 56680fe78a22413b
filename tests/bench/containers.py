"""The benchmark's row "delivered": what comes out of docker run while more is offered than the runtime takes."""

import json
import os
import re
import subprocess
import tarfile
import time
from functools import cache

from bench import BUILD, COUNT, LOAD, OUT, OWN, SHARED, TIME, TOP, Table, has_flag, load, middle, packets_in, rounds, sh, wait_until

TARGET, TOOLS = "tarcap-bench-target", "tarcap-bench-tools"
TRANSPORT = "the transport"  # what a program gets through that writes the same bytes, captured by nobody
SECONDS = 3 * TIME
NONE, DEFAULT = {"none": ["--log-driver", "none"]}, {"default log": []}
TRAFFIC = {  # kind: what load sends, and the logs that it is of: with none, random bytes are as JSON, and few bytes all arrive
    "json": ("HTTP/JSON 1400 B", ["-k", "json", "-s", 1400, "-r", 100000], {**NONE, **DEFAULT}),
    "random": ("random 1400 B", ["-k", "random", "-s", 1400, "-r", 100000], DEFAULT),
    "small": ("HTTP/JSON 100 B", ["-k", "json", "-s", 100, "-r", 200000], DEFAULT),
}


def docker(*arguments, timeout=60):
    return sh("docker", *arguments, timeout=timeout).stdout.strip()


def commands(traffic):
    tarcap = ["tarcap", "--max-bytes", "0"]
    tools = {TRANSPORT: [TOOLS, "/load", *map(str, traffic), "-t", str(SECONDS), "-w", "/dev/stdout"],
             "tcpdump": [TOOLS, "/usr/bin/tcpdump", "-Z", "root", "-i", "tc0", "-w", "-"], "tarcap": tarcap}
    if has_flag("--compress"):
        tools["tarcap --compress zstd"] = [*tarcap, "--compress", "zstd"]
    if has_flag("--headers"):
        tools["tarcap --headers"] = [*tarcap, "--headers"]
    return tools


def tools_image():
    """tcpdump and the libraries it takes, load, and nothing else."""
    libraries = re.findall(r"(/\S+) \(0x", sh("ldd", "/usr/bin/tcpdump").stdout)
    image = OUT / "tools.tar"
    with tarfile.open(image, "w", dereference=True) as tar:
        for file in ("/usr/bin/tcpdump", "/etc/passwd", "/etc/group", *libraries):
            tar.add(file)
        tar.add(LOAD, "/load")
    docker("import", str(image), TOOLS)
    image.unlink()


class Target:
    """A container with a cable: tc0 in it, tc1 in a namespace of ours, as wire.Wire has them."""

    def __init__(self):
        docker("run", "-d", "--rm", "--network", "none", "--name", TARGET, "tarcap", "hold", "--ttl", "2h")
        self.a, self.b = f"tcb{OWN}-a", f"tcb{OWN}-b"
        sh("ip", "netns", "add", self.a)
        sh("ip", "netns", "attach", self.b, docker("inspect", "-f", "{{.State.Pid}}", TARGET))
        sh("ip", "link", "add", "tc1", "netns", self.a, "type", "veth", "peer", "name", "tc0", "netns", self.b)
        for namespace, interface, mac in ((self.a, "tc1", "02:00:00:00:00:01"), (self.b, "tc0", "02:00:00:00:00:02")):
            sh("nsenter", f"--net=/run/netns/{namespace}", "sh", "-c",
               "echo 1 | tee /proc/sys/net/ipv6/conf/*/disable_ipv6")
            sh("ip", "-n", namespace, "link", "set", interface, "address", mac, "arp", "off", "up")

    def close(self):
        sh("docker", "rm", "-f", TARGET, check=False, timeout=60)
        for namespace in (self.a, self.b):
            sh("ip", "netns", "del", namespace, check=False)


def offer(wire, client, said, name, traffic):
    """The traffic, when the tool listens, and SIGINT when all of it has been sent: (what arrived, when it began)."""
    wait_until(lambda: b"listening on" in os.pread(said.fileno(), 1 << 16, 0) or client.poll() is not None, 30)
    time.sleep(0.3)
    before, started = packets_in(wire.b), time.time()
    load(wire, *traffic, "-n", int(traffic[-1] * SECONDS))
    time.sleep(0.15)
    arrived = packets_in(wire.b) - before
    sh("docker", "kill", "--signal", "INT", name, check=False, timeout=60)
    return arrived, started


def run(wire, log, tool, traffic):
    """One docker run, its stream in a file as users have it."""
    stream, name = OUT / "delivered.stream", f"{TARGET}-tool"
    with open(stream, "wb") as out, open(OUT / "delivered.said", "w+b") as said:
        client = subprocess.Popen(["docker", "run", "--rm", "-i", "--name", name, "--network", f"container:{TARGET}",
                                   *log, *commands(traffic)[tool]], stdin=subprocess.PIPE, stdout=out, stderr=said)
        try:
            if tool == TRANSPORT:
                wait_until(lambda: stream.stat().st_size or client.poll() is not None, 30)
                arrived, started = int(traffic[-1] * SECONDS), time.time()
            else:
                arrived, started = offer(wire, client, said, name, traffic)
            client.wait(120)
            seconds = stream.stat().st_mtime - started
        finally:
            sh("docker", "rm", "-f", name, check=False, timeout=60)
            client.kill()
            client.wait()
            client.stdin.close()
    counted = json.loads(sh(COUNT, str(stream), timeout=120).stdout)
    stream.unlink()
    return {**counted, "seconds": seconds, "rate": counted["distinct"] / seconds, "share": 100 * counted["distinct"] / arrived}


def table_of(wire, kind, title, traffic, logs):
    tools = list(commands(traffic))
    table = Table(f"delivered/{kind}", f"through docker run, {title}, {traffic[-1]} packets/s for {SECONDS:g} s", "delivered %",
                  "delivered/s", "times the transport's rate", "times tcpdump's rate", "stream MB")
    for label, log in logs.items():
        results = rounds(tools, lambda tool: run(wire, log, tool, traffic))
        for tool, samples in results.items():
            times = [middle([a["rate"] / b["rate"] for a, b in zip(samples, results[other]) if b["rate"]], "{:.2f}")
                     for other in (TRANSPORT, "tcpdump")]
            table.row(f"{label}: {tool}", middle(sample["share"] for sample in samples),
                      middle(sample["rate"] for sample in samples), *times, middle(sample["bytes"] / 1e6 for sample in samples))
    table.note("the tool as root, in a container with Docker's default capabilities")
    table.note("delivered/s: packets in the client's file, over the time from the first one sent to the last byte there")
    table.note(f"{TRANSPORT}: a program that writes the same packets at the same rate for that time, captured by nobody")
    table.show()


@cache
def engine():
    """With tarcap's image in it. Starts an engine where none answers, and ends that one when all rows are done."""
    program = str(TOP / "tests/engine")
    found = subprocess.run([program, "find"], capture_output=True, text=True, check=False)
    if found.returncode:
        found = sh(program, "start", timeout=300)
        SHARED.callback(lambda: sh(program, "stop", timeout=120))
    os.environ["DOCKER_HOST"] = found.stdout.strip()
    sh("make", "-C", str(TOP), "-s", "load", f"BUILD={BUILD}", timeout=300, env={**os.environ, "TARCAP_ENGINE": "docker"})


def delivered():
    engine()
    tools_image()
    wire = Target()
    try:
        for kind, of in TRAFFIC.items():
            table_of(wire, kind, *of)
    finally:
        wire.close()
        sh("docker", "rmi", TOOLS, check=False, timeout=60)
