"""A hundred pods at once: what is on the screen, and what it costs whoever types it."""

import os
import pty
import re
import resource
import signal
import struct
import subprocess
import termios
from fcntl import ioctl

import pytest

from capture import run
from plugin import PLUGIN, SHELLS, script
from process import VERSION, patience, processes, start_process, wait_until

ROWS, COLUMNS = 24, 100


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """An archive, as each of the pods sends it."""
    path = tmp_path_factory.mktemp("archive") / "x.tar"
    path.write_bytes(run("-i", "lo", "--duration", "300ms").out)
    return path


def many(tmp_path, archive, count, fails=()):
    """A kubectl with so many pods, in each of which a hold runs; its captures tell what tarcap tells, and end by Ctrl-D."""
    facts = "".join(f'N web-{n}\\nP Running \\nH n\\nS cap tarcap:{VERSION} ["tarcap","hold"]\\nR cap 2026\\nC \\n'
                    for n in range(1, count + 1))
    return script(tmp_path / "bin/kubectl", f"""
case " $* " in
*' get pods '*) printf '{facts}' ;;
*' auth '*) echo yes ;;
*' exec '*)
	case " $* " in
	{"|".join(f"*' web-{n} '*" for n in fails) or "no"}) echo 'error: unable to upgrade connection' >&2; exit 1 ;;
	esac
	echo 'tarcap: listening on eth0, link-type EN10MB (Ethernet), snapshot length 262144 bytes' >&2
	echo 'tarcap: 10 s: 1000 packets, 200000 bytes captured, 0 packets dropped by kernel' >&2
	case " $* " in *' web-7 '*) lost=12 ;; *) lost=0 ;; esac
	echo "tarcap: 20 s: 3000 packets, 600000 bytes captured, $lost packets dropped by kernel" >&2
	cat >/dev/null
	exec cat {archive} ;;
esac""")


