"""--to and TARCAP_TO: what leaves can be opened by its recipients alone, by age and by our own reading of its format, and is
good up to its last whole chunk wherever it is cut."""

import os
import random
import re
import signal
import subprocess
import time

import pytest

import age
from archive import Archive, packet_file, packets_in, pcap_file, tar_members
from capture import Capture, run
from join import join, some, verdict
from process import TARCAP, wait_until
from wire import Flood, numbered

SEALED = age.CHUNK + age.CODE


@pytest.fixture(scope="module")
def key():
    return age.Key()


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A pcap file of 2 MB, whose packets cannot be compressed."""
    path = tmp_path_factory.mktemp("encrypt") / "x.pcap"
    chance = random.Random(1)
    path.write_bytes(pcap_file([(1_000_000_000 + i // 50, i % 50, chance.randbytes(900)) for i in range(2200)]))
    return path


def by_age(data, key, tmp_path, *, good=True):
    """What Debian's age makes of it."""
    done = subprocess.run(["age", "-d", "-i", key.file(tmp_path / "key.txt")], input=data, capture_output=True, timeout=60)
    assert (done.returncode == 0) == good, done.stderr
    return done.stdout


def encrypted(source, key, *arguments):
    result = run("-r", source, "--to", key.recipient, *arguments)
    assert result.status == 0, result.err
    return result


def with_recipients(*keys):
    return {"env": {**os.environ, "TARCAP_TO": " ".join(keys)}}


# --- who can open it --------------------------------------------------------------------------------------------

def test_each_recipient_opens_it_and_nobody_else(source, tmp_path):
    keys = [age.Key() for _ in range(4)]
    listed = tmp_path / "team"
    listed.write_text(f"# the team\n{keys[2].recipient}\n\n{keys[1].recipient}\n")
    result = run("-r", source, "--to", keys[0].recipient, "--to", listed, **with_recipients(keys[3].recipient))
    assert result.status == 0
    plain = {by_age(result.out, key, tmp_path) for key in keys} | {age.opened(result.out, key) for key in keys}
    [data] = plain
    archive = Archive(data).check()
    assert archive.capture["encrypted_to"] == [keys[place].recipient for place in (0, 2, 1, 3)]
    assert len(archive.records) == 2200
    assert join(data).out == source.read_bytes()
    assert age.read(result.out, age.Key()) == (b"", "no match")
    by_age(result.out, age.Key(), tmp_path, good=False)


@pytest.mark.parametrize("arguments", [[], ["--compress", "zstd"], ["--format", "pcapng"], ["-C", "4k"]])
def test_what_is_in_it_is_what_would_be_without(source, key, arguments):
    plain, inside = run("-r", source, *arguments).archive(), Archive(age.opened(encrypted(source, key, *arguments).out, key))
    assert inside.check().files and [file.data for file in inside.files] == [file.data for file in plain.files]
    assert "encrypted_to" not in plain.capture


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_raw(source, key, form, tmp_path):
    result = encrypted(source, key, "--raw", "--format", form)
    data = by_age(result.out, key, tmp_path)
    assert data == age.opened(result.out, key) == run("-r", source, "--raw", "--format", form).out
    assert len(packet_file("x", data).records) == 2200


