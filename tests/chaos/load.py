"""The messages of the chaos, for every domain: whose they are and which number they have.

A message's number is its sequence, so a producer that is started again knows from the relay which
is next, and a reader of a message knows whether it is the one that must come.
"""

from __future__ import annotations

from typing import Any

from protocol.execution import OrderRequest
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Side, Trade
from protocol.message import Message
from protocol.orders import OrderType, TimeInForce
from protocol.signals import ArbitrageOpportunity

PAIR = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
OTHER = InstrumentId.spot(VenueId.BINANCE, "USDT")
MOST = 1 << 63


def message(domain: str, producer: int, number: int) -> Message:
    """Message `number` of a producer."""
    if domain == "execution":
        return OrderRequest(
            PAIR, side=Side.BUY, order_type=OrderType.LIMIT, time_in_force=TimeInForce.DAY,
            owner_id=producer, account_id=1, client_order_id=number, price=number, quantity=1,
        )  # fmt: skip
    if domain == "signals":
        return ArbitrageOpportunity(
            base_id=PAIR, quote_id=OTHER, venue_a=VenueId.BINANCE, venue_b=VenueId.KRAKEN,
            spread_bps=producer, estimated_profit=number, confidence=1, expires_at=number,
        )  # fmt: skip
    return Trade(PAIR, price=producer, volume=number, side=Side.BUY)


def whose(got: Any) -> tuple[int, int]:
    """Producer and number of a message."""
    if isinstance(got, OrderRequest):
        return got.owner_id, got.client_order_id
    if isinstance(got, ArbitrageOpportunity):
        return got.spread_bps, got.estimated_profit
    return got.price, got.volume
