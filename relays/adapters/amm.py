"""Prices of pools: token amounts and reserves, integers all the way, to Quote and Trade.

Called by `uniswap_v2` and `uniswap_v3`. A pool's price is token1 per token0, both in whole tokens,
as 1e-8; a size is of token0. Reading logs belongs elsewhere.

Rounding: a bid and every size down, an ask up, a trade's price to the nearest: nothing is promised
that the pool would not give.
"""

from __future__ import annotations

from protocol.market_data import Quote, Side, Trade
from relays.adapters.adapter import Skipped
from relays.adapters.pools import MILLION, Pool
from relays.adapters.text import MOST, MOST_UNSIGNED

UNITS = 10**8


def quote(pool: Pool, price: tuple[int, int], reserve: tuple[int, int]) -> Quote:
    """The best prices of a pool for an amount near nothing, its fee taken off.

    `price` is token1 per token0 and `reserve` the token0 there, as numerator and denominator in the
    tokens' smallest units. The pool takes its fee from what comes in, so selling token0 gives
    price * (1 - fee), and buying it costs price / (1 - fee).

    Raises Skipped: `unknown_fee`, `too_small` (bid or size is nothing in 1e-8), `does_not_fit`.
    """
    decimals0, decimals1 = _decimals(pool)
    if pool.fee_ppm is None:
        raise Skipped("unknown_fee")
    above = price[0] * UNITS * 10**decimals0
    below = price[1] * 10**decimals1
    rest = MILLION - pool.fee_ppm
    size = _size(reserve[0], reserve[1], decimals0)
    return Quote(
        instrument_id=pool.instrument,
        bid_price=_fits(above * rest // (below * MILLION), MOST),
        ask_price=_fits(-(-above * MILLION // (below * rest)), MOST),
        bid_size=size,
        ask_size=size,
    )


def trade(pool: Pool, change0: int, change1: int) -> Trade:
    """A swap, by what it changed in the pool's balances (smallest units, signed).

    The price is what was paid and got, fee included. BUY when token0 left the pool. Raises Skipped:
    `not_a_trade` (not one in, the other out: a flash loan, or nothing at all), `too_small`,
    `does_not_fit`.
    """
    decimals0, decimals1 = _decimals(pool)
    if change0 * change1 >= 0:
        raise Skipped("not_a_trade")
    above = abs(change1) * UNITS * 10**decimals0
    below = abs(change0) * 10**decimals1
    return Trade(
        instrument_id=pool.instrument,
        price=_fits((2 * above + below) // (2 * below), MOST),
        volume=_size(abs(change0), 1, decimals0),
        side=Side.BUY if change0 < 0 else Side.SELL,
    )


def _size(above: int, below: int, decimals: int) -> int:
    return _fits(above * UNITS // (below * 10**decimals), MOST_UNSIGNED)


def _fits(value: int, most: int) -> int:
    if value > most:
        raise Skipped("does_not_fit")
    if value < 1:
        raise Skipped("too_small")
    return value


def _decimals(pool: Pool) -> tuple[int, int]:
    if pool.decimals is None:
        raise Skipped("unknown_decimals")
    return pool.decimals
