"""What was decided about connections, kept in the state's ring for `relays why` (relays.md 8).

Called by `relays.edge.relay` with everything the core reports, beside the log line it becomes, and
by `relays.edge.memory` for connections a dead predecessor left. Which event is kept as what, and
what of it, is here; reading the ring is `relays.edge.history`'s, deciding anything is not.
"""

from __future__ import annotations

from collections.abc import Container
from enum import IntEnum
from typing import Any

from protocol._core import decisions as ring
from protocol._core.state import State
from protocol.control import GapReason
from protocol.reject import Reject
from relays.core.peer import Peer

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
REMEMBERED = 1024
FEW = 16
DEATHS = 256
ENDING = ("delivered", "dropped", "filtered", "depth")


class Kind(IntEnum):
    """What was decided; the numbers stand in the state."""

    RELAY_STARTED = 1
    RELAY_STOPPED = 2
    JOINED = 3
    LAGGED = 4
    CAUGHT_UP = 5
    BREAKER_OPENED = 6
    GAP = 7
    BREAKER_CLOSED = 8
    REJECTED = 9
    CLOSED = 10
    ENDED = 11
    RELAY_DIED = 12
    REFUSED = 13
    ADOPTED = 14


EVENTS = {
    "connection opened": Kind.JOINED,
    "session opened": Kind.JOINED,
    "lagged": Kind.LAGGED,
    "caught up": Kind.CAUGHT_UP,
    "breaker opened": Kind.BREAKER_OPENED,
    "gap": Kind.GAP,
    "breaker closed": Kind.BREAKER_CLOSED,
    "rejected": Kind.REJECTED,
    "connection closed": Kind.CLOSED,
    "connection ended": Kind.ENDED,
}
# What may happen many times a second; within a second of the last time it is the same decision.
REPEATED = {Kind.LAGGED, Kind.CAUGHT_UP, Kind.GAP, Kind.REJECTED, Kind.REFUSED}
# What somebody who comes and goes without end would fill the ring with: of one user and name FEW
# are kept each by itself, what follows within a minute of the last time is the same decision.
PASSING = {Kind.JOINED, Kind.CLOSED, Kind.ENDED, Kind.REFUSED}
AGAIN = ("connection", "pid", "position", "end", "depth", "last", "count", "delivered", "dropped",
         "filtered")  # fmt: skip


class Decisions:
    """The writing end of one relay's ring; `pid` is the relay's own.

    >>> Decisions(state, pid).report("gap", peer, now, first=3, last=9, reason="too_old")
    ... # doctest: +SKIP
    """

    def __init__(self, state: State, pid: int) -> None:
        self._state, self._pid = state, pid
        self._last: dict[tuple[int | str, ...], tuple[int, int, int]] = {}
        self._most = REMEMBERED

    def report(self, event: str, peer: Peer | None, now: int, **fields: Any) -> None:
        """Keep one thing the core reported, if it is of a kind that is kept."""
        kind = EVENTS.get(event)
        if kind is None or peer is None:
            return
        record = peer.record
        words = {
            "connection": peer.number, "uid": peer.who.uid, "pid": peer.who.pid,
            "role": int(peer.phase), "position": record.position,
            "end": self._state.end_position,
        } | _details(kind, peer, fields)  # fmt: skip
        self._keep(kind, now, words, peer.name, str(fields.get("why", "")))

    def refused(self, uid: int, pid: int, reason: Reject, now: int) -> None:
        """A connection was accepted and closed again at once: of which process, as far as few do
        that; beyond it the one named is the last."""
        self._keep(Kind.REFUSED, now, {"uid": uid, "pid": pid, "reason": int(reason)})

    def started(self, now: int) -> None:
        """This relay accepts from here on."""
        self._keep(Kind.RELAY_STARTED, now, {"end": self._state.end_position})

    def adopted(self, now: int, predecessor: int, count: int) -> None:
        """This relay goes on with `count` connections of the process `predecessor`: what that
        decided about them belongs to those of the same numbers here."""
        words = {"end": self._state.end_position, "first": predecessor, "count": count}
        self._keep(Kind.ADOPTED, now, words)

    def stopped(self, now: int, undelivered: int) -> None:
        """This relay drained and ends; `undelivered` messages were owed to all together."""
        self._keep(Kind.RELAY_STOPPED, now, {"end": self._state.end_position, "depth": undelivered})

    def _keep(
        self, kind: Kind, now: int, words: dict[str, int], name: str = "", text: str = ""
    ) -> None:
        who = kind, words.get("uid", 0), words.get("reason", 0)
        one = (*who, words.get("connection", 0), words.get("pid", 0))
        passing = (*who, words.get("role", 0), name)
        if kind in REPEATED and self._again(one, 1, SECOND, now, words):
            return
        if kind in PASSING and self._again(passing, FEW, MINUTE, now, words):
            return
        number = ring.note(
            self._state, now, name=name, text=text, relay=self._pid, kind=kind, **words
        )
        if kind in REPEATED:
            self._last[one] = number, now, 1
        if kind in PASSING:
            rows = self._since(passing, MINUTE, now)[1] + 1
            self._last[passing] = number, now, rows

    def _since(self, key: tuple[int | str, ...], window: int, now: int) -> tuple[int, int]:
        """The decision that was the last of these, and how many were made of them; `window` ns
        without any, and they begin anew."""
        number, last, rows = self._last.get(key, (0, 0, 0))
        return (number, rows) if rows and 0 <= now - last < window else (0, 0)

    def _again(
        self, key: tuple[int | str, ...], few: int, window: int, now: int, words: dict[str, int]
    ) -> bool:
        self._forget(now)
        number, rows = self._since(key, window, now)
        if not number or rows < few:
            return False
        self._last[key] = number, now, rows
        return ring.again(self._state, number, now, **{word: words.get(word, 0) for word in AGAIN})

    def _forget(self, now: int) -> None:
        """Where too many are remembered, only those of the last second are."""
        if len(self._last) > self._most:
            self._last = {
                key: kept for key, kept in self._last.items() if 0 <= now - kept[1] < SECOND
            }
            self._most = max(REMEMBERED, 2 * len(self._last))


