"""The bytes a producer keeps: what leaves, what is numbered, what is how old."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.header import Header
from protocol.message import Unknown, decode
from relays.client.window import Window
from tests.harness import split


@given(
    sizes=st.lists(st.integers(0, 90), min_size=1, max_size=60),
    through=st.integers(0, 60),
    gone=st.sets(st.integers(1, 60), max_size=5),
    batch=st.sampled_from([1, 100, 1000, 100_000]),
)
@settings(max_examples=100, deadline=None)
def test_the_window_keeps_what_it_should_and_numbers_it(
    sizes: list[int], through: int, gone: set[int], batch: int
) -> None:
    window = Window(batch, span=1.0)
    frames = [Unknown(45, 9, bytes(size)).frame(n) for n, size in enumerate(sizes, 1)]
    for n, frame in enumerate(frames):
        window.put(frame, now=n * 0.3)
    window.through(through, exact=False)
    assert window.first <= through + 1
    window.through(through)
    left = {n: frame for n, frame in enumerate(frames, 1) if n > through}
    assert window.take(1, len(frames)) == bytes(window.frames) == b"".join(left.values())
    for n in sorted(gone, reverse=True):
        window.without(n)
        left.pop(n, None)
    window.number(1000)
    found = [decode(frame) for frame in split(bytes(window.frames))]
    assert found == [decode(frame) for frame in left.values()]
    assert [Header.unpack(frame).sequence for frame in split(bytes(window.frames))] == list(
        range(1000, 1000 + len(left))
    )
    assert (window.first, window.next) == (1000, 1000 + len(left))
    for n, frame in enumerate(split(bytes(window.frames)), 1000):
        assert window.take(n, n) == frame


def test_ages_are_known_to_a_part_of_what_matters() -> None:
    window = Window(batch_bytes=1 << 20, span=0.05)
    for n in range(100):
        window.put(Unknown(45, 9, b"").frame(n + 1), now=n / 100)
    for tenth in range(1, 10):
        last = window.older(tenth / 10)
        assert tenth * 10 <= last <= tenth * 10 + 6
    assert window.older(-1) == 0
