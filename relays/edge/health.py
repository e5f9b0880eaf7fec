"""Is the relay itself well, and is it ready? (relays.md 7)

Called by `relays.edge.metrics` for /healthz and /readyz. A fault is the relay's own; what its
producers and consumers do is never one, only mentioned. No HTTP in here.
"""

from __future__ import annotations

import os
import time

from protocol._core.state import State
from relays.core import accounting
from relays.core.breaker import HALF_OPEN, OPEN
from relays.edge.status import SECOND, STALLED, Look, breaker_name, consumer_name

LOOK_AGAIN = 0.1
SECOND_LOOKS = 15


def faults(state: State, seen: Look) -> list[str]:
    """What is wrong with the relay itself, a sentence each; empty when it is well.

    Waits up to 1.5 s before it calls a loop stalled.
    """
    words, books = seen.status, seen.books
    found = []
    if not words["accepting"] and not words["draining"]:
        behind = seen.journal["on"] and words["ready"]
        what = "frames: its journal does not keep up" if behind else "connections"
        found.append(f"it does not accept {what}")
    if seen.journal["on"] and seen.journal["failing"]:
        found.append(f"its journal cannot go on: {os.strerror(seen.journal['failing'])}")
    idle = stalled(state)
    if idle:
        found.append(f"its loop has not turned for {idle / SECOND:.1f} s")
    if books.unaccounted_messages or books.unaccounted_bytes:
        messages, size = books.unaccounted_messages, books.unaccounted_bytes
        found.append(f"{messages} messages and {size} bytes are unaccounted for")
    if words["damaged"]:
        found.append("a damaged state, log or journal was found; the relay's log says which")
    return found


def unready(seen: Look) -> list[str]:
    """Why a relay that is well should get no new connections."""
    if seen.status["draining"]:
        return ["it is draining"]
    return [] if seen.status["ready"] else ["it is not ready yet"]


def stalled(state: State) -> int:
    """For how many ns the loop has not turned, where that is over 5 s; else 0.

    A clock that was set makes a good loop look stalled until its next turn, within a second: what
    seems stalled is looked at again. One that has not begun to turn is not stalled.
    """
    first = state.read_status()["tick_ns"]
    for attempt in range(SECOND_LOOKS):
        if attempt:
            time.sleep(LOOK_AGAIN)
        tick = state.read_status()["tick_ns"]
        idle = abs(time.time_ns() - tick)
        if tick != first or idle <= STALLED or not tick:
            return 0
    return idle


def in_trouble(seen: Look) -> list[str]:
    """The consumers whose breaker is open or on trial, a line each, the worst lag first."""
    return [
        f"consumer {_plain(consumer_name(row))} uid={row['uid']} pid={row['pid']} id={row['id']} "
        f"breaker={breaker_name(row['breaker'])} "
        f"lag={accounting.reported_lag(row, seen.end)} "
        f"being_dropped={accounting.being_dropped(row, seen.end)}"
        for row in seen.consumers
        if row["breaker"] in (OPEN, HALF_OPEN)
    ]


def _plain(name: str) -> str:
    return name if name.isprintable() and " " not in name else ascii(name)
