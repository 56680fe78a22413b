"""Archives of version 2, as --record, --until and --first write them, read back: what was overwritten, the window, the
event and its number in join's output."""

import json
import random
import socket
import struct
import time

import pytest

from altered import archive_of, captured, records, taken_apart, with_manifest
from archive import pcap_file
from capture import Capture, run
from join import bad, join, numbers, whole
from process import TOP, sh
from recorded import accounts, as_version_2, beside, overwritten, with_cut, with_event
from summary import fact, page, summary
from wire import frame, in_namespace, number_of, udp


@pytest.fixture(scope="module", autouse=True)
def tools():
    sh(TOP / "image/need", "zstd", "tshark", timeout=300)


def without(data, *path):
    """A field of its manifest is missing."""
    def change(manifest):
        for key in path[:-1]:
            manifest = manifest[key]
        del manifest[path[-1]]
    return with_manifest(data, change)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Eight files with five packets each, of one interface."""
    return captured(tmp_path_factory.mktemp("plain"), pcap_file(records(range(40), 100, step=25)), "-G", "125ms")


def captured_as(folder, interface, numbers, *arguments):
    path = folder / f"{interface}.pcap"
    path.write_bytes(pcap_file([records([number], 80, step=7)[0] for number in numbers]))
    return run("-r", path, "--name", "web", "-G", "200ms", *arguments).whole().data


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Two interfaces whose packets come one after the other in time, and file by file in the archive."""
    folder = tmp_path_factory.mktemp("both")
    return beside(captured_as(folder, "eth0", range(0, 400, 2)), captured_as(folder, "eth1", range(1, 400, 2)))


def told(data, *arguments):
    """What summary's JSON says of the recorder, when join says that the archive is whole; and join's lines."""
    said = whole(data, *arguments).err
    assert whole(data, "--check").err == said
    return summary(data), said


# --- what was overwritten ---------------------------------------------------------------------------------------

def test_overwritten_files_are_no_defect_when_the_account_has_them(plain):
    data = overwritten(plain, 3)
    assert numbers(whole(data)) == list(range(15, 40))
    found, said = told(data)
    window = "2027-01-15 08:00:00.375000 to 2027-01-15 08:00:00.975000 UTC"
    assert said[0] == f"tarcap: window: {window}; 15 packets before it were overwritten (3 files)"
    assert said[1].startswith("tarcap: stdin: whole: 5 files, 25 packets; nothing lost; ")
    assert found["overwritten"] == {"files": 3, "packets": 15, "bytes": 3 * (24 + 5 * 116), "dropped": 0}
    assert found["window"] == {"from": "2027-01-15T08:00:00.375000000Z", "to": "2027-01-15T08:00:00.975000000Z"}
    assert fact(page(data), "window") == f"{window}; 15 packets before it were overwritten (3 files)"
    assert "event" not in found and "cut_by_first" not in found and "not_yet_stored" not in found


def test_nothing_or_all_may_be_overwritten(plain):
    assert "; nothing was overwritten" in told(overwritten(plain, 0))[1][0]
    found, said = told(overwritten(plain, 8))
    assert found["window"] is None and found["packets"] == 0
    assert said[0] == "tarcap: window: no packets; 40 packets before it were overwritten (8 files)"


def test_the_kernels_drops_of_overwritten_files_are_still_lost(plain):
    said = told(overwritten(plain, 2, dropped=7))[1]
    assert said[-1].startswith("tarcap: stdin: whole: 6 files, 30 packets; 7 packets lost; ")


def test_what_a_live_recorder_has_not_stored_yet_is_part_of_the_identity(plain):
    data = overwritten(plain, 2, not_yet_stored=9)
    found, said = told(data)
    assert found["not_yet_stored"] == 9 and said[0].endswith("; 9 packets were not stored yet")
    bad(with_manifest(data, lambda manifest: manifest["interfaces"][0].update(not_yet_stored=8)), "does not add up")


def test_files_that_are_missing_without_being_overwritten_are_missed(plain):
    """The first is gone from the archive alone, then from the list, then its packets are in no count either."""
    members = taken_apart(overwritten(plain, 2))
    name = members[1][0].partition("/")[2]
    fewer = archive_of(members[:1] + members[2:])
    bad(fewer, f"{name} is missing")

    def forget(manifest):
        manifest["files"] = manifest["files"][1:]
    bad(with_manifest(fewer, forget), "has 30 packets where 25 are listed")

    def hide(manifest):
        forget(manifest)
        [account] = manifest["interfaces"]
        account["written"] -= 5
        account["received_by_filter"] -= 5
        manifest["totals"] = {"files": 5, "packets": 25, "bytes": sum(file["bytes"] for file in manifest["files"])}
        manifest["window"]["from"] = manifest["files"][0]["first"]
    bad(with_manifest(fewer, hide), "has 2 overwritten files where 3 numbers are missing")


