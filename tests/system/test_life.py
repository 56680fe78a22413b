"""How a capture ends, and what it survives: limits, interfaces, disks, and a stdout or stderr that is gone."""

import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

from archive import Archive, Pcap, tar_members
from capture import Capture, run
from process import TARCAP, patience, sh, start_process
from wire import Flood, frame, numbered

MIB = 1 << 20


# --- stdout and stderr ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("interface", ["tc0", "lo"])
def test_stdout_closed(wire, interface):
    """The packet socket must not become standard output: the archive would be sent to the network."""
    wire.ip(wire.b, "link", "set", "lo", "up")
    done = sh("nsenter", f"--net=/run/netns/{wire.b}", "sh", "-c", 'exec "$0" -i "$1" --duration 300ms >&-',
              TARCAP, interface, check=False)
    assert done.returncode in (1, 2), done
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_stdout_closed_reading_a_file(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(8) + b"\x00\x00\x04\x00\x01\x00\x00\x00")
    done = sh("sh", "-c", 'exec "$0" -r "$1" >&-', TARCAP, path, check=False)
    assert done.returncode in (1, 2) and len(done.stderr.splitlines()) == 1, done


def test_stdout_a_terminal(wire):
    master, slave = pty.openpty()
    capture = Capture(wire, stdout=slave, ready=False)
    os.close(slave)
    result = capture.wait(3)
    assert result.status == 2 and len(result.err) == 1
    assert "terminal" in result.err[0] and "> " in result.err[0]
    os.set_blocking(master, False)
    with pytest.raises(OSError):  # EIO or EAGAIN: nothing was written
        assert not os.read(master, 1)
    os.close(master)


def test_stdout_a_terminal_is_no_matter_with_w(wire, tmp_path):
    master, slave = pty.openpty()
    capture = Capture(wire, "-w", tmp_path / "x.tar", stdout=slave)
    wire.send(numbered(10))
    assert capture.end().status == 0
    assert Archive((tmp_path / "x.tar").read_bytes()).check().numbers() == list(range(10))
    os.close(slave)
    os.close(master)


