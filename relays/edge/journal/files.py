"""The directory of one relay's journal: where it is, its lock, its segment files.

Called by `relays.edge.journal.start`, by the writing thread and by `relays journal`. What is in the
files is `relays.core.journal`'s business.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path

from relays.config import RelayConfig
from relays.config.keys import DEFAULT_RUNTIME_DIR
from relays.core.journal.catalogue import NAME, Catalogue
from relays.core.journal.segment import Header
from relays.edge.listener import Lock, prepare_directory

FILE_MODE = 0o640
NEXT = "next.segment"
ASIDE = "aside-{}"


def journal_home(config: RelayConfig, environ: Mapping[str, str] = os.environ) -> Path:
    """The directory of all journals: `journal_dir`, else a state directory that survives a boot,
    else, for who chose a runtime directory of his own, a folder in that.

    >>> from relays.config import load
    >>> own = load("execution", environ={}, flags={"runtime_dir": "/srv/relays"}).config
    >>> str(journal_home(own, {}))
    '/srv/relays/journal'
    """
    if config.journal_dir:
        return Path(config.journal_dir)
    if environ.get("STATE_DIRECTORY"):
        return Path(environ["STATE_DIRECTORY"].split(":")[0], "journal")
    if config.runtime_dir != DEFAULT_RUNTIME_DIR:
        return Path(config.runtime_dir, "journal")
    if os.geteuid() == 0:
        return Path("/var/lib/alphapulse/journal")
    state = environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(state, "alphapulse", "journal")


class FileSource:
    """The bytes of a segment file (a `relays.core.journal.records.Source`)."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        self.size = os.fstat(self._fd).st_size

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._fd, size, offset)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        return os.preadv(self._fd, [buffer], offset)

    def __del__(self) -> None:
        if hasattr(self, "_fd"):
            os.close(self._fd)


def open_catalogue(folder: Path) -> Catalogue:
    """The segments of a directory, for reading: needs no lock and disturbs nobody."""
    names = [name for name in os.listdir(folder) if NAME.fullmatch(name)]
    sources = {}
    for name in names:
        # Retention may have removed it since.
        with contextlib.suppress(FileNotFoundError):
            sources[name] = FileSource(folder / name)
    return Catalogue(sources)


class Folder:
    """One relay's journal directory, locked while this lives. RelayError: in use (69), not to be
    trusted or made (77)."""

    def __init__(self, domain: str, config: RelayConfig) -> None:
        self.path = journal_home(config) / domain
        self.file_size = config.journal_segment
        prepare_directory(str(self.path), config.gid)
        self._lock = Lock(self.path / "lock")

    def release(self) -> None:
        self._lock.release()

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
            os.pwrite(fd, header.pack(), 0)
            os.fdatasync(fd)
            os.rename(path, self.path / header.name)
            self._settle()
        except OSError:
            os.close(fd)
            raise
        return fd

    def open(self, name: str) -> int:
        """The descriptor of a segment that is to be gone on with."""
        return os.open(self.path / name, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path / name)

    def set_aside(self, names: list[str]) -> Path:
        """Move segments that count no more into a folder of their own; gives it."""
        place = self.path / ASIDE.format(time.time_ns())
        place.mkdir(mode=0o750)
        for name in names:
            os.rename(self.path / name, place / name)
        self._settle()
        return place

    def _settle(self) -> None:
        """What was named or renamed here survives the machine's death."""
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
