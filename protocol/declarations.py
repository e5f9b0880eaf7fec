"""Declarations of messages as plain data: taken apart, bounded and checked; and written
(SPEC.md, Schemas).

Called by `protocol.schema` only, which makes classes of them and knows what is registered. A
declaration may come from anywhere, so nothing in it is evaluated, everything has a most, and
whatever is wrong with it is a SchemaError that says where.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from enum import IntEnum, IntFlag
from typing import Annotated, Any, NamedTuple

from protocol.as_json import integer, show, understand
from protocol.catalogue import CONTROL
from protocol.errors import ProtocolError, SchemaError
from protocol.fields import (
    I32,
    I64,
    I128,
    NO_DEFAULT,
    TAKEN,
    U8,
    U16,
    U32,
    U64,
    U128,
    Blob,
    Declared,
    Field,
    Instrument,
    JsonText,
    Levels,
    Text,
    Tlvs,
    Wire,
    counter,
    lay_out,
)
from protocol.header import HEADER_SIZE
from protocol.message import Message

MOST_FIELDS = 64
MOST_BYTES = 65_536
MOST_MEMBERS = 256
MOST_RANGES = 16
MOST_WORDS = 1_000
FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
MEMBER_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")
BYTES_NAME = re.compile(r"bytes([1-9][0-9]{0,4})")
INTEGERS: dict[str, Any] = {"u8": U8, "u16": U16, "u32": U32, "u64": U64, "u128": U128}
INTEGERS |= {"i32": I32, "i64": I64, "i128": I128}
# What can count or start a tail, and the widest type that can have rules: as in compiled code.
COUNTING = ("u8", "u16", "u32")
MOST_RULED = 8
TAILS: dict[str, Any] = {"text": Text, "json": JsonText, "tlvs": Tlvs, "bytes": Blob}
TAILS |= {"levels": Levels}
NAMED = INTEGERS | TAILS | {"instrument": Instrument}
WORDS = {"meaning", "unit", "fix"}
VALUE = {"name", "type", "default"} | WORDS
RULED = VALUE | {"within", "enum", "flags", "names"}
MEMBERS: dict[str, Any] = {"enum": IntEnum, "flags": IntFlag, "names": IntEnum}
RESERVED = {"self", "cls"} | TAKEN


class Draft(NamedTuple):
    """A declaration that was understood: what a class is made of. `hints` are the annotations."""

    name: str
    type: int
    version: int
    doc: str
    declared: dict[str, Declared]
    hints: dict[str, Any]
    fields: tuple[Field, ...]


class Where(NamedTuple):
    """The place in a declaration, for errors."""

    path: str

    def __truediv__(self, name: object) -> Where:
        return Where(f"{self.path}.{name}")

    def wrong(self, expected: str, got: object) -> SchemaError:
        return SchemaError(self.path, expected=expected, got=got)

    def table(self, value: object, allowed: set[str], needed: set[str]) -> dict[str, Any]:
        """An object with the names needed and none but those allowed."""
        if not isinstance(value, dict) or not set(value) <= allowed or needed - set(value):
            names = ", ".join(sorted(needed)) or "nothing"
            others = ", ".join(sorted(allowed - needed)) or "nothing else"
            raise SchemaError(
                self.path,
                expected=f"an object with {names}; and perhaps {others}",
                got=value,
                hint=_differences(value, allowed, needed),
            )
        return value

    def list(self, value: object, most: int) -> list[Any]:
        if not isinstance(value, list) or not 0 < len(value) <= most:
            raise self.wrong(f"a list of 1 to {most}", value)
        return value

    def number(self, value: object, low: int, high: int) -> int:
        try:
            number = integer(value)
        except TypeError:
            number = low - 1
        if not low <= number <= high:
            raise self.wrong(f"an integer, {low} to {high}", value)
        return number

    def name(self, value: object, pattern: re.Pattern[str]) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise self.wrong(f"a name: {pattern.pattern}", value)
        return value

    def words(self, table: dict[str, Any], name: str) -> str:
        value = table.get(name, "")
        if not isinstance(value, str) or len(value) > MOST_WORDS:
            raise (self / name).wrong(f"text of at most {MOST_WORDS} characters", value)
        return value


def parse(value: object) -> Draft:
    """A declaration understood. SchemaError, naming the place, for whatever is wrong with it."""
    where = Where("declaration")
    head = {"name", "type", "version", "fields"}
    table = where.table(value, head | {"doc"}, head)
    name = (where / "name").name(table["name"], CLASS_NAME)
    kind = (where / "type").number(table["type"], 1, 255)
    if kind in CONTROL:
        raise (where / "type").wrong("a type that is not of the control range 100 to 109", kind)
    version = (where / "version").number(table["version"], 1, 255)
    where = Where(name)
    declared: dict[str, Declared] = {}
    hints: dict[str, Any] = {}
    for at, item in enumerate((where / "fields").list(table["fields"], MOST_FIELDS)):
        here = where / (item["name"] if isinstance(item, dict) and "name" in item else at)
        field, hint, facts = _field(here, item, at)
        if field in declared:
            raise here.wrong("a name of its own", field)
        declared[field], hints[field] = facts, hint
    _defaults(where, declared, hints, table["fields"])
    fields = _lay_out(where, declared, hints)
    return Draft(name, kind, version, where.words(table, "doc"), declared, hints, fields)


def _differences(value: object, allowed: set[str], needed: set[str]) -> str:
    """What an object has too much and too little of."""
    if not isinstance(value, dict):
        return ""
    missing = ", ".join(sorted(needed - set(value)))
    unknown = ", ".join(sorted(str(name) for name in set(value) - allowed))
    words = [f"missing: {missing}"] * bool(missing) + [f"unknown: {unknown}"] * bool(unknown)
    return "; ".join(words)


def describe(name: str, kind: int, version: int, fields: Iterable[Field]) -> dict[str, object]:
    """The declaration of a class with these fields: the inverse of `parse`."""
    fields = tuple(fields)
    written = [_describe(field, fields) for field in fields]
    return {"name": name, "type": kind, "version": version, "fields": written}


def _field(where: Where, item: object, at: int) -> tuple[str, Any, Declared]:
    """Name, annotation and facts of one field."""
    if isinstance(item, dict) and "pad" in item:
        size = (where / "pad").number(where.table(item, {"pad"}, {"pad"})["pad"], 1, MOST_BYTES)
        return f"_pad_{at}", bytes, Declared("pad", "zero", size=size)
    needed = {"name", "type"}
    allowed = RULED | {"counts", "starts"}
    table = where.table(item, allowed, needed)
    name = where.name(table["name"], FIELD_NAME)
    if keyword.iskeyword(name) or name in RESERVED or hasattr(Message, name):
        why = "a word of Python" if keyword.iskeyword(name) else "what every message has already"
        raise where.wrong(f"another name: this is {why}", name)
    meaning = where.words(table, "meaning")
    for key, kind in (("counts", "count"), ("starts", "start")):
        if key in table:
            where.table(table, {"name", "type", "meaning", key}, needed)
            of = (where / key).name(table[key], FIELD_NAME)
            if table["type"] not in COUNTING:
                raise (where / "type").wrong(" or ".join(COUNTING), table["type"])
            return name, INTEGERS[table["type"]], Declared(kind, meaning, of=of)
    unit, fix = where.words(table, "unit"), where.words(table, "fix")
    hint, within, names = _rules(where, table, name)
    return name, hint, Declared("value", meaning, unit, fix, NO_DEFAULT, within, names)


def _rules(
    where: Where, table: dict[str, Any], name: str
) -> tuple[Any, tuple[tuple[int, int], ...], type[IntEnum] | None]:
    """The annotation, the ranges and the open enumeration of a value."""
    kind, rules = table["type"], set(table) & {"within", *MEMBERS}
    if not isinstance(kind, str) or not (kind in NAMED or BYTES_NAME.fullmatch(kind)):
        known = f"one of {', '.join(NAMED)} or bytes and a number; no floats: an integer and a unit"
        raise (where / "type").wrong(known, kind)
    if rules and (len(rules) > 1 or kind not in INTEGERS):
        raise where.wrong("at most one of within, enum, flags, names, for an integer", kind)
    if kind not in INTEGERS:
        return _plain(where, kind), (), None
    hint, names = INTEGERS[kind], None
    within: tuple[tuple[int, int], ...] = ()
    wire = hint.__metadata__[0]
    for rule in rules:
        if wire.size > MOST_RULED and rule != "names":
            raise (where / rule).wrong(f"a type of at most {8 * MOST_RULED} bits", kind)
        if rule == "within":
            within = _ranges(where / rule, table[rule], wire)
        else:
            members = _members(where / rule, table[rule], wire, rule, name)
            hint = hint if rule == "names" else Annotated[members, wire]
            names = members if rule == "names" else None
    return hint, within, names


def _plain(where: Where, kind: str) -> Any:
    if kind in NAMED:
        return NAMED[kind]
    size = (where / "type").number(kind.removeprefix("bytes"), 1, MOST_BYTES)
    return Annotated[bytes, Wire(f"{size} bytes", size)]


def _ranges(where: Where, value: object, wire: Wire) -> tuple[tuple[int, int], ...]:
    found = []
    for one in where.list(value, MOST_RANGES):
        if not isinstance(one, list) or len(one) != 2:
            raise where.wrong("pairs: the least and the most", one)
        low = where.number(one[0], *wire.limits)
        found.append((low, where.number(one[1], low, wire.limits[1])))
    return tuple(found)


def _members(where: Where, value: object, wire: Wire, rule: str, name: str) -> Any:
    """The enumeration of a field, named after it."""
    if not isinstance(value, dict) or not 0 < len(value) <= MOST_MEMBERS:
        raise where.wrong(f"an object of 1 to {MOST_MEMBERS} names and their numbers", value)
    members = {
        where.name(one, MEMBER_NAME): (where / one).number(number, *wire.limits)
        for one, number in value.items()
    }
    if len(set(members.values())) != len(members):
        raise where.wrong("a number of its own for each name", value)
    if rule == "flags" and any(
        number.bit_count() != 1 or number < 0 for number in members.values()
    ):
        raise where.wrong("one bit for each name", value)
    title = "".join(word.title() for word in name.split("_"))
    return MEMBERS[rule](title, members, module=__name__)


def _defaults(
    where: Where, declared: dict[str, Declared], hints: dict[str, Any], items: list[Any]
) -> None:
    """Put the defaults in: only a field that is laid out knows what it accepts."""
    fields = _lay_out(where, declared, hints)
    for field, item in zip(fields, items, strict=True):
        if "default" in item:
            here = where / field.name
            try:
                default = understand(field, f"{here.path}.default", item["default"])
            except ProtocolError as error:
                raise SchemaError(error.what, expected=error.expected, got=error.got) from None
            if not field.accepts(default):
                raise (here / "default").wrong(field.allowed(), item["default"])
            _check_length(here / "default", field, counter(fields, field), default)
            declared[field.name] = declared[field.name]._replace(default=default)


def _check_length(where: Where, field: Field, counting: Field | None, value: object) -> None:
    """SchemaError for the content of a tail that is longer than its count can say."""
    if not field.tail or not counting or not counting.wire:
        return
    most, unit = counting.wire.limits[1], field.tail.unit
    length = len(field.tail.encode(value)) // unit
    if length > most:
        units = "bytes" if unit == 1 else field.tail.name
        raise where.wrong(f"at most {most} {units}, as {counting.name} can say", length)


def _check_start(where: Where, field: Field, fields: tuple[Field, ...]) -> None:
    """SchemaError for a start that cannot say where its tail begins, however short the others."""
    tail = next(one for one in fields if one.name == field.declared.of)
    least = HEADER_SIZE + tail.offset
    if field.wire and least > field.wire.limits[1]:
        expected = f"a type that can say {least}, where {tail.name} begins at least"
        raise (where / field.name).wrong(expected, field.type_name)


def _lay_out(
    where: Where, declared: dict[str, Declared], hints: dict[str, Any]
) -> tuple[Field, ...]:
    try:
        fields = lay_out(declared, hints)
    except TypeError as error:
        raise SchemaError(f"{where.path}: {error}") from None
    size = sum(field.size for field in fields)
    if size > MOST_BYTES:
        raise where.wrong(f"at most {MOST_BYTES} bytes", size)
    computed = [(field.kind, field.declared.of) for field in fields if field.declared.of]
    if len(set(computed)) != len(computed):
        raise where.wrong("one count and one start for a tail", computed)
    for field in fields:
        if field.kind == "start":
            _check_start(where, field, fields)
    return fields


def _describe(field: Field, fields: tuple[Field, ...]) -> dict[str, object]:
    """One field of a declaration; what is empty is left out."""
    if field.kind == "pad":
        return {"pad": field.size}
    facts = field.declared
    said: dict[str, object] = {"name": field.name, "type": _type(field)}
    if field.kind in ("count", "start"):
        key = "counts" if field.kind == "count" else "starts"
        tails = [one.name for one in fields if one.tail]
        return (
            said
            | {key: facts.of or tails[0]}
            | ({"meaning": facts.meaning} if facts.meaning else {})
        )
    said |= {word: text for word in sorted(WORDS) if (text := getattr(facts, word))}
    for rule, members in (("enum", field.enum), ("flags", field.flags), ("names", facts.names)):
        if members:
            said[rule] = {str(one.name): int(one) for one in members}
    if facts.within:
        said["within"] = [[low, high] for low, high in facts.within]
    if facts.default is not NO_DEFAULT:
        said["default"] = show(field, facts.default)
    return said


def _type(field: Field) -> str:
    """A field's type as a declaration has it."""
    for name, hint in NAMED.items():
        if (field.wire or field.tail) == hint.__metadata__[0]:
            return name
    return f"bytes{field.size}"
