"""A short model of a relay's processor time, fitted to what `bench growth` measured.

Called by suites. A relay's time is that of its reads, of the frames, bytes and writes that it
takes with them, of its waits for something to do, of the bytes that it delivers, and of its sends:

    CPU = reads * a + frames * (b + c * bytes) + writes * d + waits * e * log(wait / 10 us)
          + deliveries * f * bytes + sends * g * log(consumers)

with logarithms to the base 10. Who has slept longer finds less in the processor's caches, and so
does who has more sockets: hence those two.

The fit is least squares of relative errors (a point of microseconds counts as much as one of
seconds), without negative coefficients. It is judged by the points that were kept out of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import log10
from typing import Any

import numpy as np

from .bars import Judged
from .growth import Result
from .statistic import Interval

TERMS = ("read", "frame", "byte taken", "write", "10 times longer wait",
         "byte delivered", "send to 10 times more")  # fmt: skip
# More processes than that take the processor's caches from the relay, which is not in the model.
MOST_PRODUCERS = 16
SHORT_WAIT = 1e-5
ERROR_BAR = 0.15


@dataclass(frozen=True)
class Model:
    """ns of each term; how far it is from each point, by the point's place, as a part of what was
    measured."""

    ns: Mapping[str, float]
    errors: Sequence[float]
    fitted: Sequence[bool]
    held_out: Sequence[bool]

    @property
    def worst(self) -> float:
        """The greatest error of the points that the fit has not seen."""
        return max(
            (abs(e) for e, out in zip(self.errors, self.held_out, strict=True) if out), default=0.0
        )

    @property
    def worst_fitted(self) -> float:
        return max(abs(e) for e, fitted in zip(self.errors, self.fitted, strict=True) if fitted)

    @property
    def judged(self) -> Judged:
        worst = Interval(self.worst, self.worst, self.worst)
        return Judged("model of CPU: worst error of points kept out of the fit", "", worst,
                      ERROR_BAR, larger=False)  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "worst": self.worst, "worst_fitted": self.worst_fitted}


def counts(result: Result) -> tuple[float, ...]:
    """How much of each of TERMS a run had."""
    point, taken, given = result.point, result.frames, result.deliveries
    reads, sends, waits = result.turns
    writes = taken if point.rate else taken / max(point.write // point.size, 1)
    longer = log10(max(result.wait_seconds / SHORT_WAIT, 1))
    return (reads, taken, taken * point.size, writes, waits * longer,
            given * point.size, sends * log10(point.consumers))  # fmt: skip


def fit(results: Sequence[Result]) -> Model:
    """Fits to the points that have a factor, and says how far every one is."""
    points = [result.point for result in results]
    fitted = [bool(each.factor) and each.producers <= MOST_PRODUCERS for each in points]
    held_out = [not each.factor for each in points]
    measured = np.array([result.cpu_ns for result in results])
    relative = np.array([counts(result) for result in results]) / measured[:, None]
    ns = _least_squares(relative[fitted])
    errors = relative @ ns - 1
    named = {term: float(each) for term, each in zip(TERMS, ns, strict=True)}
    return Model(named, [float(each) for each in errors], fitted, held_out)


def _least_squares(rows: Any) -> Any:
    """x >= 0 for which rows @ x is nearest to 1: of all choices of terms that need none below 0,
    the best."""
    # Terms differ by orders of magnitude: each column is brought to the same length.
    scale = np.linalg.norm(rows, axis=0)
    scale[scale == 0] = 1
    best, least = np.zeros(rows.shape[1]), float(len(rows))
    for some in range(1, rows.shape[1] + 1):
        for kept in map(list, combinations(range(rows.shape[1]), some)):
            part = np.linalg.lstsq(rows[:, kept] / scale[kept], np.ones(len(rows)), rcond=None)[0]
            found = np.zeros(rows.shape[1])
            found[kept] = part / scale[kept]
            distance = float(np.sum((rows @ found - 1) ** 2))
            if (part >= 0).all() and distance < least:
                best, least = found, distance
    return best
