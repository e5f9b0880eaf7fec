"""Damage that was accepted once is not asked about again; any other is (relays/README.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from relays.config import load
from relays.core.journal.accepted import covers, listed
from relays.core.journal.reading import Fault
from relays.core.journal.records import Mark
from relays.edge.journal.files import Folder
from relays.edge.journal.start import find
from relays.errors import RelayError
from tests.journal.handmade import RECORD, Journal, commits, journal

SMALL = 3 * 4096


def fault(first: int, end: int | None, file: str = "a.segment", reason: str = "not right") -> Fault:
    return Fault(file, 500, first, end, reason, Mark(0, first, 0, None))


@pytest.mark.parametrize(
    ("first", "end", "covered"),
    [(10, 20, True), (12, 13, True), (10, 10, True), (9, 11, False), (15, 21, False),
     (10, None, False)],
)  # fmt: skip
def test_what_was_accepted_covers_what_is_in_it_and_no_more(
    first: int, end: int | None, covered: bool
) -> None:
    accepted = listed([fault(1, 2), fault(10, 20, reason="line\tof words")])
    assert covers(accepted, fault(first, end)) == covered
    assert covers(listed([fault(10, None)]), fault(first, end)) == (first >= 10)
    assert not covers(accepted, fault(12, 13, "b.segment"))


@pytest.mark.parametrize(
    "text", ["", "\n", "a.segment", "a.segment x y", "a.segment 1 z 0 r", "\0"]
)
def test_a_file_that_says_nothing_accepts_nothing(text: str) -> None:
    assert not covers(text, fault(1, 2))


def harmed(made: Journal, place: Path, number: int) -> None:
    """The first file, with another byte in the record of this commit."""
    name = made.wrote[0].file
    data = bytearray((place / name).read_bytes())
    data[made.size - RECORD * number - 40] ^= 1
    (place / name).write_bytes(data)


def test_the_next_start_needs_no_telling_but_for_what_is_new(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    flags = {"runtime_dir": str(tmp_path), "journal": "on"}
    config = load("market_data", flags=flags, environ={}).config
    place = tmp_path / "journal" / "market_data"
    place.mkdir(parents=True, mode=0o700)
    made = journal(commits(200), SMALL)
    for name, disk in made.files.items():
        (place / name).write_bytes(disk.data)

    def starts(told: bool = False) -> int:
        found = find("market_data", config, told)
        assert found is not None
        found.folder.release()
        return len(found.journal.damage)

    harmed(made, place, 3)
    with pytest.raises(RelayError, match=r"damaged \(1 place\): .*positions 9 to 11"):
        starts()
    assert starts(told=True) == 1
    assert starts() == 1
    harmed(made, place, 5)
    with pytest.raises(RelayError, match=r"damaged \(1 place\): .*positions 15 to 17"):
        starts()
    assert starts(told=True) == 2
    assert starts() == 2
    whole = made.files[made.wrote[0].file].data
    (place / made.wrote[0].file).write_bytes(whole)  # out of a copy: nothing is accepted any more
    assert starts() == 0
    harmed(made, place, 3)
    with pytest.raises(RelayError, match="damaged"):
        starts()


def test_damage_at_the_end_is_accepted_also_when_the_journal_goes_on_behind_it(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o700)
    flags = {"runtime_dir": str(tmp_path), "journal": "on"}
    config = load("market_data", flags=flags, environ={}).config
    place = tmp_path / "journal" / "market_data"
    place.mkdir(parents=True, mode=0o700)
    made = journal(commits(20, lag=0))
    following = Journal(position=57, offset=made.offset // 20 * 19, chain=made.chain, log_id=8)
    following.log_begin = following.synced = 57
    data = bytearray(made.files[made.name].data)
    data[made.size - 20 * RECORD : made.size - 15 * RECORD] = bytes(5 * RECORD)
    following.begin()
    (place / made.name).write_bytes(data)
    folder = Folder("market_data", config)
    folder.accept(listed([fault(45, None, made.name)]))
    folder.release()
    (place / following.name).write_bytes(following.files[following.name].data)
    found = find("market_data", config, accept_damage=False)
    assert found is not None
    assert [(each.first, each.end) for each in found.journal.damage] == [(45, 57)]
    found.folder.release()
