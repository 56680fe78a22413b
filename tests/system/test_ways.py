"""Each way into a container, and what is left of a capture whose client has gone: the manual's table, under Docker."""

import os
import signal
import subprocess
import time

import pytest

from archive import Archive
from engine import docker
from process import wait_until


class Way:
    """A client at work; whether its capture goes on is what the hold's log says, or the container itself."""

    def __init__(self, tmp_path, *command, stdin=subprocess.PIPE, hold=None):
        self.hold, self.out, self.err = hold, tmp_path / "out.tar", tmp_path / "err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(command, stdin=stdin, stdout=out, stderr=err, start_new_session=True)

    def said(self, words):
        return words in self.err.read_text()

    def heard(self, words, timeout=15):
        wait_until(lambda: self.said(words), timeout, words)
        return self

    def ended(self):
        return "has ended, after" in docker("logs", self.hold).stderr

    def kill(self):
        """All of the client, without a word."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(5)

    def archive(self, timeout=15):
        assert self.process.wait(timeout) == 0, self.err.read_text()
        return Archive(self.out.read_bytes()).check()

    def close(self):
        if self.process.poll() is None:
            self.kill()
        if self.process.stdin:
            self.process.stdin.close()


@pytest.fixture
def hold(containers):  # noqa: F811
    name = containers.name()
    docker("run", "-d", "--name", name, "--network", "none", "tarcap", "hold")
    return name


@pytest.fixture
def way(tmp_path):
    made = []

    def make(*command, **more):
        made.append(Way(tmp_path, *command, **more))
        return made[-1]
    yield make
    for one in made:
        one.close()


def test_exec_i_ends_by_ctrl_d(hold, way):
    capture = way("docker", "exec", "-i", hold, "tarcap", hold=hold).heard("listening on")
    time.sleep(1.2)  # in the first second it might be nobody's
    capture.process.stdin.close()
    assert capture.archive().cause == "stdin closed"
    wait_until(capture.ended, 5, "its end")


def test_exec_i_killed_later_is_over_at_once(hold, way):
    capture = way("docker", "exec", "-i", hold, "tarcap", hold=hold).heard("listening on")
    time.sleep(2)
    assert not capture.ended()
    capture.kill()
    wait_until(capture.ended, 3, "its end")


@pytest.mark.parametrize("wait", [0.1, 0.6])
def test_exec_i_killed_in_the_first_second_goes_on_until_its_limit(hold, way, wait):
    capture = way("docker", "exec", "-i", hold, "tarcap", "--duration", "5s", hold=hold).heard("listening on")
    time.sleep(wait)
    capture.kill()
    time.sleep(2)
    assert not capture.ended()
    wait_until(capture.ended, 8, "its end")


@pytest.mark.parametrize("before", [[], ["nohup"]], ids=["cron", "nohup"])
def test_exec_i_with_dev_null_captures(hold, way, before):
    capture = way(*before, "docker", "exec", "-i", hold, "tarcap", "--duration", "3s", hold=hold, stdin=subprocess.DEVNULL)
    assert capture.archive().cause == "duration"
    assert capture.said("stdin is closed: going on without it; ends after 3s (--duration)")


def test_exec_i_with_dev_null_has_60_s(hold, way):
    capture = way("docker", "exec", "-i", hold, "tarcap", hold=hold, stdin=subprocess.DEVNULL)
    capture.heard("stdin is closed: going on without it; ends after 1m (--duration sets another time)")
    docker("exec", hold, "tarcap", "stop")
    assert capture.archive().cause == "signal"


def test_exec_i_in_a_while_read_loop_captures(hold, way):
    """The client takes the rest of the list."""
    script = 'printf "a\\nb\\n" | while read -r word; do echo "turn $word" >&2; "$@"; done'
    capture = way("sh", "-c", script, "sh", "docker", "exec", "-i", hold, "tarcap", "--duration", "3s", hold=hold)
    assert capture.archive().cause == "duration"
    assert capture.said("going on without it; ends after 3s (--duration)")
    assert capture.err.read_text().count("turn ") == 1


def test_exec_without_i_killed_goes_on_until_its_limit(hold, way):
    """Nothing shows it, and the engine takes the output."""
    capture = way("docker", "exec", hold, "tarcap", "--duration", "6s", "--stall", "1s", hold=hold,
                  stdin=subprocess.DEVNULL).heard("listening on")
    assert not capture.said("stdin is closed")
    capture.kill()
    time.sleep(3)
    assert not capture.ended()
    wait_until(capture.ended, 9, "its end")


def is_running(name):
    return docker("ps", "-q", "--filter", f"name=^{name}$").stdout != ""


@pytest.mark.parametrize("wait", [0, 2])
def test_run_i_with_wait_reader_killed_after_enter_is_over_at_once(containers, way, wait):  # noqa: F811
    """Its client is the one that the engine closes stdin with, as with stdinOnce in Kubernetes."""
    name = containers.name()
    capture = way("docker", "run", "--rm", "-i", "--name", name, "--network", "none", "tarcap", "--wait-reader")
    capture.heard("press Enter")
    capture.process.stdin.write(b"\n")
    capture.process.stdin.flush()
    wait_until(lambda: capture.err.read_text().count("listening on") == 2, 5, "the reader's arrival")
    time.sleep(wait)
    assert is_running(name)
    capture.kill()
    wait_until(lambda: not is_running(name), 4, "the container's end")


def test_run_i_with_wait_reader_killed_before_enter_is_over_at_once(containers, way):  # noqa: F811
    name = containers.name()
    capture = way("docker", "run", "--rm", "-i", "--name", name, "--network", "none", "tarcap", "--wait-reader")
    wait_until(lambda: capture.err.read_text().count("press Enter") == 3, 10, "4 seconds")
    capture.kill()
    wait_until(lambda: not is_running(name), 4, "the container's end")


def test_attach_killed_without_stdin_once_goes_on_until_its_limit(containers, way):  # noqa: F811
    """The engine goes on taking the output, so --stall never begins."""
    name = containers.name()
    docker("run", "-d", "-i", "--name", name, "--network", "none", "tarcap", "--wait-reader", "--stall", "1s",
           "--duration", "12s")
    capture = way("docker", "attach", "--sig-proxy=false", name)
    time.sleep(0.3)
    capture.process.stdin.write(b"\n")
    capture.process.stdin.flush()
    capture.heard("listening on")
    capture.kill()
    time.sleep(3)
    assert is_running(name)
    wait_until(lambda: not is_running(name), 15, "the container's end")
    assert "packets captured" in docker("logs", name).stderr
