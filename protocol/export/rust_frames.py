"""What alphapulse.rs does with any frame: checksums, headers, tails: Rust, word for word.

Put together by `protocol.export.rust`. Nothing here may name a message; what does is written from
its class there. Plain std, no unsafe: values are copied.
"""

from __future__ import annotations

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
"""
