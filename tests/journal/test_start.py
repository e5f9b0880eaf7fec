"""A relay goes on with the journal it finds: what it reads there is made sure of first."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from msgspec import structs

from protocol._core.journal import journal_set
from protocol.control import Durability
from relays.config import RelayConfig, load
from relays.edge.journal import files, start
from relays.edge.journal.start import attach, find
from relays.edge.journal.writer import JournalThread
from relays.edge.memory import Memory, open_memory
from tests.harness import RelayProcess, frame, remove_memory
from tests.journal.handmade import Journal, commits, journal
from tests.journal.written import frames_in, recovered

MIB = 1 << 20


@pytest.fixture
def config(tmp_path: Path) -> Iterator[RelayConfig]:
    tmp_path.chmod(0o700)
    flags = {"runtime_dir": str(tmp_path), "journal": "on", "log_bytes": MIB}
    yield load("market_data", flags=flags, environ={}).config
    remove_memory("market_data", tmp_path)


@pytest.fixture
def written(tmp_path: Path) -> Journal:
    """A journal whose records do not say that its end is synced."""
    folder = tmp_path / "journal" / "market_data"
    folder.mkdir(parents=True, mode=0o700)
    made = journal(commits(100))
    (folder / made.name).write_bytes(made.files[made.name].data)
    return made


def go_on(config: RelayConfig, memory: Memory | None = None) -> tuple[Memory, JournalThread]:
    """A relay's memory, and the thread that would go on with its journal."""
    found = find("market_data", config, accept_damage=False)
    assert found is not None
    memory = memory or open_memory("market_data", config, time.time_ns(), found)
    events = os.eventfd(0), os.eventfd(0)
    thread = attach(found, memory.state, config, events, lambda event, **fields: None)
    found.folder.release()
    for fd in events:
        os.close(fd)
    return memory, thread


