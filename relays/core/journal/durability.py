"""What the loop knows of the journal: what waits for it, and whether it keeps up (relays.md 2).

Called by `relays.core.hub`. The compiled Writer's thread, or a simulated disk, moves the journal
on; `progressed` is called when it has. Nothing here writes, and nothing blocks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from protocol._core.journal import BATCH, INTERVAL, NONE, Writer
from protocol.control import Durability
from relays.core.journal.catalogue import Lineage

MODES = {"none": NONE, "interval": INTERVAL, "batch": BATCH}
# Whoever is no producer may say Hello while producers wait, but not without any bound.
HEAR_PARTS = 3, 4


class Journaling:
    """The loop's side of a journal that is written as `sync` says: "none", "interval", "batch".

    `durability` is what its Acks promise; with `withhold` consumers get nothing before that.
    """

    def __init__(
        self, writer: Writer, sync: str, lineage: Sequence[Lineage] = (), withhold: bool = False
    ) -> None:
        self.withholds = withhold
        self._lineage = tuple(lineage)
        self.writer, self.mode = writer, MODES[sync]
        self.durability = Durability.SYNCED if self.mode == BATCH else Durability.JOURNAL
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()

    @property
    def oldest(self) -> int:
        """The least position that can be served."""
        return self.writer.oldest

    def continues(self, log_id: int, position: int) -> bool:
        """Whether `position` of the log `log_id` of before is the same one here: the log that
        followed began there, or later."""
        ends = [each.end for each in self._lineage if each.log_id == log_id]
        return bool(ends) and position <= ends[-1]

    @property
    def settled(self) -> bool:
        """Whether nobody waits for it."""
        return not self._waiting

    def committed(self) -> None:
        """There is more to write."""
        if self.withholds:
            self.writer.want(self.mode)
        else:
            self.writer.committed(self.mode)

    def when_safe(self, then: Callable[[], None]) -> None:
        """Call `then` once everything committed so far has what `durability` promises; now, if it
        has. They are called in the order in which they came."""
        self._waiting.append((self.writer.made, then))
        self.progressed()

    def show(self) -> None:
        """Where nothing is delivered before it is safe: consumers may have what is so by now."""
        if self.withholds:
            self.writer.show(self.mode)
            if self.writer.reached(self.mode) < self.writer.made:
                self.writer.want(self.mode)

    def progressed(self) -> None:
        """The journal may be further than it was: whoever waited for that is called."""
        while self._call():
            self.writer.want(self.mode)
            # It may have come that far before it knew that somebody waits.
            if self.writer.reached(self.mode) < self._waiting[0][0]:
                return

    def _call(self) -> bool:
        """Call those whose time has come; whether others still wait."""
        reached = self.writer.reached(self.mode)
        while self._waiting and self._waiting[0][0] <= reached:
            self._waiting.popleft()[1]()
        return bool(self._waiting)

    def may_read(self, size: int, log_bytes: int, produces: bool) -> bool:
        """Whether `size` bytes may be read from a connection now. Where not, the loop is woken by
        the next progress."""
        if self._may(size, log_bytes, produces):
            return True
        self.writer.want(self.mode)
        # It may have come that far before it knew that somebody waits.
        return self._may(size, log_bytes, produces)

    def _may(self, size: int, log_bytes: int, produces: bool) -> bool:
        if produces:
            return self.writer.may_read(size)
        part, whole = HEAR_PARTS
        return self.writer.may_hear(size, log_bytes * part // whole)
