"""Views: fields read from the caller's buffer, which they hold and do not copy."""

import tracemalloc
from itertools import pairwise

import pytest

from protocol.control import Ack, Error, Heartbeat
from protocol.errors import ChecksumError, FieldError, HeaderError, ProtocolError, SchemaError
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import BookKind, OrderBook, Quote, Side, Trade
from protocol.message import Message, Unknown
from protocol.tails import Level

BTC = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
TRADE = Trade(BTC, price=-5, volume=6, side=Side.SELL, flags=9)
LEVELS = (Level(9, 1), Level(8, 2))
BOOK = OrderBook(BTC, BookKind.SNAPSHOT, 7, part=1, parts=1, bids=LEVELS, asks=LEVELS)
PRICE_AT, SIDE_AT = 44, 60


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_view_reads_what_was_encoded_wherever_the_frame_lies(kind: type) -> None:
    for message in (TRADE, BOOK, Error(5, text="no")):
        view = type(message).view(kind(b"abc" + message.frame(sequence=3) + b"xyz"), 3)
        assert view == message
        assert view.values() == message.values()
        assert (view.payload, repr(view)) == (message.payload, repr(message))
        assert view.frame(sequence=9) == message.frame(sequence=9)
        assert view.borrowed
        assert not message.borrowed


def test_a_view_shows_what_the_buffer_holds_now_and_its_detached_copy_what_it_held() -> None:
    buffer = bytearray(TRADE.frame())
    view = Trade.view(buffer)
    kept = view.detach()
    buffer[PRICE_AT] = 7
    assert (view.price, kept.price) != (kept.price, view.price)
    assert view.price == int.from_bytes(buffer[PRICE_AT : PRICE_AT + 8], "little", signed=True)
    assert kept == TRADE
    assert hash(kept) == hash(TRADE)
    assert TRADE.detach() is TRADE


def test_a_view_copies_nothing_of_a_large_frame() -> None:
    levels = tuple(Level(n, n) for n in range(2000))
    frame = BOOK.replace(bids=levels).frame()
    OrderBook.view(frame)
    tracemalloc.start()
    view = OrderBook.view(frame)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert used < 1000
    assert len(view.bids) == 2000


def test_a_buffer_cannot_be_resized_while_a_view_of_it_lives() -> None:
    buffer = bytearray(TRADE.frame())
    view = Trade.view(buffer)
    with pytest.raises(BufferError):
        buffer.append(0)
    del view
    buffer.append(0)


def test_a_view_cannot_be_hashed_because_it_can_change() -> None:
    with pytest.raises(TypeError, match="view of a Trade can change"):
        hash(Trade.view(TRADE.frame()))


def test_a_value_that_is_not_allowed_is_an_error_when_it_is_read() -> None:
    buffer = bytearray(TRADE.frame())
    buffer[SIDE_AT] = 9
    view = Trade.view(buffer)
    assert view.price == -5
    with pytest.raises(FieldError, match=r"trade\.side: expected .*, got 9"):
        view.side  # noqa: B018  # reading is what raises
    with pytest.raises(FieldError, match=r"trade\.side"):
        view.detach()


def test_a_view_is_refused_for_anything_but_a_whole_frame_of_its_class() -> None:
    frame = TRADE.frame()
    for size in range(len(frame)):
        with pytest.raises(HeaderError):
            Trade.view(frame[:size])
    for offset in (-1, 1, len(frame)):
        with pytest.raises(HeaderError):
            Trade.view(frame, offset)
    with pytest.raises(SchemaError, match=r"expected trade version 1, got quote version 1"):
        Trade.view(Quote(BTC, 1, 2, 3, 4).frame())
    with pytest.raises(SchemaError, match="no compression"):
        Trade.view(Unknown(1, 1, TRADE.payload).frame(flags=1))


def test_a_view_looks_at_the_checksum_only_when_asked_to() -> None:
    buffer = bytearray(TRADE.frame())
    buffer[PRICE_AT] ^= 1
    assert Trade.view(buffer).volume == 6
    with pytest.raises(ChecksumError):
        Trade.view(buffer, verify=True)


def test_counts_that_come_to_point_outside_are_an_error_not_a_read_beyond() -> None:
    buffer = bytearray(BOOK.frame())
    view = OrderBook.view(buffer)
    assert view.bids == BOOK.bids
    at = 32 + next(one.offset for one in OrderBook.FIELDS if one.name == "bid_count")
    buffer[at : at + 2] = b"\xff\xff"
    for name in ("bids", "asks"):
        with pytest.raises(ProtocolError, match=r"order_book\.bid_count"):
            getattr(view, name)


def test_views_go_through_the_frames_of_one_class_and_skip_the_others() -> None:
    trades = [TRADE.replace(price=price) for price in range(5)]
    others: list[Message | Unknown] = [Heartbeat(), BOOK, Unknown(200, 3, b"mine")]
    mixed: list[Message | Unknown] = []
    for number, trade in enumerate(trades):
        mixed += [others[number % len(others)], trade]
    buffer = b"".join(one.frame() for one in [*mixed, *others])
    assert [view.detach() for view in Trade.views(buffer)] == trades
    assert [view.price for view in Trade.views(buffer)] == list(range(5))
    assert list(Ack.views(buffer)) == []
    assert list(Trade.views(b"")) == []


def test_views_that_are_kept_stay_what_they_are() -> None:
    buffer = b"".join(TRADE.replace(price=price).frame() for price in range(50))
    kept = list(Trade.views(buffer))
    assert [view.price for view in kept] == list(range(50))
    pairs = list(pairwise(Trade.views(buffer)))
    assert [(one.price, two.price) for one, two in pairs] == list(pairwise(range(50)))
    assert max(Trade.views(buffer), key=lambda view: -view.price).price == 0
    every_third = [view for n, view in enumerate(Trade.views(buffer)) if n % 3 == 0]
    assert [view.price for view in every_third] == list(range(0, 50, 3))


def test_views_that_are_let_go_are_used_again() -> None:
    seen = {id(view) for view in Trade.views(TRADE.frame() * 100)}
    assert len(seen) == 2


@pytest.mark.parametrize("cut", [1, 31, 32, 63])
def test_views_of_a_buffer_that_ends_inside_a_frame_say_so_after_the_whole_ones(cut: int) -> None:
    whole = TRADE.frame() + BOOK.frame()
    for last in (TRADE.frame(), BOOK.frame(), Quote(BTC, 1, 2, 3, 4).frame()):
        views = Trade.views(whole + last[:cut])
        assert next(views).price == -5
        with pytest.raises(HeaderError, match=f" {len(whole)}"):
            next(views)


def test_views_of_bytes_that_are_no_frame_say_where_framing_was_lost() -> None:
    views = Trade.views(TRADE.frame() + b"x" * 40)
    next(views)
    with pytest.raises(HeaderError, match="magic at 64"):
        next(views)
