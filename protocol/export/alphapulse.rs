//! alphapulse.rs: the frames of the AlphaPulse relays, in plain Rust without any crate.
//!
//! Written by `relays export rust` from the message classes of the protocol package: do not edit.
//! protocol/SPEC.md has the rules, tests/vectors/ frames to test an implementation with.
//! Use it as a module, in edition 2021 or later: `mod alphapulse;`.
//!
//! A frame is a header of 32 bytes and a payload; a socket carries frames back to back. For each
//! message there is a packed struct of the payload's fixed part:
//!
//! ```ignore
//! let header = check(bytes, max_payload)?;     // a whole, undamaged frame is there
//! match decode(bytes)? {
//!     Message::Trade(trade) => println!("{}", { trade.price }),
//!     Message::OrderBook(book, tails) => println!("{:?}", tails.bids.iter().next()),
//!     other => println!("{other:?}"),
//! }
//! let frame = trade.frame(&Stamp { sequence, timestamp, ..Stamp::default() });
//! ```
//!
//! `frames(bytes)` goes from frame to frame through a file or a buffer. max_payload is that of the
//! relay (Welcome.max_payload; 65,536 unless it is told another), and MAX_PAYLOAD for files: no
//! relay takes more.
//!
//! What follows the fixed part (symbols, levels, text, TLVs) borrows from the frame that was read.
//! Prices and quantities are integers in units of 1e-8 unless the field says otherwise. Numbers
//! that no enumeration names are data: pass them on.

#![allow(dead_code)]
#![forbid(unsafe_code)]

use std::fmt;

pub const MAGIC: u32 = 0xDEAD_BEEF;
pub const HEADER_SIZE: usize = 32;
/// Where the checksum is in a frame; it covers all but itself.
pub const CHECKSUM_AT: usize = 28;
pub const LEVEL_SIZE: usize = 16;
/// The most any relay may be told to take, and what the payloads in files can have.
pub const MAX_PAYLOAD: u32 = 1 << 20;
/// Header.flags: reserved for compression; where one is set, sizes do not hold.
pub const FLAGS_COMPRESSED: u8 = 0x03;
/// Header.flags: 0 normal to 3 urgent, shifted by 4.
pub const FLAGS_PRIORITY: u8 = 0x30;
/// Gap.count: nobody knows how many.
pub const UNKNOWN_COUNT: u64 = u64::MAX;
/// A TLV of Hello: `[A-Za-z0-9_.-]{1,64}`.
pub const HELLO_TLV_CLIENT_NAME: u8 = 1;
/// A TLV of Hello: 1 to 21 InstrumentIds.
pub const HELLO_TLV_INSTRUMENTS: u8 = 2;

/// What is wrong with bytes, or with what should become bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What a relay would refuse it with.
    Rejected(Reject),
    /// Another message type, version or size, or a compressed payload.
    OtherSchema,
    /// What follows the fixed part is not as long as the counts say, or longer than they can say.
    Tails,
    /// Text that is not UTF-8.
    Text,
    /// A TLV that runs past the end: where it begins in the bytes of TLVs.
    Tlv(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Rejected(code) => write!(out, "{code:?}"),
            Fault::OtherSchema => write!(out, "another message type, version or size"),
            Fault::Tails => write!(out, "the tails are not as long as the counts say"),
            Fault::Text => write!(out, "text that is not UTF-8"),
            Fault::Tlv(at) => write!(out, "the TLV at {at} runs past the end"),
        }
    }
}

impl std::error::Error for Fault {}

/// A value with a fixed size on the wire.
pub trait Wire: Copy {
    const SIZE: usize;

    /// The value at the front of `bytes`, of which there are SIZE at least.
    fn get(bytes: &[u8]) -> Self;

    /// Append the value to `out`.
    fn put(self, out: &mut Vec<u8>);
}

