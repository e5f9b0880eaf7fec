"""Bitstamp: trades and books of its websocket, book snapshots of its web address.

Called by `relays convert`. The changes of `diff_order_book` never come with a book to begin from:
they are `book_before_snapshot` until the answer of `https://.../order_book/<pair>/` or a message of
the `order_book` channel (the hundred best levels, whole each time) is in the recording. Numbers of
a book are its microtimestamps; they grow, but not by one, so a lost message cannot be seen. The
type of a trade is the aggressor's side. Orders do not belong here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Side
from relays.adapters.adapter import Record, Skipped
from relays.adapters.venue import Venue, levels

SIDES = (Side.BUY, Side.SELL)
ADDRESS = re.compile(r"/order_book/([a-z0-9]+)/?$")
EVENTS = {
    "bts:subscription_succeeded": "subscription",
    "bts:unsubscription_succeeded": "subscription",
    "bts:heartbeat": "heartbeat",
    "bts:request_reconnect": "status",
    "bts:error": "venue_error",
}
CHANNELS = {
    "live_orders": "order",
    "private-my_orders": "order",
    "private-my_trades": "order",
    "detail_order_book": "order_by_order_book",
}


def adapter(_path: Path) -> Bitstamp:
    """The adapter of one recording."""
    return Bitstamp()


class Bitstamp(Venue):
    """Bitstamp spot; the pair `ethusd` is the symbol `ETHUSD`.

    Reasons of its own: `order`, `order_by_order_book`, `best_levels` (the best hundred, of a book
    whose changes come too), `book_snapshot_too_old` (changes after it had no book yet).

    >>> adapter = Bitstamp()
    >>> told = '{"amount_str":"2","price_str":"10.5","type":1}'
    >>> line = '1.5: {"event":"trade","channel":"live_trades_ethusd","data":%s}' % told
    >>> trade = adapter.convert(line)[-1].message
    >>> trade.price, trade.volume, trade.side.name
    (1050000000, 200000000, 'SELL')
    """

    VENUE = VenueId.BITSTAMP

    def __init__(self) -> None:
        super().__init__()
        # When the last change came that found no book; its number.
        self._unused: dict[InstrumentId, int] = {}
        self._changing: set[str] = set()

    def _event(self, received: int, event: Any) -> Iterable[Record]:
        if event["event"] not in ("data", "trade"):
            raise Skipped(EVENTS.get(event["event"], "other_event"))
        channel, _, pair = event["channel"].rpartition("_")
        symbol, data = pair.upper(), event["data"]
        if channel == "live_trades":
            return [self._trade(received, symbol, data)]
        if channel == "diff_order_book":
            self._changing.add(symbol)
            return self.book(symbol, lambda book: self._delta(received, book, data))
        if channel == "order_book":
            if symbol in self._changing:
                raise Skipped("best_levels")
            return self._whole(received, symbol, data)
        raise Skipped(CHANNELS.get(channel, "other_event"))

    def _answer(self, received: int, address: str, answer: Any) -> Iterable[Record]:
        pair = ADDRESS.search(address)
        if not pair:
            raise Skipped("other_answer")
        return self._whole(received, pair[1].upper(), answer)

    def _trade(self, received: int, symbol: str, trade: Any) -> Record:
        if type(trade["type"]) is not int or not 0 <= trade["type"] < len(SIDES):
            raise ValueError(trade["type"])
        side = SIDES[trade["type"]]
        return self.trade(received, symbol, trade["price_str"], trade["amount_str"], side)

    def _whole(self, received: int, symbol: str, data: Any) -> list[Record]:
        return self.book(symbol, lambda book: self._snapshot(received, book, data), snapshot=True)

    def _snapshot(self, received: int, book: InstrumentId, data: Any) -> list[Record]:
        number = int(data["microtimestamp"])
        if number < self._unused.get(book, 0):
            raise self.hole(book, "book_snapshot_too_old")
        bids, asks = levels(data["bids"]), levels(data["asks"])
        return self.books.snapshot(received, book, number, bids, asks)

    def _delta(self, received: int, book: InstrumentId, data: Any) -> list[Record]:
        number = int(data["microtimestamp"])
        bids, asks = levels(data["bids"]), levels(data["asks"])
        if not bids and not asks:
            raise Skipped("no_change")
        if self.books.book(book) is None:
            self._unused[book] = number
        return self.books.delta(received, book, None, number, bids, asks)
