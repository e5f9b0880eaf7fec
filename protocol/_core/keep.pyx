# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The state of instruments, kept as the very frames that said it (relays.md 3, Snapshot).

Called by `relays.core.hub` after every commit (`Keep.follow`: each accepted frame is looked at
once) and by `relays.core.snapshot` (`Reader`: the frames of one moment, a piece at a time, while
the log goes on). What a frame does to a book is SPEC.md's, OrderBook; who gets a snapshot is not
decided here.

Each instrument has four slots: its two discovery frames, its last Quote, its book. A slot holds
frames one behind the other, each with its position in front. What a slot no longer says is thrown
away, unless a Reader still needs it: then it is put by, with the positions it was valid for, and
the slot gets new memory. So a snapshot is of one position however long it takes to be read.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memmove, memset

from protocol._core.gather cimport Filter, scatter
from protocol._core.scan cimport FrameHeader, HEADER, Tally
from protocol._core.state cimport SNAPSHOT_DROPS, State, Status

import os

cdef enum:
    COMPRESSED = 0x03
    STAMP = 8                          # the position in front of a frame
    BOOK_BYTES = 1048576               # of frames and stamps: what one book may need
    SNAPSHOT = 1                       # protocol.market_data.BookKind

cdef enum:
    DISCOVERED
    POOL
    QUOTE
    BOOK
    SLOTS

cdef enum:                             # the order of Status.snapshot_dropped
    INSTRUMENTS
    BYTES
    BOOK_SIZE
    UNREADABLE

DROPS = ("instruments", "bytes", "book_size", "unreadable")

cdef uint64_t NONE = <uint64_t>-1
cdef uint64_t SEED = int.from_bytes(os.urandom(8), "little") | 1
cdef uint8_t KIND_OF[SLOTS]            # the message type in a slot
cdef uint8_t SLOT_OF[256]              # and the slot of a message type, from 1; 0 = not kept
memset(SLOT_OF, 0, sizeof(SLOT_OF))
for _slot, _kind in ((DISCOVERED, 10), (POOL, 11), (QUOTE, 2), (BOOK, 3)):
    KIND_OF[<int>_slot], SLOT_OF[<int>_kind] = _kind, _slot + 1

cdef packed struct BookPart:           # SPEC.md, OrderBook
    uint8_t id[12]
    uint8_t kind
    uint8_t gap[3]
    uint64_t book_sequence
    uint16_t part
    uint16_t parts
    uint16_t bid_count
    uint16_t ask_count

cdef packed struct Discovery:          # SPEC.md, InstrumentDiscovered and PoolDiscovered
    uint8_t id[12]
    uint8_t decimals
    uint8_t symbol_len
    uint16_t metadata_len

cdef struct Slot:
    uint8_t *bytes
    uint32_t used, room
    uint64_t since                     # the position of the frame that made it what it is

cdef struct Entry:
    uint8_t id[12]
    uint16_t parts, expect             # of the book snapshot that is coming; expect 0: none is
    uint32_t begun                     # where in the slot that one begins
    uint32_t whole                     # the slot begins with a whole book
    uint64_t book_sequence
    Slot slots[SLOTS]
    Old *old                           # what was put by, the newest first

cdef struct Old:
    Slot slot
    uint64_t until                     # the position of the frame that ended it
    int which
    Entry *entry
    Old *older
    Old *newer
    Old *following                     # put by after this one, of whatever entry


cdef bint readable(int which, const uint8_t *frame, uint32_t size) noexcept nogil:
    """Whether a frame is what its type and version say; a reader would refuse any other."""
    cdef const FrameHeader *header = <const FrameHeader *>frame
    cdef const Discovery *found = <const Discovery *>(frame + HEADER)
    cdef const BookPart *part = <const BookPart *>(frame + HEADER)
    if header.version != 1 or header.flags & COMPRESSED:
        return False
    if which == QUOTE:
        return size == HEADER + 48
    if which == BOOK:
        return (size >= HEADER + sizeof(BookPart) and 1 <= part.kind <= 2
                and 1 <= part.part <= part.parts
                and size == HEADER + sizeof(BookPart)
                + 16 * (<uint32_t>part.bid_count + part.ask_count))
    return (size >= HEADER + sizeof(Discovery)
            and size == HEADER + sizeof(Discovery) + found.symbol_len + found.metadata_len)


