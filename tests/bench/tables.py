"""The results as tables for a terminal.

Called by suites. Only rendering: what is compared with which bar is decided by the suites.
"""

from collections.abc import Sequence

from rich.table import Table

from . import capacity, isolation, latency, sizes, snapshots, throughput
from .bars import Judged
from .statistic import Interval, median_interval, summary


def of_throughput(results: Sequence[throughput.Result]) -> Table:
    """One row a configuration, in million messages/s to each consumer."""
    table = Table(title="million messages/s to each consumer: median (least - greatest)")
    table.add_column("configuration", no_wrap=True)
    headings = ("relay", "copy loop", "ratio [95 %]", "A/A [95 %]", "CPU ns", "copy loop's")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    table.caption = "CPU ns: of the server for a delivery. A/A: the relay beside a second one"
    for result in results:
        both = (throughput.RELAY, throughput.FLOOR)
        compared = [
            interval(result.ratio(name)) if name in result.samples else "-"
            for name in (throughput.FLOOR, throughput.AGAIN)
        ] if throughput.RELAY in result.samples else ["-", "-"]  # fmt: skip
        table.add_row(
            result.configuration.name,
            *(_spread(result.rates(name), 1e6) for name in both),
            *compared,
            *(f"{result.cpu_ns(n).median:.1f}" if n in result.samples else "-" for n in both),
        )
    return table


def of_sizes(results: Sequence[sizes.Result]) -> Table:
    """One row a size."""
    table = Table(title="by size of a frame, 1 consumer, every check on: million bytes/s [95 %]")
    headings = ("bytes", "relay", "copy loop", "ratio [95 %]", "A/A [95 %]", "messages/s", "CPU ns")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        shown = throughput.RELAY if throughput.RELAY in result.samples else throughput.FLOOR
        table.add_row(
            f"{result.size:,}",
            *(
                interval(result.megabytes(n), 1, 0) if n in result.samples else "-"
                for n in (throughput.RELAY, throughput.FLOOR)
            ),
            *(
                interval(result.ratio(n)) if n in result.others else "-"
                for n in (throughput.FLOOR, throughput.AGAIN)
            ),
            f"{result.rate(shown).median:,.0f}",
            f"{result.cpu_ns(shown).median:,.0f}",
        )
    return table


def of_latency(result: latency.Result) -> Table:
    """One row a percentile, in microseconds."""
    row = result.row
    table = Table(title=f"latency in us, {row.title}: median (least - greatest) of runs")
    table.add_column("percentile")
    for heading in (row.first, row.of, "ratio [95 %]", "A/A [95 %]"):
        table.add_column(heading, justify="right", no_wrap=True)
    for what in latency.PERCENTILES:
        table.add_row(
            what.replace("_", "."),
            *(_spread(result.microseconds(name, what)) for name in (row.first, row.of)),
            interval(result.compared(what)),
            interval(result.control(what)),
        )
    return table


def of_isolation(results: Sequence[isolation.Result]) -> Table:
    """One row for each thing that may disturb, and what became of those beside."""
    table = Table(title="isolation: the others with what may disturb, and without: median [95 %]")
    table.add_column("what")
    headings = ("with", "without", "had everything", "told by a Gap", "by the end", "scrapes/s, ms")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    table.caption = (
        "flat out: million messages/s to each of the others; else the p99 of the worst of them in "
        "us. Of those beside: how many, in all runs"
    )
    for result in results:
        what = result.row.bar[0]
        unit, digits = (1e-6, 2) if what == isolation.RATE else (1, 0)
        both = (isolation.WITH, isolation.WITHOUT)
        table.add_row(
            result.row.title,
            *(interval(result.median(name, what), unit, digits) for name in both),
            *(f"{result.ends[name]:,}" for name in ("everything", "gapped", "closed")),
            ", ".join(f"{each.median:.1f}" for each in result.watchers.values()),
        )
        if isolation.STRANGER in result.samples:
            beside = result.median(isolation.STRANGER, what)
            table.add_row("  a stranger who works as much, instead", interval(beside, unit, digits))
    return table


def of_bars(bars: Sequence[Judged]) -> Table:
    """What was asked, what was measured, and whether that is shown."""
    table = Table(title="bars: the worse end of the 95 % interval decides; A/A: the same by itself")
    for heading in ("what", "of", "measured [95 %]", "A/A [95 %]", "bar", "met"):
        numeric = heading not in ("what", "of", "met")
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=True)
    for judged in bars:
        control = "" if judged.control is None else interval(judged.control)
        measured = interval(judged.figure)
        table.add_row(judged.what, judged.of, measured, control, judged.said, judged.met)
    return table


def of_capacity(rows: Sequence[capacity.Row]) -> Table:
    """One row a number of consumers and rate."""
    table = Table(title="what one relay needs (64-byte messages)")
    headings = ("consumers", "messages/s", "deliveries/s", "of a core", "CPU ns a delivery", "MiB")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            f"{row.consumers:,}", f"{row.rate:,.0f}", f"{row.rate * row.consumers:,.0f}",
            f"{row.core:.1%}", f"{row.cpu_ns:,.0f}", f"{row.memory / 2**20:,.0f}",
        )  # fmt: skip
    return table


def of_snapshots(results: Sequence[snapshots.Result]) -> Table:
    """One row for each kind of message, in million messages/s."""
    table = Table(title="million messages/s with snapshots on and off: median (least - greatest)")
    table.add_column("sent", no_wrap=True)
    for heading in ("on", "off", "ratio [95 %]", "CPU ns, on / off", "bar", "met"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        compared = result.ratio
        cpu = [
            median_interval([each.server_cpu_ns_per_frame for each in result.samples[which]]).median
            for which in ("on", "off")
        ]
        table.add_row(
            result.name,
            *(_spread(result.rates(which), 1e6) for which in ("on", "off")),
            interval(compared),
            f"{cpu[0]:.0f} / {cpu[1]:.0f}",
            result.judged[0].said,
            result.judged[0].met,
        )
    return table


def _spread(samples: Sequence[float], unit: float = 1) -> str:
    if not samples:
        return "-"
    of = summary(samples)
    return f"{of.median / unit:.1f} ({of.least / unit:.1f} - {of.greatest / unit:.1f})"


def interval(of: Interval, unit: float = 1, digits: int = 2) -> str:
    """`1.50 [1.20 - 1.80]`."""
    median, low, high = (f"{each * unit:,.{digits}f}" for each in (of.median, of.low, of.high))
    return f"{median} [{low} - {high}]"
