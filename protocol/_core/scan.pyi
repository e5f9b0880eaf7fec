from collections.abc import Iterable, Mapping

STOP_CONTROL: int
STOP_LIMIT: int

class Rules:
    checksums: bool
    strict: bool
    first_type: int
    last_type: int
    max_payload: int
    def __init__(
        self,
        checksums: bool,
        strict: bool,
        first_type: int,
        last_type: int,
        max_payload: int,
        sizes: Mapping[tuple[int, int], tuple[int, bool]],
    ) -> None: ...

class Track:
    last: int
    known: bool
    identified: bool
    fail_fast: bool
    gap_open: bool
    def __init__(
        self,
        *,
        last: int = 0,
        known: bool = False,
        identified: bool = False,
        fail_fast: bool = False,
        sources: Iterable[int] | None = None,
        window: memoryview | bytearray | None = None,
    ) -> None: ...

class Tally:
    dst: int
    src: int
    need: int
    accepted: int
    accepted_bytes: int
    rejected: int
    rejected_bytes: int
    control_bytes: int
    duplicates: int
    gaps: int
    expected: int
    first_timestamp: int
    offence_count: int
    def counts(self) -> tuple[dict[int, int], dict[int, int], dict[int, int], dict[int, int]]: ...
    def reasons(self) -> dict[int, tuple[int, int, int]]: ...
    def offences_kept(self) -> list[tuple[int, int, bytes]]: ...
    def mark_list(self) -> list[int]: ...

def scan(
    buffer: bytearray | memoryview,
    dst: int,
    src: int,
    end: int,
    rules: Rules,
    track: Track,
    tally: Tally,
    limit: int,
) -> int: ...
