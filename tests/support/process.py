"""What everything stands on: where things are, programs that are run, and limits of time."""

import contextlib
import os
import re
import secrets
import signal
import subprocess
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", TOP / "build")).absolute()
TARCAP = os.path.abspath(os.environ.get("TARCAP", TOP / "build/dev/tarcap"))
VERSION = re.search(r'VERSION_TEXT "(.*)"', (TOP / "src/base/version.h").read_text()).group(1)
# For names that no other process of the tests has, nor had one that was killed and left a name behind: the number of a
# process, and of its PID namespace (tests/system/worker), come again.
OWN = secrets.token_hex(4)


# --- programs ---------------------------------------------------------------------------------------------------

def sh(*command, timeout=60, check=True, **more):
    """Run a command, at the top of the sources unless cwd says otherwise, to its end; its output is text."""
    given = {} if "input" in more else {"stdin": subprocess.DEVNULL}
    done = subprocess.run([str(word) for word in command], text=True, errors="replace", capture_output=True,
                          timeout=timeout, **{"cwd": TOP, **given, **more})
    if check:
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done


def take_ignored_signals():
    """What nohup, or a shell that starts us in the background, has us ignore would be ignored by all we start."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def merged(*command, timeout=120, **more):
    """A command to its end, whatever its status; stdout has what it said on either, as one who types it sees it."""
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=timeout, **{"cwd": TOP, **more})


def lines(data):
    return data.decode("utf-8", "replace").splitlines()


def processes(look):
    """{id: what look(its directory in /proc) finds}, of those where it finds something; each may end meanwhile."""
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found[int(directory.name)] = look(directory)
    return {pid: what for pid, what in found.items() if what}


started = []


def start_process(command, **more):
    """A process in a group of its own, so that what it starts can be ended with it."""
    process = subprocess.Popen(command, **{"start_new_session": True, **more})
    started.append(process)
    return process


def kill_all_started():
    for process in started:
        # Also when it has ended itself: a child that holds its stderr open would keep us waiting below.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait(10)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                try:
                    stream.close()
                except OSError:
                    pass
    started.clear()


# --- time -------------------------------------------------------------------------------------------------------

def patience():
    """What a limit of time is multiplied by: it is meant for a machine that has time; four times where many share one."""
    average, _, _, running, _ = Path("/proc/loadavg").read_text().split()
    busy = max(float(average), int(running.partition("/")[0])) / os.cpu_count()
    return min(4, max(1, busy))


def wait_until(condition, timeout=5, what="it"):
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < timeout * patience(), f"{what} did not happen within {timeout} s"
        time.sleep(0.005)


def work(pid):
    """Seconds of processor time so far, to the nanosecond, and how often it has begun to wait."""
    ran = int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    [waits] = re.findall(r"\nvoluntary_ctxt_switches:\s(\d+)", Path(f"/proc/{pid}/status").read_text())
    return ran / 1e9, int(waits)


def rests(pid, seconds, wakings=4):
    """It comes to rest: it waits for all of this time and wakes seldom, per second. What runs beside it makes that no more
    (but on a busy machine it may still do what came before, so there are three tries); and where twenty share two
    processors, a busy loop would still get four times the processor time that is allowed here."""
    for _ in range(3):
        before = work(pid)
        time.sleep(seconds)
        ran, woken = (after - earlier for after, earlier in zip(work(pid), before))
        if woken <= 2 + wakings * seconds and ran < 0.025 * seconds:
            return
    raise AssertionError((woken, ran))
