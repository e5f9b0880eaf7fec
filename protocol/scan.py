"""The scanner in readable Python: the definition, and the oracle for the compiled one.

Called by tests and by every daemon at start (`self_test`); the daemons' path runs
`protocol._core.scan`, which must agree with this on every input. One pass over a buffer: whole
frames are checked in the order of SPEC.md, "Reject codes", accepted ones end up contiguous. No
sockets, no clock, no policy of a connection beyond Track.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType

from protocol.catalogue import CONTROL
from protocol.checksum import reference
from protocol.errors import ProtocolError
from protocol.header import HEADER_SIZE, MAGIC, Header
from protocol.header import LAYOUT as HEADER
from protocol.reject import Reject

STOP_CONTROL = 64
STOP_LIMIT = 65
MARK_EVERY = 240
MARKS = 256
VERSIONS = 8
COMPRESSED = 0x03
OFFENCES, OFFENCE_BYTES = 16, 256
WINDOW = 1024


@dataclass(frozen=True)
class Rules:
    """What one domain accepts.

    `sizes` maps (type, version) to (payload bytes, exact); other schemas pass unlooked-at.
    """

    checksums: bool
    strict: bool
    first_type: int
    last_type: int
    max_payload: int
    sizes: Mapping[tuple[int, int], tuple[int, bool]]


class Track:
    """How far one producer's sequence has come.

    `window` holds, for `sequence % 1024`, `sequence low 32 bits << 32 | checksum` as u64; a
    duplicate that finds its entry there with another checksum is a conflict.
    """

    def __init__(
        self,
        *,
        last: int = 0,
        known: bool = False,
        identified: bool = False,
        fail_fast: bool = False,
        sources: Iterable[int] | None = None,
        window: bytearray | memoryview | None = None,
    ) -> None:
        self.last, self.known, self.identified = last, known, identified
        self.fail_fast, self.gap_open = fail_fast, False
        self.sources = frozenset(range(256) if sources is None else sources)
        self.window = None if window is None else memoryview(window).cast("Q")


@dataclass
class Tally:
    """What one scan did: bytes, frames, counts. Offsets count from the buffer's first byte."""

    dst: int = 0
    src: int = 0
    need: int = 0
    accepted: int = 0
    accepted_bytes: int = 0
    rejected: int = 0
    rejected_bytes: int = 0
    control_bytes: int = 0
    duplicates: int = 0
    gaps: int = 0
    expected: int = 0
    first_timestamp: int = 0
    by_type: dict[int, int] = field(default_factory=dict)
    by_source: dict[int, int] = field(default_factory=dict)
    gaps_by_source: dict[int, int] = field(default_factory=dict)
    duplicates_by_source: dict[int, int] = field(default_factory=dict)
    by_reason: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    marks: list[int] = field(default_factory=list)
    offences: deque[tuple[int, int, bytes]] = field(default_factory=lambda: deque(maxlen=OFFENCES))

    def clear(self) -> None:
        self.__init__()  # type: ignore[misc]

    def counts(self) -> tuple[dict[int, int], dict[int, int], dict[int, int], dict[int, int]]:
        return self.by_type, self.by_source, self.gaps_by_source, self.duplicates_by_source

    def reasons(self) -> dict[int, tuple[int, int, int]]:
        return dict(sorted(self.by_reason.items()))

    def offences_kept(self) -> list[tuple[int, int, bytes]]:
        return list(self.offences)

    def mark_list(self) -> list[int]:
        return self.marks


def framing(header: Header, rules: Rules) -> int:
    """The checks that need only a header, in order: 1, 2, 4. 0 where it is sound."""
    if header.magic != MAGIC:
        return Reject.BAD_MAGIC
    if header.payload_size > rules.max_payload:
        return Reject.PAYLOAD_TOO_LARGE
    schema = (header.message_type, header.version)
    if header.flags & COMPRESSED or schema not in rules.sizes or header.version >= VERSIONS:
        return 0
    payload, exact = rules.sizes[schema]
    fits = header.payload_size == payload or (not exact and header.payload_size > payload)
    return 0 if fits else Reject.BAD_SIZE


