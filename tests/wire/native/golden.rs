// What golden.c does, in Rust. fields.rs is written by programs.py.
mod alphapulse;
mod fields;

use alphapulse::*;
use std::io::{Read, Write};

const MAX_PAYLOAD: u32 = 65536;

pub fn show_bytes(name: &str, bytes: &[u8]) {
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{name} 0x{text}");
}

pub fn show_instrument(name: &str, id: InstrumentId) {
    let (venue, asset_type, reserved, asset_id) = (id.venue.0, id.asset_type.0, id.reserved, id.asset_id);
    println!("{name} {venue}/{asset_type}/{reserved}/{asset_id}");
}

pub fn show_levels(name: &str, levels: Levels) {
    let text: String = levels
        .iter()
        .map(|level| format!(" {}:{}", { level.price }, { level.size }))
        .collect();
    println!("{name}{text}");
}

pub fn show_wrong(name: Option<&str>) {
    println!("wrong {}", name.unwrap_or("-"));
}

/// Show TLVs, and put them together again from what was shown.
pub fn pass_tlvs(name: &str, tlvs: Tlvs, typed: bool) -> Vec<u8> {
    let mut made = Vec::new();
    for (kind, payload) in tlvs.iter().flatten() {
        show_bytes(&format!("{name} {kind} is"), payload);
        let again = if typed { fields::pass_tlv(kind, payload) } else { None };
        assert!(put_tlv(&mut made, kind, again.as_deref().unwrap_or(payload)));
    }
    made
}

fn number(fault: Fault) -> i32 {
    match fault {
        Fault::Rejected(code) => i32::from(code.0),
        Fault::OtherSchema => -1,
        Fault::Tails => -2,
        Fault::Text => -3,
        Fault::Tlv(_) => -4,
    }
}

fn pass(frame: &[u8]) -> Vec<u8> {
    let header = match check(frame, MAX_PAYLOAD) {
        Ok(header) => header,
        Err(fault) => {
            println!("check {}", number(fault));
            return Vec::new();
        }
    };
    println!("check 0");
    let stamp = Stamp {
        sequence: header.sequence,
        timestamp: header.timestamp,
        source: SourceType(header.source),
        flags: header.flags,
    };
    match decode(frame) {
        Ok(message) => fields::pass(message, &stamp),
        Err(fault) => {
            println!("read {}", number(fault));
            Vec::new()
        }
    }
}

/// What does not depend on a frame.
fn helpers() {
    println!("crc {:08x}", crc32(0, b"123456789"));
    println!("parts {:08x}", crc32(crc32(0, b"1234567"), b"89"));
    let id = symbol_id("BTCUSDT").expect("a symbol");
    println!("symbol {id} {}", symbol(id).unwrap_or_default());
    println!("none {:?} {:?}", symbol_id("LONGSYMBOL"), symbol_id("Ä"));
    println!("names {:?} {:?}", Reject::BAD_MAGIC, Reject(99));
    println!("error {}", Fault::Rejected(Reject::TRUNCATED));
    println!("walk {:?}", frames(&[0; 99]).collect::<Vec<_>>());
}

fn main() {
    let Some(path) = std::env::args().nth(1) else {
        return helpers();
    };
    let mut out = std::fs::File::create(path).expect("a file");
    let mut data = Vec::new();
    std::io::stdin().read_to_end(&mut data).expect("input");
    let mut rest = &data[..];
    while !rest.is_empty() {
        let size = u32::get(rest) as usize;
        let made = pass(&rest[4..4 + size]);
        out.write_all(&(made.len() as u32).to_le_bytes()).expect("room");
        out.write_all(&made).expect("room");
        rest = &rest[4 + size..];
        println!();
    }
}