def test_a_live_recorder_may_overwrite_behind_what_it_gave_away(plain):
    def lead(manifest):
        """Also a ninth file, which nobody has seen."""
        for told in (manifest, manifest["interfaces"][0]):
            told["overwritten"]["files"] += 1
            told["overwritten"]["packets"] += 2
            told["overwritten"]["bytes"] += 200
        manifest["interfaces"][0]["received_by_filter"] += 2
    whole(with_manifest(overwritten(plain, 2, not_yet_stored=0), lead))
    bad(with_manifest(overwritten(plain, 2), lead), "has 3 overwritten files where 2 numbers are missing")


@pytest.mark.parametrize("key,value,said", [
    ("from", "2027-01-15T08:00:00.374999999Z", "the window begins at another time than the packets"),
    ("to", "2027-01-15T08:00:00.975000001Z", "the window ends at another time than the packets")])
def test_the_window_is_that_of_the_packets(plain, key, value, said):
    data = overwritten(plain, 3)
    bad(with_manifest(data, lambda manifest: manifest["window"].update({key: value})), said)
    bad(with_manifest(data, lambda manifest: manifest.update(window=None)), "the window begins at another time")
    bad(without(data, "window", key), "manifest.json is damaged (a field is missing)")


@pytest.mark.parametrize("key", ["files", "packets", "bytes", "dropped"])
def test_all_that_was_overwritten_is_the_sum_of_the_interfaces(both, key):
    data = overwritten(both, 4, dropped=2)
    whole(data)
    bad(with_manifest(data, lambda manifest: manifest["overwritten"].update({key: manifest["overwritten"][key] + 1})),
        "in all, and ", "of the interfaces")
    bad(without(data, "overwritten", key), "(a field is missing)")


# --- versions ---------------------------------------------------------------------------------------------------

def test_version_1_is_read_as_ever(plain):
    """It knows nothing of overwriting: what a recorder's manifest adds excuses nothing in it."""
    def older(manifest):
        manifest["tarcap_manifest"] = 1
    members = taken_apart(with_manifest(overwritten(plain, 2), older))
    request = json.dumps({**json.loads(members[0][1]), "tarcap_capture": 1}).encode()
    bad(archive_of([(members[0][0], request)] + members[1:]), "the account of eth0 does not add up")
    whole(as_version_2(plain))


def test_all_of_an_archive_has_one_version(plain):
    data = overwritten(plain, 2)
    bad(with_manifest(data, lambda manifest: manifest.update(tarcap_manifest=1)),
        "capture.json and manifest.json differ in tarcap_manifest")
    members = taken_apart(data)
    part = json.dumps({"tarcap_manifest": 1, "part": 1, "files": []}).encode()
    bad(archive_of(members[:-1] + [("web/manifest_00001.json", part)] + members[-1:]),
        "manifest.json is damaged (another version than other parts)")
    bad(with_manifest(data, lambda manifest: manifest.update(tarcap_manifest=3)),
        "not verified: it was written by another version of tarcap (manifest version 3, here 2)")


# --- the event --------------------------------------------------------------------------------------------------

def frame_at(tmp_path, result, number):
    """What tshark shows as the frame with that number in join's output."""
    path = tmp_path / "joined"
    path.write_bytes(result.out)
    out = sh("tshark", "-n", "-r", path, "-Y", f"frame.number == {number}", "-T", "json", "-x", timeout=60).stdout
    [shown] = json.loads(out)
    return number_of(bytes.fromhex(shown["_source"]["layers"]["frame_raw"][0]))


@pytest.mark.parametrize("number", [60, 61, 200, 201, 398, 399])
def test_the_event_is_the_frame_that_wireshark_shows_under_its_number(both, tmp_path, number):
    data = with_event(overwritten(both, 2), "reset", number)
    found, said = told(data)
    event = found["event"]
    assert event["what"] == "reset" and event["interface"] == f"eth{number % 2}" and found["events"] == 1
    joined = event["joined_packet"]
    assert frame_at(tmp_path, join(data), joined) == number
    assert said[1] == (f"tarcap: event: reset at {event['time'][:10]} {event['time'][11:26]} UTC on {event['interface']}: "
                       f"packet {event['packet']} of {event['member']}, packet {joined} of join's output")
    assert fact(page(data), "event").endswith(f", packet {joined} of join's output")


