# cython: language_level=3, boundscheck=False, wraparound=False
"""Frames found in a buffer: a view that goes from one to the next, and one decoded by its type.

Called by `protocol.message`. What a record is and how it is checked is `record`'s; arrays of many
frames are `batch`'s.
"""
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t

from protocol._core.record cimport Layout, Record
from protocol._core.slot cimport load

cdef enum:
    MAGIC = 0xDEADBEEF
    HEADER_SIZE = 32
    COMPRESSED = 3


cdef class Views:
    """One view, moved from frame to frame of its class in a buffer; frames of others are skipped.
    """
    cdef Record record
    cdef object frames
    cdef Py_ssize_t at

    def __cinit__(self, Layout layout not None, buffer):
        self.record, self.frames = layout.new(None, NULL, 0), buffer
        PyObject_GetBuffer(buffer, &self.record.buffer, PyBUF_SIMPLE)
        self.record.lent = True

    def __iter__(self):
        return self

    def __next__(self):
        cdef Record record = self.record
        cdef Layout layout = record.layout
        cdef const uint8_t *frame
        cdef Py_ssize_t at
        while self.at < record.buffer.len:
            at, frame = self.at, <const uint8_t *>record.buffer.buf + self.at
            if record.buffer.len - at < HEADER_SIZE or load(frame, 4) != MAGIC:
                raise layout.cls._refuse_frame(self.frames, at, False)
            self.at += HEADER_SIZE + <Py_ssize_t>load(frame + 8, 4)
            if self.at > record.buffer.len:
                raise layout.cls._refuse_frame(self.frames, at, False)
            if frame[4] != layout.message_type or frame[5] != layout.version or (
                    frame[7] & COMPRESSED):
                continue
            record.size = layout.admit(<const uint8_t *>record.buffer.buf, record.buffer.len, at,
                                       False)
            record.data = frame + HEADER_SIZE
            if record.size < 0 or not (
                    layout.exact or layout.spans_fit(record.data, record.size)):
                record.data, record.size = NULL, 0
                raise layout.cls._refuse_frame(self.frames, at, False)
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
