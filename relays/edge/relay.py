"""The daemon: one loop, one listener, its connections, and its end (relays.md 1, 3, 9).

Made by `relays.edge.service`. It moves bytes between sockets and the core, keeps the timers, and
drains. What happens to a frame or a connection is decided in `relays.core`.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from relays.config import RelayConfig
from relays.core import breaker
from relays.core.decisions import Decisions
from relays.core.handshake import Waiting
from relays.core.hub import Hub
from relays.core.peer import Peer
from relays.domains import Domain
from relays.edge.acceptor import Acceptor
from relays.edge.clock import Clock
from relays.edge.connection import Connection
from relays.edge.listener import unread, unsent
from relays.edge.logs import Log
from relays.edge.memory import Memory, Windows
from relays.edge.store import Store

if TYPE_CHECKING:
    from relays.core.journal.catalogue import Lineage
    from relays.core.journal.history import Missing, Part
    from relays.edge.journal.reader import Reader
    from relays.edge.journal.writer import JournalThread

SECOND = 1_000_000_000
PATIENCE = 0.1
PREFAULT_SLICE = 1 << 20
PREFAULT_EVERY = 0.002


class Relay:
    """One running relay. `start`, then the loop; `drain` ends it.

    The listening socket and the memory are handed in, so that they may come from a predecessor.
    """

    def __init__(
        self, domain: Domain, config: RelayConfig, memory: Memory, listening: socket.socket,
        log: Log, windows: Windows, journal: JournalThread | None = None, done: int = -1,
        lineage: Sequence[Lineage] = (),
    ) -> None:  # fmt: skip
        self.loop = asyncio.get_running_loop()
        self.domain, self.config, self.log = domain, config, log
        self.clock = Clock()
        self.state = memory.state
        self.acceptor = Acceptor(self, listening)
        self.store: Store | None = None
        self.decisions = Decisions(memory.state, os.getpid())
        journaling = None
        self.reader: Reader | None = None
        if journal is not None:
            from relays.core.journal.durability import Journaling
            from relays.edge.journal.reader import Reader

            journaling = Journaling(
                journal.writer, config.journal_sync, lineage, config.journal_before_delivery
            )
            journaling.show()
            self.reader = Reader(journal.folder.path)
        self.hub = Hub(domain, config, memory.state, os.getpid(), self._report, windows, journaling)
        self.journal, self._done = journal, done
        if journal is not None:
            journal.needed = self.hub.needed
        self._held: dict[int, Connection] = {}
        self._hung: set[int] = set()
        self._patience: asyncio.TimerHandle | None = None
        self.connections: dict[int, Connection] = {}
        self.draining = False
        self._fanned_out = memory.state.shown_offset
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0
        self._hang_ups = select.epoll()
        self._watched: dict[int, Connection] = {}
        self.turned: Callable[[], None] = lambda: None

    # --- start ---

    def start(self) -> None:
        """Accept from here on, and go on with what was taken over."""
        self.acceptor.start()
        self.loop.add_reader(self._hang_ups.fileno(), self._hung_up)
        if self.journal is not None:
            self.loop.add_reader(self._done, self._journaled)
            self.journal.start()
        self.state.set_status(accepting=1, ready=1, draining=0)
        self.decisions.started(self.clock.now())
        self._tick()
        self.work()  # adopted connections are owed something, and have deadlines
        self.loop.call_later(PREFAULT_EVERY, self._prefault, 0)

    def _prefault(self, offset: int) -> None:
        """The log's pages, a slice at a time: nobody waits for all of them."""
        assert self.state.ring is not None
        if self.state.ring.prefault(offset, PREFAULT_SLICE):
            following = offset + PREFAULT_SLICE
            self.loop.call_later(PREFAULT_EVERY, self._prefault, following)

    def _report(self, event: str, peer: Peer | None, **fields: Any) -> None:
        now = self.clock.now()
        self.decisions.report(event, peer, now, **fields)
        count = fields.pop("count", 1)
        who = {"consumer": peer.label, "position": peer.record.position} if peer is not None else {}
        self.log.episode(event, now, count, **who, **fields)

    # --- the work between two waits ---

    def fan_out(self, now: int) -> None:
        """After a commit: every caught-up consumer gets one send."""
        end = self.state.shown_offset
        if end == self._fanned_out:
            return
        self._fanned_out = end
        feeds = self.hub.feeds
        for number, outcome in feeds.fan.send(now):
            self.connections[number].fanned(outcome, now)
        if feeds.sifted:
            for peer in tuple(feeds.sifted):
                self.connections[peer.number].send(now)
        self.hub.committed(now)

    def work(self) -> None:
        """Do what the core wants done, until it wants nothing; then set the timer."""
        todo, handshake = self.hub.todo, self.hub.handshake
        fences, answers, lookups = handshake.fences, handshake.answers, handshake.lookups
        while todo.wake or todo.watch or todo.closed or fences or answers:
            now = self.clock.now()
            self._wake(now)
            for peer in _taken(todo.watch):
                if not peer.closed:
                    self.connections[peer.number].write_on()
            for peer in _taken(todo.closed):
                self._close(peer)
            self.fence(now)
            if answers:
                self._answer(now)
        if lookups or todo.fetch:
            self._ask_journal()
        self._set_timer()

    def _wake(self, now: int) -> None:
        for peer in _taken(self.hub.todo.wake):
            connection = self.connections.get(peer.number)
            if connection is None:
                continue
            if peer.leaving:
                connection.read_off()
            if not connection.writing:
                connection.send(now)

    def _close(self, peer: Peer) -> None:
        connection = self.connections.pop(peer.number)
        self._held.pop(peer.number, None)
        self._hung.discard(peer.number)
        if self._watched.pop(connection.fd, None) is not None:
            # To close it does not do that where the manager has a copy: the next connection of this
            # number would be taken for it.
            self._hang_ups.unregister(connection.fd)
        if self.store is not None:
            self.store.drop(connection)
        connection.close()

    def fence(self, now: int) -> None:
        """Read the old connection of a producer empty, then answer the new one. Before that nothing
        behind its Hello may be looked at, so no other read comes in between."""
        if not self.hub.handshake.fences:
            return
        old, peer, hello = self.hub.handshake.fences.pop(0)
        connection = self.connections.get(old.number)
        if connection is not None:
            self._read_at_most(connection, unread(connection.sock), now)
        if self.hub.handshake.fenced(old, peer, hello, now):
            self.connections[peer.number].resume(now)

    def _answer(self, now: int) -> None:
        """A Hello waited for the journal: answer it, and go on with what came behind it."""
        peer, hello = self.hub.handshake.answers.pop(0)
        connection = self.connections.get(peer.number)
        if self.hub.handshake.answered(peer, hello, now) and connection is not None:
            if not self.hub.may_read(peer):
                # Many may have waited: what is behind their Hellos is not taken all at once.
                connection.behind = True
                self.hold(connection)
                return
            connection.resume(now)
        self.fence(now)
        if not peer.waiting:  # again, for something else
            self._release(peer.number)

    # --- what the journal has ---

    def _ask_journal(self) -> None:
        """What is before the log: parts of it for consumers, places for Hellos."""
        assert self.reader is not None
        for peer in _taken(self.hub.todo.fetch):
            then = partial(self._fetched, peer)
            self.reader.part(peer.record.position, then, partial(_is_here, peer))
        lookups = self.hub.handshake.lookups
        for peer, hello in lookups:
            found = partial(self._looked_up, peer, hello)
            if hello.wants.position is None:
                self.reader.since(hello.wants.time_ns, found, partial(_is_here, peer))
            else:
                self.reader.locate(hello.wants.position, found, partial(_is_here, peer))
        lookups.clear()

    def _fetched(self, peer: Peer, found: Part | Missing | None) -> None:
        self.hub.feeds.fetched(peer, found)
        self.work()

    def _looked_up(self, peer: Peer, hello: Waiting, found: int | Missing | None) -> None:
        self.hub.handshake.looked_up(peer, hello, found)
        self.work()

    # --- who waits for the journal ---

    def hold(self, connection: Connection) -> None:
        """Nothing is read from it until `_journaled`, or until its Hello is answered."""
        connection.read_off()
        connection.peer.held = True
        self._held[connection.peer.number] = connection
        journal = self.hub.journal
        if journal is not None and not connection.peer.waiting and self._patience is None:
            self._patience = self.loop.call_later(PATIENCE, self._out_of_patience)

    def _out_of_patience(self) -> None:
        self.state.set_status(accepting=0)
        self.hub.refusals.not_accepting()
        self.work()

    def _journaled(self) -> None:
        """The journal is further than it was, or has space again."""
        journal = self.hub.journal
        assert journal is not None
        os.read(self._done, 8)
        journal.progressed()
        journal.show()
        self.fan_out(self.clock.now())
        for number in [*self._held]:
            if self._held[number].peer.waiting:
                continue
            if not self.hub.may_read(self._held[number].peer):
                break
            self._release(number)
        else:
            self._accept_on()
        self.work()

    def go_on(self, connection: Connection, behind: bool, now: int) -> None:
        """An adopted connection: what its predecessor had read of it (`behind`) is taken first."""
        peer = connection.peer
        self.fence(now)  # its Hello may have been answered just now
        if peer.closed or peer.leaving:
            return
        connection.behind = behind
        if behind and not peer.waiting and self.hub.may_read(peer):
            connection.behind = False
            connection.resume(now)
        elif behind or peer.waiting:
            self.hold(connection)

    def _release(self, number: int) -> None:
        connection = self._held.pop(number, None)
        if connection is None or connection.peer.closed or connection.peer.leaving:
            return
        if not self.draining:
            connection.peer.held = False
            connection.read_on()
        if connection.behind:
            connection.behind = False
            connection.resume(self.clock.now())
        if number in self._hung:
            self._hung.discard(number)
            self._let_go(connection)

    def _accept_on(self) -> None:
        if self._patience is None:
            return
        if self._patience.when() <= self.loop.time() and not self.draining:
            self.state.set_status(accepting=1)
            self._report("accepting again", None)
        self._patience.cancel()
        self._patience = None

    def _read_at_most(self, connection: Connection, size: int, now: int) -> int:
        """Read so many bytes; how many of them were not there, or may not be read yet."""
        while size > 0 and not (connection.peer.closed or connection.peer.leaving):
            taken = connection.read(now, size)
            if taken == 0:
                break
            size -= taken
        return size

    # --- peers that are gone ---

    def watch_hang_up(self, connection: Connection) -> None:
        """Wait for a hang-up or a reset, which epoll always tells, also where the input is over.

        The loop cannot be asked: uvloop forgets a descriptor at EPOLLERR, after one read.
        """
        self._watched[connection.fd] = connection
        self._hang_ups.register(connection.fd, 0)

    def _hung_up(self) -> None:
        for fd, _ in self._hang_ups.poll(0):
            self._hang_ups.unregister(fd)
            self._let_go(self._watched.pop(fd))
        self.work()

    def _let_go(self, connection: Connection) -> None:
        """A peer is gone; if it waits for the journal, what it sent is read when that lets it."""
        now, number = self.clock.now(), connection.peer.number
        if not self.draining:
            self._read_out(connection, now)
            if number in self._held:
                self._hung.add(number)
                return
        self.hub.hung_up(connection.peer, now)

    def _read_out(self, connection: Connection, now: int) -> None:
        """What a peer sent before it went is taken, to the end of it."""
        peer = connection.peer
        while connection.reading and not (peer.closed or peer.leaving):
            if connection.read(now) == 0:
                break

    # --- time ---

    def _set_timer(self) -> None:
        due = self.hub.deadlines.earliest
        if due is None or (self._timer is not None and self._timer_at <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = due
        delay = max(0, due - self.clock.now()) / 1e9
        self._timer = self.loop.call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.hub.tick(self.clock.now())
        self.work()

    def _tick(self) -> None:
        """Each second: what those outside see of a loop that turns."""
        step = self.clock.follow()
        if step:
            self.hub.shift(step)
            self._timer_at += step
            self.log.line("clock was set", step=step / 1e9)
        now = self.clock.now()
        self.state.set_status(tick_ns=now)
        for connection in self.connections.values():
            if connection.peer.consuming:
                connection.peer.record.set_unread(unsent(connection.sock))
        self.log.settle(now)
        self.turned()
        self.loop.call_later(1.0, self._tick)

    # --- reload and end ---

    def reload(self, config: RelayConfig) -> None:
        """Apply what SIGHUP may change; the caller says what needs a restart."""
        self.config = config
        self.hub.apply(config)

    async def settle(self, patience: float, hurry: asyncio.Event) -> None:
        """Before another process takes over: nothing more is read, and what is half said or half
        closed comes to its end, as far as `patience` seconds allow."""
        self.draining = True
        self.state.set_status(accepting=0)
        self._read_no_more()
        # Whoever hangs up now may have said something before: the successor reads that.
        self.loop.remove_reader(self._hang_ups.fileno())
        self._hung.clear()

        def done() -> bool:
            stored = self.store is None or self.store.settled
            return stored and not any(
                peer.leaving or peer.outlet.telling for peer in self.hub.peers.values()
            )

        await self._until(done, patience, hurry)

    def _read_no_more(self) -> None:
        self.acceptor.stop()
        for connection in self.connections.values():
            connection.read_off()
            connection.peer.held = True

    async def drain(self, hurry: asyncio.Event) -> None:
        """Stop: read what was sent by now, let consumers finish, tell sessions (relays.md 9)."""
        self.draining = True
        self.state.set_status(draining=1, accepting=0)
        sent = {each: unread(each.sock) for each in self.connections.values()}
        self._read_no_more()
        await self._until(lambda: self._read_sent(sent), self.config.drain_timeout, hurry)
        await self._until(self._delivered, self.config.drain_timeout, hurry)
        self._say_undelivered()
        for connection in list(self.connections.values()):
            self.hub.handshake.drain(connection.peer)
        self.work()
        await self._until(lambda: not any(p.leaving for p in self.hub.peers.values()), 1.0, hurry)
        for peer in list(self.hub.peers.values()):
            self.hub.finish(peer)
        self.work()

    def _read_sent(self, sent: dict[Connection, int]) -> bool:
        """Read what was sent before the end; False while some of it waits for the journal."""
        now = self.clock.now()
        for connection, size in [*sent.items()]:
            left = self._read_at_most(connection, size, now)
            connection.read_off()
            if left and connection.peer.number in self._held:
                sent[connection] = left
            else:
                del sent[connection]
        self.work()
        return not sent

    async def _until(self, done: Any, seconds: float, hurry: asyncio.Event) -> None:
        deadline = self.loop.time() + seconds
        while not done() and not hurry.is_set() and self.loop.time() < deadline:
            await asyncio.sleep(0.005)

    def _delivered(self) -> bool:
        peers, journal = self.hub.peers.values(), self.hub.journal
        settled = journal is None or journal.settled
        return settled and all(self._has_everything(peer) for peer in peers)

    def _has_everything(self, peer: Peer) -> bool:
        """One whose breaker is open is not waited for: it will be told what it missed, if ever."""
        if peer.breaker.state == breaker.OPEN:
            return True
        return not self._owed(peer) and peer.outlet.idle

    def _owed(self, peer: Peer) -> int:
        return peer.record.lag if peer.consuming else 0

    def _say_undelivered(self) -> None:
        owed = [peer for peer in self.hub.peers.values() if self._owed(peer)]
        for peer in owed:
            state = breaker.NAMES[peer.breaker.state]
            self.log.line(
                "undelivered", consumer=peer.label, messages=self._owed(peer), breaker=state
            )
        total = sum(self._owed(peer) for peer in owed)
        self.decisions.stopped(self.clock.now(), total)
        self.log.line("drained", undelivered=total, consumers=len(owed))


def _is_here(peer: Peer) -> bool:
    return not peer.closed


def _taken(peers: list[Peer]) -> list[Peer]:
    """What stands in a list, which is empty afterwards; each peer once."""
    found = list(dict.fromkeys(peers))
    peers.clear()
    return found
