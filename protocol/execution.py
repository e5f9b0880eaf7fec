"""Messages of the execution domain, types 40-59 (SPEC.md, Message types).

OrderRequest, OrderCancel and OrderModify are built by portfolios and read by execution engines;
OrderStatus, Fill and ExecutionReport go the other way. An order is known by
(owner_id, client_order_id) wherever it is seen. What an engine does with an order is its own.
"""

from typing import Annotated

from protocol.catalogue import MessageType
from protocol.fields import I64, U8, U8_WIRE, U16, U64, Bytes16, Instrument, field, pad
from protocol.market_data import Side
from protocol.message import Message
from protocol.orders import (
    CancelRejectReason,
    ExecutionType,
    Liquidity,
    OrderRejectReason,
    OrderState,
    OrderType,
    RestatementReason,
    TimeInForce,
)

__all__ = [
    "CancelRejectReason",
    "ExecutionReport",
    "ExecutionType",
    "Fill",
    "Liquidity",
    "OrderCancel",
    "OrderModify",
    "OrderRejectReason",
    "OrderRequest",
    "OrderState",
    "OrderStatus",
    "OrderType",
    "RestatementReason",
    "Side",
    "TimeInForce",
]


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


class OrderStatus(Message, type=MessageType.ORDER_STATUS, version=1):
    """How an order stands now, 160 bytes; FIX 35=8 with ExecType I (Order Status), and the answer
    35=9 (OrderCancelReject) to a cancel or change that was refused.

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> pair = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
    >>> status = OrderStatus(pair, Side.BUY, OrderState.PARTIALLY_FILLED, owner_id=7, account_id=1,
    ...     client_order_id=42, venue_order_id=bytes(16), quantity=5, leaves_quantity=3,
    ...     cumulative_quantity=2, average_price=100, transact_time=1_700_000_000 * 10**9)
    >>> len(status.frame()), status.status.name
    (160, 'PARTIALLY_FILLED')
    """

    instrument_id: Instrument = field("what the order trades", fix="48 SecurityID")
    side: Annotated[Side, U8_WIRE] = field("the order's side", fix="54 Side")
    status: Annotated[OrderState, U8_WIRE] = field("how it stands", fix="39 OrdStatus")
    _gap = pad(2)
    owner_id: U64 = field("the ordering producer's producer_id", fix="56 TargetCompID")
    account_id: U64 = field("the account it is booked on", fix="1 Account")
    client_order_id: U64 = field("the owner's number of the order", fix="11 ClOrdID")
    venue_order_id: Bytes16 = field("the venue's name of the order", fix="37 OrderID")
    quantity: U64 = field("quantity ordered", unit="1e-8", fix="38 OrderQty")
    leaves_quantity: U64 = field("still open", unit="1e-8", fix="151 LeavesQty")
    cumulative_quantity: U64 = field("filled so far", unit="1e-8", fix="14 CumQty")
    average_price: I64 = field("mean price of fills; 0 none", unit="1e-8", fix="6 AvgPx")
    transact_time: U64 = field("the time this holds for", unit="ns", fix="60 TransactTime")
    original_client_order_id: U64 = field(
        "the number it had before it was changed, or that was to be canceled; 0 none",
        fix="41 OrigClOrdID",
        default=0,
    )
    price: I64 = field("limit price; 0 where none", unit="1e-8", fix="44 Price", default=0)
    stop_price: I64 = field("trigger; 0 where none", unit="1e-8", fix="99 StopPx", default=0)
    order_type: Annotated[OrderType, U8_WIRE] = field(
        "what price means", fix="40 OrdType", default=OrderType.NOT_SET
    )
    time_in_force: Annotated[TimeInForce, U8_WIRE] = field(
        "how long it stands", fix="59 TimeInForce", default=TimeInForce.NOT_SET
    )
    reject_reason: Annotated[OrderRejectReason, U8_WIRE] = field(
        "why it was refused", fix="103 OrdRejReason", default=OrderRejectReason.NOT_SET
    )
    cancel_reject_reason: Annotated[CancelRejectReason, U8_WIRE] = field(
        "why its cancel or change was refused",
        fix="102 CxlRejReason",
        default=CancelRejectReason.NOT_SET,
    )
    strategy_id: U16 = field("which strategy asked for it", fix="847 TargetStrategy", default=0)
    _end = pad(2)


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


