"""Which connections must outlive the relay that served them, and which must not (relays.md 9).

Used by `judge` where a service manager keeps connections. A relay that made way hands over every
connection that is kept, but one in the middle of a snapshot; one that was killed between two events
every one that was idle. Of relays that die soon after each other the second closes all, and the
third begins another log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.simulator.checker.facts import Facts, must
from tests.simulator.checker.talk import Talk

CLOSED, REPLAYING = 0, 3
SECOND = 1_000_000_000
Row = Mapping[str, Any]


class Lives:
    """The relays that followed each other on one state; `now` is what a clock on the wall says."""

    def __init__(self, facts: Facts) -> None:
        self._window = round(facts.config.crash_window * SECOND)
        self.forget()

    def forget(self) -> None:
        """The state is gone: what begins now has not been adopted."""
        self._killed = False
        self._deaths = 0
        self._adopted: int | None = None

    def ended(self, killed: bool) -> None:
        self._killed = killed

    def deaths(self, now: int) -> int:
        """How many relays will have died in a row if the next one starts now."""
        if not self._killed:
            return 0
        soon = self._adopted is not None and 0 <= now - self._adopted < self._window
        return self._deaths + 1 if soon else 1

    def began(self, now: int, deaths: int, was_left: bool, adopted: bool) -> None:
        """The next one has started after so many deaths; a state `was_left`, it was `adopted`."""
        text = f"after {deaths} deaths in a row the state was {'' if adopted else 'not '}adopted"
        must(adopted == (was_left and deaths < 3), text)
        self.forget()
        if adopted:
            self._deaths, self._adopted = deaths, now


def must_go_on(talk: Talk, row: Row | None, handed: bool, inside: bool) -> bool:
    """Whether a relay that ended leaves this connection, whose record this was, to the next one."""
    if row is None or not row["stored"]:
        return False
    if handed:
        return talk.reading.inside is None and not talk.reading.snapshot_due
    return not inside and _is_idle(talk, row)


def _is_idle(talk: Talk, row: Row) -> bool:
    """Whether nothing was under way: all was taken, and nothing is owed but frames of the log."""
    reading, writing = talk.reading, talk.writing
    half = bool(writing.rest) or talk.read != writing.whole
    ending = talk.shut or talk.followed or talk.cooled or talk.fatal is not None
    unanswered = writing.hello is not None and reading.welcome is None
    if half or ending or unanswered or reading.view is not None:
        return False
    if row["tail"] or any(row["sums"]["dropped"]) or row["breaker"] not in (CLOSED, REPLAYING):
        return False
    journaled = reading.facts.durability > 0
    if reading.half() and (journaled or not row["begun"]):
        return False  # of a control frame, or of a frame that only the journal has
    refused = writing.next() is None and (bool(writing.rejects) or writing.ended is not None)
    return not (refused or (journaled and writing.produces))
