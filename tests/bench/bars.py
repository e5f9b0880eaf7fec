"""A bar and what was measured of it, as every table and the head of the page says it.

Called by the suites. Pure: whether a bar is met is decided by statistic.verdict.
"""

from dataclasses import asdict, dataclass
from typing import Any

from .statistic import Interval, verdict


@dataclass(frozen=True)
class Judged:
    """What had to be at least (`larger`) or at most `limit`: a ratio to `of`, or, where `of` is
    empty, a figure in the unit of the limit. `control` is the ratio of the same thing to itself."""

    what: str
    of: str
    figure: Interval
    limit: float
    larger: bool
    control: Interval | None = None

    @property
    def met(self) -> str:
        """`"yes"`, `"NO"` or `"not measurable here"`, by the worse end of the interval."""
        if self.control is not None:
            return verdict(self.figure, self.limit, self.larger, self.control)
        worse = self.figure.low if self.larger else self.figure.high
        return "yes" if (worse >= self.limit if self.larger else worse <= self.limit) else "NO"

    @property
    def said(self) -> str:
        """`"at least 0.7"`."""
        if self.limit == 1 and not self.larger:
            return "below 1"
        return f"{'at least' if self.larger else 'at most'} {self.limit:g}"

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "bar": self.said, "met": self.met}
