"""The tables of `bench scale`. Called by suites. Only rendering."""

from collections.abc import Sequence

from rich.table import Table

from .scale_rows import UNITS, Result
from .statistic import Interval, median_interval


def of_figures(results: Sequence[Result]) -> Table:
    """Everything that was measured beside, by contender."""
    table = Table(title="figures")
    table.add_column("what", max_width=52)
    table.add_column("who", no_wrap=True)
    table.add_column("median [95 %]", justify="right", no_wrap=True)
    table.add_column("unit", max_width=50)
    for result in results:
        title = result.title
        if result.left_out:
            table.add_row(title, "", "", f"left out: {result.left_out}")
        for who, figures in result.figures.items():
            name = who
            for what, values in figures.items():
                unit, by = UNITS[what]
                table.add_row(title, name, shown(median_interval(values), by), unit)
                title = name = ""
        table.add_section()
    return table


def shown(of: Interval, by: float) -> str:
    """`1.50 [1.20 - 1.80]`, with as many digits as say something."""
    digits = 3 if abs(of.median / by) < 0.1 else 2 if abs(of.median / by) < 100 else 0
    median, low, high = (f"{each / by:,.{digits}f}" for each in (of.median, of.low, of.high))
    return f"{median} [{low} - {high}]"