cdef class Keep:
    """The state of at most `instruments` instruments in at most `limit` bytes of memory.

    It has looked at every frame before `position`. A new one walks all that the log has.
    """
    cdef State state
    cdef Status *status
    cdef Entry *entries
    cdef uint32_t *table
    cdef uint64_t mask, most, limit, offset
    cdef uint64_t barrier, broken      # positions: of the newest Reader; up to where they failed
    cdef Old *first
    cdef Old *last
    cdef list readers
    cdef readonly uint64_t count, held, position

    def __cinit__(self, State state not None, uint64_t instruments, uint64_t limit):
        cdef uint64_t places = 16
        cdef uint64_t[SNAPSHOT_DROPS] dropped
        while places < 2 * instruments:
            places *= 2
        self.state, self.status = state, state.status
        self.most, self.limit = instruments, limit
        self.mask, self.readers = places - 1, []
        self.entries = <Entry *>calloc(instruments, sizeof(Entry))
        self.table = <uint32_t *>calloc(places, 4)
        if self.entries == NULL or self.table == NULL:
            raise MemoryError(f"the state of {instruments} instruments")
        self.offset, self.position = state.log.oldest_offset, state.log.oldest_position
        memcpy(dropped, state.status.snapshot_dropped, sizeof(dropped))
        self.follow(None)
        memcpy(state.status.snapshot_dropped, dropped, sizeof(dropped))  # was counted before

    def __dealloc__(self):
        cdef uint64_t n
        cdef int which
        self.release(NONE)
        if self.entries != NULL:
            for n in range(self.count):
                for which in range(SLOTS):
                    free(self.entries[n].slots[which].bytes)
        free(self.entries)
        free(self.table)

    def follow(self, Tally tally):
        """Look at what was committed since the last call; `tally` is of the one scan behind it."""
        if tally is None or (tally.by_type[2] or tally.by_type[3]
                             or tally.by_type[10] or tally.by_type[11]):
            with nogil:
                self.walk()
            if self.position != self.state.log.end_position:
                raise AssertionError(f"walked to position {self.position}, not to the log's end")
            self.say()
        self.offset = self.state.log.end_offset
        self.position = self.state.log.end_position

    cdef void say(self):
        self.status.snapshot_instruments, self.status.snapshot_bytes = self.count, self.held

    cdef void walk(self) noexcept nogil:
        cdef const uint8_t *frame = self.state.at(self.offset)  # contiguous: it is mapped twice
        cdef const uint8_t *end = frame + (self.state.log.end_offset - self.offset)
        cdef uint32_t size
        while frame < end:
            size = HEADER + (<const FrameHeader *>frame).payload_size
            if SLOT_OF[frame[4]]:
                self.take(SLOT_OF[frame[4]] - 1, frame, size)
            frame += size
            self.position += 1

    cdef void take(self, int which, const uint8_t *frame, uint32_t size) noexcept nogil:
        cdef const BookPart *part = <const BookPart *>(frame + HEADER)
        cdef Entry *entry
        if not readable(which, frame, size):
            self.status.snapshot_dropped[UNREADABLE] += 1
            return
        entry = self.find(frame + HEADER, which != BOOK or (part.kind == SNAPSHOT
                                                            and part.part == 1))
        if entry == NULL:
            return
        if which == BOOK:
            self.take_book(entry, part, frame, size)
            return
        self.renew(entry, which, entry.slots[which].used)
        if not self.append(&entry.slots[which], frame, size):
            self.status.snapshot_dropped[BYTES] += 1

    cdef Entry *find(self, const uint8_t *id, bint make) noexcept nogil:
        """The entry of an instrument; NULL where there is none, or no room to `make` one."""
        cdef uint64_t n = scatter(id, SEED) & self.mask
        cdef Entry *entry
        while self.table[n]:
            entry = &self.entries[self.table[n] - 1]
            if memcmp(entry.id, id, 12) == 0:
                return entry
            n = (n + 1) & self.mask
        if not make:
            return NULL
        if self.count == self.most or not self.afford(sizeof(Entry)):
            self.status.snapshot_dropped[INSTRUMENTS if self.count == self.most else BYTES] += 1
            return NULL
        entry = &self.entries[self.count]
        memcpy(entry.id, id, 12)
        self.count += 1
        self.held += sizeof(Entry)
        self.table[n] = self.count
        return entry

    # --- books ---

    cdef void take_book(self, Entry *entry, const BookPart *part, const uint8_t *frame,
                        uint32_t size) noexcept nogil:
        """All that came since the last whole book is kept, also what comes to nothing: whoever
        reads it then is where a reader of all would be."""
        cdef Slot *slot = &entry.slots[BOOK]
        if part.kind == SNAPSHOT and part.part == 1:
            entry.begun, entry.expect = slot.used, 1
            entry.parts, entry.book_sequence = part.parts, part.book_sequence
        if (part.kind == SNAPSHOT and part.part == entry.expect and part.parts == entry.parts
                and part.book_sequence == entry.book_sequence):
            entry.expect += 1
            if part.part == part.parts:
                self.begin_book(entry)
        else:
            entry.expect = 0
            if not entry.whole:
                self.forget_book(entry)
                return
        if slot.used + STAMP + size > BOOK_BYTES and not self.make_room(entry, size):
            return
        if not self.append(slot, frame, size):
            self.forget_book(entry)
            self.status.snapshot_dropped[BYTES] += 1

    cdef void begin_book(self, Entry *entry) noexcept nogil:
        """A snapshot is whole with this frame: what came before its first part is history."""
        if entry.begun:
            self.renew(entry, BOOK, entry.begun)
        entry.begun, entry.expect, entry.whole = 0, 0, 1

    cdef bint make_room(self, Entry *entry, uint32_t size) noexcept nogil:
        """A book too large is given up, and kept again from its next snapshot on: where that is
        coming already, only the old one goes. False when `size` bytes have no place now."""
        cdef Slot *slot = &entry.slots[BOOK]
        self.status.snapshot_dropped[BOOK_SIZE] += 1
        if entry.expect and entry.begun and (
                slot.used - entry.begun + STAMP + size <= BOOK_BYTES):
            self.renew(entry, BOOK, entry.begun)
            entry.begun, entry.whole = 0, 0
            return True
        self.forget_book(entry)
        return False

    cdef void forget_book(self, Entry *entry) noexcept nogil:
        cdef Slot *slot = &entry.slots[BOOK]
        entry.begun, entry.expect, entry.whole = 0, 0, 0
        if slot.used:
            self.renew(entry, BOOK, slot.used)
        self.held -= slot.room
        free(slot.bytes)
        slot.bytes, slot.room = NULL, 0

    # --- slots ---

    cdef void renew(self, Entry *entry, int which, uint32_t begin) noexcept nogil:
        """With the frame at `position` what lies before byte `begin` is said no more."""
        cdef Slot *slot = &entry.slots[which]
        cdef uint32_t left = slot.used - begin
        if slot.used and slot.since < self.barrier and self.put_by(entry, which, begin):
            pass
        elif left:
            memmove(slot.bytes, slot.bytes + begin, left)
        slot.used, slot.since = left, self.position

    cdef bint put_by(self, Entry *entry, int which, uint32_t begin) noexcept nogil:
        """A Reader may need this slot as it is: it is left that memory, if there is other."""
        cdef Slot *slot = &entry.slots[which]
        cdef uint32_t left = slot.used - begin
        cdef Old *old = NULL
        cdef uint8_t *bytes = NULL
        if self.afford(sizeof(Old) + left) and self.barrier:
            old = <Old *>malloc(sizeof(Old))
            bytes = <uint8_t *>malloc(left + 1)
        if old == NULL or bytes == NULL:
            free(old)
            free(bytes)
            self.give_up()
            return False
        memcpy(bytes, slot.bytes + begin, left)
        old.slot, old.until, old.which, old.entry = slot[0], self.position, which, entry
        old.older, old.newer, old.following = entry.old, NULL, NULL
        if entry.old != NULL:
            entry.old.newer = old
        entry.old = old
        if self.last == NULL:
            self.first = old
        else:
            self.last.following = old
        self.last = old
        slot.bytes, slot.room = bytes, left
        self.held += sizeof(Old) + left
        return True

    cdef bint afford(self, uint64_t more) noexcept nogil:
        """Whether there may be `more` bytes. What is now goes before what was: Readers give way."""
        if self.held + more > self.limit and self.first != NULL:
            self.give_up()
        return self.held + more <= self.limit

    cdef void give_up(self) noexcept nogil:
        """No Reader that there is can go on."""
        self.broken, self.barrier = max(self.broken, self.barrier), 0
        self.release(NONE)

    cdef void release(self, uint64_t lowest) noexcept nogil:
        """Give back what was put by, and ended before position `lowest`."""
        cdef Old *old
        while self.first != NULL and self.first.until < lowest:
            old = self.first
            self.first = old.following
            if old.newer == NULL:
                old.entry.old = NULL
            else:
                old.newer.older = NULL
            self.held -= sizeof(Old) + old.slot.room
            free(old.slot.bytes)
            free(old)
        if self.first == NULL:
            self.last = NULL

    cdef bint append(self, Slot *slot, const uint8_t *frame, uint32_t size) noexcept nogil:
        cdef uint32_t need = slot.used + STAMP + size
        if need > slot.room and not self.grow(slot, need):
            return False
        memcpy(slot.bytes + slot.used, &self.position, STAMP)
        memcpy(slot.bytes + slot.used + STAMP, frame, size)
        slot.used = need
        return True

    cdef bint grow(self, Slot *slot, uint32_t need) noexcept nogil:
        """Room for `need` bytes, and twice what there was for a slot that grows frame by frame."""
        cdef uint32_t room = need
        cdef uint8_t *bytes
        if slot.used:
            room = max(need, min(2 * slot.room, <uint32_t>BOOK_BYTES))
        if self.held - slot.room + room > self.limit:
            room = need
        if not self.afford(room - slot.room):
            return False
        bytes = <uint8_t *>realloc(slot.bytes, room)
        if bytes == NULL:
            return False
        self.held += room - slot.room
        slot.bytes, slot.room = bytes, room
        return True

    # --- readers ---

    cdef void reader_left(self, Reader reader):
        self.readers.remove(reader)
        if self.readers:
            self.barrier = (<Reader>self.readers[len(self.readers) - 1]).at
            self.release((<Reader>self.readers[0]).at)
        else:
            self.barrier = 0
            self.release(NONE)
        self.say()

    cdef Slot *slot_at(self, Entry *entry, int which, uint64_t at) noexcept nogil:
        """A slot as it was with the frames before `at`, perhaps with more behind; or NULL."""
        cdef Slot *slot = &entry.slots[which]
        cdef Old *old = entry.old
        if slot.since < at:
            return slot if slot.used else NULL
        while old != NULL:
            if old.which == which and old.slot.since < at <= old.until:
                return &old.slot
            old = old.older
        return NULL


