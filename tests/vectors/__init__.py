"""Golden vectors: frames on disk that every implementation of the protocol must agree about.

Read by tests through `index()`; written by `python -m tests.vectors.make`. What the folder holds
for readers in any language says README.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
INDEX = FOLDER / "index.json"
MAX_PAYLOAD = 65_536


def index() -> dict[str, list[dict[str, Any]]]:
    """index.json: `valid`, `opaque`, `invalid` and `streams`, each a list of entries."""
    found: dict[str, list[dict[str, Any]]] = json.loads(INDEX.read_text())
    return found


def read(entry: dict[str, Any]) -> bytes:
    """The bytes an entry is about."""
    return FOLDER.joinpath(entry["file"]).read_bytes()
