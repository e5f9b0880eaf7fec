"""What a relay is doing, as plain data read from its state (relays.md 7, 8).

`status` is for `relays status` and for SIGUSR1 in the daemon; `look` is what it, `relays top` and
the metrics process read. No tables, no metric names, and nothing that writes to the state.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocol._core.journal_words import journal_words
from protocol._core.keep import DROPS
from protocol._core.places import layout
from protocol._core.ring import Mapping as Memory
from protocol._core.state import State
from protocol.catalogue import source_name, type_name
from protocol.reject import Reject, label
from relays.core import accounting, breaker
from relays.core.peer import ROLES, Phase
from relays.errors import RelayError

LOOKS = 20
PAUSE = 0.001
SECOND = 1_000_000_000
STALLED = 5 * SECOND
START_SLACK = 2.0
PEER_CLOSED = "peer_closed"
KNOWN = frozenset(int(code) for code in Reject)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a state: its records, each of one moment, and the books they come to."""

    now_ns: int
    geometry: Row
    status: Row
    log: Row
    counters: Row
    rows: list[dict[str, Any]]
    books: accounting.Books
    journal: Row

    @property
    def end(self) -> int:
        """The position the next accepted frame gets."""
        return int(self.log["end_position"])

    @property
    def consumers(self) -> list[dict[str, Any]]:
        """The connections that are fed, the one that lags most first."""
        fed = [row for row in self.rows if row["consuming"]]
        return sorted(fed, key=lambda row: (-accounting.reported_lag(row, self.end), row["id"]))


def look(state: State) -> Look:
    """Read everything once. Raises RelayError when a relay died in a write that cannot be finished.

    Records are read one after the other. A connection that ends meanwhile moves its sums from its
    record to those of the departed, and would be counted twice or not at all: so the departed must
    be the same before and after, and what does not add up must do so twice to be believed. The
    log's end is read before its consumers: what an open breaker is said to have cost must never be
    more than it did, or a counter would fall when the Gap is made.
    """
    try:
        return _steady(state)
    except BlockingIOError:
        return _steady(finished(state))


def _steady(state: State) -> Look:
    wrong: tuple[int, int] | None = None
    for _ in range(LOOKS):
        before = state.read_counters()["departed"]
        log = state.read_log()
        rows = state.read_connections()
        counters = state.read_counters()
        books = accounting.add_up(rows, counters["departed"], log["end_position"])
        found = (books.unaccounted_messages, books.unaccounted_bytes)
        if before == counters["departed"]:
            if found in ((0, 0), wrong):
                break
            wrong = found
        time.sleep(PAUSE)
    _fill_waiting(state, rows)
    geometry, status = state.read_geometry(), state.read_status()
    journal = journal_words(state)
    return Look(time.time_ns(), geometry, status, log, counters, rows, books, journal)


def _fill_waiting(state: State, rows: list[dict[str, Any]]) -> None:
    """Since when a consumer waits that had everything until the kernel took nothing more of it:
    its record has no time then, but the log's index has."""
    for row in rows:
        if row["consuming"] and not row["waiting_since_ns"]:
            row["waiting_since_ns"] = state.time_at(row["position"])


def finished(state: State) -> State:
    """A copy of a state whose writer stopped in the middle, with what it had begun done."""
    geometry = state.read_geometry()
    places = layout(
        geometry["log_bytes"], geometry["connections"], geometry["producers"],
        bool(geometry["windows"]),
    )  # fmt: skip
    fd = os.memfd_create("relay-state", os.MFD_CLOEXEC)
    try:
        os.ftruncate(fd, places["end"])
        memory = Memory(fd, places["end"], True)
    finally:
        os.close(fd)
    kept = places["windows"]
    memoryview(memory)[:kept] = memoryview(state.memory)[:kept]
    copy = State(memory, None)
    try:
        copy.recover()
    except ValueError as error:
        raise RelayError(f"the state is damaged: {error}", os.EX_SOFTWARE) from None
    return copy


# --- names and measures shared by metrics and status ---


def role_name(role: int) -> str:
    """The metric label of a connection's phase.

    >>> role_name(1), role_name(9)
    ('plain', 'role_9')
    """
    return ROLES[role] if role < len(ROLES) else f"role_{role}"


