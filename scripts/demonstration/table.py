"""What is seen while the demonstration runs: a live table on a terminal, plain lines in a pipe.

Called by `session` with readings; knows nothing of relays or processes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from scripts.demonstration.reading import Reading

LINE_EVERY = 1.0


class Screen(Protocol):
    """Where it is shown. `say` is a line that stays; `show` takes 0-1 of what is played, what
    is going on, and the readings."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def say(self, line: str) -> None: ...

    def show(self, part: float, doing: str, readings: Sequence[Reading]) -> None: ...


def screen(file: TextIO) -> Screen:
    """The live table where this is a terminal, else plain lines."""
    console = Console(file=file)
    return LiveScreen(console) if console.is_terminal else PlainScreen(file)


class LiveScreen:
    """A progress bar, and a table with a row a relay."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(None), TaskProgressColumn())
        self._progress = Progress(*columns, console=console)
        self._task = self._progress.add_task("starting", total=1.0)
        self._live = Live(self._progress, console=console, refresh_per_second=8)
        self._console = console

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def show(self, part: float, doing: str, readings: Sequence[Reading]) -> None:
        self._progress.update(self._task, completed=part, description=doing)
        shown = (self._progress, _table(readings)) if readings else (self._progress,)
        self._live.update(Group(*shown))


def _table(readings: Sequence[Reading]) -> Table:
    # Without a box it fits 80 columns.
    table = Table(
        box=None,
        padding=(0, 1, 0, 0),
        caption="latency: from reading a message to its last byte sent on",
        caption_justify="left",
    )
    table.add_column("relay", no_wrap=True)
    for name in ("messages/s", "messages", "consumers", "max lag", "p50", "p99"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("breakers")
    for one in readings:
        table.add_row(
            one.name,
            f"{one.rate:,.0f}",
            f"{one.total:,}",
            str(one.consumers),
            f"{one.largest_lag:,}",
            duration(one.p50),
            duration(one.p99),
            breakers(one.breakers),
        )
    return table


class PlainScreen:
    """A line a relay and second."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._said = 0.0
        self._doing = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def say(self, line: str) -> None:
        print(line, file=self._file, flush=True)

    def show(self, part: float, doing: str, readings: Sequence[Reading]) -> None:
        now = time.monotonic()
        if doing == self._doing and (not readings or now - self._said < LINE_EVERY):
            return
        self._said, self._doing = now, doing
        if not readings:
            self.say(doing)
        for one in readings:
            self.say(
                f"{doing} {part:4.0%} {one.name}: {one.rate:,.0f} messages/s, {one.total:,} in all,"
                f" {one.consumers} consumers, lag {one.largest_lag:,}{_latency(one)},"
                f" breakers {breakers(one.breakers)}"
            )


def _latency(one: Reading) -> str:
    if one.p50 is None:
        return ""
    return f", latency p50 {duration(one.p50)} p99 {duration(one.p99)}"


def duration(nanoseconds: float | None) -> str:
    """In the unit that reads best.

    >>> duration(1500.0), duration(2_345_000.0), duration(None)
    ('1.5 us', '2.3 ms', '-')
    """
    if nanoseconds is None:
        return "-"
    for size, unit in ((1e9, "s"), (1e6, "ms")):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.1f} {unit}"
    return f"{nanoseconds / 1e3:.1f} us"


def breakers(states: Mapping[str, int]) -> str:
    """How many consumers are in which state: `4 closed`."""
    return ", ".join(f"{count} {name}" for name, count in sorted(states.items())) or "none"