def test_stderr_that_nobody_reads(wire):
    """A full pipe on stderr costs words, not the capture."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while os.write(writer, bytes(4096)):
            pass
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)
    start = time.monotonic()
    process = start_process(["nsenter", f"--net=/run/netns/{wire.b}", TARCAP, "-i", "tc0", "--duration", "1s"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=writer)
    os.close(writer)
    out, _ = process.communicate(timeout=5)
    assert time.monotonic() - start < 2.5 * patience()
    assert process.returncode == 0 and Archive(out).check().cause == "duration"
    os.close(reader)


def test_stderr_whose_reader_has_gone(wire):
    reader, writer = os.pipe()
    os.close(reader)
    process = start_process(["nsenter", f"--net=/run/netns/{wire.b}", TARCAP, "-i", "tc0", "--duration", "500ms"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=writer)
    os.close(writer)
    out, _ = process.communicate(timeout=5)
    assert process.returncode == 0 and Archive(out).check().cause == "duration"


# --- limits with no traffic -------------------------------------------------------------------------------------

def test_duration_with_no_traffic(wire):
    capture = Capture(wire, "--duration", "2s")
    start = time.monotonic()
    archive = capture.wait(5).whole()
    assert 1.5 < time.monotonic() - start < 2.5 * patience()
    assert archive.cause == "duration" and archive.files == []


def test_duration_ends_it_with_a_stuck_reader_too(wire):
    """Then the reader has --stall to come back, and no more."""
    capture = Capture(wire, "--duration", "1s", "--stall", "1500ms", read=False)
    wire.send(numbered(3000, 1500))
    start = time.monotonic()
    assert capture.wait(6).status == 3
    assert time.monotonic() - start < 4 * patience()


def test_idle_costs_nothing(wire):
    capture = Capture(wire)
    time.sleep(0.3)
    capture.rests(3)
    capture.end().whole()


def test_waiting_costs_nothing(wire):
    """Neither with a stuck reader, with the pool full and packets coming, nor with the interface down."""
    capture = Capture(wire, "--memory", "2M", "-C", "300k", "-B", 2048, read=False)
    wire.send(numbered(5000, 1500))
    time.sleep(1.5)
    flood = Flood(wire.a, "tc1", 30_000, 60, per_second=20_000)
    capture.rests(1.5)
    flood.wait()
    capture.collect()
    time.sleep(0.5)
    wire.ip(wire.b, "link", "set", "tc0", "down")
    time.sleep(0.3)
    capture.rests(1.5)
    capture.end().whole()


def test_descriptors_do_not_leak(wire):
    """None is inherited by accident, and a long life opens no more."""
    capture = Capture(wire)
    listing = Path(f"/proc/{capture.pid}/fd")
    before = sorted(os.listdir(listing))
    for number in range(5):
        wire.send(numbered(100))
        capture.kill(signal.SIGUSR2)
        capture.kill(signal.SIGUSR1)
        time.sleep(0.05)
    assert sorted(os.listdir(listing)) == before
    assert len(before) < 10 + 12 # the context's files and its socket
    capture.end().whole()


@pytest.mark.alone
def test_memory_while_the_reader_keeps_up(wire, tmp_path):
    """One or two segments stay hot, whatever the pool could hold; the ring is apart. A file always keeps up."""
    capture = Capture(wire, "-B", 4096, "-w", tmp_path / "x.tar")
    flood = Flood(wire.a, "tc1", 100_000, 1500, per_second=40_000)
    flood.wait()
    assert capture.rss() < (4 + 2 * 4 + 4) * MIB
    assert capture.end().status == 0
    assert Archive((tmp_path / "x.tar").read_bytes()).check().lost() == {}


# --- interfaces -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("where", ["its own end", "the peer"])
def test_interface_removed_with_packets(wire, where):
    capture = Capture(wire)
    wire.send(numbered(500))
    if where == "the peer":
        wire.ip(wire.a, "link", "del", "tc1")
    else:
        wire.ip(wire.b, "link", "del", "tc0")
    archive = capture.wait(3).whole()
    assert archive.cause == "interface gone"
    assert archive.numbers() == list(range(500))
    assert archive.lost() == {}


def test_interface_removed_with_nothing_captured(wire):
    capture = Capture(wire, "udp")
    wire.ip(wire.b, "link", "del", "tc0")
    result = capture.wait(3)
    assert result.status == 4
    assert result.archive().check().cause == "interface gone"


def test_interface_removed_while_down(wire):
    capture = Capture(wire)
    wire.send(numbered(10))
    wire.ip(wire.b, "link", "set", "tc0", "down")
    capture.heard("down")
    wire.ip(wire.b, "link", "del", "tc0")
    assert capture.wait(3).whole().numbers() == list(range(10))


def test_interface_removed_while_the_reader_is_slow(wire):
    capture = Capture(wire, "--memory", "2M", "-C", "300k", read=False)
    wire.send(numbered(5000, 1500))
    time.sleep(0.2)
    wire.ip(wire.b, "link", "del", "tc0")
    time.sleep(1)
    capture.collect()
    archive = capture.wait(5).whole()
    assert archive.numbers() == list(range(5000))


def test_interface_down_and_up_again(wire):
    capture = Capture(wire)
    for first in range(0, 300, 100):
        wire.send(frame(number) for number in range(first, first + 100))
        wire.ip(wire.b, "link", "set", "tc0", "down")
        time.sleep(0.2)
        wire.ip(wire.b, "link", "set", "tc0", "up")
        wire.wait_up()
    wire.send(frame(number) for number in range(300, 400))
    archive = capture.end().whole()
    assert archive.numbers() == list(range(400))
    assert capture.process.returncode == 0


def test_interface_flaps_under_traffic(wire):
    capture = Capture(wire)
    flood = Flood(wire.a, "tc1", 1_000_000, 60, per_second=100_000)
    batch = "link set tc0 down\nlink set tc0 up\n" * 20
    for _ in range(5):
        sh("ip", "-n", wire.b, "-batch", "-", input=batch)
        time.sleep(0.05)
    time.sleep(0.2)
    assert capture.process.poll() is None, capture.err
    flood.stop()
    wire.wait_up()
    wire.send([frame(5_000_000)])
    archive = capture.end().whole()
    assert archive.numbers()[-1] == 5_000_000
    assert archive.numbers() == sorted(set(archive.numbers()))


def test_interface_renamed(wire):
    capture = Capture(wire)
    wire.send(frame(number) for number in range(100))
    for step in (["down"], ["name", "other0"], ["up"]):
        wire.ip(wire.b, "link", "set", "other0" if step == ["up"] else "tc0", *step)
    wire.ip(wire.b, "link", "set", "other0", "arp", "off")
    wire.wait_up("other0")
    wire.send(frame(number) for number in range(100, 200))
    time.sleep(0.2)
    archive = capture.end().whole()
    assert archive.numbers() == list(range(200))
    assert archive.account["name"] == "tc0"


def test_another_interface_takes_the_name(wire):
    capture = Capture(wire)
    wire.send(numbered(10))
    sh("ip", "-n", wire.b, "-batch", "-",
       input="link del tc0\nlink add tc0 type veth peer tc9\nlink set tc9 up\nlink set tc0 up\n")
    archive = capture.wait(3).whole()
    assert archive.cause == "interface gone" and archive.numbers() == list(range(10))


def test_another_interface_takes_the_name_and_the_index(wire):
    """The kernel gives an index again where the one that had it came from another namespace, as a container's does."""
    capture = Capture(wire)
    wire.send(numbered(10))
    capture.kill(signal.SIGSTOP)
    wire.replace("tc0")
    capture.kill(signal.SIGCONT)
    archive = capture.wait(3).whole()
    assert archive.cause == "interface gone" and archive.numbers() == list(range(10))


