from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef uint32_t crc_bytes(uint32_t value, const uint8_t *data, uint64_t size) noexcept nogil
cdef uint32_t crc_frame(const uint8_t *frame, uint64_t payload_size) noexcept nogil
