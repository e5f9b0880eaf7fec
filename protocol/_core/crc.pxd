from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "isa-l/crc.h" nogil:
    uint32_t crc32_gzip_refl(uint32_t seed, const unsigned char *buf, uint64_t size)

cdef extern from "crc_fold.h" nogil:
    enum:
        CRC_FOLD_MOST
    int crc_fold_usable()
    uint32_t crc_fold_frame(const uint8_t *frame, uint64_t payload)

cdef inline uint32_t crc_frame(const uint8_t *frame, uint64_t payload_size) noexcept nogil:
    """CRC of bytes 0..27 and the payload: the checksum field itself is left out (SPEC, Header)."""
    cdef uint32_t value
    if payload_size <= CRC_FOLD_MOST and payload_size % 16 == 0 and crc_fold_usable():
        return crc_fold_frame(frame, payload_size)
    value = crc32_gzip_refl(0, frame, 28)
    return crc32_gzip_refl(value, frame + 32, payload_size)