macro_rules! integers {
    ($($name:ty)*) => {$(
        impl Wire for $name {
            const SIZE: usize = std::mem::size_of::<$name>();

            fn get(bytes: &[u8]) -> Self {
                Self::from_le_bytes(<[u8; <$name as Wire>::SIZE]>::get(bytes))
            }

            fn put(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

integers! { u8 u16 u32 u64 u128 i32 i64 i128 }

impl<const N: usize> Wire for [u8; N] {
    const SIZE: usize = N;

    fn get(bytes: &[u8]) -> Self {
        let mut value = [0; N];
        value.copy_from_slice(&bytes[..N]);
        value
    }

    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self);
    }
}

// Numbers that have names; others are values of the type too.
macro_rules! names {
    ($(#[$about:meta])* $name:ident: $kind:ty { $($member:ident = $value:literal,)* }) => {
        $(#[$about])*
        #[repr(transparent)]
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub $kind);

        impl $name {
            $(pub const $member: Self = Self($value);)*

            /// The number's name, if it has one.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($member)),)*
                    _ => None,
                }
            }

            /// Whether every bit of `other` is set.
            pub fn has(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => out.write_str(name),
                    None => write!(out, "{}({})", stringify!($name), self.0),
                }
            }
        }

        impl Wire for $name {
            const SIZE: usize = <$kind as Wire>::SIZE;

            fn get(bytes: &[u8]) -> Self {
                Self(<$kind>::get(bytes))
            }

            fn put(self, out: &mut Vec<u8>) {
                self.0.put(out);
            }
        }
    };
}

// A packed struct, its size, and how it gets from bytes and into them.
macro_rules! structure {
    ($(#[$about:meta])* $name:ident, $size:literal bytes {
        $($(#[$says:meta])* $field:ident: $kind:ty,)*
    }) => {
        $(#[$about])*
        #[repr(C, packed)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$says])* pub $field: $kind,)*
        }

        const _: () = assert!(std::mem::size_of::<$name>() == $size);

        impl Wire for $name {
            const SIZE: usize = $size;

            #[allow(unused_variables)]
            fn get(bytes: &[u8]) -> Self {
                let rest = &bytes[..Self::SIZE];
                $(let ($field, rest) = rest.split_at(<$kind as Wire>::SIZE);)*
                Self { $($field: <$kind>::get($field),)* }
            }

            #[allow(unused_variables)]
            fn put(self, out: &mut Vec<u8>) {
                $(Wire::put(self.$field, out);)*
            }
        }
    };
}

names! {
    /// Every type of the catalogue; others are passed on.
    MessageType: u8 {
        TRADE = 1,
        QUOTE = 2,
        ORDER_BOOK = 3,
        INSTRUMENT_DISCOVERED = 10,
        POOL_DISCOVERED = 11,
        VENUE_UPDATE = 12,
        ARBITRAGE_OPPORTUNITY = 20,
        POSITION_UPDATE = 21,
        STRATEGY_ALERT = 22,
        REBALANCE_SIGNAL = 23,
        RISK_METRIC = 24,
        PERFORMANCE_UPDATE = 25,
        POOL_ARBITRAGE_SIGNAL = 30,
        LIQUIDITY_IMBALANCE = 31,
        IMPERMANENT_LOSS_ALERT = 32,
        MEV_OPPORTUNITY = 33,
        FLASH_LOAN_SIGNAL = 34,
        YIELD_FARMING_UPDATE = 35,
        GAS_OPTIMIZATION_SIGNAL = 36,
        DEFI_SIGNAL = 37,
        ORDER_REQUEST = 40,
        ORDER_STATUS = 41,
        FILL = 42,
        ORDER_CANCEL = 43,
        ORDER_MODIFY = 44,
        EXECUTION_REPORT = 45,
        HEARTBEAT = 100,
        SNAPSHOT = 101,
        ERROR = 102,
        CONFIG_UPDATE = 103,
        HELLO = 104,
        WELCOME = 105,
        ACK = 106,
        GAP = 107,
        PRESENCE = 108,
    }
}

names! {
    /// Who sends; others may be used, and are passed on.
    SourceType: u8 {
        BINANCE_COLLECTOR = 1,
        KRAKEN_COLLECTOR = 2,
        COINBASE_COLLECTOR = 3,
        POLYGON_COLLECTOR = 4,
        ALPACA_COLLECTOR = 5,
        MARKET_DATA_RELAY = 20,
        SIGNAL_RELAY = 21,
        EXECUTION_RELAY = 22,
        SYSTEM_RELAY = 23,
        ARBITRAGE_STRATEGY = 40,
        MOMENTUM_STRATEGY = 41,
        MARKET_MAKING_STRATEGY = 42,
        PORTFOLIO_MANAGER = 60,
        RISK_MANAGER = 61,
        EXECUTION_ENGINE = 80,
        VENUE_CONNECTOR = 81,
        EXTERNAL = 100,
    }
}

names! {
    /// Exchanges 1-99, equity and futures markets 100-199, chains 200-299, DEX protocols 300-399.
    VenueId: u16 {
        BINANCE = 1,
        KRAKEN = 2,
        COINBASE = 3,
        BINANCE_FUTURES = 4,
        BINANCE_COIN_FUTURES = 5,
        BYBIT = 6,
        OKX = 7,
        BITMEX = 8,
        BITSTAMP = 9,
        BITFINEX = 10,
        GEMINI = 11,
        KUCOIN = 12,
        DYDX = 13,
        BITFLYER = 14,
        HYPERLIQUID = 15,
        NASDAQ = 100,
        NYSE = 101,
        ARCA = 102,
        CBOE = 103,
        IEX = 104,
        CME = 110,
        ALPACA = 120,
        ETHEREUM = 200,
        POLYGON = 201,
        ARBITRUM = 202,
        BASE = 203,
        OPTIMISM = 204,
        BSC = 205,
        UNISWAP_V2 = 300,
        UNISWAP_V3 = 301,
        SUSHISWAP_V2 = 302,
        QUICKSWAP_V2 = 303,
        QUICKSWAP_V3 = 304,
        CURVE = 305,
        BALANCER = 306,
    }
}

names! {
    /// What kind of thing an instrument is.
    AssetType: u8 {
        STOCK = 1,
        TOKEN = 2,
        POOL = 3,
        SPOT = 4,
        PERPETUAL = 5,
        FUTURE = 6,
        OPTION = 7,
        INDEX = 8,
    }
}

names! {
    /// Why a frame or a connection is refused; a peer may send codes that are not here.
    Reject: u16 {
        // the bytes where a header should start are not one: framing is lost
        BAD_MAGIC = 1,
        // payload_size above the domain's max_payload (compared unsigned, before anything is added
        // to it)
        PAYLOAD_TOO_LARGE = 2,
        // type outside the relay's range
        WRONG_DOMAIN = 3,
        // payload_size is not that of a known type and version, or under the least of a variable
        // one: decided from the header, nothing is waited for; the header is damaged or the
        // producer speaks another schema
        BAD_SIZE = 4,
        // domain frames where the domain checks it; control frames always
        BAD_CHECKSUM = 5,
        // not last + 1, where the domain requires order
        SEQUENCE_GAP = 6,
        // not above the last accepted
        SEQUENCE_DUPLICATE = 7,
        // this user may not speak as this source
        SOURCE_NOT_ALLOWED = 8,
        // the connection ended inside a frame, or a frame stayed incomplete for frame_timeout
        TRUNCATED = 9,
        // may not produce here, or a consume-only session did
        NOT_A_PRODUCER = 10,
        // a Hello or other control frame that cannot be honoured; the Error says why
        BAD_HELLO = 11,
        // the user is on no list
        ACCESS_DENIED = 12,
        // no place is left for this user or at all
        TOO_MANY_CONNECTIONS = 13,
        // cut off as a producer a moment ago
        COOLDOWN = 14,
        // lagged past what its on_lag allows
        SLOW_CONSUMER = 15,
        // the relay is stopping
        DRAINING = 16,
        // the relay cannot keep more (journal)
        NOT_ACCEPTING = 17,
        // a newer connection took this producer_id; do not reconnect
        FENCED = 18,
        // a sequence seen before with other bytes
        SEQUENCE_CONFLICT = 19,
    }
}

names! {
    /// Who took the initiative, or what an order does; FIX 54 Side, the same numbers.
    Side: u8 {
        NOT_SET = 0,
        BUY = 1,
        SELL = 2,
    }
}

names! {
    /// What an OrderBook does to the book a reader keeps; FIX 35=W and 35=X.
    BookKind: u8 {
        SNAPSHOT = 1,
        DELTA = 2,
    }
}

names! {
    /// Whether a venue trades; nearest FIX 340 TradSesStatus, with numbers of its own.
    VenueStatus: u8 {
        NOT_SET = 0,
        OPEN = 1,
        HALTED = 2,
        CLOSED = 3,
        DEGRADED = 4,
    }
}

names! {
    /// Why a venue's status changed; nearest FIX 327 HaltReasonInt, with numbers of its own.
    VenueReason: u8 {
        NOT_SET = 0,
        SCHEDULE = 1,
        MAINTENANCE = 2,
        VOLATILITY = 3,
        NEWS = 4,
        REGULATORY = 5,
        INCIDENT = 6,
        CONNECTIVITY = 7,
    }
}

names! {
    /// Why a position is reported; nearest FIX 709 PosTransType, with numbers of its own.
    PositionReason: u8 {
        NOT_SET = 0,
        FILL = 1,
        TRANSFER = 2,
        FUNDING = 3,
        LIQUIDATION = 4,
        ADJUSTMENT = 5,
        SNAPSHOT = 6,
    }
}

names! {
    /// How much an alert matters; nearest FIX 61 Urgency, with numbers of its own.
    Severity: u8 {
        NOT_SET = 0,
        INFO = 1,
        WARNING = 2,
        CRITICAL = 3,
    }
}

names! {
    /// What an alert is about; FIX 1473 NewsCategory, with numbers of its own.
    AlertCategory: u8 {
        NOT_SET = 0,
        MARKET = 1,
        RISK = 2,
        EXECUTION = 3,
        DATA = 4,
        SYSTEM = 5,
    }
}

names! {
    /// Why weights are to change; FIX has no such field.
    RebalanceReason: u8 {
        NOT_SET = 0,
        SCHEDULE = 1,
        DRIFT = 2,
        SIGNAL = 3,
        RISK = 4,
        CASH_FLOW = 5,
    }
}

names! {
    /// What a RiskMetric measures; nearest FIX 1530 RiskLimitType, with numbers of its own.
    RiskKind: u8 {
        NOT_SET = 0,
        VALUE_AT_RISK = 1,
        EXPECTED_SHORTFALL = 2,
        VOLATILITY = 3,
        DRAWDOWN = 4,
        GROSS_EXPOSURE = 5,
        NET_EXPOSURE = 6,
        LEVERAGE = 7,
        MARGIN_RATIO = 8,
        CONCENTRATION = 9,
        DELTA = 10,
        GAMMA = 11,
        VEGA = 12,
        THETA = 13,
    }
}

names! {
    /// Where a RiskMetric stands to its limit; nearest FIX 1763 RiskLimitStatus, numbers of its
    /// own.
    RiskStatus: u8 {
        NOT_SET = 0,
        WITHIN = 1,
        WARNING = 2,
        BREACHED = 3,
    }
}

names! {
    /// The span a PerformanceUpdate sums up; period_start and period_end say which; no FIX field.
    Period: u8 {
        NOT_SET = 0,
        SESSION = 1,
        DAY = 2,
        WEEK = 3,
        MONTH = 4,
        YEAR = 5,
        INCEPTION = 6,
    }
}

names! {
    /// What a MEVOpportunity does with its target transaction; FIX has no such field.
    MEVKind: u8 {
        NOT_SET = 0,
        SANDWICH = 1,
        BACKRUN = 2,
        LIQUIDATION = 3,
    }
}

names! {
    /// Who lends for one transaction; other numbers are data.
    Lender: u8 {
        NOT_SET = 0,
        AAVE_V2 = 1,
        AAVE_V3 = 2,
        BALANCER = 3,
        UNISWAP_V3 = 4,
        MAKER = 5,
        UNISWAP_V2 = 6,
    }
}

names! {
    /// Whether a farm pays rewards; nearest FIX 965 SecurityStatus, with numbers of its own.
    FarmStatus: u8 {
        NOT_SET = 0,
        ACTIVE = 1,
        ENDING = 2,
        ENDED = 3,
        PAUSED = 4,
    }
}

names! {
    /// What a GasOptimizationSignal advises; FIX has no such field.
    GasAction: u8 {
        NOT_SET = 0,
        SEND_NOW = 1,
        WAIT = 2,
        BATCH = 3,
        USE_LAYER2 = 4,
    }
}

names! {
    /// What strategy a DeFiSignal is of; other numbers are data.
    StrategyKind: u16 {
        NOT_SET = 0,
        TRIANGULAR_ARBITRAGE = 1,
        CROSS_DEX_ARBITRAGE = 2,
    }
}

names! {
    /// What contract a venue is, forks included: which calls it takes; other numbers are data.
    PoolType: u8 {
        NOT_SET = 0,
        UNISWAP_V2 = 1,
        UNISWAP_V3 = 2,
        CURVE = 3,
    }
}

names! {
    /// What a DeFiSignal does with the base token; nearest FIX 54 Side.
    Direction: u8 {
        SELL_BASE = 0,
        BUY_BASE = 1,
    }
}

names! {
    /// What a price means; FIX 40 OrdType, the same numbers.
    OrderType: u8 {
        NOT_SET = 0,
        MARKET = 1,
        LIMIT = 2,
        STOP = 3,
        STOP_LIMIT = 4,
    }
}

names! {
    /// How long an order stands; FIX 59 TimeInForce, its number plus one (FIX begins at 0).
    TimeInForce: u8 {
        NOT_SET = 0,
        DAY = 1,
        GOOD_TILL_CANCEL = 2,
        AT_THE_OPENING = 3,
        IMMEDIATE_OR_CANCEL = 4,
        FILL_OR_KILL = 5,
        GOOD_TILL_CROSSING = 6,
        GOOD_TILL_DATE = 7,
        AT_THE_CLOSE = 8,
    }
}

names! {
    /// How an order stands; FIX 39 OrdStatus, its number plus one (A is 10, E is 14).
    OrderState: u8 {
        NOT_SET = 0,
        NEW = 1,
        PARTIALLY_FILLED = 2,
        FILLED = 3,
        DONE_FOR_DAY = 4,
        CANCELED = 5,
        REPLACED = 6,
        PENDING_CANCEL = 7,
        STOPPED = 8,
        REJECTED = 9,
        SUSPENDED = 10,
        PENDING_NEW = 11,
        CALCULATED = 12,
        EXPIRED = 13,
        ACCEPTED_FOR_BIDDING = 14,
        PENDING_REPLACE = 15,
    }
}

names! {
    /// Why an order was refused; FIX 103 OrdRejReason, its number plus one.
    OrderRejectReason: u8 {
        NOT_SET = 0,
        BROKER_OPTION = 1,
        UNKNOWN_SYMBOL = 2,
        EXCHANGE_CLOSED = 3,
        ORDER_EXCEEDS_LIMIT = 4,
        TOO_LATE_TO_ENTER = 5,
        UNKNOWN_ORDER = 6,
        DUPLICATE_ORDER = 7,
        DUPLICATE_OF_VERBAL = 8,
        STALE_ORDER = 9,
        TRADE_ALONG_REQUIRED = 10,
        INVALID_INVESTOR_ID = 11,
        UNSUPPORTED_CHARACTERISTIC = 12,
        SURVEILLANCE_OPTION = 13,
        INCORRECT_QUANTITY = 14,
        INCORRECT_ALLOCATED_QUANTITY = 15,
        UNKNOWN_ACCOUNT = 16,
        PRICE_EXCEEDS_BAND = 17,
        INVALID_PRICE_INCREMENT = 19,
        INSUFFICIENT_CREDIT = 26,
        OTHER = 100,
    }
}

names! {
    /// Why a cancel or a change was refused; FIX 102 CxlRejReason, its number plus one.
    CancelRejectReason: u8 {
        NOT_SET = 0,
        TOO_LATE_TO_CANCEL = 1,
        UNKNOWN_ORDER = 2,
        BROKER_OPTION = 3,
        ALREADY_PENDING = 4,
        MASS_CANCEL_FAILED = 5,
        ORDER_CHANGED_MEANWHILE = 6,
        DUPLICATE_CLIENT_ORDER_ID = 7,
        PRICE_EXCEEDS_CURRENT = 8,
        PRICE_EXCEEDS_BAND = 9,
        INVALID_PRICE_INCREMENT = 19,
        OTHER = 100,
    }
}

names! {
    /// Whether an order waited in the book or took from it; FIX 851 LastLiquidityInd.
    Liquidity: u8 {
        NOT_SET = 0,
        MAKER = 1,
        TAKER = 2,
    }
}

names! {
    /// What happened to an order; FIX 150 ExecType, its number plus one (A is 10, L is 21).
    ExecutionType: u8 {
        NOT_SET = 0,
        NEW = 1,
        DONE_FOR_DAY = 4,
        CANCELED = 5,
        REPLACED = 6,
        PENDING_CANCEL = 7,
        STOPPED = 8,
        REJECTED = 9,
        SUSPENDED = 10,
        PENDING_NEW = 11,
        CALCULATED = 12,
        EXPIRED = 13,
        RESTATED = 14,
        PENDING_REPLACE = 15,
        TRADE = 16,
        TRADE_CORRECT = 17,
        TRADE_CANCEL = 18,
        ORDER_STATUS = 19,
        TRADE_IN_CLEARING_HOLD = 20,
        TRADE_RELEASED_TO_CLEARING = 21,
        TRIGGERED = 22,
    }
}

names! {
    /// Why engine or venue changed an order by itself; FIX 378 ExecRestatementReason, plus one.
    RestatementReason: u8 {
        NOT_SET = 0,
        CORPORATE_ACTION = 1,
        RENEWAL = 2,
        VERBAL_CHANGE = 3,
        REPRICED = 4,
        BROKER_OPTION = 5,
        PARTIAL_DECLINE = 6,
        TRADING_HALT = 7,
        SYSTEM_FAILURE = 8,
        MARKET_OPTION = 9,
        CANCELED_NOT_BEST = 10,
        WAREHOUSE_RECAP = 11,
        PEG_REFRESH = 12,
        CONNECTION_LOSS = 13,
        LOGOUT = 14,
        OTHER = 100,
    }
}

names! {
    /// Which end of a snapshot.
    SnapshotKind: u8 {
        BEGIN = 1,
        END = 2,
    }
}

names! {
    /// What a session does, any of these together; 0 = control only.
    Role: u8 {
        CONSUME = 1,
        PRODUCE = 2,
        SNAPSHOT = 4,
    }
}

names! {
    /// What happens to a session that lags too far; 4 (conflate) is reserved.
    OnLag: u8 {
        DEFAULT = 0,
        GAP = 1,
        DISCONNECT = 2,
        CATCH_UP = 3,
    }
}

names! {
    /// Where a session's feed begins.
    Start: u8 {
        LIVE = 0,
        AT_POSITION = 1,
        OLDEST = 2,
        LAST = 3,
        RECEIVED = 4,
    }
}

names! {
    /// What an Ack promises to survive.
    Durability: u8 {
        MEMORY = 0,
        JOURNAL = 1,
        SYNCED = 2,
    }
}

names! {
    /// Why positions are missing; 4 (conflated) is reserved.
    GapReason: u8 {
        TOO_SLOW = 1,
        TOO_OLD = 2,
        LOG_REPLACED = 3,
    }
}

names! {
    /// The way a bundle goes to block builders; other numbers are data.
    Submission: u8 {
        NOT_SET = 0,
        FLASHBOTS = 1,
        MEV_SHARE = 2,
    }
}

names! {
    /// The shape of expected slippage over size; other numbers are data.
    SlippageCurve: u8 {
        NOT_SET = 0,
        CONSTANT = 1,
        LINEAR = 2,
        SQUARE_ROOT = 3,
        POWER = 4,
    }
}

names! {
    /// Where a loan is that can be liquidated; other numbers are data.
    LendingProtocol: u8 {
        NOT_SET = 0,
        AAVE_V2 = 1,
        AAVE_V3 = 2,
        COMPOUND_V2 = 3,
        COMPOUND_V3 = 4,
        MAKER = 5,
    }
}

names! {
    /// What matters more, time or gas; other numbers are data.
    GasStrategy: u8 {
        NOT_SET = 0,
        FASTEST = 1,
        BALANCED = 2,
        CHEAPEST = 3,
    }
}

names! {
    /// What carries tokens between chains; other numbers are data.
    Bridge: u8 {
        NOT_SET = 0,
        CANONICAL = 1,
        ACROSS = 2,
        STARGATE = 3,
        CCTP = 4,
        WORMHOLE = 5,
        HOP = 6,
    }
}

names! {
    /// How a layer 2 proves its state to layer 1; other numbers are data.
    Rollup: u8 {
        NOT_SET = 0,
        OPTIMISTIC = 1,
        ZERO_KNOWLEDGE = 2,
        VALIDIUM = 3,
    }
}

structure! {
    /// What is traded, and where.
    InstrumentId, 12 bytes {
        /// where it is traded, or the chain it is on
        venue: VenueId,
        /// what kind of thing it is
        asset_type: AssetType,
        /// zero
        reserved: u8,
        /// a symbol (`symbol_id`), or the first 8 bytes of an address
        asset_id: u64,
    }
}

structure! {
    /// One level of an order book; size 0 deletes it.
    Level, 16 bytes {
        /// (1e-8)
        price: i64,
        /// (1e-8)
        size: u64,
    }
}

structure! {
    /// The 32 bytes before every payload.
    Header, 32 bytes {
        /// 0: 0xDEADBEEF (bytes EF BE AD DE)
        magic: u32,
        /// 4: see Message types
        message_type: u8,
        /// 5: schema version of this message type, from 1
        version: u8,
        /// 6: SourceType of the sender
        source: u8,
        /// 7: see below the table
        flags: u8,
        /// 8: bytes after the header
        payload_size: u32,
        /// 12: the producer's own counter, +1 per domain frame; 0 in control frames
        sequence: u64,
        /// 20: the sender's clock, ns since the Unix epoch (UTC)
        timestamp: u64,
        /// 28: CRC-32 of bytes 0..27 followed by the payload
        checksum: u32,
    }
}

/// What a sender puts into a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// the producer's own counter, +1 per domain frame; 0 in control frames
    pub sequence: u64,
    /// the sender's clock, since the Unix epoch, UTC (ns)
    pub timestamp: u64,
    pub source: SourceType,
    pub flags: u8,
}

/// A symbol of 1 to 8 ASCII characters as asset_id.
pub fn symbol_id(symbol: &str) -> Option<u64> {
    if symbol.is_empty() || symbol.len() > 8 || !symbol.is_ascii() {
        return None;
    }
    let mut raw = [0; 8];
    raw[..symbol.len()].copy_from_slice(symbol.as_bytes());
    Some(u64::from_be_bytes(raw))
}

/// The symbol that an asset_id was made from, if it can be one.
pub fn symbol(asset_id: u64) -> Option<String> {
    let raw = asset_id.to_be_bytes();
    let size = raw.iter().position(|byte| *byte == 0).unwrap_or(8);
    let whole = size > 0 && raw.is_ascii() && raw[size..].iter().all(|byte| *byte == 0);
    whole.then(|| raw[..size].iter().map(|byte| char::from(*byte)).collect())
}

// ----------------------------------------------------------------------------------------------
// Checksum
// ----------------------------------------------------------------------------------------------

const CRC: [[u32; 256]; 8] = crc_tables();

const fn crc_tables() -> [[u32; 256]; 8] {
    let mut tables = [[0u32; 256]; 8];
    let mut n = 0;
    while n < 8 * 256 {
        let (table, byte) = (n / 256, n % 256);
        if table == 0 {
            let mut value = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                value = value >> 1 ^ if value & 1 == 1 { 0xEDB8_8320 } else { 0 };
                bit += 1;
            }
            tables[0][byte] = value;
        } else {
            let last = tables[table - 1][byte];
            tables[table][byte] = tables[0][(last & 0xFF) as usize] ^ last >> 8;
        }
        n += 1;
    }
    tables
}

/// CRC-32 (IEEE 802.3, reflected); go on with the value of what came before, begin with 0.
pub fn crc32(value: u32, data: &[u8]) -> u32 {
    let byte = |table: usize, word: u32, shift: u32| CRC[table][(word >> shift & 0xFF) as usize];
    let mut value = !value;
    let mut eights = data.chunks_exact(8);
    for eight in &mut eights {
        let (low, high) = (u32::get(eight) ^ value, u32::get(&eight[4..]));
        value = byte(7, low, 0) ^ byte(6, low, 8) ^ byte(5, low, 16) ^ byte(4, low, 24);
        value ^= byte(3, high, 0) ^ byte(2, high, 8) ^ byte(1, high, 16) ^ byte(0, high, 24);
    }
    for one in eights.remainder() {
        value = value >> 8 ^ byte(0, value ^ u32::from(*one), 0);
    }
    !value
}

// ----------------------------------------------------------------------------------------------
// Frames
// ----------------------------------------------------------------------------------------------

/// The header at the front of `bytes`, and the payload of its frame.
pub fn split(bytes: &[u8]) -> Result<(Header, &[u8]), Fault> {
    if bytes.len() < HEADER_SIZE {
        return Err(Fault::Rejected(Reject::TRUNCATED));
    }
    let header = Header::get(bytes);
    if header.magic != MAGIC {
        return Err(Fault::Rejected(Reject::BAD_MAGIC));
    }
    let payload = bytes[HEADER_SIZE..].get(..header.payload_size as usize);
    Ok((header, payload.ok_or(Fault::Rejected(Reject::TRUNCATED))?))
}

/// The checksum that a frame should have, of all its bytes and no others.
pub fn checksum(frame: &[u8]) -> u32 {
    crc32(crc32(0, &frame[..CHECKSUM_AT]), &frame[HEADER_SIZE..])
}

/// The checks that a relay makes of one frame, in its order; `max_payload` is that of the relay
/// (Welcome.max_payload), or MAX_PAYLOAD. `Rejected(TRUNCATED)`: more bytes are wanted.
pub fn check(bytes: &[u8], max_payload: u32) -> Result<Header, Fault> {
    if bytes.len() < HEADER_SIZE {
        return Err(Fault::Rejected(Reject::TRUNCATED));
    }
    let header = Header::get(bytes);
    let compressed = header.flags & FLAGS_COMPRESSED != 0;
    let fits = compressed || fits(header.message_type, header.version, header.payload_size);
    if header.magic != MAGIC {
        return Err(Fault::Rejected(Reject::BAD_MAGIC));
    }
    if header.payload_size > max_payload {
        return Err(Fault::Rejected(Reject::PAYLOAD_TOO_LARGE));
    }
    if !fits {
        return Err(Fault::Rejected(Reject::BAD_SIZE));
    }
    let (header, payload) = split(bytes)?;
    if header.checksum != checksum(&bytes[..HEADER_SIZE + payload.len()]) {
        return Err(Fault::Rejected(Reject::BAD_CHECKSUM));
    }
    Ok(header)
}

/// The frames of bytes in which they lie back to back, as in a .frames file or what was read from a
/// socket: each whole and undamaged. What is no such frame is an error, and the last item;
/// `Rejected(TRUNCATED)`: more bytes are wanted, or a file was cut short.
pub fn frames(bytes: &[u8]) -> Frames<'_> {
    Frames {
        bytes,
        at: 0,
        over: false,
    }
}

