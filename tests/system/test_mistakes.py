"""Mistakes that users make: each is one line, with status 2 unless said, that names what was typed and what was meant."""

import os
import re
import subprocess

import pytest

from archive import pcap_file
from capture import run
from process import TARCAP
from wire import frame

# The words typed, divided at blanks but for quotes; and what the one line has to have in it.
FLAGS = [
    ("--duraton 5m", "--duraton", "did you mean --duration?"),
    ("--durration=5m", "did you mean --duration?"),
    ("-duration 5m", "-duration", "did you mean --duration?"),
    ("-raw", "did you mean --raw?"),
    ("-version", "did you mean --version?"),
    ("-headers", "did you mean --headers?"),
    ("--interfaces eth0", "did you mean --interface?"),
    ("--iface eth0", "did you mean --interface?"),
    ("--snaplen 96", "did you mean --snapshot-length?"),
    ("--max-byte 1G --maxbytes 1G", "did you mean --max-bytes?"),
    ("--compres zstd --compresss zstd", "did you mean --compress?"),
    ("--count 5", "--count", "did you mean -c?"),
    ("--output x.tar", "did you mean -w?"),
    ("--filter 'tcp port 80'", "the filter comes last", "tarcap 'tcp port 80'"),
    ("--port 80", "the filter comes last"),
    ("--pcapng", "did you mean --format pcapng?"),
    ("--zstd", "did you mean --compress zstd?"),
    ("--gzip", "did you mean --compress zstd?"),
    ("--json", "did you mean tarcap summary --json?"),
    ("--check", "did you mean tarcap join --check?"),
    ("--ttl 1h", "did you mean tarcap hold --ttl?"),
    ("--timeout 5", "did you mean --duration?"),
    ("--s 5", "--s is ambiguous", "--snapshot-length", "--segment-size"),
    ("--raw=yes", "--raw takes no value"),
    ("-k", "unknown flag -k", "tarcap --help"),
    ("--nosuchflag", "unknown flag --nosuchflag", "tarcap --help"),
    ("join --chekc x.tar", "did you mean --check?", "tarcap join --help"),
    ("join x.tar --chek", "did you mean --check?"),
    ("summary --jsno x.tar", "did you mean --json?", "tarcap summary --help"),
    ("hold --tll 1h", "did you mean --ttl?", "tarcap hold --help"),
    ("check --duraton 5m", "did you mean --duration?"),
    ("hold -- --duraton 5m", "did you mean --duration?"),
]

LATE = [
    ("tcp port 80 -c 5", "'-c'", "options come first", "tarcap -c 5 'tcp port 80'"),
    ("tcp -nn", "tarcap -nn 'tcp'"),
    ("udp --duration 30s", "tarcap --duration 30s 'udp'"),
    ("udp --duration=30s", "tarcap --duration=30s 'udp'"),
    ("udp -s96", "tarcap -s96 'udp'"),
    ("-i lo tcp -w x.tar", "tarcap -w x.tar 'tcp'"),
    ("-- tcp -c 5", "tarcap -c 5 'tcp'"),
    ("'tcp port 80 -c 5'", "options come before the filter, and outside its quotes"),
    ("hold -- udp -c 5", "tarcap -c 5 'udp'"),
    ("check tcp -i lo", "tarcap -i lo 'tcp'"),
]

