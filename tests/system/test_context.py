"""The context: the network namespace at start and end, beside the packets, against what ip(8) and /proc say of it."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archive import Archive, pcap_file, tar_members
from capture import Capture, run
from process import OWN, TARCAP, sh, wait_until
from wire import Wire, frame, in_namespace, number_of, numbered

JSON = ("interfaces.json", "routes.json", "neighbours.json", "sockets.json")
SOCKETS = ("proc-net-tcp", "proc-net-tcp6", "proc-net-udp", "proc-net-udp6")
COUNTERS = ("proc-net-snmp", "proc-net-snmp6", "proc-net-netstat", "proc-net-sockstat", "proc-net-sockstat6")
ALL = {*JSON, *SOCKETS, *COUNTERS, "counters.json", "resolv.conf", "hosts"}
LIMIT = 65536


@pytest.fixture
def home():
    """A wire with both families, addresses on it, routes and a neighbour."""
    wire = Wire(ipv6=True)
    wire.addresses()
    wire.ip(wire.b, "address", "add", "fd00:9::2/64", "dev", "tc0", "nodad")
    wire.ip(wire.b, "address", "add", "10.77.0.1", "peer", "10.77.0.2/32", "dev", "tc0")
    wire.ip(wire.b, "route", "add", "default", "via", "10.9.0.1", "metric", "77")
    wire.ip(wire.b, "route", "add", "10.50.0.0/16", "nexthop", "via", "10.9.0.1", "dev", "tc0", "weight", "3",
            "nexthop", "via", "10.9.0.7", "dev", "tc0")
    wire.ip(wire.b, "route", "add", "blackhole", "10.51.0.0/16", "proto", "static")
    wire.ip(wire.b, "route", "add", "10.52.0.0/16", "dev", "tc0", "src", "10.9.0.2", "table", "100")
    wire.ip(wire.b, "-6", "route", "add", "fd00:99::/32", "via", "fd00:9::1", "dev", "tc0")
    wire.ip(wire.b, "neigh", "replace", "fd00:9::1", "lladdr", "02:00:00:00:00:01", "router", "dev", "tc0")
    yield wire
    wire.close()


class Context:
    """What an archive has of it: {name: text} of a moment, and each JSON member's list."""

    def __init__(self, archive, moment):
        front = f"/context/{moment}/"
        self.texts = {name.partition(front)[2]: text for name, text in archive.members if front in name}

    def text(self, name):
        return self.texts[name].decode()

    def json(self, name):
        return json.loads(self.texts[name])

    def list(self, name):
        return self.json(name)[name.partition(".")[0]]

    def interface(self, name):
        [found] = [entry for entry in self.list("interfaces.json") if entry["ifname"] == name]
        return found


def both(archive):
    return Context(archive, "start"), Context(archive, "end")


def ip_json(wire, *arguments):
    return json.loads(wire.ip(wire.b, "-json", *arguments).stdout)


def proc(wire, name):
    return wire.within(wire.b, "cat", f"/proc/net/{name}").stdout


def capture(wire, *arguments, count=3, **more):
    capturing = Capture(wire, *arguments, **more)
    wire.send(numbered(count))
    return capturing.end().whole()


def picked(entries, keys):
    return sorted(({key: entry[key] for key in keys if key in entry} for entry in entries), key=json.dumps)


class KernelLog:
    """What the kernel logs from now on."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def lines_with(self, text):
        """Since the last time."""
        found = []
        while True:
            try:
                line = os.read(self.fd, 8192).decode("utf-8", "replace")
                found += [line] if text in line else []
            except BlockingIOError:
                return found
            except BrokenPipeError:  # some were overwritten meanwhile
                continue

    def close(self):
        os.close(self.fd)


def too_long_a_request(name):
    """For neighbours, with a header that is not theirs, by a process of this name."""
    script = """import pathlib, socket, struct, sys
