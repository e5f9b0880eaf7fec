"""All consumers together: who is live, who is behind, who must give way (relays.md 2, 5).

Called by `relays.core.hub`. Live consumers have everything; those behind wait for their socket.
Looking at those behind costs nothing while none can have reached its limit: the nearest trip and
the lowest cursor are remembered. Which socket gets what is `relays.core.fanout`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from protocol._core.connection import MARK_LEAVING
from protocol._core.fan import Fan
from protocol._core.journal_words import journal_words
from protocol.control import GapReason
from protocol.reject import Reject
from relays.core.breaker import CLOSED, HALF_OPEN, OPEN, REPLAYING, Breaker, Limits
from relays.core.log import Log
from relays.core.outbox import Lost
from relays.core.peer import FAR, Peer, Phase

if TYPE_CHECKING:
    from relays.core.journal.history import Missing, Part

SETTLE_EVERY = 100_000_000


class Feeds:
    """The consumers of one log.

    `live` (of them in `fan` those that get everything, in `sifted` those with a filter), `behind`
    and `past` (those whose cursor is before what the log keeps, and who are served
    from the journal, where `journaled`: `fetch(peer)` asks for what comes next) are ordered sets.
    `wake(peer)` asks for a send, `watch(peer)` for the next time its socket is writable,
    `cut(peer, reason, text)` closes it, `at(when, action)` is a deadline,
    `report(event, peer, ...)` a log line.
    """

    def __init__(
        self,
        log: Log,
        limits: Limits,
        *,
        wake: Callable[[Peer], None],
        watch: Callable[[Peer], None],
        cut: Callable[[Peer, Reject, str], None],
        at: Callable[[int, Callable[[int], None]], None],
        report: Callable[..., None],
        fetch: Callable[[Peer], None],
        journaled: bool,
    ) -> None:
        self.log, self.limits = log, limits
        self.live: dict[Peer, None] = {}
        self.fan, self.sifted = Fan(log.state, log.view), dict[Peer, None]()
        self.behind: dict[Peer, None] = {}
        self.past: dict[Peer, None] = {}
        self._fetch, self._journaled = fetch, journaled
        self._wake, self._watch, self._cut, self._at, self._report = wake, watch, cut, at, report
        self._trip_position = self._trip_offset = self._lowest = FAR

    # --- coming, going, moving on ---

    def join(self, peer: Peer, now: int) -> None:
        """The peer is served from its cursor on."""
        peer.consuming = True
        peer.lagged = self._far(peer)
        peer.outlet.feeding = True
        if peer.record.offset < self.log.state.oldest_offset:
            self._into_the_past(peer)
        peer.record.set_breaker(peer.breaker.state)
        self.moved(peer, now)
        self._wake(peer)

    def join_again(self, peer: Peer, state: int, now: int) -> None:
        """The peer was served by an earlier process, and its breaker was in `state`."""
        peer.breaker = Breaker.gone_on(state, self.limits)
        if state == OPEN:
            peer.consuming = True
            peer.outlet.block()
            self._wait_for(peer, now)
            return
        self.join(peer, now)
        if state == HALF_OPEN:
            self._settle_later(peer, now)

    def leave(self, peer: Peer) -> None:
        peer.consuming = False
        peer.outlet.stop()
        self._not_live(peer)
        self.behind.pop(peer, None)
        self.past.pop(peer, None)

    def _enliven(self, peer: Peer) -> None:
        self.live[peer] = None
        if peer.outlet.wanted is None:
            self.fan.add(peer.record, peer.outlet.line)
        else:
            self.sifted[peer] = None

    def _not_live(self, peer: Peer) -> None:
        if peer in self.live:
            del self.live[peer]
            self.sifted.pop(peer, None)
            self.fan.remove(peer.record)

    def moved(self, peer: Peer, now: int) -> None:
        """After a send: is it live or behind, and does its breaker settle?"""
        if not peer.outlet.feeding:
            return
        record = peer.record
        if peer.outlet.past:
            if record.lag or record.windowed:
                peer.outlet.block()
                return
            peer.outlet.leave_past()  # what it was sent of the journal ended where the log does
        state = peer.breaker.state
        if state != CLOSED and peer.breaker.settle(record.lag, record.lag_bytes, self.limits, now):
            record.set_breaker(CLOSED)
            if state == HALF_OPEN:
                self._report("breaker closed", peer)
        if record.lag:
            self.past.pop(peer, None)
            self._not_live(peer)
            self.behind[peer] = None
            peer.outlet.block()
            self._remember(peer)
        elif peer.outlet.blocked or peer not in self.live:
            self.behind.pop(peer, None)
            self.past.pop(peer, None)
            self._enliven(peer)
            peer.outlet.blocked = False
            if peer.lagged:
                peer.lagged = False
                self._report("caught up", peer, lag=0)

    def _remember(self, peer: Peer) -> None:
        record = peer.record
        self._lowest = min(self._lowest, record.offset)
        part = 1 if peer.lagged else 2  # at half of its limits it is said to lag
        if peer.on_lag != "catch_up" or not peer.lagged:
            messages, size = self.limits.messages // part, self.limits.size // part
            self._trip_position = min(self._trip_position, record.position + messages)
            self._trip_offset = min(self._trip_offset, record.offset + size)

    def _far(self, peer: Peer) -> bool:
        """Whether it is half of what would open a breaker behind."""
        lag, size = peer.record.lag, peer.record.lag_bytes
        return lag * 2 >= self.limits.messages or size * 2 >= self.limits.size

    def forget_limits(self) -> None:
        """Limits changed: look at everybody at the next commit."""
        self._trip_position = 0

    # --- breakers ---

    def evaluate(self, now: int) -> None:
        """After a commit: whoever lags too much is cut off, or gapped (relays.md 5)."""
        state = self.log.state
        if state.end_position < self._trip_position and state.end_offset < self._trip_offset:
            return
        self._trip_position = self._trip_offset = FAR
        for peer in tuple(self.behind):
            record = peer.record
            if peer.on_lag != "catch_up" and peer.breaker.over(
                record.lag, record.lag_bytes, self.limits
            ):
                self.trip(peer, now)
                continue
            if not peer.lagged and self._far(peer):
                peer.lagged = True
                self._report("lagged", peer, lag=record.lag)
            self._remember(peer)

    def trip(self, peer: Peer, now: int) -> None:
        """Nothing more is written for this consumer until its breaker has recovered."""
        lag = peer.record.lag
        may_return = peer.breaker.trip(self.limits)
        ends = peer.phase != Phase.PLAIN and (peer.on_lag == "disconnect" or not may_return)
        if ends:
            peer.record.mark(MARK_LEAVING)
        self._stop(peer)
        self._report("breaker opened", peer, lag=lag, wait=peer.breaker.wait / 1e9)
        if ends:
            self._cut(peer, Reject.SLOW_CONSUMER, f"{lag} messages behind")
        else:
            self._wait_for(peer, now)

    def _wait_for(self, peer: Peer, now: int) -> None:
        """Its breaker is open: who can be told what it missed is tried again."""
        if peer.phase == Phase.PLAIN:
            self._watch(peer)
        else:
            self._wake(peer)
            self._at(now + peer.breaker.wait, lambda _: self._try(peer))

    def _stop(self, peer: Peer) -> None:
        self.behind.pop(peer, None)
        self._not_live(peer)
        peer.outlet.stop()
        # Of a PLAIN one too: it may yet turn out to be a producer, or say Hello.
        peer.outlet.detach()
        peer.record.set_breaker(OPEN)
        self.log.state.count("trips", 0)

    def _try(self, peer: Peer) -> None:
        if peer.breaker.state == OPEN and not peer.closed and not peer.leaving:
            peer.breaker.recovered = True
            self._watch(peer)

    def writable(self, peer: Peer, now: int) -> None:
        """The socket of an open consumer takes bytes again: gap it, or let it go."""
        if peer.phase == Phase.PLAIN:
            self._cut(peer, Reject.SLOW_CONSUMER, "read again after it was cut off")
        elif not peer.outlet.tail and peer.breaker.recovered:
            self._resume(peer, now)

    def _resume(self, peer: Peer, now: int) -> None:
        log = self.log
        peer.breaker.half_open()
        # The loss is counted before the record says half open: a look in between sees it once.
        self._skip(peer, log.shown, log.state.shown_offset, GapReason.TOO_SLOW)
        self.join(peer, now)
        self._settle_later(peer, now)

    def _settle_later(self, peer: Peer, now: int) -> None:
        def look(then: int) -> None:
            if peer.breaker.state == HALF_OPEN and not peer.closed:
                self.moved(peer, then)
                self._settle_later(peer, then)

        self._at(now + SETTLE_EVERY, look)

    # --- gaps ---

    def _skip(self, peer: Peer, position: int, offset: int, reason: GapReason) -> None:
        first, last = peer.record.skip_to(position, offset, reason)
        if first > last:
            return
        lost = Lost(first, last, last - first + 1, reason, peer.breaker.state)
        assert peer.outlet.outbox is not None
        peer.outlet.outbox.add_gap(lost)
        self._report("gap", peer, first=first, last=last, reason=reason.name.lower())

    def cut_short(self, peer: Peer) -> None:
        """There was no memory for the rest of its snapshot: another of what is now, after a Gap."""
        if peer.on_lag == "disconnect":
            text = "its snapshot was read too slowly: too much has changed meanwhile to be kept"
            self._cut(peer, Reject.SLOW_CONSUMER, text)
            return
        self._skip(peer, self.log.shown, self.log.state.shown_offset, GapReason.TOO_SLOW)
        self._wake(peer)

    def make_room(self, size: int, now: int) -> None:
        """Before `size` bytes are read behind the log's end: the oldest frames give way."""
        state = self.log.state
        horizon = state.horizon(size)
        if horizon <= state.oldest_offset:
            return
        if horizon <= self._lowest:
            state.give_way(horizon)
            return
        overtaken = [peer for peer in self.behind if peer.record.offset < horizon]
        for peer in [each for each in overtaken if self._reaches(each, horizon)]:
            overtaken.remove(peer)
            self._into_the_past(peer)
        staying = [peer for peer in overtaken if not self._give_up(peer, now)]
        for peer in staying:
            peer.outlet.detach()
        state.give_way(horizon)
        for peer in staying:
            if peer.record.offset < horizon:
                self._overtaken(peer)
        self._lowest = min((peer.record.offset for peer in self.behind), default=FAR)

    def _has_a_past(self, peer: Peer) -> bool:
        """Whether the journal goes on serving one whom the log overtakes. Not who gets snapshots:
        that says what was before."""
        unarmed = peer.on_lag == "catch_up" or peer.breaker.state == REPLAYING
        return self._journaled and unarmed and peer.outlet.snapshots is None

    def _reaches(self, peer: Peer, horizon: int) -> bool:
        """Whether the journal goes on with one that is before `horizon`, perhaps after a Gap: it
        may not have what was in memory only where that one began."""
        state, kept = self.log.state, journal_words(self.log.state)["oldest_position"]
        if not self._has_a_past(peer):
            return False
        if peer.record.position < kept and peer.phase != Phase.PLAIN:
            offset = state.locate(kept)
            if offset < horizon:
                peer.outlet.detach()
                self._skip(peer, kept, offset, GapReason.TOO_OLD)
                self._wake(peer)
        return peer.record.position >= kept

    def _into_the_past(self, peer: Peer) -> None:
        peer.outlet.detach()
        self._not_live(peer)
        self.behind.pop(peer, None)
        self.past[peer] = None
        peer.outlet.past = True
        peer.outlet.block()
        peer.outlet.fetch = lambda: self._fetch(peer)

    def fetched(self, peer: Peer, found: Part | Missing | None) -> None:
        """What the journal has where a consumer's cursor is: None when that is gone."""
        from relays.core.journal.history import Missing, Part

        outlet, position = peer.outlet, peer.record.position
        outlet.fetching = False
        if peer.closed or peer.leaving or not outlet.past:
            return
        if isinstance(found, Part) and found.holds(peer.record.offset):
            outlet.fetched(found.frames, found.offset, found.received_ns)
        elif isinstance(found, Missing) and found.position > position:
            self.skip_damage(peer, found.position, found.offset)
        elif found is None and peer.record.offset < self.log.state.oldest_offset:
            text = f"position {position} is further back than the journal may keep"
            self._cut(peer, Reject.SLOW_CONSUMER, text)
        self._wake(peer)

    def skip_damage(self, peer: Peer, position: int, offset: int) -> None:
        """The journal has nothing good before `position`, byte `offset`: a Gap says so."""
        if peer.phase == Phase.PLAIN:
            self._cut(peer, Reject.SLOW_CONSUMER, "what it is owed is damaged in the journal")
            return
        peer.outlet.detach()
        self._skip(peer, position, offset, GapReason.TOO_OLD)
        self._wake(peer)

    def needs(self, peer: Peer) -> int:
        """The least position that a connection may want of the journal, now or when the log
        overtakes it; FAR for one that does not."""
        if (
            peer.phase == Phase.NEW
            or peer.outlet.past
            or (peer.consuming and self._has_a_past(peer))
        ):
            return min(peer.asked, peer.record.position)
        return peer.asked

    def _give_up(self, peer: Peer, now: int) -> bool:
        """An overtaken consumer that may not be gapped, or whose breaker is armed, is cut off."""
        armed = peer.on_lag != "catch_up" and peer.breaker.state in (CLOSED, HALF_OPEN)
        if armed or peer.phase == Phase.PLAIN:
            self.trip(peer, now)
            return True
        return False

    def _overtaken(self, peer: Peer) -> None:
        """It goes on at the oldest kept; one that gets a snapshot at the end, for that says what
        was before, and at the oldest it would be overtaken again before the snapshot is written."""
        state = self.log.state
        position, offset = state.oldest_position, state.oldest_offset
        if peer.outlet.snapshots is not None:
            position, offset = state.shown_position, state.shown_offset
        self._skip(peer, position, offset, GapReason.TOO_OLD)
        self._wake(peer)
