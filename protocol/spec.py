"""Writes the tables of SPEC.md from the code, so that the two cannot differ.

Run as `python -m protocol.spec` after changing a declaration; a test fails while SPEC.md is stale.
A table stands between `<!-- begin NAME -->` and `<!-- end NAME -->`; everything else in the file is
written by hand and left alone. Rules in words belong in SPEC.md, not here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import IntEnum, IntFlag
from pathlib import Path

from protocol import declarations, extensions, header, schema
from protocol.catalogue import CONTROL, MessageType, SourceType
from protocol.errors import ProtocolError
from protocol.fields import Field, counter
from protocol.header import HEADER_SIZE
from protocol.instruments import AssetType, InstrumentId, VenueId
from protocol.message import Message, catalogue
from protocol.reject import ROWS, Reject
from protocol.structure import Extension, Structure

SPEC = Path(__file__).with_name("SPEC.md")
MARK = re.compile(r"<!-- begin (\w+) -->\n.*?<!-- end \1 -->", re.DOTALL)
# Members are explained in the docstring of their enumeration: `* NAME: what it means.`
MEMBER = re.compile(r"^\* ([A-Z][A-Z0-9_]*): ", re.MULTILINE)
RESERVED = {MessageType.PRESENCE}
RANGES = {
    range(1, 20): "market_data",
    range(20, 40): "signals",
    range(40, 60): "execution",
    CONTROL: "control",
}
# Enumerations that have a table of their own elsewhere in SPEC.md, and where.
ELSEWHERE: dict[type[IntEnum | IntFlag], str] = {
    VenueId: "identifiers",
    Reject: "reject-codes",
}
ROWS_OF_TLVS = [
    ("100-199", "custom strategies", "any", "a strategy's own"),
    ("200-255", "reserved", "", ""),
]


def render(text: str) -> str:
    """The text with each of its tables written anew. ProtocolError for one nobody can write.

    >>> print(render("<!-- begin assets -->\\n<!-- end assets -->").split("\\n")[1])
    Stock 1, Token 2, Pool 3, Spot 4, Perpetual 5, Future 6, Option 7, Index 8
    """
    tables = sections()

    def table(found: re.Match[str]) -> str:
        name = found[1]
        if name not in tables:
            raise ProtocolError(f"SPEC.md, table {name}", expected=" or ".join(tables))
        return f"<!-- begin {name} -->\n{_linked(tables[name])}\n<!-- end {name} -->"

    return MARK.sub(table, text)


def sections() -> dict[str, str]:
    """Every generated table by its name, as Markdown."""
    return {
        "header": _header(),
        "venues": _names(VenueId),
        "assets": _names(AssetType),
        "sources": _names(SourceType),
        "types": _types(),
        "messages": "\n\n".join(map(_message, catalogue().values())),
        "tlvs": _tlvs(),
        "extensions": "\n\n".join(map(_extension, extensions.catalogue().values())),
        "enumerations": "\n\n".join(map(_enumeration, enumerations())),
        "instruments": _instruments(),
        "rejects": _rejects(),
        "limits": _limits(),
    }


def enumerations() -> list[type[IntEnum | IntFlag]]:
    """The enumerations of all fields, in the order of the catalogue, each once; without those that
    have their own table."""
    structures: list[type[Structure]] = [
        *catalogue().values(),
        *extensions.catalogue().values(),
    ]
    named = (_members(field) for cls in structures for field in cls.FIELDS)
    found = dict.fromkeys(one for one in named if one is not None and one not in ELSEWHERE)
    return list(found)


def meanings(names: type[IntEnum | IntFlag]) -> dict[str, str]:
    """What the docstring of an enumeration says of its members, by their names.

    >>> from protocol.market_data import Side
    >>> meanings(Side)["BUY"]
    'the aggressor or the order buys'
    """
    parts = MEMBER.split(_document(names))[1:]
    texts = (" ".join(text.split()).removesuffix(".") for text in parts[1::2])
    return dict(zip(parts[::2], texts, strict=True))


def _header() -> str:
    rows, offset = [], 0
    for name, (bits, meaning) in header.FIELDS.items():
        rows.append((offset, bits // 8, name, f"u{bits}", meaning))
        offset += bits // 8
    return _table(("offset", "size", "field", "type", "meaning"), rows)


def _types() -> str:
    columns = ("type", "name", "range", "version", "total bytes")
    return _table(columns, (row for kind in MessageType for row in _type_rows(kind)))


def _type_rows(kind: MessageType) -> Iterator[tuple[object, ...]]:
    domain = next(name for numbers, name in RANGES.items() if kind in numbers)
    classes = [cls for (number, _), cls in catalogue().items() if number == kind]
    for cls in classes:
        link = f"[{cls.__name__}](#{_anchor(cls)})"
        yield int(kind), link, domain, cls.VERSION, _total(cls)
    if not classes:
        yield int(kind), _camel(kind.name), domain, "-", "reserved"


def _total(cls: type[Message]) -> str:
    fixed = HEADER_SIZE + sum(field.size for field in cls.FIELDS if field.wire)
    return " + ".join([str(fixed), *(field.name for field in cls.FIELDS if field.tail)])


REFERENCE = re.compile(r"\(SPEC\.md, ([^)]+)\)")


def _linked(text: str) -> str:
    """Docstrings name sections of this file from outside; here they are links."""
    return REFERENCE.sub(lambda found: f"(see [{found[1]}](#{_section(found[1])}))", text)


def _section(heading: str) -> str:
    return heading.lower().replace(" ", "-")


def _message(cls: type[Message]) -> str:
    return _described(_title(cls), cls, HEADER_SIZE)


def _extension(cls: type[Extension]) -> str:
    return _described(f"{cls.__name__}, TLV {cls.TYPE}", cls, 0)


def _title(cls: type[Message]) -> str:
    return f"{cls.__name__}, type {cls.TYPE} version {cls.VERSION}"


def _anchor(cls: type[Message]) -> str:
    return _title(cls).lower().replace(",", "").replace(" ", "-")


def _described(title: str, cls: type[Structure], base: int) -> str:
    rows = (_field_row(cls, field, base) for field in cls.FIELDS)
    columns = ("offset", "size", "field", "type", "unit", "meaning", "FIX")
    return f"#### {title}\n\n{_introduction(cls)}\n\n{_table(columns, rows)}"


def _field_row(cls: type[Structure], field: Field, base: int) -> tuple[object, ...]:
    facts = field.declared
    tails = [one for one in cls.FIELDS if one.tail]
    offset = "then" if field in tails[1:] else base + field.offset
    name = "pad" if field.kind == "pad" else field.name
    within = field.allowed() if facts.within else ""
    meaning = "; ".join(part for part in (facts.meaning, within) if part)
    size = _tail_size(cls, field) if field.tail else field.size
    return offset, size, name, _type(field), facts.unit, meaning, facts.fix


def _tail_size(cls: type[Structure], field: Field) -> str:
    counting = counter(cls.FIELDS, field)
    if counting is None:
        return "the rest"
    return counting.name if field.tail and field.tail.unit == 1 else f"16 * {counting.name}"


def _type(field: Field) -> str:
    """The type's name, with a link to the enumeration where it has one."""
    names = _members(field)
    if field.kind == "pad" or names is None:
        return "-" if field.kind == "pad" else field.type_name
    return f"{field.type_name} [{names.__name__}](#{ELSEWHERE.get(names, names.__name__.lower())})"


