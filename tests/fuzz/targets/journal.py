"""Recovery of a journal, after anything was done to its files: also with every checksum right.

An input is a list of edits to a journal of small segments (`EDIT`): fields of headers and of
records, whose checksums are made right again, frames with and without, bytes, pages, lengths.
Whatever comes of it, recovery ends, and says of every position that it is good, or why not.
"""

from __future__ import annotations

import struct
import zlib
from functools import cache

from relays.core.journal import reading, recovery
from relays.core.journal.catalogue import Catalogue
from relays.core.journal.reading import Fault, Reading, Stretch
from relays.core.journal.records import ENDLESS, Segment
from relays.core.journal.recovery import Depth, producers, recover
from relays.core.journal.segment import SegmentError
from tests.fuzz.target import Target, exact, whole
from tests.journal.handmade import PAGE, RECORD, Disk, Journal, commits, copied, journal

EDIT = struct.Struct("<BBHQ")
MOST_EDITS = 12
BUFFER = 256
SIZE = 3 * PAGE
RECORD_FIELDS = [(at, 8) for at in range(0, 48, 8)] + [(at, 4) for at in range(48, 76, 4)]
HEADER_FIELDS = [(8, 4), (12, 4), *((at, 8) for at in range(16, 72, 8)), (72, 4), (76, 4), (80, 4)]
HEADER_CHECKED, RECORD_CHECKED = 92, 76
DEEP = Depth(every=True, checksums=True)
EDITS = ("record", "frames", "raw", "cut", "drop", "header", "copy", "page")


class Strict(Disk):
    """A file whose bytes are given in allocations of their size."""

    def read(self, offset: int, size: int) -> bytes:
        assert offset >= 0
        assert size >= 0
        return bytes(exact(super().read(offset, size)))


@cache
def base() -> Journal:
    return journal(commits(40), SIZE)


