from libc.stdint cimport uint8_t, uint32_t, uint64_t

from protocol._core.slot cimport Slot

cdef struct Part:
    # A tail: the slots that count it and say where it starts (-1: none), bytes one count counts.
    int count_slot
    int start_slot
    uint32_t unit
    uint32_t least

cdef class Layout:
    cdef readonly object cls
    cdef readonly int message_type
    cdef readonly int version
    cdef readonly Py_ssize_t fixed
    cdef readonly Py_ssize_t least
    cdef readonly bint exact
    cdef Slot *slots
    cdef Slot *ruled
    cdef Part *parts
    cdef uint64_t *bounds
    cdef int slot_count
    cdef int ruled_count
    cdef int part_count
    cdef int argument_count
    cdef int *targets
    cdef tuple names
    cdef tuple defaults
    cdef tuple encoders
    cdef bint decodes_tails
    cdef bint checks

    cdef int unsound(self, const uint8_t *payload) noexcept nogil
    cdef bint span(self, const uint8_t *payload, Py_ssize_t size, int part, Py_ssize_t *start,
                   Py_ssize_t *length) noexcept nogil
    cdef bint spans_fit(self, const uint8_t *payload, Py_ssize_t size) noexcept nogil
    cdef Py_ssize_t admit(self, const uint8_t *base, Py_ssize_t length, Py_ssize_t offset,
                          bint verify) noexcept nogil
    cdef Record new(self, bytes owner, const uint8_t *data, Py_ssize_t size)
    cdef Record take(self, object frame, const uint8_t *base, Py_ssize_t length,
                     Py_ssize_t offset, bint verify)
    cdef Record settled(self, Record record)
    cdef int argument(self, object name, int expected) except -2
    cdef Record build(self, void **args, Py_ssize_t nargs, object kwnames)
    cdef Record made(self, void **given)
    cdef bint counted(self, uint8_t *payload, list encoded)
    cdef object refusal(self, void **given)

cdef class Record:
    cdef Layout layout
    cdef bytes owner
    cdef const uint8_t *data
    cdef Py_ssize_t size
    cdef Py_buffer buffer
    cdef bint lent
