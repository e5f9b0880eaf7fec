"""One run of `bench client`: a Python side and a native one at the two ends of a relay.

Called by client_suite for each sample. A run either counts or raises RunFailed: the consumer, of
whichever side, must have had exactly the frames that were sent.
"""

import json
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import client_send
from .children import Child, wait_for
from .native import program
from .runs import BOARD_BYTES, Load, Pins, driving, workspace
from .servers import Server


@dataclass(frozen=True)
class Work:
    """What the Python side does, and with which front."""

    what: str
    front: str

    @property
    def sends(self) -> bool:
        return self.what in client_send.WORKS


@dataclass(frozen=True)
class Sample:
    """What one run measured. `busy` is the part of the run's time that the Python side was on a
    processor (of one: it may be pinned to one core), `kept` the part that it was ready and somebody
    else was there; `server_cpu_ns_per_frame` the relay's own."""

    seconds: float
    rate: float
    cpu_ns_per_frame: float
    busy: float
    kept: float
    server_cpu_ns_per_frame: float
    producer: dict[str, Any]
    consumer: dict[str, Any]


def one_core_each(pins: Pins, *, sends: bool) -> Pins:
    """The Python side on the first core and everything else on the others, if there are others;
    but what the user has pinned stays."""
    cores = [str(core) for core in sorted(os.sched_getaffinity(0))]
    if len(cores) < 2:
        return pins
    ours, theirs = cores[0], ",".join(cores[1:])
    return Pins(
        server=pins.server or theirs,
        producer=pins.producer or (ours if sends else theirs),
        consumers=pins.consumers or (theirs if sends else ours),
    )


def measure(server: Server, work: Work, load: Load) -> Sample:
    """Does the work through `server` once. Raises RunFailed when it is no measurement."""
    pins = one_core_each(load.pins, sends=work.sends)
    before = server.child.cpu_ns()
    with workspace() as folder, driving(server) as children:
        children += _start(server, work, load, pins, folder)
        wait_for(children, load.seconds + 5)
        consumer, producer = (json.loads(child.output()) for child in children)
    server.check()
    return _sample(work, load, server.child.cpu_ns() - before, producer, consumer)


def _start(server: Server, work: Work, load: Load, pins: Pins, folder: Path) -> list[Child]:
    """The consumer, then the producer."""
    board = folder / "board"
    board.write_bytes(bytes(BOARD_BYTES))
    shared = ["--board", str(board), "--timeout", str(math.ceil(load.seconds))]
    if work.sends:
        consumer, producer = _native_consumer(server, load), _python(server, work, load)
    else:
        consumer, producer = _python(server, work, load), _native_producer(server, load)
    return [
        Child("consumer-0", consumer + shared, folder, pins.consumers),
        Child("producer", producer + shared, folder, pins.producer),
    ]


def _python(server: Server, work: Work, load: Load) -> list[str]:
    return [
        *(sys.executable, "-m", "tests.bench.client_driver", work.what),
        *("--front", work.front),
        *("--socket", str(server.consumers)),
        *("--warmup", str(load.warmup)),
        *("--count", str(load.count)),
        *("--window", str(load.window)),
    ]


def _native_consumer(server: Server, load: Load) -> list[str]:
    return [
        str(program("consumer")),
        *("--socket", str(server.consumers)),
        *("--count", str(load.warmup + load.count)),
        *("--mode", "verify"),
    ]


def _native_producer(server: Server, load: Load) -> list[str]:
    return [
        str(program("producer")),
        *("--socket", str(server.producers)),
        *("--count", str(load.count)),
        *("--warmup", str(load.warmup)),
        *("--window", str(load.window)),
        *("--block", str(load.block)),
        *("--send-buffer", str(load.producer_buffer)),
    ]


def _sample(
    work: Work, load: Load, server_ns: int, producer: dict[str, Any], consumer: dict[str, Any]
) -> Sample:
    took = consumer["last_ns"] - producer["start_ns"]
    ours = producer if work.sends else consumer
    return Sample(
        seconds=took / 1e9,
        rate=load.count / took * 1e9,
        cpu_ns_per_frame=ours["cpu_ns"] / load.count,
        busy=ours["cpu_ns"] / took,
        kept=ours["kept_ns"] / took,
        server_cpu_ns_per_frame=server_ns / (load.count + load.warmup),
        producer=producer,
        consumer=consumer,
    )
