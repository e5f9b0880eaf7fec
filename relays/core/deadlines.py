"""What is due when: one heap for all timers of a relay.

Called by `relays.core.hub`; the edge asks only for the earliest. A deadline whose purpose is gone
is not removed: its action looks whether it is still wanted. No clock in here.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

Action = Callable[[int], None]


class Deadlines:
    """Actions by time, ns.

    >>> due = Deadlines()
    >>> due.at(5, print)
    >>> due.run(7)
    7
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Action]] = []
        self._number = count()
        self.earliest: int | None = None  # when something is due next, ns; asked after each read

    def at(self, when: int, action: Action) -> None:
        """Call `action(now)` at the first `run` at or after `when`."""
        heapq.heappush(self._heap, (when, next(self._number), action))
        self._look()

    def _look(self) -> None:
        self.earliest = self._heap[0][0] if self._heap else None

    def shift(self, by: int) -> None:
        """The clock was set: everything is due `by` ns later (or earlier) than it was."""
        self._heap = [(when + by, number, action) for when, number, action in self._heap]
        self._look()

    def run(self, now: int) -> None:
        """Call everything due by `now`, in order. What it adds for now waits for the next run."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        self._look()
        for action in due:
            action(now)
