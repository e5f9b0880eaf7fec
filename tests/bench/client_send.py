"""A Producer at work: Trades one by one, or the rows of a numpy array, as quickly as it takes them.

Called by client_driver. The native consumer verifies each frame's header, sequence and checksum; so
nothing is checked here, and nothing is timed but the sending.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np

from protocol import batch
from protocol.market_data import Side, Trade
from relays.client import Producer, aio

from .client_board import BLOCK, FIRST_VOLUME, NAP, PAIR, Job, Meter, blocks

WORKS = ("send", "build", "rows")
LINGER_US = 1000
FLUSH_SECONDS = 30.0
# Of an array that send_many is given.
ROWS = 16_384

Some = Callable[[int], object]
SomeAwaited = Callable[[int], Awaitable[object]]


def _prices(index: int) -> tuple[int, int, Side]:
    """Price, volume and side of a frame of a block, as native/producer.c has them."""
    side = Side.SELL if index % 2 else Side.BUY
    return 6_000_000_000_000 + index * 1_000_000, FIRST_VOLUME + index, side


def _trades() -> list[Trade]:
    return [Trade(PAIR, *_prices(index)) for index in range(BLOCK)]


def _rows() -> Any:
    rows = np.zeros(ROWS, batch.payload_dtype(Trade))
    rows["instrument_id"] = tuple(PAIR)
    rows["price"] = 6_000_000_000_000 + np.arange(ROWS) * 1_000_000
    rows["volume"] = FIRST_VOLUME + np.arange(ROWS)
    rows["side"] = 1 + np.arange(ROWS) % 2
    return rows


def _most(work: str) -> int:
    return ROWS if work == "rows" else BLOCK


def blocking(job: Job) -> dict[str, Any]:
    """Sends the job's frames with the blocking Producer; when it began and what it used."""
    board = job.board
    while not board.connected:
        time.sleep(NAP)
    with Producer(job.socket, name="bench", linger_us=LINGER_US) as producer:
        some, most, sent = _some(job.work, producer), _most(job.work), 0

        def send(count: int) -> None:
            nonlocal sent
            for size in blocks(count, most):
                while sent + size > board.frames + job.window:
                    time.sleep(NAP)
                some(size)
                sent += size

        send(job.warmup)
        producer.flush(FLUSH_SECONDS)
        while board.frames < sent:
            time.sleep(NAP)
        meter, start = Meter(), time.monotonic_ns()
        send(job.count)
        producer.flush(FLUSH_SECONDS)
        return {"start_ns": start, **meter.report()}


def _some(work: str, producer: Producer) -> Some:
    """What sends so many messages of a block."""
    send, trades, prices = producer.send, _trades(), [_prices(i) for i in range(BLOCK)]
    rows = _rows()

    def each(count: int) -> None:
        for trade in trades[:count]:
            send(trade)

    def built(count: int) -> None:
        for price, volume, side in prices[:count]:
            send(Trade(PAIR, price, volume, side))

    def many(count: int) -> None:
        producer.send_many(rows[:count], cls=Trade)

    return {"send": each, "build": built, "rows": many}[work]


async def awaited(job: Job) -> dict[str, Any]:
    """The same with the Producer of asyncio."""
    board = job.board
    while not board.connected:
        await asyncio.sleep(NAP)
    async with aio.Producer(job.socket, name="bench", linger_us=LINGER_US) as producer:
        some, most, sent = _some_awaited(job.work, producer), _most(job.work), 0

        async def send(count: int) -> None:
            nonlocal sent
            for size in blocks(count, most):
                while sent + size > board.frames + job.window:
                    await asyncio.sleep(NAP)
                await some(size)
                sent += size

        await send(job.warmup)
        await producer.flush(FLUSH_SECONDS)
        while board.frames < sent:
            await asyncio.sleep(NAP)
        meter, start = Meter(), time.monotonic_ns()
        await send(job.count)
        await producer.flush(FLUSH_SECONDS)
        return {"start_ns": start, **meter.report()}


def _some_awaited(work: str, producer: aio.Producer) -> SomeAwaited:
    send, trades, prices = producer.send, _trades(), [_prices(i) for i in range(BLOCK)]
    rows = _rows()

    async def each(count: int) -> None:
        for trade in trades[:count]:
            await send(trade)

    async def built(count: int) -> None:
        for price, volume, side in prices[:count]:
            await send(Trade(PAIR, price, volume, side))

    async def many(count: int) -> None:
        await producer.send_many(rows[:count], cls=Trade)

    return {"send": each, "build": built, "rows": many}[work]
