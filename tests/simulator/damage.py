"""A bit of the disk flips, below what is recorded as synced: which, and what is unreadable then.

Used by `machine`, between two lives of a relay. Damage there must be reported, and nothing but the
commit it is in may be missing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from relays.core.journal.catalogue import Catalogue
from relays.core.journal.records import Commit, Segment
from tests.simulator.disk import Disk

RECORD = 80
FRAME = 32


def damage(disk: Disk, catalogue: Catalogue, known: int, chance: random.Random) -> range | None:
    """Flip one bit of one commit; its positions. None where no commit is old enough. Positions from
    `known` on are left alone: no record says that they are synced, or nobody what they have."""
    found = [
        (segment, number, commit)
        for segment in catalogue.segments
        for number, commit in _commits(segment)
        if commit.frames and commit.end <= min(known, segment.until)
    ]
    if not found:
        return None
    segment, number, commit = chance.choice(found)
    place, size = commit.file_offset, commit.size
    # The newest file's records say what its producers said last, and up to where it is synced.
    if segment is not catalogue.segments[-1] and chance.random() < 0.5:
        place, size = segment.header.record_place(number), RECORD
    disk.files[segment.name].flip(place + chance.randrange(size), chance.randrange(8))
    return range(commit.first_position, commit.end)


def _commits(segment: Segment) -> Iterator[tuple[int, Commit]]:
    number = 0
    while (commit := segment.record(number)) is not None:
        yield number, commit
        number += 1
