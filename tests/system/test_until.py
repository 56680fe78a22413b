"""--until: each event is seen where it is, decides once, and is in the archive; what is none is none."""

import os
import re
import signal
import socket
import struct
import threading
import time

import pytest

from archive import pcap_file
from capture import Capture, run
from odd import EN10MB, PAYLOAD, extension, ipv4, ipv6
from process import patience
from segments import ACK, LINKS, RST, TAG, dns, frame, linked, tcp, udp
from wire import Flood, in_namespace
from wire import udp as datagram

START = 1_800_000_000
KILO = bytes(1000)
HTTP, TLS = b"HTTP/1.1 503 Service Unavailable\r\n\r\n", bytes((21, 3, 3, 0, 2, 2, 48))


class Servers:
    """A web server at 10.9.0.2 that sends as much as it is asked for."""

    def __init__(self, wire):
        self.wire = wire
        wire.addresses()
        self.server = in_namespace(wire.b, lambda: socket.create_server(("10.9.0.2", 80)))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        try:
            while True:
                sock, _ = self.server.accept()
                with sock:
                    size, status = sock.recv(100).split()
                    sock.sendall(b"HTTP/1.1 %b x\r\n\r\n" % status + bytes(int(size)))
        except OSError:
            pass

    def download(self, size, status=200):
        def work():
            with socket.create_connection(("10.9.0.2", 80), 5) as sock:
                sock.sendall(f"{size} {status}".encode())
                while sock.recv(1 << 16):
                    pass
        in_namespace(self.wire.a, work)

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.thread.join(5)


def read(frames, *arguments, link=EN10MB, times=None, status=0):
    times = times or [number / 1000 for number in range(len(frames))]
    data = pcap_file([(START + int(time), round(time % 1 * 10**6), frame) for time, frame in zip(times, frames)], link)
    result = run("-r", "-", *arguments, stdin=data)
    assert result.status == status, result.err
    return result


def events(frames, *arguments, **more):
    """(number of the event's packet, events) of a file that is read to its end."""
    manifest = read(frames, *arguments, "--after", "1d", **more).whole().manifest
    return manifest["event"] and manifest["event"]["packet"], manifest["events"]


# --- what is an event -------------------------------------------------------------------------------------------

def upper(name, version):
    """(protocol, packets that are the event, packets that nearly are)"""
    if name == "reset":
        return 6, [tcp(1, flags=RST), tcp(1, flags=RST | ACK)], [tcp(1, flags=ACK), tcp(1, HTTP)]
    if name == "unreachable":
        kinds = {4: (3, 11), 6: (1, 2, 3)}[version]
        no = {4: (0, 4, 5, 8, 12), 6: (0, 4, 128, 129)}[version]
        return {4: 1, 6: 58}[version], [bytes((kind, 0)) + PAYLOAD for kind in kinds], \
            [bytes((kind, 0)) + PAYLOAD for kind in no]
    if name == "dns-failure":
        return 17, [udp(dns(code), (53, 4000)) for code in (2, 5)], \
            [udp(dns(0), (53, 4000)), udp(dns(3), (53, 4000)), udp(dns(2), (4000, 53)), udp(dns(2, False), (53, 53)),
             udp(dns(2)[:3], (53, 4000)), udp(dns(2), (5353, 4000))]
    if name == "http-5xx":
        return 6, [tcp(1, HTTP), tcp(1, b"HTTP/1.0 500 "), tcp(1, HTTP, options=b"\1\1\1\0")], \
            [tcp(1, b"HTTP/1.1 200 OK"), tcp(1, b"x" + HTTP), tcp(1, b"HTTP/1.1 50"), tcp(1, b"HTTP/2 503 "), tcp(1)]
    return 6, [tcp(1, TLS), tcp(1, TLS + b"more")], \
        [tcp(1, TLS[:6] + b"\0"), tcp(1, TLS[:6]), tcp(1, bytes((21, 3, 3, 0, 26)) + bytes(26)),
         tcp(1, bytes((22, 3, 3, 0, 2, 2, 48))), tcp(1, b"\x15" * 40)]


