"""The file system of the journal is full: producers wait, nobody else does, and it goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.reject import Reject
from tests.harness import RelayProcess, eventually
from tests.journal.test_writing_faults import healthz, told
from tests.journal.written import EXECUTION, MIB, Sender, frames_in, words

SIZE = 26 * MIB


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for three segments."""
    place = tmp_path / "small"
    place.mkdir(mode=0o700)
    options = ["-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "journal", str(place)]
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_file_system_stops_producers_only_and_all_goes_on_when_there_is_space(
    tmp_path: Path, small: Path
) -> None:
    relay = RelayProcess("execution", tmp_path, journal_dir=small, **EXECUTION)
    relay.settings |= {"metrics_port": 0, "drain_timeout": 0.3}
    filler = small / "filler"
    try:
        relay.start()
        eventually(lambda: words(relay)["disk_bytes"] == 16 * MIB, "the next segment's space")
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 6 * MIB)
        consumer = relay.client()
        consumer.hello(on_lag=3)
        sender = Sender(relay, payload=60_000)
        sender.connect()
        assert sender.client is not None
        sent: list[bytes] = []
        while relay.status()["accepting"]:
            frames = sender.frames(1)
            sender.client.sock.settimeout(0.5)
            try:
                sender.client.send(*frames)
            except TimeoutError:
                break
            sender.sent += 1
            sent += frames
            assert sender.sent < 1000, "it never is full"
        sender.client.sock.settimeout(20)
        eventually(lambda: not relay.status()["accepting"], "it is full")
        status, why = healthz(relay)
        assert status == 503
        assert "No space left on device" in why
        assert consumer.data(relay.end()) == sent[: relay.end()]
        relay.client().hello()
        told(sender.client, Reject.NOT_ACCEPTING)
        eventually(lambda: relay.log().count("not accepting") == 1, "one line says so")
        assert relay.log().count("journal cannot go on") == 1
        filler.unlink()
        eventually(lambda: relay.end() >= len(sent), "it goes on")
        eventually(lambda: healthz(relay)[0] == 200, "it is well again")
        assert relay.stop() == 0
        found = frames_in(small / "execution")
        assert found[: len(sent)] == sent
    finally:
        relay.clean()
