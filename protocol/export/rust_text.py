"""The parts of alphapulse.rs that do not depend on the message classes: Rust, word for word.

Put together by `protocol.export.rust`. Nothing here may name a message; what does is written from
its class there. Plain std, no unsafe: values are copied out of and into bytes.
"""

from __future__ import annotations

TOP = """\
//! alphapulse.rs: the frames of the AlphaPulse relays, in plain Rust without any crate.
//!
//! Written by `relays export rust` from the message classes of the protocol package: do not edit.
//! protocol/SPEC.md has the rules, tests/vectors/ frames to test an implementation with.
//! Use it as a module: `mod alphapulse;`.
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

CHECKSUM = """\
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
"""

FRAMES = """\
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

/// The checksum that a frame with this header and payload should have.
pub fn checksum(header: &Header, payload: &[u8]) -> u32 {
    let mut head = Vec::with_capacity(HEADER_SIZE);
    header.put(&mut head);
    crc32(crc32(0, &head[..CHECKSUM_AT]), payload)
}

/// The checks that a relay makes of one frame, in its order; `max_payload` is that of the relay
/// (Welcome.max_payload). `Rejected(TRUNCATED)`: more bytes are wanted.
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
    if header.checksum != checksum(&header, payload) {
        return Err(Fault::Rejected(Reject::BAD_CHECKSUM));
    }
    Ok(header)
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
    let checksum = checksum(&header, &frame[HEADER_SIZE..]);
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
"""

TAILS = """\
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
"""
