# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The relay's state as memory: fixed-size records in one mapped file, and the log they describe.

Called by `relays.core.log` (which owns the one writing State), by `relays.edge.metrics` and
`relays status` (which map it read-only). Every change goes through a redo list: the new words are
written down, the list is marked valid, then they are stored. A process killed at any instruction
leaves either the state before or a list that the successor stores again. No policy in here.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from posix.unistd cimport usleep

from protocol._core.scan cimport FrameHeader, HEADER, MARK_EVERY, WINDOW, lowest
from protocol._core.walk cimport Walk

import os

MAGIC = 0x59414C4552504C41          # "ALPRELAY"
VERSION = 4                         # 2: decisions, 3: journal, 4: connections that go on
BUCKET_BOUNDS_NS = tuple(m * 10**e for e in range(3, 10) for m in (1, 2, 5)) + (10**10, 6 * 10**10)

# The first words of Status, in their order; `generation` is not for others to set.
STATUS_WORDS = {name: n for n, name in enumerate(
    ("pid", "started_ns", "tick_ns", "ready", "draining", "accepting", "damaged", "metrics_port",
     "", "adoptions", "handed", "adopted_ns", "crashes")) if name}

cdef uint64_t NEVER_SO_LATE = 60 * 10**9   # a clock this far off says nothing of latency
cdef uint64_t BOUNDS[BUCKETS]
for _n, _bound in enumerate(BUCKET_BOUNDS_NS):
    BOUNDS[_n] = _bound
assert len(BUCKET_BOUNDS_NS) < BUCKETS
cdef int PATIENT = 1000000
cdef int BOUND_COUNT = len(BUCKET_BOUNDS_NS)


