"""The log: accepted frames in order, each with a position (relays.md 2).

Called by `relays.core.hub` (to find where a consumer starts). The bytes and the records are
compiled; here is what a person calls them.
"""

from __future__ import annotations

from protocol._core.state import State

READ_SIZE = 256 * 1024


class Log:
    """One relay's log, over the writing State.

    `view` is the ring mapped twice: `view[a : a + n]` is contiguous for any n up to `size`.
    """

    def __init__(self, state: State) -> None:
        assert state.ring is not None
        self.state = state
        self.size = state.log_bytes
        self.view = memoryview(state.ring)
        # A read never asks for more than an eighth, so that a breaker at 80 % trips first.
        self.read_size = min(READ_SIZE, self.size // 8)

    @property
    def id(self) -> int:
        return self.state.log_id

    @property
    def end(self) -> int:
        """The position the next accepted frame gets."""
        return self.state.end_position

    @property
    def shown(self) -> int:
        """The end as consumers see it: what a journal has to have first is not theirs yet."""
        return self.state.shown_position

    @property
    def oldest(self) -> int:
        """The first position that is still kept."""
        return self.state.oldest_position
