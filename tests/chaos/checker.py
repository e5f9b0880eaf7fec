"""What must hold of what clients saw, whatever happened to them and to the relay. Pure.

Of each consumer: positions are one more each message, except where a Gap names exactly those that
are missing; each producer's numbers are one more each message, except across such a Gap. Of all:
the same message at the same position, also in a log that went on where another one ended. Of each
producer: what was acknowledged was seen by everyone, unless it may be what a Gap names, and nothing
was seen that was not sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from protocol.control import GapReason
from tests.chaos.notebook import GAP, LOG, MESSAGE, Entry

# Producer and number at each position of each log.
Order = dict[tuple[int, int], tuple[int, int]]


@dataclass
class Account:
    """What one consumer saw, added up. `faults` are sentences."""

    name: str
    messages: int = 0
    gaps: int = 0
    missing: int = 0
    lost: int = 0
    repeated: int = 0
    reordered: int = 0
    last: dict[int, int] = field(default_factory=dict)
    since_gap: set[int] = field(default_factory=set)  # producers with messages since the last Gap
    faults: list[str] = field(default_factory=list)


def check(
    seen: Mapping[str, Sequence[Entry]], sent: Mapping[int, tuple[int, int]]
) -> list[Account]:
    """Accounts of all consumers, by their entries; `sent` has the last number sent and the last
    acknowledged of each producer."""
    order: Order = {}
    before = lineage(seen)
    begun = _first_log(next(iter(seen.values())), before)
    accounts = [_consumer(name, entries, order, before, begun) for name, entries in seen.items()]
    for account in accounts:
        for producer, (number, acked) in sent.items():
            last = account.last.get(producer, 0)
            if last > number:
                account.faults.append(f"producer {producer}: {last} was seen, {number} was sent")
            if last < acked and (producer in account.since_gap or not account.gaps):
                account.lost += acked - last
                account.faults.append(f"producer {producer}: {acked} was acknowledged, seen {last}")
    return accounts


def lineage(seen: Mapping[str, Sequence[Entry]]) -> dict[int, int]:
    """The log that each goes on from: a consumer came from one to the other without a Gap."""
    before: dict[int, int] = {}
    for entries in seen.values():
        had = log_id = 0
        for entry in entries:
            if entry.kind == LOG:
                log_id = entry.one
            elif entry.kind == GAP and entry.three == GapReason.LOG_REPLACED:
                had = 0
            elif entry.kind == MESSAGE:
                if had not in (0, log_id):
                    before.setdefault(log_id, had)
                had = log_id
    return before


def _first(log_id: int, before: Mapping[int, int]) -> int:
    """The log that all began with: positions are the same in those that go on from it."""
    for _ in before:
        log_id = before.get(log_id, log_id)
    return log_id


def _first_log(entries: Sequence[Entry], before: Mapping[int, int]) -> int:
    """The log that a consumer began with; 0 where it had none."""
    logs = (entry.one for entry in entries if entry.kind == LOG)
    return _first(next(logs, 0), before)


def _consumer(
    name: str, entries: Sequence[Entry], order: Order, before: Mapping[int, int], begun: int
) -> Account:
    account = Account(name)
    # It came when the log that all others began with was gone: nobody could tell it of that.
    later = _first_log(entries, before) != begun
    expected: int | None = None
    log_id = 0
    for kind, one, two, three in entries:
        if kind == LOG:
            log_id = _first(one, before)
        elif kind == GAP:
            expected = _gap(account, expected, Entry(kind, one, two, three))
        elif kind == MESSAGE:
            _position(account, expected, one)
            expected = one + 1
            there = order.setdefault((log_id, one), (two, three))
            if there != (two, three):
                account.reordered += 1
                account.faults.append(f"position {one}: {(two, three)}, elsewhere {there}")
            anew = later or account.gaps > 0
            _number(account, two, three, fresh=anew and two not in account.since_gap)
            account.since_gap.add(two)
            account.messages += 1
    return account


def _gap(account: Account, expected: int | None, gap: Entry) -> int | None:
    """Counted; gives the position that is due behind it, None in another log."""
    _, first, last, reason = gap
    account.gaps += 1
    account.since_gap.clear()
    if reason == GapReason.LOG_REPLACED:
        account.last.clear()
        return None
    if expected not in (None, first):
        account.faults.append(f"a Gap from {first} on where {expected} was due")
    account.missing += last - first + 1
    return last + 1


def _position(account: Account, expected: int | None, position: int) -> None:
    if expected is None or position == expected:
        return
    if position > expected:
        account.lost += position - expected
    else:
        account.repeated += 1
    account.faults.append(f"position {position} where {expected} was due")


def _number(account: Account, producer: int, number: int, fresh: bool) -> None:
    """Where a Gap came between, numbers go on behind it; else each is one more."""
    due = account.last.get(producer, 0) + 1
    account.last[producer] = max(number, account.last.get(producer, 0))
    if number == due or (fresh and number > due) or (fresh and due == 1):
        return
    if number > due:
        account.lost += number - due
    elif number == due - 1:
        account.repeated += 1
    else:
        account.reordered += 1
    account.faults.append(f"producer {producer}: {number} where {due} was due")
