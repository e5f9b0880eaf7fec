"""The page of --report DIR: plots, tables, the machine, and everybody's settings.

Called by __main__ with what --json writes, and with nothing else: a page can be made again from the
file. One file, index.html, that needs no other. matplotlib is imported when a page is made: nothing
else here needs it.
"""

from collections.abc import Callable, Iterable, Mapping
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

from .machine import one_line
from .plots import Plot

Plots = Callable[[Mapping[str, Any]], Iterable[Plot]]
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 74rem; margin: 2rem auto; padding: 0 1rem }}
pre {{ font: 13px/1.3 monospace; overflow-x: auto; background: #f6f6f6; padding: 0.7rem }}
svg {{ max-width: 100%; height: auto }}
</style>
<h1>{title}</h1>
<p>{machine}<br>{time}</p>
{parts}
</html>
"""


def write(
    folder: Path, written: Mapping[str, Any], plots: Mapping[str, Plots], answers: Mapping[str, str]
) -> Path:
    """Writes index.html into the folder, which is made, and returns its path. `written` is what
    --json writes; the others say how a suite is drawn, and what it answers."""
    folder.mkdir(parents=True, exist_ok=True)
    suites = written["suites"]
    parts = [
        _part(name, answers.get(name, ""), measured, plots.get(name))
        for name, measured in suites.items()
    ]
    path = folder / "index.html"
    path.write_text(
        PAGE.format(
            title=escape(f"Relays measured: {', '.join(suites)}"),
            machine=escape(one_line(dict(written["machine"]))),
            time=escape(str(written["machine"]["time"])),
            parts="\n".join(parts),
        )
    )
    return path


def _part(name: str, answer: str, measured: Mapping[str, Any], plots: Plots | None) -> str:
    made = [f'<h2 id="{escape(name)}">{escape(name)}</h2>\n<p>{escape(answer)}</p>']
    if "failed" in measured:
        return f"{made[0]}\n<p><b>Failed:</b> {escape(measured['failed'])}</p>"
    if plots is not None:
        made += [_svg(plot) for plot in plots(measured)]
    made += [f"<pre>{escape(table)}</pre>" for table in measured["tables"]]
    for who, said in measured.get("settings", {}).items():
        made.append(f"<h3>Settings: {escape(who)}</h3>\n<pre>{escape(said)}</pre>")
    return "\n".join(made)


def _svg(plot: Plot) -> str:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(11, 5), layout="constrained")
    (_draw_lines if plot.line else _draw_bars)(axis, plot)
    axis.set_xticks(range(len(plot.places)), plot.places)
    axis.set_yscale("log")
    axis.set_title(plot.title)
    axis.set_ylabel(plot.unit)
    axis.grid(axis="y", which="both", alpha=0.25)
    axis.legend()
    into = StringIO()
    figure.savefig(into, format="svg")
    plt.close(figure)
    text = into.getvalue()
    return text[text.index("<svg") :]


def _draw_bars(axis: Any, plot: Plot) -> None:
    width = 0.8 / len(plot.series)
    for number, (name, values) in enumerate(plot.series.items()):
        offset = (number - len(plot.series) / 2 + 0.5) * width
        there = [(place, each) for place, each in enumerate(values) if each is not None]
        axis.bar(
            [place + offset for place, _ in there],
            [each.median for _, each in there],
            width,
            yerr=(
                [each.median - each.low for _, each in there],
                [each.high - each.median for _, each in there],
            ),
            capsize=2,
            label=name,
        )


def _draw_lines(axis: Any, plot: Plot) -> None:
    for name, values in plot.series.items():
        there = [(place, each) for place, each in enumerate(values) if each is not None]
        places = [place for place, _ in there]
        axis.plot(places, [each.median for _, each in there], marker="o", label=name)
        low, high = [each.low for _, each in there], [each.high for _, each in there]
        axis.fill_between(places, low, high, alpha=0.12)