class OrderCancel(Message, type=MessageType.ORDER_CANCEL, version=1):
    """Cancel what is open of an order, 112 bytes; FIX 35=F (OrderCancelRequest).

    `client_order_id` is the number of this request, `original_client_order_id` that of the order.

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> pair = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
    >>> cancel = OrderCancel(pair, Side.BUY, owner_id=7, account_id=1, client_order_id=43,
    ...     original_client_order_id=42)
    >>> len(cancel.frame()), cancel.original_client_order_id
    (112, 42)
    """

    instrument_id: Instrument = field("what the order trades", fix="48 SecurityID")
    side: Annotated[Side, U8_WIRE] = field("the order's side", fix="54 Side")
    _gap = pad(3)
    owner_id: U64 = field("the ordering producer's producer_id", fix="49 SenderCompID")
    account_id: U64 = field("the account it is booked on", fix="1 Account")
    client_order_id: U64 = field("the owner's number of this request", fix="11 ClOrdID")
    original_client_order_id: U64 = field(
        "the owner's number of the order to cancel", fix="41 OrigClOrdID"
    )
    venue_order_id: Bytes16 = field(
        "the venue's name of the order; zeros: not known", fix="37 OrderID", default=bytes(16)
    )
    transact_time: U64 = field(
        "when it was asked for; 0 not said", unit="ns", fix="60 TransactTime", default=0
    )
    strategy_id: U16 = field("which strategy asked for it", fix="847 TargetStrategy", default=0)
    _end = pad(6)


class OrderModify(Message, type=MessageType.ORDER_MODIFY, version=1):
    """Change an open order, 144 bytes; FIX 35=G (OrderCancelReplaceRequest).

    The order is afterwards as this message says, with `client_order_id` as its number: what is to
    stay is said again. `quantity` is that of the whole order, what has traded included.

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> pair = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
    >>> change = OrderModify(pair, Side.BUY, OrderType.LIMIT, owner_id=7, account_id=1,
    ...     client_order_id=44, original_client_order_id=42, quantity=5, price=101)
    >>> len(change.frame()), change.price
    (144, 101)
    """

    instrument_id: Instrument = field("what the order trades", fix="48 SecurityID")
    side: Annotated[Side, U8_WIRE] = field("the order's side", fix="54 Side")
    order_type: Annotated[OrderType, U8_WIRE] = field("what price means", fix="40 OrdType")
    _gap = pad(2)
    owner_id: U64 = field("the ordering producer's producer_id", fix="49 SenderCompID")
    account_id: U64 = field("the account to book on", fix="1 Account")
    client_order_id: U64 = field("the owner's new number of the order", fix="11 ClOrdID")
    original_client_order_id: U64 = field(
        "the owner's number of the order until now", fix="41 OrigClOrdID"
    )
    quantity: U64 = field("quantity ordered", unit="1e-8", fix="38 OrderQty")
    price: I64 = field("limit price; 0 where none", unit="1e-8", fix="44 Price", default=0)
    stop_price: I64 = field("trigger; 0 where none", unit="1e-8", fix="99 StopPx", default=0)
    expires_at: U64 = field("void from then on; 0 none", unit="ns", fix="126 ExpireTime", default=0)
    transact_time: U64 = field(
        "when it was asked for; 0 not said", unit="ns", fix="60 TransactTime", default=0
    )
    venue_order_id: Bytes16 = field(
        "the venue's name of the order; zeros: not known", fix="37 OrderID", default=bytes(16)
    )
    time_in_force: Annotated[TimeInForce, U8_WIRE] = field(
        "how long it stands", fix="59 TimeInForce", default=TimeInForce.NOT_SET
    )
    execution_flags: U8 = field("agreed with the engine", fix="18 ExecInst", default=0)
    strategy_id: U16 = field("which strategy asked for it", fix="847 TargetStrategy", default=0)
    _end = pad(4)


