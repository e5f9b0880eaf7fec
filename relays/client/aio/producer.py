"""Producer for asyncio: what `relays.client.Producer` is, without threads.

Imported by users' programs. What is said on the connection and what is kept is decided by
`relays.client.producing`; here are the loop's clock, its watching of the socket, and waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from time import time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Self

from protocol.message import Message, Unknown
from relays.client.context import traced
from relays.client.dial import connect
from relays.client.errors import ClientError
from relays.client.pieces import pieces
from relays.client.producer_base import HURRIED, ProducerBase, elapsed
from relays.client.producing import SOME_DAY, Phase

if TYPE_CHECKING:
    from protocol.dtypes import Rows
    from protocol.extensions import TraceContext
    from relays.client.delivery import Received

READ_BYTES = 65536
# So long the loop may stand still while a connection is made: the kernel answers at once.
CONNECT = 0.001
# After so many messages other tasks get a turn, though there is nothing to wait for.
TURN = 256


class Producer(ProducerBase):
    """Sends messages to a relay, each exactly once and in order, also across its restarts.

    Options, errors and meaning are those of `relays.client.Producer`; `async with` or `connect`
    makes the connection. Callbacks are plain functions, called by the loop. For one loop, and for
    any of its tasks: messages get their order from their calls. (relays.md 3, 4)

    >>> async def main() -> None:
    ...     async with Producer("market_data", name="feed") as producer:
    ...         await producer.send(trade)
    """

    _loop: asyncio.AbstractEventLoop

    def _set_up(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()
        self._soon = False
        self._begun = False
        self._count = 0
        self._trouble = True  # until it is connected

    async def connect(self) -> Self:
        """Connect and wait for Welcome: NotListening when nobody answers, ClientError when it does
        not come. After that it is over: another try is another Producer's."""
        if self._closed:
            raise ClientError(f"{self.path}: this Producer is over; make another to try again")
        self._loop = asyncio.get_running_loop()
        self._begun, self._trouble = True, False
        try:
            self._connected(connect(self.path, CONNECT), elapsed())
            self._watch()
            core = self._core
            if not await self._wait(self._connect_timeout, lambda: core.phase is not Phase.OPEN):
                raise self._no_welcome()
            if self._trouble:
                self._raise()
        except BaseException:
            self._end()
            raise
        return self

    async def send(
        self,
        message: Message | Unknown,
        *,
        flags: int = 0,
        timestamp: int | None = None,
        trace: Received | TraceContext | None = None,
    ) -> int:
        """Send a message; gives its sequence. Arguments and errors as the blocking one's."""
        if trace is not None:
            message = traced(message, trace)
        core = self._core
        self._count += 1
        if core.full or self._trouble or self._count % TURN == 0:
            await self._way()
        now = elapsed()
        sequence = core.put(message, now, time_ns() if timestamp is None else timestamp, flags)
        self._hand_over(now)
        return sequence

    async def send_many(
        self,
        many: Rows | Iterable[Message | Unknown] | bytes | bytearray | memoryview,
        *,
        cls: type[Message] | None = None,
        flags: int = 0,
        timestamp: int | None = None,
    ) -> tuple[int, int]:
        """Send many; gives the first and the last sequence. Arguments and errors as the blocking
        one's; other tasks may send between its pieces."""
        core, first = self._core, None
        for put in pieces(core, many, cls, timestamp, flags):
            if self._blocked and self._ahead():
                await self._wait(self._send_timeout, self._ahead)
            await self._way()
            first = core.window.next if first is None else first
            now = elapsed()
            put(now, time_ns())
            self._hand_over(now)
        return first or core.window.next, core.window.next - 1

    async def flush(self, timeout: float | None = None) -> None:
        """Wait until every message is acknowledged or handed back, and callbacks have been called:
        FlushTimeout after `timeout` seconds (None = never). Raises what comes back."""
        if not await self._settled(timeout):
            raise self._not_flushed(timeout)
        self._collect()
        if self._trouble:
            self._raise()

    async def close(self, timeout: float | None = 5.0) -> None:
        """Flush for `timeout` seconds at most, and end; errors as the blocking one's."""
        if self._closed:
            return
        try:
            if self._begun:
                await self._settled(timeout)
        finally:
            self._end()
        self._call_back()
        self._raise_last()

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Close; after an exception in a hurry, and what comes back is noted on it."""
        if error is None:
            await self.close()
            return
        try:
            await self.close(HURRIED)
        except ClientError as other:
            error.add_note(str(other))

    # --- waiting ---

    async def _way(self) -> None:
        """Give other tasks a turn, tell what is to be told, and see that there is room."""
        if not self._begun:
            raise ClientError(f"{self.path}: not connected: use `async with`, or await connect()")
        await asyncio.sleep(0)
        if self._trouble:
            self._raise()
        while self._core.full:
            waits = self._on_full == "block"
            if not waits or not await self._wait(self._send_timeout, lambda: self._core.full):
                raise self._window_full()
            if self._trouble:
                self._raise()

    async def _settled(self, timeout: float | None) -> bool:
        return await self._wait(timeout, self._unsettled)

    async def _wait(self, timeout: float | None, busy: Callable[[], bool]) -> bool:
        """Write what is there and wait while it is `busy`, or until there is trouble. False when
        the time is up."""
        self._core.hurry = self._core.window.unsent > 0
        if self._write(elapsed()):
            self._wake()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while busy() and not self._trouble:
                    await self._changed.wait()
        return self._trouble or not busy()

    # --- called by the loop ---

    def _wake(self) -> None:
        if not self._soon:
            self._soon = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Do what is due, and see that this is called when there is more to do."""
        self._soon = False
        if self._closed:
            return
        core, now = self._core, elapsed()
        core.tick(now)
        if core.phase in (Phase.OFFLINE, Phase.OVER):
            self._unwatch()
            self._hang_up()
        if core.phase is Phase.OFFLINE and now >= core.retry_at:
            self._dial(now)
        self._write(now)
        self._watch()
        self._set_alarm(now)
        self._set_timer()
        self._collect()
        self._call_back()
        self._changed.set()
        self._changed = asyncio.Event()

    def _dial(self, now: float) -> None:
        try:
            self._connected(connect(self.path, CONNECT), now)
        except ClientError as error:
            self._core.lost(now, str(error))

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        at, self._timer = self._alarm, None
        if at != SOME_DAY:
            self._timer = self._loop.call_later(max(0.0, at - elapsed()), self._turn)

    def _watch(self) -> None:
        """Be called when the socket can be read, and written if there is more to write."""
        if self._sock is None:
            return
        self._loop.add_reader(self._sock, self._readable)
        if self._blocked and not self._broken:
            self._loop.add_writer(self._sock, self._writable)
        if self._broken:
            self._readable()

    def _unwatch(self) -> None:
        if self._sock is not None:
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)

    def _writable(self) -> None:
        assert self._sock is not None
        self._loop.remove_writer(self._sock)
        self._blocked = False
        self._turn()

    def _readable(self) -> None:
        now = elapsed()
        with contextlib.suppress(BlockingIOError):
            while self._core.phase in (Phase.GREETING, Phase.OPEN):
                assert self._sock is not None
                try:
                    data = self._sock.recv(READ_BYTES)
                except ConnectionError:
                    data = b""
                if not data:
                    self._lost_connection(now)
                    break
                self._core.received(data, now)
                self._collect()
        if self._broken:
            self._lost_connection(now)
        self._wake()

    def _end(self) -> None:
        self._core.give_up(f"the producer was closed{self._state()}")
        self._collect()
        self._closed = self._trouble = True
        if self._timer is not None:
            self._timer.cancel()
        if self._begun:
            self._unwatch()
        self._hang_up()
        self._changed.set()
