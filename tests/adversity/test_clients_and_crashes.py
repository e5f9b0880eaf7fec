"""Producers and consumers of every kind while their relay is killed again and again.

Clients run in threads of this process, those of asyncio each in a loop of its own; the relay is a
real one that is killed at random moments under load. What every consumer has had in the end is
compared with what was sent.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.control import Gap, GapReason
from protocol.execution import OrderCancel, OrderRequest
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Quote, Side, Trade
from protocol.message import Message, decode
from protocol.orders import OrderType, TimeInForce
from relays.client import aio
from relays.client.consumer import Consumer
from relays.client.many import Down, Up
from relays.client.multi import MultiConsumer
from relays.client.producer import Producer
from relays.client.subscriber import Subscriber
from tests.harness import PATIENCE, RelayProcess, remove_memory

KILLS = 20
BACKOFF = (0.01, 0.1)
PRODUCERS = 3
FEEDS = [InstrumentId.spot(VenueId.BINANCE, f"FEED{n}") for n in range(PRODUCERS)]
# A message with this number ends a feed.
LAST = 2**63


def seed() -> int:
    """Of this run; RELAYS_SEED repeats one."""
    chosen = int(os.environ.get("RELAYS_SEED", time.time_ns() % 10**9))
    print(f"seed {chosen}")
    return chosen


# The two types that a feed has, by turns.
KINDS = {"market_data": ("Trade", "Quote"), "execution": ("OrderRequest", "OrderCancel")}


def message(feed: int, number: int, domain: str = "market_data") -> Message:
    """Message `number` of a feed: of the domain's two types by turns, ended by one of each."""
    pair = FEEDS[feed]
    if domain == "execution":
        if number % 2:
            return OrderCancel(
                pair, Side.BUY, owner_id=feed, account_id=1, client_order_id=number,
                original_client_order_id=1,
            )  # fmt: skip
        return OrderRequest(
            pair, side=Side.BUY, order_type=OrderType.LIMIT, time_in_force=TimeInForce.DAY,
            owner_id=feed, account_id=1, client_order_id=number, price=1, quantity=1,
        )  # fmt: skip
    if number % 2:
        return Quote(pair, bid_price=1, ask_price=2, bid_size=number, ask_size=feed)
    return Trade(pair, price=feed, volume=number, side=Side.BUY)


def number_of(got: Any) -> tuple[int, int]:
    """Feed and number of a message."""
    if isinstance(got, Trade | Quote):
        number = got.volume if isinstance(got, Trade) else got.bid_size
    else:
        number = got.client_order_id
    return FEEDS.index(got.instrument_id), number


class Feed(threading.Thread):
    """One producer that sends until it is told to stop, and then the two that end its feed."""

    def __init__(
        self, relay: RelayProcess, feed: int, chance: random.Random, loop: bool, **options: Any
    ) -> None:
        super().__init__(name=f"feed {feed}")
        self.path, self.feed, self.domain, self.loop = relay.path, feed, relay.domain, loop
        own = {"producer_id": feed + 1, "backoff": BACKOFF, "max_age": float("inf"),
               "send_timeout": PATIENCE}  # fmt: skip
        self.options: dict[str, Any] = {**own, **options}
        self.pause = chance.choice([0.0002, 0.001])
        self.stopping = threading.Event()
        self.sent = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            if self.loop:
                asyncio.run(self._run())
                return
            with Producer(self.path, **self.options) as producer:
                while not self.stopping.wait(self.pause):
                    for one in self._next():
                        producer.send(one)
                for end in (LAST, LAST + 1):
                    producer.send(message(self.feed, end, self.domain))
                producer.flush(PATIENCE)
        except BaseException as error:
            self.error = error

    async def _run(self) -> None:
        async with aio.Producer(self.path, **self.options) as producer:
            while not self.stopping.is_set():
                await asyncio.sleep(self.pause)
                for one in self._next():
                    await producer.send(one)
            for end in (LAST, LAST + 1):
                await producer.send(message(self.feed, end, self.domain))
            await producer.flush(PATIENCE)

    def _next(self) -> Iterator[Message]:
        for _ in range(5):
            yield message(self.feed, self.sent, self.domain)
            self.sent += 1


