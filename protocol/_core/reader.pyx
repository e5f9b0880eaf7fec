# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The frames of one moment out of a Keep, a piece at a time, while the log goes on.

Called by `relays.core.snapshot`. What is kept, and how what a Reader still needs outlives what
replaced it, is `keep`'s. No call looks at more than LOOK instruments: who has more of them, or
wants few, calls again.
"""
cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from protocol._core.gather cimport Filter
from protocol._core.keep cimport (BOOK, DISCOVERED, POOL, QUOTE, SLOTS, STAMP, Claim, Entry, Keep,
                                  Slot)
from protocol._core.scan cimport FrameHeader, HEADER
from protocol._core.state cimport Status

cdef enum:
    LOOK = 8192

cdef int[SLOTS] ORDER = [DISCOVERED, POOL, QUOTE, BOOK]
cdef uint8_t[SLOTS] KINDS              # the message type in a slot
KINDS[QUOTE], KINDS[BOOK], KINDS[DISCOVERED], KINDS[POOL] = 2, 3, 10, 11

cdef struct Cursor:
    uint64_t index                     # of an instrument
    uint32_t turn, offset              # the slot of ORDER and the byte in it


@cython.no_gc_clear                    # it gives its claim back to the Keep when it goes
cdef class Reader:
    """The frames that say the state of a Keep as it is now, as `wanted` passes them (None: all).

    Only frames before position `before` are given, which is where their reader goes on: in the
    past what a later frame replaced is missing, and that frame is still to come. `count` is how
    many instruments have any, when `counted` says so. `close` when it is not read to its end.

    >>> Reader(keep, state.end_position, None).take(buffer, 65536)  # doctest: +SKIP
    4096
    """
    cdef Keep keep
    cdef Status *status
    cdef Filter wanted
    cdef Claim claim
    cdef uint64_t stop
    cdef Cursor counting, here
    cdef bint open
    cdef readonly uint64_t before, count

    def __cinit__(self, Keep keep not None, uint64_t before, Filter wanted):
        self.keep, self.wanted, self.before = keep, wanted, before
        self.stop, self.status = keep.count, keep.status
        if before > keep.position:
            raise ValueError(f"position {before} is beyond the end, {keep.position}")
        keep.joined(&self.claim)
        self.open = True

    def __dealloc__(self):
        if self.open and self.claim.live:
            self.keep.retire(&self.claim)   # and no more: what its state maps may be gone

    @property
    def broken(self):
        """There was no memory for what it still needs: it cannot be read to its end."""
        return self.open and not self.claim.live

    def close(self):
        """Nothing more is read: what was kept for it may go."""
        if self.open:
            self.open = False
            self.keep.left(&self.claim)

    cdef bint wants(self, int which) noexcept nogil:
        return self.wanted is None or self.wanted.types[KINDS[which]]

    cdef bint likes(self, Entry *entry) noexcept nogil:
        return self.wanted is None or self.wanted.wanted == 0 or self.wanted.has(entry.id)

    cdef uint8_t *find(self, Cursor *where, uint64_t *most) noexcept nogil:
        """The frame at the cursor, which goes on to where there is one; NULL when there is none,
        or none in `most` instruments."""
        cdef Entry *entry
        cdef Slot *slot
        cdef uint64_t position
        while where.index < self.stop and most[0]:
            entry = &self.keep.entries[where.index]
            while where.turn < SLOTS and self.likes(entry):
                slot = NULL
                if self.wants(ORDER[where.turn]):
                    slot = self.keep.slot_at(entry, ORDER[where.turn], self.claim.at)
                if slot != NULL and where.offset < slot.used:
                    memcpy(&position, slot.bytes + where.offset, STAMP)
                    if position < self.before:
                        return slot.bytes + where.offset + STAMP
                where.turn += 1
                where.offset = 0
            where.index += 1
            where.turn = where.offset = 0
            most[0] -= 1
        return NULL

    cdef ready(self):
        if not (self.open and self.claim.live):
            raise ValueError("this reader was closed, or what it needs is gone")

    def counted(self):
        """Whether `count` is known; counts on."""
        cdef uint64_t most = LOOK
        self.ready()
        with nogil:
            while self.find(&self.counting, &most) != NULL:
                self.count += 1
                self.counting.index += 1
                self.counting.turn = self.counting.offset = 0
                most -= 1
        return self.counting.index == self.stop

    def done(self):
        """Whether all was taken; looks where the next frame is."""
        cdef uint64_t most = LOOK
        self.ready()
        with nogil:
            self.find(&self.here, &most)
        return self.here.index == self.stop

    def take(self, uint8_t[::1] to not None, uint64_t limit):
        """Copy what is next into `to`, whole frames, about `limit` bytes of them; gives the bytes.

        They are next until `took` says otherwise. `to` must have room for any frame.
        """
        cdef uint64_t size
        self.ready()
        with nogil:
            size = self.copy(&to[0], to.shape[0], limit)
        return size

    cdef uint64_t copy(self, uint8_t *to, uint64_t room, uint64_t limit) noexcept nogil:
        cdef uint64_t filled = 0, size, most = LOOK
        cdef Cursor where = self.here
        cdef uint8_t *frame
        while filled < limit:
            frame = self.find(&where, &most)
            if frame == NULL:
                break
            size = HEADER + (<FrameHeader *>frame).payload_size
            if filled + size > room:
                break
            memcpy(to + filled, frame, size)
            filled += size
            where.offset += STAMP + <uint32_t>size
        if filled == 0:
            self.here = where
        return filled

    def took(self, uint64_t size):
        """`size` bytes of what `take` gave are on their way; gives the rest of a frame cut."""
        cdef uint64_t whole = 0, most = LOOK + 1
        cdef uint8_t *frame = NULL
        self.ready()
        with nogil:
            while size > whole:
                size -= whole
                frame = self.find(&self.here, &most)
                if frame == NULL:
                    break
                whole = HEADER + (<FrameHeader *>frame).payload_size
                self.here.offset += STAMP + <uint32_t>whole
                self.status.snapshot_messages += 1
                self.status.snapshot_message_bytes += whole
        if size and frame == NULL:
            raise AssertionError(f"{size} bytes more taken than there were")
        return <bytes>frame[size:whole] if size else b""
