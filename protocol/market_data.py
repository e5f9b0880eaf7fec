"""Messages of the market_data domain, types 1-19 (SPEC.md, Message types).

Built by venue adapters, read by strategies and tools. How a book is kept from OrderBook messages is
for adapters and clients; here only what one frame can say.
"""

from enum import IntEnum
from typing import Annotated, Any

from protocol.catalogue import MessageType
from protocol.errors import FieldError
from protocol.fields import (
    I64,
    U8,
    U8_WIRE,
    U16,
    U64,
    Blob,
    Instrument,
    Levels,
    Text,
    count,
    field,
    pad,
)
from protocol.instruments import VenueId
from protocol.message import Message


class Side(IntEnum):
    """Who took the initiative, or what an order does; FIX 54 Side, the same numbers.

    * NOT_SET: not said.
    * BUY: the aggressor or the order buys.
    * SELL: the aggressor or the order sells.
    """

    NOT_SET = 0
    BUY = 1
    SELL = 2


class BookKind(IntEnum):
    """What an OrderBook does to the book a reader keeps; FIX 35=W and 35=X. 0 is not allowed.

    * SNAPSHOT: replaces the book, once all parts are there.
    * DELTA: changes the levels it names; size 0 deletes one.
    """

    SNAPSHOT = 1
    DELTA = 2


class VenueStatus(IntEnum):
    """Whether a venue trades; nearest FIX 340 TradSesStatus, with numbers of its own.

    * NOT_SET: not known.
    * OPEN: orders are taken and matched.
    * HALTED: matching has stopped for a time; orders may stay.
    * CLOSED: no trading until the next session.
    * DEGRADED: it trades, but its data or its order entry is late or incomplete.
    """

    NOT_SET = 0
    OPEN = 1
    HALTED = 2
    CLOSED = 3
    DEGRADED = 4


class VenueReason(IntEnum):
    """Why a venue's status changed; nearest FIX 327 HaltReasonInt, with numbers of its own.

    * NOT_SET: not said.
    * SCHEDULE: its trading hours.
    * MAINTENANCE: announced work (FIX 5, equipment changeover).
    * VOLATILITY: a circuit breaker or an imbalance of orders (FIX 1, 2).
    * NEWS: news is pending or being spread (FIX 0, 3, 4).
    * REGULATORY: an authority ordered it.
    * INCIDENT: trouble at the venue that nobody announced.
    * CONNECTIVITY: the sender has lost sight of the venue; the venue itself may be well.
    """

    NOT_SET = 0
    SCHEDULE = 1
    MAINTENANCE = 2
    VOLATILITY = 3
    NEWS = 4
    REGULATORY = 5
    INCIDENT = 6
    CONNECTIVITY = 7


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


class OrderBook(Message, type=MessageType.ORDER_BOOK, version=1):
    """A snapshot of a book or a change to it, 64 bytes and 16 a level; FIX 35=W and 35=X.

    A large one comes in `parts` frames that share book_sequence; a reader swaps books, or applies
    the change, when it has all of them. `part` is at most `parts`.

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> from protocol.tails import Level
    >>> pair = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
    >>> book = OrderBook(pair, BookKind.DELTA, 7, bids=(Level(99, 5), Level(98, 0)), asks=())
    >>> len(book.frame()), book.bid_count, OrderBook.decode(book.frame()).bids[1].size
    (96, 2, 0)
    """

    instrument_id: Instrument = field("the instrument of the book", fix="48 SecurityID")
    kind: Annotated[BookKind, U8_WIRE] = field("snapshot or delta", fix="35 MsgType")
    _gap = pad(3)
    book_sequence: U64 = field(
        "the venue's number of the book after this message, or the adapter's count; the same in"
        " all parts",
        fix="83 RptSeq",
    )
    part: U16 = field("which part this is, from 1", default=1, within=((1, 65_535),))
    parts: U16 = field("how many parts there are", default=1, within=((1, 65_535),))
    bid_count: U16 = count("number of bids", of="bids")
    ask_count: U16 = count("number of asks", of="asks")
    bids: Levels = field("levels to sell at, the highest price first", default=())
    asks: Levels = field("levels to buy at, the lowest price first", default=())

    def check(self) -> None:
        if self.part > self.parts:
            raise FieldError("order_book.part", expected=f"1 to {self.parts}", got=self.part)

    @staticmethod
    def sound_rows(rows: Any) -> Any:
        """What `check` looks at, of many at once: `rows` is an array of `protocol.batch`."""
        return rows["part"] <= rows["parts"]


