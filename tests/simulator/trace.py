"""What happened in a run, in order: a hash of all of it, and the last of it in words.

Written by every part of the simulator. Two runs are the same when their hashes are. Nothing that
differs from process to process (an address, a real time, a hash of a str) may get in here.
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2b

KEPT = 60


class Trace:
    """The events of one run.

    >>> trace = Trace()
    >>> trace.add(5, "read", "consumer 1", b"abc")
    >>> trace.count, trace.last()
    (1, ['0.000000005 read consumer 1 3 bytes'])
    """

    def __init__(self) -> None:
        self.count = 0
        self._hash = blake2b(digest_size=16)
        self._last: deque[tuple[object, ...]] = deque(maxlen=KEPT)

    def add(self, now: int, *what: object) -> None:
        """One event at `now` (ns of the run): words, numbers, bytes."""
        self.count += 1
        self._hash.update(repr((now, what)).encode())
        self._last.append((now, *what))

    def digest(self) -> str:
        return self._hash.hexdigest()

    def last(self) -> list[str]:
        """The last events as lines; bytes by their number."""
        return [_line(event) for event in self._last]


def _line(event: tuple[object, ...]) -> str:
    now, *what = event
    assert isinstance(now, int)
    words = [f"{len(one)} bytes" if isinstance(one, bytes) else str(one) for one in what]
    return f"{now / 1e9:.9f} {' '.join(words)}"
