"""`relays check-config`: would the three relays start with this configuration?

Called through `relays.cli`. The checks themselves are in `relays.config`.
"""

import click

from relays.cli.common.options import Given, configured


@click.command(
    "check-config",
    epilog="\b\nExample:\n  relays check-config --config relays.toml",
)
@configured
def command(given: Given) -> None:
    """Check the configuration of all three relays; touches no socket.

    Exit code 0 when it is good, else 78 and one line that says what is wrong with it.
    """
    every = given.load_all()
    path = next(iter(every.values())).path
    click.echo(f"{path or 'no configuration file'}: good for {', '.join(every)}")
