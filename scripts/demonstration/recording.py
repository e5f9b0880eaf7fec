"""What is played: recorded Binance data where there is some, else a generated session.

`choose` is called by the session to say what will be played, `load` by the player. Recordings are
read where they lie and never copied.
"""

from __future__ import annotations

import gzip
import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from protocol.market_data import Quote, Side, Trade
from relays.adapters.adapter import Record, merge
from relays.adapters.binance import Binance, Market
from relays.errors import RelayError

ROOT = Path(__file__).parent.parent.parent
MARKETS = {"spot": Market.SPOT, "usdm": Market.USDM}
PLAYED = (Trade, Quote)
SYMBOL = "BTCUSDT"
SEED = 20240808
GENERATED = 60_000
TICK = 1_000_000
MEAN_PAUSE_NS = 3_000_000


@dataclass(frozen=True, slots=True)
class Choice:
    """What will be played: recordings by path, or none for a generated session; in words too."""

    paths: tuple[str, ...]
    title: str


def choose(files: Sequence[str], environ: Mapping[str, str] = os.environ) -> Choice:
    """The files given, else those of RELAYS_DATA, else ../shared/data, else a generated session.

    RelayError for a file that is not there or whose name does not say which market it is from.
    """
    if files:
        for name in files:
            _market(name)
            if not os.access(name, os.R_OK):
                raise RelayError(f"{name} cannot be read", os.EX_NOINPUT)
        return Choice(tuple(files), "recorded: " + ", ".join(Path(name).name for name in files))
    folder = Path(environ.get("RELAYS_DATA") or ROOT.parent / "shared" / "data", "binance")
    found = [next(iter(sorted(folder.glob(f"{kind}_btcusdt_*.gz"))), None) for kind in MARKETS]
    paths = tuple(str(path) for path in found if path)
    if len(paths) == len(MARKETS):
        return Choice(paths, f"Binance {SYMBOL} spot and perpetual, recorded, from {folder}")
    return Choice((), f"generated session, seed {SEED} (no recordings in {folder})")


def load(paths: Sequence[str]) -> tuple[list[Record], Counter[str]]:
    """Trades and quotes in receive order, and what was skipped by reason.

    Order books and introductions of instruments are left out: nobody in the demonstration asks.
    """
    if not paths:
        return list(generate()), Counter()
    adapters = [Binance(_market(path), with_books=False) for path in paths]
    streams = [adapter.records(_lines(path)) for adapter, path in zip(adapters, paths, strict=True)]
    records = [record for record in merge(streams) if isinstance(record.message, PLAYED)]
    if not records:
        raise RelayError(f"no trade and no quote in {', '.join(paths)}", os.EX_DATAERR)
    return records, sum((adapter.skipped for adapter in adapters), Counter[str]())


def generate(count: int = GENERATED, seed: int = SEED) -> Iterator[Record]:
    """A session that looks like one: a random walk, and a basis that returns to its mean."""
    rng = random.Random(seed)
    now, price, basis = 1_700_000_000_000_000_000, 60_000_00000000, -30_00000000
    for _ in range(count):
        now += round(rng.expovariate(1 / MEAN_PAUSE_NS))
        price += rng.choice((-1, 0, 0, 1)) * TICK * rng.randrange(1, 20)
        basis += round(rng.gauss(0, 15 * TICK)) - (basis + 30_00000000) // 500
        market = rng.choice((Market.SPOT, Market.USDM, Market.USDM))
        at = price + (basis if market is Market.USDM else 0)
        yield Record(now, _message(rng, market, at))


def _message(rng: random.Random, market: Market, price: int) -> Trade | Quote:
    instrument, size = market.instrument(SYMBOL), rng.randrange(1, 400) * 1_000_000
    if rng.random() < 0.25:
        return Trade(instrument, price, size, rng.choice((Side.BUY, Side.SELL)))
    ask_size = rng.randrange(1, 400) * 1_000_000
    return Quote(instrument, price, price + TICK * rng.randrange(1, 10), size, ask_size)


def _market(name: str) -> Market:
    kind = Path(name).name.partition("_")[0]
    if kind not in MARKETS:
        expected = " or ".join(f"{kind}_..." for kind in MARKETS)
        raise RelayError(f"{name}: a recording is named {expected}", os.EX_USAGE)
    return MARKETS[kind]


def _lines(path: str) -> Iterator[str]:
    opened = gzip.open if path.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8", errors="replace") as file:
        yield from file
