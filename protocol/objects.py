"""What has been discovered: instruments, tokens, pools and a program's own objects by their
InstrumentId (SPEC.md, Discovered objects).

Called by consumers that print names, need decimals or addresses: feed every message, look things up
in constant time. Ids can collide (pools made from token pairs, addresses cut to 8 bytes), so an id
that names two things raises. Prices, books and whatever changes with every message do not belong
here.

Reading needs no lock: every look is one operation of one dict, which the interpreter does as a
whole. Feeding has one, because what is known is compared with what is said before it is replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock
from types import MappingProxyType
from typing import Any, TypeVar

from protocol.as_json import read
from protocol.errors import FieldError, ProtocolError
from protocol.instruments import ADDRESS, AssetType, InstrumentId
from protocol.market_data import InstrumentDiscovered, PoolDiscovered

MOST = 1_000_000
NOTHING: Mapping[str, object] = MappingProxyType({})
# The convention of metadata on chains: which keys mean something, and what they hold.
ADDRESSES = ("address", "token0", "token1")
TEXTS = ("symbol0", "symbol1")
NUMBERS = {"chain_id": 2**64 - 1, "version": 255, "fee_ppm": 1_000_000}
NUMBERS |= {"decimals0": 255, "decimals1": 255}
# What makes a thing on a chain this one and no other: where two say it, they must say the same.
IDENTITY = ("address", "chain_id", "version", "token0", "token1", "fee_ppm")

K = TypeVar("K", bound="Known")


class IdCollisionError(ProtocolError):
    """Two different things have the same InstrumentId; the line has both their names
    (SPEC.md, Discovered objects)."""


@dataclass(frozen=True, slots=True)
class Known:
    """A discovered object: `metadata` is the JSON object that came with it, empty when none did."""

    id: InstrumentId
    symbol: str
    decimals: int
    metadata: Mapping[str, object] = field(default_factory=lambda: NOTHING, hash=False)

    @property
    def name(self) -> str:
        """What a person calls it, as errors have it."""
        return self.symbol

    def contradiction(self, other: Known) -> str:
        """In what the other cannot be this thing: empty when it can, perhaps with other facts."""
        if type(self) is not type(other):
            return f"kind {type(self).__name__} and {type(other).__name__}"
        for name in IDENTITY:
            ours, theirs = getattr(self, name, None), getattr(other, name, None)
            if ours is not None and theirs is not None and ours != theirs:
                return f"{name} {ours} and {theirs}"
        # Names change and are no proof; but without an address on both sides there is no better.
        addresses = {getattr(self, "address", None), getattr(other, "address", None)}
        return "" if self.symbol == other.symbol or None not in addresses else "symbol"


@dataclass(frozen=True, slots=True)
class Instrument(Known):
    """What is traded under a symbol: a stock, a pair, a future."""


@dataclass(frozen=True, slots=True)
class _OnChain(Known):
    chain_id: int | None = None
    address: str | None = None

    @property
    def name(self) -> str:
        return self.symbol + self._where()

    def _where(self) -> str:
        where = f" at {self.address}" if self.address else ""
        return where + (f" on chain {self.chain_id}" if self.chain_id else "")


@dataclass(frozen=True, slots=True)
class Token(_OnChain):
    """A token: chain id and lower-case address of its contract where the metadata has them."""


@dataclass(frozen=True, slots=True)
class Pool(_OnChain):
    """A pool as its metadata has it, None for what that leaves out: addresses `0x` and 40
    lower-case hex digits, `fee_ppm` in 1/1,000,000 of a swap."""

    version: int | None = None
    token0: str | None = None
    token1: str | None = None
    symbol0: str | None = None
    symbol1: str | None = None
    decimals0: int | None = None
    decimals1: int | None = None
    fee_ppm: int | None = None

    @property
    def name(self) -> str:
        fee = "" if self.fee_ppm is None else f", fee {self.fee_ppm} ppm"
        return self.symbol + self._where() + fee


@dataclass(frozen=True, slots=True)
class Custom(Known):
    """An object of the program's own, or of an asset type that has no name here."""

    value: object = field(default=None, hash=False)


