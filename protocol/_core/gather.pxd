cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from protocol._core.scan cimport VERSIONS
from protocol._core.state cimport ConnectionRecord

cdef enum:
    IDS = 4                            # instruments one schema may declare

cdef struct Place:
    uint32_t count
    uint32_t at[IDS]                   # byte offsets in the frame

cdef extern from *:
    """
    static inline uint64_t fold(uint64_t a, uint64_t b) {
        unsigned __int128 product = (unsigned __int128)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    """
    uint64_t fold(uint64_t a, uint64_t b) noexcept nogil

cdef inline uint64_t scatter(const uint8_t *id, uint64_t seed) noexcept nogil:
    """A hash of 12 bytes. `seed` is random and of this process; it goes into both factors before
    they meet, so that who does not know it cannot choose ids that fall into one place."""
    cdef uint64_t low
    cdef uint32_t high
    memcpy(&high, id, 4)
    memcpy(&low, id + 4, 8)
    low = fold(low ^ seed, (<uint64_t>high << 32 | high) ^ (seed >> 32 | seed << 32))
    return fold(low ^ <uint64_t>0x9E3779B97F4A7C15, seed)

@cython.final
cdef class Filter:
    cdef uint8_t types[256]
    cdef uint8_t *table                # open addressing: 12 bytes of id, then 1 where used
    cdef uint64_t mask
    cdef readonly uint64_t wanted      # instruments; 0 = every one
    cdef public uint64_t pause         # byte of the log that no look goes across
    cdef Place places[256 * VERSIONS]
    cdef uint64_t size, frames, filtered, offset, begun, boundary, stop

    cdef bint passes(self, const uint8_t *frame) noexcept nogil
    cdef bint has(self, const uint8_t *id) noexcept nogil
    cdef void walk(self, const uint8_t *first, uint64_t end, ConnectionRecord *cursor, uint8_t *to,
                   uint64_t room, uint64_t most) noexcept nogil
    cdef void advance(self, uint64_t size, bint whole) noexcept nogil
