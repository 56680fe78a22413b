"""A terminal's picture as SVG, from what was really said on one: each line appears when it did, and stays.

Record what a pseudo-terminal says with its times, or give a text; Screen turns it into lines; svg() draws them. Where
nothing is animated (print, reduced motion), all lines are there at once.
"""

import os
import pty
import re
import select
import subprocess
import termios
import time
from xml.sax.saxutils import escape

WIDTH, HEIGHT, EDGE = 8.4, 18, 14  # of a character and of a line, in pixels, at 14 px
LONGEST_PAUSE = 1.5  # seconds; a longer one is cut to it
CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")


class Line:
    """What stood on a line from a time on, until it was written over (or for ever: None)."""

    def __init__(self, row, since, text):
        self.row, self.since, self.text, self.until = row, since, text, None


class Screen:
    """Enough of a terminal for programs that print lines and write over the last one."""

    def __init__(self, columns):
        self.columns, self.row, self.column, self.rows, self.lines = columns, 0, 0, [""], []

    def feed(self, when, text):
        at, touched = 0, set()
        while at < len(text):
            control = CONTROL.match(text, at)
            if control:
                if control[2] == "K":
                    self.rows[self.row] = "" if control[1] == "2" else self.rows[self.row][:self.column]
                    touched.add(self.row)
                at = control.end()
                continue
            self.put(text[at])
            touched.add(self.row)
            at += 1
        for row in sorted(touched):
            self.show(row, when)

    def put(self, character):
        if character == "\n" or self.column == self.columns and character >= " ":
            self.row, self.column = self.row + 1, 0
            while len(self.rows) <= self.row:
                self.rows.append("")
        if character == "\r":
            self.column = 0
        elif character >= " ":
            old = self.rows[self.row].ljust(self.column)
            self.rows[self.row] = old[:self.column] + character + old[self.column + 1:]
            self.column += 1

    def show(self, row, when):
        before = [line for line in self.lines if line.row == row and line.until is None]
        if before and before[0].text == self.rows[row]:
            return
        if before:
            before[0].until = when
        self.lines.append(Line(row, when, self.rows[row]))


def record(script, columns=118, **more):
    """Run script(write) with a pseudo-terminal; [(seconds, text)] of what was said there. write(text) types."""
    events, began = [], time.monotonic()
    main, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (50, columns))

    def listen(seconds):
        while select.select([main], [], [], seconds)[0]:
            events.append((time.monotonic() - began, os.read(main, 65536).decode(errors="replace")))

    def say(text):
        events.append((time.monotonic() - began, text))

    def run(command, during=None):
        """Type it, run it, and do during() meanwhile with a function that types to it; its status."""
        say("$ ")
        for character in command:
            time.sleep(0.02)
            say(character)
        say("\r\n")
        process = subprocess.Popen(["sh", "-c", command], stdin=terminal, stdout=terminal, stderr=terminal, **more)
        if during:
            during(lambda data: os.write(main, data), listen, say)
        while process.poll() is None:
            listen(0.05)
        listen(0.05)
        return process.returncode
    script(run)
    os.close(terminal)
    os.close(main)
    return shortened(events)


def shortened(events):
    cut, last, out = 0.0, 0.0, []
    for when, text in events:
        cut += max(0.0, when - last - LONGEST_PAUSE)
        last = when
        out.append((when - cut, text))
    return out


def of_text(text):
    return [(0.0, text.replace("\n", "\r\n"))]


def style(line):
    if line.until is not None:
        return f' class="o" style="animation:o {max(0.05, line.until - line.since):.2f}s {line.since:.2f}s"'
    if line.since > 0:
        return f' style="animation:i .01s {line.since:.2f}s backwards"'
    return ""


def svg(events, title, columns=118, rows=None):
    screen = Screen(columns)
    for when, text in events:
        screen.feed(when, text)
    last = max(line.row for line in screen.lines if line.text.strip())
    width, height = round(columns * WIDTH) + 2 * EDGE, (min(last + 1, rows or last + 1)) * HEIGHT + 2 * EDGE
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
           f"<title>{escape(title)}</title>",
           "<style>text{font:14px ui-monospace,Menlo,Consolas,monospace;fill:#d8dee9;white-space:pre}"
           ".p{fill:#a3be8c}.o{opacity:0}"
           "@keyframes i{from{opacity:0}}@keyframes o{from,to{opacity:1}}"
           "@media(prefers-reduced-motion:reduce){text{animation:none!important}}</style>",
           f'<rect width="{width}" height="{height}" rx="8" fill="#1f2430"/>']
    for line in screen.lines:
        if line.text.strip() and line.row <= last and (rows is None or line.row < rows):
            y = EDGE + line.row * HEIGHT + 13
            length = f' textLength="{len(line.text.rstrip()) * WIDTH:.1f}"'
            words = escape(line.text.rstrip())
            if words.startswith("$ "):
                words = f'<tspan class="p">$</tspan>{words[1:]}'
            out.append(f'<text x="{EDGE}" y="{y}"{length} xml:space="preserve"{style(line)}>{words}</text>')
    return "\n".join([*out, "</svg>", ""])
