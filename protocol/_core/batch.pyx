# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Many frames at once: walk and verify a buffer, gather rows by schema, seal rows into frames.

Called by `protocol.batch`, which owns the arrays and words the errors. One pass each, without the
GIL, no Python object per frame. Rules of values are `protocol._core.record`'s, checksums
`protocol._core.crc`'s; what a stream's producer may send is `protocol._core.scan`'s affair.
"""
from cpython.buffer cimport (PyBUF_SIMPLE, PyBUF_STRIDES, PyBuffer_Release, PyObject_CheckBuffer,
                             PyObject_GetBuffer)
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from protocol._core.crc cimport crc_frame
from protocol._core.record cimport Layout
from protocol._core.scan cimport HEADER, FrameHeader
from protocol._core.slot cimport Slot, ZERO

cdef extern from "sys/mman.h" nogil:
    enum:
        MADV_HUGEPAGE
    int madvise(void *address, size_t length, int advice)

cdef enum:
    MAGIC = 0xDEADBEEF
    COMPRESSED = 0x03
    KEYS = 65536                       # type << 8 | version
    BLOCK = 32                         # frames filled, then sealed
    LARGE_PAGE = 2097152

cdef enum Stop:
    DONE
    BAD_MAGIC
    BAD_SIZE
    CUT_SHORT
    BAD_CHECKSUM

STOP_MAGIC, STOP_SIZE, STOP_CUT, STOP_CHECKSUM = BAD_MAGIC, BAD_SIZE, CUT_SHORT, BAD_CHECKSUM


cdef class Schemas:
    """The schemas that have rows of their own, numbered from 1; everything else is 0."""

    def __init__(self, dict sizes):
        if len(sizes) >= KEYS:
            raise ValueError(f"at most {KEYS - 1} schemas, got {len(sizes)}")
        self.count = len(sizes) + 1
        memset(self.number, 0, sizeof(self.number))
        self.payload = <uint32_t *>calloc(self.count, sizeof(uint32_t))
        self.exact = <uint8_t *>calloc(self.count, 1)
        if self.payload == NULL or self.exact == NULL:
            raise MemoryError(f"{len(sizes)} schemas")
        for n, ((kind, version), (payload, exact)) in enumerate(sizes.items(), 1):
            self.number[<uint8_t>kind << 8 | <uint8_t>version] = n
            self.payload[<uint16_t>n], self.exact[<uint16_t>n] = payload, exact

    def __dealloc__(self):
        free(self.payload)
        free(self.exact)

    cdef bint fits(self, uint16_t number, uint32_t payload) noexcept nogil:
        if number == 0 or payload == self.payload[number]:
            return True
        return not self.exact[number] and payload > self.payload[number]


cdef int walk_frames(const uint8_t *base, uint64_t size, Schemas schemas, bint verify,
                     uint64_t *offsets, uint16_t *numbers, Found *found, uint64_t *frames,
                     uint64_t *stopped) noexcept nogil:
    cdef FrameHeader header
    cdef Found *row
    cdef uint64_t at = 0, n = 0, whole
    cdef uint16_t number
    cdef int code = DONE
    while at < size:
        if size - at < HEADER:
            code = CUT_SHORT
            break
        # A copy: whoever else can write the buffer cannot change it between check and use.
        memcpy(&header, base + at, HEADER)
        if header.magic != <uint32_t>MAGIC:
            code = BAD_MAGIC
            break
        number = 0
        if not header.flags & COMPRESSED:
            number = schemas.number[<size_t>header.message_type << 8 | header.version]
        if not schemas.fits(number, header.payload_size):
            code = BAD_SIZE
            break
        whole = HEADER + <uint64_t>header.payload_size
        if whole > size - at:
            code = CUT_SHORT
            break
        if verify and crc_frame(base + at, header.payload_size) != header.checksum:
            code = BAD_CHECKSUM
            break
        row = &found[number]
        if row.count == 0:
            row.first, row.frame, row.size, row.together = at, n, whole, True
        elif at != row.next or whole != row.size:
            row.together = False
        row.next = at + whole
        row.count += 1
        offsets[n], numbers[n] = at, number
        n += 1
        at += whole
    frames[0], stopped[0] = n, at
    return code


def walk(const uint8_t[::1] buffer not None, Schemas schemas not None, bint verify,
         uint64_t[::1] offsets not None, uint16_t[::1] numbers not None):
    """Go over a buffer of frames up to its end or the first that is wrong.

    Writes where each frame begins and the number of its schema. Gives (STOP_* or 0, frames, where
    it stopped, rows): a row (frames, first frame's number in the buffer, its offset, bytes, whether
    all of them are adjacent and equally long) for each schema by number.
    """
    cdef uint64_t size = buffer.shape[0], frames = 0, stopped = 0
    cdef Found *found
    cdef int code = DONE
    if <uint64_t>offsets.shape[0] < size // HEADER or numbers.shape[0] < offsets.shape[0]:
        raise ValueError(f"room for {offsets.shape[0]} frames is too little for {size} bytes")
    found = <Found *>calloc(schemas.count, sizeof(Found))
    if found == NULL:
        raise MemoryError("the schemas of a walk")
    try:
        if size >= HEADER:
            with nogil:
                code = walk_frames(&buffer[0], size, schemas, verify, &offsets[0], &numbers[0],
                                   found, &frames, &stopped)
        elif size:
            code = CUT_SHORT
        return code, frames, stopped, [
            (found[n].count, found[n].frame, found[n].first, found[n].size, found[n].together)
            for n in range(schemas.count)
        ]
    finally:
        free(found)


cdef void gather_rows(const uint8_t *base, const uint64_t *offsets, const uint16_t *numbers,
                      uint64_t frames, Target *targets) noexcept nogil:
    cdef Target *target
    cdef uint64_t n
    for n in range(frames):
        target = &targets[numbers[n]]
        if target.frames == NULL:
            continue
        memcpy(target.rows + target.place * target.width, base + offsets[n], target.width)
        target.offsets[target.place] = offsets[n]
        target.frames[target.place] = n
        target.place += 1


def gather(const uint8_t[::1] buffer not None, const uint64_t[::1] offsets not None,
           const uint16_t[::1] numbers not None, list wanted):
    """Copy the first bytes of each frame to its schema's rows, with its offset and number.

    `wanted` has, by schema number, None or (rows as bytes, offsets, frames): as long as `walk`
    counted; `offsets` and `numbers` are those that `walk` wrote, of this very buffer.
    """
    cdef uint8_t[::1] rows
    cdef uint64_t[::1] places
    cdef int64_t[::1] frames
    cdef Target *targets = <Target *>calloc(len(wanted), sizeof(Target))
    cdef uint64_t count = offsets.shape[0]
    if targets == NULL:
        raise MemoryError("the rows of a batch")
    try:
        for n, one in enumerate(wanted):
            if one is None:
                continue
            rows, places, frames = one
            targets[<size_t>n] = Target(&rows[0], &places[0], &frames[0],
                                        rows.shape[0] // places.shape[0], 0)
        if count:
            with nogil:
                gather_rows(&buffer[0], &offsets[0], &numbers[0], count, targets)
    finally:
        free(targets)


cdef int64_t first_unsound(Layout layout, const uint8_t *base, uint64_t size,
                           const uint64_t *offsets, int64_t count) noexcept nogil:
    cdef int64_t n
    cdef uint32_t payload
    cdef const uint8_t *frame
    for n in range(count):
        frame = base + offsets[n]
        memcpy(&payload, frame + 8, 4)
        if payload > size - offsets[n] - HEADER:
            return n
        if layout.unsound(frame + HEADER) >= 0:
            return n
        if not layout.exact and not layout.spans_fit(frame + HEADER, payload):
            return n
    return -1


def unsound(Layout layout not None, const uint8_t[::1] buffer not None,
            const uint64_t[::1] offsets not None):
    """The first of the frames at these offsets whose values or tails do not fit, -1 for none.

    The frames are known to be whole and of the layout's type and size.
    """
    cdef int64_t first = -1
    if offsets.shape[0]:
        with nogil:
            first = first_unsound(layout, &buffer[0], buffer.shape[0], &offsets[0],
                                  offsets.shape[0])
    return first


def unsound_rows(Layout layout not None, rows):
    """The first row of an array of whole frames whose values are not allowed, -1 for none."""
    cdef int64_t first = -1
    cdef Py_buffer view
    PyObject_GetBuffer(rows, &view, PyBUF_STRIDES)
    try:
        if view.ndim != 1 or view.itemsize != HEADER + layout.fixed or not layout.exact:
            raise ValueError(f"a row has {HEADER + layout.fixed} bytes, got {view.itemsize}")
        with nogil:
            first = first_row(layout, <const uint8_t *>view.buf, view.shape[0], view.strides[0])
    finally:
        PyBuffer_Release(&view)
    return first


cdef int64_t first_row(Layout layout, const uint8_t *frames, int64_t count,
                       int64_t stride) noexcept nogil:
    cdef int64_t n
    for n in range(count):
        if layout.unsound(frames + n * stride + HEADER) >= 0:
            return n
    return -1


def checksum(const uint8_t[::1] buffer not None, uint64_t offset):
    """The checksum that the whole frame at `offset` should carry; ValueError where there is none.
    """
    cdef uint64_t size = buffer.shape[0]
    cdef uint32_t payload
    if size < HEADER or offset > size - HEADER:
        raise ValueError(f"no header at {offset}: the buffer has {size} bytes")
    memcpy(&payload, &buffer[offset + 8], 4)
    if payload > size - offset - HEADER:
        raise ValueError(f"the buffer ends before the frame at {offset} does")
    return crc_frame(&buffer[offset], payload)


cdef class Stamp:
    """A header field of many frames: as it is there, one number and a step, or one each."""

    cdef Py_buffer buffer
    cdef bint kept, held
    cdef const uint64_t *each
    cdef uint64_t first, step

    def __cinit__(self, value, uint64_t count, uint64_t step):
        self.kept, self.held, self.each, self.step = value is None, False, NULL, step
        if value is None:
            return
        if not PyObject_CheckBuffer(value):
            self.first = value
            return
        PyObject_GetBuffer(value, &self.buffer, PyBUF_SIMPLE)
        self.held = True
        self.each = <const uint64_t *>self.buffer.buf
        if <uint64_t>self.buffer.len != count * 8:
            raise ValueError(f"want {count} numbers of 8 bytes, got {self.buffer.len} bytes")

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.buffer)

    cdef inline uint64_t at(self, uint64_t n) noexcept nogil:
        return self.each[n] if self.each != NULL else self.first + n * self.step


cdef bint stamp_row(Layout layout, uint8_t *frame, uint64_t n, Stamp sequence, Stamp timestamp,
                    Stamp source, Stamp flags) noexcept nogil:
    """Header and pads of one frame whose fields are there; False when one is not allowed."""
    cdef FrameHeader *header = <FrameHeader *>frame
    cdef Slot *slot
    cdef int k
    header.magic, header.payload_size = <uint32_t>MAGIC, layout.fixed
    header.message_type, header.version = layout.message_type, layout.version
    if not sequence.kept:
        header.sequence = sequence.at(n)
    if not timestamp.kept:
        header.timestamp = timestamp.at(n)
    if not source.kept:
        header.source = source.at(n)
    if not flags.kept:
        header.flags = flags.at(n)
    for k in range(layout.ruled_count):
        slot = &layout.ruled[k]
        if slot.form == ZERO:
            memset(frame + HEADER + slot.offset, 0, slot.size)
    return not header.flags & COMPRESSED and layout.unsound(frame + HEADER) < 0


cdef int64_t seal_rows(Layout layout, uint8_t *out, uint64_t count, const uint8_t *rows,
                       int64_t stride, uint64_t width, Stamp sequence, Stamp timestamp,
                       Stamp source, Stamp flags) noexcept nogil:
    """The first row that is not allowed, -1 for none."""
    cdef uint64_t n = 0, k, end, whole = HEADER + layout.fixed
    cdef uint8_t *frame
    cdef int64_t bad = -1
    while n < count and bad < 0:
        # Some rows, then their checksums: read at once, what was just written in small pieces
        # would have to be waited for.
        end = min(count, n + BLOCK)
        for k in range(n, end):
            frame = out + k * whole
            if rows != NULL:
                memcpy(frame + whole - width, rows + <int64_t>k * stride, width)
            if not stamp_row(layout, frame, k, sequence, timestamp, source, flags):
                bad, end = k, k
                break
        for k in range(n, end):
            frame = out + k * whole
            (<FrameHeader *>frame).checksum = crc_frame(frame, layout.fixed)
        n = end
    return bad


def room(Py_ssize_t size):
    """A bytearray of so many bytes that are not set yet, in large pages where it is large: first
    touching small ones would cost more than filling them."""
    cdef bytearray made = PyByteArray_FromStringAndSize(NULL, size)
    cdef size_t first = <size_t>PyByteArray_AS_STRING(made)
    cdef size_t begin = (first + LARGE_PAGE - 1) & ~<size_t>(LARGE_PAGE - 1)
    cdef size_t end = (first + size) & ~<size_t>(LARGE_PAGE - 1)
    if end > begin:
        madvise(<void *>begin, end - begin, MADV_HUGEPAGE)
    return made


def seal(Layout layout not None, uint8_t[::1] out not None, rows, sequence, timestamp, source,
         flags):
    """Make `out` the sealed frames of these rows, each the layout's payload or a whole frame.

    Without rows `out` holds the frames already, to be sealed where they are. The header's fields
    are None (as in the rows), a number (of sequences: the first), or 8 bytes for each row. Pads
    become zero. Gives the number of the first row that is not allowed, -1 for none: the rows before
    it are frames by then. The caller has checked types and ranges of what it hands in.
    """
    cdef uint64_t whole = HEADER + layout.fixed, count = out.shape[0] // whole
    cdef Stamp sequences = Stamp(sequence, count, 1), times = Stamp(timestamp, count, 0)
    cdef Stamp sources = Stamp(source, count, 0), marks = Stamp(flags, count, 0)
    cdef Py_buffer view
    cdef const uint8_t *first = NULL
    cdef int64_t stride = 0, bad
    cdef uint64_t width = 0
    if not layout.exact or count * whole != <uint64_t>out.shape[0]:
        raise ValueError(f"{out.shape[0]} bytes are not frames of {whole} bytes")
    if count == 0:
        return -1
    if rows is not None:
        PyObject_GetBuffer(rows, &view, PyBUF_STRIDES)
        first, stride, width = <const uint8_t *>view.buf, view.strides[0], view.itemsize
    try:
        if rows is not None and (view.ndim != 1 or <uint64_t>view.shape[0] != count):
            raise ValueError(f"want {count} rows, got {view.shape[0]}")
        if rows is not None and width != whole and width != <uint64_t>layout.fixed:
            raise ValueError(f"a row has {whole} or {layout.fixed} bytes, got {width}")
        with nogil:
            bad = seal_rows(layout, &out[0], count, first, stride, width, sequences, times,
                            sources, marks)
    finally:
        if rows is not None:
            PyBuffer_Release(&view)
    return bad
