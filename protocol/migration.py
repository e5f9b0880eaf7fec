"""Older signals as DeFiSignals: the way from fixed messages to one with extensions.

Called by strategies and bridges that get ArbitrageOpportunity or PoolArbitrageSignal and want to
send DeFiSignal. What the older signal does not know (addresses, decimals, ids of signals) comes
from the caller; nothing is looked up or guessed here. (SPEC.md, Migration to DeFiSignal)
"""

from typing import Any, NamedTuple, Required, TypedDict, Unpack

from protocol.defi import (
    DeFiSignal,
    Direction,
    PoolArbitrageSignal,
    PoolArbitrageSignalV1,
    PoolType,
)
from protocol.errors import FieldError
from protocol.extensions import PoolAddresses
from protocol.instruments import AssetType, InstrumentId, VenueId
from protocol.message import Message
from protocol.signals import ArbitrageOpportunity
from protocol.tlv import build

ONE_Q = 1 << 64
# A step of 10**-19 is more than one unit of 2**-64, so that no two amounts share a Q64.64 number.
MOST_DECIMALS = 19
FIXED_POINT_DECIMALS = 8
GWEI_DECIMALS = 9
PREFIX_BYTES = 8
NO_ROUTER = bytes(20)
VERSION = 1
POOLS: dict[int, int] = {
    VenueId.UNISWAP_V2: PoolType.UNISWAP_V2,
    VenueId.SUSHISWAP_V2: PoolType.UNISWAP_V2,
    VenueId.QUICKSWAP_V2: PoolType.UNISWAP_V2,
    VenueId.UNISWAP_V3: PoolType.UNISWAP_V3,
    VenueId.CURVE: PoolType.CURVE,
}
# The venue that a type tells by itself; of a fork it only tells what it is a fork of.
NAMED: dict[int, int] = {
    PoolType.UNISWAP_V2: VenueId.UNISWAP_V2,
    PoolType.UNISWAP_V3: VenueId.UNISWAP_V3,
    PoolType.CURVE: VenueId.CURVE,
}
# The chain id of each chain that is a venue.
CHAINS: dict[int, int] = {
    VenueId.ETHEREUM: 1,
    VenueId.POLYGON: 137,
    VenueId.ARBITRUM: 42161,
    VenueId.BASE: 8453,
    VenueId.OPTIMISM: 10,
    VenueId.BSC: 56,
}
# Exchanges and markets, as SPEC.md has the ranges: what they trade is not on a chain.
OFF_CHAIN = range(1, 200)
RESERVES = ("pool_a_reserve0", "pool_a_reserve1", "pool_b_reserve0", "pool_b_reserve1")


class Rest(TypedDict, total=False):
    """What a DeFiSignal needs and an older signal does not have: its fields, by their names."""

    strategy_id: Required[int]
    signal_id: Required[int]
    signal_nonce: Required[int]
    chain_id: Required[int]
    base_token_addr: Required[bytes]
    quote_token_addr: Required[bytes]
    venue_a_router: Required[bytes]
    venue_b_router: Required[bytes]
    adapter_id: int
    fee_a_ppm: int
    fee_b_ppm: int
    required_capital_q: int
    min_out_q: int
    state_hash: int
    execution_flags: int
    slippage_bps: int
    price_impact_bps: int
    replace_signal_id: int
    created_at_sec: int


class Migrated(NamedTuple):
    """A signal in its new form, and the fields of the old one whose value it could not carry, in
    the order of the old message."""

    signal: DeFiSignal
    lost: tuple[str, ...]


def to_q64(amount: int, decimals: int) -> int:
    """An amount in units of 10**-decimals tokens as tokens in Q64.64: the amount times 2**64 by
    10**decimals, rounded to the nearest. `from_q64` gives the amount back.

    FieldError unless decimals are 0 to 19: with more, two amounts could get one number.

    >>> to_q64(1_500_000, decimals=6) / 2**64
    1.5
    """
    unit = _unit(decimals)
    return (2 * amount * ONE_Q + unit) // (2 * unit)


def from_q64(number: int, decimals: int) -> int:
    """Tokens in Q64.64 as an amount in units of 10**-decimals tokens, rounded to the nearest: the
    exact inverse of `to_q64`. FieldError unless decimals are 0 to 19.

    >>> from_q64(to_q64(-123_456_789_012_345_678, 18), 18)
    -123456789012345678
    """
    return (2 * number * _unit(decimals) + ONE_Q) // (2 * ONE_Q)


