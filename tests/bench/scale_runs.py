"""One run of several producers and many consumers against a server, and what they reported.

Called by the modules of the scale suite for each sample. Consumers are connections of a few
processes (native/many.c), producers a process each (native/sender.c). A run either counts or raises
RunFailed: each connection must have had exactly the frames that are meant for it, which its program
checks.
"""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .children import Child, RunFailed, wait_for
from .native import program
from .runs import BOARD_BYTES, SLOWEST_RATE, Pins, workspace
from .servers import Server


@dataclass(frozen=True)
class Group:
    """Consumers that are connections of one process. Those that say something (`greeting`, a frame)
    are sessions. `types`: all that may come, and `count`: how many of these are in the run; empty
    and 0 for every frame of it."""

    connections: int
    mode: str = "count"
    greeting: bytes = b""
    types: tuple[int, ...] = ()
    count: int = 0


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
    def deliveries(self) -> int:
        """Frames that all consumers together have in a run."""
        return sum((group.count or self.sent) * group.connections for group in self.groups)

    @property
    def seconds(self) -> int:
        """How long a run may take before it has failed."""
        paced = (self.count + self.warmup) * self.interval / 1e9
        return 20 + math.ceil(paced + (self.deliveries + self.sent) / SLOWEST_RATE)


@dataclass(frozen=True)
class Sample:
    """What one run measured. `rate` is messages/s of all producers; `cpu_ns` is the server's own
    processor time, warm-up included, for a delivery."""

    seconds: float
    rate: float
    cpu_ns: float
    deliveries: int
    producers: list[dict[str, Any]]
    groups: list[dict[str, Any]]

    @property
    def server_core(self) -> float:
        """Processors that the server kept busy. A warm-up is as dear as the rest."""
        sent = sum(each["frames"] for each in self.producers)
        share = sent / (self.deliveries / max(self.connections, 1)) if self.deliveries else 1.0
        return self.cpu_ns * self.deliveries * share / self.seconds / 1e9

    @property
    def connections(self) -> int:
        return sum(int(group["connections"]) for group in self.groups)


def measure(server: Server, flow: Flow) -> Sample:
    """Sends `flow` through `server` once. Raises RunFailed when it is no measurement."""
    before = server.child.cpu_ns()
    with workspace() as folder:
        consumers, producers = _start(server, flow, folder)
        children = [*consumers, *producers]
        with stopped(server, children):
            wait_for(children, flow.seconds + 5)
        said = [json.loads(child.output()) for child in children]
    server.check()
    groups, senders = said[: len(consumers)], said[len(consumers) :]
    began = min(each["start_ns"] for each in senders)
    seconds = (max(each["last_ns"] for each in groups) - began) / 1e9
    return Sample(
        seconds=seconds,
        rate=flow.count * flow.producers / seconds,
        cpu_ns=(server.child.cpu_ns() - before) / flow.deliveries,
        deliveries=flow.deliveries,
        producers=senders,
        groups=groups,
    )


@contextmanager
def stopped(server: Server, children: Sequence[Child]) -> Iterator[None]:
    """Stops the drivers at the end. They also fail when the server has died, and then its own
    words say why."""
    try:
        yield
    except RunFailed:
        if server.child.ends_within(0.5):
            server.check()
        raise
    finally:
        for child in children:
            child.stop()


def _start(server: Server, flow: Flow, folder: Path) -> tuple[list[Child], list[Child]]:
    board = folder / "board"
    board.write_bytes(bytes(BOARD_BYTES))
    shared = ["--board", str(board), "--timeout", str(flow.seconds)]
    if len(flow.groups) > 1 and flow.producers > 1:
        raise ValueError("several groups of consumers are paced by slots of one producer")
    consumers = [
        many(server, group, index, flow.sent, folder, flow.pins.consumers,
             [*shared, "--producers", str(flow.producers)])
        for index, group in enumerate(flow.groups)
    ]  # fmt: skip
    producers = [_sender(server, flow, k, shared, folder) for k in range(flow.producers)]
    return consumers, producers


def many(
    server: Server, group: Group, index: int, sent: int, folder: Path, cpus: str,
    shared: Sequence[str],
) -> Child:  # fmt: skip
    """A group's process. `index` is its slot on the board; with `sent` 0 `shared` says how long it
    reads whatever comes."""
    greeting = []
    if group.greeting:
        path = folder / f"greeting-{index}"
        path.write_bytes(group.greeting)
        greeting = ["--greeting", str(path)]
    command = [
        str(program("many")),
        *("--socket", str(server.consumers)),
        *("--index", str(index)),
        *("--connections", str(group.connections)),
        *("--count", str(group.count or sent)),
        *("--mode", group.mode),
        *("--types", str(sum(1 << number for number in group.types))),
        *greeting,
        *shared,
    ]
    return Child(f"many-{index}", command, folder, cpus)


def _sender(server: Server, flow: Flow, producer: int, shared: list[str], folder: Path) -> Child:
    # Several producers have a slot each; the groups of one have a slot each.
    slot, slots = (producer, 1) if flow.producers > 1 else (0, len(flow.groups))
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
