"""The blocking MultiConsumer: several relays as one stream, whichever of them is there.

Called by users' programs that show or join what several relays carry. Waiting is here; what each
relay gives is `relays.client.many`'s. (relays.md 3)
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from typing import Any, Self

from protocol.message import Message, Unknown
from relays.client import delivery
from relays.client.delivery import Form, Received
from relays.client.many import Down, Several, Up


class MultiConsumer(Several):
    """Several relays as one (arguments: `Several`); made without waiting for any of them.

    Iterate it for (name, message). A relay that is not there is an item, Down, once; it is tried
    until it is, and then an Up. The others go on. For one thread at a time.

    >>> with MultiConsumer(["market_data", "signals"]) as several:  # doctest: +SKIP
    ...     for name, message in several:
    ...         print(name, message)
    """

    def __iter__(self) -> Iterator[tuple[str, Message | Unknown | Up | Down]]:
        """(name, decoded message) for ever; Gaps and, where `on_change` does not take them, Up and
        Down among them. In turns between relays, each one's in its order."""
        return self._each(delivery.messages)

    def messages(self) -> Iterator[tuple[str, Received | Up | Down]]:
        """(name, message with position, header and how it came)."""
        return self._each(delivery.received)

    def views(self) -> Iterator[tuple[str, Message | Unknown | Up | Down]]:
        """(name, view): messages whose fields are read when they are asked for."""
        return self._each(delivery.views)

    def batches(self) -> Iterator[tuple[str, Any]]:
        """(name, protocol.batch.Batch): one a read."""
        return self._each(delivery.batches)

    def read(self, timeout: float | None = None) -> list[tuple[str, Received | Up | Down]]:
        """What is there of one relay, waited for `timeout` seconds at most (None = for ever);
        empty when the time is up."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._closed:
            got = self._step(delivery.received, time.monotonic())
            told: list[tuple[str, Any]] = list(self._changes)
            self._changes.clear()
            if got is not None:
                told += [(got[0], item) for item in got[1]]
            if told or (got is None and not self._wait(deadline)):
                return told
        return []

    def close(self) -> None:
        """End all of them; iterations end."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _each(self, form: Form) -> Iterator[tuple[str, Any]]:
        while not self._closed:
            got = self._step(form, time.monotonic())
            while self._changes:
                yield self._changes.popleft()
            if got is not None:
                name, ready = got
                for item in ready:
                    yield name, item
            elif not self._wait(None):
                return

    def _wait(self, deadline: float | None) -> bool:
        """Until there may be something; False when the time is up, or all relays are out."""
        now, until = time.monotonic(), self._until
        if until is None or (deadline is not None and now >= deadline):
            return False
        until = until if deadline is None else min(until, deadline)
        poll = select.poll()
        for member in self.members.values():
            if member._sock is not None:
                poll.register(member._sock, select.POLLIN)
        poll.poll(max(0.0, until - now) * 1000)
        return True
