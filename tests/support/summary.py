"""tarcap summary: its numbers and its page."""

import json
import re

from capture import run
from schema import check_schema


def summary(data, *arguments, status=0):
    """The JSON of it."""
    result = run("summary", "--json", *arguments, stdin=data)
    assert result.status == status, result.err
    return check_schema("summary", json.loads(result.out))


def page(data, status=0):
    result = run("summary", stdin=data)
    assert result.status == status, result.err
    text = result.out.decode("ascii")
    assert max(map(len, text.splitlines())) <= 100 and not re.search(r"[^\n -~]| $", text, re.M), text
    return text


def fact(text, label):
    """What stands behind a label, over all of its lines."""
    found = re.search(rf"^{label} +(.*(?:\n {{11}}\S.*)*)", text, re.M)
    return re.sub(r"\s+", " ", found[1]) if found else None
