"""What alphapulse.h does with any frame: checksums, headers, tails: C, word for word.

Put together by `protocol.export.c`. Nothing here may name a message; what does is written from
its class there. C11 that is C++ too, little-endian, no dependency.
"""

from __future__ import annotations

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
"""

NEXT = """\
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
"""
