"""Containers and pods on Wireshark's start screen: what the extcap program answers, captures, and every way they end."""

import contextlib
import os
import re
import signal
import subprocess
import time

import pytest

from engine import docker
from plugin import STAND_IN, UTILITIES, links, pcap_lines, script
from process import VERSION, processes, sh, start_process, wait_until
from wireshark import EXTCAP, START, STOP, Window, environment, home_of

SENTENCE = re.compile(r"(\w+) ((?:\{\w+=[^{}]*\})+)")


def ask(shell, *words, env=None, status=0, timeout=20):
    done = subprocess.run([*shell, EXTCAP, *words], stdin=subprocess.DEVNULL, text=True, capture_output=True, env=env,
                          timeout=timeout)
    assert done.returncode == status, done.stderr
    return done.stdout


def stood_in(cluster):
    """What of an environment makes kubectl the stand-in."""
    return {name: text for name, text in cluster.env.items() if name == "PATH" or name.startswith("STAND_IN")}


def sentences(text):
    """[(word, {name: value})], or a failure where Wireshark could not read it."""
    found = [SENTENCE.fullmatch(line) for line in text.splitlines()]
    assert all(found), text
    return [(match[1], dict(re.findall(r"\{(\w+)=([^{}]*)\}", match[2]))) for match in found]


def extcaps(interface):
    """The ids of those that capture on it."""
    word = f"--extcap-interface\0{interface}".encode()
    return processes(lambda directory: word in (directory / "cmdline").read_bytes())


@pytest.fixture
def named(containers):
    """A web server's container, and its interface."""
    name, address = containers.web()
    return name, address, f"tarcap-docker-{name}"


# --- what Wireshark asks ----------------------------------------------------------------------------------------

def test_interfaces_are_the_running_containers_and_a_pod(shell, cluster, named):
    found = sentences(ask(shell, "--extcap-interfaces", "--extcap-version=4.0", env=cluster.env))
    assert found[0] == ("extcap", {"version": VERSION, "display": "tarcap"})
    values = {fields["value"]: fields["display"] for word, fields in found[1:] if word == "interface"}
    assert values[named[2]] == f"container {named[0]}, tarcap-web"
    assert values["tarcap-pod"] == "a pod of stand-in"


def test_nothing_there_is_an_empty_list(shell, tmp_path):
    env = {**os.environ, "PATH": str(links(tmp_path / "bin", *UTILITIES)), "DOCKER_HOST": "unix:///nonexistent"}
    words = [sh("which", shell[0]).stdout.strip(), *shell[1:]]
    assert len(sentences(ask(words, "--extcap-interfaces", env=env))) == 1


def test_an_engine_that_does_not_answer_is_waited_for_one_second(shell, tmp_path):
    script(tmp_path / "bin/docker", "echo slow $$ >>\"${0%/*}/ran\"\nexec sleep 60")
    started = time.monotonic()
    found = ask(shell, "--extcap-interfaces", env={**os.environ, "PATH": f"{tmp_path}/bin:/usr/bin:/bin"})
    assert len(sentences(found)) == 1 and 0.9 < time.monotonic() - started < 5
    process = int((tmp_path / "bin/ran").read_text().split()[1])
    wait_until(lambda: not os.path.exists(f"/proc/{process}"), 5, "the end of what did not answer")


def test_options_are_those_that_a_capture_takes(shell):
    for interface, pod in (("tarcap-docker-web", []), ("tarcap-pod", ["--pod", "--namespace", "--selector", "--context"])):
        found = sentences(ask(shell, "--extcap-config", "--extcap-interface", interface))
        calls = [fields["call"] for _, fields in found]
        assert calls == [*pod, "--interface", "--headers", "--snapshot-length", "--duration", "--max-bytes", "--image"]
        assert [fields["number"] for _, fields in found] == [str(number) for number in range(len(calls))]
    assert sentences(ask(shell, "--extcap-dlts", "--extcap-interface", interface))[0][1]["number"] == "1"
    image = [fields["default"] for _, fields in found if fields["call"] == "--image"]
    assert image == [f"tarcap:{VERSION}"]
    mine = ask(shell, "--extcap-config", "--extcap-interface", interface, env={**os.environ, "TARCAP_IMAGE": "my/tarcap:7"})
    assert "{default=my/tarcap:7}" in mine


def test_list_of_pods(shell, cluster, web):
    def values(*words, env=cluster.env):
        text = ask(shell, "--extcap-interface", "tarcap-pod", "--extcap-reload-option", "pod", *words, env=env)
        return [(fields["value"], fields["display"]) for _, fields in sentences(text)]
    assert values("--namespace", web, "--selector", "app=web") == [("web", "web")]
    assert values("--namespace", web, "--selector", "app=db") == [("", "no pod runs there that matches app=db")]
    [(value, why)] = values("--namespace", web, env={**cluster.env, "STAND_IN_DENY": "list pods"})
    assert value == "" and "cannot list resource" in why


