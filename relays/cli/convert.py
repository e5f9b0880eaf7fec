"""`relays convert`: recorded venue data to a file of frames.

Called through `relays.cli`. What lines mean is the adapters' business, how files are read that of
`relays.cli.converting.sources`; here their records are merged by receive time and frames are
written. A file of frames is frames back to back, as on a socket: what reads it needs no index.
"""

import os
import signal
import stat
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from heapq import merge
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any, BinaryIO, NoReturn

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from protocol.catalogue import MessageType, type_name
from protocol.instruments import VenueId
from relays.adapters.kinds import KINDS
from relays.cli.converting.accounts import Summary, say, show
from relays.cli.converting.sources import BUFFER, Placed, Source, Tick, opened, refuse_repeated
from relays.errors import RelayError

EXAMPLES = """\b
Examples:
  relays convert binance spot_btcusdt.gz -o btc.frames
  relays convert binance-futures usdm_*.gz -o perpetuals.frames --force
  relays convert coinbase COINBASE.0.gz COINBASE.ws.28.0.gz -o coinbase.frames
  relays convert us-equities aapl_20131008_quote.zip -o aapl.frames \\
    --listing nasdaq
  relays convert uniswap logs.jsonl.gz --pools pools.csv -o pools.frames

Kinds: {kinds}.
"""
INTRODUCTIONS = (MessageType.INSTRUMENT_DISCOVERED, MessageType.POOL_DISCOVERED)
LISTINGS = [venue.name for venue in VenueId if VenueId.NASDAQ <= venue <= VenueId.IEX]
# Who ends us politely; an interrupt is an exception already.
ENDING = (signal.SIGTERM, signal.SIGHUP)


@click.command("convert", epilog=EXAMPLES.format(kinds=", ".join(KINDS)))
@click.argument("kind", type=click.Choice(list(KINDS)), metavar="KIND")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "--output", required=True, metavar="OUT.frames", help="The file to write.")
@click.option("--force", is_flag=True, help="Overwrite OUT.frames if it is there.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
@click.option(
    "--listing",
    type=click.Choice(LISTINGS, case_sensitive=False),
    help="us-equities: where the stocks are listed; NYSE unless it is said.",
)
@click.option(
    "--pools",
    metavar="FILE",
    help="uniswap: the table of pools; else pools.csv beside each file or in the folder above.",
)
def command(
    kind: str,
    files: tuple[str, ...],
    output: str,
    force: bool,
    as_json: bool,
    listing: str | None,
    pools: str | None,
) -> None:
    """Convert recorded venue data to a file of frames.

    Files may be plain, .gz or .zip (of one file). Several are merged in the order of their receive
    times, logs of one block in the order of the chain; each is a recording by itself: its books
    begin with a snapshot in it. Headers have the receive time and a sequence from 1. Every line
    becomes messages or is counted under a reason. OUT.frames appears when it is whole, or not at
    all.

    The summary counts lines, messages and reasons; the README of relays.adapters explains each.
    steps_back: messages received before the one that precedes them in their own file. collisions
    (in --json; on stderr always): symbols that share an id; within a file the first keeps it.
    seconds: how long the conversion took, from the opening of the files to the end.

    Exit codes: 0 written, also where nobody reads what is said of it; 64 wrong usage, or OUT.frames
    is there; 65 a file is damaged, or none gave a message; 66 a file cannot be read; 73 OUT.frames
    cannot be written; 77 not permitted.
    """
    options, told = _options(kind, listing, pools)
    target = Target(Path(output), force, [Path(name) for name in files])
    begun = monotonic()
    with ExitStack() as stack:
        sources = [stack.enter_context(opened(kind, Path(name), options)) for name in files]
        refuse_repeated(sources)
        meter = stack.enter_context(_meter(sources, as_json))
        summary = Summary(kind, str(target.path), sources, told)
        with target.written() as file:
            write(sources, file, summary, meter)
            summary.check()
    summary.seconds = monotonic() - begun
    show(summary, as_json)


def _options(
    kind: str, listing: str | None, pools: str | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """What the adapters of this kind are given, and what is told of it."""
    if listing and kind != "us-equities":
        raise click.UsageError("--listing is for the kind us-equities.")
    if pools and kind != "uniswap":
        raise click.UsageError("--pools is for the kind uniswap.")
    if kind == "us-equities":
        venue = VenueId[listing or VenueId.NYSE.name]
        return {"listing": venue}, {"listing": venue.name}
    return ({"table": Path(pools)} if pools else {}), {}


def write(sources: Sequence[Source], file: BinaryIO, summary: Summary, tick: Tick) -> None:
    """Write the frames of all records in receive order; counts go to the summary."""
    counts: Counter[int] = Counter()
    streams = [source.records(tick) for source in sources]
    for sequence, (record, source, _) in enumerate(merge(*streams, key=_place), 1):
        received, message = record
        frame = message.frame(sequence=sequence, timestamp=received, source=source.adapter.SOURCE)
        file.write(frame)
        summary.frames, summary.bytes = sequence, summary.bytes + len(frame)
        counts[message.TYPE] += 1
        if message.TYPE in INTRODUCTIONS:
            summary.introduced(message)
        summary.steps_back += received < source.last
        source.last = received
    summary.messages.update({type_name(number): count for number, count in counts.items()})


def _place(placed: Placed) -> tuple[int, tuple[int, int]]:
    return placed.record.received, placed.order


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
        # Its name is not made of the other, which may be as long as a name can be.
        part = self.path.with_name(f".relays-convert.{os.getpid()}")
        with _ended_by(ENDING):
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
                with suppress(OSError):
                    part.unlink()


@contextmanager
def _ended_by(signals: Sequence[signal.Signals]) -> Iterator[None]:
    """End by an exception at one of these, unless it is ignored: what is open is closed then."""
    handlers = {one: signal.getsignal(one) for one in signals}
    ours = [one for one, handler in handlers.items() if handler is not signal.SIG_IGN]

    def end(number: int, _: FrameType | None) -> NoReturn:
        for one in ours:
            signal.signal(one, signal.SIG_IGN)
        # As a shell says it of a process that a signal ended.
        raise SystemExit(128 + number)

    try:
        for one in ours:
            signal.signal(one, end)
        yield
    finally:
        for one in ours:
            signal.signal(one, handlers[one])


# --- how far it is ---


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
            say(f"{tenth * 10}% of {self._size} bytes read, {lines} lines")