NAMES = ("reset", "unreachable", "dns-failure", "http-5xx", "tls-alert")


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_seen_on_every_link_type_version_and_tag(name, link):
    for version in (4, 6):
        protocol, those, nearly = upper(name, version)
        for tag in (b"", TAG) if link not in (0, 101, 108, 228) else (b"",):
            frames = [frame(rest, protocol, version, link=link, tag=tag) for rest in nearly + those]
            assert events(frames, "--until", name, link=link) == (len(nearly) + 1, len(those)), (version, tag)
            others = [argument for other in NAMES if other != name for argument in ("--until", other)]
            if name != "http-5xx": # its near misses are none of the others' either
                assert events(frames, *others, link=link)[1] == (name == "reset") * 1, (version, tag)


def test_names_see_through_extensions_and_dns_over_tcp():
    answer = struct.pack("!H", 12) + dns(2)
    frames = [linked(ipv6(0, extension(60) + extension(6) + tcp(1, flags=RST))), frame(tcp(1, answer, ports=(53, 4000)))]
    assert events(frames, "--until", "reset", "--until", "dns-failure") == (1, 2)


def test_what_is_no_transport_header_is_no_event():
    later = linked(ipv4(6, tcp(1, flags=RST), fragment=0x00b9))
    other = [linked(ipv4(protocol, bytes((3, 0)) + PAYLOAD)) for protocol in (47, 58)]
    assert events([later, *other, bytes(14), b"", frame(tcp(1, flags=RST))[:40]],
                  *(argument for name in NAMES for argument in ("--until", name))) == (None, 0)


def test_an_expression_is_what_it_is_as_a_filter():
    frames = [frame(tcp(1, ports=(4000, port)), tag=tag) for port in (1, 2, 3) for tag in (b"", TAG)]
    assert events(frames, "--until", "tcp port 2") == (3, 1)
    assert events(frames, "--until", "vlan and tcp port 2") == (4, 1)
    assert events(frames, "--until", "greater 5000") == (None, 0)


def test_the_first_that_is_asked_for_names_a_packet_that_is_two():
    frames = [frame(tcp(1, HTTP, flags=RST))]
    for order in (["reset", "http-5xx", "tcp"], ["http-5xx", "tcp", "reset"], ["tcp", "reset", "http-5xx"]):
        archive = read(frames, *(word for name in order for word in ("--until", name))).whole()
        assert (archive.manifest["event"]["what"], archive.manifest["events"]) == (order[0], 1)


def test_help_lists_the_names_and_expressions_that_are_filters():
    result = run("--until", "help")
    text = result.out.decode()
    assert result.status == 0 and all(len(line) <= 125 for line in text.splitlines())
    found = re.findall(r"^  (\S+) +(\S.*[\]=].*)$", text, re.M)
    assert [name for name, _ in found if name in NAMES] == list(NAMES)
    for name, expression in found:
        if name in NAMES:
            protocol, those, nearly = upper(name, 4)
            seen = [events([frame(rest, protocol)], "--until", expression)[1] for rest in those + nearly]
            assert seen[:len(those)] == [1] * len(those) and sum(seen[len(those):]) <= 1, (name, seen) # nearly the same


# --- the end ----------------------------------------------------------------------------------------------------

def test_a_file_ends_so_long_after_the_event_by_its_packets():
    frames = [frame(tcp(number)) for number in range(50)]
    frames[10] = frame(tcp(10, flags=RST))
    result = read(frames, "--until", "reset", "--after", "5s", "-G", "1h", times=range(50))
    archive = result.whole()
    assert len(archive.records) == 16 and archive.cause == "event"
    assert archive.manifest["ended_by"]["detail"] == "reset"
    assert result.said("event: reset on stdin, at 2027-01-15T08:00:10", "ends after 5s")
    event = archive.manifest["event"]
    assert (event["time"], event["interface"], event["packet"]) == ("2027-01-15T08:00:10.000000000Z", "stdin", 11)
    assert len(read(frames, "--until", "reset", "--after", 0, times=range(50)).whole().records) == 11
    assert len(read(frames, "--until", "reset", times=range(50)).whole().records) == 21 # 10 s
    shorter = read(frames, "--until", "reset", "--duration", 12, times=range(50)).whole()
    assert (len(shorter.records), shorter.cause) == (12, "duration")


