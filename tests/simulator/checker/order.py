"""The one order: which bytes have which position, learned from what consumers were sent.

Whoever is first to be sent a position says what it holds; all others must agree. A log that
replaced another has an Order of its own.
"""

from __future__ import annotations

from zlib import crc32

from tests.simulator.checker.facts import must


class Order:
    """The frames of one log by position, where each begins in all bytes together, and the CRC-32 of
    all bytes before it."""

    def __init__(self, log_id: int) -> None:
        self.log_id = log_id
        self.frames: list[bytes] = []
        self.offsets: list[int] = [0]
        self.data = bytearray()
        self.first: dict[bytes, int] = {}
        self.chains: list[int] = [0]

    def __len__(self) -> int:
        return len(self.frames)

    def append(self, frame: bytes) -> None:
        self.first.setdefault(frame, len(self.frames))
        self.frames.append(frame)
        self.data += frame
        self.offsets.append(len(self.data))
        self.chains.append(crc32(frame, self.chains[-1]))

    def cut(self, log_id: int, count: int) -> Order:
        """The log that came after this one, with the first `count` of its frames."""
        following = Order(log_id)
        for frame in self.frames[:count]:
            following.append(frame)
        return following

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
