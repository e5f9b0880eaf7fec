# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The words of the journal in the state: read, set, and moved to where a journal ends.

Called by `relays.edge.journal`, and by whoever looks from outside. What moves them on while a relay
runs is `protocol._core.journal`, which has these names too.
"""
from libc.stdint cimport uint64_t

from protocol._core.state cimport NOTES, Journal, Note, State


def journal_words(State state not None):
    """The words of the journal's record in the state, as a dict; see state.pxd."""
    cdef Journal *j = state.journal
    return {"on": j.on, "made": j.made, "written": j.written,
            "written_position": j.written_position, "written_offset": j.written_offset,
            "synced_position": j.synced_position, "safe": j.safe,
            "safe_position": j.safe_position, "safe_offset": j.safe_offset,
            "room": j.room, "chain": j.chain,
            "syncs": j.syncs, "sync_ns": j.sync_ns, "written_bytes": j.written_bytes,
            "failures": j.failures, "failing": j.failing, "segments": j.segments,
            "disk_bytes": j.disk_bytes, "oldest_position": j.oldest_position,
            "shown": j.shown}


def journal_set(State state not None, **words):
    """Set words of it by name: on, failures, failing, segments, disk_bytes,
    oldest_position, shown."""
    cdef Journal *j = state.journal
    for name, value in words.items():
        if name == "on": j.on = value
        elif name == "failures": j.failures = value
        elif name == "failing": j.failing = value
        elif name == "segments": j.segments = value
        elif name == "disk_bytes": j.disk_bytes = value
        elif name == "oldest_position": j.oldest_position = value
        elif name == "shown": j.shown = value
        else: raise KeyError(name)


def journal_from(State state not None, uint64_t position, uint64_t offset):
    """The journal ends at `position`, byte `offset`: what was committed since is to be written.

    Gives the position from which the notes have it; a later one than `position` when older notes
    or their frames are gone (then commits are missing in the journal, and it goes on there).
    """
    cdef Journal *j = state.journal
    cdef Note *note
    cdef uint64_t number = j.made
    while number and j.made - number < NOTES:
        note = &j.notes[(number - 1) % NOTES]
        if note.position < position or note.offset < state.log.oldest_offset:
            break
        number -= 1
    if number < j.made:
        position = j.notes[number % NOTES].position
        offset = j.notes[number % NOTES].offset
    else:
        position, offset = state.log.end_position, state.log.end_offset
    j.written = j.safe = number
    j.written_position = j.safe_position = j.synced_position = position
    j.written_offset = j.safe_offset = offset
    return position


def noted_since(State state not None, uint64_t position, uint64_t time_ns):
    """`position`, by the notes moved to the first commit of `time_ns` or later: the files that say
    so lack what came last, and what only the log in memory still has."""
    cdef Journal *j = state.journal
    cdef Note *note
    cdef uint64_t number = j.made
    while number and j.made - number < NOTES and (
            j.notes[(number - 1) % NOTES].position >= position):
        number -= 1
    while number and j.made - number < NOTES:
        note = &j.notes[(number - 1) % NOTES]
        if (note.receive_ns < time_ns or note.offset < state.log.oldest_offset
                or note.position + note.count != position):
            break
        number, position = number - 1, note.position
    while number < j.made and j.notes[number % NOTES].receive_ns < time_ns:
        note = &j.notes[number % NOTES]
        position = note.position + note.count
        number += 1
    return position