pathlib.Path("/proc/self/comm").write_text(sys.argv[1])
netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
netlink.send(struct.pack("=IHHII16x", 32, 30, 0x301, 0, 0))"""
    sh(sys.executable, "-c", script, name)


# --- what it says -----------------------------------------------------------------------------------------------

def test_nothing_is_left_in_the_kernels_log(home, tmp_path):
    """It has a line for each request that is longer than the kernel wants, with the name of the process."""
    name = f"tc-{OWN}"  # of which the kernel keeps 15 bytes
    binary = tmp_path / name
    shutil.copy(TARCAP, binary)
    log = KernelLog()
    # So that it is seen that it would be seen: the kernel logs ten of these in 5 s.
    wait_until(lambda: too_long_a_request(name) or log.lines_with(name), 20, "the kernel's line")
    capture(home, binary=binary)
    capture(home, "-i", "all", binary=binary)
    for words in (["check"], ["-D"]):
        home.within(home.b, binary, *words)
    assert log.lines_with(name) == []
    log.close()


def test_members(home):
    archive = capture(home)
    names = [name.partition("/")[2] for name in archive.names]
    start = [name for name in names if name.startswith("context/start/")]
    end = [name for name in names if name.startswith("context/end/")]
    files = [file.name.partition("/")[2] for file in archive.files]
    assert names == ["capture.json", *start, *files, *end, "manifest.json"] and files
    assert {name.rpartition("/")[2] for name in start} == {name.rpartition("/")[2] for name in end} == ALL
    assert archive.capture["context"] is True and archive.capture["memory"]["context_bytes"] == 1 << 20
    listed = {entry["name"]: entry for entry in archive.manifest["context"]}
    assert list(listed) == start + end
    times = [listed[name]["time"] for name in start + end]
    assert times == sorted(times)
    assert archive.manifest["started"] < times[0] < archive.manifest["files"][0]["first"]
    assert archive.manifest["files"][-1]["last"] < listed[end[0]]["time"] < archive.manifest["ended"]


def test_interfaces(home):
    start, end = both(capture(home, count=50))
    theirs = {entry["ifname"]: entry for entry in ip_json(home, "-statistics", "-details", "address")}
    assert {entry["ifname"] for entry in end.list("interfaces.json")} == set(theirs)
    for name, their in theirs.items():
        ours = end.interface(name)
        keys = ("ifindex", "flags", "mtu", "qdisc", "operstate", "txqlen", "link_type", "address", "link_index")
        assert {key: ours.get(key) for key in keys} == {key: their.get(key) for key in keys}
        assert ours.get("kind") == their.get("linkinfo", {}).get("info_kind")
        keys = ("family", "local", "address", "prefixlen", "scope")
        assert picked(ours["addr_info"], keys) == picked(their["addr_info"], keys)
        for way in "rx", "tx":
            assert ours["stats64"][way] == {key: their["stats64"][way][key] for key in ours["stats64"][way]}
    grown = end.interface("tc0")["stats64"]["rx"]["packets"] - start.interface("tc0")["stats64"]["rx"]["packets"]
    assert grown >= 50
    assert end.json("interfaces.json")["cut"] is False and end.json("interfaces.json")["changed"] is False


def test_routes(home):
    start, _ = both(capture(home))
    theirs = [dict(entry, table={"main": 254}.get(entry.get("table", "main")) or int(entry["table"]), family=family)
              for family, flag in (("inet", "-4"), ("inet6", "-6"))
              for entry in ip_json(home, flag, "-details", "route", "show", "table", "all")
              if entry.get("table") != "local"]
    ours = start.list("routes.json")
    keys = ("family", "type", "dst", "gateway", "dev", "table", "protocol", "prefsrc", "metric", "flags")
    assert picked(ours, keys) == picked(theirs, keys) and len(ours) >= 9
    [multipath] = [entry for entry in ours if "nexthops" in entry]
    [their] = [entry for entry in theirs if "nexthops" in entry]
    keys = ("gateway", "dev", "weight", "flags")
    assert picked(multipath["nexthops"], keys) == picked(their["nexthops"], keys)
    assert [hop["weight"] for hop in multipath["nexthops"]] == [3, 1]
    [default] = [entry for entry in ours if entry["dst"] == "default" and entry["family"] == "inet"]
    assert (default["gateway"], default["metric"], default["scope"]) == ("10.9.0.1", 77, "global")


def test_neighbours(home):
    start, _ = both(capture(home))
    keys = ("dst", "dev", "lladdr", "state")
    ours = start.list("neighbours.json")
    assert picked(ours, keys) == picked(ip_json(home, "neigh"), keys)
    [router] = [entry for entry in ours if entry["dst"] == "fd00:9::1"]
    assert router["router"] is True and router["family"] == "inet6" and router["state"] == ["PERMANENT"]


def rows(text):
    """Of /proc/net/tcp: {(local, remote): (state, sent, received)}."""
    found = {}
    for line in text.splitlines()[1:]:
        fields = line.split()
        sent, received = fields[4].split(":")
        found[fields[1], fields[2]] = (fields[3], int(sent, 16), int(received, 16))
    return found


def hexadecimal(address):
    host, port = address[:2]
    return f"{socket.inet_aton(host)[::-1].hex().upper()}:{port:04X}"


class Sockets:
    """A listening socket in the wire's namespace, and connections on which bytes wait to be read."""

    def __init__(self, wire):
        self.wire, self.open = wire, []
        self.listening = in_namespace(wire.b, lambda: socket.create_server(("127.0.0.1", 0)))
        self.datagrams = in_namespace(wire.b, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.datagrams.bind(("127.0.0.1", 0))

    def connect(self, waiting):
        client = in_namespace(self.wire.b, lambda: socket.create_connection(self.listening.getsockname()))
        server, _ = self.listening.accept()
        client.send(bytes(waiting))
        self.open += [client, server]
        return hexadecimal(server.getsockname()), hexadecimal(client.getsockname())

    def close(self):
        for each in [self.listening, self.datagrams, *self.open]:
            each.close()


def test_sockets(home):
    sockets = Sockets(home)
    connected = sockets.connect(1234)
    start, _ = both(capture(home))
    listening = hexadecimal(sockets.listening.getsockname())
    tcp = rows(start.text("proc-net-tcp"))
    assert tcp[listening, "00000000:0000"] == ("0A", 0, 0)
    assert tcp[connected] == ("01", 0, 1234)
    assert hexadecimal(sockets.datagrams.getsockname()) in start.text("proc-net-udp")
    shown = home.within(home.b, "ss", "-Htn", "state", "established").stdout.split()
    assert "1234" in shown # ss says the same of the queue
    sockets.close()


class EveryState:
    """Sockets of TCP in ten states, of both families and in between, of several users, with each kind of timer."""

    def __init__(self, wire):
        self.wire, self.open = wire, []
        for end in wire.a, wire.b:
            in_namespace(end, lambda: Path("/proc/sys/net/ipv4/tcp_syn_linear_timeouts").write_text("0"))
        wire.ip(wire.a, "link", "set", "tc1", "address", "02:00:00:00:00:09")  # so that nothing of b's arrives there
        wire.ip(wire.a, "neigh", "replace", "10.9.0.2", "lladdr", "02:00:00:00:00:02", "dev", "tc1")  # forgotten with it
        four = self.listens("0.0.0.0", socket.AF_INET)
        both_families = self.listens("::", socket.AF_INET6, dualstack_ipv6=True)
        os.fchown(four.fileno(), 65532, -1)
        self.begins(wire.b, "10.9.0.1", 80)  # SYN-SENT
        self.begins(wire.a, "10.9.0.2", four.getsockname()[1])  # SYN-RECV
        for host, server in ("127.0.0.1", four), ("127.0.0.1", both_families), ("::1", both_families):
            client, _ = self.connected(host, server)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            client, accepted = self.connected(host, server)
            client.setblocking(False)
            client.send(bytes(8 << 20))  # more than there is room for: its window is closed
            client, accepted = self.connected(host, server)
            client.send(bytes(1234))
            accepted.close()  # with bytes that nobody has read: a reset
            client, accepted = self.connected(host, server)
            client.shutdown(socket.SHUT_WR)  # FIN-WAIT-2 and CLOSE-WAIT
            client, accepted = self.connected(host, server)
            client.close()
            accepted.close()  # TIME-WAIT

    def listens(self, host, family, **more):
        server = in_namespace(self.wire.b, lambda: socket.create_server((host, 0), family=family, **more))
        self.open.append(server)
        return server

    def begins(self, namespace, host, port):
        self.open.append(in_namespace(namespace, socket.socket))
        self.open[-1].setblocking(False)
        self.open[-1].connect_ex((host, port))

    def connected(self, host, server):
        client = in_namespace(self.wire.b, lambda: socket.create_connection((host, server.getsockname()[1])))
        accepted, _ = server.accept()
        self.open += [client, accepted]
        return client, accepted

    def close(self):
        for each in self.open:
            each.close()


def columns(text):
    """Of /proc/net/tcp: those that proc(5) explains, but for the rows' numbers and how much of a time is left. Of SYN-RECV not
    whose it will be, and not how often it was sent again, which the file tells otherwise."""
    lines = [line.split() for line in text.splitlines()]
    for row in lines[1:]:
        row[6:8] = ["-", "-"] if row[3] == "03" else row[6:8]
    return [lines[0], *sorted((*row[1:5], row[5][:2], *row[6:10]) for row in lines[1:])]


def test_tcps_sockets_are_in_the_kernels_columns(home):
    """Though the kernel was not asked for its file."""
    sockets = EveryState(home)

    def both_files():
        return [columns(proc(home, name)) for name in ("tcp", "tcp6")]

    def same():  # while none of them changes its state, and the SYN is not sent again; it has been by then
        before, (start, _) = both_files(), both(capture(home))
        after = both_files()
        ours = [columns(start.text(f"proc-net-{name}")) for name in ("tcp", "tcp6")]
        found.append((before, ours, after))
        again = [row for row in before[0][1:] if row[2] == "02" and int(row[5], 16)]
        return again and before == after
    found = []
    wait_until(same, 20, "the kernel saying the same twice")
    sockets.close()
    before, ours, _ = found[-1]
    assert ours == before
    rows_of_all = [row for rows in ours for row in rows[1:]]
    assert {row[2] for row in rows_of_all} >= {"01", "02", "03", "05", "06", "08", "0A"}
    assert {row[4] for row in rows_of_all} >= {"00", "01", "02", "03", "04"}
    assert {row[6] for row in rows_of_all} == {"0", "65532", "-"}


def test_the_kernels_tables_are_walked_once_at_each_moment(home, tmp_path):
    """Where two of its files would take eight times as long, and asking for each family by itself twice."""
    log = tmp_path / "calls"
    capturing = Capture(home, before=["strace", "-f", "-y", "-s", "200", "-o", str(log)])
    pid = int(Path(f"/proc/{capturing.pid}/task/{capturing.pid}/children").read_text())
    os.kill(pid, signal.SIGINT)
    capturing.wait().whole()
    calls = log.read_text().splitlines()
    [ready] = [at for at, line in enumerate(calls) if re.search(r" write\(2.*listening on", line)]
    asks = re.findall(r"NETLINK_SOCK_DIAG\) = (\d+<socket:\[\d+\]>)", "\n".join(calls))[-1]
    for moment in calls[:ready], calls[ready:]:
        assert len([line for line in moment if f" write({asks}" in line]) == 1
        assert len([line for line in moment if re.search(r" read\(\d+</proc/\d+/net/udp>", line)]) == 1
        assert not [line for line in moment if re.search(r" read\(\d+</proc/\d+/net/tcp6?>", line)]


def ss(wire, *arguments):
    return [line.split() for line in wire.within(wire.b, "ss", "-Htn", *arguments).stdout.splitlines()]


def test_sockets_by_name_for_anybody(home):
    """As ss says, to an ordinary user; those with trouble first."""
    sockets = Sockets(home)
    for waiting in (0, 10, 1234):
        sockets.connect(waiting)
    full = in_namespace(home.b, lambda: socket.create_server(("::1", 0), family=socket.AF_INET6, backlog=0))
    waits = in_namespace(home.b, lambda: socket.create_connection(full.getsockname()[:2]))
    home.ip(home.a, "link", "set", "tc1", "address", "02:00:00:00:00:09")
    lost = in_namespace(home.b, lambda: socket.socket())
    lost.setblocking(False)
    lost.connect_ex(("10.9.0.1", 80))
    wait_until(lambda: any("10.9.0.1:80" in " ".join(row) for row in ss(home, "state", "syn-sent")), what="the SYN")
    time.sleep(1.3)  # until it has been sent again
    archive = capture(home, before=["setpriv", "--reuid", "65532", "--clear-groups", "--inh-caps=+net_raw", "--ambient-caps=+net_raw"])
    theirs = ss(home, "-a")
    for context in both(archive):
        told = context.json("sockets.json")
        assert told["count"] == len(theirs) == len(told["sockets"]) and told["cut"] is False
        assert sum(told["states"].values()) == told["count"] and told["states"]["LISTEN"] == 2
        rows = {(f"{one['local']}:{one['local_port']}", f"{one['remote']}:{one['remote_port']}"): one for one in told["sockets"]}
        for state, received, sent, local, remote in theirs:
            one = rows[local.replace("[", "").replace("]", ""), remote.replace("[", "").replace("]", "").replace("*", "0")]
            assert (one["state"], one["recv_q"], one["send_q"]) == (state, int(received), int(sent))
        first, second = told["sockets"][:2]
        assert first["state"] == "LISTEN" and (first["recv_q"], first["send_q"]) == (1, 0)
        assert second["state"] == "SYN-SENT" and second["retransmitted"] == second["retransmits"] >= 1
        connected = [one for one in told["sockets"] if one["state"] == "ESTAB"]
        assert all(0 < one["minrtt_us"] <= one["rtt_us"] and one["mss"] > 500 and one["unacked"] == 0 for one in connected)
    for each in full, waits, lost:
        each.close()
    sockets.close()


def test_many_sockets_are_counted_and_the_worst_are_there(home):
    def listen():
        return [socket.create_server(("127.0.0.1", port), backlog=0) for port in range(20000, 20700)]
    servers = in_namespace(home.b, listen)
    client = in_namespace(home.b, lambda: socket.create_connection(("127.0.0.1", 20650)))
    start, end = both(capture(home))
    for context in start, end:
        told = context.json("sockets.json")
        assert told["count"] == 702 and told["states"] == {"ESTAB": 2, "LISTEN": 700} and told["cut"] is True
        assert len(context.texts["sockets.json"]) <= LIMIT and len(told["sockets"]) > 100
        assert told["sockets"][0]["local_port"] == 20650
    for each in [client, *servers]:
        each.close()


def counter(text, protocol, name):
    """From a text like that of /proc/net/snmp."""
    names, numbers = re.findall(rf"^{protocol}: (.*)$", text, re.M)
    return int(dict(zip(names.split(), numbers.split()))[name])


def test_counters_are_the_namespaces_own(home):
    capturing = Capture(home)
    with in_namespace(home.b, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
        for _ in range(7):
            sender.sendto(b"x", ("127.0.0.1", 9))
    start, end = both(capturing.end().whole())
    for name in COUNTERS:
        now = proc(home, name.rpartition("-")[2])
        assert re.sub(r"\d+", "N", now) == re.sub(r"\d+", "N", end.text(name)), name
    for protocol, name in ("Udp", "OutDatagrams"), ("Udp", "NoPorts"), ("Icmp", "OutDestUnreachs"):
        assert counter(end.text("proc-net-snmp"), protocol, name) == counter(proc(home, "snmp"), protocol, name) == 7
        assert counter(start.text("proc-net-snmp"), protocol, name) == 0


def test_counters_by_name(home):
    """Each number of the three files, and no other."""
    for context in both(capture(home)):
        counters, expected = context.json("counters.json"), {}
        for name in "snmp", "netstat":
            lines = [line.split() for line in context.text(f"proc-net-{name}").splitlines()]
            for names, numbers in zip(lines[::2], lines[1::2]):
                expected[names[0][:-1]] = dict(zip(names[1:], map(int, numbers[1:])))
        for name, number in map(str.split, context.text("proc-net-snmp6").splitlines()):
            group, _, name = name.partition("6")
            expected.setdefault(group + "6", {})[name] = int(number)
        assert counters == {group: names for group, names in expected.items() if names}
        assert counters["Tcp"]["RetransSegs"] == 0 and "InNoRoutes" in counters["Ip6"]


def test_resolver_and_hosts_are_as_they_are_here(home):
    start, end = both(capture(home))
    for context in start, end:
        assert context.text("resolv.conf") == open("/etc/resolv.conf", encoding="utf-8").read()
        assert context.text("hosts") == open("/etc/hosts", encoding="utf-8").read()


def test_start_and_end_are_two_moments(home):
    sockets = Sockets(home)
    before = sockets.connect(0)
    capturing = Capture(home)
    meanwhile = sockets.connect(77)
    home.ip(home.b, "address", "add", "10.66.0.1/24", "dev", "tc0")
    home.ip(home.b, "link", "set", "tc0", "mtu", "1400")
    home.ip(home.b, "route", "del", "blackhole", "10.51.0.0/16")
    home.ip(home.b, "neigh", "replace", "10.9.0.9", "lladdr", "02:00:00:00:00:0a", "dev", "tc0")
    now = ip_json(home, "neigh")
    start, end = both(capturing.end().whole())
    sockets.close()

    def addresses(context):
        return {entry["local"] for entry in context.interface("tc0")["addr_info"]}
    assert addresses(end) - addresses(start) == {"10.66.0.1"}
    assert (start.interface("tc0")["mtu"], end.interface("tc0")["mtu"]) == (1500, 1400)
    routes = [{entry["dst"] for entry in context.list("routes.json")} for context in (start, end)]
    assert routes[0] - routes[1] == {"10.51.0.0/16"} and routes[1] - routes[0] == {"10.66.0.0/24"}
    assert "10.9.0.9" not in start.text("neighbours.json")
    assert len(end.list("neighbours.json")) == len(now)
    assert before in rows(start.text("proc-net-tcp")) and meanwhile not in rows(start.text("proc-net-tcp"))
    assert rows(end.text("proc-net-tcp"))[meanwhile] == ("01", 0, 77)

    opened = [counter(context.text("proc-net-snmp"), "Tcp", "PassiveOpens") for context in (start, end)]
    assert opened == [1, 2]


def test_start_is_the_start_whenever_the_reader_comes(home):
    theirs, ours = os.pipe()
    capturing = Capture(home, "--wait-reader", stdin=theirs)
    os.close(theirs)
    home.ip(home.b, "address", "add", "10.66.0.1/24", "dev", "tc0")
    home.send(numbered(3))
    time.sleep(0.3)
    assert not capturing.out
    os.write(ours, b"\n")
    wait_until(lambda: capturing.out, what="the archive")
    archive = capturing.end().whole()
    os.close(ours)
    start, end = both(archive)
    assert "10.66.0.1" not in start.text("interfaces.json") and "10.66.0.1" in end.text("interfaces.json")
    assert archive.numbers() == [0, 1, 2]


# --- what it never says -----------------------------------------------------------------------------------------

def test_nothing_of_the_environment_or_of_files(home, tmp_path):
    marker, in_file = "m4rkeroftheenvironment", "m4rkerofafile"
    (tmp_path / "secret").write_text(in_file)
    with open(tmp_path / "secret", encoding="utf-8") as inherited:
        capturing = Capture(home, cwd=tmp_path, env={**os.environ, "MARKER": marker},
                            pass_fds=[inherited.fileno()])
        home.send(numbered(3))
        archive = capturing.end().whole()
    for name, text in archive.members:
        assert marker.encode() not in text and in_file.encode() not in text, name


def test_other_namespaces_stay_out_of_it(home):
    outside = socket.create_server(("127.0.0.1", 0))
    start, end = both(capture(home))
    port = f":{outside.getsockname()[1]:04X} 00000000:0000 0A"
    outside.close()
    assert port not in start.text("proc-net-tcp") + end.text("proc-net-tcp")


@pytest.mark.parametrize("arguments", [["--no-context"], ["--no-context", "--wait-reader"]])
def test_left_out_when_asked_to(wire, arguments):
    if "--wait-reader" in arguments:
        archive = Capture(wire, *arguments, "-c", 3, stdin=subprocess.DEVNULL)
        wire.send(numbered(3))
        archive = archive.wait().whole()
    else:
        archive = capture(wire, *arguments)
    assert not [name for name in archive.names if "context" in name]
    assert archive.manifest["context"] == [] and archive.capture["context"] is False
    assert archive.capture["memory"]["context_bytes"] == 0


def test_none_of_a_file_and_none_in_a_pcap(wire, tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(1, 0, frame(0))]))
    archive = run("-r", path).whole()
    assert len(archive.names) == 3 and archive.manifest["context"] == []
    raw = Capture(wire, "--raw", "-c", 1)
    wire.send(numbered(1))
    assert len(raw.wait().out) == 24 + 16 + len(frame(0))


