"""Numbers in a manifest that nobody could have counted: what is made of them is never nonsense, and never silence."""

import json
import re

import pytest

from altered import archive_of, captured, leaves, records, taken_apart, with_manifest, with_value
from archive import pcap_file
from capture import run
from join import bad, some
from summary import fact, page, summary

MOST = 2**63 - 1


@pytest.fixture
def small(tmp_path):
    return captured(tmp_path, pcap_file(records(range(20), 100, step=25)), "-G", "100ms")


def numbers_in(value):
    return [number for _, number in leaves(value) if not isinstance(number, str)]


@pytest.mark.parametrize("value", [MOST, 2**62, 2**63 // 3 + 1, 2**32, 0])
def test_each_number_as_large_as_it_gets(small, value):
    manifest = json.loads(taken_apart(small)[-1][1])
    for path, was in some(leaves(manifest)):
        if not isinstance(was, int) or was == value:
            continue
        made = with_manifest(small, lambda _: with_value(manifest, path, value))
        result = run("summary", stdin=made)
        assert result.status == 1, path
        percent = re.findall(rb"\(([^)]*) ?%\)", result.out)
        assert all(re.fullmatch(rb"\d{1,3}(\.\d)? ?", one) and float(one) <= 100 for one in percent), (path, percent)
        assert min(numbers_in(summary(made, status=1))) >= 0, path


def test_sums_do_not_wrap_around(small):
    """Three times a third of 2^64 is next to nothing."""
    def change(manifest):
        [account] = manifest["interfaces"]
        third = 2**63 - 1
        account.update(dropped_by_kernel=third, dropped_at_stop=third, dropped_output_failed=2, dropped_before_no_file=third)
    made = with_manifest(small, change)
    bad(made, "the account of eth0 does not add up")
    assert summary(made, status=1)["lost"]["dropped_by_kernel"] == MOST
    assert fact(page(made, status=1), "lost").startswith(f"{MOST} packets (100.0")

    def files(manifest):
        for file in manifest["files"]:
            file["packets"] = 2**63 - 1
        manifest["files"][0]["packets"] = 20 + 4  # as it was, were it counted modulo 2^64
    bad(with_manifest(small, files), "where its totals say 5 with 20")


def test_many_interfaces_that_lost_all(small):
    """Each as much as there can be."""
    def change(manifest):
        account = manifest["interfaces"][0]
        manifest["interfaces"] += [{**account, "name": f"eth{n}", "dropped_by_kernel": MOST, "received_by_filter": MOST}
                                   for n in range(1, 300)]
    made = with_manifest(small, change)
    found = summary(made, status=1)
    assert found["lost"]["dropped_by_kernel"] == MOST and min(numbers_in(found)) >= 0
    bad(archive_of(taken_apart(made)), "there are too many interfaces to verify")
