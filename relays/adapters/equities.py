"""Rows of the US consolidated tape, trades and best quotes of one stock and day.

Called with the lines of the headerless CSV files that Lean keeps. Times and prices are made exact
here; what a strategy makes of sale conditions or of the exchange does not belong here.

The instrument is the stock where it is listed, whoever traded or quoted it: the tape is one market,
and its best bid and best ask are mostly of two exchanges. The exchange of a trade is in its flags.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime, time
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from protocol.catalogue import SourceType
from protocol.instruments import AssetType, InstrumentId, VenueId
from protocol.market_data import Quote, Trade
from relays.adapters.adapter import Adapter, Record, Skipped
from relays.adapters.text import MOST, MOST_UNSIGNED
from relays.errors import RelayError

NEW_YORK = ZoneInfo("America/New_York")
HOURS = 24
MS_PER_HOUR, NS_PER_MS, NS_PER_S = 3_600_000, 1_000_000, 1_000_000_000
PRICE_UNITS = 10**4
SHARE_UNITS = 10**8
# One letter each, as in the plans of the tape: the listing markets, the others, and D for trades
# that were made off exchange and reported to FINRA.
EXCHANGES = frozenset("ABCDEHIJKLMNPQSTUVWXYZ")
# Lean's TradeConditionFlags. The official prices repeat an auction that has its own row.
OFFICIAL_CLOSE, OFFICIAL_OPEN = 1 << 24, 1 << 26
OFFICIAL = OFFICIAL_CLOSE | OFFICIAL_OPEN
CASH, NEXT_DAY, SELLER = 1 << 1, 1 << 2, 1 << 3
DERIVATIVELY_PRICED, SOLD, OUT_OF_SEQUENCE = 1 << 9, 1 << 11, 1 << 14
AVERAGE_PRICE, PRICE_VARIATION, PRIOR_REFERENCE_PRICE = 1 << 20, 1 << 22, 1 << 25
OTHER_PRICE = CASH | NEXT_DAY | SELLER | DERIVATIVELY_PRICED | SOLD | OUT_OF_SEQUENCE
OTHER_PRICE |= AVERAGE_PRICE | PRICE_VARIATION | PRIOR_REFERENCE_PRICE
# In Trade.flags: a real trade, but its price is not that of the market at this time.
OTHER_PRICE_FLAG = 0x80
CONDITION = re.compile("[0-9a-fA-F]{1,16}")
TRADE, QUOTE = "trade", "quote"
FILE_NAMES = (
    re.compile(r"(?P<symbol>[a-z.]+)_(?P<day>\d{8})_(?P<kind>trade|quote)\b.*"),
    re.compile(r"(?P<day>\d{8})_(?P<symbol>[a-z.]+)_(?P<kind>trade|quote)_tick\b.*"),
)
EXPECTED_NAME = "expected a name like bac_20131008_trade.zip"
Side = tuple[int, int]


class TapeAdapter(Adapter):
    """What rows of trades and of quotes have in common: the stock, the day's clock, the reasons.

    Reasons: `blank`, `bad_row` (another number of cells), `bad_number` (digits only), `bad_time`
    (a day has 86,400,000 ms), `bad_condition` (not hex), `unknown_exchange`, `suspicious` (the
    row is marked so), `does_not_fit`, `official_price`, `nothing_traded`, `no_side`,
    `one_side_only`.
    """

    SOURCE = SourceType.EXTERNAL
    CELLS: int

    def __init__(self, symbol: str, day: date, listing: int = VenueId.NYSE) -> None:
        super().__init__()
        self.instrument_id: InstrumentId = self.instruments.get(listing, AssetType.STOCK, symbol)
        self._hours = [_start(day, hour) for hour in range(HOURS)]

    def _cells(self, line: str) -> list[str]:
        cells = line.rstrip("\r\n").split(",")
        if len(cells) != self.CELLS:
            raise Skipped("bad_row" if line.strip() else "blank")
        if cells[-1] != "0":
            raise Skipped("suspicious" if cells[-1] == "1" else "bad_row")
        if cells[-3] not in EXCHANGES:
            raise Skipped("unknown_exchange")
        return cells

    def _received(self, text: str) -> int:
        hour, rest = divmod(digits(text), MS_PER_HOUR)
        if hour >= HOURS:
            raise Skipped("bad_time")
        return self._hours[hour] + rest * NS_PER_MS


class TradeAdapter(TapeAdapter):
    """Rows `ms, price, size, exchange, sale condition, suspicious` to Trades.

    The side is NOT_SET: the tape does not say it. `flags` is the exchange's letter (ASCII), plus
    0x80 where the sale condition says that the price is not that of the market at this time
    (average, derived or prior price, late, other settlement). Rows of an official opening or
    closing price are no trades: `official_price`.

    >>> bac = TradeAdapter("BAC", date(2013, 10, 8))
    >>> *_, record = bac.convert("34201559,138200,970078,N,40,0")
    >>> record.received, record.message.price, record.message.volume, chr(record.message.flags)
    (1381239001559000000, 1382000000, 97007800000000, 'N')
    """

    CELLS = 6

    def _convert(self, line: str) -> list[Record]:
        ms, price, size, exchange, condition, _ = self._cells(line)
        marks = condition_bits(condition)
        if marks & OFFICIAL:
            raise Skipped("official_price")
        message = Trade(
            instrument_id=self.instrument_id,
            price=dollars(price),
            volume=shares(size),
            flags=ord(exchange) | (OTHER_PRICE_FLAG if marks & OTHER_PRICE else 0),
        )
        if not (message.price and message.volume):
            raise Skipped("nothing_traded")
        return [Record(self._received(ms), message)]


class QuoteAdapter(TapeAdapter):
    """Rows `ms, bid, bid size, ask, ask size, exchange, condition, suspicious` to Quotes.

    A row has one side of the best quote of all exchanges, 0 and 0 for the side that stays as it
    was; each gives the whole Quote, the first only `one_side_only`. A row with no side is
    `no_side`. Neither condition nor exchange is in a Quote.

    >>> bac = QuoteAdapter("BAC", date(2013, 10, 8))
    >>> bac.convert("34200001,138200,500,0,0,N,1,0")
    []
    >>> *_, record = bac.convert("34200002,0,0,138300,700,P,1,0")
    >>> record.message.bid_price, record.message.ask_price
    (1382000000, 1383000000)
    """

    CELLS = 8

    def __init__(self, symbol: str, day: date, listing: int = VenueId.NYSE) -> None:
        super().__init__(symbol, day, listing)
        self._bid: Side | None = None
        self._ask: Side | None = None

    def _convert(self, line: str) -> list[Record]:
        ms, bid, bid_size, ask, ask_size, _, condition, _ = self._cells(line)
        condition_bits(condition)
        received, new_bid, new_ask = self._received(ms), _side(bid, bid_size), _side(ask, ask_size)
        if not (new_bid or new_ask):
            raise Skipped("no_side")
        # The whole row is sound by now: a damaged one changes neither side.
        self._bid, self._ask = new_bid or self._bid, new_ask or self._ask
        if not (self._bid and self._ask):
            raise Skipped("one_side_only")
        message = Quote(
            instrument_id=self.instrument_id,
            bid_price=self._bid[0],
            ask_price=self._ask[0],
            bid_size=self._bid[1],
            ask_size=self._ask[1],
        )
        return [Record(received, message)]


def adapter(path: Path, listing: int = VenueId.NYSE) -> TapeAdapter:
    """The adapter of a file, by its name: `bac_20131008_trade.zip`, or as inside of that
    `20131008_bac_Quote_Tick.csv`. The name does not say where the stock is listed: NYSE unless
    `listing` does. RelayError for any other name."""
    for pattern in FILE_NAMES:
        if found := pattern.fullmatch(path.name.lower()):
            make = TradeAdapter if found["kind"] == TRADE else QuoteAdapter
            return make(found["symbol"].upper(), _day(path, found["day"]), listing)
    raise RelayError(f"{path}: {EXPECTED_NAME}", exit_code=os.EX_USAGE)


@lru_cache(1 << 12)
def dollars(text: str) -> int:
    """A price in 1/10,000 dollar, in 1e-8 of a dollar. Raises Skipped: `bad_number`,
    `does_not_fit`.

    >>> dollars("138200")
    1382000000
    """
    return _fits(digits(text) * PRICE_UNITS, MOST)


@lru_cache(1 << 12)
def shares(text: str) -> int:
    """A number of shares in 1e-8. Raises Skipped: `bad_number`, `does_not_fit`."""
    return _fits(digits(text) * SHARE_UNITS, MOST_UNSIGNED)


@lru_cache(1 << 8)
def condition_bits(text: str) -> int:
    """A condition, written in hex. Raises Skipped `bad_condition`."""
    if not CONDITION.fullmatch(text):
        raise Skipped("bad_condition")
    return int(text, 16)


def digits(text: str) -> int:
    """ASCII digits as an integer. Raises Skipped: `bad_number`, `does_not_fit`."""
    if not (text.isascii() and text.isdigit()):
        raise Skipped("bad_number")
    if len(text) > 20:
        raise Skipped("does_not_fit")
    return int(text)


def _side(price: str, size: str) -> Side | None:
    if price == "0" and size == "0":
        return None
    side = dollars(price), shares(size)
    if not side[0]:
        raise Skipped("bad_row")
    return side


def _fits(value: int, most: int) -> int:
    if value > most:
        raise Skipped("does_not_fit")
    return value


def _start(day: date, hour: int) -> int:
    """When an hour by New York's clocks begins, in ns since the epoch: not all days have 24."""
    begin = datetime.combine(day, time(hour), NEW_YORK).astimezone(UTC)
    return int((begin - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * NS_PER_S


def _day(path: Path, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RelayError(f"{path}: {text} is no day, {EXPECTED_NAME}", os.EX_USAGE) from None
