"""One segment's records, searched by position, time and offset, also where pages are lost."""

import random
from dataclasses import replace

import pytest

from relays.core.journal.catalogue import Catalogue
from relays.core.journal.reading import FEW, Fault, Reading, Stretch, between
from relays.core.journal.records import Segment
from relays.core.journal.segment import SegmentError
from tests.journal.handmade import RECORD, Disk, Journal, Sent, commits, frame, journal


def segments(made: Journal) -> list[Segment]:
    return Catalogue(made.files).segments


def test_every_position_is_found_with_who_wrote_it_and_where() -> None:
    made = journal(commits(500, payload=40))
    found = {each.name: each for each in segments(made)}
    for wrote in made.wrote:
        for position in range(wrote.first, wrote.end):
            segment = found[wrote.file]
            number, commit = segment.find(position)
            assert (number, commit.first_position) == (wrote.number, wrote.first)
            assert (commit.uid, commit.pid) == (wrote.sent.uid, wrote.sent.pid)
            assert commit.last_sequence == wrote.sent.last_sequence
            assert segment.locate(position) == position * 72
            assert segment.at_offset(position * 72 + 5)[0] == number


def test_what_is_not_there_is_an_error() -> None:
    made = journal(commits(300))
    first, last = segments(made)[0], segments(made)[-1]
    for segment, position in ((first, first.until), (last, made.position), (last, 0)):
        with pytest.raises(LookupError, match="no good record"):
            segment.find(position)
    with pytest.raises(LookupError, match="no good record"):
        last.at_offset(made.offset)


def test_times_are_found_and_those_in_between_give_the_next() -> None:
    made = journal(commits(700))
    catalogue = Catalogue(made.files)
    for wrote in made.wrote[::7]:
        assert catalogue.since(wrote.sent.receive_ns) == wrote.first
        assert catalogue.since(wrote.sent.receive_ns + 1) == wrote.end
    assert catalogue.since(0) == 0
    assert catalogue.since(2**63) == made.position


@pytest.mark.parametrize("seed", range(30))
def test_records_behind_lost_pages_are_found(seed: int) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    made = journal(commits(chance.randint(1, 200), frames=2))
    lost = set(chance.sample(range(len(made.wrote)), chance.randrange(len(made.wrote))))
    disk = made.files[made.name].data
    for number in lost:
        begin = made.size - RECORD * (number + 1)
        disk[begin : begin + RECORD] = bytes(RECORD)
    (segment,) = segments(made)
    for wrote in made.wrote:
        if wrote.number not in lost:
            assert segment.find(wrote.end - 1)[0] == wrote.number
        else:
            with pytest.raises(LookupError):
                segment.find(wrote.first)


@pytest.mark.parametrize("seed", range(30))
def test_the_end_of_a_segment_is_where_its_tail_is_torn(seed: int) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    made = journal(commits(chance.randint(0, 250), frames=2, lag=chance.choice([0, 1, 20])))
    if not made.name:
        made.begin()
    synced = max([0, *(each.sent.synced for each in made.wrote)])
    late = [each.number for each in made.wrote if each.first >= synced]
    lost = sorted(chance.sample(late, chance.randrange(len(late) + 1)))
    disk = made.files[made.name].data
    for number in lost:
        begin = made.size - RECORD * (number + 1)
        disk[begin : begin + RECORD] = bytes(RECORD)
    number = lost[0] if lost else len(made.wrote)
    (segment,) = segments(made)
    end = segment.end()
    assert (end.number, end.position) == (number, number * 2)
    assert end.place == made.head + number * 128


def test_a_damaged_record_before_what_is_synced_is_not_the_end() -> None:
    made = journal(commits(150))
    made.files[made.name].data[-RECORD * 31] ^= 1
    (segment,) = segments(made)
    assert segment.end().position == made.position


