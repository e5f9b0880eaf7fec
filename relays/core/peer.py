"""One connection: its phase, and the parts it uses (relays.md 3, "the first frame decides").

Made by `relays.core.hub`, which makes every decision; the edge keeps the socket that belongs to
it. This is the record of what a connection is, and holds no logic beyond that.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum

from protocol._core.connection import Record
from protocol._core.ingress import Ingress
from protocol._core.scan import Rules
from protocol.reject import Reject
from relays.core.access import Credentials, Rights
from relays.core.breaker import Breaker
from relays.core.fanout import Outlet
from relays.core.log import Log
from relays.core.session import Plan

FAR = 2**64


class Phase(IntEnum):
    """What a connection is; the numbers stand in its record, the names are metric labels."""

    NEW = 0
    PLAIN = 1
    PRODUCER = 2
    SESSION = 3


ROLES = tuple(phase.name.lower() for phase in Phase)


class Peer:
    """One accepted connection."""

    def __init__(
        self, log: Log, record: Record, who: Credentials, rights: Rights, scratch: memoryview,
        rules: Rules,
    ) -> None:  # fmt: skip
        self.record, self.who, self.rights = record, who, rights
        self.number = record.number
        self.phase = Phase.NEW
        self.ingress = Ingress(log, record, rules)
        self.outlet = Outlet(log, record, scratch)
        self.breaker = Breaker()
        self.plan: Plan | None = None
        self.name = ""
        self.on_lag = ""
        self.consuming = False
        self.lagged = self.opened = False
        self.input_over = False
        self.closed = False
        self.reason: Reject | None = None
        self.leaving = False
        self.hello = b""
        self.hello_number = 0  # of all that came to this process
        self.held = False  # something may be there, and nothing is read for now
        self.waiting = b""  # the Hello that is not answered yet: nothing is read meanwhile
        self.asked = FAR  # the position its Hello has asked the journal for
        self.acknowledged_at = -1  # as of which commit, by the last Ack that waits
        self.expected_told: int | None = None
        self.frame_watched = False
        self.reject_times: deque[tuple[int, int]] = deque()

    @property
    def is_session(self) -> bool:
        return self.phase == Phase.SESSION

    @property
    def may_produce(self) -> bool:
        """Whether a domain frame from it may be scanned for the log now (`Hub.let_produce`)."""
        return self.ingress.limit > 0

    @property
    def label(self) -> str:
        """What log lines call it: its name if it has one, its number, user and process."""
        return f"{self.name or f'#{self.number}'} uid={self.who.uid} pid={self.who.pid}"

    def shift(self, by: int) -> None:
        """The clock was set: what is remembered of it happened `by` ns later on it."""
        self.breaker.shift(by)
        self.ingress.shift(by)
        self.reject_times = deque((when + by, count) for when, count in self.reject_times)

    def forget(self) -> None:
        """It is closed: deadlines may hold it a while, what can be large need not wait for them."""
        self.plan = self.outlet.wanted = self.outlet.outbox = self.outlet.snapshots = None
        self.outlet.rest = self.outlet.tail = b""
        self.ingress.limit = 0
        self.ingress.forget()
