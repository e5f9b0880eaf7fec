"""One run of several producers and many consumers against a server, and what they reported.

Called by the modules of the scale suite for each sample. Consumers are connections of a few
processes (native/many.c), producers a process each (native/sender.c). A run either counts or raises
RunFailed: each connection must have had exactly the frames that are meant for it, which its program
checks.
"""

import json
import math
import mmap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .children import Child, RunFailed, wait_for
from .native import program
from .runs import BOARD_BYTES, SLOWEST_RATE, Pins, driving, workspace
from .servers import Server

# struct slot of native/bench.h, in words of 8 bytes.
WORDS = 8
CONNECTED, READY, GO, DONE, LEAVE = range(1, 6)
PATIENCE = 20.0
# A server is quiet when it used less than so many ns of a processor in so many seconds.
QUIET_NS, QUIET_FOR, SETTLED_WITHIN = 500_000, 0.03, 3.0
# How often this process looks at the board: a few microseconds each time.
LOOK_EVERY = 0.005


@dataclass(frozen=True)
class Group:
    """Consumers that are connections of one process. Those that say something (`greeting`, a frame)
    are sessions. `wanted` has a byte for each frame of the flow's file: 1 where the greeting asks
    for it; empty where every one is to come. `behind`: they stay so many frames behind."""

    connections: int
    mode: str = "count"
    greeting: bytes = b""
    wanted: bytes = field(default=b"", repr=False)
    behind: int = 0

    def count(self, sent: int) -> int:
        """How many of the first `sent` frames of a producer these have to have."""
        if not self.wanted:
            return sent
        rounds, rest = divmod(sent, len(self.wanted))
        return rounds * self.wanted.count(1) + self.wanted[:rest].count(1)


@dataclass(frozen=True)
class Flow:
    """What is sent and who reads it: `count` frames of each producer after its warm-up, those of
    the file `frames` over and over. `window` is how many frames of one producer may be unread,
    `block` bytes of a send, `interval` ns between frames (0: as quick as they go)."""

    frames: Path
    count: int
    groups: tuple[Group, ...]
    producers: int = 1
    warmup: int = 10_000
    window: int = 200_000
    block: int = 256 * 1024
    interval: int = 0
    producer_buffer: int = 1024 * 1024
    pins: Pins = field(default_factory=Pins)

    @property
    def sent(self) -> int:
        """Frames of all producers, warm-up included."""
        return (self.count + self.warmup) * self.producers

    @property
    def consumers(self) -> int:
        return sum(group.connections for group in self.groups)

    @property
    def slots(self) -> int:
        """Several producers have a slot each on the board; the groups of one have a slot each."""
        return self.producers if self.producers > 1 else len(self.groups)

    @property
    def deliveries(self) -> int:
        """Frames that all consumers together have after the warm-up."""
        first = self.warmup * self.producers
        return sum(
            (group.count(self.sent) - group.count(first)) * group.connections
            for group in self.groups
        )

    @property
    def seconds(self) -> int:
        """How long a run may take before it has failed."""
        paced = (self.count + self.warmup) * self.interval / 1e9
        return 20 + math.ceil(paced + (self.deliveries + self.sent) / SLOWEST_RATE)


@dataclass(frozen=True)
class Sample:
    """What one run measured, warm-up, accepting and closing left out. `rate` is messages/s of all
    producers; `cpu_ns` is the server's own processor time for a delivery; `core`: processors
    that it kept busy, `driver_core` those of the busiest driver."""

    seconds: float
    rate: float
    cpu_ns: float
    core: float
    driver_core: float
    producers: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    counted: tuple[int, ...] = ()


def measure(server: Server, flow: Flow, counters: Callable[[], tuple[int, ...]] = tuple) -> Sample:
    """Sends `flow` through `server` once. Raises RunFailed when it is no measurement. How much
    `counters` rose meanwhile is in the sample."""
    if len(flow.groups) > 1 and flow.producers > 1:
        raise ValueError("several groups of consumers are paced by slots of one producer")
    with workspace() as folder, driving(server) as children:
        board = Board(folder / "board")
        # Drivers end themselves only when nobody is left to do it: later than any wait here.
        shared = [*board.option, "--timeout", str(2 * flow.seconds + 3 * round(PATIENCE))]
        reading = [*shared, "--producers", str(flow.producers), "--stay", "1"]
        for index, group in enumerate(flow.groups):
            children.append(
                many(server, group, index, flow.sent, folder, flow.pins.consumers, reading)
            )
        consumers = [*children]
        board.wait_for(CONNECTED, flow.slots, children, PATIENCE)
        for k in range(flow.producers):
            children.append(_sender(server, flow, k, shared, folder))
        board.wait_for(READY, flow.producers, children, flow.seconds)
        cpu, before = settled(server), counters()
        board.set(GO, flow.producers)
        board.wait_for(DONE, len(consumers), children, flow.seconds)
        cpu = server.child.cpu_ns() - cpu
        counted = tuple(now - then for now, then in zip(counters(), before, strict=True))
        board.set(LEAVE, max(flow.slots, flow.producers))
        wait_for(children, PATIENCE)
        said = [json.loads(child.output()) for child in children]
    server.check()
    return _sample(flow, cpu, said[len(consumers) :], said[: len(consumers)], counted)