def test_the_directories_that_are_made_for_a_journal_are_on_the_disk_before_it_is(
    config: RelayConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{fd}")))
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    go_on(config)
    place = tmp_path / "journal" / "market_data"
    for each in (tmp_path, place.parent, place):
        assert each in synced


def test_a_prepared_segment_whose_header_cannot_be_synced_is_not_tried_again(
    config: RelayConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, thread = go_on(config)
    folder = thread.folder
    folder.prepare()

    def fdatasync(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    with pytest.raises(OSError, match="Input/output"):
        thread._begin(0)
    assert not (folder.path / "next.segment").exists()


def test_what_no_record_calls_synced_is_synced_before_the_relay_goes_on(
    config: RelayConfig, written: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "journal" / "market_data"
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fdatasync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}"))
    )
    memory, thread = go_on(config)
    assert synced == [str(folder / written.name), str(folder / "next.segment")]
    assert memory.state.end_position == written.position
    known = {(uid, who): (last, seen) for uid, who, last, seen in thread.writer.producers()}
    assert known == written.producers


@pytest.mark.parametrize(
    ("adopted", "failing", "again"), [(False, 0, True), (True, 5, True), (True, 0, False)]
)
def test_what_may_have_been_synced_in_vain_is_written_again_first(
    config: RelayConfig, written: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    adopted: bool, failing: int, again: bool,
) -> None:  # fmt: skip
    path = tmp_path / "journal" / "market_data" / written.name
    before, memory = path.read_bytes(), None
    if adopted:
        found = find("market_data", config, accept_damage=False)
        assert found is not None
        found.folder.release()
        memory = open_memory("market_data", config, time.time_ns(), found)
        found = replace(found, journal=replace(found.journal, log_id=memory.state.log_id))
        monkeypatch.setattr(start, "recover", lambda _: found.journal)
        journal_set(memory.state, failing=failing)
    done: list[tuple[str, int]] = []
    write, sync = os.pwrite, os.fdatasync

    def pwrite(fd: int, data: bytes, place: int) -> int:
        done.append((os.readlink(f"/proc/self/fd/{fd}"), len(data)))
        return write(fd, data, place)

    def fdatasync(fd: int) -> None:
        done.append((os.readlink(f"/proc/self/fd/{fd}"), 0))
        sync(fd)

    monkeypatch.setattr(os, "pwrite", pwrite)
    monkeypatch.setattr(os, "fdatasync", fdatasync)
    go_on(config, memory)
    sizes = [size for name, size in done if name == str(path)]
    assert sizes[-1] == 0
    assert sum(sizes) == (len(before) if again else 0)
    assert path.read_bytes() == before


class Killed(BaseException):
    """The process dies here."""


class Dying:
    """`os`, until the process dies in one of the calls that change a directory or sync a file."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __getattr__(self, name: str) -> Any:
        if name in ("mkdir", "link", "rename", "unlink", "fsync", "fdatasync"):
            self.left -= 1
            if self.left < 0:
                raise Killed
        return getattr(os, name)


def overlapping(folder: Path) -> Journal:
    """A journal whose first file has records up to 90, but counts up to 60 only, where the second
    one begins, which is torn at once; and there is a third."""
    sent = [replace(each, synced=0) for each in commits(60)]
    made = journal(sent[:20])
    torn = Journal(position=60, offset=made.offset, chain=made.chain, producers=made.producers)
    torn.commit(sent[20])
    data = torn.files[torn.name].data
    data[-80:] = bytes(80)
    later = Journal(position=120, offset=2 * made.offset, chain=1)
    later.commit(sent[40])
    for each in sent[20:30]:
        made.commit(each)
    folder.mkdir(parents=True, mode=0o700)
    for one in (made, torn, later):
        (folder / one.name).write_bytes(one.files[one.name].data)
    return made


def test_killed_at_any_moment_of_setting_files_aside_the_next_start_has_all_that_counts(
    config: RelayConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = structs.replace(config, journal_segment=8 * MIB)
    ended = False
    for calls in range(40):
        place = tmp_path / "journal" / "market_data"
        made = overlapping(place)
        memory = None
        with monkeypatch.context() as dying:
            found = find("market_data", config, accept_damage=False)
            assert found is not None
            assert found.journal.position == 60
            memory = open_memory("market_data", config, 1, found)
            dying.setattr(files, "os", Dying(calls))
            try:
                attach(found, memory.state, config, (-1, -1), lambda event, **fields: None)
                ended = True
            except Killed:
                pass
            found.folder.release()
        print(f"killed in call {calls}")
        go_on(config, memory)
        frames = b"".join(each.sent.data for each in made.wrote[:20])
        assert b"".join(frames_in(place)) == frames
        assert recovered(place).position == 60
        shutil.rmtree(tmp_path / "journal")
        remove_memory("market_data", tmp_path)
        if ended:
            break
    assert ended
    assert calls > 8


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., RelayProcess]]:
    made: list[RelayProcess] = []

    def start(domain: str, **settings: Any) -> RelayProcess:
        made.append(RelayProcess(domain, tmp_path, **settings))
        return made[-1].start()

    yield start
    for relay in made:
        relay.clean()


def test_the_execution_relay_has_a_journal_without_being_told_and_acks_from_the_disk(
    started: Callable[..., RelayProcess],
) -> None:
    relay = started("execution")
    client = relay.client()
    client.hello(2, producer_id=7)
    client.send(frame(1, 59, b"order"))
    assert client.control(106).durability == Durability.SYNCED
    relay.kill()
    remove_memory("execution", relay.folder)
    relay.start()
    assert relay.end() == 1


def test_a_journal_in_memory_is_said_to_be_no_promise(
    started: Callable[..., RelayProcess],
) -> None:
    with TemporaryDirectory(dir="/dev/shm") as place:
        relay = started("execution", journal_dir=place)
        assert "does not outlive the machine; set journal_dir" in relay.log()
