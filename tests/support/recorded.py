"""Archives as a recorder would have written them, made of an ordinary one: its first files overwritten, an event, ..."""

import json

from altered import archive_of, is_packets, taken_apart
from archive import expanded, packet_file, rfc3339
from wire import number_of


def accounts(manifest):
    return {account["name"]: account for account in manifest["interfaces"]}


def as_version_2(data, change=lambda manifest: None):
    """Its JSON says version 2, and has been through change()."""
    members = []
    for name, text in taken_apart(data):
        below = name.partition("/")[2]
        if below.endswith(".json") and "/" not in below:
            told = json.loads(text)
            told["tarcap_capture" if below == "capture.json" else "tarcap_manifest"] = 2
            if below == "manifest.json":
                change(told)
            text = json.dumps(told).encode()
        members.append((name, text))
    return archive_of(members)


def overwritten(data, count, dropped=0, not_yet_stored=None):
    """The first count files of an archive without parts are gone."""
    gone = [name.partition("/")[2] for name, _ in taken_apart(data) if is_packets(name)][:count]

    def forget(manifest):
        listed = manifest["files"]
        manifest["files"] = files = [file for file in listed if file["name"] not in gone]
        for name, account in accounts(manifest).items():
            lost = [file for file in listed if file["name"] in gone and file["interface"] == name]
            packets = sum(file["packets"] for file in lost)
            account["overwritten"] = {"files": len(lost), "packets": packets, "bytes": sum(file["bytes"] for file in lost),
                                      "dropped": sum(file["dropped"] for file in lost) + dropped * bool(lost)}
            account["written"] -= packets
            account["dropped_by_kernel"] += dropped * bool(lost)
            account["received_by_filter"] += dropped * bool(lost)
            if not_yet_stored is not None:
                account["not_yet_stored"] = not_yet_stored
                account["received_by_filter"] += not_yet_stored
        told = manifest["interfaces"]
        manifest["overwritten"] = {key: sum(account["overwritten"][key] for account in told) for key in told[0]["overwritten"]}
        if not_yet_stored is not None:
            manifest["not_yet_stored"] = not_yet_stored * len(told)
        manifest["totals"] = {"files": len(files), "packets": sum(file["packets"] for file in files),
                              "bytes": sum(file["bytes"] for file in files)}
        manifest["window"] = files and {"from": min(file["first"] for file in files),
                                        "to": max(file["last"] for file in files)} or None
    kept = [(name, text) for name, text in taken_apart(data) if name.partition("/")[2] not in gone]
    return as_version_2(archive_of(kept), forget)


def with_event(data, what, number, events=1):
    """The event is the packet with that number; one that is not there any more has no place, and None is none."""
    def tell(manifest):
        manifest.update(event=None, events=0)
        if number is None:
            return
        place = {"member": None, "packet": None}
        listed = {file["name"]: file for file in manifest["files"]}
        found = [(name.partition("/")[2], at, record)
                 for name, text, _ in expanded(taken_apart(data))
                 for at, record in enumerate(packet_file(name, text).records, 1) if number_of(record.data) == number]
        for name, at, record in found:
            place = {"time": rfc3339(record.time), "interface": listed[name]["interface"], "member": name, "packet": at}
        manifest.update(event={"what": what, "time": "2027-01-15T08:00:00.000000000Z", "interface": "eth0", **place},
                        events=events)
    return as_version_2(data, tell)


def with_cut(data):
    """What is shorter than it was on the wire has been cut by --first."""
    def tell(manifest):
        files = {file["name"]: file["interface"] for file in manifest["files"]}
        for account in manifest["interfaces"]:
            account["cut_by_first"] = {"packets": 0, "bytes": 0}
        for name, text, _ in expanded(taken_apart(data)):
            cut = accounts(manifest)[files[name.partition("/")[2]]]["cut_by_first"]
            for record in packet_file(name, text).records:
                cut["packets"] += record.caplen < record.length
                cut["bytes"] += record.length - record.caplen
        told = [account["cut_by_first"] for account in manifest["interfaces"]]
        manifest["cut_by_first"] = {key: sum(cut[key] for cut in told) for key in ("packets", "bytes")}
    return as_version_2(data, tell)


def beside(one, other):
    """Two archives of one interface each as one of both, whose files come as they would have been sealed."""
    first, second = taken_apart(one), taken_apart(other)
    for name in ("capture.json", "manifest.json"):
        [at] = [i for i, (path, _) in enumerate(first) if path.endswith("/" + name)]
        [theirs] = [json.loads(text) for path, text in second if path.endswith("/" + name)]
        told = json.loads(first[at][1])
        for key in ("interfaces", "files"):
            told[key] = sorted(told.get(key, []) + theirs.get(key, []), key=lambda entry: entry.get("last", ""))
        for key in told.get("totals", ()):
            told["totals"][key] += theirs["totals"][key]
        if name == "capture.json":
            del told["files"]
        first[at] = (first[at][0], json.dumps(told).encode())
    files = {name: text for name, text in first + second if is_packets(name)}
    return archive_of([first[0]] + [(f"web/{file['name']}", files[f"web/{file['name']}"])
                                    for file in json.loads(first[-1][1])["files"]] + [first[-1]])
