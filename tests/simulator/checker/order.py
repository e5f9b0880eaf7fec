"""The one order: which bytes have which position, learned from what consumers were sent.

Whoever is first to be sent a position says what it holds; all others must agree. A log that
replaced another has an Order of its own.
"""

from __future__ import annotations

from tests.simulator.checker.facts import must


class Order:
    """The frames of one log by position, and where each begins in all bytes together."""

    def __init__(self, log_id: int) -> None:
        self.log_id = log_id
        self.frames: list[bytes] = []
        self.offsets: list[int] = [0]
        self.data = bytearray()
        self.first: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self.frames)

    def append(self, frame: bytes) -> None:
        self.first.setdefault(frame, len(self.frames))
        self.frames.append(frame)
        self.data += frame
        self.offsets.append(len(self.data))

    def agree(self, position: int, frame: bytes, who: str) -> None:
        """`who` was sent this frame as that position."""
        if position == len(self.frames):
            self.append(frame)
            return
        must(
            position < len(self.frames),
            f"{who} was sent position {position} before anybody had {len(self.frames)}",
        )
        if frame != self.frames[position]:
            where = self.first.get(frame)
            must(False, f"{who} was sent the frame of position {where} as {position}")

    def has_before(self, position: int, frame: bytes) -> bool:
        """Whether this frame has a position before `position`."""
        return self.first.get(frame, position) < position
