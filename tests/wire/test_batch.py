"""Many frames at once: what arrays hold is what messages say, and what they refuse is refused.

The messages are the reference throughout: one by one they encode, decode and complain.
"""

import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import checksum
from protocol.control import Ack, Hello, Snapshot, SnapshotKind
from protocol.errors import ChecksumError, FieldError, HeaderError, ProtocolError, SchemaError
from protocol.header import HEADER_SIZE, Header
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import BookKind, InstrumentDiscovered, OrderBook, Quote, Side, Trade
from protocol.message import Message, Unknown
from protocol.message import decode as decode_one
from protocol.tails import Level
from tests.wire.strategies import ANY_MESSAGE, CLASSES, STAMPS, structures

np = pytest.importorskip(
    "numpy", reason="numpy is an extra: pip install 'alphapulse-relays[numpy]'"
)
batch = pytest.importorskip("protocol.batch")

PAIR = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
TRADE = Trade(PAIR, price=-5, volume=7, side=Side.SELL, flags=3)
QUOTE = Quote(PAIR, bid_price=1, ask_price=2, bid_size=3, ask_size=4)
BOOK = OrderBook(PAIR, BookKind.DELTA, 9, bids=(Level(99, 5), Level(98, 0)), asks=(Level(101, 1),))
EXACT = [cls for cls in CLASSES if cls.EXACT]
UNKNOWN = st.builds(Unknown, st.just(77), st.integers(1, 255), st.binary(max_size=80))
STREAMS = st.lists(st.tuples(ANY_MESSAGE | UNKNOWN, STAMPS), max_size=12)


def frames_of(stream: list[tuple[Message | Unknown, dict[str, int]]]) -> list[bytes]:
    return [message.frame(**stamps) for message, stamps in stream]


def plain(row: Any, name: str) -> object:
    """A field of a row as the message has it."""
    value = row[name]
    if value.dtype == batch.INSTRUMENT:
        return InstrumentId._make(value.item())
    if value.dtype in (batch.U128, batch.I128):
        return batch.integers(value.reshape(1))[0]
    return value.tobytes() if value.ndim else value.item()


@given(STREAMS)
def test_rows_hold_what_the_messages_say_and_the_order_is_kept(
    stream: list[tuple[Message | Unknown, dict[str, int]]],
) -> None:
    frames = frames_of(stream)
    decoded = batch.decode(b"".join(frames))
    assert len(decoded) == len(stream)
    assert list(decoded) == [message for message, _ in stream]
    seen = 0
    for column in [*decoded.columns.values(), decoded.unread]:
        assert list(column.frames) == sorted(column.frames)
        for row in range(len(column)):
            check_row(column, row, stream[column.frames[row]][0], frames)
        seen += len(column)
    assert seen == len(stream)


def check_row(column: Any, row: int, message: Message | Unknown, frames: list[bytes]) -> None:
    number = int(column.frames[row])
    header = Header.unpack(frames[number])
    assert column.rows["header"][row].item() == tuple(header)
    assert column.offsets[row] == sum(map(len, frames[:number]))
    assert column.payload(row) == frames[number][HEADER_SIZE:]
    assert column.message(row) == message
    if isinstance(message, Message):
        for one in message.FIELDS:
            if one.wire and one.kind != "pad":
                assert plain(column.rows[row], one.name) == getattr(message, one.name), one.name
            elif one.tail:
                tail = one.tail.encode(getattr(message, one.name))
                assert column.tail(row, one.name) == tail


@given(st.sampled_from(EXACT).flatmap(lambda cls: st.lists(structures(cls), min_size=1)), STAMPS)
def test_rows_become_the_frames_that_the_messages_make(
    same: list[Message], stamps: dict[str, int]
) -> None:
    cls = type(same[0])
    frames = b"".join(message.frame(**stamps) for message in same)
    rows = batch.decode(frames)[cls].rows
    assert batch.encode(cls, rows) == frames
    bare = np.empty(len(rows), batch.payload_dtype(cls))
    bare[...] = np.frombuffer(frames, payload_places(cls))["payload"]
    again = batch.encode(cls, bare, **stamps | {"sequence": [stamps["sequence"]] * len(rows)})
    assert again == frames
    own = rows.copy()
    own["header"] = np.zeros(1, batch.HEADER)
    assert batch.seal(cls, own, **stamps | {"sequence": [stamps["sequence"]] * len(rows)}) == frames


