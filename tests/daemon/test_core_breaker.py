"""The circuit breaker's state table, driven directly: lags and times in, states out (relays.md 5).

No hub, no sockets, no clock: `relays.core.breaker` alone. What a trip does to a consumer is tested
in tests/adversity/test_breaker.py.
"""

from __future__ import annotations

import pytest

from relays.core.breaker import CLOSED, HALF_OPEN, OPEN, REPLAYING, SECOND, Breaker, Limits

LIMITS = Limits(messages=100, size=8000, recovery=SECOND)
EVERY = (CLOSED, OPEN, HALF_OPEN, REPLAYING)


def closed() -> Breaker:
    breaker = Breaker()
    assert breaker.settle(0, 0, LIMITS, 0)
    return breaker


def half_open() -> Breaker:
    breaker = closed()
    assert breaker.trip(LIMITS)
    breaker.half_open()
    return breaker


def test_a_consumer_is_replaying_until_its_lag_is_under_half_the_threshold() -> None:
    breaker = Breaker()
    assert breaker.state == REPLAYING
    assert not breaker.settle(50, 0, LIMITS, 0)
    assert breaker.state == REPLAYING
    assert breaker.settle(49, 0, LIMITS, 0)
    assert breaker.state == CLOSED


def test_a_replaying_consumer_is_not_cut_for_its_lag() -> None:
    assert not Breaker().over(10**9, 10**9, LIMITS)


@pytest.mark.parametrize(
    ("lag", "size", "over"),
    [(99, 7999, False), (100, 0, True), (101, 0, True), (0, 8000, True), (1, 8001, True)],
)
def test_it_is_over_at_the_threshold_of_messages_or_of_bytes(
    lag: int, size: int, over: bool
) -> None:
    assert closed().over(lag, size, LIMITS) == over
    assert half_open().over(lag, size, LIMITS) == over


def test_an_open_breaker_does_not_trip_again() -> None:
    breaker = closed()
    breaker.trip(LIMITS)
    assert not breaker.over(10**9, 10**9, LIMITS)


def test_a_breaker_that_opens_again_has_not_recovered() -> None:
    breaker = closed()
    breaker.trip(LIMITS)
    breaker.recovered = True
    breaker.half_open()
    breaker.trip(LIMITS)
    assert not breaker.recovered


def test_half_open_closes_after_a_second_under_half_the_threshold() -> None:
    breaker = half_open()
    assert not breaker.settle(0, 0, LIMITS, SECOND)
    assert not breaker.settle(49, 0, LIMITS, 2 * SECOND - 1)
    assert breaker.state == HALF_OPEN
    assert breaker.settle(49, 0, LIMITS, 2 * SECOND)
    assert breaker.state == CLOSED


def test_a_lag_of_half_the_threshold_begins_the_calm_second_anew() -> None:
    breaker = half_open()
    breaker.settle(0, 0, LIMITS, SECOND)
    breaker.settle(50, 0, LIMITS, SECOND + SECOND // 2)
    assert not breaker.settle(0, 0, LIMITS, 2 * SECOND)
    assert not breaker.settle(0, 0, LIMITS, 3 * SECOND - 1)
    assert breaker.settle(0, 0, LIMITS, 3 * SECOND)


def test_each_reopening_doubles_the_timeout_and_the_fifth_in_a_row_disconnects() -> None:
    breaker = closed()
    waits = []
    for time in range(1, 6):
        stays = breaker.trip(LIMITS)
        assert stays == (time < 5)
        waits.append(breaker.wait)
        breaker.half_open()
    assert waits == [SECOND, 2 * SECOND, 4 * SECOND, 8 * SECOND, 16 * SECOND]


def test_the_timeout_is_never_doubled_past_thirty_seconds() -> None:
    limits = Limits(100, 8000, 20 * SECOND)
    breaker = closed()
    breaker.trip(limits)
    assert breaker.wait == 20 * SECOND
    breaker.half_open()
    breaker.trip(limits)
    assert breaker.wait == 30 * SECOND


def test_a_recovery_timeout_over_thirty_seconds_is_kept_as_it_was_set() -> None:
    breaker = closed()
    breaker.trip(Limits(100, 8000, 60 * SECOND))
    assert breaker.wait == 60 * SECOND


def test_a_breaker_that_closed_begins_again_with_the_single_timeout() -> None:
    breaker = half_open()
    assert breaker.trip(LIMITS)
    assert breaker.wait == 2 * SECOND
    breaker.half_open()
    breaker.settle(0, 0, LIMITS, 0)
    assert breaker.settle(0, 0, LIMITS, SECOND)
    assert breaker.trip(LIMITS)
    assert breaker.wait == SECOND
    assert breaker.in_a_row == 1


def test_new_limits_count_from_the_next_look() -> None:
    breaker = closed()
    assert not breaker.over(60, 0, LIMITS)
    assert breaker.over(60, 0, Limits(50, 8000, SECOND))


@pytest.mark.parametrize("state", EVERY)
def test_a_step_the_state_table_does_not_have_is_a_mistake_of_the_caller(state: int) -> None:
    wrong = {CLOSED: HALF_OPEN, OPEN: OPEN, HALF_OPEN: HALF_OPEN, REPLAYING: HALF_OPEN}
    breaker = Breaker()
    breaker.state = state
    with pytest.raises(AssertionError, match="->"):
        breaker.trip(LIMITS) if wrong[state] == OPEN else breaker.half_open()