def _details(kind: Kind, peer: Peer, fields: dict[str, Any]) -> dict[str, int]:
    """What is kept of an event beyond whom it concerned and where the log was."""
    match kind:
        case Kind.JOINED:
            start = fields.get("start", peer.record.position)  # where its record is in a moment
            return {"first": start, "position": start}
        case Kind.LAGGED | Kind.CAUGHT_UP:
            return {"depth": fields["lag"]}
        case Kind.BREAKER_OPENED:
            return {
                "depth": fields["lag"], "wait_ns": peer.breaker.wait,
                "count": peer.breaker.in_a_row,
            }  # fmt: skip
        case Kind.GAP:
            return _gap(**fields)
        case Kind.REJECTED:
            first, count = fields["sequence"], fields["count"]
            last = fields.get("last", first)
            return {"reason": Reject[fields["reason"]], "first": first, "last": last,
                    "count": count}  # fmt: skip
        case Kind.CLOSED:
            depth = peer.record.lag if peer.consuming else 0
            return {"reason": Reject[fields["reason"]], "depth": depth}
        case Kind.ENDED:
            return {"reason": int(peer.reason or 0), **{key: fields[key] for key in ENDING}}
    return {}


def _gap(*, first: int, last: int, reason: str, **_: Any) -> dict[str, int]:
    """Nobody knows how many are lost with another log: a count of 0."""
    number = GapReason[reason.upper()]
    count = 0 if number == GapReason.LOG_REPLACED else last - first + 1
    return {"reason": number, "first": first, "last": last, "count": count}


def relay_died(state: State, now: int, adopted: Container[int] = ()) -> int:
    """Keep, of each connection a dead predecessor left open, that it died; gives how many. Those in
    the places `adopted` go on.

    Called before the records of those connections are closed, and again where that was not come
    to: what is said already is not said twice. `first` is when it last was seen. Beyond DEATHS
    of them, those with a name first, the others are one decision with their `count` and sums.
    """
    status, end = state.read_status(), state.read_log()["end_position"]
    words: dict[str, Any] = {
        "kind": Kind.RELAY_DIED, "relay": status["pid"], "first": status["tick_ns"], "end": end,
    }  # fmt: skip
    said = {row["connection"] for row in ring.read(state) if words.items() <= row.items()}
    rows = [row for row in state.read_connections() if row["slot"] not in adopted]
    rows.sort(key=lambda row: not row["name"])
    for row in [] if 0 in said else rows[:DEATHS]:
        if row["id"] not in said:
            who: dict[str, Any] = {key: row[key] for key in ("uid", "pid", "role", "position")}
            who |= _owed([row], end)
            ring.note(state, now, name=row["name"], connection=row["id"], **words, **who)
    if 0 not in said and rows[DEATHS:]:
        others = rows[DEATHS:]
        ring.note(state, now, count=len(others), **words, **_owed(others, end))
    return len(rows)


def _owed(rows: list[dict[str, Any]], end: int) -> dict[str, Any]:
    """What these connections were given, and what they were owed, in all."""
    return {
        "delivered": sum(row["sums"]["delivered"] for row in rows) % 2**64,
        "dropped": sum(sum(row["sums"]["dropped"]) for row in rows) % 2**64,
        "filtered": sum(row["sums"]["filtered"] for row in rows) % 2**64,
        "depth": sum(max(0, end - row["position"]) for row in rows if row["consuming"]) % 2**64,
    }
