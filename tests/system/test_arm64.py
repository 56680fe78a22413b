"""The shipped arm64 binary: under qemu-user beside the amd64 one, and capturing on a real arm64 kernel.

qemu-user passes system calls on to this machine's kernel, but not those that a capture takes. So the capture, check and
the sandbox run in a virtual machine: tests/arm64/boot.
"""

import json
import platform
import subprocess

import pytest

import age
from archive import Archive, Pcap, pcap_file
from probe import BY_BINDING, BY_FILES, BY_MEMORY, BY_NETWORK, BY_PROCESSES, NEEDED, tried
from process import TOP, lines, sh
from wire import numbered

EMULATORS = {"x86_64": {"arm64": ["qemu-aarch64-static"]}, "aarch64": {"amd64": ["qemu-x86_64-static"]}}
TIMES = ("started", "ended", "clock_offset_seconds", "clock_offset_seconds_at_start", "clock_offset_seconds_at_end")
PACKETS = [(1700000000 + i // 100, i * 7919 % 1000000, data) for i, data in enumerate(numbered(1000))]


@pytest.fixture(scope="module", autouse=True)
def binaries():
    sh("make", "-s", "-C", TOP, "static", timeout=600)


@pytest.fixture
def files(tmp_path):
    """A directory to run both in; all they see is the same."""
    (tmp_path / "micro.pcap").write_bytes(pcap_file(PACKETS))
    (tmp_path / "nano.pcap").write_bytes(pcap_file(PACKETS, order=">", nano=True))
    (tmp_path / "torn.pcap").write_bytes(pcap_file(PACKETS)[:-1])
    return tmp_path


def run(arch, *words, cwd, stdin=None):
    (cwd / "tarcap").unlink(missing_ok=True)
    (cwd / "tarcap").symlink_to(TOP / "build" / arch / "tarcap")
    emulator = EMULATORS[platform.machine()].get(arch, [])
    given = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    return subprocess.run([*emulator, "./tarcap", *words], cwd=cwd, **given, capture_output=True, timeout=30)


def both(*words, cwd, stdin=None):
    """What they print, which is the same."""
    ours, other = (run(arch, *words, cwd=cwd, stdin=stdin) for arch in ("amd64", "arm64"))
    assert (ours.returncode, lines(ours.stderr)) == (other.returncode, lines(other.stderr))
    return ours, other


def same(*words, cwd, stdin=None):
    ours, other = both(*words, cwd=cwd, stdin=stdin)
    assert ours.stdout == other.stdout
    return ours


@pytest.mark.parametrize("words, status", [
    (["--version"], 0), (["--help"], 0), (["hold", "--help"], 0), (["join", "--help"], 0), (["summary", "--help"], 0), (["check", "--help"], 0),
    (["stop", "--help"], 0), (["-d", "tcp port http or ip6 host fe80::1"], 0), (["-ddd", "vlan 5 and udp"], 0),
    (["-d", "--headers", "udp"], 0), (["--compress", "xz"], 2),
    (["-d", "tcp port nowhere"], 2), (["-d", "host ("], 2), (["-s", "-1"], 2), (["--duration", "1y"], 2),
    (["-C", "9999999999999999999"], 2), (["--memory", "1"], 2), (["--nonsense"], 2), (["-A"], 2), (["-B"], 2),
    (["--max-bytes", "1.5X"], 2), (["join", "no-such-file"], 1), (["join", "--memory", "1"], 2), (["check", "--ttl", "1"], 2),
    (["hold", "--ttl", "x"], 2), (["-r", "no-such-file"], 1), (["-r", "micro.pcap", "-i", "lo"], 2),
])
def test_options_are_read_alike(files, words, status):
    assert same(*words, cwd=files).returncode == status


def test_what_it_encrypts_can_be_opened(files):
    """Its ChaCha20-Poly1305 is another: that of amd64 has AVX2 and SSSE3."""
    key = age.Key()
    for arch in ("amd64", "arm64"):
        done = run(arch, "-r", "micro.pcap", "--raw", "--to", key.recipient, cwd=files)
        assert age.opened(done.stdout, key) == (files / "micro.pcap").read_bytes(), done.stderr


def without_times(text):
    """A JSON member without what tells the time, and on which machine."""
    found = json.loads(text)
    found.get("system", {}).pop("machine", None)
    return {key: value for key, value in found.items() if key not in TIMES}


def assert_same_archives(ours, other):
    ours, other = Archive(ours), Archive(other)
    assert ours.names == other.names
    for (name, text), (_, other_text) in zip(ours.members, other.members):
        if name.endswith(".json"):
            assert without_times(text) == without_times(other_text)
        else:
            assert text == other_text, name
    return ours


@pytest.mark.parametrize("words", [
    [], ["udp"], ["ether[17] > 100 and len >= 60"], ["-c", "10"], ["-s", "40"], ["-C", "20k"], ["-G", "1"],
    ["--max-bytes", "10k"], ["--compress", "zstd"], ["--headers"],
])
def test_reading_a_file_gives_the_same_archive(files, words):
    ours, other = both("-r", "micro.pcap", "--name", "x", *words, cwd=files)
    assert_same_archives(ours.stdout, other.stdout)


@pytest.mark.parametrize("name, status, count", [("nano.pcap", 0, 1000), ("torn.pcap", 1, 999), ("-", 0, 1000)])
def test_other_files_give_the_same_archive(files, name, status, count):
    ours, other = both("-r", name, "--name", "x", cwd=files, stdin=(files / "micro.pcap").read_bytes())
    assert ours.returncode == status
    assert len(assert_same_archives(ours.stdout, other.stdout).records) == count


def test_raw_gives_the_same_file(files):
    assert same("-r", "micro.pcap", "--raw", cwd=files).stdout == pcap_file(PACKETS)


@pytest.mark.parametrize("damage", ["none", "cut", "flipped", "text before it"])
def test_join_gives_the_same_file(files, damage):
    archive = run("amd64", "-r", "micro.pcap", "--name", "x", "-C", "20k", cwd=files).stdout
    if damage == "cut":
        archive = archive[:50000]
    elif damage == "flipped":
        archive = archive.replace(b"\xd4\xc3\xb2\xa1", b"\xd4\xc3\xb2\xa0", 1)
    elif damage == "text before it":
        archive = b"Defaulted container web\n" + archive
    done = same("join", stdin=archive, cwd=files)
    assert done.stdout and done.returncode == (damage in ("cut", "flipped"))
    if not done.returncode:
        assert len(Pcap("joined", done.stdout).records) == len(PACKETS)
    assert same("join", "--check", stdin=archive, cwd=files).returncode == done.returncode
    for words in (["summary"], ["summary", "--json"]):
        made = same(*words, stdin=archive, cwd=files)
        assert made.stdout and made.returncode == done.returncode


# --- a real arm64 kernel ----------------------------------------------------------------------------------------

class Machine:
    """What came out of the virtual machine."""

    def __init__(self, kernel, out):
        sh("make", "-s", "-C", TOP, "build/probe/arm64/tarcap", timeout=600)
        done = sh(TOP / "tests/arm64/boot", kernel, out, check=False, timeout=300)
        self.report = (out / "report").read_text() if (out / "report").exists() else ""
        assert done.returncode == 0, done.stderr + self.report
        self.tar = out / "capture.tar"
        self.archive = Archive(self.tar.read_bytes())

    def told(self, kind):
        """The report's lines that begin with 'kind: ', without that."""
        return [line[len(kind) + 2:] for line in self.report.splitlines() if line.startswith(kind + ": ")]

    def shown(self, kind):
        """What a file said, as 'key: value', of the first capture."""
        found = {}
        for line in self.told(kind):
            key, _, value = line.partition(":")
            found.setdefault(key, value.strip())
        return found


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    kernel = sh(TOP / "tests/arm64/kernel", check=False, timeout=300)
    if kernel.returncode == 3:
        pytest.skip(f"Debian's kernel for arm64 can't be fetched: {kernel.stderr}")
    assert kernel.returncode == 0, kernel.stderr
    return Machine(kernel.stdout.strip(), tmp_path_factory.mktemp("machine"))


def test_machine_commands_succeed(machine):
    assert "a capture would work" in machine.report
    assert machine.told("init") == [f"{what} ended with status 0, signal 0"
                                    for what in ("--version", "check", "/tarcap", "/probe")]


def test_machine_captures_every_packet(machine):
    machine.archive.check()
    assert machine.archive.capture["system"]["machine"] == "aarch64"
    assert machine.archive.account["written"] == 1000 and not machine.archive.lost()
    assert [record.data[42:].decode() for record in machine.archive.records] == [f"packet {i}" for i in range(1000)]


def test_machine_archive_is_read_here(machine, tmp_path):
    joined = run("amd64", "join", machine.tar, cwd=tmp_path)
    assert joined.returncode == 0 and b": whole: " in joined.stderr and b", 1000 packets; nothing lost" in joined.stderr
    read = subprocess.run(["tcpdump", "-nr", "-", "udp dst port 4242"], input=joined.stdout, capture_output=True)
    assert len(read.stdout.splitlines()) == 1000 and not [line for line in lines(read.stderr) if "reading" not in line]


def test_machine_capture_has_no_privileges(machine):
    status = machine.shown("status")
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"], status["Seccomp_filters"]) == ("1", "2", "1")
    assert "sandbox: no capabilities, no_new_privs, Landlock (ABI" in machine.report


def test_machine_sandbox_refuses_everything_else(machine, tmp_path):
    (tmp_path / "log").write_text("\n".join(machine.told("probe")))
    results = tried(tmp_path / "log")
    assert results.pop("memory") == "allowed"
    assert set(results) == BY_MEMORY | BY_NETWORK | BY_FILES | BY_PROCESSES | BY_BINDING | NEEDED
    assert {what: said for what, said in results.items() if said != "EPERM"} == dict.fromkeys(NEEDED, "allowed")


def test_machine_program_is_protected_in_memory(machine):
    """The first program's parts: headers, code, constants, what start-up wrote (read-only by now), variables."""
    maps = [line.split() for line in machine.told("maps") if line.endswith("/tarcap")]
    assert [line[1] for line in maps] == ["r--p", "r-xp", "r--p", "r--p", "rw-p"]
    own, probe = ([line for line in machine.told("maps") if line.endswith(name)][0] for name in ("/tarcap", "/probe"))
    assert own.split("-")[0] != probe.split("-")[0]
