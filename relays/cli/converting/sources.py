"""Recordings as `relays convert` reads them: files unpacked, lines bounded, records in their order.

Called by `relays.cli.convert`. What lines mean is the adapters' business, where frames go that of
the command; nothing is written here.
"""

import gzip
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from relays.adapters.adapter import LONGEST_LINE, Adapter, Record
from relays.adapters.kinds import KINDS
from relays.errors import RelayError

# Lines between two looks at how far the files are read.
TICK_LINES = 1_024
BUFFER = 1 << 16
DAMAGED = (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
Tick = Callable[[], None]


class Placed(NamedTuple):
    """A record, whose it is, and where its line stands among those of the same time."""

    record: Record
    source: "Source"
    order: tuple[int, int]


@dataclass
class Source:
    """One recording: where it is, its bytes, and the adapter that reads its lines; `last` is for
    whoever looks at the times."""

    path: Path
    raw: io.FileIO
    adapter: Adapter
    size: int
    last: int = 0

    @property
    def read_bytes(self) -> int:
        """How much of the file has been read, as it lies on the disk; 0 for a pipe."""
        if self.raw.closed:
            return self.size
        return self.raw.tell() if self.raw.seekable() else 0

    def records(self, tick: Tick) -> Iterator[Placed]:
        """Every record. RelayError (65, 66) when the file cannot be read on."""
        adapter = self.adapter
        try:
            with _lines(self.path, self.raw) as lines:
                for number, line in enumerate(lines, 1):
                    if not number % TICK_LINES:
                        tick()
                    for record in adapter.convert(line):
                        yield Placed(record, self, adapter.order)
        except DAMAGED as error:
            raise RelayError(f"{self.path} is damaged: {error}", os.EX_DATAERR) from None
        except OSError as error:
            raise _unreadable(self.path, error) from None


@contextmanager
def opened(kind: str, path: Path, options: dict[str, Any]) -> Iterator[Source]:
    """A recording and its adapter; RelayError when there is none of this kind there."""
    try:
        raw = path.open("rb", buffering=0)
    except OSError as error:
        raise _unreadable(path, error) from None
    with raw:
        size = os.fstat(raw.fileno()).st_size
        yield Source(path, raw, KINDS[kind](path, **options), size)


def refuse_repeated(sources: Sequence[Source]) -> None:
    """RelayError (64) when two are one file: every message would be there twice."""
    seen: dict[tuple[int, int], Path] = {}
    for source in sources:
        status = os.fstat(source.raw.fileno())
        other = seen.setdefault((status.st_dev, status.st_ino), source.path)
        if other is not source.path:
            raise RelayError(f"{other} and {source.path} are the same file", os.EX_USAGE)


@contextmanager
def _lines(path: Path, raw: io.FileIO) -> Iterator[Iterator[str]]:
    """The lines of a file, unpacked by its suffix."""
    with ExitStack() as stack:
        data: Any = stack.enter_context(io.BufferedReader(raw, BUFFER))
        if path.suffix == ".gz":
            data = stack.enter_context(gzip.GzipFile(fileobj=data))
        elif path.suffix == ".zip":
            data = _member(path, data, stack)
        # A carriage return is no end of a line, and what is no UTF-8 is for the adapter to count.
        text = io.TextIOWrapper(data, encoding="utf-8", errors="replace", newline="\n")
        yield _bounded(stack.enter_context(text))


def _bounded(text: io.TextIOWrapper) -> Iterator[str]:
    """The lines; of one that is too long as much as shows the adapter that it is."""
    read = partial(text.readline, LONGEST_LINE + 1)
    for line in iter(read, ""):
        yield line
        while len(line) > LONGEST_LINE and line[-1] != "\n":
            line = read()


def _member(path: Path, data: Any, stack: ExitStack) -> Any:
    """The only file in an archive."""
    try:
        archive = stack.enter_context(zipfile.ZipFile(data))
        names = [name for name in archive.namelist() if not name.endswith("/")]
        if len(names) == 1:
            return stack.enter_context(archive.open(names[0]))
    except RuntimeError as error:  # encrypted, or packed in a way that is not known
        raise RelayError(f"{path} cannot be unpacked: {error}", os.EX_DATAERR) from None
    raise RelayError(f"{path} has {len(names)} files in it, expected one", os.EX_DATAERR)


def _unreadable(path: Path, error: OSError) -> RelayError:
    code = os.EX_NOPERM if isinstance(error, PermissionError) else os.EX_NOINPUT
    return RelayError(f"{path} cannot be read: {error.strerror or error}", code)
