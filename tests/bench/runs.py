"""One run: consumers and a producer against a server, and what they reported.

Called by the suites for each sample. A run either counts or raises RunFailed: every consumer
must have had exactly the frames that were sent, which its program checks (see native/).
"""

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .children import Child, RunFailed, wait_for
from .native import program
from .servers import Server

BOARD_BYTES = 4096 * 64  # struct board of native/bench.h
SLOWEST_RATE = 200_000  # deliveries/s below which a run is given up


@dataclass(frozen=True)
class Pins:
    """Processor lists for taskset, empty for none: of the server, producer and consumers."""

    server: str = ""
    producer: str = ""
    consumers: str = ""


@dataclass(frozen=True)
class Load:
    """What is sent and how it is read. Sizes in bytes, interval in ns. Frames are 64-byte Trades,
    or, with `quotes` above 0, 80-byte Quotes of so many instruments. `due`: latency counts from
    when a frame should have been sent. `beside`: places of the board behind those of the consumers
    that the producer waits for too; the last `stopped` of them only until the warm-up is read."""

    count: int
    consumers: int = 1
    mode: str = "count"
    warmup: int = 100_000
    window: int = 200_000
    block: int = 256 * 1024
    producer_buffer: int = 1024 * 1024
    interval: int = 0
    due: bool = False
    quotes: int = 0
    beside: int = 0
    stopped: int = 0
    pins: Pins = field(default_factory=Pins)

    @property
    def seconds(self) -> int:
        """How long a run may take before it has failed."""
        frames = self.count + self.warmup
        at_most = frames * (self.consumers / SLOWEST_RATE + self.interval / 1e9)
        return 20 + math.ceil(at_most)


@dataclass(frozen=True)
class Sample:
    """What one run measured; `server_cpu_ns` is the server's own, warm-up included."""

    seconds: float
    rate: float
    server_cpu_ns_per_frame: float
    producer: dict[str, Any]
    consumers: list[dict[str, Any]]

    def latency_us(self, percentile: str) -> float:
        """The worst consumer's percentile (`"p50"`, `"p99_9"`) in microseconds."""
        return float(max(each["latency_ns"][percentile] for each in self.consumers)) / 1000


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder in memory if there is one: boards, sockets and logs must not wait for a disk."""
    with tempfile.TemporaryDirectory(prefix=_prefix(), dir=_memory()) as folder:
        yield Path(folder)


def tidy() -> None:
    """Removes the workspaces that are still there: an interruption may come while one goes."""
    for folder in _memory().glob(f"{_prefix()}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _memory() -> Path:
    shared = Path("/dev/shm")
    return shared if shared.is_dir() else Path(tempfile.gettempdir())


def _prefix() -> str:
    return f"relays-bench-{os.getpid()}-"


@contextmanager
def driving(server: Server) -> Iterator[list[Child]]:
    """A list for the drivers of a run, which are stopped at its end. They also fail when the server
    has died, and then its own words say why."""
    children: list[Child] = []
    try:
        yield children
    except RunFailed:
        if server.child.ends_within(0.5):
            server.check()
        raise
    finally:
        for child in children:
            child.stop()


def measure(server: Server, load: Load) -> Sample:
    """Sends `load` through `server` once. Raises RunFailed when it is no measurement."""
    before = server.child.cpu_ns()
    with workspace() as folder, driving(server) as children:
        children += start(server, load, folder)
        wait_for(children, load.seconds + 5)
        reports = [json.loads(child.output()) for child in children]
    server.check()
    return made(load, server.child.cpu_ns() - before, reports[-1], reports[:-1])


def start(server: Server, load: Load, folder: Path) -> list[Child]:
    """The drivers of one run, the producer last; their board is in `folder`."""
    board = folder / "board"
    board.write_bytes(bytes(BOARD_BYTES))
    shared = ["--board", str(board), "--timeout", str(load.seconds)]
    children = [_consumer(server, load, i, shared, folder) for i in range(load.consumers)]
    return [*children, _producer(server, load, shared, folder)]


def _consumer(server: Server, load: Load, index: int, shared: list[str], folder: Path) -> Child:
    command = [
        str(program("consumer-quotes" if load.quotes else "consumer")),
        *("--socket", str(server.consumers)),
        *("--index", str(index)),
        *("--count", str(load.warmup + load.count)),
        *("--skip", str(load.warmup)),
        *("--mode", load.mode),
        *("--protocol", server.protocol),
        *shared,
    ]
    return Child(f"consumer-{index}", command, folder, load.pins.consumers)


def _producer(server: Server, load: Load, shared: list[str], folder: Path) -> Child:
    command = [
        str(program("producer-quotes" if load.quotes else "producer")),
        *("--socket", str(server.producers)),
        *("--consumers", str(load.consumers + load.beside)),
        *("--stopped", str(load.stopped)),
        *("--count", str(load.count)),
        *("--warmup", str(load.warmup)),
        *("--window", str(load.window)),
        *("--block", str(load.block)),
        *("--send-buffer", str(load.producer_buffer)),
        *("--interval", str(load.interval)),
        *("--due", str(int(load.due))),
        *("--protocol", server.protocol),
        *("--instruments", str(load.quotes)),
        *shared,
    ]
    return Child("producer", command, folder, load.pins.producer)


def made(
    load: Load, cpu_ns: int, producer: dict[str, Any], consumers: list[dict[str, Any]]
) -> Sample:
    """What a run measured: of the server's processor time `cpu_ns`, and what the drivers said."""
    seconds = (max(each["last_ns"] for each in consumers) - producer["start_ns"]) / 1e9
    return Sample(
        seconds=seconds,
        rate=load.count / seconds,
        server_cpu_ns_per_frame=cpu_ns / (load.count + load.warmup),
        producer=producer,
        consumers=consumers,
    )
