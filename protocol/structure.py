"""The base of whatever declares its fields once: what such a class gets for it.

Called by `protocol.message` and `protocol.extensions`, whose classes are the catalogue. A structure
is its payload: an immutable value over bytes, whose fields are read when they are asked for, by
`protocol._core.record`. Here is what needs no speed: laying out a class, and saying in words what
is wrong. Headers, frames and registries belong to messages. (SPEC.md, Message types)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self, dataclass_transform, get_type_hints

from protocol._core.record import FORMS, REQUIRED, Getter, Layout, Record, call_quickly
from protocol.errors import FieldError, ProtocolError, SchemaError
from protocol.fields import (
    NO_DEFAULT,
    Declared,
    Field,
    count,
    counter,
    field,
    lay_out,
    start,
    starter,
)
from protocol.header import HEADER_SIZE
from protocol.instruments import InstrumentId
from protocol.tlv import Tlv

# Combinations of flags that are kept made, of each field.
MOST_KEPT = 256


class StructureType(type):
    """The type of structure classes: their objects have no dict, only their bytes."""

    @classmethod
    def __prepare__(cls, name: str, bases: tuple[type, ...], /, **_: Any) -> dict[str, object]:
        return {"__slots__": ()}


class _Signature:
    """The signature of a class's calls, made when somebody asks for it."""

    def __get__(self, instance: object, owner: type[Structure]) -> object:
        from inspect import Parameter, Signature

        given = [one for one in owner.__dict__.get("FIELDS", ()) if one.kind in ("value", "tail")]
        facts = [(one.name, one.declared.default, one.python) for one in given]
        return Signature(
            [
                Parameter(
                    name,
                    Parameter.POSITIONAL_OR_KEYWORD,
                    default=Parameter.empty if default is NO_DEFAULT else default,
                    annotation=python,
                )
                for name, default, python in facts
            ]
        )


