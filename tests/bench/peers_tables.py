"""The tables of `bench peers`.

Called by __main__ and peers_report. Only rendering: what is compared with which bar is decided by
peers_suite.
"""

from collections.abc import Iterator, Sequence

from rich.table import Table

from .peers_suite import RATE, RELAY, Judged, Result
from .statistic import Interval

COMPARED = ("p50", "p99")


def of_peers(results: Sequence[Result], left_out: Sequence[str]) -> Iterator[Table]:
    """A table of all that is a rate, one of each kind of latency, and one of the bars."""
    rates = [result for result in results if not result.row.interval]
    if rates:
        yield _rates(rates)
    yield from (_latency(result) for result in results if result.row.interval)
    yield _bars(results, left_out)


def _rates(results: Sequence[Result]) -> Table:
    table = Table(title="million messages/s to each consumer, 64-byte Trades")
    table.add_column("consumers", justify="right")
    table.add_column("contender", no_wrap=True)
    headings = ("median [95 %]", "deliveries", "relay / it [95 %]", "CPU ns", "server", "driver")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    table.caption = (
        "deliveries: million/s to all; CPU ns: of the server for a delivery; server, driver: "
        "processors that the server and its busiest driver kept busy"
    )
    for result in results:
        for name in result.samples:
            median = result.median(name, RATE)
            server, driver = result.cores(name)
            table.add_row(
                str(result.row.consumers) if name == RELAY else "",
                name,
                interval(median, 1e-6, 3),
                f"{median.median * result.row.consumers / 1e6:.2f}",
                "" if name == RELAY else interval(result.ratio(name, RATE)),
                f"{result.cpu_ns(name).median:,.1f}",
                f"{server:.2f}",
                f"{driver:.2f}",
            )
        table.add_section()
    return table


def _latency(result: Result) -> Table:
    table = Table(title=f"latency in us, {result.row.title}")
    table.add_column("contender", no_wrap=True)
    headings = ["p50 [95 %]", "p99 [95 %]", "p99.9", "relay / its p50", "relay / its p99"]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for name in result.samples:
        cells = [interval(result.median(name, what), 1, 0) for what in COMPARED]
        cells.append(f"{result.median(name, 'p99_9').median:,.0f}")
        if name != RELAY:
            cells += [interval(result.ratio(name, what)) for what in COMPARED]
        table.add_row(name, *cells)
    if result.row.due:
        table.caption = (
            "from when a frame should have been sent: at the relay "
            f"{result.late:.0%} of them were sent 20 us or more after that"
        )
    return table


def _bars(results: Sequence[Result], left_out: Sequence[str]) -> Table:
    table = Table(title="bars: the relay's ratio to others, and beside it to a second relay (A/A)")
    for heading in ("what", "of", "ratio [95 %]", "A/A [95 %]", "bar", "met"):
        numeric = heading not in ("what", "of", "met")
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=True)
    for result in results:
        for judged in result.judged:
            table.add_row(
                f"{result.row.title}, {named(judged.bar.what)}",
                judged.name if judged.bar.of else f"hardest peer: {judged.name}",
                interval(judged.ratio),
                interval(judged.control),
                _limit(judged),
                judged.met,
            )
    if left_out:
        table.caption = "left out: " + "; ".join(left_out)
    return table


def _limit(judged: Judged) -> str:
    if judged.bar.what == RATE:
        return f"at least {judged.bar.limit:g}"
    return "below 1" if judged.bar.limit == 1 else f"at most {judged.bar.limit:g}"


def named(what: str) -> str:
    """`"p99_9"` -> `"p99.9"`."""
    return what.replace("_", ".")


def interval(of: Interval, unit: float = 1, digits: int = 2) -> str:
    """`1.50 [1.20 - 1.80]`."""
    median, low, high = (f"{each * unit:,.{digits}f}" for each in (of.median, of.low, of.high))
    return f"{median} [{low} - {high}]"
