/* The checksum of one 64-byte frame, cheap enough that a verifying consumer stays a driver.
 * (Built with QUOTES, of 80 bytes: by the library.)
 *
 * A library's CRC costs some 10 ns for so short a message, mostly its set-up: four verifying
 * consumers on two cores would then measure themselves. Here the 60 bytes are folded with
 * carry-less multiplication (Intel, "Fast CRC Computation for Generic Polynomials Using
 * PCLMULQDQ", 2009; the bit-reflected constants for CRC-32). The 4 bytes that are missing to
 * 64 are zeros before the message, which a CRC that begins at 0 does not see.
 */
#include "bench.h"

#include <isa-l/crc.h>

uint32_t checksum_of(const uint8_t *frame, uint64_t payload)
{
    uint32_t value = crc32_gzip_refl(0, frame, AT_CHECKSUM);
    return crc32_gzip_refl(value, frame + HEADER_BYTES, payload);
}

static uint32_t portable_checksum(const uint8_t *frame)
{
    return checksum_of(frame, FRAME_BYTES - HEADER_BYTES);
}

#if defined(__x86_64__) && !defined(QUOTES)
#include <immintrin.h>

#define FOLDING __attribute__((target("pclmul,sse4.1")))

FOLDING static inline __m128i load(const uint8_t *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* Moves a value 128 bits up and adds what stands there. */
FOLDING static inline __m128i fold(__m128i value, __m128i next)
{
    const __m128i by = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    __m128i low = _mm_clmulepi64_si128(value, by, 0x00);
    __m128i high = _mm_clmulepi64_si128(value, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* 128 bits to 64, then to 32 (Barrett). */
FOLDING static inline uint32_t reduce(__m128i value)
{
    const __m128i words = _mm_setr_epi32(-1, 0, -1, 0);
    const __m128i by = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    const __m128i by_64 = _mm_set_epi64x(0, 0x0163cd6124);
    const __m128i barrett = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    __m128i folded = _mm_clmulepi64_si128(value, by, 0x10);
    value = _mm_xor_si128(_mm_srli_si128(value, 8), folded);
    folded = _mm_clmulepi64_si128(_mm_and_si128(value, words), by_64, 0x00);
    value = _mm_xor_si128(_mm_srli_si128(value, 4), folded);
    folded = _mm_clmulepi64_si128(_mm_and_si128(value, words), barrett, 0x10);
    folded = _mm_clmulepi64_si128(_mm_and_si128(folded, words), barrett, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(value, folded), 1);
}

FOLDING static uint32_t folded_checksum(const uint8_t *frame)
{
    const __m128i begin = _mm_setr_epi32(0, -1, 0, 0);
    __m128i value = _mm_xor_si128(_mm_slli_si128(load(frame), 4), begin);
    value = fold(value, load(frame + 12));
    value = fold(value, load(frame + 32));
    value = fold(value, load(frame + 48));
    return ~reduce(value);
}

static bool can_fold(void)
{
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}
#else
#define folded_checksum portable_checksum
static bool can_fold(void) { return false; }
#endif

static uint32_t (*chosen)(const uint8_t *frame) = portable_checksum;

/* 1,000 frames of noise: a wrong checksum here would blame the relay. */
static void compare(void)
{
    uint8_t frame[FRAME_BYTES];
    uint64_t noise = 88172645463325252ull;
    for (int round = 0; round < 1000; round++) {
        for (int at = 0; at < FRAME_BYTES; at += 8) {
            noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
            store64(frame + at, noise);
        }
        if (folded_checksum(frame) != portable_checksum(frame))
            fail("the two checksums differ on this machine");
    }
}

void choose_checksum(void)
{
    if (!can_fold())
        return;
    compare();
    chosen = folded_checksum;
}

uint32_t frame_checksum(const uint8_t *frame) { return chosen(frame); }
