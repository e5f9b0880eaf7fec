"""Messages of the signals domain that are not about chains, types 20-29 (SPEC.md, Message types).

Built by strategies, portfolio and risk managers, read by portfolios and dashboards. Signals about
pools and tokens on chains are in `protocol.defi`.
"""

from enum import IntEnum
from typing import Annotated

from protocol.catalogue import MessageType
from protocol.fields import (
    I32,
    I64,
    U8_WIRE,
    U16,
    U32,
    U64,
    Bytes32,
    Instrument,
    field,
    pad,
)
from protocol.instruments import VenueId
from protocol.message import Message


class Severity(IntEnum):
    """How much an alert matters; nearest FIX 61 Urgency, with numbers of its own.

    * NOT_SET: not said.
    * INFO: for the record (FIX 2, background).
    * WARNING: somebody should look (FIX 0, normal).
    * CRITICAL: somebody must act now (FIX 1, flash).
    """

    NOT_SET = 0
    INFO = 1
    WARNING = 2
    CRITICAL = 3


class AlertCategory(IntEnum):
    """What an alert is about; FIX 1473 NewsCategory, with numbers of its own.

    * NOT_SET: not said.
    * MARKET: prices, volumes, spreads.
    * RISK: a limit, an exposure, a loss.
    * EXECUTION: orders and fills.
    * DATA: input that is late, missing or wrong.
    * SYSTEM: the strategy's own process.
    """

    NOT_SET = 0
    MARKET = 1
    RISK = 2
    EXECUTION = 3
    DATA = 4
    SYSTEM = 5


class PositionReason(IntEnum):
    """Why a position is reported; nearest FIX 709 PosTransType, with numbers of its own.

    * NOT_SET: not said.
    * FILL: an execution changed it.
    * TRANSFER: moved between accounts or venues (FIX 9, 11).
    * FUNDING: funding, interest or dividends were booked on it.
    * LIQUIDATION: the venue closed it (FIX 15, closeout).
    * ADJUSTMENT: corrected by hand or by a corporate action (FIX 3, 12).
    * SNAPSHOT: nothing changed, this is what is held (FIX 8, long holdings).
    """

    NOT_SET = 0
    FILL = 1
    TRANSFER = 2
    FUNDING = 3
    LIQUIDATION = 4
    ADJUSTMENT = 5
    SNAPSHOT = 6


class RebalanceReason(IntEnum):
    """Why weights are to change; FIX has no such field.

    * NOT_SET: not said.
    * SCHEDULE: the date for it.
    * DRIFT: weights have moved too far from their targets.
    * SIGNAL: the strategy has new targets.
    * RISK: a limit requires it.
    * CASH_FLOW: money was paid in or out.
    """

    NOT_SET = 0
    SCHEDULE = 1
    DRIFT = 2
    SIGNAL = 3
    RISK = 4
    CASH_FLOW = 5


class RiskKind(IntEnum):
    """What a RiskMetric measures; nearest FIX 1530 RiskLimitType, with numbers of its own.

    * NOT_SET: not said.
    * VALUE_AT_RISK: loss not exceeded with the confidence and in the horizon given.
    * EXPECTED_SHORTFALL: mean loss beyond the value at risk.
    * VOLATILITY: standard deviation of returns a year, 1e-8 (FIX 1188 Volatility).
    * DRAWDOWN: fall from the highest value so far, 1e-8 of that value.
    * GROSS_EXPOSURE: sum of the absolute values of positions (FIX 1, gross limit).
    * NET_EXPOSURE: sum of the values of positions (FIX 2, net limit).
    * LEVERAGE: gross exposure by equity, 1e-8.
    * MARGIN_RATIO: equity by margin required, 1e-8 (FIX 898 MarginRatio).
    * CONCENTRATION: the largest position by gross exposure, 1e-8.
    * DELTA: change of value for a change of 1 in the price (FIX 811 PriceDelta).
    * GAMMA: change of delta for a change of 1 in the price.
    * VEGA: change of value for a change of 0.01 in the volatility.
    * THETA: change of value in a day.
    """

    NOT_SET = 0
    VALUE_AT_RISK = 1
    EXPECTED_SHORTFALL = 2
    VOLATILITY = 3
    DRAWDOWN = 4
    GROSS_EXPOSURE = 5
    NET_EXPOSURE = 6
    LEVERAGE = 7
    MARGIN_RATIO = 8
    CONCENTRATION = 9
    DELTA = 10
    GAMMA = 11
    VEGA = 12
    THETA = 13


