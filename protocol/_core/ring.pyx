# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Memory files mapped into this process: once (`Mapping`), or twice in a row (`Ring`).

Called by `relays.edge.memory`, which opens the files, and by the compiled state. A Ring shows its
first byte again behind its last, so a span of the log is contiguous wherever it begins. Nothing
here knows what the bytes mean.
"""
from cpython.buffer cimport PyBuffer_FillInfo
from libc.errno cimport errno
from libc.stdint cimport uint8_t
from posix.mman cimport (MAP_ANONYMOUS, MAP_FAILED, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_NONE,
                         PROT_READ, PROT_WRITE, mmap, munmap)

import mmap as _mmap
import os

cdef extern from "sys/mman.h" nogil:
    int madvise(void *address, size_t length, int advice)

cdef enum:
    MADV_POPULATE_WRITE = 23           # Linux 5.14; older kernels refuse it, which harms nobody

PAGE = _mmap.PAGESIZE


cdef class Mapping:
    """`size` bytes of the file `fd`, shared; a buffer of that length. Raises OSError, ValueError.

    >>> fd = os.memfd_create("state"); os.ftruncate(fd, 4096)
    >>> memory = memoryview(Mapping(fd, 4096, True))
    """

    def __cinit__(self, int fd, size_t size, bint writable):
        self.base = NULL
        self.size, self.writable = size, writable
        if size == 0 or size % PAGE:
            raise ValueError(f"a mapping is a multiple of {PAGE} bytes, got {size}")
        if os.fstat(fd).st_size < size:
            raise ValueError(f"the file has {os.fstat(fd).st_size} bytes, expected {size}")
        self.span = size * self.copies()
        self._map(fd)

    def copies(self):
        return 1

    cdef _map(self, int fd):
        cdef int protection = PROT_READ | PROT_WRITE if self.writable else PROT_READ
        cdef uint8_t *base = <uint8_t *>mmap(NULL, self.span, PROT_NONE,
                                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        cdef size_t at
        if base == MAP_FAILED:
            raise OSError(errno, "cannot reserve addresses for a mapping")
        self.base = base
        for at in range(0, self.span, self.size):
            if mmap(base + at, self.size, protection, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED:
                raise OSError(errno, "cannot map the memory file")

    def __dealloc__(self):
        if self.base != NULL:
            munmap(self.base, self.span)

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self.base, self.span, not self.writable, flags)


cdef class Ring(Mapping):
    """`size` bytes of the file `fd` twice in a row: a buffer of 2 * `size` bytes."""

    def copies(self):
        return 2

    def prefault(self, size_t offset, size_t length):
        """Have the pages of this span there before they are written; a fault costs 2 us a page.

        True when there is more of the ring behind it.
        """
        if offset % PAGE or offset >= self.size:
            raise ValueError(f"a span begins at a multiple of {PAGE} below {self.size}: {offset}")
        madvise(self.base + offset, min(length, self.size - offset), MADV_POPULATE_WRITE)
        return offset + length < self.size
