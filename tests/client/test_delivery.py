"""Runs as what a program iterates: whichever way, each frame once, in order, with its position."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.control import Gap
from protocol.errors import ChecksumError, ProtocolError
from protocol.market_data import Trade
from protocol.message import Unknown
from relays.client import delivery
from relays.client.consuming import Item, Run
from relays.client.delivery import Delivery, Form, Received
from relays.client.errors import BadFrame, GapError
from tests.client.feed import trades
from tests.client.wire import lost

FORMS = [delivery.messages, delivery.received, delivery.views, delivery.frames, delivery.batches]


def run(first: int, frames: list[bytes], position: int | None = 0) -> Run:
    place = None if position is None else position + first - 1
    return Run(place, len(frames), b"".join(frames), False, False, 5)


def prices(item: Any) -> list[int]:
    """The numbers of the Trades in one item, whatever its form."""
    match item:
        case Received():
            return prices(item.message)
        case Trade():
            return [item.price]
        case memoryview():
            return [Trade.decode(item).price]
        case Unknown() | BadFrame() | Gap():
            return []
    listed: list[int] = item[Trade].rows["price"].tolist()
    return listed


def pulled(made: Delivery, items: Iterator[Item], form: Form) -> Iterator[Any]:
    """What a Consumer's iteration does."""
    while True:
        ready = made.pour(form, True)
        if ready is None:
            item = next(items, None)
            if item is None:
                return
            made.put(item)
        else:
            yield from ready


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    steps=st.lists(st.tuples(st.sampled_from(FORMS), st.integers(1, 12)), max_size=20),
)
def test_an_iteration_can_be_left_anywhere_and_another_goes_on_there(
    sizes: list[int], steps: list[tuple[Form, int]]
) -> None:
    starts = [1 + sum(sizes[:n]) for n in range(len(sizes))]
    items: Iterator[Item] = iter(
        [run(first, trades(first, size)) for first, size in zip(starts, sizes, strict=True)]
    )
    made, got = Delivery(), list[int]()
    for form, count in [*steps, (delivery.messages, 1000)]:
        for taken, item in enumerate(pulled(made, items, form), 1):
            got += prices(item)
            assert made.position == len(got), "the position is that of the next frame"
            if isinstance(item, Received):
                assert item.position == len(got) - 1
            if taken == count:
                break
    assert got == list(range(1, sum(sizes) + 1))


def damaged(number: int) -> bytes:
    frame = bytearray(trades(number, 1)[0])
    frame[40] ^= 1
    return bytes(frame)


@pytest.mark.parametrize("form", FORMS)
def test_a_frame_that_cannot_be_read_is_raised_once_and_the_rest_comes(form: Form) -> None:
    frames = [*trades(1, 3), damaged(4), damaged(5), *trades(6, 2)]
    items: Iterator[Item] = iter([run(1, frames), run(8, trades(8, 1))])
    made, got, bad = Delivery(), list[int](), list[BadFrame]()
    while True:
        try:
            for item in pulled(made, items, form):
                got += prices(item)
            break
        except BadFrame as error:
            bad.append(error)
    assert got == [1, 2, 3, 6, 7, 8]
    assert [one.position for one in bad] == [3, 4]
    assert [one.frame for one in bad] == frames[3:5]
    assert all(isinstance(one.error, ChecksumError) for one in bad)
    assert "position 3: checksum of the trade" in str(bad[0])


@pytest.mark.parametrize("form", FORMS)
def test_it_can_be_an_item_or_go_to_a_function(form: Form) -> None:
    frames = [damaged(1), *trades(2, 1), damaged(3)]
    items = list(pulled(Delivery(on_bad="item"), iter([run(1, frames)]), form))
    found = [one.message if isinstance(one, Received) else one for one in items]
    assert [isinstance(one, BadFrame) for one in found] == [True, False, True]
    told: list[ProtocolError] = []
    rest = list(pulled(Delivery(on_bad=told.append), iter([run(1, frames)]), form))
    assert (len(told), [price for one in rest for price in prices(one)]) == (2, [2])


def test_without_verifying_checksums_are_not_looked_at() -> None:
    made = Delivery()
    made.put(run(1, [damaged(1)]))
    for form in FORMS:
        ready = made.pour(form, False)
        assert ready is not None


@pytest.mark.parametrize("form", FORMS)
def test_a_gap_is_raised_an_item_or_given_to_a_function(form: Form) -> None:
    gap, told = lost(1, 4), list[Gap]()
    around: list[Item] = [run(1, trades(1, 1)), gap, run(6, trades(6, 1))]
    made, items = Delivery(), iter(around)
    with pytest.raises(GapError, match="4 messages are missing, positions 1 to 4: too slow") as got:
        list(pulled(made, items, form))
    assert got.value.gap == gap
    assert len(list(pulled(made, items, form))) == 1
    listed = list(pulled(Delivery(on_gap="item"), iter(around), form))
    assert [getattr(one, "message", one) == gap for one in listed] == [False, True, False]
    assert len(list(pulled(Delivery(on_gap=told.append), iter(around), form))) == 2
    assert told == [gap]


@pytest.mark.parametrize("form", FORMS)
def test_a_single_item_is_kept_until_it_was_taken(form: Form) -> None:
    gap, frames = lost(2, 5), [damaged(1), *trades(2, 1)]
    made = Delivery(on_gap="item", on_bad="item")
    for item, kind in ((run(1, frames), BadFrame), (gap, Gap)):
        made.put(item)
        for again in (delivery.messages, delivery.received, form):
            assert made.pour(again, True) is not None, "poured, and nothing taken of it"
        taken: Any = next(iter(made.pour(form, True) or ()))
        assert isinstance(getattr(taken, "message", taken), kind)
        rest = [price for one in pulled(made, iter(()), form) for price in prices(one)]
        assert rest == ([2] if kind is BadFrame else [])
    assert made.position == 6, "behind the gap"


@pytest.mark.parametrize("form", FORMS)
def test_what_was_last_given_says_whether_it_is_replayed(form: Form) -> None:
    runs: list[Item] = [
        run(1, trades(1, 2))._replace(replayed=True),
        lost(2, 3),
        run(5, trades(5, 1)),
    ]
    made, marks = Delivery(on_gap="item"), []
    assert not made.replayed
    for item in pulled(made, iter(runs), form):
        marks += [(price, made.replayed) for price in prices(item) or [0]]
    assert marks == [(1, True), (2, True), (0, False), (5, False)]


def test_what_is_unknown_comes_as_such_and_frames_without_positions_have_none() -> None:
    frames = [Unknown(19, 7, b"new").frame(sequence=1), *trades(2, 1)]
    made = Delivery()
    got = list(pulled(made, iter([run(1, frames, None)]), delivery.received))
    assert got[0].message == Unknown(19, 7, b"new")
    assert [one.position for one in got] == [None, None]
    assert [one.header.sequence for one in got] == [1, 2]
    assert made.position is None
