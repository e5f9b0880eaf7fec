"""Messages of the execution domain, types 40-59 (SPEC.md, Message types).

OrderRequest is built by portfolios and read by execution engines, Fill the other way round. An
order is known by (owner_id, client_order_id) wherever it is seen. The other types of this range are
reserved for the next release.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

from protocol.catalogue import MessageType
from protocol.fields import I64, U8, U8_WIRE, U16, U64, Bytes16, Instrument, field, pad
from protocol.market_data import Side
from protocol.message import Message


class OrderType(IntEnum):
    """What a price means; FIX 40 OrdType, the same numbers."""

    NOT_SET = 0
    MARKET = 1
    LIMIT = 2
    STOP = 3
    STOP_LIMIT = 4


class TimeInForce(IntEnum):
    """How long an order stands; FIX 59 TimeInForce, its number plus one (FIX begins at 0)."""

    NOT_SET = 0
    DAY = 1
    GOOD_TILL_CANCEL = 2
    AT_THE_OPENING = 3
    IMMEDIATE_OR_CANCEL = 4
    FILL_OR_KILL = 5
    GOOD_TILL_CROSSING = 6
    GOOD_TILL_DATE = 7
    AT_THE_CLOSE = 8


class Liquidity(IntEnum):
    """Whether an order waited in the book or took from it; FIX 851 LastLiquidityInd."""

    NOT_SET = 0
    MAKER = 1
    TAKER = 2


class OrderRequest(Message, type=MessageType.ORDER_REQUEST, version=1):
    """Buy or sell this, 112 bytes; FIX 35=D (NewOrderSingle).

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> pair = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
    >>> order = OrderRequest(pair, Side.BUY, OrderType.LIMIT, TimeInForce.DAY, owner_id=7,
    ...     account_id=1, client_order_id=42, price=100, quantity=5)
    >>> len(order.frame()), order.order_type.name
    (112, 'LIMIT')
    """

    instrument_id: Instrument = field("what to trade", fix="48 SecurityID")
    side: Annotated[Side, U8_WIRE] = field("buy or sell", fix="54 Side")
    order_type: Annotated[OrderType, U8_WIRE] = field("what price means", fix="40 OrdType")
    time_in_force: Annotated[TimeInForce, U8_WIRE] = field(
        "how long it stands", fix="59 TimeInForce", default=TimeInForce.NOT_SET
    )
    execution_flags: U8 = field("agreed with the engine", fix="18 ExecInst", default=0)
    owner_id: U64 = field("the ordering producer's producer_id", fix="49 SenderCompID", default=0)
    account_id: U64 = field("the account to book on", fix="1 Account", default=0)
    client_order_id: U64 = field("the owner's number of the order", fix="11 ClOrdID", default=0)
    price: I64 = field("limit price; 0 where none", unit="1e-8", fix="44 Price", default=0)
    stop_price: I64 = field("trigger; 0 where none", unit="1e-8", fix="99 StopPx", default=0)
    quantity: U64 = field("quantity ordered", unit="1e-8", fix="38 OrderQty", default=0)
    expires_at: U64 = field("void from then on; 0 none", unit="ns", fix="126 ExpireTime", default=0)
    strategy_id: U16 = field("which strategy asked for it", fix="847 TargetStrategy", default=0)
    _end = pad(6)


class Fill(Message, type=MessageType.FILL, version=1):
    """An order was executed, in part or whole, 160 bytes; FIX 35=8 (ExecutionReport, Trade).

    `owner_id`, `account_id`, `client_order_id` are those of the OrderRequest.

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> pair = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
    >>> usdt = InstrumentId.spot(VenueId.BINANCE, "USDT")
    >>> order = {"owner_id": 7, "account_id": 1, "client_order_id": 42, "venue_order_id": bytes(16)}
    >>> size = {"quantity": 5, "leaves_quantity": 0, "cumulative_quantity": 5}
    >>> fill = Fill(pair, Side.BUY, Liquidity.TAKER, **order, trade_id=3, price=100, **size,
    ...     fee=2, fee_asset=usdt, transact_time=1_700_000_000_000_000_000)
    >>> len(fill.frame()), str(fill.fee_asset)
    (160, 'Binance spot USDT')
    """

    instrument_id: Instrument = field("what was traded", fix="48 SecurityID")
    side: Annotated[Side, U8_WIRE] = field("the order's side", fix="54 Side")
    liquidity: Annotated[Liquidity, U8_WIRE] = field("maker or taker", fix="851 LastLiquidityInd")
    _gap = pad(2)
    owner_id: U64 = field("the ordering producer's producer_id", fix="56 TargetCompID")
    account_id: U64 = field("the account it is booked on", fix="1 Account")
    client_order_id: U64 = field("the owner's number of the order", fix="11 ClOrdID")
    venue_order_id: Bytes16 = field("the venue's name of the order", fix="37 OrderID")
    trade_id: U64 = field("the venue's number of the trade", fix="1003 TradeID")
    price: I64 = field("price of this fill", unit="1e-8", fix="31 LastPx")
    quantity: U64 = field("quantity of this fill", unit="1e-8", fix="32 LastQty")
    leaves_quantity: U64 = field("still open afterwards", unit="1e-8", fix="151 LeavesQty")
    cumulative_quantity: U64 = field("filled so far", unit="1e-8", fix="14 CumQty")
    fee: I64 = field(
        "fee of this fill; negative: a rebate", unit="1e-8 of fee_asset", fix="12 Commission"
    )
    fee_asset: Instrument = field("what the fee is paid in", fix="479 CommCurrency")
    _middle = pad(4)
    transact_time: U64 = field("when the venue executed it", unit="ns", fix="60 TransactTime")
