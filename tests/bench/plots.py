"""The plots of the report, from the rows that --json writes: nothing here has been measured twice.

Called by suites, which names the function of each suite; drawn by report. Only arithmetic and
words: matplotlib is report's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .statistic import Interval

COST = "cost of a delivery: processor time of the server"
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
    return Interval(of["median"], of["low"], of["high"]).times(unit)


def of_relay(measured: Mapping[str, Any]) -> Iterator[Plot]:
    """Rates and cost of each configuration; bytes/s and cost by size."""
    if rows := measured["rows"]:
        places = [row["configuration"]["name"] for row in rows]
        yield _of(rows, places, "rates", "throughput: messages to each consumer", "million/s", 1e-6)
        yield _of(rows, places, "cpu_ns", COST, "ns")
    if rows := measured["sizes"]:
        places = [f"{row['size']:,}" for row in rows]
        title = "throughput by bytes of a frame, 1 consumer, every check on"
        for key, unit, scale in (
            ("megabytes", "million bytes/s", 1.0),
            ("rates", "messages/s", 1.0),
        ):
            yield _of(rows, places, key, title, unit, scale, line=True)
        yield _of(rows, places, "cpu_ns", f"{COST}, by bytes of a frame", "ns", line=True)


def of_latency(measured: Mapping[str, Any]) -> Iterator[Plot]:
    """Percentiles of each contender, for each row."""
    for row in measured["rows"]:
        yield percentiles(f"latency, {row['row']['title']}", row["medians"])


def of_isolation(measured: Mapping[str, Any]) -> Iterator[Plot]:
    """Of the others, with what may disturb and without: rates, and percentiles of the rest."""
    rates = [row for row in measured["rows"] if not row["row"]["pace"]]
    if rates:
        title = "isolation, flat out: messages to each of the others"
        yield _by_title(
            title,
            "million/s",
            rates,
            lambda row, name: interval(row["medians"][name]["rate"], 1e-6),
        )
    for row in measured["rows"]:
        if row["row"]["pace"]:
            yield percentiles(f"isolation, {row['row']['title']}", row["medians"])


def of_capacity(measured: Mapping[str, Any]) -> Iterator[Plot]:
    """Cost of a delivery by consumers, a line for each rate."""
    rows = measured["rows"]
    consumers = sorted({row["consumers"] for row in rows})
    cost = {(row["wanted"], row["consumers"]): row["cpu_ns"] for row in rows}
    series = {}
    for wanted in sorted({row["wanted"] for row in rows}):
        found = [cost.get((wanted, many)) for many in consumers]
        name = f"{wanted:,} messages/s" if wanted else "as many as there is time for"
        series[name] = [None if each is None else Interval(each, each, each) for each in found]
    places = [f"{many:,}" for many in consumers]
    yield Plot(f"{COST}, by consumers", "ns", places, series, line=True)


def _of(
    rows: Rows, places: Sequence[str], key: str, title: str, unit: str, scale: float = 1,
    line: bool = False,
) -> Plot:  # fmt: skip
    """A series for each contender that the first row has, of the intervals under a key."""
    names = rows[0][key]
    series = {name: [interval(row[key].get(name), scale) for row in rows] for name in names}
    return Plot(title, unit, places, series, line)


def of_scale(measured: Mapping[str, Any]) -> Iterator[Plot]:
    """Cost of a delivery for each row that compares contenders by it."""
    rows = [row for row in measured["rows"] if "relay again" in row["figures"]]
    if rows:
        names = rows[0]["figures"]
        series = {
            name: [interval(row["figures"][name]["cpu_ns"]) for row in rows] for name in names
        }
        yield Plot(COST, "ns", [row["title"] for row in rows], series)


def of_growth(measured: Mapping[str, Any]) -> Iterator[Plot]:
    """Cost of a message as each thing grows, measured and by the model."""
    said = list(zip(measured["rows"], measured["model"]["errors"], strict=True))
    for factor in dict.fromkeys(row["point"]["factor"] for row, _ in said):
        points = [(row, error) for row, error in said if row["point"]["factor"] == factor]
        if not factor:
            continue
        cost = [row["message_ns"] for row, _ in points]
        series = {
            "measured": [Interval(each, each, each) for each in cost],
            "model": [
                Interval(*(each * (1 + error),) * 3)
                for each, (_, error) in zip(cost, points, strict=True)
            ],
        }
        places = [_point(row["point"], row["value"]) for row, _ in points]
        title = f"processor time of a relay a message, by {factor}"
        yield Plot(title, "ns", places, series, line=True)


def _point(point: Mapping[str, Any], value: int) -> str:
    paced = f" to {point['consumers']:,}" if point["rate"] else ""
    return f"{value:,}{paced}"


def of_protocol(measured: Mapping[str, Any]) -> Iterator[Plot]:
    """How many times as fast ours is as each of the others, by task."""
    rows = measured["single"]
    names = dict.fromkeys(name for row in rows for name in row["times_as_fast"])
    series = {name: [interval(row["times_as_fast"].get(name)) for row in rows] for name in names}
    places = [row["task"]["title"] for row in rows]
    yield Plot("how many times as fast ours is as", "times", places, series)


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
            COST,
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
