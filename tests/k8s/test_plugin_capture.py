"""Captures by the plugin over the stand-in: every way to end one, its files, several pods, nodes."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from archive import Archive
from engine import docker
from plugin import ALL_SHELLS, POD, STAND_IN, UTILITIES, links, pcap_lines, plugin, script, whole, wireshark
from process import TARCAP, VERSION, patience, sh, wait_until


def test_interrupt_of_the_process_group(shell, cluster, web, tmp_path):
    """Ctrl-C: kubectl, in a group of its own, goes on until the manifest is there."""
    process = cluster.start(shell, "web", "-n", web, cwd=tmp_path)
    wait_until(lambda: "listening on" in process.said(), 20, "a capture")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 0, process.said()
    assert whole(tmp_path / "web.tar").cause == "stdin closed"
    assert "web.tar is whole" in process.said()


@pytest.mark.parametrize("way", [["perl"], []], ids=["perl", "neither"])
def test_interrupt_without_setsid(cluster, web, tmp_path, way):
    """As on macOS: kubectl gets its process group from perl; without that too it starts with SIGINT ignored."""
    directory = links(tmp_path / "bin", *UTILITIES, *way)
    process = cluster.start([shutil.which("dash")], "web", "-n", web, cwd=tmp_path, path=f"{STAND_IN}:{directory}")
    wait_until(lambda: "listening on" in process.said(), 20, "a capture")
    [client] = [Path(f"/proc/{pid}") for pid in re.findall(r"\d+", subprocess.run(
        ["pgrep", "-f", f"stand_in --namespace={web} exec"], capture_output=True, text=True).stdout)]
    group = int((client / "stat").read_text().rpartition(")")[2].split()[2])
    assert (group == process.pid) == (way == [])
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 0, process.said()
    whole(tmp_path / "web.tar")


def test_with_nothing_but_busybox(cluster, web, tmp_path):
    """As on Alpine: every utility is busybox's."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in sh("busybox", "--list").stdout.split():
        (directory / name).symlink_to(shutil.which("busybox"))
    (directory / "docker").symlink_to(shutil.which("docker"))
    env = {**cluster.env, "PATH": f"{STAND_IN}:{directory}"}
    done = plugin([directory / "sh"], "web", "-n", web, "--duration", "1s", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "web.tar is whole" in done.stderr
    whole(tmp_path / "web.tar")


@pytest.mark.parametrize("shell", ALL_SHELLS, indirect=True, ids=" ".join)
def test_second_interrupt_gives_up(shell, cluster, web, tmp_path):
    process = cluster.start(shell, "web", "-n", web, cwd=tmp_path)
    wait_until(lambda: "listening on" in process.said(), 20, "a capture")
    os.killpg(process.pid, signal.SIGINT)
    wait_until(lambda: "again to give up" in process.said(), 5, "its answer")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) == 130, process.said()
    assert "given up" in process.said()
    # And no word of the shell's about what it has killed.
    assert all(re.match("kubectl tarcap: |tarcap: ", line) for line in process.said().splitlines()), process.said()


@pytest.mark.parametrize("shell", ALL_SHELLS, indirect=True, ids=" ".join)
def test_interrupt_before_the_capture_begins(shell, cluster, tmp_path):
    """While the container is waited for: the wait ends at once, and what stays is named."""
    namespace = cluster.make()
    path = script(tmp_path / "bin/kubectl", "case \" $* \" in *' --watch '*) exec sleep 60;; esac\n"
                                            f'exec "{STAND_IN}/kubectl" "$@"')
    process = cluster.start(shell, "web", "-n", namespace, "-c", "tarcap-x", cwd=tmp_path,
                            path=f"{path.parent}:{cluster.env['PATH']}")
    wait_until(lambda: cluster.containers(namespace), 20, "the container")
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) == 1, process.said()
    assert "kubectl tarcap: stopping before the capture has begun (again to give up)\n" in process.said()
    assert all(line.startswith("kubectl tarcap: ") for line in process.said().splitlines()), process.said()
    assert process.said().endswith("stopped before the capture began; the container tarcap-x stays there, idle, until its "
                                   "--ttl\n")
    assert not list(tmp_path.glob("*.tar"))


