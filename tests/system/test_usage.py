"""What is typed wrong, what is refused, and what is printed and not captured."""

import json
import os
import re
import shutil
import stat
import subprocess
import tempfile

import pytest

from archive import Archive, pcap_file
from capture import Capture, run
from process import TARCAP, sh, wait_until
from wire import frame


def refused(result, status, *words):
    """One line, on stderr, that names what is wrong."""
    assert result.status == status, (result.status, result.err)
    assert len(result.err) == 1, result.err
    assert result.err[0].startswith("tarcap: ")
    assert result.out == b""
    for word in words:
        assert word in result.err[0], result.err


# --- flags and numbers ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("flag", ["-k", "-j", "-1", "-?", "--nosuch", "--nosuch=5", "-", "--promiscuous=1", "--d",
                                  "-\u00e9"])
def test_unknown_flag(flag):
    refused(run(flag), 2)


@pytest.mark.parametrize("arguments", [
    ["-k\nx"], ["--no\nsuch"], ["-\n"], ["-c", "1\n"], ["--name", "a\nb"], ["-i", "a\nb"], ["-Q", "in\n"],
    ["-d", "tcp\nport\nx"], ["-d", "tcp port 80 and\nnot\nvalid here"], ["-F", "no\nsuch"], ["-r", "no\nsuch"],
    ["-d", "\x1b[31mred"], ["--name", "a\x1b[31m"], ["-i", "a\x07b"], ["-c", "\r5"], ["-w", "a\nb.pcap"]])
def test_control_characters_do_not_come_back(arguments):
    """An echo of what was typed stays one line and does nothing to the terminal."""
    result = run(*arguments)
    assert result.status in (1, 2)
    refused(result, result.status)
    assert not re.search("[\x00-\x1f\x7f]", result.err[0]), result.err


@pytest.mark.parametrize("flag", ["-i", "-F", "-s", "-Q", "-c", "--duration", "--max-bytes", "-C", "-G", "-W", "-B",
                                  "--memory", "-w", "-r", "-y", "--name", "--stdin", "--stall", "-Z"])
def test_missing_argument(flag):
    refused(run(flag), 2, flag)
    if flag.startswith("--"):
        refused(run(flag + "="), 2, flag)
    else:
        refused(run(flag, "") if flag != "-Z" else run(flag), 2, flag)


NUMBERS = {
    "-s": ["262145", "-1"],
    "-c": [],
    "--duration": ["0.0001", "367d", "8785h", "1m30", "30s1m", "1.", "ms", "1w"],
    "--max-bytes": ["1T", "k", "9999999999G"],
    "-C": ["0", "257M", "0k"],
    "-G": ["0", "99ms", "169h"],
    "-W": ["0", "4294967296"],
    "-B": ["0", "2047", "1048577", "1M", "2049M", "2048.5"],
    "--memory": ["0", "1", "2047k", "1025M", "2G"],
    "--stall": ["8785h", "1,5s"],
}
GARBAGE = ["", "-1", "+1", "1x", " 1", "1 ", "1e3", "0x10", "99999999999999999999", "18446744073709551616", "1kk",
           "1 k", "\u0661", "ten", "--", "18446744073709551615G", "1MM", "1iB"]


@pytest.mark.parametrize("flag", NUMBERS)
def test_numbers(flag):
    """Each names the flag, the value, and what is allowed."""
    for value in GARBAGE + NUMBERS[flag]:
        result = run(flag, value)
        refused(result, 2, flag, value)
        assert "allowed" in result.err[0]


