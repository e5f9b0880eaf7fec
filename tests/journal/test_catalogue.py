"""The files of a journal in order: which position is where, whose log it is, and what may go."""

import pytest

from relays.core.journal.catalogue import Catalogue, Plan, Unreadable
from relays.core.journal.records import ENDLESS
from tests.journal.handmade import Disk, Journal, commits, journal

SIZE = 64 * 1024


def two_logs() -> Journal:
    """A journal that went on at position 300 with log 8, and at 600 with log 9."""
    made = journal(commits(100))
    for log_id in (8, 9):
        made.log_id, made.log_begin = log_id, made.position
        made.begin(created_ns=made.position)
        for each in commits(100):
            made.commit(each)
    return made


def test_each_position_is_in_one_segment() -> None:
    made = journal(commits(900))
    catalogue = Catalogue(made.files)
    assert [each.name for each in catalogue.files] == sorted(made.files)
    for wrote in made.wrote:
        assert catalogue.segment(wrote.first).name == wrote.file
    with pytest.raises(LookupError):
        Catalogue({}).segment(0)


def test_other_files_of_the_directory_are_left_alone() -> None:
    made = journal(commits(10))
    others = {"next.segment", "lock", "5.segment", "00000000000000000007.segment.cut"}
    catalogue = Catalogue({**made.files, **{name: Disk(b"") for name in others}})
    assert [each.name for each in catalogue.files] == [made.name]


@pytest.mark.parametrize("size", [0, 7, 4095, 4096])
def test_a_file_without_a_header_is_unreadable_and_says_why(size: int) -> None:
    made = journal(commits(900))
    name = sorted(made.files)[1]
    made.files[name] = Disk(bytes(size))
    catalogue = Catalogue(made.files)
    (bad,) = [each for each in catalogue.files if isinstance(each, Unreadable)]
    assert (bad.name, bad.first, bad.until) == (name, int(name[:20]), catalogue.files[2].first)
    assert catalogue.segments[0].until == bad.first
    with pytest.raises(LookupError):
        catalogue.segment(bad.first)


def test_a_file_under_another_name_is_unreadable() -> None:
    made = journal(commits(10))
    catalogue = Catalogue({"00000000000000000005.segment": made.files[made.name]})
    assert isinstance(catalogue.files[0], Unreadable)
    assert catalogue.files[0].reason == "the header says position 0, not 5"


def test_a_consumer_of_an_older_log_goes_on_up_to_where_the_next_began() -> None:
    catalogue = Catalogue(two_logs().files)
    assert [tuple(getattr(each, n) for n in ("log_id", "begin", "end")) for each in
            catalogue.lineage()] == [(7, 0, 300), (8, 300, 600), (9, 600, ENDLESS)]  # fmt: skip
    for log_id, position, goes_on in (
        (7, 0, True), (7, 300, True), (7, 301, False), (8, 10, True), (8, 600, True),
        (8, 601, False), (9, 10, True), (9, 900, True), (6, 0, False),
    ):  # fmt: skip
        assert catalogue.continues(log_id, position) == goes_on


def test_what_retention_removed_cannot_be_gone_on_with() -> None:
    made = two_logs()
    made.files.pop(sorted(made.files)[0])
    catalogue = Catalogue(made.files)
    assert catalogue.oldest == 300
    assert not catalogue.continues(8, 299)
    assert catalogue.continues(8, 300)
    assert not catalogue.continues(7, 300)


def plan(made: Journal, **how: int) -> Plan:
    given = {"most": 100 * SIZE, "hard_limit": 100 * SIZE, "now_ns": 10**9, **how}
    return Catalogue(made.files).plan(**given)


def test_the_oldest_files_go_when_there_are_too_many_bytes() -> None:
    made = journal(commits(900))
    names = sorted(made.files)
    assert plan(made) == Plan((), 0, cut=False)
    assert plan(made, most=SIZE * (len(names) - 2)).remove == tuple(names[:2])
    assert plan(made, most=0).remove == tuple(names[:-1])


def test_files_go_when_the_next_one_is_too_old() -> None:
    made = two_logs()
    names = sorted(made.files)
    assert plan(made, age_ns=1, now_ns=301).remove == ()
    assert plan(made, age_ns=1, now_ns=302).remove == tuple(names[:1])
    assert plan(made, age_ns=1, now_ns=10**6).remove == tuple(names[:2])


def test_what_a_consumer_needs_stays_up_to_the_hard_limit() -> None:
    made = journal(commits(900))
    names = sorted(made.files)
    second = int(names[1][:20])
    assert plan(made, most=0, needed=second) == Plan(tuple(names[:1]), second, cut=False)
    assert plan(made, most=0, needed=second - 1) == Plan((), 0, cut=False)
    third = int(names[2][:20])
    cut = plan(made, most=0, needed=0, hard_limit=SIZE * (len(names) - 2))
    assert cut == Plan(tuple(names[:2]), third, cut=True)
