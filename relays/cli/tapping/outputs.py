"""Where what tap sees goes: lines, a file of frames, or rates.

Called by `relays.cli.tap`, which decides which of them there are. Each takes frames, gaps and notes
and puts them out in `flush`, once per read; how a message looks is `show_message`'s affair, what is
counted `watching`'s.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from io import TextIOWrapper
from typing import Any, Protocol, TextIO

import click

from protocol.control import UNKNOWN_COUNT, Gap, Snapshot, SnapshotKind
from relays.cli.common.naming import Names
from relays.cli.tapping.show_message import (
    Frame,
    Lines,
    Paint,
    as_object,
    gap_object,
    gap_text,
    hex_dump,
    iso,
    one_line,
    snapshot_object,
    snapshot_text,
    time_of_day,
)
from relays.cli.tapping.watching import Rates, Row
from relays.client.consuming import Run
from relays.errors import RelayError

BUFFER = 1 << 18
WRITING = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
TOP = 15
EVERY = 1.0


class Output(Protocol):
    """Takes what tap sees; `flush` after each read, `close` at the end, also after Ctrl-C."""

    def frame(self, frame: Frame) -> None: ...
    def gap(self, gap: Gap) -> None: ...
    def snapshot(self, edge: Snapshot) -> None: ...
    def note(self, text: str) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


class Printer:
    """Frames as lines for people."""

    def __init__(self, lines: Lines, out: TextIO, *, hexadecimal: bool) -> None:
        self._lines, self._out, self._hex = lines, out, hexadecimal
        self._kept: list[str] = []

    def frame(self, frame: Frame) -> None:
        self._kept.append(self._lines.line(frame))
        if self._hex:
            self._kept += hex_dump(frame.raw)

    def gap(self, gap: Gap) -> None:
        self._kept.append(self._lines.gap(gap))

    def snapshot(self, edge: Snapshot) -> None:
        self._kept.append(self._lines.snapshot(edge))

    def note(self, text: str) -> None:
        self._kept.append(self._lines.note(text))

    def flush(self) -> None:
        if self._kept:
            kept, self._kept = self._kept, []
            self._out.write("\n".join(kept) + "\n")
            self._out.flush()

    def close(self) -> None:
        self.flush()


class Objects(Printer):
    """Frames as JSON, one object a line; notes go to stderr."""

    def __init__(self, names: Names, out: TextIO, *, hexadecimal: bool) -> None:
        self._names, self._out, self._hex = names, out, hexadecimal
        self._kept = []

    def frame(self, frame: Frame) -> None:
        made = as_object(frame, self._names)
        raw = {"frame": f"0x{bytes(frame.raw).hex()}"} if self._hex else {}
        self._kept.append(one_line(made | raw))

    def gap(self, gap: Gap) -> None:
        self._kept.append(one_line(gap_object(gap)))

    def snapshot(self, edge: Snapshot) -> None:
        self._kept.append(one_line(snapshot_object(edge)))

    def note(self, text: str) -> None:
        print(f"relays: {text}", file=sys.stderr)


def printer(names: Names, *, hexadecimal: bool, as_json: bool) -> Printer:
    """Messages on stdout: in colour and with short times on a terminal."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if as_json:
        return Objects(names, sys.stdout, hexadecimal=hexadecimal)
    terminal = sys.stdout.isatty()
    lines = Lines(names, Paint(terminal and _colours()), time_of_day if terminal else iso)
    return Printer(lines, sys.stdout, hexadecimal=hexadecimal)


