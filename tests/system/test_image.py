"""The real image under a real Docker engine: beside another container, and on its own."""

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from archive import Archive
from engine import docker
from process import sh, wait_until


def tcpdump(directory, archive, *arguments):
    """What tcpdump prints of each of the archive's pcap files."""
    text = ""
    for file in archive.files:
        path = directory / Path(file.name).name
        path.write_bytes(file.data)
        text += sh("tcpdump", "-nr", path, *arguments).stdout
    return text


def pages(directory, archive):
    """The numbers of the pages that were asked for, as tcpdump sees them."""
    return [int(page) for page in re.findall(r"HTTP: GET /page/(\d+) HTTP/1.1", tcpdump(directory, archive))]


def is_there(name):
    return docker("ps", "-aq", "--filter", f"name=^{name}$").stdout != ""


# --- capturing --------------------------------------------------------------------------------------------------

def test_beside_another_container(containers, tmp_path):
    requests = 25
    web, address = containers.web()
    capture = containers.capture(tmp_path, network=f"container:{web}").await_listening()
    containers.get(address, requests)
    capture.past_grace().process.stdin.close()
    archive = capture.wait()

    assert pages(tmp_path, archive) == list(range(1, requests + 1))
    assert tcpdump(tmp_path, archive, "tcp src port 80").count("HTTP: HTTP/1.1 200 OK") == requests
    # Each connection by its first packet; tcpdump's name for it is 'Flags [S]'.
    assert tcpdump(tmp_path, archive, "tcp dst port 80").count("Flags [S],") == requests
    assert archive.account["dropped_by_kernel"] == 0
    assert archive.cause == "stdin closed"
    host = docker("inspect", "--format", "{{.Config.Hostname}}", web).stdout.strip()
    assert archive.names[0] == f"{host}/capture.json"


def test_context_of_another_container(containers, tmp_path):
    """Its network, its resolver, its hosts; nothing of its environment."""
    web = containers.name()
    docker("run", "-d", "--name", web, "--dns", "192.0.2.53", "--add-host", "db.example:192.0.2.7",
           "--env", "SECRET=m4rker", "tarcap-web")
    wait_until(lambda: "serving" in docker("logs", web).stdout, 10, "a web server")
    containers.capture(tmp_path, "--duration", "1s", network=f"container:{web}", options=(), stdin=subprocess.DEVNULL)
    archive = containers.captures[-1].wait()
    members = {name.partition("/")[2]: text for name, text in archive.members}
    [theirs] = json.loads(docker("inspect", web).stdout)
    for moment in "start", "end":
        for name, path in ("resolv.conf", theirs["ResolvConfPath"]), ("hosts", theirs["HostsPath"]):
            assert members[f"context/{moment}/{name}"] == Path(path).read_bytes(), name
        addresses = [entry["local"] for interface in json.loads(members[f"context/{moment}/interfaces.json"])["interfaces"]
                     for entry in interface["addr_info"] if interface["ifname"] == "eth0"]
        assert addresses == [theirs["NetworkSettings"]["IPAddress"]]
        assert ":0050 00000000" in (members[f"context/{moment}/proc-net-tcp"] +
                                    members[f"context/{moment}/proc-net-tcp6"]).decode()
    assert b"192.0.2.53" in members["context/start/resolv.conf"] and b"db.example" in members["context/start/hosts"]
    assert not [entry for entry in archive.manifest["context"] if "left_out" in entry]
    assert b"m4rker" not in archive.data


def test_filter_by_service_name(containers, tmp_path):
    """The names in the image's /etc/services work in a filter."""
    web, address = containers.web()
    capture = containers.capture(tmp_path, "tcp", "dst", "port", "http", network=f"container:{web}").await_listening()
    containers.get(address, 3)
    capture.past_grace().process.stdin.close()
    archive = capture.wait()
    assert pages(tmp_path, archive) == [1, 2, 3]
    assert tcpdump(tmp_path, archive, "not tcp dst port 80") == ""


def test_readers_of_an_archive_take_no_rights(containers, tmp_path):
    """summary and join, as the image's user, without any capability, network or place to write."""
    def reader(*words):
        with open(tmp_path / "web.tar", "rb") as archive:
            return subprocess.run(["docker", "run", "--rm", "-i", "--read-only", "--cap-drop=ALL", "--network=none",
                                   "--security-opt=no-new-privileges", "tarcap", *words], stdin=archive, capture_output=True,
                                  timeout=60)
    web, address = containers.web()
    capture = containers.capture(tmp_path, network=f"container:{web}").await_listening()
    containers.get(address, 3)
    capture.past_grace().process.stdin.close()
    archive = capture.wait()
    (tmp_path / "web.tar").write_bytes(archive.data)
    page = reader("summary")
    assert (page.returncode, page.stderr) == (0, b"")
    assert page.stdout.count(f" > {address}:80 ".encode()) == 3 and b"\nended by   stdin closed\n" in page.stdout
    assert f"\npackets    {len(archive.records)} packets in {len(archive.files)} file".encode() in page.stdout
    assert reader("join", "--check").returncode == 0


@pytest.mark.parametrize("network", ["none", "bridge"])
def test_on_its_own_it_ends_by_the_clock(containers, tmp_path, network):
    capture = containers.capture(tmp_path, "--duration", "2s", network=network, options=(),
                                 stdin=subprocess.DEVNULL).await_listening()
    archive = capture.wait()
    assert 1.5 < capture.ended - capture.listening < 4
    assert archive.cause == "duration"
    if network == "none":  # no traffic at all
        names = [name.partition("/")[2] for name in archive.names]
        assert [name for name in names if not name.startswith("context/")] == ["capture.json", "manifest.json"]


