"""The tables of `bench peers`.

Called by suites. Only rendering: what is compared with which bar is decided by
peers_suite.
"""

from collections.abc import Iterator, Sequence

from rich.table import Table

from .peers_suite import RATE, RELAY, Result
from .tables import interval, of_bars

COMPARED = ("p50", "p99")


def of_peers(results: Sequence[Result], left_out: Sequence[str]) -> Iterator[Table]:
    """A table of all that is a rate, one of each kind of latency, and one of the bars."""
    rates = [result for result in results if not result.row.interval]
    if rates:
        yield _rates(rates)
    yield from (_latency(result) for result in results if result.row.interval)
    bars = of_bars([judged for result in results for judged in result.judged])
    if left_out:
        bars.caption = "left out: " + "; ".join(left_out)
    yield bars


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
