"""Not a target but a proof: a fault behind the compiled scan, which no random bytes would reach.

What it accepts as a frame is followed by a read of one byte too many. test_fuzz.py begins with
nothing, so the fuzzer has to find the magic, a type and a size by what the compiled module does.
"""

from __future__ import annotations

import ctypes

from protocol._core import scan
from tests.fuzz.target import Target, exact


def run(data: bytes) -> None:
    rules, tally = scan.Rules(False, True, 1, 19, 4096, {}), scan.Tally()
    if not data:
        return
    buffer = exact(data)
    scan.scan(buffer, 0, 0, len(buffer), rules, scan.Track(), tally, 1)
    if tally.accepted:
        there = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
        ctypes.CDLL(None).memcmp(ctypes.c_void_p(there), bytes(len(data) + 1), len(data) + 1)


def seeds() -> list[bytes]:
    return []


TARGET = Target(run, seeds, largest=64)
