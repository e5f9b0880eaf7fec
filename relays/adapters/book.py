"""Order books: kept from what venues send, said as OrderBook messages, and kept again from those.

`Books` is called by the adapters with snapshots and deltas in integers; it notices holes in the
venue's numbers and sends a snapshot of its own every thousand deltas or 512 KiB. `Reader` is for
whoever has OrderBook messages and wants books. Venue formats belong in the venue's module.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from protocol.header import HEADER_SIZE
from protocol.instruments import InstrumentId
from protocol.market_data import BookKind, OrderBook
from protocol.tails import Level
from relays.adapters.adapter import Record, Skipped

SNAPSHOT_EVERY = 1_000
# A relay keeps up to 1 MiB of an instrument's book for those who come late: its last snapshot and
# the deltas since. A busy book gets there before a thousand deltas.
SNAPSHOT_EVERY_BYTES = 512 * 1024
MAX_PAYLOAD = 65_536
FIXED_PART = 32
LEVEL_BYTES = 16

Levels = Iterable[tuple[int, int]]
_Side = list[tuple[int, int]]
_Wire = tuple[Level, ...]


@dataclass(slots=True)
class Book:
    """Both sides of one instrument: price to size, in units of 1e-8; `sequence` is the venue's
    number of the last change (or the adapter's count where the venue has none)."""

    sequence: int
    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)

    def change(self, sequence: int, bids: Levels, asks: Levels) -> None:
        """Set these levels; size 0 deletes one, whether it is there or not."""
        self.sequence = sequence
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for price, size in levels:
                if size:
                    side[price] = size
                else:
                    side.pop(price, None)

    def best_bid(self) -> tuple[int, int] | None:
        """Price and size of the highest bid, None when there is none."""
        return max(self.bids.items(), default=None)

    def best_ask(self) -> tuple[int, int] | None:
        """Price and size of the lowest ask, None when there is none."""
        return min(self.asks.items(), default=None)


class _Delta(NamedTuple):
    """A change with the venue's numbers, as it was handed over."""

    first: int | None
    last: int | None
    bids: Levels
    asks: Levels
    previous: int | None


@dataclass(slots=True)
class _Kept:
    """A book and where its venue is with it: `whole` until a hole, `fresh` from a snapshot of the
    venue to the first delta, `deltas` and `size` (their frames, in bytes) since the last snapshot
    sent, `before` the number that the last delta followed. `restarts`: the venue may begin its
    numbers anew."""

    book: Book
    depth: int | None
    restarts: bool
    whole: bool = True
    fresh: bool = True
    deltas: int = 0
    size: int = 0
    before: int | None = None

    def check(self, first: int | None, last: int | None, previous: int | None) -> None:
        """Skipped unless a delta with these numbers comes right after what the book holds."""
        now = self.book.sequence
        if last is None:
            return
        old = last <= now
        if previous is None:
            joined = not old and (first is None or first <= now + 1)
        else:
            # The first after a snapshot may reach back before it.
            joined = previous == now or (self.fresh and previous < now < last)
            if self.restarts:
                old = (previous, last) == (self.before, now)
        if joined:
            self.before = previous
            return
        self.whole = old
        raise Skipped("book_old" if old else "book_hole")

    def take(self, change: Book) -> None:
        """Change the book; what falls out below `depth` is added to the change as deleted."""
        book = self.book
        book.change(change.sequence, change.bids.items(), change.asks.items())
        self.fresh, self.deltas = False, self.deltas + 1
        if self.depth is not None:
            change.bids |= _cut(book.bids, self.depth, min)
            change.asks |= _cut(book.asks, self.depth, max)


