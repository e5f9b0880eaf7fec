"""`bench latency`: one frame each 100 us, from the producer's stamp to the consumer's read.

Called by __main__. Pairs are interleaved as for throughput; the logs' pages are touched first by
a flat-out run, because a page fault would be measured as latency.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

from .runs import Load, Sample, measure
from .statistic import Interval, ratio, summary
from .throughput import WARMING_FRAMES, start

P50_BAR = 1.25
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

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with the summaries of the table."""
        made: dict[str, Any] = asdict(self)
        made["summary_us"] = {
            name: {each: asdict(summary(self.microseconds(name, each))) for each in PERCENTILES}
            for name in self.samples
        }
        if len(self.samples) == 2:
            made["ratio"] = {each: asdict(self.ratio(each)) for each in PERCENTILES}
            made["bars"] = {"p50": P50_BAR}
        return made

    def ratio(self, percentile: str) -> Interval:
        """Relay / copy loop by pairs: smaller is better."""
        return ratio(
            self.microseconds("relay", percentile), self.microseconds("copyloop", percentile)
        )


def run(load: Load, pairs: int, only: Sequence[str], progress: Callable[[str], None]) -> Result:
    """Measures `load.count` frames a run. Raises RunFailed at the first run that lost a frame."""
    timed = replace(load, mode="latency", interval=INTERVAL_NS, warmup=WARMUP_FRAMES)
    samples: dict[str, list[Sample]] = {name: [] for name in only}
    with ExitStack() as stack:
        running = start(stack, only, load)
        for server in running:
            progress(f"latency: warming {server.name}")
            measure(server, replace(load, count=min(WARMING_FRAMES, 100 * load.count)))
        for pair in range(pairs):
            for server in running if pair % 2 else reversed(running):
                progress(f"latency: pair {pair + 1} of {pairs}, {server.name}")
                samples[server.name].append(measure(server, timed))
    return Result(timed, samples)
