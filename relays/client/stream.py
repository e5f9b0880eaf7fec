"""What a relay says on one connection: bytes in, whole frames and control frames out. No I/O.

Called by `relays.client.link`, which fills the buffer. The one place that knows how positions move;
deciding what to do about an Error or a Gap belongs to those above. (SPEC.md, types 100-107)
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from protocol.catalogue import CONTROL
from protocol.control import Ack, Error, Gap, GapReason, Heartbeat, Welcome
from protocol.errors import HeaderError
from protocol.header import HEADER_SIZE, MAGIC
from protocol.message import Message, Unknown, decode

# max_payload is at most 1 MiB, so a buffer of twice that has room for any frame and what follows.
LARGEST_FRAME = (1 << 20) + HEADER_SIZE
BUFFER_BYTES = 2 << 20
REMEMBERED = 1024
FRAMING = struct.Struct("<IBxxxI")


class Batch(NamedTuple):
    """Domain frames that follow each other: `position` is that of the first (of a filtered session
    the last one it was told). Views of the buffer, good until more is read into it."""

    position: int
    frames: list[memoryview]


class Stream:
    """The relay's side of a connection. Receive into `room()`, say how much with `received`, then
    take `batch()`.

    What the relay said is kept: `welcome`, `last_ack`, `heartbeat` (the newest of each), `errors`
    and `gaps` (the last 1,024); `on_control` is also called with each, in the order of the stream.
    `position` is what the next frame has (messages since the log began); with a filter the last
    one told, which is where to resume.

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
        if self._begin:
            self._buffer[:left] = bytes(self._buffer[self._begin : self._end])
        self._begin, self._end = 0, left
        return self._buffer[left:]

    def received(self, size: int) -> None:
        """So many bytes were put into `room()`."""
        self._end += size

    def batch(self) -> Batch:
        """The whole frames up to a Gap, the Welcome or the end. HeaderError for what is no frame,
        ChecksumError or another ProtocolError for a control frame that is damaged."""
        first, frames = self.position, list[memoryview]()
        begin, end, buffer = self._begin, self._end, self._buffer
        while end - begin >= HEADER_SIZE:
            magic, kind, payload = FRAMING.unpack_from(buffer, begin)
            size = HEADER_SIZE + payload
            if magic != MAGIC or size > LARGEST_FRAME:
                raise HeaderError("what came is not a frame", expected=hex(MAGIC), got=hex(magic))
            # A Gap belongs before the frames that follow it, not into the middle of a batch.
            if size > end - begin or (kind == Gap.TYPE and frames):
                break
            frame = buffer[begin : begin + size]
            begin += size
            if kind not in CONTROL:
                frames.append(frame)
                continue
            self._moved(first, frames)
            self._take(decode(frame))
            if kind == Welcome.TYPE:
                frames.clear()
                break
            if not frames:
                first = self.position
        self._begin = begin
        if frames:
            self._moved(first, frames)
        return Batch(first, [] if self._greeting else frames)

    def _moved(self, first: int, frames: list[memoryview]) -> None:
        if not self._filtered:
            self.position = first + len(frames)

    def _take(self, message: Message | Unknown) -> None:
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
                if message.reason != GapReason.LOG_REPLACED:
                    self.position = message.last_position + 1
            case Heartbeat():
                self.heartbeat = message
                if self._filtered:
                    self.position = message.position
        if self.on_control is not None:
            self.on_control(message)
