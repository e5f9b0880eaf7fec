"""The blocking Consumer on real relays: killed, stopped, replaced, slow, refused."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.control import Gap, GapReason, Snapshot
from protocol.execution import OrderRequest
from protocol.market_data import Quote, Side, Trade
from protocol.orders import OrderType, TimeInForce
from relays.client.consumer import Consumer
from relays.client.errors import BadFrame, ClientError, GapError, LinkClosed, NotListening
from tests.client.feed import BTC, ETH, PATIENCE, publish, publish_trades, trades
from tests.harness import RelayProcess, eventually, remove_memory


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    process = RelayProcess("market_data", tmp_path)
    yield process.start()
    process.clean()


def take(consumer: Consumer, count: int) -> list[int]:
    """The prices of the next `count` Trades; TimeoutError when they do not come."""
    got: list[int] = []
    deadline = time.monotonic() + PATIENCE
    while len(got) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(got)} of {count}: {got[-3:]}")
        for item in consumer.read(0.1):
            assert isinstance(item.message, Trade), item
            got.append(item.message.price)
    return got


def test_what_is_published_after_it_is_made_comes_in_every_form(relay: RelayProcess) -> None:
    with Consumer(relay.path, name="forms") as consumer:
        publish_trades(relay.path, 1, 50)
        first = next(iter(consumer))
        assert isinstance(first, Trade)
        received, view = next(consumer.messages()), next(consumer.views())
        assert (received.position, received.replayed, received.header.sequence) == (1, False, 2)
        assert isinstance(view, Trade)
        assert view.borrowed
        frame = next(consumer.frames())
        assert [first.price, view.price, Trade.decode(frame).price] == [1, 3, 4]
        assert consumer.position == 4
        batch = next(consumer.batches())
        assert batch[Trade].rows["price"].tolist() == list(range(5, 51))
        assert (consumer.position, consumer.lag, consumer.domain) == (50, 0, "market_data")
        assert consumer.read(0.0) == []
        assert consumer.read_batch(0.0) is None


@pytest.mark.parametrize(
    ("start", "first"), [("live", 41), ("oldest", 1), (25, 26), (0, 1), (-10, 31)]
)
def test_it_starts_where_it_is_told(relay: RelayProcess, start: int, first: int) -> None:
    publish_trades(relay.path, 1, 40)
    with Consumer(relay.path, start=start) as consumer:
        publish_trades(relay.path, 41, 5)
        items = consumer.read(PATIENCE)
        while len(items) < 46 - first:
            items += consumer.read(PATIENCE)
        assert [item.position for item in items] == list(range(first - 1, 45))
        assert [item.replayed for item in items] == [n < 40 for n in range(first - 1, 45)]


def test_another_program_goes_on_at_a_position_and_log_that_were_kept(relay: RelayProcess) -> None:
    publish_trades(relay.path, 1, 10)
    with Consumer(relay.path, start="oldest") as one:
        first = [item for _, item in zip(range(4), one, strict=False)]
        assert [item.price for item in first if isinstance(item, Trade)] == [1, 2, 3, 4]
        place: dict[str, Any] = {"start": one.position, "log_id": one.log_id}
    with Consumer(relay.path, **place) as other:
        assert take(other, 6) == [5, 6, 7, 8, 9, 10]
    place["log_id"] ^= 1
    with Consumer(relay.path, **place) as stranger, pytest.raises(GapError) as caught:
        next(iter(stranger))
    assert caught.value.gap.reason == GapReason.LOG_REPLACED


@pytest.mark.parametrize(
    "filter", [{}, {"types": [Trade]}, {"instruments": [BTC]}], ids=["all", "types", "instruments"]
)
def test_a_killed_relay_costs_a_reconnect_and_nothing_else(
    relay: RelayProcess, filter: dict[str, Any]
) -> None:
    with Consumer(relay.path, start="oldest", **filter) as consumer:
        for turn in range(3):
            publish_trades(relay.path, 1 + turn * 100, 60)
            assert take(consumer, 60) == list(range(1 + turn * 100, 61 + turn * 100))
            publish_trades(relay.path, 61 + turn * 100, 40)
            relay.kill()
            relay.start()
            assert take(consumer, 40) == list(range(61 + turn * 100, 101 + turn * 100))
        publish_trades(relay.path, 301, 1)
        assert take(consumer, 1) == [301]
        assert consumer.reconnects == 3
        assert list(consumer.gaps) == []


def test_a_log_that_is_gone_is_a_gap_that_names_the_reason(relay: RelayProcess) -> None:
    with Consumer(relay.path) as consumer:
        publish_trades(relay.path, 1, 5)
        assert take(consumer, 5) == [1, 2, 3, 4, 5]
        relay.kill()
        remove_memory(relay.domain, relay.folder)
        relay.start()
        publish_trades(relay.path, 6, 2)
        with pytest.raises(GapError, match=r"unknown number .* log replaced"):
            next(iter(consumer))
        assert take(consumer, 2) == [6, 7]
        assert consumer.position == 2


@pytest.mark.parametrize("on_lag", ["gap", "disconnect", "catch_up"])
def test_a_slow_consumer_is_told_which_positions_it_lost(tmp_path: Path, on_lag: Any) -> None:
    count = 40_000  # more than the log holds
    relay = RelayProcess(
        "market_data", tmp_path, log_bytes=1 << 20, send_buffer=4096, recovery_timeout=0.1
    ).start()
    try:
        with Consumer(relay.path, on_lag=on_lag, on_gap="item") as consumer:
            publish_trades(relay.path, 1, count)
            got, gaps = list[int](), list[Gap]()
            while consumer.position < count:
                for item in consumer.read(PATIENCE):
                    if isinstance(item.message, Gap):
                        gaps.append(item.message)
                    else:
                        got.append(item.position or 0)
            assert gaps == list(consumer.gaps)
            assert ("slow_consumer" in consumer.reason) == (on_lag == "disconnect")
            assert consumer.reconnects == (on_lag == "disconnect")
    finally:
        relay.clean()
    assert gaps
    assert {gap.reason for gap in gaps} <= {GapReason.TOO_SLOW, GapReason.TOO_OLD}
    missing = [n for gap in gaps for n in range(gap.first_position, gap.last_position + 1)]
    assert sorted(got + missing) == list(range(count))
    assert len(missing) == sum(gap.count for gap in gaps)


def test_a_slow_consumer_that_catches_up_loses_nothing_that_is_kept(relay: RelayProcess) -> None:
    with Consumer(relay.path, on_lag="catch_up") as consumer:
        publish_trades(relay.path, 1, 40_000)
        assert take(consumer, 40_000) == list(range(1, 40_001))
        assert list(consumer.gaps) == []


def test_silence_is_noticed_and_the_relay_is_found_again(relay: RelayProcess) -> None:
    with Consumer(relay.path, heartbeat_ms=100, dead_after=0.3) as consumer:
        relay.signal(signal.SIGSTOP)
        try:
            begun = time.monotonic()
            while not consumer.reason:
                assert time.monotonic() - begun < PATIENCE
                consumer.read(0.05)
            assert consumer.reason == "no byte for 0.3 s"
            assert time.monotonic() - begun >= 0.2
        finally:
            relay.signal(signal.SIGCONT)
        publish_trades(relay.path, 1, 3)
        assert take(consumer, 3) == [1, 2, 3]


def test_heartbeats_tell_the_relay_how_far_it_is(relay: RelayProcess) -> None:
    with Consumer(relay.path, name="telling", heartbeat_ms=100) as consumer:
        publish_trades(relay.path, 1, 10)
        take(consumer, 10)

        def confirmed() -> bool:
            consumer.read(0.02)
            return 10 in [row["confirmed"] for row in relay.consumers() if row["name"] == "telling"]

        eventually(confirmed, "the position in the state")


def test_a_bad_frame_is_named_and_what_follows_it_comes(relay: RelayProcess) -> None:
    bad = bytearray(trades(2, 1)[0])
    bad[40] ^= 1
    with Consumer(relay.path) as consumer:
        publish(relay.path, [*trades(1, 1), bytes(bad), *trades(3, 1)], 3)
        messages = consumer.messages()
        assert next(messages).position == 0
        with pytest.raises(BadFrame, match="position 1: checksum") as caught:
            next(messages)
        assert caught.value.frame == bad
        assert next(consumer.messages()).position == 2


def test_filters_pass_what_they_name(relay: RelayProcess) -> None:
    quote = Quote(ETH, bid_price=1, ask_price=2, bid_size=3, ask_size=4).frame(sequence=3)
    with (
        Consumer(relay.path, types="Quote") as quotes,
        Consumer(relay.path, instruments=ETH) as ethers,
        Consumer(relay.path, types=[Trade], instruments=[ETH], heartbeat_ms=100) as both,
    ):
        publish(relay.path, [*trades(1, 1), *trades(2, 1, ETH), quote, *trades(4, 1)], 4)
        assert [item.header.sequence for item in quotes.read(PATIENCE)] == [3]
        assert [item.header.sequence for item in ethers.read(PATIENCE)] == [2, 3]
        (item,) = both.read(PATIENCE)
        assert (item.header.sequence, item.position) == (2, None)
        eventually(lambda: both.read(0.02) == [] and both.position == 4, "the position is told")


def test_a_snapshot_comes_before_the_feed_and_once(relay: RelayProcess) -> None:
    quotes = [
        Quote(pair, bid_price=n, ask_price=n + 1, bid_size=1, ask_size=1).frame(
            sequence=n, source=1
        )
        for n, pair in enumerate([BTC, ETH, BTC], 1)
    ]
    publish(relay.path, quotes, 3)
    with Consumer(relay.path, snapshot=True) as consumer:
        publish_trades(relay.path, 4, 2)
        first = [item for _, item in zip(range(6), consumer.messages(), strict=False)]
        begin, *state, end = [item.message for item in first[:4]]
        assert (type(begin), type(end)) == (Snapshot, Snapshot)
        assert sorted(one.bid_price for one in state if isinstance(one, Quote)) == [2, 3]
        assert [item.snapshot for item in first] == [False, True, True, False, False, False]
        assert [item.position for item in first] == [None, None, None, None, 3, 4]
        relay.kill()
        relay.start()
        publish_trades(relay.path, 6, 2)
        assert take(consumer, 2) == [6, 7], "who goes on without a hole needs none"
        assert consumer.reconnects == 1


def test_a_message_carries_where_it_came_from(relay: RelayProcess) -> None:
    with Consumer(relay.path) as consumer:
        publish_trades(relay.path, 1, 1)
        (item,) = consumer.read(PATIENCE)
        assert item.context.trace_id[:8] == consumer.log_id.to_bytes(8, "big")


def test_what_the_relay_refuses_for_good_is_an_error(relay: RelayProcess) -> None:
    with pytest.raises(ClientError, match=r"bad_hello.*beyond the end"):
        Consumer(relay.path, start=10**6)


def test_without_reconnect_the_end_is_an_error_that_says_why(relay: RelayProcess) -> None:
    with Consumer(relay.path, reconnect=False) as consumer:
        assert relay.stop() == os.EX_OK
        with pytest.raises(LinkClosed, match="draining: the relay is stopping"):
            next(iter(consumer))
        assert list(consumer) == []


def test_nothing_listening_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotListening, match=r"^nothing listens at .*start it: relays run signals"):
        Consumer(tmp_path / "signals.sock")


def test_a_relay_that_is_misspelt_is_told_which_one_was_meant() -> None:
    with pytest.raises(
        NotListening, match=r"^there is no .*'market_dat': did you mean market_data"
    ):
        Consumer("market_dat")
    with pytest.raises(
        NotListening, match=r"'nobody': expected market_data, signals, execution or"
    ):
        Consumer("nobody")


def test_a_domain_is_found_in_the_runtime_directory(
    relay: RelayProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAYS_RUNTIME_DIR", str(relay.folder))
    with Consumer("market_data") as consumer:
        assert consumer.path == relay.path


def test_who_listens_and_says_nothing_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "mute.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        with pytest.raises(ClientError, match=r"no Welcome within 0\.2 s"):
            Consumer(path, connect_timeout=0.2)


def test_an_old_order_is_not_given_to_who_did_not_ask_for_it(tmp_path: Path) -> None:
    relay = RelayProcess("execution", tmp_path).start()
    other = tmp_path / "other.sock"
    other.symlink_to(relay.path)
    try:
        order = OrderRequest(
            BTC, Side.BUY, OrderType.LIMIT, TimeInForce.DAY, owner_id=1, account_id=1,
            client_order_id=1, price=1, quantity=1,
        )  # fmt: skip
        publish(relay.path, [order.frame(sequence=1, source=40)], 1)
        for path in (relay.path, str(other)):
            with pytest.raises(ClientError, match=r'replayed="deliver" .* or replayed="skip"'):
                Consumer(path, start="oldest")
        with Consumer(relay.path, start="oldest", replayed="deliver") as all_of_it:
            (item,) = all_of_it.read(PATIENCE)
            assert (item.replayed, item.message) == (True, order)
        with (
            Consumer(relay.path, start="oldest", replayed="skip") as skipping,
            Consumer(relay.path) as live,
        ):
            publish(relay.path, [order.frame(sequence=2, source=40)], 2)
            for consumer in (skipping, live):
                (item,) = consumer.read(PATIENCE)
                assert (item.replayed, item.header.sequence) == (False, 2)
    finally:
        relay.clean()


def test_ctrl_c_ends_a_program_that_waits(relay: RelayProcess) -> None:
    program = (
        "import sys\nfrom relays.client.consumer import Consumer\n"
        "try:\n    with Consumer(sys.argv[1], name='waiting') as consumer:\n"
        "        list(consumer)\nexcept KeyboardInterrupt:\n    print('ended')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, relay.path], stdout=subprocess.PIPE, text=True
    )
    try:
        eventually(lambda: any(r["name"] == "waiting" for r in relay.consumers()), "it waits")
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE)[0] == "ended\n"
    finally:
        process.kill()
        process.wait()


def test_waiting_is_over_when_something_comes(relay: RelayProcess) -> None:
    with Consumer(relay.path) as consumer:
        thread = threading.Thread(target=publish_trades, args=(relay.path, 1, 1))
        thread.start()
        assert [item.position for item in consumer.read()] == [0]
        thread.join()
