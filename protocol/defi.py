"""Messages of the signals domain about chains, types 30-39 (SPEC.md, Message types).

Built by strategies that watch pools, blocks and mempools, read by execution adapters. What the TLVs
of a DeFiSignal contain is in `protocol.extensions`; how older signals become one is in
`protocol.migration`.
"""

from typing import Annotated

from protocol.catalogue import MessageType
from protocol.chains import (
    Direction,
    FarmStatus,
    GasAction,
    Lender,
    MEVKind,
    PoolType,
    StrategyKind,
)
from protocol.fields import (
    I128,
    U8,
    U8_WIRE,
    U16,
    U32,
    U64,
    U128,
    Bytes20,
    Bytes32,
    Instrument,
    Tlvs,
    count,
    field,
    pad,
    start,
)
from protocol.message import Message
from protocol.signals import Severity

__all__ = [
    "DeFiSignal",
    "Direction",
    "FarmStatus",
    "FlashLoanSignal",
    "GasAction",
    "GasOptimizationSignal",
    "ImpermanentLossAlert",
    "Lender",
    "LiquidityImbalance",
    "MEVKind",
    "MEVOpportunity",
    "MEVOpportunityV1",
    "PoolArbitrageSignal",
    "PoolArbitrageSignalV1",
    "PoolType",
    "Severity",
    "StrategyKind",
    "YieldFarmingUpdate",
]


class PoolArbitrageSignal(Message, type=MessageType.POOL_ARBITRAGE_SIGNAL, version=2):
    """Two pools of one pair whose prices differ, 192 bytes; nearest FIX 35=6 (IOI).

    token0 is paid into pool_a for token1, which is paid into pool_b for token0: amount and profit
    are in token0. The default version; version 1 has 64 bits for what fits only 128.

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> a, b, weth, usdc = (InstrumentId(300, 3, n) for n in range(4))
    >>> found = PoolArbitrageSignal(a, b, weth, usdc, 5 * 10**21, 9 * 10**12, 4 * 10**21,
    ...     8 * 10**12, optimal_amount_in=10**19, expected_profit_wei=10**17,
    ...     gas_cost_gwei=4_000_000, confidence=9_500, block_number=18_939_000)
    >>> len(found.frame()), found.pool_a_reserve0
    (192, 5000000000000000000000)
    """

    pool_a_id: Instrument = field("pool that is paid first", fix="48 SecurityID")
    pool_b_id: Instrument = field("pool that is paid second", fix="309 UnderlyingSecurityID")
    token0_id: Instrument = field("token put in and got back", fix="15 Currency")
    token1_id: Instrument = field("token in between", fix="120 SettlCurrency")
    pool_a_reserve0: U128 = field("token0 in pool_a", unit="smallest unit")
    pool_a_reserve1: U128 = field("token1 in pool_a", unit="smallest unit")
    pool_b_reserve0: U128 = field("token0 in pool_b", unit="smallest unit")
    pool_b_reserve1: U128 = field("token1 in pool_b", unit="smallest unit")
    optimal_amount_in: U128 = field(
        "token0 to pay into pool_a", unit="smallest unit", fix="27 IOIQty"
    )
    expected_profit_wei: U128 = field("profit after gas, in token0", unit="smallest unit")
    gas_cost_gwei: U32 = field("cost of gas, in the chain's currency", unit="1e-9")
    confidence: U16 = field("how sure the strategy is", unit="1/10,000", within=((0, 10_000),))
    block_number: U32 = field("block it was computed for")
    expires_at_block: U32 = field(
        "last block it holds for; 0 not said", fix="62 ValidUntilTime", default=0
    )
    _end = pad(2)


