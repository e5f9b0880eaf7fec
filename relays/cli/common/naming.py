"""Instruments and types as people write and read them: `binance:spot:BTC-USDT`, `trade`.

Called by tap (to show and to filter), publish (cells of CSV) and their tests. No I/O. What ids are
made of is `protocol.instruments`', what has been discovered `protocol.objects`'.
"""

from __future__ import annotations

import re
from enum import IntEnum
from fnmatch import fnmatchcase
from typing import TypeVar

from protocol.catalogue import MessageType
from protocol.errors import InstrumentError, ProtocolError
from protocol.instruments import SIZE, AssetType, InstrumentId, VenueId, address_to_id, id_to_symbol
from protocol.message import Message, Unknown, catalogue
from protocol.objects import Objects
from relays.adapters.symbols import SEPARATORS, instrument
from relays.domains import Domain

BY_ADDRESS = {AssetType.TOKEN, AssetType.POOL}
MOST_BYTE = 255
ASSET_DIGITS = 16
WAYS = "venue:kind:symbol, as binance:spot:BTC-USDT or ethereum:token:0x..., or 24 hex digits"
GLOB = frozenset("*?[")
ID = re.compile(r"(^|:)0x[0-9a-f]+$|^[0-9a-f]{24}$", re.IGNORECASE)
# Names kept ready; who sends more ids than this only makes us look them up again.
REMEMBERED = 100_000
IGNORED = {code: gone for code, gone in SEPARATORS.items() if chr(code) != ":"}

E = TypeVar("E", bound=IntEnum)


class Names:
    """What to call each instrument: the symbols learnt from discovery messages, else what the id
    itself says. Two things with one id keep the first one's name; `learn` says so once.

    >>> from protocol.market_data import InstrumentDiscovered
    >>> names, pair = Names(), parse_instrument("coinbase:spot:BTC-USD-LONG")
    >>> names.of(pair)
    'coinbase:spot:BTC~476K'
    >>> names.learn(InstrumentDiscovered(pair, decimals=8, symbol="BTC-USD-LONG"))
    ''
    >>> names.of(pair)
    'coinbase:spot:BTC-USD-LONG'
    """

    def __init__(self) -> None:
        self._objects = Objects()
        self._said: set[str] = set()
        self._made: dict[InstrumentId, str] = {}

    def learn(self, message: Message | Unknown) -> str:
        """Take a discovery message, ignore others; a sentence when it contradicts what is known."""
        try:
            known = self._objects.feed(message)
        except ProtocolError as error:
            text = str(error)
            told = text in self._said
            self._said.add(text)
            return "" if told else text
        if known is not None:
            self._made.pop(known.id, None)
        return ""

    def of(self, instrument_id: InstrumentId) -> str:
        """The name in one word: venue, kind and symbol; kept, as it is asked for often."""
        name = self._made.get(instrument_id)
        if name is None:
            if len(self._made) >= REMEMBERED:
                self._made.clear()
            name = self._made[instrument_id] = self._name(instrument_id)
        return name

    def _name(self, one: InstrumentId) -> str:
        known = self._objects.get(one)
        what = clean(known.symbol, spaces=False) if known and known.symbol else _what(one)
        reserved = f"[{one.reserved}]" if one.reserved else ""
        return f"{_lower(VenueId, one.venue)}:{_lower(AssetType, one.asset_type)}:{what}{reserved}"


class Wanted:
    """Which instruments somebody asked for: by exact name, by symbol, or with `*` and `?`.

    A pattern with a colon is looked for in the whole name, another in the symbol; case and the
    separators - / _ do not matter. `exact` has the ids where all are given as such. InstrumentError
    for a venue or kind that nobody has.

    >>> names = Names()
    >>> pair = parse_instrument("binance:spot:BTCUSDT")
    >>> [Wanted([text], names).has(pair) for text in ("btc-usdt", "binance:*", "BTC*", "BTC")]
    [True, True, True, False]
    """

    def __init__(self, patterns: list[str], names: Names) -> None:
        for text in patterns:
            _see_that_it_can_be(text)
        found = [_exact(text) for text in patterns]
        self.ids = frozenset(one for one in found if one is not None)
        # Written as ids they are all; a name can also be that of another id, once that is learnt.
        sure = all(ID.search(text) for text in patterns) and None not in found
        self.exact = self.ids if sure else frozenset()
        self._patterns = [(":" in text, _bare(text)) for text in patterns]
        self._names = names
        self._found: dict[str, bool] = {}

    def has(self, instrument_id: InstrumentId) -> bool:
        """Whether this instrument is one of those."""
        if instrument_id in self.ids:
            return True
        name = self._names.of(instrument_id)
        found = self._found.get(name)
        if found is None:
            if len(self._found) >= REMEMBERED:
                self._found.clear()
            found = self._found[name] = self._matches(name)
        return found

    def _matches(self, name: str) -> bool:
        venue, kind, symbol = name.split(":", 2)
        whole = _bare(f"{venue}:{kind}:{symbol}")
        return any(
            fnmatchcase(whole if colon else _bare(symbol), text) for colon, text in self._patterns
        )


