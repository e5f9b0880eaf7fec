"""Several relays as one stream: each in its order, the death of one no matter to the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.market_data import Quote, Trade
from relays.client.aio.multi import MultiConsumer as AsyncMultiConsumer
from relays.client.delivery import Received
from relays.client.errors import ClientError
from relays.client.many import Down, Up
from relays.client.multi import MultiConsumer
from relays.client.settings import read_settings
from relays.errors import ConfigError
from tests.client.feed import BTC, PATIENCE, publish, publish_trades, trades
from tests.harness import RelayProcess

AS_IN_THE_SOURCE_DOCUMENT = """
# dashboard_config.yml
dashboard:
  # Subscribe to multiple relays
  subscriptions:
    market_data:
      enabled: true
      path: "/tmp/alphapulse/market_data.sock"
      message_types: [Trade, Quote, OrderBook]

    signals:
      enabled: true
      path: "/tmp/alphapulse/signals.sock"
      message_types: [PositionUpdate, StrategyAlert, PerformanceUpdate]

    execution:
      enabled: false
      path: "/tmp/alphapulse/execution.sock"
      message_types: [OrderStatus, Fill, ExecutionReport]
"""


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[RelayProcess, RelayProcess]]:
    relays = [RelayProcess("market_data", tmp_path / name) for name in ("left", "right")]
    for relay in relays:
        relay.folder.mkdir()
    yield relays[0].start(), relays[1].start()
    for relay in relays:
        relay.clean()


def paths(two: tuple[RelayProcess, RelayProcess]) -> dict[str, dict[str, Any]]:
    return {name: {"target": one.path} for name, one in zip(("left", "right"), two, strict=True)}


def until(
    several: MultiConsumer, enough: Callable[[list[tuple[str, Any]]], bool]
) -> list[tuple[str, Any]]:
    """What comes until it is enough; TimeoutError when it never is."""
    got: list[tuple[str, Any]] = []
    deadline = time.monotonic() + PATIENCE
    while not enough(got):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{got[-5:]}")
        got += several.read(0.1)
    return got


def said(got: list[tuple[str, Any]], kind: type) -> list[str]:
    return [name for name, item in got if isinstance(item, kind)]


def prices(got: list[tuple[str, Any]], name: str) -> list[int]:
    return [
        item.message.price
        for whose, item in got
        if whose == name and isinstance(item, Received) and isinstance(item.message, Trade)
    ]


def test_the_death_of_one_is_said_and_the_other_goes_on(
    two: tuple[RelayProcess, RelayProcess],
) -> None:
    left, right = two
    with MultiConsumer(paths(two)) as several:
        assert sorted(said(until(several, lambda got: len(said(got, Up)) == 2), Up)) == [
            "left", "right",
        ]  # fmt: skip
        for relay in two:
            publish_trades(relay.path, 1, 20)
        got = until(several, lambda got: len(got) >= 40)
        assert prices(got, "left") == prices(got, "right") == list(range(1, 21))
        left.kill()
        publish_trades(right.path, 21, 5)
        got = until(several, lambda got: bool(said(got, Down)) and len(prices(got, "right")) == 5)
        assert said(got, Down) == ["left"]
        assert several.up == {"left": False, "right": True}
        left.start()
        publish_trades(left.path, 21, 5)
        got = until(several, lambda got: len(prices(got, "left")) == 5)
        assert prices(got, "left") == list(range(21, 26))
        assert [item.again for _, item in got if isinstance(item, Up)] == [True]


def test_a_relay_that_was_never_there_is_down_and_comes_up(tmp_path: Path) -> None:
    relay = RelayProcess("market_data", tmp_path)
    told: list[tuple[str, Up | Down]] = []
    relays = {"here": {"target": relay.path}}
    with MultiConsumer(
        relays, on_change=lambda name, change: told.append((name, change)), backoff=(0.01, 0.05)
    ) as several:
        assert several.read(0.1) == []
        ((name, change),) = told
        assert isinstance(change, Down)
        assert (name, change.final) == ("here", False)
        assert "start it: relays run market_data" in change.reason
        try:
            relay.start()
            until(several, lambda got: len(told) == 2)
            assert told[1] == ("here", Up(relay.path, relay.pid, False))
            publish_trades(relay.path, 1, 1)
            assert prices(until(several, bool), "here") == [1]
        finally:
            relay.clean()


def test_who_is_refused_for_good_is_out_and_the_others_go_on(
    two: tuple[RelayProcess, RelayProcess],
) -> None:
    relays = paths(two)
    relays["left"]["start"] = 10**6
    with MultiConsumer(relays) as several:
        got = until(several, lambda got: len(said(got, Down)) == len(said(got, Up)) == 1)
        (down,) = [item for _, item in got if isinstance(item, Down)]
        assert down.final
        assert "bad_hello" in down.reason
        publish_trades(two[1].path, 1, 3)
        assert prices(until(several, lambda got: len(prices(got, "right")) == 3), "right")
    relays = {"left": {"target": two[0].path, "start": 10**6}}
    with MultiConsumer(relays) as alone:
        (item,) = list(alone)
        assert isinstance(item[1], Down), "when all are out, the stream ends"


def test_types_and_iterations_are_those_of_a_consumer(
    two: tuple[RelayProcess, RelayProcess],
) -> None:
    relays = paths(two)
    relays["left"]["types"] = ["Quote"]
    told: list[object] = []
    with MultiConsumer(relays, on_change=lambda *change: told.append(change)) as several:
        until(several, lambda got: len(told) == 2)
        quote = Quote(BTC, bid_price=1, ask_price=2, bid_size=3, ask_size=4)
        for relay in two:
            publish(relay.path, [*trades(1, 2), quote.frame(sequence=3, source=1)], 3)
        stream = iter(several)
        got = [next(stream) for _ in range(4)]
        assert [item for name, item in got if name == "left"] == [quote]
        assert [type(item) for name, item in got if name == "right"] == [Trade, Trade, Quote]
        publish_trades(two[1].path, 4, 3)
        name, batch = next(several.batches())
        assert (name, batch[Trade].rows["price"].tolist()) == ("right", [4, 5, 6])


def test_the_asyncio_one_does_the_same(two: tuple[RelayProcess, RelayProcess]) -> None:
    left, right = two

    async def main() -> None:
        got: list[tuple[str, Any]] = []

        async def collect(several: AsyncMultiConsumer, enough: Callable[[], bool]) -> None:
            async with asyncio.timeout(PATIENCE):
                async for pair in several.messages():
                    got.append(pair)
                    if enough():
                        return

        async with AsyncMultiConsumer(paths(two)) as several:
            await collect(several, lambda: len(said(got, Up)) == 2)
            for relay in two:
                await asyncio.to_thread(publish_trades, relay.path, 1, 20)
            left.kill()
            await collect(several, lambda: len(said(got, Down)) == 1)
            await asyncio.to_thread(left.start)
            await asyncio.to_thread(publish_trades, left.path, 21, 5)
            await asyncio.to_thread(publish_trades, right.path, 21, 5)
            while len(prices(got, "left")) < 25 or len(prices(got, "right")) < 25:
                async with asyncio.timeout(PATIENCE):
                    got.extend(await several.read(0.1))
            for name in ("left", "right"):
                assert prices(got, name) == list(range(1, 26))
            waiting = asyncio.create_task(collect(several, lambda: False))
            await asyncio.sleep(0)
            await several.close()
            await asyncio.wait_for(waiting, PATIENCE)

    asyncio.run(main())


# --- the file ---


def test_the_file_of_the_source_document_is_read(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    file = tmp_path / "dashboard_config.yml"
    file.write_text(AS_IN_THE_SOURCE_DOCUMENT)
    found = read_settings(file)
    assert list(found) == ["market_data", "signals"]
    assert found["market_data"] == {
        "target": "/tmp/alphapulse/market_data.sock",
        "types": ["Trade", "Quote", "OrderBook"],
    }
    with MultiConsumer.from_config(file, name="dashboard") as several:
        assert [one.path for one in several.members.values()] == [
            "/tmp/alphapulse/market_data.sock",
            "/tmp/alphapulse/signals.sock",
        ]


def test_toml_says_the_same_and_more(tmp_path: Path) -> None:
    file = tmp_path / "desk.toml"
    file.write_text(
        '[subscriptions.market_data]\nmessage_types = ["Trade"]\nsnapshot = true\n'
        '[subscriptions.mine]\npath = "/run/mine.sock"\nstart = -100\n'
    )
    assert read_settings(file) == {
        "market_data": {"types": ["Trade"], "snapshot": True},
        "mine": {"target": "/run/mine.sock", "start": -100},
    }


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("x = 1", "expected a table subscriptions"),
        ("[subscriptions.market_data]\ntypes = []", r"market_data\.types: expected one of enabled"),
        ("[subscriptions.market_data]\nenabled = 1", r"enabled: expected true or false, got 1"),
        ('[subscriptions.signals]\nmessage_types = ["Tirade"]', "no message type is called"),
        ("[subscriptions.elsewhere]\nenabled = true", "expected a path, for elsewhere is none of"),
        ("[subscriptions.signals]\nenabled = false", "no subscription is enabled"),
        ("[subscriptions]\nsignals = 3", r"subscriptions\.signals: expected a table with enabled"),
        ("[subscriptions.signals]\nstart = true", "expected text or a number, got True"),
        ("[subscriptions.signals", "not TOML"),
        ("[desk.subscriptions.signals]\n[desk.colours]\n", "colours: only subscriptions"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line_that_names_it(
    tmp_path: Path, text: str, wrong: str
) -> None:
    file = tmp_path / "desk.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=wrong) as caught:
        read_settings(file)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_no_yaml_is_said(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_settings(tmp_path / "none.yml")
    (tmp_path / "bad.yml").write_text("a: [")
    with pytest.raises(ConfigError, match="not YAML"):
        read_settings(tmp_path / "bad.yml")


def test_no_relay_at_all_is_an_error() -> None:
    with pytest.raises(ClientError, match="at least one relay"):
        MultiConsumer([])
