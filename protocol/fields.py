"""What a message class may declare: wire types, and the facts about one field.

Called by the message classes (to declare) and by `protocol.structure` and what writes tables, C
and Rust (to derive everything else). How values get into bytes and out again is
`protocol._core.record`. Example:

    price: U64 = field("what one unit costs", unit="1e-8 of the quote currency")
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from enum import IntEnum, IntFlag
from typing import Annotated, Any, Literal, NamedTuple, get_args

from protocol.instruments import InstrumentId
from protocol.tails import BLOB, JSON, LEVELS, TEXT, TLVS, Level, Tail


class Wire(NamedTuple):
    """How a value lies in the payload: its name in SPEC.md, its bytes, whether it has a sign."""

    name: str
    size: int
    signed: bool = False

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the most an integer of this type can be."""
        bits = 8 * self.size
        return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if self.signed else (0, 2**bits - 1)


U8_WIRE, U16_WIRE, U32_WIRE = Wire("u8", 1), Wire("u16", 2), Wire("u32", 4)
INSTRUMENT_WIRE = Wire("InstrumentId", 12)

U8 = Annotated[int, U8_WIRE]
U16 = Annotated[int, U16_WIRE]
U32 = Annotated[int, U32_WIRE]
U64 = Annotated[int, Wire("u64", 8)]
U128 = Annotated[int, Wire("u128", 16)]
I32 = Annotated[int, Wire("i32", 4, signed=True)]
I64 = Annotated[int, Wire("i64", 8, signed=True)]
I128 = Annotated[int, Wire("i128", 16, signed=True)]
Instrument = Annotated[InstrumentId, INSTRUMENT_WIRE]
Bytes8 = Annotated[bytes, Wire("8 bytes", 8)]
Bytes16 = Annotated[bytes, Wire("16 bytes", 16)]
Bytes20 = Annotated[bytes, Wire("20 bytes", 20)]
Bytes32 = Annotated[bytes, Wire("32 bytes", 32)]
Text = Annotated[str, TEXT]
JsonText = Annotated[str, JSON]
Tlvs = Annotated[bytes, TLVS]
Blob = Annotated[bytes, BLOB]
Levels = Annotated[tuple[Level, ...], LEVELS]

NO_DEFAULT = object()


TAKEN = {"header"}


class Declared(NamedTuple):
    """What `field`, `pad`, `count` and `start` leave in the class body until the class is made."""

    kind: str
    meaning: str
    unit: str = ""
    fix: str = ""
    default: object = NO_DEFAULT
    within: tuple[tuple[int, int], ...] = ()
    names: type[IntEnum] | None = None
    size: int = 0
    of: str = ""


def field(
    meaning: str,
    *,
    unit: str = "",
    fix: str = "",
    default: Any = NO_DEFAULT,
    within: tuple[tuple[int, int], ...] = (),
    names: type[IntEnum] | None = None,
) -> Any:
    """Declare a field. `fix` is the FIX field it corresponds to, `within` the inclusive ranges an
    integer may be in, `names` an open enumeration: names for some values, others are data. (A
    closed enumeration is the annotation: `side: Annotated[Side, U8_WIRE]`.)"""
    return Declared("value", meaning, unit, fix, default, within, names)


def pad(size: int) -> Any:
    """Declare `size` bytes that are zero. Without an annotation: no attribute comes of it."""
    return Declared("pad", "zero", size=size)


def count(meaning: str, *, of: str = "", init: Literal[False] = False) -> Any:
    """Declare how long the tail named `of` is, in bytes or in levels; without `of`, the only tail.
    Computed, so not given when building."""
    return Declared("count", meaning, of=of)


def start(meaning: str, *, of: str, init: Literal[False] = False) -> Any:
    """Declare where the tail named `of` begins, in bytes from the start of the frame; computed."""
    return Declared("start", meaning, unit="bytes", of=of)


