"""Deliberate faults in the core, to show that the simulator finds them.

Each replaces one method of the relay's Python for the time of a run; the product has no hook for
it. Those of the journal are in `journal_mutations`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from protocol._core.connection import Record
from protocol._core.scan import Track
from protocol.control import Ack, Start
from relays.core import handshake, hub, session
from relays.core.breaker import CLOSED, HALF_OPEN, OPEN, Breaker
from relays.core.fanout import Outlet
from relays.core.feeds import Feeds
from relays.core.handshake import Handshake
from relays.core.hub import Hub
from relays.core.outbox import Outbox
from relays.core.producers import Producers
from relays.core.refusals import Refusals
from relays.core.snapshot import Snapshots
from tests.simulator.faults import Instead, Mutation, nothing
from tests.simulator.journal_mutations import JOURNAL_MUTATIONS
from tests.simulator.manager_mutations import MANAGER_MUTATIONS


def _shorter_gap(add_gap: Instead) -> Instead:
    def mutant(outbox: Any, lost: Any) -> None:
        shorter = lost.count > 1 and lost.count < 2**63
        add_gap(
            outbox, replace(lost, last=lost.last - 1, count=lost.count - 1) if shorter else lost
        )

    return mutant


def _gap_without_snapshot(add_gap: Instead) -> Instead:
    def mutant(outbox: Any, lost: Any) -> None:
        outbox.snapshots, kept = None, outbox.snapshots
        add_gap(outbox, lost)
        outbox.snapshots = kept

    return mutant


class CursorOffByOne(Record):
    """Counts from one position too far."""

    def consume_from(self, position: int, offset: int) -> None:
        super().consume_from(position + (position < self.state.end_position), offset)


class DropNotCounted(Record):
    """Goes over a gap without counting what it loses."""

    def skip_to(self, position: int, offset: int, reason: int) -> tuple[int, int]:
        first = self.position
        self.consume_from(position, offset)
        return first, position - 1


class FilteredTwice(Record):
    """Forgets that it has passed what it counts as filtered."""

    def gathered(self, wanted: Any, taken: int, now: int) -> bool:
        filtered = self.filtered
        done = super().gathered(wanted, taken, now)
        if self.filtered > filtered and not self.begun:
            self.consume_from(self.position, self.offset)
        return done


class DeliveryNotCounted(Record):
    """Now and then does not count a frame that it sent."""

    def sent(self, taken: int, now: int) -> bool:
        self.state.skip_count = 1
        done = super().sent(taken, now)
        self.state.skip_count = 0
        return done


def _no_carry(watch_frame: Instead) -> Instead:
    def mutant(hub: Any, peer: Any) -> None:
        peer.ingress.carry = bytearray()
        watch_frame(hub, peer)

    return mutant


def _half_detached(_: Instead) -> Instead:
    def mutant(outlet: Any) -> None:
        outlet.tail += outlet.record.begun_frame()

    return mutant


def _whole_rest(took: Instead) -> Instead:
    def mutant(outlet: Any, size: int, now: int) -> Any:
        return took(outlet, len(outlet.rest) if outlet._kind == 1 else size, now)

    return mutant


def _for_ever_half_open(settle: Instead) -> Instead:
    def mutant(breaker: Any, *arguments: Any, **named: Any) -> bool:
        return breaker.state != HALF_OPEN and bool(settle(breaker, *arguments, **named))

    return mutant


def _at_half(over: Instead) -> Instead:
    return lambda breaker, lag, size, limits: over(breaker, lag * 2, size * 2, limits)


def _at_double(over: Instead) -> Instead:
    return lambda breaker, lag, size, limits: over(breaker, lag // 2, size, limits)


def _at_once(_: Any) -> property:
    return property(lambda breaker: breaker.state == OPEN, lambda breaker, value: None)


def _begins(by: int) -> Callable[[Instead], Instead]:
    def make(begin: Instead) -> Instead:
        def mutant(hello: Any, kept: Any, since: Any) -> Any:
            asked, start, gap = begin(hello, kept, since)
            if hello.start == Start.AT_POSITION and kept.oldest <= start + by <= kept.end:
                start += by
            return start if gap is None else asked, start, gap

        return mutant

    return make


def _last_but_one(_: Instead) -> Instead:
    def mutant(*, last: int = 0, known: bool = False, **named: Any) -> Track:
        return Track(last=max(0, last - 1), known=known, **named)

    return mutant


def _ack_ahead(send: Instead) -> Instead:
    def mutant(hub_: Any, peer: Any, ack: Ack) -> None:
        send(hub_, peer, ack.replace(sequence=ack.sequence + 1))

    return mutant


def _talks_to_plain(become_plain: Instead) -> Instead:
    def mutant(hub_: Any, peer: Any, now: int) -> None:
        become_plain(hub_, peer, now)
        peer.outlet.outbox = hub_.handshake._outbox(peer)
        peer.outlet.outbox.heartbeat = True

    return mutant


def _no_fence(_: Instead) -> Instead:
    def mutant(shake: Any, old: Any, peer: Any, frame: bytes, now: int) -> Any:
        shake.gone(old)
        return not (peer.closed or peer.leaving) and shake._hello(peer, frame, now)

    return mutant


def _expects_next(tell: Instead) -> Instead:
    def mutant(refusals: Any, peer: Any, refusal: Any, expected: int) -> None:
        tell(refusals, peer, refusal, expected + 1)

    return mutant


def _one_ahead(make: Instead) -> Instead:
    def mutant(shake: Any, peer: Any) -> Any:
        outbox = make(shake, peer)
        where = outbox.where
        outbox.where = lambda: (where()[0] + 1, *where()[1:])
        return outbox

    return mutant


def _forgetful_keep(accepted: Instead) -> Instead:
    def mutant(hub_: Any) -> None:
        kept = hub_.keep
        if kept is not None and hub_.log.end % 5 == 0:
            kept.follow(type(hub_.tally)())  # as if none of them had been of an instrument
        else:
            accepted(hub_)

    return mutant


def _no_room_made(_: Instead) -> Instead:
    def mutant(feeds: Any, size: int, now: int) -> None:
        state = feeds.log.state
        if state.horizon(size) > state.oldest_offset:
            state.give_way(state.horizon(size))

    return mutant


def _armed_anew(_: Instead) -> Instead:
    def mutant(breaker: Any, now: int, limits: Any) -> bool:
        breaker.opened, breaker.wait, breaker.calm_since = now, limits.recovery, None
        breaker.state = CLOSED
        return True

    return mutant


def _unlimited(_: Instead) -> Instead:
    return property(lambda hub_: 10**6)  # type: ignore[return-value]


MUTATIONS = {
    "skip a gap": Mutation("a Gap is due and not sent", Outbox, "add_gap", nothing, 20),
    "gap too short": Mutation(
        "a Gap names one position less than was lost", Outbox, "add_gap", _shorter_gap, 20
    ),
    "gap without snapshot": Mutation(
        "after a Gap no snapshot is sent", Outbox, "add_gap", _gap_without_snapshot, 40
    ),
    "cursor off by one": Mutation(
        "a cursor's position is not that of its byte", hub, "Record", lambda _: CursorOffByOne, 20
    ),
    "drop not counted": Mutation(
        "what a Gap loses is not counted", hub, "Record", lambda _: DropNotCounted, 20
    ),
    "filtered twice": Mutation(
        "filtered frames count where they were not passed",
        hub, "Record", lambda _: FilteredTwice, 20,
    ),
    "delivery not counted": Mutation(
        "one frame of each send is not counted", hub, "Record", lambda _: DeliveryNotCounted, 4
    ),
    "forget the carry": Mutation(
        "an incomplete frame's bytes are lost", Hub, "watch_frame", _no_carry, 4
    ),
    "double after detach": Mutation(
        "the rest of a frame half sent goes out twice", Outlet, "detach", _half_detached, 20
    ),
    "short send": Mutation(
        "control frames of which the kernel took a part are taken for sent",
        Outlet, "took", _whole_rest, 20,
    ),
    "breaker never closes": Mutation(
        "a breaker stays half open", Breaker, "settle", _for_ever_half_open, 40
    ),
    "breaker too early": Mutation(
        "a breaker opens at half its threshold", Breaker, "over", _at_half, 20
    ),
    "breaker too late": Mutation(
        "a breaker opens at twice its threshold", Breaker, "over", _at_double, 20
    ),
    "no recovery": Mutation(
        "an open breaker is tried again at once", Breaker, "recovered", _at_once, 40
    ),
    "commit without limit": Mutation(
        "a commit may have any number of frames", Hub, "commit_limit", _unlimited, 40
    ),
    "resume early": Mutation(
        "who returns is sent one position again", session, "_begin", _begins(-1), 20
    ),
    "resume late": Mutation(
        "who returns is not sent the first position", session, "_begin", _begins(1), 20
    ),
    "accept a duplicate": Mutation(
        "the last frame before a reconnect is taken again",
        handshake, "Track", _last_but_one, 40,
    ),
    "forget sequences": Mutation(
        "a producer that returns is not known", Producers, "last_sequence", lambda _: _zero, 40
    ),
    "ack ahead": Mutation(
        "an Ack covers a frame that has not come", Hub, "_send_ack", _ack_ahead, 20
    ),
    "no fence": Mutation(
        "the old connection of a producer goes on", Handshake, "fenced", _no_fence, 40
    ),
    "never told to go back": Mutation(
        "no Error says which sequence is expected", Refusals, "_tell_gap", nothing, 80
    ),
    "told to go back too little": Mutation(
        "the sequence after the expected one is named", Refusals, "_tell_gap", _expects_next, 80
    ),
    "control to plain": Mutation(
        "a PLAIN consumer is sent a Heartbeat", Hub, "become_plain", _talks_to_plain, 4
    ),
    "heartbeat ahead": Mutation(
        "a Heartbeat names one position too far", Handshake, "_outbox", _one_ahead, 4
    ),
    "snapshot of the past": Mutation(
        "some frames do not reach the state of instruments", Hub, "_follow", _forgetful_keep, 160
    ),
    "snapshot without rest": Mutation(
        "the rest of a frame of a snapshot is lost", Snapshots, "took", lambda _: _no_rest, 80
    ),
    "nobody gives way": Mutation(
        "the log runs over who is behind", Feeds, "make_room", _no_room_made, 20
    ),
    **JOURNAL_MUTATIONS,
    **MANAGER_MUTATIONS,
}  # fmt: skip


def _zero(*_: Any) -> int:
    return 0


def _no_rest(snapshots: Any, size: int) -> bytes:
    snapshots._reader.took(size)
    return b""


@contextmanager
def mutated(name: str) -> Iterator[None]:
    """The core has this fault; "" for none."""
    if not name:
        yield
        return
    mutation = MUTATIONS[name]
    original = getattr(mutation.owner, mutation.name)
    with patch.object(mutation.owner, mutation.name, mutation.make(original)):
        yield
