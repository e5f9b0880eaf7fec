"""The commit records of one segment: read one by one, and searched by position, time or offset.

Called by the relay's reader of its journal and by `relays journal`. A segment's bytes come from a
`Source`, so that they may be a file, or what a test says a disk has kept. To read many frames in
order is `reading`'s; what is wrong in a segment is found there too.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from protocol._core.journal_check import Check, walk
from protocol.checksum import crc32
from relays.core.journal.segment import RECORD_SIZE, Header, SegmentError

ENDLESS = 2**64 - 1
_RECORD = struct.Struct("<6Q8I")
_CHECKED = RECORD_SIZE - 4
# Records read at once where many are looked at.
MANY = 12_800


class Source(Protocol):
    """The bytes of one segment. Less is given than asked for only where they end."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on."""

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` with the bytes from `offset` on; gives how many there were."""


class Commit(NamedTuple):
    """One record: what came with one read of one producer. `size` in bytes, times in ns, `frames`
    is how many."""

    first_position: int
    producer_id: int
    last_sequence: int
    receive_ns: int
    synced: int
    connection: int
    file_offset: int
    frames: int
    size: int
    uid: int
    pid: int
    frames_crc: int
    chain: int
    record_crc: int

    @property
    def end(self) -> int:
        """The position behind its last frame."""
        return self.first_position + self.frames


def seal(end: int, place: int, chain: int, seed: int, now_ns: int) -> bytes:
    """The record of a clean stop: no frames, of nobody; all up to position `end` is synced. `place`
    and `chain` are where frames would go on, `seed` is the header's checksum.

    >>> len(seal(2, 4224, 7, 9, 0))
    80
    """
    fields = end, 0, 0, now_ns, end, 0, place, 0, 0, 0, 0, 0, chain
    raw = _RECORD.pack(*fields, 0)[:_CHECKED]
    return raw + crc32(raw, seed).to_bytes(4, "little")


class Mark(NamedTuple):
    """Where a segment can be gone on with: record `number`, its first `position`, its first byte's
    `place` in the file, and the CRC-32 of all frames before (None where that is not known)."""

    number: int
    position: int
    place: int
    chain: int | None


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of a journal. It counts up to position `until`, where the next one begins.

    >>> segment.locate(1_000_000)                                             # doctest: +SKIP
    67108864
    """

    name: str
    header: Header
    source: Source
    until: int = ENDLESS
    # The header's checksum, from which that of each record goes on; kept, for it takes a while.
    seed: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", self.header.checksum)

    @property
    def first(self) -> int:
        """Its first position."""
        return self.header.first_position

    @property
    def size(self) -> int:
        """Bytes of its file."""
        return self.source.size

    @property
    def begin(self) -> Mark:
        """Where its first commit begins."""
        head = self.header
        return Mark(0, head.first_position, head.size, head.chain)

    @property
    def slots(self) -> int:
        """The most records that it could have: some have no frames."""
        return self.header.room // RECORD_SIZE

    @property
    def first_slot(self) -> int:
        """The number of the first record whose place the file has: 0 unless it was cut short."""
        return -(-max(self.header.file_size - self.source.size, 0) // RECORD_SIZE)

    def record(self, number: int) -> Commit | None:
        """Record `number`; None where there is none, or a damaged one."""
        if number < self.first_slot:
            return None
        raw = self.source.read(self.header.record_place(number), RECORD_SIZE)
        if len(raw) < RECORD_SIZE or not any(raw):
            return None
        found = Commit._make(_RECORD.unpack(raw))
        good = crc32(raw[:_CHECKED], self.seed) == found.record_crc
        return found if good else None

    def find(self, position: int) -> tuple[int, Commit]:
        """The number and the record of the commit with the message at `position`.

        LookupError when the segment has no good record of it.
        """
        if position < self.until:
            for number in self._lasts(lambda commit: commit.first_position <= position):
                commit = self.record(number)
                if commit is not None and position < commit.end:
                    return number, commit
        raise LookupError(f"{self.name} has no good record of position {position}")

    def mark(self, position: int) -> Mark:
        """Where the commit with `position` begins; LookupError as `find`."""
        number, commit = self.find(position)
        return Mark(number, commit.first_position, commit.file_offset, None)

    def before(self, position: int) -> Mark:
        """Where the last good commit that is not behind `position` begins; the segment's begin for
        none."""
        found = self.begin
        for number in self._lasts(lambda commit: commit.first_position <= position):
            if (commit := self.record(number)) is not None:
                found = Mark(number, commit.first_position, commit.file_offset, None)
        return found

    def at_offset(self, offset: int) -> tuple[int, Commit]:
        """The number and the record of the commit with byte `offset` of the log.

        LookupError when the segment has no good record of it.
        """
        place = self.header.file_place(offset)
        for number in self._lasts(lambda commit: commit.file_offset <= place):
            commit = self.record(number)
            if commit is not None and place < commit.file_offset + commit.size:
                return number, commit
        raise LookupError(f"{self.name} has no good record of byte {offset} of the log")

    def since(self, time_ns: int) -> int:
        """The position of the first commit received at `time_ns` or later; the end if none was.

        Where the clock was set back it is a position in its neighbourhood.
        """
        found = self.header.first_position
        for number in self._lasts(lambda commit: commit.receive_ns < time_ns):
            commit = self.record(number)
            found = commit.end if commit else found
        return min(found, self.until)

    def locate(self, position: int) -> int:
        """The offset in the log of the frame at `position`.

        LookupError when there is no good record of it, SegmentError when its frames are damaged.
        """
        _, commit = self.find(position)
        frames = self.source.read(commit.file_offset, commit.size)
        try:
            inside = walk(frames, position - commit.first_position)
        except ValueError as error:
            raise SegmentError(f"{self.name}, byte {commit.file_offset}: {error}") from None
        return commit.file_offset + inside - self.header.size + self.header.first_offset

    def end(self) -> Mark:
        """Behind the last of the good records, which are without a hole from what is synced on.

        Only records are looked at: `reading` looks at frames too, and names what is wrong.
        """
        start = self.begin
        number = self._bisected(-1, self.slots, lambda commit: True)
        if (last := self.record(number) if number >= 0 else None) is not None:
            synced = min(max(last.synced, self.header.synced), last.end)
            start = Mark(number, last.first_position, last.file_offset, None)
            with suppress(LookupError):
                start = self.mark(synced - 1) if synced > self.begin.position else self.begin
        check = self.check(start)
        while check.slots and not (check.done or check.fault):
            check.skim(self.records(check.number, check.slots))
        return Mark(check.number, check.position, check.place, check.chain)

    def check(self, start: Mark, *, checksums: bool = False) -> Check:
        """A check that goes on from `start`."""
        return Check(
            seed=self.seed,
            room=self.header.file_size,
            position=start.position,
            place=start.place,
            chain=start.chain or 0,
            chained=start.chain is not None,
            number=start.number,
            until=self.until,
            synced=self.header.synced,
            checksums=checksums,
        )

    def records(self, first: int, count: int) -> bytes:
        """The bytes of at most `count` records from `first` on, as in the file: that one last.

        What a file that was cut short does not have is zeros.
        """
        end = self.header.record_place(first) + RECORD_SIZE
        size = min(count, MANY) * RECORD_SIZE
        there = end - size < self.source.size
        return (self.source.read(end - size, size) if there else b"").ljust(size, b"\0")

    def _lasts(self, before: Callable[[Commit], bool]) -> Iterator[int]:
        """The number of the last good record that is `before` what is looked for.

        Bisected. Damaged records and lost pages may lead that astray, to one too early: who is not
        content with a number is given the next one, as long as there is another.
        """
        low, high = -1, self.slots
        while True:
            low = self._bisected(low, high, before)
            if low >= 0:
                yield low
            behind = self._next_good(low + 1, high)
            if behind is None or not before(behind[1]):
                return
            low = behind[0]

    def _bisected(self, low: int, high: int, before: Callable[[Commit], bool]) -> int:
        while high - low > 1:
            middle = (low + high) // 2
            commit = self.record(middle)
            if commit is not None and before(commit):
                low = middle
            else:
                high = middle
        return low

    def _next_good(self, number: int, high: int) -> tuple[int, Commit] | None:
        if number < high and (commit := self.record(number)) is not None:
            return number, commit
        there = max(number, self.first_slot)
        check = self.check(Mark(there, 0, self.header.size, None))
        while check.number < high:
            records = self.records(check.number, high - check.number)
            if check.search(records):
                commit = self.record(check.number)
                return (check.number, commit) if commit else None
            if records == bytes(len(records)):
                return None  # what so much of is empty is the end, not damage
        return None
