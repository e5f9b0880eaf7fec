"""What a relay starts from, after every kind of harm to a journal's files.

The oracle looks at which bytes were changed, and says from the rules of the README what has to be
found; it reads no record. Seeds are in the tests' names.
"""

import random
import zlib
from contextlib import suppress

import pytest

from relays.core.journal.catalogue import Catalogue
from relays.core.journal.reading import Fault, Reading
from relays.core.journal.recovery import Recovered, recover
from relays.core.journal.segment import SegmentError
from tests.journal.handmade import (
    PAGE,
    RECORD,
    Disk,
    Journal,
    Sent,
    Wrote,
    commits,
    copied,
    frame,
    journal,
)

Span = tuple[int, int | None]


class Oracle:
    """What recovery has to say of `files`, which were `made` before they were harmed."""

    def __init__(self, made: Journal, files: dict[str, Disk]) -> None:
        self.made, self.files = made, files
        self.names = sorted(files)
        headers = [int.from_bytes(files[name].data[64:72], "little") for name in self.names]
        intact = [each for each in made.wrote if self.record_good(each)]
        self.synced = max([*headers, *(each.sent.synced for each in intact)])
        ends = {each.file: each.end for each in intact}
        self.checked = [*self.names[-2:], *(n for n in self.names if ends.get(n, 0) > self.synced)]
        faults = self.faults()
        torn = [span for span in faults if span[0] >= self.synced]
        self.damage = [span for span in faults if span[0] < self.synced]
        self.torn = torn[0][0] if torn else None
        self.position = torn[0][0] if torn else self.end()

    def same(self, wrote: Wrote, begin: int, size: int) -> bool:
        place = slice(begin, begin + size)
        return self.made.files[wrote.file].data[place] == self.files[wrote.file].data[place]

    def record_good(self, wrote: Wrote) -> bool:
        return self.same(wrote, self.record_place(wrote), RECORD)

    def record_place(self, wrote: Wrote) -> int:
        return self.made.size - RECORD * (wrote.number + 1)

    def frames_good(self, wrote: Wrote) -> bool:
        known = self.same(wrote, wrote.place, len(wrote.sent.data))
        return known or wrote.file not in self.checked

    def faults(self) -> list[Span]:
        """In order: the commits without a record, neighbours together, and those without frames."""
        found: list[Span] = []
        missing: list[Wrote] = []
        for each in self.made.wrote:
            if missing and missing[0].file != each.file:
                found.append((missing[0].first, each.first))
                missing = []
            if not self.record_good(each):
                missing.append(each)
                continue
            if missing:
                found.append((missing[0].first, each.first))
                missing = []
            if not self.frames_good(each):
                found.append((each.first, each.end))
        if missing and not self.is_end(missing):
            found.append((missing[0].first, None))
        return found

    def is_end(self, missing: list[Wrote]) -> bool:
        """Whether nothing says that there was something: the record is zeros, as behind the end."""
        place = self.record_place(missing[0])
        return not any(self.files[missing[0].file].data[place : place + RECORD])

    def end(self) -> int:
        left = [each for each in self.made.wrote if self.record_good(each)]
        end = left[-1].end if left and left[-1].file == self.names[-1] else int(self.names[-1][:20])
        return max(end, self.synced)

    def producers(self) -> dict[tuple[int, int], tuple[int, int]]:
        """Of what is before the end; a damaged record is nobody's."""
        name = [name for name in self.names if int(name[:20]) <= self.position][-1]
        table = {}
        for each in self.made.wrote:
            if each.first >= self.position:
                break
            if each.sent.producer_id and (each.file < name or self.record_good(each)):
                sent = each.sent
                table[sent.uid, sent.producer_id] = (sent.last_sequence, sent.receive_ns)
        return table