def payload_places(cls: type[Message]) -> Any:
    return np.dtype([("header", "V32"), ("payload", batch.payload_dtype(cls))])


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__name__}")
def test_every_class_has_a_packed_dtype_with_its_fields_in_their_places(
    cls: type[Message],
) -> None:
    kind = batch.dtype(cls)
    named = [one for one in cls.FIELDS if one.wire and one.kind != "pad"]
    assert kind.names == ("header", *(one.name for one in named))
    assert [kind.fields[one.name][1] for one in named] == [32 + one.offset for one in named]
    assert kind.itemsize == HEADER_SIZE + sum(one.size for one in cls.FIELDS if one.wire)
    assert batch.payload_dtype(cls).itemsize == kind.itemsize - HEADER_SIZE
    assert batch.dtype(cls) is kind


def test_adjacent_frames_of_one_type_are_a_view_of_the_buffer() -> None:
    buffer = bytearray(b"".join(TRADE.frame(sequence=n) for n in range(5)))
    rows = batch.decode(buffer)[Trade].rows
    buffer[64 + 44] = 9
    assert rows["price"][1] & 0xFF == 9
    rows["volume"][2] = 1234
    assert Trade.decode(buffer, 128, verify=False).volume == 1234
    with pytest.raises(BufferError):
        buffer.append(0)


def test_a_view_of_a_buffer_that_cannot_change_cannot_either() -> None:
    column = batch.decode(TRADE.frame() * 3)[Trade]
    assert column.borrowed
    assert not column.rows.flags.writeable


def test_a_run_among_others_is_a_view_and_what_is_scattered_a_copy() -> None:
    buffer = QUOTE.frame() + TRADE.frame() * 4 + QUOTE.frame()
    decoded = batch.decode(buffer)
    trades, quotes = decoded[Trade], decoded[Quote]
    assert (trades.borrowed, quotes.borrowed) == (True, False)
    assert trades.frames.tolist() == [1, 2, 3, 4]
    assert trades.offsets.tolist() == [80, 144, 208, 272]
    assert quotes.frames.tolist() == [0, 5]
    assert np.shares_memory(trades.rows, np.frombuffer(buffer, np.uint8))
    assert quotes.rows["ask_size"].tolist() == [4, 4]


def test_books_of_one_size_are_a_view_whose_rows_stand_a_frame_apart() -> None:
    column = batch.decode(BOOK.frame() * 3)[OrderBook]
    assert column.borrowed
    assert column.rows.strides == (len(BOOK.frame()),)
    assert column.rows["book_sequence"].tolist() == [9, 9, 9]


def test_levels_of_a_book_are_an_array_over_the_buffer() -> None:
    buffer = BOOK.frame() + TRADE.frame() + OrderBook(PAIR, BookKind.SNAPSHOT, 10).frame()
    column = batch.decode(buffer)[OrderBook]
    bids = column.levels(0, "bids")
    assert bids.tolist() == [(99, 5), (98, 0)]
    assert np.shares_memory(bids, np.frombuffer(buffer, np.uint8))
    assert column.levels(0, "asks").tolist() == [(101, 1)]
    assert column.levels(1, "asks").tolist() == []
    with pytest.raises(KeyError):
        column.tail(0, "price")


def test_compressed_and_unknown_frames_are_kept_by_header_and_place() -> None:
    compressed = Unknown(Trade.TYPE, Trade.VERSION, b"squeezed").frame(sequence=4, flags=1)
    buffer = TRADE.frame() + compressed + Unknown(200, 9, b"").frame()
    unread = batch.decode(buffer).unread
    assert unread.frames.tolist() == [1, 2]
    assert unread.rows["header"]["message_type"].tolist() == [1, 200]
    assert bytes(unread.payload(0)) == b"squeezed"
    assert unread.message(1) == Unknown(200, 9, b"")


