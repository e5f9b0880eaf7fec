"""`bench protocol`, its other half: many frames at once as arrays, and what importing costs.

Called by __main__ beside protocol_suite. Arrays have a bar in frames a second and no peers: none of
those has such a thing. Imports are timed in fresh processes.
"""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from protocol import batch
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import BookKind, OrderBook, Quote, Trade
from protocol.tails import Level

from .bars import Judged
from .children import RunFailed
from .native import ROOT
from .statistic import Interval, median_interval

SEED = 20240601
FRAMES_BAR = 20e6
IMPORT_BAR = 0.050
PAIR = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
LEVELS = (Level(99, 5), Level(98, 1)), (Level(101, 1), Level(102, 7))

# What is timed in a fresh process: ours without numpy, and what programs import for the peers.
IMPORTS = {
    "protocol, every message class": "import protocol.message as m; m.catalogue()",
    "msgspec": "import msgspec",
    "protobuf": "from google.protobuf import descriptor_pb2, descriptor_pool, message_factory",
    "numpy": "import numpy",
}
TIMED = """
import time, sys
begin = time.perf_counter()
{code}
print(time.perf_counter() - begin, 'numpy' in sys.modules)
"""


@dataclass(frozen=True)
class Result:
    """Samples of one row: frames a second, or seconds of an import (there less is better)."""

    name: str
    samples: list[float]
    bar: float | None
    less: bool = False

    @property
    def interval(self) -> Interval:
        return median_interval(self.samples)

    @property
    def judged(self) -> list[Judged]:
        """In million frames/s, or ms; nothing where there is no bar."""
        if self.bar is None:
            return []
        unit, what = (1e3, "import, ms") if self.less else (1e-6, "million/s")
        figure, limit = self.interval.times(unit), self.bar * unit
        return [Judged(f"{self.name}, {what}", "", figure, limit, not self.less)]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "interval": asdict(self.interval)}


@dataclass(frozen=True)
class Work:
    """One row: what is done with how many frames, and whether the result is right."""

    name: str
    frames: int
    do: Callable[[], Any]
    right: Callable[[Any], bool]
    bar: float | None = FRAMES_BAR


def trades(count: int) -> Any:
    """Rows of Trades, without headers."""
    rows = np.zeros(count, batch.payload_dtype(Trade))
    rows["instrument_id"] = tuple(PAIR)
    rows["price"] = np.arange(count) + 6_123_450_000_000
    rows["volume"] = 25_000_000
    rows["side"] = 1
    return rows


def mixed(count: int, *, books: bool) -> bytes:
    """Frames of several types in a seeded random order."""
    chance = random.Random(SEED)
    kinds = [
        Trade(PAIR, price=5, volume=6).frame(sequence=1),
        Quote(PAIR, bid_price=1, ask_price=2, bid_size=3, ask_size=4).frame(sequence=2),
    ]
    if books:
        bids, asks = LEVELS
        book = OrderBook(PAIR, BookKind.DELTA, 3, bids=bids, asks=asks)
        kinds.append(book.frame(sequence=3))
    return b"".join(chance.choices(kinds, k=count))


def works(count: int) -> list[Work]:
    """The rows of the table; inputs are made here, once."""
    rows = trades(count)
    stamps: dict[str, Any] = {"sequence": 1, "timestamp": 1_763_700_000_000_000_000, "source": 1}
    frames = bytes(batch.encode(Trade, rows, **stamps))
    own = np.frombuffer(bytearray(frames), batch.dtype(Trade))
    two, three = mixed(count, books=False), mixed(count, books=True)

    def whole(decoded: Any) -> bool:
        return len(decoded) == count and len(decoded.unread) == 0

    def same(made: Any) -> bool:
        return bool(made == frames)

    return [
        Work("decode Trades", count, lambda: batch.decode(frames), whole),
        Work(
            "decode Trades, values not looked at",
            count,
            lambda: batch.decode(frames, check=False),
            whole,
        ),
        Work("decode Trades and Quotes, mixed", count, lambda: batch.decode(two), whole),
        Work(
            "decode Trades, Quotes, books, mixed", count, lambda: batch.decode(three), whole, None
        ),
        Work("encode Trades", count, lambda: batch.encode(Trade, rows, **stamps), same),
        Work("encode Trades in place", count, lambda: batch.seal(Trade, own, **stamps), same),
    ]


def run(count: int, rounds: int, progress: Callable[[str], None]) -> list[Result]:
    """Frames a second of each row, checksums included, `rounds` samples of `count` frames.

    RunFailed when a result is wrong, or a damaged frame is taken."""
    _check_damage()
    rows = works(count)
    samples: dict[str, list[float]] = {row.name: [] for row in rows}
    chance = random.Random(SEED)
    for turn in range(rounds):
        progress(f"protocol: arrays, round {turn + 1} of {rounds}")
        for row in chance.sample(rows, len(rows)):
            samples[row.name].append(row.frames / _seconds(row))
    return [Result(row.name, samples[row.name], row.bar) for row in rows]


def _seconds(row: Work) -> float:
    begin = time.perf_counter()
    made = row.do()
    seconds = time.perf_counter() - begin
    if not row.right(made):
        raise RunFailed(f"wrong result of: {row.name}")
    return seconds


def _check_damage() -> None:
    frames = batch.encode(Trade, trades(3))
    frames[100] ^= 1
    try:
        batch.decode(frames)
    except ValueError:
        return
    raise RunFailed("a damaged frame passes batch.decode")


def imports(rounds: int, progress: Callable[[str], None]) -> list[Result]:
    """Seconds that an import takes in a fresh process, its start not counted."""
    samples: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for name, code in IMPORTS.items():
        # Once without counting: compiled modules are written, files are in the page cache.
        _import_seconds(name, code)
    chance = random.Random(SEED)
    for turn in range(rounds):
        progress(f"protocol: imports, round {turn + 1} of {rounds}")
        for name in chance.sample(list(IMPORTS), len(IMPORTS)):
            samples[name].append(_import_seconds(name, IMPORTS[name]))
    bars = {next(iter(IMPORTS)): IMPORT_BAR}
    return [Result(name, each, bars.get(name), less=True) for name, each in samples.items()]


def _import_seconds(name: str, code: str) -> float:
    command = [sys.executable, "-c", TIMED.format(code=code)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RunFailed(f"import of {name}: {done.stderr}")
    seconds, numpy = done.stdout.split()
    if numpy == "True" and name != "numpy":
        raise RunFailed(f"import of {name} loads numpy")
    return float(seconds)
