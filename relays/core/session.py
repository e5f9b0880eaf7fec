"""What a Hello asks for, and whether it can be had (relays.md 3; SPEC.md, Hello).

Called by `relays.core.hub` with a control frame of a connection that is not a session yet. Gives a
Plan, or raises Refused with the Reject and the sentence the peer is told. Nothing is changed here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from protocol.control import (
    GapReason,
    Hello,
    OnLag,
    Role,
    Start,
    client_name,
    instruments,
)
from protocol.errors import ProtocolError
from protocol.reject import Reject
from relays.core.access import Rights
from relays.core.log import Log
from relays.core.outbox import UNKNOWN_COUNT, Lost

if TYPE_CHECKING:
    from relays.core.journal.durability import Journaling

ON_LAG = {OnLag.GAP: "gap", OnLag.DISCONNECT: "disconnect", OnLag.CATCH_UP: "catch_up"}
DOES = {Role.CONSUME: "consumes", Role.PRODUCE: "produces", Role.SNAPSHOT: "gets snapshots"}
CONSUME, PRODUCE = int(Role.CONSUME), int(Role.PRODUCE)
MILLISECOND = 1_000_000


class Refused(Exception):
    """A Hello that cannot be honoured: the Reject, and the sentence for the Error."""

    def __init__(self, code: Reject, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


class ByTime(Exception):
    """A Hello that names a time, of which nobody has looked up the position yet."""

    def __init__(self, time_ns: int) -> None:
        super().__init__(time_ns)
        self.time_ns = time_ns


@dataclass(frozen=True, slots=True)
class Plan:
    """What a session gets. `asked` is the position it starts to count from, `start` where its feed
    begins; they differ where frames are no longer kept, which `gap` says."""

    role: Role
    on_lag: str
    heartbeat: int
    producer_id: int
    name: str | None
    types: frozenset[int]
    instruments: frozenset[bytes]
    asked: int
    start: int
    gap: Lost | None

    @property
    def consumes(self) -> bool:
        return int(self.role) & CONSUME != 0

    def behind(self, damage: int) -> Plan:
        """It begins behind what is damaged in the journal up to position `damage`, after a Gap."""
        first, gap = self.asked, self.gap
        if gap is None or gap.reason != GapReason.LOG_REPLACED:
            gap = Lost(first, damage - 1, damage - first, GapReason.TOO_OLD, 0)
        return replace(self, start=damage, gap=gap)

    def __str__(self) -> str:
        """What it comes to in words, as kept for `relays why`: role, filters, on_lag."""
        parts = [" and ".join(name for bit, name in DOES.items() if self.role & bit)]
        wanted = {"types": self.types, "instruments": self.instruments}
        parts += [f"{name}: {len(some)}" for name, some in wanted.items() if some]
        if self.consumes:
            parts.append(f"on_lag {self.on_lag}")
        return "; ".join(parts)

    @property
    def produces(self) -> bool:
        return int(self.role) & PRODUCE != 0  # to ask an enumeration takes microseconds


@dataclass(frozen=True, slots=True)
class Kept:
    """What a session can begin with: what the log has in memory, and what its journal has."""

    log: Log
    journal: Journaling | None

    @property
    def end(self) -> int:
        return self.log.shown

    @property
    def oldest(self) -> int:
        """The least position there is."""
        return (
            self.log.oldest if self.journal is None else min(self.journal.oldest, self.log.oldest)
        )

    def oldest_for(self, role: Role) -> int:
        """The least position a session may begin at: a snapshot says what was before the log."""
        return self.log.oldest if role & Role.SNAPSHOT else self.oldest

    def begin_for(self, role: Role) -> int:
        """Where this log_id has its oldest position, for who comes with another one."""
        begin = self.log.state.read_geometry()["begin_position"]
        return max(begin, self.oldest_for(role))

    def continues(self, log_id: int, position: int) -> bool:
        """Whether `position` of the log `log_id` is the same one here."""
        return log_id in (0, self.log.id) or (
            self.journal is not None and self.journal.continues(log_id, position)
        )


def plan(
    frame: bytes, kept: Kept, rights: Rights, on_lag: str, heartbeat_ms: int,
    since: int | None = None,
) -> Plan:  # fmt: skip
    """Read a Hello against what is kept and the peer may do; `on_lag`, `heartbeat_ms` are the
    domain's defaults, `since` the position it means by a time, once that is known: ByTime asks for
    it. Raises Refused."""
    try:
        hello = Hello.decode(frame)
        name, ids = client_name(hello), instruments(hello)
    except ProtocolError as error:
        raise Refused(Reject.BAD_HELLO, str(error)) from None
    _check_role(hello.role, rights)
    asked, start, gap = _begin(hello, kept, since)
    return Plan(
        role=hello.role,
        on_lag=ON_LAG.get(hello.on_lag, on_lag),
        heartbeat=(hello.heartbeat_ms or heartbeat_ms) * MILLISECOND,
        producer_id=hello.producer_id if hello.role & Role.PRODUCE else 0,
        name=name,
        types=_types(hello.type_filter),
        instruments=frozenset(ids),
        asked=asked,
        start=start,
        gap=gap,
    )


def plan_again(
    frame: bytes, kept: Kept, rights: Rights, on_lag: str, heartbeat_ms: int, position: int
) -> Plan:
    """The plan of a session that an earlier process opened for this Hello, and that is at
    `position` by now. Raises Refused where the peer may not do that any more."""
    live = Hello.decode(frame).replace(start=Start.LIVE)
    begun = plan(live.frame(), kept, rights, on_lag, heartbeat_ms)
    return replace(begun, asked=position, start=position)


def _check_role(role: Role, rights: Rights) -> None:
    if role & Role.SNAPSHOT and not role & Role.CONSUME:
        raise Refused(Reject.BAD_HELLO, "a snapshot is for sessions that consume (role bit 0)")
    if role & Role.CONSUME and not rights.consume:
        raise Refused(Reject.ACCESS_DENIED, "this user may not consume here")
    if role & Role.PRODUCE and not rights.produce:
        raise Refused(Reject.NOT_A_PRODUCER, "this user may not produce here")


def _types(bits: bytes) -> frozenset[int]:
    return frozenset(n for n in range(256) if bits[n // 8] >> n % 8 & 1)


def _begin(hello: Hello, kept: Kept, since: int | None) -> tuple[int, int, Lost | None]:
    wanted, oldest = hello.start_position, kept.oldest_for(hello.role)
    if hello.start == Start.LIVE or not hello.role & Role.CONSUME:
        return kept.end, kept.end, None
    if hello.start == Start.OLDEST:
        return oldest, oldest, None
    if hello.start == Start.LAST:
        start = max(oldest, kept.end - min(wanted, kept.end))
        return start, start, None
    if hello.start == Start.RECEIVED:
        start = max(oldest, _since(wanted, kept, since))
        return start, start, None
    if not kept.continues(hello.log_id, wanted):
        lost = Lost(wanted, wanted, UNKNOWN_COUNT, GapReason.LOG_REPLACED, 0)
        start = kept.begin_for(hello.role)
        return start, start, lost
    if wanted > kept.end:
        text = f"start_position {wanted} is beyond the end, {kept.end}"
        raise Refused(Reject.BAD_HELLO, text)
    if wanted >= oldest:
        return wanted, wanted, None
    lost = Lost(wanted, oldest - 1, oldest - wanted, GapReason.TOO_OLD, 0)
    return wanted, oldest, lost


def _since(time_ns: int, kept: Kept, since: int | None) -> int:
    if kept.journal is None:
        text = "start 4, by receive time, needs a relay that has a journal"
        raise Refused(Reject.BAD_HELLO, text)
    if since is None:
        raise ByTime(time_ns)
    return since