@pytest.mark.parametrize("size", [24, 65535, 65536, 65537, 131071, 131072, 131073])
def test_every_size_has_a_last_chunk_that_is_not_empty(key, size, tmp_path):
    path, left = tmp_path / "x.pcap", size - 24
    sizes = [1000] * (left // 1000 - 1) + [left % 1000 + 1000] if left else []
    path.write_bytes(pcap_file([(1, number, bytes(count - 16)) for number, count in enumerate(sizes)]))
    data = encrypted(path, key, "--raw").out
    plain, chunks = age.opened(data, key), -(-size // age.CHUNK)
    assert plain == by_age(data, key, tmp_path) == path.read_bytes() and len(plain) == size
    assert len(data) == age.Header(data, [key]).payload_at + size + chunks * age.CODE


def test_no_two_are_alike(source, key):
    one, two = (age.Header(encrypted(source, key).out, [key]) for _ in range(2))
    assert one.file_key != two.file_key and one.payload_key != two.payload_key
    assert one.stanzas[0][0] != two.stanzas[0][0]


# --- what is said -----------------------------------------------------------------------------------------------

def test_says_to_whom_and_what_the_manifest_says(wire, key):
    other = age.Key()
    capture = Capture(wire, "--to", key.recipient, **with_recipients(other.recipient))
    [ready] = [line for line in capture.err if "listening on" in line]
    assert ready.endswith(f"; encrypted to {key.recipient} and 1 more (TARCAP_TO)")
    wire.send(numbered(50, 300))
    result = capture.end()
    archive = Archive(age.opened(result.out, other)).check()
    totals = archive.manifest["totals"]
    assert totals["packets"] == 50 and archive.numbers() == list(range(50))
    assert result.err[-1] == (
        f"tarcap: the archive's manifest, which only the key opens, says: 50 packets in {totals['files']} "
        f"file{'' if totals['files'] == 1 else 's'}, {totals['bytes']} bytes; encrypted to {key.recipient} and 1 more "
        "(TARCAP_TO)")


def test_quiet_says_nothing(source, key):
    assert encrypted(source, key, "-q").err == []


@pytest.mark.parametrize("command", [["join"], ["summary"], ["-r"]])
def test_readers_name_the_line_that_opens_it(source, key, command, tmp_path):
    (tmp_path / "x.tar.age").write_bytes(encrypted(source, key).out)
    result = run(*command, tmp_path / "x.tar.age")
    assert result.status in (1, 2) and result.out == b""
    assert result.said("an age file", "age -d -i KEY FILE | tarcap"), result.err


def test_a_terminal_is_refused(source, key):
    done = subprocess.run(["script", "-qec", f"{TARCAP} -r {source} --to {key.recipient}", "/dev/null"],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert done.returncode == 2 and b"> capture.tar.age" in done.stdout


def test_what_a_recorder_kept(wire, key):
    capture = Capture(wire, "--record", "8M", "--to", key.recipient)
    wire.send(numbered(300, 1000))
    assert len(capture.out) < 400
    result = capture.end()
    assert result.status == 0, result.err
    assert len(Archive(age.opened(result.out, key)).check().records) == 300


# --- the environment --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [[], ["--raw"], ["--to", "age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryef"]])
def test_environment_cannot_be_taken_away(source, key, arguments):
    result = run("-r", source, *arguments, **with_recipients(key.recipient))
    assert result.status == 0 and result.said("(TARCAP_TO)")
    assert age.opened(result.out, key)


def test_environment_holds_for_a_file_too(source, key, tmp_path):
    for name in ("x.tar.age", "x.age", "x.tar"):
        result = run("-r", source, "-w", tmp_path / name, **with_recipients(key.recipient))
        assert result.status == 0, result.err
        Archive(age.opened((tmp_path / name).read_bytes(), key)).check()


@pytest.mark.parametrize("value, says", [
    ("", "names nobody"), (" \t", "names nobody"), ("age1x", "has 62 letters"), ("/etc/hostname", "allowed are recipients"),
    ("{} age1qqqq", "has 62 letters"), ("{},{}", "has 62 letters"), ("ssh-ed25519 AAAA", "SSH"),
    ("AGE-SECRET-KEY-1QQQQ", "secret key")])
def test_environment_that_cannot_be_read(source, key, value, says):
    value = value.format(key.recipient, key.recipient)
    result = run("-r", source, **with_recipients(value))
    [line] = result.err
    assert result.status == 2 and result.out == b"" and "TARCAP_TO" in line and says in line, line
    assert "SECRET-KEY-1" not in line
    assert run("hold", "--ttl", "10s", **with_recipients(value)).status == 2


def test_names_of_files(source, key, tmp_path):
    result = run("-r", source, "-w", tmp_path / "x.age")
    [line] = result.err
    assert result.status == 2 and "nobody is named" in line and "--to age1..." in line
    assert not (tmp_path / "x.age").exists()
    assert encrypted(source, key, "-w", tmp_path / "x.tar.age").out == b""
    Archive(age.opened((tmp_path / "x.tar.age").read_bytes(), key)).check()
    assert (tmp_path / "x.tar.age").stat().st_mode & 0o777 == 0o600


# --- cuts -------------------------------------------------------------------------------------------------------

def check_cut(data, cut, key, whole):
    """Our own reading of a stream that is cut there gives its whole chunks, and no more."""
    plain, said = age.read(data[:cut], key)
    assert said != "success"
    try:
        front = age.Header(data, [key]).payload_at
    except age.Malformed:
        front = cut
    chunks = max(0, cut - front) // SEALED
    assert plain == whole[:chunks * age.CHUNK]
    return plain


def check_joined(plain):
    """join says of what is left that it is not whole, and how much of it was good."""
    result = join(plain)
    files = [name for name, _, _ in tar_members(plain)[0] if ".pcap" in name]
    assert result.status == 1 and ("not whole: " in verdict(result) or "not verified: " in verdict(result)), result.err
    said = re.search(r"; (\d+) files?, (\d+) packets? were good$", verdict(result))
    # Of a file that is cut the packets before the cut are good, too.
    assert int(said[1]) == len(files) and int(said[2]) >= len(packets_in(plain)), result.err


def test_a_thousand_cuts(source, key, tmp_path):
    """Each is read by our own reading of the format, every tenth by age, and joined."""
    chance = random.Random(os.environ.get("SEED", 7))
    data = encrypted(source, key, "--compress", "zstd", "-c", 600).out
    whole = age.opened(data, key)
    assert len(data) > 6 * SEALED
    front = age.Header(data, [key]).payload_at
    edges = [0, 1, front - 1, front, front + SEALED - 1, front + SEALED, front + SEALED + 1, len(data) - 1]
    cuts = edges + [chance.randrange(len(data)) for _ in range(1000 - len(edges))]
    for number, cut in enumerate(some(cuts)):
        plain = check_cut(data, cut, key, whole)
        if number % 10 == 0 or cut in edges:
            assert by_age(data[:cut], key, tmp_path, good=False) == plain, cut
        if plain and number % 10 == 0:
            check_joined(plain)


def test_changed_bytes_are_found(source, key, tmp_path):
    data = encrypted(source, key, "-c", 300).out
    whole, chance = age.opened(data, key), random.Random(8)
    for _ in range(40):
        at = chance.randrange(len(data))
        changed = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1:]
        plain, said = age.read(changed, key)
        assert said != "success" and whole.startswith(plain)
        assert by_age(changed, key, tmp_path, good=False) == plain


# --- what waits, and what has left ------------------------------------------------------------------------------

def test_header_leaves_at_once_and_the_rest_waits_for_a_chunk(wire, key):
    capture = Capture(wire, "--to", key.recipient, "-G", "100ms", "--no-context")
    wait_until(lambda: capture.out.startswith(b"age-encryption.org/v1\n"))
    wire.send(numbered(20, 1000))
    time.sleep(0.5)
    front = len(capture.out)
    assert front < 400
    capture.rests(1)
    wire.send(numbered(200, 1000))
    wait_until(lambda: len(capture.out) > front)
    result = capture.end()
    archive = Archive(age.opened(result.out, key)).check()
    assert (front + SEALED) % SEALED == age.Header(result.out, [key]).payload_at and len(archive.records) == 220


def test_killed_outright(wire, key):
    """What has left is good up to its last whole chunk."""
    capture = Capture(wire, "--to", key.recipient, "-G", "100ms")
    Flood(wire.a, "tc1", 3000, 1400, per_second=10_000).wait()
    wait_until(lambda: len(capture.out) > 3_000_000, 10)
    result = capture.end(signal.SIGKILL)
    plain, said = age.read(result.out, key)
    assert said == "payload failure" and len(plain) % age.CHUNK == 0 and len(plain) > 2_900_000
    assert packets_in(plain)
    check_joined(plain)


def test_reader_that_stops_is_told_what_came(wire, key):
    capture = Capture(wire, "--to", key.recipient, "--stall", "1s", "-C", "20k", read=False)
    flood = Flood(wire.a, "tc1", 20_000, 1400, per_second=10_000)
    status = capture.process.wait(30)
    capture.collect()
    result = capture.wait()
    flood.wait()
    plain, _ = age.read(result.out, key)
    [line] = [line for line in result.err if "were delivered" in line]
    packets, files = map(int, re.search(r"(\d+) packets in (\d+) complete files were delivered", line).groups())
    names = [name for name, _, _ in tar_members(plain)[0] if name.endswith(".pcap")]
    assert status == 3 and (packets, files) == (len(packets_in(plain)), len(names))


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3000000", "tarcap-test", path], check=True)
    yield path
    subprocess.run(["umount", "-l", path], check=True)


@pytest.mark.parametrize("arguments", [[], ["--raw"]])
def test_full_disk_keeps_whole_chunks(wire, key, disk, arguments):
    path = disk / "x.age"
    capture = Capture(wire, "--to", key.recipient, "-w", path, *arguments, *([] if arguments == ["--raw"] else ["-C", "20k"]))
    Flood(wire.a, "tc1", 6000, 1400, per_second=20_000).wait()
    result = capture.wait(10)
    data = path.read_bytes()
    front = age.Header(data, [key]).payload_at
    plain, said = age.read(data, key)
    assert said == "payload failure" and (len(data) - front) % SEALED == 0 and len(data) > 3_000_000 - 2 * SEALED
    assert len(plain) == (len(data) - front) // SEALED * age.CHUNK
    [line] = [line for line in result.err if "No space left" in line]
    assert result.status == 1
    counted = {what: int(number) for number, what in (re.match(r"(\d+) packets (.*)", one).groups()
                                                      for one in result.err if re.match(r"\d+ packets ", one))}
    assert counted["received by filter"] == counted["captured"] + counted["dropped by kernel"] + counted[
        "dropped: the output failed"]
    if arguments == ["--raw"]:
        assert f"after {counted['captured']} packets; what is written ends with a whole chunk" in line
        assert 0 < counted["captured"] * 1416 <= len(plain) - 24
        return
    good = packets_in(plain)
    names = [name for name, _, _ in tar_members(plain)[0] if ".pcap" in name]
    assert f"now ends with a whole chunk, after {len(names)} complete files" in line
    assert counted["captured"] == len(good)
    check_joined(plain)


# --- inside -----------------------------------------------------------------------------------------------------

def memory_of(pid):
    """All that can be written to."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights, *_, = line.split()
            if rights.startswith("rw") and "packet" not in line:
                start, end = (int(number, 16) for number in span.split("-"))
                memory.seek(start)
                yield memory.read(end - start)


def test_keys_are_wiped(wire, key):
    """While it captures, nothing but the payload's key is left in memory."""
    capture = Capture(wire, "--to", key.recipient)
    wire.send(numbered(200, 1000))
    wait_until(lambda: len(capture.out) > 65536)
    header = age.Header(bytes(capture.out), [key])
    (_, share), body = header.stanzas[0][0], header.stanzas[0][1]
    shared = key.private.exchange(age.X25519PublicKey.from_public_bytes(age.unbase64(share)))
    wrapping = age.hkdf(shared, age.unbase64(share) + key.public, b"age-encryption.org/v1/X25519")
    seen = b"".join(memory_of(capture.pid))
    assert header.payload_key in seen
    for name, secret in {"file key": header.file_key, "shared": shared, "wrapping": wrapping,
                         "header": age.hkdf(header.file_key, None, b"header")}.items():
        assert secret not in seen, name
    assert body
    capture.end()


def test_nothing_is_drawn_in_the_sandbox(wire, key, tmp_path):
    trace = tmp_path / "trace"
    capture = Capture(wire, "--to", key.recipient, before=["strace", "-f", "-o", trace])
    wire.send(numbered(200, 1000))
    wait_until(lambda: len(capture.out) > 65536)
    [pid] = re.findall(r"^(\d+) +execve", trace.read_text(), re.M)
    os.kill(int(pid), signal.SIGINT)
    capture.wait()
    before, _, after = trace.read_text().partition("PR_SET_SECCOMP")
    assert "getrandom" in before and "getrandom" not in after and "mlock" not in before + after