def test_silence_in_a_file_is_between_its_packets():
    frames, times = [frame(tcp(number)) for number in range(6)], [0, 1, 2, 20, 21, 60]
    archive = read(frames, "--until", "silence=10s", "--after", 5, times=times).whole()
    assert len(archive.records) == 3 and archive.cause == "event"
    assert archive.manifest["event"] == {"what": "silence=10s", "time": "2027-01-15T08:00:12.000000000Z",
                                         "interface": None, "member": None, "packet": None}
    assert events(frames, "--until", "silence=10s", "--until", "silence=30s", times=times) == (None, 2)
    assert events(frames, "--until", "silence=30s", times=times) == (None, 1)
    assert read(frames, "--until", "silence=50s", times=times).whole().manifest["event"] is None


def test_the_event_is_in_the_file_and_place_that_the_manifest_tells():
    frames = [frame(tcp(number, KILO)) for number in range(100)]
    frames[57] = frame(tcp(57, KILO, flags=RST))
    for more in ([], ["--format", "pcapng"], ["--compress", "zstd"]):
        archive = read(frames, "--until", "reset", "-s", 2000, "-C", "10k", *more).whole()
        event = archive.manifest["event"]
        [file] = [file for file in archive.files if file.name.partition("/")[2] == event["member"]]
        assert file.records[event["packet"] - 1].data == frames[57] and len(archive.files) > 5


def test_without_an_event_all_is_as_before_and_said():
    result = read([frame(tcp(1))], "--until", "reset")
    archive = result.whole()
    assert archive.manifest["event"] is None and archive.manifest["events"] == 0
    assert archive.cause == "end of file" and result.said("no event came")


def test_event_that_first_would_cut_is_whole():
    frames = [frame(tcp(1 + 1000 * number, KILO)) for number in range(5)]
    frames[3] = frame(tcp(3001, KILO, flags=RST))
    archive = read(frames, "--until", "reset", "--first", 1000).whole()
    assert [record.caplen for record in archive.records] == [1054, 54, 54, 1054, 54]
    assert archive.manifest["cut_by_first"] == {"packets": 3, "bytes": 3000}


def test_with_headers_the_event_alone_is_whole():
    frames = [frame(tcp(1, HTTP if number == 3 else KILO)) for number in range(5)]
    archive = read(frames, "--until", "http-5xx", "--headers").whole()
    assert [record.caplen for record in archive.records] == [54, 54, 54, len(frames[3]), 54]


def test_a_raw_stream_ends_too():
    frames = [frame(tcp(number, flags=RST)) for number in range(5)]
    result = read(frames, "--until", "reset", "--after", 0, "--raw")
    assert len(result.out) == 24 + 16 + len(frames[0])


# --- live -------------------------------------------------------------------------------------------------------

def test_the_very_first_packet_ends_it(wire):
    capture = Capture(wire, "--until", "udp port 5000", "--after", 0)
    wire.send([datagram(1)])
    archive = capture.wait().whole()
    assert archive.cause == "event" and archive.manifest["event"]["packet"] == 1
    assert (archive.manifest["event"]["interface"], archive.manifest["events"]) == ("tc0", 1)
    assert archive.manifest["event"]["member"] == archive.listed()[0]["name"]
    assert [record.data for record in archive.records] == [datagram(1)]