def breaker_name(number: int) -> str:
    """The name of a breaker's state as it stands in a record."""
    return breaker.NAMES[number] if number < len(breaker.NAMES) else f"breaker_{number}"


def consumer_name(row: Row) -> str:
    """What a consumer is called: the name its client gave, else what it is (plain, session)."""
    return str(row["name"]) or role_name(row["role"])


def lag_bytes(row: Row, log: Row) -> int:
    """Bytes of the log a consumer is owed; none while its breaker is open."""
    if not row["consuming"] or row["breaker"] == breaker.OPEN:
        return 0
    return max(0, int(log["end_offset"]) - int(row["offset"]))


def lag_seconds(row: Row, seen: Look) -> float:
    """How long the next frame owed to a consumer has waited; 0.0 when it is owed none."""
    since = int(row["waiting_since_ns"])
    if not since or not lag_bytes(row, seen.log):
        return 0.0
    return max(0, seen.now_ns - since) / SECOND


def reason_counts(counts: Sequence[int], first: str = "") -> dict[str, int]:
    """A counter by Reject as {label: count}: every known reason, others where they occurred.

    `first` is what number 0 is called, where it means something.
    """
    found = {first: counts[0]} if first else {}
    for code in range(1, len(counts)):
        if counts[code] or code in KNOWN:
            found[label(code)] = counts[code]
    return found


# --- status ---


def status(domain_name: str, state: State, memory: Path) -> dict[str, Any]:
    """Everything `relays status --json` shows of one relay (relays.md 8).

    `memory` is the path of the state's file. Times in ns since the epoch or, where named so,
    seconds; sizes in bytes; lag in messages. Raises RelayError as `look` does.

    >>> status("signals", state, path)["unaccounted"]  # doctest: +SKIP
    {'messages': 0, 'bytes': 0}
    """
    return described(domain_name, look(state), memory)


def described(domain_name: str, seen: Look, memory: Path) -> dict[str, Any]:
    """The same of a look that was taken already."""
    roles = Counter(role_name(row["role"]) for row in seen.rows)
    return {
        "domain": domain_name,
        "memory": str(memory),
        **_process(seen),
        "log": _log(seen),
        "journal": _journal(seen.journal),
        "connections": {role: roles.get(role, 0) for role in ROLES},
        "consumers": [consumer(row, seen) for row in seen.consumers],
        "producers": [producer(row) for row in seen.rows if produces(row)],
        "snapshots": _snapshots(seen.status),
        "totals": _totals(seen),
        "unaccounted": {
            "messages": seen.books.unaccounted_messages,
            "bytes": seen.books.unaccounted_bytes,
        },
    }


def _process(seen: Look) -> dict[str, Any]:
    words = seen.status
    running = alive(words, seen.now_ns)
    until = seen.now_ns if running else words["tick_ns"]
    return {
        "state": _state(words, running),
        "pid": words["pid"],
        "alive": running,
        "started_ns": words["started_ns"],
        "last_seen_ns": words["tick_ns"],
        "stalled_seconds": _stalled(words, seen.now_ns) / SECOND if running else 0.0,
        "uptime_seconds": max(0, until - words["started_ns"]) / SECOND,
        "accepting": bool(words["accepting"]),
        "damaged": bool(words["damaged"]),
        "adoptions": words["adoptions"],
        "metrics_port": words["metrics_port"],
    }


def _state(words: Row, running: bool) -> str:
    if not running:
        return "dead" if words["pid"] else "stopped"
    if words["draining"]:
        return "draining"
    return "running" if words["ready"] else "starting"


def _stalled(words: Row, now_ns: int) -> int:
    """For how many ns the loop has not turned, where that is too long; else 0. Where the clock was
    just set it is wrong until the next turn: `health` looks again, here the reader does."""
    idle = abs(now_ns - int(words["tick_ns"]))
    return idle if words["tick_ns"] and idle > STALLED else 0


def alive(words: Row, now_ns: int) -> bool:
    """Whether the process that wrote this status still is there, from /proc alone.

    Its number may be another process's by now: one that began after the relay did, while the
    relay's loop is not seen to turn.
    """
    began = _began(words["pid"]) if words["pid"] else None
    if began is None:
        return False
    turning = 0 <= now_ns - int(words["tick_ns"]) < STALLED
    return turning or began <= int(words["started_ns"]) / SECOND + START_SLACK


