"""The release workflow, which has not been run: what can be said of it here."""

import re
import subprocess

import pytest

from tarcap import TOP

yaml = pytest.importorskip("yaml", reason="needs python3-yaml")
FILE = TOP / ".github/workflows/release.yml"
WORKFLOW = yaml.safe_load(FILE.read_text())
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]


def test_says_that_it_has_not_been_run():
    assert "THIS FILE HAS NOT BEEN RUN YET" in FILE.read_text().partition("\nname:")[0]


def test_may_do_no_more_than_it_must():
    assert WORKFLOW["permissions"] == {}
    assert WORKFLOW["jobs"]["build"]["permissions"] == {"contents": "read"}
    assert WORKFLOW["jobs"]["publish"]["permissions"] == {"contents": "write", "packages": "write", "id-token": "write"}
    assert WORKFLOW[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads the key 'on' as true
    checkouts = [step for step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts and all(step["with"]["persist-credentials"] is False for step in checkouts)
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|[0-9a-f]{40})", step["uses"]) for step in STEPS if "uses" in step)


def test_scripts_are_sound():
    """shellcheck; and no expression in a script, where a tag's name could be code."""
    scripts = [step["run"] for step in STEPS if "run" in step]
    assert len(scripts) >= 8
    for script in scripts:
        assert "${{" not in script
        done = subprocess.run(["shellcheck", "--shell=bash", "-"], input=script, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout


def test_what_it_calls_is_there():
    text = "\n".join(step["run"] for step in STEPS if "run" in step)
    for program in re.findall(r"\b(?:image|tests|k8s)/[a-z-]+\b", text):
        assert (TOP / program).exists(), program
    targets = re.findall(r"(?:^|&& )make ([a-z/.]+)", text, re.M)
    assert set(targets) == {"test", "build/tarcap.oci.tar"}
    for target in targets:
        assert subprocess.run(["make", "-n", target], cwd=TOP, capture_output=True).returncode == 0, target
