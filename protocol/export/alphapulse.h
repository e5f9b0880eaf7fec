/* alphapulse.h: the frames of the AlphaPulse relays in C11 and C++11.
 *
 * Written by `relays export c` from the message classes of the protocol package: do not edit.
 * protocol/SPEC.md has the rules, tests/vectors/ frames to test an implementation with.
 *
 * A frame is a header of 32 bytes and a payload; a socket carries frames back to back. For each
 * message there is a packed struct of the payload's fixed part, and functions of its name:
 *
 *     ap_trade trade;
 *     int code = ap_check(bytes, size, max_payload);     is a whole, undamaged frame there?
 *     if (code == AP_OK) code = ap_trade_read(bytes, size, &trade);
 *
 *     ap_stamp stamp = {sequence, timestamp_ns, AP_SOURCE_TYPE_BINANCE_COLLECTOR, 0};
 *     const char *field = ap_trade_wrong(&trade);         NULL, or the field that is not allowed
 *     size_t size = ap_trade_frame(bytes, sizeof bytes, &trade, &stamp);      0: it does not fit
 *
 * ap_next goes from frame to frame through a file or a buffer, ap_fault_name says in a word what a
 * code means. max_payload is that of the relay (Welcome.max_payload; 65,536 unless it is told
 * another), and AP_MAX_PAYLOAD for files: no relay takes more.
 *
 * What follows the fixed part (symbols, levels, text, TLVs) comes as ap_span: bytes in the frame
 * that was read, valid as long as that is. Nothing is allocated, nothing is kept.
 *
 * Prices and quantities are integers in units of 1e-8 unless the field says otherwise. Numbers
 * that no enumeration names are data: pass them on.
 */
#ifndef ALPHAPULSE_H
#define ALPHAPULSE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "frames are little-endian, and these structs are read as they lie in memory"
#endif

