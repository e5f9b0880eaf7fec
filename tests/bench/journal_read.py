"""How quickly a journal is recovered and verified, beside `dd` that only reads the same files.

Called by the journal suite. A journal is written first, as a relay would have: full segments of
64-byte Trades. Cold means that its pages have been dropped from the page cache, warm that a run has
just read them. A run counts only if recovery came to the journal's end and found nothing wrong.
"""

import os
import random
import struct
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from protocol.checksum import crc32
from protocol.instruments import InstrumentId
from protocol.market_data import Side, Trade
from relays.core.journal.recovery import AT_START, Depth, recover
from relays.core.journal.segment import RECORD_SIZE, Header
from relays.edge.journal.opened import opened

from .bars import Judged
from .children import RunFailed
from .statistic import Interval, median_interval, ratio

SEGMENT = 64 << 20
COLD_BAR, WARM_BAR = 0.5, 20e6
SEED = 20261121
RECORD = struct.Struct("<6Q7I")
# Frames a commit, and the part of the bytes asked for: as many records take long to make.
ROWS = {"commits of 4,096 frames": (4096, 1.0), "commits of 1 frame": (1, 1 / 64)}
TASKS = {"recovery": AT_START, "verification": Depth(every=True, checksums=True)}
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """One journal's samples: seconds for all of it, by task, cold and warm; `dd` is cold.

    `checked` is how many frames a task looks at: recovery only those of the newest segments.
    """

    name: str
    bytes: int
    frames: int
    checked: dict[str, int]
    cold: dict[str, list[float]]
    warm: dict[str, list[float]]

    def of_dd(self, task: str) -> Interval:
        """The speed of a task with cold caches, of that of dd."""
        return ratio(self.cold["dd"], self.cold[task])

    def rate(self, task: str) -> Interval:
        """Frames a second that a task goes over with warm caches: all that the journal has."""
        return median_interval([self.frames / each for each in self.warm[task]])

    def checking(self, task: str) -> Interval:
        """Frames a second whose bytes a task looks at with warm caches."""
        return median_interval([self.checked[task] / each for each in self.warm[task]])

    def judge(self, task: str) -> tuple[Judged, Judged]:
        """The bars of a task, cold and warm."""
        what, warm = f"{task}, {self.name}", self.checking(task).times(1e-6)
        return (
            Judged(f"{what}, cold", "dd", self.of_dd(task), COLD_BAR, True),
            Judged(f"{what}, warm, million/s", "", warm, WARM_BAR * 1e-6, True),
        )

    @property
    def judged(self) -> list[Judged]:
        return [each for task in TASKS for each in self.judge(task)]

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with what the table says of it."""
        made: dict[str, Any] = asdict(self)
        made["bars"] = {"cold": COLD_BAR, "warm": WARM_BAR}
        made["summary"] = {
            task: {
                "of_dd": asdict(self.of_dd(task)),
                "frames_per_second": asdict(self.rate(task)),
                "checked_per_second": asdict(self.checking(task)),
            }
            for task in TASKS
        }
        return made


def run(name: str, folder: Path, size: int, pairs: int, progress: Progress) -> Result:
    """Measures one row of ROWS, with a journal of about `size` bytes of frames in `folder`."""
    per_commit, part = ROWS[name]
    progress(f"journal: writing {name}")
    frames = write(folder, max(int(size * part), SEGMENT // 2), per_commit)
    cold: dict[str, list[float]] = {task: [] for task in ("dd", *TASKS)}
    warm: dict[str, list[float]] = {task: [] for task in TASKS}
    chance = random.Random(SEED)
    for pair in range(pairs):
        progress(f"journal: {name}, pair {pair + 1} of {pairs}")
        for task in chance.sample(list(cold), len(cold)):
            drop(folder)
            cold[task].append(_seconds(task, folder, frames))
        for task in chance.sample(list(warm), len(warm)):
            _seconds(task, folder, frames)
            warm[task].append(_seconds(task, folder, frames))
    newest = sorted(folder.iterdir())[-2:]
    checked = {"verification": frames, "recovery": frames - int(newest[0].name[:20])}
    return Result(name, _size(folder), frames, checked, cold, warm)


def write(folder: Path, size: int, per_commit: int) -> int:
    """A journal of at least `size` bytes of frames, on the disk; gives how many frames."""
    block = _block(per_commit)
    crc = crc32(block)
    position = offset = chain = 0
    while offset < size:
        header = Header(
            log_id=1, log_begin=0, first_position=position, first_offset=offset,
            file_size=SEGMENT, created_ns=position, synced=position, chain=chain,
        )  # fmt: skip
        records: list[bytes] = []
        most = header.room // (len(block) + RECORD_SIZE)
        for number in range(most):
            chain = crc32(block, chain)
            place = header.size + number * len(block)
            raw = RECORD.pack(
                position, 7, position + per_commit, position, header.synced, 1, place, per_commit,
                len(block), 1000, 77, crc, chain,
            )  # fmt: skip
            records.append(raw + crc32(raw, header.checksum).to_bytes(4, "little"))
            position, offset = position + per_commit, offset + len(block)
        _write_segment(folder / header.name, header, block * most, b"".join(reversed(records)))
    return position


def _write_segment(path: Path, header: Header, frames: bytes, records: bytes) -> None:
    with path.open("wb") as file:
        file.write(header.pack())
        file.write(frames)
        file.write(bytes(header.file_size - file.tell() - len(records)))
        file.write(records)
        file.flush()
        os.fdatasync(file.fileno())


def _block(count: int) -> bytes:
    pair = InstrumentId(1, 4, 0, 7)
    return b"".join(
        Trade(pair, price=n, volume=n, side=Side.BUY).frame(sequence=n + 1) for n in range(count)
    )


def drop(folder: Path) -> None:
    """Drops the files' pages from the page cache: what reads them next reads the disk."""
    for path in folder.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def _seconds(task: str, folder: Path, frames: int) -> float:
    begun = time.perf_counter()
    if task == "dd":
        _dd(folder)
    else:
        check(folder, TASKS[task], frames)
    return time.perf_counter() - begun


def _dd(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        command = ["dd", f"if={path}", "of=/dev/null", "bs=1M", "status=none"]
        subprocess.run(command, check=True)


def check(folder: Path, depth: Depth, frames: int) -> None:
    """Goes over a journal; RunFailed unless it is whole and has that many frames."""
    with opened(folder) as catalogue:
        found = recover(catalogue, depth)
    if found.position != frames or found.torn or found.damage:
        raise RunFailed(f"of {frames} frames {found.position} were found: {found.damage}")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
