"""Corners of serving consumers that real sockets reach only by luck (relays.md 3, 5).

The real core over played sockets, as in test_core_hub.py; each of these was a seed there first, or
is a moment that no process can be made to hit.
"""

from __future__ import annotations

import pytest

from protocol.control import Gap, Heartbeat, Welcome
from protocol.message import decode
from protocol.reject import Reject
from relays.core.breaker import CLOSED, OPEN, REPLAYING
from relays.core.peer import Peer, Phase
from tests.daemon.fake_edge import FakeSocket, World
from tests.harness import CONTROL, frame, hello, split

THRESHOLD, MOST = 20, 30
GAP, DISCONNECT, CATCH_UP = 1, 2, 3


def world(on_lag: str = "gap") -> World:
    return World(circuit_breaker=THRESHOLD, max_queue_size=MOST, on_lag=on_lag)


def plain(place: World) -> tuple[Peer, FakeSocket]:
    """A connection that said nothing for plain_after."""
    peer, sock = place.connect()
    place.pass_time(101)
    assert peer.phase == Phase.PLAIN
    return peer, sock


def said(sock: FakeSocket, kind: type) -> list[object]:
    """What a session was told, of one kind."""
    found = [decode(one) for one in split(bytes(sock.got)) if one[4] in CONTROL]
    return [message for message in found if isinstance(message, kind)]


def frames(count: int, first: int = 1) -> bytes:
    return b"".join(frame(first + n, timestamp=5) for n in range(count))


def test_a_session_cut_off_by_its_own_frames_is_read_no_further() -> None:
    place = world()
    peer, sock = place.connect()
    place.send(sock, hello(3, on_lag=DISCONNECT))
    sock.room = 10
    place.send(sock, frames(200))
    assert peer.leaving
    assert peer.reason == Reject.SLOW_CONSUMER
    assert place.relay.hub.log.end == 20  # two commits of ten: the first at the threshold cuts
    place.accounted()
    place.pass_time(1001)
    assert sock.closed
    place.accounted()


def test_a_plain_consumer_that_says_hello_and_starts_in_the_past_is_replaying() -> None:
    place = world()
    _, producer = place.connect()
    place.send(producer, frames(200))
    peer, sock = plain(place)
    assert peer.breaker.state == CLOSED
    sock.room = 0
    place.send(sock, hello(1, start=2))
    assert peer.breaker.state == REPLAYING
    place.send(producer, frames(100, 201))
    row = place.state.read_connection(peer.record.slot)
    assert row is not None
    assert row["breaker"] == REPLAYING
    place.read(sock)
    assert peer.breaker.state == CLOSED
    assert len(said(sock, Gap)) == 0
    assert sock.got[-64 * 300 :] == frames(300)


@pytest.mark.parametrize(
    ("said_late", "answer"),
    [
        (hello(1), 105),
        (hello(1, start=1, start_position=99_999), 102),
        (Heartbeat(position=0, lag=0).frame(), 102),
    ],
    ids=["hello", "bad hello", "heartbeat"],
)
def test_a_plain_consumer_that_was_cut_off_is_answered_behind_the_frame_begun(
    said_late: bytes, answer: int
) -> None:
    place = world()
    _, producer = place.connect()
    peer, sock = plain(place)
    sock.room = 10
    place.send(producer, frames(40))
    assert peer.breaker.state == OPEN
    place.send(producer, frames(2000, 41))  # the log's place of that frame is used again
    place.send(sock, said_late)
    place.read(sock)
    first, control = split(bytes(sock.got))
    assert first == frames(1)
    assert control[4] == answer
    place.accounted()


def test_a_plain_consumer_that_was_cut_off_and_reads_again_is_closed() -> None:
    place = world()
    _, producer = place.connect()
    peer, sock = plain(place)
    sock.room = 10
    place.send(producer, frames(40))
    place.read(sock)
    assert sock.closed
    assert bytes(sock.got) == frames(1)[:10]
    assert peer.reason == Reject.SLOW_CONSUMER
    place.accounted()


@pytest.mark.parametrize("log_id", [0, 99])
def test_welcome_and_the_gap_that_grew_while_it_waited_name_the_same_next_frame(
    log_id: int,
) -> None:
    place = world(on_lag="catch_up")
    _, producer = place.connect()
    peer, sock = plain(place)
    place.send(producer, frames(2000))
    sock.room = 10
    place.send(producer, frames(1, 2001))
    place.send(sock, hello(1, start=1, start_position=5, log_id=log_id))
    place.send(producer, frames(2000, 2002))
    assert peer.is_session
    place.read(sock)
    got = list(split(bytes(sock.got)))
    (welcome,), (gap,) = said(sock, Welcome), said(sock, Gap)
    assert isinstance(welcome, Welcome)
    assert isinstance(gap, Gap)
    assert gap.last_position + 1 == welcome.position
    after = got[[one[4] for one in got].index(107) + 1 :]
    due = frame(welcome.position + 1, timestamp=5)
    assert next(one for one in after if one[4] not in CONTROL) == due
    place.accounted()


def test_a_frame_half_sent_is_completed_before_the_gap() -> None:
    place = world()
    _, producer = place.connect()
    peer, sock = place.connect()
    place.send(sock, hello(1, on_lag=GAP))
    welcome = len(sock.got)
    for begun in range(65):
        sock.room = begun
        place.send(producer, frames(30))
        assert peer.breaker.state == OPEN
        place.pass_time(1001)
        place.read(sock)
        place.pass_time(1)
        got = list(split(bytes(sock.got[welcome:])))
        assert sum(map(len, got)) == len(sock.got) - welcome
        gap = said(sock, Gap)[-1]
        assert isinstance(gap, Gap)
        end = place.relay.hub.log.end
        whole = (begun + 63) // 64
        assert (gap.first_position, gap.last_position) == (end - 30 + whole, end - 1)
        place.pass_time(1001)
        place.pass_time(1001)
        assert peer.breaker.state == CLOSED
        place.accounted()


@pytest.mark.parametrize("begun", [1, 31, 32, 63])
@pytest.mark.parametrize("on_lag", [GAP, CATCH_UP])
def test_a_frame_half_sent_is_completed_also_when_the_log_needs_its_place(
    begun: int, on_lag: int
) -> None:
    place = world()
    _, producer = place.connect()
    _, sock = place.connect()
    place.send(sock, hello(1, on_lag=on_lag))
    before = len(sock.got)
    sock.room = begun
    first = frame(1, payload=b"first" * 6 + b"..", timestamp=5)
    place.send(producer, first, frames(3000, 2))
    assert place.relay.hub.log.oldest > 0
    place.pass_time(1001)
    place.read(sock)
    got = list(split(bytes(sock.got[before:])))
    assert got[0] == first
    gap = decode(next(one for one in got[1:] if one[4] == 107))
    assert isinstance(gap, Gap)
    assert gap.first_position == 1
    place.accounted()
