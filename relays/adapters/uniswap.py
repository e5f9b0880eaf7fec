"""Uniswap logs, versions 2 and 3, as Trades and Quotes of pools.

`relays convert uniswap` makes an adapter for each file with `adapter`, which is the one place that
opens a file here: the table of pools that names tokens, decimals and fees. What an event means is
in `uniswap_v2` and `uniswap_v3`, how logs are written in `logs`; this module brings them together.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from protocol.catalogue import SourceType
from protocol.message import Message
from relays.adapters import uniswap_v2, uniswap_v3
from relays.adapters.adapter import Adapter, Record, Skipped
from relays.adapters.logs import BAD_ABI, CsvLogs, JsonLogs, Log
from relays.adapters.pools import ETHEREUM, POLYGON, Pool, Pools
from relays.errors import RelayError

Handler = Callable[[Pool, Log], list[Message]]
CHAIN_NAMES = {"ethereum": ETHEREUM, "polygon": POLYGON, "arbitrum": 42161, "base": 8453}
CHAIN_NAMES |= {"optimism": 10, "bsc": 56}
# demeter-fetch: <chain>-0x<pool>-<day>.raw.csv
FILE_NAME = re.compile(r"(?P<chain>[a-z]+)-(?P<pool>0x[0-9a-fA-F]{40})\b.*\.csv(\.gz|\.zip)?")
EXPECTED_NAME = "expected a name like ethereum-0x<pool>-2024-01-05.raw.csv.gz"
TABLE = "pools.csv"
BEFORE_ALL = (-1, -1)
# Lines that are not meant to be logs; any other that is none was one.
NO_LOGS = {"blank", "header"}


class UniswapAdapter(Adapter):
    """The logs of one recording, in the chain's order; a pool is introduced with its first message.

    Skipped, beside what `logs` and the events themselves name: `removed` (a reorganisation took the
    log back: what is known of its pool is forgotten, and logs of the block may come again),
    `out_of_order` (not after the log before, by block and index), `other_event`, `unknown_pool`
    (not in the table), `unknown_decimals` (in the table without those of both tokens),
    `wrong_version` (an event of one version from a pool of the other).

    A version 3 pool's state holds until the end of the recording where that has every log of the
    pool (CSV), else to the end of the block (JSON), and ends with a log that cannot be read: a
    Mint or Burn after that is `no_price_yet`.

    `received` is the time of the block, 0 where the log does not say it.
    """

    SOURCE = SourceType.EXTERNAL

    def __init__(self, pools: Pools, logs: JsonLogs | CsvLogs, chain_id: int = ETHEREUM) -> None:
        super().__init__()
        self.table = pools
        self._pools, self._logs, self._chain_id = pools, logs, chain_id
        self._last = BEFORE_ALL
        self._introduced: set[str] = set()
        self._states = uniswap_v3.Pools(self.left_out)
        self._handlers: dict[str, tuple[int, Handler]] = {
            uniswap_v2.SYNC: (2, uniswap_v2.sync),
            uniswap_v2.SWAP: (2, uniswap_v2.swap),
            uniswap_v3.SWAP: (3, self._states.swap),
            uniswap_v3.MINT: (3, self._states.mint),
            uniswap_v3.BURN: (3, self._states.burn),
        }

    def _convert(self, line: str) -> list[Record]:
        log = self._log(line)
        self._order(log)
        event = self._handlers.get(log.topics[0]) if log.topics else None
        if event is None:
            raise Skipped("other_event")
        version, handle = event
        pool = self._pool(log.address, version)
        messages = self._messages(handle, pool, log)
        if pool.address not in self._introduced:
            pool.introduce(self.instruments)
            self._introduced.add(pool.address)
        return [Record(log.received, message) for message in messages]

    def _log(self, line: str) -> Log:
        try:
            return self._logs.log(line)
        except Skipped as reason:
            if str(reason) not in NO_LOGS:
                # Whatever it was, it may have moved a price.
                self._lost()
            raise

    def _lost(self) -> None:
        self._states.forget_all()

    def _messages(self, handle: Handler, pool: Pool, log: Log) -> list[Message]:
        try:
            return handle(pool, log)
        except Skipped as reason:
            if str(reason) == BAD_ABI:
                self._states.forget(pool.address)
            raise

    def _order(self, log: Log) -> None:
        position = self.order = (log.block, log.log_index)
        if log.removed:
            self._last = min(self._last, (log.block, log.log_index - 1))
            self._states.forget(log.address)
            raise Skipped("removed")
        if position <= self._last:
            raise Skipped("out_of_order")
        if log.block != self._last[0] and not self._logs.WITHOUT_HOLES:
            self._states.forget_all()
        self._last = position

    def _pool(self, address: str, version: int) -> Pool:
        pool = self._pools.get(self._chain_id, address)
        if pool is None:
            raise Skipped("unknown_pool")
        if pool.version != version:
            raise Skipped("wrong_version")
        if pool.decimals is None:
            raise Skipped("unknown_decimals")
        return pool


def adapter(path: Path, table: Path | None = None) -> UniswapAdapter:
    """The adapter of a file: CSV of demeter-fetch when it is named so (`<chain>-0x<pool>-...csv`),
    else JSON lines of `eth_getLogs`, taken to be of Ethereum unless the name begins with another
    chain's (`polygon-...`).

    `table` is the table of pools (`pools`); without it `pools.csv` beside the file or in the folder
    above. RelayError when there is none or it cannot be read, or the name of a CSV file has no
    pool.
    """
    pools = _table(table or _near(path))
    named = FILE_NAME.fullmatch(path.name)
    chain_id = CHAIN_NAMES.get(path.name.partition("-")[0], ETHEREUM)
    if named:
        return UniswapAdapter(pools, CsvLogs(named["pool"]), chain_id)
    if ".csv" in path.suffixes:
        raise RelayError(f"{path}: {EXPECTED_NAME}", exit_code=os.EX_USAGE)
    return UniswapAdapter(pools, JsonLogs(), chain_id)


def _near(path: Path) -> Path:
    places = [folder / TABLE for folder in (path.parent, path.absolute().parent.parent)]
    for place in places:
        if place.is_file():
            return place
    tried = " and ".join(map(str, places))
    raise RelayError(f"{path}: no table of pools, tried {tried}", exit_code=os.EX_NOINPUT)


@lru_cache(1)
def _read(table: Path, _changed: int) -> Pools:
    # Rows that are no UTF-8 are counted with the others that are of no use.
    with table.open(encoding="utf-8", errors="replace") as lines:
        return Pools(lines, table)


def _table(path: Path) -> Pools:
    try:
        # Many files share one table; it is read again only when it has changed.
        return _read(path, path.stat().st_mtime_ns)
    except OSError as error:
        code = os.EX_NOPERM if isinstance(error, PermissionError) else os.EX_NOINPUT
        raise RelayError(f"{path} cannot be read: {error.strerror or error}", code) from None
