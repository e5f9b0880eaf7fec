from collections.abc import Iterator
from typing import Any

from protocol._core.record import Layout

_Buffer = bytes | bytearray | memoryview

class Views(Iterator[Any]):
    def __init__(self, layout: Layout, buffer: _Buffer) -> None: ...
    def __next__(self) -> Any: ...

def decode_known(
    registry: dict[tuple[int, int], Any], frame: _Buffer, offset: int, verify: bool
) -> Any: ...
