"""Consumer for asyncio: what `relays.client.Consumer` is, awaited.

Imported by users' programs. What comes and where to go on is `relays.client.consuming`'s, what the
program gets `relays.client.delivery`'s; here are the loop's clock, its watching of the socket, and
waiting. (relays.md 3)
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

from protocol.errors import ProtocolError
from protocol.message import Message, Unknown
from relays.client import delivery
from relays.client.attached import Attached
from relays.client.consuming import Item
from relays.client.delivery import Form, Received
from relays.client.dial import connect
from relays.client.errors import ClientError, NotListening

if TYPE_CHECKING:
    from protocol.batch import Batch

BUSY = 0.01


class Consumer(Attached):
    """The feed of one relay; arguments, errors and meaning are those of `relays.client.Consumer`.

    `async with`, `connect`, or the first wait makes the connection; what is published from its
    Welcome on comes. For one loop, and one of its tasks at a time. A wait that is cancelled loses
    nothing; after every read other tasks get a turn.

    >>> async def main() -> None:
    ...     async with Consumer("market_data", types=["Trade"]) as consumer:
    ...         async for trade in consumer:
    ...             print(trade.price)
    """

    def _start(self) -> None:
        self._begun = False
        self._wake: Callable[[], None] | None = None

    # --- what a program calls ---

    async def connect(self) -> Self:
        """Connect and wait for Welcome: NotListening when nobody answers, ClientError when it does
        not come or the relay refuses. After that it is over: another try is another Consumer's."""
        if self._begun and self._closed and self.welcome is None:
            raise ClientError(f"{self.path}: this Consumer is over; make another to try again")
        if not self._begun:
            self._begun = True
            self._loop = asyncio.get_running_loop()
            try:
                await self._open()
            except asyncio.CancelledError:  # nothing has come: the next wait begins anew
                self._hang_up()
                self._begun = False
                raise
            except BaseException:
                await self.close()
                raise
        return self

    def __aiter__(self) -> AsyncIterator[Message | Unknown]:
        """Decoded messages for ever, as the blocking one's."""
        return self._each(delivery.messages)

    def messages(self) -> AsyncIterator[Received]:
        """Messages with position, header and how they came."""
        return self._each(delivery.received)

    def views(self) -> AsyncIterator[Message | Unknown]:
        """Views: messages whose fields are read when they are asked for. Each keeps all the bytes
        of its read; `detach()` gives one to keep."""
        return self._each(delivery.views)

    def frames(self) -> AsyncIterator[memoryview]:
        """The bytes of each whole frame. In the loop `position` is 1 more than the frame's."""
        return self._each(delivery.frames)

    def batches(self) -> AsyncIterator[Batch]:
        """Many at once as numpy arrays: one protocol.batch.Batch a read."""
        return self._each(delivery.batches)

    async def read(self, timeout: float | None = None) -> list[Received]:
        """What is there, waited for `timeout` seconds at most (None = for ever); empty when the
        time is up."""
        return await self._read(delivery.received, timeout)

    async def read_batch(self, timeout: float | None = None) -> Batch | None:
        """The same as one Batch; None when the time is up."""
        made = await self._read(delivery.batches, timeout)
        return made[0] if made else None

    async def confirm(self) -> None:
        """Tell the relay at once how far this program is, as the blocking one's."""
        if self._begun:
            self._send(self._core.beat(self._loop.time(), self._where, at_once=True))

    async def close(self) -> None:
        """End it; iterations end, also one that waits in another task."""
        self._closed = True
        self._hang_up()
        if self._wake is not None:
            self._wake()

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- what the program gets ---

    async def _each(self, form: Form) -> AsyncIterator[Any]:
        while (ready := await self._pour(form, None)) is not None:
            for item in ready:
                yield item

    async def _read(self, form: Form, timeout: float | None) -> list[Any]:
        await self.connect()
        deadline = None if timeout is None else self._loop.time() + timeout
        while (ready := await self._pour(form, deadline)) is not None:
            made = list(ready)
            if made:
                return made
        return []

    async def _pour(self, form: Form, deadline: float | None) -> Iterator[Any] | None:
        while (ready := self._delivery.pour(form, self.verify)) is None:
            item = await self._item(deadline)
            if item is None:
                return None
            self._delivery.put(item)
        return ready

    async def _item(self, deadline: float | None) -> Item | None:
        await self.connect()
        if self._closed:
            return None
        try:
            while (item := self._core.next()) is None:
                if not await self._more(deadline):
                    return None
        except (ClientError, ProtocolError):
            await self.close()
            raise
        return item

    # --- the connection ---

    async def _open(self) -> None:
        """The first connection, up to its Welcome."""
        deadline = self._loop.time() + self.connect_timeout
        self._connected(await self._dial(deadline), self._loop.time())
        while (item := self._core.next()) is None and not self._core.ready:
            if not await self._more(deadline):
                raise self._no_welcome()
        if item is not None:
            self._delivery.put(item)
        self._welcomed()

    async def _dial(self, deadline: float) -> socket.socket:
        while True:
            try:
                return connect(self.path, self._connect_for)
            except NotListening as error:
                # Somebody listens, and has a queue of others to accept.
                busy = isinstance(error.__context__, BlockingIOError)
                if not busy or self._loop.time() >= deadline:
                    raise
            await asyncio.sleep(BUSY)

    async def _more(self, deadline: float | None) -> bool:
        """One step towards more bytes; False when the time is up. Steps await nothing: a task that
        is cancelled has not taken bytes that nobody has."""
        now = self._loop.time()
        if self._step(now):
            await asyncio.sleep(0)
            return True
        if self._closed or (deadline is not None and now >= deadline):
            return False
        await self._wait(self._until if deadline is None else min(deadline, self._until))
        return True

    async def _wait(self, until: float) -> None:
        """Until there is something to read, it is that late, or this is closed."""
        waiter, sock = self._loop.create_future(), self._sock

        def wake() -> None:
            if not waiter.done():
                waiter.set_result(None)

        timer = self._loop.call_at(until, wake)
        if sock is not None:
            self._loop.add_reader(sock, wake)
        self._wake = wake
        try:
            await waiter
        finally:
            self._wake = None
            timer.cancel()
            if sock is not None and sock is self._sock:
                self._loop.remove_reader(sock)

    def _hang_up(self) -> None:
        if self._sock is not None:
            self._loop.remove_reader(self._sock)
        super()._hang_up()
