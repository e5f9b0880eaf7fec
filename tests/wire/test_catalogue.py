"""The numbers and names of the specification, written down a second time."""

from __future__ import annotations

import pytest

from protocol.catalogue import CONTROL, MessageType, SourceType, source_name, type_name
from protocol.instruments import AssetType, VenueId
from protocol.message import instrument_offsets, sizes
from protocol.reject import CONSUMED, FATAL, ROWS, Reject, label

# Total bytes of each (type, version), and whether all frames have them; those whose fields the
# specification only names are left out.
SIZES = {
    (1, 1): (64, True),
    (2, 1): (80, True),
    (10, 1): (48, False),
    (11, 1): (48, False),
    (20, 1): (96, True),
    (30, 1): (144, True),
    (30, 2): (192, True),
    (31, 1): (104, True),
    (33, 1): (112, True),
    (37, 1): (312, False),
    (40, 1): (112, True),
    (42, 1): (160, True),
    (100, 1): (48, False),
    (101, 1): (48, True),
    (102, 1): (56, False),
    (103, 1): (33, False),
    (104, 1): (96, False),
    (105, 1): (88, True),
    (106, 1): (56, True),
    (107, 1): (64, True),
}
NAMED_ONLY = {
    *((12, 1), (21, 1), (22, 1), (23, 1), (24, 1), (25, 1), (32, 1), (33, 2), (34, 1), (35, 1)),
    *((36, 1), (41, 1), (43, 1), (44, 1), (45, 1)),
}
ORDER_BOOK = (3, 1)
# Where the InstrumentIds are, in the frame.
OFFSETS = {
    (1, 1): (32,),
    (2, 1): (32,),
    (3, 1): (32,),
    (10, 1): (32,),
    (11, 1): (32,),
    (20, 1): (32, 44),
    (30, 1): (32, 44, 56, 68),
    (30, 2): (32, 44, 56, 68),
    (31, 1): (32, 44, 56),
    (37, 1): (52, 64),
    (40, 1): (32,),
    (42, 1): (32, 136),
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
    found = {key: (32 + size, exact) for key, (size, exact) in sizes().items()}
    assert {key: found[key] for key in SIZES} == SIZES
    assert found.keys() == SIZES.keys() | NAMED_ONLY | {ORDER_BOOK}
    assert not found[ORDER_BOOK][1]


@pytest.mark.parametrize("key", sorted(NAMED_ONLY))
def test_a_message_the_specification_only_names_is_a_multiple_of_8_bytes(
    key: tuple[int, int],
) -> None:
    size, exact = sizes()[key]
    assert exact
    assert size % 8 == 0


def test_instruments_are_where_filters_look_for_them() -> None:
    found = instrument_offsets()
    assert {key: found[key] for key in OFFSETS} == OFFSETS


def test_control_types_are_a_hundred_to_a_hundred_and_nine() -> None:
    assert list(CONTROL) == list(range(100, 110))
