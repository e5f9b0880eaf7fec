"""What the loop waits for of the journal: no wake-up is lost, nothing waits without bound."""

from __future__ import annotations

from typing import Any

import pytest

from protocol._core.journal import BATCH, INTERVAL, Writer, journal_from, journal_set
from protocol._core.state import State
from protocol.control import Welcome
from protocol.message import decode
from relays.core.journal.durability import Journaling
from tests.daemon.fake_edge import World
from tests.harness import frame, hello, split


class LateWriter:
    """A writer that gets on between the loop's look and its asking to be woken."""

    def __init__(self) -> None:
        self.made, self.wanted = 1, 0

    def want(self, mode: int) -> None:
        assert mode == BATCH
        self.wanted += 1

    def reached(self, mode: int) -> int:
        return self.wanted

    def may_read(self, size: int) -> bool:
        return self.wanted > 0

    def may_hear(self, size: int, unsafe: int) -> bool:
        return self.wanted > 0


def journaling(writer: LateWriter) -> Journaling:
    played: Any = writer
    return Journaling(played, "batch")


def test_space_that_came_just_before_the_loop_asked_for_it_is_seen() -> None:
    for produces in (True, False):
        assert journaling(LateWriter()).may_read(100, 1 << 20, produces)


def test_what_became_safe_just_before_the_loop_asked_for_it_is_seen() -> None:
    found: list[int] = []
    waiting = journaling(LateWriter())
    waiting.when_safe(lambda: found.append(1))
    assert found == [1]
    assert waiting.settled


def test_the_loop_asks_to_be_woken_only_where_it_must_wait() -> None:
    writer = LateWriter()
    writer.wanted = 1
    assert journaling(writer).may_read(100, 1 << 20, True)
    assert writer.wanted == 1


class StuckWriter:
    """A writer that has one more commit than is safe, and gets no further."""

    made, safe, oldest = 1, 1, 0

    def committed(self, mode: int) -> None: ...

    def want(self, mode: int) -> None: ...

    def reached(self, mode: int) -> int:
        return self.safe

    def may_read(self, size: int) -> bool:
        return True

    def may_hear(self, size: int, unsafe: int) -> bool:
        return True


def test_one_ack_of_a_producer_waits_however_often_it_repeats_itself() -> None:
    world, writer = World(log_bytes=1 << 20), StuckWriter()
    played: Any = writer
    journal = world.relay.hub.journal = Journaling(played, "batch")
    _, sock = world.connect()
    world.send(sock, hello(role=2, producer_id=7), frame(1))
    writer.made = 2
    for _ in range(50):
        world.send(sock, frame(1))
    assert len(journal._waiting) == 1
    writer.safe = 2
    journal.progressed()
    assert journal.settled
    world.accounted()


def test_who_takes_over_is_told_a_sequence_only_when_it_is_safe_also_after_it_has_waited() -> None:
    world, writer = World(log_bytes=1 << 20), StuckWriter()
    played: Any = writer
    writer.safe = 0

    def committed(mode: int) -> None:
        writer.made = 2

    journal = world.relay.hub.journal = Journaling(played, "batch")
    (_, first), (_, second) = world.connect(), world.connect()
    world.send(first, hello(role=2, producer_id=7), frame(1))
    world.send(second, hello(role=2, producer_id=7))
    # Both have waited for that; what came behind the first one's Hello is another commit.
    writer.safe = 1
    played.committed = committed
    journal.progressed()
    world.relay.work()
    world.read(second)
    assert second.got == b"", "sequence 1 is told, and is not on the disk"
    writer.safe = 2
    journal.progressed()
    world.relay.work()
    world.read(second)
    (welcome,) = split(bytes(second.got))
    told = decode(welcome)
    assert isinstance(told, Welcome)
    assert told.last_sequence == 1
    world.accounted()


@pytest.mark.parametrize("mode", [BATCH, INTERVAL])
def test_what_consumers_had_is_not_taken_back_where_the_journal_lost_it(mode: int) -> None:
    world = World(log_bytes=1 << 20)
    state = world.relay.hub.state
    journal_set(state, on=1)
    _, sock = world.connect()
    for number in range(1, 6):
        world.send(sock, frame(number))
    journal_from(state, 5, 5 * 64)
    Writer(State(state.memory, state.ring), -1, -1).show(mode)
    world.send(sock, frame(6))
    successor = Writer(state, -1, -1)
    assert journal_from(state, 2, 2 * 64) == 2
    successor.show(mode)
    assert (state.shown_position, state.shown_offset) == (5, 5 * 64)
    world.accounted()
