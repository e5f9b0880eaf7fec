"""The relay's journal on a played disk: its own code, but the directory, the thread and its calls.

Used by `machine`. `relays.edge.journal` decides what is written, synced, begun anew and removed;
here is what it stands on. The thread is one more thing that may go on for a step, and the machine
may die in any of its writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from protocol._core.journal import (
    BATCH,
    DUE,
    FULL,
    NONE,
    STOPPED,
    SYNC_FAILED,
    WRITE_FAILED,
    Writer,
)
from relays.core.journal.catalogue import NAME, Catalogue
from relays.core.journal.segment import Header
from relays.edge.journal.reader import BUFFER, Reader
from relays.edge.journal.writer import JournalThread
from tests.simulator.disk import Disk, File
from tests.simulator.kernel import BEGIN, Kernel

MARGIN = 1 << 20  # room a relay wants for notes: here segments are far smaller than that


_SPARE: Any = Writer.__dict__["spare"]


class Later(Exception):
    """The thread sleeps; it goes on where it was at its next step."""


class Folder:
    """`relays.edge.journal.files.Folder` on a played disk."""

    path = "journal"

    def __init__(self, disk: Disk, size: int) -> None:
        self.disk, self.file_size = disk, size
        self.next: File | None = None
        self.opened: dict[int, File] = {}

    def prepare(self) -> None:
        self.next = self.disk.allocate(self.file_size)

    def begin(self, header: Header) -> int:
        assert self.next is not None
        self.next.write(0, header.pack())
        self.next.sync()
        self.disk.files[header.name], self.next = self.next, None
        return self.open(header.name)

    def open(self, name: str) -> int:
        self.opened[len(self.opened)] = self.disk.files[name]
        return len(self.opened) - 1

    def seal(self, fd: int, record: bytes, place: int) -> None:
        self.opened[fd].write(place, record)
        self.opened[fd].sync()

    def make_sure(self, names: list[str], again: bool) -> None:
        """What can be read is on the platter."""
        for name in names:
            file = self.disk.files[name]
            if again:
                file.write(0, bytes(file.seen))
            file.sync()

    def remove(self, name: str) -> None:
        self.disk.files.pop(name, None)

    def accepted(self) -> str:
        return self.disk.accepted

    def accept(self, text: str) -> None:
        self.disk.accepted = text

    def keep_aside(self, names: list[str]) -> str:
        return "aside"

    def set_aside(self, names: list[str]) -> None:
        for name in names:
            self.remove(name)

    def release(self) -> None:
        """Nobody else wants its lock."""


class PlayedWriter(Writer):
    """The compiled writer, with `run` as one stay that the scheduler asks for."""

    folder: Folder
    kernel: Kernel

    def __init__(self, *_: Any) -> None:
        self._file: File | None = None
        self.stopping = self.wanted = False
        self._between = False

    def begin(self, fd: int, **words: int) -> None:
        self._between = False
        self._file = self.folder.opened[fd]
        super().begin(fd, **words)

    def run(self, mode: int, interval: int, until: int = 0) -> int:
        file, kernel = self._file, self.kernel
        assert file is not None
        try:
            if self._between:
                self._between = False
            elif self.take():
                for place, data in self.pieces():
                    kernel.system_call()
                    file.write(place, data)
                self.wrote(safe=mode == NONE)
                kernel.note("journal writes", self.count)
                if mode != BATCH:
                    self.tell()
                if kernel.chance.random() < 0.3:  # others go on meanwhile
                    self._between = True
                    return DUE
        except OSError:
            return WRITE_FAILED
        if self._sync_due(mode):
            kernel.system_call()
            try:
                file.sync()
            except OSError:
                return SYNC_FAILED
            self.were_synced()
            kernel.note("journal synced")
            kernel.system_call()
            self.tell()
        if self.is_full:
            return FULL
        return STOPPED if self.stopping else DUE

    def _sync_due(self, mode: int) -> bool:
        if mode == NONE:
            return self.stopping
        return mode == BATCH or self.is_full or self.stopping or self.kernel.chance.random() < 0.2

    @property
    def spare(self) -> int:
        """What the next segment has, and what a relay wants beyond that."""
        found: int = _SPARE.__get__(self)
        return found

    @spare.setter
    def spare(self, size: int) -> None:
        _SPARE.__set__(self, size + MARGIN if size else 0)

    # --- how the loop and it wake each other ---

    def committed(self, mode: int) -> None:
        """It is asked to go on now and then anyhow."""

    def want(self, mode: int) -> None:
        self.wanted = True

    def stop(self) -> None:
        self.stopping = True

    def tell(self) -> None:
        if self.wanted:
            self.wanted = False
            self.kernel.done = True

    def announce(self) -> None:
        super().announce()
        self.tell()


class Halt:
    """What the thread sleeps on: here it lets go instead."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def wait(self, _: float) -> bool:
        if not self._is_set:
            raise Later
        return True


class PlayedThread(JournalThread):
    """The writing thread, whose life is `turn` by `turn`."""

    def __init__(self, folder: Any, writer: Any, config: Any, report: Callable[..., None]) -> None:
        super().__init__(folder, writer, config, report)
        halt: Any = Halt()
        self._halt = halt
        self._sleeps = self._ended = False

    def is_alive(self) -> bool:
        return not self._ended

    def start(self) -> None:
        """The scheduler runs it."""

    def turn(self) -> None:
        """It goes on for a while, until it has ended."""
        if self._ended:
            return
        try:
            if self._sleeps:
                self._sleeps = False
                self._ended = not self._persist(self._next)
            else:
                self._ended = not self._step()
        except Later:
            self._sleeps = True


class PlayedReader(Reader):
    """The relay's reader of its journal, answering between two events of the loop."""

    def __init__(self, disk: Disk, kernel: Kernel) -> None:
        self._disk, self._kernel = disk, kernel
        self._catalogue, self._buffer = Catalogue({}), bytearray(BUFFER)

    def close(self) -> None:
        """There is no thread to end."""

    def _ask(self, question: Any, then: Any, wanted: Any, fresh: bool = False) -> None:
        def work() -> None:
            if wanted():
                then(self._answer(question, fresh))

        self._kernel.call_later(self._kernel.chance.choice([0, 0, 0.01]), work)

    def _open(self) -> None:
        self._catalogue = catalogue(self._disk)


def catalogue(disk: Disk) -> Catalogue:
    """The segments there are."""
    names = sorted(name for name in disk.files if NAME.fullmatch(name))
    return Catalogue({name: disk.files[name] for name in names})


def played(kernel: Kernel, folder: Folder) -> dict[str, dict[str, Any]]:
    """What stands where in the modules of `relays.edge.journal`, by module."""

    @contextmanager
    def opened(_: object) -> Iterator[Catalogue]:
        yield catalogue(folder.disk)

    def writer(*arguments: Any) -> PlayedWriter:
        made = PlayedWriter(*arguments)
        made.folder, made.kernel = folder, kernel
        return made

    time = SimpleNamespace(
        monotonic_ns=lambda: kernel.mono, time_ns=lambda: BEGIN + kernel.mono + kernel.wall
    )
    return {
        "start": {
            "Folder": lambda domain, config: folder, "opened": opened, "Writer": writer,
            "JournalThread": PlayedThread,
        },
        "writer": {
            "os": SimpleNamespace(close=lambda fd: None, strerror=lambda number: "it failed"),
            "time": time,
        },
    }  # fmt: skip
