"""`relays publish DOMAIN FILE`: messages from a file, or a pipe, to a relay.

Called through `relays.cli`. Reads the command line; the rest is in `relays.cli.playing`, which
`relays replay` shares.
"""

from __future__ import annotations

from contextlib import closing

import click

from protocol.errors import ProtocolError
from relays.cli.common.naming import type_number
from relays.cli.common.options import Given, complete_types, domain_argument, located
from relays.cli.playing.message_files import MessageFile
from relays.cli.playing.play import How, play, playing

EXAMPLES = """\b
Examples:
  relays publish market_data morning.frames
  relays publish market_data morning.frames --speed 10
  relays publish market_data trades.csv --type trade --decimal --speed 1000/s
  relays publish signals signals.jsonl --ahead 50000 --json
  relays tap market_data --json |
    relays publish market_data --runtime-dir /tmp/other -

\b
FILE is one of these, told by its suffix (.frames, .jsonl, .csv, each also
.gz), else by its first bytes, or by --format:
  frames  frames back to back, as `relays convert` and `relays tap -w` write
          them
  json    a message a line: {"type": 1, "version": 1, "fields": {...}}, as
          `relays tap --json` writes them (its "header" gives source and time)
  csv     a header row of field names, then a message a row. A `type` column,
          or --type, says what each is; `timestamp` (ns), `source` and
          `priority` go into the frame's header. Instruments are
          venue:kind:symbol; prices and volumes are in units of 1e-8, or with
          --decimal whole units

\b
  instrument_id,price,volume,side
  binance:spot:BTC-USDT,61234.5,0.25,BUY

Each message gets a sequence and, unless --recorded-times is given, the time it is sent. What is
refused, by the relay or because it is no message, is listed with its line or frame; the rest goes
on. Ctrl-C ends it at once; what was sent is acknowledged.

Exit codes: 0 all published; 64 wrong usage; 65 some were refused, or FILE is damaged; 66 FILE
cannot be read; 69 nothing listens, or the relay has gone; 77 not permitted; 78 the configuration
is wrong; 130 interrupted.
"""


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
