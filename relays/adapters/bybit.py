"""Bybit: trades and books of its public websocket (version 2: USDT perpetuals, inverse contracts).

Called by `relays convert`. The `cross_seq` of a book message grows with every message of the venue,
not by one for each of a book, so it cannot show what is missing; that levels are deleted or updated
which are there, and inserted where there is none, can. Sizes are as Bybit has them: coins for USDT
perpetuals, contracts of one dollar for inverse ones. The side of a trade is the taker's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from protocol.instruments import AssetType, InstrumentId, VenueId
from relays.adapters.adapter import Record, Skipped
from relays.adapters.text import quantity, units
from relays.adapters.venue import BUY_OR_SELL, Form, Levels, Venue

FUTURE = re.compile(r"[FGHJKMNQUVXZ]\d\d$|-\d{2}[A-Z]{3}\d{2}$")
# How deep the books of a topic are.
BOOKS = {"orderBookL2_25": 25, "orderBook_200": 200}
WITHOUT = {
    "instrument_info": "instrument_info",
    "klineV2": "candle",
    "candle": "candle",
    "liquidation": "liquidation",
    "insurance": "insurance",
}


def adapter(_path: Path) -> Bybit:
    """The adapter of one recording."""
    return Bybit()


class Bybit(Venue):
    """Bybit; symbols as `BCHUSDT`, `BTCUSD` (perpetuals), `BTCUSDM21`, `BTC-30JUN23` (futures).

    Reasons of its own: `instrument_info`, `candle`, `liquidation`, `insurance`.

    >>> adapter = Bybit()
    >>> told = '{"symbol":"AUSDT","price":"10.5","size":2,"side":"Sell"}'
    >>> trade = adapter.convert('1.5: {"topic":"trade.AUSDT","data":[%s]}' % told)[-1].message
    >>> trade.price, trade.volume, trade.side.name
    (1050000000, 200000000, 'SELL')
    """

    VENUE = VenueId.BYBIT

    def asset_type(self, symbol: str) -> AssetType:
        return AssetType.FUTURE if FUTURE.search(symbol) else AssetType.PERPETUAL

    def _event(self, received: int, event: Any) -> Iterable[Record]:
        if "topic" not in event:
            raise Skipped(_acknowledged(event))
        topic, *rest = event["topic"].split(".")
        if topic == "trade":
            return self.each(event["data"], lambda trade: self._trade(received, trade))
        if topic in BOOKS:
            return self._book(received, rest[-1], event, (BOOKS[topic], topic))
        raise Skipped(WITHOUT.get(topic, "other_event"))

    def _trade(self, received: int, trade: Any) -> Record:
        side = BUY_OR_SELL[trade["side"].lower()]
        return self.trade(received, trade["symbol"], trade["price"], trade["size"], side)

    def _book(self, received: int, symbol: str, event: Any, form: Form) -> list[Record]:
        read = {"snapshot": self._snapshot, "delta": self._delta}.get(event["type"])
        if read is None:
            raise Skipped("other_event")
        return self.book(
            symbol,
            lambda book: read(received, book, event),
            snapshot=event["type"] == "snapshot",
            form=form,
        )

    def _snapshot(self, received: int, book: InstrumentId, event: Any) -> list[Record]:
        data = event["data"]
        # Inverse contracts have the list where USDT perpetuals have an object with it.
        bids, asks = _sides(data["order_book"] if isinstance(data, dict) else data)
        return self.books.snapshot(received, book, int(event["cross_seq"]), bids, asks)

    def _delta(self, received: int, book: InstrumentId, event: Any) -> list[Record]:
        data, last = event["data"], int(event["cross_seq"])
        gone, there, new = data["delete"], data["update"], data["insert"]
        zeros = [level | {"size": 0} for level in gone]
        bids, asks = _sides([*zeros, *there, *new])
        if not bids and not asks:
            raise Skipped("no_change")
        removed = {(level["side"], units(level["price"])) for level in gone}
        # A level that this message deletes and inserts is a change of its size.
        fresh = [level for level in new if (level["side"], units(level["price"])) not in removed]
        fits = self._has(book, [*zeros, *there], True) and self._has(book, fresh, False)
        records = self.books.delta(received, book, None, last, bids, asks)
        if not fits:
            raise self.hole(book)
        return records

    def _has(self, book: InstrumentId, levels: Any, wanted: bool) -> bool:
        """Whether all these levels are in the book, or none; true where there is no book."""
        kept = self.books.book(book)
        if kept is None:
            return True
        bids, asks = _sides(levels)
        there = [price in kept.bids for price, _ in bids]
        return all(one is wanted for one in there + [price in kept.asks for price, _ in asks])


def _sides(levels: Any) -> tuple[Levels, Levels]:
    sides: dict[str, Levels] = {"Buy": [], "Sell": []}
    for level in levels:
        sides[level["side"]].append((units(level["price"]), quantity(level["size"])))
    return sides["Buy"], sides["Sell"]


def _acknowledged(event: Any) -> str:
    if event.get("ret_msg") == "pong":
        return "heartbeat"
    if "success" not in event:
        return "other_event"
    return "subscription" if event["success"] is True else "venue_error"
