"""The frames of a range of a journal, in order, and as one of the files that are played.

Called by `relays journal cat`, `export` and `replay`. What is read is checked as it is read; what
is wrong is told to whoever asked, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from relays.cli.playing.message_files import Entry, MessageFile, entries_of
from relays.client.consuming import Run
from relays.core.journal.catalogue import Catalogue, Unreadable
from relays.core.journal.reading import BUFFER, Fault, Reading, between
from relays.core.journal.records import Segment

Wrong = Callable[[Fault], None]


def taken(catalogue: Catalogue, first: int, end: int, wrong: Wrong) -> Iterator[Run]:
    """The frames at positions `first` to `end` (without), as runs of a consumer."""
    buffer = bytearray(BUFFER)
    for file in catalogue.files:
        if file.until <= first or file.first >= end:
            continue
        if isinstance(file, Unreadable):
            wrong(file.fault)
            continue
        for part in _reading(file, first, end, buffer):
            if isinstance(part, Fault):
                if part.end is None or part.end > first:
                    wrong(part)
            elif part.end > first:
                begin, data = max(part.first, first), bytes(between(part, first, end))
                count = min(part.end, end) - begin
                yield Run(begin, count, data, True, False, file.header.log_id)


def _reading(segment: Segment, first: int, end: int, buffer: bytearray) -> Reading:
    """A segment from `first` on, or from where it begins if that is damaged there."""
    start = segment.begin
    with suppress(LookupError):
        start = segment.mark(max(first, segment.first))
    return Reading(replace(segment, until=min(segment.until, end)), start, buffer=buffer)


class JournalFile(MessageFile):
    """A range of a journal as a file of frames, to be played."""

    unit = "position"

    def __init__(self, path: str, catalogue: Catalogue, first: int, end: int, wrong: Wrong) -> None:
        self.path = path
        self._runs = taken(catalogue, first, end, wrong)
        self._first, self.size = first, max(end - first, 0)
        self._done = 0

    @property
    def read_bytes(self) -> int:
        """How far it is, of `size`: positions here."""
        return self._done

    def entries(self, most: int = 1) -> Iterator[Entry]:
        """Every message, numbered by its position."""
        for run in self._runs:
            for entry in entries_of(run.data, (run.position or 0) - 1, most):
                yield entry
                self._done = entry.number + entry.many - self._first

    def close(self) -> None:
        """Nothing here is open but what the catalogue's owner closes."""
