"""The control frames that wait to be written to one session (relays.md 3).

Called by `relays.core.hub` (to add) and `relays.core.fanout` (to write). At most one of each kind
waits: a newer Ack or Heartbeat replaces the older, Errors of one code merge, Gaps grow; so what a
peer that never reads can cost is bounded, and none is dropped. They are encoded when they are
written, so that they say what is true then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from protocol.control import Ack, Error, Gap, GapReason, Heartbeat, Welcome
from protocol.reject import Reject
from relays.core.snapshot import Snapshots

UNKNOWN_COUNT = 2**64 - 1
MAX_TEXT = 400


@dataclass
class Refusal:
    """An Error that waits: what happened, to which sequences, how often."""

    code: Reject
    message_type: int
    fatal: bool
    sequence: int
    expected: int
    count: int
    text: str

    def frame(self, stamp: dict[str, int]) -> bytes:
        text = self.text if self.count <= 1 else f"{self.text} ({self.count} frames)"
        raw = text.encode()[:MAX_TEXT].decode(errors="ignore")
        return Error(
            code=self.code,
            message_type=self.message_type,
            fatal=int(self.fatal),
            sequence=self.sequence,
            expected=self.expected,
            text=raw,
        ).frame(**stamp)


@dataclass
class Lost:
    """A Gap that waits: positions first..last, `count` of them, for `reason` (wire numbers)."""

    first: int
    last: int
    count: int
    reason: GapReason
    breaker: int

    def frame(self, stamp: dict[str, int]) -> bytes:
        return Gap(
            first_position=self.first,
            last_position=self.last,
            count=self.count,
            reason=self.reason,
            breaker=self.breaker,
        ).frame(**stamp)


class Outbox:
    """What waits, by kind; `encode` writes it all down in the order of relays.md 3.

    `stamp` gives source and timestamp of a frame; `where` the session's position and lag, and the
    TLVs of its Heartbeat; `owe` is told of what nobody could say again.
    """

    def __init__(
        self, source: int, where: Callable[[], tuple[int, int, bytes]],
        owe: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.source = source
        self.where, self.owe = where, owe
        self.welcome: Welcome | None = None
        self.gap: Lost | None = None
        self.errors: dict[Reject, Refusal] = {}
        self.ack: Ack | None = None
        self.heartbeat = False
        self.snapshots: Snapshots | None = None

    def __bool__(self) -> bool:
        return bool(self.heartbeat or self.ack or self.errors or self.gap or self.welcome)

    def greet(self, welcome: Welcome) -> None:
        """The first frame of the session."""
        self.owe()
        self.welcome = welcome

    def add_gap(self, lost: Lost) -> None:
        """A Gap is due; one that waits already grows by it, for they follow each other."""
        self.owe()
        if self.gap is None:
            self.gap = lost
        else:
            self.gap.last = lost.last
            known = UNKNOWN_COUNT not in (self.gap.count, lost.count)
            self.gap.count = self.gap.count + lost.count if known else UNKNOWN_COUNT
            self.gap.breaker = lost.breaker
            if self.welcome is not None:  # it names the next frame, which is another one now
                self.welcome = self.welcome.replace(position=lost.last + 1)
        if self.snapshots is not None:
            self.snapshots.again()

    def add_error(self, new: Refusal) -> None:
        """An Error is due; one of that code that waits already takes it in."""
        self.owe()
        old = self.errors.setdefault(new.code, new)
        if old is new:
            return
        old.count += new.count
        old.expected = new.expected
        old.fatal = old.fatal or new.fatal

    def encode(self, now: int) -> bytes:
        """Everything that waits, as bytes; nothing waits afterwards."""
        more = self.ack or self.errors or self.gap or self.welcome
        frames = self._encode_others(now) if more else b""
        if self.heartbeat:
            self.heartbeat = False
            position, lag, tlvs = self.where()
            beat = Heartbeat(position=position, lag=lag, tlvs=tlvs)
            frames += beat.frame(source=self.source, timestamp=now)
        return frames

    def _encode_others(self, now: int) -> bytes:
        stamp = {"source": self.source, "timestamp": now}
        frames = [self.welcome.frame(**stamp)] if self.welcome else []
        if self.gap:
            frames.append(self.gap.frame(stamp))
        frames += [refusal.frame(stamp) for refusal in self.errors.values()]
        if self.ack:
            frames.append(self.ack.frame(**stamp))
        self.welcome = self.gap = self.ack = None
        self.errors = {}
        return b"".join(frames)
