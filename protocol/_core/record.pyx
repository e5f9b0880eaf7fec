# cython: language_level=3, boundscheck=False, wraparound=False
"""Messages as values over bytes: fields read in place, frames opened, checked and built.

Called by `protocol.structure` and `protocol.message`: they hand in what a class declares (Layout)
and put its fields (Getter) into the class. Whatever is wrong ends in a `_refuse_...` method of the
class, which finds out in readable Python what it was: no error is worded here. What fields mean,
tables and text do not belong here. (SPEC.md, Message types)
"""
cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport (PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize,
                            PyBytes_GET_SIZE)
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from protocol._core.crc cimport crc_frame
from protocol._core.slot cimport (BYTES, INSTRUMENT, SIGNED, UNSIGNED, ZERO, Slot, allowed,
                                  instrument, load, number, put, sound)

from sys import intern

cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        unsigned long tp_flags
        void *tp_vectorcall
        object (*tp_new)(PyTypeObject *, PyObject *, PyObject *)
    unsigned long HAVE_VECTORCALL "Py_TPFLAGS_HAVE_VECTORCALL"
    Py_ssize_t PyVectorcall_NARGS(size_t)
    bint PyLong_Check(object)
    object PyNumber_Index(object)
    unsigned long long PyLong_AsUnsignedLongLong(object) except? 0xFFFFFFFFFFFFFFFF

cdef enum:
    MAGIC = 0xDEADBEEF
    HEADER_SIZE = 32
    COMPRESSED = 3
    MOST_ARGUMENTS = 64
cdef uint64_t U64_MOST = <uint64_t>-1
FORMS = {"unsigned": UNSIGNED, "signed": SIGNED, "instrument": INSTRUMENT, "bytes": BYTES,
         "zero": ZERO}
REQUIRED = object()  # where an argument has no default
cdef object _required = REQUIRED
cdef tuple _nothing = ()
cdef object LOW_64 = 0xFFFFFFFFFFFFFFFF


cdef bint fits_64(object value, uint64_t most, uint64_t *out) except -1:
    """A header value into `out`; False, nothing raised, unless it is an integer up to `most`."""
    try:
        out[0] = PyLong_AsUnsignedLongLong(value if PyLong_Check(value) else PyNumber_Index(value))
    except (OverflowError, TypeError):
        return False
    return out[0] <= most