class Board:
    """The page of counters that drivers share (native/bench.h), as this process sees it."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(BOARD_BYTES))
        self.option = ("--board", str(path))
        with path.open("r+b") as file:
            self._words = memoryview(mmap.mmap(file.fileno(), BOARD_BYTES)).cast("Q")

    def wait_for(self, word: int, slots: int, children: Sequence[Child], seconds: float) -> None:
        """Returns when that word of the first `slots` is set. Raises RunFailed when a driver ends
        meanwhile, or time is up."""
        deadline = time.monotonic() + seconds
        while not all(self._words[slot * WORDS + word] for slot in range(slots)):
            for child in children:
                if child.exit_code() is not None:
                    raise RunFailed(child.complaint())
            if time.monotonic() > deadline:
                raise RunFailed(f"not finished after {seconds:.0f} s")
            time.sleep(LOOK_EVERY)

    def set(self, word: int, slots: int) -> None:
        """Says something to those who use the first `slots`."""
        for slot in range(slots):
            self._words[slot * WORDS + word] = 1


def settled(server: Server) -> int:
    """Waits until a server has done what accepting its consumers takes (what they did not say
    within `plain_after` included), and gives its processor time in ns."""
    deadline, before = time.monotonic() + SETTLED_WITHIN, server.child.cpu_ns()
    while True:
        time.sleep(QUIET_FOR)
        now = server.child.cpu_ns()
        quiet = now - before < QUIET_NS and server.child.asleep()
        if quiet or time.monotonic() > deadline:
            return now
        before = now


def _sample(
    flow: Flow, cpu: int, senders: list[dict[str, Any]], groups: list[dict[str, Any]],
    counted: tuple[int, ...],
) -> Sample:  # fmt: skip
    began = min(each["start_ns"] for each in senders)
    seconds = (max(each["last_ns"] for each in groups) - began) / 1e9
    return Sample(
        seconds=seconds,
        rate=flow.count * flow.producers / seconds,
        cpu_ns=cpu / flow.deliveries,
        core=cpu / seconds / 1e9,
        driver_core=max(each["cpu_ns"] for each in (*senders, *groups)) / seconds / 1e9,
        producers=senders,
        groups=groups,
        counted=counted,
    )


def many(
    server: Server, group: Group, index: int, sent: int, folder: Path, cpus: str,
    shared: Sequence[str],
) -> Child:  # fmt: skip
    """A group's process. `index` is its slot on the board; with `sent` 0 `shared` says how long it
    reads whatever comes."""
    files = []
    for option, content in (("greeting", group.greeting), ("wanted", group.wanted)):
        if content:
            path = folder / f"{option}-{index}"
            path.write_bytes(content)
            files += [f"--{option}", str(path)]
    command = [
        str(program("many")),
        *("--socket", str(server.consumers)),
        *("--index", str(index)),
        *("--connections", str(group.connections)),
        *("--count", str(group.count(sent))),
        *("--mode", group.mode),
        *("--behind", str(group.behind)),
        *files,
        *shared,
    ]
    return Child(f"many-{index}", command, folder, cpus)


def _sender(server: Server, flow: Flow, producer: int, shared: list[str], folder: Path) -> Child:
    slot, slots = (producer, 1) if flow.producers > 1 else (0, flow.slots)
    command = [
        str(program("sender")),
        *("--socket", str(server.producers)),
        *("--frames", str(flow.frames)),
        *("--producer", str(producer)),
        *("--slot", str(slot)),
        *("--slots", str(slots)),
        *("--count", str(flow.count)),
        *("--warmup", str(flow.warmup)),
        *("--window", str(flow.window)),
        *("--block", str(flow.block)),
        *("--interval", str(flow.interval)),
        *("--send-buffer", str(flow.producer_buffer)),
        *shared,
    ]
    return Child(f"sender-{producer}", command, folder, flow.pins.producer)
