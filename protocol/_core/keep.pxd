from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

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
    Old *following                     # put by after this one, of whatever entry

cdef class Keep:
    cdef State state
    cdef Status *status
    cdef void *memory
    cdef Entry *entries
    cdef uint8_t *cells                # the Quote of each entry, CELL bytes apart
    cdef uint32_t *table               # from the hash of an id to the number of its entry, from 1
    cdef uint64_t mask, most, limit, offset
    cdef uint64_t barrier, broken      # positions: of the newest Reader; up to where they failed
    cdef Old *first
    cdef Old *last
    cdef list readers
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
    cdef void give_up(self) noexcept nogil
    cdef void release(self, uint64_t lowest) noexcept nogil
    cdef bint append(self, Slot *slot, const uint8_t *frame, uint32_t size) noexcept nogil
    cdef bint grow(self, Slot *slot, uint32_t need) noexcept nogil
    cdef void joined(self, reader, uint64_t at)
    cdef void left(self, reader)
    cdef Slot *slot_at(self, Entry *entry, int which, uint64_t at) noexcept nogil
