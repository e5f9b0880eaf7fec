"""The blocking Consumer: a program's feed from one relay, across restarts of that relay.

Called by users' programs and `relays.cli`. Sockets and time are here; what comes and where to go on
is `relays.client.consuming`'s, what the program gets `relays.client.delivery`'s. (relays.md 3)
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from protocol.errors import ProtocolError
from protocol.message import Message, Unknown
from relays.client import delivery
from relays.client.attached import Attached
from relays.client.consuming import Item
from relays.client.delivery import Form, Received
from relays.client.dial import connect
from relays.client.errors import ClientError

if TYPE_CHECKING:
    from protocol.batch import Batch


class Consumer(Attached):
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
        """Tell the relay at once how far this program is, which is `position`: what it was given
        counts, what was only read does not. Heartbeats tell it anyway."""
        self._send(self._core.beat(time.monotonic(), self._where, at_once=True))

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
        if self._closed:
            return None
        try:
            while (item := self._core.next()) is None:
                if not self._more(deadline):
                    return None
        except (ClientError, ProtocolError):
            self.close()
            raise
        return item

    # --- the connection ---

    def _open(self) -> None:
        """The first connection, up to its Welcome."""
        deadline = time.monotonic() + self.connect_timeout
        self._connected(connect(self.path, self.connect_timeout), time.monotonic())
        while (item := self._core.next()) is None and not self._core.ready:
            if not self._more(deadline):
                raise self._no_welcome()
        if item is not None:
            self._delivery.put(item)
        self._welcomed()

    def _more(self, deadline: float | None) -> bool:
        """One step towards more bytes; False when the time is up."""
        now = time.monotonic()
        if self._step(now):
            return True
        if self._closed or (deadline is not None and now >= deadline):
            return False
        until = self._until if deadline is None else min(deadline, self._until)
        # Without a socket nothing is watched, and this only sleeps.
        self._poll.poll(max(0.0, until - now) * 1000)
        return True

    def _connected(self, sock: socket.socket, now: float) -> None:
        self._poll.register(sock, select.POLLIN)
        super()._connected(sock, now)

    def _hang_up(self) -> None:
        if self._sock is not None:
            self._poll.unregister(self._sock)
        super()._hang_up()
