"""tarcap join and summary: archives that another tar, or another system, has packed once more."""

import io
import os
import subprocess
import tarfile

import pytest

from altered import archive_of, captured, member, records, taken_apart, with_manifest
from archive import Archive, pcap_file, tar_members
from capture import run
from join import bad, join, numbers, verdict, whole
from summary import fact, page, summary

LONG_NAME = "n" * 63  # as long as --name may be, less one
INTERFACE = "interface-15-ch"  # as long as an interface's name may be


@pytest.fixture
def data(tmp_path):
    """Five files with four packets each, whose names are as long as they get."""
    path = tmp_path / f"{INTERFACE}.pcap"
    path.write_bytes(pcap_file(records(range(20), 100, step=25)))
    found = run("-r", path, "--name", LONG_NAME, "-G", "100ms").whole().data
    assert len(Archive(found).files) == 5
    return found


def unpacked(tmp_path, data):
    place = tmp_path / "again"
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        tar.extractall(place)
    return place


def is_whole(data, files=5, packets=20):
    result = whole(data)
    assert f"whole: {files} files, {packets} packets" in verdict(result), result.err
    assert numbers(result) == list(range(packets))
    assert fact(page(data), "complete").startswith("yes (matches the manifest)")
    assert summary(data)["packets"] == packets
    return result


@pytest.mark.parametrize("below", [".", "a-directory-with-a-long-name/" * 5, "d" * 200 + "/" + "e" * 200])
@pytest.mark.parametrize("how", ["gnu", "pax", "posix with times", "python gnu", "python pax"])
def test_names_above_100_characters(tmp_path, data, below, how):
    place = unpacked(tmp_path, data)
    if below != ".":
        (place / below).mkdir(parents=True)
        os.rename(place / LONG_NAME, place / below / LONG_NAME)
    if how.startswith("python"):
        buffer = io.BytesIO()
        kind = tarfile.GNU_FORMAT if how == "python gnu" else tarfile.PAX_FORMAT
        with tarfile.open(fileobj=buffer, mode="w", format=kind) as tar:
            for name in sorted(os.listdir(place / below / LONG_NAME)):
                tar.add(place / below / LONG_NAME / name, f"{below}/{LONG_NAME}/{name}")
        made = buffer.getvalue()
    else:
        options = ["--format=gnu"] if how == "gnu" else ["--format=posix"]
        if "times" in how:
            options += ["--pax-option=exthdr.name=%d/PaxHeaders.%p/%f,comment=of-all:=", "--xattrs"]
        made = subprocess.run(["tar", "cf", "-", "--sort=name", *options, below.partition("/")[0]], cwd=place,
                              capture_output=True, check=True).stdout
    longest = max(tarfile.open(fileobj=io.BytesIO(made)).getnames(), key=len)
    assert len(longest) > 100 or below == "."
    assert not is_whole(made).said("in another order")


def test_a_long_name_in_a_damaged_archive_is_still_found(tmp_path, data):
    place = unpacked(tmp_path, data)
    for kind in ("gnu", "posix"):
        made = subprocess.run(["tar", "cf", "-", "--sort=name", f"--format={kind}", f"--transform=s,^,{'d' * 60}/,",
                               LONG_NAME], cwd=place, capture_output=True, check=True).stdout
        at = made.index(taken_apart(data)[2][1]) - 512  # the second file's header
        for broken, lost in ((made[:at] + b"#" * 77 + made[at:], 0), (made[:at] + b"#" + made[at + 1:], 4)):
            result = bad(broken, "at 1 place")
            assert len(numbers(result)) >= 20 - 4
            assert lost or f"{INTERFACE}_00003" not in verdict(result)


def test_what_macos_puts_beside_is_no_part_of_it(data):
    """AppleDouble: in front of each member another one, of which nothing is ours."""
    double = bytes.fromhex("0005160700020000") + b"Mac OS X        " + bytes(100)
    members = taken_apart(data)
    with_context = [(f"{LONG_NAME}/context/start/hosts", b"127.0.0.1 localhost\n")]

    def listed(manifest):
        manifest["context"] = [{"name": "context/start/hosts", "bytes": 20, "stored_bytes": 20, "cut": False,
                                "time": manifest["started"]}]
    members = taken_apart(with_manifest(archive_of(members[:1] + with_context + members[1:]), listed))
    beside = []
    for name, text in members:
        directory, _, last = name.rpartition("/")
        beside += [(f"{directory}/._{last}", double), (name, text)]
    for made in (archive_of(beside), member(f"./._{LONG_NAME}", double) + archive_of(beside)):
        assert not is_whole(made).said("in another order")


