# cython: language_level=3, boundscheck=False, wraparound=False
"""Frames found in a buffer: views of those of one class, and one decoded by its type.

Called by `protocol.message`. What a record is and how it is checked is `record`'s; arrays of many
frames are `batch`'s.
"""
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.object cimport PyObject
from libc.stdint cimport uint8_t

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *)

from protocol._core.record cimport Layout, Record
from protocol._core.slot cimport load

cdef enum:
    MAGIC = 0xDEADBEEF
    HEADER_SIZE = 32
    COMPRESSED = 3


cdef class Views:
    """A view of each frame of one class in a buffer; frames of other classes are skipped.

    A view that the caller has let go is used again for a later frame: in a plain loop two of them
    take turns, and nothing is made per frame.
    """
    cdef Layout layout
    cdef Record one
    cdef Record other
    cdef object frames
    cdef Py_ssize_t at

    def __cinit__(self, Layout layout not None, buffer):
        self.layout, self.frames = layout, buffer
        self.one, self.other = self.lent(), self.lent()

    cdef Record lent(self):
        cdef Record record = self.layout.new(None, NULL, 0)
        PyObject_GetBuffer(self.frames, &record.buffer, PyBUF_SIMPLE)
        record.lent = True
        return record

    cdef Record free(self):
        """A view that nobody but this has."""
        if Py_REFCNT(<PyObject *>self.one) == 1:
            return self.one
        self.one, self.other = self.other, self.one
        if Py_REFCNT(<PyObject *>self.one) > 1:
            self.one = self.lent()
        return self.one

    def __iter__(self):
        return self

    def __next__(self):
        cdef Layout layout = self.layout
        cdef const uint8_t *base = <const uint8_t *>self.one.buffer.buf
        cdef Py_ssize_t end = self.one.buffer.len, at, size
        cdef Record record
        while self.at < end:
            at = self.at
            if end - at < HEADER_SIZE or load(base + at, 4) != MAGIC:
                raise layout.cls._refuse_frame(self.frames, at, False)
            self.at += HEADER_SIZE + <Py_ssize_t>load(base + at + 8, 4)
            if self.at > end:
                raise layout.cls._refuse_frame(self.frames, at, False)
            if (base[at + 4] != layout.message_type or base[at + 5] != layout.version
                    or base[at + 7] & COMPRESSED):
                continue
            size = layout.admit(base, end, at, False)
            if size < 0 or not (layout.exact or layout.spans_fit(base + at + HEADER_SIZE, size)):
                raise layout.cls._refuse_frame(self.frames, at, False)
            record = self.free()
            record.data, record.size = base + at + HEADER_SIZE, size
            return record
        raise StopIteration


def decode_known(dict registry, frame, Py_ssize_t offset, bint verify):
    """The message of a frame whose type and version the registry has; None for anything else,
    also for what is wrong with the header."""
    cdef Py_buffer buffer
    cdef const uint8_t *at
    cdef object cls = None
    cdef Layout layout
    PyObject_GetBuffer(frame, &buffer, PyBUF_SIMPLE)
    try:
        at = <const uint8_t *>buffer.buf + offset
        if offset >= 0 and buffer.len - offset >= HEADER_SIZE and not at[7] & COMPRESSED:
            cls = registry.get((at[4], at[5]))
        if cls is None or load(at, 4) != MAGIC:
            return None
        layout = cls._layout
        return layout.take(frame, <const uint8_t *>buffer.buf, buffer.len, offset, verify)
    finally:
        PyBuffer_Release(&buffer)
