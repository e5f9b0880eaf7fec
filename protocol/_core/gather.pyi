from collections.abc import Collection, Mapping

class Filter:
    wanted: int
    pause: int
    def __init__(
        self,
        types: Collection[int],
        instruments: Collection[bytes],
        offsets: Mapping[tuple[int, int], tuple[int, ...]],
    ) -> None: ...
    def matches(self, frame: bytes | bytearray | memoryview) -> bool: ...
