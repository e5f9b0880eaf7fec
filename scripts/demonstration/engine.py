"""The paper engine: orders in, a Fill for each at the best price of the moment.

A process of the demonstration. It reads quotes from market_data and orders from execution, each
with a type filter, and answers on execution. No order reaches a venue.
"""

from __future__ import annotations

import time

from protocol.catalogue import SourceType
from protocol.execution import Fill, Liquidity, OrderRequest
from protocol.header import HEADER_SIZE
from protocol.instruments import SIZE, InstrumentId, VenueId
from protocol.market_data import Quote, Side
from relays.client import Batch
from scripts.demonstration.station import BOTH, Sender, Station, main, producer_id

UNIT = 100_000_000
FEE_BPS = {VenueId.BINANCE: 10, VenueId.BINANCE_FUTURES: 5}
USDT = InstrumentId.spot(VenueId.BINANCE, "USDT")


class Engine:
    """Fills orders at the last quote of their instrument; one without a quote waits for it."""

    def __init__(self) -> None:
        self.quotes: dict[bytes, bytes] = {}
        self.waiting: list[OrderRequest] = []
        self.trades = 0

    def quoted(self, batch: Batch) -> None:
        """Keep the last quote frame of each instrument, undecoded: few are ever needed."""
        for frame in batch.frames:
            self.quotes[bytes(frame[HEADER_SIZE : HEADER_SIZE + SIZE])] = bytes(frame)

    def ordered(self, batch: Batch) -> None:
        self.waiting += [OrderRequest.decode(frame) for frame in batch.frames]

    def fills(self) -> list[Fill]:
        """A fill for every order that waits and has a quote."""
        ready = [o for o in self.waiting if o.instrument_id.to_bytes() in self.quotes]
        self.waiting = [o for o in self.waiting if o.instrument_id.to_bytes() not in self.quotes]
        return [self._fill(order) for order in ready]

    def _fill(self, order: OrderRequest) -> Fill:
        quote = Quote.decode(self.quotes[order.instrument_id.to_bytes()])
        price = quote.ask_price if order.side == Side.BUY else quote.bid_price
        self.trades += 1
        paid = price * order.quantity // UNIT
        return Fill(
            instrument_id=order.instrument_id,
            side=order.side,
            liquidity=Liquidity.TAKER,
            owner_id=order.owner_id,
            account_id=order.account_id,
            client_order_id=order.client_order_id,
            venue_order_id=self.trades.to_bytes(16, "big"),
            trade_id=self.trades,
            price=price,
            quantity=order.quantity,
            leaves_quantity=0,
            cumulative_quantity=order.quantity,
            fee=paid * FEE_BPS.get(VenueId(order.instrument_id.venue), 10) // 10_000,
            fee_asset=USDT,
            transact_time=time.time_ns(),
        )


def run(station: Station) -> None:
    identity = producer_id()
    orders = station.link("execution", producer_id=identity, types=[OrderRequest.TYPE], role=BOTH)
    with station.link("market_data", types=[Quote.TYPE]) as market, orders:
        sender = Sender(orders, SourceType.EXECUTION_ENGINE, identity)
        engine = Engine()

        def answer(batch: Batch) -> None:
            for fill in engine.fills():
                sender.put(fill)
            sender.flush()

        def on_quotes(batch: Batch) -> None:
            engine.quoted(batch)
            answer(batch)

        def on_orders(batch: Batch) -> None:
            engine.ordered(batch)
            answer(batch)

        def done() -> bool:
            read_all = station.end is not None and orders.position >= station.end
            return read_all and sender.settled and not engine.waiting

        station.serve({market: on_quotes, orders: on_orders}, done)
        gaps = len(market.gaps) + len(orders.gaps)
        station.rest(**sender.report(), orders=engine.trades, gaps=gaps)


if __name__ == "__main__":
    main(run)
