"""Results of the benchmark in files: build/bench/results.json of one run, and figures.json, tables kept of several."""

import json
import os
import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
LATEST = Path(os.environ.get("BUILD") or TOP / "build") / "bench/results.json"
KEPT = TOP / "tests/bench/figures.json"


class Unusable(Exception):
    """A file that is none of these, or lacks what is asked for; one line that says so."""


def read(path):
    """{name: table}, each with the machine that it is of."""
    try:
        results = json.loads(Path(path).read_text(encoding="utf-8"))
        return {table["name"]: {"machine": results.get("machine"), **table} for table in results["tables"]}
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unusable(f"{path}: not a result of the benchmark") from error


def row_of(name):
    """A row of the benchmark may print several tables, as record/moments."""
    return name.partition("/")[0]


def numbers(cell):
    """(median, least, greatest) of a cell, or None where it is no number."""
    found = re.fullmatch(r"(-?[\d.]+)(?: \((-?[\d.]+)-(-?[\d.]+)\))?", cell)
    return [float(found[1]), float(found[2] or found[1]), float(found[3] or found[1])] if found else None