def _members(field: Field) -> type[IntEnum | IntFlag] | None:
    return field.enum or field.flags or field.declared.names


def _enumeration(names: type[IntEnum | IntFlag]) -> str:
    said = meanings(names)
    rows = ((one.value, one.name, said.get(one.name or "", "")) for one in names)
    columns = ("value", "name", "meaning")
    return f"#### {names.__name__}\n\n{_introduction(names)}\n\n{_table(columns, rows)}"


def _introduction(thing: type) -> str:
    """A docstring's text up to its examples and members, as one paragraph."""
    return " ".join(MEMBER.split(_document(thing).split(">>>")[0])[0].split())


def _document(thing: type) -> str:
    return "\n".join(line.strip() for line in (thing.__doc__ or "").splitlines())


def _tlvs() -> str:
    rows = [
        (cls.TYPE, cls.__name__, cls.PAYLOAD_SIZE, _introduction(cls).split(". ")[0].rstrip("."))
        for cls in extensions.catalogue().values()
    ]
    return _table(("type", "name", "payload bytes", "content"), [*rows, *ROWS_OF_TLVS])


def _instruments() -> str:
    """Where filters look: the offsets of every InstrumentId, by type and version."""
    rows = []
    for cls in catalogue().values():
        found = [field for field in cls.FIELDS if field.python is InstrumentId]
        offsets = ", ".join(f"{HEADER_SIZE + field.offset} {field.name}" for field in found)
        if found:
            rows.append((cls.TYPE, cls.VERSION, cls.__name__, offsets))
    return _table(("type", "version", "name", "offsets in the frame"), rows)


def _rejects() -> str:
    columns = ("code", "name", "what happened", "sequence", "connection")
    return _table(columns, ((int(code), code.name, *row) for code, row in ROWS.items()))


def _limits() -> str:
    """What a declaration may be, so that one from anywhere can be taken."""
    patterns = (
        ("`name` of the message", declarations.CLASS_NAME),
        ("`name` of a field", declarations.FIELD_NAME),
        ("name in `enum`, `flags`, `names`", declarations.MEMBER_NAME),
    )
    most = (
        ("bytes of JSON text", schema.MOST_TEXT),
        ("fields, pads included", declarations.MOST_FIELDS),
        ("bytes of the fixed part", declarations.MOST_BYTES),
        ("names in one `enum`, `flags` or `names`", declarations.MOST_MEMBERS),
        ("pairs in one `within`", declarations.MOST_RANGES),
        ("characters of one `doc`, `meaning`, `unit`, `fix`", declarations.MOST_WORDS),
        ("declarations from data that a program keeps", schema.MOST_DECLARED),
    )
    taken = {one for one in dir(Message) + dir(type(Message)) if one[0] != "_"}
    names = sorted(declarations.RESERVED | taken)
    rows = [(what, f"`{one.pattern}`") for what, one in patterns]
    rows += [("no `name` of a field", f"{', '.join(names)}; the keywords of Python")]
    rows += [(what, f"at most {number:,}") for what, number in most]
    return _table(("of a declaration", "allowed"), rows)


def _names(names: Iterable[IntEnum]) -> str:
    return ", ".join(f"{_camel(one.name)} {one.value}" for one in names)


def _camel(name: str) -> str:
    special = {"MEV": "MEV", "DEFI": "DeFi"}
    return "".join(special.get(word, word.title()) for word in name.split("_"))


def _table(columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    SPEC.write_text(render(SPEC.read_text()))
    print(f"{SPEC} is up to date")