def test_the_readiness_line_counts_its_memory(wire):
    capturing = Capture(wire)
    assert capturing.end().said("listening on tc0", "pool 16M, context 1M")
    capturing = Capture(wire, "--no-context")
    assert not capturing.end().said(", context")


# --- what cannot be had -----------------------------------------------------------------------------------------

def left_out(archive):
    return {entry["name"]: entry["left_out"] for entry in archive.manifest["context"] if "left_out" in entry}


def within_mounts(script):
    """In front of a command: a mount namespace of its own, changed by the script first."""
    return ["unshare", "--mount", "sh", "-ec", f'{script}\nexec "$@"', "sh"]


def test_an_unreadable_file_is_named(home):
    prepare = within_mounts("mount -t tmpfs none /etc; echo secret >/etc/hosts; chmod 0 /etc/hosts; echo a >/etc/resolv.conf")
    archive = capture(home, before=[*prepare, "setpriv", "--reuid", "65532", "--clear-groups", "--inh-caps=+net_raw",
                                    "--ambient-caps=+net_raw"])
    assert left_out(archive) == {f"context/{moment}/hosts": "Permission denied" for moment in ("start", "end")}
    assert Context(archive, "start").text("resolv.conf") == "a\n"
    assert Context(archive, "end").list("interfaces.json")


