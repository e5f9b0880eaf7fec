"""The strategy: market data in, an ArbitrageOpportunity out when the basis has moved.

A process of the demonstration, and an example of a program that consumes one relay and produces to
another. It trades on paper and is not advice: the basis is compared with its own slow mean.
"""

from __future__ import annotations

import time

from protocol.catalogue import SourceType
from protocol.control import Role
from protocol.instruments import AssetType
from protocol.market_data import Quote
from protocol.signals import ArbitrageOpportunity
from relays.client import Batch
from scripts.demonstration.station import Sender, Station, ignore, main, producer_id

TYPE_AT = 4
ADAPTS = 0.001
STEP_BPS = 0.25
VALID_NS = 1_000_000_000


class Basis:
    """Spot against perpetual: `update` with each quote gives an opportunity or None.

    The basis is (perpetual - spot) / spot in 1/10,000. Each time it has moved a quarter of that
    against its mean since the last signal, the cheap side is bought and the dear one sold.
    """

    def __init__(self) -> None:
        self.spot: Quote | None = None
        self.perpetual: Quote | None = None
        self.mean: float | None = None
        self.last = 0.0

    def update(self, quote: Quote) -> ArbitrageOpportunity | None:
        if quote.instrument_id.asset_type == AssetType.SPOT:
            self.spot = quote
        else:
            self.perpetual = quote
        if self.spot is None or self.perpetual is None:
            return None
        basis = basis_bps(self.spot, self.perpetual)
        self.mean = basis if self.mean is None else self.mean + ADAPTS * (basis - self.mean)
        deviation = basis - self.mean
        if abs(deviation - self.last) < STEP_BPS:
            return None
        self.last = deviation
        return opportunity(self.spot, self.perpetual, basis, deviation)


def basis_bps(spot: Quote, perpetual: Quote) -> float:
    """(perpetual - spot) / spot of the mid prices, in 1/10,000."""
    below, above = spot.bid_price + spot.ask_price, perpetual.bid_price + perpetual.ask_price
    return (above - below) / below * 10_000


def opportunity(
    spot: Quote, perpetual: Quote, basis: float, deviation: float
) -> ArbitrageOpportunity:
    """Buy what is cheap, sell what is dear; the profit is per unit, if the mean is come back to."""
    cheap, dear = (spot, perpetual) if deviation > 0 else (perpetual, spot)
    return ArbitrageOpportunity(
        base_id=cheap.instrument_id,
        quote_id=dear.instrument_id,
        venue_a=cheap.instrument_id.venue,
        venue_b=dear.instrument_id.venue,
        spread_bps=round(abs(basis)),
        estimated_profit=round(abs(deviation) / 10_000 * spot.bid_price),
        confidence=min(10_000, round(abs(deviation) * 2_000)),
        expires_at=time.time_ns() + VALID_NS,
    )


def run(station: Station) -> None:
    identity = producer_id()
    signals = station.link("signals", producer_id=identity, role=Role.PRODUCE)
    with station.link("market_data") as market, signals:
        sender = Sender(signals, SourceType.ARBITRAGE_STRATEGY, identity)
        basis = Basis()

        def on_market_data(batch: Batch) -> None:
            for frame in batch.frames:
                if frame[TYPE_AT] == Quote.TYPE:
                    # The verifiers look at every checksum; once is enough.
                    found = basis.update(Quote.decode(frame, verify=False))
                    if found:
                        sender.put(found)
            sender.flush()

        def done() -> bool:
            return station.end is not None and market.position >= station.end and sender.settled

        station.serve({market: on_market_data, signals: ignore}, done)
        station.rest(**sender.report(), gaps=len(market.gaps))


if __name__ == "__main__":
    main(run)