def test_it_goes_on_for_so_long_after_the_first_of_two(wire):
    capture = Capture(wire, "--until", "udp port 5000", "--until", "udp port 5001", "--after", "1s")
    wire.send([datagram(0, 4999), datagram(1)])
    capture.heard("event: udp port 5000 on tc0", "ends in 1s")
    begin = time.monotonic()
    wire.send([datagram(2, 5001), datagram(3, 4999)])
    result = capture.wait()
    assert 0.5 < time.monotonic() - begin < 3 * patience()
    archive = result.whole()
    assert len(archive.records) == 4 and archive.manifest["events"] == 2
    assert (archive.manifest["event"]["what"], archive.manifest["event"]["packet"]) == ("udp port 5000", 2)
    assert result.said("2 events")


def test_a_reset_of_the_kernel_a_failing_server_and_an_unreachable_port(wire):
    servers = Servers(wire)
    try:
        for name, cause in (("reset", lambda: socket.create_connection(("10.9.0.2", 81), 5)),
                            ("http-5xx", lambda: servers.download(10, 503)),
                            ("unreachable", lambda: socket.create_connection(("10.9.0.2", 53), 5))):
            capture = Capture(wire, "--until", name, "--after", 0)
            servers.download(10)
            if name == "unreachable":
                in_namespace(wire.a, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).sendto(
                    b"x", ("10.9.0.2", 9))
            else:
                try:
                    in_namespace(wire.a, cause)
                except ConnectionRefusedError:
                    pass
            assert capture.wait().whole().manifest["event"]["what"] == name
    finally:
        servers.close()


def test_silence_begins_with_the_first_packet(wire):
    capture = Capture(wire, "--until", "silence=500ms", "--after", 0)
    for _ in range(2): # it looks at everything meanwhile
        capture.kill(signal.SIGUSR1)
        time.sleep(0.5)
    assert capture.process.poll() is None and not any("event:" in line for line in capture.err)
    begin = time.monotonic()
    for number in range(5):
        wire.send([datagram(number)])
        time.sleep(0.2)
    last = time.monotonic() - 0.2
    result = capture.wait()
    archive = result.whole()
    assert time.monotonic() - last > 0.5 and time.monotonic() - begin > 1.2
    assert len(archive.records) == 5 and archive.cause == "event"
    assert archive.manifest["event"]["interface"] is archive.manifest["event"]["member"] is None
    assert result.said("event: silence=500ms, at")


def test_silence_is_of_all_interfaces_together(wire):
    wire.addresses()
    capture = Capture(wire, "-i", "lo", "-i", "tc0", "--until", "silence=600ms", "--after", 0)
    for number in range(8):
        if number % 2:
            wire.send([datagram(number)])
        else:
            in_namespace(wire.b, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).sendto(b"", ("127.0.0.1", 9))
        time.sleep(0.3)
    assert capture.process.poll() is None or patience() > 1
    archive = capture.wait().whole()
    assert archive.cause == "event" and archive.accounts()["tc0"]["written"] >= 4


def test_an_event_on_one_of_all_interfaces(wire):
    wire.addresses()
    for format in ("pcap", "pcapng"):
        capture = Capture(wire, "-i", "all", "--until", "udp port 5000", "--after", 0, "--format", format)
        in_namespace(wire.b, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).sendto(b"", ("127.0.0.1", 9))
        wire.send([datagram(1)])
        archive = capture.wait().whole()
        event = archive.manifest["event"]
        assert event["interface"] == "tc0" and archive.records_of("tc0")[event["packet"] - 1].data == datagram(1)


def test_headers_are_cut_in_user_space_and_said(wire):
    capture = Capture(wire, "--headers", "--until", "http-5xx", "--after", "300ms")
    frames = [frame(tcp(1, KILO)), frame(tcp(1001, HTTP)), frame(tcp(2001, HTTP))]
    wire.send(frames)
    result = capture.wait()
    assert [record.caplen for record in result.whole().records] == [54, len(frames[1]), 54]
    assert result.said("--headers", "--until", "cut here")


def test_a_tag_that_the_kernel_took_off_is_there_again(wire):
    for until in ("reset", "vlan and tcp port 443"):
        capture = Capture(wire, "--until", until, "--after", 0)
        sent = frame(tcp(1, flags=RST), tag=TAG)
        wire.send([sent])
        assert [record.data for record in capture.wait().whole().records] == [sent]


