"""Binance spot and USD-M futures: trades, best quotes and order books.

Called with recorded lines `<receive ns> <raw JSON>` of the combined websocket streams `@trade`,
`@bookTicker` and `@depth`, and of REST depth snapshots. What Binance documents about its messages
is here; what every book does with snapshots, deltas and holes is in `relays.adapters.book`.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from protocol.catalogue import SourceType
from protocol.instruments import AssetType, InstrumentId, VenueId
from protocol.market_data import Quote, Side, Trade
from relays.adapters import symbols
from relays.adapters.adapter import Adapter, Record, Skipped
from relays.adapters.book import Books
from relays.adapters.text import MOST_UNSIGNED, events, quantity, units

# Trades of the insurance fund and of forced settlement are on the stream but not of the market.
MARKET_TRADES = (None, "MARKET")
# Updates kept for a snapshot that is still to come: a minute or more of them.
MOST_WAITING = 1_024


class Market(IntEnum):
    """Where a recording is from; the values are those of VenueId."""

    SPOT = VenueId.BINANCE
    USDM = VenueId.BINANCE_FUTURES

    @property
    def asset_type(self) -> AssetType:
        return AssetType.SPOT if self is Market.SPOT else AssetType.PERPETUAL

    def instrument(self, symbol: str) -> InstrumentId:
        """The InstrumentId of an exchange symbol: spot pair, or USD-M perpetual."""
        return symbols.instrument(self, self.asset_type, symbol)


class Update(NamedTuple):
    """A depth update: the venue's numbers, and levels in units of 1e-8."""

    first: int
    last: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    previous: int | None


class Binance(Adapter):
    """Lines of one market; Trade, Quote and OrderBook out (without `with_books`, no OrderBook: all
    that is about books is counted as `depth`).

    A REST snapshot does not say whose it is: it is taken for the recording's only symbol. Depth
    updates before it are counted as `book_before_snapshot`, and what they say beyond it is in the
    snapshot sent, as Binance documents it: spot joins by `U` and `u`, futures by `pu`.

    Reasons: `blank`, `no_receive_time`, `not_json`, `other_stream`, `partial_depth` (streams of the
    best 5, 10 or 20 levels), `not_a_market_trade`, `book_before_snapshot`, `book_hole`, `book_old`,
    `book_snapshot_too_old` (updates that wait do not join it), `book_snapshot_of_unknown` (no
    symbol seen yet, or several), and those of every adapter.

    >>> adapter = Binance(Market.SPOT)
    >>> adapter.convert('1723161254087891268 {"stream":"btcusdt@kline_1m","data":{}}')
    []
    >>> adapter.skipped
    Counter({'other_stream': 1})
    """

    SOURCE = SourceType.BINANCE_COLLECTOR

    def __init__(self, market: Market, *, with_books: bool = True) -> None:
        super().__init__()
        self.market, self.with_books = market, with_books
        self.books = Books()
        self._seen: dict[str, InstrumentId] = {}
        self._waiting: dict[InstrumentId, deque[Update]] = {}
        self._readers = {"trade": self._trade, "bookTicker": self._quote, "depth": self._depth}

    def _convert(self, line: str) -> list[Record]:
        time, _, text = line.strip().partition(" ")
        if not time:
            raise Skipped("blank")
        if not (time.isascii() and time.isdigit()) or (received := int(time)) > MOST_UNSIGNED:
            raise Skipped("no_receive_time")
        event = events(text)
        if not isinstance(event, dict):
            raise Skipped("other_stream")
        if "lastUpdateId" in event:
            return self._snapshot(received, event)
        kind = str(event.get("stream", "")).partition("@")[2].partition("@")[0]
        read = self._readers.get(kind)
        if read is None:
            raise Skipped("partial_depth" if kind.startswith("depth") else "other_stream")
        return read(received, event["data"])

    def _instrument(self, symbol: str) -> InstrumentId:
        seen = self._seen.get(symbol)
        if seen is None:
            seen = self.instruments.get(self.market, self.market.asset_type, symbol)
            self._seen[symbol] = seen
        return seen

    def _trade(self, received: int, data: Any) -> list[Record]:
        if data.get("X") not in MARKET_TRADES:
            raise Skipped("not_a_market_trade")
        # m: the buyer was the maker, so the one who came and traded sold.
        if not isinstance(data["m"], bool):
            raise ValueError(data["m"])
        trade = Trade(
            instrument_id=self._instrument(data["s"]),
            price=units(data["p"]),
            volume=quantity(data["q"]),
            side=Side.SELL if data["m"] else Side.BUY,
        )
        return [Record(received, trade)]

    def _quote(self, received: int, data: Any) -> list[Record]:
        quote = Quote(
            instrument_id=self._instrument(data["s"]),
            bid_price=units(data["b"]),
            ask_price=units(data["a"]),
            bid_size=quantity(data["B"]),
            ask_size=quantity(data["A"]),
        )
        return [Record(received, quote)]

    def _depth(self, received: int, data: Any) -> list[Record]:
        if not self.with_books:
            raise Skipped("depth")
        previous = _number(data["pu"]) if self.market is Market.USDM else None
        bids, asks = _levels(data["b"]), _levels(data["a"])
        update = Update(_number(data["U"]), _number(data["u"]), bids, asks, previous)
        instrument = self._instrument(data["s"])
        try:
            return self.books.delta(received, instrument, *update)
        except Skipped:
            if self.books.book(instrument) is None:
                waiting = self._waiting.setdefault(instrument, deque(maxlen=MOST_WAITING))
                waiting.append(update)
            raise

    def _snapshot(self, received: int, event: Any) -> list[Record]:
        if not self.with_books:
            raise Skipped("depth")
        last, bids, asks = _number(event["lastUpdateId"]), event["bids"], event["asks"]
        if len(self._seen) != 1:
            raise Skipped("book_snapshot_of_unknown")
        (instrument,) = self._seen.values()
        kept = self.books.book(instrument)
        if kept is not None and last <= kept.sequence:
            raise Skipped("book_old")
        joined = Books()
        joined.snapshot(received, instrument, last, _levels(bids), _levels(asks))
        self._join(joined, received, instrument, last)
        book = joined.book(instrument)
        if book is None:
            raise Skipped("book_snapshot_too_old")
        self._waiting.pop(instrument, None)
        sides = book.bids.items(), book.asks.items()
        return self.books.snapshot(received, instrument, book.sequence, *sides)

    def _join(self, books: Books, received: int, instrument: InstrumentId, last: int) -> None:
        """The updates that wait, onto a snapshot; the book is broken where they do not join it."""
        for update in self._waiting.get(instrument, ()):
            if update.last > last:
                try:
                    books.delta(received, instrument, *update)
                except Skipped:
                    return


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MOST_UNSIGNED:
        raise ValueError(f"{value!r} is not an update's number")
    return value


def _levels(levels: Any) -> list[tuple[int, int]]:
    return [(units(price), quantity(size)) for price, size in levels]


def spot(_: Path) -> Binance:
    """The adapter of a recording of Binance spot."""
    return Binance(Market.SPOT)


def futures(_: Path) -> Binance:
    """The adapter of a recording of Binance USD-M futures."""
    return Binance(Market.USDM)
