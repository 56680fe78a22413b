"""Several interfaces at once: -i all, -i repeated, -i any."""

import os
import re
import signal
import socket
import struct
import time
from pathlib import Path

import pytest

from archive import packets_in, tar_members
from capture import Capture, read_paced, run
from process import sh, wait_until, work
from wire import MAC_A, MAC_B, in_namespace, number_of, numbered, raw_socket, wait_up

ETHERNET, RAW, SLL2 = 1, 101, 276


class Cables:
    """More cables beside the wire's: v0, v1 … in .b, with w0, w1 … in .a to send from."""

    def __init__(self, wire, count, first=0):
        self.wire, self.names = wire, [f"v{number}" for number in range(first, first + count)]
        batch = []
        for number in range(first, first + count):
            batch.append(f"link add w{number} address {MAC_A.hex(':')} type veth peer name v{number} "
                         f"address {MAC_B.hex(':')} netns {wire.b}")
            batch.append(f"link set w{number} arp off up")
        sh("ip", "-n", wire.a, "-batch", "-", input="\n".join(batch) + "\n")
        sh("ip", "-n", wire.b, "-batch", "-", input="\n".join(f"link set {name} arp off up" for name in self.names) + "\n")
        wait_up(wire.b, self.names)
        wait_up(wire.a, [name.replace("v", "w") for name in self.names])
        self.sockets = {f"v{number}": raw_socket(wire.a, f"w{number}") for number in range(first, first + count)}

    def send(self, name, frames):
        for data in frames:
            self.sockets[name].send(data)

    def close(self):
        for one in self.sockets.values():
            one.close()


@pytest.fixture(name="cables")
def five_cables(wire):
    cables = Cables(wire, 5)
    yield cables
    cables.close()


def pair(wire, name):
    """An interface more, with its other end beside it; neither is up."""
    wire.ip(wire.b, "link", "add", name, "type", "veth", "peer", "name", f"{name}p")


def tunnel(wire, name="tun0", hardware=None):
    """An interface without Ethernet, of another hardware type if given; what is written to the descriptor comes in on it."""
    def make():
        fd = os.open("/dev/net/tun", os.O_RDWR)
        import fcntl
        fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", name.encode(), 0x1001))
        if hardware:
            fcntl.ioctl(fd, 0x400454cd, hardware) # TUNSETLINK
        return fd
    fd = in_namespace(wire.b, make)
    wire.ip(wire.b, "link", "set", name, "up")
    return fd


def ipv4(number):
    return struct.pack("!BBHHHBBH4s4sI", 0x45, 0, 24, 0, 0, 64, 253, 0, bytes([10, 1, 0, 1]), bytes([10, 1, 0, 2]),
                       number)


def loopback_datagrams(wire, count):
    def send():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            for number in range(count):
                one.sendto(struct.pack("!I", number) * 5, other.getsockname())
    in_namespace(wire.b, send)


def numbers_of(archive, interface):
    return [number_of(record.data) for record in archive.records_of(interface)]


# --- each its own file series -----------------------------------------------------------------------------------

def test_all_of_them_each_once_and_in_its_own_files(wire, cables):
    wire.ip(wire.b, "link", "set", "lo", "up")
    tun = tunnel(wire)
    capture = Capture(wire, interface="all")
    wire.send(numbered(50))
    for place, name in enumerate(cables.names):
        cables.send(name, numbered(10 * (place + 1), first=1000 * place))
    loopback_datagrams(wire, 7)
    for number in range(9):
        os.write(tun, ipv4(number))
    archive = capture.end().whole()
    os.close(tun)
    assert set(archive.accounts()) == {"tc0", "lo", "tun0", *cables.names}
    assert numbers_of(archive, "tc0") == list(range(50))
    for place, name in enumerate(cables.names):
        assert numbers_of(archive, name) == list(range(1000 * place, 1000 * place + 10 * (place + 1)))
        assert {file.name.partition("/")[2].split("_")[0] for file in archive.files_of(name)} == {name}
    assert len(archive.records_of("lo")) == 7
    assert [record.data for record in archive.records_of("tun0")] == [ipv4(number) for number in range(9)]
    link_types = {name: {file.linktype for file in archive.files_of(name)} for name in archive.accounts()}
    assert link_types.pop("tun0") == {RAW} and set.union(*link_types.values()) == {ETHERNET}
    assert archive.manifest["not_captured"] == []
    [line] = [line for line in capture.err if "listening on" in line]
    assert "listening on 8 interfaces: " in line and "tun0 (RAW)" in line and "lo (EN10MB, 127.0.0.1)" in line


