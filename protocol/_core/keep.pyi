from protocol._core.scan import Tally
from protocol._core.state import State

DROPS: tuple[str, ...]

class Keep:
    count: int
    held: int
    position: int
    def __init__(self, state: State, instruments: int, limit: int) -> None: ...
    def follow(self, tally: Tally | None) -> None: ...

def keep_nothing(state: State) -> None: ...
