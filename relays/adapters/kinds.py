"""The kinds of recordings that can be converted, by name, and how to make the adapter of a file.

Called by `relays convert` and by the tests of all adapters. A venue's module is imported when its
kind is used. A kind that needs something of the file's name (a date, a pool) takes it from there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

from relays.adapters.adapter import Adapter

Factory = Callable[..., Adapter]


def _made(where: str, path: Path, **more: object) -> Adapter:
    module, _, name = where.partition(":")
    factory: Factory = getattr(import_module(f"relays.adapters.{module}"), name)
    return factory(path, **more)


# "module:factory"; a factory is called with the path of the recording and gives its adapter. It
# may take more by name: `table` (uniswap), `listing` (us-equities).
_PLACES = {
    "binance": "binance:spot",
    "binance-futures": "binance:futures",
    "coinbase": "coinbase:adapter",
    "kraken": "kraken:adapter",
    "bybit": "bybit:adapter",
    "dydx": "dydx:adapter",
    "bitmex": "bitmex:adapter",
    "bitstamp": "bitstamp:adapter",
    "bitfinex": "bitfinex:adapter",
    "okx": "okx:adapter",
    "uniswap": "uniswap:adapter",
    "us-equities": "equities:adapter",
    "pools": "pools:adapter",
}

KINDS: dict[str, Factory] = {kind: partial(_made, place) for kind, place in _PLACES.items()}
