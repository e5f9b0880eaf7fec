"""What a row of the scale suite came to: its bars, its figures, and the samples they are made of.

Used by the modules that measure rows and by scale_tables. No measuring, no rendering.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .bars import Judged
from .statistic import median_interval

ROWS = (
    *("8-producers", "64-consumers", "1000-consumers"),
    *("one-frame-a-write", "mixed-types", "mixed-instruments", "idle-sessions", "memory", "start"),
)
# By what a figure is called: its unit in tables, and what it is divided by for that.
UNITS = {
    "rate": ("million messages/s", 1e6),
    "cpu_ns": ("ns of the server's processor time a delivery", 1),
    "core": ("processors that the server kept busy", 1),
    "driver_core": ("processors that the busiest driver kept busy", 1),
    "sender_core": ("processors that the producer kept busy", 1),
    "seconds": ("ms", 1e-3),
    "bytes": ("MiB", 1 << 20),
    "bytes_each": ("KiB for each consumer", 1 << 10),
    "ratio": ("", 1),
}


@dataclass(frozen=True)
class Result:
    """A row: bars, figures by contender and by what they are called, and every sample."""

    name: str
    title: str
    bars: Sequence[Judged] = ()
    figures: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    samples: Mapping[str, Any] = field(default_factory=dict)
    left_out: str = ""

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with what the tables say."""
        return {
            "name": self.name,
            "title": self.title,
            "left_out": self.left_out,
            "bars": [bar.as_json() for bar in self.bars],
            "figures": {
                who: {
                    what: {**asdict(median_interval(values)), "unit": UNITS[what][0] or "ratio"}
                    for what, values in figures.items()
                }
                for who, figures in self.figures.items()
            },
            "samples": self.samples,
        }
