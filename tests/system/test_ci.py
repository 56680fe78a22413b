"""src/doc/ci.md and the actions that it shows: recorded while tests run, kept when they fail, discarded when they pass."""

import os
import re
import subprocess

import pytest
import yaml

from archive import Archive
from engine import containers, docker, engine, image, web_image  # noqa: F401 (fixtures)
from process import OWN, TOP, VERSION
from summary import fact

PAGE = (TOP / "src/doc/ci.md").read_text()
ACTIONS = TOP / ".github/actions"


class Runner:
    """Does with an action's scripts what the service would: inputs, environment and files."""

    def __init__(self, directory):
        self.temp = directory / "temp"
        self.temp.mkdir()
        self.summary, self.output = directory / "summary.md", directory / "output"
        self.left = None  # the steps of the last action that are no scripts

    def use(self, action, check=True, **given):
        told = yaml.safe_load((ACTIONS / action / "action.yml").read_text())
        inputs = {name: str(more.get("default", "")) for name, more in told["inputs"].items()}
        assert set(given) <= set(inputs)
        inputs.update(given)
        self.left = []
        for step in told["runs"]["steps"]:
            if "run" not in step:
                self.left.append(step)
                continue
            values = {name: re.sub(r"^\$\{\{ inputs\.(\w+) \}\}$", lambda found: inputs[found[1]], value)
                      for name, value in step["env"].items()}
            done = subprocess.run([step["shell"], "-c", step["run"]], capture_output=True, text=True, timeout=120, env={
                **os.environ, **values, "GITHUB_ACTION_PATH": str(ACTIONS / action), "RUNNER_TEMP": str(self.temp),
                "GITHUB_STEP_SUMMARY": str(self.summary), "GITHUB_OUTPUT": str(self.output)}, stdin=subprocess.DEVNULL)
            assert not check or done.returncode == 0, done.stderr
        return done

    def recorders(self):
        listed = self.temp / "tarcap-recorders"
        return [line.split() for line in listed.read_text().splitlines()] if listed.exists() else []


@pytest.fixture
def runner(containers, tmp_path):  # noqa: F811
    made = Runner(tmp_path)
    yield made
    for recorder, _ in made.recorders():
        docker("rm", "-f", recorder, check=False)


def kept(runner):
    return sorted(path.name for path in (runner.temp / "tarcap").iterdir()) if (runner.temp / "tarcap").exists() else []


def test_a_failed_job_keeps_what_each_service_said_and_a_page_of_it(runner, containers):  # noqa: F811
    services = [containers.web() for _ in range(2)]
    said = runner.use("record", containers=" ".join(name for name, _ in services), options="--first 1K tcp port 80",
                      image="tarcap:latest", size="4M").stdout
    assert [f"of {name}" in said for name, _ in services] == [True, True]
    recorders = runner.recorders()
    containers.names += [recorder for recorder, _ in recorders]
    for requests, (_, address) in enumerate(services, 2):
        containers.get(address, requests)
    runner.use("snapshot", status="failure", image="tarcap:latest")
    names = [name for name, _ in services]
    assert kept(runner) == sorted(f"{name}.{end}" for name in names for end in ("tar", "txt"))
    for name in names:
        archive = Archive((runner.temp / f"tarcap/{name}.tar").read_bytes()).check()
        assert archive.names[0] == f"{name}/capture.json" and archive.capture["filter"] == "tcp port 80"
        assert archive.capture["reason"] == "job failure" and archive.records
        text = (runner.temp / f"tarcap/{name}.txt").read_text()
        assert fact(text, "complete") == "yes (matches the manifest)" and fact(text, "window")
        assert f"### What passed {name} before the end\n\n    " in runner.summary.read_text()
    assert "files=2" in runner.output.read_text().split()
    [upload] = runner.left
    assert upload["uses"].startswith("actions/upload-artifact@") and upload["if"] == "steps.fetch.outputs.files != '0'"
    assert gone(recorders) and runner.recorders() == []


def gone(recorders):
    running = docker("ps", "-aq", "--no-trunc").stdout.split()
    return not any(recorder in running for recorder, _ in recorders)


