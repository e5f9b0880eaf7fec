"""What `relays top` shows, without its screen: rates, percentiles, sparklines, order."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol._core.state import BUCKET_BOUNDS_NS
from relays.cli.looking.top_model import (
    BARS,
    NOTHING,
    History,
    Order,
    Reading,
    View,
    compare,
    percentile,
    reading,
    short,
    span,
    sparkline,
)
from relays.core.breaker import OPEN
from relays.edge.memory import files, open_state
from tests.daemon.handmade import SECOND, HandMade, traffic

BUCKETS = 24


@pytest.fixture
def made(tmp_path: Path) -> Iterator[HandMade]:
    state = HandMade(tmp_path)
    yield state
    state.remove()


def read(made: HandMade, at: float) -> Reading:
    """A reading from outside, at second `at`."""
    place = str(made.folder)
    state = open_state(made.domain, place)
    return reading(made.domain, state, files(made.domain, place).state, at)


def other(first: Reading, **status: Any) -> Reading:
    """The same reading two seconds later, with these words of its status."""
    assert first.status is not None
    changed = copy.deepcopy(dict(first.status)) | status
    return Reading(first.domain, first.at + 2, changed, first.ingress, first.forward)


# --- two readings ---


def test_two_readings_give_rates_of_everything(made: HandMade) -> None:
    consumer = traffic(made)
    before = read(made, 100.0)
    made.publish(0, 40)
    made.deliver(consumer)
    view = compare(before, read(made, 104.0))
    assert view.rates == {
        "received": 10.0, "received_bytes": 640.0, "rejected": 0.0,
        "delivered": 12.5, "delivered_bytes": 800.0, "dropped": 0.0,
    }  # fmt: skip
    (fed,) = view.consumers
    assert (fed["name"], fed["domain"], fed["rate"], fed["worse"]) == (
        "strategy", "market_data", 12.5, 0.0,
    )  # fmt: skip
    (producer,) = view.producers
    assert (producer["rate"], producer["worse"]) == (10.0, 0.0)


def test_the_first_reading_has_numbers_but_no_rates(made: HandMade) -> None:
    traffic(made)
    view = compare(None, read(made, 1.0))
    assert (view.rates, view.ingress, view.forward) == ({}, NOTHING, NOTHING)
    (fed,) = view.consumers
    assert (fed["lag"], fed["rate"], fed["worse"]) == (10, None, None)


def test_what_an_open_breaker_keeps_from_a_consumer_counts_as_being_behind(
    made: HandMade,
) -> None:
    consumer = traffic(made)
    before = read(made, 1.0)
    assert compare(None, before).consumers[0]["behind"] == 10
    consumer.set_breaker(OPEN)
    made.publish(0, 7)
    (fed,) = compare(before, read(made, 2.0)).consumers
    assert (fed["lag"], fed["behind"], fed["worse"]) == (0, 17, 17.0)


def test_another_log_has_no_rates_yet(made: HandMade) -> None:
    traffic(made)
    first = read(made, 1.0)
    assert first.status is not None
    later = other(first, log={**first.status["log"], "log_id": "another"})
    assert compare(first, later).rates == {}
    assert compare(first, later).consumers[0]["rate"] is None


def test_after_a_restart_the_connections_are_others_and_the_totals_go_on(made: HandMade) -> None:
    traffic(made)
    first = read(made, 1.0)
    assert first.status is not None
    later = other(first, started_ns=first.status["started_ns"] + SECOND)
    view = compare(first, later)
    assert view.rates["received"] == 0.0
    assert view.consumers[0]["rate"] is None


def test_a_counter_that_fell_is_no_negative_rate(made: HandMade) -> None:
    traffic(made)
    first = read(made, 1.0)
    assert first.status is not None
    later = other(first, totals={**first.status["totals"], "delivered": 0})
    assert compare(first, later).rates["delivered"] == 0.0


def test_two_readings_of_one_moment_have_no_rates(made: HandMade) -> None:
    first = read(made, 1.0)
    assert compare(first, first).rates == {}


def test_a_relay_that_never_ran_or_cannot_be_read_says_so() -> None:
    assert compare(None, Reading("signals", 1.0)) == View("signals", None)
    assert compare(None, Reading("signals", 1.0, problem="why")).problem == "why"


# --- latency ---


def test_percentiles_are_of_what_was_observed_in_between(made: HandMade) -> None:
    first = read(made, 1.0)
    assert len(first.ingress) == len(first.forward) == BUCKETS
    old, new = [0] * BUCKETS, [0] * BUCKETS
    old[3] = new[3] = 1_000_000  # long ago
    new[0], new[10] = 990, 10
    later = Reading(first.domain, 2.0, first.status, tuple(new), tuple(old))
    view = compare(Reading(first.domain, 1.0, first.status, tuple(old), tuple(old)), later)
    assert view.forward == NOTHING
    p50, p99, p999 = view.ingress
    assert p50 == pytest.approx(BUCKET_BOUNDS_NS[0] * 500 / 990 / SECOND)
    assert p99 == pytest.approx(BUCKET_BOUNDS_NS[0] / SECOND)
    assert p999 is not None
    assert BUCKET_BOUNDS_NS[9] < p999 * SECOND <= BUCKET_BOUNDS_NS[10]


def test_what_lies_beyond_the_last_bucket_is_at_its_bound() -> None:
    counts = [0] * BUCKETS
    counts[-1] = 5
    assert percentile(counts, 0.5) == BUCKET_BOUNDS_NS[-1] / SECOND == 60.0
    assert percentile([0] * BUCKETS, 0.5) is None


# --- sparklines, order, numbers ---


def test_a_sparkline_is_as_wide_as_asked_and_as_high_as_its_largest() -> None:
    assert sparkline([], 4) == "    "
    assert sparkline([0, 0], 4) == "  ▁▁"
    assert sparkline([1, 2, 3, 4], 2) == "▇█"
    assert sparkline([0.001, 1000], 2) == "▂█"
    for value in (1e-9, 1.0, 997.7617290956645, 1e18):
        assert sparkline([value] * 3, 3) == BARS[-1] * 3


def test_the_history_keeps_what_the_sparklines_show() -> None:
    history = History()
    for rate in (1.0, 2.0, 4.0):
        history.add(View("signals", None, rates={"received": rate}))
    assert history.bars("signals", "received", 5) == "  ▃▅█"
    assert history.bars("signals", "delivered", 3) == "▁▁▁"
    assert history.bars("execution", "received", 3) == "   "


ROWS: list[dict[str, Any]] = [
    {"domain": "b", "id": 1, "breaker": "closed", "rate": None, "behind": 5, "name": "x"},
    {"domain": "a", "id": 2, "breaker": "open", "rate": 3.0, "behind": 5, "name": "z"},
    {"domain": "a", "id": 1, "breaker": "replaying", "rate": 0.0, "behind": 9, "name": "y"},
]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order("behind"), "yzx"),
        (Order("behind", False), "zxy"),
        (Order("breaker"), "zyx"),
        (Order("rate"), "zyx"),
        (Order("name", False), "xyz"),
    ],
)
def test_rows_are_sorted_and_equal_ones_stand_still(order: Order, expected: str) -> None:
    assert "".join(row["name"] for row in order.sorted(ROWS)) == expected
    assert "".join(row["name"] for row in order.sorted(ROWS[::-1])) == expected


def test_numbers_fit_their_columns_whatever_they_are() -> None:
    for power in range(-9, 20):
        for digits in (1.0, 4.4444, 9.9499, 9.99999):
            assert len(short(digits * 10**power)) <= 5, digits * 10**power
            if power < 8:
                assert len(span(digits * 10**power)) <= 5, digits * 10**power
