"""`bench peers`: a relay beside the copy loop and other brokers, throughput and latency.

Called by __main__. All servers run from the beginning to the end and sleep while it is not their
turn; in each round every contender has one run, in a seeded random order, so that a ratio is of two
runs that are seconds apart. The relay takes part twice: what a ratio of it to itself is, says how
much a ratio can mean on this machine. Who is measured with which settings is peers'.
"""

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from . import peers, servers
from .bars import Judged
from .runs import Load, Sample, measure, workspace
from .servers import Server
from .statistic import SEED, Interval, median_interval, ratio
from .throughput import STRICT, WARMING_FRAMES

RELAY, AGAIN, FLOOR = "relay", "relay again", "copy loop"
PERCENTILES = ("p50", "p90", "p99", "p99_9", "max")
RATE = "rate"
LEAST_FRAMES, LEAST_TIMED = 1000, 100
MOST_WARMUP = 100_000
LATENCY_WARMUP = 500
# How many times as many frames an open loop of 50,000/s has as one of 10,000/s.
OPEN_LOOP = 5
# Deliveries on their way through a peer, which has a copy for each consumer, and bytes of a block.
MOST_BEHIND, BLOCK = 1_280_000, 64 * 1024
# Frames of the first run of a contender, divided by its consumers; it decides how many follow.
TRIAL = {True: 1_000_000, False: 20_000}


@dataclass(frozen=True)
class Bar:
    """What the relay's ratio to somebody has to be: at least `limit` for a rate, at most for a
    percentile. `of` is the copy loop, or empty for every peer."""

    what: str
    limit: float
    of: str = ""


@dataclass(frozen=True)
class Row:
    """One thing that is measured. `interval` is ns between frames, 0: as quick as they go;
    `due`: latency counts from when a frame should have been sent."""

    name: str
    title: str
    consumers: int
    bars: tuple[Bar, ...]
    interval: int = 0
    due: bool = False
    each: int = 1


ROWS = (
    Row("1", "1 consumer", 1, (Bar(RATE, 0.7, FLOOR), Bar(RATE, 10))),
    Row("4", "4 consumers", 4, (Bar(RATE, 0.7, FLOOR), Bar(RATE, 10))),
    Row("64", "64 consumers", 64, (Bar(RATE, 6),)),
    Row(
        "latency",
        "one frame each 100 us, 1 consumer",
        1,
        (Bar("p50", 1.1, FLOOR), Bar("p99", 1.25, FLOOR), Bar("p99", 1)),
        interval=100_000,
    ),
    Row(
        "open-loop",
        "50,000/s open loop, 4 consumers",
        4,
        (Bar("p99", 1),),
        interval=20_000,
        due=True,
        each=OPEN_LOOP,
    ),
)


