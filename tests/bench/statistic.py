"""Medians and bootstrap intervals of samples; ratios of interleaved pairs.

Called by the suites. Pure: no processes, no clock.
"""

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 4000
SEED = 20240601


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
    """Whether the worse end of an interval of ratios meets a bar: `"yes"`, `"NO"`, or `"not
    measurable here"` where `control`, the ratio of a thing to itself, is wider than the bar.

    A bar of 1 leaves no width: it is met, or not, when `compared` is past 1 by that of `control`.
    """
    width = max(control.high, 1 / control.low)
    if bar == 1:
        unclear = compared.high >= 1 / width and compared.low <= width
    else:
        unclear = width > max(bar, 1 / bar)
    if unclear:
        return "not measurable here"
    met = compared.low >= bar if larger else compared.high <= bar
    return "yes" if met else "NO"
