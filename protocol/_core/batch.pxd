from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef struct Found:
    # The frames of one schema in a buffer: how many, the first's offset, number and bytes, where
    # the next one would begin if they were all adjacent and equally long.
    uint64_t count, first, frame, size, next
    bint together

cdef struct Target:
    uint8_t *rows
    uint64_t *offsets
    int64_t *frames
    uint64_t width, place

cdef class Schemas:
    cdef readonly uint32_t count
    cdef uint16_t number[65536]        # by type << 8 | version
    cdef uint32_t *payload             # bytes, the least where not exact
    cdef uint8_t *exact

    cdef bint fits(self, uint16_t number, uint32_t payload) noexcept nogil
