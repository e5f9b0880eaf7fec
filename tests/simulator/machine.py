"""The relay's lives: started on memory without a name, killed at any step, started again on it.

The relay is `relays.edge.relay.Relay`, unmodified; for the time of a call its module sees the
simulator's kernel where it would see the system. A successor does what `relays.edge.memory` does
with a dead predecessor's memory, and what `relays.edge.journal.start` does with its journal. When
the machine dies the memory is gone, and the disk has what it has.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from protocol._core.places import layout
from protocol._core.ring import Mapping, Ring
from protocol._core.state import State
from relays.config import RelayConfig
from relays.core.hub import KEPT_PLACES
from relays.core.journal.recovery import Depth, recover
from relays.domains import Domain
from relays.edge import acceptor, handover, memory, store
from relays.edge import relay as edge
from relays.edge.handover import Inheritance
from relays.edge.journal import reader, start, writer
from relays.edge.memory import WINDOW_BYTES, Memory
from relays.edge.relay import Relay
from relays.edge.service import MAKING_WAY
from relays.edge.store import Store
from relays.errors import RelayError
from tests.simulator.checker.facts import must
from tests.simulator.damage import damage
from tests.simulator.disk import Disk
from tests.simulator.journaling import Folder, PlayedReader, PlayedThread, catalogue, played
from tests.simulator.kernel import (
    BEGIN,
    DONE,
    SECOND,
    Clock,
    Crash,
    Epoll,
    Kernel,
    Listener,
    Os,
)
from tests.simulator.manager import Manager

PID = 1000
Report = Callable[..., None]


class Memories:
    """The log and the state of one relay, as long as the machine lives."""

    def __init__(self, config: RelayConfig) -> None:
        places, self.strict = config.max_connections + KEPT_PLACES, config.require_sequence
        sizes = layout(config.log_bytes, places, config.max_producers, self.strict)
        self._windows = sizes["windows"]
        self.memory = _anonymous(Mapping, sizes["end"])
        ring = _anonymous(Ring, config.log_bytes)
        assert isinstance(ring, Ring)
        self.ring = ring

    def window(self, place: int) -> memoryview | None:
        """The checksums kept of an identified producer's frames, where order is required."""
        if not self.strict:
            return None
        begin = self._windows + place * WINDOW_BYTES
        return memoryview(self.memory)[begin : begin + WINDOW_BYTES]


def _anonymous(kind: Callable[[int, int, bool], Mapping], size: int) -> Mapping:
    fd = os.memfd_create("simulated")
    try:
        os.ftruncate(fd, size)
        return kind(fd, size, True)
    finally:
        os.close(fd)


