_Bytes = bytes | bytearray | memoryview

def survey(
    frames: _Bytes, piece: int
) -> tuple[int, list[int], list[tuple[int, int, int, int, int]]]: ...
def renumber(
    frames: bytearray | memoryview, sequence: int, timestamp: int | None = None
) -> int: ...
