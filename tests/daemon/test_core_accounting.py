"""Unaccounted is 0, and becomes something else when a count is skipped on purpose (relays.md 5)."""

from __future__ import annotations

import pytest

from protocol._core.connection import abandon
from protocol._core.ring import PAGE
from protocol._core.scan import Tally, Track
from relays.core.accounting import books
from tests.daemon.fake_edge import World
from tests.harness import frame, hello

LAST = 3


@pytest.mark.parametrize("skipped", [1, 3])
@pytest.mark.parametrize("filtered", [False, True])
def test_unaccounted_becomes_non_zero_when_a_count_is_skipped_on_purpose(
    skipped: int, filtered: bool
) -> None:
    place = World()
    _, producer = place.connect()
    _, consumer = place.connect()
    wanted = (1 << 1).to_bytes(32, "little") if filtered else bytes(32)
    place.send(consumer, hello(1, type_filter=wanted))
    place.send(producer, frame(1), frame(2, 7))
    place.accounted()
    place.state.skip_count = skipped
    for number in range(5):
        place.send(producer, frame(3 + number))
    assert place.state.skip_count == 0
    assert books(place.state).unaccounted_messages == skipped


def test_what_was_unaccounted_stays_so_when_the_consumer_has_departed() -> None:
    place = World()
    _, producer = place.connect()
    _, consumer = place.connect()
    place.send(consumer, hello(1))
    place.state.skip_count = 1
    place.send(producer, frame(1), frame(2))
    consumer.gone = True
    place.end(consumer)
    place.send(producer, frame(3))
    assert consumer.closed
    assert books(place.state).unaccounted_messages == 1


def test_a_dead_predecessors_connections_are_accounted_for_when_they_are_abandoned() -> None:
    place = World()
    _, producer = place.connect()
    _, stopped = place.connect()
    place.send(stopped, hello(1))
    stopped.room = 70
    place.send(producer, frame(1), frame(2), frame(3)[:40])
    assert abandon(place.state) == 2
    found = books(place.state)
    place.accounted()
    assert (found.delivered, found.dropped["left"]) == (1, 1)
    assert place.state.read_connections() == []


def test_bytes_are_unaccounted_when_they_were_read_and_nothing_is_known_of_them() -> None:
    place = World()
    peer, producer = place.connect()
    place.send(producer, frame(1))
    state, now = place.state, place.clock.now()
    state.commit(Tally(), Track(), peer.record.slot, -1, state.end_offset, 5, 0, 0, now)
    assert books(place.state).unaccounted_bytes == 5


def test_what_one_is_sent_is_counted_also_when_another_was_counted_from_further_on_before() -> None:
    place = World(log_bytes=32 * PAGE)
    (_, producer), (_, slow), (_, late) = (place.connect() for _ in range(3))
    place.send(slow, hello(1))
    place.send(producer, frame(1))
    slow.room = 0
    place.send(producer, frame(2))
    place.send(producer, *(frame(number) for number in range(3, 603)))
    place.send(late, hello(1, start=LAST, start_position=400))
    place.accounted()
    slow.room = 1 << 30
    place.write(slow)
    assert len(slow.got) >= 602 * len(frame(1)), "all in one send"
    place.accounted()
