"""`relays journal`: what a relay has written to disk: listed, checked, shown, copied, replayed.

Called through `relays.cli`. Reads the command line; which messages are meant is `ranges`' affair in
`relays.cli.journaling`, how they are read `taking`'s, how they are told `telling`'s. Nothing is
written but what `export` is told to write: a relay may be running, or be long gone.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from protocol.errors import ProtocolError
from protocol.message import decode
from relays.cli.common.naming import Names
from relays.cli.common.options import Given, domain_argument, located, optional_domain
from relays.cli.journaling import telling
from relays.cli.journaling.ranges import EVERYTHING, RangeType, Span
from relays.cli.journaling.taking import JournalFile, taken
from relays.cli.playing.play import How, play, playing
from relays.cli.tapping.feed import INTRODUCTIONS, frames, learn
from relays.cli.tapping.outputs import printer, recorder
from relays.cli.tapping.watching import KIND_AT
from relays.core.journal.catalogue import Catalogue
from relays.core.journal.reading import Fault
from relays.core.journal.recovery import Depth, recover
from relays.domains import DOMAINS
from relays.edge.journal.opened import opened
from relays.edge.journal.places import journal_folder
from relays.errors import RelayError

EXAMPLES = """\b
Examples:
  relays journal ls
  relays journal verify execution
  relays journal cat execution 834112..834120
  relays journal export execution 09:00..09:30 -o morning.frames
  relays journal replay execution 09:00..09:30 --to execution --runtime-dir /tmp/other
  relays journal who execution 834112

\b
A RANGE is a position, FIRST..LAST (both included; either may be left out), last:N, or two times,
FROM..TO (TO not included): 2026-01-31T09:00..2026-01-31T09:05:30, or 09:00..09:05 for today. Times
are those at which the relay received messages, UTC unless they say +01:00; all messages that came
in one read have one time.

\b
The journal is where the configuration of the relay says, or with --dir in a directory: that of the
segments themselves, or one with a directory for each domain. The relay may be running, may be
dead, may be another machine's: nothing is locked and nothing is changed.

\b
Exit codes: 0 done; 64 wrong usage; 65 something is damaged (what is good was shown or written); 66
there is no journal, or not that position; 73 FILE cannot be made; 77 not permitted; 78 the
configuration is wrong.
"""
Function = TypeVar("Function", bound=Callable[..., Any])


class Place:
    """Where the command line says that journals are."""

    def __init__(self, given: Given, directory: str | None) -> None:
        self.given, self._directory = given, directory
        self.elsewhere = directory is not None

    def folder(self, domain: str) -> Path:
        """The directory of one relay's segments."""
        if self._directory is None:
            return journal_folder(domain, self.given.load(domain).config)
        inside = Path(self._directory, domain)
        return inside if inside.is_dir() else Path(self._directory)

    def folders(self, domain: str | None) -> dict[str, Path]:
        """Those of one relay or of all, as far as there are any; RelayError (66) for none."""
        if domain is None and self._directory:
            every = {name: Path(self._directory, name) for name in DOMAINS}
            places = {name: path for name, path in every.items() if path.is_dir()}
            places = places or {"": Path(self._directory)}
        else:
            places = {name: self.folder(name) for name in ([domain] if domain else DOMAINS)}
        there = {name: path for name, path in places.items() if path.is_dir()}
        if not there:
            tried = ", ".join(map(str, places.values()))
            raise RelayError(f"there is no journal in {tried}", os.EX_NOINPUT)
        return there

    @contextmanager
    def journal(self, domain: str) -> Iterator[Catalogue]:
        """One relay's journal, open; RelayError (66) where it has no segment."""
        folder = self.folders(domain)[domain]
        with opened(folder) as catalogue:
            if not catalogue.segments:
                raise RelayError(f"there is no journal in {folder}", os.EX_NOINPUT)
            yield catalogue