class Reader(threading.Thread):
    """One consumer that reads until all feeds it wants have ended."""

    def __init__(self, relay: RelayProcess, way: str, loop: bool, **options: Any) -> None:
        super().__init__(name=f"{way} {sorted(options)}")
        self.way, self.loop = way, loop
        own: dict[str, Any] = {"backoff": BACKOFF} | options
        if loop or way == "several":  # these connect later, and so begin where it was empty
            own |= {"start": "oldest", "replayed": "deliver"}
        # What is read from, and the consumer of this relay in it.
        self.source: Any
        self.consumer: Subscriber
        if way == "several":
            self.source = (aio.MultiConsumer if loop else MultiConsumer)([relay.path], **own)
            self.consumer = self.source.members[relay.path]
        else:
            self.source = self.consumer = (aio.Consumer if loop else Consumer)(relay.path, **own)
        even, odd = KINDS[relay.domain]
        types = {str(kind) for kind in options.get("types", (even, odd))}
        self.wants_trades, self.wants_quotes = even in types, odd in types
        self.feeds: list[int] = [FEEDS.index(one) for one in options.get("instruments", FEEDS)]
        self.got: dict[int, list[int]] = {feed: [] for feed in self.feeds}
        self.error: BaseException | None = None

    def wanted(self, sent: int) -> list[int]:
        """The numbers of one feed that this consumer should have had."""
        return [n for n in [*range(sent), LAST, LAST + 1]
                if (self.wants_quotes if n % 2 else self.wants_trades)]  # fmt: skip

    def run(self) -> None:
        try:
            if self.loop:
                asyncio.run(self._run())
                return
            with self.source as source:
                for one in self._items(source):
                    if self._had(one):
                        return
        except BaseException as error:
            self.error = error

    async def _run(self) -> None:
        async with self.source as source:
            async for one in self._items(source):
                if self._had(one):
                    return

    def _items(self, source: Any) -> Any:
        """What it gives, in its way: to be iterated, or with asyncio awaited."""
        return source if self.way == "several" else getattr(source, self.way)()

    def _had(self, given: Any) -> bool:
        """Note what came; whether that was all."""
        if self.way == "several":
            given = given[1]
        if self.way == "frames":
            given = decode(given)
        if isinstance(given, Up | Down):
            return False
        for got in given if self.way == "batches" else [given]:
            feed, number = number_of(getattr(got, "message", got))
            self.got[feed].append(number)
        return all(self._ended(numbers) for numbers in self.got.values())

    def _ended(self, numbers: list[int]) -> bool:
        end = LAST + 1 if self.wants_quotes else LAST
        return bool(numbers) and numbers[-1] == end


def readers(relay: RelayProcess, loop: bool) -> list[Reader]:
    """Consumers of every kind and filter."""
    even, odd = KINDS[relay.domain]
    return [
        Reader(relay, "messages", loop),
        Reader(relay, "views", loop, heartbeat_ms=200),
        Reader(relay, "batches", loop),
        Reader(relay, "frames", loop),
        Reader(relay, "several", loop, types=[odd], instruments=FEEDS[1:]),
        Reader(relay, "messages", loop, types=[even]),
        Reader(relay, "messages", loop, instruments=[FEEDS[1]]),
        Reader(relay, "views", loop, types=[odd], instruments=FEEDS[:2]),
    ]


def join(threads: list[Any]) -> None:
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), f"{thread.name} did not come to its end"
        if thread.error is not None:
            raise thread.error


# Twenty kills over all of them; twenty of each in a full run.
@pytest.mark.parametrize("loop", [False, True], ids=["blocking", "asyncio"])
@pytest.mark.parametrize("domain", list(KINDS))
@pytest.mark.parametrize("kills", [KILLS // 4, pytest.param(KILLS, marks=pytest.mark.full)])
def test_nothing_is_lost_doubled_or_reordered_when_the_relay_is_killed_twenty_times(
    kills: int, domain: str, loop: bool, tmp_path: Path
) -> None:
    chance = random.Random(seed())
    relay = RelayProcess(domain, tmp_path, log_bytes=64 << 20).start()
    try:
        reading = readers(relay, loop)
        feeds = [Feed(relay, n, chance, loop, linger_us=n * 500) for n in range(PRODUCERS)]
        for thread in [*reading, *feeds]:
            thread.start()
        for _ in range(kills):
            time.sleep(chance.uniform(0.01, 0.2))  # a random moment; nothing is right for it
            relay.kill()
            relay.start()
        for feed in feeds:
            feed.stopping.set()
        join(feeds)
        join(reading)
        assert sum(feed.sent for feed in feeds) > 50 * kills
        for reader in reading:
            for number in reader.feeds:
                assert reader.got[number] == reader.wanted(feeds[number].sent), reader.name
            assert not reader.consumer.gaps
        assert all(reader.consumer.reconnects >= kills // 4 for reader in reading)
    finally:
        relay.clean()


@pytest.mark.parametrize("options", [{}, {"types": ["Trade"]}, {"instruments": [FEEDS[0]]}])
def test_what_a_new_log_cannot_give_is_a_gap_never_silence(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    relay = RelayProcess("market_data", tmp_path).start()
    try:
        with (
            Consumer(relay.path, on_gap="item", **options) as consumer,
            Producer(relay.path, producer_id=7) as producer,
        ):
            producer.send(message(0, 2))
            producer.flush(PATIENCE)
            assert number_of(consumer.read(PATIENCE)[0].message) == (0, 2)
            relay.kill()
            remove_memory("market_data", tmp_path)
            relay.start()
            producer.send(message(0, 4))
            producer.flush(PATIENCE)
            got: list[Any] = []
            while len(got) < 2:
                new = [one.message for one in consumer.read(PATIENCE)]
                assert new, "nothing came"
                got += new
        assert isinstance(got[0], Gap)
        assert got[0].reason == GapReason.LOG_REPLACED
        assert number_of(got[1]) == (0, 4)
    finally:
        relay.clean()
