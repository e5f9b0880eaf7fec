"""A Producer called from where it is delicate: handlers of signals, callbacks, the end."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from protocol.errors import FieldError
from protocol.market_data import Side, Trade
from relays.client import aio
from relays.client.errors import ClientError
from relays.client.outcomes import HandedBack, RejectedError, SeveralErrors, UnknownOutcome
from relays.client.producer import Producer
from tests.client.feed import BTC, PATIENCE
from tests.harness import RelayProcess, eventually, frame


def trade(number: int) -> Trade:
    return Trade(BTC, price=number, volume=1, side=Side.BUY)


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    """One at which this user may only speak as source 100."""
    sources = f'{{"uid:{os.getuid()}" = [100]}}'
    process = RelayProcess("market_data", tmp_path, sources=sources)
    yield process.start()
    process.clean()


class Told(Exception):
    """Raised by a handler to end a loop."""


@pytest.fixture
def ticking() -> Iterator[list[BaseException | None]]:
    """SIGALRM again and again; the handler puts into the list what its call came to."""
    came: list[BaseException | None] = []
    yield came
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def test_a_signal_handler_that_sends_is_served_or_refused_and_never_waits_for_ever(
    relay: RelayProcess, ticking: list[BaseException | None]
) -> None:
    with Producer(relay.path, source=100, linger_us=1000) as producer:

        def handler(_number: int, _frame: FrameType | None) -> None:
            try:
                producer.send(trade(1))
                ticking.append(None)
            except ClientError as error:
                ticking.append(error)

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        own = 0
        while len(ticking) < 200 or not any(ticking):
            producer.send(trade(2))
            own += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        producer.flush(PATIENCE)
        served = ticking.count(None)
        assert producer.acked == own + served == relay.end()
    assert all("signal came in the middle" in str(error) for error in ticking if error)


def test_ctrl_c_in_any_call_leaves_a_producer_that_can_be_flushed(
    relay: RelayProcess, ticking: list[BaseException | None]
) -> None:
    def handler(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    seed = time.time_ns() % 10**9
    print(f"seed {seed}")
    chance, torn = random.Random(seed), 0
    with Producer(relay.path, source=100) as producer:
        producer.send(trade(1))
        producer.flush(PATIENCE)
        signal.signal(signal.SIGALRM, handler)
        while torn < 500:
            try:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.000_001, 0.000_05))
                while True:
                    producer.flush(PATIENCE)
            except KeyboardInterrupt:  # with its traceback, which keeps the frames that it tore
                torn += 1
                producer.flush(PATIENCE)
        assert producer.acked == 1


def test_a_program_whose_sigterm_handler_closes_the_producer_ends(relay: RelayProcess) -> None:
    program = (
        "import signal, sys\nfrom relays.client import ClientError, Producer\n"
        "from tests.client.test_producer_calls import trade\n"
        "producer = Producer(sys.argv[1], source=100, linger_us=1000)\n"
        "signal.signal(signal.SIGTERM, lambda *_: producer.close())\n"
        "print('go', flush=True)\n"
        "try:\n    while True:\n        producer.send(trade(1))\n"
        "except ClientError:\n    producer.close()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, relay.path], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        eventually(lambda: relay.end() > 0, "it sends")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


def test_a_handler_may_close_a_producer_that_waits(
    relay: RelayProcess, ticking: list[BaseException | None]
) -> None:
    producer = Producer(relay.path, source=100)
    relay.signal(signal.SIGSTOP)
    try:
        producer.send(trade(1))

        def handler(_number: int, _frame: FrameType | None) -> None:
            with pytest.raises(UnknownOutcome):
                producer.close(0.0)
            ticking.append(None)

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(ClientError, match="closed"):
            producer.flush(PATIENCE)
        assert ticking == [None]
    finally:
        relay.signal(signal.SIGCONT)


def test_a_callback_that_waits_gets_an_error_of_its_own(relay: RelayProcess) -> None:
    producer = Producer(relay.path, on_error=lambda _: producer.flush())
    producer.send_many(frame(1, source=7))
    with pytest.raises(ClientError, match="a callback cannot wait"):
        producer.flush(PATIENCE)
    producer.close()


def test_flush_returns_when_callbacks_have_been_called(relay: RelayProcess) -> None:
    told: list[HandedBack] = []
    with Producer(relay.path, source=7, on_error=told.append) as producer:
        for number in range(1, 51):
            producer.send(trade(number))
            producer.flush(PATIENCE)
            assert len(told) == number


def test_with_asyncio_as_well(relay: RelayProcess) -> None:
    async def main() -> None:
        told: list[HandedBack] = []
        async with aio.Producer(relay.path, source=7, on_error=told.append) as producer:
            for number in range(1, 51):
                await producer.send(trade(number))
                await producer.flush(PATIENCE)
                assert len(told) == number

    asyncio.run(main())


def test_close_tells_all_there_is_and_every_message_comes_back(relay: RelayProcess) -> None:
    producer = Producer(relay.path, source=7)
    producer.send(trade(1))
    eventually(lambda: producer.unacked == 0, "it is refused")
    relay.signal(signal.SIGSTOP)
    try:
        with pytest.raises(RejectedError):
            producer.send(trade(2))
        producer.send(trade(2))
        relay.signal(signal.SIGCONT)
        eventually(lambda: producer.unacked == 0, "it is refused too")
        relay.signal(signal.SIGSTOP)
        producer._core.put(trade(3), 0.0, 1, 0)  # send() would tell what was refused
        with pytest.raises(SeveralErrors) as caught:
            producer.close(0.0)
        error = caught.value
    finally:
        relay.signal(signal.SIGCONT)
    assert [type(one) for one in error.exceptions] == [RejectedError, UnknownOutcome]
    assert [one.price for one in error.messages if isinstance(one, Trade)] == [2, 3]
    assert "refused" in str(error)
    assert "not acknowledged" in str(error)


@pytest.mark.parametrize("max_age", [0, -1.0, float("nan"), True, "1"])
def test_a_max_age_that_is_none_is_refused(tmp_path: Path, max_age: Any) -> None:
    with pytest.raises(FieldError, match=r"max_age.*seconds above 0"):
        Producer(tmp_path / "any.sock", max_age=max_age)
    with pytest.raises(FieldError, match=r"max_age.*seconds above 0"):
        aio.Producer(tmp_path / "any.sock", max_age=max_age)


def test_without_a_limit_of_age_nothing_is_taken_back(tmp_path: Path) -> None:
    relay = RelayProcess("execution", tmp_path).start()
    try:
        with Producer(relay.path, max_age=float("inf")) as producer:
            assert producer._core.max_age == float("inf")
            assert producer._core.deadline() in (None, float("inf"))
    finally:
        relay.clean()