def test_equal_times_keep_their_order_and_the_event_its_place(tmp_path):
    """All packets of both interfaces have one of three times."""
    order = random.Random(7)
    for interface, numbers_of in (("eth0", range(0, 90, 3)), ("eth1", range(1, 90, 3))):
        made = sorted((order.randrange(3), number) for number in numbers_of)
        (tmp_path / f"{interface}.pcap").write_bytes(
            pcap_file([(1_800_000_000 + second, 0, frame(number, 80)) for second, number in made]))
    one, other = (run("-r", tmp_path / f"eth{n}.pcap", "--name", "web", "-G", "1s").whole().data for n in (0, 1))
    data = beside(one, other)
    for number in (0, 1, 45, 46, 84, 85):
        event = summary(with_event(data, "reset", number))["event"]
        assert frame_at(tmp_path, whole(with_event(data, "reset", number)), event["joined_packet"]) == number


def test_no_event_and_one_that_is_not_in_the_archive(plain):
    found, said = told(with_event(plain, "reset", None))
    assert found["event"] is None and found["events"] == 0 and said[0] == "tarcap: event: none came"
    found, said = told(with_event(overwritten(plain, 3), "tcp port 80", 2, events=5))
    assert found["event"]["member"] is None and found["event"]["joined_packet"] is None and found["events"] == 5
    assert said[1] == ("tarcap: event: tcp port 80 at 2027-01-15 08:00:00.000000 UTC on eth0: its packet is not in the "
                       "archive; 4 more came after it")
    data = with_manifest(with_event(plain, "silence=5s", None), lambda manifest: manifest.update(
        event={"what": "silence=5s", "time": "2027-01-15T08:00:05.000000000Z", "interface": None, "member": None,
               "packet": None}, events=1))
    assert told(data)[1][0] == "tarcap: event: silence=5s at 2027-01-15 08:00:05.000000 UTC"


@pytest.mark.parametrize("change,said", [
    ({"packet": 6}, "the event's packet, number 6 of eth0_00004_20270115080000.pcap, is not there at its time"),
    ({"packet": 1}, "the event's packet, number 1 of eth0_00004_20270115080000.pcap, is not there at its time"),
    ({"packet": 0}, "the event's packet, number 0 of"),
    ({"packet": None}, "manifest.json is damaged (a field is missing)"),
    ({"time": "2027-01-15T08:00:00.400000001Z"}, "is not there at its time"),
    ({"interface": "eth1"}, "the event's file eth0_00004_20270115080000.pcap is not of eth1"),
    ({"interface": None}, "the event's file eth0_00004_20270115080000.pcap is not of"),
    ({"member": "eth0_00003_20270115080000.pcap"}, "number 2 of eth0_00003_20270115080000.pcap, is not there"),
    ({"member": "eth0_00001_20270115080000.pcap"}, "number 2 of eth0_00001_20270115080000.pcap, is not there"),
    ({"what": None}, "manifest.json is damaged (a field is missing)")])
def test_an_event_that_is_not_where_it_is_said_to_be(plain, change, said):
    data = with_event(overwritten(plain, 3), "reset", 16)
    whole(data)
    bad(with_manifest(data, lambda manifest: manifest["event"].update(change)), said)


def test_the_number_of_events_and_the_event_belong_together(plain):
    bad(with_event(plain, "reset", 3, events=0), "0 events are counted where one is told")
    bad(with_manifest(with_event(plain, "reset", None), lambda manifest: manifest.update(events=2)),
        "2 events are counted where none is told")
    bad(without(with_event(plain, "reset", 3), "events"), "(a field is missing)")


def test_an_event_in_a_compressed_archive(tmp_path):
    data = captured(tmp_path, pcap_file(records(range(40), 100, step=25)), "-G", "125ms", "--compress", "zstd")
    data = with_event(overwritten(data, 3), "reset", 16)
    assert told(data)[0]["event"]["joined_packet"] == 2


def test_texts_of_a_manifest_cannot_move_the_cursor(plain):
    data = with_event(plain, "tcp \x1b[2J\n and \u00e9", 3)
    said = whole(data).err
    assert "\x1b" not in "".join(said) and said[0].startswith("tarcap: event: tcp ?[2J? and ")
    assert "\x1b" not in page(data) and "\x1b" not in summary(data)["event"]["what"]


# --- what --first cut -------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """Each fourth packet is 40 bytes shorter than it was."""
    packets = [(*record, len(record[2]) + 40 * (number % 4 == 0)) for number, record in enumerate(records(range(40), 100, 25))]
    return captured(tmp_path_factory.mktemp("cut"), pcap_file(packets), "-G", "125ms")


def test_what_first_cut_is_what_is_cut_in_the_packets(cut):
    found, said = told(with_cut(cut))
    assert found["cut_by_first"] == {"packets": 10, "bytes": 400}
    assert said[0] == "tarcap: --first cut 10 packets, by 400 bytes in all"
    assert fact(page(with_cut(cut)), "cut") == "--first cut 10 packets, by 400 bytes in all"