def from_arbitrage(old: ArbitrageOpportunity, **rest: Unpack[Rest]) -> Migrated:
    """An ArbitrageOpportunity in two tokens as DeFiSignal: buy the base for the quote on venue A,
    sell it for the quote on venue B.

    Carried: base_id, quote_id, estimated_profit (1e-8 to Q64.64, after gas in both), confidence in
    whole percent, a venue that is Uniswap or Curve as the type of its pools. Lost: spread_bps and
    expires_at unless they are 0, the parts of a percent, other venues on chains. FieldError for a
    value that does not fit and for what would become another trade: ids that are not two tokens, a
    venue that is an exchange, the address, chain or router of something else.

    >>> weth = InstrumentId.ethereum_token("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2")
    >>> usdc = InstrumentId.ethereum_token("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
    >>> signal, lost = from_arbitrage(
    ...     ArbitrageOpportunity(weth, usdc, VenueId.UNISWAP_V3, VenueId.SUSHISWAP_V2,
    ...         spread_bps=12, estimated_profit=3_50000000, confidence=9_500),
    ...     strategy_id=2, signal_id=1, signal_nonce=1, chain_id=1,
    ...     base_token_addr=bytes.fromhex("C02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"),
    ...     quote_token_addr=bytes.fromhex("A0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"),
    ...     venue_a_router=b"a" * 20, venue_b_router=b"b" * 20)
    >>> signal.expected_profit_q / 2**64, signal.confidence, lost
    (3.5, 95, ('venue_b', 'spread_bps'))
    """
    _demand_tokens(old, "base_id", "quote_id")
    for name in ("venue_a", "venue_b"):
        if getattr(old, name) in OFF_CHAIN:
            what = f"{old.label()}.{name}"
            raise FieldError(what, expected="a venue on a chain", got=getattr(old, name))
    signal = _signal(
        rest,
        base_instrument=old.base_id,
        quote_instrument=old.quote_id,
        venue_a_type=POOLS.get(old.venue_a, PoolType.NOT_SET),
        venue_b_type=POOLS.get(old.venue_b, PoolType.NOT_SET),
        confidence=old.confidence // 100,
        expected_profit_q=to_q64(old.estimated_profit, FIXED_POINT_DECIMALS),
    )
    lost = {
        "venue_a": NAMED.get(signal.venue_a_type) != old.venue_a,
        "venue_b": NAMED.get(signal.venue_b_type) != old.venue_b,
        "spread_bps": old.spread_bps != 0,
        "confidence": old.confidence % 100 != 0,
        "expires_at": old.expires_at != 0,
    }
    return Migrated(signal, _names(lost))