class Books:
    """The books of one recording, by instrument: what a venue says in, records out.

    Levels are (price, size) in units of 1e-8, in any order; size 0 deletes. Numbers are the
    venue's own; a venue without any gives None, and messages are counted instead. Raises Skipped
    with `book_before_snapshot` (a delta, but no snapshot yet), `book_hole` (the venue's numbers
    have a hole here, or had one and no snapshot came since), `book_old` (the book is newer),
    `book_snapshot_too_old` (deltas that wait do not join it).
    Hand over a delta only when the whole line has been read: a line that raises later is lost.

    `restarts`: the venue may begin its numbers anew, so a lower one is not older. `waits`: so many
    deltas that find no book are kept for a snapshot that is still on its way; what they say beyond
    it is in the snapshot sent.

    >>> from protocol.instruments import VenueId
    >>> pair, books = InstrumentId.spot(VenueId.OKX, "BTCUSDT"), Books()
    >>> _ = books.snapshot(1, pair, 10, bids=[(99, 5)], asks=[(101, 7)])
    >>> _ = books.delta(2, pair, 11, 12, bids=[(99, 0), (98, 3)], asks=[])
    >>> books.book(pair)
    Book(sequence=12, bids={98: 3}, asks={101: 7})
    """

    def __init__(
        self,
        every: int = SNAPSHOT_EVERY,
        max_payload: int = MAX_PAYLOAD,
        *,
        restarts: bool = False,
        waits: int = 0,
    ) -> None:
        self._every = every
        self._most = (max_payload - FIXED_PART) // LEVEL_BYTES
        self._restarts, self._waits = restarts, waits
        self._kept: dict[InstrumentId, _Kept] = {}
        self._waiting: dict[InstrumentId, deque[_Delta]] = {}

    def book(self, instrument: InstrumentId) -> Book | None:
        """The book as it is kept, None before its first snapshot and after a hole. Not to be
        changed."""
        kept = self._kept.get(instrument)
        return kept.book if kept and kept.whole else None

    def broken(self, instrument: InstrumentId) -> None:
        """The adapter knows that this book is wrong (a checksum, a message of the venue): deltas
        are `book_hole` until the next snapshot."""
        self._waiting.pop(instrument, None)
        if instrument in self._kept:
            self._kept[instrument].whole = False

    def lost(self) -> None:
        """Something is missing, and nobody knows of which book: all are broken."""
        self._waiting.clear()
        for kept in self._kept.values():
            kept.whole = False

    def snapshot(
        self,
        received: int,
        instrument: InstrumentId,
        sequence: int | None,
        bids: Levels,
        asks: Levels,
        depth: int | None = None,
    ) -> list[Record]:
        """A snapshot of the venue, which replaces the book unless that is as new (`book_old`).

        `depth`: the venue keeps that many levels a side and does not say what falls out; it is
        deleted here, and in the messages.
        """
        now = self.book(instrument)
        if sequence is None:
            sequence = self._next(instrument)
        elif now and sequence <= now.sequence and not self._restarts:
            raise Skipped("book_old")
        book = Book(sequence)
        book.change(sequence, bids, asks)
        kept = _Kept(book, depth, self._restarts)
        _join(kept, self._waiting.get(instrument, ()))
        records = self._records(received, instrument, BookKind.SNAPSHOT, book)
        self._waiting.pop(instrument, None)
        self._kept[instrument] = kept
        return records

    def delta(
        self,
        received: int,
        instrument: InstrumentId,
        first: int | None,
        last: int | None,
        bids: Levels,
        asks: Levels,
        previous: int | None = None,
    ) -> list[Record]:
        """Levels that changed, with the venue's numbers of the first and last change in it.

        A hole is looked for by `previous` (the `last` of the delta before) where the venue says
        it, else by `first` (one more than the `last` before), else not at all.
        """
        try:
            kept = self._joined(instrument, first, last, previous)
        except Skipped:
            if self._waits and self.book(instrument) is None:
                waiting = self._waiting.setdefault(instrument, deque(maxlen=self._waits))
                waiting.append(_Delta(first, last, bids, asks, previous))
            raise
        change = Book(self._next(instrument) if last is None else last, dict(bids), dict(asks))
        kept.take(change)
        try:
            records = self._records(received, instrument, BookKind.DELTA, change)
        except ValueError:
            kept.whole = False
            raise
        kept.size += sum(HEADER_SIZE + len(record.message.payload) for record in records)
        if kept.deltas >= self._every or kept.size >= SNAPSHOT_EVERY_BYTES:
            kept.deltas = kept.size = 0
            records += self._records(received, instrument, BookKind.SNAPSHOT, kept.book)
        return records

    def _joined(
        self, instrument: InstrumentId, first: int | None, last: int | None, previous: int | None
    ) -> _Kept:
        """The book that a delta with these numbers changes."""
        kept = self._kept.get(instrument)
        if kept is None:
            raise Skipped("book_before_snapshot")
        if not kept.whole:
            raise Skipped("book_hole")
        kept.check(first, last, previous)
        return kept

    def _next(self, instrument: InstrumentId) -> int:
        kept = self._kept.get(instrument)
        return kept.book.sequence + 1 if kept else 1

    def _records(
        self, received: int, instrument: InstrumentId, kind: BookKind, book: Book
    ) -> list[Record]:
        sides = sorted(book.bids.items(), reverse=True), sorted(book.asks.items())
        parts = list(_in_parts(*sides, self._most))
        return [
            Record(
                received,
                OrderBook(
                    instrument_id=instrument,
                    kind=kind,
                    book_sequence=book.sequence,
                    part=number,
                    parts=len(parts),
                    bids=bids,
                    asks=asks,
                ),
            )
            for number, (bids, asks) in enumerate(parts, 1)
        ]


