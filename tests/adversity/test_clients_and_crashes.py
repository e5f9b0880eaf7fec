"""Producers and consumers of every kind while their relay is killed again and again.

Clients run in threads of this process; the relay is a real one that is killed at random moments
under load. What every consumer has had in the end is compared with what was sent.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.control import Gap, GapReason
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Quote, Side, Trade
from relays.client.consumer import Consumer
from relays.client.producer import Producer
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


def message(feed: int, number: int) -> Trade | Quote:
    """Message `number` of a feed: a Trade and a Quote by turns, ended by a Trade and a Quote."""
    if number % 2:
        return Quote(FEEDS[feed], bid_price=1, ask_price=2, bid_size=number, ask_size=feed)
    return Trade(FEEDS[feed], price=feed, volume=number, side=Side.BUY)


def number_of(got: Any) -> tuple[int, int]:
    """Feed and number of a message."""
    number = got.volume if isinstance(got, Trade) else got.bid_size
    return FEEDS.index(got.instrument_id), number


class Feed(threading.Thread):
    """One producer that sends until it is told to stop, and then the two that end its feed."""

    def __init__(self, path: str, feed: int, chance: random.Random, **options: Any) -> None:
        super().__init__(name=f"feed {feed}")
        self.path, self.feed, self.options = path, feed, options
        self.pause = chance.choice([0.0002, 0.001])
        self.stopping = threading.Event()
        self.sent = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            options = {"producer_id": self.feed + 1, "backoff": BACKOFF, **self.options}
            with Producer(self.path, **options) as producer:
                while not self.stopping.wait(self.pause):
                    for _ in range(5):
                        producer.send(message(self.feed, self.sent))
                        self.sent += 1
                for end in (LAST, LAST + 1):
                    producer.send(message(self.feed, end))
                producer.flush(PATIENCE)
        except BaseException as error:
            self.error = error


class Reader(threading.Thread):
    """One consumer that reads until all feeds it wants have ended."""

    def __init__(self, path: str, way: str, **options: Any) -> None:
        super().__init__(name=f"{way} {sorted(options)}")
        self.way = way
        self.consumer = Consumer(path, backoff=BACKOFF, **options)
        types = {str(kind) for kind in options.get("types", ("Trade", "Quote"))}
        self.wants_trades, self.wants_quotes = "Trade" in types, "Quote" in types
        self.feeds: list[int] = [FEEDS.index(one) for one in options.get("instruments", FEEDS)]
        self.got: dict[int, list[int]] = {feed: [] for feed in self.feeds}
        self.error: BaseException | None = None

    def wanted(self, sent: int) -> list[int]:
        """The numbers of one feed that this consumer should have had."""
        return [n for n in [*range(sent), LAST, LAST + 1]
                if (self.wants_quotes if n % 2 else self.wants_trades)]  # fmt: skip

    def run(self) -> None:
        try:
            with self.consumer as consumer:
                for batch in self._messages(consumer):
                    for got in batch:
                        feed, number = number_of(got)
                        self.got[feed].append(number)
                    if all(self._ended(numbers) for numbers in self.got.values()):
                        return
        except BaseException as error:
            self.error = error

    def _ended(self, numbers: list[int]) -> bool:
        end = LAST + 1 if self.wants_quotes else LAST
        return bool(numbers) and numbers[-1] == end

    def _messages(self, consumer: Consumer) -> Iterator[list[Any]]:
        if self.way == "batches":
            for batch in consumer.batches():
                yield list(batch)
        elif self.way == "views":
            for view in consumer.views():
                yield [view]
        else:
            for one in consumer:
                yield [one]


def readers(path: str) -> list[Reader]:
    """Consumers of every kind and filter."""
    return [
        Reader(path, "messages"),
        Reader(path, "views", heartbeat_ms=200),
        Reader(path, "batches"),
        Reader(path, "messages", types=["Trade"]),
        Reader(path, "messages", instruments=[FEEDS[1]]),
        Reader(path, "views", types=["Quote"], instruments=FEEDS[:2]),
    ]


def join(threads: list[Any]) -> None:
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), f"{thread.name} did not come to its end"
        if thread.error is not None:
            raise thread.error


@pytest.mark.parametrize("domain", ["market_data"])
def test_nothing_is_lost_doubled_or_reordered_when_the_relay_is_killed_twenty_times(
    domain: str, tmp_path: Path
) -> None:
    chance = random.Random(seed())
    relay = RelayProcess(domain, tmp_path, log_bytes=64 << 20).start()
    try:
        reading = readers(relay.path)
        feeds = [Feed(relay.path, n, chance, linger_us=n * 500) for n in range(PRODUCERS)]
        for thread in [*reading, *feeds]:
            thread.start()
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.01, 0.2))  # a random moment; nothing is right for it
            relay.kill()
            relay.start()
        for feed in feeds:
            feed.stopping.set()
        join(feeds)
        join(reading)
        assert sum(feed.sent for feed in feeds) > 1000
        for reader in reading:
            for number in reader.feeds:
                assert reader.got[number] == reader.wanted(feeds[number].sent), reader.name
            assert not reader.consumer.gaps
        assert all(reader.consumer.reconnects >= KILLS // 2 for reader in reading)
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