class Log:
    """Where the relay's log lines go: into the trace."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def episode(self, event: str, _: int, count: int = 1, **fields: Any) -> None:
        self._kernel.system_call()
        self._kernel.note("relay", event, count, *fields.items())

    def line(self, event: str, **fields: Any) -> None:
        self._kernel.note("relay", event, *fields.items())

    def settle(self, now: int) -> None:
        """Nothing is held back here."""


class Machine:
    """One relay process after the other on one machine. `relay` is None while none runs; `journal`
    is the thread of one that has a journal; `manager` keeps its connections, if it has one. `end`
    is how the last one ended: "killed", "handed" (over), "unsaid" (it could not say what it left)
    or "drained"; `parts` is told before it hands over."""

    def __init__(
        self, domain: Domain, config: RelayConfig, kernel: Kernel, chance: random.Random,
        manager: Manager | None,
    ) -> None:  # fmt: skip
        self.domain, self.config, self.kernel, self.chance = domain, config, kernel, chance
        self.log_id, self.life = 10, 0
        self.disk = Disk(chance) if config.journal == "on" else None
        self.memories: Memories | None = None
        self.relay: Relay | None = None
        self.journal: PlayedThread | None = None
        self.damaged: list[range] = []  # positions that the disk has lost, although synced
        self.manager, self.end = manager, ""
        self.parts: Callable[[bool], None] = lambda handed: None
        self._folder: Folder | None = None
        self._drain: Coroutine[Any, Any, None] | None = None
        self._makes_way = False

    # --- lives ---

    def boot(self, told: Callable[[State], None], doom: int = -1) -> bool:
        """A relay starts: on the memory that was left, or, where there is none, on new memory; it
        is `told`. False when it dies (after `doom` system calls) in going on with connections."""
        self.life += 1
        if self.disk is not None:
            self.disk.weak, self.disk.full, self.disk.held = 0.0, False, False
            self._folder = Folder(self.disk, self.config.journal_segment)

        def start() -> None:
            found, heritage = self._find(), self._heritage()
            opened = self._memory(found, BEGIN + self.kernel.mono + self.kernel.wall, heritage)
            self.state = opened.state
            told(opened.state)
            self._begin(opened, found, heritage, doom)

        return self.turn(start)

    def _heritage(self) -> Inheritance | None:
        if self.manager is None:
            return None
        letter: Any = self.manager.letter
        return Inheritance(letter, self.manager.hand_over())

    def _find(self) -> start.Found | None:
        """The journal; a damaged one only when that is accepted, which it is."""
        try:
            return start.find(self.domain.name, self.config, False)
        except RelayError as error:
            must(bool(self.damaged), f"damage was reported where there is none: {error}")
            self.kernel.note("accept damage", str(error))
            return start.find(self.domain.name, self.config, True)

    def damage(self, known: int) -> None:
        """A bit of the disk flips; positions from `known` on are left alone."""
        if self.disk is None:
            return
        before = recover(catalogue(self.disk))
        known = min(known, before.synced)
        hit = damage(self.disk, catalogue(self.disk), known, self.chance)
        if hit is None:
            return
        self.kernel.note("a bit flips", hit.start, hit.stop)
        self.damaged.append(hit)
        after = recover(catalogue(self.disk), Depth(every=True))
        must(bool(after.damage), f"positions {hit} are damaged and that is not reported")
        same = (after.position, after.offset) == (before.position, before.offset)
        must(same, f"positions {hit} are damaged and the journal ends at {after.position}")

    def _memory(self, found: start.Found | None, now: int, heritage: Inheritance | None) -> Memory:
        if self.memories is not None:
            state = State(self.memories.memory, self.memories.ring)
            if heritage is None:
                return Memory(memory.adopt(state, found, now), True, "", ())
            window = round(self.config.crash_window * SECOND)
            try:
                adopted = memory.adopt(state, found, now, window, heritage.claim)
            except ValueError as error:
                self.kernel.note("set aside", str(error))
            else:
                return Memory(adopted, True, "", ())
        self.log_id += 1
        new = self.memories = Memories(self.config)
        begun = memory.begin(new.memory, new.ring, self.config, found, self.log_id, now)
        return Memory(begun, False, "", ())

    def _begin(
        self, opened: Memory, found: start.Found | None, heritage: Inheritance | None, doom: int
    ) -> None:
        assert self.memories is not None
        listening: Any = Listener(self.kernel)
        log: Any = Log(self.kernel)
        windows: Any = self.memories.window
        thread: Any = None
        if found is not None:
            thread = start.attach(found, opened.state, self.config, (-1, -1), log.line)
        self.journal = thread
        self.kernel.note("boot", self.life, self.log_id, opened.state.end_position)
        self.relay = Relay(
            self.domain, self.config, opened, listening, log, windows, thread, DONE,
            found.lineage if found is not None else (),
        )  # fmt: skip
        opened.state.set_status(pid=PID)
        if heritage is not None:
            self.kernel.doom, loop = doom, self.relay.loop
            self.relay.store = Store(loop, "the manager")
            self.kernel.note("adopted", *heritage.enter(self.relay, self.relay.store))
        self.relay.start()

    def lose_memory(self) -> None:
        """The memory was found damaged and set aside: another log begins."""
        self.memories = None

    def lose_power(self) -> None:
        """The machine dies."""
        self.kernel.note("power is lost")
        self.end, self.memories = "killed", None
        self._gone(all_of_it=True)
        if self.disk is not None:
            self.disk.lose_power()

    def crash(self) -> None:
        """kill -9."""
        self.kernel.note("crash")
        self.end = "killed"
        self._gone()

    def _gone(self, all_of_it: bool = False) -> None:
        """The process is gone; what the manager has of its things only where that is, too."""
        if self._drain is not None:
            self._drain.close()
        self.relay = self._drain = self.journal = None
        kernel, manager = self.kernel, self.manager
        if manager is None or all_of_it:
            if manager is not None:
                manager.forget()
            kernel.died()
            return
        manager.work()
        kernel.died([*(line for line in kernel.lines if manager.has(line)), *kernel.backlog])
        kernel.listening = True  # the manager's

    # --- running ---

    def turn(self, call: Callable[[], Any]) -> bool:
        """The loop calls one thing that is ready. False when the relay died in it."""
        try:
            with self.inside():
                call()
                self._go_on_draining()
        except Crash:
            self.crash()
            return False
        return True

    def drain(self) -> None:
        """SIGTERM: the relay's own end begins; `drained` says when it is over."""
        assert self.relay is not None
        self.kernel.note("drain")
        self._drain, self._makes_way = self.relay.drain(asyncio.Event()), False

    def make_way(self) -> None:
        """SIGTERM, and another relay follows: as in `relays.edge.service`."""
        self.kernel.note("makes way")
        self._drain, self._makes_way = self._settle(), True

    async def _settle(self) -> None:
        assert self.relay is not None
        hurry = asyncio.Event()
        self.kernel.call_later(MAKING_WAY, hurry.set)
        await self.relay.settle(MAKING_WAY, hurry)
        if self.journal is not None:
            self.journal.stop()
            while self.journal.is_alive() and not hurry.is_set():
                await asyncio.sleep(0.002)

    @property
    def draining(self) -> bool:
        return self._drain is not None

    def _go_on_draining(self) -> None:
        if self._drain is None:
            return
        try:
            self._drain.send(None)
        except StopIteration:
            if self._makes_way:
                self._hand_over()
                return
            self._end_journal()
            self.kernel.note("drained")
            self.state.set_status(pid=0)
            self.end = "drained"
            self._gone(all_of_it=True)

    def _hand_over(self) -> None:
        assert self.relay is not None
        assert self.manager is not None
        letter: Any = self.manager.letter
        self.parts(True)
        try:
            self.kernel.note("handed over", handover.make_way(self.relay, letter))
            self.end = "handed"
        except OSError as error:
            self.kernel.note("no letter", str(error))
            self.end = "unsaid"
        self._gone()

    def _end_journal(self) -> None:
        """What was accepted is written and synced, as far as the disk lets it."""
        if self.journal is not None:
            self.journal.stop()
            for _ in range(5):
                self.journal.turn()
            self.journal = None

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The relay's modules see this kernel; its classes run in this loop."""
        loop: Any = self.kernel
        asyncio._set_running_loop(loop)
        real = [
            (module, name, getattr(module, name, open), value)
            for module, played in self._played()
            for name, value in played.items()
        ]
        for module, name, _, value in real:
            setattr(module, name, value)
        try:
            yield
        finally:
            asyncio._set_running_loop(None)
            for module, name, value, _ in real:
                setattr(module, name, value)

    def _played(self) -> list[tuple[Any, dict[str, Any]]]:
        kernel, disk = self.kernel, self.disk
        relay = {
            "Clock": lambda: Clock(kernel), "os": Os(kernel), "unread": lambda line: line.unread(),
            "unsent": lambda line: line.unsent(),
            "select": SimpleNamespace(epoll=lambda: Epoll(kernel)),
        }  # fmt: skip
        found: list[tuple[Any, dict[str, Any]]] = [(edge, relay), (acceptor, {"os": relay["os"]})]
        if self.manager is not None:
            found += zip((store, handover), self.manager.played(), strict=True)
        if disk is None or self._folder is None:
            return found
        read = {"Reader": lambda path: PlayedReader(disk, kernel)}
        journal = played(kernel, self._folder)
        return [*found, (reader, read), (start, journal["start"]), (writer, journal["writer"])]
