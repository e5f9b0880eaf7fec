"""The tables of `bench growth`. Called by suites. Only rendering."""

from collections.abc import Sequence

from rich.table import Table

from .growth import FACTORS, Result
from .growth_model import ERROR_BAR, Model


def of_points(results: Sequence[Result], model: Model) -> Table:
    """A line for each point, in the order in which one thing grows, those of the test last."""
    table = Table(title="what a message costs a relay as one thing grows")
    table.add_column("grows", no_wrap=True)
    headings = ("consumers", "bytes", "producers", "behind", "a write", "paced at", "messages/s",
                "ns a message", "ns a delivery", "frames a read", "model")  # fmt: skip
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    factor = FACTORS[0]
    for result, error in zip(results, model.errors, strict=True):
        point = result.point
        if point.factor != factor:
            table.add_section()
        table.add_row(
            "" if point.factor == factor and table.row_count else point.factor or "test",
            *(f"{each:,}" for each in (point.consumers, point.size, point.producers,
                                       point.behind, point.write)),
            f"{point.rate:,}" if point.rate else "",
            f"{result.run.rate:,.0f}",
            f"{result.message_ns:,.0f}",
            f"{result.run.cpu_ns:,.1f}",
            f"{result.frames / max(result.turns[0], 1):,.1f}",
            f"{error:+.0%}",
        )  # fmt: skip
        factor = point.factor
    table.caption = "model: how far it is from what was measured"
    return table


def of_model(model: Model) -> Table:
    """What each term takes, and how far the model is from points that it has not seen."""
    table = Table(title="CPU of a relay in ns: the sum of so many times each")
    for term in model.ns:
        table.add_column(f"a {term}", justify="right", no_wrap=True)
    table.add_row(*(f"{each:,.3g}" for each in model.ns.values()))
    table.caption = (
        f"worst error: {model.worst:.0%} of the points kept out of the fit (wanted: "
        f"{ERROR_BAR:.0%}), {model.worst_fitted:.0%} of those in it"
    )
    return table
