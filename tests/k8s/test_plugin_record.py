"""The recorder through the plugin: events, snapshots of what holds have, one event for all pods of a selector."""

import json
import os
import re
import signal
import socket
from pathlib import Path

import pytest

from plugin import K8S, POD, plugin, whole
from process import TARCAP, VERSION, patience, sh, wait_until

EVENT = ("--until", "udp port 9999", "--after", "1s")
HOLD = ["tarcap", "hold", "--record", "4M", "--ttl", "0", "--", "tcp"]


def strike(cluster, namespace, pod="web"):
    """The event, for one pod."""
    address = cluster.kubectl("-n", namespace, "get", "pod", pod, "-o", "jsonpath={.status.podIP}").stdout
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"now", (address, 9999))


def manifest(path):
    archive = whole(path)
    return archive, archive.manifest


def with_recorder(*names, **more):
    """A pod's spec with sidecars that record."""
    sidecars = [{"name": name, "image": f"tarcap:{VERSION}", "restartPolicy": "Always", "command": HOLD, **more}
                for name in names]
    return {**POD["spec"], "initContainers": sidecars}


def await_recorder(cluster, namespace):
    wait_until(lambda: "listening on" in cluster.kubectl("-n", namespace, "logs", "web", "-c", "recorder").stdout, 20,
               "a recorder")


def another(cluster, namespace, name, directory, **spec):
    pod = json.loads(json.dumps(POD))
    pod["metadata"]["name"] = name
    pod["spec"].update(spec)
    (directory / "pod.json").write_text(json.dumps(pod))
    cluster.kubectl("-n", namespace, "apply", "-f", directory / "pod.json")


def test_event_fetches_what_came_before(cluster, web, tmp_path):
    """It waits, says what is held, and ends by itself after the event, as any other capture."""
    process = cluster.start(["busybox", "sh"], "web", "-n", web, "--record", "4M", *EVENT, cwd=tmp_path)
    wait_until(lambda: re.search(r"^kubectl tarcap: \d+ s, holds \d+ s, \d+ packets, [\d.]+[BK], none lost; Ctrl-C fetches it$",
                                 process.said(), re.M), 40, "what is held")
    assert process.poll() is None
    strike(cluster, web)
    assert process.wait(20 * patience()) == 0, process.said()
    archive, told = manifest(tmp_path / "web.tar")
    assert told["tarcap_manifest"] == 2 and told["event"]["what"] == "udp port 9999" and len(archive.records) > 10
    assert "tarcap: event: udp port 9999 on eth0, at " in process.said()
    assert re.match(r"kubectl tarcap: web.tar is whole: [\d.]+K; event: udp port 9999 on eth0, at [-\dT:.Z]+$",
                    process.said().splitlines()[-1]), process.said()


def test_interrupt_fetches_what_is_held(shell, cluster, web, tmp_path):
    process = cluster.start(shell, "web", "-n", web, "--record=4M", *EVENT, cwd=tmp_path)
    wait_until(lambda: "listening on" in process.said(), 20, "a recorder")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20 * patience()) == 0, process.said()
    _, told = manifest(tmp_path / "web.tar")
    assert told["event"] is None and "fetching what is held (again to give up)" in process.said()
    assert process.said().splitlines()[-1].endswith("; no event came")


@pytest.mark.parametrize("words", [
    ["--record", "1M"], ["--record", "64X"], ["--record", "1.5G3"], ["--first", "0"], ["--keep", "3"],
    ["--record", "4M", "--keep", "400d"],
    ["--after", "3"], ["--until", "reset", "--after", "1x"], ["--until", "reset", "--after", "5m1h"], ["--until", "silence"],
    ["--until", "silence=1ms"], ["--until", "rst"], ["--until", "dns"], ["--until", "504"], ["--until", "alert"],
    ["--until", "idle"], ["--until", ""], ["--record", "64M", "-W", "3"], ["--first", "16K", "--headers"],
], ids=" ".join)
def test_wrong_numbers_and_names_are_refused_before_the_cluster_is_asked(no_kubectl, words):
    """In tarcap's own words, which would come when a container had been added."""
    done = plugin(["dash"], "web", *words, env=no_kubectl)
    assert done.returncode == 2, done.stderr
    own = sh(TARCAP, *words, check=False)
    assert own.returncode == 2
    assert done.stderr.splitlines()[0] == f"kubectl {own.stderr.splitlines()[0]}"


