"""The workflows, which have not been run: what can be said of them here. And the version, which stands in one place."""

import hashlib
import os
import re
import subprocess
import tarfile

import pytest

from process import TOP

yaml = pytest.importorskip("yaml", reason="needs python3-yaml")
FILES = sorted((TOP / ".github/workflows").iterdir())
VERSION = re.search(r'VERSION_TEXT "(.*)"', (TOP / "src/base/version.h").read_text())[1]
WHERE = "https://git.example/owner/tarcap"
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
    assert release["jobs"]["publish"]["permissions"] == {"contents": "write", "packages": "write", "id-token": "write", "attestations": "write"}
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
    targets = set(re.findall(r"(?:^|&& )make ([a-z/.-]+)", text, re.M))
    assert targets == ({"test", "release-files"} if file.name == "release.yml" else {"test"})
    for target in targets:
        done = subprocess.run(["make", "-n", target, f"SOURCE_URL={WHERE}"], cwd=TOP, capture_output=True)
        assert done.returncode == 0, target


# --- what a release consists of ---------------------------------------------------------------------------------

def release(url, **environment):
    return subprocess.run(["image/release", url], cwd=TOP, capture_output=True, text=True, timeout=120,
                          env={**os.environ, **environment})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What make release-files leaves, but for building the binaries and the image, which is done."""
    build = tmp_path_factory.mktemp("release")
    for name in ("amd64", "arm64", "tarcap.oci.tar"):
        (build / name).symlink_to(TOP / "build" / name)
    done = release(WHERE, BUILD=str(build))
    assert done.returncode == 0, done.stderr
    return build / "release"


def sum_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_files_of_a_release(files):
    each = [name for arch in ("amd64", "arm64") for name in (f"tarcap-{VERSION}-linux-{arch}", f"tarcap-{VERSION}-{arch}.spdx.json")]
    told = dict(reversed(line.split("  ")) for line in (files / "SHA256SUMS").read_text().splitlines())
    assert set(told) == {*each, f"tarcap-{VERSION}.oci.tar", f"kubectl-tarcap-{VERSION}.tar.gz", "tarcap.1", "tarcap.yaml"}
    assert {path.name for path in files.iterdir()} == {*told, "SHA256SUMS"}
    for name, sum_ in told.items():
        assert sum_of(files / name) == sum_, name
    for name, built in ((each[0], "amd64/tarcap"), (f"tarcap-{VERSION}.oci.tar", "tarcap.oci.tar")):
        assert sum_of(files / name) == sum_of(TOP / "build" / built)
    ran = subprocess.run([files / f"tarcap-{VERSION}-linux-amd64", "--version"], capture_output=True, text=True)
    assert ran.stdout.startswith(f"tarcap {VERSION}\n")


def test_krew_manifest_of_a_release(files):
    """What krew refuses in a manifest (its ValidatePlugin), and what it does with this one: fetch, compare, unpack, link."""
    manifest = yaml.safe_load((files / "tarcap.yaml").read_text())
    assert (manifest["apiVersion"], manifest["kind"]) == ("krew.googlecontainertools.github.com/v1alpha2", "Plugin")
    assert set(manifest) == {"apiVersion", "kind", "metadata", "spec"} and manifest["metadata"] == {"name": "tarcap"}
    spec = manifest["spec"]
    assert set(spec) == {"version", "homepage", "shortDescription", "description", "caveats", "platforms"}
    assert spec["version"] == f"v{VERSION}" and spec["homepage"] == WHERE and "\n" not in spec["shortDescription"]
    assert "example.invalid" not in str(manifest)
    [platform] = spec["platforms"]
    assert set(platform) == {"selector", "uri", "sha256", "bin", "files"}
    assert {rule["key"] for rule in platform["selector"]["matchExpressions"]} <= {"os", "arch"}
    below, _, name = platform["uri"].rpartition("/")
    assert below == f"{WHERE}/releases/download/v{VERSION}" and platform["sha256"] == sum_of(files / name)
    with tarfile.open(files / name) as tar:
        members = {member.name: member for member in tar}
        plugin = tar.extractfile("kubectl-tarcap").read()
    assert set(members) == {file["from"] for file in platform["files"]} == {"kubectl-tarcap", "LICENSE"}
    assert all(file["to"] == "." for file in platform["files"]) and platform["bin"] == "kubectl-tarcap"
    assert members["kubectl-tarcap"].mode == 0o755 and plugin == (TOP / "k8s/kubectl-tarcap").read_bytes()


@pytest.mark.parametrize("url", ["", "git.example/owner/tarcap", "https://git.example", "https://git.example/a b", "https:///x",
                                 "http://git.example/x", "https://git.example/x,s", "https://git.example/x\ny"])
def test_a_release_needs_to_know_where_it_will_be(url, tmp_path):
    done = release(url, BUILD=str(tmp_path))
    assert done.returncode == 2 and done.stderr.startswith(f"release: SOURCE_URL='{url}' must be")
    assert not list(tmp_path.iterdir())


def test_release_files_without_a_place():
    done = subprocess.run(["make", "release-files"], cwd=TOP, capture_output=True, text=True, timeout=60,
                          env={name: value for name, value in os.environ.items() if name not in ("SOURCE_URL", "MAKEFLAGS")})
    assert done.returncode == 2 and "release-files: SOURCE_URL is missing: make release-files SOURCE_URL=" in done.stderr


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
    for target in re.findall(r"^    make ([a-z-]+)|`make ([a-z-]+)`", text, re.M):
        assert re.search(rf"^(?:\.PHONY: .*\b)?{''.join(target)}:", makefile, re.M), target
