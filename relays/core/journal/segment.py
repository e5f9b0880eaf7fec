"""The header of a segment file, and where everything in it is (README.md here has the table).

Called by whoever makes or reads a segment. Frames grow upward behind the header, commit records
downward from the end of the file, so that one fdatasync covers both. No files are opened here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from protocol.checksum import crc32
from relays.errors import RelayError

MAGIC = b"ALPSEGMT"
VERSION = 1
PAGE = 4096
RECORD_SIZE = 80
SUFFIX = ".segment"
LEAST_SIZE = 64 * 1024
ENDLESS = 2**63  # no relay counts so far; beyond, sums of positions and sizes would wrap
_HEADER = struct.Struct("<8sIIQQQQQQQIII8xI")
_CHECKED = _HEADER.size - 4
_PRODUCER = struct.Struct("<QQQQ")


class SegmentError(RelayError):
    """A file that is not a segment, or whose header or table is damaged."""


class ProducerRow(NamedTuple):
    """What was known of a producer when the segment began; `seen_ns` in ns since 1970."""

    uid: int
    producer_id: int
    last_sequence: int
    seen_ns: int


@dataclass(frozen=True, slots=True)
class Header:
    """The first page of a segment, and the producer table behind it.

    `first_offset` is in bytes of the log before the segment, `log_begin` the position at which
    `log_id` began, `synced` a position up to which all was on the disk when the file was made,
    `chain` the CRC-32 of every frame byte of the log before. `table` is the producer table, packed:
    there are many segments, and few whose table is looked at.

    >>> made = Header(log_id=7, log_begin=0, first_position=10, first_offset=640, file_size=1 << 20)
    >>> Header.read(made.pack()) == made
    True
    >>> made.file_place(640), made.record_place(0)
    (4096, 1048496)
    """

    log_id: int
    log_begin: int
    first_position: int
    first_offset: int
    file_size: int
    created_ns: int = 0
    synced: int = 0
    chain: int = 0
    table: bytes = b""

    @property
    def producers(self) -> Iterator[ProducerRow]:
        """The rows of the producer table."""
        return map(ProducerRow._make, _PRODUCER.iter_unpack(self.table))

    @property
    def size(self) -> int:
        """Bytes before the first frame: a multiple of a page."""
        return head_size(len(self.table) // _PRODUCER.size)

    @property
    def name(self) -> str:
        """The file's name: its first position, so that names sort as positions do."""
        return f"{self.first_position:020d}{SUFFIX}"

    @property
    def room(self) -> int:
        """Bytes for frames and records together."""
        return self.file_size - self.size

    @property
    def checksum(self) -> int:
        """CRC-32 of the header; the checksums of the records go on from it."""
        return int.from_bytes(self._page()[_CHECKED : _HEADER.size], "little")

    def file_place(self, offset: int) -> int:
        """Where in the file the byte at `offset` of the log is."""
        return self.size + offset - self.first_offset

    def record_place(self, number: int) -> int:
        """Where in the file record `number` (0, 1 ...) begins."""
        return self.file_size - RECORD_SIZE * (number + 1)

    def pack(self) -> bytes:
        """The bytes of the file before its first frame."""
        return (self._page() + self.table).ljust(self.size, b"\0")

    def _page(self) -> bytes:
        fields = _HEADER.pack(
            MAGIC, VERSION, self.size, self.file_size, self.log_id, self.log_begin,
            self.first_position, self.first_offset, self.created_ns, self.synced, self.chain,
            len(self.table) // _PRODUCER.size, crc32(self.table), 0,
        )[:_CHECKED]  # fmt: skip
        return (fields + crc32(fields).to_bytes(4, "little")).ljust(PAGE, b"\0")

    @classmethod
    def read(cls, data: bytes) -> Header:
        """The header at the beginning of `data`; SegmentError says what is wrong with it.

        With `header_size(data)` bytes the producer table is read too; with fewer that is an error.
        """
        size = header_size(data)
        if len(data) < size:
            raise SegmentError(f"a segment's header has {size} bytes, the file {len(data)}")
        fields = _HEADER.unpack_from(data)
        table = data[PAGE : PAGE + fields[11] * _PRODUCER.size]
        if crc32(table) != fields[12]:
            raise SegmentError(
                f"the producer table is damaged: its checksum is not {fields[12]:#x}"
            )
        return cls(
            file_size=fields[3], log_id=fields[4], log_begin=fields[5], first_position=fields[6],
            first_offset=fields[7], created_ns=fields[8], synced=fields[9], chain=fields[10],
            table=table,
        )  # fmt: skip


def packed(rows: Iterable[tuple[int, int, int, int]]) -> bytes:
    """A producer table as a Header has it.

    >>> len(packed([ProducerRow(1000, 7, 99, 5)]))
    32
    """
    return b"".join(_PRODUCER.pack(*row) for row in rows)


def head_size(producers: int) -> int:
    """Bytes before the first frame of a segment, with a table of so many producers."""
    return PAGE + -(-producers * _PRODUCER.size // PAGE) * PAGE


def header_size(data: bytes) -> int:
    """Bytes of the header that begins `data` (a page of it or more); SegmentError if it is none."""
    if len(data) < PAGE:
        raise SegmentError(f"a segment has at least {PAGE} bytes, this has {len(data)}")
    fields = _HEADER.unpack_from(data)
    if fields[0] != MAGIC:
        raise SegmentError(f"not a segment: it begins with {fields[0]!r}, expected {MAGIC!r}")
    if fields[1] != VERSION:
        raise SegmentError(f"a segment of format {fields[1]}, expected {VERSION}")
    if crc32(data[:_CHECKED]) != fields[-1]:
        raise SegmentError(f"the header is damaged: its checksum is not {fields[-1]:#x}")
    wanted: int = PAGE + -(-fields[11] * _PRODUCER.size // PAGE) * PAGE
    if fields[2] != wanted or fields[3] < fields[2]:
        raise SegmentError(f"the header says {fields[2]} bytes of {fields[3]}, expected {wanted}")
    if max(fields[5:8]) >= ENDLESS:
        raise SegmentError(f"the header says position {fields[6]}, expected less than {ENDLESS}")
    return wanted
