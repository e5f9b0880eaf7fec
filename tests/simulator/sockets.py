"""One played connection: two bounded buffers that cut, delay, block and reset.

The relay has it as a socket (`recv_into`, `send`, `close`), a peer by `write`, `read`, `shut`,
`leave`. Bytes a peer wrote are in flight until `arrive`; what the relay sent waits in the buffer
until the peer reads.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulator.kernel import Kernel

ROOM = 1 << 16
ENDLESS = 1 << 40
COOKIES = 1 << 50


class Line:
    """A connection. `room` is the most that waits for the peer, bytes; ENDLESS = never full."""

    def __init__(self, kernel: Kernel, number: int, fd: int, uid: int, pid: int) -> None:
        self.kernel, self.number, self.fd, self.uid, self.pid = kernel, number, fd, uid, pid
        self.room = ROOM
        self.flight, self.coming, self.waiting = bytearray(), bytearray(), bytearray()
        self.shut_by_peer = self.gone = self.reset = self.closed = self.died = False

    # --- what the relay sees ---

    @property
    def readable(self) -> bool:
        return bool(self.coming) or (self.shut_by_peer and not self.flight) or self.gone

    @property
    def writable(self) -> bool:
        return self.gone or len(self.waiting) < self.room

    @property
    def endless(self) -> bool:
        """Whether no mischief befalls it."""
        return self.room == ENDLESS

    @property
    def busy(self) -> bool:
        """Whether bytes are under way, in any direction."""
        return bool(self.flight or self.coming or self.waiting)

    @property
    def hung_up(self) -> bool:
        return self.gone

    def fileno(self) -> int:
        return self.fd

    def setblocking(self, _: bool) -> None:
        pass

    def getsockopt(self, _: int, option: int, size: int = 0) -> bytes | int:
        if size == struct.calcsize("3i"):
            return struct.pack("3i", self.pid, self.uid, self.uid)
        if size == struct.calcsize("=Q"):
            return struct.pack("=Q", COOKIES + self.number)
        return b"" if size else option

    def setsockopt(self, *_: int) -> None:
        pass

    def unread(self) -> int:
        """Bytes that wait for the relay to read."""
        return len(self.coming)

    def unsent(self) -> int:
        """Bytes that wait for the peer to read."""
        return len(self.waiting)

    def recv_into(self, room: memoryview) -> int:
        """What has come, or a part of it."""
        kernel = self.kernel
        kernel.system_call()
        size = self._some(min(len(room), len(self.coming)))
        if not size:
            return self._nothing()
        room[:size] = self.coming[:size]
        del self.coming[:size]
        kernel.read_bytes += size
        kernel.note("recv", self.number, size)
        if kernel.witness is not None:
            kernel.witness.was_read(self, size)
        kernel.system_call()
        return size

    def _nothing(self) -> int:
        if self.reset:
            raise ConnectionResetError
        if self.readable:
            self.kernel.note("recv", self.number, 0)
            return 0
        raise BlockingIOError

    def send(self, data: memoryview | bytes) -> int:
        """What there is room for, or a part of it."""
        kernel = self.kernel
        kernel.system_call()
        if self.gone:
            raise BrokenPipeError
        size = self._some(min(len(data), self.room - len(self.waiting)))
        if size <= 0:
            raise BlockingIOError
        taken = bytes(data[:size])
        self.waiting += taken
        kernel.note("send", self.number, taken)
        if kernel.witness is not None:
            kernel.witness.said(self, taken)
        kernel.system_call()
        return size

    def _some(self, size: int) -> int:
        """Now and then less than there could be."""
        if self.endless:
            return size
        if size > 1 and not self.kernel.calm and self.kernel.chance.random() < 0.1:
            return self.kernel.chance.randrange(1, size)
        return size

    def shutdown(self, _: int) -> None:
        """The relay ends it, whoever else has it: the peer reads what waits, then an end."""
        if not self.closed:
            self.closed = True
            self.kernel.ended(self, "closed")

    def close(self) -> None:
        """The relay is done with it; that is the end of it where nobody else has it."""
        kernel = self.kernel
        kernel.open.pop(self.fd, None)
        if not kernel.has(self):
            self.shutdown(0)
            kernel.watched.pop(self.fd, None)

    def lost(self) -> None:
        """The relay's process died."""
        self.closed = self.died = True
        self.kernel.ended(self, "died")

    # --- what the peer sees ---

    @property
    def over(self) -> bool:
        """Whether the peer has seen, or will see, an end."""
        return self.closed and not self.waiting

    def write(self, data: bytes) -> int:
        """As many bytes as there is room for; they are in flight. 0 also when nobody reads."""
        size = min(len(data), ROOM - len(self.flight) - len(self.coming))
        if size <= 0 or self.closed or self.gone or self.shut_by_peer:
            return 0
        self.flight += data[:size]
        self.kernel.note("write", self.number, data[:size])
        return size

    def arrive(self, size: int) -> None:
        """The next bytes in flight are there."""
        data = bytes(self.flight[:size])
        del self.flight[:size]
        if data:
            self.coming += data
            self.kernel.note("arrive", self.number, len(data))
            if self.kernel.witness is not None:
                self.kernel.witness.wrote(self, data)

    def read(self, most: int) -> bytes:
        """What waits, at most `most` bytes."""
        data = bytes(self.waiting[:most])
        del self.waiting[:most]
        return data

    def shut(self) -> None:
        """The peer will write nothing more."""
        self.shut_by_peer = True
        self.kernel.ended(self, "shut")

    def leave(self) -> None:
        """The peer closes it, or dies: what it wrote is there, what it has not read is lost."""
        self.arrive(len(self.flight))
        self.gone = self.shut_by_peer = True
        self.reset = bool(self.waiting)
        self.waiting.clear()
        self.kernel.ended(self, "left")
