from typing import Any

from protocol._core.record import Layout

_Buffer = bytes | bytearray | memoryview
_Found = tuple[int, int, int, int, bool]

STOP_MAGIC: int
STOP_SIZE: int
STOP_CUT: int
STOP_CHECKSUM: int

class Schemas:
    count: int
    def __init__(self, sizes: dict[tuple[int, int], tuple[int, bool]]) -> None: ...

def walk(
    buffer: _Buffer, schemas: Schemas, verify: bool, offsets: Any, numbers: Any
) -> tuple[int, int, int, list[_Found]]: ...
def gather(
    buffer: _Buffer, offsets: Any, numbers: Any, wanted: list[tuple[Any, Any, Any] | None]
) -> None: ...
def unsound(layout: Layout, buffer: _Buffer, offsets: Any) -> int: ...
def unsound_rows(layout: Layout, rows: Any) -> int: ...
def checksum(buffer: _Buffer, offset: int) -> int: ...
def room(size: int) -> bytearray: ...
def seal(
    layout: Layout,
    out: bytearray | memoryview,
    rows: Any,
    sequence: Any,
    timestamp: Any,
    source: Any,
    flags: Any,
) -> int: ...
