"""What the checks of the Kubernetes suite stand on: commands, archives, and the cluster with its pods."""

import io
import json
import os
import re
import secrets
import struct
import subprocess
import tarfile
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PLUGIN = TOP / "k8s/kubectl-tarcap"
VERSION = re.search(r'VERSION_TEXT "(.*)"', (TOP / "src/base/version.h").read_text()).group(1)
SHELL = os.environ.get("PLUGIN_SHELL", "sh").split()
OWN = secrets.token_hex(4)  # for names that no other run has, nor left behind
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
        self.namespace = f"tarcap-test-{OWN}"
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
                    run("kubectl", "delete", kind, f"{name}-{OWN}", "--ignore-not-found", expect=None)
