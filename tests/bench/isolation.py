"""`bench isolation`: what stopped consumers, a scraper and `relays top` do to the others.

Called by suites. In each round of a row three runs are made in a seeded random order: with what may
disturb, without it, and without it again. The ratio of the first to the second is beside that of
the third to the second (A/A). Where it is watched there is a fourth, with a stranger instead: what
anything does that wants as much of a processor. What one run is, is isolation_runs'; what each row
means is in README.md.
"""

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from . import servers, watchers
from .bars import Judged
from .isolation_runs import SESSION, Run, measure, wait_until_ready
from .latency import PERCENTILES
from .runs import Load, workspace
from .scale_runs import Group
from .servers import Server
from .statistic import SEED, Interval, median_interval, ratio
from .throughput import WARMING_FRAMES

RATE = "rate"
WITH, WITHOUT, AGAIN, STRANGER = "with", "without", "without again", "with a stranger"
# Consumers of a row, those that are stopped among them.
CONSUMERS = 8
# Where a frame comes each 100 us, those that are stopped are to be cut off within a run too, not
# after 80 s: the kernel takes some 100 frames for each of them, and 4,000 later its breaker opens.
SOON = ("send_buffer=65536", "circuit_breaker=4000", "max_queue_size=8000")
# Nobody is cut off while a log's pages are touched: frames unread, and bytes of a block.
CAREFUL_WINDOW, CAREFUL_BLOCK = 2_048, 64 * 1024
CROWD = 1_000
ROOM = ("max_connections=2048", "max_connections_per_user=2048")
# One frame goes to 1,000: a relay has some 1.5 ms of work with it, they have 2 on the same
# processors. At half of this the p99 of those that nobody watches is the tail of the frame before.
PACES = {"paced": 100_000, "watched": 10_000_000}
LEAST_TIMED = 100
WARMUPS = {"paced": 500, "watched": 50}


@dataclass(frozen=True)
class Row:
    """One thing that is measured: `stopped` of CONSUMERS, or, with `watched`, so many beside the
    one that is timed. `pace` is a key of PACES, empty for as quick as they go."""

    name: str
    title: str
    stopped: int = 0
    pace: str = ""
    watched: int = 0

    @property
    def bar(self) -> tuple[str, float]:
        """What it is about, and the most or, of a rate, the least that its ratio may be."""
        return ("p99", 1.25) if self.pace else (RATE, 0.95)

    @property
    def runs(self) -> tuple[str, ...]:
        """What is measured in each round."""
        return (WITH, WITHOUT, AGAIN, *((STRANGER,) if self.watched else ()))

    @property
    def whats(self) -> tuple[str, ...]:
        return PERCENTILES if self.pace else (RATE,)


