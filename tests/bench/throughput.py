"""`bench relay`: messages/s of a relay beside a relay that only copies.

Called by suites. For each configuration all servers are started once, warmed with one run each, and
then measured in rounds, each round in a seeded random order. The relay takes part twice: what the
ratio of it to itself is, says how much a ratio can mean. What a bar means is in README.md.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import servers
from .bars import Judged
from .runs import Load, Sample, measure, workspace
from .statistic import SEED, Interval, median_interval, ratio, summary

RELAY, AGAIN, FLOOR = "relay", "relay again", "copy loop"
CONTENDERS = (RELAY, AGAIN, FLOOR)
RATIO_BAR = 0.7
# A ring's worth of frames and more, so that every page of both logs has been touched.
WARMING_FRAMES = 2_500_000
STRICT = ("validate_checksums=true", "require_sequence=true")


@dataclass(frozen=True)
class Configuration:
    """One row: the relay's settings, how many consumers, how they verify, and its bar."""

    name: str
    settings: tuple[str, ...]
    consumers: int
    mode: str
    bar: float  # messages/s to each consumer


def _configurations() -> Iterator[Configuration]:
    for suffix, mode in (("", "count"), ("-verified", "verify")):
        yield Configuration(f"market_data-1{suffix}", (), 1, mode, 20e6)
        yield Configuration(f"strict-1{suffix}", STRICT, 1, mode, 15e6)
        yield Configuration(f"market_data-4{suffix}", (), 4, mode, 10e6)


CONFIGURATIONS = {each.name: each for each in _configurations()}


@dataclass(frozen=True)
class Result:
    """A configuration's samples by contender, the warming runs left out."""

    configuration: Configuration
    load: Load
    samples: dict[str, list[Sample]]

    def rates(self, name: str) -> list[float]:
        return [sample.rate for sample in self.samples.get(name, [])]

    def cpu_ns(self, name: str) -> Interval:
        """Processor time of the server for each delivery."""
        many = self.configuration.consumers
        return median_interval([s.server_cpu_ns_per_frame / many for s in self.samples[name]])

    def ratio(self, name: str) -> Interval:
        """The relay's rate by that of `name`, round by round."""
        return ratio(self.rates(RELAY), self.rates(name))

    @property
    def judged(self) -> list[Judged]:
        """The rate of itself, and beside the copy loop; nothing where only one was measured."""
        if len(self.samples) < len(CONTENDERS):
            return []
        name, million = (
            self.configuration.name,
            median_interval([r / 1e6 for r in self.rates(RELAY)]),
        )
        return [
            Judged(f"{name}, million/s", "", million, self.configuration.bar / 1e6, True),
            Judged(f"{name}, rate", FLOOR, self.ratio(FLOOR), RATIO_BAR, True, self.ratio(AGAIN)),
        ]

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with what the tables say."""
        others = [name for name in self.samples if name != RELAY]
        return {
            **asdict(self),
            "summary": {name: asdict(summary(self.rates(name))) for name in self.samples},
            "rates": {n: asdict(median_interval(self.rates(n))) for n in self.samples},
            "cpu_ns": {name: asdict(self.cpu_ns(name)) for name in self.samples},
            "ratios": {n: asdict(self.ratio(n)) for n in others if RELAY in self.samples},
        }


def run(
    configuration: Configuration,
    load: Load,
    rounds: int,
    only: Sequence[str],
    progress: Callable[[str], None],
) -> Result:
    """Measures one configuration. Raises RunFailed at the first run that lost a frame."""
    load = replace(load, consumers=configuration.consumers, mode=configuration.mode)
    samples: dict[str, list[Sample]] = {name: [] for name in only}
    with ExitStack() as stack:
        running = dict(zip(only, start(stack, only, load, configuration.settings), strict=True))
        for name, server in running.items():
            progress(f"{configuration.name}: warming {name}")
            measure(server, replace(load, count=min(WARMING_FRAMES, load.count)))
        for turn, name in in_turns(only, rounds):
            progress(f"{configuration.name}: round {turn + 1} of {rounds}, {name}")
            samples[name].append(measure(running[name], load))
    return Result(configuration, load, samples)


def in_turns(names: Sequence[str], rounds: int) -> Iterator[tuple[int, str]]:
    """Each of them once a round, in a seeded random order: (round, name)."""
    chance = random.Random(SEED)
    for turn in range(rounds):
        for name in chance.sample(list(names), len(names)):
            yield turn, name


def start(
    stack: ExitStack, only: Sequence[str], load: Load, settings: Sequence[str] = ()
) -> list[servers.Server]:
    """Starts the servers named in `only`; the stack stops them and removes their files."""
    running = []
    for name in only:
        folder = stack.enter_context(workspace())
        if name == FLOOR:
            started = servers.copyloop(folder, load.pins.server)
        else:
            started = servers.relay(folder, load.pins.server, settings)
        running.append(stack.enter_context(started))
    return running
