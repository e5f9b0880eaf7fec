"""Messages of the market_data domain, types 1-19 (SPEC.md, Message types).

Built by venue adapters, read by strategies and tools. The other types of this range are reserved
for the next release.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

from protocol.catalogue import MessageType
from protocol.fields import I64, U8, U8_WIRE, U64, Instrument, field, pad
from protocol.message import Message


class Side(IntEnum):
    """Who took the initiative, or what an order does; FIX 54 Side."""

    NOT_SET = 0
    BUY = 1
    SELL = 2


class Trade(Message, type=MessageType.TRADE, version=1):
    """One trade on a venue, 64 bytes; FIX market data entry type 2 (Trade).

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> pair = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
    >>> trade = Trade(pair, price=61_234_50000000, volume=25_000000, side=Side.BUY)
    >>> len(trade.frame(sequence=1)), trade.price, trade.side.name
    (64, 6123450000000, 'BUY')
    """

    instrument_id: Instrument = field("the instrument traded", fix="48 SecurityID")
    price: I64 = field("price of one unit", unit="1e-8", fix="270 MDEntryPx")
    volume: U64 = field("quantity traded", unit="1e-8", fix="271 MDEntrySize")
    side: Annotated[Side, U8_WIRE] = field(
        "side of the aggressor", fix="2446 AggressorSide", default=Side.NOT_SET
    )
    flags: U8 = field("the adapter's marks, passed on", default=0)
    _end = pad(2)


class Quote(Message, type=MessageType.QUOTE, version=1):
    """The best bid and ask of a venue, 80 bytes; FIX 35=S (Quote).

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> aapl = InstrumentId.stock(VenueId.NASDAQ, "AAPL")
    >>> quote = Quote(aapl, bid_price=100, ask_price=101, bid_size=5, ask_size=6)
    >>> Quote.decode(quote.frame()).ask_price
    101
    """

    instrument_id: Instrument = field("the instrument quoted", fix="48 SecurityID")
    bid_price: I64 = field("best price to sell at", unit="1e-8", fix="132 BidPx")
    ask_price: I64 = field("best price to buy at", unit="1e-8", fix="133 OfferPx")
    bid_size: U64 = field("quantity at bid_price", unit="1e-8", fix="134 BidSize")
    ask_size: U64 = field("quantity at ask_price", unit="1e-8", fix="135 OfferSize")
    _end = pad(4)
