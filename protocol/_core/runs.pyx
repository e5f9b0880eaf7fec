# cython: language_level=3, boundscheck=False, wraparound=False
"""Runs of frames: how far the domain frames in a buffer go, and a whole run taken apart at once.

Called by `relays.client`, once per read. A run is whole frames back to back in bytes; what a frame
is, and its one message, are `record`'s and `protocol.message`'s, arrays are `batch`'s.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

from protocol._core.crc cimport crc_frame
from protocol._core.record cimport Layout
from protocol._core.slot cimport load

from protocol.errors import ProtocolError

cdef enum:
    MAGIC = 0xDEADBEEF
    HEADER_SIZE = 32
    COMPRESSED = 3
    FIRST_CONTROL = 100
    LAST_CONTROL = 109
    IS_CUT = -1
    IS_NO_FRAME = -2

CUT, NO_FRAME = IS_CUT, IS_NO_FRAME


cdef inline Py_ssize_t whole(const uint8_t *at, Py_ssize_t left) noexcept nogil:
    """The size of the frame at `at` if all of it is there, else 0."""
    cdef uint64_t size
    if left < HEADER_SIZE or load(at, 4) != MAGIC:
        return 0
    size = HEADER_SIZE + load(at + 8, 4)
    return <Py_ssize_t>size if size <= <uint64_t>left else 0


def span(const uint8_t[::1] buffer not None, Py_ssize_t begin, Py_ssize_t end, uint64_t largest):
    """Go over whole domain frames from `begin` on. Gives (where they stop, how many, why): the
    type of the whole control frame there, CUT when it ends inside a frame, NO_FRAME when that has
    no header or more than `largest` bytes."""
    cdef Py_ssize_t at = begin, count = 0
    cdef const uint8_t *frame
    cdef uint64_t size
    if not 0 <= begin <= end <= buffer.shape[0]:
        raise ValueError(f"bytes {begin} to {end} of {buffer.shape[0]}")
    while end - at >= HEADER_SIZE:
        frame = &buffer[at]
        size = HEADER_SIZE + load(frame + 8, 4)
        if load(frame, 4) != MAGIC or size > largest:
            return at, count, NO_FRAME
        if size > <uint64_t>(end - at):
            break
        if FIRST_CONTROL <= frame[4] <= LAST_CONTROL:
            return at, count, <int>frame[4]
        at += size
        count += 1
    return at, count, CUT


def skip(bytes data not None, Py_ssize_t begin, Py_ssize_t count):
    """Where the frame `count` frames behind the one at `begin` is; ValueError beyond the last."""
    cdef const uint8_t *base = <const uint8_t *>PyBytes_AS_STRING(data)
    cdef Py_ssize_t at = begin, n, size, end = PyBytes_GET_SIZE(data)
    if begin < 0:
        raise ValueError(f"no frame begins at {begin}")
    for n in range(count):
        size = whole(base + at, end - at)
        if size == 0:
            raise ValueError(f"{n} frames, not {count}, from {begin} on")
        at += size
    return at


def headers(bytes data not None):
    """The headers of a run's frames side by side, 32 bytes each."""
    cdef const uint8_t *base = <const uint8_t *>PyBytes_AS_STRING(data)
    cdef Py_ssize_t at = 0, count = 0, size, end = PyBytes_GET_SIZE(data)
    cdef bytes made
    cdef char *to
    size = whole(base, end)
    while size:
        at += size
        count += 1
        size = whole(base + at, end - at)
    made = PyBytes_FromStringAndSize(NULL, count * HEADER_SIZE)
    to = PyBytes_AS_STRING(made)
    at = 0
    while count:
        memcpy(to, base + at, HEADER_SIZE)
        to += HEADER_SIZE
        at += whole(base + at, end - at)
        count -= 1
    return made


def decode(bytes data not None, Py_ssize_t begin, dict registry not None, other, bint verify,
           bint views):
    """Every message of a run from `begin` on: ([message ...], where it stopped, error).

    It stops at the end (None), or at a frame that is refused. `other(data, offset, verify=)` gives
    what the registry has no class for. `views` are over `data`: they keep all of it.
    """
    cdef const uint8_t *base = <const uint8_t *>PyBytes_AS_STRING(data)
    cdef Py_ssize_t at = begin, size, end = PyBytes_GET_SIZE(data)
    cdef int key, last = -1
    cdef Layout layout = None
    cdef list made = []
    if begin < 0:
        raise ValueError(f"no frame begins at {begin}")
    try:
        while at < end:
            size = whole(base + at, end - at)
            key = base[at + 4] << 8 | base[at + 5] if size else -1
            if key != last:
                cls = registry.get((key >> 8, key & 255))
                layout, last = None if cls is None else cls._layout, key
            if layout is None or base[at + 7] & COMPRESSED:
                made.append(other(data, at, verify=verify))
            elif views:
                made.append(layout.view(data, at, verify=verify))
            else:
                made.append(layout.take(data, base, end, at, verify))
            at += size
    except ProtocolError as error:
        return made, at, error
    return made, at, None


def frames(bytes data not None, Py_ssize_t begin):
    """A memoryview of each whole frame of a run from `begin` on."""
    cdef const uint8_t *base = <const uint8_t *>PyBytes_AS_STRING(data)
    cdef Py_ssize_t at = begin, size, end = PyBytes_GET_SIZE(data)
    cdef list made = []
    if begin < 0:
        raise ValueError(f"no frame begins at {begin}")
    view = memoryview(data)
    size = whole(base + at, end - at)
    while size:
        made.append(view[at:at + size])
        at += size
        size = whole(base + at, end - at)
    return made


def damaged(bytes data not None, Py_ssize_t begin):
    """Where the first frame whose checksum is wrong begins, -1 for none."""
    cdef const uint8_t *base = <const uint8_t *>PyBytes_AS_STRING(data)
    cdef Py_ssize_t at = begin, size, end = PyBytes_GET_SIZE(data)
    if begin < 0:
        raise ValueError(f"no frame begins at {begin}")
    size = whole(base + at, end - at)
    while size:
        if load(base + at + 28, 4) != crc_frame(base + at, size - HEADER_SIZE):
            return at
        at += size
        size = whole(base + at, end - at)
    return -1
