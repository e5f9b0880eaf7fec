"""Medians and bootstrap intervals of samples; ratios of interleaved pairs.

Called by the suites. Pure: no processes, no clock.
"""

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 4000
SEED = 20240601
# With fewer pairs or rounds an interval says little.
ENOUGH = 20


@dataclass(frozen=True)
class Summary:
    """Median, least and greatest of some samples, in their unit."""

    median: float
    least: float
    greatest: float


@dataclass(frozen=True)
class Interval:
    """A median with the ends of its bootstrap 95 % interval."""

    median: float
    low: float
    high: float

    def times(self, unit: float) -> "Interval":
        """The same in another unit."""
        return Interval(self.median * unit, self.low * unit, self.high * unit)


def summary(samples: Sequence[float]) -> Summary:
    """`summary([3, 1, 2])` -> Summary(median=2, least=1, greatest=3)."""
    return Summary(statistics.median(samples), min(samples), max(samples))


def median_interval(samples: Sequence[float], seed: int = SEED) -> Interval:
    """The median and where 95 % of the medians of resamples lie (seeded: it repeats)."""
    chance = random.Random(seed)
    medians = sorted(
        statistics.median(chance.choices(samples, k=len(samples))) for _ in range(RESAMPLES)
    )
    cut = RESAMPLES // 40
    return Interval(statistics.median(samples), medians[cut], medians[-cut - 1])


def ratio(above: Sequence[float], below: Sequence[float]) -> Interval:
    """The median of the ratios of pairs, not the ratio of the medians: pairs share their noise."""
    return median_interval([a / b for a, b in zip(above, below, strict=True)])


def verdict(compared: Interval, bar: float, larger: bool, control: Interval) -> str:
    """Whether an interval of ratios meets a bar: `"yes"` where its worse end does, else `"NO"`.
    Where `control`, the ratio of a thing to itself, differs from 1 by more than the bar or than
    twice, each end may be off by as much: `"yes"` and `"NO"` have to hold then too, and anything
    else is `"not measurable here"`."""
    off = max(control.high, 1 / control.low)
    loud = off >= min(max(bar, 1 / bar), 2)
    doubt = off if loud else 1
    if larger:
        met, possible = compared.low >= bar * doubt, compared.high * doubt >= bar
    else:
        met, possible = compared.high * doubt <= bar, compared.low <= bar * doubt
    return "yes" if met else "not measurable here" if loud and possible else "NO"