#ifdef __cplusplus
#define AP_ASSERT(condition, text) static_assert(condition, text)
extern "C" {
#else
#define AP_ASSERT(condition, text) _Static_assert(condition, text)
#endif
#define AP_SIZE(type, bytes) AP_ASSERT(sizeof(type) == bytes, "size of " #type)
#define AP_OFFSET(type, field, at) AP_ASSERT(offsetof(type, field) == at, #type "." #field)

/* ---------------------------------------------------------------------------------------------- */
/* Constants                                                                                      */
/* ---------------------------------------------------------------------------------------------- */

#define AP_MAGIC 0xDEADBEEFu     /* the first four bytes of a frame: EF BE AD DE */
#define AP_HEADER_SIZE 32u
#define AP_CHECKSUM_AT 28u       /* where the checksum is; it covers all but itself */
#define AP_LEVEL_SIZE 16u
#define AP_MAX_PAYLOAD 1048576u  /* the most any relay may be told to take; what files can have */
#define AP_FLAGS_COMPRESSED 0x03 /* header.flags: reserved for compression; sizes do not hold */
#define AP_FLAGS_PRIORITY 0x30   /* header.flags: 0 normal to 3 urgent, shifted by 4 */
#define AP_UNKNOWN_COUNT UINT64_C(0xFFFFFFFFFFFFFFFF) /* Gap.count: nobody knows how many */
#define AP_HELLO_TLV_CLIENT_NAME 1                    /* a TLV of Hello: [A-Za-z0-9_.-]{1,64} */
#define AP_HELLO_TLV_INSTRUMENTS 2                    /* a TLV of Hello: 1 to 21 InstrumentIds */

/* What the functions below return: AP_OK, a Reject code (above 0), or one of these. */
enum ap_fault {
    AP_OK = 0,
    AP_OTHER_SCHEMA = -1, /* another message type, version or size, or a compressed payload */
    AP_BAD_TAILS = -2,    /* what follows the fixed part is not as long as the counts say */
    AP_BAD_TEXT = -3,     /* text that is not UTF-8 */
    AP_BAD_TLV = -4,      /* a TLV runs past the end */
    AP_END = -5           /* ap_next: there are no more bytes, which is no fault */
};

/* Every type of the catalogue; others are passed on. */
enum ap_message_type {
    AP_MESSAGE_TYPE_TRADE = 1,
    AP_MESSAGE_TYPE_QUOTE = 2,
    AP_MESSAGE_TYPE_ORDER_BOOK = 3,
    AP_MESSAGE_TYPE_INSTRUMENT_DISCOVERED = 10,
    AP_MESSAGE_TYPE_POOL_DISCOVERED = 11,
    AP_MESSAGE_TYPE_VENUE_UPDATE = 12,
    AP_MESSAGE_TYPE_ARBITRAGE_OPPORTUNITY = 20,
    AP_MESSAGE_TYPE_POSITION_UPDATE = 21,
    AP_MESSAGE_TYPE_STRATEGY_ALERT = 22,
    AP_MESSAGE_TYPE_REBALANCE_SIGNAL = 23,
    AP_MESSAGE_TYPE_RISK_METRIC = 24,
    AP_MESSAGE_TYPE_PERFORMANCE_UPDATE = 25,
    AP_MESSAGE_TYPE_POOL_ARBITRAGE_SIGNAL = 30,
    AP_MESSAGE_TYPE_LIQUIDITY_IMBALANCE = 31,
    AP_MESSAGE_TYPE_IMPERMANENT_LOSS_ALERT = 32,
    AP_MESSAGE_TYPE_MEV_OPPORTUNITY = 33,
    AP_MESSAGE_TYPE_FLASH_LOAN_SIGNAL = 34,
    AP_MESSAGE_TYPE_YIELD_FARMING_UPDATE = 35,
    AP_MESSAGE_TYPE_GAS_OPTIMIZATION_SIGNAL = 36,
    AP_MESSAGE_TYPE_DEFI_SIGNAL = 37,
    AP_MESSAGE_TYPE_ORDER_REQUEST = 40,
    AP_MESSAGE_TYPE_ORDER_STATUS = 41,
    AP_MESSAGE_TYPE_FILL = 42,
    AP_MESSAGE_TYPE_ORDER_CANCEL = 43,
    AP_MESSAGE_TYPE_ORDER_MODIFY = 44,
    AP_MESSAGE_TYPE_EXECUTION_REPORT = 45,
    AP_MESSAGE_TYPE_HEARTBEAT = 100,
    AP_MESSAGE_TYPE_SNAPSHOT = 101,
    AP_MESSAGE_TYPE_ERROR = 102,
    AP_MESSAGE_TYPE_CONFIG_UPDATE = 103,
    AP_MESSAGE_TYPE_HELLO = 104,
    AP_MESSAGE_TYPE_WELCOME = 105,
    AP_MESSAGE_TYPE_ACK = 106,
    AP_MESSAGE_TYPE_GAP = 107,
    AP_MESSAGE_TYPE_PRESENCE = 108
};

/* Who sends; others may be used, and are passed on. */
enum ap_source_type {
    AP_SOURCE_TYPE_BINANCE_COLLECTOR = 1,
    AP_SOURCE_TYPE_KRAKEN_COLLECTOR = 2,
    AP_SOURCE_TYPE_COINBASE_COLLECTOR = 3,
    AP_SOURCE_TYPE_POLYGON_COLLECTOR = 4,
    AP_SOURCE_TYPE_ALPACA_COLLECTOR = 5,
    AP_SOURCE_TYPE_MARKET_DATA_RELAY = 20,
    AP_SOURCE_TYPE_SIGNAL_RELAY = 21,
    AP_SOURCE_TYPE_EXECUTION_RELAY = 22,
    AP_SOURCE_TYPE_SYSTEM_RELAY = 23,
    AP_SOURCE_TYPE_ARBITRAGE_STRATEGY = 40,
    AP_SOURCE_TYPE_MOMENTUM_STRATEGY = 41,
    AP_SOURCE_TYPE_MARKET_MAKING_STRATEGY = 42,
    AP_SOURCE_TYPE_PORTFOLIO_MANAGER = 60,
    AP_SOURCE_TYPE_RISK_MANAGER = 61,
    AP_SOURCE_TYPE_EXECUTION_ENGINE = 80,
    AP_SOURCE_TYPE_VENUE_CONNECTOR = 81,
    AP_SOURCE_TYPE_EXTERNAL = 100
};

/* Exchanges 1-99, equity and futures markets 100-199, chains 200-299, DEX protocols 300-399. */
enum ap_venue_id {
    AP_VENUE_ID_BINANCE = 1,
    AP_VENUE_ID_KRAKEN = 2,
    AP_VENUE_ID_COINBASE = 3,
    AP_VENUE_ID_BINANCE_FUTURES = 4,
    AP_VENUE_ID_BINANCE_COIN_FUTURES = 5,
    AP_VENUE_ID_BYBIT = 6,
    AP_VENUE_ID_OKX = 7,
    AP_VENUE_ID_BITMEX = 8,
    AP_VENUE_ID_BITSTAMP = 9,
    AP_VENUE_ID_BITFINEX = 10,
    AP_VENUE_ID_GEMINI = 11,
    AP_VENUE_ID_KUCOIN = 12,
    AP_VENUE_ID_DYDX = 13,
    AP_VENUE_ID_BITFLYER = 14,
    AP_VENUE_ID_HYPERLIQUID = 15,
    AP_VENUE_ID_NASDAQ = 100,
    AP_VENUE_ID_NYSE = 101,
    AP_VENUE_ID_ARCA = 102,
    AP_VENUE_ID_CBOE = 103,
    AP_VENUE_ID_IEX = 104,
    AP_VENUE_ID_CME = 110,
    AP_VENUE_ID_ALPACA = 120,
    AP_VENUE_ID_ETHEREUM = 200,
    AP_VENUE_ID_POLYGON = 201,
    AP_VENUE_ID_ARBITRUM = 202,
    AP_VENUE_ID_BASE = 203,
    AP_VENUE_ID_OPTIMISM = 204,
    AP_VENUE_ID_BSC = 205,
    AP_VENUE_ID_UNISWAP_V2 = 300,
    AP_VENUE_ID_UNISWAP_V3 = 301,
    AP_VENUE_ID_SUSHISWAP_V2 = 302,
    AP_VENUE_ID_QUICKSWAP_V2 = 303,
    AP_VENUE_ID_QUICKSWAP_V3 = 304,
    AP_VENUE_ID_CURVE = 305,
    AP_VENUE_ID_BALANCER = 306
};

/* What kind of thing an instrument is. */
enum ap_asset_type {
    AP_ASSET_TYPE_STOCK = 1,
    AP_ASSET_TYPE_TOKEN = 2,
    AP_ASSET_TYPE_POOL = 3,
    AP_ASSET_TYPE_SPOT = 4,
    AP_ASSET_TYPE_PERPETUAL = 5,
    AP_ASSET_TYPE_FUTURE = 6,
    AP_ASSET_TYPE_OPTION = 7,
    AP_ASSET_TYPE_INDEX = 8
};

/* Why a frame or a connection is refused; a peer may send codes that are not here. */
enum ap_reject {
    /* the bytes where a header should start are not one: framing is lost */
    AP_REJECT_BAD_MAGIC = 1,
    /* payload_size above the domain's max_payload (compared unsigned, before anything is added to
     * it) */
    AP_REJECT_PAYLOAD_TOO_LARGE = 2,
    /* type outside the relay's range */
    AP_REJECT_WRONG_DOMAIN = 3,
    /* payload_size is not that of a known type and version, or under the least of a variable one:
     * decided from the header, nothing is waited for; the header is damaged or the producer speaks
     * another schema */
    AP_REJECT_BAD_SIZE = 4,
    /* domain frames where the domain checks it; control frames always */
    AP_REJECT_BAD_CHECKSUM = 5,
    /* not last + 1, where the domain requires order */
    AP_REJECT_SEQUENCE_GAP = 6,
    /* not above the last accepted */
    AP_REJECT_SEQUENCE_DUPLICATE = 7,
    /* this user may not speak as this source */
    AP_REJECT_SOURCE_NOT_ALLOWED = 8,
    /* the connection ended inside a frame, or a frame stayed incomplete for frame_timeout */
    AP_REJECT_TRUNCATED = 9,
    /* may not produce here, or a consume-only session did */
    AP_REJECT_NOT_A_PRODUCER = 10,
    /* a Hello or other control frame that cannot be honoured; the Error says why */
    AP_REJECT_BAD_HELLO = 11,
    /* the user is on no list */
    AP_REJECT_ACCESS_DENIED = 12,
    /* no place is left for this user or at all */
    AP_REJECT_TOO_MANY_CONNECTIONS = 13,
    /* cut off as a producer a moment ago */
    AP_REJECT_COOLDOWN = 14,
    /* lagged past what its on_lag allows */
    AP_REJECT_SLOW_CONSUMER = 15,
    /* the relay is stopping */
    AP_REJECT_DRAINING = 16,
    /* the relay cannot keep more (journal) */
    AP_REJECT_NOT_ACCEPTING = 17,
    /* a newer connection took this producer_id; do not reconnect */
    AP_REJECT_FENCED = 18,
    /* a sequence seen before with other bytes */
    AP_REJECT_SEQUENCE_CONFLICT = 19
};

/* Who took the initiative, or what an order does; FIX 54 Side, the same numbers. */
enum ap_side {
    AP_SIDE_NOT_SET = 0,
    AP_SIDE_BUY = 1,
    AP_SIDE_SELL = 2
};

/* What an OrderBook does to the book a reader keeps; FIX 35=W and 35=X. */
enum ap_book_kind {
    AP_BOOK_KIND_SNAPSHOT = 1,
    AP_BOOK_KIND_DELTA = 2
};

/* Whether a venue trades; nearest FIX 340 TradSesStatus, with numbers of its own. */
enum ap_venue_status {
    AP_VENUE_STATUS_NOT_SET = 0,
    AP_VENUE_STATUS_OPEN = 1,
    AP_VENUE_STATUS_HALTED = 2,
    AP_VENUE_STATUS_CLOSED = 3,
    AP_VENUE_STATUS_DEGRADED = 4
};

/* Why a venue's status changed; nearest FIX 327 HaltReasonInt, with numbers of its own. */
enum ap_venue_reason {
    AP_VENUE_REASON_NOT_SET = 0,
    AP_VENUE_REASON_SCHEDULE = 1,
    AP_VENUE_REASON_MAINTENANCE = 2,
    AP_VENUE_REASON_VOLATILITY = 3,
    AP_VENUE_REASON_NEWS = 4,
    AP_VENUE_REASON_REGULATORY = 5,
    AP_VENUE_REASON_INCIDENT = 6,
    AP_VENUE_REASON_CONNECTIVITY = 7
};

/* Why a position is reported; nearest FIX 709 PosTransType, with numbers of its own. */
enum ap_position_reason {
    AP_POSITION_REASON_NOT_SET = 0,
    AP_POSITION_REASON_FILL = 1,
    AP_POSITION_REASON_TRANSFER = 2,
    AP_POSITION_REASON_FUNDING = 3,
    AP_POSITION_REASON_LIQUIDATION = 4,
    AP_POSITION_REASON_ADJUSTMENT = 5,
    AP_POSITION_REASON_SNAPSHOT = 6
};

/* How much an alert matters; nearest FIX 61 Urgency, with numbers of its own. */
enum ap_severity {
    AP_SEVERITY_NOT_SET = 0,
    AP_SEVERITY_INFO = 1,
    AP_SEVERITY_WARNING = 2,
    AP_SEVERITY_CRITICAL = 3
};

/* What an alert is about; FIX 1473 NewsCategory, with numbers of its own. */
enum ap_alert_category {
    AP_ALERT_CATEGORY_NOT_SET = 0,
    AP_ALERT_CATEGORY_MARKET = 1,
    AP_ALERT_CATEGORY_RISK = 2,
    AP_ALERT_CATEGORY_EXECUTION = 3,
    AP_ALERT_CATEGORY_DATA = 4,
    AP_ALERT_CATEGORY_SYSTEM = 5
};

/* Why weights are to change; FIX has no such field. */
enum ap_rebalance_reason {
    AP_REBALANCE_REASON_NOT_SET = 0,
    AP_REBALANCE_REASON_SCHEDULE = 1,
    AP_REBALANCE_REASON_DRIFT = 2,
    AP_REBALANCE_REASON_SIGNAL = 3,
    AP_REBALANCE_REASON_RISK = 4,
    AP_REBALANCE_REASON_CASH_FLOW = 5
};

/* What a RiskMetric measures; nearest FIX 1530 RiskLimitType, with numbers of its own. */
enum ap_risk_kind {
    AP_RISK_KIND_NOT_SET = 0,
    AP_RISK_KIND_VALUE_AT_RISK = 1,
    AP_RISK_KIND_EXPECTED_SHORTFALL = 2,
    AP_RISK_KIND_VOLATILITY = 3,
    AP_RISK_KIND_DRAWDOWN = 4,
    AP_RISK_KIND_GROSS_EXPOSURE = 5,
    AP_RISK_KIND_NET_EXPOSURE = 6,
    AP_RISK_KIND_LEVERAGE = 7,
    AP_RISK_KIND_MARGIN_RATIO = 8,
    AP_RISK_KIND_CONCENTRATION = 9,
    AP_RISK_KIND_DELTA = 10,
    AP_RISK_KIND_GAMMA = 11,
    AP_RISK_KIND_VEGA = 12,
    AP_RISK_KIND_THETA = 13
};

/* Where a RiskMetric stands to its limit; nearest FIX 1763 RiskLimitStatus, numbers of its own. */
enum ap_risk_status {
    AP_RISK_STATUS_NOT_SET = 0,
    AP_RISK_STATUS_WITHIN = 1,
    AP_RISK_STATUS_WARNING = 2,
    AP_RISK_STATUS_BREACHED = 3
};

/* The span a PerformanceUpdate sums up; period_start and period_end say which; no FIX field. */
enum ap_period {
    AP_PERIOD_NOT_SET = 0,
    AP_PERIOD_SESSION = 1,
    AP_PERIOD_DAY = 2,
    AP_PERIOD_WEEK = 3,
    AP_PERIOD_MONTH = 4,
    AP_PERIOD_YEAR = 5,
    AP_PERIOD_INCEPTION = 6
};

/* What a MEVOpportunity does with its target transaction; FIX has no such field. */
enum ap_mev_kind {
    AP_MEV_KIND_NOT_SET = 0,
    AP_MEV_KIND_SANDWICH = 1,
    AP_MEV_KIND_BACKRUN = 2,
    AP_MEV_KIND_LIQUIDATION = 3
};

/* Who lends for one transaction; other numbers are data. */
enum ap_lender {
    AP_LENDER_NOT_SET = 0,
    AP_LENDER_AAVE_V2 = 1,
    AP_LENDER_AAVE_V3 = 2,
    AP_LENDER_BALANCER = 3,
    AP_LENDER_UNISWAP_V3 = 4,
    AP_LENDER_MAKER = 5,
    AP_LENDER_UNISWAP_V2 = 6
};

/* Whether a farm pays rewards; nearest FIX 965 SecurityStatus, with numbers of its own. */
enum ap_farm_status {
    AP_FARM_STATUS_NOT_SET = 0,
    AP_FARM_STATUS_ACTIVE = 1,
    AP_FARM_STATUS_ENDING = 2,
    AP_FARM_STATUS_ENDED = 3,
    AP_FARM_STATUS_PAUSED = 4
};

/* What a GasOptimizationSignal advises; FIX has no such field. */
enum ap_gas_action {
    AP_GAS_ACTION_NOT_SET = 0,
    AP_GAS_ACTION_SEND_NOW = 1,
    AP_GAS_ACTION_WAIT = 2,
    AP_GAS_ACTION_BATCH = 3,
    AP_GAS_ACTION_USE_LAYER2 = 4
};

/* What strategy a DeFiSignal is of; other numbers are data. */
enum ap_strategy_kind {
    AP_STRATEGY_KIND_NOT_SET = 0,
    AP_STRATEGY_KIND_TRIANGULAR_ARBITRAGE = 1,
    AP_STRATEGY_KIND_CROSS_DEX_ARBITRAGE = 2
};

/* What contract a venue is, forks included: which calls it takes; other numbers are data. */
enum ap_pool_type {
    AP_POOL_TYPE_NOT_SET = 0,
    AP_POOL_TYPE_UNISWAP_V2 = 1,
    AP_POOL_TYPE_UNISWAP_V3 = 2,
    AP_POOL_TYPE_CURVE = 3
};

/* What a DeFiSignal does with the base token; nearest FIX 54 Side. */
enum ap_direction {
    AP_DIRECTION_SELL_BASE = 0,
    AP_DIRECTION_BUY_BASE = 1
};

/* What a price means; FIX 40 OrdType, the same numbers. */
enum ap_order_type {
    AP_ORDER_TYPE_NOT_SET = 0,
    AP_ORDER_TYPE_MARKET = 1,
    AP_ORDER_TYPE_LIMIT = 2,
    AP_ORDER_TYPE_STOP = 3,
    AP_ORDER_TYPE_STOP_LIMIT = 4
};

/* How long an order stands; FIX 59 TimeInForce, its number plus one (FIX begins at 0). */
enum ap_time_in_force {
    AP_TIME_IN_FORCE_NOT_SET = 0,
    AP_TIME_IN_FORCE_DAY = 1,
    AP_TIME_IN_FORCE_GOOD_TILL_CANCEL = 2,
    AP_TIME_IN_FORCE_AT_THE_OPENING = 3,
    AP_TIME_IN_FORCE_IMMEDIATE_OR_CANCEL = 4,
    AP_TIME_IN_FORCE_FILL_OR_KILL = 5,
    AP_TIME_IN_FORCE_GOOD_TILL_CROSSING = 6,
    AP_TIME_IN_FORCE_GOOD_TILL_DATE = 7,
    AP_TIME_IN_FORCE_AT_THE_CLOSE = 8
};

/* How an order stands; FIX 39 OrdStatus, its number plus one (A is 10, E is 14). */
enum ap_order_state {
    AP_ORDER_STATE_NOT_SET = 0,
    AP_ORDER_STATE_NEW = 1,
    AP_ORDER_STATE_PARTIALLY_FILLED = 2,
    AP_ORDER_STATE_FILLED = 3,
    AP_ORDER_STATE_DONE_FOR_DAY = 4,
    AP_ORDER_STATE_CANCELED = 5,
    AP_ORDER_STATE_REPLACED = 6,
    AP_ORDER_STATE_PENDING_CANCEL = 7,
    AP_ORDER_STATE_STOPPED = 8,
    AP_ORDER_STATE_REJECTED = 9,
    AP_ORDER_STATE_SUSPENDED = 10,
    AP_ORDER_STATE_PENDING_NEW = 11,
    AP_ORDER_STATE_CALCULATED = 12,
    AP_ORDER_STATE_EXPIRED = 13,
    AP_ORDER_STATE_ACCEPTED_FOR_BIDDING = 14,
    AP_ORDER_STATE_PENDING_REPLACE = 15
};

/* Why an order was refused; FIX 103 OrdRejReason, its number plus one. */
enum ap_order_reject_reason {
    AP_ORDER_REJECT_REASON_NOT_SET = 0,
    AP_ORDER_REJECT_REASON_BROKER_OPTION = 1,
    AP_ORDER_REJECT_REASON_UNKNOWN_SYMBOL = 2,
    AP_ORDER_REJECT_REASON_EXCHANGE_CLOSED = 3,
    AP_ORDER_REJECT_REASON_ORDER_EXCEEDS_LIMIT = 4,
    AP_ORDER_REJECT_REASON_TOO_LATE_TO_ENTER = 5,
    AP_ORDER_REJECT_REASON_UNKNOWN_ORDER = 6,
    AP_ORDER_REJECT_REASON_DUPLICATE_ORDER = 7,
    AP_ORDER_REJECT_REASON_DUPLICATE_OF_VERBAL = 8,
    AP_ORDER_REJECT_REASON_STALE_ORDER = 9,
    AP_ORDER_REJECT_REASON_TRADE_ALONG_REQUIRED = 10,
    AP_ORDER_REJECT_REASON_INVALID_INVESTOR_ID = 11,
    AP_ORDER_REJECT_REASON_UNSUPPORTED_CHARACTERISTIC = 12,
    AP_ORDER_REJECT_REASON_SURVEILLANCE_OPTION = 13,
    AP_ORDER_REJECT_REASON_INCORRECT_QUANTITY = 14,
    AP_ORDER_REJECT_REASON_INCORRECT_ALLOCATED_QUANTITY = 15,
    AP_ORDER_REJECT_REASON_UNKNOWN_ACCOUNT = 16,
    AP_ORDER_REJECT_REASON_PRICE_EXCEEDS_BAND = 17,
    AP_ORDER_REJECT_REASON_INVALID_PRICE_INCREMENT = 19,
    AP_ORDER_REJECT_REASON_INSUFFICIENT_CREDIT = 26,
    AP_ORDER_REJECT_REASON_OTHER = 100
};

/* Why a cancel or a change was refused; FIX 102 CxlRejReason, its number plus one. */
enum ap_cancel_reject_reason {
    AP_CANCEL_REJECT_REASON_NOT_SET = 0,
    AP_CANCEL_REJECT_REASON_TOO_LATE_TO_CANCEL = 1,
    AP_CANCEL_REJECT_REASON_UNKNOWN_ORDER = 2,
    AP_CANCEL_REJECT_REASON_BROKER_OPTION = 3,
    AP_CANCEL_REJECT_REASON_ALREADY_PENDING = 4,
    AP_CANCEL_REJECT_REASON_MASS_CANCEL_FAILED = 5,
    AP_CANCEL_REJECT_REASON_ORDER_CHANGED_MEANWHILE = 6,
    AP_CANCEL_REJECT_REASON_DUPLICATE_CLIENT_ORDER_ID = 7,
    AP_CANCEL_REJECT_REASON_PRICE_EXCEEDS_CURRENT = 8,
    AP_CANCEL_REJECT_REASON_PRICE_EXCEEDS_BAND = 9,
    AP_CANCEL_REJECT_REASON_INVALID_PRICE_INCREMENT = 19,
    AP_CANCEL_REJECT_REASON_OTHER = 100
};

/* Whether an order waited in the book or took from it; FIX 851 LastLiquidityInd. */
enum ap_liquidity {
    AP_LIQUIDITY_NOT_SET = 0,
    AP_LIQUIDITY_MAKER = 1,
    AP_LIQUIDITY_TAKER = 2
};

/* What happened to an order; FIX 150 ExecType, its number plus one (A is 10, L is 21). */
enum ap_execution_type {
    AP_EXECUTION_TYPE_NOT_SET = 0,
    AP_EXECUTION_TYPE_NEW = 1,
    AP_EXECUTION_TYPE_DONE_FOR_DAY = 4,
    AP_EXECUTION_TYPE_CANCELED = 5,
    AP_EXECUTION_TYPE_REPLACED = 6,
    AP_EXECUTION_TYPE_PENDING_CANCEL = 7,
    AP_EXECUTION_TYPE_STOPPED = 8,
    AP_EXECUTION_TYPE_REJECTED = 9,
    AP_EXECUTION_TYPE_SUSPENDED = 10,
    AP_EXECUTION_TYPE_PENDING_NEW = 11,
    AP_EXECUTION_TYPE_CALCULATED = 12,
    AP_EXECUTION_TYPE_EXPIRED = 13,
    AP_EXECUTION_TYPE_RESTATED = 14,
    AP_EXECUTION_TYPE_PENDING_REPLACE = 15,
    AP_EXECUTION_TYPE_TRADE = 16,
    AP_EXECUTION_TYPE_TRADE_CORRECT = 17,
    AP_EXECUTION_TYPE_TRADE_CANCEL = 18,
    AP_EXECUTION_TYPE_ORDER_STATUS = 19,
    AP_EXECUTION_TYPE_TRADE_IN_CLEARING_HOLD = 20,
    AP_EXECUTION_TYPE_TRADE_RELEASED_TO_CLEARING = 21,
    AP_EXECUTION_TYPE_TRIGGERED = 22
};

/* Why engine or venue changed an order by itself; FIX 378 ExecRestatementReason, plus one. */
enum ap_restatement_reason {
    AP_RESTATEMENT_REASON_NOT_SET = 0,
    AP_RESTATEMENT_REASON_CORPORATE_ACTION = 1,
    AP_RESTATEMENT_REASON_RENEWAL = 2,
    AP_RESTATEMENT_REASON_VERBAL_CHANGE = 3,
    AP_RESTATEMENT_REASON_REPRICED = 4,
    AP_RESTATEMENT_REASON_BROKER_OPTION = 5,
    AP_RESTATEMENT_REASON_PARTIAL_DECLINE = 6,
    AP_RESTATEMENT_REASON_TRADING_HALT = 7,
    AP_RESTATEMENT_REASON_SYSTEM_FAILURE = 8,
    AP_RESTATEMENT_REASON_MARKET_OPTION = 9,
    AP_RESTATEMENT_REASON_CANCELED_NOT_BEST = 10,
    AP_RESTATEMENT_REASON_WAREHOUSE_RECAP = 11,
    AP_RESTATEMENT_REASON_PEG_REFRESH = 12,
    AP_RESTATEMENT_REASON_CONNECTION_LOSS = 13,
    AP_RESTATEMENT_REASON_LOGOUT = 14,
    AP_RESTATEMENT_REASON_OTHER = 100
};

/* Which end of a snapshot. */
enum ap_snapshot_kind {
    AP_SNAPSHOT_KIND_BEGIN = 1,
    AP_SNAPSHOT_KIND_END = 2
};

/* What a session does, any of these together; 0 = control only. Bits, any of them together. */
enum ap_role {
    AP_ROLE_CONSUME = 1,
    AP_ROLE_PRODUCE = 2,
    AP_ROLE_SNAPSHOT = 4
};

/* What happens to a session that lags too far; 4 (conflate) is reserved. */
enum ap_on_lag {
    AP_ON_LAG_DEFAULT = 0,
    AP_ON_LAG_GAP = 1,
    AP_ON_LAG_DISCONNECT = 2,
    AP_ON_LAG_CATCH_UP = 3
};

/* Where a session's feed begins. */
enum ap_start {
    AP_START_LIVE = 0,
    AP_START_AT_POSITION = 1,
    AP_START_OLDEST = 2,
    AP_START_LAST = 3,
    AP_START_RECEIVED = 4
};

/* What an Ack promises to survive. */
enum ap_durability {
    AP_DURABILITY_MEMORY = 0,
    AP_DURABILITY_JOURNAL = 1,
    AP_DURABILITY_SYNCED = 2
};

/* Why positions are missing; 4 (conflated) is reserved. */
enum ap_gap_reason {
    AP_GAP_REASON_TOO_SLOW = 1,
    AP_GAP_REASON_TOO_OLD = 2,
    AP_GAP_REASON_LOG_REPLACED = 3
};

/* The way a bundle goes to block builders; other numbers are data. */
enum ap_submission {
    AP_SUBMISSION_NOT_SET = 0,
    AP_SUBMISSION_FLASHBOTS = 1,
    AP_SUBMISSION_MEV_SHARE = 2
};

/* The shape of expected slippage over size; other numbers are data. */
enum ap_slippage_curve {
    AP_SLIPPAGE_CURVE_NOT_SET = 0,
    AP_SLIPPAGE_CURVE_CONSTANT = 1,
    AP_SLIPPAGE_CURVE_LINEAR = 2,
    AP_SLIPPAGE_CURVE_SQUARE_ROOT = 3,
    AP_SLIPPAGE_CURVE_POWER = 4
};

/* Where a loan is that can be liquidated; other numbers are data. */
enum ap_lending_protocol {
    AP_LENDING_PROTOCOL_NOT_SET = 0,
    AP_LENDING_PROTOCOL_AAVE_V2 = 1,
    AP_LENDING_PROTOCOL_AAVE_V3 = 2,
    AP_LENDING_PROTOCOL_COMPOUND_V2 = 3,
    AP_LENDING_PROTOCOL_COMPOUND_V3 = 4,
    AP_LENDING_PROTOCOL_MAKER = 5
};

/* What matters more, time or gas; other numbers are data. */
enum ap_gas_strategy {
    AP_GAS_STRATEGY_NOT_SET = 0,
    AP_GAS_STRATEGY_FASTEST = 1,
    AP_GAS_STRATEGY_BALANCED = 2,
    AP_GAS_STRATEGY_CHEAPEST = 3
};

/* What carries tokens between chains; other numbers are data. */
enum ap_bridge {
    AP_BRIDGE_NOT_SET = 0,
    AP_BRIDGE_CANONICAL = 1,
    AP_BRIDGE_ACROSS = 2,
    AP_BRIDGE_STARGATE = 3,
    AP_BRIDGE_CCTP = 4,
    AP_BRIDGE_WORMHOLE = 5,
    AP_BRIDGE_HOP = 6
};

/* How a layer 2 proves its state to layer 1; other numbers are data. */
enum ap_rollup {
    AP_ROLLUP_NOT_SET = 0,
    AP_ROLLUP_OPTIMISTIC = 1,
    AP_ROLLUP_ZERO_KNOWLEDGE = 2,
    AP_ROLLUP_VALIDIUM = 3
};

/* ---------------------------------------------------------------------------------------------- */
/* Basic structures                                                                               */
/* ---------------------------------------------------------------------------------------------- */

#pragma pack(push, 1)

typedef struct ap_u128 {
    uint64_t lo;
    uint64_t hi;
} ap_u128;

/* Two's complement: hi has the sign. */
typedef struct ap_i128 {
    uint64_t lo;
    uint64_t hi;
} ap_i128;

#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 ap_uint128;
__extension__ typedef __int128 ap_int128;

static inline ap_uint128 ap_u128_get(ap_u128 value) {
    return (ap_uint128)value.hi << 64 | value.lo;
}

static inline ap_int128 ap_i128_get(ap_i128 value) {
    return (ap_int128)((ap_uint128)value.hi << 64 | value.lo);
}

static inline ap_u128 ap_u128_of(ap_uint128 value) {
    ap_u128 made = {(uint64_t)value, (uint64_t)(value >> 64)};
    return made;
}

static inline ap_i128 ap_i128_of(ap_int128 value) {
    ap_i128 made = {(uint64_t)value, (uint64_t)((ap_uint128)value >> 64)};
    return made;
}
#endif

/* What is traded, and where: 12 bytes. */
typedef struct ap_instrument_id {
    uint16_t venue;     /* a VenueId */
    uint8_t asset_type; /* an AssetType */
    uint8_t reserved;
    uint64_t asset_id;  /* a symbol (ap_symbol_id), or the first 8 bytes of an address */
} ap_instrument_id;

/* One level of an order book; size 0 deletes it. */
typedef struct ap_level {
    int64_t price; /* [1e-8] */
    uint64_t size; /* [1e-8] */
} ap_level;

/* The 32 bytes before every payload. */
typedef struct ap_header {
    uint32_t magic;        /* 0: 0xDEADBEEF (bytes EF BE AD DE) */
    uint8_t message_type;  /* 4: see Message types */
    uint8_t version;       /* 5: schema version of this message type, from 1 */
    uint8_t source;        /* 6: SourceType of the sender */
    uint8_t flags;         /* 7: see below the table */
    uint32_t payload_size; /* 8: bytes after the header */
    uint64_t sequence;     /* 12: the producer's own counter, +1 per domain frame; 0 in control
                            * frames */
    uint64_t timestamp;    /* 20: the sender's clock, ns since the Unix epoch (UTC) */
    uint32_t checksum;     /* 28: CRC-32 of bytes 0..27 followed by the payload */
} ap_header;

#pragma pack(pop)

AP_SIZE(ap_header, 32);
AP_OFFSET(ap_header, magic, 0);
AP_OFFSET(ap_header, message_type, 4);
AP_OFFSET(ap_header, version, 5);
AP_OFFSET(ap_header, source, 6);
AP_OFFSET(ap_header, flags, 7);
AP_OFFSET(ap_header, payload_size, 8);
AP_OFFSET(ap_header, sequence, 12);
AP_OFFSET(ap_header, timestamp, 20);
AP_OFFSET(ap_header, checksum, 28);

AP_SIZE(ap_u128, 16);
AP_SIZE(ap_i128, 16);
AP_SIZE(ap_level, 16);
AP_OFFSET(ap_level, size, 8);
AP_SIZE(ap_instrument_id, 12);
AP_OFFSET(ap_instrument_id, asset_type, 2);
AP_OFFSET(ap_instrument_id, reserved, 3);
AP_OFFSET(ap_instrument_id, asset_id, 4);

/* What a sender puts into a header. */
typedef struct ap_stamp {
    uint64_t sequence;  /* the producer's own counter, +1 per domain frame; 0 in control frames */
    uint64_t timestamp; /* [ns] the sender's clock, since the Unix epoch (UTC) */
    uint8_t source;     /* a SourceType */
    uint8_t flags;
} ap_stamp;

/* Bytes that belong to somebody else. */
typedef struct ap_span {
    const uint8_t *data;
    size_t size;
} ap_span;

typedef struct ap_tlv {
    uint8_t type;
    ap_span payload;
} ap_tlv;

/* A symbol of 1 to 8 ASCII characters as asset_id; 0 when it is not one. */
static inline uint64_t ap_symbol_id(const char *symbol) {
    size_t size = strlen(symbol), at;
    uint64_t id = 0;
    if (size > 8) return 0;
    for (at = 0; at < size; at++) {
        if ((uint8_t)symbol[at] > 127) return 0;
        id |= (uint64_t)(uint8_t)symbol[at] << (56 - 8 * at);
    }
    return id;
}

/* The symbol an asset_id was made from, into 9 bytes that end with a zero. */
static inline void ap_symbol(uint64_t asset_id, char symbol[9]) {
    size_t at;
    for (at = 0; at < 8; at++) symbol[at] = (char)(asset_id >> (56 - 8 * at) & 0xFF);
    symbol[8] = 0;
}

static inline ap_instrument_id ap_instrument(uint16_t venue, uint8_t asset_type,
                                             uint64_t asset_id) {
    ap_instrument_id id;
    id.venue = venue;
    id.asset_type = asset_type;
    id.reserved = 0;
    id.asset_id = asset_id;
    return id;
}

/* ---------------------------------------------------------------------------------------------- */
/* Checksum                                                                                       */
/* ---------------------------------------------------------------------------------------------- */

static const uint32_t AP_CRC[8][256] = {
    {
    0x00000000, 0x77073096, 0xee0e612c, 0x990951ba, 0x076dc419, 0x706af48f, 0xe963a535, 0x9e6495a3,
    0x0edb8832, 0x79dcb8a4, 0xe0d5e91e, 0x97d2d988, 0x09b64c2b, 0x7eb17cbd, 0xe7b82d07, 0x90bf1d91,
    0x1db71064, 0x6ab020f2, 0xf3b97148, 0x84be41de, 0x1adad47d, 0x6ddde4eb, 0xf4d4b551, 0x83d385c7,
    0x136c9856, 0x646ba8c0, 0xfd62f97a, 0x8a65c9ec, 0x14015c4f, 0x63066cd9, 0xfa0f3d63, 0x8d080df5,
    0x3b6e20c8, 0x4c69105e, 0xd56041e4, 0xa2677172, 0x3c03e4d1, 0x4b04d447, 0xd20d85fd, 0xa50ab56b,
    0x35b5a8fa, 0x42b2986c, 0xdbbbc9d6, 0xacbcf940, 0x32d86ce3, 0x45df5c75, 0xdcd60dcf, 0xabd13d59,
    0x26d930ac, 0x51de003a, 0xc8d75180, 0xbfd06116, 0x21b4f4b5, 0x56b3c423, 0xcfba9599, 0xb8bda50f,
    0x2802b89e, 0x5f058808, 0xc60cd9b2, 0xb10be924, 0x2f6f7c87, 0x58684c11, 0xc1611dab, 0xb6662d3d,
    0x76dc4190, 0x01db7106, 0x98d220bc, 0xefd5102a, 0x71b18589, 0x06b6b51f, 0x9fbfe4a5, 0xe8b8d433,
    0x7807c9a2, 0x0f00f934, 0x9609a88e, 0xe10e9818, 0x7f6a0dbb, 0x086d3d2d, 0x91646c97, 0xe6635c01,
    0x6b6b51f4, 0x1c6c6162, 0x856530d8, 0xf262004e, 0x6c0695ed, 0x1b01a57b, 0x8208f4c1, 0xf50fc457,
    0x65b0d9c6, 0x12b7e950, 0x8bbeb8ea, 0xfcb9887c, 0x62dd1ddf, 0x15da2d49, 0x8cd37cf3, 0xfbd44c65,
    0x4db26158, 0x3ab551ce, 0xa3bc0074, 0xd4bb30e2, 0x4adfa541, 0x3dd895d7, 0xa4d1c46d, 0xd3d6f4fb,
    0x4369e96a, 0x346ed9fc, 0xad678846, 0xda60b8d0, 0x44042d73, 0x33031de5, 0xaa0a4c5f, 0xdd0d7cc9,
    0x5005713c, 0x270241aa, 0xbe0b1010, 0xc90c2086, 0x5768b525, 0x206f85b3, 0xb966d409, 0xce61e49f,
    0x5edef90e, 0x29d9c998, 0xb0d09822, 0xc7d7a8b4, 0x59b33d17, 0x2eb40d81, 0xb7bd5c3b, 0xc0ba6cad,
    0xedb88320, 0x9abfb3b6, 0x03b6e20c, 0x74b1d29a, 0xead54739, 0x9dd277af, 0x04db2615, 0x73dc1683,
    0xe3630b12, 0x94643b84, 0x0d6d6a3e, 0x7a6a5aa8, 0xe40ecf0b, 0x9309ff9d, 0x0a00ae27, 0x7d079eb1,
    0xf00f9344, 0x8708a3d2, 0x1e01f268, 0x6906c2fe, 0xf762575d, 0x806567cb, 0x196c3671, 0x6e6b06e7,
    0xfed41b76, 0x89d32be0, 0x10da7a5a, 0x67dd4acc, 0xf9b9df6f, 0x8ebeeff9, 0x17b7be43, 0x60b08ed5,
    0xd6d6a3e8, 0xa1d1937e, 0x38d8c2c4, 0x4fdff252, 0xd1bb67f1, 0xa6bc5767, 0x3fb506dd, 0x48b2364b,
    0xd80d2bda, 0xaf0a1b4c, 0x36034af6, 0x41047a60, 0xdf60efc3, 0xa867df55, 0x316e8eef, 0x4669be79,
    0xcb61b38c, 0xbc66831a, 0x256fd2a0, 0x5268e236, 0xcc0c7795, 0xbb0b4703, 0x220216b9, 0x5505262f,
    0xc5ba3bbe, 0xb2bd0b28, 0x2bb45a92, 0x5cb36a04, 0xc2d7ffa7, 0xb5d0cf31, 0x2cd99e8b, 0x5bdeae1d,
    0x9b64c2b0, 0xec63f226, 0x756aa39c, 0x026d930a, 0x9c0906a9, 0xeb0e363f, 0x72076785, 0x05005713,
    0x95bf4a82, 0xe2b87a14, 0x7bb12bae, 0x0cb61b38, 0x92d28e9b, 0xe5d5be0d, 0x7cdcefb7, 0x0bdbdf21,
    0x86d3d2d4, 0xf1d4e242, 0x68ddb3f8, 0x1fda836e, 0x81be16cd, 0xf6b9265b, 0x6fb077e1, 0x18b74777,
    0x88085ae6, 0xff0f6a70, 0x66063bca, 0x11010b5c, 0x8f659eff, 0xf862ae69, 0x616bffd3, 0x166ccf45,
    0xa00ae278, 0xd70dd2ee, 0x4e048354, 0x3903b3c2, 0xa7672661, 0xd06016f7, 0x4969474d, 0x3e6e77db,
    0xaed16a4a, 0xd9d65adc, 0x40df0b66, 0x37d83bf0, 0xa9bcae53, 0xdebb9ec5, 0x47b2cf7f, 0x30b5ffe9,
    0xbdbdf21c, 0xcabac28a, 0x53b39330, 0x24b4a3a6, 0xbad03605, 0xcdd70693, 0x54de5729, 0x23d967bf,
    0xb3667a2e, 0xc4614ab8, 0x5d681b02, 0x2a6f2b94, 0xb40bbe37, 0xc30c8ea1, 0x5a05df1b, 0x2d02ef8d,
    },
    {
    0x00000000, 0x191b3141, 0x32366282, 0x2b2d53c3, 0x646cc504, 0x7d77f445, 0x565aa786, 0x4f4196c7,
    0xc8d98a08, 0xd1c2bb49, 0xfaefe88a, 0xe3f4d9cb, 0xacb54f0c, 0xb5ae7e4d, 0x9e832d8e, 0x87981ccf,
    0x4ac21251, 0x53d92310, 0x78f470d3, 0x61ef4192, 0x2eaed755, 0x37b5e614, 0x1c98b5d7, 0x05838496,
    0x821b9859, 0x9b00a918, 0xb02dfadb, 0xa936cb9a, 0xe6775d5d, 0xff6c6c1c, 0xd4413fdf, 0xcd5a0e9e,
    0x958424a2, 0x8c9f15e3, 0xa7b24620, 0xbea97761, 0xf1e8e1a6, 0xe8f3d0e7, 0xc3de8324, 0xdac5b265,
    0x5d5daeaa, 0x44469feb, 0x6f6bcc28, 0x7670fd69, 0x39316bae, 0x202a5aef, 0x0b07092c, 0x121c386d,
    0xdf4636f3, 0xc65d07b2, 0xed705471, 0xf46b6530, 0xbb2af3f7, 0xa231c2b6, 0x891c9175, 0x9007a034,
    0x179fbcfb, 0x0e848dba, 0x25a9de79, 0x3cb2ef38, 0x73f379ff, 0x6ae848be, 0x41c51b7d, 0x58de2a3c,
    0xf0794f05, 0xe9627e44, 0xc24f2d87, 0xdb541cc6, 0x94158a01, 0x8d0ebb40, 0xa623e883, 0xbf38d9c2,
    0x38a0c50d, 0x21bbf44c, 0x0a96a78f, 0x138d96ce, 0x5ccc0009, 0x45d73148, 0x6efa628b, 0x77e153ca,
    0xbabb5d54, 0xa3a06c15, 0x888d3fd6, 0x91960e97, 0xded79850, 0xc7cca911, 0xece1fad2, 0xf5facb93,
    0x7262d75c, 0x6b79e61d, 0x4054b5de, 0x594f849f, 0x160e1258, 0x0f152319, 0x243870da, 0x3d23419b,
    0x65fd6ba7, 0x7ce65ae6, 0x57cb0925, 0x4ed03864, 0x0191aea3, 0x188a9fe2, 0x33a7cc21, 0x2abcfd60,
    0xad24e1af, 0xb43fd0ee, 0x9f12832d, 0x8609b26c, 0xc94824ab, 0xd05315ea, 0xfb7e4629, 0xe2657768,
    0x2f3f79f6, 0x362448b7, 0x1d091b74, 0x04122a35, 0x4b53bcf2, 0x52488db3, 0x7965de70, 0x607eef31,
    0xe7e6f3fe, 0xfefdc2bf, 0xd5d0917c, 0xcccba03d, 0x838a36fa, 0x9a9107bb, 0xb1bc5478, 0xa8a76539,
    0x3b83984b, 0x2298a90a, 0x09b5fac9, 0x10aecb88, 0x5fef5d4f, 0x46f46c0e, 0x6dd93fcd, 0x74c20e8c,
    0xf35a1243, 0xea412302, 0xc16c70c1, 0xd8774180, 0x9736d747, 0x8e2de606, 0xa500b5c5, 0xbc1b8484,
    0x71418a1a, 0x685abb5b, 0x4377e898, 0x5a6cd9d9, 0x152d4f1e, 0x0c367e5f, 0x271b2d9c, 0x3e001cdd,
    0xb9980012, 0xa0833153, 0x8bae6290, 0x92b553d1, 0xddf4c516, 0xc4eff457, 0xefc2a794, 0xf6d996d5,
    0xae07bce9, 0xb71c8da8, 0x9c31de6b, 0x852aef2a, 0xca6b79ed, 0xd37048ac, 0xf85d1b6f, 0xe1462a2e,
    0x66de36e1, 0x7fc507a0, 0x54e85463, 0x4df36522, 0x02b2f3e5, 0x1ba9c2a4, 0x30849167, 0x299fa026,
    0xe4c5aeb8, 0xfdde9ff9, 0xd6f3cc3a, 0xcfe8fd7b, 0x80a96bbc, 0x99b25afd, 0xb29f093e, 0xab84387f,
    0x2c1c24b0, 0x350715f1, 0x1e2a4632, 0x07317773, 0x4870e1b4, 0x516bd0f5, 0x7a468336, 0x635db277,
    0xcbfad74e, 0xd2e1e60f, 0xf9ccb5cc, 0xe0d7848d, 0xaf96124a, 0xb68d230b, 0x9da070c8, 0x84bb4189,
    0x03235d46, 0x1a386c07, 0x31153fc4, 0x280e0e85, 0x674f9842, 0x7e54a903, 0x5579fac0, 0x4c62cb81,
    0x8138c51f, 0x9823f45e, 0xb30ea79d, 0xaa1596dc, 0xe554001b, 0xfc4f315a, 0xd7626299, 0xce7953d8,
    0x49e14f17, 0x50fa7e56, 0x7bd72d95, 0x62cc1cd4, 0x2d8d8a13, 0x3496bb52, 0x1fbbe891, 0x06a0d9d0,
    0x5e7ef3ec, 0x4765c2ad, 0x6c48916e, 0x7553a02f, 0x3a1236e8, 0x230907a9, 0x0824546a, 0x113f652b,
    0x96a779e4, 0x8fbc48a5, 0xa4911b66, 0xbd8a2a27, 0xf2cbbce0, 0xebd08da1, 0xc0fdde62, 0xd9e6ef23,
    0x14bce1bd, 0x0da7d0fc, 0x268a833f, 0x3f91b27e, 0x70d024b9, 0x69cb15f8, 0x42e6463b, 0x5bfd777a,
    0xdc656bb5, 0xc57e5af4, 0xee530937, 0xf7483876, 0xb809aeb1, 0xa1129ff0, 0x8a3fcc33, 0x9324fd72,
    },
    {
    0x00000000, 0x01c26a37, 0x0384d46e, 0x0246be59, 0x0709a8dc, 0x06cbc2eb, 0x048d7cb2, 0x054f1685,
    0x0e1351b8, 0x0fd13b8f, 0x0d9785d6, 0x0c55efe1, 0x091af964, 0x08d89353, 0x0a9e2d0a, 0x0b5c473d,
    0x1c26a370, 0x1de4c947, 0x1fa2771e, 0x1e601d29, 0x1b2f0bac, 0x1aed619b, 0x18abdfc2, 0x1969b5f5,
    0x1235f2c8, 0x13f798ff, 0x11b126a6, 0x10734c91, 0x153c5a14, 0x14fe3023, 0x16b88e7a, 0x177ae44d,
    0x384d46e0, 0x398f2cd7, 0x3bc9928e, 0x3a0bf8b9, 0x3f44ee3c, 0x3e86840b, 0x3cc03a52, 0x3d025065,
    0x365e1758, 0x379c7d6f, 0x35dac336, 0x3418a901, 0x3157bf84, 0x3095d5b3, 0x32d36bea, 0x331101dd,
    0x246be590, 0x25a98fa7, 0x27ef31fe, 0x262d5bc9, 0x23624d4c, 0x22a0277b, 0x20e69922, 0x2124f315,
    0x2a78b428, 0x2bbade1f, 0x29fc6046, 0x283e0a71, 0x2d711cf4, 0x2cb376c3, 0x2ef5c89a, 0x2f37a2ad,
    0x709a8dc0, 0x7158e7f7, 0x731e59ae, 0x72dc3399, 0x7793251c, 0x76514f2b, 0x7417f172, 0x75d59b45,
    0x7e89dc78, 0x7f4bb64f, 0x7d0d0816, 0x7ccf6221, 0x798074a4, 0x78421e93, 0x7a04a0ca, 0x7bc6cafd,
    0x6cbc2eb0, 0x6d7e4487, 0x6f38fade, 0x6efa90e9, 0x6bb5866c, 0x6a77ec5b, 0x68315202, 0x69f33835,
    0x62af7f08, 0x636d153f, 0x612bab66, 0x60e9c151, 0x65a6d7d4, 0x6464bde3, 0x662203ba, 0x67e0698d,
    0x48d7cb20, 0x4915a117, 0x4b531f4e, 0x4a917579, 0x4fde63fc, 0x4e1c09cb, 0x4c5ab792, 0x4d98dda5,
    0x46c49a98, 0x4706f0af, 0x45404ef6, 0x448224c1, 0x41cd3244, 0x400f5873, 0x4249e62a, 0x438b8c1d,
    0x54f16850, 0x55330267, 0x5775bc3e, 0x56b7d609, 0x53f8c08c, 0x523aaabb, 0x507c14e2, 0x51be7ed5,
    0x5ae239e8, 0x5b2053df, 0x5966ed86, 0x58a487b1, 0x5deb9134, 0x5c29fb03, 0x5e6f455a, 0x5fad2f6d,
    0xe1351b80, 0xe0f771b7, 0xe2b1cfee, 0xe373a5d9, 0xe63cb35c, 0xe7fed96b, 0xe5b86732, 0xe47a0d05,
    0xef264a38, 0xeee4200f, 0xeca29e56, 0xed60f461, 0xe82fe2e4, 0xe9ed88d3, 0xebab368a, 0xea695cbd,
    0xfd13b8f0, 0xfcd1d2c7, 0xfe976c9e, 0xff5506a9, 0xfa1a102c, 0xfbd87a1b, 0xf99ec442, 0xf85cae75,
    0xf300e948, 0xf2c2837f, 0xf0843d26, 0xf1465711, 0xf4094194, 0xf5cb2ba3, 0xf78d95fa, 0xf64fffcd,
    0xd9785d60, 0xd8ba3757, 0xdafc890e, 0xdb3ee339, 0xde71f5bc, 0xdfb39f8b, 0xddf521d2, 0xdc374be5,
    0xd76b0cd8, 0xd6a966ef, 0xd4efd8b6, 0xd52db281, 0xd062a404, 0xd1a0ce33, 0xd3e6706a, 0xd2241a5d,
    0xc55efe10, 0xc49c9427, 0xc6da2a7e, 0xc7184049, 0xc25756cc, 0xc3953cfb, 0xc1d382a2, 0xc011e895,
    0xcb4dafa8, 0xca8fc59f, 0xc8c97bc6, 0xc90b11f1, 0xcc440774, 0xcd866d43, 0xcfc0d31a, 0xce02b92d,
    0x91af9640, 0x906dfc77, 0x922b422e, 0x93e92819, 0x96a63e9c, 0x976454ab, 0x9522eaf2, 0x94e080c5,
    0x9fbcc7f8, 0x9e7eadcf, 0x9c381396, 0x9dfa79a1, 0x98b56f24, 0x99770513, 0x9b31bb4a, 0x9af3d17d,
    0x8d893530, 0x8c4b5f07, 0x8e0de15e, 0x8fcf8b69, 0x8a809dec, 0x8b42f7db, 0x89044982, 0x88c623b5,
    0x839a6488, 0x82580ebf, 0x801eb0e6, 0x81dcdad1, 0x8493cc54, 0x8551a663, 0x8717183a, 0x86d5720d,
    0xa9e2d0a0, 0xa820ba97, 0xaa6604ce, 0xaba46ef9, 0xaeeb787c, 0xaf29124b, 0xad6fac12, 0xacadc625,
    0xa7f18118, 0xa633eb2f, 0xa4755576, 0xa5b73f41, 0xa0f829c4, 0xa13a43f3, 0xa37cfdaa, 0xa2be979d,
    0xb5c473d0, 0xb40619e7, 0xb640a7be, 0xb782cd89, 0xb2cddb0c, 0xb30fb13b, 0xb1490f62, 0xb08b6555,
    0xbbd72268, 0xba15485f, 0xb853f606, 0xb9919c31, 0xbcde8ab4, 0xbd1ce083, 0xbf5a5eda, 0xbe9834ed,
    },
    {
    0x00000000, 0xb8bc6765, 0xaa09c88b, 0x12b5afee, 0x8f629757, 0x37def032, 0x256b5fdc, 0x9dd738b9,
    0xc5b428ef, 0x7d084f8a, 0x6fbde064, 0xd7018701, 0x4ad6bfb8, 0xf26ad8dd, 0xe0df7733, 0x58631056,
    0x5019579f, 0xe8a530fa, 0xfa109f14, 0x42acf871, 0xdf7bc0c8, 0x67c7a7ad, 0x75720843, 0xcdce6f26,
    0x95ad7f70, 0x2d111815, 0x3fa4b7fb, 0x8718d09e, 0x1acfe827, 0xa2738f42, 0xb0c620ac, 0x087a47c9,
    0xa032af3e, 0x188ec85b, 0x0a3b67b5, 0xb28700d0, 0x2f503869, 0x97ec5f0c, 0x8559f0e2, 0x3de59787,
    0x658687d1, 0xdd3ae0b4, 0xcf8f4f5a, 0x7733283f, 0xeae41086, 0x525877e3, 0x40edd80d, 0xf851bf68,
    0xf02bf8a1, 0x48979fc4, 0x5a22302a, 0xe29e574f, 0x7f496ff6, 0xc7f50893, 0xd540a77d, 0x6dfcc018,
    0x359fd04e, 0x8d23b72b, 0x9f9618c5, 0x272a7fa0, 0xbafd4719, 0x0241207c, 0x10f48f92, 0xa848e8f7,
    0x9b14583d, 0x23a83f58, 0x311d90b6, 0x89a1f7d3, 0x1476cf6a, 0xaccaa80f, 0xbe7f07e1, 0x06c36084,
    0x5ea070d2, 0xe61c17b7, 0xf4a9b859, 0x4c15df3c, 0xd1c2e785, 0x697e80e0, 0x7bcb2f0e, 0xc377486b,
    0xcb0d0fa2, 0x73b168c7, 0x6104c729, 0xd9b8a04c, 0x446f98f5, 0xfcd3ff90, 0xee66507e, 0x56da371b,
    0x0eb9274d, 0xb6054028, 0xa4b0efc6, 0x1c0c88a3, 0x81dbb01a, 0x3967d77f, 0x2bd27891, 0x936e1ff4,
    0x3b26f703, 0x839a9066, 0x912f3f88, 0x299358ed, 0xb4446054, 0x0cf80731, 0x1e4da8df, 0xa6f1cfba,
    0xfe92dfec, 0x462eb889, 0x549b1767, 0xec277002, 0x71f048bb, 0xc94c2fde, 0xdbf98030, 0x6345e755,
    0x6b3fa09c, 0xd383c7f9, 0xc1366817, 0x798a0f72, 0xe45d37cb, 0x5ce150ae, 0x4e54ff40, 0xf6e89825,
    0xae8b8873, 0x1637ef16, 0x048240f8, 0xbc3e279d, 0x21e91f24, 0x99557841, 0x8be0d7af, 0x335cb0ca,
    0xed59b63b, 0x55e5d15e, 0x47507eb0, 0xffec19d5, 0x623b216c, 0xda874609, 0xc832e9e7, 0x708e8e82,
    0x28ed9ed4, 0x9051f9b1, 0x82e4565f, 0x3a58313a, 0xa78f0983, 0x1f336ee6, 0x0d86c108, 0xb53aa66d,
    0xbd40e1a4, 0x05fc86c1, 0x1749292f, 0xaff54e4a, 0x322276f3, 0x8a9e1196, 0x982bbe78, 0x2097d91d,
    0x78f4c94b, 0xc048ae2e, 0xd2fd01c0, 0x6a4166a5, 0xf7965e1c, 0x4f2a3979, 0x5d9f9697, 0xe523f1f2,
    0x4d6b1905, 0xf5d77e60, 0xe762d18e, 0x5fdeb6eb, 0xc2098e52, 0x7ab5e937, 0x680046d9, 0xd0bc21bc,
    0x88df31ea, 0x3063568f, 0x22d6f961, 0x9a6a9e04, 0x07bda6bd, 0xbf01c1d8, 0xadb46e36, 0x15080953,
    0x1d724e9a, 0xa5ce29ff, 0xb77b8611, 0x0fc7e174, 0x9210d9cd, 0x2aacbea8, 0x38191146, 0x80a57623,
    0xd8c66675, 0x607a0110, 0x72cfaefe, 0xca73c99b, 0x57a4f122, 0xef189647, 0xfdad39a9, 0x45115ecc,
    0x764dee06, 0xcef18963, 0xdc44268d, 0x64f841e8, 0xf92f7951, 0x41931e34, 0x5326b1da, 0xeb9ad6bf,
    0xb3f9c6e9, 0x0b45a18c, 0x19f00e62, 0xa14c6907, 0x3c9b51be, 0x842736db, 0x96929935, 0x2e2efe50,
    0x2654b999, 0x9ee8defc, 0x8c5d7112, 0x34e11677, 0xa9362ece, 0x118a49ab, 0x033fe645, 0xbb838120,
    0xe3e09176, 0x5b5cf613, 0x49e959fd, 0xf1553e98, 0x6c820621, 0xd43e6144, 0xc68bceaa, 0x7e37a9cf,
    0xd67f4138, 0x6ec3265d, 0x7c7689b3, 0xc4caeed6, 0x591dd66f, 0xe1a1b10a, 0xf3141ee4, 0x4ba87981,
    0x13cb69d7, 0xab770eb2, 0xb9c2a15c, 0x017ec639, 0x9ca9fe80, 0x241599e5, 0x36a0360b, 0x8e1c516e,
    0x866616a7, 0x3eda71c2, 0x2c6fde2c, 0x94d3b949, 0x090481f0, 0xb1b8e695, 0xa30d497b, 0x1bb12e1e,
    0x43d23e48, 0xfb6e592d, 0xe9dbf6c3, 0x516791a6, 0xccb0a91f, 0x740cce7a, 0x66b96194, 0xde0506f1,
    },
    {
    0x00000000, 0x3d6029b0, 0x7ac05360, 0x47a07ad0, 0xf580a6c0, 0xc8e08f70, 0x8f40f5a0, 0xb220dc10,
    0x30704bc1, 0x0d106271, 0x4ab018a1, 0x77d03111, 0xc5f0ed01, 0xf890c4b1, 0xbf30be61, 0x825097d1,
    0x60e09782, 0x5d80be32, 0x1a20c4e2, 0x2740ed52, 0x95603142, 0xa80018f2, 0xefa06222, 0xd2c04b92,
    0x5090dc43, 0x6df0f5f3, 0x2a508f23, 0x1730a693, 0xa5107a83, 0x98705333, 0xdfd029e3, 0xe2b00053,
    0xc1c12f04, 0xfca106b4, 0xbb017c64, 0x866155d4, 0x344189c4, 0x0921a074, 0x4e81daa4, 0x73e1f314,
    0xf1b164c5, 0xccd14d75, 0x8b7137a5, 0xb6111e15, 0x0431c205, 0x3951ebb5, 0x7ef19165, 0x4391b8d5,
    0xa121b886, 0x9c419136, 0xdbe1ebe6, 0xe681c256, 0x54a11e46, 0x69c137f6, 0x2e614d26, 0x13016496,
    0x9151f347, 0xac31daf7, 0xeb91a027, 0xd6f18997, 0x64d15587, 0x59b17c37, 0x1e1106e7, 0x23712f57,
    0x58f35849, 0x659371f9, 0x22330b29, 0x1f532299, 0xad73fe89, 0x9013d739, 0xd7b3ade9, 0xead38459,
    0x68831388, 0x55e33a38, 0x124340e8, 0x2f236958, 0x9d03b548, 0xa0639cf8, 0xe7c3e628, 0xdaa3cf98,
    0x3813cfcb, 0x0573e67b, 0x42d39cab, 0x7fb3b51b, 0xcd93690b, 0xf0f340bb, 0xb7533a6b, 0x8a3313db,
    0x0863840a, 0x3503adba, 0x72a3d76a, 0x4fc3feda, 0xfde322ca, 0xc0830b7a, 0x872371aa, 0xba43581a,
    0x9932774d, 0xa4525efd, 0xe3f2242d, 0xde920d9d, 0x6cb2d18d, 0x51d2f83d, 0x167282ed, 0x2b12ab5d,
    0xa9423c8c, 0x9422153c, 0xd3826fec, 0xeee2465c, 0x5cc29a4c, 0x61a2b3fc, 0x2602c92c, 0x1b62e09c,
    0xf9d2e0cf, 0xc4b2c97f, 0x8312b3af, 0xbe729a1f, 0x0c52460f, 0x31326fbf, 0x7692156f, 0x4bf23cdf,
    0xc9a2ab0e, 0xf4c282be, 0xb362f86e, 0x8e02d1de, 0x3c220dce, 0x0142247e, 0x46e25eae, 0x7b82771e,
    0xb1e6b092, 0x8c869922, 0xcb26e3f2, 0xf646ca42, 0x44661652, 0x79063fe2, 0x3ea64532, 0x03c66c82,
    0x8196fb53, 0xbcf6d2e3, 0xfb56a833, 0xc6368183, 0x74165d93, 0x49767423, 0x0ed60ef3, 0x33b62743,
    0xd1062710, 0xec660ea0, 0xabc67470, 0x96a65dc0, 0x248681d0, 0x19e6a860, 0x5e46d2b0, 0x6326fb00,
    0xe1766cd1, 0xdc164561, 0x9bb63fb1, 0xa6d61601, 0x14f6ca11, 0x2996e3a1, 0x6e369971, 0x5356b0c1,
    0x70279f96, 0x4d47b626, 0x0ae7ccf6, 0x3787e546, 0x85a73956, 0xb8c710e6, 0xff676a36, 0xc2074386,
    0x4057d457, 0x7d37fde7, 0x3a978737, 0x07f7ae87, 0xb5d77297, 0x88b75b27, 0xcf1721f7, 0xf2770847,
    0x10c70814, 0x2da721a4, 0x6a075b74, 0x576772c4, 0xe547aed4, 0xd8278764, 0x9f87fdb4, 0xa2e7d404,
    0x20b743d5, 0x1dd76a65, 0x5a7710b5, 0x67173905, 0xd537e515, 0xe857cca5, 0xaff7b675, 0x92979fc5,
    0xe915e8db, 0xd475c16b, 0x93d5bbbb, 0xaeb5920b, 0x1c954e1b, 0x21f567ab, 0x66551d7b, 0x5b3534cb,
    0xd965a31a, 0xe4058aaa, 0xa3a5f07a, 0x9ec5d9ca, 0x2ce505da, 0x11852c6a, 0x562556ba, 0x6b457f0a,
    0x89f57f59, 0xb49556e9, 0xf3352c39, 0xce550589, 0x7c75d999, 0x4115f029, 0x06b58af9, 0x3bd5a349,
    0xb9853498, 0x84e51d28, 0xc34567f8, 0xfe254e48, 0x4c059258, 0x7165bbe8, 0x36c5c138, 0x0ba5e888,
    0x28d4c7df, 0x15b4ee6f, 0x521494bf, 0x6f74bd0f, 0xdd54611f, 0xe03448af, 0xa794327f, 0x9af41bcf,
    0x18a48c1e, 0x25c4a5ae, 0x6264df7e, 0x5f04f6ce, 0xed242ade, 0xd044036e, 0x97e479be, 0xaa84500e,
    0x4834505d, 0x755479ed, 0x32f4033d, 0x0f942a8d, 0xbdb4f69d, 0x80d4df2d, 0xc774a5fd, 0xfa148c4d,
    0x78441b9c, 0x4524322c, 0x028448fc, 0x3fe4614c, 0x8dc4bd5c, 0xb0a494ec, 0xf704ee3c, 0xca64c78c,
    },
    {
    0x00000000, 0xcb5cd3a5, 0x4dc8a10b, 0x869472ae, 0x9b914216, 0x50cd91b3, 0xd659e31d, 0x1d0530b8,
    0xec53826d, 0x270f51c8, 0xa19b2366, 0x6ac7f0c3, 0x77c2c07b, 0xbc9e13de, 0x3a0a6170, 0xf156b2d5,
    0x03d6029b, 0xc88ad13e, 0x4e1ea390, 0x85427035, 0x9847408d, 0x531b9328, 0xd58fe186, 0x1ed33223,
    0xef8580f6, 0x24d95353, 0xa24d21fd, 0x6911f258, 0x7414c2e0, 0xbf481145, 0x39dc63eb, 0xf280b04e,
    0x07ac0536, 0xccf0d693, 0x4a64a43d, 0x81387798, 0x9c3d4720, 0x57619485, 0xd1f5e62b, 0x1aa9358e,
    0xebff875b, 0x20a354fe, 0xa6372650, 0x6d6bf5f5, 0x706ec54d, 0xbb3216e8, 0x3da66446, 0xf6fab7e3,
    0x047a07ad, 0xcf26d408, 0x49b2a6a6, 0x82ee7503, 0x9feb45bb, 0x54b7961e, 0xd223e4b0, 0x197f3715,
    0xe82985c0, 0x23755665, 0xa5e124cb, 0x6ebdf76e, 0x73b8c7d6, 0xb8e41473, 0x3e7066dd, 0xf52cb578,
    0x0f580a6c, 0xc404d9c9, 0x4290ab67, 0x89cc78c2, 0x94c9487a, 0x5f959bdf, 0xd901e971, 0x125d3ad4,
    0xe30b8801, 0x28575ba4, 0xaec3290a, 0x659ffaaf, 0x789aca17, 0xb3c619b2, 0x35526b1c, 0xfe0eb8b9,
    0x0c8e08f7, 0xc7d2db52, 0x4146a9fc, 0x8a1a7a59, 0x971f4ae1, 0x5c439944, 0xdad7ebea, 0x118b384f,
    0xe0dd8a9a, 0x2b81593f, 0xad152b91, 0x6649f834, 0x7b4cc88c, 0xb0101b29, 0x36846987, 0xfdd8ba22,
    0x08f40f5a, 0xc3a8dcff, 0x453cae51, 0x8e607df4, 0x93654d4c, 0x58399ee9, 0xdeadec47, 0x15f13fe2,
    0xe4a78d37, 0x2ffb5e92, 0xa96f2c3c, 0x6233ff99, 0x7f36cf21, 0xb46a1c84, 0x32fe6e2a, 0xf9a2bd8f,
    0x0b220dc1, 0xc07ede64, 0x46eaacca, 0x8db67f6f, 0x90b34fd7, 0x5bef9c72, 0xdd7beedc, 0x16273d79,
    0xe7718fac, 0x2c2d5c09, 0xaab92ea7, 0x61e5fd02, 0x7ce0cdba, 0xb7bc1e1f, 0x31286cb1, 0xfa74bf14,
    0x1eb014d8, 0xd5ecc77d, 0x5378b5d3, 0x98246676, 0x852156ce, 0x4e7d856b, 0xc8e9f7c5, 0x03b52460,
    0xf2e396b5, 0x39bf4510, 0xbf2b37be, 0x7477e41b, 0x6972d4a3, 0xa22e0706, 0x24ba75a8, 0xefe6a60d,
    0x1d661643, 0xd63ac5e6, 0x50aeb748, 0x9bf264ed, 0x86f75455, 0x4dab87f0, 0xcb3ff55e, 0x006326fb,
    0xf135942e, 0x3a69478b, 0xbcfd3525, 0x77a1e680, 0x6aa4d638, 0xa1f8059d, 0x276c7733, 0xec30a496,
    0x191c11ee, 0xd240c24b, 0x54d4b0e5, 0x9f886340, 0x828d53f8, 0x49d1805d, 0xcf45f2f3, 0x04192156,
    0xf54f9383, 0x3e134026, 0xb8873288, 0x73dbe12d, 0x6eded195, 0xa5820230, 0x2316709e, 0xe84aa33b,
    0x1aca1375, 0xd196c0d0, 0x5702b27e, 0x9c5e61db, 0x815b5163, 0x4a0782c6, 0xcc93f068, 0x07cf23cd,
    0xf6999118, 0x3dc542bd, 0xbb513013, 0x700de3b6, 0x6d08d30e, 0xa65400ab, 0x20c07205, 0xeb9ca1a0,
    0x11e81eb4, 0xdab4cd11, 0x5c20bfbf, 0x977c6c1a, 0x8a795ca2, 0x41258f07, 0xc7b1fda9, 0x0ced2e0c,
    0xfdbb9cd9, 0x36e74f7c, 0xb0733dd2, 0x7b2fee77, 0x662adecf, 0xad760d6a, 0x2be27fc4, 0xe0beac61,
    0x123e1c2f, 0xd962cf8a, 0x5ff6bd24, 0x94aa6e81, 0x89af5e39, 0x42f38d9c, 0xc467ff32, 0x0f3b2c97,
    0xfe6d9e42, 0x35314de7, 0xb3a53f49, 0x78f9ecec, 0x65fcdc54, 0xaea00ff1, 0x28347d5f, 0xe368aefa,
    0x16441b82, 0xdd18c827, 0x5b8cba89, 0x90d0692c, 0x8dd55994, 0x46898a31, 0xc01df89f, 0x0b412b3a,
    0xfa1799ef, 0x314b4a4a, 0xb7df38e4, 0x7c83eb41, 0x6186dbf9, 0xaada085c, 0x2c4e7af2, 0xe712a957,
    0x15921919, 0xdececabc, 0x585ab812, 0x93066bb7, 0x8e035b0f, 0x455f88aa, 0xc3cbfa04, 0x089729a1,
    0xf9c19b74, 0x329d48d1, 0xb4093a7f, 0x7f55e9da, 0x6250d962, 0xa90c0ac7, 0x2f987869, 0xe4c4abcc,
    },
    {
    0x00000000, 0xa6770bb4, 0x979f1129, 0x31e81a9d, 0xf44f2413, 0x52382fa7, 0x63d0353a, 0xc5a73e8e,
    0x33ef4e67, 0x959845d3, 0xa4705f4e, 0x020754fa, 0xc7a06a74, 0x61d761c0, 0x503f7b5d, 0xf64870e9,
    0x67de9cce, 0xc1a9977a, 0xf0418de7, 0x56368653, 0x9391b8dd, 0x35e6b369, 0x040ea9f4, 0xa279a240,
    0x5431d2a9, 0xf246d91d, 0xc3aec380, 0x65d9c834, 0xa07ef6ba, 0x0609fd0e, 0x37e1e793, 0x9196ec27,
    0xcfbd399c, 0x69ca3228, 0x582228b5, 0xfe552301, 0x3bf21d8f, 0x9d85163b, 0xac6d0ca6, 0x0a1a0712,
    0xfc5277fb, 0x5a257c4f, 0x6bcd66d2, 0xcdba6d66, 0x081d53e8, 0xae6a585c, 0x9f8242c1, 0x39f54975,
    0xa863a552, 0x0e14aee6, 0x3ffcb47b, 0x998bbfcf, 0x5c2c8141, 0xfa5b8af5, 0xcbb39068, 0x6dc49bdc,
    0x9b8ceb35, 0x3dfbe081, 0x0c13fa1c, 0xaa64f1a8, 0x6fc3cf26, 0xc9b4c492, 0xf85cde0f, 0x5e2bd5bb,
    0x440b7579, 0xe27c7ecd, 0xd3946450, 0x75e36fe4, 0xb044516a, 0x16335ade, 0x27db4043, 0x81ac4bf7,
    0x77e43b1e, 0xd19330aa, 0xe07b2a37, 0x460c2183, 0x83ab1f0d, 0x25dc14b9, 0x14340e24, 0xb2430590,
    0x23d5e9b7, 0x85a2e203, 0xb44af89e, 0x123df32a, 0xd79acda4, 0x71edc610, 0x4005dc8d, 0xe672d739,
    0x103aa7d0, 0xb64dac64, 0x87a5b6f9, 0x21d2bd4d, 0xe47583c3, 0x42028877, 0x73ea92ea, 0xd59d995e,
    0x8bb64ce5, 0x2dc14751, 0x1c295dcc, 0xba5e5678, 0x7ff968f6, 0xd98e6342, 0xe86679df, 0x4e11726b,
    0xb8590282, 0x1e2e0936, 0x2fc613ab, 0x89b1181f, 0x4c162691, 0xea612d25, 0xdb8937b8, 0x7dfe3c0c,
    0xec68d02b, 0x4a1fdb9f, 0x7bf7c102, 0xdd80cab6, 0x1827f438, 0xbe50ff8c, 0x8fb8e511, 0x29cfeea5,
    0xdf879e4c, 0x79f095f8, 0x48188f65, 0xee6f84d1, 0x2bc8ba5f, 0x8dbfb1eb, 0xbc57ab76, 0x1a20a0c2,
    0x8816eaf2, 0x2e61e146, 0x1f89fbdb, 0xb9fef06f, 0x7c59cee1, 0xda2ec555, 0xebc6dfc8, 0x4db1d47c,
    0xbbf9a495, 0x1d8eaf21, 0x2c66b5bc, 0x8a11be08, 0x4fb68086, 0xe9c18b32, 0xd82991af, 0x7e5e9a1b,
    0xefc8763c, 0x49bf7d88, 0x78576715, 0xde206ca1, 0x1b87522f, 0xbdf0599b, 0x8c184306, 0x2a6f48b2,
    0xdc27385b, 0x7a5033ef, 0x4bb82972, 0xedcf22c6, 0x28681c48, 0x8e1f17fc, 0xbff70d61, 0x198006d5,
    0x47abd36e, 0xe1dcd8da, 0xd034c247, 0x7643c9f3, 0xb3e4f77d, 0x1593fcc9, 0x247be654, 0x820cede0,
    0x74449d09, 0xd23396bd, 0xe3db8c20, 0x45ac8794, 0x800bb91a, 0x267cb2ae, 0x1794a833, 0xb1e3a387,
    0x20754fa0, 0x86024414, 0xb7ea5e89, 0x119d553d, 0xd43a6bb3, 0x724d6007, 0x43a57a9a, 0xe5d2712e,
    0x139a01c7, 0xb5ed0a73, 0x840510ee, 0x22721b5a, 0xe7d525d4, 0x41a22e60, 0x704a34fd, 0xd63d3f49,
    0xcc1d9f8b, 0x6a6a943f, 0x5b828ea2, 0xfdf58516, 0x3852bb98, 0x9e25b02c, 0xafcdaab1, 0x09baa105,
    0xfff2d1ec, 0x5985da58, 0x686dc0c5, 0xce1acb71, 0x0bbdf5ff, 0xadcafe4b, 0x9c22e4d6, 0x3a55ef62,
    0xabc30345, 0x0db408f1, 0x3c5c126c, 0x9a2b19d8, 0x5f8c2756, 0xf9fb2ce2, 0xc813367f, 0x6e643dcb,
    0x982c4d22, 0x3e5b4696, 0x0fb35c0b, 0xa9c457bf, 0x6c636931, 0xca146285, 0xfbfc7818, 0x5d8b73ac,
    0x03a0a617, 0xa5d7ada3, 0x943fb73e, 0x3248bc8a, 0xf7ef8204, 0x519889b0, 0x6070932d, 0xc6079899,
    0x304fe870, 0x9638e3c4, 0xa7d0f959, 0x01a7f2ed, 0xc400cc63, 0x6277c7d7, 0x539fdd4a, 0xf5e8d6fe,
    0x647e3ad9, 0xc209316d, 0xf3e12bf0, 0x55962044, 0x90311eca, 0x3646157e, 0x07ae0fe3, 0xa1d90457,
    0x579174be, 0xf1e67f0a, 0xc00e6597, 0x66796e23, 0xa3de50ad, 0x05a95b19, 0x34414184, 0x92364a30,
    },
    {
    0x00000000, 0xccaa009e, 0x4225077d, 0x8e8f07e3, 0x844a0efa, 0x48e00e64, 0xc66f0987, 0x0ac50919,
    0xd3e51bb5, 0x1f4f1b2b, 0x91c01cc8, 0x5d6a1c56, 0x57af154f, 0x9b0515d1, 0x158a1232, 0xd92012ac,
    0x7cbb312b, 0xb01131b5, 0x3e9e3656, 0xf23436c8, 0xf8f13fd1, 0x345b3f4f, 0xbad438ac, 0x767e3832,
    0xaf5e2a9e, 0x63f42a00, 0xed7b2de3, 0x21d12d7d, 0x2b142464, 0xe7be24fa, 0x69312319, 0xa59b2387,
    0xf9766256, 0x35dc62c8, 0xbb53652b, 0x77f965b5, 0x7d3c6cac, 0xb1966c32, 0x3f196bd1, 0xf3b36b4f,
    0x2a9379e3, 0xe639797d, 0x68b67e9e, 0xa41c7e00, 0xaed97719, 0x62737787, 0xecfc7064, 0x205670fa,
    0x85cd537d, 0x496753e3, 0xc7e85400, 0x0b42549e, 0x01875d87, 0xcd2d5d19, 0x43a25afa, 0x8f085a64,
    0x562848c8, 0x9a824856, 0x140d4fb5, 0xd8a74f2b, 0xd2624632, 0x1ec846ac, 0x9047414f, 0x5ced41d1,
    0x299dc2ed, 0xe537c273, 0x6bb8c590, 0xa712c50e, 0xadd7cc17, 0x617dcc89, 0xeff2cb6a, 0x2358cbf4,
    0xfa78d958, 0x36d2d9c6, 0xb85dde25, 0x74f7debb, 0x7e32d7a2, 0xb298d73c, 0x3c17d0df, 0xf0bdd041,
    0x5526f3c6, 0x998cf358, 0x1703f4bb, 0xdba9f425, 0xd16cfd3c, 0x1dc6fda2, 0x9349fa41, 0x5fe3fadf,
    0x86c3e873, 0x4a69e8ed, 0xc4e6ef0e, 0x084cef90, 0x0289e689, 0xce23e617, 0x40ace1f4, 0x8c06e16a,
    0xd0eba0bb, 0x1c41a025, 0x92cea7c6, 0x5e64a758, 0x54a1ae41, 0x980baedf, 0x1684a93c, 0xda2ea9a2,
    0x030ebb0e, 0xcfa4bb90, 0x412bbc73, 0x8d81bced, 0x8744b5f4, 0x4beeb56a, 0xc561b289, 0x09cbb217,
    0xac509190, 0x60fa910e, 0xee7596ed, 0x22df9673, 0x281a9f6a, 0xe4b09ff4, 0x6a3f9817, 0xa6959889,
    0x7fb58a25, 0xb31f8abb, 0x3d908d58, 0xf13a8dc6, 0xfbff84df, 0x37558441, 0xb9da83a2, 0x7570833c,
    0x533b85da, 0x9f918544, 0x111e82a7, 0xddb48239, 0xd7718b20, 0x1bdb8bbe, 0x95548c5d, 0x59fe8cc3,
    0x80de9e6f, 0x4c749ef1, 0xc2fb9912, 0x0e51998c, 0x04949095, 0xc83e900b, 0x46b197e8, 0x8a1b9776,
    0x2f80b4f1, 0xe32ab46f, 0x6da5b38c, 0xa10fb312, 0xabcaba0b, 0x6760ba95, 0xe9efbd76, 0x2545bde8,
    0xfc65af44, 0x30cfafda, 0xbe40a839, 0x72eaa8a7, 0x782fa1be, 0xb485a120, 0x3a0aa6c3, 0xf6a0a65d,
    0xaa4de78c, 0x66e7e712, 0xe868e0f1, 0x24c2e06f, 0x2e07e976, 0xe2ade9e8, 0x6c22ee0b, 0xa088ee95,
    0x79a8fc39, 0xb502fca7, 0x3b8dfb44, 0xf727fbda, 0xfde2f2c3, 0x3148f25d, 0xbfc7f5be, 0x736df520,
    0xd6f6d6a7, 0x1a5cd639, 0x94d3d1da, 0x5879d144, 0x52bcd85d, 0x9e16d8c3, 0x1099df20, 0xdc33dfbe,
    0x0513cd12, 0xc9b9cd8c, 0x4736ca6f, 0x8b9ccaf1, 0x8159c3e8, 0x4df3c376, 0xc37cc495, 0x0fd6c40b,
    0x7aa64737, 0xb60c47a9, 0x3883404a, 0xf42940d4, 0xfeec49cd, 0x32464953, 0xbcc94eb0, 0x70634e2e,
    0xa9435c82, 0x65e95c1c, 0xeb665bff, 0x27cc5b61, 0x2d095278, 0xe1a352e6, 0x6f2c5505, 0xa386559b,
    0x061d761c, 0xcab77682, 0x44387161, 0x889271ff, 0x825778e6, 0x4efd7878, 0xc0727f9b, 0x0cd87f05,
    0xd5f86da9, 0x19526d37, 0x97dd6ad4, 0x5b776a4a, 0x51b26353, 0x9d1863cd, 0x1397642e, 0xdf3d64b0,
    0x83d02561, 0x4f7a25ff, 0xc1f5221c, 0x0d5f2282, 0x079a2b9b, 0xcb302b05, 0x45bf2ce6, 0x89152c78,
    0x50353ed4, 0x9c9f3e4a, 0x121039a9, 0xdeba3937, 0xd47f302e, 0x18d530b0, 0x965a3753, 0x5af037cd,
    0xff6b144a, 0x33c114d4, 0xbd4e1337, 0x71e413a9, 0x7b211ab0, 0xb78b1a2e, 0x39041dcd, 0xf5ae1d53,
    0x2c8e0fff, 0xe0240f61, 0x6eab0882, 0xa201081c, 0xa8c40105, 0x646e019b, 0xeae10678, 0x264b06e6,
    },
};

/* CRC-32 (IEEE 802.3, reflected); go on with the value of what came before, begin with 0. */
static inline uint32_t ap_crc32(uint32_t value, const void *data, size_t size) {
    const uint8_t *at = (const uint8_t *)data;
    uint32_t low, high;
    value = ~value;
    for (; size >= 8; at += 8, size -= 8) {
        memcpy(&low, at, 4);
        memcpy(&high, at + 4, 4);
        low ^= value;
        value = AP_CRC[7][low & 0xFF] ^ AP_CRC[6][low >> 8 & 0xFF] ^ AP_CRC[5][low >> 16 & 0xFF] ^
                AP_CRC[4][low >> 24] ^ AP_CRC[3][high & 0xFF] ^ AP_CRC[2][high >> 8 & 0xFF] ^
                AP_CRC[1][high >> 16 & 0xFF] ^ AP_CRC[0][high >> 24];
    }
    for (; size; at++, size--) value = value >> 8 ^ AP_CRC[0][(value ^ *at) & 0xFF];
    return ~value;
}

/* ---------------------------------------------------------------------------------------------- */
/* Frames                                                                                         */
/* ---------------------------------------------------------------------------------------------- */

static inline ap_header ap_header_get(const void *frame) {
    ap_header header;
    memcpy(&header, frame, sizeof header);
    return header;
}

/* A header for a payload of this size; ap_seal fills in the checksum. */
static inline void ap_header_init(ap_header *header, uint8_t message_type, uint8_t version,
                                  uint32_t payload_size, const ap_stamp *stamp) {
    memset(header, 0, sizeof *header);
    header->magic = AP_MAGIC;
    header->message_type = message_type;
    header->version = version;
    header->source = stamp->source;
    header->flags = stamp->flags;
    header->payload_size = payload_size;
    header->sequence = stamp->sequence;
    header->timestamp = stamp->timestamp;
}

/* The checksum that a whole frame should have. */
static inline uint32_t ap_checksum(const void *frame) {
    const uint8_t *bytes = (const uint8_t *)frame;
    uint32_t head = ap_crc32(0, bytes, AP_CHECKSUM_AT);
    return ap_crc32(head, bytes + AP_HEADER_SIZE, ap_header_get(frame).payload_size);
}

/* Write the checksum of a whole frame into it. */
static inline void ap_seal(void *frame) {
    uint32_t checksum = ap_checksum(frame);
    memcpy((uint8_t *)frame + AP_CHECKSUM_AT, &checksum, sizeof checksum);
}

/* Whether a whole frame has its checksum. */
static inline int ap_verify(const void *frame) {
    return ap_header_get(frame).checksum == ap_checksum(frame);
}

/* Put the header of a frame, not yet sealed; gives where the payload goes, NULL without room. */
static inline uint8_t *ap_begin(void *out, size_t room, uint8_t message_type, uint8_t version,
                                size_t payload_size, const ap_stamp *stamp) {
    ap_header header;
    if (payload_size > UINT32_MAX || room < AP_HEADER_SIZE) return NULL;
    if (room - AP_HEADER_SIZE < payload_size) return NULL;
    ap_header_init(&header, message_type, version, (uint32_t)payload_size, stamp);
    memcpy(out, &header, sizeof header);
    return (uint8_t *)out + AP_HEADER_SIZE;
}

/* Append bytes; gives where the next go. */
static inline uint8_t *ap_append(uint8_t *at, const void *data, size_t size) {
    if (size) memcpy(at, data, size);
    return at + size;
}

/* The payload of a whole frame of this type and version whose fixed part is `least` bytes. */
static inline int ap_open(const void *frame, size_t size, uint8_t message_type, uint8_t version,
                          size_t least, ap_span *payload) {
    ap_header header;
    if (size < AP_HEADER_SIZE) return AP_REJECT_TRUNCATED;
    header = ap_header_get(frame);
    if (header.magic != AP_MAGIC) return AP_REJECT_BAD_MAGIC;
    if (header.message_type != message_type || header.version != version) return AP_OTHER_SCHEMA;
    if (header.flags & AP_FLAGS_COMPRESSED || header.payload_size < least) return AP_OTHER_SCHEMA;
    if (size - AP_HEADER_SIZE < header.payload_size) return AP_REJECT_TRUNCATED;
    payload->data = (const uint8_t *)frame + AP_HEADER_SIZE;
    payload->size = header.payload_size;
    return AP_OK;
}

/* ---------------------------------------------------------------------------------------------- */
/* What follows the fixed part                                                                    */
/* ---------------------------------------------------------------------------------------------- */

/* Move `size` bytes from the front of `rest` to `out`; 0 when there are not so many. */
static inline int ap_take(ap_span *rest, size_t size, ap_span *out) {
    if (rest->size < size) return 0;
    out->data = rest->data;
    out->size = size;
    rest->data += size;
    rest->size -= size;
    return 1;
}

/* Bytes as a span: text for the tails of a message, for example. */
static inline ap_span ap_bytes(const void *data, size_t size) {
    ap_span made;
    made.data = (const uint8_t *)data;
    made.size = size;
    return made;
}

static inline size_t ap_level_count(ap_span levels) {
    return levels.size / AP_LEVEL_SIZE;
}

/* A level of a span of levels; `at` is below ap_level_count. */
static inline ap_level ap_level_at(ap_span levels, size_t at) {
    ap_level level;
    memcpy(&level, levels.data + at * AP_LEVEL_SIZE, sizeof level);
    return level;
}

/* The next TLV, and `*at` moved past it. 1: `*out` has it; 0: there is none; AP_BAD_TLV: it runs
 * past the end, and begins at `*at`. Begin with `*at` 0. */
static inline int ap_tlv_next(ap_span tlvs, size_t *at, ap_tlv *out) {
    size_t left = tlvs.size - *at;
    if (left == 0) return 0;
    if (left < 2 || left - 2 < tlvs.data[*at + 1]) return AP_BAD_TLV;
    out->type = tlvs.data[*at];
    out->payload = ap_bytes(tlvs.data + *at + 2, tlvs.data[*at + 1]);
    *at += 2 + out->payload.size;
    return 1;
}

/* The first TLV of a type. 1: `*out` has it; 0: there is none. */
static inline int ap_tlv_find(ap_span tlvs, uint8_t type, ap_tlv *out) {
    size_t at = 0;
    while (ap_tlv_next(tlvs, &at, out) == 1) {
        if (out->type == type) return 1;
    }
    return 0;
}

/* Put a TLV; gives its bytes, 0 when there is no room or the payload has more than 255. */
static inline size_t ap_tlv_put(void *out, size_t room, uint8_t type, ap_span payload) {
    uint8_t *at = (uint8_t *)out;
    if (payload.size > 255 || room < 2 + payload.size) return 0;
    at[0] = type;
    at[1] = (uint8_t)payload.size;
    ap_append(at + 2, payload.data, payload.size);
    return 2 + payload.size;
}

static inline int ap_tlvs_sound(ap_span tlvs) {
    size_t at = 0;
    ap_tlv tlv;
    int code;
    do code = ap_tlv_next(tlvs, &at, &tlv);
    while (code == 1);
    return code == 0;
}

/* Whether bytes are UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing over U+10FFFF. */
static inline int ap_utf8_sound(ap_span text) {
    size_t at = 0, more, next;
    while (at < text.size) {
        uint8_t first = text.data[at];
        uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
        uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
        if ((first >= 0x80 && first < 0xC2) || first > 0xF4) return 0;
        if (text.size - at <= more) return 0;
        for (next = 1; next <= more; next++, low = 0x80, high = 0xBF) {
            if (text.data[at + next] < low || text.data[at + next] > high) return 0;
        }
        at += 1 + more;
    }
    return 1;
}

static inline int ap_is_zero(const uint8_t *bytes, size_t size) {
    while (size) {
        if (bytes[--size]) return 0;
    }
    return 1;
}

/* ---------------------------------------------------------------------------------------------- */
/* Messages of market_data, types 1-19                                                            */
/* ---------------------------------------------------------------------------------------------- */

#define AP_TRADE_TYPE 1
#define AP_TRADE_VERSION 1

#pragma pack(push, 1)
/* Trade (type 1, version 1): One trade on a venue, 64 bytes; FIX market data entry type 2
 * (Trade). */
typedef struct ap_trade {
    ap_instrument_id instrument_id; /* 0: the instrument traded (FIX 48 SecurityID) */
    int64_t price;                  /* 12: price of one unit (1e-8; FIX 270 MDEntryPx) */
    uint64_t volume;                /* 20: quantity traded (1e-8; FIX 271 MDEntrySize) */
    uint8_t side;                   /* 28: side of the aggressor; a Side (FIX 2446 AggressorSide) */
    uint8_t flags;                  /* 29: the adapter's marks, passed on */
    uint8_t _end[2];                /* 30: zero */
} ap_trade;
#pragma pack(pop)
AP_SIZE(ap_trade, 32);
AP_OFFSET(ap_trade, instrument_id, 0);
AP_OFFSET(ap_trade, price, 12);
AP_OFFSET(ap_trade, volume, 20);
AP_OFFSET(ap_trade, side, 28);
AP_OFFSET(ap_trade, flags, 29);
AP_OFFSET(ap_trade, _end, 30);

static inline int ap_trade_read(const void *frame, size_t size, ap_trade *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_TRADE_TYPE, AP_TRADE_VERSION, sizeof(ap_trade), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_trade_frame(void *out, size_t room, const ap_trade *fields,
                                    const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_TRADE_TYPE, AP_TRADE_VERSION, sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_trade_wrong(const ap_trade *m) {
    if (!(m->side <= 2)) return "side";
    if (!ap_is_zero(m->_end, 2)) return "_end";
    return NULL;
}

#define AP_QUOTE_TYPE 2
#define AP_QUOTE_VERSION 1

#pragma pack(push, 1)
/* Quote (type 2, version 1): The best bid and ask of a venue, 80 bytes; FIX 35=S (Quote). */
typedef struct ap_quote {
    ap_instrument_id instrument_id; /* 0: the instrument quoted (FIX 48 SecurityID) */
    int64_t bid_price;              /* 12: best price to sell at (1e-8; FIX 132 BidPx) */
    int64_t ask_price;              /* 20: best price to buy at (1e-8; FIX 133 OfferPx) */
    uint64_t bid_size;              /* 28: quantity at bid_price (1e-8; FIX 134 BidSize) */
    uint64_t ask_size;              /* 36: quantity at ask_price (1e-8; FIX 135 OfferSize) */
    uint8_t _end[4];                /* 44: zero */
} ap_quote;
#pragma pack(pop)
AP_SIZE(ap_quote, 48);
AP_OFFSET(ap_quote, instrument_id, 0);
AP_OFFSET(ap_quote, bid_price, 12);
AP_OFFSET(ap_quote, ask_price, 20);
AP_OFFSET(ap_quote, bid_size, 28);
AP_OFFSET(ap_quote, ask_size, 36);
AP_OFFSET(ap_quote, _end, 44);

static inline int ap_quote_read(const void *frame, size_t size, ap_quote *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_QUOTE_TYPE, AP_QUOTE_VERSION, sizeof(ap_quote), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_quote_frame(void *out, size_t room, const ap_quote *fields,
                                    const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_QUOTE_TYPE, AP_QUOTE_VERSION, sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_quote_wrong(const ap_quote *m) {
    if (!ap_is_zero(m->_end, 4)) return "_end";
    return NULL;
}

#define AP_ORDER_BOOK_TYPE 3
#define AP_ORDER_BOOK_VERSION 1

#pragma pack(push, 1)
/* OrderBook (type 3, version 1): A snapshot of a book or a change to it, 64 bytes and 16 a level;
 * FIX 35=W and 35=X. */
typedef struct ap_order_book {
    ap_instrument_id instrument_id; /* 0: the instrument of the book (FIX 48 SecurityID) */
    uint8_t kind;                   /* 12: snapshot or delta; a BookKind (FIX 35 MsgType) */
    uint8_t _gap[3];                /* 13: zero */
    uint64_t book_sequence;         /* 16: the venue's number of the book after this message, or the
                                     * adapter's count; the same in all parts (FIX 83 RptSeq) */
    uint16_t part;                  /* 24: which part this is, from 1 */
    uint16_t parts;                 /* 26: how many parts there are */
    uint16_t bid_count;             /* 28: number of bids (each of 16 bytes) */
    uint16_t ask_count;             /* 30: number of asks (each of 16 bytes) */
} ap_order_book;
#pragma pack(pop)
AP_SIZE(ap_order_book, 32);
AP_OFFSET(ap_order_book, instrument_id, 0);
AP_OFFSET(ap_order_book, kind, 12);
AP_OFFSET(ap_order_book, _gap, 13);
AP_OFFSET(ap_order_book, book_sequence, 16);
AP_OFFSET(ap_order_book, part, 24);
AP_OFFSET(ap_order_book, parts, 26);
AP_OFFSET(ap_order_book, bid_count, 28);
AP_OFFSET(ap_order_book, ask_count, 30);

/* What follows the fixed part of OrderBook. */
typedef struct ap_order_book_tails {
    ap_span bids; /* levels: levels to sell at, the highest price first */
    ap_span asks; /* levels: levels to buy at, the lowest price first */
} ap_order_book_tails;

static inline int ap_order_book_read(const void *frame, size_t size, ap_order_book *out,
                                     ap_order_book_tails *tails) {
    ap_span rest;
    int code = ap_open(frame, size, AP_ORDER_BOOK_TYPE, AP_ORDER_BOOK_VERSION,
                       sizeof(ap_order_book), &rest);
    if (code != AP_OK) return code;
    memcpy(out, rest.data, sizeof *out);
    rest.data += sizeof *out;
    rest.size -= sizeof *out;
    if (!ap_take(&rest, (size_t)out->bid_count * AP_LEVEL_SIZE, &tails->bids)) return AP_BAD_TAILS;
    if (!ap_take(&rest, (size_t)out->ask_count * AP_LEVEL_SIZE, &tails->asks)) return AP_BAD_TAILS;
    if (rest.size) return AP_BAD_TAILS;
    return AP_OK;
}

static inline size_t ap_order_book_frame(void *out, size_t room, const ap_order_book *fields,
                                         const ap_order_book_tails *tails, const ap_stamp *stamp) {
    ap_order_book fixed = *fields;
    size_t size = sizeof(ap_order_book) + tails->bids.size + tails->asks.size;
    uint8_t *at;
    if (tails->bids.size % AP_LEVEL_SIZE) return 0;
    if (tails->bids.size / AP_LEVEL_SIZE > UINT16_MAX) return 0;
    fixed.bid_count = (uint16_t)(tails->bids.size / AP_LEVEL_SIZE);
    if (tails->asks.size % AP_LEVEL_SIZE) return 0;
    if (tails->asks.size / AP_LEVEL_SIZE > UINT16_MAX) return 0;
    fixed.ask_count = (uint16_t)(tails->asks.size / AP_LEVEL_SIZE);
    at = ap_begin(out, room, AP_ORDER_BOOK_TYPE, AP_ORDER_BOOK_VERSION, size, stamp);
    if (at == NULL) return 0;
    at = ap_append(at, &fixed, sizeof fixed);
    at = ap_append(at, tails->bids.data, tails->bids.size);
    ap_append(at, tails->asks.data, tails->asks.size);
    ap_seal(out);
    return AP_HEADER_SIZE + size;
}

static inline const char *ap_order_book_wrong(const ap_order_book *m) {
    if (!(m->kind >= 1 && m->kind <= 2)) return "kind";
    if (!ap_is_zero(m->_gap, 3)) return "_gap";
    if (!(m->part >= 1)) return "part";
    if (!(m->parts >= 1)) return "parts";
    return NULL;
}

#define AP_INSTRUMENT_DISCOVERED_TYPE 10
#define AP_INSTRUMENT_DISCOVERED_VERSION 1

#pragma pack(push, 1)
/* InstrumentDiscovered (type 10, version 1): An instrument or token is there, 48 bytes, symbol and
 * metadata; FIX 35=d. */
typedef struct ap_instrument_discovered {
    ap_instrument_id instrument_id; /* 0: what was discovered (FIX 48 SecurityID) */
    uint8_t decimals;               /* 12: decimal places of its amounts: 8 on exchanges, the
                                     * token's own on chains (FIX 2349 PricePrecision) */
    uint8_t symbol_len;             /* 13: length of symbol (bytes) */
    uint16_t metadata_len;          /* 14: length of metadata (bytes) */
} ap_instrument_discovered;
#pragma pack(pop)
AP_SIZE(ap_instrument_discovered, 16);
AP_OFFSET(ap_instrument_discovered, instrument_id, 0);
AP_OFFSET(ap_instrument_discovered, decimals, 12);
AP_OFFSET(ap_instrument_discovered, symbol_len, 13);
AP_OFFSET(ap_instrument_discovered, metadata_len, 14);

/* What follows the fixed part of InstrumentDiscovered. */
typedef struct ap_instrument_discovered_tails {
    ap_span symbol;   /* UTF-8 text: the full symbol, as the venue writes it (FIX 55 Symbol) */
    ap_span metadata; /* bytes: empty, or a JSON object (FIX 1185 SecurityXML) */
} ap_instrument_discovered_tails;

static inline int ap_instrument_discovered_read(const void *frame, size_t size,
                                                ap_instrument_discovered *out,
                                                ap_instrument_discovered_tails *tails) {
    ap_span rest;
    int code = ap_open(frame, size, AP_INSTRUMENT_DISCOVERED_TYPE, AP_INSTRUMENT_DISCOVERED_VERSION,
                       sizeof(ap_instrument_discovered), &rest);
    if (code != AP_OK) return code;
    memcpy(out, rest.data, sizeof *out);
    rest.data += sizeof *out;
    rest.size -= sizeof *out;
    if (!ap_take(&rest, (size_t)out->symbol_len, &tails->symbol)) return AP_BAD_TAILS;
    if (!ap_take(&rest, (size_t)out->metadata_len, &tails->metadata)) return AP_BAD_TAILS;
    if (rest.size) return AP_BAD_TAILS;
    if (!ap_utf8_sound(tails->symbol)) return AP_BAD_TEXT;
    return AP_OK;
}

static inline size_t ap_instrument_discovered_frame(void *out, size_t room,
                                                    const ap_instrument_discovered *fields,
                                                    const ap_instrument_discovered_tails *tails,
                                                    const ap_stamp *stamp) {
    ap_instrument_discovered fixed = *fields;
    size_t size = sizeof(ap_instrument_discovered) + tails->symbol.size + tails->metadata.size;
    uint8_t *at;
    if (tails->symbol.size > UINT8_MAX) return 0;
    fixed.symbol_len = (uint8_t)(tails->symbol.size);
    if (tails->metadata.size > UINT16_MAX) return 0;
    fixed.metadata_len = (uint16_t)(tails->metadata.size);
    at = ap_begin(out, room, AP_INSTRUMENT_DISCOVERED_TYPE, AP_INSTRUMENT_DISCOVERED_VERSION, size,
                  stamp);
    if (at == NULL) return 0;
    at = ap_append(at, &fixed, sizeof fixed);
    at = ap_append(at, tails->symbol.data, tails->symbol.size);
    ap_append(at, tails->metadata.data, tails->metadata.size);
    ap_seal(out);
    return AP_HEADER_SIZE + size;
}

static inline const char *ap_instrument_discovered_wrong(const ap_instrument_discovered *m) {
    (void)m;
    return NULL;
}

#define AP_POOL_DISCOVERED_TYPE 11
#define AP_POOL_DISCOVERED_VERSION 1

#pragma pack(push, 1)
/* PoolDiscovered (type 11, version 1): A liquidity pool is there, 48 bytes, symbol and metadata;
 * FIX 35=d. */
typedef struct ap_pool_discovered {
    ap_instrument_id instrument_id; /* 0: the pool discovered (FIX 48 SecurityID) */
    uint8_t decimals;               /* 12: decimal places of its share token; 0 where it has none
                                     * (FIX 2349 PricePrecision) */
    uint8_t symbol_len;             /* 13: length of symbol (bytes) */
    uint16_t metadata_len;          /* 14: length of metadata (bytes) */
} ap_pool_discovered;
#pragma pack(pop)
AP_SIZE(ap_pool_discovered, 16);
AP_OFFSET(ap_pool_discovered, instrument_id, 0);
AP_OFFSET(ap_pool_discovered, decimals, 12);
AP_OFFSET(ap_pool_discovered, symbol_len, 13);
AP_OFFSET(ap_pool_discovered, metadata_len, 14);

/* What follows the fixed part of PoolDiscovered. */
typedef struct ap_pool_discovered_tails {
    ap_span symbol;   /* UTF-8 text: the symbols of its tokens, as TOKEN0/TOKEN1 (FIX 55 Symbol) */
    ap_span metadata; /* bytes: empty, or a JSON object (FIX 1185 SecurityXML) */
} ap_pool_discovered_tails;

static inline int ap_pool_discovered_read(const void *frame, size_t size, ap_pool_discovered *out,
                                          ap_pool_discovered_tails *tails) {
    ap_span rest;
    int code = ap_open(frame, size, AP_POOL_DISCOVERED_TYPE, AP_POOL_DISCOVERED_VERSION,
                       sizeof(ap_pool_discovered), &rest);
    if (code != AP_OK) return code;
    memcpy(out, rest.data, sizeof *out);
    rest.data += sizeof *out;
    rest.size -= sizeof *out;
    if (!ap_take(&rest, (size_t)out->symbol_len, &tails->symbol)) return AP_BAD_TAILS;
    if (!ap_take(&rest, (size_t)out->metadata_len, &tails->metadata)) return AP_BAD_TAILS;
    if (rest.size) return AP_BAD_TAILS;
    if (!ap_utf8_sound(tails->symbol)) return AP_BAD_TEXT;
    return AP_OK;
}

static inline size_t ap_pool_discovered_frame(void *out, size_t room,
                                              const ap_pool_discovered *fields,
                                              const ap_pool_discovered_tails *tails,
                                              const ap_stamp *stamp) {
    ap_pool_discovered fixed = *fields;
    size_t size = sizeof(ap_pool_discovered) + tails->symbol.size + tails->metadata.size;
    uint8_t *at;
    if (tails->symbol.size > UINT8_MAX) return 0;
    fixed.symbol_len = (uint8_t)(tails->symbol.size);
    if (tails->metadata.size > UINT16_MAX) return 0;
    fixed.metadata_len = (uint16_t)(tails->metadata.size);
    at = ap_begin(out, room, AP_POOL_DISCOVERED_TYPE, AP_POOL_DISCOVERED_VERSION, size, stamp);
    if (at == NULL) return 0;
    at = ap_append(at, &fixed, sizeof fixed);
    at = ap_append(at, tails->symbol.data, tails->symbol.size);
    ap_append(at, tails->metadata.data, tails->metadata.size);
    ap_seal(out);
    return AP_HEADER_SIZE + size;
}

static inline const char *ap_pool_discovered_wrong(const ap_pool_discovered *m) {
    (void)m;
    return NULL;
}

#define AP_VENUE_UPDATE_TYPE 12
#define AP_VENUE_UPDATE_VERSION 1

#pragma pack(push, 1)
/* VenueUpdate (type 12, version 1): A venue opens, halts, closes or is unwell, 48 bytes; FIX 35=h
 * (TradingSessionStatus). */
typedef struct ap_venue_update {
    uint16_t venue;          /* 0: the venue: a VenueId (FIX 1301 MarketID) */
    uint8_t status;          /* 2: what holds now; a VenueStatus (FIX 340 TradSesStatus) */
    uint8_t reason;          /* 3: why; a VenueReason (FIX 327 HaltReasonInt) */
    uint8_t _gap[4];         /* 4: zero */
    uint64_t effective_time; /* 8: when it began or will begin; 0 not known (ns; FIX 60
                              * TransactTime) */
} ap_venue_update;
#pragma pack(pop)
AP_SIZE(ap_venue_update, 16);
AP_OFFSET(ap_venue_update, venue, 0);
AP_OFFSET(ap_venue_update, status, 2);
AP_OFFSET(ap_venue_update, reason, 3);
AP_OFFSET(ap_venue_update, _gap, 4);
AP_OFFSET(ap_venue_update, effective_time, 8);

static inline int ap_venue_update_read(const void *frame, size_t size, ap_venue_update *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_VENUE_UPDATE_TYPE, AP_VENUE_UPDATE_VERSION,
                       sizeof(ap_venue_update), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_venue_update_frame(void *out, size_t room, const ap_venue_update *fields,
                                           const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_VENUE_UPDATE_TYPE, AP_VENUE_UPDATE_VERSION, sizeof *fields,
                           stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_venue_update_wrong(const ap_venue_update *m) {
    if (!(m->status <= 4)) return "status";
    if (!(m->reason <= 7)) return "reason";
    if (!ap_is_zero(m->_gap, 4)) return "_gap";
    return NULL;
}

/* ---------------------------------------------------------------------------------------------- */
/* Messages of signals, types 20-39                                                               */
/* ---------------------------------------------------------------------------------------------- */

#define AP_ARBITRAGE_OPPORTUNITY_TYPE 20
#define AP_ARBITRAGE_OPPORTUNITY_VERSION 1

#pragma pack(push, 1)
/* ArbitrageOpportunity (type 20, version 1): Two venues whose prices differ by more than trading
 * costs, 96 bytes; nearest FIX 35=6 (IOI). */
typedef struct ap_arbitrage_opportunity {
    ap_instrument_id base_id;  /* 0: the instrument, bought on venue_a (FIX 48 SecurityID) */
    ap_instrument_id quote_id; /* 12: of two tokens: what base_id is quoted in; else: what is sold
                                * on venue_b instead of it (FIX 309 UnderlyingSecurityID) */
    uint16_t venue_a;          /* 24: where to buy: a VenueId (FIX 30 LastMkt) */
    uint16_t venue_b;          /* 26: where to sell: a VenueId (FIX 30 LastMkt) */
    uint32_t spread_bps;       /* 28: price difference (1/10,000; FIX 218 Spread) */
    int64_t estimated_profit;  /* 32: profit after fees and gas, in what base_id is quoted in
                                * (1e-8) */
    uint16_t confidence;       /* 40: how sure the strategy is (1/10,000) */
    uint64_t expires_at;       /* 42: when it is void; 0 never (ns; FIX 62 ValidUntilTime) */
    uint8_t _end[14];          /* 50: zero */
} ap_arbitrage_opportunity;
#pragma pack(pop)
AP_SIZE(ap_arbitrage_opportunity, 64);
AP_OFFSET(ap_arbitrage_opportunity, base_id, 0);
AP_OFFSET(ap_arbitrage_opportunity, quote_id, 12);
AP_OFFSET(ap_arbitrage_opportunity, venue_a, 24);
AP_OFFSET(ap_arbitrage_opportunity, venue_b, 26);
AP_OFFSET(ap_arbitrage_opportunity, spread_bps, 28);
AP_OFFSET(ap_arbitrage_opportunity, estimated_profit, 32);
AP_OFFSET(ap_arbitrage_opportunity, confidence, 40);
AP_OFFSET(ap_arbitrage_opportunity, expires_at, 42);
AP_OFFSET(ap_arbitrage_opportunity, _end, 50);

static inline int ap_arbitrage_opportunity_read(const void *frame, size_t size,
                                                ap_arbitrage_opportunity *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_ARBITRAGE_OPPORTUNITY_TYPE, AP_ARBITRAGE_OPPORTUNITY_VERSION,
                       sizeof(ap_arbitrage_opportunity), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_arbitrage_opportunity_frame(void *out, size_t room,
                                                    const ap_arbitrage_opportunity *fields,
                                                    const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_ARBITRAGE_OPPORTUNITY_TYPE,
                           AP_ARBITRAGE_OPPORTUNITY_VERSION, sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_arbitrage_opportunity_wrong(const ap_arbitrage_opportunity *m) {
    if (!(m->confidence <= 10000)) return "confidence";
    if (!ap_is_zero(m->_end, 14)) return "_end";
    return NULL;
}

#define AP_POSITION_UPDATE_TYPE 21
#define AP_POSITION_UPDATE_VERSION 1

#pragma pack(push, 1)
/* PositionUpdate (type 21, version 1): What an account holds of an instrument now, 104 bytes; FIX
 * 35=AP (PositionReport). */
typedef struct ap_position_update {
    ap_instrument_id instrument_id; /* 0: what is held (FIX 48 SecurityID) */
    uint8_t reason;                 /* 12: why it is sent; a PositionReason (FIX 709
                                     * PosTransType) */
    uint8_t _gap[1];                /* 13: zero */
    uint16_t strategy_id;           /* 14: whose position; 0 = the account's (FIX 847
                                     * TargetStrategy) */
    uint64_t account_id;            /* 16: the account that holds it (FIX 1 Account) */
    int64_t quantity;               /* 24: held; negative: short (1e-8; FIX 704 LongQty, 705
                                     * ShortQty) */
    int64_t average_price;          /* 32: mean price of entry (1e-8; FIX 6 AvgPx) */
    uint64_t as_of;                 /* 40: the time this holds for (ns; FIX 60 TransactTime) */
    int64_t mark_price;             /* 48: price it is valued at; 0 none (1e-8; FIX 730
                                     * SettlPrice) */
    int64_t realized_pnl;           /* 56: profit of what was closed (1e-8; FIX 708 PosAmt) */
    int64_t unrealized_pnl;         /* 64: profit of what is held, at mark_price (1e-8; FIX 708
                                     * PosAmt) */
} ap_position_update;
#pragma pack(pop)
AP_SIZE(ap_position_update, 72);
AP_OFFSET(ap_position_update, instrument_id, 0);
AP_OFFSET(ap_position_update, reason, 12);
AP_OFFSET(ap_position_update, _gap, 13);
AP_OFFSET(ap_position_update, strategy_id, 14);
AP_OFFSET(ap_position_update, account_id, 16);
AP_OFFSET(ap_position_update, quantity, 24);
AP_OFFSET(ap_position_update, average_price, 32);
AP_OFFSET(ap_position_update, as_of, 40);
AP_OFFSET(ap_position_update, mark_price, 48);
AP_OFFSET(ap_position_update, realized_pnl, 56);
AP_OFFSET(ap_position_update, unrealized_pnl, 64);

static inline int ap_position_update_read(const void *frame, size_t size, ap_position_update *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_POSITION_UPDATE_TYPE, AP_POSITION_UPDATE_VERSION,
                       sizeof(ap_position_update), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_position_update_frame(void *out, size_t room,
                                              const ap_position_update *fields,
                                              const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_POSITION_UPDATE_TYPE, AP_POSITION_UPDATE_VERSION,
                           sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_position_update_wrong(const ap_position_update *m) {
    if (!(m->reason <= 6)) return "reason";
    if (!ap_is_zero(m->_gap, 1)) return "_gap";
    return NULL;
}

#define AP_STRATEGY_ALERT_TYPE 22
#define AP_STRATEGY_ALERT_VERSION 1

#pragma pack(push, 1)
/* StrategyAlert (type 22, version 1): A strategy wants attention, 120 bytes; FIX 35=B (News). */
typedef struct ap_strategy_alert {
    ap_instrument_id instrument_id; /* 0: what it is about; all zero: none (FIX 48 SecurityID) */
    uint8_t severity;               /* 12: how much it matters; a Severity (FIX 61 Urgency) */
    uint8_t category;               /* 13: its subject; an AlertCategory (FIX 1473 NewsCategory) */
    uint16_t strategy_id;           /* 14: which strategy raised it (FIX 847 TargetStrategy) */
    uint64_t alert_id;              /* 16: the strategy's number of this alert (FIX 1472 NewsID) */
    uint64_t raised_at;             /* 24: when it was raised (ns; FIX 42 OrigTime) */
    uint32_t code;                  /* 32: the strategy's number of this kind of alert */
    uint32_t repeats;               /* 36: times the same was held back since the last one */
    int64_t value;                  /* 40: the number that raised it; 0 none (1e-8) */
    int64_t threshold;              /* 48: what the number was held against; 0 none (1e-8) */
    uint8_t headline[32];           /* 56: what happened: UTF-8, zeros to the end (FIX 148
                                     * Headline) */
} ap_strategy_alert;
#pragma pack(pop)
AP_SIZE(ap_strategy_alert, 88);
AP_OFFSET(ap_strategy_alert, instrument_id, 0);
AP_OFFSET(ap_strategy_alert, severity, 12);
AP_OFFSET(ap_strategy_alert, category, 13);
AP_OFFSET(ap_strategy_alert, strategy_id, 14);
AP_OFFSET(ap_strategy_alert, alert_id, 16);
AP_OFFSET(ap_strategy_alert, raised_at, 24);
AP_OFFSET(ap_strategy_alert, code, 32);
AP_OFFSET(ap_strategy_alert, repeats, 36);
AP_OFFSET(ap_strategy_alert, value, 40);
AP_OFFSET(ap_strategy_alert, threshold, 48);
AP_OFFSET(ap_strategy_alert, headline, 56);

static inline int ap_strategy_alert_read(const void *frame, size_t size, ap_strategy_alert *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_STRATEGY_ALERT_TYPE, AP_STRATEGY_ALERT_VERSION,
                       sizeof(ap_strategy_alert), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_strategy_alert_frame(void *out, size_t room,
                                             const ap_strategy_alert *fields,
                                             const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_STRATEGY_ALERT_TYPE, AP_STRATEGY_ALERT_VERSION,
                           sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_strategy_alert_wrong(const ap_strategy_alert *m) {
    if (!(m->severity <= 3)) return "severity";
    if (!(m->category <= 5)) return "category";
    return NULL;
}

#define AP_REBALANCE_SIGNAL_TYPE 23
#define AP_REBALANCE_SIGNAL_VERSION 1

#pragma pack(push, 1)
/* RebalanceSignal (type 23, version 1): One instrument of a portfolio that is to be rebalanced, 112
 * bytes; nearest FIX 35=E (NewOrderList). */
typedef struct ap_rebalance_signal {
    ap_instrument_id instrument_id; /* 0: what is to be bought or sold (FIX 48 SecurityID) */
    uint8_t reason;                 /* 12: why; a RebalanceReason */
    uint8_t _gap[1];                /* 13: zero */
    uint16_t strategy_id;           /* 14: which strategy asks for it (FIX 847 TargetStrategy) */
    uint64_t account_id;            /* 16: the account to rebalance (FIX 1 Account) */
    uint64_t rebalance_id;          /* 24: number of the whole rebalancing (FIX 66 ListID) */
    uint16_t leg;                   /* 32: which leg this is, from 1 (FIX 67 ListSeqNo) */
    uint16_t legs;                  /* 34: how many there are (FIX 68 TotNoOrders) */
    int32_t current_weight_bps;     /* 36: share of the portfolio now (1/10,000) */
    int32_t target_weight_bps;      /* 40: share it is to have (1/10,000) */
    uint32_t max_slippage_bps;      /* 44: worst price accepted, from the mid price (1/10,000) */
    int64_t target_quantity;        /* 48: quantity to hold afterwards; negative: short (1e-8) */
    int64_t order_quantity;         /* 56: quantity to trade; negative: sell (1e-8; FIX 38
                                     * OrderQty) */
    int64_t limit_price;            /* 64: limit; 0 none (1e-8; FIX 44 Price) */
    uint64_t expires_at;            /* 72: void from then on; 0 none (ns; FIX 126 ExpireTime) */
} ap_rebalance_signal;
#pragma pack(pop)
AP_SIZE(ap_rebalance_signal, 80);
AP_OFFSET(ap_rebalance_signal, instrument_id, 0);
AP_OFFSET(ap_rebalance_signal, reason, 12);
AP_OFFSET(ap_rebalance_signal, _gap, 13);
AP_OFFSET(ap_rebalance_signal, strategy_id, 14);
AP_OFFSET(ap_rebalance_signal, account_id, 16);
AP_OFFSET(ap_rebalance_signal, rebalance_id, 24);
AP_OFFSET(ap_rebalance_signal, leg, 32);
AP_OFFSET(ap_rebalance_signal, legs, 34);
AP_OFFSET(ap_rebalance_signal, current_weight_bps, 36);
AP_OFFSET(ap_rebalance_signal, target_weight_bps, 40);
AP_OFFSET(ap_rebalance_signal, max_slippage_bps, 44);
AP_OFFSET(ap_rebalance_signal, target_quantity, 48);
AP_OFFSET(ap_rebalance_signal, order_quantity, 56);
AP_OFFSET(ap_rebalance_signal, limit_price, 64);
AP_OFFSET(ap_rebalance_signal, expires_at, 72);

static inline int ap_rebalance_signal_read(const void *frame, size_t size,
                                           ap_rebalance_signal *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_REBALANCE_SIGNAL_TYPE, AP_REBALANCE_SIGNAL_VERSION,
                       sizeof(ap_rebalance_signal), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_rebalance_signal_frame(void *out, size_t room,
                                               const ap_rebalance_signal *fields,
                                               const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_REBALANCE_SIGNAL_TYPE, AP_REBALANCE_SIGNAL_VERSION,
                           sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_rebalance_signal_wrong(const ap_rebalance_signal *m) {
    if (!(m->reason <= 5)) return "reason";
    if (!ap_is_zero(m->_gap, 1)) return "_gap";
    if (!(m->leg >= 1)) return "leg";
    if (!(m->legs >= 1)) return "legs";
    return NULL;
}

#define AP_RISK_METRIC_TYPE 24
#define AP_RISK_METRIC_VERSION 1

#pragma pack(push, 1)
/* RiskMetric (type 24, version 1): One measure of risk and its limit, 96 bytes; FIX 35=CM
 * (PartyRiskLimitsReport). */
typedef struct ap_risk_metric {
    ap_instrument_id instrument_id; /* 0: what is measured; all zero: the whole account (FIX 48
                                     * SecurityID) */
    uint8_t metric;                 /* 12: what value is; a RiskKind (FIX 1530 RiskLimitType) */
    uint8_t status;                 /* 13: where it stands to limit; a RiskStatus (FIX 1763
                                     * RiskLimitStatus) */
    uint16_t strategy_id;           /* 14: whose risk; 0 = the account's (FIX 847 TargetStrategy) */
    uint64_t account_id;            /* 16: the account measured (FIX 1 Account) */
    int64_t value;                  /* 24: the measure (1e-8; FIX 1766
                                     * RiskLimitUtilizationAmount) */
    uint64_t measured_at;           /* 32: the time it holds for (ns; FIX 60 TransactTime) */
    int64_t limit;                  /* 40: its limit; 0 none (1e-8; FIX 1531 RiskLimitAmount) */
    uint32_t used_bps;              /* 48: value by limit (1/10,000; FIX 1765
                                     * RiskLimitUtilizationPercent) */
    uint16_t confidence_bps;        /* 52: confidence of VALUE_AT_RISK and EXPECTED_SHORTFALL; else
                                     * 0 (1/10,000) */
    uint8_t _middle[2];             /* 54: zero */
    uint32_t horizon_sec;           /* 56: time it looks ahead; 0 where it does not (s) */
    uint32_t observations;          /* 60: observations it was made from; 0 not known */
} ap_risk_metric;
#pragma pack(pop)
AP_SIZE(ap_risk_metric, 64);
AP_OFFSET(ap_risk_metric, instrument_id, 0);
AP_OFFSET(ap_risk_metric, metric, 12);
AP_OFFSET(ap_risk_metric, status, 13);
AP_OFFSET(ap_risk_metric, strategy_id, 14);
AP_OFFSET(ap_risk_metric, account_id, 16);
AP_OFFSET(ap_risk_metric, value, 24);
AP_OFFSET(ap_risk_metric, measured_at, 32);
AP_OFFSET(ap_risk_metric, limit, 40);
AP_OFFSET(ap_risk_metric, used_bps, 48);
AP_OFFSET(ap_risk_metric, confidence_bps, 52);
AP_OFFSET(ap_risk_metric, _middle, 54);
AP_OFFSET(ap_risk_metric, horizon_sec, 56);
AP_OFFSET(ap_risk_metric, observations, 60);

static inline int ap_risk_metric_read(const void *frame, size_t size, ap_risk_metric *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_RISK_METRIC_TYPE, AP_RISK_METRIC_VERSION,
                       sizeof(ap_risk_metric), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_risk_metric_frame(void *out, size_t room, const ap_risk_metric *fields,
                                          const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_RISK_METRIC_TYPE, AP_RISK_METRIC_VERSION, sizeof *fields,
                           stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_risk_metric_wrong(const ap_risk_metric *m) {
    if (!(m->metric <= 13)) return "metric";
    if (!(m->status <= 3)) return "status";
    if (!(m->confidence_bps <= 10000)) return "confidence_bps";
    if (!ap_is_zero(m->_middle, 2)) return "_middle";
    return NULL;
}

#define AP_PERFORMANCE_UPDATE_TYPE 25
#define AP_PERFORMANCE_UPDATE_VERSION 1

#pragma pack(push, 1)
/* PerformanceUpdate (type 25, version 1): How a strategy has done in a period, 128 bytes; nearest
 * FIX 35=AP (PositionReport). */
typedef struct ap_performance_update {
    ap_instrument_id currency; /* 0: what amounts are in (FIX 15 Currency) */
    uint8_t period;            /* 12: what kind of span this is; a Period */
    uint8_t _gap[1];           /* 13: zero */
    uint16_t strategy_id;      /* 14: which strategy; 0 = the account (FIX 847 TargetStrategy) */
    uint64_t account_id;       /* 16: the account (FIX 1 Account) */
    uint64_t period_start;     /* 24: the span's beginning (ns; FIX 916 StartDate) */
    uint64_t period_end;       /* 32: its end, not included (ns; FIX 917 EndDate) */
    int64_t realized_pnl;      /* 40: profit of what was closed (1e-8; FIX 708 PosAmt) */
    int64_t unrealized_pnl;    /* 48: profit of what is held (1e-8; FIX 708 PosAmt) */
    int64_t fees;              /* 56: fees paid; negative: rebates (1e-8; FIX 137 MiscFeeAmt) */
    int64_t equity;            /* 64: worth at the end (1e-8; FIX 900 TotalNetValue) */
    uint64_t turnover;         /* 72: sum of price times quantity traded (1e-8; FIX 381
                                * GrossTradeAmt) */
    uint32_t trade_count;      /* 80: positions closed */
    uint32_t win_count;        /* 84: of these with a profit */
    uint32_t max_drawdown_bps; /* 88: largest fall from a high, of that high (1/10,000) */
    int32_t sharpe_ratio;      /* 92: Sharpe ratio, a year (1/10,000) */
} ap_performance_update;
#pragma pack(pop)
AP_SIZE(ap_performance_update, 96);
AP_OFFSET(ap_performance_update, currency, 0);
AP_OFFSET(ap_performance_update, period, 12);
AP_OFFSET(ap_performance_update, _gap, 13);
AP_OFFSET(ap_performance_update, strategy_id, 14);
AP_OFFSET(ap_performance_update, account_id, 16);
AP_OFFSET(ap_performance_update, period_start, 24);
AP_OFFSET(ap_performance_update, period_end, 32);
AP_OFFSET(ap_performance_update, realized_pnl, 40);
AP_OFFSET(ap_performance_update, unrealized_pnl, 48);
AP_OFFSET(ap_performance_update, fees, 56);
AP_OFFSET(ap_performance_update, equity, 64);
AP_OFFSET(ap_performance_update, turnover, 72);
AP_OFFSET(ap_performance_update, trade_count, 80);
AP_OFFSET(ap_performance_update, win_count, 84);
AP_OFFSET(ap_performance_update, max_drawdown_bps, 88);
AP_OFFSET(ap_performance_update, sharpe_ratio, 92);

static inline int ap_performance_update_read(const void *frame, size_t size,
                                             ap_performance_update *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_PERFORMANCE_UPDATE_TYPE, AP_PERFORMANCE_UPDATE_VERSION,
                       sizeof(ap_performance_update), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_performance_update_frame(void *out, size_t room,
                                                 const ap_performance_update *fields,
                                                 const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_PERFORMANCE_UPDATE_TYPE, AP_PERFORMANCE_UPDATE_VERSION,
                           sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_performance_update_wrong(const ap_performance_update *m) {
    if (!(m->period <= 6)) return "period";
    if (!ap_is_zero(m->_gap, 1)) return "_gap";
    return NULL;
}

#define AP_POOL_ARBITRAGE_SIGNAL_V1_TYPE 30
#define AP_POOL_ARBITRAGE_SIGNAL_V1_VERSION 1

#pragma pack(push, 1)
/* PoolArbitrageSignalV1 (type 30, version 1): Two pools of one pair whose prices differ, 144 bytes;
 * nearest FIX 35=6 (IOI). */
typedef struct ap_pool_arbitrage_signal_v1 {
    ap_instrument_id pool_a_id;   /* 0: pool that is paid first (FIX 48 SecurityID) */
    ap_instrument_id pool_b_id;   /* 12: pool that is paid second (FIX 309 UnderlyingSecurityID) */
    ap_instrument_id token0_id;   /* 24: token put in and got back (FIX 15 Currency) */
    ap_instrument_id token1_id;   /* 36: token in between (FIX 120 SettlCurrency) */
    uint64_t pool_a_reserve0;     /* 48: token0 in pool_a (smallest unit) */
    uint64_t pool_a_reserve1;     /* 56: token1 in pool_a (smallest unit) */
    uint64_t pool_b_reserve0;     /* 64: token0 in pool_b (smallest unit) */
    uint64_t pool_b_reserve1;     /* 72: token1 in pool_b (smallest unit) */
    uint64_t optimal_amount_in;   /* 80: token0 to pay into pool_a (smallest unit; FIX 27 IOIQty) */
    uint64_t expected_profit_wei; /* 88: profit after gas, in token0 (smallest unit) */
    uint32_t gas_cost_gwei;       /* 96: cost of gas, in the chain's currency (1e-9) */
    uint16_t confidence;          /* 100: how sure the strategy is (1/10,000) */
    uint32_t block_number;        /* 102: block it was computed for */
    uint32_t expires_at_block;    /* 106: last block it holds for; 0 not said (FIX 62
                                   * ValidUntilTime) */
    uint8_t _end[2];              /* 110: zero */
} ap_pool_arbitrage_signal_v1;
#pragma pack(pop)
AP_SIZE(ap_pool_arbitrage_signal_v1, 112);
AP_OFFSET(ap_pool_arbitrage_signal_v1, pool_a_id, 0);
AP_OFFSET(ap_pool_arbitrage_signal_v1, pool_b_id, 12);
AP_OFFSET(ap_pool_arbitrage_signal_v1, token0_id, 24);
AP_OFFSET(ap_pool_arbitrage_signal_v1, token1_id, 36);
AP_OFFSET(ap_pool_arbitrage_signal_v1, pool_a_reserve0, 48);
AP_OFFSET(ap_pool_arbitrage_signal_v1, pool_a_reserve1, 56);
AP_OFFSET(ap_pool_arbitrage_signal_v1, pool_b_reserve0, 64);
AP_OFFSET(ap_pool_arbitrage_signal_v1, pool_b_reserve1, 72);
AP_OFFSET(ap_pool_arbitrage_signal_v1, optimal_amount_in, 80);
AP_OFFSET(ap_pool_arbitrage_signal_v1, expected_profit_wei, 88);
AP_OFFSET(ap_pool_arbitrage_signal_v1, gas_cost_gwei, 96);
AP_OFFSET(ap_pool_arbitrage_signal_v1, confidence, 100);
AP_OFFSET(ap_pool_arbitrage_signal_v1, block_number, 102);
AP_OFFSET(ap_pool_arbitrage_signal_v1, expires_at_block, 106);
AP_OFFSET(ap_pool_arbitrage_signal_v1, _end, 110);

static inline int ap_pool_arbitrage_signal_v1_read(const void *frame, size_t size,
                                                   ap_pool_arbitrage_signal_v1 *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_POOL_ARBITRAGE_SIGNAL_V1_TYPE,
                       AP_POOL_ARBITRAGE_SIGNAL_V1_VERSION, sizeof(ap_pool_arbitrage_signal_v1),
                       &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_pool_arbitrage_signal_v1_frame(void *out, size_t room,
                                                       const ap_pool_arbitrage_signal_v1 *fields,
                                                       const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_POOL_ARBITRAGE_SIGNAL_V1_TYPE,
                           AP_POOL_ARBITRAGE_SIGNAL_V1_VERSION, sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_pool_arbitrage_signal_v1_wrong(const ap_pool_arbitrage_signal_v1 *m) {
    if (!(m->confidence <= 10000)) return "confidence";
    if (!ap_is_zero(m->_end, 2)) return "_end";
    return NULL;
}

#define AP_POOL_ARBITRAGE_SIGNAL_TYPE 30
#define AP_POOL_ARBITRAGE_SIGNAL_VERSION 2

#pragma pack(push, 1)
/* PoolArbitrageSignal (type 30, version 2): Two pools of one pair whose prices differ, 192 bytes;
 * nearest FIX 35=6 (IOI). */
typedef struct ap_pool_arbitrage_signal {
    ap_instrument_id pool_a_id;  /* 0: pool that is paid first (FIX 48 SecurityID) */
    ap_instrument_id pool_b_id;  /* 12: pool that is paid second (FIX 309 UnderlyingSecurityID) */
    ap_instrument_id token0_id;  /* 24: token put in and got back (FIX 15 Currency) */
    ap_instrument_id token1_id;  /* 36: token in between (FIX 120 SettlCurrency) */
    ap_u128 pool_a_reserve0;     /* 48: token0 in pool_a (smallest unit) */
    ap_u128 pool_a_reserve1;     /* 64: token1 in pool_a (smallest unit) */
    ap_u128 pool_b_reserve0;     /* 80: token0 in pool_b (smallest unit) */
    ap_u128 pool_b_reserve1;     /* 96: token1 in pool_b (smallest unit) */
    ap_u128 optimal_amount_in;   /* 112: token0 to pay into pool_a (smallest unit; FIX 27 IOIQty) */
    ap_u128 expected_profit_wei; /* 128: profit after gas, in token0 (smallest unit) */
    uint32_t gas_cost_gwei;      /* 144: cost of gas, in the chain's currency (1e-9) */
    uint16_t confidence;         /* 148: how sure the strategy is (1/10,000) */
    uint32_t block_number;       /* 150: block it was computed for */
    uint32_t expires_at_block;   /* 154: last block it holds for; 0 not said (FIX 62
                                  * ValidUntilTime) */
    uint8_t _end[2];             /* 158: zero */
} ap_pool_arbitrage_signal;
#pragma pack(pop)
AP_SIZE(ap_pool_arbitrage_signal, 160);
AP_OFFSET(ap_pool_arbitrage_signal, pool_a_id, 0);
AP_OFFSET(ap_pool_arbitrage_signal, pool_b_id, 12);
AP_OFFSET(ap_pool_arbitrage_signal, token0_id, 24);
AP_OFFSET(ap_pool_arbitrage_signal, token1_id, 36);
AP_OFFSET(ap_pool_arbitrage_signal, pool_a_reserve0, 48);
AP_OFFSET(ap_pool_arbitrage_signal, pool_a_reserve1, 64);
AP_OFFSET(ap_pool_arbitrage_signal, pool_b_reserve0, 80);
AP_OFFSET(ap_pool_arbitrage_signal, pool_b_reserve1, 96);
AP_OFFSET(ap_pool_arbitrage_signal, optimal_amount_in, 112);
AP_OFFSET(ap_pool_arbitrage_signal, expected_profit_wei, 128);
AP_OFFSET(ap_pool_arbitrage_signal, gas_cost_gwei, 144);
AP_OFFSET(ap_pool_arbitrage_signal, confidence, 148);
AP_OFFSET(ap_pool_arbitrage_signal, block_number, 150);
AP_OFFSET(ap_pool_arbitrage_signal, expires_at_block, 154);
AP_OFFSET(ap_pool_arbitrage_signal, _end, 158);

static inline int ap_pool_arbitrage_signal_read(const void *frame, size_t size,
                                                ap_pool_arbitrage_signal *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_POOL_ARBITRAGE_SIGNAL_TYPE, AP_POOL_ARBITRAGE_SIGNAL_VERSION,
                       sizeof(ap_pool_arbitrage_signal), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_pool_arbitrage_signal_frame(void *out, size_t room,
                                                    const ap_pool_arbitrage_signal *fields,
                                                    const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_POOL_ARBITRAGE_SIGNAL_TYPE,
                           AP_POOL_ARBITRAGE_SIGNAL_VERSION, sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_pool_arbitrage_signal_wrong(const ap_pool_arbitrage_signal *m) {
    if (!(m->confidence <= 10000)) return "confidence";
    if (!ap_is_zero(m->_end, 2)) return "_end";
    return NULL;
}

#define AP_LIQUIDITY_IMBALANCE_TYPE 31
#define AP_LIQUIDITY_IMBALANCE_VERSION 1

#pragma pack(push, 1)
/* LiquidityImbalance (type 31, version 1): A pool whose ratio is far from its average, 104 bytes;
 * nearest FIX 35=f (SecurityStatus). */
typedef struct ap_liquidity_imbalance {
    ap_instrument_id pool_id;      /* 0: the pool (FIX 48 SecurityID) */
    ap_instrument_id token0_id;    /* 12: its token0 (FIX 15 Currency) */
    ap_instrument_id token1_id;    /* 24: its token1 (FIX 120 SettlCurrency) */
    uint64_t current_ratio;        /* 36: ratio now (1e-8; FIX 270 MDEntryPx) */
    uint64_t historical_avg_ratio; /* 44: mean ratio of 30 days (1e-8) */
    uint32_t deviation_bps;        /* 52: distance of the two, of the mean (1/10,000) */
    uint64_t volume_24h;           /* 56: traded in 24 hours, in token1 (1e-8; FIX 387
                                    * TotalVolumeTraded) */
    uint32_t fee_tier;             /* 64: the pool's fee (1e-6) */
    uint8_t _end[4];               /* 68: zero */
} ap_liquidity_imbalance;
#pragma pack(pop)
AP_SIZE(ap_liquidity_imbalance, 72);
AP_OFFSET(ap_liquidity_imbalance, pool_id, 0);
AP_OFFSET(ap_liquidity_imbalance, token0_id, 12);
AP_OFFSET(ap_liquidity_imbalance, token1_id, 24);
AP_OFFSET(ap_liquidity_imbalance, current_ratio, 36);
AP_OFFSET(ap_liquidity_imbalance, historical_avg_ratio, 44);
AP_OFFSET(ap_liquidity_imbalance, deviation_bps, 52);
AP_OFFSET(ap_liquidity_imbalance, volume_24h, 56);
AP_OFFSET(ap_liquidity_imbalance, fee_tier, 64);
AP_OFFSET(ap_liquidity_imbalance, _end, 68);

static inline int ap_liquidity_imbalance_read(const void *frame, size_t size,
                                              ap_liquidity_imbalance *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_LIQUIDITY_IMBALANCE_TYPE, AP_LIQUIDITY_IMBALANCE_VERSION,
                       sizeof(ap_liquidity_imbalance), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_liquidity_imbalance_frame(void *out, size_t room,
                                                  const ap_liquidity_imbalance *fields,
                                                  const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_LIQUIDITY_IMBALANCE_TYPE, AP_LIQUIDITY_IMBALANCE_VERSION,
                           sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_liquidity_imbalance_wrong(const ap_liquidity_imbalance *m) {
    if (!ap_is_zero(m->_end, 4)) return "_end";
    return NULL;
}

#define AP_IMPERMANENT_LOSS_ALERT_TYPE 32
#define AP_IMPERMANENT_LOSS_ALERT_VERSION 1

#pragma pack(push, 1)
/* ImpermanentLossAlert (type 32, version 1): Liquidity in a pool is worth less than its tokens
 * would be, 160 bytes; nearest FIX 35=B (News). */
typedef struct ap_impermanent_loss_alert {
    ap_instrument_id pool_id;   /* 0: the pool (FIX 48 SecurityID) */
    ap_instrument_id token0_id; /* 12: its token0 (FIX 15 Currency) */
    ap_instrument_id token1_id; /* 24: its token1 (FIX 120 SettlCurrency) */
    uint8_t severity;           /* 36: how much it matters; a Severity (FIX 61 Urgency) */
    uint8_t _gap[3];            /* 37: zero */
    uint32_t chain_id;          /* 40: EVM chain id */
    uint32_t loss_bps;          /* 44: loss against holding the tokens, fees left out (1/10,000) */
    uint64_t account_id;        /* 48: whose liquidity; 0 = anybody's (FIX 1 Account) */
    uint64_t position_id;       /* 56: the venue's number of the position; 0 none (FIX 2618
                                 * PositionID) */
    uint64_t block_number;      /* 64: block it was computed for */
    uint64_t entry_ratio;       /* 72: ratio when the liquidity was put in (1e-8) */
    uint64_t current_ratio;     /* 80: ratio now (1e-8; FIX 270 MDEntryPx) */
    ap_u128 held_value_wei;     /* 88: worth of the tokens had they been held (smallest unit) */
    ap_u128 pool_value_wei;     /* 104: worth of the liquidity (smallest unit) */
    uint32_t threshold_bps;     /* 120: loss from which alerts are sent; 0 none (1/10,000) */
    uint32_t fees_bps;          /* 124: fees earned, of held_value_wei (1/10,000) */
} ap_impermanent_loss_alert;
#pragma pack(pop)
AP_SIZE(ap_impermanent_loss_alert, 128);
AP_OFFSET(ap_impermanent_loss_alert, pool_id, 0);
AP_OFFSET(ap_impermanent_loss_alert, token0_id, 12);
AP_OFFSET(ap_impermanent_loss_alert, token1_id, 24);
AP_OFFSET(ap_impermanent_loss_alert, severity, 36);
AP_OFFSET(ap_impermanent_loss_alert, _gap, 37);
AP_OFFSET(ap_impermanent_loss_alert, chain_id, 40);
AP_OFFSET(ap_impermanent_loss_alert, loss_bps, 44);
AP_OFFSET(ap_impermanent_loss_alert, account_id, 48);
AP_OFFSET(ap_impermanent_loss_alert, position_id, 56);
AP_OFFSET(ap_impermanent_loss_alert, block_number, 64);
AP_OFFSET(ap_impermanent_loss_alert, entry_ratio, 72);
AP_OFFSET(ap_impermanent_loss_alert, current_ratio, 80);
AP_OFFSET(ap_impermanent_loss_alert, held_value_wei, 88);
AP_OFFSET(ap_impermanent_loss_alert, pool_value_wei, 104);
AP_OFFSET(ap_impermanent_loss_alert, threshold_bps, 120);
AP_OFFSET(ap_impermanent_loss_alert, fees_bps, 124);

static inline int ap_impermanent_loss_alert_read(const void *frame, size_t size,
                                                 ap_impermanent_loss_alert *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_IMPERMANENT_LOSS_ALERT_TYPE,
                       AP_IMPERMANENT_LOSS_ALERT_VERSION, sizeof(ap_impermanent_loss_alert),
                       &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_impermanent_loss_alert_frame(void *out, size_t room,
                                                     const ap_impermanent_loss_alert *fields,
                                                     const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_IMPERMANENT_LOSS_ALERT_TYPE,
                           AP_IMPERMANENT_LOSS_ALERT_VERSION, sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_impermanent_loss_alert_wrong(const ap_impermanent_loss_alert *m) {
    if (!(m->severity <= 3)) return "severity";
    if (!ap_is_zero(m->_gap, 3)) return "_gap";
    return NULL;
}

#define AP_MEV_OPPORTUNITY_V1_TYPE 33
#define AP_MEV_OPPORTUNITY_V1_VERSION 1

#pragma pack(push, 1)
/* MEVOpportunityV1 (type 33, version 1): A pending transaction that something can be earned from,
 * 112 bytes; nearest FIX 35=6 (IOI). */
typedef struct ap_mev_opportunity_v1 {
    uint8_t opportunity_type;         /* 0: what is to be done; a MEVKind */
    uint8_t chain_id;                 /* 1: EVM chain id, to 255 */
    uint8_t priority;                 /* 2: higher is more urgent (FIX 61 Urgency) */
    uint8_t _reserved[1];             /* 3: zero */
    uint8_t target_tx_hash[32];       /* 4: hash of the pending transaction */
    uint64_t estimated_profit_wei;    /* 36: profit after gas, in the chain's currency (1e-18) */
    uint64_t max_gas_price_gwei;      /* 44: the most to pay for gas (1e-9 a gas) */
    uint32_t target_block;            /* 52: block to be in */
    uint32_t deadline_block;          /* 56: last block it holds for (FIX 62 ValidUntilTime) */
    uint64_t victim_amount_in;        /* 60: what the target pays in; 0 not known (smallest unit) */
    uint64_t optimal_frontrun_amount; /* 68: what to pay in before it; 0 none (smallest unit) */
    uint8_t _end[4];                  /* 76: zero */
} ap_mev_opportunity_v1;
#pragma pack(pop)
AP_SIZE(ap_mev_opportunity_v1, 80);
AP_OFFSET(ap_mev_opportunity_v1, opportunity_type, 0);
AP_OFFSET(ap_mev_opportunity_v1, chain_id, 1);
AP_OFFSET(ap_mev_opportunity_v1, priority, 2);
AP_OFFSET(ap_mev_opportunity_v1, _reserved, 3);
AP_OFFSET(ap_mev_opportunity_v1, target_tx_hash, 4);
AP_OFFSET(ap_mev_opportunity_v1, estimated_profit_wei, 36);
AP_OFFSET(ap_mev_opportunity_v1, max_gas_price_gwei, 44);
AP_OFFSET(ap_mev_opportunity_v1, target_block, 52);
AP_OFFSET(ap_mev_opportunity_v1, deadline_block, 56);
AP_OFFSET(ap_mev_opportunity_v1, victim_amount_in, 60);
AP_OFFSET(ap_mev_opportunity_v1, optimal_frontrun_amount, 68);
AP_OFFSET(ap_mev_opportunity_v1, _end, 76);

static inline int ap_mev_opportunity_v1_read(const void *frame, size_t size,
                                             ap_mev_opportunity_v1 *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_MEV_OPPORTUNITY_V1_TYPE, AP_MEV_OPPORTUNITY_V1_VERSION,
                       sizeof(ap_mev_opportunity_v1), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_mev_opportunity_v1_frame(void *out, size_t room,
                                                 const ap_mev_opportunity_v1 *fields,
                                                 const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_MEV_OPPORTUNITY_V1_TYPE, AP_MEV_OPPORTUNITY_V1_VERSION,
                           sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_mev_opportunity_v1_wrong(const ap_mev_opportunity_v1 *m) {
    if (!(m->opportunity_type <= 3)) return "opportunity_type";
    if (!ap_is_zero(m->_reserved, 1)) return "_reserved";
    if (!ap_is_zero(m->_end, 4)) return "_end";
    return NULL;
}

#define AP_MEV_OPPORTUNITY_TYPE 33
#define AP_MEV_OPPORTUNITY_VERSION 2

#pragma pack(push, 1)
/* MEVOpportunity (type 33, version 2): A pending transaction that something can be earned from, 144
 * bytes; nearest FIX 35=6 (IOI). */
typedef struct ap_mev_opportunity {
    uint8_t opportunity_type;        /* 0: what is to be done; a MEVKind */
    uint8_t priority;                /* 1: higher is more urgent (FIX 61 Urgency) */
    uint8_t _gap[2];                 /* 2: zero */
    uint32_t chain_id;               /* 4: EVM chain id */
    uint8_t target_tx_hash[32];      /* 8: hash of the pending transaction */
    ap_u128 estimated_profit_wei;    /* 40: profit after gas, in the chain's currency (1e-18) */
    uint64_t max_gas_price_gwei;     /* 56: the most to pay for gas (1e-9 a gas) */
    uint64_t target_block;           /* 64: block to be in */
    uint64_t deadline_block;         /* 72: last block it holds for (FIX 62 ValidUntilTime) */
    ap_u128 victim_amount_in;        /* 80: what the target pays in; 0 not known (smallest unit) */
    ap_u128 optimal_frontrun_amount; /* 96: what to pay in before it; 0 none (smallest unit) */
} ap_mev_opportunity;
#pragma pack(pop)
AP_SIZE(ap_mev_opportunity, 112);
AP_OFFSET(ap_mev_opportunity, opportunity_type, 0);
AP_OFFSET(ap_mev_opportunity, priority, 1);
AP_OFFSET(ap_mev_opportunity, _gap, 2);
AP_OFFSET(ap_mev_opportunity, chain_id, 4);
AP_OFFSET(ap_mev_opportunity, target_tx_hash, 8);
AP_OFFSET(ap_mev_opportunity, estimated_profit_wei, 40);
AP_OFFSET(ap_mev_opportunity, max_gas_price_gwei, 56);
AP_OFFSET(ap_mev_opportunity, target_block, 64);
AP_OFFSET(ap_mev_opportunity, deadline_block, 72);
AP_OFFSET(ap_mev_opportunity, victim_amount_in, 80);
AP_OFFSET(ap_mev_opportunity, optimal_frontrun_amount, 96);

static inline int ap_mev_opportunity_read(const void *frame, size_t size, ap_mev_opportunity *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_MEV_OPPORTUNITY_TYPE, AP_MEV_OPPORTUNITY_VERSION,
                       sizeof(ap_mev_opportunity), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_mev_opportunity_frame(void *out, size_t room,
                                              const ap_mev_opportunity *fields,
                                              const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_MEV_OPPORTUNITY_TYPE, AP_MEV_OPPORTUNITY_VERSION,
                           sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_mev_opportunity_wrong(const ap_mev_opportunity *m) {
    if (!(m->opportunity_type <= 3)) return "opportunity_type";
    if (!ap_is_zero(m->_gap, 2)) return "_gap";
    return NULL;
}

#define AP_FLASH_LOAN_SIGNAL_TYPE 34
#define AP_FLASH_LOAN_SIGNAL_VERSION 1

#pragma pack(push, 1)
/* FlashLoanSignal (type 34, version 1): An arbitrage that a loan within one transaction pays for,
 * 184 bytes; nearest FIX 35=6 (IOI). */
typedef struct ap_flash_loan_signal {
    ap_instrument_id token_id;    /* 0: what is borrowed and earned (FIX 15 Currency) */
    ap_instrument_id lender_id;   /* 12: pool that lends; all zero: see provider (FIX 48
                                   * SecurityID) */
    ap_instrument_id pool_a_id;   /* 24: pool that is paid first (FIX 309 UnderlyingSecurityID) */
    ap_instrument_id pool_b_id;   /* 36: pool that is paid second (FIX 309 UnderlyingSecurityID) */
    uint32_t chain_id;            /* 48: EVM chain id */
    uint32_t fee_ppm;             /* 52: fee of the loan (1e-6; FIX 12 Commission) */
    uint8_t provider;             /* 56: who lends: a Lender */
    uint8_t _gap[1];              /* 57: zero */
    uint16_t confidence;          /* 58: how sure the strategy is (1/10,000) */
    uint16_t strategy_id;         /* 60: which strategy found it (FIX 847 TargetStrategy) */
    uint8_t _middle[2];           /* 62: zero */
    uint64_t signal_id;           /* 64: the strategy's number of this signal (FIX 23 IOIID) */
    ap_u128 amount_wei;           /* 72: what is borrowed (smallest unit; FIX 27 IOIQty) */
    ap_u128 fee_wei;              /* 88: fee of the loan (smallest unit; FIX 137 MiscFeeAmt) */
    ap_i128 expected_profit_wei;  /* 104: profit after the fee and gas (smallest unit) */
    uint64_t observed_block;      /* 120: block it was computed for */
    uint64_t valid_through_block; /* 128: last block it holds for; 0 not said (FIX 62
                                   * ValidUntilTime) */
    uint64_t gas_limit;           /* 136: gas needed; 0 not said (gas) */
    uint64_t max_gas_price_wei;   /* 144: the most to pay for gas; 0 not said (1e-18) */
} ap_flash_loan_signal;
#pragma pack(pop)
AP_SIZE(ap_flash_loan_signal, 152);
AP_OFFSET(ap_flash_loan_signal, token_id, 0);
AP_OFFSET(ap_flash_loan_signal, lender_id, 12);
AP_OFFSET(ap_flash_loan_signal, pool_a_id, 24);
AP_OFFSET(ap_flash_loan_signal, pool_b_id, 36);
AP_OFFSET(ap_flash_loan_signal, chain_id, 48);
AP_OFFSET(ap_flash_loan_signal, fee_ppm, 52);
AP_OFFSET(ap_flash_loan_signal, provider, 56);
AP_OFFSET(ap_flash_loan_signal, _gap, 57);
AP_OFFSET(ap_flash_loan_signal, confidence, 58);
AP_OFFSET(ap_flash_loan_signal, strategy_id, 60);
AP_OFFSET(ap_flash_loan_signal, _middle, 62);
AP_OFFSET(ap_flash_loan_signal, signal_id, 64);
AP_OFFSET(ap_flash_loan_signal, amount_wei, 72);
AP_OFFSET(ap_flash_loan_signal, fee_wei, 88);
AP_OFFSET(ap_flash_loan_signal, expected_profit_wei, 104);
AP_OFFSET(ap_flash_loan_signal, observed_block, 120);
AP_OFFSET(ap_flash_loan_signal, valid_through_block, 128);
AP_OFFSET(ap_flash_loan_signal, gas_limit, 136);
AP_OFFSET(ap_flash_loan_signal, max_gas_price_wei, 144);

static inline int ap_flash_loan_signal_read(const void *frame, size_t size,
                                            ap_flash_loan_signal *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_FLASH_LOAN_SIGNAL_TYPE, AP_FLASH_LOAN_SIGNAL_VERSION,
                       sizeof(ap_flash_loan_signal), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_flash_loan_signal_frame(void *out, size_t room,
                                                const ap_flash_loan_signal *fields,
                                                const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_FLASH_LOAN_SIGNAL_TYPE, AP_FLASH_LOAN_SIGNAL_VERSION,
                           sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_flash_loan_signal_wrong(const ap_flash_loan_signal *m) {
    if (!ap_is_zero(m->_gap, 1)) return "_gap";
    if (!(m->confidence <= 10000)) return "confidence";
    if (!ap_is_zero(m->_middle, 2)) return "_middle";
    return NULL;
}

#define AP_YIELD_FARMING_UPDATE_TYPE 35
#define AP_YIELD_FARMING_UPDATE_VERSION 1

#pragma pack(push, 1)
/* YieldFarmingUpdate (type 35, version 1): What a farm pays, and what is staked in it, 176 bytes;
 * nearest FIX 35=f (SecurityStatus). */
typedef struct ap_yield_farming_update {
    ap_instrument_id farm_id;          /* 0: the farm, or the pool whose shares it takes (FIX 48
                                        * SecurityID) */
    ap_instrument_id deposit_token_id; /* 12: what is staked (FIX 15 Currency) */
    ap_instrument_id reward_token_id;  /* 24: what is paid (FIX 120 SettlCurrency) */
    uint8_t status;                    /* 36: whether it pays; a FarmStatus (FIX 965
                                        * SecurityStatus) */
    uint8_t _gap[1];                   /* 37: zero */
    uint16_t strategy_id;              /* 38: whose stake; 0 = nobody's (FIX 847 TargetStrategy) */
    uint32_t chain_id;                 /* 40: EVM chain id */
    uint32_t base_apr_bps;             /* 44: yield from fees or interest (1/10,000; FIX 236
                                        * Yield) */
    uint32_t reward_apr_bps;           /* 48: yield from rewards, at today's prices (1/10,000) */
    uint32_t lock_sec;                 /* 52: how long a deposit is locked; 0 not at all (s) */
    uint64_t block_number;             /* 56: block it holds for */
    ap_u128 total_staked_wei;          /* 64: staked by all (smallest unit) */
    ap_u128 reward_per_sec_wei;        /* 80: paid to all in a second (smallest unit) */
    ap_u128 staked_wei;                /* 96: staked by the account (smallest unit) */
    ap_u128 pending_reward_wei;        /* 112: the account can claim (smallest unit) */
    uint64_t account_id;               /* 128: whose stake; 0 = nobody's (FIX 1 Account) */
    uint64_t ends_at;                  /* 136: end of the rewards; 0 not known (ns; FIX 917
                                        * EndDate) */
} ap_yield_farming_update;
#pragma pack(pop)
AP_SIZE(ap_yield_farming_update, 144);
AP_OFFSET(ap_yield_farming_update, farm_id, 0);
AP_OFFSET(ap_yield_farming_update, deposit_token_id, 12);
AP_OFFSET(ap_yield_farming_update, reward_token_id, 24);
AP_OFFSET(ap_yield_farming_update, status, 36);
AP_OFFSET(ap_yield_farming_update, _gap, 37);
AP_OFFSET(ap_yield_farming_update, strategy_id, 38);
AP_OFFSET(ap_yield_farming_update, chain_id, 40);
AP_OFFSET(ap_yield_farming_update, base_apr_bps, 44);
AP_OFFSET(ap_yield_farming_update, reward_apr_bps, 48);
AP_OFFSET(ap_yield_farming_update, lock_sec, 52);
AP_OFFSET(ap_yield_farming_update, block_number, 56);
AP_OFFSET(ap_yield_farming_update, total_staked_wei, 64);
AP_OFFSET(ap_yield_farming_update, reward_per_sec_wei, 80);
AP_OFFSET(ap_yield_farming_update, staked_wei, 96);
AP_OFFSET(ap_yield_farming_update, pending_reward_wei, 112);
AP_OFFSET(ap_yield_farming_update, account_id, 128);
AP_OFFSET(ap_yield_farming_update, ends_at, 136);

static inline int ap_yield_farming_update_read(const void *frame, size_t size,
                                               ap_yield_farming_update *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_YIELD_FARMING_UPDATE_TYPE, AP_YIELD_FARMING_UPDATE_VERSION,
                       sizeof(ap_yield_farming_update), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_yield_farming_update_frame(void *out, size_t room,
                                                   const ap_yield_farming_update *fields,
                                                   const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_YIELD_FARMING_UPDATE_TYPE, AP_YIELD_FARMING_UPDATE_VERSION,
                           sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_yield_farming_update_wrong(const ap_yield_farming_update *m) {
    if (!(m->status <= 4)) return "status";
    if (!ap_is_zero(m->_gap, 1)) return "_gap";
    return NULL;
}

#define AP_GAS_OPTIMIZATION_SIGNAL_TYPE 36
#define AP_GAS_OPTIMIZATION_SIGNAL_VERSION 1

#pragma pack(push, 1)
/* GasOptimizationSignal (type 36, version 1): What gas costs on a chain and what to do about it,
 * 120 bytes; FIX has no such message. */
typedef struct ap_gas_optimization_signal {
    uint32_t chain_id;            /* 0: EVM chain id */
    uint8_t action;               /* 4: what to do; a GasAction */
    uint8_t _gap[1];              /* 5: zero */
    uint16_t confidence;          /* 6: how sure the sender is (1/10,000) */
    uint64_t block_number;        /* 8: block it was computed for */
    uint64_t base_fee_wei;        /* 16: base fee of that block (1e-18 a gas) */
    uint64_t priority_fee_wei;    /* 24: tip that is enough (1e-18 a gas) */
    uint64_t max_fee_wei;         /* 32: the most to offer (1e-18 a gas) */
    uint64_t next_base_fee_wei;   /* 40: base fee expected after wait_blocks; 0 not known (1e-18 a
                                   * gas) */
    uint64_t gas_limit;           /* 48: gas of what is to be sent; 0 not said (gas) */
    uint64_t valid_through_block; /* 56: last block it holds for; 0 not said (FIX 62
                                   * ValidUntilTime) */
    uint32_t wait_blocks;         /* 64: blocks to wait (blocks) */
    uint32_t gas_used_bps;        /* 68: gas used by gas limit of the block (1/10,000) */
    ap_u128 expected_saving_wei;  /* 72: what following it saves, in the chain's currency (1e-18) */
} ap_gas_optimization_signal;
#pragma pack(pop)
AP_SIZE(ap_gas_optimization_signal, 88);
AP_OFFSET(ap_gas_optimization_signal, chain_id, 0);
AP_OFFSET(ap_gas_optimization_signal, action, 4);
AP_OFFSET(ap_gas_optimization_signal, _gap, 5);
AP_OFFSET(ap_gas_optimization_signal, confidence, 6);
AP_OFFSET(ap_gas_optimization_signal, block_number, 8);
AP_OFFSET(ap_gas_optimization_signal, base_fee_wei, 16);
AP_OFFSET(ap_gas_optimization_signal, priority_fee_wei, 24);
AP_OFFSET(ap_gas_optimization_signal, max_fee_wei, 32);
AP_OFFSET(ap_gas_optimization_signal, next_base_fee_wei, 40);
AP_OFFSET(ap_gas_optimization_signal, gas_limit, 48);
AP_OFFSET(ap_gas_optimization_signal, valid_through_block, 56);
AP_OFFSET(ap_gas_optimization_signal, wait_blocks, 64);
AP_OFFSET(ap_gas_optimization_signal, gas_used_bps, 68);
AP_OFFSET(ap_gas_optimization_signal, expected_saving_wei, 72);

static inline int ap_gas_optimization_signal_read(const void *frame, size_t size,
                                                  ap_gas_optimization_signal *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_GAS_OPTIMIZATION_SIGNAL_TYPE,
                       AP_GAS_OPTIMIZATION_SIGNAL_VERSION, sizeof(ap_gas_optimization_signal),
                       &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_gas_optimization_signal_frame(void *out, size_t room,
                                                      const ap_gas_optimization_signal *fields,
                                                      const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_GAS_OPTIMIZATION_SIGNAL_TYPE,
                           AP_GAS_OPTIMIZATION_SIGNAL_VERSION, sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_gas_optimization_signal_wrong(const ap_gas_optimization_signal *m) {
    if (!(m->action <= 4)) return "action";
    if (!ap_is_zero(m->_gap, 1)) return "_gap";
    if (!(m->confidence <= 10000)) return "confidence";
    return NULL;
}

#define AP_DEFI_SIGNAL_TYPE 37
#define AP_DEFI_SIGNAL_VERSION 1

#pragma pack(push, 1)
/* DeFiSignal (type 37, version 1): Everything an execution adapter needs to act on chain, 312 bytes
 * and TLVs; nearest FIX 35=6 (IOI). */
typedef struct ap_defi_signal {
    uint16_t strategy_id;              /* 0: a StrategyKind, or a strategy's own number (FIX 847
                                        * TargetStrategy) */
    uint64_t signal_id;                /* 2: unique number of the signal (FIX 23 IOIID) */
    uint32_t signal_nonce;             /* 10: +1 for each signal of a source and strategy */
    uint32_t chain_id;                 /* 14: EVM chain id */
    uint8_t version;                   /* 18: version of the signal's meaning for the adapter; 1
                                        * now */
    uint8_t adapter_id;                /* 19: which execution adapter is to act (FIX 100
                                        * ExDestination) */
    ap_instrument_id base_instrument;  /* 20: the base token in market data (FIX 48 SecurityID) */
    ap_instrument_id quote_instrument; /* 32: the quote token in market data (FIX 15 Currency) */
    uint8_t base_token_addr[20];       /* 44: contract of the base token */
    uint8_t quote_token_addr[20];      /* 64: contract of the quote token */
    uint8_t venue_a_router[20];        /* 84: router of the first venue */
    uint8_t venue_b_router[20];        /* 104: router of the second venue; zeros: none */
    uint8_t venue_a_type;              /* 124: first venue: a PoolType */
    uint8_t venue_b_type;              /* 125: second venue: a PoolType */
    uint32_t fee_a_ppm;                /* 126: fee of the first venue (1e-6; FIX 12 Commission) */
    uint32_t fee_b_ppm;                /* 130: fee of the second venue (1e-6; FIX 12 Commission) */
    uint8_t direction_flag;            /* 134: buy or sell the base token; a Direction (FIX 54
                                        * Side) */
    uint8_t confidence;                /* 135: how sure the strategy is (1/100) */
    ap_i128 expected_profit_q;         /* 136: profit expected after fees and gas, in the quote
                                        * token (2**-64 tokens) */
    ap_u128 required_capital_q;        /* 152: capital needed, in the base token (2**-64 tokens) */
    ap_u128 gas_estimate_q;            /* 168: cost of gas, in the quote token, taken off
                                        * expected_profit_q already; 0 not said (2**-64 tokens; FIX
                                        * 137 MiscFeeAmt) */
    ap_u128 amount_in_q;               /* 184: amount to pay in (2**-64 tokens; FIX 38 OrderQty) */
    ap_u128 min_out_q;                 /* 200: least amount to accept (2**-64 tokens) */
    ap_u128 optimal_size_q;            /* 216: best amount to pay in (2**-64 tokens; FIX 27
                                        * IOIQty) */
    uint64_t observed_block;           /* 232: block it was computed for */
    uint64_t valid_through_block;      /* 240: last block it holds for; 0 not said (FIX 62
                                        * ValidUntilTime) */
    uint64_t state_hash;               /* 248: hash of the pools' state, made by the strategy; 0
                                        * none */
    uint32_t execution_flags;          /* 256: transaction policy, priority and approvals, as the
                                        * adapter reads them */
    uint16_t slippage_bps;             /* 260: worst slippage accepted (1/10,000) */
    uint16_t price_impact_bps;         /* 262: price impact expected (1/10,000) */
    uint64_t replace_signal_id;        /* 264: signal that this one replaces; 0 none (FIX 26
                                        * IOIRefID) */
    uint16_t tlv_offset;               /* 272: where TLVs begin, from the frame's start: 312
                                        * (bytes) */
    uint16_t tlv_length;               /* 274: bytes of TLVs (bytes) */
    uint32_t created_at_sec;           /* 276: when it was made, for statistics only (s; FIX 42
                                        * OrigTime) */
} ap_defi_signal;
#pragma pack(pop)
AP_SIZE(ap_defi_signal, 280);
AP_OFFSET(ap_defi_signal, strategy_id, 0);
AP_OFFSET(ap_defi_signal, signal_id, 2);
AP_OFFSET(ap_defi_signal, signal_nonce, 10);
AP_OFFSET(ap_defi_signal, chain_id, 14);
AP_OFFSET(ap_defi_signal, version, 18);
AP_OFFSET(ap_defi_signal, adapter_id, 19);
AP_OFFSET(ap_defi_signal, base_instrument, 20);
AP_OFFSET(ap_defi_signal, quote_instrument, 32);
AP_OFFSET(ap_defi_signal, base_token_addr, 44);
AP_OFFSET(ap_defi_signal, quote_token_addr, 64);
AP_OFFSET(ap_defi_signal, venue_a_router, 84);
AP_OFFSET(ap_defi_signal, venue_b_router, 104);
AP_OFFSET(ap_defi_signal, venue_a_type, 124);
AP_OFFSET(ap_defi_signal, venue_b_type, 125);
AP_OFFSET(ap_defi_signal, fee_a_ppm, 126);
AP_OFFSET(ap_defi_signal, fee_b_ppm, 130);
AP_OFFSET(ap_defi_signal, direction_flag, 134);
AP_OFFSET(ap_defi_signal, confidence, 135);
AP_OFFSET(ap_defi_signal, expected_profit_q, 136);
AP_OFFSET(ap_defi_signal, required_capital_q, 152);
AP_OFFSET(ap_defi_signal, gas_estimate_q, 168);
AP_OFFSET(ap_defi_signal, amount_in_q, 184);
AP_OFFSET(ap_defi_signal, min_out_q, 200);
AP_OFFSET(ap_defi_signal, optimal_size_q, 216);
AP_OFFSET(ap_defi_signal, observed_block, 232);
AP_OFFSET(ap_defi_signal, valid_through_block, 240);
AP_OFFSET(ap_defi_signal, state_hash, 248);
AP_OFFSET(ap_defi_signal, execution_flags, 256);
AP_OFFSET(ap_defi_signal, slippage_bps, 260);
AP_OFFSET(ap_defi_signal, price_impact_bps, 262);
AP_OFFSET(ap_defi_signal, replace_signal_id, 264);
AP_OFFSET(ap_defi_signal, tlv_offset, 272);
AP_OFFSET(ap_defi_signal, tlv_length, 274);
AP_OFFSET(ap_defi_signal, created_at_sec, 276);

/* What follows the fixed part of DeFiSignal. */
typedef struct ap_defi_signal_tails {
    ap_span tlvs; /* TLVs: extensions (SPEC.md, TLV extensions) */
} ap_defi_signal_tails;

static inline int ap_defi_signal_read(const void *frame, size_t size, ap_defi_signal *out,
                                      ap_defi_signal_tails *tails) {
    ap_span rest;
    int code = ap_open(frame, size, AP_DEFI_SIGNAL_TYPE, AP_DEFI_SIGNAL_VERSION,
                       sizeof(ap_defi_signal), &rest);
    if (code != AP_OK) return code;
    memcpy(out, rest.data, sizeof *out);
    rest.data += sizeof *out;
    rest.size -= sizeof *out;
    if (!ap_take(&rest, (size_t)out->tlv_length, &tails->tlvs)) return AP_BAD_TAILS;
    if (rest.size) return AP_BAD_TAILS;
    if (out->tlv_offset != AP_HEADER_SIZE + sizeof(ap_defi_signal)) return AP_BAD_TAILS;
    if (!ap_tlvs_sound(tails->tlvs)) return AP_BAD_TLV;
    return AP_OK;
}

static inline size_t ap_defi_signal_frame(void *out, size_t room, const ap_defi_signal *fields,
                                          const ap_defi_signal_tails *tails,
                                          const ap_stamp *stamp) {
    ap_defi_signal fixed = *fields;
    size_t size = sizeof(ap_defi_signal) + tails->tlvs.size;
    uint8_t *at;
    if (tails->tlvs.size > UINT16_MAX) return 0;
    fixed.tlv_length = (uint16_t)(tails->tlvs.size);
    fixed.tlv_offset = (uint16_t)(AP_HEADER_SIZE + sizeof(ap_defi_signal));
    at = ap_begin(out, room, AP_DEFI_SIGNAL_TYPE, AP_DEFI_SIGNAL_VERSION, size, stamp);
    if (at == NULL) return 0;
    at = ap_append(at, &fixed, sizeof fixed);
    ap_append(at, tails->tlvs.data, tails->tlvs.size);
    ap_seal(out);
    return AP_HEADER_SIZE + size;
}

static inline const char *ap_defi_signal_wrong(const ap_defi_signal *m) {
    if (!(m->direction_flag <= 1)) return "direction_flag";
    if (!(m->confidence <= 100)) return "confidence";
    return NULL;
}

/* ---------------------------------------------------------------------------------------------- */
/* Messages of execution, types 40-59                                                             */
/* ---------------------------------------------------------------------------------------------- */

#define AP_ORDER_REQUEST_TYPE 40
#define AP_ORDER_REQUEST_VERSION 1

#pragma pack(push, 1)
/* OrderRequest (type 40, version 1): Buy or sell this, 112 bytes; FIX 35=D (NewOrderSingle). */
typedef struct ap_order_request {
    ap_instrument_id instrument_id; /* 0: what to trade (FIX 48 SecurityID) */
    uint8_t side;                   /* 12: buy or sell; a Side (FIX 54 Side) */
    uint8_t order_type;             /* 13: what price means; an OrderType (FIX 40 OrdType) */
    uint8_t time_in_force;          /* 14: how long it stands; a TimeInForce (FIX 59 TimeInForce) */
    uint8_t execution_flags;        /* 15: agreed with the engine (FIX 18 ExecInst) */
    uint64_t owner_id;              /* 16: the ordering producer's producer_id (FIX 49
                                     * SenderCompID) */
    uint64_t account_id;            /* 24: the account to book on (FIX 1 Account) */
    uint64_t client_order_id;       /* 32: the owner's number of the order (FIX 11 ClOrdID) */
    int64_t price;                  /* 40: limit price; 0 where none (1e-8; FIX 44 Price) */
    int64_t stop_price;             /* 48: trigger; 0 where none (1e-8; FIX 99 StopPx) */
    uint64_t quantity;              /* 56: quantity ordered (1e-8; FIX 38 OrderQty) */
    uint64_t expires_at;            /* 64: void from then on; 0 none (ns; FIX 126 ExpireTime) */
    uint16_t strategy_id;           /* 72: which strategy asked for it (FIX 847 TargetStrategy) */
    uint8_t _end[6];                /* 74: zero */
} ap_order_request;
#pragma pack(pop)
AP_SIZE(ap_order_request, 80);
AP_OFFSET(ap_order_request, instrument_id, 0);
AP_OFFSET(ap_order_request, side, 12);
AP_OFFSET(ap_order_request, order_type, 13);
AP_OFFSET(ap_order_request, time_in_force, 14);
AP_OFFSET(ap_order_request, execution_flags, 15);
AP_OFFSET(ap_order_request, owner_id, 16);
AP_OFFSET(ap_order_request, account_id, 24);
AP_OFFSET(ap_order_request, client_order_id, 32);
AP_OFFSET(ap_order_request, price, 40);
AP_OFFSET(ap_order_request, stop_price, 48);
AP_OFFSET(ap_order_request, quantity, 56);
AP_OFFSET(ap_order_request, expires_at, 64);
AP_OFFSET(ap_order_request, strategy_id, 72);
AP_OFFSET(ap_order_request, _end, 74);

static inline int ap_order_request_read(const void *frame, size_t size, ap_order_request *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_ORDER_REQUEST_TYPE, AP_ORDER_REQUEST_VERSION,
                       sizeof(ap_order_request), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_order_request_frame(void *out, size_t room, const ap_order_request *fields,
                                            const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_ORDER_REQUEST_TYPE, AP_ORDER_REQUEST_VERSION,
                           sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_order_request_wrong(const ap_order_request *m) {
    if (!(m->side <= 2)) return "side";
    if (!(m->order_type <= 4)) return "order_type";
    if (!(m->time_in_force <= 8)) return "time_in_force";
    if (!ap_is_zero(m->_end, 6)) return "_end";
    return NULL;
}

#define AP_ORDER_STATUS_TYPE 41
#define AP_ORDER_STATUS_VERSION 1

#pragma pack(push, 1)
/* OrderStatus (type 41, version 1): How an order stands now, 160 bytes; FIX 35=8 with ExecType I
 * (Order Status), and the answer 35=9 (OrderCancelReject) to a cancel or change that was
 * refused. */
typedef struct ap_order_status {
    ap_instrument_id instrument_id;    /* 0: what the order trades (FIX 48 SecurityID) */
    uint8_t side;                      /* 12: the order's side; a Side (FIX 54 Side) */
    uint8_t status;                    /* 13: how it stands; an OrderState (FIX 39 OrdStatus) */
    uint8_t _gap[2];                   /* 14: zero */
    uint64_t owner_id;                 /* 16: the ordering producer's producer_id (FIX 56
                                        * TargetCompID) */
    uint64_t account_id;               /* 24: the account it is booked on (FIX 1 Account) */
    uint64_t client_order_id;          /* 32: the owner's number of the order (FIX 11 ClOrdID) */
    uint8_t venue_order_id[16];        /* 40: the venue's name of the order (FIX 37 OrderID) */
    uint64_t quantity;                 /* 56: quantity ordered (1e-8; FIX 38 OrderQty) */
    uint64_t leaves_quantity;          /* 64: still open (1e-8; FIX 151 LeavesQty) */
    uint64_t cumulative_quantity;      /* 72: filled so far (1e-8; FIX 14 CumQty) */
    int64_t average_price;             /* 80: mean price of fills; 0 none (1e-8; FIX 6 AvgPx) */
    uint64_t transact_time;            /* 88: the time this holds for (ns; FIX 60 TransactTime) */
    uint64_t original_client_order_id; /* 96: the number it had before it was changed, or that was
                                        * to be canceled; 0 none (FIX 41 OrigClOrdID) */
    int64_t price;                     /* 104: limit price; 0 where none (1e-8; FIX 44 Price) */
    int64_t stop_price;                /* 112: trigger; 0 where none (1e-8; FIX 99 StopPx) */
    uint8_t order_type;                /* 120: what price means; an OrderType (FIX 40 OrdType) */
    uint8_t time_in_force;             /* 121: how long it stands; a TimeInForce (FIX 59
                                        * TimeInForce) */
    uint8_t reject_reason;             /* 122: why it was refused; an OrderRejectReason (FIX 103
                                        * OrdRejReason) */
    uint8_t cancel_reject_reason;      /* 123: why its cancel or change was refused; a
                                        * CancelRejectReason (FIX 102 CxlRejReason) */
    uint16_t strategy_id;              /* 124: which strategy asked for it (FIX 847
                                        * TargetStrategy) */
    uint8_t _end[2];                   /* 126: zero */
} ap_order_status;
#pragma pack(pop)
AP_SIZE(ap_order_status, 128);
AP_OFFSET(ap_order_status, instrument_id, 0);
AP_OFFSET(ap_order_status, side, 12);
AP_OFFSET(ap_order_status, status, 13);
AP_OFFSET(ap_order_status, _gap, 14);
AP_OFFSET(ap_order_status, owner_id, 16);
AP_OFFSET(ap_order_status, account_id, 24);
AP_OFFSET(ap_order_status, client_order_id, 32);
AP_OFFSET(ap_order_status, venue_order_id, 40);
AP_OFFSET(ap_order_status, quantity, 56);
AP_OFFSET(ap_order_status, leaves_quantity, 64);
AP_OFFSET(ap_order_status, cumulative_quantity, 72);
AP_OFFSET(ap_order_status, average_price, 80);
AP_OFFSET(ap_order_status, transact_time, 88);
AP_OFFSET(ap_order_status, original_client_order_id, 96);
AP_OFFSET(ap_order_status, price, 104);
AP_OFFSET(ap_order_status, stop_price, 112);
AP_OFFSET(ap_order_status, order_type, 120);
AP_OFFSET(ap_order_status, time_in_force, 121);
AP_OFFSET(ap_order_status, reject_reason, 122);
AP_OFFSET(ap_order_status, cancel_reject_reason, 123);
AP_OFFSET(ap_order_status, strategy_id, 124);
AP_OFFSET(ap_order_status, _end, 126);

static inline int ap_order_status_read(const void *frame, size_t size, ap_order_status *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_ORDER_STATUS_TYPE, AP_ORDER_STATUS_VERSION,
                       sizeof(ap_order_status), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_order_status_frame(void *out, size_t room, const ap_order_status *fields,
                                           const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_ORDER_STATUS_TYPE, AP_ORDER_STATUS_VERSION, sizeof *fields,
                           stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_order_status_wrong(const ap_order_status *m) {
    if (!(m->side <= 2)) return "side";
    if (!(m->status <= 15)) return "status";
    if (!ap_is_zero(m->_gap, 2)) return "_gap";
    if (!(m->order_type <= 4)) return "order_type";
    if (!(m->time_in_force <= 8)) return "time_in_force";
    if (!(m->reject_reason <= 17 ||
          m->reject_reason == 19 ||
          m->reject_reason == 26 ||
          m->reject_reason == 100))
        return "reject_reason";
    if (!(m->cancel_reject_reason <= 9 ||
          m->cancel_reject_reason == 19 ||
          m->cancel_reject_reason == 100))
        return "cancel_reject_reason";
    if (!ap_is_zero(m->_end, 2)) return "_end";
    return NULL;
}

#define AP_FILL_TYPE 42
#define AP_FILL_VERSION 1

#pragma pack(push, 1)
/* Fill (type 42, version 1): An order was executed, in part or whole, 160 bytes; FIX 35=8
 * (ExecutionReport, Trade). */
typedef struct ap_fill {
    ap_instrument_id instrument_id; /* 0: what was traded (FIX 48 SecurityID) */
    uint8_t side;                   /* 12: the order's side; a Side (FIX 54 Side) */
    uint8_t liquidity;              /* 13: maker or taker; a Liquidity (FIX 851 LastLiquidityInd) */
    uint8_t _gap[2];                /* 14: zero */
    uint64_t owner_id;              /* 16: the ordering producer's producer_id (FIX 56
                                     * TargetCompID) */
    uint64_t account_id;            /* 24: the account it is booked on (FIX 1 Account) */
    uint64_t client_order_id;       /* 32: the owner's number of the order (FIX 11 ClOrdID) */
    uint8_t venue_order_id[16];     /* 40: the venue's name of the order (FIX 37 OrderID) */
    uint64_t trade_id;              /* 56: the venue's number of the trade (FIX 1003 TradeID) */
    int64_t price;                  /* 64: price of this fill (1e-8; FIX 31 LastPx) */
    uint64_t quantity;              /* 72: quantity of this fill (1e-8; FIX 32 LastQty) */
    uint64_t leaves_quantity;       /* 80: still open afterwards (1e-8; FIX 151 LeavesQty) */
    uint64_t cumulative_quantity;   /* 88: filled so far (1e-8; FIX 14 CumQty) */
    int64_t fee;                    /* 96: fee of this fill; negative: a rebate (1e-8 of fee_asset;
                                     * FIX 12 Commission) */
    ap_instrument_id fee_asset;     /* 104: what the fee is paid in (FIX 479 CommCurrency) */
    uint8_t _middle[4];             /* 116: zero */
    uint64_t transact_time;         /* 120: when the venue executed it (ns; FIX 60 TransactTime) */
} ap_fill;
#pragma pack(pop)
AP_SIZE(ap_fill, 128);
AP_OFFSET(ap_fill, instrument_id, 0);
AP_OFFSET(ap_fill, side, 12);
AP_OFFSET(ap_fill, liquidity, 13);
AP_OFFSET(ap_fill, _gap, 14);
AP_OFFSET(ap_fill, owner_id, 16);
AP_OFFSET(ap_fill, account_id, 24);
AP_OFFSET(ap_fill, client_order_id, 32);
AP_OFFSET(ap_fill, venue_order_id, 40);
AP_OFFSET(ap_fill, trade_id, 56);
AP_OFFSET(ap_fill, price, 64);
AP_OFFSET(ap_fill, quantity, 72);
AP_OFFSET(ap_fill, leaves_quantity, 80);
AP_OFFSET(ap_fill, cumulative_quantity, 88);
AP_OFFSET(ap_fill, fee, 96);
AP_OFFSET(ap_fill, fee_asset, 104);
AP_OFFSET(ap_fill, _middle, 116);
AP_OFFSET(ap_fill, transact_time, 120);

static inline int ap_fill_read(const void *frame, size_t size, ap_fill *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_FILL_TYPE, AP_FILL_VERSION, sizeof(ap_fill), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_fill_frame(void *out, size_t room, const ap_fill *fields,
                                   const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_FILL_TYPE, AP_FILL_VERSION, sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_fill_wrong(const ap_fill *m) {
    if (!(m->side <= 2)) return "side";
    if (!(m->liquidity <= 2)) return "liquidity";
    if (!ap_is_zero(m->_gap, 2)) return "_gap";
    if (!ap_is_zero(m->_middle, 4)) return "_middle";
    return NULL;
}

#define AP_ORDER_CANCEL_TYPE 43
#define AP_ORDER_CANCEL_VERSION 1

#pragma pack(push, 1)
/* OrderCancel (type 43, version 1): Cancel what is open of an order, 112 bytes; FIX 35=F
 * (OrderCancelRequest). */
typedef struct ap_order_cancel {
    ap_instrument_id instrument_id;    /* 0: what the order trades (FIX 48 SecurityID) */
    uint8_t side;                      /* 12: the order's side; a Side (FIX 54 Side) */
    uint8_t _gap[3];                   /* 13: zero */
    uint64_t owner_id;                 /* 16: the ordering producer's producer_id (FIX 49
                                        * SenderCompID) */
    uint64_t account_id;               /* 24: the account it is booked on (FIX 1 Account) */
    uint64_t client_order_id;          /* 32: the owner's number of this request (FIX 11 ClOrdID) */
    uint64_t original_client_order_id; /* 40: the owner's number of the order to cancel (FIX 41
                                        * OrigClOrdID) */
    uint8_t venue_order_id[16];        /* 48: the venue's name of the order; zeros: not known (FIX
                                        * 37 OrderID) */
    uint64_t transact_time;            /* 64: when it was asked for; 0 not said (ns; FIX 60
                                        * TransactTime) */
    uint16_t strategy_id;              /* 72: which strategy asked for it (FIX 847
                                        * TargetStrategy) */
    uint8_t _end[6];                   /* 74: zero */
} ap_order_cancel;
#pragma pack(pop)
AP_SIZE(ap_order_cancel, 80);
AP_OFFSET(ap_order_cancel, instrument_id, 0);
AP_OFFSET(ap_order_cancel, side, 12);
AP_OFFSET(ap_order_cancel, _gap, 13);
AP_OFFSET(ap_order_cancel, owner_id, 16);
AP_OFFSET(ap_order_cancel, account_id, 24);
AP_OFFSET(ap_order_cancel, client_order_id, 32);
AP_OFFSET(ap_order_cancel, original_client_order_id, 40);
AP_OFFSET(ap_order_cancel, venue_order_id, 48);
AP_OFFSET(ap_order_cancel, transact_time, 64);
AP_OFFSET(ap_order_cancel, strategy_id, 72);
AP_OFFSET(ap_order_cancel, _end, 74);

static inline int ap_order_cancel_read(const void *frame, size_t size, ap_order_cancel *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_ORDER_CANCEL_TYPE, AP_ORDER_CANCEL_VERSION,
                       sizeof(ap_order_cancel), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_order_cancel_frame(void *out, size_t room, const ap_order_cancel *fields,
                                           const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_ORDER_CANCEL_TYPE, AP_ORDER_CANCEL_VERSION, sizeof *fields,
                           stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_order_cancel_wrong(const ap_order_cancel *m) {
    if (!(m->side <= 2)) return "side";
    if (!ap_is_zero(m->_gap, 3)) return "_gap";
    if (!ap_is_zero(m->_end, 6)) return "_end";
    return NULL;
}

#define AP_ORDER_MODIFY_TYPE 44
#define AP_ORDER_MODIFY_VERSION 1

#pragma pack(push, 1)
/* OrderModify (type 44, version 1): Change an open order, 144 bytes; FIX 35=G
 * (OrderCancelReplaceRequest). */
typedef struct ap_order_modify {
    ap_instrument_id instrument_id;    /* 0: what the order trades (FIX 48 SecurityID) */
    uint8_t side;                      /* 12: the order's side; a Side (FIX 54 Side) */
    uint8_t order_type;                /* 13: what price means; an OrderType (FIX 40 OrdType) */
    uint8_t _gap[2];                   /* 14: zero */
    uint64_t owner_id;                 /* 16: the ordering producer's producer_id (FIX 49
                                        * SenderCompID) */
    uint64_t account_id;               /* 24: the account to book on (FIX 1 Account) */
    uint64_t client_order_id;          /* 32: the owner's new number of the order (FIX 11
                                        * ClOrdID) */
    uint64_t original_client_order_id; /* 40: the owner's number of the order until now (FIX 41
                                        * OrigClOrdID) */
    uint64_t quantity;                 /* 48: quantity ordered (1e-8; FIX 38 OrderQty) */
    int64_t price;                     /* 56: limit price; 0 where none (1e-8; FIX 44 Price) */
    int64_t stop_price;                /* 64: trigger; 0 where none (1e-8; FIX 99 StopPx) */
    uint64_t expires_at;               /* 72: void from then on; 0 none (ns; FIX 126 ExpireTime) */
    uint64_t transact_time;            /* 80: when it was asked for; 0 not said (ns; FIX 60
                                        * TransactTime) */
    uint8_t venue_order_id[16];        /* 88: the venue's name of the order; zeros: not known (FIX
                                        * 37 OrderID) */
    uint8_t time_in_force;             /* 104: how long it stands; a TimeInForce (FIX 59
                                        * TimeInForce) */
    uint8_t execution_flags;           /* 105: agreed with the engine (FIX 18 ExecInst) */
    uint16_t strategy_id;              /* 106: which strategy asked for it (FIX 847
                                        * TargetStrategy) */
    uint8_t _end[4];                   /* 108: zero */
} ap_order_modify;
#pragma pack(pop)
AP_SIZE(ap_order_modify, 112);
AP_OFFSET(ap_order_modify, instrument_id, 0);
AP_OFFSET(ap_order_modify, side, 12);
AP_OFFSET(ap_order_modify, order_type, 13);
AP_OFFSET(ap_order_modify, _gap, 14);
AP_OFFSET(ap_order_modify, owner_id, 16);
AP_OFFSET(ap_order_modify, account_id, 24);
AP_OFFSET(ap_order_modify, client_order_id, 32);
AP_OFFSET(ap_order_modify, original_client_order_id, 40);
AP_OFFSET(ap_order_modify, quantity, 48);
AP_OFFSET(ap_order_modify, price, 56);
AP_OFFSET(ap_order_modify, stop_price, 64);
AP_OFFSET(ap_order_modify, expires_at, 72);
AP_OFFSET(ap_order_modify, transact_time, 80);
AP_OFFSET(ap_order_modify, venue_order_id, 88);
AP_OFFSET(ap_order_modify, time_in_force, 104);
AP_OFFSET(ap_order_modify, execution_flags, 105);
AP_OFFSET(ap_order_modify, strategy_id, 106);
AP_OFFSET(ap_order_modify, _end, 108);

static inline int ap_order_modify_read(const void *frame, size_t size, ap_order_modify *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_ORDER_MODIFY_TYPE, AP_ORDER_MODIFY_VERSION,
                       sizeof(ap_order_modify), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_order_modify_frame(void *out, size_t room, const ap_order_modify *fields,
                                           const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_ORDER_MODIFY_TYPE, AP_ORDER_MODIFY_VERSION, sizeof *fields,
                           stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_order_modify_wrong(const ap_order_modify *m) {
    if (!(m->side <= 2)) return "side";
    if (!(m->order_type <= 4)) return "order_type";
    if (!ap_is_zero(m->_gap, 2)) return "_gap";
    if (!(m->time_in_force <= 8)) return "time_in_force";
    if (!ap_is_zero(m->_end, 4)) return "_end";
    return NULL;
}

#define AP_EXECUTION_REPORT_TYPE 45
#define AP_EXECUTION_REPORT_VERSION 1

#pragma pack(push, 1)
/* ExecutionReport (type 45, version 1): Something happened to an order, 192 bytes; FIX 35=8
 * (ExecutionReport). */
typedef struct ap_execution_report {
    ap_instrument_id instrument_id;    /* 0: what the order trades (FIX 48 SecurityID) */
    uint8_t side;                      /* 12: the order's side; a Side (FIX 54 Side) */
    uint8_t execution_type;            /* 13: what happened; an ExecutionType (FIX 150 ExecType) */
    uint8_t status;                    /* 14: how it stands now; an OrderState (FIX 39 OrdStatus) */
    uint8_t _gap[1];                   /* 15: zero */
    uint64_t owner_id;                 /* 16: the ordering producer's producer_id (FIX 56
                                        * TargetCompID) */
    uint64_t account_id;               /* 24: the account it is booked on (FIX 1 Account) */
    uint64_t client_order_id;          /* 32: the owner's number of the order (FIX 11 ClOrdID) */
    uint8_t venue_order_id[16];        /* 40: the venue's name of the order (FIX 37 OrderID) */
    uint64_t execution_id;             /* 56: the engine's number of this report (FIX 17 ExecID) */
    uint64_t quantity;                 /* 64: quantity ordered (1e-8; FIX 38 OrderQty) */
    uint64_t leaves_quantity;          /* 72: still open (1e-8; FIX 151 LeavesQty) */
    uint64_t cumulative_quantity;      /* 80: filled so far (1e-8; FIX 14 CumQty) */
    int64_t average_price;             /* 88: mean price of fills; 0 none (1e-8; FIX 6 AvgPx) */
    uint64_t transact_time;            /* 96: when it happened (ns; FIX 60 TransactTime) */
    uint64_t original_client_order_id; /* 104: the number it had before it was changed, or that was
                                        * to be canceled; 0 none (FIX 41 OrigClOrdID) */
    int64_t last_price;                /* 112: price of this trade; 0 none (1e-8; FIX 31 LastPx) */
    uint64_t last_quantity;            /* 120: quantity of this trade; 0 none (1e-8; FIX 32
                                        * LastQty) */
    int64_t price;                     /* 128: limit price; 0 where none (1e-8; FIX 44 Price) */
    int64_t stop_price;                /* 136: trigger; 0 where none (1e-8; FIX 99 StopPx) */
    uint64_t trade_id;                 /* 144: the venue's number of the trade; 0 none (FIX 1003
                                        * TradeID) */
    uint8_t order_type;                /* 152: what price means; an OrderType (FIX 40 OrdType) */
    uint8_t time_in_force;             /* 153: how long it stands; a TimeInForce (FIX 59
                                        * TimeInForce) */
    uint8_t liquidity;                 /* 154: maker or taker; a Liquidity (FIX 851
                                        * LastLiquidityInd) */
    uint8_t reject_reason;             /* 155: why it was refused; an OrderRejectReason (FIX 103
                                        * OrdRejReason) */
    uint8_t cancel_reject_reason;      /* 156: why its cancel or change was refused; a
                                        * CancelRejectReason (FIX 102 CxlRejReason) */
    uint8_t restatement_reason;        /* 157: why it was changed unasked; a RestatementReason (FIX
                                        * 378 ExecRestatementReason) */
    uint16_t strategy_id;              /* 158: which strategy asked for it (FIX 847
                                        * TargetStrategy) */
} ap_execution_report;
#pragma pack(pop)
AP_SIZE(ap_execution_report, 160);
AP_OFFSET(ap_execution_report, instrument_id, 0);
AP_OFFSET(ap_execution_report, side, 12);
AP_OFFSET(ap_execution_report, execution_type, 13);
AP_OFFSET(ap_execution_report, status, 14);
AP_OFFSET(ap_execution_report, _gap, 15);
AP_OFFSET(ap_execution_report, owner_id, 16);
AP_OFFSET(ap_execution_report, account_id, 24);
AP_OFFSET(ap_execution_report, client_order_id, 32);
AP_OFFSET(ap_execution_report, venue_order_id, 40);
AP_OFFSET(ap_execution_report, execution_id, 56);
AP_OFFSET(ap_execution_report, quantity, 64);
AP_OFFSET(ap_execution_report, leaves_quantity, 72);
AP_OFFSET(ap_execution_report, cumulative_quantity, 80);
AP_OFFSET(ap_execution_report, average_price, 88);
AP_OFFSET(ap_execution_report, transact_time, 96);
AP_OFFSET(ap_execution_report, original_client_order_id, 104);
AP_OFFSET(ap_execution_report, last_price, 112);
AP_OFFSET(ap_execution_report, last_quantity, 120);
AP_OFFSET(ap_execution_report, price, 128);
AP_OFFSET(ap_execution_report, stop_price, 136);
AP_OFFSET(ap_execution_report, trade_id, 144);
AP_OFFSET(ap_execution_report, order_type, 152);
AP_OFFSET(ap_execution_report, time_in_force, 153);
AP_OFFSET(ap_execution_report, liquidity, 154);
AP_OFFSET(ap_execution_report, reject_reason, 155);
AP_OFFSET(ap_execution_report, cancel_reject_reason, 156);
AP_OFFSET(ap_execution_report, restatement_reason, 157);
AP_OFFSET(ap_execution_report, strategy_id, 158);

static inline int ap_execution_report_read(const void *frame, size_t size,
                                           ap_execution_report *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_EXECUTION_REPORT_TYPE, AP_EXECUTION_REPORT_VERSION,
                       sizeof(ap_execution_report), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_execution_report_frame(void *out, size_t room,
                                               const ap_execution_report *fields,
                                               const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_EXECUTION_REPORT_TYPE, AP_EXECUTION_REPORT_VERSION,
                           sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_execution_report_wrong(const ap_execution_report *m) {
    if (!(m->side <= 2)) return "side";
    if (!(m->execution_type <= 1 ||
          (m->execution_type >= 4 && m->execution_type <= 22)))
        return "execution_type";
    if (!(m->status <= 15)) return "status";
    if (!ap_is_zero(m->_gap, 1)) return "_gap";
    if (!(m->order_type <= 4)) return "order_type";
    if (!(m->time_in_force <= 8)) return "time_in_force";
    if (!(m->liquidity <= 2)) return "liquidity";
    if (!(m->reject_reason <= 17 ||
          m->reject_reason == 19 ||
          m->reject_reason == 26 ||
          m->reject_reason == 100))
        return "reject_reason";
    if (!(m->cancel_reject_reason <= 9 ||
          m->cancel_reject_reason == 19 ||
          m->cancel_reject_reason == 100))
        return "cancel_reject_reason";
    if (!(m->restatement_reason <= 14 || m->restatement_reason == 100)) return "restatement_reason";
    return NULL;
}

/* ---------------------------------------------------------------------------------------------- */
/* Messages of control, types 100-109                                                             */
/* ---------------------------------------------------------------------------------------------- */

#define AP_HEARTBEAT_TYPE 100
#define AP_HEARTBEAT_VERSION 1

#pragma pack(push, 1)
/* Heartbeat (type 100, version 1): I am here, 48 bytes and TLVs; FIX 35=0. */
typedef struct ap_heartbeat {
    uint64_t position; /* 0: the next position offered or needed (messages) */
    uint64_t lag;      /* 8: how far behind the end (messages) */
} ap_heartbeat;
#pragma pack(pop)
AP_SIZE(ap_heartbeat, 16);
AP_OFFSET(ap_heartbeat, position, 0);
AP_OFFSET(ap_heartbeat, lag, 8);

/* What follows the fixed part of Heartbeat. */
typedef struct ap_heartbeat_tails {
    ap_span tlvs; /* TLVs: 1 chain */
} ap_heartbeat_tails;

static inline int ap_heartbeat_read(const void *frame, size_t size, ap_heartbeat *out,
                                    ap_heartbeat_tails *tails) {
    ap_span rest;
    int code = ap_open(frame, size, AP_HEARTBEAT_TYPE, AP_HEARTBEAT_VERSION, sizeof(ap_heartbeat),
                       &rest);
    if (code != AP_OK) return code;
    memcpy(out, rest.data, sizeof *out);
    rest.data += sizeof *out;
    rest.size -= sizeof *out;
    ap_take(&rest, rest.size, &tails->tlvs);
    if (rest.size) return AP_BAD_TAILS;
    if (!ap_tlvs_sound(tails->tlvs)) return AP_BAD_TLV;
    return AP_OK;
}

static inline size_t ap_heartbeat_frame(void *out, size_t room, const ap_heartbeat *fields,
                                        const ap_heartbeat_tails *tails, const ap_stamp *stamp) {
    ap_heartbeat fixed = *fields;
    size_t size = sizeof(ap_heartbeat) + tails->tlvs.size;
    uint8_t *at;
    at = ap_begin(out, room, AP_HEARTBEAT_TYPE, AP_HEARTBEAT_VERSION, size, stamp);
    if (at == NULL) return 0;
    at = ap_append(at, &fixed, sizeof fixed);
    ap_append(at, tails->tlvs.data, tails->tlvs.size);
    ap_seal(out);
    return AP_HEADER_SIZE + size;
}

static inline const char *ap_heartbeat_wrong(const ap_heartbeat *m) {
    (void)m;
    return NULL;
}

#define AP_SNAPSHOT_TYPE 101
#define AP_SNAPSHOT_VERSION 1

#pragma pack(push, 1)
/* Snapshot (type 101, version 1): A snapshot begins or ends, 48 bytes; between the two frames
 * without positions. */
typedef struct ap_snapshot {
    uint8_t kind;      /* 0: begin or end; a SnapshotKind */
    uint8_t _start[3]; /* 1: zero */
    uint32_t count;    /* 4: instruments in it (instruments) */
    uint64_t position; /* 8: where the feed goes on afterwards (messages) */
} ap_snapshot;
#pragma pack(pop)
AP_SIZE(ap_snapshot, 16);
AP_OFFSET(ap_snapshot, kind, 0);
AP_OFFSET(ap_snapshot, _start, 1);
AP_OFFSET(ap_snapshot, count, 4);
AP_OFFSET(ap_snapshot, position, 8);

static inline int ap_snapshot_read(const void *frame, size_t size, ap_snapshot *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_SNAPSHOT_TYPE, AP_SNAPSHOT_VERSION, sizeof(ap_snapshot),
                       &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_snapshot_frame(void *out, size_t room, const ap_snapshot *fields,
                                       const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_SNAPSHOT_TYPE, AP_SNAPSHOT_VERSION, sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_snapshot_wrong(const ap_snapshot *m) {
    if (!(m->kind >= 1 && m->kind <= 2)) return "kind";
    if (!ap_is_zero(m->_start, 3)) return "_start";
    return NULL;
}

#define AP_ERROR_TYPE 102
#define AP_ERROR_VERSION 1

#pragma pack(push, 1)
/* Error (type 102, version 1): A frame or the connection was refused, 56 bytes and text; FIX 35=3
 * (Reject). */
typedef struct ap_error {
    uint16_t code;        /* 0: a Reject code (FIX 373 SessionRejectReason) */
    uint8_t message_type; /* 2: type of the frame concerned (FIX 372 RefMsgType) */
    uint8_t fatal;        /* 3: 1 when the connection closes */
    uint16_t text_len;    /* 4: length of text (bytes) */
    uint8_t _middle[2];   /* 6: zero */
    uint64_t sequence;    /* 8: first frame concerned (FIX 45 RefSeqNum) */
    uint64_t expected;    /* 16: SEQUENCE_GAP: the sequence wanted; else the last concerned */
} ap_error;
#pragma pack(pop)
AP_SIZE(ap_error, 24);
AP_OFFSET(ap_error, code, 0);
AP_OFFSET(ap_error, message_type, 2);
AP_OFFSET(ap_error, fatal, 3);
AP_OFFSET(ap_error, text_len, 4);
AP_OFFSET(ap_error, _middle, 6);
AP_OFFSET(ap_error, sequence, 8);
AP_OFFSET(ap_error, expected, 16);

/* What follows the fixed part of Error. */
typedef struct ap_error_tails {
    ap_span text; /* UTF-8 text: what happened, with the count (FIX 58 Text) */
} ap_error_tails;

static inline int ap_error_read(const void *frame, size_t size, ap_error *out,
                                ap_error_tails *tails) {
    ap_span rest;
    int code = ap_open(frame, size, AP_ERROR_TYPE, AP_ERROR_VERSION, sizeof(ap_error), &rest);
    if (code != AP_OK) return code;
    memcpy(out, rest.data, sizeof *out);
    rest.data += sizeof *out;
    rest.size -= sizeof *out;
    if (!ap_take(&rest, (size_t)out->text_len, &tails->text)) return AP_BAD_TAILS;
    if (rest.size) return AP_BAD_TAILS;
    if (!ap_utf8_sound(tails->text)) return AP_BAD_TEXT;
    return AP_OK;
}

static inline size_t ap_error_frame(void *out, size_t room, const ap_error *fields,
                                    const ap_error_tails *tails, const ap_stamp *stamp) {
    ap_error fixed = *fields;
    size_t size = sizeof(ap_error) + tails->text.size;
    uint8_t *at;
    if (tails->text.size > UINT16_MAX) return 0;
    fixed.text_len = (uint16_t)(tails->text.size);
    at = ap_begin(out, room, AP_ERROR_TYPE, AP_ERROR_VERSION, size, stamp);
    if (at == NULL) return 0;
    at = ap_append(at, &fixed, sizeof fixed);
    ap_append(at, tails->text.data, tails->text.size);
    ap_seal(out);
    return AP_HEADER_SIZE + size;
}

static inline const char *ap_error_wrong(const ap_error *m) {
    if (!(m->fatal <= 1)) return "fatal";
    if (!ap_is_zero(m->_middle, 2)) return "_middle";
    return NULL;
}

#define AP_CONFIG_UPDATE_TYPE 103
#define AP_CONFIG_UPDATE_VERSION 1

/* ConfigUpdate (type 103, version 1): Settings as JSON, from 33 bytes on; kept as written, so that
 * it encodes to the same bytes. */

/* What follows the fixed part of ConfigUpdate. */
typedef struct ap_config_update_tails {
    ap_span document; /* UTF-8 JSON: a JSON document (RFC 8259) */
} ap_config_update_tails;

static inline int ap_config_update_read(const void *frame, size_t size,
                                        ap_config_update_tails *tails) {
    ap_span rest;
    int code = ap_open(frame, size, AP_CONFIG_UPDATE_TYPE, AP_CONFIG_UPDATE_VERSION, 0, &rest);
    if (code != AP_OK) return code;
    ap_take(&rest, rest.size, &tails->document);
    if (rest.size) return AP_BAD_TAILS;
    if (!ap_utf8_sound(tails->document)) return AP_BAD_TEXT;
    return AP_OK;
}

static inline size_t ap_config_update_frame(void *out, size_t room,
                                            const ap_config_update_tails *tails,
                                            const ap_stamp *stamp) {
    size_t size = tails->document.size;
    uint8_t *at;
    at = ap_begin(out, room, AP_CONFIG_UPDATE_TYPE, AP_CONFIG_UPDATE_VERSION, size, stamp);
    if (at == NULL) return 0;
    ap_append(at, tails->document.data, tails->document.size);
    ap_seal(out);
    return AP_HEADER_SIZE + size;
}


#define AP_HELLO_TYPE 104
#define AP_HELLO_VERSION 1

#pragma pack(push, 1)
/* Hello (type 104, version 1): A session asks for what it wants, 96 bytes and TLVs; FIX 35=A
 * (Logon). */
typedef struct ap_hello {
    uint8_t role;            /* 0: what the session does; 0 = control only; a Role */
    uint8_t on_lag;          /* 1: what happens when it lags too far; 0 the domain's default; an
                              * OnLag */
    uint16_t heartbeat_ms;   /* 2: time between heartbeats; 0 = 1,000 (ms; FIX 108 HeartBtInt) */
    uint8_t start;           /* 4: where the feed begins; a Start */
    uint8_t _middle[3];      /* 5: zero */
    uint64_t producer_id;    /* 8: identity of the producer; 0 = anonymous */
    uint64_t log_id;         /* 16: the log start_position is of; 0 = any */
    uint64_t start_position; /* 24: a position, or how many for the last (messages) */
    uint8_t type_filter[32]; /* 32: bit n%8 of byte n//8 = type n; all zero = every type */
} ap_hello;
#pragma pack(pop)
AP_SIZE(ap_hello, 64);
AP_OFFSET(ap_hello, role, 0);
AP_OFFSET(ap_hello, on_lag, 1);
AP_OFFSET(ap_hello, heartbeat_ms, 2);
AP_OFFSET(ap_hello, start, 4);
AP_OFFSET(ap_hello, _middle, 5);
AP_OFFSET(ap_hello, producer_id, 8);
AP_OFFSET(ap_hello, log_id, 16);
AP_OFFSET(ap_hello, start_position, 24);
AP_OFFSET(ap_hello, type_filter, 32);

/* What follows the fixed part of Hello. */
typedef struct ap_hello_tails {
    ap_span tlvs; /* TLVs: 1 client name, 2 instruments wanted */
} ap_hello_tails;

static inline int ap_hello_read(const void *frame, size_t size, ap_hello *out,
                                ap_hello_tails *tails) {
    ap_span rest;
    int code = ap_open(frame, size, AP_HELLO_TYPE, AP_HELLO_VERSION, sizeof(ap_hello), &rest);
    if (code != AP_OK) return code;
    memcpy(out, rest.data, sizeof *out);
    rest.data += sizeof *out;
    rest.size -= sizeof *out;
    ap_take(&rest, rest.size, &tails->tlvs);
    if (rest.size) return AP_BAD_TAILS;
    if (!ap_tlvs_sound(tails->tlvs)) return AP_BAD_TLV;
    return AP_OK;
}

static inline size_t ap_hello_frame(void *out, size_t room, const ap_hello *fields,
                                    const ap_hello_tails *tails, const ap_stamp *stamp) {
    ap_hello fixed = *fields;
    size_t size = sizeof(ap_hello) + tails->tlvs.size;
    uint8_t *at;
    at = ap_begin(out, room, AP_HELLO_TYPE, AP_HELLO_VERSION, size, stamp);
    if (at == NULL) return 0;
    at = ap_append(at, &fixed, sizeof fixed);
    ap_append(at, tails->tlvs.data, tails->tlvs.size);
    ap_seal(out);
    return AP_HEADER_SIZE + size;
}

static inline const char *ap_hello_wrong(const ap_hello *m) {
    if (m->role & ~UINT8_C(0x7)) return "role";
    if (!(m->on_lag <= 3)) return "on_lag";
    if (!(m->heartbeat_ms == 0 ||
          (m->heartbeat_ms >= 100 && m->heartbeat_ms <= 60000)))
        return "heartbeat_ms";
    if (!(m->start <= 4)) return "start";
    if (!ap_is_zero(m->_middle, 3)) return "_middle";
    return NULL;
}

#define AP_WELCOME_TYPE 105
#define AP_WELCOME_VERSION 1

#pragma pack(push, 1)
/* Welcome (type 105, version 1): The answer to Hello, 88 bytes: what the session gets, and where it
 * stands. */
typedef struct ap_welcome {
    uint64_t log_id;          /* 0: names the log */
    uint64_t position;        /* 8: of the next domain frame on this connection (messages) */
    uint64_t end_position;    /* 16: frames below it are history (messages) */
    uint64_t oldest_position; /* 24: the oldest kept (messages) */
    uint64_t last_sequence;   /* 32: last accepted of this producer; 0 = unknown */
    uint32_t max_payload;     /* 40: the largest payload taken (bytes) */
    uint16_t heartbeat_ms;    /* 44: time between heartbeats (ms) */
    uint8_t durability;       /* 46: what an Ack will promise; a Durability */
    uint8_t role;             /* 47: the role granted; a Role */
    uint32_t relay_pid;       /* 48: process id of the relay */
    uint8_t _end[4];          /* 52: zero */
} ap_welcome;
#pragma pack(pop)
AP_SIZE(ap_welcome, 56);
AP_OFFSET(ap_welcome, log_id, 0);
AP_OFFSET(ap_welcome, position, 8);
AP_OFFSET(ap_welcome, end_position, 16);
AP_OFFSET(ap_welcome, oldest_position, 24);
AP_OFFSET(ap_welcome, last_sequence, 32);
AP_OFFSET(ap_welcome, max_payload, 40);
AP_OFFSET(ap_welcome, heartbeat_ms, 44);
AP_OFFSET(ap_welcome, durability, 46);
AP_OFFSET(ap_welcome, role, 47);
AP_OFFSET(ap_welcome, relay_pid, 48);
AP_OFFSET(ap_welcome, _end, 52);

static inline int ap_welcome_read(const void *frame, size_t size, ap_welcome *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_WELCOME_TYPE, AP_WELCOME_VERSION, sizeof(ap_welcome), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_welcome_frame(void *out, size_t room, const ap_welcome *fields,
                                      const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_WELCOME_TYPE, AP_WELCOME_VERSION, sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_welcome_wrong(const ap_welcome *m) {
    if (!(m->durability <= 2)) return "durability";
    if (m->role & ~UINT8_C(0x7)) return "role";
    if (!ap_is_zero(m->_end, 4)) return "_end";
    return NULL;
}

#define AP_ACK_TYPE 106
#define AP_ACK_VERSION 1

#pragma pack(push, 1)
/* Ack (type 106, version 1): Everything up to sequence has been read, and is in the log or was
 * named by an Error sent before this Ack; 56 bytes. */
typedef struct ap_ack {
    uint64_t sequence;  /* 0: last of the producer's frames that this covers */
    uint64_t position;  /* 8: the log's end then (messages) */
    uint8_t durability; /* 16: what it survives; a Durability */
    uint8_t _end[7];    /* 17: zero */
} ap_ack;
#pragma pack(pop)
AP_SIZE(ap_ack, 24);
AP_OFFSET(ap_ack, sequence, 0);
AP_OFFSET(ap_ack, position, 8);
AP_OFFSET(ap_ack, durability, 16);
AP_OFFSET(ap_ack, _end, 17);

static inline int ap_ack_read(const void *frame, size_t size, ap_ack *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_ACK_TYPE, AP_ACK_VERSION, sizeof(ap_ack), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_ack_frame(void *out, size_t room, const ap_ack *fields,
                                  const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_ACK_TYPE, AP_ACK_VERSION, sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_ack_wrong(const ap_ack *m) {
    if (!(m->durability <= 2)) return "durability";
    if (!ap_is_zero(m->_end, 7)) return "_end";
    return NULL;
}

#define AP_GAP_TYPE 107
#define AP_GAP_VERSION 1

#pragma pack(push, 1)
/* Gap (type 107, version 1): Positions this session does not get, 64 bytes. */
typedef struct ap_gap {
    uint64_t first_position; /* 0: first missing (messages) */
    uint64_t last_position;  /* 8: last missing (messages) */
    uint64_t count;          /* 16: positions missing, before filters; 2**64-1 = unknown
                              * (messages) */
    uint8_t reason;          /* 24: why; a GapReason */
    uint8_t breaker;         /* 25: the breaker's state: 0 closed, 1 open, 2 half open, 3
                              * replaying */
    uint8_t _end[6];         /* 26: zero */
} ap_gap;
#pragma pack(pop)
AP_SIZE(ap_gap, 32);
AP_OFFSET(ap_gap, first_position, 0);
AP_OFFSET(ap_gap, last_position, 8);
AP_OFFSET(ap_gap, count, 16);
AP_OFFSET(ap_gap, reason, 24);
AP_OFFSET(ap_gap, breaker, 25);
AP_OFFSET(ap_gap, _end, 26);

static inline int ap_gap_read(const void *frame, size_t size, ap_gap *out) {
    ap_span rest;
    int code = ap_open(frame, size, AP_GAP_TYPE, AP_GAP_VERSION, sizeof(ap_gap), &rest);
    if (code != AP_OK) return code;
    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;
    memcpy(out, rest.data, sizeof *out);
    return AP_OK;
}

static inline size_t ap_gap_frame(void *out, size_t room, const ap_gap *fields,
                                  const ap_stamp *stamp) {
    uint8_t *at = ap_begin(out, room, AP_GAP_TYPE, AP_GAP_VERSION, sizeof *fields, stamp);
    if (at == NULL) return 0;
    memcpy(at, fields, sizeof *fields);
    ap_seal(out);
    return AP_HEADER_SIZE + sizeof *fields;
}

static inline const char *ap_gap_wrong(const ap_gap *m) {
    if (!(m->reason >= 1 && m->reason <= 3)) return "reason";
    if (!ap_is_zero(m->_end, 6)) return "_end";
    return NULL;
}

/* ---------------------------------------------------------------------------------------------- */
/* TLV payloads: ap_tlv_put what they are, read with ap_..._from what is found                    */
/* ---------------------------------------------------------------------------------------------- */

#define AP_POOL_ADDRESSES_TLV 1

#pragma pack(push, 1)
/* PoolAddresses (TLV type 1): The pools of a signal's two venues, 42 bytes; for quoter calls. */
typedef struct ap_pool_addresses {
    uint8_t venue_a_pool[20]; /* 0: pool contract on venue A */
    uint8_t venue_b_pool[20]; /* 20: pool contract on venue B; zeros = none */
    uint8_t _reserved[2];     /* 40: zero */
} ap_pool_addresses;
#pragma pack(pop)
AP_SIZE(ap_pool_addresses, 42);
AP_OFFSET(ap_pool_addresses, venue_a_pool, 0);
AP_OFFSET(ap_pool_addresses, venue_b_pool, 20);
AP_OFFSET(ap_pool_addresses, _reserved, 40);

/* From the payload of a TLV; 0 when it has another size. */
static inline int ap_pool_addresses_from(ap_span payload, ap_pool_addresses *out) {
    if (payload.size != sizeof *out) return 0;
    memcpy(out, payload.data, sizeof *out);
    return 1;
}

static inline const char *ap_pool_addresses_wrong(const ap_pool_addresses *m) {
    if (!ap_is_zero(m->_reserved, 2)) return "_reserved";
    return NULL;
}

#define AP_TERTIARY_VENUE_TLV 2

#pragma pack(push, 1)
/* TertiaryVenue (TLV type 2): The third venue of a triangular arbitrage, 30 bytes. */
typedef struct ap_tertiary_venue {
    uint8_t venue_c_router[20]; /* 0: router contract */
    uint8_t venue_c_type;       /* 20: how its pools price; a PoolType */
    uint32_t fee_c_ppm;         /* 21: fee of a swap (1e-6) */
    uint8_t _reserved[5];       /* 25: zero */
} ap_tertiary_venue;
#pragma pack(pop)
AP_SIZE(ap_tertiary_venue, 30);
AP_OFFSET(ap_tertiary_venue, venue_c_router, 0);
AP_OFFSET(ap_tertiary_venue, venue_c_type, 20);
AP_OFFSET(ap_tertiary_venue, fee_c_ppm, 21);
AP_OFFSET(ap_tertiary_venue, _reserved, 25);

/* From the payload of a TLV; 0 when it has another size. */
static inline int ap_tertiary_venue_from(ap_span payload, ap_tertiary_venue *out) {
    if (payload.size != sizeof *out) return 0;
    memcpy(out, payload.data, sizeof *out);
    return 1;
}

static inline const char *ap_tertiary_venue_wrong(const ap_tertiary_venue *m) {
    if (!(m->fee_c_ppm <= UINT32_C(1000000))) return "fee_c_ppm";
    if (!ap_is_zero(m->_reserved, 5)) return "_reserved";
    return NULL;
}

#define AP_MEV_BUNDLE_TLV 3

#pragma pack(push, 1)
/* MEVBundle (TLV type 3): How a bundle is sent to block builders, 43 bytes. */
typedef struct ap_mev_bundle {
    uint32_t target_builder;     /* 0: the builder preferred; 0 any */
    uint32_t bundle_uuid;        /* 4: ties the bundle's signals together */
    uint8_t max_bundle_size;     /* 8: most transactions; 0 any (transactions) */
    uint64_t priority_fee_gwei;  /* 9: tip per gas (gwei) */
    uint8_t target_block_range;  /* 17: how far ahead to aim (blocks) */
    uint8_t submission_strategy; /* 18: the way it goes; a Submission */
    uint64_t relay_preferences;  /* 19: bit n = the relay with number n will do */
    uint8_t _reserved[16];       /* 27: zero */
} ap_mev_bundle;
#pragma pack(pop)
AP_SIZE(ap_mev_bundle, 43);
AP_OFFSET(ap_mev_bundle, target_builder, 0);
AP_OFFSET(ap_mev_bundle, bundle_uuid, 4);
AP_OFFSET(ap_mev_bundle, max_bundle_size, 8);
AP_OFFSET(ap_mev_bundle, priority_fee_gwei, 9);
AP_OFFSET(ap_mev_bundle, target_block_range, 17);
AP_OFFSET(ap_mev_bundle, submission_strategy, 18);
AP_OFFSET(ap_mev_bundle, relay_preferences, 19);
AP_OFFSET(ap_mev_bundle, _reserved, 27);

/* From the payload of a TLV; 0 when it has another size. */
static inline int ap_mev_bundle_from(ap_span payload, ap_mev_bundle *out) {
    if (payload.size != sizeof *out) return 0;
    memcpy(out, payload.data, sizeof *out);
    return 1;
}

static inline const char *ap_mev_bundle_wrong(const ap_mev_bundle *m) {
    if (!ap_is_zero(m->_reserved, 16)) return "_reserved";
    return NULL;
}

#define AP_SLIPPAGE_MODEL_TLV 4

#pragma pack(push, 1)
/* SlippageModel (TLV type 4): Slippage expected of a trade of some size, 48 bytes. */
typedef struct ap_slippage_model {
    uint8_t model;            /* 0: the curve; a SlippageCurve */
    uint8_t _start[7];        /* 1: zero */
    int64_t intercept;        /* 8: slippage of an infinitely small trade (1e-8) */
    int64_t slope;            /* 16: what f(r) is multiplied by (1e-8) */
    uint64_t exponent;        /* 24: of POWER only (1e-8) */
    ap_u128 reference_size_q; /* 32: what size is divided by (Q64.64 base token) */
} ap_slippage_model;
#pragma pack(pop)
AP_SIZE(ap_slippage_model, 48);
AP_OFFSET(ap_slippage_model, model, 0);
AP_OFFSET(ap_slippage_model, _start, 1);
AP_OFFSET(ap_slippage_model, intercept, 8);
AP_OFFSET(ap_slippage_model, slope, 16);
AP_OFFSET(ap_slippage_model, exponent, 24);
AP_OFFSET(ap_slippage_model, reference_size_q, 32);

/* From the payload of a TLV; 0 when it has another size. */
static inline int ap_slippage_model_from(ap_span payload, ap_slippage_model *out) {
    if (payload.size != sizeof *out) return 0;
    memcpy(out, payload.data, sizeof *out);
    return 1;
}

static inline const char *ap_slippage_model_wrong(const ap_slippage_model *m) {
    if (!ap_is_zero(m->_start, 7)) return "_start";
    return NULL;
}

#define AP_TRACE_CONTEXT_TLV 5

#pragma pack(push, 1)
/* TraceContext (TLV type 5): W3C trace context (the fields of traceparent), 25 bytes: ties messages
 * to a trace. */
typedef struct ap_trace_context {
    uint8_t trace_id[16]; /* 0: the trace, not zeros */
    uint8_t parent_id[8]; /* 16: the span that sent this, not zeros */
    uint8_t flags;        /* 24: bit 0 = sampled */
} ap_trace_context;
#pragma pack(pop)
AP_SIZE(ap_trace_context, 25);
AP_OFFSET(ap_trace_context, trace_id, 0);
AP_OFFSET(ap_trace_context, parent_id, 16);
AP_OFFSET(ap_trace_context, flags, 24);

/* From the payload of a TLV; 0 when it has another size. */
static inline int ap_trace_context_from(ap_span payload, ap_trace_context *out) {
    if (payload.size != sizeof *out) return 0;
    memcpy(out, payload.data, sizeof *out);
    return 1;
}

static inline const char *ap_trace_context_wrong(const ap_trace_context *m) {
    (void)m;
    return NULL;
}

#define AP_FLASH_LOAN_PARAMS_TLV 11

#pragma pack(push, 1)
/* FlashLoanParams (TLV type 11): A loan taken and repaid within the transaction, 64 bytes. */
typedef struct ap_flash_loan_params {
    uint8_t provider;   /* 0: who lends; a Lender */
    uint8_t _start[3];  /* 1: zero */
    uint32_t fee_ppm;   /* 4: fee on amount_wei (1e-6) */
    uint8_t pool[20];   /* 8: contract that lends */
    uint8_t token[20];  /* 28: contract of the token borrowed */
    ap_u128 amount_wei; /* 48: amount borrowed (smallest unit of token) */
} ap_flash_loan_params;
#pragma pack(pop)
AP_SIZE(ap_flash_loan_params, 64);
AP_OFFSET(ap_flash_loan_params, provider, 0);
AP_OFFSET(ap_flash_loan_params, _start, 1);
AP_OFFSET(ap_flash_loan_params, fee_ppm, 4);
AP_OFFSET(ap_flash_loan_params, pool, 8);
AP_OFFSET(ap_flash_loan_params, token, 28);
AP_OFFSET(ap_flash_loan_params, amount_wei, 48);

/* From the payload of a TLV; 0 when it has another size. */
static inline int ap_flash_loan_params_from(ap_span payload, ap_flash_loan_params *out) {
    if (payload.size != sizeof *out) return 0;
    memcpy(out, payload.data, sizeof *out);
    return 1;
}

static inline const char *ap_flash_loan_params_wrong(const ap_flash_loan_params *m) {
    if (!ap_is_zero(m->_start, 3)) return "_start";
    if (!(m->fee_ppm <= UINT32_C(1000000))) return "fee_ppm";
    return NULL;
}

#define AP_LIQUIDATION_TARGET_TLV 12

#pragma pack(push, 1)
/* LiquidationTarget (TLV type 12): A loan that can be liquidated, 96 bytes. */
typedef struct ap_liquidation_target {
    uint8_t protocol;             /* 0: where the loan is; a LendingProtocol */
    uint8_t _start[3];            /* 1: zero */
    uint32_t close_factor_ppm;    /* 4: part of the debt that may be repaid (1e-6) */
    uint32_t bonus_ppm;           /* 8: collateral paid on top (1e-6) */
    uint8_t borrower[20];         /* 12: account that owes */
    uint8_t debt_token[20];       /* 32: contract of the token owed */
    uint8_t collateral_token[20]; /* 52: contract of the token pledged */
    uint64_t health_factor;       /* 72: below 1e8 it can be liquidated (1e-8) */
    ap_u128 debt_to_cover_wei;    /* 80: debt to repay (smallest unit of debt_token) */
} ap_liquidation_target;
#pragma pack(pop)
AP_SIZE(ap_liquidation_target, 96);
AP_OFFSET(ap_liquidation_target, protocol, 0);
AP_OFFSET(ap_liquidation_target, _start, 1);
AP_OFFSET(ap_liquidation_target, close_factor_ppm, 4);
AP_OFFSET(ap_liquidation_target, bonus_ppm, 8);
AP_OFFSET(ap_liquidation_target, borrower, 12);
AP_OFFSET(ap_liquidation_target, debt_token, 32);
AP_OFFSET(ap_liquidation_target, collateral_token, 52);
AP_OFFSET(ap_liquidation_target, health_factor, 72);
AP_OFFSET(ap_liquidation_target, debt_to_cover_wei, 80);

/* From the payload of a TLV; 0 when it has another size. */
static inline int ap_liquidation_target_from(ap_span payload, ap_liquidation_target *out) {
    if (payload.size != sizeof *out) return 0;
    memcpy(out, payload.data, sizeof *out);
    return 1;
}

static inline const char *ap_liquidation_target_wrong(const ap_liquidation_target *m) {
    if (!ap_is_zero(m->_start, 3)) return "_start";
    if (!(m->close_factor_ppm <= UINT32_C(1000000))) return "close_factor_ppm";
    if (!(m->bonus_ppm <= UINT32_C(1000000))) return "bonus_ppm";
    return NULL;
}

#define AP_SANDWICH_PARAMS_TLV 13

#pragma pack(push, 1)
/* SandwichParams (TLV type 13): A transaction to be surrounded, and how, 112 bytes. */
typedef struct ap_sandwich_params {
    uint8_t victim_tx_hash[32];   /* 0: hash of the pending transaction */
    ap_u128 victim_amount_in_wei; /* 32: what it sells (smallest unit) */
    ap_u128 victim_min_out_wei;   /* 48: the least it accepts (smallest unit) */
    ap_u128 frontrun_amount_wei;  /* 64: to sell before it (smallest unit) */
    ap_u128 backrun_amount_wei;   /* 80: to sell after it (smallest unit) */
    uint64_t max_gas_price_gwei;  /* 96: most to pay per gas; 0 any (gwei) */
    uint16_t victim_slippage_bps; /* 104: slippage it allows (1/10,000) */
    uint8_t _end[6];              /* 106: zero */
} ap_sandwich_params;
#pragma pack(pop)
AP_SIZE(ap_sandwich_params, 112);
AP_OFFSET(ap_sandwich_params, victim_tx_hash, 0);
AP_OFFSET(ap_sandwich_params, victim_amount_in_wei, 32);
AP_OFFSET(ap_sandwich_params, victim_min_out_wei, 48);
AP_OFFSET(ap_sandwich_params, frontrun_amount_wei, 64);
AP_OFFSET(ap_sandwich_params, backrun_amount_wei, 80);
AP_OFFSET(ap_sandwich_params, max_gas_price_gwei, 96);
AP_OFFSET(ap_sandwich_params, victim_slippage_bps, 104);
AP_OFFSET(ap_sandwich_params, _end, 106);

/* From the payload of a TLV; 0 when it has another size. */
static inline int ap_sandwich_params_from(ap_span payload, ap_sandwich_params *out) {
    if (payload.size != sizeof *out) return 0;
    memcpy(out, payload.data, sizeof *out);
    return 1;
}

static inline const char *ap_sandwich_params_wrong(const ap_sandwich_params *m) {
    if (!ap_is_zero(m->_end, 6)) return "_end";
    return NULL;
}

#define AP_GAS_OPTIMIZATION_TLV 21

#pragma pack(push, 1)
/* GasOptimization (TLV type 21): Hints on gas and its price (EIP-1559), 40 bytes. */
typedef struct ap_gas_optimization {
    uint64_t gas_limit;            /* 0: most gas to use (gas) */
    uint64_t max_fee_per_gas_wei;  /* 8: most to pay per gas, tip included (wei) */
    uint64_t max_priority_fee_wei; /* 16: most to tip per gas (wei) */
    uint64_t base_fee_wei;         /* 24: base fee of the block observed (wei) */
    uint32_t wait_blocks;          /* 32: how long to wait for cheaper gas (blocks) */
    uint8_t strategy;              /* 36: time or gas first; a GasStrategy */
    uint8_t _end[3];               /* 37: zero */
} ap_gas_optimization;
#pragma pack(pop)
AP_SIZE(ap_gas_optimization, 40);
AP_OFFSET(ap_gas_optimization, gas_limit, 0);
AP_OFFSET(ap_gas_optimization, max_fee_per_gas_wei, 8);
AP_OFFSET(ap_gas_optimization, max_priority_fee_wei, 16);
AP_OFFSET(ap_gas_optimization, base_fee_wei, 24);
AP_OFFSET(ap_gas_optimization, wait_blocks, 32);
AP_OFFSET(ap_gas_optimization, strategy, 36);
AP_OFFSET(ap_gas_optimization, _end, 37);

/* From the payload of a TLV; 0 when it has another size. */
static inline int ap_gas_optimization_from(ap_span payload, ap_gas_optimization *out) {
    if (payload.size != sizeof *out) return 0;
    memcpy(out, payload.data, sizeof *out);
    return 1;
}

static inline const char *ap_gas_optimization_wrong(const ap_gas_optimization *m) {
    if (!ap_is_zero(m->_end, 3)) return "_end";
    return NULL;
}

#define AP_CROSS_CHAIN_TLV 22

#pragma pack(push, 1)
/* CrossChain (TLV type 22): A transfer to another chain, 96 bytes. */
typedef struct ap_cross_chain {
    uint32_t source_chain_id;      /* 0: EVM chain id it leaves */
    uint32_t destination_chain_id; /* 4: EVM chain id it goes to */
    uint8_t bridge;                /* 8: what carries it; a Bridge */
    uint8_t _start[3];             /* 9: zero */
    uint32_t bridge_fee_ppm;       /* 12: fee (1e-6) */
    uint8_t bridge_contract[20];   /* 16: the bridge, on the chain it leaves */
    uint8_t recipient[20];         /* 36: account it goes to */
    uint8_t destination_token[20]; /* 56: contract of the token received */
    uint32_t max_seconds;          /* 76: longest it may take; 0 any (s) */
    ap_u128 min_received_wei;      /* 80: the least to receive (smallest unit) */
} ap_cross_chain;
#pragma pack(pop)
AP_SIZE(ap_cross_chain, 96);
AP_OFFSET(ap_cross_chain, source_chain_id, 0);
AP_OFFSET(ap_cross_chain, destination_chain_id, 4);
AP_OFFSET(ap_cross_chain, bridge, 8);
AP_OFFSET(ap_cross_chain, _start, 9);
AP_OFFSET(ap_cross_chain, bridge_fee_ppm, 12);
AP_OFFSET(ap_cross_chain, bridge_contract, 16);
AP_OFFSET(ap_cross_chain, recipient, 36);
AP_OFFSET(ap_cross_chain, destination_token, 56);
AP_OFFSET(ap_cross_chain, max_seconds, 76);
AP_OFFSET(ap_cross_chain, min_received_wei, 80);

/* From the payload of a TLV; 0 when it has another size. */
static inline int ap_cross_chain_from(ap_span payload, ap_cross_chain *out) {
    if (payload.size != sizeof *out) return 0;
    memcpy(out, payload.data, sizeof *out);
    return 1;
}

static inline const char *ap_cross_chain_wrong(const ap_cross_chain *m) {
    if (!ap_is_zero(m->_start, 3)) return "_start";
    if (!(m->bridge_fee_ppm <= UINT32_C(1000000))) return "bridge_fee_ppm";
    return NULL;
}

#define AP_LAYER2_PARAMS_TLV 23

#pragma pack(push, 1)
/* Layer2Params (TLV type 23): What executing on a layer 2 costs and how final it is, 56 bytes. */
typedef struct ap_layer2_params {
    uint8_t rollup;                /* 0: how it proves its state; a Rollup */
    uint8_t _start[3];             /* 1: zero */
    uint32_t chain_id;             /* 4: EVM chain id of the layer 2 */
    uint64_t l1_base_fee_wei;      /* 8: base fee of layer 1 per gas (wei) */
    uint64_t l1_blob_base_fee_wei; /* 16: blob base fee of layer 1 per gas (wei) */
    ap_u128 l1_data_fee_wei;       /* 24: fee for the transaction's data (wei) */
    uint64_t l1_block;             /* 40: layer 1 block these are of; 0 unknown */
    uint32_t finality_seconds;     /* 48: until layer 1 has it for good (s) */
    uint32_t sequencer_ms;         /* 52: until the sequencer answers (ms) */
} ap_layer2_params;
#pragma pack(pop)
AP_SIZE(ap_layer2_params, 56);
AP_OFFSET(ap_layer2_params, rollup, 0);
AP_OFFSET(ap_layer2_params, _start, 1);
AP_OFFSET(ap_layer2_params, chain_id, 4);
AP_OFFSET(ap_layer2_params, l1_base_fee_wei, 8);
AP_OFFSET(ap_layer2_params, l1_blob_base_fee_wei, 16);
AP_OFFSET(ap_layer2_params, l1_data_fee_wei, 24);
AP_OFFSET(ap_layer2_params, l1_block, 40);
AP_OFFSET(ap_layer2_params, finality_seconds, 48);
AP_OFFSET(ap_layer2_params, sequencer_ms, 52);

/* From the payload of a TLV; 0 when it has another size. */
static inline int ap_layer2_params_from(ap_span payload, ap_layer2_params *out) {
    if (payload.size != sizeof *out) return 0;
    memcpy(out, payload.data, sizeof *out);
    return 1;
}

static inline const char *ap_layer2_params_wrong(const ap_layer2_params *m) {
    if (!ap_is_zero(m->_start, 3)) return "_start";
    return NULL;
}

/* ---------------------------------------------------------------------------------------------- */
/* Any message                                                                                    */
/* ---------------------------------------------------------------------------------------------- */

/* Whether a payload of this type and version can have this size; of one that is not
 * known here: any. */
static inline int ap_size_fits(uint8_t message_type, uint8_t version, uint32_t size) {
    switch (message_type << 8 | version) {
    case 1 << 8 | 1:
        return size == 32; /* Trade */
    case 2 << 8 | 1:
        return size == 48; /* Quote */
    case 3 << 8 | 1:
        return size >= 32; /* OrderBook */
    case 10 << 8 | 1:
        return size >= 16; /* InstrumentDiscovered */
    case 11 << 8 | 1:
        return size >= 16; /* PoolDiscovered */
    case 12 << 8 | 1:
        return size == 16; /* VenueUpdate */
    case 20 << 8 | 1:
        return size == 64; /* ArbitrageOpportunity */
    case 21 << 8 | 1:
        return size == 72; /* PositionUpdate */
    case 22 << 8 | 1:
        return size == 88; /* StrategyAlert */
    case 23 << 8 | 1:
        return size == 80; /* RebalanceSignal */
    case 24 << 8 | 1:
        return size == 64; /* RiskMetric */
    case 25 << 8 | 1:
        return size == 96; /* PerformanceUpdate */
    case 30 << 8 | 1:
        return size == 112; /* PoolArbitrageSignalV1 */
    case 30 << 8 | 2:
        return size == 160; /* PoolArbitrageSignal */
    case 31 << 8 | 1:
        return size == 72; /* LiquidityImbalance */
    case 32 << 8 | 1:
        return size == 128; /* ImpermanentLossAlert */
    case 33 << 8 | 1:
        return size == 80; /* MEVOpportunityV1 */
    case 33 << 8 | 2:
        return size == 112; /* MEVOpportunity */
    case 34 << 8 | 1:
        return size == 152; /* FlashLoanSignal */
    case 35 << 8 | 1:
        return size == 144; /* YieldFarmingUpdate */
    case 36 << 8 | 1:
        return size == 88; /* GasOptimizationSignal */
    case 37 << 8 | 1:
        return size >= 280; /* DeFiSignal */
    case 40 << 8 | 1:
        return size == 80; /* OrderRequest */
    case 41 << 8 | 1:
        return size == 128; /* OrderStatus */
    case 42 << 8 | 1:
        return size == 128; /* Fill */
    case 43 << 8 | 1:
        return size == 80; /* OrderCancel */
    case 44 << 8 | 1:
        return size == 112; /* OrderModify */
    case 45 << 8 | 1:
        return size == 160; /* ExecutionReport */
    case 100 << 8 | 1:
        return size >= 16; /* Heartbeat */
    case 101 << 8 | 1:
        return size == 16; /* Snapshot */
    case 102 << 8 | 1:
        return size >= 24; /* Error */
    case 103 << 8 | 1:
        return size >= 1; /* ConfigUpdate */
    case 104 << 8 | 1:
        return size >= 64; /* Hello */
    case 105 << 8 | 1:
        return size == 56; /* Welcome */
    case 106 << 8 | 1:
        return size == 24; /* Ack */
    case 107 << 8 | 1:
        return size == 32; /* Gap */
    default: return 1;
    }
}

/* The checks that a relay makes of one frame, in its order: AP_OK or a Reject code. `max_payload`
 * is that of the relay (Welcome.max_payload), or AP_MAX_PAYLOAD. AP_REJECT_TRUNCATED: more bytes
 * are wanted. */
static inline int ap_check(const void *data, size_t size, uint32_t max_payload) {
    ap_header header;
    if (size < AP_HEADER_SIZE) return AP_REJECT_TRUNCATED;
    header = ap_header_get(data);
    if (header.magic != AP_MAGIC) return AP_REJECT_BAD_MAGIC;
    if (header.payload_size > max_payload) return AP_REJECT_PAYLOAD_TOO_LARGE;
    if (!(header.flags & AP_FLAGS_COMPRESSED) &&
        !ap_size_fits(header.message_type, header.version, header.payload_size))
        return AP_REJECT_BAD_SIZE;
    if (size - AP_HEADER_SIZE < header.payload_size) return AP_REJECT_TRUNCATED;
    if (!ap_verify(data)) return AP_REJECT_BAD_CHECKSUM;
    return AP_OK;
}

/* The next of frames that lie back to back, as in a .frames file or what was read from a socket,
 * and `*at` moved past it. Begin with `*at` 0. AP_OK: `*frame` has it, whole and undamaged. AP_END:
 * no bytes are left. AP_REJECT_TRUNCATED: those that are left want more; a file was cut short.
 * Others: what is wrong with the frame at `*at`, which stays. */
static inline int ap_next(ap_span bytes, size_t *at, ap_span *frame) {
    const uint8_t *data;
    int code;
    if (*at >= bytes.size) return AP_END;
    data = bytes.data + *at;
    code = ap_check(data, bytes.size - *at, AP_MAX_PAYLOAD);
    if (code != AP_OK) return code;
    *frame = ap_bytes(data, AP_HEADER_SIZE + ap_header_get(data).payload_size);
    *at += frame->size;
    return AP_OK;
}

/* The name of a message type, NULL for one that is not known here. */
static inline const char *ap_type_name(uint8_t message_type) {
    switch (message_type) {
    case 1: return "Trade";
    case 2: return "Quote";
    case 3: return "OrderBook";
    case 10: return "InstrumentDiscovered";
    case 11: return "PoolDiscovered";
    case 12: return "VenueUpdate";
    case 20: return "ArbitrageOpportunity";
    case 21: return "PositionUpdate";
    case 22: return "StrategyAlert";
    case 23: return "RebalanceSignal";
    case 24: return "RiskMetric";
    case 25: return "PerformanceUpdate";
    case 30: return "PoolArbitrageSignal";
    case 31: return "LiquidityImbalance";
    case 32: return "ImpermanentLossAlert";
    case 33: return "MEVOpportunity";
    case 34: return "FlashLoanSignal";
    case 35: return "YieldFarmingUpdate";
    case 36: return "GasOptimizationSignal";
    case 37: return "DeFiSignal";
    case 40: return "OrderRequest";
    case 41: return "OrderStatus";
    case 42: return "Fill";
    case 43: return "OrderCancel";
    case 44: return "OrderModify";
    case 45: return "ExecutionReport";
    case 100: return "Heartbeat";
    case 101: return "Snapshot";
    case 102: return "Error";
    case 103: return "ConfigUpdate";
    case 104: return "Hello";
    case 105: return "Welcome";
    case 106: return "Ack";
    case 107: return "Gap";
    default: return NULL;
    }
}

/* The name of what a function here returns, and of Error.code: never NULL. */
static inline const char *ap_fault_name(int code) {
    switch (code) {
    case AP_OK: return "OK";
    case AP_OTHER_SCHEMA: return "OTHER_SCHEMA";
    case AP_BAD_TAILS: return "BAD_TAILS";
    case AP_BAD_TEXT: return "BAD_TEXT";
    case AP_BAD_TLV: return "BAD_TLV";
    case AP_END: return "END";
    case AP_REJECT_BAD_MAGIC: return "BAD_MAGIC";
    case AP_REJECT_PAYLOAD_TOO_LARGE: return "PAYLOAD_TOO_LARGE";
    case AP_REJECT_WRONG_DOMAIN: return "WRONG_DOMAIN";
    case AP_REJECT_BAD_SIZE: return "BAD_SIZE";
    case AP_REJECT_BAD_CHECKSUM: return "BAD_CHECKSUM";
    case AP_REJECT_SEQUENCE_GAP: return "SEQUENCE_GAP";
    case AP_REJECT_SEQUENCE_DUPLICATE: return "SEQUENCE_DUPLICATE";
    case AP_REJECT_SOURCE_NOT_ALLOWED: return "SOURCE_NOT_ALLOWED";
    case AP_REJECT_TRUNCATED: return "TRUNCATED";
    case AP_REJECT_NOT_A_PRODUCER: return "NOT_A_PRODUCER";
    case AP_REJECT_BAD_HELLO: return "BAD_HELLO";
    case AP_REJECT_ACCESS_DENIED: return "ACCESS_DENIED";
    case AP_REJECT_TOO_MANY_CONNECTIONS: return "TOO_MANY_CONNECTIONS";
    case AP_REJECT_COOLDOWN: return "COOLDOWN";
    case AP_REJECT_SLOW_CONSUMER: return "SLOW_CONSUMER";
    case AP_REJECT_DRAINING: return "DRAINING";
    case AP_REJECT_NOT_ACCEPTING: return "NOT_ACCEPTING";
    case AP_REJECT_FENCED: return "FENCED";
    case AP_REJECT_SEQUENCE_CONFLICT: return "SEQUENCE_CONFLICT";
    default: return "UNKNOWN";
    }
}

#ifdef __cplusplus
}
#endif

#endif
