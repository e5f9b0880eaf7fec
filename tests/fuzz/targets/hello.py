"""Connections to a whole relay: Hello with all it can ask for, and whatever else a peer sends.

The relay neither fails nor loses count, and what it writes to a session is whole frames that can be
decoded. Its log has frames from before, quotes and books too, so that there is something to give.
"""

from __future__ import annotations

from functools import cache

from protocol.control import hello_tlvs
from protocol.message import decode
from tests.client.wire import PAIRS, mixed
from tests.daemon.fake_edge import FakeSocket, World
from tests.fuzz.target import Target, golden, packed, unpacked, whole
from tests.harness import CONTROL, hello

RUNS = 1000  # connections that one relay gets
BEFORE = 40


class Relay:
    """A relay in this process, a new one every now and then."""

    def __init__(self) -> None:
        self.runs = 0
        self.world = self.begin()

    def begin(self) -> World:
        world = World(producer_breaker=10**9, producer_cooldown=0.0)
        _, producer = world.connect()
        kinds = [number % 6 for number in range(BEFORE)]
        world.send(producer, *mixed(1, kinds))
        self.producer = producer
        return world

    def next(self) -> World:
        self.runs += 1
        if self.runs % RUNS == 0:
            self.world = self.begin()
        return self.world


@cache
def relay() -> Relay:
    return Relay()


def run(data: bytes) -> None:
    if not data:
        return
    world, how = relay().next(), data[0]
    stream = unpacked(data[1:])
    peer, sock = world.connect()
    cut = len(stream) if how & 1 else len(stream) // 2
    sock.room = 100 if how & 2 else 1 << 30
    world.send(sock, stream[:cut])
    if how & 4:
        world.pass_time(120)
    if sock.fd in world.loop.readers:
        world.send(sock, stream[cut:])
    world.pass_time(1100)
    world.read(sock)
    if not sock.closed:
        world.end(sock)
    if not sock.closed:
        world.relay.hub.hung_up(peer, world.clock.now())
        world.relay.work()
    world.accounted()
    # Who does not read for a second is cut off wherever it is.
    _said(sock, cut=bool(how & 2))


def _said(sock: FakeSocket, cut: bool) -> None:
    got = bytes(sock.got)
    each = list(whole(got))
    for one in each:
        assert one[4] not in CONTROL or decode(one)
    assert cut or len(got) == sum(map(len, each))


def seeds() -> list[bytes]:
    told = hello_tlvs("desk-7", PAIRS[:2])
    asks = [
        hello(0), hello(1), hello(2, producer_id=7), hello(3, producer_id=8),
        hello(1, start=2), hello(1, start=1, start_position=3, log_id=11),
        hello(1, start=1, start_position=3, log_id=12), hello(1, start=3, start_position=5),
        hello(5, start=2), hello(5, tlvs=told), hello(1, start=2, tlvs=told, on_lag=3),
        hello(1, type_filter=(1 << 1).to_bytes(32, "little"), start=2, heartbeat_ms=100),
        hello(7, producer_id=9, start=3, start_position=9),
        hello(2, producer_id=7) + b"".join(mixed(1, [0, 1, 2])), b"".join(mixed(1, [0, 1, 2])),
    ]  # fmt: skip
    control = [one for one in golden("valid", "invalid") if 100 <= (one + bytes(5))[4] <= 109]
    kept = asks + control + [asks[1] + one for one in control] + [asks[9] + one for one in control]
    return [bytes([number & 7]) + packed(one) for number, one in enumerate(kept)]


TARGET = Target(run, seeds)
