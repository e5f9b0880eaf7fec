"""Whether a series of samples grows: the criterion of the soak. Pure.

The first fifth is left out, in which caches fill. The rest is cut into twelve blocks, whose medians
are far enough apart in time to count as independent. A straight line through them gives the growth
over that time with its 95 % interval (Student's t, 10 degrees of freedom), which is compared with a
tolerance:

* memory, descriptors and threads are *steady* when the upper end is below it. Anything else is a
  failure: that nothing grows has to be shown;
* latencies, which depend on what else the machine does, fail only when the lower end is above it.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

WARM_UP = 0.2
BLOCKS = 12
T_975 = 2.228  # of BLOCKS - 2 degrees of freedom
MIB = 1 << 20
LATENCIES = {"p50", "p99"}
TESTED = {"rss", "pss", "descriptors", "threads"} | LATENCIES


@dataclass(frozen=True)
class Growth:
    """How much a series grew over the time looked at, in its unit: estimate and 95 % interval."""

    level: float
    estimate: float
    low: float
    high: float
    tolerance: float
    has_failed: bool


def growth(what: str, series: Sequence[float]) -> Growth | None:
    """Of a series of what ("rss", "p99" ...); None when there are too few samples to say.

    >>> growth("threads", [3] * 100).has_failed, growth("threads", range(100)).has_failed
    (False, True)
    """
    kept = series[int(len(series) * WARM_UP) :]
    if len(kept) < 2 * BLOCKS:
        return None
    blocks = [
        statistics.median(kept[len(kept) * n // BLOCKS : len(kept) * (n + 1) // BLOCKS])
        for n in range(BLOCKS)
    ]
    level = statistics.median(blocks)
    estimate, margin = line(blocks)
    limit = tolerance(what, level)
    low, high = estimate - margin, estimate + margin
    return Growth(level, estimate, low, high, limit, (low if what in LATENCIES else high) > limit)


def line(points: Sequence[float]) -> tuple[float, float]:
    """The growth of the line through points at equal distances, from the first to beyond the last,
    and half its 95 % interval."""
    count = len(points)
    middle, mean = (count - 1) / 2, statistics.fmean(points)
    spread = sum((n - middle) ** 2 for n in range(count))
    slope = sum((n - middle) * (point - mean) for n, point in enumerate(points)) / spread
    left = [point - mean - slope * (n - middle) for n, point in enumerate(points)]
    error = (sum(one * one for one in left) / (count - 2) / spread) ** 0.5
    return slope * count, T_975 * error * count


def tolerance(what: str, level: float) -> float:
    """The growth that is none: 2 % or 1 MiB of memory, half a descriptor, half of a latency."""
    if what in LATENCIES:
        return level / 2
    return max(MIB, level / 50) if what in {"rss", "pss"} else 0.5
