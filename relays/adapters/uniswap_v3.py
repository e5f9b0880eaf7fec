"""Events of version 3 pools: Swap to Trade and Quote, Mint and Burn to Quote.

Called by `uniswap` with logs whose words have not been looked at. Price and liquidity of a pool
are kept from its last Swap: a Mint or Burn says neither. Positions and fees owed are not followed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from protocol.message import Message
from relays.adapters.adapter import Skipped
from relays.adapters.amm import quote, trade
from relays.adapters.logs import BAD_ABI, Log, signed, unsigned, words
from relays.adapters.pools import Pool

SWAP = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
MINT = "0x7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde"
BURN = "0x0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c"
SQRT_BITS, LIQUIDITY_BITS, TICK_BITS, AMOUNT_BITS = 160, 128, 24, 256
# What the contract itself allows (TickMath).
LEAST_SQRT, MOST_SQRT = 4295128739, 1461446703485210103287273052203988822378723970342
MOST_TICK = 887272


class State(NamedTuple):
    """Where a pool stands: square root of its price (Q64.96), tick, liquidity in range."""

    sqrt_price: int
    tick: int
    liquidity: int


class Pools:
    """The state of every pool that has swapped, by address. `left_out` counts, by reason, the
    Trade or the Quote that a Swap gave without the other."""

    def __init__(self, left_out: Counter[str]) -> None:
        self._left_out = left_out
        self._states: dict[str, State] = {}

    def forget(self, address: str) -> None:
        """Wait for the pool's next Swap: what is known of it was taken back."""
        self._states.pop(address, None)

    def forget_all(self) -> None:
        """Wait for every pool's next Swap: logs of theirs may be missing here."""
        self._states.clear()

    def swap(self, pool: Pool, log: Log) -> list[Message]:
        """Swap(address, address, int256 amount0, int256 amount1, uint160 sqrtPriceX96, uint128
        liquidity, int24 tick): the Trade of the amounts, the Quote of the state after it. Raises
        Skipped: `bad_abi`, or when neither can be made the reason of the Trade."""
        _, data = words(log, topics=3, data=5)
        change0, change1 = (signed(word, AMOUNT_BITS) for word in data[:2])
        state = State(
            unsigned(data[2], SQRT_BITS), _tick(data[4]), unsigned(data[3], LIQUIDITY_BITS)
        )
        if not LEAST_SQRT <= state.sqrt_price < MOST_SQRT:
            raise Skipped(BAD_ABI)
        self._states[log.address] = state
        return self._those_that_can_be(
            lambda: trade(pool, change0, change1), lambda: state_quote(pool, state)
        )

    def mint(self, pool: Pool, log: Log) -> list[Message]:
        """Mint(address, address, int24 lower, int24 upper, uint128 amount, ...): as `burn`."""
        topics, data = words(log, topics=4, data=4)
        return [self._moved(pool, log, topics, unsigned(data[1], LIQUIDITY_BITS))]

    def burn(self, pool: Pool, log: Log) -> list[Message]:
        """Burn(address, int24 lower, int24 upper, uint128 amount, ...): the Quote of the liquidity
        that is left. Raises Skipped: `bad_abi`, `no_price_yet` (no Swap of the pool before),
        `out_of_range` (the price is not in its ticks), `nothing_moved` (of amount 0: fees are
        collected so), `contradiction` (liquidity that cannot be), those of `amm.quote`."""
        topics, data = words(log, topics=4, data=3)
        return [self._moved(pool, log, topics, -unsigned(data[0], LIQUIDITY_BITS))]

    def _those_that_can_be(self, *makers: Callable[[], Message]) -> list[Message]:
        made: list[Message] = []
        reasons: list[Skipped] = []
        for make in makers:
            try:
                made.append(make())
            except Skipped as reason:
                reasons.append(reason)
        if not made:
            raise reasons[0]
        self._left_out.update(map(str, reasons))
        return made

    def _moved(self, pool: Pool, log: Log, topics: list[int], amount: int) -> Message:
        lower, upper = _tick(topics[1]), _tick(topics[2])
        if lower >= upper:
            raise Skipped(BAD_ABI)
        state = self._states.get(log.address)
        if state is None:
            raise Skipped("no_price_yet")
        if not lower <= state.tick < upper:
            raise Skipped("out_of_range")
        if not amount:
            raise Skipped("nothing_moved")
        liquidity = state.liquidity + amount
        if liquidity < 0 or liquidity >> LIQUIDITY_BITS:
            self.forget(log.address)
            raise Skipped("contradiction")
        self._states[log.address] = state = state._replace(liquidity=liquidity)
        return state_quote(pool, state)


def state_quote(pool: Pool, state: State) -> Message:
    """The Quote of a state: price sqrt**2, size the token0 that this liquidity would hold over all
    prices, L / sqrt. Raises Skipped: `no_liquidity`, those of `amm.quote`."""
    if not state.liquidity:
        raise Skipped("no_liquidity")
    root = state.sqrt_price
    return quote(pool, (root * root, 1 << 192), (state.liquidity << 96, root))


def _tick(word: int) -> int:
    tick = signed(word, TICK_BITS)
    if not -MOST_TICK <= tick <= MOST_TICK:
        raise Skipped(BAD_ABI)
    return tick
