"""Connections that go on in another process, by whatever it finds them in (relays.md 2, 9).

The real core over played sockets: the moments are those that no process can be made to hit. Whole
relays are restarted and killed under a service manager in tests/deploy/test_handover*.py.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec
import pytest

from protocol._core.ring import PAGE
from protocol._core.state import State
from protocol.control import Ack, Gap, Heartbeat, Role, Snapshot, Welcome
from protocol.message import decode
from protocol.reject import Reject
from relays.config import Principal, RelayConfig, load
from relays.core.adoption import crashes, is_whole
from relays.core.breaker import HALF_OPEN, OPEN
from relays.core.peer import Peer
from relays.edge.memory import open_memory
from tests.daemon.fake_edge import PLACES, FakeSocket, World
from tests.daemon.succession import after_a_crash, handed_over, store
from tests.harness import CONTROL, frame, hello, split

ONLY_TRADES = (1 << 1).to_bytes(32, "little")
Succeed = Callable[[World], World]
BOTH = pytest.mark.parametrize("successor", [handed_over, after_a_crash])


Control = TypeVar("Control", Ack, Gap, Heartbeat, Snapshot, Welcome)


class Killed(Exception):
    """The process died here."""


def frames(first: int, last: int) -> list[bytes]:
    return [frame(number, timestamp=5) for number in range(first, last + 1)]


def produces(world: World) -> tuple[Peer, FakeSocket]:
    """An anonymous producer that has sent frame 1."""
    peer, sock = world.connect()
    world.send(sock, frame(1, timestamp=5))
    return peer, sock


def consumes(
    world: World, role: int = Role.CONSUME, **wanted: int | bytes
) -> tuple[Peer, FakeSocket]:
    """A session that consumes from the log's end on."""
    peer, sock = world.connect()
    world.send(sock, hello(role, **wanted))
    return peer, sock


def data(sock: FakeSocket) -> list[bytes]:
    return [one for one in split(bytes(sock.got)) if one[4] not in CONTROL]


def said(sock: FakeSocket, kind: type[Control]) -> list[Control]:
    found = [decode(one) for one in split(bytes(sock.got)) if one[4] in CONTROL]
    return [message for message in found if isinstance(message, kind)]


def whole(world: World, peer: Peer) -> bool:
    """Whether this connection would outlive a death here."""
    store(world)
    row = world.state.read_connection(peer.record.slot)
    assert row is not None
    return is_whole(row, world.state.oldest_offset)


# --- who goes on, and with what ---


@BOTH
def test_every_kind_of_connection_that_is_idle_goes_on(successor: Succeed) -> None:
    world = World(plain_after=0.1)
    _, live = consumes(world)
    _, filtered = consumes(world, type_filter=ONLY_TRADES)
    _, plain = world.connect()
    world.pass_time(101)
    _, producer = produces(world)
    _, silent = world.connect()
    after = successor(world)
    assert len(after.relay.hub.peers) == 5
    after.send(producer, *frames(2, 3), frame(4, 7, timestamp=5))
    after.pass_time(101)
    everything = [*frames(1, 3), frame(4, 7, timestamp=5)]
    assert data(live) == data(plain) == everything
    assert data(filtered) == frames(1, 3)
    assert data(silent) == everything[1:]
    assert [len(said(sock, Welcome)) for sock in (live, filtered, plain)] == [1, 1, 0]
    after.accounted()


@pytest.mark.parametrize("cut", range(1, 64, 7))
def test_a_frame_cut_by_a_hand_over_is_completed(cut: int) -> None:
    world = World()
    _, consumer = consumes(world)
    _, producer = produces(world)
    world.send(producer, frame(2, timestamp=5)[:cut])
    after = handed_over(world)
    after.send(producer, frame(2, timestamp=5)[cut:], frame(3, timestamp=5))
    assert data(consumer) == frames(1, 3)
    after.accounted()


def test_a_large_frame_cut_by_two_hand_overs_is_completed() -> None:
    world = World(log_bytes=1 << 20, max_payload=60_000)
    _, consumer = consumes(world)
    _, producer = produces(world)
    large = frame(2, 7, bytes(range(250)) * 200, timestamp=5)
    world.send(producer, large[:9_000])
    after = handed_over(world)
    after.send(producer, large[9_000:30_000])
    last = handed_over(after)
    last.send(producer, large[30_000:], frame(3, timestamp=5))
    assert data(consumer) == [*frames(1, 1), large, *frames(3, 3)]
    last.accounted()


