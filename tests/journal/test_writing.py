"""A relay writes its journal: what Acks promise, what is in the files, who waits for the disk."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from protocol.control import Durability, Role
from tests.harness import RelayProcess, eventually, hello
from tests.journal.faulty import FaultyDisk
from tests.journal.ran import Ran
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

TURN = 0.05


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    made = RelayProcess("execution", tmp_path, **EXECUTION)
    yield made
    made.clean()


@pytest.fixture
def disk(tmp_path: Path, relay: RelayProcess) -> Iterator[FaultyDisk]:
    """A disk under the relay that does as it is told."""
    made = FaultyDisk(tmp_path)
    relay.prefix = made.prefix
    yield made
    made.set(held=0, sync_delay_us=0)
    made.close()


def test_with_batch_an_ack_says_synced_and_comes_when_it_is(
    relay: RelayProcess, disk: FaultyDisk
) -> None:
    relay.start()
    sender = Sender(relay)
    sender.connect()
    disk.set(held=1)
    sender.send(3)
    eventually(lambda: words(relay)["made"] and disk.get("syncs") > 1, "a sync is asked for")
    assert sender.client is not None
    assert sender.client.silent(TURN), "nothing is safe yet"
    assert words(relay)["synced_position"] == 0
    disk.set(held=0)
    ack = sender.wait()
    assert (ack.durability, ack.sequence, ack.position) == (Durability.SYNCED, 3, 3)
    assert words(relay)["synced_position"] == 3


@pytest.mark.parametrize("sync", ["interval", "none"])
def test_without_batch_an_ack_says_journal_and_waits_for_no_sync(
    sync: str, relay: RelayProcess, disk: FaultyDisk
) -> None:
    relay.settings |= {"journal_sync": sync, "journal_interval": 0.001}
    relay.start()
    sender = Sender(relay)
    sender.connect()
    sender.send(1)
    assert sender.wait().durability == Durability.JOURNAL
    if sync == "interval":
        disk.set(held=1)
    sender.send(1)
    if sync == "interval":
        eventually(lambda: disk.get("syncs") > 1, "a sync that does not end")
    else:
        sender.wait()
        assert words(relay)["syncs"] == 0
    disk.set(held=0)
    assert sender.wait().sequence == 2


def test_consumers_get_a_frame_before_it_is_safe(relay: RelayProcess, disk: FaultyDisk) -> None:
    relay.start()
    consumer = relay.client()
    consumer.hello()
    sender = Sender(relay)
    sender.connect()
    disk.set(held=1)
    assert sender.send(2) == consumer.data(2)
    assert words(relay)["synced_position"] == 0


def test_a_welcome_tells_an_identified_producer_only_what_is_safe(
    relay: RelayProcess, disk: FaultyDisk
) -> None:
    relay.start()
    sender = Sender(relay)
    sender.connect()
    sender.send(2)
    sender.wait()
    disk.set(held=1)
    sender.send(3)
    eventually(lambda: relay.end() == 5, "it is accepted")
    with relay.client() as again:
        again.send(hello(role=2, producer_id=7))
        assert again.silent(TURN), "what it sent is not safe, so nothing is told"
        anonymous = relay.client()
        assert anonymous.hello(role=2).last_sequence == 0
        disk.set(held=0)
        assert again.control(105).last_sequence == 5


def test_the_files_are_the_log_byte_for_byte_over_several_segments(
    relay: RelayProcess, run: Ran
) -> None:
    relay.start()
    consumer = relay.client()
    consumer.hello(on_lag=3)
    sender = Sender(relay, payload=60_000)
    sender.connect()
    seen: list[bytes] = []
    while words(relay)["segments"] < 3:
        sender.send(16)
        sender.wait()
        seen += consumer.data(16)
    small = Sender(relay, 8)
    small.connect()
    small.send(100)
    small.wait()
    seen += consumer.data(100)
    assert relay.stop() == 0
    assert frames_in(folder(relay)) == seen
    found = recovered(folder(relay))
    uid = os.geteuid()
    known = {key: last for key, (last, _) in found.producers.items()}
    assert known == {(uid, 7): sender.sent, (uid, 8): 100}
    who = run.json("who", "execution", len(seen) - 1, "--runtime-dir", relay.folder)
    assert (who["uid"], who["pid"], who["producer_id"]) == (uid, os.getpid(), 8)


def test_one_sync_covers_what_several_producers_sent_meanwhile(
    relay: RelayProcess, disk: FaultyDisk
) -> None:
    relay.start()
    senders = [Sender(relay, 10 + n) for n in range(8)]
    for sender in senders:
        sender.connect()
    disk.set(sync_delay_us=20_000)
    before = words(relay)
    for _ in range(4):
        for sender in senders:
            sender.send(1)
        for sender in senders:
            assert sender.wait().durability == Durability.SYNCED
    after = words(relay)
    assert after["made"] - before["made"] == 32
    assert after["syncs"] - before["syncs"] <= 12


def test_the_largest_frames_go_into_the_smallest_segments(relay: RelayProcess) -> None:
    relay.settings |= {"max_payload": MIB, "log_bytes": 16 * MIB, "max_producers": 100}
    relay.start()
    sender = Sender(relay, payload=MIB)
    sender.connect()
    for _ in range(20):
        sender.send(1)
        sender.wait()
    assert relay.stop() == 0
    assert sequences(frames_in(folder(relay))) == [*range(1, 21)]


def test_what_waits_behind_hellos_never_overruns_what_is_not_safe(
    relay: RelayProcess, disk: FaultyDisk
) -> None:
    relay.start()
    first = Sender(relay, 1)
    first.connect()
    disk.set(held=1)
    first.send(1)
    eventually(lambda: disk.get("syncs") > 1, "a sync that does not end")
    senders = [Sender(relay, 100 + n, payload=2000) for n in range(40)]
    for sender in senders:
        sender.client = relay.client()
        data = [hello(role=2, producer_id=sender.producer_id), *sender.frames(100)]
        sender.client.send(*data)
        sender.sent = 100
    disk.set(held=0, sync_delay_us=30_000)
    for sender in senders:
        assert sender.wait().durability == Durability.SYNCED
    disk.set(sync_delay_us=0)
    assert relay.stop() == 0
    assert words(relay)["failures"] == 0
    found = frames_in(folder(relay))
    assert len(found) == 1 + 40 * 100
    whole = sum(len(each) for each in found)
    assert whole == recovered(folder(relay)).offset


def test_a_relay_that_stops_takes_what_was_sent_also_while_the_disk_hangs(
    relay: RelayProcess, disk: FaultyDisk
) -> None:
    relay.settings |= {"log_bytes": MIB}
    relay.start()
    disk.set(held=1)
    sock = relay.client().sock
    sock.setblocking(False)
    stream = b"".join(Sender(relay, payload=3000).frames(600))
    sent = 0

    def refused() -> bool:
        nonlocal sent
        with suppress(BlockingIOError):
            while True:
                sent += sock.send(stream[sent : sent + 65536])
        return not relay.status()["accepting"]

    eventually(refused, "the relay reads no more")
    assert refused()
    assert sent > relay.books().read_bytes, "some is still on its way"
    relay.signal(signal.SIGTERM)
    eventually(lambda: relay.status()["draining"], "it stops")
    disk.set(held=0)
    assert relay.wait() == 0
    whole = sent // len(Sender(relay, payload=3000).frames(1)[0])
    assert sequences(frames_in(folder(relay))) == [*range(1, whole + 1)]


def test_a_session_that_only_consumes_is_answered_while_the_disk_hangs(
    relay: RelayProcess, disk: FaultyDisk
) -> None:
    relay.start()
    sender = Sender(relay)
    sender.connect()
    disk.set(held=1)
    sender.send(1)
    consumer = relay.client()
    consumer.hello(role=int(Role.CONSUME))
    disk.set(held=0)
    sender.wait()
