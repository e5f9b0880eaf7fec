"""Type-length-value extensions: build, iterate, find, append to a frame (SPEC.md, TLV extensions).

Called by `protocol.tails` (ends of messages made of TLVs), by programs that extend messages and by
`protocol.extensions`, which says what the payloads of the known types contain. No type of TLV is
known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from protocol.catalogue import type_name
from protocol.errors import HeaderError, SchemaError, TlvError
from protocol.framing import Buffer, octets
from protocol.header import HEADER_SIZE, Header

MOST = 255


class Tlv(NamedTuple):
    """One extension: its type (0-255) and its payload (at most 255 bytes)."""

    type: int
    payload: bytes


class Extending(Protocol):
    """What knows its own TLV: the classes of `protocol.extensions`."""

    def tlv(self) -> Tlv: ...


Item = tuple[int, Buffer] | Extending


def build(items: Iterable[Item]) -> bytes:
    """The bytes of these TLVs in order: (type, payload) each, or objects of `protocol.extensions`.

    TlvError when one does not fit.

    >>> build([(1, b"desk-7"), (2, b"")])
    b'\\x01\\x06desk-7\\x02\\x00'
    """
    parts = bytearray()
    for item in items:
        kind, payload = _pair(item)
        if not isinstance(kind, int) or not 0 <= kind <= MOST:
            raise TlvError("TLV type", expected=f"0 to {MOST}", got=kind)
        # The length of a memoryview counts its items, which need not be bytes.
        data = bytes(payload) if isinstance(payload, Buffer) else None
        if data is None or len(data) > MOST:
            got = payload if data is None else len(data)
            raise TlvError(f"TLV {int(kind)}", expected=f"at most {MOST} bytes", got=got)
        parts += bytes((kind, len(data)))
        parts += data
    return bytes(parts)


def iterate(data: Buffer, base: int = 0) -> Iterator[Tlv]:
    """The TLVs in `data` in order. TlvError, naming base + offset, when one runs past the end.

    >>> list(iterate(b"\\x01\\x02ab"))
    [Tlv(type=1, payload=b'ab')]
    """
    data = octets(data)
    for kind, start, end in _spans(data, base):
        yield Tlv(kind, bytes(data[start:end]))


def views(data: Buffer, base: int = 0) -> Iterator[tuple[int, memoryview]]:
    """As `iterate`, but nothing is copied: (type, part of `data`) each.

    The parts hold the export of `data` while they live: a bytearray cannot be resized meanwhile.

    >>> [(kind, bytes(payload)) for kind, payload in views(b"\\x01\\x02ab")]
    [(1, b'ab')]
    """
    whole = memoryview(octets(data))
    for kind, start, end in _spans(whole, base):
        yield kind, whole[start:end]


def find(data: Buffer, kind: int) -> list[bytes]:
    """The payloads of every TLV of type `kind`, in order; others are skipped. Errors as `iterate`.

    >>> find(b"\\x01\\x02ab\\x02\\x00\\x01\\x01c", 1)
    [b'ab', b'c']
    """
    data = octets(data)
    return [bytes(data[start:end]) for there, start, end in _spans(data, 0) if there == kind]


def append(frame: Buffer, items: Iterable[Item]) -> bytes:
    """The frame with these TLVs after those it has: sizes, offset, length and checksum are made
    right, everything else of header and payload stays.

    SchemaError for a type that has no TLVs or no class here and for a compressed payload; what
    `decode` raises for a frame that is damaged; HeaderError when bytes follow it; TlvError or
    FieldError when the TLVs do not fit.

    >>> from protocol.control import Heartbeat
    >>> longer = append(Heartbeat(position=7).frame(sequence=0), [(150, b"abc")])
    >>> len(longer), Heartbeat.decode(longer).tlvs
    (53, b'\\x96\\x03abc')
    """
    # Messages are made of fields, fields know tails, and tails know this module.
    from protocol.message import Message, decode
    from protocol.tails import TLVS

    if hasattr(items, "tlv"):
        raise TlvError("TLVs", expected="a list of them", got=items)
    frame = octets(frame)
    message, header = decode(frame), Header.unpack(frame)
    kind = f"{type_name(header.message_type)} version {header.version}"
    size = HEADER_SIZE + header.payload_size
    if len(frame) != size:
        raise HeaderError(f"bytes of one {kind}", expected=size, got=len(frame))
    fields = message.FIELDS if isinstance(message, Message) else ()
    name = next((field.name for field in fields if field.tail is TLVS), None)
    if name is None or not isinstance(message, Message):
        raise SchemaError(kind, expected="a message with TLVs, known here, not compressed")
    longer = message.replace(**{name: getattr(message, name) + build(items)})
    return longer.frame(header.sequence, header.timestamp, header.source, header.flags)


def _pair(item: Item) -> tuple[int, Buffer]:
    if not isinstance(item, tuple) and hasattr(item, "tlv"):
        return item.tlv()
    if not isinstance(item, tuple) or len(item) != 2:
        raise TlvError("TLV", expected="(type, payload) or an extension", got=item)
    return item


def _spans(data: Buffer, base: int) -> Iterator[tuple[int, int, int]]:
    """Type, start and end of each payload."""
    at, end = 0, len(data)
    while at < end:
        left = end - at - 2
        if left < 0 or data[at + 1] > left:
            want = f"{data[at + 1]} bytes of payload" if left >= 0 else "a length byte"
            raise TlvError(f"TLV {data[at]} at offset {base + at}", expected=want, got=max(left, 0))
        start = at + 2
        at = start + data[at + 1]
        yield data[start - 2], start, at
