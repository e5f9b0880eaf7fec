"""The words of orders: enumerations that messages of the execution domain share.

Declared here, used and handed on by `protocol.execution`, which is where programs import them from.
Numbers are those of the FIX field, plus one where FIX begins at 0, so that 0 can be "not set". No
messages here. (SPEC.md, Enumerations)
"""

from enum import IntEnum


class OrderType(IntEnum):
    """What a price means; FIX 40 OrdType, the same numbers.

    * NOT_SET: not said.
    * MARKET: trade at any price.
    * LIMIT: trade at `price` or better.
    * STOP: becomes a market order when `stop_price` trades.
    * STOP_LIMIT: becomes a limit order when `stop_price` trades.
    """

    NOT_SET = 0
    MARKET = 1
    LIMIT = 2
    STOP = 3
    STOP_LIMIT = 4


class TimeInForce(IntEnum):
    """How long an order stands; FIX 59 TimeInForce, its number plus one (FIX begins at 0).

    * NOT_SET: as the engine or venue does by itself.
    * DAY: until the session ends.
    * GOOD_TILL_CANCEL: until it is canceled.
    * AT_THE_OPENING: in the opening auction only.
    * IMMEDIATE_OR_CANCEL: what cannot trade at once is canceled.
    * FILL_OR_KILL: all of it at once, or nothing.
    * GOOD_TILL_CROSSING: in the regular session only, not in the auction after it.
    * GOOD_TILL_DATE: until `expires_at`.
    * AT_THE_CLOSE: in the closing auction only.
    """

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
    """Whether an order waited in the book or took from it; FIX 851 LastLiquidityInd.

    * NOT_SET: not known.
    * MAKER: it waited in the book (added liquidity).
    * TAKER: it traded with what waited (removed liquidity).
    """

    NOT_SET = 0
    MAKER = 1
    TAKER = 2


class OrderState(IntEnum):
    """How an order stands; FIX 39 OrdStatus, its number plus one (A is 10, E is 14).

    * NOT_SET: not said.
    * NEW: accepted, nothing has traded.
    * PARTIALLY_FILLED: some has traded, the rest is open.
    * FILLED: all of it has traded.
    * DONE_FOR_DAY: nothing more trades today.
    * CANCELED: canceled; what had traded stays.
    * REPLACED: another order took its place.
    * PENDING_CANCEL: a cancel was asked for and is not confirmed.
    * STOPPED: a price is guaranteed, the trade is to come.
    * REJECTED: refused; the reason says why.
    * SUSPENDED: neither trades nor is canceled for now.
    * PENDING_NEW: received and not yet accepted.
    * CALCULATED: done, fees and the like are being worked out.
    * EXPIRED: its time in force is over.
    * ACCEPTED_FOR_BIDDING: taken for a bid, not for trading.
    * PENDING_REPLACE: a change was asked for and is not confirmed.
    """

    NOT_SET = 0
    NEW = 1
    PARTIALLY_FILLED = 2
    FILLED = 3
    DONE_FOR_DAY = 4
    CANCELED = 5
    REPLACED = 6
    PENDING_CANCEL = 7
    STOPPED = 8
    REJECTED = 9
    SUSPENDED = 10
    PENDING_NEW = 11
    CALCULATED = 12
    EXPIRED = 13
    ACCEPTED_FOR_BIDDING = 14
    PENDING_REPLACE = 15


class ExecutionType(IntEnum):
    """What happened to an order; FIX 150 ExecType, its number plus one (A is 10, L is 21).

    * NOT_SET: not said.
    * NEW: it was accepted.
    * DONE_FOR_DAY: nothing more trades today.
    * CANCELED: it was canceled.
    * REPLACED: it was changed as asked for.
    * PENDING_CANCEL: a cancel was received.
    * STOPPED: a price was guaranteed.
    * REJECTED: it was refused.
    * SUSPENDED: it was suspended.
    * PENDING_NEW: it was received.
    * CALCULATED: fees and the like were worked out.
    * EXPIRED: its time was over.
    * RESTATED: engine or venue changed it; the restatement reason says why.
    * PENDING_REPLACE: a change was received.
    * TRADE: some or all of it traded.
    * TRADE_CORRECT: an earlier trade was corrected.
    * TRADE_CANCEL: an earlier trade was undone.
    * ORDER_STATUS: nothing, this answers a question.
    * TRADE_IN_CLEARING_HOLD: a trade is held by the clearing house.
    * TRADE_RELEASED_TO_CLEARING: a held trade was released.
    * TRIGGERED: its stop price traded, or the system activated it.
    """

    NOT_SET = 0
    NEW = 1
    DONE_FOR_DAY = 4
    CANCELED = 5
    REPLACED = 6
    PENDING_CANCEL = 7
    STOPPED = 8
    REJECTED = 9
    SUSPENDED = 10
    PENDING_NEW = 11
    CALCULATED = 12
    EXPIRED = 13
    RESTATED = 14
    PENDING_REPLACE = 15
    TRADE = 16
    TRADE_CORRECT = 17
    TRADE_CANCEL = 18
    ORDER_STATUS = 19
    TRADE_IN_CLEARING_HOLD = 20
    TRADE_RELEASED_TO_CLEARING = 21
    TRIGGERED = 22


