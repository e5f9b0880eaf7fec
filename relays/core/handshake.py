"""Control frames in: Hello opens a session, Heartbeat says how far it is (relays.md 3, 4).

Called by `relays.core.hub` with each sound control frame. Fencing needs the edge: the old
connection is read empty before the new one is answered, so it stands in `fences` until then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from protocol._core.connection import MARK_OWED
from protocol._core.gather import Filter
from protocol._core.journal_words import noted_since
from protocol._core.scan import Track
from protocol.catalogue import MessageType
from protocol.control import Durability, GapReason, Heartbeat, Role, Welcome, chain_tlvs
from protocol.errors import ProtocolError
from protocol.message import instrument_offsets
from protocol.reject import Reject
from relays.core.breaker import Breaker
from relays.core.heartbeats import Heartbeats
from relays.core.outbox import Outbox, Refusal
from relays.core.peer import FAR, Peer, Phase
from relays.core.session import ByTime, Kept, Plan, Refused, plan
from relays.core.snapshot import Snapshots

if TYPE_CHECKING:
    from relays.core.hub import Hub
    from relays.core.journal.history import Missing

KIND_AT = 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be looked up in the journal: the offset of a position, else the position of the
    first message received at `time_ns` or later."""

    position: int | None = None
    time_ns: int = 0


@dataclass(slots=True)
class Waiting:
    """A Hello, and what was found out for it while it waited: the number of commits that are
    `safe`, as those of its producer must be, the position it begins at by `since`, the `offset` of
    `position`, or of `damage`, where the journal goes on behind what is damaged there."""

    frame: bytes
    safe: int = -1
    since: int | None = None
    position: int = -1
    offset: int = 0
    damage: int = 0
    wants: Wanted = field(default_factory=Wanted)


