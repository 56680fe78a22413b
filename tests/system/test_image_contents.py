"""What the image has in it, file by file, and what it says of itself: layers, licences, SBOM, archive."""

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile

import pytest

from images import ARCHES, FILES, LICENCES, MANUAL, SBOM, SCHEMAS, Layout, Tree, archive, check_config, check_labels  # noqa: F401
from process import BUILD, TOP, VERSION, sh

BUDGET = 1408 * 1024
PULL_BUDGET = 560 * 1024
TEXT_BUDGET = 32 * 1024  # compressed: the manual page and the schemas


@pytest.fixture(scope="module")
def layout(archive):  # noqa: F811
    return Layout(archive)


@pytest.fixture(scope="module", params=ARCHES)
def arch(request):
    return request.param


@pytest.fixture(scope="module")
def tree(archive, arch):  # noqa: F811
    return Tree.of_tar((BUILD / arch / "layer.tar").read_bytes())


# --- files ------------------------------------------------------------------------------------------------------

def test_every_file_is_expected(tree, arch):
    """No shell, nothing setuid, nothing that others may write: the list has each mode."""
    tree.check(arch)
    assert not any(mode & 0o7022 for mode, kind, _ in FILES.values() if not kind.startswith("link"))


def test_layer_is_in_order_and_has_no_odd_records(archive, arch):  # noqa: F811
    with tarfile.open(BUILD / arch / "layer.tar") as tar:
        members = list(tar)
    names = [member.name for member in members]
    ordered = sorted((name for name in FILES if name != "usr/bin/tarcap"), key=lambda name: name.split("/"))
    assert names == [*ordered, "usr/bin/tarcap"]
    assert {member.mtime for member in members} == {int(sh("image/version", "date").stdout)}
    records = {name: set(member.pax_headers) for name, member in zip(names, members) if member.pax_headers}
    assert records == {"usr/bin/tarcap": {"SCHILY.xattr.security.capability", "atime"}}
    assert members[-1].pax_headers["atime"] == "0"


def test_users(tree):
    users = [line.split(":") for line in tree.contents["etc/passwd"].decode().splitlines()]
    assert ["tarcap", "x", "65532", "65532"] in [user[:4] for user in users]
    assert {user[6] for user in users} == {"/nonexistent"}
    assert b"tarcap:x:65532:\n" in tree.contents["etc/group"]


def test_licences(tree):
    """Each library's own words, from the sources that were built."""
    texts = {name: {file: tree.contents[f"usr/share/licenses/{name}/{file}"].decode() for file in files}
             for name, files in LICENCES.items()}
    assert texts["tarcap"]["LICENSE"] == (TOP / "LICENSE").read_text()
    for name, words in {"musl": "Rich Felker", "libpcap": "Redistribution and use", "libarchive": "Tim Kientzle",
                        "libzstd": "Meta Platforms", "jansson": "Petri Lehtinen", "libsodium": "Frank Denis"}.items():
        upstream, debian = texts[name].values()
        assert words in upstream, name
        assert "debian" in debian and re.search("Redistribution|Permission is hereby granted", debian), name
    runtime = texts["libgcc"]["COPYING.RUNTIME"]
    assert runtime.startswith("GCC RUNTIME LIBRARY EXCEPTION") and runtime.endswith("license of GCC.\n")
    assert set(texts) == {"tarcap", "libgcc", *(line.split()[0] for line in versions())}


def test_it_is_small(layout, tree, arch):
    assert sum(len(content) for content in tree.contents.values()) <= BUDGET
    manifest = layout.manifests[arch]
    pull = sum(part["size"] for part in (manifest["config"], *manifest["layers"]))
    assert pull + len(json.dumps(manifest)) <= PULL_BUDGET


def test_the_manual_and_the_schemas_are_those_of_here_and_small(tree):
    assert tree.contents[MANUAL] == (TOP / "src/tarcap.1").read_bytes()
    for name in SCHEMAS:
        assert tree.contents[name] == (TOP / "image/root" / name).read_bytes()
    assert len(gzip.compress(b"".join(tree.contents[name] for name in (MANUAL, *SCHEMAS)))) <= TEXT_BUDGET


# --- SBOM -------------------------------------------------------------------------------------------------------

