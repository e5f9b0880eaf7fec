"""The compiled check: each thing that can be wrong is found and named, and nothing else is read."""

import random
import struct
import zlib
from collections.abc import Callable

import pytest

from protocol._core.journal_check import BAD_FRAMES, REASONS, SOUND, Check, learn_producers, walk
from tests.journal.handmade import (
    PAGE,
    RECORD,
    Disk,
    Journal,
    Sent,
    commits,
    copied,
    frame,
    journal,
)

FIELDS = {"position": (0, "<Q"), "place": (48, "<I"), "count": (52, "<I"), "size": (56, "<I")}


def check_of(made: Journal, *, checksums: bool = False) -> Check:
    place = made.head
    return Check(
        seed=made.seed, room=made.size, position=0, place=place, chain=0, checksums=checksums
    )


def records(made: Journal, disk: Disk) -> bytes:
    return disk.read(made.size - RECORD * made.number, RECORD * made.number)


def run(made: Journal, disk: Disk, *, checksums: bool = False) -> Check:
    """A check that has gone over all of a journal of one segment."""
    check = check_of(made, checksums=checksums)
    check.run(disk.read(made.head, made.place - made.head), made.head, records(made, disk))
    return check


def signed(made: Journal, disk: Disk, number: int, name: str, value: int) -> None:
    """Another value in a record, whose checksum is right again."""
    begin = made.size - RECORD * (number + 1)
    at, kind = FIELDS[name]
    struct.pack_into(kind, disk.data, begin + at, value)
    crc = zlib.crc32(disk.data[begin : begin + RECORD - 4], made.seed)
    struct.pack_into("<I", disk.data, begin + RECORD - 4, crc)


def one() -> tuple[Journal, Disk]:
    made = journal(commits(20))
    return made, copied(made.files)[made.name]


def test_a_good_run_is_gone_over_to_its_end() -> None:
    made, disk = one()
    check = run(made, disk, checksums=True)
    assert (check.fault, check.number, check.position) == (SOUND, 20, made.position)
    assert (check.place, check.chain) == (made.place, made.chain)
    assert check.synced == max(each.sent.synced for each in made.wrote)


def test_records_alone_come_to_the_same_end() -> None:
    made, disk = one()
    check = check_of(made)
    assert check.skim(records(made, disk)) == 20
    assert (check.position, check.place, check.chain) == (made.position, made.place, made.chain)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("position", 18, "does not begin at the next position"),
        ("position", 2**64 - 1, "does not begin at the next position"),
        ("place", PAGE, "do not begin where those before end"),
        ("count", 0, "no room"),
        ("count", 2, "another number of frames"),
        ("count", 7, "no room"),
        ("size", 31, "no room"),
        ("size", 2**32 - 1, "no room"),
        ("size", 192 - 64, "checksum of the frames"),
    ],
)
def test_a_record_that_lies_with_a_right_checksum_is_found(
    name: str, value: int, reason: str
) -> None:
    made, disk = one()
    signed(made, disk, 5, name, value)
    check = run(made, disk)
    assert check.number == 5
    assert reason in check.reason


def lying_frames(change: Callable[[bytearray], None]) -> Check:
    """A check of one commit of three frames that were changed before they were written."""
    data = bytearray(b"".join(frame(n) for n in range(3)))
    change(data)
    made = journal([Sent([bytes(data[n : n + 64]) for n in (0, 64, 128)])])
    return run(made, made.files[made.name], checksums=True)


@pytest.mark.parametrize(
    ("at", "value", "reason", "place"),
    [
        (0, 1, "right header", 0),
        (64 + 8, 33, "checksum of one frame", 64),
        (128 + 8, 33, "right header", 128),
        (128 + 8, 31, "checksum of one frame", 128),
        (128 + 11, 255, "right header", 128),
        (100, 9, "checksum of one frame", 64),
    ],
)
def test_a_frame_that_lies_under_right_checksums_is_found(
    at: int, value: int, reason: str, place: int
) -> None:
    check = lying_frames(lambda data: data.__setitem__(at, value))
    assert reason in check.reason
    assert check.fault_place == PAGE + place


