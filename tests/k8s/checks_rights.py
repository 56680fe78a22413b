"""Who may capture: roles, the admission policy, Pod Security; and the examples of k8s/."""

import json
import re
import time
from pathlib import Path

from cluster import OWN, Archive, Skip, TOP, VERSION, alone, check, run, wait_until

# --- who may ----------------------------------------------------------------------------------------------------

def in_namespace_with_role(suite, suffix, labels=None):
    namespace = suite.make_namespace(suffix, labels)
    suite.kubectl("apply", "-f", TOP / "k8s/rbac.yaml", namespace=namespace)
    suite.apply(suite.pod("web"), namespace=namespace)
    suite.kubectl("wait", "--timeout=120s", "--for=jsonpath={.status.phase}=Running", "pod/web", namespace=namespace,
                  timeout=150)
    return namespace


@check
def rbac_is_enough_and_no_more(suite):
    suite.needs_cluster("RBAC")
    namespace = in_namespace_with_role(suite, "-rbac")
    person = ["--as", "tarcap-test", "--as-group", "tarcap-capture", "--as-group", "system:authenticated"]
    path = suite.path(".tar")
    suite.plugin("web", *person, "--duration", "2s", "-o", path, namespace=namespace)
    Archive(path.read_bytes())
    for verb, what in [("create", "pods"), ("delete", "pods"), ("get", "secrets"), ("create", "pods/attach")]:
        done = suite.kubectl("auth", "can-i", verb, what, *person, namespace=namespace, expect=None)
        assert done.out.strip() == "no", (verb, what)
    done = suite.plugin("web", "--as", "nobody", "--duration", "2s", "-o", path, "--force", namespace=namespace, expect=1)
    assert "you may not" in done.err and "rbac.yaml" in done.err
    done = suite.plugin("--node", "any", *person, "-o", path, "--force", namespace=namespace, expect=1)
    assert "you may not create pods" in done.err and "k8s/rbac-node.yaml" in done.err


@check
@alone
def rbac_for_nodes_is_enough(suite):
    suite.needs_cluster("RBAC")
    node = suite.kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}").out
    namespace = suite.make_namespace("-rbac-node")
    suite.kubectl("apply", "-f", TOP / "k8s/rbac-node.yaml", namespace=namespace)
    person = ["--as", "tarcap-test", "--as-group", "tarcap-node", "--as-group", "system:authenticated"]
    path = suite.path(".tar")
    done = suite.plugin("--node", node, "-i", "lo", *person, "--duration", "2s", "-o", path, namespace=namespace)
    Archive(path.read_bytes())
    assert "still there" not in done.err


@check
def admission_policy_lets_only_this_pass(suite):
    suite.needs_cluster("admission")
    if not run("kubectl", "api-resources", "--api-group=admissionregistration.k8s.io", "-o", "name",
               expect=None).out.count("validatingadmissionpolicies"):
        raise Skip("the cluster has no ValidatingAdmissionPolicy")
    marker = f"limited-{OWN}"
    text = (TOP / "k8s/admission-policy.yaml").read_text().replace(f"tarcap:{VERSION}", suite.image)
    text = re.sub(r"\b(tarcap-ephemeral-container|tarcap-exec)\b", rf"\1-{OWN}", text)
    text = text.replace("tarcap-captures: limited", f"tarcap-captures: {marker}")
    namespace = in_namespace_with_role(suite, "-policy", {"tarcap-captures": marker})
    suite.apply(text)
    person = ["--as", "tarcap-test", "--as-group", "tarcap-capture", "--as-group", "system:authenticated"]
    ceilings = TOP / "k8s/debug-profile-ceilings.yaml"

    def refused(*words):
        done = suite.kubectl("debug", "-q", "web", *person, *words, namespace=namespace, expect=None)
        return done.returncode != 0 and "tarcap-ephemeral-container" in done.err
    hold = ["--", "tarcap", "hold"]
    bad = ["-c", "tarcap-bad", f"--image={suite.image}", "--profile=baseline"]
    wait_until(lambda: refused(*bad, *hold), 30, "the policy at work")  # it takes a moment to apply
    assert refused("-c", "tarcap-bad", "--image=busybox:1", "--profile=baseline", f"--custom={ceilings}", *hold)
    assert refused(*bad, f"--custom={TOP}/k8s/debug-profile.yaml", *hold)  # no ceilings
    assert refused(*bad, f"--custom={ceilings}", "--target=app", *hold)
    assert refused("-c", "other", f"--image={suite.image}", "--profile=baseline", f"--custom={ceilings}", *hold)
    path = suite.path(".tar")
    suite.plugin("web", *person, "--custom", ceilings, "--duration", "2s", "-o", path, namespace=namespace)
    Archive(path.read_bytes())
    done = suite.kubectl("exec", "web", "-c", "app", *person, "--", "tarcap", "--version", namespace=namespace,
                         expect=None)
    assert done.returncode != 0 and "tarcap-exec" in done.err


