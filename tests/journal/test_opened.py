"""A journal's directory as files: however many there are, and also while retention removes some."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from relays.core.journal.catalogue import Catalogue
from relays.core.journal.recovery import recover
from relays.edge.journal import opened as module
from relays.edge.journal.opened import Descriptors, Gone, SegmentFile, opened
from relays.errors import RelayError
from tests.journal.handmade import Journal, commits, journal


@pytest.fixture
def many(tmp_path: Path) -> Journal:
    """A journal of some hundred segments, in `tmp_path`."""
    made = journal(commits(3000, frames=6), size=12 * 1024)
    for name, disk in made.files.items():
        (tmp_path / name).write_bytes(disk.data)
    return made


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_few_descriptors_are_enough_for_many_segments(many: Journal, tmp_path: Path) -> None:
    before = descriptors()
    assert len(many.files) > 4 * module.MOST_OPEN
    with opened(tmp_path) as catalogue:
        assert recover(catalogue).position == many.position
        assert descriptors() - before <= module.MOST_OPEN
        for wrote in many.wrote[::97]:
            assert catalogue.segment(wrote.first).find(wrote.first)[1].frames == 6
    assert descriptors() == before


def test_a_segment_that_retention_removed_is_gone_and_no_damage(
    many: Journal, tmp_path: Path
) -> None:
    with opened(tmp_path) as catalogue:
        victim = catalogue.segments[0]
        (tmp_path / victim.name).unlink()
        with pytest.raises(Gone, match="removed"):
            victim.find(0)
    with opened(tmp_path) as catalogue:
        assert catalogue.oldest == victim.until


def test_one_that_is_removed_while_the_directory_is_read_is_left_out(
    many: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / min(many.files)

    class Late(SegmentFile):
        def __init__(self, path: Path, descriptors: Descriptors) -> None:
            first.unlink(missing_ok=True)
            super().__init__(path, descriptors)

    monkeypatch.setattr(module, "SegmentFile", Late)
    with opened(tmp_path) as catalogue:
        assert isinstance(catalogue, Catalogue)
        assert len(catalogue.files) == len(many.files) - 1


def test_a_directory_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(RelayError, match="cannot be read"), opened(tmp_path / "none"):
        pass
