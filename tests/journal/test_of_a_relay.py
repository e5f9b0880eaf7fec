"""`relays journal` on the journal that a relay is writing, and on what a kill leaves of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.harness import RelayProcess, eventually, frame
from tests.journal.ran import Ran

MIB = 1 << 20
SETTINGS: dict[str, Any] = {
    "journal": "on",
    "journal_segment": 8 * MIB,
    "journal_bytes": 24 * MIB,
    "journal_interval": 0.01,
}


@contextmanager
def flow(relay: RelayProcess) -> Iterator[None]:
    """Trades from an anonymous producer, as fast as they go, until the end."""
    over = threading.Event()

    def send() -> None:
        block = b"".join(frame(n + 1) for n in range(1000))
        with suppress(OSError), relay.client() as client:
            while not over.wait(0.001):
                client.send(block)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()


@pytest.mark.parametrize("sync", ["batch", "none"])
def test_a_journal_in_use_is_read_and_what_a_kill_leaves_is_whole(
    sync: str, tmp_path: Path, run: Ran
) -> None:
    relay = RelayProcess("market_data", tmp_path, journal_sync=sync, **SETTINGS).start()
    here = ("market_data", "--runtime-dir", tmp_path)
    try:
        with flow(relay):
            eventually(lambda: run.json("ls", *here)[0]["segments"][1:], "a second segment")
            (verified,) = run.json("verify", *here)
            shown = run("cat", *here, "last:3").splitlines()
            positions = [int(line.split()[1]) for line in shown]
            assert positions == [*range(positions[0], positions[0] + 3)]
            relay.kill()
        (left,) = run.json("verify", *here)
        assert left["end"] >= max(verified["end"], positions[-1] + 1)
        assert left["damage"] == verified["damage"] == []
        author = run.json("who", *here, left["end"] - 1)
        assert (author["pid"], author["uid"]) == (os.getpid(), os.getuid())
    finally:
        relay.clean()
