"""Order books: what venues say to OrderBook messages, and those to books again."""

import json
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

from protocol.header import HEADER_SIZE
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import BookKind, OrderBook, Quote
from protocol.message import decode
from protocol.tails import Level
from relays.adapters.adapter import Record, Skipped
from relays.adapters.binance import Binance, Market
from relays.adapters.book import MAX_PAYLOAD, Book, Books, Reader
from tests.wire.recordings import lines, recording

PAIR = InstrumentId.spot(VenueId.OKX, "BTCUSDT")
OTHER = InstrumentId.spot(VenueId.OKX, "ETHUSDT")
S, D = BookKind.SNAPSHOT, BookKind.DELTA


def said(records: list[Record]) -> list[OrderBook]:
    found = [record.message for record in records]
    assert all(isinstance(message, OrderBook) for message in found)
    return [message for message in found if isinstance(message, OrderBook)]


def begun(sequence: int | None = 10, every: int = 1_000) -> Books:
    books = Books(every)
    books.snapshot(1, PAIR, sequence, [(99, 5), (98, 4)], [(101, 6), (102, 7)])
    return books


def refusal(books: Books, first: int, last: int, previous: int | None = None) -> str:
    with pytest.raises(Skipped) as caught:
        books.delta(2, PAIR, first, last, [], [], previous)
    return str(caught.value)


def test_a_snapshot_has_the_best_levels_first_and_no_empty_ones() -> None:
    levels = [(98, 4), (99, 5), (97, 0)], [(102, 7), (101, 6)]
    (message,) = said(Books().snapshot(1, PAIR, 10, *levels))
    assert message == OrderBook(
        instrument_id=PAIR,
        kind=S,
        book_sequence=10,
        part=1,
        parts=1,
        bids=(Level(99, 5), Level(98, 4)),
        asks=(Level(101, 6), Level(102, 7)),
    )
    assert len(message.frame()) == 64 + 4 * 16


def test_a_delta_has_what_changed_and_the_deleted_with_size_zero() -> None:
    books = begun()
    (message,) = said(books.delta(2, PAIR, 11, 12, [(98, 0), (99, 9)], [(103, 1)]))
    assert (message.kind, message.book_sequence) == (D, 12)
    assert (message.bids, message.asks) == (((99, 9), (98, 0)), ((103, 1),))
    assert books.book(PAIR) == Book(12, {99: 9}, {101: 6, 102: 7, 103: 1})


def test_a_delta_without_levels_still_says_the_number() -> None:
    (message,) = said(begun().delta(2, PAIR, 11, 12, [], []))
    assert (message.kind, message.book_sequence, message.bids, message.asks) == (D, 12, (), ())


def test_books_of_instruments_are_apart() -> None:
    books = begun()
    with pytest.raises(Skipped, match="book_before_snapshot"):
        books.delta(2, OTHER, 11, 12, [], [])
    books.snapshot(3, OTHER, 1, [], [(5, 5)])
    books.delta(4, OTHER, 2, 2, [], [(5, 0)])
    assert books.book(OTHER) == Book(2)
    assert books.book(PAIR) == Book(10, {99: 5, 98: 4}, {101: 6, 102: 7})


def test_numbers_say_what_joins_what_is_old_and_what_is_a_hole() -> None:
    assert refusal(begun(), 9, 10) == "book_old"
    assert refusal(begun(), 12, 13) == "book_hole"
    assert begun().delta(2, PAIR, 9, 13, [], [])
    # By the number of the message before, where the venue says it.
    assert refusal(begun(), 20, 30, previous=11) == "book_hole"
    books = begun()
    assert books.delta(2, PAIR, 20, 30, [], [], previous=9)
    assert refusal(books, 31, 32, previous=29) == "book_hole"


def test_a_snapshot_that_is_not_newer_than_a_whole_book_does_not_replace_it() -> None:
    for number in (9, 10):
        books = begun()
        with pytest.raises(Skipped, match="book_old"):
            books.snapshot(2, PAIR, number, [(1, 1)], [])
        books.broken(PAIR)
        assert said(books.snapshot(3, PAIR, number, [(1, 1)], []))


def test_numbers_that_may_begin_anew_join_by_the_number_before_alone() -> None:
    books = Books(restarts=True)
    books.snapshot(1, PAIR, 10, [], [])
    assert books.delta(2, PAIR, None, 3, [], [], previous=10)
    assert books.delta(2, PAIR, None, 5, [], [], previous=3)
    with pytest.raises(Skipped, match="book_old"):
        books.delta(2, PAIR, None, 5, [], [], previous=3)
    assert said(books.snapshot(2, PAIR, 2, [], []))
    with pytest.raises(Skipped, match="book_hole"):
        books.delta(2, PAIR, None, 1, [], [], previous=0)
    assert books.book(PAIR) is None


