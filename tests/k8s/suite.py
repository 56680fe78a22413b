"""The Kubernetes suite that tests/k8s/run starts: what tarcap promises, through kubectl, in pods of its own.

Needs kubectl, an image that the cluster has, and Python's standard library. Every check is a function with the mark
@check; it raises Skip for what the cluster (or the stand-in) lacks.

Where the traffic comes from: the kubelet's readiness probes, a connection a second to a closed port of each pod. So
no other image is needed. The checks that need many packets take the web server of tests/demo (--web).
"""

import argparse
import io
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PLUGIN = TOP / "k8s/kubectl-tarcap"
VERSION = re.search(r'VERSION_TEXT "(.*)"', (TOP / "src/base/version.h").read_text()).group(1)
SHELL = os.environ.get("PLUGIN_SHELL", "sh").split()
GRACE = 1.3  # a stdin that closes within a second of the readiness line does not count
FLOOD = 21000  # requests: more than 20 MB on the wire


class Skip(Exception):
    pass


checks = []


def check(function):
    checks.append(function)
    return function


def alone(function):
    """For what is measured or heavy: no other check runs meanwhile."""
    function.alone = True
    return function


# --- running things ---------------------------------------------------------------------------------------------

def run(*words, timeout=90, expect=0, **more):
    """A command to its end. expect=None: any status."""
    more = {"stdin": subprocess.DEVNULL, **more} if "input" not in more else more
    done = subprocess.run(list(map(str, words)), capture_output=True, timeout=timeout, **more)
    done.out, done.err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    assert expect is None or done.returncode == expect, \
        f"{' '.join(map(str, words))}\n  status {done.returncode}\n  {done.out[-1500:]}\n  {done.err[-3000:]}"
    return done


def wait_until(condition, timeout, what):
    end = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < end, f"{what}: not within {timeout} s"
        time.sleep(0.1)
    return result