def test_other_frames_than_the_ones_before_break_the_chain() -> None:
    made, disk = one()
    check = check_of(made)
    frames = disk.read(made.head, made.place - made.head)
    other = Check(seed=made.seed, room=made.size, position=0, place=made.head, chain=1)
    assert other.run(frames, made.head, records(made, disk)) == 0
    assert "chain" in other.reason
    unknown = Check(
        seed=made.seed, room=made.size, position=0, place=made.head, chain=1, chained=False
    )
    unknown.run(frames, made.head, records(made, disk))
    check.run(frames, made.head, records(made, disk))
    assert unknown.chain == check.chain == made.chain


def test_it_goes_over_bad_frames_and_on_from_the_next_record() -> None:
    made, disk = one()
    disk.data[made.wrote[4].place + 40] ^= 1
    check = run(made, disk)
    assert (check.number, check.fault) == (4, BAD_FRAMES)
    check.step_over()
    frames, behind = disk.read(made.head, made.place - made.head), 15 * RECORD
    check.run(frames, made.head, records(made, disk)[:behind])
    assert (check.fault, check.position, check.chain) == (SOUND, made.position, made.chain)


def test_it_says_how_many_bytes_it_needs_and_goes_on_with_them() -> None:
    made, disk = one()
    check, behind = check_of(made), records(made, disk)
    assert check.run(disk.read(made.head, 500), made.head, behind) == 2
    assert (check.need, check.place) == (192, made.head + 384)
    behind = behind[: -2 * RECORD]
    assert check.run(disk.read(check.place, made.size), check.place, behind) == 18
    assert (check.need, check.fault) == (0, SOUND)


def test_a_search_finds_the_next_good_record_and_no_older_one() -> None:
    made, disk = one()
    for number in (3, 4, 5):
        disk.data[made.size - RECORD * (number + 1) + 10] ^= 1
    check = run(made, disk)
    assert check.number == 3
    assert check.search(records(made, disk)[: -3 * RECORD])
    assert (check.number, check.position) == (6, made.wrote[6].first)
    stale = records(made, disk)[-3 * RECORD :]
    assert not check.search(stale)
    assert check.number == 9


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_handed_in_it_stays_inside(seed: int) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    made, disk = one()
    for _ in range(50):
        number = chance.randrange(20)
        name = chance.choice(list(FIELDS))
        top = 2**64 if name == "position" else 2**32
        value = chance.choice(
            [0, 1, 2**31, top - 1, chance.randrange(top), made.wrote[number].first]
        )
        signed(made, disk, number, name, value)
    behind = records(made, disk)
    for _ in range(50):
        check = Check(
            seed=made.seed,
            room=chance.choice([0, 79, 80, made.size, 2**63, 2**64 - 1]),
            position=chance.choice([0, 3, 2**64 - 1]),
            place=chance.choice([0, made.head, 2**64 - 1, chance.randrange(made.size)]),
            chain=0,
            number=chance.choice([0, 1, 2**60, 2**64 - 1]),
            checksums=True,
        )
        part = behind[: chance.randrange(len(behind))]
        frames = disk.read(chance.randrange(made.size), chance.randrange(2000))
        check.run(frames, chance.choice([0, made.head, 2**64 - 1]), part)
        check.search(part)
        check.skim(part)
        assert check.reason in REASONS.values()


def test_walking_gives_where_a_frame_begins_and_refuses_what_is_not_there() -> None:
    frames = frame(1, 0) + frame(2, 100) + frame(3, 7)
    assert [walk(frames, n) for n in range(4)] == [0, 32, 164, 203]
    for data, count in ((frames, 4), (frames[:-1], 3), (frames[1:], 1), (b"", 1)):
        with pytest.raises(ValueError, match="byte"):
            walk(data, count)


def test_the_producers_of_records_are_the_last_said_of_each() -> None:
    made, disk = one()
    table = {(1000, 1): (1, 1), (5, 5): (2, 2)}
    learn_producers(records(made, disk), table)
    assert table == {(5, 5): (2, 2), **made.producers}
