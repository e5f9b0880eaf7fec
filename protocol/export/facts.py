"""What there is to export, the same for every language: structures, their fields, enumerations.

Called by `protocol.export.c` and `protocol.export.rust`, which only write it down. Everything comes
from the declarations of the message and extension classes; how a language spells it is not known
here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import IntEnum, IntFlag
from functools import cache
from textwrap import wrap
from typing import NamedTuple

from protocol import header
from protocol.catalogue import MessageType, SourceType, type_name
from protocol.errors import SchemaError
from protocol.extensions import known
from protocol.fields import Field, counter
from protocol.instruments import AssetType, InstrumentId, VenueId
from protocol.message import CATALOGUE, Message, catalogue
from protocol.reject import ROWS, Reject
from protocol.structure import Extension

Names = type[IntEnum] | type[IntFlag]
ALWAYS: dict[Names, int] = {MessageType: 1, SourceType: 1, VenueId: 2, AssetType: 1, Reject: 1}
WIDTH = 100
CUSTOM_TLVS = 100
ABOUT: dict[Names, str] = {
    MessageType: "Every type of the catalogue; others are passed on.",
    SourceType: "Who sends; others may be used, and are passed on.",
    Reject: "Why a frame or a connection is refused; a peer may send codes that are not here.",
}
RANGES = ("market_data, types 1-19", "signals, types 20-39", "execution, types 40-59")


class Item(NamedTuple):
    """One field: `type` is u8 to i128, instrument, bytes, or the kind of tail; `offset` counts from
    the payload's first byte; `ranges` and `mask` say which integers are allowed where not all."""

    name: str
    kind: str
    type: str
    offset: int
    size: int
    says: str
    names: Names | None = None
    ranges: tuple[tuple[int, int], ...] = ()
    mask: int | None = None
    of: str = ""
    unit: int = 1

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the most an integer of this type can be."""
        bits = 8 * self.size
        return (-(1 << bits - 1), (1 << bits - 1) - 1) if self.type[0] == "i" else (0, 2**bits - 1)


class Enumeration(NamedTuple):
    """Numbers that have names, and their bytes on the wire."""

    names: Names
    size: int


class Part(NamedTuple):
    """One structure: its names in snake_case and CamelCase, what it is, and its fields.

    `number` is the message or TLV type, `version` 0 for what is no message; `size` the bytes of
    the fixed part."""

    name: str
    title: str
    says: str
    number: int
    version: int
    size: int
    items: tuple[Item, ...]

    @property
    def fixed(self) -> list[Item]:
        return [item for item in self.items if item.kind != "tail"]

    @property
    def tails(self) -> list[Item]:
        return [item for item in self.items if item.kind == "tail"]

    def counter(self, tail: Item) -> Item | None:
        """The field that counts a tail; None for one that takes the rest."""
        counts = (one for one in self.items if one.kind == "count")
        return next((one for one in counts if one.of == tail.name), None)

    def starts(self) -> list[Item]:
        """The fields that say where a tail begins."""
        return [item for item in self.items if item.kind == "start"]


def messages() -> list[Part]:
    """Every message of the catalogue, in its order; not those a program has added itself."""
    ours = {f"protocol.{name}" for name in CATALOGUE}
    every = [cls for cls in catalogue().values() if cls.__module__ in ours]
    return [_part(cls, _message_name(cls), cls.VERSION) for cls in every]


def extensions() -> list[Part]:
    """Every TLV payload of the catalogue, by type."""
    every = [cls for number in range(CUSTOM_TLVS) if (cls := known(number))]
    return [_part(cls, snake(cls.__name__), 0) for cls in every]


def header_items() -> tuple[Item, ...]:
    """The fields of the header."""
    items, offset = [], 0
    for name, (bits, meaning) in header.FIELDS.items():
        says = meaning.replace("`", "")
        items.append(Item(name, "value", f"u{bits}", offset, bits // 8, says))
        offset += bits // 8
    return tuple(items)


@cache
def enumerations() -> dict[str, Enumeration]:
    """Every enumeration by its name, in order of first use.

    SchemaError when two of one name contradict each other. Of two that agree, the one that has
    more members stands for both.

    >>> enumerations()["Side"].size
    1
    """
    found = {names.__name__: Enumeration(names, size) for names, size in ALWAYS.items()}
    for part in messages() + extensions():
        for item in part.items:
            if item.names:
                key = item.names.__name__
                there = found.get(key, Enumeration(item.names, 0))
                found[key] = Enumeration(_both(there.names, item.names), max(item.size, there.size))
    return found


def _both(first: Names, second: Names) -> Names:
    many, few = sorted((first, second), key=len, reverse=True)
    if not set(few.__members__.items()) <= {(n, int(v)) for n, v in many.__members__.items()}:
        raise SchemaError(f"two enumerations {many.__name__}", expected="the same numbers")
    return many


def about(names: Names) -> str:
    """The first sentence about an enumeration."""
    return ABOUT.get(names) or sentence(names.__doc__ or names.__name__)


def notes(names: Names) -> dict[int, str]:
    """What to say beside single members of an enumeration, by their number."""
    return {int(code): row.what for code, row in ROWS.items()} if names is Reject else {}


def domains(parts: Iterable[Part]) -> Iterator[tuple[str, list[Part]]]:
    """Messages by the relay that takes them, with a heading."""
    left = list(parts)
    for heading, numbers in zip(RANGES, (range(20), range(20, 40), range(40, 60)), strict=True):
        yield heading, [part for part in left if part.number in numbers]
    yield "control, types 100-109", [part for part in left if part.number in range(100, 110)]


def snake(name: str) -> str:
    """A class name in snake_case.

    >>> snake("MEVBundle"), snake("Layer2Params"), snake("DeFiVenue")
    ('mev_bundle', 'layer2_params', 'defi_venue')
    """
    name = name.replace("DeFi", "Defi")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def sentence(doc: str) -> str:
    """The first sentence of a docstring, on one line.

    >>> sentence("Buy or sell this, 112 bytes;\\n    FIX 35=D. More.\\n")
    'Buy or sell this, 112 bytes; FIX 35=D.'
    """
    first = " ".join(doc.strip().split("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z0-9`])", first)[0].replace("`", "")


def comment(text: str, opening: str, following: str) -> list[str]:
    """Text as comment lines that fit, each with what it begins with."""
    # A no-break space keeps the end of a C comment with the last word.
    lines = wrap(text.replace(" */", "\xa0*/"), WIDTH - max(len(opening), len(following)))
    lines = [line.replace("\xa0", " ") for line in lines]
    return [(following if at else opening) + line for at, line in enumerate(lines)]


def _message_name(cls: type[Message]) -> str:
    newest = max(version for number, version in catalogue() if number == cls.TYPE)
    return type_name(cls.TYPE) + ("" if newest == cls.VERSION else f"_v{cls.VERSION}")


def _part(cls: type[Message] | type[Extension], name: str, version: int) -> Part:
    items = tuple(_item(one, cls.FIELDS) for one in cls.FIELDS)
    size = sum(one.size for one in cls.FIELDS if one.wire)
    says = sentence(cls.__doc__ or name)
    return Part(name, cls.__name__, says, cls.TYPE, version, size, items)


def _item(one: Field, fields: tuple[Field, ...]) -> Item:
    names: Names | None = one.enum or one.flags or one.declared.names
    of = one.declared.of
    if one.kind == "count":
        of = next(tail.name for tail in fields if tail.tail and counter(fields, tail) is one)
    counted = next((tail.tail for tail in fields if tail.name == of), None)
    return Item(
        one.name,
        one.kind,
        _type(one),
        one.offset,
        one.size,
        _says(one, names, counted.unit if counted else 0),
        names,
        one.ranges,
        one.mask if one.flags else None,
        of,
        one.tail.unit if one.tail else 1,
    )


def _type(one: Field) -> str:
    if one.python is InstrumentId:
        return "instrument"
    if one.kind != "pad" and one.wire and one.python is not bytes:
        return one.wire.name
    return "bytes" if one.wire else one.type_name


def _says(one: Field, names: Names | None, unit: int) -> str:
    """Meaning, then unit and FIX field in brackets: `price of one unit (1e-8; FIX 44 Price)`."""
    declared = one.declared
    says = declared.meaning.replace("`", "")
    if names and names.__name__ not in says:
        says += f"; {_article(names)} {names.__name__}"
    counted = {0: declared.unit, 1: "bytes"}.get(unit, f"each of {unit} bytes")
    notes = [counted if one.kind == "count" else declared.unit]
    notes += [f"FIX {declared.fix}"] if declared.fix else []
    return f"{says} ({'; '.join(filter(None, notes))})" if any(notes) else says


def _article(names: Names) -> str:
    return "an" if names.__name__[0] in "AEIOU" else "a"
