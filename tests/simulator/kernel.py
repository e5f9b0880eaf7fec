"""The machine under the relay: its clock, its sockets and its event loop, all played.

The relay of `relays.edge` runs on this unmodified: it sees a loop, a listening socket, connections
and an epoll. What is ready, how much a call takes, and when the relay dies inside one, is chosen by
the run's random numbers. What peers do is `peers`', what was right is `judge`'s.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Collection, Generator
from functools import partial
from typing import Any, Protocol

from tests.simulator.sockets import Line
from tests.simulator.trace import Trace

SECOND = 1_000_000_000
BEGIN = 1_700_000_000 * SECOND
STEP = 50_000_000
LISTENING, HANG_UPS, DONE = 3, 4, 5
FIRST_FD = 1 << 20  # above any descriptor that exists
Call = Callable[..., Any]


class Crash(BaseException):
    """The relay's process dies inside this call."""


class Witness(Protocol):
    """Who is told what passes between the relay and its peers."""

    def accepted(self, line: Line) -> None:
        """The relay took this connection from the backlog."""

    def wrote(self, line: Line, data: bytes) -> None:
        """The peer's bytes are there for the relay to read."""

    def was_read(self, line: Line, size: int) -> None:
        """The relay read so many of them."""

    def said(self, line: Line, data: bytes) -> None:
        """The relay's bytes are on their way to the peer."""

    def ended(self, line: Line, how: str) -> None:
        """ "shut" or "left" by the peer; "closed" by the relay, or "died" with it."""


class Ready(Protocol):
    """What a descriptor stands for."""

    @property
    def readable(self) -> bool: ...

    @property
    def writable(self) -> bool: ...


class Timer:
    """What `call_later` gives."""

    def __init__(self, when: int, call: Call, arguments: tuple[Any, ...]) -> None:
        self.due, self.call, self.arguments = when, call, arguments
        self.cancelled = False

    def when(self) -> float:
        """In seconds of the loop's time."""
        return self.due / SECOND

    def cancel(self) -> None:
        self.cancelled = True


class Future:
    """What a coroutine of the relay waits for: a timer of the loop, and nothing else."""

    def __init__(self) -> None:
        self.is_done = False

    def cancelled(self) -> bool:
        return False

    def set_result(self, _: object) -> None:
        self.is_done = True

    def __await__(self) -> Generator[Future, None, None]:
        while not self.is_done:
            yield self