class PoolArbitrageSignalV1(Message, type=MessageType.POOL_ARBITRAGE_SIGNAL, version=1):
    """Two pools of one pair whose prices differ, 144 bytes; nearest FIX 35=6 (IOI).

    As PoolArbitrageSignal, in 64 bits: they end at 18.4 tokens of 18 decimals, so prefer version 2.

    >>> from protocol.instruments import InstrumentId
    >>> a, b, weth, usdc = (InstrumentId(300, 3, n) for n in range(4))
    >>> found = PoolArbitrageSignalV1(a, b, weth, usdc, 1, 2, 3, 4, optimal_amount_in=5,
    ...     expected_profit_wei=6, gas_cost_gwei=7, confidence=8, block_number=9)
    >>> len(found.frame()), found.VERSION
    (144, 1)
    """

    pool_a_id: Instrument = field("pool that is paid first", fix="48 SecurityID")
    pool_b_id: Instrument = field("pool that is paid second", fix="309 UnderlyingSecurityID")
    token0_id: Instrument = field("token put in and got back", fix="15 Currency")
    token1_id: Instrument = field("token in between", fix="120 SettlCurrency")
    pool_a_reserve0: U64 = field("token0 in pool_a", unit="smallest unit")
    pool_a_reserve1: U64 = field("token1 in pool_a", unit="smallest unit")
    pool_b_reserve0: U64 = field("token0 in pool_b", unit="smallest unit")
    pool_b_reserve1: U64 = field("token1 in pool_b", unit="smallest unit")
    optimal_amount_in: U64 = field(
        "token0 to pay into pool_a", unit="smallest unit", fix="27 IOIQty"
    )
    expected_profit_wei: U64 = field("profit after gas, in token0", unit="smallest unit")
    gas_cost_gwei: U32 = field("cost of gas, in the chain's currency", unit="1e-9")
    confidence: U16 = field("how sure the strategy is", unit="1/10,000", within=((0, 10_000),))
    block_number: U32 = field("block it was computed for")
    expires_at_block: U32 = field(
        "last block it holds for; 0 not said", fix="62 ValidUntilTime", default=0
    )
    _end = pad(2)


class LiquidityImbalance(Message, type=MessageType.LIQUIDITY_IMBALANCE, version=1):
    """A pool whose ratio is far from its average, 104 bytes; nearest FIX 35=f (SecurityStatus).

    A ratio is token1 by token0 in the pool, both in whole tokens.

    >>> from protocol.instruments import InstrumentId
    >>> pool, token0, token1 = (InstrumentId(301, 3, n) for n in range(3))
    >>> seen = LiquidityImbalance(pool, token0, token1, current_ratio=2_240_00000000,
    ...     historical_avg_ratio=2_000_00000000, deviation_bps=1_200, volume_24h=0, fee_tier=500)
    >>> len(seen.frame()), seen.deviation_bps
    (104, 1200)
    """

    pool_id: Instrument = field("the pool", fix="48 SecurityID")
    token0_id: Instrument = field("its token0", fix="15 Currency")
    token1_id: Instrument = field("its token1", fix="120 SettlCurrency")
    current_ratio: U64 = field("ratio now", unit="1e-8", fix="270 MDEntryPx")
    historical_avg_ratio: U64 = field("mean ratio of 30 days", unit="1e-8")
    deviation_bps: U32 = field("distance of the two, of the mean", unit="1/10,000")
    volume_24h: U64 = field(
        "traded in 24 hours, in token1", unit="1e-8", fix="387 TotalVolumeTraded"
    )
    fee_tier: U32 = field("the pool's fee", unit="1e-6")
    _end = pad(4)


