"""The plugin without a cluster: its words, what it would type, how it waits; and its questions to a real kubectl."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest

import api as kube_api
from flags import flag_rows
from plugin import LEAST, PLUGIN, UTILITIES, links, plugin, script
from process import TARCAP, TOP, VERSION, patience, start_process, wait_until

yaml = pytest.importorskip("yaml", reason="needs python3-yaml")


def test_help(shell, no_kubectl):
    done = plugin(shell, "--help", env=no_kubectl)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: kubectl tarcap POD")
    assert all(len(line) <= 120 for line in done.stdout.splitlines())
    assert f"tarcap:{VERSION}" in done.stdout
    done = plugin(shell, "--version", env=no_kubectl)
    assert (done.returncode, done.stdout) == (0, f"kubectl-tarcap {VERSION}\n")


@pytest.mark.parametrize("words, says", [
    ([], "name a POD"),
    (["web", "-l", "app=web"], "not two"),
    (["web", "--node", "n"], "not two"),
    (["deploy/web"], "only pods"),
    (["We_b"], "no name that Kubernetes allows"),
    (["-web"], "unknown flag '-web'"),
    (["web", "--nonsense"], "--nonsense"),
    (["web", "--nonsense", "x"], "--nonsense"),
    (["web", "--nonsense=x"], "--nonsense"),
    (["web", "--force=x"], "--force"),
    (["web", "-n"], "its value is missing"),
    (["web", "-c", "10"], "--count 10"),
    (["web", "--parallel", "0"], "--parallel '0'"),
    (["web", "--parallel", "x"], "--parallel 'x'"),
    (["web", "--timeout", "99999999"], "--timeout"),
    (["web", "--custom", "/no/such"], "cannot be read"),
    (["web", "--image="], "--image"),
    (["--node", "n", "--profile", "netadmin"], "--node"),
    (["web", "api", "-o", "-"], "-o -"),
    (["-l", "app=web", "-o", "-"], "-o -"),
    (["web", "--raw"], "--raw: is what --wireshark asks for"),
    (["web", "--wireshark", "-o", "x.tar"], "--wireshark: writes no file"),
    (["web", "--live", "-o", "-"], "--live: writes no file"),
    (["web", "api", "--live"], "--live: is for one pod"),
    (["-l", "app=web", "--wireshark"], "--wireshark: is for one pod"),
    (["web", "--wireshark=x"], "--wireshark"),
    (["web", "-w", "x.tar"], "-o"),
    (["web", "-r", "x.pcap"], "by hand"),
    (["web", "-D"], "by hand"),
    (["web", "-F", "x"], "after --"),
    (["web", "-it"], "terminal"),
    (["web", "-A"], "-n"),
    (["web", "tcp", "port", "443"], "'tcp' begins a filter and is no pod: put -- before the filter: -- tcp port 443"),
    (["web", "api", "tcp port 443"], "-- tcp port 443"),
    (["web", "-i", "lo", "not", "port", "22"], "-- not port 22"),
    (["web", "host", "10.0.0.1"], "-- host 10.0.0.1"),
    (["web", "(tcp", "or", "udp)"], "-- (tcp or udp)"),
    (["-l", "app=web", "udp"], "'udp' begins a filter"),
    (["--node", "n", "icmp"], "'icmp' begins a filter"),
    (["port", "443"], "'port' begins a filter"),
])
def test_usage_errors(shell, no_kubectl, words, says):
    done = plugin(shell, *words, env=no_kubectl)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    line, hint = done.stderr.splitlines()
    assert line.startswith("kubectl tarcap: ") and says in line
    assert hint == "kubectl tarcap: try 'kubectl tarcap --help'"


def test_a_pod_may_have_the_name_of_a_protocol(no_kubectl):
    done = plugin(["dash"], "--dry-run", "pod/tcp", "web", env=no_kubectl)
    assert done.returncode == 0 and "kubectl exec -i tcp " in done.stdout, done.stdout + done.stderr


def test_every_flag_of_tarcap_is_known(no_kubectl):
    """Passed on, or refused with a hint: a flag that tarcap gains must not be 'unknown' here."""
    text = subprocess.run([TARCAP, "--help"], capture_output=True, text=True, check=True).stdout
    flags = {flag for line in text.splitlines() if re.match(r" +-", line)
             for flag in re.findall(r"(?<![\w-])(--?[A-Za-z][\w-]*)", re.split(r"  +", line.strip(), maxsplit=1)[0])}
    # Flags that share a line there have no long names on it.
    flags |= {name for row in flag_rows() if row.works for name in row.names}
    assert {"-i", "--interface", "--duration", "-s", "--list-interfaces", "-O", "--linktype"} <= flags
    for flag in flags - {"-n", "-l", "-Z", "-q", "--quiet", "-c", "-h"}:  # those are kubectl's, or ours
        done = plugin(["dash"], "web", "--dry-run", flag, "1", env=no_kubectl)
        assert "unknown flag" not in done.stderr, (flag, done.stderr)
        if done.returncode == 0 and f"-- tarcap {flag}" not in done.stdout:
            assert flag in ("--version", "--help"), flag


def test_dry_run_asks_no_cluster(shell, no_kubectl):
    done = plugin(shell, "web", "-n", "demo", "--context=prod", "--dry-run", "-ieth0", "--count", 10, "--", "tcp port 443",
                  "and host o'neil", env=no_kubectl)
    assert (done.returncode, done.stderr) == (0, "")
    [name] = set(re.findall(r"tarcap-\d{10}-\d+", done.stdout))
    assert [line for line in done.stdout.splitlines() if line.startswith("kubectl ")] == [
        "kubectl --context=prod -n demo auth can-i create pods --subresource=exec",
        "kubectl --context=prod -n demo auth can-i patch pods --subresource=ephemeralcontainers",
        f"kubectl --context=prod -n demo debug -q web -c {name} --image=tarcap:{VERSION} --profile=baseline "
        "--custom=tarcap-profile.json -- tarcap hold",
        "kubectl --context=prod -n demo wait --timeout=60s "
        f"""'--for=jsonpath={{.status.ephemeralContainerStatuses[?(@.name=="{name}")].state.running}}' pod/web""",
        f"kubectl --context=prod -n demo exec -i web -c {name} -- tarcap -i eth0 -c 10 -- 'tcp port 443' "
        r"'and host o'\''neil' > web.tar",
    ]


def test_dry_run_of_a_selector_and_a_node(shell, no_kubectl):
    done = plugin(shell, "-l", "app in (a,b)", "--dry-run", "-o", "out/", env=no_kubectl)
    assert done.returncode == 0
    assert "kubectl get pods -l 'app in (a,b)' -o name\n" in done.stdout and " > out/POD.tar\n" in done.stdout
    # A directory that is not there is made, as without --dry-run; and nobody else may read what comes.
    assert "\numask 077\nmkdir -p out/\n" in done.stdout
    done = plugin(shell, "web", "--dry-run", "-o", "new/", env=no_kubectl)
    assert "\numask 077\nmkdir -p new/\n" in done.stdout and " > new/web.tar\n" in done.stdout
    done = plugin(shell, "--node", "n1", "--dry-run", "--ttl", "10m", env=no_kubectl)
    assert done.returncode == 0
    [pod] = yaml.safe_load_all(re.search(r"<<'END'\n(.*?)\nEND\n", done.stdout, re.S).group(1))
    assert pod["spec"]["hostNetwork"] is True and pod["spec"]["nodeName"] == "n1"
    assert pod["spec"]["automountServiceAccountToken"] is False and pod["spec"]["activeDeadlineSeconds"] > 3600
    assert not {"hostPID", "hostIPC", "volumes"} & set(pod["spec"])
    [container] = pod["spec"]["containers"]
    assert container["securityContext"] == LEAST
    assert container["command"] == ["tarcap", "hold", "--ttl", "10m"]
    assert "-- tarcap --exclude-stream on > n1.tar" in done.stdout
    assert f"kubectl delete pod {pod['metadata']['name']}" in done.stdout


def test_dry_run_of_a_live_view(shell, tmp_path):
    env = {"PATH": str(links(tmp_path / "bin", "sed", "awk", "date", "cat")), "DISPLAY": ":0"}
    shell = [shutil.which(shell[0]), *shell[1:]]
    for words in (["web"], ["--node", "n1"]):
        done = plugin(shell, *words, "--live", "-i", "eth0", "--dry-run", "--", "port 53", env=env)
        assert (done.returncode, done.stderr) == (0, "")
        excluded = " --exclude-stream on" if words != ["web"] else ""
        assert f" -- tarcap --raw -i eth0{excluded} -- 'port 53' | wireshark -k -i -\n" in done.stdout
        assert "whole?" not in done.stdout
    script(tmp_path / "bin/tshark", "exit 1")
    done = plugin(shell, "web", "--live", "--dry-run", env=env)
    assert " -- tarcap --raw | tshark -l -r -\n" in done.stdout
    # With Wireshark, too, where it could show no window.
    script(tmp_path / "bin/wireshark", "exit 1")
    for name, program in (("DISPLAY", "wireshark -k -i"), ("WAYLAND_DISPLAY", "wireshark -k -i"), ("TERM", "tshark -l -r")):
        done = plugin(shell, "web", "--live", "--dry-run", env={"PATH": env["PATH"], name: "x"})
        assert f" -- tarcap --raw | {program} -\n" in done.stdout, name


def test_dry_run_says_how_to_check(tmp_path):
    """With what is here: tarcap if it is, else tar."""
    env = {"PATH": str(links(tmp_path / "bin", "dash", "sed", "awk", "date", "cat", "tar"))}
    done = plugin([shutil.which("dash")], "web", "--dry-run", "-o", "my file", env=env)
    assert done.stdout.endswith("\ntar tf 'my file' | tail -n 1\n") and "join" not in done.stdout
    (tmp_path / "bin/tarcap").symlink_to(TARCAP)
    done = plugin([shutil.which("dash")], "web", "--dry-run", "-o", "my file", env=env)
    assert done.stdout.endswith("\n# whole?\ntarcap join --check 'my file'\n") and "tar tf" not in done.stdout


def test_no_viewer(shell, no_kubectl, tmp_path):
    """Said before a cluster is asked."""
    path = links(tmp_path / "bin", *UTILITIES)
    shell = [shutil.which(shell[0]), *shell[1:]]
    done = plugin(shell, "web", "--wireshark", env={**no_kubectl, "PATH": str(path)})
    assert done.returncode == 1
    assert done.stderr == "kubectl tarcap: --wireshark: neither wireshark nor tshark is installed here, or in PATH\n"
    script(path / "wireshark", "exit 1")
    env = {name: value for name, value in no_kubectl.items() if not name.endswith("DISPLAY")}
    done = plugin(shell, "web", "--wireshark", env={**env, "PATH": str(path)})
    assert done.returncode == 1
    assert done.stderr == "kubectl tarcap: --wireshark: wireshark has no display here (DISPLAY and WAYLAND_DISPLAY are " \
                          "not set), and tshark is not installed\n"


@pytest.mark.parametrize("words", [["web"], ["-l", "app=web"], ["--node", "n1"]], ids=["pod", "selector", "node"])
def test_kubectl_that_cannot_ask(shell, no_kubectl, tmp_path, words):
    done = plugin(shell, *words, env=no_kubectl, cwd=tmp_path)
    assert done.returncode == 1
    assert "CALLED" in done.stderr and "cannot ask the cluster" in done.stderr
    assert not list(tmp_path.glob("*.tar"))


SAYS = "kubectl tarcap: {}: asking the cluster; a {} of tarcap:" + VERSION + " is {} (where nodes cannot pull that: --image, " \
       "or TARCAP_IMAGE)\n"


@pytest.mark.parametrize("words, what, added, where", [
    (["web", "api"], "web api", "container", "added where no hold runs"),
    (["web", "-n", "shop"], "web in namespace shop", "container", "added where no hold runs"),
    (["-l", "app=web"], "pods that match 'app=web'", "container", "added where no hold runs"),
    (["--node", "n1"], "node n1", "pod", "made there"),
], ids=["pods", "namespace", "selector", "node"])
def test_something_is_said_before_the_cluster_answers(shell, tmp_path, words, what, added, where):
    """A kubectl takes seconds: of which pods, with which image. And a Ctrl-C then is answered, too."""
    path = script(tmp_path / "bin/kubectl", "exec sleep 60")
    env = {**os.environ, "PATH": f"{path.parent}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    process = start_process([*shell, str(PLUGIN), *words], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                            env=env, cwd=tmp_path)
    assert process.stderr.readline() == SAYS.format(what, added, where)
    time.sleep(0.2)  # into the question to the cluster
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(5) == 130
    assert process.stderr.read() == "kubectl tarcap: stopped: nothing was added to the cluster, and no file written\n"
    assert not list(tmp_path.glob("tarcap.*"))


def many_pods(count):
    """What kubectl answers to the question for this many pods."""
    return "".join(f"N web-{n}\\nP Running \\nH n\\nC \\n" for n in range(1, count + 1))


def test_who_waits_for_a_turn_is_said(shell, tmp_path):
    """50 pods at a time; the others before Ctrl-C, and with it."""
    path = script(tmp_path / "bin/kubectl", f"case \" $* \" in *' get pods '*) printf '{many_pods(60)}';; "
                                            "*' auth '*) echo yes;; *) exec sleep 60;; esac")
    env = {**os.environ, "PATH": f"{path.parent}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    with (tmp_path / "stderr").open("w") as stderr:
        process = start_process([*shell, str(PLUGIN), "-l", "app=web"], stdin=subprocess.DEVNULL, stderr=stderr, env=env,
                                cwd=tmp_path)
    waiting = " ".join(f"web-{n}" for n in range(51, 61))

    def said():
        return (tmp_path / "stderr").read_text()
    wait_until(lambda: f"50 pods at a time (--parallel 50), 10 waiting for one to end: {waiting}\n" in said(), 20,
               "who waits")
    os.killpg(process.pid, signal.SIGINT)
    wait_until(lambda: f"kubectl tarcap: not started: {waiting}\n" in said(), 5, "who was not started")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 130, said()
    assert "illed" not in said()


def test_seconds_are_the_clocks(shell, tmp_path):
    """A sleep that takes long, as on a busy machine: neither the waiting nor the seconds shown may be loops."""
    sleep = shutil.which("sleep")
    path = script(tmp_path / "bin/kubectl", "case \" $* \" in *' get pods '*) printf 'N web\\nP Running \\nC \\n';; "
                                            "*' auth '*) echo yes;; esac")
    script(tmp_path / "bin/sleep", f'exec "{sleep}" 3')
    env = {**os.environ, "PATH": f"{path.parent}:{os.environ['PATH']}"}
    before = time.monotonic()
    done = plugin(shell, "web", "--timeout", "14", env=env, cwd=tmp_path)
    passed = time.monotonic() - before
    assert done.returncode == 1 and "the container does not run after 14 s" in done.stderr, done.stderr
    assert 13 < passed < 14 + 3 * 3 + 2, (passed, done.stderr)
    assert re.search("^kubectl tarcap: 1[0-5] s, waiting for the container to run$", done.stderr, re.M), done.stderr


def test_no_kubectl(tmp_path):
    directory = links(tmp_path / "bin", "dash", "sed", "awk", "date", "cat")
    done = plugin([shutil.which("dash")], "web", env={"PATH": str(directory)})
    assert done.returncode == 1
    assert "kubectl is not installed" in done.stderr


# --- with a real kubectl, up to exec ------------------------------------------------------------------------------

@pytest.fixture
def api(tmp_path, real_kubectl):
    """An environment in which kubectl asks tests/k8s/api.py."""
    server = kube_api.start()
    (tmp_path / "kubeconfig").write_text(kube_api.kubeconfig(server))
    path = f"{os.path.dirname(real_kubectl)}:{os.environ['PATH']}"
    yield {**os.environ, "PATH": path, "KUBECONFIG": str(tmp_path / "kubeconfig"), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    server.closing = True
    server.shutdown()
    server.server_close()
    assert not list(tmp_path.glob("tarcap.*"))


EXEC = r'.*/namespaces/default/pods/{}/exec\?command=tarcap&command=-c&command=1&container={}&stderr=true&stdin=true&.*'
ROLES = {"pod": "k8s/rbac.yaml has the role to ask for, tarcap-capture",
         "node": "k8s/rbac-node.yaml has the role to ask for, tarcap-node"}


@pytest.mark.parametrize("words, says", [
    (["web"], "kubectl tarcap: web: " + EXEC.format("web", r"tarcap-\d+-\d+")),
    (["web-2", "--image", "tarcap:1"], "kubectl tarcap: web-2: " + EXEC.format("web-2", "old")),
    (["web", "web-2", "nosuch", "--image", "tarcap:1"], 'nosuch  failed     0B  pods "nosuch" not found'),
    (["-l", "app=web", "--image", "tarcap:1"], "web-2  failed     0B  " + EXEC.format("web-2", "old")),
    (["nosuch"], 'kubectl tarcap: pods "nosuch" not found'),
    (["web", "-n", "nosuchns"], 'kubectl tarcap: namespaces "nosuchns" not found'),
    (["web", "--image", "none:1"], r"kubectl tarcap: web: the node cannot get the image none:1 \(ErrImagePull\): --image or TARCAP_IMAGE "
                                   r"names one that it can. The node says: pull access denied \| twice"),
    (["web", "--image", "never:1", "--timeout", "15"],
     r"kubectl tarcap: web: the container does not run after 15 s \(ContainerCreating\); --timeout waits longer"),
    (["web", "--image", "denied:1"], "kubectl tarcap: web: no tarcap hold runs there, and you may not patch "
                                     f"pods/ephemeralcontainers; {ROLES['pod']}"),
    (["--node", "n1"], f"kubectl tarcap: you may not create pods; {ROLES['node']}"),
], ids=["adds", "uses", "names", "selector", "no pod", "no namespace", "no image", "never runs", "denied", "node"])
def test_a_real_kubectl_understands(api, tmp_path, words, says):
    before = time.monotonic()
    done = plugin(["dash"], *words, "--count", 1, env=api, cwd=tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(says, done.stderr.splitlines()[-1]), done.stderr
    assert time.monotonic() - before < 30 * patience() and not list(tmp_path.glob("*.tar"))