def test_deltas_wait_for_a_snapshot_that_is_on_its_way() -> None:
    books = Books(waits=3)
    for number in range(5, 10):
        with pytest.raises(Skipped, match="book_before_snapshot"):
            books.delta(1, PAIR, None, number, [(number, 1)], [])
    # 5 and 6 wait no more: whether something is missing before 7 is not known.
    with pytest.raises(Skipped, match="book_snapshot_too_old"):
        books.snapshot(2, PAIR, 6, [], [])
    (message,) = said(books.snapshot(3, PAIR, 8, [(8, 1)], []))
    assert (message.kind, message.book_sequence) == (S, 9)
    assert message.bids == ((9, 1), (8, 1))
    assert said(books.delta(4, PAIR, None, 10, [(9, 0)], []))
    books.lost()
    with pytest.raises(Skipped, match="book_hole"):
        books.delta(4, PAIR, None, 11, [], [])


@pytest.mark.parametrize("lose", [lambda books: books.broken(PAIR), Books.lost])
def test_deltas_from_before_a_loss_do_not_wait(lose: Callable[[Books], None]) -> None:
    books = Books(waits=3)
    for number in (5, 9):
        with pytest.raises(Skipped, match="book_before_snapshot"):
            books.delta(1, PAIR, None, number, [(number, 1)], [])
        if number == 5:
            lose(books)
    # What came between 5 and 9 may be lost.
    with pytest.raises(Skipped, match="book_snapshot_too_old"):
        books.snapshot(2, PAIR, 6, [], [])
    assert said(books.snapshot(2, PAIR, 9, [], []))


def test_after_a_hole_nothing_is_sent_until_a_snapshot() -> None:
    books = begun()
    assert refusal(books, 12, 13) == "book_hole"
    assert books.book(PAIR) is None
    assert refusal(books, 11, 11) == "book_hole"
    books.snapshot(3, PAIR, 20, [(1, 1)], [])
    assert said(books.delta(4, PAIR, 21, 21, [(1, 2)], []))


def test_a_book_that_the_adapter_knows_to_be_wrong_is_a_hole() -> None:
    books = begun()
    books.broken(PAIR)
    books.broken(OTHER)
    assert refusal(books, 11, 11) == "book_hole"


def test_messages_of_a_venue_without_numbers_are_counted() -> None:
    books = begun(sequence=None)
    sequences = [one.book_sequence for _ in range(3) for one in no_numbers(books)]
    (again,) = said(books.snapshot(3, PAIR, None, [], []))
    assert [*sequences, again.book_sequence] == [2, 3, 4, 5]


def no_numbers(books: Books) -> list[OrderBook]:
    return said(books.delta(2, PAIR, None, None, [(99, 1)], []))


def test_every_so_many_deltas_the_kept_book_is_sent_whole() -> None:
    books = begun(every=3)
    sent = [one for n in range(11, 18) for one in said(books.delta(n, PAIR, n, n, [(n, n)], []))]
    assert [(one.kind, one.book_sequence) for one in sent] == [
        (D, 11), (D, 12), (D, 13), (S, 13), (D, 14), (D, 15), (D, 16), (S, 16), (D, 17),
    ]  # fmt: skip
    assert sent[3].bids == ((99, 5), (98, 4), (13, 13), (12, 12), (11, 11))


def test_a_delta_with_a_value_that_no_message_can_hold_is_a_hole() -> None:
    books = begun()
    with pytest.raises(ValueError, match="order_book"):
        books.delta(2, PAIR, 11, 11, [(2**63, 1)], [])
    assert refusal(books, 12, 12) == "book_hole"


def test_what_falls_out_below_the_venues_depth_is_deleted_in_the_message_too() -> None:
    books = Books()
    books.snapshot(1, PAIR, 1, [(99, 1), (98, 1)], [(101, 1), (102, 1)], depth=2)
    (message,) = said(books.delta(2, PAIR, 2, 2, [(100, 1)], [(103, 1)]))
    assert message.bids == ((100, 1), (98, 0))
    assert message.asks == ((103, 0),)
    assert books.book(PAIR) == Book(2, {100: 1, 99: 1}, {101: 1, 102: 1})


