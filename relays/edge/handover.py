"""From one process to its successor: the connections, and what of them is in no record.

Called by `relays.edge.service`. The service manager has the sockets (`relays.edge.store`), the
state has the records; what is in neither goes through a file beside the state, written by who makes
way. What of a connection has to go over, and what of it can, `relays.core.adoption` says.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from protocol._core.state import State
from relays.core.adoption import Left, adopt, answer, is_whole, leave
from relays.edge.connection import Connection
from relays.edge.listener import credentials
from relays.edge.relay import Relay
from relays.edge.store import Store, cookie, shut

FILE_MODE = 0o600


class Letter(msgspec.Struct):
    """What goes to the successor of the log `log_id`, by the connections' numbers."""

    log_id: int
    left: dict[int, Left]


def make_way(relay: Relay, path: Path) -> int:
    """Say what a successor must know; gives how many connections it can go on with. The loop must
    have ended: nothing is read or sent any more. OSError where that cannot be written."""
    now, letter = relay.clock.now(), Letter(relay.state.log_id, {})
    stored = {row["id"] for row in relay.state.read_connections() if row["stored"]}
    for connection in relay.connections.values():
        left = leave(connection.peer, now) if connection.peer.number in stored else None
        if left is None:
            shut(connection.sock)
        else:
            letter.left[connection.peer.number] = left
    with open(path, "wb", opener=_opener) as file:
        file.write(msgspec.msgpack.encode(letter))
    relay.state.set_status(handed=os.getpid(), ready=0, pid=0)
    return len(letter.left)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)


@dataclass
class Inheritance:
    """What the manager has kept: `sockets` by name, and what a predecessor wrote into `path`."""

    path: Path
    sockets: list[tuple[str, socket.socket]] = field(default_factory=list)
    predecessor: int = 0
    _claimed: dict[int, tuple[socket.socket, Left]] = field(default_factory=dict)

    def claim(self, state: State) -> frozenset[int]:
        """The places in an adopted state of the connections that go on."""
        status = state.read_status()
        self.predecessor = status["handed"] or status["pid"]
        letter = self._letter(state) if status["handed"] else None
        found = {cookie(each): each for _, each in self.sockets}
        oldest = state.oldest_offset
        for row in sorted(state.read_connections(), key=lambda row: row["id"]):  # as they came
            if row["cookie"] not in found or not row["stored"]:
                continue
            left = Left() if is_whole(row, oldest) else None
            if letter is not None:
                left = letter.get(row["id"])
            if left is not None:
                self._claimed[row["slot"]] = found[row["cookie"]], left
        return frozenset(self._claimed)

    def _letter(self, state: State) -> Mapping[int, Left] | None:
        """What the predecessor wrote; None where that is not there, or of another log."""
        try:
            letter = msgspec.msgpack.decode(self.path.read_bytes(), type=Letter)
        except (OSError, msgspec.MsgspecError):
            return None
        return letter.left if letter.log_id == state.log_id else None

    def enter(self, relay: Relay, store: Store | None) -> tuple[int, int]:
        """Go on with the connections that were claimed, close the others; gives how many of each.
        Called before the relay starts."""
        self.path.unlink(missing_ok=True)
        hub, now = relay.hub, relay.clock.now()
        going = [(_seated(relay, place, sock, left, now), left)
                 for place, (sock, left) in self._claimed.items()]  # fmt: skip
        for connection, left in going:
            answer(hub, connection.peer, left, now)
            relay.go_on(connection, bool(left.held), now)
        ours = {id(sock) for sock, _ in self._claimed.values()}
        closed = [(called, sock) for called, sock in self.sockets if id(sock) not in ours]
        for called, sock in closed:
            shut(sock)
            sock.close()
            if store is not None:
                store.remove(called)
        self.sockets, self._claimed = [], {}
        kept = sum(not connection.peer.closed for connection, _ in going)
        if kept:
            relay.decisions.adopted(now, self.predecessor, kept)
        return kept, len(closed) + len(going) - kept


def _seated(relay: Relay, place: int, sock: socket.socket, left: Left, now: int) -> Connection:
    sock.setblocking(False)
    peer = adopt(relay.hub, place, credentials(sock), left, now, sock)
    connection = relay.connections[peer.number] = Connection(relay, sock, peer)
    if not peer.closed:
        relay.watch_hang_up(connection)
    return connection


def inherited(handed: Mapping[str, list[int]], path: Path) -> Inheritance:
    """What was handed over beside the listening socket: connections; anything else is closed."""
    found = Inheritance(path)
    for called, fds in handed.items():
        for fd in fds:
            sock = socket.socket(fileno=fd)
            with contextlib.suppress(OSError):
                if sock.family == socket.AF_UNIX and sock.type == socket.SOCK_STREAM:
                    found.sockets.append((called, sock))
                    continue
            sock.close()
    return found