def test_absent_files_are_no_failure(home):
    archive = capture(home, before=within_mounts("mount -t tmpfs none /etc; mount -t tmpfs none /proc"))
    missing, told = left_out(archive), {*JSON, "proc-net-tcp", "proc-net-tcp6"}
    assert {name.rpartition("/")[2] for name in missing} == ALL - told and len(missing) == 2 * len(ALL - told)
    assert set(missing.values()) == {"No such file or directory"}
    assert set(Context(archive, "start").texts) == told


def test_a_long_table_is_cut_and_says_so(home):
    def listen():
        return [socket.create_server(("127.0.0.1", port)) for port in range(20000, 21000)]
    sockets = in_namespace(home.b, listen)
    archive = capture(home)
    for each in sockets:
        each.close()
    start, end = both(archive)
    listed = {entry["name"]: entry for entry in archive.manifest["context"]}
    for moment, context in ("start", start), ("end", end):
        text = context.text("proc-net-tcp")
        whole = text.splitlines()
        assert LIMIT - 300 < len(text) <= LIMIT
        assert whole[-1] == "# cut here: tarcap keeps 64 KiB of a file"
        assert {len(line) for line in whole[:-1]} == {len(whole[0])} # no torn line
        entry = listed[f"context/{moment}/proc-net-tcp"]
        assert entry["cut"] is True and entry["bytes"] == len(text)
        assert listed[f"context/{moment}/proc-net-udp"]["cut"] is False


