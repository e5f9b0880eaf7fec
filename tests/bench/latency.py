"""`bench latency`: one frame each 100 us, from the producer's stamp to the consumer's read.

Called by suites. In each round every contender of a row has one run, as in throughput; the logs'
pages are touched first by a flat-out run, because a page fault would be measured as latency.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import servers
from .bars import Judged
from .children import RunFailed
from .runs import Load, Pins, Sample, measure, workspace
from .servers import Server
from .statistic import Interval, median_interval, ratio
from .throughput import AGAIN, FLOOR, RELAY, WARMING_FRAMES, in_turns

BUSY = "busy relay"
PERCENTILES = ("p50", "p90", "p99", "p99_9", "max")
INTERVAL_NS = 100_000
WARMUP_FRAMES = 500


@dataclass(frozen=True)
class Row:
    """One comparison: `first` beside `of`, at most so many times its percentiles; a relay and a
    second one are always among the contenders. `pinned`: the server has a processor, and everything
    else the others."""

    name: str
    title: str
    first: str
    of: str
    bars: tuple[tuple[str, float], ...]
    pinned: bool = False

    @property
    def contenders(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.first, self.of, RELAY, AGAIN)))


_ROWS = (
    Row("copyloop", "one frame each 100 us", RELAY, FLOOR, (("p50", 1.1), ("p99", 1.25))),
    Row(
        "busy-poll",
        "the same, busy_poll = true, a processor for the relay",
        BUSY,
        RELAY,
        (("p50", 0.6),),
        pinned=True,
    ),
)
ROWS = {row.name: row for row in _ROWS}


@dataclass(frozen=True)
class Result:
    """All runs of one row by contender, in rounds."""

    row: Row
    load: Load
    samples: dict[str, list[Sample]]

    def microseconds(self, name: str, percentile: str) -> list[float]:
        return [sample.latency_us(percentile) for sample in self.samples[name]]

    def median(self, name: str, percentile: str) -> Interval:
        return median_interval(self.microseconds(name, percentile))

    def ratio(self, percentile: str, name: str, of: str) -> Interval:
        """That of `name` by that of `of`, round by round: smaller is better."""
        return ratio(self.microseconds(name, percentile), self.microseconds(of, percentile))

    def compared(self, percentile: str) -> Interval:
        return self.ratio(percentile, self.row.first, self.row.of)

    def control(self, percentile: str) -> Interval:
        """The ratio of a relay to a second one of its kind."""
        return self.ratio(percentile, RELAY, AGAIN)

    @property
    def judged(self) -> list[Judged]:
        row = self.row
        prefix = f"{row.first}, " if row.first != RELAY else ""
        return [
            Judged(f"{prefix}{what}", row.of, self.compared(what), bar, False, self.control(what))
            for what, bar in row.bars
        ]

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with what the tables say."""
        return {
            **asdict(self),
            "medians": {
                name: {what: asdict(self.median(name, what)) for what in PERCENTILES}
                for name in self.samples
            },
            "ratio": {what: asdict(self.compared(what)) for what in PERCENTILES},
            "control": {what: asdict(self.control(what)) for what in PERCENTILES},
        }


def run(row: Row, load: Load, rounds: int, progress: Callable[[str], None]) -> Result:
    """Measures `load.count` frames a run. Raises RunFailed at the first run that lost a frame."""
    if row.pinned:
        load = replace(load, pins=apart(load.pins))
    timed = replace(load, mode="latency", interval=INTERVAL_NS, warmup=WARMUP_FRAMES)
    samples: dict[str, list[Sample]] = {name: [] for name in row.contenders}
    with ExitStack() as stack:
        running = {}
        for name in row.contenders:
            progress(f"latency: {row.title}: warming {name}")
            running[name] = stack.enter_context(_server(name, load.pins.server, stack))
            with _awake(name, running[name]):
                measure(running[name], replace(load, count=min(WARMING_FRAMES, 100 * load.count)))
        for turn, name in in_turns(row.contenders, rounds):
            progress(f"latency: {row.title}: round {turn + 1} of {rounds}, {name}")
            with _awake(name, running[name]):
                samples[name].append(measure(running[name], timed))
    return Result(row, timed, samples)


def apart(pins: Pins) -> Pins:
    """The server on the first processor, everything else on the others; but what the user has
    pinned stays. RunFailed where there is only one."""
    cores = [str(core) for core in sorted(os.sched_getaffinity(0))]
    if len(cores) < 2:
        raise RunFailed("a processor for the relay alone: there is only one")
    others = ",".join(cores[1:])
    return Pins(pins.server or cores[0], pins.producer or others, pins.consumers or others)


def _server(name: str, cpus: str, stack: ExitStack) -> AbstractContextManager[Server]:
    folder = stack.enter_context(workspace())
    if name == FLOOR:
        return servers.copyloop(folder, cpus)
    return servers.relay(folder, cpus, ("busy_poll=true",) if name == BUSY else ())


@contextmanager
def _awake(name: str, server: Server) -> Iterator[None]:
    """One that never sleeps is stopped while it is not its turn: it would take the processor that
    the others have theirs on."""
    server.child.go_on()
    yield
    if name == BUSY:
        server.child.halt()
