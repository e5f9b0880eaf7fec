# cython: language_level=3, boundscheck=False, wraparound=False
"""Whole frames back to back: what is in them, and new sequences for them.

Called by producers, for frames that are sent again. Whether a relay would take them is asked of the
kinds that `survey` gives; checksums are `crc`'s.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from protocol._core.crc cimport crc_frame

cdef enum:
    MAGIC = 0xDEADBEEF
    HEADER_SIZE = 32
    COMPRESSED = 3
    KINDS = 0x20000


cdef struct Kind:
    uint32_t least
    uint32_t most
    uint32_t seen


cdef inline uint32_t u32(const uint8_t *at) noexcept nogil:
    cdef uint32_t value
    memcpy(&value, at, 4)
    return value


def survey(const uint8_t[::1] frames not None, Py_ssize_t piece):
    """(stop, cuts, kinds) of frames back to back.

    `stop` is where the first begins that is not a whole frame, the length where all are. `cuts`
    are ends of frames, each the first that is at least `piece` bytes behind the one before it, and
    `stop`. `kinds` are (type, version, 1 where compressed, least payload, largest payload).
    """
    cdef Py_ssize_t at = 0, begin = 0, size = frames.shape[0], whole
    cdef Kind *table = <Kind *>calloc(KINDS, sizeof(Kind))
    cdef uint32_t key, payload
    cdef const uint8_t *frame
    cdef list cuts = [], keys = []
    if table == NULL:
        raise MemoryError
    try:
        while size - at >= HEADER_SIZE:
            frame = &frames[at]
            payload = u32(frame + 8)
            whole = HEADER_SIZE + <Py_ssize_t>payload
            if u32(frame) != MAGIC or whole > size - at:
                break
            key = frame[4] << 9 | frame[5] << 1 | (frame[7] & COMPRESSED != 0)
            if not table[key].seen:
                table[key].seen, table[key].least, table[key].most = 1, payload, payload
                keys.append(key)
            table[key].least = min(table[key].least, payload)
            table[key].most = max(table[key].most, payload)
            at += whole
            if at - begin >= piece:
                cuts.append(at)
                begin = at
        if at > begin:
            cuts.append(at)
        kinds = [
            (key >> 9, key >> 1 & 255, key & 1, table[key].least, table[key].most) for key in keys
        ]
        return at, cuts, kinds
    finally:
        free(table)


def renumber(uint8_t[::1] frames not None, uint64_t sequence, timestamp=None):
    """Sequences from `sequence` on, and `timestamp` (ns) where it is given, into whole frames, and
    their checksums; gives their number. ValueError at what is not a whole frame."""
    cdef Py_ssize_t at = 0, count = 0, size = frames.shape[0]
    cdef bint stamped = timestamp is not None
    cdef uint64_t when = timestamp if stamped else 0, one
    cdef uint32_t checksum
    cdef uint8_t *frame
    while at < size:
        frame = &frames[at]
        if size - at < HEADER_SIZE or u32(frame + 8) > size - at - HEADER_SIZE:
            raise ValueError(f"frame at {at} is cut short")
        one = sequence + count
        memcpy(frame + 12, &one, 8)
        if stamped:
            memcpy(frame + 20, &when, 8)
        checksum = crc_frame(frame, u32(frame + 8))
        memcpy(frame + 28, &checksum, 4)
        at += HEADER_SIZE + <Py_ssize_t>u32(frame + 8)
        count += 1
    return count
