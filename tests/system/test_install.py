"""make install, uninstall and install-extcap: all that is for people, where their programs look for it."""

import os
import subprocess

import pytest

from images import LICENCES
from process import BUILD, TOP, sh

PROFILES = TOP / "image/root/usr/share/tarcap/wireshark"
PROGRAMS = {"bin/tarcap": BUILD / "tarcap", "bin/kubectl-tarcap": "k8s/kubectl-tarcap",
            "bin/kubectl_complete-tarcap": "k8s/kubectl_complete-tarcap",
            "lib/wireshark/extcap/tarcap-extcap": "k8s/tarcap-extcap"}
TEXTS = {"share/man/man1/tarcap.1": "src/tarcap.1", "share/bash-completion/completions/tarcap": "src/tarcap.bash",
         "share/zsh/site-functions/_tarcap": "src/tarcap.zsh", "share/fish/vendor_completions.d/tarcap.fish": "src/tarcap.fish",
         **{f"share/wireshark/profiles/{path.relative_to(PROFILES)}": path for path in PROFILES.rglob("*") if path.is_file()}}
INSTALLED_LICENCES = [f"share/licenses/tarcap/{name}/{file}" for name, files in LICENCES.items() for file in files]


def files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


@pytest.mark.parametrize("prefix", [None, "/usr"])
def test_install_and_uninstall(tmp_path, prefix):
    more = [f"DESTDIR={tmp_path}", *([f"PREFIX={prefix}"] if prefix else [])]
    sh("make", "-s", "install", *more, timeout=600)
    below = tmp_path / (prefix or "/usr/local").lstrip("/")
    assert files(below) == sorted([*PROGRAMS, *TEXTS, *INSTALLED_LICENCES]) and len(files(below)) == len(files(tmp_path))
    for mode, there in ((0o755, PROGRAMS), (0o644, TEXTS)):
        for path, source in there.items():
            assert (below / path).read_bytes() == (TOP / source).read_bytes(), path
            assert os.stat(below / path).st_mode & 0o7777 == mode and not (below / path).is_symlink(), path
    (below / "share/wireshark/profiles/mine").touch()
    sh("make", "-s", "uninstall", *more)
    assert files(below) == ["share/wireshark/profiles/mine"]
    assert sh("make", "-s", "uninstall", *more).stderr == ""  # twice is no fault


def test_install_where_wireshark_has_its_programs(tmp_path):
    sh("make", "-s", "install", f"DESTDIR={tmp_path}", "EXTCAPDIR=/usr/lib/there/extcap", timeout=600)
    assert (tmp_path / "usr/lib/there/extcap/tarcap-extcap").exists() and not (tmp_path / "usr/local/lib").exists()


def test_extcap_program_comes_into_both_personal_folders(tmp_path):
    """That of Wireshark before 4.4, and that since."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("XDG_")}
    done = subprocess.run(["make", "-s", "install-extcap"], cwd=TOP, text=True, capture_output=True, timeout=60,
                          env={**environment, "HOME": str(tmp_path)})
    paths = [tmp_path / folder / "wireshark/extcap/tarcap-extcap" for folder in (".config", ".local/lib")]
    assert done.returncode == 0 and done.stdout.split() == [str(path) for path in paths], done.stderr
    for path in paths:
        assert path.read_bytes() == (TOP / "k8s/tarcap-extcap").read_bytes() and os.access(path, os.X_OK)
