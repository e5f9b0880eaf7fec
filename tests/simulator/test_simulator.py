"""300 seeds of the simulator hold (2,000 with --full), and one seed is one run, everywhere.

A failure names its seed and the command that replays it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulator.__main__ import replay
from tests.simulator.run import simulate

ROOT = Path(__file__).parent.parent.parent
EACH = 50  # seeds of one test, so that several processes may share them
QUICK, FULL = range(0, 300, EACH), range(300, 2000, EACH)


def hold(first: int, count: int = EACH) -> None:
    for seed in range(first, first + count):
        outcome = simulate(seed)
        last = "\n".join(outcome.last)
        assert not outcome.failure, f"{outcome.failure}\n{last}\nreplay it: {replay(outcome)}"


@pytest.mark.parametrize("first", QUICK)
def test_whatever_happens_to_a_relay_and_its_peers_nothing_is_lost_repeated_or_reordered(
    first: int,
) -> None:
    hold(first)


@pytest.mark.full
@pytest.mark.parametrize("first", FULL)
def test_a_long_time_later_it_still_holds(first: int) -> None:
    hold(first)


@pytest.mark.parametrize("seed", range(5))
def test_one_seed_is_one_run(seed: int) -> None:
    assert simulate(seed) == simulate(seed)


def test_one_seed_is_one_run_in_every_process() -> None:
    program = (
        "from tests.simulator.run import simulate\nfor n in range(5): print(simulate(n).digest)"
    )
    said = []
    for hash_seed in ("0", "1", "77"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        ran = subprocess.run(
            [sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        said.append(ran.stdout.split())
    assert said[0] == said[1] == said[2] == [simulate(n).digest for n in range(5)]


def test_a_seed_that_fails_is_shown_with_the_command_that_replays_it() -> None:
    command = [sys.executable, "-m", "tests.simulator", "--seeds=8", "--mutation=forget the carry"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stderr
    assert (
        'replay it: scripts/simulate --seeds 1 --seed 0 --mutation "forget the carry"' in ran.stdout
    )


def test_seeds_that_hold_are_exit_code_0() -> None:
    command = [sys.executable, "-m", "tests.simulator", "--seeds=4", "--steps=100"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.startswith("4 seeds held: ")
