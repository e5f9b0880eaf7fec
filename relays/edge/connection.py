"""One socket and the peer it belongs to (architecture.md, the path of a frame, 1 and 4).

Made by `relays.edge.relay`. One read a turn, one send a turn to a consumer that is behind; which
bytes, and what they mean, the core says. Nothing here looks into a frame.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from protocol._core.connection import MARK_READING
from protocol._core.fan import BEHIND, MORE
from relays.core.peer import Peer

if TYPE_CHECKING:
    from relays.edge.relay import Relay

MOST = 2**64 - 1


class Connection:
    """Readiness of one socket, kept in step with what its peer wants."""

    __slots__ = ("behind", "fd", "peer", "reading", "relay", "sock", "writing")

    def __init__(self, relay: Relay, sock: socket.socket, peer: Peer) -> None:
        self.relay, self.sock, self.peer = relay, sock, peer
        self.fd = sock.fileno()
        peer.outlet.line = peer.ingress.line = sock
        self.reading = self.writing = False
        self.behind = False  # what was read behind its Hello is still to be taken
        self.read_on()

    # --- readiness ---

    def read_on(self) -> None:
        self.reading = True
        self.relay.loop.add_reader(self.fd, self.readable)

    def read_off(self) -> None:
        if self.reading:
            self.reading = False
            self.relay.loop.remove_reader(self.fd)

    def write_on(self) -> None:
        if not self.writing and not self.peer.closed:
            self.writing = True
            self.relay.loop.add_writer(self.fd, self.writable)

    def write_off(self) -> None:
        if self.writing:
            self.writing = False
            self.relay.loop.remove_writer(self.fd)

    def close(self) -> None:
        self.read_off()
        self.write_off()
        self.peer.ingress.line = None
        self.sock.close()

    # --- events ---

    def readable(self) -> None:
        self.read(self.relay.clock.now())
        self.relay.work()

    def writable(self) -> None:
        now = self.relay.clock.now()
        self.relay.hub.writable(self.peer, now)
        self.send(now)
        self.relay.work()

    def read(self, now: int, most: int = MOST) -> int:
        """One read of at most `most` bytes, all it brought committed and fanned out; its size."""
        hub, peer = self.relay.hub, self.peer
        if peer.waiting or (hub.journal is not None and not hub.may_read(peer)):
            self.relay.hold(self)
            return 0
        ingress = peer.ingress
        if ingress.crowded:
            hub.make_room(peer, now)
        size = ingress.read(most)
        if size > 0:
            self._take_in(now)
            if peer.leaving:
                self.read_off()
            return size
        if size == 0:
            self.read_off()
            hub.ended(peer, now)
        return 0

    def resume(self, now: int) -> None:
        """Go on with what was read before the connection had to wait."""
        self.peer.record.mark(MARK_READING)
        self.relay.hub.make_room(self.peer, now)
        self.peer.ingress.again()
        self._take_in(now)

    def _take_in(self, now: int) -> None:
        """Commit by commit, each fanned out before the next is made."""
        relay, hub = self.relay, self.relay.hub
        more = hub.received(self.peer, now)
        relay.fan_out(now)
        while more:
            more = hub.proceed(self.peer, now)
            relay.fan_out(now)
        if hub.handshake.fences:
            relay.fence(now)

    def fanned(self, outcome: int, now: int) -> None:
        """It was sent what was committed with all others, and did not take it all."""
        if outcome == MORE:
            self.send(now)
        elif outcome == BEHIND:
            self.relay.hub.moved(self.peer, now)
            self.write_on()
        else:
            self.relay.hub.unwritable(self.peer, now)

    def send(self, now: int) -> None:
        """Send what the peer is owed, until the kernel takes no more or its turn is over."""
        peer, outlet = self.peer, self.peer.outlet
        waits = False
        if outlet.blocked or outlet.snapshots is not None:
            outlet.begin_turn()
        while not peer.closed:
            chunk = outlet.offer(now)
            if not chunk:
                waits = outlet.looking
                break
            try:
                taken = self.sock.send(chunk)
            except BlockingIOError:
                outlet.took_nothing()
                waits = True
                break
            except OSError:
                self.relay.hub.unwritable(peer, now)
                return
            more = outlet.took(taken, self.relay.clock.now())
            if taken < len(chunk) or (more and outlet.turn_over):
                waits = True
                break
            if not more:
                break
        self.relay.hub.moved(peer, now)
        if waits:
            self.write_on()
        else:
            self.write_off()
