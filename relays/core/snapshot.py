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

    >>> said = Snapshots(None, 20).frames(0, 7, None, memoryview(b""))
    >>> Snapshot.decode(said).position, len(said)
    (7, 96)
    """

    __slots__ = ("_count", "_keep", "_reader", "_source", "due")

    def __init__(self, keep: Keep | None, source: int) -> None:
        self._keep, self._source = keep, source
        self._reader: Reader | None = None
        self._count = 0
        self.due = True

    @property
    def busy(self) -> bool:
        """Whether something of a snapshot is still to be written before the feed goes on."""
        return self.due or self._reader is not None

    @property
    def overrun(self) -> bool:
        """What the rest of it needs is gone: more changed meanwhile than there is memory for."""
        return self._reader is not None and self._reader.broken

    def frames(self, now: int, position: int, wanted: Filter | None, scratch: memoryview) -> bytes:
        """What is written next of a snapshot that ends where the feed goes on, at `position`:
        whole frames, about PIECE bytes. `scratch` has room for any frame."""
        head = tail = b""
        if self.due:
            self.stop()
            head = self._begin(now, position, wanted)
        if self.overrun:
            return head
        size = 0
        if self._reader is not None:
            size = self._reader.take(scratch, PIECE)
        if self._reader is None or self._reader.done:
            self._reader = None
            tail = self._edge(SnapshotKind.END, now, position)
        return head + scratch[:size] + tail

    def _begin(self, now: int, position: int, wanted: Filter | None) -> bytes:
        self.due, self._count = False, 0
        if self._keep is not None:
            self._reader = Reader(self._keep, position, wanted)
            self._count = self._reader.count
        return self._edge(SnapshotKind.BEGIN, now, position)

    def _edge(self, kind: SnapshotKind, now: int, position: int) -> bytes:
        edge = Snapshot(kind=kind, count=self._count, position=position)
        return edge.frame(source=self._source, timestamp=now)

    def stop(self) -> None:
        """Nothing more of it is written: what was kept for it may go."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