def test_filter_is_checked_by_what_is_there(shell, tmp_path, named):
    path = links(tmp_path / "bin", *UTILITIES, "tcpdump")

    def check(text):
        words = [sh("which", shell[0]).stdout.strip(), *shell[1:]]
        return ask(words, "--extcap-capture-filter", text, "--extcap-interface", named[2],
                   env={**os.environ, "PATH": str(path)})
    assert check("tcp port 80") == ""
    assert "syntax error" in check("tcp prot 80")


def test_filter_is_checked_by_the_image(tmp_path, named):
    path = links(tmp_path / "bin", *UTILITIES)
    words = ["/bin/dash"]
    env = {**os.environ, "PATH": str(path)}
    assert ask(words, "--extcap-capture-filter", "port 80", "--extcap-interface", named[2], env=env) == ""
    said = ask(words, "--extcap-capture-filter", "prot 80", "--extcap-interface", named[2], env=env)
    assert said == "did you mean 'port 80'?\n"
    env["DOCKER_HOST"] = "unix:///nonexistent"  # then nobody can tell
    assert ask(words, "--extcap-capture-filter", "prot 80", "--extcap-interface", named[2], env=env, status=1) == ""


# --- a capture --------------------------------------------------------------------------------------------------

class Tshark:
    def __init__(self, directory, interface, *words, env=None):
        self.directory, self.interface = directory, interface
        self.home = home_of(directory)
        self.file = directory / "got.pcapng"
        with (directory / "tshark.err").open("wb") as err:
            self.process = start_process(["tshark", "-i", interface, "-w", str(self.file), *words], stdin=subprocess.DEVNULL,
                                         env=environment(self.home, **(env or {})), stdout=err, stderr=err)

    def said(self):
        return (self.directory / "tshark.err").read_text()

    def await_packets(self, make):
        """Some requests until one of them is in the file: whether tarcap listens is nothing that tshark says."""
        def there():
            assert self.process.poll() is None, self.said()
            make()
            return self.file.exists() and self.file.stat().st_size > 1000
        wait_until(there, 30, "packets")

    def end(self):
        os.kill(self.process.pid, signal.SIGINT)
        assert self.process.wait(15) == 0, self.said()
        self.check_gone()

    def check_gone(self):
        """Nothing outlives Wireshark: no process, no container, no file."""
        wait_until(lambda: not extcaps(self.interface), 10, "the program's end")
        wait_until(lambda: "tarcap-extcap-" not in docker("ps", "-a", "--format", "{{.Names}}").stdout, 10, "the capture's end")
        assert not list((self.directory / "tmp").glob("tarcap.*"))


def test_tshark_lists_containers_without_a_warning(tmp_path, cluster, named):
    done = sh("tshark", "-D", env=environment(home_of(tmp_path), **stood_in(cluster)))
    assert re.search(rf"^\d+\. {named[2]} \(container {named[0]}, tarcap-web\)$", done.stdout, re.M)
    assert re.search(r"^\d+\. tarcap-pod \(a pod of stand-in\)$", done.stdout, re.M)
    assert set(done.stderr.splitlines()) <= {'Running as user "root" and group "root". This could be dangerous.'}


def test_capture_of_a_container(tmp_path, containers, named):
    name, address, interface = named
    live = Tshark(tmp_path, interface, "-f", "tcp port 80 and src host " + address)
    live.await_packets(lambda: containers.get(address, 3))
    live.end()
    packets = pcap_lines(live.file)
    assert packets and all(f" IP {address}.80 > " in line for line in packets)
    assert "Error" not in live.said()


def test_capture_of_a_pod(tmp_path, cluster):
    namespace = cluster.make()
    live = Tshark(tmp_path, "tarcap-pod", "-o", "extcap.tarcap_pod.pod:web", "-o", f"extcap.tarcap_pod.namespace:{namespace}",
                  "-o", "extcap.tarcap_pod.headers:true", "-f", "tcp", env=stood_in(cluster))
    live.await_packets(lambda: cluster.request(namespace, 3))
    live.end()
    packets = pcap_lines(live.file)
    assert any(".80: Flags [P.]" in line for line in packets) and "GET /page" not in "".join(packets)
    assert len(cluster.containers(namespace)) == 1  # the idle one


def test_tshark_says_why_there_is_no_capture(tmp_path, named):
    live = Tshark(tmp_path, named[2], "-f", "tcp prot 80")
    live.process.wait(20)
    assert f"Error by extcap pipe: tarcap: {named[0]}: the filter 'tcp prot 80': did you mean 'tcp port 80'?" in live.said()