/// What `frames` gives.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
    over: bool,
}

impl Frames<'_> {
    /// Where in the bytes the next frame begins, or what is none.
    pub fn at(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<&'a [u8], Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.bytes[self.at..];
        if rest.is_empty() || self.over {
            return None;
        }
        let found = check(rest, MAX_PAYLOAD);
        self.over = found.is_err();
        Some(found.map(|header| {
            let size = HEADER_SIZE + header.payload_size as usize;
            self.at += size;
            &rest[..size]
        }))
    }
}

/// A whole frame, sealed, of any payload.
pub fn seal(message_type: u8, version: u8, payload: &[&[u8]], stamp: &Stamp) -> Option<Vec<u8>> {
    let size: usize = payload.iter().map(|part| part.len()).sum();
    let header = Header {
        magic: MAGIC,
        message_type,
        version,
        source: stamp.source.0,
        flags: stamp.flags,
        payload_size: u32::try_from(size).ok()?,
        sequence: stamp.sequence,
        timestamp: stamp.timestamp,
        checksum: 0,
    };
    let mut frame = Vec::with_capacity(HEADER_SIZE + size);
    header.put(&mut frame);
    for part in payload {
        frame.extend_from_slice(part);
    }
    let checksum = checksum(&frame);
    frame[CHECKSUM_AT..HEADER_SIZE].copy_from_slice(&checksum.to_le_bytes());
    Some(frame)
}

/// A value as its bytes on the wire.
pub fn to_bytes<T: Wire>(value: T) -> Vec<u8> {
    let mut out = Vec::with_capacity(T::SIZE);
    value.put(&mut out);
    out
}

/// The fixed part of a payload of this type and version, and what follows it.
fn open<T: Wire>(frame: &[u8], message_type: u8, version: u8) -> Result<(T, &[u8]), Fault> {
    let (header, payload) = split(frame)?;
    let right = header.message_type == message_type && header.version == version;
    if !right || header.flags & FLAGS_COMPRESSED != 0 || payload.len() < T::SIZE {
        return Err(Fault::OtherSchema);
    }
    Ok((T::get(payload), &payload[T::SIZE..]))
}

// ----------------------------------------------------------------------------------------------
// What follows the fixed part
// ----------------------------------------------------------------------------------------------

/// The levels of an order book, in the bytes of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels<'a>(pub &'a [u8]);

impl<'a> Levels<'a> {
    pub fn len(self) -> usize {
        self.0.len() / LEVEL_SIZE
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether the bytes end with a level.
    pub fn is_whole(self) -> bool {
        self.0.chunks_exact(LEVEL_SIZE).remainder().is_empty()
    }

    pub fn iter(self) -> impl Iterator<Item = Level> + 'a {
        self.0.chunks_exact(LEVEL_SIZE).map(Level::get)
    }
}

/// TLVs, in the bytes of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tlvs<'a>(pub &'a [u8]);

impl<'a> Tlvs<'a> {
    /// TLVs that are known to be whole.
    pub fn checked(bytes: &'a [u8]) -> Result<Self, Fault> {
        Tlvs(bytes).iter().try_for_each(|one| one.map(|_| ()))?;
        Ok(Tlvs(bytes))
    }

    /// Type and payload of each; the first that runs past the end is an error, and the last.
    pub fn iter(self) -> TlvIter<'a> {
        TlvIter {
            bytes: self.0,
            at: 0,
        }
    }

    /// The payload of the first TLV of a type.
    pub fn find(self, wanted: u8) -> Option<&'a [u8]> {
        let mut every = self.iter().flatten();
        every.find(|tlv| tlv.0 == wanted).map(|tlv| tlv.1)
    }
}

/// What `Tlvs::iter` gives.
pub struct TlvIter<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for TlvIter<'a> {
    type Item = Result<(u8, &'a [u8]), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.bytes[self.at..];
        let kind = *rest.first()?;
        let size = rest.get(1).map(|size| usize::from(*size));
        let Some(payload) = size.and_then(|size| rest[2..].get(..size)) else {
            let fault = Fault::Tlv(self.at);
            self.at = self.bytes.len();
            return Some(Err(fault));
        };
        self.at += 2 + payload.len();
        Some(Ok((kind, payload)))
    }
}

/// Append a TLV; false, and nothing done, when the payload has more than 255 bytes.
pub fn put_tlv(out: &mut Vec<u8>, kind: u8, payload: &[u8]) -> bool {
    let Ok(size) = u8::try_from(payload.len()) else {
        return false;
    };
    out.extend_from_slice(&[kind, size]);
    out.extend_from_slice(payload);
    true
}

/// Move bytes from the front of what is left.
fn take<'a>(rest: &mut &'a [u8], size: usize) -> Result<&'a [u8], Fault> {
    let taken = rest.get(..size).ok_or(Fault::Tails)?;
    *rest = &rest[size..];
    Ok(taken)
}

fn utf8(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::Text)
}

fn count<T: TryFrom<usize>>(number: usize) -> Result<T, Fault> {
    T::try_from(number).map_err(|_| Fault::Tails)
}

fn expect(right: bool, otherwise: Fault) -> Result<(), Fault> {
    if right {
        Ok(())
    } else {
        Err(otherwise)
    }
}

// ----------------------------------------------------------------------------------------------
// Messages of market_data, types 1-19
// ----------------------------------------------------------------------------------------------

structure! {
    /// Message type 1, version 1: One trade on a venue, 64 bytes; FIX market data entry type 2
    /// (Trade).
    Trade, 32 bytes {
        /// 0: the instrument traded (FIX 48 SecurityID)
        instrument_id: InstrumentId,
        /// 12: price of one unit (1e-8; FIX 270 MDEntryPx)
        price: i64,
        /// 20: quantity traded (1e-8; FIX 271 MDEntrySize)
        volume: u64,
        /// 28: side of the aggressor; a Side (FIX 2446 AggressorSide)
        side: Side,
        /// 29: the adapter's marks, passed on
        flags: u8,
        /// 30: zero
        _end: [u8; 2],
    }
}

impl Trade {
    pub const TYPE: u8 = 1;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.side.0, 0..=2) {
            return Some("side");
        }
        if self._end != [0; 2] {
            return Some("_end");
        }
        None
    }
}

structure! {
    /// Message type 2, version 1: The best bid and ask of a venue, 80 bytes; FIX 35=S (Quote).
    Quote, 48 bytes {
        /// 0: the instrument quoted (FIX 48 SecurityID)
        instrument_id: InstrumentId,
        /// 12: best price to sell at (1e-8; FIX 132 BidPx)
        bid_price: i64,
        /// 20: best price to buy at (1e-8; FIX 133 OfferPx)
        ask_price: i64,
        /// 28: quantity at bid_price (1e-8; FIX 134 BidSize)
        bid_size: u64,
        /// 36: quantity at ask_price (1e-8; FIX 135 OfferSize)
        ask_size: u64,
        /// 44: zero
        _end: [u8; 4],
    }
}

impl Quote {
    pub const TYPE: u8 = 2;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if self._end != [0; 4] {
            return Some("_end");
        }
        None
    }
}

structure! {
    /// Message type 3, version 1: A snapshot of a book or a change to it, 64 bytes and 16 a level;
    /// FIX 35=W and 35=X.
    OrderBook, 32 bytes {
        /// 0: the instrument of the book (FIX 48 SecurityID)
        instrument_id: InstrumentId,
        /// 12: snapshot or delta; a BookKind (FIX 35 MsgType)
        kind: BookKind,
        /// 13: zero
        _gap: [u8; 3],
        /// 16: the venue's number of the book after this message, or the adapter's count; the same
        /// in all parts (FIX 83 RptSeq)
        book_sequence: u64,
        /// 24: which part this is, from 1
        part: u16,
        /// 26: how many parts there are
        parts: u16,
        /// 28: number of bids (each of 16 bytes)
        bid_count: u16,
        /// 30: number of asks (each of 16 bytes)
        ask_count: u16,
    }
}

/// What follows the fixed part of OrderBook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderBookTails<'a> {
    /// levels to sell at, the highest price first
    pub bids: Levels<'a>,
    /// levels to buy at, the lowest price first
    pub asks: Levels<'a>,
}

impl OrderBook {
    pub const TYPE: u8 = 3;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<(Self, OrderBookTails<'_>), Fault> {
        let (fields, mut rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        let bids = take(&mut rest, fields.bid_count as usize * LEVEL_SIZE)?;
        let asks = take(&mut rest, fields.ask_count as usize * LEVEL_SIZE)?;
        expect(rest.is_empty(), Fault::Tails)?;
        let tails = OrderBookTails {
            bids: Levels(bids),
            asks: Levels(asks),
        };
        Ok((fields, tails))
    }

    /// The whole frame, sealed; counts are those of `tails`, which can be too long.
    pub fn frame(&self, tails: &OrderBookTails<'_>, stamp: &Stamp) -> Result<Vec<u8>, Fault> {
        let mut fields = *self;
        expect(tails.bids.is_whole(), Fault::Tails)?;
        fields.bid_count = count(tails.bids.len())?;
        expect(tails.asks.is_whole(), Fault::Tails)?;
        fields.ask_count = count(tails.asks.len())?;
        let payload: &[&[u8]] = &[&to_bytes(fields), tails.bids.0, tails.asks.0];
        seal(Self::TYPE, Self::VERSION, payload, stamp).ok_or(Fault::Tails)
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.kind.0, 1..=2) {
            return Some("kind");
        }
        if self._gap != [0; 3] {
            return Some("_gap");
        }
        if !matches!(self.part, 1..=65535) {
            return Some("part");
        }
        if !matches!(self.parts, 1..=65535) {
            return Some("parts");
        }
        None
    }
}

structure! {
    /// Message type 10, version 1: An instrument or token is there, 48 bytes, symbol and metadata;
    /// FIX 35=d.
    InstrumentDiscovered, 16 bytes {
        /// 0: what was discovered (FIX 48 SecurityID)
        instrument_id: InstrumentId,
        /// 12: decimal places of its amounts: 8 on exchanges, the token's own on chains (FIX 2349
        /// PricePrecision)
        decimals: u8,
        /// 13: length of symbol (bytes)
        symbol_len: u8,
        /// 14: length of metadata (bytes)
        metadata_len: u16,
    }
}

/// What follows the fixed part of InstrumentDiscovered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InstrumentDiscoveredTails<'a> {
    /// the full symbol, as the venue writes it (FIX 55 Symbol)
    pub symbol: &'a str,
    /// empty, or a JSON object (FIX 1185 SecurityXML)
    pub metadata: &'a [u8],
}

impl InstrumentDiscovered {
    pub const TYPE: u8 = 10;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<(Self, InstrumentDiscoveredTails<'_>), Fault> {
        let (fields, mut rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        let symbol = take(&mut rest, fields.symbol_len as usize)?;
        let metadata = take(&mut rest, fields.metadata_len as usize)?;
        expect(rest.is_empty(), Fault::Tails)?;
        let tails = InstrumentDiscoveredTails {
            symbol: utf8(symbol)?,
            metadata,
        };
        Ok((fields, tails))
    }

    /// The whole frame, sealed; counts are those of `tails`, which can be too long.
    pub fn frame(
        &self,
        tails: &InstrumentDiscoveredTails<'_>,
        stamp: &Stamp,
    ) -> Result<Vec<u8>, Fault> {
        let mut fields = *self;
        fields.symbol_len = count(tails.symbol.len())?;
        fields.metadata_len = count(tails.metadata.len())?;
        let payload: &[&[u8]] = &[&to_bytes(fields), tails.symbol.as_bytes(), tails.metadata];
        seal(Self::TYPE, Self::VERSION, payload, stamp).ok_or(Fault::Tails)
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        None
    }
}

structure! {
    /// Message type 11, version 1: A liquidity pool is there, 48 bytes, symbol and metadata; FIX
    /// 35=d.
    PoolDiscovered, 16 bytes {
        /// 0: the pool discovered (FIX 48 SecurityID)
        instrument_id: InstrumentId,
        /// 12: decimal places of its share token; 0 where it has none (FIX 2349 PricePrecision)
        decimals: u8,
        /// 13: length of symbol (bytes)
        symbol_len: u8,
        /// 14: length of metadata (bytes)
        metadata_len: u16,
    }
}

/// What follows the fixed part of PoolDiscovered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolDiscoveredTails<'a> {
    /// the symbols of its tokens, as TOKEN0/TOKEN1 (FIX 55 Symbol)
    pub symbol: &'a str,
    /// empty, or a JSON object (FIX 1185 SecurityXML)
    pub metadata: &'a [u8],
}

impl PoolDiscovered {
    pub const TYPE: u8 = 11;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<(Self, PoolDiscoveredTails<'_>), Fault> {
        let (fields, mut rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        let symbol = take(&mut rest, fields.symbol_len as usize)?;
        let metadata = take(&mut rest, fields.metadata_len as usize)?;
        expect(rest.is_empty(), Fault::Tails)?;
        let tails = PoolDiscoveredTails {
            symbol: utf8(symbol)?,
            metadata,
        };
        Ok((fields, tails))
    }

    /// The whole frame, sealed; counts are those of `tails`, which can be too long.
    pub fn frame(&self, tails: &PoolDiscoveredTails<'_>, stamp: &Stamp) -> Result<Vec<u8>, Fault> {
        let mut fields = *self;
        fields.symbol_len = count(tails.symbol.len())?;
        fields.metadata_len = count(tails.metadata.len())?;
        let payload: &[&[u8]] = &[&to_bytes(fields), tails.symbol.as_bytes(), tails.metadata];
        seal(Self::TYPE, Self::VERSION, payload, stamp).ok_or(Fault::Tails)
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        None
    }
}

structure! {
    /// Message type 12, version 1: A venue opens, halts, closes or is unwell, 48 bytes; FIX 35=h
    /// (TradingSessionStatus).
    VenueUpdate, 16 bytes {
        /// 0: the venue: a VenueId (FIX 1301 MarketID)
        venue: VenueId,
        /// 2: what holds now; a VenueStatus (FIX 340 TradSesStatus)
        status: VenueStatus,
        /// 3: why; a VenueReason (FIX 327 HaltReasonInt)
        reason: VenueReason,
        /// 4: zero
        _gap: [u8; 4],
        /// 8: when it began or will begin; 0 not known (ns; FIX 60 TransactTime)
        effective_time: u64,
    }
}

impl VenueUpdate {
    pub const TYPE: u8 = 12;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.status.0, 0..=4) {
            return Some("status");
        }
        if !matches!(self.reason.0, 0..=7) {
            return Some("reason");
        }
        if self._gap != [0; 4] {
            return Some("_gap");
        }
        None
    }
}

