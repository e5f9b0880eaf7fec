"""What a death or a restart finds at instants that are few and short (relays.md 2, 9).

Before every line of the relay's own code the record of a connection is looked at, as a successor
would find it if the process died there. The relays are played, one after the other.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, cast

import pytest

from protocol.control import Ack, Error, Gap, Role, Welcome
from protocol.message import decode
from protocol.reject import Reject
from relays.core.adoption import is_whole
from relays.core.breaker import OPEN
from relays.core.handshake import Handshake, Waiting
from relays.core.peer import Peer
from relays.edge.store import Store
from tests.daemon.fake_edge import FakeLoop, FakeSocket, World
from tests.daemon.played_manager import PlayedManager
from tests.daemon.succession import after_a_crash, handed_over, store
from tests.harness import CONTROL, eventually, frame, hello, split

HERE = "/relays/"


def frames(first: int, last: int) -> list[bytes]:
    return [frame(number, timestamp=5) for number in range(first, last + 1)]


def data(sock: FakeSocket) -> list[bytes]:
    return [one for one in split(bytes(sock.got)) if one[4] not in CONTROL]


def said(sock: FakeSocket, kind: type) -> list[Any]:
    found = [decode(one) for one in split(bytes(sock.got)) if one[4] in CONTROL]
    return [message for message in found if isinstance(message, kind)]


def consumes(world: World, role: int = Role.CONSUME, **wanted: int) -> tuple[Peer, FakeSocket]:
    peer, sock = world.connect()
    world.send(sock, hello(role, **wanted))
    return peer, sock


def produces(world: World) -> tuple[Peer, FakeSocket]:
    """An anonymous producer that has sent frame 1."""
    peer, sock = world.connect()
    world.send(sock, frame(1, timestamp=5))
    return peer, sock


def whole(world: World, peer: Peer) -> bool:
    row = world.state.read_connection(peer.record.slot)
    return row is not None and is_whole(row, world.state.oldest_offset)


def instants(
    world: World, peer: Peer, act: Callable[[], object], after: Callable[[], bool]
) -> list[str]:
    """The lines of the relay's code before which `peer` was whole, once `after` held."""
    store(world)
    found: list[str] = []

    def look(frame: FrameType, event: str, _: object) -> Any:
        code = frame.f_code
        if event == "line" and HERE in code.co_filename and after() and whole(world, peer):
            found.append(f"{code.co_filename.rpartition('/')[2]}:{frame.f_lineno}")
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        act()
    finally:
        sys.settrace(before)
    return found


# --- one that is being closed ---

BROKEN = b"\0" * 64


def test_a_producer_that_lost_its_framing_is_at_no_instant_whole() -> None:
    world = World()
    peer, sock = produces(world)
    bad = [*frames(2, 3), BROKEN, *frames(4, 5)]
    found = instants(world, peer, lambda: world.send(sock, *bad), lambda: not sock.coming)
    assert sock.closed
    assert not found


def test_a_producer_that_is_closed_for_its_first_gap_is_at_no_instant_whole() -> None:
    world = World(require_sequence=True)
    peer, sock = produces(world)
    found = instants(world, peer, lambda: world.send(sock, *frames(3, 3)), lambda: not sock.coming)
    assert sock.closed
    assert not found


def test_a_sequence_with_other_bytes_is_at_no_instant_whole_nor_acknowledged() -> None:
    world = World(require_sequence=True)
    windows: dict[int, memoryview] = {}
    world.relay.hub.window = lambda place: windows.setdefault(place, memoryview(bytearray(8192)))
    peer, sock = consumes(world, Role.PRODUCE, producer_id=9)
    world.send(sock, *frames(1, 2))
    other = frame(2, timestamp=6)
    found = instants(world, peer, lambda: world.send(sock, other), lambda: not sock.coming)
    assert sock.closed
    assert not found


def test_one_that_was_told_why_it_is_closed_is_not_whole_before_it_is() -> None:
    world = World()
    peer, sock = consumes(world)
    told = lambda: bool(said(sock, Error))  # noqa: E731
    found = instants(world, peer, lambda: world.send(sock, frame(1, timestamp=5)), told)
    assert sock.closed
    assert not found


def test_one_that_is_given_up_is_at_no_instant_whole() -> None:
    """What it was owed is counted as lost before its place is free."""
    world = World()
    peer, _ = world.connect()
    world.pass_time(101)
    finish = world.relay.hub.finish
    assert not instants(world, peer, lambda: finish(peer), lambda: peer.closed)
    assert world.state.read_connection(peer.record.slot) is None


