"""A relay goes on with the journal it finds: what it reads there is made sure of first."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from protocol.control import Durability
from relays.config import RelayConfig, load
from relays.edge.journal.start import attach, find
from relays.edge.memory import open_memory
from tests.harness import RelayProcess, frame, remove_memory
from tests.journal.handmade import commits, journal

MIB = 1 << 20


@pytest.fixture
def config(tmp_path: Path) -> Iterator[RelayConfig]:
    tmp_path.chmod(0o700)
    flags = {"runtime_dir": str(tmp_path), "journal": "on", "log_bytes": MIB}
    yield load("market_data", flags=flags, environ={}).config
    remove_memory("market_data", tmp_path)


def test_what_no_record_calls_synced_is_synced_before_the_relay_goes_on(
    config: RelayConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "journal" / "market_data"
    folder.mkdir(parents=True, mode=0o700)
    made = journal(commits(100))
    (folder / made.name).write_bytes(made.files[made.name].data)
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fdatasync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}"))
    )
    found = find("market_data", config, accept_damage=False)
    assert found is not None
    memory = open_memory("market_data", config, time.time_ns(), found)
    events = os.eventfd(0), os.eventfd(0)
    thread = attach(found, memory.state, config, events, lambda event, **fields: None)
    found.folder.release()
    assert synced == [str(folder / made.name), str(folder / "next.segment")]
    assert memory.state.end_position == made.position
    known = {(uid, who): (last, seen) for uid, who, last, seen in thread.writer.producers()}
    assert known == made.producers
    for fd in events:
        os.close(fd)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., RelayProcess]]:
    made: list[RelayProcess] = []

    def start(domain: str, **settings: Any) -> RelayProcess:
        made.append(RelayProcess(domain, tmp_path, **settings))
        return made[-1].start()

    yield start
    for relay in made:
        relay.clean()


def test_the_execution_relay_has_a_journal_without_being_told_and_acks_from_the_disk(
    started: Callable[..., RelayProcess],
) -> None:
    relay = started("execution")
    client = relay.client()
    client.hello(2, producer_id=7)
    client.send(frame(1, 59, b"order"))
    assert client.control(106).durability == Durability.SYNCED
    relay.kill()
    remove_memory("execution", relay.folder)
    relay.start()
    assert relay.end() == 1


def test_a_journal_in_memory_is_said_to_be_no_promise(
    started: Callable[..., RelayProcess],
) -> None:
    with TemporaryDirectory(dir="/dev/shm") as place:
        relay = started("execution", journal_dir=place)
        assert "does not outlive the machine; set journal_dir" in relay.log()
