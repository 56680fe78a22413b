"""The stand-in's command line: kubectl's flags, and jsonpath over what is asked for (stand_in.py has the rules)."""

import ctypes
import json
import re
import signal
import subprocess
import sys


from stand_in_pods import fail, refuse

# --- jsonpath ---------------------------------------------------------------------------------------------------

STEP = re.compile(r"""\.(?P<field>\w+)|\[\?\(@\.(?P<key>\w+)\s*==\s*"(?P<value>[^"]*)"\)\]|\[(?P<index>\*|\d+)\]""")


def select_path(node, path):
    """All that a path like .a.b[*].c[?(@.name=="x")] leads to."""
    found, at = [node], 0
    while at < len(path):
        step = STEP.match(path, at)
        if not step:
            refuse(f"jsonpath: {path[at:]} is not known")
        at = step.end()
        if step["field"]:
            found = [one[step["field"]] for one in found if isinstance(one, dict) and step["field"] in one]
            continue
        found = [item for one in found if isinstance(one, list) for item in one] if step["index"] != "0" else \
            [one[0] for one in found if isinstance(one, list) and one]
        if step["key"]:
            found = [item for item in found if item.get(step["key"]) == step["value"]]
    return found


def text_of(value):
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def jsonpath(template, root):
    pieces = re.findall(r'\{(?:[^{}"]|"(?:\\.|[^"\\])*")*\}|[^{]+', template)

    def produce(pieces, node):
        out, at = "", 0
        while at < len(pieces):
            piece = pieces[at]
            at += 1
            inner = piece[1:-1].strip() if piece.startswith("{") else None
            if inner is None:
                out += piece
            elif inner.startswith("range "):
                depth, end = 1, at
                while depth:
                    word = pieces[end].strip("{} ")
                    depth += word.startswith("range ") - (word == "end")
                    end += 1
                for item in select_path(node, inner[6:].strip()):
                    out += produce(pieces[at:end - 1], item)
                at = end
            elif inner.startswith('"'):
                out += json.loads(inner)
            else:
                out += " ".join(map(text_of, select_path(node, inner)))
        return out
    return produce(pieces, root)


def show(found, how, kind):
    """What 'get' prints: found is one object or a list of them."""
    if how == "json":
        print(json.dumps(found, indent=4))
    elif how == "name":
        for one in found.get("items", [found]):
            print(f"{kind}/{one['metadata']['name']}")
    elif how.startswith("jsonpath="):
        sys.stdout.write(jsonpath(how[9:], found))
    elif how:
        refuse(f"get -o {how}")
    else:
        for one in found.get("items", [found]):
            print(one["metadata"]["name"], one.get("status", {}).get("phase", ""))


# --- the command line -------------------------------------------------------------------------------------------

class Arguments:
    """Flags of one command; valued and switches say which there are."""

    GLOBAL = {"-n": "--namespace", "--namespace": "--namespace", "--context": "--context",
              "--request-timeout": "--request-timeout"}

    def __init__(self, words, valued=(), switches=(), short=None):
        short = short or {}
        self.flags, self.words, self.command = {}, [], []
        words = list(words)
        while words:
            word = words.pop(0)
            if word == "--":
                self.command = words
                break
            if not word.startswith("-") or word == "-":
                self.words.append(word)
                continue
            flag, equals, value = word.partition("=")
            if re.fullmatch(r"-[a-z]{2,}", flag):  # -qi
                words = [f"-{letter}" for letter in flag[1:]] + words
                continue
            flag = short.get(flag, self.GLOBAL.get(flag, flag))
            if flag in switches:
                self.flags[flag] = value if equals else "true"
            elif flag in valued or flag in self.GLOBAL:
                if not equals and not words:
                    fail(f"error: flag needs an argument: {flag}")
                self.flags[flag] = value if equals else words.pop(0)
            else:
                refuse(f"the flag {flag} is not known")
        self.namespace = self.flags.get("--namespace", "default")

    def has(self, flag):
        return self.flags.get(flag, "false") == "true"

    def get(self, flag, default=""):
        return self.flags.get(flag, default)


def named_pod(word):
    """(namespace or None, name) of what names a pod."""
    kind, slash, name = word.rpartition("/")
    if slash and kind not in ("pod", "pods", "po"):
        refuse(f"'{word}' is not a pod")
    return name


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: kubectl would be one process


def stream(*words, **more):
    """A docker client that is one with us: a signal reaches only us, and when we are killed, it is."""
    return subprocess.Popen(["docker", *words], preexec_fn=die_with_parent, start_new_session=True, **more)


def duration(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)?", text).groups()
    return int(number) * {"ms": 0.001, None: 1, "s": 1, "m": 60, "h": 3600}[unit]
