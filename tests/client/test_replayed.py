"""What is history, what is skipped and what is confirmed, in every way of reading."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.execution import OrderRequest
from protocol.market_data import Side
from protocol.orders import OrderType, TimeInForce
from relays.client import aio
from relays.client.consumer import Consumer
from relays.client.many import Up
from relays.client.multi import MultiConsumer
from tests.client.feed import BTC, publish
from tests.harness import RelayProcess, eventually

WAYS: list[Callable[[Any], Any]] = [
    iter, Consumer.messages, Consumer.views, Consumer.frames, Consumer.batches,
]  # fmt: skip


def orders(first: int, count: int) -> list[bytes]:
    return [
        OrderRequest(
            BTC, Side.BUY, OrderType.LIMIT, TimeInForce.DAY, owner_id=1, account_id=1,
            client_order_id=n, price=1, quantity=1,
        ).frame(sequence=n, source=40)
        for n in range(first, first + count)
    ]  # fmt: skip


@pytest.fixture
def execution(tmp_path: Path) -> Iterator[RelayProcess]:
    process = RelayProcess("execution", tmp_path)
    yield process.start()
    process.clean()


def test_every_way_of_reading_says_what_is_replayed(execution: RelayProcess) -> None:
    publish(execution.path, orders(1, 3), 3)
    for way in WAYS:
        with Consumer(execution.path, start=0, replayed="deliver") as consumer:
            assert not consumer.replayed
            publish(execution.path, orders(1, 3), 3)  # known already: only to be sure it is read
            next(way(consumer))
            assert consumer.replayed


def test_a_mark_ends_where_the_log_did_when_it_connected(execution: RelayProcess) -> None:
    publish(execution.path, orders(1, 2), 2)
    with (
        Consumer(execution.path, start=0, replayed="deliver") as consumer,
        MultiConsumer(
            {"it": {"target": execution.path, "start": 0, "replayed": "deliver"}}
        ) as all_,
    ):
        assert isinstance(next(iter(all_))[1], Up)
        publish(execution.path, orders(3, 1), 3)
        assert [consumer.replayed for _ in zip(range(3), consumer, strict=False)] == [1, 1, 0]
        items = (item for item in all_ if isinstance(item[1], OrderRequest))
        assert [all_.replayed for _ in zip(range(3), items, strict=False)] == [1, 1, 0]


def test_skipped_is_what_was_there_before_and_nothing_that_came_while_disconnected(
    execution: RelayProcess,
) -> None:
    publish(execution.path, orders(1, 2), 2)
    with Consumer(execution.path, start=0, replayed="skip") as consumer:
        publish(execution.path, orders(3, 1), 3)
        got = [(one.client_order_id, consumer.replayed) for one in first(consumer, 1)]
        execution.kill()
        execution.start()
        publish(execution.path, orders(4, 2), 5)  # it is connected again when it next reads
        got += [(one.client_order_id, consumer.replayed) for one in first(consumer, 2)]
        publish(execution.path, orders(6, 1), 6)
        got += [(one.client_order_id, consumer.replayed) for one in first(consumer, 1)]
    assert got == [(3, False), (4, True), (5, True), (6, False)]


def first(consumer: Consumer, count: int) -> Iterator[OrderRequest]:
    for _, message in zip(range(count), consumer, strict=False):
        assert isinstance(message, OrderRequest)
        yield message


def test_with_asyncio_what_came_while_disconnected_is_marked_too(execution: RelayProcess) -> None:
    async def main() -> list[tuple[int, bool]]:
        got = []
        async with aio.Consumer(execution.path, replayed="skip") as consumer:
            execution.kill()
            execution.start()
            await asyncio.to_thread(publish, execution.path, orders(1, 1), 1)
            async for message in consumer:
                assert isinstance(message, OrderRequest)
                got.append((message.client_order_id, consumer.replayed))
                if len(got) == 2:
                    return got
                await asyncio.to_thread(publish, execution.path, orders(2, 1), 2)
        return got

    assert asyncio.run(main()) == [(1, True), (2, False)]


@pytest.mark.parametrize("filter", [{}, {"types": [OrderRequest]}])
def test_what_was_read_and_not_given_is_not_confirmed(
    execution: RelayProcess, filter: dict[str, Any]
) -> None:
    def confirmed() -> int:
        return next(int(row["confirmed"]) for row in execution.consumers() if row["name"] == "me")

    options: dict[str, Any] = {"name": "me", "heartbeat_ms": 60_000, **filter}
    with Consumer(execution.path, start=0, replayed="deliver", **options) as consumer:
        publish(execution.path, orders(1, 20), 20)
        assert len(list(first(consumer, 5))) == 5
        consumer.confirm()
        if filter:  # no position was told since Welcome
            assert consumer.position == 0
        else:
            assert consumer.position == 5
            eventually(lambda: confirmed() == 5, "the position of what was given")
        assert len(list(first(consumer, 15))) == 15
        consumer.confirm()
        eventually(lambda: confirmed() == (0 if filter else 20), "and of the rest")
