"""`bench scale`: what a delivery costs a relay beside the copy loop, by producers and consumers.

Called by scale_suite. Compared is processor time of the server, user and system, for each frame
that a consumer had; the time to accept and to close connections is left out. In each round every
contender has a run, in a seeded random order; the relay with all checks takes part twice.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from . import servers
from .bars import Judged
from .runs import Load, workspace
from .scale_frames import trades
from .scale_rows import Result
from .scale_runs import Flow, Group, Sample, measure
from .servers import Server
from .statistic import ratio
from .throughput import STRICT, WARMING_FRAMES, in_turns

RELAY, AGAIN, DEFAULTS, FLOOR = "relay", "relay again", "relay, defaults", "copy loop"
CPU_BAR = 1.3
LIMITS = ("max_connections=4000", "max_connections_per_user=4000")
SETTINGS = {RELAY: (*STRICT, *LIMITS), AGAIN: (*STRICT, *LIMITS), DEFAULTS: LIMITS}
# Frames on their way to all consumers together: what the kernel keeps for them is memory too.
MOST_UNREAD = 4_000_000
LEAST_FRAMES, MOST_WARMUP = 500, 20_000


@dataclass(frozen=True)
class Row:
    """How many producers at once, and consumers."""

    name: str
    producers: int
    consumers: int

    @property
    def title(self) -> str:
        who = f"{self.producers} producers" if self.producers > 1 else "1 producer"
        return f"{who}, {self.consumers:,} consumers"


ROWS = (Row("8-producers", 8, 4), Row("64-consumers", 1, 64), Row("1000-consumers", 1, 1000))


def run(row: Row, load: Load, rounds: int, progress: Callable[[str], None]) -> Result:
    """Measures one row; `load.count` is deliveries a run. Raises RunFailed at the first run in
    which a consumer had not exactly what was sent."""
    samples: dict[str, list[Sample]] = {name: [] for name in (*SETTINGS, FLOOR)}
    with ExitStack() as stack:
        folder = stack.enter_context(workspace())
        flow = flow_of(row, load, trades(folder / "trades"))
        running = {name: start(stack, name, load) for name in samples}
        for name, server in running.items():
            progress(f"scale: {row.title}: {name}, every frame verified")
            touching = min(WARMING_FRAMES, load.count) // row.producers
            few = flow_of(replace(row, consumers=1), load, flow.frames)
            measure(server, replace(few, count=touching))
            measure(server, flow_of(row, load, flow.frames, "verify"))
        for turn, name in in_turns(list(running), rounds):
            progress(f"scale: {row.title}: round {turn + 1} of {rounds}, {name}")
            samples[name].append(measure(running[name], flow))
    return _result(row, samples)


def start(stack: ExitStack, name: str, load: Load) -> Server:
    """Starts a contender in a folder of its own; the stack stops it."""
    folder = stack.enter_context(workspace())
    if name == FLOOR:
        return stack.enter_context(servers.copyloop(folder, load.pins.server))
    return stack.enter_context(servers.relay(folder, load.pins.server, SETTINGS[name]))


def flow_of(row: Row, load: Load, frames: Path, mode: str = "count") -> Flow:
    """What each contender is given: `load.count` deliveries, paced by the window."""
    count = max(load.count // row.consumers // row.producers, LEAST_FRAMES)
    window = min(load.window, MOST_UNREAD // row.consumers) // row.producers
    return Flow(
        frames=frames,
        count=count,
        groups=(Group(row.consumers, mode),),
        producers=row.producers,
        warmup=min(MOST_WARMUP // row.producers, count // 4),
        window=window,
        block=load.block,
        producer_buffer=load.producer_buffer,
        pins=load.pins,
    )


def _result(row: Row, samples: dict[str, list[Sample]]) -> Result:
    cpu = {name: [sample.cpu_ns for sample in taken] for name, taken in samples.items()}
    control = ratio(cpu[AGAIN], cpu[RELAY])
    bars = [
        Judged(f"{row.title}: CPU, {checks}", FLOOR, ratio(cpu[name], cpu[FLOOR]),
               CPU_BAR, False, control)
        for checks, name in (("all checks", RELAY), ("defaults", DEFAULTS))
    ]  # fmt: skip
    return Result(
        row.name, row.title, bars,
        figures={name: figures(taken) for name, taken in samples.items()},
        samples={name: [asdict(sample) for sample in taken] for name, taken in samples.items()},
    )  # fmt: skip


def figures(taken: list[Sample]) -> dict[str, list[float]]:
    """What the table says of some runs."""
    return {
        "rate": [sample.rate for sample in taken],
        "cpu_ns": [sample.cpu_ns for sample in taken],
        "core": [sample.core for sample in taken],
        "driver_core": [sample.driver_core for sample in taken],
    }
