"""hold --record and snapshot in the real image: as whoever it runs, and who else may read what it has."""

import re
import subprocess
from pathlib import Path

import pytest

from archive import Archive, tar_members
from engine import docker
from process import lines, wait_until

LEAST = ["--cap-drop=ALL", "--cap-add=NET_RAW", "--read-only"]
NOWHERE_TO_RISE = [*LEAST, "--user=0", "--security-opt=no-new-privileges"]
SAID = b" HTTP/1."  # what is in the packets
RECORD = ["hold", "--record", "8M", "--", "--compress", "none", "tcp port 80"]


def execute(name, *words, options=()):
    done = subprocess.run(["docker", "exec", *options, name, *words], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=30)
    return done.returncode, done.stdout, lines(done.stderr)


class Recorder:
    """A hold that records beside a web server, which has been asked 20 times."""

    def __init__(self, containers, *options):
        self.web, address = containers.web()
        self.name = containers.name()
        docker("run", "-d", "--name", self.name, "--network", f"container:{self.web}",
               *[option.replace("WEB", self.web) for option in options], "tarcap", *RECORD)
        wait_until(lambda: "listening on" in self.log(), 10, "a recorder")
        containers.get(address, 20)

    def log(self):
        return docker("logs", self.name).stderr

    def maps(self):
        """The recorder's mappings that have packets, as whoever asks for one by name would have to know them."""
        hold = docker("inspect", "--format", "{{.State.Pid}}", self.name).stdout.strip()
        [recorder] = Path(f"/proc/{hold}/task/{hold}/children").read_text().split()
        pid = re.search(r"^NSpid:.*\t(\d+)$", Path(f"/proc/{recorder}/status").read_text(), re.M)[1]
        return [f"/proc/{pid}/map_files/{line.split()[0]}" for line in Path(f"/proc/{recorder}/maps").read_text().splitlines()
                if "tarcap-record" in line or "socket:" in line]

    def snapshot(self, *words, options=()):
        status, out, err = execute(self.name, *(words or ("tarcap", "snapshot")), options=options)
        assert status == 0, err
        archive = Archive(out).check()
        assert SAID in b"".join(file.data for file in archive.files)
        return archive


def proc_paths(pids):
    """What 'kubectl cp' could ask for: each of them leads to memory, or to a descriptor of it."""
    return [path for pid in pids for path in
            (f"/proc/{pid}/fd", f"/proc/{pid}/mem", f"/proc/{pid}/map_files", f"/proc/{pid}/task/{pid}/fd",
             *(f"/proc/{pid}/fd/{number}" for number in range(3, 9)))]


def has_nothing(out):
    return SAID not in out and all(len(text) == 0 for _, text, _ in tar_members(out)[0])


@pytest.mark.parametrize("options, uid", [([], 65532), (LEAST, 65532), ([*LEAST, "--user=1000:1000"], 1000),
                                          (["--user=0"], 0), (NOWHERE_TO_RISE, 0)],
                         ids=["as it is", "least", "1000", "root", "no-new-privs"])
def test_snapshots_come_by_exec_and_by_cp(containers, options, uid):
    recorder = Recorder(containers, *options)
    archive = recorder.snapshot("tarcap", "snapshot", "--reason", "ticket 12")
    assert archive.cause == "snapshot" and archive.capture["user"]["uid"] == uid
    assert len(recorder.snapshot("tar", "cf", "-", "/snapshot").records) == len(archive.records)
    assert re.search(rf"process \d+ takes a snapshot, for uid {uid}: tarcap snapshot --reason 'ticket 12'\n"
                     rf"tarcap: process \d+ has ended, after \d+ s\n", recorder.log()), recorder.log()
    status, out, err = execute(recorder.name, "tarcap", "snapshot", options=["--user=1234"])
    assert (status, out, len(err)) == (1, b"", 1) and f"of uid {uid}" in err[0] and f"--user {uid}" in err[0]
    maps = recorder.maps()
    assert len(maps) == 2 and has_nothing(execute(recorder.name, "tar", "cf", "-", *proc_paths([1, 2, 7]), *maps)[1])
    assert "processes of other containers" not in recorder.log()
    assert execute(recorder.name, "tarcap", "stop") == (0, b"", [])
    assert docker("wait", recorder.name).stdout == "0\n"
    assert re.search(r"discarded: \d+ packets \(", recorder.log().splitlines()[-1])


def test_another_container_in_its_process_namespace_reads_nothing(containers):
    """But for the same uid, of which the log warns."""
    recorder = Recorder(containers, "--pid=container:WEB")
    assert "what runs in them as uid 65532 may read what is recorded" in recorder.log()
    recorder.snapshot()
    for options in (["--user=0"], ["--user=1234"], NOWHERE_TO_RISE, ["--user=65532"]):
        done = subprocess.run(["docker", "run", "--rm", "--name", containers.name(), "--pid", f"container:{recorder.web}",
                               "--network=none", *options, "tarcap", "tar", "cf", "-", *proc_paths(range(1, 60)),
                               *recorder.maps()],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
        assert has_nothing(done.stdout), options
    assert execute(recorder.name, "tarcap", "stop")[0] == 0
    assert docker("inspect", "--format", "{{.State.Running}}", recorder.web).stdout == "true\n"


def test_without_net_raw_it_says_what_cures_it(image):
    done = subprocess.run(["docker", "run", "--rm", "--network=none", "--cap-drop=ALL", "tarcap", *RECORD],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    assert done.returncode == 1 and b"started without the capability NET_RAW; docker run: --cap-add NET_RAW" in done.stderr
