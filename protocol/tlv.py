"""Type-length-value extensions: build, iterate, find (SPEC.md, TLV extensions).

Called by `protocol.fields` (tails made of TLVs) and by the messages that use them. What a TLV of
some type contains is said where it is used, not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from protocol.errors import TlvError

MOST = 255


class Tlv(NamedTuple):
    """One extension: its type (0-255) and its payload (at most 255 bytes)."""

    type: int
    payload: bytes


def build(items: Iterable[tuple[int, bytes]]) -> bytes:
    """The bytes of these (type, payload) in order. TlvError when one does not fit.

    >>> build([(1, b"desk-7"), (2, b"")])
    b'\\x01\\x06desk-7\\x02\\x00'
    """
    parts = bytearray()
    for kind, payload in items:
        if not 0 <= kind <= MOST:
            raise TlvError("TLV type", expected=f"0 to {MOST}", got=kind)
        if len(payload) > MOST:
            raise TlvError(f"TLV {kind}", expected=f"at most {MOST} bytes", got=len(payload))
        parts += bytes((kind, len(payload)))
        parts += payload
    return bytes(parts)


def iterate(data: bytes | bytearray | memoryview, base: int = 0) -> Iterator[Tlv]:
    """The TLVs in `data` in order. TlvError, naming base + offset, when one runs past the end.

    >>> list(iterate(b"\\x01\\x02ab"))
    [Tlv(type=1, payload=b'ab')]
    """
    at, end = 0, len(data)
    while at < end:
        left = end - at - 2
        if left < 0 or data[at + 1] > left:
            want = f"{data[at + 1]} bytes of payload" if left >= 0 else "a length byte"
            raise TlvError(f"TLV {data[at]} at offset {base + at}", expected=want, got=max(left, 0))
        size = data[at + 1]
        yield Tlv(data[at], bytes(data[at + 2 : at + 2 + size]))
        at += 2 + size


def find(data: bytes | bytearray | memoryview, kind: int) -> list[bytes]:
    """The payloads of every TLV of type `kind`, in order; others are skipped."""
    return [tlv.payload for tlv in iterate(data) if tlv.type == kind]
