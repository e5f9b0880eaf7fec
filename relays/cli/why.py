"""`relays why`: what happened to one consumer or producer, from the relays' state (relays.md 8).

Called through `relays.cli`. What was decided comes from `relays.edge.history`, its words from
`relays.cli.looking.sentences`; here it is laid out: lines for people, key=value for a pipe, JSON
for programs. Needs no socket and disturbs nobody, and works also where the relay died.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import click
import msgspec
from click.shell_completion import CompletionItem
from rich.table import Table
from rich.text import Text

from relays.cli.common.options import Given, located, optional_domain
from relays.cli.common.screen import Screen
from relays.cli.looking.sentences import heading, present, sentence, style
from relays.cli.looking.states import opened
from relays.cli.looking.words import clock, plain, words
from relays.edge.history import history
from relays.edge.memory import files
from relays.errors import RelayError

EXAMPLES = """\b
Examples:
  relays why strategy                 a client by the name it gave
  relays why '#17' market_data        a connection, as log lines number it
  relays why pid=4711 --json          every connection of a process
"""
MANY_NAMES = 12
WHEN = 25
SECOND = 1_000_000_000
Data = Mapping[str, Any]


def _names(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The client names in the states, for the shell; nothing where none can be read."""
    given = Given(context.params.get("config"), {})
    if context.params.get("runtime_dir"):
        given.flags["runtime_dir"] = context.params["runtime_dir"]
    try:
        found = asked(given, None, "")
    except Exception:
        return []
    names = {name for data in found.values() for name in data["names"]}
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


@click.command("why", epilog=EXAMPLES)
@click.argument("consumer", shell_complete=_names)
@optional_domain
@click.option("--json", "as_json", is_flag=True, help="As JSON: {domain: {...}}.")
@located
def command(given: Given, consumer: str, domain: str | None, as_json: bool) -> None:
    """Show what happened to CONSUMER: when it joined, lagged, was cut off, and why.

    CONSUMER is the name a client gave itself, the number of a connection (7 or #7) or a process
    (4711 or pid=4711); producers are found the same way. Without a domain all three relays are
    looked through. Connections count from 1 in each relay process: a number may mean several.

    \b
    What is shown of each connection, oldest first:
      joined          as what, from which position, its filters and on_lag
      lagged          it was half of what opens its breaker behind
      caught up       it has everything again
      breaker opened  how many messages behind, at which position, and when
                      it is tried again
      gap             the positions lost to it, how many, and the reason:
                      too_slow (it lagged), too_old (no longer kept),
                      log_replaced (it asked for a position of another log)
      rejected        frames it sent that were refused, and the reason
      closed          by the relay: the reason, and what was wrong
      ended           what it was delivered, what was lost or undelivered
      relay had died  the same, told by the successor
      went on         the relay was restarted, and this connection stayed
      now             what it is, if it is connected (or was, in a dead relay)

    A relay keeps the last 4,096 decisions about all its connections, across restarts and kills;
    what comes again within a second is one of them. No relay need be running; reading its state
    needs its own user or group. On a terminal these are sentences, in colour; in a pipe lines of
    key=value.

    Exit codes: 0 shown; 64 wrong usage; 69 nothing is known of it, or no relay has run here; 70 a
    state is damaged; 77 a state may not be read by you; 78 the configuration cannot be used.

    See also: relays status (what is now), relays top (live).
    """
    found = asked(given, domain, consumer)
    if not any(data["connections"] for data in found.values()):
        raise RelayError(unknown(consumer, found), os.EX_UNAVAILABLE)
    if as_json:
        shown = {name: _without_names(data) for name, data in found.items() if data["connections"]}
        click.echo(msgspec.json.format(msgspec.json.encode(shown), indent=2))
    elif sys.stdout.isatty():
        _show(found)
    else:
        for line in lines(found):
            click.echo(line)


def _without_names(data: Data) -> Data:
    return {key: value for key, value in data.items() if key != "names"}


