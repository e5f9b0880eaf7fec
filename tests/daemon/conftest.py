"""Relays as processes, ended and accounted for after each test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import RelayProcess

Start = Callable[..., RelayProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start("market_data", circuit_breaker=100)`: a running relay; unaccounted is 0 at the end."""
    running: list[RelayProcess] = []

    def begin(domain: str = "market_data", **settings: Any) -> RelayProcess:
        relay = RelayProcess(domain, tmp_path, **settings)
        running.append(relay)
        return relay.start()

    yield begin
    for relay in running:
        relay.clean()
