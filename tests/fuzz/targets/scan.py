"""The compiled scan: says of every stream what the readable one says, however it is cut.

Rules of every domain, with and without checksums and order, of an identified producer or not.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from protocol import scan as readable
from protocol._core import scan as compiled
from protocol.message import sizes
from relays.domains import DOMAINS
from tests.fuzz.target import Target, exact, golden, packed, unpacked

TYPES = [domain.types for domain in DOMAINS.values()]
LIMITS = (2**63, 2**63, 1, 3)
SOURCES = (None, None, (1,), (7, 9))
LARGEST_PAYLOAD = 2048
OPTIONS = 2


class Case:
    """One way to scan: what a domain accepts, and what is known of the producer."""

    def __init__(self, front: ModuleType, first: int, second: int) -> None:
        self.front = front
        types = TYPES[first % 3]
        strict, identified = bool(first & 8), bool(first & 16)
        rules = (bool(first & 4), strict, types[0], types[-1], LARGEST_PAYLOAD, sizes())
        self.rules = front.Rules(*rules)
        self.window = bytearray(readable.WINDOW * 8) if strict and identified else None
        self.track = front.Track(
            last=5 if second & 1 else 0, known=bool(second & 1), identified=identified,
            fail_fast=bool(first & 32), sources=SOURCES[first >> 6], window=self.window,
        )  # fmt: skip
        self.tally = front.Tally()
        self.limit = LIMITS[second >> 1 & 3]

    def scan(self, buffer: Any, dst: int, src: int) -> int:
        parts = (self.rules, self.track, self.tally)
        stop: int = self.front.scan(buffer, dst, src, len(buffer), *parts, self.limit)
        return stop

    def once(self, stream: bytes) -> tuple[Any, ...]:
        """Everything one scan says."""
        tally, track, buffer = self.tally, self.track, exact(stream)
        stop = self.scan(buffer, 0, 0)
        return (
            stop, bytes(buffer[: tally.dst]), tally.src, tally.need, tally.accepted,
            tally.accepted_bytes, tally.rejected, tally.rejected_bytes, tally.control_bytes,
            tally.duplicates, tally.gaps, tally.expected, tally.first_timestamp, tally.counts(),
            tally.reasons(), tally.offences_kept(), tally.mark_list(), track.last, track.known,
            track.gap_open, self.window,
        )  # fmt: skip

    def pieces(self, stream: bytes, cut: int) -> tuple[Any, ...]:
        """What is accepted of a stream that comes in two pieces, as ingress takes it."""
        accepted = carry = b""
        stop, track = 0, self.track
        for piece in (stream[:cut], stream[cut:]):
            buffer, dst, src = exact(carry + piece), 0, 0
            while True:
                stop = self.scan(buffer, dst, src)
                accepted += bytes(buffer[dst : self.tally.dst])
                dst, src = self.tally.dst, self.tally.src
                if stop not in (readable.STOP_CONTROL, readable.STOP_LIMIT):
                    break
            carry = bytes(buffer[src:])
            if stop:
                break
        return accepted, stop, track.last, track.known, self.window, b"" if stop else carry


def run(data: bytes) -> None:
    if len(data) < OPTIONS:
        return
    first, second = data[:OPTIONS]
    stream = unpacked(data[OPTIONS:])
    found = Case(compiled, first, second).once(stream)
    assert found == Case(readable, first, second).once(stream)
    whole = Case(compiled, first, second).pieces(stream, len(stream))
    cut = len(stream) * (second >> 3) // 32
    assert whole == Case(compiled, first, second).pieces(stream, cut), f"cut at {cut}"


def seeds() -> list[bytes]:
    kept = list(golden("streams")) + list(golden("valid", "invalid"))[::4]
    ways = (0, 1, 4, 4 + 8, 4 + 8 + 16, 5 + 16, 6 + 8 + 32, 64, 2 + 128)
    return [
        bytes([ways[number % len(ways)], number * 37 & 255]) + packed(stream)
        for number, stream in enumerate(kept)
    ]


TARGET = Target(run, seeds)
