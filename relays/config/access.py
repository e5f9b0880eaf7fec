"""Who may do what: `user:NAME`, `group:NAME` and `uid:N` turned into numbers (relays.md 6).

Called by `relays.config.keys` when a configuration is read. Deciding about a peer is the
listener's work and does not belong here.
"""

import grp
import pwd
from collections.abc import Mapping
from typing import Literal

import msgspec

from protocol.catalogue import SourceType, source_name

MAX_UID = 2**32 - 2


class Principal(msgspec.Struct, frozen=True):
    """A user or a group on an access list: `id` is a uid or gid, `text` what the file says.

    >>> principal("uid:0")
    Principal(kind='uid', id=0, text='uid:0')
    """

    kind: Literal["uid", "gid"]
    id: int
    text: str


def principal(value: object) -> Principal:
    """Read one entry of an access list; ValueError (with the reason) when it names nobody."""
    if not isinstance(value, str) or ":" not in value:
        raise ValueError('entries are "user:NAME", "group:NAME" or "uid:N"')
    kind, name = value.split(":", 1)
    match kind:
        case "user":
            return Principal("uid", _user(name), value)
        case "group":
            return Principal("gid", group(name), value)
        case "uid" if name.isascii() and name.isdigit() and int(name) <= MAX_UID:
            return Principal("uid", int(name), value)
    raise ValueError('entries are "user:NAME", "group:NAME" or "uid:N"')


def _user(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError):
        raise ValueError(f"there is no user {name!r}") from None


def group(name: str) -> int:
    """The gid of a group by name; ValueError when there is none."""
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        raise ValueError(f"there is no group {name!r}") from None


def principals(value: object) -> tuple[Principal, ...]:
    """Read a list of producers or consumers."""
    if not isinstance(value, list | tuple):
        raise ValueError
    return tuple(principal(entry) for entry in value)


def source_table(value: object) -> Mapping[Principal, frozenset[int]]:
    """Read the table of users and groups and the SourceTypes each may speak as."""
    if not isinstance(value, Mapping):
        raise ValueError
    return {principal(who): _source_set(listed) for who, listed in value.items()}


def _source_set(value: object) -> frozenset[int]:
    if not isinstance(value, list | tuple):
        raise ValueError("each entry is a list of source names or numbers")
    return frozenset(_source(entry) for entry in value)


def _source(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255:
        return value
    wanted = str(value).replace("_", "").lower()
    for known in SourceType:
        if wanted == source_name(known).replace("_", "").lower():
            return int(known)
    raise ValueError(f"there is no source {value!r}")


def plain(value: object) -> object:
    """A value of a configuration as it would stand in the file: principals and sources as text."""
    if isinstance(value, Principal):
        return value.text
    if isinstance(value, Mapping):
        return {plain(who): plain(listed) for who, listed in value.items()}
    if isinstance(value, tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, frozenset):
        return [_source_text(number) for number in sorted(value)]
    return value


def _source_text(number: int) -> str | int:
    return source_name(number) if number in set(SourceType) else number
