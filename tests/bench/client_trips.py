"""The round trips of `bench client`: beside pyzmq and nats-py, in one interleaved run.

Called by __main__. A trip is ping -> broker -> echo -> broker -> ping: two programs in two
processes, the broker in a third. All brokers run all the time, and sleep while it is another's
turn; contenders take turns in a seeded random order, two fresh programs each time.
"""

import json
import math
import random
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from .children import Child, RunFailed, wait_for
from .client_brokers import BROKERS, Broker, missing
from .client_peers import ASYNCIO, BLOCKING
from .runs import Pins, workspace
from .statistic import Interval, median_interval, ratio

SEED = 20240601
WARMUP = 300
SLOWEST = 200.0  # trips a second below which a run is given up
PERCENTILES = ("p50", "p99")
OURS = {**dict.fromkeys(BLOCKING, "relays"), **dict.fromkeys(ASYNCIO, "relays, asyncio")}
"""With which front of ours each contender is compared: one of its kind."""


@dataclass(frozen=True)
class Result:
    """What each contender's rounds took, the programs' own reports; and who could not take part."""

    count: int
    samples: dict[str, list[dict[str, Any]]]
    left_out: dict[str, str]

    def microseconds(self, name: str, percentile: str) -> Interval:
        return median_interval(self._taken(name, percentile))

    def times(self, name: str, percentile: str) -> Interval:
        """How many times as long as ours a contender's trips take, by rounds."""
        return ratio(self._taken(name, percentile), self._taken(OURS[name], percentile))

    def _taken(self, name: str, percentile: str) -> list[float]:
        return [sample[percentile] / 1000 for sample in self.samples[name]]

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with what the table says."""
        by = {
            name: {
                percentile: {
                    "us": asdict(self.microseconds(name, percentile)),
                    "times_ours": asdict(self.times(name, percentile)),
                }
                for percentile in PERCENTILES
            }
            for name in self.samples
        }
        return {**asdict(self), "summary": by}


def run(count: int, rounds: int, pins: Pins, progress: Callable[[str], None]) -> Result:
    """`rounds` times `count` trips of each contender. RunFailed at the first wrong answer."""
    left_out = {name: why for name in BROKERS if (why := missing(name))}
    names = [name for name in (*BLOCKING, *ASYNCIO) if _broker(name) not in left_out]
    samples: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with ExitStack() as stack:
        brokers = {
            each: stack.enter_context(start(stack.enter_context(workspace()), pins.server))
            for each, start in BROKERS.items()
            if each not in left_out
        }
        chance = random.Random(SEED)
        for turn in range(rounds):
            for name in chance.sample(names, len(names)):
                progress(f"client: round {turn + 1} of {rounds}, round trips, {name}")
                samples[name].append(_measure(name, brokers[_broker(name)], count, pins))
    return Result(count, samples, left_out)


def _broker(name: str) -> str:
    return name.partition(",")[0]


def _measure(name: str, broker: Broker, count: int, pins: Pins) -> dict[str, Any]:
    seconds = 20 + math.ceil((count + WARMUP) / SLOWEST)
    command = [
        *("--peer", name),
        *("--address", broker.address),
        *("--count", str(count)),
        *("--warmup", str(WARMUP)),
        *("--timeout", str(seconds)),
    ]
    python = [sys.executable, "-m", "tests.bench.client_hops"]
    with workspace() as folder:
        echo = Child("echo", [*python, "echo", *command], folder, pins.consumers)
        ping = Child("ping", [*python, "ping", *command], folder, pins.producer)
        try:
            wait_for([ping], seconds + 5)
            if echo.exit_code() is not None:
                raise RunFailed(echo.complaint())
        finally:
            ping.stop()
            echo.stop()
        broker.check()
        report: dict[str, Any] = json.loads(ping.output())
    return report
