"""Memory that is short: a small stack."""

import subprocess

import pytest

import tarcap
from tarcap import Capture, numbered, pcap_file, frame, run

STACK = 64  # KiB
SMALL = ["sh", "-c", f'ulimit -s {STACK} && exec "$@"', "small"]


# --- the stack --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [[], ["--compress", "zstd", "--headers"], ["--format", "pcapng"], ["-v", "udp port 9"]])
def test_a_capture_needs_no_large_stack(wire, options):
    wire.addresses()
    capture = Capture(wire, "-i", "all", *options, before=SMALL)
    wire.ip(wire.b, "link", "add", "name", "late0", "type", "veth", "peer", "name", "late1")
    wire.ip(wire.b, "link", "set", "late0", "up")
    capture.heard("late0: came up after the start")
    wire.send(numbered(100))
    archive = capture.end().whole()
    assert archive.numbers() == ([] if "udp port 9" in options else list(range(100)))


@pytest.mark.parametrize("words", [["check", "-i", "tc0"], ["-i", "tc0", "-L"], ["-i", "tc0", "-dd", "tcp port 80"], ["-D"],
                                   ["hold", "--ttl", "100ms"], ["stop"], ["tar", "cf", "-", "/etc/hosts"],
                                   ["-i", "tc0", "--raw", "--duration", "100ms"], ["--help"], ["--version"]])
def test_nothing_else_needs_a_large_stack(wire, words):
    done = subprocess.run([*SMALL, "nsenter", f"--net=/run/netns/{wire.b}", tarcap.TARCAP, *words],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert done.returncode == 0, done


@pytest.mark.parametrize("command", [["join"], ["summary"], ["summary", "--json"], ["-r", "-"]])
def test_reading_needs_no_large_stack(command):
    packets = pcap_file([(1_700_000_000 + number * 40_000, number, frame(number, 300)) for number in range(500)])
    archive = packets if command[0] == "-r" else run("-r", "-", "--compress", "zstd", "-C", "16k", "-s", "300", stdin=packets).out
    done = subprocess.run([*SMALL, tarcap.TARCAP, *command], input=archive, capture_output=True, timeout=20)
    assert done.returncode == 0 and done.stdout, done