def _rows() -> tuple[Row, ...]:
    stopped = [
        Row(f"{kind}-{name}", f"{count} of {CONSUMERS} stopped, {how}", count, pace)
        for kind, pace, how in (("rate", "", "flat out"), ("paced", "paced", "one frame / 100 us"))
        for name, count in (("1", 1), ("2", 2), ("half", CONSUMERS // 2))
    ]
    title = f"scraped at 10 Hz, relays top, {CROWD:,} consumers"
    return (*stopped, Row("watched", title, pace="watched", watched=CROWD))


ROWS = {row.name: row for row in _rows()}


@dataclass(frozen=True)
class Plan:
    """How much is sent in a run: frames flat out, at one each 100 us, and watched."""

    frames: int
    paced: int
    watched: int
    rounds: int
    load: Load = field(default_factory=lambda: Load(count=1))


@dataclass(frozen=True)
class Result:
    """All runs of one row, by what `row.runs` names."""

    row: Row
    load: Load
    settings: tuple[str, ...]
    samples: dict[str, list[Run]]

    def figures(self, name: str, what: str) -> list[float]:
        """Messages/s to each consumer, or a percentile of the worst consumer in us."""
        timed = [run.timed for run in self.samples[name]]
        return [each.rate if what == RATE else each.latency_us(what) for each in timed]

    def median(self, name: str, what: str) -> Interval:
        return median_interval(self.figures(name, what))

    def ratio(self, name: str, what: str) -> Interval:
        """That of `name` by that without, round by round."""
        return ratio(self.figures(name, what), self.figures(WITHOUT, what))

    @property
    def judged(self) -> Judged:
        what, limit = self.row.bar
        figure, control = (self.ratio(name, what) for name in (WITH, AGAIN))
        return Judged(f"{self.row.title}: {what}", WITHOUT, figure, limit, what == RATE, control)

    @property
    def ends(self) -> dict[str, int]:
        """What became of those that were stopped, in all runs."""
        groups = [group for run in self.samples[WITH] for group in run.beside]
        told = {name: sum(int(group[name]) for group in groups) for name in ("closed", "gapped")}
        return {"everything": sum(group["connections"] for group in groups) - sum(told.values()),
                **told}  # fmt: skip

    @property
    def watchers(self) -> dict[str, Interval]:
        """Scrapes a second, and ms of one."""
        seen = [run.watchers for run in self.samples[WITH] if run.watchers]
        if not seen:
            return {}
        took = [ns / 1e6 for each in seen for ns in each["scrape_ns"]]
        return {
            "scrapes_a_second": median_interval([each["scrapes_a_second"] for each in seen]),
            "scrape_ms": median_interval(took),
        }

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with what the tables say."""
        return {
            **asdict(self),
            "medians": {
                name: {what: asdict(self.median(name, what)) for what in self.row.whats}
                for name in self.samples
            },
            "ratios": {
                name: {what: asdict(self.ratio(name, what)) for what in self.row.whats}
                for name in self.samples
                if name != WITHOUT
            },
            "ends": self.ends,
            "watchers": {name: asdict(each) for name, each in self.watchers.items()},
        }


def run(plan: Plan, rows: Sequence[Row], progress: Callable[[str], None]) -> list[Result]:
    """Measures the rows. Raises RunFailed at the first run that does not count."""
    chance = random.Random(SEED)
    warming = replace(
        plan.load,
        window=CAREFUL_WINDOW,
        block=CAREFUL_BLOCK,
        count=min(WARMING_FRAMES, plan.frames),
    )
    made = []
    for row in rows:
        load = _load(row, plan)
        settings = ROOM if row.watched else SOON if row.pace else ()
        with ExitStack() as stack:
            # Of those with stopped consumers there are two: with and without are never the same
            # relay, nor are without and without again. Watchers come and go at one.
            running = [_start(stack, row, load, settings) for _ in range(1 if row.watched else 2)]
            for server in running:
                progress(f"isolation: {row.title}: warming")
                measure(server, warming)
            samples: dict[str, list[Run]] = {name: [] for name in row.runs}
            for turn in range(plan.rounds):
                one, other = running[turn % len(running)], running[(turn + 1) % len(running)]
                for name in chance.sample(list(samples), len(samples)):
                    progress(f"isolation: {row.title}: round {turn + 1} of {plan.rounds}, {name}")
                    server = other if name == WITHOUT else one
                    samples[name].append(_measure(server, row, load, name))
        made.append(Result(row, load, settings, samples))
    return made


def _load(row: Row, plan: Plan) -> Load:
    """What those are given that are timed."""
    load = replace(plan.load, consumers=1 if row.watched else CONSUMERS - row.stopped)
    if not row.pace:
        return replace(load, count=plan.frames, warmup=min(load.warmup, plan.frames // 4))
    count = plan.watched if row.watched else plan.paced
    return replace(
        load, mode="latency", count=count, interval=PACES[row.pace], warmup=WARMUPS[row.pace]
    )


def _start(stack: ExitStack, row: Row, load: Load, settings: tuple[str, ...]) -> Server:
    folder = stack.enter_context(workspace())
    metrics = "0" if row.watched else "off"
    server = stack.enter_context(servers.relay(folder, load.pins.server, settings, metrics))
    wait_until_ready(server)
    return server


def _measure(server: Server, row: Row, load: Load, name: str) -> Run:
    if not row.watched:
        groups = _groups(row.stopped) if name == WITH else []
        return measure(server, load, groups, stopped=True)
    with workspace() as folder, ExitStack() as stack:
        pins, seen = load.pins.consumers, None
        if name == WITH:
            seen = stack.enter_context(watchers.watching(server, folder, pins))
        elif name == STRANGER:
            stack.enter_context(watchers.stranger(folder, pins))
        done = measure(server, load, _groups(row.watched))
        if seen is None:
            return done
        begin, end = _timed(done)
        return replace(done, watchers=seen.during(begin, end, row.watched))


def _groups(connections: int) -> list[Group]:
    """Half of them say nothing, half of them say Hello."""
    sessions = connections // 2
    groups = [Group(connections - sessions, "verify"), Group(sessions, "verify", SESSION)]
    return [group for group in groups if group.connections]


def _timed(done: Run) -> tuple[int, int]:
    """When the clock ran, in ns of the monotonic clock."""
    timed = done.timed
    return timed.producer["start_ns"], max(each["last_ns"] for each in timed.consumers)
