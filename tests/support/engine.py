"""A Docker engine, the real image in it, containers, and captures in them."""

import os
import subprocess
import time

import pytest

from archive import Archive
from process import BUILD, OWN, VERSION, sh, wait_until

BINARY = BUILD / "amd64/tarcap"  # which the image has


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
    """tarcap:latest, as 'make image' gives it to the engine."""
    done = sh("make", "load", timeout=600, env={**os.environ, "TARCAP_ENGINE": "docker"})
    assert f"tarcap:{VERSION} and tarcap:latest: loaded into docker, " in done.stdout


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
        self.names.append(f"tarcap-test-{OWN}-{time.monotonic_ns()}")
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
        self.captures.append(CaptureInContainer(self.name(), *arguments, **more))
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


class CaptureInContainer:
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
