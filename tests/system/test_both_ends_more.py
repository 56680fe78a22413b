"""tarcap summary of more than two captures, of one that begins in mid-stream, and of connections that may be each other."""

import pytest

from archive import Archive
from both import Story, greet, kinds, named, rewritten, talk, together, truth_of, upload
from capture import run


def to_third(time, data):
    """As a third place behind the second has it, 20 ms later."""
    data[22] -= 1
    return time + 20_000_000 * (1 if data[26:30] == bytes((10, 7, 0, 1)) else -1), data


@pytest.fixture(scope="module")
def lossy(tmp_path_factory):
    return Story(tmp_path_factory.mktemp("more"), lambda name: (upload(name, 3_000_000), talk(name, 50, answered=True)), expression="tcp or udp",
                 drop=20, drops=100, datagrams=10)


def test_three_captures_are_compared_two_by_two(lossy, tmp_path):
    """What is lost before the second is lost between the first and the third, too; nothing is between the second and the third."""
    third = rewritten(lossy.paths[1], tmp_path / "third.tar", "third", to_third)
    both = together([*lossy.paths, third])
    pairs = {(row["a"], row["b"]): row for row in both["between"]}
    assert sorted(pairs) == [("client.tar", "server.tar"), ("client.tar", "third.tar"), ("server.tar", "third.tar")]
    for names, lost in (("client.tar", "server.tar"), True), (("client.tar", "third.tar"), True), (("server.tar", "third.tar"), False):
        row = pairs[names]
        assert row["connections"] == row["udp_conversations"] == 1
        assert named(row, "lost") == (truth_of(lossy.truth["dropped"]) if lost else [])
        assert row["datagram-lost"]["count"] == (len(lossy.truth["datagrams"]) if lost else 0)
        assert row["made"]["count"] == row["datagram-made"]["count"] == 0
        assert row["clock_offset"] is not None
    last = pairs["server.tar", "third.tar"]
    assert abs(float(last["there"]["p50_seconds"]) - 0.02) <= float(last["clock_offset"]["bound_seconds"])
    assert abs(float(last["each"][0]["there_and_back"]["p50_seconds"]) - 0.04) < 0.001


