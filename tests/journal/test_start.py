"""A relay goes on with the journal it finds: what it reads there is made sure of first."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from relays.config import RelayConfig, load
from relays.edge.journal.start import attach, find
from relays.edge.memory import open_memory
from tests.harness import remove_memory
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
