"""What tap reads: frames, gaps and notes in the order they came, from one relay.

The seam between tap and `relays.client`: nothing here is shown or filtered beyond what the relay
does itself. An ordinary consumer with on_lag = gap: it can lose messages, never hold up a relay.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import suppress

from protocol._core import runs
from protocol.catalogue import MessageType
from protocol.control import Gap, Snapshot
from protocol.errors import ProtocolError
from protocol.instruments import InstrumentId
from protocol.message import decode
from relays.cli.common.naming import Names
from relays.cli.tapping.show_message import Frame
from relays.client.consumer import Consumer
from relays.client.consuming import Run
from relays.client.delivery import Portion
from relays.client.errors import ClientError
from relays.client.link import Link
from relays.client.subscription import StartAt

Item = Run | Gap | Snapshot | str
NAME = "tap"
INTRODUCTIONS = (MessageType.INSTRUMENT_DISCOVERED, MessageType.POOL_DISCOVERED)
# The least a session may ask for: how soon we know that there are no more introductions.
BEAT_MS = 100
AWAY = "the relay has gone: waiting for it"
BACK = "the relay is back"


class Feed(Consumer):
    """One relay's messages, also across its restarts. NotListening when there is no relay.

    >>> with Feed("market_data", start="oldest") as feed:  # doctest: +SKIP
    ...     print(feed.take(1.0))
    """

    def __init__(
        self,
        path: str,
        *,
        start: StartAt = "live",
        types: Collection[int] = (),
        instruments: Collection[InstrumentId] = (),
        snapshot: bool = False,
    ) -> None:
        self._here = True
        super().__init__(
            path,
            name=NAME,
            types=types,
            instruments=instruments,
            start=start,
            on_lag="gap",
            on_gap="item",
            replayed="deliver",
            snapshot=snapshot,
        )

    def take(self, timeout: float) -> list[Item]:
        """What came, within `timeout` seconds: runs of frames, Gaps, the two ends of a snapshot,
        and notes when the relay goes or is back. ClientError when it wants this consumer no more.
        """
        items: list[Item] = self._read(_whole, timeout)
        # One that hangs lets everybody connect: it is back when it has answered.
        if self._here != (self.fileno() >= 0 and self._core.ready):
            self._here = not self._here
            items.insert(0, BACK if self._here else f"{AWAY} ({self.reason})")
        return items


def _whole(run: Run, at: int, before: int, verify: bool) -> Portion:
    """A run as it is: what is wrong with a frame in it is shown with it."""
    return Portion([run], run.frames, len(run.data), None)


def frames(run: Run) -> Iterator[Frame]:
    """The frames of a run, each with its position."""
    for at, raw in enumerate(runs.frames(run.data, 0)):
        position = None if run.position is None else run.position + at
        yield Frame(position, run.replayed, raw, run.snapshot)


def learn(names: Names, path: str, patience: float = 1.0) -> None:
    """Take in the instruments that the market data relay at `path` has introduced, as far as its
    log still has them; nothing where it does not listen or answer."""
    with suppress(ClientError, ProtocolError):
        for raw in _introductions(path, patience):
            names.learn(decode(raw, verify=False))


def _introductions(path: str, patience: float) -> Iterator[memoryview]:
    deadline = time.monotonic() + patience
    with Link(path) as link:
        end = link.hello(
            name=f"{NAME}-names",
            start="oldest",
            types=INTRODUCTIONS,
            heartbeat_ms=BEAT_MS,
            timeout=patience,
        ).end_position
        while link.position < end and time.monotonic() < deadline:
            yield from link.read(deadline - time.monotonic()).frames
