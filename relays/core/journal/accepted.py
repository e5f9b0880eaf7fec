"""The damage that an operator has accepted, as text: so that the next start needs no telling.

Called by `relays.edge.journal.start`, which keeps the text in a file beside the segments. What is
damage is `recovery`'s to say; whether a relay starts on it is the relay's.
"""

from __future__ import annotations

from collections.abc import Iterable

from relays.core.journal.reading import Fault


def listed(damage: Iterable[Fault]) -> str:
    """A line for each: segment, first position, the one behind the last ("-": to its end), place,
    reason.

    >>> listed([])
    ''
    """
    return "".join(
        f"{each.file} {each.first} {'-' if each.end is None else each.end} "
        f"{each.offset} {each.reason}\n"
        for each in damage
    )


def covers(accepted: str, fault: Fault) -> bool:
    """Whether all that a fault makes unreadable was accepted before, wherever in it that begins."""
    for line in accepted.splitlines():
        name, first, end, *_ = [*line.split(), "", "", ""]
        if name == fault.file and first.isdecimal() and int(first) <= fault.first:
            if end == "-":
                return True
            if fault.end is not None and end.isdecimal() and fault.end <= int(end):
                return True
    return False
