"""Every way to a capture in a pod: exec, cp, attach; and many packets through each of them."""

import json
import re
import struct
import subprocess
import time
from pathlib import Path

from cluster import Archive, FLOOD, GRACE, Running, Skip, TOP, alone, check, wait_until

# --- exec -------------------------------------------------------------------------------------------------------

@check
def exec_ends_with_stdin(suite):
    archive = suite.exec("web-1", suite.hold, "tarcap").end()
    assert archive.cause == "stdin closed"
    assert archive.packets


@check
def exec_sees_every_request(suite):
    suite.needs_web()
    capture = suite.exec("web-2", suite.debug("web-2"), "tarcap", "tcp", "port", "80").heard("listening on")
    suite.request(suite.address("web-2"), 50)
    archive = capture.end()
    assert archive.pages() == list(range(1, 51))
    assert archive.lost() == 0


@check
def exec_without_i_ends_by_the_clock(suite):
    capture = suite.exec("web-1", suite.hold, "tarcap", "--duration", "2s", interactive=False)
    assert capture.wait().archive().cause == "duration"


@check
def exec_with_stdin_at_its_end_captures_all_the_same(suite):
    """As in a cron job, or under nohup."""
    words = ["exec", "-i", "web-1", "-c", suite.hold, "--", "tarcap", "--duration", "3s"]
    for before in ([], ["nohup"]):
        capture = Running(*before, "kubectl", "-n", suite.namespace, *words, out=suite.path(".tar"),
                          stdin=subprocess.DEVNULL)
        assert capture.wait().archive().cause == "duration"
        assert capture.said("stdin is closed: going on without it; ends after 3s (--duration)"), capture.lines


@check
def exec_in_a_while_read_loop_captures_all_the_same(suite):
    """kubectl takes the rest of the list, and its end: so there is one turn, which is a whole capture."""
    script = 'printf "a\\nb\\nc\\n" | while read -r word; do echo "turn $word" >&2; "$@"; done'
    capture = Running("sh", "-c", script, "sh", "kubectl", "-n", suite.namespace, "exec", "-i", "web-1", "-c", suite.hold,
                      "--", "tarcap", "--duration", "3s", out=suite.path(".tar"))
    assert capture.wait().archive().cause == "duration"
    assert capture.said("turn") == 1 and capture.said("stdin is closed: going on without it"), capture.lines


@check
def exec_passes_a_wrong_filter_on(suite):
    capture = suite.exec("web-1", suite.hold, "tarcap", "no such filter").wait(expect=2)
    assert capture.path.stat().st_size == 0
    assert capture.said("filter")


@check
def exec_of_20_mb_as_fast_as_it_goes(suite):
    """In through stdin and out through stdout, to the last packet."""
    many, size = 14500, 1450
    head = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1)
    data = head + b"".join(struct.pack("<IIII", 1, 0, size, size) + struct.pack("!I", n) + bytes(size - 4)
                           for n in range(many))
    assert len(data) > 20 << 20
    source = suite.path(".pcap")
    source.write_bytes(data)
    with source.open("rb") as stdin:
        capture = suite.exec("web-1", suite.hold, "tarcap", "-r", "-", stdin=stdin).wait()
    archive = capture.archive()
    assert [struct.unpack("!I", packet[:4])[0] for packet in archive.packets] == list(range(many))


@check
def exec_client_killed(suite):
    """With -i the capture is gone at once."""
    name = suite.debug("web-3")
    for number, wait in enumerate((GRACE, 2), start=1):
        capture = suite.exec("web-3", name, "tarcap").heard("listening on")
        time.sleep(wait)
        assert not suite.ended("web-3", name, number)
        capture.kill()
        wait_until(lambda: suite.ended("web-3", name, number), 15, "the capture's end")


@check
def exec_client_killed_in_the_first_second(suite):
    """That looks like </dev/null: it goes on, but not for long."""
    limit, words = (6, ["--duration", "6s"]) if suite.stand_in else (60, [])
    name = suite.debug("web-3")
    for wait in (0.1, 0.4, 0.7):
        capture = suite.exec("web-3", name, "tarcap", *words).heard("listening on")
        time.sleep(wait)
        capture.kill()
    time.sleep(2)
    wait_until(lambda: suite.ended("web-3", name, 3), limit + 15, "the captures' ends")


