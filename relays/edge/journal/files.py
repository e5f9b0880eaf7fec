"""The directory of one relay's journal, for the one who writes it: its lock, its segment files.

Called by `relays.edge.journal.start` and by the writing thread. What is in the files is
`relays.core.journal`'s business; to read them, `opened`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Sequence
from pathlib import Path

from relays.config import RelayConfig
from relays.core.journal.segment import Header
from relays.edge.journal.places import journal_folder
from relays.edge.listener import Lock, prepare_directory

FILE_MODE = 0o640
NEXT = "next.segment"
ASIDE = "aside-{}"
ACCEPTED = "accepted-damage"
PIECE = 1 << 20
# So many directories may have been made for a journal, one in the other.
MADE = 3


class Folder:
    """One relay's journal directory, locked while this lives. RelayError: in use (69), not to be
    trusted or made (77)."""

    def __init__(self, domain: str, config: RelayConfig) -> None:
        self.path = journal_folder(domain, config)
        self.file_size = config.journal_segment
        prepare_directory(str(self.path), config.gid)
        for each in self.path.parents[:MADE]:
            with contextlib.suppress(OSError):  # a directory that is not ours was there before
                _settle(each)
        self._lock: Lock | None = Lock(self.path / "lock")

    def release(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def keep_locked(self) -> None:
        """Somebody whom the disk holds up may still write: it is locked until the process ends."""
        self._lock = None

    def prepare(self) -> None:
        """See that the next segment's space is there. OSError when the disk has none."""
        path = self.path / NEXT
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
        try:
            os.posix_fallocate(fd, 0, self.file_size)
            os.ftruncate(fd, self.file_size)
        except OSError:
            path.unlink()
            raise
        finally:
            os.close(fd)

    def begin(self, header: Header) -> int:
        """Make the prepared file the segment of `header`, for good; gives its descriptor."""
        path = self.path / NEXT
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            page = header.pack()
            if os.pwrite(fd, page, 0) < len(page):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fdatasync(fd)
            os.rename(path, self.path / header.name)
            _settle(self.path)
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)  # of a bad place on the disk nothing is tried again
            raise
        return fd

    def open(self, name: str) -> int:
        """The descriptor of a segment that is to be gone on with."""
        return os.open(self.path / name, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)

    def seal(self, fd: int, record: bytes, place: int) -> None:
        """Write a segment's last record for now, and sync it. OSError when the disk fails."""
        os.pwrite(fd, record, place)
        os.fdatasync(fd)

    def make_sure(self, names: Sequence[str], again: bool) -> None:
        """See that what can be read of segments is on the disk, and not only in memory. OSError
        when it cannot be. `again`: it may have been synced in vain, after which the kernel takes
        for written what is not; so it is written again."""
        for name in names:
            fd = self.open(name)
            try:
                for place in range(0, os.fstat(fd).st_size if again else 0, PIECE):
                    os.pwrite(fd, os.pread(fd, PIECE, place), place)
                os.fdatasync(fd)
            finally:
                os.close(fd)

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path / name)

    def accepted(self) -> str:
        """What `accept` was given last; "" for nothing, or what nobody wrote."""
        try:
            return (self.path / ACCEPTED).read_text(errors="replace")
        except OSError:
            return ""

    def accept(self, text: str) -> None:
        """Remember that this damage was accepted; a disk that does not let it is asked again."""
        path = self.path / ACCEPTED
        new = path.with_name(f"{ACCEPTED}.new")
        with contextlib.suppress(OSError):
            new.write_text(text)
            os.rename(new, path)

    def keep_aside(self, names: list[str]) -> Path:
        """Give segments that count no more a second name, in a folder of their own; gives it."""
        place = self.path / ASIDE.format(time.time_ns())
        place.mkdir(mode=0o750)
        for name in names:
            os.link(self.path / name, place / name)
        _settle(place)
        _settle(self.path)
        return place

    def set_aside(self, names: list[str]) -> None:
        """Take their first name from segments that have a second one; the newest goes first, so
        that what is left is a journal, however far this comes."""
        for name in sorted(names, reverse=True):
            self.remove(name)
        _settle(self.path)


def _settle(place: Path) -> None:
    """What was named or renamed in this directory survives the machine's death."""
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
