"""Snapshots that take their time: what changes meanwhile, who is too slow, what a turn may cost.

On the real core with the kernel played by the test. What is in a snapshot is tested in
test_snapshots.py.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from protocol._core.gather import Filter
from protocol._core.reader import Reader
from protocol.control import Error, GapReason, OnLag, Start, hello_tlvs
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Trade
from protocol.message import decode, instrument_offsets
from protocol.reject import Reject
from relays.core import snapshot
from relays.core.breaker import OPEN
from tests.daemon.fake_edge import FakeSocket, World
from tests.daemon.late import PAIRS, ROLE, Consumer, book, late, market, quote, words
from tests.harness import hello, split

MIB = 1 << 20
WELCOME, EDGE = 88, 48


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "PIECE", 200)


# A snapshot that takes its time -----------------------------------------------------------------


@pytest.mark.usefixtures("small_pieces")
def test_a_large_snapshot_is_of_one_position_whatever_changes_meanwhile() -> None:
    world, say = market()
    before = say(*(one for pair in PAIRS for one in (quote(pair, 1), book(pair, 1))))
    _, sock = world.connect()
    sock.room = 400
    consumer = Consumer(world, sock)
    for n in range(2, 30):
        say(*(quote(pair, n) for pair in PAIRS))
        say(*(book(pair, n, kind=1 + n % 3 // 2) for pair in PAIRS))
        sock.room = 10
        world.write(sock)
    consumer.look()
    assert consumer.inside
    held = words(world)["snapshot_bytes"]
    world.read(sock)
    consumer.look()
    assert consumer.said == before
    assert [edge.position for edge in consumer.edges] == [12, 12]
    assert consumer.view.state == late(world).view.state
    assert words(world)["snapshot_bytes"] < held
    world.accounted()


@pytest.mark.usefixtures("small_pieces")
def test_each_piece_waits_for_its_turn() -> None:
    world, say = market()
    say(*(quote(pair, 1) for pair in PAIRS))
    _, sock = world.connect()
    consumer = Consumer(world, sock)
    consumer.look()
    assert consumer.inside
    assert 0 < len(consumer.said) < len(PAIRS)
    assert sock.fd in world.loop.writers
    world.read(sock)
    consumer.look()
    assert len(consumer.said) == len(PAIRS)
    assert sock.fd not in world.loop.writers


@pytest.mark.usefixtures("small_pieces")
def test_a_snapshot_that_a_gap_cuts_short_is_begun_again_after_it() -> None:
    world, say = market(circuit_breaker=20, max_queue_size=30, on_lag="gap")
    say(*(quote(pair, 1) for pair in PAIRS))
    _, sock = world.connect()
    sock.room = 300
    consumer = Consumer(world, sock)
    for n in range(2, 12):
        last = say(*(quote(pair, n) for pair in PAIRS))
    world.read(sock)
    world.pass_time(1001)
    world.read(sock)
    consumer.look()
    kinds = [(edge.kind, edge.position) for edge in consumer.edges]
    assert kinds == [(1, 6), (1, 66), (2, 66)]
    assert consumer.gaps == [(GapReason.TOO_SLOW, True)]
    assert consumer.said == last
    world.accounted()


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("on_lag", [OnLag.GAP, OnLag.CATCH_UP, OnLag.DISCONNECT])
def test_one_too_slow_for_the_memory_there_is_has_a_gap_and_another_or_is_cut(on_lag: int) -> None:
    world, say = market(snapshot_bytes=MIB, log_bytes=4 * MIB)
    for n in range(1, 250):
        say(*(book(pair, n, kind=1 if n == 1 else 2, levels=119) for pair in PAIRS[:2]))
    _, sock = world.connect()
    sock.room = 400
    consumer = Consumer(world, sock, on_lag=on_lag)
    for n in range(250, 500):
        say(*(book(pair, n, kind=1 if n == 250 else 2, levels=119) for pair in PAIRS[:2]))
        sock.room = 100
        world.write(sock)
    world.read(sock)
    if on_lag == OnLag.DISCONNECT:
        assert sock.closed
        error = decode(list(split(bytes(sock.got)))[-1])
        assert isinstance(error, Error)
        assert error.code == Reject.SLOW_CONSUMER
    else:
        consumer.look()
        assert consumer.gaps == [(GapReason.TOO_SLOW, True)]
        assert consumer.view.state == late(world).view.state
    world.accounted()


@pytest.mark.usefixtures("small_pieces")
def test_one_that_never_reads_costs_no_other_its_snapshot() -> None:
    world, say = market(snapshot_bytes=MIB, log_bytes=MIB)
    pairs = [InstrumentId.spot(VenueId.BINANCE, f"Q{n}") for n in range(400)]
    say(*(quote(pair, 1) for pair in pairs))
    _, stuck = world.connect()
    stuck.room = 10
    Consumer(world, stuck, on_lag=OnLag.CATCH_UP)
    for n in range(2, 60):
        peer, sock = world.connect()
        sock.room = 8000
        quick = Consumer(world, sock)
        said = say(*(quote(pair, n) for pair in pairs))
        world.read(sock)
        quick.look()
        assert (len(quick.said), quick.gaps) == (400, [])
        assert quick.view.frames == {(2, one[32:44]): one for one in said}
        world.relay.hub.hung_up(peer, world.clock.now())
        world.relay.work()
    world.accounted()


def test_a_piece_nobody_reads_is_not_kept_and_one_frame_of_it_is() -> None:
    world, say = market()
    kept = say(*(one for pair in PAIRS for one in (quote(pair, 1), book(pair, 1, levels=50))))
    peer, sock = world.connect()
    sock.room = 0
    consumer = Consumer(world, sock)
    assert (words(world)["snapshot_messages"], len(peer.outlet.rest)) == (0, WELCOME + EDGE)
    sock.room = WELCOME + EDGE + 81
    world.write(sock)
    world.write(sock)
    assert words(world)["snapshot_messages"] == 2
    assert len(peer.outlet.rest) == len(kept[1]) - 1
    world.read(sock)
    consumer.look()
    assert consumer.said == kept
    assert words(world)["snapshot_messages"] == len(kept)


def test_while_a_breaker_is_open_only_the_frame_begun_is_written() -> None:
    world, say = market(circuit_breaker=20, max_queue_size=30)
    first, *_ = say(*(book(pair, 1, levels=100) for pair in PAIRS))
    peer, sock = world.connect()
    sock.room = WELCOME + EDGE + 5
    Consumer(world, sock, on_lag=OnLag.GAP)
    say(*(quote(PAIRS[0], n) for n in range(40)))
    assert peer.breaker.state == OPEN
    sock.got.clear()
    world.read(sock)
    assert bytes(sock.got) == first[5:]
    world.accounted()


def test_a_consumer_that_leaves_in_the_middle_leaves_nothing_behind() -> None:
    world, say = market()
    say(*(one for pair in PAIRS for one in (quote(pair, 1), book(pair, 1))))
    held = words(world)["snapshot_bytes"]
    peer, sock = world.connect()
    sock.room = 10
    Consumer(world, sock)
    say(*(quote(pair, 2) for pair in PAIRS))
    world.relay.hub.hung_up(peer, world.clock.now())
    world.relay.work()
    assert words(world)["snapshot_bytes"] == held
    world.accounted()


# Producers that never pause --------------------------------------------------------------------


class Saturation:
    """A loop whose every turn reads as much as a socket gives of each producer, and writes to the
    late one, who reads whatever it is sent at once."""

    def __init__(self, producers: int, state: int, **settings: Any) -> None:
        self.world = World(max_payload=65_536, **settings)
        self.producers = [self.world.connect()[1] for _ in range(producers)]
        whole = bytearray(book(PAIRS[0], 1, levels=100).frame(sequence=1, source=1))
        for n in range(state):
            whole[36:44] = (n * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8, "little")
            self.world.send(self.producers[0], bytes(whole))
        self.trade = Trade(PAIRS[0], 1, 1).frame(sequence=1, source=1) * 4096

    def turn(self, sock: FakeSocket) -> None:
        for producer in self.producers:
            self.world.send(producer, self.trade)
        self.world.write(sock)
        self.world.pass_time(1)


@pytest.mark.parametrize(("producers", "on_lag"), [(1, OnLag.CATCH_UP), (4, OnLag.GAP)])
def test_one_that_starts_at_the_oldest_of_a_full_log_is_overtaken_once_and_then_fed(
    producers: int, on_lag: int
) -> None:
    place = Saturation(producers, 1500, log_bytes=16 * MIB)
    for _ in range(65):
        place.world.send(place.producers[0], place.trade)
    peer, sock = place.world.connect()
    consumer = Consumer(place.world, sock, start=Start.OLDEST, on_lag=on_lag)
    for _ in range(100):
        place.turn(sock)
        consumer.look()
        if not peer.record.lag:
            break
    assert consumer.gaps == [(GapReason.TOO_OLD, True)]
    assert [edge.kind for edge in consumer.edges] == [1, 1, 2]
    assert (peer.record.lag, peer.breaker.in_a_row) == (0, 0)
    assert peer.record.delivered > 10_000
    place.world.accounted()


def test_a_snapshot_keeps_up_with_producers_that_never_pause() -> None:
    place = Saturation(4, 4000, log_bytes=32 * MIB)
    peer, sock = place.world.connect()
    consumer = Consumer(place.world, sock, on_lag=OnLag.GAP)
    turns = 0
    while not consumer.edges[1:] or peer.record.lag:
        place.turn(sock)
        consumer.look()
        turns += 1
        assert turns < 40
    assert consumer.gaps == []
    assert len(consumer.said) == 4000
    place.world.accounted()


# Work a turn ------------------------------------------------------------------------------------


def many(count: int, **settings: Any) -> tuple[World, FakeSocket, list[bytes]]:
    """A relay that has a Quote of so many instruments, who sent them, and the frames."""
    world = World(log_bytes=8 * MIB, **settings)
    _, sock = world.connect()
    one, frames = bytearray(quote(PAIRS[0], 1).frame(sequence=1, source=1)), list[bytes]()
    for n in range(count):
        one[36:44] = (n * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8, "little")
        frames.append(bytes(one))
    world.send(sock, *frames)
    return world, sock, frames


def test_what_was_put_by_is_given_back_a_part_a_turn() -> None:
    world, sock, frames = many(4000)
    keep = world.relay.hub.keep
    assert keep is not None
    held = keep.held
    reader = Reader(keep, keep.position, None)
    world.send(sock, *frames)
    full = keep.held
    assert full > held + 4000 * 100
    reader.close()
    sizes = [keep.held]
    while sizes[-1] > held:
        world.send(sock, frames[0])
        sizes.append(keep.held)
    steps = [before - after for before, after in pairwise([full, *sizes])]
    assert len(steps) >= 4000 // 512
    assert max(steps) <= 512 * 256


def test_who_wants_one_of_many_instruments_looks_at_a_part_of_them_a_turn() -> None:
    world, _, frames = many(20_000)
    keep = world.relay.hub.keep
    assert keep is not None
    wanted = Filter((), [frames[-1][32:44]], instrument_offsets())
    reader = Reader(keep, keep.position, wanted)
    assert [reader.counted() for _ in range(3)] == [False, False, True]
    room = memoryview(bytearray(4096))
    assert [reader.take(room, 100) for _ in range(3)] == [0, 0, 80]
    assert (reader.count, reader.took(80), reader.done()) == (1, b"", True)
    reader.close()
    _, late_one = world.connect()
    world.send(late_one, hello(ROLE, tlvs=hello_tlvs(wanted=[PAIRS[0]])))
    assert late_one.fd in world.loop.writers
    world.read(late_one)
    assert [one[4] for one in split(bytes(late_one.got))] == [105, 101, 101]


def test_a_reader_that_nobody_closed_needs_nothing_any_more() -> None:
    world, sock, frames = many(10)
    keep = world.relay.hub.keep
    assert keep is not None
    reader = Reader(keep, keep.position, None)
    held = keep.held
    world.send(sock, *frames)
    assert keep.held > held
    del reader
    world.send(sock, *frames)
    assert keep.held == held
