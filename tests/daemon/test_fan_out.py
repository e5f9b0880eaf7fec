"""What is accepted reaches every consumer, the same bytes in one order (relays.md 1-3)."""

from __future__ import annotations

import random
import threading

import pytest

from protocol.reject import Reject
from relays.edge.listener import unread
from tests.daemon.conftest import Start
from tests.daemon.talk import (
    damaged,
    joined,
    plain,
    rejected,
    send_apart,
    sequences,
    whole_frames,
)
from tests.harness import Client, RelayProcess, frame

UNKNOWN = 9  # a type of market_data that has no class: any payload goes


def each_way(stream: bytes) -> list[list[bytes]]:
    """Whole, byte by byte, and every split in two."""
    ways = [[stream], [stream[n : n + 1] for n in range(len(stream))]]
    return ways + [[stream[:n], stream[n:]] for n in range(1, len(stream))]


@pytest.mark.parametrize("domain", ["market_data", "execution"])
def test_whatever_way_bytes_are_cut_consumers_get_the_same_frames(
    start: Start, domain: str
) -> None:
    kind = UNKNOWN if domain == "market_data" else 59
    relay = start(domain)
    stream = frame(1, kind, b"") + frame(2, kind, b"p" * 40) + frame(3, kind, b"q")
    bare, session = relay.client(), relay.client()
    joined(relay, 2)
    session.hello(1)
    ways = each_way(stream)
    for parts in ways:
        with relay.client() as producer:
            send_apart(producer, *parts)
    assert bare.raw(len(stream) * len(ways)) == stream * len(ways)
    assert b"".join(session.data(3 * len(ways))) == stream * len(ways)


def test_many_frames_in_one_write_come_out_as_they_went_in(start: Start) -> None:
    relay = start()
    bare = relay.client()
    plain(relay)
    stream = b"".join(frame(n, timestamp=n) for n in range(1, 8001))
    with relay.client() as producer:
        producer.send(stream)
        assert bare.raw(len(stream)) == stream
    assert relay.end() == 8000


def produce(relay: RelayProcess, source: int, cut: int) -> bytes:
    """One producer: 100 frames, sent `cut` bytes at a time; gives what it sent."""
    kind, payload = UNKNOWN, bytes([source]) * (source * 7)
    stream = b"".join(frame(n, kind, payload, source=source) for n in range(1, 101))
    with relay.client() as producer:
        size = cut or 32 + len(payload)
        for at in range(0, len(stream), size):
            producer.send(stream[at : at + size])
    return stream


def test_consumers_that_joined_together_get_identical_bytes_from_eight_producers(
    start: Start,
) -> None:
    relay = start()
    first, second, session = relay.client(), relay.client(), relay.client()
    session.hello(1)
    plain(relay, 2)
    sent: dict[int, bytes] = {}

    def run(source: int) -> None:
        sent[source] = produce(relay, source, cut=source % 2)

    threads = [threading.Thread(target=run, args=(source,)) for source in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = sum(map(len, sent.values()))
    stream = first.raw(total)
    assert second.raw(total) == stream
    assert b"".join(session.data(800)) == stream
    for source, own in sent.items():
        assert b"".join(one for one in whole_frames(stream) if one[6] == source) == own


def test_a_plain_consumer_gets_exactly_the_accepted_frames_and_not_one_byte_else(
    start: Start,
) -> None:
    relay = start(heartbeat_ms=100)
    bare, session, producer = relay.client(), relay.client(), relay.client()
    session.hello(5, on_lag=1)
    plain(relay, 2)
    good = [frame(n) for n in range(1, 7)]
    bad_control = damaged(frame(0, 101, bytes(16)))
    producer.send(good[0], frame(2, 20, bytes(64)), good[2], bad_control, *good[3:])
    accepted = good[0] + b"".join(good[2:])
    assert bare.raw(len(accepted)) == accepted
    for _ in range(3):
        session.control(100)
    assert unread(bare.sock) == 0
    assert rejected(relay, Reject.WRONG_DOMAIN) == rejected(relay, Reject.BAD_CHECKSUM) == 1


def test_large_frames_and_empty_ones_pass_whole_however_they_are_cut(start: Start) -> None:
    relay = start(max_payload=1 << 20, log_bytes=16 << 20, send_buffer=16 << 20)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    bare = relay.client()
    plain(relay)
    sizes = [0, 1 << 20, 0, 4063, 4064, 4065, 65_536, 262_112, 262_113, 1, (1 << 20) - 1, 0]
    large = [frame(n, UNKNOWN, chance.randbytes(size)) for n, size in enumerate(sizes, 1)]
    stream, small, others = b"".join(large), relay.client(), 0
    with relay.client() as producer:
        while stream:
            size = chance.choice([1, 31, 33, 4096, 100_000, 700_000])
            producer.send(stream[:size])
            stream = stream[size:]
            others += 1
            small.send(frame(others, source=2))
        got = [bare.frame() for _ in range(len(large) + others)]
    assert [one for one in got if one[6] == 1] == large
    assert sequences([one for one in got if one[6] == 2]) == list(range(1, others + 1))


def test_a_frame_of_max_payload_is_taken_and_one_byte_more_is_not(start: Start) -> None:
    relay = start(max_payload=100)
    bare, producer = relay.client(), relay.client()
    joined(relay, 2)
    most = frame(1, UNKNOWN, bytes(100))
    producer.send(most, frame(2, UNKNOWN, bytes(101)))
    assert producer.rest() == b""
    assert bare.frame() == most
    assert rejected(relay, Reject.PAYLOAD_TOO_LARGE) == 1


def test_who_produces_and_consumes_gets_its_own_frames_too(start: Start) -> None:
    relay = start()
    both = relay.client()
    both.hello(3)
    sent = [frame(n) for n in range(1, 11)]
    both.send(*sent)
    assert both.data(10) == sent


def test_a_plain_consumer_begins_at_the_end_of_the_log_as_it_was_at_accept(start: Start) -> None:
    relay = start(plain_after=0.3)
    producer = relay.client()
    send_apart(producer, frame(1))
    late = relay.client()
    joined(relay, 2)
    producer.send(frame(2), frame(3))
    assert sequences([late.frame(), late.frame()]) == [2, 3]


def test_a_producer_gets_nothing_but_the_rest_of_the_frame_begun(start: Start) -> None:
    relay = start(send_buffer=8192)
    turncoat, producer = relay.client(), relay.client()
    plain(relay, 2)
    stream = b"".join(frame(n, timestamp=n) for n in range(1, 3001))
    producer.send(stream)
    turncoat.send(frame(1, source=2))
    witness = _witness(relay)
    producer.send(frame(3001))
    assert sequences(witness.data(2)) == [1, 3001]
    turncoat.sock.shutdown(1)
    got = whole_frames(turncoat.rest())
    assert got
    assert b"".join(got) == stream[: 64 * len(got)]


def _witness(relay: RelayProcess) -> Client:
    """A session whose first frame will be the turncoat's, position 3000."""
    witness = relay.client()
    witness.hello(1, start=1, start_position=3000)
    return witness
