_Bytes = bytes | bytearray | memoryview

SOUND: int
NO_RECORD: int
BAD_FRAMES: int
REASONS: dict[int, str]

class Check:
    number: int
    position: int
    place: int
    synced: int
    until: int
    room: int
    need: int
    size: int
    count: int
    fault_place: int
    chain: int
    chained: bool
    fault: int
    def __init__(
        self,
        *,
        seed: int,
        room: int,
        position: int,
        place: int,
        chain: int,
        number: int = 0,
        synced: int = 0,
        until: int = ...,
        chained: bool = True,
        checksums: bool = False,
    ) -> None: ...
    @property
    def reason(self) -> str: ...
    @property
    def done(self) -> bool: ...
    @property
    def slots(self) -> int: ...
    def skim(self, records: _Bytes) -> int: ...
    def run(self, frames: _Bytes, at: int, records: _Bytes) -> int: ...
    def step_over(self) -> None: ...
    def search(self, records: _Bytes) -> bool: ...

def walk(frames: _Bytes, count: int) -> int: ...
def learn_producers(records: _Bytes, table: dict[tuple[int, int], tuple[int, int]]) -> None: ...