def test_extended_headers_that_were_unpacked_as_files_are_no_part_of_it(data):
    """By a tar that does not know them."""
    members = []
    for name, text in taken_apart(data):
        directory, _, last = name.rpartition("/")
        members += [(f"{directory}/PaxHeaders.17/{last}", b"30 mtime=1795723811.425225533\n"), (name, text)]
    is_whole(archive_of(members))


def test_another_directory_in_front_hides_nothing(data):
    is_whole(member("notes/readme.txt", b"of the incident") + data)


# --- another order ----------------------------------------------------------------------------------------------

def test_another_order_is_said_and_is_no_damage(data):
    capture, *files, manifest = taken_apart(data)
    first = f"{INTERFACE}_00001_20270115080000.pcap"
    for members in ([files[1], files[0], capture, *files[2:], manifest], [manifest, files[1], files[0], *files[2:], capture]):
        made = archive_of(members)
        result = is_whole(made)
        assert result.said(f"tarcap: 1 file stands in another order than written, first {first}: that is no damage")
        assert fact(page(made), "complete") == "yes (matches the manifest); its files stand in another order than written"
        found = summary(made)
        assert found["files_in_another_order"] == 1 and found["not_whole"] is None
        assert join(made, "-q").err == []
    made = archive_of([capture, *reversed(files), manifest])
    assert is_whole(made).said("tarcap: 4 files stand in another order than written, ")
    # In its own order nothing is said of it.
    assert not is_whole(data).said("in another order") and summary(data)["files_in_another_order"] == 0
    # What is missing is missing in any order.
    bad(archive_of([capture, *reversed(files[1:]), manifest]), f"not whole: {first} is missing;")


def test_the_manifest_first_and_a_hole_of_zeros(data):
    """The archive does not end before what its manifest has listed."""
    capture, *files, manifest = taken_apart(data)
    made = archive_of([manifest, capture, *files])
    is_whole(made)
    name, text, at = next(one for one in tar_members(made)[0] if one[0].endswith(files[2][0]))
    start = made.index(text) - 512
    result = bad(made[:start] + bytes(1024) + made[start + 1024:], f"{name.partition('/')[2]} is missing", "at 1 place")
    assert numbers(result) == [n for n in range(20) if n // 4 != 2]


def test_more_files_before_their_list_than_can_be_compared_are_not_called_damaged(tmp_path):
    count = 8300
    data = captured(tmp_path, pcap_file(records(range(count), step=100)), "-G", "100ms")
    members = taken_apart(data)
    lists = [one for one in members if "manifest" in one[0]]
    assert len(lists) == 3
    made = archive_of([one for one in members if one not in lists] + lists)
    result = join(made)
    assert result.status == 1 and numbers(result) == list(range(count))
    said = (f"not verified: there are too many files to verify (more than 8192 apart from their list) (and "
            f"{count - 8192 - 1} more)")
    assert result.err[-1] == f"tarcap: stdin: {said}; {count} files, {count} packets were good"
    result = run("summary", stdin=made)
    assert (result.status, result.err) == (1, [f"tarcap: stdin: {said}"])
    assert fact(result.out.decode(), "UNVERIFIED").startswith("there are too many files to verify")


# --- what is no archive of ours -----------------------------------------------------------------------------------

def test_a_tar_of_other_files_is_no_archive_of_ours(tmp_path):
    file = pcap_file(records(range(5)))
    for names in (["node-a/capture-0.pcap", "node-a/capture-1.pcap"], ["readme"], ["a/b/c/x.json", "a/b/capture.pcap"]):
        result = join(archive_of([(name, file) for name in names]))
        assert (result.status, result.out) == (1, b"")
        assert result.err == ["tarcap: stdin: no tarcap archive"]
        result = run("summary", stdin=archive_of([(name, file) for name in names]))
        assert (result.status, result.out) == (1, b"") and "no tarcap archive" in result.err[-1]