def order(header: Header, checksum: int, rules: Rules, track: Track, tally: Tally) -> int:
    """Checks 7 and 6: is this the next sequence of its producer?"""
    if not track.known or header.sequence == track.last + 1:
        return 0
    if header.sequence <= track.last:
        return _duplicate(header, checksum, rules, track, tally)
    if not rules.strict or not track.gap_open:
        tally.gaps += 1
        _one_more(tally.gaps_by_source, header.source)
    if not rules.strict:
        return 0
    track.gap_open = True
    tally.expected = track.last + 1
    return Reject.SEQUENCE_GAP


def _duplicate(header: Header, checksum: int, rules: Rules, track: Track, tally: Tally) -> int:
    tally.duplicates += 1
    _one_more(tally.duplicates_by_source, header.source)
    if not track.identified:
        return Reject.SEQUENCE_DUPLICATE if rules.strict else 0
    if track.window is not None and track.last - header.sequence < WINDOW:
        kept = track.window[header.sequence % WINDOW]
        if kept and kept >> 32 == header.sequence & 0xFFFFFFFF and kept & 0xFFFFFFFF != checksum:
            return Reject.SEQUENCE_CONFLICT
    return Reject.SEQUENCE_DUPLICATE


def consume(header: Header, checksum: int, track: Track) -> None:
    """This sequence number is spent: accepted, or refused for good."""
    if track.known and header.sequence <= track.last:
        return
    track.known, track.gap_open, track.last = True, False, header.sequence
    if track.window is not None:
        entry = (header.sequence & 0xFFFFFFFF) << 32 | checksum
        track.window[header.sequence % WINDOW] = entry


def verdict(header: Header, frame: bytes, rules: Rules, track: Track, tally: Tally) -> int:
    """The checks of a whole domain frame: 5, then 7 and 6, then 3 and 8. 0 where it is accepted."""
    checksum = reference(frame[HEADER_SIZE:], reference(frame[:28]))
    if rules.checksums and checksum != header.checksum:
        return Reject.BAD_CHECKSUM
    code = order(header, checksum, rules, track, tally)
    if code:
        return code
    consume(header, checksum, track)
    if not rules.first_type <= header.message_type <= rules.last_type:
        return Reject.WRONG_DOMAIN
    if header.source not in track.sources:
        return Reject.SOURCE_NOT_ALLOWED
    return 0


def _one_more(row: dict[int, int], key: int) -> None:
    row[key] = row.get(key, 0) + 1


def _accept(tally: Tally, header: Header, size: int) -> None:
    if tally.accepted == 0:
        tally.first_timestamp = header.timestamp
    elif tally.accepted % MARK_EVERY == 0 and len(tally.marks) < MARKS:
        tally.marks.append(tally.dst)
    tally.accepted += 1
    tally.accepted_bytes += size
    tally.dst += size
    _one_more(tally.by_type, header.message_type)


def _refuse(tally: Tally, code: int, header: Header, frame: bytes) -> None:
    count, first, _ = tally.by_reason.get(code, (0, header.sequence, 0))
    tally.by_reason[code] = (count + 1, first, header.sequence)
    tally.rejected += 1
    tally.rejected_bytes += len(frame)
    tally.offences.append((code, len(frame), frame[:OFFENCE_BYTES]))


def _lose_framing(tally: Tally, code: int, header: Header, rest: bytes) -> None:
    tally.by_reason[code] = (1, header.sequence, header.sequence)
    size = min(HEADER_SIZE + header.payload_size, len(rest))
    tally.offences.append((code, size, rest[:size][:OFFENCE_BYTES]))


