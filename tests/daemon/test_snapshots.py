"""Snapshots: whoever comes late has the state of whoever was there from the start (relays.md 3).

On the real core with the kernel played by the test, and once with a real relay. What a snapshot has
to say is worked out here in plain Python, from all frames the log ever had. A failure prints its
seed: `RELAYS_SEED=n pytest tests/daemon/test_snapshots.py`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from protocol._core.connection import abandon
from protocol.control import GapReason, Snapshot, Welcome
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import InstrumentDiscovered, PoolDiscovered, Trade
from protocol.message import Message, decode
from relays.core import snapshot
from tests.daemon.fake_edge import World
from tests.daemon.late import PAIRS, ROLE, Consumer, book, late, market, quote, state_at, words
from tests.harness import CONTROL, RelayProcess, eventually, hello, split

SEEDS = [int(os.environ["RELAYS_SEED"])] if "RELAYS_SEED" in os.environ else list(range(12))
MIB = 1 << 20
Start = Callable[..., RelayProcess]


# What is in a snapshot ------------------------------------------------------------------------


def test_a_snapshot_has_discovery_quote_and_book_verbatim_and_in_this_order() -> None:
    world, say = market()
    pair, other = PAIRS[:2]
    old = say(
        quote(pair, 1), InstrumentDiscovered(pair, 8, "OLD"), book(pair, 1), Trade(pair, 1, 2)
    )
    pool, found, last, whole, one, two, far = say(
        PoolDiscovered(pair, 0, "A/B"), InstrumentDiscovered(pair, 8, "NEW"), quote(pair, 2),
        book(pair, 2), book(pair, 3, kind=2), book(pair, 4, kind=2), quote(other, 9),
    )  # fmt: skip
    consumer = late(world)
    assert consumer.said == [found, pool, last, whole, one, two, far]
    begin, end = consumer.edges
    assert (begin.count, begin.position, begin.kind) == (2, 11, 1)
    assert (end.count, end.position, end.kind) == (2, 11, 2)
    live = say(quote(pair, 3), Trade(pair, 1, 2))
    world.read(consumer.sock)
    assert list(split(bytes(consumer.sock.got))) == live
    assert old[0] not in consumer.said
    told = words(world)
    assert (told["snapshots"], told["snapshot_messages"]) == (1, 7)
    assert told["snapshot_message_bytes"] == sum(map(len, consumer.said))
    world.accounted()


def test_all_parts_of_a_book_and_those_that_have_come_of_the_next_are_in_it() -> None:
    world, say = market()
    first = say(*(book(PAIRS[0], 5, part=n, parts=3) for n in (1, 2, 3)))
    delta = say(book(PAIRS[0], 6, kind=2, part=1, parts=2), book(PAIRS[0], 6, 2, 2, 2))
    begun = say(book(PAIRS[0], 7, part=1, parts=2))
    consumer = late(world)
    assert consumer.said == first + delta + begun
    say(book(PAIRS[0], 7, part=2, parts=2))
    world.read(consumer.sock)
    consumer.look()
    assert consumer.view.reader.books[PAIRS[0]].sequence == 7
    assert [frame[48:56] for frame in late(world).said] == [(7).to_bytes(8, "little")] * 2


def test_deltas_without_a_book_and_frames_nobody_can_read_are_not_in_it() -> None:
    world, say = market()
    say(book(PAIRS[0], 1, kind=2), book(PAIRS[0], 2, part=2, parts=2))
    _, sock = world.connect()
    whole = quote(PAIRS[1], 1).frame(sequence=1)
    strange = [
        whole[:7] + b"\x01" + whole[8:],  # compressed
        whole[:5] + b"\x02" + whole[6:],  # another version
        book(PAIRS[1], 3).frame(sequence=1)[:44] + b"\x09" + book(PAIRS[1], 3).frame()[45:],
    ]
    world.send(sock, *strange)
    consumer = late(world)
    assert consumer.said == []
    assert [edge.count for edge in consumer.edges] == [0, 0]
    assert words(world)["snapshot_dropped"] == [0, 0, 0, 3]


@pytest.mark.parametrize(
    ("types", "ids", "expected"),
    [((2,), (), (2, 2)), ((3, 10), PAIRS[:1], (10, 3)), ((), PAIRS[1:2], (2,)), ((1,), (), ())],
)
def test_a_session_gets_what_passes_its_filter(
    types: tuple[int, ...], ids: tuple[InstrumentId, ...], expected: tuple[int, ...]
) -> None:
    world, say = market()
    say(quote(PAIRS[0], 1), book(PAIRS[0], 1), InstrumentDiscovered(PAIRS[0], 8, "A"))
    say(quote(PAIRS[1], 1))
    consumer = late(world, types=types, ids=tuple(ids))
    assert tuple(frame[4] for frame in consumer.said) == expected
    assert consumer.edges[0].count == len({frame[32:44] for frame in consumer.said})


def test_sessions_that_did_not_ask_and_relays_that_keep_nothing() -> None:
    world, say = market()
    say(quote(PAIRS[0], 1))
    _, sock = world.connect()
    world.send(sock, hello(1))
    assert [type(decode(one)) for one in split(bytes(sock.got))] == [Welcome]
    world, say = market(snapshots=False)
    say(quote(PAIRS[0], 1))
    consumer = late(world)
    assert [(edge.kind, edge.count, edge.position) for edge in consumer.edges] == [
        (1, 0, 1), (2, 0, 1)
    ]  # fmt: skip
    assert consumer.said == []


def test_in_the_past_only_what_is_before_the_cursor_is_said_and_the_rest_is_still_to_come() -> None:
    world, say = market()
    first = say(quote(PAIRS[0], 1), quote(PAIRS[1], 1), book(PAIRS[0], 1), book(PAIRS[0], 2, 2))
    then = say(quote(PAIRS[1], 2), book(PAIRS[0], 3, 2))
    consumer = Consumer(world, world.connect()[1], start=1, start_position=3)
    world.read(consumer.sock)
    frames = [one for one in split(bytes(consumer.sock.got)) if one[4] not in CONTROL]
    consumer.look()
    assert consumer.said == [first[0], first[2]]
    assert (consumer.edges[0].count, consumer.edges[0].position) == (1, 3)
    assert frames == [first[0], first[2], first[3], *then]
    world.accounted()


# Bounds -----------------------------------------------------------------------------------------


def test_a_book_over_a_mebibyte_is_left_out_until_its_next_snapshot() -> None:
    world, say = market()
    say(quote(PAIRS[0], 1), book(PAIRS[0], 1))
    for n in range(1, 600):  # 1,984 bytes each
        say(book(PAIRS[0], 1 + n, kind=2, levels=119))
    consumer = late(world)
    assert [frame[4] for frame in consumer.said] == [2]
    status = words(world)
    assert status["snapshot_dropped"] == [0, 0, 1, 0]
    assert status["snapshot_bytes"] < 4096
    again = say(book(PAIRS[0], 700), book(PAIRS[0], 701, kind=2))
    assert late(world).said[1:] == again


def test_a_new_book_that_has_no_room_beside_the_old_one_takes_its_place() -> None:
    world, say = market()
    say(book(PAIRS[0], 1))
    for n in range(400):
        say(book(PAIRS[0], 2 + n, kind=2, levels=119))
    parts = [say(book(PAIRS[0], 900, part=n, parts=400, levels=119))[0] for n in range(1, 401)]
    assert late(world).said == parts
    assert words(world)["snapshot_dropped"] == [0, 0, 1, 0]


def test_instruments_beyond_the_bound_are_counted_and_not_kept() -> None:
    world, say = market(snapshot_instruments=2)
    kept = say(quote(PAIRS[0], 1), quote(PAIRS[1], 1))
    say(quote(PAIRS[2], 1), quote(PAIRS[3], 1), book(PAIRS[2], 1, kind=2))
    assert late(world).said == kept
    status = words(world)
    assert (status["snapshot_instruments"], status["snapshot_dropped"][0]) == (2, 2)


def test_memory_is_bounded_and_what_does_not_fit_is_counted() -> None:
    world, say = market(snapshot_bytes=MIB)
    for n in range(1, 400):
        for pair in PAIRS[:4]:
            say(book(pair, n, kind=1 if n == 1 else 2, levels=119))
        assert words(world)["snapshot_bytes"] <= MIB
    status = words(world)
    assert status["snapshot_dropped"][1] > 0
    assert len(late(world).view.reader.books) < 4
    world.accounted()


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "PIECE", 200)


# Random join points -------------------------------------------------------------------------------


class Feed:
    """Random messages of a few instruments; some make no sense, as no adapter would send them."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.sequence = 0

    def some(self) -> Iterator[Message]:
        chance, pair = self.chance, self.chance.choice(PAIRS)
        self.sequence += 1
        what = chance.random()
        if what < 0.3:
            yield quote(pair, self.sequence)
        elif what < 0.4:
            yield chance.choice([InstrumentDiscovered, PoolDiscovered])(
                pair, 8, "X" * chance.randrange(40)
            )
        elif what < 0.5:
            yield Trade(pair, 1, 1)
        elif what < 0.9:
            kind, parts = chance.choice([1, 2, 2, 2, 2]), chance.choice([1, 1, 1, 2, 3])
            for part in range(1, parts + 1):
                if chance.random() < 0.97:
                    levels = chance.choice([0, 1, 3, 30])
                    yield book(pair, self.sequence, kind, part, parts, levels)
        else:
            parts = chance.randrange(1, 4)
            yield book(pair, self.sequence, chance.choice([1, 2]), chance.randint(1, parts), parts)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.usefixtures("small_pieces")
