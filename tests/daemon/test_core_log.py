"""What a log keeps when it is full (relays.md 2), on the real core over played sockets."""

from __future__ import annotations

from protocol._core.ring import PAGE
from tests.daemon.fake_edge import World
from tests.harness import frame

SIZE = 256 * PAGE
LARGE, LEAST = 60_000, 10  # of the 17 that fit; an eighth is kept free for the next read


def test_a_small_log_of_large_frames_keeps_most_of_what_fits() -> None:
    place = World(SIZE, max_payload=65_536)
    _, producer = place.connect()
    log = place.relay.hub.log
    kept = []
    for n in range(1, 120):
        place.send(producer, frame(n, 7, bytes(LARGE)))
        assert log.end == n
        kept.append(log.end - log.oldest)
    full = kept.index(LEAST)
    assert kept[: full + 1] == list(range(1, LEAST + 1))
    assert min(kept[full:]) >= LEAST, kept
    place.accounted()


def test_a_small_log_of_small_frames_gives_way_a_little_at_a_time() -> None:
    place = World(SIZE)
    _, producer = place.connect()
    state = place.state
    sizes = []
    for first in range(1, 40_000, 100):
        place.send(producer, *(frame(n) for n in range(first, first + 100)))
        if state.oldest_offset:
            sizes.append(state.end_offset - state.oldest_offset)
    assert len(sizes) > 100
    assert min(sizes) > SIZE * 3 // 4
    place.accounted()
