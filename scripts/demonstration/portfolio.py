"""The portfolio: opportunities in, two orders out for each, and the fills of those booked.

A process of the demonstration. Its orders are market orders, fill-or-kill, of a fixed size; when a
leg would take a position over its limit, the opportunity is declined and counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from protocol.catalogue import SourceType
from protocol.execution import Fill, OrderRequest, OrderType, TimeInForce
from protocol.instruments import InstrumentId
from protocol.market_data import Side
from protocol.signals import ArbitrageOpportunity
from relays.client import Batch
from scripts.demonstration.station import BOTH, Sender, Station, main, producer_id

UNIT = 100_000_000
QUANTITY = UNIT // 100
LIMIT = 2 * UNIT
ACCOUNT, STRATEGY = 1, 1


class Book:
    """Positions (1e-8 units, with what is on order), and counts of what was decided."""

    def __init__(self, owner: int) -> None:
        self.owner = owner
        self.counts: Counter[str] = Counter()
        self.positions: defaultdict[InstrumentId, int] = defaultdict(int)
        self.volume = 0
        self.fees = 0

    def decide(self, found: ArbitrageOpportunity) -> Iterator[OrderRequest]:
        """The orders for an opportunity: none when they would take a position over the limit."""
        legs = ((found.base_id, Side.BUY, QUANTITY), (found.quote_id, Side.SELL, -QUANTITY))
        if any(abs(self.positions[leg] + change) > LIMIT for leg, _, change in legs):
            self.counts["declined"] += 1
            return
        for leg, side, change in legs:
            self.positions[leg] += change
            self.counts["orders"] += 1
            yield OrderRequest(
                instrument_id=leg,
                side=side,
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.FILL_OR_KILL,
                owner_id=self.owner,
                account_id=ACCOUNT,
                client_order_id=self.counts["orders"],
                quantity=QUANTITY,
                expires_at=found.expires_at,
                strategy_id=STRATEGY,
            )

    def book(self, fill: Fill) -> None:
        """A fill of one of our own orders."""
        if fill.owner_id == self.owner:
            self.counts["fills"] += 1
            self.volume += fill.quantity
            self.fees += fill.fee


def run(station: Station) -> None:
    identity = producer_id()
    execution = station.link("execution", producer_id=identity, types=[Fill.TYPE], role=BOTH)
    with station.link("signals") as signals, execution:
        sender = Sender(execution, SourceType.PORTFOLIO_MANAGER, identity)
        book = Book(identity)

        def on_signals(batch: Batch) -> None:
            for frame in batch.frames:
                book.counts["signals"] += 1
                for order in book.decide(ArbitrageOpportunity.decode(frame)):
                    sender.put(order)
            sender.flush()

        def on_fills(batch: Batch) -> None:
            for frame in batch.frames:
                book.book(Fill.decode(frame))

        def done() -> bool:
            read_all = station.end is not None and signals.position >= station.end
            return read_all and sender.settled and book.counts["fills"] == book.counts["orders"]

        station.serve({signals: on_signals, execution: on_fills}, done)
        station.rest(
            **sender.report(), **book.counts, volume=book.volume, fees=book.fees,
            gaps=len(signals.gaps) + len(execution.gaps),
        )  # fmt: skip


if __name__ == "__main__":
    main(run)
