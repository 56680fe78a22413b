"""hold --record and snapshot: a process namespace of its own stands for the container."""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

import age
from archive import Archive, tar_members
from capture import Result, run
from hold import Hold
from images import CAPABILITY
from process import TARCAP, lines, rests, start_process, wait_until
from wire import frame, number_of, numbered
from wire import udp as datagram

RECORD = ("--record", "4M")

class Recorder(Hold):
    """A hold that records."""

    def __init__(self, wire, *arguments, behind=("-i", "tc0"), **more):
        super().__init__(wire, *RECORD, *arguments, "--", *behind, **more)
        self.heard("listening on")
        [self.recorder] = self.children()

    def children(self):
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def snapshot(self, *arguments, **more):
        return self.call(TARCAP, "snapshot", *arguments, **more)

    def begin(self, *arguments):
        """A snapshot whose output is read by the test."""
        return start_process(self.command(TARCAP, "snapshot", *arguments), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def area(self):
        """The number of the descriptor that the area is in the hold."""
        [number] = [path.name for path in Path(f"/proc/{self.pid}/fd").iterdir()
                    if os.readlink(path).startswith("/memfd:tarcap-record")]
        return number


@pytest.fixture
def recorder(wire):
    return Recorder(wire)


def tar_names(data):
    return [name for name, *_ in tar_members(data)[0]]


@pytest.mark.parametrize("way", ["its own words", "the hold's words", "the environment"])
def test_a_snapshot_is_encrypted_to_all_who_are_named(wire, way, monkeypatch):
    key, other = age.Key(), age.Key()
    if way == "the environment":
        monkeypatch.setenv("TARCAP_TO", key.recipient)
    recorder = Recorder(wire, behind=["-i", "tc0", *(["--to", key.recipient] if way == "the hold's words" else [])])
    wire.send(numbered(100))
    own = [key.recipient, other.recipient] if way == "its own words" else [other.recipient]
    result = recorder.snapshot(*(word for one in own for word in ("--to", one)))
    assert result.status == 0, result.err
    archive = Archive(age.opened(result.out, key)).check()
    assert age.opened(result.out, other) == archive.data and archive.numbers() == list(range(100))
    assert sorted(archive.capture["encrypted_to"]) == sorted([key.recipient, other.recipient])
    assert result.said("the archive's manifest, which only the key opens, says: 100 packets in")
    copied = recorder.call(TARCAP, "cf", "-", "/snapshot", name="tar")
    if way == "its own words":
        copied.whole()
        return
    assert copied.status == 2 and copied.out == b""
    assert copied.said("encrypted here", "kubectl exec -i POD -c CONTAINER -- tarcap snapshot > x.tar.age"), copied.err


# --- what comes out ---------------------------------------------------------------------------------------------

def test_a_snapshot_has_what_came_before_it(recorder, wire):
    wire.send(numbered(100))
    result = recorder.snapshot("--reason", "it crashed")
    archive = result.whole()
    assert archive.numbers() == list(range(100))
    assert archive.cause == "snapshot" and archive.manifest["tarcap_manifest"] == 2
    assert archive.manifest["reason"] == archive.capture["reason"] == "it crashed"
    assert archive.capture["interfaces"][0]["name"] == "tc0" and archive.capture["user"] == {"uid": 0, "gid": 0}
    assert archive.capture["system"] == {"host": os.uname().nodename, "kernel": os.uname().release,
                                         "machine": os.uname().machine}
    names = [name.partition("/")[2] for name in archive.names]
    assert names[0] == "capture.json" and names[1] == "context/start/interfaces.json"
    assert "context/end/proc-net-tcp" in names and names[-1] == "manifest.json"
    assert result.said("100 packets, of 0 s: from 20")
    recorder.heard("takes a snapshot, for uid 0: ", "snapshot --reason 'it crashed'")
    recorder.heard("has ended, after 0 s")


def test_the_next_snapshot_has_that_and_more(recorder, wire):
    for last in (10, 20, 30):
        wire.send(numbered(10, first=last - 10))
        assert recorder.snapshot("-q").whole().numbers() == list(range(last))
    assert recorder.snapshot("-q").err == []


def test_a_snapshot_of_nothing(recorder):
    result = recorder.snapshot()
    assert result.whole().numbers() == [] and result.said("no packets")
    assert result.archive().manifest["window"] is None


def test_last_leaves_older_files_out(recorder, wire):
    wire.send(numbered(10))
    assert recorder.snapshot().whole().numbers() == list(range(10))
    time.sleep(2)
    wire.send(numbered(10, first=10))
    archive = recorder.snapshot("--last", "1s").whole()
    assert archive.numbers() == list(range(10, 20))
    assert archive.manifest["overwritten"]["packets"] == 10 and archive.manifest["ended_by"]["detail"] == "1s"


def test_after_waits_for_what_comes(recorder, wire):
    process = recorder.start(TARCAP, "snapshot", "--after", "1s")
    wait_until(lambda: len(recorder.children()) > 0)
    time.sleep(0.3)
    wire.send(numbered(10))
    assert process.result().whole().numbers() == list(range(10))


def test_cp_gives_a_snapshot_below_its_path(recorder, wire):
    wire.send(numbered(10))
    archive = recorder.call(TARCAP, "cf", "-", "/snapshot", name="tar").whole()
    assert archive.numbers() == list(range(10))
    assert all(name.startswith("snapshot/") for name in archive.names)
    result = recorder.call(TARCAP, "cf", "-", "/snapshot/1h", name="tar")
    names = tar_names(result.out)
    assert result.status == 0 and all(name.startswith("snapshot/1h/") for name in names), result.err
    assert any(name.endswith(".pcap.zst") for name in names) and names[-1] == "snapshot/1h/manifest.json"
    recorder.heard("takes a snapshot, for uid 0: tar cf - /snapshot/1h")


def test_to_a_file(recorder, wire, tmp_path):
    wire.send(numbered(10))
    result = recorder.snapshot("-w", tmp_path / "x.tar", "--name", "crash")
    assert result.status == 0 and result.out == b"", result.err
    archive = Archive((tmp_path / "x.tar").read_bytes()).check()
    assert archive.numbers() == list(range(10)) and archive.names[0] == "crash/capture.json"


@pytest.mark.parametrize("more", [[], ["--format", "pcapng"]])
def test_the_event_and_what_first_cut_are_in_it(wire, more):
    recorder = Recorder(wire, "--until", "udp port 5000", "--after", "0", behind=("-i", "tc0", "--first", "10", *more))
    before = recorder.snapshot().whole().manifest
    assert before["event"] is None and before["events"] == 0 and before["cut_by_first"] == {"packets": 0, "bytes": 0}
    wire.send([datagram(1, 4999, 200), datagram(2, 4999, 200), datagram(3)])
    recorder.heard("udp port 5000")
    archive = recorder.snapshot().whole()
    event = archive.manifest["event"]
    assert (event["what"], event["interface"], event["packet"]) == ("udp port 5000", "tc0", 3)
    [file] = [file for file in archive.files if file.name.partition("/")[2] == event["member"]]
    assert file.records[2].data == datagram(3) and archive.manifest["events"] == 1
    assert archive.manifest["cut_by_first"] == archive.account["cut_by_first"] == {"packets": 1, "bytes": 158}


def test_pcapng_and_two_interfaces(wire):
    wire.ip(wire.b, "link", "set", "lo", "up")
    recorder = Recorder(wire, behind=("-i", "tc0", "-i", "lo", "--format", "pcapng", "--compress", "none"))
    wire.send(numbered(10))
    archive = recorder.snapshot().whole()
    assert [number_of(record.data) for record in archive.records_of("tc0")] == list(range(10))
    assert [interface["name"] for interface in archive.manifest["interfaces"]] == ["tc0", "lo"]


@pytest.mark.parametrize("frozen", [False, True])
def test_interfaces_that_come_up_later_are_told(wire, frozen):
    recorder = Recorder(wire, *(UNTIL if frozen else ()), behind=("-i", "all"))
    assert recorder.snapshot().whole().manifest["not_captured"] == []
    wire.ip(wire.b, "link", "add", "late0", "up", "type", "veth", "peer", "name", "late1")
    recorder.heard("late0: came up after the start")
    if frozen:
        freeze(recorder, wire)
    manifest = recorder.snapshot().whole().manifest
    [left] = manifest["not_captured"]
    assert left == {"name": "late0", "why": "came up after the start"} and manifest["not_captured_count"] == 1


def test_twenty_at_once(recorder, wire):
    wire.send(numbered(100))
    snapshots = [recorder.start(TARCAP, "snapshot", "--name", f"x{n}") for n in range(20)]
    for process in snapshots:
        assert process.result(30).whole().numbers() == list(range(100))
    for n in range(20):
        recorder.heard("takes a snapshot", f"--name x{n}")


def pending(pid):
    """How many signals wait to be read by a process."""
    return bin(int(re.search(r"ShdPnd:\s(\w+)", Path(f"/proc/{pid}/status").read_text())[1], 16)).count("1")


def test_the_answer_to_another_is_none(recorder, wire):
    """It may be to a request from before ours, and what came in between would be missing; nor has the hold seen ours."""
    os.kill(recorder.recorder, signal.SIGSTOP)
    first = recorder.begin("--name", "first")
    recorder.heard("takes a snapshot", "first")
    time.sleep(0.05)  # the recorder is told next
    os.kill(recorder.pid, signal.SIGSTOP)
    wire.send(numbered(10))
    second = recorder.begin("--name", "second")
    wait_until(lambda: pending(recorder.pid))
    os.kill(recorder.recorder, signal.SIGCONT)
    errors = lines(second.communicate(timeout=20)[1])
    os.kill(recorder.pid, signal.SIGCONT)
    first.communicate(timeout=20)
    assert any("has not answered within 1 s" in line for line in errors), errors
    recorder.heard("asked for a snapshot; nobody can say who that was")
    assert recorder.snapshot().whole().numbers() == list(range(10))


@pytest.fixture
def as_the_image(tmp_path_factory):
    """What runs the binary as the image's user, who may capture by its file capability; and that binary."""
    binary = Path(tempfile.mkdtemp(dir="/tmp", prefix="tarcap-test-")) / "tarcap"
    shutil.copy(TARCAP, binary)
    binary.chmod(0o755)
    binary.parent.chmod(0o755)
    os.setxattr(binary, "security.capability", CAPABILITY)
    yield ["setpriv", "--reuid=65532", "--regid=65532", "--clear-groups"], binary
    shutil.rmtree(binary.parent)


def test_as_the_user_of_the_image(wire, as_the_image):
    """Its binary has a file capability, so the kernel lets nobody look at its processes by itself."""
    before, binary = as_the_image
    recorder = Recorder(wire, before=before, binary=binary)
    wire.send(numbered(10))
    result = recorder.call(*before, binary, "snapshot")
    archive = result.whole()
    assert archive.numbers() == list(range(10)) and archive.capture["user"]["uid"] == 65532
    recorder.heard("takes a snapshot, for uid 65532: ")
    assert recorder.call(*before, binary, "tar", "cf", "-", f"/proc/1/fd/{recorder.area()}").out.count(b"\0") > 0
    other = recorder.call("setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", binary, "snapshot")
    assert other.status == 1 and other.said("of uid 65532", "--user 65532"), other.err
    assert recorder.call(*before, binary, "stop").status == 0


# --- while it goes on -------------------------------------------------------------------------------------------

def fill(wire, count, first=0):
    """Packets that do not compress."""
    for n in range(count):
        wire.socket.send(frame(first + n, 60)[:60] + os.urandom(1400))


def test_what_is_overwritten_while_a_slow_reader_takes_it_is_counted(wire):
    recorder = Recorder(wire, behind=("-i", "tc0", "-C", "256k"))
    fill(wire, 3000)
    process = recorder.begin()
    head = process.stdout.read(4096)
    for n in range(10):
        fill(wire, 500)
        assert recorder.snapshot("-q").whole()
    out = head + process.stdout.read()
    err = lines(process.stderr.read())
    archive = Result(process.wait(10), out, err).whole()
    assert any("overwritten while others were sent: " in line for line in err), err
    [interface] = archive.manifest["interfaces"]
    assert archive.manifest["overwritten"]["packets"] > 0 and 0 < interface["written"] < 3000
    assert archive.numbers()[0] == 0 or archive.manifest["overwritten"]["files"] > 0


def test_the_recorder_dies_during_a_snapshot(wire):
    """Its memory stays for as long as somebody has it: the archive is whole, and the hold ends behind it."""
    recorder = Recorder(wire)
    fill(wire, 2000)
    process = recorder.begin()
    head = os.read(process.stdout.fileno(), 4096)  # communicate() knows nothing of what a buffer has read ahead
    os.kill(recorder.recorder, signal.SIGKILL)
    out, err = process.communicate(timeout=10)
    archive = Result(process.returncode, head + out, lines(err)).whole()
    assert len(archive.records) > 1000 and archive.cause == "snapshot"
    assert recorder.wait() == 1
    assert recorder.err[-1].endswith("ended: the recorder has ended, and with it what it had")


def test_a_reader_that_leaves(recorder, wire):
    fill(wire, 2000)
    process = recorder.begin()
    process.stdout.read(1000)
    process.stdout.close()
    process.stdout = None
    assert process.wait(5) == 3
    assert b"reader has gone away" in process.stderr.read()


def test_a_reader_that_stalls(recorder, wire):
    fill(wire, 2000)
    process = recorder.begin("--stall", "500ms")
    assert process.wait(10) == 3
    assert b"reader has stalled" in process.stderr.read()


# --- an event ---------------------------------------------------------------------------------------------------

UNTIL = ("--until", "udp port 5000", "--after", "0")


def freeze(recorder, wire):
    wire.send([datagram(99, 5000)])
    recorder.heard("nothing more is recorded")


def test_an_event_freezes_it_and_the_log_says_what_there_is(wire):
    recorder = Recorder(wire, *UNTIL)
    wire.send(numbered(10))
    freeze(recorder, wire)
    [line] = [line for line in recorder.err if "nothing more is recorded" in line]
    assert re.search(r"event: udp port 5000 on tc0, at 20\S+Z; 11 packets \(\d+ bytes, \d s: from 20\S+Z to 20\S+Z\) kept "
                     r"until 20\S+Z, and nothing", line), line
    recorder.heard("now type: docker exec CONTAINER tarcap snapshot > ")
    wire.send(numbered(10, first=10))
    for _ in range(2):
        archive = recorder.snapshot().whole()
        assert len(archive.records) == 11 and "not_yet_stored" not in archive.manifest
        assert archive.account["received_by_filter"] == 11
    rests(recorder.recorder, 1, wakings=0)


def test_after_the_event_it_goes_on_for_as_long_as_was_asked(wire):
    recorder = Recorder(wire, "--until", "udp port 5000", "--after", "1s")
    wire.send([datagram(99, 5000)])
    recorder.heard("event: udp port 5000")
    wire.send(numbered(10))
    live = recorder.snapshot().whole()
    assert len(live.records) == 11 and live.manifest["not_yet_stored"] == 0 and live.manifest["event"]["packet"] == 1
    recorder.heard("nothing more is recorded")
    assert len(recorder.snapshot("--after", "1h").whole().records) == 11


def test_resume_begins_another_account(wire):
    recorder = Recorder(wire, *UNTIL)
    wire.send(numbered(10))
    freeze(recorder, wire)
    result = recorder.snapshot("--resume")
    assert len(result.whole().records) == 11 and result.said("the recorder has begun again")
    recorder.heard("recording again")
    wire.send(numbered(5, first=20))
    archive = recorder.snapshot().whole()
    assert archive.numbers() == [20, 21, 22, 23, 24] and archive.manifest["event"] is None
    assert archive.account["received_by_filter"] == 5 and archive.manifest["overwritten"]["files"] == 0
    assert archive.files[0].name.split("/")[1].startswith("tc0_00001_")
    assert archive.manifest["started"] > result.archive().manifest["started"]
    recorder.err.clear()
    freeze(recorder, wire)
    assert recorder.snapshot("--resume").said("has begun again")


def test_resume_without_a_frozen_recorder_does_nothing_and_says_so(recorder, wire):
    wire.send(numbered(10))
    result = recorder.snapshot("--resume")
    assert result.whole().numbers() == list(range(10)) and result.said("--resume: the recorder is not frozen")
    assert recorder.snapshot().whole().numbers() == list(range(10))


def test_of_two_that_let_it_go_on_the_later_changes_nothing(wire):
    recorder = Recorder(wire, *UNTIL)
    fill(wire, 2000)
    freeze(recorder, wire)
    slow = recorder.begin("--resume")
    head = os.read(slow.stdout.fileno(), 4096)  # as above
    assert recorder.snapshot("--resume").status == 0
    wire.send(numbered(5))
    out, err = slow.communicate(timeout=15)
    result = Result(slow.returncode, head + out, lines(err))
    assert result.whole() and result.said("another snapshot has let the recorder go on already"), result.err
    assert recorder.snapshot().whole().numbers() == list(range(5))


def test_only_the_number_of_what_is_frozen_lets_it_go_on(wire):
    """As a snapshot says it, by sigqueue(3)."""
    recorder = Recorder(wire, *UNTIL)

    def resume(account):
        recorder.err.clear()
        assert ctypes.CDLL(None).sigqueue(recorder.pid, signal.SIGURG, ctypes.c_void_p(account)) == 0
    resume(1)
    recorder.heard("nothing is kept that could be let go")
    freeze(recorder, wire)
    resume(2)
    recorder.heard("nothing is kept that could be let go")
    assert len(recorder.snapshot().whole().records) == 1
    resume(1)
    recorder.heard("recording again")


def test_what_was_not_taken_whole_stays(wire):
    recorder = Recorder(wire, *UNTIL)
    fill(wire, 2000)
    freeze(recorder, wire)
    process = recorder.begin("--resume")
    process.stdout.read(1000)
    process.stdout.close()
    process.stdout = None
    assert process.wait(5) == 3
    assert len(recorder.snapshot().whole().records) > 1000


def test_the_ttl_waits_for_somebody_to_take_it(wire):
    recorder = Recorder(wire, *UNTIL, "--ttl", "2s")
    freeze(recorder, wire)
    time.sleep(2.5)
    assert len(recorder.snapshot().whole().records) == 1
    [until] = [re.search(r"kept until (\S+)Z", line)[1] for line in recorder.err if "kept until" in line]
    left = datetime.fromisoformat(until[:26] + "+00:00") - datetime.now(timezone.utc)
    assert 3500 < left.total_seconds() < 3600
    os.kill(recorder.pid, signal.SIGTERM)
    assert recorder.wait(5) == 0 and "discarded: 1 packet (" in recorder.err[-1]


def test_but_not_longer_than_the_ceiling(wire, monkeypatch):
    monkeypatch.setenv("TARCAP_MAX_DURATION", "3s")
    recorder = Recorder(wire, *UNTIL, "--ttl", "2s")
    freeze(recorder, wire)
    assert recorder.wait(6) == 0 and recorder.err[-2].endswith("--ttl reached")


def test_an_interface_that_goes_leaves_what_it_had(wire):
    recorder = Recorder(wire)
    wire.send(numbered(10))
    recorder.snapshot().whole()
    wire.ip(wire.b, "link", "del", "tc0")
    recorder.heard("event: the interface is gone", "10 packets")
    archive = recorder.snapshot().whole()
    assert archive.numbers() == list(range(10)) and archive.manifest["interfaces"][0]["gone"]


# --- the hold ---------------------------------------------------------------------------------------------------

def test_stop_ends_both_and_says_what_is_discarded(recorder, wire):
    wire.send(numbered(10))
    assert recorder.call(TARCAP, "stop").err == []
    assert recorder.wait(5) == 0
    assert recorder.err[-2].endswith("ended by a signal")
    assert re.search(r"discarded: 10 packets \(\d+ bytes, 0 s: from 20", recorder.err[-1])
    assert not Path(f"/proc/{recorder.recorder}").exists()


def test_the_ttl_discards_it(wire):
    recorder = Recorder(wire, "--ttl", "1s")
    assert recorder.wait(5) == 0
    assert recorder.err[-2].endswith("ended: --ttl reached") and recorder.err[-1].endswith("discarded: no packets")


def test_the_recorder_is_no_capture_of_its_own(recorder):
    """Nothing lists it, and nothing but its hold signals it."""
    capture = recorder.capture("--duration", "300ms")
    assert capture.result().status == 0
    recorder.heard("has ended, after")
    assert Path(f"/proc/{recorder.recorder}/comm").read_text() == "tarcap-recorder\n"
    assert len([line for line in recorder.err if " captures, for " in line]) == 1


def test_nobody_waits_in_vain_for_a_recorder_that_died(recorder):
    os.kill(recorder.recorder, signal.SIGKILL)
    assert recorder.wait(5) == 1
    assert recorder.err[-1].endswith("ended: the recorder has ended, and with it what it had")


def test_the_hold_dies_and_the_recorder_with_it(wire):
    """Not as process 1, whose end would be everybody's."""
    hold = start_process(["nsenter", f"--net=/run/netns/{wire.b}", TARCAP, "hold", *RECORD, "--", "-i", "tc0"],
                         stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_until(lambda: b"listening" in hold.stderr.readline())
    [recorder] = Path(f"/proc/{hold.pid}/task/{hold.pid}/children").read_text().split()
    os.kill(hold.pid, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{recorder}").exists())


def test_it_costs_nothing(recorder):
    rests(recorder.pid, 1.5, wakings=0)
    rests(recorder.recorder, 1.5)


def test_the_hold_has_no_socket_and_the_recorder_is_as_shut_as_a_capture(recorder):
    def status(pid):
        return dict(re.findall(r"(\w+):\t(.*)", Path(f"/proc/{pid}/status").read_text()))
    links = [os.readlink(path) for path in Path(f"/proc/{recorder.pid}/fd").iterdir()]
    with open(f"/proc/{recorder.pid}/net/packet") as table:
        packet_sockets = {f"socket:[{line.split()[8]}]" for line in table.read().splitlines()[1:]}
    assert packet_sockets and not packet_sockets & set(links)
    assert "tarcap-record" not in Path(f"/proc/{recorder.pid}/maps").read_text()
    child = status(recorder.recorder)
    assert child["CapPrm"] == child["CapEff"] == "0000000000000000" and child["NoNewPrivs"] == "1"
    assert child["Seccomp"] == "2" and Path(f"/proc/{recorder.recorder}/oom_score_adj").read_text() == "1000\n"
    assert os.readlink(f"/proc/{recorder.recorder}/fd/0") == "/dev/null"
    assert status(recorder.pid)["CapPrm"] == "0000000000000020"


def test_what_records_is_told_twice_so_that_its_manifest_leaves_in_time(wire):
    """The first signal only lets it begin to send; nobody reads yet, and the container's end does not wait."""
    hold = Hold(wire)
    process = start_process(hold.command(TARCAP, "-i", "tc0", "--record", "4M"), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    wait_until(lambda: hold.captures() == 1)
    fill(wire, 2000)
    time.sleep(0.5)
    os.kill(hold.pid, signal.SIGTERM)
    time.sleep(4.6)  # 1 s to the second signal, 3 s until what has not left is dropped
    archive = Archive(process.stdout.read())
    assert archive.check().account["dropped_at_stop"] > 0
    assert hold.wait(5) == 0


def test_a_refused_socket_is_said_with_its_cure(wire):
    hold = Hold(wire, *RECORD, "--", "-i", "tc0", ready=False,
                before=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all",
                        "--inh-caps=-all"])
    assert hold.wait(5) == 1
    assert len(hold.err) == 1 and "no permission to capture" in hold.err[0] and "Kubernetes:" in hold.err[0]


@pytest.mark.parametrize("arguments, words", [
    (["--record", "1k"], ["--record", "'1k'", "allowed"]), (["--until", "reset"], ["--until", "--record"]),
    (["--record", "4M", "--", "-r", "x"], ["-r"]), (["--record", "4M", "--until", "nosuch"], ["--until", "'nosuch'"]),
    (["--record", "4M", "--", "--raw"], ["--raw"]), (["--record", "4M", "--", "-W", "2"], ["-W"]),
    (["--", "--record", "4M"], ["--record stands before --"]), (["--record"], ["--record"])])
def test_wrong_usage_of_hold(arguments, words):
    result = run("hold", *arguments)
    assert result.status == 2 and len(result.err) == 1 and result.said(*words), result.err


def test_until_help_is_the_same_here():
    for words in ((), RECORD):
        result = run("hold", *words, "--until", "help")
        assert result.status == 0 and result.out == run("--until", "help").out


def test_the_ceiling_of_time_holds_for_the_ttl(wire, monkeypatch):
    monkeypatch.setenv("TARCAP_MAX_DURATION", "2s")
    result = run("hold", *RECORD, "--ttl", "1h", "--", "-i", "tc0", namespace=wire.b)
    assert result.status == 2 and result.said("--ttl 1h", "TARCAP_MAX_DURATION")
    recorder = Recorder(wire, "--ttl", "0")
    assert recorder.wait(6) == 0 and recorder.err[-2].endswith("--ttl reached")


# --- who may read it --------------------------------------------------------------------------------------------

AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
AS_ROOT_WITHOUT = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def test_another_user_may_not(recorder):
    result = recorder.call(*AS_NOBODY, TARCAP, "snapshot")
    assert result.status == 1 and result.out == b"" and result.said("of uid 0", "--user 0"), result.err


def test_root_without_capabilities_may_not(recorder):
    """The hold still may signal, which is more than it."""
    result = recorder.call(*AS_ROOT_WITHOUT, TARCAP, "snapshot")
    assert result.status == 1 and result.out == b"" and result.said("has capabilities that this process lacks")


@pytest.mark.parametrize("reader", [AS_NOBODY, AS_ROOT_WITHOUT], ids=["nobody", "root without capabilities"])
def test_the_memory_opens_for_nobody_else(recorder, reader):
    for pid in (recorder.pid, recorder.recorder):
        for path in (f"fd/{recorder.area()}", "mem", "maps"):
            done = recorder.call(*reader, "dd", f"if=/proc/{1 if pid == recorder.pid else 2}/{path}", "count=1")
            assert done.status != 0 and done.out == b"", (pid, path)


def test_nobody_can_write_to_it(recorder, wire):
    """Not even who may open it: it is sealed."""
    wire.send(numbered(10))
    path = f"/proc/{recorder.pid}/fd/{recorder.area()}"
    with open(path, "r+b", buffering=0) as area:
        with pytest.raises(PermissionError):
            area.write(b"x")
        with pytest.raises(PermissionError):
            area.truncate(100)
    assert recorder.snapshot().whole().numbers() == list(range(10))


def test_tar_gives_nothing_of_it(recorder, wire):
    """'kubectl cp' has tarcap tar copy files, and those of /proc are files."""
    wire.send([frame(n, 60)[:60] + b"SECRET" * 20 for n in range(100)])
    recorder.snapshot().whole()
    pids = (1, 2)
    paths = [f"/proc/{pid}/{name}" for pid in pids for name in
             ("fd", f"fd/{recorder.area()}", "map_files", "mem", f"task/{pid}/fd/{recorder.area()}")]
    with open(f"/proc/{recorder.recorder}/maps") as maps:
        paths += [f"/proc/2/map_files/{line.split()[0]}" for line in maps if "tarcap-record" in line or "socket:" in line]
    assert len(paths) == 12
    for path in paths:
        result = recorder.call(TARCAP, "tar", "cf", "-", path)
        assert b"SECRET" not in result.out and len(result.out) < 200_000, path


def test_without_a_hold(wire):
    done = subprocess.run(["nsenter", f"--net=/run/netns/{wire.b}", "unshare", "--pid", "--fork", "--mount-proc", TARCAP,
                           "snapshot"], stdin=subprocess.DEVNULL, capture_output=True, timeout=9)
    assert done.returncode == 1 and b"there is no hold in this container" in done.stderr


def test_with_a_hold_that_records_nothing(wire):
    hold = Hold(wire)
    result = hold.call(TARCAP, "snapshot")
    assert result.status == 1 and result.said("the hold of this container records nothing", "--record")


@pytest.mark.parametrize("arguments", [["--last", "x"], ["--nosuch"], ["tcp"], ["--name", "a/b"], ["--last", "0"]])
def test_wrong_usage(arguments):
    result = run("snapshot", *arguments)
    assert result.status == 2 and len(result.err) == 1 and not result.out
