from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from protocol._core.ring cimport Mapping, Ring
from protocol._core.scan cimport Rules, Tally, Track
from protocol._core.walk cimport Walk

cdef extern from *:
    """
    #define STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
    #define LOAD(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define FENCE() __atomic_thread_fence(__ATOMIC_SEQ_CST)
    """
    void STORE(uint64_t *p, uint64_t v) noexcept nogil
    uint64_t LOAD(uint64_t *p) noexcept nogil
    void FENCE() noexcept nogil

cdef enum:
    REDO = 3000            # words one transaction may change
    BUCKETS = 24
    DROPS = 4              # left, too_slow, too_old, log_replaced
    INDEX_APART = 16       # frames between index entries, at least
    SNAPSHOT_DROPS = 4     # instruments, bytes, book_size, unreadable
    PAGES = 256            # producers whose offending frames are kept
    DECISIONS = 4096       # what was decided about connections, the last of them
    NOTES = 32768          # commits that the journal has not made safe yet, at most
    HELLO = 1016           # bytes of a session's Hello that are kept, at most

cdef enum Mark:            # what of a connection is not in its record: relays.core.adoption
    READING = 1            # something may have been read that is not committed or acted on
    SENDING = 2            # something may have been sent that the cursor does not know of
    OWED = 4               # something waits outside the log: Welcome, Gap, the rest of a frame
    LEAVING = 8            # it is being closed, and that is never taken back

cdef struct Geometry:                  # fixed when the file is made, checked when it is adopted
    uint64_t magic, version, log_bytes, log_id, connections, producers, index, windows
    uint64_t created_ns
    uint64_t begin_position, begin_offset   # of this log_id; 0 unless a journal had more before

cdef struct Status:                    # written by the daemon, for those who look from outside
    uint64_t pid, started_ns, tick_ns, ready, draining, accepting, damaged, metrics_port
    uint64_t generation                # odd while a connection comes or goes
    uint64_t adoptions
    uint64_t handed                    # pid of a relay that ended to be followed at once, else 0
    uint64_t adopted_ns, crashes       # when it was last adopted; deaths soon after that, in a row
    uint64_t snapshot_instruments, snapshot_bytes     # held now, by protocol._core.keep
    uint64_t snapshot_dropped[SNAPSHOT_DROPS]         # times something was not kept
    uint64_t snapshots, snapshot_messages, snapshot_message_bytes   # begun; written in them

cdef struct Redo:
    uint64_t count
    uint64_t where[REDO]
    uint64_t value[REDO]

cdef struct LogRecord:
    uint64_t seq
    uint64_t end_position, end_offset, oldest_position, oldest_offset
    uint64_t index_first, index_next
    uint64_t commit_ns

cdef struct IndexEntry:
    uint64_t position, offset, time_ns

cdef struct Histogram:
    uint64_t bucket[BUCKETS]
    uint64_t sum_ns, count

cdef struct Sums:                      # what a connection counts, and all the departed did
    uint64_t passed                    # of the departed: positions passed from start to leaving
    uint64_t delivered, delivered_bytes, filtered
    uint64_t dropped[DROPS]
    uint64_t read_bytes, accepted_bytes, rejected_bytes, control_bytes, unfinished_bytes
    uint64_t discarded_bytes
    uint64_t accepted, rejected

cdef struct Counters:
    uint64_t seq
    uint64_t by_type[256]              # accepted
    uint64_t by_source[256]            # received
    uint64_t gaps_by_source[256]
    uint64_t duplicates_by_source[256]
    uint64_t by_reason[32]             # rejected
    uint64_t disconnects[32]           # by Reject, 0 = peer_closed
    uint64_t arrivals[8]               # connections by role
    uint64_t trips
    uint64_t skew
    Histogram ingress, forward
    Sums departed

cdef struct ConnectionRecord:
    uint64_t seq
    uint64_t id                        # 0 = a free place
    uint64_t uid, pid, role, accepted_ns, producer_id
    uint8_t name[64]
    uint64_t consuming                 # its cursor counts
    uint64_t start, position, offset
    uint64_t begun                     # bytes of the frame at `offset` that are still to be sent
    uint64_t tail                      # 1 while the rest of a frame waits outside the log
    uint64_t confirmed
    uint64_t breaker, trips, waiting_since_ns, unread_bytes
    uint64_t last_sequence
    uint64_t marks                     # Mark
    uint64_t cookie                    # the kernel's number of its socket, once that is known
    uint64_t stored                    # 1 once the service manager has a copy of its socket
    Sums sums

cdef struct HelloRecord:               # of the connection in the same place
    uint64_t size                      # 0 = none, or too large to be kept
    uint8_t frame[HELLO]

cdef struct ProducerRecord:
    uint64_t uid, producer_id, last_sequence, seen_ns   # seen_ns 0 = a free place

cdef struct OffencePage:
    uint64_t connection, uid, pid, next
    uint64_t reason[16]
    uint64_t size[16]
    uint64_t at_ns[16]
    uint8_t head[16 * 256]