class RiskStatus(IntEnum):
    """Where a RiskMetric stands to its limit; nearest FIX 1763 RiskLimitStatus, numbers of its own.

    * NOT_SET: it has no limit.
    * WITHIN: below the warning level.
    * WARNING: at or above the warning level.
    * BREACHED: at or above the limit.
    """

    NOT_SET = 0
    WITHIN = 1
    WARNING = 2
    BREACHED = 3


class Period(IntEnum):
    """The span a PerformanceUpdate sums up; period_start and period_end say which; no FIX field.

    * NOT_SET: any span.
    * SESSION: since the strategy started.
    * DAY: a day.
    * WEEK: seven days.
    * MONTH: a calendar month.
    * YEAR: a calendar year.
    * INCEPTION: since the strategy's first trade.
    """

    NOT_SET = 0
    SESSION = 1
    DAY = 2
    WEEK = 3
    MONTH = 4
    YEAR = 5
    INCEPTION = 6


class ArbitrageOpportunity(Message, type=MessageType.ARBITRAGE_OPPORTUNITY, version=1):
    """Two venues whose prices differ by more than trading costs, 96 bytes; nearest FIX 35=6 (IOI).

    base_id is bought on venue_a. Where both ids are tokens, quote_id is what base_id is quoted in:
    paid on venue_a, and got on venue_b for the same base_id. Otherwise quote_id is what base_id is
    compared with, and is sold on venue_b: the perpetual of a pair, or the pair on another exchange.

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> spot = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
    >>> future = InstrumentId.perpetual(VenueId.BINANCE_FUTURES, "BTCUSDT")
    >>> found = ArbitrageOpportunity(
    ...     spot, future, VenueId.BINANCE, VenueId.BINANCE_FUTURES, spread_bps=12
    ... )
    >>> len(found.frame()), found.venue_b
    (96, <VenueId.BINANCE_FUTURES: 4>)
    """

    base_id: Instrument = field("the instrument, bought on venue_a", fix="48 SecurityID")
    quote_id: Instrument = field(
        "of two tokens: what base_id is quoted in; else: what is sold on venue_b instead of it",
        fix="309 UnderlyingSecurityID",
    )
    venue_a: U16 = field("where to buy: a VenueId", fix="30 LastMkt", names=VenueId)
    venue_b: U16 = field("where to sell: a VenueId", fix="30 LastMkt", names=VenueId)
    spread_bps: U32 = field("price difference", unit="1/10,000", fix="218 Spread")
    estimated_profit: I64 = field(
        "profit after fees and gas, in what base_id is quoted in", unit="1e-8", default=0
    )
    confidence: U16 = field(
        "how sure the strategy is", unit="1/10,000", within=((0, 10_000),), default=0
    )
    expires_at: U64 = field(
        "when it is void; 0 never", unit="ns", fix="62 ValidUntilTime", default=0
    )
    _end = pad(14)


class PositionUpdate(Message, type=MessageType.POSITION_UPDATE, version=1):
    """What an account holds of an instrument now, 104 bytes; FIX 35=AP (PositionReport).

    Amounts of money are in the currency the instrument is quoted in.

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> pair = InstrumentId.perpetual(VenueId.BYBIT, "BTCUSDT")
    >>> held = PositionUpdate(pair, PositionReason.FILL, strategy_id=3, account_id=1,
    ...     quantity=-50_000_000, average_price=61_234_50000000, as_of=1_700_000_000_000_000_000)
    >>> len(held.frame()), held.quantity
    (104, -50000000)
    """

    instrument_id: Instrument = field("what is held", fix="48 SecurityID")
    reason: Annotated[PositionReason, U8_WIRE] = field("why it is sent", fix="709 PosTransType")
    _gap = pad(1)
    strategy_id: U16 = field("whose position; 0 = the account's", fix="847 TargetStrategy")
    account_id: U64 = field("the account that holds it", fix="1 Account")
    quantity: I64 = field("held; negative: short", unit="1e-8", fix="704 LongQty, 705 ShortQty")
    average_price: I64 = field("mean price of entry", unit="1e-8", fix="6 AvgPx")
    as_of: U64 = field("the time this holds for", unit="ns", fix="60 TransactTime")
    mark_price: I64 = field(
        "price it is valued at; 0 none", unit="1e-8", fix="730 SettlPrice", default=0
    )
    realized_pnl: I64 = field("profit of what was closed", unit="1e-8", fix="708 PosAmt", default=0)
    unrealized_pnl: I64 = field(
        "profit of what is held, at mark_price", unit="1e-8", fix="708 PosAmt", default=0
    )


