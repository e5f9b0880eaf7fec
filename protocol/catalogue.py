"""The numbers that have names: message types and sources (SPEC.md, Message types, Identifiers).

Called by everything, down to metric labels. Fields and sizes of a type are with its class, what a
relay does with a type is in `relays.domains`.
"""

from __future__ import annotations

from enum import IntEnum

CONTROL = range(100, 110)


class MessageType(IntEnum):
    """Every type of the catalogue; all but PRESENCE, which is reserved, have a class.

    1-19 market_data, 20-39 signals, 40-59 execution, 100-109 control, 200-255 custom.
    """

    TRADE = 1
    QUOTE = 2
    ORDER_BOOK = 3
    INSTRUMENT_DISCOVERED = 10
    POOL_DISCOVERED = 11
    VENUE_UPDATE = 12
    ARBITRAGE_OPPORTUNITY = 20
    POSITION_UPDATE = 21
    STRATEGY_ALERT = 22
    REBALANCE_SIGNAL = 23
    RISK_METRIC = 24
    PERFORMANCE_UPDATE = 25
    POOL_ARBITRAGE_SIGNAL = 30
    LIQUIDITY_IMBALANCE = 31
    IMPERMANENT_LOSS_ALERT = 32
    MEV_OPPORTUNITY = 33
    FLASH_LOAN_SIGNAL = 34
    YIELD_FARMING_UPDATE = 35
    GAS_OPTIMIZATION_SIGNAL = 36
    DEFI_SIGNAL = 37
    ORDER_REQUEST = 40
    ORDER_STATUS = 41
    FILL = 42
    ORDER_CANCEL = 43
    ORDER_MODIFY = 44
    EXECUTION_REPORT = 45
    HEARTBEAT = 100
    SNAPSHOT = 101
    ERROR = 102
    CONFIG_UPDATE = 103
    HELLO = 104
    WELCOME = 105
    ACK = 106
    GAP = 107
    PRESENCE = 108


class SourceType(IntEnum):
    """Who sends. Others may be used; programs pass on what they do not know."""

    BINANCE_COLLECTOR = 1
    KRAKEN_COLLECTOR = 2
    COINBASE_COLLECTOR = 3
    POLYGON_COLLECTOR = 4
    ALPACA_COLLECTOR = 5
    MARKET_DATA_RELAY = 20
    SIGNAL_RELAY = 21
    EXECUTION_RELAY = 22
    SYSTEM_RELAY = 23
    ARBITRAGE_STRATEGY = 40
    MOMENTUM_STRATEGY = 41
    MARKET_MAKING_STRATEGY = 42
    PORTFOLIO_MANAGER = 60
    RISK_MANAGER = 61
    EXECUTION_ENGINE = 80
    VENUE_CONNECTOR = 81
    EXTERNAL = 100


_TYPE_NAMES = {int(kind): kind.name.lower() for kind in MessageType}
_SOURCE_NAMES = {int(source): source.name.lower() for source in SourceType}


def type_name(number: int) -> str:
    """A message type in lower case, as logs and metric labels have it; never raises.

    >>> type_name(1), type_name(77)
    ('trade', 'type_77')
    """
    return _TYPE_NAMES.get(number) or f"type_{int(number)}"


def source_name(number: int) -> str:
    """A source in lower case, as logs and metric labels have it; never raises.

    >>> source_name(1), source_name(77)
    ('binance_collector', 'source_77')
    """
    return _SOURCE_NAMES.get(number) or f"source_{int(number)}"
