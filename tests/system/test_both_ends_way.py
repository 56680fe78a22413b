"""tarcap summary of both ends: whether what was sent again was needed, how long the way takes, and what a router on it says."""

import collections
import socket
import time

import pytest

from archive import Archive
from both import Story, client, kinds, talk, together, upload
from wire import in_namespace

ROUTER = "10.7.0.254"


def wait_for_acks(name, count):
    """So many connections that send a few bytes each, and are patient."""
    sockets = [client(name) for _ in range(count)]
    for sock in sockets:
        sock.settimeout(20)
        sock.connect(("10.8.0.2", 80))
    for sock in sockets:
        sock.sendall(b"hello")
    time.sleep(2)
    for sock in sockets:
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100) == b"thanks"
        sock.close()


def sent_twice(data):
    """The segments with data, or a SYN or FIN, that were sent more than once."""
    counts = collections.Counter()
    for record in Archive(data).records:
        ip = record.data[14:]
        size = int.from_bytes(ip[2:4], "big") - 20 - (ip[32] >> 4) * 4
        if size or ip[33] & 3:
            counts[ip[12:28]] += 1
    return sum(count > 1 for count in counts.values())


@pytest.mark.parametrize("order", [{"acks": 2}, {"late": 2}], ids=["ack-lost", "late"])
def test_what_was_sent_again_for_nothing_is_told_from_what_was_lost(tmp_path, order):
    story = Story(tmp_path, lambda name: wait_for_acks(name, 20), **order)
    again = sent_twice(story.data[0])
    assert again == sent_twice(story.data[1]) >= 5
    both = together(story.paths)
    [between] = both["between"]
    assert between["sent_again_not_needed"] == again and between["sent_again_needed"] == 0
    assert between["lost"]["count"] == 0 and "lost-between" not in kinds(both)
    assert f"0 ranges were lost between the two, {again} not: the ACK was lost, or late" in story.page()


def test_each_connection_has_its_delays_and_its_round_trip(tmp_path):
    """The router's own time is nearly nothing: what it keeps back is."""
    story = Story(tmp_path, lambda name: wait_for_acks(name, 4), kept=0.05)
    [between] = together(story.paths)["between"]
    assert len(between["each"]) == 4
    for row in between["each"]:
        assert row["protocol"] == "tcp" and row["there"]["count"] >= 2 and row["back"]["count"] >= 2
        ways = [float(row[way]["p50_seconds"]) for way in ("there", "back")]
        both_ways = row["there_and_back"]
        assert abs(float(both_ways["p50_seconds"]) - sum(ways)) < 0.02
        assert 0.1 <= float(both_ways["p50_seconds"]) <= float(both_ways["p99_seconds"]) < 1
    assert between["there"]["count"] == between["back"]["count"] == 4


def test_icmp_of_a_router_between_is_of_neither_end(tmp_path):
    """Each tenth datagram is rejected; the server itself says that nothing listens at a port."""
    def ask(name):
        sock = in_namespace(name, lambda: socket.socket(type=socket.SOCK_DGRAM))
        with sock:
            sock.connect(("10.8.0.2", 99))
            sock.send(b"is anybody there?")
        talk(name, 200)

    reject = ["iptables", "-A", "FORWARD", "-p", "udp", "--dport", "53", "-m", "statistic", "--mode", "nth", "--every", "10",
              "--packet", "0", "-j", "REJECT", "--reject-with", "icmp-admin-prohibited"]
    story = Story(tmp_path, ask, expression="udp or icmp", kernel=[reject])
    both = together(story.paths)
    [between] = both["between"]
    sent = sum(record.data[23] == 1 and record.data[34:36] == bytes((3, 13)) for record in Archive(story.data[0]).records)
    assert between["icmp_made"] == sent == between["datagram-lost"]["count"] and sent > 10
    [row] = between["icmp"]
    assert (row["only_in"], row["by"], row["says"], row["from"], row["to"], row["count"]) == \
        ("a", ROUTER, "communication prohibited", "10.7.0.1", "10.8.0.2:53", sent)
    [finding] = [row for row in both["findings"] if row["kind"] == "injected-between"]
    assert f"{sent} ICMP errors ({row['says']}, by {ROUTER})" in finding["sentence"]


def test_icmp_of_an_end_that_is_lost_on_its_way_was_not_made_between(tmp_path):
    def ask(name):
        for _ in range(5):
            sock = in_namespace(name, lambda: socket.socket(type=socket.SOCK_DGRAM))
            with sock:
                sock.connect(("10.8.0.2", 99))
                sock.send(b"is anybody there?")
        talk(name, 10)

    story = Story(tmp_path, ask, expression="udp or icmp", kernel=[["iptables", "-A", "FORWARD", "-p", "icmp", "-j", "DROP"]])
    both = together(story.paths)
    [between] = both["between"]
    assert both["captures"][1]["packets"] > 0 and any(row["kind"] == "refused" for row in both["captures"][1]["findings"])
    assert between["icmp_made"] == 0 and between["icmp"] == [] and "injected-between" not in kinds(both)


def test_the_mtu_between_is_what_the_router_says(tmp_path):
    story = Story(tmp_path, lambda name: upload(name, 300_000), expression="tcp or icmp", kernel=[["ip", "link", "set", "r1", "mtu", "1300"]])
    both = together(story.paths)
    [between] = both["between"]
    assert between["mtu"] == 1300 and between["icmp_made"] > 0
    assert (between["icmp"][0]["by"], between["icmp"][0]["says"]) == (ROUTER, "fragmentation needed")
    assert "MTU between: 1300, by ICMP" in story.page()
