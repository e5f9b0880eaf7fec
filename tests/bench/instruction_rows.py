"""The hot path, piece by piece, for callgrind to count: `python -m tests.bench.instruction_rows`.

Run by instructions under valgrind, which counts between the marks only: what a row prepares costs
nothing. Each row is a generator that gives one call after the other; REPEATS of them are counted.
Sockets are real; the relay is the real one with a loop and a clock that stand still.
"""

import asyncio
import ctypes
import gc
import json
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from protocol import message
from protocol._core.gather import Filter
from protocol._core.journal import Writer, journal_set
from protocol._core.scan import Rules, Tally, Track, scan
from protocol.instruments import InstrumentId
from protocol.market_data import Quote, Side, Trade
from relays.config import load
from relays.core.access import Credentials
from relays.core.peer import Peer
from relays.edge.connection import Connection
from relays.edge.memory import Memory
from relays.edge.relay import Relay
from tests.daemon.fake_edge import BEGIN, FakeClock, FakeLoop, new_state

Call = Callable[[], Any]
# Python takes some calls until it has specialised what it runs.
REPEATS, WARMUP = 16, 40
# Frames of a block: 64 KiB of Trades.
BLOCK = 1024
LOG_BYTES = 16 << 20
BUFFER = 4 << 20
LIMIT = 1 << 30  # no other end of a scan than that of the bytes
PAIR = InstrumentId(1, 4, 0, 7)
PAGE = 4096


class Row(NamedTuple):
    """What is counted, for what (`a frame`), how many of these a call has, and the calls."""

    what: str
    each: str
    units: int
    calls: Callable[[], Iterator[Call]]


def trades(first: int, number: int) -> bytes:
    made = (
        Trade(PAIR, price=1, volume=1, side=Side.BUY).frame(sequence=n, source=1, timestamp=BEGIN)
        for n in range(first, first + number)
    )
    return b"".join(made)


def mixed(number: int) -> bytes:
    """Trades and Quotes in turn."""
    quote = Quote(PAIR, bid_price=1, ask_price=2, bid_size=3, ask_size=4)
    quotes = (quote.frame(sequence=n, source=1, timestamp=BEGIN) for n in range(2, number + 1, 2))
    return b"".join(trades(2 * n + 1, 1) + frame for n, frame in enumerate(quotes))


class Place:
    """A market_data relay without a process, with every check on, and sockets to it."""

    def __init__(self) -> None:
        self.state = new_state(LOG_BYTES, places=128)
        self.relay = asyncio.run(self._relay())
        self.hub = self.relay.hub
        self.clock = self.relay.clock

    async def _relay(self) -> Relay:
        loaded = load("market_data", environ={})
        config = msgspec.structs.replace(
            loaded.config, log_bytes=LOG_BYTES, validate_checksums=True, require_sequence=True,
            max_connections=100,
        )  # fmt: skip
        memory = Memory(self.state, False, "", ())
        windows: Any = dict[int, memoryview]().get
        with socket.socket(socket.AF_UNIX) as listening:
            log: Any = Silent()
            relay = Relay(loaded.domain, config, memory, listening, log, windows)
        relay.loop, relay.clock = FakeLoop(), FakeClock()  # type: ignore[assignment]
        relay.watch_hang_up = lambda connection: None  # type: ignore[method-assign]
        return relay

    def connect(self) -> tuple[socket.socket, Connection, Peer]:
        ours, theirs = socket.socketpair(socket.AF_UNIX)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
            end.setblocking(False)
        peer = self.hub.connect(Credentials(7, 7, frozenset()), 0, self.clock.now())
        assert isinstance(peer, Peer), peer
        connection = self.relay.connections[peer.number] = Connection(self.relay, ours, peer)
        self.relay.work()
        return theirs, connection, peer

    def consumers(self, number: int) -> list[socket.socket]:
        """So many plain ones, live."""
        ends = []
        for _ in range(number):
            end, _, peer = self.connect()
            self.hub.become_plain(peer, self.clock.now())
            ends.append(end)
        self.relay.work()
        return ends

    def commit(self, peer: Peer, frames: bytes, number: int) -> Call:
        """The commit of these, to be made: they stand behind the log's end and are scanned."""
        tally, track, size = Tally(), Track(), len(frames)
        begin = self.state.end_offset % LOG_BYTES
        view = self.hub.log.view[begin : begin + size]
        view[:] = frames
        scan(view, 0, 0, size, rules(True), track, tally, LIMIT)
        assert tally.accepted == number, tally.reasons()
        base, slot, now = self.state.end_offset, peer.record.slot, self.clock.now()
        return partial(self.state.commit, tally, track, slot, -1, base, size, 0, 0, now)


