"""Ctrl-C and SIGTERM for commands that must not be torn in the middle of a step.

Called by tap, publish and replay. While a command waits it ends at once; while it works (a frame is
being written) it ends after that step, and at a second Ctrl-C at once all the same.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Raises KeyboardInterrupt in `waiting()` blocks only: use as a context in the main thread.

    >>> with Interrupts() as interrupts:
    ...     with interrupts.waiting():
    ...         pass
    >>> interrupts.asked
    0
    """

    def __init__(self) -> None:
        self.asked = 0
        self._waits = False
        self._waiting = _Waiting(self)
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def waiting(self) -> _Waiting:
        """A context in which nothing is half done: an interrupt, also one that came before, ends
        it. Not to be nested."""
        return self._waiting

    def _handle(self, _: int, __: FrameType | None) -> None:
        self.asked += 1
        if self._waits or self.asked > 1:
            raise KeyboardInterrupt


class _Waiting:
    """What `waiting` gives; one for all, as it is entered for every message."""

    def __init__(self, of: Interrupts) -> None:
        self._of = of

    def __enter__(self) -> None:
        self._of._waits = True
        if self._of.asked:
            self._of._waits = False
            raise KeyboardInterrupt

    def __exit__(self, *_: object) -> None:
        self._of._waits = False
