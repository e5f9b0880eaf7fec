"""What `relays top` shows, apart from the screen: two readings of a relay's state become rates.

Called by `top_screen` and tests. No terminal, no clock: a reading brings its own time. What the
numbers mean is decided by `relays.edge.status`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from protocol._core.state import BUCKET_BOUNDS_NS, State
from relays.edge.status import SECOND, described, look

BARS = "▁▂▃▄▅▆▇█"
KEPT = 120
SEVERITY = {"open": 3, "half_open": 2, "replaying": 1, "closed": 0}
FLOWS = ("received", "received_bytes", "rejected", "delivered", "delivered_bytes", "dropped")
PER_CONSUMER = ("delivered", "dropped")
PER_PRODUCER = ("accepted", "rejected")
UNITS = ("", "k", "M", "G", "T", "P", "E")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """One relay at one moment: `at` seconds of a clock that only goes forward, its status (None
    for one that has never run, or cannot be read because of `problem`), its latency buckets."""

    domain: str
    at: float
    status: Row | None = None
    ingress: tuple[int, ...] = ()
    forward: tuple[int, ...] = ()
    problem: str = ""


def reading(domain: str, state: State, memory: Path, at: float) -> Reading:
    """Look at a relay's state once. Raises RelayError when that is damaged."""
    seen = look(state)
    counters = seen.counters
    return Reading(
        domain, at, described(domain, seen, memory),
        tuple(counters["ingress"]["bucket"]), tuple(counters["forward"]["bucket"]),
    )  # fmt: skip


class Latency(NamedTuple):
    """Percentiles of what was observed between two readings, seconds; None where nothing was."""

    p50: float | None
    p99: float | None
    p999: float | None


NOTHING = Latency(None, None, None)


@dataclass(frozen=True)
class View:
    """One relay as it is shown. `rates` are per second, empty until there are two readings of one
    log; consumers and producers are the rows of status with `domain`, `rate` and `worse` (None: not
    known yet) and `behind` (lag, or what an open breaker has kept from it) beside them."""

    domain: str
    status: Row | None
    problem: str = ""
    rates: Mapping[str, float] = field(default_factory=dict)
    ingress: Latency = NOTHING
    forward: Latency = NOTHING
    consumers: Sequence[Row] = ()
    producers: Sequence[Row] = ()


def compare(before: Reading | None, after: Reading) -> View:
    """What happened between two readings of a relay.

    A log that was replaced has no rates yet, and a relay that was restarted none of its
    connections: their numbers are others'.
    """
    now = after.status
    if now is None:
        return View(after.domain, None, after.problem)
    then = before.status if before is not None else None
    passed = after.at - before.at if before is not None else 0.0
    same_log = then is not None and passed > 0 and then["log"]["log_id"] == now["log"]["log_id"]
    old = then if same_log and then is not None else {}
    same_process = bool(old) and old["started_ns"] == now["started_ns"]
    found = View(
        after.domain, now, after.problem,
        consumers=_with_rates(after.domain, "consumers", PER_CONSUMER, old, now, passed,
                              same_process),
        producers=_with_rates(after.domain, "producers", PER_PRODUCER, old, now, passed,
                              same_process),
    )  # fmt: skip
    if not old or before is None:
        return found
    return View(
        found.domain, now, found.problem, _rates(old, now, passed),
        latency(before.ingress, after.ingress), latency(before.forward, after.forward),
        found.consumers, found.producers,
    )  # fmt: skip


def _rates(old: Row, now: Row, passed: float) -> dict[str, float]:
    return {key: max(0, _total(now, key) - _total(old, key)) / passed for key in FLOWS}


def _total(status: Row, key: str) -> int:
    total = status["totals"][key]
    return sum(total.values()) if isinstance(total, Mapping) else int(total)


def _with_rates(
    domain: str, what: str, keys: tuple[str, str], old: Row, now: Row, passed: float, same: bool
) -> list[dict[str, Any]]:
    """The rows of a table with their rates: of the first key as `rate`, the second as `worse`."""
    before = {row["id"]: row for row in old[what]} if same else {}
    rows = []
    for row in now[what]:
        past = before.get(row["id"])
        good, bad = (
            None if past is None else max(0, row[key] - past[key]) / passed for key in keys
        )
        more = {"domain": domain, "relay_pid": now["pid"], "rate": good, "worse": bad}
        rows.append({**row, **more, "behind": row.get("lag", 0) + row.get("missing", 0)})
    return rows


