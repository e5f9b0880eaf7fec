"""`bench relay`: messages/s of a relay beside a relay that only copies.

Called by __main__. For each configuration both servers are started once, warmed with one run
each, and then measured in interleaved pairs, the order turned round every time. What a bar
means and when it is met is in README.md.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import servers
from .runs import Load, Sample, measure, workspace
from .statistic import ratio, summary

RATIO_BAR = 0.5
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
    """A configuration's samples by server name, the warming runs left out."""

    configuration: Configuration
    load: Load
    samples: dict[str, list[Sample]]

    def rates(self, server: str) -> list[float]:
        return [sample.rate for sample in self.samples.get(server, [])]

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with the summaries of the table."""
        made: dict[str, Any] = asdict(self)
        made["summary"] = {name: asdict(summary(self.rates(name))) for name in self.samples}
        if len(self.samples) == 2:
            made["ratio"] = asdict(ratio(self.rates("relay"), self.rates("copyloop")))
            made["bars"] = {"rate": self.configuration.bar, "ratio": RATIO_BAR}
        return made


def run(
    configuration: Configuration,
    load: Load,
    pairs: int,
    only: Sequence[str],
    progress: Callable[[str], None],
) -> Result:
    """Measures one configuration. Raises RunFailed at the first run that lost a frame."""
    load = replace(load, consumers=configuration.consumers, mode=configuration.mode)
    samples: dict[str, list[Sample]] = {name: [] for name in only}
    with ExitStack() as stack:
        running = start(stack, only, load, configuration.settings)
        for server in running:
            progress(f"{configuration.name}: warming {server.name}")
            measure(server, replace(load, count=min(WARMING_FRAMES, load.count)))
        for pair in range(pairs):
            for server in running if pair % 2 else reversed(running):
                progress(f"{configuration.name}: pair {pair + 1} of {pairs}, {server.name}")
                samples[server.name].append(measure(server, load))
    return Result(configuration, load, samples)


def start(
    stack: ExitStack, only: Sequence[str], load: Load, settings: Sequence[str] = ()
) -> list[servers.Server]:
    """Starts the servers named in `only`; the stack stops them and removes their files."""
    running = []
    for name in only:
        folder = stack.enter_context(workspace())
        if name == "relay":
            started = servers.relay(folder, load.pins.server, settings)
        else:
            started = servers.copyloop(folder, load.pins.server)
        running.append(stack.enter_context(started))
    return running
