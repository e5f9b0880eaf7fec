"""What a relay decided about a connection, in words: `breaker opened at position 5: ...`.

Called by why and by the detail of top, which show them. What was decided is found by
`relays.edge.history`; nothing is printed or read here.
"""

from collections.abc import Mapping
from typing import Any

from relays.cli.looking.words import clock, plain

TROUBLE = {"breaker_opened", "gap", "closed", "relay_died", "refused", "rejected"}
GOOD = {"breaker_closed", "caught_up"}
SECOND = 1_000_000_000
Data = Mapping[str, Any]


def sentence(row: Data) -> str:
    """What was decided, in words.

    >>> sentence({"event": "breaker_opened", "lag": 8000, "position": 5, "wait_seconds": 1.0,
    ...           "in_a_row": 1, "times": 1})
    'breaker opened at position 5: 8,000 messages behind; tried again after 1 s'
    """
    text = SENTENCES.get(row["event"], _other)(row)
    if row["times"] > 1:
        lasted = (row["until_ns"] - row["at_ns"]) / SECOND
        text += f" ({row['times']:,} times in {lasted:.3g} s)"
    return text


def _joined(row: Data) -> str:
    wants = plain(row["wants"]).replace("; ", ", ")
    if row["phase"] == "producer":
        return "joined as a producer"
    return (
        f"joined as a {row['phase']} ({wants}) from position {row['start']:,}, log at {_end(row)}"
    )


def _lagged(row: Data) -> str:
    return f"lagged: {row['lag']:,} messages behind, at position {row['position']:,}"


def _opened(row: Data) -> str:
    again = f"tried again after {row['wait_seconds']:.3g} s"
    times = f", number {row['in_a_row']} in a row" if row["in_a_row"] > 1 else ""
    lag, position = row["lag"], row["position"]
    return f"breaker opened at position {position:,}: {lag:,} messages behind; {again}{times}"


def _gap(row: Data) -> str:
    if row["lost"] is None:
        return f"gap: {row['reason']}, asked for position {row['first']:,} of another log"
    return f"gap: lost {row['lost']:,} messages, positions {_range(row)}: {row['reason']}"


def _rejected(row: Data) -> str:
    frames, what = f"{row['frames']:,} frame{'s' * (row['frames'] != 1)}", row["reason"]
    return f"rejected {frames}, sequence {_range(row)}: {what}"


def _closed(row: Data) -> str:
    said = not row["lag"] or "behind" in row["why"]
    lag = "" if said else f", {row['lag']:,} messages behind"
    return f"closed by the relay: {row['reason']}, {plain(row['why'])}{lag}"


def _ended(row: Data) -> str:
    return f"ended ({row['reason']}){_sums(row)}"


def _died(row: Data) -> str:
    when = clock(row["last_seen_ns"])
    return f"the relay (pid {row['relay_pid']}) had died, last seen {when}{_sums(row)}"


def _adopted(row: Data) -> str:
    return f"went on in another relay process, pid {row['relay_pid']}"


def _refused(row: Data) -> str:
    return f"connection refused: {row['reason']}"


def _other(row: Data) -> str:
    return str(row["event"]).replace("_", " ")


SENTENCES = {
    "joined": _joined, "lagged": _lagged, "breaker_opened": _opened, "gap": _gap,
    "rejected": _rejected, "closed": _closed, "ended": _ended, "relay_died": _died,
    "refused": _refused, "adopted": _adopted,
}  # fmt: skip


def _range(row: Data) -> str:
    first, last = row["first"], row["last"]
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"


def _end(row: Data) -> str:
    return f"{row['end']:,}"


def _sums(row: Data) -> str:
    """Of one that only produces nothing was due to it."""
    if row["phase"] == "producer":
        return ""
    keys = ("delivered", "dropped", "filtered", "undelivered")
    return ": " + ", ".join(f"{key} {row[key]:,}" for key in keys)


def present(data: Data, one: Data) -> str:
    """What a connection is now, in words; empty for one that is gone."""
    now = one["now"]
    if now is None:
        return ""
    if not data["alive"]:
        when = clock(data["last_seen_ns"])
        return f"the relay (pid {data['pid']}) died, last seen {when}; it was connected then"
    parts = [f"connected as {one['phase']}"]
    if "breaker" in now:
        behind = f"{now['lag']:,} messages behind ({now['lag_seconds']:.3f} s)"
        missed = f"has missed {now['missing']:,} since it opened"
        is_open = now["breaker"] == "open"
        parts += [f"breaker {now['breaker']}", f"position {now['position']:,}"]
        parts.append(missed if is_open else behind)
    if "last_sequence" in now:
        parts.append(f"last sequence {now['last_sequence']:,}")
        parts.append(f"accepted {now['accepted']:,}, rejected {now['rejected']:,}")
    return "; ".join(parts)


def heading(domain: str, one: Data) -> str:
    """Who a connection is, in one line."""
    number = f"#{one['id']} " if one["id"] else ""
    name = f"{plain(one['name'])} " if one["name"] else ""
    return f"{domain}: {name}{number}uid={one['uid']} pid={one['pid']} ({one['phase']})"


def style(row: Data) -> str:
    """How a decision looks on a terminal: trouble is bold too, for who sees no colours."""
    if row["event"] in TROUBLE:
        return "bold dark_orange"
    return "cyan" if row["event"] in GOOD else ""
