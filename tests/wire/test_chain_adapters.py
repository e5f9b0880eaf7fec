"""Uniswap logs to messages: examples done by hand, reasons, order, times and files.

What the real recordings hold is counted in test_chain_recordings.py.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import InstrumentDiscovered, PoolDiscovered, Quote, Side, Trade
from relays.adapters import uniswap, uniswap_v2
from relays.adapters.adapter import LONGEST_LINE, Adapter, Skipped
from relays.adapters.logs import CsvLogs, block_time, signed, unsigned
from relays.adapters.pools import Pools
from relays.adapters.uniswap import UniswapAdapter
from relays.errors import RelayError
from tests.wire.chain_logs import (
    BARE,
    FREE,
    LIQUIDITY,
    OTHER,
    ROOT,
    TABLE,
    TICK,
    TRANSFER,
    V2,
    V3,
    adapter,
    burn,
    log,
    market,
    mint,
    reason,
    swap2,
    swap3,
    sync,
    word,
)

# --- version 2 ---


def test_a_sync_is_a_quote_of_the_marginal_price_and_the_fee() -> None:
    # 2,000,000 USDC and 1,000 WETH: 0.0005 WETH; * 0.997 down, / 0.997 (50150.45) up.
    made = market(adapter(), sync(2_000_000 * 10**6, 1_000 * 10**18))
    pool = InstrumentId.pool_from_address(VenueId.UNISWAP_V2, V2)
    size = 2_000_000_00000000
    assert made == [Quote(pool, bid_price=49850, ask_price=50151, bid_size=size, ask_size=size)]


def test_token0_that_comes_in_is_sold() -> None:
    made = market(adapter(), swap2(2_000 * 10**6, 0, 0, 997 * 10**15))
    pool = InstrumentId.pool_from_address(VenueId.UNISWAP_V2, V2)
    assert made == [Trade(pool, price=49850, volume=2_000_00000000, side=Side.SELL)]


def test_token0_that_leaves_is_bought_and_what_comes_back_is_taken_off() -> None:
    (made,) = market(adapter(), swap2(1_000 * 10**6, 10**18, 3_000 * 10**6, 0))
    assert isinstance(made, Trade)
    assert (made.price, made.volume, made.side) == (50000, 2_000_00000000, Side.BUY)


# --- version 3 ---


def swapped(liquidity: int = LIQUIDITY, **more: Any) -> str:
    return swap3(-22_686110, 10**16, ROOT, liquidity, TICK, **more)


def size_after(made: Adapter, line: str) -> int:
    """The size of the only Quote a line gives, in USDC."""
    (message,) = market(made, line)
    assert isinstance(message, Quote)
    assert message.bid_size == message.ask_size
    return message.bid_size // 10**8


def test_a_swap_is_a_trade_and_the_quote_after_it() -> None:
    pool = InstrumentId.pool_from_address(VenueId.UNISWAP_V3, V3)
    size = 1_000_000_00000000
    assert market(adapter(), swapped()) == [
        # 0.01 WETH for 22.68611 USDC is 0.00044079836.
        Trade(pool, price=44080, volume=22_68611000, side=Side.BUY),
        # 26843.5456 * 0.9995 = 26830.12..., / 0.9995 = 26856.97...
        Quote(pool, bid_price=26830, ask_price=26857, bid_size=size, ask_size=size),
    ]


def test_token0_that_a_swap_brings_is_sold() -> None:
    made, _ = market(adapter(), swap3(22_686110, -(10**16), ROOT, LIQUIDITY, TICK))
    assert isinstance(made, Trade)
    assert (made.price, made.side) == (44080, Side.SELL)


def test_liquidity_that_comes_and_goes_in_range_is_quoted() -> None:
    made = adapter()
    market(made, swapped())
    assert size_after(made, mint(TICK, TICK + 10, LIQUIDITY, logIndex=4)) == 2_000_000
    assert size_after(made, burn(TICK - 10, TICK + 1, LIQUIDITY // 2, logIndex=5)) == 1_500_000


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (mint(TICK + 1, TICK + 10, 1, logIndex=4), "out_of_range"),
        (mint(TICK - 10, TICK, 1, logIndex=4), "out_of_range"),
        (burn(TICK - 10, TICK + 10, 0, logIndex=4), "nothing_moved"),
        (burn(TICK - 10, TICK + 10, LIQUIDITY + 1, logIndex=4), "contradiction"),
        (mint(TICK - 10, TICK + 10, 2**128 - 1, logIndex=4), "contradiction"),
        (burn(TICK - 10, TICK + 10, LIQUIDITY, logIndex=4), "no_liquidity"),
        (mint(TICK + 10, TICK + 10, 1, logIndex=4), "bad_abi"),
        (mint(-887273, TICK + 10, 1, logIndex=4), "bad_abi"),
        (mint(TICK - 10, 1 << 24, 1, logIndex=4), "bad_abi"),
        (mint(TICK - 10, TICK + 10, 1, logIndex=4, blockNumber=8), "no_price_yet"),
        (mint(TICK - 10, TICK + 10, 1, logIndex=4, pool=FREE), "no_price_yet"),
    ],
)
def test_liquidity_that_changes_no_quote_is_counted(line: str, why: str) -> None:
    made = adapter()
    market(made, swapped())
    assert reason(made, line) == why


def test_a_contradiction_is_forgotten_until_the_next_swap() -> None:
    made = adapter()
    market(made, swapped())
    assert reason(made, burn(TICK, TICK + 1, LIQUIDITY + 1, logIndex=4)) == "contradiction"
    assert reason(made, mint(TICK, TICK + 1, 1, logIndex=5)) == "no_price_yet"


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "{",
        mint(TICK, TICK, 1, logIndex=4),
        swap3(1, -1, 1 << 160, 1, TICK, logIndex=4),
        swapped(blockNumber=None),
    ],
)
def test_after_a_log_that_cannot_be_read_a_pool_waits_for_its_next_swap(line: str) -> None:
    made = adapter()
    market(made, swapped())
    assert made.convert(line) == []
    assert reason(made, mint(TICK, TICK + 1, LIQUIDITY, logIndex=5)) == "no_price_yet"


def test_a_blank_line_is_no_log() -> None:
    made = adapter()
    market(made, swapped())
    assert made.convert("\n") == []
    assert size_after(made, mint(TICK, TICK + 1, LIQUIDITY, logIndex=5)) == 2_000_000


def test_a_pool_without_a_known_fee_has_trades_and_no_quotes() -> None:
    made = adapter()
    assert [type(message) for message in market(made, swapped(pool=FREE))] == [Trade]
    assert made.left_out == {"unknown_fee": 1}
    assert reason(made, mint(TICK, TICK + 1, 1, pool=FREE, logIndex=4)) == "unknown_fee"


# --- reasons ---


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (" ", "blank"),
        ("{", "not_json"),
        ("[" * 100_000, "not_json"),
        ("[]", "bad_log"),
        ("{}", "bad_log"),
        (sync(1, 1, address=None), "bad_log"),
        (sync(1, 1, address=V2[1:]), "bad_log"),
        (sync(1, 1, data="0x123"), "bad_log"),
        (sync(1, 1, data="0x" + "_1" * 64), "bad_log"),
        (sync(1, 1, topics=None), "bad_log"),
        (sync(1, 1, topics=[7]), "bad_log"),
        (sync(1, 1, topics=uniswap_v2.SYNC), "bad_log"),
        (sync(1, 1, removed="false"), "bad_log"),
        (sync(1, 1, blockNumber="seven"), "bad_log"),
        (sync(1, 1, blockNumber=True), "bad_log"),
        (sync(1, 1, blockNumber=-1), "bad_log"),
        (sync(1, 1, blockNumber=1.5), "bad_log"),
        (sync(1, 1, logIndex=None), "bad_log"),
        (sync(1, 1, blockNumber=None, logIndex=None), "pending"),
        (sync(1, 1, blockTimestamp="0xffffffffffffffff"), "bad_time"),
        (sync(1, 1, topics=[]), "other_event"),
        (log(TRANSFER, 5, indexed=(1, 2)), "other_event"),
        (sync(1, 1, pool=OTHER), "unknown_pool"),
        (sync(1, 1, pool=BARE), "unknown_decimals"),
        (sync(1, 1, pool=V3), "wrong_version"),
        (swapped(pool=V2), "wrong_version"),
        (sync(1, 1, removed=True), "removed"),
        (sync(1, 1, topics=[uniswap_v2.SYNC, "0x" + word(1)]), "bad_abi"),
        (sync(1, 1, data="0x" + word(1)), "bad_abi"),
        (sync(1, 1, data="0x" + word(1) * 2 + "00"), "bad_abi"),
        (sync(1 << 112, 1), "bad_abi"),
        (sync(0, 1), "no_liquidity"),
        (sync(10**20, 10**30), "does_not_fit"),
        (sync(1, 10**30), "does_not_fit"),
        (sync(10**12, 1), "too_small"),
        (swap2(0, 0, 0, 0), "not_a_trade"),
        (swap2(1_003, 0, 1_000, 0), "not_a_trade"),
        (swap2(5, 7, 0, 0), "not_a_trade"),
        (swap2(1, 0, 0, 10**30), "does_not_fit"),
        (swap2(2**256 - 1, 0, 0, 10**30), "too_small"),
        (swap3(1, -1, 4295128738, 1, 0), "bad_abi"),
        (swap3(1, -1, 1 << 160, 1, 0), "bad_abi"),
        (swap3(1, -1, ROOT, 1 << 128, 0), "bad_abi"),
        (swap3(1, -1, ROOT, 1, 887273), "bad_abi"),
        (swap3(1, -1, ROOT, 1, 1 << 30), "bad_abi"),
        (swap3(0, 0, ROOT, 0, TICK), "not_a_trade"),
    ],
)
def test_a_log_that_gives_no_message_is_counted(line: str, why: str) -> None:
    assert reason(adapter(), line) == why


def test_words_are_sign_extended_and_bounded() -> None:
    assert (signed(2**256 - 2**23, 24), signed(2**23 - 1, 24)) == (-(2**23), 2**23 - 1)
    assert unsigned(2**160 - 1, 160) == 2**160 - 1
    for value in (2**256 - 2**23 - 1, 2**23, 2**255):
        with pytest.raises(Skipped, match="bad_abi"):
            signed(value, 24)
    with pytest.raises(Skipped, match="bad_abi"):
        unsigned(2**160, 160)


# --- order, time, chains, files ---


def test_a_line_says_where_it_stands_in_the_chain_for_those_who_merge() -> None:
    made = adapter()
    made.convert(swapped(logIndex=5))
    assert made.order == (7, 5)


def test_a_line_that_is_too_long_ends_what_is_known_of_the_pools() -> None:
    made = adapter()
    market(made, swapped())
    assert reason(made, "1" * (LONGEST_LINE + 1)) == "too_long"
    assert reason(made, mint(TICK, TICK + 1, 1, logIndex=4)) == "no_price_yet"


def test_logs_come_in_the_order_of_the_chain() -> None:
    made = adapter()
    assert market(made, sync(10**12, 10**21, blockNumber="0x7", logIndex="0x3"))
    assert reason(made, sync(10**12, 10**21)) == "out_of_order"
    assert reason(made, sync(10**12, 10**21, blockNumber=6)) == "out_of_order"
    assert market(made, sync(10**12, 10**21, logIndex=4))
    assert market(made, sync(10**12, 10**21, blockNumber=8, logIndex=0))


def test_a_block_that_was_taken_back_comes_again_and_the_pool_waits_for_a_swap() -> None:
    made = adapter()
    market(made, swapped())
    assert reason(made, swapped(removed=True)) == "removed"
    assert reason(made, mint(TICK, TICK + 1, 1)) == "no_price_yet"
    assert market(made, swapped(logIndex=4))
    assert size_after(made, mint(TICK, TICK + 1, LIQUIDITY, logIndex=5)) == 2_000_000


def test_a_pool_is_introduced_with_its_first_message_and_once() -> None:
    made = adapter()
    made.convert(sync(0, 0, logIndex=1))
    first = made.convert(sync(10**12, 10**21, logIndex=2))
    kinds = [InstrumentDiscovered, InstrumentDiscovered, PoolDiscovered, Quote]
    assert [type(record.message) for record in first] == kinds
    assert len(made.convert(sync(10**12, 10**21, logIndex=3))) == 1


def test_the_time_is_that_of_the_block_where_the_log_says_it() -> None:
    assert adapter().convert(sync(10**12, 10**21))[-1].received == 0
    timed = sync(10**12, 10**21, blockTimestamp="0x61d4df82")
    assert adapter().convert(timed)[-1].received == 1641340802 * 10**9


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2022-01-05 00:00:02", 1641340802 * 10**9),
        ("2022-01-05 00:00:02+00:00", 1641340802 * 10**9),
        ("2022-01-05 01:00:02.000001+01:00", 1641340802 * 10**9 + 1_000),
    ],
)
def test_block_times_are_utc_unless_they_say_otherwise(text: str, time: int) -> None:
    assert block_time(text) == time


@pytest.mark.parametrize("text", ["", "yesterday", "1969-12-31 23:59:59", "2600-01-01 00:00:00"])
def test_a_time_that_is_none_is_counted(text: str) -> None:
    with pytest.raises(Skipped, match="bad_time"):
        block_time(text)


CSV_LOG = (
    "7,2024-01-05 00:00:23,0x00,33,3,"
    + f"\"['{uniswap_v2.SYNC}']\",0x{word(2 * 10**12)}{word(10**21)}"
)
CSV_HEADER = "block_number,block_timestamp,transaction_hash,transaction_index,log_index,topics,data"


def csv_adapter() -> UniswapAdapter:
    return UniswapAdapter(Pools(TABLE), CsvLogs(V2.upper().replace("0X", "0x")))


def test_a_csv_row_is_the_same_log() -> None:
    made = csv_adapter()
    assert reason(made, CSV_HEADER + "\n") == "header"
    assert market(made, CSV_LOG + "\n") == market(adapter(), sync(2 * 10**12, 10**21))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "blank"),
        (CSV_LOG + ",", "bad_row"),
        (CSV_LOG.replace('"', "", 1), "bad_log"),
        (CSV_LOG.replace('",', ",", 1), "bad_row"),
        (CSV_LOG.replace("7,", "-7,", 1), "bad_log"),
        (CSV_LOG.replace("['", "[__import__('"), "bad_log"),
        (CSV_LOG.replace("']", "'"), "bad_log"),
        (CSV_LOG.replace("2024-", "24-"), "bad_time"),
        (CSV_LOG.replace(f"['{uniswap_v2.SYNC}']", "[]"), "other_event"),
    ],
)
def test_a_csv_row_that_is_no_log_is_counted(line: str, why: str) -> None:
    made = csv_adapter()
    made.convert(CSV_HEADER)
    assert reason(made, line) == why


def test_a_csv_file_begins_with_its_header() -> None:
    assert reason(csv_adapter(), CSV_LOG) == "no_header"
    assert reason(csv_adapter(), CSV_HEADER.replace(",data", "")) == "unknown_header"


def test_the_file_name_says_chain_and_pool(tmp_path: Path) -> None:
    (tmp_path / "pools.csv").write_text("\n".join(TABLE))
    (tmp_path / "logs").mkdir()
    path = tmp_path / "logs" / f"polygon-{OTHER}-2022-01-05.raw.csv.gz"
    made = uniswap.adapter(path)
    made.convert(CSV_HEADER)
    topics = json.loads(swapped())["topics"]
    cells = f'7,2024-01-05 00:00:23,0x00,33,3,"{topics}",{json.loads(swapped())["data"]}'
    found = market(made, cells)
    assert isinstance(found[0], Trade)
    assert found[0].instrument_id == InstrumentId.pool_from_address(VenueId.UNISWAP_V3, OTHER)


def test_json_logs_are_of_ethereum_unless_the_file_name_begins_with_a_chain(tmp_path: Path) -> None:
    table = tmp_path / "my_pools.csv"
    table.write_text("\n".join(TABLE))
    assert reason(uniswap.adapter(tmp_path / "a.jsonl", table), swapped(pool=OTHER))
    assert market(uniswap.adapter(tmp_path / "polygon-a.jsonl", table), swapped(pool=OTHER))


def test_a_file_without_a_table_or_a_pool_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(RelayError, match=r"no table of pools, tried .*pools\.csv"):
        uniswap.adapter(tmp_path / "logs" / "a.jsonl")
    with pytest.raises(RelayError, match=r"my\.csv cannot be read: No such file"):
        uniswap.adapter(tmp_path / "a.jsonl", tmp_path / "my.csv")
    (tmp_path / "pools.csv").write_text("\n".join(TABLE))
    with pytest.raises(RelayError, match="expected a name like ethereum-0x<pool>"):
        uniswap.adapter(tmp_path / "logs.csv.gz")