# --- one whose marks stay ---


@pytest.mark.parametrize("role", [None, Role.PRODUCE, Role.PRODUCE | Role.CONSUME])
def test_a_producer_that_reads_nothing_any_more_is_whole_while_it_is_idle(
    role: Role | None,
) -> None:
    world = World()
    peer, sock = world.connect()
    if role is not None:
        world.send(sock, hello(role))
    else:
        world.pass_time(101)
    sock.gone = True
    _, other = produces(world)
    world.send(other, *frames(2, 3))
    world.pass_time(1001)
    store(world)
    assert not sock.closed
    assert whole(world, peer)
    after = after_a_crash(world)
    assert peer.number in after.relay.hub.peers


# --- how it goes on ---


def test_one_that_is_plain_by_a_hair_gets_what_it_is_owed() -> None:
    """The record says that it is PLAIN before it says that it consumes, or the other way round."""
    world = World()
    peer, sock = world.connect()

    def dies(*_: object) -> None:
        raise InterruptedError

    world.relay.hub.state = Counting(world.state, dies)  # type: ignore[assignment]
    with pytest.raises(InterruptedError):
        world.pass_time(101)
    world.relay.hub.state = world.state
    after = after_a_crash(world)
    _, producer = produces(after)
    after.pass_time(101)
    after.send(producer, *frames(2, 3))
    assert data(sock) == frames(1, 3)
    after.accounted()
    assert peer.number in after.relay.hub.peers


class Counting:
    """A state at whose `count` something happens."""

    def __init__(self, state: Any, count: Callable[..., None]) -> None:
        self._state, self.count = state, count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)


@pytest.mark.parametrize("successor", [handed_over, after_a_crash])
def test_a_sequence_that_was_refused_is_not_one_that_was_taken(
    successor: Callable[[World], World],
) -> None:
    world = World(require_sequence=True, validate_checksums=True)
    _, sock = consumes(world, Role.PRODUCE)
    damaged = bytearray(frame(70, timestamp=5))
    damaged[-1] ^= 1
    world.send(sock, bytes(damaged))
    assert len(said(sock, Error)) == 1
    after = successor(world)
    after.send(sock, *frames(70, 71))
    assert after.state.end_position == 2


@pytest.mark.parametrize("successor", [handed_over, after_a_crash])
def test_one_whose_breaker_is_open_goes_on_also_where_the_log_has_overtaken_it(
    successor: Callable[[World], World],
) -> None:
    world = World(circuit_breaker=20, max_queue_size=30, on_lag="gap", recovery_timeout=1.0)
    peer, sock = consumes(world)
    sock.room = 64
    _, producer = produces(world)
    last = 1
    while world.state.oldest_offset <= peer.record.offset:
        world.send(producer, *frames(last + 1, last + 100))
        last += 100
    assert peer.breaker.state == OPEN
    after = successor(world)
    sock.room = 1 << 30
    after.pass_time(1001)
    after.write(sock)
    (gap,) = said(sock, Gap)
    after.send(producer, frame(last + 1, timestamp=5))
    assert data(sock)[-1:] == [frame(last + 1, timestamp=5)]
    assert gap.last_position + 1 == last
    after.accounted()


# --- delivery that waits for the journal ---


def test_what_is_withheld_when_it_is_adopted_is_delivered_when_it_is_shown() -> None:
    world = World()
    _, sock = consumes(world)
    _, producer = produces(world)
    world.state.show(1, 64)
    world.send(producer, *frames(2, 3))
    after = handed_over(world)
    assert data(sock) == frames(1, 1)
    after.state.show(3, 192)
    after.relay.fan_out(after.clock.now())
    assert data(sock) == frames(1, 3)


def test_one_that_is_ahead_of_what_is_shown_does_not_go_on() -> None:
    """As where delivery waits for the journal since the restart, and the disk is slow."""
    world = World()
    _, sock = consumes(world)
    _, producer = produces(world)
    world.send(producer, *frames(2, 3))
    world.state.show(1, 64)
    after = handed_over(world)
    after.pass_time(1001)
    assert data(sock) == frames(1, 3)
    assert sock.closed


# --- Hellos that wait ---


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """How often the Hello of a connection waits for the journal; one that is not here does not."""
    times: dict[int, int] = {}
    answers = Handshake._hello

    def hello(self: Handshake, peer: Peer, hello: Waiting, now: int) -> bool:
        if times.get(peer.number, 0):
            times[peer.number] -= 1
            self._wait(peer, hello, now)
            return False
        return answers(self, peer, hello, now)

    monkeypatch.setattr(Handshake, "_hello", hello)
    return times


