"""The core of every Consumer: bytes in, runs of frames out, across connections. No I/O, no clock.

Called by the blocking and the asyncio front, which connect, read and write as it says and hand in
the time (seconds of any clock that does not go back). What a program does with a run, and how it
waits, is theirs. (relays.md 3; SPEC.md, types 100-107)

One connection after the other:

    begin(now) -> the Hello to send
    room(), received(size, now), then next() until it gives None
    beat(now, where) -> a Heartbeat to send, or nothing;   dead(now);   wake = when to look again
    ended(now) -> when to connect again, or the error that ends it
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from protocol._core import runs
from protocol.catalogue import SourceType
from protocol.checksum import crc32
from protocol.control import (
    UNKNOWN_COUNT,
    Error,
    Gap,
    GapReason,
    Heartbeat,
    Snapshot,
    SnapshotKind,
    Welcome,
    chain_of,
)
from protocol.header import HEADER_SIZE
from protocol.message import Message, Unknown
from protocol.reject import Reject, label
from relays.client.dial import Backoff
from relays.client.errors import ClientError, LinkClosed
from relays.client.stream import Span, Stream
from relays.client.subscription import Subscription

# Trying again would end the same way.
FINAL = {Reject.FENCED, Reject.ACCESS_DENIED, Reject.BAD_HELLO, Reject.NOT_A_PRODUCER}
BEATS = 3


class Run(NamedTuple):
    """`frames` domain frames back to back in `data`, which follow each other.

    `position` is that of the first (messages since the log `log_id` began), None with a filter and
    in a snapshot. `replayed`: they were in the log before this connection; `snapshot`: they are
    the state of instruments, no part of the feed.
    """

    position: int | None
    frames: int
    data: bytes
    replayed: bool
    snapshot: bool
    log_id: int


Item = Run | Gap | Snapshot


class Had:
    """The headers of the frames a filtered consumer has had since it was last told its position.

    When it asks for that position again they come again: `again` counts those at the beginning of
    what comes, until there are no more. After a Gap the first ones may be missing.

    >>> first, second, third = (bytes([n]) * 32 for n in range(3))
    >>> had = Had()
    >>> had.again(first + second)
    0
    >>> had.rewind()
    >>> had.again(second + third)  # first was lost in between
    1
    """

    def __init__(self) -> None:
        self._headers = bytearray()
        self._seen = 0  # bytes of them that came on this connection

    def rewind(self) -> None:
        """The feed begins again at the position told."""
        self._seen = 0

    def told(self) -> None:
        """The position was told: only what has not come again still can."""
        del self._headers[: self._seen]
        self._seen = 0

    def clear(self) -> None:
        """None of them can come again."""
        self._headers.clear()
        self._seen = 0

    def again(self, headers: bytes) -> int:
        """How many of these frames, the first ones, were had before; all are remembered."""
        at = 0
        while self._seen < len(self._headers) and at < len(headers):
            at += self._same(headers, at)
        if at < len(headers):
            self._headers += headers[at:]
            self._seen = len(self._headers)
        return at // HEADER_SIZE

    def _same(self, headers: bytes, at: int) -> int:
        """The bytes from `at` on that come again; those that were skipped are lost."""
        size = min(len(headers) - at, len(self._headers) - self._seen)
        if headers[at : at + size] == self._headers[self._seen : self._seen + size]:
            self._seen += size
            return size
        found = self._find(headers[at : at + HEADER_SIZE])
        del self._headers[self._seen : found]
        if self._seen < len(self._headers):
            self._seen += HEADER_SIZE
            return HEADER_SIZE
        return 0

    def _find(self, header: bytes) -> int:
        for at in range(self._seen, len(self._headers), HEADER_SIZE):
            if self._headers[at : at + HEADER_SIZE] == header:
                return at
        return len(self._headers)


class Consuming:
    """One consumer's way through a relay's log.

    `position` is where a new connection would go on (with a filter the last one told), `log_id`
    names the log; `welcome` is the newest one, `welcomes` how many there were, `gaps` the last
    1,024 Gaps, `compared` how often the relay's sum of all frames was that of those had here;
    `reason` says why the last connection ended.
    """

    def __init__(
        self,
        wanted: Subscription,
        *,
        dead_after: float | None = None,
        reconnect: bool = True,
        backoff: tuple[float, float] = (0.05, 2.0),
        source: random.Random | None = None,
    ) -> None:
        self.wanted, self.reconnect = wanted, reconnect
        self.backoff = Backoff(*backoff, source)
        self.welcome: Welcome | None = None
        self.welcomes = 0
        self.relay = 0
        self.gaps: deque[Gap] = deque(maxlen=1024)
        self.reason = ""
        start = wanted.start
        self.position: int | None = start if isinstance(start, int) and start >= 0 else None
        self.log_id = wanted.log_id if self.position is not None else 0
        self.stream: Stream | None = None
        self._every = (wanted.heartbeat_ms or 1000) / 1000
        self._dead_after = dead_after
        self._heard = self._next_beat = 0.0
        self._said: int | None = None
        self._had = Had()
        self._owed: Gap | None = None
        self._chain: int | None = None
        self.compared = 0
        # Whether this consumer needs the next snapshot: not where it goes on without a hole.
        self._stateless = True
        self._waiting: deque[Item] = deque()

    # --- a connection ---

    def begin(self, now: float) -> bytes:
        """A connection was made: the Hello to send on it."""
        self.stream = Stream()
        self.stream.greet(filtered=self.wanted.filtered)
        self._had.rewind()
        self._owed = None
        self._heard, self._next_beat, self._said = now, now + self._every, None
        return self.wanted.hello(self.log_id, self.position)

    def room(self) -> memoryview:
        """Where the next bytes go, once `next` gives None."""
        assert self.stream is not None
        return self.stream.room()

    def received(self, size: int, now: float) -> None:
        """So many bytes were put into `room()`."""
        assert self.stream is not None
        self._heard = now
        self.stream.received(size)

    def ended(self, now: float, why: str = "the relay closed the connection") -> float:
        """The connection is over, or was not made: when to make another.

        What came on it was taken before. LinkClosed, which says why, when there is to be no other.
        """
        fatal = [error for error in self.stream.errors if error.fatal] if self.stream else []
        self.reason = f"{label(fatal[-1].code)}: {fatal[-1].text}" if fatal else why
        self.stream = None
        if not self.reconnect:
            raise LinkClosed(self.reason)
        return now + self.backoff.next()

    # --- time ---

    @property
    def ready(self) -> bool:
        """Whether the relay has answered on this connection."""
        return self.stream is not None and self.stream.welcome is not None

    @property
    def dead_after(self) -> float:
        """Seconds without a byte after which the relay counts as dead."""
        return BEATS * self._every if self._dead_after is None else self._dead_after

    @property
    def wake(self) -> float:
        """When to ask `beat` and `dead` again."""
        return min(self._next_beat, self._heard + self.dead_after)

    def dead(self, now: float) -> bool:
        """Whether nothing has come for too long. Ask when there is nothing to be read."""
        return self.stream is not None and now - self._heard >= self.dead_after

    @property
    def coming(self) -> int | None:
        """The position of the next frame that `next` gives."""
        runs = (one.position for one in self._waiting if isinstance(one, Run))
        return next((place for place in runs if place is not None), self.position)

    def beat(
        self, now: float, where: Callable[[], int] | None = None, *, at_once: bool = False
    ) -> bytes:
        """The Heartbeat that is due, which says how far this consumer is (`where`; None = with all
        that came); empty when none is, or when that has been said."""
        if now < self._next_beat and not at_once:
            return b""
        self._next_beat = now + self._every
        # Before Welcome, and before a Gap that is due, its position is none of this log's.
        if not self.ready or self._owed is not None:
            return b""
        position = (self.position or 0) if where is None else where()
        if position == self._said and not at_once:
            return b""
        self._said = position
        return Heartbeat(position=position).frame(source=SourceType.EXTERNAL)

    # --- what comes ---

    @property
    def end(self) -> int:
        """The log's end as far as the relay told, in messages since it began."""
        beat = self.stream.heartbeat if self.stream is not None else None
        known = self.welcome.end_position if self.welcome is not None else 0
        return max(known, beat.position + beat.lag if beat is not None else 0)

    def next(self) -> Item | None:
        """The next of what came, in the order of the stream; None when more bytes are needed.

        A Gap and the ends of a snapshot are items like runs. ClientError when the relay refused
        this consumer for good, ProtocolError when what came is not what a relay says.
        """
        while not self._waiting:
            taken = self.stream.take() if self.stream is not None else None
            if taken is None:
                return None
            self._take(taken)
        return self._waiting.popleft()

    def _take(self, taken: Span | Message | Unknown) -> None:
        match taken:
            case Span():
                self._pay()
                self._span(taken)
            case Welcome():
                self._welcomed(taken)
            case Gap() if self.ready:
                self._gap(taken)
            case Snapshot() if self.ready:
                self._pay()
                self._snapshot(taken)
            case Heartbeat() if self.ready:
                self._pay()
                self._told(taken.position)
                self._compare(taken)
                self._beat_with_it()
            case Error() if taken.fatal and taken.code in FINAL:
                raise ClientError(f"{label(taken.code)}: {taken.text}")

    def _beat_with_it(self) -> None:
        """Both sides say something as often: said at once, it wakes neither of us a second time."""
        if self._next_beat - self._heard < self._every / 2:
            self._next_beat = self._heard

    def _welcomed(self, welcome: Welcome) -> None:
        assert self.stream is not None
        self.welcome, self.relay = welcome, self.stream.source
        self._chain = None
        self.welcomes += 1
        self.backoff.reset()
        self._every = (welcome.heartbeat_ms or 1000) / 1000
        if self.position is None:
            self.position = welcome.position
        self.log_id = self.log_id or welcome.log_id
        # Until the Gap that explains it has come, this is where to go on.
        first, last = self.position, max(welcome.position - 1, 0)
        if self.log_id != welcome.log_id and first != welcome.position:
            self._owed = Gap(first, first, UNKNOWN_COUNT, GapReason.LOG_REPLACED)
        elif first < welcome.position:
            self._owed = Gap(first, last, last - first + 1, GapReason.TOO_OLD)

    def _compare(self, beat: Heartbeat) -> None:
        """The relay says the CRC-32 of all frames before this position: from the first that it says
        on, this consumer's own goes with it. ClientError where they differ."""
        said = None if self.wanted.filtered else chain_of(beat)
        if said is not None and self._chain is not None:
            if said != self._chain:
                raise ClientError(
                    f"the frames up to position {beat.position} are not those the relay accepted: "
                    f"their checksum is {self._chain:#010x}, the relay's {said:#010x}"
                )
            self.compared += 1
        self._chain = said if self._chain is None else self._chain

    def _pay(self) -> None:
        """A Gap was due and the relay goes on without it: what is missing is said all the same."""
        if self._owed is not None:
            self._gap(self._owed)
        elif self.welcome is not None:  # and no Gap has said that another log begins here
            self.log_id = self.welcome.log_id

    def _gap(self, gap: Gap) -> None:
        assert self.stream is not None
        assert self.welcome is not None
        self._owed = None
        self._chain = None
        self._stateless = True
        self.position, self.log_id = self.stream.position, self.welcome.log_id
        if gap.reason == GapReason.LOG_REPLACED:
            self._had.clear()
        else:
            self._had.told()
        self.gaps.append(gap)
        self._waiting.append(gap)

    def _told(self, position: int) -> None:
        if self.wanted.filtered:
            self.position = position
            self._had.told()

    def _snapshot(self, snapshot: Snapshot) -> None:
        if not self._stateless:
            return
        self._waiting.append(snapshot)
        if snapshot.kind == SnapshotKind.END:
            self._stateless = False
            # What follows it belongs to it, had before or not.
            self._had.clear()
            self._told(snapshot.position)

    def _span(self, span: Span) -> None:
        assert self.stream is not None
        assert self.welcome is not None
        data, frames = bytes(span.data), span.frames
        if self.stream.in_snapshot:
            if self._stateless:
                self._waiting.append(Run(None, frames, data, False, True, self.log_id))
        elif self.wanted.filtered:
            self._filtered(data, frames)
        else:
            self.position = span.position + frames
            if self._chain is not None:
                self._chain = crc32(data, self._chain)
            self._followed(span.position, frames, data)

    def _filtered(self, data: bytes, frames: int) -> None:
        assert self.position is not None
        assert self.welcome is not None
        again = self._had.again(runs.headers(data))
        if again < frames:
            new = data[runs.skip(data, 0, again) :] if again else data
            history = self.position < self.welcome.end_position
            self._waiting.append(Run(None, frames - again, new, history, False, self.log_id))

    def _followed(self, first: int, frames: int, data: bytes) -> None:
        """Frames with positions: those below the log's end at Welcome are history."""
        assert self.welcome is not None
        history = min(frames, max(0, self.welcome.end_position - first))
        cut = len(data) if history == frames else runs.skip(data, 0, history)
        if history:
            self._waiting.append(Run(first, history, data[:cut], True, False, self.log_id))
        if history < frames:
            live = frames - history
            self._waiting.append(Run(first + history, live, data[cut:], False, False, self.log_id))