def _join(kept: _Kept, waiting: Iterable[_Delta]) -> None:
    """The deltas that wait, onto a snapshot; Skipped where they do not join it."""
    sequence = kept.book.sequence
    for number, (first, last, bids, asks, previous) in enumerate(waiting):
        if last is None or last <= sequence:
            continue
        # Without more numbers, what came between is known only if one that waits is older.
        unknown = number == 0 and first is None and previous is None
        try:
            kept.check(first, last, previous)
        except Skipped:
            unknown = True
        if unknown:
            raise Skipped("book_snapshot_too_old")
        kept.take(Book(last, dict(bids), dict(asks)))
    kept.deltas = 0


def _cut(side: dict[int, int], depth: int, worst: Callable[[Iterable[int]], int]) -> dict[int, int]:
    """Take the worst prices out of a side that is deeper than `depth`; they, with size 0."""
    fallen = {}
    while len(side) > depth:
        price = worst(side)
        del side[price]
        fallen[price] = 0
    return fallen


def _in_parts(bids: _Side, asks: _Side, most: int) -> Iterator[tuple[_Wire, _Wire]]:
    """Bids then asks, at most so many levels together at a time; one empty part for nothing."""
    for start in range(0, max(1, len(bids) + len(asks)), most):
        end, passed = start + most, len(bids)
        part = bids[start:end], asks[max(0, start - passed) : max(0, end - passed)]
        # Plain pairs are written as they are; a Level each would be made to be thrown away.
        yield cast(tuple[_Wire, _Wire], part)


class Reader:
    """Books from OrderBook messages: hand each to `read`; `books` has what is complete.

    A snapshot in parts replaces the book when its last part is there, a delta in parts changes it
    then; parts that do not follow each other are dropped, all of them. Deltas without a book are
    not applied. `dropped` counts the messages that came to nothing. Frames that never arrived are
    for the caller to notice, by the sequences of the frames: `lost` forgets what was kept. Views
    (`OrderBook.views`) may be handed over: nothing of their buffer is kept.

    >>> from protocol.instruments import VenueId
    >>> pair, books, reader = InstrumentId.spot(VenueId.OKX, "BTCUSDT"), Books(), Reader()
    >>> for record in books.snapshot(1, pair, 10, bids=[(99, 5)], asks=[(101, 7)]):
    ...     book = reader.read(record.message)
    >>> book.best_bid(), reader.books[pair] is book
    ((99, 5), True)
    """

    def __init__(self) -> None:
        self.books: dict[InstrumentId, Book] = {}
        self.dropped = 0
        self._begun: dict[InstrumentId, list[OrderBook]] = {}

    def read(self, message: OrderBook) -> Book | None:
        """The book that this message changed; None when it changed none, or more parts come."""
        parts = self._gather(message)
        if parts is None:
            return None
        if message.kind == BookKind.SNAPSHOT:
            book = self.books[message.instrument_id] = Book(message.book_sequence)
        elif message.instrument_id in self.books:
            book = self.books[message.instrument_id]
        else:
            self.dropped += len(parts)
            return None
        for part in parts:
            book.change(part.book_sequence, part.bids, part.asks)
        return book

    def lost(self) -> None:
        """Frames are missing: no book can be trusted before its next snapshot."""
        self.books.clear()
        self._begun.clear()

    def _gather(self, message: OrderBook) -> list[OrderBook] | None:
        """All parts, once `message` is the last of them."""
        begun = self._begun.pop(message.instrument_id, [])
        if begun and not _follows(begun[-1], message):
            self.dropped += len(begun)
            begun = []
        if message.part != len(begun) + 1:
            self.dropped += 1
            return None
        last = message.part == message.parts
        # The buffer of a view is the caller's to use again: what waits must be our own.
        begun.append(message if last else message.detach())
        if last:
            return begun
        self._begun[message.instrument_id] = begun
        return None


def _follows(last: OrderBook, message: OrderBook) -> bool:
    whole = (last.kind, last.book_sequence, last.part + 1, last.parts)
    return whole == (message.kind, message.book_sequence, message.part, message.parts)
