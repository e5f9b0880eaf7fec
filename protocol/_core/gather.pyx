# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Filtered consumers: the frames a session asked for, copied side by side for one send.

Called through `protocol._core.connection.Record.gather`. The copy lives from the gather to the
send; what the kernel did not take is gathered again from the cursor. No queue, nothing kept.
"""
cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from protocol._core.scan cimport FrameHeader, HEADER

import os

cdef enum:
    LOOK = 4194304                     # bytes of log looked at in one go, so that no turn is long
    COMPRESSED = 0x03

# Of this process: nobody outside can choose ids that all fall into one place.
cdef uint64_t SEED = int.from_bytes(os.urandom(8), "little") | 1


@cython.final
cdef class Filter:
    """Which frames a session wants: types (empty = every), and 12-byte instrument ids (likewise).

    `offsets` maps (type, version) to where, in the frame, its instrument ids are. Both must pass;
    frames that have no instrument or are unknown pass the instruments (relays.md 3).
    """

    def __cinit__(self, types, instruments, dict offsets):
        cdef uint64_t places = 16
        self.wanted = len(instruments)
        while places < 2 * self.wanted:
            places *= 2
        self.mask = places - 1
        self.table = <uint8_t *>calloc(places, 16)
        if self.table == NULL:
            raise MemoryError(f"a filter of {self.wanted} instruments")
        memset(self.types, 0 if types else 1, 256)
        for kind in types:
            self.types[<uint8_t>kind] = 1
        memset(self.places, 0, sizeof(self.places))
        for (kind, version), at in offsets.items():
            self._declare(kind, version, at)
        for id in instruments:
            self._want(id)

    def __dealloc__(self):
        free(self.table)

    def _declare(self, int kind, int version, at):
        cdef Place *place = &self.places[kind * VERSIONS + version]
        if version >= VERSIONS or len(at) > IDS:
            raise ValueError(f"type {kind} version {version} with {len(at)} instruments")
        place.count = len(at)
        for n, offset in enumerate(at):
            place.at[<int>n] = offset

    def _want(self, bytes id):
        cdef const uint8_t *key = id
        cdef uint64_t n
        if len(id) != 12:
            raise ValueError(f"an instrument id has 12 bytes, got {len(id)}")
        n = scatter(key, SEED) & self.mask
        while self.table[n * 16 + 12]:
            n = (n + 1) & self.mask
        memcpy(self.table + n * 16, key, 12)
        self.table[n * 16 + 12] = 1

    cdef bint has(self, const uint8_t *id) noexcept nogil:
        cdef uint64_t n = scatter(id, SEED) & self.mask
        while self.table[n * 16 + 12]:
            if memcmp(self.table + n * 16, id, 12) == 0:
                return True
            n = (n + 1) & self.mask
        return False

    cdef bint passes(self, const uint8_t *frame) noexcept nogil:
        cdef const FrameHeader *header = <const FrameHeader *>frame
        cdef Place *place
        cdef uint32_t n
        if not self.types[header.message_type]:
            return False
        if self.wanted == 0 or header.version >= VERSIONS or header.flags & COMPRESSED:
            return True
        place = &self.places[<size_t>header.message_type * VERSIONS + header.version]
        if place.count == 0:
            return True
        for n in range(place.count):
            if place.at[n] + 12 > HEADER + header.payload_size or self.has(frame + place.at[n]):
                return True
        return False

    def matches(self, const uint8_t[::1] frame not None):
        """Whether one whole frame passes; ValueError when the bytes end before the frame does."""
        cdef uint64_t size = frame.shape[0]
        if size < HEADER or HEADER + <uint64_t>(<FrameHeader *>&frame[0]).payload_size > size:
            raise ValueError(f"{size} bytes are not a whole frame")
        return self.passes(&frame[0])

    cdef void walk(self, const uint8_t *first, uint64_t end, ConnectionRecord *cursor, uint8_t *to,
                   uint64_t room, uint64_t most) noexcept nogil:
        """Go from the cursor on, until `room` bytes or `most` frames are used up. `first` is the
        byte at the cursor, `end` the offset at which the frames that follow it end.

        With `to` whole frames are copied there, as many as fit. Without it `room` is what the
        kernel took, and the last frame may be half of one. Either way frames that do not pass are
        walked over up to the next that does.
        """
        cdef uint64_t size
        cdef const uint8_t *frame
        self.size = self.frames = self.filtered = 0
        self.offset, self.begun, self.boundary = cursor.offset, cursor.begun, 0
        if to != NULL:
            self.stop = min(end, cursor.offset + LOOK)
            if cursor.offset < self.pause < self.stop:
                self.stop = self.pause
        if self.begun:
            size = min(self.begun, room)
            if to != NULL:
                memcpy(to, first, size)
            self.advance(size, size == self.begun)
            self.begun = cursor.begun - size
        while self.offset < self.stop and not self.begun:
            frame = first + (self.offset - cursor.offset)
            size = HEADER + (<FrameHeader *>frame).payload_size
            if not self.passes(frame):
                self.filtered += 1
                self.offset += size
                self.boundary = self.offset
                continue
            if self.frames >= most or (to != NULL and self.size + size > room):
                return
            if to != NULL:
                memcpy(to + self.size, frame, size)
            elif self.size == room:
                return
            elif self.size + size > room:
                self.boundary = self.offset
                self.begun = size - (room - self.size)
                size = room - self.size
            self.advance(size, self.begun == 0)

    cdef void advance(self, uint64_t size, bint whole) noexcept nogil:
        self.size += size
        self.offset += size
        if whole:
            self.frames += 1
            self.boundary = self.offset
