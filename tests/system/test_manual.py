"""The manual page, README and its pages: nothing in them that the program does not have, and nothing it has that they lack."""

import os
import pathlib
import re
import shlex
import subprocess

import pytest

from archive import pcap_file
from capture import run
from flags import flag_rows
from schema import fields
from wire import frame

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = TOP / "src/tarcap.1"
COMMANDS = ("check", "help", "hold", "join", "snapshot", "stop", "summary", "tar")
MESSAGE = re.compile(r"mandoc: .*: (STYLE|WARNING|ERROR|UNSUPP): ")


def call(*command, **more):
    return subprocess.run(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=300, **more)


@pytest.fixture(scope="module")
def mandoc():
    needed = call("image/need", "mandoc")
    assert needed.returncode == 0, needed.stderr

    def render(path, *arguments):
        done = call("mandoc", *arguments, str(path))
        # Which other manuals are installed says nothing about the page.
        said = [line for line in (done.stdout + done.stderr).splitlines()
                if MESSAGE.match(line) and "referenced manual not found" not in line]
        return done.stdout, said
    return render


def section(name):
    """The lines of a section of the page's source."""
    [text] = re.findall(rf'^\.Sh {name}\n(.*?)(?=^\.Sh |\Z)', PAGE.read_text(), re.M | re.S)
    return text.splitlines()


def flags_of(lines):
    """{("-i", "--interface"): ...} from the .It Fl of a section, in its order; a line of several flags gives each."""
    found = []
    for line in lines:
        if line.startswith(".It Fl "):
            words = re.sub(r" (Ar|Cm) .*", "", line[len(".It "):]).replace(" Fl ", " ").replace("Fl ", "").split(" , ")
            names = ["-" + word for word in words]
            found += [(name,) for name in names] if all(len(name) == 2 for name in names) else [tuple(names)]
    return found


def flags_of_help(*command):
    """Every flag that --help names; several may share a line, and then have no long names on it."""
    result = run(*command, "--help")
    assert result.status == 0
    return {flag for line in result.out.decode().splitlines() if re.match(r"\s+-", line)
            for flag in re.findall(r"(?<!\S)--?[A-Za-z][a-z-]*(?=[ ,])", re.split(r"(?<=\S)  +", line.lstrip())[0] + " ")}


def entry(flag, name="OPTIONS"):
    """The text of a flag's entry."""
    lines, text = section(name), []
    for at, line in enumerate(lines):
        if line.startswith(".It Fl ") and any(flag in names for names in flags_of([line])):
            for more in lines[at + 1:]:
                if more.startswith((".It ", ".El")):
                    break
                text.append(re.sub(r"^\.\w+ ", "", more))
            return " ".join(text)
    raise AssertionError(f"{flag} has no entry")


# --- the page ---------------------------------------------------------------------------------------------------

def test_page_lints_clean(mandoc):
    assert mandoc(PAGE, "-Tlint", "-Wstyle")[1] == []


@pytest.mark.parametrize("form", ["ascii", "utf8"])
def test_page_renders(mandoc, form):
    text, said = mandoc(PAGE, f"-T{form}", "-Wwarning")
    assert said == []
    text = re.sub(".\b", "", text)  # bold and underlined are overstruck
    for words in ("WHAT CAN GO WRONG", "received_by_filter", "--wait-reader", "with -r -."):
        assert words in re.sub(r"\s+", " ", text), words
    assert not re.search(r"-[A-Za-z] --(\W|$)", text)  # "Fl r -" gives each word a dash
    assert max(map(len, text.splitlines())) <= 80


def test_every_flag_has_an_entry():
    """Those of --help, and none besides but the refused."""
    ours = flags_of(section("OPTIONS"))
    assert len(ours) == len(set(ours))
    assert {name for names in ours for name in names if name.startswith("--")} <= {name for row in flag_rows() for name in row.names}
    refused = {("-z",), ("--passphrase",)} | {(f"-{letter}",) for letter in "AxXetS"}
    helped = flags_of_help()
    assert len(helped) > 45
    assert helped <= {name for names in ours for name in names}
    unhelped = {("--immediate-mode",), ("--time-stamp-precision",)}  # --micro and --nano stand for the latter
    assert {names for names in ours if not helped & set(names)} == refused | unhelped