class Terminal:
    """What is on a screen of ROWS by COLUMNS: of the escape sequences it knows those that the plugin uses."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.set_blocking(self.master, False)
        self.lines, self.row, self.column, self.scrolled, self.rest = [""], 0, 0, 0, ""

    def read(self):
        try:
            self.rest += os.read(self.master, 1 << 20).decode()
        except OSError:
            pass
        for piece in re.findall(r"\x1b\[\d*[A-Z]|\r|\n|[^\x1b\r\n]+", self.rest):
            self.put(piece)
        self.rest = ""
        return self.lines[-ROWS:]

    def put(self, piece):
        if piece == "\n":
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append("")
        elif piece == "\r":
            self.column = 0
        elif piece.endswith("A"):
            up = int(piece[2:-1])
            assert self.row - up >= len(self.lines) - ROWS, "it moves above the screen: what is there cannot be cleared"
            self.row -= up
        elif piece.endswith("J"):
            self.lines[self.row] = self.lines[self.row][:self.column]
            del self.lines[self.row + 1:]
        else:
            assert not piece.startswith("\x1b"), piece
            room = COLUMNS - self.column
            self.lines[self.row] = self.lines[self.row][:self.column] + piece[:room]
            self.column += len(piece[:room])
            if piece[room:]:  # it wraps
                self.put("\n")
                self.put("\r")
                self.put(piece[room:])


def start(shell, path, cwd, *words, stderr):
    env = {**os.environ, "PATH": f"{path.parent}:{os.environ['PATH']}", "TMPDIR": str(cwd)}
    return start_process([*shell, str(PLUGIN), "-l", "app=web", "-o", "out", *words], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=stderr, env=env, cwd=cwd)


def of_session(session):
    """{pid: memory in KiB} of the plugin's own processes: a kubectl has a session of its own."""
    return processes(lambda directory: int((directory / "stat").read_text().rpartition(")")[2].split()[3]) == session
                     and int(re.search(r"^Pss: +(\d+)", (directory / "smaps_rollup").read_text(), re.M)[1]))


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_a_hundred_pods_fit_a_screen_and_cost_little(shell, archive, tmp_path):
    """The table is redrawn in its place, those that need a look first; the summary groups what is alike."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    terminal = Terminal()
    process = start(shell, many(tmp_path, archive, 100, fails=(5, 50, 77)), tmp_path, "--parallel", "100", stderr=terminal.slave)
    os.close(terminal.slave)
    wait_until(lambda: any(re.search(r"97 at it, .* packets/s, 12 lost; Ctrl-C ends it$", line) for line in terminal.read()),
               60 * patience(), "all captures")
    wait_until(lambda: terminal.read()[-2].startswith("and "), 10 * patience(), "the table")
    screen = terminal.read()
    table = screen[next(i for i, line in enumerate(screen) if line.startswith("POD ")):]
    assert sum(line.startswith("POD ") for line in terminal.lines) == 1  # the one before it is gone
    assert len(table) <= ROWS and re.match(r"POD +STATE +SECONDS +PACKETS +/S +BYTES +LOST$", table[0])
    assert re.match(r"web-7 +capturing +20 +3000 +200 +585K +12$", table[1]), table
    assert re.match(r"web-1 +capturing +20 +3000 +200 +585K +0$", table[2]), table
    assert re.match(r"and \d+ more: \d+ capture, 0 start, \d+ are done$", table[-2]), table
    own = of_session(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    wait_until(lambda: terminal.read() and process.poll() is not None, 60 * patience(), "the end")
    assert process.returncode == 1
    screen = terminal.read()
    assert re.match(r"97 whole: [\d.]+[KM] in out/$", screen[-3]), screen
    assert screen[-2] == "3 failed: unable to upgrade connection: web-5 web-50 web-77"
    assert len(list((tmp_path / "out").iterdir())) == 97
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{len(own)} processes beside 100 of kubectl, {sum(own.values())} KiB, {spent:.1f} s of processor time")
    # A worker for each, and the one that looks after all of them, with what it has just asked.
    assert len(own) <= 100 + 6
    assert sum(own.values()) < 100 * 1024


def test_progress_of_several_without_a_terminal(archive, tmp_path):
    """A row for each of a few, every 10 s; and what all of them do together."""
    with (tmp_path / "stderr").open("w") as stderr:
        process = start(["dash"], many(tmp_path, archive, 3), tmp_path, stderr=stderr)

    def said():
        return (tmp_path / "stderr").read_text()
    wait_until(lambda: re.search(r"^web-3 +capturing +20 +3000 +200 +585K +0$", said(), re.M), 30 * patience(), "the rows")
    assert re.search(r"^kubectl tarcap: 1\d s, 3 at it, 0B so far, 600 packets/s, none lost; Ctrl-C ends it$", said(), re.M), said()
    assert "captured," not in said() and "\x1b" not in said()
    process.terminate()
    assert process.wait(30 * patience()) == 0, said()
    assert re.search(r"^POD +RESULT +BYTES +FILE OR REASON\nweb-1 +whole +[\d.]+[BK] +out/web-1.tar\n", said(), re.M), said()


def test_progress_of_one_says_how_fast_and_what_is_lost(archive, tmp_path):
    """And the image comes from the caller's environment, where no flag names one."""
    path = many(tmp_path, archive, 7)
    path.write_text(path.read_text().replace("get pods '*) printf '", "get pods '*) printf 'N web-7\\nP Running \\nS cap "
                                             "mine/tarcap:3 [\"tarcap\",\"hold\"]\\nR cap 2026\\nC \\n'; exit; echo '"))
    env = {**os.environ, "PATH": f"{path.parent}:{os.environ['PATH']}", "TMPDIR": str(tmp_path), "TARCAP_IMAGE": "mine/tarcap:3"}
    with (tmp_path / "stderr").open("w") as stderr:
        process = start_process(["dash", str(PLUGIN), "web-7", "--count", "1"], stdin=subprocess.DEVNULL, stderr=stderr, env=env,
                                cwd=tmp_path)

    def said():
        return (tmp_path / "stderr").read_text()
    wait_until(lambda: re.search(r"^kubectl tarcap: 1\d s, 0B so far, 200 packets/s, 12 lost; Ctrl-C ends it$", said(), re.M),
               30 * patience(), "the line of progress")
    assert "a container of mine/tarcap:3 is added where no hold runs" in said() and "using the hold" in said()
    process.terminate()
    assert process.wait(30 * patience()) == 0, said()