@dataclass(frozen=True)
class Result:
    """All runs of one row by contender, in rounds."""

    row: Row
    loads: dict[str, Load]
    samples: dict[str, list[Sample]]

    def figures(self, name: str, what: str) -> list[float]:
        """Messages/s to each consumer, or a percentile of the worst consumer in us."""
        if what == RATE:
            return [sample.rate for sample in self.samples[name]]
        return [sample.latency_us(what) for sample in self.samples[name]]

    def median(self, name: str, what: str) -> Interval:
        return median_interval(self.figures(name, what))

    def ratio(self, name: str, what: str) -> Interval:
        """The relay's figure by that of `name`, round by round."""
        return ratio(self.figures(RELAY, what), self.figures(name, what))

    @property
    def judged(self) -> list[Judged]:
        """Every bar of the row; of all peers, where one is meant, beside the hardest one."""
        return [made for bar in self.row.bars for made in self._judge(bar)]

    def _judge(self, bar: Bar) -> list[Judged]:
        peers = [name for name in self.samples if name not in (RELAY, AGAIN, FLOOR)]
        ratios = {name: self.ratio(name, bar.what) for name in ([bar.of] if bar.of else peers)}
        if not ratios:
            return []
        larger = bar.what == RATE
        hardest = max(ratios, key=lambda name: -ratios[name].low if larger else ratios[name].high)
        what = f"{self.row.title}, {bar.what.replace('_', '.')}"
        of = hardest if bar.of else f"hardest peer: {hardest}"
        return [Judged(what, of, ratios[hardest], bar.limit, larger, self.ratio(AGAIN, bar.what))]

    def cores(self, name: str) -> tuple[float, float]:
        """Processors that the server and its busiest driver kept busy: medians."""
        samples = self.samples[name]
        server = median_interval([s.server_cpu_ns_per_frame * s.rate / 1e9 for s in samples])
        driver = median_interval([_driver_core(sample) for sample in samples])
        return server.median, driver.median

    def cpu_ns(self, name: str) -> Interval:
        """Processor time of the server for each delivery: the steadiest on a busy machine."""
        many = self.row.consumers
        return median_interval([s.server_cpu_ns_per_frame / many for s in self.samples[name]])

    @property
    def late(self) -> float:
        """The part of the relay's frames that its producer sent an interval or more too late."""
        samples = self.samples[RELAY]
        return median_interval([s.producer["late"] / s.producer["frames"] for s in samples]).median

    @property
    def whats(self) -> tuple[str, ...]:
        return PERCENTILES if self.row.interval else (RATE,)

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with what the tables say."""
        others = [name for name in self.samples if name != RELAY]
        return {
            **asdict(self),
            "medians": {
                name: {what: asdict(self.median(name, what)) for what in self.whats}
                for name in self.samples
            },
            "ratios": {
                name: {what: asdict(self.ratio(name, what)) for what in self.whats}
                for name in others
            },
            "cpu_ns": {name: asdict(self.cpu_ns(name)) for name in self.samples},
            "cores": {name: self.cores(name) for name in self.samples},
        }


def _driver_core(sample: Sample) -> float:
    producer = float(sample.producer["cpu_ns"]) / sample.seconds
    consumers = [float(one["cpu_ns"] / one["count"]) * sample.rate for one in sample.consumers]
    return max(producer, *consumers) / 1e9


@dataclass(frozen=True)
class Plan:
    """How long runs are: most frames of a throughput run and for how many seconds they may take,
    and frames of a latency run at 10,000/s."""

    frames: int
    seconds: float
    timed: int
    rounds: int
    names: Sequence[str] = tuple(peers.PEERS)
    rows: Sequence[Row] = ROWS
    load: Load = field(default_factory=lambda: Load(count=1))


def run(plan: Plan, progress: Callable[[str], None]) -> list[Result]:
    """Measures every row. Raises RunFailed at the first run that lost a frame."""
    with ExitStack() as stack:
        running = _start(stack, plan)
        for name in (RELAY, AGAIN, FLOOR):
            progress(f"peers: warming {name}")
            measure(running[name], replace(plan.load, count=min(WARMING_FRAMES, plan.frames)))
        chance = random.Random(SEED)
        return [_measure(row, plan, running, chance, progress) for row in plan.rows]


def _start(stack: ExitStack, plan: Plan) -> dict[str, Server]:
    running = {}
    for name in (RELAY, AGAIN, FLOOR, *plan.names):
        folder = stack.enter_context(workspace())
        running[name] = stack.enter_context(_server(name, folder, plan.load.pins.server))
    return running


def _server(name: str, folder: Path, cpus: str) -> AbstractContextManager[Server]:
    if name in (RELAY, AGAIN):
        return servers.relay(folder, cpus, STRICT)
    if name == FLOOR:
        return servers.copyloop(folder, cpus)
    return peers.PEERS[name].start(folder, cpus)


def _measure(
    row: Row,
    plan: Plan,
    running: dict[str, Server],
    chance: random.Random,
    progress: Callable[[str], None],
) -> Result:
    loads = {}
    for name, server in running.items():
        progress(f"peers: {row.title}: {name}, every frame verified")
        loads[name] = _load(row, plan, name, server)
    samples: dict[str, list[Sample]] = {name: [] for name in running}
    for turn in range(plan.rounds):
        for name in chance.sample(list(running), len(running)):
            progress(f"peers: {row.title}: round {turn + 1} of {plan.rounds}, {name}")
            samples[name].append(measure(running[name], loads[name]))
    return Result(row, loads, samples)


def _load(row: Row, plan: Plan, name: str, server: Server) -> Load:
    """What a contender is given in each round. Of a rate it is found out by a first run, in which
    the checksum of every frame is verified."""
    load = replace(plan.load, consumers=row.consumers)
    if row.interval:
        timed = max(plan.timed * row.each, LEAST_TIMED)
        return replace(
            load,
            mode="latency",
            count=timed,
            interval=row.interval,
            due=row.due,
            warmup=LATENCY_WARMUP,
        )
    if name in plan.names:
        load = replace(
            load,
            window=min(load.window, MOST_BEHIND // row.consumers),
            block=BLOCK,
            producer_buffer=peers.PEERS[name].producer_buffer,
        )
    trial = min(TRIAL[name not in plan.names], plan.frames) // row.consumers
    first = _sized(replace(load, mode="verify"), trial)
    rate = measure(server, first).rate
    return _sized(load, min(plan.frames, round(rate * plan.seconds)))


def _sized(load: Load, frames: int) -> Load:
    count = max(frames, LEAST_FRAMES)
    return replace(load, count=count, warmup=min(MOST_WARMUP, count // 4))
