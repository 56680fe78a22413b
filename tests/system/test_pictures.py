"""The drawings of src/doc/: small, whole, without anything from elsewhere; and what makes those of a terminal."""

import re
import sys
import xml.etree.ElementTree as xml

import pytest

from process import TOP

sys.path.append(str(TOP / "tests/demo"))
import drawn_terminal as terminal  # noqa: E402

DRAWINGS = sorted((TOP / "src/doc").glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


def lines_of(root):
    return ["".join(text.itertext()) for text in root.iter(SVG + "text")]


@pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.name)
def test_a_drawing_is_small_and_stands_alone(path):
    text = path.read_text()
    assert len(text.encode()) < 60 << 10
    root = xml.fromstring(text)
    assert root.tag == SVG + "svg" and root.find(SVG + "title").text
    assert not re.search(r"<(?:script|image|foreignObject|use)|href|url\((?!#)|@import|\bon\w+=", text)
    documents = [TOP / "README.md", *(TOP / "src/doc").glob("*.md")]
    assert any(path.name in document.read_text() for document in documents), "no page shows it"


def test_recording_is_of_the_command_that_readme_begins_with():
    [first] = re.findall(r"^    (docker run .*web\.tar)$", (TOP / "README.md").read_text(), re.M)[:1]
    said = lines_of(xml.fromstring((TOP / "src/doc/recording.svg").read_text()))
    assert f"$ {first}" in said
    for words in ("listening on eth0", "packets captured", "0 packets dropped by kernel", "summary of a tarcap archive",
                  "complete   yes"):
        assert any(words in line for line in said), words


def test_what_a_terminal_shows_is_what_is_drawn():
    """A line that is written over stays until then; one that is not stays; wide ones go on below; marks are no markup."""
    def script(run):
        assert run("printf 'one & <two>\\n'; printf '10 %%'; sleep 0.3; printf '\\r20 %%\\033[K\\n'; printf '%060d\\n' 7") == 0
    events = terminal.record(script, columns=50)
    screen = terminal.Screen(50)
    for when, text in events:
        screen.feed(when, text)
    ends = {line.text: line.until for line in screen.lines}
    assert ends["one & <two>"] is None and ends["20 %"] is None and ends["10 %"] is not None
    assert ends["0" * 50] is None and ends["0" * 9 + "7"] is None
    drawn = xml.fromstring(terminal.svg(events, "a & b", 50))
    assert {"one & <two>", "10 %", "20 %", "0" * 50} <= set(lines_of(drawn)) and drawn.find(SVG + "title").text == "a & b"
    [passing] = [text for text in drawn.iter(SVG + "text") if "".join(text.itertext()) == "10 %"]
    assert passing.get("class") == "o" and float(re.search(r"animation:o ([\d.]+)s", passing.get("style"))[1]) >= 0.25


def test_nobody_waits_for_a_long_pause():
    assert terminal.shortened([(0.5, "a"), (60.5, "b"), (61.0, "c")]) == [(0.5, "a"), (2.0, "b"), (2.5, "c")]