def test_long_lists_are_cut_and_still_json(home):
    batch = "".join(f"address add 10.{a}.{b}.1/32 dev tc0\n" for a in (100, 101, 102) for b in range(200))
    batch += "".join(f"route add 10.{a}.{b}.0/24 dev tc0\n" for a in (110, 111, 112) for b in range(250))
    sh("ip", "-n", home.b, "-batch", "-", input=batch)
    start, _ = both(capture(home))
    for name in "interfaces.json", "routes.json":
        assert start.json(name)["cut"] is True and len(start.texts[name]) <= LIMIT, name
    assert len(start.interface("tc0")["addr_info"]) > 500
    assert len(start.texts["routes.json"]) > LIMIT - 1024
    assert start.json("neighbours.json")["cut"] is False # what is asked after that still has its answer


def test_a_reader_too_slow_at_the_end_gets_the_manifest_instead(wire):
    """After a signal: what has not begun to leave is given up after 3 s, and the archive is closed."""
    capturing = Capture(wire, "--memory", "2M", "-s", "1500", "-C", "500k", "-B", "2048", read=False)
    wire.send(numbered(4000, 1400))
    capturing.kill()
    time.sleep(3.3)
    capturing.collect()
    result = capturing.wait()
    assert result.status == 3
    archive = Archive(result.out).check()
    missing = left_out(archive)
    assert {name for name in missing if "/end/" in name} == {f"context/end/{name}" for name in ALL}
    assert set(missing.values()) == {"the reader did not take it in time"}
    assert not [name for name in archive.names if "/end/" in name]
    checked = run("join", "--check", stdin=result.out)
    assert checked.status == 0, checked.err


