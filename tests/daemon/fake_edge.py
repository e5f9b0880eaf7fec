"""A relay whose sockets, loop and clock are objects of the test: no process, no kernel, no waiting.

Used by tests/daemon/test_core_*.py. The Relay and Connection are the real ones, so what they do
between the core and a socket is tested too; only what the kernel does is played here.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

import msgspec

from protocol._core.places import layout
from protocol._core.ring import PAGE, Mapping, Ring
from protocol._core.state import State
from relays.config import load
from relays.core.access import Credentials
from relays.core.accounting import books
from relays.core.hub import KEPT_PLACES
from relays.core.peer import Peer
from relays.edge.connection import Connection
from relays.edge.memory import Memory
from relays.edge.relay import Relay

PLACES = 48
MILLISECOND = 1_000_000
BEGIN = 1_700_000_000_000_000_000


class FakeClock:
    """Time in ns that moves when the test says so."""

    def __init__(self) -> None:
        self.time = BEGIN

        self.step = 0

    def now(self) -> int:
        return self.time

    def set(self, by: int) -> None:
        """Somebody sets the clock, by `by` ns; the relay sees it at its next look."""
        self.time += by
        self.step += by

    def follow(self) -> int:
        step, self.step = self.step, 0
        return step


class FakeTimer:
    """What `call_later` gave: to be looked at, and called by nobody."""

    def __init__(self, delay: float) -> None:
        self.delay, self.cancelled = delay, False

    def cancel(self) -> None:
        self.cancelled = True


class FakeLoop:
    """Who waits for what; `call_later` is forgotten: the test calls `tick`."""

    def __init__(self) -> None:
        self.readers: dict[int, Callable[[], None]] = {}
        self.writers: dict[int, Callable[[], None]] = {}
        self.timers: list[FakeTimer] = []

    def add_reader(self, fd: int, call: Callable[[], None]) -> None:
        self.readers[fd] = call

    def add_writer(self, fd: int, call: Callable[[], None]) -> None:
        self.writers[fd] = call

    def remove_reader(self, fd: int) -> None:
        self.readers.pop(fd, None)

    def remove_writer(self, fd: int) -> None:
        self.writers.pop(fd, None)

    def call_later(self, delay: float, *_: Any) -> FakeTimer:
        self.timers.append(FakeTimer(delay))
        return self.timers[-1]


class FakeSocket:
    """The relay's end of a connection. `coming` is what the peer sent, `got` what it was sent.

    `room` is how many bytes the kernel takes before the peer reads more; `most` is the most one
    recv gives.
    """

    def __init__(self, fd: int) -> None:
        self.fd, self.room, self.most = fd, 1 << 30, 1 << 30
        self.coming, self.got = bytearray(), bytearray()
        self.over = self.gone = self.closed = False

    def fileno(self) -> int:
        return self.fd

    def recv_into(self, room: memoryview) -> int:
        size = min(len(room), len(self.coming), self.most)
        if not size and not self.over:
            raise BlockingIOError
        room[:size] = self.coming[:size]
        del self.coming[:size]
        return size

    def send(self, data: memoryview) -> int:
        if self.gone:
            raise BrokenPipeError(errno.EPIPE, "gone")
        size = min(len(data), self.room)
        if not size:
            raise BlockingIOError
        self.got += data[:size]
        self.room -= size
        return size

    def close(self) -> None:
        self.closed = True


class World:
    """One relay of the market_data domain over a small log, and its connections by number."""

    def __init__(
        self, log_bytes: int = 16 * PAGE, state: State | None = None, **settings: Any
    ) -> None:
        config = load("market_data", environ={}).config
        self.events: list[tuple[str, Peer | None, dict[str, Any]]] = []
        settings = {"max_payload": 2048, "max_connections": PLACES - KEPT_PLACES} | settings
        self.config = msgspec.structs.replace(config, log_bytes=log_bytes, **settings)
        self.state = state or new_state(log_bytes, windows=self.config.require_sequence)
        self.clock, self.loop = FakeClock(), FakeLoop()
        self.relay = asyncio.run(self._relay())
        self.sockets: dict[int, FakeSocket] = {}
        self._next_fd = 1 << 20  # above any descriptor that exists, for ioctl on it must fail

    async def _relay(self) -> Relay:
        listening = socket.socket(socket.AF_UNIX)
        try:
            domain = load("market_data", environ={}).domain
            memory = Memory(self.state, False, "", ())
            log: Any = self
            windows: Any = dict[int, memoryview]().get
            relay = Relay(domain, self.config, memory, listening, log, windows)
        finally:
            listening.close()
        relay.loop, relay.clock = self.loop, self.clock  # type: ignore[assignment]
        relay.watch_hang_up = lambda connection: None  # type: ignore[method-assign]
        return relay

    def episode(self, event: str, _: int, count: int = 1, **fields: Any) -> None:
        """What the relay would log."""
        self.events.append((event, None, {"count": count, **fields}))

    def line(self, event: str, **fields: Any) -> None:
        """What the relay would log at once."""
        self.events.append((event, None, fields))

    def settle(self, now: int) -> None:
        """Where the relay would log what it has counted."""

    def connect(self, uid: int = 7) -> tuple[Peer, FakeSocket]:
        """A connection is accepted."""
        who = Credentials(uid, 100 + len(self.sockets), frozenset())
        peer = self.relay.hub.connect(who, 0, self.clock.now())
        assert isinstance(peer, Peer), peer
        sock = FakeSocket(self._next_fd)
        self._next_fd += 1
        self.sockets[peer.number] = sock
        played: Any = sock
        self.relay.connections[peer.number] = Connection(self.relay, played, peer)
        self.relay.work()
        return peer, sock

    def send(self, sock: FakeSocket, *parts: bytes) -> None:
        """The peer sends, and the relay reads while there is something to read."""
        sock.coming += b"".join(parts)
        while sock.coming and sock.fd in self.loop.readers:
            self.loop.readers[sock.fd]()

    def end(self, sock: FakeSocket) -> None:
        """The peer sends no more."""
        sock.over = True
        if sock.fd in self.loop.readers:
            self.loop.readers[sock.fd]()

    def write(self, sock: FakeSocket) -> None:
        """The socket is writable, if anybody waits for that."""
        if sock.fd in self.loop.writers and (sock.room or sock.gone):
            self.loop.writers[sock.fd]()

    def read(self, sock: FakeSocket) -> None:
        """The peer reads, as long as the relay has something to write."""
        sock.room = 1 << 30
        for _ in range(10_000):
            if sock.fd not in self.loop.writers:
                return
            self.loop.writers[sock.fd]()
        raise AssertionError("it waits for ever to write")

    def pass_time(self, milliseconds: int) -> None:
        """Time passes, and what is due is done."""
        self.clock.time += milliseconds * MILLISECOND
        self.relay.hub.tick(self.clock.now())
        self.relay.work()

    def accounted(self) -> None:
        """Nothing is unaccounted for."""
        found = books(self.state)
        assert (found.unaccounted_messages, found.unaccounted_bytes) == (0, 0), found


def new_state(
    log_bytes: int, places: int = PLACES, windows: bool = False, log_id: int = 11
) -> State:
    """An empty state and log in memory that has no name."""
    size = layout(log_bytes, places, 64, windows)["end"]
    state_fd, log_fd = os.memfd_create("state"), os.memfd_create("log")
    try:
        os.ftruncate(state_fd, size)
        os.ftruncate(log_fd, log_bytes)
        memory, ring = Mapping(state_fd, size, True), Ring(log_fd, log_bytes, True)
    finally:
        os.close(state_fd)
        os.close(log_fd)
    State.format(
        memory, log_bytes=log_bytes, connections=places, producers=64, windows=windows,
        log_id=log_id, now_ns=BEGIN,
    )  # fmt: skip
    return State(memory, ring)
