"""The segments of a journal's directory, in order: what they have, of which log, and which may go.

Called by `recovery`, by the relay for its history and its retention, and by `relays journal`. What
the directory holds is handed in as names and `Source`s. Whether the bytes are good is not looked at
here, beyond the headers.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from relays.core.journal.reading import Fault
from relays.core.journal.records import ENDLESS, Mark, Segment, Source
from relays.core.journal.segment import PAGE, SUFFIX, Header, SegmentError, header_size

NAME = re.compile(rf"(\d{{20}}){re.escape(SUFFIX)}")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A segment whose header is damaged: nothing of it counts. `first` is what its name says."""

    name: str
    first: int
    until: int
    reason: str
    size: int

    @property
    def fault(self) -> Fault:
        """What is missing for it. It is damage: a file has its name only with a header in it."""
        end = None if self.until == ENDLESS else self.until
        return Fault(self.name, 0, self.first, end, self.reason, Mark(0, self.first, 0, None), True)


@dataclass(frozen=True, slots=True)
class Lineage:
    """The positions `begin` to `end` that the log `log_id` alone has had; the last one's end is
    open. What lies before its begin it shares with the one before."""

    log_id: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Which files may go, the oldest first, and the least position kept then. `cut` is True when
    that is above a position that was still needed."""

    remove: tuple[str, ...]
    oldest: int
    cut: bool


class Kept(NamedTuple):
    """A file, as retention sees it: its first position, its bytes, when it was made."""

    name: str
    first: int
    size: int
    made_ns: int


class Catalogue:
    """The segments of one directory, the oldest first, each up to where the next one begins.

    >>> Catalogue({}).oldest
    0
    """

    def __init__(self, files: Mapping[str, Source]) -> None:
        opened = sorted((int(match[1]), name) for name in files if (match := NAME.fullmatch(name)))
        self.files: list[Segment | Unreadable] = []
        for number, (first, name) in enumerate(opened, 1):
            until = opened[number][0] if number < len(opened) else ENDLESS
            self.files.append(_open(name, first, until, files[name]))
        self.segments = [each for each in self.files if isinstance(each, Segment)]
        self._begins = [each.first for each in self.segments]

    @property
    def oldest(self) -> int:
        """The first position there is a segment for."""
        return self._begins[0] if self._begins else 0

    def segment(self, position: int) -> Segment:
        """The segment that `position` belongs to; LookupError for none."""
        number = bisect_right(self._begins, position) - 1
        if number < 0 or position >= self.segments[number].until:
            raise LookupError(f"no segment has position {position}")
        return self.segments[number]

    def from_position(self, position: int) -> Iterator[Segment]:
        """The segments that have `position` and what follows."""
        return (each for each in self.segments if each.until > position)

    def since(self, time_ns: int) -> int:
        """The position of the first message received at `time_ns` or later; the end if none was.

        As `Segment.since`: about so where the clock was set back.
        """
        number = bisect_right(self.segments, time_ns - 1, key=_received) - 1
        return self.segments[number].since(time_ns) if number >= 0 else self.oldest

    def lineage(self) -> list[Lineage]:
        """The logs whose positions these are, the oldest first."""
        found: list[Lineage] = []
        for header in (each.header for each in self.segments):
            if found and found[-1].log_id == header.log_id:
                continue
            if found:
                found[-1] = Lineage(found[-1].log_id, found[-1].begin, header.log_begin)
            found.append(Lineage(header.log_id, header.log_begin, ENDLESS))
        return found

    def continues(self, log_id: int, position: int) -> bool:
        """Whether who had log `log_id` up to `position` may go on there and has missed nothing.

        So it is in the log that goes on now, and in one before up to where the next one began.
        """
        ends = [each.end for each in self.lineage() if each.log_id == log_id]
        return bool(ends) and self.oldest <= position <= ends[-1]

    def plan(
        self,
        *,
        most: int,
        hard_limit: int,
        now_ns: int,
        age_ns: int = 0,
        needed: int = ENDLESS,
    ) -> Plan:
        """Which files retention removes: `most` and `hard_limit` in bytes, 0 is no limit of age.

        From the oldest on, never the newest: what is more than `most` or older than `age_ns`, but
        nothing from position `needed` on, unless all are more than `hard_limit`.
        """
        return plan(self.kept, most, hard_limit, now_ns, age_ns, needed)

    @property
    def kept(self) -> list[Kept]:
        """What retention has to know of each file."""
        return [Kept(each.name, each.first, each.size, _made(each)) for each in self.files]


def plan(
    files: Sequence[Kept], most: int, hard_limit: int, now_ns: int, age_ns: int, needed: int
) -> Plan:
    """As `Catalogue.plan`, of files that are not open."""
    total, remove = sum(each.size for each in files), []
    oldest, cut = files[0].first if files else 0, False
    for each, following in pairwise(files):
        begin = following.first
        over_hard = total > hard_limit
        old = bool(age_ns) and following.made_ns + age_ns < now_ns
        if not (over_hard or ((total > most or old) and begin <= needed)):
            break
        remove.append(each.name)
        total -= each.size
        oldest, cut = begin, begin > needed
    return Plan(tuple(remove), oldest, cut)


def _open(name: str, first: int, until: int, source: Source) -> Segment | Unreadable:
    try:
        page = source.read(0, PAGE)
        size = header_size(page)
        if size > source.size:
            raise SegmentError(f"the file ends in its header, at byte {source.size}")
        header = Header.read(page if size <= PAGE else source.read(0, size))
        if header.first_position != first:
            raise SegmentError(f"the header says position {header.first_position}, not {first}")
    except SegmentError as error:
        return Unreadable(name, first, until, str(error), source.size)
    return Segment(name, header, source, until)


def _received(segment: Segment) -> int:
    """When the first commit of a segment was received, or the segment made."""
    commit = segment.record(0)
    return commit.receive_ns if commit else segment.header.created_ns


def _made(each: Segment | Unreadable) -> int:
    """When a file was made, ns; who cannot say is never the reason that another is too old."""
    return each.header.created_ns if isinstance(each, Segment) else ENDLESS
