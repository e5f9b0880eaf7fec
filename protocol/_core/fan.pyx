# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One send to each consumer that has everything but what was just committed.

Called by `relays.edge.relay` after each commit, filled by `relays.core.feeds`. Nothing here runs
in Python for a consumer whose socket takes all of it. Whoever has something else waiting, does not
take it all, or is gone, is handed back: what that means is decided there.
"""
from libc.errno cimport EAGAIN, EINTR, ENOBUFS, errno
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memmove
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from protocol._core.connection cimport Record
from protocol._core.state cimport OWED, SENDING, STORE, ConnectionRecord, State

import socket

cdef extern from "sys/socket.h" nogil:
    ssize_t send(int fd, const void *data, size_t size, int flags)
    int MSG_DONTWAIT, MSG_NOSIGNAL

cdef enum Outcome:
    ALL = 0
    ASKS = 1                           # something else comes first: a control frame, a tail
    FULL = 2
    GONE = 3

cdef enum:
    FEW = 8                            # to more the lock of the interpreter is not kept meanwhile

MORE, BEHIND, BROKEN = ASKS, FULL, GONE


cdef uint64_t monotonic() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <uint64_t>now.tv_sec * 1000000000 + <uint64_t>now.tv_nsec


cdef struct Line:
    int fd                             # -1: not a socket of the kernel's
    void *record                       # owned by `Fan.records`


cdef class Fan:
    """The live consumers without a filter, in the order in which they came."""

    cdef State state
    cdef object log
    cdef dict records                  # Record -> what to send to, where that is no fd
    cdef Line *lines
    cdef Py_ssize_t count, room

    def __cinit__(self, State state not None, log):
        self.state, self.log, self.records = state, log, {}

    def __dealloc__(self):
        free(self.lines)

    def __len__(self):
        return self.count

    def add(self, Record record not None, sock):
        """From here on it is sent what is committed; it has all that was until now."""
        cdef Line *lines
        if record in self.records:
            return
        if self.count == self.room:
            lines = <Line *>realloc(self.lines, (2 * self.room + 16) * sizeof(Line))
            if lines == NULL:
                raise MemoryError
            self.lines, self.room = lines, 2 * self.room + 16
        self.records[record] = sock
        self.lines[self.count].fd = sock.fileno() if type(sock) is socket.socket else -1
        self.lines[self.count].record = <void *>record
        self.count += 1

    def remove(self, Record record not None):
        """It is not live any more, if it was."""
        cdef Py_ssize_t n
        if self.records.pop(record, None) is None:
            return
        for n in range(self.count):
            if self.lines[n].record == <void *>record:
                memmove(&self.lines[n], &self.lines[n + 1], (self.count - n - 1) * sizeof(Line))
                self.count -= 1
                return

    def send(self, uint64_t now):
        """Send to all; `now` is the time, ns. Gives (connection number, MORE, BEHIND or BROKEN) of
        those that did not take it all."""
        cdef list others = []
        cdef uint64_t begun = monotonic()
        cdef Py_ssize_t n = 0
        cdef int outcome
        if self.count:
            self.state.walk.over((<Record>self.lines[0].record).row.offset,
                                 self.state.consumers_end())
        while n < self.count:
            if self.count > FEW:
                with nogil:
                    outcome = self.to_sockets(&n, now, begun)
            else:
                outcome = self.to_sockets(&n, now, begun)
            if outcome != ALL:
                others.append(((<Record>self.lines[n - 1].record).row.id, outcome))
            elif n < self.count:
                outcome = self.to_object(<Record>self.lines[n].record, now)
                n += 1
                if outcome != ALL:
                    others.append(((<Record>self.lines[n - 1].record).row.id, outcome))
        return others

    cdef int to_sockets(self, Py_ssize_t *next, uint64_t now, uint64_t begun) noexcept nogil:
        """Send to all from `next` on that are sockets, or to the first that does not take it."""
        cdef int outcome = ALL
        while outcome == ALL and next[0] < self.count and self.lines[next[0]].fd >= 0:
            outcome = self.to_socket(&self.lines[next[0]], now, begun)
            next[0] += 1
        return outcome

    cdef int to_socket(self, Line *line, uint64_t now, uint64_t begun) noexcept nogil:
        cdef ConnectionRecord *c = (<Record>line.record).row
        cdef uint64_t size = self.state.consumers_end() - c.offset
        cdef ssize_t taken
        if c.marks & OWED or c.tail:
            return ASKS
        if size == 0:
            return ALL
        STORE(&c.marks, c.marks | SENDING)
        taken = send(line.fd, self.state.at(c.offset), size, MSG_DONTWAIT | MSG_NOSIGNAL)
        if taken < 0:
            STORE(&c.marks, c.marks & ~<uint64_t>SENDING)
            return FULL if errno == EAGAIN or errno == EINTR or errno == ENOBUFS else GONE
        (<Record>line.record)._sent(<uint64_t>taken, now + monotonic() - begun)
        return ALL if <uint64_t>taken == size else FULL

    cdef int to_object(self, Record record, uint64_t now) except -1:
        """The same to something that only has a `send`."""
        cdef ConnectionRecord *c = record.row
        cdef uint64_t size = self.state.consumers_end() - c.offset
        cdef uint64_t begin = c.offset % self.state.log_bytes
        if c.marks & OWED or c.tail:
            return ASKS
        if size == 0:
            return ALL
        STORE(&c.marks, c.marks | SENDING)
        try:
            taken = self.records[record].send(self.log[begin:begin + size])
        except BlockingIOError:
            STORE(&c.marks, c.marks & ~<uint64_t>SENDING)
            return FULL
        except OSError:
            return GONE
        record._sent(taken, now)
        return ALL if <uint64_t>taken == size else FULL
