"""The benchmark's row "delivered": what comes out of docker run while more is offered than the runtime takes."""

import contextlib
import json
import os
import re
import subprocess
import tarfile
import time

from bench import BUILD, COUNT, OUT, OWN, TIME, TOP, Table, has_flag, load, middle, packets_in, rounds, sh, wait_until

TARGET, TCPDUMP = "tarcap-bench-target", "tarcap-bench-tcpdump"
LOGS = {"none": ["--log-driver", "none"], "default log": []}
TRAFFIC = {  # kind: what load sends
    "HTTP/JSON 1400 B": ["-k", "json", "-s", 1400, "-r", 100000],
    "random 1400 B": ["-k", "random", "-s", 1400, "-r", 100000],
    "small 100 B": ["-k", "json", "-s", 100, "-r", 200000],
}


def docker(*arguments, timeout=60):
    return sh("docker", *arguments, timeout=timeout).stdout.strip()


def commands():
    tarcap = ["tarcap", "--max-bytes", "0"]
    tools = {"tcpdump": [TCPDUMP, "-Z", "root", "-i", "tc0", "-w", "-"], "tarcap": tarcap}
    if has_flag("--compress"):
        tools["tarcap --compress zstd"] = [*tarcap, "--compress", "zstd"]
    if has_flag("--headers"):
        tools["tarcap --headers"] = [*tarcap, "--headers"]
    return tools


def tcpdump_image():
    """tcpdump and the libraries it takes, and nothing else."""
    libraries = re.findall(r"(/\S+) \(0x", sh("ldd", "/usr/bin/tcpdump").stdout)
    image = OUT / "tcpdump.tar"
    with tarfile.open(image, "w", dereference=True) as tar:
        for file in ("/usr/bin/tcpdump", "/etc/passwd", "/etc/group", *libraries):
            tar.add(file)
    docker("import", "--change", 'ENTRYPOINT ["/usr/bin/tcpdump"]', str(image), TCPDUMP)
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


def run(wire, log, command, traffic):
    """One docker run, its stream in a file as users have it; ended by SIGINT when all has been sent."""
    stream, name = OUT / "delivered.stream", f"{TARGET}-tool"
    with open(stream, "wb") as out, open(OUT / "delivered.said", "w+b") as said:
        client = subprocess.Popen(["docker", "run", "--rm", "-i", "--name", name, "--network", f"container:{TARGET}",
                                   *log, *command], stdin=subprocess.PIPE, stdout=out, stderr=said)
        try:
            wait_until(lambda: b"listening on" in os.pread(said.fileno(), 1 << 16, 0) or client.poll() is not None, 30)
            time.sleep(0.5)
            before, started = packets_in(wire.b), time.monotonic()
            sent = load(wire, *traffic)
            time.sleep(0.3)
            arrived = packets_in(wire.b) - before
            sh("docker", "kill", "--signal", "INT", name, check=False, timeout=60)
            client.wait(120)
            seconds = time.monotonic() - started
        finally:
            sh("docker", "rm", "-f", name, check=False, timeout=60)
            client.kill()
            client.wait()
            client.stdin.close()
    counted = json.loads(sh(COUNT, str(stream), timeout=120).stdout)
    stream.unlink()
    return {**sent, **counted, "arrived": arrived, "seconds": seconds, "rate": counted["distinct"] / seconds,
            "share": 100 * counted["distinct"] / arrived}


def table_of(wire, kind, traffic):
    tools = commands()
    table = Table("delivered", f"through docker run, {kind}, {3 * TIME:g} s", "delivered/s", "delivered %",
                  "times tcpdump's rate", "stream MB", "offered/s as achieved")
    count = int(traffic[traffic.index("-r") + 1] * 3 * TIME)
    for label, log in LOGS.items():
        results = rounds(list(tools), lambda name: run(wire, log, tools[name], [*traffic, "-n", count]))
        for name, samples in results.items():
            times = [a["rate"] / b["rate"] for a, b in zip(samples, results["tcpdump"]) if b["rate"]]
            table.row(f"{label}: {name}", middle(sample["rate"] for sample in samples),
                      middle(sample["share"] for sample in samples), middle(times, "{:.1f}"),
                      middle(sample["bytes"] / 1e6 for sample in samples),
                      middle(sample["per_second"] for sample in samples))
    table.note("the tool as root, in a container with Docker's default capabilities")
    table.note("delivered/s: packets in the client's file, over the time from the first one sent to the client's end")
    table.show()


@contextlib.contextmanager
def with_engine():
    """With tarcap's image in it. Starts an engine where none answers, and ends that one."""
    engine, own = str(TOP / "tests/engine"), False
    found = subprocess.run([engine, "find"], capture_output=True, text=True, check=False)
    if found.returncode:
        found, own = sh(engine, "start", timeout=300), True
    os.environ["DOCKER_HOST"] = found.stdout.strip()
    try:
        sh("make", "-C", str(TOP), "-s", "load", f"BUILD={BUILD}", timeout=300,
           env={**os.environ, "TARCAP_ENGINE": "docker"})
        yield
    finally:
        if own:
            sh(engine, "stop", timeout=120)


def delivered():
    with with_engine():
        tcpdump_image()
        wire = Target()
        try:
            for kind, traffic in TRAFFIC.items():
                table_of(wire, kind, traffic)
        finally:
            wire.close()
            sh("docker", "rmi", TCPDUMP, check=False, timeout=60)
