"""tarcap summary: each number of it against tshark's and capinfos' on the same files."""

import collections
import json
import odd
import os
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import threading

import pytest

from altered import archive_of, compressed, member, taken_apart, with_manifest, with_zstd
from archive import Archive, pcap_file
from capture import Capture, run
from join import SANITIZED
from process import TARCAP, TOP, lines, sh, start_process, wait_until
from summary import fact, page, summary
from wire import MAC_A, MAC_B, Flood, Wire, frame, in_namespace

START = 1_800_000_000
PROTOCOLS = {1: "ICMP", 4: "IPv4 in IP", 6: "TCP", 17: "UDP", 41: "IPv6 in IP", 47: "GRE", 50: "ESP", 58: "ICMPv6",
             59: "IPv6 no next", 89: "OSPF", 132: "SCTP", 136: "UDP-Lite"}
# Reassembly would give a fragment's ports to its last piece.
PLAIN = ("-n", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE")
FLAGS = {"syn": 0x02, "syn_ack": 0x12, "fin": 0x01, "rst": 0x04}


@pytest.fixture(scope="module", autouse=True)
def tools():
    sh(TOP / "image/need", "zstd", "tshark", timeout=300)


# --- the referee ------------------------------------------------------------------------------------------------

EXTENSIONS = {"ipv6.hopopts": "ipv6.hopopts.nxt", "ipv6.dstopts": "ipv6.dstopts.nxt", "ipv6.routing": "ipv6.routing.nxt",
              "ipv6.fraghdr": "ipv6.fraghdr.nxt", "ah": "ah.next_header"}
FIELDS = ("frame.time_epoch", "frame.len", "frame.cap_len", "frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst",
          "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "sctp.srcport", "sctp.dstport", "tcp.flags", "ip.proto",
          "ip.version", "ipv6.version", "ipv6.nxt", "ip.frag_offset", "ip.flags.mf", "ipv6.fraghdr.offset", "ipv6.fraghdr.more", "vlan.id", "ieee8021ad.id",
          *EXTENSIONS.values())


def referee(path):
    """Each packet as tshark dissects it. A quoted or tunneled header's fields come after the packet's own."""
    out = sh("tshark", *PLAIN, "-r", path, "-T", "fields", "-E", "separator=|",
             *[word for field in FIELDS for word in ("-e", field)], timeout=120).stdout
    for line in out.splitlines():
        yield judge({field: value.split(",") for field, value in zip(FIELDS, line.split("|"))})


def upper(packet, layers, kind):
    """The number of the protocol behind the extension headers, and its layer's name."""
    at, number, seen = 0, packet["ip.proto" if kind == "ip" else "ipv6.nxt"][0], collections.Counter()
    while at < len(layers) and layers[at] in EXTENSIONS:
        values = packet[EXTENSIONS[layers[at]]]
        number = values[seen[layers[at]]] if seen[layers[at]] < len(values) else ""  # cut
        seen[layers[at]] += 1
        at += 1
    return int(number or -1), layers[at] if at < len(layers) else ""


def judge(packet):
    layers = packet["frame.protocols"][0].split(":")
    at = next((i for i, name in enumerate(layers) if name in ("ip", "ipv6")), None) if "mpls" not in layers else None
    kind = layers[at] if at is not None and packet[f"{layers[at]}.dst"][0] else None
    # What says to be of no version that there is has no addresses for us; tshark goes on as if it were.
    kind = kind if kind and packet[f"{kind}.version"][0] == ("4" if kind == "ip" else "6") else None
    name, layer, fragment, ends = "", "", False, (("", ""), ("", ""))
    if kind:
        number, layer = upper(packet, layers[at + 1:], kind)
        name = PROTOCOLS.get(number, f"IP protocol {number}")
        ports = layer if layer in ("tcp", "udp", "sctp") else None
        if layer == "udplite":
            ports = "udp"
        ends = tuple((packet[f"{kind}.{end}"][0], packet[f"{ports}.{end}port"][0] if ports else "") for end in ("src", "dst"))
        of = ("ip.frag_offset", "ip.flags.mf") if kind == "ip" else ("ipv6.fraghdr.offset", "ipv6.fraghdr.more")
        fragment = packet[of[0]][0] not in ("", "0") or packet[of[1]][0] == "1"
    seconds, _, fraction = packet["frame.time_epoch"][0].partition(".")
    return dict(time=int(seconds) * 10**9 + int(fraction), length=int(packet["frame.len"][0]),
                kept=int(packet["frame.cap_len"][0]), version={"ip": 4, "ipv6": 6}.get(kind, 0), name=name, ends=ends,
                fragment=fragment, flags=int(packet["tcp.flags"][0] or "0", 16) if layer == "tcp" else 0,
                vlan=bool(packet["vlan.id"][0] or packet["ieee8021ad.id"][0]))


def amount(packets):
    packets = list(packets)
    return {"packets": len(packets), "bytes": sum(packet["length"] for packet in packets)}


def conversations(packets):
    """{(protocol, a, b): [packets]}, a by the first SYN, who gets the first SYN+ACK, or the first packet."""
    groups = collections.defaultdict(list)
    for packet in packets:
        if packet["version"]:
            groups[packet["version"], packet["name"], frozenset(packet["ends"])].append(packet)
    found = {}
    for (_, name, _), group in groups.items():
        opening = next((p for p in group if p["flags"] & 0x02), group[0])
        a, b = opening["ends"]
        if opening["flags"] & 0x12 == 0x12:
            a, b = b, a
        found[name, a, b] = group
    return found


def rfc3339(text):
    seconds, fraction = re.fullmatch(r"(.*)\.(\d{9})Z", text).groups()
    from datetime import datetime, timezone
    return int(datetime.fromisoformat(seconds).replace(tzinfo=timezone.utc).timestamp()) * 10**9 + int(fraction)


def side_of(group, end, other):
    """What an end has sent; to itself it all is A's."""
    sent = [packet for packet in group if packet["ends"][0] == end]
    flags = {name: sum((packet["flags"] & (0x12 if "syn" in name else bits)) == bits for packet in sent)
             for name, bits in FLAGS.items()}
    return {"address": end[0], "port": int(end[1]) if end[1] else None, **amount(sent), **flags}


def expected_conversations(packets):
    """As the JSON has them, those with most bytes first."""
    result = []
    for (name, a, b), group in conversations(packets).items():
        times = [packet["time"] for packet in group]
        result.append({"protocol": name, "a": side_of(group, a, b), "b": side_of(group, b, a),
                       "first": min(times), "last": max(times)})
    return sorted(result, key=lambda c: -c["a"]["bytes"] - c["b"]["bytes"])


def with_times(found):
    return [{**one, "first": rfc3339(one["first"]), "last": rfc3339(one["last"])} for one in found]


def canonical(list_):
    return sorted(json.dumps(one, sort_keys=True) for one in list_)


def check(found, path, packets=None):
    """Every number of a summary against tshark's of the same packets."""
    packets = packets or list(referee(path))
    times = [packet["time"] for packet in packets]
    assert (found["packets"], found["bytes"]) == tuple(amount(packets).values())
    assert found["kept_bytes"] == sum(packet["kept"] for packet in packets)
    assert (rfc3339(found["span"]["first"]), rfc3339(found["span"]["last"])) == (min(times), max(times))
    assert found["of_these"] == {"ipv4": amount(p for p in packets if p["version"] == 4),
                                 "ipv6": amount(p for p in packets if p["version"] == 6),
                                 "vlan": amount(p for p in packets if p["vlan"]),
                                 "fragments": amount(p for p in packets if p["fragment"])}
    assert found["packets_without_addresses"] == sum(not p["version"] for p in packets)
    width = found["histogram"]["width_seconds"]
    buckets = collections.defaultdict(list)
    for packet in packets:
        buckets[packet["time"] // 10**9 // width * width].append(packet)
    assert found["histogram"]["buckets"] == [{"seconds": at, **amount(buckets[at])} for at in sorted(buckets)]
    everyone = expected_conversations(packets)
    assert found["conversations"]["total"] == len(everyone)
    listed = with_times(found["conversations"]["list"])
    assert len(listed) == min(20, len(everyone))
    weights = [one["a"]["bytes"] + one["b"]["bytes"] for one in listed]
    assert weights == [one["a"]["bytes"] + one["b"]["bytes"] for one in everyone[:20]]
    assert set(canonical(listed)) <= set(canonical(everyone))
    unanswered = [one for one in everyone if one["a"]["syn"] and not one["b"]["syn_ack"] and not one["b"]["rst"]]
    assert found["syn_never_answered"]["total"] == len(unanswered)
    assert canonical(with_times(found["syn_never_answered"]["list"])) == canonical(unanswered)
    rows = {row["name"]: {"packets": row["packets"], "bytes": row["bytes"]} for row in found["protocols"]}
    for name in {packet["name"] for packet in packets if packet["version"]}:
        assert rows[name] == amount(packet for packet in packets if packet["name"] == name), name
    assert sum(row["packets"] for row in found["protocols"]) == len(packets)
    assert sum(row["bytes"] for row in found["protocols"]) == amount(packets)["bytes"]
    return packets


def check_page(text, found):
    """The page says what the JSON says."""
    def shown(value):
        if value < 100000:
            return str(value)
        unit = next(n for n in range(1, 7) if value < 1000 ** (n + 1))
        digits = str(value)[:3]
        whole = len(str(value)) - 3 * unit
        return (digits[:whole] + ("." + digits[whole:] if whole < 3 else "")) + " kMGTPE"[unit]

    def end(side):
        if side["port"] is None:
            return side["address"]
        return f"[{side['address']}]:{side['port']}" if ":" in side["address"] else f"{side['address']}:{side['port']}"

    for row in found["protocols"][:6]:
        assert re.search(rf"^{re.escape(row['name'])} +{row['packets']} +[\d.]+ % +{row['bytes']} +[\d.]+ %$", text, re.M), row
    first = rfc3339(found["span"]["first"])
    for one in found["conversations"]["list"] + found["syn_never_answered"]["list"][:6]:
        a, b = one["a"], one["b"]
        numbers = [shown(n) for n in (a["packets"], b["packets"], a["bytes"], b["bytes"])]
        numbers += [rf"{(rfc3339(one[key]) - first) // 10**6 / 1000:.3f}"[:5] + r"\d*\.?\d*" for key in ("first", "last")]
        flags = "/".join(shown(a[name] + b[name]) for name in FLAGS) if one["protocol"] == "TCP" and a["port"] is not None else ""
        pattern = rf"^{re.escape(one['protocol'])} {re.escape(end(a))} > {re.escape(end(b))}\s+" + r" +".join(numbers)
        assert re.search(pattern + (" " + flags if flags else "") + "$", text, re.M), (pattern, text)
    assert fact(text, "packets").startswith(str(found["packets"]))
    assert fact(text, "bytes") == f"{found['bytes']} on the wire ({found['kept_bytes']} captured)"
    rows = re.findall(r"^(?:\d{4}-\d\d-\d\d )?(?:\d\d:\d\d:\d\d)? +(\S+) +(\S+)  #*$", text, re.M)
    if found["bytes"] < 100000:
        assert sum(int(row[0]) for row in rows) == found["packets"] and sum(int(row[1]) for row in rows) == found["bytes"]
    else:
        assert rows


def by_conv(path, kind):
    """tshark's own table: {frozenset of ends: {end: (packets, bytes)}}."""
    out = sh("tshark", *PLAIN, "-q", "-r", path, "-z", f"conv,{kind}", timeout=120).stdout
    scale = {"bytes": 1, "kB": 1000, "MB": 10**6}
    found = {}
    for match in re.finditer(r"^(\S+) +<-> (\S+) +(\d+) ([\d,]+) (\w+) +(\d+) ([\d,]+) (\w+)", out, re.M):
        a, b, to_a, to_a_bytes, unit, to_b, to_b_bytes, unit2 = match.groups()
        found[frozenset((a, b))] = {b: (int(to_a), int(to_a_bytes.replace(",", "")) * scale[unit], scale[unit]),
                                    a: (int(to_b), int(to_b_bytes.replace(",", "")) * scale[unit2], scale[unit2])}
    return found


# --- real traffic -----------------------------------------------------------------------------------------------

def serve(wire, family, address, port, size, end=None):
    """A connection that is answered with size bytes; end closes it."""
    server = in_namespace(wire.b, lambda: socket.create_server((address, port), family=family))
    client = in_namespace(wire.a, lambda: socket.create_connection((address, port), timeout=5))
    other, _ = server.accept()
    client.sendall(b"GET /\n")
    other.recv(100)
    sender = threading.Thread(target=lambda: other.sendall(bytes(size)))
    sender.start()
    taken = 0
    while taken < size:
        taken += len(client.recv(1 << 20))
    sender.join()
    if end == "reset":
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    other.close()
    wait_until(lambda: end == "reset" or client.recv(1) == b"")
    client.close()
    server.close()


def knock(wire, family, address, port, seconds=1.3):
    """Until it is refused, or for so long: a second SYN comes after a second."""
    def work():
        with socket.socket(family) as sock:
            sock.settimeout(seconds)
            return sock.connect_ex((address, port))
    return in_namespace(wire.a, work)


@pytest.fixture(scope="module")
def traffic(tmp_path_factory):
    """An archive of real traffic, the pcap file that join makes of it, and tshark's reading of that."""
    wire, directory = Wire(ipv6=True), tmp_path_factory.mktemp("traffic")
    wire.addresses()
    for name, interface, number, peer, mac in ((wire.a, "tc1", 1, 2, MAC_B), (wire.b, "tc0", 2, 1, MAC_A)):
        wire.ip(name, "address", "add", f"fd00::{number}/64", "dev", interface, "nodad")
        wire.ip(name, "neigh", "replace", f"fd00::{peer}", "lladdr", mac.hex(":"), "dev", interface)
    # An address that nobody has: it reaches the other end, and no answer comes.
    wire.ip(wire.a, "neigh", "replace", "10.9.0.77", "lladdr", MAC_B.hex(":"), "dev", "tc1")
    wire.within(wire.b, "sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward")
    capture = Capture(wire, "-G", "200ms", "--compress", "zstd", "--reason", "who resets?", "--name", "web", "not port 9")
    serve(wire, socket.AF_INET, "10.9.0.2", 80, 300000)
    serve(wire, socket.AF_INET, "10.9.0.2", 8443, 1000, "reset")
    serve(wire, socket.AF_INET6, "fd00::2", 443, 50000)
    assert knock(wire, socket.AF_INET, "10.9.0.2", 81) != 0
    assert knock(wire, socket.AF_INET, "10.9.0.77", 5432) != 0
    odd.datagrams(wire.a, socket.AF_INET, "10.9.0.2")
    odd.datagrams(wire.a, socket.AF_INET6, "fd00::2")
    odd.ping(wire.a, socket.AF_INET, "10.9.0.2")
    # What this kernel has no devices for.
    tagged = [b"\x81\0\0\5\x08\0" + odd.ipv4(6, odd.tcp()), b"\x88\xa8\0\5\x81\0\0\6\x86\xdd" + odd.ipv6(17, odd.UDP),
              b"\x81\0\0\5\x08\6" + odd.ARP, b"\x08\6" + odd.ARP, b"\0\x26\x42\x42\3" + bytes(40)]
    wire.send([frame(1), *(MAC_B + MAC_A + data for data in tagged)])
    result = capture.end(signal.SIGTERM)
    wire.close()
    archive = result.whole()
    path = directory / "joined.pcap"
    path.write_bytes(run("join", stdin=result.out).out)
    return archive, result.out, path, list(referee(path))


def test_real_traffic_by_tshark(traffic):
    archive, data, path, packets = traffic
    assert len(archive.files) > 2 and any(name.endswith(".zst") for name in archive.names)
    found = summary(data)
    check(found, path, packets)
    assert found["whole_files"] == len(archive.files) and found["not_whole"] is None
    rows = {row["name"]: row for row in found["protocols"]}
    assert len(rows) == len(found["protocols"]) == len({packet["name"] for packet in packets}) + 2  # three are no IP
    assert rows["ARP"]["packets"] == len(sh("tshark", "-r", path, "-Y", "arp", timeout=120).stdout.splitlines()) > 0
    assert rows["ethertype 0x88b5"]["packets"] == rows["LLC (802.3)"]["packets"] == 1
    assert {"TCP", "UDP", "ICMP", "ICMPv6"} <= set(rows)
    check_page(page(data), found)


def test_what_the_traffic_was_for(traffic):
    _, data, _, packets = traffic
    found = summary(data)
    assert all(value["packets"] for value in found["of_these"].values())
    [silent] = found["syn_never_answered"]["list"]
    assert (silent["b"]["address"], silent["b"]["port"], silent["a"]["syn"]) == ("10.9.0.77", 5432, 2)
    by_port = {one["b"]["port"]: one for one in found["conversations"]["list"] if one["protocol"] == "TCP"}
    refused, reset, web = by_port[81], by_port[8443], by_port[80]
    [six] = [one for one in found["conversations"]["list"] if one["protocol"] == "TCP" and ":" in one["a"]["address"]]
    assert refused["b"]["rst"] == refused["a"]["syn"] == 1 and refused["b"]["syn_ack"] == 0
    assert reset["b"]["rst"] == 1 and reset["b"]["syn_ack"] == 1
    assert web["b"]["fin"] == web["a"]["fin"] == 1 and web["a"]["rst"] == 0
    assert (six["a"]["address"], six["b"]["port"]) == ("fd00::1", 443) and six["b"]["bytes"] > 50000
    # Fragments without ports stand by themselves.
    assert any(one["protocol"] == "UDP" and one["a"]["port"] is None for one in found["conversations"]["list"])


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_tsharks_own_table_of_conversations(traffic, kind):
    """conv,tcp rounds bytes to kB, and has a row for each; ours are the same."""
    _, data, path, packets = traffic
    ours = {frozenset((f"{a[0]}:{a[1]}", f"{b[0]}:{b[1]}")): group
            for (name, a, b), group in conversations(packets).items() if name == kind.upper() and a[1]}
    table = by_conv(path, kind)
    assert set(table) == set(ours) and len(table) > 3
    listed = [one for one in summary(data)["conversations"]["list"] if one["protocol"] == kind.upper() and one["a"]["port"]]
    assert len(listed) == len(table)
    for one in listed:
        ends = [f"{side['address']}:{side['port']}" for side in (one["a"], one["b"])]
        for end, side in zip(ends, (one["a"], one["b"])):
            count, size, unit = table[frozenset(ends)][end]
            assert side["packets"] == count and size <= side["bytes"] < size + unit, (one, table[frozenset(ends)])


def test_capinfos_and_io_stat(traffic):
    _, data, path, _ = traffic
    found = summary(data)
    told = dict(re.split(r":\s+", line, maxsplit=1) for line in
                sh("capinfos", "-M", "-c", "-d", "-u", "-a", "-e", "-S", path, timeout=120).stdout.splitlines() if re.search(r":\s", line))
    assert int(told["Number of packets"]) == found["packets"]
    assert int(told["Data size"].split()[0]) == found["bytes"]
    assert abs(float(told["Capture duration"].split()[0]) - float(found["span"]["seconds"])) < 1e-6
    for key, name in (("First packet time", "first"), ("Last packet time", "last")):
        assert abs(float(told[key]) - rfc3339(found["span"][name]) / 1e9) < 1e-5
    out = sh("tshark", "-q", "-r", path, "-z", "io,stat,0", timeout=120).stdout
    [total] = re.findall(r"<> +[\d.]+ \| +(\d+) \| +(\d+)", out)
    assert tuple(map(int, total)) == (found["packets"], found["bytes"])


def test_seconds_by_io_stat(tmp_path):
    """From a round second on, which is where tshark's intervals begin."""
    path = tmp_path / "x.pcap"
    times = [0, 0, 1, 3, 3, 3, 7, 12]
    path.write_bytes(pcap_file([(START + at, 0 if i == 0 else 5, frame(i, 60 + i)) for i, at in enumerate(times)]))
    found = summary(path.read_bytes())
    out = sh("tshark", "-q", "-r", path, "-z", "io,stat,1", timeout=120).stdout
    rows = [tuple(map(int, row)) for row in re.findall(r"^\| +(\d+) <> +\w+ *\| +(\d+) \| +(\d+) \|", out, re.M)]
    assert len(rows) == 13
    assert [(b["seconds"] - START, b["packets"], b["bytes"]) for b in found["histogram"]["buckets"]] == \
        [row for row in rows if row[1]]
    text = page(path.read_bytes())
    assert [line.split()[:3] for line in text.splitlines() if line.startswith("08:00:")] == \
        [[f"08:00:{at:02}", str(count), str(size)] for at, count, size in rows]


# --- odd packets ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("linktype", [odd.EN10MB, odd.NULL, odd.RAW, odd.LOOP, odd.SLL, odd.IPV4, odd.SLL2])
def test_odd_packets_by_tshark(tmp_path, linktype):
    link = {odd.EN10MB: bytes(12), odd.SLL: bytes(14)}.get(linktype, b"")
    packets = odd.ODD_IP
    if linktype in (odd.EN10MB, odd.SLL, odd.SLL2):
        packets = [typed[:2] + bytes(18 if linktype == odd.SLL2 else 0) + typed[2:] for typed in odd.TYPED]
    elif linktype == odd.IPV4:
        packets = [packet for packet in packets if packet[0] >> 4 == 4]
    elif linktype in (odd.NULL, odd.LOOP):
        packets = [struct.pack("<I" if linktype == odd.NULL else ">I", 2 if packet[0] >> 4 == 4 else 30) + packet
                   for packet in packets]
    path = tmp_path / "odd.pcap"
    path.write_bytes(pcap_file([(START, n, link + packet) for n, packet in enumerate(packets)], linktype))
    found = summary(path.read_bytes())
    check(found, path)
    assert found["interfaces"][0]["link_type_number"] == linktype


@pytest.mark.parametrize("nano", [False, True])
def test_cut_packets_by_tshark(tmp_path, nano):
    """Of packets that a snapshot length has cut anywhere, whatever is left."""
    packets = [MAC_B + MAC_A + typed for typed in odd.TYPED[::3]]
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap_file([(START, 7, packet[:cut], len(packet)) for packet in packets
                                for cut in range(14, min(len(packet), 70))], nano=nano))
    found = summary(path.read_bytes())
    packets = list(referee(path))
    assert found["packets"] == len(packets) > 1500
    assert (found["bytes"], found["kept_bytes"]) == tuple(sum(p[key] for p in packets) for key in ("length", "kept"))
    assert found["of_these"]["vlan"]["packets"] == sum(p["vlan"] for p in packets)
    # tshark shows ports that are there also where the rest of the header is not; so do we.
    ours = {(one["protocol"], *sorted((end["address"], end["port"]) for end in (one["a"], one["b"]))):
            one["a"]["packets"] + one["b"]["packets"] for one in found["conversations"]["list"] if one["protocol"] == "UDP"}
    theirs = {(name, *sorted((end, int(port)) for end, port in (a, b))): len(group)
              for (name, a, b), group in conversations(packets).items() if name == "UDP" and a[1]}
    assert theirs.items() <= ours.items() and theirs


# --- states of an archive ---------------------------------------------------------------------------------------

def tcp_frame(a, b, port, flags=2, size=0):
    """From 10.0.x.x to 10.1.x.x, port 80."""
    ip = struct.pack("!BBHHHBBHIIHHIIBBHHH", 0x45, 0, 40 + size, 7, 0, 64, 6, 0, 0x0a000000 + a, 0x0a010000 + b, port, 80,
                     1, 2, 0x50, flags, 1000, 0, 0)
    return MAC_B + MAC_A + b"\x08\x00" + ip + bytes(size)


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "eth0.pcap"
    path.write_bytes(pcap_file([(START + n // 4, n % 4 * 1000, tcp_frame(n % 3, 1, 4000, size=n)) for n in range(20)]))
    return run("-r", path, "-G", "1s", "--name", "web", "--reason", "x \x1b[2J y", "tcp port 80").whole().data


def test_whole(small):
    found, text = summary(small), page(small)
    check_page(text, found)
    assert found["content"] == "archive" and found["packets"] == 20 and found["whole_files"] == 5
    assert fact(text, "complete") == "yes (matches the manifest)" and fact(text, "lost") == "nothing"
    assert fact(text, "ended by") == found["ended_by"] == "end of file"
    assert fact(text, "capture") == "web, filter: tcp port 80" and found["filter"] == "tcp port 80"
    assert fact(text, "reason") == found["reason"] == "x ?[2J y"
    assert fact(text, "packets") == "20 packets in 5 files"
    assert fact(text, "interface") == f"eth0: Ethernet, 20 packets, {found['bytes']} bytes, 0 lost"
    assert summary(with_zstd(small)) == found


def test_every_cut(small):
    """All packets before the cut are in it, the sentence is join's, and what a whole page says of the end is missing."""
    for size in [*range(512, len(small) - 1024, 509)]:
        found = summary(small[:size], status=1)
        joined = run("join", stdin=small[:size])
        text = page(small[:size], status=1)
        assert fact(text, "INCOMPLETE") == found["not_whole"]
        assert f"not whole: {found['not_whole']};" in joined.err[-1]
        if "manifest.json is missing" in found["not_whole"]:
            assert found["lost"] is None and found["ended_by"] is None
            assert fact(text, "lost") == "unknown: the manifest would say" and fact(text, "ended by") is None
        assert f", {found['packets']} packet" in joined.err[-1] and f" {found['whole_files']} file" in joined.err[-1]
        result = run("summary", stdin=small[:size])
        assert result.err == [f"tarcap: stdin: not whole: {found['not_whole']}"]


@pytest.mark.parametrize("damage", ["hole", "gone", "doubled", "torn", "junk"])
def test_damaged(small, damage):
    members = taken_apart(small)
    data = {"hole": small[:5000] + bytes(700) + small[5700:], "gone": archive_of(members[:2] + members[3:]),
            "doubled": archive_of(members[:4] + members[1:]),
            "torn": archive_of(members[:2] + [(members[2][0], members[2][1][:200])] + members[2:]), "junk": b"Defaulted container\n" * 9 + small}[damage]
    status = int(damage != "junk")
    found = summary(data, status=status)
    joined = run("join", stdin=data)
    assert joined.status == status and f", {found['packets']} packets" in joined.err[-1]
    if damage == "junk":
        assert found["junk_bytes"] == 180 and fact(page(data), "ignored").startswith("180 bytes before the archive")
    else:
        assert f"not whole: {found['not_whole']};" in joined.err[-1]
    assert found["packets"] == {"hole": found["packets"], "gone": 16}.get(damage, 20)


def test_loss(small):
    """What the manifest accounts for as lost, by cause, by interface and by file."""
    def change(manifest):
        account = manifest["interfaces"][0]
        account.update(dropped_by_kernel=70, dropped_at_stop=6, dropped_output_failed=4, dropped_before_no_file=5)
        account["received_by_filter"] += 80
        for file, lost in zip(manifest["files"], (0, 5, 50, 1, 9)):
            file["dropped"] = lost
        manifest["ended_by"] = {"cause": "signal", "detail": "SIGTERM"}
    data = with_manifest(small, change)
    found, text = summary(data), page(data)
    assert found["lost"] == {"dropped_by_kernel": 70, "dropped_at_stop": 6, "dropped_output_failed": 4,
                             "interfaces": [{"name": "eth0", "packets": 80}], "files": 4, "before_files": 65,
                             "most_before": [{"name": f"eth0_{n:05}_{20270115080000 + n - 1}.pcap", "packets": lost}
                                             for n, lost in ((3, 50), (5, 9), (2, 5), (4, 1))]}
    assert fact(text, "lost").startswith("80 packets (80.0 %): 70 dropped by the kernel, 6 at the stop, 4 because the output "
                                         "failed 50 before eth0_00003_20270115080002.pcap 9 before eth0_00005_")
    assert fact(text, "ended by") == "signal (SIGTERM)" and ", 80 lost" in fact(text, "interface")
    assert fact(text, "complete")


def test_loss_for_real(wire):
    """A ring that is too small while the reader stands still: what is said is what the manifest says."""
    ours, theirs = os.pipe()
    capture = Capture(wire, "-B", "2048", "--memory", "2M", "-C", "64k", stdout=theirs)
    os.close(theirs)
    Flood(wire.a, "tc1", 40000, 300).wait()
    data, reader = bytearray(), os.fdopen(ours, "rb")
    collector = threading.Thread(target=lambda: data.extend(reader.read()))
    collector.start()
    Flood(wire.a, "tc1", 500, 300, 1000).wait()
    capture.end(signal.SIGTERM)
    collector.join()
    reader.close()
    archive = Archive(bytes(data)).check()
    found = summary(bytes(data))
    assert found["lost"]["dropped_by_kernel"] == archive.account["dropped_by_kernel"] > 0
    assert found["lost"]["before_files"] == sum(file["dropped"] for file in archive.manifest["files"]) > 0
    assert f"{found['lost']['dropped_by_kernel']} dropped by the kernel" in fact(page(bytes(data)), "lost")
    assert found["packets"] == archive.account["written"] and found["ended_by"] == "signal"


def test_no_packets(wire):
    result = Capture(wire).end(signal.SIGTERM)
    found, text = summary(result.out), page(result.out)
    assert found["packets"] == 0 and found["span"] is None and found["conversations"] == {"total": 0, "list": []}
    assert fact(text, "span") == "no packets" and fact(text, "ended by").startswith("signal")
    assert page(pcap_file([])).count("no packets") == 1


def test_series_of_several_interfaces(small, tmp_path):
    """Each interface has files of its own; link types may differ."""
    path = tmp_path / "lo.pcap"
    path.write_bytes(pcap_file([(START + n, 0, odd.ipv4(17, odd.UDP)) for n in range(7)], odd.RAW))
    other = run("-r", path, "--name", "web").whole()

    def change(manifest):
        manifest["files"] += other.manifest["files"]
        account = {**other.manifest["interfaces"][0], "dropped_by_kernel": 3, "dropped_before_no_file": 3}
        account["received_by_filter"] += 3
        manifest["interfaces"].append(account)
        for key in manifest["totals"]:
            manifest["totals"][key] += other.manifest["totals"][key]
    (name, text), *members = taken_apart(small)
    request = json.loads(text)
    request["interfaces"] += other.manifest["interfaces"]
    data = archive_of([(name, json.dumps(request).encode())] + members[:-1] + other.members[1:-1] +
                      [taken_apart(with_manifest(small, change))[-1]])
    found, text = summary(data), page(data)
    assert found["not_whole"] is None and found["packets"] == 27
    assert [(one["name"], one["link_type_number"], one["packets"]) for one in found["interfaces"]] == \
        [("eth0", 1, 20), ("lo", 101, 7)]
    assert found["lost"]["interfaces"] == [{"name": "eth0", "packets": 0}, {"name": "lo", "packets": 3}]
    assert f"interface  lo: raw IP, 7 packets, {found['interfaces'][1]['bytes']} bytes, 3 lost\n" in text


def test_a_series_of_several_link_types(small):
    """What came later under the same name is told apart."""
    raw = pcap_file([(START, 0, odd.ipv4(17, odd.UDP))], odd.RAW)
    found = summary(archive_of(taken_apart(small)[:3] + [("web/eth0_00003_20270115080002.pcap", raw)]), status=1)
    assert [(one["name"], one["link_type_number"], one["packets"]) for one in found["interfaces"]] == \
        [("eth0", 1, 8), ("eth0", 101, 1)]
    assert found["of_these"]["ipv4"]["packets"] == 9


def test_all_interfaces_for_real(wire):
    """-i all: each interface's packets and bytes are those of its files, which tshark can read one by one."""
    wire.addresses()
    capture = Capture(wire, "-i", "all", interface=None)
    odd.datagrams(wire.a, socket.AF_INET, "10.9.0.2")
    odd.ping(wire.b, socket.AF_INET, "127.0.0.1")
    archive = capture.end(signal.SIGTERM).whole()
    found, text = summary(archive.data), page(archive.data)
    amounts = collections.Counter()
    for file in archive.files:
        series = file.name.partition("/")[2].partition("_")[0]
        amounts[series, "packets"] += len(file.records)
        amounts[series, "bytes"] += sum(record.length for record in file.records)
    assert {(one["name"], key): one[key] for one in found["interfaces"] for key in ("packets", "bytes")} == amounts
    assert {one["name"] for one in found["interfaces"]} == {"lo", "tc0"} and found["not_whole"] is None
    written = {one["name"]: one["written"] for one in archive.manifest["interfaces"]}
    assert all(written[one["name"]] == one["packets"] for one in found["interfaces"])
    for one in found["interfaces"]:
        assert f"interface  {one['name']}: Ethernet, {one['packets']} packets, {one['bytes']} bytes, 0 lost\n" in text


def test_a_great_many_interfaces(small):
    """More than the table has: their packets are counted."""
    text = taken_apart(small)[1][1]
    data = archive_of([(f"web/i{n}_00001_20270115080000.pcap", text) for n in range(300)])
    found = summary(data, status=1)
    assert len(found["interfaces"]) == 256 and found["packets_of_other_interfaces"] == 4 * 44
    assert f"and {4 * 296} packets on others: see --json" in page(data, status=1)


# --- files of packets -------------------------------------------------------------------------------------------

def test_files_of_packets(tmp_path):
    records = [(START, n, tcp_frame(n, 1, 4000)) for n in range(9)]
    plain = pcap_file(records)
    found = summary(plain)
    assert found["content"] == "packets" and found["packets"] == 9 and found["lost"] is None
    text = page(plain)
    assert fact(text, "lost") == "unknown: this file of packets does not say" and fact(text, "complete") == "the file ends with a whole packet"
    assert summary(compressed(plain)) == found
    nano = summary(pcap_file([(s, n * 1000, data) for s, n, data in records], nano=True))
    assert nano == found
    path = tmp_path / "x.pcap"
    path.write_bytes(plain)
    result = run("summary", "--json", path)
    assert json.loads(result.out) == {**found, "source": str(path)}
    # Some writers say of the frame check sequence in the link type's upper bits.
    assert summary(plain[:20] + struct.pack("<I", 0x24000001) + plain[24:])["conversations"]["total"] == 9


def test_pcapng_by_tshark(tmp_path):
    """Of several interfaces with link types of their own, and compressed."""
    ethernet, raw, path = (tmp_path / name for name in ("ethernet.pcap", "raw.pcap", "both.pcapng"))
    ethernet.write_bytes(pcap_file([(START + n, 5, MAC_B + MAC_A + typed) for n, typed in enumerate(odd.TYPED[::4])]))
    raw.write_bytes(pcap_file([(START + n, 7, packet) for n, packet in enumerate(odd.ODD_IP[::3])], odd.RAW))
    sh("mergecap", "-F", "pcapng", "-I", "none", "-w", path, ethernet, raw)
    found = summary(path.read_bytes())
    check(found, path)
    assert [(one["link_type_number"], one["packets"]) for one in found["interfaces"]] == \
        [(odd.EN10MB, len(odd.TYPED[::4])), (odd.RAW, len(odd.ODD_IP[::3]))]
    assert summary(compressed(path.read_bytes())) == found
    cut = summary(path.read_bytes()[:-70], status=1)
    assert cut["packets"] == found["packets"] - 1 and cut["not_whole"].startswith("it is cut after ")


def test_files_of_packets_that_are_cut():
    plain = pcap_file([(START, n, tcp_frame(n, 1, 4000)) for n in range(9)])
    for size in range(4, len(plain)):
        count = max(0, (size - 24) // 70)
        if size >= 24 and (size - 24) % 70 == 0:
            assert summary(plain[:size])["packets"] == count
        elif size % 7 == 0:
            found = summary(plain[:size], status=1)
            assert found["packets"] == count and found["not_whole"] == f"it is cut after {count} packets"
    found = summary(plain[:24 + 70 * 3 + 8] + b"\xff" * 8 + plain, status=1)
    assert found["not_whole"] == "it is damaged after 3 packets"
    noise = random.Random(1)
    large = compressed(pcap_file([(START, n, noise.randbytes(1000)) for n in range(400)]))
    found = summary(large[:-200], status=1)
    assert 0 < found["packets"] < 400 and found["not_whole"] == f"it is cut after {found['packets']} packets"
    result = run("summary", stdin=compressed(plain)[:-20])
    assert (result.status, result.err) == (1, ["tarcap: no tarcap archive, and no pcap file, but a zstd file that is cut "
                                              "before anything of it can be read"])


@pytest.mark.parametrize("data, said", [
    (b"", "no tarcap archive, and no pcap file, but nothing at all (stdin through docker or kubectl needs -i)"), (b"\xd4", "no tarcap archive, and no pcap file"),
    (b"hello" * 1000, "no tarcap archive, and no pcap file")])
def test_what_is_neither(data, said):
    for arguments in ([], ["--json"]):
        result = run("summary", *arguments, stdin=data)
        assert (result.status, result.out, result.err) == (1, b"", [f"tarcap: {said}"])


# --- the page ---------------------------------------------------------------------------------------------------

def test_a_full_page(tmp_path):
    """Of everything more than fits: about 60 lines, and each list says how much there is of it."""
    records = [(START + n % 90, n, tcp_frame(n % 50, 1, 4000 + n % 50, 2 if n < 100 else 18 if n % 2 else 16, n % 900))
               for n in range(3000)]
    records += [(START, 0, MAC_B + MAC_A + struct.pack("!H", 0x9200 + n) + bytes(50)) for n in range(20)]
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file(sorted(records, key=lambda r: r[:2])))
    data = run("-r", path, "--reason", "why " * 100).out
    text = page(data)
    assert 50 <= text.count("\n") <= 66, text
    assert "others (see --json)" in text and "CONVERSATIONS: 20 of 50, " in text and "SYN NEVER ANSWERED: 6 of " in text
    check_page(text, summary(data))


def test_long_addresses_fit():
    long = [bytes.fromhex("20010db8123456789abcdef0123456") + bytes((n,)) for n in range(0x80, 0x9a)]
    records = [(START + 300 * n, 0, MAC_B + MAC_A + b"\x86\xdd" + struct.pack("!IHBB16s16s", 6 << 28, 20, 6, 64, a, long[0]) +
                struct.pack("!HHIIBBHHH", 60000 + n, 50443, 1, 2, 0x50, 2, 1000, 0, 0)) for n, a in enumerate(long[1:])]
    data = pcap_file(records)
    check_page(page(data), summary(data))
    assert "TCP [2001:db8:1234:5678:9abc:def0:1234:5681]:60000 > [2001:db8:1234:5678:9abc:def0:1234:5680]:50443\n" in page(data)


def test_long_spans():
    """Rows of a round width, with the date where there are several days."""
    for span, width in ((1, 1), (29, 1), (200, 10), (3000, 120), (80000, 3600), (86400 * 20, 86400), (2**31 - 1, None)):
        data = pcap_file([(START - START % 86400, 0, frame(1)), (START - START % 86400 + span, 0, frame(2))] if width else
                         [(0, 1, frame(1)), (2**32 - 1, 0, frame(2))])
        text = page(data)
        [shown] = re.findall(r"^EVERY (\d+) s", text, re.M)
        assert width is None or int(shown) == width, text
        assert text.count("\n") <= 62
        assert ("2027-01-15 00:00:00 " in text) == (width == 3600 and span > 86400) and \
            ("2027-01-15  " in text) == (width == 86400), text


def test_names_cannot_speak(small):
    """Whatever an archive says is one printable line."""
    def change(manifest):
        manifest["ended_by"] = {"cause": "\x1b[31msignal\n\n", "detail": "\u202e" * 40}
        manifest["files"][0]["dropped"] = 5
        manifest["files"][0]["name"] = "\x1b]0;x\x07" + "n" * 300
        manifest["interfaces"][0]["name"] = "\r" * 500
    members = taken_apart(with_manifest(small, change))
    request = {"name": "a\nb" * 100, "filter": "\x00" + "f" * 70000, "reason": "\x9b" * 5000}
    data = archive_of([(members[0][0], json.dumps(request).encode())] + members[1:])
    page(data, status=1)
    summary(data, status=1)
    for text in (b"", b"[]", b"{}", b"\xff", b"[" * 100000, b" " * (5 << 20), b'{"name": 1, "filter": [], "reason": {}}'):
        data = archive_of([(members[0][0], text)] + taken_apart(small)[1:])
        found = summary(data, status=1)
        assert found["name"] is None and found["packets"] == 20
        assert found["not_whole"].startswith("capture.json is damaged (")
        assert (fact(page(data, status=1), "capture") or "").startswith("capture.json cannot be read: ") == (text[:1] not in (b"{", b"["))\
            or text[:2] == b"[["


# --- bounds -----------------------------------------------------------------------------------------------------

def test_memory_stays_flat_with_many_conversations(tmp_path):
    """150,000 of them: the table is full, and what is not attributed is said."""
    count, room = 150000, 131072
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(START, n, tcp_frame(n & 0xffff, n >> 16, 4000)) for n in range(count)]))

    def limited():
        if not SANITIZED:
            resource.setrlimit(resource.RLIMIT_AS, (128 << 20, 128 << 20))
    result = run("summary", "--json", path, preexec_fn=limited)
    found = json.loads(result.out)
    assert found["conversations"]["total"] == room and found["packets_not_attributed"] == count - room
    assert found["syn_never_answered"]["total"] == room and len(found["syn_never_answered"]["list"]) == 1000
    assert found["packets"] == count and found["protocols"][0]["packets"] == count
    assert f"\nNOT ATTRIBUTED: {count - room} packets of further conversations: " in page(path.read_bytes())
    assert SANITIZED or peak_of(path) < 24 << 10


def peak_of(path):
    """KiB that were resident at most: read while it waits for more on its stdin."""
    process = start_process([TARCAP, "summary"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process.stdin.write(path.read_bytes())
    process.stdin.flush()
    with open(f"/proc/{process.pid}/status") as status:
        [peak] = [int(line.split()[1]) for line in status if line.startswith("VmHWM")]
    process.stdin.close()
    process.wait(20)
    return peak


def test_no_claim_takes_memory(small):
    def limited():
        if not SANITIZED:
            resource.setrlimit(resource.RLIMIT_AS, (192 << 20, 192 << 20))
    members = taken_apart(small)
    nested = b"[[]" + b",[]" * ((4 << 20) // 3 - 10) + b"]"
    for data in (member("web/eth0_00001_20270115080000.pcap", b"", size=0o77777777777) + small,
                 archive_of([(members[0][0], nested)] + members[1:-1] + [(members[-1][0], nested)]),
                 archive_of([(f"web/eth{n}_{n:05}_20270115080000.pcap", b"") for n in range(20000)])):
        result = run("summary", stdin=data, preexec_fn=limited)
        assert result.status == 1 and "not whole: " in result.err[-1] and result.out, result.err


# --- the command ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, said", [
    (["--frob"], "unknown flag --frob (see tarcap summary --help)"),
    (["--json=1"], "--json=1: --json takes no value (see tarcap summary --help)"),
    (["-q"], "unknown flag -q (see tarcap summary --help)"),
    (["a", "b"], "summary 'b': allowed is one FILE (see tarcap summary --help)"),
])
def test_wrong_usage(arguments, said):
    result = run("summary", *arguments)
    assert (result.status, result.out, result.err) == (2, b"", [f"tarcap: {said}"])


def test_what_cannot_be_read(tmp_path):
    result = run("summary", tmp_path)
    assert (result.status, result.out) == (2, b"") and "is a directory" in result.err[0]
    result = run("summary", tmp_path / "x")
    assert (result.status, result.out, result.err) == (1, b"", [f"tarcap: {tmp_path}/x: No such file or directory"])


def test_outputs(small, tmp_path):
    """A terminal is as good as any; a full disk and a reader that has gone are told."""
    path = tmp_path / "web.tar"
    path.write_bytes(small)
    done = subprocess.run(["script", "-qec", f"{TARCAP} summary {path}", "/dev/null"], capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=20)
    assert done.returncode == 0 and b"CONVERSATIONS: 3 of 3" in done.stdout
    done = subprocess.run(["script", "-qec", f"{TARCAP} summary", "/dev/null"], capture_output=True, timeout=20,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and b"stdin is a terminal: add '< capture.tar', or name the FILE" in done.stdout
    with open("/dev/full", "wb") as full:
        done = subprocess.run([TARCAP, "summary", path], stdout=full, stderr=subprocess.PIPE, timeout=20)
    assert done.returncode == 1 and lines(done.stderr) == ["tarcap: cannot write to stdout: No space left on device"]
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run([TARCAP, "summary", "--json", path], stdout=theirs, stderr=subprocess.PIPE, timeout=20)
    os.close(theirs)
    assert done.returncode == 3 and lines(done.stderr) == ["tarcap: the reader has gone away"]


def test_the_same_page_each_time(small, tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(START, n, tcp_frame(n, 1, 4000)) for n in range(400)]))
    for arguments in ([], ["--json"]):
        assert len({run("summary", *arguments, path).out for _ in range(4)}) == 1
