"""One send to each live consumer, in compiled code and to real sockets (architecture.md, 4)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from protocol._core.connection import MARK_OWED, Record
from protocol._core.fan import BEHIND, BROKEN, MORE, Fan
from relays.core.access import Credentials
from relays.core.peer import Peer
from tests.daemon.fake_edge import BEGIN, World
from tests.harness import frame

LATER = BEGIN + 1


class Consumers:
    """Records that have all there was, each with a socket whose other end is the consumer's."""

    def __init__(self, world: World, stack: ExitStack) -> None:
        self.world, self.stack = world, stack
        self.fan = Fan(world.state, memoryview(world.state.ring))  # type: ignore[arg-type]
        self.lines: list[socket.socket] = []

    def join(self) -> tuple[Record, socket.socket]:
        """Another one."""
        peer = self.world.relay.hub.connect(Credentials(7, 8, frozenset()), 0, BEGIN)
        assert isinstance(peer, Peer)
        peer.record.consume_from(peer.record.position, peer.record.offset)
        ours, theirs = (self.stack.enter_context(each) for each in socket.socketpair())
        ours.setblocking(False)
        theirs.setblocking(False)
        self.lines.append(ours)
        self.fan.add(peer.record, ours)
        return peer.record, theirs


@pytest.fixture
def consumers() -> Iterator[Consumers]:
    with ExitStack() as stack:
        yield Consumers(World(), stack)


def commit(consumers: Consumers, first: int, last: int) -> bytes:
    """Frames that a producer sends; the relay itself has nobody to send them to."""
    sent = b"".join(frame(number, timestamp=5) for number in range(first, last + 1))
    _, sock = consumers.world.connect()
    consumers.world.send(sock, sent)
    return sent


def test_everybody_gets_what_was_committed_and_nobody_is_asked_about(consumers: Consumers) -> None:
    joined = [consumers.join() for _ in range(20)]
    sent = commit(consumers, 1, 3)
    assert consumers.fan.send(LATER) == []
    more = commit(consumers, 4, 4)
    assert consumers.fan.send(LATER) == consumers.fan.send(LATER) == []
    for record, line in joined:
        assert line.recv(1 << 16) == sent + more
        assert (record.position, record.begun, record.delivered) == (4, 0, 4)
    consumers.world.accounted()


def test_who_does_not_take_it_all_is_behind_and_its_cursor_says_by_how_much(
    consumers: Consumers,
) -> None:
    record, line = consumers.join()
    other, quick = consumers.join()
    consumers.lines[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
    sent, number = b"", 1
    while not (outcome := consumers.fan.send(LATER)):
        sent += commit(consumers, number, number + 9)
        number += 10
    assert outcome == [(record.number, BEHIND)]
    got = line.recv(1 << 20)
    assert sent.startswith(got)
    assert record.lag_bytes == len(sent) - len(got)
    assert (other.lag_bytes, quick.recv(1 << 20)) == (0, sent)
    consumers.world.accounted()


def test_who_is_gone_is_told_apart_and_harms_nobody(consumers: Consumers) -> None:
    record, line = consumers.join()
    _, other = consumers.join()
    line.close()
    sent = commit(consumers, 1, 1)
    assert consumers.fan.send(LATER) == [(record.number, BROKEN)]
    assert other.recv(1 << 16) == sent


def test_who_is_owed_something_else_first_is_sent_nothing(consumers: Consumers) -> None:
    record, line = consumers.join()
    record.mark(MARK_OWED)
    sent = commit(consumers, 1, 1)
    assert consumers.fan.send(LATER) == [(record.number, MORE)]
    with pytest.raises(BlockingIOError):
        line.recv(1)
    record.unmark(MARK_OWED)
    assert consumers.fan.send(LATER) == []
    assert line.recv(1 << 16) == sent


def test_who_left_is_sent_nothing_and_the_others_stay_in_order(consumers: Consumers) -> None:
    joined = [consumers.join() for _ in range(5)]
    for record, _ in joined[1:4:2]:
        consumers.fan.remove(record)
        consumers.fan.remove(record)
    assert len(consumers.fan) == 3
    sent = commit(consumers, 1, 1)
    for record, _ in joined:
        record.mark(MARK_OWED)
    numbers = [joined[n][0].number for n in (0, 2, 4)]
    assert consumers.fan.send(LATER) == [(number, MORE) for number in numbers]
    for record, _ in joined:
        record.unmark(MARK_OWED)
    assert consumers.fan.send(LATER) == []
    assert [line.recv(1 << 16) for _, line in joined[::2]] == [sent] * 3
