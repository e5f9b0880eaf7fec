"""`bench scale`: one frame in each write, as quickly as they go: who is the bottleneck?

Called by scale_suite. A producer that sends each frame by itself is limited by its own system
calls; the relay, with all checks on, has to keep up without using its whole core. The copy loop,
measured in turn, says what of that is the kernel's.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, replace

from .bars import Judged
from .runs import Load, workspace
from .scale_cpu import FLOOR, RELAY, figures, start
from .scale_frames import trades
from .scale_rows import Result
from .scale_runs import Flow, Group, Sample, measure
from .statistic import median_interval
from .throughput import WARMING_FRAMES, in_turns

NAME, TITLE = "one-frame-a-write", "1 producer, one frame a write, 1 consumer"
# A core that is full measures 1 less what else ran on it.
CORE_BAR = 0.95
FRAME = 64


def run(load: Load, rounds: int, progress: Callable[[str], None]) -> Result:
    """Measures `load.count` frames a run. Raises RunFailed at the first that lost one."""
    samples: dict[str, list[Sample]] = {RELAY: [], FLOOR: []}
    with ExitStack() as stack:
        folder = stack.enter_context(workspace())
        flow = Flow(
            frames=trades(folder / "trades"),
            count=load.count,
            groups=(Group(1, "verify"),),
            warmup=load.count // 10,
            window=load.window,
            block=FRAME,
            producer_buffer=load.producer_buffer,
            pins=load.pins,
        )
        running = {name: start(stack, name, load) for name in samples}
        for name, server in running.items():
            progress(f"scale: {TITLE}: warming {name}")
            blocks = replace(flow, block=load.block, count=min(WARMING_FRAMES, 10 * load.count))
            measure(server, blocks)
        for turn, name in in_turns(list(running), rounds):
            progress(f"scale: {TITLE}: round {turn + 1} of {rounds}, {name}")
            samples[name].append(measure(running[name], flow))
    return _result(samples)


def _result(samples: dict[str, list[Sample]]) -> Result:
    core = median_interval([sample.core for sample in samples[RELAY]])
    pairs = zip(samples[RELAY], samples[FLOOR], strict=True)
    rates = [ours.rate / floor.rate for ours, floor in pairs]
    return Result(
        NAME, TITLE,
        (Judged("one frame a write: processors of the relay", "", core, CORE_BAR, False),),
        figures={
            **{name: {**figures(taken), "sender_core": _sender_cores(taken)}
               for name, taken in samples.items()},
            "rate, relay / copy loop": {"ratio": rates},
        },
        samples={name: [asdict(sample) for sample in taken] for name, taken in samples.items()},
    )  # fmt: skip


def _sender_cores(taken: list[Sample]) -> list[float]:
    return [sample.producers[0]["cpu_ns"] / 1e9 / sample.seconds for sample in taken]