// ----------------------------------------------------------------------------------------------
// Messages of signals, types 20-39
// ----------------------------------------------------------------------------------------------

structure! {
    /// Message type 20, version 1: Two venues whose prices differ by more than trading costs, 96
    /// bytes; nearest FIX 35=6 (IOI).
    ArbitrageOpportunity, 64 bytes {
        /// 0: the instrument, bought on venue_a (FIX 48 SecurityID)
        base_id: InstrumentId,
        /// 12: of two tokens: what base_id is quoted in; else: what is sold on venue_b instead of
        /// it (FIX 309 UnderlyingSecurityID)
        quote_id: InstrumentId,
        /// 24: where to buy: a VenueId (FIX 30 LastMkt)
        venue_a: VenueId,
        /// 26: where to sell: a VenueId (FIX 30 LastMkt)
        venue_b: VenueId,
        /// 28: price difference (1/10,000; FIX 218 Spread)
        spread_bps: u32,
        /// 32: profit after fees and gas, in what base_id is quoted in (1e-8)
        estimated_profit: i64,
        /// 40: how sure the strategy is (1/10,000)
        confidence: u16,
        /// 42: when it is void; 0 never (ns; FIX 62 ValidUntilTime)
        expires_at: u64,
        /// 50: zero
        _end: [u8; 14],
    }
}

impl ArbitrageOpportunity {
    pub const TYPE: u8 = 20;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.confidence, 0..=10000) {
            return Some("confidence");
        }
        if self._end != [0; 14] {
            return Some("_end");
        }
        None
    }
}

structure! {
    /// Message type 21, version 1: What an account holds of an instrument now, 104 bytes; FIX 35=AP
    /// (PositionReport).
    PositionUpdate, 72 bytes {
        /// 0: what is held (FIX 48 SecurityID)
        instrument_id: InstrumentId,
        /// 12: why it is sent; a PositionReason (FIX 709 PosTransType)
        reason: PositionReason,
        /// 13: zero
        _gap: [u8; 1],
        /// 14: whose position; 0 = the account's (FIX 847 TargetStrategy)
        strategy_id: u16,
        /// 16: the account that holds it (FIX 1 Account)
        account_id: u64,
        /// 24: held; negative: short (1e-8; FIX 704 LongQty, 705 ShortQty)
        quantity: i64,
        /// 32: mean price of entry (1e-8; FIX 6 AvgPx)
        average_price: i64,
        /// 40: the time this holds for (ns; FIX 60 TransactTime)
        as_of: u64,
        /// 48: price it is valued at; 0 none (1e-8; FIX 730 SettlPrice)
        mark_price: i64,
        /// 56: profit of what was closed (1e-8; FIX 708 PosAmt)
        realized_pnl: i64,
        /// 64: profit of what is held, at mark_price (1e-8; FIX 708 PosAmt)
        unrealized_pnl: i64,
    }
}

impl PositionUpdate {
    pub const TYPE: u8 = 21;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.reason.0, 0..=6) {
            return Some("reason");
        }
        if self._gap != [0; 1] {
            return Some("_gap");
        }
        None
    }
}

structure! {
    /// Message type 22, version 1: A strategy wants attention, 120 bytes; FIX 35=B (News).
    StrategyAlert, 88 bytes {
        /// 0: what it is about; all zero: none (FIX 48 SecurityID)
        instrument_id: InstrumentId,
        /// 12: how much it matters; a Severity (FIX 61 Urgency)
        severity: Severity,
        /// 13: its subject; an AlertCategory (FIX 1473 NewsCategory)
        category: AlertCategory,
        /// 14: which strategy raised it (FIX 847 TargetStrategy)
        strategy_id: u16,
        /// 16: the strategy's number of this alert (FIX 1472 NewsID)
        alert_id: u64,
        /// 24: when it was raised (ns; FIX 42 OrigTime)
        raised_at: u64,
        /// 32: the strategy's number of this kind of alert
        code: u32,
        /// 36: times the same was held back since the last one
        repeats: u32,
        /// 40: the number that raised it; 0 none (1e-8)
        value: i64,
        /// 48: what the number was held against; 0 none (1e-8)
        threshold: i64,
        /// 56: what happened: UTF-8, zeros to the end (FIX 148 Headline)
        headline: [u8; 32],
    }
}

impl StrategyAlert {
    pub const TYPE: u8 = 22;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.severity.0, 0..=3) {
            return Some("severity");
        }
        if !matches!(self.category.0, 0..=5) {
            return Some("category");
        }
        None
    }
}

structure! {
    /// Message type 23, version 1: One instrument of a portfolio that is to be rebalanced, 112
    /// bytes; nearest FIX 35=E (NewOrderList).
    RebalanceSignal, 80 bytes {
        /// 0: what is to be bought or sold (FIX 48 SecurityID)
        instrument_id: InstrumentId,
        /// 12: why; a RebalanceReason
        reason: RebalanceReason,
        /// 13: zero
        _gap: [u8; 1],
        /// 14: which strategy asks for it (FIX 847 TargetStrategy)
        strategy_id: u16,
        /// 16: the account to rebalance (FIX 1 Account)
        account_id: u64,
        /// 24: number of the whole rebalancing (FIX 66 ListID)
        rebalance_id: u64,
        /// 32: which leg this is, from 1 (FIX 67 ListSeqNo)
        leg: u16,
        /// 34: how many there are (FIX 68 TotNoOrders)
        legs: u16,
        /// 36: share of the portfolio now (1/10,000)
        current_weight_bps: i32,
        /// 40: share it is to have (1/10,000)
        target_weight_bps: i32,
        /// 44: worst price accepted, from the mid price (1/10,000)
        max_slippage_bps: u32,
        /// 48: quantity to hold afterwards; negative: short (1e-8)
        target_quantity: i64,
        /// 56: quantity to trade; negative: sell (1e-8; FIX 38 OrderQty)
        order_quantity: i64,
        /// 64: limit; 0 none (1e-8; FIX 44 Price)
        limit_price: i64,
        /// 72: void from then on; 0 none (ns; FIX 126 ExpireTime)
        expires_at: u64,
    }
}

impl RebalanceSignal {
    pub const TYPE: u8 = 23;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.reason.0, 0..=5) {
            return Some("reason");
        }
        if self._gap != [0; 1] {
            return Some("_gap");
        }
        if !matches!(self.leg, 1..=65535) {
            return Some("leg");
        }
        if !matches!(self.legs, 1..=65535) {
            return Some("legs");
        }
        None
    }
}

structure! {
    /// Message type 24, version 1: One measure of risk and its limit, 96 bytes; FIX 35=CM
    /// (PartyRiskLimitsReport).
    RiskMetric, 64 bytes {
        /// 0: what is measured; all zero: the whole account (FIX 48 SecurityID)
        instrument_id: InstrumentId,
        /// 12: what value is; a RiskKind (FIX 1530 RiskLimitType)
        metric: RiskKind,
        /// 13: where it stands to limit; a RiskStatus (FIX 1763 RiskLimitStatus)
        status: RiskStatus,
        /// 14: whose risk; 0 = the account's (FIX 847 TargetStrategy)
        strategy_id: u16,
        /// 16: the account measured (FIX 1 Account)
        account_id: u64,
        /// 24: the measure (1e-8; FIX 1766 RiskLimitUtilizationAmount)
        value: i64,
        /// 32: the time it holds for (ns; FIX 60 TransactTime)
        measured_at: u64,
        /// 40: its limit; 0 none (1e-8; FIX 1531 RiskLimitAmount)
        limit: i64,
        /// 48: value by limit (1/10,000; FIX 1765 RiskLimitUtilizationPercent)
        used_bps: u32,
        /// 52: confidence of VALUE_AT_RISK and EXPECTED_SHORTFALL; else 0 (1/10,000)
        confidence_bps: u16,
        /// 54: zero
        _middle: [u8; 2],
        /// 56: time it looks ahead; 0 where it does not (s)
        horizon_sec: u32,
        /// 60: observations it was made from; 0 not known
        observations: u32,
    }
}

impl RiskMetric {
    pub const TYPE: u8 = 24;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.metric.0, 0..=13) {
            return Some("metric");
        }
        if !matches!(self.status.0, 0..=3) {
            return Some("status");
        }
        if !matches!(self.confidence_bps, 0..=10000) {
            return Some("confidence_bps");
        }
        if self._middle != [0; 2] {
            return Some("_middle");
        }
        None
    }
}

structure! {
    /// Message type 25, version 1: How a strategy has done in a period, 128 bytes; nearest FIX
    /// 35=AP (PositionReport).
    PerformanceUpdate, 96 bytes {
        /// 0: what amounts are in (FIX 15 Currency)
        currency: InstrumentId,
        /// 12: what kind of span this is; a Period
        period: Period,
        /// 13: zero
        _gap: [u8; 1],
        /// 14: which strategy; 0 = the account (FIX 847 TargetStrategy)
        strategy_id: u16,
        /// 16: the account (FIX 1 Account)
        account_id: u64,
        /// 24: the span's beginning (ns; FIX 916 StartDate)
        period_start: u64,
        /// 32: its end, not included (ns; FIX 917 EndDate)
        period_end: u64,
        /// 40: profit of what was closed (1e-8; FIX 708 PosAmt)
        realized_pnl: i64,
        /// 48: profit of what is held (1e-8; FIX 708 PosAmt)
        unrealized_pnl: i64,
        /// 56: fees paid; negative: rebates (1e-8; FIX 137 MiscFeeAmt)
        fees: i64,
        /// 64: worth at the end (1e-8; FIX 900 TotalNetValue)
        equity: i64,
        /// 72: sum of price times quantity traded (1e-8; FIX 381 GrossTradeAmt)
        turnover: u64,
        /// 80: positions closed
        trade_count: u32,
        /// 84: of these with a profit
        win_count: u32,
        /// 88: largest fall from a high, of that high (1/10,000)
        max_drawdown_bps: u32,
        /// 92: Sharpe ratio, a year (1/10,000)
        sharpe_ratio: i32,
    }
}

impl PerformanceUpdate {
    pub const TYPE: u8 = 25;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.period.0, 0..=6) {
            return Some("period");
        }
        if self._gap != [0; 1] {
            return Some("_gap");
        }
        None
    }
}

structure! {
    /// Message type 30, version 1: Two pools of one pair whose prices differ, 144 bytes; nearest
    /// FIX 35=6 (IOI).
    PoolArbitrageSignalV1, 112 bytes {
        /// 0: pool that is paid first (FIX 48 SecurityID)
        pool_a_id: InstrumentId,
        /// 12: pool that is paid second (FIX 309 UnderlyingSecurityID)
        pool_b_id: InstrumentId,
        /// 24: token put in and got back (FIX 15 Currency)
        token0_id: InstrumentId,
        /// 36: token in between (FIX 120 SettlCurrency)
        token1_id: InstrumentId,
        /// 48: token0 in pool_a (smallest unit)
        pool_a_reserve0: u64,
        /// 56: token1 in pool_a (smallest unit)
        pool_a_reserve1: u64,
        /// 64: token0 in pool_b (smallest unit)
        pool_b_reserve0: u64,
        /// 72: token1 in pool_b (smallest unit)
        pool_b_reserve1: u64,
        /// 80: token0 to pay into pool_a (smallest unit; FIX 27 IOIQty)
        optimal_amount_in: u64,
        /// 88: profit after gas, in token0 (smallest unit)
        expected_profit_wei: u64,
        /// 96: cost of gas, in the chain's currency (1e-9)
        gas_cost_gwei: u32,
        /// 100: how sure the strategy is (1/10,000)
        confidence: u16,
        /// 102: block it was computed for
        block_number: u32,
        /// 106: last block it holds for; 0 not said (FIX 62 ValidUntilTime)
        expires_at_block: u32,
        /// 110: zero
        _end: [u8; 2],
    }
}

impl PoolArbitrageSignalV1 {
    pub const TYPE: u8 = 30;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.confidence, 0..=10000) {
            return Some("confidence");
        }
        if self._end != [0; 2] {
            return Some("_end");
        }
        None
    }
}

structure! {
    /// Message type 30, version 2: Two pools of one pair whose prices differ, 192 bytes; nearest
    /// FIX 35=6 (IOI).
    PoolArbitrageSignal, 160 bytes {
        /// 0: pool that is paid first (FIX 48 SecurityID)
        pool_a_id: InstrumentId,
        /// 12: pool that is paid second (FIX 309 UnderlyingSecurityID)
        pool_b_id: InstrumentId,
        /// 24: token put in and got back (FIX 15 Currency)
        token0_id: InstrumentId,
        /// 36: token in between (FIX 120 SettlCurrency)
        token1_id: InstrumentId,
        /// 48: token0 in pool_a (smallest unit)
        pool_a_reserve0: u128,
        /// 64: token1 in pool_a (smallest unit)
        pool_a_reserve1: u128,
        /// 80: token0 in pool_b (smallest unit)
        pool_b_reserve0: u128,
        /// 96: token1 in pool_b (smallest unit)
        pool_b_reserve1: u128,
        /// 112: token0 to pay into pool_a (smallest unit; FIX 27 IOIQty)
        optimal_amount_in: u128,
        /// 128: profit after gas, in token0 (smallest unit)
        expected_profit_wei: u128,
        /// 144: cost of gas, in the chain's currency (1e-9)
        gas_cost_gwei: u32,
        /// 148: how sure the strategy is (1/10,000)
        confidence: u16,
        /// 150: block it was computed for
        block_number: u32,
        /// 154: last block it holds for; 0 not said (FIX 62 ValidUntilTime)
        expires_at_block: u32,
        /// 158: zero
        _end: [u8; 2],
    }
}

impl PoolArbitrageSignal {
    pub const TYPE: u8 = 30;
    pub const VERSION: u8 = 2;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.confidence, 0..=10000) {
            return Some("confidence");
        }
        if self._end != [0; 2] {
            return Some("_end");
        }
        None
    }
}

structure! {
    /// Message type 31, version 1: A pool whose ratio is far from its average, 104 bytes; nearest
    /// FIX 35=f (SecurityStatus).
    LiquidityImbalance, 72 bytes {
        /// 0: the pool (FIX 48 SecurityID)
        pool_id: InstrumentId,
        /// 12: its token0 (FIX 15 Currency)
        token0_id: InstrumentId,
        /// 24: its token1 (FIX 120 SettlCurrency)
        token1_id: InstrumentId,
        /// 36: ratio now (1e-8; FIX 270 MDEntryPx)
        current_ratio: u64,
        /// 44: mean ratio of 30 days (1e-8)
        historical_avg_ratio: u64,
        /// 52: distance of the two, of the mean (1/10,000)
        deviation_bps: u32,
        /// 56: traded in 24 hours, in token1 (1e-8; FIX 387 TotalVolumeTraded)
        volume_24h: u64,
        /// 64: the pool's fee (1e-6)
        fee_tier: u32,
        /// 68: zero
        _end: [u8; 4],
    }
}

