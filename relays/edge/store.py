"""Copies of connections with the service manager: they outlive this process (relays.md 9).

Made by `relays.edge.service` where the manager takes descriptors, told by `relays.edge.connection`
who comes and goes. All goes through one queue of datagrams, in order and without waiting. Which
connections a successor goes on with is decided in `relays.core.adoption`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relays.edge.connection import Connection

SO_COOKIE = 57
COOKIE = struct.Struct("=Q")


def cookie(connected: socket.socket) -> int:
    """The kernel's number of this socket, in every process that has it and no other's.

    >>> a, b = socket.socketpair()
    >>> cookie(a) == cookie(a.dup()) != cookie(b)
    True
    """
    raw = connected.getsockopt(socket.SOL_SOCKET, SO_COOKIE, COOKIE.size)
    return int(COOKIE.unpack(raw)[0])


def name(number: int) -> str:
    """What the manager calls the copy of connection `number`, at most 8 characters: all names
    together are one variable of the environment.

    >>> name(4096)
    '1000'
    """
    return f"{number & 0xFFFFFFFF:x}"


class Store:
    """The manager's copies. `keep` a connection, `drop` it, `remove` a copy by its name.

    A copy counts once the manager has confirmed it. `settled` is whether all have been.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, address: str) -> None:
        self._loop = loop
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.connect(address)
        self._queue: deque[tuple[str, Connection | None]] = deque()
        self._sent: list[Connection] = []
        self._asked: list[Connection] = []
        self._answer = -1
        self._waiting = False

    @property
    def settled(self) -> bool:
        return not (self._queue or self._sent or self._asked)

    def keep(self, connection: Connection) -> None:
        """Have a copy made of it. A hang-up must not drop that: what was sent before is unread."""
        peer = connection.peer
        peer.record.stored(cookie(connection.sock), False)
        self._queue.append((f"FDSTORE=1\nFDPOLL=0\nFDNAME={name(peer.number)}", connection))
        self._flush()

    def drop(self, connection: Connection) -> None:
        """It is about to be closed: its other end sees that at once, whoever else has a copy."""
        number = connection.peer.number
        for waiting in self._queue:
            if waiting[1] is connection:
                self._queue.remove(waiting)
                return
        shut(connection.sock)
        self.remove(name(number))

    def remove(self, called: str) -> None:
        """Have the copies of this name closed."""
        self._queue.append((f"FDSTOREREMOVE=1\nFDNAME={called}", None))
        self._flush()

    def _flush(self) -> None:
        """Send what the manager takes now; the rest when it takes more."""
        try:
            while self._queue:
                text, connection = self._queue[0]
                sent = self._send(text, [] if connection is None else [connection.fd])
                self._queue.popleft()
                if sent and connection is not None:
                    self._sent.append(connection)
            if self._sent and self._answer < 0:
                self._ask()
        except BlockingIOError:
            self._wait(True)
        else:
            self._wait(False)

    def _send(self, text: str, fds: list[int]) -> bool:
        """Whether the manager has it: one that is not there confirms nothing."""
        try:
            socket.send_fds(self._socket, [text.encode()], fds)
        except BlockingIOError:
            raise
        except OSError:
            return False
        return True

    def _ask(self) -> None:
        """Once the manager has worked off what came before, it closes what comes with this."""
        answer, question = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            asked = self._send("BARRIER=1", [question])
        except BlockingIOError:
            os.close(answer)
            raise
        finally:
            os.close(question)
        if not asked:
            os.close(answer)
            self._sent = []
            return
        self._answer, self._asked, self._sent = answer, self._sent, []
        self._loop.add_reader(answer, self._answered)

    def _answered(self) -> None:
        self._loop.remove_reader(self._answer)
        os.close(self._answer)
        self._answer = -1
        for connection in self._asked:
            if not connection.peer.closed:
                connection.peer.record.stored(cookie(connection.sock), True)
        self._asked = []
        self._flush()

    def _wait(self, more: bool) -> None:
        if more and not self._waiting:
            self._loop.add_writer(self._socket.fileno(), self._flush)
        elif self._waiting and not more:
            self._loop.remove_writer(self._socket.fileno())
        self._waiting = more


def shut(connected: socket.socket) -> None:
    """End it for whoever is at the other end."""
    with contextlib.suppress(OSError):  # it has ended
        connected.shutdown(socket.SHUT_RDWR)
