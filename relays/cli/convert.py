"""`relays convert`: recorded venue data to a file of frames.

Called through `relays.cli`. What lines mean is the adapters' business; here files are opened, their
records merged by receive time, frames written, and everything is accounted for. A file of frames
is frames back to back, as on a socket: what reads it needs no index.
"""

import gzip
import io
import os
import stat
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from heapq import merge
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO

import click
import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from protocol.catalogue import MessageType, type_name
from relays.adapters.adapter import Adapter, Record
from relays.adapters.kinds import KINDS
from relays.errors import RelayError

EXAMPLES = """\b
Examples:
  relays convert binance spot_btcusdt.gz -o btc.frames
  relays convert binance-futures usdm_*.gz -o perpetuals.frames --force
  relays convert coinbase COINBASE.0.gz COINBASE.ws.28.0.gz -o coinbase.frames
  relays convert us-equities bac_20131008_quote.zip -o bac.frames --json

\b
Kinds: {kinds}.
"""
# Lines between two looks at how far the files are read.
TICK_LINES = 1_024
BUFFER = 1 << 16
# Columns of the tables, in characters.
NAME, COUNT = 32, 11
INTRODUCTIONS = (MessageType.INSTRUMENT_DISCOVERED, MessageType.POOL_DISCOVERED)
DAMAGED = (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error)
Tick = Callable[[], None]