@pytest.mark.parametrize("size", [24, 40, 60, 80])
def test_a_full_disk(home, tmp_path, size):
    """Wherever in the archive there is no more room: it is closed, and whole as far as it says."""
    sh("mount", "-t", "tmpfs", "-o", f"size={size}k", "none", str(tmp_path))
    try:
        capturing = Capture(home, "-w", tmp_path / "x.tar", "-c", 20)
        home.send(numbered(20))
        result = capturing.wait()
        data = (tmp_path / "x.tar").read_bytes()
    finally:
        sh("umount", str(tmp_path))
    archive = Archive(data).check()
    checked = run("join", "--check", stdin=data)
    if size < 60:
        assert result.status == 1 and "the output failed" in left_out(archive).values()
    else:
        assert result.status == 0 or left_out(archive)
    assert checked.status == 0, checked.err


# --- who reads it -----------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    wire = Wire()
    data = Capture(wire, "-c", 5, "--name", "capture")
    wire.send(numbered(5))
    data = data.wait()
    wire.close()
    data.whole()
    path = tmp_path_factory.mktemp("stored") / "x.tar"
    path.write_bytes(data.out)
    return path


@pytest.mark.parametrize("reader", [["tar"], ["bsdtar"], ["busybox", "tar"]], ids=lambda words: words[0])
def test_every_tar_makes_the_directories(stored, tmp_path, reader):
    sh(*reader, "-xf", str(stored), "-C", str(tmp_path))
    found = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == dict(Archive(stored.read_bytes()).members)
    together = sh("sh", "-c", f"cd {tmp_path}/capture && tar c * | {TARCAP} join --check")
    assert "whole: 1 file, 5 packets" in together.stderr


