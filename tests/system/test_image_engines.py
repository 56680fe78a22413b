"""The image's way into engines and registries: loaded from the archive, built by each builder, pushed and pulled."""

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from engine import docker
from images import CAPABILITY, FILES, Layout, Tree, archive, check_config, saved  # noqa: F401 (fixtures)
from process import BUILD, TOP, VERSION, patience, sh, wait_until

LAYER = BUILD / "amd64/layer.tar"
LATEST = f"tarcap:{VERSION} and tarcap:latest: loaded into"


def id_in(archive, arch="amd64"):  # noqa: F811
    return Layout(archive).manifests[arch]["config"]["digest"]


def layout_date(archive):  # noqa: F811
    """What 'docker images' counts the age from: the commit's date, and not the epoch."""
    seconds = int(sh("image/version", "date").stdout)
    assert seconds > 1_600_000_000
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def exported(name, *more):
    """The tree of a container's real file system, and not of the tar that it was made of."""
    container = docker("create", *more, name).stdout.strip()
    try:
        return Tree.of_tar(subprocess.run(["docker", "export", container], capture_output=True, check=True,
                                          timeout=60).stdout)
    finally:
        docker("rm", container)


def check_exported(tree):
    """What an engine adds of its own (dev/, etc/hosts and so on) aside."""
    for name, expected in FILES.items():
        assert tree.files[name] == expected
    assert tree.contents["usr/bin/tarcap"] == (BUILD / "amd64/tarcap").read_bytes()


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store for podman and buildah that is thrown away."""
    (tmp_path / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n')
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "storage.conf"))
    sh("image/need", "podman", "buildah", timeout=300)


def mounted(name):
    """The tree of an image in podman's and buildah's store."""
    return Tree.of_directory(sh("podman", "image", "mount", name).stdout.strip())


# --- loading ----------------------------------------------------------------------------------------------------

def load_with(engine_name, **environment):
    return sh("image/load", "amd64", check=False, timeout=120,
              env={**os.environ, **environment, "TARCAP_ENGINE": engine_name})


def test_make_load_gives_docker_the_archives_image(image, archive, tmp_path):  # noqa: F811
    docker("rmi", "-f", f"tarcap:{VERSION}", "tarcap:latest")
    assert re.fullmatch(rf"  {LATEST} docker, \d+ bytes\n", load_with("docker").stdout)
    ids = docker("image", "inspect", "--format", "{{.Id}}", f"tarcap:{VERSION}", "tarcap:latest").stdout.split()
    assert ids == [id_in(archive)] * 2
    assert int(docker("image", "inspect", "--format", "{{.Size}}", "tarcap:latest").stdout) <= 1408 * 1024
    docker("save", "-o", tmp_path / "image.tar", "tarcap:latest")
    config, tree = saved(tmp_path / "image.tar", "tarcap:latest")
    check_config(config)
    tree.check()
    check_exported(exported("tarcap"))


def test_docker_loads_the_archive(image, archive):  # noqa: F811
    """The engine of Debian 12 knows no OCI layouts."""
    names = [f"tarcap:{VERSION}", "tarcap:latest", f"tarcap:{VERSION}-arm64"]
    docker("rmi", "-f", *names)
    try:
        said = docker("load", "-i", archive).stdout
        assert re.findall("Loaded image: (.*)", said) == names
        found = json.loads(docker("image", "inspect", *names).stdout)
        assert [entry["Architecture"] for entry in found] == ["amd64", "amd64", "arm64"]
        assert [entry["Id"] for entry in found] == [id_in(archive, arch) for arch in ("amd64", "amd64", "arm64")]
        assert {entry["Created"] for entry in found} == {layout_date(archive)}
    finally:
        docker("rmi", "-f", names[2], check=False)
        load_with("docker")


def test_podman_loads_the_archive(archive, store):  # noqa: F811
    sh("podman", "load", "-i", archive)
    [found] = json.loads(sh("podman", "image", "inspect", f"docker.io/library/tarcap:{VERSION}").stdout)
    assert "sha256:" + found["Id"] == id_in(archive) and found["Architecture"] == "amd64"
    assert found["Size"] <= 1408 * 1024
    assert found["User"] == "65532:65532"
    mounted(found["Id"]).check()


@pytest.mark.parametrize("name", ["podman", "buildah"])
def test_make_load_without_docker(archive, store, name):  # noqa: F811
    for _ in range(2):  # the second time over the first
        done = load_with(name)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"  {LATEST} {name}, ")
    images = json.loads(sh("podman", "images", "--format", "json").stdout)
    assert {name for entry in images for name in entry["Names"]} == {f"localhost/tarcap:{VERSION}",
                                                                     "localhost/tarcap:latest"}
    assert {"sha256:" + entry["Id"] for entry in images} == {id_in(archive)}
    mounted("localhost/tarcap:latest").check()


def test_containerd_imports_the_archive(image, archive, tmp_path):  # noqa: F811
    """By the containerd of the Docker engine, in a namespace of its own."""
    beside = Path(os.environ["DOCKER_HOST"].partition("://")[2]).parent / "exec/containerd/containerd.sock"
    socket = beside if beside.exists() else Path("/run/containerd/containerd.sock")
    name = f"docker.io/library/tarcap:{VERSION}"

    def ctr(*arguments):
        return sh("ctr", "-a", socket, "-n", "tarcap-test", *arguments).stdout

    try:
        ctr("images", "import", "--all-platforms", archive)
        [line] = [line for line in ctr("images", "ls").splitlines() if line.startswith(name)]
        assert Layout(archive).entry["digest"] in line and "linux/amd64,linux/arm64" in line
        ctr("images", "mount", name, tmp_path)
        Tree.of_directory(tmp_path).check()
    finally:
        sh("ctr", "-a", socket, "-n", "tarcap-test", "images", "unmount", tmp_path, check=False)
        sh("ctr", "-a", socket, "-n", "tarcap-test", "snapshots", "rm", tmp_path, check=False)
        sh("ctr", "-a", socket, "-n", "tarcap-test", "images", "rm", "--sync", name, check=False)
        sh("ctr", "-a", socket, "namespaces", "rm", "tarcap-test", check=False)


def test_skopeo_reads_the_archive(archive, tmp_path):  # noqa: F811
    """It checks each digest and size on the way."""
    sh("image/need", "skopeo", timeout=300)
    sh("skopeo", "copy", "--all", f"oci-archive:{archive}", f"oci:{tmp_path}/copy")
    for arch in ("amd64", "arm64"):
        found = json.loads(sh("skopeo", "--override-arch", arch, "inspect", f"oci-archive:{archive}").stdout)
        assert (found["Architecture"], found["Digest"]) == (arch, Layout(archive).entry["digest"])


def one_line(done, status=1):
    assert (done.returncode, done.stdout) == (status, "")
    [line] = done.stderr.splitlines()
    return line


def test_load_says_what_is_missing(archive, tmp_path):  # noqa: F811
    assert "no Docker engine answers" in one_line(load_with("docker", DOCKER_HOST=f"unix://{tmp_path}/none"))
    assert "must be docker, podman or buildah" in one_line(load_with("make"))
    with_docker = f"{tmp_path}/with-docker:{tmp_path}"
    (tmp_path / "with-docker").mkdir()
    (tmp_path / "with-docker/docker").symlink_to(shutil.which("docker"))
    # A PATH with just the tools that image/load itself takes.
    for tool in ("cat", "dirname", "grep", "mktemp", "rm", "sed", "sh", "timeout"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    assert "there is no docker, podman or buildah" in one_line(load_with("", PATH=str(tmp_path)))
    assert "podman is not installed" in one_line(load_with("podman", PATH=str(tmp_path)))
    for environment in ({"PATH": str(tmp_path)}, {"DOCKER_HOST": f"unix://{tmp_path}/none", "PATH": with_docker}):
        done = sh("image/load", "amd64", "build/tarcap.oci.tar", check=False, timeout=120, env={**os.environ, **environment})
        assert done.returncode == 0 and done.stderr == ""
        assert "build/tarcap.oci.tar: made, but loaded nowhere: " in done.stdout
        assert f"'docker load -i build/tarcap.oci.tar' loads it as tarcap:{VERSION}" in done.stdout
    assert "layer.tar is not there: run make image" in one_line(load_with("podman", BUILD=str(tmp_path)))


def test_load_falls_back(image, store, tmp_path):  # noqa: F811
    """With no engine that answers, podman is taken."""
    assert f"{LATEST} podman, " in load_with("", DOCKER_HOST=f"unix://{tmp_path}/none").stdout
    assert f"{LATEST} docker, " in load_with("").stdout


# --- building ---------------------------------------------------------------------------------------------------

@pytest.fixture
def context(archive, tmp_path):  # noqa: F811
    """What the Containerfile's stage prebuilt takes."""
    for name in ("Containerfile", ".dockerignore"):
        shutil.copy(TOP / name, tmp_path)
    shutil.copytree(TOP / "image/root", tmp_path / "image/root")
    (tmp_path / "build/amd64").mkdir(parents=True)
    shutil.copy(LAYER, tmp_path / "build/amd64")
    return tmp_path


