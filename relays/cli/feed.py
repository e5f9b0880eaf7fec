"""What tap reads: frames, gaps and notes in the order they came, from one relay.

The seam between tap and `relays.client`: nothing here is shown or filtered beyond what the relay
does itself. An ordinary consumer with on_lag = gap: it can lose messages, never hold up a relay.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from typing import Literal, Self

from protocol.catalogue import MessageType
from protocol.control import Gap, OnLag
from protocol.message import Message, Unknown, decode
from relays.cli.naming import Names
from relays.cli.show_message import Frame
from relays.client import ClientError, Link

Start = Literal["live", "oldest"] | int
Item = Frame | Gap
NAME = "tap"
INTRODUCTIONS = (MessageType.INSTRUMENT_DISCOVERED, MessageType.POOL_DISCOVERED)
# The least a session may ask for: how soon we know that there are no more introductions.
BEAT_MS = 100


class Feed:
    """One relay's messages: `read` gives what there is. NotListening when there is no relay.

    >>> with Feed("/tmp/alphapulse/market_data.sock", start="oldest") as feed:  # doctest: +SKIP
    ...     print(feed.read(1.0))
    """

    def __init__(self, path: str, *, start: Start = "live", types: Collection[int] = ()) -> None:
        self._gaps: list[Gap] = []
        self._filtered = bool(types)
        self._link = Link(path, on_control=self._control)
        try:
            welcome = self._link.hello(name=NAME, start=start, types=types, on_lag=OnLag.GAP)
        except BaseException:
            self._link.close()
            raise
        self._end = welcome.end_position

    def read(self, timeout: float) -> list[Item]:
        """What came, within `timeout` seconds; frames are good until the next read. LinkClosed at
        the end of the connection."""
        batch = self._link.read(timeout)
        items: list[Item] = [*self._gaps]
        self._gaps.clear()
        for at, raw in enumerate(batch.frames, batch.position):
            position = None if self._filtered else at
            items.append(Frame(position, at < self._end, raw))
        return items

    def close(self) -> None:
        """End the connection."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _control(self, message: Message | Unknown) -> None:
        if isinstance(message, Gap):
            self._gaps.append(message)


def learn(names: Names, path: str, patience: float = 1.0) -> None:
    """Take in the instruments that the market data relay at `path` has introduced, as far as its
    log still has them; nothing where it does not listen or answer."""
    try:
        for raw in _introductions(path, patience):
            names.learn(decode(raw, verify=False))
    except (ClientError, ValueError):
        return


def _introductions(path: str, patience: float) -> Iterator[memoryview]:
    deadline = time.monotonic() + patience
    with Link(path) as link:
        end = link.hello(
            name=f"{NAME}-names",
            start="oldest",
            types=INTRODUCTIONS,
            on_lag=OnLag.GAP,
            heartbeat_ms=BEAT_MS,
            timeout=patience,
        ).end_position
        while link.position < end and time.monotonic() < deadline:
            yield from link.read(deadline - time.monotonic()).frames
