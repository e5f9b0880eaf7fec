"""dYdX: trades and books of the websocket of its third version.

Called by `relays convert`. Book messages overtake each other: each has an offset that grows over
all markets, and a level is changed only by a higher offset than its last (`old_level`). The
`message_id` of a connection grows by one: an id that is missing 100 messages later is lost, and
with it, as nobody knows whose it was, every book until its next snapshot. Markets and accounts do
not belong here. The side of a trade is the taker's.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from protocol.instruments import AssetType, InstrumentId, VenueId
from relays.adapters.adapter import Record, Skipped
from relays.adapters.text import quantity, units
from relays.adapters.venue import BUY_OR_SELL, Levels, Venue

LATEST = 100
TYPES = {
    "connected": "status",
    "unsubscribed": "subscription",
    "error": "venue_error",
    "pong": "heartbeat",
}
CHANNELS = {"v3_markets": "markets", "v3_accounts": "account"}

# Price to the offset that changed it last, the latest change last; also of levels that are gone.
Offsets = dict[int, int]
# Levels that are gone whose offsets are kept: far more than change while a message is on its way.
GONE = 10_000


def adapter(_path: Path) -> Dydx:
    """The adapter of one recording."""
    return Dydx()


class Dydx(Venue):
    """dYdX perpetuals; symbols as `ETH-USD`. Offsets go back and forth: book messages are counted.

    Reasons of its own: `markets`, `account`, `old_level` (of a line all whose levels are older than
    those in the book; in `left_out` for single ones).

    >>> adapter = Dydx()
    >>> told = '{"trades":[{"side":"SELL","size":"2","price":"10.5"}]}'
    >>> line = ('1.5: {"type":"channel_data","message_id":1,"id":"ETH-USD",'
    ...         '"channel":"v3_trades","contents":%s}' % told)
    >>> trade = adapter.convert(line)[-1].message
    >>> trade.price, trade.volume, trade.side.name
    (1050000000, 200000000, 'SELL')
    """

    VENUE = VenueId.DYDX

    def __init__(self) -> None:
        super().__init__()
        self._offsets: dict[InstrumentId, tuple[Offsets, Offsets]] = {}
        self._connection: str | None = None
        self._top = -1
        self._missing: list[int] = []

    def asset_type(self, symbol: str) -> AssetType:
        return AssetType.PERPETUAL

    def _event(self, received: int, event: Any) -> Iterable[Record]:
        self._count(event)
        kind, channel = event["type"], event.get("channel")
        if kind not in ("subscribed", "channel_data"):
            raise Skipped(TYPES.get(kind, "other_event"))
        if channel == "v3_trades":
            if kind == "subscribed":
                raise Skipped("past_trades")
            trades, symbol = event["contents"]["trades"], event["id"]
            return self.each(trades, lambda trade: self._trade(received, symbol, trade))
        if channel != "v3_orderbook":
            raise Skipped(CHANNELS.get(channel, "other_event"))
        return self._book(received, event, kind == "subscribed")

    def _trade(self, received: int, symbol: str, trade: Any) -> Record:
        side = BUY_OR_SELL[trade["side"].lower()]
        return self.trade(received, symbol, trade["price"], trade["size"], side)

    def _count(self, event: Any) -> None:
        """Notice the ids that do not come; some come late."""
        number, connection = event["message_id"], event.get("connection_id", "")
        if connection != self._connection:
            self._lost()
            self._connection, self._top, self._missing = connection, number, []
        elif number > self._top:
            first = max(self._top + 1, number - LATEST - 1)
            self._missing += range(first, number)
            self._top = number
        elif number in self._missing:
            self._missing.remove(number)
        if self._missing and self._missing[0] < self._top - LATEST:
            self._missing = []
            self._lost()

    def _book(self, received: int, event: Any, snapshot: bool) -> list[Record]:
        read = self._snapshot if snapshot else self._delta
        said = event["contents"]
        return self.book(event["id"], lambda book: read(received, book, said), snapshot=snapshot)

    def _snapshot(self, received: int, book: InstrumentId, said: Any) -> list[Record]:
        sides = [_rows(said["bids"]), _rows(said["asks"])]
        bids, asks = ([(price, size) for price, size, _ in side] for side in sides)
        records = self.books.snapshot(received, book, None, bids, asks)
        first, second = ({price: offset for price, _, offset in side} for side in sides)
        self._offsets[book] = first, second
        return records

    def _delta(self, received: int, book: InstrumentId, said: Any) -> list[Record]:
        offset, known = int(said["offset"]), self._offsets.get(book, ({}, {}))
        told = [(units(price), quantity(size)) for price, size in said["bids"]]
        bids, old_bids = _newer(told, offset, known[0])
        told = [(units(price), quantity(size)) for price, size in said["asks"]]
        asks, old_asks = _newer(told, offset, known[1])
        if not bids and not asks:
            raise Skipped("old_level" if old_bids or old_asks else "no_change")
        records = self.books.delta(received, book, None, None, bids, asks)
        if kept := self.books.book(book):
            _remember(known[0], bids, offset, kept.bids)
            _remember(known[1], asks, offset, kept.asks)
        if old_bids + old_asks:
            self.left_out["old_level"] += old_bids + old_asks
        return records


def _rows(levels: Any) -> list[tuple[int, int, int]]:
    return [
        (units(level["price"]), quantity(level["size"]), int(level["offset"])) for level in levels
    ]


def _remember(known: Offsets, levels: Levels, offset: int, there: dict[int, int]) -> None:
    for price, _ in levels:
        known.pop(price, None)
        known[price] = offset
    if len(known) > len(there) + 2 * GONE:
        gone = [price for price in known if price not in there]
        for price in gone[:-GONE]:
            del known[price]


def _newer(levels: Levels, offset: int, known: Offsets) -> tuple[Levels, int]:
    """The levels that this offset may change, and how many it may not."""
    newer = [(price, size) for price, size in levels if known.get(price, -1) < offset]
    return newer, len(levels) - len(newer)
