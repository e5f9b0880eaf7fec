from libc.stdint cimport uint8_t, uint64_t

from protocol._core.state cimport ConnectionRecord, State

cdef class Record:
    cdef readonly State state
    cdef readonly uint64_t slot
    cdef ConnectionRecord *row
    cdef void store(self) noexcept nogil
    cdef void drop(self, int reason) noexcept nogil
    cdef bint _sent(self, uint64_t taken, uint64_t now) noexcept nogil
    cdef void count_sent(self, uint64_t frames, uint64_t taken) noexcept nogil
    cdef void move(self, uint64_t position, uint64_t offset, uint64_t begun,
                   uint64_t now) noexcept nogil
    cdef bint just_walked(self, uint64_t taken) noexcept nogil
