"""The variable ends of messages: text, JSON, TLVs, levels, bytes (SPEC.md, Message types).

Called by `protocol.fields`, whose annotations name them. Tails follow the fixed part of a payload;
how long each is says a count there, or the payload's end. What a tail's content means is said by
the message that has it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain
from math import isinf
from struct import Struct
from struct import error as StructError
from typing import NamedTuple

from protocol.errors import ProtocolError
from protocol.framing import Buffer
from protocol.tlv import iterate

# How much of a number or a name in a document stands in an error.
SHOWN = 64


class Tail(NamedTuple):
    """A kind of tail: `least` bytes at least; `encode` and `decode` raise ProtocolError or another
    ValueError or a TypeError for what is not one. `decode` is told the tail's offset in the frame.
    `unit` is how many bytes a count counts as one; `any_bytes` says that nothing fails to decode.
    """

    name: str
    allowed: str
    least: int
    encode: Callable[[object], bytes]
    decode: Callable[[Buffer, int], object]
    unit: int = 1
    any_bytes: bool = False

    def accepts(self, value: object) -> bool:
        try:
            self.encode(value)
        except (TypeError, ValueError):
            return False
        return True


class Level(NamedTuple):
    """One level of an order book, in units of 1e-8; size 0 deletes the level (SPEC.md, OrderBook).

    >>> Level(price=61_234_50000000, size=25_000000).size
    25000000
    """

    price: int
    size: int


LEVEL = Struct("<qQ")


def _encode_levels(value: object) -> bytes:
    if not isinstance(value, tuple | list):
        raise TypeError(f"levels are a tuple or list of pairs, not {type(value).__name__}")
    if not all(len(level) == 2 for level in value):
        raise ValueError("a level is a price and a size")
    try:
        return Struct("<" + "qQ" * len(value)).pack(*chain.from_iterable(value))
    except StructError as error:
        raise ValueError(f"a level does not fit: {error}") from None


def _decode_levels(data: Buffer, base: int) -> tuple[Level, ...]:
    return tuple(map(Level._make, LEVEL.iter_unpack(data)))


def _encode_blob(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"bytes wanted, not {type(value).__name__}")
    return value


def _decode_blob(data: Buffer, base: int) -> bytes:
    return bytes(data)


def _encode_text(value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"text is str, not {type(value).__name__}")
    return value.encode()


def _decode_text(data: Buffer, base: int) -> str:
    return bytes(data).decode()


def _encode_json(value: object) -> bytes:
    data = _encode_text(value)
    parse_json(data.decode())
    return data


def _decode_json(data: Buffer, base: int) -> str:
    text = _decode_text(data, base)
    parse_json(text)
    return text


def parse_json(text: str) -> object:
    """The value of a JSON document (RFC 8259). ProtocolError for anything else: also for NaN and
    Infinity, for a number beyond what 64-bit floating point has, for an object with a name twice.

    >>> parse_json('{"a": 1e999}')
    Traceback (most recent call last):
    ...
    protocol.errors.ProtocolError: JSON: expected a document ..., got '{"a": 1e999}' (1e999 is ...)
    """
    try:
        value: object = json.loads(
            text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_once
        )
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        expected = "a document (RFC 8259), each name once"
        raise ProtocolError("JSON", expected=expected, got=text, hint=reason) from None
    return value


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError(f"{text[:SHOWN]} is infinite as a number of 64 bits")
    return number


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:SHOWN]} twice")
        found[name] = value
    return found


def _encode_tlvs(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"TLVs are bytes, not {type(value).__name__}")
    return _decode_tlvs(value, 0) if value else value


def _decode_tlvs(data: Buffer, base: int) -> bytes:
    for _ in iterate(data, base):
        pass
    return bytes(data)


TEXT = Tail("UTF-8 text", "UTF-8 text", 0, _encode_text, _decode_text)
JSON = Tail("UTF-8 JSON", "a JSON document", 1, _encode_json, _decode_json)
TLVS = Tail("TLVs", "whole TLVs", 0, _encode_tlvs, _decode_tlvs)
BLOB = Tail("bytes", "bytes", 0, _encode_blob, _decode_blob, any_bytes=True)
LEVELS = Tail(
    "levels",
    "levels of (price, size), i64 and u64",
    0,
    _encode_levels,
    _decode_levels,
    unit=LEVEL.size,
    any_bytes=True,
)
