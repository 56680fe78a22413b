"""tarcap summary of both ends of connections: what the router between them did is found, and nothing else is claimed."""

import pytest

from archive import Archive, Pcapng, pcap_file
from both import Story, greet, kinds, named, shifted, together, truth_of, upload
from capture import run



@pytest.fixture(scope="module")
def lossy(tmp_path_factory):
    """1,000 segments of an upload are lost between; the client's frames have up to 64 KiB, the server's capture only headers."""
    return Story(tmp_path_factory.mktemp("lossy"), lambda name: upload(name, 32_000_000), server_flags=["--headers"], drop=20, drops=1000)


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """1,000 connections through NAT and an MSS clamp, each reset to the client in the server's name."""
    return Story(tmp_path_factory.mktemp("changed"), lambda name: greet(name, 1000), nat=["10.7.0.1", "10.9.9.9"], mss=1200, resets=1)


def test_each_lost_segment_is_named_with_its_range(lossy):
    both = together(lossy.paths)
    [between] = both["between"]
    assert max(record.length for record in Archive(lossy.data[0]).records) > 10_000
    assert max(record.length for record in Archive(lossy.data[1]).records) <= 1514
    assert len(lossy.truth["dropped"]) == 1000
    assert named(between, "lost") == truth_of(lossy.truth["dropped"])
    assert between["lost"]["count"] == 1000 and between["sent_again_needed"] == 1000
    assert {row["only_in"] for row in between["only_in_one"]} == {"a"}
    assert between["made"]["count"] == between["reset-made"]["count"] == between["not-captured"]["count"] == 0
    assert "lost-between" in kinds(both) and "injected-between" not in kinds(both)


def test_each_forged_reset_is_named_and_what_was_rewritten(changed):
    both = together(changed.paths)
    [between] = both["between"]
    assert between["connections"] == 1000 and between["ambiguous"] == 0
    assert len(changed.truth["made"]) == 1000
    assert named(between, "reset-made") == truth_of(changed.truth["made"])
    assert between["lost"]["count"] == between["made"]["count"] == 0
    rows = {(row["in_a"], row["in_b"], row["mss_in_a"], row["mss_in_b"]): row["connections"] for row in between["rewritten"]}
    assert rows[("10.7.0.1", "10.9.9.9", None, None)] == 1000
    assert {"injected-between", "rewritten", "clock-offset", "path-delay"} <= set(kinds(both))
    assert any({row["mss_in_a"], row["mss_in_b"]} == {1460, 1200} for row in between["rewritten"])


@pytest.mark.parametrize("seconds", [7.5, -0.25, 10_800])
def test_the_clocks_offset_lies_within_its_bound(changed, tmp_path, seconds):
    server = shifted(changed.paths[1], tmp_path / "server.tar", int(seconds * 10**9))
    [between] = together([changed.paths[0], server])["between"]
    offset = between["clock_offset"]
    assert abs(float(offset["seconds"]) - seconds) <= float(offset["bound_seconds"]) + 1e-6 and float(offset["bound_seconds"]) < 0.01
    assert named(between, "reset-made") == truth_of(changed.truth["made"])
    aligned = run("join", "--align", changed.paths[0], server, timeout=60)
    assert aligned.status == 0 and aligned.said("its times are moved"), aligned.err
    times = [record.time for record in Pcapng("x", aligned.out).records]
    assert times == sorted(times) and times[-1] - times[0] < 60 * 10**9


def test_align_says_what_it_cannot_do(changed, tmp_path):
    other = tmp_path / "other.pcap"
    other.write_bytes(pcap_file([(1_800_000_000, 0, bytes(60))]))
    result = run("join", "--align", changed.paths[0], other, timeout=60)
    assert result.status == 0 and result.said("other.pcap: no connection tells its clock")
    alone = run("join", "--align", changed.paths[0])
    assert alone.status == 2 and alone.err == ["tarcap: --align: there is one FILE, and it needs several (see tarcap join --help)"]
    result = run("join", "--align", changed.paths[0], "-", stdin=changed.data[1], timeout=60)
    assert result.status == 2 and "--align reads everything twice" in result.err[-1]


def test_what_a_cut_capture_lacks_is_not_lost(lossy, tmp_path):
    cut = tmp_path / "server.tar"
    cut.write_bytes(lossy.data[1][:len(lossy.data[1]) * 6 // 10])
    both = together([lossy.paths[0], cut], status=1)
    [between] = both["between"]
    lost = named(between, "lost")
    assert 100 < len(lost) < 1000 and set(lost) <= set(truth_of(lossy.truth["dropped"]))
    assert between["made"]["count"] == 0
    assert "does not say what it lost itself" in next(one for one in both["findings"] if one["kind"] == "lost-between")["sentence"]


def test_what_the_kernel_dropped_is_not_captured_and_not_lost(tmp_path):
    """The server's capture stands still while much comes."""
    story = Story(tmp_path, lambda name: upload(name, 12_000_000), server_flags=["-B", "2048"], stopped=1)
    assert not story.truth["dropped"]
    both = together(story.paths)
    [between] = both["between"]
    assert both["captures"][1]["lost"]["dropped_by_kernel"] > 0
    assert between["lost"]["count"] == 0 and between["made"]["count"] == 0 and between["not-captured"]["count"] > 0
    assert "lost-between" not in kinds(both) and "injected-between" not in kinds(both) and "capture-loss" in kinds(both)


def test_captures_without_a_common_connection(changed, tmp_path):
    other = tmp_path / "other.pcap"
    other.write_bytes(pcap_file([(1_800_000_000, 0, bytes(60))]))
    both = together([changed.paths[0], other])
    assert both["between"] == [] and len(both["captures"]) == 2
