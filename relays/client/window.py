"""The frames a producer keeps until the relay has answered for them: one bytearray, in batches.

Called by `relays.client.producing`. Only bytes and numbers: what an Ack or a Welcome means, clocks
and sockets are not for here. Nothing is kept per message: where one begins is found, when it must
be, by walking its batch.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from protocol._core.stamp import renumber
from protocol.header import HEADER_SIZE

PAYLOAD_SIZE = struct.Struct("<8xI")


class Batch(NamedTuple):
    """Frames put in one after the other: the first one's sequence, where it begins (bytes, of all
    that were ever put in) and when it came (seconds)."""

    first: int
    start: int
    time: float


class Window:
    """Sealed frames with sequences `first` to `next - 1`, back to back in `frames`.

    `cursor` says how many bytes of them this connection has taken. A batch takes `batch_bytes`, or
    what comes within `span` seconds: that is how exactly ages are known.

    >>> from protocol.control import Ack
    >>> window = Window(batch_bytes=4096, span=1.0)
    >>> for number in (1, 2, 3):
    ...     window.put(Ack(number, 9).frame(sequence=number), now=0.0)
    >>> window.through(1)
    >>> window.first, window.next, len(window.take(2, 2))
    (2, 4, 56)
    """

    def __init__(self, batch_bytes: int, span: float) -> None:
        self.frames = bytearray()
        self.next = 1
        self.cursor = 0
        self._batch_bytes, self.span = batch_bytes, span
        self._batches: deque[Batch] = deque()
        self._gone = 0  # bytes that have left at the front
        self.full, self.until = 0, 0.0

    @property
    def first(self) -> int:
        """The sequence of the oldest frame that is kept; `next` when there is none."""
        return self._batches[0].first if self._batches else self.next

    @property
    def unsent(self) -> int:
        """Bytes that this connection has not taken yet."""
        return len(self.frames) - self.cursor

    def put(self, frame: bytes | bytearray, now: float, count: int = 1) -> None:
        """Keep `count` sealed frames, the first of which has the sequence `next`."""
        if len(self.frames) >= self.full or now >= self.until:
            self.open(now)
        # No call between these two: a signal's exception cannot come between them either.
        self.frames += frame
        self.next += count

    def open(self, now: float) -> None:
        """Begin a batch: due before a frame when `frames` has `full` bytes, or at `until`."""
        start = self._gone + len(self.frames)
        if not self._batches or self._batches[-1].start != start:  # else a signal came in between
            self._batches.append(Batch(self.next, start, now))
        self.full, self.until = len(self.frames) + self._batch_bytes, now + self.span

    # --- frames leave ---

    def through(self, sequence: int, *, exact: bool = True) -> None:
        """Frames up to `sequence` leave; not `exact`: those of a batch only all together."""
        if sequence >= self.next - 1:
            self._cut(len(self.frames))
            self._batches.clear()
            self.full = 0
            return
        while len(self._batches) > 1 and self._batches[1].first <= sequence + 1:
            self._batches.popleft()
        self._cut(self._batches[0].start - self._gone if self._batches else 0)
        if exact and sequence >= self.first:
            size = self.place(sequence + 1)
            self._batches[0] = Batch(sequence + 1, self._gone + size, self._batches[0].time)
            self._cut(size)

    def _cut(self, size: int) -> None:
        del self.frames[:size]
        self._gone += size
        self.full -= size
        self.cursor = max(0, self.cursor - size)

    def without(self, sequence: int) -> None:
        """This one frame leaves; those behind it have a number too many until `number`."""
        if not self.first <= sequence < self.next:
            return
        begin = self.place(sequence)
        size = self.place(sequence + 1) - begin
        del self.frames[begin : begin + size]
        self.full = 0
        self.next -= 1
        moved = [
            one if one.first <= sequence else Batch(one.first - 1, one.start - size, one.time)
            for one in self._batches
        ]
        ends = [one.start for one in moved[1:]] + [self._gone + len(self.frames)]
        self._batches = deque(one for one, end in zip(moved, ends, strict=True) if one.start < end)

    # --- a new connection ---

    def number(self, first: int) -> None:
        """The frames get sequences from `first` on, and are sealed again; `next` follows."""
        by = first - self.first
        renumber(self.frames, first)
        self._batches = deque(Batch(one.first + by, *one[1:]) for one in self._batches)
        self.next += by

    # --- looking ---

    def older(self, time: float) -> int:
        """The sequence of the last frame in a batch that was begun by `time`; 0 for none."""
        last = 0
        for at, batch in enumerate(self._batches):
            if batch.time > time:
                break
            last = self._batches[at + 1].first - 1 if at + 1 < len(self._batches) else self.next - 1
        return last

    @property
    def oldest(self) -> float | None:
        """When the oldest batch was begun."""
        return self._batches[0].time if self._batches else None

    def take(self, first: int, last: int) -> bytes:
        """A copy of the frames `first` to `last`, of those that are kept."""
        first, last = max(first, self.first), min(last, self.next - 1)
        if first > last:
            return b""
        return bytes(self.frames[self.place(first) : self.place(last + 1)])

    def place(self, sequence: int) -> int:
        """Where in `frames` the frame with this sequence begins."""
        if sequence >= self.next:
            return len(self.frames)
        batch = self._batches[bisect_right(self._batches, sequence, key=lambda one: one.first) - 1]
        start = batch.start - self._gone
        return next(at for at, number in self._walk(start, batch.first) if number == sequence)

    def _walk(self, at: int, sequence: int) -> Iterator[tuple[int, int]]:
        while at < len(self.frames):
            yield at, sequence
            (payload,) = PAYLOAD_SIZE.unpack_from(self.frames, at)
            at += HEADER_SIZE + payload
            sequence += 1
