"""tarcap join: what it says, what it makes of an archive, and the archives that tests of it begin with."""

import re

import pytest

from altered import captured, records
from archive import Archive, packet_file, pcap_file
from capture import run
from process import TARCAP
from wire import number_of

SANITIZED = b"__asan_init" in open(TARCAP, "rb").read()


def some(cases):
    """All of them; every seventh where the program is sanitized, as it takes thirty times as long to start: so many
    damaged archives are read under the sanitizers by tests/unit/join.c and tests/fuzz/join.c, without a start for each."""
    return list(cases)[::7 if SANITIZED else 1]


@pytest.fixture
def small(tmp_path):
    """Five files with four packets each."""
    data = captured(tmp_path, pcap_file(records(range(20), 100, step=25)), "-G", "100ms")
    assert len(Archive(data).files) == 5
    return data


@pytest.fixture
def large(tmp_path):
    data = captured(tmp_path, pcap_file(records(range(5000), 300)), "-G", "100ms")
    assert len(Archive(data).files) > 20
    return data


def join(data, *arguments, **more):
    """From a pipe, which cannot be sought in."""
    return run("join", *arguments, stdin=data, **more)


def verdict(result):
    """The one sentence."""
    said = [line for line in result.err if re.search("whole: |not verified: ", line)]
    assert len(said) == 1 and said[0] == result.err[-1], result.err
    return said[0]


def numbers(result):
    if not result.out:
        return []
    return [number_of(record.data) for record in packet_file("out", result.out).records]


def bad(data, *words, arguments=()):
    """Joined, and found not to be whole in one sentence that has these words."""
    result = join(data, *arguments)
    assert result.status == 1, result.err
    said = verdict(result)
    assert re.search("not (whole|verified): ", said) and len(said) <= 520
    for word in words:
        assert word in said, said
    assert re.search(r"; \d+ files?, \d+ packets? were good$", said), said
    return result


def whole(data, *arguments):
    result = join(data, *arguments)
    assert result.status == 0, result.err
    assert ": whole: " in verdict(result)
    return result
