"""The JSON that tarcap writes is what the schemas in the image say, field by field."""

import functools
import json

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from process import TOP

KINDS = ("capture", "manifest", "summary")


def path_of(kind):
    return TOP / f"image/root/usr/share/tarcap/{kind}.schema.json"


@functools.lru_cache(None)
def validator(kind):
    return Draft202012Validator(json.loads(path_of(kind).read_text()))


def fields(kind):
    """The names of all fields that there may be."""
    def below(node):
        if isinstance(node, dict):
            yield from node.get("properties", ())
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            yield from below(value)
    return set(below(validator(kind).schema))


def fault(kind, value):
    """The first thing in value that its schema does not know, as a sentence; None where there is none."""
    error = best_match(validator(kind).iter_errors(value))
    return error and f"{kind} {error.json_path}: {error.message[:300]}"


def check_together(value):
    """Of several captures: a part of the summary's schema."""
    whole = validator("summary")
    error = best_match(whole.descend(value, {"$ref": "#/$defs/together"}))
    assert error is None, f"{error.json_path}: {error.message[:300]}"
    return value


def check_schema(kind, value):
    assert fault(kind, value) is None, fault(kind, value)
    return value
