"""The live view: packets into Wireshark and tshark as they come, and every way it ends."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from plugin import STAND_IN, UTILITIES, links, pcap_lines, plugin, wireshark
from process import wait_until


def start_live(cluster, web, tmp_path, *words, shell=("dash",), viewers=None, **more):
    """The plugin with --wireshark, up to the readiness line."""
    path = f"{viewers or tmp_path / 'viewers'}:{cluster.env['PATH']}"
    process = cluster.start(shell, "web", "-n", web, "--wireshark", *words, cwd=tmp_path, path=path, **more)
    wait_until(lambda: "listening on" in process.said(), 20, "a capture")
    return process


def test_packets_come_live_into_wireshark(shell, cluster, web, tmp_path):
    """Within a second, while the capture runs; Ctrl-C ends that, and not the window."""
    got = wireshark(tmp_path, after="exec sleep 60").with_name("got")
    process = start_live(cluster, web, tmp_path, "--", "tcp port 80", shell=shell)
    wait_until(lambda: got.exists() and got.stat().st_size == 24, 2, "the pcap's header")
    assert got.with_name("words").read_text() == "-k -i -\n"
    cluster.request(web, 3)
    wait_until(lambda: b"GET /page/3 HTTP" in got.read_bytes(), 1, "packets")
    assert process.poll() is None
    time.sleep(1)
    cluster.request(web, 5)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) == 0, process.said()
    assert "ending the capture (again to give up)" in process.said()
    assert "web: the capture has ended; wireshark shows what came" in process.said().splitlines()[-1]
    window = int(got.with_name("pid").read_text())
    assert "sleep" in Path(f"/proc/{window}/cmdline").read_text()
    os.kill(window, signal.SIGKILL)
    # One pcap, whole, with every request.
    assert [int(page) for line in pcap_lines(got) for page in re.findall(r"GET /page/(\d+) HTTP", line)] == \
        [1, 2, 3, 1, 2, 3, 4, 5]
    assert f"{len(pcap_lines(got))} packets captured" in process.said()
    assert (tmp_path / "stdout").read_text() == "" and not list(tmp_path.glob("*.tar"))


@pytest.fixture(params=[["dash"], ["busybox", "sh"]], ids=["dash", "busybox"])
def only_tshark(request, tmp_path):
    """A shell, and a PATH without Wireshark."""
    directory = links(tmp_path / "bin", *UTILITIES, "setsid", "tshark")
    return [shutil.which(request.param[0]), *request.param[1:]], f"{STAND_IN}:{directory}"


def test_packets_come_live_through_tshark(only_tshark, cluster, web, tmp_path):
    shell, path = only_tshark
    process = cluster.start(shell, "web", "-n", web, "--live", "--", "tcp port 80", cwd=tmp_path, path=path)
    wait_until(lambda: "listening on" in process.said(), 20, "a capture")
    time.sleep(1.5)
    cluster.request(web, 3)
    shown = tmp_path / "stdout"
    wait_until(lambda: "GET /page/3 HTTP" in shown.read_text(), 1, "packets")
    assert process.poll() is None
    cluster.request(web, 5)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) == 0, process.said()
    # All of it is there when the prompt is.
    assert re.findall(r"GET /page/(\d+) HTTP", shown.read_text()) == list("12312345")
    assert f"{len(shown.read_text().splitlines())} packets captured" in process.said()
    assert "so far" not in process.said() and "tshark" not in process.said()


def test_tshark_shows_all_of_a_capture_that_ends_by_itself(only_tshark, cluster, web, tmp_path):
    shell, path = only_tshark
    done = plugin(shell, "web", "-n", web, "--live", "--count", 2, "-q", env={**cluster.env, "PATH": path})
    assert done.returncode == 0 and "captured" not in done.stderr and "listening" not in done.stderr, done.stderr
    assert len(done.stdout.splitlines()) == 2
    done = plugin(shell, "web", "-n", web, "--live", "--duration", "1s", "--", "port 12345",
                  env={**cluster.env, "PATH": path})
    assert (done.returncode, done.stdout) == (0, "")
    assert "0 packets captured" in done.stderr


def test_whoever_reads_tshark_goes(only_tshark, cluster, web, tmp_path):
    """As in kubectl tarcap web --live | head -n 1"""
    shell, path = only_tshark
    process = cluster.start(shell, "web", "-n", web, "--live", "--reason", tmp_path.name, cwd=tmp_path, path=path,
                            stdout=subprocess.PIPE)
    assert b" \xe2\x86\x92 " in process.stdout.readline()
    process.stdout.close()
    assert process.wait(15) == 0, process.said()
    assert "tshark has ended: ending the capture" in process.said()
    assert_no_capture(tmp_path.name)


def captures(reason):
    return subprocess.run(["pgrep", "-af", f"^tarcap --raw .*--reason {reason}$"], capture_output=True, text=True).stdout


def assert_no_capture(reason):
    """In the container. Else it would go on to its limits: nothing shows there that nobody reads."""
    wait_until(lambda: not captures(reason), 2, "the capture's end")


@pytest.mark.parametrize("instead, status, says", [
    ("exit 0", 0, None),
    ("head -c 24 >got", 0, None),
    ("echo 'no memory' >&2; exit 1", 1, "wireshark failed (status 1): no memory"),
    ("kill -s SEGV $$", 1, "wireshark failed (status 139)"),
], ids=["at once", "later", "fails", "crashes"])
def test_viewer_that_ends_ends_the_capture(cluster, web, tmp_path, instead, status, says):
    wireshark(tmp_path, instead=instead)
    process = start_live(cluster, web, tmp_path, "--reason", tmp_path.name)
    assert captures(tmp_path.name)
    assert process.wait(10) == status, process.said()
    assert "wireshark has ended: ending the capture" in process.said()
    assert says is None or says in process.said().splitlines()[-1]
    assert_no_capture(tmp_path.name)


@pytest.mark.parametrize("display, says", [
    ("", "no display for wireshark here (DISPLAY and WAYLAND_DISPLAY are not set): tshark shows the packets"),
    (":99", "wireshark cannot open a window here: tshark shows the packets (qt.qpa.xcb: could not connect to display :99)"),
], ids=["none", "dead"])
def test_without_a_display_tshark_shows_the_packets(shell, cluster, web, tmp_path, display, says):
    """All of them, though Wireshark was started first."""
    wireshark(tmp_path, instead="echo 'qt.qpa.xcb: could not connect to display :99' >&2; exit 134")
    env = {**cluster.env, "DISPLAY": display, "PATH": f"{tmp_path}/viewers:{cluster.env['PATH']}"}
    done = plugin(shell, "web", "-n", web, "--live", "--count", 3, env=env)
    assert done.returncode == 0, done.stderr
    assert f"kubectl tarcap: {says}\n" in done.stderr
    assert len(done.stdout.splitlines()) == 3
    assert (tmp_path / "viewers/pid").exists() == (display != "")


def test_window_stays_when_the_capture_is_given_up(cluster, web, tmp_path):
    path = wireshark(tmp_path, after="exec sleep 60")
    process = start_live(cluster, web, tmp_path, "--reason", tmp_path.name)
    wait_until(path.with_name("pid").exists, 2, "the viewer")
    time.sleep(1.2)  # a stdin that closes before is ignored: see ready_for_the_end
    os.killpg(process.pid, signal.SIGINT)
    wait_until(lambda: "again to give up" in process.said(), 5, "its answer")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) == 130, process.said()
    assert_no_capture(tmp_path.name)
    os.kill(int(path.with_name("pid").read_text()), signal.SIGKILL)


def test_no_window_for_a_capture_that_cannot_begin(cluster, web, tmp_path):
    path = wireshark(tmp_path)
    env = {**cluster.env, "PATH": f"{path.parent}:{cluster.env['PATH']}"}
    done = plugin(["dash"], "web", "-n", web, "--live", "--", "no such filter", env=env, cwd=tmp_path)
    assert done.returncode == 2 and "filter" in done.stderr
    done = plugin(["dash"], "no-such-pod", "-n", web, "--live", env=env, cwd=tmp_path)
    assert done.returncode == 1 and 'pods "no-such-pod" not found' in done.stderr
    assert not path.with_name("pid").exists()


def test_live_view_of_a_node(cluster, web, tmp_path):
    got = wireshark(tmp_path).with_name("got")
    env = {**cluster.env, "PATH": f"{got.parent}:{cluster.env['PATH']}"}
    done = plugin(["dash"], "--node", "stand-in", "-n", web, "-i", "lo", "--live", "--duration", "1s", env=env)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: got.exists() and got.stat().st_size >= 24, 2, "the pcap's header")
    assert "tarcap-node-" not in cluster.kubectl("-n", web, "get", "pods", "-o", "name").stdout
