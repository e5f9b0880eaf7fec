"""Identifiers: making them, their three keys, their names; and what is refused."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import InstrumentError
from protocol.instruments import AssetType, InstrumentId, VenueId, id_to_symbol, symbol_to_id
from tests.wire.strategies import INSTRUMENTS

USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
WETH_AS_PRINTED = "0xc02aaa39b223fe8d0a0e5c4f2afb308d791be2259"
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
SYMBOLS = st.text(st.characters(min_codepoint=1, max_codepoint=127), min_size=1, max_size=8)


def test_an_instrument_lies_in_twelve_packed_bytes() -> None:
    one = InstrumentId(0x0102, 3, 0x1122334455667788, reserved=4)
    assert one.to_bytes() == bytes.fromhex("0201 03 04 8877665544332211")


@given(INSTRUMENTS)
def test_twelve_byte_and_96_bit_keys_are_lossless(one: InstrumentId) -> None:
    assert InstrumentId.from_bytes(one.to_bytes()) == one
    assert InstrumentId.from_int(one.to_int()) == one
    assert one.to_int() < 2**96
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one
    assert str(one)


@given(INSTRUMENTS)
def test_the_u64_key_raises_or_is_lossless(one: InstrumentId) -> None:
    if one.asset_id >= 2**40 or one.reserved:
        with pytest.raises(InstrumentError, match="asset_id below"):
            one.to_u64()
    else:
        assert InstrumentId.from_u64(one.to_u64()) == one


@given(st.integers(0, 2**64 - 1))
def test_every_u64_unpacks_to_the_instrument_that_packs_to_it(value: int) -> None:
    assert InstrumentId.from_u64(value).to_u64() == value


@given(SYMBOLS)
def test_a_symbol_can_be_read_back(symbol: str) -> None:
    assert id_to_symbol(symbol_to_id(symbol)) == symbol


@pytest.mark.parametrize("symbol", ["", "123456789", "B\u00dcRO", "\u20ac", "A\0B", "\0"])
def test_a_symbol_that_would_be_cut_or_changed_is_refused(symbol: str) -> None:
    for make in (InstrumentId.stock, InstrumentId.spot, InstrumentId.perpetual):
        with pytest.raises(ValueError, match="symbol: expected 1 to 8 ASCII characters"):
            make(VenueId.BINANCE, symbol)


@pytest.mark.parametrize(
    "address",
    [WETH_AS_PRINTED, USDC[2:], USDC[:-1], "0X" + USDC[2:], USDC + "\n", "0x" + "g" * 40, ""],
)
def test_an_address_is_0x_and_forty_hex_digits(address: str) -> None:
    for make in (
        InstrumentId.ethereum_token,
        lambda a: InstrumentId.token(VenueId.BASE, a),
        lambda a: InstrumentId.pool_from_address(VenueId.UNISWAP_V3, a),
    ):
        with pytest.raises(InstrumentError, match="address: expected 0x and 40 hex digits"):
            make(address)


def test_an_address_gives_its_first_eight_bytes() -> None:
    assert InstrumentId.ethereum_token(USDC).asset_id == 0xA0B86991C6218B36
    pool = InstrumentId.pool_from_address(VenueId.UNISWAP_V3, USDC)
    assert tuple(pool) == (301, 3, 0, 0xA0B86991C6218B36)


def token(asset_id: int) -> InstrumentId:
    return InstrumentId(VenueId.ETHEREUM, AssetType.TOKEN, asset_id)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_pool_is_the_same_in_either_order_and_follows_the_formula(a: int, b: int) -> None:
    low, high = min(a, b), max(a, b)
    pool = InstrumentId.pool(VenueId.UNISWAP_V2, token(a), token(b))
    assert pool == InstrumentId.pool(VenueId.UNISWAP_V2, token(b), token(a))
    assert pool.asset_id == ((low >> 1) ^ (high * 2)) % 2**64


@given(st.integers(0, 2**62 - 1), st.integers(2**62, 2**63 - 1))
def test_pools_collide_because_two_bits_are_forgotten(low: int, high: int) -> None:
    dex = VenueId.UNISWAP_V2
    pools = {
        InstrumentId.pool(dex, token(a), token(b))
        for a in (low & ~1, low | 1)
        for b in (high, high | 2**63)
    }
    assert len(pools) == 1


def test_a_collision_of_pools_is_not_one_of_their_addresses() -> None:
    other = USDC[:3] + "1" + USDC[4:]
    pools = {InstrumentId.pool_from_address(VenueId.UNISWAP_V2, one) for one in (USDC, other)}
    assert len(pools) == 2


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (InstrumentId.stock(VenueId.NASDAQ, "AAPL"), "Nasdaq stock AAPL"),
        (InstrumentId.ethereum_token(USDC), "Ethereum token 0xa0b86991c6218b36..."),
        (InstrumentId.token(VenueId.ARBITRUM, WETH), "Arbitrum token 0xc02aaa39b223fe8d..."),
        (InstrumentId.perpetual(VenueId.BINANCE_FUTURES, "BTC"), "BinanceFutures perpetual BTC"),
        (InstrumentId(VenueId.UNISWAP_V3, AssetType.POOL, 5), "UniswapV3 pool 0x0000000000000005"),
        (InstrumentId(77, 99, 1, reserved=2), "venue 77 asset type 99 0x0000000000000001 [2]"),
    ],
)
def test_an_instrument_says_what_it_is(one: InstrumentId, text: str) -> None:
    assert str(one) == text


@pytest.mark.parametrize(
    "make",
    [
        lambda: InstrumentId(2**16, 1, 1),
        lambda: InstrumentId(-1, 1, 1),
        lambda: InstrumentId(1, 256, 1),
        lambda: InstrumentId(1, 1, 2**64),
        lambda: InstrumentId(1, 1, 1, reserved=256),
        lambda: InstrumentId.from_int(2**96),
        lambda: InstrumentId.from_int(-1),
        lambda: InstrumentId.from_u64(2**64),
        lambda: InstrumentId.from_bytes(bytes(11)),
        lambda: InstrumentId.from_bytes(bytes(13)),
    ],
)
def test_what_does_not_fit_is_refused(make: Callable[[], InstrumentId]) -> None:
    with pytest.raises(InstrumentError, match="expected"):
        make()
