"""A consumer's core joined to a relay's, byte by byte, with no process and no socket between them.

Used by tests/client/test_consuming.py. The relay is `tests.daemon.fake_edge`'s; what is cut, when,
and how much of it had arrived is for the test to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from protocol.control import Gap, GapReason, Heartbeat, Snapshot, SnapshotKind, Welcome
from protocol.header import HEADER_SIZE, Header
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Quote, Trade
from protocol.message import Message
from relays.client.consuming import Consuming, Item, Run
from relays.client.subscription import Subscription
from tests.daemon.fake_edge import World

PAIRS = [InstrumentId.spot(VenueId.BINANCE, name) for name in ("BTCUSDT", "ETHUSDT", "XRPUSDT")]
SECOND = 1e9


class Wire:
    """One consumer of `world` and its connections; `items` is all that came."""

    def __init__(self, world: World, wanted: Subscription, room: int = 1 << 30) -> None:
        self.world, self.room = world, room
        self.core = Consuming(wanted)
        self.items: list[Item] = []
        self.connect()

    @property
    def now(self) -> float:
        return self.world.clock.now() / SECOND

    def connect(self) -> None:
        self.joined = self.world
        self.peer, self.sock = self.world.connect()
        self.sock.room = self.room
        self.world.send(self.sock, self.core.begin(self.now))

    def read(self, size: int = 1 << 30) -> None:
        """At most so many bytes arrive, and make room for more."""
        data = bytes(self.sock.got[:size])
        del self.sock.got[:size]
        self.sock.room += len(data)
        for at in range(0, len(data), 1 << 18):
            piece = data[at : at + (1 << 18)]
            self.core.room()[: len(piece)] = piece
            self.core.received(len(piece), self.now)
            self.take()
        self.world.write(self.sock)

    def take(self) -> None:
        while (item := self.core.next()) is not None:
            self.items.append(item)

    def read_all(self) -> None:
        """Until nothing comes any more."""
        while self.sock.got:
            self.read()

    def cut(self) -> None:
        """The connection is lost, with what had not arrived; there is another one."""
        self.joined.relay.hub.hung_up(self.peer, self.joined.clock.now())
        self.joined.relay.work()
        self.core.ended(self.now)
        self.connect()

    # --- what came ---

    @property
    def gaps(self) -> list[Gap]:
        return [item for item in self.items if isinstance(item, Gap)]

    @property
    def runs(self) -> list[Run]:
        return [item for item in self.items if isinstance(item, Run)]

    @property
    def frames(self) -> list[bytes]:
        """Every frame of the feed."""
        return [one for run in self.runs if not run.snapshot for one in apart(run.data)]

    @property
    def placed(self) -> list[tuple[int, bytes]]:
        """Every frame of the feed with its position."""
        return [
            (run.position + n, one)
            for run in self.runs
            if run.position is not None
            for n, one in enumerate(apart(run.data))
        ]


class Played:
    """The relay's side of one connection, written by hand: whatever a relay might say."""

    def __init__(self, wanted: Subscription, **options: object) -> None:
        self.core = Consuming(wanted, **options)  # type: ignore[arg-type]
        self.hello = b""

    def connect(self, *said: Message | bytes, now: float = 0.0) -> list[Item]:
        self.hello = self.core.begin(now)
        return self.say(*said, now=now)

    def say(self, *said: Message | bytes, now: float = 0.0) -> list[Item]:
        """The items that these bytes and control frames become."""
        for one in said:
            raw = one if isinstance(one, bytes) else one.frame(source=20)
            self.core.room()[: len(raw)] = raw
            self.core.received(len(raw), now)
        got: list[Item] = []
        while (item := self.core.next()) is not None:
            got.append(item)
        return got


def welcome(position: int, end: int | None = None, log_id: int = 9) -> Welcome:
    end = position if end is None else end
    return Welcome(log_id, position, end, 0, heartbeat_ms=1000)


def apart(data: bytes) -> Iterator[bytes]:
    """The frames of a run."""
    at = 0
    while at < len(data):
        size = HEADER_SIZE + Header.unpack(data, at).payload_size
        yield data[at : at + size]
        at += size


def mixed(first: int, kinds: Iterable[int]) -> list[bytes]:
    """Trades and Quotes of three instruments: which it is says each number."""
    return [
        (
            Quote(PAIRS[kind // 2 % 3], bid_price=1, ask_price=2, bid_size=3, ask_size=sequence)
            if kind % 2
            else Trade(PAIRS[kind // 2 % 3], price=sequence, volume=1)
        ).frame(sequence=sequence, timestamp=sequence, source=1)
        for sequence, kind in enumerate(kinds, first)
    ]


def lost(first: int, last: int, reason: GapReason = GapReason.TOO_SLOW) -> Gap:
    return Gap(first, last, count=last - first + 1, reason=reason)


def beat(position: int, lag: int = 0) -> Heartbeat:
    return Heartbeat(position, lag)


def snapshot_edges(position: int) -> tuple[Snapshot, Snapshot]:
    return Snapshot(SnapshotKind.BEGIN, 0, position), Snapshot(SnapshotKind.END, 0, position)
