"""Whole frames are looked at and numbered in compiled code as their headers and SPEC.md have it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol._core.stamp import renumber, survey
from protocol.header import Header
from protocol.message import Unknown, decode

frames = st.lists(
    st.builds(
        Unknown, st.integers(0, 255), st.integers(200, 255), st.binary(max_size=70)
    ),
    max_size=30,
)  # fmt: skip


@given(messages=frames, piece=st.integers(1, 500), flags=st.integers(0, 255))
def test_a_survey_has_every_kind_and_cuts_between_frames(
    messages: list[Unknown], piece: int, flags: int
) -> None:
    whole = [one.frame(flags=flags) for one in messages]
    stop, cuts, kinds = survey(b"".join(whole), piece)
    assert stop == sum(map(len, whole))
    ends = [sum(map(len, whole[: n + 1])) for n in range(len(whole))]
    assert set(cuts) <= set(ends)
    assert cuts[-1:] == ends[-1:]
    assert all(b - a >= piece for a, b in zip([0, *cuts], cuts[:-1], strict=False))
    sizes: dict[tuple[int, int], list[int]] = {}
    for kind, version, payload in messages:
        sizes.setdefault((kind, version), []).append(len(payload))
    compressed = int(flags & 3 != 0)
    assert kinds == [(*key, compressed, min(row), max(row)) for key, row in sizes.items()]


@pytest.mark.parametrize("cut", [1, 31, 32, 63])
def test_a_survey_stops_at_what_is_not_a_whole_frame(cut: int) -> None:
    frame = Unknown(1, 1, bytes(32)).frame()
    assert survey(frame + frame[:cut], 1000)[:2] == (64, [64])
    assert survey(frame + b"\xee" + frame[1:], 1000)[0] == 64
    assert survey(b"", 10) == (0, [], [])


@given(
    messages=frames, first=st.integers(0, 2**63), timestamp=st.none() | st.integers(0, 2**64 - 1)
)
def test_frames_get_their_sequences_and_are_sealed(
    messages: list[Unknown], first: int, timestamp: int | None
) -> None:
    data = bytearray(b"".join(one.frame(source=7, timestamp=5, flags=16) for one in messages))
    assert renumber(data, first, timestamp) == len(messages)
    at = 0
    for sequence, one in enumerate(messages, first):
        assert decode(data, at) == one
        header = Header.unpack(data, at)
        stamp = 5 if timestamp is None else timestamp
        expected = (sequence, stamp, 7, 16)
        assert (header.sequence, header.timestamp, header.source, header.flags) == expected
        at += 32 + len(one.payload)


def test_a_frame_that_is_cut_short_is_not_numbered() -> None:
    data = bytearray(Unknown(1, 1, bytes(32)).frame())
    for size in (1, 31, 32, 63):
        with pytest.raises(ValueError, match="cut short"):
            renumber(data[:size], 1)
