"""A disk that fails, is slow or holds its syncs, under a relay that is a real process.

Used by tests/journal/test_writing_faults.py. The library is compiled from faulty.c for each test
that wants one: whoever built the package has a compiler.
"""

from __future__ import annotations

import mmap
import struct
import subprocess
import sysconfig
from pathlib import Path

SOURCE = Path(__file__).with_name("faulty.c")
WORDS = (
    "sync_errors", "write_errors", "space_errors", "sync_delay_us", "held", "syncs", "writes"
)  # fmt: skip
EVER = -1


class FaultyDisk:
    """The words that the library looks at; `prefix` goes before the relay's command."""

    def __init__(self, folder: Path) -> None:
        library, self._path = folder / "faulty.so", folder / "faulty.words"
        compiler = sysconfig.get_config_var("CC").split()[0]
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"]
        subprocess.run(command, check=True)
        self._path.write_bytes(bytes(mmap.PAGESIZE))
        with self._path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.prefix = ("env", f"LD_PRELOAD={library}", f"FAULTY_DISK={self._path}")

    def set(self, **words: int) -> None:
        for name, value in words.items():
            struct.pack_into("<q", self._memory, 8 * WORDS.index(name), value)

    def get(self, name: str) -> int:
        found: int = struct.unpack_from("<q", self._memory, 8 * WORDS.index(name))[0]
        return found

    def close(self) -> None:
        self._memory.close()
