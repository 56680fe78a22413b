"""hold, stop, check and tar: a process namespace of its own stands for the container."""

import io
import json
import os
import signal
import socket
import stat
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from archive import Archive
from capture import run
from hold import Hold
from process import OWN, TARCAP, kill_all_started, lines, patience, processes, rests, sh, start_process, wait_until
from wire import frame, numbered


@pytest.fixture
def hold(wire):
    return Hold(wire)


# --- hold -------------------------------------------------------------------------------------------------------

def test_says_what_to_type(hold):
    assert len(hold.err) == 1
    for words in ("holding for 1h", "docker exec -i CONTAINER tarcap >", "kubectl exec -i POD -c CONTAINER -- tarcap >",
                  "kubectl cp POD:/capture ./capture -c CONTAINER"):
        assert words in hold.err[0], words


def test_it_names_no_container_it_cannot_know(hold):
    """The host name is the target's with --network container:, the pod's in Kubernetes, and the node's in its network."""
    assert socket.gethostname() not in hold.err[0]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_as_process_1(hold, name):
    os.kill(hold.pid, getattr(signal, name))
    assert hold.wait(3) == 0


def test_it_logs_who_captures(hold, wire):
    """The capture's own stderr goes to whoever asked for it; the hold's is the container's log."""
    long = hold.capture("--reason", "ticket 12")
    short = hold.capture("-c", 1, "udp port 9999 or ether proto 0x88b5")
    wire.send(numbered(1))
    assert short.result().status == 0
    wait_until(lambda: any("has ended, after" in line for line in hold.err))
    begun = [line.split(" captures, for ") for line in hold.err if " captures, for " in line]
    assert [words for _, words in begun] == [f"uid 0: {TARCAP} -i tc0 --reason 'ticket 12'",
                                             f"uid 0: {TARCAP} -i tc0 -c 1 'udp port 9999 or ether proto 0x88b5'"]
    [ended] = [line for line in hold.err if "has ended, after" in line]
    assert begun[1][0] == ended.partition(" has ended")[0] and begun[0][0] != begun[1][0]
    hold.call(TARCAP, "stop")
    assert long.result().status == 0


def test_it_does_not_log_what_is_no_capture(hold):
    hold.call(TARCAP, "check", "-i", "tc0")
    hold.call(TARCAP, "-i", "nosuch")
    os.kill(hold.pid, signal.SIGUSR1)
    time.sleep(0.2)
    assert len(hold.err) == 1, hold.err


def test_the_ttl_ends_it(wire):
    start = time.monotonic()
    assert Hold(wire, "--ttl", "1500ms").wait() == 0
    assert 1.4 < time.monotonic() - start < 4 * patience()


def test_the_ttl_waits_for_a_capture(wire):
    hold = Hold(wire, "--ttl", "1s")
    process = hold.capture("--duration", "3s")
    start = time.monotonic()
    wire.send([frame(0)])
    assert process.result().whole().numbers() == [0]
    assert time.monotonic() - start > 2
    assert hold.wait(5) == 0
    assert any("waiting for 1 capture" in line for line in hold.err)


def test_a_signal_lets_two_captures_end(hold, wire):
    captures = [hold.capture(), hold.capture()]
    wire.send([frame(n) for n in range(100)])
    start = time.monotonic()
    os.kill(hold.pid, signal.SIGTERM)
    for process in captures:
        archive = process.result().whole()
        assert archive.numbers() == list(range(100))
        assert archive.manifest["ended_by"] == {"cause": "signal", "detail": "SIGTERM"}
    assert hold.wait(5) == 0
    assert time.monotonic() - start < 3 * patience()


def stuck_capture(hold, wire):
    """One whose output nobody reads, and that has more than a pipe holds."""
    start_process(hold.command(TARCAP, "-i", "tc0"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                  stderr=subprocess.DEVNULL)
    wait_until(lambda: hold.captures() == 1)
    for n in range(4000):
        wire.socket.send(frame(n, 1500))
    time.sleep(1.5)


def test_a_stuck_capture_is_not_waited_for_for_ever(hold, wire):
    stuck_capture(hold, wire)
    start = time.monotonic()
    os.kill(hold.pid, signal.SIGTERM)
    assert hold.wait(10) == 0
    assert 4.5 < time.monotonic() - start < 7.5 * patience()


def test_a_second_signal_ends_it_at_once(hold, wire):
    stuck_capture(hold, wire)
    os.kill(hold.pid, signal.SIGTERM)
    time.sleep(0.5)
    os.kill(hold.pid, signal.SIGTERM)
    assert hold.wait(1.5) == 0


def test_orphans_leave_no_zombies(hold):
    hold.call("sh", "-c", "for i in 1 2 3 4 5; do (sleep 0.2 &) ; done")
    time.sleep(0.6)
    states = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
              for pid in Path(f"/proc/{hold.pid}/task/{hold.pid}/children").read_text().split()]
    assert "Z" not in states


