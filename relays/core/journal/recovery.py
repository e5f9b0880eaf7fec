"""What a relay starts from when it finds a journal: its end, its producers, what is wrong.

Called by the relay once, before it accepts anything, and by `relays journal ls`. Nothing is written
here, and nothing is decided beyond the journal's own rules (README.md here, "Recovery"): whether a
relay starts on damage, and which log_id goes on, is the relay's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

from protocol._core.journal_check import learn_producers
from relays.core.journal.catalogue import Catalogue, Unreadable
from relays.core.journal.reading import BUFFER, Fault, Reading, Stretch
from relays.core.journal.records import ENDLESS, Mark, Segment

Producers = dict[tuple[int, int], tuple[int, int]]
# The frames of so many segments are checked, the newest; of others only records are.
CHECKED = 2
# Where in a header the chain is.
CHAIN_AT = 72


@dataclass(frozen=True, slots=True)
class Recovered:
    """A journal as it was found.

    `position`, `offset` (bytes of the log) and `chain` are of its end: what comes next has that
    position. `log_id` and `log_begin` are of its last log, None and 0 where there is no segment.
    `synced` is the highest position that is recorded as synced. `producers` is (uid, producer_id)
    to (last sequence, ns it was last heard of). `torn` is the tail that was cut, `seen` the highest
    position that was found, in it too; `damage` is what is missing before. `aside` are the files
    that must get other names before anything is written: what they hold does not count any more.
    `unsynced` are the files that have something which no record calls synced: what was read of them
    may be in the page cache only. `last` and `mark` say where writing can go on in the last
    segment, if it is whole and its log goes on; else a new segment begins at `position`, in the
    place of an empty one of that name.

    >>> recover(Catalogue({})).position
    0
    """

    position: int = 0
    offset: int = 0
    chain: int = 0
    oldest: int = 0
    synced: int = 0
    log_id: int | None = None
    log_begin: int = 0
    producers: Producers = field(default_factory=dict)
    torn: Fault | None = None
    seen: int = 0
    damage: tuple[Fault, ...] = ()
    aside: tuple[str, ...] = ()
    unsynced: tuple[str, ...] = ()
    last: Segment | None = None
    mark: Mark | None = None


@dataclass(slots=True, eq=False)
class _Looked:
    """One file, gone over: where it ends, what is wrong, what its records call synced."""

    file: Segment | Unreadable
    faults: list[Fault]
    mark: Mark
    synced: int
    with_frames: bool
    producers: Producers | None = None


class Depth(NamedTuple):
    """How much of a journal is checked: the frames of `every` segment, `checksums` of each frame
    too. `progress` is told how many bytes of the files are done, and of how many."""

    every: bool = False
    checksums: bool = False
    progress: Callable[[int, int], None] = lambda done, total: None


AT_START = Depth()


def recover(catalogue: Catalogue, depth: Depth = AT_START) -> Recovered:
    """Find where a journal ends, what is wrong in it, and its table of producers.

    Every record is checked, and the frames of the newest segments and of all that may be torn.
    """
    if not catalogue.files:
        return Recovered()
    looked, buffer = [], bytearray(BUFFER)
    total, done = sum(file.size for file in catalogue.files), 0
    for number, file in enumerate(catalogue.files):
        frames = depth.every or number >= len(catalogue.files) - CHECKED
        looked.append(_look(file, buffer, frames=frames, checksums=depth.checksums))
        done += file.size
        depth.progress(done, total)
    synced = max(each.synced for each in looked)
    for number, each in enumerate(looked):
        if each.mark.position > synced and not each.with_frames:
            looked[number] = _look(each.file, buffer, frames=True, checksums=depth.checksums)
    if depth.every:
        _compare_chains(looked)
    faults = [fault for each in looked for fault in each.faults]
    torn = next((fault for fault in faults if fault.first >= synced and not fault.certain), None)
    if torn is not None:
        faults = faults[: faults.index(torn)]
    return _ended(looked, torn, tuple(faults), synced)


def _look(
    file: Segment | Unreadable, buffer: bytearray, *, frames: bool, checksums: bool = False
) -> _Looked:
    if isinstance(file, Unreadable):
        return _Looked(file, [file.fault], file.fault.mark, 0, True)
    reading = Reading(file, frames=frames, checksums=checksums, buffer=buffer)
    faults, table = [], _table(file) if file.until == ENDLESS else None
    for part in reading:
        if isinstance(part, Fault):
            faults.append(part)
        elif table is not None:
            learn_producers(part.records, table)
    return _Looked(file, faults, reading.mark, reading.synced, frames, table)


def _compare_chains(looked: list[_Looked]) -> None:
    """The header of a segment has the chain that the one before ended with."""
    for before, each in pairwise(looked):
        mark, file = before.mark, each.file
        if not isinstance(file, Segment) or mark.position != file.first:
            continue
        if mark.chain not in (None, file.header.chain):
            first, reason = file.first, f"its chain is not that with which {before.file.name} ends"
            fault = Fault(file.name, CHAIN_AT, first, first, reason, file.begin, certain=True)
            each.faults.insert(0, fault)


def _ended(
    looked: list[_Looked], torn: Fault | None, damage: tuple[Fault, ...], synced: int
) -> Recovered:
    """The result, once it is known what is torn and what is damaged."""
    names = [each.file.name for each in looked]
    counted = looked[: names.index(torn.file) + 1] if torn else looked
    last = counted[-1]
    mark = torn.mark if torn else last.mark
    position = mark.position if torn else max(mark.position, synced)
    if position > mark.position and not last.faults:
        reason = f"the records end here, although position {position} is recorded as synced"
        last.faults.append(
            Fault(names[-1], mark.place, mark.position, position, reason, mark, True)
        )
        damage = (*damage, *last.faults)
    found = Recovered(
        position=position,
        synced=synced,
        torn=torn,
        seen=max(position, *(each.mark.position for each in looked)),
        damage=damage,
        aside=tuple(each.file.name for each in looked if _in_the_way(each, position)),
    )
    good = [(each.file, each) for each in counted if isinstance(each.file, Segment)]
    if not good:
        return found
    segment, at = good[-1]
    end, whole = mark if torn else at.mark, at is last and not last.faults
    table = at.producers if whole else None
    return replace(
        found,
        log_id=segment.header.log_id,
        log_begin=segment.header.log_begin,
        offset=segment.header.first_offset + end.place - segment.header.size,
        chain=end.chain or 0,
        oldest=good[0][0].header.first_position,
        producers=producers(segment, position) if table is None else table,
        unsynced=tuple(file.name for file, each in good if each.mark.position > synced),
        last=segment if whole else None,
        mark=end if whole else None,
    )


def _in_the_way(each: _Looked, position: int) -> bool:
    """Whether a file would count beside the one that begins at `position`, or be lost to it."""
    return each.file.first > position or (each.file.first == position and bool(each.faults))


def producers(segment: Segment, position: int) -> Producers:
    """The relay's table of producers at a position in, or right behind, a segment; also what the
    good records of damaged frames say."""
    table = _table(segment)
    for part in Reading(replace(segment, until=position), frames=False):
        if isinstance(part, Stretch):
            learn_producers(part.records, table)
    return table


def _table(segment: Segment) -> Producers:
    """The table that a segment begins with."""
    return {(row.uid, row.producer_id): row[2:] for row in segment.header.producers}
