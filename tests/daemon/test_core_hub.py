"""Random schedules of producers and consumers on the real core, with the kernel played by the test.

Whatever peers do, each consumer saw what it was promised, and every message is accounted for after
every step. A failure prints its seed: `RELAYS_SEED=n pytest tests/daemon/test_core_hub.py`.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass

import pytest

from protocol._core.gather import Filter
from protocol.control import Gap, Welcome
from protocol.message import decode, instrument_offsets
from relays.core.accounting import books
from relays.core.breaker import CLOSED, HALF_OPEN
from relays.core.peer import Peer, Phase
from tests.daemon.fake_edge import FakeSocket, World
from tests.harness import CONTROL, frame, hello, split

THRESHOLD, MOST = 60, 90
STEPS = 500
SEEDS = [int(os.environ["RELAYS_SEED"])] if "RELAYS_SEED" in os.environ else list(range(20))
TYPES = (1, 7, 8)
ONLY_TRADES = (1 << 1).to_bytes(32, "little")


@dataclass
class Actor:
    """One peer and what it knows of its own doings."""

    peer: Peer
    sock: FakeSocket
    begin: int
    filtered: bool = False
    producing: bool = False
    sequence: int = 0
    rest: bytes = b""
    seen: int = 0
    before: int = 0
    position: int | None = None
    welcomed: int = 0


class Schedule:
    """A world, its actors, and the truth: every frame accepted, by position."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        on_lag = self.random.choice(["gap", "gap", "disconnect", "catch_up"])
        self.world = World(
            circuit_breaker=THRESHOLD, max_queue_size=MOST, on_lag=on_lag, producer_breaker=1000
        )
        self.filter = Filter({1}, [], instrument_offsets())
        self.truth: list[bytes] = []
        self.actors: list[Actor] = []
        self.delivered = 0

    # --- what happens ---

    def step(self) -> None:
        choices = [
            (self.produce, 40), (self.read, 30), (self.stop, 8), (self.partly, 12),
            (self.join, 6), (self.new_producer, 3), (self.leave, 3), (self.time, 12),
            (self.late_hello, 2),
        ]  # fmt: skip
        act = self.random.choices([c for c, _ in choices], [w for _, w in choices])[0]
        act()
        self.check()

    def some(self, producing: bool) -> Actor | None:
        found = [a for a in self.actors if a.producing == producing and not a.sock.closed]
        return self.random.choice(found) if found else None

    def join(self) -> None:
        if len(self.actors) - sum(a.sock.closed for a in self.actors) > 12:
            return
        peer, sock = self.world.connect()
        actor = Actor(peer, sock, len(self.truth))
        self.actors.append(actor)
        if self.random.random() < 0.4:
            self.world.pass_time(101)
        else:
            self.say_hello(actor, 1)

    def say_hello(self, actor: Actor, role: int) -> None:
        start = self.random.randrange(4)
        where = self.random.randrange(len(self.truth) + 1)
        wanted = ONLY_TRADES if self.random.random() < 0.3 else bytes(32)
        actor.filtered = any(wanted)
        said = hello(
            role, start=start, start_position=where if start in (1, 3) else 0,
            on_lag=self.random.randrange(4), type_filter=wanted,
            log_id=self.random.choice([0, 0, 11, 12]) if start == 1 else 0,
        )  # fmt: skip
        self.world.send(actor.sock, said)

    def late_hello(self) -> None:
        """A PLAIN consumer, perhaps one that has not read for long, wants to be a session."""
        found = [a for a in self.actors if a.peer.phase == Phase.PLAIN and not a.sock.closed]
        if found:
            self.say_hello(self.random.choice(found), 1)

    def new_producer(self) -> None:
        peer, sock = self.world.connect()
        actor = Actor(peer, sock, len(self.truth), producing=True)
        self.actors.append(actor)
        if self.random.random() < 0.5:
            self.say_hello(actor, self.random.choice([2, 3]))

    def produce(self) -> None:
        actor = self.some(producing=True)
        if actor is None:
            return
        for _ in range(self.random.choice([1, 1, 3, 30])):
            actor.sequence += 1
            kind = self.random.choice(TYPES)
            size = 32 if kind == 1 else self.random.choice([0, 8, 200, 1900])
            actor.rest += frame(actor.sequence, kind, bytes(size), timestamp=actor.sequence)
        if self.random.random() < 0.05:
            actor.rest += frame(actor.sequence + 1, 60)  # another domain's: refused, and goes on
        cut = self.random.choice([len(actor.rest), self.random.randrange(len(actor.rest))])
        sent, actor.rest = actor.rest[:cut], actor.rest[cut:]
        self.world.send(actor.sock, sent)

    def read(self) -> None:
        self.take(1 << 30)

    def stop(self) -> None:
        actor = self.some(producing=False)
        if actor is not None:
            actor.sock.room = 0

    def partly(self) -> None:
        self.take(self.random.choice([1, 17, 40, 500, 3000]))

    def take(self, room: int) -> None:
        actor = self.some(producing=self.random.random() < 0.1)
        if actor is not None:
            actor.sock.room = room
            self.world.write(actor.sock)

    def leave(self) -> None:
        actor = self.some(producing=self.random.random() < 0.3)
        if actor is None:
            return
        if self.random.random() < 0.5:
            self.world.end(actor.sock)
        else:
            actor.sock.gone = actor.sock.over = True
            self.world.end(actor.sock)
            self.world.write(actor.sock)

    def time(self) -> None:
        self.world.pass_time(self.random.choice([1, 50, 120, 700, 1500]))

    # --- what must hold ---

    def check(self) -> None:
        self.learn()
        self.world.accounted()
        for actor in self.actors:
            self.verify(actor)
            peer = actor.peer
            armed = peer.breaker.state in (CLOSED, HALF_OPEN) and peer.on_lag != "catch_up"
            if armed and peer.consuming and not peer.closed:
                assert peer.record.lag < MOST, peer.label

    def learn(self) -> None:
        """Copy what was accepted in this step out of the log."""
        log = self.world.relay.hub.log
        end = self.world.state.end_offset
        at = self.world.state.locate(len(self.truth))
        self.truth += split(bytes(log.view[at % log.size : at % log.size + end - at]))
        assert len(self.truth) == log.end

    def verify(self, actor: Actor) -> None:
        got = bytes(actor.sock.got[actor.seen :])
        if actor.peer.phase != Phase.SESSION:
            promised = b"".join(self.truth[actor.begin :][: len(actor.sock.got) // 32 + 1])
            assert promised.startswith(actor.sock.got), "PLAIN gets the frames and nothing else"
            return
        for one in split(got):
            actor.seen += len(one)
            self.follow(actor, one)

    def follow(self, actor: Actor, one: bytes) -> None:
        """A session got one more whole frame: is it the one that was due?"""
        if one[4] not in CONTROL:
            if actor.position is None:
                self.plain(actor, one)
                return
            actor.position = self.due(actor, actor.position, len(self.truth))
            assert one == self.truth[actor.position], f"position {actor.position}"
            actor.position += 1
            return
        said = decode(one)
        if isinstance(said, Welcome):
            actor.position = actor.welcomed = said.position
        elif isinstance(said, Gap):
            self.gap(actor, said)

    def plain(self, actor: Actor, one: bytes) -> None:
        """It was PLAIN until its Hello; what comes before Welcome is what PLAIN gets."""
        assert one == self.truth[actor.begin + actor.before]
        actor.before += 1

    def gap(self, actor: Actor, said: Gap) -> None:
        assert actor.position is not None
        if said.reason == 3:
            assert actor.position == actor.welcomed  # the next frame is Welcome.position
            return
        assert said.count == said.last_position - said.first_position + 1
        if said.first_position < actor.position:
            assert actor.position == actor.welcomed == said.last_position + 1
        due = self.due(actor, actor.position, said.first_position)
        assert due >= said.first_position, "frames that passed were neither sent nor named"
        actor.position = said.last_position + 1

    def due(self, actor: Actor, begin: int, end: int) -> int:
        """The next position from `begin` on that passes the session's filter; at most `end`."""
        while actor.filtered and begin < end and not self.filter.matches(self.truth[begin]):
            begin += 1
        return begin

    def settle(self) -> None:
        """Everybody reads all they can, for a long time: nobody is left behind or forgotten."""
        for _ in range(250):
            self.world.pass_time(200)
            for actor in self.actors:
                actor.sock.room = 1 << 30
                self.world.write(actor.sock)
        self.check()
        for actor in self.actors:
            peer = actor.peer
            if peer.is_session and peer.consuming and not peer.closed:
                position = self.due(actor, actor.position or 0, len(self.truth))
                assert position == len(self.truth), f"{peer.label} {peer.breaker.state}"


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_peers_do_each_consumer_gets_a_contiguous_run_or_is_told_what_it_lost(
    seed: int,
) -> None:
    print(f"seed {seed}")
    schedule = Schedule(seed)
    for _ in range(STEPS):
        schedule.step()
    schedule.settle()
    counted = books(schedule.world.state).delivered
    found = sum(
        sum(one[4] not in CONTROL for one in split(bytes(actor.sock.got)))
        for actor in schedule.actors
    )
    assert counted == found


def test_what_comes_behind_a_hello_waits_until_the_old_connection_is_fenced_off() -> None:
    place = World()
    sent = [frame(n) for n in range(1, 5)]
    _, old = place.connect()
    place.send(old, hello(2, producer_id=5), *sent[:3])
    peer, new = place.connect()
    new.coming += hello(2, producer_id=5) + b"".join(sent)
    new.most = 100
    # It hung up, so all that it sent is read in one go.
    place.relay._read_out(place.relay.connections[peer.number], place.clock.now())
    assert place.relay.hub.log.end == 4
