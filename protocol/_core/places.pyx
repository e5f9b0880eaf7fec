# cython: language_level=3
"""Where each region of a state file begins, and how large it is.

Called by the compiled state and by `relays.edge.memory`, which makes the files. What is in the
regions is `protocol._core.state`'s.
"""
from libc.stdint cimport uint64_t

from protocol._core.scan cimport HEADER, WINDOW
from protocol._core.state cimport (ConnectionRecord, Counters, Decisions, Geometry, HelloRecord,
                                   INDEX_APART,
                                   IndexEntry, Journal, LogRecord, OffencePage, PAGES,
                                   ProducerRecord, Redo, Status)


cdef uint64_t up(uint64_t size):
    return (size + 4095) // 4096 * 4096


def layout(log_bytes, connections, producers, windows):
    """Where each region of a state file begins: {name: offset}, and "end"; bytes.

    The index has a place for every 16 frames of 32 bytes that the log can hold.
    """
    index = log_bytes // (INDEX_APART * HEADER) + 1024
    sizes = [("geometry", sizeof(Geometry)), ("status", sizeof(Status)), ("redo", sizeof(Redo)),
             ("log", sizeof(LogRecord)), ("counters", sizeof(Counters)),
             ("index", index * sizeof(IndexEntry)),
             ("connections", connections * sizeof(ConnectionRecord)),
             ("hellos", connections * sizeof(HelloRecord)),
             ("producers", producers * sizeof(ProducerRecord)),
             ("pages", PAGES * sizeof(OffencePage)), ("decisions", sizeof(Decisions)),
             ("journal", sizeof(Journal)),
             ("windows", producers * WINDOW * 8 if windows else 0)]
    places, at = {}, 0
    for name, size in sizes:
        places[name] = at
        at += up(size)
    places["end"] = at
    return places


def index_places(log_bytes):
    return log_bytes // (INDEX_APART * HEADER) + 1024
