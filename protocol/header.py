"""The 32 bytes that begin every frame (SPEC.md, Header).

Called by everything that reads or writes frames from Python. Whether a header is acceptable to a
relay is `protocol.scan`'s affair; here it is only split into its fields and put together.
"""

from __future__ import annotations

import operator
import struct
from typing import NamedTuple

from protocol.errors import FieldError, HeaderError, Words

MAGIC = 0xDEADBEEF
HEADER_SIZE = 32
CHECKSUM_AT = 28
COMPRESSED = 0x03
PRIORITY_SHIFT, PRIORITY_MASK = 4, 0x30
LAYOUT = struct.Struct("<IBBBBIQQI")
# What the checksum covers of the header: everything before the checksum field.
UNSEALED = struct.Struct("<IBBBBIQQ")
# Name: bits, meaning; in wire order. SPEC.md's table is written from it.
FIELDS = {
    "magic": (32, "`0xDEADBEEF` (bytes `EF BE AD DE`)"),
    "message_type": (8, "see Message types"),
    "version": (8, "schema version of this message type, from 1"),
    "source": (8, "SourceType of the sender"),
    "flags": (8, "see below the table"),
    "payload_size": (32, "bytes after the header"),
    "sequence": (64, "the producer's own counter, +1 per domain frame; 0 in control frames"),
    "timestamp": (64, "the sender's clock, ns since the Unix epoch (UTC)"),
    "checksum": (32, "CRC-32 of bytes 0..27 followed by the payload"),
}


class _Fields(NamedTuple):
    magic: int
    message_type: int
    version: int
    source: int
    flags: int
    payload_size: int
    sequence: int
    timestamp: int
    checksum: int


class Header(_Fields):
    """A header's fields as they are on the wire; `timestamp` in ns since the epoch, sizes in bytes.

    >>> Header(MAGIC, 1, 1, 1, 0, 32, 7, 0, 0).pack()[:4].hex()
    'efbeadde'
    """

    __slots__ = ()

    @classmethod
    def unpack(cls, buffer: bytes | bytearray | memoryview, offset: int = 0) -> Header:
        """The header at `offset`. HeaderError when it is cut short or has another magic.

        >>> Header.unpack(bytes(31))
        Traceback (most recent call last):
        ...
        protocol.errors.HeaderError: header at 0: expected 32 bytes, got 31
        """
        if offset < 0 or len(buffer) - offset < HEADER_SIZE:
            got = max(0, len(buffer) - offset) if offset >= 0 else offset
            raise HeaderError(f"header at {offset}", expected="32 bytes", got=got)
        header = cls._make(LAYOUT.unpack_from(buffer, offset))
        if header[0] != MAGIC:
            raise HeaderError(
                f"magic at {offset}",
                expected=f"{MAGIC:#010x}",
                got=Words(f"{header[0]:#010x}"),
                hint="no frame begins here",
            )
        return header

    def pack(self) -> bytes:
        """The 32 bytes, checksum as given. FieldError for a value that does not fit its field."""
        try:
            return LAYOUT.pack(*self)
        except struct.error:
            raise wrong_value(self._asdict()) from None

    @property
    def priority(self) -> int:
        """Bits 4 and 5 of flags: 0 normal to 3 urgent."""
        return (self.flags & PRIORITY_MASK) >> PRIORITY_SHIFT

    @property
    def compressed(self) -> bool:
        """Whether flags bits 0-1 are set, so that sizes and fields cannot be looked at."""
        return bool(self.flags & COMPRESSED)


def wrong_value(values: dict[str, object]) -> FieldError:
    """The error for the first of these header fields that is not an integer in its range."""
    for name, value in values.items():
        most = 2 ** FIELDS[name][0] - 1
        if not hasattr(value, "__index__"):
            return FieldError(f"header.{name}", expected=f"an integer, 0 to {most}", got=value)
        if not 0 <= operator.index(value) <= most:
            return FieldError(f"header.{name}", expected=f"0 to {most}", got=value)
    return FieldError("header", expected="integers", got=values)