def scan(
    buffer: bytearray | memoryview,
    dst: int,
    src: int,
    end: int,
    rules: Rules,
    track: Track,
    tally: Tally,
    limit: int,
) -> int:
    """Check the frames in `buffer[src:end]`; the accepted ones are moved together from `dst` on.

    At most `limit` frames are accepted. Gives 0 (an incomplete frame, or nothing, is left at
    `tally.src`), a fatal Reject, STOP_CONTROL (a control frame ends at `tally.src`) or STOP_LIMIT.
    Raises ValueError for offsets out of order. SPEC.md, "Reject codes".
    """
    if not dst <= src <= end <= len(buffer):
        raise ValueError(f"want dst <= src <= end <= {len(buffer)}, got {dst}, {src}, {end}")
    tally.clear()
    tally.dst, tally.src = dst, src
    while end - tally.src >= HEADER_SIZE:
        header = Header._make(HEADER.unpack_from(buffer, tally.src))
        code = framing(header, rules)
        if code:
            _lose_framing(tally, code, header, bytes(buffer[tally.src : end]))
            return code
        size = HEADER_SIZE + header.payload_size
        if end - tally.src < size:
            tally.need = size - (end - tally.src)
            return 0
        code = _one(buffer, header, size, rules, track, tally, limit)
        if code:
            return code
    return 0


def _one(
    buffer: bytearray | memoryview,
    header: Header,
    size: int,
    rules: Rules,
    track: Track,
    tally: Tally,
    limit: int,
) -> int:
    """One whole frame at `tally.src`: accepted, refused, or the reason to stop."""
    frame = bytes(buffer[tally.src : tally.src + size])
    if header.message_type in CONTROL:
        sound = reference(frame[HEADER_SIZE:], reference(frame[:28])) == header.checksum
        code = STOP_CONTROL if sound else Reject.BAD_CHECKSUM
    elif tally.accepted == limit:
        return STOP_LIMIT
    else:
        _one_more(tally.by_source, header.source)
        code = verdict(header, frame, rules, track, tally)
    tally.src += size
    if code == 0:
        buffer[tally.dst : tally.dst + size] = frame
        _accept(tally, header, size)
    elif code == STOP_CONTROL:
        tally.control_bytes += size
        return code
    else:
        _refuse(tally, code, header, frame)
        if code == Reject.SEQUENCE_CONFLICT or track.fail_fast:
            return code
    return 0


def self_test(compiled: ModuleType) -> None:
    """Scan fixed vectors with both scanners; ProtocolError where they differ (at each start).

    >>> from protocol._core import scan as compiled
    >>> self_test(compiled)
    """
    for number, (stream, strict, limit) in enumerate(vectors()):
        results = []
        for front in (compiled, _this_module()):
            buffer = bytearray(stream)
            rules = front.Rules(True, strict, 1, 19, 4096, {(1, 1): (32, True)})
            tally = front.Tally()
            track = front.Track(identified=True, window=bytearray(WINDOW * 8))
            code = front.scan(buffer, 0, 0, len(buffer), rules, track, tally, limit)
            results.append((code, bytes(buffer[: tally.dst]), tally.src, tally.reasons()))
        if results[0] != results[1]:
            raise ProtocolError(
                f"compiled scan differs from protocol.scan on vector {number}",
                expected=results[1],
                got=results[0],
                hint="rebuild the compiled module: ./scripts/setup",
            )


def _this_module() -> ModuleType:
    import sys

    return sys.modules[__name__]


def vectors() -> list[tuple[bytes, bool, int]]:
    """(bytes, strict, limit) for `self_test`: every verdict a scan can give, at least once."""

    def frame(kind: int = 1, sequence: int = 1, payload: bytes = bytes(32), **wrong: int) -> bytes:
        values = [MAGIC, kind, 1, 1, 0, len(payload), sequence, 7]
        head = HEADER.pack(*values, 0)[:28]
        good = head + reference(payload, reference(head)).to_bytes(4, "little") + payload
        at = wrong.get("flip")
        return good if at is None else good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]

    run = b"".join(frame(sequence=n) for n in range(1, 6))
    hurt = frame(sequence=3, payload=b"x" * 32)
    middle = run + frame(flip=40) + frame(kind=77, sequence=6) + frame(sequence=9) + hurt
    return [
        (run, True, 1000),
        (run, False, 3),
        (run + frame(sequence=2), True, 1000),
        (run + hurt, True, 1000),
        (middle, False, 1000),
        (run + frame(flip=0) + run, True, 1000),
        (run + frame(payload=bytes(31)), False, 1000),
        (run + frame(payload=bytes(5000)), False, 1000),
        (run + frame(kind=100, sequence=0, payload=bytes(16)) + run, True, 1000),
        (run + run[:50], True, 1000),
        (run[:31], True, 1000),
    ]
