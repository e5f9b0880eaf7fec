"""What the table shows of one relay, worked out from two looks at its state.

Called by `session` a few times a second; drawn by `table`. Rates and latencies are of the time
between the two looks: the relay's own counters and histogram, nothing measured here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protocol._core.state import BUCKET_BOUNDS_NS
from relays.core.accounting import reported_lag
from relays.edge.status import Look, breaker_name

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Reading:
    """One relay over a moment: messages and messages/s, latencies in ns (None: nothing sent)."""

    name: str
    total: int
    rate: float
    consumers: int
    largest_lag: int
    breakers: Mapping[str, int]
    p50: float | None
    p99: float | None


def reading(name: str, first: Look, before: Look, now: Look) -> Reading:
    """From `before` to `now`; `total` counts from `first`. Latency is from a read to the last byte
    handed to the kernel (relay_forward_latency_seconds)."""
    seconds = max(1, now.now_ns - before.now_ns) / SECOND
    old, new = (one.counters["forward"]["bucket"] for one in (before, now))
    counts = [b - a for a, b in zip(old, new, strict=True)]
    return Reading(
        name=name,
        total=now.end - first.end,
        rate=(now.end - before.end) / seconds,
        consumers=len(now.consumers),
        largest_lag=max((reported_lag(row, now.end) for row in now.consumers), default=0),
        breakers=Counter(breaker_name(row["breaker"]) for row in now.consumers),
        p50=percentile(counts, 0.50),
        p99=percentile(counts, 0.99),
    )


def percentile(counts: Sequence[int], part: float) -> float | None:
    """The value below which `part` of the observations are, in ns; None when there are none.

    Straight between the bounds of the bucket it falls into; those beyond the last bound count as
    being at it.

    >>> percentile([0, 10], 0.5)
    1500.0
    """
    wanted = sum(counts) * part
    below = 0
    for number, count in enumerate(counts):
        if count and below + count >= wanted:
            low = BUCKET_BOUNDS_NS[number - 1] if number else 0
            high = BUCKET_BOUNDS_NS[min(number, len(BUCKET_BOUNDS_NS) - 1)]
            return low + (high - low) * (wanted - below) / count
        below += count
    return None
