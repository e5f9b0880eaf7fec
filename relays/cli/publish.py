"""`relays publish DOMAIN FILE`: messages from a file, or a pipe, to a relay.

Called through `relays.cli`. Reads the command line and joins the parts: `message_files` reads,
`playing` sends and reports.
"""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Any

import click

from protocol.errors import ProtocolError
from relays.cli.interrupts import Interrupts
from relays.cli.message_files import FORMATS, MessageFile
from relays.cli.naming import type_number
from relays.cli.options import Given, domain_argument, located
from relays.cli.pacing import Speed
from relays.cli.playing import Player, Report, meter, pieces, show
from relays.cli.sending import Sender

EXAMPLES = """\b
Examples:
  relays publish market_data morning.frames
  relays publish market_data morning.frames --speed 10
  relays publish market_data trades.csv --type trade --decimal --speed 1000/s
  relays publish signals signals.jsonl --json
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


@click.command("publish", epilog=EXAMPLES)
@domain_argument
@click.argument("file")
@click.option(
    "--speed", type=SpeedType(), default="max", help="1: as recorded; N: N times as fast; max; or"
    " so many a second: 1000/s, 50k/s. [max]"
)  # fmt: skip
@click.option("--type", "type_name", metavar="TYPE", help="The type of every row of a CSV file.")
@click.option("--decimal", is_flag=True, help="CSV: prices and volumes are whole units.")
@click.option("--format", "kind", type=click.Choice(FORMATS), help="What FILE is.")
@click.option("--recorded-times", is_flag=True, help="Leave the times in headers as they are.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
@located
def command(
    given: Given,
    domain: str,
    file: str,
    speed: Speed,
    type_name: str | None,
    decimal: bool,
    kind: str | None,
    recorded_times: bool,
    as_json: bool,
) -> int:
    """Send the messages of a file to a relay; FILE may be `-`, the standard input."""
    if type_name is not None:
        try:
            type_number(type_name)
        except ProtocolError as error:
            raise click.UsageError(str(error)) from None
    made = MessageFile(file, kind=kind, type_name=type_name or "", decimal=decimal)
    with closing(made):
        return play("published", given.socket(domain), domain, [made], speed, recorded_times,
                    as_json)  # fmt: skip


def play(
    verb: str,
    path: str,
    domain: str,
    files: list[MessageFile],
    speed: Speed,
    recorded: bool,
    as_json: bool,
) -> int:
    """Send what is in the files, report it, and give the exit code."""
    report = Report(verb, domain, files)
    sender = Sender(path, name=verb)
    try:
        with meter(files) as shown, Interrupts() as interrupts:
            player = Player(sender, speed, report, shown, recorded)
            player.play(pieces(files, speed), interrupts)
    finally:
        sender.close()
        if sys.exc_info()[0] is None or report.sent:
            show(report, as_json)
    return report.exit_code
