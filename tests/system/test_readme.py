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


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = code.replace("/tmp/alphapulse", str(folder))
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, cwd=ROOT
    )


def test_the_producer_and_the_consumer_of_the_readme_have_ten_lines_and_run(
    relay: RelayProcess, tmp_path: Path
) -> None:
    producer, consumer = BLOCKS
    for block in BLOCKS:
        assert len([line for line in block.splitlines() if line.strip()]) <= 10
    sent = run(producer, tmp_path)
    assert sent.returncode == 0, sent.stderr
    eventually(lambda: relay.end() == 1, "the trade is in the log")
    got = run(consumer, tmp_path)
    assert got.returncode == 0, got.stderr
    assert "Trade" in got.stdout
    assert "BTCUSDT" in got.stdout


def test_without_a_relay_they_say_which_command_starts_one(tmp_path: Path) -> None:
    got = run(BLOCKS[1], tmp_path)
    assert got.returncode != 0
    assert "relays run market_data" in got.stderr.splitlines()[-1]