def test_help_fits_a_screen_and_begins_with_two_examples():
    """Of 80 columns and 50 lines, with a prompt below it."""
    text = run("--help").out.decode().splitlines()
    assert len(text) < 50 and max(map(len, text)) < 80
    assert all(re.search(r"\btarcap\b.* > x\.tar", line) for line in text[:2]) and text[2] == ""
    words = shlex.split(text[0].partition(" > ")[0])
    assert words[0] == "tarcap" and run("-d", *words[1:]).status == 0
    readme = (TOP / "README.md").read_text()
    assert text[1].replace("x.tar", "web.tar") in readme


def test_help_lists_every_command():
    text = run("--help").out.decode()
    for command in COMMANDS:
        assert re.search(rf"^  tarcap {command}\b.*  +\S", text, re.M), command
    table = re.search(r"usage_commands\[\] = \{(.*?)\n\};", (TOP / "src/request/usage.c").read_text(), re.S)[1]
    assert sorted(re.findall(r'\{"(\w+)",', table)) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_two_examples(command):
    """And 'help COMMAND' is the same; no line is too long for a terminal."""
    helped = run(command, "--help")
    text = helped.out.decode()
    assert helped.status == 0 and run("help", command).out == helped.out
    if command == "help":
        assert helped.out == run("--help").out
        return
    assert text.startswith(f"usage: tarcap {command}") and max(map(len, text.splitlines())) <= 100
    examples = [line for line in text.splitlines() if re.match(r"    \S", line)]
    assert len(examples) == 2 and all("tarcap" in line or "kubectl cp" in line for line in examples), examples
    assert all(command in line or ":/capture" in line for line in examples)


def test_every_row_of_the_table_has_an_entry():
    rows = [row.names for row in flag_rows()]
    assert len(rows) > 35
    ours = flags_of(section("OPTIONS"))
    assert sorted(rows) == sorted(ours)


def test_every_command_has_a_section():
    table = re.search(r"commands\[\] = \{(.*?)\n\};", (TOP / "src/main.c").read_text(), re.S)[1]
    assert tuple(re.findall(r'\{"(\w+)",', table)) == COMMANDS
    synopsis = {line.split()[1] for line in section("SYNOPSIS") if line.startswith(".Cm ")}
    assert synopsis == set(COMMANDS)
    headings = {line[len(".Sh "):].lower() for line in PAGE.read_text().splitlines() if line.startswith(".Sh ")}
    assert set(COMMANDS) <= headings


@pytest.mark.parametrize("command", ["hold", "join", "snapshot", "summary"])
def test_flags_of_a_command(command):
    ours = flags_of(section(command.upper()))
    assert ours and len(ours) == len(set(ours))
    assert {name for names in ours for name in names} == flags_of_help(command)
    text = "\n".join(section("SYNOPSIS")).partition(f".Cm {command}\n")[2].partition(".Nm")[0]
    for names in set(ours) - {("-h", "--help")}:
        assert any(f".Op Fl {name[1:]}" in text for name in names), names


@pytest.mark.parametrize("command", ["check", "stop"])
def test_a_command_without_flags_of_its_own(command):
    assert flags_of(section(command.upper())) == [] and not flags_of_help(command)
    assert run(command, "-h").status == 0
    assert run(command, "--nosuch").status == 2


def test_check_takes_the_flags_of_a_capture():
    for flag in flags_of_help() - {"-Z"}:
        result = run("check", flag, "--help")  # --help as its value, or by itself
        assert not any("unknown" in line for line in result.err), flag


def test_rows_of_check():
    code = (TOP / "src/command_check.c").read_text()
    text = r'"(?:[^"\\]|\\.)*"'
    rows = re.findall(rf'printf\(ROW {text}(?:\s*PRI[ux]64\s*{text})*,\s*"([A-Za-z_ ]+)"', code)
    assert len(rows) == code.count("printf(ROW")
    rows = list(dict.fromkeys(rows))
    assert [line[len(".It Sy "):] for line in section("CHECK") if line.startswith(".It Sy ")] == rows
    assert ".Dq a capture would work ." in section("CHECK") and '"a capture would work\\n"' in code


