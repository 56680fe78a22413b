"""The sandbox, on the shipped program's own objects: build/probe/ARCH/tarcap tries from inside what is to be refused.

The rest of tests/system runs inside it as well, as it is never off in the shipped binary.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from archive import pcap_file
from capture import Capture, run
from probe import BY_BINDING, BY_FILES, BY_MEMORY, BY_NETWORK, BY_PROCESSES, BY_TABLES, NEEDED, tried
from process import sh, start_process
from wire import numbered

BUILD = Path(__file__).resolve().parents[2] / "build"
ARCH = "arm64" if os.uname().machine == "aarch64" else "amd64"
PROBE = BUILD / "probe" / ARCH / "tarcap"
ALL = BY_MEMORY | BY_TABLES | BY_NETWORK | BY_FILES | BY_PROCESSES


@pytest.fixture(scope="module", autouse=True)
def probe():
    sh("make", "-s", "-C", str(BUILD.parent), f"build/probe/{ARCH}/tarcap")


def environment(path, without=""):
    return {**os.environ, "PROBE_LOG": str(path), "PROBE_WITHOUT": without}


def capture(wire, path, without=""):
    """A capture with the probe: 100 packets through a sandbox in which everything has been tried."""
    capturing = Capture(wire, "-v", binary=PROBE, env=environment(path, without), cwd=path.parent)
    wire.send(numbered(100))
    result = capturing.end(signal.SIGTERM)
    assert result.whole().numbers() == list(range(100))
    return result, tried(path)


def test_a_capture_is_refused_everything_else(wire, tmp_path):
    result, results = capture(wire, tmp_path / "log")
    assert result.said("sandbox: no capabilities, no_new_privs, Landlock (ABI", ", seccomp")
    assert results.pop("memory") == "allowed"
    assert set(results) == ALL | BY_BINDING | NEEDED
    assert {what: said for what, said in results.items() if said != "EPERM"} == dict.fromkeys(NEEDED, "allowed")


@pytest.mark.parametrize("command", [["join"], ["summary"], ["summary", "--json"]])
def test_a_reader_of_archives_is_refused_everything_else(wire, tmp_path, command):
    capturing = Capture(wire)
    wire.send(numbered(10))
    archive = capturing.end().out
    expected = run(*command, stdin=archive).out
    done = subprocess.run([PROBE, *command], input=archive, capture_output=True, timeout=20,
                          env=environment(tmp_path / "log"), cwd=tmp_path)
    assert done.returncode == 0 and done.stdout == expected
    results = tried(tmp_path / "log")
    assert results.pop("memory") == "allowed"
    assert set(results) == ALL and set(results.values()) == {"EPERM"}


@pytest.mark.parametrize("command, words", [("join", ["/dev/urandom"]), ("summary", ["/dev/urandom", "getrandom("])])
def test_secret_numbers_come_before(tmp_path, command, words):
    """jansson's, and that of the conversations, which keep an archive from filling one chain of a table."""
    archive, calls = tmp_path / "x.tar", tmp_path / "calls"
    archive.write_bytes(run("-r", "-", stdin=pcap_file([(1, 0, b"", 0)])).out)
    done = subprocess.run(["strace", "-qq", "-o", calls, "-e", "trace=open,openat,getrandom,prctl", BUILD / "tarcap", command, archive],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr
    *before, confined = [[i for i, line in enumerate(calls.read_text().splitlines()) if word in line]
                         for word in (*words, "PR_SET_SECCOMP")]
    assert len(confined) == 1 and all(len(found) == 1 and found < confined for found in before)


def test_landlock_alone(wire, tmp_path):
    result, results = capture(wire, tmp_path / "log", "seccomp")
    assert result.said("Landlock (ABI", "no seccomp")
    refused = {what for what, said in results.items() if said == "EACCES"}
    assert {"open to read", "open to write", "open a directory", "mkdir", "execve"} <= refused, results
    assert results["socket of unix"] == "allowed"


def test_seccomp_alone(wire, tmp_path):
    result, results = capture(wire, tmp_path / "log", "landlock")
    assert result.said("no Landlock, seccomp")
    assert {what for what, said in results.items() if said != "EPERM"} == {"memory"} | NEEDED


def test_no_place_for_the_addresses(wire, tmp_path):
    """It captures all the same, and says what is open."""
    within, words = ["nsenter", f"--net=/run/netns/{wire.b}"], [BUILD / "tarcap", "-v", "-i", "tc0"]
    subprocess.run([*within, "strace", "-qq", "-o", tmp_path / "calls", "-e", "trace=mmap", *words, "--duration", "100ms"],
                   stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=True)
    [at] = [at for at, line in enumerate((tmp_path / "calls").read_text().splitlines(), 1) if line.startswith("mmap(0x10000000,")]
    capturing = Capture(wire, "-v", "-c", 100, binary=BUILD / "tarcap",
                        before=["strace", "-qq", "-o", "/dev/null", "-e", f"inject=mmap:error=EEXIST:when={at}"])
    wire.send(numbered(100))
    result = capturing.wait()
    assert result.whole().numbers() == list(range(100))
    assert result.said("seccomp, but a packet socket may move to another interface")


def test_neither(wire, tmp_path):
    """An old kernel, or a container whose policy refuses both: the capture works, without capabilities all the same."""
    result, results = capture(wire, tmp_path / "log", "both")
    assert result.said("no capabilities, no_new_privs, no Landlock, no seccomp")
    assert results["open to read"] == "allowed" and results["socket of packets"] == "EPERM"


def status_of(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def test_what_the_kernel_says_of_a_capture(wire):
    capturing = Capture(wire, binary=BUILD / "tarcap",
                        before=["setpriv", "--inh-caps=+net_raw", "--ambient-caps=+net_raw"])
    status = status_of(capturing.pid)
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    capturing.end().whole()


@pytest.mark.parametrize("words", [["hold", "--ttl", "3s"]])
def test_a_hold_keeps_no_net_raw(words):
    """It has to signal its captures, whoever runs them."""
    hold = start_process([BUILD / "tarcap", *words], stderr=subprocess.PIPE)
    hold.stderr.readline()
    status = status_of(hold.pid)
    assert {status[f"Cap{kind}"] for kind in ("Prm", "Eff", "Bnd")} == {"0000000000000020"}
    assert status["NoNewPrivs"] == "1"
    hold.terminate()
    assert hold.wait(5) == 0


# What somebody else with the same uid, without capabilities, tries on a process; each line "WHAT: done" or an errno's name.
LOOK = """
import ctypes, errno, os, sys
pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
def read(name):
    with open(f"/proc/{pid}/{name}", "rb") as file:
        file.read(1)
tried = {"mem": lambda: os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR)), "environ": lambda: read("environ"),
         "maps": lambda: read("maps"), "fd": lambda: os.readlink(f"/proc/{pid}/fd/3"), "cwd": lambda: os.readlink(f"/proc/{pid}/cwd"),
         "trace": lambda: call(101, 0x4206, pid, None, None), "take a descriptor": lambda: call(438, os.pidfd_open(pid), 3, 0),
         **{name: lambda name=name: read(name) for name in ("cmdline", "cgroup", "status", "comm")}}
for what, attempt in tried.items():
    try:
        attempt()
        print(f"{what}: done", flush=True)
    except OSError as error:
        print(f"{what}: {errno.errorcode[error.errno]}", flush=True)
"""
SECRETS = {"mem", "environ", "maps", "fd", "cwd", "trace", "take a descriptor"}
OPEN = {"cmdline", "cgroup", "status", "comm"}  # what 'tarcap stop' and the hold look at
SAME_UID = ["setpriv", "--reuid=65532", "--regid=65532", "--clear-groups"]


@pytest.mark.parametrize("user", ["65532", "0"])
def test_nobody_with_the_same_uid_can_look_into_a_capture(wire, user):
    """A runtime that hands over the permitted set before exec, as containerd does, leaves it dumpable."""
    who = SAME_UID if user == "65532" else ["setpriv"]
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        binary = shutil.copy(BUILD / "tarcap", directory)
        capturing = Capture(wire, binary=binary,
                            before=[*who, "--bounding-set=-all,+net_raw", "--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw"])
        done = subprocess.run([*who, "--bounding-set=-all", "--inh-caps=-all", "/usr/bin/python3", "-c", LOOK, str(capturing.pid)],
                              capture_output=True, text=True, timeout=20)
        tried = dict(line.split(": ") for line in done.stdout.splitlines())
        assert Path(f"/proc/{capturing.pid}/oom_score_adj").read_text() == "1000\n"
        capturing.end().whole()
    assert set(tried) == SECRETS | OPEN, done
    assert {what for what, said in tried.items() if said in ("EACCES", "EPERM")} == SECRETS, tried
    assert {what for what, said in tried.items() if said == "done"} == OPEN, tried


def test_nobody_can_look_into_it_before_its_socket_is_open(wire, tmp_path):
    """oom_score_adj first, then not dumpable, then the socket; and dumpable never again."""
    calls = tmp_path / "calls"
    done = subprocess.run(["nsenter", f"--net=/run/netns/{wire.b}", "strace", "-qq", "-o", calls, "-e", "trace=open,openat,prctl,socket",
                           BUILD / "tarcap", "-i", "tc0", "--duration", "100ms"],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    lines = calls.read_text().splitlines()
    assert done.returncode == 0, done
    [score], [hidden], [socket, *_] = ([at for at, line in enumerate(lines) if word in line]
                                       for word in ("oom_score_adj", "PR_SET_DUMPABLE", "socket(AF_PACKET"))
    assert score < hidden < socket and "SUID_DUMP_DISABLE" in lines[hidden], lines


def test_the_filter_is_locked(wire):
    """Not even whoever gets a copy of the socket can make it see more."""
    capturing = Capture(wire, "udp port 9", binary=BUILD / "tarcap")
    pidfd = os.pidfd_open(capturing.pid)
    sockets = [int(fd.name) for fd in Path(f"/proc/{capturing.pid}/fd").iterdir()
               if os.readlink(fd).startswith("socket:")]
    code = ("import ctypes, socket, sys\n"
            "libc = ctypes.CDLL(None, use_errno=True)\n"
            f"fd = libc.syscall(438, {pidfd}, {sockets[0]}, 0)\n"  # pidfd_getfd
            "assert fd >= 0, ctypes.get_errno()\n"
            "try:\n"
            "    socket.socket(fileno=fd).setsockopt(socket.SOL_SOCKET, 27, 0)\n"  # SO_DETACH_FILTER
            "except PermissionError:\n"
            "    print('locked')\n")
    done = subprocess.run(["/usr/bin/python3", "-c", code], pass_fds=[pidfd], capture_output=True, text=True, timeout=9)
    os.close(pidfd)
    assert done.stdout == "locked\n", done
    capturing.end().whole()


def test_check_reports_what_was_granted(wire):
    text = run("check", "-i", "tc0", namespace=wire.b).out.decode()
    assert "sandbox        no capabilities, no_new_privs, " in text