def asked(given: Given, domain: str | None, text: str) -> dict[str, dict[str, Any]]:
    """The history of whoever `text` means, of each relay that has run; RelayError if none has."""
    every = {domain: given.load(domain)} if domain else given.load_all()
    found = {}
    for name, one in every.items():
        place = one.config.runtime_dir
        if (state := opened(name, place)) is not None:
            found[name] = history(name, state, files(name, place).state, text)
    if not found:
        places = ", ".join(dict.fromkeys(one.config.runtime_dir for one in every.values()))
        text = f"no relay has run in {places} (start one: relays run {next(iter(every))})"
        raise RelayError(text, os.EX_UNAVAILABLE)
    return found


def unknown(text: str, found: Mapping[str, Data]) -> str:
    """One sentence for somebody nothing is known of: who is, and since when."""
    names = sorted({name for data in found.values() for name in data["names"]})
    more = f" and {len(names) - MANY_NAMES} more" if len(names) > MANY_NAMES else ""
    known = f"; known are {', '.join(map(plain, names[:MANY_NAMES]))}{more}" if names else ""
    since = ", ".join(f"{name} since {clock(data['kept']['since_ns'])}" for name, data in
                      found.items())  # fmt: skip
    return f"nothing is known of {plain(text)}{known} (kept: {since})"


# --- sentences ---


# --- for people ---


def told(found: Mapping[str, Data]) -> Iterator[tuple[str, Text]]:
    """(when, what): a heading for each connection, with no when, what was decided about it, and
    what it is now."""
    for domain, data in found.items():
        for one in data["connections"]:
            of = "" if one["relay_pid"] == data["pid"] else f", of relay pid {one['relay_pid']}"
            yield "", Text(heading(domain, one) + of, "bold")
            for row in one["decisions"]:
                yield clock(row["at_ns"]), Text(sentence(row), style(row))
            if not one["decisions"]:
                yield "-", Text("nothing was decided about it in what is kept")
            if now := present(data, one):
                yield "now", Text(now)
        if data["connections"]:
            kept = data["kept"]
            since = f"{kept['decisions']:,} decisions kept since {clock(kept['since_ns'])}"
            gone = f", {kept['overwritten']:,} older gave way" if kept["overwritten"] else ""
            yield "", Text(f"{domain}: {data['state']}, {since}{gone}", "dim")


def _show(found: Mapping[str, Data]) -> None:
    """All of that, no word broken, however narrow the terminal."""
    console = Screen()
    for when, text in told(found):
        if not when:
            console.print(text)
            continue
        line = Table.grid(padding=(0, 2, 0, 0))
        line.add_column(width=WHEN)
        line.add_column()
        line.add_row(f"  {when}", text)
        console.print(line)


# --- for a pipe ---


def lines(found: Mapping[str, Data]) -> Iterator[str]:
    """`domain why at=... event=... key=value`, then `domain now ...` of those connected."""
    for domain, data in found.items():
        for one in data["connections"]:
            who = {key: one[key] for key in ("id", "uid", "pid", "name")}
            for row in one["decisions"]:
                first = {"at": _iso(row["at_ns"]), "event": row["event"], **who}
                rest = {key: row[key] for key in row if key not in BEFORE | set(who)}
                yield f"{domain} why {words(first | dict(map(_spelt, rest.items())))}"
            if one["now"] is not None:
                now = {key: value for key, value in one["now"].items() if key not in who}
                yield f"{domain} now {words({'alive': data['alive'], **who, **now})}"


BEFORE = {"at_ns", "event", "number"}


def _spelt(item: tuple[str, Any]) -> tuple[str, Any]:
    """Times as text, and what nobody knows by that word."""
    key, value = item
    if key.endswith("_ns"):
        return key.removesuffix("_ns"), _iso(value)
    return key, "unknown" if value is None else value


def _iso(ns: int) -> str:
    moment = datetime.fromtimestamp(ns // SECOND).astimezone()
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ns % SECOND // 1000:06}{moment:%z}"