@pytest.mark.parametrize("arguments", [
    ["-s", "0"], ["-s", "1"], ["-s", "262144"], ["-c", "0"], ["-c", "1"], ["--duration", "0"], ["--duration", "1ms"],
    ["--duration", "8784h"], ["--max-bytes", "0"], ["--max-bytes", "1k"], ["-C", "1"], ["-C", "4M"],
    ["-C", "1k"], ["-C", "4m"], ["-G", "100ms"], ["-G", "168h"], ["-W", "1"], ["-W", "4294967295"], ["-B", "2048"],
    ["-B", "1048576"], ["--memory", "2M"], ["--memory", "1G"], ["--memory", "1024M"], ["--stall", "0"],
    ["--stall", "1ms"], ["--segment-size", "1M"], ["--segment-size=1M"], ["-c5"], ["-s96"], ["--snapshot-length=96"],
    ["--buffer-size=4096"], ["-c", "007"], ["--duration", "1d"], ["--duration", "1m30s"],
    ["--duration", "1.5m"], ["--duration", "0.5"], ["--stall", "90sec"], ["--memory", "10MB"], ["--memory", "10MiB"],
    ["--memory", "16Mi"], ["-C", "2MiB"], ["-C", "1.5"], ["-B", "32M"], ["--max-bytes", "1.5G"]])
def test_good_numbers(tmp_path, arguments):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(0, 0, frame(0))]))
    run("-r", path, *arguments, env={"TARCAP_MAX_MEMORY": "2G"}).whole()


def test_bare_c_is_millions_as_in_tcpdump(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(0, 0, frame(0))]))
    for text, size in (("1", 10**6), ("2M", 2 << 20), ("300k", 300 << 10)):
        assert run("-r", path, "-C", text).whole().capture["memory"]["segment_bytes"] == size


def test_segment_size_above_a_quarter_of_memory():
    refused(run("-C", "5M"), 2, "-C", "4M")
    refused(run("--memory", "4M", "-C", "1025k"), 2, "-C", "1M")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "a b", "\u00e9", "x" * 65, "*"])
def test_bad_name(name):
    refused(run("--name", name), 2, "--name")


@pytest.mark.parametrize("name", ["a", "x" * 64, "A-z.0_9", "...", "-a"])
def test_good_name(tmp_path, name):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(0, 0, frame(0))]))
    assert run("-r", path, "--name", name).whole().names[0] == f"{name}/capture.json"


@pytest.mark.parametrize("arguments, words", [
    (["-w", "x.pcap"], ["-w", "x.pcap", "tar"]),
    (["-w", "dir/x.pcapng"], ["-w", "x.pcapng", "tar"]),
    (["-i", "eth0", "-r", "x"], ["-i", "-r"]),
    (["-Q", "both"], ["-Q", "both"]),
    (["-Q", ""], ["-Q"]),
    (["--stdin", "no"], ["--stdin", "no"]),
    (["-i", "any", "-i", "lo"], ["-i any", "combined"]),
    (["-i", "lo", "-i", "all"], ["-i all", "combined"]),
    (["-i", "all", "--raw"], ["--raw", "one link type"]),
    (["-i", "lo", "-i", "tc0", "--raw"], ["--raw", "one link type"]),
    (["-i", "lo", "-Q", "out"], ["-Q"]),
])
def test_what_does_not_go_together(arguments, words):
    refused(run(*arguments), 2, *words)


@pytest.mark.parametrize("flag", ["-A", "-x", "-X", "-e", "-t", "-S", "-xx", "-XX", "-tttt", "-nne", "-z"])
def test_printing_flags_are_refused_with_advice(flag):
    result = run(flag, *(["gzip"] if flag == "-z" else []))
    refused(result, 2)
    assert "tcpdump -r" in result.err[0] or "pipe" in result.err[0]


def test_harmless_flags(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(0, 0, frame(0))]))
    for flags in (["-n"], ["-nn"], ["-U"], ["-l"], ["-K"], ["-Z", "root"], ["--immediate-mode"], ["-p"], ["-nUlKp"],
                  ["--packet-buffered"], ["--dont-verify-checksums"], ["--no-promiscuous-mode"], ["-v"], ["-vvv"],
                  ["--relinquish-privileges=root"]):
        run("-r", path, *flags).whole()


def test_quiet(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(0, 0, frame(0))]))
    assert run("-q", "-r", path).err == []


# --- filters ----------------------------------------------------------------------------------------------------