def from_pool_arbitrage(
    old: PoolArbitrageSignal | PoolArbitrageSignalV1,
    *,
    decimals0: int,
    native_token0: bool = False,
    pools: PoolAddresses | None = None,
    **rest: Unpack[Rest],
) -> Migrated:
    """A PoolArbitrageSignal of either version as DeFiSignal. Amount and profit are in token0, so
    token0 is the quote, token1 the base, which is bought on venue A and sold on venue B.

    `decimals0` are those of token0; `native_token0` says that it is the chain's currency, wrapped,
    which makes gas_cost_gwei an amount of it; `pools` go along as a TLV. Carried: both tokens, the
    amount (as amount_in_q and optimal_size_q), the profit, confidence in whole percent, both
    blocks, the cost of gas if it is in token0 (the profit is after it in both), and a pool whose id
    is made from the address in `pools` on Uniswap or Curve. Lost: reserves, other pool ids, the
    parts of a percent. FieldError for a value that does not fit and for what would become another
    trade: ids that are not two tokens, the address, chain or router of something else.

    >>> weth = InstrumentId.ethereum_token("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2")
    >>> usdc = InstrumentId.ethereum_token("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
    >>> a, b = (InstrumentId.pool_from_address(VenueId.UNISWAP_V3, "0x" + c * 40) for c in "12")
    >>> signal, lost = from_pool_arbitrage(
    ...     PoolArbitrageSignal(a, b, weth, usdc, 1, 2, 3, 4, 5 * 10**18, 2 * 10**17,
    ...         gas_cost_gwei=4_000_000, confidence=9_500, block_number=18_939_000),
    ...     decimals0=18, native_token0=True,
    ...     pools=PoolAddresses(b"\\x11" * 20, b"\\x22" * 20),
    ...     strategy_id=2, signal_id=1, signal_nonce=1, chain_id=1,
    ...     base_token_addr=bytes.fromhex("A0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"),
    ...     quote_token_addr=bytes.fromhex("C02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"),
    ...     venue_a_router=b"a" * 20, venue_b_router=b"b" * 20)
    >>> signal.amount_in_q >> 64, from_q64(signal.expected_profit_q, 18), len(signal.tlvs)
    (5, 200000000000000000, 44)
    >>> lost
    ('pool_a_reserve0', 'pool_a_reserve1', 'pool_b_reserve0', 'pool_b_reserve1')
    """
    _demand_tokens(old, "token1_id", "token0_id")
    amount = to_q64(old.optimal_amount_in, decimals0)
    signal = _signal(
        rest,
        base_instrument=old.token1_id,
        quote_instrument=old.token0_id,
        venue_a_type=POOLS.get(old.pool_a_id.venue, PoolType.NOT_SET),
        venue_b_type=POOLS.get(old.pool_b_id.venue, PoolType.NOT_SET),
        confidence=old.confidence // 100,
        expected_profit_q=to_q64(old.expected_profit_wei, decimals0),
        gas_estimate_q=to_q64(old.gas_cost_gwei, GWEI_DECIMALS) if native_token0 else 0,
        amount_in_q=amount,
        optimal_size_q=amount,
        observed_block=old.block_number,
        valid_through_block=old.expires_at_block,
        tlvs=build([pools]) if pools else b"",
    )
    told_a = pools and _pool(signal.venue_a_type, pools.venue_a_pool)
    told_b = pools and _pool(signal.venue_b_type, pools.venue_b_pool)
    lost = {"pool_a_id": told_a != old.pool_a_id, "pool_b_id": told_b != old.pool_b_id}
    lost |= {name: getattr(old, name) != 0 for name in RESERVES}
    lost["gas_cost_gwei"] = old.gas_cost_gwei != 0 and not native_token0
    lost["confidence"] = old.confidence % 100 != 0
    return Migrated(signal, _names(lost))


def _demand_tokens(old: Message, base: str, quote: str) -> None:
    """FieldError unless these fields are two tokens: a DeFiSignal trades nothing else."""
    for name in (base, quote):
        token: InstrumentId = getattr(old, name)
        if token.asset_type != AssetType.TOKEN:
            raise FieldError(f"{old.label()}.{name}", expected="a token", got=str(token))
    if getattr(old, base) == getattr(old, quote):
        got = str(getattr(old, quote))
        raise FieldError(f"{old.label()}.{quote}", expected=f"another token than {base}", got=got)


def _signal(rest: Rest, **known: Any) -> DeFiSignal:
    """The signal made of what is known and what the caller adds: the base is bought on venue A."""
    given: dict[str, Any] = {"adapter_id": 0, **rest}
    signal = DeFiSignal(version=VERSION, direction_flag=Direction.BUY_BASE, **known, **given)
    for name in ("base", "quote"):
        token: InstrumentId = getattr(signal, f"{name}_instrument")
        address: bytes = getattr(signal, f"{name}_token_addr")
        if token.asset_id != _prefix(address):
            what = f"defi_signal.{name}_token_addr"
            raise FieldError(what, expected=f"the address of {token}", got=address.hex())
        if CHAINS.get(token.venue, signal.chain_id) != signal.chain_id:
            expected = f"{CHAINS[token.venue]}, of {token}"
            raise FieldError("defi_signal.chain_id", expected=expected, got=signal.chain_id)
    for name in ("venue_a_router", "venue_b_router"):
        # Zeros say that there is no such venue, and both are needed.
        if getattr(signal, name) == NO_ROUTER:
            raise FieldError(f"defi_signal.{name}", expected="the router of that venue", got="0x00")
    return signal


def _pool(kind: int, address: bytes) -> InstrumentId | None:
    """The pool id that a reader of the signal can make again; None where there is none."""
    venue = NAMED.get(kind)
    return None if venue is None else InstrumentId(venue, AssetType.POOL, _prefix(address))


def _prefix(address: bytes) -> int:
    return int.from_bytes(address[:PREFIX_BYTES], "big")


def _unit(decimals: int) -> int:
    if decimals not in range(MOST_DECIMALS + 1):
        raise FieldError("decimals", expected=f"0 to {MOST_DECIMALS}", got=decimals)
    return int(10**decimals)


def _names(lost: dict[str, bool]) -> tuple[str, ...]:
    return tuple(name for name, is_lost in lost.items() if is_lost)
