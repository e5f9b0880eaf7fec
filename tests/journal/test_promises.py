"""Corners of the table of promises in relays/README.md that no other test is for."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.catalogue import MessageType
from protocol.control import Durability, Error, Gap, GapReason, OnLag, Start
from protocol.message import decode
from protocol.reject import Reject
from relays.client import Producer
from relays.edge.memory import files
from tests.daemon.fake_edge import World
from tests.harness import RelayProcess, eventually, frame, hello, remove_memory, split
from tests.journal.faulty import FaultyDisk
from tests.journal.test_restart import damaged, lose_power
from tests.journal.written import (
    EXECUTION,
    MIB,
    Sender,
    folder,
    frames_in,
    recovered,
    sequences,
    words,
)


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    made = RelayProcess("execution", tmp_path, **EXECUTION)
    yield made
    made.clean()


class LoseAll(random.Random):
    """Every page that was not synced is lost."""

    def random(self) -> float:
        return 0.0


def test_with_interval_what_was_synced_is_there_and_a_gap_names_the_rest(
    tmp_path: Path, relay: RelayProcess
) -> None:
    disk = FaultyDisk(tmp_path)
    relay.prefix = disk.prefix
    relay.settings |= {"journal_sync": "interval", "journal_interval": 0.01}
    relay.start()
    sender, consumer = Sender(relay), relay.client()
    before = consumer.hello().log_id
    sender.connect()
    sender.send(10)
    sender.wait()
    eventually(lambda: words(relay)["synced_position"] == 10, "they are on the disk")
    disk.set(held=1)
    sender.send(5)
    assert sender.wait().durability == Durability.JOURNAL, "written, and no more is promised"
    assert len(consumer.data(15)) == 15
    relay.kill()
    disk.set(held=0)
    assert lose_power(relay, LoseAll()) == 10
    assert recovered(folder(relay)).position == 10
    relay.start()
    again = relay.client()
    welcome = again.hello(start=int(Start.AT_POSITION), start_position=15, log_id=before)
    assert (welcome.position, welcome.end_position) == (10, 10)
    gap = again.control(MessageType.GAP)
    assert isinstance(gap, Gap)
    assert gap.reason == GapReason.LOG_REPLACED
    lost = Sender(relay)
    assert lost.connect() == 10
    sent = lost.send(5)
    assert again.data(5) == sent
    disk.close()


def test_a_producer_of_the_client_library_waits_for_a_disk_that_hangs(
    tmp_path: Path, relay: RelayProcess
) -> None:
    disk = FaultyDisk(tmp_path)
    relay.prefix = disk.prefix
    relay.settings |= {"log_bytes": 4 * MIB}
    relay.start()
    consumer = relay.client()
    consumer.hello(on_lag=int(OnLag.CATCH_UP))
    options: dict[str, Any] = {"max_age": float("inf"), "window_bytes": 8 * MIB}
    with Producer(relay.path, producer_id=7, backoff=(0.01, 0.05), **options) as producer:
        disk.set(held=1)
        for n in range(60):
            producer.send_many(frame(n, 55, bytes(60_000)))
        eventually(lambda: not relay.status()["accepting"], "producers are not read any more")
        disk.set(held=0)
        producer.flush(60)
    assert sequences(consumer.data(60)) == [*range(1, 61)]
    assert relay.stop() == 0
    assert sequences(frames_in(folder(relay))) == [*range(1, 61)]
    disk.close()


def test_who_comes_to_what_is_damaged_is_told_which_positions_and_goes_on(
    relay: RelayProcess,
) -> None:
    damaged(relay)
    remove_memory("execution", relay.folder)
    relay.options = ("--accept-damage",)
    relay.start()
    consumer = relay.client()
    welcome = consumer.hello(start=int(Start.OLDEST), on_lag=int(OnLag.CATCH_UP))
    assert (welcome.position, welcome.end_position) == (0, 10)
    assert sequences(consumer.data(3)) == [1, 2, 3]
    gap = consumer.control(MessageType.GAP)
    assert isinstance(gap, Gap)
    told = gap.reason, gap.first_position, gap.last_position, gap.count
    assert told == (GapReason.TOO_OLD, 3, 3, 1)
    assert sequences(consumer.data(6)) == [5, 6, 7, 8, 9, 10]


class NothingLeft:
    """A reader whose journal has removed what it is asked for."""

    def part(self, position: int, then: Any, _: object) -> None:
        then(None)


def test_who_needs_what_the_hard_limit_took_is_cut_as_a_slow_consumer() -> None:
    place, reader = World(), NothingLeft()
    played: Any = reader
    place.relay.reader = played
    place.relay.hub.feeds._journaled = True
    _, producer = place.connect()
    peer, sock = place.connect()
    place.send(sock, hello(1, on_lag=int(OnLag.CATCH_UP), heartbeat_ms=60_000))
    sock.room = 0
    for at in range(1, 2001, 50):
        place.send(producer, *(frame(n, timestamp=5) for n in range(at, at + 50)))
    place.read(sock)
    last = decode(list(split(bytes(sock.got)))[-1])
    assert isinstance(last, Error)
    assert last.code == Reject.SLOW_CONSUMER
    assert "further back than the journal may keep" in last.text
    assert peer.reason == Reject.SLOW_CONSUMER
    place.accounted()


def test_a_relay_for_whose_memory_there_is_no_room_says_so_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    small = tmp_path / "small"
    small.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=8M,mode=0700", "memory", str(small)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        command = [sys.executable, "-m", "relays.cli", "run", "execution"]
        options = [f"--runtime-dir={small}", "--metrics-port=off", "--set", f"log_bytes={16 * MIB}"]
        ended = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
        assert ended.returncode == os.EX_OSFILE
        (line,) = [each for each in ended.stderr.splitlines() if each.startswith("relays:")]
        assert "make that tmpfs larger, or set a smaller log_bytes" in line
        where = files("execution", str(small))
        assert not where.log.exists()
        assert not where.state.exists()
        assert not (small / "execution.sock").exists()
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)
