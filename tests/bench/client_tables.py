"""The tables of `bench client`.

Called by __main__. Only rendering: what is compared with which bar is decided by the suites.
"""

from collections.abc import Sequence

from rich.table import Table

from . import client_suite, client_trips
from .statistic import Interval


def of_client(results: Sequence[client_suite.Result]) -> Table:
    """A row for each front of each kind of work."""
    table = Table(title="a Python program on one core: million messages/s through a relay")
    table.add_column("work", no_wrap=True)
    table.add_column("front", no_wrap=True)
    for heading in ("median [95 %]", "bar", "met", "its ns a message", "busy", "kept"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        bar = result.row.bar
        table.add_row(
            result.row.title if result.front == client_suite.FRONTS[0] else "",
            result.front,
            _interval(result.rate, 1e-6),
            "" if bar is None else f"{bar * 1e-6:.0f}",
            "".join(each.met for each in result.judged),
            f"{result.cpu.median:.0f}",
            f"{result.busy:.0%}",
            f"{result.kept:.0%}",
        )
    return table


def of_trips(result: client_trips.Result) -> Table:
    """A row for each contender: microseconds, and how many times as long as ours it takes."""
    table = Table(title="round trip of two hops: us, and times what ours of the same kind takes")
    table.add_column("contender", no_wrap=True)
    for percentile in client_trips.PERCENTILES:
        table.add_column(f"{percentile} us [95 %]", justify="right", no_wrap=True)
        table.add_column("times [95 %]", justify="right", no_wrap=True)
    for name in result.samples:
        cells = []
        for percentile in client_trips.PERCENTILES:
            ours = client_trips.OURS[name] == name
            cells.append(_interval(result.microseconds(name, percentile), 1, "{:.0f}"))
            cells.append("" if ours else _interval(result.times(name, percentile)))
        table.add_row(name, *cells)
    if result.left_out:
        table.caption = "left out: " + "; ".join(result.left_out.values())
    return table


def _interval(interval: Interval, unit: float = 1, form: str = "{:.2f}") -> str:
    ends = (interval.median, interval.low, interval.high)
    median, low, high = (form.format(each * unit) for each in ends)
    return f"{median} [{low} - {high}]"
