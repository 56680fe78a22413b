"""The hold in the real image, as whoever runs it."""

import io
import re
import subprocess
import tarfile
import time

import pytest

from engine import docker
from plugin import whole
from process import OWN, VERSION, start_process, wait_until

DOCKER_LEAST = ["--cap-drop=ALL", "--cap-add=NET_RAW", "--read-only"]


@pytest.fixture
def hold(image):
    """Starts a container that holds, with these options of docker run; its name."""
    names = []

    def start(*options, ttl="1h"):
        names.append(f"tarcap-test-hold-{OWN}-{time.monotonic_ns()}")
        docker("run", "-d", "--name", names[-1], "--network=none", *options, f"tarcap:{VERSION}", "hold", "--ttl", ttl)
        return names[-1]
    yield start
    docker("rm", "-f", *names)


class Exec:
    """docker exec of a capture, once it listens."""

    def __init__(self, directory, name, *words):
        self.out, err = directory / f"{name}.tar", directory / f"{name}.err"
        with self.out.open("wb") as stdout, err.open("wb") as stderr:
            self.process = start_process(["docker", "exec", name, "tarcap", *words], stdin=subprocess.DEVNULL,
                                         stdout=stdout, stderr=stderr)
        wait_until(lambda: "listening on" in err.read_text(), 10, "a capture")

    def archive(self):
        assert self.process.wait(10) == 0
        return whole(self.out)


@pytest.mark.parametrize("options, uid", [
    ([], 65532), (DOCKER_LEAST, 65532), ([*DOCKER_LEAST, "--user=1000:1000"], 1000),
    ([*DOCKER_LEAST, "--user=0", "--security-opt=no-new-privileges"], 0),
], ids=["as it is", "least", "1000", "no-new-privs"])
def test_hold_knows_its_captures(hold, tmp_path, options, uid):
    """Their processes have file capabilities, so little of /proc shows: it is enough to log them, and to end them."""
    name = hold(*options)
    long = Exec(tmp_path, name, "--reason", "ticket 12")
    copied = subprocess.run(["docker", "exec", name, "tar", "cf", "-", "/capture/300ms"], stdin=subprocess.DEVNULL,
                            capture_output=True, timeout=20)
    assert copied.returncode == 0, copied.stderr
    with tarfile.open(fileobj=io.BytesIO(copied.stdout)) as tar:
        assert tar.getnames()[-1] == "capture/300ms/manifest.json"
    docker("exec", name, "tarcap", "stop")
    assert long.archive().cause == "signal"
    assert docker("wait", name).stdout == "0\n"
    logged = docker("logs", name)
    assert logged.stdout == ""
    said = [re.sub(r"process \d+", "process N", line).removeprefix("tarcap: ") for line in logged.stderr.splitlines()]
    assert said[0].startswith("holding for 1h; ")
    assert said[1:4] == [f"process N captures, for uid {uid}: tarcap --reason 'ticket 12'",
                         f"process N captures, for uid {uid}: tar cf - /capture/300ms",
                         "process N has ended, after 0 s"]
    assert re.fullmatch(r"process N has ended, after \d s", said[4]) and said[5:] == ["ended by a signal"]


def test_hold_whose_time_is_over_waits_for_its_capture(hold, tmp_path):
    name = hold(*DOCKER_LEAST, ttl="2s")
    assert Exec(tmp_path, name, "--duration", "3s").archive().cause == "duration"
    assert docker("wait", name).stdout == "0\n"
    assert "--ttl reached; waiting for 1 capture to end" in docker("logs", name).stderr
