"""tarcap at work: run to its end, or capturing on a wire, with a reader of its output."""

import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

from archive import Archive
from process import TARCAP, lines, patience, rests, sh, start_process, wait_until


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def archive(self):
        return Archive(self.out)

    def whole(self):
        assert self.status == 0, (self.status, self.err)
        return self.archive().check()

    def said(self, *words):
        return any(all(word in line for word in words) for line in self.err)


def run(*arguments, stdin=None, timeout=20, namespace=None, before=(), **more):
    """Run it to its end; before is what runs it."""
    command = [*before, TARCAP, *(item if isinstance(item, bytes) else str(item) for item in arguments)]
    if namespace:
        command = ["nsenter", f"--net=/run/netns/{namespace}"] + command
    given = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    done = subprocess.run(command, **given, capture_output=True, timeout=timeout * patience(), **more)
    return Result(done.returncode, done.stdout, lines(done.stderr))


class Capture:
    """tarcap at work on tc0 of a wire. Its stdout is collected unless a descriptor is given, or read=False."""

    def __init__(self, wire, *arguments, stdout=None, stdin=subprocess.DEVNULL, read=True, ready=True,
                 namespace=None, interface="tc0", before=(), binary=TARCAP, stderr_to=None, **more):
        arguments = [str(argument) for argument in arguments]
        if interface and "-i" not in arguments:
            arguments = ["-i", interface] + arguments
        self.namespace = namespace or wire.b
        command = [f"--net=/run/netns/{self.namespace}", *before, binary] + arguments
        self.out, self.err = bytearray(), []
        self.ready = threading.Event()
        self.process = start_process(["nsenter"] + command, stdin=stdin,
                                     stdout=subprocess.PIPE if stdout is None else stdout,
                                     stderr=subprocess.PIPE if stderr_to is None else stderr_to, **more)
        self.pid = self.process.pid
        self.readers = [] if stderr_to else [threading.Thread(target=self._listen, daemon=True)]
        if stdout is None and read:
            self.readers.append(threading.Thread(target=self._collect, daemon=True))
        for reader in self.readers:
            reader.start()
        if ready:
            assert self.ready.wait(10 * patience()) and self.is_listening(), self.err

    def listens(self):
        """Wait until its socket gets packets, for a capture that says nothing (-q) or is not listened to."""
        def bound():
            sockets = sh("nsenter", f"--net=/run/netns/{self.namespace}", "cat", "/proc/thread-self/net/packet").stdout
            return any(line.split()[3] == "0003" for line in sockets.splitlines()[1:])
        wait_until(bound, 10, "listening")

    def is_listening(self):
        return any("listening on" in line for line in self.err)

    def _listen(self):
        for line in self.process.stderr:
            self.err.append(line.decode("utf-8", "replace").rstrip("\n"))
            if "listening on" in self.err[-1]:
                self.ready.set()
        self.ready.set()

    def _collect(self):
        stream = os.dup(self.process.stdout.fileno())
        while data := os.read(stream, 1 << 20):
            self.out += data
        os.close(stream)

    def collect(self):
        """Begin to read, where read=False kept it from that."""
        self.readers.append(threading.Thread(target=self._collect, daemon=True))
        self.readers[-1].start()

    def kill(self, number=signal.SIGINT):
        os.kill(self.pid, number)

    def counted(self, enough, timeout, what):
        """Wait until what is captured and what is dropped, as it says itself, are together enough."""
        def counted():
            self.kill(signal.SIGUSR1)
            time.sleep(0.05)
            found = [re.search(r": (\d+) packets?, \d+ bytes captured, (\d+) packets? dropped", line) for line in self.err]
            return any(one and enough(int(one[1]) + int(one[2])) for one in found)
        wait_until(counted, timeout, what)

    def drained(self, came, timeout=20):
        """Wait until each of the packets that came is captured or counted as dropped, so that the ring is empty."""
        self.counted(lambda count: count == came, timeout, f"reading what is left of {came} packets")

    def took(self, least=1, timeout=20):
        self.counted(lambda count: count >= least, timeout, f"{least} packets")

    def heard(self, *words, timeout=5):
        wait_until(lambda: any(all(word in line for word in words) for line in self.err), timeout, f"'{words}'")

    def wait(self, timeout=10):
        status = self.process.wait(timeout * patience())
        for reader in self.readers:
            reader.join(5 * patience())
        return Result(status, bytes(self.out), self.err)

    def end(self, number=signal.SIGINT, timeout=10):
        self.kill(number)
        return self.wait(timeout)

    def cpu(self):
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rests(self, seconds, wakings=4):
        rests(self.pid, seconds, wakings)

    def rss(self):
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024


def read_paced(capture, bytes_per_second, piece=None):
    """Read what capture (with read=False) writes, at this speed, and piece bytes at a time if that is given."""
    piece = piece or max(1, bytes_per_second // 100)

    def work():
        start, stream = time.monotonic(), os.dup(capture.process.stdout.fileno())
        while data := os.read(stream, piece):
            capture.out += data
            time.sleep(max(0, start + len(capture.out) / bytes_per_second - time.monotonic()))
        os.close(stream)
    capture.readers.append(threading.Thread(target=work, daemon=True))
    capture.readers[-1].start()


class Peak:
    """The largest resident size of a capture while the block runs."""

    def __init__(self, capture):
        self.capture, self.rss, self.over = capture, 0, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        while not self.over.wait(0.05):
            try:
                self.rss = max(self.rss, self.capture.rss() or 0)
            except (OSError, ValueError):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(5)