def test_nothing_is_an_empty_batch() -> None:
    decoded = batch.decode(b"")
    assert (len(decoded), len(decoded[Trade]), len(decoded.unread)) == (0, 0, 0)
    assert batch.encode(Trade, decoded[Trade].rows, sequence=1) == b""


def damaged(frames: list[bytes], number: int, at: int, value: int) -> bytes:
    frame = bytearray(frames[number])
    frame[at] = value
    return b"".join([*frames[:number], bytes(frame), *frames[number + 1 :]])


@pytest.mark.parametrize("number", [0, 3, 6])
@pytest.mark.parametrize(
    ("at", "value", "error", "said"),
    [
        (0, 0, HeaderError, "magic of frame"),
        (8, 31, SchemaError, "expected 32 payload bytes, got 31"),
        (5, 2, ChecksumError, "checksum of trade"),
        (40, 99, ChecksumError, "checksum of trade"),
    ],
)
def test_what_is_wrong_names_the_frame_and_its_offset(
    number: int, at: int, value: int, error: type[ProtocolError], said: str
) -> None:
    frames = [TRADE.frame() if n % 3 == 0 else QUOTE.frame() for n in range(8)]
    offset = sum(map(len, frames[:number]))
    with pytest.raises(error, match=f"frame {number} at {offset}") as caught:
        batch.decode(damaged(frames, number, at, value))
    assert said in str(caught.value)
    assert type(caught.value) is error


@pytest.mark.parametrize("left", [1, 31, 32, 63])
def test_a_cut_end_names_the_frame_and_its_offset(left: int) -> None:
    with pytest.raises(HeaderError, match="frame 2 at 128"):
        batch.decode((TRADE.frame() * 3)[: 128 + left])


def test_a_value_that_no_message_may_have_is_refused_unless_not_looked_at() -> None:
    frame = bytearray(TRADE.frame())
    frame[60] = 77
    buffer = TRADE.frame() + resealed(frame) + QUOTE.frame()
    with pytest.raises(FieldError, match=r"trade.side of frame 1 at 64: expected .*, got 77"):
        batch.decode(buffer)
    assert batch.decode(buffer, check=False)[Trade].rows["side"].tolist() == [2, 77]


def test_a_count_that_runs_past_its_frame_is_refused() -> None:
    frame = bytearray(BOOK.frame())
    frame[60] = 200
    buffer = TRADE.frame() + resealed(frame)
    with pytest.raises(FieldError, match=r"order_book.bid_count of frame 1 at 64"):
        batch.decode(buffer)
    column = batch.decode(buffer, check=False)[OrderBook]
    with pytest.raises(FieldError, match=r"bid_count of frame 1 at 64: expected at most 3, got"):
        column.levels(0, "bids")


