# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A producer's bytes in: read, carry, scan, commit (architecture.md, the path of a frame, 1-3).

Called by `relays.core.hub`, once per read. The kernel writes straight behind the log's end; the
scan closes over what is refused; what is left is at most one incomplete frame, the carry. Nothing
here decides what a refusal means for the connection.
"""
from cpython.bytearray cimport PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from protocol._core.connection cimport Record
from protocol._core.scan cimport HEADER, FrameHeader, Rules, Tally, Track, scan_frames
from protocol._core.state cimport READING, State

import socket

cdef extern from "sys/socket.h" nogil:
    ssize_t recv(int fd, void *data, size_t size, int flags)
    int MSG_DONTWAIT

cdef enum:
    SMALL_CARRY = 4096                 # a frame that is longer is completed outside the log

cdef uint64_t ALL = <uint64_t>-1


cdef class Ingress:
    """The reading half of one connection.

    Use: `read()`, then `step()` until it gives 0, unless a `large` one is still incomplete.
    `carry` holds an incomplete frame between reads, `large` one that is completed outside the log,
    of which `filled` bytes are there. `line` is the socket, None for nobody's.
    """

    cdef readonly State state
    cdef readonly Record record
    cdef readonly Rules rules
    cdef public Track track
    cdef public int64_t producer
    cdef public bytearray carry
    cdef public bytearray large
    cdef readonly uint64_t filled
    cdef public uint64_t limit         # frames a commit may have; 0 for who may not produce
    cdef readonly bint moved           # whether the last step took, or saw again, a sequence
    cdef readonly bint ordinary        # whether it took whole frames and there is nothing to say
    cdef public uint64_t incomplete_since
    cdef object view, _line
    cdef int fd                        # -1: not a socket of the kernel's
    cdef uint64_t read_size, base, src, dst, have, new

    def __init__(self, log, Record record not None, Rules rules not None):
        self.state, self.view, self.read_size = log.state, log.view, log.read_size
        self.record, self.rules, self.track = record, rules, Track()
        self.producer, self.fd = -1, -1
        self.carry = bytearray()

    @property
    def line(self):
        return self._line

    @line.setter
    def line(self, sock):
        self._line = sock
        self.fd = sock.fileno() if type(sock) is socket.socket else -1

    @property
    def wants(self):
        """Bytes of room behind the log's end that the next read and its carry may fill."""
        return len(self.carry) + self.read_size if self.large is None else len(self.large)

    @property
    def crowded(self):
        """Whether somebody has to give way before there is room for that."""
        return self.state.horizon(self.wants) > self.state.log.oldest_offset

    @property
    def held(self):
        """Bytes of an incomplete frame kept between reads."""
        return len(self.carry) if self.large is None else self.filled

    @property
    def unscanned(self):
        """Bytes of the last read that no scan has decided yet."""
        return self.have - self.src

    def shift(self, by):
        """The clock was set by `by` ns."""
        if self.incomplete_since:
            self.incomplete_since += by

    # --- a read ---

    def read(self, uint64_t most=ALL):
        """Read at most `most` bytes of what is there: how many; 0 where nothing comes any more, -1
        where nothing is there now. There has to be room for what it `wants`. What came is then
        behind the log's end, or in `large`."""
        cdef uint8_t *to
        cdef uint64_t room
        cdef ssize_t size
        if self.large is None:
            to, room = self.state.at(self.state.log.end_offset) + len(self.carry), self.read_size
        else:
            to, room = <uint8_t *><char *>self.large + self.filled, len(self.large) - self.filled
        self.record.mark(READING)
        room = min(room, most)
        # The lock of the interpreter is kept: nobody who wants it is in more of a hurry than this.
        size = from_socket(self.fd, to, room) if self.fd >= 0 else self.from_object(room)
        if size > 0:
            self.received(size)
        elif size < 0:
            self.record.unmark(READING)
        return size

    cdef ssize_t from_object(self, uint64_t room) except -2:
        """The same from something that only has a `recv_into`."""
        cdef uint64_t begin = self.state.log.end_offset % self.state.log_bytes + len(self.carry)
        if self.large is None:
            to = self.view[begin:begin + room]
        else:
            to = memoryview(self.large)[self.filled:self.filled + room]
        try:
            return self._line.recv_into(to)
        except BlockingIOError:
            return -1
        except OSError:
            return 0

    def again(self):
        """Nothing more was read: what is held comes behind the log's end, to be scanned."""
        self.received(0)

    cdef received(self, uint64_t size):
        cdef uint64_t held = len(self.carry)
        self.new, self.base = size, self.state.log.end_offset
        self.src = self.dst = 0
        if self.large is None:
            self.have = held + size
            if held:
                memcpy(self.state.at(self.base), <char *>self.carry, held)
                self.carry = bytearray()
            return
        self.filled += size
        if self.filled == <uint64_t>len(self.large):
            self.have = self.filled
            memcpy(self.state.at(self.base), <char *>self.large, self.have)
            self.large = None

    def count_unfinished(self, Tally tally not None, uint64_t now):
        """Bytes of a large frame came, nothing to scan: only the count moves."""
        scan_frames(NULL, 0, 0, 0, self.rules, self.track, tally, 0)
        self.commit(tally, self.base, self.filled, 0, now)

    def step(self, Tally tally not None, uint64_t now):
        """Scan on, accept at most `limit` frames, commit. Gives what the scan stopped at; 0 where
        all was scanned, and what is left is an incomplete frame that is kept."""
        cdef uint8_t *begin = self.state.at(self.base)
        cdef uint64_t before = self.track.last
        cdef int stop = scan_frames(begin, self.dst, self.src, self.have, self.rules, self.track,
                                    tally, self.limit)
        self.src, self.dst = tally.src, tally.dst
        self.moved = tally.accepted or tally.duplicates or self.track.last != before
        self.commit(tally, self.base, self.have - self.src, 0, now)
        if stop == 0:
            self.put_aside(tally, now)
        self.ordinary = (stop == 0 and tally.offence_count == 0 and self.incomplete_since == 0
                         and not (self.moved and self.track.identified))
        return stop

    cdef commit(self, Tally tally, uint64_t base, uint64_t unfinished, uint64_t lost, uint64_t now):
        self.state.commit(tally, self.track, self.record.slot, self.producer, base, self.new,
                          unfinished, lost, now)
        self.new = 0

    # --- the frames it stopped at ---

    def control_frame(self, uint64_t size):
        """The control frame of `size` bytes that the last step stopped behind."""
        return PyBytes_FromStringAndSize(<char *>self.state.at(self.base) + self.src - size, size)

    def next_frame(self):
        """The whole frame that the last step stopped before."""
        cdef char *frame = <char *>self.state.at(self.base) + self.src
        return PyBytes_FromStringAndSize(frame, HEADER + (<FrameHeader *>frame).payload_size)

    def begun_frame(self):
        """What is held of the incomplete frame, its first bytes if it is large."""
        return bytes(self.carry if self.large is None else self.large[:SMALL_CARRY])

    # --- what is left of it ---

    cpdef put_aside(self, Tally tally, uint64_t now):
        """What is not scanned becomes the carry; the log's end is free for somebody else's read."""
        cdef uint64_t left = self.have - self.src
        cdef const char *rest = <const char *>self.state.at(self.base) + self.src
        if left or self.carry:
            self.carry = PyByteArray_FromStringAndSize(rest, left)
        if self.src or not self.incomplete_since:
            self.incomplete_since = now
        self.have = self.src = self.dst = 0
        if not left:
            self.incomplete_since = 0
        elif tally.need and left >= SMALL_CARRY:
            self.grow(tally.need)

    cdef grow(self, uint64_t missing):
        self.filled = len(self.carry)
        self.large, self.carry = self.carry + bytes(missing), bytearray()

    def restore(self, bytes held not None, uint64_t missing, uint64_t now):
        """Go on behind `held` bytes of an incomplete frame; of a large one `missing` more come."""
        self.carry = bytearray(held)
        self.incomplete_since = now if held else 0
        if missing:
            self.grow(missing)

    def discard(self, Tally tally not None, uint64_t now):
        """After a fatal reject nothing more of this connection is looked at."""
        cdef uint64_t lost = self.have - self.src if self.have else self.held
        scan_frames(NULL, 0, 0, 0, self.rules, self.track, tally, 0)
        self.commit(tally, self.state.log.end_offset, 0, lost, now)
        self.forget()
        self.have = self.src = self.dst = 0

    def forget(self):
        """What is held of an incomplete frame is let go."""
        self.carry, self.large = bytearray(), None


cdef ssize_t from_socket(int fd, uint8_t *to, uint64_t room) noexcept nogil:
    cdef ssize_t size = recv(fd, to, room, MSG_DONTWAIT)
    while size < 0 and errno == EINTR:
        size = recv(fd, to, room, MSG_DONTWAIT)
    if size < 0:
        return -1 if errno == EAGAIN else 0
    return size