impl LiquidityImbalance {
    pub const TYPE: u8 = 31;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if self._end != [0; 4] {
            return Some("_end");
        }
        None
    }
}

structure! {
    /// Message type 32, version 1: Liquidity in a pool is worth less than its tokens would be, 160
    /// bytes; nearest FIX 35=B (News).
    ImpermanentLossAlert, 128 bytes {
        /// 0: the pool (FIX 48 SecurityID)
        pool_id: InstrumentId,
        /// 12: its token0 (FIX 15 Currency)
        token0_id: InstrumentId,
        /// 24: its token1 (FIX 120 SettlCurrency)
        token1_id: InstrumentId,
        /// 36: how much it matters; a Severity (FIX 61 Urgency)
        severity: Severity,
        /// 37: zero
        _gap: [u8; 3],
        /// 40: EVM chain id
        chain_id: u32,
        /// 44: loss against holding the tokens, fees left out (1/10,000)
        loss_bps: u32,
        /// 48: whose liquidity; 0 = anybody's (FIX 1 Account)
        account_id: u64,
        /// 56: the venue's number of the position; 0 none (FIX 2618 PositionID)
        position_id: u64,
        /// 64: block it was computed for
        block_number: u64,
        /// 72: ratio when the liquidity was put in (1e-8)
        entry_ratio: u64,
        /// 80: ratio now (1e-8; FIX 270 MDEntryPx)
        current_ratio: u64,
        /// 88: worth of the tokens had they been held (smallest unit)
        held_value_wei: u128,
        /// 104: worth of the liquidity (smallest unit)
        pool_value_wei: u128,
        /// 120: loss from which alerts are sent; 0 none (1/10,000)
        threshold_bps: u32,
        /// 124: fees earned, of held_value_wei (1/10,000)
        fees_bps: u32,
    }
}

impl ImpermanentLossAlert {
    pub const TYPE: u8 = 32;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.severity.0, 0..=3) {
            return Some("severity");
        }
        if self._gap != [0; 3] {
            return Some("_gap");
        }
        None
    }
}

structure! {
    /// Message type 33, version 1: A pending transaction that something can be earned from, 112
    /// bytes; nearest FIX 35=6 (IOI).
    MEVOpportunityV1, 80 bytes {
        /// 0: what is to be done; a MEVKind
        opportunity_type: MEVKind,
        /// 1: EVM chain id, to 255
        chain_id: u8,
        /// 2: higher is more urgent (FIX 61 Urgency)
        priority: u8,
        /// 3: zero
        _reserved: [u8; 1],
        /// 4: hash of the pending transaction
        target_tx_hash: [u8; 32],
        /// 36: profit after gas, in the chain's currency (1e-18)
        estimated_profit_wei: u64,
        /// 44: the most to pay for gas (1e-9 a gas)
        max_gas_price_gwei: u64,
        /// 52: block to be in
        target_block: u32,
        /// 56: last block it holds for (FIX 62 ValidUntilTime)
        deadline_block: u32,
        /// 60: what the target pays in; 0 not known (smallest unit)
        victim_amount_in: u64,
        /// 68: what to pay in before it; 0 none (smallest unit)
        optimal_frontrun_amount: u64,
        /// 76: zero
        _end: [u8; 4],
    }
}

impl MEVOpportunityV1 {
    pub const TYPE: u8 = 33;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.opportunity_type.0, 0..=3) {
            return Some("opportunity_type");
        }
        if self._reserved != [0; 1] {
            return Some("_reserved");
        }
        if self._end != [0; 4] {
            return Some("_end");
        }
        None
    }
}

structure! {
    /// Message type 33, version 2: A pending transaction that something can be earned from, 144
    /// bytes; nearest FIX 35=6 (IOI).
    MEVOpportunity, 112 bytes {
        /// 0: what is to be done; a MEVKind
        opportunity_type: MEVKind,
        /// 1: higher is more urgent (FIX 61 Urgency)
        priority: u8,
        /// 2: zero
        _gap: [u8; 2],
        /// 4: EVM chain id
        chain_id: u32,
        /// 8: hash of the pending transaction
        target_tx_hash: [u8; 32],
        /// 40: profit after gas, in the chain's currency (1e-18)
        estimated_profit_wei: u128,
        /// 56: the most to pay for gas (1e-9 a gas)
        max_gas_price_gwei: u64,
        /// 64: block to be in
        target_block: u64,
        /// 72: last block it holds for (FIX 62 ValidUntilTime)
        deadline_block: u64,
        /// 80: what the target pays in; 0 not known (smallest unit)
        victim_amount_in: u128,
        /// 96: what to pay in before it; 0 none (smallest unit)
        optimal_frontrun_amount: u128,
    }
}

impl MEVOpportunity {
    pub const TYPE: u8 = 33;
    pub const VERSION: u8 = 2;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.opportunity_type.0, 0..=3) {
            return Some("opportunity_type");
        }
        if self._gap != [0; 2] {
            return Some("_gap");
        }
        None
    }
}

structure! {
    /// Message type 34, version 1: An arbitrage that a loan within one transaction pays for, 184
    /// bytes; nearest FIX 35=6 (IOI).
    FlashLoanSignal, 152 bytes {
        /// 0: what is borrowed and earned (FIX 15 Currency)
        token_id: InstrumentId,
        /// 12: pool that lends; all zero: see provider (FIX 48 SecurityID)
        lender_id: InstrumentId,
        /// 24: pool that is paid first (FIX 309 UnderlyingSecurityID)
        pool_a_id: InstrumentId,
        /// 36: pool that is paid second (FIX 309 UnderlyingSecurityID)
        pool_b_id: InstrumentId,
        /// 48: EVM chain id
        chain_id: u32,
        /// 52: fee of the loan (1e-6; FIX 12 Commission)
        fee_ppm: u32,
        /// 56: who lends: a Lender
        provider: Lender,
        /// 57: zero
        _gap: [u8; 1],
        /// 58: how sure the strategy is (1/10,000)
        confidence: u16,
        /// 60: which strategy found it (FIX 847 TargetStrategy)
        strategy_id: u16,
        /// 62: zero
        _middle: [u8; 2],
        /// 64: the strategy's number of this signal (FIX 23 IOIID)
        signal_id: u64,
        /// 72: what is borrowed (smallest unit; FIX 27 IOIQty)
        amount_wei: u128,
        /// 88: fee of the loan (smallest unit; FIX 137 MiscFeeAmt)
        fee_wei: u128,
        /// 104: profit after the fee and gas (smallest unit)
        expected_profit_wei: i128,
        /// 120: block it was computed for
        observed_block: u64,
        /// 128: last block it holds for; 0 not said (FIX 62 ValidUntilTime)
        valid_through_block: u64,
        /// 136: gas needed; 0 not said (gas)
        gas_limit: u64,
        /// 144: the most to pay for gas; 0 not said (1e-18)
        max_gas_price_wei: u64,
    }
}

impl FlashLoanSignal {
    pub const TYPE: u8 = 34;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if self._gap != [0; 1] {
            return Some("_gap");
        }
        if !matches!(self.confidence, 0..=10000) {
            return Some("confidence");
        }
        if self._middle != [0; 2] {
            return Some("_middle");
        }
        None
    }
}

structure! {
    /// Message type 35, version 1: What a farm pays, and what is staked in it, 176 bytes; nearest
    /// FIX 35=f (SecurityStatus).
    YieldFarmingUpdate, 144 bytes {
        /// 0: the farm, or the pool whose shares it takes (FIX 48 SecurityID)
        farm_id: InstrumentId,
        /// 12: what is staked (FIX 15 Currency)
        deposit_token_id: InstrumentId,
        /// 24: what is paid (FIX 120 SettlCurrency)
        reward_token_id: InstrumentId,
        /// 36: whether it pays; a FarmStatus (FIX 965 SecurityStatus)
        status: FarmStatus,
        /// 37: zero
        _gap: [u8; 1],
        /// 38: whose stake; 0 = nobody's (FIX 847 TargetStrategy)
        strategy_id: u16,
        /// 40: EVM chain id
        chain_id: u32,
        /// 44: yield from fees or interest (1/10,000; FIX 236 Yield)
        base_apr_bps: u32,
        /// 48: yield from rewards, at today's prices (1/10,000)
        reward_apr_bps: u32,
        /// 52: how long a deposit is locked; 0 not at all (s)
        lock_sec: u32,
        /// 56: block it holds for
        block_number: u64,
        /// 64: staked by all (smallest unit)
        total_staked_wei: u128,
        /// 80: paid to all in a second (smallest unit)
        reward_per_sec_wei: u128,
        /// 96: staked by the account (smallest unit)
        staked_wei: u128,
        /// 112: the account can claim (smallest unit)
        pending_reward_wei: u128,
        /// 128: whose stake; 0 = nobody's (FIX 1 Account)
        account_id: u64,
        /// 136: end of the rewards; 0 not known (ns; FIX 917 EndDate)
        ends_at: u64,
    }
}

impl YieldFarmingUpdate {
    pub const TYPE: u8 = 35;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.status.0, 0..=4) {
            return Some("status");
        }
        if self._gap != [0; 1] {
            return Some("_gap");
        }
        None
    }
}

structure! {
    /// Message type 36, version 1: What gas costs on a chain and what to do about it, 120 bytes;
    /// FIX has no such message.
    GasOptimizationSignal, 88 bytes {
        /// 0: EVM chain id
        chain_id: u32,
        /// 4: what to do; a GasAction
        action: GasAction,
        /// 5: zero
        _gap: [u8; 1],
        /// 6: how sure the sender is (1/10,000)
        confidence: u16,
        /// 8: block it was computed for
        block_number: u64,
        /// 16: base fee of that block (1e-18 a gas)
        base_fee_wei: u64,
        /// 24: tip that is enough (1e-18 a gas)
        priority_fee_wei: u64,
        /// 32: the most to offer (1e-18 a gas)
        max_fee_wei: u64,
        /// 40: base fee expected after wait_blocks; 0 not known (1e-18 a gas)
        next_base_fee_wei: u64,
        /// 48: gas of what is to be sent; 0 not said (gas)
        gas_limit: u64,
        /// 56: last block it holds for; 0 not said (FIX 62 ValidUntilTime)
        valid_through_block: u64,
        /// 64: blocks to wait (blocks)
        wait_blocks: u32,
        /// 68: gas used by gas limit of the block (1/10,000)
        gas_used_bps: u32,
        /// 72: what following it saves, in the chain's currency (1e-18)
        expected_saving_wei: u128,
    }
}

impl GasOptimizationSignal {
    pub const TYPE: u8 = 36;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.action.0, 0..=4) {
            return Some("action");
        }
        if self._gap != [0; 1] {
            return Some("_gap");
        }
        if !matches!(self.confidence, 0..=10000) {
            return Some("confidence");
        }
        None
    }
}

structure! {
    /// Message type 37, version 1: Everything an execution adapter needs to act on chain, 312 bytes
    /// and TLVs; nearest FIX 35=6 (IOI).
    DeFiSignal, 280 bytes {
        /// 0: a StrategyKind, or a strategy's own number (FIX 847 TargetStrategy)
        strategy_id: StrategyKind,
        /// 2: unique number of the signal (FIX 23 IOIID)
        signal_id: u64,
        /// 10: +1 for each signal of a source and strategy
        signal_nonce: u32,
        /// 14: EVM chain id
        chain_id: u32,
        /// 18: version of the signal's meaning for the adapter; 1 now
        version: u8,
        /// 19: which execution adapter is to act (FIX 100 ExDestination)
        adapter_id: u8,
        /// 20: the base token in market data (FIX 48 SecurityID)
        base_instrument: InstrumentId,
        /// 32: the quote token in market data (FIX 15 Currency)
        quote_instrument: InstrumentId,
        /// 44: contract of the base token
        base_token_addr: [u8; 20],
        /// 64: contract of the quote token
        quote_token_addr: [u8; 20],
        /// 84: router of the first venue
        venue_a_router: [u8; 20],
        /// 104: router of the second venue; zeros: none
        venue_b_router: [u8; 20],
        /// 124: first venue: a PoolType
        venue_a_type: PoolType,
        /// 125: second venue: a PoolType
        venue_b_type: PoolType,
        /// 126: fee of the first venue (1e-6; FIX 12 Commission)
        fee_a_ppm: u32,
        /// 130: fee of the second venue (1e-6; FIX 12 Commission)
        fee_b_ppm: u32,
        /// 134: buy or sell the base token; a Direction (FIX 54 Side)
        direction_flag: Direction,
        /// 135: how sure the strategy is (1/100)
        confidence: u8,
        /// 136: profit expected after fees and gas, in the quote token (2**-64 tokens)
        expected_profit_q: i128,
        /// 152: capital needed, in the base token (2**-64 tokens)
        required_capital_q: u128,
        /// 168: cost of gas, in the quote token, taken off expected_profit_q already; 0 not said
        /// (2**-64 tokens; FIX 137 MiscFeeAmt)
        gas_estimate_q: u128,
        /// 184: amount to pay in (2**-64 tokens; FIX 38 OrderQty)
        amount_in_q: u128,
        /// 200: least amount to accept (2**-64 tokens)
        min_out_q: u128,
        /// 216: best amount to pay in (2**-64 tokens; FIX 27 IOIQty)
        optimal_size_q: u128,
        /// 232: block it was computed for
        observed_block: u64,
        /// 240: last block it holds for; 0 not said (FIX 62 ValidUntilTime)
        valid_through_block: u64,
        /// 248: hash of the pools' state, made by the strategy; 0 none
        state_hash: u64,
        /// 256: transaction policy, priority and approvals, as the adapter reads them
        execution_flags: u32,
        /// 260: worst slippage accepted (1/10,000)
        slippage_bps: u16,
        /// 262: price impact expected (1/10,000)
        price_impact_bps: u16,
        /// 264: signal that this one replaces; 0 none (FIX 26 IOIRefID)
        replace_signal_id: u64,
        /// 272: where TLVs begin, from the frame's start: 312 (bytes)
        tlv_offset: u16,
        /// 274: bytes of TLVs (bytes)
        tlv_length: u16,
        /// 276: when it was made, for statistics only (s; FIX 42 OrigTime)
        created_at_sec: u32,
    }
}

/// What follows the fixed part of DeFiSignal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeFiSignalTails<'a> {
    /// extensions (SPEC.md, TLV extensions)
    pub tlvs: Tlvs<'a>,
}