@dataclass_transform(frozen_default=True, field_specifiers=(field, count, start))
class Structure(Record, metaclass=StructureType):
    """An immutable value over bytes, with fields as its class declares them.

    The class has FIELDS, PAYLOAD_SIZE (bytes; the least where EXACT is False). Building one raises
    FieldError, which names type, field, value and what is allowed.
    """

    PAYLOAD_SIZE: ClassVar[int]
    EXACT: ClassVar[bool]
    FIELDS: ClassVar[tuple[Field, ...]]
    _layout: ClassVar[Layout]

    # For `help` and `inspect`: calls are answered in compiled code, which has no signature.
    __signature__ = _Signature()

    @classmethod
    def declare(cls, message_type: int, version: int) -> None:
        """Take the declared fields of this class; called once, when it is made.

        TypeError for a declaration that makes no sense.
        """
        if "FIELDS" in {name for base in cls.__mro__[1:] for name in vars(base)}:
            raise TypeError(f"{cls.__name__}: its base has fields already; declare it anew")
        declared = {name: v for name, v in vars(cls).items() if isinstance(v, Declared)}
        hints: dict[str, Any] = vars(cls).get("__annotations__") or cls.__annotations__
        if any(isinstance(hint, str) for hint in hints.values()):
            hints = get_type_hints(cls, include_extras=True)
        cls.FIELDS = lay_out(declared, hints)
        cls.PAYLOAD_SIZE = sum(one.size for one in cls.FIELDS)
        cls.EXACT = not any(one.tail for one in cls.FIELDS)
        cls._layout = _layout(cls, message_type, version)
        for name in declared:
            delattr(cls, name)
        for number, one in enumerate(cls.FIELDS):
            if one.kind != "pad":
                setattr(cls, one.name, _getter(cls, one, number))
        plain = cls.__init__ is Record.__init__ and cls.__new__ is Record.__new__
        if plain and type(cls).__call__ is type.__call__:
            call_quickly(cls)

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """The value whose payload this is. SchemaError for its size, FieldError for a value."""
        made: Self = cls._layout.from_payload(payload)
        return made

    def check(self) -> None:
        """What a class demands beyond single fields: overridden to raise ProtocolError."""

    def detach(self) -> Self:
        """The same value in bytes of its own, checked like a decoded one: what to keep of a view,
        whose buffer may change. What is not a view is its own."""
        return type(self).from_payload(self.payload) if self.borrowed else self

    def values(self) -> dict[str, Any]:
        """Every field by its name, in wire order, without pads."""
        return {one.name: getattr(self, one.name) for one in self.FIELDS if one.kind != "pad"}

    def replace(self, **changes: Any) -> Self:
        """The same with some fields changed; errors as when building one."""
        given = (one.name for one in self.FIELDS if one.kind in ("value", "tail"))
        return type(self)(**{name: getattr(self, name) for name in given} | changes)

    @classmethod
    def title(cls) -> str:
        """What errors call the class."""
        return cls.label()

    @classmethod
    def label(cls) -> str:
        """What errors put before a field's name."""
        return cls.__name__

    def __repr__(self) -> str:
        named = ((one, getattr(self, one.name)) for one in self.FIELDS if one.kind != "pad")
        shown = (f"{one.name}={_show(value, one)}" for one, value in named)
        return f"{type(self).__name__}({', '.join(shown)})"

    def __reduce__(self) -> tuple[object, ...]:
        return type(self).from_payload, (self.payload,)

    def _check_tails(self) -> None:
        for part, one in enumerate(one for one in self.FIELDS if one.tail):
            if one.tail and not one.tail.any_bytes:
                _read_tail(self, one, part)

    @classmethod
    def _refuse_arguments(cls, given: dict[str, object]) -> ProtocolError:
        """The error for the first argument that its field does not accept."""
        for one in cls.FIELDS:
            if one.name in given and not one.accepts(given[one.name]):
                return cls._refusal(one, given[one.name])
        # Each is fine by itself: a tail is longer than the field that counts it can say.
        for one in cls.FIELDS:
            counting = counter(cls.FIELDS, one) if one.tail else None
            if one.tail and counting and counting.wire:
                most = counting.wire.limits[1]
                if len(one.tail.encode(given[one.name])) // one.tail.unit > most:
                    unit = "bytes" if one.tail.unit == 1 else one.tail.name
                    return FieldError(
                        f"{cls.label()}.{one.name}", expected=f"at most {most} {unit}"
                    )
        starts = next((one.name for one in cls.FIELDS if one.kind == "start"), "fields")
        return FieldError(f"{cls.label()}.{starts}", expected="a tail that begins where it can say")

    @classmethod
    def _refuse_payload(cls, payload: bytes) -> ProtocolError:
        """The error for the size, or the first fixed field of a payload that is not allowed."""
        size = len(payload)
        if size < cls.PAYLOAD_SIZE or (cls.EXACT and size != cls.PAYLOAD_SIZE):
            expected = f"{'' if cls.EXACT else 'at least '}{cls.PAYLOAD_SIZE} payload bytes"
            return SchemaError(cls.title(), expected=expected, got=size)
        for one in cls.FIELDS:
            raw = payload[one.offset : one.offset + one.size]
            number = int.from_bytes(raw, "little", signed=bool(one.wire and one.wire.signed))
            if one.kind == "pad" and number:
                return cls._refusal(one, raw)
            if one.kind == "value" and issubclass(one.python, int) and not one.accepts(number):
                return cls._refusal(one, number)
        return cls._refuse_tails(payload)

    @classmethod
    def _refuse_tails(cls, payload: bytes) -> ProtocolError:
        """The error for the first count or start that does not agree with the payload's size."""
        at = sum(one.size for one in cls.FIELDS if one.wire)
        for tail in (one for one in cls.FIELDS if one.tail):
            unit = tail.tail.unit if tail.tail else 1
            begins = next(
                (f for f in cls.FIELDS if f.kind == "start" and f.declared.of == tail.name), None
            )
            if begins and _number(payload, begins) != HEADER_SIZE + at:
                return cls._refusal(begins, _number(payload, begins), f"{HEADER_SIZE + at}")
            counting = counter(cls.FIELDS, tail)
            left = len(payload) - at
            length = _number(payload, counting) * unit if counting else left
            last = tail is cls.FIELDS[-1]
            if counting and (length > left or (last and length != left)):
                most = f"{left / unit:g}, what is left of the payload"
                expected = most if last else f"at most {most}"
                return cls._refusal(counting, _number(payload, counting), expected)
            at += length
        return FieldError(cls.title(), expected="allowed values", got=payload)

    @classmethod
    def _refusal(cls, one: Field, got: object, expected: str = "") -> FieldError:
        expected = expected or one.allowed()
        if one.kind == "value" and issubclass(one.python, int) and not hasattr(got, "__index__"):
            unit = f" in units of {one.declared.unit}" if one.declared.unit else ""
            expected = f"an integer{unit}, {expected}"
        return FieldError(f"{cls.label()}.{one.name}", expected=expected, got=got)


