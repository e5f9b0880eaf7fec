"""One connection as the checker knows it, and why a relay may end it (SPEC.md, Reject codes).

Made by `judge` when a relay accepts a connection; it has what was written, what was read, and how
it ended.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from protocol.control import Error
from protocol.reject import Reject
from tests.simulator.checker.facts import must
from tests.simulator.checker.reading import Reading
from tests.simulator.checker.writing import Writing

LAST_TRIP = 5
SESSION = 3


@dataclass
class Talk:
    """A connection: its two directions, and what became of it."""

    who: str
    uid: int
    pid: int
    reading: Reading
    writing: Writing
    pending: bytearray = field(default_factory=bytearray)
    number: int = 0  # of its record, while it has one
    read: int = 0  # bytes that the relay read
    last_ack: int = -1
    acks_seen: int = 0
    acked_before: int = 0  # Acks that an earlier relay sent
    kept_from: list[int] = field(default_factory=list)  # the oldest of each relay that had it
    trips: int = 0
    oldest: int = 0  # that was served when the relay closed it
    left: bool = False  # the peer closed it
    shut: bool = False  # the peer writes no more
    closed: bool = False  # the relay closed it
    refused: bool = False  # and never had it
    draining: bool = False  # while it was told to stop
    cooled: bool = False  # its process had been cut off as a producer
    followed: bool = False  # somebody else said Hello for its producer_id
    parted: bool = False  # its relay ended, and the next one need not go on with it

    @property
    def fatal(self) -> Error | None:
        """The Error that announced the end, if one did."""
        return next((one for one in self.reading.errors if one.fatal), None)

    def on_lag(self, role: int) -> str:
        """What was chosen for it, or the relay's default, by the role its record has."""
        reading = self.reading
        return reading.on_lag if role == SESSION else reading.facts.config.on_lag

    def may_lag(self, role: int) -> bool:
        """Whether its lag has no limit: catch_up, or it is about to be closed."""
        return self.on_lag(role) == "catch_up" or self.was_cut or self._any()

    @property
    def was_cut(self) -> bool:
        """Whether it may have been ended without its bytes being read to the end."""
        config = self.reading.facts.config
        hit = self.cooled or self.writing.held_against >= config.producer_breaker
        reading = self.reading
        slow = bool(self.trips) or reading.view is not None
        slow = slow or (reading.consumes and reading.on_lag == "disconnect")
        return hit or slow or self.followed or self.refused or self.fatal is not None

    def audit_errors(self) -> None:
        """Every Error names something that was wrong with what was written."""
        writing = self.writing
        for error in self.reading.errors:
            code = Reject(error.code)
            if code == Reject.SEQUENCE_GAP:
                text = f"{self.who} was told to go back to {error.expected}"
                must(error.expected in writing.expected, f"{text}, not one of {writing.expected}")
            elif code == Reject.NOT_ACCEPTING:
                must(
                    self.reading.facts.durability > 0, f"{self.who}: {code.name} without a journal"
                )
            elif not (error.fatal or writing.guessed):
                must(writing.rejects[code] > 0, f"{self.who} was told {code.name} for nothing")

    def audit_end(self) -> None:
        """The relay closed it although the peer was there: it must have had a reason."""
        error = self.fatal
        if error is None:
            must(self._silently(), f"{self.who} was closed for nothing")
        else:
            code = Reject(error.code)
            must(self._because(code), f"{self.who} was closed for {code.name}")

    def _silently(self) -> bool:
        """Sessions are told, PLAIN connections and producers are not, nor is one being told."""
        if self.reading.welcome is not None and not self.refused and not self.reading.half():
            return self.shut or self.draining or self._any()
        return self.shut or self.refused or self.draining or self._any()

    def _any(self) -> bool:
        return any(self._because(code) for code in Reject)

    def _because(self, code: Reject) -> bool:
        writing, config = self.writing, self.reading.facts.config
        match code:
            case Reject.SLOW_CONSUMER:
                limit = 1 if self.reading.on_lag == "disconnect" else LAST_TRIP
                plain = self.reading.welcome is None
                snapshot = self.reading.view is not None
                damaged = plain and bool(self.reading.damaged)
                position = self.reading.position
                gone = position is not None and position < self.oldest
                overrun = self.reading.facts.limited and gone
                return self.trips >= (1 if plain else limit) or snapshot or damaged or overrun
            case Reject.FENCED:
                return self.followed
            case Reject.COOLDOWN:
                return self.cooled or writing.held_against >= config.producer_breaker
            case Reject.TRUNCATED:
                half = bool(writing.rest) and writing.framing is None
                return half or writing.was_late or self.draining
            case Reject.DRAINING:
                return self.draining
            case Reject.TOO_MANY_CONNECTIONS:
                return self.refused
            case Reject.BAD_HELLO if self.reading.hello is not None:
                beyond = self.reading.hello.start_position > 0
                return beyond or writing.beat or writing.ended == code
        return writing.ended == code