@pytest.mark.parametrize("who", ["tshark", "tarcap-extcap"])
def test_nothing_outlives_who_is_killed(tmp_path, containers, named, who):
    _, address, interface = named
    live = Tshark(tmp_path, interface)
    live.await_packets(lambda: containers.get(address, 3))
    time.sleep(1)  # a stdin that closes within a second of the readiness line does not count
    if who == "tshark":
        live.process.kill()
        live.process.wait()  # until then it is there, if only as a zombie
    else:
        for process in extcaps(interface):
            with contextlib.suppress(ProcessLookupError):  # one that ended by the end of another
                os.kill(process, signal.SIGKILL)
    wait_until(lambda: "tarcap-extcap-" not in docker("ps", "-a", "--format", "{{.Names}}").stdout, 15, "the capture's end")
    wait_until(lambda: not extcaps(interface), 10, "the program's end")


def test_an_older_wireshark_only_removes_the_fifo(tmp_path, containers, named):
    """One before 4.0 sends no signal."""
    shell = ["busybox", "sh"]
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = start_process(["cat", fifo], stdout=(tmp_path / "got").open("wb"))
    process = start_process([*shell, str(EXTCAP), "--capture", "--extcap-interface", named[2], "--fifo", str(fifo)],
                            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_until(lambda: containers.get(named[1], 1) or (tmp_path / "got").stat().st_size > 1000, 20, "packets")
    fifo.unlink()
    assert process.wait(10) == 0 and process.stderr.read() == b"" and reader.wait(10) == 0
    assert "tarcap-extcap-" not in docker("ps", "-a", "--format", "{{.Names}}").stdout


@pytest.mark.parametrize("shell, words, said", [
    (["dash"], ["--image", "tarcap:nosuch"], "the engine cannot get the image tarcap:nosuch: "),
    (["busybox", "sh"], ["--interface", "eth7"], "-i eth7: no such interface"),
    (["dash"], ["--duration", "1s"], "the capture has ended: its limits are 1s and 1G"),
    (["busybox", "sh"], ["--snapshot-length", "0x"], "-s/--snapshot-length '0x': allowed is 1 to 262144"),
])
def test_a_failure_is_one_sentence(shell, tmp_path, named, words, said):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = start_process(["cat", fifo], stdout=subprocess.DEVNULL)
    done = subprocess.run([*shell, EXTCAP, "--capture", "--extcap-interface", named[2], "--fifo", fifo, *words],
                          stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=40)
    assert re.fullmatch(f"tarcap: {named[0]}: .*{said}.*\n", done.stderr), done.stderr
    assert (done.returncode == 0) == ("1s" in words) and reader.wait(5) == 0


def test_a_missing_container_is_one_sentence(shell, tmp_path, containers):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for words, said in ((["tarcap-docker-nosuch"], "nosuch: No such container: nosuch"), (["tarcap-pod"], "no pod is chosen"),
                        (["tarcap-pod", "--pod", "A b"], "no name that Kubernetes allows"), (["eth0"], "no interface eth0")):
        done = subprocess.run([*shell, EXTCAP, "--capture", "--fifo", fifo, "--extcap-interface", *words], text=True,
                              capture_output=True, timeout=20, env={**os.environ, "PATH": f"{STAND_IN}:{os.environ['PATH']}"})
        assert done.returncode and done.stdout == "" and len(done.stderr.splitlines()) == 1 and said in done.stderr, done.stderr


# --- the real Wireshark -----------------------------------------------------------------------------------------

def test_wireshark_itself(tmp_path, containers, named):
    """The start screen has the container; its capture is seen as it comes; Stop ends it and all that belongs to it."""
    name, address, interface = named
    window = Window(environment(home_of(tmp_path)), tmp_path, "-i", interface, "-f", "tcp port 80")
    window.picture("start.png")
    window.await_log("Capture Start", 20, lambda: window.click(START))
    window.await_log("Capture started", 20)
    window.await_title(f"Capturing from container {name}, tarcap-web: {interface} (tcp port 80)", 10)
    [file] = re.findall(r'File: "(.*)"', window.log.read_text())
    wait_until(lambda: containers.get(address, 3) or os.stat(file).st_size > 3000, 20, "packets")
    window.picture("live.png")
    window.await_log("Capture Stop", 10, lambda: window.click(STOP))
    window.await_log("Capture stopped", 20)
    wait_until(lambda: "tarcap-extcap-" not in docker("ps", "-a", "--format", "{{.Names}}").stdout, 15, "the capture's end")
    wait_until(lambda: not extcaps(interface), 10, "the program's end")
    wait_until(lambda: not list((tmp_path / "tmp").glob("tarcap.*")), 5, "its files' end")
    window.picture("stopped.png")
    assert all(".80" in line for line in pcap_lines(file)) and window.process.poll() is None
