"""What one connection was sent, held against the order and against what it asked for (relays.md 3).

Domain frames must be the next of the order that pass its filter; Welcome, Gap, Heartbeat and
Snapshot must say exactly where it is. Acks and Errors are kept for `judge`, which knows what was
written. Every byte the relay wrote comes through here, also where the peer never read it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from protocol.control import (
    Ack,
    Error,
    Gap,
    Heartbeat,
    Hello,
    Snapshot,
    Welcome,
    chain_of,
    instruments,
)
from protocol.message import decode
from tests.simulator.checker.facts import (
    CONSUME,
    HEADER_SIZE,
    UNKNOWN,
    WELCOME,
    WITH_SNAPSHOT,
    Facts,
    Violation,
    Wanted,
    is_control,
    must,
    size_at,
)
from tests.simulator.checker.order import Order
from tests.simulator.checker.times import Times
from tests.simulator.checker.views import View

LIVE, AT, OLDEST, LAST, RECEIVED = range(5)
TOO_SLOW, TOO_OLD, REPLACED = range(1, 4)


@dataclass(frozen=True)
class Where:
    """The log as its counters say it is: its end as consumers see it, the oldest position that is
    served, the oldest in memory, and the oldest that the journal has (0 without one)."""

    end: int
    oldest: int
    kept: int
    journal: int


class Reading:
    """The bytes of one connection from the relay, in order. It begins at position `begin`."""

    def __init__(self, facts: Facts, order: Order, who: str, begin: int) -> None:
        self.facts, self.order, self.who = facts, order, who
        self.lineage: dict[int, tuple[int, int]] = {}
        self.damaged: list[range] = []
        self.times = Times()
        self.rest = bytearray()
        self.position: int | None = begin
        self.counted = 0
        self.hello: Hello | None = None
        self.asked_when: Where | None = None
        self.welcome: Welcome | None = None
        self.welcomed_when: Where | None = None
        self.wanted = Wanted(frozenset(), frozenset(), facts.offsets)
        self.may_have_control = False
        self.fresh = False  # nothing came since Welcome
        self.began: int | None = None
        self.gaps: list[Gap] = []
        self.acks: list[Ack] = []
        self.errors: list[Error] = []
        self.inside: Snapshot | None = None
        self.snapshot_due = False
        self.view: View | None = None
        self.over = False

    # --- what is known of it ---

    @property
    def consumes(self) -> bool:
        """Before Welcome it may be PLAIN, whatever it is to be."""
        return self.welcome is None or bool(self.welcome.role & CONSUME)

    @property
    def on_lag(self) -> str:
        """What its Hello chose, or the relay's default."""
        chosen = self.hello.on_lag if self.hello is not None else 0
        names = ("", "gap", "disconnect", "catch_up")
        return names[chosen] or self.facts.config.on_lag

    def asked(self, hello: Hello, now: Where) -> None:
        """It said Hello when the log was like this."""
        if self.hello is not None:
            return
        self.hello, self.asked_when = hello, now
        types = frozenset(n for n in range(256) if hello.type_filter[n // 8] >> n % 8 & 1)
        self._filter = Wanted(types, frozenset(instruments(hello)), self.facts.offsets)

    # --- bytes ---

    def feed(self, data: bytes, now: Where) -> None:
        """The relay wrote these bytes; the log is like this by now."""
        self.rest += data
        at, buffer = 0, self.rest
        while len(buffer) - at >= HEADER_SIZE:
            if not is_control(buffer, at) and self._plainly_next():
                passed = self._pass_run(at)
                at += passed
                if passed:
                    self.settle_beginning()
                    continue
            size = size_at(buffer, at)
            if len(buffer) - at < size:
                break
            frame = bytes(buffer[at : at + size])
            at += size
            if is_control(frame):
                self._control(frame, now)
            else:
                self._domain(frame)
            if frame[4] != WELCOME:
                self.settle_beginning()
        del buffer[:at]

    def _plainly_next(self) -> bool:
        return not (self.wanted or self.inside or self.snapshot_due or self.view) and (
            self.consumes and self.position is not None and self.position < len(self.order)
        )

    def _pass_run(self, at: int) -> int:
        """Go over all whole frames at `at` that are those due, as one comparison; their bytes."""
        order, position = self.order, self.position
        assert position is not None
        begin = order.offsets[position]
        size = min(len(self.rest) - at, len(order.data) - begin)
        if self.rest[at : at + size] != order.data[begin : begin + size]:
            return 0
        reached = bisect_right(order.offsets, begin + size) - 1
        self.fresh = self.fresh and reached == position
        self.counted += reached - position
        self.position = reached
        return order.offsets[reached] - begin

    def half(self) -> bytes:
        """The bytes of a frame that is not whole."""
        return bytes(self.rest)

    # --- domain frames ---

    def _domain(self, frame: bytes) -> None:
        self.counted += self.inside is None
        must(self.consumes, f"{self.who} does not consume and was sent a frame")
        if self.inside is not None:
            self._of_snapshot(frame)
            return
        must(not self.snapshot_due, f"{self.who} was sent the feed before its snapshot")
        assert self.position is not None
        self.position = self.due(len(self.order))
        self.fresh = False
        if self.wanted:
            must(self.wanted.passes(frame), f"{self.who} was sent a frame it does not want")
        self.order.agree(self.position, frame, self.who)
        self.position += 1
        if self.view is not None:
            self.view.see(frame)

    def due(self, end: int) -> int:
        """The next position, before `end`, that passes the filter; `end` where none does."""
        assert self.position is not None
        position = self.position
        while (
            self.wanted and position < end and not self.wanted.passes(self.order.frames[position])
        ):
            position += 1
        return position

    # --- control frames ---

    def _control(self, frame: bytes, now: Where) -> None:
        text = f"{self.who} said nothing that is answered and was sent message type {frame[4]}"
        must(self.may_have_control, text)
        said: Any = decode(frame, verify=True)
        match frame[4]:
            case 105:
                self._welcome(said, now)
            case 107:
                self._gap(said, now)
            case 106:
                self.acks.append(said)
            case 102:
                self.errors.append(said)
            case 100:
                self._heartbeat(said, now)
            case 101:
                self._snapshot(said)
            case _:
                raise Violation(f"{self.who} was sent message type {frame[4]}")

    def _welcome(self, said: Welcome, now: Where) -> None:
        hello, then = self.hello, self.asked_when
        must(hello is not None and self.welcome is None, f"{self.who}: a Welcome not asked for")
        assert hello is not None
        assert then is not None
        self.welcome, self.welcomed_when, self.wanted = said, now, self._filter
        self.fresh = True
        must(said.log_id == self.order.log_id, f"{self.who}: log_id {said.log_id}")
        must(said.role == hello.role, f"{self.who}: role {said.role!r}")
        must(then.end <= said.end_position <= now.end, f"{self.who}: end {said.end_position}")
        must(said.max_payload == self.facts.config.max_payload, f"{self.who}: max_payload")
        self.position = said.position if self.consumes else None
        self.snapshot_due = bool(hello.role & WITH_SNAPSHOT)
        self.view = View(self.wanted) if self.snapshot_due else None

    def settle_beginning(self) -> None:
        """What came right behind Welcome is known: did it begin where it asked to?"""
        if self.welcome is None or self.began is not None or not self.consumes:
            return
        hello, then, now = self.hello, self.asked_when, self.welcomed_when
        assert hello is not None
        assert then is not None
        assert now is not None
        first = self.gaps[0] if self.gaps else None
        joined = first is not None and first.last_position + 1 == self.welcome.position
        self.began = begin = first.first_position if joined and first else self.welcome.position
        replaced = first is not None and first.reason == REPLACED
        wanted = hello.start_position
        # Who gets a snapshot is told what was before the log in memory, and begins there.
        oldest, oldest_now = (then.oldest, now.oldest)
        if hello.role & WITH_SNAPSHOT:
            oldest, oldest_now = then.kept, now.kept
        early, late = self.times.since(wanted, then.end, now.end)
        low, high = {
            LIVE: (then.end, now.end),
            AT: (wanted, wanted),
            OLDEST: (oldest, oldest_now),
            LAST: (max(oldest, then.end - wanted), max(oldest_now, now.end - wanted)),
            RECEIVED: (max(oldest, 0 if self.damaged else early), max(oldest_now, late)),
        }[hello.start]
        if hello.start == AT and not self._goes_on(hello, replaced, now.journal):
            must(replaced, f"{self.who} asked for log {hello.log_id} and was not told it is gone")
            return
        must(not replaced, f"{self.who}: its log is said to be replaced")
        must(low <= begin <= high, f"{self.who} asked for {low}..{high} and begins at {begin}")

    def _goes_on(self, hello: Hello, replaced: bool, oldest: int) -> bool:
        """Whether this log goes on where the reader of that one was. One of which the journal has
        no frame, from `oldest` on, may be forgotten."""
        if hello.log_id in (0, self.order.log_id):
            return True
        begin, end = self.lineage.get(hello.log_id, (0, -1))
        forgotten = begin == end or end <= oldest
        return (
            hello.start_position <= end
            and self.facts.durability > 0
            and not (replaced and forgotten)
        )

    def _gap(self, said: Gap, now: Where) -> None:
        must(self.welcome is not None and self.consumes, f"{self.who}: a Gap to no consumer")
        assert self.welcome is not None
        assert self.position is not None
        self.gaps.append(said)
        self.snapshot_due, self.inside = self.view is not None, None
        if said.reason == REPLACED:
            must(self.fresh and len(self.gaps) == 1, f"{self.who}: a late Gap of a replaced log")
            must(said.count == UNKNOWN, f"{self.who}: {said.count} lost of a log that is gone")
            return
        first, last = said.first_position, said.last_position
        must(said.count == last - first + 1 > 0, f"{self.who}: {said}")
        if self.fresh and first < self.position:
            must(last + 1 == self.welcome.position, f"{self.who}: {said} at its beginning")
        else:
            due = self.due(min(first, len(self.order)))
            must(due >= first or due == len(self.order), f"{self.who} lacks position {due}: {said}")
            must(first >= self.position, f"{self.who} had {self.position - 1} already: {said}")
        # Who gets a snapshot goes on at the end: it says what was before.
        old = said.reason == TOO_OLD and self.view is None
        gone = self._is_damaged(max(first, now.oldest), last) if old else last < now.end
        must(gone, f"{self.who}: {said}, but the log has them")
        must(
            not (old and self._journaled()) or self._is_damaged(first, last), f"{self.who}: {said}"
        )
        slow = said.reason == TOO_SLOW and self.view is None
        must(not slow or self.on_lag == "gap", f"{self.who}, on_lag {self.on_lag}: {said}")
        self.position = last + 1
        self.fresh = False

    def _journaled(self) -> bool:
        """Whether it is past its beginning, where the journal had all that was to come."""
        assert self.welcome is not None
        assert self.welcomed_when is not None
        config, began = self.facts.config, self.welcomed_when.journal <= self.welcome.position
        return config.journal == "on" and not self.facts.limited and began and not self.fresh

    def _is_damaged(self, first: int, last: int) -> bool:
        """Whether none of these positions can be read any more; there may be none of them."""
        while any(first in hit for hit in self.damaged):
            first = max(hit.stop for hit in self.damaged if first in hit)
        return first > last

    def _heartbeat(self, said: Heartbeat, now: Where) -> None:
        must(said.position <= now.end, f"{self.who}: {said} beyond the end, {now.end}")
        if not self.consumes or self.welcome is None:
            return
        assert self.position is not None
        text = f"{self.who} is at {self.position} and was told {said}"
        must(said.position >= self.position, text)
        must(bool(self.wanted) or said.position == self.position, text)
        due = self.due(min(said.position, len(self.order)))
        must(due >= min(said.position, len(self.order)), f"{self.who} lacks {due}: {said}")
        self.position = said.position
        chain = chain_of(said)
        if chain is not None:
            due = self.order.chains[said.position]
            must(chain == due, f"{self.who} was told {said}, whose chain is not {due:#010x}")

    # --- snapshots ---

    def _snapshot(self, said: Snapshot) -> None:
        text = f"{self.who} at {self.position} was told {said}"
        if said.kind == 1:
            must(self.snapshot_due and self.inside is None, text)
            self.inside, self.view = said, View(self.wanted)
            self.snapshot_due = False
        else:
            must(self.inside is not None and said.count == self.inside.count, text)
            self.inside = None
        assert self.position is not None
        must(said.position >= self.position, text)
        must(self.due(min(said.position, len(self.order))) >= said.position, text)
        self.position = said.position

    def _of_snapshot(self, frame: bytes) -> None:
        assert self.view is not None
        assert self.position is not None
        must(self.wanted.passes(frame), f"{self.who}: a snapshot with what it does not want")
        must(
            self.order.has_before(self.position, frame),
            f"{self.who}: a snapshot at {self.position} with a frame that is not before it",
        )
        self.view.see(frame)
