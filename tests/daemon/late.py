"""Consumers that come late, and what they must know: worked out from all frames, in plain Python.

Used by tests/daemon/test_snapshots.py. A View has the state of instruments as SPEC.md says a reader
of frames has it; nothing here asks the relay's compiled store.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocol._core.gather import Filter
from protocol.control import Gap, Snapshot, Welcome, hello_tlvs
from protocol.errors import ProtocolError
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import BookKind, OrderBook, Quote
from protocol.message import Message, decode, instrument_offsets
from protocol.tails import Level
from relays.adapters.book import Reader
from tests.daemon.fake_edge import FakeSocket, World
from tests.harness import CONTROL, hello, split

ROLE = 5  # consume, with snapshots
PAIRS = [InstrumentId.spot(VenueId.BINANCE, f"PAIR{n}") for n in range(6)]


class View:
    """The state of instruments as a consumer has it that was given these frames."""

    def __init__(self, wanted: Filter | None = None) -> None:
        self.wanted = wanted
        self.frames: dict[tuple[int, bytes], bytes] = {}
        self.reader = Reader()

    def see(self, frame: bytes) -> None:
        kind = frame[4]
        if self.wanted is not None and not self.wanted.matches(frame):
            return
        if kind in (2, 10, 11):
            self.frames[kind, frame[32:44]] = frame
        elif kind == 3:
            try:
                self.reader.read(OrderBook.decode(frame))
            except ProtocolError:
                return

    @property
    def state(self) -> tuple[Any, ...]:
        return self.frames, self.reader.books


class Consumer:
    """A session that asks for snapshots, and what it makes of what it is sent."""

    def __init__(self, world: World, sock: FakeSocket, types: tuple[int, ...] = (),
                 ids: tuple[InstrumentId, ...] = (), **options: Any) -> None:  # fmt: skip
        self.sock, self.world = sock, world
        self.wanted = Filter(types, [id.to_bytes() for id in ids], instrument_offsets())
        self.view = View(self.wanted)
        self.inside = False
        self.edges: list[Snapshot] = []
        self.said: list[bytes] = []
        self.gaps: list[tuple[int, bool]] = []  # the reason, and whether inside a snapshot
        self.position = 0
        self.truth: list[bytes] = []
        self.at_end: list[tuple[int, dict[Any, Any], dict[Any, Any]]] = []
        self.rest = b""
        bits = sum(1 << kind for kind in types).to_bytes(32, "little")
        if ids:
            options["tlvs"] = hello_tlvs(wanted=ids)
        world.send(sock, hello(ROLE, type_filter=bits, **options))

    def look(self) -> None:
        """Work off what came since the last time."""
        stream = self.rest + bytes(self.sock.got)
        self.sock.got.clear()
        used = 0
        for one in split(stream):
            used += len(one)
            self._take(one)
        self.rest = stream[used:]

    def follow(self, truth: list[bytes]) -> None:
        """Look, and see that each frame of the feed is the one at its position in `truth`."""
        self.truth = truth
        self.look()

    def _take(self, one: bytes) -> None:
        if one[4] not in CONTROL:
            self.view.see(one)
            if self.inside:
                self.said.append(one)
            elif self.truth:
                self._pass(None)
                assert self.truth[self.position] == one
                self.position += 1
            return
        message = decode(one)
        if isinstance(message, Welcome):
            self.position = message.position
        elif isinstance(message, Gap):
            if self.position != message.last_position + 1:  # where it was not Welcome's already
                self._pass(message.first_position)
            self.position = message.last_position + 1
            self.gaps.append((message.reason, self.inside))
            self.inside = False
        elif isinstance(message, Snapshot):
            self._pass(message.position)
            self._edge(message)

    def _pass(self, to: int | None) -> None:
        """Go on to a position (None: of the next frame that is wanted): nothing wanted is there."""
        while self.truth and self.position != to:
            if self.wanted.matches(self.truth[self.position]):
                assert to is None, f"{self.position} did not come, it goes on at {to}"
                return
            self.position += 1

    def _edge(self, edge: Snapshot) -> None:
        self.edges.append(edge)
        if edge.kind == 1:
            assert not self.inside
            self.view, self.inside, self.said = View(self.wanted), True, []
        else:
            assert self.inside
            assert (edge.count, edge.position) == (self.edges[-2].count, self.edges[-2].position)
            books = {id: (b.sequence, dict(b.bids), dict(b.asks))
                     for id, b in self.view.reader.books.items()}  # fmt: skip
            self.at_end.append((edge.position, dict(self.view.frames), books))
            self.inside = False


def book(pair: InstrumentId, sequence: int, kind: int = 1, part: int = 1, parts: int = 1,
         levels: int = 1) -> OrderBook:  # fmt: skip
    """A book or a delta whose levels tell it from others."""
    bids = tuple(Level(1000 - n, sequence + n) for n in range(levels))
    return OrderBook(
        pair, BookKind(kind), sequence, part=part, parts=parts, bids=bids,
        asks=(Level(1001, sequence),),
    )  # fmt: skip


def quote(pair: InstrumentId, price: int) -> Quote:
    return Quote(pair, bid_price=price, ask_price=price + 1, bid_size=5, ask_size=6)


def market(**settings: Any) -> tuple[World, Callable[..., list[bytes]]]:
    """A relay, and `say(message, ...)`, which has a producer send and gives the frames."""
    world = World(**settings)
    _, sock = world.connect()
    count = iter(range(1, 1 << 40))

    def say(*messages: Message) -> list[bytes]:
        frames = [one.frame(sequence=next(count), timestamp=7, source=1) for one in messages]
        world.send(sock, *frames)
        return frames

    return world, say


def late(world: World, **options: Any) -> Consumer:
    """A consumer that comes now and reads all there is."""
    consumer = Consumer(world, world.connect()[1], **options)
    world.read(consumer.sock)
    consumer.look()
    return consumer


def state_at(frames: list[bytes], position: int, wanted: Filter) -> tuple[Any, Any]:
    """What a consumer holds that had every frame before `position`."""
    view = View(wanted)
    for frame in frames[:position]:
        view.see(frame)
    books = {id: (b.sequence, dict(b.bids), dict(b.asks)) for id, b in view.reader.books.items()}
    return view.frames, books


def words(world: World) -> Any:
    """The words that are there for those who look from outside."""
    return world.state.read_status()
