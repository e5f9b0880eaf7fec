# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A connection's record in the state: its cursor in the log, and what it counts.

Called by `relays.core.fanout` and `relays.core.session`. Every method that changes a cursor is one
transaction, and each count has its own source: `delivered` is walked in the bytes the kernel took
(`walk`, once for all), the position comes from the log's index, `dropped` from the gaps made. So
their sum can be checked.
"""
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy, memset

from protocol._core.gather cimport Filter
from protocol._core.scan cimport FrameHeader, HEADER, run_of
from protocol._core.state cimport (DROPS, HELLO, LEAVING, OWED, PAGES, READING, SENDING,
                                   STORE, ConnectionRecord, HelloRecord, OffencePage, State, Sums)
from protocol._core.walk cimport APART

cdef enum:
    LEFT = 0
    TOO_SLOW = 1
    OPEN = 1                           # relays.core.breaker.OPEN
    MANY = 2 * APART                   # bytes from which on marks are less to walk than all of it

MARK_READING, MARK_SENDING, MARK_OWED, MARK_LEAVING = READING, SENDING, OWED, LEAVING


cdef class Record:
    """The record in place `slot`, from `arrive` to `leave`."""

    def __init__(self, State state not None, uint64_t slot):
        state._check_slot(slot)
        self.state, self.slot = state, slot
        self.row = &state.connections[slot]
        self.window = NULL

    cdef void store(self) noexcept nogil:
        self.state.apply(&self.row.seq, NULL)

    # --- coming and going ---

    def arrive(self, uint64_t number, uint64_t uid, uint64_t pid, uint64_t now):
        """Take the place for connection `number`; its cursor is set at the log's end."""
        cdef uint64_t seq = self.row.seq
        if self.row.id:
            raise AssertionError(f"place {self.slot} is taken by connection {self.row.id}")
        self._moving()
        memset(self.row, 0, sizeof(ConnectionRecord))
        self.row.seq = seq
        self.row.uid, self.row.pid, self.row.accepted_ns = uid, pid, now
        self.row.start = self.row.position = self.state.consumers_position()
        self.row.offset = self.state.consumers_end()
        self.state.hellos[self.slot].size = 0
        STORE(&self.row.id, number)
        self._moving()

    def _moving(self):
        STORE(&self.state.status.generation, self.state.status.generation + 1)

    def leave(self):
        """Give the place back; what was not delivered is dropped as "left", all sums are kept."""
        cdef ConnectionRecord *c = self.row
        cdef Sums *total = &self.state.counters.departed
        cdef uint64_t *own = <uint64_t *>&c.sums
        cdef uint64_t *all = <uint64_t *>total
        cdef uint64_t n
        if c.id == 0:
            return
        if c.consuming:
            self.drop(TOO_SLOW if c.breaker == OPEN else LEFT)
        self.state.add(&c.sums.dropped[LEFT], c.tail)
        self.state.put(&c.tail, 0)
        self.store()
        self._moving()
        for n in range(sizeof(Sums) / 8):
            self.state.add(&all[n], own[n])
        self.state.add(&total.passed, c.position - c.start)
        self.state.put(&c.id, 0)
        self.state.apply(&c.seq, &self.state.counters.seq)
        self._moving()

    cdef void drop(self, int reason) noexcept nogil:
        """Everything up to the log's end is lost to this consumer, a frame begun in it with it."""
        cdef ConnectionRecord *c = self.row
        self.window = NULL
        if self.state.consumers_position() > c.position:   # else it has had what is withheld now
            self.state.add(&c.sums.dropped[reason], self.state.consumers_position() - c.position)
            self.state.put(&c.position, self.state.consumers_position())
            self.state.put(&c.offset, self.state.consumers_end())
        self.state.put(&c.begun, 0)
        self.state.put(&c.waiting_since_ns, 0)
        self.store()

    def describe(self, *, role=None, name=None, producer_id=None):
        """Set what others may see of this connection: role number, client name, producer_id."""
        cdef bytes text
        if role is not None:
            self.state.put(&self.row.role, role)
        if producer_id is not None:
            self.state.put(&self.row.producer_id, producer_id)
        self.store()
        if name is not None:
            text = name.encode("ascii")[:64].ljust(64, b"\0")
            memcpy(self.row.name, <const uint8_t *>text, 64)

    # --- what a successor needs to go on with it ---

    cpdef mark(self, uint64_t what):
        """Not all of it is in this record any more: `what` of Mark says why."""
        STORE(&self.row.marks, self.row.marks | what)

    cpdef unmark(self, uint64_t what):
        STORE(&self.row.marks, self.row.marks & ~what)

    def keep_hello(self, bytes frame not None):
        """The Hello that made it a session; one that is too large is not kept."""
        cdef HelloRecord *hello = &self.state.hellos[self.slot]
        cdef uint64_t size = len(frame)
        hello.size = 0
        if size <= HELLO:
            memcpy(hello.frame, <const uint8_t *>frame, size)
            STORE(&hello.size, size)

    @property
    def hello(self):
        """The Hello that was kept; empty where none was."""
        cdef HelloRecord *hello = &self.state.hellos[self.slot]
        return <bytes>(<uint8_t *>hello.frame)[:min(hello.size, <uint64_t>HELLO)]

    def stored(self, uint64_t cookie, bint confirmed):
        """Its socket has this number; the service manager has a copy once that is `confirmed`."""
        self.row.cookie = cookie
        STORE(&self.row.stored, 1 if confirmed else 0)

    # --- the cursor ---

    def consume_from(self, uint64_t position, uint64_t offset):
        """The cursor counts from here on: `position` begins at byte `offset` of the log."""
        self.window = NULL
        self.state.put(&self.row.start, position - self.row.tail)
        self.state.put(&self.row.position, position)
        self.state.put(&self.row.offset, offset)
        self.state.put(&self.row.begun, 0)
        self.state.put(&self.row.consuming, 1)
        self.store()

    def stop_consuming(self):
        """Nothing more is sent from the log (but a tail): the rest is dropped as "left"; what was
        counted so far goes to the departed, so that the cursor may begin anew."""
        cdef ConnectionRecord *c = self.row
        cdef Sums *own = &c.sums
        cdef Sums *total = &self.state.counters.departed
        cdef int n
        if not c.consuming:
            return
        self.drop(TOO_SLOW if c.breaker == OPEN else LEFT)
        self.state.add(&total.passed, c.position - c.tail - c.start)
        self.state.put(&c.start, c.position - c.tail)
        self.state.put(&c.consuming, 0)
        self.state.put(&c.breaker, 0)
        self.state.add(&total.delivered, own.delivered)
        self.state.add(&total.delivered_bytes, own.delivered_bytes)
        self.state.add(&total.filtered, own.filtered)
        self.state.put(&own.delivered, 0)
        self.state.put(&own.delivered_bytes, 0)
        self.state.put(&own.filtered, 0)
        for n in range(DROPS):
            self.state.add(&total.dropped[n], own.dropped[n])
            self.state.put(&own.dropped[n], 0)
        self.state.apply(&c.seq, &self.state.counters.seq)

    def serve_from(self, const uint8_t[::1] stretch, uint64_t begin, uint64_t received_ns):
        """The cursor is in these whole frames, which begin at byte `begin` of the log and were
        received about `received_ns`: until it is behind them it is served from here."""
        cdef uint64_t size = stretch.shape[0]
        if not begin <= self.row.offset < begin + size:
            raise AssertionError(f"{size} bytes from {begin} on, the cursor is at "
                                 f"{self.row.offset}")
        self.window, self.window_owner = &stretch[0], stretch
        self.window_begin, self.window_end = begin, begin + size
        self.window_ns = received_ns

    @property
    def windowed(self):
        """Whether it is served from a stretch of the journal; no more, once it is behind that."""
        if self.window != NULL and self.row.offset >= self.window_end:
            self.window, self.window_owner = NULL, None
        return self.window != NULL

    cdef const uint8_t *next_frame(self) noexcept nogil:
        """The byte at the cursor; what follows it is contiguous (the ring is mapped twice)."""
        if self.window != NULL:
            return self.window + (self.row.offset - self.window_begin)
        return self.state.at(self.row.offset)

    cdef uint64_t limit(self) noexcept nogil:
        """The offset at which ends what it can be served now."""
        return self.state.consumers_end() if self.window == NULL else self.window_end

    def span(self, uint64_t limit):
        """(where it begins in the ring, or in the window; bytes) of what is next without a filter,
        at most `limit`."""
        cdef uint64_t length = min(self.limit() - self.row.offset, limit)
        if length:
            STORE(&self.row.marks, self.row.marks | SENDING)
        if self.window != NULL:
            return self.row.offset - self.window_begin, length
        return self.row.offset % self.state.log_bytes, length

    def sent(self, uint64_t taken, uint64_t now):
        """The kernel took `taken` bytes from the cursor on. True when nothing is left to send."""
        cdef bint done
        if taken > self.limit() - self.row.offset:
            raise AssertionError(f"{taken} bytes taken, fewer were offered")
        with nogil:
            done = self._sent(taken, now)
        return done

    cdef bint _sent(self, uint64_t taken, uint64_t now) noexcept nogil:
        cdef ConnectionRecord *c = self.row
        cdef uint64_t until = c.offset + taken, position = c.position
        cdef Went went
        cdef bint all = until == self.state.consumers_end(), memory = self.window == NULL
        if all and memory and c.begun == 0 and self.state.walk.just_over(c.offset, until):
            self.count_sent(self.state.walk.frames - self.state.walk.begun_with, taken)
            self.move(self.state.consumers_position(), until, 0, now)
            return True
        if (memory and taken > c.begun + MANY and self.state.walk.reaches(
                c.offset + c.begun, until, self.state.log.oldest_offset)):
            went = self.counted(until)
        else:
            went = self.walked(until)
        if not memory:
            position += went.frames
        elif went.boundary:
            position = self.state.position_of(went.boundary)
        self.count_sent(went.frames, taken)
        self.move(position, until, went.begun, now)
        return all

    cdef Went counted(self, uint64_t until) noexcept nogil:
        """What it was sent, by marks of the walk, which was once over all of it."""
        cdef ConnectionRecord *c = self.row
        cdef uint64_t size
        cdef Went went
        went.frames = self.state.walk.between(c.offset + c.begun, until, &went.boundary)
        went.frames += 1 if c.begun else 0
        went.begun = 0
        if went.boundary < until:
            size = HEADER + (<const FrameHeader *>self.state.at(went.boundary)).payload_size
            went.begun = size - (until - went.boundary)
        return went

    cdef Went walked(self, uint64_t until) noexcept nogil:
        """What it was sent, frame by frame."""
        cdef ConnectionRecord *c = self.row
        cdef const uint8_t *next = self.next_frame()
        cdef uint64_t begun = min(c.begun, until - c.offset), at = c.offset + begun, size, alike
        cdef Went went = Went(0, 0, c.begun - begun)
        if begun and went.begun == 0:
            went.frames, went.boundary = 1, at
        next += begun
        while at < until:
            size = HEADER + (<const FrameHeader *>next).payload_size
            went.boundary = at
            if size > until - at:
                went.begun = size - (until - at)
                break
            alike = run_of(next, size, until - at)
            next += alike * size
            at += alike * size
            went.frames += alike
            went.boundary = at
        return went

    cdef void count_sent(self, uint64_t frames, uint64_t taken) noexcept nogil:
        if self.state.skip_count and frames:
            self.state.skip_count -= 1
            frames -= 1
        self.state.add(&self.row.sums.delivered, frames)
        self.state.add(&self.row.sums.delivered_bytes, taken)

    cdef void move(self, uint64_t position, uint64_t offset, uint64_t begun,
                   uint64_t now) noexcept nogil:
        """Store where the cursor is now, and how long the last frame sent had waited."""
        cdef ConnectionRecord *c = self.row
        cdef uint64_t waiting = 0
        cdef uint64_t read_ns = self.state.log.commit_ns
        if self.window != NULL:
            waiting, read_ns = self.window_ns, 0
        elif offset < self.state.log.end_offset:
            waiting = self.state.entry_time(position)
            read_ns = waiting
        if now >= read_ns and read_ns:
            self.state.observe(&self.state.counters.forward, now - read_ns)
        self.state.put(&c.position, position)
        self.state.put(&c.offset, offset)
        self.state.put(&c.begun, begun)
        self.state.put(&c.waiting_since_ns, waiting)
        self.state.put(&c.marks, c.marks & ~<uint64_t>SENDING)
        self.state.apply(&c.seq, &self.state.counters.seq)

    def gather(self, Filter wanted not None, uint8_t[::1] to not None, uint64_t most):
        """Copy what is next for this filter into `to`, at most `most` frames; gives the bytes."""
        with nogil:
            wanted.walk(self.next_frame(), self.limit(), self.row, &to[0], to.shape[0], most)
            if wanted.size:
                STORE(&self.row.marks, self.row.marks | SENDING)
        return wanted.size

    def gathered(self, Filter wanted not None, uint64_t taken, uint64_t now):
        """The kernel took `taken` of the bytes last gathered. True when nothing is left."""
        cdef uint64_t position = self.row.position
        if taken > wanted.size:
            raise AssertionError(f"{taken} bytes taken of {wanted.size} gathered")
        if taken < wanted.size:
            wanted.walk(self.next_frame(), self.limit(), self.row, NULL, taken, <uint64_t>-1)
        if self.window != NULL:
            position += wanted.frames + wanted.filtered
        elif wanted.boundary:
            position = self.state.position_of(wanted.boundary)
        self.count_sent(wanted.frames, taken)
        self.state.add(&self.row.sums.filtered, wanted.filtered)
        self.move(position, wanted.offset, wanted.begun, now if taken else 0)
        return wanted.offset == self.state.consumers_end()

    # --- gaps ---

    def begun_frame(self):
        """The bytes of a frame half sent that are still owed, copied; often empty."""
        cdef uint64_t begun = self.row.begun
        return <bytes>(<uint8_t *>self.next_frame())[:begun]

    def detach(self):
        """The rest of the frame half sent was copied: the log may have its place."""
        if self.row.begun:
            self.state.put(&self.row.offset, self.row.offset + self.row.begun)
            self.state.put(&self.row.position, self.row.position + 1)
            self.state.put(&self.row.begun, 0)
            self.state.put(&self.row.tail, 1)
            self.store()

    def tail_sent(self, uint64_t taken, bint whole):
        """`taken` bytes of the copied rest went out; `whole` when that frame is now delivered."""
        self.count_sent(1 if whole else 0, taken)
        if whole:
            self.state.put(&self.row.tail, 0)
        self.store()

    def skip_to(self, uint64_t position, uint64_t offset, int reason):
        """The frames before `position` are lost to this consumer; gives (first, last) lost."""
        cdef uint64_t first = self.row.position
        if position < first or not 0 <= reason < DROPS or self.row.begun:
            raise AssertionError(f"skip from {first} to {position} for reason {reason}")
        self.window = NULL
        self.state.add(&self.row.sums.dropped[reason], position - first)
        self.state.put(&self.row.position, position)
        self.state.put(&self.row.offset, offset)
        self.state.put(&self.row.waiting_since_ns, 0)
        self.state.put(&self.row.marks, self.row.marks | OWED)   # the Gap
        self.store()
        return first, position - 1

    # --- words with one owner ---

    def set_breaker(self, uint64_t value):
        if value == OPEN and self.row.breaker != OPEN:
            self.state.put(&self.row.trips, self.row.trips + 1)
        self.state.put(&self.row.breaker, value)
        self.store()

    def set_confirmed(self, uint64_t position):
        self.state.put(&self.row.confirmed, position)
        self.store()

    def set_unread(self, uint64_t size):
        self.state.put(&self.row.unread_bytes, size)
        self.store()

    @property
    def number(self):
        return self.row.id

    @property
    def position(self):
        return self.row.position

    @property
    def offset(self):
        return self.row.offset

    @property
    def begun(self):
        return self.row.begun

    @property
    def confirmed(self):
        return self.row.confirmed

    @property
    def lag(self):
        """Positions between the cursor and the log's end."""
        return self.state.consumers_position() - self.row.position

    @property
    def lag_bytes(self):
        return self.state.consumers_end() - self.row.offset

    @property
    def unfinished(self):
        return self.row.sums.unfinished_bytes

    @property
    def delivered(self):
        return self.row.sums.delivered

    @property
    def filtered(self):
        return self.row.sums.filtered

    @property
    def dropped(self):
        """Messages lost to it so far, for whatever reason."""
        cdef uint64_t lost = 0
        cdef int n
        for n in range(DROPS):
            lost += self.row.sums.dropped[n]
        return lost


