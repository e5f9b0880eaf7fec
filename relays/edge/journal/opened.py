"""A journal's directory and its segments, opened to be read; nothing in here writes.

Called by the relay, when it starts and for its history, and by `relays journal`. Needs no lock: a
relay may be writing the same files.
"""

from __future__ import annotations

import errno
import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from relays.core.journal.catalogue import NAME, Catalogue
from relays.errors import RelayError

MUCH = 1 << 18
PAGE = 4096
# A journal may have more segments than a process may have files open.
MOST_OPEN = 32


class Gone(LookupError, RelayError):
    """A segment was removed since its directory was looked at: by retention."""

    exit_code = os.EX_NOINPUT


class Descriptors:
    """Files open for reading, the ones used last; the others are opened again when needed."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, int] = OrderedDict()

    def of(self, path: Path) -> int:
        """The descriptor of a file, until another one is asked for. Gone when it is no more."""
        if path not in self._open:
            if len(self._open) >= MOST_OPEN:
                os.close(self._open.popitem(last=False)[1])
            try:
                self._open[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                raise Gone(f"{path} was removed while it was to be read") from None
        self._open.move_to_end(path)
        return self._open[path]

    def close(self) -> None:
        """Close them all."""
        while self._open:
            os.close(self._open.popitem()[1])


class SegmentFile:
    """A segment as a `relays.core.journal.records.Source`. OSError when it cannot be read; but
    pages that the disk has lost are 0xff, with which no record, frame or header is right: damage.

    >>> SegmentFile(Path(os.devnull), Descriptors()).read(0, 10)
    b''
    """

    def __init__(self, path: Path, descriptors: Descriptors) -> None:
        self._path, self._descriptors = path, descriptors
        self.size = os.fstat(descriptors.of(path)).st_size

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on."""
        descriptor = self._descriptors.of(self._path)
        if size >= MUCH and offset:
            # Records are read towards the beginning, where the kernel does not read ahead.
            before = max(offset - size, 0)
            os.posix_fadvise(descriptor, before, offset - before, os.POSIX_FADV_WILLNEED)
        try:
            return os.pread(descriptor, size, offset)
        except OSError as error:
            found = bytearray(size)
            return bytes(found[: self._salvaged(error, offset, memoryview(found))])

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` with the bytes from `offset` on; gives how many there were."""
        descriptor = self._descriptors.of(self._path)
        try:
            return os.preadv(descriptor, [buffer], offset)
        except OSError as error:
            return self._salvaged(error, offset, buffer)

    def _salvaged(self, error: OSError, offset: int, buffer: memoryview) -> int:
        """Page by page what can be read."""
        if error.errno != errno.EIO:
            raise error
        descriptor, end = self._descriptors.of(self._path), min(offset + len(buffer), self.size)
        for page in range(offset - offset % PAGE, end, PAGE):
            begin = max(page, offset)
            piece = buffer[begin - offset : min(page + PAGE, end) - offset]
            try:
                os.preadv(descriptor, [piece], begin)
            except OSError:
                piece[:] = b"\xff" * len(piece)
        return max(end - offset, 0)


@contextmanager
def opened(folder: Path) -> Iterator[Catalogue]:
    """The segments in a directory. RelayError (66, 77) when it, or one of them, cannot be read."""
    with closing(Descriptors()) as descriptors:
        try:
            catalogue = _catalogue(folder, descriptors)
        except OSError as error:
            code = os.EX_NOPERM if isinstance(error, PermissionError) else os.EX_NOINPUT
            text = f"{error.filename or folder} cannot be read: {error.strerror or error}"
            raise RelayError(text, code) from None
        yield catalogue


def _catalogue(folder: Path, descriptors: Descriptors) -> Catalogue:
    while True:
        # What retention removes meanwhile is not there the next time.
        with suppress(Gone):
            paths = [path for path in sorted(folder.iterdir()) if NAME.fullmatch(path.name)]
            return Catalogue({path.name: SegmentFile(path, descriptors) for path in paths})
