import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "support"))

from engine import containers, engine, image, web_image  # noqa: E402, F401 (fixtures)
from process import kill_all_started, take_ignored_signals  # noqa: E402
from wire import Wire  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: it measures time, processor time or a rate: nothing else may run beside it")
    config.addinivalue_line("markers", "engine: it has the engine, of which there is one, with one tarcap:latest")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """For a run beside each other (-n N --dist loadgroup): what shares something is done by one process after the other,
    and begins first, as it takes longest. The image that is built from source computes for minutes, and so comes last of
    them: what runs beside it needs the processors no more by then."""
    for item in items:
        if "engine" in item.fixturenames:
            item.add_marker(pytest.mark.engine)
            item.add_marker(pytest.mark.xdist_group("engine"))
        elif "machine" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group("machine"))  # one kernel is fetched, one machine boots
    items.sort(key=lambda item: (item.get_closest_marker("xdist_group") is None, item.name == "test_build_from_source"))


@pytest.fixture(scope="session", autouse=True)
def signals_are_not_ignored():
    take_ignored_signals()


@pytest.fixture
def wire():
    assert os.geteuid() == 0, "network namespaces take root"
    made = Wire()
    yield made
    kill_all_started()
    made.close()


@pytest.fixture
def wire6():
    made = Wire(ipv6=True)
    yield made
    kill_all_started()
    made.close()


@pytest.fixture(autouse=True)
def no_process_stays():
    yield
    kill_all_started()
