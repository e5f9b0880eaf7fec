"""A disk of which is known what was synced, and what it may have when the machine dies.

Called by `tests.chaos.stage`, which puts the library of disk.c before the relay, and by
`tests.chaos.story` between two lives of a relay.
"""

from __future__ import annotations

import random
import subprocess
import sysconfig
from pathlib import Path

SOURCE = Path(__file__).with_name("disk.c")
PAGE = 4096
PARTS = (0.03, 0.5, 1.0)


class Disk:
    """The disk of the segments in `journal`; `prefix` goes before the relay's command."""

    def __init__(self, folder: Path, journal: Path) -> None:
        self.journal, self.synced = journal, folder / "synced"
        self.synced.mkdir()
        library = folder / "disk.so"
        compiler = sysconfig.get_config_var("CC").split()[0]
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"]
        subprocess.run(command, check=True)
        self.prefix = ("env", f"LD_PRELOAD={library}", f"CHAOS_DISK={self.synced}")

    def lose_power(self, chance: random.Random) -> int:
        """Each page that was not synced since it was written is on the disk, or is what it was
        before, by chance; gives how many were lost. At times all are, or few."""
        lost, part = 0, chance.choice(PARTS)
        for path in sorted(self.journal.glob("*.segment")):
            there, kept = path.read_bytes(), self._kept(path)
            pages = [there[at : at + PAGE] for at in range(0, len(there), PAGE)]
            for number in range(len(pages)):
                old = kept[number * PAGE : (number + 1) * PAGE]
                if pages[number] != old and chance.random() < part:
                    pages[number] = old
                    lost += 1
            left, copy = b"".join(pages), self._copy(path)
            if not copy.exists():  # nor is its length on the disk
                left = left[: chance.randrange(len(left) + 1)]
            path.write_bytes(left)
            copy.write_bytes(left)
        return lost

    def _kept(self, path: Path) -> bytes:
        """What was synced of a file; the rest of it is zeros."""
        kept = self._copy(path)
        return (kept.read_bytes() if kept.exists() else b"").ljust(path.stat().st_size, b"\0")

    def _copy(self, path: Path) -> Path:
        return self.synced / str(path.stat().st_ino)