class ExecutionReport(Message, type=MessageType.EXECUTION_REPORT, version=1):
    """Something happened to an order, 192 bytes; FIX 35=8 (ExecutionReport).

    Says anything that can happen; fees of a trade are in its Fill, known by the same trade_id.

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> pair = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
    >>> report = ExecutionReport(pair, Side.BUY, ExecutionType.NEW, OrderState.NEW, owner_id=7,
    ...     account_id=1, client_order_id=42, venue_order_id=bytes(16), execution_id=1, quantity=5,
    ...     leaves_quantity=5, cumulative_quantity=0, average_price=0,
    ...     transact_time=1_700_000_000 * 10**9)
    >>> len(report.frame()), report.execution_type.name
    (192, 'NEW')
    """

    instrument_id: Instrument = field("what the order trades", fix="48 SecurityID")
    side: Annotated[Side, U8_WIRE] = field("the order's side", fix="54 Side")
    execution_type: Annotated[ExecutionType, U8_WIRE] = field("what happened", fix="150 ExecType")
    status: Annotated[OrderState, U8_WIRE] = field("how it stands now", fix="39 OrdStatus")
    _gap = pad(1)
    owner_id: U64 = field("the ordering producer's producer_id", fix="56 TargetCompID")
    account_id: U64 = field("the account it is booked on", fix="1 Account")
    client_order_id: U64 = field("the owner's number of the order", fix="11 ClOrdID")
    venue_order_id: Bytes16 = field("the venue's name of the order", fix="37 OrderID")
    execution_id: U64 = field("the engine's number of this report", fix="17 ExecID")
    quantity: U64 = field("quantity ordered", unit="1e-8", fix="38 OrderQty")
    leaves_quantity: U64 = field("still open", unit="1e-8", fix="151 LeavesQty")
    cumulative_quantity: U64 = field("filled so far", unit="1e-8", fix="14 CumQty")
    average_price: I64 = field("mean price of fills; 0 none", unit="1e-8", fix="6 AvgPx")
    transact_time: U64 = field("when it happened", unit="ns", fix="60 TransactTime")
    original_client_order_id: U64 = field(
        "the number it had before it was changed, or that was to be canceled; 0 none",
        fix="41 OrigClOrdID",
        default=0,
    )
    last_price: I64 = field("price of this trade; 0 none", unit="1e-8", fix="31 LastPx", default=0)
    last_quantity: U64 = field(
        "quantity of this trade; 0 none", unit="1e-8", fix="32 LastQty", default=0
    )
    price: I64 = field("limit price; 0 where none", unit="1e-8", fix="44 Price", default=0)
    stop_price: I64 = field("trigger; 0 where none", unit="1e-8", fix="99 StopPx", default=0)
    trade_id: U64 = field("the venue's number of the trade; 0 none", fix="1003 TradeID", default=0)
    order_type: Annotated[OrderType, U8_WIRE] = field(
        "what price means", fix="40 OrdType", default=OrderType.NOT_SET
    )
    time_in_force: Annotated[TimeInForce, U8_WIRE] = field(
        "how long it stands", fix="59 TimeInForce", default=TimeInForce.NOT_SET
    )
    liquidity: Annotated[Liquidity, U8_WIRE] = field(
        "maker or taker", fix="851 LastLiquidityInd", default=Liquidity.NOT_SET
    )
    reject_reason: Annotated[OrderRejectReason, U8_WIRE] = field(
        "why it was refused", fix="103 OrdRejReason", default=OrderRejectReason.NOT_SET
    )
    cancel_reject_reason: Annotated[CancelRejectReason, U8_WIRE] = field(
        "why its cancel or change was refused",
        fix="102 CxlRejReason",
        default=CancelRejectReason.NOT_SET,
    )
    restatement_reason: Annotated[RestatementReason, U8_WIRE] = field(
        "why it was changed unasked",
        fix="378 ExecRestatementReason",
        default=RestatementReason.NOT_SET,
    )
    strategy_id: U16 = field("which strategy asked for it", fix="847 TargetStrategy", default=0)