def test_raw_refuses_what_the_page_says(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(0, 0, frame(0))]))
    refused = re.findall(r"\b([A-Z])\b", entry("--raw").partition(" Not with ")[2])
    assert refused == ["C", "G", "W"]
    for letter in refused:
        assert run("--raw", f"-{letter}", "1", "-r", path).status == 2
    result = run("--raw", "--name", "x", "--reason", "x", "-r", path)
    assert (result.status, result.out) == (0, path.read_bytes())


def test_synopsis_has_every_flag_that_works():
    text = "\n".join(section("SYNOPSIS"))
    named = {f"-{letter}" for letters in re.findall(r"Fl ([A-Za-z]+)\b", text) for letter in letters}
    named |= {f"-{name}" for name in re.findall(r"Fl (-[a-z-]+)", text)}
    helped = flags_of_help()
    for names in flags_of(section("OPTIONS")):
        if helped & set(names) and names[0] not in ("-n", "-U", "-l", "-K", "-Z"):
            assert named & set(names), names


def test_refused_flags_are_refused_and_the_others_are_known():
    for letter in "zAxXetS":
        result = run(f"-{letter}", *(["x"] if letter == "z" else []))
        assert result.status == 2 and "unknown" not in result.err[0], result.err


def test_defaults_are_those_of_help():
    defaults = {}
    for line in [line for command in ([], ["join"], ["hold"])
                 for line in run(*command, "--help").out.decode().splitlines()]:
        if match := re.match(r"\s+(?:-\w)?,?\s*(-\S+).*\(.*?default:? (\d\w*)", line):
            defaults[match[1]] = match[2]
        elif match := re.match(r"\s+(-\w).*\(.*?default:? (\d\w*)", line):
            defaults[match[1]] = match[2]
    assert {"--duration", "--max-bytes", "--segment-size", "--segment-time", "--buffer-size", "--memory",
            "--stall", "--ttl"} <= set(defaults)
    for flag, value in defaults.items():
        text = entry(flag, {"--ttl": "HOLD", "--after": "HOLD"}.get(flag, "OPTIONS"))
        assert re.search(rf"\b[Dd]efault\b[^.]*\b{value}\b", text), (flag, value, text)
    assert re.search(r"default is 16M", entry("--memory", "JOIN"))


@pytest.mark.parametrize("flag, largest, too_large", [
    ("-s", "262144", "262145"), ("--duration", "8784 h", "8785h"), ("-C", "256M", "257M"), ("-G", "168 h", "169h"),
    ("-B", "1048576", "1048577"), ("--memory", "1G", "1025M"), ("--stall", "8784 h", "8785h")])
def test_ranges_are_those_of_the_program(flag, largest, too_large):
    assert largest in entry(flag)
    [line] = run(flag, too_large, "--help").err
    assert f"to {largest.replace(' ', '')} " in line


def test_range_of_ttl():
    assert "1 ms to 8784 h" in entry("--ttl", "HOLD")
    [line] = run("hold", "--ttl", "8785h").err
    assert "1ms to 8784h " in line


def test_exit_statuses():
    named = [line.split()[1] for line in section("EXIT STATUS") if line.startswith(".It ")]
    assert named == ["0", "1", "2", "3", "4", ">128"]
    enum = re.search(r"enum status \{(.*?)\}", (TOP / "src/base/err.h").read_text(), re.S)[1]
    assert re.findall(r"STATUS_\w+", enum) and len(re.findall(r"STATUS_\w+", enum)) == 5
    told = run("--help").out.decode().partition("Exit status:")[2]
    assert set(re.findall(r"\b(\d) ", told)) == {"0", "1", "2", "3", "4"}
    entries = ("\n" + "\n".join(section("EXIT STATUS"))).split("\n.It ")[1:]
    of = {text[0]: re.findall(r"^For\n\.Cm (\w+) :$", text, re.M) for text in entries}
    others = ["join", "summary", "check", "stop"]
    assert of == {"0": others, "1": others, "2": ["tar"], "3": [], "4": [], ">": []}
    tar_error = re.search(r"#define TAR_ERROR (\d)", (TOP / "src/command_tar.c").read_text())[1]
    assert of[tar_error] == ["tar"]


