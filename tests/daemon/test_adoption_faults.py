"""Moments around the end of a relay at which connections that go on came to harm, each by itself.

The simulator found them (tests/simulator, runs with a service manager). The real core over played
sockets; the rest of what a hand-over does is in test_adoption.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from protocol.control import Ack, Error, Gap, Heartbeat, Role, Welcome
from protocol.message import decode
from protocol.reject import Reject
from relays.core.adoption import is_whole
from relays.core.breaker import HALF_OPEN, OPEN, REPLAYING
from relays.core.handshake import Waiting
from relays.core.peer import Peer
from tests.daemon.fake_edge import FakeSocket, World
from tests.daemon.succession import after_a_crash, handed_over, store
from tests.harness import CONTROL, frame, hello, split

Succeed = Callable[[World], World]
BOTH = pytest.mark.parametrize("successor", [handed_over, after_a_crash])


class Killed(Exception):
    """The process died here."""


def frames(first: int, last: int) -> list[bytes]:
    return [frame(number, timestamp=5) for number in range(first, last + 1)]


def joins(world: World, role: int, **wanted: int) -> tuple[Peer, FakeSocket]:
    peer, sock = world.connect()
    world.send(sock, hello(role, **wanted))
    return peer, sock


def data(sock: FakeSocket) -> list[bytes]:
    return [one for one in split(bytes(sock.got)) if one[4] not in CONTROL]


def said(sock: FakeSocket, kind: type[Any]) -> list[Any]:
    found = [decode(one) for one in split(bytes(sock.got)) if one[4] in CONTROL]
    return [message for message in found if isinstance(message, kind)]


def dies_at(world: World, event: str) -> None:
    """The process dies when it would log this."""

    def killed(what: str, *_: Any, **fields: Any) -> None:
        if what == event:
            raise Killed

    world.episode = killed  # type: ignore[method-assign,assignment]


def whole(world: World, peer: Peer) -> bool:
    """Whether this connection would outlive a death here."""
    store(world)
    row = world.state.read_connection(peer.record.slot)
    return row is not None and is_whole(row, world.state.oldest_offset)


# --- whose breaker is open ---


def is_cut_off(world: World) -> tuple[Peer, FakeSocket, FakeSocket]:
    """A consumer whose breaker is open, and a producer that has sent frames 1 to 40."""
    peer, consumer = joins(world, Role.CONSUME)
    consumer.room = 100
    _, producer = world.connect()
    world.send(producer, *frames(1, 40))
    assert peer.breaker.state == OPEN
    return peer, consumer, producer


@BOTH
def test_the_log_may_have_run_past_a_consumer_whose_breaker_is_open(successor: Succeed) -> None:
    world = World(circuit_breaker=20, max_queue_size=30, on_lag="gap", recovery_timeout=1.0)
    peer, consumer, producer = is_cut_off(world)
    consumer.room = 28  # the frame that was begun is completed
    world.write(consumer)
    for first in range(41, 2000, 20):
        world.send(producer, *frames(first, first + 19))
    assert peer.record.offset < world.state.oldest_offset
    after = successor(world)
    consumer.room = 1 << 30
    after.pass_time(1001)
    after.write(consumer)
    (gap,) = said(consumer, Gap)
    assert gap.last_position + 1 == after.state.end_position
    after.accounted()


def test_the_rest_of_a_frame_is_written_before_an_open_breaker_recovers() -> None:
    world = World(circuit_breaker=20, max_queue_size=30, on_lag="gap", recovery_timeout=1.0)
    peer, consumer, _ = is_cut_off(world)
    assert peer.outlet.tail
    after = handed_over(world)
    again = after.relay.hub.peers[peer.number]
    after.pass_time(1001)
    after.write(consumer)  # nothing is taken yet
    after.read(consumer)
    assert again.breaker.state == HALF_OPEN
    assert len(said(consumer, Gap)) == 1


def test_who_has_just_become_plain_replays_also_after_a_death() -> None:
    world = World(circuit_breaker=20, max_queue_size=30, plain_after=0.1)
    peer, consumer = world.connect()
    consumer.room = 0
    _, producer = world.connect()
    world.send(producer, *frames(1, 40))
    dies_at(world, "connection opened")
    with pytest.raises(Killed):
        world.pass_time(101)
    after = after_a_crash(world)
    assert after.relay.hub.peers[peer.number].breaker.state == REPLAYING


# --- what is being closed ---


@pytest.mark.parametrize("event", ["rejected", "connection closed", "connection ended"])
def test_a_connection_that_is_being_closed_does_not_outlive_a_death(event: str) -> None:
    world = World()
    peer, sock = joins(world, Role.PRODUCE)
    dies_at(world, event)
    with pytest.raises(Killed):
        world.send(sock, frame(1, 1, b"too short", timestamp=5))
    assert peer.record.number == peer.number
    assert not whole(world, peer)


def test_a_session_that_is_closed_for_its_lag_does_not_outlive_a_death() -> None:
    world = World(circuit_breaker=20, max_queue_size=30, on_lag="disconnect")
    peer, consumer = joins(world, Role.CONSUME)
    consumer.room = 0
    _, producer = world.connect()
    dies_at(world, "breaker opened")
    with pytest.raises(Killed):
        world.send(producer, *frames(1, 40))
    assert not whole(world, peer)


# --- relays that begin and end ---


def test_what_adopted_connections_are_owed_is_written_when_the_relay_starts() -> None:
    world = World()
    peer, sock = joins(world, Role.CONSUME)
    assert peer.outlet.outbox is not None
    peer.outlet.outbox.heartbeat = True
    world.relay.hub.todo.wake.append(peer)
    world.relay.start()
    assert len(said(sock, Heartbeat)) == 1


async def _settle(world: World) -> None:
    async def until(*_: Any) -> None:
        """All is settled."""

    world.relay._until = until  # type: ignore[method-assign,assignment]
    await world.relay.settle(0.0, asyncio.Event())


def test_a_frame_is_not_too_late_because_nobody_reads_any_more() -> None:
    world = World(frame_timeout=5.0)
    peer, sock = joins(world, Role.PRODUCE)
    world.send(sock, frame(1, timestamp=5)[:40])
    asyncio.run(_settle(world))
    sock.coming += frame(1, timestamp=5)[40:]
    world.pass_time(5001)
    world.pass_time(1)
    assert not peer.closed
    assert not said(sock, Error)
    after = handed_over(world)
    after.loop.readers[sock.fd]()
    assert after.state.end_position == 1


def test_who_has_hung_up_and_waited_is_left_to_the_successor() -> None:
    world = World()
    peer, sock = joins(world, Role.PRODUCE)
    connection = world.relay.connections[peer.number]
    sock.coming += frame(1, timestamp=5)
    world.relay.hold(connection)
    world.relay._hung.add(peer.number)
    asyncio.run(_settle(world))
    world.relay._release(peer.number)
    assert not peer.closed
    after = handed_over(world)
    after.loop.readers[sock.fd]()
    assert after.state.end_position == 1


# --- Hellos that waited, and producers ---


def test_two_hellos_of_one_producer_that_waited_are_answered_in_their_order() -> None:
    world = World()
    (_, one), (_, other) = world.connect(), world.connect()
    handshake: Any = world.relay.hub.handshake
    handshake._hello = lambda *what: handshake._wait(*what)  # as for a journal
    for sock, first in ((one, 1), (other, 3)):
        world.send(sock, hello(Role.PRODUCE, producer_id=5), *frames(first, first + 1))
    after = handed_over(world)
    assert [len(said(sock, Welcome)) for sock in (one, other)] == [1, 1]
    assert [error.code for error in said(one, Error)] == [Reject.FENCED]
    assert not said(other, Error)
    assert [ack.sequence for ack in said(other, Ack)][-1:] == [4]
    after.accounted()


def test_of_two_hellos_of_one_producer_the_later_counts_whichever_is_answered_first() -> None:
    world = World()
    (first, one), (second, other) = world.connect(), world.connect()
    handshake: Any = world.relay.hub.handshake
    answer, handshake._hello = handshake._hello, lambda *what: handshake._wait(*what)
    greeting = hello(Role.PRODUCE, producer_id=5)
    for sock in (one, other):
        world.send(sock, greeting, *frames(1, 2))
    handshake._hello = answer
    handshake.answers += [(second, Waiting(greeting)), (first, Waiting(greeting))]
    world.relay.work()
    assert [error.code for error in said(one, Error)] == [Reject.FENCED]
    assert not said(other, Error)
    assert [ack.sequence for ack in said(other, Ack)][-1:] == [2]
    world.accounted()


def test_who_has_hung_up_after_a_hello_that_fences_is_read_to_its_end() -> None:
    world = World()
    _, old = joins(world, Role.PRODUCE, producer_id=5)
    peer, sock = world.connect()
    sock.coming += frame(1, timestamp=5)
    connection = world.relay.connections[peer.number]
    world.relay.hold(connection)
    world.relay._hung.add(peer.number)
    greeting = hello(Role.PRODUCE, producer_id=5)
    peer.hello_number = 2
    world.relay.hub.handshake.answers.append((peer, Waiting(greeting)))
    world.relay.work()
    assert [error.code for error in said(old, Error)] == [Reject.FENCED]
    assert world.state.end_position == 1
    world.accounted()


def test_a_producer_of_which_only_refused_frames_came_may_begin_anywhere() -> None:
    world = World(require_sequence=True, validate_checksums=True)
    _, sock = joins(world, Role.PRODUCE)
    wrong = bytearray(frame(1, timestamp=5))
    wrong[-1] ^= 1
    world.send(sock, bytes(wrong))
    after = handed_over(world)
    after.send(sock, frame(8, timestamp=5))
    assert [error.code for error in said(sock, Error)] == [Reject.BAD_CHECKSUM]
    assert after.state.end_position == 1
