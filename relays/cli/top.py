"""`relays top`: a live full-screen view of all relays (relays.md 8).

Called through `relays.cli`. Reads the states as `relays status` does and disturbs nobody. The
screen is `relays.cli.looking.top_screen`, imported only here and late: it needs Textual, which is
optional.
"""

import os
import signal
import sys
import time
from dataclasses import replace
from importlib.util import find_spec

import click

from relays.cli.common.options import Given, located, optional_domain
from relays.cli.looking.states import opened
from relays.cli.looking.top_model import Reading, Row, reading
from relays.edge.history import connections, decisions
from relays.edge.memory import files
from relays.edge.status import described, look
from relays.errors import RelayError

EXAMPLES = """\b
Examples:
  relays top
  relays top market_data --interval 0.5
  ssh -t host relays top
"""
MISSING = "relays top needs Textual, which is not installed: pip install 'alphapulse-relays[top]'"


class States:
    """The states of some relays, looked at again each time: {domain: runtime directory}."""

    def __init__(self, places: dict[str, str]) -> None:
        self.places = places

    def read(self) -> list[Reading]:
        """One reading of each relay; what cannot be read says why."""
        return [self._read(domain) for domain in self.places]

    def _read(self, domain: str) -> Reading:
        place, now = self.places[domain], time.monotonic()
        try:
            state = opened(domain, place)
            if state is None:
                return Reading(domain, now)
            return reading(domain, state, files(domain, place).state, now)
        except RelayError as error:
            return Reading(domain, now, problem=str(error))

    def connection(self, row: Row) -> tuple[Row, Row] | None:
        """What is known of the connection in a row of consumers or producers."""
        domain = row["domain"]
        place = self.places[domain]
        try:
            state = opened(domain, place)
            if state is None:
                return None
            # Of thousands only this one: the rest need not be laid out again.
            seen = look(state)
            seen = replace(seen, rows=[one for one in seen.rows if one["id"] == row["id"]])
            status = described(domain, seen, files(domain, place).state)
            made = [one for one in decisions(state) if one["id"] == row["id"]]
            for one in connections(seen, made):
                if one.relay_pid == row["relay_pid"]:
                    return status, vars(one)
        except RelayError:
            pass
        return None


@click.command("top", epilog=EXAMPLES)
@optional_domain
@click.option(
    "--interval", type=click.FloatRange(0.1, 60.0), default=1.0, show_default=True,
    help="Seconds between two looks.",
)  # fmt: skip
@located
def command(given: Given, domain: str | None, interval: float) -> None:
    """Show one relay or all three live: rates, latencies, consumers and producers.

    \b
    Of each relay, two lines under its state, position and how full its log is:
      in   messages and bytes a second it accepts, the same in the last looks,
           latency from header timestamp to read, frames rejected a second
      out  messages and bytes a second it delivers, the same in the last looks,
           latency from read to the last byte handed to the kernel, messages
           dropped a second

    \b
    Of each consumer:
      lag      messages it is owed, or has not confirmed yet (a session confirms
               in each Heartbeat); while its breaker is OPEN, those it misses
      age      how long the next frame owed to it has waited
      breaker  closed, OPEN, half_open or replaying
      msg/s    delivered to it a second; dropped: lost to it in all
    Of each producer: its last sequence, messages accepted a second, frames
    rejected in all and a second.

    \b
    Keys:
      up, down, page up, page down   move; tab: to the other table
      enter      the selected one in detail, with what happened to it
                 (as relays why tells it); escape: back
      s, r       sort consumers by the next column; the other way round
      p          pause, or go on
      q, Ctrl-C  quit at once

    It reads the states of the relays and disturbs nobody; that needs the relay's own user or
    group. 80 columns and 24 lines are enough, also over ssh. What is wrong is said in words too,
    never by colour alone; NO_COLOR is respected. It needs Textual:
    pip install 'alphapulse-relays[top]'.

    Exit codes: 0 quit; 64 wrong usage, or this is not a terminal; 69 Textual is not installed; 78
    the configuration cannot be used.

    See also: relays status (once, for pipes and programs), relays why (one consumer).
    """
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        text = "relays top needs a terminal; relays status --json is for programs"
        raise RelayError(text, os.EX_USAGE)
    if find_spec("textual") is None:
        raise RelayError(MISSING, os.EX_UNAVAILABLE)
    from relays.cli.looking.top_screen import Top

    every = {domain: given.load(domain)} if domain else given.load_all()
    places = {name: one.config.runtime_dir for name, one in every.items()}
    app = Top(States(places), interval)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also under nohup it ends with its terminal
    app.run()
    if app.failure is not None:
        raise app.failure
