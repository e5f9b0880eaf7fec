"""One played relay after another on the same memory, with the same sockets.

Used by test_adoption*.py. What the service manager and the letter do is done here by hand; which
connections go on, and how, is the real `relays.core.adoption`.
"""

from __future__ import annotations

from typing import Any

from protocol._core.connection import abandon
from relays.core.access import Credentials
from relays.core.adoption import Left, adopt, answer, is_whole, leave
from relays.edge.connection import Connection
from tests.daemon.fake_edge import World


def store(world: World) -> None:
    """The manager has confirmed a copy of every connection."""
    for number, peer in world.relay.hub.peers.items():
        peer.record.stored(number, True)


def handed_over(world: World) -> World:
    """The successor of a relay that made way."""
    store(world)
    now = world.clock.now()
    found = {number: leave(peer, now) for number, peer in world.relay.hub.peers.items()}
    return _successor(world, {number: left for number, left in found.items() if left is not None})


def after_a_crash(world: World) -> World:
    """The successor of a relay that died here; what it had in no record is gone."""
    store(world)
    rows = world.state.read_connections()
    oldest = world.state.oldest_offset
    return _successor(world, {row["id"]: Left() for row in rows if is_whole(row, oldest)})


def _successor(world: World, left: dict[int, Left]) -> World:
    rows = {row["id"]: row for row in world.state.read_connections()}
    abandon(world.state, {rows[number]["slot"] for number in left})
    settings: dict[str, Any] = {name: getattr(world.config, name) for name in KEPT}
    after = World(world.state.log_bytes, world.state, **settings)
    after.clock.time, after.sockets = world.clock.time, world.sockets
    hub, now, going = after.relay.hub, after.clock.now(), []
    for number, rest in left.items():
        who = Credentials(rows[number]["uid"], rows[number]["pid"], frozenset())
        sock: Any = world.sockets[number]
        peer = adopt(hub, rows[number]["slot"], who, rest, now, sock)
        connection = after.relay.connections[number] = Connection(after.relay, sock, peer)
        going.append((connection, rest))
    for connection, rest in going:
        answer(hub, connection.peer, rest, now)
        after.relay.go_on(connection, bool(rest.held), now)
    after.relay.work()
    after.accounted()
    return after


KEPT = ("max_payload", "max_connections", "circuit_breaker", "max_queue_size", "on_lag",
        "require_sequence", "snapshots", "consumers")  # fmt: skip