cdef class State:
    """One relay's state and log. `ring` may be None for those who only read the counters."""

    def __init__(self, Mapping memory not None, Ring ring):
        self.memory, self.ring = memory, ring
        self.walk = None if ring is None else Walk(ring)
        self.pending = self.skip_count = 0
        self.withheld = False
        self.geometry = <Geometry *>memory.base
        self._place()

    cdef _place(self):
        # Not at the top: it needs the sizes of the records, which are declared with this module.
        from protocol._core.places import index_places, layout
        cdef uint8_t *base = self.memory.base
        g = self.geometry[0]
        if g.magic != MAGIC or g.version != VERSION:
            raise ValueError(f"not a relay state of format {VERSION}: magic {g.magic:#x}, "
                             f"format {g.version}")
        if max(g.connections, g.producers, g.log_bytes // HEADER) > self.memory.size:
            raise ValueError(f"a state file of {self.memory.size} bytes cannot hold {g}")
        places = layout(g.log_bytes, g.connections, g.producers, g.windows)
        if places["end"] != self.memory.size or g.index != index_places(g.log_bytes):
            raise ValueError(f"state file of {self.memory.size} bytes, expected {places['end']}")
        if self.ring is not None and self.ring.size != g.log_bytes:
            raise ValueError(f"log has {self.ring.size} bytes, its state says {g.log_bytes}")
        self.log_bytes = g.log_bytes
        self.status = <Status *>(base + <size_t>places["status"])
        self.redo = <Redo *>(base + <size_t>places["redo"])
        self.log = <LogRecord *>(base + <size_t>places["log"])
        self.counters = <Counters *>(base + <size_t>places["counters"])
        self.index = <IndexEntry *>(base + <size_t>places["index"])
        self.connections = <ConnectionRecord *>(base + <size_t>places["connections"])
        self.hellos = <HelloRecord *>(base + <size_t>places["hellos"])
        self.producers = <ProducerRecord *>(base + <size_t>places["producers"])
        self.pages = <OffencePage *>(base + <size_t>places["pages"])
        self.decisions = <Decisions *>(base + <size_t>places["decisions"])
        self.journal = <Journal *>(base + <size_t>places["journal"])
        self.windows = base + <size_t>places["windows"] if g.windows else NULL

    @staticmethod
    def format(Mapping memory not None, *, log_bytes, connections, producers, windows, log_id,
               now_ns, position=0, offset=0):
        """Write the geometry of an empty state into `memory`, the magic last. Its log begins at
        `position`, with `offset` bytes before it: where a journal ends, or 0."""
        from protocol._core.places import index_places, layout
        cdef Geometry *g = <Geometry *>memory.base
        cdef LogRecord *log = <LogRecord *>(
            memory.base + <size_t>layout(log_bytes, connections, producers, windows)["log"])
        log.end_position = log.oldest_position = position
        log.end_offset = log.oldest_offset = offset
        g.begin_position, g.begin_offset = position, offset
        g.version, g.log_bytes, g.log_id = VERSION, log_bytes, log_id
        g.connections, g.producers, g.windows = connections, producers, windows
        g.index, g.created_ns = index_places(log_bytes), now_ns
        STORE(&g.magic, MAGIC)

    # --- transactions ---

    cdef void apply(self, uint64_t *first, uint64_t *second) noexcept nogil:
        """Store the pending words, with the records `first` and `second` odd meanwhile."""
        cdef uint64_t n
        STORE(&self.redo.count, self.pending)
        STORE(first, first[0] + 1)
        if second != NULL:
            STORE(second, second[0] + 1)
        FENCE()
        for n in range(self.pending):
            STORE(<uint64_t *>(self.memory.base + self.redo.where[n]), self.redo.value[n])
        STORE(first, first[0] + 1)
        if second != NULL:
            STORE(second, second[0] + 1)
        STORE(&self.redo.count, 0)
        self.pending = 0

    def recover(self):
        """Finish what the predecessor had begun. True when there was something to finish.

        Raises ValueError when the list points outside the state.
        """
        cdef uint64_t n, count = self.redo.count, end = self.memory.size
        if count > REDO:
            raise ValueError(f"redo list of {count} words, at most {REDO} expected")
        for n in range(count):
            if self.redo.where[n] % 8 or self.redo.where[n] > end - 8:
                raise ValueError(f"redo word {n} at {self.redo.where[n]}, outside the state")
            STORE(<uint64_t *>(self.memory.base + self.redo.where[n]), self.redo.value[n])
        STORE(&self.redo.count, 0)
        self._make_even()
        return count > 0

    cdef _make_even(self):
        cdef uint64_t n
        self.log.seq += self.log.seq & 1
        self.counters.seq += self.counters.seq & 1
        self.status.generation += self.status.generation & 1
        self.decisions.seq += self.decisions.seq & 1
        for n in range(self.geometry.connections):
            self.connections[n].seq += self.connections[n].seq & 1

    # --- reading from outside: copies that are of one moment ---

    cdef _copy(self, void *record, uint64_t *seq, void *to, size_t size):
        cdef uint64_t before
        cdef int attempt
        for attempt in range(PATIENT + 2000):
            before = LOAD(seq)
            if before & 1:
                if attempt > PATIENT:  # it may have lost its turn in the middle
                    usleep(100)
                continue
            memcpy(to, record, size)
            FENCE()
            if LOAD(seq) == before:
                return
        raise BlockingIOError("the relay kept writing; its process may have died in a commit")

    def read_geometry(self):
        return self.geometry[0]

    def read_status(self):
        return self.status[0]

    def read_log(self):
        cdef LogRecord copy
        self._copy(self.log, &self.log.seq, &copy, sizeof(copy))
        return copy

    def read_counters(self):
        cdef Counters copy
        self._copy(self.counters, &self.counters.seq, &copy, sizeof(copy))
        return copy

    def read_connection(self, uint64_t slot):
        """One connection's record as a dict, or None where the place is free."""
        cdef ConnectionRecord copy
        self._check_slot(slot)
        if self.connections[slot].id == 0:
            return None
        self._copy(&self.connections[slot], &self.connections[slot].seq, &copy, sizeof(copy))
        if copy.id == 0:
            return None
        row = dict(copy)
        row["slot"] = slot
        row["name"] = (<bytes>copy.name[:64]).rstrip(b"\0").decode("ascii", "replace")
        return row

    def read_connections(self):
        """Every connection, none of them half come or half gone; retried while any moves."""
        cdef uint64_t slot, before
        for _ in range(100):
            before = LOAD(&self.status.generation)
            rows = [self.read_connection(slot) for slot in range(self.geometry.connections)
                    if self.connections[slot].id]
            if not before & 1 and LOAD(&self.status.generation) == before:
                break
        return [row for row in rows if row is not None]

    def _check_slot(self, uint64_t slot):
        if slot >= self.geometry.connections:
            raise IndexError(f"connection place {slot} of {self.geometry.connections}")

    # --- plain words for those who look from outside ---

    def set_status(self, **words):
        """Set words of Status by name: pid, started_ns, tick_ns, ready, draining, accepting, ..."""
        for name, value in words.items():
            (<uint64_t *>self.status)[<int>STATUS_WORDS[name]] = value

    def count(self, str what, uint64_t which, uint64_t delta=1):
        """Add to a counter: "rejected", "disconnects", "arrivals", "trips" or "skew"."""
        if what == "rejected": self.add(&self.counters.by_reason[which & 31], delta)
        elif what == "disconnects": self.add(&self.counters.disconnects[which & 31], delta)
        elif what == "arrivals": self.add(&self.counters.arrivals[which & 7], delta)
        elif what == "trips": self.add(&self.counters.trips, delta)
        else: raise KeyError(what)
        self.apply(&self.counters.seq, NULL)

    cdef void observe(self, Histogram *histogram, uint64_t ns) noexcept nogil:
        cdef int n = 0
        while n < BOUND_COUNT and ns > BOUNDS[n]:
            n += 1
        self.add(&histogram.bucket[n], 1)
        self.add(&histogram.sum_ns, ns)
        self.add(&histogram.count, 1)

    # --- the log ---

    @property
    def log_id(self):
        return self.geometry.log_id

    @property
    def end_position(self):
        return self.log.end_position

    @property
    def end_offset(self):
        return self.log.end_offset

    def show(self, uint64_t position, uint64_t offset):
        """Consumers get what is before `position`, byte `offset`, and no more for now."""
        if offset > self.log.end_offset or (self.withheld and offset < self.shown_until):
            raise AssertionError(f"shown up to byte {offset}, before up to {self.shown_until}")
        self.withheld, self.last_shown, self.shown_until = True, position, offset

    @property
    def shown_position(self):
        """The end of the log as consumers see it: before a journal has it, it may be withheld."""
        return self.consumers_position()

    @property
    def shown_offset(self):
        return self.consumers_end()

    @property
    def oldest_position(self):
        return self.log.oldest_position

    @property
    def oldest_offset(self):
        return self.log.oldest_offset

    @property
    def commit_ns(self):
        return self.log.commit_ns

    cdef uint8_t *at(self, uint64_t offset) noexcept nogil:
        return self.ring.base + offset % self.log_bytes

    cdef uint64_t entry_before(self, uint64_t value, bint by_offset) noexcept nogil:
        """The last index entry at or before a position (or byte offset). There must be one."""
        cdef uint64_t low = self.log.index_first, high = self.log.index_next, middle, found
        cdef IndexEntry *entry
        while high - low > 1:
            middle = low + (high - low) // 2
            entry = &self.index[middle % self.geometry.index]
            found = entry.offset if by_offset else entry.position
            if found <= value:
                low = middle
            else:
                high = middle
        return low

    cdef uint64_t position_of(self, uint64_t boundary) noexcept nogil:
        """The position of the frame at byte `boundary`: index, then at most 256 headers."""
        cdef IndexEntry *entry
        cdef const uint8_t *first
        cdef uint64_t position, offset
        if boundary >= self.log.end_offset:
            return self.log.end_position
        entry = &self.index[self.entry_before(boundary, True) % self.geometry.index]
        position, offset = entry.position, entry.offset
        first = self.at(offset)
        while offset < boundary:
            offset += HEADER + (<const FrameHeader *>(first + (offset - entry.offset))).payload_size
            position += 1
        return position

    def locate(self, uint64_t position):
        """The byte offset of the frame at `position`. IndexError for one that is not kept."""
        cdef IndexEntry *entry
        cdef uint64_t at, offset
        if not self.log.oldest_position <= position <= self.log.end_position:
            raise IndexError(f"position {position} is not in "
                             f"{self.log.oldest_position}..{self.log.end_position}")
        if position == self.log.end_position:
            return self.log.end_offset
        entry = &self.index[self.entry_before(position, False) % self.geometry.index]
        at, offset = entry.position, entry.offset
        while at < position:
            offset += HEADER + (<FrameHeader *>self.at(offset)).payload_size
            at += 1
        return offset

    cdef uint64_t entry_time(self, uint64_t position) noexcept nogil:
        return self.index[self.entry_before(position, False) % self.geometry.index].time_ns

    def time_at(self, uint64_t position):
        """When the frame at `position` was received, ns (of its index entry); 0 when not kept."""
        if position >= self.log.end_position or position < self.log.oldest_position:
            return 0
        return self.entry_time(position)

    cpdef uint64_t horizon(self, uint64_t room):
        """The byte offset below which frames must give way before `room` bytes can be read."""
        cdef uint64_t need = self.log.end_offset + room
        cdef uint64_t n
        if need <= self.log.oldest_offset + self.log_bytes:
            return self.log.oldest_offset
        need -= self.log_bytes
        for n in range(self.log.index_first, self.log.index_next):
            if self.index[n % self.geometry.index].offset >= need:
                return self.index[n % self.geometry.index].offset
        return self.log.end_offset

    def give_way(self, uint64_t offset):
        """Forget what lies before byte `offset`, which `horizon` named."""
        cdef uint64_t n = self.log.index_first
        if self.journal.on and offset > self.journal.safe_offset:
            raise AssertionError(f"the log gives way up to byte {offset}, its journal has only "
                                 f"{self.journal.safe_offset}")
        while n < self.log.index_next and self.index[n % self.geometry.index].offset < offset:
            n += 1
        self.put(&self.log.oldest_offset, offset)
        if n == self.log.index_next:
            self.put(&self.log.oldest_position, self.log.end_position)
        else:
            self.put(&self.log.oldest_position, self.index[n % self.geometry.index].position)
        self.put(&self.log.index_first, n)
        self.apply(&self.log.seq, NULL)

    cdef uint64_t note(self, uint64_t next, uint64_t position, uint64_t offset,
                       uint64_t now) noexcept nogil:
        """An index entry in the place `next`, unless the last is too near; gives the next place.

        Too near is in frames, but not where those are large: the log gives way by entries, and
        should never lose more than a 64th of itself at once.
        """
        cdef IndexEntry *last
        if next > self.log.index_first:
            last = &self.index[(next - 1) % self.geometry.index]
            if (position - last.position < INDEX_APART
                    and offset - last.offset < self.log_bytes // 64):
                return next
        self.index[next % self.geometry.index] = IndexEntry(position, offset, now)
        return next + 1

    cdef void count_frames(self, Tally tally) noexcept nogil:
        cdef int n
        self.add_all(self.counters.by_type, tally.by_type, tally.types)
        self.add_all(self.counters.by_source, tally.by_source, tally.sources)
        if tally.gaps:
            self.add_all(self.counters.gaps_by_source, tally.gaps_by_source, tally.sources)
        if tally.duplicates:
            self.add_all(self.counters.duplicates_by_source, tally.duplicates_by_source,
                         tally.sources)
        if tally.offence_count:
            for n in range(32):
                self.add(&self.counters.by_reason[n], tally.by_reason[n].count)

    cdef void add_all(self, uint64_t *to, uint32_t *counted, uint32_t blocks) noexcept nogil:
        """Add a table of 256, of which only these eights are not all 0."""
        cdef int n, first
        while blocks:
            first = 8 * lowest(blocks)
            for n in range(first, first + 8):
                self.add(&to[n], counted[n])
            blocks &= blocks - 1

    cpdef commit(self, Tally tally, Track track, uint64_t slot, int64_t producer, uint64_t base,
                 uint64_t read, uint64_t unfinished, uint64_t discarded, uint64_t now):
        """What a scan accepted becomes part of the log, in one transaction.

        `base` is the byte offset the scan counted from, `read` the bytes that are new since the
        last commit, `unfinished` those not decided yet, `discarded` those that never will be.
        """
        self._check_slot(slot)
        if self.log.end_offset + tally.accepted_bytes != base + tally.dst:
            raise AssertionError("the scan did not begin at the log's end")
        self._commit(tally, track, slot, producer, read, unfinished, discarded, now)

    cdef void _commit(self, Tally tally, Track track, uint64_t slot, int64_t producer,
                      uint64_t read, uint64_t unfinished, uint64_t discarded,
                      uint64_t now) noexcept nogil:
        cdef ConnectionRecord *c = &self.connections[slot]
        cdef uint64_t next = self.log.index_next, position = self.log.end_position
        cdef int n
        self.add(&c.sums.read_bytes, read)
        self.add(&c.sums.accepted_bytes, tally.accepted_bytes)
        self.add(&c.sums.rejected_bytes, tally.rejected_bytes)
        self.add(&c.sums.control_bytes, tally.control_bytes)
        self.add(&c.sums.discarded_bytes, discarded)
        self.put(&c.sums.unfinished_bytes, unfinished)
        self.add(&c.sums.accepted, tally.accepted)
        self.add(&c.sums.rejected, tally.rejected)
        self.put(&c.last_sequence, track.last)
        if not tally.control_bytes and not tally.offence_count:   # which are acted on later
            self.put(&c.marks, c.marks & ~<uint64_t>READING)
        if self.journal.on:
            self.note_commit(c, tally, track, producer, now)
        if producer >= 0:
            self.put(&self.producers[producer].last_sequence, track.last)
            self.put(&self.producers[producer].seen_ns, now)
        self.apply_log(tally, position, next, now)
        self.count_frames(tally)
        self.observe_ingress(tally, now)
        self.apply_three(&c.seq)

    cdef void note_commit(self, ConnectionRecord *c, Tally tally, Track track, int64_t producer,
                          uint64_t now) noexcept nogil:
        """For the journal: what is accepted and who sent it; also where only a producer's sequence
        moved. The note is in its place before the transaction makes it visible."""
        cdef Note *note = &self.journal.notes[self.journal.made % NOTES]
        cdef bint moved = producer >= 0 and self.producers[producer].last_sequence != track.last
        if tally.accepted == 0 and not moved:
            return
        note.position, note.offset = self.log.end_position, self.log.end_offset
        note.count, note.size = tally.accepted, tally.accepted_bytes
        note.receive_ns, note.last_sequence = now, track.last
        note.uid, note.pid, note.connection = c.uid, c.pid, c.id
        note.producer = <uint64_t>(producer + 1)
        note.producer_id = self.producers[producer].producer_id if producer >= 0 else 0
        self.put(&self.journal.made, self.journal.made + 1)

    cdef void apply_log(self, Tally tally, uint64_t position, uint64_t next,
                        uint64_t now) noexcept nogil:
        cdef uint64_t base = self.log.end_offset
        cdef uint64_t began = base + tally.accepted_bytes - tally.dst
        cdef int n
        if tally.accepted == 0:
            return
        next = self.note(next, position, base, now)
        for n in range(tally.mark_count):
            next = self.note(next, position + MARK_EVERY * (n + 1), began + tally.marks[n], now)
        self.put(&self.log.index_next, next)
        self.put(&self.log.end_position, position + tally.accepted)
        self.put(&self.log.end_offset, base + tally.accepted_bytes)
        self.put(&self.log.commit_ns, now)

    cdef void observe_ingress(self, Tally tally, uint64_t now) noexcept nogil:
        if tally.accepted == 0:
            return
        if tally.first_timestamp > now or now - tally.first_timestamp > NEVER_SO_LATE:
            self.add(&self.counters.skew, 1)
        else:
            self.observe(&self.counters.ingress, now - tally.first_timestamp)

    cdef void apply_three(self, uint64_t *seq) noexcept nogil:
        STORE(seq, seq[0] + 1)
        self.apply(&self.log.seq, &self.counters.seq)
        STORE(seq, seq[0] + 1)

    def check(self):
        """Walk the whole log. Raises ValueError naming the first thing that does not hold."""
        cdef LogRecord *log = self.log
        cdef uint64_t offset = log.oldest_offset, position = log.oldest_position, n
        cdef FrameHeader *header
        cdef IndexEntry *entry
        if not (log.oldest_offset <= log.end_offset <= log.oldest_offset + self.log_bytes):
            raise ValueError(f"log from byte {log.oldest_offset} to {log.end_offset}")
        if log.index_next - log.index_first > self.geometry.index:
            raise ValueError(f"index from {log.index_first} to {log.index_next}")
        n = log.index_first
        while offset < log.end_offset:
            if n < log.index_next:
                entry = &self.index[n % self.geometry.index]
                if entry.offset == offset and entry.position == position:
                    n += 1
            header = <FrameHeader *>self.at(offset)
            if header.magic != <uint32_t>0xDEADBEEF or header.payload_size > (1 << 20):
                raise ValueError(f"no frame at position {position}, byte {offset}")
            offset += HEADER + header.payload_size
            position += 1
        if offset != log.end_offset or position != log.end_position or n != log.index_next:
            raise ValueError(f"log ends at position {position}, byte {offset}; its state says "
                             f"{log.end_position}, {log.end_offset}")