class StrategyAlert(Message, type=MessageType.STRATEGY_ALERT, version=1):
    """A strategy wants attention, 120 bytes; FIX 35=B (News).

    >>> from protocol.instruments import InstrumentId
    >>> alert = StrategyAlert(InstrumentId(0, 0, 0), Severity.WARNING, AlertCategory.DATA,
    ...     strategy_id=3, alert_id=1, raised_at=1_700_000_000_000_000_000, code=17,
    ...     headline=b"no trades for 30 s".ljust(32, bytes(1)))
    >>> len(alert.frame()), alert.severity.name, alert.headline.rstrip(bytes(1))
    (120, 'WARNING', b'no trades for 30 s')
    """

    instrument_id: Instrument = field("what it is about; all zero: none", fix="48 SecurityID")
    severity: Annotated[Severity, U8_WIRE] = field("how much it matters", fix="61 Urgency")
    category: Annotated[AlertCategory, U8_WIRE] = field("its subject", fix="1473 NewsCategory")
    strategy_id: U16 = field("which strategy raised it", fix="847 TargetStrategy")
    alert_id: U64 = field("the strategy's number of this alert", fix="1472 NewsID")
    raised_at: U64 = field("when it was raised", unit="ns", fix="42 OrigTime")
    code: U32 = field("the strategy's number of this kind of alert", default=0)
    repeats: U32 = field("times the same was held back since the last one", default=0)
    value: I64 = field("the number that raised it; 0 none", unit="1e-8", default=0)
    threshold: I64 = field("what the number was held against; 0 none", unit="1e-8", default=0)
    headline: Bytes32 = field(
        "what happened: UTF-8, zeros to the end", fix="148 Headline", default=bytes(32)
    )


class RebalanceSignal(Message, type=MessageType.REBALANCE_SIGNAL, version=1):
    """One instrument of a portfolio that is to be rebalanced, 112 bytes; nearest FIX 35=E
    (NewOrderList).

    A rebalancing is `legs` messages with one rebalance_id.

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> aapl = InstrumentId.stock(VenueId.NASDAQ, "AAPL")
    >>> leg = RebalanceSignal(aapl, RebalanceReason.DRIFT, strategy_id=3, account_id=1,
    ...     rebalance_id=9, leg=1, legs=1, current_weight_bps=5_300, target_weight_bps=5_000,
    ...     max_slippage_bps=10, target_quantity=100_00000000, order_quantity=-6_00000000)
    >>> len(leg.frame()), leg.order_quantity
    (112, -600000000)
    """

    instrument_id: Instrument = field("what is to be bought or sold", fix="48 SecurityID")
    reason: Annotated[RebalanceReason, U8_WIRE] = field("why")
    _gap = pad(1)
    strategy_id: U16 = field("which strategy asks for it", fix="847 TargetStrategy")
    account_id: U64 = field("the account to rebalance", fix="1 Account")
    rebalance_id: U64 = field("number of the whole rebalancing", fix="66 ListID")
    leg: U16 = field("which leg this is, from 1", fix="67 ListSeqNo", within=((1, 65_535),))
    legs: U16 = field("how many there are", fix="68 TotNoOrders", within=((1, 65_535),))
    current_weight_bps: I32 = field("share of the portfolio now", unit="1/10,000")
    target_weight_bps: I32 = field("share it is to have", unit="1/10,000")
    max_slippage_bps: U32 = field("worst price accepted, from the mid price", unit="1/10,000")
    target_quantity: I64 = field("quantity to hold afterwards; negative: short", unit="1e-8")
    order_quantity: I64 = field("quantity to trade; negative: sell", unit="1e-8", fix="38 OrderQty")
    limit_price: I64 = field("limit; 0 none", unit="1e-8", fix="44 Price", default=0)
    expires_at: U64 = field("void from then on; 0 none", unit="ns", fix="126 ExpireTime", default=0)


