"""A payload into a sealed frame, and out of one again (SPEC.md, Header).

Called by `protocol.message`, for frames without a class and to say what is wrong with one, and
for `octets` by whatever measures a buffer. Fields of payloads are `protocol.structure`'s; what is
wrong with a stream of frames finds `protocol.scan`.
"""

from __future__ import annotations

import struct

from protocol.catalogue import type_name
from protocol.checksum import crc32
from protocol.errors import ChecksumError, HeaderError, Words
from protocol.header import CHECKSUM_AT, HEADER_SIZE, MAGIC, UNSEALED, Header, wrong_value

Buffer = bytes | bytearray | memoryview


def octets(buffer: Buffer) -> Buffer:
    """The same memory with a length in bytes, whatever a memoryview calls its items."""
    if isinstance(buffer, bytes | bytearray):
        return buffer
    view = memoryview(buffer)
    return view if (view.format, view.ndim) == ("B", 1) else view.cast("B")


def wrap(
    kind: int, version: int, payload: bytes, sequence: int, timestamp: int, source: int, flags: int
) -> bytes:
    """The whole frame with its checksum; FieldError for a header value that does not fit."""
    size = len(payload)
    try:
        head = UNSEALED.pack(MAGIC, kind, version, source, flags, size, sequence, timestamp)
    except struct.error:
        values: dict[str, object] = {"message_type": kind, "version": version, "source": source}
        values |= {"flags": flags, "payload_size": size}
        raise wrong_value(values | {"sequence": sequence, "timestamp": timestamp}) from None
    return head + crc32(payload, crc32(head)).to_bytes(4, "little") + payload


def unwrap(frame: Buffer, offset: int, header: Header, verify: bool) -> bytes:
    """The payload of the frame at `offset` whose header this is: whole (else HeaderError) and, if
    asked for, with the right checksum (else ChecksumError)."""
    start = offset + HEADER_SIZE
    payload = bytes(frame[start : start + header.payload_size])
    if len(payload) < header.payload_size:
        expected = f"{header.payload_size} payload bytes"
        raise HeaderError(f"frame at {offset} is cut short", expected=expected, got=len(payload))
    if verify:
        checksum = crc32(payload, crc32(bytes(frame[offset : offset + CHECKSUM_AT])))
        if checksum != header.checksum:
            what = f"checksum of the {type_name(header.message_type)} at {offset}"
            got = Words(f"{header.checksum:#010x}")
            raise ChecksumError(what, expected=f"{checksum:#010x}", got=got)
    return payload
