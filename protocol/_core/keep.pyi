from protocol._core.gather import Filter
from protocol._core.scan import Tally
from protocol._core.state import State

DROPS: tuple[str, ...]

class Keep:
    count: int
    held: int
    position: int
    def __init__(self, state: State, instruments: int, limit: int) -> None: ...
    def follow(self, tally: Tally | None) -> None: ...

class Reader:
    at: int
    before: int
    count: int
    done: bool
    def __init__(self, keep: Keep, before: int, wanted: Filter | None) -> None: ...
    @property
    def broken(self) -> bool: ...
    def close(self) -> None: ...
    def take(self, to: bytearray | memoryview, limit: int) -> int: ...

def keep_nothing(state: State) -> None: ...