class InstrumentDiscovered(Message, type=MessageType.INSTRUMENT_DISCOVERED, version=1):
    """An instrument or token is there, 48 bytes, symbol and metadata; FIX 35=d.

    Metadata is empty or a JSON object in UTF-8 (SPEC.md, Discovery metadata).

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> pair = InstrumentId.spot(VenueId.COINBASE, "BTCUSD")
    >>> found = InstrumentDiscovered(pair, decimals=8, symbol="BTC-USD")
    >>> len(found.frame()), found.symbol_len, found.metadata
    (55, 7, b'')
    """

    instrument_id: Instrument = field("what was discovered", fix="48 SecurityID")
    decimals: U8 = field(
        "decimal places of its amounts: 8 on exchanges, the token's own on chains",
        fix="2349 PricePrecision",
    )
    symbol_len: U8 = count("length of symbol", of="symbol")
    metadata_len: U16 = count("length of metadata", of="metadata")
    symbol: Text = field("the full symbol, as the venue writes it", fix="55 Symbol")
    metadata: Blob = field("empty, or a JSON object", fix="1185 SecurityXML", default=b"")


class PoolDiscovered(Message, type=MessageType.POOL_DISCOVERED, version=1):
    """A liquidity pool is there, 48 bytes, symbol and metadata; FIX 35=d.

    Metadata is empty or a JSON object in UTF-8 with the pool's address, tokens and fee (SPEC.md,
    Discovery metadata).

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> pool = InstrumentId.pool_from_address(VenueId.UNISWAP_V3, "0x" + "88" * 20)
    >>> found = PoolDiscovered(pool, decimals=0, symbol="USDC/WETH", metadata=b'{"fee_ppm":500}')
    >>> len(found.frame()), PoolDiscovered.decode(found.frame()).metadata_len
    (72, 15)
    """

    instrument_id: Instrument = field("the pool discovered", fix="48 SecurityID")
    decimals: U8 = field(
        "decimal places of its share token; 0 where it has none", fix="2349 PricePrecision"
    )
    symbol_len: U8 = count("length of symbol", of="symbol")
    metadata_len: U16 = count("length of metadata", of="metadata")
    symbol: Text = field("the symbols of its tokens, as TOKEN0/TOKEN1", fix="55 Symbol")
    metadata: Blob = field("empty, or a JSON object", fix="1185 SecurityXML", default=b"")


class VenueUpdate(Message, type=MessageType.VENUE_UPDATE, version=1):
    """A venue opens, halts, closes or is unwell, 48 bytes; FIX 35=h (TradingSessionStatus).

    >>> from protocol.instruments import VenueId
    >>> update = VenueUpdate(VenueId.NASDAQ, VenueStatus.HALTED, VenueReason.NEWS)
    >>> len(update.frame()), update.venue.name, update.status.name
    (48, 'NASDAQ', 'HALTED')
    """

    venue: U16 = field("the venue: a VenueId", fix="1301 MarketID", names=VenueId)
    status: Annotated[VenueStatus, U8_WIRE] = field("what holds now", fix="340 TradSesStatus")
    reason: Annotated[VenueReason, U8_WIRE] = field(
        "why", fix="327 HaltReasonInt", default=VenueReason.NOT_SET
    )
    _gap = pad(4)
    effective_time: U64 = field(
        "when it began or will begin; 0 not known", unit="ns", fix="60 TransactTime", default=0
    )