cdef struct Decision:                  # relays.core.decisions says what each kind fills in
    uint64_t number                    # 1 for the first since the log began, 0 = a free place
    uint64_t at_ns, until_ns, times    # the first time, the last, how often: see `again`
    uint64_t relay                     # pid of who decided; connections count from 1 in each
    uint64_t connection, uid, pid, role
    uint64_t kind, reason
    uint64_t position, end             # of the connection's cursor and of the log, then
    uint64_t depth                     # messages it was behind
    uint64_t first, last, count        # positions lost, or sequences refused
    uint64_t wait_ns
    uint64_t delivered, dropped, filtered
    uint8_t name[72]                   # these end with a NUL, always
    uint8_t text[128]

cdef struct Decisions:                 # decision `number` is in row (number - 1) % DECISIONS
    uint64_t seq
    uint64_t made                      # the number of the newest
    Decision rows[DECISIONS]

cdef struct Note:                      # a commit, for the journal: who sent what
    uint64_t position, offset, count, size, receive_ns
    uint64_t uid, pid, connection, producer_id, last_sequence
    uint64_t producer                  # its place in the table + 1, 0 = anonymous
    uint64_t chain                     # CRC-32 of the log up to its end, once it is written

cdef struct Journal:                   # notes are numbered; note n is in place n % NOTES
    uint64_t on
    uint64_t made                      # notes so far; the rest is written by the journal's thread:
    uint64_t written, written_position, written_offset
    uint64_t synced_position           # all before it is on the disk
    uint64_t safe, safe_position, safe_offset   # what is before is not needed here any more
    uint64_t room                      # bytes of segments that are preallocated behind `written`
    uint64_t chain                     # CRC-32 of every byte of the log up to `written`
    uint64_t syncs, sync_ns, written_bytes
    uint64_t failures, failing         # failing: errno of what keeps it from going on
    uint64_t segments, disk_bytes, oldest_position
    uint64_t shown                     # notes that consumers were given, + 1; 0: all there are
    Note notes[NOTES]


cdef class State:
    cdef readonly Mapping memory
    cdef readonly Ring ring
    cdef Geometry *geometry
    cdef Status *status
    cdef Redo *redo
    cdef LogRecord *log
    cdef Counters *counters
    cdef IndexEntry *index
    cdef ConnectionRecord *connections
    cdef HelloRecord *hellos
    cdef ProducerRecord *producers
    cdef OffencePage *pages
    cdef Decisions *decisions
    cdef Journal *journal
    cdef uint8_t *windows
    cdef uint64_t pending
    cdef readonly uint64_t log_bytes
    cdef bint withheld                 # consumers get no further than:
    cdef uint64_t last_shown, shown_until
    cdef Walk walk
    cdef public uint64_t skip_count    # a test sets it: that many deliveries go uncounted

    cdef inline void put(self, uint64_t *where, uint64_t value) noexcept nogil:
        self.redo.where[self.pending] = <uint8_t *>where - self.memory.base
        self.redo.value[self.pending] = value
        self.pending += 1

    cdef inline void add(self, uint64_t *where, uint64_t delta) noexcept nogil:
        if delta:
            self.put(where, where[0] + delta)

    cdef inline uint64_t consumers_end(self) noexcept nogil:
        return self.shown_until if self.withheld else self.log.end_offset

    cdef inline uint64_t consumers_position(self) noexcept nogil:
        return self.last_shown if self.withheld else self.log.end_position

    cdef void apply(self, uint64_t *first, uint64_t *second) noexcept nogil
    cdef uint8_t *at(self, uint64_t offset) noexcept nogil
    cpdef uint64_t horizon(self, uint64_t room)
    cdef uint64_t entry_before(self, uint64_t value, bint by_offset) noexcept nogil
    cdef uint64_t position_of(self, uint64_t boundary) noexcept nogil
    cdef void observe(self, Histogram *histogram, uint64_t ns) noexcept nogil
    cdef uint64_t entry_time(self, uint64_t position) noexcept nogil
    cdef _place(self)
    cdef _make_even(self)
    cdef _copy(self, void *record, uint64_t *seq, void *to, size_t size)
    cdef uint64_t note(self, uint64_t next, uint64_t position, uint64_t offset,
                       uint64_t now) noexcept nogil
    cdef void count_frames(self, Tally tally) noexcept nogil
    cdef void add_all(self, uint64_t *to, uint32_t *counted, uint32_t blocks) noexcept nogil
    cdef void apply_log(self, Tally tally, uint64_t position, uint64_t next,
                        uint64_t now) noexcept nogil
    cdef void note_commit(self, ConnectionRecord *c, Tally tally, Track track, int64_t producer,
                          uint64_t now) noexcept nogil
    cdef void observe_ingress(self, Tally tally, uint64_t now) noexcept nogil
    cdef void apply_three(self, uint64_t *seq) noexcept nogil
    cpdef commit(self, Tally tally, Track track, uint64_t slot, int64_t producer, uint64_t base,
                 uint64_t read, uint64_t unfinished, uint64_t discarded, uint64_t now)
    cdef void _commit(self, Tally tally, Track track, uint64_t slot, int64_t producer,
                      uint64_t read, uint64_t unfinished, uint64_t discarded,
                      uint64_t now) noexcept nogil
