"""Deliberate faults of connections that outlive their relay: what is left out, or taken for whole.

Used by `mutations`. They are found where a relay has a service manager.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import patch

from protocol._core.connection import Record
from relays.core import adoption, hub
from relays.core.fanout import Outlet
from relays.edge import handover, memory
from relays.edge.store import Store
from tests.simulator.faults import Instead, Mutation


def _left_without(**what: Any) -> Any:
    def make(leave: Instead) -> Instead:
        def mutant(peer: Any, now: int) -> Any:
            left = leave(peer, now)
            return None if left is None else replace(left, **what)

        return mutant

    return make


def _tail_and_rest_swapped(leave: Instead) -> Instead:
    def mutant(peer: Any, now: int) -> Any:
        left = leave(peer, now)
        return None if left is None else replace(left, tail=left.rest, rest=left.tail)

    return mutant


def _not_detached(leave: Instead) -> Instead:
    def mutant(peer: Any, now: int) -> Any:
        with patch.object(Outlet, "detach", lambda outlet: None):
            return leave(peer, now)

    return mutant


def _whole_but_mark(mark: int) -> Any:
    def make(is_whole: Instead) -> Instead:
        return lambda row, oldest: bool(is_whole({**row, "marks": row["marks"] & ~mark}, oldest))

    return make


def _begun_forgotten(adopt: Instead) -> Instead:
    def mutant(hub_: Any, place: int, *arguments: Any) -> Any:
        record = Record(hub_.state, place)
        if record.begun:
            record.consume_from(record.position, record.offset + record.begun)
        return adopt(hub_, place, *arguments)

    return mutant


class UnmarkedSending(Record):
    """Does not say that it sends before it sends."""

    def span(self, limit: int) -> tuple[int, int]:
        found: tuple[int, int] = super().span(limit)
        self.unmark(2)
        return found


def _owed_no_more(took: Instead) -> Instead:
    def mutant(outlet: Any, size: int, now: int) -> Any:
        more = took(outlet, size, now)
        outlet.record.unmark(4)
        return more

    return mutant


def _stored_at_once(keep: Instead) -> Instead:
    def mutant(store: Any, connection: Any) -> None:
        keep(store, connection)
        connection.peer.record.stored(2**50 + connection.sock.number, True)

    return mutant


def _never_dies(_: Instead) -> Instead:
    return lambda status, now, window: min(1, status["pid"])


def _asleep(adopt: Instead) -> Instead:
    def mutant(hub_: Any, *arguments: Any) -> Any:
        peer = adopt(hub_, *arguments)
        hub_.todo.wake.clear()
        return peer

    return mutant


def _silent(reopen: Instead) -> Instead:
    def mutant(hub_: Any, *arguments: Any) -> bool:
        hub_.acknowledge, kept = lambda peer: None, hub_.acknowledge
        done = reopen(hub_, *arguments)
        hub_.acknowledge = kept
        return bool(done)

    return mutant


MANAGER_MUTATIONS = {
    "leave no carry": Mutation(
        "what was read of a frame is not handed over",
        handover, "leave", _left_without(held=b"", missing=0), 20,
    ),
    "leave no rest": Mutation(
        "control frames half sent are not handed over", handover, "leave",
        _left_without(rest=b""), 90,
    ),
    "leave no tail": Mutation(
        "the rest of a frame half sent is not handed over", handover, "leave",
        _left_without(tail=b""), 90,
    ),
    "swap tail and rest": Mutation(
        "control frames go out within a frame", handover, "leave", _tail_and_rest_swapped, 90
    ),
    "begun not detached": Mutation(
        "control frames are handed over in the middle of a frame", handover, "leave",
        _not_detached, 90,
    ),
    "begun not honoured": Mutation(
        "the rest of a frame half sent is taken for sent", handover, "adopt", _begun_forgotten, 20
    ),
    "adopt who reads": Mutation(
        "what was read and not committed is lost", handover, "is_whole", _whole_but_mark(1), 560
    ),
    "adopt who sends": Mutation(
        "what was sent and not counted goes out again", handover, "is_whole",
        _whole_but_mark(2), 60,
    ),
    "adopt who is owed": Mutation(
        "control frames that were owed are never sent", handover, "is_whole",
        _whole_but_mark(4), 160,
    ),
    "no mark before sending": Mutation(
        "a send is not marked", hub, "Record", lambda _: UnmarkedSending, 860
    ),
    "owed no more": Mutation(
        "what is owed counts as sent with the first send", Outlet, "took", _owed_no_more, 60
    ),
    "ack not repeated": Mutation(
        "an Ack that died with the relay is not sent again", adoption, "_reopen", _silent, 60
    ),
    "stored at once": Mutation(
        "a copy counts before the manager has it", Store, "keep", _stored_at_once, 160
    ),
    "third time": Mutation(
        "relays that die and die adopt all the same", memory, "crashes", _never_dies, 20
    ),
    "asleep": Mutation(
        "nobody looks at what connections that go on are owed", handover, "adopt", _asleep, 60
    ),
}  # fmt: skip