cdef class Layout:
    """What a class declares, as tables: every slot of its fixed part, tails, arguments, rules.

    `slots` are (form, offset, size, mask, ((low, high), ...)) in wire order; `parts` are
    (slot that counts or -1, slot of the start or -1, unit, least); `arguments` are (name, default
    or REQUIRED, slot or -1 for the next tail).
    """

    def __cinit__(self, cls not None, int message_type, int version, list slots, list parts,
                  list arguments, list encoders, bint decodes_tails, bint checks):
        if len(arguments) > MOST_ARGUMENTS:
            raise TypeError(f"{cls.__name__}: {len(arguments)} fields, at most {MOST_ARGUMENTS}")
        self.cls, self.message_type, self.version = cls, message_type, version
        self.exact, self.decodes_tails, self.checks = not parts, decodes_tails, checks
        self.names = tuple(intern(name) for name, _, _ in arguments)
        self.defaults = tuple(default for _, default, _ in arguments)
        self.encoders = tuple(encoders)
        self.argument_count = len(arguments)
        self.targets = <int *>calloc(len(arguments) + 1, sizeof(int))
        for n, (_, _, slot) in enumerate(arguments):
            self.targets[n] = slot
        self._take_slots(slots)
        self.part_count = len(parts)
        self.parts = <Part *>calloc(len(parts) + 1, sizeof(Part))
        self.least = self.fixed
        for n, (count, start, unit, least) in enumerate(parts):
            self.parts[n] = Part(count, start, unit, least)
            self.least += least

    def _take_slots(self, list slots):
        cdef Slot *slot
        self.slots = <Slot *>calloc(len(slots) + 1, sizeof(Slot))
        self.ruled = <Slot *>calloc(len(slots) + 1, sizeof(Slot))
        self.bounds = <uint64_t *>calloc(2 * sum(len(one[4]) for one in slots) + 1, 8)
        cdef uint64_t *bounds = self.bounds
        for form, offset, size, mask, ranges in slots:
            slot = &self.slots[self.slot_count]
            slot[0] = Slot(offset, size, form, len(ranges), mask, bounds)
            for low, high in ranges:
                bounds[0], bounds[1] = low & LOW_64, high & LOW_64
                bounds += 2
            if form == ZERO or mask or ranges:
                self.ruled[self.ruled_count] = slot[0]
                self.ruled_count += 1
            self.slot_count += 1
            self.fixed = max(self.fixed, <Py_ssize_t>(offset + size))

    def __dealloc__(self):
        free(self.slots)
        free(self.ruled)
        free(self.bounds)
        free(self.parts)
        free(self.targets)

    cdef int unsound(self, const uint8_t *payload) noexcept nogil:
        """The offset of the first fixed field whose value is not allowed, -1 for none."""
        cdef int n
        cdef uint32_t k
        cdef Slot *slot
        for n in range(self.ruled_count):
            slot = &self.ruled[n]
            if slot.form != ZERO:
                if not sound(slot, payload + slot.offset):
                    return slot.offset
                continue
            for k in range(slot.size):
                if payload[slot.offset + k]:
                    return slot.offset
        return -1

    cdef bint span(self, const uint8_t *payload, Py_ssize_t size, int part, Py_ssize_t *start,
                   Py_ssize_t *length) noexcept nogil:
        """Where a tail lies in the payload; False when the counts run past its end."""
        cdef int n
        cdef Py_ssize_t at = self.fixed, long = 0
        cdef uint64_t units
        cdef Slot *slot
        if size < self.fixed:
            return False
        for n in range(part + 1):
            at += long
            long = size - at
            if self.parts[n].count_slot >= 0:
                slot = &self.slots[self.parts[n].count_slot]
                units = load(payload + slot.offset, slot.size)
                if units > <uint64_t>long // self.parts[n].unit:
                    return False
                long = units * self.parts[n].unit
        start[0], length[0] = at, long
        return True

    cdef bint spans_fit(self, const uint8_t *payload, Py_ssize_t size) noexcept nogil:
        """Whether fixed part and tails are the whole payload, and each tail's start is right."""
        cdef int n
        cdef Py_ssize_t start = 0, length = self.fixed
        cdef Slot *slot
        for n in range(self.part_count):
            if not self.span(payload, size, n, &start, &length):
                return False
            if length % self.parts[n].unit or length < self.parts[n].least:
                return False
            if self.parts[n].start_slot >= 0:
                slot = &self.slots[self.parts[n].start_slot]
                if load(payload + slot.offset, slot.size) != <uint64_t>(start + HEADER_SIZE):
                    return False
        return start + length == size

    cdef Py_ssize_t admit(self, const uint8_t *base, Py_ssize_t length, Py_ssize_t offset,
                          bint verify) noexcept nogil:
        """The payload size of the frame at `offset` if it is a whole one of this class, else -1."""
        cdef const uint8_t *frame = base + offset
        cdef Py_ssize_t size
        if offset < 0 or length - offset < HEADER_SIZE or load(frame, 4) != MAGIC:
            return -1
        if frame[4] != self.message_type or frame[5] != self.version or frame[7] & COMPRESSED:
            return -1
        size = load(frame + 8, 4)
        if size != self.least and (self.exact or size < self.least):
            return -1
        if size > length - offset - HEADER_SIZE:
            return -1
        if verify and load(frame + 28, 4) != crc_frame(frame, size):
            return -1
        return size

    cdef Record new(self, bytes owner, const uint8_t *data, Py_ssize_t size):
        # As Record.__new__(self.cls), but not by way of the class's attribute: a third of a decode.
        cdef Record record = <Record>(<PyTypeObject *>self.cls).tp_new(
            <PyTypeObject *>self.cls, <PyObject *>_nothing, NULL)
        record.layout, record.owner, record.data, record.size = self, owner, data, size
        return record

    cdef Record settled(self, Record record):
        """The record, after what only Python can check of it."""
        if self.decodes_tails and record.size > self.fixed:
            record._check_tails()
        if self.checks:
            record.check()
        return record

    def decode(self, frame, Py_ssize_t offset=0, *, bint verify=True):
        """The message in the frame at `offset` (Message.decode)."""
        cdef Py_buffer buffer
        if PyBytes_CheckExact(frame):
            return self.take(frame, <const uint8_t *>PyBytes_AS_STRING(frame),
                             PyBytes_GET_SIZE(frame), offset, verify)
        PyObject_GetBuffer(frame, &buffer, PyBUF_SIMPLE)
        try:
            return self.take(frame, <const uint8_t *>buffer.buf, buffer.len, offset, verify)
        finally:
            PyBuffer_Release(&buffer)

    cdef Record take(self, object frame, const uint8_t *base, Py_ssize_t length,
                     Py_ssize_t offset, bint verify):
        cdef Py_ssize_t size = self.admit(base, length, offset, verify)
        cdef const uint8_t *payload = base + offset + HEADER_SIZE
        cdef bytes own
        if size < 0:
            raise self.cls._refuse_frame(frame, offset, verify)
        if self.unsound(payload) >= 0 or not (self.exact or self.spans_fit(payload, size)):
            raise self.cls._refuse_payload(PyBytes_FromStringAndSize(<char *>payload, size))
        if length == HEADER_SIZE + size and PyBytes_CheckExact(frame):
            # The frame is ours to keep: it cannot change and holds nothing else.
            return self.settled(self.new(frame, payload, size))
        own = PyBytes_FromStringAndSize(<char *>payload, size)
        return self.settled(self.new(own, <const uint8_t *>PyBytes_AS_STRING(own), size))

    def from_payload(self, bytes payload not None):
        """The message whose payload this is (Structure.from_payload says more)."""
        cdef const uint8_t *data = <const uint8_t *>PyBytes_AS_STRING(payload)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
        if (size != self.least and (self.exact or size < self.least)
                or self.unsound(data) >= 0 or not self.spans_fit(data, size)):
            raise self.cls._refuse_payload(payload)
        return self.settled(self.new(payload, data, size))

    def view(self, buffer, Py_ssize_t offset=0, *, bint verify=False):
        """The message in the frame at `offset`, left where it is (Message.view says more)."""
        cdef Record record = self.new(None, NULL, 0)
        cdef const uint8_t *base
        PyObject_GetBuffer(buffer, &record.buffer, PyBUF_SIMPLE)
        record.lent = True
        base = <const uint8_t *>record.buffer.buf
        record.size = self.admit(base, record.buffer.len, offset, verify)
        if record.size < 0:
            raise self.cls._refuse_frame(buffer, offset, verify)
        record.data = base + offset + HEADER_SIZE
        if not (self.exact or self.spans_fit(record.data, record.size)):
            raise self.cls._refuse_payload(record.payload)
        return record

    cdef int argument(self, object name, int expected) except -2:
        """Which argument has this name, -1 for none; names mostly come in order."""
        cdef int n, at
        for n in range(self.argument_count):
            at = (expected + n) % self.argument_count
            if <PyObject *>self.names[at] == <PyObject *>name:
                return at
        return self.names.index(name) if name in self.names else -1

    cdef Record build(self, void **args, Py_ssize_t nargs, object kwnames):
        """A new message from the arguments of a call; TypeError as a Python function has it."""
        cdef void *given[MOST_ARGUMENTS]
        cdef int n, at = nargs
        if nargs > self.argument_count:
            raise TypeError(f"{self.cls.__name__}() takes {self.argument_count} positional "
                            f"arguments but {nargs} were given")
        memset(given, 0, sizeof(given))
        memcpy(given, args, nargs * sizeof(void *))
        for n, name in enumerate(kwnames or ()):
            at = self.argument(name, at)
            if at < 0 or given[at] != NULL:
                what = "an unexpected keyword" if at < 0 else "multiple values for"
                raise TypeError(f"{self.cls.__name__}() got {what} argument {name!r}")
            given[at] = args[nargs + n]
            at += 1
        for n in range(self.argument_count):
            if given[n] == NULL:
                default = self.defaults[n]
                if default is _required:
                    raise TypeError(f"{self.cls.__name__}() missing the argument {self.names[n]!r}")
                # The tuple of defaults keeps it alive.
                given[n] = <void *>default
        return self.made(given)

    cdef Record made(self, void **given):
        cdef Record record
        cdef bytes payload = PyBytes_FromStringAndSize(NULL, self.fixed)
        cdef uint8_t *data = <uint8_t *>PyBytes_AS_STRING(payload)
        cdef list encoded = []
        cdef Slot *slot
        cdef int n
        memset(data, 0, self.fixed)
        for n in range(self.argument_count):
            if self.targets[n] >= 0:
                slot = &self.slots[self.targets[n]]
                if not put(slot, data + slot.offset, <object>given[n]):
                    raise self.refusal(given)
            else:
                try:
                    encoded.append(self.encoders[len(encoded)](<object>given[n]))
                except (TypeError, ValueError):
                    raise self.refusal(given) from None
        if self.part_count:
            if not self.counted(data, encoded):
                raise self.refusal(given)
            payload = payload + b"".join(encoded)
        data = <uint8_t *>PyBytes_AS_STRING(payload)
        record = self.new(payload, data, PyBytes_GET_SIZE(payload))
        if self.checks:
            record.check()
        return record

    cdef bint counted(self, uint8_t *payload, list encoded):
        """Write the counts and starts of the tails; False when one does not fit its field."""
        cdef uint64_t start = HEADER_SIZE + self.fixed, units
        cdef int n
        cdef Slot *slot
        for n in range(self.part_count):
            units = len(encoded[n]) // self.parts[n].unit
            if self.parts[n].count_slot >= 0:
                slot = &self.slots[self.parts[n].count_slot]
                if units >> (8 * slot.size):
                    return False
                memcpy(payload + slot.offset, &units, slot.size)
            if self.parts[n].start_slot >= 0:
                slot = &self.slots[self.parts[n].start_slot]
                if start >> (8 * slot.size):
                    return False
                memcpy(payload + slot.offset, &start, slot.size)
            start += len(encoded[n])
        return True

    cdef object refusal(self, void **given):
        return self.cls._refuse_arguments(
            {self.names[n]: <object>given[n] for n in range(self.argument_count)})