class Running:
    """A command at work, its stdout in a file, its stderr kept; stdin is a pipe unless said otherwise."""

    def __init__(self, *words, out, stdin=subprocess.PIPE, **more):
        self.path = Path(out)
        with self.path.open("wb") as file:
            self.process = subprocess.Popen(list(map(str, words)), stdin=stdin, stdout=file, stderr=subprocess.PIPE,
                                            **more)
        self.lines = []
        self.reader = threading.Thread(target=self._listen, daemon=True)
        self.reader.start()

    def _listen(self):
        for line in self.process.stderr:
            self.lines.append(line.decode("utf-8", "replace").rstrip())

    def said(self, text):
        return sum(text in line for line in self.lines)

    def heard(self, text, timeout=30, times=1):
        def look():
            assert self.said(text) >= times or self.process.poll() is None, f"it ended, and said: {self.lines}"
            return self.said(text) >= times
        wait_until(look, timeout, f"'{text}' on stderr ({self.lines})")
        return self

    def send(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()
        return self

    def close(self):
        """Ctrl-D."""
        self.process.stdin.close()
        return self

    def wait(self, timeout=60, expect=0):
        status = self.process.wait(timeout)
        self.reader.join(5)
        assert expect is None or status == expect, f"status {status}: {self.lines}"
        return self

    def end(self, timeout=60):
        """Past the second in which it would not count, Ctrl-D; the whole archive."""
        self.heard("listening on")
        time.sleep(GRACE)
        return self.close().wait(timeout).archive()

    def archive(self):
        return Archive(self.path.read_bytes())

    def kill(self):
        self.process.kill()
        self.process.wait(10)


class Archive:
    """A whole archive: read to its end, and against its manifest."""

    def __init__(self, data=None, files=None):
        if files is None:
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                files = [(member.name, tar.extractfile(member).read()) for member in tar]
        names = [name for name, _ in files]
        assert names and names[-1].rpartition("/")[2] == "manifest.json", f"no manifest at the end: {names[-3:]}"
        assert names[0].rpartition("/")[2] == "capture.json", names[0]
        self.names, self.files = names, files
        self.capture, self.manifest = json.loads(files[0][1]), json.loads(files[-1][1])
        self.cause = self.manifest["ended_by"]["cause"]
        self.packets = [packet for name, text in files if name.endswith(".pcap") for packet in packets(text, name)]
        assert len(self.packets) == self.manifest["totals"]["packets"], "not as many packets as the manifest says"

    def pages(self):
        """The pages asked for, in order, each counted once however often it was sent."""
        found = {}
        for packet in self.packets:
            for page in re.findall(rb"GET /page/(\d+) HTTP", packet):
                found[int(page)] = True
        return list(found)

    def lost(self):
        return sum(one["dropped_by_kernel"] for one in self.manifest["interfaces"])


def packets(text, name):
    assert text[:4] == b"\xd4\xc3\xb2\xa1", f"{name} is no pcap"
    at, found = 24, []
    while at < len(text):
        caplen = struct.unpack_from("<I", text, at + 8)[0]
        assert at + 16 + caplen <= len(text), f"{name} is torn"
        found.append(text[at + 16:at + 16 + caplen])
        at += 16 + caplen
    return found


# --- the cluster ------------------------------------------------------------------------------------------------

class Suite:
    """What the checks stand on: a namespace with pods."""

    def __init__(self, image, web, directory):
        self.image, self.web, self.directory = image, web, directory
        self.namespace = f"tarcap-test-{os.getpid()}"
        self.namespaces, self.lock, self.count = [], threading.Lock(), 0
        answer = json.loads(run("kubectl", "version", "-o", "json").out)
        self.stand_in = "stand-in" in answer["serverVersion"]["gitVersion"]
        self.server = answer["serverVersion"]["gitVersion"]

    def needs_cluster(self, what):
        if self.stand_in:
            raise Skip(f"the stand-in has no {what}")

    def needs_web(self):
        if not self.web:
            raise Skip("needs many packets: give the web server's image with --web")

    def number(self):
        with self.lock:
            self.count += 1
            return self.count

    def path(self, ending=""):
        return self.directory / f"{self.number()}{ending}"

    def kubectl(self, *words, namespace=None, **more):
        return run("kubectl", "-n", namespace or self.namespace, *words, **more)

    def apply(self, *items, namespace=None, expect=0):
        text = "\n---\n".join(item if isinstance(item, str) else json.dumps(item) for item in items)
        return self.kubectl("apply", "-f", "-", namespace=namespace, input=text.encode(), expect=expect)

    def make_namespace(self, suffix="", labels=None):
        name = self.namespace + suffix
        self.namespaces.append(name)
        metadata = {"name": name}
        if not self.stand_in:
            metadata["labels"] = {"pod-security.kubernetes.io/enforce": "privileged", **(labels or {})}
        run("kubectl", "apply", "-f", "-", input=json.dumps(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}).encode())
        return name

    def pod(self, name, labels=None, security=None, image=None, **more):
        """A pod that does nothing: 'tarcap join' waits for bytes that never come; or the web server, if there is one."""
        app = {"name": "app", "image": image or self.web or self.image,
               "readinessProbe": {"tcpSocket": {"port": 9}, "periodSeconds": 1}}
        if not self.web or image:
            app.update(command=["tarcap", "join", "--check"], stdin=True)
        if security is not None:
            app["securityContext"] = security
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels or {}},
                "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [app], **more}}

    def await_state(self, pod, container, state, timeout=60, kind="ephemeralContainer", namespace=None):
        """Until the container is running, or terminated."""
        self.kubectl("wait", f"--timeout={timeout}s", f"pod/{pod}", namespace=namespace, timeout=timeout + 20,
                     *[f'--for=jsonpath={{.status.{kind}Statuses[?(@.name=="{container}")].state.{state}}}'])

    def debug(self, pod, *command, custom="debug-profile.yaml", name=None, state="running"):
        """Add an ephemeral container and wait until it is in that state; its name."""
        name = name or f"tarcap-{self.number()}"
        self.kubectl("debug", "-q", pod, "-c", name, f"--image={self.image}", "--profile=baseline",
                     f"--custom={TOP / 'k8s' / custom}", "--", *(command or ("tarcap", "hold")))
        self.await_state(pod, name, state)
        return name

    def ended(self, pod, container, count=1):
        """Have so many captures ended, as the container's hold tells? Whatever became of their clients."""
        return self.kubectl("logs", pod, "-c", container).out.count("has ended, after") >= count

    def exec(self, pod, container, *words, interactive=True, **more):
        return Running("kubectl", "-n", self.namespace, "exec", *(["-i"] if interactive else []), pod, "-c", container,
                       "--", *words, out=self.path(".tar"), **more)

    def copy(self, source, container, target):
        return self.kubectl("cp", f"{self.namespace}/{source}", target, "-c", container)

    def plugin(self, *words, namespace=None, **more):
        return run(*SHELL, PLUGIN, "-n", namespace or self.namespace, "--image", self.image, *words, **more)

    def start_plugin(self, *words, out="/dev/null"):
        return Running(*SHELL, PLUGIN, "-n", self.namespace, "--image", self.image, *words, out=out,
                       stdin=subprocess.DEVNULL, start_new_session=True)

    def address(self, pod):
        return self.kubectl("get", "pod", pod, "-o", "jsonpath={.status.podIP}").out

    def request(self, address, count):
        """Requests to the web server, from a pod of their own; until they are answered."""
        name = f"get-{self.number()}"
        pod = self.pod(name)
        app = pod["spec"]["containers"][0]
        del app["readinessProbe"]
        app["args"] = ["get", address, str(count)]
        self.apply(pod)
        self.kubectl("wait", "--timeout=120s", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{name}", timeout=150)

    def set_up(self):
        self.make_namespace()
        web = {"app": "web"}
        self.apply(self.pod("web-1", {**web, "mixed": "yes"}), self.pod("web-2", {**web, "mixed": "yes"}),
                   self.pod("web-3", web), self.pod("broken", {"mixed": "yes"}, image="tarcap-no-such-image:1"))
        for pod in ("web-1", "web-2", "web-3"):
            self.kubectl("wait", "--timeout=120s", "--for=jsonpath={.status.phase}=Running", f"pod/{pod}", timeout=150)
        self.hold = self.debug("web-1", name="tarcap-shared")

    def tear_down(self):
        for name in self.namespaces:
            wait = f"--wait={'true' if self.stand_in else 'false'}"  # a cluster takes its time
            run("kubectl", "delete", "namespace", name, wait, expect=None, timeout=180)
        if not self.stand_in:
            for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
                for name in ("tarcap-ephemeral-container", "tarcap-exec"):
                    run("kubectl", "delete", kind, f"{name}-{os.getpid()}", "--ignore-not-found", expect=None)


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


# --- the plugin -------------------------------------------------------------------------------------------------

@check
def plugin_on_one_pod(suite):
    path = suite.path(".tar")
    done = suite.plugin("web-1", "--duration", "3s", "-o", path)
    assert Archive(path.read_bytes()).cause == "duration"
    assert f"using the hold that runs in container {suite.hold}" in done.err
    assert f"{path} is whole" in done.err
    assert path.stat().st_mode & 0o777 == 0o600


@check
def plugin_adds_its_own_container(suite):
    path = suite.path(".tar")
    name = f"tarcap-{suite.number()}"
    suite.plugin("web-2", "-c", name, "--duration", "2s", "-o", path, "--", "tcp port 9")
    archive = Archive(path.read_bytes())
    assert "tcp port 9" in json.dumps(archive.capture)
    added = json.loads(suite.kubectl("get", "pod", "web-2", "-o", "json").out)["spec"]["ephemeralContainers"]
    [mine] = [one for one in added if one["name"] == name]
    assert mine["command"][:2] == ["tarcap", "hold"]
    assert mine["securityContext"]["capabilities"] == {"add": ["NET_RAW"], "drop": ["ALL"]}
    assert (mine["securityContext"]["runAsUser"], mine["securityContext"]["runAsNonRoot"]) == (65532, True)


@check
def plugin_ends_cleanly_by_ctrl_c(suite):
    path = suite.path(".tar")
    running = suite.start_plugin("web-1", "-o", path).heard("listening on")
    os.killpg(running.process.pid, signal.SIGINT)
    running.wait(30)
    assert Archive(path.read_bytes()).cause == "stdin closed"


@check
@alone
def plugin_listens_soon(suite):
    """From the typed command, through a container that is added, to the readiness line: the best of three."""
    suite.needs_cluster("kubectl that is as fast as kubectl")
    took = []
    for _ in range(3):
        before = time.monotonic()
        running = suite.start_plugin("web-3", "-c", f"tarcap-{suite.number()}", "--duration", "1s", "-o", suite.path(".tar"))
        running.heard("listening on")
        took.append(round(time.monotonic() - before, 2))
        running.wait(30)
    assert min(took) < 2, f"{took} s"


@check
def plugin_given_up_says_so(suite):
    """Ctrl-C twice: our words only, not the shell's about what it has killed."""
    running = suite.start_plugin("web-2", "-c", f"tarcap-{suite.number()}", "-o", suite.path(".tar"))
    running.heard("listening on")
    os.killpg(running.process.pid, signal.SIGINT)
    running.heard("again to give up")
    os.killpg(running.process.pid, signal.SIGINT)
    running.wait(20, expect=None)
    assert running.process.returncode in (0, 130)  # 0: it was faster
    assert not running.said("illed"), running.lines


@check
def plugin_says_who_waits(suite):
    done = suite.plugin("web-1", "web-2", "web-3", "--parallel", "2", "--duration", "1s", "-o", suite.path())
    assert "2 pods at a time (--parallel 2), 1 waiting for one to end: web-3" in done.err
    assert len(re.findall(r"^web-\d +whole", done.err, re.M)) == 3


@check
def plugin_in_a_namespace_that_is_not_there(suite):
    path = suite.path(".tar")
    path.touch()
    for words in (["web-1"], ["--node", "nowhere"]):
        done = suite.plugin(*words, "-o", path, namespace="tarcap-no-such-namespace", expect=1)
        assert "tarcap-no-such-namespace" in done.err.splitlines()[-1] and "not found" in done.err, done.err


@check
def plugin_on_three_pods(suite):
    directory = suite.path()
    done = suite.plugin("-l", "app=web", "--duration", "3s", "-o", directory)
    for pod in ("web-1", "web-2", "web-3"):
        assert Archive((directory / f"{pod}.tar").read_bytes()).packets
        assert re.search(rf"^{pod} +whole", done.err, re.M), done.err


@check
def plugin_in_pods_of_any_user(suite):
    """What the pod says of its user is for the pod: tarcap's container is the image's own, and starts."""
    users = {"root": {"runAsUser": 0}, "somebody": {"runAsUser": 1000, "runAsGroup": 1000},
             "not-root": {"runAsNonRoot": True, "runAsUser": 1000}, "image": {"runAsNonRoot": True}}
    suite.apply(*(suite.pod(f"user-{name}", {"users": "any"}, image=suite.image, securityContext=user)
                  for name, user in users.items()))
    for name in users:
        suite.await_state(f"user-{name}", "app", "running", kind="container")
    directory = suite.path()
    done = suite.plugin("-l", "users=any", "--duration", "2s", "-o", directory)
    for name in users:
        assert Archive((directory / f"user-{name}.tar").read_bytes()).packets
    assert done.err.count("asked for by uid 65532:") == len(users), done.err


@check
def plugin_says_what_is_missing(suite):
    """In a container that cannot capture: the cause, and what cures it."""
    done = suite.plugin("web-3", "-c", f"tarcap-{suite.number()}", "--profile", "restricted", "-o", suite.path(".tar"),
                        expect=1)
    assert "the container was started without the capability NET_RAW" in done.err.splitlines()[-1], done.err
    assert "Kubernetes: securityContext: {capabilities: {add: [NET_RAW]}" in done.err.splitlines()[-1]


@check
def plugin_lets_one_pod_fail(suite):
    directory = suite.path()
    done = suite.plugin("-l", "mixed=yes", "--duration", "3s", "-o", directory, expect=1)
    assert sorted(path.name for path in directory.iterdir()) == ["web-1.tar", "web-2.tar"]
    assert re.search(r"^broken +failed .*Pending", done.err, re.M), done.err
    assert len(re.findall(r"^web-\d +whole", done.err, re.M)) == 2


@check
def plugin_says_why_the_container_does_not_run(suite):
    """As soon as the node has found out, with the node's own sentence."""
    before = time.monotonic()
    done = run(*SHELL, PLUGIN, "web-3", "-n", suite.namespace, "--image", "tarcap-no-such-image:1", "--timeout", "300",
               "-o", suite.path(".tar"), expect=1, timeout=320)
    line = done.err.splitlines()[-1]
    assert "tarcap-no-such-image:1" in line and "--image" in line and re.search(r"\((Err)?ImagePull", line), done.err
    assert not line.endswith('Back-off pulling image "tarcap-no-such-image:1"'), line
    assert time.monotonic() - before < 60


@check
@alone
def plugin_on_a_node(suite):
    node = suite.kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}", expect=None).out
    if not node:
        raise Skip("nodes may not be listed")
    path = suite.path(".tar")
    done = suite.plugin("--node", node, "-i", "lo", "--duration", "3s", "-o", path)
    archive = Archive(path.read_bytes())
    assert archive.cause == "duration"
    assert "is whole" in done.err
    left = suite.kubectl("get", "pods", "-o", "name").out
    wait_until(lambda: "tarcap-node-" not in suite.kubectl("get", "pods", "-o", "name").out, 40, f"its end: {left}")


