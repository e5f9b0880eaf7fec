"""The variable ends of messages: text, JSON, TLVs (SPEC.md, Message types).

Called by `protocol.fields`, whose annotations name them. A tail takes everything from the fixed
part to the end of the payload; what its content means is said by the message that has it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

from protocol.errors import ProtocolError
from protocol.tlv import iterate

Bytes = bytes | bytearray | memoryview


class Tail(NamedTuple):
    """A kind of tail: `least` bytes at least; `encode` and `decode` raise ProtocolError or another
    ValueError or a TypeError for what is not one. `decode` is told the tail's offset in the frame.
    """

    name: str
    allowed: str
    least: int
    encode: Callable[[object], bytes]
    decode: Callable[[Bytes, int], object]

    def accepts(self, value: object) -> bool:
        try:
            self.encode(value)
        except (TypeError, ValueError):
            return False
        return True


def _encode_text(value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"text is str, not {type(value).__name__}")
    return value.encode()


def _decode_text(data: Bytes, base: int) -> str:
    return bytes(data).decode()


def _encode_json(value: object) -> bytes:
    data = _encode_text(value)
    parse_json(data.decode())
    return data


def _decode_json(data: Bytes, base: int) -> str:
    text = _decode_text(data, base)
    parse_json(text)
    return text


def parse_json(text: str) -> object:
    """The value of a JSON document; ProtocolError for anything else, also for NaN and Infinity."""
    try:
        value: object = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise ProtocolError(
            "JSON", expected="a document (RFC 8259)", got=text, hint=reason
        ) from None
    return value


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _encode_tlvs(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"TLVs are bytes, not {type(value).__name__}")
    return _decode_tlvs(value, 0)


def _decode_tlvs(data: Bytes, base: int) -> bytes:
    for _ in iterate(data, base):
        pass
    return bytes(data)


TEXT = Tail("UTF-8 text", "UTF-8 text", 0, _encode_text, _decode_text)
JSON = Tail("UTF-8 JSON", "a JSON document", 1, _encode_json, _decode_json)
TLVS = Tail("TLVs", "whole TLVs", 0, _encode_tlvs, _decode_tlvs)
