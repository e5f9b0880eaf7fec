"""`relays show-config`: every value of a relay's configuration, and where it came from.

Called through `relays.cli`. Reading and checking is in `relays.config`; here it is only shown.
"""

import json
import sys

import click
from rich.table import Table

from relays.cli.common.options import Given, configured, optional_domain
from relays.cli.common.screen import Screen
from relays.config import KEYS, Loaded, plain, show_value

# Wide enough for any path, so that output into a file or a pipe is never cut.
PIPE_WIDTH = 500


@click.command(
    "show-config",
    epilog="\b\nExamples:\n  relays show-config execution\n  relays show-config --json",
)
@optional_domain
@click.option("--json", "as_json", is_flag=True, help="As JSON: {domain: {key: {value, origin}}}.")
@configured
def command(given: Given, domain: str | None, as_json: bool) -> None:
    """Show each value of the configuration and where it came from, of one relay or of all."""
    every = {domain: given.load(domain)} if domain else given.load_all()
    if as_json:
        click.echo(json.dumps({name: described(one) for name, one in every.items()}, indent=2))
        return
    console = Screen(None if sys.stdout.isatty() else PIPE_WIDTH)
    for loaded in every.values():
        console.print(_table(loaded))


def described(loaded: Loaded) -> dict[str, dict[str, object]]:
    """The configuration as plain data: value and origin by key."""
    return {
        key: {"value": plain(getattr(loaded.config, key)), "origin": loaded.origins[key]}
        for key in KEYS
    }


def _table(loaded: Loaded) -> Table:
    table = Table(title=loaded.domain.name, title_justify="left", box=None, pad_edge=False)
    for column in ("key", "value", "origin"):
        table.add_column(column, overflow="fold")
    for key, entry in described(loaded).items():
        table.add_row(key, show_value(entry["value"]), str(entry["origin"]))
    return table
