"""`relays publish DOMAIN FILE`: messages from a file, or a pipe, to a relay.

Called through `relays.cli`. Reads the command line and joins the parts: `message_files` reads,
`playing` sends and reports.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any, NamedTuple, TypeVar

import click

from protocol.errors import ProtocolError
from relays.cli.ahead import Ahead
from relays.cli.interrupts import Interrupts
from relays.cli.message_files import FORMATS, MessageFile
from relays.cli.naming import type_number
from relays.cli.options import Given, complete_types, domain_argument, located
from relays.cli.pacing import Speed
from relays.cli.playing import Player, Report, meter, pieces, show
from relays.cli.sending import Sender

DONE = {"publish": "published", "replay": "replayed"}
Function = TypeVar("Function", bound=Callable[..., Any])

EXAMPLES = """\b
Examples:
  relays publish market_data morning.frames
  relays publish market_data morning.frames --speed 10
  relays publish market_data trades.csv --type trade --decimal --speed 1000/s
  relays publish signals signals.jsonl --ahead 50000 --json
  relays tap market_data --json | relays publish market_data --runtime-dir /tmp/other -

\b
FILE is one of these, told by its suffix (.frames, .jsonl, .csv, each also .gz), else by its first
bytes, or by --format:
  frames  frames back to back, as `relays convert` and `relays tap -w` write them
  json    a message a line: {"type": 1, "version": 1, "fields": {...}}, as `relays tap --json`
          writes them (its "header" gives source and time)
  csv     a header row of field names, then a message a row. A `type` column, or --type, says
          what each is; `timestamp` (ns), `source` and `priority` go into the frame's header.
          Instruments are venue:kind:symbol; prices and volumes are in units of 1e-8, or with
          --decimal whole units

\b
  instrument_id,price,volume,side
  binance:spot:BTC-USDT,61234.5,0.25,BUY

\b
Each message gets a sequence and, unless --recorded-times is given, the time it is sent. What is
refused, by the relay or because it is no message, is listed with its line or frame; the rest goes
on. Ctrl-C ends it at once; what was sent is acknowledged.

\b
Exit codes: 0 all published; 64 wrong usage; 65 some were refused, or FILE is damaged; 66 FILE
cannot be read; 69 nothing listens, or the relay has gone; 77 not permitted; 78 the configuration
is wrong; 130 interrupted.
"""


class SpeedType(click.ParamType[Speed]):
    """`1`, `N`, `max` or a rate such as `1000/s`."""

    name = "SPEED"

    def convert(self, value: Any, _: Any, __: Any) -> Speed:
        try:
            return value if isinstance(value, Speed) else Speed.parse(value)
        except ValueError as error:
            return self.fail(str(error))


def playing(speed: str) -> Callable[[Function], Function]:
    """Add the options of everything that is played; they come as one keyword, `how: How`."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def wrapper(*args: Any, **given: Any) -> Any:
            how = How(**{name: given.pop(name) for name in How._fields})
            return function(*args, how=how, **given)

        for option in reversed(_options(speed)):
            option(wrapper)
        return wrapper  # type: ignore[return-value]

    return decorate


class How(NamedTuple):
    """How files are played, as the command line has it."""

    speed: Speed
    kind: str | None
    recorded: bool
    ahead: int | None
    as_json: bool


def _options(speed: str) -> list[Callable[[Function], Function]]:
    return [
        click.option(
            "--speed", type=SpeedType(), default=speed, help="1: as recorded; N: N times as fast;"
            f" max; or so many a second: 1000/s, 50k/s. [{speed}]",
        ),
        click.option("--format", "kind", type=click.Choice(FORMATS), help="What a FILE is."),
        click.option(
            "--recorded-times", "recorded", is_flag=True, help="Leave the times in headers."
        ),
        click.option(
            "--ahead", type=click.IntRange(1), metavar="N", help="Wait while a consumer is N"
            " messages behind (looks at the relay's state).",
        ),
        click.option("--json", "as_json", is_flag=True, help="The report as JSON."),
    ]  # fmt: skip


@click.command("publish", epilog=EXAMPLES)
@domain_argument
@click.argument("file", type=click.Path(allow_dash=True))
@click.option(
    "--type", "type_name", metavar="TYPE", shell_complete=complete_types,
    help="The type of every row of a CSV file.",
)  # fmt: skip
@click.option("--decimal", is_flag=True, help="CSV: prices and volumes are whole units.")
@playing("max")
@located
def command(
    given: Given, domain: str, file: str, type_name: str | None, decimal: bool, how: How
) -> int:
    """Send the messages of a file to a relay; FILE may be `-`, the standard input."""
    if type_name is not None:
        try:
            type_number(type_name)
        except ProtocolError as error:
            raise click.UsageError(str(error)) from None
    made = MessageFile(file, kind=how.kind, type_name=type_name or "", decimal=decimal)
    with closing(made):
        return play("publish", given, domain, [made], how)


def play(name: str, given: Given, domain: str, files: list[MessageFile], how: How) -> int:
    """Send what is in the files as the producer `name`, report it, and give the exit code."""
    report = Report(DONE[name], domain, files)
    try:
        _play(name, given, report, how)
    finally:
        if sys.exc_info()[0] is None or report.sent:
            show(report, how.as_json)
    return report.exit_code


def _play(name: str, given: Given, report: Report, how: How) -> None:
    domain, files = report.domain, report.files
    runtime_dir = given.load(domain).config.runtime_dir
    with meter(files) as shown, closing(Sender(given.socket(domain), name)) as sender:
        ahead = None if how.ahead is None else Ahead(domain, runtime_dir, how.ahead)
        player = Player(sender, how.speed, report, shown, recorded=how.recorded, ahead=ahead)
        try:
            with Interrupts() as interrupts:
                player.play(pieces(files, how.speed, ahead), interrupts)
        finally:
            sender.close()
            player.hear()
