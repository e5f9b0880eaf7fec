# cython: language_level=3, boundscheck=False, wraparound=False
"""One fixed field of a payload: its value out of the bytes, and into them if it is allowed.

Called by `protocol._core.record`. A slot knows its place, its form and the rule for its numbers;
names, units and errors are the classes'. (SPEC.md, Message types)
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_Check, PyBytes_GET_SIZE
from cpython.ref cimport Py_INCREF

from protocol.instruments import InstrumentId

cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        object (*tp_alloc)(PyTypeObject *, Py_ssize_t)
    bint PyLong_Check(object)
    object PyNumber_Index(object)
    unsigned long long PyLong_AsUnsignedLongLong(object) except? 0xFFFFFFFFFFFFFFFF
    long long PyLong_AsLongLong(object) except? -1
    void PyTuple_SET_ITEM(object, Py_ssize_t, object)

cdef object LOW_64 = 0xFFFFFFFFFFFFFFFF
cdef object _instrument_id = InstrumentId


cdef object number(const Slot *slot, const uint8_t *at):
    if slot.size == 16:
        high = load_signed(at + 8, 8) if slot.form == SIGNED else load(at + 8, 8)
        return (high << 64) | load(at, 8)
    return load_signed(at, slot.size) if slot.form == SIGNED else load(at, slot.size)


cdef object instrument(const uint8_t *at):
    cdef object made = (<PyTypeObject *>_instrument_id).tp_alloc(<PyTypeObject *>_instrument_id, 4)
    cdef uint64_t[4] parts
    cdef object part
    cdef int n
    parts[0], parts[1], parts[2], parts[3] = load(at, 2), at[2], at[3], load(at + 4, 8)
    for n in range(4):
        part = parts[n]
        Py_INCREF(part)
        PyTuple_SET_ITEM(made, n, part)
    return made


cdef bint put_instrument(uint8_t *at, object value) except -1:
    # A tuple by its type, but who goes around its constructor can make one of anything.
    cdef tuple parts = <tuple>value
    cdef uint16_t venue
    cdef uint64_t asset_id
    cdef object part
    if len(parts) != 4:
        return False
    for part in parts:
        if not PyLong_Check(part):
            return False
    venue, asset_id = parts[0], parts[3]
    memcpy(at, &venue, 2)
    at[2], at[3] = parts[1], parts[2]
    memcpy(at + 4, &asset_id, 8)
    return True


cdef bint put_number(const Slot *slot, uint8_t *at, object value) except -1:
    cdef uint64_t raw
    cdef int64_t least
    if slot.form == SIGNED:
        raw = <uint64_t>PyLong_AsLongLong(value)
        least = -(<int64_t>1 << (8 * slot.size - 1)) if slot.size < 8 else 0
        if slot.size < 8 and not least <= <int64_t>raw < -least:
            return False
    else:
        raw = PyLong_AsUnsignedLongLong(value)
        if slot.size < 8 and raw >> (8 * slot.size):
            return False
    if not allowed(slot, raw):
        return False
    memcpy(at, &raw, slot.size)
    return True


cdef bint put_wide(const Slot *slot, uint8_t *at, object value) except -1:
    cdef uint64_t low = PyLong_AsUnsignedLongLong(value & LOW_64), high
    if slot.form == SIGNED:
        high = <uint64_t>PyLong_AsLongLong(value >> 64)
    else:
        high = PyLong_AsUnsignedLongLong(value >> 64)
    memcpy(at, &low, 8)
    memcpy(at + 8, &high, 8)
    return True


cdef bint put(const Slot *slot, uint8_t *at, object value) except -1:
    """Write a value into its place; False, and nothing raised, when it is not allowed there."""
    if slot.form == BYTES:
        if not PyBytes_Check(value) or PyBytes_GET_SIZE(value) != slot.size:
            return False
        memcpy(at, PyBytes_AS_STRING(value), slot.size)
        return True
    try:
        if slot.form == INSTRUMENT:
            return type(value) is _instrument_id and put_instrument(at, value)
        if not PyLong_Check(value):
            value = PyNumber_Index(value)
        if slot.size == 16:
            return put_wide(slot, at, value)
        return put_number(slot, at, value)
    except (OverflowError, TypeError):
        return False