def test_namespace_deleted(wire):
    """The process keeps the namespace alive, so nothing changes until it ends."""
    capture = Capture(wire)
    wire.send(numbered(10))
    sh("ip", "netns", "del", wire.b)
    wire.send(frame(number) for number in range(10, 20))
    assert capture.end().whole().numbers() == list(range(20))


def test_interface_moved_to_another_namespace(wire):
    capture = Capture(wire)
    wire.send(numbered(10))
    wire.ip(wire.b, "link", "set", "tc0", "netns", wire.a)
    assert capture.wait(3).whole().numbers() == list(range(10))


# --- -w ---------------------------------------------------------------------------------------------------------

def test_w_file(wire, tmp_path):
    path = tmp_path / "x.tar"
    os.umask(0)
    capture = Capture(wire, "-w", path)
    wire.send(numbered(1000))
    result = capture.end()
    os.umask(0o022)
    assert result.status == 0 and result.out == b""
    assert Archive(path.read_bytes()).check().numbers() == list(range(1000))
    assert path.stat().st_mode & 0o7777 == 0o600


def test_w_file_replaces_a_longer_one(wire, tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(b"x" * MIB)
    assert Capture(wire, "-w", path).end().status == 0
    Archive(path.read_bytes()).check()


def test_w_does_not_touch_the_file_when_it_cannot_capture(wire, tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(b"precious")
    assert run("-i", "nosuch0", "-w", path, namespace=wire.b).status == 1
    assert run("-i", "tc0", "-w", path, "this is no filter", namespace=wire.b).status == 2
    assert path.read_bytes() == b"precious"


@pytest.mark.parametrize("path", ["/dev/full", "/nonexistent/x.tar", "/"])
def test_w_that_cannot_be_written(wire, path):
    capture = Capture(wire, "-w", path, "-q", ready=False)
    result = capture.wait(3)
    assert result.status == 1 and len(result.err) == 1, result.err


def test_disk_full(wire, tmp_path):
    """A file system of 1 MiB that only this process sees."""
    capture = Capture(wire, "-w", tmp_path / "x.tar", "-q", "-C", "300k", ready=False, before=[
        "unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o size=1m none "{tmp_path}" && exec "$0" "$@"'])
    capture.listens()
    wire.send(numbered(5000, 1500))
    result = capture.wait(5)
    assert result.status == 1
    # It gives the reason; above all nothing puts it on a reader.
    assert "No space left" in result.err[-1] and not result.said("reader"), result.err


def test_w_fifo_without_a_reader_can_be_ended(wire, tmp_path):
    """Opening it waits for a reader, who may never come."""
    os.mkfifo(tmp_path / "fifo")
    capture = Capture(wire, "-w", tmp_path / "fifo", ready=False)
    time.sleep(0.5)
    if capture.process.poll() is None:
        capture.kill(signal.SIGTERM)
    assert capture.process.wait(3) is not None


def test_w_fifo_with_a_reader(wire, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    cat = start_process(["cat", tmp_path / "fifo"], stdout=subprocess.PIPE)
    capture = Capture(wire, "-w", tmp_path / "fifo", "-c", 100)
    wire.send(numbered(100))
    out, _ = cat.communicate(timeout=10)
    assert capture.wait().status == 0
    assert Archive(out).check().numbers() == list(range(100))


# --- what is on the wire when it is cut -------------------------------------------------------------------------

def test_a_killed_capture_leaves_complete_members(wire):
    """SIGKILL at any moment: what has arrived is whole members and at most one that is cut."""
    capture = Capture(wire, "-s", 64, "-C", "4k")
    flood = Flood(wire.a, "tc1", 100_000, 60, per_second=100_000)
    time.sleep(0.4)
    capture.kill(signal.SIGKILL)
    out = capture.wait().out
    flood.stop()
    members, _ = tar_members(out)
    numbers = [int.from_bytes(record.data[14:18], "big") for name, data, _ in members if name.endswith(".pcap")
               for record in Pcap(name, data).records]
    assert len(numbers) > 1000 and numbers == list(range(len(numbers)))
