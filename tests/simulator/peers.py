"""Who talks to the relay: producers that gap, repeat and lie, consumers that stop, die and return.

Each peer has one program that outlives its connections. `act` is one thing it does; which one, the
run's random numbers say. Peers believe what they are told and know nothing else of the relay.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any

from protocol.control import (
    Ack,
    Error,
    Gap,
    Heartbeat,
    Hello,
    OnLag,
    Role,
    Snapshot,
    Start,
    Welcome,
    hello_tlvs,
    type_filter,
)
from protocol.message import decode
from protocol.reject import Reject
from tests.simulator.checker.facts import HEADER_SIZE, is_control, size_at
from tests.simulator.frames import PAIRS, Maker
from tests.simulator.kernel import BEGIN, SECOND, Kernel
from tests.simulator.sockets import ENDLESS, ROOM, Line

HEARTBEATS = (0, 250, 5_000, 60_000)


class Peer:
    """One program: its connection, what it has to write, and what it read."""

    def __init__(self, name: str, number: int, kernel: Kernel, chance: random.Random) -> None:
        self.name, self.number, self.kernel, self.chance = name, number, kernel, chance
        self.uid, self.pid = 100 + number % 3, 5000 + number
        self.line: Line | None = None
        self.outgoing, self.incoming = bytearray(), bytearray()

    def act(self) -> None:
        """One thing that it does."""
        raise NotImplementedError

    def settle(self) -> None:
        """What it does when nothing else is to happen: write and read all there is."""
        raise NotImplementedError

    def connected(self) -> bool:
        """Whether it has a connection that works, as far as it can know."""
        return self.line is not None and not self.line.over and not self.line.gone

    def connect(self, room: int = ROOM) -> bool:
        self.outgoing, self.incoming = bytearray(), bytearray()
        self.line = self.kernel.connect(self.uid, self.pid)
        if self.line is not None:
            self.line.room = room
        return self.line is not None

    def flush(self, most: int = ROOM) -> None:
        if self.line is not None and self.outgoing:
            size = self.line.write(bytes(self.outgoing[:most]))
            del self.outgoing[:size]

    def read(self, most: int) -> None:
        if self.line is not None:
            self.incoming += self.line.read(most)

    def frames(self) -> Iterator[bytes]:
        """The whole frames that were read since the last time."""
        at = 0
        while len(self.incoming) - at >= HEADER_SIZE:
            size = size_at(self.incoming, at)
            if len(self.incoming) - at < size:
                break
            yield bytes(self.incoming[at : at + size])
            at += size
        del self.incoming[:at]

    def leave(self) -> None:
        if self.line is not None and not self.line.closed:
            self.line.leave()
        self.line = None


class Producer(Peer):
    """Writes frames in order, most of the time. With a `producer_id` it is one producer for life
    and goes on where the relay says; else each connection is another."""

    def __init__(
        self, number: int, kernel: Kernel, chance: random.Random, maker: Maker, strict: bool,
        lies: float, burst: int,
    ) -> None:  # fmt: skip
        super().__init__(f"producer {number}", number, kernel, chance)
        self.maker, self.strict, self.lies, self.burst = maker, strict, lies, burst
        self.id = chance.choice([0, number, number])
        self.silent = not self.id and chance.random() < 0.6
        self.eager = chance.random() < 0.4
        self.role = chance.choice([2, 2, 3])
        self.tags = number << 32
        self.sequences: list[int] = []
        self.history: list[bytes] = []
        self.pointer = 0
        self.acked = 0
        self.welcomed = False

    # --- its connection ---

    def join(self) -> None:
        """Connect, and say Hello where it does; an identified one may still be connected."""
        if not self.id:
            self.sequences, self.history, self.pointer = [], [], 0
        if not self.connect(self.chance.choice([4096, ROOM])):
            return
        self.welcomed = self.silent
        if not self.silent:
            said = Hello(
                role=Role(self.role), producer_id=self.id,
                heartbeat_ms=self.chance.choice(HEARTBEATS),
            )  # fmt: skip
            self.outgoing += said.frame(source=1, timestamp=self._tag())
        if self.id:
            self.pointer = bisect_right(self.sequences, self.acked)
        if self.eager:
            self.make()

    def _tag(self) -> int:
        self.tags += 1
        return self.tags

    # --- what it writes ---

    def make(self) -> None:
        """Some more frames, behind what waits."""
        chance = self.chance
        for _ in range(chance.randint(1, self.burst)):
            if chance.random() < self.lies:
                self._lie()
            if self.pointer == len(self.history):
                self._one_more()
            if self.strict and not self.silent and chance.random() < 0.01:
                self._lose_one()
            self.outgoing += self.history[self.pointer]
            self.pointer += 1

    def _one_more(self) -> None:
        after = self.sequences[-1] if self.sequences else self.chance.choice([0, 0, 7])
        gap = not self.strict and self.chance.random() < 0.02
        self.sequences.append(after + 1 + 3 * gap)
        self.history.append(self.maker.frame(self.sequences[-1], self._tag()))

    def _lose_one(self) -> None:
        """Where order is required: the relay will say from where to go back."""
        self.pointer += 1
        if self.pointer == len(self.history):
            self._one_more()

    def _lie(self) -> None:
        """A gap, a repeat, another frame of an old sequence, or one that is refused."""
        chance, history = self.chance, self.history
        lie = chance.choice(["gap", "repeat", "repeat", "conflict", "sum", "foreign", "fatal"])
        if lie == "gap":
            self.pointer = min(len(history), self.pointer + 1)
        elif lie == "repeat":
            self.pointer = max(0, self.pointer - chance.randint(1, 5))
        elif lie == "conflict" and self.pointer:
            self.outgoing += self.maker.frame(self.sequences[self.pointer - 1], self._tag())
        elif lie == "sum":
            self.outgoing += self.maker.wrong_checksum(self._next_sequence(), self._tag())
        elif lie == "foreign":
            self._spend()
        elif lie == "fatal" and chance.random() < 0.2:
            self.outgoing += self.maker.fatal(self._next_sequence(), self._tag())

    def _next_sequence(self) -> int:
        if self.pointer < len(self.sequences):
            return self.sequences[self.pointer]
        return (self.sequences[-1] if self.sequences else 0) + 1

    def _spend(self) -> None:
        """Another domain's frame: refused for good, and its sequence is spent."""
        if self.pointer == len(self.history):
            after = self.sequences[-1] if self.sequences else 0
            self.sequences.append(after + 1)
            self.history.append(self.maker.foreign(after + 1, self._tag()))

    # --- what it hears ---

    def hear(self) -> None:
        for frame in self.frames():
            if is_control(frame):
                self._told(decode(frame))

    def _told(self, said: Any) -> None:
        if isinstance(said, Welcome):
            self.welcomed = True
            if self.id and not self.eager and said.last_sequence:
                self.pointer = bisect_right(self.sequences, said.last_sequence)
        elif isinstance(said, Ack):
            self.acked = said.sequence
        elif isinstance(said, Error) and said.code == Reject.SEQUENCE_GAP and self.strict:
            self.pointer = bisect_left(self.sequences, said.expected)

    # --- doing ---

    def act(self) -> None:
        chance = self.chance
        if not self.connected():
            self.leave()
            if chance.random() < 0.5:
                self.join()
            return
        self.read(chance.choice([100, ROOM]))
        self.hear()
        doing = chance.random()
        if doing < 0.02:
            self._end(chance)
        elif doing < 0.04 and self.id:
            self.join()  # the old connection is left as it is
        elif (self.welcomed or self.eager) and len(self.outgoing) < ROOM // 4:
            self.make()
        self.flush(chance.choice([chance.randint(1, 200), ROOM, ROOM]))

    def _end(self, chance: random.Random) -> None:
        if chance.random() < 0.3 and self.line is not None:
            self.line.shut()
        else:
            self.leave()

    def settle(self) -> None:
        self.read(ENDLESS)
        self.hear()
        if self.connected() and self.welcomed and self.id:
            self.outgoing += b"".join(self.history[self.pointer :])
            self.pointer = len(self.history)
        self.flush()


