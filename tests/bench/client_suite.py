"""`bench client`: how quickly a Python program sends and reads, beside a real relay.

Called by __main__. The other end of the relay is a native program, so that the Python side is what
is measured; `busy` says whether it was. Rows take turns in a seeded random order, all through one
relay. Round trips beside other messaging are client_trips'.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import servers
from .bars import Judged
from .client_runs import Sample, Work, measure, one_core_each
from .runs import Load, workspace
from .statistic import Interval, median_interval

SEED = 20240601
FRONTS = ("blocking", "asyncio")
# Arrays have so many frames for each message of the rows that have one at a time.
ARRAYS = 10


@dataclass(frozen=True)
class Row:
    """What is measured with both fronts: messages/s, and the least that is wanted (None: nothing
    is). `each` is how many times `--count` messages a run has."""

    what: str
    title: str
    bar: float | None = None
    each: int = 1


ROWS = (
    Row("send", "Producer.send, linger 1 ms", 1e6),
    Row("build", "the same, Trade built in the loop"),
    Row("rows", "Producer.send_many, rows of numpy", 15e6, ARRAYS),
    Row("messages", "Consumer, messages", 1e6),
    Row("received", "Consumer.messages(), with headers"),
    Row("views", "Consumer.views()", 2e6),
    Row("batches", "Consumer.batches(), arrays", 15e6, ARRAYS),
)


@dataclass(frozen=True)
class Result:
    """One row of one front, a sample a round."""

    row: Row
    front: str
    samples: list[Sample]

    @property
    def rate(self) -> Interval:
        """Messages/s."""
        return median_interval([sample.rate for sample in self.samples])

    @property
    def cpu(self) -> Interval:
        """Processor ns of the Python side for each message."""
        return median_interval([sample.cpu_ns_per_frame for sample in self.samples])

    @property
    def busy(self) -> float:
        """How much of a core the Python side used: well below 1, something else was waited for."""
        return median_interval([sample.busy for sample in self.samples]).median

    @property
    def kept(self) -> float:
        """How much of the time it was kept from its core by others, also by its other thread."""
        return median_interval([sample.kept for sample in self.samples]).median

    @property
    def judged(self) -> list[Judged]:
        """In million/s; nothing where there is no bar."""
        if self.row.bar is None:
            return []
        what, rate = f"{self.row.title}, {self.front}, million/s", self.rate.times(1e-6)
        return [Judged(what, "", rate, self.row.bar * 1e-6, True)]

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with what the table says."""
        of = {"rate": asdict(self.rate), "cpu_ns": asdict(self.cpu)}
        return {**asdict(self), **of, "busy": self.busy, "kept": self.kept}


def run(load: Load, rounds: int, progress: Callable[[str], None]) -> list[Result]:
    """Every row with both fronts. Raises RunFailed at the first run that lost a frame."""
    cases = [(row, Work(row.what, front)) for row in ROWS for front in FRONTS]
    samples: dict[Work, list[Sample]] = {work: [] for _, work in cases}
    server_cpus = one_core_each(load.pins, sends=True).server
    with workspace() as folder, servers.relay(folder, server_cpus) as relay:
        _warm(relay, cases, load, progress)
        chance = random.Random(SEED)
        for turn in range(rounds):
            for row, work in chance.sample(cases, len(cases)):
                progress(f"client: round {turn + 1} of {rounds}, {work.what}, {work.front}")
                load_of = replace(load, count=load.count * row.each)
                samples[work].append(measure(relay, work, load_of))
    return [Result(row, work.front, samples[work]) for row, work in cases]


def _warm(
    relay: servers.Server,
    cases: Sequence[tuple[Row, Work]],
    load: Load,
    progress: Callable[[str], None],
) -> None:
    """The pages of the relay's log are touched before anything counts."""
    progress("client: warming the relay")
    row, work = next(case for case in cases if case[0].each > 1)
    measure(relay, work, replace(load, count=min(load.count * row.each, 2_500_000)))
