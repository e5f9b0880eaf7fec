"""One run: a relay, its machine and its peers, and what happens next, all out of one seed.

Called by `scripts/simulate` and the tests of this room. After every step of the relay the checker
looks; at the end all mischief stops, everybody reads what there is, and nobody may be left behind.
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from protocol._core.journal import journal_words
from tests.simulator.checker.facts import Facts, Violation, must
from tests.simulator.checker.judge import Judge
from tests.simulator.frames import PLAIN, Maker
from tests.simulator.kernel import BEGIN, SECOND, Kernel
from tests.simulator.machine import Machine
from tests.simulator.manager import Manager
from tests.simulator.peers import Consumer, Observer, Peer, Producer
from tests.simulator.setups import Setup, managed, setup, with_manager
from tests.simulator.sockets import ENDLESS, ROOM, Line
from tests.simulator.trace import Trace

STEPS = 800
MILLISECOND = 1_000_000
TURNS = 400  # of the relay between two waits, before something must be wrong
ROUNDS = 300


@dataclass(frozen=True)
class Outcome:
    """How a run went. `failure` is "" or what did not hold; `last` the end of the trace."""

    seed: int
    steps: int
    digest: str
    events: int
    messages: int
    failure: str
    last: tuple[str, ...]
    about: str


class Run:
    """The parts of one run, and its steps."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.setup: Setup = setup(self.chance)
        self.trace = Trace()
        self.kernel = Kernel(self.chance, self.trace)
        self.kernel.witness = self
        self.manager: Manager | None = None
        if managed(seed):
            self.setup = with_manager(self.chance, self.setup)
            self.manager = Manager(self.kernel, self.chance)
            self.kernel.has = self.manager.has
        domain, config = self.setup.domain, self.setup.config
        self.judge = Judge(Facts.of(domain, config))
        self.machine = Machine(domain, config, self.kernel, self.chance, self.manager)
        self.machine.parts = self.judge.parts
        self.judge.damaged = self.machine.damaged
        self.observer = Observer(self.kernel, self.chance)
        self.peers = self._peers()
        self.early: dict[int, bytearray] = {}

    def _peers(self) -> list[Peer]:
        about, kernel, chance = self.setup, self.kernel, self.chance
        config, name = about.config, about.domain.name
        maker = Maker(name, config.max_payload, chance, config.snapshots)
        producers = [
            Producer(n, kernel, chance, maker, config.require_sequence, about.lies, about.burst)
            for n in range(1, about.producers + 1)
        ]
        consumers = [
            Consumer(
                50 + n,
                kernel,
                chance,
                config.snapshots,
                list(PLAIN[name]),
                config.journal == "on",
            )
            for n in range(about.consumers)
        ]
        return [*producers, *consumers]

    # --- what passes, for the checker ---

    def accepted(self, line: Line) -> None:
        self.judge.accepted(line.number, line.uid, line.pid)
        if early := self.early.pop(line.number, None):
            self.judge.wrote(line.number, bytes(early), self.kernel.mono)
        if line.shut_by_peer:
            self.ended(line, "left" if line.gone else "shut")

    def wrote(self, line: Line, data: bytes) -> None:
        if line.number in self.judge.talks:
            self.judge.wrote(line.number, data, self.kernel.mono)
        else:
            self.early.setdefault(line.number, bytearray()).extend(data)

    def was_read(self, line: Line, size: int) -> None:
        self.judge.was_read(line.number, size)

    def said(self, line: Line, data: bytes) -> None:
        self.judge.said(line.number, data)

    def ended(self, line: Line, how: str) -> None:
        judge = self.judge
        {"shut": judge.shut, "left": judge.left, "closed": judge.closed, "died": judge.lost}[how](
            line.number
        )

    # --- lives ---

    def boot(self) -> None:
        """A relay starts, and the observer is there before anybody else."""
        if self.machine.life and self.chance.random() < 0.1:
            self.machine.lose_memory()
            self.judge.lives.forget()
        if self.machine.life and self.chance.random() < 0.1:
            self.machine.damage(len(self.judge.order))
        before = [line for line in self.kernel.lines if line not in self.kernel.backlog]
        now = BEGIN + self.kernel.mono + self.kernel.wall
        deaths, log_id = self.judge.lives.deaths(now), self.machine.log_id
        was_left = self.machine.memories is not None
        if deaths > 1:
            self.judge.none_goes_on()
        alive = self.machine.boot(
            self.judge.booted, self.chance.randrange(60) if self._is_doomed() else -1
        )
        adopted = self.machine.log_id == log_id
        if self.manager is not None:
            self.judge.lives.began(now, deaths, was_left, adopted)
        if not alive:
            self._died(True)
            return
        self.judge.step(self.kernel.mono)
        self._observe()
        self._until_idle()
        if deaths > 1 or not adopted:
            left = [line.number for line in before if not line.closed]
            must(not left, f"after {deaths} deaths in a row connections {left} went on")
        if self.machine.relay is not None:
            writable = {line.number for line in self.kernel.lines if line.writable}
            self.judge.went_on(writable)

    def _is_doomed(self) -> bool:
        """Whether a relay dies soon after it has started."""
        return self.manager is not None and not self.kernel.calm and self.chance.random() < 0.1

    def _observe(self) -> None:
        """The observer goes on, or comes again, ahead of all others."""
        kernel, observer = self.kernel, self.observer
        line = observer.line
        if line is not None and not line.closed and line not in kernel.backlog:
            return
        if line is not None and line in kernel.backlog:
            kernel.backlog.remove(line)
        observer.next = len(self.judge.order)
        observer.join()
        assert observer.line is not None
        self.judge.witness = observer.line.number
        kernel.backlog.insert(0, kernel.backlog.pop())

    def turn(self, call: Callable[[], object]) -> None:
        """The relay does one thing, and the checker looks."""
        if not self.machine.turn(call):
            self._died(True)
        elif self.machine.relay is None:
            self._died(False)
        else:
            self.judge.times.grown(self.machine.state.end_position, self._relay_time())
            self.judge.step(self.kernel.mono)

    def _relay_time(self) -> int:
        assert self.machine.relay is not None
        clock: Any = self.machine.relay.clock
        return int(self.kernel.mono + clock.offset)

    def _died(self, inside: bool) -> None:
        if self.machine.end != "handed":
            self.judge.parts(False, inside or self.machine.end == "unsaid")
        self.judge.died(inside)
        self.judge.lives.ended(self.machine.end in ("killed", "unsaid"))

    def _until_idle(self) -> None:
        for _ in range(TURNS):
            call = self.kernel.next() if self.machine.relay is not None else None
            if call is None:
                return
            self.turn(call)
        if self.kernel.calm:
            raise Violation(f"the relay is still busy after {TURNS} turns")

    # --- what may happen next ---

    def step(self) -> None:
        """One thing happens."""
        chance, manager = self.chance, self.manager
        if self.machine.relay is None:
            if manager is not None and chance.random() < 0.7:
                self._others_go_on()
                return
            self.kernel.mono += chance.choice([1, 500]) * MILLISECOND
            self.boot()
            return
        if manager is not None and chance.random() < manager.haste:
            manager.work(chance.randint(1, 4))
        happens = chance.random()
        if happens < self.setup.deaths:
            self._death()
        elif happens < 0.05:
            self._time_passes()
        elif happens < 0.15 and self.machine.journal is not None:
            self._disk_turns()
        elif not (happens < 0.5 and self._relay_turns()):
            self._others_go_on(happens)

    def _others_go_on(self, happens: float = 0.5) -> None:
        if not (happens < 0.7 and self._bytes_arrive()):
            self.chance.choice(self.peers).act()

    def _relay_turns(self) -> bool:
        """The relay does one of the things that are ready; False when none is."""
        call = self.kernel.next()
        if call is not None:
            self.turn(call)
        return call is not None

    def _death(self) -> None:
        """The relay is killed between two events or inside one, or told to stop."""
        if self.manager is not None and self.chance.random() < 0.5:
            if not self.machine.draining:
                self.machine.make_way()
            return
        how = self.chance.randrange(6 if self.machine.disk is not None else 4)
        if how > 3:
            self.machine.lose_power()
            self._died(False)
            self.judge.lost_power()
        elif how == 0:
            self.machine.crash()
            self._died(False)
        elif how < 3:
            self.kernel.doom = self.chance.randrange(30)
        elif not self.machine.draining:
            self.judge.draining = True
            self.machine.drain()

    def _manager_turns(self) -> None:
        if self.manager is not None:
            self.manager.work()

    def _disk_turns(self) -> None:
        """The journal's thread goes on; now and then the disk is full, fails, or takes its time."""
        disk, journal = self.machine.disk, self.machine.journal
        if disk is None or journal is None:
            return
        if self.chance.random() < 0.04:
            disk.weak = self.chance.choice([0.0, 0.0, 0.3])
            disk.full, disk.held = self.chance.random() < 0.3, self.chance.random() < 0.2
        if self.kernel.calm:
            disk.weak, disk.full, disk.held = 0.0, False, False
        if not disk.held:
            self.turn(journal.turn)

    def _bytes_arrive(self) -> bool:
        """Bytes of one peer, or a part of them, are there; False when none are under way."""
        lines = [line for line in self.kernel.lines if line.flight and not line.closed]
        if lines:
            line = self.chance.choice(lines)
            size = self.chance.choice([self.chance.randint(1, len(line.flight)), ROOM])
            line.arrive(size)
        return bool(lines)

    def _time_passes(self) -> None:
        if self.chance.random() < 0.8:
            self._until_idle()
        if self.chance.random() < 0.03:
            before, by = self.kernel.wall, self.chance.choice([-3600, -1, 1, 3600])
            self.kernel.wall += by * SECOND
            self.judge.times.set_back |= self.kernel.wall < before
            self.kernel.note("the clock is set", self.kernel.wall)
        self._pass(self.chance.choice([1, 20, 120, 400, 1100]))

    def _pass(self, milliseconds: int) -> None:
        self.kernel.mono += milliseconds * MILLISECOND

    # --- the end ---

    def settle(self) -> None:
        """All mischief stops; after a while everybody has what was promised."""
        self.kernel.calm, self.kernel.doom = True, -1
        if self.machine.draining:
            self._drained()
        if self.machine.relay is None:
            self.boot()
        for number in range(ROUNDS):
            self._everybody_reads()
            self._disk_turns()
            self._manager_turns()
            self._until_idle()
            if number > 4 and self._is_quiet():
                break
            self._pass(100)
        self.judge.settled(self.machine.state.read_connections())

    def _drained(self) -> None:
        for _ in range(ROUNDS):
            if self.machine.relay is None:
                return
            self._everybody_reads()
            self._disk_turns()
            self._manager_turns()
            self._until_idle()
            self._pass(100)
            self.turn(lambda: None)
        raise Violation("the relay is still draining")

    def _is_quiet(self) -> bool:
        state = self.machine.state
        waits = any(peer.outgoing and peer.connected() for peer in self.peers)
        waits = waits or any(line.busy for line in self.kernel.lines if not line.closed)
        words = journal_words(state)
        waits = waits or bool(words["on"] and words["made"] != words["safe"])
        rows = state.read_connections()
        behind = any(row["consuming"] and row["position"] < state.end_position for row in rows)
        return not (waits or behind or any(row["breaker"] in (1, 2) for row in rows))

    def _everybody_reads(self) -> None:
        """Also connections that their peers have left alone."""
        for line in self.kernel.lines:
            line.arrive(len(line.flight))
            line.room = ENDLESS
        for peer in self.peers:
            peer.settle()
        mine = {id(peer.line) for peer in self.peers}
        for line in self.kernel.lines:
            if id(line) not in mine:
                line.read(ENDLESS)


def simulate(seed: int, steps: int = STEPS) -> Outcome:
    """Run one seed. The same seed and steps give the same trace, in every process."""
    run = Run(seed)
    failure, done = "", 0
    try:
        run.boot()
        for done in range(1, steps + 1):  # noqa: B007
            run.step()
        run.settle()
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        at = f"{where.filename.rpartition('/')[2]}:{where.lineno}"
        failure = f"{type(error).__name__}: {error} ({at})"
    return Outcome(
        seed, done, run.trace.digest(), run.trace.count, len(run.judge.order), failure,
        tuple(run.trace.last()), str(run.setup),
    )  # fmt: skip