impl DeFiSignal {
    pub const TYPE: u8 = 37;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<(Self, DeFiSignalTails<'_>), Fault> {
        let (fields, mut rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        let tlvs = take(&mut rest, fields.tlv_length as usize)?;
        expect(rest.is_empty(), Fault::Tails)?;
        let begin = HEADER_SIZE + Self::SIZE;
        expect(fields.tlv_offset as usize == begin, Fault::Tails)?;
        let tails = DeFiSignalTails {
            tlvs: Tlvs::checked(tlvs)?,
        };
        Ok((fields, tails))
    }

    /// The whole frame, sealed; counts are those of `tails`, which can be too long.
    pub fn frame(&self, tails: &DeFiSignalTails<'_>, stamp: &Stamp) -> Result<Vec<u8>, Fault> {
        let mut fields = *self;
        fields.tlv_length = count(tails.tlvs.0.len())?;
        fields.tlv_offset = count(HEADER_SIZE + Self::SIZE)?;
        let payload: &[&[u8]] = &[&to_bytes(fields), tails.tlvs.0];
        seal(Self::TYPE, Self::VERSION, payload, stamp).ok_or(Fault::Tails)
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.direction_flag.0, 0..=1) {
            return Some("direction_flag");
        }
        if !matches!(self.confidence, 0..=100) {
            return Some("confidence");
        }
        None
    }
}

// ----------------------------------------------------------------------------------------------
// Messages of execution, types 40-59
// ----------------------------------------------------------------------------------------------

structure! {
    /// Message type 40, version 1: Buy or sell this, 112 bytes; FIX 35=D (NewOrderSingle).
    OrderRequest, 80 bytes {
        /// 0: what to trade (FIX 48 SecurityID)
        instrument_id: InstrumentId,
        /// 12: buy or sell; a Side (FIX 54 Side)
        side: Side,
        /// 13: what price means; an OrderType (FIX 40 OrdType)
        order_type: OrderType,
        /// 14: how long it stands; a TimeInForce (FIX 59 TimeInForce)
        time_in_force: TimeInForce,
        /// 15: agreed with the engine (FIX 18 ExecInst)
        execution_flags: u8,
        /// 16: the ordering producer's producer_id (FIX 49 SenderCompID)
        owner_id: u64,
        /// 24: the account to book on (FIX 1 Account)
        account_id: u64,
        /// 32: the owner's number of the order (FIX 11 ClOrdID)
        client_order_id: u64,
        /// 40: limit price; 0 where none (1e-8; FIX 44 Price)
        price: i64,
        /// 48: trigger; 0 where none (1e-8; FIX 99 StopPx)
        stop_price: i64,
        /// 56: quantity ordered (1e-8; FIX 38 OrderQty)
        quantity: u64,
        /// 64: void from then on; 0 none (ns; FIX 126 ExpireTime)
        expires_at: u64,
        /// 72: which strategy asked for it (FIX 847 TargetStrategy)
        strategy_id: u16,
        /// 74: zero
        _end: [u8; 6],
    }
}

impl OrderRequest {
    pub const TYPE: u8 = 40;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.side.0, 0..=2) {
            return Some("side");
        }
        if !matches!(self.order_type.0, 0..=4) {
            return Some("order_type");
        }
        if !matches!(self.time_in_force.0, 0..=8) {
            return Some("time_in_force");
        }
        if self._end != [0; 6] {
            return Some("_end");
        }
        None
    }
}

structure! {
    /// Message type 41, version 1: How an order stands now, 160 bytes; FIX 35=8 with ExecType I
    /// (Order Status), and the answer 35=9 (OrderCancelReject) to a cancel or change that was
    /// refused.
    OrderStatus, 128 bytes {
        /// 0: what the order trades (FIX 48 SecurityID)
        instrument_id: InstrumentId,
        /// 12: the order's side; a Side (FIX 54 Side)
        side: Side,
        /// 13: how it stands; an OrderState (FIX 39 OrdStatus)
        status: OrderState,
        /// 14: zero
        _gap: [u8; 2],
        /// 16: the ordering producer's producer_id (FIX 56 TargetCompID)
        owner_id: u64,
        /// 24: the account it is booked on (FIX 1 Account)
        account_id: u64,
        /// 32: the owner's number of the order (FIX 11 ClOrdID)
        client_order_id: u64,
        /// 40: the venue's name of the order (FIX 37 OrderID)
        venue_order_id: [u8; 16],
        /// 56: quantity ordered (1e-8; FIX 38 OrderQty)
        quantity: u64,
        /// 64: still open (1e-8; FIX 151 LeavesQty)
        leaves_quantity: u64,
        /// 72: filled so far (1e-8; FIX 14 CumQty)
        cumulative_quantity: u64,
        /// 80: mean price of fills; 0 none (1e-8; FIX 6 AvgPx)
        average_price: i64,
        /// 88: the time this holds for (ns; FIX 60 TransactTime)
        transact_time: u64,
        /// 96: the number it had before it was changed, or that was to be canceled; 0 none (FIX 41
        /// OrigClOrdID)
        original_client_order_id: u64,
        /// 104: limit price; 0 where none (1e-8; FIX 44 Price)
        price: i64,
        /// 112: trigger; 0 where none (1e-8; FIX 99 StopPx)
        stop_price: i64,
        /// 120: what price means; an OrderType (FIX 40 OrdType)
        order_type: OrderType,
        /// 121: how long it stands; a TimeInForce (FIX 59 TimeInForce)
        time_in_force: TimeInForce,
        /// 122: why it was refused; an OrderRejectReason (FIX 103 OrdRejReason)
        reject_reason: OrderRejectReason,
        /// 123: why its cancel or change was refused; a CancelRejectReason (FIX 102 CxlRejReason)
        cancel_reject_reason: CancelRejectReason,
        /// 124: which strategy asked for it (FIX 847 TargetStrategy)
        strategy_id: u16,
        /// 126: zero
        _end: [u8; 2],
    }
}

impl OrderStatus {
    pub const TYPE: u8 = 41;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.side.0, 0..=2) {
            return Some("side");
        }
        if !matches!(self.status.0, 0..=15) {
            return Some("status");
        }
        if self._gap != [0; 2] {
            return Some("_gap");
        }
        if !matches!(self.order_type.0, 0..=4) {
            return Some("order_type");
        }
        if !matches!(self.time_in_force.0, 0..=8) {
            return Some("time_in_force");
        }
        if !matches!(self.reject_reason.0, 0..=17 | 19 | 26 | 100) {
            return Some("reject_reason");
        }
        if !matches!(self.cancel_reject_reason.0, 0..=9 | 19 | 100) {
            return Some("cancel_reject_reason");
        }
        if self._end != [0; 2] {
            return Some("_end");
        }
        None
    }
}

structure! {
    /// Message type 42, version 1: An order was executed, in part or whole, 160 bytes; FIX 35=8
    /// (ExecutionReport, Trade).
    Fill, 128 bytes {
        /// 0: what was traded (FIX 48 SecurityID)
        instrument_id: InstrumentId,
        /// 12: the order's side; a Side (FIX 54 Side)
        side: Side,
        /// 13: maker or taker; a Liquidity (FIX 851 LastLiquidityInd)
        liquidity: Liquidity,
        /// 14: zero
        _gap: [u8; 2],
        /// 16: the ordering producer's producer_id (FIX 56 TargetCompID)
        owner_id: u64,
        /// 24: the account it is booked on (FIX 1 Account)
        account_id: u64,
        /// 32: the owner's number of the order (FIX 11 ClOrdID)
        client_order_id: u64,
        /// 40: the venue's name of the order (FIX 37 OrderID)
        venue_order_id: [u8; 16],
        /// 56: the venue's number of the trade (FIX 1003 TradeID)
        trade_id: u64,
        /// 64: price of this fill (1e-8; FIX 31 LastPx)
        price: i64,
        /// 72: quantity of this fill (1e-8; FIX 32 LastQty)
        quantity: u64,
        /// 80: still open afterwards (1e-8; FIX 151 LeavesQty)
        leaves_quantity: u64,
        /// 88: filled so far (1e-8; FIX 14 CumQty)
        cumulative_quantity: u64,
        /// 96: fee of this fill; negative: a rebate (1e-8 of fee_asset; FIX 12 Commission)
        fee: i64,
        /// 104: what the fee is paid in (FIX 479 CommCurrency)
        fee_asset: InstrumentId,
        /// 116: zero
        _middle: [u8; 4],
        /// 120: when the venue executed it (ns; FIX 60 TransactTime)
        transact_time: u64,
    }
}

impl Fill {
    pub const TYPE: u8 = 42;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.side.0, 0..=2) {
            return Some("side");
        }
        if !matches!(self.liquidity.0, 0..=2) {
            return Some("liquidity");
        }
        if self._gap != [0; 2] {
            return Some("_gap");
        }
        if self._middle != [0; 4] {
            return Some("_middle");
        }
        None
    }
}

structure! {
    /// Message type 43, version 1: Cancel what is open of an order, 112 bytes; FIX 35=F
    /// (OrderCancelRequest).
    OrderCancel, 80 bytes {
        /// 0: what the order trades (FIX 48 SecurityID)
        instrument_id: InstrumentId,
        /// 12: the order's side; a Side (FIX 54 Side)
        side: Side,
        /// 13: zero
        _gap: [u8; 3],
        /// 16: the ordering producer's producer_id (FIX 49 SenderCompID)
        owner_id: u64,
        /// 24: the account it is booked on (FIX 1 Account)
        account_id: u64,
        /// 32: the owner's number of this request (FIX 11 ClOrdID)
        client_order_id: u64,
        /// 40: the owner's number of the order to cancel (FIX 41 OrigClOrdID)
        original_client_order_id: u64,
        /// 48: the venue's name of the order; zeros: not known (FIX 37 OrderID)
        venue_order_id: [u8; 16],
        /// 64: when it was asked for; 0 not said (ns; FIX 60 TransactTime)
        transact_time: u64,
        /// 72: which strategy asked for it (FIX 847 TargetStrategy)
        strategy_id: u16,
        /// 74: zero
        _end: [u8; 6],
    }
}

impl OrderCancel {
    pub const TYPE: u8 = 43;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.side.0, 0..=2) {
            return Some("side");
        }
        if self._gap != [0; 3] {
            return Some("_gap");
        }
        if self._end != [0; 6] {
            return Some("_end");
        }
        None
    }
}

structure! {
    /// Message type 44, version 1: Change an open order, 144 bytes; FIX 35=G
    /// (OrderCancelReplaceRequest).
    OrderModify, 112 bytes {
        /// 0: what the order trades (FIX 48 SecurityID)
        instrument_id: InstrumentId,
        /// 12: the order's side; a Side (FIX 54 Side)
        side: Side,
        /// 13: what price means; an OrderType (FIX 40 OrdType)
        order_type: OrderType,
        /// 14: zero
        _gap: [u8; 2],
        /// 16: the ordering producer's producer_id (FIX 49 SenderCompID)
        owner_id: u64,
        /// 24: the account to book on (FIX 1 Account)
        account_id: u64,
        /// 32: the owner's new number of the order (FIX 11 ClOrdID)
        client_order_id: u64,
        /// 40: the owner's number of the order until now (FIX 41 OrigClOrdID)
        original_client_order_id: u64,
        /// 48: quantity ordered (1e-8; FIX 38 OrderQty)
        quantity: u64,
        /// 56: limit price; 0 where none (1e-8; FIX 44 Price)
        price: i64,
        /// 64: trigger; 0 where none (1e-8; FIX 99 StopPx)
        stop_price: i64,
        /// 72: void from then on; 0 none (ns; FIX 126 ExpireTime)
        expires_at: u64,
        /// 80: when it was asked for; 0 not said (ns; FIX 60 TransactTime)
        transact_time: u64,
        /// 88: the venue's name of the order; zeros: not known (FIX 37 OrderID)
        venue_order_id: [u8; 16],
        /// 104: how long it stands; a TimeInForce (FIX 59 TimeInForce)
        time_in_force: TimeInForce,
        /// 105: agreed with the engine (FIX 18 ExecInst)
        execution_flags: u8,
        /// 106: which strategy asked for it (FIX 847 TargetStrategy)
        strategy_id: u16,
        /// 108: zero
        _end: [u8; 4],
    }
}

impl OrderModify {
    pub const TYPE: u8 = 44;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.side.0, 0..=2) {
            return Some("side");
        }
        if !matches!(self.order_type.0, 0..=4) {
            return Some("order_type");
        }
        if self._gap != [0; 2] {
            return Some("_gap");
        }
        if !matches!(self.time_in_force.0, 0..=8) {
            return Some("time_in_force");
        }
        if self._end != [0; 4] {
            return Some("_end");
        }
        None
    }
}

structure! {
    /// Message type 45, version 1: Something happened to an order, 192 bytes; FIX 35=8
    /// (ExecutionReport).
    ExecutionReport, 160 bytes {
        /// 0: what the order trades (FIX 48 SecurityID)
        instrument_id: InstrumentId,
        /// 12: the order's side; a Side (FIX 54 Side)
        side: Side,
        /// 13: what happened; an ExecutionType (FIX 150 ExecType)
        execution_type: ExecutionType,
        /// 14: how it stands now; an OrderState (FIX 39 OrdStatus)
        status: OrderState,
        /// 15: zero
        _gap: [u8; 1],
        /// 16: the ordering producer's producer_id (FIX 56 TargetCompID)
        owner_id: u64,
        /// 24: the account it is booked on (FIX 1 Account)
        account_id: u64,
        /// 32: the owner's number of the order (FIX 11 ClOrdID)
        client_order_id: u64,
        /// 40: the venue's name of the order (FIX 37 OrderID)
        venue_order_id: [u8; 16],
        /// 56: the engine's number of this report (FIX 17 ExecID)
        execution_id: u64,
        /// 64: quantity ordered (1e-8; FIX 38 OrderQty)
        quantity: u64,
        /// 72: still open (1e-8; FIX 151 LeavesQty)
        leaves_quantity: u64,
        /// 80: filled so far (1e-8; FIX 14 CumQty)
        cumulative_quantity: u64,
        /// 88: mean price of fills; 0 none (1e-8; FIX 6 AvgPx)
        average_price: i64,
        /// 96: when it happened (ns; FIX 60 TransactTime)
        transact_time: u64,
        /// 104: the number it had before it was changed, or that was to be canceled; 0 none (FIX 41
        /// OrigClOrdID)
        original_client_order_id: u64,
        /// 112: price of this trade; 0 none (1e-8; FIX 31 LastPx)
        last_price: i64,
        /// 120: quantity of this trade; 0 none (1e-8; FIX 32 LastQty)
        last_quantity: u64,
        /// 128: limit price; 0 where none (1e-8; FIX 44 Price)
        price: i64,
        /// 136: trigger; 0 where none (1e-8; FIX 99 StopPx)
        stop_price: i64,
        /// 144: the venue's number of the trade; 0 none (FIX 1003 TradeID)
        trade_id: u64,
        /// 152: what price means; an OrderType (FIX 40 OrdType)
        order_type: OrderType,
        /// 153: how long it stands; a TimeInForce (FIX 59 TimeInForce)
        time_in_force: TimeInForce,
        /// 154: maker or taker; a Liquidity (FIX 851 LastLiquidityInd)
        liquidity: Liquidity,
        /// 155: why it was refused; an OrderRejectReason (FIX 103 OrdRejReason)
        reject_reason: OrderRejectReason,
        /// 156: why its cancel or change was refused; a CancelRejectReason (FIX 102 CxlRejReason)
        cancel_reject_reason: CancelRejectReason,
        /// 157: why it was changed unasked; a RestatementReason (FIX 378 ExecRestatementReason)
        restatement_reason: RestatementReason,
        /// 158: which strategy asked for it (FIX 847 TargetStrategy)
        strategy_id: u16,
    }
}

