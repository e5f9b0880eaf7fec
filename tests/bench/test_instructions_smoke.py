"""The hot path takes no more instructions than are on file, and the comparison cannot be fooled.

Instructions repeat: this is the regression gate, where a time would only be an opinion. What takes
more on purpose is kept by `scripts/bench instructions --write`.
"""

import os
import shutil
from pathlib import Path

import pytest

from . import instructions
from .children import RunFailed
from .instructions import Count


def counted_here() -> list[Count]:
    """What this machine counts; skipped, but for in CI, where nothing can be counted."""
    why = instructions.missing()
    if why and not os.environ.get("CI"):
        pytest.skip(why)
    assert not why
    return instructions.count()


def test_the_hot_path_takes_no_more_instructions_than_are_on_file() -> None:
    counted = {each.name: each for each in counted_here()}
    per = {name: each.instructions for name, each in counted.items()}
    assert 0 < per["scan-plain"] < per["scan"] < per["relay"] < per["relay-1"] < per["relay-4"]
    file = instructions.kept()
    assert set(file["rows"]) == set(counted), "scripts/bench instructions --write"
    if why := instructions.incomparable(file):
        pytest.skip(why)
    more = [
        f"{each.what}: {each.instructions:,} {each.each}, {each.change:+.1%} of what is on file"
        for each in counted.values()
        if each.judged.met != "yes"
    ]
    assert not more, "\n" + "\n".join(more)


def test_three_in_a_hundred_more_are_too_many_and_fewer_are_not() -> None:
    def met(instructions: float) -> str:
        return Count("a", "a row", "a frame", instructions, kept=200).judged.met

    assert [met(each) for each in (150, 200, 206, 206.1)] == ["yes", "yes", "yes", "NO"]


def test_what_was_written_is_what_is_compared_with(tmp_path: Path) -> None:
    path = tmp_path / "instructions.json"
    assert instructions.incomparable(instructions.kept(path))
    instructions.write([Count("a", "a row", "a frame", 7.5)], path)
    file = instructions.kept(path)
    assert file["rows"] == {"a": 7.5}
    assert instructions.incomparable(file) == ""
    file["made_with"]["gcc"] = "4"
    assert f"gcc {instructions.made_with()['gcc']}, on file 4" in instructions.incomparable(file)


def test_without_valgrind_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RunFailed, match="scripts/packages install valgrind"):
        instructions.count()
