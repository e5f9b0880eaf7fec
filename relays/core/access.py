"""Who may do what here, decided from what the kernel says of a peer (relays.md 6).

Called by `relays.core.hub` once per connection. Bytes a peer wrote never reach this module.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from relays.config import Principal, RelayConfig


@dataclass(frozen=True, slots=True)
class Credentials:
    """What SO_PEERCRED and SO_PEERGROUPS say of a peer."""

    uid: int
    pid: int
    gids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Rights:
    """What one peer may do; `sources` are the SourceTypes it may speak as, None = any."""

    produce: bool
    consume: bool
    sources: frozenset[int] | None


def is_in(who: Credentials, listed: Collection[Principal]) -> bool:
    """Whether a list names this peer; an empty list is everybody's."""
    return not listed or any(matches(who, principal) for principal in listed)


def matches(who: Credentials, principal: Principal) -> bool:
    return principal.id == who.uid if principal.kind == "uid" else principal.id in who.gids


def speaks_as(who: Credentials, table: Mapping[Principal, frozenset[int]]) -> frozenset[int] | None:
    """The sources a peer may use: of every entry that names it; any where none of the table does.

    With a table that names others but not this peer it may use any: the table narrows those it
    names (relays.md 6, "absent: any").
    """
    rows = [sources for principal, sources in table.items() if matches(who, principal)]
    return frozenset().union(*rows) if rows else None


def rights(who: Credentials, config: RelayConfig) -> Rights:
    """What `who` may do under `config`."""
    return Rights(
        produce=is_in(who, config.producers),
        consume=is_in(who, config.consumers),
        sources=speaks_as(who, config.sources),
    )
