"""--raw: one pcap stream, for a program that reads along."""

import re
import resource
import signal
import subprocess
import time

import pytest

from archive import Pcap, pcap_file
from capture import Capture, run
from process import patience, wait_until
from wire import Flood, frame, number_of, numbered


def numbers(data):
    return [number_of(record.data) for record in Pcap("raw", data).records]


def records(count):
    return [(1_800_000_000 + n // 1000, n % 1000 * 1000, frame(n)) for n in range(count)]


def test_the_header_comes_first_and_packets_at_once(wire):
    capture = Capture(wire, "--raw")
    wait_until(lambda: len(capture.out) == 24)
    waits = []
    for number in range(10):
        before, start = len(capture.out), time.monotonic()
        wire.send([frame(number)])
        wait_until(lambda: len(capture.out) > before)
        waits.append(time.monotonic() - start)
    # 100 ms in the ring at most, and 50 ms with us; the machine may have other things to do.
    assert sorted(waits)[5] < 0.25, waits
    result = capture.end()
    assert result.status == 0 and numbers(result.out) == list(range(10))


def test_every_packet_once_and_in_order_under_load(wire):
    capture = Capture(wire, "--raw")
    Flood(wire.a, "tc1", 60_000, 600, per_second=60_000).wait()
    result = capture.end()
    assert result.status == 0 and numbers(result.out) == list(range(60_000))
    assert result.err[-3:] == ["60000 packets captured", "60000 packets received by filter", "0 packets dropped by kernel"]


def test_readers_that_read_along(wire):
    capture = Capture(wire, "--raw", read=False)
    reader = subprocess.Popen(["tcpdump", "-nr", "-", "-c", "20"], stdin=capture.process.stdout, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    capture.process.stdout.close()
    capture.process.stdout = None
    wire.send(numbered(20))
    out, _ = reader.communicate(timeout=5)
    assert out.count("ethertype") == 20
    wire.send(numbered(20))
    assert capture.wait(5).status == 3


@pytest.mark.parametrize("limit, packets", [(["-c", "1000"], 1000), (["--max-bytes", str(500 * 76)], 500)])
def test_limits_are_exact(wire, limit, packets):
    capture = Capture(wire, "--raw", *limit)
    wire.send(numbered(3000))
    result = capture.wait()
    assert result.status == 0 and numbers(result.out) == list(range(packets))


def test_a_file_comes_out_as_it_was(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file(records(5000)))
    result = run("-r", path, "--raw")
    assert result.status == 0 and result.out == path.read_bytes()
    assert numbers(run("-r", path, "--raw", "-c", 7).out) == list(range(7))


def test_without_packets_it_is_an_empty_file(wire):
    assert numbers(Capture(wire, "--raw").end().out) == []


def test_into_a_file(wire, tmp_path):
    capture = Capture(wire, "--raw", "-w", tmp_path / "x.pcap")
    wire.send(numbered(100))
    assert capture.end().status == 0
    assert numbers((tmp_path / "x.pcap").read_bytes()) == list(range(100))


def test_a_full_disk_tears_no_packet(tmp_path):
    path, out = tmp_path / "x.pcap", tmp_path / "out.pcap"
    path.write_bytes(pcap_file(records(5000)))
    result = run("-r", path, "--raw", "-w", out,
                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)))
    check_full(result, len(numbers(out.read_bytes())))


def test_a_full_disk_that_cannot_be_cut_back_counts_what_is_torn(wire, tmp_path):
    """What others have written behind ours is not ours to cut: the last packet stays torn, and counts as lost."""
    path = tmp_path / "x.pcap"
    with path.open("ab") as out:
        capture = Capture(wire, "--raw", stdout=out,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)))
        wait_until(lambda: path.stat().st_size == 24)
        out.write(b"theirs")
        out.flush()
        wire.send(numbered(3000, 1400))
        result = capture.wait(5)
    data = path.read_bytes().replace(b"theirs", b"", 1)
    whole = check_full(result, None)
    assert result.said("behind which a part of the next remains"), result.err
    assert numbers(data[:24 + whole * 1416]) == list(range(whole)) and len(data) == (1 << 20) - 6


def check_full(result, written):
    """What is in the file and what is not is all that was received; how much was written."""
    assert result.status == 1, result.err
    counts = {what: int(number) for number, what in (
        re.match(r"(\d+) packets (.*)", line).groups() for line in result.err if re.match(r"\d+ packets ", line))}
    written = counts["captured"] if written is None else written
    assert counts["captured"] == written and counts["dropped: the output failed"] > 0
    assert counts["received by filter"] == written + counts["dropped: the output failed"]
    assert result.said(f"cannot write after {written} packets", "File too large"), result.err
    return written


def test_a_stuck_reader_and_a_signal(wire):
    """What did leave is whole but for its last record, and the rest is counted."""
    capture = Capture(wire, "--raw", "--memory", "2M", read=False)
    wire.send(numbered(4000, 1500))
    time.sleep(0.5)
    start = time.monotonic()
    result_status = capture.process
    capture.kill(signal.SIGINT)
    assert result_status.wait(8) == 3
    assert 2.5 < time.monotonic() - start < 6.5 * patience()


def test_wait_reader(wire):
    capture = Capture(wire, "--raw", "--wait-reader", stdin=subprocess.PIPE)
    wire.send(numbered(10))
    time.sleep(0.5)
    assert not capture.out
    capture.process.stdin.write(b"\n")
    capture.process.stdin.flush()
    wait_until(lambda: len(capture.out) > 24)
    result = capture.end()
    assert result.status == 0 and numbers(result.out) == list(range(10))


@pytest.mark.parametrize("arguments", [["-W", "2"], ["-C", "1M"], ["-G", "1s"]])
def test_what_does_not_go_together(arguments):
    result = run("--raw", *arguments)
    assert result.status == 2 and len(result.err) == 1 and result.said("--raw")
