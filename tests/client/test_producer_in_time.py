"""What is not acknowledged within `max_age` comes back from a Producer and goes out no more."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from relays.client.outcomes import UnknownOutcome
from relays.client.producer import Producer
from relays.client.producer_base import ProducerBase
from tests.client.test_producer import PATIENCE, logged, order
from tests.harness import RelayProcess, eventually


@pytest.fixture
def execution(tmp_path: Path) -> Iterator[RelayProcess]:
    process = RelayProcess("execution", tmp_path)
    yield process.start()
    process.clean()


def hold(producer: ProducerBase, max_age: float) -> None:
    """From now on it holds on to messages for so long: to those that are to arrive for ever, for a
    busy machine may take longer than any time that a test waits for."""
    producer._core.max_age = max_age


def test_orders_that_the_relay_did_not_take_in_time_are_unknown_and_do_not_go_out(
    execution: RelayProcess,
) -> None:
    back: list[UnknownOutcome] = []
    with Producer(
        execution.path, max_age=0.2, backoff=(0.005, 0.05), on_unknown=back.append
    ) as producer:
        hold(producer, math.inf)
        producer.send(order(1))
        producer.flush(PATIENCE)
        execution.kill()
        hold(producer, 0.2)
        for n in (2, 3, 4):
            producer.send(order(n))
        producer.flush(PATIENCE)
        assert producer.unacked == 0
        execution.start()
        hold(producer, math.inf)
        assert producer.send(order(5)) in (2, 5)
        producer.flush(PATIENCE)
        assert (producer.last_sequence, producer.acked) == (2, 2)
    assert [message for one in back for message in one.messages] == [order(n) for n in (2, 3, 4)]
    assert logged(execution) == [(1, 1), (2, 5)]


def test_an_unknown_outcome_is_raised_by_the_next_call_which_sends_nothing(
    execution: RelayProcess,
) -> None:
    with Producer(execution.path, max_age=0.1, backoff=(0.005, 0.05)) as producer:
        execution.kill()
        producer.send(order(1))
        eventually(lambda: producer.unacked == 0, "it comes back")
        with pytest.raises(UnknownOutcome, match=r"1 message not acknowledged in 0.1 s") as caught:
            producer.send(order(2))
        assert caught.value.messages == [order(1)]
        assert producer.unacked == 0
        execution.start()
        hold(producer, math.inf)
        producer.send(order(3))
    assert logged(execution) == [(producer.last_sequence, 3)]


def test_a_stopped_relay_makes_orders_unknown_and_takes_those_it_had(
    execution: RelayProcess,
) -> None:
    back: list[UnknownOutcome] = []
    with Producer(execution.path, max_age=0.2, on_unknown=back.append) as producer:
        execution.signal(signal.SIGSTOP)
        try:
            producer.send(order(1))
            producer.flush(PATIENCE)
        finally:
            execution.signal(signal.SIGCONT)
        assert [message for one in back for message in one.messages] == [order(1)]
        hold(producer, math.inf)
        producer.send(order(2))
        producer.flush(PATIENCE)
    assert [price for _, price in logged(execution)] == [1, 2]


def test_what_a_callback_raises_the_next_call_does(execution: RelayProcess) -> None:
    def fail(_: object) -> None:
        raise KeyError("in the callback")

    with Producer(execution.path, max_age=0.1, on_unknown=fail, backoff=(0.005, 0.05)) as producer:
        execution.kill()
        producer.send(order(1))
        with pytest.raises(KeyError, match="in the callback"):
            eventually(lambda: producer.flush(PATIENCE), "it is told")
        execution.start()
