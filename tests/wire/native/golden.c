/* Reads frames, each after its size as u32, from standard input. Says on standard output what they
 * are: the result of ap_check, that of the message's read function, every field, and the first
 * that is not allowed. Builds each frame again from its fields alone, into the file it is told, in
 * the same form; nothing where there was an error. fields.h is written by programs.py. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "alphapulse.h"

#define ROOM (1u << 20)
#define MAX_PAYLOAD 65536

static void show_bytes(const char *name, const uint8_t *bytes, size_t size) {
    size_t at;
    printf("%s 0x", name);
    for (at = 0; at < size; at++) printf("%02x", bytes[at]);
    printf("\n");
}

static void show_u128(const char *name, uint64_t hi, uint64_t lo) {
    printf("%s 0x%016" PRIx64 "%016" PRIx64 "\n", name, hi, lo);
}

static void show_instrument(const char *name, ap_instrument_id id) {
    printf("%s %u/%u/%u/%" PRIu64 "\n", name, id.venue, id.asset_type, id.reserved, id.asset_id);
}

static void show_levels(const char *name, ap_span levels) {
    size_t at;
    printf("%s", name);
    for (at = 0; at < ap_level_count(levels); at++) {
        ap_level level = ap_level_at(levels, at);
        printf(" %" PRId64 ":%" PRIu64, level.price, level.size);
    }
    printf("\n");
}

static void show_wrong(const char *name) {
    printf("wrong %s\n", name ? name : "-");
}

static int show_tlv(ap_tlv tlv);
static size_t rebuild_tlv(ap_tlv tlv, uint8_t *out, size_t room);

/* Show TLVs, and put them together again from what was shown: gives their size. */
static size_t pass_tlvs(const char *name, ap_span tlvs, int typed, uint8_t *out, size_t room) {
    size_t at = 0, made = 0;
    ap_tlv tlv;
    while (ap_tlv_next(tlvs, &at, &tlv) == 1) {
        printf("%s %u ", name, tlv.type);
        show_bytes("is", tlv.payload.data, tlv.payload.size);
        if (typed && show_tlv(tlv))
            made += rebuild_tlv(tlv, out + made, room - made);
        else
            made += ap_tlv_put(out + made, room - made, tlv.type, tlv.payload);
    }
    return made;
}

#include "fields.h"

static size_t pass(const uint8_t *frame, size_t size, uint8_t *again) {
    ap_header header;
    ap_stamp stamp;
    int code = ap_check(frame, size, MAX_PAYLOAD);
    printf("check %d\n", code);
    if (code != AP_OK) return 0;
    header = ap_header_get(frame);
    stamp.sequence = header.sequence;
    stamp.timestamp = header.timestamp;
    stamp.source = header.source;
    stamp.flags = header.flags;
    if (!(header.flags & AP_FLAGS_COMPRESSED)) {
        switch (header.message_type << 8 | header.version) {
            CASES
        }
    }
    printf("unknown\n");
    {
        uint8_t *at = ap_begin(again, ROOM, header.message_type, header.version,
                               header.payload_size, &stamp);
        ap_append(at, frame + AP_HEADER_SIZE, header.payload_size);
        ap_seal(again);
    }
    return AP_HEADER_SIZE + header.payload_size;
}

/* What does not depend on a frame. */
static int helpers(void) {
    char symbol[9];
    ap_symbol(ap_symbol_id("BTCUSDT"), symbol);
    printf("crc %08" PRIx32 "\n", ap_crc32(0, "123456789", 9));
    printf("parts %08" PRIx32 "\n", ap_crc32(ap_crc32(0, "1234567", 7), "89", 2));
    printf("symbol %" PRIu64 " %s\n", ap_symbol_id("BTCUSDT"), symbol);
    printf("none %" PRIu64 " %" PRIu64 "\n", ap_symbol_id("LONGSYMBOL"), ap_symbol_id("\xc3\x84"));
    printf("wide %d\n", ap_u128_get(ap_u128_of((ap_uint128)7 << 70)) == (ap_uint128)7 << 70);
    printf("negative %d\n", ap_i128_get(ap_i128_of(-5)) == -5 && ap_i128_of(-5).hi == UINT64_MAX);
    printf("name %s %d\n", ap_type_name(AP_TRADE_TYPE), ap_type_name(200) == NULL);
    printf("faults %s %s %s\n", ap_fault_name(AP_BAD_TAILS), ap_fault_name(AP_REJECT_TRUNCATED),
           ap_fault_name(12345));
    return 0;
}

int main(int argc, char **argv) {
    FILE *out = argc == 2 ? fopen(argv[1], "wb") : NULL;
    uint8_t *again = (uint8_t *)malloc(ROOM);
    uint32_t size, made;
    if (argc == 1) {
        free(again);
        return helpers();
    }
    if (out == NULL || again == NULL) return 2;
    while (fread(&size, sizeof size, 1, stdin) == 1) {
        /* As large as the frame and not a byte larger, for what looks at memory to notice. */
        uint8_t *frame = (uint8_t *)malloc(size ? size : 1);
        if (frame == NULL || fread(frame, 1, size, stdin) != size) return 3;
        made = (uint32_t)pass(frame, size, again);
        fwrite(&made, sizeof made, 1, out);
        fwrite(again, 1, made, out);
        printf("\n");
        free(frame);
    }
    free(again);
    return fclose(out);
}
