"""Coinbase: matches, tickers, level 2 books, the product list.

Called by `relays convert`. Lines of the websocket feed (channels matches, ticker, level2, status)
and of `https://.../products`. The `side` of a match is the maker's, so the aggressor is the other.
Tickers of before 2022 have no sizes: their quotes have size 0. The books have no numbers of the
venue: messages are counted, and a lost one cannot be seen. Only what a line says belongs here.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from protocol.catalogue import SourceType
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Side
from relays.adapters.adapter import Record, Skipped
from relays.adapters.text import quantity, units
from relays.adapters.venue import Venue, levels

TAKER = {"buy": Side.SELL, "sell": Side.BUY}
WITHOUT = {
    "last_match": "past_trades",
    "subscriptions": "subscription",
    "heartbeat": "heartbeat",
    "error": "venue_error",
    "received": "order",
    "open": "order",
    "done": "order",
    "change": "order",
    "activate": "order",
}


def adapter(_path: Path) -> Coinbase:
    """The adapter of one recording."""
    return Coinbase()


class Coinbase(Venue):
    """Coinbase spot; symbols as `BTC-USD`. A reason of its own: `order` (of the full channel).

    >>> adapter = Coinbase()
    >>> line = '1.5: {"type":"match","side":"sell","size":"2","price":"10.5","product_id":"A-B"}'
    >>> trade = adapter.convert(line)[-1].message
    >>> trade.price, trade.volume, trade.side.name
    (1050000000, 200000000, 'BUY')
    """

    SOURCE = SourceType.COINBASE_COLLECTOR
    VENUE = VenueId.COINBASE

    def _event(self, received: int, event: Any) -> Iterable[Record]:
        kind = event["type"]
        if kind == "l2update":
            return self.book(event["product_id"], lambda book: self._delta(received, book, event))
        if kind == "match":
            return self.each([event], lambda match: self._trade(received, match))
        if kind == "ticker":
            return self.each([event], lambda ticker: self._quote(received, ticker))
        if kind == "snapshot":
            return self.book(
                event["product_id"],
                lambda book: self._snapshot(received, book, event),
                snapshot=True,
            )
        if kind == "status":
            return self._products(received, event["products"])
        raise Skipped(WITHOUT.get(kind, "other_event"))

    def _answer(self, received: int, address: str, answer: Any) -> Iterable[Record]:
        if not address.endswith("/products"):
            raise Skipped("other_answer")
        return self._products(received, answer)

    def _trade(self, received: int, match: Any) -> Record:
        side: Side = TAKER[match["side"]]
        return self.trade(received, match["product_id"], match["price"], match["size"], side)

    def _quote(self, received: int, event: Any) -> Record:
        sizes = event.get("best_bid_size", 0), event.get("best_ask_size", 0)
        bid, ask = event["best_bid"], event["best_ask"]
        return self.quote(received, event["product_id"], bid, ask, sizes)

    def _snapshot(self, received: int, book: InstrumentId, event: Any) -> list[Record]:
        bids, asks = levels(event["bids"]), levels(event["asks"])
        return self.books.snapshot(received, book, None, bids, asks)

    def _delta(self, received: int, book: InstrumentId, event: Any) -> list[Record]:
        sides: dict[str, list[tuple[int, int]]] = {"buy": [], "sell": []}
        for side, price, size in event["changes"]:
            sides[side].append((units(price), quantity(size)))
        if not event["changes"]:
            raise Skipped("no_change")
        return self.books.delta(received, book, None, None, sides["buy"], sides["sell"])

    def _products(self, received: int, products: Any) -> list[Record]:
        self.each(products, self._product)
        return self.introductions(received)

    def _product(self, product: Any) -> None:
        self.product(
            product["id"],
            base=product["base_currency"],
            quote=product["quote_currency"],
            price_step=product["quote_increment"],
            size_step=product.get("base_increment"),
            least_size=product.get("base_min_size"),
            status=product.get("status"),
        )
