"""The report of a soak: verdicts, JSON, and the picture. Called by `tests.soak.__main__`."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.soak.growth import LATENCIES, MIB, TESTED, Growth, growth
from tests.soak.sampling import Sample

Verdicts = dict[str, Growth]
# What is drawn above each other: (title, what, the unit in terms of the samples').
ROWS = (
    ("RSS, MiB", "rss", MIB),
    ("PSS, what is its own, MiB", "pss", MIB),
    ("log and state touched, MiB", "shared", MIB),
    ("descriptors", "descriptors", 1),
    ("threads", "threads", 1),
    ("latency p50, us", "p50", 1e-6),
    ("latency p99, us", "p99", 1e-6),
    ("messages/s", "messages/s", 1),
)


def series(samples: Sequence[Sample]) -> dict[str, list[float]]:
    """Every number that was sampled, by its name."""
    names = dict.fromkeys(name for sample in samples for name in sample if name != "seconds")
    return {name: [sample[name] for sample in samples if name in sample] for name in names}


def verdicts(samples: Sequence[Sample]) -> Verdicts:
    """How much each series that is to stay as it is grew."""
    found = {}
    for name, numbers in series(samples).items():
        grown = growth(kind(name), numbers) if kind(name) in TESTED else None
        if grown is not None:
            found[name] = grown
    return found


def kind(name: str) -> str:
    return name.partition(": ")[2]


def lines(found: Verdicts) -> list[str]:
    """A table of the verdicts."""
    rows = [f"{'':<34}{'level':>11}{'grew by':>11}{'95 % from':>11}{'to':>11}{'allowed':>11}"]
    for name, one in found.items():
        unit = next(unit for _, what, unit in ROWS if what == kind(name))
        numbers = (one.level, one.estimate, one.low, one.high, one.tolerance)
        cells = "".join(f"{number / unit:>11.2f}" for number in numbers)
        rows.append(f"{name:<34}{cells}  {'GROWS' if one.has_failed else 'steady'}")
    return rows


def write(folder: Path, samples: Sequence[Sample], demo: Mapping[str, Any]) -> Verdicts:
    """Write soak.json and soak.png into a folder; gives the verdicts."""
    found = verdicts(samples)
    told = {
        "minutes": samples[-1]["seconds"] / 60 if samples else 0,
        "accounted_for": demo["accounted_for"], "source": demo["source"],
        "relays": demo["relays"],
        "growth": {name: asdict(one) for name, one in found.items()}, "samples": list(samples),
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "soak.json").write_text(json.dumps(told, indent=1) + "\n")
    draw(folder / "soak.png", samples, found, told)
    return found


def draw(path: Path, samples: Sequence[Sample], found: Verdicts, told: Mapping[str, Any]) -> None:
    """Every series over time, a process a colour: what was sampled thin, the median around it
    thick. A legend says the level and by how much that grew; what failed is in a broken line."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(4, 2, figsize=(16, 17), sharex=True, layout="constrained")
    processes = list(dict.fromkeys(name.partition(": ")[0] for name in series(samples)))
    for axis, (title, what, unit) in zip(axes.T.flat, ROWS, strict=True):
        for number, process in enumerate(processes):
            name = f"{process}: {what}"
            points = [(s["seconds"] / 60, s[name] / unit) for s in samples if name in s]
            if points:
                label = f"{process}{_said(found.get(name), unit)}"
                failed = name in found and found[name].has_failed
                _plot(axis, points, f"C{number}", label, failed)
        _dress(axis, title, what)
    for axis in axes[-1]:
        axis.set_xlabel("minutes")
    grown = [name for name, one in found.items() if one.has_failed]
    verdict = f"grows: {', '.join(grown)}" if grown else "nothing grows"
    whole = "every message accounted for" if told["accounted_for"] else "MESSAGES NOT ACCOUNTED FOR"
    figure.suptitle(f"{told['source']}, {told['minutes']:.1f} minutes: {verdict}; {whole}")
    figure.savefig(path, dpi=75)
    plt.close(figure)


def _said(grown: Growth | None, unit: float) -> str:
    return f": {grown.level / unit:,.1f}, {grown.estimate / unit:+,.1f}" if grown else ""


def _plot(
    axis: Any, points: Sequence[tuple[float, float]], colour: str, label: str, failed: bool
) -> None:
    """Lines of processes that are alike would hide each other: each is a little transparent."""
    half = max(1, len(points) // 60)
    times, numbers = zip(*points, strict=True)
    middles = [
        statistics.median(numbers[max(0, at - half) : at + half + 1]) for at in range(len(numbers))
    ]
    axis.plot(times, numbers, color=colour, lw=0.6, alpha=0.3)
    axis.plot(times, middles, color=colour, lw=2, alpha=0.75, ls="--" if failed else "-",
              label=label)  # fmt: skip


def _dress(axis: Any, title: str, what: str) -> None:
    axis.set_title(title, loc="left", fontsize=12)
    axis.grid(alpha=0.3)
    axis.set_yscale("log" if what in LATENCIES else "linear")
    if what in LATENCIES:
        axis.yaxis.get_major_locator().set_params(subs=(1, 2, 5))
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.yaxis.set_minor_formatter(lambda value, _: "")
        low, high = axis.get_ylim()
        axis.set_ylim(low, high * 10)  # room for the legend
    else:
        axis.set_ylim(bottom=0, top=axis.get_ylim()[1] * 1.45)
    axis.legend(fontsize=8, ncols=2, loc="upper left")
