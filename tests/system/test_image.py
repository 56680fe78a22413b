"""The real image under a real Docker engine: beside another container, on its own, and how it is built."""

import io
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from tarcap import TOP, Archive, wait_until

BUILD = Path(os.environ.get("BUILD", TOP / "build")).absolute()
BINARY = BUILD / "amd64/tarcap"
LAYER = BUILD / "amd64/layer.tar"
# VFS_CAP_REVISION_2 with CAP_NET_RAW permitted, not effective, nothing inheritable: as linux/capability.h has it
CAPABILITY = struct.pack("<5I", 0x02000000, 1 << 13, 0, 0, 0)
VERSION = re.search(r'VERSION_TEXT "(.*)"', (TOP / "src/version.h").read_text()).group(1)
# name, mode, type, extended attributes; the image has this and nothing else
FILES = [
    ("etc", 0o755, "directory", {}),
    ("etc/group", 0o644, "file", {}),
    ("etc/passwd", 0o644, "file", {}),
    ("etc/services", 0o644, "file", {}),
    ("usr", 0o755, "directory", {}),
    ("usr/bin", 0o755, "directory", {}),
    ("usr/bin/tar", 0o777, "link to tarcap", {}),
    ("usr/bin/tarcap", 0o755, "file", {"security.capability": CAPABILITY}),
]


def sh(*command, timeout=60, check=True, **more):
    """Run a command, at the top of the sources unless cwd says otherwise, to its end; its output is text."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, text=True, errors="replace",
                          capture_output=True, timeout=timeout, **{"cwd": TOP, **more})
    if check:
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done


def docker(*arguments, **more):
    return sh("docker", *arguments, **more)


# --- what the tests stand on ------------------------------------------------------------------------------------

@pytest.fixture(scope="session")
def engine():
    """A Docker engine that answers: one that is there, else one of our own for as long as the tests run."""
    assert os.geteuid() == 0, "a container engine takes root"
    before = os.environ.get("DOCKER_HOST")
    found = sh("tests/engine", "find", check=False)
    host = found.stdout if found.returncode == 0 else sh("tests/engine", "start", timeout=300).stdout
    os.environ["DOCKER_HOST"] = host.strip()
    yield
    try:
        if found.returncode != 0:
            sh("tests/engine", "stop", timeout=120)
    finally:
        if before is None:
            del os.environ["DOCKER_HOST"]
        else:
            os.environ["DOCKER_HOST"] = before


@pytest.fixture(scope="session")
def image(engine):
    """tarcap:latest, as 'make image' makes it."""
    done = sh("make", "image", timeout=600, env={**os.environ, "TARCAP_BUILDER": "docker"})
    assert f"tarcap:{VERSION} and tarcap:latest: made with docker, " in done.stdout


@pytest.fixture(scope="session")
def web_image(engine):
    sh("tests/demo/web-image")
    yield
    docker("rmi", "-f", "tarcap-web")


class Containers:
    """Names for one test's containers, which are gone after it."""

    def __init__(self):
        self.names = []
        self.captures = []

    def name(self):
        self.names.append(f"tarcap-test-{os.getpid()}-{time.monotonic_ns()}")
        return self.names[-1]

    def web(self):
        """A web server's container: its name and address."""
        name = self.name()
        docker("run", "-d", "--name", name, "tarcap-web")
        wait_until(lambda: "serving" in docker("logs", name).stdout, 10, "a web server")
        return name, docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", name).stdout.strip()

    def get(self, address, count):
        done = docker("run", "--rm", "--name", self.name(), "tarcap-web", "get", address, count)
        assert done.stdout == f"web: {count} requests, each answered with 200 OK\n"

    def capture(self, *arguments, **more):
        self.captures.append(Capture(self.name(), *arguments, **more))
        return self.captures[-1]

    def close(self):
        for capture in self.captures:
            capture.close()
        docker("rm", "-f", *self.names, check=False)


