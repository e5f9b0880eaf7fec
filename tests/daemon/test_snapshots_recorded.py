"""Snapshot, then live, over recorded depth: the book of whoever was there from the start.

Recorded Binance text becomes frames, the real core takes them, and consumers join at random
positions. What a snapshot is made of is tested in test_snapshots.py.
"""

from __future__ import annotations

import os
import random
import time
from itertools import islice

import pytest

from protocol.catalogue import MessageType
from protocol.market_data import BookKind, OrderBook
from relays.adapters.binance import Binance, Market
from tests.daemon.fake_edge import World
from tests.daemon.late import Consumer, View, late
from tests.wire.recordings import lines, recording

SEED = int(os.environ.get("RELAYS_SEED", time.time_ns() % 10**9))
RECORDINGS = [
    ("binance/spot_btcusdt_*.gz", Market.SPOT),
    ("binance/usdm_btcusdt_*.gz", Market.USDM),
]


def frames(pattern: str, market: Market, most: int | None) -> list[bytes]:
    """The messages of so many lines of a recording, as a producer would send them."""
    adapter, made = Binance(market), list[bytes]()
    for line in islice(lines(recording(pattern)), most):
        for record in adapter.convert(line):
            made.append(record.message.frame(len(made) + 1, timestamp=record.received, source=1))
    return made


class Truth:
    """What a consumer from the start has, and how many snapshots of the book it has seen."""

    def __init__(self) -> None:
        self.view = View()
        self.snapshots = 0

    def see(self, frame: bytes) -> None:
        self.view.see(frame)
        if frame[4] == MessageType.ORDER_BOOK:
            book = OrderBook.decode(frame)
            self.snapshots += book.kind == BookKind.SNAPSHOT and book.part == book.parts


def join_at_random(made: list[bytes], joins: int) -> None:
    """Compare each late consumer with the first, when its snapshot ends and when all was sent."""
    print("seed", SEED)
    chance = random.Random(SEED)
    world = World(log_bytes=16 << 20, max_payload=65_536)
    _, producer = world.connect()
    truth, at, consumers = Truth(), 0, list[Consumer]()
    for point in [*sorted(chance.randrange(len(made)) for _ in range(joins)), len(made)]:
        while at < point:
            size = min(point - at, chance.randrange(1, 400))
            world.send(producer, *made[at : at + size])
            for frame in made[at : at + size]:
                truth.see(frame)
            at += size
        for consumer in consumers:
            world.read(consumer.sock)
            consumer.look()
            assert consumer.view.state == truth.view.state
        consumer = late(world)
        assert consumer.edges[-1].position == point
        assert consumer.view.frames == truth.view.frames
        assert consumer.view.reader.books == truth.view.reader.books
        consumers.append(consumer)
    assert truth.snapshots > 1
    world.accounted()


@pytest.mark.parametrize(("pattern", "market"), RECORDINGS)
def test_late_consumers_have_the_recorded_book(pattern: str, market: Market) -> None:
    join_at_random(frames(pattern, market, 20_000), 12)


@pytest.mark.full
@pytest.mark.parametrize(("pattern", "market"), RECORDINGS)
def test_late_consumers_have_the_recorded_book_of_the_whole_day(
    pattern: str, market: Market
) -> None:
    join_at_random(frames(pattern, market, None), 28)
