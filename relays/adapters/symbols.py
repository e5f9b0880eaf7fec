"""Venue symbols to InstrumentIds, and each instrument's full symbol said once.

Called by the adapters. An asset_id has room for 8 characters; longer symbols get a short form here,
in one place for all venues. What a symbol means (spot, perpetual) is for the venue's module.
"""

from __future__ import annotations

from base64 import b32encode
from zlib import crc32

from protocol.errors import InstrumentError
from protocol.instruments import SYMBOL_BYTES, InstrumentId, symbol_to_id
from protocol.market_data import InstrumentDiscovered
from protocol.message import Message

SEPARATORS = str.maketrans("", "", "-/_:")
KEPT = 3
MARK = "~"
HASHED = 4
LONGEST_SYMBOL = 255
FIXED_POINT_DECIMALS = 8


class Collision(Exception):
    """Two names that have one InstrumentId; the text has both."""


def short_form(symbol: str) -> str:
    """A symbol in at most 8 characters: without the separators - / _ : where that is enough, else
    its first three characters without them, `~`, and four of base 32 of the CRC-32 of the whole.

    >>> short_form("BTC-USD"), short_form("1000SHIBUSDT"), short_form("BTC-USD-220527")
    ('BTCUSD', '100~K3RF', 'BTC~WDQH')
    """
    plain = symbol.translate(SEPARATORS)
    if len(plain) <= SYMBOL_BYTES:
        return plain
    hashed = b32encode(crc32(symbol.encode()).to_bytes(4, "big"))[:HASHED]
    return plain[:KEPT] + MARK + hashed.decode("ascii")


def instrument(venue: int, asset_type: int, symbol: str) -> InstrumentId:
    """The InstrumentId of a venue's symbol, any length; InstrumentError when it is empty, not
    ASCII or over 255 characters.

    >>> from protocol.instruments import AssetType, VenueId
    >>> print(instrument(VenueId.COINBASE, AssetType.SPOT, "BTC-USD"))
    Coinbase spot BTCUSD
    """
    if not isinstance(symbol, str) or not symbol.isascii() or len(symbol) > LONGEST_SYMBOL:
        raise InstrumentError("symbol", expected="ASCII, at most 255 characters", got=symbol)
    return InstrumentId(venue, asset_type, symbol_to_id(short_form(symbol)))


def introduction(
    instrument_id: InstrumentId, symbol: str, metadata: bytes = b""
) -> InstrumentDiscovered:
    """What says the whole symbol of something that an exchange trades. Its prices and sizes are in
    1e-8 whatever the venue's steps are, so that is its decimals; steps belong in the metadata
    (SPEC.md, Discovery metadata)."""
    return InstrumentDiscovered(instrument_id, FIXED_POINT_DECIMALS, symbol, metadata)


class Instruments:
    """The instruments of one recording: makes ids, notices collisions, introduces each once.

    `discovered` holds the introductions that have not been taken yet: an adapter sends them before
    the next messages it gives.

    >>> from protocol.instruments import AssetType, VenueId
    >>> seen = Instruments()
    >>> pair = seen.get(VenueId.OKX, AssetType.FUTURE, "BTC-USD-220527")
    >>> pair == seen.get(VenueId.OKX, AssetType.FUTURE, "BTC-USD-220527")
    True
    >>> [message.symbol for message in seen.take()]
    ['BTC-USD-220527']
    """

    def __init__(self) -> None:
        self.discovered: list[Message] = []
        self._ids: dict[tuple[int, int, str], InstrumentId] = {}
        self._names: dict[InstrumentId, str] = {}

    def get(
        self,
        venue: int,
        asset_type: int,
        symbol: str,
        metadata: bytes = b"",
    ) -> InstrumentId:
        """The id of a symbol; at first sight an InstrumentDiscovered with the whole symbol waits.

        `metadata` goes into that message. Raises InstrumentError for a symbol that has no id,
        Collision when another symbol has this id.
        """
        made = self._ids.get((venue, asset_type, symbol))
        if made is None:
            made = instrument(venue, asset_type, symbol)
            self.introduce(made, symbol, introduction(made, symbol, metadata))
            self._ids[venue, asset_type, symbol] = made
        return made

    def introduce(self, instrument_id: InstrumentId, name: str, message: Message) -> None:
        """Take note of an id made elsewhere (a pool's, say): `message` waits at first sight.

        `name` is what the id was made from, whole; Collision when another name has this id.
        """
        known = self._names.get(instrument_id)
        if known is None:
            self._names[instrument_id] = name
            self.discovered.append(message)
        elif known != name:
            raise Collision(f"{known!r} and {name!r} have one id: {instrument_id}")

    def take(self) -> list[Message]:
        """The introductions that wait; they wait no longer."""
        taken, self.discovered = self.discovered, []
        return taken
