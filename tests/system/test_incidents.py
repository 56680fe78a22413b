"""What is wrong stands first on tarcap summary's page: incidents made of packets, and others that real sockets play."""

import concurrent.futures
import re
import subprocess

import pytest

import incidents
import played
from capture import run
from process import TOP, sh
from summary import page, summary
from talk import background, pcap_of

pytestmark = pytest.mark.xdist_group("incidents")  # which are played once
VARIANTS = ("IPv4", "IPv6", "behind others")


@pytest.fixture(scope="module")
def others():
    """1,000 healthy connections."""
    return background(1000).frames


def made(name, variant, others):
    frames = incidents.made(name, 6 if variant == "IPv6" else 4).frames
    return pcap_of(frames, *([others] if variant == VARIANTS[2] else []))


def of_played(packets, name, variant, others):
    frames = packets[name, 6 if variant == "IPv6" else 4]
    return pcap_of(frames, *([played.at(frames, others)] if variant == VARIANTS[2] else []))


@pytest.fixture(scope="module")
def stories(others):
    """{(name, variant): (the kind that it is, the findings)}"""
    packets = played.play()
    files = {(name, variant): (kind, made(name, variant, others))
             for name, (kind, _) in incidents.INCIDENTS.items() for variant in VARIANTS}
    files |= {(f"{name}, played", variant): (kind, of_played(packets, name, variant, others))
              for name, (kind, *_) in played.PLAYED.items() for variant in VARIANTS}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = pool.map(summary, (data for _, data in files.values()))
        return {story: (kind, one["findings"]) for (story, (kind, _)), one in zip(files.items(), found)}


STORIES = [(name, variant) for name in [*incidents.INCIDENTS, *(f"{name}, played" for name in played.PLAYED)]
           for variant in VARIANTS]


@pytest.mark.parametrize("name, variant", STORIES)
def test_is_among_the_first_three(stories, name, variant):
    kind, findings = stories[name, variant]
    assert kind in [finding["kind"] for finding in findings[:3]], findings
    [finding, *_] = [finding for finding in findings if finding["kind"] == kind]
    assert finding["severity"] in ("error", "warning") and finding["count"] > 0
    assert finding["connections"] and finding["first"]["packet"] and finding["display_filter"] and finding["next"]
    assert re.fullmatch("[ -~]+", finding["sentence"])


def test_is_mostly_the_first(stories):
    first = [findings[:1] and findings[0]["kind"] == kind for kind, findings in stories.values()]
    assert sum(map(bool, first)) >= 0.95 * len(first), [story for story, right in zip(stories, first) if not right]


def test_nothing_else_is_wrong_behind_others(stories):
    """The thousand others add nothing to what is said."""
    for name, variant in STORIES:
        if variant == VARIANTS[2]:
            kinds = {finding["kind"] for finding in stories[name, variant][1] if finding["severity"] != "note"}
            assert kinds <= {finding["kind"] for finding in stories[name, "IPv4"][1]}, name


def test_others_are_healthy(others):
    data = pcap_of(others)
    assert [finding for finding in summary(data)["findings"] if finding["severity"] != "note"] == []


@pytest.mark.parametrize("name", list(incidents.INCIDENTS))
def test_display_filter_shows_it(stories, name, tmp_path):
    """Wireshark's filter is one, and the packet that is named as the first is in what it shows, or near it."""
    sh(TOP / "image/need", "tshark", timeout=300)
    kind, findings = stories[name, "IPv4"]
    [finding, *_] = [finding for finding in findings if finding["kind"] == kind]
    path = tmp_path / "x.pcap"
    path.write_bytes(made(name, "IPv4", []))
    out = subprocess.run(["tshark", "-2", "-r", path, "-Y", finding["display_filter"], "-T", "fields", "-e", "frame.number"],
                         capture_output=True, text=True, timeout=60)
    assert out.returncode == 0 and out.stdout.split(), (finding, out.stderr)


def test_page_begins_with_it(others):
    text = page(made("name_server_fails", VARIANTS[0], others))
    first = next(line for line in text.splitlines() if re.match("error|warning|note", line))
    assert first.startswith("error      10.9.0.53 answered 9 of 9 DNS queries with SERVFAIL: db.example")
    assert len(text.splitlines()) <= 60
    assert run("summary", stdin=made("name_server_fails", VARIANTS[0], others)).status == 0
