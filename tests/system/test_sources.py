"""Where the libraries' sources come from on a day when the archive is not in order: image/sources on an archive of our own.

It is small, signed by a key of its own, and served from a directory by HTTP; what is wrong with it is one thing a test.
"""

import hashlib
import http.server
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from process import TOP, merged

NAMES = ["musl", "libpcap", "libarchive", "libzstd", "jansson", "libsodium"]
OLD, NEW = "1.0-1", "1.0-1+deb13u1"


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    """Signs a text; .ring is what verifies that."""
    assert merged(TOP / "image/need", "gnupg:gpg").returncode == 0
    home = tmp_path_factory.mktemp("gnupg")
    home.chmod(0o700)

    def gpg(*arguments, **more):
        return subprocess.run(["gpg", "--homedir", home, "--batch", "--quiet", *arguments], check=True,
                              capture_output=True, timeout=60, **more).stdout

    gpg("--passphrase", "", "--quick-generate-key", "archive@example.org", "default", "default", "never")

    def sign(text):
        return gpg("--clearsign", input=text.encode()).decode()
    sign.ring = home / "ring.gpg"
    sign.ring.write_bytes(gpg("--export"))
    yield sign
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], capture_output=True)


class Archive:
    """The release has OLD of every package; the security archive NEW of libzstd and musl."""

    def __init__(self, top, sign):
        self.top, self.sign = top, sign
        self.missing, self.cut = set(), set()  # names of files: not there; of which half comes
        self.ends = set()  # half of these comes, and then the network is gone
        self.suites = {"debian/dists/trixie": {}, "security/dists/trixie-security": {}}
        for name in NAMES:
            self.add("debian/dists/trixie", name, OLD)
        for name in ("libzstd", "musl"):
            self.add("security/dists/trixie-security", name, NEW)

    def add(self, suite, name, version):
        files = {f"{name}_{version}.dsc": f"Format: 3.0 (quilt)\nSource: {name}\nVersion: {version}\n",
                 f"{name}_1.0.orig.tar.xz": f"{name} 1.0\n" * 500, f"{name}_{version}.debian.tar.xz": version}
        pool = self.top / suite.partition("/")[0] / "pool" / name
        pool.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (pool / file).write_text(text)
        self.suites[suite][name, version] = files

    def paragraph(self, name, version, files):
        def listed(algorithm):
            return "".join(f"\n {hashlib.new(algorithm, text.encode()).hexdigest()} {len(text)} {file}"
                           for file, text in files.items())
        return (f"Package: {name}\nBinary: {name}\nVersion: {version}\nFormat: 3.0 (quilt)\nDirectory: pool/{name}\n"
                f"Files:{listed('md5')}\nChecksums-Sha256:{listed('sha256')}\n")

    def publish(self):
        for suite, packages in self.suites.items():
            sources = "\n".join(self.paragraph(*key, files) for key, files in packages.items())
            place = self.top / suite / "main/source/Sources"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(sources)
            release = (f"Origin: Debian\nSuite: stable\nCodename: {suite.rpartition('/')[2]}\n"
                       "Date: Thu, 01 Jan 2026 00:00:00 UTC\nArchitectures: amd64 arm64\nComponents: main\nSHA256:\n"
                       f" {hashlib.sha256(sources.encode()).hexdigest()} {len(sources)} main/source/Sources\n")
            (self.top / suite / "InRelease").write_text(self.sign(release))

    def serve(self):
        archive = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=str(archive.top))

            def log_message(self, *_):
                pass

            def do_GET(self):
                name = self.path.replace("%2b", "+").rpartition("/")[2]
                if name in archive.missing:
                    self.send_error(404)
                elif name in archive.cut | archive.ends:
                    data = Path(self.translate_path(self.path)).read_bytes()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data[:len(data) // 2])
                    self.close_connection = True
                    if name in archive.ends:
                        self.server.socket.close()  # from now on connections are refused
                else:
                    super().do_GET()

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


@pytest.fixture
def archive(tmp_path, key):
    made = Archive(tmp_path / "archive", key)
    server = made.serve()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    state = tmp_path / "machine"  # what the machine's own apt is set to; apt-get update has never run there
    (state / "lists/partial").mkdir(parents=True)
    (state / "sources.list").write_text(f"deb [signed-by={key.ring}] {address}/debian trixie main\n"
                                        f"deb [signed-by={key.ring}] {address}/security trixie-security main\n")
    (state / "apt.conf").write_text(f'Dir::State "{state}";\nDir::Etc::sourcelist "{state}/sources.list";\n'
                                    'Dir::Etc::sourceparts "/dev/null";\n')
    top = tmp_path / "tree"
    (top / "image").mkdir(parents=True)
    for name in ("sources", "debian", "need"):
        shutil.copy(TOP / "image" / name, top / "image" / name)
    (top / "image/sources.lock").write_text("")
    made.build, made.lock = top / "build", top / "image/sources.lock"

    def sources(*arguments, **more):
        environment = {**os.environ, "APT_CONFIG": str(state / "apt.conf"), "DEBIAN_KEYRING": str(key.ring),
                       "BUILD": str(made.build), "no_proxy": "127.0.0.1", **more}
        environment.pop("http_proxy", None)
        return merged(top / "image/sources", *arguments, env=environment)
    made.sources = sources
    made.publish()
    yield made
    server.shutdown()


def versions(archive):
    return dict(line.split() for line in (archive.build / "sources/versions").read_text().splitlines())


def test_sources_of_a_tarcap_with_fewer_libraries_are_fetched_anew(archive):
    assert archive.sources("fetch").returncode == 0
    known = archive.build / "sources/versions"
    known.write_text("".join(line + "\n" for line in known.read_text().splitlines() if not line.startswith("libsodium")))
    assert archive.sources("fetch").returncode == 0
    assert list(versions(archive)) == NAMES


def test_newest_version_is_taken_and_what_was_tested_last_is_named(archive):
    done = archive.sources("fetch")
    assert done.returncode == 0, done.stdout
    assert versions(archive) == {"musl": NEW, "libpcap": OLD, "libarchive": OLD, "libzstd": NEW, "jansson": OLD,
                                 "libsodium": OLD}
    assert archive.sources("lock").returncode == 0
    assert archive.sources("compare").stdout == ""
    assert len(archive.lock.read_text().splitlines()) == 3 * len(NAMES)
    archive.lock.write_text(archive.lock.read_text().replace(NEW, "0.9-1"))
    differs = archive.sources("compare")
    assert differs.returncode == 1
    assert f"libzstd is {NEW}; image/sources.lock, the last tested set, has 0.9-1" in differs.stdout


@pytest.mark.parametrize("kind", ["missing", "cut", "wrong"])
def test_next_older_version_is_taken_where_the_newest_cannot_be_had(archive, kind):
    if kind == "wrong":
        (archive.top / f"security/pool/libzstd/libzstd_{NEW}.debian.tar.xz").write_text("1.0-1+deb13uX")
    else:
        getattr(archive, kind).add(f"libzstd_{NEW}.debian.tar.xz")
    done = archive.sources("fetch")
    assert done.returncode == 0, done.stdout
    [line] = re.findall(r"^sources: libzstd .* is listed.*", done.stdout, re.M)
    assert f"libzstd {NEW} is listed, but can't be fetched (" in line and line.endswith(f"; taking {OLD}")
    assert {"missing": "404", "cut": "libzstd_", "wrong": "Hash Sum mismatch"}[kind] in line
    assert versions(archive)["libzstd"] == OLD and versions(archive)["musl"] == NEW
    kept = {path.name for path in (archive.build / "sources").glob("libzstd*")}
    assert kept == {f"libzstd_{OLD}.dsc", "libzstd_1.0.orig.tar.xz", f"libzstd_{OLD}.debian.tar.xz"}


def test_nothing_is_left_when_no_version_can_be_had(archive):
    archive.missing |= {f"libzstd_{NEW}.dsc", f"libzstd_{OLD}.dsc"}
    done = archive.sources("fetch")
    assert done.returncode == 1
    assert f"libzstd {NEW} is listed" in done.stdout and f"libzstd {OLD} is listed" in done.stdout
    assert "try again later, or name another mirror" in done.stdout
    assert not (archive.build / "sources").exists()
    archive.missing.clear()  # and the next try begins anew
    assert archive.sources("fetch").returncode == 0 and versions(archive)["libzstd"] == NEW


def test_archive_with_a_wrong_signature_is_not_used(archive):
    release = archive.top / "security/dists/trixie-security/InRelease"
    release.write_text(release.read_text().replace("Codename: trixie-security", "Codename: Trixie-security"))
    done = archive.sources("fetch")
    assert done.returncode == 1
    assert "its signature is wrong" in done.stdout
    assert not (archive.build / "sources").exists()


@pytest.mark.parametrize("file", ["Sources", f"libarchive_{OLD}.debian.tar.xz"])
def test_nothing_is_left_when_the_network_ends_half_way(archive, file):
    archive.ends.add(file)
    done = archive.sources("fetch")
    assert done.returncode == 1 and "try again" in done.stdout
    assert not (archive.build / "sources").exists()


def test_locked_set_is_taken_although_there_is_a_newer_one(archive):
    archive.missing.add(f"libzstd_{NEW}.dsc")
    assert archive.sources("fetch").returncode == 0
    archive.sources("lock")
    archive.missing.clear()
    archive.build.rename(archive.build.with_name("before"))
    assert archive.sources("fetch").returncode == 0 and versions(archive)["libzstd"] == NEW
    done = archive.sources("fetch", LOCKED="1")
    assert done.returncode == 1 and "is not the locked set" in done.stdout
    archive.build.rename(archive.build.with_name("newest"))
    done = archive.sources("fetch", LOCKED="1")
    assert done.returncode == 0, done.stdout
    assert versions(archive)["libzstd"] == OLD
    assert archive.sources("compare").stdout == ""


def test_locked_set_that_cannot_be_had_is_no_other_one(archive):
    assert archive.sources("fetch").returncode == 0
    archive.sources("lock")
    archive.build.rename(archive.build.with_name("before"))
    archive.missing.add(f"libzstd_{NEW}.dsc")
    done = archive.sources("fetch", LOCKED="1")
    assert done.returncode == 1
    assert f"image/sources.lock has libzstd {NEW}, which can't be fetched" in done.stdout
    assert not (archive.build / "sources").exists()


def test_file_with_another_content_than_the_locked_one_is_refused(archive):
    """Signed and listed, but under the same version something else than what was tested."""
    assert archive.sources("fetch").returncode == 0
    archive.sources("lock")
    archive.build.rename(archive.build.with_name("before"))
    archive.suites["debian/dists/trixie"]["jansson", OLD][f"jansson_{OLD}.debian.tar.xz"] = "another"
    (archive.top / f"debian/pool/jansson/jansson_{OLD}.debian.tar.xz").write_text("another")
    archive.publish()
    done = archive.sources("fetch")
    assert done.returncode == 1
    assert f"jansson {OLD} is not what image/sources.lock has: a file's SHA-256 differs" in done.stdout


def test_lock_file_names_every_library_and_every_file():
    lock = [line.split() for line in (TOP / "image/sources.lock").read_text().splitlines()]
    assert list(dict.fromkeys(entry[0] for entry in lock)) == NAMES == merged(TOP / "image/sources", "names").stdout.split()
    for name in NAMES:
        files = [file for library, _, _, file in lock if library == name]
        for end in (r"\.dsc", r"\.orig\.tar\.\wz", r"\.debian\.tar\.\wz"):
            assert any(re.search(end + "$", file) for file in files), (name, end)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for _, _, digest, _ in lock)
