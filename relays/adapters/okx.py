"""OKX: trades, tickers and books of its websocket (version 5).

Called by `relays convert`. A book message carries a CRC-32 of the 25 best levels of each side and,
since 2023, numbers; a book that does not agree is lost until the next snapshot. Sizes are as OKX
has them: coins for spot, contracts for swaps, futures and options. The side of a trade is the
taker's. Accounts and orders do not belong here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from protocol.instruments import AssetType, InstrumentId, VenueId
from protocol.market_data import Side
from relays.adapters.adapter import Record, Skipped
from relays.adapters.book import Books
from relays.adapters.checked import Texts, checksum, interleaved
from relays.adapters.text import units
from relays.adapters.venue import BUY_OR_SELL, Venue, levels

CHECKED_LEVELS = 25
FUTURE = re.compile(r"-\d{6}$")
OPTION = re.compile(r"-\d{6}-\d+-[CP]$")
# How deep the books of a channel are.
BOOKS = {"books": 400, "books-l2-tbt": 400, "books50-l2-tbt": 50}
FIVE = (5, "books5")
EVENTS = {"subscribe": "subscription", "unsubscribe": "subscription", "error": "venue_error"}
WITHOUT = {
    "funding-rate": "funding",
    "liquidation-orders": "liquidation",
    "status": "status",
    "open-interest": "open_interest",
    "mark-price": "mark_price",
    "index-tickers": "index",
    "price-limit": "price_limit",
    "estimated-price": "estimated_price",
}


def adapter(_path: Path) -> Okx:
    """The adapter of one recording."""
    return Okx()


class Okx(Venue):
    """OKX; symbols as `BTC-USDT` (spot), `BTC-USD-SWAP` (perpetual), `BTC-USD-220527` (future),
    `BTC-USD-220527-30000-C` (option).

    Reasons of its own: `funding`, `liquidation`, `open_interest`, `mark_price`, `index`,
    `price_limit`, `estimated_price`, `candle`, `best_levels` (of a book that comes
    deeper too). Books without numbers of OKX: messages are counted.

    >>> adapter = Okx()
    >>> told = '{"instId":"A-B","px":"10.5","sz":"2","side":"sell"}'
    >>> line = '1.5: {"arg":{"channel":"trades","instId":"A-B"},"data":[%s]}' % told
    >>> trade = adapter.convert(line)[-1].message
    >>> trade.price, trade.volume, trade.side.name
    (1050000000, 200000000, 'SELL')
    """

    VENUE = VenueId.OKX

    def __init__(self) -> None:
        super().__init__()
        # OKX begins its numbers anew after maintenance.
        self.books = Books(restarts=True)
        self._texts: dict[InstrumentId, Texts] = {}

    def asset_type(self, symbol: str) -> AssetType:
        if symbol.endswith("-SWAP"):
            return AssetType.PERPETUAL
        if FUTURE.search(symbol):
            return AssetType.FUTURE
        return AssetType.OPTION if OPTION.search(symbol) else AssetType.SPOT

    def _parse(self, text: str) -> Any:
        if text == "pong":
            raise Skipped("heartbeat")
        return super()._parse(text)

    def _event(self, received: int, event: Any) -> Iterable[Record]:
        if "event" in event:
            raise Skipped(EVENTS.get(event["event"], "other_event"))
        channel, data = event["arg"]["channel"], event["data"]
        if channel in BOOKS:
            return self._book(received, event["arg"], event["action"], *data)
        if channel in ("trades", "trades-all"):
            return self.each(data, lambda trade: self._trade(received, trade))
        if channel == "tickers":
            return self.each(data, lambda ticker: self._quote(received, ticker))
        if channel == "bbo-tbt":
            symbol = event["arg"]["instId"]
            return self.each(data, lambda best: self._best(received, symbol, best))
        if channel == "books5":
            return self._five(received, event["arg"]["instId"], *data)
        if channel == "instruments":
            return self._products(received, data)
        if channel.startswith("candle"):
            raise Skipped("candle")
        raise Skipped(WITHOUT.get(channel, "other_event"))

    def _trade(self, received: int, trade: Any) -> Record:
        side: Side = BUY_OR_SELL[trade["side"]]
        return self.trade(received, trade["instId"], trade["px"], trade["sz"], side)

    def _quote(self, received: int, ticker: Any) -> Record:
        bid, ask = ticker["bidPx"], ticker["askPx"]
        # Where a side has no price its size is empty too: the price is looked at first.
        sizes = ticker["bidSz"] or 0, ticker["askSz"] or 0
        return self.quote(received, ticker["instId"], bid, ask, sizes)

    def _best(self, received: int, symbol: str, best: Any) -> Record:
        if not best["bids"] or not best["asks"]:
            raise Skipped("one_sided")
        (bid, bid_size, *_), (ask, ask_size, *_) = best["bids"][0], best["asks"][0]
        return self.quote(received, symbol, bid, ask, (bid_size, ask_size))

    def _book(self, received: int, arg: Any, action: str, said: Any) -> list[Record]:
        read = {"snapshot": self._snapshot, "update": self._delta}.get(action)
        if read is None:
            raise Skipped("other_event")
        return self.book(
            arg["instId"],
            lambda book: read(received, book, said),
            snapshot=action == "snapshot",
            form=(BOOKS[arg["channel"]], arg["channel"]),
        )

    def _five(self, received: int, symbol: str, said: Any) -> list[Record]:
        """The best five, whole each time: the book, where the whole one does not come."""

        def read(book: InstrumentId) -> list[Record]:
            bids, asks = levels(said["bids"]), levels(said["asks"])
            return self.books.snapshot(received, book, said.get("seqId"), bids, asks)

        return self.book(symbol, read, snapshot=True, form=FIVE)

    def _snapshot(self, received: int, book: InstrumentId, said: Any) -> list[Record]:
        bids, asks = levels(said["bids"]), levels(said["asks"])
        records = self.books.snapshot(received, book, said.get("seqId"), bids, asks)
        self._texts[book] = Texts()
        self._check(book, said)
        return records

    def _delta(self, received: int, book: InstrumentId, said: Any) -> list[Record]:
        if not said["bids"] and not said["asks"]:
            raise Skipped("no_change")
        bids, asks = levels(said["bids"]), levels(said["asks"])
        last, previous = said.get("seqId"), said.get("prevSeqId")
        records = self.books.delta(received, book, None, last, bids, asks, previous)
        self._check(book, said)
        return records

    def _check(self, book: InstrumentId, said: Any) -> None:
        """Remember the text of these levels; `book_checksum` where the best do not agree."""
        texts, kept = self._texts[book], self.books.book(book)
        if kept is None:
            return
        texts.change(kept, _text(said["bids"]), _text(said["asks"]))
        if not said.get("checksum"):
            return
        best = interleaved(*texts.best(kept, CHECKED_LEVELS))
        # OKX says it with a sign.
        if checksum(":".join(best)) != said["checksum"] % 2**32:
            raise self.hole(book, "book_checksum")

    def _products(self, received: int, products: Any) -> list[Record]:
        self.each(products, self._product)
        return self.introductions(received)

    def _product(self, product: Any) -> None:
        self.product(
            product["instId"],
            base=product.get("baseCcy") or None,
            quote=product.get("quoteCcy") or None,
            settle=product.get("settleCcy") or None,
            price_step=product["tickSz"],
            size_step=product.get("lotSz"),
            least_size=product.get("minSz"),
            contract_value=product.get("ctVal") or None,
            contract_currency=product.get("ctValCcy") or None,
            status=product.get("state"),
        )


def _text(pairs: Any) -> dict[int, str]:
    return {units(pair[0]): f"{pair[0]}:{pair[1]}" for pair in pairs}