impl ExecutionReport {
    pub const TYPE: u8 = 45;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.side.0, 0..=2) {
            return Some("side");
        }
        if !matches!(self.execution_type.0, 0..=1 | 4..=22) {
            return Some("execution_type");
        }
        if !matches!(self.status.0, 0..=15) {
            return Some("status");
        }
        if self._gap != [0; 1] {
            return Some("_gap");
        }
        if !matches!(self.order_type.0, 0..=4) {
            return Some("order_type");
        }
        if !matches!(self.time_in_force.0, 0..=8) {
            return Some("time_in_force");
        }
        if !matches!(self.liquidity.0, 0..=2) {
            return Some("liquidity");
        }
        if !matches!(self.reject_reason.0, 0..=17 | 19 | 26 | 100) {
            return Some("reject_reason");
        }
        if !matches!(self.cancel_reject_reason.0, 0..=9 | 19 | 100) {
            return Some("cancel_reject_reason");
        }
        if !matches!(self.restatement_reason.0, 0..=14 | 100) {
            return Some("restatement_reason");
        }
        None
    }
}

// ----------------------------------------------------------------------------------------------
// Messages of control, types 100-109
// ----------------------------------------------------------------------------------------------

structure! {
    /// Message type 100, version 1: I am here, 48 bytes and TLVs; FIX 35=0.
    Heartbeat, 16 bytes {
        /// 0: the next position offered or needed (messages)
        position: u64,
        /// 8: how far behind the end (messages)
        lag: u64,
    }
}

/// What follows the fixed part of Heartbeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeartbeatTails<'a> {
    /// 1 chain
    pub tlvs: Tlvs<'a>,
}

impl Heartbeat {
    pub const TYPE: u8 = 100;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<(Self, HeartbeatTails<'_>), Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        let tlvs = rest;
        let tails = HeartbeatTails {
            tlvs: Tlvs::checked(tlvs)?,
        };
        Ok((fields, tails))
    }

    /// The whole frame, sealed; counts are those of `tails`, which can be too long.
    pub fn frame(&self, tails: &HeartbeatTails<'_>, stamp: &Stamp) -> Result<Vec<u8>, Fault> {
        let fields = *self;
        let payload: &[&[u8]] = &[&to_bytes(fields), tails.tlvs.0];
        seal(Self::TYPE, Self::VERSION, payload, stamp).ok_or(Fault::Tails)
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        None
    }
}

structure! {
    /// Message type 101, version 1: A snapshot begins or ends, 48 bytes; between the two frames
    /// without positions.
    Snapshot, 16 bytes {
        /// 0: begin or end; a SnapshotKind
        kind: SnapshotKind,
        /// 1: zero
        _start: [u8; 3],
        /// 4: instruments in it (instruments)
        count: u32,
        /// 8: where the feed goes on afterwards (messages)
        position: u64,
    }
}

impl Snapshot {
    pub const TYPE: u8 = 101;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.kind.0, 1..=2) {
            return Some("kind");
        }
        if self._start != [0; 3] {
            return Some("_start");
        }
        None
    }
}

structure! {
    /// Message type 102, version 1: A frame or the connection was refused, 56 bytes and text; FIX
    /// 35=3 (Reject).
    Error, 24 bytes {
        /// 0: a Reject code (FIX 373 SessionRejectReason)
        code: Reject,
        /// 2: type of the frame concerned (FIX 372 RefMsgType)
        message_type: u8,
        /// 3: 1 when the connection closes
        fatal: u8,
        /// 4: length of text (bytes)
        text_len: u16,
        /// 6: zero
        _middle: [u8; 2],
        /// 8: first frame concerned (FIX 45 RefSeqNum)
        sequence: u64,
        /// 16: SEQUENCE_GAP: the sequence wanted; else the last concerned
        expected: u64,
    }
}

/// What follows the fixed part of Error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorTails<'a> {
    /// what happened, with the count (FIX 58 Text)
    pub text: &'a str,
}

impl Error {
    pub const TYPE: u8 = 102;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<(Self, ErrorTails<'_>), Fault> {
        let (fields, mut rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        let text = take(&mut rest, fields.text_len as usize)?;
        expect(rest.is_empty(), Fault::Tails)?;
        let tails = ErrorTails { text: utf8(text)? };
        Ok((fields, tails))
    }

    /// The whole frame, sealed; counts are those of `tails`, which can be too long.
    pub fn frame(&self, tails: &ErrorTails<'_>, stamp: &Stamp) -> Result<Vec<u8>, Fault> {
        let mut fields = *self;
        fields.text_len = count(tails.text.len())?;
        let payload: &[&[u8]] = &[&to_bytes(fields), tails.text.as_bytes()];
        seal(Self::TYPE, Self::VERSION, payload, stamp).ok_or(Fault::Tails)
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.fatal, 0..=1) {
            return Some("fatal");
        }
        if self._middle != [0; 2] {
            return Some("_middle");
        }
        None
    }
}

structure! {
    /// Message type 103, version 1: Settings as JSON, from 33 bytes on; kept as written, so that it
    /// encodes to the same bytes.
    ConfigUpdate, 0 bytes {
    }
}

/// What follows the fixed part of ConfigUpdate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConfigUpdateTails<'a> {
    /// a JSON document (RFC 8259)
    pub document: &'a str,
}

impl ConfigUpdate {
    pub const TYPE: u8 = 103;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<(Self, ConfigUpdateTails<'_>), Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        let document = rest;
        let tails = ConfigUpdateTails {
            document: utf8(document)?,
        };
        Ok((fields, tails))
    }

    /// The whole frame, sealed; counts are those of `tails`, which can be too long.
    pub fn frame(&self, tails: &ConfigUpdateTails<'_>, stamp: &Stamp) -> Result<Vec<u8>, Fault> {
        let payload: &[&[u8]] = &[tails.document.as_bytes()];
        seal(Self::TYPE, Self::VERSION, payload, stamp).ok_or(Fault::Tails)
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        None
    }
}

structure! {
    /// Message type 104, version 1: A session asks for what it wants, 96 bytes and TLVs; FIX 35=A
    /// (Logon).
    Hello, 64 bytes {
        /// 0: what the session does; 0 = control only; a Role
        role: Role,
        /// 1: what happens when it lags too far; 0 the domain's default; an OnLag
        on_lag: OnLag,
        /// 2: time between heartbeats; 0 = 1,000 (ms; FIX 108 HeartBtInt)
        heartbeat_ms: u16,
        /// 4: where the feed begins; a Start
        start: Start,
        /// 5: zero
        _middle: [u8; 3],
        /// 8: identity of the producer; 0 = anonymous
        producer_id: u64,
        /// 16: the log start_position is of; 0 = any
        log_id: u64,
        /// 24: a position, or how many for the last (messages)
        start_position: u64,
        /// 32: bit n%8 of byte n//8 = type n; all zero = every type
        type_filter: [u8; 32],
    }
}

/// What follows the fixed part of Hello.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HelloTails<'a> {
    /// 1 client name, 2 instruments wanted
    pub tlvs: Tlvs<'a>,
}

impl Hello {
    pub const TYPE: u8 = 104;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<(Self, HelloTails<'_>), Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        let tlvs = rest;
        let tails = HelloTails {
            tlvs: Tlvs::checked(tlvs)?,
        };
        Ok((fields, tails))
    }

    /// The whole frame, sealed; counts are those of `tails`, which can be too long.
    pub fn frame(&self, tails: &HelloTails<'_>, stamp: &Stamp) -> Result<Vec<u8>, Fault> {
        let fields = *self;
        let payload: &[&[u8]] = &[&to_bytes(fields), tails.tlvs.0];
        seal(Self::TYPE, Self::VERSION, payload, stamp).ok_or(Fault::Tails)
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if self.role.0 & !0x7 != 0 {
            return Some("role");
        }
        if !matches!(self.on_lag.0, 0..=3) {
            return Some("on_lag");
        }
        if !matches!(self.heartbeat_ms, 0 | 100..=60000) {
            return Some("heartbeat_ms");
        }
        if !matches!(self.start.0, 0..=4) {
            return Some("start");
        }
        if self._middle != [0; 3] {
            return Some("_middle");
        }
        None
    }
}

structure! {
    /// Message type 105, version 1: The answer to Hello, 88 bytes: what the session gets, and where
    /// it stands.
    Welcome, 56 bytes {
        /// 0: names the log
        log_id: u64,
        /// 8: of the next domain frame on this connection (messages)
        position: u64,
        /// 16: frames below it are history (messages)
        end_position: u64,
        /// 24: the oldest kept (messages)
        oldest_position: u64,
        /// 32: last accepted of this producer; 0 = unknown
        last_sequence: u64,
        /// 40: the largest payload taken (bytes)
        max_payload: u32,
        /// 44: time between heartbeats (ms)
        heartbeat_ms: u16,
        /// 46: what an Ack will promise; a Durability
        durability: Durability,
        /// 47: the role granted; a Role
        role: Role,
        /// 48: process id of the relay
        relay_pid: u32,
        /// 52: zero
        _end: [u8; 4],
    }
}

impl Welcome {
    pub const TYPE: u8 = 105;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.durability.0, 0..=2) {
            return Some("durability");
        }
        if self.role.0 & !0x7 != 0 {
            return Some("role");
        }
        if self._end != [0; 4] {
            return Some("_end");
        }
        None
    }
}

structure! {
    /// Message type 106, version 1: Everything up to sequence has been read, and is in the log or
    /// was named by an Error sent before this Ack; 56 bytes.
    Ack, 24 bytes {
        /// 0: last of the producer's frames that this covers
        sequence: u64,
        /// 8: the log's end then (messages)
        position: u64,
        /// 16: what it survives; a Durability
        durability: Durability,
        /// 17: zero
        _end: [u8; 7],
    }
}

impl Ack {
    pub const TYPE: u8 = 106;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.durability.0, 0..=2) {
            return Some("durability");
        }
        if self._end != [0; 7] {
            return Some("_end");
        }
        None
    }
}

structure! {
    /// Message type 107, version 1: Positions this session does not get, 64 bytes.
    Gap, 32 bytes {
        /// 0: first missing (messages)
        first_position: u64,
        /// 8: last missing (messages)
        last_position: u64,
        /// 16: positions missing, before filters; 2**64-1 = unknown (messages)
        count: u64,
        /// 24: why; a GapReason
        reason: GapReason,
        /// 25: the breaker's state: 0 closed, 1 open, 2 half open, 3 replaying
        breaker: u8,
        /// 26: zero
        _end: [u8; 6],
    }
}

impl Gap {
    pub const TYPE: u8 = 107;
    pub const VERSION: u8 = 1;

    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }

    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.reason.0, 1..=3) {
            return Some("reason");
        }
        if self._end != [0; 6] {
            return Some("_end");
        }
        None
    }
}

// ----------------------------------------------------------------------------------------------
// TLV payloads
// ----------------------------------------------------------------------------------------------

structure! {
    /// TLV type 1: The pools of a signal's two venues, 42 bytes; for quoter calls.
    PoolAddresses, 42 bytes {
        /// 0: pool contract on venue A
        venue_a_pool: [u8; 20],
        /// 20: pool contract on venue B; zeros = none
        venue_b_pool: [u8; 20],
        /// 40: zero
        _reserved: [u8; 2],
    }
}

impl PoolAddresses {
    pub const TLV: u8 = 1;

    /// From the payload of a TLV; None when it has another size.
    pub fn from_tlv(payload: &[u8]) -> Option<Self> {
        (payload.len() == Self::SIZE).then(|| Self::get(payload))
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if self._reserved != [0; 2] {
            return Some("_reserved");
        }
        None
    }
}

structure! {
    /// TLV type 2: The third venue of a triangular arbitrage, 30 bytes.
    TertiaryVenue, 30 bytes {
        /// 0: router contract
        venue_c_router: [u8; 20],
        /// 20: how its pools price; a PoolType
        venue_c_type: PoolType,
        /// 21: fee of a swap (1e-6)
        fee_c_ppm: u32,
        /// 25: zero
        _reserved: [u8; 5],
    }
}

impl TertiaryVenue {
    pub const TLV: u8 = 2;

    /// From the payload of a TLV; None when it has another size.
    pub fn from_tlv(payload: &[u8]) -> Option<Self> {
        (payload.len() == Self::SIZE).then(|| Self::get(payload))
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if !matches!(self.fee_c_ppm, 0..=1000000) {
            return Some("fee_c_ppm");
        }
        if self._reserved != [0; 5] {
            return Some("_reserved");
        }
        None
    }
}

structure! {
    /// TLV type 3: How a bundle is sent to block builders, 43 bytes.
    MEVBundle, 43 bytes {
        /// 0: the builder preferred; 0 any
        target_builder: u32,
        /// 4: ties the bundle's signals together
        bundle_uuid: u32,
        /// 8: most transactions; 0 any (transactions)
        max_bundle_size: u8,
        /// 9: tip per gas (gwei)
        priority_fee_gwei: u64,
        /// 17: how far ahead to aim (blocks)
        target_block_range: u8,
        /// 18: the way it goes; a Submission
        submission_strategy: Submission,
        /// 19: bit n = the relay with number n will do
        relay_preferences: u64,
        /// 27: zero
        _reserved: [u8; 16],
    }
}

impl MEVBundle {
    pub const TLV: u8 = 3;

    /// From the payload of a TLV; None when it has another size.
    pub fn from_tlv(payload: &[u8]) -> Option<Self> {
        (payload.len() == Self::SIZE).then(|| Self::get(payload))
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if self._reserved != [0; 16] {
            return Some("_reserved");
        }
        None
    }
}

structure! {
    /// TLV type 4: Slippage expected of a trade of some size, 48 bytes.
    SlippageModel, 48 bytes {
        /// 0: the curve; a SlippageCurve
        model: SlippageCurve,
        /// 1: zero
        _start: [u8; 7],
        /// 8: slippage of an infinitely small trade (1e-8)
        intercept: i64,
        /// 16: what f(r) is multiplied by (1e-8)
        slope: i64,
        /// 24: of POWER only (1e-8)
        exponent: u64,
        /// 32: what size is divided by (Q64.64 base token)
        reference_size_q: u128,
    }
}

impl SlippageModel {
    pub const TLV: u8 = 4;

    /// From the payload of a TLV; None when it has another size.
    pub fn from_tlv(payload: &[u8]) -> Option<Self> {
        (payload.len() == Self::SIZE).then(|| Self::get(payload))
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if self._start != [0; 7] {
            return Some("_start");
        }
        None
    }
}

structure! {
    /// TLV type 5: W3C trace context (the fields of traceparent), 25 bytes: ties messages to a
    /// trace.
    TraceContext, 25 bytes {
        /// 0: the trace, not zeros
        trace_id: [u8; 16],
        /// 16: the span that sent this, not zeros
        parent_id: [u8; 8],
        /// 24: bit 0 = sampled
        flags: u8,
    }
}

impl TraceContext {
    pub const TLV: u8 = 5;