# --- latency ---


def latency(before: Sequence[int], after: Sequence[int]) -> Latency:
    """The percentiles of what was observed between two readings of a histogram."""
    counts = [max(0, new - old) for old, new in zip(before, after, strict=True)]
    return Latency(*(percentile(counts, part) for part in (0.5, 0.99, 0.999)))


def percentile(counts: Sequence[int], part: float) -> float | None:
    """The value, in seconds, that `part` of the observations do not exceed; None for none.

    Within a bucket they are taken to lie evenly; those beyond the last bound are at it.

    >>> percentile([0, 100] + [0] * 22, 0.5)
    1.5e-06
    """
    wanted, below = part * sum(counts), 0
    if not wanted:
        return None
    for number, count in enumerate(counts):
        if count and below + count >= wanted:
            if number >= len(BUCKET_BOUNDS_NS):
                break
            low = BUCKET_BOUNDS_NS[number - 1] if number else 0
            high = BUCKET_BOUNDS_NS[number]
            return (low + (high - low) * (wanted - below) / count) / SECOND
        below += count
    return BUCKET_BOUNDS_NS[-1] / SECOND


# --- what was ---


class History:
    """The last rates of each relay and flow, for sparklines."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], deque[float]] = {}

    def add(self, view: View) -> None:
        """Keep the rates of one view; a relay that is not known to move has moved nothing."""
        for key in ("received", "delivered"):
            kept = self._kept.setdefault((view.domain, key), deque(maxlen=KEPT))
            kept.append(view.rates.get(key, 0.0))

    def bars(self, domain: str, key: str, width: int) -> str:
        """The last `width` values, the newest on the right."""
        return sparkline(self._kept.get((domain, key), ()), width)


def sparkline(values: Iterable[float], width: int) -> str:
    """Values as bars against the largest of them, in exactly `width` characters.

    >>> sparkline([0, 1, 2, 8], 6)
    '  ▁▂▃█'
    """
    last = list(values)[-width:]
    top = max(last, default=0.0)
    steps = len(BARS) - 1
    bars = "".join(BARS[ceil(value / top * steps) if top else 0] for value in last)
    return bars.rjust(width)


# --- order ---


@dataclass(frozen=True, slots=True)
class Order:
    """What a table is sorted by, and whether from the largest."""

    key: str
    falling: bool = True

    def sorted(self, rows: Iterable[Row]) -> list[Row]:
        """The rows in this order; those that are equal by domain and number."""
        listed = sorted(rows, key=lambda row: (row["domain"], row["id"]))
        return sorted(listed, key=self._value, reverse=self.falling)

    def _value(self, row: Row) -> Any:
        if self.key == "breaker":
            return SEVERITY.get(row["breaker"], 0)
        value = row[self.key]
        return value if value is not None else -1.0


# --- numbers that fit a column ---


def short(value: float | None) -> str:
    """A count in at most five characters.

    >>> [short(n) for n in (None, 0, 999, 1234, 99_999, 1_250_000, 3.2e9)]
    ['-', '0', '999', '1.23k', '100k', '1.25M', '3.2G']
    """
    if value is None:
        return "-"
    if 0 < value < 1:
        return "<1"
    number, unit = float(round(value)), 0
    while number >= 999.5 and unit < len(UNITS) - 1:
        number, unit = number / 1000, unit + 1
    text = f"{number:.0f}" if not unit else f"{number:.3g}"
    return text + UNITS[unit]


def span(seconds: float | None) -> str:
    """A time in at most five characters.

    >>> [span(s) for s in (None, 0.0, 20e-6, 1.25e-3, 0.4, 12.3, 250, 9000)]
    ['-', '0', '20us', '1.2ms', '400ms', '12s', '4m', '2h']
    """
    if seconds is None:
        return "-"
    if seconds <= 0:
        return "0"
    for factor, most, unit in ((1e6, 999.5, "us"), (1e3, 999.5, "ms"), (1.0, 99.5, "s")):
        value = seconds * factor
        if value < most:
            return f"{value:.{1 if value < 9.95 else 0}f}{unit}"
    if seconds < 6000:
        return f"{seconds / 60:.0f}m"
    return f"{seconds / 3600:.0f}h" if seconds < 360_000 else f"{seconds / 86_400:.0f}d"
