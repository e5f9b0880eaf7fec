"""What `relays convert` tells in the end: every line and message accounted for, as JSON or text.

Called by `relays.cli.convert`. It counts what it is told of; it reads and writes no file.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table as Grid

from relays.adapters.adapter import Table
from relays.cli.common.screen import Screen
from relays.cli.converting.sources import Source
from relays.errors import RelayError

# Columns of the tables, in characters, and the spaces between and around them.
NAME, COUNT, SPACES = 32, 11, 4
# Reasons that only lines of the right kind come to.
OF_THE_KIND = {
    *("not_in_units", "does_not_fit", "too_small", "nothing_traded", "one_sided", "one_side_only"),
    *("book_before_snapshot", "no_price_yet", "unknown_decimals", "unknown_fee"),
}


@dataclass
class Summary:
    """What became of every line and message; the README of relays.adapters says what the names
    mean that JSON has of it. `options` are those of the kind."""

    kind: str
    output: str
    sources: Sequence[Source]
    options: dict[str, str] = field(default_factory=dict)
    frames: int = 0
    bytes: int = 0
    seconds: float = 0.0
    steps_back: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    names: dict[Any, str] = field(default_factory=dict)
    shared_ids: dict[str, None] = field(default_factory=dict)

    def check(self) -> None:
        """RelayError when no line gave a message: most likely these are of another kind, unless a
        reason says that they were understood."""
        if not self.frames:
            names = ", ".join(str(source.path) for source in self.sources)
            skipped = self.total("skipped")
            text = f"no message in {names} (found: {_listed(skipped) or 'no line'})"
            if not OF_THE_KIND & skipped.keys():
                text += f": not of the kind {self.kind}?"
            raise RelayError(text, os.EX_DATAERR)

    def total(self, counter: str) -> Counter[str]:
        """`skipped` or `left_out` of all files together."""
        counters = (getattr(source.adapter, counter) for source in self.sources)
        return sum(counters, Counter[str]())

    @property
    def collisions(self) -> list[str]:
        """Symbols that share an id, both names in each sentence."""
        told = {text: None for source in self.sources for text in source.adapter.collisions}
        return list(told | self.shared_ids)

    def introduced(self, message: Any) -> None:
        """Notice when files introduce two instruments with one id: no adapter can see that."""
        this = _identity(message)
        name = self.names.setdefault(message.instrument_id, this)
        if name != this:
            text = f"{name!r} and {this!r} have one id: {message.instrument_id}"
            self.shared_ids[text] = None

    @property
    def tables(self) -> list[Table]:
        """What lines were looked up in; files may share one."""
        tables = (source.adapter.table for source in self.sources)
        return list({id(table): table for table in tables if table}.values())

    def plain(self) -> dict[str, Any]:
        """All of it for JSON: counts are of lines, `left_out` of single events in lines."""
        return {
            "kind": self.kind,
            "output": printable(self.output),
            "options": self.options,
            "frames": self.frames,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "messages": dict(self.messages.most_common()),
            "files": [_file(source) for source in self.sources],
            "tables": [_looked_up(table) for table in self.tables],
            "skipped": dict(self.total("skipped").most_common()),
            "left_out": dict(self.total("left_out").most_common()),
            "steps_back": self.steps_back,
            "collisions": self.collisions,
        }


def _file(source: Source) -> dict[str, Any]:
    adapter = source.adapter
    return {
        "path": printable(source.path),
        "lines": adapter.read,
        "gave_messages": adapter.read - adapter.skipped.total(),
        "skipped": adapter.skipped.total(),
    }


def _looked_up(table: Table) -> dict[str, Any]:
    return {
        "path": printable(table.path or ""),
        "lines": table.read,
        "gave_rows": table.read - table.skipped.total(),
        "skipped": dict(table.skipped.most_common()),
    }


def _identity(message: Any) -> str:
    """What an instrument is, whole: of a token or a pool the chain and the address too."""
    facts = json.loads(message.metadata) if message.metadata else {}
    address = facts.get("address")
    return f"{message.symbol} {facts.get('chain_id')}:{address}" if address else message.symbol


def printable(path: str | Path) -> str:
    """A path as text that can be written anywhere, also where its name is no UTF-8.

    >>> printable("a\\udcff.gz")
    'a\\\\xff.gz'
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def say(text: str) -> None:
    """A line on stderr, or nothing more there once it cannot be written: whoever read it has gone,
    and the file is what was asked for."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def show(summary: Summary, as_json: bool) -> None:
    """Write it to stdout: JSON, tables on a terminal that is wide enough, else lines. Symbols that
    share an id are said on stderr."""
    for text in summary.collisions:
        say(f"relays: id collision: {text}")
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(summary.plain()), indent=2))
    elif sys.stdout.isatty() and Screen().width >= NAME + COUNT + SPACES:
        _show_tables(summary)
    else:
        for line in lines(summary.plain()):
            click.echo(line)


def lines(found: dict[str, Any]) -> Iterator[str]:
    """One thing a line, what it is first: `file`, `table`, `messages`, `skipped`, `left_out`,
    `option`, `written`.

    >>> counts = dict.fromkeys(("skipped", "left_out"), {}) | {"messages": {"trade": 2}}
    >>> counts |= {"tables": [], "options": {"listing": "NYSE"}}
    >>> facts = {"output": "o", "frames": 2, "bytes": 128, "seconds": 0.5, "steps_back": 0}
    >>> for line in lines(facts | counts | {"files": []}):
    ...     print(line)
    messages trade=2
    option listing=NYSE
    written o frames=2 bytes=128 seconds=0.500 steps_back=0
    """
    for one in found["files"]:
        counts = " ".join(f"{key}={one[key]}" for key in ("lines", "gave_messages", "skipped"))
        yield f"file {one['path']} {counts}"
    for one in found["tables"]:
        counts = " ".join(f"{name}={count}" for name, count in one["skipped"].items())
        yield f"table {one['path']} lines={one['lines']} gave_rows={one['gave_rows']} {counts}"
    for what in ("messages", "skipped", "left_out"):
        yield from (f"{what} {name}={count}" for name, count in found[what].items())
    yield from (f"option {name}={value}" for name, value in found["options"].items())
    facts = " ".join(f"{key}={found[key]}" for key in ("frames", "bytes"))
    yield (
        f"written {found['output']} {facts} seconds={found['seconds']:.3f}"
        f" steps_back={found['steps_back']}"
    )


def _show_tables(summary: Summary) -> None:
    found, console = summary.plain(), Screen()
    rows = [(Path(one["path"]).name, one["lines"]) for one in found["files"]]
    console.print(_table(console, "lines read", rows))
    console.print(_table(console, "messages", list(found["messages"].items())))
    for title, key in (
        ("lines without a message", "skipped"),
        ("single events left out", "left_out"),
    ):
        if found[key]:
            console.print(_table(console, title, list(found[key].items())))
    for one in found["tables"]:
        title = f"rows of {Path(one['path']).name} of no use"
        console.print(_table(console, title, list(one["skipped"].items())))
    for name, value in found["options"].items():
        console.print(f"{name}: {value}", soft_wrap=True)
    if summary.steps_back:
        console.print(f"{summary.steps_back:,} messages were received before the one before them")
    speed = summary.frames / max(summary.seconds, 1e-9)
    console.print(
        f"{found['output']}: {summary.frames:,} frames, {summary.bytes:,} bytes,"
        f" {summary.seconds:.1f} s, {speed:,.0f} messages/s",
        soft_wrap=True,
    )


def _table(console: Console, title: str, rows: Sequence[tuple[str, int]]) -> Grid:
    table = Grid(box=None, padding=(0, 0, 0, 2))
    table.add_column(title, overflow="fold", min_width=NAME)
    table.add_column("count", justify="right", no_wrap=True, min_width=COUNT)
    for name, count in rows:
        table.add_row(name, f"{count:,}")
    if len(rows) > 1:
        table.add_row("together", f"{sum(count for _, count in rows):,}", style="bold")
    return table


def _listed(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common(5))
