"""The values in the valid vectors: fixed, made from declarations, special where that is better.

Called by `tests.vectors.make`. A value depends on its field and case alone, so that a vector
changes only when its message does. Nothing may be random or depend on the order of classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from protocol import extensions
from protocol.control import hello_tlvs
from protocol.fields import Field
from protocol.instruments import InstrumentId, VenueId
from protocol.message import Message
from protocol.structure import Extension
from protocol.tails import BLOB, JSON, LEVELS, TEXT, TLVS, Level
from protocol.tlv import build

USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
WETH = "0xC02aaA39b223FE8D0A0e5C4F2AfB308D791BE225"
POOL = "0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640"
IDS = (
    InstrumentId.spot(VenueId.BINANCE, "BTCUSDT"),
    InstrumentId.pool_from_address(VenueId.UNISWAP_V3, POOL),
    InstrumentId.ethereum_token(USDC),
    InstrumentId.ethereum_token(WETH),
    InstrumentId.stock(VenueId.NASDAQ, "AAPL"),
)
BEGIN = 1_763_712_345_678_901_234
POOL_JSON = (
    '{"chain_id":1,"address":"' + POOL.lower() + '","version":3,"token0":"' + USDC.lower() + '",'
    '"token1":"' + WETH.lower() + '","symbol0":"USDC","symbol1":"WETH","decimals0":6,'
    '"decimals1":18,"fee_ppm":500}'
)


class Stamp(NamedTuple):
    """What goes into a header beside the message."""

    sequence: int
    timestamp: int
    source: int
    flags: int


class Case(NamedTuple):
    """One valid vector: its name, what it is for, and what is in it."""

    name: str
    says: str
    message: Message
    stamp: Stamp


Fill = Callable[[Field, int], Any]


def cases(cls: type[Message]) -> Iterator[Case]:
    """The valid vectors of a class."""
    for name, (says, fill) in FILLS.items():
        given = _values(cls, fill) | SPECIAL.get((cls.__name__, name), {})
        message = cls(**given)
        if name != "minimum" or message != cls(**_special(cls, "zero")):
            yield Case(name, says, message, _stamp(cls, name))
    typical = _special(cls, "typical")
    for (owner, name), changes in SPECIAL.items():
        if owner == cls.__name__ and name not in FILLS:
            yield Case(name, SAYS[name], cls(**typical | changes), _stamp(cls, "typical"))


def _values(cls: type[Message] | type[Extension], fill: Fill) -> dict[str, Any]:
    given = [field for field in cls.FIELDS if field.kind in ("value", "tail")]
    return {field.name: fill(field, position) for position, field in enumerate(given)}


def examples() -> dict[int, Extension]:
    """One of every extension of the catalogue, by TLV type."""
    known = {number: extensions.known(number) for number in range(100)}
    return {number: cls(**_values(cls, typical)) for number, cls in known.items() if cls}


def typical(field: Field, position: int) -> Any:
    """A plausible value, another one for every field of a class."""
    if field.tail:
        return TYPICAL_TAILS[field.tail]
    if field.python is InstrumentId:
        return IDS[position % len(IDS)]
    if field.python is bytes:
        return bytes(7 * position + at + 1 & 0xFF for at in range(field.size))
    if field.flags:
        return field.flags(field.mask)
    names = [int(one) for one in field.enum or field.declared.names or () if one]
    if names:
        return names[position % len(names)]
    if field.ranges:
        low, high = field.ranges[-1]
        return low + (high - low) * 2 // 3
    return _number(field, position)


def _number(field: Field, position: int) -> int:
    if field.declared.unit == "ns":
        return BEGIN + position * 1_000_000
    if field.declared.unit == "1e-8":
        return 61_234_50000000 + position * 1_00000000 if field.size == 8 else 250
    signed = bool(field.wire and field.wire.signed)
    number = {1: 3, 2: 300, 4: 70_000, 8: 5_000_000_000, 16: 5 * 10**21}[field.size] + position
    return -number if signed else number


def offsets(field: Field, position: int) -> Any:
    """Each byte says where in the payload it is, from 1, where the field allows that."""
    if field.tail or field.flags:
        return typical(field, position)
    raw = bytes(field.offset + at + 1 & 0xFF for at in range(field.size))
    if field.python is InstrumentId:
        return InstrumentId.from_bytes(raw)
    if field.python is bytes:
        return raw
    number = int.from_bytes(raw, "little", signed=bool(field.wire and field.wire.signed))
    return number if field.accepts(number) else typical(field, position)


def zero(field: Field, position: int) -> Any:
    """Zero, or the number nearest to it that the field allows; nothing in the tails."""
    if field.tail:
        return EMPTY_TAILS[field.tail]
    if field.python is InstrumentId:
        return InstrumentId(0, 0, 0)
    if field.python is bytes:
        return bytes(field.size)
    return 0 if field.accepts(0) else min(low for low, _ in field.ranges)


def minimum(field: Field, position: int) -> Any:
    """The least number that the field allows."""
    if not issubclass(field.python, int) or field.tail or field.flags or not field.wire:
        return zero(field, position)
    return min(low for low, _ in field.ranges or (field.wire.limits,))


def maximum(field: Field, position: int) -> Any:
    """The largest number that the field allows, ones everywhere else; long tails."""
    if field.tail:
        return LONG_TAILS[field.tail]
    if field.python is InstrumentId:
        return InstrumentId(0xFFFF, 0xFF, 2**64 - 1, 0xFF)
    if field.python is bytes:
        return b"\xff" * field.size
    if field.flags:
        return field.flags(field.mask)
    assert field.wire
    return max(high for _, high in field.ranges or (field.wire.limits,))


FILLS: dict[str, tuple[str, Fill]] = {
    "typical": ("plausible values, another one in every field", typical),
    "offsets": ("each byte is its offset in the payload plus 1, where that is allowed", offsets),
    "zero": ("zeros, or the allowed value nearest to zero; empty tails", zero),
    "minimum": ("the least value each field allows; empty tails", minimum),
    "maximum": ("the largest value each field allows; long tails", maximum),
}
STAMPS = {
    "typical": Stamp(42, BEGIN, 0, 0x10),
    "offsets": Stamp(0x14131211100F0E0D, 0x1C1B1A1918171615, 0x07, 0x08),
    "zero": Stamp(0, 0, 0, 0),
    "minimum": Stamp(1, 1, 1, 0),
    "maximum": Stamp(2**64 - 1, 2**64 - 1, 0xFF, 0xFC),
}
SOURCES = {range(1, 20): 1, range(20, 40): 40, range(40, 60): 80, range(100, 110): 21}

TYPICAL_TAILS: dict[object, object] = {
    TEXT: "BTC/USDT: Größe 5 €",
    JSON: '{"heartbeat_ms": 500, "names": ["ä", "b"], "none": null}',
    TLVS: build([(150, b"a strategy's own")]),
    BLOB: b'{"lot":"0.00001"}',
    LEVELS: (Level(61_234_50000000, 25_000000), Level(61_234_40000000, 1_00000000)),
}
EMPTY_TAILS: dict[object, object] = {TEXT: "", JSON: "0", TLVS: b"", BLOB: b"", LEVELS: ()}
LONG_TAILS: dict[object, object] = {
    # 255 bytes: the most a u8 can count, the last character of three bytes.
    TEXT: "x" * 252 + "€",
    JSON: "[" + ", ".join(f'{{"key {n}": {n}.5e-3}}' for n in range(100)) + "]",
    TLVS: build([(255, bytes(range(255)))] * 4),
    BLOB: bytes(range(256)) * 4,
    LEVELS: tuple(Level((-1) ** n * (2**63 - n - 1), 2**64 - 1 - n) for n in range(50)),
}

SAYS = {
    "snapshot": "a whole book of three levels, in one part",
    "delete": "a delta that deletes one ask",
    "no_tlvs": "nothing after the fixed part",
    "unknown_tlvs": "TLV types without a meaning, one empty, one of 255 bytes: skip them",
    "no_symbol": "no symbol and no metadata",
    "unknown_code": "a Reject code that nobody knows yet: data",
    "unknown_names": "numbers that open enumerations do not name: data",
    "every_tlv": "one of every TLV of the catalogue, by type",
}
UNKNOWN_TLVS = build([(199, b""), (77, bytes(range(255))), (250, b"\0")])
NAMED = hello_tlvs("desk-7", [IDS[0]])
LONG_HELLO = hello_tlvs("x" * 64, [InstrumentId(1, 4, n) for n in range(22)])
SPECIAL: dict[tuple[str, str], dict[str, Any]] = {
    ("OrderBook", "typical"): {"kind": 2, "part": 2, "parts": 3},
    ("OrderBook", "offsets"): {"kind": 1},
    ("OrderBook", "snapshot"): {"kind": 1, "part": 1, "parts": 1, "asks": (Level(7, 1),)},
    ("OrderBook", "delete"): {"bids": (), "asks": (Level(61_235_00000000, 0),)},
    ("InstrumentDiscovered", "typical"): {"symbol": "BTCUSDT"},
    ("InstrumentDiscovered", "no_symbol"): {"symbol": "", "metadata": b""},
    ("PoolDiscovered", "typical"): {
        "instrument_id": IDS[1],
        "symbol": "USDC/WETH 0.05%",
        "metadata": POOL_JSON.encode(),
    },
    ("ArbitrageOpportunity", "unknown_names"): {"venue_a": 99, "venue_b": 0xFFFF},
    ("DeFiSignal", "no_tlvs"): {"tlvs": b""},
    ("DeFiSignal", "every_tlv"): {"tlvs": build(one.tlv() for one in examples().values())},
    ("DeFiSignal", "unknown_tlvs"): {"tlvs": UNKNOWN_TLVS},
    ("Heartbeat", "no_tlvs"): {"tlvs": b""},
    ("Heartbeat", "unknown_tlvs"): {"tlvs": UNKNOWN_TLVS},
    ("Error", "typical"): {"code": 6, "text": "sequence 9 came where 7 was wanted"},
    ("Error", "unknown_code"): {"code": 0xFFFF, "text": ""},
    ("Hello", "typical"): {"tlvs": NAMED},
    ("Hello", "offsets"): {"tlvs": NAMED},
    ("Hello", "maximum"): {"tlvs": LONG_HELLO},
    ("Hello", "no_tlvs"): {"tlvs": b""},
    ("Hello", "unknown_tlvs"): {"tlvs": UNKNOWN_TLVS + NAMED},
}


def _special(cls: type[Message], case: str) -> dict[str, Any]:
    return _values(cls, FILLS[case][1]) | SPECIAL.get((cls.__name__, case), {})


def _stamp(cls: type[Message], case: str) -> Stamp:
    stamp = STAMPS[case]
    source = next(one for types, one in SOURCES.items() if cls.TYPE in types)
    stamp = stamp._replace(source=source) if case == "typical" else stamp
    # Control frames are outside the producer's count.
    return stamp._replace(sequence=0) if cls.TYPE >= 100 else stamp
