"""A consumer at its socket: everything that is done at once, nothing that waits.

Called by the fronts of Consumer and MultiConsumer, which derive from it or hold several, and wait
in their own way until `until` or for the socket. What comes is `relays.client.consuming`'s.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from relays.client.consuming import Item
from relays.client.delivery import Form
from relays.client.dial import connect
from relays.client.errors import ClientError
from relays.client.stream import READ_BYTES
from relays.client.subscriber import Subscriber


class Attached(Subscriber):
    """A Subscriber with a socket, or between two (arguments: Subscriber). `now` is in seconds of
    whatever clock the front has."""

    _sock: socket.socket | None = None
    _unsent = b""
    # Seconds that making a connection again may take: the kernel answers at once, unless it is
    # asked by more than a relay accepts, and then there is a next time.
    _connect_for = 0.001

    def _step(self, now: float) -> bool:
        """Do what can be done at once; whether that was anything."""
        if self._closed:
            return False
        if self._sock is None:
            return now >= self._retry_at and self._again(now)
        self._send(self._core.beat(now, self._where))
        if self._receive(now):
            return True
        if self._core.dead(now):
            self._lost(self._silent(), now)
            return True
        return False

    @property
    def _until(self) -> float:
        """When `_step` has something to do though nothing came."""
        return self._retry_at if self._sock is None else self._core.wake

    def _at_once(self, form: Form, now: float) -> Iterator[Any] | None:
        """What there is without waiting, in this form; None when there is nothing."""
        while (ready := self._delivery.pour(form, self.verify)) is None:
            item = self._next_at_once(now)
            if item is None:
                return None
            self._delivery.put(item)
        return ready

    def _next_at_once(self, now: float) -> Item | None:
        while (item := self._core.next()) is None:
            if not self._step(now):
                return None
        return item

    def _where(self) -> int:
        return self.position

    # --- the socket ---

    def _connected(self, sock: socket.socket, now: float) -> None:
        sock.setblocking(False)
        self._sock, self._unsent = sock, b""
        self._send(self._core.begin(now))

    def _again(self, now: float) -> bool:
        try:
            self._connected(connect(self.path, self._connect_for), now)
        except ClientError as error:
            self._lost(str(error), now)
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
            self._lost("the relay closed the connection", now)
        return True

    def _send(self, data: bytes) -> None:
        """Hand it to the kernel; what it does not take waits for the next time."""
        self._unsent += data
        if self._unsent and self._sock is not None:
            # A relay that is gone is seen when its end is read.
            with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                self._unsent = self._unsent[self._sock.send(self._unsent) :]

    def _lost(self, why: str, now: float) -> None:
        self._hang_up()
        self._retry_at = self._core.ended(now, why)

    def _hang_up(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None
