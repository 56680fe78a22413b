"""Ceilings from the environment, and what a capture is told about itself: --reason."""

import json
import os
import re
import time

import pytest

from archive import Archive, pcap_file
from capture import Capture, run
from process import patience
from wire import frame, numbered

MIB = 1 << 20
VARIABLES = ["TARCAP_MAX_DURATION", "TARCAP_MAX_BYTES", "TARCAP_MAX_SNAPLEN", "TARCAP_MAX_MEMORY"]


def with_ceiling(**ceilings):
    return {"env": {**os.environ, **{f"TARCAP_MAX_{name}": str(value) for name, value in ceilings.items()}}}


def readiness(capture):
    [line] = [line for line in capture.err if "listening on" in line]
    return line


def refused(wire, *arguments, words=(), **ceilings):
    result = run("-i", "tc0", "--duration", "0" if "--duration" not in arguments else "1s", *arguments,
                 namespace=wire.b, timeout=5, **with_ceiling(**ceilings))
    assert result.status == 2 and result.out == b"", (result.status, result.err)
    [line] = result.err
    assert line.startswith("tarcap: ") and all(str(word) in line for word in words), line
    return line


# --- a default is lowered, and said -----------------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [[], ["--duration", "0"]])
def test_duration_is_lowered(wire, arguments):
    capture = Capture(wire, *arguments, **with_ceiling(DURATION="1s"))
    assert "ends after 1s (TARCAP_MAX_DURATION) or 1G;" in readiness(capture)
    start = time.monotonic()
    archive = capture.wait(4).whole()
    assert 0.8 < time.monotonic() - start < 2 * patience()
    assert archive.cause == "duration"
    assert archive.manifest["limits"]["duration_seconds"] == archive.capture["limits"]["duration_seconds"] == 1


def test_the_words_are_those_of_the_manual(wire):
    capture = Capture(wire, **with_ceiling(DURATION="10s"))
    assert "ends after 10s (TARCAP_MAX_DURATION) or 1G" in readiness(capture)
    capture.end().whole()


@pytest.mark.parametrize("arguments", [[], ["--max-bytes", "0"]])
def test_bytes_are_lowered(wire, arguments):
    capture = Capture(wire, *arguments, **with_ceiling(BYTES=100 * 76 + 5))
    assert "ends after 5m or 7605 (TARCAP_MAX_BYTES);" in readiness(capture)
    wire.send(numbered(200))
    archive = capture.wait(3).whole()
    assert archive.numbers() == list(range(100)) and archive.cause == "byte limit"


@pytest.mark.parametrize("arguments", [[], ["-s", "0"]])
def test_snaplen_is_lowered(wire, arguments):
    capture = Capture(wire, *arguments, **with_ceiling(SNAPLEN=96))
    assert "snapshot length 96 bytes (TARCAP_MAX_SNAPLEN);" in readiness(capture)
    wire.send(numbered(50, 400))
    archive = capture.end().whole()
    assert [(record.caplen, record.length) for record in archive.records] == [(96, 400)] * 50
    assert archive.capture["interfaces"][0]["snapshot_length"] == archive.files[0].snaplen == 96


def test_a_ceiling_above_the_default_changes_nothing(wire):
    capture = Capture(wire, **with_ceiling(DURATION="1h", BYTES="100G", SNAPLEN=262144, MEMORY="1G"))
    line = readiness(capture)
    assert "TARCAP_MAX" not in line and "ends after 5m or 1G; ring 32M, pool 16M" in line
    capture.end().whole()


def test_all_at_once(wire):
    capture = Capture(wire, **with_ceiling(DURATION="2s", BYTES="1M", SNAPLEN=64, MEMORY="8M"))
    line = readiness(capture)
    assert all(name in line for name in VARIABLES), line
    wire.send(numbered(20, 300))
    archive = capture.wait(4).whole()
    assert archive.cause == "duration" and {record.caplen for record in archive.records} == {64}