class Edited:
    """The files of a journal, and what can be done to them: `name`, `where`, `value` of an edit."""

    def __init__(self) -> None:
        self.files = copied(base().files)

    def edit(self, kind: int, which: int, where: int, value: int) -> None:
        if self.files:
            name = sorted(self.files)[which % len(self.files)]
            getattr(self, EDITS[kind % len(EDITS)])(name, where, value)

    def record(self, name: str, where: int, value: int) -> None:
        at, size = RECORD_FIELDS[where >> 8 & 15] if where >> 8 & 15 < 13 else RECORD_FIELDS[0]
        begin = self._place(name, where & 255)
        self._put(name, begin + at, value, size)
        self._seal_record(name, begin)

    def frames(self, name: str, where: int, value: int) -> None:
        """Bytes of a commit's frames; the record agrees with them if `value` is odd."""
        begin = self._place(name, where & 255)
        data = self.files[name].data
        place, _, size = struct.unpack_from("<III", data[begin : begin + RECORD].ljust(RECORD), 48)
        self._put(name, place + (where >> 8), value, 4)
        frames = bytes(data[place : place + size])
        if value & 1:
            self._put(name, begin + 68, zlib.crc32(frames), 4)
            self._seal_record(name, begin)

    def raw(self, name: str, where: int, value: int) -> None:
        self._put(name, where, value, 8)

    def cut(self, name: str, where: int, _: int) -> None:
        del self.files[name].data[where:]

    def drop(self, name: str, where: int, _: int) -> None:
        del self.files[name]

    def header(self, name: str, where: int, value: int) -> None:
        """A field of the header, and every record after it if `where` says so."""
        at, size = HEADER_FIELDS[where & 15 if where & 15 < len(HEADER_FIELDS) else 0]
        self._put(name, at, value, size)
        data = self.files[name].data
        self._put(name, HEADER_CHECKED, zlib.crc32(bytes(data[:HEADER_CHECKED])), 4)
        for number in range(40 if where & 256 else 0):
            begin = self._place(name, number)
            if any(data[begin : begin + RECORD]):
                self._seal_record(name, begin)

    def copy(self, name: str, where: int, value: int) -> None:
        """A record to the place of another."""
        data, begin, to = self.files[name].data, self._place(name, where), self._place(name, value)
        if to + RECORD <= len(data):
            data[to : to + RECORD] = data[begin : begin + RECORD].ljust(RECORD, b"\0")

    def page(self, name: str, where: int, _: int) -> None:
        """A page that was never written."""
        data, begin = self.files[name].data, where % 3 * PAGE
        data[begin : begin + PAGE] = bytes(len(data[begin : begin + PAGE]))

    def _place(self, name: str, number: int) -> int:
        return SIZE - RECORD * (number % 40 + 1)

    def _put(self, name: str, at: int, value: int, size: int) -> None:
        data = self.files[name].data
        if at + size <= len(data):
            data[at : at + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")

    def _seal_record(self, name: str, begin: int) -> None:
        data = self.files[name].data
        seed = int.from_bytes(data[HEADER_CHECKED : HEADER_CHECKED + 4], "little")
        crc = zlib.crc32(bytes(data[begin : begin + RECORD_CHECKED]), seed)
        self._put(name, begin + RECORD_CHECKED, crc, 4)


def run(data: bytes) -> None:
    # A small one is filled again and again, and costs nothing.
    for module in (reading, recovery):
        vars(module)["BUFFER"] = BUFFER
    edited = Edited()
    for kind, which, where, value in EDIT.iter_unpack(data[: len(data) - len(data) % EDIT.size]):
        edited.edit(kind, which, where, value)
    catalogue = Catalogue({name: Strict(disk.data) for name, disk in edited.files.items()})
    found = recover(catalogue)
    if not data:
        assert (found.position, found.damage, found.torn) == (base().position, (), None)
    for fault in recover(catalogue, DEEP).damage + found.damage:
        assert str(fault)
        assert fault.end is None or fault.end >= fault.first
    assert found.seen >= found.position >= 0
    for segment in catalogue.segments:
        _read(segment)
        _ask(segment)
    catalogue.lineage()


def _read(segment: Segment) -> None:
    """Every position is in a stretch or in a fault, one after the other."""
    position: int | None = segment.first
    for part in Reading(segment, checksums=True):
        assert part.first == position
        if isinstance(part, Fault):
            assert part.end is None or part.end >= part.first
        else:
            _is_good(part, segment)
        position = part.end


def _is_good(part: Stretch, segment: Segment) -> None:
    frames = list(whole(bytes(part.frames)))
    assert sum(map(len, frames)) == len(part.frames)
    assert len(frames) == part.end - part.first or part.end == segment.until
    assert all(zlib.crc32(one[32:], zlib.crc32(one[:28])) == int.from_bytes(one[28:32], "little")
               for one in frames)  # fmt: skip


def _ask(segment: Segment) -> None:
    """Each question has an answer, or that there is none."""
    end = segment.end().position
    for position in (segment.first, (segment.first + end) // 2, end, ENDLESS):
        for question in (segment.find, segment.locate, segment.mark):
            try:
                question(position)
            except (LookupError, SegmentError):
                continue
    for offset in (segment.header.first_offset, segment.header.first_offset + 500):
        try:
            segment.at_offset(offset)
        except LookupError:
            continue
    segment.since(5000)
    producers(segment, end)


def seeds() -> list[bytes]:
    """Each kind of edit by itself, with some values that are likely to matter."""
    values = (0, 1, 2**32 - 1, 2**63, 2**64 - 1, 4096, 200)
    wheres = (0, 3, 0x100, 0x203, 0x603, 0x702, 0x807, 0x100A)
    return [b""] + [
        EDIT.pack(kind, which, where, values[(kind + which + number) % len(values)])
        for kind in range(len(EDITS))
        for which in range(3)
        for number, where in enumerate(wheres)
    ]


TARGET = Target(run, seeds, largest=MOST_EDITS * EDIT.size)
