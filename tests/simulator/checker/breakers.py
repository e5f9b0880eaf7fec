"""Every consumer's circuit breaker, watched from outside: only along the table, only when due
(relays.md 5).

What is seen is the state's record of a connection after each step, and time that passed. Two things
may happen in a step, so a breaker may be seen two arrows further.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulator.checker.facts import Facts, must

CLOSED, OPEN, HALF_OPEN, REPLAYING = range(4)
NAMES = ("closed", "open", "half open", "replaying")
QUIETLY = {(REPLAYING, CLOSED), (OPEN, HALF_OPEN), (HALF_OPEN, CLOSED)}
SECOND = 1_000_000_000
LONGEST = 30 * SECOND
LAST_TRIP = 5
Row = Mapping[str, Any]


@dataclass
class Seen:
    """One consumer's breaker when it was last looked at; times in ns."""

    state: int
    trips: int
    role: int
    start: int
    since: int
    in_a_row: int = 0


class Breakers:
    """All breakers of one relay's life."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.seen: dict[int, Seen] = {}

    def look(self, row: Row, who: str, log: Mapping[str, int], now: int) -> None:
        """A consumer's record at `now`, which is time that passed and no clock."""
        number, state = row["id"], row["breaker"]
        if not row["consuming"]:
            self.seen.pop(number, None)
            return
        seen = self.seen.get(number)
        if seen is None or (seen.role, seen.start) != (row["role"], row["start"]):
            self.seen[number] = Seen(state, row["trips"], row["role"], row["start"], now)
            return
        trips = row["trips"] - seen.trips
        if trips or state != seen.state:
            self._moved(seen, row, trips, who, log, now)
            seen.state, seen.trips, seen.since = state, row["trips"], now

    def _moved(
        self, seen: Seen, row: Row, trips: int, who: str, log: Mapping[str, int], now: int
    ) -> None:
        was, is_now = seen.state, row["breaker"]
        text = f"{who}: breaker from {NAMES[was]} to {NAMES[is_now]} with {trips} trips"
        must(trips in (0, 1), text)
        must((is_now == OPEN) if trips else (was, is_now) in QUIETLY, text)
        if trips:
            # Half open for long, it may have closed in this very step.
            again = was == OPEN or (was == HALF_OPEN and now - seen.since < SECOND)
            seen.in_a_row = seen.in_a_row + 1 if again else 1
            must(self._may_open(row, log), f"{text}, and it was no reason")
        elif is_now == HALF_OPEN:
            must(now - seen.since >= self._wait(seen.in_a_row), f"{text} too soon")
            must(seen.in_a_row < LAST_TRIP, f"{text}, after the fifth time in a row")
        elif was == HALF_OPEN:
            must(now - seen.since >= SECOND, f"{text} too soon")

    def _wait(self, in_a_row: int) -> int:
        recovery = round(self.facts.config.recovery_timeout * SECOND)
        return min(recovery << max(0, in_a_row - 1), max(LONGEST, recovery))

    def _may_open(self, row: Row, log: Mapping[str, int]) -> bool:
        config = self.facts.config
        lag = log["end_position"] - (row["position"] - row["tail"])
        size = log["end_offset"] - row["offset"]
        largest = config.max_payload + 32  # of the frame begun, which went ahead
        overtaken = row["offset"] < log["oldest_offset"] + largest
        return (
            lag >= config.circuit_breaker
            or size + largest >= config.log_bytes * 8 // 10
            or (overtaken and log["oldest_offset"] > 0)
        )
