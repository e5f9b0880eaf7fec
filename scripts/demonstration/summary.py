"""What is said at the end: is every message accounted for, and what happened.

Called by `session` with what the processes reported and what the relays' states say. The first
line and the exit code say the same thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from relays.edge.status import Look
from scripts.demonstration.reading import reading
from scripts.demonstration.table import duration

UNIT = 100_000_000


@dataclass(frozen=True, slots=True)
class Account:
    """One relay's messages: sent by its producers, accepted by it, verified by its verifier."""

    relay: str
    sent: int
    acknowledged: int
    accepted: int
    rejected: int
    dropped: int
    delivered: int
    verified: int
    unaccounted_messages: int
    unaccounted_bytes: int
    latency_p50_ns: float | None
    latency_p99_ns: float | None
    faults: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether every message sent was accepted, delivered and verified, and nothing else."""
        same = {self.sent, self.acknowledged, self.accepted, self.delivered, self.verified}
        lost = self.rejected or self.dropped or self.unaccounted_messages or self.unaccounted_bytes
        return len(same) == 1 and not lost and not self.faults

    def complaint(self) -> str:
        counts = {name: count for name, count in asdict(self).items() if isinstance(count, int)}
        words = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items())
        return f"{self.relay}: {words}" + "".join(f"; {fault}" for fault in self.faults)


def account(
    name: str,
    producers: list[Mapping[str, Any]],
    verifier: Mapping[str, Any],
    first: Look,
    last: Look,
) -> Account:
    """From what producers and verifier reported, and the relay's state before and after."""
    rows = [row for row in last.rows if row["name"] == f"verifier-{name}"]
    moved = reading(name, first, first, last)
    faults = [str(fault) for fault in verifier["faults"]]
    faults += [f"refused {text}" for one in producers for text in one["refused"]]
    return Account(
        relay=name,
        sent=sum(one["sent"] for one in producers),
        acknowledged=sum(one["acked"] for one in producers),
        accepted=sum(last.counters["by_type"]) - sum(first.counters["by_type"]),
        rejected=sum(last.counters["by_reason"]) - sum(first.counters["by_reason"]),
        dropped=_dropped(last) - _dropped(first),
        delivered=sum(row["sums"]["delivered"] for row in rows),
        verified=verifier["verified"],
        unaccounted_messages=last.books.unaccounted_messages,
        unaccounted_bytes=last.books.unaccounted_bytes,
        latency_p50_ns=moved.p50,
        latency_p99_ns=moved.p99,
        faults=tuple(faults),
    )


def _dropped(look: Look) -> int:
    return sum(count for name, count in look.books.dropped.items() if name != "left")


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of a demonstration; `trouble` is what else went wrong, a sentence each."""

    source: str
    accounts: tuple[Account, ...]
    facts: Mapping[str, Mapping[str, Any]]
    trouble: tuple[str, ...]
    max_speed: bool = False

    @property
    def whole(self) -> bool:
        return all(account.whole for account in self.accounts) and not self.trouble

    def with_trouble(self, trouble: Sequence[str]) -> Summary:
        """The same, with what went wrong afterwards."""
        return replace(self, trouble=(*self.trouble, *trouble))

    def lines(self) -> Iterator[str]:
        """The summary; its first line says whether every message is accounted for."""
        sent = sum(account.sent for account in self.accounts)
        if self.whole:
            yield (
                f"Every message is accounted for: {sent:,} sent, accepted, and delivered to each"
                " verifying consumer; 0 unaccounted."
            )
        else:
            bad = [account.complaint() for account in self.accounts if not account.whole]
            yield "NOT every message is accounted for: " + " | ".join([*bad, *self.trouble])
        yield ""
        for one in self.accounts:
            latency = f"{duration(one.latency_p50_ns):>8}   p99 {duration(one.latency_p99_ns):>8}"
            yield f"  {one.relay:<12}{one.verified:>11,} verified   latency p50 {latency}"
        yield "  verified: checksum, sequence and position of each message"
        yield "  latency: from reading a message to its last byte sent on, in the relay"
        if self.max_speed:
            yield "           (at max speed it is mostly the consumers' backlog)"
        yield from self._story()

    def _story(self) -> Iterator[str]:
        player, book = self.facts["player"], self.facts["portfolio"]
        seconds = max(player["elapsed"], 1e-9)
        yield ""
        yield f"  played      {self.source}"
        rate = f"{player['sent'] / seconds:,.0f} messages/s"
        yield f"              {rate} sent by the player in {seconds:.1f} s"
        yield "              (shown last above: accepted by each relay, until all was finished)"
        yield (
            f"  traded      {book.get('signals', 0):,} opportunities"
            f" ({book.get('declined', 0):,} declined at the position limit),"
            f" {book.get('orders', 0):,} orders, {book.get('fills', 0):,} fills"
        )
        yield (
            f"              {book['volume'] / UNIT:,.2f} BTC on paper,"
            f" {book['fees'] / UNIT:,.2f} USDT of fees"
        )

    def data(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "accounted_for": self.whole,
            "source": self.source,
            "relays": [asdict(account) for account in self.accounts],
            "trouble": list(self.trouble),
            "processes": {name: dict(facts) for name, facts in self.facts.items()},
        }