@dataclass_transform(frozen_default=True, field_specifiers=(field, count, start))
class Extension(Structure):
    """The payload of one TLV; derive with `class PoolAddresses(Extension, type=1)`.

    What number means what is a matter of the message whose TLV it is (SPEC.md, TLV extensions).
    """

    TYPE: ClassVar[int]

    def __init_subclass__(cls, *, type: int) -> None:
        super().__init_subclass__()
        cls.TYPE = type
        cls.declare(-1, 0)

    def tlv(self) -> Tlv:
        """This as a TLV, for `protocol.tlv.build` and `append`."""
        return Tlv(self.TYPE, self.payload)


def _layout(cls: type[Structure], message_type: int, version: int) -> Layout:
    """The class's declaration as the compiled part takes it."""
    fixed = [one for one in cls.FIELDS if one.wire]
    tails = [one.tail for one in cls.FIELDS if one.tail]
    given = [one for one in cls.FIELDS if one.kind in ("value", "tail")]
    arguments = [(one.name, _default(one), fixed.index(one) if one.wire else -1) for one in given]
    return Layout(
        cls,
        message_type,
        version,
        [(_form(one), one.offset, one.size, one.mask, one.ranges) for one in fixed],
        [_part(one, fixed) for one in cls.FIELDS if one.tail],
        arguments,
        [tail.encode for tail in tails],
        not all(tail.any_bytes for tail in tails),
        cls.check is not Structure.check,
    )


def _default(one: Field) -> object:
    return REQUIRED if one.declared.default is NO_DEFAULT else one.declared.default


def _form(one: Field) -> int:
    if one.kind == "pad":
        return FORMS["zero"]
    if not issubclass(one.python, int):
        return FORMS["bytes" if one.python is bytes else "instrument"]
    return FORMS["signed" if one.wire and one.wire.signed else "unsigned"]


def _part(tail: Field, fixed: list[Field]) -> tuple[int, int, int, int]:
    counts = counter(fixed, tail)
    starts = starter(fixed, tail)
    unit, least = (tail.tail.unit, tail.tail.least) if tail.tail else (1, 0)
    return (
        fixed.index(counts) if counts else -1,
        fixed.index(starts) if starts else -1,
        unit,
        least,
    )


def _getter(cls: type[Structure], one: Field, number: int) -> Any:
    """What stands in the class under the name of its field of this number."""
    if one.tail:
        part = sum(other.tail is not None for other in cls.FIELDS[:number])
        return property(lambda self: _read_tail(self, one, part), doc=one.declared.meaning)
    members = one.enum or one.declared.names or ()
    names: dict[int, Any] | None = {int(member): member for member in members} or None
    otherwise: Callable[[int], object] | None = None
    if one.flags:
        names = {}
        otherwise = _flags_reader(cls, one, names)
    elif one.ranges:
        otherwise = _raiser(cls, one)
    # Tails come last, so the number among the fields is the number of the slot.
    return Getter(cls._layout, number, names, otherwise, one.declared.meaning)


def _raiser(cls: type[Structure], one: Field) -> Callable[[int], object]:
    def refuse(number: int) -> object:
        raise cls._refusal(one, number)

    return refuse


def _flags_reader(
    cls: type[Structure], one: Field, seen: dict[int, Any]
) -> Callable[[int], object]:
    """Makes flags of a number, and keeps them: making them costs more than everything else."""

    def read(number: int) -> object:
        if one.flags is None or not one.accepts(number):
            raise cls._refusal(one, number)
        made = one.flags(number)
        if len(seen) < MOST_KEPT:
            seen[number] = made
        return made

    return read


def _read_tail(self: Structure, one: Field, part: int) -> object:
    data, start = self.tail(part)
    try:
        return one.tail.decode(data, HEADER_SIZE + start) if one.tail else None
    except ValueError as error:
        what = f"{self.label()}.{one.name}"
        raise FieldError(what, expected=one.allowed(), hint=str(error)) from None


def _number(payload: bytes, one: Field) -> int:
    return int.from_bytes(payload[one.offset : one.offset + one.size], "little")


def _show(value: object, one: Field) -> str:
    if isinstance(value, InstrumentId):
        return f"<{value}>"
    if isinstance(value, int):
        return getattr(value, "name", None) or str(int(value))
    # Addresses and hashes are read as digits; what may be text is shown as that.
    return value.hex() if isinstance(value, bytes) and one.wire else repr(value)
