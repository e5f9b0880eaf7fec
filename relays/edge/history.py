"""What was decided about connections, read from a relay's state as plain data (relays.md 8).

Called by `relays why` and `relays top`. The ring is written by `relays.core.decisions`, which says
what each kind means; here its numbers get their names. No sentences, and nothing that writes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protocol._core import decisions as ring
from protocol._core.state import State
from protocol.control import GapReason
from protocol.reject import label
from relays.core.decisions import Kind
from relays.edge.status import (
    PEER_CLOSED,
    SECOND,
    Look,
    consumer,
    described,
    finished,
    look,
    producer,
    produces,
    role_name,
)

ATTEMPTS = 5
PAUSE = 0.005

Row = Mapping[str, Any]
PROCESS = ("domain", "memory", "state", "pid", "alive", "started_ns", "last_seen_ns", "log")
SUMS = ("delivered", "dropped", "filtered")
ADOPTED = Kind.ADOPTED.name.lower()
OVER = {kind.name.lower() for kind in (Kind.CLOSED, Kind.ENDED, Kind.RELAY_DIED)}


def decisions(state: State, after: int = 0) -> list[dict[str, Any]]:
    """The decisions kept, oldest first: each who, when, what, and what belongs to that.

    `number` counts them since the log began, only those above `after` are given. Times are ns
    since the epoch, depths and counts messages. One that came again within a second (of those who
    come and go without end: a minute) is one with `times` and `until_ns`. Raises RelayError when
    the state is damaged.

    >>> decisions(state)[-1]["event"]  # doctest: +SKIP
    'breaker_opened'
    """
    return [_decision(row) for row in _read(state, after)]


def _read(state: State, after: int) -> list[dict[str, Any]]:
    for _ in range(ATTEMPTS):
        try:
            return ring.read(state, after)
        except BlockingIOError:  # its relay lost its turn while it wrote one, or died
            time.sleep(PAUSE)
    return ring.read(finished(state), after)


def _decision(row: Row) -> dict[str, Any]:
    kind = row["kind"]
    known = kind in set(Kind)
    when = {key: row[key] for key in ("number", "at_ns", "until_ns", "times")}
    who = {"relay_pid": row["relay"], "id": row["connection"], "uid": row["uid"]}
    who |= {"pid": row["pid"], "name": row["name"], "phase": role_name(row["role"])}
    what = {"event": Kind(kind).name.lower() if known else f"kind_{kind}"}
    where = {"position": row["position"], "end": row["end"]}
    return {**when, **who, **what, **where, **(_details(Kind(kind), row) if known else {})}


def _details(kind: Kind, row: Row) -> dict[str, Any]:
    match kind:
        case Kind.JOINED:
            return {"start": row["first"], "wants": row["text"]}
        case Kind.LAGGED:
            return {"lag": row["depth"]}
        case Kind.BREAKER_OPENED:
            wait = row["wait_ns"] / SECOND
            return {"lag": row["depth"], "wait_seconds": wait, "in_a_row": row["count"]}
        case Kind.GAP:
            return _gap(row)
        case Kind.REJECTED:
            numbers = {"first": row["first"], "last": row["last"], "frames": row["count"]}
            return {"reason": label(row["reason"]), **numbers}
        case Kind.CLOSED:
            return {"reason": label(row["reason"]), "why": row["text"], "lag": row["depth"]}
        case Kind.ENDED:
            reason = label(row["reason"]) if row["reason"] else PEER_CLOSED
            return {"reason": reason, **_sums(row)}
        case Kind.RELAY_DIED:
            several = {"connections": row["count"]} if row["count"] else {}
            return {"last_seen_ns": row["first"], **_sums(row), **several}
        case Kind.REFUSED:
            return {"reason": label(row["reason"])}
        case Kind.RELAY_STOPPED:
            return {"undelivered": row["depth"]}
        case Kind.ADOPTED:
            return {"predecessor": row["first"], "connections": row["count"]}
    return {}


def _sums(row: Row) -> dict[str, int]:
    return {**{key: row[key] for key in SUMS}, "undelivered": row["depth"]}


def _gap(row: Row) -> dict[str, Any]:
    number = row["reason"]
    known = number in set(GapReason)
    reason = GapReason(number).name.lower() if known else f"reason_{number}"
    lost = row["count"] or None
    return {"reason": reason, "first": row["first"], "last": row["last"], "lost": lost}


# --- by connection ---


@dataclass
class Connection:
    """One connection of one relay process: who it is, what was decided, what it is now."""

    relay_pid: int
    id: int
    uid: int
    pid: int
    name: str = ""
    phase: str = ""
    now: dict[str, Any] | None = None
    decisions: list[dict[str, Any]] = field(default_factory=list)

    def called(self, text: str) -> bool:
        """Whether somebody who says `text` means this one: a client name, a connection's number
        (`7` or `#7`) or a process (`4711` or `pid=4711`)."""
        names = {self.name} if self.name else set()
        if self.id:
            names |= {str(self.id), f"#{self.id}"}
        return text in names | {str(self.pid), f"pid={self.pid}"}


def connections(seen: Look, rows: Iterable[Row]) -> list[Connection]:
    """Every connection that is there or that a decision kept is about, in the order they came."""
    found: dict[tuple[int, ...], Connection] = {}
    for row in rows:
        if row["event"] == ADOPTED:
            _go_on(found, row)
        elif row["id"] or row["pid"]:
            one = found.setdefault(_key(row), _of(row))
            one.decisions.append(dict(row))
            one.name, one.phase = row["name"] or one.name, row["phase"]
    for who, now in _present(seen):
        one = found.setdefault(_key(who), _of(who))
        one.now, one.name, one.phase = now, who["name"], who["phase"]
    return list(found.values())


def _go_on(found: dict[tuple[int, ...], Connection], row: Row) -> None:
    """The connections of a process that another has adopted are that one's from here on."""
    for key, one in [*found.items()]:
        over = one.decisions and one.decisions[-1]["event"] in OVER
        if key[:1] == (row["predecessor"],) and one.id and not over:
            one.relay_pid = row["relay_pid"]
            one.decisions.append(dict(row))
            found[(one.relay_pid, one.id)] = found.pop(key)


def _key(row: Row) -> tuple[int, ...]:
    refused = (row["uid"], row["pid"]) if not row["id"] else ()
    return (row["relay_pid"], row["id"], *refused)


def _of(row: Row) -> Connection:
    return Connection(row["relay_pid"], row["id"], row["uid"], row["pid"])


def _present(seen: Look) -> Iterator[tuple[Row, dict[str, Any]]]:
    for row in seen.rows:
        now = producer(row) if produces(row) else {}
        if row["consuming"]:
            now |= consumer(row, seen)
        who = {**row, "relay_pid": seen.status["pid"], "phase": role_name(row["role"])}
        yield who, now or {"phase": role_name(row["role"])}


def history(domain_name: str, state: State, memory: Path, text: str) -> dict[str, Any]:
    """What happened to whoever `text` means (`Connection.called`), and how far back is known.

    Raises RelayError as `relays.edge.status.look` does.
    """
    seen = look(state)
    process = described(domain_name, seen, memory)
    rows = decisions(state)
    made = rows[-1]["number"] if rows else 0
    every = connections(seen, rows)
    return {
        **{key: process[key] for key in PROCESS},
        "kept": {
            "decisions": len(rows),
            "overwritten": made - len(rows),
            "since_ns": rows[0]["at_ns"] if rows else process["started_ns"],
        },
        "connections": [vars(one) for one in every if one.called(text)],
        "names": sorted({one.name for one in every if one.name}),
    }
