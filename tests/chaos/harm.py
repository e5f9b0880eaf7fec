"""What may become of a journal on a disk that says nothing of it: a byte of what was safe is
another, or a file is shorter than it was.

Called by `tests.chaos.story` while the relay is dead.
"""

from __future__ import annotations

import random
from pathlib import Path

from relays.core.journal.recovery import CHECKED, recover
from relays.core.journal.segment import RECORD_SIZE
from relays.edge.journal.opened import opened

HEADER = 96
KINDS = ("frames", "record", "header", "cut")


class Harm:
    """One file of the journal in `folder` harmed, by chance; `undo` makes it what it was."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        with opened(folder) as catalogue:
            # Of these a relay looks at the frames when it starts; and that something is safe is
            # said by the records behind it.
            first, safe = catalogue.segments[-CHECKED:][0].first, recover(catalogue).synced
            position = chance.randrange(first, max(first + 1, (first + safe) // 2))
            segment = catalogue.segment(position)
            number, commit = segment.find(position)
            record = segment.header.record_place(number)
        self.path, self.kind = folder / segment.name, chance.choice(KINDS)
        self._whole = self.path.read_bytes()
        begin, size = {
            "frames": (commit.file_offset, commit.size), "header": (0, HEADER),
            "record": (record, RECORD_SIZE), "cut": (0, len(self._whole)),
        }[self.kind]  # fmt: skip
        self.at = begin + chance.randrange(size)
        self.path.write_bytes(self._harmed(chance.randrange(1, 256)))

    def _harmed(self, flip: int) -> bytes:
        before, byte = self._whole[: self.at], self._whole[self.at]
        if self.kind == "cut":
            return before
        return before + bytes([byte ^ flip]) + self._whole[self.at + 1 :]

    def undo(self) -> None:
        """Nothing has happened."""
        self.path.write_bytes(self._whole)

    def __str__(self) -> str:
        return f"{self.path.name}: {self.kind} at byte {self.at}"