@check
def pod_security_baseline(suite):
    """It refuses to add NET_RAW: the plugin goes on with what the runtime gives."""
    suite.needs_cluster("Pod Security admission")
    namespace = suite.make_namespace("-baseline", {"pod-security.kubernetes.io/enforce": "baseline"})
    suite.apply(suite.pod("web"), namespace=namespace)
    suite.kubectl("wait", "--timeout=120s", "--for=jsonpath={.status.phase}=Running", "pod/web", namespace=namespace,
                  timeout=150)
    path = suite.path(".tar")
    done = suite.plugin("web", "--duration", "2s", "-o", path, namespace=namespace, expect=None)
    assert "Pod Security refuses to add NET_RAW" in done.err
    if done.returncode:  # a runtime that does not give NET_RAW by default: what was just refused is no advice
        assert "no container can capture in a pod of this namespace" in done.err.splitlines()[-1], done.err
        assert "--node " in done.err.splitlines()[-1] and "add: [NET_RAW]" not in done.err
        return
    Archive(path.read_bytes())


@check
def pod_security_restricted(suite):
    """Nothing can capture there; it must be said in words."""
    suite.needs_cluster("Pod Security admission")
    namespace = suite.make_namespace("-restricted", {"pod-security.kubernetes.io/enforce": "restricted"})
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
                "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    suite.apply(suite.pod("web", security=security, image=suite.image), namespace=namespace)
    suite.kubectl("wait", "--timeout=120s", "--for=jsonpath={.status.phase}=Running", "pod/web", namespace=namespace,
                  timeout=150)
    done = suite.plugin("web", "--duration", "2s", "-o", suite.path(".tar"), namespace=namespace, expect=1)
    assert "violates PodSecurity" in done.err and "--node " in done.err.splitlines()[-1], done.err


# --- the examples -----------------------------------------------------------------------------------------------

def example(suite, file, name):
    """An example's text for this cluster: our image, our names, and an application that is there."""
    text = (TOP / "k8s" / file).read_text().replace(f"image: tarcap:{VERSION}", f"image: {suite.image}")
    app = f"image: {suite.web}" if suite.web else \
        f"image: {suite.image}\n      command: [tarcap, join, --check]\n      stdin: true"
    text = text.replace("image: your-app:1.0", app + "\n      readinessProbe: {tcpSocket: {port: 9}, periodSeconds: 1}")
    return re.sub(r"^  name: app$", f"  name: {name}", text, flags=re.M)


def make_example(suite, file, name):
    suite.apply(example(suite, file, name))
    suite.kubectl("wait", "--timeout=120s", "--for=jsonpath={.status.phase}=Running", f"pod/{name}", timeout=150)
    return name


@check
def sidecar_native(suite):
    pod = make_example(suite, "sidecar.yaml", "native")
    path = suite.path(".tar")
    done = suite.plugin(pod, "--duration", "2s", "-o", path)
    assert "using the hold that runs in container tarcap" in done.err
    assert Archive(path.read_bytes()).packets
    suite.kubectl("exec", pod, "-c", "tarcap", "--", "tarcap", "--duration", "2s", "-w", "/captures/app.tar")
    suite.copy(f"{pod}:/captures/app.tar", "tarcap", path)
    assert Archive(path.read_bytes()).cause == "duration"


@check
def sidecar_plain(suite):
    pod = make_example(suite, "sidecar-plain.yaml", "plain")
    path = suite.path(".tar")
    suite.plugin(pod, "--duration", "2s", "-o", path)
    Archive(path.read_bytes())


@check
def sidecar_that_records(suite):
    """What came before: the application's requests, or the kubelet's probes."""
    pod = make_example(suite, "sidecar-recorder.yaml", "recorder")
    time.sleep(3)
    for _ in range(2):
        target = suite.path()
        suite.copy(f"{pod}:/snapshot", "tarcap", target)
        [path] = Path(target).rglob("manifest.json")  # the packets are compressed, which only newer Pythons can read
        manifest = json.loads(path.read_text())
        assert manifest["ended_by"]["cause"] == "snapshot" and manifest["totals"]["packets"] > 0
    path = suite.path(".tar")
    done = suite.plugin("--snapshot", pod, "-o", path)
    assert "what the hold in container tarcap has recorded" in done.err and f"{path} is whole" in done.err, done.err
    suite.kubectl("exec", pod, "-c", "tarcap", "--", "tarcap", "stop")


@check
def sidecar_writes_to_its_volume(suite):
    pod = make_example(suite, "sidecar-volume.yaml", "volume")
    time.sleep(2)
    suite.kubectl("exec", pod, "-c", "capture", "--", "tarcap", "stop", expect=None)
    suite.await_state(pod, "capture", "terminated", kind="container", timeout=15)
    path = suite.path(".tar")
    suite.copy(f"{pod}:/captures/app.tar", "tarcap", path)
    archive = Archive(path.read_bytes())
    assert archive.cause == "signal"
    assert archive.packets


@check
def examples_are_accepted_by_the_server(suite):
    suite.needs_cluster("API server")
    for path in sorted((TOP / "k8s").glob("*.yaml")):
        if path.name.startswith("debug-profile") or path.name == "krew.yaml":
            continue  # parts of a container, and a manifest of krew's
        suite.kubectl("apply", "--dry-run=server", "-f", path)