def docker_clients():
    found = [Path(directory) / "docker" for directory in os.environ["PATH"].split(":")]
    return {client.resolve() for client in found if os.access(client, os.X_OK)}


def docker_build(client, buildkit, *arguments, **more):
    return sh(client, "build", *arguments, env={**os.environ, "DOCKER_BUILDKIT": buildkit}, **more)


@pytest.mark.parametrize("buildkit", ["0", "1"], ids=["classic", "BuildKit"])
def test_docker_builds_it(engine, context, buildkit):  # noqa: F811
    """With each docker client there is; a new one has no BuildKit without its buildx plugin."""
    built = 0
    for client in docker_clients():
        done = docker_build(client, buildkit, "--target", "prebuilt", "--build-arg", "REVISION=abc", "-t",
                            "tarcap-test-built", "-f", "Containerfile", ".", cwd=context, check=False)
        if buildkit == "1" and "buildx component is missing" in done.stderr:
            continue
        assert done.returncode == 0, done.stderr
        try:
            comments = docker("history", "--format", "{{.Comment}}", "tarcap-test-built").stdout
            assert ("buildkit" in comments) == (buildkit == "1")
            docker("save", "-o", context / "image.tar", "tarcap-test-built:latest")
            config, tree = saved(context / "image.tar", "tarcap-test-built:latest")
            check_config(config, revision="abc")
            tree.check()
            check_exported(exported("tarcap-test-built"))
        finally:
            docker("rmi", "-f", "tarcap-test-built")
            (context / "image.tar").unlink()
        built += 1
    if not built and buildkit == "1":
        pytest.skip("no docker client here has BuildKit")
    assert built


