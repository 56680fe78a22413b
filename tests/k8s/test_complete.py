"""Completion of 'kubectl tarcap': the flags that the plugin takes, and what is in the cluster."""

import os
import re
import subprocess

from plugin import K8S, plugin
from stand_in_pods import NODE

PROGRAM = K8S / "kubectl_complete-tarcap"


def complete(shell, *words, env=None):
    """The candidates, and what the shell is to do."""
    done = subprocess.run([*shell, PROGRAM, *words], capture_output=True, text=True, timeout=20, env=env)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    *found, directive = done.stdout.splitlines()
    return found, directive


def flags_of(function):
    """Those of the option parser that it takes: refused ones say usage at once."""
    text = re.search(rf"^{function}\(\) .*?^}}", (K8S / "plugin/options.sh").read_text(), re.M | re.S)[0].replace("\\\n", "")
    rows = re.findall(r"^\t((?:-[\w-]+ *\| *)*-[\w-]+)\s*\)(\s*usage)?", re.sub(r"\|\s+", "| ", text), re.M)
    return {flag for names, refused in rows if not refused for flag in re.findall(r"-[\w-]+", names)}


def test_flags_are_those_that_the_plugin_takes(shell):
    found, directive = complete(shell, "-")
    assert len(found) == len(set(found)) and directive == ":4"
    assert set(found) == flags_of("take_flag") | flags_of("take_switch") - {"-U", "-K", "--no-promiscuous-mode"}


def test_flags_with_a_value_are_those_of_the_plugin(shell):
    switches = flags_of("take_switch")
    for flag in complete(shell, "-")[0]:
        again = "--force" in complete(shell, flag, "--fo")[0]
        assert again == (flag in switches), flag


def test_what_is_in_the_cluster(shell, cluster, web):
    def names(*words):
        found, directive = complete(shell, *words, env=cluster.env)
        assert directive == ":4"
        return found
    assert web in names("-n", "") and names("-n", web[:-1] + "x") == []
    assert names("-n", web, "") == names("--namespace=" + web, "w") == ["web"]
    assert names("-n", web, "-l", "") == ["app=web"]
    assert names("--node", "") == [NODE]
    assert names("-n", web, "web", "--until", "re") == ["reset"]
    assert names("-n", web, "web", "--", "not", "po") == ["port", "portrange"]
    made = plugin(shell, "web", "-n", web, "-c", "mine", "--duration", "1s", "-o", "/dev/null", env=cluster.env)
    assert made.returncode == 0, made.stderr
    assert names("-n", web, "web", "-c", "m") == ["mine"]


def test_files_and_no_cluster(shell, no_kubectl):
    assert complete(shell, "web", "-o", "x") == ([], ":0")
    assert complete(shell, "w", env=no_kubectl) == ([], ":4")
    assert complete(shell, "--compress", "", env={**os.environ, "PATH": "/usr/bin:/bin"}) == (["none", "zstd"], ":4")
