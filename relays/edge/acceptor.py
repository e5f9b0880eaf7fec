"""The listening socket's readiness: who comes, and who is turned away (relays.md 6).

Made by `relays.edge.relay`. Who may stay is decided in `relays.core.hub`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from typing import TYPE_CHECKING

from protocol.reject import Reject
from relays.core.outbox import Refusal
from relays.edge.connection import Connection
from relays.edge.listener import credentials, set_send_buffer

if TYPE_CHECKING:
    from relays.edge.relay import Relay

ACCEPTS = 64
OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
ACCEPT_PAUSE = 0.1


class Acceptor:
    """Accepts for one relay, from `start` to `stop`. One descriptor is held in reserve, so that
    running out of them never spins the loop."""

    def __init__(self, relay: Relay, listening: socket.socket) -> None:
        self.relay, self.listening = relay, listening
        self._reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._own_uid = os.geteuid()

    def start(self) -> None:
        """Not once the relay drains: it may have rested until then."""
        if not self.relay.draining:
            self.relay.loop.add_reader(self.listening.fileno(), self._accept)

    def stop(self) -> None:
        self.relay.loop.remove_reader(self.listening.fileno())

    def _accept(self) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, _ = self.listening.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in OUT_OF_DESCRIPTORS:
                    self._turn_away()
                break
            self._welcome(sock)
        self.relay.work()

    def _welcome(self, sock: socket.socket) -> None:
        relay = self.relay
        sock.setblocking(False)
        peer = relay.hub.connect(credentials(sock), self._own_uid, relay.clock.now())
        if isinstance(peer, Reject):
            self._refuse(sock, peer)
            return
        set_send_buffer(sock, relay.config.send_buffer)
        connection = relay.connections[peer.number] = Connection(relay, sock, peer)
        relay.watch_hang_up(connection)
        if relay.store is not None:
            relay.store.keep(connection)

    def _refuse(self, sock: socket.socket, reason: Reject) -> None:
        relay = self.relay
        now, who = relay.clock.now(), credentials(sock)
        relay.state.count("disconnects", reason)
        relay.decisions.refused(who.uid, who.pid, reason, now)
        relay.log.episode("connection refused", now, reason=reason.name, uid=who.uid, pid=who.pid)
        refusal = Refusal(reason, 0, True, 0, 0, 1, reason.name.lower().replace("_", " "))
        frame = refusal.frame({"source": relay.domain.source, "timestamp": relay.clock.now()})
        # Gone already, or never reads: closing says the same.
        with contextlib.suppress(OSError):
            sock.send(frame)
        sock.close()

    def _turn_away(self) -> None:
        """Out of descriptors: with the one in reserve take a connection and close it, and rest."""
        os.close(self._reserve)
        try:
            sock, _ = self.listening.accept()
            self._refuse(sock, Reject.TOO_MANY_CONNECTIONS)
        except OSError:
            pass  # somebody else was quicker with the descriptor; the next turn tries again
        try:
            self._reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._reserve = os.dup(self.listening.fileno())
        self.stop()
        self.relay.loop.call_later(ACCEPT_PAUSE, self.start)
