"""What was sent is counted in its bytes, by marks where a send is long (architecture.md, 4)."""

from __future__ import annotations

import random
from bisect import bisect_right
from itertools import accumulate

import pytest

from protocol._core.ring import PAGE
from relays.core.peer import Peer
from tests.daemon.fake_edge import FakeSocket, World
from tests.harness import frame

LOG = 512 * PAGE
MIXED = (32, 32, 32, 32, 32, 32, 500, 9_000, 40_000)
LARGE = (9_000,)


def parts(dice: random.Random, sizes: tuple[int, ...], least: int) -> list[bytes]:
    """`least` bytes in runs of frames of one size, long and short, and a few large ones."""
    found: list[bytes] = []
    there = 0
    while there < least:
        size = dice.choice(sizes)
        count = dice.choice((1, 3, 400)) if size == 32 else dice.randrange(1, 4)
        kind = 1 if size == 32 else 7
        found += [frame(len(found) + n + 1, kind, bytes(size), timestamp=5) for n in range(count)]
        there += count * len(found[-1])
    return found


def check(consumers: list[tuple[Peer, FakeSocket]], ends: list[int]) -> None:
    """Each has had as many frames as end in the bytes that it was sent."""
    for peer, sock in consumers:
        ended = bisect_right(ends, len(sock.got))
        assert peer.record.delivered == ended
        assert peer.record.position == ended


# The second is behind by more than there are marks for.
@pytest.mark.parametrize(("sizes", "log", "rarely"), [(MIXED, LOG, 4), (LARGE, 32 * LOG, 400)])
def test_who_takes_a_part_of_what_is_sent_is_counted_the_frames_that_end_in_it(
    sizes: tuple[int, ...], log: int, rarely: int
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    dice = random.Random(seed)
    place = World(log, max_payload=65_536, circuit_breaker=10**6, max_queue_size=2 * 10**6)
    _, producer = place.connect()
    consumers = [place.connect() for _ in range(4)]
    place.pass_time(1_000)
    frames = parts(dice, sizes, (4 if sizes == MIXED else 2) * log)
    most = 300 if sizes == MIXED else 20
    ends = list(accumulate(map(len, frames)))
    at = 0
    while at < len(frames):
        for _, sock in consumers:
            sock.room = dice.choice((0, 70, 20_000, 100_000, 10**6))
        count = dice.randrange(1, most)
        place.send(producer, *frames[at : at + count])
        at += count
        for _, sock in consumers:
            place.write(sock)
        check(consumers, ends)
        place.accounted()
        behind = place.state.end_offset - min(peer.record.offset for peer, _ in consumers)
        if dice.randrange(rarely) == 0 or behind > 6 * log // 10:
            for _, sock in consumers:
                place.read(sock)
            check(consumers, ends)
    for _, sock in consumers:
        place.read(sock)
    check(consumers, ends)
    sent = b"".join(frames)
    assert all(bytes(sock.got) == sent for _, sock in consumers)
