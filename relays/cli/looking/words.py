"""Values as words: key=value for pipes, times and names for people.

Called by status, top and why. Text out; nothing is printed or read here.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

SECOND = 1_000_000_000
Data = Mapping[str, Any]


def words(values: Data) -> str:
    """`key=value key=value`, values as JSON where they are not one plain word."""
    return " ".join(f"{key}={word(value)}" for key, value in values.items())


def word(value: Any) -> str:
    """One value of those."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(value)
    plain = text.isprintable() and text and not set(text) & set(' "=')
    return text if plain else msgspec.json.encode(text).decode()


def duration(seconds: float) -> str:
    """A time for people: the two largest units of it.

    >>> duration(59.9), duration(3_700), duration(200_000)
    ('59s', '1h01m', '2d07h')
    """
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d{hour:02}h"
    if hours:
        return f"{hours}h{minute:02}m"
    return f"{minutes}m{second:02}s" if minutes else f"{second}s"


def troubles(status: Data) -> list[str]:
    """What keeps a relay from its work, of its status: nothing while all is well.

    >>> troubles(
    ...     {"state": "running", "accepting": False, "journal": None, "stalled_seconds": 16.23}
    ... )
    ['NOT ACCEPTING', 'its loop has not turned for 16.2 s']
    """
    journal = status["journal"]
    refuses = status["state"] == "running" and not status["accepting"]
    found = ["NOT ACCEPTING"] if refuses else []
    if idle := status["stalled_seconds"]:
        found.append(f"its loop has not turned for {idle:.1f} s")
    fails = journal is not None and journal["failing"]
    return [*found, f"JOURNAL FAILS: {fails}"] if fails else found


def clock(ns: int) -> str:
    """A time of day with its date, local; "-" where there is none.

    >>> len(clock(1_700_000_000_123_456_789)), clock(0)
    (23, '-')
    """
    if not ns:
        return "-"
    moment = datetime.fromtimestamp(ns // SECOND)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ns % SECOND // 1_000_000:03}"


def plain(text: str) -> str:
    """Text that a peer chose, so that a terminal may be given it.

    >>> plain("a\\x1b[2J"), plain("strategy")
    ("'a\\\\x1b[2J'", 'strategy')
    """
    return text if text.isprintable() else ascii(text)
