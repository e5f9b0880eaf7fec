"""Bitstamp: trades and books of its websocket, book snapshots of its web address.

Called by `relays convert`. The changes of `diff_order_book` never come with a book to begin from:
they are `book_before_snapshot` until the answer of `https://.../order_book/<pair>/` is in the
recording. The `order_book` channel has the hundred best levels, whole each time: a book where
neither changes nor an answer come, never one that changes are applied to. Numbers of a book are
its microtimestamps; they grow, but not by one, so a lost message cannot be seen. The type of a
trade is the aggressor's side. Orders do not belong here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Side
from relays.adapters.adapter import Record, Skipped
from relays.adapters.book import Books
from relays.adapters.venue import WHOLE, Form, Venue, levels

SIDES = (Side.BUY, Side.SELL)
BEST = (100, "order_book")
# Changes kept for a book that is still to come: minutes of them.
MOST_WAITING = 1_024
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
    that comes whole too), `book_snapshot_too_old` (what came before the changes is missing).

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
        self.books = Books(waits=MOST_WAITING)

    def _event(self, received: int, event: Any) -> Iterable[Record]:
        if event["event"] not in ("data", "trade"):
            raise Skipped(EVENTS.get(event["event"], "other_event"))
        channel, _, pair = event["channel"].rpartition("_")
        symbol, data = pair.upper(), event["data"]
        if channel == "live_trades":
            return self.each([data], lambda trade: self._trade(received, symbol, trade))
        if channel == "diff_order_book":
            return self.book(symbol, lambda book: self._delta(received, book, data))
        if channel == "order_book":
            return self._snapshots(received, symbol, data, BEST)
        raise Skipped(CHANNELS.get(channel, "other_event"))

    def _answer(self, received: int, address: str, answer: Any) -> Iterable[Record]:
        pair = ADDRESS.search(address)
        if not pair:
            raise Skipped("other_answer")
        return self._snapshots(received, pair[1].upper(), answer, WHOLE)

    def _trade(self, received: int, symbol: str, trade: Any) -> Record:
        if type(trade["type"]) is not int or not 0 <= trade["type"] < len(SIDES):
            raise ValueError(trade["type"])
        side = SIDES[trade["type"]]
        return self.trade(received, symbol, trade["price_str"], trade["amount_str"], side)

    def _snapshots(self, received: int, symbol: str, data: Any, form: Form) -> list[Record]:
        return self.book(
            symbol, lambda book: self._snapshot(received, book, data), snapshot=True, form=form
        )

    def _snapshot(self, received: int, book: InstrumentId, data: Any) -> list[Record]:
        number = int(data["microtimestamp"])
        bids, asks = levels(data["bids"]), levels(data["asks"])
        return self.books.snapshot(received, book, number, bids, asks)

    def _delta(self, received: int, book: InstrumentId, data: Any) -> list[Record]:
        number = int(data["microtimestamp"])
        bids, asks = levels(data["bids"]), levels(data["asks"])
        if not bids and not asks:
            raise Skipped("no_change")
        return self.books.delta(received, book, None, number, bids, asks)