class Objects(Mapping[InstrumentId, Known]):
    """Everything discovered so far by its id: `feed` it every message, then `objects[id]`.

    Any number of threads may read and feed; iterating goes over what was there when it began.

    >>> from protocol.instruments import VenueId
    >>> objects = Objects()
    >>> pair = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
    >>> _ = objects.feed(InstrumentDiscovered(pair, decimals=8, symbol="BTC-USDT"))
    >>> objects[pair].symbol, objects[pair].decimals
    ('BTC-USDT', 8)
    >>> objects.feed(InstrumentDiscovered(pair, decimals=8, symbol="BTCU-SDT"))
    Traceback (most recent call last):
    ...
    protocol.objects.IdCollisionError: Binance spot BTCUSDT: expected BTC-USDT, got 'BTCU-SDT' (...)
    """

    def __init__(self, most: int = MOST) -> None:
        """Keeps at most so many; ProtocolError for one more."""
        self._known: dict[InstrumentId, Known] = {}
        self._most = most
        self._feeding = Lock()

    def feed(self, message: object) -> Known | None:
        """Take what an InstrumentDiscovered or PoolDiscovered says, and give what is known then;
        anything else is ignored: None.

        The same thing again updates: newer facts win, others stay. On chains address, chain_id,
        version, token0, token1 and fee_ppm must be the same where the metadata of both have them;
        everywhere else, and where one of them has no address, the symbol must be. IdCollisionError
        when it is another thing, FieldError for metadata that break the convention; nothing changes
        then.
        """
        if not isinstance(message, InstrumentDiscovered | PoolDiscovered):
            return None
        return self._keep(_known(message))

    def put(self, key: InstrumentId, name: str, value: object, decimals: int = 0) -> Custom:
        """Keep an object of the program's own, not None, under an id and a name; the same name
        again replaces it. IdCollisionError when the id has another."""
        found = Custom(key, name, decimals, value=value)
        self._keep(found)
        return found

    def of(self, kind: type[K]) -> list[K]:
        """Everything of one kind, in the order of discovery: `objects.of(Pool)`."""
        return [one for one in self._known.copy().values() if isinstance(one, kind)]

    def __getitem__(self, key: InstrumentId) -> Known:
        return self._known[key]

    def __iter__(self) -> Iterator[InstrumentId]:
        return iter(self._known.copy())

    def __len__(self) -> int:
        return len(self._known)

    def _keep(self, found: Known) -> Known:
        # Between comparing with what is there and replacing it nobody else may replace it.
        with self._feeding:
            there = self._known.get(found.id)
            if there is None and len(self._known) >= self._most:
                raise ProtocolError("discovered objects", expected=f"at most {self._most}")
            if there is not None:
                found = _merged(there, found)
            self._known[found.id] = found
        return found


def _known(message: InstrumentDiscovered | PoolDiscovered) -> Known:
    asset = message.instrument_id.asset_type
    kind: type[Known] = Instrument if asset in set(AssetType) else Custom
    if isinstance(message, PoolDiscovered) or asset == AssetType.POOL:
        kind = Pool
    elif asset == AssetType.TOKEN:
        kind = Token
    metadata = _metadata(message)
    facts = _facts(metadata, f"{message.label()}.metadata") if issubclass(kind, _OnChain) else {}
    taken = {name: facts[name] for name in kind.__dataclass_fields__ if name in facts}
    return kind(message.instrument_id, message.symbol, message.decimals, metadata, **taken)


def _metadata(message: InstrumentDiscovered | PoolDiscovered) -> Mapping[str, object]:
    if not message.metadata:
        return NOTHING
    what, expected = f"{message.label()}.metadata", "nothing or a JSON object"
    try:
        value = read(message.metadata)
    except ProtocolError as error:
        raise FieldError(what, expected=expected, got=message.metadata, hint=error.hint) from None
    if not isinstance(value, dict):
        raise FieldError(what, expected=expected, got=message.metadata)
    return MappingProxyType(value)


def _facts(metadata: Mapping[str, object], what: str) -> dict[str, Any]:
    """What the convention's keys say; FieldError for one that says something else."""
    facts: dict[str, Any] = {}
    for name, value in metadata.items():
        if name in ADDRESSES:
            if not isinstance(value, str) or not ADDRESS.fullmatch(value):
                raise FieldError(f"{what}.{name}", expected="0x and 40 hex digits", got=value)
            facts[name] = value.lower()
        elif name in TEXTS:
            if not isinstance(value, str):
                raise FieldError(f"{what}.{name}", expected="text", got=value)
            facts[name] = value
        elif name in NUMBERS:
            if type(value) is not int or not 0 <= value <= NUMBERS[name]:
                raise FieldError(f"{what}.{name}", expected=f"0 to {NUMBERS[name]}", got=value)
            facts[name] = value
    return facts


def _merged(there: Known, found: Known) -> Known:
    """The newer facts, and the older ones that the newer do not speak of; IdCollisionError when
    they are of different things."""
    contradiction = there.contradiction(found)
    if contradiction:
        hint = f"two things have this id: {contradiction}"
        raise IdCollisionError(str(found.id), expected=there.name, got=found.name, hint=hint)
    metadata = MappingProxyType({**there.metadata, **found.metadata})
    facts = {
        name: getattr(there, name) if (newer := getattr(found, name)) is None else newer
        for name in type(found).__dataclass_fields__
    }
    return type(found)(**facts | {"metadata": metadata})
