"""`relays status`: what the relays are doing, read from their state (relays.md 8).

Called through `relays.cli`. What there is to say comes from `relays.edge.status`; here it is only
laid out: tables for a terminal, lines for a pipe, JSON for programs. Needs no socket and disturbs
nobody, and shows also what a relay that died has left.
"""

import os
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
import msgspec
from rich.console import Console, JustifyMethod
from rich.table import Table

from relays.cli.common.options import Given, configured, optional_domain
from relays.cli.common.screen import Screen
from relays.cli.looking.states import opened
from relays.cli.looking.words import duration, troubles, word, words
from relays.edge.memory import files
from relays.edge.status import status
from relays.errors import RelayError

EXAMPLES = """\b
Examples:
  relays status
  relays status execution --json
"""
NEVER = "has never run here"
CONSUMER = (
    "name", "id", "uid", "pid", "phase", "lag", "lag_seconds", "breaker", "delivered", "dropped",
    "missing",
)  # fmt: skip
PRODUCER = ("name", "id", "uid", "pid", "phase", "last_sequence", "accepted", "rejected")
TOTALS = (
    "received",
    "accepted",
    "rejected",
    "delivered",
    "filtered",
    "dropped",
    "sequence_gaps",
    "breaker_trips",
)
# A table that is too wide for the terminal does without these, in this order.
SPARE = ("id", "uid", "phase", "lag_seconds", "pid")
HEADERS = {"lag_seconds": "lag s", "last_sequence": "last seq"}
TEXT = {"name", "phase", "breaker"}
Data = Mapping[str, Any]


@click.command("status", epilog=EXAMPLES)
@optional_domain
@click.option("--json", "as_json", is_flag=True, help="As JSON: {domain: {...}}, null if none ran.")
@configured
def command(given: Given, domain: str | None, as_json: bool) -> None:
    """Show what one relay or all three are doing: positions, connections, lags, losses.

    Also of a relay that stopped or died. A consumer's `lag` is what it is owed or has not confirmed
    yet: a session confirms in each Heartbeat. `missing` is what it has missed since its breaker
    opened; `dropped` includes it.

    Exit codes: 0 shown, whatever state the relays are in; 64 wrong usage; 69 none of those asked
    for has ever run here; 70 a state is damaged; 77 a state may not be read by you; 78 the
    configuration cannot be used.
    """
    found = described(given, domain)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    elif sys.stdout.isatty():
        _show_tables(found)
    else:
        for line in lines(found):
            click.echo(line)


def described(given: Given, domain: str | None) -> dict[str, dict[str, Any] | None]:
    """The status of each relay asked for, None for one that has never run; RelayError if all."""
    every = {domain: given.load(domain)} if domain else given.load_all()
    states = {name: opened(name, one.config.runtime_dir) for name, one in every.items()}
    if not any(states.values()):
        places = ", ".join(dict.fromkeys(one.config.runtime_dir for one in every.values()))
        text = f"no relay has run in {places} (start one: relays run {next(iter(every))})"
        raise RelayError(text, os.EX_UNAVAILABLE)
    return {
        name: status(name, state, files(name, every[name].config.runtime_dir).state)
        if state
        else None
        for name, state in states.items()
    }


# --- lines, for a pipe: one thing a line, the domain and what it is first ---


def lines(found: Mapping[str, Data | None]) -> Iterator[str]:
    """`domain relay ...`, `domain totals ...`, `domain consumer ...`, `domain producer ...`.

    >>> list(lines({"signals": None}))
    ['signals relay state=never_run']
    """
    for name, data in found.items():
        if data is None:
            yield f"{name} relay state=never_run"
            continue
        yield f"{name} relay {words(_relay(data))}"
        yield f"{name} connections {words(data['connections'])}"
        reasons = ",".join(f"{why}:{count}" for why, count in _reasons(data).items())
        made_of = {"dropped_reasons": reasons} if reasons else {}
        if data["journal"] is not None:
            yield f"{name} journal {words(data['journal'])}"
        yield f"{name} totals {words(_sums(data) | made_of)}"
        for row in data["consumers"]:
            yield f"{name} consumer {words({key: row[key] for key in CONSUMER})}"
        for row in data["producers"]:
            yield f"{name} producer {words({key: row[key] for key in PRODUCER})}"


def _relay(data: Data) -> dict[str, Any]:
    log = data["log"]
    return {
        "state": data["state"],
        "pid": data["pid"],
        "uptime": duration(data["uptime_seconds"]),
        "stalled_seconds": data["stalled_seconds"],
        "damaged": data["damaged"],
        "position": log["end_position"],
        "oldest": log["oldest_position"],
        "log": f"{log['filled']:.0%}",
        "log_id": log["log_id"],
        "unaccounted_messages": data["unaccounted"]["messages"],
        "unaccounted_bytes": data["unaccounted"]["bytes"],
        "memory": data["memory"],
    }


