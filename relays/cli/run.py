"""`relays run DOMAIN`: one relay in the foreground (relays.md 8).

Called by the group in `relays.cli`. What the daemon does is `relays.edge.service`'s.
"""

import click

from relays.cli.common.options import Given, accept_damage_option, configured, domain_argument

EXAMPLES = """\b
Examples:
  relays run market_data
  relays run execution --runtime-dir /tmp/alphapulse --log-level debug
  relays run signals --metrics-port off --set circuit_breaker=5000

Stop it with Ctrl-C or SIGTERM: consumers get drain_timeout to take what they are owed. A second
signal ends it at once. SIGHUP reloads, SIGUSR1 writes the status to the log.
"""


@click.command(epilog=EXAMPLES)
@domain_argument
@configured
@accept_damage_option
def command(domain: str, given: Given, accept_damage: bool) -> int:
    """Run one relay in the foreground: market_data, signals or execution."""
    from relays.edge.service import run

    return run(lambda: given.load(domain), accept_damage)