# --- who may ----------------------------------------------------------------------------------------------------

def in_namespace_with_role(suite, suffix, labels=None):
    namespace = suite.make_namespace(suffix, labels)
    suite.kubectl("apply", "-f", TOP / "k8s/rbac.yaml", namespace=namespace)
    suite.apply(suite.pod("web"), namespace=namespace)
    suite.kubectl("wait", "--timeout=120s", "--for=jsonpath={.status.phase}=Running", "pod/web", namespace=namespace,
                  timeout=150)
    return namespace


@check
def rbac_is_enough_and_no_more(suite):
    suite.needs_cluster("RBAC")
    namespace = in_namespace_with_role(suite, "-rbac")
    person = ["--as", "tarcap-test", "--as-group", "tarcap-capture", "--as-group", "system:authenticated"]
    path = suite.path(".tar")
    suite.plugin("web", *person, "--duration", "2s", "-o", path, namespace=namespace)
    Archive(path.read_bytes())
    for verb, what in [("create", "pods"), ("delete", "pods"), ("get", "secrets"), ("create", "pods/attach")]:
        done = suite.kubectl("auth", "can-i", verb, what, *person, namespace=namespace, expect=None)
        assert done.out.strip() == "no", (verb, what)
    done = suite.plugin("web", "--as", "nobody", "--duration", "2s", "-o", path, "--force", namespace=namespace, expect=1)
    assert "you may not" in done.err and "rbac.yaml" in done.err
    done = suite.plugin("--node", "any", *person, "-o", path, "--force", namespace=namespace, expect=1)
    assert "you may not create pods" in done.err and "k8s/rbac-node.yaml" in done.err