class Handshake:
    """The control path of one relay. `fences` holds (old, new, Hello) for the edge to work
    off: read `old` empty, then call `fenced`; `lookups` (peer, Hello) for it to look up in the
    journal what the Hello `wants`, then `looked_up`; `answers` (peer, Hello) to call `answered`."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.heartbeats = Heartbeats(hub)
        self.answers: list[tuple[Peer, Waiting]] = []
        self._hellos = 0
        self._offsets = instrument_offsets()
        self._left: dict[tuple[int, int], int] = {}  # producers gone: the commits there were then
        self.lookups: list[tuple[Peer, Waiting]] = []
        self.fences: list[tuple[Peer, Peer, Waiting]] = []

    def control(self, peer: Peer, frame: bytes, now: int) -> bool:
        """One control frame. True when the scan may go on behind it."""
        kind = frame[KIND_AT]
        if kind == MessageType.HELLO and peer.phase in (Phase.NEW, Phase.PLAIN):
            self._hellos += 1
            peer.hello_number = self._hellos
            return self._hello(peer, Waiting(frame), now)
        if kind == MessageType.HEARTBEAT and peer.is_session:
            return self._heartbeat(peer, frame)
        if kind == MessageType.CONFIG_UPDATE and peer.is_session:
            return True
        expected = "Heartbeat or ConfigUpdate" if peer.is_session else "Hello or a domain frame"
        return self._refuse(peer, frame, f"{expected} was expected, message type {kind} came")

    def _refuse(self, peer: Peer, frame: bytes, text: str, code: Reject = Reject.BAD_HELLO) -> bool:
        hub = self.hub
        if peer.outlet.outbox is None and peer.phase in (Phase.NEW, Phase.PLAIN):
            hub.stop_feeding(peer)
            peer.outlet.outbox = self._outbox(peer)
        hub.refuse(peer, code, text, frame)
        return False

    def _heartbeat(self, peer: Peer, frame: bytes) -> bool:
        try:
            beat = Heartbeat.decode(frame)
        except ProtocolError as error:
            return self._refuse(peer, frame, str(error))
        if beat.position > self.hub.log.end:
            text = f"position {beat.position} is beyond the end, {self.hub.log.end}"
            return self._refuse(peer, frame, text)
        peer.record.set_confirmed(beat.position)
        return True

    # --- Hello ---

    def _hello(self, peer: Peer, hello: Waiting, now: int) -> bool:
        hub, frame = self.hub, hello.frame
        kept = Kept(hub.log, hub.journal)
        config = hub.config
        try:
            wanted = plan(frame, kept, peer.rights, config.on_lag, config.heartbeat_ms, hello.since)
            if wanted.produces and hub.refusals.cooling(peer, now):
                raise Refused(Reject.COOLDOWN, "cut off as a producer a moment ago")
        except Refused as refused:
            return self._refuse(peer, frame, refused.text, refused.code)
        except ByTime as asked:
            return self._look_up(peer, hello, now, Wanted(time_ns=asked.time_ns))
        if wanted.consumes and hub.log.oldest > wanted.start != hello.position:
            return self._look_up(peer, hello, now, Wanted(position=wanted.start))
        if hello.damage and wanted.start == hello.position:
            wanted = wanted.behind(hello.damage)
        key = (peer.who.uid, wanted.producer_id)
        if wanted.producer_id and key in hub.producers.connected:
            return self._fence(hub.producers.connected[key], peer, hello, now)
        if wanted.producer_id and hub.journal is not None and hello.safe < self._left.get(key, 0):
            self._wait(peer, hello, now)
            hello.safe = hub.journal.writer.made
            hub.journal.when_safe(lambda: self.answers.append((peer, hello)))
            return False
        try:
            if wanted.producer_id and not hub.producers.take(key, now):
                text = f"all {len(hub.producers)} producers that are remembered are connected"
                return self._refuse(peer, frame, text)
        except OSError as error:
            text = f"there is no memory for another producer: {error.strerror}"
            return self._refuse(peer, frame, text, Reject.TOO_MANY_CONNECTIONS)
        self._open(peer, wanted, hello, now)
        return True

    def _fence(self, other: Peer, peer: Peer, hello: Waiting, now: int) -> bool:
        """Of two Hellos for one producer_id the later one counts, whichever had to wait longer."""
        if other.hello_number > peer.hello_number:
            return self._refuse(peer, hello.frame, _taken_by(other), Reject.FENCED)
        self._put_aside(peer, now)
        hello.safe = -1  # what the old connection sends meanwhile may not be
        self.fences.append((other, peer, hello))
        return False

    def fenced(self, old: Peer, peer: Peer, hello: Waiting, now: int) -> bool:
        """The old connection was read empty: it is closed, the new one is answered, by what the
        log has now. True when the scan may go on behind its Hello."""
        self.hub.cut(old, Reject.FENCED, _taken_by(peer))
        self.gone(old)
        return not (peer.closed or peer.leaving) and self._hello(peer, hello, now)

    def _put_aside(self, peer: Peer, now: int) -> None:
        if peer.ingress.unscanned:
            peer.ingress.put_aside(self.hub.tally, now)

    def _wait(self, peer: Peer, hello: Waiting, now: int) -> None:
        """Nothing more is read from it until its Hello is answered."""
        self._put_aside(peer, now)
        peer.waiting = hello.frame

    def _look_up(self, peer: Peer, hello: Waiting, now: int, wants: Wanted) -> bool:
        self._wait(peer, hello, now)
        hello.wants, hello.safe = wants, -1
        peer.asked = FAR if wants.position is None else wants.position
        self.lookups.append((peer, hello))
        return False

    def looked_up(self, peer: Peer, hello: Waiting, found: int | Missing | None) -> None:
        """What the journal has of what `hello.wants`; None when nothing (any more): what retention
        has removed meanwhile is told with a Gap, as if it had been gone before."""
        from relays.core.journal.history import Missing

        wanted, kept = hello.wants.position, Kept(self.hub.log, self.hub.journal)
        if found is None:
            if wanted is None or wanted >= kept.oldest:
                frame, text = hello.frame, "the journal has no such position any more"
                self._refuse(peer, frame, text, Reject.BAD_HELLO)
        elif isinstance(found, Missing):
            hello.position, hello.offset = wanted or 0, found.offset
            hello.damage = found.position
        elif wanted is None:
            # What came last may not be in the file yet, or not be shown yet.
            since = noted_since(self.hub.state, found, hello.wants.time_ns)
            hello.since = min(since, self.hub.log.shown)
        else:
            hello.position, hello.offset, hello.damage = wanted, found, 0
        self.answers.append((peer, hello))

    def answered(self, peer: Peer, hello: Waiting, now: int) -> bool:
        """What this Hello waited for is known, or what its producer sent before is safe, so that
        its last sequence may be told. True when the scan may go on behind it."""
        peer.waiting = b""
        return not (peer.closed or peer.leaving) and self._hello(peer, hello, now)

    def _open(self, peer: Peer, wanted: Plan, hello: Waiting, now: int) -> None:
        """The connection is a session from here on: Welcome, then by its role."""
        hub = self.hub
        hub.stop_feeding(peer)
        peer.hello = hello.frame
        peer.record.keep_hello(hello.frame)
        hub.set_phase(peer, Phase.SESSION)
        peer.breaker = Breaker()
        last = self.equip(peer, wanted, now)
        peer.record.describe(name=wanted.name or "", producer_id=wanted.producer_id)
        assert peer.outlet.outbox is not None
        peer.outlet.outbox.greet(self._welcome(wanted, last))
        hub.report("session opened", peer, role=wanted.role, start=wanted.start, why=str(wanted))
        if wanted.consumes:
            self._feed(peer, wanted, hello.offset, now)
        peer.asked = FAR
        hub.todo.wake.append(peer)

    def equip(self, peer: Peer, wanted: Plan, now: int) -> int:
        """All that a session has beside its record. Gives the last sequence that is known of its
        producer; 0 = none."""
        peer.plan, peer.on_lag, peer.name = wanted, wanted.on_lag, wanted.name or ""
        self.hub.let_produce(peer, wanted.produces)
        outbox = peer.outlet.outbox = self._outbox(peer)
        if wanted.role & Role.SNAPSHOT:
            outbox.snapshots = Snapshots(self.hub.keep, self.hub.domain.source)
            peer.outlet.snapshots = outbox.snapshots
        self.heartbeats.begin(peer, now)
        return self._track(peer, wanted)

    def _outbox(self, peer: Peer) -> Outbox:
        def where() -> tuple[int, int, bytes]:
            # One that is being let go is where it was, not at the end.
            if peer.plan is not None and peer.plan.consumes:
                return peer.record.position, peer.record.lag, self._chain(peer)
            return self.hub.log.shown, 0, b""

        return Outbox(self.hub.domain.source, where, partial(peer.record.mark, MARK_OWED))

    def _chain(self, peer: Peer) -> bytes:
        """What a consumer that gets every frame can hold its own sum of them against, where the
        journal knows it."""
        journal, outlet = self.hub.journal, peer.outlet
        if journal is None or not peer.consuming or outlet.past or outlet.wanted is not None:
            return b""
        chain = journal.writer.chain_at(peer.record.offset)
        return b"" if chain is None else chain_tlvs(chain)

    def _welcome(self, wanted: Plan, last: int) -> Welcome:
        hub = self.hub
        return Welcome(
            log_id=hub.log.id,
            position=wanted.start,
            end_position=hub.log.shown,
            oldest_position=Kept(hub.log, hub.journal).oldest_for(wanted.role),
            last_sequence=last,
            max_payload=hub.config.max_payload,
            heartbeat_ms=wanted.heartbeat // 1_000_000,
            durability=Durability.MEMORY if hub.journal is None else hub.journal.durability,
            role=wanted.role,
            relay_pid=hub.pid,
        )

    def _track(self, peer: Peer, wanted: Plan) -> int:
        """What is known of this producer's sequence; 0 = nothing."""
        hub, key = self.hub, (peer.who.uid, wanted.producer_id)
        sources = peer.rights.sources
        if not wanted.producer_id:
            peer.ingress.track = Track(sources=sources)
            return 0
        place = hub.producers.place(key)
        last = hub.producers.last_sequence(place)
        peer.ingress.producer = place
        peer.ingress.track = Track(
            last=last, known=last > 0, identified=True, sources=sources, window=hub.window(place)
        )
        hub.producers.connected[key] = peer
        return last

    def _feed(self, peer: Peer, wanted: Plan, offset: int, now: int) -> None:
        """Serve it from its start on; `offset` is where that is if the journal has it."""
        hub, outbox = self.hub, peer.outlet.outbox
        assert outbox is not None
        if wanted.start >= hub.log.oldest:
            offset = hub.state.locate(wanted.start)
        self.sift(peer, wanted)
        peer.record.consume_from(wanted.asked, offset)
        if wanted.asked < wanted.start:
            peer.record.skip_to(wanted.start, offset, GapReason.TOO_OLD)
        if wanted.gap is not None:
            outbox.add_gap(wanted.gap)
            reason = wanted.gap.reason.name.lower()
            hub.report("gap", peer, first=wanted.gap.first, last=wanted.gap.last, reason=reason)
        hub.feeds.join(peer, now)

    def sift(self, peer: Peer, wanted: Plan) -> None:
        """Serve it what its filters let through."""
        hub = self.hub
        if wanted.types or wanted.instruments:
            passing = Filter(wanted.types, wanted.instruments, self._offsets)
            peer.outlet.filter(passing, hub.log.shown, hub.state.shown_offset)

    def drain(self, peer: Peer) -> None:
        """The relay stops: a session is told, and closed once that is written."""
        if peer.outlet.outbox is None or peer.leaving or peer.closed:
            return
        peer.reason = Reject.DRAINING
        text = "the relay is stopping"
        peer.outlet.outbox.add_error(Refusal(Reject.DRAINING, 0, True, 0, 0, 1, text))
        self.hub.say_goodbye(peer)

    def gone(self, peer: Peer) -> None:
        """A connection ended, or was fenced off: its producer_id is free."""
        if peer.plan is not None and peer.plan.producer_id:
            key = (peer.who.uid, peer.plan.producer_id)
            if self.hub.producers.connected.get(key) is peer:
                self.hub.producers.left(key)
                self._remember(key)

    def _remember(self, key: tuple[int, int]) -> None:
        """Who comes after this producer must wait until what it sent is safe."""
        journal = self.hub.journal
        if journal is None:
            return
        made = self._left[key] = journal.writer.made

        def forget() -> None:
            if self._left.get(key) == made:
                del self._left[key]

        journal.when_safe(forget)


def _taken_by(peer: Peer) -> str:
    """What is said to who loses a producer_id."""
    return f"pid {peer.who.pid} took this producer_id; do not reconnect"
