# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The state of instruments, kept as the very frames that said it (relays.md 3, Snapshot).

Called by `relays.core.hub` after every commit (each accepted frame is looked at once) and by
`reader`, which gives the frames of one moment out. What a frame does to a book is SPEC.md's,
OrderBook; who gets a snapshot is not decided here.

Each instrument has four slots: its two discovery frames, its last Quote, its book. A slot holds
frames one behind the other, each with its position in front. What a slot no longer says is thrown
away, unless a Reader still needs it: then it is put by, with the positions it was valid for, and
the slot gets new memory. So a snapshot is of one position however long it takes to be read.

What was put by belongs to the newest Reader that needs it. When that one has gone, it is the next
older one's if that needs it too, else it is given back: so many a turn, and at once where memory is
wanted. Where that is not enough the oldest Reader gives way, which is the one that pins most.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memmove, memset

from protocol._core.gather cimport scatter
from protocol._core.scan cimport FrameHeader, HEADER, Tally
from protocol._core.state cimport SNAPSHOT_DROPS, State, Status

import os

cdef enum:
    COMPRESSED = 0x03
    QUOTE_FRAME = 80
    CELL = 128                         # two cache lines, of which a Quote with its stamp needs 88
    FEW = 1024                         # places the table begins with, 4 for each instrument
    BOOK_BYTES = 1048576               # of frames and stamps: what one book may need
    RECLAIMED = 512                    # frames put by, or 4 KiB of them, that one turn gives back
    SNAPSHOT = 1                       # protocol.market_data.BookKind

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


cdef inline bint same(const uint8_t *one, const uint8_t *other) noexcept nogil:
    """Whether two instrument ids are the same, 12 bytes."""
    cdef uint64_t low, low_too
    cdef uint32_t high, high_too
    memcpy(&low, one, 8)
    memcpy(&low_too, other, 8)
    memcpy(&high, one + 8, 4)
    memcpy(&high_too, other + 8, 4)
    return low == low_too and high == high_too


cdef inline bint is_quote(const uint8_t *frame) noexcept nogil:
    """Whether type, version, flags and size are those of a Quote that can be read."""
    cdef uint64_t word
    memcpy(&word, frame + 4, 8)
    return word & <uint64_t>0xFFFFFFFF0300FFFF == (<uint64_t>(QUOTE_FRAME - HEADER) << 32 | 0x0102)


cdef inline bint readable(int which, const uint8_t *frame, uint32_t size) noexcept nogil:
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


cdef inline void hand(Claim *claim, Old *old) noexcept nogil:
    """It is put by for this Reader from now on."""
    old.following = claim.first
    if claim.first == NULL:
        claim.last = old
    claim.first = old


