"""What a disk may have when the machine dies: all that was synced, and of the rest any pages.

Called by `tests.chaos.story` between two lives of a relay. The files are changed in place.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

from protocol.message import decode
from relays.core.journal.reading import Reading, Stretch
from relays.core.journal.records import Segment
from relays.core.journal.segment import PAGE
from relays.edge.journal.opened import opened
from tests.chaos.load import whose
from tests.harness import split


def drop_pages(folder: Path, position: int, acked: Mapping[int, int], chance: random.Random) -> int:
    """Drop pages, out of order, from `position` on and from behind what was acknowledged to
    producers; gives the position before which nothing was dropped."""
    with opened(folder) as catalogue:
        for segment in catalogue.from_position(position):
            position = max(position, _acknowledged(segment, acked))
        for segment in catalogue.from_position(position):
            drop = list(_droppable(segment, position))
            with (folder / segment.name).open("r+b") as file:
                for begin, end in drop:
                    if chance.random() < 0.5:
                        file.seek(begin)
                        file.write(bytes(end - begin))
    return position


def _acknowledged(segment: Segment, acked: Mapping[int, int]) -> int:
    """The position behind the last message here that was acknowledged, 0 for none."""
    found = 0
    for part in Reading(segment):
        if isinstance(part, Stretch):
            for position, frame in enumerate(split(bytes(part.frames)), part.first):
                producer, number = whose(decode(frame))
                if number <= acked.get(producer, 0):
                    found = position + 1
    return found


def _droppable(segment: Segment, position: int) -> Iterator[tuple[int, int]]:
    """The parts of pages, from where to where in the file, that hold nothing before `position`."""
    number, place, end = 0, segment.header.size, segment.end()
    if position > segment.first:
        number, commit = segment.find(position - 1)
        number, place = number + 1, commit.file_offset + commit.size
    for begin in range(place - place % PAGE, end.place, PAGE):
        yield max(begin, place), min(begin + PAGE, end.place)
    first, last = (segment.header.record_place(n - 1) for n in (end.number, number))
    for begin in range(first - first % PAGE, last, PAGE):
        yield max(begin, first), min(begin + PAGE, last)
