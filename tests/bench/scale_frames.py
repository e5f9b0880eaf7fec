"""What the scale suite sends: files of Trades, and the recorded Binance session.

Called by the modules that measure rows. The recording is read where it is (`RELAYS_DATA`, else
../shared/data), converted by `relays convert` into a folder that is removed after the run, and
never copied into the project.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from protocol.instruments import InstrumentId
from protocol.market_data import Side, Trade

from .children import RunFailed
from .native import ROOT

TRADES = 4096
# By the kind that `relays convert` is told.
RECORDED = {"binance": "spot_*.gz", "binance-futures": "usdm_*.gz"}
AT_SIZE, AT_TIMESTAMP, HEADER = slice(8, 12), slice(20, 28), 32


def trades(path: Path, count: int = TRADES) -> Path:
    """Writes a file of different 64-byte Trades: as many as a block of 256 KiB has."""
    pair = InstrumentId(1, 4, 0, 7)
    frames = (Trade(pair, price=n, volume=n, side=Side.BUY).frame(source=1) for n in range(count))
    path.write_bytes(b"".join(frames))
    return path


def recordings() -> dict[str, list[Path]]:
    """The recorded files of each kind; empty where there are none."""
    folder = Path(os.environ.get("RELAYS_DATA") or ROOT.parent / "shared" / "data", "binance")
    found = {kind: sorted(folder.glob(pattern)) for kind, pattern in RECORDED.items()}
    return {kind: files for kind, files in found.items() if files}


def session(folder: Path, files: dict[str, list[Path]]) -> list[bytes]:
    """The frames of all recordings in the order in which they were received."""
    made: list[bytes] = []
    for kind, recorded in files.items():
        path = folder / f"{kind}.frames"
        command = [str(Path(sys.executable).parent / "relays"), "convert", kind,
                   *map(str, recorded), "-o", str(path), "--json"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            raise RunFailed(f"relays convert {kind}: {done.stderr}")
        made += each_of(path.read_bytes())
        path.unlink()
    return sorted(made, key=lambda frame: int.from_bytes(frame[AT_TIMESTAMP], "little"))


def each_of(data: bytes) -> Iterator[bytes]:
    """The frames that stand back to back in `data`."""
    at = 0
    while at < len(data):
        end = at + HEADER + int.from_bytes(data[at : at + HEADER][AT_SIZE], "little")
        yield data[at:end]
        at = end