class ImpermanentLossAlert(Message, type=MessageType.IMPERMANENT_LOSS_ALERT, version=1):
    """Liquidity in a pool is worth less than its tokens would be, 160 bytes; nearest FIX 35=B
    (News).

    Values are in token1's smallest unit, ratios as in LiquidityImbalance.

    >>> from protocol.instruments import InstrumentId
    >>> pool, token0, token1 = (InstrumentId(301, 3, n) for n in range(3))
    >>> alert = ImpermanentLossAlert(pool, token0, token1, Severity.WARNING, chain_id=1,
    ...     loss_bps=570, account_id=1, position_id=627_000, block_number=18_939_000,
    ...     entry_ratio=100000000, current_ratio=200000000, held_value_wei=3 * 10**18,
    ...     pool_value_wei=2_829 * 10**15)
    >>> len(alert.frame()), alert.severity.name
    (160, 'WARNING')
    """

    pool_id: Instrument = field("the pool", fix="48 SecurityID")
    token0_id: Instrument = field("its token0", fix="15 Currency")
    token1_id: Instrument = field("its token1", fix="120 SettlCurrency")
    severity: Annotated[Severity, U8_WIRE] = field("how much it matters", fix="61 Urgency")
    _gap = pad(3)
    chain_id: U32 = field("EVM chain id")
    loss_bps: U32 = field("loss against holding the tokens, fees left out", unit="1/10,000")
    account_id: U64 = field("whose liquidity; 0 = anybody's", fix="1 Account")
    position_id: U64 = field("the venue's number of the position; 0 none", fix="2618 PositionID")
    block_number: U64 = field("block it was computed for")
    entry_ratio: U64 = field("ratio when the liquidity was put in", unit="1e-8")
    current_ratio: U64 = field("ratio now", unit="1e-8", fix="270 MDEntryPx")
    held_value_wei: U128 = field("worth of the tokens had they been held", unit="smallest unit")
    pool_value_wei: U128 = field("worth of the liquidity", unit="smallest unit")
    threshold_bps: U32 = field(
        "loss from which alerts are sent; 0 none", unit="1/10,000", default=0
    )
    fees_bps: U32 = field("fees earned, of held_value_wei", unit="1/10,000", default=0)


class MEVOpportunity(Message, type=MessageType.MEV_OPPORTUNITY, version=2):
    """A pending transaction that something can be earned from, 144 bytes; nearest FIX 35=6 (IOI).

    The default version: amounts of 128 bits, a chain id of 32, blocks of 64.

    >>> seen = MEVOpportunity(MEVKind.BACKRUN, priority=200, chain_id=42_161,
    ...     target_tx_hash=bytes(32), estimated_profit_wei=25 * 10**18, max_gas_price_gwei=80,
    ...     target_block=18_939_001, deadline_block=18_939_002)
    >>> len(seen.frame()), seen.chain_id
    (144, 42161)
    """

    opportunity_type: Annotated[MEVKind, U8_WIRE] = field("what is to be done")
    priority: U8 = field("higher is more urgent", fix="61 Urgency")
    _gap = pad(2)
    chain_id: U32 = field("EVM chain id")
    target_tx_hash: Bytes32 = field("hash of the pending transaction")
    estimated_profit_wei: U128 = field("profit after gas, in the chain's currency", unit="1e-18")
    max_gas_price_gwei: U64 = field("the most to pay for gas", unit="1e-9 a gas")
    target_block: U64 = field("block to be in")
    deadline_block: U64 = field("last block it holds for", fix="62 ValidUntilTime")
    victim_amount_in: U128 = field(
        "what the target pays in; 0 not known", unit="smallest unit", default=0
    )
    optimal_frontrun_amount: U128 = field(
        "what to pay in before it; 0 none", unit="smallest unit", default=0
    )


class MEVOpportunityV1(Message, type=MessageType.MEV_OPPORTUNITY, version=1):
    """A pending transaction that something can be earned from, 112 bytes; nearest FIX 35=6 (IOI).

    As MEVOpportunity with 64-bit amounts (they end at 18.4 ETH) and chain ids to 255: prefer
    version 2.

    >>> seen = MEVOpportunityV1(MEVKind.SANDWICH, chain_id=137, priority=9,
    ...     target_tx_hash=bytes(32), estimated_profit_wei=1, max_gas_price_gwei=80,
    ...     target_block=1, deadline_block=2)
    >>> len(seen.frame()), seen.chain_id
    (112, 137)
    """

    opportunity_type: Annotated[MEVKind, U8_WIRE] = field("what is to be done")
    chain_id: U8 = field("EVM chain id, to 255")
    priority: U8 = field("higher is more urgent", fix="61 Urgency")
    _reserved = pad(1)
    target_tx_hash: Bytes32 = field("hash of the pending transaction")
    estimated_profit_wei: U64 = field("profit after gas, in the chain's currency", unit="1e-18")
    max_gas_price_gwei: U64 = field("the most to pay for gas", unit="1e-9 a gas")
    target_block: U32 = field("block to be in")
    deadline_block: U32 = field("last block it holds for", fix="62 ValidUntilTime")
    victim_amount_in: U64 = field(
        "what the target pays in; 0 not known", unit="smallest unit", default=0
    )
    optimal_frontrun_amount: U64 = field(
        "what to pay in before it; 0 none", unit="smallest unit", default=0
    )
    _end = pad(4)