BAD_FILTERS = [["no", "such", "word"], ["port"], ["tcp port 99999"], ["host 300.1.1.1"], ["("], ["tcp &&"],
               ["port", "-1"], ["\u00e9"], ["x" * 500]]


@pytest.mark.parametrize("words", BAD_FILTERS)
@pytest.mark.parametrize("dump", [False, True])
def test_bad_filter(tmp_path, words, dump):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(0, 0, frame(0))]))
    result = run(*(["-d"] if dump else ["-r", path]), *words)
    refused(result, 2)


@pytest.mark.parametrize("words", [["ip6 protochain 6"], ["ip", "protochain", "6"], ["udp or protochain 6"]])
def test_filter_that_a_packet_can_keep_busy_for_ever(wire, tmp_path, words):
    """An authentication header that is followed by itself: CVE-2026-6554."""
    path = tmp_path / "x.pcap"
    looping = bytes(12) + b"\x86\xdd\x60\0\0\0\0\x18\x33\x40" + bytes(32) + b"\x33\x08" + bytes(22)
    path.write_bytes(pcap_file([(1, 0, looping)]))
    assert "AH" in sh("tcpdump", "-nr", path).stdout
    refused(run("-r", path, *words), 2, "protochain", "not offered")
    refused(run("-d", *words), 2, "protochain", "not offered")
    refused(run("-i", "tc0", *words, namespace=wire.b), 2, "protochain", "not offered")


def test_bad_filter_live(wire):
    for words in BAD_FILTERS + [["host nosuch.invalid"]]:
        refused(run("-i", "tc0", *words, namespace=wire.b), 2, "filter")


def test_bad_filter_is_not_blamed_on_words_nobody_typed(wire):
    result = run("-i", "tc0", "-Q", "out", "tcp portt 5", namespace=wire.b)
    refused(result, 2, "tcp portt 5")
    assert "outbound" not in result.err[0]


def test_bad_filter_is_not_mended_by_our_brackets(wire):
    refused(run("-i", "tc0", "-Q", "out", "tcp) or (udp", namespace=wire.b), 2, "tcp) or (udp")


@pytest.mark.parametrize("path", ["nosuch", ".", "/proc/self/mem"])
def test_bad_filter_file(tmp_path, path):
    result = run("-d", "-F", path, cwd=tmp_path)
    assert result.status in (1, 2)
    refused(result, result.status, "-F", path)


def test_filter_too_long_to_read(tmp_path):
    (tmp_path / "f").write_text("udp or " * 30_000 + "udp")
    refused(run("-d", "-F", tmp_path / "f"), 2, "-F")
    refused(run("-d", "udp or " * 15_000, "udp or " * 15_000, "udp"), 2)


@pytest.mark.parametrize("text", ['udp and not host 1.2.3.4 or "x"', "tcp\\", "\u20ac", b"tcp \xff\xfe"])
def test_odd_filter_text_cannot_break_the_json(tmp_path, text):
    """Such a text is hardly a filter; in a comment of -F it is blanked."""
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(0, 0, frame(0))]))
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "f").write_bytes(b"udp or not udp # " + data + b"\n")
    archive = run("-r", path, "-F", tmp_path / "f").whole()
    assert archive.capture["filter"].split() == ["udp", "or", "not", "udp"]
    refused(run("-r", path, data), 2)


@pytest.mark.parametrize("name", [b'a"b.pcap', b"a\\b.pcap", b"a\xff\xfeb.pcap", b"a\tb.pcap", "\u20ac.pcap".encode()])
def test_odd_paths_cannot_break_the_json(tmp_path, name):
    path = os.path.join(os.fsencode(tmp_path), name)
    with open(path, "wb") as file:
        file.write(pcap_file([(0, 0, frame(0))]))
    done = subprocess.run([TARCAP, "-r", path], stdin=subprocess.DEVNULL, capture_output=True, timeout=10)
    assert done.returncode == 0
    Archive(done.stdout).check()


