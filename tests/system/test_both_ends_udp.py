"""tarcap summary of both ends of UDP: what the router between them dropped or made is named, and nothing else is claimed."""

import pytest

from archive import Archive
from both import Story, kinds, shifted, talk, together, unconnected

FLOWS = 10


def ends_of_datagram(row):
    return (row["connection"]["from"], row["connection"]["to"], row["ip_id"] or 0, row["bytes"])


def truth_of_datagrams(rows):
    return sorted((f"{source}:{port}", f"{target}:{other}", identity, length) for source, port, target, other, identity, length in rows)


def named_datagrams(between, kind):
    return sorted(ends_of_datagram(row) for row in between["only_in_one"] if row["kind"] == kind)


@pytest.fixture(scope="module")
def lossy(tmp_path_factory):
    """2,000 datagrams there and as many back of some flows, of which every 19th is lost."""
    return Story(tmp_path_factory.mktemp("udp"), lambda name: talk(name, 2000, sockets=FLOWS, pause=0.0005), expression="udp", datagrams=19, drops=190)


def test_each_lost_datagram_is_named_and_the_clocks_come_of_udp_alone(lossy, tmp_path):
    assert len(lossy.truth["datagrams"]) > 150
    for paths, seconds in ((lossy.paths, 0), ([lossy.paths[0], shifted(lossy.paths[1], tmp_path / "server.tar", 7 * 10**9)], 7)):
        both = together(paths)
        [between] = both["between"]
        assert between["connections"] == 0 and between["udp_conversations"] == FLOWS and between["ambiguous"] == 0
        assert named_datagrams(between, "datagram-lost") == truth_of_datagrams(lossy.truth["datagrams"])
        assert between["datagram-lost"]["count"] == len(lossy.truth["datagrams"]) and between["datagram-made"]["count"] == 0
        assert {row["only_in"] for row in between["only_in_one"]} == {"a", "b"}
        offset = between["clock_offset"]
        assert abs(float(offset["seconds"]) - seconds) <= float(offset["bound_seconds"]) + 1e-6 and float(offset["bound_seconds"]) < 0.01
        assert {"lost-between", "clock-offset", "path-delay"} <= set(kinds(both)) and "injected-between" not in kinds(both)
        [row] = [row for row in both["findings"] if row["kind"] == "lost-between"]
        assert f"{len(lossy.truth['datagrams'])} UDP datagrams (" in row["sentence"] and "sent again" not in row["sentence"]


def test_headers_alone_are_enough_where_ip_has_an_id(tmp_path):
    story = Story(tmp_path, lambda name: talk(name, 400, answered=False), expression="udp", server_flags=["--headers"], datagrams=10, drops=30)
    [between] = together(story.paths)["between"]
    assert named_datagrams(between, "datagram-lost") == truth_of_datagrams(story.truth["datagrams"]) and story.truth["datagrams"]


def test_a_conversation_of_one_lost_datagram_is_judged_by_others_that_went_the_same_way(tmp_path):
    """As of names: each question from a port of its own."""
    story = Story(tmp_path, lambda name: talk(name, 200, sockets=200), expression="udp", datagrams=17, drops=20)
    [between] = together(story.paths)["between"]
    questions = [row for row in story.truth["datagrams"] if row[2] == "10.8.0.2"]
    assert questions and len(questions) < len(story.truth["datagrams"])
    assert named_datagrams(between, "datagram-lost") == truth_of_datagrams(story.truth["datagrams"])


def test_udp_through_nat_is_paired_by_what_stays_the_same(tmp_path):
    story = Story(tmp_path, lambda name: talk(name, 400, sockets=4), expression="udp", nat=["10.7.0.1", "10.9.9.9"], datagrams=25, drops=30)
    both = together(story.paths)
    [between] = both["between"]
    assert between["udp_conversations"] == 4 and between["datagram-made"]["count"] == 0
    assert [(row["in_a"], row["in_b"], row["connections"]) for row in between["rewritten"]] == [("10.7.0.1", "10.9.9.9", 4)]
    asked = [row for row in story.truth["datagrams"] if row[0] == "10.7.0.1"]
    assert named_datagrams({"only_in_one": [row for row in between["only_in_one"] if row["only_in"] == "a"]}, "datagram-lost") == truth_of_datagrams(asked)
    assert between["datagram-lost"]["count"] == len(story.truth["datagrams"])


def test_datagrams_that_nobody_sent_are_named(tmp_path):
    story = Story(tmp_path, lambda name: talk(name, 300), expression="udp", forged=15)
    both = together(story.paths)
    [between] = both["between"]
    assert named_datagrams(between, "datagram-made") == truth_of_datagrams(story.truth["made"]) and story.truth["made"]
    assert between["datagram-lost"]["count"] == 0 and "injected-between" in kinds(both)


def test_the_same_datagram_over_and_over_is_no_pair(tmp_path):
    """Without an id, nothing tells which of them is which: there is no delay, and nothing is called lost."""
    story = Story(tmp_path, lambda name: unconnected(name, 50), expression="udp", datagrams=7)
    assert len(story.truth["datagrams"]) == 7
    assert {record.data[18:20] for record in Archive(story.data[0]).records if record.data[26:30] == bytes((10, 7, 0, 1))} == {b"\0\0"}
    both = together(story.paths)
    [between] = both["between"]
    assert between["datagram-lost"]["count"] == between["datagram-made"]["count"] == 0
    assert between["clock_offset"] is None and between["there"] is None and "lost-between" not in kinds(both)
