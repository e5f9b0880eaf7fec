"""What tests of consumers publish, and how: numbered Trades, through a Link, until acknowledged.

Used by tests/client/test_consumer.py and its neighbours.
"""

from __future__ import annotations

import time

from protocol.control import Role
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Trade
from relays.client.link import Link

BTC = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
ETH = InstrumentId.spot(VenueId.BINANCE, "ETHUSDT")
PATIENCE = 20.0
PRODUCER = 77


def trades(first: int, count: int, instrument: InstrumentId = BTC) -> list[bytes]:
    """Sealed Trades; price and sequence are their numbers."""
    return [
        Trade(instrument, price=n, volume=1).frame(sequence=n, timestamp=n, source=1)
        for n in range(first, first + count)
    ]


def publish(path: str, frames: list[bytes], last: int, producer: int = PRODUCER) -> None:
    """Send frames, the last of which has the sequence `last`; they are in the log afterwards."""
    with Link(path) as link:
        link.hello(role=Role.PRODUCE, producer_id=producer)
        link.send(b"".join(frames))
        deadline = time.monotonic() + PATIENCE
        while link.acked < last:
            assert time.monotonic() < deadline, f"acked {link.acked} of {last}"
            link.read(0.1)


def publish_trades(path: str, first: int, count: int) -> None:
    publish(path, trades(first, count), first + count - 1)