@pytest.mark.parametrize("key", ["packets", "bytes"])
def test_a_wrong_number_of_cut_packets_is_noticed(cut, key):
    def more(by):
        def change(manifest):
            for told_of in (manifest, manifest["interfaces"][0]):
                told_of["cut_by_first"][key] += by
        return change
    for by in (1, -1):
        bad(with_manifest(with_cut(cut), more(by)), "the account of eth0 has ", "cut packets")
    # Those that were overwritten were cut, too.
    def both_kinds(by):
        return with_manifest(overwritten(with_cut(cut), 2), more(by))
    whole(both_kinds(1))
    bad(both_kinds(-5 if key == "packets" else -200), "cut packets")


def test_cut_by_a_snapshot_length_nothing_can_be_compared(tmp_path):
    data = captured(tmp_path, pcap_file(records(range(8), 100, 25)), "-s", "60")

    def tell(manifest):
        for told_of in (manifest, manifest["interfaces"][0]):
            told_of["cut_by_first"] = {"packets": 3, "bytes": 7}
    whole(as_version_2(data, tell))


def test_accounts_of_two_interfaces_are_told_apart(both):
    """What one lacks the other cannot make up for."""
    def shift(manifest):
        one, other = accounts(manifest).values()
        one["overwritten"]["packets"] -= 1
        other["overwritten"]["packets"] += 1
    bad(with_manifest(overwritten(both, 4), shift), "the account of eth0 does not add up (and 1 more)")


# --- by a recorder that is one -----------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_the_event_of_two_interfaces_is_the_frame_that_wireshark_shows(wire, tmp_path, kind):
    """Files are sealed at other times than packets come, and the later packets are not more than the earlier ones."""
    sh("ip", "-n", wire.b, "link", "set", "lo", "up")
    capture = Capture(wire, "-i", "tc0", "-i", "lo", "--record", "4M", "-G", "100ms", "--until", "udp port 7777",
                      "--after", "200ms", "--first", "64", "--format", kind)

    def work():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for number in range(300):
                sock.sendto(bytes(200), ("127.0.0.1", 7777 if number == 200 else 5000))
                wire.send([frame(number, 300)])
                time.sleep(0.001)
    in_namespace(wire.b, work)
    data = capture.wait().whole().data
    found, said = told(data)
    assert found["event"]["interface"] == "lo" and found["ended_by"] == "event" and found["cut_by_first"]["packets"] > 0
    path = tmp_path / "joined"
    path.write_bytes(join(data).out)
    number = found["event"]["joined_packet"]
    ports = sh("tshark", "-n", "-r", path, "-Y", "udp.port == 7777", "-T", "fields", "-e", "frame.number").stdout.split()
    assert ports[0] == str(number) and f"packet {number} of join's output" in said[1]


# --- of any archive: where a finding was seen first ---------------------------------------------------------------

def udp_then_refused(at):
    """A datagram, and the answer that nothing listens."""
    sent = udp(at, 5000, 80)
    quoted = sent[14:]
    ip = struct.pack("!BBHHHBBHII", 0x45, 0, 28 + len(quoted), 7, 0, 64, 1, 0, *struct.unpack("!II", quoted[16:20] + quoted[12:16]))
    return [sent, sent[6:12] + sent[:6] + b"\x08\x00" + ip + b"\x03\x03" + bytes(6) + quoted]


def test_a_finding_has_the_number_that_wireshark_shows(tmp_path):
    """As long as files and packets came in the order of time; else, and where something is missing, none is claimed."""
    frames = [frame(number, 80) for number in range(7)] + udp_then_refused(7) + [frame(number, 80) for number in range(9, 20)]
    times = [(1_800_000_000 + at // 4, at % 4 * 250_000) for at in range(len(frames))]
    data = captured(tmp_path, pcap_file([(*when, one) for when, one in zip(times, frames)]), "-G", "1s")
    [first] = [finding["first"] for finding in summary(data)["findings"] if finding["kind"] in ("refused", "icmp-error")]
    path = tmp_path / "joined"
    path.write_bytes(whole(data).out)
    [shown] = sh("tshark", "-n", "-r", path, "-Y", "icmp", "-T", "fields", "-e", "frame.number").stdout.split()
    assert first["joined_packet"] in (int(shown), int(shown) - 1) and first["packet"] != first["joined_packet"]

    times[3], times[2] = times[2], times[3]
    late = captured(tmp_path, pcap_file([(*when, one) for when, one in zip(times, frames)]), "-G", "1s")
    for changed, status in ((late, 0), (archive_of(taken_apart(data)[:2] + taken_apart(data)[3:]), 1)):
        [first] = [finding["first"] for finding in summary(changed, status=status)["findings"]
                   if finding["kind"] in ("refused", "icmp-error")]
        assert first["packet"] and first["joined_packet"] is None
