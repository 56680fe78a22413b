"""What tshark makes of the same packets, and whether tarcap summary says the same."""

import collections
import json
import re

from process import sh
from summary import fact

PROTOCOLS = {1: "ICMP", 4: "IPv4 in IP", 6: "TCP", 17: "UDP", 41: "IPv6 in IP", 47: "GRE", 50: "ESP", 58: "ICMPv6",
             59: "IPv6 no next", 89: "OSPF", 132: "SCTP", 136: "UDP-Lite"}
# Reassembly would give a fragment's ports to its last piece.
PLAIN = ("-n", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE")
FLAGS = {"syn": 0x02, "syn_ack": 0x12, "fin": 0x01, "rst": 0x04}
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


def as_rfc3339(text):
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
    return [{**one, "first": as_rfc3339(one["first"]), "last": as_rfc3339(one["last"])} for one in found]


def canonical(list_):
    return sorted(json.dumps(one, sort_keys=True) for one in list_)


def check(found, path, packets=None):
    """Every number of a summary against tshark's of the same packets."""
    packets = packets or list(referee(path))
    times = [packet["time"] for packet in packets]
    assert (found["packets"], found["bytes"]) == tuple(amount(packets).values())
    assert found["kept_bytes"] == sum(packet["kept"] for packet in packets)
    assert (as_rfc3339(found["span"]["first"]), as_rfc3339(found["span"]["last"])) == (min(times), max(times))
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

    for row in found["protocols"][:4]:
        assert re.search(rf"^{re.escape(row['name'])} +{row['packets']} +[\d.]+ % +{row['bytes']} +[\d.]+ %$", text, re.M), row
    first, shown_rows = as_rfc3339(found["span"]["first"]), 0
    for one in found["conversations"]["list"]:
        a, b = one["a"], one["b"]
        numbers = [shown(n) for n in (a["packets"], b["packets"], a["bytes"], b["bytes"])]
        numbers += [rf"{(as_rfc3339(one[key]) - first) // 10**6 / 1000:.3f}"[:5] + r"\d*\.?\d*" for key in ("first", "last")]
        if one["protocol"] == "TCP" and a["port"] is not None:
            numbers += [shown(a[name] + b[name]) for name in FLAGS]
        ends = rf"^{re.escape(one['protocol'])} {re.escape(end(a))} > {re.escape(end(b))}\s"
        if re.search(ends, text, re.M):
            assert re.search(ends + r"\s*" + r" +".join(numbers) + "$", text, re.M), (ends, numbers, text)
            shown_rows += 1
    # Those with trouble come first, and may not be among those with most bytes, which the JSON lists.
    listed = re.search(r"^ *(\d+) of +(\d+) or the first packet\)", text, re.M)
    if listed:
        assert int(listed[2]) == found["conversations"]["total"]
        assert shown_rows == int(listed[1]) or len(found["conversations"]["list"]) < found["conversations"]["total"], text
    else:  # what stands above them takes the page
        assert text.count("\n") > 50, text
    assert fact(text, "packets").startswith(str(found["packets"]))
    assert fact(text, "bytes") == f"{found['bytes']} on the wire ({found['kept_bytes']} captured)"
    rows = re.findall(r"^(?:\d{4}-\d\d-\d\d )?(?:\d\d:\d\d:\d\d)? +(\S+) +(\S+)  #*$", text, re.M)
    if not re.search("^EVERY ", text, re.M):
        assert text.count("\n") > 50, text
    elif found["bytes"] < 100000:
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