@pytest.mark.parametrize("way, signal_name", [
    (["stop"], "SIGTERM"),
    (["kill", "-s", "TERM"], "SIGTERM"),
    (["kill", "-s", "INT"], "SIGINT"),
])
def test_process_1_ends_by_a_signal(containers, tmp_path, way, signal_name):
    web, address = containers.web()
    capture = containers.capture(tmp_path, network=f"container:{web}").await_listening()
    containers.get(address, 5)
    asked = time.monotonic()
    docker(*way, capture.name)
    archive = capture.wait()
    assert capture.ended - asked < 4  # docker stop would send SIGKILL after 10 s
    assert archive.manifest["ended_by"] == {"cause": "signal", "detail": signal_name}
    assert pages(tmp_path, archive) == [1, 2, 3, 4, 5]


def test_killed_client_ends_the_capture(containers, tmp_path):
    web, _ = containers.web()
    capture = containers.capture(tmp_path, network=f"container:{web}").await_listening().past_grace()
    assert is_there(capture.name)
    capture.process.kill()
    wait_until(lambda: not is_there(capture.name), 2, "the container's end")
    assert capture.process.wait(5) == -signal.SIGKILL


def test_stdin_that_closes_ends_it(containers, tmp_path):
    capture = containers.capture(tmp_path, network="none").await_listening().past_grace()
    asked = time.monotonic()
    capture.process.stdin.close()
    archive = capture.wait()
    assert capture.ended - asked < 2
    assert archive.cause == "stdin closed"


def test_stdin_closed_from_the_start_does_not(containers, tmp_path):
    capture = containers.capture(tmp_path, "--duration", "3s", network="none", stdin=subprocess.DEVNULL)
    archive = capture.await_listening().wait()
    assert archive.cause == "duration"
    assert any("stdin is closed" in line for line in capture.said())


def test_without_i_it_captures_until_the_limit(containers, tmp_path):
    web, address = containers.web()
    capture = containers.capture(tmp_path, "-c", "40", "tcp", "port", "80", network=f"container:{web}", options=(),
                                 stdin=subprocess.DEVNULL).await_listening().past_grace()
    assert capture.process.poll() is None
    containers.get(address, 10)
    archive = capture.wait()
    assert archive.cause == "packet count"
    assert len(archive.records) == 40
    assert not any("stdin" in line for line in capture.said())


def test_terminal_is_refused(image):
    done = docker("run", "--rm", "-t", "tarcap", "--duration", "5s", check=False)
    assert done.returncode == 2
    [line] = (done.stdout + done.stderr).splitlines()
    assert "stdout is a terminal" in line and "no -t" in line


def test_missing_capability_is_named(image):
    done = docker("run", "--rm", "--cap-drop", "ALL", "tarcap", "--duration", "5s", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert "NET_RAW" in line


def test_net_raw_is_all_it_takes(containers, tmp_path):
    capture = containers.capture(tmp_path, network="none", options=("-i", "--cap-drop", "ALL", "--cap-add", "NET_RAW",
                                                                    "--read-only"))
    capture.await_listening().past_grace().process.stdin.close()
    capture.wait()


# --- attaching later --------------------------------------------------------------------------------------------

class Attached:
    """A container with --wait-reader, started in the background, and a docker attach that comes later."""

    def __init__(self, containers, tmp_path, *arguments, network="none"):
        self.name, self.tmp_path, self.process = containers.name(), tmp_path, None
        containers.captures.append(self)
        docker("run", "-i", "-d", "--name", self.name, "--network", network, "tarcap", "--wait-reader", *arguments)
        wait_until(lambda: "press Enter" in docker("logs", self.name).stderr, 10, "the prompt")

    def attach(self):
        self.out, self.err = (self.tmp_path / f"{self.name}.{end}" for end in ("tar", "err"))
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(["docker", "attach", "--sig-proxy=false", self.name],
                                            stdin=subprocess.PIPE, stdout=out, stderr=err)
        time.sleep(0.3)
        self.enter()
        return self

    def enter(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def wait(self, timeout=15):
        """The whole archive; docker attach's status is the container's."""
        assert self.process.wait(timeout) == 0, self.err.read_text()
        return Archive(self.out.read_bytes()).check()

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait(10)
            self.process.stdin.close()


@pytest.mark.parametrize("attempt", range(5))
def test_reader_attaches_late(containers, tmp_path, attempt):
    """
    What was captured before somebody attached arrives, and so does the end: 5 of 5 times. The engine passes no end of
    stdin on to a container that was started without a client, so it takes a signal.
    """
    web, address = containers.web()
    capture = Attached(containers, tmp_path, network=f"container:{web}")
    containers.get(address, 20)
    assert docker("logs", capture.name).stdout == "", "something was written before the reader came"
    capture.attach()
    containers.get(address, 5)
    docker("kill", "-s", "INT", capture.name)
    archive = capture.wait()
    assert pages(tmp_path, archive) == [*range(1, 21), *range(1, 6)]
    assert archive.cause == "signal" and archive.account["dropped_by_kernel"] == 0


def test_reader_attaches_after_the_end(containers, tmp_path):
    """The limit is reached first: the archive waits, and comes whole."""
    web, address = containers.web()
    capture = Attached(containers, tmp_path, "-c", "50", "tcp", network=f"container:{web}")
    containers.get(address, 20)
    time.sleep(1)
    archive = capture.attach().wait()
    assert len(archive.records) == 50 and archive.cause == "packet count"
