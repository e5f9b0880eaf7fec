"""The scale bench runs, and cannot be fooled: many consumers find what one does.

Counts are tiny: these are smoke tests of the measurements, never the measurements.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from protocol.control import Hello, Role
from protocol.instruments import InstrumentId
from protocol.market_data import Quote, Side, Trade

from . import native, servers
from .children import RunFailed
from .runs import workspace
from .scale_runs import Flow, Group, measure
from .test_bench_smoke import damage, false_relay, lose, repeat

PAIR = InstrumentId(1, 4, 0, 7)


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    native.build()


@pytest.fixture
def trades(tmp_path: Path) -> Path:
    path = tmp_path / "trades"
    path.write_bytes(b"".join(trade(number) for number in range(1, 301)))
    return path


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Two Quotes, then a Trade, and so on."""
    quote = Quote(PAIR, bid_price=1, ask_price=2, bid_size=3, ask_size=4).frame(source=1)
    path = tmp_path / "mixed"
    path.write_bytes(b"".join(quote + quote + trade(number) for number in range(1, 101)))
    return path


def trade(number: int) -> bytes:
    return bytes(Trade(PAIR, price=number, volume=number, side=Side.BUY).frame(source=1))


@pytest.mark.parametrize("name", ["relay", "copyloop"])
def test_many_consumers_have_every_frame_of_several_producers(name: str, trades: Path) -> None:
    settings = ("validate_checksums=true", "require_sequence=true")
    with workspace() as folder:
        started = (
            servers.relay(folder, "", settings) if name == "relay" else servers.copyloop(folder)
        )
        flow = Flow(trades, 2_000, (Group(40, "verify"),), producers=8, warmup=100, window=500)
        with started as server:
            sample = measure(server, flow)
    (consumers,) = sample.groups
    assert (consumers["connections"], consumers["count"]) == (40, 8 * 2_100)
    assert consumers["bytes"] == 40 * 8 * 2_100 * 64
    assert sample.rate > 0
    assert sample.cpu_ns > 0


@pytest.mark.parametrize(
    ("mode", "harm"),
    [("count", lose), ("count", repeat), ("verify", lose), ("verify", repeat), ("verify", damage)],
)
def test_many_find_a_lost_repeated_or_damaged_frame(
    mode: str, harm: Callable[[bytearray], None], trades: Path
) -> None:
    with workspace() as folder, false_relay(folder, harm) as server:
        flow = Flow(trades, 1_000, (Group(1, mode),), warmup=0)
        with pytest.raises(RunFailed, match="many-0 ended with 1: many: frame"):
            measure(server, flow)


def test_a_filtered_consumer_has_what_matches_and_nothing_else(mixed: Path) -> None:
    mask = bytearray(32)
    mask[0] = 1 << Trade.TYPE
    hello = Hello(role=Role.CONSUME, type_filter=bytes(mask)).frame()
    filtered = Group(2, "verify", hello, (Trade.TYPE,), 1_000)
    everything = Group(2, "verify")
    with workspace() as folder, servers.relay(folder) as server:
        flow = Flow(mixed, 2_700, (everything, filtered), warmup=300)
        sample = measure(server, flow)
        assert [each["count"] for each in sample.groups] == [3_000, 1_000]
        with pytest.raises(RunFailed, match="many-1 ended with 1: many: frame 0: of producer 0"):
            measure(server, replace(flow, groups=(everything, replace(filtered, types=(2,)))))
