from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from protocol._core.scan cimport Tally
from protocol._core.state cimport State, Status

cdef enum:
    STAMP = 8                          # the position in front of a frame

cdef enum:
    QUOTE
    BOOK
    DISCOVERED
    POOL
    SLOTS

cdef struct Slot:
    uint8_t *bytes
    uint32_t used, room
    uint64_t since                     # the position of the frame that made it what it is; of a
                                       # Quote only `slot_of` knows

cdef struct Entry:
    uint8_t id[12]
    uint32_t begun                     # where in the slot the book that is coming begins
    Slot slots[SLOTS]
    uint16_t expect                    # the part of it that comes next; 0: none is coming
    uint16_t whole                     # the slot begins with a whole book
    Old *old                           # what was put by, the newest first

cdef struct Old:
    Slot slot
    uint64_t until                     # the position of the frame that ended it
    int which
    Entry *entry
    Old *older
    Old *newer
    Old *following                     # in the list of its Claim, or of those of nobody

cdef struct Claim:                     # what one Reader needs, whose memory this is
    uint64_t at                        # the position it is of
    bint live                          # false: it gave way to what came later
    Old *first                         # put by for it, and for no newer one
    Old *last

cdef class Keep:
    cdef State state
    cdef Status *status
    cdef void *memory
    cdef Entry *entries
    cdef uint8_t *cells                # the Quote of each entry, CELL bytes apart
    cdef uint32_t *table               # from the hash of an id to the number of its entry, from 1
    cdef uint64_t mask, most, limit, offset
    cdef Claim **claims                # of the Readers there are, the oldest first
    cdef uint64_t live, places
    cdef uint64_t barrier              # the position of the newest Reader, 0 where there is none
    cdef Old *gone                     # what was put by for those who need it no more
    cdef uint64_t past                 # bytes put by, of those held
    cdef readonly uint64_t count, held, position

    cdef void say(self)
    cdef void walk(self) noexcept nogil
    cdef bint take_quote(self, const uint8_t *frame, uint64_t position,
                         uint64_t barrier) noexcept nogil
    cdef void take(self, int which, const uint8_t *frame) noexcept nogil
    cdef Entry *find(self, const uint8_t *id, bint make) noexcept nogil
    cdef Entry *make(self, const uint8_t *id, uint64_t place) noexcept nogil
    cdef bint widen(self) noexcept nogil
    cdef Slot *slot_of(self, Entry *entry, int which) noexcept nogil
    cdef void take_book(self, Entry *entry, const uint8_t *frame, uint32_t size) noexcept nogil
    cdef void begin_book(self, Entry *entry) noexcept nogil
    cdef bint make_room(self, Entry *entry, uint32_t size) noexcept nogil
    cdef void forget_book(self, Entry *entry) noexcept nogil
    cdef void renew(self, Entry *entry, int which, uint32_t begin) noexcept nogil
    cdef bint put_by(self, Entry *entry, int which, uint32_t begin) noexcept nogil
    cdef bint afford(self, uint64_t more) noexcept nogil
    cdef void reclaim(self, int64_t most) noexcept nogil
    cdef Claim *heir(self, Old *old) noexcept nogil
    cdef void discard(self, Old *old) noexcept nogil
    cdef bint append(self, Slot *slot, const uint8_t *frame, uint32_t size) noexcept nogil
    cdef bint grow(self, Slot *slot, uint32_t need) noexcept nogil
    cdef void joined(self, Claim *claim) except *
    cdef void left(self, Claim *claim)
    cdef void retire(self, Claim *claim) noexcept nogil
    cdef Slot *slot_at(self, Entry *entry, int which, uint64_t at) noexcept nogil