cdef PyObject *call_class(PyObject *cls, void **args, size_t nargsf, PyObject *kwnames) except NULL:
    cdef Layout layout = (<object>cls)._layout
    cdef Record made
    names = <object>kwnames if kwnames != NULL else None
    made = layout.build(args, PyVectorcall_NARGS(nargsf), names)
    Py_INCREF(made)
    return <PyObject *>made


def call_quickly(cls not None):
    """Let calls of this class go straight to its Layout: no tuple and no dict for the arguments.

    CPython takes a class's own vectorcall if its metaclass allows it; before 3.12 a metaclass
    written in Python does not inherit the flag that says so.
    """
    cdef object metaclass = type(cls)
    (<PyTypeObject *>cls).tp_vectorcall = <void *>call_class
    (<PyTypeObject *>metaclass).tp_flags |= HAVE_VECTORCALL


@cython.no_gc
cdef class Record:
    """A payload as an immutable value: in bytes of its own, or in the caller's buffer (a view).

    No garbage collection: bytes do not refer back to it, nor do buffers that are only bytes.
    """

    def __init__(self, *args, **kwargs):
        # Calls go past this, to call_class; it is for who names __init__ or type.__call__.
        cdef Layout layout = type(self)._layout
        if self.layout is not None:
            raise TypeError(f"a {type(self).__name__} does not change: it has been made")
        cdef void *given[2 * MOST_ARGUMENTS]
        cdef Record made
        cdef tuple values = args + tuple(kwargs.values())
        cdef int n
        if len(values) > MOST_ARGUMENTS:
            raise TypeError(f"{type(self).__name__}() got {len(values)} arguments")
        for n in range(len(values)):
            given[n] = <void *>values[n]
        made = layout.build(given, len(args), tuple(kwargs))
        self.layout, self.owner, self.data, self.size = layout, made.owner, made.data, made.size

    def __dealloc__(self):
        if self.lent:
            PyBuffer_Release(&self.buffer)

    @property
    def payload(self):
        """The bytes after the header: a copy where they are in a frame."""
        if self.owner is not None and PyBytes_GET_SIZE(self.owner) == self.size:
            return self.owner
        return PyBytes_FromStringAndSize(<char *>self.data, self.size)

    @property
    def borrowed(self):
        """Whether this is a view: the bytes are the caller's, who may change them."""
        return self.lent

    def tail(self, int part):
        """The bytes of a tail by its number, from 0, and where it begins in the payload."""
        cdef Py_ssize_t start, length
        if self.data == NULL or not 0 <= part < self.layout.part_count or not self.layout.span(
                self.data, self.size, part, &start, &length):
            raise type(self)._refuse_payload(self.payload)
        return PyBytes_FromStringAndSize(<char *>self.data + start, length), start

    def _frame(self, sequence=0, timestamp=0, source=0, flags=0):
        """The whole frame, sealed. `timestamp` is ns since the epoch, `source` a SourceType.

        FieldError when a header value does not fit, or flags say that the payload is compressed.
        """
        cdef uint64_t number, stamp, origin, marks
        cdef uint32_t value = MAGIC
        cdef uint8_t *at
        cdef bytes made
        if self.data == NULL:
            raise TypeError(f"this {type(self).__name__} has no payload")
        if not (fits_64(sequence, U64_MOST, &number) and fits_64(timestamp, U64_MOST, &stamp)
                and fits_64(source, 255, &origin) and fits_64(flags, 255, &marks)
                and not marks & COMPRESSED and self.size <= 0xFFFFFFFF):
            raise type(self)._refuse_header(self.size, sequence, timestamp, source, flags)
        made = PyBytes_FromStringAndSize(NULL, HEADER_SIZE + self.size)
        at = <uint8_t *>PyBytes_AS_STRING(made)
        memcpy(at, &value, 4)
        at[4], at[5] = self.layout.message_type, self.layout.version
        at[6], at[7] = origin, marks
        value = self.size
        memcpy(at + 8, &value, 4)
        memcpy(at + 12, &number, 8)
        memcpy(at + 20, &stamp, 8)
        memcpy(at + HEADER_SIZE, self.data, self.size)
        value = crc_frame(at, self.size)
        memcpy(at + 28, &value, 4)
        return made

    def __eq__(self, other):
        if type(other) is not type(self):
            return NotImplemented
        return self.size == (<Record>other).size and not memcmp(
            self.data, (<Record>other).data, self.size)

    def __hash__(self):
        if self.lent:
            raise TypeError(f"a view of a {type(self).__name__} can change: hash its detach()")
        return hash((type(self), self.payload))

    def __setattr__(self, name, value):
        raise AttributeError(f"a {type(self).__name__} does not change: use replace({name}=...)")

    def __delattr__(self, name):
        raise AttributeError(f"a {type(self).__name__} does not change")


