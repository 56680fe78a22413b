"""A cable between two network namespaces, the frames that go over it, and floods of them.

Run as a program, it is the traffic generator: wire.py flood NAMESPACE INTERFACE COUNT SIZE [PER_SECOND] [PORT]
or wire.py bursts NAMESPACE INTERFACE MILLISECONDS SIZE ON OFF
or wire.py step_load NAMESPACE INTERFACE
"""

import ctypes
import fcntl
import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from process import OWN, sh, start_process, wait_until

PROGRAM = __file__
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, IFF_RUNNING = 0x8913, 0x40
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


def wait_up(namespace, names):
    """Until these interfaces pass packets on: before that, what is sent is thrown away, and nobody hears of it."""
    def are_up():
        return all(struct.unpack_from("H", fcntl.ioctl(asking, SIOCGIFFLAGS, struct.pack("16s24x", name.encode())), 16)[0]
                   & IFF_RUNNING for name in names)
    with in_namespace(namespace, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as asking:
        wait_until(are_up, 5, f"{', '.join(names)} going up")


def without_ipv6():
    """For in_namespace(); also for the interfaces to come."""
    for path in Path("/proc/sys/net/ipv6/conf").glob("*/disable_ipv6"):
        path.write_text("1")


def ip_batch(*commands):
    """ip's commands, all by one process."""
    sh("ip", "-batch", "-", input="\n".join(commands))


class Wire:
    """Two namespaces with a cable: tc1 in .a, where the tests send, and tc0 in .b, where tarcap listens."""

    count = 0

    def __init__(self, ipv6=False):
        Wire.count += 1
        self.a, self.b = (f"tc{OWN}-{Wire.count}{end}" for end in "ab")
        # Where both ends have the same number, the kernel takes them for no pair, and a second until it lets them up.
        ip_batch(f"netns add {self.a}", f"netns add {self.b}",
                 f"link add tc1 index 3 netns {self.a} type veth peer name tc0 index 2 netns {self.b}")
        if not ipv6:
            in_namespace(self.a, without_ipv6)
            in_namespace(self.b, without_ipv6)
        # Without ARP the kernel itself says nothing on the wire.
        self.ip(self.a, "link", "set", "tc1", "address", MAC_A.hex(":"), "arp", "off", "up")
        self.ip(self.b, "link", "set", "tc0", "address", MAC_B.hex(":"), "arp", "off", "up")
        self.wait_up()
        self.socket = raw_socket(self.a, "tc1")

    @staticmethod
    def within(name, *command, **more):
        return sh("nsenter", f"--net=/run/netns/{name}", *command, **more)

    def wait_up(self, interface="tc0"):
        """Both ends, of which b's may have another name by now."""
        wait_up(self.a, ["tc1"])
        wait_up(self.b, [interface])

    def ip(self, name, *arguments):
        return sh("ip", "-n", name, *arguments)

    def replace(self, interface):
        """Another interface of b takes this one's name and its index."""
        index = self.ip(self.b, "-o", "link", "show", interface).stdout.partition(":")[0]
        sh("ip", "-n", self.b, "-batch", "-", input=f"""link del {interface}
            link add {interface} index {index} type veth peer other index 9999
            link set other up\nlink set {interface} up\n""")

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
        sh("ip", "-force", "-batch", "-", input=f"netns del {self.a}\nnetns del {self.b}\n", check=False)


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


# --- floods -----------------------------------------------------------------------------------------------------

def on_one_processor():
    """The last, where nothing else runs; not all the same one where tests run beside each other."""
    processors = sorted(os.sched_getaffinity(0))
    beside = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    os.sched_setaffinity(0, {processors[-1 - beside % len(processors)]})


def flood(namespace, interface, count, size, per_second=0, port=0, held=0, first=0):
    """Send count numbered frames from one CPU, so that nothing overtakes. Says so when it has begun."""
    on_one_processor()
    send = raw_socket(namespace, interface).send
    if held:
        sys.stdin.readline()
    start = time.monotonic()
    for number in range(count):
        send(udp(first + number, port, size) if port else frame(first + number, size))
        if number == 0:
            print("begun", flush=True)
        elif per_second and number % 100 == 99:
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
    """flood() in a process of its own. It has begun when this returns; one that is held begins with go(), at once."""

    def __init__(self, namespace, interface, count, size, per_second=0, port=0, held=False, first=0):
        self.process = start_process([sys.executable, PROGRAM, "flood", namespace, interface] +
                                     [str(int(n)) for n in (count, size, per_second, port, held, first)],
                                     stdin=subprocess.PIPE if held else subprocess.DEVNULL, stdout=subprocess.PIPE)
        if not held:
            self.begun()

    def begun(self):
        assert self.process.stdout.readline() == b"begun\n"

    def go(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        self.begun()

    def wait(self, timeout=30):
        assert self.process.wait(timeout) == 0

    def stop(self):
        self.process.kill()
        self.process.wait(10)


if __name__ == "__main__":
    {"flood": flood, "bursts": bursts, "step_load": step_load}[sys.argv[1]](*sys.argv[2:4], *map(int, sys.argv[4:]))
