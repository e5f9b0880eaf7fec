"""A consumer's bytes out (architecture.md, the path of a frame, 4; relays.md 3).

Called by `relays.core.hub` and, through it, by the edge's send loop: `offer` says what to send
next, `took` how much of it the kernel took. In this order: the rest of a frame (or of control
frames) half sent, control frames, a snapshot, the log from the cursor. Nothing here decides when a
consumer is cut off.
"""

from __future__ import annotations

from collections.abc import Callable

from protocol._core.connection import MARK_OWED, MARK_SENDING, Record
from protocol._core.gather import Filter
from relays.core import snapshot
from relays.core.log import Log
from relays.core.outbox import Outbox
from relays.core.snapshot import Snapshots

NOTHING, REST, TAIL, SPAN, GATHERED, TOLD = range(6)
TURN = 256 * 1024
LONGEST_TURN = 4 * 1024 * 1024
HEARTBEAT_FRAMES = 1024
EMPTY = memoryview(b"")


class Outlet:
    """The writing half of one connection.

    `feeding` is whether the log is served (not before Welcome, not while a breaker is open);
    `past` whether the cursor is before what the log keeps: then it is served from `window`, a
    stretch of the journal, and `fetch` asks for the next one, once;
    `line` is what the edge writes to, for who sends to many in one go;
    `scratch` is the relay's one buffer for filtered sends, valid from `offer` to `took`.
    """

    __slots__ = (
        "_history",
        "_kind",
        "_left",
        "_offered",
        "_since_heartbeat",
        "_turned",
        "blocked",
        "feeding",
        "fetch",
        "fetching",
        "line",
        "log",
        "outbox",
        "past",
        "record",
        "rest",
        "scratch",
        "snapshots",
        "tail",
        "wanted",
        "window",
    )  # fmt: skip

    def __init__(self, log: Log, record: Record, scratch: memoryview) -> None:
        self.log, self.record, self.scratch = log, record, scratch
        self.rest = b""
        self.tail = b""
        self.line: object = None
        self.outbox: Outbox | None = None
        self.wanted: Filter | None = None
        self.snapshots: Snapshots | None = None
        self.feeding = False
        self.blocked = False
        self.past = self.fetching = False
        self.fetch: Callable[[], None] = lambda: None
        self.window = EMPTY
        self._kind = NOTHING
        self._offered = 0
        self._since_heartbeat = 0
        self._history = 0
        self._left = self._turned = 0

    def filter(self, wanted: Filter, position: int, offset: int) -> None:
        """Serve what passes. What is before `position`, at byte `offset` of the log, is history:
        when it has passed the session is told, or it would not know where it ends."""
        self.wanted, self._history = wanted, position
        wanted.pause = offset

    @property
    def idle(self) -> bool:
        """Nothing waits outside the log."""
        return not (self.rest or self.tail or self.outbox or self.telling)

    @property
    def telling(self) -> bool:
        """Whether a snapshot comes before the log goes on."""
        return self.snapshots is not None and self.feeding and self.snapshots.busy

    @property
    def looking(self) -> bool:
        """Whether a filter has not yet seen all of the log, or of a snapshot, that is there."""
        filtering = self.feeding and self.wanted is not None and not self.fetching
        return self.telling or (filtering and self.record.lag > 0)

    # --- turns ---

    def block(self) -> None:
        """It does not take all there is: from now on it is served in turns."""
        if not self.blocked:
            self.blocked, self._turned = True, self.log.state.end_offset

    def begin_turn(self) -> None:
        """One that is behind, or in a snapshot, gets a piece and what the log has grown by since
        its last turn: so who reads all it is sent comes nearer to the end, whatever is produced."""
        end = self.log.state.end_offset
        telling = self.telling
        if telling and self.snapshots is not None and self.snapshots.due:
            self._turned = end
        least = snapshot.PIECE if telling else TURN
        self._left = min(least + end - self._turned, LONGEST_TURN)
        self._turned = end

    @property
    def turn_over(self) -> bool:
        """Whether others are to be served before this one again."""
        return self._left <= 0 and (self.blocked or self.telling)

    # --- what is sent ---

    def offer(self, now: int) -> memoryview:
        """The bytes to send next; empty when there is nothing, or `looking` has to go on."""
        if self.tail:
            return self._offering(TAIL, memoryview(self.tail))
        if self.rest:
            return self._offering(REST, memoryview(self.rest))
        if self.outbox or self.telling:
            if self.record.begun:
                return self._begun()
            self.rest = self._say(now)
            if self.rest:
                self.record.mark(MARK_OWED)
            if self.rest or not self.telling:
                return self._offering(REST, memoryview(self.rest))
            assert self.snapshots is not None
            return self._offering(TOLD, self.snapshots.piece(self.scratch, self._left))
        if not self.feeding or (self.past and not self._in_memory()):
            return self._offering(NOTHING, EMPTY)
        if self.wanted is not None:
            return self._gather(now)
        return self._span(self._left if self.blocked else self.log.size)

    def _span(self, most: int) -> memoryview:
        begin, size = self.record.span(most)
        view = self.window if self.past and self.record.windowed else self.log.view
        return self._offering(SPAN, view[begin : begin + size])

    def _in_memory(self) -> bool:
        """Whether what comes next is here: in a stretch of the journal, or in the log again."""
        if self.record.windowed:
            return True
        if self.record.offset >= self.log.state.oldest_offset:
            self.leave_past()
            return True
        self.window = EMPTY
        if not self.fetching:
            self.fetching = True
            self.fetch()
        return False

    def leave_past(self) -> None:
        """What comes next is in the log's memory, or will be: of the journal nothing is kept."""
        self.past, self.window = False, EMPTY

    def fetched(self, frames: memoryview, begin: int, received_ns: int) -> None:
        """What was asked for: whole frames from byte `begin` of the log on; the next is in them."""
        self.fetching = False
        self.window = frames
        self.record.serve_from(frames, begin, received_ns)

    def _say(self, now: int) -> bytes:
        """The control frames that are due, one that begins or ends a snapshot among them."""
        said = self.outbox.encode(now) if self.outbox else b""
        if self.snapshots is not None and self.telling:
            said += self.snapshots.edge(now, self.record.position, self.wanted)
        return said

    def _offering(self, kind: int, view: memoryview) -> memoryview:
        self._kind = kind
        self._offered = len(view)
        return view

    def _begun(self) -> memoryview:
        """Only the rest of the frame half sent: control frames are written between frames."""
        if self.wanted is not None:
            size = self.record.gather(self.wanted, self.scratch, 1)
            return self._offering(GATHERED, self.scratch[:size])
        return self._span(self.record.begun)

    def _gather(self, now: int) -> memoryview:
        """What is next for the filter: one look at a stretch of the log, also if nothing passes."""
        assert self.wanted is not None
        most = HEARTBEAT_FRAMES - self._since_heartbeat
        size = self.record.gather(self.wanted, self.scratch, most)
        if not size and self.record.lag:
            self.record.gathered(self.wanted, 0, now)
            if self._history_over():
                return self.offer(now)
        return self._offering(GATHERED, self.scratch[:size])

    def _history_over(self) -> bool:
        """Whether what was there at Hello has just passed: that is told now."""
        if not self._history or self.record.position < self._history or self.outbox is None:
            return False
        self._history = 0
        self.outbox.heartbeat = True
        return True

    def took(self, size: int, now: int) -> bool:
        """The kernel took `size` bytes of what was offered. True when there may be more to send."""
        kind = self._kind
        self._left -= size
        if kind == SPAN:
            done = self.record.sent(size, now)
            return not done or bool(self.outbox)
        if kind == GATHERED:
            return self._took_gathered(size, now)
        if kind == REST:
            self.rest = self.rest[size:]
        elif kind == TOLD:
            assert self.snapshots is not None
            self.rest = self.snapshots.took(size)
        elif kind == TAIL:
            self.tail = self.tail[size:]
            self._left = 0  # it is looked at again: an open breaker waits for this
            self.record.tail_sent(size, not self.tail)
        if not self.idle:
            return kind != NOTHING
        self.record.unmark(MARK_OWED)
        return kind == TAIL or (kind != NOTHING and self.record.lag > 0)

    def took_nothing(self) -> None:
        """The kernel takes no more for now."""
        if self._kind in (SPAN, GATHERED):
            self.record.unmark(MARK_SENDING)

    def _took_gathered(self, size: int, now: int) -> bool:
        assert self.wanted is not None
        self._left = 0  # a look has its price whatever passed
        before = self.record.delivered
        done = self.record.gathered(self.wanted, size, now)
        self._since_heartbeat += self.record.delivered - before
        if self._since_heartbeat >= HEARTBEAT_FRAMES and self.outbox is not None:
            self.outbox.heartbeat = True
            self._since_heartbeat = 0
        self._history_over()
        return not done or bool(self.outbox)

    def stop(self) -> None:
        """Nothing more is served from the log, nor of a snapshot that was begun."""
        self.feeding = False
        self.leave_past()
        if self.snapshots is not None:
            self.snapshots.stop()

    def detach(self) -> None:
        """The log wants the place of the frame half sent: its rest is kept, nothing else is."""
        self.tail += self.record.begun_frame()
        self.record.detach()
