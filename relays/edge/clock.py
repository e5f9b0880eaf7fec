"""Time for the daemon: ns since the Unix epoch that do not jump.

Read by `relays.edge.relay` and `relays.edge.connection`. Deadlines must not wait an hour because
somebody set the clock back, so this is the monotonic clock plus an offset, and `follow` tells by
how much the offset was moved. A drift it follows without a word: by as much the time may go back.
"""

from __future__ import annotations

import time

STEP = 50_000_000
AT_ONCE = 1_000_000


class Clock:
    """Wall time in ns, steady between two calls of `follow`."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        return time.monotonic_ns() + self._offset

    def follow(self) -> int:
        """Follow the wall clock; gives the step in ns if it was set, 0 where it only drifted."""
        before = time.monotonic_ns()
        offset = time.time_ns() - before
        if time.monotonic_ns() - before > AT_ONCE:
            return 0  # we were held up in between: the two do not belong together
        step = offset - self._offset
        self._offset = offset
        return step if abs(step) > STEP else 0