@pytest.mark.parametrize("room", range(0, 300, 13))
def test_what_is_half_sent_goes_on_at_the_next_byte(room: int) -> None:
    world = World()
    _, consumer = world.connect()
    consumer.room = room
    world.send(consumer, hello(Role.CONSUME))
    _, producer = produces(world)
    world.send(producer, *frames(2, 4))
    after = handed_over(world)
    after.read(consumer)
    assert data(consumer) == frames(1, 4)
    assert len(said(consumer, Welcome)) == 1
    after.accounted()


@BOTH
@pytest.mark.parametrize("room", [20, 64, 100])
def test_a_frame_half_sent_from_the_log_goes_on_also_after_a_death(
    successor: Succeed, room: int
) -> None:
    world = World()
    _, consumer = consumes(world)
    consumer.room = room
    _, producer = produces(world)
    world.send(producer, *frames(2, 4))
    after = successor(world)
    after.read(consumer)
    assert data(consumer) == frames(1, 4)


@BOTH
def test_an_anonymous_producer_s_sequence_goes_on(successor: Succeed) -> None:
    world = World(require_sequence=True)
    _, consumer = consumes(world)
    _, producer = produces(world)
    after = successor(world)
    after.send(producer, frame(3, timestamp=5))
    assert producer.closed  # 2 is missing
    assert data(consumer) == frames(1, 1)


@BOTH
def test_an_identified_producer_goes_on_and_is_acknowledged_again(successor: Succeed) -> None:
    world = World(require_sequence=True)
    _, producer = world.connect()
    world.send(producer, hello(Role.PRODUCE, producer_id=9), *frames(1, 3))
    before = len(said(producer, Ack))
    after = successor(world)
    acks = said(producer, Ack)
    assert len(acks) == before + 1
    assert acks[-1] == acks[-2]
    after.send(producer, *frames(3, 4))  # 3 is one it has
    assert after.state.end_position == 4
    assert said(producer, Ack)[-1] == Ack(4, 4, acks[-1].durability)


@BOTH
def test_an_open_breaker_stays_open_and_its_gap_is_told(successor: Succeed) -> None:
    world = World(circuit_breaker=20, max_queue_size=30, on_lag="gap", recovery_timeout=1.0)
    peer, consumer = consumes(world)
    consumer.room = 64
    _, producer = produces(world)
    world.send(producer, *frames(2, 40))
    assert peer.breaker.state == OPEN
    after = successor(world)
    again = after.relay.hub.peers[peer.number]
    assert again.breaker.state == OPEN
    consumer.room = 1 << 30
    after.pass_time(1001)
    after.write(consumer)
    assert again.breaker.state == HALF_OPEN
    after.send(producer, *frames(41, 41))
    (gap,) = said(consumer, Gap)
    assert isinstance(gap, Gap)
    assert data(consumer)[-1:] == frames(41, 41)
    assert gap.count == 40 - (len(data(consumer)) - 1)
    after.accounted()


def test_a_gap_that_was_not_written_is_written_by_the_successor() -> None:
    world = World(circuit_breaker=20, max_queue_size=30, on_lag="gap", recovery_timeout=1.0)
    peer, consumer = consumes(world)
    consumer.room = 0
    _, producer = produces(world)
    world.send(producer, *frames(2, 40))
    world.pass_time(1001)
    world.relay.hub.feeds.writable(peer, world.clock.now())
    assert not whole(world, peer)
    after = handed_over(world)
    consumer.room = 1 << 30
    after.write(consumer)
    after.send(producer, *frames(41, 41))
    assert [(gap.first_position, gap.last_position) for gap in said(consumer, Gap)] == [(0, 39)]
    assert data(consumer) == frames(41, 41)


def test_a_snapshot_that_is_due_is_told_by_the_successor() -> None:
    world = World()
    peer, consumer = consumes(world, role=Role.CONSUME | Role.SNAPSHOT)
    assert len(said(consumer, Snapshot)) == 2
    assert peer.outlet.snapshots is not None
    peer.outlet.snapshots.again()  # as a Gap would
    handed_over(world)
    assert [edge.kind for edge in said(consumer, Snapshot)] == [1, 2, 1, 2]


def test_one_in_the_middle_of_a_snapshot_does_not_go_on() -> None:
    world = World()
    _, consumer = world.connect()
    consumer.room = 0
    world.send(consumer, hello(Role.CONSUME | Role.SNAPSHOT))
    after = handed_over(world)
    assert not after.relay.hub.peers


