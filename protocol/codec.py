"""From declared fields to code: writes each message class's `__init__`, properties and check.

Called by `protocol.message` when a class is made. The functions are written as source, like those
of `dataclasses`, because looping over fields would cost several times the work itself. Facts about
fields belong in `protocol.fields`; nothing here knows any particular message.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from protocol.fields import NO_DEFAULT, Field
from protocol.instruments import LAYOUT, InstrumentId

INIT = """
def __init__(self{parameters}):
    try:
        {tail}
        _payload = _pack({values}){plus}
        _sound = {guards}
    except Exception:
        _sound = False
    if not _sound:
        raise _explain(type(self), dict({given}))
    _put(self, _payload)
    self.check()
"""


def write(
    fields: tuple[Field, ...],
    put: Callable[[Any, bytes], None],
    explain: Callable[[type, dict[str, object]], Exception],
) -> dict[str, Any]:
    """What a class with these fields gets: `__init__`, a property for each field, and `_sound`,
    which says whether a payload of the right length has allowed values (the tail aside).

    `put` stores the payload in a new message, `explain` makes the error for bad arguments."""
    scope: dict[str, Any] = {"_put": put, "_explain": explain, "_Id": InstrumentId}
    scope |= {"_pack": packer(fields).pack, "_id": InstrumentId._make, "_u_id": LAYOUT.unpack_from}
    scope["_fixed"] = sum(field.size for field in fields if field.wire)
    for field in fields:
        scope |= _constants(field)
    made: dict[str, Any] = {}
    for field in fields:
        if field.kind != "pad":
            getter = eval(f"lambda self: {_named(field, 'self._payload')}", scope)
            made[field.name] = property(getter, doc=field.declared.meaning)
    checks = [check for field in fields if (check := _check(field))]
    made["_sound"] = staticmethod(eval(f"lambda p: {' and '.join(checks) or 'True'}", scope))
    exec(_init_source(fields), scope)
    return made | {"__init__": scope["__init__"]}


def packer(fields: tuple[Field, ...]) -> struct.Struct:
    """The struct of the fixed part: little-endian, packed."""
    return struct.Struct("<" + "".join(field.wire.code for field in fields if field.wire))


def _constants(field: Field) -> dict[str, Any]:
    """What the generated source refers to for one field."""
    names: dict[str, Any] = {f"_default_{field.name}": field.declared.default}
    if field.wire:
        names[f"_u_{field.name}"] = struct.Struct("<" + field.wire.code).unpack_from
        names[f"_zero_{field.name}"] = bytes(field.size)
    members = field.enum or field.declared.names or ()
    names[f"_members_{field.name}"] = {int(member): member for member in members}
    names[f"_flags_{field.name}"] = field.flags
    if field.tail:
        names["_encode"], names["_decode"] = field.tail.encode, field.tail.decode
    return names


def _raw(field: Field, payload: str) -> str:
    """The expression that reads a fixed field, an enumeration as its number."""
    start, end = field.offset, field.offset + field.size
    if field.python is InstrumentId:
        return f"_id(_u_id({payload}, {start}))"
    if field.python is bytes:
        return f"bytes({payload}[{start}:{end}])"
    if field.size == 1:
        return f"{payload}[{start}]"
    return f"_u_{field.name}({payload}, {start})[0]"


def _named(field: Field, payload: str) -> str:
    """The expression that reads a field as what its annotation says."""
    if field.tail:
        return f"_decode({payload}[{field.offset}:], 0)"
    raw = _raw(field, payload)
    if field.enum:
        return f"_members_{field.name}[{raw}]"
    if field.flags:
        return f"_flags_{field.name}({raw})"
    if field.declared.names:
        return f"(lambda n: _members_{field.name}.get(n, n))({raw})"
    return raw


def _rule(field: Field, value: str) -> str:
    """The condition on an integer that its wire type alone does not make sure of, or ''."""
    if field.enum:
        return f"{value} in _members_{field.name}"
    if field.flags:
        return f"not {value} & {~field.mask}"
    ranges = [f"{low} <= {value} <= {high}" for low, high in field.declared.within]
    return f"({' or '.join(ranges)})" if ranges else ""


def _check(field: Field) -> str:
    """The condition on a field of a payload `p`, or ''."""
    if field.kind == "pad":
        return f"p[{field.offset}:{field.offset + field.size}] == _zero_{field.name}"
    if field.kind == "count":
        return f"{_raw(field, 'p')} == len(p) - _fixed"
    return "" if field.tail else _rule(field, _raw(field, "p"))


def _guard(field: Field) -> str:
    """The condition on an argument that packing does not make sure of, or ''."""
    if field.python is InstrumentId:
        return f"{field.name}.__class__ is _Id"
    if field.python is bytes and not field.tail:
        return f"{field.name}.__class__ is bytes and len({field.name}) == {field.size}"
    return "" if field.tail else _rule(field, field.name)


def _init_source(fields: tuple[Field, ...]) -> str:
    given = [field for field in fields if field.kind in ("value", "tail")]
    tail = next((field.name for field in fields if field.tail), "")
    values = [
        "len(_tail)" if field.kind == "count" else "*" * (field.python is InstrumentId) + field.name
        for field in fields
        if field.wire and field.kind != "pad"
    ]
    guards = [guard for field in given if (guard := _guard(field))]
    return INIT.format(
        parameters="".join(f", {_parameter(field)}" for field in given),
        tail=f"_tail = _encode({tail})" if tail else "pass",
        values=", ".join(values),
        plus=" + _tail" if tail else "",
        guards=" and ".join(guards) or "True",
        given=", ".join(f"{field.name}={field.name}" for field in given),
    )


def _parameter(field: Field) -> str:
    optional = field.declared.default is not NO_DEFAULT
    return f"{field.name}=_default_{field.name}" if optional else field.name
