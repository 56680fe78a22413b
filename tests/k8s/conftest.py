"""What the tests of the plugin stand on: a shell, and a cluster that stands in for one."""

import os

import pytest

from plugin import SHELLS, Cluster, script
from process import sh


@pytest.fixture(params=SHELLS, ids=lambda words: words[0])
def shell(request):
    return request.param


@pytest.fixture
def no_kubectl(tmp_path):
    """A PATH in which kubectl says that it was called, and fails: what needs no cluster must not ask one."""
    path = script(tmp_path / "bin/kubectl", "echo CALLED >&2\nexit 1")
    return {**os.environ, "PATH": f"{path.parent}:{os.environ['PATH']}"}


@pytest.fixture(scope="session")
def real_kubectl():
    found = sh("tests/k8s/real-kubectl", check=False, timeout=300)
    if found.returncode == 3:
        pytest.skip("no kubectl in PATH, and the package archive can't be reached")
    return found.stdout.strip()


@pytest.fixture(scope="module")
def cluster(image, web_image, tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def web(cluster):
    """A namespace that the tests share; its pod gets one container, which they use again."""
    return cluster.make()