@check
@alone
def rbac_for_nodes_is_enough(suite):
    suite.needs_cluster("RBAC")
    node = suite.kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}").out
    namespace = suite.make_namespace("-rbac-node")
    suite.kubectl("apply", "-f", TOP / "k8s/rbac-node.yaml", namespace=namespace)
    person = ["--as", "tarcap-test", "--as-group", "tarcap-node", "--as-group", "system:authenticated"]
    path = suite.path(".tar")
    done = suite.plugin("--node", node, "-i", "lo", *person, "--duration", "2s", "-o", path, namespace=namespace)
    Archive(path.read_bytes())
    assert "still there" not in done.err


@check
def admission_policy_lets_only_this_pass(suite):
    suite.needs_cluster("admission")
    if not run("kubectl", "api-resources", "--api-group=admissionregistration.k8s.io", "-o", "name",
               expect=None).out.count("validatingadmissionpolicies"):
        raise Skip("the cluster has no ValidatingAdmissionPolicy")
    marker = f"limited-{os.getpid()}"
    text = (TOP / "k8s/admission-policy.yaml").read_text().replace(f"tarcap:{VERSION}", suite.image)
    text = re.sub(r"\b(tarcap-ephemeral-container|tarcap-exec)\b", rf"\1-{os.getpid()}", text)
    text = text.replace("tarcap-captures: limited", f"tarcap-captures: {marker}")
    namespace = in_namespace_with_role(suite, "-policy", {"tarcap-captures": marker})
    suite.apply(text)
    person = ["--as", "tarcap-test", "--as-group", "tarcap-capture", "--as-group", "system:authenticated"]
    ceilings = TOP / "k8s/debug-profile-ceilings.yaml"

    def refused(*words):
        done = suite.kubectl("debug", "-q", "web", *person, *words, namespace=namespace, expect=None)
        return done.returncode != 0 and "tarcap-ephemeral-container" in done.err
    hold = ["--", "tarcap", "hold"]
    bad = ["-c", "tarcap-bad", f"--image={suite.image}", "--profile=baseline"]
    wait_until(lambda: refused(*bad, *hold), 30, "the policy at work")  # it takes a moment to apply
    assert refused("-c", "tarcap-bad", "--image=busybox:1", "--profile=baseline", f"--custom={ceilings}", *hold)
    assert refused(*bad, f"--custom={TOP}/k8s/debug-profile.yaml", *hold)  # no ceilings
    assert refused(*bad, f"--custom={ceilings}", "--target=app", *hold)
    assert refused("-c", "other", f"--image={suite.image}", "--profile=baseline", f"--custom={ceilings}", *hold)
    path = suite.path(".tar")
    suite.plugin("web", *person, "--custom", ceilings, "--duration", "2s", "-o", path, namespace=namespace)
    Archive(path.read_bytes())
    done = suite.kubectl("exec", "web", "-c", "app", *person, "--", "tarcap", "--version", namespace=namespace,
                         expect=None)
    assert done.returncode != 0 and "tarcap-exec" in done.err


