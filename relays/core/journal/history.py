"""What the journal has at a position, for those whom the log has left behind (relays.md 5).

Called by the relay's reader, in its own thread. Nothing is kept here between two calls.
"""

from __future__ import annotations

from typing import NamedTuple

from relays.core.journal.catalogue import Catalogue
from relays.core.journal.reading import Fault, Reading, Stretch, between
from relays.core.journal.records import Segment
from relays.core.journal.segment import SegmentError


class Part(NamedTuple):
    """Whole frames from byte `offset` of the log on, the first one at `position`; all good.
    `received_ns` is when the first of them came."""

    position: int
    offset: int
    frames: memoryview
    received_ns: int

    def holds(self, offset: int) -> bool:
        """Whether byte `offset` of the log is in it."""
        return self.offset <= offset < self.offset + len(self.frames)


class Missing(NamedTuple):
    """Damaged up to `position`, byte `offset` of the log; there it goes on."""

    position: int
    offset: int


def part(catalogue: Catalogue, position: int, buffer: bytearray) -> Part | Missing:
    """What follows from `position` on, as much as fits into `buffer`, one commit at least.

    Raises LookupError where it is before all segments, or in none yet.

    >>> part(Catalogue({}), 0, bytearray(4096))
    Traceback (most recent call last):
    LookupError: no segment has position 0
    """
    try:
        segment = catalogue.segment(position)
    except LookupError:
        return _following(catalogue, position)
    try:
        number, commit = segment.find(position)
    except LookupError:
        return _behind_damage(catalogue, segment, position)
    start = segment.begin._replace(
        number=number, position=commit.first_position, place=commit.file_offset, chain=None
    )
    for found in Reading(segment, start, buffer=buffer):
        if isinstance(found, Fault):
            break
        return _part(segment, found, position, start.place, commit.receive_ns)
    return _behind_damage(catalogue, segment, position)


def locate(catalogue: Catalogue, position: int) -> int | Missing:
    """The offset in the log of the frame at `position`, or where it goes on behind damage.

    Raises LookupError as `part`.
    """
    try:
        segment = catalogue.segment(position)
    except LookupError:
        return _following(catalogue, position)
    try:
        return segment.locate(position)
    except (LookupError, SegmentError):
        return _behind_damage(catalogue, segment, position)


def _part(segment: Segment, found: Stretch, position: int, place: int, received_ns: int) -> Part:
    skipped = len(between(found, found.first, position))
    offset = segment.header.first_offset + place - segment.header.size + skipped
    frames = bytes(between(found, position, found.end))  # the buffer is used again
    return Part(position, offset, memoryview(frames), received_ns)


def _behind_damage(catalogue: Catalogue, segment: Segment, position: int) -> Missing:
    """Where it goes on behind something damaged; LookupError when it does not, or not yet."""
    for found in Reading(segment, segment.before(position)):
        if isinstance(found, Stretch) and found.first > position:
            return Missing(found.first, segment.locate(found.first))
    return _following(catalogue, position)


def _following(catalogue: Catalogue, position: int) -> Missing:
    """The next segment, behind one that ends in damage or has no good header."""
    following = next((each for each in catalogue.segments if each.first > position), None)
    if following is None or position < catalogue.files[0].first:
        raise LookupError(f"no segment has position {position}")
    return Missing(following.first, following.header.first_offset)
