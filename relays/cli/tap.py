"""`relays tap DOMAIN`: what flows through a relay, as tcpdump shows what flows through a wire.

Called through `relays.cli`. Reads the command line and joins the parts: `feed` gives frames,
`watching` picks them, `tap_outputs` shows, writes or counts them.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Any

import click

from protocol.catalogue import SourceType
from protocol.control import Gap, Snapshot
from protocol.errors import ProtocolError
from protocol.message import decode
from relays.cli.common.interrupts import Interrupts
from relays.cli.common.naming import Names, Wanted, clean, number, type_number
from relays.cli.common.options import (
    Given,
    complete_sources,
    complete_types,
    domain_argument,
    located,
)
from relays.cli.common.times import moment
from relays.cli.tapping.feed import INTRODUCTIONS, Feed, Item, frames, learn
from relays.cli.tapping.outputs import (
    EVERY,
    Output,
    Recorder,
    Statistics,
    printer,
    recorder,
)
from relays.cli.tapping.show_message import Frame
from relays.cli.tapping.watching import KIND_AT, Filter
from relays.client.consuming import Run
from relays.client.subscription import EPOCH, StartAt
from relays.domains import DOMAINS
from relays.errors import RelayError

EXAMPLES = """\b
Examples:
  relays tap market_data
  relays tap market_data --type trade,quote --instrument 'BTC*' --count 20
  relays tap market_data --instrument binance:spot:BTCUSDT --hex
  relays tap execution --from oldest --producer 7001
  relays tap signals --from -100 --json | jq .fields
  relays tap execution --from 09:30
  relays tap market_data --snapshot --instrument 'BTC*'
  relays tap market_data --stats
  relays tap market_data -w morning.frames
  relays tap market_data -w - |
    relays publish market_data - --runtime-dir /tmp/other