def test_two_that_are_named(wire, cables):
    capture = Capture(wire, "-i", "v1", "-i", "v3", "-i", "v1")
    for name in cables.names:
        cables.send(name, numbered(20))
    archive = capture.end().whole()
    assert list(archive.accounts()) == ["v1", "v3"] == [one["name"] for one in archive.capture["interfaces"]]
    assert numbers_of(archive, "v1") == numbers_of(archive, "v3") == list(range(20))


def test_one_of_the_named_is_not_there(wire):
    result = run("-i", "tc0", "-i", "nope", namespace=wire.b)
    assert result.status == 1 and result.said("-i nope", "no such interface", "tc0")


def test_limits_are_over_all(wire, cables):
    capture = Capture(wire, "-c", "30", interface="all")
    for number in range(20):
        for name in cables.names[:3]:
            cables.send(name, numbered(1, first=number))
    archive = capture.wait().whole()
    assert len(archive.records) == 30 and archive.cause == "packet count"
    assert sum(account["after_limit"] for account in archive.accounts().values()) == 30


def test_a_limit_on_segments_is_each_series_own(wire, cables):
    capture = Capture(wire, "-G", "200ms", "-W", "3", interface="all")
    while capture.process.poll() is None:
        cables.send("v0", numbered(1))
        cables.send("v2", numbered(1))
        time.sleep(0.02)
    archive = capture.wait().whole()
    assert archive.cause == "segment count"
    assert len(archive.files_of("v0")) == len(archive.files_of("v2")) == 3 and archive.files_of("v1") == []


def test_names_that_come_to_the_same(wire):
    for name in ("a_b", "a-b"):
        pair(wire, name)
        wire.ip(wire.b, "link", "set", name, "arp", "off", "up")
        wire.ip(wire.b, "link", "set", f"{name}p", "arp", "off", "up")
        wait_up(wire.b, [name, f"{name}p"])
    capture = Capture(wire, "-i", "a_b", "-i", "a-b", "-i", "tc0")
    for count, name in ((3, "a_b"), (5, "a-b")):
        with raw_socket(wire.b, name) as one:
            for data in numbered(count):
                one.send(data)
    archive = capture.end().whole()
    assert numbers_of(archive, "a_b") == list(range(3)) and numbers_of(archive, "a-b") == list(range(5))


# --- they come and go -------------------------------------------------------------------------------------------

def test_one_vanishes_and_the_others_go_on(wire, cables):
    capture = Capture(wire, interface="all")
    cables.send("v0", numbered(5))
    cables.send("v1", numbered(5))
    time.sleep(0.3)
    wire.ip(wire.b, "link", "del", "v0")
    capture.heard("v0: the interface is gone", "the others go on")
    cables.send("v1", numbered(5, first=5))
    archive = capture.end().whole()
    assert numbers_of(archive, "v0") == list(range(5)) and numbers_of(archive, "v1") == list(range(10))
    accounts = archive.accounts()
    assert accounts["v0"]["gone"].startswith("20") and accounts["v1"]["gone"] is None
    assert archive.cause == "signal"


