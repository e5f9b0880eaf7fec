"""The parts of alphapulse.h that do not depend on the message classes: C, word for word.

Put together by `protocol.export.c`. Nothing here may name a message; what does is written from its
class there. Everything is C11 that is C++ too, little-endian, without any dependency.
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
    AP_BAD_TLV = -4       /* a TLV runs past the end */
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

CRC = """\
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
"""

FRAMES = """\
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
"""

TAILS = """\
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
"""

CHECK = """\
/* The checks that a relay makes of one frame, in its order: AP_OK or a Reject code. `max_payload`
 * is that of the relay (Welcome.max_payload). AP_REJECT_TRUNCATED: more bytes are wanted. */
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
"""

BOTTOM = """\
#ifdef __cplusplus
}
#endif

#endif
"""