@check
def pod_security_baseline(suite):
    """It refuses to add NET_RAW: the plugin goes on with what the runtime gives."""
    suite.needs_cluster("Pod Security admission")
    namespace = suite.make_namespace("-baseline", {"pod-security.kubernetes.io/enforce": "baseline"})
    suite.apply(suite.pod("web"), namespace=namespace)
    suite.kubectl("wait", "--timeout=120s", "--for=jsonpath={.status.phase}=Running", "pod/web", namespace=namespace,
                  timeout=150)
    path = suite.path(".tar")
    done = suite.plugin("web", "--duration", "2s", "-o", path, namespace=namespace, expect=None)
    assert "Pod Security refuses to add NET_RAW" in done.err
    if done.returncode:  # a runtime that does not give NET_RAW by default: what was just refused is no advice
        assert "no container can capture in a pod of this namespace" in done.err.splitlines()[-1], done.err
        assert "--node " in done.err.splitlines()[-1] and "add: [NET_RAW]" not in done.err
        return
    Archive(path.read_bytes())


@check
def pod_security_restricted(suite):
    """Nothing can capture there; it must be said in words."""
    suite.needs_cluster("Pod Security admission")
    namespace = suite.make_namespace("-restricted", {"pod-security.kubernetes.io/enforce": "restricted"})
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
                "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    suite.apply(suite.pod("web", security=security, image=suite.image), namespace=namespace)
    suite.kubectl("wait", "--timeout=120s", "--for=jsonpath={.status.phase}=Running", "pod/web", namespace=namespace,
                  timeout=150)
    done = suite.plugin("web", "--duration", "2s", "-o", suite.path(".tar"), namespace=namespace, expect=1)
    assert "violates PodSecurity" in done.err and "--node " in done.err.splitlines()[-1], done.err


