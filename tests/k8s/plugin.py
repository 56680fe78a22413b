"""The plugin as the tests run it: in which shells, with which programs beside it, over a cluster that stands in."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from archive import Archive
from engine import docker
from process import OWN, TOP, VERSION, sh, start_process, wait_until

K8S = TOP / "k8s"
STAND_IN = TOP / "tests/k8s"
PLUGIN = K8S / "kubectl-tarcap"
SHELLS = [["dash"], ["busybox", "sh"]]
ALL_SHELLS = [*SHELLS, ["bash", "--posix"]]  # what sh is on a Mac; it tells of each process that was killed
DEFAULT_CAPABILITIES = {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
                        "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}  # of containerd, of Docker
USER = {"runAsUser": 65532, "runAsNonRoot": True}  # the image's own
LEAST = {
    **USER,
    "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]},
    "readOnlyRootFilesystem": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
BASELINE = {**LEAST, "capabilities": {"drop": sorted(DEFAULT_CAPABILITIES - {"NET_RAW"})}}
NO_NEW_PRIVS = {"allowPrivilegeEscalation": False}
ROOT = {"runAsUser": 0, "runAsNonRoot": False}


def script(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def links(directory, *names):
    """A directory of a PATH that has these programs and no others."""
    directory.mkdir(exist_ok=True)
    for name in names:
        (directory / name).symlink_to(shutil.which(name))
    return directory


# All that the plugin runs; and what the stand-in does.
UTILITIES = ("awk", "basename", "cat", "chmod", "date", "dirname", "docker", "grep", "head", "ls", "mkdir", "mkfifo",
             "mktemp", "mv", "rm", "sed", "sleep", "tail", "tar", "tr", "wc")


def plugin(shell, *words, env=None, cwd=None, timeout=60, **more):
    return subprocess.run([*shell, PLUGIN, *map(str, words)], stdin=subprocess.DEVNULL, text=True, capture_output=True,
                          env=env, cwd=cwd, timeout=timeout, **more)


POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"app": "web"}},
       "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
                "containers": [{"name": "app", "image": "tarcap-web",
                                "readinessProbe": {"tcpSocket": {"port": 9}, "periodSeconds": 1}}]}}


class Cluster:
    """A stand-in of one test module, with a pod called web, and another in a namespace for each test."""

    def __init__(self, directory):
        self.directory = directory
        self.env = {**os.environ, "PATH": f"{STAND_IN}:{os.environ['PATH']}", "STAND_IN_STATE": str(directory / "state"),
                    "STAND_IN_PAUSE": f"tarcap:{VERSION}", "TMPDIR": str(directory / "tmp"), "DISPLAY": ":0"}
        (directory / "tmp").mkdir()
        self.count = 0

    def kubectl(self, *words, check=True, **more):
        return sh("kubectl", *words, env=self.env, check=check, **more)

    def make(self, **pod):
        """A namespace with a pod of its own."""
        self.count += 1
        namespace = f"p{OWN}-{self.count}"
        self.kubectl("create", "namespace", namespace)
        path = self.directory / "pod.json"
        path.write_text(json.dumps({**POD, **pod}))
        self.kubectl("-n", namespace, "apply", "-f", path)
        return namespace

    def request(self, namespace, count):
        """Requests to the pod web, until they are answered."""
        address = self.kubectl("-n", namespace, "get", "pod", "web", "-o", "jsonpath={.status.podIP}").stdout
        docker("run", "--rm", "tarcap-web", "get", address, count)

    def containers(self, namespace):
        pod = json.loads(self.kubectl("-n", namespace, "get", "pod", "web", "-o", "json").stdout)
        return pod["spec"].get("ephemeralContainers", [])

    def start(self, shell, *words, cwd, path=None, **more):
        """The plugin in a session of its own, as a terminal's foreground job: a group that gets Ctrl-C."""
        out, err = (open(cwd / name, "wb") for name in ("stdout", "stderr"))
        process = start_process([*shell, str(PLUGIN), *map(str, words)], stdin=subprocess.DEVNULL, cwd=cwd,
                                env={**self.env, "PATH": path or self.env["PATH"]},
                                **{"stdout": out, "stderr": err, **more})
        process.said = lambda: (cwd / "stderr").read_text()
        return process

    def close(self):
        pods = self.directory / "state/pods.json"
        if pods.exists():  # else no test has made one
            self.kubectl("delete", "namespace", *json.loads(pods.read_text()))
        mine = f"label=stand-in-state={self.env['STAND_IN_STATE']}"
        # A pod on a node is deleted without waiting for that.
        wait_until(lambda: not docker("ps", "-aq", "--filter", mine).stdout, 30, "the end of all containers")
        # What the plugin had for itself is gone too, however it ended.
        assert not list((self.directory / "tmp").iterdir())


def whole(path):
    return Archive(Path(path).read_bytes()).check()


def wireshark(tmp_path, after="", instead=""):
    """A window that keeps what it gets in 'got' beside itself."""
    return script(tmp_path / "viewers/wireshark",
                  f'cd "${{0%/*}}"\necho $$ >pid\necho "$*" >words\n{instead or "cat >got"}\n{after}')


def pcap_lines(path):
    """One line a packet; tcpdump fails when the file is no pcap, or torn."""
    return sh("tcpdump", "-n", "-r", path).stdout.splitlines()