def keep_offences(State state not None, uint64_t page, uint64_t number, uint64_t uid, uint64_t pid,
                  list offences, uint64_t now):
    """Keep [(code, size, first bytes)] in page `page` of the state, the last 16 of a producer."""
    cdef OffencePage *row = &state.pages[page % PAGES]
    cdef uint64_t n
    cdef bytes head
    if row.connection != number:
        memset(row, 0, sizeof(OffencePage))
        row.connection, row.uid, row.pid = number, uid, pid
    for code, size, head in offences:
        n = row.next % 16
        row.reason[n], row.size[n], row.at_ns[n] = code, size, now
        memcpy(&row.head[n * 256], <const uint8_t *>head, min(len(head), 256))
        row.next += 1


def read_offences(State state not None, uint64_t page):
    """One page as a dict: connection, uid, pid and rows of (ns, code, size, first bytes)."""
    cdef OffencePage *row = &state.pages[page % PAGES]
    cdef uint64_t n, first = row.next - 16 if row.next > 16 else 0
    return {"connection": row.connection, "uid": row.uid, "pid": row.pid, "rows": [
        (row.at_ns[n % 16], row.reason[n % 16], row.size[n % 16],
         <bytes>(&row.head[n % 16 * 256])[:min(row.size[n % 16], <uint64_t>256)])
        for n in range(first, row.next)]}


