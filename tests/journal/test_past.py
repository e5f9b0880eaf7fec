"""Corners of being served from the journal that a real relay reaches only by luck: each of these
was a seed of the simulator first (relays.md 5)."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from protocol._core.journal import journal_set
from protocol.control import Gap, Welcome
from protocol.message import decode
from relays.core.breaker import REPLAYING
from relays.core.journal.catalogue import Catalogue
from relays.core.journal.history import Missing, Part, locate, part
from relays.core.journal.recovery import recover
from relays.edge.journal.opened import opened
from relays.edge.journal.reader import Reader
from tests.daemon.fake_edge import World
from tests.harness import CONTROL, PATIENCE, frame, hello, split
from tests.journal.handmade import PAGE, Disk, Journal, Sent, commits, journal

GAP, CATCH_UP = 1, 3
OLDEST, LAST = 2, 3
WELCOME = 105
SMALL = 3 * PAGE


class AllOfIt:
    """A reader of a journal that has every frame, asked and answered by the test."""

    def __init__(self, frames: list[bytes]) -> None:
        self.frames = frames
        self.asked: list[tuple[int, Callable[[Part], None]]] = []

    def part(self, position: int, then: Callable[[Part], None], _: object) -> None:
        self.asked.append((position, then))

    def answer(self) -> None:
        """All that there is from the position asked for."""
        position, then = self.asked.pop()
        before = sum(len(one) for one in self.frames[:position])
        then(Part(position, before, memoryview(b"".join(self.frames[position:])), 1))


def journaled(frames: list[bytes], **settings: Any) -> tuple[World, AllOfIt]:
    """A relay that serves from a journal whom its log overtakes."""
    place, reader = World(**settings), AllOfIt(frames)
    played: Any = reader
    place.relay.reader = played
    place.relay.hub.feeds._journaled = True
    return place, reader


def test_who_comes_to_the_logs_end_out_of_the_journal_is_live_from_there_on() -> None:
    frames = [frame(n, timestamp=5) for n in range(1, 2001)]
    place, reader = journaled(frames)
    _, producer = place.connect()
    peer, sock = place.connect()
    place.send(sock, hello(1, on_lag=CATCH_UP, heartbeat_ms=60_000))
    sock.room = 0
    for at in range(0, 2000, 50):
        place.send(producer, *frames[at : at + 50])
    place.read(sock)
    reader.answer()
    place.read(sock)
    assert len(peer.outlet.window) == 0, "of a thousand such a relay would keep 256 MiB"
    frames.append(frame(2001, timestamp=5))
    place.send(producer, frames[-1])
    assert [one for one in split(bytes(sock.got)) if one[4] not in CONTROL] == frames
    place.accounted()


def test_what_anybody_may_still_want_of_the_journal_is_known_at_every_moment() -> None:
    frames = [frame(n, timestamp=5) for n in range(1, 2001)]
    place, reader = journaled(frames)
    needed = place.relay.hub.needed
    _, producer = place.connect()
    place.send(producer, *frames[:50])
    place.pass_time(200)
    _, sock = place.connect()
    place.send(sock, hello(1, on_lag=CATCH_UP, heartbeat_ms=60_000))
    _, gapped = place.connect()
    place.send(gapped, hello(1, on_lag=GAP, heartbeat_ms=60_000))
    assert needed() == 50
    sock.room = gapped.room = 0
    place.send(producer, *frames[50:100])
    assert needed() == 50, "the log has it still, and may overtake it"
    for at in range(100, 2000, 50):
        place.send(producer, *frames[at : at + 50])
    assert needed() == 50
    place.read(sock)
    reader.answer()
    place.read(sock)
    assert needed() == 2000


def test_what_a_hello_has_asked_the_journal_for_is_kept_until_it_is_answered() -> None:
    large = [frame(n, 19, bytes(1500), timestamp=5) for n in range(1, 101)]
    place, _ = journaled([])
    kept: Any = SimpleNamespace(
        oldest=0, durability=0, committed=lambda: None, may_read=lambda *_: True
    )
    place.relay.hub.journal = kept
    _, producer = place.connect()
    place.send(producer, *large)
    asked: list[Callable[[int], None]] = []
    reader: Any = SimpleNamespace(
        locate=lambda position, then, *_: asked.append(then), part=lambda *_: None
    )
    place.relay.reader = reader
    peer, sock = place.connect()
    assert place.relay.hub.needed() == 100
    place.send(sock, hello(1, start=1, start_position=3, heartbeat_ms=60_000))
    assert place.relay.hub.needed() == 3
    asked.pop()(3 * 1532)
    assert peer.outlet.past
    assert place.relay.hub.needed() == 3
    sock.over = True
    place.relay._let_go(place.relay.connections[peer.number])
    assert place.relay.hub.needed() == 100


def test_who_began_where_only_memory_was_goes_on_where_the_journal_begins() -> None:
    frames = [frame(n, timestamp=5) for n in range(1, 2001)]
    place, reader = journaled(frames)
    _, producer = place.connect()
    place.send(producer, *frames[:500])
    journal_set(place.relay.state, oldest_position=300)
    peer, sock = place.connect()
    sock.room = 0
    place.send(sock, hello(1, on_lag=CATCH_UP, start=OLDEST, heartbeat_ms=60_000))
    for at in range(500, 2000, 50):
        place.send(producer, *frames[at : at + 50])
    assert peer.outlet.past
    place.read(sock)
    reader.answer()
    place.read(sock)
    got = list(split(bytes(sock.got)))
    gap = decode(got[1])
    assert isinstance(gap, Gap)
    assert (gap.first_position, gap.last_position) == (0, 299)
    assert [one for one in got if one[4] not in CONTROL] == frames[300:]
    place.accounted()


def test_who_is_served_from_the_journal_has_no_breaker_that_could_lag_too_far() -> None:
    frames = [frame(n, timestamp=5) for n in range(1, 2001)]
    place, reader = journaled(frames, circuit_breaker=100, max_queue_size=150)
    _, producer = place.connect()
    for at in range(0, 500, 50):
        place.send(producer, *frames[at : at + 50])
    peer, sock = place.connect()
    sock.room = 0
    place.send(sock, hello(1, on_lag=GAP, start=OLDEST, heartbeat_ms=60_000))
    for at in range(500, 2000, 50):
        place.send(producer, *frames[at : at + 50])
    sock.room = 200 + 64 * 1990  # all but a few frames of the stretch it is served from
    place.write(sock)
    reader.answer()
    place.relay.work()
    while sock.room and sock.fd in place.loop.writers:
        place.write(sock)
    assert 0 < peer.record.lag < 50
    for n in range(2001, 2301):
        frames.append(frame(n, timestamp=5))
        place.send(producer, frames[-1])
        assert peer.breaker.state == REPLAYING or peer.record.lag <= 150
    place.read(sock)
    while reader.asked:
        reader.answer()
        place.read(sock)
    assert [one for one in split(bytes(sock.got)) if one[4] not in CONTROL] == frames
    place.accounted()


def test_what_is_damaged_in_a_file_that_failed_is_read_from_the_one_begun_for_it(
    tmp_path: Path,
) -> None:
    first, second, third = commits(3)
    failed = Journal()
    failed.commit(first)
    begun = Journal(position=failed.position, offset=failed.offset, chain=failed.chain)
    lost = failed.commit(second)
    failed.commit(third)
    at = failed.size - 80 * (lost.number + 1)
    disk = failed.files[failed.name]
    disk.data[at : at + 80] = bytes(80)
    (tmp_path / failed.name).write_bytes(disk.data)

    async def ask() -> list[Part | Missing | None]:
        loop, answers = asyncio.get_running_loop(), []
        reader = Reader(tmp_path)
        for _ in range(2):
            answer: asyncio.Future[Part | Missing | None] = loop.create_future()
            reader.part(lost.first, answer.set_result, lambda: True)
            answers.append(await answer)
            begun.commit(second)
            (tmp_path / begun.name).write_bytes(begun.files[begun.name].data)
        reader.close()
        return answers

    before, after = asyncio.run(ask())
    assert isinstance(before, Missing)
    assert isinstance(after, Part)
    assert bytes(after.frames) == second.data


def ask(place: Path, position: int) -> Part | Missing | None:
    """What a reader of this directory answers."""

    async def asking() -> Part | Missing | None:
        reader = Reader(place)
        answer: asyncio.Future[Part | Missing | None] = asyncio.get_running_loop().create_future()
        never: list[Part | Missing | None] = []
        reader.part(position, never.append, lambda: False)
        reader.part(position, answer.set_result, lambda: True)
        try:
            return await asyncio.wait_for(answer, PATIENCE)
        finally:
            reader.close()
            assert never == [], "nobody wanted that"

    return asyncio.run(asking())


def failing(monkeypatch: pytest.MonkeyPatch, bad: range, number: int) -> None:
    """Reads of the pages that hold these places fail from now on."""
    for name, sizes in (("preadv", lambda what: len(what[0])), ("pread", lambda what: what)):
        real = getattr(os, name)

        def read(fd: int, what: Any, at: int, real: Any = real, sizes: Any = sizes) -> Any:
            if at < bad.stop and bad.start < at + sizes(what):
                raise OSError(number, os.strerror(number))
            return real(fd, what, at)

        monkeypatch.setattr(os, name, read)


def test_a_page_that_the_disk_has_lost_is_damage_and_the_rest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = journal(commits(12, frames=4, payload=1000))
    (tmp_path / made.name).write_bytes(made.files[made.name].data)
    page = 3 * PAGE
    lost = [
        one
        for one in made.wrote
        if one.place < page + PAGE and one.place + len(one.sent.data) > page
    ]
    whole = [one for one in made.wrote if one not in lost]
    failing(monkeypatch, range(page, page + PAGE), errno.EIO)
    with opened(tmp_path) as catalogue:
        for one in whole:
            found = ask(tmp_path, one.first)
            assert isinstance(found, Part)
            assert bytes(found.frames[: len(one.sent.data)]) == one.sent.data
        faults = recover(catalogue).damage
    assert [(each.first, each.end) for each in faults] == [(one.first, one.end) for one in lost]
    found = ask(tmp_path, lost[0].first)
    assert isinstance(found, Missing)
    assert found.position == lost[-1].end


def test_a_journal_that_cannot_be_read_at_all_is_an_answer_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    made = journal(commits(5))
    (tmp_path / made.name).write_bytes(made.files[made.name].data)
    failing(monkeypatch, range(PAGE, made.size), errno.ENOMEM)
    assert ask(tmp_path, 3) is None
    assert "the journal cannot be read" in capfd.readouterr().err


def test_a_segment_whose_header_is_damaged_is_passed_over(tmp_path: Path) -> None:
    made = journal(commits(200), SMALL)
    names = sorted(made.files)
    for name in names:
        data = bytearray(made.files[name].data)
        data[20] ^= name == names[1]
        (tmp_path / name).write_bytes(data)
    damaged, whole = int(names[1][:20]), int(names[2][:20])

    with opened(tmp_path) as catalogue:
        behind = catalogue.segment(whole).header.first_offset
        buffer = bytearray(4096)
        for ask in (lambda at: part(catalogue, at, buffer), lambda at: locate(catalogue, at)):
            for position in (damaged, whole - 1):
                assert ask(position) == Missing(whole, behind)


@pytest.mark.parametrize("harm", ["record", "frames"])
def test_what_is_behind_damage_is_found_without_reading_all_that_is_before(harm: str) -> None:
    sent = [Sent([frame(n, 19, bytes(60_000), timestamp=5)]) for n in range(1, 261)]
    made = journal(sent, 16 << 20)
    hit, following = made.wrote[240], made.wrote[241]
    read = 0

    class Counted(Disk):
        def read(self, offset: int, size: int) -> bytes:
            nonlocal read
            read += size
            return super().read(offset, size)

    disk = Counted(made.files[made.name].data)
    at = hit.place + 100 if harm == "frames" else disk.size - 80 * (hit.number + 1)
    disk.data[at] ^= 1
    catalogue = Catalogue({made.name: disk})
    read = 0
    assert part(catalogue, hit.first, bytearray(4096)) == Missing(following.first, 241 * 60_032)
    assert read < 6_000_000
    assert locate(catalogue, following.first) == 241 * 60_032


def test_who_begins_in_memory_by_the_time_that_damage_is_found_misses_nothing() -> None:
    large = [frame(n, 19, bytes(1500), timestamp=5) for n in range(1, 61)]
    small = [frame(n, timestamp=5) for n in range(61, 561)]
    place, _ = journaled([])
    kept: Any = SimpleNamespace(
        oldest=0, durability=0, committed=lambda: None, may_read=lambda *_: True
    )
    place.relay.hub.journal = kept
    _, producer = place.connect()
    place.send(producer, *large)
    asked: list[Callable[[int | Missing], None]] = []
    reader: Any = SimpleNamespace(locate=lambda position, then, _: asked.append(then))
    place.relay.reader = reader
    _, sock = place.connect()
    place.send(sock, hello(1, start=LAST, start_position=100, heartbeat_ms=60_000))
    place.send(producer, *small)
    (answer,) = asked
    answer(Missing(10, 10 * 1532))
    place.read(sock)
    got = list(split(bytes(sock.got)))
    assert [one[4] for one in got if one[4] in CONTROL] == [WELCOME]
    assert [one for one in got if one[4] not in CONTROL] == small[-100:]
    place.accounted()


def test_a_frame_is_not_late_while_its_relay_does_not_read() -> None:
    place = World()
    peer, sock = place.connect()
    sent = frame(1)
    place.send(sock, sent[:40])
    place.relay.hold(place.relay.connections[peer.number])
    sock.coming += sent[40:]
    for _ in range(12):
        place.pass_time(1000)
    assert not sock.closed
    place.relay._release(peer.number)
    place.pass_time(1000)
    place.send(sock)
    assert place.relay.hub.log.end == 1
    assert not peer.leaving


class Safe:
    """The loop's side of a journal, in which things are safe when the test says so."""

    def __init__(self) -> None:
        self.oldest = self.durability = 0
        self.waiting: list[Callable[[], None]] = []
        self.writer = SimpleNamespace(made=0, chain_at=lambda offset: None)

    def committed(self) -> None:
        self.writer.made += 1

    def may_read(self, *_: object) -> bool:
        return True

    def when_safe(self, then: Callable[[], None]) -> None:
        self.waiting.append(then)