@click.command("convert", epilog=EXAMPLES.format(kinds=", ".join(KINDS)))
@click.argument("kind", type=click.Choice(list(KINDS)), metavar="KIND")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "--output", required=True, metavar="OUT.frames", help="The file to write.")
@click.option("--force", is_flag=True, help="Overwrite OUT.frames if it is there.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def command(kind: str, files: tuple[str, ...], output: str, force: bool, as_json: bool) -> None:
    """Convert recorded venue data to a file of frames.

    Files may be plain, .gz or .zip (of one file). Several are merged in the order of their receive
    times; each is a recording by itself: its books begin with a snapshot in it. Headers have the
    receive time and a sequence from 1. Every line becomes messages or is counted under a reason.
    OUT.frames appears when it is whole, or not at all.

    Exit codes: 0 written; 64 wrong usage, or OUT.frames is there; 65 a file is damaged, or none
    gave a message; 66 a file cannot be read; 73 OUT.frames cannot be written; 77 not permitted.
    """
    target = Target(Path(output), force, [Path(name) for name in files])
    begun = monotonic()
    with ExitStack() as stack:
        sources = [stack.enter_context(opened(kind, Path(name))) for name in files]
        meter = stack.enter_context(_meter(sources, as_json))
        summary = Summary(kind, str(target.path), sources)
        with target.written() as file:
            write(sources, file, summary, meter)
            summary.check()
    summary.seconds = monotonic() - begun
    _show(summary, as_json)


# --- what is read ---


@dataclass
class Source:
    """One recording: where it is, its bytes, and the adapter that reads its lines."""

    path: Path
    raw: io.FileIO
    adapter: Adapter
    size: int

    @property
    def read_bytes(self) -> int:
        """How much of the file has been read, as it lies on the disk; 0 for a pipe."""
        if self.raw.closed:
            return self.size
        return self.raw.tell() if self.raw.seekable() else 0

    def records(self, tick: Tick) -> Iterator[tuple[Record, "Source"]]:
        """Every record, with this source. RelayError (65, 66) when the file cannot be read on."""
        convert = self.adapter.convert
        try:
            with _lines(self.path, self.raw) as lines:
                for number, line in enumerate(lines, 1):
                    if not number % TICK_LINES:
                        tick()
                    for record in convert(line):
                        yield record, self
        except DAMAGED as error:
            raise RelayError(f"{self.path} is damaged: {error}", os.EX_DATAERR) from None
        except OSError as error:
            raise _unreadable(self.path, error) from None


@contextmanager
def opened(kind: str, path: Path) -> Iterator[Source]:
    """A recording and its adapter; RelayError when there is none of this kind there."""
    try:
        raw = path.open("rb", buffering=0)
    except OSError as error:
        raise _unreadable(path, error) from None
    with raw:
        size = os.fstat(raw.fileno()).st_size
        yield Source(path, raw, KINDS[kind](path), size)


@contextmanager
def _lines(path: Path, raw: io.FileIO) -> Iterator[Iterator[str]]:
    """The lines of a file, unpacked by its suffix."""
    with ExitStack() as stack:
        data: Any = stack.enter_context(io.BufferedReader(raw, BUFFER))
        if path.suffix == ".gz":
            data = stack.enter_context(gzip.GzipFile(fileobj=data))
        elif path.suffix == ".zip":
            archive = stack.enter_context(zipfile.ZipFile(data))
            data = stack.enter_context(archive.open(_only_member(path, archive)))
        # A carriage return is no end of a line, and what is no UTF-8 is for the adapter to count.
        yield stack.enter_context(
            io.TextIOWrapper(data, encoding="utf-8", errors="replace", newline="\n")
        )


def _only_member(path: Path, archive: zipfile.ZipFile) -> str:
    names = [name for name in archive.namelist() if not name.endswith("/")]
    if len(names) != 1:
        raise RelayError(f"{path} has {len(names)} files in it, expected one", os.EX_DATAERR)
    return names[0]


def _unreadable(path: Path, error: OSError) -> RelayError:
    code = os.EX_NOPERM if isinstance(error, PermissionError) else os.EX_NOINPUT
    return RelayError(f"{path} cannot be read: {error.strerror or error}", code)


# --- what is written ---


@dataclass
class Summary:
    """What became of every line and message; `steps_back` counts messages received before the one
    that precedes them in their own file."""

    kind: str
    output: str
    sources: Sequence[Source]
    frames: int = 0
    bytes: int = 0
    seconds: float = 0.0
    steps_back: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    names: dict[Any, str] = field(default_factory=dict)
    shared_ids: dict[str, None] = field(default_factory=dict)

    def check(self) -> None:
        """RelayError when no line gave a message: most likely these are of another kind."""
        if not self.frames:
            names = ", ".join(str(source.path) for source in self.sources)
            found = _listed(self.total("skipped")) or "no line"
            text = f"no message in {names} (found: {found}): not of the kind {self.kind}?"
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
        name = self.names.setdefault(message.instrument_id, message.symbol)
        if name != message.symbol:
            text = f"{name!r} and {message.symbol!r} have one id: {message.instrument_id}"
            self.shared_ids[text] = None

    def plain(self) -> dict[str, Any]:
        """All of it for JSON: counts are of lines, `left_out` of single events in lines."""
        return {
            "kind": self.kind,
            "output": self.output,
            "frames": self.frames,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "messages": dict(self.messages.most_common()),
            "files": [_file(source) for source in self.sources],
            "skipped": dict(self.total("skipped").most_common()),
            "left_out": dict(self.total("left_out").most_common()),
            "steps_back": self.steps_back,
            "collisions": self.collisions,
        }


def _file(source: Source) -> dict[str, Any]:
    adapter = source.adapter
    return {
        "path": str(source.path),
        "lines": adapter.read,
        "gave_messages": adapter.read - adapter.skipped.total(),
        "skipped": adapter.skipped.total(),
    }


def write(sources: Sequence[Source], file: BinaryIO, summary: Summary, tick: Tick) -> None:
    """Write the frames of all records in receive order; counts go to the summary."""
    counts: Counter[int] = Counter()
    last = dict.fromkeys((source.path for source in sources), 0)
    streams = [source.records(tick) for source in sources]
    for sequence, (record, source) in enumerate(merge(*streams, key=_received), 1):
        received, message = record
        frame = message.frame(sequence=sequence, timestamp=received, source=source.adapter.SOURCE)
        file.write(frame)
        summary.frames, summary.bytes = sequence, summary.bytes + len(frame)
        counts[message.TYPE] += 1
        if message.TYPE in INTRODUCTIONS:
            summary.introduced(message)
        summary.steps_back += received < last[source.path]
        last[source.path] = received
    summary.messages.update({type_name(number): count for number, count in counts.items()})


def _received(pair: tuple[Record, Source]) -> int:
    return pair[0].received


class Target:
    """Where the frames go: written beside it, and put in its place when they are whole."""

    def __init__(self, path: Path, force: bool, inputs: Sequence[Path]) -> None:
        self.path, self.force = path, force
        self._refuse(inputs)

    def _refuse(self, inputs: Sequence[Path] = ()) -> None:
        """RelayError when what is there must stay."""
        if not os.path.lexists(self.path):
            return
        if any(one.exists() and self.path.exists() and one.samefile(self.path) for one in inputs):
            raise RelayError(f"{self.path} is one of the files to read", os.EX_USAGE)
        if not stat.S_ISREG(self.path.lstat().st_mode):
            raise RelayError(f"{self.path} is not a regular file", os.EX_CANTCREAT)
        if not self.force:
            raise RelayError(f"{self.path} is there already (overwrite: --force)", os.EX_USAGE)

    @contextmanager
    def written(self) -> Iterator[BinaryIO]:
        """A file to write to; what is in it takes the place of `path` at the end, or is removed."""
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with part.open("xb", buffering=BUFFER) as file:
                yield file
            self._refuse()
            part.replace(self.path)
        except OSError as error:
            code = os.EX_NOPERM if isinstance(error, PermissionError) else os.EX_CANTCREAT
            text = f"{self.path} cannot be written: {error.strerror or error}"
            raise RelayError(text, code) from None
        finally:
            part.unlink(missing_ok=True)


# --- what is shown ---


@contextmanager
def _meter(sources: Sequence[Source], as_json: bool) -> Iterator[Tick]:
    """Progress on stderr: a bar on a terminal, else a line every tenth unless JSON is asked for."""
    size = sum(source.size for source in sources)
    if not sys.stderr.isatty():
        yield Tenths(sources, size) if size and not as_json else _silent
        return
    columns = (
        TextColumn("converting"), BarColumn(None), DownloadColumn(),
        TransferSpeedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=size or None)
        yield lambda: progress.update(task, completed=_done(sources))


def _done(sources: Sequence[Source]) -> int:
    return sum(source.read_bytes for source in sources)


def _silent() -> None:
    pass


class Tenths:
    """Says a line on stderr each time another tenth of the bytes has been read."""

    def __init__(self, sources: Sequence[Source], size: int) -> None:
        self._sources, self._size, self._said = sources, size, 0

    def __call__(self) -> None:
        tenth = 10 * _done(self._sources) // self._size
        if tenth > self._said:
            self._said = tenth
            lines = sum(source.adapter.read for source in self._sources)
            print(f"{tenth * 10}% of {self._size} bytes read, {lines} lines", file=sys.stderr)


def _show(summary: Summary, as_json: bool) -> None:
    for text in summary.collisions:
        click.echo(f"relays: id collision: {text}", err=True)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(summary.plain()), indent=2))
    elif sys.stdout.isatty():
        _show_tables(summary)
    else:
        for line in lines(summary.plain()):
            click.echo(line)