class Field(NamedTuple):
    """One field of a class: `kind` is value, pad, count, start or tail, `offset` is in the payload
    (of a tail: the least it can be). Exactly one of `wire` and `tail` is set."""

    name: str
    kind: str
    offset: int
    wire: Wire | None
    tail: Tail | None
    python: type
    declared: Declared

    @property
    def size(self) -> int:
        """Bytes on the wire; of a tail the least it can have."""
        if self.wire is not None:
            return self.wire.size
        return self.tail.least if self.tail else 0

    @property
    def type_name(self) -> str:
        """The type's name in SPEC.md."""
        part = self.wire or self.tail
        return part.name if part else ""

    @property
    def enum(self) -> type[IntEnum] | None:
        """The enumeration whose members are the only values allowed."""
        return self.python if issubclass(self.python, IntEnum) else None

    @property
    def flags(self) -> type[IntFlag] | None:
        """The flags whose bits are the only ones allowed."""
        return self.python if issubclass(self.python, IntFlag) else None

    @property
    def mask(self) -> int:
        """The bits that are allowed where the type is flags."""
        return sum(bit.value for bit in self.flags or ())

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The inclusive ranges an integer may be in where its wire type allows more; else empty."""
        return runs(map(int, self.enum)) if self.enum else self.declared.within

    def allowed(self) -> str:
        """What a value may be, in words."""
        if self.tail:
            return self.tail.allowed
        if self.enum:
            return " or ".join(f"{member.value} {member.name}" for member in self.enum)
        if self.flags:
            return "only bits of " + ", ".join(f"{bit.value} {bit.name}" for bit in self.flags)
        if self.kind == "pad" or not issubclass(self.python, int):
            return "zeros" if self.kind == "pad" else f"{self._article()}{self.type_name}"
        ranges = self.declared.within or (self._limits(),)
        return " or ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in ranges)

    def accepts(self, value: object) -> bool:
        """Whether a value may stand here: the slow definition, for saying which field is wrong."""
        if self.tail:
            return self.tail.accepts(value)
        if self.python is bytes:
            return isinstance(value, bytes) and len(value) == self.size
        if self.python is InstrumentId:
            return type(value) is InstrumentId and value == _whole(value)
        try:
            return self._accepts_integer(operator.index(value))  # type: ignore[arg-type]
        except TypeError:
            return False

    def _accepts_integer(self, value: int) -> bool:
        if self.flags:
            return value >= 0 and not value & ~self.mask
        return any(a <= value <= b for a, b in self.ranges or (self._limits(),))

    def _limits(self) -> tuple[int, int]:
        return self.wire.limits if self.wire else (0, 0)

    def _article(self) -> str:
        return "an " if self.python is InstrumentId else ""


def _whole(value: InstrumentId) -> InstrumentId | None:
    """The same through the constructor, which looks at every part; None where it refuses."""
    try:
        return InstrumentId(value[0], value[1], value[3], value[2])
    except (IndexError, ValueError):
        return None


def runs(numbers: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """The inclusive ranges that these numbers make up, ascending.

    >>> runs([5, 1, 2])
    ((1, 2), (5, 5))
    """
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return tuple(found)


def lay_out(declared: dict[str, Declared], hints: dict[str, Any]) -> tuple[Field, ...]:
    """The fields of a class, in order, with their offsets. TypeError for a bad declaration."""
    fields: list[Field] = []
    offset = 0
    for name, facts in declared.items():
        wire, tail, python = _types(name, facts, hints)
        if fields and fields[-1].tail and not tail:
            raise TypeError(f"{name}: nothing but tails can follow the tail {fields[-1].name}")
        kind = "tail" if tail else facts.kind
        fields.append(Field(name, kind, offset, wire, tail, python, facts))
        offset += fields[-1].size
    fields = [_named(one, fields) for one in fields]
    _check_tails([one for one in fields if one.tail], fields)
    return tuple(fields)


def counter(fields: Iterable[Field], tail: Field) -> Field | None:
    """The field that counts a tail; None for one that takes the rest of the payload."""
    return next((f for f in fields if f.kind == "count" and f.declared.of == tail.name), None)


def _named(one: Field, fields: list[Field]) -> Field:
    """A count with the name of its tail and its unit; other fields as they are."""
    of = one.declared.of or fields[-1].name
    tail = next((f.tail for f in fields if f.tail and f.name == of), None)
    if one.kind != "count" or tail is None:
        return one
    unit = "bytes" if tail.unit == 1 else tail.name
    return one._replace(declared=one.declared._replace(of=of, unit=unit))


def starter(fields: Iterable[Field], tail: Field) -> Field | None:
    """The field that says where a tail begins, None for most."""
    return next((f for f in fields if f.kind == "start" and f.declared.of == tail.name), None)


def _check_tails(tails: list[Field], fields: list[Field]) -> None:
    names = {tail.name for tail in tails}
    for one in fields:
        of = one.declared.of
        if of not in names and (of or (one.kind == "count" and len(tails) != 1)):
            raise TypeError(f"{one.name}: there is no tail {of or 'of its own'} to count")
        if one.wire and one.size > 8 and (one.ranges or one.flags):
            raise TypeError(f"{one.name}: ranges are for integers of up to 64 bits")
        if one.kind in ("count", "start") and (one.size > 4 or not one.wire or one.wire.signed):
            raise TypeError(f"{one.name}: a {one.kind} is a u8, u16 or u32")
        if one.name in TAKEN:
            raise TypeError(f"{one.name} is what arrays of frames call the header")
    for tail in tails[:-1]:
        if counter(fields, tail) is None:
            raise TypeError(f"{tail.name}: only the last tail can do without a count")


def _types(
    name: str, facts: Declared, hints: dict[str, Any]
) -> tuple[Wire | None, Tail | None, type]:
    if facts.kind == "pad":
        return Wire(f"{facts.size} bytes", facts.size), None, bytes
    for mark in get_args(hints.get(name)):
        if isinstance(mark, Wire):
            return mark, None, get_args(hints[name])[0]
        if isinstance(mark, Tail):
            return None, mark, get_args(hints[name])[0]
    raise TypeError(f"{name}: the annotation is not a wire type of protocol.fields")
