"""What alphapulse.h begins and ends with, and its basic structures: C, word for word.

Put together by `protocol.export.c`. Nothing here may name a message; what does is written from
its class there. C11 that is C++ too, little-endian, no dependency.
"""

from __future__ import annotations

TOP = """\
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
"""

CONSTANTS = """\
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
"""

BASIC = """\
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
"""

INSTRUMENT = """\
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
"""

BASIC_ASSERTS = """\
AP_SIZE(ap_u128, 16);
AP_SIZE(ap_i128, 16);
AP_SIZE(ap_level, 16);
AP_OFFSET(ap_level, size, 8);
AP_SIZE(ap_instrument_id, 12);
AP_OFFSET(ap_instrument_id, asset_type, 2);
AP_OFFSET(ap_instrument_id, reserved, 3);
AP_OFFSET(ap_instrument_id, asset_id, 4);
"""

LOOSE = """\
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
"""

SYMBOLS = """\
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
"""

BOTTOM = """\
#ifdef __cplusplus
}
#endif

#endif
"""
