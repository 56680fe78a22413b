"""Every number of a manifest is compared with something: change one, and join --check says so. What cannot be compared is
listed here with its reason, and the manual has the same list."""

import json
import re
import signal

import pytest

from altered import archive_of, captured, leaves, records, taken_apart, with_manifest, with_value
from archive import pcap_file
from capture import Capture
from join import bad, join, some, whole
from process import TOP
from recorded import overwritten, with_cut, with_event
from summary import page
from wire import frame

# By the last part of its path.
NOT_COMPARED = {
    "ended": "nothing else knows when the manifest was made",
    "clock_offset_seconds_at_end": "nothing else knows it",
    "gone": "nothing else knows when the interface vanished",
    "context.time": "nothing else knows when it was read",
    "event.time": "where its packet is not in the archive, nothing else knows when it came",
    "events": "only whether there was one",
    "dropped_by_kernel_while_reader_slow": "only that it is no more than dropped_by_kernel",
}


def changes(value):
    if isinstance(value, str):
        digit = re.search(r"\d(?=Z?$)", value).start()
        return [value[:digit] + str((int(value[digit]) + 1) % 10) + value[digit + 1:]]
    return [value + 1] + [value - 1] * (value >= 1)


def is_not_compared(path, manifest):
    event_is_there = (manifest.get("event") or {}).get("member")
    return path[-1] in NOT_COMPARED or (path[0] == "context" and path[-1] == "time") or (
        path == ("event", "time") and not event_is_there)


def check_each(data):
    manifest = json.loads(taken_apart(data)[-1][1])
    found = list(leaves(manifest))
    unseen = []
    for path, value in some(found):
        for changed in changes(value):
            made = with_manifest(data, lambda _: with_value(manifest, path, changed))
            status = join(made, "--check").status
            assert status in (0, 1)
            if status == 0 and not is_not_compared(path, manifest):
                unseen.append((path, value, changed))
    assert unseen == []
    return [path for path, _ in found]


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_each_number_of_a_live_capture(wire, kind):
    capture = Capture(wire, "-C", "16k", "-s", 3000, "--format", kind, "--duration", "300s", "-c", 1000, "-W", 50)
    wire.send(frame(number, 300) for number in range(150))
    data = capture.end(signal.SIGINT).whole().data
    whole(data, "--check")
    paths = check_each(data)
    assert ("files", 1, "dropped") in paths and ("limits", "packets") in paths and ("memory", "ring_bytes") in paths
    assert any(path[0] == "context" and path[-1] == "bytes" for path in paths)


def test_each_number_where_packets_were_lost(tmp_path):
    """Also those that are zero elsewhere, so that each can be one less."""
    def lose(manifest):
        [account] = manifest["interfaces"]
        account.update(dropped_by_kernel=12, dropped_by_kernel_while_reader_slow=3, dropped_at_stop=4, after_limit=5,
                       dropped_output_failed=6, filtered_in_user_space=7, dropped_before_no_file=2,
                       received_by_filter=account["written"] + 12 + 4 + 5 + 6 + 7)
        manifest["files"][0]["dropped"] = 3
        manifest["files"][2]["dropped"] = 7
        manifest["not_captured"] = [{"name": "eth9", "why": "it is down"}]
        manifest["not_captured_count"] = 1
    data = captured(tmp_path, pcap_file(records(range(20), 100, step=25)), "-G", "100ms")
    data = with_manifest(data, lose)
    whole(data, "--check")
    paths = check_each(data)
    assert ("interfaces", 0, "dropped_before_no_file") in paths


@pytest.mark.parametrize("number,not_yet_stored", [(18, None), (18, 3), (2, None)])
def test_each_number_of_a_recorder(tmp_path, number, not_yet_stored):
    """The event's packet is in the archive, or it was overwritten."""
    packets = [(*record, len(record[2]) + 40 * (n % 4 == 0)) for n, record in enumerate(records(range(40), 100, 25))]
    data = with_cut(captured(tmp_path, pcap_file(packets), "-G", "125ms"))
    data = with_event(overwritten(data, 3, 2, not_yet_stored), "reset", number, events=2)
    whole(data, "--check")
    paths = check_each(data)
    for path in (("window", "from"), ("overwritten", "dropped"), ("interfaces", 0, "overwritten", "files"),
                 ("interfaces", 0, "cut_by_first", "bytes"), ("event", "time"), ("events",)):
        assert path in paths
    assert (("event", "packet") in paths) == (number == 18) and (("not_yet_stored",) in paths) == bool(not_yet_stored)


