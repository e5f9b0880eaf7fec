from libc.stdint cimport uint8_t, uint64_t

from protocol._core.state cimport ConnectionRecord, State

cdef struct Went:                      # what of the log a consumer was sent
    uint64_t frames                    # that ended in it
    uint64_t boundary                  # where the last of them ends; 0 where none did
    uint64_t begun                     # bytes left of the one behind that

cdef class Record:
    cdef readonly State state
    cdef readonly uint64_t slot
    cdef ConnectionRecord *row
    cdef const uint8_t *window         # a stretch of the journal that it is served from, or NULL
    cdef uint64_t window_begin, window_end, window_ns
    cdef object window_owner
    cpdef mark(self, uint64_t what)
    cpdef unmark(self, uint64_t what)
    cdef const uint8_t *next_frame(self) noexcept nogil
    cdef uint64_t limit(self) noexcept nogil
    cdef void store(self) noexcept nogil
    cdef void drop(self, int reason) noexcept nogil
    cdef bint _sent(self, uint64_t taken, uint64_t now) noexcept nogil
    cdef void count_sent(self, uint64_t frames, uint64_t taken) noexcept nogil
    cdef void move(self, uint64_t position, uint64_t offset, uint64_t begun,
                   uint64_t now) noexcept nogil
    cdef Went walked(self, uint64_t until) noexcept nogil
    cdef Went counted(self, uint64_t until) noexcept nogil
