"""The compiled scan and the readable one agree on every input; neither depends on how it is cut."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import scan as readable
from protocol._core import scan as compiled
from protocol.checksum import count_right, frame_checksum, reference
from protocol.header import HEADER_SIZE, MAGIC
from protocol.header import LAYOUT as HEADER

SIZES = {(1, 1): (32, True), (11, 1): (16, False), (100, 1): (16, False)}
BOTH = (compiled, readable)


def frame(
    sequence: int, kind: int = 1, version: int = 1, source: int = 1, flags: int = 0,
    payload: bytes = b"p" * 32, checksum: int | None = None,
) -> bytes:  # fmt: skip
    head = HEADER.pack(MAGIC, kind, version, source, flags, len(payload), sequence, 5, 0)[:28]
    value = reference(payload, reference(head)) if checksum is None else checksum
    return head + value.to_bytes(4, "little") + payload


def run(
    front: ModuleType, stream: bytes, *, checksums: bool = True, strict: bool = False,
    limit: int = 2**63, cuts: tuple[int, ...] = (), **track: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """Scan a stream that arrives in pieces, as ingress does: carry, scan on, stop if fatal."""
    window = bytearray(readable.WINDOW * 8) if track.pop("windowed", False) else None
    rules = front.Rules(checksums, strict, 1, 19, 4096, SIZES)
    progress = front.Track(window=window, **track)
    tally = front.Tally()
    accepted, events, carry = b"", [], b""
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    for begin, end in pairwise(edges):
        buffer = bytearray(carry + stream[begin:end])
        dst = src = 0
        while True:
            stop = front.scan(buffer, dst, src, len(buffer), rules, progress, tally, limit)
            accepted += bytes(buffer[dst : tally.dst])
            dst, src = tally.dst, tally.src
            events += [(code, row[0]) for code, row in tally.reasons().items()]
            if stop in (readable.STOP_CONTROL, readable.STOP_LIMIT):
                events.append((stop, 0))
                continue
            break
        if stop:
            return accepted, _merged(events), progress.last, stop
        carry = bytes(buffer[src:])
    return accepted, _merged(events), progress.last, carry


def _merged(events: list[tuple[int, int]]) -> dict[int, int]:
    totals: dict[int, int] = {}
    for code, count in events:
        if code != readable.STOP_LIMIT:
            totals[code] = totals.get(code, 0) + (count or 1)
    return totals


def full(front: ModuleType, stream: bytes, **options: Any) -> tuple[Any, ...]:
    """One scan, everything it says."""
    limit = options.pop("limit", 2**63)
    window = bytearray(readable.WINDOW * 8) if options.pop("windowed", False) else None
    rules = front.Rules(
        options.pop("checksums", True), options.pop("strict", False), 1, 19, 4096, SIZES
    )
    progress = front.Track(window=window, **options)
    tally = front.Tally()
    buffer = bytearray(stream)
    stop = front.scan(buffer, 0, 0, len(buffer), rules, progress, tally, limit)
    return (
        stop, bytes(buffer[: tally.dst]), tally.src, tally.need, tally.accepted,
        tally.accepted_bytes, tally.rejected, tally.rejected_bytes, tally.control_bytes,
        tally.duplicates, tally.gaps, tally.expected, tally.first_timestamp, tally.counts(),
        tally.reasons(), tally.offences_kept(), tally.mark_list(), progress.last, progress.known,
        progress.gap_open, bytes(window or b""),
    )  # fmt: skip


pieces = st.builds(
    frame,
    sequence=st.integers(0, 12) | st.sampled_from([2**64 - 1, 2**64 - 2]),
    kind=st.sampled_from([1, 1, 1, 2, 11, 19, 20, 77, 100, 104, 200]),
    version=st.sampled_from([1, 1, 1, 2, 9]),
    source=st.sampled_from([1, 1, 7]),
    flags=st.sampled_from([0, 0, 1, 16]),
    payload=st.sampled_from([b"p" * 32, b"p" * 32, b"", b"x" * 32, b"q" * 15, b"r" * 200]),
    checksum=st.sampled_from([None, None, None, None, 0]),
)
streams = st.lists(pieces | st.binary(max_size=80), max_size=30).map(b"".join)
tracks = st.fixed_dictionaries(
    {
        "checksums": st.booleans(),
        "strict": st.booleans(),
        "identified": st.booleans(),
        "fail_fast": st.booleans(),
        "windowed": st.booleans(),
        "limit": st.sampled_from([0, 1, 3, 2**63]),
        "sources": st.sampled_from([None, (1,), (7, 9)]),
    }
)


@settings(max_examples=600)
@given(streams, tracks)
def test_the_compiled_scan_and_the_readable_one_agree_on_every_input(
    stream: bytes, track: dict[str, Any]
) -> None:
    assert full(compiled, stream, **track) == full(readable, stream, **track)


@settings(max_examples=200)
@given(st.binary(max_size=400), tracks)
def test_random_bytes_are_refused_alike(stream: bytes, track: dict[str, Any]) -> None:
    assert full(compiled, stream, **track) == full(readable, stream, **track)


@settings(max_examples=200)
@given(streams, tracks, st.lists(st.integers(1, 1500), max_size=6))
def test_the_way_bytes_are_cut_changes_nothing(
    stream: bytes, track: dict[str, Any], cuts: list[int]
) -> None:
    track["limit"] = max(1, track["limit"])
    assert run(compiled, stream, cuts=tuple(cuts), **dict(track)) == run(
        compiled, stream, **dict(track)
    )


@pytest.mark.parametrize("front", BOTH, ids=["compiled", "readable"])
def test_every_two_way_split_and_one_byte_at_a_time_give_the_same_frames(front: ModuleType) -> None:
    stream = frame(1) + frame(2, kind=77) + frame(3, payload=b"", kind=12) + frame(4) + frame(5)
    whole = run(front, stream)
    assert whole[0] == frame(1) + frame(3, payload=b"", kind=12) + frame(4) + frame(5)
    for cut in range(1, len(stream)):
        assert run(front, stream, cuts=(cut,)) == whole
    assert run(front, stream, cuts=tuple(range(1, len(stream)))) == whole


def test_with_checksums_on_a_hundred_thousand_bit_flips_are_each_found() -> None:
    seed = 20241121
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(100_000):
        good = frame(chance.randrange(2**64), payload=chance.randbytes(32))
        bit = chance.randrange(len(good) * 8)
        hurt = bytearray(good)
        hurt[bit // 8] ^= 1 << bit % 8
        accepted = full(compiled, bytes(hurt))[1]
        assert accepted == b"", f"bit {bit} of {good.hex()} went unnoticed"


def test_a_payload_size_of_four_gigabytes_is_refused_from_the_header_alone() -> None:
    head = HEADER.pack(MAGIC, 1, 1, 1, 0, 0xFFFFFFFF, 1, 5, 0)
    for front in BOTH:
        assert full(front, head)[0] == 2


def test_frames_marks_are_where_the_frames_land_after_compaction() -> None:
    stream = b"".join(frame(n, kind=77 if n % 7 == 0 else 1) for n in range(1, 2000))
    result = full(compiled, stream, checksums=False)
    marks, size = result[16], HEADER_SIZE + 32
    assert marks == [size * 240 * n for n in range(1, len(marks) + 1)]
    assert len(marks) == (result[4] - 1) // 240


BREAKS: dict[str, Callable[[int], list[bytes]]] = {
    "nothing": lambda n: [],
    "a hole": lambda n: [frame(n + 3), frame(n + 4)],
    "a repetition": lambda n: [frame(n), frame(n + 1)],
    "another source": lambda n: [frame(n + 1, source=7), frame(n + 2, source=7), frame(n + 3)],
    "another size": lambda n: [frame(n + 1, kind=12, payload=b"q"), frame(n + 2)],
    "a wrong checksum": lambda n: [frame(n + 1, checksum=1), frame(n + 2), frame(n + 3)],
    "a control frame": lambda n: [frame(n + 1, kind=104), frame(n + 1)],
    "part of a frame": lambda n: [frame(n + 1)[:50]],
    "the last sequence": lambda n: [frame(2**64 - 2), frame(2**64 - 1), frame(0)],
}


@pytest.mark.parametrize("windowed", [False, True])
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("what", list(BREAKS))
def test_long_runs_of_frames_alike_are_judged_as_one_by_one(
    what: str, strict: bool, windowed: bool
) -> None:
    for length in (1, 2, 238, 239, 240, 241, 500):
        run_of = [frame(n) for n in range(1, length + 1)]
        after = [frame(n) for n in range(length + 4, length + 260)]
        stream = b"".join([*run_of, *BREAKS[what](length), *after])
        for limit in (1, 240, 241, 2**63):
            said = {"strict": strict, "windowed": windowed, "limit": limit, "identified": windowed}
            for checksums in (True, False):
                both = [full(front, stream, checksums=checksums, **said) for front in BOTH]
                assert both[0] == both[1], (length, limit, checksums)


def test_offsets_out_of_order_raise() -> None:
    for front in BOTH:
        rules, track = front.Rules(True, True, 1, 19, 4096, {}), front.Track()
        with pytest.raises(ValueError, match="dst <= src"):
            front.scan(bytearray(64), 0, 10, 5, rules, track, front.Tally(), 1)


def test_the_scanners_agree_on_the_vectors_every_daemon_starts_with() -> None:
    readable.self_test(compiled)


def test_the_checksum_of_every_payload_size_is_crcmods_whichever_way_it_is_computed() -> None:
    seed = 60
    print(f"seed {seed}")
    chance = random.Random(seed)
    for size in [*range(300), 511, 512, 4096, 65_536]:
        raw = chance.randbytes(HEADER_SIZE + size)
        assert frame_checksum(raw) == reference(raw[HEADER_SIZE:], reference(raw[:28])), size


def test_in_a_row_of_frames_the_first_with_a_bit_turned_is_found_at_every_size_and_place() -> None:
    seed = 61
    print(f"seed {seed}")
    chance = random.Random(seed)
    for payload in (*range(0, 161, 16), 1, 31, 33, 100, 4096):
        good = [frame(n, payload=chance.randbytes(payload)) for n in range(11)]
        assert count_right(b"".join(good), HEADER_SIZE + payload) == len(good)
        for place in range(len(good)):
            hurt = bytearray(good[place])
            bit = chance.randrange(len(hurt) * 8)
            hurt[bit // 8] ^= 1 << bit % 8
            row = b"".join([*good[:place], hurt, *good[place + 1 :]])
            assert count_right(row, len(hurt)) == place, (payload, place, bit)


def test_a_row_of_frames_cut_short_raises() -> None:
    for size in (31, 33):
        with pytest.raises(ValueError, match="whole frames"):
            count_right(bytes(64), size)
