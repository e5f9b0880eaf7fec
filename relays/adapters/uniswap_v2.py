"""Events of version 2 pools: Sync to Quote, Swap to Trade.

Called by `uniswap` with logs whose words have not been looked at. A Sync has all that a price
needs, so nothing is kept between logs here.
"""

from __future__ import annotations

from protocol.message import Message
from relays.adapters.adapter import Skipped
from relays.adapters.amm import quote, trade
from relays.adapters.logs import Log, unsigned, words
from relays.adapters.pools import Pool

SYNC = "0x1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1"
SWAP = "0xd78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822"
RESERVE_BITS = 112


def sync(pool: Pool, log: Log) -> list[Message]:
    """Sync(uint112 reserve0, uint112 reserve1): the Quote of price reserve1 / reserve0, sizes
    reserve0. Raises Skipped: `bad_abi`, `no_liquidity`, those of `amm.quote`."""
    _, data = words(log, topics=1, data=2)
    reserve0, reserve1 = (unsigned(word, RESERVE_BITS) for word in data)
    if not (reserve0 and reserve1):
        raise Skipped("no_liquidity")
    return [quote(pool, (reserve1, reserve0), (reserve0, 1))]


def swap(pool: Pool, log: Log) -> list[Message]:
    """Swap(address, uint amount0In, amount1In, amount0Out, amount1Out, address): the Trade of what
    came in less what went out. Raises Skipped: `bad_abi`, those of `amm.trade`."""
    _, data = words(log, topics=3, data=4)
    in0, in1, out0, out1 = data
    return [trade(pool, in0 - out0, in1 - out1)]
