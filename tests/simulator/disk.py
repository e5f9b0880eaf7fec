"""A disk that keeps what was synced, and of the rest whatever it likes; a bit of it may flip.

Used by `journaling`. What is written is seen at once by whoever reads (the page cache), and is on
the platter after a sync that worked. After a sync that failed the kernel takes the pages for clean:
what they held is never written. When the machine dies each page that was not synced is kept or
lost by itself, out of order, so a write may be torn anywhere.
"""

from __future__ import annotations

import errno
import random

PAGE = 4096
# Of unsynced pages this many survive, by what the machine's death happens to be like.
SURVIVE = (0.0, 0.2, 0.5, 0.9, 1.0)


class File:
    """One segment file: as it is seen, and as the platter has it."""

    def __init__(self, disk: Disk, size: int) -> None:
        self._disk, self.size = disk, size
        self.seen, self.platter = bytearray(size), bytearray(size)
        self._dirty: set[int] = set()

    def write(self, place: int, data: bytes) -> None:
        """OSError as the disk likes; then perhaps a part of it is there."""
        if self._disk.fails():
            data = data[: self._disk.chance.randrange(len(data) + 1)]
            self._put(place, data)
            raise OSError(errno.EIO, "the disk does not write")
        self._put(place, data)

    def _put(self, place: int, data: bytes) -> None:
        self.seen[place : place + len(data)] = data
        if data:
            self._dirty.update(range(place // PAGE, (place + len(data) - 1) // PAGE + 1))

    def sync(self) -> None:
        """OSError as the disk likes: then what was not on the platter never gets there."""
        pages, self._dirty = sorted(self._dirty), set()
        if self._disk.fails():
            raise OSError(errno.EIO, "the disk does not sync")
        for page in pages:
            self._keep(page)

    def _keep(self, page: int) -> None:
        at = page * PAGE
        self.platter[at : at + PAGE] = self.seen[at : at + PAGE]

    def lose_power(self, survive: float) -> None:
        for page in sorted(self._dirty):
            if self._disk.chance.random() < survive:
                self._keep(page)
        self._dirty.clear()
        self.seen[:] = self.platter

    def flip(self, place: int, bit: int) -> None:
        """One bit of a byte is another one from now on."""
        for data in (self.seen, self.platter):
            data[place] ^= 1 << bit

    # --- as relays.core.journal.records.Source ---

    def read(self, offset: int, size: int) -> bytes:
        return bytes(self.seen[offset : offset + size])

    def read_into(self, offset: int, buffer: memoryview) -> int:
        found = self.seen[offset : offset + len(buffer)]
        buffer[: len(found)] = found
        return len(found)


class Disk:
    """The files of one journal by name. `full`: there is no space for another; `weak`: how often
    a call fails; `held`: nothing comes back from it for a while."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.files: dict[str, File] = {}
        self.full = self.held = False
        self.weak = 0.0
        self.accepted = ""  # of its damage, by an operator

    def fails(self) -> bool:
        return bool(self.weak) and self.chance.random() < self.weak

    def allocate(self, size: int) -> File:
        """Space for one more file. OSError when there is none."""
        if self.full or self.fails():
            raise OSError(errno.ENOSPC, "no space on the disk")
        return File(self, size)

    def lose_power(self) -> None:
        """The machine dies: what counts from now on is what the platter has."""
        survive = self.chance.choice(SURVIVE)
        for file in self.files.values():
            file.lose_power(survive)