def test_it_costs_nothing(hold):
    rests(hold.pid, 1.5, wakings=0)


@pytest.mark.parametrize("arguments, words", [
    (["--ttl", "x"], ["--ttl", "'x'", "allowed"]), (["--ttl"], ["--ttl"]), (["--nosuch"], ["--nosuch"]),
    (["tcp"], ["'tcp'", "--"]), (["--", "--nosuch"], ["--nosuch"]), (["--", "-c", "x"], ["-c", "'x'"]),
    (["--", "-D"], ["no -D"]), (["--", "--raw"], ["no --raw"])])
def test_wrong_usage(arguments, words):
    result = run("hold", *arguments)
    assert result.status == 2 and len(result.err) == 1
    assert result.said(*words)


# --- stop -------------------------------------------------------------------------------------------------------

def test_stop_ends_captures_and_hold(hold, wire):
    captures = [hold.capture(), hold.capture("udp or ether proto 0x88b5")]
    wire.send([frame(n) for n in range(50)])
    result = hold.call(TARCAP, "stop")
    assert (result.status, result.err) == (0, [])
    for process in captures:
        assert process.result().whole().numbers() == list(range(50))
    assert hold.wait(3) == 0


def test_who_stops_it_may_end_first(hold):
    """The hold's end is that of every process in its container: 'tarcap stop' was killed before it could say how it went."""
    result = hold.call("bash", "-c", "kill 1; sleep 0.4; echo seen")
    assert (result.status, result.out) == (0, b"seen\n")
    assert hold.wait(3) == 0


def test_who_stops_it_and_stays_is_not_waited_for(hold):
    assert hold.call("bash", "-c", "kill 1; sleep 60").status == -signal.SIGKILL
    assert hold.wait(1) == 0


