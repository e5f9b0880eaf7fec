from collections.abc import Callable
from typing import Any

from protocol.errors import ProtocolError

CUT: int
NO_FRAME: int

def span(
    buffer: bytes | bytearray | memoryview, begin: int, end: int, largest: int
) -> tuple[int, int, int]: ...
def skip(data: bytes, begin: int, count: int) -> int: ...
def headers(data: bytes) -> bytes: ...
def decode(
    data: bytes,
    begin: int,
    registry: dict[tuple[int, int], Any],
    other: Callable[..., Any],
    verify: bool,
    views: bool,
) -> tuple[list[Any], int, ProtocolError | None]: ...
def frames(data: bytes, begin: int) -> list[memoryview]: ...
def damaged(data: bytes, begin: int) -> int: ...
