"""Connections that outlive the process that served them (relays.md 2, 9).

Called by `relays.edge.handover`, which keeps the sockets. A connection is its record, its Hello and
what is Left beside them. A process that makes way for another says what is left; of one that died
only those connections go on that had left nothing: no mark, and no part of a frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protocol._core.connection import MARK_OWED, MARK_READING, Record
from protocol._core.scan import Track
from relays.core.access import Credentials, rights
from relays.core.breaker import OPEN
from relays.core.hub import Hub
from relays.core.peer import Peer, Phase
from relays.core.session import Kept, Plan, Refused, plan_again

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Left:
    """What of a connection is in no record: `held` bytes of a frame of which `missing` more are to
    come (0: not known yet), the `tail` of a frame and the `rest` of control frames that are half
    sent, the Hello that is `waiting` for its answer, the `hello` of a session where that is too
    large to be kept, and whether a snapshot is `due`."""

    held: bytes = b""
    missing: int = 0
    tail: bytes = b""
    rest: bytes = b""
    waiting: bytes = b""
    hello: bytes = b""
    due: bool = False


def crashes(status: Mapping[str, int], now: int, window: int) -> int:
    """How many processes in a row have died, each within `window` ns after it had adopted this
    state; 1 for one that lived longer, 0 where the last one ended as it should.

    >>> crashes({"pid": 7, "adopted_ns": 100, "crashes": 1}, now=130, window=50)
    2
    """
    if not status["pid"]:
        return 0
    return status["crashes"] + 1 if 0 <= now - status["adopted_ns"] < window else 1


def is_whole(row: Row, oldest: int) -> bool:
    """Whether all of a connection is in its record; `oldest` is the log's first byte. The rest of a
    frame half sent has to be in the log."""
    outside = row["marks"] or row["tail"] or row["sums"]["unfinished_bytes"]
    return bool(row["stored"]) and not outside and not (row["begun"] and row["offset"] < oldest)


def leave(peer: Peer, now: int) -> Left | None:
    """What of a connection is in no record; None for one that cannot go on. From here on nothing
    may be read from it, and nothing sent."""
    outlet, ingress = peer.outlet, peer.ingress
    in_snapshot = outlet.snapshots is not None and outlet.telling and not outlet.snapshots.due
    if peer.leaving or peer.closed or in_snapshot:
        return None
    if peer.record.begun and (outlet.outbox or outlet.past):
        outlet.detach()  # control frames come between frames, and the journal is read by frames
    if outlet.outbox:
        outlet.rest += outlet.outbox.encode(now)
    missing = 0 if ingress.large is None else len(ingress.large) - ingress.filled
    held = ingress.carry if ingress.large is None else ingress.large[: ingress.filled]
    hello = b"" if peer.record.hello else peer.hello
    due = outlet.snapshots is not None and outlet.snapshots.due
    return Left(bytes(held), missing, outlet.tail, outlet.rest, peer.waiting, hello, due)


def adopt(
    hub: Hub, place: int, who: Credentials, left: Left, now: int, line: object = None
) -> Peer:
    """Go on with the connection whose record is in `place`, and whose socket is `line`; it is
    closed where it may not be that any more, or where its Hello is not known. Call `answer` when
    all are adopted."""
    hub.now = now
    record, row = Record(hub.state, place), hub.state.read_connection(place)
    assert row is not None, place
    peer = hub.seat(record, who, rights(who, hub.config))
    peer.outlet.line = line
    peer.phase, peer.opened = Phase(row["role"]), row["role"] != Phase.NEW
    hub.let_produce(peer, peer.phase is Phase.PRODUCER)
    peer.hello = record.hello or left.hello
    if not _go_on(hub, peer, row, now):
        hub.finish(peer)
        return peer
    peer.ingress.restore(left.held, left.missing, now)
    hub.watch_frame(peer)
    peer.outlet.tail, peer.outlet.rest = left.tail, left.rest
    if left.rest:
        record.mark(MARK_OWED)
    if left.due and peer.outlet.snapshots is not None:
        peer.outlet.snapshots.due = True
    hub.todo.wake.append(peer)
    return peer


def answer(hub: Hub, peer: Peer, left: Left, now: int) -> None:
    """Answer the Hello that waited when the process before ended."""
    if left.waiting and not peer.closed and hub.handshake.control(peer, left.waiting, now):
        peer.record.unmark(MARK_READING)


def _go_on(hub: Hub, peer: Peer, row: Row, now: int) -> bool:
    """By its phase: what it may do, and what it gets. False where it may not."""
    may = peer.rights
    if row["consuming"] and not _is_kept(hub, row):
        return False
    match peer.phase:
        case Phase.SESSION:
            return _reopen(hub, peer, row, now)
        case Phase.PRODUCER:
            peer.ingress.track = _track(peer, row, hub.config.require_sequence)
            return may.produce
        case Phase.NEW:
            hub.expect(peer, now)
            return may.produce or may.consume
    peer.on_lag = hub.config.on_lag
    if row["consuming"]:
        hub.feeds.join_again(peer, row["breaker"], now)
    return may.consume


def _is_kept(hub: Hub, row: Row) -> bool:
    """Whether what is next for it is there, or is skipped anyhow: its breaker is open. What it has
    had is not ahead of what others may have, as where delivery waits for the journal since."""
    begun = hub.journal is not None or row["offset"] >= hub.state.oldest_offset
    skipped = row["breaker"] == OPEN
    return bool((begun or skipped) and row["offset"] <= hub.state.shown_offset)


def _track(peer: Peer, row: Row, fail_fast: bool) -> Track:
    """How far an anonymous producer's sequence is."""
    known = row["sums"]["accepted"] > 0 or row["last_sequence"] > 0
    return Track(
        last=row["last_sequence"], known=known, sources=peer.rights.sources, fail_fast=fail_fast
    )


def _reopen(hub: Hub, peer: Peer, row: Row, now: int) -> bool:
    wanted = _plan(hub, peer, row["position"])
    if wanted is None or (
        wanted.producer_id and not hub.producers.take((peer.who.uid, wanted.producer_id), now)
    ):
        return False
    hub.handshake.equip(peer, wanted, now)
    if wanted.produces and not wanted.producer_id:
        peer.ingress.track = _track(peer, row, fail_fast=False)
    if peer.outlet.snapshots is not None:
        peer.outlet.snapshots.due = False
    hub.handshake.sift(peer, wanted)
    if row["consuming"]:
        hub.feeds.join_again(peer, row["breaker"], now)
    hub.acknowledge(peer)
    return True


def _plan(hub: Hub, peer: Peer, position: int) -> Plan | None:
    if not peer.hello:
        return None
    config, kept = hub.config, Kept(hub.log, hub.journal)
    try:
        return plan_again(
            peer.hello, kept, peer.rights, config.on_lag, config.heartbeat_ms, position
        )
    except Refused:
        return None