@pytest.mark.parametrize("whole_arrays", [False, True])
def test_what_a_class_demands_beyond_single_fields_is_looked_at_too(
    whole_arrays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(OrderBook, "sound_rows", raising=False)
    if whole_arrays:
        rule = staticmethod(lambda rows: rows["part"] <= rows["parts"])
        monkeypatch.setattr(OrderBook, "sound_rows", rule, raising=False)
    frame = bytearray(BOOK.frame())
    frame[56] = 2
    with pytest.raises(FieldError, match=r"order_book.part of frame 2 at 224"):
        batch.decode(BOOK.frame() * 2 + resealed(frame))


def resealed(frame: bytearray) -> bytes:
    from protocol.checksum import seal

    seal(frame)
    return bytes(frame)


def test_checksums_are_left_alone_when_nobody_asks() -> None:
    frames = [TRADE.frame()] * 3
    decoded = batch.decode(damaged(frames, 1, 44, 1), verify=False)
    assert decoded[Trade].rows["price"][1] != decoded[Trade].rows["price"][0]


def trades(count: int) -> Any:
    rows = np.zeros(count, batch.payload_dtype(Trade))
    rows["instrument_id"] = tuple(PAIR)
    rows["price"] = np.arange(count)
    return rows


def test_sequences_count_up_and_stamps_go_into_every_header() -> None:
    frames = batch.encode(Trade, trades(100), sequence=2**64 - 100, timestamp=5, source=3, flags=16)
    headers = batch.decode(frames)[Trade].rows["header"]
    assert headers["sequence"].tolist() == list(range(2**64 - 100, 2**64))
    assert set(headers["timestamp"].tolist()) == {5}
    assert set(headers["source"].tolist()) == {3}
    assert set(headers["flags"].tolist()) == {16}
    assert decode_one(frames, 64 * 99) == Trade(PAIR, price=99, volume=0)


def test_sequences_and_timestamps_can_be_one_for_each_row() -> None:
    stamps = [7, 9, 2**63]
    frames = batch.encode(Trade, trades(3), sequence=stamps, timestamp=np.array([3, 2, 1], "i4"))
    headers = batch.decode(frames)[Trade].rows["header"]
    assert headers["sequence"].tolist() == stamps
    assert headers["timestamp"].tolist() == [3, 2, 1]


def test_without_headers_nothing_given_is_zero() -> None:
    headers = batch.decode(batch.encode(Trade, trades(2)))[Trade].rows["header"]
    for name in ("sequence", "timestamp", "source", "flags"):
        assert headers[name].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("stamps", "named"),
    [
        ({"sequence": 2**64 - 2}, "header.sequence"),
        ({"sequence": -1}, "header.sequence"),
        ({"sequence": [1, 2, -3]}, "header.sequence of row 2"),
        ({"sequence": [1, 2]}, "header.sequence"),
        ({"timestamp": 1.5}, "header.timestamp"),
        ({"timestamp": [1.0, 2.0, 3.0]}, "header.timestamp"),
        ({"source": 256}, "header.source"),
        ({"flags": 1}, "header.flags"),
    ],
)
def test_header_values_that_do_not_fit_are_named(stamps: dict[str, Any], named: str) -> None:
    with pytest.raises(FieldError, match=named):
        batch.encode(Trade, trades(3), **stamps)


def test_a_value_that_is_not_allowed_names_field_row_and_value() -> None:
    rows = trades(100)
    rows["side"][57] = 9
    with pytest.raises(FieldError, match=r"trade.side of row 57: expected .*2 SELL.*, got 9"):
        batch.encode(Trade, rows)


def test_pads_become_zero_whatever_was_in_memory() -> None:
    rows = np.frombuffer(b"\xff" * 128, np.uint8).copy().view(batch.dtype(Trade))
    rows["side"] = 1
    rows["header"]["flags"] = 0
    frames = bytes(batch.seal(Trade, rows))
    assert [frames[62:64], frames[126:128]] == [b"\0\0"] * 2
    assert len(batch.decode(frames)) == 2


def test_rows_are_sealed_where_they_are() -> None:
    rows = np.zeros(3, batch.dtype(Trade))
    rows["volume"] = [1, 2, 3]
    frames = batch.seal(Trade, rows, sequence=5)
    assert rows["header"]["sequence"].tolist() == [5, 6, 7]
    assert batch.decode(frames)[Trade].rows["volume"].tolist() == [1, 2, 3]
    assert np.shares_memory(rows, np.asarray(frames))


def test_rows_that_stand_apart_or_backwards_are_encoded_in_their_order() -> None:
    rows = trades(10)
    for some in (rows[::3], rows[::-1], rows[4:4]):
        decoded = batch.decode(batch.encode(Trade, some, sequence=1))
        assert decoded[Trade].rows["price"].tolist() == some["price"].tolist()


def test_what_is_no_array_of_the_class_is_refused() -> None:
    wrong = [
        np.zeros(2, batch.dtype(Quote)),
        np.zeros((2, 2), batch.dtype(Trade)),
        np.zeros(64, np.uint8),
        np.zeros(2, [("price", "f8")]),
    ]
    for rows in wrong:
        with pytest.raises(SchemaError, match="rows of trade version 1"):
            batch.encode(Trade, rows)
    with pytest.raises(SchemaError, match="contiguous"):
        batch.seal(Trade, np.zeros(4, batch.dtype(Trade))[::2])
    with pytest.raises(SchemaError, match="without tails"):
        batch.encode(Hello, np.zeros(1, batch.dtype(Hello)))


