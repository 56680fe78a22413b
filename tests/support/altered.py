"""Archives made, taken apart, changed, and put together again."""

import copy
import json
import re
import subprocess
import tarfile

from archive import tar_members
from capture import run
from wire import frame

START = 1_800_000_000


def records(numbers, size=60, step=1):
    """A numbered frame for each number, which is also its time in steps of milliseconds."""
    return [(START + number * step // 1000, number * step % 1000 * 1000, frame(number, size)) for number in numbers]


def captured(tmp_path, data, *arguments, name="web"):
    path = tmp_path / "eth0.pcap"
    path.write_bytes(data)
    return run("-r", path, "--name", name, *arguments).whole().data


def member(name, text, kind=tarfile.USTAR_FORMAT, **fields):
    info = tarfile.TarInfo(name)
    info.size = len(text)
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(kind) + text + bytes(-len(text) % 512)


def archive_of(members):
    return b"".join(member(name, text) for name, text in members) + bytes(1024)


def taken_apart(data):
    return [(name, text) for name, text, _ in tar_members(data)[0]]


def is_packets(name):
    return ".pcap" in name


def with_manifest(data, change):
    """The archive with its manifest.json after change() to what it says."""
    members = taken_apart(data)
    name, text = members[-1]
    manifest = json.loads(text)
    changed = change(manifest)
    return archive_of(members[:-1] + [(name, json.dumps(changed or manifest).encode())])


def compressed(text, *arguments):
    return subprocess.run(["zstd", "-q", "-c", *arguments], input=text, capture_output=True, check=True).stdout


def with_zstd(data, *arguments, only=lambda number: True):
    """The archive with its packets compressed, and its manifest saying so."""
    members, sizes = [], {}
    for number, (name, text) in enumerate(taken_apart(data)):
        if is_packets(name) and only(number):
            text = compressed(text, *arguments)
            sizes[name.partition("/")[2]] = len(text)
            name += ".zst"
        members.append((name, text))

    def change(manifest):
        for file in manifest["files"]:
            if file["name"] in sizes:
                file["stored_bytes"] = sizes[file["name"]]
                file["name"] += ".zst"
    return with_manifest(archive_of(members), change)


TIME = re.compile(r"(\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}Z|\d+\.\d{9})$")


def leaves(value, path=()):
    """Each number, and each text that is one or a time, by its path."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from leaves(below, (*path, key))
    elif isinstance(value, list):
        for i, below in enumerate(value):
            yield from leaves(below, (*path, i))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, value
    elif isinstance(value, str) and TIME.match(value):
        yield path, value


def with_value(manifest, path, value):
    changed = copy.deepcopy(manifest)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


def compressed_stream(text):
    """As from a pipe of unknown length, so that the frame asks for its full window of 128 MiB."""
    made = subprocess.run(["sh", "-c", "cat | zstd -q -c --ultra --long=27 -"], input=text, capture_output=True, check=True)
    assert made.stdout[5] >> 3 == 17, made.stdout[:8]  # window descriptor: 2^(10 + 17)
    return made.stdout
