from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from "isa-l/crc.h" nogil:
    uint32_t crc32_gzip_refl(uint32_t seed, const unsigned char *buf, uint64_t size)

cdef extern from "crc_fold.h" nogil:
    enum:
        CRC_FOLD_MOST
    int crc_fold_usable()
    int crc_fold_wide_usable()
    uint32_t crc_fold_frame(const uint8_t *frame, uint64_t payload)
    uint64_t crc_fold_right(const uint8_t *frame, uint64_t size, uint64_t count)

cdef inline uint32_t crc_frame(const uint8_t *frame, uint64_t payload_size) noexcept nogil:
    """CRC of bytes 0..27 and the payload: the checksum field itself is left out (SPEC, Header)."""
    cdef uint32_t value
    if payload_size <= CRC_FOLD_MOST and payload_size % 16 == 0 and crc_fold_usable():
        return crc_fold_frame(frame, payload_size)
    value = crc32_gzip_refl(0, frame, 28)
    return crc32_gzip_refl(value, frame + 32, payload_size)

cdef inline uint32_t checksum_of(const uint8_t *frame) noexcept nogil:
    """What the header says, wherever the frame begins."""
    cdef uint32_t value
    memcpy(&value, frame + 28, 4)
    return value

cdef inline uint64_t right_checksums(const uint8_t *frame, uint64_t size,
                                     uint64_t count) noexcept nogil:
    """How many of `count` frames of `size` bytes, one behind the other, have the right checksum
    before the first that has not."""
    cdef uint64_t n = 0, payload = size - 32
    if payload <= CRC_FOLD_MOST and payload % 16 == 0 and crc_fold_wide_usable():
        n = crc_fold_right(frame, size, count)
    while n < count and crc_frame(frame + n * size, payload) == checksum_of(frame + n * size):
        n += 1
    return n