# --- a flag -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("flag, value, ceiling, shown", [
    ("--duration", "11s", {"DURATION": "10s"}, ("11s", "10s")),
    ("--duration", "11s", {"DURATION": "10"}, ("11s", "10s")),
    ("--duration", "10001ms", {"DURATION": "10s"}, ("10001ms", "10s")),
    ("--max-bytes", "2G", {"BYTES": "1G"}, ("2G", "1G")),
    ("--max-bytes", "1048577", {"BYTES": "1M"}, ("1048577", "1M")),
    ("-s", "97", {"SNAPLEN": "96"}, ("97", "96")),
    ("--snapshot-length", "262144", {"SNAPLEN": "96"}, ("262144", "96")),
])
def test_flag_above_its_ceiling_is_refused(wire, flag, value, ceiling, shown):
    [name] = ceiling
    refused(wire, flag, value, words=(flag, f"TARCAP_MAX_{name}", *shown), **ceiling)


def test_flags_up_to_their_ceilings_are_honoured(wire):
    for duration, size, snaplen in (("2s", "2M", 90), ("1s", "1M", 89), ("1500ms", "1k", 1)):
        capture = Capture(wire, "--duration", duration, "--max-bytes", size, "-s", snaplen,
                          **with_ceiling(DURATION="2s", BYTES="2M", SNAPLEN=90))
        line = readiness(capture)
        assert "TARCAP_MAX" not in line
        assert f"snapshot length {snaplen} bytes" in line and f"ends after {duration} or {size};" in line
        capture.end().whole()


def test_the_last_of_two_flags_counts(wire):
    refused(wire, "--max-bytes", "1M", "--max-bytes", "1G", words=["--max-bytes 1G"], BYTES="2M")
    capture = Capture(wire, "--max-bytes", "1G", "--max-bytes", "1M", **with_ceiling(BYTES="2M"))
    capture.end().whole()


def test_none_does_not_lift_a_ceiling(wire):
    """Not even as the last of two."""
    capture = Capture(wire, "--max-bytes", "1M", "--max-bytes", "0", **with_ceiling(BYTES="2M"))
    assert "2M (TARCAP_MAX_BYTES)" in readiness(capture)
    capture.end().whole()


# --- a ceiling that means nothing -------------------------------------------------------------------------------

BAD = ["", " ", "x", "-1", "+1", "0", "0s", "1 0", "1,5", "10q", "0x10", "1e3", "99999999999999999999999",
       "18446744073709551616", "10 s", "ten", "\u0661", "1k\n"]


@pytest.mark.parametrize("variable", VARIABLES)
def test_ceiling_that_cannot_be_parsed(wire, variable):
    for text in BAD:
        line = refused(wire, words=[variable], **{variable.removeprefix("TARCAP_MAX_"): text})
        assert "allowed is" in line


@pytest.mark.parametrize("variable, texts", [
    ("TARCAP_MAX_MEMORY", ["1", "4095k", "3M", "3G", "17179869184G", "5s"]),
    ("TARCAP_MAX_SNAPLEN", ["262145", "64k", "96 "]),
    ("TARCAP_MAX_DURATION", ["9000h", "1M", "18446744073710"]),
    ("TARCAP_MAX_BYTES", ["17179869184G", "1m0"]),
])
def test_ceiling_out_of_range(wire, variable, texts):
    for text in texts:
        refused(wire, words=[variable], **{variable.removeprefix("TARCAP_MAX_"): text})


def test_bad_ceiling_does_not_keep_the_help_away(wire):
    for flag in ("--help", "--version"):
        result = run(flag, **with_ceiling(MEMORY="16M", DURATION="1s"))
        assert result.status == 0 and result.out


# --- memory -----------------------------------------------------------------------------------------------------

RINGS, POOLS = [None, 2048, 4096, 16384, 65536], ["", "2M", "4M", "16M", "64M"]
UNITS = {"": 0, "k": 10, "M": 20, "G": 30}


