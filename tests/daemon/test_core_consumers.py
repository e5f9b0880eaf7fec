"""Corners of serving consumers that real sockets reach only by luck (relays.md 3, 5).

The real core over played sockets, as in test_core_hub.py; each of these was a seed there first, or
is a moment that no process can be made to hit.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from protocol._core.connection import abandon
from protocol._core.ring import PAGE
from protocol.control import Gap, Heartbeat, Welcome
from protocol.message import decode
from protocol.reject import Reject
from relays.core.breaker import CLOSED, HALF_OPEN, OPEN, REPLAYING
from relays.core.peer import Peer, Phase
from tests.daemon.fake_edge import MILLISECOND, FakeSocket, World
from tests.harness import CONTROL, frame, hello, split

THRESHOLD, MOST = 20, 30
GAP, DISCONNECT, CATCH_UP = 1, 2, 3
OLDEST = 2
ONLY_TRADES = (1 << 1).to_bytes(32, "little")
LOOK = 4 << 20  # the most log that one offer of a filtered session looks at


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


def large(count: int, size: int, first: int = 1) -> list[bytes]:
    """Frames of a type without a class, `size` bytes each."""
    return [frame(first + n, 7, bytes(size - 32), timestamp=5) for n in range(count)]


@contextmanager
def deadline(seconds: int) -> Iterator[None]:
    """A bound on a loop of the relay that would have no end."""

    def over(*_: object) -> None:
        raise AssertionError(f"it went on for {seconds} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


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


def test_heartbeats_of_many_sessions_are_said_in_few_turns_and_none_is_late() -> None:
    place, socks = world(), []
    for _ in range(25):
        _, sock = place.connect()
        place.send(sock, hello(1, heartbeat_ms=1000))
        place.pass_time(40)
        socks.append(sock)
    last, turns = [place.clock.now()] * 25, 0
    for _ in range(3000):
        place.pass_time(1)
        beaten = [n for n, sock in enumerate(socks) if said(sock, Heartbeat)]
        for n in beaten:
            assert place.clock.now() - last[n] <= 1001 * MILLISECOND
            last[n] = place.clock.now()
            socks[n].got.clear()
        turns += bool(beaten)
    assert turns <= 3 * 17
    assert min(last) > place.clock.now() - 1001 * MILLISECOND


@pytest.mark.parametrize("wanted", [bytes(32), ONLY_TRADES])
def test_a_session_that_is_let_go_is_told_where_it_is_and_not_where_the_log_ends(
    wanted: bytes,
) -> None:
    place = world()
    _, producer = place.connect()
    _, sock = place.connect()
    place.send(sock, hello(1, on_lag=DISCONNECT, heartbeat_ms=100, type_filter=wanted))
    sock.room = 10
    place.send(producer, frame(1))
    place.pass_time(150)  # a heartbeat waits for the frame begun
    place.send(producer, frames(40, first=2))
    place.read(sock)
    said = [decode(one) for one in split(bytes(sock.got)) if one[4] in CONTROL]
    assert [beat.position for beat in said if isinstance(beat, Heartbeat)] == [1]
    assert sock.closed


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


def test_one_cut_off_for_a_single_frame_half_sent_comes_back_once_it_has_read_it() -> None:
    place = World(circuit_breaker=1, max_queue_size=2, on_lag="gap")
    _, producer = place.connect()
    peer, sock = place.connect()
    place.send(sock, hello(1, on_lag=GAP, heartbeat_ms=60_000))
    sock.room = 10
    place.send(producer, frames(1))
    assert peer.breaker.state == OPEN
    place.pass_time(1001)
    place.read(sock)
    assert peer.breaker.state == HALF_OPEN
    place.send(producer, frames(1, 2))
    assert bytes(sock.got).endswith(frames(2))
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


def test_a_replay_of_large_frames_is_not_cut_for_the_bytes_it_begins_behind() -> None:
    place = World(on_lag="gap")  # of 800,000 messages, which this log never has
    _, producer = place.connect()
    log = place.relay.hub.log
    kept = large(log.size * 8 // 10 // 2080 + 1, 2080)
    place.send(producer, *kept)
    peer, sock = place.connect()
    sock.room = 0
    place.send(sock, hello(1, start=OLDEST))
    assert peer.record.lag_bytes >= log.size * 8 // 10
    assert peer.breaker.state == REPLAYING
    place.send(producer, frames(1, 1000))
    assert peer.breaker.state == REPLAYING
    place.read(sock)
    assert peer.breaker.state == CLOSED
    assert not said(sock, Gap)
    assert sock.got.endswith(b"".join(kept) + frames(1, 1000))
    place.accounted()


def test_half_open_is_not_calm_while_it_lags_by_half_the_bytes() -> None:
    place = World(on_lag="gap")
    _, producer = place.connect()
    peer, sock = place.connect()
    place.send(sock, hello(1))
    size = place.relay.hub.log.size
    sock.room = 0
    place.send(producer, *large(size * 8 // 10 // 2080 + 1, 2080))
    assert peer.breaker.state == OPEN
    place.pass_time(1001)
    place.read(sock)
    sock.room = 0
    place.send(producer, *large(size * 4 // 10 // 2080 + 1, 2080, 1000))
    for _ in range(30):
        place.pass_time(100)
    assert peer.breaker.state == HALF_OPEN
    place.read(sock)
    for _ in range(12):
        place.pass_time(100)
    assert peer.breaker.state == CLOSED
    place.accounted()


@pytest.mark.parametrize("room", [1 << 30, 100])
def test_a_filtered_session_gets_a_frame_that_only_an_earlier_max_payload_allowed(
    room: int,
) -> None:
    before = World(256 * PAGE, max_payload=200_000)
    _, producer = before.connect()
    wanted = frame(2, payload=bytes(range(250)) * 800, version=2, timestamp=5)
    before.send(producer, *large(1, 100), wanted, frames(1, 3))
    abandon(before.state)
    place = World(256 * PAGE, state=before.state, max_payload=2048)
    assert len(wanted) > place.relay.hub.log.read_size
    _, sock = place.connect()
    with deadline(10):
        sock.room = room
        place.send(sock, hello(1, start=OLDEST, type_filter=ONLY_TRADES))
        place.read(sock)
    got = [one for one in split(bytes(sock.got)) if one[4] not in CONTROL]
    assert got == [wanted, frames(1, 3)]
    place.accounted()


def test_a_filtered_session_looks_at_four_mebibytes_at_a_time_and_goes_on_by_itself() -> None:
    place = World(4096 * PAGE, max_payload=65_536)
    _, producer = place.connect()
    place.send(producer, *large(210, 60_000), frames(1, 1000))
    peer, sock = place.connect()
    place.send(sock, hello(1, start=OLDEST, type_filter=ONLY_TRADES))
    looks = [0, peer.record.offset]
    while sock.fd in place.loop.writers:
        place.write(sock)
        looks.append(peer.record.offset)
    steps = [after - before for before, after in pairwise(looks)]
    assert max(steps) < LOOK + 60_000
    assert len(steps) >= place.state.end_offset // LOOK
    *_, told = split(bytes(sock.got))
    assert sock.got.endswith(frames(1, 1000) + told)
    assert Heartbeat.decode(told).position == peer.record.position
    assert peer.record.lag == 0
    place.accounted()


@pytest.mark.parametrize("room", [1 << 30, 70])
@pytest.mark.parametrize("kinds", [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_a_filtered_session_is_told_when_what_was_there_at_its_hello_has_passed(
    room: int, kinds: tuple[int, int]
) -> None:
    place = World()
    _, producer = place.connect()
    before, after = (frame(1) if kind == 1 else frame(1, 2, bytes(48)) for kind in kinds)
    place.send(producer, *[before] * 5)
    _, sock = place.connect()
    sock.room = room
    place.send(sock, hello(1, start=OLDEST, type_filter=ONLY_TRADES))
    place.send(producer, *[after] * 3)
    place.read(sock)
    names = {1: "trade", Heartbeat.TYPE: "heartbeat", Welcome.TYPE: "welcome"}
    said = [(names[one[4]], one) for one in split(bytes(sock.got))]
    trades = [5 * (kinds[0] == 1), 3 * (kinds[1] == 1)]
    expected = ["welcome", *["trade"] * trades[0], "heartbeat", *["trade"] * trades[1]]
    assert [name for name, _ in said] == expected
    assert Heartbeat.decode(said[trades[0] + 1][1]).position == 5
    place.accounted()


def test_a_session_that_is_closed_keeps_nothing_large_in_memory() -> None:
    place = World()
    _, producer = place.connect()
    peer, sock = place.connect()
    place.send(sock, hello(3, producer_id=9, type_filter=ONLY_TRADES))
    sock.room = 10
    place.send(producer, frames(5))
    place.send(sock, frame(1)[:50])
    plan, wanted, outbox = peer.plan, peer.outlet.wanted, peer.outlet.outbox
    assert None not in (plan, wanted, outbox)
    assert peer.ingress.carry
    place.end(sock)
    place.pass_time(1001)
    assert sock.closed
    assert (peer.plan, peer.outlet.wanted, peer.outlet.outbox) == (None, None, None)
    assert not peer.ingress.carry
    assert not peer.ingress.large
    assert (peer.outlet.rest, peer.outlet.tail) == (b"", b"")
    left = (sys.getrefcount(plan), sys.getrefcount(wanted), sys.getrefcount(outbox))
    assert left == (2, 2, 2), "somebody else still has it"
    assert len(place.relay.hub.deadlines._heap) > 0  # what holds the peer itself a while
    place.accounted()