def parse_instrument(text: str) -> InstrumentId:
    """The id that `venue:kind:symbol`, an address in place of the symbol, or the 12 bytes in hex
    stand for. InstrumentError for anything else.

    >>> str(parse_instrument("uniswap_v3:pool:0x" + "ab" * 20))
    'UniswapV3 pool 0xabababababababab'
    >>> parse_instrument("010004000054445355435442") == parse_instrument("binance:spot:BTCUSDT")
    True
    """
    parts = text.strip().split(":", 2)
    if len(parts) == 1:
        return InstrumentId.from_bytes(_hex(parts[0], text))
    if len(parts) != 3:
        raise InstrumentError("instrument", expected=WAYS, got=text)
    venue, kind = number(VenueId, parts[0], 65_535), number(AssetType, parts[1], MOST_BYTE)
    if parts[2].lower().startswith("0x"):
        return InstrumentId(venue, kind, _asset(parts[2]))
    return instrument(venue, kind, parts[2])


def number(names: type[E], text: str, most: int = MOST_BYTE) -> int:
    """The number that a name of an enumeration stands for, in any case and with - for _, or that
    is written out. InstrumentError when it is neither.

    >>> from protocol.catalogue import SourceType
    >>> number(SourceType, "binance-collector"), number(SourceType, "77")
    (1, 77)
    """
    key = text.strip().upper().replace("-", "_")
    if key in names.__members__:
        return int(names[key])
    if key.isascii() and key.isdigit() and int(key) <= most:
        return int(key)
    label = names.__name__.removesuffix("Id").removesuffix("Type").lower() or "name"
    known = ", ".join(member.lower() for member in names.__members__)
    raise InstrumentError(label, expected=f"a number to {most}, or one of {known}", got=text)


def type_number(text: str, domain: Domain | None = None) -> int:
    """The message type of a name (`trade`, `Trade`, `order_book`) or number; ProtocolError when
    there is none, or the domain does not carry it.

    >>> type_number("order-book"), type_number("OrderBook"), type_number("3")
    (3, 3, 3)
    """
    bare = text.strip().lower()
    found = {name.replace("_", "").lower(): int(kind) for name, kind in _types().items()}
    written = int(bare) if bare.isascii() and bare.isdigit() else -1
    kind = found.get(bare.replace("-", "").replace("_", ""), written)
    if not 0 <= kind <= MOST_BYTE:
        known = ", ".join(one.name.lower() for one in MessageType if _carried(one, domain))
        raise ProtocolError("type", expected=f"a number to 255, or one of {known}", got=text)
    if not _carried(kind, domain):
        assert domain is not None
        expected = f"{domain.types.start} to {domain.types.stop - 1}, which {domain.name} carries"
        raise ProtocolError(f"type {text}", expected=expected, got=kind)
    return kind


def clean(text: str, *, spaces: bool = True) -> str:
    """Text from the wire that a terminal may be given: what is not printable is escaped.

    >>> clean("BTC\\x1b[2J"), clean("a b", spaces=False)
    ('BTC\\\\x1b[2J', 'a\\\\x20b')
    """
    if text.isprintable() and (spaces or " " not in text):
        return text
    return "".join(
        one if one.isprintable() and (spaces or one != " ") else _escaped(one) for one in text
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode() if character != " " else r"\x20"


def _types() -> dict[str, int]:
    return {cls.__name__: kind for (kind, _), cls in catalogue().items()} | {
        kind.name: int(kind) for kind in MessageType
    }


def _carried(kind: int, domain: Domain | None) -> bool:
    return domain is None or kind in domain.types


def _what(one: InstrumentId) -> str:
    symbol = None if one.asset_type in BY_ADDRESS else id_to_symbol(one.asset_id)
    return symbol if symbol and symbol.isprintable() and " " not in symbol else _raw(one)


def _raw(one: InstrumentId) -> str:
    return f"0x{one.asset_id:016x}"


def _lower(names: type[IntEnum], value: int) -> str:
    return names(value).name.lower() if value in set(names) else str(value)


def _see_that_it_can_be(pattern: str) -> None:
    """What is written out of venue:kind:symbol must be one of those there are."""
    venue, *rest = pattern.split(":")
    for names, part in zip((VenueId, AssetType), (venue, *rest[:1]), strict=False):
        if rest and not GLOB & set(part) and _bare(part) not in map(_bare, names.__members__):
            number(names, part, 65_535)


def _exact(text: str) -> InstrumentId | None:
    if GLOB & set(text):
        return None
    try:
        return parse_instrument(text)
    except ProtocolError:
        return None


def _bare(text: str) -> str:
    return text.lower().translate(IGNORED)


def _asset(text: str) -> int:
    digits = text[2:]
    if 0 < len(digits) <= ASSET_DIGITS and set(digits) <= set("0123456789abcdefABCDEF"):
        return int(digits, 16)
    return address_to_id(text)


def _hex(digits: str, text: str) -> bytes:
    try:
        raw = bytes.fromhex(digits.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != SIZE:
        raise InstrumentError("instrument", expected=WAYS, got=text)
    return raw
