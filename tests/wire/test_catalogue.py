"""The numbers and names of the specification, written down a second time."""

from __future__ import annotations

import pytest

from protocol.catalogue import CONTROL, MessageType, SourceType, source_name, type_name
from protocol.instruments import AssetType, VenueId
from protocol.message import instrument_offsets, sizes
from protocol.reject import CONSUMED, FATAL, ROWS, Reject, label

SIZES = {
    "trade": (64, True),
    "quote": (80, True),
    "arbitrage_opportunity": (96, True),
    "order_request": (112, True),
    "fill": (160, True),
    "heartbeat": (48, False),
    "snapshot": (48, True),
    "error": (56, False),
    "config_update": (33, False),
    "hello": (96, False),
    "welcome": (88, True),
    "ack": (56, True),
    "gap": (64, True),
}
TYPES = """
1 trade 2 quote 3 order_book 10 instrument_discovered 11 pool_discovered 12 venue_update
20 arbitrage_opportunity 21 position_update 22 strategy_alert 23 rebalance_signal 24 risk_metric
25 performance_update 30 pool_arbitrage_signal 31 liquidity_imbalance 32 impermanent_loss_alert
33 mev_opportunity 34 flash_loan_signal 35 yield_farming_update 36 gas_optimization_signal
37 defi_signal 40 order_request 41 order_status 42 fill 43 order_cancel 44 order_modify
45 execution_report 100 heartbeat 101 snapshot 102 error 103 config_update 104 hello 105 welcome
106 ack 107 gap 108 presence
"""
SOURCES = """
1 binance_collector 2 kraken_collector 3 coinbase_collector 4 polygon_collector 5 alpaca_collector
20 market_data_relay 21 signal_relay 22 execution_relay 23 system_relay 40 arbitrage_strategy
41 momentum_strategy 42 market_making_strategy 60 portfolio_manager 61 risk_manager
80 execution_engine 81 venue_connector 100 external
"""
VENUES = """
1 binance 2 kraken 3 coinbase 4 binance_futures 5 binance_coin_futures 6 bybit 7 okx 8 bitmex
9 bitstamp 10 bitfinex 11 gemini 12 kucoin 13 dydx 14 bitflyer 15 hyperliquid 100 nasdaq 101 nyse
102 arca 103 cboe 104 iex 110 cme 120 alpaca 200 ethereum 201 polygon 202 arbitrum 203 base
204 optimism 205 bsc 300 uniswap_v2 301 uniswap_v3 302 sushiswap_v2 303 quickswap_v2
304 quickswap_v3 305 curve 306 balancer
"""
ASSETS = "1 stock 2 token 3 pool 4 spot 5 perpetual 6 future 7 option 8 index"
# Code, name, consumed (c), not consumed (n) or neither (-), closed (x) or stays (o).
REJECTS = """
1 bad_magic - x 2 payload_too_large - x 3 wrong_domain c o 4 bad_size - x 5 bad_checksum n o
6 sequence_gap n o 7 sequence_duplicate - o 8 source_not_allowed c o 9 truncated - x
10 not_a_producer - x 11 bad_hello - x 12 access_denied - x 13 too_many_connections - x
14 cooldown - x 15 slow_consumer - x 16 draining - x 17 not_accepting n o 18 fenced - x
19 sequence_conflict - x
"""


@pytest.mark.parametrize(
    ("names", "text"),
    [(MessageType, TYPES), (SourceType, SOURCES), (VenueId, VENUES), (AssetType, ASSETS)],
)
def test_an_enumeration_has_the_numbers_of_the_specification(
    names: type[MessageType], text: str
) -> None:
    words = text.split()
    written = {int(number): name for number, name in zip(words[::2], words[1::2], strict=True)}
    assert {int(one): one.name.lower() for one in names} == written


def test_every_number_has_a_name_for_metrics() -> None:
    for number in range(256):
        assert type_name(number) in (f"type_{number}", type_name(number).lower())
        assert source_name(number).isidentifier()
    assert (type_name(77), source_name(77)) == ("type_77", "source_77")
    assert (type_name(MessageType.FILL), source_name(SourceType.EXTERNAL)) == ("fill", "external")


def test_the_rejects_are_those_of_the_specification() -> None:
    words = REJECTS.split()
    rows = list(zip(*(words[n::4] for n in range(4)), strict=True))
    assert [(str(int(code)), label(code)) for code in Reject] == [row[:2] for row in rows]
    assert frozenset(int(row[0]) for row in rows if row[3] == "x") == FATAL
    assert frozenset(int(row[0]) for row in rows if row[2] == "c") == CONSUMED == {3, 8}
    left = {int(row[0]) for row in rows if row[2] == "n"}
    assert {code for code, row in ROWS.items() if row.sequence == "not consumed"} == left
    assert list(ROWS) == list(Reject)


def test_an_unknown_reject_is_data() -> None:
    assert label(99) == "reject_99"


def test_every_message_has_the_size_of_the_specification() -> None:
    found = {type_name(kind): (32 + size, exact) for (kind, _), (size, exact) in sizes().items()}
    assert found == SIZES


def test_instruments_are_where_filters_look_for_them() -> None:
    offsets = {type_name(kind): found for (kind, _), found in instrument_offsets().items()}
    assert offsets == {
        "trade": (32,),
        "quote": (32,),
        "arbitrage_opportunity": (32, 44),
        "order_request": (32,),
        "fill": (32, 136),
    }


def test_control_types_are_a_hundred_to_a_hundred_and_nine() -> None:
    assert list(CONTROL) == list(range(100, 110))
