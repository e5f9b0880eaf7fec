from typing import Any

_Buffer = bytes | bytearray | memoryview

REQUIRED: object
FORMS: dict[str, int]

class Layout:
    cls: type[Any]
    message_type: int
    version: int
    fixed: int
    least: int
    exact: bool
    def __init__(
        self,
        cls: type[Any],
        message_type: int,
        version: int,
        slots: list[tuple[int, int, int, int, tuple[tuple[int, int], ...]]],
        parts: list[tuple[int, int, int, int]],
        arguments: list[tuple[str, object, int]],
        encoders: list[Any],
        decodes_tails: bool,
        checks: bool,
    ) -> None: ...
    def decode(self, frame: _Buffer, offset: int = 0, *, verify: bool = True) -> Any: ...
    def view(self, buffer: _Buffer, offset: int = 0, *, verify: bool = False) -> Any: ...
    def from_payload(self, payload: bytes) -> Any: ...

class Record:
    @property
    def payload(self) -> bytes: ...
    @property
    def borrowed(self) -> bool: ...
    def tail(self, part: int) -> tuple[bytes, int]: ...
    def _frame(
        self, sequence: int = 0, timestamp: int = 0, source: int = 0, flags: int = 0
    ) -> bytes: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

class Getter:
    def __init__(
        self, layout: Layout, slot: int, names: dict[int, Any] | None, otherwise: Any, doc: str
    ) -> None: ...
    def __get__(self, instance: object, owner: type[Any] | None = None) -> Any: ...

def call_quickly(cls: type[Any]) -> None: ...
