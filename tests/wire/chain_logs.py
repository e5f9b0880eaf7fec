"""Chain logs as text and what an adapter makes of them: called by the tests of chain adapters.

No test belongs here.
"""

import json
from collections.abc import Iterable
from typing import Any

from protocol.market_data import InstrumentDiscovered, PoolDiscovered
from protocol.message import Message
from relays.adapters import uniswap_v2, uniswap_v3
from relays.adapters.adapter import Adapter
from relays.adapters.logs import JsonLogs
from relays.adapters.pools import Pools
from relays.adapters.uniswap import UniswapAdapter

HEADER = "chain_id,pool,version,token0,token1,symbol0,decimals0,symbol1,decimals1,fee_ppm"
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
V2, V3 = "0x" + "2c" * 20, "0x" + "3c" * 20
BARE, FREE, OTHER = "0x" + "bb" * 20, "0x" + "ff" * 20, "0x" + "99" * 20
TABLE = [
    HEADER,
    f"1,{V2},2,{USDC},{WETH},USDC,6,WETH,18,3000",
    f"1,{V3},3,{USDC},{WETH},USDC,6,WETH,18,500",
    f"1,{BARE},2,{USDC},{WETH},USDC,6,,,3000",
    f"1,{FREE},3,{USDC},{WETH},USDC,6,WETH,18,",
    f"137,{OTHER},3,{USDC},{WETH},USDC.e,6,WETH,18,500",
]
# Root of the price in Q64.96: 2**28 wei for a millionth of a USDC, 0.000268435456 WETH for one.
ROOT, TICK = 1 << 96 + 14, 194_090
# With that price, as much as if there were 1,000,000 USDC.
LIQUIDITY = 10**12 << 14
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


def word(value: int) -> str:
    return f"{value % 2**256:064x}"


def log(event: str, *data: int, pool: str = V2, indexed: Iterable[int] = (), **more: Any) -> str:
    """A line of eth_getLogs; block 7, index 3 unless `more` says otherwise."""
    entry = {
        "address": pool,
        "topics": [event, *("0x" + word(topic) for topic in indexed)],
        "data": "0x" + "".join(map(word, data)),
        "blockNumber": 7,
        "logIndex": 3,
    }
    return json.dumps(entry | more)


def sync(reserve0: int, reserve1: int, **more: Any) -> str:
    return log(uniswap_v2.SYNC, reserve0, reserve1, **more)


def swap2(in0: int, in1: int, out0: int, out1: int, **more: Any) -> str:
    return log(uniswap_v2.SWAP, in0, in1, out0, out1, indexed=(1, 2), **more)


def swap3(change0: int, change1: int, root: int, liquidity: int, tick: int, **more: Any) -> str:
    data = (change0, change1, root, liquidity, tick)
    return log(uniswap_v3.SWAP, *data, **{"indexed": (1, 2), "pool": V3} | more)


def mint(lower: int, upper: int, amount: int, **more: Any) -> str:
    indexed = (5, lower, upper)
    return log(uniswap_v3.MINT, 5, amount, 0, 0, **{"indexed": indexed, "pool": V3} | more)


def burn(lower: int, upper: int, amount: int, **more: Any) -> str:
    indexed = (5, lower, upper)
    return log(uniswap_v3.BURN, amount, 0, 0, **{"indexed": indexed, "pool": V3} | more)


def adapter(chain_id: int = 1) -> UniswapAdapter:
    return UniswapAdapter(Pools(TABLE), JsonLogs(), chain_id)


def market(made: Adapter, line: str) -> list[Message]:
    """What a line gives without the introductions; nothing else than messages or a count."""
    before = made.skipped.total()
    records = made.convert(line)
    assert bool(records) == (made.skipped.total() == before)
    introduced = (InstrumentDiscovered, PoolDiscovered)
    return [record.message for record in records if not isinstance(record.message, introduced)]


def reason(made: Adapter, line: str) -> str:
    """The reason under which a line is counted."""
    before = made.skipped.copy()
    assert made.convert(line) == []
    (name,) = made.skipped - before
    return name