cdef class Keep:
    """The state of at most `instruments` instruments in at most `limit` bytes of memory.

    It has looked at every frame before `position`. A new one walks all that the log has.
    """
    def __cinit__(self, State state not None, uint64_t instruments, uint64_t limit):
        cdef uint64_t[SNAPSHOT_DROPS] dropped
        self.state, self.status = state, state.status
        self.most, self.limit = instruments, limit
        self.mask = FEW - 1
        self.entries = <Entry *>calloc(instruments, sizeof(Entry))
        self.memory = calloc(instruments + 1, CELL)
        self.table = <uint32_t *>calloc(FEW, 4)
        if self.entries == NULL or self.memory == NULL or self.table == NULL:
            raise MemoryError(f"the state of {instruments} instruments")
        self.cells = <uint8_t *>((<uintptr_t>self.memory + CELL - 1) & ~<uintptr_t>(CELL - 1))
        self.offset, self.position = state.log.oldest_offset, state.log.oldest_position
        memcpy(dropped, state.status.snapshot_dropped, sizeof(dropped))
        self.follow(None)
        memcpy(state.status.snapshot_dropped, dropped, sizeof(dropped))  # was counted before

    def __dealloc__(self):
        cdef uint64_t n
        cdef int which
        for n in range(self.count):
            while self.entries[n].old != NULL:
                self.discard(self.entries[n].old)
            for which in range(QUOTE + 1, SLOTS):
                free(self.entries[n].slots[which].bytes)
        free(self.entries)
        free(self.memory)
        free(self.table)
        free(self.claims)

    def follow(self, Tally tally):
        """Look at what was committed since the last call; `tally` is of the one scan behind it."""
        if tally is None or (tally.by_type[2] or tally.by_type[3]
                             or tally.by_type[10] or tally.by_type[11]):
            with nogil:
                self.walk()
            if self.position != self.state.log.end_position:
                raise AssertionError(f"walked to position {self.position}, not to the log's end")
        self.reclaim(RECLAIMED)
        self.say()
        self.offset = self.state.log.end_offset
        self.position = self.state.log.end_position

    cdef void say(self):
        self.status.snapshot_instruments, self.status.snapshot_bytes = self.count, self.held

    cdef void walk(self) noexcept nogil:
        cdef const uint8_t *frame = self.state.at(self.offset)  # contiguous: it is mapped twice
        cdef const uint8_t *end = frame + (self.state.log.end_offset - self.offset)
        cdef uint64_t barrier = self.barrier, position = self.position
        while frame < end:
            if SLOT_OF[frame[4]] and not (
                    frame[4] == KIND_OF[QUOTE] and self.take_quote(frame, position, barrier)):
                self.position = position
                self.take(SLOT_OF[frame[4]] - 1, frame)
                barrier = self.barrier
            frame += HEADER + (<const FrameHeader *>frame).payload_size
            position += 1
        self.position = position

    cdef inline bint take_quote(self, const uint8_t *frame, uint64_t position,
                                uint64_t barrier) noexcept nogil:
        """The usual Quote: over the one there is, which no Reader needs. False for any other."""
        cdef uint64_t place = scatter(frame + HEADER, SEED) & self.mask, since
        cdef uint8_t *cell
        while self.table[place]:
            cell = self.cells + CELL * (self.table[place] - 1)
            if same(cell + STAMP + HEADER, frame + HEADER):
                memcpy(&since, cell, STAMP)
                if since + 1 <= barrier or not is_quote(frame):   # 0 where there is none
                    return False
                memcpy(cell, &position, STAMP)
                memcpy(cell + STAMP, frame, QUOTE_FRAME)
                return True
            place = (place + 1) & self.mask
        return False

    cdef void take(self, int which, const uint8_t *frame) noexcept nogil:
        cdef const BookPart *part = <const BookPart *>(frame + HEADER)
        cdef uint32_t size = HEADER + (<const FrameHeader *>frame).payload_size
        cdef Entry *entry
        if not readable(which, frame, size):
            self.status.snapshot_dropped[UNREADABLE] += 1
            return
        entry = self.find(frame + HEADER, which != BOOK or (part.kind == SNAPSHOT
                                                            and part.part == 1))
        if entry == NULL:
            return
        if which == BOOK:
            self.take_book(entry, frame, size)
            return
        self.renew(entry, which, self.slot_of(entry, which).used)
        if not self.append(&entry.slots[which], frame, size):
            self.status.snapshot_dropped[BYTES] += 1

    cdef Entry *find(self, const uint8_t *id, bint make) noexcept nogil:
        """The entry of an instrument; NULL where there is none, or no room to `make` one."""
        cdef uint64_t n = scatter(id, SEED) & self.mask
        cdef Entry *entry
        while self.table[n]:
            entry = &self.entries[self.table[n] - 1]
            if same(entry.id, id):
                return entry
            n = (n + 1) & self.mask
        return self.make(id, n) if make else NULL

    cdef Entry *make(self, const uint8_t *id, uint64_t place) noexcept nogil:
        cdef Entry *entry
        cdef Slot *quote
        if self.count == self.most:
            self.status.snapshot_dropped[INSTRUMENTS] += 1
            return NULL
        if self.count == self.mask or not self.afford(sizeof(Entry) + CELL):
            self.status.snapshot_dropped[BYTES] += 1
            return NULL
        entry = &self.entries[self.count]
        memcpy(entry.id, id, 12)
        quote = &entry.slots[QUOTE]
        quote.bytes, quote.room = self.cells + CELL * self.count, STAMP + QUOTE_FRAME
        memcpy(quote.bytes, &NONE, STAMP)
        self.count += 1
        self.held += sizeof(Entry) + CELL
        self.table[place] = <uint32_t>self.count
        if 4 * self.count > self.mask:
            self.widen()
        return entry

    cdef bint widen(self) noexcept nogil:
        """A table of twice the size: it is as small as it can be, to stay in the caches."""
        cdef uint64_t mask = 2 * self.mask + 1, n, place
        cdef uint32_t *table = <uint32_t *>calloc(mask + 1, 4)
        if table == NULL:
            return False               # the old one is only fuller: it has room for all
        for n in range(self.count):
            place = scatter(self.entries[n].id, SEED) & mask
            while table[place]:
                place = (place + 1) & mask
            table[place] = <uint32_t>(n + 1)
        free(self.table)
        self.table, self.mask = table, mask
        return True

    # --- books ---

    cdef void take_book(self, Entry *entry, const uint8_t *frame, uint32_t size) noexcept nogil:
        """All that came since the last whole book is kept, also what comes to nothing: whoever
        reads it then is where a reader of all would be."""
        cdef Slot *slot = &entry.slots[BOOK]
        cdef const BookPart *part = <const BookPart *>(frame + HEADER)
        cdef const BookPart *first = part
        if part.kind == SNAPSHOT and part.part == 1:
            entry.begun, entry.expect = slot.used, 1
        elif entry.expect:
            first = <const BookPart *>(slot.bytes + entry.begun + STAMP + HEADER)
        if (part.kind == SNAPSHOT and part.part == entry.expect and part.parts == first.parts
                and part.book_sequence == first.book_sequence):
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

    cdef Slot *slot_of(self, Entry *entry, int which) noexcept nogil:
        """A slot with `since` as it is: that of a Quote is the stamp in front of it."""
        cdef Slot *slot = &entry.slots[which]
        if which == QUOTE and slot.used:
            memcpy(&slot.since, slot.bytes, STAMP)
        return slot

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
        cdef uint32_t left = slot.used - begin if which != QUOTE else slot.used
        cdef Old *old = NULL
        cdef uint8_t *bytes = NULL
        if self.afford(sizeof(Old) + left):
            if slot.since >= self.barrier:     # who needed it gave way
                return False
            old, bytes = <Old *>malloc(sizeof(Old)), <uint8_t *>malloc(left + 1)
        if old == NULL or bytes == NULL:
            free(old)
            free(bytes)
            while slot.since < self.barrier:
                self.retire(self.claims[self.live - 1])
            return False
        memcpy(bytes, slot.bytes + (begin if which != QUOTE else 0), left)
        old.slot, old.until, old.which, old.entry = slot[0], self.position, which, entry
        old.older, old.newer = entry.old, NULL
        if entry.old != NULL:
            entry.old.newer = old
        entry.old = old
        hand(self.claims[self.live - 1], old)
        if which == QUOTE:             # a cell stays where it is
            old.slot.bytes = bytes
        else:
            slot.bytes, slot.room = bytes, left
        self.held += sizeof(Old) + left
        self.past += sizeof(Old) + old.slot.room
        return True

    cdef bint afford(self, uint64_t more) noexcept nogil:
        """Whether there may be `more` bytes. What is now goes before what was."""
        while self.held + more > self.limit:
            if self.gone != NULL:
                self.reclaim(1)
            elif self.past:
                self.retire(self.claims[0])
            else:
                return False
        return True

    cdef void reclaim(self, int64_t most) noexcept nogil:
        """Of what Readers left behind, pass on what others need; the rest is given back."""
        cdef Old *old
        cdef Claim *claim
        while self.gone != NULL and most > 0:
            old = self.gone
            self.gone = old.following
            claim = self.heir(old)
            if claim != NULL:
                hand(claim, old)
            else:
                most -= old.slot.room // 4096
                self.discard(old)
            most -= 1

    cdef Claim *heir(self, Old *old) noexcept nogil:
        """The newest Reader that needs it, or NULL."""
        cdef uint64_t low = 0, high = self.live, middle
        while low < high:              # how many are of a position up to the one that ended it
            middle = (low + high) // 2
            if self.claims[middle].at <= old.until:
                low = middle + 1
            else:
                high = middle
        return self.claims[low - 1] if low and self.claims[low - 1].at > old.slot.since else NULL

    cdef void discard(self, Old *old) noexcept nogil:
        if old.newer == NULL:
            old.entry.old = old.older
        else:
            old.newer.older = old.older
        if old.older != NULL:
            old.older.newer = old.newer
        self.held -= sizeof(Old) + old.slot.room
        self.past -= sizeof(Old) + old.slot.room
        free(old.slot.bytes)
        free(old)

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

    cdef void joined(self, Claim *claim) except *:
        """A Reader of the state as it is now."""
        cdef uint64_t places = 2 * self.places + 16
        cdef Claim **claims
        if self.live == self.places:
            claims = <Claim **>realloc(self.claims, places * sizeof(Claim *))
            if claims == NULL:
                raise MemoryError("one more reader")
            self.claims, self.places = claims, places
        claim.at, claim.live, claim.first, claim.last = self.position, True, NULL, NULL
        self.claims[self.live] = claim
        self.live += 1
        self.barrier = self.position
        self.status.snapshots += 1

    cdef void left(self, Claim *claim):
        """What only this Reader needed may go."""
        if claim.live:
            self.retire(claim)
        self.reclaim(RECLAIMED)
        self.say()

    cdef void retire(self, Claim *claim) noexcept nogil:
        """Nothing is put by for this Reader any more: it left, or gives way."""
        cdef uint64_t n = 0
        while self.claims[n] != claim:
            n += 1
        self.live -= 1
        memmove(&self.claims[n], &self.claims[n + 1], (self.live - n) * sizeof(Claim *))
        self.barrier = self.claims[self.live - 1].at if self.live else 0
        claim.live = False
        if claim.first != NULL:
            claim.last.following = self.gone
            self.gone = claim.first
            claim.first = claim.last = NULL

    cdef Slot *slot_at(self, Entry *entry, int which, uint64_t at) noexcept nogil:
        """A slot as it was with the frames before `at`, perhaps with more behind; or NULL."""
        cdef Slot *slot = self.slot_of(entry, which)
        cdef Old *old = entry.old
        if slot.since < at:
            return slot if slot.used else NULL
        while old != NULL and old.until >= at:
            if old.which == which and old.slot.since < at:
                return &old.slot
            old = old.older
        return NULL


def keep_nothing(State state not None):
    """This relay keeps no state of instruments, whatever its predecessor did."""
    state.status.snapshot_instruments = state.status.snapshot_bytes = 0
