"""The Kubernetes suite over the stand-in, and what the stand-in refuses."""

import os
import re

import pytest

from engine import docker
from plugin import K8S
from process import sh


def test_suite_over_the_stand_in(image, web_image):
    before = docker("ps", "-aq").stdout.split()
    done = sh("tests/k8s/run", "--stand-in", check=False, timeout=400,
              env={**os.environ, "STAND_IN_IMAGES_MADE": "yes", "PLUGIN_SHELL": "busybox sh", "K8S_PARALLEL": "6"})
    print(done.stdout[-6000:])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed, failed, skipped = map(int, re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped",
                                                    done.stdout.splitlines()[-1]).groups())
    assert failed == 0
    # What only a cluster has, by name: one more that is skipped would otherwise go unnoticed.
    assert sorted(re.findall(r"^skipped: (\w+)", done.stdout, re.M)) == [
        "admission_policy_lets_only_this_pass", "examples_are_accepted_by_the_server", "exec_client_killed_without_i",
        "plugin_listens_soon", "pod_security_baseline", "pod_security_restricted", "rbac_for_nodes_is_enough",
        "rbac_is_enough_and_no_more"]
    assert skipped == 8 and passed >= 43
    assert set(docker("ps", "-aq").stdout.split()) <= set(before)


@pytest.mark.parametrize("words, status", [
    (["get", "secrets"], 99), (["debug", "node/n", "-q", "-c", "x", "--image=y"], 99), (["top", "pods"], 99),
    (["apply", "-f", K8S / "rbac.yaml"], 99), (["get", "pods", "--as=somebody"], 99), (["debug", "web"], 99),
    (["apply", "--dry-run=server", "-f", K8S / "sidecar.yaml"], 99), (["get", "pod", "none"], 1),
])
def test_stand_in_refuses_what_it_cannot_do(cluster, words, status):
    done = cluster.kubectl(*words, check=False)
    assert done.returncode == status
    assert done.stdout == ""
    assert ("stand-in: " in done.stderr) == (status == 99)
