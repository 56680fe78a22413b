"""A hold, and what runs in its 'container': a process namespace of its own stands for one."""

import subprocess
import threading
from pathlib import Path

from capture import Result
from process import TARCAP, lines, start_process, wait_until


class Hold:
    """A hold as process 1 of a process namespace, in the network namespace .b of a wire. before is what runs it."""

    def __init__(self, wire, *arguments, ready=True, before=(), binary=TARCAP):
        self.wire, self.err = wire, []
        self.process = start_process(
            ["nsenter", f"--net=/run/netns/{wire.b}", "unshare", "--pid", "--fork", "--mount-proc", "--kill-child",
             *before, binary, "hold", *map(str, arguments)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        if ready:
            wait_until(lambda: any("holding" in line for line in self.err))
            [self.pid] = map(int, Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split())

    def _listen(self):
        for line in self.process.stderr:
            self.err.append(line.decode().rstrip("\n"))

    def heard(self, *words, timeout=5):
        wait_until(lambda: any(all(word in line for word in words) for line in self.err), timeout, f"'{words}'")

    def command(self, *words, name=None):
        """What runs words as a process of the 'container'; name is argv[0]."""
        program = ["bash", "-c", 'exec -a "$0" "$@"', name] if name else []
        return ["nsenter", "-t", str(self.pid), "--pid", "--mount", "--net", *program, *map(str, words)]

    def call(self, *words, timeout=20, **more):
        done = subprocess.run(self.command(*words, **more), stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=timeout)
        return Result(done.returncode, done.stdout, lines(done.stderr))

    def start(self, *words, **more):
        """A process of the container whose output is collected: wait() gives its Result."""
        process = start_process(self.command(*words, **more), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
        result = []
        thread = threading.Thread(target=lambda: result.append(process.communicate()), daemon=True)
        thread.start()

        def wait(timeout=15):
            thread.join(timeout)
            assert result, "it did not end"
            return Result(process.returncode, result[0][0], lines(result[0][1]))
        process.result = wait
        return process

    def capture(self, *arguments):
        before = self.captures()
        process = self.start(TARCAP, "-i", "tc0", *arguments)
        wait_until(lambda: self.captures() > before)
        return process

    def captures(self):
        """How many processes there are but the hold, as the kernel sees it: those that listen."""
        return len([line for line in self.wire.within(self.wire.b, "cat", "/proc/net/packet").stdout.splitlines()[1:]
                    if line.split()[3] == "0003"])

    def wait(self, timeout=15):
        status = self.process.wait(timeout)
        self.listener.join(5)
        return status