@check
def exec_client_killed_without_i(suite):
    """It shows only when the pipe is full, and before that about 1 MB more is taken: then --stall ends it."""
    suite.needs_web()
    suite.needs_cluster("pipe that fills when a client without -i has gone: docker swallows the output")
    name = suite.debug("web-3")
    capture = suite.exec("web-3", name, "tarcap", "--stall", "3s", "--segment-time", "500ms", interactive=False)
    capture.heard("listening on").kill()
    address = suite.address("web-3")

    def ends_under_traffic():
        suite.request(address, 2000)  # about 2 MB
        return suite.ended("web-3", name)
    wait_until(ends_under_traffic, 150, "the capture's end")


@check
def hold_that_is_stopped_lets_captures_end(suite):
    name = suite.debug("web-3")
    captures = [suite.exec("web-3", name, "tarcap").heard("listening on") for _ in range(2)]
    time.sleep(2)
    suite.kubectl("exec", "web-3", "-c", name, "--", "tarcap", "stop")
    for capture in captures:
        archive = capture.wait().archive()
        assert archive.cause == "signal", archive.cause
    suite.await_state("web-3", name, "terminated", timeout=10)


@check
def hold_ends_by_itself(suite):
    suite.debug("web-3", "tarcap", "hold", "--ttl", "2s", state="terminated")


@check
def hold_beside_other_processes(suite):
    """With --target it isn't process 1, and sees another container's processes: 'stop' must let those live."""
    name = f"tarcap-{suite.number()}"
    suite.kubectl("debug", "-q", "web-2", "-c", name, f"--image={suite.image}", "--profile=baseline", "--target=app",
                  f"--custom={TOP}/k8s/debug-profile.yaml", "--", "tarcap", "hold")
    suite.await_state("web-2", name, "running")
    capture = suite.exec("web-2", name, "tarcap").heard("listening on")
    time.sleep(1)
    assert "captures, for uid 65532: tarcap" in suite.kubectl("logs", "web-2", "-c", name).out
    suite.kubectl("exec", "web-2", "-c", name, "--", "tarcap", "stop")
    assert capture.wait().archive().cause == "signal"
    suite.await_state("web-2", name, "terminated", timeout=10)
    suite.await_state("web-2", "app", "running", kind="container", timeout=5)


@check
def check_says_that_it_works(suite):
    done = suite.kubectl("exec", "web-1", "-c", suite.hold, "--", "tarcap", "check")
    assert re.search("^user +65532:65532$", done.out, re.M), done.out


@check
def log_says_who_captured(suite):
    """A capture's own stderr goes where its archive goes; the container's log must tell all the same."""
    name = suite.debug("web-3")
    suite.exec("web-3", name, "tarcap", "--duration", "1s", "--reason", "ticket 12", "tcp port 9").wait()
    suite.copy("web-3:/capture/1s", name, suite.path())
    suite.kubectl("exec", "web-3", "-c", name, "--", "tarcap", "check")

    def log():
        return suite.kubectl("logs", "web-3", "-c", name).out
    wait_until(lambda: log().count("has ended, after") == 2, 20, "the captures' ends in the log")
    assert re.findall("^tarcap: process [0-9]+ captures, for (.*)$", log(), re.M) == [
        "uid 65532: tarcap --duration 1s --reason 'ticket 12' 'tcp port 9'", "uid 65532: tar cf - /capture/1s"]


@check
def every_profile_captures(suite):
    for custom, user in [("debug-profile.yaml", 65532), ("debug-profile-ceilings.yaml", 65532),
                         ("debug-profile-no-new-privs.yaml", 0), ("debug-profile-baseline.yaml", 65532)]:
        capture = suite.exec("web-2", suite.debug("web-2", custom=custom), "tarcap", "--duration", "1s")
        capture.wait(expect=None)
        if custom == "debug-profile-baseline.yaml" and capture.said("started without the capability NET_RAW"):
            raise Skip("this runtime does not give NET_RAW by default; the other profiles have passed")
        assert capture.said(f"asked for by uid {user}:"), (custom, capture.lines)
        assert capture.archive().cause == "duration"


