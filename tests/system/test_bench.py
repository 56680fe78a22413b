"""What goes with the benchmark, without measuring: the time it is planned to take, two results compared, figures in documents."""

import json
import re
import subprocess

import pytest

from process import TOP, merged, sh

BENCH = TOP / "tests/bench"
MACHINE = {"date": "2026-11-27", "kernel": "6.18.44-one", "processors": 2, "processor": "Fast", "load": 0.5, "programs": ["tarcap 0.1.0"]}


def table(name, rows, columns=("ns per packet", "lost %")):
    return {"name": name, "title": "a title", "rounds": 4, "columns": columns, "rows": rows, "notes": []}


@pytest.fixture
def result(tmp_path):
    """result(name, tables, machine): the path of such a file."""
    def make(name, *tables, **machine):
        path = tmp_path / name
        path.write_text(json.dumps({"machine": {**MACHINE, **machine}, "seconds": {}, "tables": tables}))
        return path
    return make


# --- time -------------------------------------------------------------------------------------------------------

def test_all_rows_are_planned_to_take_at_most_fifteen_minutes():
    plan = dict(re.findall(r"^(\S+) +(\d+) s planned$", sh(BENCH / "run", "--plan").stdout, re.M))
    rows = sh(BENCH / "run", "--list").stdout.split()
    assert list(plan) == [*rows, "all"]
    assert abs(sum(int(plan[row]) for row in rows) - int(plan["all"])) < len(rows)
    assert int(plan["all"]) <= 900


def test_each_row_is_explained():
    text = (TOP / "tests/README.md").read_text()
    explained = {name for line in text.splitlines() if re.match(r"\| `[a-z0-9-]+`(, `[a-z0-9-]+`)* \|", line)
                 for name in re.findall(r"`([a-z0-9-]+)`", line.split("|")[1])}
    assert set(sh(BENCH / "run", "--list").stdout.split()) <= explained


# --- two results ------------------------------------------------------------------------------------------------

def test_compare_shows_each_figure_with_its_ratio_and_whether_ranges_meet(result):
    one = result("a.json", table("cpu-64", {"tarcap": ["100 (90-110)", "0.0"], "tcpdump": ["200 (190-210)", ""]}))
    other = result("b.json", table("cpu-64", {"tarcap": ["105 (95-120)", "0.0"], "tcpdump": ["300 (290-310)", ""]}))
    done = merged(BENCH / "compare", one, other)
    assert done.returncode == 0
    assert "  tarcap, ns per packet: 100 (90-110) | 105 (95-120)  x1.05\n" in done.stdout
    assert "  tcpdump, ns per packet: 200 (190-210) | 300 (290-310)  x1.50 *\n" in done.stdout
    assert "  tarcap, lost %: 0.0 | 0.0\n" in done.stdout
    assert "DIFFER" not in done.stdout


def test_compare_says_when_machines_or_kernels_differ(result):
    rows = {"tarcap": ["1", "0"]}
    one = result("a.json", table("tail", rows))
    assert "THE KERNELS DIFFER" in merged(BENCH / "compare", one, result("k.json", table("tail", rows), kernel="6.18.45")).stdout
    assert "THE MACHINES DIFFER" in merged(BENCH / "compare", one, result("m.json", table("tail", rows), processor="Slow")).stdout
    assert "DIFFER" not in merged(BENCH / "compare", one, result("v.json", table("tail", rows), kernel="6.18.44")).stdout


def test_compare_names_what_only_one_has_and_takes_each_table_of_a_row(result):
    one = result("a.json", table("record/looks", {"plain": ["1", ""], "reset": ["2", ""]}), table("record/docker", {"x": ["3", ""]}))
    other = result("b.json", table("record/looks", {"plain": ["2", ""]}), table("record/docker", {"x": ["3", ""]}), table("join", {}))
    said = merged(BENCH / "compare", one, other).stdout
    assert "  reset: only in A\n" in said and "only in B: join" in said
    assert "  plain, ns per packet: 1 | 2  x2.00 *" in said and "  x, ns per packet: 3 | 3  x1.00" in said


def test_compare_s_status_tells_nothing_in_common_from_wrong_usage(result, tmp_path):
    one, other = result("a.json", table("tail", {})), result("b.json", table("join", {}))
    assert merged(BENCH / "compare", one, other).returncode == 1
    (tmp_path / "c.json").write_text("[]")
    for wrong in ([one], [one, tmp_path / "none.json"], [one, tmp_path / "c.json"]):
        done = merged(BENCH / "compare", *wrong)
        assert done.returncode == 2 and len(done.stdout.splitlines()) == 1


# --- figures in documents ---------------------------------------------------------------------------------------

def test_documents_have_the_kept_figures():
    done = merged(BENCH / "fill", "--check")
    assert done.returncode == 0, done.stdout
    assert "<!--=cpu-64; tarcap-->" in (TOP / "src/doc/costs.md").read_text()


def test_a_figure_that_was_edited_by_hand_is_found_and_put_right(tmp_path):
    right = (TOP / "src/doc/costs.md").read_text()
    page = tmp_path / "costs.md"
    page.write_text(re.sub(r"(<!--=cpu-64; tarcap-->)[^<]*", r"\g<1>1", right))
    check = merged(BENCH / "fill", "--check", page)
    assert check.returncode == 1 and f"{page}:" in check.stdout and page.read_text() != right
    assert merged(BENCH / "fill", page).returncode == 0
    assert page.read_text() == right


def test_fill_refuses_a_mark_that_names_nothing(tmp_path):
    page = tmp_path / "page.md"
    for mark in ("cpu-65; tarcap", "cpu-64; tarcup", "cpu-64; tarcap; ms", "cpu-64; tarcap; ; best"):
        page.write_text(f"It takes <!--={mark}-->1<!--/--> ns.\n")
        done = merged(BENCH / "fill", page)
        assert done.returncode == 2 and mark in done.stdout, done.stdout
        assert len(done.stdout.splitlines()) == 1


def test_keep_replaces_the_named_rows_alone_and_each_has_its_run_s_date(result, tmp_path):
    kept = tmp_path / "figures.json"
    first = result("a.json", table("tail", {"tarcap": ["1", ""]}), table("join", {"tarcap": ["1", ""]}), date="2026-11-01")
    second = result("b.json", table("tail", {"tarcap": ["2", ""]}), table("join", {"tarcap": ["2", ""]}), kernel="6.19.1-distribution")
    sh(BENCH / "keep", "-f", first, "-o", kept)
    sh(BENCH / "keep", "-f", second, "-o", kept, "join")
    tables = {one["name"]: one for one in json.loads(kept.read_text())["tables"]}
    assert [(name, one["rows"]["tarcap"][0], one["machine"]["date"], one["machine"]["kernel"]) for name, one in tables.items()] == [
        ("join", "2", "2026-11-27", "6.19.1"), ("tail", "1", "2026-11-01", "6.18.44")]
    done = merged(BENCH / "keep", "-f", second, "-o", kept, "cpu-64")
    assert done.returncode == 2 and "cpu-64" in done.stdout
    assert subprocess.run([BENCH / "compare", kept, second], capture_output=True, check=True, text=True).stdout.count("date: ") == 2
