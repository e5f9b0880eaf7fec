"""Rows of the table of pools to messages: examples done by hand, and reasons."""

import json

import pytest

from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import InstrumentDiscovered, PoolDiscovered
from relays.adapters.pools import Pools, PoolsAdapter
from tests.wire.chain_logs import HEADER, TABLE, USDC, V2, V3, WETH, reason


def test_a_row_introduces_each_token_once_and_the_pool() -> None:
    table = PoolsAdapter()
    assert reason(table, HEADER) == "header"
    usdc, weth, pool = (record.message for record in table.convert(TABLE[1]))
    assert isinstance(usdc, InstrumentDiscovered)
    assert usdc.instrument_id == InstrumentId.ethereum_token(USDC)
    assert (usdc.symbol, usdc.decimals) == ("USDC", 6)
    assert isinstance(weth, InstrumentDiscovered)
    assert (weth.symbol, weth.decimals) == ("WETH", 18)
    assert isinstance(pool, PoolDiscovered)
    assert pool.instrument_id == InstrumentId.pool_from_address(VenueId.UNISWAP_V2, V2)
    assert (pool.symbol, pool.decimals) == ("USDC/WETH", 18)
    assert json.loads(pool.metadata) == {
        "chain_id": 1,
        "address": V2,
        "version": 2,
        "token0": USDC,
        "token1": WETH,
        "symbol0": "USDC",
        "symbol1": "WETH",
        "decimals0": 6,
        "decimals1": 18,
        "fee_ppm": 3000,
    }
    assert [type(record.message) for record in table.convert(TABLE[2])] == [PoolDiscovered]


def test_what_a_row_does_not_know_is_left_out() -> None:
    table = PoolsAdapter()
    table.convert(HEADER)
    usdc, pool = (record.message for record in table.convert(TABLE[3]))
    assert isinstance(usdc, InstrumentDiscovered)
    assert isinstance(pool, PoolDiscovered)
    assert pool.symbol == f"USDC/{WETH}"
    assert not {"symbol1", "decimals1"} & set(json.loads(pool.metadata))
    assert table.left_out == {"unknown_decimals": 1}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("", "blank"),
        (TABLE[1], "repeated"),
        ('1,"', "bad_row"),
        (TABLE[2] + ",more", "bad_row"),
        (TABLE[2].replace("1,", "5,", 1), "unknown_chain"),
        (TABLE[2].replace("1,", ",", 1), "unknown_chain"),
        (TABLE[2].replace(f"{V3},3", f"{V3},4"), "unknown_version"),
        (TABLE[2].replace(V3, V3[:-1]), "bad_address"),
        (TABLE[2].replace(f"{USDC},{WETH}", f"{WETH},{USDC}"), "unsorted_tokens"),
        (TABLE[2].replace(",18,", ",256,"), "bad_decimals"),
        (TABLE[2].replace(",18,", ",-1,"), "bad_decimals"),
        (TABLE[2].replace(",500", ",1000000"), "bad_fee"),
        (TABLE[1].replace(V2, V2[:18] + "00" * 12), "id_collision"),
        (TABLE[2].replace("WETH", "W" * 128), "bad_symbol"),
        (TABLE[2].replace("WETH", "\ud800"), "bad_symbol"),
    ],
)
def test_a_row_that_is_no_pool_is_counted(row: str, why: str) -> None:
    table = PoolsAdapter()
    for line in TABLE[:2]:
        table.convert(line)
    assert reason(table, row) == why


def test_two_pools_with_one_id_are_both_named() -> None:
    table = PoolsAdapter()
    other = V2[:18] + "00" * 12
    for line in (HEADER, TABLE[1], TABLE[1].replace(V2, other)):
        table.convert(line)
    (collision,) = table.collisions
    assert V2 in collision
    assert other in collision
    assert Pools([HEADER, TABLE[1], TABLE[1].replace(V2, other)]).skipped["id_collision"] == 1


def test_one_address_on_two_chains_is_one_id_and_both_are_named() -> None:
    """The id of a pool does not say its chain: that of a token does."""
    rows = [TABLE[2], TABLE[2].replace("1,", "137,", 1)]
    table = PoolsAdapter()
    for line in (HEADER, *rows):
        table.convert(line)
    assert table.skipped == {"header": 1, "id_collision": 1}
    (collision,) = table.collisions
    assert f"1:{V3}" in collision
    assert f"137:{V3}" in collision
    assert Pools([HEADER, *rows]).skipped == {"header": 1, "id_collision": 1}


def test_a_symbol_that_was_no_text_is_counted() -> None:
    assert Pools([HEADER, TABLE[2].replace("WETH", "W\ufffdTH")]).skipped["bad_symbol"] == 1


@pytest.mark.parametrize(
    ("line", "why"), [(HEADER.replace("fee_ppm", "fee"), "unknown_header"), ("1,2,3", "no_header")]
)
def test_a_table_begins_with_its_header(line: str, why: str) -> None:
    assert reason(PoolsAdapter(), line) == why
