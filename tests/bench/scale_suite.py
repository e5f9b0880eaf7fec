"""`bench scale`: many producers and consumers, mixed messages, idle sessions, memory and start.

Called by suites. Each row is measured by a module of its own; here it is decided which, and how
often. What a row measures and what its bar is stands in README.md.
"""

from collections.abc import Iterator
from dataclasses import replace

from . import native, scale_alone, scale_cpu, scale_idle, scale_mixed, scale_start
from .scale_rows import Result
from .suite import Asked

# Rows that take long and hardly vary: no more rounds than that.
FEW = 3
IDLE_SECONDS = {False: 20.0, True: 5.0}
# A frame that is written by itself takes so many times as long as a delivery.
FRAMES_ALONE = 10


def run(asked: Asked) -> Iterator[Result]:
    """Measures the rows that are asked for. Raises RunFailed at the first run that does not
    count."""
    native.build()
    load, rounds, progress = asked.load, asked.rounds, asked.progress
    for row in scale_cpu.ROWS:
        if row.name in asked.rows:
            yield scale_cpu.run(row, load, rounds, progress)
    if scale_alone.NAME in asked.rows:
        alone = replace(load, count=max(load.count // FRAMES_ALONE, 1000))
        yield scale_alone.run(alone, rounds, progress)
    mixed = [row for row in scale_mixed.ROWS if row.name in asked.rows]
    if mixed:
        yield from scale_mixed.run(mixed, load, rounds, progress)
    if "idle-sessions" in asked.rows:
        yield scale_idle.idle(load, min(rounds, FEW), IDLE_SECONDS[asked.quick], progress)
    if "memory" in asked.rows:
        yield scale_idle.full(load, min(rounds, FEW), progress)
    if scale_start.NAME in asked.rows:
        yield scale_start.run(load, rounds, progress)