def placed(function: Function) -> Function:
    """Add the options that say where journals are; they come as one keyword, `place: Place`."""

    @functools.wraps(function)
    def wrapper(*args: Any, given: Given, directory: str | None, **rest: Any) -> Any:
        return function(*args, place=Place(given, directory), **rest)

    option = click.option("--dir", "directory", metavar="DIR", help="Where the segments are.")
    return option(located(wrapper))  # type: ignore[return-value]


as_json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")
range_argument = click.argument("span", metavar="[RANGE]", type=RangeType(), default=EVERYTHING)


@click.group("journal", epilog=EXAMPLES, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Look into what a relay has written to disk."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _example(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  relays journal {line}" for line in lines)


@command.command("ls", epilog=_example("ls", "ls execution --json", "ls --dir /backup/journal"))
@optional_domain
@as_json_option
@placed
def list_(place: Place, domain: str | None, as_json: bool) -> int:
    """List segments, and what is wrong with them.

    Every record is checked, and the frames of the two newest segments. A torn tail is what a write
    that never ended has left: the next relay cuts it. Damage is what was once whole: exit code 65.
    """
    every = []
    for name, folder in place.folders(domain).items():
        with opened(folder) as catalogue:
            found = recover(catalogue)
            # A running relay may have been in the middle of a record.
            found = recover(catalogue) if found.torn else found
            every.append(telling.described(name, folder, catalogue, found))
    _tell(every, as_json)
    return os.EX_DATAERR if any(data["damage"] for data in every) else os.EX_OK


def _tell(every: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(every), indent=2))
    for data in () if as_json else every:
        if sys.stdout.isatty():
            telling.show(data)
            continue
        for line in telling.lines(data):
            click.echo(line)


@command.command(
    "verify", epilog=_example("verify", "verify execution", "verify --dir /backup/journal --json")
)
@optional_domain
@click.option(
    "--checksums/--no-checksums", default=None, help="Check that of each frame too, or not."
    " [as validate_checksums has it: who is not asked for right ones may send others]",
)  # fmt: skip
@as_json_option
@placed
def verify(place: Place, domain: str | None, checksums: bool | None, as_json: bool) -> int:
    """Check every checksum of every segment.

    Those of records and of their frames, and the chain through all of them.
    Damage is listed with file, place and positions, and the exit code is 65.
    """
    every = []
    for name, folder in place.folders(domain).items():
        strict = checksums
        if strict is None:
            strict = bool(name) and place.given.load(name).config.validate_checksums
        with opened(folder) as catalogue, _meter(name) as progress:
            depth = Depth(every=True, checksums=strict, progress=progress)
            found = recover(catalogue, depth)
            found = recover(catalogue, depth) if found.torn else found
            every.append(telling.described(name, folder, catalogue, found))
    _tell(every, as_json)
    damaged = any(data["damage"] for data in every)
    if sys.stdout.isatty() and not as_json:
        click.echo("damaged" if damaged else "every checksum is right")
    return os.EX_DATAERR if damaged else os.EX_OK


