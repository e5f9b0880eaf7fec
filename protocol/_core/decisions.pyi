from typing import Any

from protocol._core.state import State

CAPACITY: int
WORDS: tuple[str, ...]

def note(state: State, now: int, *, name: str = "", text: str = "", **words: int) -> int: ...
def again(
    state: State,
    number: int,
    now: int,
    *,
    connection: int = 0,
    pid: int = 0,
    position: int = 0,
    end: int = 0,
    depth: int = 0,
    last: int = 0,
    count: int = 0,
    delivered: int = 0,
    dropped: int = 0,
    filtered: int = 0,
) -> bool: ...
def made(state: State) -> int: ...
def read(state: State, after: int = 0) -> list[dict[str, Any]]: ...
