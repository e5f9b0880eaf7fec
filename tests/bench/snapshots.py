"""`bench snapshots`: a relay that keeps the state of instruments beside one that does not.

Called by suites. Both are started once for each row, warmed with one run, and then measured in
interleaved pairs, the order turned round every time. Nobody asks for a snapshot meanwhile: what is
measured is what the state costs everybody.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import servers
from .bars import Judged
from .runs import Load, Sample, measure, workspace
from .statistic import Interval, ratio, summary
from .throughput import WARMING_FRAMES

RATIO_BAR = 0.7
QUOTE_BYTES = 80
SETTINGS = {"on": "snapshots=true", "off": "snapshots=false"}
# Instruments of the Quotes that are sent; 0: Trades. A block has 3,276 Quotes.
ROWS = {"trades": 0, "quotes-10": 10, "quotes-3000": 3_000}


@dataclass(frozen=True)
class Result:
    """A row's samples with snapshots on and off."""

    name: str
    load: Load
    samples: dict[str, list[Sample]]

    def rates(self, which: str) -> list[float]:
        return [sample.rate for sample in self.samples[which]]

    @property
    def ratio(self) -> Interval:
        """The rate with snapshots, of that without."""
        return ratio(self.rates("on"), self.rates("off"))

    @property
    def judged(self) -> list[Judged]:
        return [Judged(f"{self.name}, rate", "without", self.ratio, RATIO_BAR, larger=True)]

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with the summaries of the table."""
        made: dict[str, Any] = asdict(self)
        made["summary"] = {name: asdict(summary(self.rates(name))) for name in self.samples}
        made["ratio"] = asdict(self.ratio)
        made["bar"] = RATIO_BAR
        return made


def run(name: str, load: Load, pairs: int, progress: Callable[[str], None]) -> Result:
    """Measures one row of ROWS. Raises RunFailed at the first run that lost a frame."""
    load = replace(load, quotes=ROWS[name])
    if load.quotes:
        load = replace(load, block=load.block // QUOTE_BYTES * QUOTE_BYTES)
    samples: dict[str, list[Sample]] = {which: [] for which in SETTINGS}
    with ExitStack() as stack:
        running = {which: _start(stack, load, setting) for which, setting in SETTINGS.items()}
        for which, server in running.items():
            progress(f"{name}: warming {which}")
            measure(server, replace(load, count=min(WARMING_FRAMES, load.count)))
        for pair in range(pairs):
            for which in running if pair % 2 else reversed(running):
                progress(f"{name}: pair {pair + 1} of {pairs}, {which}")
                samples[which].append(measure(running[which], load))
    return Result(name, load, samples)


def _start(stack: ExitStack, load: Load, setting: str) -> servers.Server:
    folder = stack.enter_context(workspace())
    return stack.enter_context(servers.relay(folder, load.pins.server, (setting,)))
