"""The state of instruments for those who come late (relays.md 3, Snapshot).

Made by `relays.core.handshake` for a session that asked for it; `relays.core.outbox` says when one
is due, `relays.core.fanout` writes it. What is kept of which frame is `protocol._core.keep`'s.

A snapshot is of one position, that of the session's cursor, which stands still until the snapshot
has been written. It goes out in pieces, between which the loop serves others; a Gap ends one that
is not written to its end, and begins another.
"""

from __future__ import annotations

from protocol._core.gather import Filter
from protocol._core.keep import Keep
from protocol._core.reader import Reader
from protocol.control import Snapshot, SnapshotKind

PIECE = 128 * 1024


class Snapshots:
    """The snapshots of one session. Without a `keep` they have nothing in them.

    Each is `edge`, pieces until there is an `edge` again, and that.

    >>> said = Snapshots(None, 20).edge(0, 7, None)
    >>> Snapshot.decode(said).position, len(said)
    (7, 96)
    """

    __slots__ = ("_begun", "_keep", "_reader", "_source", "due")

    def __init__(self, keep: Keep | None, source: int) -> None:
        self._keep, self._source = keep, source
        self._reader: Reader | None = None
        self._begun = False
        self.due = True

    @property
    def busy(self) -> bool:
        """Whether something of a snapshot is still to be written before the feed goes on."""
        return self.due or self._reader is not None

    @property
    def overrun(self) -> bool:
        """What the rest of it needs is gone: more changed meanwhile than there is memory for."""
        return self._reader is not None and self._reader.broken

    def again(self) -> None:
        """Nothing more of the one that was begun; another is due."""
        self.stop()
        self.due = True

    def stop(self) -> None:
        """Nothing more of it is written: what was kept for it may go."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def edge(self, now: int, position: int, wanted: Filter | None) -> bytes:
        """The control frame that is next of one that ends where the feed goes on, at `position`:
        its begin or its end, both where nothing is in it; empty while something else is next."""
        if self.due and self._keep is None:
            self.due = False
            return self._frame(SnapshotKind.BEGIN, now, position, 0) + self._frame(
                SnapshotKind.END, now, position, 0
            )
        if self.due:
            self.due = self._begun = False
            assert self._keep is not None
            self._reader = Reader(self._keep, position, wanted)
        reader = self._reader
        if reader is None or reader.broken:
            return b""
        if not self._begun:
            self._begun = reader.counted()
            return self._frame(SnapshotKind.BEGIN, now, position, reader.count) * self._begun
        if not reader.done():
            return b""
        self.stop()
        return self._frame(SnapshotKind.END, now, position, reader.count)

    def _frame(self, kind: SnapshotKind, now: int, position: int, count: int) -> bytes:
        edge = Snapshot(kind=kind, count=count, position=position)
        return edge.frame(source=self._source, timestamp=now)

    def piece(self, scratch: memoryview, most: int) -> memoryview:
        """What is next between the two: whole frames, about `most` bytes and no more than PIECE.
        Empty while it looks for them. `scratch` has room for any frame."""
        if self._reader is None or self._reader.broken or not self._begun:
            return scratch[:0]
        return scratch[: self._reader.take(scratch, min(most, PIECE))]

    def took(self, size: int) -> bytes:
        """The kernel took `size` bytes of that piece; the rest of the frame that this cuts."""
        assert self._reader is not None
        return self._reader.took(size)
