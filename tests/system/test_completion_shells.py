"""Completion in zsh and fish: made of the one for bash, and tried in the real shells."""

import subprocess

import pytest

from process import TOP, sh
from terminal import Terminal


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_they_are_made_of_the_one_for_bash(shell):
    assert sh("image/completions", shell).stdout == (TOP / f"src/tarcap.{shell}").read_text(), \
        f"type: image/completions {shell} >src/tarcap.{shell}"


def complete(line, directory):
    sh("image/need", "fish", timeout=300)
    done = subprocess.run(["fish", "--no-config", "-c", 'source $argv[1]; complete -C "$argv[2]"', str(TOP / "src/tarcap.fish"), line],
                          capture_output=True, text=True, timeout=20, cwd=directory)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return sorted(done.stdout.split())


def of_bash(call, *words):
    done = subprocess.run(["bash", "--norc", "-uc", f'complete() {{ :; }}; source "$1"; shift; {call} "$@"', "bash",
                           TOP / "src/tarcap.bash", *words], capture_output=True, text=True, timeout=10)
    return done.stdout.split()


@pytest.mark.parametrize("command", ["", "join", "summary", "hold", "snapshot", "stop", "check", "help"])
def test_flags_in_fish(tmp_path, command):
    long = sorted(flag for flag in of_bash("_tarcap_flags", command or "capture") if flag.startswith("--") and flag != "--")
    assert complete(f"tarcap {command} --", tmp_path) == long and long


def test_values_and_files_in_fish(tmp_path):
    (tmp_path / "my.tar").touch()
    assert complete("tarcap --compress ", tmp_path) == ["none", "zstd"]
    assert complete("tarcap --until re", tmp_path) == ["reset"]
    assert complete("tarcap summ", tmp_path) == ["summary"]
    assert {"lo", "all", "any"} <= set(complete("tarcap -i ", tmp_path))
    assert complete("tarcap -i lo tcp po", tmp_path) == ["port", "portrange"]
    for words in ("-r", "-w", "join", "summary --json"):
        assert complete(f"tarcap {words} my", tmp_path) == ["my.tar"], words


def test_in_zsh(tmp_path):
    sh("image/need", "zsh", timeout=300)
    (tmp_path / "old.tar").touch()
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions/_tarcap").symlink_to(TOP / "src/tarcap.zsh")
    zsh = Terminal(tmp_path, "zsh", "-f", "-i")
    try:
        zsh.type("unset zle_bracketed_paste; unsetopt prompt_sp; fpath=(functions $fpath); print one\n", r"\none\r?\n")
        zsh.type("PS1='$ '; autoload -Uz compinit; compinit -u -D; print ready\n", r"\nready\r?\n")
        zsh.type("tarcap --compr\tz\t", r"--compress [\b ]*zstd\s*$")
        zsh.type("-r ol\t", r"-r old\.tar\s*$")
        zsh.type("\x15tarcap summ\t", r"summary\s*$")
        zsh.type("--js\t", r"--json\s*$")
        zsh.type("ol\t", r"old\.tar\s*$")
        zsh.type("\x15tarcap snapshot --resu\t", r"--resume\s*$")
        zsh.type("\x15tarcap -i lo tcp portr\t", r"portrange\s*$")
    finally:
        zsh.close()
