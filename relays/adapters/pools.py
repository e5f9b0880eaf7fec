"""The table of pools: which tokens a pool holds, their decimals and its fee; and its messages.

`relays convert pools` gives its rows as messages, the adapters of chain logs look pools up in it:
a log names its pool by address alone. What a log says belongs in `uniswap` and the modules below
it; asking a chain for what the table lacks belongs nowhere in this package.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from protocol.catalogue import SourceType
from protocol.instruments import ADDRESS, InstrumentId, VenueId
from protocol.market_data import InstrumentDiscovered, PoolDiscovered
from relays.adapters.adapter import Adapter, Record, Skipped
from relays.adapters.symbols import Instruments

ETHEREUM, POLYGON = 1, 137
CHAINS = {
    ETHEREUM: VenueId.ETHEREUM,
    POLYGON: VenueId.POLYGON,
    42161: VenueId.ARBITRUM,
    8453: VenueId.BASE,
    10: VenueId.OPTIMISM,
    56: VenueId.BSC,
}
# The table says which contract a pool speaks as, not who deployed it: SushiSwap's pools are
# version 2 pools of Uniswap's code.
DEXES = {2: VenueId.UNISWAP_V2, 3: VenueId.UNISWAP_V3}
COLUMNS = (
    "chain_id",
    "pool",
    "version",
    "token0",
    "token1",
    "symbol0",
    "decimals0",
    "symbol1",
    "decimals1",
    "fee_ppm",
)
SHARE_DECIMALS = {2: 18, 3: 0}
MILLION = 1_000_000
MOST_DECIMALS = 255
LONGEST_SYMBOL = 127


class Token(NamedTuple):
    """A token contract: address in lower case, symbol or "", decimals or None where unknown."""

    chain_id: int
    address: str
    symbol: str
    decimals: int | None

    @property
    def name(self) -> str:
        """Chain and address: what it is, whole."""
        return f"{self.chain_id}:{self.address}"

    @property
    def instrument(self) -> InstrumentId:
        """Its id (SPEC.md, Identifiers)."""
        return InstrumentId.token(CHAINS[self.chain_id], self.address)

    def discovered(self) -> InstrumentDiscovered | None:
        """Its introduction; None without decimals: the message cannot say that they are unknown."""
        if self.decimals is None:
            return None
        metadata: dict[str, int | str] = {"chain_id": self.chain_id, "address": self.address}
        return InstrumentDiscovered(
            instrument_id=self.instrument,
            decimals=self.decimals,
            symbol=self.symbol or self.address,
            metadata=_compact(metadata),
        )


class Pool(NamedTuple):
    """A pool contract: version 2 or 3, its two tokens, the fee in millionths or None."""

    chain_id: int
    address: str
    version: int
    token0: Token
    token1: Token
    fee_ppm: int | None

    @property
    def name(self) -> str:
        """Chain and address: what it is, whole. The chain is not in the id."""
        return f"{self.chain_id}:{self.address}"

    @property
    def instrument(self) -> InstrumentId:
        """Its id, made from the address (SPEC.md, Identifiers)."""
        return InstrumentId.pool_from_address(DEXES[self.version], self.address)

    @property
    def decimals(self) -> tuple[int, int] | None:
        """Those of its tokens, None unless both are known."""
        first, second = self.token0.decimals, self.token1.decimals
        return None if first is None or second is None else (first, second)

    def discovered(self) -> PoolDiscovered:
        """Its introduction: the metadata leaves out what is not known (SPEC.md, Message types).

        Decimals are those of its share token: 18 of version 2, which alone has one.
        """
        tokens = (self.token0, self.token1)
        return PoolDiscovered(
            instrument_id=self.instrument,
            decimals=SHARE_DECIMALS[self.version],
            symbol="/".join(token.symbol or token.address for token in tokens),
            metadata=_compact(self._facts()),
        )

    def _facts(self) -> dict[str, int | str]:
        facts: dict[str, int | str | None] = {
            "chain_id": self.chain_id,
            "address": self.address,
            "version": self.version,
            "token0": self.token0.address,
            "token1": self.token1.address,
            "symbol0": self.token0.symbol or None,
            "symbol1": self.token1.symbol or None,
            "decimals0": self.token0.decimals,
            "decimals1": self.token1.decimals,
            "fee_ppm": self.fee_ppm,
        }
        return {name: fact for name, fact in facts.items() if fact is not None}

    def introduce(self, instruments: Instruments) -> None:
        """Have the pool and its tokens introduced, each once; Collision when two share an id."""
        for token in (self.token0, self.token1):
            if message := token.discovered():
                instruments.introduce(token.instrument, token.name, message)
        instruments.introduce(self.instrument, self.name, self.discovered())


class Rows:
    """The lines of one table: the first is the header, the others are a pool each.

    >>> rows = Rows()
    >>> rows.pool("chain_id,pool")
    Traceback (most recent call last):
    relays.adapters.adapter.Skipped: unknown_header
    """

    def __init__(self) -> None:
        self._columns: list[str] = []

    def pool(self, line: str) -> Pool:
        """The pool of a line.

        Raises Skipped: `blank`, `header`, `unknown_header` (a column is missing), `no_header`,
        `bad_row` (cells and columns differ), `unknown_chain`, `unknown_version`, `bad_address`,
        `unsorted_tokens` (token0 is the lower address: swapped, every price would be upside down),
        `bad_decimals`, `bad_fee`, `bad_symbol` (over 127 bytes, or no text).
        """
        cells = row(line)
        if not self._columns:
            self._read_header(cells)
        if len(cells) != len(self._columns):
            raise Skipped("bad_row")
        return _pool(dict(zip(self._columns, cells, strict=True)))

    def _read_header(self, cells: list[str]) -> None:
        if "chain_id" not in cells:
            raise Skipped("no_header")
        if not set(COLUMNS) <= set(cells):
            raise Skipped("unknown_header")
        self._columns = cells
        raise Skipped("header")


class Pools:
    """Pools by chain and address.

    `read` counts the lines of the table, `skipped` those that gave none, by reason: those of
    `Rows`, `repeated`, and `id_collision` for a pool whose id another pool has (the same address
    on another chain, say).

    >>> rows = ["chain_id,pool,version,token0,token1,symbol0,decimals0,symbol1,decimals1,fee_ppm",
    ...         f"1,0x{'cc' * 20},3,0x{'0a' * 20},0x{'0b' * 20},USDC,6,WETH,18,500"]
    >>> pool = Pools(rows).get(1, "0x" + "cc" * 20)
    >>> pool.token0.symbol, pool.decimals, pool.fee_ppm
    ('USDC', (6, 18), 500)
    """

    def __init__(self, lines: Iterable[str] = (), path: Path | None = None) -> None:
        self.path, self.read = path, 0
        self.skipped: Counter[str] = Counter()
        self._pools: dict[tuple[int, str], Pool] = {}
        self._ids: dict[InstrumentId, Pool] = {}
        rows = Rows()
        for line in lines:
            self.read += 1
            try:
                self.add(rows.pool(line))
            except Skipped as reason:
                self.skipped[str(reason)] += 1

    def add(self, pool: Pool) -> None:
        """Take a pool into the table. Raises Skipped: `repeated`, `id_collision`."""
        if (pool.chain_id, pool.address) in self._pools:
            raise Skipped("repeated")
        if self._ids.setdefault(pool.instrument, pool) is not pool:
            raise Skipped("id_collision")
        self._pools[pool.chain_id, pool.address] = pool

    def get(self, chain_id: int, address: str) -> Pool | None:
        """The pool of an address (lower case), None when the table has none."""
        return self._pools.get((chain_id, address))

    def __iter__(self) -> Iterator[Pool]:
        return iter(self._pools.values())

    def __len__(self) -> int:
        return len(self._pools)


class PoolsAdapter(Adapter):
    """Rows of the table: tokens as InstrumentDiscovered, each once, then the PoolDiscovered.

    A token without decimals gives none and is counted in `left_out` as `unknown_decimals`, once
    for every pool: the pool's metadata has its address. The table has no times, so `received` is
    0. Reasons: those of `Rows`; `repeated`.
    """

    SOURCE = SourceType.EXTERNAL

    def __init__(self) -> None:
        super().__init__()
        self._rows = Rows()
        self._seen: set[tuple[int, str]] = set()

    def _convert(self, line: str) -> list[Record]:
        pool = self._rows.pool(line)
        if (pool.chain_id, pool.address) in self._seen:
            raise Skipped("repeated")
        pool.introduce(self.instruments)
        self._seen.add((pool.chain_id, pool.address))
        unknown = [token.decimals for token in (pool.token0, pool.token1)].count(None)
        if unknown:
            self.left_out["unknown_decimals"] += unknown
        return self.introductions(0)


def adapter(_path: Path) -> PoolsAdapter:
    """The adapter of a file: its name says nothing that is needed."""
    return PoolsAdapter()


def row(line: str) -> list[str]:
    """The cells of one CSV line. Raises Skipped: `blank`, `bad_row`.

    >>> row('1,"a, b",2')
    ['1', 'a, b', '2']
    """
    if not line.strip():
        raise Skipped("blank")
    try:
        (cells,) = csv.reader([line], strict=True)
    except (csv.Error, ValueError):
        raise Skipped("bad_row") from None
    return cells


def _pool(cells: dict[str, str]) -> Pool:
    chain_id, version = number(cells["chain_id"]), number(cells["version"])
    if chain_id not in CHAINS:
        raise Skipped("unknown_chain")
    if version not in DEXES:
        raise Skipped("unknown_version")
    first, second = (_token(chain_id, cells, which) for which in "01")
    if first.address >= second.address:
        raise Skipped("unsorted_tokens")
    fee = _optional(cells["fee_ppm"], MILLION - 1, "bad_fee")
    return Pool(chain_id, _address(cells["pool"]), version, first, second, fee)


def _token(chain_id: int, cells: dict[str, str], which: str) -> Token:
    decimals = _optional(cells[f"decimals{which}"], MOST_DECIMALS, "bad_decimals")
    symbol = cells[f"symbol{which}"]
    # Two of them with a slash between are the pool's symbol, of at most 255 bytes.
    if len(symbol.encode(errors="replace")) > LONGEST_SYMBOL or not _is_text(symbol):
        raise Skipped("bad_symbol")
    return Token(chain_id, _address(cells[f"token{which}"]), symbol, decimals)


def _is_text(text: str) -> bool:
    """Whether it was UTF-8, and can be written as such again: half a surrogate pair cannot."""
    return not any("\ud800" <= one <= "\udfff" or one == "\ufffd" for one in text)


def _address(text: str) -> str:
    if not ADDRESS.fullmatch(text):
        raise Skipped("bad_address")
    return text.lower()


def _optional(text: str, most: int, reason: str) -> int | None:
    if not text:
        return None
    value = number(text)
    if not 0 <= value <= most:
        raise Skipped(reason)
    return value


def number(text: str) -> int:
    """Decimal digits as an integer; -1 for any other text, which no range allows.

    >>> number("18"), number("+1"), number("")
    (18, -1, -1)
    """
    return int(text) if len(text) <= 20 and text.isascii() and text.isdigit() else -1


def _compact(facts: dict[str, int | str]) -> bytes:
    return json.dumps(facts, separators=(",", ":"), ensure_ascii=False).encode()
