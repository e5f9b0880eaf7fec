/* CRC-32 of short frames by carry-less multiplication (x86-64 with PCLMULQDQ), one or four at once.
 *
 * Included by crc.pyx, which asks ISA-L for everything this does not take. ISA-L pays about 5 ns a
 * call, and a frame needs two: the 28 header bytes before the checksum field, and the payload.
 * Folded here as one message: zero bytes in front of a message do not change its remainder, so the
 * 28 bytes become two 16-byte blocks with 4 zeros in front, and payloads that are a multiple of 16
 * bytes (most fixed ones) follow without a seam: 5 ns for a 64-byte frame where two calls took 9.5.
 * "avx" only for its encoding: without it the mix with ISA-L's AVX-512 was measured at 20 ns.
 * Constants and reduction: Intel's "Fast CRC Computation Using PCLMULQDQ", bit-reflected.
 */
#ifndef RELAYS_CRC_FOLD_H
#define RELAYS_CRC_FOLD_H

#include <stdint.h>

#define CRC_FOLD_MOST 128 /* bytes of payload; longer ones are ISA-L's, which folds wider */

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

static int crc_fold_usable(void) {
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("avx");
}

/* Two 64-bit constants each: fold by 16 bytes; the last 64 to 32; Barrett's. */
#define CRC_FOLD_BY_16 _mm_set_epi64x(0x0ccaa009e, 0x1751997d0)
#define CRC_FOLD_LAST _mm_set_epi64x(0, 0x163cd6124)
#define CRC_FOLD_BARRETT _mm_set_epi64x(0x1f7011641, 0x1db710641)
#define CRC_FOLD_LOW32 _mm_set_epi32(0, 0, 0, -1)

#define CRC_FOLD_TARGET __attribute__((target("avx,pclmul,sse4.1")))

CRC_FOLD_TARGET static inline __m128i crc_fold_16(__m128i x, __m128i k) {
    return _mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00), _mm_clmulepi64_si128(x, k, 0x11));
}

CRC_FOLD_TARGET static inline uint32_t crc_fold_reduce(__m128i x) {
    const __m128i fold = CRC_FOLD_BY_16;
    const __m128i last = CRC_FOLD_LAST;
    const __m128i barrett = CRC_FOLD_BARRETT;
    const __m128i low32 = CRC_FOLD_LOW32;
    __m128i y = _mm_clmulepi64_si128(x, fold, 0x10);
    x = _mm_xor_si128(_mm_srli_si128(x, 8), y);
    y = _mm_srli_si128(x, 4);
    x = _mm_clmulepi64_si128(_mm_and_si128(x, low32), last, 0x00);
    x = _mm_xor_si128(x, y);
    y = x;
    x = _mm_clmulepi64_si128(_mm_and_si128(x, low32), barrett, 0x10);
    x = _mm_clmulepi64_si128(_mm_and_si128(x, low32), barrett, 0x00);
    return ~(uint32_t)_mm_extract_epi32(_mm_xor_si128(x, y), 1);
}

/* `payload` bytes, a multiple of 16, follow the 32-byte header at `frame`. */
CRC_FOLD_TARGET static uint32_t crc_fold_frame(const uint8_t *frame, uint64_t payload) {
    const __m128i fold = CRC_FOLD_BY_16;
    const __m128i *block = (const __m128i *)(frame + 32);
    __m128i x = _mm_loadu_si128((const __m128i *)frame);
    x = _mm_slli_si128(_mm_xor_si128(x, CRC_FOLD_LOW32), 4);
    x = _mm_xor_si128(crc_fold_16(x, fold), _mm_loadu_si128((const __m128i *)(frame + 12)));
    for (uint64_t n = 0; n < payload / 16; n++)
        x = _mm_xor_si128(crc_fold_16(x, fold), _mm_loadu_si128(block + n));
    return crc_fold_reduce(x);
}

/* Four frames at once, one in each 128-bit lane: where many of a size follow each other, this takes
 * 1.3 ns a frame. Folding one frame four blocks wide does not: 64 bytes are too few. */
