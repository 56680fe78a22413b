"""Completion in bash: it knows the flags of the program, no others, and their values; tried in a real bash."""

import re
import subprocess

import pytest

from capture import run
from flags import flag_rows
from process import TOP
from terminal import Terminal
from wire import in_namespace

COMPLETION = TOP / "src/tarcap.bash"
COMMANDS = ["join", "summary", "hold", "snapshot", "stop", "check", "help"]
# As bash calls it: the words so far, cut at COMP_WORDBREAKS, the last one being completed.
CALL = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tarcap; printf "%s\\n" "${COMPREPLY[@]}"'


def complete(*words, **more):
    done = subprocess.run(["bash", "--norc", "-uc", CALL, "bash", COMPLETION, "tarcap", *words], capture_output=True,
                          text=True, timeout=10, **more)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return sorted(done.stdout.splitlines()) if done.stdout.strip() else []


WORKING = [row for row in flag_rows() if row.works]


def test_flags_of_a_capture_are_those_of_the_table():
    ours = complete("-")
    assert len(ours) == len(set(ours))
    assert set(ours) == {name for row in WORKING for name in row.names}
    assert set(complete("check", "-")) == set(ours)
    assert set(complete("hold", "--ttl", "1m", "--", "-")) == set(ours)


@pytest.mark.parametrize("command", ["join", "summary", "hold", "snapshot", "stop"])
def test_flags_of_a_command_are_those_of_its_help(command):
    text = run(command, "--help").out.decode()
    flags = {flag for line in text.splitlines() if re.match(r"\s+-", line)
             for flag in re.findall(r"(?<!\S)--?[a-z]+(?=[ ,])", re.split(r"(?<=\S)  +", line.lstrip())[0] + " ")}
    # stop has no list of flags; each command knows these two.
    assert set(complete(command, "-")) - {"--"} == flags | {"-h", "--help"}


def test_flags_with_a_value_are_those_of_the_table():
    """Behind another flag, the next word is a flag again."""
    for row in flag_rows():
        for name in row.names if row.kind != "FLAG_REFUSED" else []:
            again = "--promiscuous" in complete(name, "--prom")
            assert again == (row.argument is None), name
            assert "--promiscuous" in complete(name, *(["x"] if row.argument else []), "--prom")


def test_choices_are_those_of_the_table():
    with_choices = [row for row in WORKING if row.choices]
    assert len(with_choices) >= 5
    for names, _, argument, values, _ in with_choices:
        assert sorted(values) == sorted(argument.split("|"))
        for name in names:
            assert sorted(complete(name, "")) == sorted(values), name
            assert complete(name, values[0][:-1]) == [value for value in values if value.startswith(values[0][:-1])]
            if name.startswith("--"):  # --compress=zstd is three words for bash
                assert sorted(complete(name, "=")) == sorted(values), name
                assert values[0] in complete(name, "=", values[0][:2])


def test_link_types_exist():
    for name in complete("-y", ""):
        assert run("-d", "-y", name).status == 0, name


def test_interfaces(wire):
    # What /sys shows is of the namespace in which it was mounted.
    script = "mount -t sysfs sysfs /sys && exec \"$@\""
    done = in_namespace(wire.b, lambda: subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", "bash", "-c", CALL, "bash", COMPLETION, "tarcap", "-i", ""],
        capture_output=True, text=True, timeout=10))
    assert done.stdout.split() == ["lo", "tc0", "all", "any"], done.stderr


def test_words_and_files(tmp_path):
    (tmp_path / "a b.tar").touch()
    (tmp_path / "ab.tar").touch()
    assert set(COMMANDS) <= set(complete(""))
    assert complete("jo") == ["join"]
    assert not set(COMMANDS) & set(complete("-i", "lo", ""))
    for words in (["-r"], ["-w"], ["-F"], ["join"], ["join", "-q"], ["summary", "--json"]):
        assert complete(*words, "a", cwd=tmp_path) == ["a b.tar", "ab.tar"], words
    assert complete("-i", "lo", "tcp", "po") == ["port", "portrange"]
    assert complete("tcp", "-") == []  # in a filter a flag is none
    for words in (["-c"], ["--reason"], ["tar"], ["stop"]):
        assert complete(*words, "", cwd=tmp_path) == [], words


def test_help_takes_a_command():
    assert set(complete("help", "")) == {*COMMANDS, "tar"} and complete("help", "su") == ["summary"]
    assert complete("help", "join", "") == []


def test_commands_are_those_of_the_program():
    rows = re.search(r"commands\[\] = \{(.*?)\n\};", (TOP / "src/main.c").read_text(), re.S)[1]
    assert set(re.findall(r'\{"(\w+)",', rows)) == {*COMMANDS, "tar"}  # nobody types that one
    assert set(COMMANDS) <= set(complete(""))


# --- in a terminal ----------------------------------------------------------------------------------------------

def test_in_a_terminal(tmp_path):
    (tmp_path / "old capture.pcap").touch()
    bash = Terminal(tmp_path, "bash", "--norc", "--noprofile", "-i")
    try:
        bash.type(f"source {COMPLETION}\n", r"\$ $")
        bash.type("tarcap --compr\tz\t", r"--compress zstd $")
        bash.type("-r old\t", r"-r old\\ capture\.pcap $")
        bash.type("tc\t", r"tcp $")
        bash.type("\x15tarcap --compress=\t\t", r"none +zstd")
        # An alias for docker run completes in the same way.
        bash.type("\x15alias tarcap='docker run --rm -i tarcap'\n", r"\$ $")
        bash.type("tarcap --time-s\tn\t", r"--time-stamp-precision nano $")
        bash.type("\x15tarcap jo\t", r"tarcap join $")
    finally:
        bash.close()
