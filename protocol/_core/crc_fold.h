/* CRC-32 of one short frame by carry-less multiplication (x86-64 with PCLMULQDQ).
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

#define CRC_FOLD_TARGET __attribute__((target("avx,pclmul,sse4.1")))

CRC_FOLD_TARGET static inline __m128i crc_fold_16(__m128i x, __m128i k) {
    return _mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00), _mm_clmulepi64_si128(x, k, 0x11));
}

CRC_FOLD_TARGET static inline uint32_t crc_fold_reduce(__m128i x) {
    const __m128i fold = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    const __m128i last = _mm_set_epi64x(0, 0x163cd6124);
    const __m128i barrett = _mm_set_epi64x(0x1f7011641, 0x1db710641);
    const __m128i low32 = _mm_set_epi32(0, 0, 0, -1);
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
    const __m128i fold = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    const __m128i *block = (const __m128i *)(frame + 32);
    __m128i x = _mm_loadu_si128((const __m128i *)frame);
    x = _mm_slli_si128(_mm_xor_si128(x, _mm_set_epi32(0, 0, 0, -1)), 4);
    x = _mm_xor_si128(crc_fold_16(x, fold), _mm_loadu_si128((const __m128i *)(frame + 12)));
    for (uint64_t n = 0; n < payload / 16; n++)
        x = _mm_xor_si128(crc_fold_16(x, fold), _mm_loadu_si128(block + n));
    return crc_fold_reduce(x);
}
#else
static int crc_fold_usable(void) { return 0; }
static uint32_t crc_fold_frame(const uint8_t *frame, uint64_t payload) {
    (void)frame;
    return (uint32_t)payload;
}
#endif
#endif