def check(made: Journal, files: dict[str, Disk]) -> Recovered:
    """Recover, and compare with the oracle."""
    found, oracle = recover(Catalogue(files)), Oracle(made, files)
    assert found.synced == oracle.synced
    assert [(each.first, each.end) for each in found.damage] == oracle.damage
    assert (found.torn.first if found.torn else None) == oracle.torn
    assert found.position == oracle.position
    assert found.producers == oracle.producers()
    before = [each for each in made.wrote if each.end <= found.position]
    if not found.damage:
        assert found.offset == sum(len(each.sent.data) for each in before)
        assert found.chain == (before[-1].chain if before else 0)
    if found.torn is None and not found.damage:
        assert found.last is not None
        assert found.mark is not None
    return found


def harmed(seed: int) -> tuple[Journal, dict[str, Disk], random.Random]:
    print(f"seed {seed}")
    chance = random.Random(seed)
    frames, payload = chance.randint(1, 6), chance.choice([0, 32, 33, 200])
    sent = commits(chance.randint(1, 900), frames, payload, chance.choice([1, 5, 60]))
    made = journal(sent, size=chance.choice([16, 64]) * 1024)
    return made, copied(made.files), chance


@pytest.mark.parametrize("seed", range(15))
def test_a_whole_journal_ends_where_it_was_left(seed: int) -> None:
    made, files, _ = harmed(seed)
    found = check(made, files)
    assert (found.position, found.offset, found.chain) == (made.position, made.offset, made.chain)
    assert (found.torn, found.damage, found.aside) == (None, (), ())
    assert found.last is not None
    assert (found.last.name, found.log_id) == (made.name, 7)
    assert found.mark is not None
    assert (found.mark.number, found.mark.place) == (made.number, made.place)
    assert found.producers == made.producers


