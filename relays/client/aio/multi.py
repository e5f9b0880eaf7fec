"""MultiConsumer for asyncio: what `relays.client.MultiConsumer` is, awaited.

Imported by users' programs. Waiting is here; what each relay gives is `relays.client.many`'s.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any, Self

from protocol.message import Message, Unknown
from relays.client import delivery
from relays.client.delivery import Form, Received
from relays.client.many import Down, Several, Up


class MultiConsumer(Several):
    """Several relays as one; arguments, items and meaning are those of
    `relays.client.MultiConsumer`. For one loop, and one of its tasks at a time.

    >>> async def main() -> None:
    ...     async with MultiConsumer(["market_data", "signals"]) as several:
    ...         async for name, message in several:
    ...             print(name, message)
    """

    def _set_up(self) -> None:
        self._waiter: asyncio.Future[None] | None = None
        self._watched: list[socket.socket] = []

    def __aiter__(self) -> AsyncIterator[tuple[str, Message | Unknown | Up | Down]]:
        """(name, decoded message) for ever, as the blocking one's."""
        return self._each(delivery.messages)

    def messages(self) -> AsyncIterator[tuple[str, Received | Up | Down]]:
        """(name, message with position, header and how it came)."""
        return self._each(delivery.received)

    def views(self) -> AsyncIterator[tuple[str, Message | Unknown | Up | Down]]:
        """(name, view): messages whose fields are read when they are asked for."""
        return self._each(delivery.views)

    def batches(self) -> AsyncIterator[tuple[str, Any]]:
        """(name, protocol.batch.Batch): one a read."""
        return self._each(delivery.batches)

    async def read(self, timeout: float | None = None) -> list[tuple[str, Received | Up | Down]]:
        """What is there of one relay, waited for `timeout` seconds at most (None = for ever);
        empty when the time is up."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        while not self._closed:
            got = self._step(delivery.received, loop.time())
            told: list[tuple[str, Any]] = list(self._changes)
            self._changes.clear()
            if got is not None:
                told += [(got[0], item) for item in got[1]]
            if told or (got is None and not await self._wait(deadline)):
                return told
        return []

    async def close(self) -> None:
        """End all of them; iterations end, also one that waits in another task."""
        self._unwatch()
        self._close()
        self._wake()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _each(self, form: Form) -> AsyncIterator[tuple[str, Any]]:
        loop = asyncio.get_running_loop()
        while not self._closed:
            got = self._step(form, loop.time())
            while self._changes:
                yield self._changes.popleft()
            if got is not None:
                name, ready = got
                for item in ready:
                    yield name, item
                await asyncio.sleep(0)
            elif not await self._wait(None):
                return

    async def _wait(self, deadline: float | None) -> bool:
        """Until there may be something; False when the time is up, or all relays are out."""
        loop, until = asyncio.get_running_loop(), self._until
        if until is None or (deadline is not None and loop.time() >= deadline):
            return False
        self._waiter = loop.create_future()
        timer = loop.call_at(until if deadline is None else min(until, deadline), self._wake)
        self._watched = [one._sock for one in self.members.values() if one._sock is not None]
        for sock in self._watched:
            loop.add_reader(sock, self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            timer.cancel()
            self._unwatch()
        return True

    def _unwatch(self) -> None:
        for sock in self._watched:
            asyncio.get_running_loop().remove_reader(sock)
        self._watched.clear()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
