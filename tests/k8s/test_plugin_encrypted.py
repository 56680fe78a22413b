"""What the plugin makes of archives that only a key opens: their names, their end, whom they are for."""

import re

import pytest

from plugin import POD, STAND_IN, plugin, script, whole
from process import VERSION, sh, wait_until


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Two keys, (file, recipient) each."""
    made = []
    for name in ("one", "two"):
        path = tmp_path_factory.mktemp("keys") / name
        sh("age-keygen", "-o", path)
        made.append((path, sh("age-keygen", "-y", path).stdout.strip()))
    return made


def opened(path, key):
    """The archive inside, read strictly."""
    tar = path.with_suffix(".opened")
    sh("age", "-d", "-i", key, "-o", tar, path)
    return whole(tar)


def test_encrypted_to_one_recipient(shell, cluster, web, keys, tmp_path):
    key, recipient = keys[0]
    done = plugin(shell, "web", "-n", web, "--to", recipient, "--count", 3, env=cluster.env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.glob("*.tar*")] == ["web.tar.age"]
    assert len(opened(tmp_path / "web.tar.age", key).records) == 3
    first, second = done.stderr.splitlines()[-2:]
    assert re.match(r"kubectl tarcap: web.tar.age: [\d.]+K, encrypted; tarcap says that it sent all of it, 3 packets in "
                    r"\d+ files?, \d+ bytes$", first), first
    assert second == "kubectl tarcap: with the key: age -d -i key.txt web.tar.age | tarcap join --check"
    done = plugin(shell, "web", "-n", web, "--to", recipient, env=cluster.env, cwd=tmp_path)
    assert done.returncode == 1 and "web.tar.age is there already" in done.stderr


def test_a_file_of_recipients_is_read_here(shell, cluster, web, keys, tmp_path):
    (tmp_path / "team").write_text(f"# who is on call\n\n  {keys[0][1]}\t\r\n{keys[1][1]}")
    done = plugin(shell, "web", "-n", web, "--to", "team", "--count", 1, "-q", env=cluster.env, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for key, _ in keys:
        opened(tmp_path / "web.tar.age", key)


@pytest.fixture(scope="module")
def compulsory(cluster, keys):
    """A namespace with a pod whose recorder has TARCAP_TO."""
    sidecar = {"name": "recorder", "image": f"tarcap:{VERSION}", "restartPolicy": "Always",
               "command": ["tarcap", "hold", "--record", "4M", "--ttl", "0"],
               "env": [{"name": "TARCAP_TO", "value": keys[0][1]}]}
    namespace = cluster.make(spec={**POD["spec"], "initContainers": [sidecar]})
    wait_until(lambda: "listening on" in cluster.kubectl("-n", namespace, "logs", "web", "-c", "recorder").stdout, 20,
               "a recorder")
    return namespace


@pytest.mark.parametrize("words", [["--count", 1], ["--snapshot"], ["--record", "4M", "--until", "tcp", "--after", "0"]],
                         ids=["capture", "snapshot", "record"])
def test_what_the_container_encrypts_by_itself_is_named_so(cluster, compulsory, keys, tmp_path, words):
    """TARCAP_TO is the container's: here it is known by what comes, and the name is put right."""
    where = ["-c", "recorder"] if "--snapshot" not in words else []
    done = plugin(["dash"], "web", "-n", compulsory, *words, *where, env=cluster.env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.glob("*.tar*")] == ["web.tar.age"], done.stderr
    assert (tmp_path / "web.tar.age").stat().st_mode & 0o777 == 0o600
    opened(tmp_path / "web.tar.age", keys[0][0])
    assert "web.tar.age: " in done.stderr and "encrypted" in done.stderr and "is whole" not in done.stderr
    if words != ["--count", 1]:
        return
    # A name of the user's stays; what is there stays, too.
    before = (tmp_path / "web.tar.age").read_bytes()
    done = plugin(["dash"], "web", "-n", compulsory, *words, *where, "-o", "mine", env=cluster.env, cwd=tmp_path)
    assert done.returncode == 0 and "mine: " in done.stderr and (tmp_path / "mine").exists()
    done = plugin(["busybox", "sh"], "web", "-n", compulsory, *words, *where, env=cluster.env, cwd=tmp_path)
    assert done.returncode == 0 and "web.tar: " in done.stderr and "web.tar.age is there already" in done.stderr
    assert (tmp_path / "web.tar.age").read_bytes() == before


