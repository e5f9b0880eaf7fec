"""Messages of the signals domain, types 20-39 (SPEC.md, Message types).

Built by strategies, read by portfolios. The other types of this range are reserved for the next
release.
"""

from __future__ import annotations

from protocol.catalogue import MessageType
from protocol.fields import I64, U16, U32, U64, Instrument, field, pad
from protocol.instruments import VenueId
from protocol.message import Message


class ArbitrageOpportunity(Message, type=MessageType.ARBITRAGE_OPPORTUNITY, version=1):
    """Two venues whose prices differ by more than trading costs, 96 bytes.

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> spot = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
    >>> future = InstrumentId.perpetual(VenueId.BINANCE_FUTURES, "BTCUSDT")
    >>> found = ArbitrageOpportunity(
    ...     spot, future, VenueId.BINANCE, VenueId.BINANCE_FUTURES, spread_bps=12
    ... )
    >>> len(found.frame()), found.venue_b
    (96, <VenueId.BINANCE_FUTURES: 4>)
    """

    base_id: Instrument = field("what is bought on venue_a", fix="48 SecurityID")
    quote_id: Instrument = field("what is sold on venue_b", fix="309 UnderlyingSecurityID")
    venue_a: U16 = field("where to buy: a VenueId", fix="30 LastMkt", names=VenueId)
    venue_b: U16 = field("where to sell: a VenueId", fix="30 LastMkt", names=VenueId)
    spread_bps: U32 = field("price difference", unit="1/10,000", fix="218 Spread")
    estimated_profit: I64 = field(
        "profit after costs, in the quote currency", unit="1e-8", default=0
    )
    confidence: U16 = field(
        "how sure the strategy is", unit="1/10,000", within=((0, 10_000),), default=0
    )
    expires_at: U64 = field(
        "when it is void; 0 never", unit="ns", fix="62 ValidUntilTime", default=0
    )
    _end = pad(14)
