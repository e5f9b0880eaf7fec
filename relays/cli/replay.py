"""`relays replay FILE... --to DOMAIN`: recordings to a relay, in the rhythm they were made.

Called through `relays.cli`. Reads the command line; the rest is that of `publish`, with several
files merged by the times in their headers.
"""

from __future__ import annotations

from contextlib import ExitStack

import click

from relays.cli.common.options import Given, located
from relays.cli.playing.message_files import MessageFile
from relays.cli.playing.play import How, play, playing
from relays.domains import DOMAINS

EXAMPLES = """\b
Examples:
  relays replay morning.frames --to market_data
  relays replay btc.frames eth.frames --to market_data --speed 60
  relays replay day.frames.gz --to market_data --speed max --recorded-times
  relays replay signals.jsonl --to signals --speed 100/s

Files are as for `relays publish`; several are merged by the times in their headers, each keeping
its own order. At --speed 1 a message goes out as long after the first as it was recorded after it,
at N in an Nth of that. A recording that is late is not held up further: what is due goes out.
Headers get a new sequence and, unless --recorded-times is given, the time of sending.

What is refused is listed with its file and frame or line; the rest goes on. Ctrl-C ends it at once;
what was sent is acknowledged.

Exit codes: 0 all replayed; 64 wrong usage, or there are no times to keep to; 65 some were refused,
or a file is damaged; 66 a file cannot be read; 69 nothing listens, or the relay has gone; 77 not
permitted; 78 the configuration is wrong; 130 interrupted.
"""


@click.command("replay", epilog=EXAMPLES)
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(allow_dash=True)
)
@click.option(
    "--to", "domain", required=True, type=click.Choice(list(DOMAINS)), help="The relay to send to."
)
@playing("1")
@located
def command(given: Given, files: tuple[str, ...], domain: str, how: How) -> int:
    """Replay recordings to a relay with their own timing, or faster or slower."""
    if files.count("-") > 1:
        raise click.UsageError("The standard input, -, can be read only once.")
    with ExitStack() as stack:
        opened: list[MessageFile] = []
        for path in files:
            opened.append(MessageFile(path, kind=how.kind))
            stack.callback(opened[-1].close)
        return play("replay", given, domain, opened, how)
