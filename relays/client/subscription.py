"""What a consumer asks a relay for, checked before anything is sent.

Called by the cores and fronts of Consumer and MultiConsumer. Turns what a program writes (classes,
names, numbers) into a Hello; what comes back is `relays.client.consuming`'s. (SPEC.md, Hello)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from protocol.catalogue import MessageType, SourceType
from protocol.control import Gap, Hello, OnLag, Role, Start, hello_tlvs, type_filter
from protocol.errors import FieldError, ProtocolError
from protocol.instruments import InstrumentId
from protocol.message import Message
from relays.client.errors import ClientError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
Type = int | str | type[Message]
StartAt = Literal["live", "oldest"] | int | datetime
Lag = OnLag | Literal["gap", "disconnect", "catch_up"] | None
OnGap = Literal["raise", "item"] | Callable[[Gap], object]
OnBad = Literal["raise", "item"] | Callable[[ProtocolError], object]
Replayed = Literal["deliver", "skip"] | None


@dataclass(frozen=True, slots=True)
class Subscription:
    """The feed a consumer wants. `start` is "live", "oldest", a position of the log `log_id` (0 =
    whichever it is), -N for the last N, or a time; `heartbeat_ms` 0 = 1,000.

    >>> wanted = subscription(types=["Trade", "quote"], start=-10)
    >>> sorted(wanted.types), wanted.filtered
    ([1, 2], True)
    """

    types: frozenset[int]
    instruments: tuple[InstrumentId, ...]
    start: StartAt
    log_id: int
    on_lag: OnLag
    snapshot: bool
    heartbeat_ms: int
    name: str | None

    @property
    def filtered(self) -> bool:
        """Whether the relay leaves frames out, so that positions have to be told."""
        return bool(self.types or self.instruments)

    def hello(self, log_id: int, position: int | None) -> bytes:
        """The Hello that asks for `position` of `log_id`; None = for what `start` says."""
        begin, at = begins(self.start if position is None else position)
        return Hello(
            role=Role.CONSUME | (Role.SNAPSHOT if self.snapshot else 0),
            on_lag=self.on_lag,
            heartbeat_ms=self.heartbeat_ms,
            start=begin,
            log_id=log_id if begin == Start.AT_POSITION else 0,
            start_position=at,
            type_filter=type_filter(self.types),
            tlvs=hello_tlvs(self.name, self.instruments),
        ).frame(source=SourceType.EXTERNAL)


def subscription(
    *,
    types: Iterable[Type] | Type = (),
    instruments: Iterable[InstrumentId] | InstrumentId = (),
    start: StartAt = "live",
    log_id: int = 0,
    on_lag: Lag = None,
    snapshot: bool = False,
    heartbeat_ms: int = 1000,
    name: str | None = None,
) -> Subscription:
    """A Subscription from what a program gives; FieldError or ClientError says what cannot be."""
    several = [types] if isinstance(types, int | str | type) else types
    one = isinstance(instruments, InstrumentId)
    made = Subscription(
        types=frozenset(type_number(each) for each in several),
        instruments=(instruments,) if isinstance(instruments, InstrumentId) else tuple(instruments),
        start=start,
        log_id=log_id,
        on_lag=_on_lag(on_lag),
        snapshot=snapshot,
        heartbeat_ms=heartbeat_ms,
        name=name,
    )
    if not one and not all(isinstance(each, InstrumentId) for each in made.instruments):
        raise ClientError(f"instruments are InstrumentIds, got {made.instruments!r:.80}")
    made.hello(log_id, None)
    return made


def type_number(wanted: Type) -> int:
    """The number of a message type given as such, as a class, or by name in either form.

    >>> type_number("OrderBook"), type_number("order_book"), type_number(77)
    (3, 3, 77)
    """
    if isinstance(wanted, type):
        return wanted.TYPE
    if isinstance(wanted, int):
        if not 0 < wanted < 256:
            raise ClientError(f"message types are 1 to 255, got {wanted}")
        return int(wanted)
    found = _NAMES.get(_plain(wanted))
    if found is None:
        raise ClientError(
            f"no message type is called {wanted!r}; names are like Trade or order_book"
        )
    return found


def begins(start: StartAt) -> tuple[Start, int]:
    """Hello.start and start_position for what a program says; FieldError for anything else."""
    if isinstance(start, str) and start in ("live", "oldest"):
        return Start[start.upper()], 0
    if isinstance(start, datetime) and start.tzinfo is not None:
        return Start.RECEIVED, (start - EPOCH) // MICROSECOND * 1000
    if not isinstance(start, int) or isinstance(start, bool):
        expected = '"live", "oldest", a position, -N for the last N, or a datetime with a time zone'
        raise FieldError("hello.start", expected=expected, got=start)
    return (Start.AT_POSITION, start) if start >= 0 else (Start.LAST, -start)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


_NAMES = {_plain(each.name): each.value for each in MessageType}


def _on_lag(wanted: Lag) -> OnLag:
    if wanted is None:
        return OnLag.DEFAULT
    if isinstance(wanted, OnLag):
        return wanted
    known: Collection[str] = ("gap", "disconnect", "catch_up")
    if wanted not in known:
        raise ClientError(f'on_lag is "gap", "disconnect" or "catch_up", got {wanted!r}')
    return OnLag[wanted.upper()]
