import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

import tarcap  # noqa: E402


@pytest.fixture
def wire():
    assert os.geteuid() == 0, "network namespaces take root"
    made = tarcap.Wire()
    yield made
    tarcap.kill_all_started()
    made.close()


@pytest.fixture
def wire6():
    made = tarcap.Wire(ipv6=True)
    yield made
    tarcap.kill_all_started()
    made.close()


@pytest.fixture(autouse=True)
def no_process_stays():
    yield
    tarcap.kill_all_started()