#define CRC_FOLD_LANES 4
#define CRC_FOLD_WIDE __attribute__((target("avx512f,avx512bw,avx512vl,vpclmulqdq")))

static int crc_fold_wide_usable(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("vpclmulqdq");
}

/* 16 bytes from each of four frames that are `size` apart. */
CRC_FOLD_WIDE static inline __m512i crc_fold_lanes(const uint8_t *at, uint64_t size) {
    __m512i x = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)at));
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(at + size)), 1);
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(at + 2 * size)), 2);
    return _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(at + 3 * size)), 3);
}

CRC_FOLD_WIDE static inline __m512i crc_fold_16_wide(__m512i x, __m512i k) {
    return _mm512_xor_si512(_mm512_clmulepi64_epi128(x, k, 0x00),
                            _mm512_clmulepi64_epi128(x, k, 0x11));
}

/* As crc_fold_reduce, in each lane; the CRC's complement is the second of its four words. */
CRC_FOLD_WIDE static inline __m512i crc_fold_reduce_wide(__m512i x) {
    const __m512i fold = _mm512_broadcast_i32x4(CRC_FOLD_BY_16);
    const __m512i last = _mm512_broadcast_i32x4(CRC_FOLD_LAST);
    const __m512i barrett = _mm512_broadcast_i32x4(CRC_FOLD_BARRETT);
    const __m512i low32 = _mm512_broadcast_i32x4(CRC_FOLD_LOW32);
    __m512i y = _mm512_clmulepi64_epi128(x, fold, 0x10);
    x = _mm512_xor_si512(_mm512_bsrli_epi128(x, 8), y);
    y = _mm512_bsrli_epi128(x, 4);
    x = _mm512_clmulepi64_epi128(_mm512_and_si512(x, low32), last, 0x00);
    x = _mm512_xor_si512(x, y);
    y = x;
    x = _mm512_clmulepi64_epi128(_mm512_and_si512(x, low32), barrett, 0x10);
    x = _mm512_clmulepi64_epi128(_mm512_and_si512(x, low32), barrett, 0x00);
    return _mm512_xor_si512(x, y);
}

/* Whether four frames of `size` bytes, one behind the other, have the checksums that are theirs. */
CRC_FOLD_WIDE static inline int crc_fold_four_right(const uint8_t *frame, uint64_t size) {
    const __m512i fold = _mm512_broadcast_i32x4(CRC_FOLD_BY_16);
    const __m512i ones = _mm512_broadcast_i32x4(CRC_FOLD_LOW32);
    __m512i x = _mm512_xor_si512(crc_fold_lanes(frame, size), ones), there;
    x = _mm512_bslli_epi128(x, 4);
    x = _mm512_xor_si512(crc_fold_16_wide(x, fold), crc_fold_lanes(frame + 12, size));
    for (uint64_t at = 32; at < size; at += 16)
        x = _mm512_xor_si512(crc_fold_16_wide(x, fold), crc_fold_lanes(frame + at, size));
    there = _mm512_bsrli_epi128(crc_fold_lanes(frame + 16, size), 8); /* bytes 28..31: second */
    x = _mm512_andnot_si512(crc_fold_reduce_wide(x), _mm512_set1_epi32(-1));
    return _mm512_mask_cmpneq_epi32_mask(0x2222, x, there) == 0;
}

/* How many of `count` frames, four by four, have the right checksum: all before the first four of
 * which one has not. */
CRC_FOLD_WIDE static uint64_t crc_fold_right(const uint8_t *frame, uint64_t size, uint64_t count) {
    uint64_t n = 0;
    while (n + CRC_FOLD_LANES <= count && crc_fold_four_right(frame + n * size, size))
        n += CRC_FOLD_LANES;
    return n;
}
#else
static int crc_fold_usable(void) { return 0; }
static int crc_fold_wide_usable(void) { return 0; }
static uint32_t crc_fold_frame(const uint8_t *frame, uint64_t payload) {
    (void)frame;
    return (uint32_t)payload;
}
static uint64_t crc_fold_right(const uint8_t *frame, uint64_t size, uint64_t count) {
    (void)frame;
    (void)size;
    (void)count;
    return 0;
}
#endif
#endif