@check
def user_of_the_pod(suite):
    """Any user has the file capability: where a container says none, the pod's counts."""
    suite.apply(suite.pod("of-1000", image=suite.image, securityContext={"runAsUser": 1000, "runAsGroup": 1000}))
    suite.await_state("of-1000", "app", "running", kind="container")
    profile = suite.path(".json")
    profile.write_text(json.dumps({"stdin": True, "stdinOnce": True, "securityContext": {
        "runAsNonRoot": True, "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}}}))
    name = suite.debug("of-1000", custom=profile)
    capture = suite.exec("of-1000", name, "tarcap", "--duration", "2s").wait()
    assert capture.said("asked for by uid 1000:"), capture.lines
    assert capture.archive().packets
    suite.kubectl("exec", "of-1000", "-c", name, "--", "tarcap", "stop")
    suite.await_state("of-1000", name, "terminated", timeout=10)


# --- cp ---------------------------------------------------------------------------------------------------------

def directory_archive(directory):
    """What 'kubectl cp' made of an archive: its files in the order in which they were written."""
    def order(path):
        return {"capture.json": 0, "manifest.json": 2}.get(path.name, 1), str(path)
    paths = sorted((path for path in Path(directory).rglob("*") if path.is_file()), key=order)
    return Archive(files=[(str(path), path.read_bytes()) for path in paths])


@check
def cp_captures_live(suite):
    target = suite.path()
    suite.copy("web-1:/capture/3s", suite.hold, target)
    archive = directory_archive(target)
    assert archive.cause == "duration"
    assert archive.packets


@check
def cp_takes_the_options_of_the_hold(suite):
    name = suite.debug("web-2", "tarcap", "hold", "--", "--duration", "2s", "--reason", "as agreed", "tcp port 9")
    target = suite.path()
    suite.copy("web-2:/capture", name, target)
    archive = directory_archive(target)
    assert archive.cause == "duration"
    assert "tcp port 9" in json.dumps(archive.capture)
    assert "as agreed" in json.dumps(archive.capture)


@check
def cp_of_a_file(suite):
    target = suite.path()
    suite.copy("web-1:/usr/bin/tarcap", suite.hold, target)
    assert target.read_bytes()[:4] == b"\x7fELF"


@check
def cp_of_what_is_not_there(suite):
    """kubectl itself returns 0 for that; but a line says it, and nothing appears."""
    target = suite.path()
    done = suite.kubectl("cp", f"{suite.namespace}/web-1:/no/such/file", target, "-c", suite.hold, expect=None)
    assert "/no/such/file" in done.out + done.err
    assert not target.exists()


@check
def cp_with_retries_is_impossible(suite):
    """It takes a shell, which the image has not: documented, and it must not look like a capture."""
    target = suite.path()
    suite.kubectl("cp", f"{suite.namespace}/web-1:/capture/2s", target, "-c", suite.hold, "--retries=2", expect=None)
    assert not target.exists()


# --- attach -----------------------------------------------------------------------------------------------------

def attach_by_debug(suite, pod, *words, **more):
    name = f"tarcap-{suite.number()}"
    running = Running("kubectl", "-n", suite.namespace, "debug", "-qi", pod, "-c", name, f"--image={suite.image}",
                      "--profile=baseline", f"--custom={TOP}/k8s/debug-profile.yaml", "--", "tarcap", "--wait-reader",
                      *words, out=suite.path(".tar"), **more)
    return name, running


@check
def attach_waits_for_the_reader(suite):
    _, running = attach_by_debug(suite, "web-1")
    running.heard("press Enter", 60)
    time.sleep(1.5)
    archive = running.send(b"\n").end()
    assert archive.packets
    assert archive.cause == "stdin closed"


@check
def attach_late(suite):
    """Seconds after the container has started: what was captured meanwhile is there."""
    name = suite.debug("web-2", "tarcap", "--wait-reader")
    time.sleep(4)
    running = Running("kubectl", "-n", suite.namespace, "attach", "-i", "web-2", "-c", name, out=suite.path(".tar"))
    running.heard("press Enter").send(b"\n")
    archive = running.end()
    first, last = (struct.unpack_from("<I", text, 24)[0] for text in
                   [[text for part, text in archive.files if part.endswith(".pcap")][which] for which in (0, -1)])
    assert last - first >= 3, (first, last)


@check
def attach_with_stdin_at_its_end(suite):
    """With stdinOnce, as in our profile, the output comes all the same."""
    _, running = attach_by_debug(suite, "web-3", "--duration", "4s", stdin=subprocess.DEVNULL)
    assert running.wait().archive().cause == "duration"


@check
def attach_client_killed(suite):
    """However soon after Enter."""
    for wait in (0, 0.5, 2):
        name, running = attach_by_debug(suite, "web-3")
        running.heard("press Enter", 60).send(b"\n").heard("listening on")
        time.sleep(wait)
        running.kill()
        suite.await_state("web-3", name, "terminated", timeout=15)


@check
def attach_client_killed_before_enter(suite):
    """More than 3 s after the readiness line that is the end, too."""
    name, running = attach_by_debug(suite, "web-3")
    running.heard("press Enter", 60, times=3)
    running.kill()
    suite.await_state("web-3", name, "terminated", timeout=15)


@check
def attach_client_killed_without_stdinonce(suite):
    """Nothing shows it, and the runtime takes the output for ever: the limits alone end it."""
    profile = suite.path(".json")
    profile.write_text(json.dumps({"stdin": True, "stdinOnce": False, "securityContext": {
        "runAsUser": 65532, "runAsNonRoot": True, "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}}}))
    name = suite.debug("web-3", "tarcap", "--wait-reader", "--stall", "1s", "--duration", "20s", custom=profile)
    running = Running("kubectl", "-n", suite.namespace, "attach", "-i", "web-3", "-c", name, out=suite.path(".tar"))
    running.heard("press Enter").send(b"\n").heard("listening on")
    running.kill()
    time.sleep(4)
    suite.await_state("web-3", name, "running", timeout=1)
    suite.await_state("web-3", name, "terminated", timeout=40)


# --- many packets -----------------------------------------------------------------------------------------------

@check
@alone
def flood_of_20_mb_through_each_way_at_once(suite):
    """One flood, captured through exec, cp and attach together: each has every request."""
    suite.needs_web()
    wanted = "tcp port 80"
    through_exec = suite.exec("web-1", suite.hold, "tarcap", wanted).heard("listening on")
    _, through_attach = attach_by_debug(suite, "web-1", wanted)
    through_attach.heard("press Enter", 60)
    time.sleep(0.5)
    through_attach.send(b"\n")
    target = suite.path()
    holder = suite.debug("web-1", "tarcap", "hold", "--", wanted)
    through_cp = Running("kubectl", "-n", suite.namespace, "cp", f"{suite.namespace}/web-1:/capture/60s", target, "-c",
                         holder, out=suite.path(".log"), stdin=subprocess.DEVNULL)
    time.sleep(1.5)
    suite.request(suite.address("web-1"), FLOOD)
    archives = {"exec": through_exec.end(), "attach": through_attach.end()}
    # cp cannot be told to end: the capture is. That ends its container's hold, too, which is its own.
    suite.kubectl("exec", "web-1", "-c", holder, "--", "tarcap", "stop")
    through_cp.wait(90)
    archives["cp"] = directory_archive(target)
    for way, archive in archives.items():
        size = sum(len(packet) for packet in archive.packets)
        assert archive.lost() == 0, f"{way}: {archive.lost()} dropped by the kernel"
        assert archive.pages() == list(range(1, FLOOD + 1)), way
        assert size > 12 << 20, (way, size)