@contextmanager
def _meter(name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = TextColumn(name), BarColumn(None), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@command.command(
    "cat",
    epilog=_example(
        "cat execution last:20", "cat execution 834112.. --count 10 --hex",
        "cat execution 09:00..09:05 --json | jq .fields",
    ),
)  # fmt: skip
@domain_argument
@range_argument
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N messages.")
@click.option("--hex", "hexadecimal", is_flag=True, help="The bytes of each frame too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@placed
def cat(
    place: Place, domain: str, span: Span, count: int | None, hexadecimal: bool, as_json: bool
) -> int:
    """Show messages, decoded, as `relays tap` does."""
    names = Names()
    if not place.elsewhere:
        learn(names, place.given.socket("market_data"))
    output = printer(names, hexadecimal=hexadecimal, as_json=as_json)
    with place.journal(domain) as catalogue:
        faults = Faults(catalogue)
        first, end = _positions(catalogue, span)
        end = end if count is None else min(end, first + count)
        for run in taken(catalogue, first, end, faults):
            for frame in frames(run):
                if frame.raw[KIND_AT] in INTRODUCTIONS:
                    _learn(names, frame.raw)
                output.frame(frame)
            output.flush()
    return faults.exit_code


def _learn(names: Names, raw: bytes | memoryview) -> None:
    with suppress(ProtocolError):
        names.learn(decode(raw))


class Faults:
    """Tells what is wrong on stderr, a line each, and remembers that something is damaged: what
    `verify` calls torn is not."""

    exit_code = os.EX_OK

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    @functools.cached_property
    def _torn(self) -> Fault | None:
        return recover(self._catalogue).torn

    def __call__(self, fault: Fault) -> None:
        if self._torn is not None and fault.first >= self._torn.first:
            click.echo(f"relays: torn: {fault}", err=True)
            return
        self.exit_code = os.EX_DATAERR
        click.echo(f"relays: damaged: {fault}", err=True)


def _positions(catalogue: Catalogue, span: Span) -> tuple[int, int]:
    """The positions of a range; RelayError (66) where the journal has none of a given one."""
    oldest, end = catalogue.oldest, catalogue.segments[-1].end().position
    first, last = span.positions(catalogue, end)
    if not span.times and span.first is not None and not oldest <= first < end:
        has = f"positions {oldest} to {end - 1}" if end > oldest else "no messages"
        raise RelayError(f"position {first} is not in the journal, which has {has}", os.EX_NOINPUT)
    return first, last


@command.command(
    "export",
    epilog=_example(
        "export execution 834112..834999 -o some.frames",
        "export execution 09:00..09:30 -o - | relays publish execution -",
    ),
)
@domain_argument
@range_argument
@click.option(
    "-o", "--output", required=True, metavar="FILE.frames", type=click.Path(allow_dash=True),
    help="The file to write, or -.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite FILE.frames if it is there.")
@placed
def export(place: Place, domain: str, span: Span, output: str, force: bool) -> int:
    """Write the frames of a range to a file.

    Byte for byte, one after the other, without the records: what `relays publish` and
    `relays replay` read.
    """
    with place.journal(domain) as catalogue:
        faults = Faults(catalogue)
        first, end = _positions(catalogue, span)
        file = recorder(output, force=force)
        for run in taken(catalogue, first, end, faults):
            file.run(run)
        file.close()
    return faults.exit_code


@command.command(
    "replay",
    epilog=_example(
        "replay execution 834112..834999 --to execution --runtime-dir /tmp/other --dir /backup",
        "replay market_data 09:00..09:30 --to market_data --speed 60",
    ),
)
@domain_argument
@range_argument
@click.option("--to", required=True, type=click.Choice(list(DOMAINS)), help="The relay to send to.")
@playing("1")
@placed
def replay(place: Place, domain: str, span: Span, to: str, how: How) -> int:
    """Send the messages of a range to a relay.

    With their own timing, faster or slower, as `relays replay` sends a file. --runtime-dir says
    where the relay to send to is, and, without --dir, where the journal is too.
    """
    if how.kind:
        raise click.UsageError("--format is for files.")
    with place.journal(domain) as catalogue:
        faults = Faults(catalogue)
        first, end = _positions(catalogue, span)
        file = JournalFile(f"journal of {domain}", catalogue, first, end, faults)
        return play("replay", place.given, to, [file], how) or faults.exit_code


@command.command("who", epilog=_example("who execution 834112", "who execution 834112 --json"))
@domain_argument
@click.argument("position", type=click.IntRange(0, 2**64 - 1))
@as_json_option
@placed
def who(place: Place, domain: str, position: int, as_json: bool) -> None:
    """Say who sent the message at POSITION.

    And through which connection, as which producer, and when. The user and the process are what
    the kernel said of the connection, never what the sender said; a user's name is what this
    machine calls that uid now.
    """
    with place.journal(domain) as catalogue:
        first, _ = _positions(catalogue, Span(position, position))
        try:
            data = telling.author(domain, catalogue.segment(first), first)
        except (LookupError, RelayError) as error:
            raise RelayError(f"damaged: {error}", os.EX_DATAERR) from None
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(data), indent=2))
    else:
        text = telling.author_text if sys.stdout.isatty() else telling.author_line
        click.echo(text(data))
