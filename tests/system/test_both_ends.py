"""tarcap summary of both ends of connections: what the router between them did is found, and nothing else is claimed."""

import json
import signal
import socket
import struct
import threading
import time

import pytest

from archive import Archive, Pcapng, pcap_file
from between import Ends
from capture import Capture, run
from schema import check_together
from wire import in_namespace


def listener(name):
    def make():
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("10.8.0.2", 80))
        sock.listen(2000)
        return sock
    return in_namespace(name, make)


def serve(sock):
    """Reads all that comes, of any number of connections one after the other, and answers with a word."""
    def work():
        while True:
            try:
                connection, _ = sock.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection):
        with connection:
            try:
                while connection.recv(1 << 16):
                    pass
                connection.sendall(b"thanks")
            except OSError:
                pass
    threading.Thread(target=work, daemon=True).start()


def client(name):
    return in_namespace(name, socket.socket)


def upload(name, size):
    with client(name) as sock:
        sock.settimeout(120)
        sock.connect(("10.8.0.2", 80))
        sock.sendall(bytes(size))
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100) == b"thanks"


def greet(name, count):
    """So many short connections; one that is reset is as good."""
    for _ in range(count):
        with client(name) as sock:
            sock.settimeout(20)
            try:
                sock.connect(("10.8.0.2", 80))
                sock.sendall(b"hello")
                sock.shutdown(socket.SHUT_WR)
                sock.recv(100)
            except OSError:
                pass


class Story:
    """What both captures have, in files, and what the router did."""

    def __init__(self, directory, work, client_flags=(), server_flags=(), stopped=None, **orders):
        ends = Ends()
        try:
            sock = listener(ends.server)
            serve(sock)
            captures = [Capture(None, *flags, "tcp", namespace=name, interface="e0")
                        for name, flags in ((ends.client, client_flags), (ends.server, server_flags))]
            ends.route(**orders)
            if stopped is not None:
                captures[stopped].kill(signal.SIGSTOP)
            work(ends.client)
            if stopped is not None:
                captures[stopped].kill(signal.SIGCONT)
                time.sleep(1.5)  # of the capture's own time: what ends sooner may not have come
                greet(ends.client, 1)
            # The router last: what it does not pass on because it has ended would be lost, and not be in its record.
            self.data = [capture.end().out for capture in captures]
            self.truth = ends.truth()
            sock.close()
        finally:
            ends.close()
        self.paths = [directory / "client.tar", directory / "server.tar"]
        for path, data in zip(self.paths, self.data):
            path.write_bytes(data)


def together(paths, status=0):
    result = run("summary", "--json", *paths, timeout=60)
    assert result.status == status, result.err
    both = check_together(json.loads(result.out))
    page = run("summary", *paths, timeout=60).out.decode("ascii")
    assert max(map(len, page.splitlines())) <= 100
    return both


def ends_of(row):
    return (row["connection"]["from"], row["connection"]["to"], row["sequence"], row["bytes"])


def truth_of(rows):
    return sorted((f"{source}:{port}", f"{target}:{other}", sequence, length) for source, port, target, other, sequence, length in rows)


def kinds(both):
    return [finding["kind"] for finding in both["findings"]]


def named(between, kind):
    return sorted(ends_of(row) for row in between["only_in_one"] if row["kind"] == kind)


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


def shifted(path, target, nanoseconds):
    """The same capture by a clock that is off."""
    records = []
    for record in Archive(path.read_bytes()).records:
        time = record.time + nanoseconds
        records.append((time // 10**9, time % 10**9 // 1000, record.data, record.length))
    target.with_suffix(".pcap").write_bytes(pcap_of_lengths(records))
    target.write_bytes(run("-r", target.with_suffix(".pcap"), "--name", "server", timeout=60).out)
    return target


def pcap_of_lengths(records):
    head = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1)
    return head + b"".join(struct.pack("<IIII", seconds, micro, len(data), length) + data for seconds, micro, data, length in records)


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
    assert run("join", "--align", changed.paths[0]).status == 2
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