FILTERS = [
    ("tcp.port == 80", "display filter", "did you mean 'tcp port 80'?"),
    ("tcp.port==80", "did you mean 'tcp port 80'?"),
    ("'ip.addr == 10.0.0.1 && tcp.port == 80'", "did you mean 'host 10.0.0.1 && tcp port 80'?"),
    ("ip.src == 10.0.0.1", "did you mean 'src host 10.0.0.1'?"),
    ("'udp.port eq 53'", "did you mean 'udp port 53'?"),
    ("'tcp.port != 22'", "did you mean 'not tcp port 22'?"),
    ("'!arp && !(tcp.port == 22)'", "did you mean '!arp && !(tcp port 22)'?"),
    ("'tcp.flags.syn == 1'", "did you mean 'tcp[tcpflags] & tcp-syn != 0'?"),
    ("http.request", "did you mean 'tcp port 80'?"),
    ("'frame.len > 100'", "display filter", "pcap-filter(7)"),
    ("http", "did you mean 'tcp port 80'?"),
    ("not ssh", "did you mean 'not tcp port 22'?"),
    ("udp or dns", "did you mean 'udp or port 53'?"),
    ("tls", "did you mean 'tcp port 443'?"),
    ("dhcp", "did you mean 'udp portrange 67-68'?"),
    ("ping", "did you mean '(icmp or icmp6)'?"),
    ("icmpv6", "did you mean 'icmp6'?"),
    ("ipv6", "did you mean 'ip6'?"),
    ("tcp 80", "did you mean 'tcp port 80'?"),
    ("tcp:80", "did you mean 'tcp port 80'?"),
    ("443", "did you mean 'port 443'?"),
    ("10.0.0.1", "did you mean 'host 10.0.0.1'?"),
    ("10.0.0.0/8", "did you mean 'net 10.0.0.0/8'?"),
    ("ip 10.0.0.1", "did you mean 'ip host 10.0.0.1'?"),
    ("host 10.0.0.1:443", "did you mean 'host 10.0.0.1 and port 443'?"),
    ("port 80,443", "did you mean 'port 80 or 443'?"),
    ("tcp dst port 80 443", "did you mean 'tcp dst port 80 or 443'?"),
    ("port 80-90", "did you mean 'portrange 80-90'?"),
    ("port=80", "did you mean 'port 80'?"),
    ("port == 80", "did you mean 'port 80'?"),
    ("ports 80", "did you mean 'port 80'?"),
    ("tcp prot 80", "did you mean 'tcp port 80'?"),
    ("hots 10.0.0.1", "did you mean 'host 10.0.0.1'?"),
    ("TCP PORT 80", "did you mean 'tcp port 80'?"),
    ('"\'tcp port 80\'"', "did you mean 'tcp port 80'?"),
    ("port httpz", "unknown port 'httpz'"),  # libpcap says it best
]

COMMANDS = [
    ("joni x.tar", "no command 'joni'", "did you mean 'tarcap join'?"),
    ("sumary x.tar", "did you mean 'tarcap summary'?"),
    ("joni -q x.tar", "did you mean 'tarcap join'?"),
    ("-v join x.tar", "a command comes first", "tarcap join"),
    ("chekc", "did you mean 'tarcap check'?"),
    ("version", "did you mean 'tarcap --version'?"),
    ("capture tcp", "a capture needs no command"),
    ("list", "did you mean 'tarcap -D'?"),
    ("verify x.tar", "did you mean 'tarcap join --check'?"),
    ("x.tar", "tarcap summary x.tar", "tarcap join x.tar"),
    ("web.pcap", "tarcap summary web.pcap", "tarcap -r web.pcap"),
    ("eth0", "-i", "tarcap -i eth0"),
    ("tarcap -i eth0", "the image runs it by itself"),
    ("sh", "no shell"),
    ("tcpdump -i eth0", "leave out 'tcpdump'"),
    ("help joni", "did you mean 'tarcap join'?"),
    ("help nosuchcommand", "no such command", "tarcap --help"),
    ("help join summary", "one COMMAND"),
    ("hold tcp", "'tcp'", "after --"),
]

NUMBERS = [
    ("--duration 5q", "--duration '5q'", "ms, s, m, h or d"),
    ("--duration 1m30", "'1m30'", "allowed is"),
    ("--max-bytes 1T", "--max-bytes '1T'", "k, M or G"),
    ("-c 1k", "-c '1k'", "a number"),
    ("-c=5", "'=5'", "leave out '='"),
    ("-i=eth0", "'=eth0'", "leave out '='"),
    ("-C 10 -W 3", "a quarter of --memory", "--memory 39M"),
    ("--memory 4M -C 2M", "--memory 8M"),
    ("-C 200M", "TARCAP_MAX_MEMORY"),
]

FILES = [
    ("-w x.tar.gz", "a plain tar", "--compress zstd", "| gzip"),
    ("-w x.tgz", "--compress zstd", "| gzip"),
    ("-w x.tar.zst", "--compress zstd", "| zstd"),
    ("-w x.tar.xz", "--compress zstd", "| xz"),
    ("-w x.tar.age", "nobody is named to encrypt to", "--to age1..."),
    ("--raw -w x.pcap.gz", "| gzip"),
    ("-w x.pcap", "a tar of pcap files"),
]


def typed(text):
    return [word.strip("'") if not word.startswith('"') else word.strip('"')
            for word in re.findall(r'"[^"]*"|\'[^\']*\'|[^ \']+', text)]


@pytest.mark.parametrize("text, words", [(row[0], row[1:]) for table in (FLAGS, LATE, FILTERS, COMMANDS, NUMBERS, FILES)
                                         for row in table], ids=lambda value: value if isinstance(value, str) else "")
def test_it_says_what_was_meant(text, words, tmp_path):
    words_typed = typed(text)
    command = words_typed[0] if words_typed[0] in ("hold", "check", "join", "summary", "help") else None
    # -d reaches the filter without a socket.
    before = ["-d"] if any(text == row[0] for row in FILTERS + COMMANDS) and not command else []
    result = run(*before, *words_typed, cwd=tmp_path)
    assert (result.status, result.out) == (2, b"") and len(result.err) == 1, (result.status, result.err)
    for word in words:
        assert word in result.err[0], result.err
    assert os.listdir(tmp_path) == []


