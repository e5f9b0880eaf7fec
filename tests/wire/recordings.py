"""Where the recorded market data is, and its lines: called by the tests of adapters.

`RELAYS_DATA` or ../shared/data; tests that need a recording that is not there skip. No test belongs
here.
"""

import gzip
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def data() -> Path:
    """The folder of all recordings; skips the test where there is none."""
    folder = Path(os.environ.get("RELAYS_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder} (RELAYS_DATA, ../shared/data)")
    return folder


def recordings(pattern: str) -> list[Path]:
    """The recordings that match, `binance/usdm_*.gz` say; skips the test where there is none."""
    found = sorted(data().glob(pattern))
    if not found:
        pytest.skip(f"no recording {pattern} in {data()} (RELAYS_DATA, ../shared/data)")
    return found


def recording(pattern: str) -> Path:
    """The first of `recordings`."""
    return recordings(pattern)[0]


def lines(path: Path) -> Iterator[str]:
    """The lines of a recording: gzip, a zip of one file, or plain."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as member:
            yield from io.TextIOWrapper(member, encoding="utf-8", newline="\n")
        return
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="\n") as file:
        yield from file