# What SPDX 2.3's JSON schema allows in an object, required first; of the rest what is used here.
SPDX = {
    "document": ({"SPDXID", "creationInfo", "dataLicense", "name", "spdxVersion", "documentNamespace"},
                 {"comment", "packages", "files", "relationships"}),
    "creationInfo": ({"created", "creators"}, set()),
    "package": ({"SPDXID", "downloadLocation", "name"},
                {"versionInfo", "primaryPackagePurpose", "supplier", "licenseDeclared", "licenseConcluded", "comment",
                 "filesAnalyzed", "packageVerificationCode", "sourceInfo", "externalRefs", "packageFileName", "checksums"}),
    "file": ({"SPDXID", "checksums", "fileName"}, {"fileTypes", "licenseConcluded"}),
    "relationship": ({"spdxElementId", "relatedSpdxElement", "relationshipType"}, set()),
    "checksum": ({"algorithm", "checksumValue"}, set()),
    "externalRef": ({"referenceCategory", "referenceLocator", "referenceType"}, set()),
}
LICENCE_IDS = {"BSD-3-Clause", "BSD-2-Clause", "MIT", "ISC", "GPL-2.0-only", "GPL-3.0-or-later", "GCC-exception-3.1",
               "NOASSERTION"}


def versions():
    return (BUILD / "sources/versions").read_text().splitlines()


def check_keys(kind, found):
    required, optional = SPDX[kind]
    assert required <= set(found) <= required | optional, (kind, found)


@pytest.fixture(scope="module")
def sbom(tree):
    return json.loads(tree.contents[SBOM])


def by_id(sbom):
    return {thing["SPDXID"]: thing for thing in (sbom, *sbom["packages"], *sbom["files"])}


def related(sbom, kind):
    return {(relation["spdxElementId"], relation["relatedSpdxElement"]) for relation in sbom["relationships"]
            if relation["relationshipType"] == kind}


def checksums(thing):
    return {checksum["algorithm"]: checksum["checksumValue"] for checksum in thing["checksums"]}


