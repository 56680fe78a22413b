"""The schemas in the image are sound and strict: whatever is added to the JSON that tarcap writes, or left out of it, is
noticed, in every test that reads an archive or a summary."""

import copy
import json
import re
import struct

import pytest
from jsonschema import Draft202012Validator

from altered import START, captured
from archive import Archive, pcap_file
from process import TOP
from schema import KINDS, fault, path_of, validator
from summary import summary
from wire import MAC_A, MAC_B

# The key of each kind's version, and the highest.
VERSIONS = {"capture": ("tarcap_capture", 2), "manifest": ("tarcap_manifest", 2), "summary": ("tarcap_summary", 1)}


def syn(number):
    return MAC_B + MAC_A + struct.pack("!HBBHHHBBHIIHHIIBBHHH", 0x800, 0x45, 0, 40, 7, 0, 64, 6, 0, 0x0a000001, 0x0a000002,
                                       4000 + number, 80, 1, 2, 0x50, 2, 1000, 0, 0)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What a capture with something of everything wrote, by kind."""
    packets = pcap_file([(START + number, 0, syn(number)) for number in range(5)])
    data = captured(tmp_path_factory.mktemp("schemas"), packets, "-G", "2s", "--reason", "why", "--compress", "zstd", "tcp")
    archive = Archive(data).check()
    return {"capture": archive.capture, "manifest": archive.manifest, "summary": summary(data)}


def objects(value, path=()):
    """Each object in it, by its path; of a list the first."""
    if isinstance(value, dict):
        yield path, value
        for key, below in value.items():
            yield from objects(below, (*path, key))
    elif isinstance(value, list) and value:
        yield from objects(value[0], (*path, 0))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def changed(value, path, change):
    value = copy.deepcopy(value)
    change(at(value, path))
    return value


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_schema_that_allows_nothing_it_does_not_name(kind):
    Draft202012Validator.check_schema(validator(kind).schema)
    text = path_of(kind).read_text()
    closed = 0

    def check(node):
        nonlocal closed
        if isinstance(node, dict) and "object" in (node.get("type") or ()):
            # Where the names are what was seen, such as codes, each has a number.
            assert node["additionalProperties"] is False or "properties" not in node, node
            assert node["additionalProperties"] in (False, {"$ref": "#/$defs/count"}), node
            assert set(node.get("required", ())) <= set(node.get("properties", ())), node
            closed += 1
        for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            check(below)
    check(validator(kind).schema)
    assert closed > 5
    defined = set(validator(kind).schema["$defs"])
    # What summary prints of several captures has a summary of each in it, and findings of the same kind.
    named = set(re.findall(r'"\$ref": "([^"]+)"', text)) - {"#", "#/properties/findings"}
    assert named == {f"#/$defs/{name}" for name in defined - {"together"}}


@pytest.mark.parametrize("kind", KINDS)
def test_each_field_that_is_added_missing_or_of_another_type_is_noticed(written, kind):
    value = written[kind]
    assert fault(kind, value) is None
    for path, found in objects(value):
        if path and path[-1] == "files":
            continue
        assert "new" in fault(kind, changed(value, path, lambda node: node.update(new=1))), path
        for key in found:
            assert fault(kind, changed(value, path, lambda node: node.pop(key))), (path, key)
            for other in ([], {}):
                same = isinstance(found[key], type(other))
                assert same or fault(kind, changed(value, path, lambda node: node.update({key: other}))), (path, key)


@pytest.mark.parametrize("kind", KINDS)
def test_its_identifier_has_the_highest_version_that_it_describes(written, kind):
    key, highest = VERSIONS[kind]
    assert validator(kind).schema["$id"] == f"urn:tarcap:{kind}:{highest}"
    assert fault(kind, {**written[kind], key: highest}) is None
    assert fault(kind, {**written[kind], key: highest + 1}) and fault(kind, {**written[kind], key: 0})


def test_version_1_has_no_field_of_version_2(written):
    overwritten = {"files": 1, "packets": 2, "bytes": 3, "dropped": 0}
    fields = {"window": None, "overwritten": overwritten, "not_yet_stored": 1, "event": None, "events": 0,
              "cut_by_first": {"packets": 1, "bytes": 2}}
    manifest = written["manifest"]
    assert fault("manifest", {**manifest, **fields, "tarcap_manifest": 2}) is None
    for key, value in fields.items():
        assert fault("manifest", {**manifest, key: value}), key
    for key in ("overwritten", "not_yet_stored", "cut_by_first"):
        one = changed(manifest, ("interfaces", 0), lambda account: account.update({key: fields[key]}))
        assert fault("manifest", one) and fault("manifest", {**one, "tarcap_manifest": 2}) is None, key


def test_a_part_has_files_and_no_more(written):
    part = {"tarcap_manifest": 1, "part": 1, "files": written["manifest"]["files"]}
    assert fault("manifest", part) is None
    assert fault("manifest", {**part, "parts": 1}) and fault("manifest", {**part, "part": 0})


def test_every_cause_of_an_end_has_its_place():
    """The names in the source are those in the schema."""
    table = re.search(r"causes\[\] = \{(.*?)\};", (TOP / "src/archive/manifest.c").read_text(), re.S)[1]
    names = {name for name in re.findall(r'= "([^"]+)"', table)}
    assert names - {"none"} == set(json.loads(path_of("manifest").read_text())["properties"]["ended_by"]["properties"]["cause"]["enum"])
