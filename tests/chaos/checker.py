"""What must hold of what clients saw, whatever happened to them and to the relay. Pure.

Of each consumer: positions are one more each message, except where a Gap names exactly those that
are missing; each producer's numbers are one more each message, except across such a Gap. Of all:
the same message at the same position. Of each producer: what was acknowledged was seen by everyone
who has no Gap, and nothing was seen that was not sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    faults: list[str] = field(default_factory=list)


def check(
    seen: Mapping[str, Iterable[Entry]], sent: Mapping[int, tuple[int, int]]
) -> list[Account]:
    """Accounts of all consumers, by their entries; `sent` has the last number sent and the last
    acknowledged of each producer."""
    order: Order = {}
    accounts = [_consumer(name, entries, order) for name, entries in seen.items()]
    for account in accounts:
        for producer, (number, acked) in sent.items():
            last = account.last.get(producer, 0)
            if last > number:
                account.faults.append(f"producer {producer}: {last} was seen, {number} was sent")
            if last < acked and not account.gaps:
                account.lost += acked - last
                account.faults.append(f"producer {producer}: {acked} was acknowledged, seen {last}")
    return accounts


def _consumer(name: str, entries: Iterable[Entry], order: Order) -> Account:
    account = Account(name)
    expected: int | None = None
    log_id = 0
    since_gap: set[int] = set()  # producers whose messages came since the last Gap
    for kind, one, two, three in entries:
        if kind == LOG:
            log_id = one
        elif kind == GAP:
            expected = _gap(account, expected, Entry(kind, one, two, three))
            since_gap = set()
        elif kind == MESSAGE:
            _position(account, expected, one)
            expected = one + 1
            there = order.setdefault((log_id, one), (two, three))
            if there != (two, three):
                account.reordered += 1
                account.faults.append(f"position {one}: {(two, three)}, elsewhere {there}")
            _number(account, two, three, fresh=account.gaps > 0 and two not in since_gap)
            since_gap.add(two)
            account.messages += 1
    return account


def _gap(account: Account, expected: int | None, gap: Entry) -> int | None:
    """Counted; gives the position that is due behind it, None in another log."""
    _, first, last, reason = gap
    account.gaps += 1
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
