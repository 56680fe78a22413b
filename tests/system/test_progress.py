"""The live line on a terminal: a real one (a pty), whose bytes are put on a screen as a terminal would."""

import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest

from archive import Archive, pcap_file
from capture import Capture
from process import TARCAP, start_process, wait_until
from wire import Flood, frame, numbered

LIVE = re.compile(r"(\d+:\d\d)( of (\d+:\d\d))?(, .*)?$")


class Screen:
    """Rows of so many columns. Knows printable characters, \\r and \\n; whatever else comes is an error."""

    def __init__(self, columns):
        self.columns, self.rows, self.row, self.column = columns, [""], 0, 0
        self.seen = []  # every state of the bottom row, before it was overwritten

    def write(self, data):
        for byte in data:
            if byte == 13:
                self.note()
                self.column = 0
            elif byte == 10:
                self.row += 1
                if self.row == len(self.rows):
                    self.rows.append("")
            else:
                assert 32 <= byte < 127, f"a terminal was sent {byte}: {data}"
                self.put(chr(byte))

    def put(self, character):
        if self.column == self.columns:
            self.row, self.column = self.row + 1, 0
            if self.row == len(self.rows):
                self.rows.append("")
        text = self.rows[self.row].ljust(self.column)
        self.rows[self.row] = text[:self.column] + character + text[self.column + 1:]
        self.column += 1

    def note(self):
        text = self.rows[self.row].rstrip()
        if text and (not self.seen or self.seen[-1] != text):
            self.seen.append(text)

    def text(self):
        rows = [row.rstrip() for row in self.rows]
        while rows and not rows[-1]:
            rows.pop()
        return rows


