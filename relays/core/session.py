"""What a Hello asks for, and whether it can be had (relays.md 3; SPEC.md, Hello).

Called by `relays.core.hub` with a control frame of a connection that is not a session yet. Gives a
Plan, or raises Refused with the Reject and the sentence the peer is told. Nothing is changed here.
"""

from __future__ import annotations

from dataclasses import dataclass

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

ON_LAG = {OnLag.GAP: "gap", OnLag.DISCONNECT: "disconnect", OnLag.CATCH_UP: "catch_up"}
DOES = {Role.CONSUME: "consumes", Role.PRODUCE: "produces", Role.SNAPSHOT: "gets snapshots"}
MILLISECOND = 1_000_000


class Refused(Exception):
    """A Hello that cannot be honoured: the Reject, and the sentence for the Error."""

    def __init__(self, code: Reject, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


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
        return bool(self.role & Role.CONSUME)

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
        return bool(self.role & Role.PRODUCE)


def plan(frame: bytes, log: Log, rights: Rights, on_lag: str, heartbeat_ms: int) -> Plan:
    """Read a Hello against what the log has and the peer may do; `on_lag`, `heartbeat_ms` are the
    domain's defaults. Raises Refused."""
    try:
        hello = Hello.decode(frame)
        name, ids = client_name(hello), instruments(hello)
    except ProtocolError as error:
        raise Refused(Reject.BAD_HELLO, str(error)) from None
    _check_role(hello.role, rights)
    asked, start, gap = _begin(hello, log)
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


def _check_role(role: Role, rights: Rights) -> None:
    if role & Role.SNAPSHOT and not role & Role.CONSUME:
        raise Refused(Reject.BAD_HELLO, "a snapshot is for sessions that consume (role bit 0)")
    if role & Role.CONSUME and not rights.consume:
        raise Refused(Reject.ACCESS_DENIED, "this user may not consume here")
    if role & Role.PRODUCE and not rights.produce:
        raise Refused(Reject.NOT_A_PRODUCER, "this user may not produce here")


def _types(bits: bytes) -> frozenset[int]:
    return frozenset(n for n in range(256) if bits[n // 8] >> n % 8 & 1)


def _begin(hello: Hello, log: Log) -> tuple[int, int, Lost | None]:
    wanted = hello.start_position
    if hello.start == Start.LIVE or not hello.role & Role.CONSUME:
        return log.end, log.end, None
    if hello.start == Start.OLDEST:
        return log.oldest, log.oldest, None
    if hello.start == Start.LAST:
        start = max(log.oldest, log.end - min(wanted, log.end))
        return start, start, None
    if hello.log_id not in (0, log.id):
        lost = Lost(wanted, wanted, UNKNOWN_COUNT, GapReason.LOG_REPLACED, 0)
        return log.oldest, log.oldest, lost
    if wanted > log.end:
        text = f"start_position {wanted} is beyond the end, {log.end}"
        raise Refused(Reject.BAD_HELLO, text)
    if wanted >= log.oldest:
        return wanted, wanted, None
    lost = Lost(wanted, log.oldest - 1, log.oldest - wanted, GapReason.TOO_OLD, 0)
    return wanted, log.oldest, lost
