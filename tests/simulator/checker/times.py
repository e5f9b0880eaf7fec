"""When each position was received, by the relay's own clock: where a start by time may begin.

Used by `judge`. It knows nothing of what a relay took in the call in which it died, and nothing
sound any more once the clock was set back.
"""

from __future__ import annotations


class Times:
    """Receive times by position, in ns; None where that is not known."""

    def __init__(self) -> None:
        self._at: list[int | None] = []
        self.set_back = False

    def grown(self, end: int, now: int | None) -> None:
        """Positions up to `end` that are new were received just now."""
        self._at += [now] * (end - len(self._at))

    def cut(self, end: int) -> None:
        """Positions from `end` on are gone."""
        del self._at[end:]

    def since(self, time: int, then: int, end: int) -> tuple[int, int]:
        """Between which positions the first one received at `time` or later is, by what was there
        up to `then` when that was asked, and up to `end` when it was answered."""
        if self.set_back:
            return 0, end
        early = [n for n, at in enumerate(self._at[:then]) if at is not None and at < time]
        late = [n for n, at in enumerate(self._at[:end]) if at is not None and at >= time]
        return (early[-1] + 1 if early else 0), (late[0] if late else end)