class OrderRejectReason(IntEnum):
    """Why an order was refused; FIX 103 OrdRejReason, its number plus one.

    * NOT_SET: it was not refused.
    * BROKER_OPTION: engine or venue decided so.
    * UNKNOWN_SYMBOL: no such instrument there.
    * EXCHANGE_CLOSED: the venue does not trade now.
    * ORDER_EXCEEDS_LIMIT: above a limit of the account.
    * TOO_LATE_TO_ENTER: after the last moment for it.
    * UNKNOWN_ORDER: there is no such order.
    * DUPLICATE_ORDER: the client order id was used before.
    * DUPLICATE_OF_VERBAL: it was given by voice already.
    * STALE_ORDER: too old when it arrived.
    * TRADE_ALONG_REQUIRED: needs another order beside it.
    * INVALID_INVESTOR_ID: no such investor.
    * UNSUPPORTED_CHARACTERISTIC: the venue cannot do what it asks for.
    * SURVEILLANCE_OPTION: held back by surveillance.
    * INCORRECT_QUANTITY: not a quantity the venue takes.
    * INCORRECT_ALLOCATED_QUANTITY: allocations do not add up.
    * UNKNOWN_ACCOUNT: no such account.
    * PRICE_EXCEEDS_BAND: too far from the market.
    * INVALID_PRICE_INCREMENT: not a multiple of the tick.
    * INSUFFICIENT_CREDIT: not enough balance, margin or credit.
    * OTHER: something else.
    """

    NOT_SET = 0
    BROKER_OPTION = 1
    UNKNOWN_SYMBOL = 2
    EXCHANGE_CLOSED = 3
    ORDER_EXCEEDS_LIMIT = 4
    TOO_LATE_TO_ENTER = 5
    UNKNOWN_ORDER = 6
    DUPLICATE_ORDER = 7
    DUPLICATE_OF_VERBAL = 8
    STALE_ORDER = 9
    TRADE_ALONG_REQUIRED = 10
    INVALID_INVESTOR_ID = 11
    UNSUPPORTED_CHARACTERISTIC = 12
    SURVEILLANCE_OPTION = 13
    INCORRECT_QUANTITY = 14
    INCORRECT_ALLOCATED_QUANTITY = 15
    UNKNOWN_ACCOUNT = 16
    PRICE_EXCEEDS_BAND = 17
    INVALID_PRICE_INCREMENT = 19
    INSUFFICIENT_CREDIT = 26
    OTHER = 100


class CancelRejectReason(IntEnum):
    """Why a cancel or a change was refused; FIX 102 CxlRejReason, its number plus one.

    * NOT_SET: it was not refused.
    * TOO_LATE_TO_CANCEL: it has traded or is gone.
    * UNKNOWN_ORDER: there is no such order.
    * BROKER_OPTION: engine or venue decided so.
    * ALREADY_PENDING: another cancel or change of it is under way.
    * MASS_CANCEL_FAILED: many were to be canceled, and that failed.
    * ORDER_CHANGED_MEANWHILE: it is not as the sender believed.
    * DUPLICATE_CLIENT_ORDER_ID: the client order id was used before.
    * PRICE_EXCEEDS_CURRENT: the new price is beyond the current one.
    * PRICE_EXCEEDS_BAND: the new price is too far from the market.
    * INVALID_PRICE_INCREMENT: not a multiple of the tick.
    * OTHER: something else.
    """

    NOT_SET = 0
    TOO_LATE_TO_CANCEL = 1
    UNKNOWN_ORDER = 2
    BROKER_OPTION = 3
    ALREADY_PENDING = 4
    MASS_CANCEL_FAILED = 5
    ORDER_CHANGED_MEANWHILE = 6
    DUPLICATE_CLIENT_ORDER_ID = 7
    PRICE_EXCEEDS_CURRENT = 8
    PRICE_EXCEEDS_BAND = 9
    INVALID_PRICE_INCREMENT = 19
    OTHER = 100


class RestatementReason(IntEnum):
    """Why engine or venue changed an order by itself; FIX 378 ExecRestatementReason, plus one.

    * NOT_SET: it did not.
    * CORPORATE_ACTION: a split, a dividend and the like.
    * RENEWAL: a good-till order goes on in a new session.
    * VERBAL_CHANGE: changed by voice.
    * REPRICED: its price was moved.
    * BROKER_OPTION: engine or venue decided so.
    * PARTIAL_DECLINE: part of the quantity was refused.
    * TRADING_HALT: canceled because trading halted.
    * SYSTEM_FAILURE: canceled because something failed.
    * MARKET_OPTION: the market decided so.
    * CANCELED_NOT_BEST: canceled, it was not the best.
    * WAREHOUSE_RECAP: repeated from the books.
    * PEG_REFRESH: its peg moved it.
    * CONNECTION_LOSS: canceled because its owner's connection was lost.
    * LOGOUT: canceled because its owner logged out.
    * OTHER: something else.
    """

    NOT_SET = 0
    CORPORATE_ACTION = 1
    RENEWAL = 2
    VERBAL_CHANGE = 3
    REPRICED = 4
    BROKER_OPTION = 5
    PARTIAL_DECLINE = 6
    TRADING_HALT = 7
    SYSTEM_FAILURE = 8
    MARKET_OPTION = 9
    CANCELED_NOT_BEST = 10
    WAREHOUSE_RECAP = 11
    PEG_REFRESH = 12
    CONNECTION_LOSS = 13
    LOGOUT = 14
    OTHER = 100
