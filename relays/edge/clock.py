"""Time for the daemon: ns since the Unix epoch that never jump back.

Read by `relays.edge.relay` and `relays.edge.connection`. Deadlines must not wait an hour because
somebody set the clock back, so this is the monotonic clock plus an offset, and `follow` tells by
how much the offset was moved.
"""

from __future__ import annotations

import time

STEP = 50_000_000


class Clock:
    """Wall time in ns, steady between two calls of `follow`."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        return time.monotonic_ns() + self._offset

    def follow(self) -> int:
        """Follow the wall clock; gives the step in ns if it was set, 0 where it only drifted."""
        offset = time.time_ns() - time.monotonic_ns()
        step = offset - self._offset
        self._offset = offset
        return step if abs(step) > STEP else 0