class Silent:
    """A log that nobody reads."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


def rules(strict: bool) -> Rules:
    return Rules(strict, strict, 1, 19, 65536, message.sizes())


def drained(ends: list[socket.socket]) -> None:
    for end in ends:
        while end.recv_into(SCRATCH) == BUFFER:
            pass


SCRATCH = bytearray(BUFFER)


def nothing() -> Iterator[Call]:
    while True:
        yield bool


def scanning(strict: bool) -> Iterator[Call]:
    frames, tally, domain = bytearray(trades(1, BLOCK)), Tally(), rules(strict)
    while True:
        yield partial(scan, frames, 0, 0, len(frames), domain, Track(), tally, LIMIT)
        assert tally.accepted == BLOCK


def committing(number: int) -> Iterator[Call]:
    place = Place()
    _, _, peer = place.connect()
    frames = trades(1, number)
    while True:
        yield place.commit(peer, frames, number)


def sending(consumers: int, number: int) -> Iterator[Call]:
    place = Place()
    ends = place.consumers(consumers)
    _, _, peer = place.connect()
    fan = place.hub.feeds.fan
    assert len(fan) == consumers
    frames = trades(1, number)
    while True:
        place.commit(peer, frames, number)()
        yield partial(fan.send, place.clock.now())
        drained(ends)


def gathering() -> Iterator[Call]:
    place = Place()
    _, _, peer = place.connect()
    _, _, reader = place.connect()
    wanted, copied = Filter((Trade.TYPE,), (), message.instrument_offsets()), bytearray(BUFFER)
    reader.record.consume_from(0, 0)

    def once() -> None:
        taken = reader.record.gather(wanted, copied, BLOCK)
        reader.record.gathered(wanted, taken, place.clock.now())

    frames = mixed(BLOCK)
    while True:
        place.commit(peer, frames, BLOCK)()
        yield once
        assert reader.record.position == place.state.end_position


def journaling(number: int) -> Iterator[Call]:
    place = Place()
    _, _, peer = place.connect()
    journal_set(place.state, on=1)
    writer = Writer(place.state, -1, -1)
    segment = {"header_size": PAGE, "file_size": 64 << 20, "first_offset": 0}
    writer.begin(0, **segment, seed=0, chain=0)

    def once() -> None:
        writer.take()
        writer.wrote(True)

    frames = trades(1, number)
    while True:
        place.commit(peer, frames, number)()
        yield once


def reading(consumers: int, number: int) -> Iterator[Call]:
    place = Place()
    ends = place.consumers(consumers)
    end, connection, _ = place.connect()
    while True:
        before = place.state.end_position
        end.send(trades(1 + before, number))
        yield connection.readable
        assert place.state.end_position == before + number
        drained(ends)


ROWS = {
    "nothing": Row("an empty call", "a call", 1, nothing),
    "scan": Row("scan, checksums and strict", "a frame", BLOCK, partial(scanning, True)),
    "scan-plain": Row("scan, no checksums", "a frame", BLOCK, partial(scanning, False)),
    "commit": Row(f"commit of {BLOCK:,}", "a commit", 1, partial(committing, BLOCK)),
    "commit-1": Row("commit of 1", "a commit", 1, partial(committing, 1)),
    "send": Row(f"send of {BLOCK:,} to 1 live", "a frame", BLOCK, partial(sending, 1, BLOCK)),
    "send-64": Row("send of 1 to 64 live", "a delivery", 64, partial(sending, 64, 1)),
    "gather": Row("filtered gather, every other", "a frame", BLOCK, gathering),
    "journal": Row(f"journal, commit of {BLOCK:,}", "a frame", BLOCK, partial(journaling, BLOCK)),
    "journal-1": Row("journal, commit of 1", "a commit", 1, partial(journaling, 1)),
    "relay": Row(f"relay, {BLOCK:,} a write, 1 live", "a frame", BLOCK, partial(reading, 1, BLOCK)),
    "relay-1": Row("relay, 1 a write, 1 live", "a write", 1, partial(reading, 1, 1)),
    "relay-4": Row("relay, 1 a write, 4 live", "a write", 1, partial(reading, 4, 1)),
}


def main(library: str) -> None:
    """Counts every row under its name, and says as JSON what each is."""
    marks = ctypes.CDLL(library)
    gc.disable()
    prepared = {name: row.calls() for name, row in ROWS.items()}
    for calls in prepared.values():
        for call in islice(calls, WARMUP):
            call()
    marks.instrument()
    for name, calls in prepared.items():
        # Instrumented code is translated first: once without being counted.
        next(calls)()
        for call in islice(calls, REPEATS):
            marks.toggle()
            call()
            marks.toggle()
        marks.dump(name.encode())
    said = [
        {"name": name, "what": row.what, "each": row.each, "units": row.units, "calls": REPEATS}
        for name, row in ROWS.items()
    ]
    print(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1])