def test_join_wherever_it_is_cut(stored):
    data = stored.read_bytes()
    members, end = tar_members(data)
    at, ends = 0, []
    for name, text, _ in members:
        ends.append((at, name.partition("/")[2]))
        at += 512 + (len(text) + 511) // 512 * 512
    for begin, name in ends[1:]:
        inside = run("join", "--check", stdin=data[:begin + 512])
        size = len(dict(Archive(data).members)[f"capture/{name}"])
        assert inside.status == 1 and inside.said(f"it is cut {'inside' if size else 'after'} {name}"), (name, inside.err)
    assert run("join", "--check", stdin=data).status == 0


def test_join_compares(stored, tmp_path):
    sh("tar", "-xf", str(stored), "-C", str(tmp_path))

    def check(begin=0):
        return run("join", "--check", stdin=subprocess.run(
            ["tar", "--format=ustar", "-c", *sh("tar", "-tf", str(stored)).stdout.split()[begin:]], cwd=tmp_path,
            capture_output=True, check=False).stdout)
    assert check().status == 0
    # Without capture.json it is the context that tells which directory is ours.
    assert ": not whole: capture.json is missing; " in check(1).err[-1]
    hosts = tmp_path / "capture/context/start/hosts"
    text = hosts.read_bytes()
    hosts.write_bytes(text + b"x")
    assert check().said(f"context/start/hosts has {len(text) + 1} bytes where {len(text)} are listed")
    hosts.unlink()
    assert check().said("context/start/hosts is missing")
    hosts.write_bytes(text)
    manifest = tmp_path / "capture/manifest.json"
    told = json.loads(manifest.read_text())
    told["context"] = [entry for entry in told["context"] if not entry["name"].endswith("end/routes.json")]
    manifest.write_text(json.dumps(told))
    assert check().said("context/end/routes.json is not in the manifest")


def test_damage_within_it_costs_no_packet(stored):
    data = bytearray(stored.read_bytes())
    at = data.index(b"capture/context/start/proc-net-tcp\0")
    data[at:at + 512] = bytes(random_byte ^ 0x5a for random_byte in data[at:at + 512])
    result = run("join", stdin=bytes(data))
    assert result.status == 1 and result.said("context/start/proc-net-tcp is missing")
    assert [number_of(result.out[at + 16:at + 16 + len(frame(0))])
            for at in range(24, len(result.out), 16 + len(frame(0)))] == list(range(5))


def test_all_of_it_whatever_ends_the_capture(wire):
    capturing = Capture(wire, "--duration", "300ms", "--name", "pod")
    archive = capturing.wait().whole()
    assert archive.cause == "duration" and not left_out(archive)
    capturing = Capture(wire)
    archive = capturing.end(signal.SIGTERM).whole()
    assert archive.cause == "signal" and not left_out(archive)