def test_the_event_is_found_behind_a_full_ring(wire):
    capture = Capture(wire, "-B", 2048, "--memory", "2M", "--until", "udp port 5000", "--after", 0, read=False)
    flood = Flood(wire.a, "tc1", 20_000, 1400)
    flood.wait(60)
    wire.send([datagram(1)]) # which the kernel drops: the ring is full, and nobody reads
    capture.collect()
    time.sleep(0.5)
    assert not any("event:" in line for line in capture.err)
    wire.send([datagram(2)])
    archive = capture.wait(30).whole()
    assert archive.account["dropped_by_kernel"] > 0 and archive.manifest["events"] >= 1
    event = archive.manifest["event"]
    [file] = [file for file in archive.files if file.name.partition("/")[2] == event["member"]]
    assert file.records[event["packet"] - 1].data == datagram(2)


def test_each_of_very_many_events_is_counted(wire):
    capture = Capture(wire, "--until", "udp port 5000", "--after", "1s", "--compress", "zstd")
    flood = Flood(wire.a, "tc1", 100_000, 60, 100_000, 5000)
    archive = capture.wait(60).whole()
    flood.stop()
    assert archive.manifest["events"] == archive.account["written"] > 1000
    assert archive.manifest["event"]["packet"] == 1 and archive.cause == "event"


def test_a_signal_ends_it_before_the_event(wire):
    capture = Capture(wire, "--until", "reset")
    wire.send([datagram(1)])
    time.sleep(0.3)
    result = capture.end()
    assert result.whole().cause == "signal" and result.said("no event came")


# --- the command line -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, words", [
    (["--until", "rest"], ("--until 'rest'", "did you mean --until reset?")),
    (["--until", "rst"], ("--until 'rst'", "did you mean --until reset?")),
    (["--until", "servfail"], ("did you mean --until dns-failure?",)),
    (["--until", "http-5x"], ("did you mean --until http-5xx?",)),
    (["--until", "silense=5s"], ("did you mean --until silence=30s?",)),
    (["--until", "frobnicate"], ("--until help",)),
    (["--until", "tcp prt 80"], ("--until", "tcp port 80")),
    (["--until", "silence"], ("silence=30s",)),
    (["--until", "silence=0"], ("--until silence", "0")),
    (["--until", "silence=x"], ("--until silence", "x")),
    (["--until", "reset=1"], ("reset takes no value",)),
    (["--until", " "], ("--until help",)),
    (["--after", "5s"], ("--after", "--until")),
    (["-s", "100", "--until", "http-5xx"], ("http-5xx", "-s/--snapshot-length", "100")),
    (["-s", "100", "--until", "reset", "--until", "dns-failure"], ("dns-failure", "100")),
    (["--until", "tcp"] * 17, ("16",)),
])
def test_mistakes_are_told_with_a_way_out(arguments, words):
    result = run("-r", "-", *arguments, stdin=pcap_file([(START, 0, bytes(60))]))
    assert result.status == 2 and result.said(*words), result.err


def test_a_mistake_costs_no_file(tmp_path):
    (tmp_path / "in.pcap").write_bytes(pcap_file([(START, 0, bytes(60))]))
    (tmp_path / "x.tar").write_bytes(b"precious")
    assert run("-r", tmp_path / "in.pcap", "-w", tmp_path / "x.tar", "--until", "rest").status == 2
    assert (tmp_path / "x.tar").read_bytes() == b"precious"


def test_the_ceiling_on_the_snapshot_length_is_named():
    result = run("-i", "lo", "--until", "tls-alert", env={**os.environ, "TARCAP_MAX_SNAPLEN": "96"})
    assert result.status == 2 and result.said("TARCAP_MAX_SNAPLEN", "96")
    assert run("-r", "-", "-s", 60, "--until", "reset", stdin=pcap_file([])).status == 0
