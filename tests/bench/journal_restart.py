"""How long a restart takes after the machine's death: the relay with a journal beside JetStream.

Called by the journal suite. Both are given the same number of 64-byte messages, and are killed.
Then each starts on a copy of its files, of which nothing is in the page cache (the relay without
its files in memory), until it says how many messages it has: all. JetStream starts also on what it
left when it was stopped, which no death of a machine lets it do; for the relay that is the same.
"""

import os
import random
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from protocol.control import Durability, Role
from relays.client.link import Link

from . import journal_jetstream, servers
from .children import RunFailed
from .client_brokers import missing
from .journal_rates import BLOCK, WINDOW, RelaySender, frames, publications, send
from .runs import workspace
from .statistic import Interval, median_interval, ratio

SEED = 20261121
KILLED, STOPPED, RELAY = "JetStream, killed", "JetStream, stopped", "relay"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """Seconds by contender and round; `count` messages each. Why JetStream is missing."""

    count: int
    seconds: dict[str, list[float]]
    left_out: str

    def taken(self, name: str) -> Interval:
        return median_interval(self.seconds[name])

    def times(self, name: str) -> Interval:
        """How many times as long it takes as the relay, by rounds."""
        return ratio(self.seconds[name], self.seconds[RELAY])

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with the summary of the table."""
        made: dict[str, Any] = asdict(self)
        made["summary"] = {
            name: {"seconds": asdict(self.taken(name)), "times": asdict(self.times(name))}
            for name in self.seconds
        }
        return made


def run(disk: Path, count: int, rounds: int, progress: Progress) -> Result:
    """`rounds` of restarts with `count` messages, all files in the folder `disk`."""
    count = max(count // BLOCK, 1) * BLOCK
    left_out = missing("nats-server")
    starts: dict[str, Callable[[Path, int], float]] = {RELAY: start_relay}
    progress("journal: filling the relay")
    _fill_relay(disk / RELAY, count)
    if not left_out:
        for name, killed in ((KILLED, True), (STOPPED, False)):
            progress(f"journal: filling {name}")
            _fill_jetstream(disk / name, count, killed)
            starts[name] = start_jetstream
    seconds: dict[str, list[float]] = {name: [] for name in starts}
    chance = random.Random(SEED)
    for turn in range(rounds):
        for name in chance.sample(list(starts), len(starts)):
            progress(f"journal: round {turn + 1} of {rounds}, start of {name}")
            copy = shutil.copytree(disk / name, disk / "copy")
            _drop(copy)
            seconds[name].append(starts[name](copy, count))
            shutil.rmtree(copy)
    return Result(count, seconds, left_out)


def _drop(folder: Path) -> None:
    """What reads these files next reads the disk."""
    for path in filter(Path.is_file, folder.rglob("*")):
        descriptor = os.open(path, os.O_RDWR)
        os.fdatasync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


# --- the relay ---


def _settings(journal: Path) -> tuple[str, ...]:
    return ("journal=on", f"journal_dir={journal}", "journal_sync=interval")


def _fill_relay(journal: Path, count: int) -> None:
    with workspace() as folder, servers.relay(folder, "", _settings(journal)) as server:
        path = str(server.producers)
        with closing(RelaySender(path, SEED, Durability.JOURNAL)) as sender:
            send(sender, frames(count, BLOCK), BLOCK, WINDOW)
        server.child.kill()


def start_relay(journal: Path, count: int) -> float:
    begun = time.perf_counter()
    with workspace() as folder, servers.relay(folder, "", _settings(journal)) as server:
        with Link(server.consumers) as link:
            found = link.hello(role=Role.CONSUME).end_position
        taken = time.perf_counter() - begun
    if found != count:
        raise RunFailed(f"of {count} messages the relay has {found}")
    return taken


# --- JetStream ---


def _fill_jetstream(store: Path, count: int, killed: bool) -> None:
    with journal_jetstream.server(store, "100ms") as broker:
        with closing(journal_jetstream.Connection(broker.address)) as sender:
            sender.make_stream()
            send(sender, publications(count, BLOCK), BLOCK, WINDOW)
        if killed:
            broker.child.kill()


def start_jetstream(store: Path, count: int) -> float:
    begun = time.perf_counter()
    with (
        journal_jetstream.server(store, "100ms") as broker,
        closing(journal_jetstream.Connection(broker.address)) as asking,
    ):
        found = asking.messages()
        taken = time.perf_counter() - begun
    if found != count:
        raise RunFailed(f"of {count} messages JetStream has {found}")
    return taken