def test_what_tarcap_takes_is_taken(shell, no_kubectl):
    words = ["--record", "1.5Gi", "--keep", "1h30m", "--until", "silence=2.5s", "--until", "tls-alert", "--until", "icmp",
             "--after", "0", "--first", "16KiB"]
    done = plugin(shell, "web", "--dry-run", *words, env=no_kubectl)
    assert done.returncode == 0, done.stderr
    assert f"-- tarcap {' '.join(words)} > web.tar\n" in done.stdout
    done = plugin(shell, "--until", "help", env=no_kubectl)
    own = sh(TARCAP, "--until", "help").stdout
    assert done.returncode == 0 and done.stdout.split("\n\n")[:2] == own.split("\n\n")[:2]


@pytest.mark.parametrize("words, says", [
    (["web", "--record", "4M", "--live"], "--live: cannot be combined with --record"),
    (["web", "--last", "1m"], "--last: goes with --snapshot"),
    (["web", "--resume"], "--resume: goes with --snapshot"),
    (["web", "--until", "reset", "--together"], "--together: is for several pods"),
    (["-l", "app=web", "--record", "4M", "--together"], "--until EVENT names it"),
    (["--snapshot"], "name a POD"),
    (["--snapshot", "--node", "n"], "--snapshot: is for pods"),
    (["--snapshot", "web", "--", "tcp"], "takes no filter"),
    (["--snapshot", "web", "--record", "4M"], "--record: is for a recording that begins"),
    (["--snapshot", "web", "-i", "eth0"], "-i: cannot be combined with --snapshot"),
    (["--snapshot", "web", "--ttl", "1h"], "--ttl: adds a container"),
    (["--snapshot", "web", "--live"], "--live: cannot be combined with --snapshot"),
])
def test_what_does_not_go_together(shell, no_kubectl, words, says):
    done = plugin(shell, *words, env=no_kubectl)
    assert done.returncode == 2 and says in done.stderr.splitlines()[0], done.stderr