@pytest.fixture
def containers(image, web_image, tmp_path):
    made = Containers()
    made.directory = tmp_path
    yield made
    made.close()


class Capture:
    """docker run [OPTIONS] tarcap ARGUMENTS, with its stdout and stderr in files: nothing can block on a pipe."""

    def __init__(self, name, directory, *arguments, options=("-i",), network=None, stdin=subprocess.PIPE):
        self.name, self.started = name, time.monotonic()
        self.out, self.err = (directory / f"{name}.{end}" for end in ("tar", "err"))
        command = ["docker", "run", "--rm", "--name", name, "--log-driver", "none", *options]
        command += ["--network", network] if network else []
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen([*command, "tarcap", *arguments], stdin=stdin, stdout=out, stderr=err)

    def said(self):
        return self.err.read_text().splitlines()

    def await_listening(self):
        def is_listening():
            assert self.process.poll() is None, self.said()
            return any("listening on" in line for line in self.said())
        wait_until(is_listening, 20, "'listening on'")
        self.listening = time.monotonic()
        return self

    def past_grace(self):
        """A stdin that closes within a second of the readiness line does not count."""
        time.sleep(max(0, self.listening + 1.2 - time.monotonic()))
        return self

    def wait(self, timeout=15):
        """The whole archive of a capture that ended well."""
        status = self.process.wait(timeout)
        self.ended = time.monotonic()
        assert status == 0, (status, self.said())
        return Archive(self.out.read_bytes()).check()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        if self.process.stdin:
            self.process.stdin.close()


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


def test_filter_by_service_name(containers, tmp_path):
    """The names in the image's /etc/services work in a filter."""
    web, address = containers.web()
    capture = containers.capture(tmp_path, "tcp", "dst", "port", "http", network=f"container:{web}").await_listening()
    containers.get(address, 3)
    capture.past_grace().process.stdin.close()
    archive = capture.wait()
    assert pages(tmp_path, archive) == [1, 2, 3]
    assert tcpdump(tmp_path, archive, "not tcp dst port 80") == ""


@pytest.mark.parametrize("network", ["none", "bridge"])
def test_on_its_own_it_ends_by_the_clock(containers, tmp_path, network):
    capture = containers.capture(tmp_path, "--duration", "2s", network=network, options=(),
                                 stdin=subprocess.DEVNULL).await_listening()
    archive = capture.wait()
    assert 1.5 < capture.ended - capture.listening < 4
    assert archive.cause == "duration"
    if network == "none":  # no traffic at all
        assert [name.partition("/")[2] for name in archive.names] == ["capture.json", "manifest.json"]


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


# --- the image --------------------------------------------------------------------------------------------------

def attributes(member):
    """A tar member's extended attributes; tarfile decodes records as UTF-8 and keeps what is not as surrogates."""
    return {key.partition("SCHILY.xattr.")[2]: value.encode("utf-8", "surrogateescape")
            for key, value in member.pax_headers.items() if key.startswith("SCHILY.xattr.")}


def save(path, *command):
    """(configuration, [(name, mode, type, attributes)], binary) of an image that command writes in docker's archive format."""
    sh(*command)
    with tarfile.open(path) as outer:
        [entry] = json.load(outer.extractfile("manifest.json"))
        config = json.load(outer.extractfile(entry["Config"]))
        files, binary = {}, None
        for layer in entry["Layers"]:
            with tarfile.open(fileobj=io.BytesIO(outer.extractfile(layer).read())) as inner:
                for member in inner:
                    name = member.name.strip("./")
                    kind = "file" if member.isreg() else "directory" if member.isdir() else "other"
                    kind = f"link to {member.linkname}" if member.issym() else kind
                    assert (member.uid, member.gid) == (0, 0)
                    if name:
                        files[name] = (name, member.mode & 0o7777, kind, attributes(member))
                    if name == "usr/bin/tarcap":
                        binary = inner.extractfile(member).read()
    return config["config"], [files[name] for name in sorted(files)], binary


