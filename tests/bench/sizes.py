"""`bench relay`, second part: bytes/s of a relay beside the copy loop, by the size of a frame.

Called by suites. The contenders of throughput, with every check on; the frames are of a type that
has no layout, so that every size is right. Drivers are those of scale_runs.
"""

import struct
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .runs import Load, workspace
from .scale_runs import Flow, Group, Sample, measure
from .statistic import Interval, median_interval, ratio
from .throughput import CONTENDERS, RELAY, STRICT, in_turns, start

HEADER = struct.Struct("<IBBBBIQQI")
MAGIC, UNKNOWN_TYPE, VERSION, SOURCE = 0xDEADBEEF, 19, 1, 1
# Bytes of a frame, header included.
SIZES = (32, 64, 256, 1024, 4096, 16384, 65536)
TRADE = 64
# Different frames that are sent over and over: at most so many bytes of them.
FILE_BYTES = 1 << 20
LEAST_FRAMES = 2_000


@dataclass(frozen=True)
class Result:
    """A size's samples by contender, the warming runs left out."""

    size: int
    samples: dict[str, list[Sample]]

    def megabytes(self, name: str) -> Interval:
        """Million bytes/s to the consumer."""
        return median_interval([each.rate * self.size / 1e6 for each in self.samples[name]])

    def rate(self, name: str) -> Interval:
        """Messages/s."""
        return median_interval([each.rate for each in self.samples[name]])

    def cpu_ns(self, name: str) -> Interval:
        """Processor time of the server for a message."""
        return median_interval([each.cpu_ns for each in self.samples[name]])

    @property
    def others(self) -> list[str]:
        """Whom the relay is compared with: nobody where it was measured alone, or not at all."""
        return [name for name in self.samples if name != RELAY and RELAY in self.samples]

    def ratio(self, name: str) -> Interval:
        """The relay's rate by that of `name`, round by round."""
        ours = [each.rate for each in self.samples[RELAY]]
        return ratio(ours, [each.rate for each in self.samples[name]])

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with what the table says."""
        return {
            **asdict(self),
            "rates": {name: asdict(self.rate(name)) for name in self.samples},
            "megabytes": {name: asdict(self.megabytes(name)) for name in self.samples},
            "cpu_ns": {name: asdict(self.cpu_ns(name)) for name in self.samples},
            "ratios": {name: asdict(self.ratio(name)) for name in self.others},
        }


def run(
    load: Load,
    rounds: int,
    progress: Callable[[str], None],
    sizes: Sequence[int] = SIZES,
    contenders: Sequence[str] = CONTENDERS,
) -> list[Result]:
    """Measures every size, as many bytes of each. Raises RunFailed at the first run that lost a
    frame."""
    with ExitStack() as stack:
        folder = stack.enter_context(workspace())
        running = dict(zip(contenders, start(stack, contenders, load, STRICT), strict=True))
        made = []
        for size in sizes:
            flow = _flow(size, load, folder)
            samples: dict[str, list[Sample]] = {name: [] for name in contenders}
            for name in contenders:
                progress(f"{size} bytes: {name}, every frame verified")
                measure(running[name], replace(flow, groups=(Group(1, "verify"),)))
            for turn, name in in_turns(contenders, rounds):
                progress(f"{size} bytes: round {turn + 1} of {rounds}, {name}")
                samples[name].append(measure(running[name], flow))
            made.append(Result(size, samples))
    return made


def _flow(size: int, load: Load, folder: Path) -> Flow:
    path = folder / f"frames-{size}"
    path.write_bytes(frame(size) * max(FILE_BYTES // size, 1))
    # As many bytes as frames of 64 would be, and no more of small ones than of these.
    count = max(load.count * TRADE // max(size, TRADE), LEAST_FRAMES)
    return Flow(
        path,
        count,
        (Group(1),),
        warmup=count // 20,
        window=max(load.window * TRADE // max(size, TRADE), 1),
        block=load.block,
        producer_buffer=load.producer_buffer,
        pins=load.pins,
    )


def frame(size: int) -> bytes:
    """One of so many bytes; its sequence, time and checksum are the driver's."""
    payload = size - HEADER.size
    head = HEADER.pack(MAGIC, UNKNOWN_TYPE, VERSION, SOURCE, 0, payload, 0, 0, 0)
    return head + bytes(at % 251 for at in range(payload))
