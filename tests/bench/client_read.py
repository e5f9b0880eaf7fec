"""A Consumer at work: it reads, and verifies, what native/producer.c sends.

Called by client_driver. Checksums are looked at by the Consumer (`verify`, the default). Order and
count are looked at here, in the loop that is timed, as a program would use what it gets: with
arrays and headers by every sequence; messages and views, which have none, by their volume, which
says where in its block of 4,096 a frame is. Then Gaps are raised, and at the end the position must
have moved by exactly what was sent.
"""

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np

from protocol.market_data import Trade
from relays.client import Consumer, aio

from .client_board import BLOCK, FIRST_SEQUENCE, FIRST_VOLUME, Job, Meter, blocks

WORKS = ("messages", "received", "views", "batches")
VOLUMES = list(range(FIRST_VOLUME, FIRST_VOLUME + BLOCK))


class Wrong(Exception):
    """What came is not what was sent."""


class Reading:
    """How far a consumer is; both fronts' loops tell it, block by block or array by array."""

    def __init__(self, job: Job, position: int) -> None:
        self.job, self.frames, self._begin = job, 0, position
        self.total = job.warmup + job.count
        self._meter, self._base = Meter(), np.arange(FIRST_SEQUENCE, FIRST_SEQUENCE + 8 * BLOCK)

    def plan(self) -> Iterator[int]:
        """The sizes of the blocks that are to come."""
        yield from blocks(self.job.warmup)
        yield from blocks(self.job.count)

    def have(self, count: int) -> None:
        """So many more frames were right."""
        before, self.frames = self.frames, self.frames + count
        # Before the board: the producer's clock starts when it reads there that all came.
        if before < self.job.warmup <= self.frames:
            self._meter = Meter()
        self.job.board.frames = self.frames

    def check_rows(self, made: Any) -> int:
        """How many frames a Batch has; Wrong unless they are the next ones, all of them Trades."""
        sequences = made[Trade].rows["header"]["sequence"]
        count = len(sequences)
        if count != len(made) or not (sequences == self._base[:count] + self.frames).all():
            raise Wrong(f"an array of {len(made)} frames is not what follows frame {self.frames}")
        return count

    def wrong(self, what: object) -> Wrong:
        return Wrong(f"after frame {self.frames}, in the next {BLOCK}: {what}")

    def report(self, position: int) -> dict[str, Any]:
        last, used = time.monotonic_ns(), self._meter.report()
        if self.frames != self.total or position - self._begin != self.total:
            moved = position - self._begin
            raise Wrong(f"{self.frames} frames, {moved} positions; {self.total} were sent")
        return {"count": self.frames, "last_ns": last, **used}


def blocking(job: Job) -> dict[str, Any]:
    """Reads the job's frames with the blocking Consumer; when it ended and what it used."""
    with Consumer(job.socket, name="bench") as consumer:
        reading = Reading(job, consumer.position)
        job.board.connect()
        if job.work == "batches":
            _batches(consumer, reading)
        elif job.work == "received":
            _received(consumer, reading)
        else:
            _volumes(consumer if job.work == "messages" else consumer.views(), reading)
        return reading.report(consumer.position)


def _volumes(feed: Any, reading: Reading) -> None:
    each = iter(feed)
    for size in reading.plan():
        for volume, trade in zip(VOLUMES[:size], each, strict=False):
            if trade.volume != volume:
                raise reading.wrong(trade)
        reading.have(size)


def _received(consumer: Consumer, reading: Reading) -> None:
    each, sequence = consumer.messages(), FIRST_SEQUENCE
    for size in reading.plan():
        for expected, one in zip(range(sequence, sequence + size), each, strict=False):
            if one.header.sequence != expected:
                raise reading.wrong(one)
        sequence += size
        reading.have(size)


def _batches(consumer: Consumer, reading: Reading) -> None:
    for made in consumer.batches():
        reading.have(reading.check_rows(made))
        if reading.frames >= reading.total:
            return


async def awaited(job: Job) -> dict[str, Any]:
    """The same with the Consumer of asyncio."""
    async with aio.Consumer(job.socket, name="bench") as consumer:
        reading = Reading(job, consumer.position)
        job.board.connect()
        if job.work == "batches":
            await _batches_awaited(consumer, reading)
        elif job.work == "received":
            await _received_awaited(consumer, reading)
        else:
            feed = aiter(consumer) if job.work == "messages" else consumer.views()
            await _volumes_awaited(feed, reading)
        return reading.report(consumer.position)


async def _volumes_awaited(feed: AsyncIterator[Any], reading: Reading) -> None:
    plan = reading.plan()
    at, size = 0, next(plan)
    async for trade in feed:
        if trade.volume != VOLUMES[at]:
            raise reading.wrong(trade)
        at += 1
        if at == size:
            reading.have(size)
            at, size = 0, next(plan, 0)
            if not size:
                return


async def _received_awaited(consumer: aio.Consumer, reading: Reading) -> None:
    plan, sequence = reading.plan(), FIRST_SEQUENCE
    stop = sequence + (size := next(plan))
    async for one in consumer.messages():
        if one.header.sequence != sequence:
            raise reading.wrong(one)
        sequence += 1
        if sequence == stop:
            reading.have(size)
            stop = sequence + (size := next(plan, 0))
            if not size:
                return


async def _batches_awaited(consumer: aio.Consumer, reading: Reading) -> None:
    async for made in consumer.batches():
        reading.have(reading.check_rows(made))
        if reading.frames >= reading.total:
            return
