# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""How many frames lie between two bytes of the log, where each is walked over only once.

Called by `fan` for what was just committed, and by `connection` for what a consumer was sent. The
frames are counted while they are still in the cache, in their own bytes: nothing that a scan said
or the index has is used, so that both can be compared. Marks keep the count every few KiB; between
one of them and a place that is asked for the frames are walked again. No consumer is known here.
"""
from libc.stdint cimport uint8_t, uint64_t

from protocol._core.scan cimport HEADER, FrameHeader, run_of


cdef class Walk:
    """The frames from byte `marks[...]` to byte `end` of one log, counted: `frames` of them since
    the first mark of all. What is before the oldest mark, or was overwritten, is not known."""

    def __cinit__(self, Ring ring not None):
        self.ring = ring
        self.begin_at(0)

    cdef const uint8_t *at(self, uint64_t offset) noexcept nogil:
        return self.ring.base + offset % self.ring.size

    cdef void over(self, uint64_t offset, uint64_t until) noexcept nogil:
        """Count what was committed from byte `offset` to `until`, for all who are sent just this.
        Before the first is: what was just scanned is still near, after four sends it is not."""
        if self.end != offset:
            self.begin_at(offset)
        self.begun_at, self.begun_with = offset, self.frames
        self.go_on(until)

    cdef bint reaches(self, uint64_t begin, uint64_t until, uint64_t oldest) noexcept nogil:
        """Whether the frames between two bytes can be counted by marks; `begin` is where a frame
        begins, and the log has what is behind byte `oldest`. Counts as far as is needed."""
        if self.end < begin:
            self.begin_at(begin)
        if self.end < until:
            self.go_on(until)
        return self.oldest().offset <= begin and self.mark_before(begin).offset >= oldest

    cdef void begin_at(self, uint64_t offset) noexcept nogil:
        """Anew: there is no telling what is between."""
        self.end, self.frames, self.next = offset, 0, 1
        self.begun_at, self.begun_with = offset, 0    # of the count before nothing holds
        self.marks[0] = Mark(offset, 0)

    cdef void go_on(self, uint64_t until) noexcept nogil:
        """Walk on to the first end of a frame that is not before `until`."""
        cdef uint64_t due = self.marks[(self.next - 1) % MARKS].offset + APART, size, alike
        cdef const uint8_t *frame = self.at(self.end)
        while self.end < until:
            size = HEADER + (<const FrameHeader *>frame).payload_size
            alike = run_of(frame, size, min(until - self.end, <uint64_t>APART))
            frame += alike * size
            self.end += alike * size
            self.frames += alike
            if self.end >= due:
                self.marks[self.next % MARKS] = Mark(self.end, self.frames)
                self.next += 1
                due = self.end + APART

    cdef Mark *oldest(self) noexcept nogil:
        return &self.marks[self.next % MARKS if self.next > MARKS else 0]

    cdef Mark *mark_before(self, uint64_t offset) noexcept nogil:
        """The last mark at or before byte `offset`. There must be one."""
        cdef uint64_t high = self.next, low = high - MARKS if high > MARKS else 0, middle
        while high - low > 1:
            middle = low + (high - low) // 2
            if self.marks[middle % MARKS].offset <= offset:
                low = middle
            else:
                high = middle
        return &self.marks[low % MARKS]

    cdef uint64_t between(self, uint64_t begin, uint64_t until,
                          uint64_t *boundary) noexcept nogil:
        """Whole frames from byte `begin` to byte `until`; the last of them ends at `boundary`. Only
        for what `reaches` said."""
        cdef uint64_t before = self.before(begin, boundary)
        return self.before(until, boundary) - before

    cdef uint64_t before(self, uint64_t offset, uint64_t *boundary) noexcept nogil:
        """The count of frames that end at or before byte `offset`; the last of them ends at
        `boundary`. Only for what `reaches` said."""
        cdef Mark mark = self.mark_before(offset)[0]
        cdef const uint8_t *frame = self.at(mark.offset)
        cdef uint64_t size, alike
        while mark.offset < offset:
            size = HEADER + (<const FrameHeader *>frame).payload_size
            if size > offset - mark.offset:
                break
            alike = run_of(frame, size, offset - mark.offset)
            frame += alike * size
            mark.offset += alike * size
            mark.frames += alike
        boundary[0] = mark.offset
        return mark.frames