def test_what_came_behind_a_hello_waits_as_long_as_that(waits: dict[int, int]) -> None:
    world = World(require_sequence=True)
    waits[1] = 3
    before, sock = world.connect()
    carried(world, before, sock, hello(Role.PRODUCE, producer_id=9), *frames(1, 2))
    after = handed_over(world)
    peer = after.relay.hub.peers[1]
    for _ in range(2):
        assert peer.waiting
        assert after.state.end_position == 0
        after.relay.hub.handshake.answers.append((peer, Waiting(peer.waiting)))
        after.relay.work()
    assert after.state.end_position == 2
    assert said(sock, Ack)[-1].sequence == 2
    after.accounted()


def test_two_hellos_of_one_producer_that_waited_are_answered_one_after_the_other(
    waits: dict[int, int],
) -> None:
    world = World(require_sequence=True)
    waits.update({1: 1, 2: 1})
    one, first = world.connect()
    carried(world, one, first, hello(Role.PRODUCE, producer_id=9), *frames(1, 2))
    other, second = world.connect()
    carried(world, other, second, hello(Role.PRODUCE, producer_id=9), *frames(3, 4))
    after = handed_over(world)
    assert said(first, Error)[-1].code == Reject.FENCED
    assert said(second, Welcome)[-1].last_sequence == 2
    assert after.state.end_position == 4
    after.accounted()


def carried(world: World, peer: Peer, sock: FakeSocket, *parts: bytes) -> None:
    """All of it is read at once; what is behind a Hello that waits is kept."""
    sock.coming += b"".join(parts)
    connection = world.relay.connections[peer.number]
    connection.readable()


def test_what_one_had_said_that_hung_up_while_the_journal_was_slow_is_read_by_the_successor() -> (
    None
):
    world = World()
    _, consumer = consumes(world)
    peer, sock = produces(world)
    relay, played = world.relay, cast(Any, world.relay.loop)
    sock.coming += b"".join(frames(2, 3))
    relay.hold(relay.connections[peer.number])
    relay._hung.add(peer.number)
    played.time = lambda: 0.0
    asyncio.run(relay.settle(0.0, asyncio.Event()))
    relay._release(peer.number)  # the journal is further
    relay.work()
    after = handed_over(world)
    after.send(sock)
    assert data(consumer) == frames(1, 3)
    after.accounted()


# --- the manager's copies ---


def test_a_manager_that_is_not_there_has_confirmed_nothing(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as gone:
        gone.bind(str(tmp_path / "notify"))
        loop = FakeLoop()
        played: Any = loop
        store = Store(played, str(tmp_path / "notify"))
    world = World()
    peer, _ = world.connect()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = world.relay.connections[peer.number]
        connection.sock, connection.fd = ours, ours.fileno()
        store.keep(connection)
        for answered in [*loop.readers.values()]:
            answered()
    store._socket.close()
    assert store.settled
    assert not world.state.read_connection(peer.record.slot)["stored"]  # type: ignore[index]


# --- whole relays ---


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[PlayedManager]:
    found = PlayedManager(tmp_path)
    yield found
    found.clean()


def test_a_session_gets_heartbeats_also_where_nothing_else_happens(manager: PlayedManager) -> None:
    manager.start()
    client = manager.relay.client()
    client.hello(heartbeat_ms=100)
    eventually(lambda: manager.stored(1), "there is a copy")
    manager.relay.kill()
    while not client.silent(0.05):
        client.kept = b""  # what the dead one said
    manager.start()
    assert client.control(100)


def test_who_comes_where_another_was_closed_is_not_taken_for_it(manager: PlayedManager) -> None:
    """The manager's copy keeps what was closed alive, and with it what waits for its hang-up."""
    manager.start()
    closed = manager.relay.client()
    eventually(lambda: manager.stored(1), "there is a copy")
    manager.relay.signal(signal.SIGSTOP)
    closed.send(BROKEN)
    other = manager.relay.client()  # gets the same descriptor
    manager.relay.signal(signal.SIGCONT)
    assert closed.rest() == b""
    other.hello()
    manager.relay.client().hello()
    other.send(hello())  # which is refused, so it is still there
    assert other.control(102).code == Reject.BAD_HELLO
    assert "Traceback" not in manager.relay.log()
