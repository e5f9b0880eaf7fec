"""Every message accounted for, worked out from the state's records alone (relays.md 5, 7).

Called by the metrics process, `relays status` and tests; the daemon never calls it. For each
consumer: positions passed = delivered + pending + dropped + filtered; for each producer, in bytes:
read = accepted + rejected + control + unfinished + discarded. What does not fit is unaccounted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from protocol._core.state import State
from relays.core.breaker import OPEN

DROPS = ("left", "too_slow", "too_old", "log_replaced")
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Books:
    """What moved, in all, the departed included; messages and bytes.

    `unaccounted_messages` and `unaccounted_bytes` are 0, always.
    """

    delivered: int
    delivered_bytes: int
    filtered: int
    dropped: Mapping[str, int]
    read_bytes: int
    unaccounted_messages: int
    unaccounted_bytes: int


def unaccounted_messages(sums: Row, passed: int, tail: int = 0) -> int:
    """Positions passed for which no count was made (or too many), of one consumer."""
    counted = sums["delivered"] + sums["filtered"] + sum(sums["dropped"]) + tail
    return abs(passed - int(counted))


def unaccounted_bytes(sums: Row) -> int:
    """Bytes read that were neither accepted nor refused nor kept, of one producer."""
    known = ("accepted", "rejected", "control", "unfinished", "discarded")
    return abs(int(sums["read_bytes"]) - sum(int(sums[f"{name}_bytes"]) for name in known))


def lag(row: Row, end: int) -> int:
    """Messages a consumer is owed. One whose breaker is open is owed nothing: it gets a Gap."""
    if not row["consuming"] or row["breaker"] == OPEN:
        return 0
    return max(0, end - max(int(row["position"]), int(row["confirmed"])))


def reported_lag(row: Row, end: int) -> int:
    """What lag is shown: measured from the position a session confirmed, where it did."""
    if row["confirmed"] and row["consuming"] and row["breaker"] != OPEN:
        return max(0, end - int(row["confirmed"]))
    return lag(row, end)


def being_dropped(row: Row, end: int) -> int:
    """Messages an open breaker has kept from a consumer so far; its Gap will name them."""
    if not row["consuming"] or row["breaker"] != OPEN:
        return 0
    return max(0, end - int(row["position"]))


def books(state: State) -> Books:
    """Add everything up, of a state that nobody writes meanwhile (`relays.edge.status.look` may).

    >>> books(state).unaccounted_messages  # doctest: +SKIP
    0
    """
    rows = state.read_connections()
    departed = state.read_counters()["departed"]
    return add_up(rows, departed, state.read_log()["end_position"])


def add_up(rows: Iterable[Row], departed: Row, end: int) -> Books:
    """The books of these connections and the departed, with the log's end at `end`."""
    rows = list(rows)
    every = [row["sums"] for row in rows] + [departed]
    dropped = {name: sum(sums["dropped"][n] for sums in every) for n, name in enumerate(DROPS)}
    dropped["too_slow"] += sum(being_dropped(row, end) for row in rows)
    messages = unaccounted_messages(departed, departed["passed"])
    for row in rows:
        passed = (row["position"] - row["start"]) % 2**64
        messages += unaccounted_messages(row["sums"], passed, row["tail"])
    return Books(
        delivered=sum(sums["delivered"] for sums in every),
        delivered_bytes=sum(sums["delivered_bytes"] for sums in every),
        filtered=sum(sums["filtered"] for sums in every),
        dropped=dropped,
        read_bytes=sum(sums["read_bytes"] for sums in every),
        unaccounted_messages=messages,
        unaccounted_bytes=sum(unaccounted_bytes(sums) for sums in every),
    )
