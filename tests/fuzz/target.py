"""What a target is, and inputs that are frames: written by `packed`, read by `unpacked`.

Called by every module of `tests.fuzz.targets`. A fuzzer cannot guess a CRC-32, so an input does not
hold frames but what they are made of, and `unpacked` completes them: what is behind the checks is
reached with right checksums, and with wrong ones where an input says so.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from protocol.framing import wrap
from protocol.header import HEADER_SIZE, MAGIC, Header
from tests import vectors

STAMP = 20  # bytes of a header that are no magic, size or checksum
LARGEST = 60_000
MAGIC_BYTES = MAGIC.to_bytes(4, "little")


@dataclass(frozen=True)
class Target:
    """`run` takes any bytes and raises when what is under test is wrong about them. `seeds` are
    what the first corpus is made of; `words` may be in inputs that are text."""

    run: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    largest: int = 4096
    words: tuple[str, ...] = field(default=())


def exact(data: bytes) -> memoryview:
    """These bytes in an allocation of their size: a byte read behind them is seen."""
    return memoryview(array("B", data)[:])  # a slice is not over-allocated


def packed(stream: bytes) -> bytes:
    """The input that becomes this stream: whole frames that are sound, then any bytes."""
    parts, at = [], 0
    for one in whole(stream):
        at += len(one)
        raw = Header.unpack(one)
        sealed = wrap(
            raw.message_type, raw.version, one[HEADER_SIZE:], raw.sequence, raw.timestamp,
            raw.source, raw.flags,
        )  # fmt: skip
        body = one[4:8] + one[12:28] + one[HEADER_SIZE:] if sealed == one else one
        parts.append(bytes([sealed != one]) + len(body).to_bytes(2, "little") + body)
    rest = stream[at:]
    return b"".join(parts) + (b"\1" + len(rest).to_bytes(2, "little") + rest if rest else b"")


def whole(stream: bytes) -> Iterator[bytes]:
    """The whole frames that a stream begins with."""
    at = 0
    while len(stream) - at >= HEADER_SIZE and stream[at : at + 4] == MAGIC_BYTES:
        end = at + HEADER_SIZE + Header.unpack(stream, at).payload_size
        if end > len(stream):
            return
        yield stream[at:end]
        at = end


def unpacked(data: bytes) -> bytes:
    """The stream of an input: each piece says how it is to be taken and how long it is.

    An even first byte: type, version, source, flags, sequence, timestamp and payload of a frame,
    to which size and checksum are made right. An odd one: bytes as they are.
    """
    parts, at = [], 0
    while at + 3 <= len(data):
        size = int.from_bytes(data[at + 1 : at + 3], "little")
        body = data[at + 3 : at + 3 + size]
        parts.append(body if data[at] & 1 or len(body) < STAMP else _frame(body))
        at += 3 + size
    return b"".join(parts)


def _frame(body: bytes) -> bytes:
    kind, version, source, flags = body[:4]
    sequence, timestamp = (int.from_bytes(body[at : at + 8], "little") for at in (4, 12))
    return wrap(kind, version, body[STAMP:], sequence, timestamp, source, flags)


def golden(*kinds: str) -> Iterable[bytes]:
    """The vectors of these kinds ("valid", "invalid", "streams") that are not long."""
    for kind in kinds:
        for entry in vectors.index()[kind]:
            data = vectors.read(entry)
            if len(data) < LARGEST:
                yield data


def corpus(name: str) -> Path:
    """Where the inputs of a target are kept."""
    return Path(__file__).parent / "corpus" / name