def test_fields_of_the_manifest(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_file([(0, 0, frame(0))]))
    archives = [run("-r", path).whole(), run("-r", path, "--record", "4M", "--until", "greater 1", "--first", 1).whole()]
    text = "\n".join(section("THE ARCHIVE"))
    named = set(re.findall(r"[a-z_]{4,}", text))

    def names(value):
        if isinstance(value, dict):
            return set(value).union(*(names(item) for item in value.values()))
        return set().union(*(names(item) for item in value)) if isinstance(value, list) else set()
    told = set().union(*(names(archive.manifest) | names(archive.capture) for archive in archives))
    assert told <= named | {"uid", "gid", "to"}
    known = {name for kind in ("manifest", "capture") for name in fields(kind)}
    assert {name for name in known if len(name) > 3} <= named
    listed = {field for line in text.splitlines() if line.startswith(".It Va ")
              for name in line[len(".It Va "):].split(" , ") for field in name.split(".")}
    assert listed <= told | fields("manifest")


def test_causes_are_those_of_the_program():
    table = re.search(r"causes\[\] = \{(.*?)\};", (TOP / "src/archive/manifest.c").read_text(), re.S)[1]
    causes = set(re.findall(r'"(.*?)"', table)) - {"none"}
    text = "\n".join(section("THE ARCHIVE"))
    for cause in causes:
        assert f".Dq {cause}" in text, cause


def faults():
    """The rows of the tables of faults: (when, what tarcap does, what is lost, what you see, exit status)."""
    tables = re.findall(r"^\.TS\n(.*?)^\.TE$", "\n".join(section("WHAT CAN GO WRONG")) + "\n", re.M | re.S)
    for table in tables:
        head, rows = table.partition("\n_\n")[::2]
        assert head.endswith("\nWhen@tarcap@Lost@You see@Exit")
        for row in rows.split("\n@@@@\n"):
            text = re.sub(r"T\{\n(.*?)\nT\}", lambda cell: cell[1].replace("\n", " "), row.rstrip("\n"), flags=re.S)
            yield re.sub(r"\\f[BIR]", "", text).replace("\\-", "-").replace("\\ ", " ").split("@")


def test_each_fault_says_what_is_done_lost_and_seen():
    rows = list(faults())
    assert len(rows) >= 25 and len({row[0] for row in rows}) == len(rows)
    for row in rows:
        assert len(row) == 5 and all(row), row
        assert all(cell[0].isupper() or cell[0] in "\\_" or cell.startswith("tarcap join") for cell in row[1:3]), row
        assert row[3].endswith(".") and re.fullmatch(r"-|[0134]|[0134-], [0134]", row[4]), row


def test_quoted_lines_are_what_the_program_says():
    """In the tables, "the reader has stalled" is text that the program has."""
    code = re.sub(r'"\s*\n\s*"', "", "".join(path.read_text() for path in sorted((TOP / "src").rglob("*.c"))))
    code = re.sub(r'%\S*"\s*PRIu64\s*"', "%llu", code)
    quoted = [words for row in faults() for cell in row for words in re.findall(r"\\\(lq(.*?)\\\(rq", cell)]
    assert len(quoted) >= 25
    for words in quoted:
        words = re.sub(r"^--memory: cannot have \d+ bytes$", "--memory: cannot have %zu bytes", words)
        words = re.sub(r"^not whole: (\.\.\. )?", "", words)
        words = re.sub(r"^after$", "it is cut after", words)
        assert words in code, words


def test_environment():
    named = {line.split()[2] for line in section("ENVIRONMENT") if line.startswith(".It Ev ")}
    read = set(re.findall(r'getenv\("(\w+)"\)', "".join(path.read_text() for path in (TOP / "src").rglob("*.c"))))
    read |= set(re.findall(r'"(TARCAP_MAX_\w+)"', (TOP / "src/request/ceilings.c").read_text()))
    assert named == read


def test_files_are_those_of_the_image():
    named = [line[len(".It Pa "):] for line in section("FILES") if line.startswith(".It Pa ")]
    layer = (TOP / "image/layer").read_text()
    assert len(named) == 5
    for path in named:
        assert list((TOP / "image/root").glob(path[1:])) or path[1:] in layer, path


