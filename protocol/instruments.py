"""Instrument identifiers: 12 bytes that name what is traded, and where (SPEC.md, Identifiers).

Called by message fields, filters and adapters. No names are kept here: what an id was made from is
for the cache of discovered instruments.
"""

from __future__ import annotations

import re
import struct
from enum import IntEnum
from typing import NamedTuple

from protocol.errors import InstrumentError

SIZE = 12
LAYOUT = struct.Struct("<HBBQ")
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
SYMBOL_BYTES = 8
PACKED_BITS = 40
_U64 = 2**64 - 1
_MOST = {"venue": 0xFFFF, "asset_type": 0xFF, "asset_id": _U64, "reserved": 0xFF}


class VenueId(IntEnum):
    """Exchanges 1-99, equity and futures markets 100-199, chains 200-299, DEX protocols 300-399."""

    BINANCE = 1
    KRAKEN = 2
    COINBASE = 3
    BINANCE_FUTURES = 4
    BINANCE_COIN_FUTURES = 5
    BYBIT = 6
    OKX = 7
    BITMEX = 8
    BITSTAMP = 9
    BITFINEX = 10
    GEMINI = 11
    KUCOIN = 12
    DYDX = 13
    BITFLYER = 14
    HYPERLIQUID = 15
    NASDAQ = 100
    NYSE = 101
    ARCA = 102
    CBOE = 103
    IEX = 104
    CME = 110
    ALPACA = 120
    ETHEREUM = 200
    POLYGON = 201
    ARBITRUM = 202
    BASE = 203
    OPTIMISM = 204
    BSC = 205
    UNISWAP_V2 = 300
    UNISWAP_V3 = 301
    SUSHISWAP_V2 = 302
    QUICKSWAP_V2 = 303
    QUICKSWAP_V3 = 304
    CURVE = 305
    BALANCER = 306


class AssetType(IntEnum):
    """What kind of thing an instrument is."""

    STOCK = 1
    TOKEN = 2
    POOL = 3
    SPOT = 4
    PERPETUAL = 5
    FUTURE = 6
    OPTION = 7
    INDEX = 8


# Written as a symbol; tokens and pools are written as the number they are.
_BY_SYMBOL = {AssetType.STOCK, AssetType.SPOT, AssetType.PERPETUAL, AssetType.FUTURE}


class _Fields(NamedTuple):
    venue: int
    asset_type: int
    reserved: int
    asset_id: int


