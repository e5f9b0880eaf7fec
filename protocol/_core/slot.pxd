from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum Form:
    UNSIGNED
    SIGNED
    INSTRUMENT
    BYTES
    ZERO

cdef struct Slot:
    # A fixed field; `ranges` pairs of inclusive bounds from `bounds` on, none = anything; where
    # `mask` is not zero only its bits are allowed.
    uint32_t offset
    uint32_t size
    uint8_t form
    uint16_t ranges
    uint64_t mask
    const uint64_t *bounds

cdef inline uint64_t load(const uint8_t *at, uint32_t size) noexcept nogil:
    cdef uint64_t value = 0
    if size == 8:
        memcpy(&value, at, 8)
    elif size == 1:
        value = at[0]
    elif size == 4:
        memcpy(&value, at, 4)
    else:
        memcpy(&value, at, 2)
    return value


cdef inline int64_t load_signed(const uint8_t *at, uint32_t size) noexcept nogil:
    # Shifted up and back down again, so that the sign bit of a short one fills the rest.
    cdef int shift = 64 - 8 * size
    return <int64_t>(load(at, size) << shift) >> shift


cdef inline bint allowed(const Slot *slot, uint64_t value) noexcept nogil:
    """Whether a number is in the slot's ranges and has only bits of its mask."""
    cdef int n
    if slot.mask and value & ~slot.mask:
        return False
    for n in range(slot.ranges):
        if slot.form == SIGNED:
            if <int64_t>slot.bounds[2 * n] <= <int64_t>value <= <int64_t>slot.bounds[2 * n + 1]:
                return True
        elif slot.bounds[2 * n] <= value <= slot.bounds[2 * n + 1]:
            return True
    return slot.ranges == 0


cdef inline bint sound(const Slot *slot, const uint8_t *at) noexcept nogil:
    """Whether the number that stands there is allowed."""
    if slot.form == SIGNED:
        return allowed(slot, <uint64_t>load_signed(at, slot.size))
    return allowed(slot, load(at, slot.size))


cdef object number(const Slot *slot, const uint8_t *at)
cdef object instrument(const uint8_t *at)
cdef bint put(const Slot *slot, uint8_t *at, object value) except -1