def large(count: int, seed: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    print(f"seed {seed}")
    rng = random.Random(seed)
    prices = rng.sample(range(1, 10 * count), 2 * count)
    levels = [(price, rng.randrange(1, 2**64)) for price in prices]
    return levels[:count], levels[count:]


@pytest.mark.parametrize("count", [0, 1, 2_047, 2_048, 5_000, 10_000])
def test_what_does_not_fit_one_frame_comes_in_parts_and_is_read_whole(count: int) -> None:
    bids, asks = large(count, seed=count)
    books, reader = Books(), Reader()
    parts = said(books.snapshot(1, PAIR, 10, bids, asks))
    assert [one.part for one in parts] == list(range(1, len(parts) + 1))
    assert {one.parts for one in parts} == {len(parts)}
    assert all(len(one.frame()) - HEADER_SIZE <= MAX_PAYLOAD for one in parts)
    assert len(parts) == max(1, -(-2 * count // 4_094))
    levels = list(chain.from_iterable((*one.bids, *one.asks) for one in parts))
    assert levels == sorted(bids, reverse=True) + sorted(asks)
    # Asks begin where bids end, also where that is within a part.
    assert sum(len(one.bids) for one in parts) == len(bids)
    *earlier, last = [reader.read(one) for one in parts]
    assert earlier == [None] * (len(parts) - 1)
    assert last == books.book(PAIR) == Book(10, dict(bids), dict(asks))


def test_a_delta_in_parts_changes_the_book_with_its_last_part() -> None:
    books, reader = begun(), Reader()
    (first,) = said(Books().snapshot(1, PAIR, 10, [(99, 5), (98, 4)], [(101, 6), (102, 7)]))
    kept = reader.read(first)
    parts = said(books.delta(2, PAIR, 11, 11, *large(3_000, seed=1)))
    assert len(parts) == 2
    assert reader.read(parts[0]) is None
    assert kept is not None
    assert kept.sequence == 10
    assert reader.read(parts[1]) is kept
    assert kept == books.book(PAIR)


def test_a_reader_keeps_the_old_book_until_all_parts_are_there() -> None:
    books, reader = begun(), Reader()
    (first,) = said(books.snapshot(1, PAIR, 11, [(1, 1)], []))
    old = reader.read(first)
    one, two, three = said(books.snapshot(1, PAIR, 12, *large(5_000, seed=2)))
    for parts in ([one, three], [two, three], [one, one, three], [one, first, two, three]):
        assert all(reader.read(part) in (None, old) for part in parts)
        assert reader.books[PAIR] == old == Book(11, {1: 1})
    assert reader.dropped == 2 + 2 + 3 + 3
    assert [reader.read(part) for part in (one, two, three)][-1] == books.book(PAIR)


@pytest.mark.parametrize("given", [OrderBook.view, lambda frame: next(OrderBook.views(frame))])
def test_a_reader_keeps_parts_of_its_own_where_views_are_read(
    given: Callable[[bytearray], OrderBook],
) -> None:
    books, reader, buffer = Books(), Reader(), bytearray()
    parts = said(books.snapshot(1, PAIR, 10, *large(5_000, seed=3)))
    assert len(parts) == 3
    for part in parts:
        # The buffer is used again: it can be emptied only if no view of it is kept.
        buffer[:] = part.frame()
        book = reader.read(given(buffer))
    assert book == books.book(PAIR)


def test_a_reader_makes_the_book_of_views_that_take_turns() -> None:
    books, reader = Books(), Reader()
    parts = said(books.snapshot(1, PAIR, 10, *large(5_000, seed=4)))
    buffer = bytearray(b"".join(one.frame() for one in parts))
    found = [reader.read(view) for view in OrderBook.views(buffer)]
    assert found == [None, None, books.book(PAIR)]
    buffer.clear()


def test_a_reader_does_not_apply_deltas_to_a_book_it_has_not() -> None:
    reader = Reader()
    (delta,) = said(begun().delta(2, PAIR, 11, 11, [], []))
    assert reader.read(delta) is None
    (snapshot,) = said(begun().snapshot(1, PAIR, 12, [], []))
    assert reader.read(snapshot) == Book(12)
    reader.lost()
    assert reader.read(delta) is None
    assert (reader.books, reader.dropped) == ({}, 2)


def test_best_prices_are_of_the_book_and_none_where_a_side_is_empty() -> None:
    book = Book(1, {99: 1, 100: 2}, {})
    assert (book.best_bid(), book.best_ask()) == ((100, 2), None)
    book.change(2, [], [(102, 3), (101, 4)])
    assert book.best_ask() == (101, 4)


# --- Binance: the converted book and the raw one, kept side by side ---


class RawBook:
    """A book kept from Binance's text alone, with nothing of the project: the procedure of its
    documentation, written down a second time."""

    def __init__(self, by_previous: bool) -> None:
        self.by_previous = by_previous
        self.bids: dict[int, int] | None = None
        self.asks: dict[int, int] = {}
        self.last = -1
        self.first_after_snapshot = False
        self.buffer: list[dict[str, object]] = []
        # Prices set or deleted since somebody cleared this.
        self.touched: set[int] = set()

    def take(self, event: dict[str, object]) -> bool:
        """Whether this event is a snapshot: all of the book is new."""
        if "lastUpdateId" in event:
            return self.snapshot(event)
        if str(event["stream"]).split("@")[1] != "depth":
            return False
        data = event["data"]
        assert isinstance(data, dict)
        if self.bids is None:
            self.buffer.append(data)
        else:
            self.update(data)
        return False

    def snapshot(self, event: dict[str, object]) -> bool:
        self.bids, self.asks = self.side(event["bids"]), self.side(event["asks"])
        assert isinstance(event["lastUpdateId"], int)
        self.last, self.first_after_snapshot = event["lastUpdateId"], True
        for data in self.buffer:
            self.update(data)
        return True

    def update(self, data: dict[str, object]) -> None:
        first, last = data["U"], data["u"]
        assert isinstance(first, int)
        assert isinstance(last, int)
        if last < self.last + (not self.by_previous):
            return
        if self.first_after_snapshot:
            assert first <= self.last + (not self.by_previous) <= last
        elif self.by_previous:
            assert data["pu"] == self.last
        else:
            assert first == self.last + 1
        self.last, self.first_after_snapshot = last, False
        assert self.bids is not None
        for side, levels in ((self.bids, data["b"]), (self.asks, data["a"])):
            for price, size in self.side(levels).items():
                self.touched.add(price)
                side[price] = size
                if not size:
                    del side[price]

    @staticmethod
    def side(levels: object) -> dict[int, int]:
        assert isinstance(levels, list)
        return {exact(price): exact(size) for price, size in levels}


@cache
def exact(text: str) -> int:
    number = Decimal(text).scaleb(8)
    assert number == int(number)
    return int(number)


def compared(path: Path, market: Market) -> Iterator[bool]:
    """At every bookTicker, and at the end, whether the two books are equal (or both not there).

    Compared are both numbers of levels and every price that either side has touched since the last
    comparison, so books that were equal are equal; and all of them after a snapshot.
    """
    adapter, reader, raw = Binance(market), Reader(), RawBook(market is Market.USDM)
    kept: Book | None = None
    equal, whole = False, True
    for line in lines(path):
        whole |= raw.take(json.loads(line.partition(" ")[2]))
        for record in adapter.convert(line):
            if isinstance(record.message, OrderBook):
                # Over the wire and back: the reader knows nothing of the adapter's objects.
                message = decode(record.message.frame())
                assert isinstance(message, OrderBook)
                kept = reader.read(message) or kept
                whole |= message.kind is S
                raw.touched.update(level.price for level in (*message.bids, *message.asks))
            if isinstance(record.message, Quote):
                if whole or raw.touched:
                    equal = (whole or equal) and same(kept, raw, whole)
                raw.touched.clear()
                whole = False
                yield equal
    yield same(kept, raw, whole=True)


def same(kept: Book | None, raw: RawBook, whole: bool) -> bool:
    if kept is None or raw.bids is None:
        return kept is None and raw.bids is None
    sides = ((kept.bids, raw.bids), (kept.asks, raw.asks))
    if whole or kept.sequence != raw.last:
        return kept.sequence == raw.last and all(one == other for one, other in sides)
    return all(
        len(one) == len(other) and all(one.get(price) == other.get(price) for price in raw.touched)
        for one, other in sides
    )


@pytest.mark.parametrize(
    ("name", "market", "tickers"),
    [
        ("spot_btcusdt", Market.SPOT, 28_040),
        ("spot_ethusdt", Market.SPOT, 24_077),
        ("usdm_btcusdt", Market.USDM, 66_089),
    ],
)
def test_the_converted_binance_book_equals_the_raw_one_at_every_book_ticker(
    name: str, market: Market, tickers: int
) -> None:
    found = list(compared(recording(f"binance/{name}_*.gz"), market))
    assert (len(found), found.count(False)) == (tickers + 1, 0)