@pytest.mark.parametrize("packets, status", [(3, 0), (0, 4)])
def test_all_vanish(wire, cables, packets, status):
    capture = Capture(wire, "-i", "v0", "-i", "v1")
    cables.send("v1", numbered(packets))
    time.sleep(0.3)
    for name in ("v0", "v1"):
        wire.ip(wire.b, "link", "del", name)
    result = capture.wait()
    archive = result.archive().check()
    assert (result.status, archive.cause, len(archive.records)) == (status, "interface gone", packets)


def test_newcomers_are_named(wire, cables):
    capture = Capture(wire, interface="all")
    pair(wire, "late0")
    time.sleep(0.2)
    assert not any("late0" in line for line in capture.err) # it is not up
    wire.ip(wire.b, "link", "set", "late0", "up")
    capture.heard("late0", "not captured")
    wire.ip(wire.b, "link", "set", "v0", "down")
    wire.ip(wire.b, "link", "set", "v0", "up") # known
    wire.ip(wire.b, "link", "set", "late0", "mtu", "1000")
    for name in ("late1", "late2"):
        pair(wire, name)
        wire.ip(wire.b, "link", "set", name, "up")
    capture.heard("late2")
    wire.ip(wire.b, "link", "del", "late1")
    archive = capture.end().whole()
    assert [one["name"] for one in archive.manifest["not_captured"]] == ["late0", "late1", "late2"]
    assert all("after the start" in one["why"] for one in archive.manifest["not_captured"])
    assert sum("late0" in line for line in capture.err) == 1
    assert len(cables.names) + 1 == len(archive.accounts())


def test_a_newcomer_with_the_name_and_the_index_of_one_that_is_gone(wire, cables):
    capture = Capture(wire, interface="all")
    capture.kill(signal.SIGSTOP)
    wire.replace("v0")
    capture.kill(signal.SIGCONT)
    capture.heard("v0: the interface is gone")
    capture.heard("v0: came up after the start")
    archive = capture.end().whole()
    assert "v0" in [one["name"] for one in archive.manifest["not_captured"]]
    assert [one["name"] for one in archive.manifest["interfaces"] if one["gone"]] == ["v0"]


def rtnetlink_unread(namespace):
    """Bytes that wait in the sockets of a namespace which are told of links: proc_net_netlink, groups and rmem."""
    rows = in_namespace(namespace, lambda: Path("/proc/thread-self/net/netlink").read_text().splitlines()[1:])
    told = [row.split() for row in rows]
    assert any(int(row[3], 16) & 1 for row in told)
    return sum(int(row[4]) for row in told if row[1] == "0" and int(row[3], 16) & 1)


def test_many_newcomers_are_counted_once_and_said_briefly(wire):
    """A host on which pods come and go: 90 interfaces, each told of again and again."""
    capture = Capture(wire, interface="all")
    names = [f"late{number}" for number in range(90)]

    def each(*lines):
        """As a busy machine takes them: what the kernel can keep for a capture that does not get to it is the messages of some."""
        for some in range(0, len(names), 4):
            sh("ip", "-n", wire.b, "-batch", "-", input="".join(f"{line.format(name)}\n" for name in names[some:some + 4] for line in lines))
            wait_until(lambda: not rtnetlink_unread(wire.b), 10, "reading what is told of links")
    each("link add {0} type veth peer name {0}p", "link set {0} up")
    for change in ("mtu 1000", "down", "up", "mtu 1200"):
        each(f"link set {{0}} {change}")
    archive = capture.end().whole()
    assert archive.manifest["not_captured_count"] == 90 and archive.manifest["not_captured_at_least"] is False
    assert [one["name"] for one in archive.manifest["not_captured"]] == names[:64]
    said = [line for line in capture.err if "not captured" in line]
    assert len(said) == 10, said # eight of them, that there are more, and at the end how many
    assert "90 interfaces not captured: see the manifest" in said[-1]


