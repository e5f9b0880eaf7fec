"""The state of instruments for those who come late (relays.md 3, Snapshot).

Called by `relays.core.session` after Welcome and after every Gap of a session that asked for it.
Content is not kept yet: a snapshot begins and ends with a count of 0, so that clients written now
need no change when it is.
"""

from __future__ import annotations

from protocol.control import Snapshot, SnapshotKind


def frames(position: int, stamp: dict[str, int]) -> list[bytes]:
    """The frames of a snapshot that ends where the feed goes on, at `position`."""
    return [Snapshot(kind=kind, count=0, position=position).frame(**stamp) for kind in SnapshotKind]
