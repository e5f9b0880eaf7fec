# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The frames of one moment out of a Keep, a piece at a time, while the log goes on.

Called by `relays.core.snapshot`. What is kept, and how what a Reader still needs outlives what
replaced it, is `keep`'s.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from protocol._core.gather cimport Filter
from protocol._core.keep cimport (BOOK, DISCOVERED, POOL, QUOTE, SLOTS, STAMP, Entry, Keep, Slot)
from protocol._core.scan cimport FrameHeader, HEADER
from protocol._core.state cimport Status

cdef int[SLOTS] ORDER = [DISCOVERED, POOL, QUOTE, BOOK]
cdef uint8_t[SLOTS] KINDS              # the message type in a slot
KINDS[QUOTE], KINDS[BOOK], KINDS[DISCOVERED], KINDS[POOL] = 2, 3, 10, 11


cdef class Reader:
    """The frames that say the state of a Keep as it is now, as `wanted` passes them (None: all).

    Only frames before position `before` are given, which is where their reader goes on: in the
    past what a later frame replaced is missing, and that frame is still to come. `count` is how
    many instruments have any. `close` when it is not read to its end.

    >>> Reader(keep, state.end_position, None).take(buffer, 65536)  # doctest: +SKIP
    4096
    """
    cdef Keep keep
    cdef Status *status
    cdef Filter wanted
    cdef uint64_t index, stop
    cdef uint32_t offset
    cdef int turn
    cdef bint closed
    cdef readonly uint64_t at, before, count
    cdef readonly bint done

    def __init__(self, Keep keep not None, uint64_t before, Filter wanted):
        self.keep, self.wanted, self.before = keep, wanted, before
        self.at, self.stop, self.status = keep.position, keep.count, keep.status
        if before > self.at:
            raise ValueError(f"position {before} is beyond the end, {self.at}")
        keep.joined(self, self.at)
        with nogil:
            self.count_instruments()

    @property
    def broken(self):
        """There was no memory for what it still needs: it cannot be read to its end."""
        return not self.done and self.at <= self.keep.broken and self.keep.broken > 0

    def close(self):
        """Nothing more is read: what was kept for it may go."""
        if not self.closed:
            self.closed = True
            self.keep.left(self)

    cdef bint has(self, Entry *entry, int which) noexcept nogil:
        cdef Slot *slot = &entry.slots[which]
        return slot.used > 0 and self.wants(which) and (
            self.before == self.at or (<uint64_t *>slot.bytes)[0] < self.before)

    cdef bint wants(self, int which) noexcept nogil:
        return self.wanted is None or self.wanted.types[KINDS[which]]

    cdef bint likes(self, Entry *entry) noexcept nogil:
        return self.wanted is None or self.wanted.wanted == 0 or self.wanted.has(entry.id)

    cdef void count_instruments(self) noexcept nogil:
        cdef uint64_t n
        cdef Entry *entry
        for n in range(self.stop):
            entry = &self.keep.entries[n]
            if self.likes(entry) and (self.has(entry, QUOTE) or self.has(entry, DISCOVERED)
                                      or self.has(entry, POOL) or self.has(entry, BOOK)):
                self.count += 1

    def take(self, uint8_t[::1] to not None, uint64_t limit):
        """Copy what is next into `to`, whole frames, about `limit` bytes of them; gives the bytes.

        `done` is set when there is no more. `to` must have room for any frame.
        """
        cdef uint64_t size
        if self.closed or self.broken:
            raise ValueError("this reader was closed, or what it needs is gone")
        with nogil:
            size = self.copy(&to[0], to.shape[0], limit)
        if self.done:
            self.close()
        return size

    cdef uint64_t copy(self, uint8_t *to, uint64_t room, uint64_t limit) noexcept nogil:
        cdef uint64_t filled = 0, size, position
        cdef int which
        cdef Slot *slot
        while self.index < self.stop:
            slot = NULL
            which = ORDER[self.turn] if self.turn < SLOTS else 0
            if self.turn < SLOTS and self.likes(&self.keep.entries[self.index]):
                if self.wants(which):
                    slot = self.keep.slot_at(&self.keep.entries[self.index], which, self.at)
            else:
                self.index += 1
                self.turn = 0
                continue
            while slot != NULL and self.offset < slot.used:
                memcpy(&position, slot.bytes + self.offset, STAMP)
                if position >= self.before:
                    break
                size = HEADER + (<FrameHeader *>(slot.bytes + self.offset + STAMP)).payload_size
                if filled + size > room or filled >= limit:
                    return filled
                memcpy(to + filled, slot.bytes + self.offset + STAMP, size)
                filled += size
                self.offset += STAMP + <uint32_t>size
                self.status.snapshot_messages += 1
                self.status.snapshot_message_bytes += size
            self.turn += 1
            self.offset = 0
        self.done = True
        return filled
