"""Old segments go: by bytes, by age, not while somebody needs them, but at the hard limit."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol._core.journal import Writer, journal_words
from relays.config import load
from relays.core.journal.catalogue import Catalogue, Kept
from relays.core.journal.records import ENDLESS
from relays.core.journal.recovery import recover
from relays.edge.journal.files import Folder
from relays.edge.journal.start import Found, attach
from relays.edge.journal.writer import JournalThread
from tests.daemon.fake_edge import new_state

MIB = 1 << 20
SEGMENT = 8 * MIB
Make = Callable[..., JournalThread]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes the thread of a new journal, which is not started, with these settings."""
    tmp_path.chmod(0o700)
    folders: list[Folder] = []
    events = os.eventfd(0), os.eventfd(0)

    def made(count: int, **settings: Any) -> JournalThread:
        flags = {"runtime_dir": str(tmp_path), "journal": "on", "journal_segment": SEGMENT}
        flags |= {"journal_bytes": 4 * SEGMENT, **settings}
        config = load("execution", flags=flags, environ={}).config
        folders.append(Folder("execution", config))
        found = Found(folders[-1], recover(Catalogue({})))
        told: list[str] = []
        state = new_state(MIB)
        thread = attach(found, state, config, events, lambda event, **_: told.append(event))
        thread.told = told  # type: ignore[attr-defined]
        (first,) = thread.kept
        thread.kept = []
        for number in range(count):
            name = f"{number * 100:020d}.segment"
            (folders[-1].path / name).touch()
            age = (count - 1 - number) * 1000 * 10**9
            thread.kept.append(Kept(name, number * 100, SEGMENT, time.time_ns() - age))
        assert first.first == 0
        return thread

    yield made
    for folder in folders:
        folder.release()
    for fd in events:
        os.close(fd)


def left(thread: JournalThread) -> list[int]:
    """The first positions of the segments that are there after it has tidied."""
    thread._tidy()
    found = sorted(int(path.name[:20]) for path in thread.folder.path.glob("0*.segment"))
    assert [each.first for each in thread.kept] == found
    words = journal_words(thread.state)
    assert words["segments"] == len(found)
    assert words["disk_bytes"] == (len(found) + 1) * SEGMENT
    assert words["oldest_position"] == found[0]
    return found


def test_what_is_more_than_journal_bytes_goes_the_oldest_first(make: Make) -> None:
    thread = make(7)
    assert left(thread) == [300, 400, 500, 600]
    assert left(thread) == [300, 400, 500, 600]


def test_what_is_older_than_journal_age_goes_but_never_the_newest(make: Make) -> None:
    # The segment that began 2,000 s ago has what came up to 1,000 s ago.
    assert left(make(4, journal_age=1500.0)) == [100, 200, 300]


def test_what_a_consumer_still_needs_stays(make: Make) -> None:
    thread = make(7)
    thread.needed = lambda: 150
    assert left(thread) == [100, 200, 300, 400, 500, 600]
    thread.needed = lambda: ENDLESS
    assert left(thread) == [300, 400, 500, 600]
    assert thread.told == []  # type: ignore[attr-defined]


def test_who_begins_while_old_segments_are_to_go_keeps_what_he_needs(make: Make) -> None:
    thread = make(7)
    said: list[int] = []

    def needed() -> int:
        said.append(journal_words(thread.state)["oldest_position"])
        return ENDLESS if len(said) == 1 else 150

    thread.needed = needed
    assert left(thread) == [100, 200, 300, 400, 500, 600]
    assert said == [0, 300], "it is not looked again once nobody can begin there any more"


def test_beyond_the_hard_limit_also_what_is_needed_goes_and_that_is_said(make: Make) -> None:
    thread = make(9, journal_hard_limit=6 * SEGMENT)
    thread.needed = lambda: 150
    assert left(thread) == [300, 400, 500, 600, 700, 800]
    assert thread.told == ["journal is at its hard limit"]  # type: ignore[attr-defined]


def test_old_segments_that_cannot_go_keep_nobody_from_the_next_one(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = make(7)

    def unlink(path: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "unlink", unlink)
    thread._tidy()
    words = journal_words(thread.state)
    assert words["failing"] == errno.EROFS
    assert (thread.folder.path / "next.segment").stat().st_size == SEGMENT
    monkeypatch.undo()
    assert left(thread) == [300, 400, 500, 600]
    assert journal_words(thread.state)["failing"] == 0
    assert thread.told == ["journal cannot go on", "journal goes on"]  # type: ignore[attr-defined]


def test_old_segments_go_also_while_there_is_no_space_for_the_next_one(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = make(7)

    def full(fd: int, offset: int, size: int) -> None:
        if len(thread.kept) > 4:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    thread.needed = lambda: 150  # somebody catches up, and the disk is full
    thread._tidy()
    assert journal_words(thread.state)["failing"] == errno.ENOSPC
    waited = []

    def caught_up(seconds: float) -> bool:
        waited.append(seconds)
        thread.needed = lambda: ENDLESS
        return len(waited) > 3

    monkeypatch.setattr(thread._halt, "wait", caught_up)
    assert thread._persist(thread._next), "it never goes on"
    assert len(waited) == 1
    assert journal_words(thread.state)["failing"] == 0


def test_a_producer_that_was_forgotten_and_came_back_has_what_it_said_last(make: Make) -> None:
    writer = Writer(new_state(MIB), -1, -1)
    writer.know(5, 1000, 7, 100, 10)
    writer.know(3, 1000, 7, 200, 20)
    writer.know(4, 1000, 8, 1, 15)
    assert sorted(writer.producers()) == [(1000, 7, 200, 20), (1000, 8, 1, 15)]
