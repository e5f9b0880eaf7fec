"""The blocking Consumer: a program's feed from one relay, across restarts of that relay.

Called by users' programs and `relays.cli`. Sockets and time are here; what comes and where to go on
is `relays.client.consuming`'s, what the program gets `relays.client.delivery`'s. (relays.md 3)
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from protocol.message import Message, Unknown
from relays.client import delivery
from relays.client.consuming import Item
from relays.client.delivery import Form, Received
from relays.client.dial import connect
from relays.client.errors import ClientError
from relays.client.stream import READ_BYTES
from relays.client.subscriber import Subscriber

if TYPE_CHECKING:
    from protocol.batch import Batch


class Consumer(Subscriber):
    """The feed of one relay (arguments: `Subscriber`). It is connected and answered when it is
    made: what is published from then on comes. NotListening when nobody answers.

    Iterate it for messages, or one of `messages()`, `views()`, `frames()`, `batches()`; any of
    them can be left at any place and another one goes on from there. A lost connection is made
    anew and goes on where it ended; what the relay no longer has is a Gap. For one thread at a
    time; waiting is ended by signals as usual.

    >>> with Consumer("market_data", types=["Trade"]) as consumer:  # doctest: +SKIP
    ...     for trade in consumer:
    ...         print(trade.price)
    """

    def _start(self) -> None:
        self._poll = select.poll()
        self._sock: socket.socket | None = None
        self._unsent = b""
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    # --- what a program calls ---

    def __iter__(self) -> Iterator[Message | Unknown]:
        """Decoded messages for ever; Gaps and BadFrames where they are wanted as items, and the
        two Snapshots around a snapshot."""
        return self._each(delivery.messages)

    def messages(self) -> Iterator[Received]:
        """Messages with position, header and how they came."""
        return self._each(delivery.received)

    def views(self) -> Iterator[Message | Unknown]:
        """Views: messages whose fields are read when they are asked for. Each keeps all the bytes
        of its read; `detach()` gives one to keep."""
        return self._each(delivery.views)

    def frames(self) -> Iterator[memoryview]:
        """The bytes of each whole frame. In the loop `position` is 1 more than the frame's."""
        return self._each(delivery.frames)

    def batches(self) -> Iterator[Batch]:
        """Many at once as numpy arrays: one protocol.batch.Batch a read. In the loop `position` is
        that of the first frame after the batch."""
        return self._each(delivery.batches)

    def read(self, timeout: float | None = None) -> list[Received]:
        """What is there, waited for `timeout` seconds at most (None = for ever); empty when the
        time is up."""
        return self._read(delivery.received, timeout)

    def read_batch(self, timeout: float | None = None) -> Batch | None:
        """The same as one Batch; None when the time is up."""
        made = self._read(delivery.batches, timeout)
        return made[0] if made else None

    def confirm(self) -> None:
        """Tell the relay at once how far this program is; Heartbeats tell it anyway."""
        self._send(self._core.beat(time.monotonic(), at_once=True))

    def close(self) -> None:
        """End it; iterations end."""
        self._closed = True
        self._hang_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """The socket's descriptor, -1 while there is none; it changes with each connection."""
        return -1 if self._sock is None else self._sock.fileno()

    # --- what the program gets ---

    def _each(self, form: Form) -> Iterator[Any]:
        while (ready := self._pour(form, None)) is not None:
            yield from ready

    def _read(self, form: Form, timeout: float | None) -> list[Any]:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (ready := self._pour(form, deadline)) is not None:
            made = list(ready)
            if made:
                return made
        return []

    def _pour(self, form: Form, deadline: float | None) -> Iterator[Any] | None:
        while (ready := self._delivery.pour(form, self.verify)) is None:
            item = self._item(deadline)
            if item is None:
                return None
            self._delivery.put(item)
        return ready

    def _item(self, deadline: float | None) -> Item | None:
        try:
            while (item := self._core.next()) is None:
                if self._closed or not self._more(deadline):
                    return None
        except ClientError:
            self.close()
            raise
        return item

    # --- the connection ---

    def _open(self) -> None:
        """The first connection, up to its Welcome."""
        deadline = time.monotonic() + self.connect_timeout
        self._connected(connect(self.path, self.connect_timeout))
        while not self._core.ready:
            item = self._core.next()
            if item is not None:
                self._delivery.put(item)
            elif not self._more(deadline):
                raise self._no_welcome()
        self._welcomed()

    def _connected(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._poll.register(sock, select.POLLIN)
        self._unsent = b""
        self._send(self._core.begin(time.monotonic()))

    def _more(self, deadline: float | None) -> bool:
        """One step towards more bytes; False when the time is up."""
        now = time.monotonic()
        if self._sock is None:
            return self._again(now, deadline)
        self._send(self._core.beat(now))
        if self._receive(now):
            return True
        if self._core.dead(now):
            self._lost(self._silent())
        elif deadline is not None and now >= deadline:
            return False
        else:
            until = self._core.wake if deadline is None else min(deadline, self._core.wake)
            self._poll.poll(max(0.0, until - now) * 1000)
        return True

    def _receive(self, now: float) -> bool:
        """Whether something came, be it the end."""
        assert self._sock is not None
        try:
            size = self._sock.recv_into(self._core.room(), READ_BYTES)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            size = 0
        if size:
            self._core.received(size, now)
        else:
            self._lost("the relay closed the connection")
        return True

    def _again(self, now: float, deadline: float | None) -> bool:
        """Wait for the next try, or make it."""
        if deadline is not None and now >= deadline:
            return False
        if now < self._retry_at:
            until = self._retry_at if deadline is None else min(deadline, self._retry_at)
            time.sleep(until - now)
            return True
        try:
            self._connected(connect(self.path, self._core.dead_after))
        except ClientError as error:
            self._lost(str(error))
        return True

    def _send(self, data: bytes) -> None:
        """Hand it to the kernel; what it does not take waits for the next time."""
        self._unsent += data
        if self._unsent and self._sock is not None:
            # A relay that is gone is seen when its end is read.
            with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                self._unsent = self._unsent[self._sock.send(self._unsent) :]

    def _lost(self, why: str) -> None:
        self._hang_up()
        self._retry_at = self._core.ended(time.monotonic(), why)

    def _hang_up(self) -> None:
        if self._sock is not None:
            self._poll.unregister(self._sock)
            self._sock.close()
            self._sock = None