cdef class Getter:
    """A fixed field of a class, by the number of its slot: reads its value from a record's bytes.

    `names` maps numbers to members. A number that is not allowed, or that `names` lacks, is given
    to `otherwise` where there is one (it gives the value or raises), else it is the value.
    """
    cdef Layout layout
    cdef Slot *slot
    cdef dict names
    cdef object otherwise
    cdef object doc

    def __cinit__(self, Layout layout not None, int slot, names, otherwise, doc):
        if not 0 <= slot < layout.slot_count:
            raise IndexError(slot)
        self.layout, self.slot = layout, &layout.slots[slot]
        self.names, self.otherwise, self.doc = names, otherwise, doc

    @property
    def __doc__(self):
        return self.doc

    def __get__(self, instance, owner):
        cdef Record record
        cdef Slot *slot = self.slot
        cdef const uint8_t *at
        if instance is None:
            return self
        # Mostly it is of the class itself; else a look at its bases has to say what it is.
        record = <Record>instance if type(instance) is self.layout.cls else <Record?>instance
        if slot.offset + slot.size > <size_t>record.size:
            raise AttributeError("no payload has been given to this object")
        at = record.data + slot.offset
        if slot.form == INSTRUMENT:
            return instrument(at)
        if slot.form == BYTES:
            return PyBytes_FromStringAndSize(<char *>at, slot.size)
        value = number(slot, at)
        # Of a message this was looked at when it was made; a view shows what is there now.
        if (slot.mask or slot.ranges) and not sound(slot, at):
            return self.otherwise(value)
        if self.names is None:
            return value
        named = self.names.get(value)
        if named is not None:
            return named
        return value if self.otherwise is None else self.otherwise(value)
