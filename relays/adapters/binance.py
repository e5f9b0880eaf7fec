"""Binance trades and best quotes, spot and USD-M futures, as Trade and Quote messages.

Called with recorded lines `<receive ns> <raw JSON>` of the combined websocket streams `@trade` and
`@bookTicker`. Prices and sizes go from decimal text to units of 1e-8 through integers alone. Only
what one line says is used: joining books or clocks does not belong here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from functools import cache
from heapq import merge as merge_sorted
from typing import Any, NamedTuple

from protocol.errors import InstrumentError
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Quote, Side, Trade

DECIMALS = 8
MOST = 2**63 - 1
# Trades of the insurance fund and of forced settlement are on the stream but not of the market.
MARKET_TRADES = (None, "MARKET")


class Market(IntEnum):
    """Where a recording is from; the values are those of VenueId."""

    SPOT = VenueId.BINANCE
    USDM = VenueId.BINANCE_FUTURES

    def instrument(self, symbol: str) -> InstrumentId:
        """The InstrumentId of an exchange symbol: spot pair, or USD-M perpetual.

        InstrumentError for symbols over 8 characters: a short form for them is not decided.
        """
        make = InstrumentId.spot if self is Market.SPOT else InstrumentId.perpetual
        return make(self, symbol)


class Record(NamedTuple):
    """A message and when the recorder received it (ns since the epoch, the recorder's clock)."""

    received: int
    message: Trade | Quote


class Skipped(Exception):
    """A line that gives no message; the text is the reason it is counted under."""


class Adapter:
    """Parses the lines of one market; `skipped` counts what gave no message, by reason.

    Reasons: `blank`, `no_receive_time`, `not_json`, `book_snapshot`, `depth`, `other_stream`,
    `not_a_market_trade`, `long_symbol`, `bad_field`.

    >>> adapter = Adapter(Market.SPOT)
    >>> adapter.parse('1723161254087891268 {"stream":"btcusdt@depth@100ms","data":{}}')
    >>> adapter.skipped
    Counter({'depth': 1})
    """

    def __init__(self, market: Market) -> None:
        self.market = market
        self.skipped: Counter[str] = Counter()
        self._instrument = cache(market.instrument)

    def parse(self, line: str) -> Record | None:
        """The record of one line; None when there is none, and the reason is counted."""
        try:
            received, data, read = self._split(line)
            return Record(received, read(data))
        except Skipped as reason:
            self.skipped[str(reason)] += 1
        except InstrumentError:
            self.skipped["long_symbol"] += 1
        except (AttributeError, KeyError, TypeError, ValueError):
            self.skipped["bad_field"] += 1
        return None

    def records(self, lines: Iterable[str]) -> Iterator[Record]:
        """The records of these lines, in their order."""
        for line in lines:
            record = self.parse(line)
            if record is not None:
                yield record

    def _split(self, line: str) -> tuple[int, Any, Callable[[Any], Trade | Quote]]:
        """Receive time, the event, and what reads it."""
        time, _, text = line.strip().partition(" ")
        if not time:
            raise Skipped("blank")
        if not (time.isascii() and time.isdigit()):
            raise Skipped("no_receive_time")
        try:
            event = json.loads(text)
        except (ValueError, RecursionError):
            raise Skipped("not_json") from None
        if not isinstance(event, dict):
            raise Skipped("other_stream")
        if "lastUpdateId" in event:
            raise Skipped("book_snapshot")
        kind = str(event.get("stream", "")).partition("@")[2]
        if kind == "trade":
            return int(time), event["data"], self._trade
        if kind == "bookTicker":
            return int(time), event["data"], self._quote
        raise Skipped("depth" if kind.startswith("depth") else "other_stream")

    def _trade(self, data: Any) -> Trade:
        if data.get("X") not in MARKET_TRADES:
            raise Skipped("not_a_market_trade")
        # m: the buyer was the maker, so the one who came and traded sold.
        if not isinstance(data["m"], bool):
            raise ValueError(data["m"])
        return Trade(
            instrument_id=self._instrument(data["s"]),
            price=units(data["p"]),
            volume=units(data["q"]),
            side=Side.SELL if data["m"] else Side.BUY,
        )

    def _quote(self, data: Any) -> Quote:
        return Quote(
            instrument_id=self._instrument(data["s"]),
            bid_price=units(data["b"]),
            ask_price=units(data["a"]),
            bid_size=units(data["B"]),
            ask_size=units(data["A"]),
        )


def units(text: str) -> int:
    """Decimal text, not negative, as an integer of 1e-8; ValueError when that is not exact.

    >>> units("61837.63000000"), units("0.1")
    (6183763000000, 10000000)
    """
    whole, _, fraction = text.partition(".")
    digits = whole + fraction
    if not (whole and digits.isascii() and digits.isdigit()):
        raise ValueError(f"{text!r} is not a decimal number")
    if len(fraction) > DECIMALS and fraction[DECIMALS:].strip("0"):
        raise ValueError(f"{text!r} has more than {DECIMALS} decimals")
    value = int(whole + fraction[:DECIMALS].ljust(DECIMALS, "0"))
    if value > MOST:
        raise ValueError(f"{text!r} does not fit 64 bits")
    return value


def merge(recordings: Iterable[Iterable[Record]]) -> Iterator[Record]:
    """Several recordings as one, in receive order; equal times in the order of the recordings.

    Each must be in receive order itself. Reads them side by side, a record each at a time.
    """
    return merge_sorted(*recordings, key=lambda record: record.received)