class Terminal:
    """tarcap with a terminal as its stderr. What it says there is on .screen, as far as it was read()."""

    def __init__(self, wire, *arguments, columns=400, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, setup=None):
        self.master, self.slave = pty.openpty()
        self.screen = Screen(columns)
        self.resize(columns)
        if setup:
            setup(self)
        where = ["nsenter", f"--net=/run/netns/{wire.b}"] if wire else []
        words = [TARCAP, *(["-i", "tc0"] if wire else []), *map(str, arguments)]
        self.process = start_process([*where, *words], stdin=stdin, stdout=stdout, stderr=self.slave)
        self.all = b""

    def resize(self, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
        self.screen.columns = columns
        self.screen.rows = [row[:columns] for row in self.screen.rows]  # as xterm does

    def read(self, seconds=0.0):
        """What comes in that time."""
        end = time.monotonic() + seconds
        while select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
            data = os.read(self.master, 65536)
            self.all += data
            self.screen.write(data)

    def until(self, condition, timeout=5):
        def met():
            self.read()
            return condition()
        wait_until(met, timeout, "that on the screen")

    def bottom(self):
        return self.screen.rows[self.screen.row].rstrip()

    def listens(self):
        self.until(lambda: any("listening on" in row for row in self.screen.rows))

    def end(self, number=signal.SIGINT):
        if number:
            self.process.send_signal(number)
        self.until(lambda: self.process.poll() is not None, 10)
        self.read()
        return self.process.returncode

    def close(self):
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminal(wire):
    made = []

    def make(*arguments, **more):
        made.append(Terminal(more.pop("wire", wire), *arguments, **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


def plain(rows):
    """Lines that two runs of the same have in common."""
    return [re.sub(r"asked for by .*", "asked for", row) for row in rows]


def test_the_line_is_rewritten_and_gone_at_the_end(wire, terminal):
    capture = terminal("--duration", "5m")
    capture.listens()
    began = time.monotonic()
    wire.send(numbered(50))
    capture.until(lambda: ", 50 packets" in capture.bottom())
    assert capture.bottom().startswith("0:0") and " of 5:00, " in capture.bottom()
    capture.until(lambda: capture.bottom().startswith("0:02 "))
    shown = [row for row in capture.screen.seen if LIVE.match(row)]
    taken = time.monotonic() - began
    count = capture.all.count(b" of 5:00,")
    assert 1.9 < taken and taken <= count <= 2 * taken + 2, (count, taken)
    assert re.search(r", \d+/s, [0-9.]+k? out.*, none lost$", capture.bottom()), capture.bottom()
    assert shown
    assert capture.end() == 0
    expected = Capture(wire, "--duration", "5m")
    wire.send(numbered(50))
    assert plain(capture.screen.text()) == plain(expected.end().err)


def test_it_says_what_happens(wire, terminal):
    """A reader that takes nothing: files wait, then packets are lost."""
    theirs, ours = os.pipe()
    capture = terminal("--memory", "2M", "-B", "2048", "-s", "1500", "-C", "500k", "--duration", "0", stdout=ours)
    os.close(ours)
    capture.listens()
    flood = Flood(wire.a, "tc1", 8000, 1400)
    flood.wait()
    capture.until(lambda: re.search(r"^0:\d\d, \d+ packets, \d+ lost, .*, \d+ files waiting$", capture.bottom()), 8)
    packets, lost = map(int, re.search(r"(\d+) packets, (\d+) lost", capture.bottom()).groups())
    assert 1000 < packets < 8000 and lost > 0 and packets + lost <= 8000
    capture.process.kill()
    os.close(theirs)


def test_messages_stand_above_it(wire, terminal):
    capture = terminal()
    capture.listens()
    for count in range(1, 6):
        wire.send(numbered(1))
        capture.until(lambda: f", {count} packet" in capture.bottom())
        capture.process.send_signal(signal.SIGUSR1)
        capture.until(lambda: sum("captured, 0 packets dropped" in row for row in capture.screen.rows) == count)
        assert LIVE.match(capture.bottom()), capture.screen.rows
    rows = capture.screen.text()
    assert len([row for row in rows if LIVE.match(row)]) == 1
    assert [bool(re.fullmatch(r"tarcap: \d s: \d packets?, \d+ bytes captured, 0 packets dropped by kernel", row))
            for row in rows[-6:-1]] == [True] * 5, rows
    assert capture.end() == 0
    assert capture.screen.text()[-3:] == ["5 packets captured", "5 packets received by filter",
                                          "0 packets dropped by kernel"]


@pytest.mark.parametrize("columns", [2, 28, 29, 80])
def test_it_fits(wire, terminal, columns):
    """However narrow the terminal: no line of it is left behind by wrapping."""
    capture = terminal("--duration", "5m", columns=columns)
    capture.until(lambda: columns < 5 or LIVE.match(capture.bottom()))
    wire.send(numbered(5))
    capture.read(1.2)
    shown = {row for row in capture.screen.seen if LIVE.match(row)}
    assert bool(shown) == (columns > 5)
    assert not shown or len(max(shown, key=len)) < columns
    assert capture.end() == 0
    assert not [row for row in capture.screen.text() if LIVE.match(row)]


def test_it_follows_the_width(terminal):
    capture = terminal("--duration", "5m", columns=200)
    capture.until(lambda: "none lost" in capture.bottom())
    capture.resize(30)
    capture.until(lambda: re.fullmatch(r"0:0\d of 5:00, 0 packets, 0/s", capture.bottom()))
    capture.resize(200)
    capture.until(lambda: "none lost" in capture.bottom())
    assert capture.end() == 0


def test_not_where_stderr_is_no_terminal(wire, tmp_path):
    with (tmp_path / "err").open("wb") as file:
        process = start_process(["nsenter", f"--net=/run/netns/{wire.b}", TARCAP, "-i", "tc0", "--duration", "1200ms"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file)
        assert process.wait(10) == 0
    text = (tmp_path / "err").read_bytes()
    assert b"\r" not in text and not [row for row in text.decode().splitlines() if LIVE.match(row)]


def test_not_when_it_is_to_be_quiet(terminal):
    capture = terminal("-q", "--duration", "1200ms")
    assert capture.end(None) == 0
    assert capture.all == b""


def test_in_place_of_the_lines(wire, terminal, tmp_path):
    """Those come every 10 s where stderr is a pipe or a socket, and with -v into a file; never with -q."""
    ours, theirs = socket.socketpair()
    files = {words: open(tmp_path / f"stderr{words}", "w+b") for words in ("", "-v", "-q")}
    into_files = [Capture(wire, *filter(None, [words]), ready=False, stderr_to=stream) for words, stream in files.items()]
    into_files.append(Capture(wire, ready=False, stderr_to=theirs))
    capture, pipe, quiet = terminal("-v"), Capture(wire), Capture(wire, "-q", ready=False)
    capture.listens()
    pipe.heard("tarcap: 10 s: 0 packets, 0 bytes captured, 0 packets dropped by kernel", timeout=12)
    capture.until(lambda: capture.bottom().startswith("0:10 of 5:00"), 2)
    assert capture.end() == 0 and pipe.end().status == 0 and quiet.end().err == []
    for other in into_files:
        assert other.end().status == 0
    assert not [row for row in capture.screen.text() if "bytes captured" in row]
    said = {words: (tmp_path / f"stderr{words}").read_text() for words in files}
    assert "10 s: " in said["-v"] and "10 s: " not in said[""] and said["-q"] == ""
    assert b"10 s: 0 packets" in ours.recv(1 << 16)


def test_a_line_while_what_was_captured_is_being_delivered(wire):
    """The capture has ended by its count; its reader takes nothing for a while."""
    capture = Capture(wire, "-c", 4000, "--stall", "60s", read=False)
    wire.send(numbered(4000, 1400))
    capture.heard("10 s: 4000 packets", "waiting for the reader", timeout=14)
    capture.collect()
    assert len(capture.wait().whole().records) == 4000


def test_of_a_file_too(terminal):
    """While a file that is a pipe has nothing, the line goes on. Its time is not the clock's: no limit is shown."""
    theirs, ours = os.pipe()
    os.write(ours, pcap_file([(1, 0, frame(0)), (2, 0, frame(1))]))
    capture = terminal("-r", "-", "--duration", "1h", wire=None, stdin=theirs)
    capture.until(lambda: capture.bottom().startswith("0:01, 2 packets, "))
    os.close(ours)
    os.close(theirs)
    assert capture.end(None) == 0
    assert not [row for row in capture.screen.text() if LIVE.match(row)]


def test_a_background_job_leaves_the_terminal_alone(wire, terminal):
    """What is in the foreground has the last line: a shell's prompt."""
    def session():
        os.setsid()
        fcntl.ioctl(2, termios.TIOCSCTTY, 0)
    shell = terminal("--version", wire=None, columns=300)
    shell.process.wait(10)
    shell.process = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{wire.b}", "bash", "-c",
         f"set -m; {TARCAP} -i tc0 --duration 1200ms >/dev/null </dev/null & wait; {TARCAP} -i tc0 --duration 1200ms >/dev/null"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=shell.slave, preexec_fn=session)
    shell.until(lambda: sum("listening on" in row for row in shell.screen.rows) == 2)
    assert not [row for row in shell.screen.seen if LIVE.match(row)]
    shell.until(lambda: LIVE.match(shell.bottom()))
    assert shell.end(None) == 0
    assert [row.partition(" packets ")[2] for row in shell.screen.text() if " packets " in row and "," not in row] == [
        "captured", "received by filter", "dropped by kernel"] * 2


def fill(slave, size):
    """Write into a terminal that nobody reads, at most so many bytes: how many it took."""
    os.set_blocking(slave, False)
    taken = 0
    try:
        while taken < size:
            taken += os.write(slave, b"x" * min(80, size - taken))
    except BlockingIOError:
        pass
    os.set_blocking(slave, True)
    return taken


def takes_a_part(size):
    """Would a terminal with so many bytes in it say that it can be written to, and then take a part of a long line?"""
    master, slave = pty.openpty()
    fill(slave, size)
    os.set_blocking(slave, False)
    poll = select.poll()
    poll.register(slave, select.POLLOUT)
    try:
        return bool(poll.poll(0)) and os.write(slave, b"y" * 400) < 400
    except BlockingIOError:
        return False
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize("full", [True, False])
def test_a_terminal_that_takes_no_more_holds_nothing_up(wire, terminal, full):
    """Nobody reads it, and it may have room for a part of a line: a write that waits would keep the capture for ever."""
    ends = pty.openpty()
    size = fill(ends[1], 1 << 20)
    for end in ends:
        os.close(end)
    if not full:
        size = next(size - left for left in range(1000) if takes_a_part(size - left))
    theirs, ours = os.pipe()
    capture = terminal("-c", 50, "--reason", "x" * 400, stdout=ours, setup=lambda made: fill(made.slave, size))
    os.close(ours)
    end = time.monotonic() + 8
    while capture.process.poll() is None and time.monotonic() < end:
        wire.send(numbered(10))
        time.sleep(0.1)
    status = capture.process.poll()
    capture.process.kill()
    assert status == 0
    with os.fdopen(theirs, "rb") as stream:
        archive = Archive(stream.read()).check()
    assert len(archive.records) == 50
