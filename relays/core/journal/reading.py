"""A segment read in order: its good stretches, and what is wrong between them.

Called by `recovery`, by the relay's reader of its journal, and by `relays journal`. Frames are read
into one buffer, which is used again: new memory for each read costs more than the check. What a
fault means, a torn tail or damage, is `recovery`'s to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from protocol._core.journal_check import BAD_FRAMES, NO_RECORD, Check, walk
from relays.core.journal.records import ENDLESS, MANY, Mark, Segment
from relays.core.journal.segment import RECORD_SIZE

BUFFER = 1 << 20
FEW = 200


class Stretch(NamedTuple):
    """Positions `first` to `end` (without), all good. `records` are theirs, as in the file (the
    first one last), and `frames`, until the next stretch is asked for; empty where only records
    are read."""

    first: int
    end: int
    records: memoryview
    frames: memoryview


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong at byte `offset` of `file`, which makes positions `first` to `end` (without)
    unreadable; `end` is None where nothing good follows. `mark` is where it was good up to.

    `certain`: no write that the machine's death cut short can have left it.
    """

    file: str
    offset: int
    first: int
    end: int | None
    reason: str
    mark: Mark
    certain: bool = False

    def __str__(self) -> str:
        if self.end is None:
            what = f"position {self.first} and what follows"
        elif self.end == self.first:
            what = f"no position is lost, before {self.first}"
        elif self.end - self.first == 1:
            what = f"position {self.first}"
        else:
            what = f"positions {self.first} to {self.end - 1}"
        return f"{self.file}, byte {self.offset}: {self.reason}: {what}"


class Reading:
    """What a segment has, from `start` (its begin) on, in order: stretches and faults.

    With `frames` the checksums of frames and the chain are checked, with `checksums` that of each
    frame too. `mark` and `synced` say how far it has come, and which position its records say to
    be synced; `done` is the number of bytes gone over.

    >>> for part in Reading(segment):                                         # doctest: +SKIP
    ...     print(part.first, part.end)
    """

    def __init__(
        self,
        segment: Segment,
        start: Mark | None = None,
        *,
        frames: bool = True,
        checksums: bool = False,
        buffer: bytearray | None = None,
    ) -> None:
        self.segment = segment
        self._with_frames, self._checksums = frames, checksums
        self._check = self._from(start or segment.begin)
        self._buffer = bytearray(BUFFER) if buffer is None and frames else buffer or bytearray()
        self._at, self._filled = 0, 0
        self._records, self._first, self._many = memoryview(b""), 0, FEW
        self._whole = segment.source.size >= segment.header.file_size
        self.synced = segment.header.synced

    @property
    def mark(self) -> Mark:
        """Behind the last commit that was gone over."""
        check = self._check
        return Mark(
            check.number, check.position, check.place, check.chain if check.chained else None
        )

    @property
    def done(self) -> int:
        """Bytes of frames gone over so far."""
        return self._check.place - self.segment.header.size

    def __iter__(self) -> Iterator[Stretch | Fault]:
        while not self._check.done and self._check.slots:
            before = self.mark
            self._go()
            self.synced = max(self.synced, self._check.synced)
            if self._check.number > before.number:
                yield self._stretch(before)
            if self._check.fault >= BAD_FRAMES:
                yield self._bad_frames(self._check.reason)
            elif self._check.fault:
                fault, more = self._bad_record()
                if fault is not None:
                    yield fault
                if not more:
                    return
            elif self._check.need and not self._fill():
                yield self._bad_frames("the file ends before the frames do")

    def _from(self, mark: Mark) -> Check:
        return self.segment.check(mark, checksums=self._checksums)

    # --- forward ---

    def _go(self) -> None:
        records = self._following()
        if self._with_frames:
            frames = memoryview(self._buffer)[: self._filled]
            self._check.run(frames, self._at, records)
        else:
            self._check.skim(records)

    def _following(self) -> memoryview:
        """Records from the next one on, as they are in the file: that one last."""
        number = self._check.number
        taken = (number - self._first) * RECORD_SIZE
        if not self._first <= number or taken >= len(self._records):
            count = min(self._check.slots, self._many)
            self._records = memoryview(self.segment.records(number, count))
            self._first, taken = number, 0
            # Few at first: not everybody wants more than the next frames.
            self._many = min(4 * self._many, MANY)
            if self.segment.until == ENDLESS:
                # It may be written meanwhile: frames that were read before may be older.
                self._filled = 0
        return self._records[: len(self._records) - taken]

    def _fill(self) -> bool:
        """Frames from the next commit's on; False when the file has not all of that commit's."""
        place, need = self._check.place, self._check.need
        if place + need > self.segment.source.size:
            return False
        if need > len(self._buffer):
            self._buffer = bytearray(need)
        self._at, self._filled = place, 0
        self._filled = self.segment.source.read_into(place, memoryview(self._buffer))
        return self._filled >= need

    def _stretch(self, before: Mark) -> Stretch:
        check, size = self._check, len(self._records)
        begin, end = (size - (n - self._first) * RECORD_SIZE for n in (check.number, before.number))
        frames = memoryview(b"")
        if self._with_frames:
            frames = memoryview(self._buffer)[before.place - self._at : check.place - self._at]
        until = min(check.position, self.segment.until)
        return Stretch(before.position, until, self._records[begin:end], frames)

    # --- what is wrong ---

    def _bad_frames(self, reason: str) -> Fault:
        """A commit whose record is good goes by."""
        mark, place = self.mark, self._check.fault_place
        self._check.step_over()
        return self._made(place, mark, self._check.position, reason)

    def _bad_record(self) -> tuple[Fault | None, bool]:
        """What is wrong, None when that is only the end; and whether it goes on behind it."""
        check, mark = self._check, self.mark
        place, reason, empty = check.fault_place, check.reason, check.fault == NO_RECORD
        if self._search():
            if self._now_good(mark):
                return None, True
            return self._made(place, mark, self._check.position, reason), True
        self._check = self._from(mark)
        if empty and self.segment.until == ENDLESS and self._whole:
            return None, False
        return self._made(place, mark, None, reason), False

    def _search(self) -> bool:
        there = self.segment.first_slot
        if self._check.number < there:
            self._check = self._from(self.mark._replace(number=there, chain=None))
        while self._check.slots:
            if self._check.search(self._following()):
                return True
        return False

    def _now_good(self, mark: Mark) -> bool:
        """Whether the record at `mark` is there by now: the relay is writing this file."""
        again = self._from(mark)
        if not again.skim(self.segment.records(mark.number, 1)):
            return False
        self._check, self._records, self._filled = self._from(mark), memoryview(b""), 0
        return True

    def _made(self, place: int, mark: Mark, end: int | None, reason: str) -> Fault:
        segment = self.segment
        if not self._whole:
            has, wanted = segment.source.size, segment.header.file_size
            reason = f"{reason} (the file has {has} of its {wanted} bytes)"
        if segment.until != ENDLESS:
            end = segment.until if end is None else min(end, segment.until)
        return Fault(segment.name, place, mark.position, end, reason, mark, not self._whole)


def between(stretch: Stretch, first: int, end: int) -> memoryview:
    """The frames of a stretch at positions `first` to `end` (without), as far as it has them."""
    begin = walk(stretch.frames, max(first - stretch.first, 0))
    length = walk(stretch.frames, min(end, stretch.end) - stretch.first)
    return stretch.frames[begin:length]
