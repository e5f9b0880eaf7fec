"""The page of --report DIR: plots, tables, the machine, and everybody's settings.

Called by __main__ with what --json writes, and with nothing else: a page can be made again from the
file. One file, index.html, that needs no other. matplotlib is imported when a page is made: nothing
else here needs it.
"""

import shlex
from collections.abc import Callable, Iterable, Mapping
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

from .machine import one_line
from .plots import Plot
from .statistic import ENOUGH

NAME = "index.html"
Plots = Callable[[Mapping[str, Any]], Iterable[Plot]]
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 82rem; margin: 2rem auto; padding: 0 1rem }}
pre {{ font: 13px/1.3 monospace; overflow-x: auto; background: #f6f6f6; padding: 0.7rem }}
svg {{ max-width: 100%; height: auto }}
.wide {{ overflow-x: auto }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums }}
td, th {{ padding: 0.15rem 0.8rem 0.15rem 0; text-align: left }}
td:nth-child(2) {{ min-width: 10rem }}
td:nth-child(n+3) {{ white-space: nowrap }}
tr {{ border-bottom: 1px solid #ddd }}
.yes {{ color: #176b2c }} .no {{ color: #b00020; font-weight: bold }} .unclear {{ color: #6b5900 }}
</style>
<h1>{title}</h1>
<p>{machine}<br>{time}{commit}<br><code>{options}</code></p>
<p>{links}</p>
<p>{words}</p>
{bars}
{parts}
</html>
"""
WORDS = (
    "<i>relay again</i> is a second relay of the same kind: what the relay differs from it (A/A), "
    "the machine does; a coloured band, or the line through a point, is the 95 % interval of the "
    "median."
)


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
    path = folder / NAME
    path.write_text(
        PAGE.format(
            title=escape(f"Relays measured: {', '.join(suites)}"),
            words=WORDS,
            commit=escape(f", {written['commit']}" if written.get("commit") else ""),
            machine=escape(one_line(dict(written["machine"]))),
            time=escape(str(written["machine"]["time"])),
            options=escape(_options(written["arguments"])),
            links=" &middot; ".join(f'<a href="#{escape(n)}">{escape(n)}</a>' for n in suites),
            bars=_bars(suites),
            parts="\n".join(parts),
        )
    )
    return path


def _options(arguments: Mapping[str, Any]) -> str:
    """What was asked for, as it can be said again."""
    left_out = ("suite", "json", "report")
    words = ["scripts/bench", arguments["suite"]]
    for name, value in arguments.items():
        if name in left_out or value in ("None", "False", ""):
            continue
        option = f"--{name.replace('_', '-')}"
        for each in value if isinstance(value, list) else [value]:
            words += [option] if each == "True" else [option, each]
    return shlex.join(words)


def _bars(suites: Mapping[str, Mapping[str, Any]]) -> str:
    """One table of the bars of all suites; empty where none has any."""
    rows = [
        _bar(name, bar) for name, measured in suites.items() for bar in measured.get("bars", [])
    ]
    if not rows:
        return ""
    headings = ("suite", "what", "met", "bar", "measured [95 %]", "beside", "A/A [95 %]")
    head = "".join(f"<th>{each}</th>" for each in headings)
    words = (
        "Met when the worse end of the 95 % interval meets it, NO when not even the other does. "
        "A/A: the same thing beside itself; where that could turn a verdict, or leaves the bar "
        "inside the interval, it cannot be measured here. Without A/A the worse end decides. "
        "Intervals of "
        f"fewer than {ENOUGH} rounds (--quick, --pairs) say little, and with them the verdicts."
    )
    table = "\n".join((f'<div class="wide"><table><tr>{head}</tr>', *rows, "</table></div>"))
    return f"<h2>Bars</h2>\n<p>{words}</p>\n{table}"


def _bar(suite: str, bar: Mapping[str, Any]) -> str:
    style = {"yes": "yes", "NO": "no"}.get(bar["met"], "unclear")
    cells = (bar["bar"], _figure(bar["figure"]), bar["of"], _figure(bar["control"]))
    what = f"<td>{escape(suite)}</td><td>{escape(bar['what'])}</td>"
    met = f'<td class="{style}">{escape(bar["met"])}</td>'
    return f"<tr>{what}{met}{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _figure(of: Mapping[str, float] | None) -> str:
    if of is None:
        return ""
    if of["low"] == of["high"]:
        return f"{of['median']:,.2f}"
    return f"{of['median']:,.2f} [{of['low']:,.2f} - {of['high']:,.2f}]"


def _part(name: str, answer: str, measured: Mapping[str, Any], plots: Plots | None) -> str:
    made = [f'<h2 id="{escape(name)}">{escape(name)}</h2>\n<p>{escape(answer)}</p>']
    if "failed" in measured:
        made.append(f"<p><b>Failed:</b> {escape(measured['failed'])}</p>")
        if "tables" not in measured:  # else only some of its rows
            return "\n".join(made)
    if "rounds" in measured:
        made.append(f"<p>{_circumstances(measured)}</p>")
    if plots is not None:
        made += [_svg(plot) for plot in plots(measured)]
    made += [f"<pre>{escape(table)}</pre>" for table in measured["tables"]]
    for who, said in measured.get("settings", {}).items():
        made.append(f"<h3>Settings: {escape(who)}</h3>\n<pre>{escape(said)}</pre>")
    return "\n".join(made)


def _circumstances(measured: Mapping[str, Any]) -> str:
    took = f"{_rounds(measured['rounds'])}, {measured['seconds']:,.0f} s"
    if "others" in measured:  # files of before do not have it
        took += f"; others took {measured['others']:.0%} of the processors"
    return took


def _rounds(rounds: int) -> str:
    return "1 pair or round" if rounds == 1 else f"{rounds} pairs or rounds"


def _svg(plot: Plot) -> str:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    figure, axis = plt.subplots(figsize=(11, 4.5), layout="constrained")
    (_draw_lines if plot.line else _draw_points)(axis, plot)
    axis.set_xticks(range(len(plot.places)), plot.places)
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.set_title(plot.title)
    axis.set_ylabel(plot.unit)
    axis.grid(axis="y", alpha=0.3)
    axis.legend()
    into = StringIO()
    # A page that is made again is the same.
    with mpl.rc_context({"svg.hashsalt": "relays"}):
        figure.savefig(into, format="svg", metadata={"Date": None})
    plt.close(figure)
    text = into.getvalue()
    return text[text.index("<svg") :]


def _draw_points(axis: Any, plot: Plot) -> None:
    """Side by side, with their intervals: the length of a bar says nothing on this axis."""
    width = 0.6 / len(plot.series)
    for number, (name, values) in enumerate(plot.series.items()):
        offset = (number - len(plot.series) / 2 + 0.5) * width
        there = [(place, each) for place, each in enumerate(values) if each is not None]
        axis.errorbar(
            [place + offset for place, _ in there],
            [each.median for _, each in there],
            yerr=(
                [each.median - each.low for _, each in there],
                [each.high - each.median for _, each in there],
            ),
            fmt="o",
            capsize=4,
            label=name,
        )
    for between in range(1, len(plot.places)):
        axis.axvline(between - 0.5, color="0.9")


def _draw_lines(axis: Any, plot: Plot) -> None:
    for name, values in plot.series.items():
        there = [(place, each) for place, each in enumerate(values) if each is not None]
        places = [place for place, _ in there]
        axis.plot(places, [each.median for _, each in there], marker="o", label=name)
        low, high = [each.low for _, each in there], [each.high for _, each in there]
        axis.fill_between(places, low, high, alpha=0.12)
