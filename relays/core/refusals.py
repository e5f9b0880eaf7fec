"""What a scan refused: said to the producer, kept for inspection, held against it (relays.md 4).

Called by `relays.core.hub` after a scan that refused frames. Which frames are refused the scan
decides, closing a connection is the hub's; a refusal that is not final closes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocol._core.connection import keep_offences
from protocol.reject import Reject
from relays.core.outbox import Refusal
from relays.core.peer import Peer

if TYPE_CHECKING:
    from relays.core.hub import Hub

SECOND = 1_000_000_000
OFFENCE_PAGES = 256
OFFENCE_BYTES = 256
KIND_AT = 4
NOT_HELD_AGAINST = (Reject.SEQUENCE_GAP, Reject.SEQUENCE_DUPLICATE)
TEXTS = {
    Reject.BAD_MAGIC: "no header where one should start: framing is lost",
    Reject.PAYLOAD_TOO_LARGE: "payload_size is above this relay's max_payload (see Welcome)",
    Reject.WRONG_DOMAIN: "this message type belongs to another relay",
    Reject.BAD_SIZE: "payload_size is not that of this message type and version",
    Reject.BAD_CHECKSUM: "the checksum does not fit the frame",
    Reject.SEQUENCE_DUPLICATE: "this sequence was accepted before",
    Reject.SOURCE_NOT_ALLOWED: "this user may not speak as this source",
    Reject.SEQUENCE_CONFLICT: "this sequence was used before with other bytes",
}


def text_of(code: Reject) -> str:
    """The sentence an Error of this code carries."""
    return TEXTS.get(code, code.name.lower().replace("_", " "))


class Refusals:
    """The refusals of one relay, and who was cut off for them a moment ago."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._cooldown: dict[tuple[int, int], int] = {}

    def scanned(self, peer: Peer, stop: int, now: int) -> None:
        """A scan refused frames; it stopped at `stop`, which is said by who closes for it."""
        tally, report = self.hub.tally, self.hub.report
        offences = tally.offences_kept()
        self.keep(peer, offences, now)
        kinds = {code: head[KIND_AT] if len(head) > KIND_AT else 0 for code, _, head in offences}
        expected, reasons = tally.expected, tally.reasons()
        for number, (count, first, last) in reasons.items():
            code = Reject(number)
            report("rejected", peer, reason=code.name, count=count, sequence=first, last=last)
            refusal = Refusal(code, kinds.get(number, 0), False, first, last, count, text_of(code))
            if code == Reject.SEQUENCE_GAP:
                self._tell_gap(peer, refusal, expected)
            elif code != stop and not self._known_duplicate(peer, code):
                self._tell(peer, refusal)
        held = sum(row[0] for code, row in reasons.items() if code not in NOT_HELD_AGAINST)
        if held:
            self._hold_against(peer, held, now)

    def keep(self, peer: Peer, offences: list[tuple[int, int, bytes]], now: int) -> None:
        """Keep (code, bytes, first 256 of them) of offending frames, the last 16 of a producer."""
        page, who = peer.record.slot % OFFENCE_PAGES, peer.who
        keep_offences(self.hub.state, page, peer.number, who.uid, who.pid, offences, now)

    def _known_duplicate(self, peer: Peer, code: Reject) -> bool:
        """It is acknowledged again, which says more than an Error."""
        return code == Reject.SEQUENCE_DUPLICATE and peer.ingress.track.identified

    def _tell(self, peer: Peer, refusal: Refusal) -> None:
        if peer.outlet.outbox is not None:
            peer.outlet.outbox.add_error(refusal)
            self.hub.todo.wake.append(peer)

    def _tell_gap(self, peer: Peer, refusal: Refusal, expected: int) -> None:
        """Once for each sequence expected: what follows until it comes says nothing new."""
        if peer.outlet.outbox is None or peer.expected_told == expected:
            return
        peer.expected_told = refusal.expected = expected
        first = refusal.sequence
        refusal.text = f"sequence {first} came, {expected} was expected: send again from there"
        self._tell(peer, refusal)

    def fatal(self, peer: Peer, code: Reject) -> None:
        """Close for what the last scan stopped at."""
        tally = self.hub.tally
        _, first, last = tally.reasons().get(code, (1, 0, 0))
        head = tally.offences_kept()[-1][2]
        kind = head[KIND_AT] if len(head) > KIND_AT else 0
        self.hub.cut(peer, code, text_of(code), message_type=kind, sequence=first, expected=last)

    def not_accepting(self) -> None:
        """The journal has not kept up for a while: sessions that produce are told."""
        self.hub.report("not accepting", None, why="the journal does not keep up")
        text = "the journal cannot keep more now; this connection goes on when it can"
        for peer in self.hub.peers.values():
            if peer.may_produce and not peer.leaving:
                self._tell(peer, Refusal(Reject.NOT_ACCEPTING, 0, False, 0, 0, 0, text))

    # --- held against a producer ---

    def _hold_against(self, peer: Peer, count: int, now: int) -> None:
        config = self.hub.config
        since = now - round(config.producer_window * SECOND)
        times = peer.reject_times
        times.append((now, count))
        while times and times[0][0] < since:
            times.popleft()
        if sum(n for _, n in times) < config.producer_breaker:
            return
        key = (peer.who.uid, peer.who.pid)
        until = self._cooldown[key] = now + round(config.producer_cooldown * SECOND)
        self.hub.deadlines.at(until, lambda then: self._cooled(key, then))
        self.hub.cut(peer, Reject.COOLDOWN, f"{config.producer_breaker} frames refused")

    def cooling(self, peer: Peer, now: int) -> bool:
        """Whether this process was cut off as a producer less than producer_cooldown ago."""
        return self._cooldown.get((peer.who.uid, peer.who.pid), 0) > now

    def _cooled(self, key: tuple[int, int], now: int) -> None:
        if self._cooldown.get(key, 0) <= now:
            self._cooldown.pop(key, None)

    def shift(self, by: int) -> None:
        """The clock was set by `by` ns."""
        self._cooldown = {key: until + by for key, until in self._cooldown.items()}