# --- README and its pages ---------------------------------------------------------------------------------------

PAGES = sorted((TOP / "src/doc").glob("*.md"))
DOCUMENTS = [TOP / "README.md", *PAGES, TOP / "k8s/README.md", TOP / ".github/SECURITY.md"]  # for those who use it
ALL_DOCUMENTS = sorted({*DOCUMENTS, *TOP.glob("*/README.md"), *TOP.glob(".github/*.md")})  # and who work on it


def text_of_all():
    return "\n".join(path.read_text() for path in DOCUMENTS)


def rows_of(path):
    """Of the only table of a page, without its head."""
    return [line for line in path.read_text().splitlines() if line.startswith("|")][2:]


def anchors(path):
    """What a heading is called in a link."""
    return {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.*)", path.read_text(), re.M)}


def test_readme_is_short_and_links_every_page():
    text = (TOP / "README.md").read_text()
    assert len(text.splitlines()) <= 200
    for path in PAGES:
        assert f"]({path.relative_to(TOP)})" in text, path


@pytest.mark.parametrize("path", ALL_DOCUMENTS, ids=lambda path: str(path.relative_to(TOP)))
def test_links_lead_somewhere(path):
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", path.read_text()):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_no_sentence_stands_on_two_pages():
    """A whole line of prose or of a table that is there twice is a fact that will be mended once."""
    seen = {}
    for path in DOCUMENTS:
        for line in path.read_text().splitlines():
            if len(line) >= 60 and not line.startswith("    "):
                assert seen.setdefault(line, path) == path, (line, path, seen[line])


def spans_of_documents():
    """What is typed: code spans, and the lines of examples without their comments."""
    text = text_of_all()
    lines = [re.sub(r"\s+# .*", "", line.strip()) for line in text.splitlines() if line.startswith("    ")]
    return [span.replace("\\|", "|") for span in re.findall(r"`([^`\n]+)`", text)] + lines


def flags_in(words):
    return set(re.findall(r"(?<!\S)-{1,2}[A-Za-z][a-z-]*", words))


def test_flags_in_documents_exist():
    """After the word tarcap, or in a code span that begins with a flag; kubectl's own are kubectl's affair."""
    known = {name for part in ("OPTIONS", "JOIN", "SUMMARY", "HOLD", "SNAPSHOT") for names in flags_of(section(part)) for name in names}
    plugins = flags_in(call("k8s/kubectl-tarcap", "--help").stdout.replace(",", " ").replace("|", " "))
    used, used_of_plugin = set(), set()
    for span in spans_of_documents():
        if span.startswith("kubectl tarcap "):
            used_of_plugin |= flags_in(span.partition(" -- ")[0])
            continue
        if span.startswith("kubectl "):
            span = span.partition(" -- ")[2]
        if match := re.search(r"(?:^|[ /])tarcap (?!tarcap)([^|>&#]*)", span):
            used |= flags_in(match[1])
        elif span.startswith("-") and not re.match(r"-rw|-[it]$", span):
            used |= flags_in(span) - plugins
    # docker's, kubectl's, libpcap's
    others = {"--log-driver", "--network", "--user", "--security-opt", "--retries", "--disable-remote"}
    assert len(used) >= 15 and used - others <= known, used - known
    # Those of a capture it hands on.
    assert len(used_of_plugin) >= 6 and used_of_plugin <= plugins | known, used_of_plugin - plugins


def test_commands_of_the_plugin_in_documents():
    lines = [span for span in spans_of_documents() if span.startswith("kubectl tarcap ") and span != "kubectl tarcap POD"]
    assert len(lines) >= 6
    for line in lines:
        words = shlex.split(line.replace("POD", "web").replace("NODE", "node-1").replace("age1…", "age1" + "q" * 58))[2:]
        done = call("k8s/kubectl-tarcap", "--dry-run", *words)
        assert done.returncode == 0 and "kubectl exec -i" in re.sub(r" -n \S+", "", done.stdout), (line, done.stderr)


