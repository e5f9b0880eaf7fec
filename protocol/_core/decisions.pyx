# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The ring of decisions in a relay's state: what was done about a connection, when and why.

Written by `relays.core.decisions`, read by `relays why` and `relays top` through
`relays.edge.history`. A decision is one transaction, like every change of the state. What the kinds
mean, and which happen often enough to be made one, is not decided in here.
"""
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy, memset

from protocol._core.state cimport DECISIONS, Decision, Decisions, State

CAPACITY = DECISIONS
WORDS = ("relay", "connection", "uid", "pid", "role", "kind", "reason", "position", "end", "depth",
         "first", "last", "count", "wait_ns", "delivered", "dropped", "filtered")


cdef void store(State state, Decision *made) noexcept nogil:
    cdef Decisions *ring = state.decisions
    cdef uint64_t *to = <uint64_t *>&ring.rows[(made.number - 1) % DECISIONS]
    cdef uint64_t *words = <uint64_t *>made
    cdef uint64_t n
    for n in range(sizeof(Decision) // 8):
        state.put(&to[n], words[n])
    if made.number > ring.made:
        state.put(&ring.made, made.number)
    state.apply(&ring.seq, NULL)


cdef void fill(uint8_t *to, size_t size, str text):
    """ASCII text, cut so that a NUL ends it; what is not ASCII becomes "?"."""
    cdef bytes raw = text.encode("ascii", "replace")[:size - 1]
    memcpy(to, <const uint8_t *>raw, len(raw))


def note(State state not None, uint64_t now, *, str name="", str text="", **words):
    """Add a decision made at `now`, ns; `words` are of WORDS. Gives its number."""
    cdef Decision made
    memset(&made, 0, sizeof(made))
    made.number = state.decisions.made + 1
    made.at_ns = made.until_ns = now
    made.times = 1
    for word, value in words.items():
        set_word(&made, word, value)
    fill(made.name, sizeof(made.name), name)
    fill(made.text, sizeof(made.text), text)
    store(state, &made)
    return made.number


cdef set_word(Decision *made, str word, uint64_t value):
    """The words of WORDS lie in the record in that order, behind the first four."""
    (<uint64_t *>made)[4 + WORDS.index(word)] = value


def again(State state not None, uint64_t number, uint64_t now, *, uint64_t connection=0,
          uint64_t pid=0, uint64_t position=0, uint64_t end=0, uint64_t depth=0, uint64_t last=0,
          uint64_t count=0, uint64_t delivered=0, uint64_t dropped=0, uint64_t filtered=0):
    """The same as decision `number` happened once more at `now`. False when it is kept no longer.

    `count` and what was delivered, dropped and filtered are added, of `depth` the larger stays,
    the others are those of the last time.
    """
    cdef Decision made
    if number == 0 or state.decisions.rows[(number - 1) % DECISIONS].number != number:
        return False
    made = state.decisions.rows[(number - 1) % DECISIONS]
    made.until_ns = now
    made.times += 1
    made.connection, made.pid = connection, pid
    made.position, made.end, made.last = position, end, last
    made.depth = max(made.depth, depth)
    made.count += count
    made.delivered += delivered
    made.dropped += dropped
    made.filtered += filtered
    store(state, &made)
    return True


def made(State state not None):
    """How many decisions were made since the log began; the last CAPACITY of them are kept."""
    return state.decisions.made


def read(State state not None, uint64_t after=0):
    """The decisions kept whose number is above `after`, oldest first, as dicts.

    Raises BlockingIOError when the relay died while it wrote one (`relays.edge.status`).
    """
    cdef Decision copy
    cdef uint64_t newest = state.decisions.made, number
    cdef uint64_t first = newest - DECISIONS if newest > DECISIONS else 0
    rows = []
    for number in range(max(first, after) + 1, newest + 1):
        state._copy(&state.decisions.rows[(number - 1) % DECISIONS], &state.decisions.seq, &copy,
                    sizeof(copy))
        if copy.number != number:      # another has its place by now
            continue
        copy.name[sizeof(copy.name) - 1] = copy.text[sizeof(copy.text) - 1] = 0
        row = dict(copy)
        for text in ("name", "text"):  # a C string, which dict() makes bytes of
            row[text] = row[text].decode("ascii", "replace")
        rows.append(row)
    return rows
