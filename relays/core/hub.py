"""A relay without its sockets: every connection, one log, every decision.

Driven by `relays.edge.relay` and by the simulator: `connect`, `make_room`/`received`/`proceed` for
what is read, `peer.outlet.offer`/`took` and `moved` for what is sent, `tick` for time. What the
edge is to do stands in `todo`. Reading and writing sockets, clocks and log text do not belong here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from protocol._core.connection import MARK_LEAVING, MARK_OWED, MARK_READING, MARK_SENDING, Record
from protocol._core.keep import Keep, keep_nothing
from protocol._core.scan import STOP_CONTROL, STOP_LIMIT, Rules, Tally, Track
from protocol._core.state import State
from protocol.control import Ack, Durability
from protocol.message import sizes
from protocol.reject import Reject
from relays.config import RelayConfig
from relays.core.access import Credentials, Rights, rights
from relays.core.breaker import OPEN, Limits
from relays.core.deadlines import Deadlines
from relays.core.feeds import Feeds
from relays.core.handshake import Handshake
from relays.core.log import Log
from relays.core.outbox import Refusal
from relays.core.peer import Peer, Phase
from relays.core.producers import Producers
from relays.core.refusals import OFFENCE_BYTES, Refusals
from relays.domains import Domain

if TYPE_CHECKING:
    from relays.core.journal.durability import Journaling

SECOND = 1_000_000_000
PEER_CLOSED = 0
KEPT_PLACES = 16
GOODBYE = SECOND
LARGEST_FRAME = (1 << 20) + 32


@dataclass
class Todo:
    """What the edge is to do next; it empties these lists."""

    wake: list[Peer] = field(default_factory=list)
    watch: list[Peer] = field(default_factory=list)
    closed: list[Peer] = field(default_factory=list)
    fetch: list[Peer] = field(default_factory=list)


class Hub:
    """One relay. `report(event, peer, **details)` gets each thing an operator should know of."""

    def __init__(
        self, domain: Domain, config: RelayConfig, state: State, pid: int,
        report: Callable[..., None],
        window: Callable[[int], memoryview | None] = lambda place: None,
        journal: Journaling | None = None,
    ) -> None:  # fmt: skip
        self.domain, self.config, self.pid = domain, config, pid
        self.state, self.log = state, Log(state)
        self.report, self.window = report, window
        self.journal = journal
        self.rules = Rules(
            config.validate_checksums, config.require_sequence, domain.types[0], domain.types[-1],
            config.max_payload, sizes(),
        )  # fmt: skip
        self.tally = Tally()
        self.keep = self._keep()
        self.todo = Todo()
        self.deadlines = Deadlines()
        self.producers = Producers(state, config.max_producers, window)
        self.peers: dict[int, Peer] = {}
        self._new: dict[Peer, None] = {}
        self.handshake = Handshake(self)
        self.refusals = Refusals(self)
        # Any frame an adopted log may have must fit, whatever max_payload is now.
        self._scratch = memoryview(bytearray(max(self.log.read_size, LARGEST_FRAME)))
        places = state.read_geometry()["connections"]
        taken = {row["slot"]: row["id"] for row in state.read_connections()}
        self._free = [place for place in range(places - 1, -1, -1) if place not in taken]
        self._most = min(config.max_connections, places - KEPT_PLACES)
        self._number = max(taken.values(), default=0)
        self.now = 0
        self._by_uid: dict[int, int] = {}
        self.feeds = Feeds(
            self.log, self._limits(), wake=self.todo.wake.append, watch=self.todo.watch.append,
            cut=self.cut, at=self.deadlines.at, report=report, fetch=self.todo.fetch.append,
            journaled=journal is not None,
        )  # fmt: skip

    def _keep(self) -> Keep | None:
        """The state of instruments, from all that the log has."""
        if self.config.snapshots:
            return Keep(self.state, self.config.snapshot_instruments, self.config.snapshot_bytes)
        keep_nothing(self.state)
        return None

    def _limits(self) -> Limits:
        config = self.config
        recovery = round(config.recovery_timeout * SECOND)
        return Limits(config.circuit_breaker, self.log.size * 8 // 10, recovery)

    @property
    def commit_limit(self) -> int:
        """Frames a commit may have: nobody's lag jumps past max_queue_size (relays.md 5)."""
        return self.config.max_queue_size - self.config.circuit_breaker

    def apply(self, config: RelayConfig) -> None:
        """A new configuration, of which only the reloadable keys differ (relays.md 6)."""
        self.config = config
        self.feeds.limits = self._limits()
        self.feeds.forget_limits()
        for peer in self.peers.values():
            self.let_produce(peer, peer.may_produce)

    # --- connections come and go ---

    def connect(self, who: Credentials, own_uid: int, now: int) -> Peer | Reject:
        """A connection was accepted: a Peer, or why it cannot stay."""
        may = rights(who, self.config)
        if not (may.produce or may.consume):
            return Reject.ACCESS_DENIED
        most = self._most + (KEPT_PLACES if who.uid in (0, own_uid) else 0)
        if len(self.peers) >= most or not self._free:
            return Reject.TOO_MANY_CONNECTIONS
        if self._by_uid.get(who.uid, 0) >= self.config.max_connections_per_user:
            return Reject.TOO_MANY_CONNECTIONS
        self._number += 1
        record = Record(self.state, self._free.pop())
        record.arrive(self._number, who.uid, who.pid, now)
        peer = self.seat(record, who, may)
        self.state.count("arrivals", Phase.NEW)
        self.expect(peer, now)
        return peer

    def seat(self, record: Record, who: Credentials, may: Rights) -> Peer:
        """The peer of a record that says somebody is there."""
        peer = Peer(self.log, record, who, may, self._scratch, self.rules)
        self.peers[peer.number] = peer
        self._by_uid[who.uid] = self._by_uid.get(who.uid, 0) + 1
        return peer

    def expect(self, peer: Peer, now: int) -> None:
        """Its first frame says what it is; where none comes, it is PLAIN."""
        if peer.rights.consume:
            self._new[peer] = None
            after = round(self.config.plain_after * SECOND)
            self.deadlines.at(now + after, lambda then: self._silent(peer, then))

    def _silent(self, peer: Peer, now: int) -> None:
        if peer.phase == Phase.NEW and not (peer.closed or peer.ingress.held or peer.waiting):
            self.become_plain(peer, now)

    def become_plain(self, peer: Peer, now: int) -> None:
        """Nothing was said: every frame from the log's end at accept on, and not one byte else."""
        if peer.leaving:
            self._new.pop(peer, None)
            return
        record = peer.record
        record.consume_from(record.position, record.offset)  # first: no PLAIN one is without it
        record.set_breaker(peer.breaker.state)
        self.set_phase(peer, Phase.PLAIN)
        peer.on_lag = self.config.on_lag
        self.report("connection opened", peer, why=f"plain; on_lag {peer.on_lag}")
        self.feeds.join(peer, now)

    def set_phase(self, peer: Peer, phase: Phase) -> None:
        peer.phase, peer.opened = phase, True
        self.let_produce(peer, phase is Phase.PRODUCER)
        self._new.pop(peer, None)
        peer.record.describe(role=int(phase))
        self.state.count("arrivals", phase)

    def let_produce(self, peer: Peer, may: bool) -> None:
        """Whether a domain frame from it may be scanned for the log, and how many in a commit."""
        peer.ingress.limit = self.commit_limit if may else 0

    def become_producer(self, peer: Peer, now: int) -> None:
        """Its first domain frame: it gets nothing from here on but the rest of a frame begun."""
        frame = peer.ingress.next_frame()
        if not peer.rights.produce:
            self.refuse(peer, Reject.NOT_A_PRODUCER, "this user may not produce here", frame)
        elif self.refusals.cooling(peer, now):
            self.refuse(peer, Reject.COOLDOWN, "cut off as a producer a moment ago", frame)
        else:
            self.stop_feeding(peer)
            self.set_phase(peer, Phase.PRODUCER)
            self.report("connection opened", peer, why="produces")
            peer.ingress.track = Track(
                sources=peer.rights.sources, fail_fast=self.config.require_sequence
            )

    def stop_feeding(self, peer: Peer) -> None:
        """It consumes no more; a frame half sent is completed."""
        if peer.consuming:
            peer.outlet.detach()
        self.feeds.leave(peer)
        peer.record.stop_consuming()
        self.todo.wake.append(peer)

    def refuse(self, peer: Peer, reason: Reject, text: str, frame: bytes) -> None:
        """Close for this one frame (or what came of it): counted, kept, and named in the Error."""
        self.state.count("rejected", reason)
        self.refusals.keep(peer, [(reason, len(frame), frame[:OFFENCE_BYTES])], self.now)
        kind, sequence = frame[4:5], int.from_bytes(frame[12:20], "little")
        details = {"message_type": kind[0] if kind else 0, "sequence": sequence}
        self.cut(peer, reason, text, **details, expected=sequence)

    def cut(self, peer: Peer, reason: Reject, text: str, **details: int) -> None:
        """Close for `reason`; a session is told, if that can be written within a second."""
        if peer.closed or peer.leaving:
            return
        peer.record.mark(MARK_LEAVING)
        self.lose(peer)
        peer.reason = reason
        self.report("connection closed", peer, reason=reason.name, why=text)
        if peer.outlet.outbox is None:
            self.finish(peer)
            return
        refusal = Refusal(
            reason, details.get("message_type", 0), True, details.get("sequence", 0),
            details.get("expected", 0), 1, text,
        )  # fmt: skip
        peer.outlet.outbox.add_error(refusal)
        self.say_goodbye(peer)

    def say_goodbye(self, peer: Peer) -> None:
        """What waits is written, nothing new is read; then, or after a second, it is closed."""
        if peer.consuming:
            peer.outlet.detach()
        self.feeds.leave(peer)
        peer.leaving = True
        peer.record.mark(MARK_LEAVING)
        self.todo.wake.append(peer)
        self.deadlines.at(self.now + GOODBYE, lambda _: self.finish(peer))

    def finish(self, peer: Peer) -> None:
        """The end of a connection: its place is free, its sums are kept."""
        if peer.closed:
            return
        peer.record.mark(MARK_LEAVING)
        if peer.opened or peer.reason is not None:
            self._say_end(peer)
        peer.closed = True
        self._new.pop(peer, None)
        self.feeds.leave(peer)
        self.handshake.gone(peer)
        peer.record.leave()
        self.state.count("disconnects", PEER_CLOSED if peer.reason is None else peer.reason)
        del self.peers[peer.number]
        self._free.append(peer.record.slot)
        self._by_uid[peer.who.uid] -= 1
        if not self._by_uid[peer.who.uid]:
            del self._by_uid[peer.who.uid]
        peer.forget()
        self.todo.closed.append(peer)

    def _say_end(self, peer: Peer) -> None:
        record, owed = peer.record, peer.record.lag if peer.consuming else 0
        moved = {"delivered": record.delivered, "dropped": record.dropped}
        moved |= {"filtered": record.filtered, "depth": owed}
        self.report("connection ended", peer, **moved)

    # --- what was read ---

    def may_read(self, peer: Peer) -> bool:
        """Whether the journal keeps up well enough to read from this connection now."""
        if self.journal is None:
            return True
        return self.journal.may_read(peer.ingress.wants, self.log.size, peer.may_produce)

    def needed(self) -> int:
        """The least position that somebody connected may still want of the journal. Asked by the
        thread that writes it: who is not looked at here connects later, and sees what it has said
        by then to be the oldest."""
        least = self.log.shown
        for peer in self.peers.copy().values():
            least = min(least, self.feeds.needs(peer))
        return least

    def make_room(self, peer: Peer, now: int) -> None:
        """What is read next has a place. Whoever is in the way of it gives way first."""
        self.now = now
        self.feeds.make_room(peer.ingress.wants, now)

    def received(self, peer: Peer, now: int) -> bool:
        """Something was read. True when `proceed` is to be called after the fan-out."""
        assert not self.handshake.fences, "a Hello is to be answered first"
        self.now = now
        if peer.ingress.large is not None:
            peer.ingress.count_unfinished(self.tally, now)
            return False
        return self.proceed(peer, now)

    def proceed(self, peer: Peer, now: int) -> bool:
        """Scan and commit up to the commit limit, or up to what Python must look at."""
        if peer.leaving or peer.closed:  # cut off by the fan-out of what it sent itself
            return False
        ingress, tally = peer.ingress, self.tally
        stop = ingress.step(tally, now)
        if tally.accepted:
            self._follow()
        return not ingress.ordinary and self._judge(peer, stop, now)

    def _judge(self, peer: Peer, stop: int, now: int) -> bool:
        """Where a step did more than take whole frames: refusals, Acks, what it stopped at."""
        ingress, tally = peer.ingress, self.tally
        if tally.offence_count:
            self.refusals.scanned(peer, stop, now)
            if peer.leaving or peer.closed:
                return False
            if tally.rejected and stop in (0, STOP_LIMIT):
                peer.record.unmark(MARK_READING)
        if ingress.track.identified and ingress.moved:
            self.acknowledge(peer)
        if stop == 0:
            if ingress.incomplete_since:
                self.watch_frame(peer)
            return False
        if stop == STOP_LIMIT:
            return peer.may_produce or self._domain_frame(peer, now)
        if stop == STOP_CONTROL:
            frame = ingress.control_frame(tally.control_bytes)
            return self.handshake.control(peer, frame, now) and self._go_on(peer, now)
        self.refusals.fatal(peer, Reject(stop))
        return False

    def _go_on(self, peer: Peer, now: int) -> bool:
        """Whether something is left behind a control frame."""
        if peer.ingress.unscanned:
            return True
        peer.ingress.put_aside(self.tally, now)
        peer.record.unmark(MARK_READING)
        return False

    def _follow(self) -> None:
        if self.journal is not None:
            self.journal.committed()
        if self.keep is not None:
            self.keep.follow(self.tally)

    def _domain_frame(self, peer: Peer, now: int) -> bool:
        """A domain frame from a connection that is not known to be a producer."""
        if peer.phase in (Phase.NEW, Phase.PLAIN):
            self.become_producer(peer, now)
        else:
            text = "this session did not ask to produce"
            self.refuse(peer, Reject.NOT_A_PRODUCER, text, peer.ingress.next_frame())
        return not (peer.leaving or peer.closed)

    def acknowledge(self, peer: Peer) -> None:
        """Say how far an identified producer was read: now, or when the journal has it."""
        track, journal = peer.ingress.track, self.journal
        if not (track.identified and track.known) or peer.outlet.outbox is None:
            return
        durability = Durability.MEMORY if journal is None else journal.durability
        ack = Ack(sequence=track.last, position=self.log.end, durability=durability)
        if journal is None:
            self._send_ack(peer, ack)
        elif peer.acknowledged_at != journal.writer.made:  # else one that says the same waits
            peer.acknowledged_at = journal.writer.made
            journal.when_safe(lambda: self._send_ack(peer, ack))

    def _send_ack(self, peer: Peer, ack: Ack) -> None:
        peer.acknowledged_at = -1
        if peer.outlet.outbox is not None:
            peer.outlet.outbox.ack = ack
            self.todo.wake.append(peer)

    def watch_frame(self, peer: Peer) -> None:
        """An incomplete frame has frame_timeout to be completed. One deadline a peer is enough:
        it looks again where another frame is incomplete by then."""
        since = peer.ingress.incomplete_since
        if not since or peer.frame_watched:
            return
        peer.frame_watched = True

        def look(now: int, last: bool = False) -> None:
            peer.frame_watched = False
            if peer.closed or peer.leaving or not peer.ingress.incomplete_since:
                return
            if peer.waiting or peer.held:  # it may be there, and is not to be read
                peer.ingress.incomplete_since = now
            if peer.ingress.incomplete_since != since:
                self.watch_frame(peer)
            elif last:
                self.truncated(peer, "a frame stayed incomplete")
            else:  # what came while the relay itself was held up is read before that
                peer.frame_watched = True
                self.deadlines.at(now, lambda then: look(then, last=True))

        self.deadlines.at(since + round(self.config.frame_timeout * SECOND), look)

    def truncated(self, peer: Peer, text: str) -> None:
        self.refuse(peer, Reject.TRUNCATED, text, peer.ingress.begun_frame())

    def lose(self, peer: Peer) -> None:
        """Nothing more of what it sent is looked at."""
        if peer.ingress.held or peer.ingress.unscanned:
            peer.ingress.discard(self.tally, self.now)

    # --- the other end of a connection ---

    def ended(self, peer: Peer, now: int) -> None:
        """No more input (end of file, or a reset seen by a read)."""
        self.now = now
        peer.input_over = True
        if peer.leaving or peer.closed:
            return
        peer.record.unmark(MARK_READING)
        if peer.ingress.held:
            self.truncated(peer, "the connection ended inside a frame")
        elif peer.phase == Phase.NEW and peer.rights.consume:
            self.become_plain(peer, now)
        elif not peer.consuming and peer.phase != Phase.PLAIN:
            self.finish(peer)

    def hung_up(self, peer: Peer, now: int) -> None:
        """Both directions are shut: the peer is gone."""
        self.now = now
        self.finish(peer)

    def unwritable(self, peer: Peer, now: int) -> None:
        """A send failed for good. A producer need not read; a consumer must."""
        self.now = now
        outlet = peer.outlet
        outlet.rest = outlet.tail = b""
        produces = peer.may_produce or (peer.phase == Phase.PLAIN and peer.rights.produce)
        if peer.input_over or peer.leaving or peer.closed or not produces:
            self.finish(peer)
            return
        self.feeds.leave(peer)
        peer.record.stop_consuming()
        if peer.phase == Phase.PLAIN:
            self.set_phase(peer, Phase.NEW)
        outlet.outbox = None
        peer.record.unmark(MARK_SENDING | MARK_OWED)  # what was said or owed nobody waits for

    # --- sending and time ---

    def moved(self, peer: Peer, now: int) -> None:
        """After bytes of it were sent, or could not be."""
        self.now = now
        if peer.leaving and peer.outlet.idle:
            self.finish(peer)
        elif peer.outlet.snapshots is not None and peer.outlet.snapshots.overrun:
            self.feeds.cut_short(peer)
        elif peer.outlet.feeding:
            self.feeds.moved(peer, now)

    def writable(self, peer: Peer, now: int) -> None:
        """The socket takes bytes again; called before the edge sends."""
        self.now = now
        if peer.consuming and peer.breaker.state == OPEN and not peer.leaving:
            self.feeds.writable(peer, now)

    def committed(self, now: int) -> None:
        """After the fan-out of a commit: who lags too much?"""
        if self._new:
            self._serve_early(now)
        if self.feeds.behind:
            self.feeds.evaluate(now)

    def _serve_early(self, now: int) -> None:
        """Who has said nothing yet is PLAIN before the log runs past where it begins. Those who
        came first begin first."""
        for peer in list(self._new):
            if peer.record.lag_bytes < self.log.size // 2:
                return
            self.become_plain(peer, now)

    def tick(self, now: int) -> None:
        """Whatever is due."""
        self.now = now
        self.deadlines.run(now)

    def shift(self, by: int) -> None:
        """The clock was set by `by` ns: nothing is due later, or over sooner, for that."""
        self.deadlines.shift(by)
        self.refusals.shift(by)
        self.handshake.heartbeats.shift()
        for peer in self.peers.values():
            peer.shift(by)