@pytest.mark.parametrize("builder", ["podman", "buildah"])
def test_built_without_an_engine(store, context, builder):
    sh(builder, "build", "--target", "prebuilt", "--build-arg", "REVISION=abc", "-t", "tarcap-test-built", "-f",
       "Containerfile", ".", cwd=context)
    [found] = json.loads(sh("podman", "image", "inspect", "tarcap-test-built").stdout)
    check_config({"os": found["Os"], "architecture": found["Architecture"], "config": found["Config"]}, revision="abc")
    mounted("tarcap-test-built").check()


FROM_STAGE = """
FROM tarcap-test-trixie AS build
COPY build/amd64/layer.tar /
RUN mkdir /layer && tar --xattrs --xattrs-include=security.capability -xpf layer.tar -C /layer
FROM scratch
COPY --from=build /layer/ /
ENTRYPOINT ["/usr/bin/tarcap"]
"""


def test_build_from_source(engine, context):  # noqa: F811
    """What somebody types who has a fresh clone and only docker; but for the base, which no registry gives us."""
    sh("tests/base-image", "tarcap-test-trixie", timeout=600)
    for name in ("Makefile", "LICENSE"):
        shutil.copy(TOP / name, context)
    for name in ("image", "src"):
        shutil.copytree(TOP / name, context / name, dirs_exist_ok=True)
    for name in ("build/libs/big", ".git/big", "tests/big"):  # which the context is to leave out
        path = context / name
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(4 << 20))
    try:
        # Both builders keep the capability from stage to stage; building all of it once is enough.
        (context / "Stages").write_text(FROM_STAGE)
        client = sorted(docker_clients())[0]
        for buildkit in "01":
            docker_build(client, buildkit, "-t", "tarcap-test-source", "-f", "Stages", ".", cwd=context, timeout=1200)
            check_exported(exported("tarcap-test-source"))

        (context / "build/amd64/layer.tar").unlink()
        done = docker("build", "-f", "Containerfile", "--build-arg", "BASE=tarcap-test-trixie", "--build-arg",
                      "REVISION=abc", "-t", "tarcap-test-source", ".", timeout=900, cwd=context)
        size = re.search(r"(?:build context to Docker daemon|transferring context:) +([\d.]+)(\w+)",
                         done.stdout + done.stderr)
        assert float(size.group(1)) * {"kB": 1, "MB": 1000}[size.group(2)] < 3000, size.group(0)  # not what is below build/
        docker("save", "-o", context / "image.tar", "tarcap-test-source:latest")
        config, tree = saved(context / "image.tar", "tarcap-test-source:latest")
        check_config(config, revision="abc")
        assert tree.files == FILES
        assert exported("tarcap-test-source").files["usr/bin/tarcap"][2] == {"security.capability": CAPABILITY}
        said = docker("run", "--rm", "tarcap-test-source", "--version").stdout
        assert said.startswith(f"tarcap {VERSION}\ncommit abc\nlibpcap ")
        assert "built from the source packages musl " in said
        assert docker("run", "--rm", "tarcap-test-source", "--duration", "100ms").returncode == 0
    finally:
        docker("rmi", "-f", "tarcap-test-source", "tarcap-test-trixie", check=False)