class RiskMetric(Message, type=MessageType.RISK_METRIC, version=1):
    """One measure of risk and its limit, 96 bytes; FIX 35=CM (PartyRiskLimitsReport).

    `value` and `limit` are money in the account's currency, or ratios, as RiskKind says.

    >>> from protocol.instruments import InstrumentId
    >>> var = RiskMetric(InstrumentId(0, 0, 0), RiskKind.VALUE_AT_RISK, RiskStatus.WITHIN,
    ...     strategy_id=0, account_id=1, value=90_000_00000000, measured_at=1_700_000_000 * 10**9,
    ...     limit=100_000_00000000, used_bps=9_000, confidence_bps=9_900, horizon_sec=86_400)
    >>> len(var.frame()), var.metric.name
    (96, 'VALUE_AT_RISK')
    """

    instrument_id: Instrument = field(
        "what is measured; all zero: the whole account", fix="48 SecurityID"
    )
    metric: Annotated[RiskKind, U8_WIRE] = field("what value is", fix="1530 RiskLimitType")
    status: Annotated[RiskStatus, U8_WIRE] = field(
        "where it stands to limit", fix="1763 RiskLimitStatus"
    )
    strategy_id: U16 = field("whose risk; 0 = the account's", fix="847 TargetStrategy")
    account_id: U64 = field("the account measured", fix="1 Account")
    value: I64 = field("the measure", unit="1e-8", fix="1766 RiskLimitUtilizationAmount")
    measured_at: U64 = field("the time it holds for", unit="ns", fix="60 TransactTime")
    limit: I64 = field("its limit; 0 none", unit="1e-8", fix="1531 RiskLimitAmount", default=0)
    used_bps: U32 = field(
        "value by limit", unit="1/10,000", fix="1765 RiskLimitUtilizationPercent", default=0
    )
    confidence_bps: U16 = field(
        "confidence of VALUE_AT_RISK and EXPECTED_SHORTFALL; else 0",
        unit="1/10,000",
        default=0,
        within=((0, 10_000),),
    )
    _middle = pad(2)
    horizon_sec: U32 = field("time it looks ahead; 0 where it does not", unit="s", default=0)
    observations: U32 = field("observations it was made from; 0 not known", default=0)


class PerformanceUpdate(Message, type=MessageType.PERFORMANCE_UPDATE, version=1):
    """How a strategy has done in a period, 128 bytes; nearest FIX 35=AP (PositionReport).

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> usd = InstrumentId.spot(VenueId.COINBASE, "USD")
    >>> done = PerformanceUpdate(usd, Period.DAY, strategy_id=3, account_id=1, period_start=0,
    ...     period_end=86_400 * 10**9, realized_pnl=5_00000000, unrealized_pnl=0, fees=1_00000000)
    >>> len(done.frame()), done.period.name
    (128, 'DAY')
    """

    currency: Instrument = field("what amounts are in", fix="15 Currency")
    period: Annotated[Period, U8_WIRE] = field("what kind of span this is")
    _gap = pad(1)
    strategy_id: U16 = field("which strategy; 0 = the account", fix="847 TargetStrategy")
    account_id: U64 = field("the account", fix="1 Account")
    period_start: U64 = field("the span's beginning", unit="ns", fix="916 StartDate")
    period_end: U64 = field("its end, not included", unit="ns", fix="917 EndDate")
    realized_pnl: I64 = field("profit of what was closed", unit="1e-8", fix="708 PosAmt")
    unrealized_pnl: I64 = field("profit of what is held", unit="1e-8", fix="708 PosAmt")
    fees: I64 = field("fees paid; negative: rebates", unit="1e-8", fix="137 MiscFeeAmt")
    equity: I64 = field("worth at the end", unit="1e-8", fix="900 TotalNetValue", default=0)
    turnover: U64 = field(
        "sum of price times quantity traded", unit="1e-8", fix="381 GrossTradeAmt", default=0
    )
    trade_count: U32 = field("positions closed", default=0)
    win_count: U32 = field("of these with a profit", default=0)
    max_drawdown_bps: U32 = field(
        "largest fall from a high, of that high", unit="1/10,000", default=0
    )
    sharpe_ratio: I32 = field("Sharpe ratio, a year", unit="1/10,000", default=0)
