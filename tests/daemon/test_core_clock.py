"""Somebody sets the clock: what is due comes after as long as before (relays.edge.clock).

The real core over played sockets; the relay looks at the clock as it does each second. That the
step is seen is `Clock.follow`'s.
"""

from __future__ import annotations

import logging
import time

import pytest

from protocol.reject import Reject
from relays.core.breaker import CLOSED, HALF_OPEN, OPEN
from relays.core.peer import Peer
from relays.edge.clock import Clock
from relays.edge.logs import Log
from tests.daemon.fake_edge import MILLISECOND, FakeSocket, World
from tests.harness import frame, hello

HOUR = 3600 * 1000
STEPS = pytest.mark.parametrize("step", [-HOUR, HOUR], ids=["back", "forward"])


def set_clock(place: World, step: int) -> None:
    """The clock is set by `step` milliseconds, and the relay notices."""
    place.clock.set(step * MILLISECOND)
    place.relay._tick()


def tripped() -> tuple[World, Peer, FakeSocket]:
    """A session whose breaker has just opened."""
    place = World(circuit_breaker=20, max_queue_size=30, on_lag="gap")
    _, producer = place.connect()
    peer, sock = place.connect()
    place.send(sock, hello(1))
    sock.room = 0
    place.send(producer, *(frame(n) for n in range(1, 31)))
    assert peer.breaker.state == OPEN
    return place, peer, sock


@STEPS
def test_an_open_breaker_recovers_on_time_when_the_clock_was_set(step: int) -> None:
    place, peer, sock = tripped()
    place.pass_time(500)
    set_clock(place, step)
    place.pass_time(490)
    place.read(sock)
    assert peer.breaker.state == OPEN
    place.pass_time(11)
    place.read(sock)
    assert peer.breaker.state == HALF_OPEN


def test_an_open_breaker_whose_time_is_over_is_tried_although_the_clock_drifts_back() -> None:
    place, peer, sock = tripped()
    place.pass_time(1000)
    place.clock.time -= 10 * MILLISECOND  # less than what counts as set
    place.read(sock)
    assert peer.breaker.state == HALF_OPEN


def test_a_look_at_the_clock_that_was_held_up_does_not_move_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, wall = Clock(), time.time_ns

    def held_up() -> int:
        now = wall()
        time.sleep(0.06)
        return now

    before = clock.now() - time.monotonic_ns()
    monkeypatch.setattr(time, "time_ns", held_up)
    assert clock.follow() == 0
    assert abs(clock.now() - time.monotonic_ns() - before) < 10 * MILLISECOND


@STEPS
def test_the_calm_second_of_a_half_open_breaker_is_one_when_the_clock_was_set(step: int) -> None:
    place, peer, sock = tripped()
    place.pass_time(1001)
    place.read(sock)
    for _ in range(5):
        place.pass_time(100)
    set_clock(place, step)
    for _ in range(3):
        place.pass_time(100)
    assert peer.breaker.state == HALF_OPEN
    for _ in range(4):
        place.pass_time(100)
    assert peer.breaker.state == CLOSED


@STEPS
def test_a_frame_has_frame_timeout_to_be_completed_when_the_clock_was_set(step: int) -> None:
    place = World()
    peer, sock = place.connect()
    place.send(sock, frame(1), frame(2)[:40])
    place.pass_time(1000)
    set_clock(place, step)
    place.pass_time(3990)
    place.pass_time(0)
    assert not sock.closed
    place.pass_time(11)
    place.pass_time(0)  # the deadline looks again, for the time it knew is another one now
    place.pass_time(0)  # and once more, for what may have come meanwhile
    assert sock.closed
    assert peer.reason == Reject.TRUNCATED


@STEPS
def test_the_next_frame_has_frame_timeout_too_when_the_clock_was_set(step: int) -> None:
    place = World()
    peer, sock = place.connect()
    place.send(sock, frame(1)[:40])
    place.pass_time(1000)
    place.send(sock, frame(1)[40:], frame(2)[:40])
    place.pass_time(1000)
    set_clock(place, step)
    for _ in range(39):
        place.pass_time(100)
    assert not sock.closed
    place.pass_time(101)
    place.pass_time(0)
    place.pass_time(0)
    assert sock.closed
    assert peer.reason == Reject.TRUNCATED


def test_what_came_while_the_relay_was_held_up_is_read_before_a_frame_is_late() -> None:
    place = World()
    _, sock = place.connect()
    late = frame(1)
    place.send(sock, late[:40])
    sock.coming += late[40:]
    place.pass_time(6000)
    place.send(sock)
    place.pass_time(0)
    assert not sock.closed
    assert place.relay.hub.log.end == 1


@STEPS
def test_a_producer_cools_down_for_as_long_when_the_clock_was_set(step: int) -> None:
    place = World(producer_breaker=3)
    peer, sock = place.connect()
    place.send(sock, *(frame(n, 60) for n in range(1, 5)))
    assert peer.reason == Reject.COOLDOWN
    hub, now = place.relay.hub, place.clock.now
    place.pass_time(1000)
    set_clock(place, step)
    place.pass_time(3990)
    assert hub.refusals.cooling(peer, now())
    place.pass_time(11)
    assert not hub.refusals.cooling(peer, now())
    assert not hub.refusals._cooldown


@STEPS
def test_rejects_count_for_producer_window_when_the_clock_was_set(step: int) -> None:
    place = World(producer_breaker=3)
    peer, sock = place.connect()
    place.send(sock, frame(1), frame(2, 60), frame(3, 60))
    place.pass_time(1000)
    set_clock(place, step)
    place.pass_time(9001)
    place.send(sock, frame(4, 60))
    assert not peer.closed
    place.pass_time(8000)
    set_clock(place, step)
    place.send(sock, frame(5, 60), frame(6, 60))
    assert peer.reason == Reject.COOLDOWN


@STEPS
def test_a_timer_set_before_the_clock_was_does_not_hold_up_the_next(step: int) -> None:
    place = World()
    _, sock = place.connect()
    place.send(sock, hello(1, heartbeat_ms=60_000))
    place.clock.time += 101 * MILLISECOND
    place.relay._on_timer()
    assert place.loop.timers[-1].delay > 56
    set_clock(place, step)
    place.connect()
    assert place.loop.timers[-1].delay <= 0.1


@STEPS
def test_log_lines_are_not_held_back_for_an_hour_when_the_clock_was_set(
    step: int, caplog: pytest.LogCaptureFixture
) -> None:
    log = Log("market_data", logging.getLogger("clock"))
    with caplog.at_level(logging.INFO, "clock"):
        log.episode("rejected", 2 * HOUR * MILLISECOND)
        log.episode("rejected", 2 * HOUR * MILLISECOND)
        now = (2 * HOUR + step) * MILLISECOND
        log.settle(now + 1000 * MILLISECOND)
        assert len(caplog.records) == 2
        log.settle(now + 2000 * MILLISECOND)
        log.episode("rejected", now + 2000 * MILLISECOND)
        assert len(caplog.records) == 3
