from libc.stdint cimport uint8_t, uint64_t

cdef class Mapping:
    cdef uint8_t *base
    cdef readonly size_t size
    cdef size_t span
    cdef bint writable
    cdef _map(self, int fd)

cdef class Ring(Mapping):
    pass
