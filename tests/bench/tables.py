"""The results as tables for a terminal.

Called by __main__. Only rendering: what is compared with which bar is decided by the suites.
"""

from collections.abc import Sequence

from rich.table import Table

from . import capacity, latency, snapshots, throughput
from .statistic import Interval, median_interval, ratio, summary


def of_throughput(results: Sequence[throughput.Result]) -> Table:
    """One row a configuration, in million messages/s to each consumer."""
    table = Table(title="million messages/s to each consumer: median (least - greatest)")
    table.add_column("configuration", no_wrap=True)
    for heading in ("relay", "copy loop", "ratio [95 %]", "bars", "met"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        table.add_row(result.configuration.name, *_throughput_row(result))
    return table


def of_latency(result: latency.Result) -> Table:
    """One row a percentile, in microseconds."""
    table = Table(title="latency in us, one frame each 100 us: median (least - greatest) of runs")
    table.add_column("percentile")
    for heading in ("relay", "copy loop", "ratio [95 %]", "bar", "met"):
        table.add_column(heading, justify="right", no_wrap=True)
    for percentile in latency.PERCENTILES:
        table.add_row(percentile.replace("_", "."), *_latency_row(result, percentile))
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
            _interval(compared),
            f"{cpu[0]:.0f} / {cpu[1]:.0f}",
            f"{snapshots.RATIO_BAR:.2f}",
            "yes" if compared.low >= snapshots.RATIO_BAR else "NO",
        )
    return table


def _throughput_row(result: throughput.Result) -> list[str]:
    ours, floor = result.rates("relay"), result.rates("copyloop")
    bar = result.configuration.bar
    row = [_spread(ours, 1e6), _spread(floor, 1e6)]
    if not (ours and floor):
        return [*row, "-", "-", "-"]
    compared = ratio(ours, floor)
    met = [median_interval(ours).low >= bar, compared.low >= throughput.RATIO_BAR]
    return [
        *row,
        _interval(compared),
        f"{bar / 1e6:.0f}, {throughput.RATIO_BAR:.2f}",
        ", ".join("yes" if each else "NO" for each in met),
    ]


def _latency_row(result: latency.Result, percentile: str) -> list[str]:
    ours = result.microseconds("relay", percentile)
    floor = result.microseconds("copyloop", percentile)
    row = [_spread(ours), _spread(floor)]
    if not (ours and floor):
        return [*row, "-", "-", "-"]
    compared = result.ratio(percentile)
    if percentile != "p50":
        return [*row, _interval(compared), "-", "-"]
    met = "yes" if compared.high <= latency.P50_BAR else "NO"
    return [*row, _interval(compared), f"{latency.P50_BAR:.2f}", met]


def _spread(samples: Sequence[float], unit: float = 1) -> str:
    if not samples:
        return "-"
    of = summary(samples)
    return f"{of.median / unit:.1f} ({of.least / unit:.1f} - {of.greatest / unit:.1f})"


def _interval(interval: Interval) -> str:
    return f"{interval.median:.2f} [{interval.low:.2f} - {interval.high:.2f}]"
