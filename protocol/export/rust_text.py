"""What alphapulse.rs begins and ends with, and its basic structures: Rust, word for word.

Put together by `protocol.export.rust`. Nothing here may name a message; what does is written from
its class there. Plain std, no unsafe: values are copied.
"""

from __future__ import annotations

TOP = """\
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
"""

BASIC = """\
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
"""

LOOSE = """\
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
"""