def test_a_capture_that_begins_in_mid_stream_lacks_nothing(lossy, tmp_path):
    times = [record.time for record in Archive(lossy.data[1]).records]
    begin = times[len(times) // 3]
    later = rewritten(lossy.paths[1], tmp_path / "later.tar", "later", lambda time, data: (time, data) if time >= begin else None)
    both = together([lossy.paths[0], later])
    [between] = both["between"]
    lost, truth = named(between, "lost"), truth_of(lossy.truth["dropped"])
    assert 20 < len(lost) < len(truth) and set(lost) <= set(truth)
    assert between["made"]["count"] == 0 and between["not_judged"] > 0 and "injected-between" not in kinds(both)


def test_connections_that_may_be_each_other_are_not_compared(tmp_path):
    """The server's capture has each connection twice, from two addresses: which one is the client's?"""
    story = Story(tmp_path, lambda name: greet(name, 5), nat=["10.7.0.1", "10.9.9.9"])

    def twin(time, data):
        for at in (26, 30):
            if data[at:at + 4] == bytes((10, 9, 9, 9)):
                data[at + 3] = 8
        return time + 1_000_000, data

    second = rewritten(story.paths[1], tmp_path / "twin.tar", "twin", twin)
    merged = tmp_path / "merged.pcapng"
    merged.write_bytes(run("join", story.paths[1], second, timeout=60).out)
    whole = together(story.paths)["between"][0]
    assert whole["connections"] == 5 and whole["ambiguous"] == 0 and whole["rewritten"]
    both = together([story.paths[0], merged])
    [between] = both["between"]
    assert between["connections"] == 0 and between["ambiguous"] == 10
    assert between["clock_offset"] is None and between["rewritten"] == between["only_in_one"] == between["each"] == []
    assert not {"lost-between", "injected-between", "rewritten", "clock-offset"} & set(kinds(both))


def port_of(data):
    """The client's: of a TCP segment, whoever sent it."""
    ports = int.from_bytes(data[34:36], "big"), int.from_bytes(data[36:38], "big")
    return ports[0] if ports[1] == 80 else ports[1]


def without(story, tmp_path, ports, until=1 << 63, there=None):
    """Connections that never came through: the client's capture has their SYN alone, the server's nothing of them (there: its
    names of them, where they are others); its end."""
    def client(time, data):
        return (time, data) if data[23] != 6 or port_of(data) not in ports or data[47] == 2 else None

    def server(time, data):
        return (time, data) if time < until and (data[23] != 6 or port_of(data) not in (ports if there is None else there)) else None
    return [rewritten(story.paths[0], tmp_path / "client.tar", "client", client),
            rewritten(story.paths[1], tmp_path / "server.tar", "server", server)]


def ports_of(story, which=0):
    ports = [port_of(record.data) for record in Archive(story.data[which]).records if record.data[23] == 6 and record.data[47] == 2]
    assert len(set(ports)) == len(ports) > 5
    return ports


def test_a_connection_that_never_came_through_is_lost(tmp_path):
    (tmp_path / "cut").mkdir()
    story = Story(tmp_path, lambda name: greet(name, 8))
    ports = ports_of(story)
    both = together(without(story, tmp_path / "cut", ports[2:5]))
    [between] = both["between"]
    assert between["connections"] == len(ports) - 3 and between["connections_lost"] == between["lost"]["count"] == 3
    assert [(source, target, length) for source, target, _, length in named(between, "lost")] == \
        sorted((f"10.7.0.1:{port}", "10.8.0.2:80", 1) for port in ports[2:5])
    [finding] = [finding for finding in both["findings"] if finding["kind"] == "lost-between"]
    assert "3 connections never got there" in finding["sentence"]


def test_a_connection_that_another_name_may_have_is_not_lost(tmp_path):
    """Behind a NAT the server's capture may have it by another name."""
    (tmp_path / "cut").mkdir()
    story = Story(tmp_path, lambda name: greet(name, 8), nat=["10.7.0.1", "10.9.9.9"])
    for there in [], ports_of(story, 1)[2:5]:
        [between] = together(without(story, tmp_path / "cut", ports_of(story)[2:5], there=there))["between"]
        assert between["connections"] == 5 and between["ambiguous"] == (0 if there else 3)
        assert between["connections_lost"] == between["lost"]["count"] == 0


def test_a_connection_that_looks_other_there_is_not_lost(tmp_path):
    """Something between made its sequence numbers anew: it has no pair, and is there all the same."""
    (tmp_path / "cut").mkdir()
    story = Story(tmp_path, lambda name: greet(name, 8))
    ports = ports_of(story)[2:5]
    client, _ = without(story, tmp_path / "cut", ports)

    def anew(time, data):
        if data[23] == 6 and port_of(data) in ports:
            data[38] ^= 0x40
            data[42] ^= 0x40
        return time, data
    [between] = together([client, rewritten(story.paths[1], tmp_path / "anew.tar", "anew", anew)])["between"]
    assert between["connections"] == 5 and between["connections_lost"] == between["lost"]["count"] == 0


def test_a_connection_behind_the_end_of_the_other_capture_is_not_lost(tmp_path):
    (tmp_path / "cut").mkdir()
    story = Story(tmp_path, lambda name: greet(name, 8))
    ports = ports_of(story)
    [begin] = [record.time for record in Archive(story.data[0]).records
               if record.data[23] == 6 and record.data[47] == 2 and port_of(record.data) == ports[-1]]
    [between] = together(without(story, tmp_path / "cut", ports[-1:], until=begin))["between"]
    assert between["connections_lost"] == between["lost"]["count"] == 0 and between["not_judged"] > 0
