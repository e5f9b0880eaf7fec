"""How a consumer ends, or does not, when something is in between: garbage, a cancel, a pause."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.control import Gap, GapReason, Welcome
from protocol.errors import HeaderError
from relays.client import aio
from relays.client.consumer import Consumer
from relays.client.delivery import Received
from relays.client.many import Up
from relays.client.multi import MultiConsumer
from tests.client.feed import PATIENCE, publish_trades
from tests.harness import RelayProcess, eventually


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    process = RelayProcess("market_data", tmp_path)
    yield process.start()
    process.clean()


@pytest.fixture
def babbling(tmp_path: Path) -> Iterator[str]:
    """Somebody who says Welcome, and then what is no frame."""
    path = str(tmp_path / "babbling.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        def serve() -> None:
            sock, _ = listening.accept()
            with sock:
                sock.recv(4096)
                sock.sendall(Welcome(1, 0, 0, 0).frame(source=20))
                sock.recv(4096)  # the consumer confirms
                sock.sendall(bytes(100))
                sock.recv(4096)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield path
        thread.join(PATIENCE)


def test_what_is_no_frame_ends_a_consumer_and_it_is_closed(babbling: str) -> None:
    consumer = Consumer(babbling)
    consumer.confirm()
    with pytest.raises(HeaderError, match="not a frame"):
        next(iter(consumer))
    assert consumer.fileno() == -1
    assert list(consumer) == []


def test_with_asyncio_too(babbling: str) -> None:
    async def main() -> None:
        consumer = await aio.Consumer(babbling).connect()
        await consumer.confirm()
        with pytest.raises(HeaderError, match="not a frame"):
            await consumer.read(PATIENCE)
        assert [one async for one in consumer] == []

    asyncio.run(main())


def test_nothing_but_a_welcome_is_waited_for(relay: RelayProcess) -> None:
    async def main() -> None:
        async with aio.Consumer(relay.path, heartbeat_ms=60_000, dead_after=60.0) as consumer:
            assert consumer.welcome is not None

    begun = time.monotonic()
    with Consumer(relay.path, heartbeat_ms=60_000, dead_after=60.0) as consumer:
        assert consumer.welcome is not None
    asyncio.run(main())
    assert time.monotonic() - begun < consumer.connect_timeout, "not for a Heartbeat behind it"


def test_a_first_wait_that_is_cancelled_is_no_end(relay: RelayProcess) -> None:
    async def main() -> None:
        consumer = aio.Consumer(relay.path)
        relay.signal(signal.SIGSTOP)
        try:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(consumer.read(), 0.05)
        finally:
            relay.signal(signal.SIGCONT)
        async with consumer:
            await asyncio.to_thread(publish_trades, relay.path, 1, 1)
            (item,) = await asyncio.wait_for(consumer.read(), PATIENCE)
            assert item.position == 0

    asyncio.run(main())


Taking = Callable[[MultiConsumer], Iterator[Any]]


@pytest.mark.parametrize("taking", [iter, MultiConsumer.messages])
def test_a_program_that_stops_at_an_up_gets_the_gap_behind_it(
    relay: RelayProcess, taking: Taking
) -> None:
    publish_trades(relay.path, 1, 1)
    elsewhere = {"target": relay.path, "start": 0, "log_id": 1}
    with MultiConsumer({"it": elsewhere}) as several:
        _, up = next(taking(several))
        assert isinstance(up, Up)
        eventually(lambda: several.up["it"], "it is up")
        _, item = next(taking(several))
        gap = item.message if isinstance(item, Received) else item
        assert isinstance(gap, Gap)
        assert gap.reason == GapReason.LOG_REPLACED
