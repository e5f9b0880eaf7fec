"""A relay's state made by hand, for tests of those who only read it: no relay runs.

Used by test_metrics and test_status. It drives the compiled records as the daemon does, with the
same files in the same place; nothing is decided here.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from protocol._core.connection import Record
from protocol._core.scan import Rules, Tally, Track, scan
from protocol._core.state import State
from relays.config import load
from relays.core.peer import Phase
from relays.edge.memory import open_memory
from tests.harness import frame, remove_memory

SECOND = 1_000_000_000


class HandMade:
    """The state of `domain` in `folder`, writable; as good as that of a relay that runs."""

    def __init__(self, folder: Path, domain: str = "market_data", **settings: object) -> None:
        flags = {"runtime_dir": str(folder), "log_bytes": 1 << 20, **settings}
        config = load(domain, environ={}, flags=flags).config
        self.domain, self.folder = domain, folder
        self.state: State = open_memory(domain, config, time.time_ns()).state
        self.rules = Rules(False, False, 1, 59, config.max_payload, {(1, 1): (32, True)})
        self.tracks: dict[int, Track] = {}
        self.next = 1
        self.say(pid=os.getpid(), started_ns=time.time_ns(), accepting=1, ready=1)

    def say(self, **words: int) -> None:
        """Set words of the status, and turn the loop once."""
        self.state.set_status(**{"tick_ns": time.time_ns(), **words})

    def connect(self, slot: int, name: str | None = None, role: int = Phase.SESSION) -> Record:
        """A connection in the place `slot`, of uid 1000 and pid 1."""
        record = Record(self.state, slot)
        record.arrive(slot + 1, 1000, 1, time.time_ns())
        record.describe(role=role, name=name)
        return record

    def consumer(self, slot: int, name: str | None = None, role: int = Phase.SESSION) -> Record:
        """A connection that is fed from the log's end on."""
        record = self.connect(slot, name, role)
        record.consume_from(self.state.end_position, self.state.end_offset)
        return record

    def publish(
        self, slot: int, count: int = 1, *, skip: int = 0, kind: int = 1, source: int = 1
    ) -> None:
        """Commit `count` Trades from the connection in `slot`; `skip` sequences are left out."""
        self.next += skip
        sent = b"".join(frame(self.next + n, kind, source=source) for n in range(count))
        self.next += count
        state, tally = self.state, Tally()
        base = state.end_offset
        assert state.ring is not None
        place = memoryview(state.ring)[base % state.log_bytes :][: len(sent)]
        place[:] = sent
        track = self.tracks.setdefault(slot, Track())
        scan(place, 0, 0, len(sent), self.rules, track, tally, 1 << 20)
        state.commit(tally, track, slot, -1, base, len(sent), 0, 0, time.time_ns())

    def deliver(self, record: Record) -> None:
        """The kernel takes everything this consumer is owed."""
        record.sent(record.lag_bytes, time.time_ns())

    def remove(self) -> None:
        remove_memory(self.domain, self.folder)


def traffic(made: HandMade) -> Record:
    """A producer that sent 30 trades and left out some, a consumer that took 20 of them."""
    made.connect(0, role=Phase.PRODUCER)
    consumer = made.consumer(1, "strategy")
    made.publish(0, 20)
    made.deliver(consumer)
    made.publish(0, 10, skip=5)
    return consumer
