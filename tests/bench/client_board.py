"""What the Python sides of `bench client` share with the native programs: the board, the block.

Called by client_send and client_read. It repeats what native/bench.h and native/producer.c lay
down, and nothing else belongs here.
"""

import mmap
import time
from dataclasses import dataclass
from pathlib import Path

from protocol.instruments import InstrumentId, VenueId

TASKS = Path("/proc/self/task")
# What native/producer.c sends at once; in a block, frame i has volume FIRST_VOLUME + i.
BLOCK = 4096
BLOCK_BYTES = BLOCK * 64
FIRST_VOLUME = 100_000
FIRST_SEQUENCE = 1
NAP = 50e-6  # seconds; as the native programs wait for each other
PAIR = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")


class Board:
    """The consumers' counts of a run; there is one consumer here, in the first slot."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._words = memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")

    @property
    def frames(self) -> int:
        """Frames that the consumer has read."""
        return self._words[0]

    @frames.setter
    def frames(self, count: int) -> None:
        self._words[0] = count

    @property
    def connected(self) -> bool:
        """Whether the consumer gets what is sent from now on."""
        return self._words[1] == 1

    def connect(self) -> None:
        self._words[1] = 1


@dataclass(frozen=True)
class Job:
    """What a Python side is to do: `warmup` frames that do not count, then `count`; a producer is
    never more than `window` frames ahead of the consumer."""

    work: str
    socket: str
    warmup: int
    count: int
    window: int
    board: Board


def blocks(count: int, most: int = BLOCK) -> list[int]:
    """The sizes of the blocks in which so many frames are sent: `blocks(5, 2)` -> [2, 2, 1]."""
    whole, rest = divmod(count, most)
    return [most] * whole + ([rest] if rest else [])


class Meter:
    """Processor time of this process, and how long it was kept from its core by others."""

    def __init__(self) -> None:
        self._cpu, self._kept = time.process_time_ns(), _kept_ns()

    def report(self) -> dict[str, int]:
        """Both since it was made, in ns."""
        return {"cpu_ns": time.process_time_ns() - self._cpu, "kept_ns": _kept_ns() - self._kept}


def _kept_ns() -> int:
    """The scheduler's own count of the time that threads were ready to run and did not."""
    return sum(int(path.read_text().split()[1]) for path in TASKS.glob("*/schedstat"))