def test_nobody_watches_where_interfaces_are_named(wire, cables):
    capture = Capture(wire, "-i", "v0", "-i", "v1")
    pair(wire, "late0")
    wire.ip(wire.b, "link", "set", "late0", "up")
    cables.send("v0", numbered(1))
    archive = capture.end().whole()
    assert archive.manifest["not_captured"] == [] and not any("late0" in line for line in capture.err)


@pytest.mark.parametrize("interface", ["tun0", "all"])
def test_what_libpcap_warns_of_is_said(wire, interface):
    """A hardware type that it does not know: it captures with a cooked header."""
    tun = tunnel(wire, hardware=999)
    capture = Capture(wire, interface=interface)
    os.write(tun, ipv4(1))
    archive = capture.end().whole()
    os.close(tun)
    assert archive.accounts()["tun0"]["link_type"] == "LINUX_SLL" and archive.accounts()["tun0"]["written"] == 1
    [line] = [line for line in capture.err if "999" in line]
    assert line.startswith("tarcap: tun0: ")


def test_a_filter_that_means_nothing_on_one_of_them(wire):
    tun = tunnel(wire)
    capture = Capture(wire, f"ether src {MAC_A.hex(':')}", interface="all")
    wire.send(numbered(3))
    os.write(tun, ipv4(1))
    archive = capture.end().whole()
    os.close(tun)
    assert list(archive.accounts()) == ["tc0"] and archive.numbers() == [0, 1, 2]
    [left] = archive.manifest["not_captured"]
    assert left["name"] == "tun0" and "ether" in left["why"].lower()
    assert any("tun0: not captured" in line for line in capture.err)


def test_a_filter_that_means_nothing_at_all(wire, cables):
    result = run("-i", "all", "tcp prot 80", namespace=wire.b)
    assert result.status == 2 and result.said("tcp prot 80") and result.out == b""


# --- a hundred of them ------------------------------------------------------------------------------------------

def test_a_hundred_share_ring_and_pool(wire):
    cables = Cables(wire, 100)
    try:
        capture = Capture(wire, "--memory", "4M", "-s", "1500", interface="all")
        for turn in range(20):
            for name in cables.names:
                cables.send(name, numbered(10, first=10 * turn))
        archive = capture.end().whole()
    finally:
        cables.close()
    assert {tuple(numbers_of(archive, name)) for name in cables.names} == {tuple(range(200))}
    [line] = [line for line in capture.err if "listening on" in line]
    assert "listening on 101 interfaces: " in line and "ring 202M, pool 4M" in line
    assert archive.manifest["memory"]["ring_bytes"] == 202 << 20


def send_in_turns(cables):
    """A hundred to each, in five turns, with time between them for a ring's block to be over."""
    for turn in range(5):
        for name in cables.names:
            cables.send(name, numbered(20, first=20 * turn))
        time.sleep(0.15)


def test_a_hundred_that_are_busy_have_a_file_each(wire):
    """None is cut early to make room for another's: the pool has a segment for each, and one more."""
    cables = Cables(wire, 100)
    try:
        capture = Capture(wire, "-G", "1h", interface="all")
        send_in_turns(cables)
        archive = capture.end().whole()
    finally:
        cables.close()
    assert {tuple(numbers_of(archive, name)) for name in cables.names} == {tuple(range(100))}
    assert len(archive.files) == 100
    assert archive.manifest["memory"]["pool_bytes"] <= 16 << 20


def test_a_hundred_that_are_busy_do_not_wake_it_for_each(wire):
    """In a calm it wakes for all of them, every 25 ms."""
    cables = Cables(wire, 100)
    try:
        capture = Capture(wire, "-G", "1h", interface="all")
        before, until, sent = work(capture.pid)[1], time.monotonic() + 2, 0
        while time.monotonic() < until:
            for name in cables.names:
                cables.send(name, numbered(1, first=sent))
            sent += 1
            time.sleep(0.005)
        woken = work(capture.pid)[1] - before
        archive = capture.end().whole()
    finally:
        cables.close()
    assert {tuple(numbers_of(archive, name)) for name in cables.names} == {tuple(range(sent))}
    assert 10 < woken < 2 * 60, woken