# --- interfaces and permission ----------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["nosuch0", "x" * 200, "lo:1", "tc0 ", "\u00e9", "../lo", "%s%n"])
def test_no_such_interface(wire, name):
    refused(run("-i", name, namespace=wire.b), 1)


def test_no_such_interface_names_those_there_are(wire):
    refused(run("-i", "nosuch0", namespace=wire.b), 1, "nosuch0", "tc0", "lo")


@pytest.fixture
def for_all():
    """The binary where every user can run it."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield shutil.copy(TARCAP, directory)


@pytest.mark.parametrize("interface", [[], ["-i", "tc0"], ["-i", "lo"]])
def test_no_permission(wire, for_all, interface):
    wire.ip(wire.b, "link", "set", "lo", "up")
    done = sh("nsenter", f"--net=/run/netns/{wire.b}", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
              "--inh-caps=-all", "--bounding-set=-all", for_all, *interface, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "NET_RAW" in done.stderr, done.stderr


def test_net_raw_is_enough(wire, for_all):
    capture = Capture(wire, before=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                    "--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw",
                                    "--bounding-set=-all,+net_raw"], binary=for_all)
    wire.send([frame(7)])
    assert capture.end().whole().numbers() == [7]


def test_no_permission_needed_to_read_or_to_print(for_all):
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", for_all]
    for arguments in (["--help"], ["--version"], ["-d", "tcp"], ["-D"]):
        assert sh(*nobody, *arguments).stderr == ""
    done = subprocess.run([*nobody, "-r", "-"], input=pcap_file([(0, 0, frame(3))]), capture_output=True, timeout=10)
    assert done.returncode == 0 and Archive(done.stdout).check().numbers() == [3]


# --- printing ---------------------------------------------------------------------------------------------------

def test_help():
    result = run("--help")
    assert result.status == 0 and result.err == []
    text = result.out.decode()
    assert text == run("-h").out.decode()
    for flag in list(NUMBERS) + ["-i", "-r", "-w", "--name", "--stdin", "-F", "-Q", "-D", "-d", "--version"]:
        assert re.search(rf"(^|\s){flag}\b", text), flag


def test_version():
    result = run("--version")
    assert result.status == 0 and result.err == []
    for name in ("tarcap ", "libpcap", "libarchive", "jansson", "libsodium", "musl"):
        assert re.search(rf"{name}\s*(version )?\d+\.\d+", result.out.decode()), name
    assert re.search(r"^commit ([0-9a-f]{40,}(-modified)?|unknown)$", result.out.decode(), re.M)


def test_list_interfaces_as_tcpdump(wire):
    """The same lines but for the devices that are no interfaces, such as any or nflog; so the numbers differ."""
    wire.ip(wire.b, "link", "set", "lo", "up")
    wire.ip(wire.b, "link", "add", "tc8", "type", "veth", "peer", "tc9")

    def listed(text):
        return [row for row in (re.sub(r"^\d+\.", "", line) for line in text.splitlines())
                if re.match(r"(lo|tc\d)\b", row)]
    # An interface counts as running a moment after its peer came up.
    wait_until(lambda: "state UP" in wire.ip(wire.b, "link", "show", "tc0").stdout)
    ours = run("-D", namespace=wire.b)
    theirs = sh("nsenter", f"--net=/run/netns/{wire.b}", "tcpdump", "-D").stdout
    assert ours.status == 0 and ours.err == []
    assert listed(ours.out.decode()) == listed(theirs)
    assert len(listed(theirs)) == 4
    assert [line.split(".")[0] for line in ours.out.decode().splitlines()] == ["1", "2", "3", "4"]
    assert run("--list-interfaces", namespace=wire.b).out == ours.out


@pytest.mark.parametrize("level", ["-d", "-dd", "-ddd"])
@pytest.mark.parametrize("words", ["", "tcp", "tcp port 443", "not tcp port 22", "host 10.1.2.3 and udp",
                                   "port http or port https", "vlan and ip6", "ether[0] & 1 != 0",
                                   "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "net 10.0.0.0/8", "less 100",
                                   "tcp port 1883 and host 192.168.1.100"])
def test_compiled_filter_as_tcpdump(level, words):
    ours = run(level, words)
    assert ours.status == 0 and ours.err == []
    assert ours.out.decode() == sh("tcpdump", "-y", "EN10MB", level, words).stdout


def test_compiled_filter_for_a_snaplen_and_a_file(tmp_path):
    assert run("-d", "-s", 96, "tcp").out.decode() == sh("tcpdump", "-y", "EN10MB", "-s", "96", "-d", "tcp").stdout
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([], linktype=101))
    assert run("-d", "-r", path, "tcp").out.decode() == sh("tcpdump", "-r", path, "-d", "tcp").stdout


@pytest.mark.parametrize("words", ["tcp port 80 and tcp port 80", "", "host 10.1.2.3 and not arp"])
def test_filter_that_is_not_optimized_as_tcpdump(words):
    ours = run("-O", "-d", words)
    assert ours.status == 0 and ours.err == []
    assert ours.out.decode() == sh("tcpdump", "-y", "EN10MB", "-O", "-d", words).stdout
    assert run("--no-optimize", "-d", words).out == ours.out
    assert (ours.out == run("-d", words).out) == (words == "")


@pytest.mark.parametrize("link_type", ["EN10MB", "RAW", "linux_sll", "LINUX_SLL2"])
def test_filter_compiled_for_a_link_type_as_tcpdump(link_type):
    ours = run("-d", "-y", link_type, "tcp port 80")
    assert ours.status == 0 and ours.err == []
    assert ours.out.decode() == sh("tcpdump", "-y", link_type, "-d", "tcp port 80").stdout
    assert run("--linktype", link_type, "-d", "tcp port 80").out == ours.out


# --- link types -------------------------------------------------------------------------------------------------

def test_link_types_as_tcpdump(wire):
    """The same lines, but nothing about which of them tcpdump could print."""
    wire.ip(wire.b, "link", "set", "lo", "up")
    wire.ip(wire.b, "tuntap", "add", "tc8", "mode", "tun")
    wire.ip(wire.b, "link", "set", "tc8", "up")
    for interface in (["-i", "tc0"], ["-i", "lo"], ["-i", "tc8"], ["-i", "any"], []):
        ours = run("-L", *interface, namespace=wire.b)
        theirs = sh("nsenter", f"--net=/run/netns/{wire.b}", "tcpdump", "-L", *interface)
        assert (ours.status, ours.err) == (0, [])
        listed = theirs.stdout + theirs.stderr  # which of them depends on its version
        assert ours.out.decode() == listed.replace(" (printing not supported)", "")
        assert run("--list-data-link-types", *interface, namespace=wire.b).out == ours.out
    assert b"RAW" in run("-L", "-i", "tc8", namespace=wire.b).out
    both = run("-L", "-i", "tc0", "-i", "tc8", namespace=wire.b).out
    assert both == b"".join(run("-L", "-i", name, namespace=wire.b).out for name in ("tc0", "tc8"))
    refused(run("-L", "-i", "nosuch0", namespace=wire.b), 1, "nosuch0")


def test_capture_of_a_link_type(wire):
    """It is what the files say of themselves; the frames are the same."""
    capture = Capture(wire, "-y", "docsis")
    wire.send([frame(7)])
    result = capture.end()
    archive = result.whole()
    assert archive.numbers() == [7]
    assert {file.data[20:24] for file in archive.files} == {b"\x8f\0\0\0"}
    assert result.said("listening on tc0 (no address), link-type DOCSIS (DOCSIS)")


def test_first_version_of_linux_cooked(wire):
    """any is captured in the second unless one asks for the first."""
    capture = Capture(wire, "-i", "any", "-y", "LINUX_SLL", "ether proto 0x88b5")
    wire.send([frame(7)])
    archive = capture.end().whole()
    [record] = archive.records
    assert {file.linktype for file in archive.files} == {113}
    assert record.data[14:16] == b"\x88\xb5" and record.data[16:] == frame(7)[14:]


@pytest.mark.parametrize("name", ["RAW", "nosuch", "EN10MB "])
def test_link_type_that_the_interface_has_not(wire, name):
    refused(run("-i", "tc0", "-y", name, namespace=wire.b), 2, "-y/--linktype", "EN10MB, DOCSIS")
    if name != "RAW":
        refused(run("-d", "-y", name, "tcp"), 2, "-y/--linktype", "EN10MB")


def test_link_type_of_a_file(tmp_path):
    """tcpdump ignores both there."""
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(0, 0, frame(0))]))
    refused(run("-y", "EN10MB", "-r", path), 2, "-y/--linktype", "-r")
    refused(run("-L", "-r", path), 2, "-L/--list-data-link-types", "-r")


# --- the rest ---------------------------------------------------------------------------------------------------

def test_output_that_cannot_be_written():
    """Half a help text with status 0 would be a lie."""
    with open("/dev/full", "w") as full:
        for flag in ("--help", "--version", "-D"):
            done = subprocess.run([TARCAP, flag], stdout=full, stderr=subprocess.PIPE, timeout=5)
            assert done.returncode == 1, flag


def test_the_binary_is_static_and_needs_nothing():
    assert stat.S_IMODE(os.stat(TARCAP).st_mode) & 0o111
    headers = sh("readelf", "-ld", TARCAP).stdout
    assert "INTERP" not in headers and "NEEDED" not in headers


def test_environment_is_not_read(tmp_path):
    """Neither getopt's POSIXLY_CORRECT nor a time zone changes anything."""
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(1_800_000_000, 0, frame(0))]))
    names = [run("-r", path, env=env).whole().names for env in
             ({}, {"TZ": "Asia/Tokyo", "LC_ALL": "de_DE.UTF-8", "POSIXLY_CORRECT": "1", "COLUMNS": "1"})]
    assert names[0] == names[1] and "20270115080000" in names[0][1]


