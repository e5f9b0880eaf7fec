"""The compiled walk over runs of frames, held against readable Python, and fed anything."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol._core import runs
from protocol.catalogue import CONTROL
from protocol.control import Ack, Heartbeat
from protocol.errors import ProtocolError
from protocol.header import HEADER_SIZE, Header
from protocol.message import REGISTRY, Unknown, decode
from relays.client.errors import ClientError
from relays.client.stream import LARGEST_FRAME
from relays.client.subscription import subscription
from tests.client.feed import trades
from tests.client.wire import Played, mixed, welcome

FRAMES = st.lists(
    st.one_of(
        st.sampled_from(trades(1, 3)),
        st.sampled_from(mixed(1, range(6))),
        st.builds(lambda size: Unknown(19, 9, bytes(size)).frame(), st.integers(0, 70)),
        st.sampled_from([Ack(1, 2).frame(), Heartbeat(3).frame()]),
    ),
    max_size=12,
)


def span(data: bytes) -> tuple[int, int, int]:
    """What `runs.span` says, in Python."""
    at = count = 0
    while len(data) - at >= HEADER_SIZE:
        try:
            header = Header.unpack(data, at)
        except ProtocolError:
            return at, count, runs.NO_FRAME
        size = HEADER_SIZE + header.payload_size
        if size > LARGEST_FRAME:
            return at, count, runs.NO_FRAME
        if size > len(data) - at:
            break
        if header.message_type in CONTROL:
            return at, count, header.message_type
        at, count = at + size, count + 1
    return at, count, runs.CUT


@given(frames=FRAMES, cut=st.integers(0, 100), noise=st.binary(max_size=64))
def test_a_span_ends_where_python_says_it_does(frames: list[bytes], cut: int, noise: bytes) -> None:
    data = b"".join(frames)
    for one in (data, data[: max(0, len(data) - cut)], data + noise):
        assert runs.span(one, 0, len(one), LARGEST_FRAME) == span(one)


@given(frames=FRAMES)
def test_a_run_is_taken_apart_as_one_by_one(frames: list[bytes]) -> None:
    data = b"".join(frames)
    made, stop, error = runs.decode(data, 0, REGISTRY, decode, True, False)
    assert (made, stop, error) == ([decode(one) for one in frames], len(data), None)
    views, _, _ = runs.decode(data, 0, REGISTRY, decode, True, True)
    assert views == made
    assert [bytes(one) for one in runs.frames(data, 0)] == frames
    assert runs.headers(data) == b"".join(one[:HEADER_SIZE] for one in frames)
    assert runs.damaged(data, 0) == -1
    for n in range(len(frames) + 1):
        assert runs.skip(data, 0, n) == len(b"".join(frames[:n]))
    with pytest.raises(ValueError, match="frames, not"):
        runs.skip(data, 0, len(frames) + 1)


@given(frames=FRAMES.filter(bool), data=st.data())
def test_the_first_damaged_frame_is_where_it_stops(
    frames: list[bytes], data: st.DataObject
) -> None:
    which = data.draw(st.integers(0, len(frames) - 1))
    bad = bytearray(frames[which])
    bad[data.draw(st.integers(12, len(bad) - 1))] ^= 1
    stream = b"".join([*frames[:which], bytes(bad), *frames[which + 1 :]])
    at = len(b"".join(frames[:which]))
    made, stop, error = runs.decode(stream, 0, REGISTRY, decode, True, False)
    assert (len(made), stop) == (which, at)
    assert isinstance(error, ProtocolError)
    assert runs.damaged(stream, 0) == at


@given(st.binary(max_size=300), st.integers(0, 320))
def test_any_bytes_are_walked_without_harm(data: bytes, begin: int) -> None:
    begin = min(begin, len(data))
    runs.span(data, begin, len(data), LARGEST_FRAME)
    runs.headers(data)
    runs.frames(data, begin)
    runs.damaged(data, begin)
    made, _, error = runs.decode(data, begin, REGISTRY, decode, True, False)
    assert (made == []) or error is None or isinstance(error, ProtocolError)


def test_a_consumer_fed_with_damaged_streams_raises_nothing_but_its_errors() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    choose = random.Random(seed)
    stream = b"".join(
        [welcome(5).frame(source=20), *mixed(1, range(6)), Heartbeat(9).frame(), *trades(7, 3)]
    )
    for _ in range(500):
        bad = bytearray(stream)
        for _ in range(choose.randrange(1, 4)):
            bad[choose.randrange(len(bad))] = choose.randrange(256)
        played = Played(subscription(types=choose.choice([(), ["Quote"]])))
        with contextlib.suppress(ProtocolError, ClientError):
            played.connect(bytes(bad))
