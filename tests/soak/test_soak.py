"""A soak of some seconds and what it reports; ten minutes in a full run. And the criterion."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.soak.growth import growth, line
from tests.soak.report import lines, verdicts

ROOT = Path(__file__).parents[2]
PROCESSES = [f"{name}{end}" for name in ("market_data", "signals", "execution")
             for end in ("", " metrics")]  # fmt: skip
MIB = 1 << 20
PNG = b"\x89PNG"


def soak(out: Path, *options: str) -> tuple[int, dict[str, Any], str]:
    with tempfile.TemporaryDirectory(prefix="s-") as short:  # the names of sockets are bounded
        ended = subprocess.run(
            [sys.executable, "-m", "tests.soak", "--out", str(out), *options], cwd=ROOT,
            env=os.environ | {"TMPDIR": short}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert os.listdir(short) == []
    assert (out / "soak.json").exists(), ended.stderr[-3000:]
    assert (out / "soak.png").read_bytes().startswith(PNG)
    return ended.returncode, json.loads((out / "soak.json").read_text()), ended.stdout


def test_a_soak_of_seconds_samples_every_process_and_accounts_for_every_message(
    tmp_path: Path,
) -> None:
    _, told, _ = soak(tmp_path, "--minutes", "0.05", "--every", "0.25")
    assert told["accounted_for"]
    for process in PROCESSES:
        for what in ("rss", "pss", "shared", "descriptors", "threads"):
            assert all(sample[f"{process}: {what}"] > 0 for sample in told["samples"])
    assert any(sample.get("market_data: p99", 0) > 0 for sample in told["samples"])


@pytest.mark.full
def test_nothing_grows_in_ten_minutes(tmp_path: Path) -> None:
    code, told, said = soak(tmp_path, "--minutes", "10")
    assert told["accounted_for"]
    assert code == 0, said


def noise(level: float, part: float, seed: int = 7) -> list[float]:
    chance = random.Random(seed)
    return [level * chance.uniform(1 - part, 1 + part) for _ in range(600)]


@pytest.mark.parametrize(
    ("what", "series", "fails"),
    [
        ("rss", noise(30 * MIB, 0.01), False),
        ("rss", [30 * MIB + n * 4096 for n in range(600)], True),
        ("rss", [30 * MIB] * 100 + [50 * MIB] * 500, False),  # warm after less than a fifth
        ("pss", [one + n * 5000 for n, one in enumerate(noise(30 * MIB, 0.01))], True),
        ("descriptors", [20.0] * 600, False),
        ("descriptors", [20.0] * 500 + [21.0] * 100, True),
        ("threads", [2.0 + n // 100 for n in range(600)], True),
        ("p99", noise(0.001, 0.9), False),
        ("p99", [one * (1 + n / 300) for n, one in enumerate(noise(0.001, 0.3))], True),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_series_that_grows_is_told_from_one_that_does_not(
    what: str, series: list[float], fails: bool
) -> None:
    found = growth(what, series)
    assert found is not None
    assert found.low <= found.estimate <= found.high
    assert found.has_failed is fails


def test_the_growth_of_a_line_is_its_rise_and_has_no_margin() -> None:
    assert line([1.0 + 0.5 * n for n in range(12)]) == pytest.approx((6.0, 0.0))


def test_too_few_samples_have_no_verdict_and_the_table_names_what_grows() -> None:
    assert growth("rss", [1.0] * 20) is None
    found = verdicts([{"seconds": n, "signals: threads": float(n), "signals: rss": 9.0 * MIB}
                      for n in range(100)])  # fmt: skip
    said = {row.split("  ")[0]: row for row in lines(found)}
    assert said["signals: threads"].endswith("GROWS")
    assert said["signals: rss"].endswith("steady")
