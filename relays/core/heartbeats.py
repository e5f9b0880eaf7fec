"""When sessions are told where they are: those whose time is near are told together (relays.md 3).

Called by `relays.core.handshake` when a session begins. A relay with a thousand idle sessions wakes
up a few times a second for them, not a thousand times. What a Heartbeat says is `outbox`'s.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from relays.core.peer import Peer

if TYPE_CHECKING:
    from relays.core.hub import Hub

TOGETHER = 16  # a Heartbeat comes at most this part of its interval early, and never late


class Heartbeats:
    """The sessions of one relay, in turns: `(when, interval)` and who is told then."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._turns: dict[tuple[int, int], list[Peer]] = {}

    def begin(self, peer: Peer, now: int) -> None:
        """From here on it is told each `peer.plan.heartbeat` ns."""
        assert peer.plan is not None
        self._turn(peer.plan.heartbeat, now).append(peer)

    def _turn(self, every: int, now: int) -> list[Peer]:
        """Those who are told next when somebody is who was told now."""
        due = now + every
        key = due - due % (every // TOGETHER), every
        turn = self._turns.get(key)
        if turn is None:
            turn = self._turns[key] = []
            self.hub.deadlines.at(key[0], partial(self._tell, key, turn))
        return turn

    def _tell(self, key: tuple[int, int], turn: list[Peer], now: int) -> None:
        if self._turns.get(key) is turn:
            del self._turns[key]
        there = [peer for peer in turn if _is_there(peer)]
        for peer in there:
            assert peer.outlet.outbox is not None
            peer.outlet.outbox.heartbeat = True
        self.hub.todo.wake += there
        if there:
            self._turn(key[1], now).extend(there)

    def shift(self) -> None:
        """The clock was set, and deadlines with it: who comes from here on has turns of its own."""
        self._turns.clear()


def _is_there(peer: Peer) -> bool:
    return not (peer.closed or peer.leaving or peer.outlet.outbox is None)