# --- the examples -----------------------------------------------------------------------------------------------

def example(suite, file, name):
    """An example's text for this cluster: our image, our names, and an application that is there."""
    text = (TOP / "k8s" / file).read_text().replace(f"image: tarcap:{VERSION}", f"image: {suite.image}")
    app = f"image: {suite.web}" if suite.web else \
        f"image: {suite.image}\n      command: [tarcap, join, --check]\n      stdin: true"
    text = text.replace("image: your-app:1.0", app + "\n      readinessProbe: {tcpSocket: {port: 9}, periodSeconds: 1}")
    return re.sub(r"^  name: app$", f"  name: {name}", text, flags=re.M)


def make_example(suite, file, name):
    suite.apply(example(suite, file, name))
    suite.kubectl("wait", "--timeout=120s", "--for=jsonpath={.status.phase}=Running", f"pod/{name}", timeout=150)
    return name


@check
def sidecar_native(suite):
    pod = make_example(suite, "sidecar.yaml", "native")
    path = suite.path(".tar")
    done = suite.plugin(pod, "--duration", "2s", "-o", path)
    assert "using the hold that runs in container tarcap" in done.err
    assert Archive(path.read_bytes()).packets
    suite.kubectl("exec", pod, "-c", "tarcap", "--", "tarcap", "--duration", "2s", "-w", "/captures/app.tar")
    suite.copy(f"{pod}:/captures/app.tar", "tarcap", path)
    assert Archive(path.read_bytes()).cause == "duration"


