"""A few kills in every run, many of the execution relay in a full one: nothing is lost, repeated or
reordered. With the command line, so that what it prints is tested too."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.chaos.story import Wishes, play

ROOT = Path(__file__).parents[2]
QUICK, FULL = 5, 50
CONSUMER = re.compile(r"^(\w+) +([\d,]+) messages: 0 lost, 0 repeated, 0 reordered; (\d+) gaps")


def chaos(*options: str) -> str:
    """The output of a run that found nothing; its processes and files are gone."""
    seed = os.environ.get("RELAYS_SEED")
    words = [*options, *(("--seed", seed) if seed else ())]
    with tempfile.TemporaryDirectory(prefix="c-") as short:  # the names of sockets are bounded
        ended = subprocess.run(
            [sys.executable, "-m", "tests.chaos", *words], cwd=ROOT,
            env=os.environ | {"TMPDIR": short}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        print(ended.stdout)
        assert ended.returncode == 0, ended.stdout + ended.stderr[-3000:]
        assert os.listdir(short) == []
    return ended.stdout


def consumers(said: str) -> dict[str, int]:
    """The gaps of each consumer; none lost, repeated or reordered anything."""
    found = {row[1]: int(row[3]) for row in map(CONSUMER.match, said.splitlines()) if row}
    assert set(found) == {"steady", "killed", "stopped", "slow", "late"}
    return found


# Without a journal nothing but the memory files goes on; with one these are removed too, and the
# power fails.
WAYS = {"memory": (), "journal": ("--journal",)}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kills", [QUICK, pytest.param(FULL, marks=pytest.mark.full)])
def test_kill_9_and_all_else_lose_repeat_and_reorder_nothing_of_execution(
    kills: int, way: str
) -> None:
    said = chaos("--kills", str(kills), *WAYS[way])
    assert said.startswith("again: scripts/chaos --domain execution --seed ")
    gaps = consumers(said)
    assert gaps["steady"] == gaps["killed"] == gaps["stopped"] == 0


@pytest.mark.full
def test_an_ack_that_does_not_wait_for_the_disk_would_be_found() -> None:
    wishes = Wishes(kills=25, forgets=True, journal=True)
    with tempfile.TemporaryDirectory(prefix="c-") as folder:
        try:
            _, accounts = play("execution", Path(folder), 31, wishes, journal_sync="none")
        except AssertionError as error:  # a client came upon it by itself
            said = str(error)
        else:
            always = [one for one in accounts if one.name in {"steady", "killed", "stopped"}]
            wrong = [one for one in always if one.faults or one.gaps]
            said = "; ".join(f"{one.name} ended with {one}" for one in wrong)
    print(said)
    assert " ended with " in said


@pytest.mark.full
@pytest.mark.parametrize("domain", ["market_data", "signals"])
def test_a_minute_of_chaos_loses_nothing_of_the_other_relays_without_saying_so(
    domain: str,
) -> None:
    consumers(chaos("--domain", domain, "--minutes", "1"))


@pytest.mark.full
def test_when_the_memory_files_go_too_a_gap_says_so() -> None:
    gaps = consumers(chaos("--kills", "20", "--forget"))
    assert max(gaps.values()) > 0