    /// From the payload of a TLV; None when it has another size.
    pub fn from_tlv(payload: &[u8]) -> Option<Self> {
        (payload.len() == Self::SIZE).then(|| Self::get(payload))
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        None
    }
}

structure! {
    /// TLV type 11: A loan taken and repaid within the transaction, 64 bytes.
    FlashLoanParams, 64 bytes {
        /// 0: who lends; a Lender
        provider: Lender,
        /// 1: zero
        _start: [u8; 3],
        /// 4: fee on amount_wei (1e-6)
        fee_ppm: u32,
        /// 8: contract that lends
        pool: [u8; 20],
        /// 28: contract of the token borrowed
        token: [u8; 20],
        /// 48: amount borrowed (smallest unit of token)
        amount_wei: u128,
    }
}

impl FlashLoanParams {
    pub const TLV: u8 = 11;

    /// From the payload of a TLV; None when it has another size.
    pub fn from_tlv(payload: &[u8]) -> Option<Self> {
        (payload.len() == Self::SIZE).then(|| Self::get(payload))
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if self._start != [0; 3] {
            return Some("_start");
        }
        if !matches!(self.fee_ppm, 0..=1000000) {
            return Some("fee_ppm");
        }
        None
    }
}

structure! {
    /// TLV type 12: A loan that can be liquidated, 96 bytes.
    LiquidationTarget, 96 bytes {
        /// 0: where the loan is; a LendingProtocol
        protocol: LendingProtocol,
        /// 1: zero
        _start: [u8; 3],
        /// 4: part of the debt that may be repaid (1e-6)
        close_factor_ppm: u32,
        /// 8: collateral paid on top (1e-6)
        bonus_ppm: u32,
        /// 12: account that owes
        borrower: [u8; 20],
        /// 32: contract of the token owed
        debt_token: [u8; 20],
        /// 52: contract of the token pledged
        collateral_token: [u8; 20],
        /// 72: below 1e8 it can be liquidated (1e-8)
        health_factor: u64,
        /// 80: debt to repay (smallest unit of debt_token)
        debt_to_cover_wei: u128,
    }
}

impl LiquidationTarget {
    pub const TLV: u8 = 12;

    /// From the payload of a TLV; None when it has another size.
    pub fn from_tlv(payload: &[u8]) -> Option<Self> {
        (payload.len() == Self::SIZE).then(|| Self::get(payload))
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if self._start != [0; 3] {
            return Some("_start");
        }
        if !matches!(self.close_factor_ppm, 0..=1000000) {
            return Some("close_factor_ppm");
        }
        if !matches!(self.bonus_ppm, 0..=1000000) {
            return Some("bonus_ppm");
        }
        None
    }
}

structure! {
    /// TLV type 13: A transaction to be surrounded, and how, 112 bytes.
    SandwichParams, 112 bytes {
        /// 0: hash of the pending transaction
        victim_tx_hash: [u8; 32],
        /// 32: what it sells (smallest unit)
        victim_amount_in_wei: u128,
        /// 48: the least it accepts (smallest unit)
        victim_min_out_wei: u128,
        /// 64: to sell before it (smallest unit)
        frontrun_amount_wei: u128,
        /// 80: to sell after it (smallest unit)
        backrun_amount_wei: u128,
        /// 96: most to pay per gas; 0 any (gwei)
        max_gas_price_gwei: u64,
        /// 104: slippage it allows (1/10,000)
        victim_slippage_bps: u16,
        /// 106: zero
        _end: [u8; 6],
    }
}

impl SandwichParams {
    pub const TLV: u8 = 13;

    /// From the payload of a TLV; None when it has another size.
    pub fn from_tlv(payload: &[u8]) -> Option<Self> {
        (payload.len() == Self::SIZE).then(|| Self::get(payload))
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if self._end != [0; 6] {
            return Some("_end");
        }
        None
    }
}

structure! {
    /// TLV type 21: Hints on gas and its price (EIP-1559), 40 bytes.
    GasOptimization, 40 bytes {
        /// 0: most gas to use (gas)
        gas_limit: u64,
        /// 8: most to pay per gas, tip included (wei)
        max_fee_per_gas_wei: u64,
        /// 16: most to tip per gas (wei)
        max_priority_fee_wei: u64,
        /// 24: base fee of the block observed (wei)
        base_fee_wei: u64,
        /// 32: how long to wait for cheaper gas (blocks)
        wait_blocks: u32,
        /// 36: time or gas first; a GasStrategy
        strategy: GasStrategy,
        /// 37: zero
        _end: [u8; 3],
    }
}

impl GasOptimization {
    pub const TLV: u8 = 21;

    /// From the payload of a TLV; None when it has another size.
    pub fn from_tlv(payload: &[u8]) -> Option<Self> {
        (payload.len() == Self::SIZE).then(|| Self::get(payload))
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if self._end != [0; 3] {
            return Some("_end");
        }
        None
    }
}

structure! {
    /// TLV type 22: A transfer to another chain, 96 bytes.
    CrossChain, 96 bytes {
        /// 0: EVM chain id it leaves
        source_chain_id: u32,
        /// 4: EVM chain id it goes to
        destination_chain_id: u32,
        /// 8: what carries it; a Bridge
        bridge: Bridge,
        /// 9: zero
        _start: [u8; 3],
        /// 12: fee (1e-6)
        bridge_fee_ppm: u32,
        /// 16: the bridge, on the chain it leaves
        bridge_contract: [u8; 20],
        /// 36: account it goes to
        recipient: [u8; 20],
        /// 56: contract of the token received
        destination_token: [u8; 20],
        /// 76: longest it may take; 0 any (s)
        max_seconds: u32,
        /// 80: the least to receive (smallest unit)
        min_received_wei: u128,
    }
}

impl CrossChain {
    pub const TLV: u8 = 22;

    /// From the payload of a TLV; None when it has another size.
    pub fn from_tlv(payload: &[u8]) -> Option<Self> {
        (payload.len() == Self::SIZE).then(|| Self::get(payload))
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if self._start != [0; 3] {
            return Some("_start");
        }
        if !matches!(self.bridge_fee_ppm, 0..=1000000) {
            return Some("bridge_fee_ppm");
        }
        None
    }
}

structure! {
    /// TLV type 23: What executing on a layer 2 costs and how final it is, 56 bytes.
    Layer2Params, 56 bytes {
        /// 0: how it proves its state; a Rollup
        rollup: Rollup,
        /// 1: zero
        _start: [u8; 3],
        /// 4: EVM chain id of the layer 2
        chain_id: u32,
        /// 8: base fee of layer 1 per gas (wei)
        l1_base_fee_wei: u64,
        /// 16: blob base fee of layer 1 per gas (wei)
        l1_blob_base_fee_wei: u64,
        /// 24: fee for the transaction's data (wei)
        l1_data_fee_wei: u128,
        /// 40: layer 1 block these are of; 0 unknown
        l1_block: u64,
        /// 48: until layer 1 has it for good (s)
        finality_seconds: u32,
        /// 52: until the sequencer answers (ms)
        sequencer_ms: u32,
    }
}

impl Layer2Params {
    pub const TLV: u8 = 23;

    /// From the payload of a TLV; None when it has another size.
    pub fn from_tlv(payload: &[u8]) -> Option<Self> {
        (payload.len() == Self::SIZE).then(|| Self::get(payload))
    }

    /// The first field whose value is not allowed.
    pub fn wrong(&self) -> Option<&'static str> {
        if self._start != [0; 3] {
            return Some("_start");
        }
        None
    }
}

// ----------------------------------------------------------------------------------------------
// Any message
// ----------------------------------------------------------------------------------------------

/// Whether a payload of this type and version can have this size; an unknown one: any.
pub fn fits(message_type: u8, version: u8, payload_size: u32) -> bool {
    match (message_type, version) {
        (1, 1) => payload_size == 32,
        (2, 1) => payload_size == 48,
        (3, 1) => payload_size >= 32,
        (10, 1) => payload_size >= 16,
        (11, 1) => payload_size >= 16,
        (12, 1) => payload_size == 16,
        (20, 1) => payload_size == 64,
        (21, 1) => payload_size == 72,
        (22, 1) => payload_size == 88,
        (23, 1) => payload_size == 80,
        (24, 1) => payload_size == 64,
        (25, 1) => payload_size == 96,
        (30, 1) => payload_size == 112,
        (30, 2) => payload_size == 160,
        (31, 1) => payload_size == 72,
        (32, 1) => payload_size == 128,
        (33, 1) => payload_size == 80,
        (33, 2) => payload_size == 112,
        (34, 1) => payload_size == 152,
        (35, 1) => payload_size == 144,
        (36, 1) => payload_size == 88,
        (37, 1) => payload_size >= 280,
        (40, 1) => payload_size == 80,
        (41, 1) => payload_size == 128,
        (42, 1) => payload_size == 128,
        (43, 1) => payload_size == 80,
        (44, 1) => payload_size == 112,
        (45, 1) => payload_size == 160,
        (100, 1) => payload_size >= 16,
        (101, 1) => payload_size == 16,
        (102, 1) => payload_size >= 24,
        (103, 1) => payload_size >= 1,
        (104, 1) => payload_size >= 64,
        (105, 1) => payload_size == 56,
        (106, 1) => payload_size == 24,
        (107, 1) => payload_size == 32,
        _ => true,
    }
}

/// A message of any type, as `decode` gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    Trade(Trade),
    Quote(Quote),
    OrderBook(OrderBook, OrderBookTails<'a>),
    InstrumentDiscovered(InstrumentDiscovered, InstrumentDiscoveredTails<'a>),
    PoolDiscovered(PoolDiscovered, PoolDiscoveredTails<'a>),
    VenueUpdate(VenueUpdate),
    ArbitrageOpportunity(ArbitrageOpportunity),
    PositionUpdate(PositionUpdate),
    StrategyAlert(StrategyAlert),
    RebalanceSignal(RebalanceSignal),
    RiskMetric(RiskMetric),
    PerformanceUpdate(PerformanceUpdate),
    PoolArbitrageSignalV1(PoolArbitrageSignalV1),
    PoolArbitrageSignal(PoolArbitrageSignal),
    LiquidityImbalance(LiquidityImbalance),
    ImpermanentLossAlert(ImpermanentLossAlert),
    MEVOpportunityV1(MEVOpportunityV1),
    MEVOpportunity(MEVOpportunity),
    FlashLoanSignal(FlashLoanSignal),
    YieldFarmingUpdate(YieldFarmingUpdate),
    GasOptimizationSignal(GasOptimizationSignal),
    DeFiSignal(DeFiSignal, DeFiSignalTails<'a>),
    OrderRequest(OrderRequest),
    OrderStatus(OrderStatus),
    Fill(Fill),
    OrderCancel(OrderCancel),
    OrderModify(OrderModify),
    ExecutionReport(ExecutionReport),
    Heartbeat(Heartbeat, HeartbeatTails<'a>),
    Snapshot(Snapshot),
    Error(Error, ErrorTails<'a>),
    ConfigUpdate(ConfigUpdate, ConfigUpdateTails<'a>),
    Hello(Hello, HelloTails<'a>),
    Welcome(Welcome),
    Ack(Ack),
    Gap(Gap),
    /// A type or version that is not known here, or a compressed payload.
    Unknown(Header, &'a [u8]),
}

/// The message in a whole frame, whose checksum is not looked at: `check` it first.
pub fn decode(frame: &[u8]) -> Result<Message<'_>, Fault> {
    let (header, payload) = split(frame)?;
    if header.flags & FLAGS_COMPRESSED != 0 {
        return Ok(Message::Unknown(header, payload));
    }
    Ok(match (header.message_type, header.version) {
        (1, 1) => Message::Trade(Trade::parse(frame)?),
        (2, 1) => Message::Quote(Quote::parse(frame)?),
        (3, 1) => {
            let (fields, tails) = OrderBook::parse(frame)?;
            Message::OrderBook(fields, tails)
        }
        (10, 1) => {
            let (fields, tails) = InstrumentDiscovered::parse(frame)?;
            Message::InstrumentDiscovered(fields, tails)
        }
        (11, 1) => {
            let (fields, tails) = PoolDiscovered::parse(frame)?;
            Message::PoolDiscovered(fields, tails)
        }
        (12, 1) => Message::VenueUpdate(VenueUpdate::parse(frame)?),
        (20, 1) => Message::ArbitrageOpportunity(ArbitrageOpportunity::parse(frame)?),
        (21, 1) => Message::PositionUpdate(PositionUpdate::parse(frame)?),
        (22, 1) => Message::StrategyAlert(StrategyAlert::parse(frame)?),
        (23, 1) => Message::RebalanceSignal(RebalanceSignal::parse(frame)?),
        (24, 1) => Message::RiskMetric(RiskMetric::parse(frame)?),
        (25, 1) => Message::PerformanceUpdate(PerformanceUpdate::parse(frame)?),
        (30, 1) => Message::PoolArbitrageSignalV1(PoolArbitrageSignalV1::parse(frame)?),
        (30, 2) => Message::PoolArbitrageSignal(PoolArbitrageSignal::parse(frame)?),
        (31, 1) => Message::LiquidityImbalance(LiquidityImbalance::parse(frame)?),
        (32, 1) => Message::ImpermanentLossAlert(ImpermanentLossAlert::parse(frame)?),
        (33, 1) => Message::MEVOpportunityV1(MEVOpportunityV1::parse(frame)?),
        (33, 2) => Message::MEVOpportunity(MEVOpportunity::parse(frame)?),
        (34, 1) => Message::FlashLoanSignal(FlashLoanSignal::parse(frame)?),
        (35, 1) => Message::YieldFarmingUpdate(YieldFarmingUpdate::parse(frame)?),
        (36, 1) => Message::GasOptimizationSignal(GasOptimizationSignal::parse(frame)?),
        (37, 1) => {
            let (fields, tails) = DeFiSignal::parse(frame)?;
            Message::DeFiSignal(fields, tails)
        }
        (40, 1) => Message::OrderRequest(OrderRequest::parse(frame)?),
        (41, 1) => Message::OrderStatus(OrderStatus::parse(frame)?),
        (42, 1) => Message::Fill(Fill::parse(frame)?),
        (43, 1) => Message::OrderCancel(OrderCancel::parse(frame)?),
        (44, 1) => Message::OrderModify(OrderModify::parse(frame)?),
        (45, 1) => Message::ExecutionReport(ExecutionReport::parse(frame)?),
        (100, 1) => {
            let (fields, tails) = Heartbeat::parse(frame)?;
            Message::Heartbeat(fields, tails)
        }
        (101, 1) => Message::Snapshot(Snapshot::parse(frame)?),
        (102, 1) => {
            let (fields, tails) = Error::parse(frame)?;
            Message::Error(fields, tails)
        }
        (103, 1) => {
            let (fields, tails) = ConfigUpdate::parse(frame)?;
            Message::ConfigUpdate(fields, tails)
        }
        (104, 1) => {
            let (fields, tails) = Hello::parse(frame)?;
            Message::Hello(fields, tails)
        }
        (105, 1) => Message::Welcome(Welcome::parse(frame)?),
        (106, 1) => Message::Ack(Ack::parse(frame)?),
        (107, 1) => Message::Gap(Gap::parse(frame)?),
        _ => Message::Unknown(header, payload),
    })
}