def size(text):
    number, unit = re.fullmatch(r"(\d+)([kMG]?)", text).groups()
    return int(number) << UNITS[unit]


@pytest.mark.parametrize("ceiling", ["4M", "16M", "48M", "100M"])
def test_memory_of_ring_and_pool(wire, ceiling):
    """Every combination: what is asked for is had, or refused; the rest fits below the ceiling."""
    limit = size(ceiling)
    for ring in RINGS:
        for pool in POOLS:
            arguments = (["-B", ring] if ring else []) + (["--memory", pool] if pool else [])
            asked = (ring or 0) * 1024 + (size(pool) if pool else 0)
            least = asked + (0 if ring else 2 * MIB) + (0 if pool else 2 * MIB)
            if least > limit:
                words = ["TARCAP_MAX_MEMORY", ceiling] + (["-B"] if ring else []) + (["--memory"] if pool else [])
                refused(wire, *arguments, words=words, MEMORY=ceiling)
                continue
            capture = Capture(wire, *arguments, **with_ceiling(MEMORY=ceiling))
            line = readiness(capture)
            archive = capture.end().whole()
            memory = archive.manifest["memory"]
            total = memory["ring_bytes"] + memory["pool_bytes"]
            assert total <= limit, (arguments, memory)
            if ring:
                assert memory["ring_bytes"] >= 0.8 * ring * 1024, (arguments, memory)
            if pool:
                assert memory["pool_bytes"] >= 0.8 * size(pool), (arguments, memory)
            said = re.search(r"ring (\w+), pool (\w+), context 1M( \(TARCAP_MAX_MEMORY\))?$", line)
            assert (size(said[1]), size(said[2])) == (memory["ring_bytes"], memory["pool_bytes"])
            default = (ring * 1024 if ring else 32 * MIB) + (size(pool) if pool else 16 * MIB)
            assert bool(said[3]) == (default > limit), (arguments, line)
            # What is there is used, not given away: most of it, when the defaults would take more.
            if default > limit:
                assert total >= 0.7 * limit, (arguments, memory)


def test_memory_is_really_that_small(wire):
    capture = Capture(wire, "-C", "512k", read=False, **with_ceiling(MEMORY="6M"))
    wire.send(numbered(10_000, 1400))
    time.sleep(0.5)
    assert capture.rss() <= (6 + 4) * MIB
    capture.collect()
    archive = capture.end().whole()
    assert archive.account["dropped_by_kernel"] > 0


def test_memory_has_a_ceiling_without_the_variable(wire):
    line = refused(wire, "-B", "262144", words=["-B/--buffer-size", "256M", "TARCAP_MAX_MEMORY"])
    assert "the ceiling" in line and "its default" in line
    refused(wire, "--memory", "256M", words=["--memory", "256M"])
    refused(wire, "-B", "131072", "--memory", "129M", words=["-B", "--memory", "256M"])
    capture = Capture(wire, "-B", "262144", **with_ceiling(MEMORY="300M"))
    assert capture.end().whole().manifest["memory"]["ring_bytes"] >= 200 * MIB


def test_what_is_refused_is_said_to_be_above_what_it_is_above(wire):
    """The line has to be true: 15M is not above 16M, and what is missing is the other part's share."""
    for arguments, value in ((["-B", 15 * 1024], "15M"), (["-B", 16 * 1024], "16M"), (["--memory", "15M"], "15M")):
        line = refused(wire, *arguments, MEMORY="16M")
        assert not re.search(rf"{value}: above the ceiling TARCAP_MAX_MEMORY, 16M$", line), line


def test_segment_size_with_a_lowered_pool(wire):
    """-C that fits the default pool, but not what the ceiling leaves of it: the line must say whose limit it is."""
    line = refused(wire, "-C", "4M", MEMORY="16M")
    assert "-C/--segment-size 4M" in line and "TARCAP_MAX_MEMORY" in line, line


