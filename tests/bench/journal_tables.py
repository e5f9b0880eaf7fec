"""The tables of the journal bench.

Called by __main__. Only rendering: what is compared with which bar is decided by the suites.
"""

from collections.abc import Sequence

from rich.table import Table

from . import journal_acks, journal_rates, journal_read, journal_restart, journal_write
from .statistic import Interval, median_interval, summary

WRITERS = {
    "off": "relay without a journal",
    "interval": 'relay, journal_sync = "interval"',
    "write": "buffered write of the bytes",
}
ACKED = {
    "off": "relay without a journal",
    "batch": 'relay, journal_sync = "batch"',
    "raw": "write and fdatasync of 64 bytes",
}


def of_reading(results: Sequence[journal_read.Result]) -> Table:
    """A row for each task of each journal."""
    cold_bar, warm_bar = f"{journal_read.COLD_BAR:.1f}", f"{journal_read.WARM_BAR * 1e-6:.0f}"
    table = Table(title="a journal read back: beside dd with cold caches, and with warm ones")
    table.add_column("journal", max_width=18)
    for heading in ("task", "dd MB/s"):
        table.add_column(heading, no_wrap=True)
    of_dd, rate = "of dd [95 %]", "million frames/s,\nwarm [95 %]"
    for heading in (of_dd, f"bar\n{cold_bar}", rate, f"bar\n{warm_bar}"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        dd = summary([result.bytes / each / 1e6 for each in result.cold["dd"]])
        for number, task in enumerate(journal_read.TASKS):
            cold, warm = result.judge(task)
            table.add_row(
                "" if number else f"{result.name}, {result.bytes >> 20:,} MiB",
                task,
                "" if number else f"{dd.median:.0f} ({dd.least:.0f} - {dd.greatest:.0f})",
                _interval(result.of_dd(task)),
                cold.met,
                _interval(result.checking(task), 1e-6),
                warm.met,
            )
    return table


def of_writing(result: journal_write.Result) -> Table:
    """A row for each contender, and the bar of the one with a journal."""
    size = result.count * journal_write.FRAME
    table = Table(title=f"{result.count:,} messages a run, {size >> 20:,} MiB")
    table.add_column("who", no_wrap=True)
    for heading in ("million messages/s [95 %]", "of the smaller other [95 %]", "bar", "met"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, what in WRITERS.items():
        said = ("", "", "")
        if name == "interval":
            said = (_interval(result.of_smaller), f"{journal_write.BAR:.1f}", result.judged[0].met)
        table.add_row(what, _interval(result.rate(name), 1e-6), *said)
    return table


def of_acks(result: journal_acks.Result) -> Table:
    """A row for each contender: the median time of an Ack."""
    table = Table(title=f"one message at a time until it is acknowledged, {result.count:,} a run")
    table.add_column("who", no_wrap=True)
    for heading in ("us [95 %]", "compared [95 %]", "bar", "met"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, what in ACKED.items():
        said = ("", "", "")
        if name == "batch":
            added = f"journal adds {_interval(result.of_raw)} raw"
            said = (added, f"{journal_acks.BAR:.1f}", result.judged[0].met)
        table.add_row(what, _interval(result.microseconds(name)), *said)
    return table


def of_rates(result: journal_rates.Result) -> Table:
    """A row for each promise and each number of messages that may wait for it."""
    table = Table(title="acknowledged messages of 64 bytes, thousand/s")
    table.add_column("promise, at most so many wait", no_wrap=True)
    for heading in ("relay [95 %]", "JetStream [95 %]", "times JetStream's [95 %]"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row, rates in result.relay.items():
        said = (result.left_out, "")
        if (times := result.times(row)) is not None:
            said = (_interval(median_interval(result.jetstream[row]), 1e-3), _interval(times))
        table.add_row(row, _interval(median_interval(rates), 1e-3), *said)
    return table


def of_restart(result: journal_restart.Result) -> Table:
    """A row for each contender."""
    table = Table(title=f"start with {result.count:,} messages on the disk, cold caches")
    table.add_column("who", no_wrap=True)
    for heading in ("s [95 %]", "times the relay's [95 %]"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name in result.seconds:
        times = "" if name == journal_restart.RELAY else _interval(result.times(name))
        table.add_row(name, _interval(result.taken(name)), times)
    if result.left_out:
        table.add_row("JetStream", result.left_out, "")
    return table


def _interval(interval: Interval, unit: float = 1.0) -> str:
    shown = (f"{each * unit:.2f}" for each in (interval.median, interval.low, interval.high))
    return "{} [{} - {}]".format(*shown)