# --- pushing ----------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A registry on loopback, as HOST:PORT: Debian's, unpacked, as installing it may start a service."""
    directory = tmp_path_factory.mktemp("registry")
    program = shutil.which("docker-registry")
    if not program:
        if sh("apt-get", "download", "docker-registry", cwd=directory, check=False, timeout=300).returncode != 0:
            sh("apt-get", "update", timeout=300)
            sh("apt-get", "download", "docker-registry", cwd=directory, timeout=300)
        [package] = directory.glob("*.deb")
        sh("dpkg-deb", "-x", package, directory)
        program = directory / "usr/bin/docker-registry"
    address = "127.0.0.1:5055"
    (directory / "config.yml").write_text(
        f"{{version: 0.1, log: {{level: warn}}, http: {{addr: '{address}'}},\n"
        f"storage: {{filesystem: {{rootdirectory: {directory}/data}}}}}}\n")
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", directory / "config.yml"],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    def answers():
        try:
            return urllib.request.urlopen(f"http://{address}/v2/", timeout=5).status == 200
        except OSError:
            return False

    try:
        wait_until(answers, 20, "a registry")
        yield address
    finally:
        process.terminate()
        process.wait(10)


def test_pushed_image_is_the_archives(image, archive, registry, tmp_path):  # noqa: F811
    """For all machines, with the archive's digest, and the capability is there after a pull."""
    sh("image/need", "skopeo", timeout=300)
    (tmp_path / ".config/containers").mkdir(parents=True)
    (tmp_path / ".config/containers/registries.conf").write_text(
        f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n')
    name, digest = f"{registry}/team/tarcap:{VERSION}", Layout(archive).entry["digest"]
    done = sh("make", "push", f"IMAGE={name}", timeout=120, env={**os.environ, "HOME": str(tmp_path)})
    assert f"  {name}@{digest}: pushed for all machines" in done.stdout.splitlines()
    try:
        assert f"Digest: {digest}" in docker("pull", name).stdout
        assert docker("image", "inspect", "--format", "{{.Id}}", name).stdout.strip() == id_in(archive)
        check_exported(exported(name))
    finally:
        docker("rmi", name, check=False)


def test_pushed_with_docker_alone(image, archive, registry, tmp_path):  # noqa: F811
    """This machine's image, and it says so."""
    for directory in os.environ["PATH"].split(":"):
        for tool in Path(directory).glob("*"):
            if tool.name != "skopeo" and not (tmp_path / tool.name).exists():
                (tmp_path / tool.name).symlink_to(tool)
    name = f"{registry}/team/tarcap:docker"
    done = sh("image/push", archive, name, env={**os.environ, "PATH": str(tmp_path)})
    found = re.search(f"  {name}@(sha256:[0-9a-f]+): pushed for amd64 alone; with skopeo", done.stdout)
    try:
        docker("rmi", name)
        assert found[1] in docker("pull", name).stdout
    finally:
        docker("rmi", name, check=False)


def test_push_says_what_is_wrong(archive, tmp_path):  # noqa: F811
    assert "make push IMAGE=registry/name:tag" in sh("make", "push", check=False).stderr.splitlines()[0]
    assert "make push IMAGE=registry/name:tag" in one_line(sh("image/push", archive, "", check=False), 2)
    for name in ("https://example.org/tarcap", "example.org/tarcap@sha256:00"):
        assert "must be registry/name:tag" in one_line(sh("image/push", archive, name, check=False), 2)
    assert "is not there: run make image" in one_line(sh("image/push", tmp_path / "none.tar", "x/y", check=False))
    started = time.monotonic()
    done = sh("image/push", archive, "127.0.0.1:1/tarcap", check=False)
    assert done.returncode == 1 and "refused" in done.stderr and time.monotonic() - started < 30 * patience()