@check
def sidecar_plain(suite):
    pod = make_example(suite, "sidecar-plain.yaml", "plain")
    path = suite.path(".tar")
    suite.plugin(pod, "--duration", "2s", "-o", path)
    Archive(path.read_bytes())


@check
def sidecar_writes_to_its_volume(suite):
    pod = make_example(suite, "sidecar-volume.yaml", "volume")
    time.sleep(2)
    suite.kubectl("exec", pod, "-c", "capture", "--", "tarcap", "stop", expect=None)
    suite.await_state(pod, "capture", "terminated", kind="container", timeout=15)
    path = suite.path(".tar")
    suite.copy(f"{pod}:/captures/app.tar", "tarcap", path)
    archive = Archive(path.read_bytes())
    assert archive.cause == "signal"
    assert archive.packets


@check
def examples_are_accepted_by_the_server(suite):
    suite.needs_cluster("API server")
    for path in sorted((TOP / "k8s").glob("*.yaml")):
        if path.name.startswith("debug-profile") or path.name == "krew.yaml":
            continue  # parts of a container, and a manifest of krew's
        suite.kubectl("apply", "--dry-run=server", "-f", path)


# --- the run ----------------------------------------------------------------------------------------------------

def judge(suite, function):
    """(passed, failed or skipped; what to say about it)"""
    started = time.monotonic()
    try:
        function(suite)
        result, why = "passed", ""
    except Skip as error:
        result, why = "skipped", str(error)
    except Exception:  # whatever it is, the other checks go on
        result, why = "failed", traceback.format_exc()
    return result, f"{result.upper() if result == 'failed' else result}: {function.__name__} " \
        f"({time.monotonic() - started:.1f} s)" + (f": {why}" if why else "")


def main():
    parser = argparse.ArgumentParser(prog="tests/k8s/run")
    parser.add_argument("image")
    parser.add_argument("--web", default="")
    parser.add_argument("--keep", action="store_true", help="leave the namespaces there")
    parser.add_argument("names", nargs="*")
    given = parser.parse_intermixed_args()
    known = {function.__name__ for function in checks}
    for name in given.names:
        if name not in known:
            parser.error(f"there is no check {name}; there are: {' '.join(sorted(known))}")
    chosen = [function for function in checks if not given.names or function.__name__ in given.names]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not shutil.which("kubectl"):
        sys.exit("tests/k8s/run: needs kubectl")
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with tempfile.TemporaryDirectory() as directory:
        suite = Suite(given.image, given.web, Path(directory))
        print(f"cluster {suite.server}, namespace {suite.namespace}, image {suite.image}", flush=True)
        try:
            suite.set_up()
            together = [function for function in chosen if not hasattr(function, "alone")]
            with ThreadPoolExecutor(int(os.environ.get("K8S_PARALLEL", "4"))) as pool:
                outcomes = pool.map(lambda function: judge(suite, function), together)
                for result, text in outcomes:
                    counts[result] += 1
                    print(text, flush=True)
            for function in chosen:
                if hasattr(function, "alone"):
                    result, text = judge(suite, function)
                    counts[result] += 1
                    print(text, flush=True)
        finally:
            if not given.keep:
                suite.tear_down()
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
