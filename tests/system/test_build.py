"""The build's own promises: what is refused, what is said, what is in the shipped binaries."""

import os
import pathlib
import platform
import re
import signal
import subprocess
import sys

import pytest

from process import TOP, merged

ARCHES = ["amd64", "arm64"]
TRIPLET = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}


def elf(arch, *options):
    return merged("readelf", "-W", *options, f"build/{arch}/tarcap", env={**os.environ, "LC_ALL": "C"}).stdout


def disassembly(arch, path, *options):
    return merged(TRIPLET[arch] + "-objdump", "-d", *options, path).stdout


@pytest.mark.parametrize("arch", ARCHES)
def test_shipped_binary_passes(arch):
    result = merged("image/check-static", f"build/{arch}/tarcap", "1152")
    assert result.returncode == 0, result.stdout


def test_dynamic_binary_is_refused():
    result = merged("image/check-static", sys.executable, "1000000")
    assert result.returncode == 1
    assert "is not static" in result.stdout


def test_large_binary_is_refused():
    result = merged("image/check-static", "build/amd64/tarcap", "1")
    assert result.returncode == 1
    assert "allowed are 1024" in result.stdout


@pytest.mark.parametrize("said, flags, assembly", [
    ("its type is not DYN", "-static", ""),
    ("has no flag NOW", "-static-pie -Wl,-z,lazy", ""),
    ("has no GNU_RELRO", "-static-pie -Wl,-z,now,-z,norelro", ""),
    ("has an executable stack", "-static-pie -Wl,-z,now,-z,execstack", ""),
    ("is writable and executable", "-static-pie -Wl,-z,now", r'.section .both, \"awx\"'),
    ("TEXTREL", "-static-pie -Wl,-z,now,-z,notext", ".quad main"),
])
def test_what_is_less_hardened_is_refused(tmp_path, said, flags, assembly):
    (tmp_path / "empty.c").write_text(f'int main(void) {{ return 0; }}\n__asm__("{assembly}\\n.quad 0\\n.text");')
    arch = "arm64" if platform.machine() == "aarch64" else "amd64"
    done = merged(f"build/libs/{arch}/bin/musl-gcc", *flags.split(), "-o", tmp_path / "empty", tmp_path / "empty.c")
    assert done.returncode == 0, done.stdout
    result = merged("image/check-static", tmp_path / "empty", "1152")
    assert result.returncode == 1
    assert said in result.stdout


@pytest.mark.parametrize("arch", ARCHES)
def test_shipped_binary_is_a_hardened_static_pie(arch):
    assert re.search(r"Type: +DYN ", elf(arch, "-h"))
    segments = re.findall(r"^ +([A-Z_]+) +0x\S+ 0x\S+ 0x\S+ 0x\S+ 0x\S+ ([R ][W ][E ])", elf(arch, "-l"), re.M)
    flags = dict(segments)
    assert "INTERP" not in flags
    assert flags["GNU_RELRO"] == "R  "
    assert flags["GNU_STACK"] == "RW "
    loaded = [flag for kind, flag in segments if kind == "LOAD"]
    assert sorted(loaded) == sorted(["R  ", "R E", "R  ", "RW "])  # code and constants lie apart
    dynamic = elf(arch, "-d")
    assert re.search(r"FLAGS_1\) +Flags: NOW PIE", dynamic)
    assert "NEEDED" not in dynamic and "TEXTREL" not in dynamic


@pytest.mark.parametrize("arch", ARCHES)
def test_our_code_and_every_library_have_the_stack_protector(arch):
    parts = [f"build/static/{arch}/obj/run/loop.o"]
    parts += [f"build/libs/{arch}/lib/{name}.a" for name in ("libc", "libpcap", "libarchive", "libzstd", "libjansson", "libsodium")]
    for part in parts:
        assert re.search(r"UND __stack_chk_fail$", merged("readelf", "-Ws", part).stdout, re.M), part


