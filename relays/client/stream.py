"""What a relay says on one connection: bytes in, whole frames and control frames out. No I/O.

Called by Link, and by the cores of Producer and Consumer, whose fronts fill the buffer. The one
place that knows how positions move; deciding what to do about an Error or a Gap belongs to those
above. (SPEC.md, types 100-107)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from protocol._core import runs
from protocol.control import (
    Ack,
    Error,
    Gap,
    GapReason,
    Heartbeat,
    Snapshot,
    SnapshotKind,
    Welcome,
)
from protocol.errors import HeaderError
from protocol.header import HEADER_SIZE, MAGIC, Header
from protocol.message import Message, Unknown, decode

# max_payload is at most 1 MiB, so a buffer of twice that has room for any frame and what follows.
LARGEST_FRAME = (1 << 20) + HEADER_SIZE
BUFFER_BYTES = 2 << 20
# What to read at once: no more than a processor's cache holds.
READ_BYTES = 256 << 10
REMEMBERED = 1024


class Batch(NamedTuple):
    """Domain frames that follow each other: `position` is that of the first (of a filtered session
    the last one it was told). Their bytes are their own."""

    position: int
    frames: list[memoryview]


class Span(NamedTuple):
    """`frames` domain frames back to back, `position` that of the first as in Batch. `data` is a
    view of the buffer, good until more is read into it."""

    position: int
    frames: int
    data: memoryview


class Stream:
    """The relay's side of a connection. Receive into `room()`, say how much with `received`, then
    `take()` what came, one after the other, or `batch()` the frames.

    What the relay said is kept: `welcome`, `last_ack`, `heartbeat` (the newest of each), `errors`
    and `gaps` (the last 1,024); `on_control` is also called with each, in the order of the stream.
    `position` is what the next frame has (messages since the log began); with a filter the last
    one told, which is where to resume. In a snapshot (`in_snapshot`) frames have none. `source` is
    the relay's SourceType.

    >>> stream = Stream()
    >>> frame = Welcome(log_id=1, position=7, end_position=7, oldest_position=0).frame()
    >>> stream.room()[: len(frame)] = frame
    >>> stream.received(len(frame)), stream.batch().frames, stream.position
    (None, [], 7)
    """

    def __init__(self, on_control: Callable[[Message | Unknown], None] | None = None) -> None:
        self.on_control = on_control
        self.welcome: Welcome | None = None
        self.last_ack: Ack | None = None
        self.heartbeat: Heartbeat | None = None
        self.errors: deque[Error] = deque(maxlen=REMEMBERED)
        self.gaps: deque[Gap] = deque(maxlen=REMEMBERED)
        self.position = 0
        self.in_snapshot = False
        self.source = 0
        self._greeting = self._filtered = False
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._begin = self._end = 0

    def greet(self, filtered: bool) -> None:
        """A Hello goes out: frames before its Welcome are not for us."""
        self._greeting, self._filtered = True, filtered

    @property
    def unfinished(self) -> int:
        """Bytes that are not a whole frame yet."""
        return self._end - self._begin

    def room(self) -> memoryview:
        """Where the next bytes go; never empty once every batch has been taken."""
        left = self.unfinished
        if self._begin and left:
            self._buffer[:left] = bytes(self._buffer[self._begin : self._end])
        self._begin, self._end = 0, left
        return self._buffer[left:]

    def received(self, size: int) -> None:
        """So many bytes were put into `room()`."""
        self._end += size

    def take(self) -> Span | Message | Unknown | None:
        """What comes next: domain frames up to a control frame, or that one; None when more bytes
        are needed. HeaderError for what is no frame, ChecksumError or another ProtocolError for a
        control frame that is damaged."""
        while True:
            begin = self._begin
            stop, count, kind = runs.span(self._buffer, begin, self._end, LARGEST_FRAME)
            self._begin = stop
            if count and not self._greeting:
                return self._passed(count, self._buffer[begin:stop])
            if kind == runs.CUT:
                return None
            if kind == runs.NO_FRAME:
                got = f"{bytes(self._buffer[stop : stop + 4]).hex()}, or a size past any frame's"
                raise HeaderError("what came is not a frame", expected=hex(MAGIC), got=got)
            message, header = decode(self._buffer, stop), Header.unpack(self._buffer, stop)
            self._begin, self.source = stop + HEADER_SIZE + header.payload_size, header.source
            self._heard(message)
            return message

    def batch(self) -> Batch:
        """The whole frames up to the next control frame, or to the end; what control frames come
        before them is passed over. Errors as `take`."""
        while True:
            taken = self.take()
            if isinstance(taken, Span):
                return Batch(taken.position, runs.frames(bytes(taken.data), 0))
            if taken is None or isinstance(taken, Welcome):
                return Batch(self.position, [])

    def _passed(self, count: int, data: memoryview) -> Span:
        first = self.position
        if not (self._filtered or self.in_snapshot):
            self.position += count
        return Span(first, count, data)

    def _heard(self, message: Message | Unknown) -> None:
        """One control frame; kinds that are not known are for `on_control` alone."""
        match message:
            case Welcome():
                self.welcome, self.position, self._greeting = message, message.position, False
            case Ack():
                self.last_ack = message
            case Error():
                self.errors.append(message)
            case Gap():
                self.gaps.append(message)
                self.in_snapshot = False  # one that was not at its end begins again
                if message.reason != GapReason.LOG_REPLACED:
                    self.position = message.last_position + 1
            case Snapshot():
                self.in_snapshot = message.kind == SnapshotKind.BEGIN
                self.position = message.position
            case Heartbeat():
                self.heartbeat = message
                if self._filtered:
                    self.position = message.position
        if self.on_control is not None:
            self.on_control(message)
