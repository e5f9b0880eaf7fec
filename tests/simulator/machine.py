"""The relay's lives: started on memory without a name, killed at any step, started again on it.

The relay is `relays.edge.relay.Relay`, unmodified; for the time of a call its module sees the
simulator's kernel where it would see the system. A successor does what `relays.edge.memory` does
with a dead predecessor's files. What a disk would keep belongs in here too, beside `Memories`.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from protocol._core.connection import abandon
from protocol._core.places import layout
from protocol._core.ring import Mapping, Ring
from protocol._core.state import State
from relays.config import RelayConfig
from relays.core.decisions import relay_died
from relays.core.hub import KEPT_PLACES
from relays.domains import Domain
from relays.edge import relay as edge
from relays.edge.memory import WINDOW_BYTES, Memory
from relays.edge.relay import Relay
from tests.simulator.kernel import BEGIN, Clock, Crash, Epoll, Kernel, Listener, Os

Report = Callable[..., None]


class Memories:
    """The log and the state of one relay, as long as the machine lives."""

    def __init__(self, config: RelayConfig, log_id: int) -> None:
        self.places = config.max_connections + KEPT_PLACES
        self.producers, self.strict = config.max_producers, config.require_sequence
        self.layout = layout(config.log_bytes, self.places, self.producers, self.strict)
        self.memory = _anonymous(Mapping, self.layout["end"])
        ring = _anonymous(Ring, config.log_bytes)
        assert isinstance(ring, Ring)
        self.ring = ring
        State.format(
            self.memory, log_bytes=config.log_bytes, connections=self.places,
            producers=self.producers, windows=self.strict, log_id=log_id, now_ns=BEGIN,
        )  # fmt: skip

    def new(self) -> State:
        return State(self.memory, self.ring)

    def adopted(self, now: int) -> State:
        """As `relays.edge.memory` adopts: finish, check, account for who was connected."""
        state = self.new()
        state.recover()
        state.check()
        relay_died(state, now)
        abandon(state)
        state.set_status(adoptions=state.read_status()["adoptions"] + 1, damaged=0)
        return state

    def window(self, place: int) -> memoryview | None:
        """The checksums kept of an identified producer's frames, where order is required."""
        if not self.strict:
            return None
        begin = self.layout["windows"] + place * WINDOW_BYTES
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
    """One relay process after the other on one machine. `relay` is None while none runs."""

    def __init__(
        self, domain: Domain, config: RelayConfig, kernel: Kernel, chance: random.Random
    ) -> None:
        self.domain, self.config, self.kernel, self.chance = domain, config, kernel, chance
        self.log_id = 11
        self.memories = Memories(config, self.log_id)
        self.state = self.memories.new()
        self.relay: Relay | None = None
        self.life = 0
        self._drain: Coroutine[Any, Any, None] | None = None

    # --- lives ---

    def boot(self) -> None:
        """A relay starts: the first one on new memory, each other on what was left."""
        self.life += 1
        adopts = self.life > 1 and self.log_id == self.state.log_id
        if self.life > 1:
            self.state = self.memories.adopted(BEGIN + self.kernel.mono + self.kernel.wall)
        self._begin(adopts)

    def boot_anew(self) -> None:
        """The memory was found damaged and set aside: another log begins."""
        self.life += 1
        self.log_id += 1
        self.memories = Memories(self.config, self.log_id)
        self.state = self.memories.new()
        self._begin(False)

    def _begin(self, adopts: bool) -> None:
        memory = Memory(self.state, adopts, "", ())
        listening: Any = Listener(self.kernel)
        log: Any = Log(self.kernel)
        windows: Any = self.memories.window
        self.kernel.note("boot", self.life, self.log_id, self.state.end_position)
        with self.inside():
            self.relay = Relay(self.domain, self.config, memory, listening, log, windows)
            self.relay.start()

    def crash(self) -> None:
        """kill -9."""
        self.kernel.note("crash")
        if self._drain is not None:
            self._drain.close()
        self.relay = self._drain = None
        self.kernel.died()

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
        self._drain = self.relay.drain(asyncio.Event())

    @property
    def draining(self) -> bool:
        return self._drain is not None

    def _go_on_draining(self) -> None:
        if self._drain is None:
            return
        try:
            self._drain.send(None)
        except StopIteration:
            self._drain = self.relay = None
            self.kernel.note("drained")
            self.kernel.died()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The relay's module sees this kernel; its classes run in this loop."""
        kernel = self.kernel
        played = {
            "Clock": lambda: Clock(kernel), "os": Os(), "unread": lambda line: line.unread(),
            "unsent": lambda line: line.unsent(),
            "select": SimpleNamespace(epoll=lambda: Epoll(kernel)),
        }  # fmt: skip
        real = {name: getattr(edge, name) for name in played}
        loop: Any = kernel
        asyncio._set_running_loop(loop)
        for name, value in played.items():
            setattr(edge, name, value)
        try:
            yield
        finally:
            asyncio._set_running_loop(None)
            for name, value in real.items():
                setattr(edge, name, value)