def keep_nothing(State state not None):
    """This relay keeps no state of instruments, whatever its predecessor did."""
    state.status.snapshot_instruments = state.status.snapshot_bytes = 0


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
    cdef int which
    cdef bint closed
    cdef readonly uint64_t at, before, count
    cdef readonly bint done

    def __init__(self, Keep keep not None, uint64_t before, Filter wanted):
        self.keep, self.wanted, self.before = keep, wanted, before
        self.at, self.stop, self.status = keep.position, keep.count, keep.status
        if before > self.at:
            raise ValueError(f"position {before} is beyond the end, {self.at}")
        keep.readers.append(self)
        keep.barrier = self.at
        keep.status.snapshots += 1
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
            self.keep.reader_left(self)

    cdef bint has(self, Entry *entry, int which) noexcept nogil:
        cdef Slot *slot = &entry.slots[which]
        return slot.used > 0 and self.wants(which) and (
            self.before == self.at or (<uint64_t *>slot.bytes)[0] < self.before)

    cdef bint wants(self, int which) noexcept nogil:
        return self.wanted is None or self.wanted.types[KIND_OF[which]]

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
        cdef Slot *slot
        while self.index < self.stop:
            slot = NULL
            if self.which < SLOTS and self.likes(&self.keep.entries[self.index]):
                if self.wants(self.which):
                    slot = self.keep.slot_at(&self.keep.entries[self.index], self.which, self.at)
            else:
                self.index += 1
                self.which = 0
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
            self.which += 1
            self.offset = 0
        self.done = True
        return filled
