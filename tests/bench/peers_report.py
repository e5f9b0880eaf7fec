"""The page of `bench peers --report DIR`: plots, tables, the machine and everybody's settings.

Called by __main__. One file, index.html, that needs no other. matplotlib is imported when a page
is made: nothing else here needs it.
"""

from collections.abc import Mapping, Sequence
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from .machine import one_line
from .peers import PEERS
from .peers_suite import PERCENTILES, RATE, Result
from .peers_tables import named, of_peers
from .throughput import STRICT

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A relay beside its peers</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }}
pre {{ font: 13px/1.3 monospace; overflow-x: auto; background: #f6f6f6; padding: 0.7rem }}
svg {{ max-width: 100%; height: auto }}
</style>
<h1>A relay beside its peers</h1>
<p>{machine}<br>{time}; medians of {rounds} interleaved rounds with bootstrap 95 % intervals.</p>
{plots}
<h2>Tables</h2>
{tables}
<h2>Settings</h2>
{settings}
</html>
"""


def write(
    folder: Path,
    results: Sequence[Result],
    machine: Mapping[str, Any],
    versions: Mapping[str, str],
    left_out: Sequence[str],
) -> Path:
    """Writes index.html into the folder, which is made, and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    path.write_text(
        PAGE.format(
            machine=escape(one_line(dict(machine))),
            time=escape(str(machine["time"])),
            rounds=max(len(runs) for result in results for runs in result.samples.values()),
            plots="\n".join(_plots(results)),
            tables=_tables(results, left_out),
            settings=_settings(versions),
        )
    )
    return path


def _tables(results: Sequence[Result], left_out: Sequence[str]) -> str:
    page = Console(record=True, width=150, file=StringIO())
    for table in of_peers(results, left_out):
        page.print(table)
    return f"<pre>{escape(page.export_text())}</pre>"


def _settings(versions: Mapping[str, str]) -> str:
    relay = "\n".join(STRICT)
    parts = [f"<h3>relay</h3>\n<pre>market_data, defaults and\n{relay}</pre>"]
    for name, said in versions.items():
        settings = escape(PEERS[name].settings)
        parts.append(f"<h3>{name}</h3>\n<p>{escape(said)}</p>\n<pre>{settings}</pre>")
    return "\n".join(parts)


def _plots(results: Sequence[Result]) -> list[str]:
    """The plots as SVG: deliveries by consumers, and percentiles of each kind of latency."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    rates = [result for result in results if not result.row.interval]
    made = []
    if rates:
        figure, axis = plt.subplots(figsize=(11, 5), layout="constrained")
        _draw_rates(axis, rates)
        made.append(_svg(figure))
    for result in results:
        if result.row.interval:
            figure, axis = plt.subplots(figsize=(11, 5), layout="constrained")
            _draw_latency(axis, result)
            made.append(_svg(figure))
    plt.close("all")
    return made


def _svg(figure: Any) -> str:
    into = StringIO()
    figure.savefig(into, format="svg")
    text = into.getvalue()
    return text[text.index("<svg") :]


def _draw_rates(axis: Any, results: Sequence[Result]) -> None:
    names = list(results[0].samples)
    for number, name in enumerate(names):
        consumers = [result.row.consumers for result in results]
        medians = [result.median(name, RATE) for result in results]
        scaled = list(zip(medians, consumers, strict=True))
        middle = [each.median * many / 1e6 for each, many in scaled]
        low = [(each.median - each.low) * many / 1e6 for each, many in scaled]
        high = [(each.high - each.median) * many / 1e6 for each, many in scaled]
        width = 0.8 / len(names)
        at = [place + (number - len(names) / 2 + 0.5) * width for place in range(len(middle))]
        axis.bar(at, middle, width, yerr=(low, high), capsize=2, label=name)
    axis.set_xticks(range(len(results)), [result.row.title for result in results])
    _dress(axis, "deliveries of 64-byte Trades, all consumers together", "million/s")


def _draw_latency(axis: Any, result: Result) -> None:
    places = range(len(PERCENTILES))
    for name in result.samples:
        medians = [result.median(name, what) for what in PERCENTILES]
        axis.plot(places, [each.median for each in medians], marker="o", label=name)
        low, high = [each.low for each in medians], [each.high for each in medians]
        axis.fill_between(places, low, high, alpha=0.12)
    axis.set_xticks(places, [named(what) for what in PERCENTILES])
    _dress(axis, f"latency, {result.row.title}", "us")


def _dress(axis: Any, title: str, unit: str) -> None:
    axis.set_yscale("log")
    axis.set_title(title)
    axis.set_ylabel(unit)
    axis.grid(axis="y", which="both", alpha=0.25)
    axis.legend()