def check_image(config, files, version=VERSION):
    assert files == FILES
    assert config["Entrypoint"] == ["/usr/bin/tarcap"]
    assert not config.get("Cmd")
    assert config["User"] == "65532:65532"
    assert config["Env"] == ["PATH=/usr/bin"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == "tarcap"
    assert labels["org.opencontainers.image.version"] == version
    assert labels["org.opencontainers.image.description"] and labels["org.opencontainers.image.licenses"]


def test_content(image, tmp_path):
    path = tmp_path / "image.tar"
    config, files, binary = save(path, "docker", "save", "-o", path, "tarcap:latest")
    check_image(config, files)
    assert binary == BINARY.read_bytes()
    size = int(docker("image", "inspect", "--format", "{{.Size}}", "tarcap:latest").stdout)
    assert BINARY.stat().st_size < size <= 1024 * 1024
    ids = docker("image", "inspect", "--format", "{{.Id}}", f"tarcap:{VERSION}", "tarcap:latest").stdout.split()
    assert ids[0] == ids[1]
    with tarfile.open(LAYER) as layer:  # which must be whole by itself, and in order
        assert [member.name for member in layer] == [name for name, *_ in FILES]


def test_layer_is_the_same_wherever_it_is_made(image, tmp_path):
    """The layer's bytes depend on the files' content, not on who makes it, when, or how the checkout looks."""
    shutil.copytree(TOP / "image", tmp_path / "image")
    shutil.copy(BINARY, tmp_path / "program")
    for path in [tmp_path / "program", *tmp_path.glob("image/root/etc/*")]:
        path.chmod(0o604)
        os.utime(path, (10**9, 10**9))
        os.chown(path, 1234, 1234)
    other = {**os.environ, "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8"}
    other.pop("SOURCE_DATE_EPOCH", None)
    subprocess.run(["sh", "-c", "umask 077 && exec image/layer program again.tar"], cwd=tmp_path, env=other,
                   check=True, timeout=60)
    assert (tmp_path / "again.tar").read_bytes() == LAYER.read_bytes()

    other["SOURCE_DATE_EPOCH"] = "86400"
    subprocess.run(["image/layer", "program", "dated.tar"], cwd=tmp_path, env=other, check=True, timeout=60)
    with tarfile.open(tmp_path / "dated.tar") as tar:
        assert {member.mtime for member in tar} == {86400}


# --- building it ------------------------------------------------------------------------------------------------

def docker_clients():
    found = [Path(directory) / "docker" for directory in os.environ["PATH"].split(":")]
    return [client for client in found if os.access(client, os.X_OK)]


def build_with(builder, **environment):
    return sh("image/build", LAYER, check=False, timeout=120,
              env={**os.environ, **environment, "TARCAP_BUILDER": builder})


@pytest.mark.parametrize("buildkit", ["0", "1"], ids=["classic", "BuildKit"])
def test_build_with_docker(image, tmp_path, buildkit):
    """With each docker client there is; a new one has no BuildKit without its buildx plugin."""
    built = 0
    for number, client in enumerate(docker_clients()):
        directory = tmp_path / str(number)
        directory.mkdir()
        (directory / "docker").symlink_to(client)
        docker("rmi", "-f", "tarcap:latest", f"tarcap:{VERSION}")
        done = build_with("docker", PATH=f"{directory}:{os.environ['PATH']}", DOCKER_BUILDKIT=buildkit)
        if buildkit == "1" and "buildx component is missing" in done.stderr:
            continue
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(rf"  tarcap:{VERSION} and tarcap:latest: made with docker, \d+ bytes\n", done.stdout)
        comments = docker("history", "--format", "{{.Comment}}", "tarcap:latest").stdout
        assert ("buildkit" in comments) == (buildkit == "1")
        path = directory / "image.tar"
        config, files, binary = save(path, "docker", "save", "-o", path, "tarcap:latest")
        check_image(config, files)
        assert binary == BINARY.read_bytes()
        built += 1
    build_with("docker")  # for the tests that follow, should none have been made
    assert built or buildkit == "1"
    if not built:
        pytest.skip("no docker client here has BuildKit")


@pytest.mark.parametrize("builder", ["podman", "buildah"])
def test_build_without_an_engine(image, tmp_path, builder):
    sh("image/need", builder, timeout=300)
    # A store of its own, below tmp_path, which is thrown away.
    storage = tmp_path / "storage.conf"
    storage.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n')
    environment = {"CONTAINERS_STORAGE_CONF": str(storage)}
    done = build_with(builder, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"  tarcap:{VERSION} and tarcap:latest: made with {builder}, ")
    path = tmp_path / "image.tar"
    command = {
        "podman": ["podman", "save", "--format", "docker-archive", "-o", path, f"localhost/tarcap:{VERSION}"],
        "buildah": ["buildah", "push", f"localhost/tarcap:{VERSION}", f"docker-archive:{path}:tarcap:{VERSION}"],
    }[builder]
    os.environ.update(environment)
    try:
        config, files, binary = save(path, *command)
    finally:
        del os.environ["CONTAINERS_STORAGE_CONF"]
    check_image(config, files)
    assert binary == BINARY.read_bytes()


def one_line(done):
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    return line


def test_build_says_what_is_missing(image, tmp_path):
    assert "no Docker engine answers" in one_line(build_with("docker", DOCKER_HOST=f"unix://{tmp_path}/none"))
    assert "must be docker, podman or buildah" in one_line(build_with("make"))
    # A PATH with just the tools that image/build itself takes.
    for tool in ("cat", "dirname", "mktemp", "rm", "sed", "sh", "timeout"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    assert "there is no docker, podman or buildah" in one_line(build_with("", PATH=str(tmp_path)))
    assert "podman is not installed" in one_line(build_with("podman", PATH=str(tmp_path)))


def test_build_falls_back(image, tmp_path):
    """With no engine that answers, the next builder is taken."""
    sh("image/need", "podman", timeout=300)
    (tmp_path / "podman").write_text('#!/bin/sh\n[ "$1" = build ] || echo 12345\n')
    (tmp_path / "podman").chmod(0o755)
    done = build_with("", DOCKER_HOST=f"unix://{tmp_path}/none", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.stdout == f"  tarcap:{VERSION} and tarcap:latest: made with podman, 12345 bytes\n"
    assert "made with docker, " in build_with("").stdout


def test_build_from_source(image, tmp_path):
    """What somebody types who has a fresh clone and only docker; but for the base, which no registry gives us."""
    sh("tests/base-image", "tarcap-test-trixie", timeout=600)
    for name in ("Containerfile", "Makefile", ".dockerignore"):
        shutil.copy(TOP / name, tmp_path)
    for name in ("image", "src"):
        shutil.copytree(TOP / name, tmp_path / name)
    for name in ("build/libs/big", ".git/big", "tests/big"):  # which the context is to leave out
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(4 << 20))
    try:
        done = docker("build", "-f", "Containerfile", "--build-arg", "BASE=tarcap-test-trixie", "-t",
                      "tarcap-test-source", ".", timeout=900, cwd=tmp_path)
        context = re.search(r"(?:build context to Docker daemon|transferring context:) +([\d.]+)(\w+)",
                            done.stdout + done.stderr)
        assert context.group(2) == "kB" and float(context.group(1)) < 1000, context.group(0)
        path = tmp_path / "image.tar"
        config, files, _ = save(path, "docker", "save", "-o", path, "tarcap-test-source")
        check_image(config, files, version="unknown")
        said = docker("run", "--rm", "tarcap-test-source", "--version").stdout
        assert said.startswith(f"tarcap {VERSION}\nlibpcap ")
        assert "built from the source packages musl " in said
    finally:
        docker("rmi", "-f", "tarcap-test-source", "tarcap-test-trixie", check=False)
