"""Kraken: trades, spreads, tickers and books of its websocket (version 1), the list of pairs.

Called by `relays convert`. Every book message carries a CRC-32 of the ten best levels of each side;
a book that does not agree is lost until the next snapshot (`book_checksum`, then `book_hole`).
Kraken keeps `depth` levels a side and does not say which fall out: they are deleted here. The side
of a trade is that of the order that triggered it. Version 2 of the feed does not belong here.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from protocol.catalogue import SourceType
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Side
from relays.adapters.adapter import Record, Skipped
from relays.adapters.checked import Texts, checksum
from relays.adapters.text import units
from relays.adapters.venue import Venue, levels

CHECKED_LEVELS = 10
SIDES = {"b": Side.BUY, "s": Side.SELL}
EVENTS = {
    "heartbeat": "heartbeat",
    "pong": "heartbeat",
    "systemStatus": "status",
    "subscriptionStatus": "subscription",
    "error": "venue_error",
}


def adapter(_path: Path) -> Kraken:
    """The adapter of one recording."""
    return Kraken()


class Kraken(Venue):
    """Kraken spot; symbols as the websocket has them, `XBT/USD`, and dark pools as `XBTUSD.d`.

    A reason of its own: `candle`. Books have no numbers: messages are counted. The rates of a
    ticker have the lot volume as size.

    >>> adapter = Kraken()
    >>> line = '1.5: [0,[["30.5","2","1.4","s","l",""]],"trade","XBT/USD"]'
    >>> trade = adapter.convert(line)[-1].message
    >>> trade.price, trade.volume, trade.side.name
    (3050000000, 200000000, 'SELL')
    """

    SOURCE = SourceType.KRAKEN_COLLECTOR
    VENUE = VenueId.KRAKEN

    def __init__(self) -> None:
        super().__init__()
        self._texts: dict[InstrumentId, Texts] = {}

    def _event(self, received: int, event: Any) -> Iterable[Record]:
        if isinstance(event, dict):
            raise Skipped(EVENTS.get(event["event"], "other_event"))
        _, *contents, name, pair = event
        channel, _, depth = name.partition("-")
        if channel == "book":
            return self._book(received, pair, contents, depth)
        content = contents[0]
        if channel == "trade":
            return self.each(content, lambda trade: self._trade(received, pair, *trade[:4]))
        if channel == "spread":
            return self.each([content], lambda spread: self._spread(received, pair, *spread[:5]))
        if channel == "ticker":
            return self.each([content], lambda ticker: self._ticker(received, pair, ticker))
        raise Skipped("candle" if channel == "ohlc" else "other_event")

    def _trade(
        self, received: int, pair: str, price: str, volume: str, _time: str, side: str
    ) -> Record:
        return self.trade(received, pair, price, volume, SIDES[side])

    def _spread(
        self, received: int, pair: str, bid: str, ask: str, _time: str, *sizes: str
    ) -> Record:
        return self.quote(received, pair, bid, ask, sizes)

    def _ticker(self, received: int, pair: str, ticker: Any) -> Record:
        (bid, _, bid_size), (ask, _, ask_size) = ticker["b"], ticker["a"]
        return self.quote(received, pair, bid, ask, (bid_size, ask_size))

    def _book(self, received: int, pair: str, contents: Any, depth: str) -> list[Record]:
        form = int(depth), "book"
        if "as" in contents[0]:
            return self.book(
                pair,
                lambda book: self._snapshot(received, book, contents[0], int(depth)),
                snapshot=True,
                form=form,
            )
        return self.book(pair, lambda book: self._delta(received, book, contents), form=form)

    def _snapshot(
        self, received: int, book: InstrumentId, said: dict[str, Any], depth: int
    ) -> list[Record]:
        bids, asks = said["bs"], said["as"]
        records = self.books.snapshot(received, book, None, levels(bids), levels(asks), depth=depth)
        self._texts[book] = Texts()
        self._remember(book, bids, asks)
        return records

    def _delta(self, received: int, book: InstrumentId, contents: Any) -> list[Record]:
        # Where both sides change each has an object of its own.
        said = {key: value for content in contents for key, value in content.items()}
        bids, asks = said.get("b", []), said.get("a", [])
        if not bids and not asks:
            raise Skipped("no_change")
        records = self.books.delta(received, book, None, None, levels(bids), levels(asks))
        self._remember(book, bids, asks)
        if self._checksum(book) != int(said["c"]):
            raise self.hole(book, "book_checksum")
        return records

    def _remember(self, book: InstrumentId, bids: Any, asks: Any) -> None:
        if kept := self.books.book(book):
            self._texts[book].change(kept, _text(bids), _text(asks))

    def _checksum(self, book: InstrumentId) -> int:
        """Of price and size of the best asks, then of the best bids: digits alone, from the first
        that is not zero."""
        kept = self.books.book(book)
        if kept is None:
            raise Skipped("book_hole")
        bids, asks = self._texts[book].best(kept, CHECKED_LEVELS)
        return checksum("".join(asks + bids))

    def _answer(self, received: int, address: str, answer: Any) -> Iterable[Record]:
        if not address.endswith("/AssetPairs"):
            raise Skipped("other_answer")
        self.each(answer["result"].items(), lambda item: self._pair(*item))
        return self.introductions(received)

    def _pair(self, name: str, pair: Any) -> None:
        self.product(
            pair.get("wsname") or pair["altname"],
            name=name,
            base=pair["base"],
            quote=pair["quote"],
            price_decimals=pair["pair_decimals"],
            size_decimals=pair["lot_decimals"],
            least_size=pair.get("ordermin"),
        )


def _text(pairs: Any) -> dict[int, str]:
    return {units(pair[0]): _digits(pair[0]) + _digits(pair[1]) for pair in pairs}


def _digits(number: str) -> str:
    return number.replace(".", "").lstrip("0")