def test_segment_size_follows_a_lowered_pool(wire):
    capture = Capture(wire, **with_ceiling(MEMORY="4M"))
    for first in range(0, 3000, 100):  # a ring of 2M holds no burst
        wire.send(frame(number, 1400) for number in range(first, first + 100))
        time.sleep(0.01)
    archive = capture.end().whole()
    assert archive.numbers() == list(range(3000))
    assert archive.manifest["memory"]["segment_bytes"] == 512 * 1024
    assert max(len(file.data) for file in archive.files) <= 512 * 1024


# --- reading a file ---------------------------------------------------------------------------------------------

def test_only_memory_counts_for_a_file(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(1000 + number, 0, frame(number, 300)) for number in range(100)]))
    ceilings = {"DURATION": "1s", "BYTES": "100", "SNAPLEN": "64"}
    archive = run("-r", path, **with_ceiling(**ceilings)).whole()
    assert [record.data for record in archive.records] == [frame(number, 300) for number in range(100)]
    run("-r", path, "--duration", "2h", "--max-bytes", "2G", "-s", "200", **with_ceiling(**ceilings)).whole()
    archive = run("-r", path, **with_ceiling(MEMORY="4M")).whole()
    assert archive.manifest["memory"]["pool_bytes"] <= 4 * MIB
    assert run("-r", path, "--memory", "5M", **with_ceiling(MEMORY="4M")).status == 2
    assert run("-r", path, "--memory", "257M").status == 2
    run("-r", path, "--memory", "256M").whole()


# --- --reason ---------------------------------------------------------------------------------------------------

ODD = ['say "cheese"', "back\\slash \\u0041 \\", "tab\tline\nbell\x07 del\x7f", "}],{", "\u00e9 \u20ac \U0001f40b",
       "%s%n%d", "'; rm -rf /", "\u2028\u202e", "x" * 1000, "\u20ac" * 333]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_reason_is_recorded(tmp_path, text):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(1, 0, frame(0))]))
    archive = run("-r", path, "--reason", text).whole()
    assert archive.capture["reason"] == archive.manifest["reason"] == text


@pytest.mark.parametrize("text", [b"\xff\xfe", b"caf\xe9", b"\xc3", b"\xed\xa0\x80", b"ok\xf4\x90\x80\x80"])
def test_reason_that_is_no_utf8_breaks_nothing(tmp_path, text):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(1, 0, frame(0))]))
    archive = run("-r", path, "--reason", text).whole()
    expected = "".join(chr(byte) if byte < 0x80 else "?" for byte in text)
    assert archive.capture["reason"] == archive.manifest["reason"] == expected


def test_no_reason_is_null(wire):
    archive = Capture(wire).end().whole()
    assert archive.capture["reason"] is None and archive.manifest["reason"] is None


def test_reason_of_a_live_capture_is_there_from_the_start(wire):
    capture = Capture(wire, "--reason", "ticket 42")
    time.sleep(0.2)
    assert json.loads(bytes(capture.out)[512:].split(b"\0")[0])["reason"] == "ticket 42"
    assert capture.end().whole().manifest["reason"] == "ticket 42"


@pytest.mark.parametrize("text", ["x" * 1001, "\u20ac" * 334, "", "x" * 100_000])
def test_reason_too_long_or_empty(wire, text):
    line = refused(wire, "--reason", text, words=["--reason"])
    assert len(line) < 300
    if text:
        assert "1000 bytes" in line


def test_reason_fits_with_everything_else(tmp_path):
    """The worst that has to be escaped, everywhere at once."""
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(1, 0, frame(0))]))
    archive = run("-r", path, "--reason", "\x01" * 1000, "--name", "n" * 64, "ether" + "\t" * 50_000 + "proto 0x88b5")
    assert Archive(archive.out).check().capture["reason"] == "\x01" * 1000
