"""Producer for asyncio against real relays: the same as the blocking one, in one thread."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocol import batch
from protocol.errors import FieldError
from protocol.market_data import Trade
from relays.client.aio.consumer import Consumer
from relays.client.aio.producer import Producer
from relays.client.errors import ClientError, NotListening
from relays.client.outcomes import FencedError, FlushTimeout, UnknownOutcome, WindowFull
from tests.client.test_producer import BTC, PATIENCE, logged, order, trade
from tests.client.test_producer_in_time import hold
from tests.harness import RelayProcess, eventually

Test = Callable[[RelayProcess], Awaitable[None]]


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    process = RelayProcess("market_data", tmp_path)
    yield process.start()
    process.clean()


@pytest.fixture
def execution(tmp_path: Path) -> Iterator[RelayProcess]:
    process = RelayProcess("execution", tmp_path)
    yield process.start()
    process.clean()


def run(main: Awaitable[Any]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(3 * PATIENCE):
            await main

    asyncio.run(bounded(), debug=False)


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not what():
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("linger_us", [0, 500])
def test_messages_arrive_in_order_and_are_acknowledged(relay: RelayProcess, linger_us: int) -> None:
    async def main() -> None:
        async with Producer(relay.path, linger_us=linger_us) as producer:
            sequences = [await producer.send(trade(n)) for n in range(1, 1_001)]
            await producer.flush(PATIENCE)
            assert sequences == list(range(1, 1_001))
            assert (producer.acked, producer.unacked, producer.connected) == (1_000, 0, True)
            await producer.send(trade(1_001))
            await until(lambda: producer.acked == 1_001)

    threads = threading.active_count()
    run(main())
    assert threading.active_count() == threads
    assert logged(relay) == [(n, n) for n in range(1, 1_002)]


def test_many_come_as_arrays_frames_or_messages(relay: RelayProcess) -> None:
    rows = np.zeros(10_000, batch.payload_dtype(Trade))
    rows["instrument_id"], rows["side"] = tuple(BTC), 1
    rows["price"] = np.arange(1, 10_001)

    async def main() -> None:
        async with Producer(relay.path) as producer:
            assert await producer.send_many(rows, cls=Trade) == (1, 10_000)
            frames = bytes(batch.encode(Trade, rows[:100]))
            assert await producer.send_many(frames) == (10_001, 10_100)
            assert await producer.send_many(map(trade, (1, 2))) == (10_101, 10_102)

    run(main())
    numbers = [*range(1, 10_001), *range(1, 101), 1, 2]
    assert logged(relay) == list(enumerate(numbers, 1))


def test_several_tasks_may_send_and_others_get_their_turn(relay: RelayProcess) -> None:
    async def main() -> None:
        turns = 0

        async def tick() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async def send(producer: Producer, first: int) -> None:
            for n in range(first, first + 2_000):
                await producer.send(trade(n))

        ticking = asyncio.create_task(tick())
        async with Producer(relay.path) as producer:
            await asyncio.gather(*(send(producer, n * 10_000) for n in (1, 2)))
        ticking.cancel()
        assert turns > 10

    run(main())
    found = logged(relay)
    assert [sequence for sequence, _ in found] == list(range(1, 4_001))
    for n in (1, 2):
        assert [price for _, price in found if price // 10_000 == n] == list(
            range(n * 10_000, n * 10_000 + 2_000)
        )


def test_a_relay_that_is_killed_has_every_message_once(relay: RelayProcess) -> None:
    async def main() -> None:
        async with Producer(relay.path, backoff=(0.005, 0.05)) as producer:
            for first in (1, 2_001):
                for n in range(first, first + 2_000):
                    await producer.send(trade(n))
                    if n == first + 1_000:
                        relay.kill()
                await asyncio.to_thread(relay.start)
            await producer.flush(PATIENCE)
            assert producer.reconnects >= 1

    run(main())
    assert logged(relay) == [(n, n) for n in range(1, 4_001)]


def test_orders_that_the_relay_did_not_take_in_time_are_unknown(execution: RelayProcess) -> None:
    async def main() -> None:
        async with Producer(execution.path, max_age=0.1, backoff=(0.005, 0.05)) as producer:
            hold(producer, math.inf)
            await producer.send(order(1))
            await producer.flush(PATIENCE)
            execution.kill()
            hold(producer, 0.1)
            await producer.send(order(2))
            await until(lambda: producer.unacked == 0)
            with pytest.raises(UnknownOutcome) as caught:
                await producer.send(order(3))
            assert caught.value.messages == [order(2)]
            await asyncio.to_thread(execution.start)
            hold(producer, math.inf)
            await producer.send(order(4))

    run(main())
    assert logged(execution) == [(1, 1), (2, 4)]


def test_a_newer_connection_with_this_identity_is_named(relay: RelayProcess) -> None:
    async def main() -> None:
        old = await Producer(relay.path, producer_id=5).connect()
        async with Producer(relay.path, producer_id=5):
            with pytest.raises(FencedError) as caught:
                await until_raised(lambda: old.send(trade(1)))
            assert caught.value.pid == os.getpid()
        await old.close()

    run(main())


async def until_raised(call: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            await call()
            await asyncio.sleep(0.002)


def test_callbacks_are_called_by_the_loop(execution: RelayProcess) -> None:
    async def main() -> None:
        told = asyncio.get_running_loop().create_future()
        options: dict[str, Any] = {"on_unknown": told.set_result, "backoff": (0.005, 0.05)}
        async with Producer(execution.path, max_age=0.1, **options) as producer:
            execution.kill()
            await producer.send(order(1))
            assert (await told).messages == [order(1)]
            await producer.flush(PATIENCE)

    run(main())


@pytest.mark.parametrize("on_full", ["raise", "block"])
def test_a_full_window_raises_at_once_or_after_send_timeout(
    relay: RelayProcess, on_full: Any
) -> None:
    async def main() -> None:
        producer = Producer(relay.path, window_bytes=6_400, on_full=on_full, send_timeout=0.1)
        async with producer:
            relay.signal(signal.SIGSTOP)
            try:
                for n in range(1, 101):
                    await producer.send(trade(n))
                with pytest.raises(WindowFull, match="100 messages unacknowledged"):
                    await producer.send(trade(0))
                with pytest.raises(FlushTimeout, match="100 messages"):
                    await producer.flush(0.05)
            finally:
                relay.signal(signal.SIGCONT)
            await producer.flush(PATIENCE)

    run(main())
    assert logged(relay) == [(n, n) for n in range(1, 101)]


def test_a_full_window_that_empties_lets_a_waiting_send_go_on(relay: RelayProcess) -> None:
    async def main() -> None:
        async with Producer(relay.path, window_bytes=640, linger_us=10_000_000) as producer:
            for n in range(1, 301):
                await producer.send(trade(n))

    run(main())
    assert logged(relay) == [(n, n) for n in range(1, 301)]


def test_close_hands_back_what_is_left_and_after_an_exception_notes_it(
    relay: RelayProcess,
) -> None:
    async def fail(producer: Producer) -> None:
        async with producer:
            relay.kill()
            await producer.send(trade(1))
            raise RuntimeError("mine")

    async def main() -> None:
        producer = await Producer(relay.path, backoff=(0.005, 0.05)).connect()
        with pytest.raises(RuntimeError, match="mine") as caught:
            await fail(Producer(relay.path, backoff=(0.005, 0.05)))
        assert "1 message not acknowledged" in caught.value.__notes__[0]
        await producer.send(trade(2))
        with pytest.raises(UnknownOutcome, match="closed") as back:
            await producer.close(0.05)
        assert back.value.messages == [trade(2)]
        with pytest.raises(ClientError, match="this producer is closed"):
            await producer.send(trade(3))

    run(main())


def test_a_cancelled_wait_leaves_the_producer_as_it_was(relay: RelayProcess) -> None:
    async def main() -> None:
        async with Producer(relay.path) as producer:
            relay.signal(signal.SIGSTOP)
            try:
                await producer.send(trade(1))
                flushing = asyncio.create_task(producer.flush())
                await asyncio.sleep(0.01)
                flushing.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await flushing
            finally:
                relay.signal(signal.SIGCONT)
            await producer.send(trade(2))
            await producer.flush(PATIENCE)

    run(main())
    assert logged(relay) == [(1, 1), (2, 2)]


def test_errors_before_anything_is_connected(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(NotListening, match=r"start it: relays run signals"):
            async with Producer(tmp_path / "signals.sock"):
                pass
        with pytest.raises(ClientError, match="not connected: use `async with`"):
            await Producer(tmp_path / "signals.sock").send(trade(1))
        with pytest.raises(FieldError, match="linger_us"):
            Producer(tmp_path / "signals.sock", linger_us=-1)
        await Producer(tmp_path / "signals.sock").close()

    run(main())


def test_a_relay_that_says_nothing_is_waited_for_as_long_as_asked(relay: RelayProcess) -> None:
    async def main() -> None:
        with pytest.raises(ClientError, match=r"no Welcome within 0.1 s"):
            await Producer(relay.path, connect_timeout=0.1).connect()

    relay.signal(signal.SIGSTOP)
    try:
        run(main())
    finally:
        relay.signal(signal.SIGCONT)


PROGRAM = """
import asyncio, itertools, sys
from relays.client.aio.consumer import Consumer
from relays.client.aio.producer import Producer
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Trade

btc = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
sent = 0

async def main() -> None:
    global sent
    async with Producer(sys.argv[1], linger_us=int(sys.argv[2])) as producer:
        print("ready", flush=True)
        for n in itertools.count(1):
            await producer.send(Trade(btc, price=n, volume=1))
            sent = n

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print(sent, flush=True)
"""


@pytest.mark.parametrize("linger_us", [0, 1_000_000])
def test_ctrl_c_ends_at_once_with_everything_sent_and_no_traceback(
    relay: RelayProcess, linger_us: int
) -> None:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", PROGRAM, relay.path, str(linger_us)]
    program = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        eventually(lambda: relay.end() > 500, "it sends")
        began = time.monotonic()
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=PATIENCE)
    finally:
        program.kill()
        program.wait()
    assert (program.returncode, err) == (0, "")
    assert time.monotonic() - began < PATIENCE
    assert relay.end() - int(out) in (0, 1)
    relay.accounted()


def test_who_failed_to_connect_is_over_and_says_so_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        for one in (Producer(tmp_path / "signals.sock"), Consumer(tmp_path / "signals.sock")):
            with pytest.raises(NotListening):
                await one.connect()
            with pytest.raises(ClientError, match="is over; make another to try again"):
                await one.connect()

    run(main())