class InstrumentId(_Fields):
    """`venue` u16, `asset_type` u8, `reserved` u8, `asset_id` u64; hashable, compares by value.

    Venues and asset types that are not in the enumerations are data: they are passed on.
    `InstrumentId(venue, asset_type, asset_id)` raises InstrumentError when one does not fit.

    >>> print(InstrumentId.stock(VenueId.NASDAQ, "AAPL"))
    Nasdaq stock AAPL
    """

    __slots__ = ()

    def __new__(cls, venue: int, asset_type: int, asset_id: int, reserved: int = 0) -> InstrumentId:
        values = {"venue": venue, "asset_type": asset_type, "asset_id": asset_id}
        for name, value in {**values, "reserved": reserved}.items():
            if not isinstance(value, int) or not 0 <= value <= _MOST[name]:
                allowed = f"0 to {_MOST[name]}"
                raise InstrumentError(f"instrument {name}", expected=allowed, got=value)
        return super().__new__(cls, int(venue), int(asset_type), int(reserved), int(asset_id))

    def __getnewargs__(self) -> tuple[int, int, int, int]:
        return self.venue, self.asset_type, self.asset_id, self.reserved

    @classmethod
    def stock(cls, venue: int, symbol: str) -> InstrumentId:
        """A share on a market: `symbol` has 1 to 8 ASCII characters (else InstrumentError)."""
        return cls(venue, AssetType.STOCK, symbol_to_id(symbol))

    @classmethod
    def spot(cls, venue: int, symbol: str) -> InstrumentId:
        """A currency pair on an exchange, by its symbol there: 1 to 8 ASCII characters."""
        return cls(venue, AssetType.SPOT, symbol_to_id(symbol))

    @classmethod
    def perpetual(cls, venue: int, symbol: str) -> InstrumentId:
        """A perpetual future, by its symbol: 1 to 8 ASCII characters."""
        return cls(venue, AssetType.PERPETUAL, symbol_to_id(symbol))

    @classmethod
    def future(cls, venue: int, symbol: str) -> InstrumentId:
        """A dated future, by its symbol: 1 to 8 ASCII characters."""
        return cls(venue, AssetType.FUTURE, symbol_to_id(symbol))

    @classmethod
    def token(cls, chain: int, address: str) -> InstrumentId:
        """A token by its contract: `0x` and 40 hex digits (else InstrumentError).

        >>> print(InstrumentId.token(VenueId.BASE, "0x" + "ab" * 20))
        Base token 0xabababababababab...
        """
        return cls(chain, AssetType.TOKEN, address_to_id(address))

    @classmethod
    def ethereum_token(cls, address: str) -> InstrumentId:
        """A token on Ethereum by its contract address."""
        return cls.token(VenueId.ETHEREUM, address)

    @classmethod
    def pool(cls, dex: int, token0: InstrumentId, token1: InstrumentId) -> InstrumentId:
        """A pool by its two tokens, in any order; prefer `pool_from_address`.

        Not reversible, and two pools can get the same id: whoever keeps pools by it must notice
        and raise.
        """
        low, high = sorted((token0.asset_id, token1.asset_id))
        return cls(dex, AssetType.POOL, (low >> 1) ^ (high << 1) & _U64)

    @classmethod
    def pool_from_address(cls, dex: int, address: str) -> InstrumentId:
        """A pool by its contract address."""
        return cls(dex, AssetType.POOL, address_to_id(address))

    def to_bytes(self) -> bytes:
        """The 12 bytes on the wire."""
        return LAYOUT.pack(*self)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> InstrumentId:
        """The exact inverse of `to_bytes`; InstrumentError unless there are 12 bytes."""
        if len(data) != SIZE:
            raise InstrumentError("instrument id", expected=f"{SIZE} bytes", got=len(data))
        return cls._make(LAYOUT.unpack(data))

    def to_int(self) -> int:
        """All 96 bits as one integer, the venue in the highest; a lossless key."""
        return self.venue << 80 | self.asset_type << 72 | self.reserved << 64 | self.asset_id

    @classmethod
    def from_int(cls, value: int) -> InstrumentId:
        """The exact inverse of `to_int`; InstrumentError unless it fits 96 bits."""
        if not 0 <= value < 2**96:
            raise InstrumentError("instrument id", expected="0 to 2**96 - 1", got=value)
        return cls(value >> 80, value >> 72 & 0xFF, value & _U64, value >> 64 & 0xFF)

    def to_u64(self) -> int:
        """venue, asset type and 40 bits of asset_id; InstrumentError when that would lose bits."""
        if self.asset_id >> PACKED_BITS or self.reserved:
            raise InstrumentError(
                f"{self} as u64",
                expected="asset_id below 2**40 and reserved 0",
                got=tuple(self),
                hint="use to_bytes or to_int",
            )
        return self.venue << 48 | self.asset_type << 40 | self.asset_id

    @classmethod
    def from_u64(cls, value: int) -> InstrumentId:
        """The exact inverse of `to_u64`."""
        if not 0 <= value <= _U64:
            raise InstrumentError("packed instrument id", expected="0 to 2**64 - 1", got=value)
        return cls(value >> 48, value >> 40 & 0xFF, value & 2**PACKED_BITS - 1)

    def __str__(self) -> str:
        venue = _name(VenueId, self.venue, "venue")
        kind = _name(AssetType, self.asset_type, "asset type").lower()
        return f"{venue} {kind} {self._what()}" + (f" [{self.reserved}]" if self.reserved else "")

    def _what(self) -> str:
        symbol = id_to_symbol(self.asset_id) if self.asset_type in _BY_SYMBOL else None
        if symbol and symbol.isprintable():
            return symbol
        return f"0x{self.asset_id:016x}" + "..." * (self.asset_type == AssetType.TOKEN)


def symbol_to_id(symbol: str) -> int:
    """A symbol as asset_id: its ASCII bytes left-aligned in 8, read big-endian.

    InstrumentError when it is empty, longer than 8 or not ASCII: one that were cut would collide.

    >>> id_to_symbol(symbol_to_id("BTCUSDT"))
    'BTCUSDT'
    """
    if not 0 < len(symbol) <= SYMBOL_BYTES or not symbol.isascii() or "\0" in symbol:
        allowed = f"1 to {SYMBOL_BYTES} ASCII characters"
        hint = "adapters give longer symbols a documented short form"
        raise InstrumentError("symbol", expected=allowed, got=symbol, hint=hint)
    return int.from_bytes(symbol.encode("ascii").ljust(SYMBOL_BYTES, b"\0"), "big")


def id_to_symbol(asset_id: int) -> str | None:
    """The symbol an asset_id was made from, None when it cannot be one."""
    text = asset_id.to_bytes(SYMBOL_BYTES, "big").rstrip(b"\0")
    return text.decode("ascii") if text and text.isascii() and b"\0" not in text else None


def address_to_id(address: str) -> int:
    """An address as asset_id: the first 8 of its 20 bytes, big-endian; InstrumentError if not one.

    >>> hex(address_to_id("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"))
    '0xa0b86991c6218b36'
    """
    if not ADDRESS.fullmatch(address):
        raise InstrumentError("address", expected="0x and 40 hex digits", got=address)
    return int(address[2:18], 16)


def _name(names: type[IntEnum], number: int, otherwise: str) -> str:
    if number not in set(names):
        return f"{otherwise} {number}"
    return names(number).name.replace("_", " ").title().replace(" ", "")