class Consumer(Peer):
    """Reads, or does not. A PLAIN one only listens; a session says what it wants, and returns to
    where it was."""

    def __init__(
        self, number: int, kernel: Kernel, chance: random.Random, snapshots: bool,
        types: list[int], by_time: bool,
    ) -> None:  # fmt: skip
        super().__init__(f"consumer {number}", number, kernel, chance)
        self.by_time = by_time
        self.plain = chance.random() < 0.25
        self.on_lag = chance.randrange(4)
        self.types = chance.sample(types, 2) if chance.random() < 0.3 else []
        self.ids = chance.sample(PAIRS, 2) if chance.random() < 0.2 else []
        self.snapshot = snapshots and chance.random() < 0.4
        self.room = chance.choice([300, 2000, 20_000])
        self.idle = chance.choice([0.05, 0.3, 0.8])
        self.position: int | None = None
        self.log_id = 0
        self.inside = False
        self.stopped = False

    def join(self) -> None:
        """Connect; say Hello, unless it is PLAIN."""
        if self.connect(self.room) and not self.plain:
            self.say_hello()

    def say_hello(self) -> None:
        start, wanted = self.chance.choice(
            [(0, 0), (2, 0), (3, self.chance.randrange(200)), (1, 0)]
        )
        if start == 1 or (self.position is not None and self.chance.random() < 0.7):
            start, wanted = 1, self.position or 0
            wanted += 10_000 * (self.chance.random() < 0.01)
        if self.by_time and start != 1 and self.chance.random() < 0.5:
            ago = self.chance.choice([-1, 0, 0.05, 0.5, 3, 4000])
            start, wanted = 4, BEGIN + self.kernel.mono + self.kernel.wall - round(ago * SECOND)
        self.log_id = self.chance.choice([self.log_id, 0]) if start == 1 else 0
        said = Hello(
            role=Role(5 if self.snapshot else 1), on_lag=OnLag(self.on_lag), start=Start(start),
            heartbeat_ms=self.chance.choice(HEARTBEATS), log_id=self.log_id,
            start_position=wanted, type_filter=type_filter(self.types) if self.types else bytes(32),
            tlvs=hello_tlvs(wanted=self.ids),
        )  # fmt: skip
        self.outgoing += said.frame(source=1, timestamp=1)
        self.inside = False

    # --- where it is ---

    def hear(self) -> None:
        for frame in self.frames():
            if is_control(frame):
                self._told(decode(frame))
            elif self.position is not None and not self.inside and not (self.types or self.ids):
                self.position += 1

    def _told(self, said: Any) -> None:
        if isinstance(said, Welcome):
            self.position, self.log_id = said.position, said.log_id
        elif isinstance(said, Gap) and said.reason != 3:
            self.position = said.last_position + 1
        elif isinstance(said, Heartbeat):
            self.position = said.position
        elif isinstance(said, Snapshot):
            self.inside = said.kind == 1

    # --- doing ---

    def act(self) -> None:
        chance = self.chance
        if not self.connected():
            self.leave()
            if chance.random() < 0.5:
                self.join()
                self.flush()
            return
        if chance.random() < 0.1:
            self.stopped = chance.random() < self.idle
        if not self.stopped:
            self.read(chance.choice([40, 500, 5000, ENDLESS]))
            self.hear()
        self._something_else(chance.random())
        self.flush(chance.choice([chance.randint(1, 100), ROOM]))

    def _something_else(self, doing: float) -> None:
        if doing < 0.01:
            self.leave()
        elif doing < 0.015 and self.line is not None:
            self.line.shut()
        elif doing < 0.05 and not self.plain and self.position is not None:
            beat = Heartbeat(position=self.position)
            self.outgoing += beat.frame(source=1, timestamp=1)
        elif doing < 0.055 and self.plain:
            self.say_hello()  # a PLAIN one wants to be a session now
            self.plain = False

    def settle(self) -> None:
        self.read(ENDLESS)
        self.hear()
        self.flush()


class Observer(Consumer):
    """The one that reads everything at once, and is there first whenever a relay is."""

    def __init__(self, kernel: Kernel, chance: random.Random) -> None:
        super().__init__(0, kernel, chance, False, [1, 2], False)
        self.name, self.plain, self.types, self.ids = "observer", False, [], []
        self.next = 0

    def join(self) -> None:
        self.connect(ENDLESS)
        said = Hello(
            role=Role.CONSUME,
            on_lag=OnLag.CATCH_UP,
            start=Start.AT_POSITION,
            start_position=self.next,
            heartbeat_ms=60_000,
        )
        self.outgoing += said.frame(source=1, timestamp=1)
        self.flush()
        assert self.line is not None
        self.line.arrive(ROOM)
