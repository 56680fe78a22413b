"""The plugin on a cluster: one pod, several, a node, and what it says when something is missing."""

import json
import os
import re
import signal
import time

from cluster import Archive, PLUGIN, SHELL, Skip, alone, check, run, wait_until

# --- the plugin -------------------------------------------------------------------------------------------------

@check
def plugin_on_one_pod(suite):
    path = suite.path(".tar")
    done = suite.plugin("web-1", "--duration", "3s", "-o", path)
    assert Archive(path.read_bytes()).cause == "duration"
    assert f"using the hold that runs in container {suite.hold}" in done.err
    assert f"{path} is whole" in done.err
    assert path.stat().st_mode & 0o777 == 0o600


@check
def plugin_fetches_what_came_before_an_event(suite):
    """A readiness probe is the event."""
    path = suite.path(".tar")
    done = suite.plugin("web-1", "--record", "4M", "--until", "tcp port 9", "--after", "1s", "-o", path)
    assert re.search(rf"{path} is whole: .*; event: tcp port 9 on eth0, at ", done.err), done.err


@check
def plugin_adds_its_own_container(suite):
    path = suite.path(".tar")
    name = f"tarcap-{suite.number()}"
    suite.plugin("web-2", "-c", name, "--duration", "2s", "-o", path, "--", "tcp port 9")
    archive = Archive(path.read_bytes())
    assert "tcp port 9" in json.dumps(archive.capture)
    added = json.loads(suite.kubectl("get", "pod", "web-2", "-o", "json").out)["spec"]["ephemeralContainers"]
    [mine] = [one for one in added if one["name"] == name]
    assert mine["command"][:2] == ["tarcap", "hold"]
    assert mine["securityContext"]["capabilities"] == {"add": ["NET_RAW"], "drop": ["ALL"]}
    assert (mine["securityContext"]["runAsUser"], mine["securityContext"]["runAsNonRoot"]) == (65532, True)


@check
def plugin_ends_cleanly_by_ctrl_c(suite):
    path = suite.path(".tar")
    running = suite.start_plugin("web-1", "-o", path).heard("listening on")
    os.killpg(running.process.pid, signal.SIGINT)
    running.wait(30)
    assert Archive(path.read_bytes()).cause == "stdin closed"


@check
@alone
def plugin_listens_soon(suite):
    """From the typed command, through a container that is added, to the readiness line: the best of three."""
    suite.needs_cluster("kubectl that is as fast as kubectl")
    took = []
    for _ in range(3):
        before = time.monotonic()
        running = suite.start_plugin("web-3", "-c", f"tarcap-{suite.number()}", "--duration", "1s", "-o", suite.path(".tar"))
        running.heard("listening on")
        took.append(round(time.monotonic() - before, 2))
        running.wait(30)
    assert min(took) < 2, f"{took} s"


@check
def plugin_given_up_says_so(suite):
    """Ctrl-C twice: our words only, not the shell's about what it has killed."""
    running = suite.start_plugin("web-2", "-c", f"tarcap-{suite.number()}", "-o", suite.path(".tar"))
    running.heard("listening on")
    os.killpg(running.process.pid, signal.SIGINT)
    running.heard("again to give up")
    os.killpg(running.process.pid, signal.SIGINT)
    running.wait(20, expect=None)
    assert running.process.returncode in (0, 130)  # 0: it was faster
    assert not running.said("illed"), running.lines


@check
def plugin_says_who_waits(suite):
    done = suite.plugin("web-1", "web-2", "web-3", "--parallel", "2", "--duration", "1s", "-o", suite.path())
    assert "2 pods at a time (--parallel 2), 1 waiting for one to end: web-3" in done.err
    assert len(re.findall(r"^web-\d +whole", done.err, re.M)) == 3


@check
def plugin_in_a_namespace_that_is_not_there(suite):
    path = suite.path(".tar")
    path.touch()
    for words in (["web-1"], ["--node", "nowhere"]):
        done = suite.plugin(*words, "-o", path, namespace="tarcap-no-such-namespace", expect=1)
        assert "tarcap-no-such-namespace" in done.err.splitlines()[-1] and "not found" in done.err, done.err


@check
def plugin_on_three_pods(suite):
    directory = suite.path()
    done = suite.plugin("-l", "app=web", "--duration", "3s", "-o", directory)
    for pod in ("web-1", "web-2", "web-3"):
        assert Archive((directory / f"{pod}.tar").read_bytes()).packets
        assert re.search(rf"^{pod} +whole", done.err, re.M), done.err


@check
def plugin_in_pods_of_any_user(suite):
    """What the pod says of its user is for the pod: tarcap's container is the image's own, and starts."""
    users = {"root": {"runAsUser": 0}, "somebody": {"runAsUser": 1000, "runAsGroup": 1000},
             "not-root": {"runAsNonRoot": True, "runAsUser": 1000}, "image": {"runAsNonRoot": True}}
    suite.apply(*(suite.pod(f"user-{name}", {"users": "any"}, image=suite.image, securityContext=user)
                  for name, user in users.items()))
    for name in users:
        suite.await_state(f"user-{name}", "app", "running", kind="container")
    directory = suite.path()
    done = suite.plugin("-l", "users=any", "--duration", "2s", "-o", directory)
    for name in users:
        assert Archive((directory / f"user-{name}.tar").read_bytes()).packets
    assert done.err.count("asked for by uid 65532:") == len(users), done.err


@check
def plugin_says_what_is_missing(suite):
    """In a container that cannot capture: the cause, and what cures it."""
    done = suite.plugin("web-3", "-c", f"tarcap-{suite.number()}", "--profile", "restricted", "-o", suite.path(".tar"),
                        expect=1)
    assert "the container was started without the capability NET_RAW" in done.err.splitlines()[-1], done.err
    assert "Kubernetes: securityContext: {capabilities: {add: [NET_RAW]}" in done.err.splitlines()[-1]


@check
def plugin_lets_one_pod_fail(suite):
    directory = suite.path()
    done = suite.plugin("-l", "mixed=yes", "--duration", "3s", "-o", directory, expect=1)
    assert sorted(path.name for path in directory.iterdir()) == ["web-1.tar", "web-2.tar"]
    assert re.search(r"^broken +failed .*Pending", done.err, re.M), done.err
    assert len(re.findall(r"^web-\d +whole", done.err, re.M)) == 2


@check
def plugin_says_why_the_container_does_not_run(suite):
    """As soon as the node has found out, with the node's own sentence."""
    before = time.monotonic()
    done = run(*SHELL, PLUGIN, "web-3", "-n", suite.namespace, "--image", "tarcap-no-such-image:1", "--timeout", "300",
               "-o", suite.path(".tar"), expect=1, timeout=320)
    line = done.err.splitlines()[-1]
    assert "tarcap-no-such-image:1" in line and "--image" in line and re.search(r"\((Err)?ImagePull", line), done.err
    assert not line.endswith('Back-off pulling image "tarcap-no-such-image:1"'), line
    assert time.monotonic() - before < 60


@check
@alone
def plugin_on_a_node(suite):
    node = suite.kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}", expect=None).out
    if not node:
        raise Skip("nodes may not be listed")
    path = suite.path(".tar")
    done = suite.plugin("--node", node, "-i", "lo", "--duration", "3s", "-o", path)
    archive = Archive(path.read_bytes())
    assert archive.cause == "duration"
    assert "is whole" in done.err
    left = suite.kubectl("get", "pods", "-o", "name").out
    wait_until(lambda: "tarcap-node-" not in suite.kubectl("get", "pods", "-o", "name").out, 40, f"its end: {left}")
