"""A shell as a person has it: on a terminal, typed at."""

import os
import pty
import re
import select
import time


class Terminal:
    """An interactive shell on a terminal of its own."""

    def __init__(self, directory, *words):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execvpe(words[0], words,
                       {"PS1": "$ ", "TERM": "dumb", "PATH": os.environ["PATH"], "INPUTRC": "/dev/null", "HOME": str(directory)})
        self.seen = ""

    def type(self, text, until, timeout=10):
        os.write(self.terminal, text.encode())
        start, end = len(self.seen), time.monotonic() + timeout
        while not re.search(until, self.seen[start:]):
            assert time.monotonic() < end, (text, self.seen[start:])
            if select.select([self.terminal], [], [], 0.1)[0]:
                self.seen += os.read(self.terminal, 4096).decode("utf-8", "replace")
        return self.seen[start:]

    def close(self):
        os.close(self.terminal)  # the shell gets SIGHUP
        os.waitpid(self.pid, 0)