\b
A line is: time (UTC) of the header, position, type, instrument, fields,
[source #sequence].
  22:13:20.000000 9 trade okx:spot:BTC-USDT price=61.5 volume=2 [external #4]

Prices and volumes are whole units. The position is - where the relay itself leaves frames out
(--type, --instrument by its id): then it does not tell every one.

A snapshot is the last quote and book of each instrument, and what introduced it, as the relay has
them when the feed begins: verbatim, `snapshot` in place of the position, between two lines `--`.

A time for --from is 09:30 (today), 2026-01-31T09:30 or 2026-01-31T09:30:00+01:00, UTC where it does
not say; the relay must have a journal.

Instruments are named as their discovery messages name them, else as the id says it.

An instrument is venue:kind:symbol, as binance:spot:BTC-USDT, kraken:spot:* or
ethereum:token:0x..., or a symbol alone: BTCUSDT, BTC*; or the id's 12 bytes in hex. Case and
- / _ do not matter.

Exit codes: 0 ended by --count, Ctrl-C or a reader that left; 64 wrong usage; 69 nothing listens,
or the relay refuses us; 73 FILE cannot be made; 74 it cannot be written; 77 not permitted; 78 the
configuration is wrong.
"""
# How long one read waits: what is counted is shown at least this often.
TURN = 0.25


class Position(click.ParamType[StartAt]):
    """`live`, `oldest`, a position, -N for the last N, or a time."""

    name = "WHERE"

    def convert(self, value: Any, _: Any, __: Any) -> StartAt:
        if value in ("live", "oldest"):
            return value  # type: ignore[no-any-return]
        with suppress(ValueError):
            if -(2**64) < (at := int(value)) < 2**64:
                return at
        with suppress(ValueError):
            if (then := moment(value)) >= EPOCH:
                return then
        return self.fail(
            f"{value!r} is not live, oldest, a position, -N for the last N, or a time such as"
            " 09:30 or 2026-01-31T09:30:00+01:00"
        )


@dataclass(frozen=True)
class Asked:
    """The command line of tap."""

    domain: str
    start: StartAt
    snapshot: bool
    types: tuple[str, ...]
    instruments: tuple[str, ...]
    sources: tuple[str, ...]
    producers: tuple[str, ...]
    count: int | None
    hexadecimal: bool
    stats: bool
    interval: float | None
    write: str | None
    force: bool
    as_json: bool


@click.command("tap", epilog=EXAMPLES)
@domain_argument
@click.option(
    "--type", "types", multiple=True, metavar="TYPE,...", shell_complete=complete_types,
    help="Only these types.",
)  # fmt: skip
@click.option(
    "--instrument", "instruments", multiple=True, metavar="NAME,...", help="Only these instruments."
)
@click.option(
    "--source", "sources", multiple=True, metavar="NAME,...", shell_complete=complete_sources,
    help="Only these sources.",
)  # fmt: skip
@click.option(
    "--producer", "producers", multiple=True, metavar="ID,...", help="Only what concerns orders of"
    " these producer ids (execution: elsewhere frames do not name their producer)."
)  # fmt: skip
@click.option(
    "--from", "start", type=Position(), default="live", help="Begin at a position, with the oldest"
    " kept, -N: with the last N, or with what was received at a time or later. [live]"
)  # fmt: skip
@click.option(
    "--snapshot", is_flag=True, help="The state of each instrument first, and again after each gap."
)
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N messages.")
@click.option("--hex", "hexadecimal", is_flag=True, help="The bytes of each frame too.")
@click.option("--stats", is_flag=True, help="Rates by type, source and instrument instead.")
@click.option(
    "--interval", type=click.FloatRange(0.1), metavar="SECONDS", help="How often --stats speaks."
    " [1 on a terminal, else only at the end]"
)  # fmt: skip
@click.option(
    "-w", "write", metavar="FILE.frames", type=click.Path(allow_dash=True),
    help="Write the frames to a file, or to -.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite FILE.frames if it is there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@located
def command(given: Given, **options: Any) -> int:
    """Show what flows through a relay: every message, decoded, a line each.

    An ordinary consumer that never holds anybody up: where it cannot keep up it loses messages,
    and says which (a line `-- gap`). It waits for a relay that is restarted. Ctrl-C ends it.
    """
    asked = Asked(**options)
    names = Names()
    wanted = _filter(asked, names)
    introductions = set(INTRODUCTIONS) & set(DOMAINS[asked.domain].types)
    with Feed(
        given.socket(asked.domain),
        start=asked.start,
        types=set(wanted.types) | introductions if wanted.types else (),
        instruments=wanted.ids,
        snapshot=asked.snapshot,
    ) as feed:
        if not asked.write or asked.stats:
            learn(names, given.socket("market_data"))
        try:
            Tap(feed, wanted, names, _outputs(asked, names), asked.count).run()
        except BrokenPipeError:
            # Whoever read our output (say `head`) has gone: the interpreter must not mind either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            where = asked.write or "the output"
            raise RelayError(f"{where}: {error.strerror or error}", os.EX_IOERR) from None
    return os.EX_OK


class Tap:
    """Takes frames from the feed to the outputs until `count` have passed the filter."""

    def __init__(
        self, feed: Feed, wanted: Filter, names: Names, outputs: list[Output], count: int | None
    ) -> None:
        self.feed, self.wanted, self.names, self.outputs = feed, wanted, names, outputs
        self.left = -1 if count is None else count
        # Where everything is only written or counted, runs need not be taken apart here.
        self.whole = [one for one in outputs if isinstance(one, Recorder | Statistics)]
        if wanted.asks or len(self.whole) < len(outputs):
            self.whole = []

    def run(self) -> None:
        """Until all have passed, the relay has gone (LinkClosed) or somebody interrupts."""
        try:
            with Interrupts() as interrupts:
                self._run(interrupts)
        except KeyboardInterrupt:
            pass
        finally:
            for output in self.outputs:
                output.close()

    def _run(self, interrupts: Interrupts) -> None:
        while self.left:
            with interrupts.waiting():
                items = self.feed.take(TURN)
            for item in items:
                self._take(item)
            for output in self.outputs:
                output.flush()

    def _take(self, item: Item) -> None:
        match item:
            case Run() if self.whole and not 0 <= self.left < item.frames:
                for one in self.whole:
                    one.run(item)
                self.left -= item.frames
            case Run():
                self._frames(item)
            case Gap():
                for output in self.outputs:
                    output.gap(item)
            case Snapshot():
                for output in self.outputs:
                    output.snapshot(item)
            case _:
                for output in self.outputs:
                    output.note(item)

    def _frames(self, run: Run) -> None:
        for frame in frames(run):
            if not self.left:
                break
            self._frame(frame)

    def _frame(self, frame: Frame) -> None:
        if frame.raw[KIND_AT] in INTRODUCTIONS:
            self._learn(frame)
        if not self.wanted.passes(frame.raw):
            return
        for output in self.outputs:
            output.frame(frame)
        self.left -= 1

    def _learn(self, frame: Frame) -> None:
        try:
            trouble = self.names.learn(decode(frame.raw))
        except ProtocolError:
            return  # the line of this frame says that it is damaged
        if trouble:
            for output in self.outputs:
                output.note(clean(trouble))


def _filter(asked: Asked, names: Names) -> Filter:
    """The filter of the command line; UsageError for what cannot be."""
    domain = DOMAINS[asked.domain]
    if asked.producers and asked.domain != "execution":
        text = f"Frames of {asked.domain} do not name their producer; --source is who sends."
        raise click.BadOptionUsage("producer", f"--producer: {text}")
    try:
        patterns = _split(asked.instruments)
        return Filter(
            types=frozenset(type_number(text, domain) for text in _split(asked.types)),
            sources=frozenset(number(SourceType, text) for text in _split(asked.sources)),
            producers=frozenset(int(text, 0) for text in _split(asked.producers)),
            wanted=Wanted(patterns, names) if patterns else None,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _split(texts: tuple[str, ...]) -> list[str]:
    return [part for text in texts for part in text.split(",") if part]


def _outputs(asked: Asked, names: Names) -> list[Output]:
    if asked.write == "-" and (asked.stats or asked.as_json):
        raise click.UsageError("-w - writes frames to stdout: no --stats or --json beside it.")
    if asked.stats and asked.snapshot:
        raise click.UsageError("--stats counts what flows; a snapshot is nothing that flows.")
    terminal = sys.stdout.isatty()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    found: list[Output] = []
    if asked.write:
        found.append(recorder(asked.write, force=asked.force))
    if asked.stats:
        every = asked.interval or (EVERY if terminal and not asked.as_json else 0.0)
        found.append(Statistics(names, sys.stdout, every=every, as_json=asked.as_json))
    if found:
        return found
    return [printer(names, hexadecimal=asked.hexadecimal, as_json=asked.as_json)]