def lines(found: dict[str, Any]) -> Iterator[str]:
    """One thing a line, what it is first: `file`, `messages`, `skipped`, `left_out`, `written`.

    >>> counts = dict.fromkeys(("skipped", "left_out"), {}) | {"messages": {"trade": 2}}
    >>> facts = {"output": "o", "frames": 2, "bytes": 128, "seconds": 0.5, "steps_back": 0}
    >>> list(lines(facts | counts | {"files": []}))
    ['messages trade=2', 'written o frames=2 bytes=128 seconds=0.500 steps_back=0']
    """
    for one in found["files"]:
        counts = " ".join(f"{key}={one[key]}" for key in ("lines", "gave_messages", "skipped"))
        yield f"file {one['path']} {counts}"
    for what in ("messages", "skipped", "left_out"):
        yield from (f"{what} {name}={count}" for name, count in found[what].items())
    facts = " ".join(f"{key}={found[key]}" for key in ("frames", "bytes"))
    yield (
        f"written {found['output']} {facts} seconds={found['seconds']:.3f}"
        f" steps_back={found['steps_back']}"
    )


def _show_tables(summary: Summary) -> None:
    found, console = summary.plain(), Console(markup=False, highlight=False)
    rows = [(Path(one["path"]).name, one["lines"]) for one in found["files"]]
    console.print(_table(console, "lines read", rows))
    console.print(_table(console, "messages", list(found["messages"].items())))
    for title, key in (
        ("lines without a message", "skipped"),
        ("single events left out", "left_out"),
    ):
        if found[key]:
            console.print(_table(console, title, list(found[key].items())))
    if summary.steps_back:
        console.print(f"{summary.steps_back:,} messages were received before the one before them")
    speed = summary.frames / max(summary.seconds, 1e-9)
    console.print(
        f"{summary.output}: {summary.frames:,} frames, {summary.bytes:,} bytes,"
        f" {summary.seconds:.1f} s, {speed:,.0f} messages/s",
        soft_wrap=True,
    )


def _table(console: Console, title: str, rows: Sequence[tuple[str, int]]) -> Table:
    table = Table(box=None, padding=(0, 0, 0, 2))
    # Names give way on a narrow terminal, counts do not.
    table.add_column(title, overflow="fold", min_width=min(NAME, console.width - COUNT - 4))
    table.add_column("count", justify="right", no_wrap=True, min_width=COUNT)
    for name, count in rows:
        table.add_row(name, f"{count:,}")
    if len(rows) > 1:
        table.add_row("together", f"{sum(count for _, count in rows):,}", style="bold")
    return table


def _listed(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common(5))
