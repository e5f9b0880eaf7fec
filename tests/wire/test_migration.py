"""Older signals become DeFiSignals: what is carried comes back exactly, what is lost is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.defi import (
    DeFiSignal,
    Direction,
    PoolArbitrageSignal,
    PoolArbitrageSignalV1,
    PoolType,
)
from protocol.errors import FieldError
from protocol.extensions import PoolAddresses, find
from protocol.instruments import InstrumentId, VenueId
from protocol.message import decode
from protocol.migration import (
    RESERVES,
    Migrated,
    Rest,
    from_arbitrage,
    from_pool_arbitrage,
    from_q64,
    to_q64,
)
from protocol.signals import ArbitrageOpportunity
from tests.wire.strategies import structures

WETH_ADDRESS = "C02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
USDC_ADDRESS = "A0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
WETH = InstrumentId.ethereum_token("0x" + WETH_ADDRESS)
USDC = InstrumentId.ethereum_token("0x" + USDC_ADDRESS)
POOL_A, POOL_B = b"\x88" * 20, b"\x8a" * 20
REST: Rest = {
    "strategy_id": 2,
    "signal_id": 3,
    "signal_nonce": 4,
    "chain_id": 1,
    "base_token_addr": bytes.fromhex(USDC_ADDRESS),
    "quote_token_addr": bytes.fromhex(WETH_ADDRESS),
    "venue_a_router": b"a" * 20,
    "venue_b_router": b"b" * 20,
}
ARBITRAGE = ArbitrageOpportunity(
    USDC, WETH, VenueId.UNISWAP_V2, VenueId.UNISWAP_V3, 0, estimated_profit=-7, confidence=9_900
)
POOLS = PoolArbitrageSignal(
    InstrumentId.pool_from_address(VenueId.UNISWAP_V3, "0x" + POOL_A.hex()),
    InstrumentId.pool_from_address(VenueId.UNISWAP_V2, "0x" + POOL_B.hex()),
    WETH,
    USDC,
    *(0, 0, 0, 0),
    optimal_amount_in=5 * 10**18 + 1,
    expected_profit_wei=2 * 10**17 + 3,
    gas_cost_gwei=4_000_001,
    confidence=9_500,
    block_number=18_939_000,
    expires_at_block=18_939_002,
)
ADDRESSES = PoolAddresses(POOL_A, POOL_B)


def migrate(old: Any, **changes: Any) -> Migrated:
    given: dict[str, Any] = {"decimals0": 18, "native_token0": True, "pools": ADDRESSES, **REST}
    return from_pool_arbitrage(old, **given | changes)


@given(st.integers(-(2**127), 2**128), st.integers(0, 19))
def test_an_amount_comes_back_from_q64_exactly(amount: int, decimals: int) -> None:
    assert from_q64(to_q64(amount, decimals), decimals) == amount


def test_q64_is_tokens_times_two_to_the_sixty_fourth() -> None:
    assert to_q64(10**18, 18) == to_q64(10**6, 6) == 1 << 64
    assert to_q64(-25, 1) == -5 << 63


@pytest.mark.parametrize("decimals", [-1, 20, 255])
def test_decimals_with_which_amounts_would_collide_are_a_field_error(decimals: int) -> None:
    for convert in (to_q64, from_q64):
        with pytest.raises(FieldError, match=r"decimals: expected 0 to 19, got "):
            convert(1, decimals)


def test_an_arbitrage_that_loses_nothing_says_so() -> None:
    signal, lost = from_arbitrage(ARBITRAGE, **REST)
    assert lost == ()
    assert signal.base_instrument == USDC
    assert signal.quote_instrument == WETH
    assert (signal.venue_a_type, signal.venue_b_type) == (PoolType.UNISWAP_V2, PoolType.UNISWAP_V3)
    assert from_q64(signal.expected_profit_q, 8) == -7
    assert (signal.confidence, signal.direction_flag) == (99, Direction.BUY_BASE)
    assert (signal.strategy_id, signal.signal_id, signal.signal_nonce) == (2, 3, 4)
    assert decode(signal.frame()) == signal


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"spread_bps": 1}, ("spread_bps",)),
        ({"confidence": 9_901}, ("confidence",)),
        ({"expires_at": 5}, ("expires_at",)),
        ({"venue_a": VenueId.BALANCER}, ("venue_a",)),
        ({"venue_b": VenueId.SUSHISWAP_V2}, ("venue_b",)),
        ({"venue_b": 9_999, "spread_bps": 3}, ("venue_b", "spread_bps")),
    ],
)
def test_what_an_arbitrage_loses_is_named(changes: dict[str, int], lost: tuple[str, ...]) -> None:
    assert from_arbitrage(ARBITRAGE.replace(**changes), **REST).lost == lost


SPOT = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
PERPETUAL = InstrumentId.perpetual(VenueId.BINANCE_FUTURES, "BTCUSDT")


@pytest.mark.parametrize(
    ("changes", "rest", "text"),
    [
        ({"base_id": SPOT}, {}, "arbitrage_opportunity.base_id: expected a token, got "),
        ({"quote_id": PERPETUAL}, {}, "arbitrage_opportunity.quote_id: expected a token, got "),
        (
            {"quote_id": USDC},
            {"quote_token_addr": bytes.fromhex(USDC_ADDRESS)},
            "arbitrage_opportunity.quote_id: expected another token than base_id, got ",
        ),
        ({"venue_a": VenueId.BINANCE}, {}, "arbitrage_opportunity.venue_a: expected a venue on a"),
        ({"venue_b": VenueId.NASDAQ}, {}, "arbitrage_opportunity.venue_b: expected a venue on a"),
        (
            {},
            {"chain_id": 137},
            "defi_signal.chain_id: expected 1, of Ethereum token 0xa0b8699",
        ),
        ({}, {"venue_a_router": bytes(20)}, "defi_signal.venue_a_router: expected the router "),
        ({}, {"venue_b_router": bytes(20)}, "defi_signal.venue_b_router: expected the router "),
    ],
)
def test_an_arbitrage_that_would_become_another_trade_is_refused(
    changes: dict[str, Any], rest: Any, text: str
) -> None:
    with pytest.raises(FieldError) as info:
        from_arbitrage(ARBITRAGE.replace(**changes), **REST | rest)
    assert str(info.value).startswith(text)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"token0_id": SPOT}, "pool_arbitrage_signal.token0_id: expected a token, got "),
        ({"token1_id": PERPETUAL}, "pool_arbitrage_signal.token1_id: expected a token, got "),
        ({"token0_id": USDC}, "pool_arbitrage_signal.token0_id: expected another token than tok"),
    ],
)
def test_pools_of_no_two_tokens_are_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(FieldError) as info:
        migrate(POOLS.replace(**changes))
    assert str(info.value).startswith(text)


def test_the_second_router_must_be_given() -> None:
    rest: Any = {name: value for name, value in REST.items() if name != "venue_b_router"}
    with pytest.raises(FieldError, match=r"^defi_signal\.venue_b_router: expected the router"):
        from_arbitrage(ARBITRAGE, **rest)


def test_a_profit_after_gas_stays_one_and_says_so() -> None:
    words = {one.name: one.declared.meaning for one in DeFiSignal.FIELDS}
    assert "after fees and gas" in words["expected_profit_q"]
    assert "taken off expected_profit_q already" in words["gas_estimate_q"]
    for old in (ArbitrageOpportunity, PoolArbitrageSignal, PoolArbitrageSignalV1):
        said = {one.name: one.declared.meaning for one in old.FIELDS}
        profit = said.get("estimated_profit") or said["expected_profit_wei"]
        assert "after" in profit
        assert "gas" in profit
    with_gas, without = migrate(POOLS).signal, migrate(POOLS, native_token0=False).signal
    assert with_gas.expected_profit_q == without.expected_profit_q
    assert (with_gas.gas_estimate_q > 0, without.gas_estimate_q) == (True, 0)


def test_a_fork_goes_by_the_type_of_what_it_is_a_fork_of() -> None:
    old = ARBITRAGE.replace(venue_a=VenueId.QUICKSWAP_V2, venue_b=VenueId.CURVE)
    signal, lost = from_arbitrage(old, **REST)
    assert (signal.venue_a_type, signal.venue_b_type) == (PoolType.UNISWAP_V2, PoolType.CURVE)
    assert lost == ("venue_a",)


def test_pools_that_lose_nothing_say_so() -> None:
    signal, lost = migrate(POOLS)
    assert lost == ()
    assert (signal.base_instrument, signal.quote_instrument) == (USDC, WETH)
    assert signal.direction_flag is Direction.BUY_BASE
    assert signal.amount_in_q == signal.optimal_size_q
    assert from_q64(signal.amount_in_q, 18) == POOLS.optimal_amount_in
    assert from_q64(signal.expected_profit_q, 18) == POOLS.expected_profit_wei
    assert from_q64(signal.gas_estimate_q, 9) == POOLS.gas_cost_gwei
    assert (signal.observed_block, signal.valid_through_block) == (18_939_000, 18_939_002)
    assert find(signal.tlvs, PoolAddresses) == [ADDRESSES]
    assert decode(signal.frame()) == signal


@pytest.mark.parametrize(
    ("changes", "rest", "lost"),
    [
        ({"confidence": 1}, {}, ("confidence",)),
        ({}, {"native_token0": False}, ("gas_cost_gwei",)),
        ({"gas_cost_gwei": 0}, {"native_token0": False}, ()),
        ({}, {"pools": None}, ("pool_a_id", "pool_b_id")),
        ({}, {"pools": PoolAddresses(POOL_A, POOL_A)}, ("pool_b_id",)),
        ({"pool_a_id": InstrumentId(VenueId.BALANCER, 3, 1)}, {}, ("pool_a_id",)),
        ({"pool_a_id": POOLS.pool_a_id._replace(venue=VenueId.SUSHISWAP_V2)}, {}, ("pool_a_id",)),
        (dict.fromkeys(RESERVES, 9), {}, RESERVES),
    ],
)
def test_what_pools_lose_is_named(
    changes: dict[str, Any], rest: dict[str, Any], lost: tuple[str, ...]
) -> None:
    assert migrate(POOLS.replace(**changes), **rest).lost == lost


def test_both_versions_of_a_pool_signal_give_the_same() -> None:
    values = POOLS.values() | {"optimal_amount_in": 2**64 - 1}
    assert migrate(PoolArbitrageSignalV1(**values)) == migrate(PoolArbitrageSignal(**values))


def test_a_pool_without_a_venue_type_is_not_carried_by_its_address() -> None:
    old = POOLS.replace(pool_a_id=InstrumentId(0, 3, int.from_bytes(POOL_A[:8], "big")))
    signal, lost = migrate(old)
    assert (signal.venue_a_type, lost) == (0, ("pool_a_id",))


@pytest.mark.parametrize(
    ("changes", "rest", "field"),
    [
        ({"optimal_amount_in": 2**64}, {"decimals0": 0}, "amount_in_q"),
        ({"expected_profit_wei": 2**63}, {"decimals0": 0}, "expected_profit_q"),
        ({}, {"base_token_addr": bytes.fromhex(WETH_ADDRESS)}, "base_token_addr"),
        ({}, {"quote_token_addr": bytes(20)}, "quote_token_addr"),
        ({}, {"venue_a_router": b"short"}, "venue_a_router"),
        ({}, {"slippage_bps": 65_536}, "slippage_bps"),
    ],
)
def test_what_cannot_fit_at_all_names_the_field(
    changes: dict[str, Any], rest: dict[str, Any], field: str
) -> None:
    with pytest.raises(FieldError, match=rf"^defi_signal\.{field}: expected "):
        migrate(POOLS.replace(**changes), **rest)


def test_what_the_old_signal_says_cannot_be_given_again() -> None:
    with pytest.raises(TypeError, match="confidence"):
        migrate(POOLS, confidence=3)


@given(st.data())
def test_any_old_signal_migrates_or_is_a_field_error(data: st.DataObject) -> None:
    old = data.draw(
        structures(data.draw(st.sampled_from([PoolArbitrageSignal, PoolArbitrageSignalV1])))
    )
    assert isinstance(old, PoolArbitrageSignal | PoolArbitrageSignalV1)
    if data.draw(st.booleans()):
        old = old.replace(token0_id=WETH, token1_id=USDC)
    try:
        signal, lost = migrate(old)
    except FieldError:
        return
    assert isinstance(signal, DeFiSignal)
    assert set(lost) <= set(old.values())
    assert from_q64(signal.amount_in_q, 18) == old.optimal_amount_in