def test_a_session_whose_user_may_not_consume_any_more_is_closed() -> None:
    world = World()
    _, consumer = consumes(world)
    nobody = frozenset([Principal("uid", 4711, "uid:4711")])
    world.config = msgspec.structs.replace(world.config, consumers=nobody)
    after = handed_over(world)
    assert consumer.closed
    assert not after.relay.hub.peers


# --- which moments a connection does not outlive ---


def test_a_read_that_is_not_committed_is_marked() -> None:
    world = World()
    peer, sock = produces(world)
    received = sock.recv_into

    def killed(room: memoryview) -> int:
        received(room)
        raise Killed

    sock.recv_into = killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        world.send(sock, frame(2, timestamp=5))
    assert not whole(world, peer)


@pytest.mark.parametrize("kind", [0, 1])
def test_a_send_that_the_cursor_does_not_know_of_is_marked(kind: int) -> None:
    world = World()
    peer, sock = consumes(world, type_filter=ONLY_TRADES if kind else bytes(32))
    taken = sock.send

    def killed(data: memoryview) -> int:
        taken(data)
        raise Killed

    sock.send = killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        produces(world)
    assert not whole(world, peer)


def test_control_frames_that_are_being_written_are_marked() -> None:
    world = World()
    peer, sock = consumes(world)

    def killed(data: memoryview) -> int:
        raise Killed

    sock.send = killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        world.pass_time(1001)
    assert not whole(world, peer)


def test_a_hello_that_is_not_answered_is_marked() -> None:
    world = World()
    peer, sock = world.connect()
    sock.room = 0
    world.send(sock, hello(Role.CONSUME))
    assert not whole(world, peer)
    world.read(sock)
    assert whole(world, peer)


def test_part_of_a_frame_is_not_whole_and_the_rest_of_it_is() -> None:
    world = World()
    peer, sock = produces(world)
    world.send(sock, frame(2, timestamp=5)[:40])
    assert not whole(world, peer)
    world.send(sock, frame(2, timestamp=5)[40:])
    assert whole(world, peer)


def test_whoever_is_idle_is_whole_whatever_came_before() -> None:
    world = World()
    consumer, sock = consumes(world)
    producer, other = produces(world)
    world.send(sock, Heartbeat(position=0).frame(source=1))
    world.pass_time(1001)
    assert said(sock, Heartbeat)
    world.send(other, frame(2, 59, timestamp=5))
    assert world.state.read_counters()["by_reason"][Reject.WRONG_DOMAIN] == 1
    world.relay.connections[producer.number].readable()  # and there is nothing
    sock.room = 0
    world.send(other, frame(3, timestamp=5))
    assert whole(world, consumer)
    assert whole(world, producer)
    world.end(sock)
    assert whole(world, consumer)


def test_a_connection_without_a_confirmed_copy_does_not_go_on() -> None:
    world = World()
    peer, _ = consumes(world)
    row = world.state.read_connection(peer.record.slot)
    assert row is not None
    assert not is_whole(row, 0)


# --- deaths in a row ---


def test_deaths_soon_after_an_adoption_are_counted_and_others_begin_anew() -> None:
    died = {"pid": 7, "adopted_ns": 100, "crashes": 1}
    assert crashes(died, now=149, window=50) == 2
    assert crashes(died, now=150, window=50) == 1
    assert crashes(died, now=149, window=0) == 1
    assert crashes({**died, "pid": 0}, now=149, window=50) == 0


@pytest.fixture
def config() -> Iterator[RelayConfig]:
    """A small relay whose files are in a directory on tmpfs."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        os.chmod(folder, 0o750)
        yield msgspec.structs.replace(
            load("market_data", environ={}).config, runtime_dir=folder, log_bytes=16 * PAGE,
            max_payload=4096, max_connections=PLACES - 16, max_producers=64,
        )  # fmt: skip


def test_the_second_death_in_a_row_claims_nobody_and_the_third_adopts_nothing(
    config: RelayConfig,
) -> None:
    claims = []

    def claim(state: State) -> frozenset[int]:
        claims.append(state.read_status()["crashes"])
        return frozenset()

    ids = []
    for death in range(5):
        memory = open_memory("market_data", config, 100 + death, None, 50, claim)
        memory.state.set_status(pid=7)  # and it dies
        ids.append(memory.state.log_id)
        assert ("3 relays in a row" in memory.damage) == (death == 3)
    assert ids[0] == ids[1] == ids[2] != ids[3] == ids[4]
    assert claims == [0, 0]
