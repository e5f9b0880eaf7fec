"""The tables of the journal bench.

Called by __main__. Only rendering: what is compared with which bar is decided by the suites.
"""

from collections.abc import Sequence

from rich.table import Table

from . import journal_read
from .statistic import Interval, summary

MET = {True: "yes", False: "NO"}


def of_reading(results: Sequence[journal_read.Result]) -> Table:
    """A row for each task of each journal."""
    table = Table(title="a journal read back: beside dd with cold caches, and with warm ones")
    table.add_column("journal", no_wrap=True)
    table.add_column("task", no_wrap=True)
    for heading in ("dd MB/s", "of dd [95 %]", "bar", "met"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("million frames/s, warm [95 %]", "bar", "met"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        dd = summary([result.bytes / each / 1e6 for each in result.cold["dd"]])
        for number, task in enumerate(journal_read.TASKS):
            cold, warm = result.met(task)
            table.add_row(
                "" if number else f"{result.name}, {result.bytes >> 20:,} MiB",
                task,
                "" if number else f"{dd.median:.0f} ({dd.least:.0f} - {dd.greatest:.0f})",
                _interval(result.of_dd(task)),
                f"{journal_read.COLD_BAR:.1f}",
                MET[cold],
                _interval(result.checking(task), 1e-6),
                f"{journal_read.WARM_BAR * 1e-6:.0f}",
                MET[warm],
            )
    return table


def _interval(interval: Interval, unit: float = 1.0) -> str:
    shown = (f"{each * unit:.2f}" for each in (interval.median, interval.low, interval.high))
    return "{} [{} - {}]".format(*shown)
