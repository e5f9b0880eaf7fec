"""What a message class may declare: wire types, and the facts about one field.

Called by the message classes (to declare) and by `protocol.codec`, `protocol.message` and
`protocol.spec` (to derive everything else). A new wire type is added here and works everywhere; how
values get into bytes and out again is `protocol.codec`. Example:

    price: U64 = field("what one unit costs", unit="1e-8 of the quote currency")
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Annotated, Any, Literal, NamedTuple, get_args

from protocol.instruments import InstrumentId
from protocol.tails import JSON, TEXT, TLVS, Tail


class Wire(NamedTuple):
    """How a value lies in the payload: its name in SPEC.md, its struct code, its bytes."""

    name: str
    code: str
    size: int

    @property
    def signed(self) -> bool:
        return self.code == "q"

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the most an integer of this type can be."""
        bits = 8 * self.size
        return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if self.signed else (0, 2**bits - 1)


U8_WIRE, U16_WIRE = Wire("u8", "B", 1), Wire("u16", "H", 2)
INSTRUMENT_WIRE = Wire("InstrumentId", "HBBQ", 12)

U8 = Annotated[int, U8_WIRE]
U16 = Annotated[int, U16_WIRE]
U32 = Annotated[int, Wire("u32", "I", 4)]
U64 = Annotated[int, Wire("u64", "Q", 8)]
I64 = Annotated[int, Wire("i64", "q", 8)]
Instrument = Annotated[InstrumentId, INSTRUMENT_WIRE]
Bytes16 = Annotated[bytes, Wire("16 bytes", "16s", 16)]
Bytes32 = Annotated[bytes, Wire("32 bytes", "32s", 32)]
Text = Annotated[str, TEXT]
JsonText = Annotated[str, JSON]
Tlvs = Annotated[bytes, TLVS]

NO_DEFAULT = object()


class Declared(NamedTuple):
    """What `field`, `pad` and `count` leave in the class body until the class is made."""

    kind: str
    meaning: str
    unit: str
    fix: str
    default: object
    within: tuple[tuple[int, int], ...]
    names: type[IntEnum] | None
    size: int


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
    return Declared("value", meaning, unit, fix, default, within, names, 0)


def pad(size: int) -> Any:
    """Declare `size` bytes that are zero. Without an annotation: no attribute comes of it."""
    return Declared("pad", "zero", "", "", NO_DEFAULT, (), None, size)


def count(meaning: str, *, init: Literal[False] = False) -> Any:
    """Declare the length in bytes of the message's tail; computed, so not given when building."""
    return Declared("count", meaning, "bytes", "", NO_DEFAULT, (), None, 0)


class Field(NamedTuple):
    """One field of a message class: `kind` is value, pad, count or tail, `offset` is in the
    payload. Exactly one of `wire` and `tail` is set."""

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
            return isinstance(value, InstrumentId)
        return isinstance(value, int) and self._accepts_integer(value)

    def _accepts_integer(self, value: int) -> bool:
        if self.enum:
            return value in set(map(int, self.enum))
        if self.flags:
            return value >= 0 and not value & ~self.mask
        ranges = self.declared.within or (self._limits(),)
        return any(a <= value <= b for a, b in ranges)

    @property
    def mask(self) -> int:
        """The bits that are allowed where the type is flags."""
        return sum(bit.value for bit in self.flags or ())

    def _limits(self) -> tuple[int, int]:
        return self.wire.limits if self.wire else (0, 0)

    def _article(self) -> str:
        return "an " if self.python is InstrumentId else ""


def lay_out(declared: dict[str, Declared], hints: dict[str, Any]) -> tuple[Field, ...]:
    """The fields of a class, in order, with their offsets. TypeError for a bad declaration."""
    fields: list[Field] = []
    offset = 0
    for name, facts in declared.items():
        if fields and fields[-1].tail:
            raise TypeError(f"{name}: nothing can follow the tail {fields[-1].name}")
        wire, tail, python = _types(name, facts, hints)
        kind = "tail" if tail else facts.kind
        fields.append(Field(name, kind, offset, wire, tail, python, facts))
        offset += fields[-1].size
    return tuple(fields)


def _types(
    name: str, facts: Declared, hints: dict[str, Any]
) -> tuple[Wire | None, Tail | None, type]:
    if facts.kind == "pad":
        return Wire(f"{facts.size} bytes", f"{facts.size}x", facts.size), None, bytes
    for mark in get_args(hints.get(name)):
        if isinstance(mark, Wire):
            return mark, None, get_args(hints[name])[0]
        if isinstance(mark, Tail):
            return None, mark, get_args(hints[name])[0]
    raise TypeError(f"{name}: the annotation is not a wire type of protocol.fields")