def test_return_addresses_are_signed_on_arm64():
    code = disassembly("arm64", "build/arm64/tarcap")
    assert code.count("paciasp") > 500
    assert code.count("autiasp") > 500


def test_what_takes_a_packet_clears_no_memory():
    """All else is built to clear its local variables; for this function that would be the dearest part of it."""
    code = disassembly("amd64", "build/libs/amd64/lib/libpcap.a")
    functions = re.split(r"^[0-9a-f]+ <(.*)>:$", code, flags=re.M)
    functions = dict(zip(functions[1::2], functions[2::2]))
    assert "rep stos" not in functions["pcap_handle_packet_mmap"]
    assert "rep stos" in functions["pcap_compile"]


def test_shipped_binary_is_loaded_elsewhere_each_time_and_its_constants_are_read_only():
    places = set()
    for _ in range(4):
        process = subprocess.Popen([TOP / "build/tarcap", "hold"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            assert b"holding" in process.stderr.readline()
            maps = [line.split() for line in pathlib.Path(f"/proc/{process.pid}/maps").read_text().splitlines()]
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=10)
        own = [line for line in maps if line[-1].endswith("/tarcap")]
        places.add(own[0][0])
        # Headers, code, constants; then what start-up wrote, read-only by now; then variables.
        assert [line[1] for line in own] == ["r--p", "r-xp", "r--p", "r--p", "rw-p"]
    assert len(places) > 1, places


@pytest.mark.parametrize("arch", ARCHES)
def test_shipped_binary_is_stripped_and_has_no_machine_path(arch):
    binary = (TOP / f"build/{arch}/tarcap").read_bytes()
    assert str(TOP).encode() not in binary
    assert ".symtab" not in elf(arch, "-S")


def test_fetch_without_network_says_so(tmp_path):
    nowhere = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    result = merged("image/sources", "fetch", env={**os.environ, **nowhere, "BUILD": str(tmp_path)})
    assert result.returncode == 1
    assert "try again with a network" in result.stdout
    assert not (tmp_path / "sources").exists()


def test_library_sources_are_kept_and_versions_recorded():
    lines = (TOP / "build/sources/versions").read_text().split("\n")
    names = [line.split()[0] for line in lines if line]
    assert names == ["musl", "libpcap", "libarchive", "libzstd", "jansson", "libsodium"]
    version = merged("build/amd64/tarcap", "--version").stdout
    for line in lines:
        if line and not line.startswith("libzstd"):  # fetched and built for later, not linked yet
            assert line in version


def test_unknown_target_is_refused():
    result = merged("image/libraries", "pdp11")
    assert result.returncode == 1
    assert "unknown target 'pdp11'" in result.stdout


def test_several_builds_at_once_write_what_they_are_of(tmp_path):
    """Each in a PID namespace of its own, as the tests' processes are: there they have the same process ids."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", "make", "-s", f"BUILD={tmp_path}", f"{tmp_path}/revision"]
    several = [subprocess.Popen(command, cwd=TOP, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
               for _ in range(6)]
    said = [process.communicate(timeout=120)[1] for process in several]
    assert [process.returncode for process in several] == [0] * 6, said
    assert [path.name for path in tmp_path.iterdir()] == ["revision"]


def test_no_host_name_and_no_machine_path_in_the_repository():
    files = merged("git", "ls-files", "-co", "--exclude-standard").stdout.split()
    for name in files:
        text = (TOP / name).read_text(errors="replace")
        for word in ("deb." + "debian.org", "registry." + "npmjs", str(TOP) + "/"):
            assert word not in text, name


@pytest.mark.parametrize("target", ["help"])
def test_make_help_lists_the_targets(target):
    result = merged("make", "-s", target)
    assert result.returncode == 0
    for word in ("make static", "make image", "make demo", "make test", "make unit"):
        assert word in result.stdout