@pytest.mark.parametrize("status", ["success", "cancelled"])
def test_of_a_job_that_did_not_fail_nothing_is_kept(runner, containers, status):  # noqa: F811
    name, address = containers.web()
    runner.use("record", containers=name, image="tarcap:latest", size="4M")
    recorders = runner.recorders()
    containers.names += [recorder for recorder, _ in recorders]
    containers.get(address, 1)
    runner.use("snapshot", status=status, image="tarcap:latest")
    assert kept(runner) == [] and not runner.summary.exists() and "files=0" in runner.output.read_text().split()
    assert gone(recorders)


def test_a_recorder_that_cannot_start_fails_its_step_and_says_why(runner, containers):  # noqa: F811
    name, _ = containers.web()
    done = runner.use("record", check=False, containers=name, image="tarcap:latest", options="tcp prot 80")
    assert done.returncode != 0 and "does not listen" in done.stderr and "tcp port 80" in done.stderr
    containers.names += [recorder for recorder, _ in runner.recorders()]
    assert runner.use("record", check=False, containers="", image="tarcap:latest").returncode != 0
    # What is left of it is cleared by the last step, which runs always; here it has nothing to fetch.
    done = runner.use("snapshot", check=False, status="failure", image="tarcap:latest")
    assert done.returncode == 1 and "could not be fetched whole" in done.stderr and runner.recorders() == []


def test_a_job_that_failed_before_the_recorder_was_started(runner):
    assert runner.use("snapshot", status="failure", image="tarcap:latest").stderr == ""
    assert "files=0" in runner.output.read_text().split()


def test_the_page_shows_the_actions_as_they_are():
    shown = yaml.safe_load(re.findall(r"```yaml\n(jobs:.*?)```", PAGE, re.S)[0])
    used = [step for step in shown["jobs"]["test"]["steps"] if "uses" in step]
    assert [step["uses"].rpartition("/")[2] for step in used] == [f"record@v{VERSION}", f"snapshot@v{VERSION}"]
    assert used[1]["if"] == "always()"
    for action, step in zip(("record", "snapshot"), used):
        told = yaml.safe_load((ACTIONS / action / "action.yml").read_text())
        assert set(step["with"]) == {name for name, more in told["inputs"].items() if more.get("required")}
        assert told["inputs"]["image"]["default"] == f"tarcap:{VERSION}"
        assert all(f"`{name}`" in PAGE or name in step["with"] for name in told["inputs"]), action
        # No expression in a script, where an input could be code.
        assert all("${{" not in step.get("run", "") for step in told["runs"]["steps"])


def test_compose_lines(containers, tmp_path):  # noqa: F811
    """The page's, with the web server of the demo in it, and tests that fail or pass, by docker-compose."""
    subprocess.run(["image/need", "docker-compose"], cwd=TOP, check=True, timeout=300)
    compose = yaml.safe_load(re.findall(r"```yaml\n(services:.*?)```", PAGE, re.S)[0])
    compose["services"]["web"]["image"] = "tarcap-web"
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump(compose))
    lines = re.findall(r"^    (.*docker compose.*)$", PAGE, re.M)
    assert len(lines) == 3
    project = f"tarcap-test-ci-{OWN}"
    tests = tmp_path / "run-tests"
    name, network = containers.name(), "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    tests.write_text(f"""#!/bin/sh
until docker-compose -p {project} logs tarcap | grep -q "listening on"; do sleep 0.2; done
web=$(docker inspect --format '{network}' "$(docker-compose -p {project} ps -q web)")
docker run --rm --name {name} --network {project}_default tarcap-web get "$web" 2 && exit "$FAILS"
""")
    tests.chmod(0o755)

    def run_page(fails):
        script = "\n".join(line.replace("docker compose", f"docker-compose -p {project}") for line in lines[:2])
        return subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, timeout=120, text=True,
                              env={**os.environ, "FAILS": fails}, stdin=subprocess.DEVNULL)
    try:
        done = run_page("0")
        assert done.returncode == 0 and not (tmp_path / "web.tar").exists(), done.stderr
        done = run_page("7")
        assert done.returncode == 1, done.stderr
        archive = Archive((tmp_path / "web.tar").read_bytes()).check()
        assert sum(record.length > 60 for record in archive.records) >= 8
    finally:
        subprocess.run(["sh", "-c", lines[2].replace("docker compose", f"docker-compose -p {project}") + " -t 1"],
                       cwd=tmp_path, capture_output=True, timeout=120)
    assert docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={project}").stdout == ""
