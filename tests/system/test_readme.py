"""The README's programs run as they stand, against a relay as it says to start one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import RelayProcess, eventually

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    running = RelayProcess("market_data", tmp_path)
    yield running.start()
    running.clean()


def program(code: str, folder: Path) -> list[str]:
    return [sys.executable, "-u", "-c", code.replace("/tmp/alphapulse", str(folder))]


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        program(code, folder), capture_output=True, text=True, timeout=30, cwd=ROOT
    )


def test_the_producer_and_the_consumer_of_the_readme_are_short_and_run(
    relay: RelayProcess, tmp_path: Path
) -> None:
    producer, consumer = BLOCKS
    for block in BLOCKS:
        lines = [line for line in block.splitlines() if line.strip()]
        assert len([line for line in lines if not line.startswith(("from", "import"))]) <= 10
    for sequence in (1, 2):
        sent = run(producer, tmp_path)
        assert sent.returncode == 0, sent.stderr
        assert f"Ack(sequence={sequence}, position={sequence}" in sent.stdout
    reading = subprocess.Popen(
        program(consumer, tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    eventually(lambda: relay.books().delivered == 2, "both trades went to the consumer")
    relay.kill()
    out, err = reading.communicate(timeout=30)
    assert reading.returncode == 0, err
    assert out.count(b"Trade(") == 2
    assert b"BTCUSDT" in out
    assert b"resume with start = 2 log_id =" in out


def test_without_a_relay_they_say_which_command_starts_one(tmp_path: Path) -> None:
    got = run(BLOCKS[1], tmp_path)
    assert got.returncode != 0
    assert "relays run market_data" in got.stderr.splitlines()[-1]
