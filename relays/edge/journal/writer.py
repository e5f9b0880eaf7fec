"""The thread that writes a relay's journal (relays.md 2).

Started by `relays.edge.journal.start`. It spends its life in the compiled writer, without the GIL;
here is what is rare: a segment is full, the disk has failed or has no space, old segments go.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from protocol._core.journal import (
    DUE,
    FULL,
    NONE,
    STOPPED,
    SYNC_FAILED,
    WRITE_FAILED,
    Writer,
    journal_set,
    journal_words,
)
from relays.config import RelayConfig
from relays.core.journal.catalogue import Kept, Plan, plan
from relays.core.journal.durability import MODES
from relays.core.journal.records import ENDLESS, seal
from relays.core.journal.segment import Header, head_size, packed
from relays.edge.journal.files import Folder

SECOND = 1_000_000_000
RETRY = SECOND // 4
TIDY_EVERY = 10 * SECOND
LARGEST_LIMIT = 16 << 30


class JournalThread(threading.Thread):
    """Writes until `stop`. `report(event, **fields)` may be called from this thread.

    `needed` gives the least position that somebody may still want of it, as of now. `kept` are
    the segments there are, the oldest first.
    """

    def __init__(
        self, folder: Folder, writer: Writer, config: RelayConfig, report: Callable[..., None]
    ) -> None:
        super().__init__(name="journal", daemon=True)
        self.folder, self.writer, self.config, self.report = folder, writer, config, report
        self.state = writer.state
        self.needed: Callable[[], int] = lambda: ENDLESS
        self.kept: list[Kept] = []
        self._mode = MODES[config.journal_sync]
        self._interval = round(config.journal_interval * SECOND)
        self._fd = -1
        self._header: Header | None = None
        self._said = 0  # the position that the file says to be synced, at least
        self._spare = False
        self._halt = threading.Event()
        self._tidy_at = 0
        self._failed_at = -1

    # --- before it starts ---

    def go_on(self, name: str, header: Header, count: int, chain: int, said: int) -> None:
        """Write behind the `count` records of a segment that is there, and that says that `said` is
        synced."""
        self._use(self.folder.open(name), header, count, chain, said)

    def begin(self, chain: int) -> None:
        """Write into a new segment, from where the journal is to go on. OSError when the disk has
        no space for it."""
        self.folder.prepare()
        self._begin(chain)

    def stop(self) -> None:
        """Have everything written and synced, and the thread end; does not wait for it."""
        self._halt.set()
        self.writer.stop()

    # --- the thread ---

    def run(self) -> None:
        try:
            while self._step():
                pass
        except Exception as error:  # the relay goes on, and accepts nothing more
            self._fails(f"{type(error).__name__}: {error}", -1)
        finally:
            os.close(self._fd)

    def _step(self) -> bool:
        """One stay in the compiled part; False at the end."""
        why = self.writer.run(self._mode, self._interval, self._due())
        if why in (WRITE_FAILED, SYNC_FAILED):
            call = "fdatasync" if why == SYNC_FAILED else "write"
            return self._anew(f"{call}: {os.strerror(self.writer.error)}")
        if why == FULL:
            return self._persist(self._next)
        if why == DUE:
            self._tidy()
        if why == STOPPED:
            self._seal()
        return why != STOPPED

    def _seal(self) -> None:
        """Say in the file that all of it is synced: from now on what is wrong in it is damage, and
        no torn tail. Without room, or when the disk fails, what the records say has to do; and with
        `none`, where segments before this one may never have been synced."""
        words, header = journal_words(self.state), self._header
        end, number = words["synced_position"], self.writer.count
        if (
            header is None
            or self._mode == NONE
            or not self._said < end == words["written_position"]
        ):
            return
        place, at = header.file_place(words["written_offset"]), header.record_place(number)
        if place > at:
            return
        with suppress(OSError):
            record = seal(end, place, self.writer.chain, header.checksum, time.time_ns())
            self.folder.seal(self._fd, record, at)

    def _due(self) -> int:
        """When to look after segments again; soon, where it is not as it should be."""
        if self._spare and not journal_words(self.state)["failing"]:
            return self._tidy_at
        return time.monotonic_ns() + RETRY

    def _anew(self, why: str) -> bool:
        """A file has failed and is never tried again: what is not safe goes into another. At once,
        unless the one before failed too with nothing made safe."""
        self._fails(why, self.writer.error)
        self.writer.rewind()
        safe = journal_words(self.state)["safe"]
        again, self._failed_at = safe == self._failed_at, safe
        if again and self._halt.wait(RETRY / SECOND):
            return False
        return self._persist(self._next)

    def _persist(self, step: Callable[[], None]) -> bool:
        """Try until the disk lets it; False when it was told to stop meanwhile."""
        while True:
            try:
                step()
            except OSError as error:
                self._fails(f"no new segment: {error.strerror}", error.errno or -1)
            else:
                return True
            if self._halt.wait(RETRY / SECOND):
                return False

    def _next(self) -> None:
        """Go on in a new segment: from what is safe on, so after a failure nothing is missing."""
        if not self._spare:
            with suppress(OSError):
                self._retire()  # their space may be what is missing
            self.folder.prepare()
        self._spare = False
        self.writer.spare = 0
        self._begin(self.writer.chain)
        self._tidy()

    def _begin(self, chain: int) -> None:
        words, geometry = journal_words(self.state), self.state.read_geometry()
        header = Header(
            log_id=self.state.log_id,
            log_begin=geometry["begin_position"],
            first_position=words["written_position"],
            first_offset=words["written_offset"],
            file_size=self.config.journal_segment,
            created_ns=time.time_ns(),
            synced=words["synced_position"],
            chain=chain,
            table=packed(self.writer.producers()),
        )
        self._use(self.folder.begin(header), header, 0, chain, header.synced)
        if self.kept and self.kept[-1].name == header.name:
            self.kept.pop()
        self.kept.append(Kept(header.name, header.first_position, header.file_size, time.time_ns()))

    def _use(self, fd: int, header: Header, count: int, chain: int, said: int) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._header, self._said = fd, header, said
        self.writer.begin(
            fd, header_size=header.size, file_size=header.file_size,
            first_offset=header.first_offset, seed=header.checksum, chain=chain, count=count,
        )  # fmt: skip

    # --- space ---

    def _tidy(self) -> None:
        """Old segments go, and the next one's space is taken while there is time."""
        whole = True
        for step, what in (
            (self._retire, "old segments cannot go"),
            (self._reserve, "no space for another segment"),
        ):
            try:
                step()
            except OSError as error:
                whole = False
                self._fails(f"{what}: {error.strerror}", error.errno or -1)
        if whole:
            self._recovers()
        self.writer.announce()
        self._tidy_at = time.monotonic_ns() + TIDY_EVERY

    def _reserve(self) -> None:
        if not self._spare:
            self.folder.prepare()
            self._spare = True
            size = self.config.journal_segment
            self.writer.spare = size - head_size(self.state.read_geometry()["producers"])
        self._say_size()

    def _retire(self) -> None:
        now, needed = time.time_ns(), self.needed()
        found = self._plan(now, needed)
        if found.remove:
            # What is to go is said first, so that nobody begins there from now on; then it is
            # looked again, for whoever has begun there in between keeps it.
            journal_set(self.state, oldest_position=found.oldest)
            found = self._plan(now, min(needed, self.needed()))
            journal_set(self.state, oldest_position=found.oldest)
        if found.cut:
            self.report("journal is at its hard limit", oldest=found.oldest)
        for name in found.remove:
            self.folder.remove(name)
            del self.kept[0]
        self._say_size()

    def _plan(self, now: int, needed: int) -> Plan:
        most, age = self.config.journal_bytes, round(self.config.journal_age * SECOND)
        return plan(self.kept, most, self._hard_limit(), now, age, needed)

    def _say_size(self) -> None:
        size = sum(each.size for each in self.kept) + self._spare * self.config.journal_segment
        journal_set(self.state, segments=len(self.kept), disk_bytes=size)

    def _hard_limit(self) -> int:
        if self.config.journal_hard_limit:
            return self.config.journal_hard_limit
        disk = os.statvfs(self.folder.path)
        return max(
            min(LARGEST_LIMIT, disk.f_blocks * disk.f_frsize // 2), self.config.journal_bytes
        )

    # --- what an operator should know ---

    def _fails(self, why: str, number: int) -> None:
        failing = journal_words(self.state)["failing"]
        journal_set(self.state, failures=journal_words(self.state)["failures"] + 1)
        if not failing:
            journal_set(self.state, failing=max(number, 1))
            self.report("journal cannot go on", why=why)

    def _recovers(self) -> None:
        """All is as it should be, and a file that failed is not the last thing that happened."""
        words = journal_words(self.state)
        if words["failing"] and words["safe"] != self._failed_at:
            self._failed_at = -1
            journal_set(self.state, failing=0)
            self.report("journal goes on")