def test_sbom_is_spdx(sbom, arch):
    """The rules of SPDX 2.3 that its schema and its text have: fields, values, identifiers, references."""
    check_keys("document", sbom)
    check_keys("creationInfo", sbom["creationInfo"])
    assert (sbom["spdxVersion"], sbom["dataLicense"], sbom["SPDXID"]) == ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT")
    assert sbom["name"] == f"tarcap-{VERSION}-{arch}"
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}",
                        sbom["documentNamespace"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", sbom["creationInfo"]["created"])
    assert all(re.match("(Tool|Person|Organization): .", name) for name in sbom["creationInfo"]["creators"])
    for package in sbom["packages"]:
        check_keys("package", package)
        assert re.fullmatch("NOASSERTION|Organization: .+", package["supplier"])
        assert package["primaryPackagePurpose"] in ("CONTAINER", "SOURCE", "LIBRARY", "APPLICATION")
        for reference in package.get("externalRefs", []):
            check_keys("externalRef", reference)
            assert (reference["referenceCategory"], reference["referenceType"]) == ("PACKAGE-MANAGER", "purl")
        assert package["filesAnalyzed"] == ("packageVerificationCode" in package)
    for file in sbom["files"]:
        check_keys("file", file)
        assert file["fileName"].startswith("./")
        assert set(file["fileTypes"]) <= {"BINARY", "TEXT", "ARCHIVE"}
        assert re.fullmatch("[0-9a-f]{40}", checksums(file)["SHA1"])
        assert re.fullmatch("[0-9a-f]{64}", checksums(file)["SHA256"])
    for thing in sbom["packages"] + sbom["files"]:
        for checksum in thing.get("checksums", []):
            check_keys("checksum", checksum)
        for field in ("licenseDeclared", "licenseConcluded"):
            assert set(re.split(r" AND | OR | WITH ", thing.get(field, "NOASSERTION"))) <= LICENCE_IDS
    ids = [thing["SPDXID"] for thing in (sbom, *sbom["packages"], *sbom["files"])]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", found) for found in ids)
    for relation in sbom["relationships"]:
        check_keys("relationship", relation)
        assert relation["relationshipType"] in ("DESCRIBES", "CONTAINS", "GENERATED_FROM", "STATIC_LINK",
                                                "BUILD_TOOL_OF", "BUILD_DEPENDENCY_OF")
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= set(ids)
    assert related(sbom, "DESCRIBES") == {("SPDXRef-DOCUMENT", "SPDXRef-image")}


def test_sbom_lists_the_files(sbom, tree):
    """Every regular file with its checksums, and the code over all of them (SPDX 2.3, 7.9)."""
    things = by_id(sbom)
    files = [things[file] for owner, file in related(sbom, "CONTAINS") if owner == "SPDXRef-image"]
    contents = {f"./{name}": content for name, content in tree.contents.items() if name != SBOM}
    assert {file["fileName"]: checksums(file) for file in files} == {
        name: {"SHA1": hashlib.sha1(content).hexdigest(), "SHA256": hashlib.sha256(content).hexdigest()}
        for name, content in contents.items()}
    code = things["SPDXRef-image"]["packageVerificationCode"]
    assert code["packageVerificationCodeExcludedFiles"] == [f"./{SBOM}"]
    sums = sorted(hashlib.sha1(content).hexdigest() for content in contents.values())
    assert code["packageVerificationCodeValue"] == hashlib.sha1("".join(sums).encode()).hexdigest()


def test_sbom_names_the_sources(sbom):
    """What is linked in is what --version says, from the very packages that were fetched and verified."""
    things, linked = by_id(sbom), {}
    for binary, library in related(sbom, "STATIC_LINK"):
        assert things[binary]["fileName"] == "./usr/bin/tarcap"
        linked[things[library]["name"]] = things[library]
    text = sh(BUILD / "tarcap", "--version").stdout
    assert f"\ncommit {sh('image/version', 'revision').stdout.strip()}\n" in text
    said = re.search(r"built from the source packages (.*)", text)[1]
    assert {f"{name} {package['versionInfo']}" for name, package in linked.items() if name != "libgcc"} \
        == set(said.split(", ")) == set(versions())
    for name, package in linked.items():
        if name == "libgcc":
            assert package["licenseConcluded"] == "GPL-3.0-or-later WITH GCC-exception-3.1"
            continue
        version = package["versionInfo"].replace("+", "%2B")
        assert package["externalRefs"][0]["referenceLocator"] == f"pkg:deb/debian/{name}@{version}?arch=source&distro=trixie"
        dsc = BUILD / "sources" / package["packageFileName"]
        assert checksums(package)["SHA256"] == hashlib.sha256(dsc.read_bytes()).hexdigest()
        sources = [things[source] for made, source in related(sbom, "GENERATED_FROM") if made == package["SPDXID"]]
        assert len(sources) == 2  # upstream's and Debian's
        for source in sources:
            data = (BUILD / "sources" / source["fileName"]).read_bytes()
            assert checksums(source)["SHA256"] == hashlib.sha256(data).hexdigest()
            assert checksums(source)["SHA1"] == hashlib.sha1(data).hexdigest()


def test_sbom_names_the_tools_and_the_commit(sbom, arch):
    things = by_id(sbom)
    tools = {things[tool]["name"]: things[tool] for tool, _ in related(sbom, "BUILD_TOOL_OF")}
    machine = {"amd64": "x86-64", "arm64": "aarch64"}[arch]
    assert {"tar", "gzip", "zopfli", f"binutils-{machine}-linux-gnu"} < set(tools)
    [compiler] = [tool for name, tool in tools.items() if name.startswith("gcc-")]
    native = subprocess.run(["gcc", "-dumpmachine"], capture_output=True, text=True).stdout.startswith(machine[:3])
    gcc = "gcc" if native else f"{machine}-linux-gnu-gcc"
    assert compiler["versionInfo"].startswith(sh(gcc, "-dumpfullversion").stdout.strip())
    for name, tool in tools.items():
        assert sh("dpkg-query", "-W", "-f", "${Version}", name).stdout == tool["versionInfo"]
    [source] = [package for package in sbom["packages"] if package["SPDXID"] == "SPDXRef-tarcap"]
    assert source["versionInfo"] == VERSION
    assert source["sourceInfo"] == "git commit " + sh("image/version", "revision").stdout.strip()
    assert {made for made, source in related(sbom, "GENERATED_FROM") if source == "SPDXRef-tarcap"} \
        == {"SPDXRef-File-usr-bin-tarcap"}


def test_sbom_stands_beside_the_image_too(tree, arch):
    assert (BUILD / arch / "tarcap.spdx.json").read_bytes() == tree.contents[SBOM]


# --- archive ----------------------------------------------------------------------------------------------------

def test_archive_is_an_oci_layout(layout):
    """One index, an image for each machine; every blob is referred to, and whole."""
    assert layout.entry["annotations"] == {"io.containerd.image.name": f"docker.io/library/tarcap:{VERSION}",
                                           "org.opencontainers.image.ref.name": VERSION}
    assert [entry["platform"] for entry in layout.index["manifests"]] == [
        {"architecture": arch, "os": "linux"} for arch in ARCHES]
    check_labels(layout.index["annotations"])
    for arch, manifest in layout.manifests.items():
        check_labels(manifest["annotations"])
        check_config(layout.configs[arch], arch)
        [packed] = manifest["layers"]
        layer = gzip.decompress(layout.blob(packed, "layer.v1.tar+gzip"))
        assert layer == (BUILD / arch / "layer.tar").read_bytes()
        assert layout.configs[arch]["rootfs"] == {"type": "layers",
                                                  "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}
        assert len(layout.configs[arch]["history"]) == 1
    assert set(layout.files) == layout.seen | {"oci-layout", "index.json", "manifest.json"}


def test_archive_has_what_older_docker_loads(layout):
    entries = json.loads(layout.files["manifest.json"])
    assert [entry["RepoTags"] for entry in entries] == [[f"tarcap:{VERSION}", "tarcap:latest"],
                                                          [f"tarcap:{VERSION}-arm64"]]
    for arch, entry in zip(ARCHES, entries):
        manifest = layout.manifests[arch]
        assert [entry["Config"], *entry["Layers"]] == [
            "blobs/" + part["digest"].replace(":", "/") for part in (manifest["config"], *manifest["layers"])]


# --- the same bytes ---------------------------------------------------------------------------------------------

@pytest.fixture
def elsewhere(archive, tmp_path):  # noqa: F811
    """Run a program of image/ in a copy of the sources that has other modes, owners and times, and in another locale."""
    def run(*command, **environment):
        subprocess.run(["sh", "-c", 'umask 077 && exec "$@"', "sh", *command], cwd=top, check=True, timeout=300,
                       stdin=subprocess.DEVNULL, env={**common, **environment})

    top = tmp_path / "elsewhere"
    shutil.copytree(TOP / "image", top / "image")
    shutil.copytree(BUILD / "sources", top / "build/sources")
    for name in ("src/base/version.h", "src/tarcap.1", "LICENSE", "Containerfile"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / name, top / name)
    for arch in ARCHES:
        (top / "build" / arch).mkdir()
        shutil.copy(BUILD / arch / "tarcap", top / "build" / arch)
    for path in [*top.glob("build/*/tarcap"), *top.rglob("image/root/**/*"), top / "LICENSE", top / "src/tarcap.1"]:
        path.chmod(0o705 if path.is_dir() else 0o604)
        os.utime(path, (10**9, 10**9))
        os.chown(path, 1234, 1234)
    common = {**os.environ, "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "BUILD": str(top / "build"),
              "REVISION": sh("image/version", "revision").stdout.strip(),
              "SOURCE_DATE_EPOCH": sh("image/version", "date").stdout.strip()}
    run.top = top
    return run


def test_same_bytes_wherever_it_is_made(archive, elsewhere):  # noqa: F811
    """They depend on the files' contents and the tools, not on who makes them, when, or how the checkout looks."""
    for arch in ARCHES:
        elsewhere("image/layer", arch, f"build/{arch}/tarcap", f"build/{arch}/layer.tar")
        for name in ("layer.tar", "layer.tar.gz", "tarcap.spdx.json"):
            assert (elsewhere.top / f"build/{arch}/{name}").read_bytes() == (BUILD / arch / name).read_bytes()
    elsewhere("image/archive", "again.tar", *ARCHES)
    assert (elsewhere.top / "again.tar").read_bytes() == archive.read_bytes()


def test_its_date_and_its_source_can_be_set(elsewhere):
    day = {"SOURCE_DATE_EPOCH": "86400", "SOURCE_URL": "https://example.org/tarcap"}
    elsewhere("image/layer", "amd64", "build/amd64/tarcap", "build/amd64/layer.tar", **day)
    with tarfile.open(elsewhere.top / "build/amd64/layer.tar") as tar:
        assert {member.mtime for member in tar} == {86400}
        sbom = json.load(tar.extractfile(SBOM))
    assert sbom["creationInfo"]["created"] == "1970-01-02T00:00:00Z"
    elsewhere("image/archive", "dated.tar", "amd64", **day)
    layout = Layout(elsewhere.top / "dated.tar")
    config = layout.configs["amd64"]
    assert config["created"] == config["config"]["Labels"]["org.opencontainers.image.created"] == "1970-01-02T00:00:00Z"
    for labels in (config["config"]["Labels"], layout.index["annotations"]):
        assert labels["org.opencontainers.image.source"] == "https://example.org/tarcap"


@pytest.fixture
def checkout(tmp_path):
    """The least tree that image/version speaks of, and image/version on it."""
    top = tmp_path / "checkout"
    for name in ("image/version", "image/commit", "image/.gitattributes", "src/base/version.h", "Makefile", "LICENSE"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / name, top / name)
        os.utime(top / name, (86400, 86400))

    def git(*arguments):
        day = {"GIT_AUTHOR_DATE": "@1700000000 +0000", "GIT_COMMITTER_DATE": "@1700000000 +0000"}
        return sh("git", "-c", "user.name=x", "-c", "user.email=x@example.org", *arguments, cwd=top,
                  env={**os.environ, **day}).stdout.strip()

    def version(what, where=top, **more):
        environment = {name: text for name, text in os.environ.items()
                       if name not in ("REVISION", "SOURCE_DATE_EPOCH", "BUILD")}
        return sh("image/version", what, cwd=where, env={**environment, **more}).stdout.strip()

    def commit():
        git("init", "-q")
        git("add", ".")
        git("commit", "-q", "-m", "x")
        return git("rev-parse", "HEAD")
    version.top, version.git, version.commit = top, git, commit
    return version


def test_commit_and_date_come_from_git_and_a_changed_tree_says_so(checkout):
    commit = checkout.commit()
    assert (checkout("revision"), checkout("date")) == (commit, "1700000000")
    assert (checkout("revision", REVISION="abc"), checkout("date", SOURCE_DATE_EPOCH="5")) == ("abc", "5")
    (checkout.top / "README.md").write_text("not in the image")
    assert checkout("revision") == commit
    (checkout.top / "src/new.c").write_text("in it")
    assert checkout("revision") == f"{commit}-modified"


def test_commit_and_date_come_from_what_git_archive_fills_in(checkout, tmp_path):
    commit = checkout.commit()
    checkout.git("archive", "--prefix=release/", "-o", tmp_path / "x.tar", "HEAD")
    sh("tar", "-xf", tmp_path / "x.tar", "-C", tmp_path)
    release = tmp_path / "release"
    assert (checkout("revision", release), checkout("date", release)) == (commit, "1700000000")


def test_commit_and_date_come_from_what_make_wrote_while_the_tree_is_the_same(checkout):
    """As in the Containerfile's stage, which has no git."""
    commit = checkout.commit()
    (checkout.top / "build").mkdir()
    (checkout.top / "build/commit").write_text(checkout("record") + "\n")
    shutil.rmtree(checkout.top / ".git")
    assert (checkout("revision"), checkout("date")) == (commit, "1700000000")
    (checkout.top / "LICENSE").write_text("another")
    assert checkout("revision") == "unknown"


def test_commit_is_unknown_and_the_date_the_newest_files_where_nothing_says(checkout):
    assert (checkout("revision"), checkout("date")) == ("unknown", "86400")
    os.utime(checkout.top / "src/base/version.h", (1600000000, 1600000000))
    assert checkout("date") == "1600000000"


def test_image_is_not_larger_than_it_may_be(archive):  # noqa: F811
    """The budget: the image's files at most 1,408 KiB, what is pulled at most 560; and the check that the build makes."""
    layout = Layout(archive)
    for arch, manifest in layout.manifests.items():
        [layer] = manifest["layers"]
        assert layer["size"] <= 560 * 1024, arch
        with tarfile.open(BUILD / arch / "layer.tar") as tar:
            assert sum(member.size for member in tar) <= 1408 * 1024, arch
        for limits, said in (((1408, 560), None), ((100, 560), "the image has"), ((1408, 100), "the compressed layer has")):
            done = sh("image/check-size", BUILD / arch / "layer.tar", *limits, check=False)
            assert done.returncode == (1 if said else 0)
            assert said is None or said in done.stderr
