"""The checker finds each thing it is for, and notebooks survive a death at any byte."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from protocol.control import GapReason
from tests.chaos.checker import Account, check
from tests.chaos.notebook import ENTRY, GAP, LOG, MESSAGE, NEXT, Entry, Seen, Sent

# Two producers by turns: producer 1 has even positions, producer 2 odd ones.
WHOLE = [Entry(MESSAGE, at, at % 2 + 1, at // 2 + 1) for at in range(20)]
SENT = {1: (10, 10), 2: (10, 10)}


def account(entries: list[Entry], sent: dict[int, tuple[int, int]] = SENT) -> Account:
    return check({"steady": WHOLE, "other": entries}, sent)[1]


def test_what_came_whole_has_no_fault() -> None:
    found = account(WHOLE)
    assert (found.messages, found.faults) == (20, [])


def without(at: int) -> list[Entry]:
    """A message is missing and nothing says so: positions go on."""
    return WHOLE[:at] + [entry._replace(one=entry.one - 1) for entry in WHOLE[at + 1 :]]


@pytest.mark.parametrize(
    ("entries", "counted", "fault"),
    [
        (WHOLE[:7] + WHOLE[8:], "lost", "position 8 where 7 was due"),
        (without(7), "lost", "producer 2: 5 where 4 was due"),
        (WHOLE[:8] + WHOLE[7:], "repeated", "position 7 where 8 was due"),
        ([*WHOLE[:5], WHOLE[6]._replace(one=5), WHOLE[5]._replace(one=6), *WHOLE[7:]],
         "reordered", "position 5: (1, 4), elsewhere (2, 3)"),
        (WHOLE[:18], "lost", "producer 1: 10 was acknowledged, seen 9"),
    ],
)  # fmt: skip
def test_a_loss_a_repeat_and_another_order_are_found(
    entries: list[Entry], counted: str, fault: str
) -> None:
    found = account(entries)
    assert getattr(found, counted) > 0
    assert fault in found.faults


def test_what_was_never_sent_is_found() -> None:
    assert account(WHOLE, SENT | {2: (9, 9)}).faults == ["producer 2: 10 was seen, 9 was sent"]


def test_a_gap_must_name_exactly_what_is_missing() -> None:
    right = [*WHOLE[:6], Entry(GAP, 6, 9, GapReason.TOO_SLOW), *WHOLE[10:]]
    found = account(right)
    assert (found.gaps, found.missing, found.faults) == (1, 4, [])
    for first, last in ((7, 9), (6, 8), (6, 10)):
        wrong = [*WHOLE[:6], Entry(GAP, first, last, GapReason.TOO_SLOW), *WHOLE[10:]]
        assert account(wrong).faults


def test_behind_a_gap_the_old_is_not_taken_for_the_new() -> None:
    again = [*WHOLE[:6], Entry(GAP, 6, 9, GapReason.TOO_SLOW),
             *(entry._replace(one=entry.one + 8) for entry in WHOLE[2:])]  # fmt: skip
    assert account(again).repeated + account(again).reordered > 0


def test_another_log_begins_again_and_has_an_order_of_its_own() -> None:
    other = [Entry(LOG, 5, 0, 0), Entry(MESSAGE, 0, 2, 1), Entry(MESSAGE, 1, 1, 1)]
    replaced = [*WHOLE, Entry(GAP, 20, 20, GapReason.LOG_REPLACED), *other]
    assert account(replaced, {1: (1, 1), 2: (1, 1)}).faults == []


def test_a_log_that_goes_on_from_another_has_its_order() -> None:
    moved = [Entry(LOG, 5, 0, 0), *WHOLE[:10], Entry(LOG, 6, 0, 0), *WHOLE[10:]]
    swapped = [WHOLE[6]._replace(one=5), WHOLE[5]._replace(one=6)]
    late = [Entry(LOG, 6, 0, 0), *WHOLE[:5], *swapped, *WHOLE[7:]]
    right, wrong = check({"moved": moved, "late": late}, SENT)
    assert right.faults == []
    assert "position 5: (1, 4), elsewhere (2, 3)" in wrong.faults


def test_who_comes_when_the_first_log_is_gone_begins_where_that_one_does() -> None:
    late = [Entry(LOG, 6, 0, 0), *(entry._replace(one=entry.one - 10) for entry in WHOLE[10:])]
    replaced = Entry(GAP, 10, 10, GapReason.LOG_REPLACED)
    steady = [Entry(LOG, 5, 0, 0), *WHOLE[:10], replaced, *late]
    assert [one.faults for one in check({"steady": steady, "late": late}, SENT)] == [[], []]
    hole = [*late[:3], *late[4:]]
    assert check({"steady": steady, "late": hole}, SENT)[1].lost > 0


def test_behind_a_gap_too_what_was_acknowledged_must_come() -> None:
    whole = [*WHOLE[:6], Entry(GAP, 6, 9, GapReason.TOO_SLOW), *WHOLE[10:]]
    assert account(whole[:-1]).faults == ["producer 2: 10 was acknowledged, seen 9"]
    assert account(whole[:7]).faults == []


def test_a_notebook_cut_at_any_byte_goes_on_behind_the_last_whole_entry(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    parts = [WHOLE[:3], [Entry(NEXT, 3, 77, 0)], WHOLE[3:8], [Entry(NEXT, 8, 77, 0)]]
    whole = b"".join(ENTRY.pack(*entry) for part in parts for entry in part)
    for size in range(0, len(whole) + 1, 5):
        path.write_bytes(whole[:size])
        seen = Seen(path)
        where = seen.next()
        had = [entry for entry in Seen.read(path) if entry.kind == MESSAGE]
        assert len(had) == (where[0] if where else 0)
        seen.note([*WHOLE[len(had) :], Entry(NEXT, 20, 77, 0)])
        assert [entry for entry in Seen.read(path) if entry.kind == MESSAGE] == WHOLE
        assert Seen.where(path) == (20, 77)


def test_a_producers_notebook_has_the_last_that_was_noted(tmp_path: Path) -> None:
    assert Sent.read(tmp_path / "sent") == (0, 0)
    Sent(tmp_path / "sent")
    assert Sent.read(tmp_path / "sent") == (0, 0)
    numbers = random.Random(1).sample(range(1000), 10)
    for number in numbers:
        Sent(tmp_path / "sent").note(number, number - 1)
    assert Sent.read(tmp_path / "sent") == (numbers[-1], numbers[-1] - 1)
