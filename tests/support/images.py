"""What the image is expected to be, and how it is read: as a tar, as a directory, as an archive."""

import hashlib
import io
import json
import os
import re
import stat
import struct
import tarfile
from pathlib import Path

import pytest

from process import BUILD, VERSION, sh
from schema import KINDS

ARCHES = ["amd64", "arm64"]
# VFS_CAP_REVISION_2 with CAP_NET_RAW permitted, not effective, nothing inheritable: as linux/capability.h has it
CAPABILITY = struct.pack("<5I", 0x02000000, 1 << 13, 0, 0, 0)
SBOM = "usr/share/sbom/tarcap.spdx.json"
LICENCES = {
    "jansson": ["LICENSE", "copyright"],
    "libarchive": ["COPYING", "copyright"],
    "libgcc": ["COPYING.RUNTIME"],
    "libpcap": ["LICENSE", "copyright"],
    "libsodium": ["LICENSE", "copyright"],
    "libzstd": ["LICENSE", "copyright"],
    "musl": ["COPYRIGHT", "copyright"],
    "tarcap": ["LICENSE"],
}
PROFILES = [f"usr/share/tarcap/wireshark/{name}" for name in ("tarcap", "tarcap-utc")]
SCHEMAS = [f"usr/share/tarcap/{kind}.schema.json" for kind in KINDS]
MANUAL = "usr/share/man/man1/tarcap.1"
DIRECTORIES = ["etc", "usr", "usr/bin", "usr/share", "usr/share/licenses", "usr/share/man", "usr/share/man/man1",
               "usr/share/sbom", "usr/share/tarcap", "usr/share/tarcap/wireshark", *PROFILES,
               *(f"usr/share/licenses/{name}" for name in LICENCES)]
TEXTS = ["etc/group", "etc/passwd", "etc/services", SBOM, MANUAL, *SCHEMAS,
         *(f"{profile}/{file}" for profile in PROFILES for file in ("preferences", "dfilter_buttons")),
         *(f"usr/share/licenses/{name}/{file}" for name, files in LICENCES.items() for file in files)]
# name: (mode, type, extended attributes); the image has this and nothing else
FILES = {
    **{name: (0o755, "directory", {}) for name in DIRECTORIES},
    **{name: (0o644, "file", {}) for name in TEXTS},
    "usr/bin/tar": (0o777, "link to tarcap", {}),
    "usr/bin/tarcap": (0o755, "file", {"security.capability": CAPABILITY}),
}


class Tree:
    """An image's files: their modes and the like as FILES has them, and their contents."""

    def __init__(self):
        self.files, self.contents = {}, {}

    def add(self, name, mode, kind, attributes, owner, content=None):
        assert owner == (0, 0), name
        self.files[name] = (mode, kind, attributes)
        if content is not None:
            self.contents[name] = content

    @classmethod
    def of_tar(cls, data):
        tree = cls()
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                name = re.sub(r"^(\./|/)|/$", "", member.name)
                kind = "file" if member.isreg() else "directory" if member.isdir() else "other"
                kind = f"link to {member.linkname}" if member.issym() else kind
                content = tar.extractfile(member).read() if member.isreg() else None
                if name not in ("", "."):
                    tree.add(name, member.mode & 0o7777, kind, attributes(member), (member.uid, member.gid), content)
        return tree

    @classmethod
    def of_directory(cls, top):
        tree = cls()
        for path in sorted(Path(top).rglob("*")):
            found = path.lstat()
            kind = f"link to {os.readlink(path)}" if path.is_symlink() else "file" if path.is_file() else "directory"
            own = {name: os.getxattr(path, name) for name in os.listxattr(path, follow_symlinks=False)}
            content = path.read_bytes() if kind == "file" else None
            tree.add(str(path.relative_to(top)), stat.S_IMODE(found.st_mode), kind, own, (found.st_uid, found.st_gid),
                     content)
        return tree

    def check(self, arch="amd64"):
        assert self.files == FILES
        assert all(self.contents.values()), "a file is empty"
        assert self.contents["usr/bin/tarcap"] == (BUILD / arch / "tarcap").read_bytes()
        return self


def attributes(member):
    """A tar member's extended attributes; tarfile decodes records as UTF-8 and keeps what is not as surrogates."""
    return {key.partition("SCHILY.xattr.")[2]: value.encode("utf-8", "surrogateescape")
            for key, value in member.pax_headers.items() if key.startswith("SCHILY.xattr.")}


def saved(path, name):
    """(configuration, tree) of an archive as 'docker save' writes it, which has one image and it of one layer."""
    with tarfile.open(path) as outer:
        entries = json.load(outer.extractfile("manifest.json"))
        [entry] = [entry for entry in entries if name in entry["RepoTags"]]
        config = json.load(outer.extractfile(entry["Config"]))
        trees = [Tree.of_tar(outer.extractfile(layer).read()) for layer in entry["Layers"]]
    [tree] = [tree for tree in trees if tree.files]  # the classic builder makes empty ones
    return config, tree


def check_config(config, arch="amd64", revision=None):
    """What a container is started with, as engines have it and as the archive has it."""
    assert (config["os"], config["architecture"]) == ("linux", arch)
    config = config["config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["/usr/bin/tarcap"]
    assert not config.get("Cmd")
    assert config["Env"] == ["PATH=/usr/bin"]
    check_labels(config["Labels"], revision)


def check_labels(labels, revision=None):
    labels = {name.replace("org.opencontainers.image.", ""): text for name, text in labels.items()}
    labels.pop("io.buildah.version", None)
    if os.environ.get("SOURCE_URL"):
        assert labels.pop("source", os.environ["SOURCE_URL"]) == os.environ["SOURCE_URL"]
    if "created" in labels:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", labels.pop("created"))
    assert labels.pop("description").startswith("Captures packets in a container's network namespace")
    assert labels == {"title": "tarcap", "version": VERSION,
                      "revision": revision or sh("image/version", "revision").stdout.strip(),
                      "licenses": "BSD-3-Clause AND BSD-2-Clause AND MIT AND GPL-3.0-or-later WITH GCC-exception-3.1"}


class Layout:
    """An OCI archive: each blob is what its name says, each reference what it refers to."""

    def __init__(self, path):
        self.seen = set()
        with tarfile.open(path) as tar:
            self.files = {member.name: tar.extractfile(member).read() for member in tar if member.isreg()}
        assert json.loads(self.files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
        [self.entry] = json.loads(self.files["index.json"])["manifests"]
        self.index = json.loads(self.blob(self.entry, "index.v1+json"))
        self.manifests = {entry["platform"]["architecture"]: json.loads(self.blob(entry, "manifest.v1+json"))
                          for entry in self.index["manifests"]}
        self.configs = {arch: json.loads(self.blob(manifest["config"], "config.v1+json"))
                        for arch, manifest in self.manifests.items()}

    def blob(self, descriptor, kind):
        assert descriptor["mediaType"] == f"application/vnd.oci.image.{kind}"
        name = "blobs/" + descriptor["digest"].replace(":", "/")
        data = self.files[name]
        assert len(data) == descriptor["size"]
        assert hashlib.sha256(data).hexdigest() == descriptor["digest"].partition(":")[2]
        self.seen.add(name)
        return data


@pytest.fixture(scope="session")
def archive():
    """build/tarcap.oci.tar, as 'make image' makes it."""
    sh("make", f"BUILD={BUILD}", str(BUILD / "tarcap.oci.tar"), timeout=1200)
    return BUILD / "tarcap.oci.tar"
