"""The plots of the report, from the rows that --json writes: nothing here has been measured twice.

Called by suites, which names the function of each suite; drawn by report. Only arithmetic and
words: matplotlib is report's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .statistic import Interval

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Plot:
    """One picture: for each name a value, or None, at each of the places, on a logarithmic axis.
    `line`: the places have an order, and are joined."""

    title: str
    unit: str
    places: Sequence[str]
    series: Mapping[str, Sequence[Interval | None]]
    line: bool = False


def interval(of: Mapping[str, float] | None, unit: float = 1) -> Interval | None:
    """An interval as it was written to JSON, in another unit."""
    if of is None:
        return None
    return Interval(of["median"] * unit, of["low"] * unit, of["high"] * unit)


def of_peers(measured: Mapping[str, Any]) -> Iterator[Plot]:
    """Deliveries by consumers, percentiles of each kind of latency, and the cost of a delivery."""
    rates = [row for row in measured["rows"] if not row["row"]["interval"]]
    if rates:
        yield _by_title(
            "deliveries of 64-byte Trades, all consumers together",
            "million/s",
            rates,
            lambda row, name: interval(
                row["medians"][name]["rate"], row["row"]["consumers"] * 1e-6
            ),
        )
        yield _by_title(
            "cost of a delivery: processor time of the server",
            "ns",
            rates,
            lambda row, name: interval(row["cpu_ns"][name]),
        )
    for row in measured["rows"]:
        if row["row"]["interval"]:
            yield percentiles(f"latency, {row['row']['title']}", row["medians"])


def _by_title(title: str, unit: str, rows: Rows, value: Any) -> Plot:
    names = list(rows[0]["samples"])
    series = {name: [value(row, name) for row in rows] for name in names}
    return Plot(title, unit, [row["row"]["title"] for row in rows], series)


def percentiles(title: str, medians: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Plot:
    """Percentiles in us: `medians` has an interval by contender and percentile."""
    whats: Iterable[str] = next(iter(medians.values()))
    places = [what.replace("_", ".") for what in whats]
    series = {name: [interval(each) for each in of.values()] for name, of in medians.items()}
    return Plot(title, "us", places, series, line=True)