def test_questions_to_the_cluster(shell, cluster, tmp_path):
    """Each costs a person who waits a third of a second: so many, and no more, until it listens."""
    namespace, log = cluster.make(), tmp_path / "log"
    env = {**cluster.env, "STAND_IN_LOG": str(log)}
    done = plugin(shell, "web", "-n", namespace, "--count", 1, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr

    def asked():
        commands = sorted(json.loads(line) for line in log.read_text().splitlines())
        log.unlink()
        return [" ".join(words[:2]) for words in commands], commands
    kinds, commands = asked()
    assert kinds == ["auth can-i", "debug -q", "exec -i", "get pod", "get pods"]
    assert "--watch" in commands[3]
    done = plugin(shell, "web", "-n", namespace, "--count", 1, "--force", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert asked()[0] == ["auth can-i", "exec -i", "get pods"]


def test_flags_of_the_questions_are_kubectls(cluster, real_kubectl, tmp_path):
    """What the stand-in was asked, put to a real kubectl: with --help it still refuses a flag that it does not know."""
    log = tmp_path / "log"
    env, namespace = {**cluster.env, "STAND_IN_LOG": str(log)}, cluster.make()
    for words, status in [(["web", "--count", 1], 0), (["--node", "stand-in", "-i", "lo", "--duration", "1s"], 0),
                          (["-l", "app=web", "--image", "nowhere/tarcap:1", "-o", "other.tar/"], 1), (["nosuch"], 1)]:
        done = plugin(["dash"], *words, "-n", namespace, env=env, cwd=tmp_path)
        assert done.returncode == status, done.stderr
    asked = {tuple(json.loads(line)) for line in log.read_text().splitlines()}
    assert len({words[:2] for words in asked}) >= 8
    for words in asked:
        cut = words.index("--") if "--" in words else len(words)
        done = sh(real_kubectl, *words[:cut], "--help", check=False)
        assert done.returncode == 0, (words, done.stderr)
    assert sh(real_kubectl, "get", "pods", "--no-such-flag", "--help", check=False).returncode != 0


def test_who_may_not_watch_captures_all_the_same(cluster, tmp_path):
    done = plugin(["dash"], "web", "-n", cluster.make(), "--count", 1, env={**cluster.env, "STAND_IN_DENY": "watch pods"},
                  cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    whole(tmp_path / "web.tar")


def test_terminate_ends_cleanly_too(cluster, web, tmp_path):
    process = cluster.start(["dash"], "web", "-n", web, cwd=tmp_path)
    wait_until(lambda: "listening on" in process.said(), 20, "a capture")
    process.terminate()
    assert process.wait(20) == 0, process.said()
    whole(tmp_path / "web.tar")


def test_killed_client_leaves_no_capture(cluster, web, tmp_path):
    """SIGKILL: the FIFO's only writer is gone, so the captures end."""
    process = cluster.start(["dash"], "web", "-n", web, cwd=tmp_path)
    wait_until(lambda: "listening on" in process.said(), 20, "a capture")
    time.sleep(1.5)
    process.kill()
    wait_until(lambda: (tmp_path / "web.tar").read_bytes()[-1024:] == bytes(1024), 10, "the archive's end")
    whole(tmp_path / "web.tar")
    # Nobody was there to remove what it had for itself, and what it had started may still write there.
    for left in Path(cluster.env["TMPDIR"]).iterdir():
        wait_until(lambda: shutil.rmtree(left, ignore_errors=True) or not left.exists(), 10, f"the end of {left}")


def test_no_word_from_the_plugin_on_stdout(cluster, web, tmp_path):
    """-o -: nothing but the archive."""
    process = cluster.start(["dash"], "web", "-n", web, "--duration", "2s", "-o", "-", cwd=tmp_path)
    assert process.wait(20) == 0, process.said()
    whole(tmp_path / "stdout")
    assert not list(tmp_path.glob("*.tar"))


def test_output_names(cluster, web, tmp_path):
    (tmp_path / "there").mkdir()
    for words, path in [([], "web.tar"), (["-o", "there"], "there/web.tar"), (["-o", "made/"], "made/web.tar"),
                        (["-o", "my.tar"], "my.tar")]:
        done = plugin(["dash"], "web", "-n", web, "--duration", "300ms", *words, env=cluster.env, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        assert f"{path} is whole" in done.stderr
        whole(tmp_path / path)
    before = (tmp_path / "web.tar").read_bytes()
    done = plugin(["dash"], "web", "-n", web, env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1 and "web.tar is there already" in done.stderr
    assert (tmp_path / "web.tar").read_bytes() == before
    done = plugin(["dash"], "web", "-n", web, "--duration", "300ms", "--force", "-q", env=cluster.env, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "web.tar").read_bytes() != before
    done = plugin(["dash"], "web", "-n", web, "-o", "/no/such/x.tar", env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1 and "cannot write /no/such/x.tar" in done.stderr, done.stderr
    done = plugin(["dash"], "web", "-n", web, "--duration", "300ms", "-o", "/dev/null", env=cluster.env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_files_are_for_no_other_eyes(shell, cluster, web, tmp_path):
    """As with tarcap's -w: the archives, the directory made for them, and what was readable before --force."""
    (tmp_path / "old").write_text("")
    (tmp_path / "old").chmod(0o644)
    (tmp_path / "link").symlink_to("old")
    for words, path in [([], "web.tar"), (["-o", "made/deep/"], "made/deep/web.tar"), (["-o", "old", "--force"], "old"),
                        (["-o", "link"], "old")]:
        done = plugin(shell, "web", "-n", web, "--count", 1, *words, env=cluster.env, cwd=tmp_path, umask=0o022)
        assert done.returncode == 0, done.stderr
        whole(tmp_path / path)
        assert (tmp_path / path).stat().st_mode & 0o777 == 0o600, path
        (tmp_path / "old").chmod(0o644)
    assert (tmp_path / "made/deep").stat().st_mode & 0o777 == 0o700 and (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("words", [["web"], ["nosuch"], ["web", "nosuch"], ["--node", "stand-in"], ["-l", "app=web"]],
                         ids=["pod", "no pod", "pods", "node", "selector"])
def test_wrong_namespace_is_what_is_wrong(cluster, tmp_path, words):
    """Not that there is a file of the pod's name already; and no directory is made for it."""
    for name in ("web", "stand-in"):
        (tmp_path / f"{name}.tar").touch()
    done = plugin(["dash"], *words, "-n", "nosuchns", "-o", "x/", env=cluster.env, cwd=tmp_path)
    done_here = plugin(["dash"], *words, "-n", "nosuchns", env=cluster.env, cwd=tmp_path)
    assert done.returncode == done_here.returncode == 1
    assert done.stderr == done_here.stderr and not (tmp_path / "x").exists()
    wanted = "no running pod matches 'app=web' in namespace nosuchns" if "-l" in words else 'namespaces "nosuchns" not found'
    assert done.stderr.splitlines()[-1] == f"kubectl tarcap: {wanted}"


def test_one_container_for_many_captures(cluster, web, tmp_path):
    for _ in range(2):
        done = plugin(["dash"], "web", "-n", web, "--duration", "300ms", "--force", env=cluster.env, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert len(cluster.containers(web)) == 1
    assert "using the hold that runs in container tarcap-" in done.stderr
    # Another image is another container.
    docker("tag", f"tarcap:{VERSION}", "other/tarcap:2")
    done = plugin(["dash"], "web", "-n", web, "--duration", "300ms", "--force", "--image", "other/tarcap:2",
                  env=cluster.env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "using the hold" not in done.stderr
    docker("rmi", "other/tarcap:2", check=False)


def test_status_and_words_of_tarcap(cluster, web, tmp_path):
    done = plugin(["dash"], "web", "-n", web, "--", "no such filter", env=cluster.env, cwd=tmp_path)
    assert done.returncode == 2
    assert "filter" in done.stderr.splitlines()[-1]
    assert not list(tmp_path.glob("*.tar"))


@pytest.mark.parametrize("kept", ["2000", "-1100"], ids=["early", "in the manifest"])
def test_file_that_is_cut(cluster, web, tmp_path, kept):
    """A kubectl that dies on the way: what came is kept, and called cut."""
    path = script(tmp_path / "bin/kubectl",
                  f'case " $* " in *" exec "*) "{STAND_IN}/kubectl" "$@" | head -c {kept}; exit 0;; esac\n'
                  f'exec "{STAND_IN}/kubectl" "$@"')
    env = {**cluster.env, "PATH": f"{path.parent}:{cluster.env['PATH']}"}
    done = plugin(["dash"], "web", "-n", web, "--duration", "2s", env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert "web.tar is cut" in done.stderr
    assert (tmp_path / "web.tar").stat().st_size >= 2000


def test_why_it_does_not_run(cluster, web, tmp_path):
    done = plugin(["dash"], "web", "-n", web, "--image", "nowhere/tarcap:9", env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()[-1:]
    assert "nowhere/tarcap:9 (ErrImagePull)" in line and "--image" in line and line.endswith("may require authorization")
    done = plugin(["dash"], "web", "-n", web, "-c", "tarcap-bad", "--ttl", "soon", env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1
    assert "ended at once" in done.stderr and "--ttl" in done.stderr.splitlines()[-1]
    # The reason alone is in the state, the sentence in the events.
    path = script(tmp_path / "bin/kubectl", f"""
case " $* " in *' --watch '*) "{STAND_IN}/kubectl" "$@" | sed -u 's/|ErrImagePull|.*/|ImagePullBackOff|||Back-off pulling/';;
*) exec "{STAND_IN}/kubectl" "$@";; esac""")
    path.write_text(path.read_text().replace("Back-off pulling", 'Back-off pulling image "nowhere\\/tarcap:9"'))
    before = time.monotonic()
    done = plugin(["dash"], "web", "-n", web, "--image", "nowhere/tarcap:9", cwd=tmp_path,
                  env={**cluster.env, "PATH": f"{path.parent}:{cluster.env['PATH']}"})
    assert done.returncode == 1 and time.monotonic() - before < 20 * patience()
    line = done.stderr.splitlines()[-1]
    assert "(ImagePullBackOff)" in line and line.endswith("may require authorization"), line
    done = plugin(["dash"], "no-such-pod", "-n", web, env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1 and 'pods "no-such-pod" not found' in done.stderr


def test_one_of_three_pods_fails(cluster, tmp_path):
    namespace = cluster.make()
    for number, picture in ((2, "tarcap-web"), (3, "no-such-image:1")):
        pod = json.loads(json.dumps(POD))
        pod["metadata"]["name"] = f"web-{number}"
        pod["spec"]["containers"][0]["image"] = picture
        (tmp_path / "pod.json").write_text(json.dumps(pod))
        cluster.kubectl("-n", namespace, "apply", "-f", tmp_path / "pod.json")
    done = plugin(["dash"], "-l", "app=web", "-n", namespace, "--parallel", 2, "--duration", "1s", "-o", "out",
                  env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1
    table = done.stderr[done.stderr.index("POD "):].splitlines()
    assert re.fullmatch(r"POD +RESULT +BYTES +FILE OR REASON", table[0])
    assert re.fullmatch(r"web +whole +[\d.]+K +out/web.tar", table[1])
    assert re.fullmatch(r"web-2 +whole +[\d.]+K +out/web-2.tar", table[2])
    assert re.fullmatch(r"web-3 +failed +0B +the pod is Pending, not Running", table[3])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["web-2.tar", "web.tar"]
    for path in (tmp_path / "out").iterdir():
        whole(path)
    # Each line of tarcap's says whose it is.
    assert all(re.match(r"(web(-\d)?: |kubectl tarcap: )", line)
               for line in done.stderr[:done.stderr.index("POD ")].splitlines())


def test_interrupt_of_several(cluster, web, tmp_path):
    """Those that capture end cleanly; those that wait for their turn don't start."""
    namespace = cluster.make()
    for number in (2, 3):
        pod = json.loads(json.dumps(POD))
        pod["metadata"]["name"] = f"web-{number}"
        (tmp_path / "pod.json").write_text(json.dumps(pod))
        cluster.kubectl("-n", namespace, "apply", "-f", tmp_path / "pod.json")
    process = cluster.start(["dash"], "web", "web-2", "web-3", "-n", namespace, "--parallel", 2, cwd=tmp_path)
    wait_until(lambda: process.said().count("listening on") == 2, 20, "two captures")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 1, process.said()
    whole(tmp_path / "web.tar")
    whole(tmp_path / "web-2.tar")
    assert re.search(r"^web-3 +failed +0B +not started$", process.said(), re.M), process.said()


@pytest.mark.parametrize("end", ["duration", "interrupt", "given up"])
def test_pod_on_a_node_is_gone_afterwards(cluster, web, tmp_path, end):
    process = cluster.start(["dash"], "--node", "stand-in", "-n", web, "-i", "lo",
                            "--duration", "1s" if end == "duration" else "60s", cwd=tmp_path)
    wait_until(lambda: "listening on" in process.said(), 20, "a capture")
    assert "tarcap-node-" in cluster.kubectl("-n", web, "get", "pods", "-o", "name").stdout
    if end != "duration":
        os.killpg(process.pid, signal.SIGINT)
    if end == "given up":
        wait_until(lambda: "again to give up" in process.said(), 5, "its answer")
        os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == (130 if end == "given up" else 0), process.said()
    if end != "given up":
        whole(tmp_path / "stand-in.tar")
        assert "10250" in json.dumps(Archive((tmp_path / "stand-in.tar").read_bytes()).capture)
    assert "tarcap-node-" not in cluster.kubectl("-n", web, "get", "pods", "-o", "name").stdout


def test_node_that_is_not_there(cluster, web, tmp_path):
    """Known before there is a pod for it, which nothing would ever start."""
    log = tmp_path / "log"
    done = plugin(["dash"], "--node", "elsewhere", "-n", web, env={**cluster.env, "STAND_IN_LOG": str(log)}, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == 'kubectl tarcap: nodes "elsewhere" not found'
    assert '"create", "--validate' not in log.read_text()


@pytest.mark.parametrize("words", [["web"], ["--node", "stand-in", "-i", "lo"], ["web", "--live"]],
                         ids=["pod", "node", "live"])
def test_dry_run_can_be_run_by_hand(cluster, web, tmp_path, words):
    directory = wireshark(tmp_path).parent
    (directory / "tarcap").symlink_to(TARCAP)
    env = {**cluster.env, "PATH": f"{directory}:{cluster.env['PATH']}"}
    done = plugin(["dash"], *words, "-n", web, "--dry-run", "--duration", "2s", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / "commands").write_text(done.stdout)
    run = sh("sh", "-eu", "commands", cwd=tmp_path, env=env)
    if "--live" in words:
        assert pcap_lines(directory / "got")
        return
    name = "web" if words == ["web"] else "stand-in"
    assert whole(tmp_path / f"{name}.tar").cause == "duration"
    assert "whole" in run.stderr, run.stderr
