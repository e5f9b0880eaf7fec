"""A journal's directory and its segments, opened to be read; nothing in here writes.

Called by the relay, when it starts and for its history, and by `relays journal`. Needs no lock: a
relay may be writing the same files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from relays.core.journal.catalogue import NAME, Catalogue
from relays.errors import RelayError

MUCH = 1 << 18


class SegmentFile:
    """A segment as a `relays.core.journal.records.Source`. OSError when it cannot be read.

    >>> with open(os.devnull, "rb") as file:
    ...     SegmentFile(file.fileno()).read(0, 10)
    b''
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @property
    def size(self) -> int:
        """How many bytes there are now."""
        return os.fstat(self._descriptor).st_size

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on."""
        if size >= MUCH and offset:
            # Records are read towards the beginning, where the kernel does not read ahead.
            before = max(offset - size, 0)
            os.posix_fadvise(self._descriptor, before, offset - before, os.POSIX_FADV_WILLNEED)
        return os.pread(self._descriptor, size, offset)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` with the bytes from `offset` on; gives how many there were."""
        return os.preadv(self._descriptor, [buffer], offset)


@contextmanager
def opened(folder: Path) -> Iterator[Catalogue]:
    """The segments in a directory. RelayError (66, 77) when it, or one of them, cannot be read."""
    with ExitStack() as stack:
        files = {}
        try:
            for path in sorted(folder.iterdir()):
                # What retention removes meanwhile is not there any more.
                with suppress(FileNotFoundError):
                    if NAME.fullmatch(path.name):
                        file = stack.enter_context(path.open("rb", buffering=0))
                        files[path.name] = SegmentFile(file.fileno())
            catalogue = Catalogue(files)
        except OSError as error:
            code = os.EX_NOPERM if isinstance(error, PermissionError) else os.EX_NOINPUT
            text = f"{error.filename or folder} cannot be read: {error.strerror or error}"
            raise RelayError(text, code) from None
        yield catalogue
