"""Every call that can fail, failing: memory, libraries, writes, clocks (tests/faults/faults.c) and system calls (strace).

$TARCAP_FAULTS is the sanitized program that has the failures built in.
"""

import fcntl
import io
import os
import random
import re
import subprocess
import tarfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

from archive import Archive, Pcap, frame_size, pcap_file, tar_members
from capture import Capture
from process import TARCAP, TOP, lines, sh
from wire import frame, numbered, udp

FAULT = os.path.abspath(os.environ.get("TARCAP_FAULTS", TOP / "build/faults/tarcap"))
BEYOND = 10**9  # no run makes so many calls
START = 1_800_000_000
COUNT = 300
INPUT = [(START + number // 100, number, frame(number, 200)) for number in range(COUNT)]
OFFLINE = ("-q", "-C", "16k", "-s", "300", "--headers", "ether proto 0x88b5")
SANITIZERS = {"ASAN_OPTIONS": "exitcode=99:detect_leaks=1", "LSAN_OPTIONS": "exitcode=98",
              "UBSAN_OPTIONS": "print_stacktrace=1", "GCOV_ERROR_FILE": "/dev/null"}

# What fails, and whether it is the one call or all from there on.
FAILURES = ["malloc:%d", "malloc:%d+", "pcap:%d", "archive:%d", "json:%d", "system:%d", "system:%d:EMFILE", "read:%d",
            "clock:%d"]
WRITES_FILE = ["write:%d:EIO", "write:%d:ENOSPC", "write:%d+:ENOSPC", "write:%d:EINTR", "write:%d:SHORT",
               "write:%d+:SHORT"]
WRITES_PIPE = ["write:%d:EIO", "write:%d:EPIPE", "write:%d:EINTR", "write:%d:EAGAIN", "write:%d:SHORT",
               "write:%d+:SHORT"]
# An error. Without memory, libpcap's scanner of filters and libarchive's strings say so themselves, and exit.
LINE = re.compile("tarcap: .{10,}|out of dynamic memory in yy.*|Fatal Internal Error in libarchive: Out of memory")
# What may be said though all goes well; the last by libpcap itself.
WARNINGS = re.compile(r"^\d+ packets? |kernel granted only|(filtered|cut) here$|^Warning: .* filter")


@pytest.fixture(scope="module")
def packets(tmp_path_factory):
    path = tmp_path_factory.mktemp("fault") / "in.pcap"
    path.write_bytes(pcap_file(INPUT))
    return path


class Run:
    """The program with one fault, to its end."""

    def __init__(self, fault, command, output=None, log=None, stdin=None, timeout=30):
        environment = {**os.environ, **SANITIZERS, **({"FAULT": fault} if fault else {})}
        if log:
            environment["FAULT_LOG"] = str(log)
        self.what = f"FAULT={fault} " + " ".join(str(word) for word in command)
        done = subprocess.run([str(word) for word in command], env=environment, capture_output=True, timeout=timeout,
                              **({"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}))
        self.status, self.text = done.returncode, done.stderr.decode("utf-8", "replace")
        self.err = lines(done.stderr)
        self.out = done.stdout
        if output:
            self.out = output.read_bytes() if output.exists() else b""
            output.unlink(missing_ok=True)

    def __repr__(self):
        return f"{self.what}: status {self.status}, {len(self.out)} bytes\n{self.text[:3000]}"

    def check(self, numbers=None):
        """What must hold whatever has failed."""
        assert not re.search("Sanitizer|runtime error", self.text), self
        assert self.status in (0, 1, 2, 3), self
        said = [line for line in self.err if not WARNINGS.search(line)]
        at_stop = self.status == 3 and any("dropped at stop" in line for line in self.err)  # says it as well
        assert len(said) == (self.status != 0 and not at_stop), self
        assert all(LINE.fullmatch(line) for line in said), self
        whole = prefix(self.out, self)
        assert whole or self.status != 0, self
        if self.status == 0 and numbers is not None:
            assert Archive(self.out).numbers() == numbers, self
        return self


def prefix(data, why):
    """Is it the whole of an archive? It must be the beginning of one, of complete members and at most one cut."""
    members, end = tar_members(data)
    rest = data[end:]
    for name, content, _ in members:
        if name.endswith(".pcap"):
            Pcap(name, content)
        assert not name.endswith(".zst") or frame_size(content), why
    if len(rest) >= 512 and any(rest[:512]):
        assert rest[257:263] == b"ustar\0", why
        assert len(rest) < 512 + int(rest[124:135], 8), why
    elif rest:
        assert not any(rest) and len(rest) <= 1024 or len(rest) < 512, why
    if not members or not members[-1][0].endswith("/manifest.json"):
        return False
    Archive(data[:end].ljust(end, b"\0") + bytes(1024)).check()
    return rest == bytes(1024)


class Join(Run):
    expected = None

    def check(self, numbers=None):
        assert not re.search("Sanitizer|runtime error", self.text), self
        assert self.status in (0, 1, 2, 3), self
        assert len(self.err) == (self.status != 0), self
        if Join.expected is not None:
            assert Join.expected.startswith(self.out) if self.status else Join.expected == self.out, self
        return self


class Summary(Run):
    expected = None

    def check(self, numbers=None):
        """The page, the beginning of it, or one that says what could not be read."""
        assert not re.search("Sanitizer|runtime error", self.text), self
        assert self.status in (0, 1, 3) and len(self.err) == (self.status != 0), self
        if Summary.expected is not None:
            told = b"\nINCOMPLETE " in self.out if self.status else b"capture.json cannot be read: " in self.out
            same = Summary.expected.startswith(self.out) if self.status else Summary.expected == self.out
            assert told or same, self
        return self


def calls_of(group, command, log, kind=Run, **more):
    """How many calls of the group there are when none fails; the log has them by name."""
    kind(f"{group}:{BEYOND}", command, log=log, **more).check()
    return dict((name, int(number)) for name, number in (line.split() for line in log.read_text().splitlines()))[group]


def check_all(runs, numbers=None):
    """Make and check these runs, some at a time; then say all that is wrong at once, and show the first of it."""
    wrong = []

    def one(make):
        made = make()
        try:
            made.check(numbers)
        except Exception as error:  # a parser's as well
            wrong.append(f"{made}{'' if str(made) in str(error) else traceback.format_exc(limit=-1)}")

    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
        list(pool.map(one, runs))
    assert not wrong, f"{len(wrong)} of {len(runs)} are wrong:\n" + "\n".join(wrong[:2])


# --- memory, libraries, writes -----------------------------------------------------------------------------------

@pytest.mark.parametrize("failure", FAILURES + WRITES_PIPE)
def test_offline_to_a_pipe(packets, tmp_path, failure):
    command = [FAULT, "-r", packets, *OFFLINE]
    count = calls_of(failure.partition(":")[0], command, tmp_path / "log")
    assert count > 0
    check_all([lambda n=n: Run(failure % n, command) for n in range(1, count + 1)], list(range(COUNT)))


@pytest.mark.parametrize("failure", ["write:%d:EIO", "write:%d:EAGAIN", "write:%d:SHORT"])
def test_offline_compressed(packets, tmp_path, failure):
    command = [FAULT, "-r", packets, "--compress", "zstd", *OFFLINE]
    count = calls_of("write", command, tmp_path / "log")
    assert count > 0
    check_all([lambda n=n: Run(failure % n, command) for n in range(1, count + 1)], list(range(COUNT)))


@pytest.mark.parametrize("failure", ["malloc:%d", "archive:%d", "write:%d:EIO", "write:%d:EPIPE", "write:%d:SHORT"])
def test_offline_recorded(packets, tmp_path, failure):
    command = [FAULT, "-r", packets, "--record", "4M", *OFFLINE]
    count = calls_of(failure.partition(":")[0], command, tmp_path / "log")
    assert count > 0
    check_all([lambda n=n: Run(failure % n, command) for n in range(1, count + 1)], list(range(COUNT)))


@pytest.mark.parametrize("failure", ["write:%d:ENOSPC", "write:%d+:ENOSPC", "write:%d:SHORT"])
def test_recorded_to_a_file(packets, tmp_path, failure):
    """What is in memory and has no room on the disk any more is counted, as what waits in a pool."""
    def command(number):
        return [FAULT, "-r", packets, "--record", "4M", "--compress", "none", "-w", tmp_path / f"{number}.tar", *OFFLINE]

    count = calls_of("write", command(0), tmp_path / "log", output=tmp_path / "0.tar")
    assert count > 5
    check_all([lambda n=n: Run(failure % n, command(n), output=tmp_path / f"{n}.tar") for n in range(1, count + 1)],
              list(range(COUNT)))


def test_no_memory_to_compress(packets):
    """It is among the first that is asked for."""
    said = [Run(f"malloc:{n}", [FAULT, "-r", packets, "--compress", "zstd", *OFFLINE]).check().text for n in range(1, 31)]
    assert sum("--compress: cannot have 1064960 bytes" in text for text in said) == 2


@pytest.mark.parametrize("flags", [("--compress", "zstd"), ("--record", "4M"), ("--record", "4M", "--keep", "10m")])
def test_compressing_and_recording_take_no_memory_on_their_way(packets, tmp_path, flags):
    """What they take they take before the capture, however many files there are to be."""
    def calls(*arguments):
        return calls_of("malloc", [FAULT, "-r", packets, *arguments, *OFFLINE], tmp_path / "log")
    few, many = ("-c", "50"), ()
    assert 0 < calls(*few, *flags) - calls(*few) == calls(*many, *flags) - calls(*many)


@pytest.mark.parametrize("failure", WRITES_FILE)
def test_offline_to_a_file(packets, tmp_path, failure):
    def command(number):
        return [FAULT, "-r", packets, "-w", tmp_path / f"{number}.tar", *OFFLINE]

    count = calls_of("write", command(0), tmp_path / "log", output=tmp_path / "0.tar")
    assert count > 5
    check_all([lambda n=n: Run(failure % n, command(n), output=tmp_path / f"{n}.tar") for n in range(1, count + 1)],
              list(range(COUNT)))


@pytest.mark.parametrize("failure", ["malloc:%d", "pcap:%d", "archive:%d", "json:%d", "system:%d", "socket:%d:ENOMEM",
                                     "socket:%d:EPERM", "write:%d:EIO", "write:%d:EINTR", "write:%d:EAGAIN",
                                     "write:%d:SHORT", "clock:%d"])
def test_live(wire, tmp_path, failure):
    """Some of the calls, others each time."""
    command = ["nsenter", f"--net=/run/netns/{wire.b}", FAULT, "-i", "tc0", "-q", "-B", "2048", "-G", "100ms", "-c",
               "60", "--duration", "2s", "--headers", "ether proto 0x88b5"]
    seed = random.randrange(10**6)
    choice = random.Random(seed)
    print("seed", seed)
    ended = []

    def traffic():
        number = 0
        while not ended:
            wire.send([frame(number)])
            number += 1
            time.sleep(0.002)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(traffic)
        try:
            count = calls_of(failure.partition(":")[0], command, tmp_path / "log")
            chosen = sorted(choice.sample(range(1, count + 1), min(count, 12)))
            check_all([lambda n=n: Run(failure % n, command) for n in chosen])
        finally:
            ended.append(True)


@pytest.mark.parametrize("failure", ["malloc:%d", "malloc:%d+", "json:%d", "system:%d", "read:%d", "read:%d:EINTR",
                                     "write:%d:EIO", "write:%d:EPIPE", "write:%d:EINTR", "write:%d:SHORT",
                                     "write:%d+:SHORT"])
def test_join(packets, tmp_path, failure):
    """What comes out is the beginning of what should, and only status 0 is all of it."""
    archive = tmp_path / "x.tar"
    sh(TARCAP, "-r", packets, "-w", archive, *OFFLINE)
    command = [FAULT, "join", "-q", "--memory", "2M", archive]
    count = calls_of(failure.partition(":")[0], command, tmp_path / "log", kind=Join)
    Join.expected = Join("", command).check().out
    assert count > 0 and len(Join.expected) > 24
    check_all([lambda n=n: Join(failure % n, command) for n in range(1, count + 1)])


@pytest.mark.parametrize("failure", ["malloc:%d", "malloc:%d+", "json:%d", "json:%d+", "system:%d", "read:%d", "read:%d:EINTR",
                                     "write:%d:EIO", "write:%d:EPIPE", "write:%d:SHORT"])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_summary(packets, tmp_path, failure, form):
    archive = tmp_path / "x.tar"
    sh(TARCAP, "-r", packets, "-w", archive, *OFFLINE)
    command = [FAULT, "summary", *form, archive]
    Summary.expected = None
    count = calls_of(failure.partition(":")[0], command, tmp_path / "log", kind=Summary)
    # In JSON nobody is told why something is not there: it is null.
    Summary.expected = Summary("", command).check().out if not form else None
    assert count > 0
    check_all([lambda n=n: Summary(failure % n, command) for n in range(1, count + 1, max(1, count // 60))])


def test_join_when_a_manifest_takes_all_its_memory():
    """Parsing has a limit: a hostile manifest must not do worse by reaching it in the middle of a string."""
    def hostile(lists):
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, text in (("w/capture.json", b"{}"),
                               ("w/manifest.json", b"[" + b"[]," * lists + b'"' + b"A" * 1_500_000 + b'"]')):
                member = tarfile.TarInfo(name)
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text))
        return made.getvalue()

    def one(lists):
        made = Join("", [FAULT, "join", "-q", "--check"], stdin=hostile(lists))
        assert made.status == 1 and made.check(), made

    Join.expected = None
    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
        list(pool.map(one, range(260_000, 700_000, 10_000)))


# --- system calls of the binary as it is shipped -----------------------------------------------------------------

def traced(inject, *command, before=()):
    return [*before, "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={inject}", *command]


def trace(path, calls, *command, before=(), **more):
    """The lines that strace has for these calls in a run without a fault."""
    done = subprocess.run([str(word) for word in [*before, "strace", "-f", "-qq", "-o", path, "-e", f"trace={calls}",
                                                  *command]],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=20, **more)
    assert done.returncode == 0, done.stderr
    return path.read_text().splitlines()


@pytest.mark.parametrize("call", ["poll", "pwritev2", "writev", "read,readv"])
@pytest.mark.parametrize("when", ["1+2", "2+2", "1+3"])
def test_interrupted_calls_offline(packets, tmp_path, call, when):
    """EINTR, time and again, changes nothing."""
    to_file = call == "writev"
    output = tmp_path / "x.tar" if to_file else None
    made = Run("", traced(f"{call}:error=EINTR:when={when}", TARCAP, "-r", packets,
                          *(("-w", output) if to_file else ()), *OFFLINE), output=output)
    assert made.status == 0, made
    made.check(list(range(COUNT)))


@pytest.mark.parametrize("call, when", [("poll", "2+2"), ("read", "1+2"), ("pwritev2", "1+2")])
def test_interrupted_calls_live(wire, call, when):
    capture = Capture(wire, "-c", 500, "-G", "100ms", before=traced(f"{call}:error=EINTR:when={when}"))
    for number in range(500):
        wire.send([frame(number)])
        time.sleep(0.0005)
    assert capture.wait().whole().numbers() == list(range(500))


@pytest.mark.parametrize("call", ["SIOCGIFNAME", "SIOCGIFFLAGS"])
def test_an_interface_that_is_renamed_just_now_is_not_gone(wire, tmp_path, call):
    """Its flags are asked for by its name, which may be another's, or nobody's, by then."""
    def down_and_up(*before):
        capture = Capture(wire, "-c", 10, before=before)
        wire.ip(wire.b, "link", "set", "tc0", "down")
        capture.heard("the interface is down")
        wire.ip(wire.b, "link", "set", "tc0", "up")
        capture.heard("the interface is up again")
        wire.wait_up()
        wire.send(numbered(10))
        assert capture.wait().whole().numbers() == list(range(10))
    log = tmp_path / "trace"
    down_and_up("strace", "-f", "-qq", "-o", log, "-e", "trace=ioctl")
    calls = log.read_text().splitlines()
    flags = next(at for at, line in enumerate(calls, 1) if "SIOCGIFFLAGS" in line and "IFF_UP" not in line)
    at = next(at for at in (flags - 1, flags) if call in calls[at - 1])
    down_and_up(*traced(f"ioctl:error=ENODEV:when={at}"))


# What a kernel answers to a call that it does not have, and what runtimes' profiles answer for it.
REFUSALS = ["ENOSYS", "EPERM", "EACCES"]


@pytest.mark.parametrize("error", [*REFUSALS, "EOPNOTSUPP", "EINVAL"])
def test_profile_that_refuses_pwritev2(wire, error):
    """The archive leaves by writev, and the pipe is as it was before."""
    reader, writer = os.pipe()
    capture = Capture(wire, "-c", 2000, stdout=writer, before=traced(f"pwritev2:error={error}"))
    out = bytearray()
    collector = threading.Thread(target=lambda: out.extend(open(reader, "rb").read()))
    collector.start()
    wire.send(frame(number, 1000) for number in range(2000))
    result = capture.wait()
    flags = fcntl.fcntl(writer, fcntl.F_GETFL)
    os.close(writer)
    collector.join(5)
    assert result.status == 0 and Archive(bytes(out)).check().numbers() == list(range(2000)), result.err
    assert not flags & os.O_NONBLOCK


@pytest.mark.parametrize("error", REFUSALS)
@pytest.mark.parametrize("call", ["landlock_create_ruleset", "landlock_restrict_self", "PR_SET_SECCOMP"])
def test_profile_that_refuses_a_sandbox(wire, tmp_path, call, error):
    """What can't be had is said with -v, and nothing is lost by it."""
    inject = f"{call}:error={error}"
    if call.startswith("PR_"):
        calls = trace(tmp_path / "trace", "prctl", TARCAP, "-i", "tc0", "--duration", "100ms",
                      before=["nsenter", f"--net=/run/netns/{wire.b}"])
        [at] = [number for number, line in enumerate(calls, 1) if call in line]
        inject = f"prctl:error={error}:when={at}"
    capture = Capture(wire, "-v", "-c", 100, before=traced(inject))
    wire.send(frame(number) for number in range(100))
    result = capture.wait()
    assert result.whole().numbers() == list(range(100))
    assert result.said("sandbox: no capabilities", "no Landlock" if "landlock" in call else "no seccomp"), result.err


@pytest.mark.parametrize("error", REFUSALS)
def test_profile_that_refuses_getrandom(packets, error):
    done = subprocess.run(traced(f"getrandom:error={error}", TARCAP, "summary", packets), stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=20)
    assert done.returncode == 0 and f"{COUNT} packets".encode() in done.stdout, done


def test_ring_is_granted_smaller(wire, tmp_path):
    """libpcap asks for less and less, and says nothing; the size that there is gets said."""
    namespace = ["nsenter", f"--net=/run/netns/{wire.b}"]
    calls = trace(tmp_path / "trace", "setsockopt", TARCAP, "-i", "tc0", "--duration", "100ms", before=namespace)
    first, *_ = [number for number, line in enumerate(calls, 1) if "PACKET_RX_RING" in line]
    refused = 5
    capture = Capture(wire, "-c", 100,
                      before=traced(f"setsockopt:error=ENOMEM:when={first}..{first + refused - 1}"))
    capture.heard("kernel granted only", "of ring")
    wire.send(frame(number) for number in range(100))
    archive = capture.wait().whole()
    assert archive.numbers() == list(range(100))
    assert 0 < archive.manifest["memory"]["ring_bytes"] < 32768 * 1024


def test_kernel_without_room_for_the_longer_filter(wire, tmp_path):
    """It keeps the short one, and the packets are cut in user space."""
    namespace = ["nsenter", f"--net=/run/netns/{wire.b}"]
    calls = trace(tmp_path / "trace", "setsockopt", TARCAP, "--headers", "-i", "tc0", "--duration", "100ms",
                  "ether proto 0x88b5", before=namespace)
    *_, last = [number for number, line in enumerate(calls, 1) if "SO_ATTACH_FILTER" in line]
    capture = Capture(wire, "--headers", "-c", 100, "ether proto 0x88b5",
                      before=traced(f"setsockopt:error=ENOMEM:when={last}"))
    capture.heard("--headers", "and cut here")
    wire.send(data for number in range(100) for data in (frame(number, 500), udp(number)))
    archive = capture.wait().whole()
    assert archive.numbers() == list(range(100)) and archive.lost() == {}
    assert {(record.caplen, record.length) for record in archive.records} == {(142, 500)}


@pytest.mark.parametrize("error, words", [("ENOSPC", "No space left"), ("EIO", "I/O error|Input/output error")])
def test_disk_that_fails_at_any_write(packets, tmp_path, error, words):
    """The archive ends, and one line says why."""
    output = tmp_path / "x.tar"
    count = len(trace(tmp_path / "trace", "writev", TARCAP, "-r", packets, "-w", output, *OFFLINE))
    assert count > 3
    for number in range(1, count + 1):
        made = Run("", traced(f"writev:error={error}:when={number}", TARCAP, "-r", packets, "-w", output, *OFFLINE),
                   output=output).check()
        assert made.status == 1 and re.search(words, made.text), made


@pytest.mark.parametrize("call, error", [("memfd_create", "EPERM"), ("fchmod", "EPERM"), ("fallocate", "ENOSPC"),
                                         ("fallocate", "EOPNOTSUPP")])
def test_memory_to_record_in_that_cannot_be_had(wire, call, error):
    made = Run("", traced(f"{call}:error={error}", TARCAP, "-q", "-i", "tc0", "--record", "4M", "--duration", "200ms",
                          before=["nsenter", f"--net=/run/netns/{wire.b}"])).check()
    assert made.status == 1 and made.out == b"" and made.text.startswith("tarcap: --record: "), made


@pytest.mark.parametrize("call, error", [("timerfd_create", "EMFILE"), ("signalfd4", "EMFILE"),
                                         ("timerfd_settime", "EINVAL"), ("socket", "EMFILE"), ("socket", "EPERM"),
                                         ("bind", "ENODEV"), ("mmap", "ENOMEM")])
def test_system_call_that_fails_live(wire, tmp_path, call, error):
    """Each of its calls: one clear line, or nothing is lost by it."""
    namespace = ["nsenter", f"--net=/run/netns/{wire.b}"]
    command = [TARCAP, "-q", "-i", "tc0", "--duration", "200ms"]
    count = len(trace(tmp_path / "trace", call, *command, before=namespace))
    assert count > 0
    first = 2 if call == "mmap" else 1  # musl's own, before main(), is not survived
    runs = [Run("", traced(f"{call}:error={error}:when={number}", *command, before=namespace)).check()
            for number in range(first, min(count, 20) + 1)]
    assert call == "mmap" or any(made.status == 1 for made in runs), runs


@pytest.mark.parametrize("fault", ["clock:1", "clock:12+"])
def test_silence_is_by_a_clock_that_nobody_sets(wire, fault):
    """The real one is an hour earlier, once, or each time that somebody looks."""
    capture = Capture(wire, "--until", "silence=1500ms", "--after", 0, "--record", "4M", binary=FAULT,
                      env={**os.environ, **SANITIZERS, "FAULT": fault})
    for number in range(4):
        wire.send([frame(number)])
        time.sleep(0.3)
    begin = time.monotonic() - 0.3
    result = capture.wait(10)
    assert time.monotonic() - begin > 1.4
    archive = result.whole()
    assert archive.cause == "event" and archive.manifest["event"]["what"] == "silence=1500ms"
    assert archive.numbers() == [0, 1, 2, 3] and archive.manifest["events"] == 1