class FlashLoanSignal(Message, type=MessageType.FLASH_LOAN_SIGNAL, version=1):
    """An arbitrage that a loan within one transaction pays for, 184 bytes; nearest FIX 35=6 (IOI).

    The token is borrowed, paid into pool_a, what comes of it into pool_b, and the loan repaid.

    >>> from protocol.instruments import InstrumentId
    >>> dai, lender, a, b = (InstrumentId(200, 3, n) for n in range(4))
    >>> signal = FlashLoanSignal(dai, lender, a, b, chain_id=1, fee_ppm=900,
    ...     provider=Lender.AAVE_V2, confidence=9_000, strategy_id=3, signal_id=1,
    ...     amount_wei=10**24, fee_wei=9 * 10**20, expected_profit_wei=10**21,
    ...     observed_block=18_939_000)
    >>> len(signal.frame()), signal.provider.name
    (184, 'AAVE_V2')
    """

    token_id: Instrument = field("what is borrowed and earned", fix="15 Currency")
    lender_id: Instrument = field("pool that lends; all zero: see provider", fix="48 SecurityID")
    pool_a_id: Instrument = field("pool that is paid first", fix="309 UnderlyingSecurityID")
    pool_b_id: Instrument = field("pool that is paid second", fix="309 UnderlyingSecurityID")
    chain_id: U32 = field("EVM chain id")
    fee_ppm: U32 = field("fee of the loan", unit="1e-6", fix="12 Commission")
    provider: U8 = field("who lends: a Lender", names=Lender)
    _gap = pad(1)
    confidence: U16 = field("how sure the strategy is", unit="1/10,000", within=((0, 10_000),))
    strategy_id: U16 = field("which strategy found it", fix="847 TargetStrategy")
    _middle = pad(2)
    signal_id: U64 = field("the strategy's number of this signal", fix="23 IOIID")
    amount_wei: U128 = field("what is borrowed", unit="smallest unit", fix="27 IOIQty")
    fee_wei: U128 = field("fee of the loan", unit="smallest unit", fix="137 MiscFeeAmt")
    expected_profit_wei: I128 = field("profit after the fee and gas", unit="smallest unit")
    observed_block: U64 = field("block it was computed for")
    valid_through_block: U64 = field(
        "last block it holds for; 0 not said", fix="62 ValidUntilTime", default=0
    )
    gas_limit: U64 = field("gas needed; 0 not said", unit="gas", default=0)
    max_gas_price_wei: U64 = field("the most to pay for gas; 0 not said", unit="1e-18", default=0)


