"""tarcap summary: each number of it against tshark's and capinfos' on the same files."""

import re
import signal
import socket
import struct
import threading

import pytest

import odd
from altered import START, compressed
from archive import pcap_file
from capture import Capture, run
from process import TOP, sh, wait_until
from referee import as_rfc3339, by_conv, check, check_page, conversations, referee
from summary import page, summary
from wire import MAC_A, MAC_B, Wire, frame, in_namespace


@pytest.fixture(scope="module", autouse=True)
def tools():
    sh(TOP / "image/need", "zstd", "tshark", timeout=300)


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
        assert abs(float(told[key]) - as_rfc3339(found["span"][name]) / 1e9) < 1e-5
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
    assert summary(compressed(path.read_bytes())) == {**found, "file_bytes": len(compressed(path.read_bytes()))}
    cut = summary(path.read_bytes()[:-70], status=1)
    assert cut["packets"] == found["packets"] - 1 and cut["not_whole"].startswith("it is cut after ")