def lose_sectors(disk: bytearray, since: Wrote, size: int, chance: random.Random) -> None:
    """Some of the sectors that were written from this commit on have not reached the disk."""
    begin, end = since.place, size - RECORD * since.number
    share = chance.choice([0.001, 0.03, 0.5, 1.0])
    for sector in range(begin // 512 * 512, end, 512):
        if chance.random() < share:
            low, high = max(sector, begin), min(sector + 512, end)
            disk[low:high] = bytes(high - low)


@pytest.mark.parametrize("seed", range(40))
def test_pages_lost_past_the_synced_position_are_a_torn_tail_and_nothing_else(seed: int) -> None:
    made, files, chance = harmed(seed)
    synced = max(each.sent.synced for each in made.wrote)
    for name in made.files:
        late = [each for each in made.wrote if each.file == name and each.first >= synced]
        if late:
            lose_sectors(files[name].data, late[0], made.size, chance)
    found = check(made, files)
    assert found.damage == ()
    assert found.position >= synced


@pytest.mark.parametrize("seed", range(50))
def test_flipped_bits_are_damage_below_what_is_synced_and_a_torn_tail_above(seed: int) -> None:
    made, files, chance = harmed(seed)
    for each in chance.choices(made.wrote, k=chance.randint(1, 6)):
        disk = files[each.file].data
        if chance.random() < 0.5:
            at = each.place + chance.randrange(len(each.sent.data))
        else:
            at = made.size - RECORD * each.number - 1 - chance.randrange(RECORD)
        disk[at] ^= 1 << chance.randrange(8)
    check(made, files)


@pytest.mark.parametrize("seed", range(25))
def test_zeroed_stretches_of_records_are_found_from_both_sides(seed: int) -> None:
    made, files, chance = harmed(seed)
    for each in chance.choices(made.wrote, k=chance.randint(1, 3)):
        begin = made.size - RECORD * (each.number + chance.randint(1, 20))
        place = max(begin, each.place + len(each.sent.data) * 20)
        end = min(made.size - RECORD * each.number, made.size)
        if place < end:
            files[each.file].data[place:end] = bytes(end - place)
    check(made, files)


def test_a_damaged_header_is_damage_of_its_segment_wherever_it_is() -> None:
    made = journal(commits(1000))
    names = sorted(made.files)
    for number, name in enumerate(names):
        files = copied(made.files)
        files[name].data[30] ^= 4
        found = recover(Catalogue(files))
        first, last = int(name[:20]), number == len(names) - 1
        following = None if last else int(names[number + 1][:20])
        assert [(each.file, each.first, each.end) for each in found.damage] == [
            (name, first, following)
        ]
        assert found.torn is None
        assert found.position == (max(first, found.synced) if last else made.position)
        assert found.aside == ((name,) if last else ())
        assert (found.last is None) == last


def test_a_file_cut_short_is_damage_for_its_records_are_at_its_end() -> None:
    made = journal(commits(1000))
    names = sorted(made.files)
    for size in (0, 100, PAGE, 8 * 1024, 40 * 1024, 64 * 1024 - RECORD):
        files = copied(made.files)
        files[names[-1]] = Disk(files[names[-1]].data[:size])
        found = recover(Catalogue(files))
        assert found.torn is None
        assert found.damage[0].file == names[-1]
        assert found.damage[0].first == int(names[-1][:20])
        files = copied(made.files)
        files[names[1]] = Disk(files[names[1]].data[:size])
        found = recover(Catalogue(files))
        assert found.position == made.position
        assert found.damage[0].first == int(names[1][:20])
        assert found.damage[-1].end == int(names[2][:20]) or size == 64 * 1024 - RECORD


def test_a_segment_that_is_gone_is_damage_of_the_one_before() -> None:
    made = journal(commits(1000))
    names = sorted(made.files)
    files = copied(made.files)
    del files[names[2]]
    found = recover(Catalogue(files))
    assert [(each.file, each.first, each.end) for each in found.damage] == [
        (names[1], int(names[2][:20]), int(names[3][:20]))
    ]
    assert found.position == made.position


def test_a_segment_behind_a_torn_one_does_not_count_and_must_get_another_name() -> None:
    made = journal(commits(1000, lag=100_000))
    names = sorted(made.files)
    files = copied(made.files)
    victim = next(each for each in made.wrote if each.file == names[2] and each.number == 5)
    files[victim.file].data[victim.place] ^= 1
    found = check(made, files)
    assert found.torn is not None
    assert (found.torn.file, found.position) == (names[2], victim.first)
    assert found.aside == (names[3], names[4])
    assert found.seen == made.position
    assert found.last is None


def test_after_a_failed_sync_the_next_segment_begins_before_the_end_of_the_last() -> None:
    made = journal(commits(100))
    again = made.wrote[60]
    made.position, made.chain = again.first, made.wrote[59].chain
    made.offset = sum(len(each.sent.data) for each in made.wrote[:60])
    made.producers = {
        (each.sent.uid, each.sent.producer_id): (each.sent.last_sequence, each.sent.receive_ns)
        for each in made.wrote[:60]
        if each.sent.producer_id
    }
    made.begin()
    overwritten, made.wrote = made.wrote[60:], made.wrote[:60]
    made.commit(Sent([frame(1000 + n) for n in range(500)], 9, 499, 5, again.first, uid=8))
    found = check(made, files := copied(made.files))
    assert found.position == made.position == again.first + 500
    assert (found.damage, found.torn) == ((), None)
    assert found.producers == {**made.producers, (8, 9): (499, 5)}
    files[overwritten[3].file].data[overwritten[3].place] ^= 1
    assert recover(Catalogue(files)).damage == ()


def test_files_are_named_whose_end_nothing_calls_synced() -> None:
    made = journal(commits(1000))
    assert recover(Catalogue(made.files)).unsynced == (sorted(made.files)[-1],)
    never = journal(commits(1000, lag=100_000))
    for name in sorted(never.files):
        never.files[name].data[64:72] = bytes(8)
    assert recover(Catalogue(never.files)).unsynced == tuple(sorted(never.files))
    made.synced = made.position
    made.begin()
    assert recover(Catalogue(made.files)).unsynced == ()


def test_an_empty_directory_begins_at_nothing() -> None:
    found = recover(Catalogue({"next.segment": Disk(bytes(100)), "lock": Disk(b"")}))
    assert (found.position, found.log_id, found.producers, found.last) == (0, None, {}, None)


def test_a_new_segment_without_a_commit_is_where_writing_goes_on() -> None:
    made = journal(commits(50))
    made.begin()
    found = recover(Catalogue(made.files))
    assert found.last is not None
    assert (found.last.name, found.position) == (made.name, made.position)
    assert found.mark == (0, made.position, made.head, made.chain)
    assert found.producers == made.producers


@pytest.mark.parametrize("seed", range(25))
def test_whatever_the_bytes_are_it_ends_and_says_something(seed: int) -> None:
    made, files, chance = harmed(seed)
    for disk in files.values():
        for _ in range(chance.randint(0, 40)):
            begin = chance.randrange(PAGE, made.size)
            size = chance.choice([1, 8, 80, 512, 4096])
            disk.data[begin : begin + size] = chance.randbytes(size)
        if chance.random() < 0.2:
            del disk.data[chance.randrange(made.size) :]
    found = recover(Catalogue(files))
    assert 0 <= found.position <= 2**64
    for fault in (*found.damage, *([found.torn] if found.torn else [])):
        assert fault.file in str(fault)


@pytest.mark.parametrize("seed", range(25))
def test_lies_under_right_checksums_end_too(seed: int) -> None:
    made, files, chance = harmed(seed)
    for disk in files.values():
        data = disk.data
        for at in chance.sample([16, 24, 32, 48, 56, 64, 72], chance.randint(0, 3)):
            value = chance.choice([0, 1, PAGE * 2, 2**31, 2**63, 2**64 - 1])
            data[at : at + 8] = value.to_bytes(8, "little")
        data[92:96] = zlib.crc32(data[:92]).to_bytes(4, "little")
        for slot in range(made.size - RECORD, PAGE, -RECORD):
            if any(data[slot : slot + RECORD]) and chance.random() < 0.9:
                if chance.random() < 0.1:
                    at = slot + chance.choice([0, 8, 32, 48, 52, 56])
                    data[at : at + 4] = chance.choice([b"\xff\xff\xff\xff", bytes(4), b"\0\1\0\0"])
                crc = zlib.crc32(data[slot : slot + RECORD - 4], zlib.crc32(data[:92]))
                data[slot + RECORD - 4 : slot + RECORD] = crc.to_bytes(4, "little")
        if chance.random() < 0.2:
            del data[chance.randrange(made.size) :]
    catalogue = Catalogue(files)
    assert recover(catalogue).position >= 0
    for segment in catalogue.segments:
        segment.end()
        segment.since(chance.randrange(2**64))
        with suppress(LookupError, SegmentError):
            segment.locate(chance.randrange(made.position + 1))


def test_what_is_wrong_before_position_0_takes_nothing_else_away() -> None:
    made = journal(commits(5))
    made.begin()
    files = copied(made.files)
    first = files["0" * 20 + ".segment"].data
    # A header that is right by itself and says that the file is larger than it is.
    first[16:24] = (made.size + 4 * RECORD).to_bytes(8, "little")
    seed = zlib.crc32(bytes(first[:92]))
    first[92:96] = seed.to_bytes(4, "little")
    for number in range(5):
        begin = made.size - RECORD * (number + 1)
        raw = bytes(first[begin : begin + RECORD - 4])
        first[begin + RECORD - 4 : begin + RECORD] = zlib.crc32(raw, seed).to_bytes(4, "little")
    parts = list(Reading(Catalogue(files).segments[0]))
    assert isinstance(parts[0], Fault)
    assert (parts[0].first, parts[0].end) == (0, 0)
    assert [(part.first, part.end) for part in parts[1:]] == [(0, 15)]


@pytest.mark.parametrize("made", [Journal(position=2**64 - 50), Journal(offset=2**64 - 50)])
def test_a_segment_of_positions_that_would_wrap_is_damage_and_recovery_ends(made: Journal) -> None:
    made.begin()
    found = recover(Catalogue(made.files))
    (damage,) = found.damage or (found.torn,)
    assert damage is not None
    assert "expected less than 9223372036854775808" in damage.reason