def waiting() -> tuple[World, Safe]:
    """A relay whose Hellos and Acks wait."""
    place, journal = World(), Safe()
    played: Any = journal
    place.relay.hub.journal = played
    return place, journal


@pytest.mark.parametrize("gone", [False, True])
def test_what_came_behind_a_hello_that_waits_is_taken_also_of_one_that_is_gone(gone: bool) -> None:
    place, journal = waiting()
    peer, sock = place.connect()
    place.send(sock, hello(2, producer_id=7), frame(1, timestamp=5), frame(2, timestamp=5))
    if gone:
        sock.over = True
        place.relay._let_go(place.relay.connections[peer.number])
    assert place.relay.hub.log.end == 0
    journal.waiting.pop()()
    place.relay.work()
    assert place.relay.hub.log.end == 2
    assert sock.closed == gone
    place.accounted()


@pytest.mark.parametrize("gone", [False, True])
def test_who_takes_a_producer_id_over_is_told_its_sequence_when_that_is_safe(gone: bool) -> None:
    place, journal = waiting()
    (old, first), (_, second) = place.connect(), place.connect()
    place.send(first, hello(2, producer_id=7), frame(1, timestamp=5))
    place.send(second, hello(2, producer_id=7))
    if gone:
        first.over = True
        place.relay._let_go(place.relay.connections[old.number])
    waited, journal.waiting = journal.waiting, []
    for then in waited:
        then()
    place.relay.work()
    assert first.closed
    assert place.relay.hub.log.end == 1
    assert not second.got
    for then in journal.waiting:
        then()
    place.relay.work()
    assert next(split(bytes(second.got)))[4] == WELCOME
    assert not place.relay.hub.handshake._left


