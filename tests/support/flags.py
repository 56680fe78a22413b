"""The tables of flags, as they stand in the sources: what is accepted and does nothing stands only there."""

import re
from collections import namedtuple

from process import TOP

Flag = namedtuple("Flag", "names kind argument choices works")  # names: ("-q", "--quiet"); argument: None, or "FILE"


def flag_rows(command="capture"):
    """A Flag for each row; works: it is no habit of tcpdump's, kept or refused."""
    place = "request/command_line.c" if command == "capture" else f"command_{command}.c"
    code = (TOP / "src" / place).read_text()
    table = re.search(r"struct flag \w+\[\] = \{\n(.*?)\n\};", code, re.S)[1]
    rows = re.findall(r"^\t\{(0|'.'), (NULL|\"[a-z-]+\"), (FLAG_\w+)(?:, (NULL|\"[^\"]+\"))?(.*?)\},?$", table, re.M | re.S)
    assert len(rows) == len(re.findall(r"^\t\{", table, re.M)) > 0, command
    for letter, name, kind, argument, rest in rows:
        names = ([f"-{letter[1]}"] if letter != "0" else []) + ([f"--{name[1:-1]}"] if name != "NULL" else [])
        place = re.search(r"\.choices = (\w+)", rest)
        choices = place and re.findall(r'"(\w+)"', re.search(rf"\*const {place[1]}\[\] = \{{(.*?)\}};", code, re.S)[1])
        yield Flag(tuple(names), kind, argument.strip('"') if argument not in ("", "NULL") else None, choices,
                   kind not in ("FLAG_NOTHING", "FLAG_REFUSED"))