def test_there_are_as_many_as_promised():
    assert sum(map(len, (FLAGS, LATE, FILTERS, COMMANDS, NUMBERS, FILES))) >= 60


def test_every_filter_that_is_offered_is_one():
    for text, *words in FILTERS:
        for word in words:
            if match := re.search(r"did you mean '(.*)'\?", word):
                assert run("-d", match[1]).status == 0, (text, match[1])


@pytest.mark.parametrize("text", ["tcp port 80", "ip[0] - 1 > 5", "ip[0] -ip[1] = 0", "ip[2:2] -len = 0", "tcp[13] -tcp-syn = 0",
                                  "host 10.0.0.1 and not port 22", "port http", "arp", "len > 100", "ether proto 0x88b5"])
def test_what_is_a_filter_is_none_of_them(text):
    for words in ([text], text.split()):
        result = run("-d", *words)
        assert (result.status, result.err) == (0, []), result.err


def test_an_empty_stdin(tmp_path):
    """docker run tarcap join < x.tar, without -i: stdin is /dev/null there."""
    for stdin in (None, b""):
        for command in (["join"], ["summary"], ["-r", "-"]):
            result = run(*command, stdin=stdin)
            assert (result.status, result.out) == (1, b"") and len(result.err) == 1
            assert "docker or kubectl needs -i" in result.err[0], result.err


def test_the_wrong_kind_of_file(tmp_path):
    path, archive = tmp_path / "x.pcap", tmp_path / "x.tar"
    path.write_bytes(pcap_file([(0, 0, frame(0))]))
    archive.write_bytes(run("-r", path).out)
    joined = run("join", path)
    assert joined.status == 1 and "a capture file already: tarcap summary" in joined.err[0]
    read = run("-r", archive)
    assert read.status == 1 and "is it an archive? tarcap join FILE | tarcap -r -" in read.err[0]


def test_a_directory_is_given_a_cure(tmp_path):
    """What kubectl cp or tar left there can be joined: by the words that the line says."""
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(0, 0, frame(0))]))
    run("-r", path, "--name", "web", "-w", tmp_path / "x.tar")
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "xf", tmp_path / "x.tar", "-C", tmp_path / "out", "--strip-components=1"], check=True)
    for command in ("join", "summary"):
        result = run(command, tmp_path / "out")
        assert (result.status, result.out) == (2, b"") and "is a directory" in result.err[0]
        cure = result.err[0].partition("in it: ")[2]
        assert cure.endswith(f"| tarcap {command}")
        done = subprocess.run(cure.replace("tarcap", TARCAP), shell=True, capture_output=True)
        assert done.returncode == 0, done.stderr


def test_w_where_one_may_not_write(tmp_path):
    """The image's uid is 65532: docker's --user is what helps."""
    (tmp_path / "out").mkdir(mode=0o755)
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(0, 0, frame(0))]))
    os.chmod(tmp_path, 0o755)
    [line] = run("-r", "-", "-w", tmp_path / "out/x.tar", stdin=path.read_bytes(), before=["setpriv", "--reuid=65532",
                 "--regid=65532", "--clear-groups"]).err[-1:]
    assert "Permission denied: uid 65532" in line and "--user" in line and "fsGroup" in line
    result = run("-r", path, "-w", tmp_path / "nosuch/x.tar")
    assert result.status == 1 and "No such file" in result.err[0] and "-v \"$PWD:/out\"" in result.err[0]


@pytest.mark.parametrize("size", ["10", "5M", "4097k", "20MB"])
def test_the_memory_that_is_named_is_the_least_that_does(size, tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(0, 0, frame(0))]))
    [line] = run("-C", size, "-W", 3, "-r", path).err
    named = int(re.search(r"with --memory (\d+)M it works", line)[1])
    assert run("-C", size, "-W", 3, "--memory", f"{named}M", "-r", path).status == 0
    assert run("-C", size, "-W", 3, "--memory", f"{named - 1}M", "-r", path).status == 2


def test_flags_of_join_and_summary_may_follow_the_file(tmp_path):
    path, archive = tmp_path / "x.pcap", tmp_path / "x.tar"
    path.write_bytes(pcap_file([(0, 0, frame(0))]))
    archive.write_bytes(run("-r", path).out)
    checked = run("join", archive, "--check", "-q")
    assert (checked.status, checked.out, checked.err) == (0, b"", [])
    assert run("summary", archive, "--json").out == run("summary", "--json", archive).out
