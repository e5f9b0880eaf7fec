"""What every test shares: the option --full, an environment without RELAYS_ settings, and how long
an example of hypothesis may take: however busy the machine is.

Fixtures belong in the conftest.py of the folder that uses them.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

KEPT = {"RELAYS_DATA", "RELAYS_SEED"}
settings.register_profile(
    "here", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("here")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the long tests (marked full) too")


def pytest_configure() -> None:
    """Settings of the person who runs the tests must not reach the relays under test."""
    for name in [name for name in os.environ if name.startswith("RELAYS_")]:
        if name not in KEPT:
            del os.environ[name]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    skip = pytest.mark.skip(reason="a long run: scripts/test --full")
    for item in items:
        if item.get_closest_marker("full"):
            item.add_marker(skip)
