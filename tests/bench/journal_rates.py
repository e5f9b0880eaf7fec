"""Messages that are acknowledged a second: the relay with a journal beside JetStream.

Called by the journal suite. Both promise the same: that a message is on the disk ("synced"), or
that it is in the file and will be on the disk within 100 ms ("interval"). Messages have 64 bytes
and go out one at a time, or while no more than WINDOW wait for their acknowledgement.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from protocol.control import Durability, Role
from protocol.instruments import InstrumentId
from protocol.market_data import Side, Trade
from relays.client.link import Link

from . import journal_jetstream, servers
from .children import RunFailed
from .client_brokers import missing
from .runs import workspace
from .statistic import Interval, median_interval, ratio

SEED = 20261121
# As much as the Go client lets wait.
WINDOW = 4000
BLOCK = 250
Progress = Callable[[str], None]


class Row(NamedTuple):
    """A promise, how many messages may wait for it, and how many times `count` are sent."""

    promise: str
    window: int
    times: int

    @property
    def block(self) -> int:
        return min(BLOCK, self.window)

    def __str__(self) -> str:
        return f"{self.promise}, {'one at a time' if self.window == 1 else f'{self.window:,}'}"


ROWS = (Row("synced", 1, 1), Row("synced", WINDOW, 10), Row("interval", 1, 1),
        Row("interval", WINDOW, 200))  # fmt: skip
PROMISED = {"synced": Durability.SYNCED, "interval": Durability.JOURNAL}
RELAY = {"synced": "journal_sync=batch", "interval": "journal_sync=interval"}
JETSTREAM = {"synced": "always", "interval": "100ms"}


class Sender(Protocol):
    """One connection of a producer."""

    def send(self, block: bytes) -> None: ...

    def acknowledged(self) -> int:
        """How many of those sent are acknowledged; waits until there are more than before."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Result:
    """Messages/s by row and round, of the relay and of JetStream; why that is missing."""

    relay: dict[str, list[float]]
    jetstream: dict[str, list[float]]
    left_out: str

    def times(self, row: str) -> Interval | None:
        """How many times as many messages the relay takes as JetStream, by rounds."""
        return ratio(self.relay[row], self.jetstream[row]) if row in self.jetstream else None

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with the summary of the table."""
        made: dict[str, Any] = asdict(self)
        made["summary"] = {
            row: {
                "relay": asdict(median_interval(self.relay[row])),
                "times": asdict(times) if (times := self.times(row)) else None,
            }
            for row in self.relay
        }
        return made


class RelaySender:
    """A session that produces, of a producer the relay does not know."""

    def __init__(self, path: str, producer_id: int, promised: Durability) -> None:
        self._link, self._promised = Link(path), promised
        self._link.hello(role=Role.PRODUCE, producer_id=producer_id)
        self.send, self.close = self._link.send, self._link.close

    def acknowledged(self) -> int:
        before = self._link.acked
        while self._link.acked == before:
            self._link.read()
        ack = self._link.stream.last_ack
        if ack is None or ack.durability != self._promised:
            raise RunFailed(f"what was promised is not {self._promised!r}: {ack}")
        return ack.sequence


def frames(count: int, block: int) -> Iterator[bytes]:
    """`count` sealed Trades of a producer, from its first one on, so many in a block."""
    pair = InstrumentId(1, 4, 0, 7)
    for first in range(1, count + 1, block):
        yield b"".join(
            Trade(pair, price=n, volume=n, side=Side.BUY).frame(sequence=n, source=1)
            for n in range(first, min(first + block, count + 1))
        )


def publications(count: int, block: int) -> Iterator[bytes]:
    """As many for JetStream; all the same, for it looks at none."""
    one = journal_jetstream.publication(next(frames(1, 1)))
    for first in range(0, count, block):
        yield one * min(block, count - first)


def send(sender: Sender, blocks: Iterable[bytes], size: int, window: int) -> None:
    """Send blocks of `size` messages, and return when all are acknowledged; at most `window` wait
    for that meanwhile."""
    sent = acknowledged = 0
    for block in blocks:
        while sent + size - acknowledged > window:
            acknowledged = sender.acknowledged()
        sender.send(block)
        sent += size
    while acknowledged < sent:
        acknowledged = sender.acknowledged()


def run(disk: Path, count: int, rounds: int, progress: Progress) -> Result:
    """`rounds` of each row with its multiple of `count` messages, with all files in `disk`."""
    relay: dict[str, list[float]] = {str(row): [] for row in ROWS}
    jetstream: dict[str, list[float]] = {str(row): [] for row in ROWS}
    left_out = missing("nats-server")
    chance, producers = random.Random(SEED), iter(range(1, 1 << 32))
    with ExitStack() as stack:
        measured = [*_relays(stack, disk, relay, producers)]
        if left_out:
            jetstream.clear()
        else:
            measured += _jetstreams(stack, disk, jetstream)
        for turn in range(rounds):
            for row, name, rates, connect, made in chance.sample(measured, len(measured)):
                progress(f"journal: round {turn + 1} of {rounds}, {row}, {name}")
                rates.append(_rate(row, connect, made, count * row.times))
    return Result(relay, jetstream, left_out)


Made = Callable[[int, int], Iterator[bytes]]
Measured = tuple[Row, str, list[float], Callable[[], Sender], Made]


def _rate(row: Row, connect: Callable[[], Sender], made: Made, count: int) -> float:
    count = max(count // row.block, 1) * row.block
    blocks = [*made(count, row.block)]
    with closing(connect()) as sender:
        begun = time.perf_counter()
        send(sender, blocks, row.block, row.window)
        return count / (time.perf_counter() - begun)


def _relays(
    stack: ExitStack, disk: Path, rates: dict[str, list[float]], producers: Iterator[int]
) -> Iterator[Measured]:
    for promise, sync in RELAY.items():
        folder = stack.enter_context(workspace())
        settings = ("journal=on", f"journal_dir={disk / f'relay-{promise}'}", sync)
        server = stack.enter_context(servers.relay(folder, "", settings))

        def connect(path: str = str(server.producers), promise: str = promise) -> Sender:
            return RelaySender(path, next(producers), PROMISED[promise])

        for row in ROWS:
            if row.promise == promise:
                yield row, "relay", rates[str(row)], connect, frames


def _jetstreams(stack: ExitStack, disk: Path, rates: dict[str, list[float]]) -> Iterator[Measured]:
    for promise, sync in JETSTREAM.items():
        store = disk / f"jetstream-{promise}"
        broker = stack.enter_context(journal_jetstream.server(store, sync))
        with closing(journal_jetstream.Connection(broker.address)) as first:
            first.make_stream()

        def connect(address: str = broker.address) -> Sender:
            connection = journal_jetstream.Connection(address)
            connection.messages()
            return connection

        for row in ROWS:
            if row.promise == promise:
                yield row, "JetStream", rates[str(row)], connect, publications