class YieldFarmingUpdate(Message, type=MessageType.YIELD_FARMING_UPDATE, version=1):
    """What a farm pays, and what is staked in it, 176 bytes; nearest FIX 35=f (SecurityStatus).

    Rates are simple rates a year (APR). Staked amounts are in the smallest unit of the deposit
    token, rewards in that of the reward token.

    >>> from protocol.instruments import InstrumentId
    >>> farm, lp, crv = (InstrumentId(305, 3, n) for n in range(3))
    >>> update = YieldFarmingUpdate(farm, lp, crv, FarmStatus.ACTIVE, strategy_id=3, chain_id=1,
    ...     base_apr_bps=120, reward_apr_bps=800, lock_sec=0, block_number=18_939_000,
    ...     total_staked_wei=10**26)
    >>> len(update.frame()), update.status.name
    (176, 'ACTIVE')
    """

    farm_id: Instrument = field("the farm, or the pool whose shares it takes", fix="48 SecurityID")
    deposit_token_id: Instrument = field("what is staked", fix="15 Currency")
    reward_token_id: Instrument = field("what is paid", fix="120 SettlCurrency")
    status: Annotated[FarmStatus, U8_WIRE] = field("whether it pays", fix="965 SecurityStatus")
    _gap = pad(1)
    strategy_id: U16 = field("whose stake; 0 = nobody's", fix="847 TargetStrategy")
    chain_id: U32 = field("EVM chain id")
    base_apr_bps: U32 = field("yield from fees or interest", unit="1/10,000", fix="236 Yield")
    reward_apr_bps: U32 = field("yield from rewards, at today's prices", unit="1/10,000")
    lock_sec: U32 = field("how long a deposit is locked; 0 not at all", unit="s")
    block_number: U64 = field("block it holds for")
    total_staked_wei: U128 = field("staked by all", unit="smallest unit")
    reward_per_sec_wei: U128 = field("paid to all in a second", unit="smallest unit", default=0)
    staked_wei: U128 = field("staked by the account", unit="smallest unit", default=0)
    pending_reward_wei: U128 = field("the account can claim", unit="smallest unit", default=0)
    account_id: U64 = field("whose stake; 0 = nobody's", fix="1 Account", default=0)
    ends_at: U64 = field("end of the rewards; 0 not known", unit="ns", fix="917 EndDate", default=0)


class GasOptimizationSignal(Message, type=MessageType.GAS_OPTIMIZATION_SIGNAL, version=1):
    """What gas costs on a chain and what to do about it, 120 bytes; FIX has no such message.

    Prices are wei for one gas (EIP-1559).

    >>> advice = GasOptimizationSignal(1, GasAction.WAIT, confidence=8_000,
    ...     block_number=18_939_000, base_fee_wei=31 * 10**9, priority_fee_wei=10**9,
    ...     max_fee_wei=63 * 10**9, next_base_fee_wei=28 * 10**9, wait_blocks=3)
    >>> len(advice.frame()), advice.action.name
    (120, 'WAIT')
    """

    chain_id: U32 = field("EVM chain id")
    action: Annotated[GasAction, U8_WIRE] = field("what to do")
    _gap = pad(1)
    confidence: U16 = field("how sure the sender is", unit="1/10,000", within=((0, 10_000),))
    block_number: U64 = field("block it was computed for")
    base_fee_wei: U64 = field("base fee of that block", unit="1e-18 a gas")
    priority_fee_wei: U64 = field("tip that is enough", unit="1e-18 a gas")
    max_fee_wei: U64 = field("the most to offer", unit="1e-18 a gas")
    next_base_fee_wei: U64 = field(
        "base fee expected after wait_blocks; 0 not known", unit="1e-18 a gas", default=0
    )
    gas_limit: U64 = field("gas of what is to be sent; 0 not said", unit="gas", default=0)
    valid_through_block: U64 = field(
        "last block it holds for; 0 not said", fix="62 ValidUntilTime", default=0
    )
    wait_blocks: U32 = field("blocks to wait", unit="blocks", default=0)
    gas_used_bps: U32 = field("gas used by gas limit of the block", unit="1/10,000", default=0)
    expected_saving_wei: U128 = field(
        "what following it saves, in the chain's currency", unit="1e-18", default=0
    )


