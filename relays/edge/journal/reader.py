"""The reader of the journal, for consumers that are behind what the log keeps (relays.md 5).

Made by `relays.edge.relay`. It reads in a thread of its own, so that a slow disk holds up nobody
but those who wait for it; the loop gets whole frames. What is read is `relays.core.journal`'s.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from relays.core.journal.catalogue import Catalogue
from relays.core.journal.history import Missing, Part, locate, part
from relays.core.journal.segment import SegmentError
from relays.edge.journal.opened import opened
from relays.errors import RelayError

BUFFER = 256 * 1024
Answer = TypeVar("Answer")
Wanted = Callable[[], bool]


class Reader:
    """Answers questions about a journal's directory, one after the other, to callbacks that are
    called by the loop. One that is not `wanted` any more when its turn comes is passed over: who
    asks and goes, again and again, keeps nobody waiting."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._loop = folder, asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="history")
        self._files = ExitStack()
        self._catalogue = Catalogue({})
        self._buffer = bytearray(BUFFER)

    def close(self) -> None:
        """Answer nobody any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def part(
        self, position: int, then: Callable[[Part | Missing | None], None], wanted: Wanted
    ) -> None:
        """What follows from `position` on; None when no segment has it."""
        self._ask(lambda catalogue: part(catalogue, position, self._buffer), then, wanted)

    def locate(
        self, position: int, then: Callable[[int | Missing | None], None], wanted: Wanted
    ) -> None:
        """The offset in the log of the frame at `position`; None when no segment has it."""
        self._ask(lambda catalogue: locate(catalogue, position), then, wanted)

    def since(self, time_ns: int, then: Callable[[int | None], None], wanted: Wanted) -> None:
        """The position of the first message received at `time_ns` or later."""
        self._ask(lambda catalogue: catalogue.since(time_ns), then, wanted, fresh=True)

    def _ask(
        self,
        question: Callable[[Catalogue], Answer],
        then: Callable[[Answer | None], None],
        wanted: Wanted,
        fresh: bool = False,
    ) -> None:
        def work() -> None:
            if not wanted():
                return
            answer: Answer | None = None
            try:
                answer = self._answer(question, fresh)
            except OSError as error:
                os.write(2, f"the journal cannot be read: {error}\n".encode())
            self._loop.call_soon_threadsafe(then, answer)

        self._thread.submit(work)

    # --- in the thread ---

    def _answer(self, question: Callable[[Catalogue], Answer], fresh: bool) -> Answer | None:
        """By the segments that were open, or, where those do not have it, that are there now."""
        for again in (fresh, True):
            if again:
                self._open()
            try:
                answer = question(self._catalogue)
            except (LookupError, SegmentError):
                continue
            # What is damaged in a segment may be whole in one that was begun for it since.
            if again or not isinstance(answer, Missing):
                return answer
        return None

    def _open(self) -> None:
        self._files.close()
        self._catalogue = Catalogue({})
        try:
            self._catalogue = self._files.enter_context(opened(self._folder))
        except RelayError as error:
            os.write(2, f"{error}\n".encode())