def test_several_and_the_word_for_it(cluster, compulsory, keys, tmp_path):
    done = plugin(["dash"], "--snapshot", "-l", "app=web", "-n", compulsory, "--to", keys[1][1], "-o", "out", env=cluster.env,
                  cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^web +encrypted +[\d.]+K +out/web.tar.age$", done.stderr, re.M), done.stderr
    for key, _ in keys:
        opened(tmp_path / "out/web.tar.age", key)


def test_without_the_last_word_it_is_called_cut(cluster, web, keys, tmp_path):
    """Nobody here can see whether bytes are missing: tarcap's last line, only said when all was sent, is what there is."""
    path = script(tmp_path / "bin/kubectl",
                  f'case " $* " in *" exec "*) "{STAND_IN}/kubectl" "$@" 2>/dev/null; exit 0;; esac\n'
                  f'exec "{STAND_IN}/kubectl" "$@"')
    env = {**cluster.env, "PATH": f"{path.parent}:{cluster.env['PATH']}"}
    done = plugin(["dash"], "web", "-n", web, "--to", keys[0][1], "--duration", "1s", env=env, cwd=tmp_path)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and "web.tar.age is cut: " in last and "at the end did not come" in last, done.stderr


def test_no_live_view_of_what_is_encrypted(cluster, compulsory, keys, tmp_path):
    path = script(tmp_path / "viewers/wireshark", "touch ${0%/*}/started")
    env = {**cluster.env, "PATH": f"{path.parent}:{cluster.env['PATH']}"}
    done = plugin(["dash"], "web", "-n", compulsory, "-c", "recorder", "--live", env=env, cwd=tmp_path)
    assert done.returncode == 1 and "is encrypted, and a viewer has no key" in done.stderr, done.stderr
    assert not (path.parent / "started").exists()
    done = plugin(["dash"], "web", "--live", "--to", keys[0][1], env=env)
    assert done.returncode == 2 and "--live: cannot be combined with --to" in done.stderr


@pytest.mark.parametrize("word, says", [
    ("", "--to '': needs an argument"),
    ("nosuchfile", "--to 'nosuchfile': no recipient, which is age1..., and no FILE of them that can be read"),
    ("age1xyz", "--to 'age1xyz': a recipient has 62 letters, this has 7"),
    ("age1" + "b" * 58, "no recipient that 'age-keygen' prints"),
    ("AGE-SECRET-KEY-1QQQ", "a secret key is no recipient"),
    ("ssh-ed25519 AAAA", "SSH keys are not taken"),
    ("empty", "--to empty: names nobody"),
    ("mixed", "--to mixed, line 2: SSH keys are not taken"),
])
def test_what_is_no_recipient(shell, no_kubectl, tmp_path, word, says):
    (tmp_path / "empty").write_text("# nobody\n\n")
    (tmp_path / "mixed").write_text("#\nssh-rsa AAAA me@here\n")
    done = plugin(shell, "web", "--to", word, env=no_kubectl, cwd=tmp_path)
    assert done.returncode == 2 and says in done.stderr.splitlines()[0], done.stderr
    assert "SECRET-KEY-1" not in done.stderr


def test_dry_run_names_recipients_and_file(no_kubectl, keys, tmp_path):
    (tmp_path / "team").write_text(f"{keys[0][1]}\n{keys[1][1]}\n")
    done = plugin(["dash"], "web", "--to=team", "--dry-run", env=no_kubectl, cwd=tmp_path)
    assert f"-- tarcap --to {keys[0][1]} --to {keys[1][1]} > web.tar.age\n" in done.stdout
    assert "age -d -i key.txt web.tar.age | tarcap join --check" in done.stdout and "tar tf" not in done.stdout
