"""What a journal costs: messages/s beside the relay without one and a plain write of the bytes.

Called by the journal suite. Three contenders take turns in a seeded random order: the market_data
relay without a journal, the same with one that is synced at intervals, and this process, which
writes as many bytes into files of the same disk and does not wait for it.
"""

import os
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import servers
from .bars import Judged
from .runs import Load, measure, workspace
from .statistic import Interval, median_interval, ratio

BAR = 0.7
SEED = 20261121
FRAME = 64
BLOCK = 256 * 1024
FILE = 64 << 20
WARMING_FRAMES = 2_500_000
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """Messages/s by contender and round: "off", "interval", "write"."""

    count: int
    rates: dict[str, list[float]]

    def rate(self, name: str) -> Interval:
        return median_interval(self.rates[name])

    @property
    def of_smaller(self) -> Interval:
        """The journaling relay's rate as a part of the smaller of the other two's, by rounds."""
        pairs = zip(self.rates["off"], self.rates["write"], strict=True)
        return ratio(self.rates["interval"], [min(pair) for pair in pairs])

    @property
    def judged(self) -> list[Judged]:
        of = "the smaller of no journal and a plain write"
        return [Judged("journaled rate", of, self.of_smaller, BAR, True)]

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with the summary of the table."""
        made: dict[str, Any] = asdict(self)
        summary = {name: asdict(self.rate(name)) for name in self.rates}
        return {**made, "bar": BAR, "summary": summary, "of_smaller": asdict(self.of_smaller)}


def run(disk: Path, load: Load, rounds: int, progress: Progress) -> Result:
    """`rounds` of each contender, with the journal and the plain files in the folder `disk`."""
    settings = {"off": (), "interval": _journal(disk)}
    rates: dict[str, list[float]] = {"off": [], "interval": [], "write": []}
    with ExitStack() as stack:
        relays = {}
        for name, given in settings.items():
            progress(f"journal: warming the relay, journal {name}")
            folder = stack.enter_context(workspace())
            relays[name] = stack.enter_context(servers.relay(folder, load.pins.server, given))
            measure(relays[name], _warming(load))
        chance = random.Random(SEED)
        for turn in range(rounds):
            for name in chance.sample(list(rates), len(rates)):
                progress(f"journal: round {turn + 1} of {rounds}, {name}")
                os.sync()  # nobody pays for what the one before has left to be written
                if name == "write":
                    rates[name].append(load.count / write(disk / "plain", load.count * FRAME))
                else:
                    rates[name].append(measure(relays[name], load).rate)
    return Result(load.count, rates)


def _warming(load: Load) -> Load:
    return Load(**{**vars(load), "count": min(WARMING_FRAMES, load.count)})


def _journal(disk: Path) -> tuple[str, ...]:
    # No more than a few segments are kept: a round's are new files, as the plain ones are.
    return (
        "journal=on", f"journal_dir={disk / 'journal'}", "journal_sync=interval",
        f"journal_bytes={4 * FILE}",
    )  # fmt: skip


def write(folder: Path, size: int) -> float:
    """Seconds that a buffered write of `size` bytes takes, into files of 64 MiB that are new."""
    folder.mkdir(exist_ok=True)
    block = random.Random(SEED).randbytes(BLOCK)
    begun = time.perf_counter()
    for first in range(0, size, FILE):
        descriptor = os.open(folder / str(first), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for _ in range(0, min(FILE, size - first), BLOCK):
            os.write(descriptor, block)
        os.close(descriptor)
    seconds = time.perf_counter() - begun
    for path in folder.iterdir():
        path.unlink()
    return seconds
