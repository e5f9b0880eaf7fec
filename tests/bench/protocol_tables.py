"""The tables of `bench protocol`.

Called by __main__. Only rendering: what is compared with which bar is decided by the suite.
"""

from collections.abc import Sequence

from rich.table import Table

from . import protocol_many, protocol_suite
from .statistic import Interval, median_interval


def of_single(results: Sequence[protocol_suite.Result]) -> Table:
    """A row for each contender, by task: nanoseconds, and how many times as fast we are."""
    table = Table(
        title="one 64-byte Trade with its checksum: ns, and how many times as fast ours is"
    )
    table.add_column("task", no_wrap=True)
    table.add_column("contender", no_wrap=True)
    for heading in ("ns [95 %]", "times [95 %]", "bar", "met"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        title = result.task.title
        for name, samples in result.samples.items():
            table.add_row(title, *_single_row(result, name, samples))
            title = ""
        table.add_section()
    return table


def _single_row(
    result: protocol_suite.Result, name: str, samples: Sequence[float]
) -> tuple[str, ...]:
    taken = _interval(median_interval(samples), "{:.0f}")
    if name == protocol_suite.OURS:
        return name, taken, "", "", ""
    times = _interval(result.times(name), "{:.2f}")
    if name != result.fastest or result.task.bar is None:
        return name, taken, times, "", ""
    return name, taken, times, f"{result.task.bar:.0f}", result.judged[0].met


def of_many(results: Sequence[protocol_many.Result]) -> Table:
    """A row for each kind of work with arrays."""
    table = Table(title="arrays, checksums included: million frames/s on one core")
    return _rows(table, results, 1e-6, "{:.1f}")


def of_imports(results: Sequence[protocol_many.Result]) -> Table:
    """A row for each import."""
    table = Table(title="import in a fresh process: ms after its start")
    return _rows(table, results, 1e3, "{:.1f}")


def _rows(table: Table, results: Sequence[protocol_many.Result], unit: float, form: str) -> Table:
    table.add_column("work", no_wrap=True)
    for heading in ("median [95 %]", "bar", "met"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in results:
        bar = "" if one.bar is None else f"{one.bar * unit:.0f}"
        met = "".join(each.met for each in one.judged)
        table.add_row(one.name, _interval(one.interval, form, unit), bar, met)
    return table


def _interval(interval: Interval, form: str, unit: float = 1) -> str:
    ends = (interval.median, interval.low, interval.high)
    median, low, high = (form.format(each * unit) for each in ends)
    return f"{median} [{low} - {high}]"