@given(st.lists(st.integers(0, 2**128 - 1)), st.lists(st.integers(-(2**127), 2**127 - 1)))
def test_wide_integers_survive_their_two_halves(plus: list[int], both: list[int]) -> None:
    assert batch.integers(batch.halves(plus)) == plus
    assert batch.integers(batch.halves(both, signed=True)) == both


def test_wide_integers_that_do_not_fit_name_their_row() -> None:
    with pytest.raises(FieldError, match="row 1 of 128-bit integers"):
        batch.halves([1, 2**128])


@pytest.mark.parametrize("seed", range(20))
def test_damaged_streams_give_what_single_messages_give_or_the_protocols_error(seed: int) -> None:
    chance = random.Random(seed)
    print(f"seed {seed}")
    symbol = InstrumentDiscovered(PAIR, decimals=8, symbol="BTC-USDT")
    choice: list[Message | Unknown] = [
        TRADE,
        QUOTE,
        BOOK,
        symbol,
        Ack(1, 2),
        Snapshot(SnapshotKind.BEGIN, 2, 3),
        Unknown(99, 1, b"xyz"),
    ]
    stream = bytearray(b"".join(chance.choice(choice).frame() for _ in range(20)))
    for _ in range(50):
        hurt = bytearray(stream)
        hurt[chance.randrange(len(hurt))] = chance.randrange(256)
        del hurt[chance.choice([len(hurt), chance.randrange(len(hurt))]) :]
        for verify in (True, False):
            assert outcome(many, hurt, verify) == outcome(one_by_one, hurt, verify)


def many(stream: bytearray, verify: bool) -> list[Message | Unknown]:
    return list(batch.decode(stream, verify=verify))


def one_by_one(stream: bytearray, verify: bool) -> list[Message | Unknown]:
    found, at = [], 0
    while at < len(stream):
        found.append(decode_one(stream, at, verify=verify))
        at += HEADER_SIZE + Header.unpack(stream, at).payload_size
    return found


def outcome(
    work: Callable[[bytearray, bool], list[Message | Unknown]], stream: bytearray, verify: bool
) -> object:
    try:
        return work(stream, verify)
    except ProtocolError:
        return ProtocolError


def test_nothing_else_in_the_package_needs_numpy() -> None:
    code = (
        "import sys; sys.modules['numpy'] = None; import protocol.message as m; m.catalogue(); "
        "import protocol.schema, protocol.spec, protocol.as_json"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("name", ["sequence", "timestamp", "source", "flags"])
def test_an_array_of_header_values_that_do_not_fit_names_the_row(name: str) -> None:
    rows = np.zeros(2, batch.payload_dtype(Ack))
    for bad in (-1, 256) if name in ("source", "flags") else (-1,):
        wrong: Any = {name: np.array([4, bad])}
        with pytest.raises(FieldError, match=rf"header\.{name} of row 1: expected 0 to .*{bad}"):
            batch.encode(Ack, rows, **wrong)
    right: Any = {name: np.array([4, 8], np.uint8)}
    sealed = batch.encode(Ack, rows, **right)
    headers = [Header.unpack(sealed, at) for at in (0, len(sealed) // 2)]
    assert [getattr(header, name) for header in headers] == [4, 8]


def test_order_books_are_checked_as_arrays_and_one_by_one_alike() -> None:
    pair = InstrumentId.spot(1, "BTCUSDT")
    good = OrderBook(pair, BookKind.SNAPSHOT, 1, part=2, parts=3, bids=(Level(1, 2),)).frame()
    assert len(batch.decode(good + good)[OrderBook]) == 2
    bad = bytearray(good)
    at = 32 + next(one.offset for one in OrderBook.FIELDS if one.name == "part")
    bad[at : at + 2] = (4).to_bytes(2, "little")
    checksum.seal(bad)
    with pytest.raises(FieldError, match=f"order_book.part of frame 1 at {len(good)}: .*got 4"):
        batch.decode(good + bad)