def test_snapshot_of_a_pod_that_records(shell, cluster, tmp_path):
    """Of the sidecar that is found, twice, with --last; nothing is added, and whoever may only exec may have it."""
    namespace = cluster.make(spec=with_recorder("recorder"))
    await_recorder(cluster, namespace)
    env = {**cluster.env, "STAND_IN_DENY": "patch pods/ephemeralcontainers,watch pods"}
    cluster.request(namespace, 3)
    done = plugin(shell, "--snapshot", "web", "-n", namespace, "--reason", "ticket 12", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "nothing is added" in done.stderr and "what the hold in container recorder has recorded" in done.stderr
    archive, told = manifest(tmp_path / "web.tar")
    assert told["tarcap_manifest"] == 2 and len(archive.records) > 10 and told["reason"] == "ticket 12"
    done = plugin(shell, "--snapshot", "-l", "app=web", "-n", namespace, "--last", "10s", "-o", "out/", env=env, cwd=tmp_path)
    assert done.returncode == 0 and re.search(r"^web +whole +[\d.]+K +out/web.tar$", done.stderr, re.M), done.stderr
    whole(tmp_path / "out/web.tar")
    assert cluster.containers(namespace) == []


def test_snapshot_where_nothing_records(shell, cluster, web, tmp_path):
    done = plugin(shell, "--snapshot", "web", "-n", web, env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1 and cluster.containers(web) == [] or "tarcap-" in json.dumps(cluster.containers(web))
    assert "web: no container of this pod records: k8s/sidecar-recorder.yaml shows one that does" in done.stderr
    done = plugin(shell, "--snapshot", "web", "-n", web, "-c", "nosuch", env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.endswith("web: the pod has no container nosuch\n")
    assert not list(tmp_path.glob("*.tar"))


def test_snapshot_with_two_recorders_or_a_dead_one(cluster, tmp_path):
    namespace = cluster.make(spec=with_recorder("one", "two"))
    done = plugin(["dash"], "--snapshot", "web", "-n", namespace, env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.endswith("web: 2 containers record: -c says which: one two\n")
    done = plugin(["dash"], "--snapshot", "web", "-n", namespace, "-c", "two", env=cluster.env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("one", "two"):
        cluster.kubectl("-n", namespace, "exec", "web", "-c", name, "--", "tarcap", "stop")
        ended = f'jsonpath={{.status.initContainerStatuses[?(@.name=="{name}")].state.terminated}}'
        cluster.kubectl("-n", namespace, "wait", f"--for={ended}", "--timeout=30s", "pod/web")
    done = plugin(["dash"], "--snapshot", "web", "-n", namespace, "--force", env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1 and "web: the recorder, container one, does not run" in done.stderr


def test_one_alert_takes_snapshots_of_all_pods(cluster, tmp_path):
    """The recipe's own line, in a deployment of which one pod has no recorder."""
    [line] = re.findall(r"^    (kubectl tarcap --snapshot -l .*)$", (K8S / "README.md").read_text(), re.M)
    namespace = cluster.make(spec=with_recorder("recorder"))
    another(cluster, namespace, "web-2", tmp_path, **with_recorder("recorder"))
    env = {**cluster.env, "ALERT": "5xx above 1 %", "PATH": f"{K8S}:{cluster.env['PATH']}"}

    def alert():
        return sh("dash", "-c", line.replace("kubectl tarcap", f"kubectl-tarcap -n {namespace}"), env=env, cwd=tmp_path,
                  check=False)
    done = alert()
    assert done.returncode == 0, done.stderr
    [directory] = tmp_path.glob("alert-*")
    assert {path.name: manifest(path)[1]["reason"] for path in directory.iterdir()} == dict.fromkeys(
        ("web.tar", "web-2.tar"), "5xx above 1 %")
    another(cluster, namespace, "web-3", tmp_path)
    done = alert()
    assert done.returncode == 1, done.stderr
    assert re.search(r"^web-3 +failed +0B +no container of this pod records", done.stderr, re.M), done.stderr
    assert len(re.findall(r"^web(?:-2)? +whole", done.stderr, re.M)) == 2


@pytest.fixture(scope="module")
def two(cluster, tmp_path_factory):
    namespace = cluster.make()
    another(cluster, namespace, "db", tmp_path_factory.mktemp("db"))
    return namespace


def test_one_pods_event_fetches_all(shell, cluster, two, tmp_path):
    """Both ends of the story: the other pod had no event, and its archive goes as far. A tarcap here makes their page."""
    here = shell == ["dash"] and f"{Path(TARCAP).parent}:{cluster.env['PATH']}"
    process = cluster.start(shell, "-l", "app=web", "-n", two, "--record", "4M", *EVENT, "--together", "-o", "out", cwd=tmp_path,
                            path=here)
    wait_until(lambda: process.said().count("listening on") == 2, 40, "two recorders")
    strike(cluster, two, "db")
    assert process.wait(30 * patience()) == 0, process.said()
    assert "kubectl tarcap: db saw the event: all are fetched in 2 s (--together)" in process.said()
    assert re.search(r"^db +whole .* out/db.tar \(event: udp port 9999 on eth0, at ", process.said(), re.M), process.said()
    assert re.search(r"^web +whole .* out/web.tar \(no event came\)$", process.said(), re.M), process.said()
    db, told = manifest(tmp_path / "out/db.tar")
    other, told_other = manifest(tmp_path / "out/web.tar")
    assert told["event"] and told_other["event"] is None and other.cause == "stdin closed"
    assert told_other["window"]["to"] > told["event"]["time"]
    page = (tmp_path / "stdout").read_text()
    assert page.startswith("summary of 2 captures together\n") if here else page == ""
    line = "kubectl tarcap: all ends on one page: tarcap summary out/db.tar out/web.tar\n"
    assert process.said().endswith(line) != bool(here)


def test_without_together_each_pod_waits_for_its_own_event(cluster, two, tmp_path):
    process = cluster.start(["dash"], "-l", "app=web", "-n", two, "--record", "4M", *EVENT, "-o", "out", cwd=tmp_path)
    wait_until(lambda: process.said().count("listening on") == 2, 40, "two recorders")
    strike(cluster, two, "db")
    wait_until(lambda: (tmp_path / "out/db.tar").read_bytes()[-1024:] == bytes(1024), 20, "the archive of one")
    assert process.poll() is None
    strike(cluster, two)
    assert process.wait(20 * patience()) == 0, process.said()


def test_together_needs_all_at_once(cluster, two, tmp_path):
    done = plugin(["dash"], "-l", "app=web", "-n", two, *EVENT, "--together", "--parallel", 1, env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith("--together: 2 pods have to record at the same time, and --parallel allows 1\n")
