"""CRC-32 of frames: the compiled one that everybody uses, and crcmod's as the reference.

Called by message encoding, by daemons at start (`self_test`) and by tests. There is no slower
stand-in for a missing compiled module: it would hide that the build is broken. crcmod is imported
here and nowhere else. (SPEC.md, Header)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import cast

from protocol.errors import ProtocolError

try:
    from protocol._core.crc import count_right, crc32, frame_checksum, seal
except ImportError as error:
    raise ImportError(
        "protocol._core, the compiled part of alphapulse-relays, is not built or cannot be loaded "
        f"({error}): run ./scripts/setup, or `pip install .` with a C compiler and libisal-dev"
    ) from None

__all__ = ["count_right", "crc32", "frame_checksum", "reference", "seal", "self_test"]

CHECK_VALUE = 0xCBF43926
# Lengths around the block sizes of vectorised implementations, and the frame sizes in use.
LENGTHS = (0, 1, 3, 4, 7, 8, 15, 16, 17, 28, 31, 32, 33, 63, 64, 65, 127, 255, 256, 1000, 4097)


def reference(data: bytes | bytearray | memoryview, value: int = 0) -> int:
    """CRC-32 by crcmod, continued from `value`: slow, independent, only for comparing.

    >>> hex(reference(b"123456789"))
    '0xcbf43926'
    """
    return _crcmod()(bytes(data), value)


def self_test(compiled: Callable[[bytes, int], int] = crc32) -> None:
    """Compare the compiled CRC with crcmod on fixed vectors; ProtocolError where they differ.

    Every daemon runs it at start: a wrong checksum would be written into everything.

    >>> self_test()
    """
    _same(compiled(b"123456789", 0), CHECK_VALUE, "123456789")
    pattern = bytes(n * 167 + 13 & 0xFF for n in range(max(LENGTHS) + 1))
    for length in LENGTHS:
        for start in (0, 1):
            data = pattern[start : start + length]
            _same(compiled(data, 0), reference(data), f"{length} bytes")
            _same(compiled(data, 0x12345678), reference(data, 0x12345678), f"{length} bytes more")
    frame = bytearray(pattern[:96])
    frame[8:12] = (64).to_bytes(4, "little")
    expected = reference(frame[32:], reference(frame[:28]))
    _same(frame_checksum(frame), expected, "a frame")
    seal(frame)
    _same(int.from_bytes(frame[28:32], "little"), expected, "a sealed frame")
    _test_runs(frame)


def _test_runs(frame: bytearray) -> None:
    """Frames of one size in a row are checked several at a time."""
    run, size = frame * 6, len(frame)
    for place in range(0, len(run), size):
        run[place + 33] = place // size
        right = reference(run[place + 32 : place + size], reference(run[place : place + 28]))
        run[place + 28 : place + 32] = right.to_bytes(4, "little")
    _same(count_right(run, size), 6, "six frames, how many are right")
    for wrong in range(6):
        run[wrong * size + 40] ^= 1
        _same(count_right(run, size), wrong, f"six frames, frame {wrong} damaged")
        run[wrong * size + 40] ^= 1


def _same(got: int, expected: int, what: str) -> None:
    if got != expected:
        raise ProtocolError(
            f"compiled CRC-32 of {what}",
            expected=f"{expected:#010x}",
            got=got,
            hint="rebuild the compiled module: ./scripts/setup",
        )


@cache
def _crcmod() -> Callable[[bytes, int], int]:
    # Imported on first use: its tables are not needed by a program that only sends and receives.
    import crcmod.predefined

    return cast(Callable[[bytes, int], int], crcmod.predefined.mkPredefinedCrcFun("crc-32"))
