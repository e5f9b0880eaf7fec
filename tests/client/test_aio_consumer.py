"""The asyncio Consumer on real relays: what it does while others of its loop do something else."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from protocol.control import GapReason
from protocol.market_data import Trade
from relays.client.aio.consumer import Consumer
from relays.client.errors import BadFrame, ClientError, GapError, LinkClosed, NotListening
from tests.client.feed import PATIENCE, publish, publish_trades, trades
from tests.harness import RelayProcess, remove_memory

T = TypeVar("T")


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    process = RelayProcess("market_data", tmp_path)
    yield process.start()
    process.clean()


def one_by_one(path: str, count: int) -> None:
    for number in range(1, count + 1):
        publish_trades(path, number, 1)


async def soon(what: Awaitable[T]) -> T:
    return await asyncio.wait_for(what, PATIENCE)


async def take(consumer: Consumer, count: int) -> list[int]:
    """The prices of the next Trades, at least `count`."""
    got: list[int] = []
    while len(got) < count:
        for item in await soon(consumer.read()):
            assert isinstance(item.message, Trade), item
            got.append(item.message.price)
    return got


def test_what_is_published_after_it_is_made_comes_in_every_form(relay: RelayProcess) -> None:
    async def main() -> None:
        async with Consumer(relay.path, name="forms") as consumer:
            await asyncio.to_thread(publish_trades, relay.path, 1, 50)
            first = await soon(anext(aiter(consumer)))
            assert isinstance(first, Trade)
            received = await soon(anext(consumer.messages()))
            view = await soon(anext(consumer.views()))
            assert (received.position, received.replayed, received.header.sequence) == (1, False, 2)
            assert isinstance(view, Trade)
            assert view.borrowed
            frame = await soon(anext(consumer.frames()))
            assert [first.price, view.price, Trade.decode(frame).price] == [1, 3, 4]
            batch = await soon(anext(consumer.batches()))
            assert batch[Trade].rows["price"].tolist() == list(range(5, 51))
            assert (consumer.position, consumer.lag, consumer.domain) == (50, 0, "market_data")
            assert await consumer.read(0.01) == []
            assert await consumer.read_batch(0.0) is None

    asyncio.run(main())


@pytest.mark.parametrize("filter", [{}, {"types": [Trade]}], ids=["all", "types"])
def test_a_killed_relay_costs_a_reconnect_and_nothing_else(
    relay: RelayProcess, filter: dict[str, Any]
) -> None:
    async def main() -> None:
        async with Consumer(relay.path, start="oldest", **filter) as consumer:
            await asyncio.to_thread(publish_trades, relay.path, 1, 60)
            assert await take(consumer, 60) == list(range(1, 61))
            await asyncio.to_thread(publish_trades, relay.path, 61, 40)
            relay.kill()
            reading = asyncio.create_task(take(consumer, 40))
            await asyncio.to_thread(relay.start)
            assert await reading == list(range(61, 101))
            await asyncio.to_thread(publish_trades, relay.path, 101, 5)
            assert await take(consumer, 5) == list(range(101, 106))
            assert (consumer.reconnects, list(consumer.gaps)) == (1, [])

    asyncio.run(main())


def test_a_log_that_is_gone_is_a_gap_that_names_the_reason(relay: RelayProcess) -> None:
    async def main() -> None:
        async with Consumer(relay.path) as consumer:
            await asyncio.to_thread(publish_trades, relay.path, 1, 5)
            assert await take(consumer, 5) == [1, 2, 3, 4, 5]
            relay.kill()
            remove_memory(relay.domain, relay.folder)
            await asyncio.to_thread(relay.start)
            await asyncio.to_thread(publish_trades, relay.path, 6, 2)
            with pytest.raises(GapError) as caught:
                await soon(anext(aiter(consumer)))
            assert caught.value.gap.reason == GapReason.LOG_REPLACED
            assert await take(consumer, 2) == [6, 7]

    asyncio.run(main())


def test_a_wait_that_is_cancelled_loses_nothing(relay: RelayProcess) -> None:
    async def main() -> None:
        async with Consumer(relay.path) as consumer:
            got: list[int] = []
            publishing = asyncio.create_task(asyncio.to_thread(one_by_one, relay.path, 40))
            while len(got) < 40:
                try:
                    items = await asyncio.wait_for(consumer.read(), 0.001)
                except TimeoutError:
                    continue
                got += [item.header.sequence for item in items]
            await publishing
            assert got == list(range(1, 41))

    asyncio.run(main())


def test_a_feed_that_never_ends_leaves_turns_to_others(relay: RelayProcess) -> None:
    async def main() -> None:
        publish_trades(relay.path, 1, 20_000)
        async with Consumer(relay.path, start="oldest") as consumer:
            ticks = 0

            async def tick() -> None:
                nonlocal ticks
                while True:
                    ticks += 1
                    await asyncio.sleep(0)

            ticking = asyncio.create_task(tick())
            await take(consumer, 20_000)
            ticking.cancel()
            assert ticks >= 20_000 * 64 // (256 << 10), "one for each read"

    asyncio.run(main())


def test_closing_ends_an_iteration_that_waits(relay: RelayProcess) -> None:
    async def main() -> None:
        consumer = await Consumer(relay.path).connect()

        async def listed() -> list[object]:
            return [message async for message in consumer]

        waiting = asyncio.create_task(listed())
        await asyncio.sleep(0)
        await consumer.close()
        assert await soon(waiting) == []

    asyncio.run(main())


def test_silence_is_noticed_and_the_relay_is_found_again(relay: RelayProcess) -> None:
    async def main() -> None:
        async with Consumer(relay.path, heartbeat_ms=100, dead_after=0.3) as consumer:
            relay.signal(signal.SIGSTOP)
            try:
                for _ in range(400):
                    if consumer.reason:
                        break
                    await consumer.read(0.05)
                assert consumer.reason == "no byte for 0.3 s"
            finally:
                relay.signal(signal.SIGCONT)
            await asyncio.to_thread(publish_trades, relay.path, 1, 3)
            assert await take(consumer, 3) == [1, 2, 3]

    asyncio.run(main())


def test_a_bad_frame_is_named_and_what_follows_it_comes(relay: RelayProcess) -> None:
    bad = bytearray(trades(1, 1)[0])
    bad[40] ^= 1

    async def main() -> None:
        async with Consumer(relay.path) as consumer:
            await asyncio.to_thread(publish, relay.path, [bytes(bad), *trades(2, 1)], 2)
            with pytest.raises(BadFrame, match="position 0: checksum"):
                await soon(anext(aiter(consumer)))
            assert await take(consumer, 1) == [2]

    asyncio.run(main())


def test_errors_are_those_of_the_blocking_one(relay: RelayProcess, tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(NotListening, match=r"start it: relays run signals"):
            await Consumer(tmp_path / "signals.sock").connect()
        with pytest.raises(ClientError, match=r"bad_hello.*beyond the end"):
            await Consumer(relay.path, start=10**6).read()
        async with Consumer(relay.path, reconnect=False) as consumer:
            assert await asyncio.to_thread(relay.stop) == os.EX_OK
            with pytest.raises(LinkClosed, match="draining: the relay is stopping"):
                await soon(anext(aiter(consumer)))
            assert [one async for one in consumer] == []

    asyncio.run(main())


def test_it_runs_on_uvloop_as_well(relay: RelayProcess) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        async with Consumer(relay.path) as consumer:
            await asyncio.to_thread(publish_trades, relay.path, 1, 5)
            assert await take(consumer, 5) == [1, 2, 3, 4, 5]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