def test_a_sudden_stream_of_large_frames_into_one_of_many(wire):
    """What is left in its ring when a segment is full does not wait until the others have rested."""
    cables = Cables(wire, 9)
    try:
        wire.ip(wire.a, "link", "set", "w0", "mtu", "65000")
        wire.ip(wire.b, "link", "set", "v0", "mtu", "65000")
        capture = Capture(wire, "-B", 20480, "-s", 61000, "-C", "64k", "-G", "1h", interface="all")
        for number in range(150):
            cables.send("v0", numbered(1, size=60000, first=number))
            time.sleep(0.004)
        archive = capture.end().whole()
    finally:
        cables.close()
    assert numbers_of(archive, "v0") == list(range(150)) and archive.accounts()["v0"]["dropped_by_kernel"] == 0


def test_a_packet_that_is_larger_than_the_segments_of_so_many(wire):
    """A few segments grow for it, within the pool, whatever the clock says."""
    cables = Cables(wire, 100)
    try:
        for name in cables.names[:6]:
            wire.ip(wire.a, "link", "set", name.replace("v", "w"), "mtu", "65000")
            wire.ip(wire.b, "link", "set", name, "mtu", "65000")
        capture = Capture(wire, "--memory", "4M", "-G", "1h", interface="all")
        for turn in range(10):
            for place, name in enumerate(cables.names):
                cables.send(name, numbered(1, size=60000 if place < 6 else 60, first=turn))
        archive = capture.end().whole()
    finally:
        cables.close()
    assert {tuple(numbers_of(archive, name)) for name in cables.names} == {tuple(range(10))}
    memory = archive.manifest["memory"]
    assert memory["segment_bytes"] < 60000 and memory["pool_bytes"] <= 4 << 20


def test_a_hundred_and_a_pool_of_few_segments(wire):
    """More interfaces than segments: those that are open make room, and nothing waits for ever."""
    cables = Cables(wire, 100)
    try:
        capture = Capture(wire, "--memory", "2M", "-C", "256k", "-s", "200", "-G", "1h", interface="all")
        send_in_turns(cables)
        archive = capture.end().whole()
    finally:
        cables.close()
    assert {tuple(numbers_of(archive, name)) for name in cables.names} == {tuple(range(100))}
    assert archive.manifest["memory"]["segment_bytes"] == 256 << 10
    assert len(archive.files) > 8


def test_a_ceiling_that_so_many_exceed(wire):
    cables = Cables(wire, 40)
    try:
        result = run("-i", "all", namespace=wire.b, env={**os.environ, "TARCAP_MAX_MEMORY": "64M"})
    finally:
        cables.close()
    assert result.status == 2
    assert result.said("41 interfaces", "TARCAP_MAX_MEMORY", "64M", "-i any")


def test_a_reader_that_takes_too_little(wire, cables):
    """Each interface counts what it lost itself, and the sum is nothing but that."""
    capture = Capture(wire, "-B", 12288, "--memory", "4M", "-G", "1h", interface="all", read=False)
    for _ in range(60):
        for place, name in enumerate(cables.names[:3]):
            cables.send(name, numbered(100 * (place + 1), size=1500))
    time.sleep(0.5)
    capture.collect()
    time.sleep(0.5)
    archive = capture.end().whole()
    for place, name in enumerate(cables.names[:3]):
        account = archive.accounts()[name]
        assert account["received_by_filter"] == 6000 * (place + 1)
        assert account["written"] + account["dropped_by_kernel"] == 6000 * (place + 1)
    losses = {name: account["dropped_by_kernel"] for name, account in archive.accounts().items()}
    assert losses["v2"] > 0 and losses["v3"] == 0
    assert 0 < archive.accounts()["v2"]["dropped_by_kernel_while_reader_slow"] <= losses["v2"]
    assert any(line == f"{losses['v2']} of these on v2" for line in capture.err)


