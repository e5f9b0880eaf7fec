"""Messages in CSV: a header row of field names, a message a row.

Called by `message_files`. A cell is what `protocol.as_json` has for the field, as text; columns
that are no fields are `type`, `version` and what goes into the header. Pure but for the file that
is handed in.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from protocol.as_json import read, understand
from protocol.catalogue import SourceType
from protocol.errors import FieldError, ProtocolError, SchemaError
from protocol.fields import NO_DEFAULT, Field
from protocol.instruments import InstrumentId
from protocol.message import Message, catalogue
from protocol.tails import LEVELS, TLVS
from relays.cli.common.naming import number, parse_instrument, type_number

# Columns of the header, unless the message has a field of that name.
HEADER = ("timestamp", "source", "priority")
TYPE, VERSION = "type", "version"
UNIT = Decimal(10) ** 8
FIXED_POINT = "1e-8"
GIVEN = {"value", "tail"}
BIT_BAR = "|"
PRIORITY_SHIFT = 4
PRIORITIES = 4

Row = dict[str, str]
Found = tuple[int, bytes, int, str]


def csv_frames(file: Any, type_name: str = "", decimal: bool = False) -> Iterator[Found]:
    """Line number, frame, time in its header (ns, 0 where no column gives it) and what is wrong, of
    each row; frame or reason is empty.

    `type_name` is of all rows where no `type` column is; `decimal`: fields in units of 1e-8 are
    written as decimal numbers.

    >>> text = b"instrument_id,price,volume,side\\nbinance:spot:BTCUSDT,100,5,BUY\\n"
    >>> [(line, len(frame), wrong) for line, frame, _, wrong in csv_frames(io.BytesIO(text), "1")]
    [(2, 64, '')]
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield from _rows(csv.reader(text, strict=True), type_name, decimal)
    finally:
        text.detach()


def _rows(rows: Any, type_name: str, decimal: bool) -> Iterator[Found]:
    columns: list[str] | None = None
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield rows.line_num, b"", 0, f"CSV: {error}"
            continue
        if columns is None:
            columns = _columns(cells, type_name)
        elif any(cells):
            yield rows.line_num, *_row(columns, cells, type_name, decimal)


def _columns(cells: list[str], type_name: str) -> list[str]:
    """The names in the header row. ProtocolError when they cannot be the columns of anything."""
    columns = [cell.strip() for cell in cells]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice or not all(columns):
        raise ProtocolError("CSV, header row", expected="each name once", got=twice or columns)
    if TYPE not in columns and not type_name:
        hint = "name the type of all rows with --type, or put a type column"
        raise ProtocolError("CSV, header row", expected="a type column", got=columns, hint=hint)
    known = {one.name for cls in catalogue().values() for one in cls.FIELDS if one.kind in GIVEN}
    unknown = [name for name in columns if name not in {TYPE, VERSION, *HEADER, *known}]
    if unknown:
        like = [near for name in unknown for near in get_close_matches(name, known, 1)]
        hint = f"did you mean {', '.join(like)}?" if like else ""
        raise ProtocolError("CSV, header row", expected="names of fields", got=unknown, hint=hint)
    return columns


def _row(columns: list[str], cells: list[str], kind: str, decimal: bool) -> tuple[bytes, int, str]:
    try:
        if len(cells) != len(columns):
            raise SchemaError("CSV", expected=f"{len(columns)} cells", got=len(cells))
        return *_frame(dict(zip(columns, cells, strict=True)), kind, decimal), ""
    except ProtocolError as error:
        return b"", 0, str(error)


def _frame(row: Row, type_name: str, decimal: bool) -> tuple[bytes, int]:
    """The frame of a row, and the time in its header; empty cells are as if they were not there."""
    given = {name: cell.strip() for name, cell in row.items() if cell.strip()}
    cls = _class(given.pop(TYPE, "") or type_name, given)
    fields = {one.name: one for one in cls.FIELDS if one.kind in GIVEN}
    around = {name: given.pop(name) for name in HEADER if name not in fields and name in given}
    label, values = cls.label(), {}
    for name, cell in given.items():
        if name not in fields:
            expected = f"one of {', '.join(fields)}"
            raise FieldError(f"{label}.{name}", expected=expected, hint="it has no such field")
        values[name] = _value(fields[name], f"{label}.{name}", cell, decimal)
    for name, one in fields.items():
        if name not in values and one.declared.default is NO_DEFAULT:
            raise FieldError(f"{label}.{name}", expected=one.allowed(), hint="missing")
    time = _time(around.get("timestamp", "0"))
    source = number(SourceType, around["source"]) if "source" in around else SourceType.EXTERNAL
    flags = _priority(around.get("priority", "0")) << PRIORITY_SHIFT
    return cls(**values).frame(timestamp=time, source=source, flags=flags), time


def _class(type_name: str, given: Row) -> type[Message]:
    """The class of a row; its newest version where no column says which."""
    kind = type_number(type_name)
    versions = _versions(kind)
    if not versions:
        raise SchemaError("type", expected="one that has fields here", got=type_name)
    if VERSION not in given or VERSION in {one.name for one in versions[max(versions)].FIELDS}:
        return versions[max(versions)]
    text = given.pop(VERSION)
    if not text.isdigit() or int(text) not in versions:
        raise SchemaError(f"version of {type_name}", expected=sorted(versions), got=text)
    return versions[int(text)]


@lru_cache(maxsize=256)
def _versions(kind: int) -> dict[int, type[Message]]:
    return {version: cls for (number, version), cls in catalogue().items() if number == kind}


def _value(one: Field, what: str, cell: str, decimal: bool) -> Any:
    if one.python is InstrumentId:
        given = read(cell) if cell.startswith("{") else None
        return parse_instrument(cell) if given is None else understand(one, what, given)
    if one.tail in (LEVELS, TLVS):
        return understand(one, what, read(cell))
    if one.flags and not cell.isdigit():
        return understand(one, what, [name.strip() for name in cell.split(BIT_BAR)])
    if one.declared.unit.startswith(FIXED_POINT):
        return understand(one, what, _units(what, cell) if decimal else _whole(one, what, cell))
    return understand(one, what, cell)


def _units(what: str, cell: str) -> str:
    """A decimal number as units of 1e-8, exactly."""
    try:
        units = Decimal(cell) * UNIT
        if units.is_finite() and units == int(units):
            return str(int(units))
    except (ArithmeticError, ValueError):  # of decimal: what is no number, or far too large
        pass
    raise FieldError(what, expected="a decimal number with at most 8 places", got=cell)


def _whole(one: Field, what: str, cell: str) -> str:
    if "." in cell:
        hint = "with --decimal, cells are whole units"
        raise FieldError(what, expected=f"an integer of units of {one.declared.unit}", got=cell,
                         hint=hint)  # fmt: skip
    return cell


def _time(cell: str) -> int:
    if not cell.isdigit():
        raise FieldError("timestamp", expected="ns since 1970", got=cell)
    return int(cell)


def _priority(cell: str) -> int:
    if not cell.isdigit() or int(cell) >= PRIORITIES:
        raise FieldError("priority", expected=f"0 to {PRIORITIES - 1}", got=cell)
    return int(cell)