def _began(pid: int) -> float | None:
    """When a process began, seconds since the epoch; None where there is none, or a dead one."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if fields[0] in (b"Z", b"X"):
        return None
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return booted + int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _log(seen: Look) -> dict[str, Any]:
    log, size = seen.log, seen.geometry["log_bytes"]
    filled = log["end_offset"] - log["oldest_offset"]
    return {
        "log_id": f"{seen.geometry['log_id']:016x}",
        "end_position": log["end_position"],
        "oldest_position": log["oldest_position"],
        "bytes": size,
        "filled_bytes": filled,
        "filled": round(filled / size, 4),
        "commit_ns": log["commit_ns"],
    }


def _journal(words: Row) -> dict[str, Any] | None:
    """What is shown of the journal; None without one. `failing` is what keeps it from going on."""
    if not words["on"]:
        return None
    return {
        "position": words["written_position"],
        "synced_position": words["synced_position"],
        "oldest_position": words["oldest_position"],
        "waiting_commits": max(0, words["made"] - words["safe"]),
        "bytes": words["disk_bytes"],
        "segments": words["segments"],
        "syncs": words["syncs"],
        "sync_seconds": words["sync_ns"] / SECOND,
        "failures": words["failures"],
        "failing": os.strerror(words["failing"]) if words["failing"] else "",
    }


def _who(row: Row) -> dict[str, Any]:
    return {
        "name": row["name"],
        "id": row["id"],
        "uid": row["uid"],
        "pid": row["pid"],
        "phase": role_name(row["role"]),
    }


def consumer(row: Row, seen: Look) -> dict[str, Any]:
    """What is shown of one consumer."""
    sums = row["sums"]
    missing = accounting.being_dropped(row, seen.end)
    return _who(row) | {
        "position": row["position"],
        "lag": accounting.reported_lag(row, seen.end),
        "lag_bytes": lag_bytes(row, seen.log),
        "lag_seconds": lag_seconds(row, seen),
        "unread_bytes": row["unread_bytes"],
        "breaker": breaker_name(row["breaker"]),
        "trips": row["trips"],
        "delivered": sums["delivered"],
        "dropped": sum(sums["dropped"]) + missing,
        "missing": missing,
        "filtered": sums["filtered"],
    }


def produces(row: Row) -> bool:
    """Whether a connection is, or was, a producer."""
    sums = row["sums"]
    return bool(row["role"] == Phase.PRODUCER or sums["accepted"] or sums["rejected"])


def producer(row: Row) -> dict[str, Any]:
    """What is shown of one producer."""
    sums = row["sums"]
    return _who(row) | {
        "producer_id": row["producer_id"],
        "last_sequence": row["last_sequence"],
        "accepted": sums["accepted"],
        "rejected": sums["rejected"],
        "read_bytes": sums["read_bytes"],
    }


def _snapshots(words: Row) -> dict[str, Any]:
    return {
        "instruments": words["snapshot_instruments"],
        "bytes": words["snapshot_bytes"],
        "dropped": dict(zip(DROPS, words["snapshot_dropped"], strict=True)),
        "begun": words["snapshots"],
        "messages": words["snapshot_messages"],
        "message_bytes": words["snapshot_message_bytes"],
    }


def _totals(seen: Look) -> dict[str, Any]:
    counters, books = seen.counters, seen.books
    return {
        "received": sum(counters["by_source"]),
        "received_bytes": books.read_bytes,
        "accepted": sum(counters["by_type"]),
        "rejected": sum(counters["by_reason"]),
        "delivered": books.delivered,
        "delivered_bytes": books.delivered_bytes,
        "filtered": books.filtered,
        "dropped": dict(books.dropped),
        "breaker_trips": counters["trips"],
        "clock_skew": counters["skew"],
        "sequence_gaps": sum(counters["gaps_by_source"]),
        "by_source": _seen(counters["by_source"], source_name),
        "by_type": _seen(counters["by_type"], type_name),
        "rejects": _nonzero(reason_counts(counters["by_reason"])),
        "disconnects": _nonzero(reason_counts(counters["disconnects"], PEER_CLOSED)),
    }


def _seen(counts: Sequence[int], name: Callable[[int], str]) -> dict[str, int]:
    return {name(number): count for number, count in enumerate(counts) if count}


def _nonzero(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}
