"""What the plugin may do in the cluster, and what its container may: asked for, refused, said."""

import pytest

from plugin import BASELINE, K8S, LEAST, NO_NEW_PRIVS, POD, ROOT, STAND_IN, plugin, script, whole


@pytest.mark.parametrize("deny, says", [
    ("create pods/exec", "you may not create pods/exec"),
    ("get pods", "you may not get pods"),
])
def test_permissions_are_asked_for_first(cluster, web, tmp_path, deny, says):
    before = len(cluster.containers(web))
    done = plugin(["dash"], "web", "-n", web, env={**cluster.env, "STAND_IN_DENY": deny}, cwd=tmp_path)
    assert done.returncode == 1
    first, line = done.stderr.splitlines()
    assert says in line and line.endswith("k8s/rbac.yaml has the role to ask for, tarcap-capture")
    assert len(cluster.containers(web)) == before


@pytest.mark.parametrize("deny", ["create pods/exec", "create pods", "delete pods"])
def test_permissions_for_a_node_are_asked_for_first(cluster, web, tmp_path, deny):
    """And it is another role that has them."""
    env = {**cluster.env, "STAND_IN_DENY": deny, "STAND_IN_LOG": str(tmp_path / "log")}
    done = plugin(["dash"], "--node", "stand-in", "-n", web, env=env, cwd=tmp_path)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line == f"kubectl tarcap: you may not {deny} in namespace {web}; k8s/rbac-node.yaml has the role to ask for, " \
                   "tarcap-node"
    log = (tmp_path / "log").read_text()
    assert '"create", "--dry-run=server"' in log and '"create", "--validate' not in log


def test_who_may_only_exec_uses_a_hold_that_is_there(cluster, web, tmp_path):
    env = {**cluster.env, "STAND_IN_DENY": "patch pods/ephemeralcontainers"}
    fresh = cluster.make()
    done = plugin(["dash"], "web", "-n", fresh, env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert "no tarcap hold runs there, and you may not patch pods/ephemeralcontainers" in done.stderr
    plugin(["dash"], "web", "-n", fresh, "--duration", "300ms", env=cluster.env, cwd=tmp_path, check=True)
    done = plugin(["dash"], "web", "-n", fresh, "--duration", "300ms", "--force", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("old, refuse, words, security, says", [
    ("", "", [], LEAST, "asked for by uid 65532:"),
    ("", "NET_RAW", [], BASELINE, "Pod Security refuses to add NET_RAW"),
    ("", "allowPrivilegeEscalation", [], {**LEAST, **NO_NEW_PRIVS, **ROOT}, "trying with that, as root"),
    ("", "NET_RAW,allowPrivilegeEscalation", [], {**BASELINE, **NO_NEW_PRIVS, **ROOT}, "asked for by uid 0:"),
    ("custom", "", [], None, "knows no --custom"),
    ("profile", "", [], None, "knows no --custom"),
    ("", "", ["--profile", "netadmin"], {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}}, "by uid 65532:"),
    ("", "", ["--custom", K8S / "debug-profile-ceilings.yaml"], LEAST, "ends after 5m or 1G"),
], ids=["least", "pod-security", "no-new-privs", "both", "no-custom", "no-profile", "netadmin", "ceilings"])
def test_privileges_of_the_container(cluster, tmp_path, old, refuse, words, security, says):
    namespace = cluster.make()
    env = {**cluster.env, "STAND_IN_OLD": old, "STAND_IN_REFUSE": refuse}
    done = plugin(["dash"], "web", "-n", namespace, "--max-bytes", "1G", "-c", "tarcap-x", *words, "--count", "1",
                  env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert says in done.stderr
    [added] = cluster.containers(namespace)
    assert added["name"] == "tarcap-x" and added["command"] == ["tarcap", "hold"]
    assert added.get("securityContext") == security


@pytest.mark.parametrize("words", [[], ["--live"]], ids=["file", "live"])
def test_advice_is_not_what_was_refused(cluster, tmp_path, words):
    """Pod Security refuses to add NET_RAW, and the runtime does not give it: no container there can capture."""
    env = {**cluster.env, "STAND_IN_REFUSE": "NET_RAW", "STAND_IN_WITHOUT": "NET_RAW"}
    done = plugin(["dash"], "web", "-n", cluster.make(), *words, env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "kubectl tarcap: web: no container can capture in a pod of this namespace: Pod Security refuses to add NET_RAW, and "
        "this runtime does not give it by itself. From a namespace with Pod Security privileged you can: kubectl tarcap "
        "--node stand-in -n NAMESPACE")
    assert "add: [NET_RAW]" not in done.stderr and "-c NAME" not in done.stderr


def test_no_new_privs_on_containerd(cluster, tmp_path):
    """
    There the image's user can capture in spite of it, as measured. Here it is Docker's that the container really has:
    so tarcap itself says what is wrong, and the plugin that the next try takes another container.
    """
    namespace = cluster.make()
    env = {**cluster.env, "STAND_IN_REFUSE": "allowPrivilegeEscalation", "STAND_IN_RUNTIME": "containerd"}
    done = plugin(["dash"], "web", "-n", namespace, "--duration", "1s", env=env, cwd=tmp_path)
    [added] = cluster.containers(namespace)
    assert added["securityContext"] == {**LEAST, **NO_NEW_PRIVS}
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("kubectl tarcap: web: eth0: no permission to capture: no_new_privs keeps a user")
    assert "runAsUser: 0" in last and last.endswith("-c NAME adds another")
    assert not list(tmp_path.glob("*.tar"))


@pytest.mark.parametrize("user, asked_by", [
    ({"runAsUser": 0}, 0), ({"runAsUser": 1000}, 1000), ({"runAsUser": 1000, "runAsNonRoot": True}, 1000),
], ids=["root", "1000", "non-root"])
def test_old_kubectl_in_a_pod_with_a_user(cluster, tmp_path, user, asked_by):
    """Without --custom tarcap's container is the pod's user; any can capture."""
    namespace = cluster.make(spec={**POD["spec"], "securityContext": user})
    env = {**cluster.env, "STAND_IN_OLD": "custom"}
    done = plugin(["dash"], "web", "-n", namespace, "--duration", "300ms", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"asked for by uid {asked_by}:" in done.stderr
    whole(tmp_path / "web.tar")


def test_policy_that_refuses_all(cluster, tmp_path):
    """What can't be cured by asking for less is said in the policy's own words."""
    refusal = 'Error from server (Forbidden): pods "web" is forbidden: violates PodSecurity "restricted:latest": ' \
              'allowPrivilegeEscalation != false, unrestricted capabilities'
    path = script(tmp_path / "bin/kubectl", f"case \" $* \" in *' debug -q '*) echo '{refusal}' >&2; exit 1;; esac\n"
                                            f'exec "{STAND_IN}/kubectl" "$@"')
    done = plugin(["dash"], "web", "-n", cluster.make(), cwd=tmp_path,
                  env={**cluster.env, "PATH": f"{path.parent}:{cluster.env['PATH']}"})
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert 'violates PodSecurity "restricted:latest"' in line
    assert line.endswith("No container can capture under that. From a namespace with Pod Security privileged you can: "
                         "kubectl tarcap --node stand-in -n NAMESPACE")