def test_reading_gives_every_frame_once_and_in_order() -> None:
    made = journal(commits(500, payload=33))
    wanted = b"".join(each.sent.data for each in made.wrote)
    got = bytearray()
    for segment in segments(made):
        for part in Reading(segment, buffer=bytearray(1000)):
            assert isinstance(part, Stretch)
            got += part.frames
    assert got == wanted


def test_reading_begins_at_a_mark_and_between_cuts_to_positions() -> None:
    made = journal(commits(100, payload=33))
    (segment,) = segments(made)
    wanted = [each for wrote in made.wrote for each in wrote.sent.frames]
    for first, end in ((0, 1), (10, 20), (11, 11), (299, 300), (1, 300)):
        parts = Reading(segment, segment.mark(first), buffer=bytearray(1000))
        got = b"".join(
            bytes(between(part, first, end))
            for part in parts
            if isinstance(part, Stretch) and part.first < end
        )
        assert got == b"".join(wanted[first:end])


def test_a_commit_larger_than_the_buffer_is_read() -> None:
    made = journal([Sent([frame(n, 100) for n in range(300)])])
    (segment,) = segments(made)
    (part,) = list(Reading(segment, buffer=bytearray(64)))
    assert isinstance(part, Stretch)
    assert (part.first, part.end, len(part.frames)) == (0, 300, 300 * 132)


def test_reading_names_what_is_wrong_and_goes_on() -> None:
    made = journal(commits(100))
    disk = made.files[made.name].data
    disk[made.wrote[10].place + 33] ^= 1
    disk[-RECORD * 21 + 7] ^= 1
    (segment,) = segments(made)
    parts = list(Reading(segment))
    faults = [part for part in parts if isinstance(part, Fault)]
    assert [(each.first, each.end) for each in faults] == [(30, 33), (60, 63)]
    assert [each.offset for each in faults] == [made.wrote[10].place, made.size - RECORD * 21]
    good = [(part.first, part.end) for part in parts if isinstance(part, Stretch)]
    assert good == [(0, 30), (33, 60), (63, 300)]
    with pytest.raises(LookupError):
        segment.locate(61)


def test_frames_that_are_damaged_inside_a_commit_are_not_located() -> None:
    made = journal(commits(10))
    made.files[made.name].data[made.wrote[2].place] ^= 1
    (segment,) = segments(made)
    with pytest.raises(SegmentError, match="no frame"):
        segment.locate(made.wrote[2].first + 1)


class Growing(Disk):
    """A file that the relay goes on writing while it is read: the second look finds more."""

    def __init__(self, before: Disk, after: Disk) -> None:
        super().__init__(before.data)
        self.after = after

    def read(self, offset: int, size: int) -> bytes:
        found = super().read(offset, size)
        self.data[offset : offset + size] = self.after.data[offset : offset + size]
        return found


def test_a_record_that_is_written_meanwhile_is_not_called_damaged() -> None:
    made = journal(commits(100))
    whole = made.files[made.name]
    before = Disk(whole.data)
    before.data[-RECORD * 51 : -RECORD * 50] = bytes(RECORD)
    (segment,) = segments(made)
    parts = list(Reading(replace(segment, source=Growing(before, whole))))
    assert all(isinstance(part, Stretch) for part in parts)
    assert sum(part.end - part.first for part in parts if isinstance(part, Stretch)) == 300


class Later(Disk):
    """A file that grows once some frames of it have been read."""

    def __init__(self, before: Disk, after: Disk) -> None:
        super().__init__(before.data)
        self.after = after

    def read_into(self, offset: int, buffer: memoryview) -> int:
        found = super().read_into(offset, buffer)
        self.data[:] = self.after.data
        return found


def test_frames_that_were_read_before_their_records_were_there_are_read_again() -> None:
    sent = commits(400, frames=1)
    before, after = journal(sent[:FEW]), journal(sent)
    (segment,) = segments(after)
    growing = replace(segment, source=Later(before.files[before.name], after.files[after.name]))
    parts = list(Reading(growing))
    assert [part for part in parts if isinstance(part, Fault)] == []
    assert sum(part.end - part.first for part in parts if isinstance(part, Stretch)) == 400
