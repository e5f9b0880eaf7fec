# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The journal's writer: commits out of the log's memory into a segment file, without the GIL.

Called by `relays.edge.journal.writer`, whose thread spends its life in `run`, and by a simulated
disk, which uses `take`, `pieces`, `wrote` and `were_synced` instead. Between two segments Python
decides: `run` returns for everything that is rare. What a segment looks like is in
`relays/core/journal/README.md`; nothing here opens, names or removes a file.
"""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport EBADMSG, EINTR, EIO, errno
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec
from posix.unistd cimport fdatasync, read, write

from protocol._core.crc cimport crc32_gzip_refl
from protocol._core.journal cimport CommitRecord, RECORD_SIZE
from protocol._core.journal_words import journal_from, journal_set, journal_words
from protocol._core.state cimport FENCE, LOAD, NOTES, STORE, Journal, Note, State

cdef extern from "unistd.h" nogil:
    ssize_t pwrite(int fd, const void *data, size_t size, int64_t offset)

cdef extern from "fcntl.h" nogil:
    int sync_file_range(int fd, int64_t offset, int64_t size, unsigned int flags)
    enum:
        SYNC_FILE_RANGE_WRITE

cdef extern from "poll.h" nogil:
    cdef struct pollfd:
        int fd
        short events, revents
    int poll(pollfd *fds, unsigned long count, int timeout)
    enum:
        POLLIN

cdef enum:
    BATCH_RECORDS = 4096
    BATCH_BYTES = 4 << 20
    LONGEST_CHAIN = 1 << 20            # bytes summed up for one Heartbeat, at most
    KICK_BYTES = 256 << 10             # so much unwritten is worth waking the thread for
    MARGIN = 9000                      # notes that one read may still make
    CHECKED = RECORD_SIZE - 4

assert sizeof(CommitRecord) == RECORD_SIZE

# What `run` returns for, and how it syncs.
FULL, WRITE_FAILED, SYNC_FAILED, STOPPED, DUE = range(5)
NONE, INTERVAL, BATCH = range(3)
cdef int _FULL = 0, _WRITE_FAILED = 1, _SYNC_FAILED = 2, _STOPPED = 3, _DUE = 4
cdef int _NONE = 0, _INTERVAL = 1, _BATCH = 2

cdef struct Known:                     # a producer, as of the last commit that was written
    uint64_t uid, producer_id, last_sequence, seen_ns, commit


cdef uint64_t clock() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <uint64_t>now.tv_sec * 1000000000 + now.tv_nsec


cdef int write_at(int fd, const uint8_t *data, size_t size, int64_t offset) noexcept nogil:
    """All of it, or the errno of what went wrong."""
    cdef ssize_t done
    while size:
        done = pwrite(fd, data, size, offset)
        if done < 0:
            if errno == EINTR:
                continue
            return errno
        if done == 0:
            return EIO
        data += done
        offset += done
        size -= done
    return 0


cdef class Writer:
    """The one who writes a relay's journal. `kick` and `done` are eventfds: the loop wakes this
    thread by the first and is woken by the second, when it has said `want`."""

    cdef readonly State state
    cdef Journal *journal
    cdef int kick, done
    cdef Known *known
    cdef uint8_t records[BATCH_RECORDS * RECORD_SIZE]
    # the segment
    cdef int fd
    cdef uint32_t seed, safe_chain
    cdef readonly uint32_t chain       # CRC-32 of all the log up to what was written
    cdef uint64_t file_size, frames_at
    cdef readonly uint64_t count       # records in it
    # the batch taken
    cdef uint64_t taken, taken_size, taken_offset, taken_at
    cdef uint32_t taken_chain
    cdef bint full
    cdef uint64_t sleeping, stopping, wanted, synced_ns
    cdef uint64_t first, first_offset  # the first commit that this one wrote; its place in the log
    cdef uint32_t first_chain
    cdef uint64_t shown                # commits that consumers may have, where they wait for this
    cdef uint64_t was_shown            # commits that they had of the process before
    cdef readonly int error            # errno of the last failure
    cdef public uint64_t spare         # bytes of the next segment, which is there already

    def __cinit__(self, State state not None, int kick, int done):
        if state.ring is None:
            raise ValueError("a journal is written from the log: this state has none")
        self.known = <Known *>calloc(state.geometry.producers, sizeof(Known))
        if self.known == NULL:
            raise MemoryError
        self.state, self.journal = state, state.journal
        self.kick, self.done, self.fd = kick, done, -1
        self.sleeping = self.stopping = self.wanted = self.error = self.spare = 0
        self.taken = self.taken_size = 0
        self.was_shown = (self.journal.shown or self.journal.made + 1) - 1
        self.synced_ns = clock()

    def __dealloc__(self):
        free(self.known)

    # --- producers ---

    def know(self, uint64_t place, uint64_t uid, uint64_t producer_id, uint64_t last_sequence,
             uint64_t seen_ns):
        """What the journal says already of the producer in `place` of the state's table."""
        if place >= self.state.geometry.producers:
            raise IndexError(place)
        self.known[place] = Known(uid, producer_id, last_sequence, seen_ns, 0)

    def producers(self):
        """(uid, producer_id, last sequence, seen ns) of each, as of the last commit written. One
        that was forgotten and came back may have two places: what it said last counts."""
        cdef uint64_t n
        found = sorted((self.known[n].commit, self.known[n].seen_ns, self.known[n].uid,
                        self.known[n].producer_id, self.known[n].last_sequence)
                       for n in range(self.state.geometry.producers) if self.known[n].seen_ns)
        rows = {(uid, producer_id): (last, seen) for _, seen, uid, producer_id, last in found}
        return [(*key, *row) for key, row in rows.items()]

    # --- segments ---

    def begin(self, int fd, *, uint64_t header_size, uint64_t file_size, uint64_t first_offset,
              uint32_t seed, uint32_t chain, uint64_t count=0):
        """Write into this file from now on: behind `count` records, from `written_offset` on."""
        if self.fd < 0:
            self.first, self.first_offset = self.journal.written, self.journal.written_offset
            self.first_chain = chain
        self.fd, self.seed, self.count = fd, seed, count
        self.chain = self.safe_chain = chain
        self.file_size = file_size
        self.frames_at = header_size + self.journal.written_offset - first_offset
        self.full = False
        self.taken = self.taken_size = 0
        STORE(&self.journal.chain, chain)
        self.tell_room()

    cdef uint64_t left(self) noexcept nogil:
        """Bytes of this segment that are free."""
        return self.file_size - RECORD_SIZE * self.count - self.frames_at

    cdef void tell_room(self) noexcept nogil:
        STORE(&self.journal.room, self.left() + self.spare)

    # --- a batch ---

    cdef uint64_t _take(self) noexcept nogil:
        """Choose the commits to write next, and make their records; how many."""
        cdef Journal *journal = self.journal
        cdef uint64_t number = journal.written, made = LOAD(&journal.made), size = 0
        cdef uint64_t left = self.left()
        cdef Note *note
        self.taken, self.taken_at = 0, self.frames_at
        self.taken_chain = self.chain
        self.taken_offset = journal.written_offset
        while number + self.taken < made and self.taken < BATCH_RECORDS:
            note = &journal.notes[(number + self.taken) % NOTES]
            if note.offset != self.taken_offset + size:
                self.error = EBADMSG       # the notes are not of this log; begin anew
                return self.taken
            if size + note.size + (self.taken + 1) * RECORD_SIZE > left:
                self.full = True
                break
            if self.taken and size + note.size > BATCH_BYTES:
                break
            self.make_record(note, size)
            size += note.size
            self.taken += 1
        self.taken_size = size
        return self.taken

    cdef void make_record(self, Note *note, uint64_t before) noexcept nogil:
        """The next record, `before` bytes into the batch. They stand in the buffer from its end
        downward, as they do in the file."""
        cdef uint64_t place = (BATCH_RECORDS - 1 - self.taken) * RECORD_SIZE
        cdef CommitRecord *record = <CommitRecord *>&self.records[place]
        cdef const uint8_t *frames = self.state.at(note.offset)
        record.first_position = note.position
        record.producer_id, record.last_sequence = note.producer_id, note.last_sequence
        record.receive_ns, record.connection = note.receive_ns, note.connection
        record.synced = self.journal.synced_position
        record.file_offset = <uint32_t>(self.frames_at + before)
        record.count, record.size = <uint32_t>note.count, <uint32_t>note.size
        record.uid, record.pid = <uint32_t>note.uid, <uint32_t>note.pid
        record.frames_crc = crc32_gzip_refl(0, frames, note.size)
        self.taken_chain = crc32_gzip_refl(self.taken_chain, frames, note.size)
        record.chain = self.taken_chain
        note.chain = self.taken_chain
        record.record_crc = crc32_gzip_refl(self.seed, <uint8_t *>record, CHECKED)

    cdef const uint8_t *first_record(self) noexcept nogil:
        return &self.records[(BATCH_RECORDS - self.taken) * RECORD_SIZE]

    cdef uint64_t records_at(self) noexcept nogil:
        return self.file_size - RECORD_SIZE * (self.count + self.taken)

    cdef int _write(self, int mode) noexcept nogil:
        cdef int failed = write_at(self.fd, self.state.at(self.taken_offset), self.taken_size,
                                   self.taken_at)
        if mode == _BATCH or (mode == _INTERVAL and self.taken_size >= KICK_BYTES):
            # The disk begins with them while the rest is written: what is synced next waits less.
            sync_file_range(self.fd, self.taken_at, self.taken_size, SYNC_FILE_RANGE_WRITE)
        if not failed:
            failed = write_at(self.fd, self.first_record(), self.taken * RECORD_SIZE,
                              self.records_at())
        return failed

    cdef void _wrote(self) noexcept nogil:
        """The batch is in the file: count it. The loop may see the words in between, so what
        leaves it less room is stored first."""
        cdef Journal *journal = self.journal
        cdef Note *last = &journal.notes[(journal.written + self.taken - 1) % NOTES]
        self.count += self.taken
        self.frames_at += self.taken_size
        self.chain = self.taken_chain
        self.tell_room()
        STORE(&journal.chain, self.chain)
        STORE(&journal.written_bytes, journal.written_bytes + self.taken_size)
        STORE(&journal.written_position, last.position + last.count)
        STORE(&journal.written_offset, journal.written_offset + self.taken_size)
        STORE(&journal.written, journal.written + self.taken)
        self.taken = self.taken_size = 0

    cdef int _sync(self) noexcept nogil:
        cdef uint64_t begun = clock()
        if fdatasync(self.fd):
            return errno
        self._synced()
        self.synced_ns = clock()
        STORE(&self.journal.syncs, self.journal.syncs + 1)
        STORE(&self.journal.sync_ns, self.journal.sync_ns + self.synced_ns - begun)
        return 0

    cdef void _synced(self) noexcept nogil:
        STORE(&self.journal.synced_position, self.journal.written_position)
        self._safe()

    cdef void _safe(self) noexcept nogil:
        """What is written now is never written again: the log may let go of it."""
        cdef Journal *journal = self.journal
        cdef uint64_t n
        cdef Note *note
        for n in range(journal.safe, journal.written):
            note = &journal.notes[n % NOTES]
            if note.producer:
                self.known[note.producer - 1] = Known(note.uid, note.producer_id,
                                                      note.last_sequence, note.receive_ns, n + 1)
        self.safe_chain = self.chain
        STORE(&journal.safe_position, journal.written_position)
        STORE(&journal.safe_offset, journal.written_offset)
        STORE(&journal.safe, journal.written)

    def rewind(self):
        """After a failure: what is not safe is to be written again, into another segment."""
        cdef Journal *journal = self.journal
        self.chain = self.safe_chain
        STORE(&journal.written_position, journal.safe_position)
        STORE(&journal.written_offset, journal.safe_offset)
        STORE(&journal.written, journal.safe)

    # --- for those who bring their own disk ---

    def take(self):
        """Take the next batch; how many commits. 0 with `is_full` when the segment is."""
        with nogil:
            self._take()
        return self.taken

    @property
    def is_full(self):
        return self.full

    def pieces(self):
        """[(place in the file, bytes)] of the batch taken: its frames, then its records."""
        frames = PyBytes_FromStringAndSize(<char *>self.state.at(self.taken_offset),
                                           self.taken_size)
        records = PyBytes_FromStringAndSize(<char *>self.first_record(), self.taken * RECORD_SIZE)
        return [(self.taken_at, frames), (self.records_at(), records)]

    def wrote(self, bint safe=False):
        """The batch taken is in the file; where that is `safe`, it is never written again."""
        with nogil:
            self._wrote()
            if safe:
                self._safe()

    def were_synced(self):
        """Everything written is on the disk."""
        with nogil:
            self._synced()

    # --- the thread ---

    def run(self, int mode, uint64_t interval, uint64_t until=0):
        """Write and sync until Python is needed: FULL, WRITE_FAILED or SYNC_FAILED (`error` has
        the errno), STOPPED, or DUE at the monotonic time `until`, ns (0: never)."""
        cdef int why
        if self.fd < 0:
            raise ValueError("no segment was begun")
        with nogil:
            why = self._run(mode, interval, until)
        return why

    cdef int _run(self, int mode, uint64_t interval, uint64_t until) noexcept nogil:
        cdef uint64_t now
        while True:
            self.error = 0
            if self._take():
                self.error = self._write(mode)
                if self.error:
                    return _WRITE_FAILED
                self._wrote()
                if mode == _NONE:
                    self._safe()
                if mode != _BATCH:
                    self.tell()
            now = clock()
            if self.sync_due(mode, interval, now):
                self.error = self._sync()
                if self.error:
                    return _SYNC_FAILED
                self.tell()
            if self.full:
                return _FULL
            if self.error:
                return _WRITE_FAILED
            if LOAD(&self.stopping) and self.journal.written == LOAD(&self.journal.made):
                return _STOPPED
            if until and now >= until:
                return _DUE
            self.rest(mode, interval, now, until)

    cdef bint sync_due(self, int mode, uint64_t interval, uint64_t now) noexcept nogil:
        cdef Journal *journal = self.journal
        if journal.synced_position == journal.written_position and journal.safe == journal.written:
            return False
        if mode == _NONE:
            return LOAD(&self.stopping) != 0
        return (mode == _BATCH or self.full or LOAD(&self.stopping)
                or now - self.synced_ns >= interval
                or journal.written_offset - journal.safe_offset >= self.state.log_bytes // 8)

    cdef void tell(self) noexcept nogil:
        """Wake the loop if it waits for what has just been reached."""
        cdef uint64_t one = 1
        FENCE()
        if LOAD(&self.wanted):
            STORE(&self.wanted, 0)
            write(self.done, &one, 8)

    cdef void rest(self, int mode, uint64_t interval, uint64_t now,
                   uint64_t until) noexcept nogil:
        """Sleep until there is something to write, a sync is due, or `until`."""
        cdef pollfd waits
        cdef uint64_t count, due = until
        cdef int64_t ms = -1
        if mode == _INTERVAL and (due == 0 or now + interval < due):
            due = now + interval
        if due:
            ms = <int64_t>(due - now + 999999) // 1000000 if due > now else 0
        STORE(&self.sleeping, 1)
        FENCE()
        if not (LOAD(&self.stopping) or self.worth_waking(mode)):
            waits.fd, waits.events, waits.revents = self.kick, POLLIN, 0
            if poll(&waits, 1, <int>ms) > 0:
                read(self.kick, &count, 8)
        STORE(&self.sleeping, 0)

    cdef bint worth_waking(self, int mode) noexcept nogil:
        """Whether there is enough to write now: anything, where somebody waits for each sync."""
        if mode == _BATCH or LOAD(&self.wanted):
            return LOAD(&self.journal.made) != self.journal.written
        return self.state.log.end_offset - self.journal.written_offset >= KICK_BYTES

    # --- the loop's side ---

    def committed(self, int mode):
        """After a commit: wake the thread if it sleeps and this is worth it."""
        cdef uint64_t one = 1
        FENCE()
        if LOAD(&self.sleeping) and self.worth_waking(mode):
            write(self.kick, &one, 8)

    def want(self, int mode):
        """Wake the loop by `done` at the next progress."""
        STORE(&self.wanted, 1)
        self.committed(mode)

    def stop(self):
        """Have `run` write and sync what there is, and return STOPPED."""
        cdef uint64_t one = 1
        STORE(&self.stopping, 1)
        write(self.kick, &one, 8)

    @property
    def oldest(self):
        """The least position that the segments have."""
        return LOAD(&self.journal.oldest_position)

    @property
    def made(self):
        """Notes made so far: the number of commits that the journal was given."""
        return self.journal.made

    def reached(self, int mode):
        """The number of commits for which an Ack may promise what `mode` promises."""
        return LOAD(&self.journal.safe if mode == _BATCH else &self.journal.written)

    def show(self, int mode):
        """Let consumers have what an Ack could be sent for, by the note of its last commit: the
        thread may be storing words just now. What they had of the process before they keep."""
        cdef Journal *journal = self.journal
        cdef uint64_t number = self.reached(mode)
        cdef Note *last
        if not self.state.withheld:
            self.state.show(journal.safe_position, journal.safe_offset)
            self.shown = journal.safe
            number = max(number, self.was_shown)
        if number > self.shown and journal.made - number < NOTES:
            last = &journal.notes[(number - 1) % NOTES]
            self.state.show(last.position + last.count, last.offset + last.size)
            self.shown = number
        STORE(&journal.shown, self.shown + 1)

    def chain_at(self, uint64_t offset):
        """CRC-32 of every byte of the log before byte `offset`, from where the journal began; None
        where that is not known: long before what was written last, or long behind it."""
        cdef Journal *journal = self.journal
        cdef uint64_t written = LOAD(&journal.written), low, high, middle, known
        cdef uint32_t chain
        cdef Note *note
        low = max(self.first, journal.made - NOTES + 1 if journal.made >= NOTES else 0)
        known, chain, high = self.first_offset, self.first_chain, written
        while low < high:
            middle = (low + high) // 2
            note = &journal.notes[middle % NOTES]
            if note.offset + note.size <= offset:
                known, chain, low = note.offset + note.size, <uint32_t>note.chain, middle + 1
            else:
                high = middle
        if not self.state.log.oldest_offset <= known <= offset <= known + LONGEST_CHAIN:
            return None
        return crc32_gzip_refl(chain, self.state.at(known), offset - known)

    def may_read(self, uint64_t size):
        """Whether `size` bytes may be read into the log: there is preallocated space for them, at
        most half of the log is unsafe, and there are places for their notes. Of two words that
        belong together the one that leaves less is loaded last."""
        cdef Journal *journal = self.journal
        cdef uint64_t notes = journal.made - LOAD(&journal.written)
        cdef uint64_t unwritten = self.state.log.end_offset - LOAD(&journal.written_offset)
        cdef uint64_t need = unwritten + 2 * size + RECORD_SIZE * (notes + MARGIN)
        return (need <= LOAD(&journal.room)
                and journal.made - LOAD(&journal.safe) < NOTES // 2
                and self.may_hear(size, self.state.log_bytes // 2))

    def may_hear(self, uint64_t size, uint64_t unsafe):
        """Whether `size` bytes can be read with at most `unsafe` bytes of the log unsafe: whatever
        the disk does, nothing that is not safe gives way."""
        cdef Journal *journal = self.journal
        return (journal.made - LOAD(&journal.safe) < NOTES - MARGIN
                and self.state.log.end_offset + size - LOAD(&journal.safe_offset) <= unsafe)

    def announce(self):
        """Wake the loop, if it waits: there is space again."""
        with nogil:
            self.tell_room()
            self.tell()
