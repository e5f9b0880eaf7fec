"""Bitfinex: trades, tickers and books of its websocket (version 2).

Called by `relays convert`. An array names its channel by a number that a `subscribed` event gave.
With the flag 65536 every array has a number that grows by one over the whole connection: after a
hole every book is lost until its next snapshot, as nobody knows whose message it was. A negative
amount is a sale, or a level to sell at; a count of 0 deletes a level. The sizes of a ticker are
sums over 25 levels, not what is at the best price: its quotes have size 0. Funding (`f...`) does
not belong here.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from protocol.instruments import AssetType, InstrumentId, VenueId
from protocol.market_data import Side
from relays.adapters.adapter import Record, Skipped
from relays.adapters.text import quantity, units
from relays.adapters.venue import Form, Levels, Venue

NUMBERED, TIMED = 65_536, 32_768
EXACT_PRICES = "P0"
# Levels a side of a book that was not asked for deeper.
DEPTH = 25
EVENTS = {
    "subscribed": "subscription",
    "unsubscribed": "subscription",
    "info": "status",
    "conf": "status",
    "pong": "heartbeat",
    "error": "venue_error",
}
MARKS = {
    "hb": "heartbeat",
    "tu": "trade_again",
    "cs": "checksum",
    "fte": "funding",
    "ftu": "funding",
}


def adapter(_path: Path) -> Bitfinex:
    """The adapter of one recording."""
    return Bitfinex()


class Channel(NamedTuple):
    """What a channel number stands for."""

    name: str
    symbol: str
    precision: str
    form: Form


class Bitfinex(Venue):
    """Bitfinex; `tETHUSD` is the symbol `ETHUSD` (spot), `tBTCF0:USTF0` is `BTCF0:USTF0`
    (perpetual). The number of a book is that of the array, or a count without the flag.

    Reasons of its own: `funding`, `trade_again` (`tu`, of the trade that `te` said), `checksum`
    (not looked at), `aggregated_book` (rounded prices), `raw_book` (order by order), `candle`,
    `unknown_channel`.

    >>> adapter = Bitfinex()
    >>> _ = adapter.convert('1.4: {"event":"subscribed","channel":"trades","chanId":7,'
    ...                     '"symbol":"tETHUSD"}')
    >>> trade = adapter.convert('1.5: [7,"te",[1,1500,-2,10.5]]')[-1].message
    >>> trade.price, trade.volume, trade.side.name
    (1050000000, 200000000, 'SELL')
    """

    VENUE = VenueId.BITFINEX

    def __init__(self) -> None:
        super().__init__()
        self._channels: dict[int, Channel] = {}
        self._flags = 0
        self._number: int | None = None

    def asset_type(self, symbol: str) -> AssetType:
        return AssetType.PERPETUAL if symbol.endswith("F0") else AssetType.SPOT

    def _connected(self) -> None:
        super()._connected()
        self._channels, self._flags, self._number = {}, 0, None

    def _event(self, received: int, event: Any) -> Iterable[Record]:
        if isinstance(event, dict):
            raise Skipped(self._said(event))
        self._count(event)
        channel = self._channels.get(event[0])
        # Channels have heartbeats before they are said to be subscribed.
        if event[1] == "hb" or channel is None:
            raise Skipped("heartbeat" if event[1] == "hb" else "unknown_channel")
        if channel.symbol.startswith("f"):
            raise Skipped("funding")
        symbol = channel.symbol.removeprefix("t")
        if channel.name == "ticker":
            return self.each(event[1:2], lambda said: self._quote(received, symbol, said))
        if channel.name == "trades":
            return self.each([event], lambda trade: self._trade(received, symbol, trade))
        if channel.name == "book":
            return self._book(received, symbol, channel, event[1])
        raise Skipped("candle" if channel.name == "candles" else "other_event")

    def _said(self, event: Any) -> str:
        """What an event object is counted under, and what it changes."""
        if event["event"] == "subscribed":
            number, name = int(event["chanId"]), str(event["channel"])
            precision = str(event.get("prec", EXACT_PRICES))
            form = int(event.get("len", DEPTH)), str(event.get("freq", ""))
            self._channels[number] = Channel(name, str(event.get("symbol", "")), precision, form)
        elif event["event"] == "unsubscribed":
            self._channels.pop(event["chanId"], None)
        elif event["event"] == "conf" and event.get("status") == "OK":
            # Numbers begin anew, or end.
            self._flags, self._number = int(event["flags"]), None
            self._lost()
        return EVENTS.get(event["event"], "other_event")

    def _count(self, event: Any) -> None:
        """Notice a hole in the numbers of the arrays."""
        if not self._flags & NUMBERED:
            return
        number = event[-2 if self._flags & TIMED else -1]
        if type(number) is not int:
            raise ValueError(number)
        if self._number is not None and number != self._number + 1:
            self._lost()
        self._number = number

    def _quote(self, received: int, symbol: str, said: Any) -> Record:
        bid, _, ask, *_ = said
        return self.quote(received, symbol, bid, ask)

    def _trade(self, received: int, symbol: str, event: Any) -> Record:
        mark = event[1]
        if mark != "te":
            # Without a mark it is the list of the last trades before the subscription.
            raise Skipped(
                "past_trades" if isinstance(mark, list) else MARKS.get(mark, "other_event")
            )
        _id, _time, amount, price = event[2]
        side, size = _signed(amount)
        return self.trade(received, symbol, price, size, side)

    def _book(self, received: int, symbol: str, channel: Channel, said: Any) -> list[Record]:
        if said == "cs":
            raise Skipped("checksum")
        if channel.precision != EXACT_PRICES:
            raw = channel.precision.startswith("R")
            raise Skipped("raw_book" if raw else "aggregated_book")
        whole = not said or isinstance(said[0], list)
        read = self._snapshot if whole else self._delta
        return self.book(
            symbol, lambda book: read(received, book, said), snapshot=whole, form=channel.form
        )

    def _snapshot(self, received: int, book: InstrumentId, said: Any) -> list[Record]:
        return self.books.snapshot(received, book, self._number, *_sides(said))

    def _delta(self, received: int, book: InstrumentId, said: Any) -> list[Record]:
        return self.books.delta(received, book, None, self._number, *_sides([said]))


def _signed(amount: str | int) -> tuple[Side, str]:
    """The side and the size of a signed amount."""
    text = str(amount)
    return (Side.SELL, text[1:]) if text.startswith("-") else (Side.BUY, text)


def _sides(rows: Any) -> tuple[Levels, Levels]:
    """Bids and asks of rows [price, count, amount]."""
    sides: dict[Side, Levels] = {Side.BUY: [], Side.SELL: []}
    for price, count, amount in rows:
        side, size = _signed(amount)
        # The amount of a level that is deleted is 1 or -1.
        sides[side].append((units(price), quantity(size) if count else 0))
    return sides[Side.BUY], sides[Side.SELL]
