"""How long an Ack takes that promises the disk, beside one that does not.

Called by the journal suite. One message at a time: the next is sent when the last is acknowledged.
What the journal adds is compared with a write and fdatasync of the same bytes into a file whose
space is there.
"""

import os
import random
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from protocol.control import Ack, Durability, Hello, Role
from protocol.instruments import InstrumentId
from protocol.market_data import Side, Trade
from relays.client.stream import Stream

from . import servers
from .bars import Judged
from .children import RunFailed
from .runs import workspace
from .statistic import Interval, median_interval, ratio

BAR = 1.5
SEED = 20261121
PATIENCE = 60.0
FILE = 64 << 20
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """Median microseconds a round: an Ack with and without the journal, a write and fdatasync."""

    count: int
    medians: dict[str, list[float]]

    def microseconds(self, name: str) -> Interval:
        return median_interval(self.medians[name])

    @property
    def of_raw(self) -> Interval:
        """What the journal adds to an Ack, in raw writes and fdatasyncs, by rounds."""
        pairs = zip(self.medians["batch"], self.medians["off"], strict=True)
        return ratio([on - off for on, off in pairs], self.medians["raw"])

    @property
    def judged(self) -> list[Judged]:
        return [Judged("what the journal adds to an Ack", "raw sync", self.of_raw, BAR, False)]

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with the summary of the table."""
        made: dict[str, Any] = asdict(self)
        summary = {name: asdict(self.microseconds(name)) for name in self.medians}
        return {**made, "bar": BAR, "summary": summary, "of_raw": asdict(self.of_raw)}


def run(disk: Path, count: int, rounds: int, progress: Progress) -> Result:
    """`rounds` of `count` messages each, with all files in the folder `disk`."""
    with ExitStack() as stack:
        timed: dict[str, Callable[[], float]] = {"raw": lambda: raw(disk / "raw", count)}
        for name, settings in (("off", ()), ("batch", _journal(disk))):
            folder = stack.enter_context(workspace())
            server = stack.enter_context(servers.relay(folder, "", settings))
            promised = Durability.SYNCED if settings else Durability.MEMORY
            timed[name] = stack.enter_context(_acked(str(server.producers), count, promised))
        medians: dict[str, list[float]] = {name: [] for name in timed}
        chance = random.Random(SEED)
        for turn in range(rounds):
            for name in chance.sample(list(timed), len(timed)):
                progress(f"journal: round {turn + 1} of {rounds}, Acks, {name}")
                medians[name].append(timed[name]())
    return Result(count, medians)


def _journal(disk: Path) -> tuple[str, ...]:
    return ("journal=on", f"journal_dir={disk / 'acks'}", "journal_sync=batch")


def raw(path: Path, count: int) -> float:
    """Median microseconds of a write of 64 bytes and fdatasync, one behind the other."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        os.posix_fallocate(descriptor, 0, FILE)
        taken = []
        for number in range(count):
            begun = time.perf_counter_ns()
            os.pwrite(descriptor, bytes(64), 4096 + 64 * number)
            os.fdatasync(descriptor)
            taken.append(time.perf_counter_ns() - begun)
    finally:
        os.close(descriptor)
        path.unlink()
    return statistics.median(taken) / 1000


@contextmanager
def _acked(path: str, count: int, promised: Durability) -> Iterator[Callable[[], float]]:
    """A producer's connection, and a function that gives the median microseconds to an Ack."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(path)
        sock.sendall(Hello(Role.PRODUCE, producer_id=SEED).frame(source=1))
        acks = _acks(sock)
        sent = 0

        def measure() -> float:
            nonlocal sent
            taken = []
            for _ in range(count):
                sent += 1
                frame = Trade(InstrumentId(1, 4, 0, 7), price=sent, volume=1, side=Side.BUY).frame(
                    sequence=sent, source=1
                )
                begun = time.perf_counter_ns()
                sock.sendall(frame)
                ack = next(acks)
                taken.append(time.perf_counter_ns() - begun)
                if (ack.sequence, ack.durability) != (sent, promised):
                    raise RunFailed(f"message {sent} was acknowledged by {ack}")
            return statistics.median(taken) / 1000

        yield measure


def _acks(sock: socket.socket) -> Iterator[Ack]:
    stream = Stream()
    stream.greet(filtered=False)
    while True:
        size = sock.recv_into(stream.room())
        if not size:
            raise RunFailed("the relay closed the connection")
        stream.received(size)
        while (taken := stream.take()) is not None:
            if isinstance(taken, Ack):
                yield taken