class Kernel:
    """Everything outside the relay's process but its peers.

    `mono` is time that passes, in ns; `wall` is by how much the clock on the wall was set besides.
    `chance` decides everything that is not decided elsewhere; `calm` ends all mischief; `has` says
    of which connections somebody else has a copy.
    """

    def __init__(self, chance: random.Random, trace: Trace) -> None:
        self.chance, self.trace = chance, trace
        self.witness: Witness | None = None
        self.mono = self.wall = 0
        self.calm = False
        self.doom = -1  # system calls until the relay dies inside one; -1 = it does not
        self.read_bytes = 0
        self.lines: list[Line] = []
        self.backlog: list[Line] = []
        self.numbers = 0
        self.has: Callable[[Line], bool] = lambda line: False
        self.forget_process()

    def forget_process(self) -> None:
        """The relay's process is gone, and everything it had of the kernel."""
        self.readers: dict[int, Call] = {}
        self.writers: dict[int, Call] = {}
        self.timers: list[Timer] = []
        self.turns: list[tuple[Callable[[], bool], Call]] = []
        self.watched: dict[int, Line] = {}
        self.open: dict[int, Line] = {}
        self.others: dict[int, Ready] = {}
        self.listening = self.done = False  # `done`: the journal's thread wakes the loop
        self.doom = -1

    def ended(self, line: Line, how: str) -> None:
        self.note(how, line.number)
        if self.witness is not None:
            self.witness.ended(line, how)

    def note(self, *what: object) -> None:
        self.trace.add(self.mono, *what)

    def system_call(self) -> None:
        """The relay is in the kernel; here is where it may die."""
        if self.doom > 0:
            self.doom -= 1
        elif self.doom == 0:
            self.doom = -1
            raise Crash

    # --- what peers do ---

    def connect(self, uid: int, pid: int) -> Line | None:
        """A peer connects; None when nobody listens."""
        if not self.listening:
            return None
        self.numbers += 1
        line = Line(self, self.numbers, FIRST_FD + self.numbers, uid, pid)
        self.lines.append(line)
        self.backlog.append(line)
        self.note("connect", line.number, uid, pid)
        return line

    def died(self, kept: Collection[Line] = ()) -> None:
        """The relay's process is dead: of all lines but those `kept` what it had not read is lost,
        and their peers see an end."""
        for line in [*self.open.values(), *self.backlog]:
            if line not in kept and not line.closed:
                line.lost()
        self.backlog = [line for line in self.backlog if line in kept]
        self.lines = [line for line in self.lines if line in kept]
        self.forget_process()

    # --- what is ready ---

    def next(self) -> Call | None:
        """What the relay's loop calls now: all that was ready when it looked last, in any order,
        before it looks again. None when nothing is."""
        while True:
            looked = not self.turns
            if looked:
                self.turns = self._look()
                self.chance.shuffle(self.turns)
            while self.turns:
                is_ready, call = self.turns.pop()
                if is_ready():
                    return call
            if looked:
                return None

    def _look(self) -> list[tuple[Callable[[], bool], Call]]:
        found: list[tuple[Callable[[], bool], Call]] = []
        for fd, call in self.readers.items():
            if self._readable(fd):
                found.append((partial(self._still, self.readers, fd, call), call))
        for fd, call in self.writers.items():
            if self._at(fd).writable:
                found.append((partial(self._still, self.writers, fd, call), call))
        for timer in self.timers:
            if timer.due <= self.mono and not timer.cancelled:
                found.append((partial(self._waits, timer), partial(self._fire, timer)))
        return found

    def _still(self, where: dict[int, Call], fd: int, call: Call) -> bool:
        return where.get(fd) == call

    def _waits(self, timer: Timer) -> bool:
        return timer in self.timers and not timer.cancelled

    def _readable(self, fd: int) -> bool:
        if fd == LISTENING:
            return bool(self.backlog)
        if fd == DONE:
            return self.done
        if fd == HANG_UPS:
            return any(line.hung_up for line in self.watched.values())
        return self._at(fd).readable

    def _at(self, fd: int) -> Ready:
        return self.others[fd] if fd in self.others else self.open[fd]

    def _fire(self, timer: Timer) -> None:
        self.timers.remove(timer)
        self.timers = [one for one in self.timers if not one.cancelled]
        timer.call(*timer.arguments)

    # --- the loop the relay sees ---

    def add_reader(self, fd: int, call: Call) -> None:
        self.readers[fd] = call

    def add_writer(self, fd: int, call: Call) -> None:
        self.writers[fd] = call

    def remove_reader(self, fd: int) -> None:
        self.readers.pop(fd, None)

    def remove_writer(self, fd: int) -> None:
        self.writers.pop(fd, None)

    def call_later(self, delay: float, call: Call, *arguments: Any, **_: Any) -> Timer:
        timer = Timer(self.mono + round(delay * SECOND), call, arguments)
        self.timers.append(timer)
        return timer

    def create_future(self) -> Future:
        return Future()

    def time(self) -> float:
        return self.mono / SECOND

    def get_debug(self) -> bool:
        return False


class Clock:
    """`relays.edge.clock.Clock` on played time."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.offset = BEGIN + kernel.wall

    def now(self) -> int:
        self._kernel.system_call()
        return self._kernel.mono + self.offset

    def follow(self) -> int:
        offset = BEGIN + self._kernel.wall
        step, self.offset = offset - self.offset, offset
        return step if abs(step) > STEP else 0


class Listener:
    """The listening socket."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        kernel.listening = True

    def fileno(self) -> int:
        return LISTENING

    def accept(self) -> tuple[Line, str]:
        """The next of the backlog, or what a kernel without descriptors says."""
        kernel = self._kernel
        kernel.system_call()
        if not kernel.backlog:
            raise BlockingIOError
        line = kernel.backlog[0]
        if not (kernel.calm or line.endless) and kernel.chance.random() < 0.01:
            raise OSError(errno.EMFILE, "no descriptors")
        kernel.backlog.pop(0)
        kernel.open[line.fd] = line
        kernel.note("accept", line.number)
        if kernel.witness is not None:
            kernel.witness.accepted(line)
        return line, ""


class Epoll:
    """`select.epoll` for hang-ups alone."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def fileno(self) -> int:
        return HANG_UPS

    def register(self, fd: int, _: int) -> None:
        self._kernel.watched[fd] = self._kernel.open[fd]

    def unregister(self, fd: int) -> None:
        del self._kernel.watched[fd]

    def poll(self, _: float) -> list[tuple[int, int]]:
        return [(fd, 16) for fd, line in self._kernel.watched.items() if line.hung_up]


class Os:
    """What the relay asks of the `os` module: nothing here is the real process's."""

    devnull = "/dev/null"
    O_RDONLY = O_CLOEXEC = 0

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def read(self, fd: int, _: int) -> bytes:
        assert fd == DONE
        self._kernel.done = False
        return bytes(8)

    def getpid(self) -> int:
        return 1000

    def geteuid(self) -> int:
        return 0

    def open(self, *_: object) -> int:
        return FIRST_FD

    def dup(self, _: int) -> int:
        return FIRST_FD

    def close(self, _: int) -> None:
        pass
