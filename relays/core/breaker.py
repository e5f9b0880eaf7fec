"""The circuit breaker of one consumer: when it is cut off, and how it comes back (relays.md 5).

Called by `relays.core.hub` with a lag and a time; it answers with what happened and never acts.
What a trip means for the consumer (gap, disconnect) is the hub's to do.

    REPLAYING --lag under half--> CLOSED --lag >= threshold--> OPEN --recovery over--> HALF_OPEN
    HALF_OPEN --lag under half for 1 s--> CLOSED;  HALF_OPEN --lag >= threshold--> OPEN, doubled
"""

from __future__ import annotations

from dataclasses import dataclass

CLOSED, OPEN, HALF_OPEN, REPLAYING = range(4)
NAMES = ("closed", "open", "half_open", "replaying")
TABLE = {
    (REPLAYING, CLOSED),
    (CLOSED, OPEN),
    (OPEN, HALF_OPEN),
    (HALF_OPEN, CLOSED),
    (HALF_OPEN, OPEN),
    (REPLAYING, OPEN),  # a consumer that may never see a gap and was overtaken
}

SECOND = 1_000_000_000
LONGEST = 30 * SECOND
CALM = SECOND
LAST_TRIP = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """When a breaker opens: messages and bytes of lag; `recovery` ns before it is tried again."""

    messages: int
    size: int
    recovery: int


class Breaker:
    """The state of one consumer's breaker; times in ns, lag in messages and bytes.

    >>> breaker = Breaker()
    >>> breaker.settle(lag=0, size=0, limits=Limits(10, 1000, SECOND), now=0)
    True
    >>> breaker.over(10, 0, Limits(10, 1000, SECOND))
    True
    """

    __slots__ = ("calm_since", "in_a_row", "recovered", "state", "wait")

    def __init__(self) -> None:
        self.state = REPLAYING
        self.in_a_row = 0
        self.wait = 0
        self.recovered = False
        self.calm_since: int | None = None

    @classmethod
    def gone_on(cls, state: int, limits: Limits) -> Breaker:
        """The breaker that a consumer had in an earlier process; how often it tripped in a row is
        forgotten, and an open one waits anew."""
        made = cls()
        made.state = state
        if state in (OPEN, HALF_OPEN):
            made.in_a_row, made.wait = 1, limits.recovery
        return made

    def _go(self, state: int) -> None:
        assert (self.state, state) in TABLE, f"{NAMES[self.state]} -> {NAMES[state]}"
        self.state = state

    def over(self, lag: int, size: int, limits: Limits) -> bool:
        """Whether this lag trips it now; a consumer still REPLAYING is not cut for it."""
        armed = self.state in (CLOSED, HALF_OPEN)
        return armed and (lag >= limits.messages or size >= limits.size)

    def trip(self, limits: Limits) -> bool:
        """Open; after `wait` the caller sets `recovered`, once and for good: a clock that is asked
        twice may go back in between. False when this was the fifth time in a row: the consumer
        must go."""
        self.in_a_row = self.in_a_row + 1 if self.state == HALF_OPEN else 1
        self.wait = min(limits.recovery << (self.in_a_row - 1), max(LONGEST, limits.recovery))
        self.recovered = False
        self.calm_since = None
        self._go(OPEN)
        return self.in_a_row < LAST_TRIP

    def half_open(self) -> None:
        """It is tried again: live from here, after a Gap."""
        self._go(HALF_OPEN)

    def shift(self, by: int) -> None:
        """The clock was set: what happened, happened `by` ns later on it."""
        if self.calm_since is not None:
            self.calm_since += by

    def settle(self, lag: int, size: int, limits: Limits, now: int) -> bool:
        """Look at a lag again. True when the breaker closed by it."""
        low = lag * 2 < limits.messages and size * 2 < limits.size
        if self.state == REPLAYING and low:
            self._go(CLOSED)
            return True
        if self.state != HALF_OPEN:
            return False
        if not low:
            self.calm_since = None
        elif self.calm_since is None:
            self.calm_since = now
        elif now - self.calm_since >= CALM:
            self.in_a_row = 0
            self._go(CLOSED)
            return True
        return False
