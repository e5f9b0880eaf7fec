"""`bench capacity`: what a relay needs, by rate and number of consumers.

Called by __main__. One relay for each number of consumers, its log's pages touched first; each rate
is one run or more on it. The processor's share is the relay's own time, user and system, in that of
one core; memory is its part of what it shares (PSS): the log that is mapped twice counts once.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from .children import Child
from .runs import Load, Sample, measure
from .throughput import WARMING_FRAMES, start

CONSUMERS = (1, 10, 100, 1000)
# Messages a second; 0 is as many as there is time for.
RATES = (1_000, 10_000, 100_000, 0)
# Deliveries a second that are not asked for: the consumers themselves have no time for more.
TOO_MANY = 2_000_000
WARMUP = 1_000
SECONDS = 3


@dataclass(frozen=True)
class Row:
    """One rate and number of consumers, and its runs."""

    wanted: int
    consumers: int
    memory: int
    samples: list[Sample]

    @property
    def rate(self) -> float:
        """Messages a second, in the middle of the runs."""
        return median(sample.rate for sample in self.samples)

    @property
    def cpu_ns(self) -> float:
        """The relay's own time for a message to one consumer."""
        return median(each.server_cpu_ns_per_frame for each in self.samples) / self.consumers

    @property
    def core(self) -> float:
        """The part of a core that it needs."""
        return self.cpu_ns * self.consumers * self.rate / 1e9


def run(
    load: Load, rounds: int, progress: Callable[[str], None],
    consumers: tuple[int, ...] = CONSUMERS, seconds: float = SECONDS,
) -> list[Row]:  # fmt: skip
    """Measures `rounds` runs of `seconds` each. Raises RunFailed at the first that lost a frame."""
    rows = []
    for number in consumers:
        with ExitStack() as stack:
            limits = ("max_connections=2048", "max_connections_per_user=2048")
            (server,) = start(stack, ("relay",), load, limits)
            progress(f"capacity: warming, {number} consumers")
            flat = replace(load, consumers=number, count=max(load.count // number, 10_000))
            measure(server, replace(load, count=min(WARMING_FRAMES, load.count)))
            for rate in RATES:
                if rate * number > TOO_MANY:
                    continue
                paced = replace(
                    flat, count=round(rate * seconds), interval=10**9 // rate, warmup=WARMUP
                ) if rate else flat  # fmt: skip
                progress(f"capacity: {number} consumers, {rate or 'any'} messages/s")
                samples = [measure(server, paced) for _ in range(rounds)]
                rows.append(Row(rate, number, memory(server.child), samples))
    return rows


def memory(child: Child) -> int:
    """Bytes of memory that a process has, its part of what it shares."""
    for line in Path(f"/proc/{child.pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the kernel does not say PSS")


def as_json(row: Row) -> dict[str, Any]:
    """Everything measured, with what is in the table."""
    return {**asdict(row), "rate": row.rate, "cpu_ns": row.cpu_ns, "core": row.core}
