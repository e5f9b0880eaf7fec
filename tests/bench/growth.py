"""`bench growth`: what a message costs a relay as one thing grows: consumers, size, producers, lag,
bytes a write, rate.

Called by suites. Everything but what grows is as in the first point: one producer, four plain
consumers, 64-byte frames in blocks of 256 KiB as quickly as they go, nobody behind, a market_data
relay with its defaults. What the points cost is what growth_model is fitted to; points in which
several things differ at once are kept out of the fit, and say how well it predicts.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from relays.edge.memory import open_state
from relays.edge.status import look

from . import servers
from .runs import Load, workspace
from .scale_cpu import LIMITS, MOST_UNREAD
from .scale_runs import Flow, Group, Sample, measure
from .servers import Server
from .sizes import frame
from .throughput import WARMING_FRAMES

SIZE, CONSUMERS, WRITE = 64, 4, 256 << 10
# Bytes of different frames that are sent over and over, frames of the shortest run.
FILE_BYTES, LEAST_FRAMES, MOST_WARMUP = 1 << 20, 400, 20_000
PACED_SECONDS = {False: 3.0, True: 0.5}
# So many times as many frames are sent as who is behind has not read.
TIMES_BEHIND = 3
FACTORS = ("consumers", "size", "producers", "behind", "bytes a write", "messages/s")


@dataclass(frozen=True)
class Point:
    """One thing that is measured. `factor` is what grows, empty for those that only test the model;
    `write`: bytes of one, a frame at least; `rate`: messages/s of each producer one by one, 0: as
    quick as they go."""

    factor: str
    consumers: int = CONSUMERS
    size: int = SIZE
    producers: int = 1
    behind: int = 0
    write: int = WRITE
    rate: int = 0

    @property
    def value(self) -> int:
        """That of what grows."""
        values = (self.consumers, self.size, self.producers, self.behind, self.write, self.rate)
        return dict(zip(FACTORS, values, strict=True)).get(self.factor, 0)


POINTS = (
    *(Point("consumers", consumers=n) for n in (1, 4, 16, 64, 256, 1000)),
    *(Point("size", size=n) for n in (32, 64, 256, 1024, 4096, 16384, 65536)),
    *(Point("producers", producers=n) for n in (1, 4, 16, 100)),
    *(Point("behind", behind=n) for n in (10_000, 100_000, 500_000)),
    *(Point("bytes a write", write=n) for n in (64, 1024, 16384, WRITE)),
    *(Point("messages/s", rate=n) for n in (1_000, 10_000, 50_000)),
    *(Point("messages/s", rate=n, consumers=100) for n in (1_000, 5_000)),
    Point("messages/s", rate=300, consumers=1000),
    # To test the model: each between what was measured, in several things at once.
    Point("", consumers=32, size=256),
    Point("", consumers=8, size=2048, producers=3),
    Point("", consumers=200, write=4096),
    Point("", consumers=2, size=512, write=2048),
    Point("", consumers=20, rate=5_000),
    Point("", consumers=50, size=1024, rate=2_000),
)


@dataclass(frozen=True)
class Result:
    """A point and its runs: frames taken and delivered in each."""

    point: Point
    frames: int
    deliveries: int
    samples: list[Sample]

    @property
    def run(self) -> Sample:
        """That of the lower quartile: half of the dearer ones pay for memory that the machine's
        host has to give first, which is not the relay's."""
        return sorted(self.samples, key=lambda sample: sample.cpu_ns)[len(self.samples) // 4]

    @property
    def turns(self) -> tuple[int, ...]:
        """How often the relay read, sent, and waited for something to do."""
        return self.run.counted

    @property
    def wait_seconds(self) -> float:
        """How long it waited each time."""
        return self.run.seconds * max(1 - self.run.core, 0) / max(self.turns[2], 1)

    @property
    def cpu_ns(self) -> float:
        """The relay's processor time for all of a run."""
        return self.run.cpu_ns * self.deliveries

    @property
    def message_ns(self) -> float:
        return self.cpu_ns / self.frames

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self), "value": self.point.value, "turns": self.turns, "cpu_ns": self.cpu_ns,
            "message_ns": self.message_ns, "delivery_ns": self.run.cpu_ns,
        }  # fmt: skip


def run(
    load: Load, rounds: int, quick: bool, progress: Callable[[str], None],
    points: Sequence[Point] = POINTS,
) -> list[Result]:  # fmt: skip
    """Measures every point; `load.count` is deliveries a run of 64-byte frames. Raises RunFailed at
    the first run in which a consumer had not exactly what was sent."""
    with ExitStack() as stack:
        folder, runtime = (stack.enter_context(workspace()) for _ in range(2))
        server = stack.enter_context(servers.relay(runtime, load.pins.server, LIMITS))
        progress("growth: warming")
        base = Point("", consumers=1)
        touching = min(WARMING_FRAMES, load.count)
        measure(server, replace(flow_of(base, load, quick, folder), count=touching))
        flows = [flow_of(point, load, quick, folder) for point in points]
        samples: list[list[Sample]] = [[] for _ in points]
        # Point by point in each round: what the machine does meanwhile is not one point's alone.
        for turn in range(rounds):
            for point, flow, taken in zip(points, flows, samples, strict=True):
                progress(f"growth: round {turn + 1} of {rounds}: {point}")
                taken.append(measure(server, flow, lambda: turns(server, runtime)))
        return [
            Result(point, flow.count * flow.producers, flow.deliveries, taken)
            for point, flow, taken in zip(points, flows, samples, strict=True)
        ]


def turns(server: Server, runtime: Path) -> tuple[int, int, int]:
    """How often a relay has read, sent and waited: its histograms have one observation of each of
    the first two, the kernel counts the last."""
    counters = look(open_state("market_data", str(runtime))).counters
    reads, sends = (sum(counters[name]["bucket"]) for name in ("ingress", "forward"))
    return reads, sends, server.child.sleeps()


def flow_of(point: Point, load: Load, quick: bool, folder: Path) -> Flow:
    """As many bytes of each size; of what is paced as many as its time has."""
    path = folder / f"frames-{point.size}"
    if not path.exists():
        path.write_bytes(frame(point.size) * max(FILE_BYTES // point.size, 1))
    smaller = SIZE / max(point.size, SIZE)
    count = round(load.count * smaller / point.consumers / point.producers)
    if point.rate:
        count = round(point.rate * PACED_SECONDS[quick])
    window = min(load.window, MOST_UNREAD // point.consumers) * smaller / point.producers
    return Flow(
        frames=path,
        count=max(count, LEAST_FRAMES, TIMES_BEHIND * point.behind),
        groups=(Group(point.consumers, behind=point.behind),),
        producers=point.producers,
        warmup=min(count // 4, MOST_WARMUP // point.producers),
        window=point.behind + max(round(window), 1),
        block=point.write,
        interval=10**9 // point.rate if point.rate else 0,
        producer_buffer=load.producer_buffer,
        pins=load.pins,
    )