def test_who_begins_where_retention_has_been_meanwhile_is_told_what_is_gone() -> None:
    large = [frame(n, 19, bytes(1500), timestamp=5) for n in range(1, 1001)]
    place, _ = journaled([])
    kept: Any = SimpleNamespace(
        oldest=0, durability=0, committed=lambda: None, may_read=lambda *_: True,
        continues=lambda *_: False,
    )  # fmt: skip
    place.relay.hub.journal = kept
    _, producer = place.connect()
    for at in range(0, 1000, 100):
        place.send(producer, *large[at : at + 100])
    asked: list[tuple[int, Callable[[int | None], None]]] = []
    reader: Any = SimpleNamespace(
        locate=lambda position, then, *_: asked.append((position, then)), part=lambda *_: None
    )
    place.relay.reader = reader
    _, sock = place.connect()
    place.send(sock, hello(1, start=1, start_position=3, heartbeat_ms=60_000))
    kept.oldest = 10
    asked.pop()[1](None)
    position, answer = asked.pop()
    assert position == 10
    answer(10 * 1532)
    place.read(sock)
    welcome, gap = (decode(one) for one in split(bytes(sock.got)))
    assert isinstance(welcome, Welcome)
    assert isinstance(gap, Gap)
    assert (welcome.position, gap.first_position, gap.last_position) == (10, 3, 9)
    place.accounted()
