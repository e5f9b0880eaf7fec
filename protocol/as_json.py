"""Messages and extensions as JSON and back, exact both ways (SPEC.md, JSON).

Called by tools that show or take messages as text, and by `protocol.schema`, which writes defaults
the same way. In the spirit of the JSON mapping of proto3: integers of 64 and 128 bits are decimal
strings, bytes are `0x` and lower-case hex, enumerations are their names. Frames and headers have no
JSON form here: what is written is the message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any, TypeVar

from protocol import extensions, message
from protocol.catalogue import type_name
from protocol.errors import FieldError, ProtocolError, SchemaError
from protocol.fields import Field
from protocol.instruments import InstrumentId
from protocol.message import Message
from protocol.structure import Extension, Structure
from protocol.tails import BLOB, LEVELS, TLVS, Tail, parse_json
from protocol.tlv import build, iterate

INTEGER = re.compile(r"0|-?[1-9][0-9]{0,39}")
HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
# JSON numbers beyond 53 bits lose digits in many languages.
WIDEST_NUMBER = 4
# The kinds of fields that are given when building; the others are computed.
GIVEN = {"value", "tail"}

S = TypeVar("S", bound=Structure)


def plain(thing: Message | Extension) -> dict[str, object]:
    """What JSON can say of a message or an extension: dicts, lists, text and small integers.

    `type` (of an extension `tlv`), `name`, `version` (not of an extension) and `fields`, which has
    every field in wire order, counts included. FieldError for what has no class.

    >>> from protocol.control import Snapshot, SnapshotKind
    >>> plain(Snapshot(SnapshotKind.BEGIN, count=2, position=9))["fields"]
    {'kind': 'BEGIN', 'count': 2, 'position': '9'}
    """
    if not isinstance(thing, Message | Extension):
        expected = "a message or an extension of a class known here"
        raise FieldError("JSON", expected=expected, got=thing)
    cls = type(thing)
    shown = {one.name: show(one, getattr(thing, one.name)) for one in _named(cls)}
    head: dict[str, object] = {"tlv": cls.TYPE, "name": cls.__name__}
    if isinstance(thing, Message):
        head = {"type": cls.TYPE, "name": cls.__name__, "version": thing.VERSION}
    return head | {"fields": shown}


def dump(thing: Message | Extension, indent: int | None = None) -> str:
    """`plain` as JSON text: one line, or indented.

    >>> from protocol.control import Heartbeat
    >>> dump(Heartbeat(position=7))[:57]
    '{"type": 100, "name": "Heartbeat", "version": 1, "fields"'
    """
    return json.dumps(plain(thing), indent=indent, ensure_ascii=False)


def load(text: str | bytes) -> Message:
    """The message `dump` wrote: `take` of JSON text.

    >>> from protocol.control import Heartbeat
    >>> load(dump(Heartbeat(position=7))).position
    7
    """
    return take(read(text))


def load_extension(text: str | bytes) -> Extension:
    """The extension `dump` wrote: `take_extension` of JSON text."""
    return take_extension(read(text))


def take(value: object) -> Message:
    """The message of which `value` is the plain form.

    `name` and the counts may be left out, and must be right where they are given; every other
    field must be there, and nothing else. Numbers may also be decimal strings and the other way
    round, enumerations may be numbers. SchemaError for a type and version without a class,
    FieldError naming type and field for a field that is missing, unknown or not allowed.

    >>> take({"type": 100, "version": 1, "fields": {"position": 7, "lag": 0}})
    Traceback (most recent call last):
    ...
    protocol.errors.FieldError: heartbeat.tlvs: expected whole TLVs (missing)
    """
    given = _envelope(value, {"type", "version", "fields"})
    kind, version = (_small(given[name], name) for name in ("type", "version"))
    cls = message.find(kind, version)
    if cls is None:
        got = f"{type_name(kind)} version {version}"
        raise SchemaError("JSON of a message", expected="a type and version known here", got=got)
    return _build(cls, given)


def take_extension(value: object) -> Extension:
    """The extension of which `value` is the plain form; rules and errors as of `take`.

    >>> context = {"trace_id": "0x" + "ab" * 16, "parent_id": "0x" + "cd" * 8, "flags": 1}
    >>> take_extension({"tlv": 5, "fields": context}).flags
    1
    """
    given = _envelope(value, {"tlv", "fields"})
    cls = extensions.known(kind := _small(given["tlv"], "tlv"))
    if cls is None:
        raise SchemaError("JSON of an extension", expected="a type known here", got=kind)
    return _build(cls, given)


def read(text: str | bytes) -> object:
    """The value of JSON text: what `protocol.tails.parse_json` gives, which says what is refused
    with ProtocolError; bytes are UTF-8.

    >>> read('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ...
    protocol.errors.ProtocolError: JSON: expected a document ..., got '{"a": 1, "a": 2}' (a twice)
    """
    if not isinstance(text, str | bytes):
        raise ProtocolError("JSON", expected="text, as str or as bytes of UTF-8", got=text)
    try:
        decoded = text if isinstance(text, str) else text.decode()
    except UnicodeDecodeError as error:
        expected = "a document (RFC 8259), each name once"
        raise ProtocolError("JSON", expected=expected, got=text, hint=str(error)) from None
    return parse_json(decoded)


def show(field: Field, value: Any) -> object:
    """The plain form of one field's value."""
    if field.tail:
        return _show_tail(field, value)
    if isinstance(value, InstrumentId):
        return value._asdict() | {"asset_id": str(value.asset_id)}
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if field.flags:
        return [bit.name for bit in field.flags if int(value) & bit.value]
    names = field.enum or field.declared.names
    if names and int(value) in {int(member) for member in names}:
        return names(int(value)).name
    return str(int(value)) if field.size > WIDEST_NUMBER else int(value)


def understand(field: Field, what: str, value: object) -> Any:
    """The value of one field of which this is the plain form; FieldError, naming `what`, if none.
    Whether an integer is in range is left to who builds the structure."""
    try:
        return _reader(field)(field, value)
    except (TypeError, ValueError) as error:
        raise FieldError(what, expected=field.allowed(), got=value, hint=str(error)) from None


def _show_tail(field: Field, value: Any) -> object:
    if field.tail is TLVS:
        return [{"type": tlv.type, "payload": f"0x{tlv.payload.hex()}"} for tlv in iterate(value)]
    if field.tail is LEVELS:
        return [[str(price), str(size)] for price, size in value]
    return f"0x{value.hex()}" if field.tail is BLOB else value


def _reader(field: Field) -> Callable[[Field, object], Any]:
    tails: dict[Tail, Callable[[Field, object], Any]] = {TLVS: _tlvs, LEVELS: _levels, BLOB: _bytes}
    if field.tail:
        return tails.get(field.tail, _text)
    if field.python is InstrumentId or field.python is bytes:
        return _bytes if field.python is bytes else _instrument
    return _flags if field.flags else _number


def _number(field: Field, value: object) -> int:
    names = field.enum or field.declared.names
    if names and isinstance(value, str) and value in names.__members__:
        return int(names[value])
    return integer(value)


def integer(value: object) -> int:
    """The integer that a number or decimal text is; TypeError for anything else."""
    if isinstance(value, str) and INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("an integer, or one in decimal text")
    return value


def _flags(field: Field, value: object) -> int:
    if not isinstance(value, list):
        return integer(value)
    members = field.flags.__members__ if field.flags else {}
    if not all(isinstance(name, str) and name in members for name in value):
        raise ValueError(f"names of {', '.join(members)}")
    if len(set(value)) != len(value):
        raise ValueError("a name twice")
    return reduce(or_, (int(members[name]) for name in value), 0)


def _instrument(field: Field, value: object) -> InstrumentId:
    if not isinstance(value, dict) or set(value) != set(InstrumentId._fields):
        raise TypeError(f"an object with {', '.join(InstrumentId._fields)}")
    return InstrumentId(**{name: integer(number) for name, number in value.items()})


def _bytes(field: Field, value: object) -> bytes:
    if not isinstance(value, str) or not HEX.fullmatch(value):
        raise TypeError("0x and pairs of hex digits")
    return bytes.fromhex(value[2:])


def _text(field: Field, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value


def _levels(field: Field, value: object) -> tuple[tuple[int, ...], ...]:
    if not isinstance(value, list) or not all(isinstance(level, list) for level in value):
        raise TypeError("a list of levels")
    return tuple(tuple(map(integer, level)) for level in value)


def _tlvs(field: Field, value: object) -> bytes:
    if not isinstance(value, list):
        raise TypeError("a list of TLVs")
    return build(_tlv(field, item) for item in value)


def _tlv(field: Field, item: object) -> tuple[int, bytes]:
    if not isinstance(item, dict) or set(item) != {"type", "payload"}:
        raise TypeError("an object with type and payload")
    return integer(item["type"]), _bytes(field, item["payload"])


def _named(cls: type[Structure]) -> list[Field]:
    return [field for field in cls.FIELDS if field.kind != "pad"]


def _build(cls: type[S], given: dict[str, object]) -> S:
    """The structure with the fields given; counts that are given too must come out the same."""
    label, fields = cls.label(), given["fields"]
    if given.get("name", cls.__name__) != cls.__name__:
        raise SchemaError(f"name of {cls.title()}", expected=cls.__name__, got=given["name"])
    if not isinstance(fields, dict):
        raise FieldError(f"{label}.fields", expected="an object", got=fields)
    named = {one.name: one for one in _named(cls)}
    for name in fields:
        if name not in named:
            raise FieldError(
                f"{label}.{name}", expected=f"one of {', '.join(named)}", hint="unknown"
            )
    values = {}
    for name, one in named.items():
        if name in fields:
            values[name] = understand(one, f"{label}.{name}", fields[name])
        elif one.kind in GIVEN:
            raise FieldError(f"{label}.{name}", expected=one.allowed(), hint="missing")
    made = cls(**{name: value for name, value in values.items() if named[name].kind in GIVEN})
    for name, value in values.items():
        if named[name].kind not in GIVEN and value != getattr(made, name):
            raise FieldError(f"{label}.{name}", expected=getattr(made, name), got=value)
    return made


def _envelope(value: object, needed: set[str]) -> dict[str, object]:
    if not isinstance(value, dict):
        raise FieldError("JSON", expected="an object", got=value)
    for name in sorted(needed - set(value)):
        raise FieldError(f"JSON, {name}", expected=f"an object with {', '.join(sorted(needed))}")
    for other in sorted(set(value) - needed - {"name"}, key=str):
        raise FieldError(f"JSON, {other}", expected=f"only {', '.join(sorted(needed))} and name")
    return value


def _small(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 255:
        raise FieldError(f"JSON, {name}", expected="0 to 255", got=value)
    return value
