"""The workflows, which have not been run: what can be said of them here. And the version, which stands in one place."""

import re
import subprocess

import pytest

from process import TOP

yaml = pytest.importorskip("yaml", reason="needs python3-yaml")
FILES = sorted((TOP / ".github/workflows").iterdir())
VERSION = re.search(r'VERSION_TEXT "(.*)"', (TOP / "src/base/version.h").read_text())[1]
every = pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)


def workflow(name):
    return yaml.safe_load((TOP / ".github/workflows" / name).read_text())


def steps(file):
    return [step for job in workflow(file.name)["jobs"].values() for step in job["steps"]]


def scripts(file):
    return [step["run"] for step in steps(file) if "run" in step]


def test_these_are_the_workflows():
    """A new one needs a row in the tests below."""
    assert [file.name for file in FILES] == ["release.yml", "test.yml"]


@every
def test_says_that_it_has_not_been_run(file):
    assert "THIS FILE HAS NOT BEEN RUN YET" in file.read_text().partition("\nname:")[0]


@every
def test_actions_are_pinned_and_keep_no_credentials(file):
    assert workflow(file.name)["permissions"] == {}
    checkouts = [step for step in steps(file) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts and all(step["with"]["persist-credentials"] is False for step in checkouts)
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|[0-9a-f]{40})", step["uses"])
               for step in steps(file) if "uses" in step)


def test_a_release_may_do_no_more_than_it_must():
    release = workflow("release.yml")
    assert release["jobs"]["build"]["permissions"] == {"contents": "read"}
    assert release["jobs"]["publish"]["permissions"] == {"contents": "write", "packages": "write", "id-token": "write"}
    assert release[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads the key 'on' as true


def test_a_pull_request_may_only_read():
    """It runs what strangers wrote: no secret, no right to write, and not the event that has both."""
    test = workflow("test.yml")
    assert test[True] == {"pull_request": None, "push": {"branches": ["main"]}}
    assert [job["permissions"] for job in test["jobs"].values()] == [{"contents": "read"}]
    assert "secrets." not in (TOP / ".github/workflows/test.yml").read_text()


def test_a_pull_request_is_tested_as_a_release_is():
    """In the same container on the same machine; and with CI set, where a skipped test is a failed run."""
    [tested], built = workflow("test.yml")["jobs"].values(), workflow("release.yml")["jobs"]["build"]
    for key in ("runs-on", "container", "timeout-minutes", "defaults"):
        assert tested[key] == built[key], key
    assert tested["env"]["CI"] == built["env"]["CI"] == "true"
    for job in (tested, built):
        assert any("make test </dev/null" in step.get("run", "") for step in job["steps"])


@every
def test_scripts_are_sound(file):
    """shellcheck; and no expression in a script, where a tag's name could be code."""
    assert len(scripts(file)) >= 2
    for script in scripts(file):
        assert "${{" not in script
        done = subprocess.run(["shellcheck", "--shell=bash", "-"], input=script, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout


@every
def test_what_it_calls_is_there(file):
    text = "\n".join(scripts(file))
    for program in re.findall(r"\b(?:image|tests|k8s)/[a-z-]+\b", text):
        assert (TOP / program).exists(), program
    targets = set(re.findall(r"(?:^|&& )make ([a-z/.]+)", text, re.M))
    assert targets == ({"test", "build/tarcap.oci.tar"} if file.name == "release.yml" else {"test"})
    for target in targets:
        assert subprocess.run(["make", "-n", target], cwd=TOP, capture_output=True).returncode == 0, target


# --- the version ------------------------------------------------------------------------------------------------

def tracked():
    """Every text that git has, but for the fuzzers' inputs and what this file says of versions itself."""
    listed = subprocess.run(["git", "-c", f"safe.directory={TOP}", "ls-files", "-z"], cwd=TOP, capture_output=True)
    if listed.returncode:
        pytest.skip("no git repository")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (TOP / name).is_file() and not name.startswith("tests/fuzz/corpus/"):
            yield name, (TOP / name).read_text(errors="replace")


def test_every_image_that_is_named_has_the_version():
    """src/base/version.h is the one place; whatever names tarcap's image or its own version has the same."""
    named = re.compile(r"\btarcap[:-]v?(\d+\.\d+\.\d+)\b|^ARG VERSION=(\S+)|\bversion[:=] ?v?(\d+\.\d+\.\d+)\b", re.M)
    found = {(name, version) for name, text in tracked() if not name.endswith(".lock")
             for match in named.findall(text) for version in match if version}
    assert {version for _, version in found} == {VERSION}, sorted(found)
    assert {"Containerfile", "k8s/sidecar.yaml", "k8s/krew.yaml", "k8s/kubectl-tarcap"} <= {name for name, _ in found}


def test_image_version_prints_it():
    done = subprocess.run([TOP / "image/version"], capture_output=True, text=True)
    assert done.stdout == f"{VERSION}\n" and re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


def test_changelog_has_the_version_and_what_is_next():
    headings = re.findall(r"^## (\S+)$", (TOP / ".github/CHANGELOG.md").read_text(), re.M)
    assert headings[:2] == ["Next", VERSION]


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "CHANGELOG.md"])
def test_what_contributors_are_told_exists(name):
    """Links, paths and targets."""
    path = TOP / ".github" / name
    text = path.read_text()
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (path.parent / link).exists(), link
    for file in re.findall(r"`((?:src|tests|image)/[\w./-]+\w|\.clang-\w+|Containerfile)`", text):
        assert (TOP / file).exists(), file
    makefile = "\n".join(path.read_text() for path in (TOP / "Makefile", *sorted((TOP / "tests").rglob("*.mk"))))
    for target in re.findall(r"^    make ([a-z]+)|`make ([a-z]+)`", text, re.M):
        assert re.search(rf"^(?:\.PHONY: .*\b)?{''.join(target)}:", makefile, re.M), target
