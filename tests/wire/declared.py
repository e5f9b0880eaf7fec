"""A declaration that has one of everything, and what tests of schemas share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from protocol import message, schema
from protocol.message import REGISTRY

TOLD: dict[str, Any] = {
    "name": "OptionQuote",
    "type": 210,
    "version": 1,
    "doc": "A quote of an option.",
    "fields": [
        {"name": "instrument_id", "type": "instrument", "meaning": "the option", "fix": "48"},
        {"name": "strike", "type": "i64", "unit": "1e-8", "within": [[0, "1000"], [5000, 6000]]},
        {"name": "right", "type": "u8", "enum": {"NOT_SET": 0, "CALL": 1, "PUT": 2}, "default": 1},
        {"name": "venue", "type": "u16", "names": {"CBOE": 103}},
        {"name": "marks", "type": "u32", "flags": {"STALE": 1, "INDICATIVE": 4}, "default": []},
        {"pad": 1},
        {"name": "key", "type": "bytes12", "default": "0x0102030405060708090a0b0c"},
        {"name": "value", "type": "i128", "default": "-1"},
        {"name": "size", "type": "u128"},
        {"name": "name_len", "type": "u8", "counts": "name"},
        {"name": "bid_count", "type": "u16", "counts": "bids"},
        {"name": "bids_at", "type": "u16", "starts": "bids"},
        {"name": "name", "type": "text", "default": "none"},
        {"name": "bids", "type": "levels", "default": [["1", "2"]]},
        {"name": "more", "type": "tlvs", "default": []},
    ],
}


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Types registered by a test are gone after it."""
    before = message.catalogue()
    monkeypatch.setattr(schema, "_declared", {})
    yield
    for key in set(REGISTRY) - set(before):
        del REGISTRY[key]


def told(**changes: Any) -> dict[str, Any]:
    return TOLD | changes
