"""BitMEX: trades, quotes and books of its websocket, instruments of its instrument table.

Called by `relays convert`. Sizes are contracts; what one is worth is in the instrument's metadata.
A change of a level names it by an id: a table from id to price is kept for each book. An update or
deletion of an id that is not there, or an insertion of one that is, shows a hole: messages have no
numbers (they are counted). Prices finer than 1e-8 (TRXU21 in 1e-10) are `not_in_units`. The side of
a trade is the aggressor's. Margins and positions do not belong here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from protocol.instruments import AssetType, InstrumentId, VenueId
from relays.adapters.adapter import Record, Skipped
from relays.adapters.text import quantity, units
from relays.adapters.venue import BUY_OR_SELL, WHOLE, Levels, Venue

FUTURE = re.compile(r"[FGHJKMNQUVXZ]\d\d$")
# The whole book, and its best levels.
BOOKS = {"orderBookL2": WHOLE, "orderBookL2_25": (25, "orderBookL2_25")}
WITHOUT = {
    "funding": "funding",
    "liquidation": "liquidation",
    "insurance": "insurance",
    "settlement": "settlement",
    "announcement": "status",
    "connected": "status",
    "orderBook10": "best_levels",
}

# Side and id of a level to its price.
Prices = dict[tuple[str, int], int]


def adapter(_path: Path) -> Bitmex:
    """The adapter of one recording."""
    return Bitmex()


class Bitmex(Venue):
    """BitMEX; symbols as `XBTUSD` (perpetual), `XRPU21` (future), `XBT_USDT` (spot), `.BXBT`
    (index).

    Reasons of its own: `funding`, `liquidation`, `insurance`, `settlement`, `candle`,
    `best_levels` (the ten or 25 best: the full book has them), `instrument_update`.
    `one_sided` is in `left_out` for single quotes of a line.

    >>> adapter = Bitmex()
    >>> told = '{"symbol":"XBTUSD","side":"Sell","size":100,"price":32180.5}'
    >>> line = '1.5: {"table":"trade","action":"insert","data":[%s]}' % told
    >>> trade = adapter.convert(line)[-1].message
    >>> trade.price, trade.volume, trade.side.name
    (3218050000000, 10000000000, 'SELL')
    """

    VENUE = VenueId.BITMEX

    def __init__(self) -> None:
        super().__init__()
        self._prices: dict[InstrumentId, Prices] = {}

    def asset_type(self, symbol: str) -> AssetType:
        if symbol.startswith("."):
            return AssetType.INDEX
        if "_" in symbol:
            return AssetType.SPOT
        return AssetType.FUTURE if FUTURE.search(symbol) else AssetType.PERPETUAL

    def _event(self, received: int, event: Any) -> Iterable[Record]:
        if "table" not in event:
            raise Skipped(_without_table(event))
        table, action, data = event["table"], event["action"], event["data"]
        if table in BOOKS:
            return self._books_of(received, action, event)
        if table == "trade":
            if action != "insert":
                raise Skipped("past_trades")
            return self.each(data, lambda trade: self._trade(received, trade))
        if table == "quote":
            return self.each(data, lambda quote: self._quote(received, quote))
        if table == "instrument":
            return self._products(received, action, data)
        if table.startswith(("tradeBin", "quoteBin")):
            raise Skipped("candle")
        raise Skipped(WITHOUT.get(table, "other_event"))

    def _trade(self, received: int, trade: Any) -> Record:
        side = BUY_OR_SELL[trade["side"].lower()]
        return self.trade(received, trade["symbol"], trade["price"], trade["size"], side)

    def _quote(self, received: int, quote: Any) -> Record:
        bid, ask = quote.get("bidPrice"), quote.get("askPrice")
        sizes = quote.get("bidSize"), quote.get("askSize")
        return self.quote(received, quote["symbol"], bid, ask, sizes)

    def _books_of(self, received: int, action: str, event: Any) -> list[Record]:
        """A message has one symbol, by all that is recorded; nothing says that it must."""
        symbols = dict.fromkeys(level["symbol"] for level in event["data"])
        if not symbols and action == "partial":
            symbols = {event["filter"]["symbol"]: None}
        if len(symbols) != 1:
            raise Skipped("other_event" if symbols else "no_change")
        (symbol,), data = symbols, event["data"]
        return self.book(
            symbol,
            lambda book: self._book(received, book, action, data),
            snapshot=action == "partial",
            form=BOOKS[event["table"]],
        )

    def _book(self, received: int, book: InstrumentId, action: str, data: Any) -> list[Record]:
        if action == "partial":
            return self._snapshot(received, book, data)
        if action == "insert":
            return self._insert(received, book, data)
        if action == "update":
            # One without a size changes no level.
            sized = [level for level in data if "size" in level]
            return self._change(received, book, data, sized)
        if action == "delete":
            zeros = [level | {"size": 0} for level in data]
            return self._change(received, book, data, zeros)
        raise self.hole(book)

    def _snapshot(self, received: int, book: InstrumentId, data: Any) -> list[Record]:
        prices = {(level["side"], level["id"]): units(level["price"]) for level in data}
        bids, asks = _sides(data, prices)
        records = self.books.snapshot(received, book, None, bids, asks)
        self._prices[book] = prices
        return records

    def _insert(self, received: int, book: InstrumentId, data: Any) -> list[Record]:
        new = {(level["side"], level["id"]): units(level["price"]) for level in data}
        prices = self._prices.get(book, {})
        fits = not prices.keys() & new.keys()
        records = self.books.delta(received, book, None, None, *_sides(data, new))
        prices.update(new)
        if not fits:
            raise self.hole(book)
        return records

    def _change(
        self, received: int, book: InstrumentId, data: Any, changes: list[Any]
    ) -> list[Record]:
        """All of `data` must be levels of the book; `changes` have the sizes."""
        prices = self._prices.get(book)
        if prices is None:
            raise Skipped("book_before_snapshot")
        if any((level["side"], level["id"]) not in prices for level in data):
            raise self.hole(book)
        if not changes:
            raise Skipped("no_change")
        sides = _sides(changes, prices)
        records = self.books.delta(received, book, None, None, *sides)
        for level in changes:
            if level["size"] == 0:
                prices.pop((level["side"], level["id"]), None)
        return records

    def _products(self, received: int, action: str, data: Any) -> list[Record]:
        if action not in ("partial", "insert"):
            raise Skipped("instrument_update")
        self.each(data, self._product)
        return self.introductions(received)

    def _product(self, one: Any) -> None:
        self.product(
            one["symbol"],
            base=one.get("underlying"),
            quote=one.get("quoteCurrency"),
            settle=one.get("settlCurrency"),
            price_step=one.get("tickSize"),
            size_step=one.get("lotSize"),
            multiplier=one.get("multiplier"),
            inverse=one.get("isInverse"),
            expires=one.get("expiry"),
            status=one.get("state"),
        )


def _sides(data: Any, prices: Prices) -> tuple[Levels, Levels]:
    sides: dict[str, Levels] = {"Buy": [], "Sell": []}
    for level in data:
        price = prices[level["side"], level["id"]]
        sides[level["side"]].append((price, quantity(level["size"])))
    return sides["Buy"], sides["Sell"]


def _without_table(event: Any) -> str:
    if "error" in event:
        return "venue_error"
    if "subscribe" in event or "unsubscribe" in event:
        return "subscription"
    return "status" if "info" in event else "other_event"
