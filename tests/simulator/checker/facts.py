"""What is known of a relay before it runs, and how a wrong one is called.

Used by every module of this room. The facts are the configuration a user wrote and the tables of
SPEC.md; nothing is looked up in the relay.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from protocol.message import instrument_offsets, sizes
from relays.config import RelayConfig
from relays.domains import Domain

HEADER = struct.Struct("<IBBBBIQQI")
HEADER_SIZE = 32
MAGIC = 0xDEADBEEF
COMPRESSED = 3
FIRST_CONTROL, LAST_CONTROL = 100, 109
HEARTBEAT, SNAPSHOT, ERROR, CONFIG_UPDATE, HELLO, WELCOME, ACK, GAP = range(100, 108)
CONSUME, PRODUCE, WITH_SNAPSHOT = 1, 2, 4
UNKNOWN = 2**64 - 1
MEMORY, JOURNAL, SYNCED = range(3)


class Violation(AssertionError):
    """The relay did what it must not, or did not what it must."""


def must(holds: bool, text: str) -> None:
    """Raise Violation(text) unless it holds."""
    if not holds:
        raise Violation(text)


@dataclass(frozen=True)
class Facts:
    """One relay's domain and configuration."""

    domain: Domain
    config: RelayConfig
    sizes: Mapping[tuple[int, int], tuple[int, bool]]
    offsets: Mapping[tuple[int, int], tuple[int, ...]]

    @classmethod
    def of(cls, domain: Domain, config: RelayConfig) -> Facts:
        return cls(domain, config, sizes(), instrument_offsets())

    @property
    def limited(self) -> bool:
        """Whether the journal may have to let go of what somebody needs."""
        return self.config.journal == "on" and self.config.journal_hard_limit < 1 << 40

    @property
    def durability(self) -> int:
        """What an Ack of this relay promises."""
        if self.config.journal == "off":
            return MEMORY
        return SYNCED if self.config.journal_sync == "batch" else JOURNAL


def is_control(frame: bytes | bytearray, at: int = 0) -> bool:
    return FIRST_CONTROL <= frame[at + 4] <= LAST_CONTROL


def sequence_of(frame: bytes) -> int:
    return int.from_bytes(frame[12:20], "little")


def size_at(data: bytes | bytearray, at: int) -> int:
    """Bytes of the frame that begins at `at`, whose header is there."""
    return HEADER_SIZE + int.from_bytes(data[at + 8 : at + 12], "little")


def is_sealed(frame: bytes) -> bool:
    """Whether the checksum is right."""
    found = zlib.crc32(frame[HEADER_SIZE:], zlib.crc32(frame[:28]))
    return found == int.from_bytes(frame[28:32], "little")


@dataclass(frozen=True)
class Wanted:
    """A session's filter: types and instruments, empty = everything (relays.md 3)."""

    types: frozenset[int]
    instruments: frozenset[bytes]
    offsets: Mapping[tuple[int, int], tuple[int, ...]]

    def __bool__(self) -> bool:
        return bool(self.types or self.instruments)

    def passes(self, frame: bytes) -> bool:
        """Both must pass; frames with no instrument, or unknown, pass the instruments."""
        kind, version, flags = frame[4], frame[5], frame[7]
        if self.types and kind not in self.types:
            return False
        places = self.offsets.get((kind, version), ())
        if not self.instruments or not places or flags & COMPRESSED:
            return True
        return any(at + 12 > len(frame) or frame[at : at + 12] in self.instruments for at in places)