def abandon(State state not None, keep=()):
    """Close the records of a dead predecessor's connections but those in the places `keep`; gives
    how many there were."""
    cdef uint64_t slot
    count = 0
    for slot in range(state.geometry.connections):
        if state.connections[slot].id and slot not in keep:
            Record(state, slot).leave()
            count += 1
    return count


def producer_read(State state not None, uint64_t slot):
    """(uid, producer_id, last sequence, seen ns) of a place in the producer table, or None."""
    if slot >= state.geometry.producers:
        raise IndexError(slot)
    if state.producers[slot].seen_ns == 0:
        return None
    row = state.producers[slot]
    return row.uid, row.producer_id, row.last_sequence, row.seen_ns


def producer_write(State state not None, uint64_t slot, uint64_t uid, uint64_t producer_id,
                   uint64_t last_sequence, uint64_t seen_ns):
    """Give a place in the producer table to (uid, producer_id)."""
    if slot >= state.geometry.producers:
        raise IndexError(slot)
    state.put(&state.producers[slot].uid, uid)
    state.put(&state.producers[slot].producer_id, producer_id)
    state.put(&state.producers[slot].last_sequence, last_sequence)
    state.put(&state.producers[slot].seen_ns, seen_ns)
    state.apply(&state.log.seq, NULL)
