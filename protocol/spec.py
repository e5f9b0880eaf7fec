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

from protocol import header
from protocol.catalogue import CONTROL, MessageType, SourceType
from protocol.errors import ProtocolError
from protocol.fields import Field
from protocol.header import HEADER_SIZE
from protocol.instruments import AssetType, VenueId
from protocol.message import Message, catalogue
from protocol.reject import ROWS

SPEC = Path(__file__).with_name("SPEC.md")
MARK = re.compile(r"<!-- begin (\w+) -->\n.*?<!-- end \1 -->", re.DOTALL)
RESERVED = {MessageType.PRESENCE}
RANGES = {
    range(1, 20): "market_data",
    range(20, 40): "signals",
    range(40, 60): "execution",
    CONTROL: "control",
}


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
        return f"<!-- begin {name} -->\n{tables[name]}\n<!-- end {name} -->"

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
        "rejects": _rejects(),
    }


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
        yield int(kind), cls.__name__, domain, cls.VERSION, _total(cls)
    if not classes:
        fate = "reserved" if kind in RESERVED else "reserved for the next release"
        yield int(kind), _camel(kind.name), domain, "-", fate


def _total(cls: type[Message]) -> str:
    if cls.EXACT:
        return str(HEADER_SIZE + cls.PAYLOAD_SIZE)
    last = cls.FIELDS[-1]
    return f"{HEADER_SIZE + last.offset} + {last.type_name}"


def _message(cls: type[Message]) -> str:
    what = " ".join((cls.__doc__ or "").split(">>>")[0].split())
    rows = (_field_row(field) for field in cls.FIELDS)
    columns = ("offset", "size", "field", "type", "unit", "meaning", "FIX")
    title = f"#### {cls.__name__}, type {cls.TYPE} version {cls.VERSION}"
    return f"{title}\n\n{what}\n\n{_table(columns, rows)}"


def _field_row(field: Field) -> tuple[object, ...]:
    facts = field.declared
    size = "the rest" if field.tail else field.size
    name = "pad" if field.kind == "pad" else field.name
    meaning = "; ".join(part for part in (facts.meaning, _allowed(field)) if part)
    kind = "-" if field.kind == "pad" else field.type_name
    return HEADER_SIZE + field.offset, size, name, kind, facts.unit, meaning, facts.fix


def _allowed(field: Field) -> str:
    members = field.enum or field.flags
    if members:
        return ", ".join(f"{one.value} {_words(one)}" for one in members)
    return field.allowed() if field.declared.within else ""


def _words(member: IntEnum | IntFlag) -> str:
    return (member.name or "").lower().replace("_", " ")


def _rejects() -> str:
    columns = ("code", "name", "what happened", "sequence", "connection")
    return _table(columns, ((int(code), code.name, *row) for code, row in ROWS.items()))


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
