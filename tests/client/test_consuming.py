"""A consumer's core without sockets: cut anywhere, it goes on exactly where it was."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.catalogue import MessageType
from protocol.checksum import crc32
from protocol.control import (
    UNKNOWN_COUNT,
    Error,
    Gap,
    GapReason,
    Heartbeat,
    Hello,
    Snapshot,
    SnapshotKind,
    Start,
    chain_tlvs,
)
from protocol.errors import FieldError, HeaderError
from protocol.header import Header
from protocol.instruments import InstrumentId
from protocol.market_data import OrderBook, Quote
from protocol.message import Message, decode
from protocol.reject import Reject
from relays.client.consuming import Had, Run
from relays.client.errors import ClientError, LinkClosed
from relays.client.subscription import Subscription, subscription
from tests.client.wire import (
    PAIRS,
    Played,
    Wire,
    apart,
    beat,
    lost,
    mixed,
    snapshot_edges,
    welcome,
)
from tests.daemon.fake_edge import World, new_state

KIB = 1 << 10
FILTERS: list[dict[str, object]] = [
    {"types": ["Quote"]},
    {"instruments": [PAIRS[0]]},
    {"types": [1], "instruments": PAIRS[1:]},
    {"types": [OrderBook]},
    {},
]


def wanted_of(name: dict[str, object], **more: object) -> Subscription:
    return subscription(**{**name, **more, "heartbeat_ms": 100})  # type: ignore[arg-type]


def passes(frame: bytes, wanted: Subscription) -> bool:
    """What a filter is, in two lines."""
    message, kind = decode(frame), Header.unpack(frame).message_type
    where: InstrumentId = message.instrument_id  # type: ignore[union-attr]
    return (not wanted.types or kind in wanted.types) and (
        not wanted.instruments or where in wanted.instruments
    )


# --- a real relay core, cut at random ---


def play(
    seed: int, cuts: int, consumers: int, log_bytes: int, room: int
) -> tuple[list[Wire], list[bytes]]:
    """Consumers of every filter on one relay; each is cut `cuts` times at random bytes, while
    frames are published and time passes. Gives them, and all that was published."""
    choose = random.Random(seed)
    world = World(log_bytes)
    _, producer = world.connect()
    wires = [
        Wire(world, wanted_of(FILTERS[n % len(FILTERS)], start="oldest"), room)
        for n in range(consumers)
    ]
    published: list[bytes] = []
    while min(wire.core.welcomes for wire in wires) <= cuts:
        new = mixed(len(published) + 1, choose.choices(range(6), k=choose.randrange(12)))
        published += new
        world.send(producer, *new)
        world.pass_time(choose.choice([0, 1, 40, 130]))
        for wire in wires:
            wire.read(choose.choice([0, 1, 31, 90, 300, 2_000]))
            if choose.random() < 0.5:
                wire.cut()
    for _ in range(40):
        world.pass_time(100)
        for wire in wires:
            wire.read_all()
    world.accounted()
    return wires, published


def test_every_filter_resumes_exactly_at_a_thousand_random_cut_points() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    wires, published = play(
        seed, cuts=1000, consumers=len(FILTERS), log_bytes=8192 * KIB, room=1 << 30
    )
    for wire in wires:
        expected = [one for one in published if passes(one, wire.core.wanted)]
        assert wire.frames == expected
        assert wire.gaps == []
        assert wire.core.welcomes > 1000
    assert wires[-1].placed == list(enumerate(published))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_a_slow_consumer_misses_is_in_its_gaps_and_nothing_else_is(seed: int) -> None:
    # A log that holds few frames, and sockets that hold fewer: consumers are overtaken.
    wires, published = play(seed, cuts=40, consumers=len(FILTERS), log_bytes=16 * KIB, room=2_000)
    sequences = {one: n for n, one in enumerate(published)}
    for wire in wires:
        got = [sequences[one] for one in wire.frames]
        assert got == sorted(set(got)), "in order, none twice"
        missing = {n for gap in wire.gaps for n in range(gap.first_position, gap.last_position + 1)}
        expected = [n for one, n in sequences.items() if passes(one, wire.core.wanted)]
        assert set(expected) - set(got) <= missing
        if not wire.core.wanted.filtered:
            assert not missing & set(got)
            assert wire.placed == [(n, published[n]) for n in got]


def last_quotes(frames: list[bytes]) -> dict[InstrumentId, Quote]:
    quotes = [one for one in map(decode, frames) if isinstance(one, Quote)]
    return {one.instrument_id: one for one in quotes}


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_snapshots_and_the_feed_give_the_state_of_who_was_there_from_the_start(seed: int) -> None:
    choose = random.Random(seed)
    world = World(16 * KIB, max_payload=512)
    _, producer = world.connect()
    asked = [wanted_of(one, snapshot=True) for one in (FILTERS[0], FILTERS[-1])]
    wires, published = list[Wire](), list[bytes]()
    for turn in range(200):
        # Quotes end early: who misses the last ones has them of a snapshot, or not at all.
        kinds = range(6) if turn < 80 else range(0, 6, 2)
        new = mixed(len(published) + 1, choose.choices(kinds, k=choose.randrange(12)))
        published += new
        world.send(producer, *new)
        world.pass_time(choose.choice([0, 40, 300]))
        if choose.random() < 0.05:
            wires.append(Wire(world, choose.choice(asked), room=2_000))
        for wire in wires:
            wire.read(choose.choice([0, 31, 200, 700]))  # slower than it comes
            if choose.random() < 0.05:
                wire.cut()
    for wire in wires:
        for _ in range(40):
            world.pass_time(100)
            wire.read_all()
        state: list[bytes] = []
        for item in wire.items:
            if isinstance(item, Run):
                state += apart(item.data)
            elif isinstance(item, Snapshot) and item.kind == SnapshotKind.BEGIN:
                state.clear()
        assert last_quotes(state) == last_quotes(published)


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("room", [1 << 30, 100])
def test_what_was_there_before_is_replayed_exactly_also_with_a_filter(
    filter: dict[str, object], room: int
) -> None:
    world = World(64 * KIB)
    _, producer = world.connect()
    kinds = random.Random(5).choices(range(6), k=60)
    frames = mixed(1, kinds)
    world.send(producer, *frames[:30])
    wire = Wire(world, wanted_of(filter, start="oldest"), room)
    world.send(producer, *frames[30:])
    wire.read_all()
    for replayed, those in ((True, frames[:30]), (False, frames[30:])):
        got = [one for run in wire.runs if run.replayed == replayed for one in apart(run.data)]
        assert got == [one for one in those if passes(one, wire.core.wanted)]


def test_another_log_is_a_gap_with_reason_three_and_everything_of_it_comes() -> None:
    for filter in FILTERS:
        old, new = World(64 * KIB), World(64 * KIB, new_state(64 * KIB, log_id=12))
        for world, count in ((old, 30), (new, 7)):
            world.send(world.connect()[1], *mixed(1, range(count)))
        wire = Wire(old, wanted_of(filter, start="oldest"))
        wire.read_all()
        before = len(wire.frames)
        wire.world = new
        wire.cut()
        wire.read_all()
        assert [gap.reason for gap in wire.gaps] == [GapReason.LOG_REPLACED]
        kept = [one for one in mixed(1, range(7)) if passes(one, wire.core.wanted)]
        assert wire.frames[before:] == kept
        assert wire.core.log_id == 12


# --- a relay by hand ---

LIVE = subscription(types=())
QUOTES = subscription(types=[Quote])
FRAMES = mixed(1, [1] * 12)


def frames(items: list[object]) -> list[bytes]:
    return [one for item in items if isinstance(item, Run) for one in apart(item.data)]


def test_a_filtered_consumer_asks_for_the_position_it_was_told_and_discards_what_it_had() -> None:
    played = Played(QUOTES)
    played.connect(welcome(100), *FRAMES[:3], beat(140), *FRAMES[3:6])
    played.core.ended(0.0)
    again = played.connect(welcome(140, end=150), *FRAMES[3:5])
    hello = Hello.decode(played.hello)
    assert (hello.start, hello.start_position, hello.log_id) == (Start.AT_POSITION, 140, 9)
    assert again == []
    assert frames(list(played.say(*FRAMES[5:9]))) == FRAMES[6:9]


def test_after_a_gap_what_was_had_is_known_by_its_headers() -> None:
    played = Played(QUOTES)
    played.connect(welcome(100), *FRAMES[:6])
    played.core.ended(0.0)
    gap = lost(100, 119, GapReason.TOO_OLD)
    # The first three are among those that are gone.
    assert played.connect(welcome(120, end=130), gap, *FRAMES[3:6]) == [gap]
    assert frames(list(played.say(*FRAMES[6:8]))) == FRAMES[6:8]
    played.core.ended(0.0)
    assert played.connect(welcome(120, end=130), *FRAMES[3:8]) == []
    played.core.ended(0.0)
    # All of them are gone: what comes is new, and cut off again it is had.
    later = lost(120, 160, GapReason.TOO_OLD)
    assert frames(list(played.connect(welcome(161), later, *FRAMES[9:11]))) == FRAMES[9:11]
    played.core.ended(0.0)
    assert frames(list(played.connect(welcome(161), *FRAMES[9:12]))) == FRAMES[11:12]


def test_a_connection_lost_between_welcome_and_its_gap_hides_nothing() -> None:
    played = Played(LIVE)
    played.connect(welcome(10), *FRAMES[:2])
    played.core.ended(0.0)
    played.connect(welcome(50))
    played.core.ended(0.0)
    gap = lost(12, 59, GapReason.TOO_OLD)
    assert played.connect(welcome(60), gap)[0] == gap
    assert Hello.decode(played.hello).start_position == 12


def test_a_gap_that_no_relay_names_is_named_all_the_same() -> None:
    played = Played(LIVE)
    played.connect(welcome(10), *FRAMES[:2])
    played.core.ended(0.0)
    gap, run = played.connect(welcome(50), FRAMES[5])
    assert gap == lost(12, 49, GapReason.TOO_OLD)
    assert isinstance(run, Run)
    assert run.position == 50
    played.core.ended(0.0)
    gap, run = played.connect(welcome(3, log_id=10), FRAMES[5])
    assert gap == Gap(51, 51, UNKNOWN_COUNT, GapReason.LOG_REPLACED)
    assert isinstance(run, Run)
    assert (run.position, run.log_id) == (3, 10)


def test_frames_below_the_end_at_welcome_are_replayed_and_no_others() -> None:
    played = Played(subscription(start=5))
    items = played.connect(welcome(5, end=8), b"".join(FRAMES[:6]))
    assert [(i.position, i.frames, i.replayed) for i in items if isinstance(i, Run)] == [
        (5, 3, True), (8, 3, False),
    ]  # fmt: skip
    filtered = Played(subscription(start=5, types=[Quote]))
    first = filtered.connect(welcome(5, end=8), FRAMES[0], beat(7), FRAMES[1])
    then = filtered.say(beat(8), FRAMES[2])
    assert [i.replayed for i in [*first, *then] if isinstance(i, Run)] == [True, True, False]


def test_what_precedes_welcome_is_skipped() -> None:
    played = Played(subscription(types=[Quote], snapshot=True))
    before: list[Message | bytes] = [FRAMES[0], lost(1, 2), beat(7), *snapshot_edges(3), FRAMES[1]]
    assert played.connect(*before, welcome(10)) == []
    assert (played.core.position, list(played.core.gaps)) == (10, [])


def test_a_snapshot_is_marked_and_moves_no_position() -> None:
    played = Played(subscription(snapshot=True))
    begin, end = snapshot_edges(10)
    items = played.connect(welcome(10), begin, *FRAMES[:3], end, FRAMES[5])
    assert (items[0], items[2]) == (begin, end)
    inside, after = items[1], items[3]
    assert isinstance(inside, Run)
    assert isinstance(after, Run)
    assert (inside.frames, inside.snapshot, inside.position) == (3, True, None)
    assert (after.snapshot, after.position) == (False, 10)


def test_who_goes_on_without_a_hole_gets_no_second_snapshot_and_who_has_a_gap_does() -> None:
    for wanted in (subscription(snapshot=True), subscription(snapshot=True, types=[Quote])):
        played = Played(wanted)
        begin, end = snapshot_edges(10)
        played.connect(welcome(10), begin, FRAMES[0])  # cut inside: it comes again
        played.core.ended(0.0)
        again = played.connect(welcome(10), begin, FRAMES[0], end, FRAMES[5], beat(11))
        assert [again[0], again[2]] == [begin, end]
        played.core.ended(0.0)
        begin, end = snapshot_edges(11)
        assert frames(list(played.connect(welcome(11), begin, FRAMES[1], end, FRAMES[6]))) == [
            FRAMES[6]
        ]
        gap, later = lost(12, 19), snapshot_edges(20)
        items = played.say(gap, later[0], FRAMES[2], later[1], FRAMES[7])
        assert [items[0], items[1], items[3]] == [gap, *later]
        assert frames(list(items)) == [FRAMES[2], FRAMES[7]]


def test_a_gap_inside_a_snapshot_ends_it() -> None:
    played = Played(subscription(snapshot=True))
    begin, _ = snapshot_edges(10)
    later = snapshot_edges(20)
    gap = lost(10, 19)
    items = played.connect(welcome(10), begin, FRAMES[0], gap, later[0], later[1], FRAMES[1])
    assert items[2:5] == [gap, *later]
    assert isinstance(items[5], Run)
    assert (items[5].position, items[5].snapshot) == (20, False)


@pytest.mark.parametrize("code", [Reject.BAD_HELLO, Reject.ACCESS_DENIED, Reject.FENCED])
def test_what_would_be_refused_again_ends_a_consumer(code: Reject) -> None:
    played = Played(LIVE)
    with pytest.raises(ClientError, match=f"{code.name.lower()}: not you"):
        played.connect(Error(code, fatal=1, text="not you"))


@pytest.mark.parametrize("code", [Reject.SLOW_CONSUMER, Reject.DRAINING, Reject.COOLDOWN, 77])
def test_everything_else_is_tried_again_with_longer_and_longer_waits(code: int) -> None:
    played = Played(LIVE, backoff=(0.1, 1.0))
    waits = []
    for _ in range(8):
        played.connect(Error(code, fatal=1, text="later"), now=5.0)
        waits.append(played.core.ended(5.0) - 5.0)
        assert "later" in played.core.reason
    for n, wait in enumerate(waits):
        assert 0.5 * min(1.0, 0.1 * 2**n) <= wait <= min(1.0, 0.1 * 2**n)
    played.connect(welcome(1))
    assert played.core.ended(5.0) - 5.0 <= 0.1, "a Welcome begins anew"


def test_who_does_not_want_to_reconnect_is_told_why_it_ended() -> None:
    played = Played(LIVE, reconnect=False)
    played.connect(welcome(1), Error(Reject.DRAINING, fatal=1, text="the relay is stopping"))
    with pytest.raises(LinkClosed, match="draining: the relay is stopping"):
        played.core.ended(0.0)


def test_heartbeats_say_how_far_it_is_and_silence_is_death() -> None:
    played = Played(LIVE)
    core = played.core
    played.connect(welcome(10), *FRAMES[:2], now=1.0)
    assert (core.beat(1.5), core.wake) == (b"", 2.0)
    assert Heartbeat.decode(core.beat(2.0)).position == 12
    assert core.wake == 3.0
    assert core.beat(2.1) == b""
    assert Heartbeat.decode(core.beat(2.1, at_once=True)).position == 12
    assert not core.dead(3.9)
    played.say(beat(12), now=3.9)
    assert not core.dead(6.8)
    assert core.dead(6.9)


def test_a_heartbeat_that_is_due_soon_is_said_when_the_relays_comes() -> None:
    played = Played(LIVE)
    core = played.core
    played.connect(welcome(10), now=1.0)
    played.say(beat(10), now=1.4)
    assert core.beat(1.4) == b"", "it was said a moment ago"
    played.say(beat(10), now=1.6)
    assert Heartbeat.decode(core.beat(1.6)).position == 10
    assert (core.beat(1.7), core.wake) == (b"", 2.6)


def test_how_far_a_consumer_is_is_said_once() -> None:
    played = Played(LIVE)
    core = played.core
    played.connect(welcome(10), FRAMES[0], now=1.0)
    assert Heartbeat.decode(core.beat(2.0)).position == 11
    assert core.beat(3.0) == b""
    assert Heartbeat.decode(core.beat(3.1, at_once=True)).position == 11
    played.say(FRAMES[1], now=3.5)
    assert Heartbeat.decode(core.beat(4.1)).position == 12
    played.core.ended(4.2)
    played.connect(welcome(12), now=5.0)
    assert Heartbeat.decode(core.beat(6.0)).position == 12, "to whoever answers now"


def test_a_position_of_another_log_is_told_to_nobody() -> None:
    played = Played(LIVE)
    assert played.core.begin(0.0)
    assert played.core.beat(1.5) == b"", "no Welcome yet"
    assert played.core.wake > 1.5
    played.connect(welcome(900))
    played.core.ended(0.0)
    played.connect(welcome(3, log_id=10))
    assert played.core.beat(9.0, at_once=True) == b""
    played.say(Gap(900, 900, UNKNOWN_COUNT, GapReason.LOG_REPLACED))
    assert Heartbeat.decode(played.core.beat(9.0, at_once=True)).position == 3


def test_what_is_no_frame_is_an_error_that_says_so() -> None:
    played = Played(LIVE)
    with pytest.raises(HeaderError, match="not a frame"):
        played.connect(welcome(10), bytes(64))


def test_had_counts_what_comes_again_however_it_is_cut() -> None:
    heads = [bytes([n]) * 32 for n in range(9)]
    for cut in range(6):
        had = Had()
        assert had.again(b"".join(heads[:5])) == 0
        had.rewind()
        first = had.again(b"".join(heads[:cut]))
        assert first + had.again(b"".join(heads[cut:7])) == 5
        had.rewind()
        assert had.again(b"".join(heads)) == 7


@pytest.mark.parametrize(
    ("given_", "numbers"),
    [
        (Quote, {2}),
        ("Quote", {2}),
        ("order_book", {3}),
        (MessageType.TRADE, {1}),
        ([OrderBook, 77, "trade"], {1, 3, 77}),
    ],
)
def test_types_are_classes_numbers_or_names(given_: object, numbers: set[int]) -> None:
    assert subscription(types=given_).types == numbers  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("argument", "error", "text"),
    [
        ({"types": "Tirade"}, ClientError, "no message type is called 'Tirade'"),
        ({"types": 256}, ClientError, "1 to 255"),
        ({"start": "yesterday"}, FieldError, "the last N"),
        ({"name": "not a name"}, FieldError, "client_name"),
        ({"heartbeat_ms": 1}, FieldError, "heartbeat_ms"),
        ({"on_lag": "panic"}, ClientError, "catch_up"),
        ({"instruments": ["BTC"]}, (ClientError, FieldError), "InstrumentId"),
    ],
)
def test_what_cannot_be_asked_for_is_said_before_anything_is_sent(
    argument: dict[str, object], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        subscription(**argument)  # type: ignore[arg-type]


def test_frames_that_are_not_those_the_relay_accepted_end_the_consumer() -> None:
    frames = mixed(1, range(4))
    chain = crc32(b"".join(frames[:3]), 0x1234)
    played = Played(LIVE)
    played.connect(welcome(100), Heartbeat(100, 0, chain_tlvs(0x1234)), *frames[:3])
    played.say(Heartbeat(103, 0, chain_tlvs(chain)))
    assert played.core.compared == 1
    with pytest.raises(ClientError, match="up to position 104 are not those the relay accepted"):
        played.say(frames[3], Heartbeat(104, 0, chain_tlvs(chain)))


def test_after_a_gap_the_relays_sum_is_taken_anew() -> None:
    (frame,) = mixed(1, [0])
    played = Played(wanted_of({}))
    played.connect(
        welcome(100), Heartbeat(100, 0, chain_tlvs(1)), Gap(100, 109, 10, GapReason.TOO_SLOW)
    )
    played.say(
        frame,
        Heartbeat(111, 0, chain_tlvs(7)),
        frame,
        Heartbeat(112, 0, chain_tlvs(crc32(frame, 7))),
    )
    assert played.core.compared == 1
