"""`bench latency`: one frame each 100 us, from the producer's stamp to the consumer's read.

Called by suites. Contenders and rounds are those of throughput; the logs' pages are touched first
by a flat-out run, because a page fault would be measured as latency.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

from .bars import Judged
from .runs import Load, Sample, measure
from .statistic import Interval, median_interval, ratio, summary
from .throughput import AGAIN, CONTENDERS, FLOOR, RELAY, WARMING_FRAMES, in_turns, start

# At most so many times the copy loop's.
BARS = {"p50": 1.1, "p99": 1.25}
PERCENTILES = ("p50", "p90", "p99", "p99_9", "max")
INTERVAL_NS = 100_000
WARMUP_FRAMES = 500


@dataclass(frozen=True)
class Result:
    """All runs by server name."""

    load: Load
    samples: dict[str, list[Sample]]

    def microseconds(self, server: str, percentile: str) -> list[float]:
        return [sample.latency_us(percentile) for sample in self.samples.get(server, [])]

    def ratio(self, percentile: str, name: str) -> Interval:
        """The relay's by that of `name`, round by round: smaller is better."""
        return ratio(self.microseconds(RELAY, percentile), self.microseconds(name, percentile))

    @property
    def judged(self) -> list[Judged]:
        """p50 and p99 beside the copy loop; nothing where only one was measured."""
        if len(self.samples) < len(CONTENDERS):
            return []
        return [
            Judged(what, FLOOR, self.ratio(what, FLOOR), bar, False, self.ratio(what, AGAIN))
            for what, bar in BARS.items()
        ]

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with what the tables say."""
        of = {
            name: {each: self.microseconds(name, each) for each in PERCENTILES}
            for name in self.samples
        }
        others = [name for name in self.samples if name != RELAY and RELAY in self.samples]
        return {
            **asdict(self),
            "summary_us": {
                name: {what: asdict(summary(each)) for what, each in figures.items()}
                for name, figures in of.items()
            },
            "medians": {
                name: {what: asdict(median_interval(each)) for what, each in figures.items()}
                for name, figures in of.items()
            },
            "ratios": {
                name: {what: asdict(self.ratio(what, name)) for what in PERCENTILES}
                for name in others
            },
            "bars": [each.as_json() for each in self.judged],
        }


def run(load: Load, rounds: int, only: Sequence[str], progress: Callable[[str], None]) -> Result:
    """Measures `load.count` frames a run. Raises RunFailed at the first run that lost a frame."""
    timed = replace(load, mode="latency", interval=INTERVAL_NS, warmup=WARMUP_FRAMES)
    samples: dict[str, list[Sample]] = {name: [] for name in only}
    with ExitStack() as stack:
        running = dict(zip(only, start(stack, only, load), strict=True))
        for name, server in running.items():
            progress(f"latency: warming {name}")
            measure(server, replace(load, count=min(WARMING_FRAMES, 100 * load.count)))
        for turn, name in in_turns(only, rounds):
            progress(f"latency: round {turn + 1} of {rounds}, {name}")
            samples[name].append(measure(running[name], timed))
    return Result(timed, samples)