def test_whoever_joins_at_a_random_point_has_the_state_of_one_from_the_start(seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    world, say = market(
        circuit_breaker=chance.choice([60, 10**6]), max_queue_size=10**6 + 100,
        log_bytes=chance.choice([16, 64]) * 4096,
    )  # fmt: skip
    feed, truth, consumers = Feed(chance), list[bytes](), list[Any]()
    for _ in range(250):
        truth += say(*feed.some())
        if chance.random() < 0.08 and len(consumers) < 25:
            consumers.append(join(world, chance, len(truth)))
        for consumer in consumers:
            if chance.random() < 0.4:
                consumer.sock.room = chance.choice([0, 1, 50, 400, 5000])
                world.write(consumer.sock)
            consumer.look()
    for _ in range(3):
        world.pass_time(31_000)
        for consumer in consumers:
            world.read(consumer.sock)
            consumer.look()
    for consumer in consumers:
        frames, books = state_at(truth, len(truth), consumer.wanted)
        assert consumer.view.frames == frames
        assert {id: (b.sequence, b.bids, b.asks) for id, b in consumer.view.reader.books.items()
                } == books  # fmt: skip
        for position, *said in consumer.at_end if consumer.live else []:
            assert tuple(said) == state_at(truth, position, consumer.wanted), position
    world.accounted()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.usefixtures("small_pieces")
def test_who_is_overtaken_inside_a_snapshot_misses_what_its_gaps_name_and_has_the_state(
    seed: int,
) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    world, say = market(
        circuit_breaker=10**6, max_queue_size=10**6 + 100, max_payload=1000, log_bytes=4 * 4096,
    )  # fmt: skip
    feed, truth, consumers = Feed(chance), list[bytes](), list[Any]()
    for _ in range(400):
        if chance.random() < 0.08 and len(consumers) < 20:
            consumers.append(join(world, chance, len(truth), on_lag=3))
        truth += say(*feed.some())
        for consumer in consumers:
            if chance.random() < 0.3:
                consumer.sock.room = chance.choice([0, 1, 50, 400, 3000])
                world.write(consumer.sock)
            consumer.follow(truth)
    for consumer in consumers:
        world.read(consumer.sock)
        consumer.follow(truth)
        frames, books = state_at(truth, len(truth), consumer.wanted)
        assert consumer.view.frames == frames
        assert {id: (b.sequence, b.bids, b.asks) for id, b in consumer.view.reader.books.items()
                } == books  # fmt: skip
    assert (GapReason.TOO_OLD, True) in [gap for consumer in consumers for gap in consumer.gaps]
    world.accounted()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.usefixtures("small_pieces")
def test_what_is_said_within_tight_bounds_is_less_and_never_wrong(seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    world, say = market(
        snapshot_bytes=chance.choice([1500, 4000, 12_000]), snapshot_instruments=4,
        circuit_breaker=10**6, max_queue_size=10**6 + 100,
    )  # fmt: skip
    feed, truth, consumers = Feed(chance), list[bytes](), list[Any]()
    for _ in range(250):
        truth += say(*feed.some())
        if chance.random() < 0.08 and len(consumers) < 25:
            consumers.append(join(world, chance, len(truth)))
        for consumer in consumers:
            if chance.random() < 0.4:
                consumer.sock.room = chance.choice([0, 1, 50, 400, 5000])
                world.write(consumer.sock)
            consumer.look()
    ended = [(consumer, *one) for consumer in consumers for one in consumer.at_end if consumer.live]
    for consumer, position, frames, books in ended:
        whole_frames, whole_books = state_at(truth, position, consumer.wanted)
        assert frames.items() <= whole_frames.items()
        assert all(whole_books[id] == book for id, book in books.items())
    assert words(world)["snapshot_bytes"] <= world.config.snapshot_bytes
    assert sum(words(world)["snapshot_dropped"]) > 0
    world.accounted()


def join(world: World, chance: random.Random, end: int, on_lag: int = 0) -> Any:
    """A consumer of some kind: `live` where each of its snapshots is of the log's end."""
    _, sock = world.connect()
    sock.room = chance.choice([100, 500, 1 << 20])
    past = chance.random() < 0.3
    options: dict[str, Any] = {"on_lag": on_lag or (3 if past else 1)}
    if past:
        options |= {"start": 1, "start_position": chance.randrange(end + 1)}
    types = chance.choice([(), (), (2, 3), (3, 10)])
    ids = chance.choice([(), (), tuple(PAIRS[:2])])
    consumer: Any = Consumer(world, sock, types, ids, **options)
    consumer.live = not past
    return consumer


# After a restart ----------------------------------------------------------------------------------


def test_a_successor_knows_what_the_log_still_has() -> None:
    world, say = market()
    frames = say(InstrumentDiscovered(PAIRS[0], 8, "A"), quote(PAIRS[0], 1), book(PAIRS[0], 1))
    frames += say(book(PAIRS[0], 2, kind=2))
    abandon(world.state)
    successor = World(state=world.state)
    assert late(successor).said == frames
    assert words(successor)["snapshot_instruments"] == 1


def test_a_real_relay_tells_a_late_consumer_what_it_missed(start: Start) -> None:
    relay = start()
    producer = relay.client()
    frames = [
        one.frame(sequence=n, source=1)
        for n, one in enumerate(
            [quote(PAIRS[0], 1), book(PAIRS[0], 1), quote(PAIRS[0], 2), book(PAIRS[0], 2, 2)], 1
        )
    ]
    producer.send(*frames)
    eventually(lambda: relay.end() == 4, "all are in the log")
    for _ in range(2):
        consumer = relay.client()
        consumer.hello(ROLE)
        begin = decode(consumer.frame())
        assert isinstance(begin, Snapshot)
        assert (begin.count, begin.position) == (1, 4)
        assert [consumer.frame() for _ in range(3)] == [frames[2], frames[1], frames[3]]
        assert decode(consumer.frame()) == begin.replace(kind=2)
        relay.kill()
        relay.start()


def test_others_are_served_while_one_does_not_read_its_large_snapshot(start: Start) -> None:
    relay = start(send_buffer=65_536, log_bytes=16 * MIB)
    pairs = [InstrumentId.spot(VenueId.BINANCE, f"P{n}") for n in range(3000)]
    producer, live, slow = relay.client(), relay.client(), relay.client()
    count = iter(range(1, 1 << 40))
    kept = [
        one.frame(sequence=next(count), source=1)
        for pair in pairs
        for one in (quote(pair, 1), book(pair, 1, levels=20))
    ]
    producer.send(*kept)
    eventually(lambda: relay.end() == len(kept), "all are in the log")
    live.hello(1)
    slow.send(hello(ROLE))
    assert slow.control(105).end_position == len(kept)
    later = [
        one.frame(sequence=next(count), source=1)
        for pair in pairs
        for one in (quote(pair, 2), book(pair, 2))
    ]
    producer.send(*later)
    assert live.data(len(later)) == later
    begin = slow.control(101)
    assert (begin.kind, begin.count, begin.position) == (1, len(pairs), len(kept))
    assert slow.data(len(kept)) == kept
    assert slow.control(101).kind == 2
    assert slow.data(len(later)) == later
