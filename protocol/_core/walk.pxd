from libc.stdint cimport uint8_t, uint64_t

from protocol._core.ring cimport Ring

cdef enum:
    APART = 8192
    MARKS = 4096                       # so they go at least 32 MiB back

cdef struct Mark:
    uint64_t offset
    uint64_t frames

cdef class Walk:
    cdef Ring ring
    cdef Mark marks[MARKS]
    cdef uint64_t next, end, frames, begun_at, begun_with
    cdef const uint8_t *at(self, uint64_t offset) noexcept nogil
    cdef void over(self, uint64_t offset, uint64_t until) noexcept nogil
    cdef bint reaches(self, uint64_t begin, uint64_t until, uint64_t oldest) noexcept nogil
    cdef uint64_t between(self, uint64_t begin, uint64_t until,
                          uint64_t *boundary) noexcept nogil
    cdef uint64_t before(self, uint64_t offset, uint64_t *boundary) noexcept nogil
    cdef void begin_at(self, uint64_t offset) noexcept nogil
    cdef void go_on(self, uint64_t until) noexcept nogil
    cdef Mark *oldest(self) noexcept nogil
    cdef Mark *mark_before(self, uint64_t offset) noexcept nogil

    cdef inline bint just_over(self, uint64_t offset, uint64_t until) noexcept nogil:
        """Whether this is what was walked last, from end to end."""
        return offset == self.begun_at and until == self.end