class DeFiSignal(Message, type=MessageType.DEFI_SIGNAL, version=1):
    """Everything an execution adapter needs to act on chain, 312 bytes and TLVs; nearest FIX 35=6
    (IOI).

    Amounts whose names end in `_q` are whole tokens in Q64.64: the integer is the amount times
    2**64. The base token's amounts: required_capital_q; the quote token's: expected_profit_q and
    gas_estimate_q; amount_in_q and optimal_size_q are of what is paid in (the base token where it
    is sold, else the quote token), min_out_q of what comes out. (SPEC.md, DeFiSignal)

    >>> from protocol.instruments import InstrumentId, VenueId
    >>> weth = InstrumentId.ethereum_token("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2")
    >>> usdc = InstrumentId.ethereum_token("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
    >>> signal = DeFiSignal(StrategyKind.CROSS_DEX_ARBITRAGE, signal_id=1, signal_nonce=1,
    ...     chain_id=1, version=1, adapter_id=0, base_instrument=weth, quote_instrument=usdc,
    ...     base_token_addr=bytes(20), quote_token_addr=bytes(20), venue_a_router=bytes(20),
    ...     expected_profit_q=-3 << 64)
    >>> len(signal.frame()), signal.tlv_offset, signal.expected_profit_q >> 64
    (312, 312, -3)
    """

    strategy_id: U16 = field(
        "a StrategyKind, or a strategy's own number", fix="847 TargetStrategy", names=StrategyKind
    )
    signal_id: U64 = field("unique number of the signal", fix="23 IOIID")
    signal_nonce: U32 = field("+1 for each signal of a source and strategy")
    chain_id: U32 = field("EVM chain id")
    version: U8 = field("version of the signal's meaning for the adapter; 1 now")
    adapter_id: U8 = field("which execution adapter is to act", fix="100 ExDestination")
    base_instrument: Instrument = field("the base token in market data", fix="48 SecurityID")
    quote_instrument: Instrument = field("the quote token in market data", fix="15 Currency")
    base_token_addr: Bytes20 = field("contract of the base token")
    quote_token_addr: Bytes20 = field("contract of the quote token")
    venue_a_router: Bytes20 = field("router of the first venue")
    venue_b_router: Bytes20 = field("router of the second venue; zeros: none", default=bytes(20))
    venue_a_type: U8 = field("first venue: a PoolType", names=PoolType, default=0)
    venue_b_type: U8 = field("second venue: a PoolType", names=PoolType, default=0)
    fee_a_ppm: U32 = field("fee of the first venue", unit="1e-6", fix="12 Commission", default=0)
    fee_b_ppm: U32 = field("fee of the second venue", unit="1e-6", fix="12 Commission", default=0)
    direction_flag: Annotated[Direction, U8_WIRE] = field(
        "buy or sell the base token", fix="54 Side", default=Direction.SELL_BASE
    )
    confidence: U8 = field("how sure the strategy is", unit="1/100", within=((0, 100),), default=0)
    expected_profit_q: I128 = field(
        "profit expected after fees and gas, in the quote token", unit="2**-64 tokens", default=0
    )
    required_capital_q: U128 = field(
        "capital needed, in the base token", unit="2**-64 tokens", default=0
    )
    gas_estimate_q: U128 = field(
        "cost of gas, in the quote token, taken off expected_profit_q already; 0 not said",
        unit="2**-64 tokens",
        fix="137 MiscFeeAmt",
        default=0,
    )
    amount_in_q: U128 = field(
        "amount to pay in", unit="2**-64 tokens", fix="38 OrderQty", default=0
    )
    min_out_q: U128 = field("least amount to accept", unit="2**-64 tokens", default=0)
    optimal_size_q: U128 = field(
        "best amount to pay in", unit="2**-64 tokens", fix="27 IOIQty", default=0
    )
    observed_block: U64 = field("block it was computed for", default=0)
    valid_through_block: U64 = field(
        "last block it holds for; 0 not said", fix="62 ValidUntilTime", default=0
    )
    state_hash: U64 = field("hash of the pools' state, made by the strategy; 0 none", default=0)
    execution_flags: U32 = field(
        "transaction policy, priority and approvals, as the adapter reads them", default=0
    )
    slippage_bps: U16 = field("worst slippage accepted", unit="1/10,000", default=0)
    price_impact_bps: U16 = field("price impact expected", unit="1/10,000", default=0)
    replace_signal_id: U64 = field(
        "signal that this one replaces; 0 none", fix="26 IOIRefID", default=0
    )
    tlv_offset: U16 = start("where TLVs begin, from the frame's start: 312", of="tlvs")
    tlv_length: U16 = count("bytes of TLVs", of="tlvs")
    created_at_sec: U32 = field(
        "when it was made, for statistics only", unit="s", fix="42 OrigTime", default=0
    )
    tlvs: Tlvs = field("extensions (SPEC.md, TLV extensions)", default=b"")
