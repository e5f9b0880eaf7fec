"""One blocking connection to one relay: bytes out, whole frames in, control frames as data.

The transport below Producer and Consumer, and enough for a tool by itself. It keeps nothing that
was sent and does not reconnect; what came is understood by `relays.client.stream`. Not for use by
two threads at once. (SPEC.md, Message types 100-107; relays.md 3)
"""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Self

from protocol.catalogue import SourceType
from protocol.control import (
    Ack,
    Error,
    Gap,
    Heartbeat,
    Hello,
    OnLag,
    Role,
    Welcome,
    hello_tlvs,
    type_filter,
)
from protocol.message import Message, Unknown
from protocol.reject import label
from relays.client.dial import connect
from relays.client.errors import ClientError, LinkClosed, NotListening
from relays.client.stream import READ_BYTES, Batch, Stream
from relays.client.subscription import StartAt, begins

__all__ = ["ClientError", "Link", "LinkClosed", "NotListening"]


class Link:
    """A connection to the relay at `path`. NotListening when nobody answers there.

    `stream` has what the relay said: welcome, last_ack, heartbeat, errors, gaps, position;
    `on_control` is called with each control frame as it is read.

    >>> with Link("/tmp/alphapulse/market_data.sock") as link:  # doctest: +SKIP
    ...     link.hello(role=Role.CONSUME, name="ticker")
    ...     print(link.read().frames)
    """

    def __init__(
        self, path: str | Path, *, on_control: Callable[[Message | Unknown], None] | None = None
    ) -> None:
        self.path = str(path)
        self.stream = Stream(on_control)
        self._sock = connect(self.path)
        self._poll = select.poll()
        self._poll.register(self._sock, select.POLLIN)

    def hello(
        self,
        *,
        role: Role = Role.CONSUME,
        name: str | None = None,
        producer_id: int = 0,
        start: StartAt = "live",
        types: Collection[int] = (),
        on_lag: OnLag = OnLag.DEFAULT,
        heartbeat_ms: int = 0,
        log_id: int = 0,
        timeout: float = 10.0,
    ) -> Welcome:
        """Become a session and wait `timeout` seconds for Welcome (SPEC.md, Hello). Say it once.

        `start`: "live", "oldest", a position, or -N for the last N positions. `types`: those
        wanted, none = all. `log_id`: the log a position is of, 0 = any. ClientError where it is
        refused or not answered, FieldError for a name or heartbeat that cannot be.
        """
        begin, at = begins(start)
        hello = Hello(
            role=role,
            on_lag=on_lag,
            heartbeat_ms=heartbeat_ms,
            start=begin,
            producer_id=producer_id,
            log_id=log_id,
            start_position=at,
            type_filter=type_filter(types),
            tlvs=hello_tlvs(name),
        )
        self.stream.greet(filtered=bool(types))
        self.send(hello.frame(source=SourceType.EXTERNAL))
        while self.stream.welcome is None:
            if not self._wait(timeout):
                raise ClientError(f"{self.path}: no Welcome within {timeout:g} s")
            self.read(0)
        return self.stream.welcome

    def send(self, frames: bytes | bytearray | memoryview) -> None:
        """Hand whole frames, back to back, to the kernel; blocks while its buffer is full.

        LinkClosed when the relay has gone: how much of this it took, only an Ack can say.
        """
        try:
            self._sock.sendall(frames)
        except (BrokenPipeError, ConnectionResetError):
            self._last_words()
            raise self._closed() from None

    def read(self, timeout: float | None = None) -> Batch:
        """The frames at hand, or else one read from the socket, waited for `timeout` seconds at
        most (None = for ever).

        An empty batch: the time is up, or only control frames came. Nothing is between two frames
        of a batch: it ends where a Gap is due. LinkClosed at the end of the stream, ProtocolError
        when what came is not what a relay says.
        """
        batch = self.stream.batch()
        if batch.frames or not self._wait(timeout):
            return batch
        if not self._receive():
            raise self._closed()
        return self.stream.batch()

    def confirm(self) -> None:
        """Tell the relay that everything before `position` is dealt with: lag is measured from
        there (relays.md 3)."""
        beat = Heartbeat(position=self.stream.position)
        self.send(beat.frame(source=SourceType.EXTERNAL))

    @property
    def position(self) -> int:
        """Of the next frame, in messages since the log began; filtered: the last one told."""
        return self.stream.position

    @property
    def acked(self) -> int:
        """The last of this producer's sequences that the relay has answered for; 0 at first."""
        return self.stream.last_ack.sequence if self.stream.last_ack else 0

    @property
    def last_ack(self) -> Ack | None:
        """The newest Ack."""
        return self.stream.last_ack

    @property
    def errors(self) -> deque[Error]:
        """The last 1,024 Errors."""
        return self.stream.errors

    @property
    def gaps(self) -> deque[Gap]:
        """The last 1,024 Gaps."""
        return self.stream.gaps

    def fileno(self) -> int:
        """The socket's descriptor, to wait on several links at once; then `read(0)` until empty."""
        return self._sock.fileno()

    def close(self) -> None:
        """End the connection; what was sent and not acknowledged may or may not arrive."""
        self._sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self, timeout: float | None) -> bool:
        return bool(self._poll.poll(None if timeout is None else max(0.0, timeout) * 1000))

    def _receive(self) -> int:
        try:
            size = self._sock.recv_into(self.stream.room(), READ_BYTES)
        except ConnectionResetError:
            return 0
        self.stream.received(size)
        return size

    def _last_words(self) -> None:
        """Read what the relay wrote before it closed, for the Error that says why."""
        while self._wait(0) and self._receive():
            while self.stream.batch().frames:
                pass

    def _closed(self) -> LinkClosed:
        fatal = [error for error in self.errors if error.fatal]
        if fatal:
            return LinkClosed(f"{self.path}: {label(fatal[-1].code)}: {fatal[-1].text}")
        left = self.stream.unfinished
        cut = f", {left} bytes into a frame" if left else ""
        return LinkClosed(f"{self.path}: the relay closed the connection{cut}")