def test_words_after_the_filter_begins_are_filter(tmp_path):
    """As in tcpdump: 'udp -c 1' is no limit."""
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(0, 0, frame(0))]))
    refused(run("-r", path, "udp", "-c", "1"), 2)
    assert run("-r", path, "--", "udp").status == 0


def test_large_ids_are_what_they_are(tmp_path):
    """User namespaces are given ranges above 2^31; no id is negative."""
    with tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o755)
        program = shutil.copy(TARCAP, home)
        done = subprocess.run(["setpriv", "--reuid", "3000000000", "--regid", "3000000001", "--clear-groups", program,
                               "-r", "-"], input=pcap_file([(0, 0, frame(0))]), capture_output=True, timeout=20)
        checked = subprocess.run(["setpriv", "--reuid", "3000000000", "--regid", "3000000001", "--clear-groups", program,
                                  "check", "-i", "nosuch"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    assert Archive(done.stdout).check().capture["user"] == {"uid": 3000000000, "gid": 3000000001}
    assert "3000000000:3000000001" in checked.stdout


def test_capture_json_records_what_was_asked(wire):
    capture = Capture(wire, "-s", 77, "-Q", "in", "--name", "web", "--duration", "90s", "-c", 5, "-W", 9, "-G", 3,
                      "--max-bytes", "1k", "udp", "port", "5000")
    archive = capture.end().whole()
    asked = archive.capture
    assert asked["filter"] == "udp port 5000" and asked["direction"] == "in" and asked["name"] == "web"
    assert asked["interfaces"][0] == {"name": "tc0", "link_type": "EN10MB", "link_type_number": 1, "snapshot_length": 77,
                                  "headers": False, "time_stamp_precision": "micro"}
    assert asked["limits"] == {"duration_seconds": 90, "max_bytes": 1024, "packets": 5, "segments": 9}
    assert asked["segment_seconds"] == 3 and asked["source"] == "interface"
    assert json.dumps(asked["limits"]) == json.dumps(archive.manifest["limits"])