def test_an_older_manifest_that_does_not_have_them_is_whole(tmp_path):
    """The first versions did not write all of these, and had libpcap's number for raw IP."""
    data = captured(tmp_path, pcap_file(records(range(20), 100, step=25), linktype=101), "-G", "100ms")
    for number in (12, 101):
        def older(manifest):
            [account] = manifest["interfaces"]
            for key in ("dropped_before_no_file", "dropped_output_failed", "dropped_by_kernel_while_reader_slow"):
                del account[key]
            del manifest["not_captured_count"], manifest["context"]
            account["link_type_number"] = number
        members = taken_apart(with_manifest(data, older))
        request = json.loads(members[0][1])
        request["interfaces"][0]["link_type_number"] = number
        whole(archive_of([(members[0][0], json.dumps(request).encode())] + members[1:]), "--check")
        # A single changed number of drops is then seen where there are none.
        bad(with_manifest(archive_of(members), lambda manifest: manifest["files"][0].update(dropped=1)), "dropped packets")


def test_the_manual_lists_what_cannot_be_compared():
    source = (TOP / "src/tarcap.1").read_text()
    paragraph = re.search(r"^What cannot be compared with anything:\n(.*?)^\.(?:Pp|Sh)", source, re.S | re.M)[1]
    assert set(re.findall(r"^\.Va (\S+)", paragraph, re.M)) == set(NOT_COMPARED)


# --- capture.json -----------------------------------------------------------------------------------------------

@pytest.fixture
def small(tmp_path):
    return captured(tmp_path, pcap_file(records(range(20), 100, step=25)), "-G", "100ms")


def test_who_captured_is_missed(small):
    (name, text), *rest = taken_apart(small)
    assert name == "web/capture.json"
    bad(archive_of(rest), "not whole: capture.json is missing;")
    bad(archive_of([(name, text), (name, text)] + rest), "not whole: capture.json came twice;")
    bad(archive_of([(name, text)] + rest[:-1] + [(name, text)] + rest[-1:]), "not whole: capture.json came twice;")
    for empty, why in ((b"", "no JSON"), (b"{}", "no version"), (b"[]", "no version"), (text[:-10], "no JSON"),
                       (b'{"tarcap_capture": 1}', "a field is missing")):
        bad(archive_of([(name, empty)] + rest), f"not whole: capture.json is damaged ({why});")
    for key in ("name", "started", "user", "command"):
        without = {other: value for other, value in json.loads(text).items() if other != key}
        bad(archive_of([(name, json.dumps(without).encode())] + rest), "capture.json is damaged (a field is missing)")
    said = bad(archive_of([(name, text.replace(b'"tarcap_capture": 1', b'"tarcap_capture": 3'))] + rest),
               "not verified: capture.json was written by another version of tarcap (3, here 2)")
    assert len(said.err) == 1
    assert "capture.json is missing" in page(archive_of(rest), status=1)


@pytest.mark.parametrize("key,value,said", [
    ("name", "other", "name"), ("reason", "none", "reason"), ("started", "2026-11-22T00:00:00.000000000Z", "started"),
    ("clock_offset_seconds", "1.000000000", "clock_offset_seconds_at_start"), ("format", "pcapng", "format"),
    ("limits", {}, "limits"), ("memory", {}, "memory"), ("interfaces", [], "interfaces"), ("version", "9", "version")])
def test_what_both_tell_is_the_same(small, key, value, said):
    (name, text), *rest = taken_apart(small)
    changed = json.dumps({**json.loads(text), key: value}).encode()
    bad(archive_of([(name, changed)] + rest), f"not whole: capture.json and manifest.json differ in {said};")


def test_a_header_unlike_the_manifests(small):
    """Of all files, and of the only one: then nothing but the manifest knows better."""
    members = taken_apart(small)
    for header, said in (({"linktype": 113}, "eth0 has link type 113 where 1 is listed"),
                         ({"snaplen": 1000}, "eth0 has snapshot length 1000 where 262144 is listed")):
        made = [(name, pcap_file(records(range(n * 4 - 4, n * 4), 100, step=25), **header) if ".pcap" in name else text)
                for n, (name, text) in enumerate(members)]
        result = bad(archive_of(made), f"not whole: {said};", "5 files, 20 packets were good")
        assert len(result.err) == 1