def test_paths_and_versions_in_documents_are_right():
    text = text_of_all()
    paths = set(re.findall(r"\b(?:k8s|src|tests)/[A-Za-z][\w.-]*\w", text))
    assert len(paths) >= 9
    for path in paths:
        assert (TOP / path).exists(), path
    version = re.search(r'VERSION_TEXT "(.*)"', (TOP / "src/base/version.h").read_text())[1]
    assert set(re.findall(r"\btarcap:(\d[\d.]*\d)", text)) == {version}


def test_table_of_clusters_says_what_was_measured():
    text = (TOP / "k8s/README.md").read_text().partition("## Which command for which cluster")[2].partition("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("|")][2:]
    assert len(rows) >= 12
    for row in rows:
        assert row.count("|") == 5, row
        assert re.match(r"measured\b|untried\b", row.split("|")[4].strip()), row


def test_targets_in_documents_exist():
    text = "\n".join(path.read_text() for path in ALL_DOCUMENTS)
    makefile = "\n".join(path.read_text() for path in (TOP / "Makefile", *sorted((TOP / "tests").rglob("*.mk"))))
    for target in set(re.findall(r"`?\bmake ([a-z-]+)`", text)) | set(re.findall(r"^    make ([a-z-]+)", text, re.M)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_minutes_are_the_same_everywhere():
    helped = call("make", "-s", "help").stdout
    text = (TOP / "tests/README.md").read_text()
    assert re.search(r"make bench:.*?\((\d+) minutes", helped)[1] == re.search(r"`make bench` \(.*?(\d+) minutes", text)[1]


def test_messages_are_the_program_s():
    """Each of the table's is text in the code; where the code has a number or a name, the message stops before it."""
    code = re.sub(r'"\s*\n\s*"', "", "".join(path.read_text() for path in sorted((TOP / "src").rglob("*.c"))))
    rows = rows_of(TOP / "src/doc/messages.md")
    assert 15 <= len(rows) <= 30
    for row in rows:
        assert row.count("|") == 3, row
        messages = re.findall(r"`([^`]+)`", row.split("|")[1])
        assert messages
        for message in messages:
            assert message in code, message


def test_other_tools_are_sourced_and_dated():
    text, rows = (TOP / "src/doc/comparison.md").read_text(), rows_of(TOP / "src/doc/comparison.md")
    assert len(rows) == 4 and re.search(r"\b\d{1,2} [A-Z][a-z]+ 20\d\d\b", text)
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 4 and all(cells) and "](https://" in cells[0], row


def test_texts_are_plain():
    for path in (PAGE, *ALL_DOCUMENTS):
        text = path.read_text()
        assert "\u2014" not in text and "\u2013" not in text, path
        assert not re.search(r"\w!(\s|$)", text), path


# --- the first page -------------------------------------------------------------------------------------------------

def kinds():
    return set(re.findall(r'\[FINDING_\w+\] = "([a-z-]+)"', (TOP / "src/summary/findings.c").read_text()))


def summary_terms():
    return {term for line in section("SUMMARY") if line.startswith(".It Sy ") for term in line[len(".It Sy "):].split(" , ")}


def test_each_kind_of_finding_is_explained():
    assert len(kinds()) == 28
    [described] = re.findall(r'"kind": \{"enum": (\["no-answer".*?\])', (TOP / "image/root/usr/share/tarcap/summary.schema.json").read_text(), re.S)
    assert set(re.findall(r'"([a-z-]+)"', described)) == kinds()
    assert kinds() <= summary_terms()
    rows = re.findall(r"^\| (`.*?`) \|", (TOP / "src/doc/reading.md").read_text(), re.M)
    assert set(re.findall(r"`([a-z-]+)`", " ".join(rows))) >= kinds()


def test_each_label_of_the_page_is_explained():
    source = "".join(path.read_text() for path in (TOP / "src/summary").glob("page*.c") if path.name != "page_both.c")
    labels = set(re.findall(r'page_(?:fact|line)\(page, (?:"%[^"]*"[^"]*)?"([A-Za-z][\w ]+?)(?: \(|"| %)', source))
    assert {"DNS", "kernel", "lost", "PROTOCOL"} <= labels
    assert labels <= summary_terms(), labels - summary_terms()