def _sums(data: Data) -> dict[str, Any]:
    totals = data["totals"]
    return {key: totals[key] for key in TOTALS} | {"dropped": sum(totals["dropped"].values())}


def _reasons(data: Data) -> dict[str, int]:
    """What the dropped are made of."""
    return {why: count for why, count in data["totals"]["dropped"].items() if count}


# --- tables, for a terminal ---


def _show_tables(found: Mapping[str, Data | None]) -> None:
    console = Screen()
    for name, data in found.items():
        if data is None:
            console.print(f"{name}: {NEVER} (start it: relays run {name})")
            continue
        console.print(_folded(_heading(name, data), console.width), style=_style(data))
        console.print(f"  memory: {data['memory']}", soft_wrap=True)
        numbers = {"connections": data["connections"], "totals": _sums(data)}
        if data["journal"] is not None:
            numbers["journal"] = {k: v for k, v in data["journal"].items() if k != "failing"}
        if reasons := _reasons(data):
            numbers["reasons of dropped"] = reasons
        for title, values in numbers.items():
            console.print(_folded(_said(title, values), console.width))
        for title, columns in (("consumers", CONSUMER), ("producers", PRODUCER)):
            if data[title]:
                console.print(_fitting(console, title, columns, data[title]))
        console.print()


def _heading(name: str, data: Data) -> list[str]:
    log, lost = data["log"], data["unaccounted"]
    process = f"pid {data['pid']}, " if data["pid"] else ""
    verb = "up" if data["alive"] else "ran for"
    heading = [
        f"{name}: {data['state']}",
        f"{process}{verb} {duration(data['uptime_seconds'])}",
        f"position {log['end_position']:,} (from {log['oldest_position']:,})",
        f"log {log['filled']:.0%} of {log['bytes'] >> 20} MiB",
    ]
    if lost["messages"] or lost["bytes"]:
        heading.append(f"UNACCOUNTED {lost['messages']:,} messages {lost['bytes']:,} bytes")
    heading += troubles(data)
    return heading + (["DAMAGED state, log or journal"] if data["damaged"] else [])


def _style(data: Data) -> str:
    unaccounted = any(data["unaccounted"].values())
    wrong = troubles(data) or data["damaged"] or unaccounted or data["state"] == "dead"
    return "bold red" if wrong else "bold"


def _said(title: str, values: Data) -> list[str]:
    first, *others = (f"{key.replace('_', ' ')} {_number(value)}" for key, value in values.items())
    return [f"  {title}: {first}", *others]


def _folded(parts: Sequence[str], width: int) -> str:
    """The parts as an enumeration in so many columns: no part is broken where it fits a line, and
    what follows the first line is indented.

    >>> print(_folded(["totals: received 1", "accepted 2"], 24))
    totals: received 1,
        accepted 2
    """
    text = ", ".join(part.replace(" ", "\0") for part in parts)
    lines = textwrap.fill(text, width, subsequent_indent="    ", break_on_hyphens=False)
    return lines.replace("\0", " ")


def _fitting(console: Console, title: str, columns: tuple[str, ...], rows: list[Data]) -> Table:
    """The table with as many columns as the terminal has room for: no word is broken."""
    if not any(row.get("missing") for row in rows):
        columns = tuple(column for column in columns if column != "missing")
    unlimited = console.options.update(width=10_000)
    for count in range(len(SPARE) + 1):
        shown = tuple(column for column in columns if column not in SPARE[:count])
        table = _table(title, shown, rows)
        if console.measure(table, options=unlimited).maximum <= console.width:
            break
    return table


def _table(title: str, columns: tuple[str, ...], rows: list[Data]) -> Table:
    table = Table(title=f"  {title}", title_justify="left", box=None, padding=(0, 0, 0, 2))
    for column in columns:
        justify: JustifyMethod = "left" if column in TEXT else "right"
        header = HEADERS.get(column, column.replace("_", " "))
        table.add_column(header, justify=justify, overflow="fold", no_wrap=column != "name")
    for row in rows:
        table.add_row(*(_cell(column, row[column]) for column in columns))
    return table


def _cell(column: str, value: Any) -> str:
    if column in ("id", "uid", "pid"):
        return str(value)
    if isinstance(value, int | float):
        return _number(value)
    return word(value) if value else "-"


def _number(value: float) -> str:
    return f"{value:,.3f}" if isinstance(value, float) else f"{value:,}"
