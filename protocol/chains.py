"""The words of chains: enumerations that messages and TLVs about pools and tokens share.

Declared here, used and handed on by `protocol.defi`, which is where programs import them from. The
ones whose numbers can come from elsewhere (lenders, kinds of pools) are open: others are data. No
messages here. (SPEC.md, Enumerations)
"""

from enum import IntEnum


class MEVKind(IntEnum):
    """What a MEVOpportunity does with its target transaction; FIX has no such field.

    * NOT_SET: not said.
    * SANDWICH: trades before and after it.
    * BACKRUN: trades after it.
    * LIQUIDATION: liquidates what it makes liquidable.
    """

    NOT_SET = 0
    SANDWICH = 1
    BACKRUN = 2
    LIQUIDATION = 3


class Lender(IntEnum):
    """Who lends for one transaction; other numbers are data.

    * NOT_SET: not said.
    * AAVE_V2: Aave version 2.
    * AAVE_V3: Aave version 3.
    * BALANCER: the vault of Balancer.
    * UNISWAP_V3: a flash of a pool, which lender_id names.
    * MAKER: the flash mint of DAI.
    * UNISWAP_V2: a flash swap of a pair, which lender_id names.
    """

    NOT_SET = 0
    AAVE_V2 = 1
    AAVE_V3 = 2
    BALANCER = 3
    UNISWAP_V3 = 4
    MAKER = 5
    UNISWAP_V2 = 6


class FarmStatus(IntEnum):
    """Whether a farm pays rewards; nearest FIX 965 SecurityStatus, with numbers of its own.

    * NOT_SET: not known.
    * ACTIVE: rewards are paid.
    * ENDING: rewards are paid until ends_at, which is near.
    * ENDED: no more rewards; deposits can be taken out.
    * PAUSED: no rewards and no withdrawals for now.
    """

    NOT_SET = 0
    ACTIVE = 1
    ENDING = 2
    ENDED = 3
    PAUSED = 4


class GasAction(IntEnum):
    """What a GasOptimizationSignal advises; FIX has no such field.

    * NOT_SET: nothing, the numbers speak.
    * SEND_NOW: gas is as cheap as it gets before valid_through_block.
    * WAIT: it should be cheaper in wait_blocks blocks.
    * BATCH: put several transactions into one.
    * USE_LAYER2: another chain does the same for less.
    """

    NOT_SET = 0
    SEND_NOW = 1
    WAIT = 2
    BATCH = 3
    USE_LAYER2 = 4


class StrategyKind(IntEnum):
    """What strategy a DeFiSignal is of; other numbers are data.

    * NOT_SET: not said.
    * TRIANGULAR_ARBITRAGE: three pools in a circle; the third is in TLV TertiaryVenue.
    * CROSS_DEX_ARBITRAGE: bought in one pool, sold in another.
    """

    NOT_SET = 0
    TRIANGULAR_ARBITRAGE = 1
    CROSS_DEX_ARBITRAGE = 2


class PoolType(IntEnum):
    """What contract a venue is, forks included: which calls it takes; other numbers are data.

    * NOT_SET: not said; where the router is zeros too, there is no such venue.
    * UNISWAP_V2: constant product, as Uniswap V2, SushiSwap V2 or QuickSwap V2.
    * UNISWAP_V3: concentrated liquidity, as Uniswap V3.
    * CURVE: a stable swap of Curve.
    """

    NOT_SET = 0
    UNISWAP_V2 = 1
    UNISWAP_V3 = 2
    CURVE = 3


class Direction(IntEnum):
    """What a DeFiSignal does with the base token; nearest FIX 54 Side. 0 is a value, not "not set".

    * SELL_BASE: the base token is sold on venue_a.
    * BUY_BASE: the base token is bought on venue_a.
    """

    SELL_BASE = 0
    BUY_BASE = 1