def test_stop_without_a_hold(wire):
    """Then it is the captures' own signal."""
    inner = start_process(["nsenter", f"--net=/run/netns/{wire.b}", "unshare", "--pid", "--fork", "--mount-proc", "sh",
                           "-c", '"$0" -i tc0 & sleep 0.7; "$0" stop; echo "stop $?" >&2; wait $!; echo "$?" >&2',
                           TARCAP], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = inner.communicate(timeout=10)
    assert lines(err)[-1] == "0" and "stop 0" in lines(err)
    assert Archive(out).check().manifest["ended_by"]["detail"] == "SIGTERM"


def test_stop_lets_the_real_tar_alone(hold):
    """Outside of the image there may be one."""
    backup = start_process(hold.command("tar", "cf", "-", "/usr/bin"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL)
    wait_until(lambda: backup.stdout.read(1))
    os.kill(hold.pid, signal.SIGTERM)
    # The end of process 1 is the end of the namespace; until then the hold must not have waited for it.
    start = time.monotonic()
    assert hold.wait(5) == 0
    assert time.monotonic() - start < 2 * patience()
    assert backup.wait(5) == -signal.SIGKILL


def test_stop_as_another_user_says_so(hold):
    result = hold.call("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all",
                       "--inh-caps=-all", TARCAP, "stop")
    assert result.status == 1 and result.said("same user"), result.err


def test_stop_with_nothing_to_stop(wire):
    done = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", TARCAP, "stop"], capture_output=True, timeout=9)
    assert done.returncode == 0 and b"nothing to stop" in done.stderr
    assert run("stop", "now").status == 2


def other_cgroup():
    """A new cgroup, for processes of 'another container'; below a controller where there is no unified hierarchy."""
    for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/pids"):
        if Path(root, "cgroup.procs").exists():
            path = Path(root, f"tarcap-test-{OWN}")
            path.mkdir()
            return path
    return None


def test_another_containers_capture_is_let_alone(hold, wire):
    """With a shared process namespace it is visible, and it is told by its cgroup."""
    group = other_cgroup()
    assert group, "no cgroup can be made here"
    try:
        other = hold.capture()
        own = hold.capture()
        pids = processes(lambda path: (path / "comm").read_text() == "tarcap\n" and int(path.name) != hold.pid
                         and "\0-i\0tc0" in (path / "cmdline").read_text()
                         and os.readlink(path / "ns/pid") == os.readlink(f"/proc/{hold.pid}/ns/pid"))
        assert len(pids) == 2
        (group / "cgroup.procs").write_text(str(min(pids)))
        wire.send([frame(1)])
        assert hold.call(TARCAP, "stop").status == 0
        ended = [process for process in (own, other) if process.poll() is not None]
        time.sleep(0.3)
        assert len(ended) == 1
        ended[0].result().whole()
    finally:
        kill_all_started()
        wait_until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


# --- tar: a live capture ----------------------------------------------------------------------------------------

def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: member for member in tar}


def test_cp_captures_under_the_path(hold, wire):
    process = hold.start(TARCAP, "cf", "-", "/capture/2s", name="tar")
    wait_until(lambda: hold.captures() == 1)
    wire.send([frame(n) for n in range(20)])
    result = process.result()
    assert result.status == 0, result.err
    names = members(result.out)
    assert all(name.startswith("capture/2s/") for name in names) and "capture/2s/manifest.json" in names
    assert any(name.endswith(".pcap") for name in names)


def test_cp_uses_the_holds_options(wire):
    hold = Hold(wire, "--", "-i", "tc0", "-c", 5, "-s", "64", "ether", "proto", "0x88b5")
    process = hold.start(TARCAP, "cf", "-", "/capture", name="/usr/bin/tar")
    wait_until(lambda: hold.captures() == 1)
    wire.send([frame(n, 200) for n in range(20)])
    archive = process.result().whole()
    assert [len(record.data) for record in archive.records] == [64] * 5
    assert archive.capture["filter"] == "ether proto 0x88b5" and archive.names[0] == "capture/capture.json"


def test_cp_compresses_as_the_hold_says(wire):
    hold = Hold(wire, "--", "-i", "tc0", "-c", 50, "--compress", "zstd")
    process = hold.start(TARCAP, "cf", "-", "/capture", name="tar")
    wait_until(lambda: hold.captures() == 1)
    wire.send([frame(n, 200) for n in range(50)])
    archive = process.result().whole()
    assert [record.data for record in archive.records] == [frame(n, 200) for n in range(50)]
    [file] = archive.files
    assert file.name.startswith("capture/tc0_00001_") and file.name.endswith(".pcap.zst")


def test_cp_with_a_filter_behind_dashes(wire):
    hold = Hold(wire, "--", "-s", "64", "--", "udp")
    result = hold.call(TARCAP, "cf", "-", "/capture/1s", name="tar")
    assert result.status == 0, result.err
    with tarfile.open(fileobj=io.BytesIO(result.out)) as tar:
        assert json.load(tar.extractfile("capture/1s/capture.json"))["filter"] == "udp"


def test_join_takes_what_cp_gives(hold, wire):
    for path in ("/capture", "/capture/1s"):
        process = hold.start(TARCAP, "cf", "-", path, name="tar")
        wait_until(lambda: hold.captures() == 1)
        wire.send([frame(n) for n in range(20)])
        if path == "/capture":
            time.sleep(0.3)
            assert hold.call("pkill", "-TERM", "-f", "cf - /capture").status == 0
        data = process.result().out
        joined = run("join", "--check", stdin=data)
        assert joined.status == 0 and joined.said("whole: 1 file, 20 packets"), joined.err


def test_cp_duration_counts_more_than_the_holds(wire):
    hold = Hold(wire, "--", "-i", "tc0", "--duration", "1h", "-w", "/nowhere/x.tar", "udp")
    archive = hold.call(TARCAP, "cf", "-", "/capture/1s", name="tar")
    assert archive.status == 0, archive.err
    with tarfile.open(fileobj=io.BytesIO(archive.out)) as tar:
        manifest = json.load(tar.extractfile("capture/1s/manifest.json"))
        capture = json.load(tar.extractfile("capture/1s/capture.json"))
    assert manifest["ended_by"]["cause"] == "duration" and capture["filter"] == "udp"


@pytest.mark.parametrize("words", [True, False])
def test_cp_is_refused_where_the_output_is_encrypted(wire, words, monkeypatch):
    """By the hold's words, or by its environment: cp can take nothing but a tar."""
    recipient = "age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryef"
    if not words:
        monkeypatch.setenv("TARCAP_TO", recipient)
    hold = Hold(wire, "--", "-i", "tc0", *(["--to", recipient] if words else []))
    for path in ("/capture", "/capture/1s"):
        result = hold.call(TARCAP, "cf", "-", path, name="tar")
        assert result.status == 2 and result.out == b""
        assert result.said("encrypted here", recipient, "kubectl exec -i POD -c CONTAINER -- tarcap > x.tar.age"), result.err
    copied = hold.call(TARCAP, "cf", "-", "/etc/hostname", name="tar")
    assert copied.status == 0 and list(members(copied.out)) == ["etc/hostname"]


def test_cp_without_a_hold(wire):
    done = subprocess.run(["nsenter", f"--net=/run/netns/{wire.b}", "unshare", "--pid", "--fork", "--mount-proc", TARCAP,
                           "tar", "cf", "-", "/capture/1s"], capture_output=True, timeout=9)
    assert done.returncode == 0 and "capture/1s/manifest.json" in members(done.stdout)


@pytest.mark.parametrize("path", ["/capture/x", "/capture/1s/2", "/capture/-1", "/capture/" + "1" * 80])
def test_cp_of_no_duration(path):
    result = run("tar", "cf", "-", path)
    assert result.status == 2 and not result.out and len(result.err) == 1


# --- tar: files -------------------------------------------------------------------------------------------------

@pytest.fixture
def tree(tmp_path):
    top = tmp_path / "tree"
    (top / "folder/deep").mkdir(parents=True)
    (top / "a").write_bytes(os.urandom(100_000))
    (top / "folder/empty").write_bytes(b"")
    (top / ("n" * 200)).write_bytes(b"long")
    (top / "\u00e9").write_bytes(b"not ascii")
    (top / "link").symlink_to("folder/empty")
    (top / "dangling").symlink_to("/nowhere")
    (top / "up").symlink_to("../..")
    os.mkfifo(top / "fifo")
    os.mknod(top / "device", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(top / "socket"))
    return top


def test_a_tree_as_tar_copies_it(tree, tmp_path):
    result = run("tar", "cf", "-", tree)
    assert result.status == 0, result.err
    ours = members(result.out)
    theirs = members(subprocess.run(["tar", "cf", "-", str(tree)], capture_output=True, check=True).stdout)
    assert set(ours) == set(theirs)
    for name, member in theirs.items():
        assert (ours[name].type, ours[name].linkname, ours[name].size, ours[name].mode, int(ours[name].mtime)) == \
            (member.type, member.linkname, member.size, member.mode, int(member.mtime)), name
    assert result.said("socket", "left out")
    with tarfile.open(fileobj=io.BytesIO(result.out)) as tar:
        assert tar.extractfile(str(tree).lstrip("/") + "/a").read() == (tree / "a").read_bytes()
    (tmp_path / "x").mkdir()
    subprocess.run(["tar", "xf", "-", "-C", str(tmp_path / "x")], input=result.out, check=True)
    assert subprocess.run(["diff", "-r", "--no-dereference", str(tree / "folder"),
                           str(tmp_path / "x") + str(tree / "folder")]).returncode == 0


@pytest.mark.parametrize("mode", ["cf", "-cf"])
def test_one_file(tree, mode):
    result = run("tar", mode, "-", tree / "a")
    assert result.status == 0 and list(members(result.out)) == [str(tree / "a").lstrip("/")]


def test_several_paths_and_a_missing_one(tree):
    result = run("tar", "cf", "-", tree / "a", tree / "nosuch", tree / "link")
    assert result.status == 2
    assert list(members(result.out)) == [str(tree / "a").lstrip("/"), str(tree / "link").lstrip("/")]
    assert result.said("nosuch", "No such file or directory") and result.said("exiting with failure")


def test_a_missing_path_gives_an_empty_archive():
    result = run("tar", "cf", "-", "/nosuch")
    assert result.status == 2 and members(result.out) == {}


def test_a_real_capture_directory_is_copied(tmp_path):
    """A volume that is mounted there is what is meant."""
    done = subprocess.run(["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /mnt && mkdir /mnt/capture && "
                           "echo x > /mnt/capture/x.tar && cd /mnt && exec \"$0\" tar cf - capture", TARCAP],
                          capture_output=True, timeout=9)
    assert done.returncode == 0 and set(members(done.stdout)) == {"capture", "capture/x.tar"}


def test_a_file_that_shrinks_while_it_is_copied(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"x" * (8 << 20))
    process = start_process([TARCAP, "tar", "cf", "-", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    data = process.stdout.read(1 << 20)
    os.truncate(path, 1 << 20)
    data += process.stdout.read()
    assert process.wait(5) == 0
    [member] = members(data).values()
    assert member.size == 8 << 20


def test_a_reader_that_leaves(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"x" * (8 << 20))
    process = start_process([TARCAP, "tar", "cf", "-", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(1000)
    process.stdout.close()
    process.stdout = None
    assert process.wait(5) == 3
    assert b"reader has gone away" in process.stderr.read()


@pytest.mark.parametrize("arguments", [[], ["xf", "-"], ["cf", "x.tar", "/etc"], ["czf", "-", "/etc"], ["cf", "-"],
                                       ["tf", "-"], ["--version"], ["-xmf", "-", "-C", "/tmp"]])
def test_what_tar_does_not_offer(arguments):
    result = run("tar", *arguments)
    assert result.status == 2 and len(result.err) == 1 and not result.out
    assert result.said("only 'tar cf - PATH'")


# --- check ------------------------------------------------------------------------------------------------------

def test_check_of_a_recorder(wire):
    result = run("check", "-i", "tc0", "--record", "4M", namespace=wire.b)
    assert result.status == 0 and b"\nrecord         4M, which nobody else can write to\n" in result.out
    done = run("check", "-i", "tc0", "--record", "64M", namespace=wire.b, before=["prlimit", "--as=60000000"])
    assert done.status == 1 and done.said("--record"), done.err


def test_check_says_whom_a_capture_is_encrypted_to(wire):
    """All of them, in one line, and whether the container says so."""
    one, two = (sh("age-keygen", "-y", "-", input=sh("age-keygen").stdout).stdout.strip() for _ in range(2))
    result = run("check", "-i", "tc0", "--to", one, namespace=wire.b)
    assert result.status == 0 and f"\nencrypted      to {one}\n" in result.out.decode()
    result = run("check", "-i", "tc0", "--to", one, namespace=wire.b, env={**os.environ, "TARCAP_TO": f"{two} {one}"})
    assert f"\nencrypted      to {one} {two} (TARCAP_TO)\n" in result.out.decode()


def test_check(wire):
    result = run("check", "-i", "tc0", "tcp", namespace=wire.b)
    text = result.out.decode()
    assert result.status == 0 and text.endswith("a capture would work\n")
    rows = [line.partition(" ")[0] for line in text.splitlines()]
    assert rows == ["user", "NET_RAW", "capabilities", "no_new_privs", "seccomp", "interface", "interface", "memory",
                    "stdout", "limits", "encrypted", "capture", "memory", "sandbox", "a"]
    assert "\nencrypted      no\n" in text
    assert "tc0, link-type EN10MB" in text and "ring 32M of 32M" in text
    assert "interface      lo: down; in 0 packets, 0 bytes; out 0 packets, 0 bytes\n" in text
    assert "interface      tc0: up; in " in text and "effective yes, permitted yes, in the container" in text


@pytest.mark.parametrize("arguments", [["--version"], ["-D"], ["-d"], ["-r", "x.pcap"]])
def test_check_is_of_a_live_capture(arguments):
    result = run("check", *arguments)
    assert result.status == 2 and not result.out and len(result.err) == 1


def test_check_says_what_is_wrong(wire):
    assert run("check", "-i", "nosuch", namespace=wire.b).status == 1
    assert run("check", "tcp port port").status == 2
    done = subprocess.run(["nsenter", f"--net=/run/netns/{wire.b}", "setpriv", "--bounding-set=-net_raw",
                           "--inh-caps=-net_raw", TARCAP, "check", "-i", "tc0"], capture_output=True, timeout=9)
    assert done.returncode == 1 and b"NET_RAW" in done.stderr and b"would work" not in done.stdout
