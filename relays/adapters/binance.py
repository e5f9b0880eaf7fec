"""Binance spot and USD-M futures: trades, best quotes and order books.

Called with recorded lines `<receive ns> <raw JSON>` of the combined websocket streams `@trade`,
`@bookTicker` and `@depth`, and of REST depth snapshots. What Binance documents about its messages
is here; what every book does with snapshots, deltas and holes is in `relays.adapters.book`.
"""

from __future__ import annotations

import re
from enum import IntEnum
from pathlib import Path
from typing import Any

from protocol.catalogue import SourceType
from protocol.instruments import AssetType, InstrumentId, VenueId
from protocol.market_data import Quote, Side, Trade
from relays.adapters import symbols
from relays.adapters.adapter import Adapter, Record, Skipped
from relays.adapters.book import Books
from relays.adapters.text import MOST_UNSIGNED, events, quantity, units

# Trades of the insurance fund and of forced settlement are on the stream but not of the market.
MARKET_TRADES = (None, "MARKET")
# The last day of a future: BTCUSDT_240927.
DELIVERY = re.compile(r"_\d{6}$")
# Updates kept for a snapshot that is still to come: a minute or more of them.
MOST_WAITING = 1_024


class Market(IntEnum):
    """Where a recording is from; the values are those of VenueId."""

    SPOT = VenueId.BINANCE
    USDM = VenueId.BINANCE_FUTURES

    def asset_type(self, symbol: str) -> AssetType:
        """Spot; of USD-M a perpetual, or a future where the symbol ends with its last day."""
        if self is Market.SPOT:
            return AssetType.SPOT
        return AssetType.FUTURE if DELIVERY.search(symbol) else AssetType.PERPETUAL

    def instrument(self, symbol: str) -> InstrumentId:
        """The InstrumentId of an exchange symbol: spot pair, or USD-M contract."""
        return symbols.instrument(self, self.asset_type(symbol), symbol)


class Binance(Adapter):
    """Lines of one market; Trade, Quote and OrderBook out (without `with_books`, no OrderBook: all
    that is about books is counted as `depth`).

    A REST snapshot does not say whose it is: it is taken for the only symbol that has depth updates
    (or that was seen, where none has). Depth updates before it are counted as
    `book_before_snapshot`, and what they say beyond it is in the snapshot sent, as Binance
    documents it: spot joins by `U` and `u`, futures by `pu`.

    Reasons: `blank`, `no_receive_time`, `not_json`, `other_stream`, `partial_depth` (streams of the
    best 5, 10 or 20 levels), `wrong_market` (spot has no `X` and `pu` and no `E` in a best quote,
    futures have; futures have no `M`), `not_a_market_trade`, `nothing_traded`, `one_sided`,
    `book_before_snapshot`, `book_hole`, `book_old`, `book_snapshot_too_old` (updates that wait do
    not join it), `book_snapshot_of_unknown` (no symbol yet, or several), and those of every
    adapter.

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
        self.books = Books(waits=MOST_WAITING)
        self._seen: dict[str, InstrumentId] = {}
        self._changing: set[InstrumentId] = set()
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
            seen = self.instruments.get(self.market, self.market.asset_type(symbol), symbol)
            self._seen[symbol] = seen
        return seen

    def _of_market(self, futures: bool, spot: bool = False) -> None:
        """Skipped where fields that only one of the markets has are of the other."""
        if futures if self.market is Market.SPOT else spot:
            raise Skipped("wrong_market")

    def _trade(self, received: int, data: Any) -> list[Record]:
        self._of_market(futures="X" in data, spot="M" in data)
        if data.get("X") not in MARKET_TRADES:
            raise Skipped("not_a_market_trade")
        # m: the buyer was the maker, so the one who came and traded sold.
        if not isinstance(data["m"], bool):
            raise ValueError(data["m"])
        price, volume = units(data["p"]), quantity(data["q"])
        if price < 0:
            raise ValueError(data["p"])
        if not price or not volume:
            raise Skipped("nothing_traded")
        trade = Trade(
            instrument_id=self._instrument(data["s"]),
            price=price,
            volume=volume,
            side=Side.SELL if data["m"] else Side.BUY,
        )
        return [Record(received, trade)]

    def _quote(self, received: int, data: Any) -> list[Record]:
        self._of_market(futures="E" in data, spot="E" not in data)
        bid, ask = units(data["b"]), units(data["a"])
        if min(bid, ask) < 0:
            raise ValueError(data)
        if not bid or not ask:
            raise Skipped("one_sided")
        quote = Quote(
            instrument_id=self._instrument(data["s"]),
            bid_price=bid,
            ask_price=ask,
            bid_size=quantity(data["B"]),
            ask_size=quantity(data["A"]),
        )
        return [Record(received, quote)]

    def _depth(self, received: int, data: Any) -> list[Record]:
        if not self.with_books:
            raise Skipped("depth")
        self._of_market(futures="pu" in data, spot="pu" not in data)
        first, last = _number(data["U"]), _number(data["u"])
        previous = _number(data["pu"]) if self.market is Market.USDM else None
        bids, asks = _levels(data["b"]), _levels(data["a"])
        instrument = self._instrument(data["s"])
        self._changing.add(instrument)
        return self.books.delta(received, instrument, first, last, bids, asks, previous)

    def _snapshot(self, received: int, event: Any) -> list[Record]:
        if not self.with_books:
            raise Skipped("depth")
        last, bids, asks = _number(event["lastUpdateId"]), event["bids"], event["asks"]
        whose = self._changing or set(self._seen.values())
        if len(whose) != 1:
            raise Skipped("book_snapshot_of_unknown")
        (instrument,) = whose
        return self.books.snapshot(received, instrument, last, _levels(bids), _levels(asks))


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
