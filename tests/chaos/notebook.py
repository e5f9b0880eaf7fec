"""What clients saw, written down so that it outlives them: a process killed at any moment leaves
whole records, and the next one with the same notebook goes on where it ended.

Written by `tests.chaos.producer` and `tests.chaos.consumer`, read by `tests.chaos.checker`.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

SENT = struct.Struct("<QQ")
ENTRY = struct.Struct("<QQQQ")
# What an entry is: a message, a Gap, where this consumer goes on, or the log that follows.
MESSAGE, GAP, NEXT, LOG = range(4)


class Entry(NamedTuple):
    """MESSAGE: position, producer, number; GAP: first, last, reason; NEXT: position, log_id, 0;
    LOG: log_id, 0, 0."""

    kind: int
    one: int
    two: int
    three: int


class Sent:
    """A producer's notebook: the last number it gave to the client, the last acknowledged."""

    def __init__(self, path: Path) -> None:
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def note(self, number: int, acked: int) -> None:
        os.pwrite(self.file, SENT.pack(number, acked), 0)

    @staticmethod
    def read(path: Path) -> tuple[int, int]:
        """The last number and the last acknowledged, 0 before there are any."""
        written = path.read_bytes() if path.exists() else b""
        number, acked = SENT.unpack(written.ljust(SENT.size, b"\0"))
        return number, acked


class Seen:
    """A consumer's notebook. What was cut when its last writer died is cut off."""

    def __init__(self, path: Path) -> None:
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.ftruncate(self.file, _whole(os.fstat(self.file).st_size))

    def note(self, entries: Iterable[Entry]) -> None:
        data = b"".join(ENTRY.pack(*entry) for entry in entries)
        assert os.write(self.file, data) == len(data)

    def next(self) -> tuple[int, int] | None:
        """Where to go on: position and log_id, as of the last entry that says so."""
        end = os.fstat(self.file).st_size
        while end >= ENTRY.size:
            end -= ENTRY.size
            entry = Entry(*ENTRY.unpack(os.pread(self.file, ENTRY.size, end)))
            if entry.kind == NEXT:
                os.ftruncate(self.file, end + ENTRY.size)  # what follows is had again
                return entry.one, entry.two
        os.ftruncate(self.file, 0)
        return None

    @staticmethod
    def read(path: Path) -> Iterator[Entry]:
        """Every entry, the oldest first."""
        data = path.read_bytes() if path.exists() else b""
        return (Entry(*row) for row in ENTRY.iter_unpack(data[: _whole(len(data))]))

    @staticmethod
    def where(path: Path) -> tuple[int, int]:
        """Position and log_id after what was written last; cheap enough to ask often."""
        with path.open("rb") as file:
            size = _whole(os.fstat(file.fileno()).st_size)
            file.seek(max(0, size - ENTRY.size))
            row = file.read(ENTRY.size)
        entry = Entry(*ENTRY.unpack(row)) if len(row) == ENTRY.size else Entry(MESSAGE, 0, 0, 0)
        return (entry.one, entry.two) if entry.kind == NEXT else (0, 0)


def _whole(size: int) -> int:
    return size - size % ENTRY.size