def test_a_stop_with_a_slow_reader_counts_for_each(wire, cables):
    capture = Capture(wire, "--memory", "8M", "-C", "512k", "-G", "1h", interface="all", read=False)
    for name in cables.names[:2]:
        cables.send(name, numbered(2500, size=1500))
    time.sleep(0.3)
    capture.kill()
    time.sleep(3.3) # what has not begun to leave by now is dropped
    read_paced(capture, 50_000_000)
    result = capture.wait()
    archive = result.archive().check()
    dropped = sum(account["dropped_at_stop"] for account in archive.accounts().values())
    assert result.status == 3 and dropped > 0
    assert dropped + len(archive.records) == 5000


# --- the device of all ------------------------------------------------------------------------------------------

def sll2(record):
    protocol, _, ifindex, _, kind, _ = struct.unpack("!HHIHBB", record.data[:12])
    return protocol, ifindex, kind


def test_any(wire, cables):
    wire.ip(wire.b, "link", "set", "lo", "up")
    capture = Capture(wire, "-G", "60s", interface="any")  # one file, however long the others take
    cables.send("v0", numbered(3))
    late = Cables(wire, 1, first=9)
    late.send("v9", numbered(4))
    loopback_datagrams(wire, 5)
    archive = capture.end().whole()
    late.close()
    [file] = archive.files
    assert file.linktype == SLL2 and archive.account["name"] == "any" and archive.account["link_type"] == "LINUX_SLL2"

    def index(name):
        return int(in_namespace(wire.b, lambda: socket.if_nametoindex(name)))
    counts = {}
    for record in archive.records:
        protocol, ifindex, _ = sll2(record)
        if protocol == 0x88b5 or ifindex == 1:
            counts[ifindex] = counts.get(ifindex, 0) + 1
    assert counts == {index("v0"): 3, index("v9"): 4, index("lo"): 5}
    assert any("listening on any, link-type LINUX_SLL2" in line for line in capture.err)


@pytest.mark.parametrize("direction, kinds", [("in", {0, 1, 2, 3}), ("out", {4})])
def test_any_in_one_direction(wire, cables, direction, kinds):
    capture = Capture(wire, "-Q", direction, interface="any")
    cables.send("v0", numbered(3))
    with raw_socket(wire.b, "v1") as one:
        for data in numbered(4):
            one.send(data)
    archive = capture.end().whole()
    assert len(archive.records) == (3 if direction == "in" else 4)
    assert {sll2(record)[2] for record in archive.records} <= kinds


def test_any_with_a_filter_and_headers(wire):
    wire.addresses()
    capture = Capture(wire, "--headers", "udp port 4242", interface="any")

    def send():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.sendto(b"secret" * 50, ("10.9.0.2", 4242))
            one.sendto(b"secret" * 50, ("10.9.0.2", 4243))
    in_namespace(wire.a, send)
    [record] = capture.end().whole().records
    assert (record.caplen, record.length) == (20 + 20 + 8, 20 + 20 + 8 + 300)


# --- around it --------------------------------------------------------------------------------------------------

def test_check_shows_them_all(wire, cables):
    result = run("check", "-i", "all", namespace=wire.b)
    text = result.out.decode()
    assert result.status == 0 and "a capture would work" in text
    for name in cables.names:
        assert re.search(rf"capture\s+{name}, link-type EN10MB", text), text


def test_an_archive_that_is_cut_still_has_whole_members(wire, cables):
    capture = Capture(wire, "-G", "200ms", interface="all")
    for _ in range(5):
        for name in cables.names:
            cables.send(name, numbered(10))
        time.sleep(0.25)
    out = capture.end().whole().data
    members, _ = tar_members(out[:len(out) // 2])
    assert members and len(packets_in(out[:len(out) // 2])) > 0