def _colours() -> bool:
    """Whether this terminal shows colours and nobody asked for none (NO_COLOR)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in (None, "", "dumb")


class Recorder:
    """Frames as they are, into a file or `-`; says on stderr what it wrote and what is missing."""

    def __init__(self, path: str, *, force: bool) -> None:
        self.path = path
        self.frames = self.bytes = 0
        self._file: Any = sys.stdout.buffer
        if path != "-":
            descriptor = os.open(path, WRITING | (os.O_TRUNC if force else os.O_EXCL), 0o666)
            self._file = os.fdopen(descriptor, "wb", buffering=BUFFER)

    def frame(self, frame: Frame) -> None:
        self._file.write(frame.raw)
        self.frames += 1
        self.bytes += len(frame.raw)

    def run(self, run: Run) -> None:
        """Many frames at once, as they came."""
        self._file.write(run.data)
        self.frames += run.frames
        self.bytes += len(run.data)

    def gap(self, gap: Gap) -> None:
        print(f"relays: gap: {gap_text(gap)}", file=sys.stderr)

    def snapshot(self, edge: Snapshot) -> None:
        if edge.kind == SnapshotKind.BEGIN:
            self.note(snapshot_text(edge))

    def note(self, text: str) -> None:
        print(f"relays: {text}", file=sys.stderr)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.flush()
        if self.path != "-":
            self._file.close()
        text = f"relays: {self.path}: {self.frames:,} frames, {self.bytes:,} bytes"
        print(text, file=sys.stderr)


def recorder(path: str, *, force: bool) -> Recorder:
    """A Recorder; UsageError or RelayError (64, 73, 77) when it cannot write there."""
    if path == "-" and sys.stdout.isatty():
        raise click.UsageError("- would write frames to the terminal.")
    try:
        return Recorder(path, force=force)
    except FileExistsError:
        text = f"{path} is there already (overwrite: --force)"
        raise RelayError(text, os.EX_USAGE) from None
    except OSError as error:
        code = os.EX_NOPERM if isinstance(error, PermissionError) else os.EX_CANTCREAT
        raise RelayError(f"{path} cannot be written: {error.strerror}", code) from None


class Statistics:
    """Rates by type, source and instrument: each `every` seconds and at the end (0: then only).

    On a terminal one table that changes in place, else lines, or JSON objects.
    """

    def __init__(self, names: Names, out: TextIO, *, every: float, as_json: bool) -> None:
        self._out, self._every, self._json = out, every, as_json
        self._begun = self._said = time.monotonic()
        self.rates = Rates(names, self._begun)
        self.missed = self.gaps = 0
        self._live = None if as_json or not out.isatty() else _live()

    def frame(self, frame: Frame) -> None:
        self.rates.add(frame.raw)

    def run(self, run: Run) -> None:
        """Many frames at once, as they came."""
        self.rates.add(run.data)

    def gap(self, gap: Gap) -> None:
        self.gaps += 1
        self.missed += 0 if gap.count == UNKNOWN_COUNT else gap.count

    def snapshot(self, edge: Snapshot) -> None:
        """Is nothing that flows: the command line does not ask for one."""

    def note(self, text: str) -> None:
        print(f"relays: {text}", file=sys.stderr)

    def flush(self) -> None:
        now = time.monotonic()
        if self._every and now - self._said >= self._every:
            self._said = now
            self._say(self.rates.rows(now), now)

    def close(self) -> None:
        now = time.monotonic()
        rows = self.rates.rows(now, since_begin=True)
        if self._live is not None:
            self._live.stop()
        self._say(rows, now, last=True)

    def _say(self, rows: list[Row], now: float, *, last: bool = False) -> None:
        seconds = now - self._begun
        if self._live is None:
            made = self._object(rows, seconds) if self._json else "\n".join(self._text(rows))
            print(made, file=self._out, flush=True)
        elif last:
            self._live.console.print(self._table(rows, seconds, TOP))
        else:
            # Title, heading, sums, and three groups that end with a line for the rest and a blank.
            fits = max(1, (self._live.console.height - 10) // 3)
            self._live.update(self._table(rows, seconds, min(TOP, fits)), refresh=True)

    def _object(self, rows: list[Row], seconds: float) -> str:
        facts = {"seconds": round(seconds, 3), "gaps": self.gaps, "missed": self.missed}
        shown = [row._asdict() | {"rate": round(row.rate, 3)} for row in rows]
        return one_line({"stats": facts | {"rows": shown}})

    def _text(self, rows: list[Row]) -> Iterator[str]:
        for row in rows:
            yield (
                f"stats {row.group} {row.name} messages={row.messages} bytes={row.bytes}"
                f" rate={row.rate:.1f}"
            )
        if self.gaps:
            yield f"stats gaps {self.gaps} messages={self.missed}"

    def _table(self, rows: list[Row], seconds: float, top: int) -> Any:
        from rich.table import Table

        missed = f", {self.missed:,} messages missed in {self.gaps:,} gaps" if self.gaps else ""
        title = f"{self.rates.messages:,} messages in {seconds:.1f} s{missed}"
        table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
        table.add_column("", overflow="fold")
        for column in ("messages/s", "messages", "bytes"):
            table.add_column(column, justify="right", no_wrap=True)
        for group in ("all", "type", "source", "instrument"):
            _add(table, group, [row for row in rows if row.group == group], top)
        return table


def _add(table: Any, group: str, rows: list[Row], top: int) -> None:
    for row in rows[:top]:
        style = "bold" if group == "all" else None
        shown = (f"{row.rate:,.1f}", f"{row.messages:,}", f"{row.bytes:,}")
        table.add_row(row.name, *shown, style=style)
    if len(rows) > top:
        table.add_row(f"and {len(rows) - top:,} more", "", "", "", style="dim")
    table.add_row("", "", "", "")


def _live() -> Any:
    from rich.live import Live

    from relays.cli.common.screen import Screen

    live = Live(console=Screen(), auto_refresh=False, transient=True)
    live.start()
    return live
